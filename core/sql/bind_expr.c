/*
 * bind_expr.c: expressions of the parser's tree to struct expr, with types.
 *
 * String literals and parameters begin as `unknown` and take the type their context asks for, as in
 * PostgreSQL. Every implicit cast is written out, so that what evaluates never converts by itself.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/limits.h"
#include "core/base/utf8.h"
#include "core/sql/bind.h"
#include "core/sql/cast.h"
#include "core/sql/sum.h"

#define NODE(name) PG_QUERY__NODE__NODE_##name

int bind_position(const struct binder *b, int location)
{
	size_t len = strlen(b->text);

	if (location < 0)
		return 0;
	return (int)utf8_length(b->text, (size_t)location < len ? (size_t)location : len) + 1;
}

int bind_fail(struct binder *b, enum error_code code, int location, const char *fmt, ...)
{
	char message[ERROR_MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	return error_set(b->error, code, bind_position(b, location), "%s", message);
}

void *bind_unsupported(struct binder *b, int location, const char *what)
{
	bind_fail(b, ERR_FEATURE, location, "%s is not supported", what);
	return NULL;
}

void *bind_alloc(struct binder *b, size_t size)
{
	void *p = arena_zalloc(b->arena, size == 0 ? 1 : size);

	if (p == NULL)
		error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
	return p;
}

struct expr *expr_new(struct binder *b, enum expr_kind kind, enum type_id type, int location)
{
	struct expr *e;

	if (++b->nodes > LIMIT_EXPR_NODES) {
		bind_fail(b, ERR_TOO_COMPLEX, location, "statement is too complex");
		return NULL;
	}
	e = bind_alloc(b, sizeof(*e));
	if (e == NULL)
		return NULL;
	e->kind = kind;
	e->type.id = (uint8_t)type;
	e->position = bind_position(b, location);
	return e;
}

static struct expr *expr_args(struct binder *b, struct expr *e, unsigned n)
{
	if (e == NULL)
		return NULL;
	e->args = bind_alloc(b, n * sizeof(*e->args));
	e->nargs = (uint16_t)n;
	return e->args == NULL ? NULL : e;
}

const char *node_string(const PgQuery__Node *n)
{
	return n->node_case == NODE(STRING) ? n->string->sval : "";
}

int node_location(const PgQuery__Node *n)
{
	if (n == NULL)
		return -1;
	switch (n->node_case) {
	case NODE(A_EXPR):
		return n->a_expr->lexpr != NULL ? node_location(n->a_expr->lexpr)
						: n->a_expr->location;
	case NODE(A_CONST): return n->a_const->location;
	case NODE(COLUMN_REF): return n->column_ref->location;
	case NODE(PARAM_REF): return n->param_ref->location;
	case NODE(FUNC_CALL): return n->func_call->location;
	case NODE(BOOL_EXPR): return n->bool_expr->location;
	case NODE(CASE_EXPR): return n->case_expr->location;
	case NODE(COALESCE_EXPR): return n->coalesce_expr->location;
	case NODE(MIN_MAX_EXPR): return n->min_max_expr->location;
	case NODE(TYPE_CAST):
		return n->type_cast->arg != NULL ? node_location(n->type_cast->arg)
						 : n->type_cast->location;
	case NODE(NULL_TEST): return n->null_test->location;
	case NODE(SUB_LINK): return n->sub_link->location;
	case NODE(SQLVALUE_FUNCTION): return n->sqlvalue_function->location;
	case NODE(RES_TARGET): return n->res_target->location;
	default: return -1;
	}
}

/* --- types --- */

static int type_modifiers(struct binder *b, const PgQuery__TypeName *t, struct type *out)
{
	long mod[2] = { 0, 0 };

	if (t->n_typmods == 0)
		return 0;
	for (size_t i = 0; i < t->n_typmods && i < 2; i++) {
		const PgQuery__Node *n = t->typmods[i];

		if (n->node_case != NODE(A_CONST) ||
			n->a_const->val_case != PG_QUERY__A__CONST__VAL_IVAL)
			return bind_fail(b, ERR_INVALID_PARAMETER, t->location,
				"type modifiers must be simple constants");
		mod[i] = n->a_const->ival->ival;
	}
	switch ((enum type_id)out->id) {
	case TYPE_NUMERIC:
		if (mod[0] < 1 || mod[0] > LIMIT_NUMERIC_DIGITS)
			return bind_fail(b, ERR_INVALID_PARAMETER, t->location,
				"NUMERIC precision %ld must be between 1 and %d", mod[0],
				LIMIT_NUMERIC_DIGITS);
		if (mod[1] < 0 || mod[1] > mod[0])
			return bind_fail(b, ERR_INVALID_PARAMETER, t->location,
				"NUMERIC scale %ld must be between 0 and precision %ld", mod[1],
				mod[0]);
		break;
	case TYPE_VARCHAR:
	case TYPE_BPCHAR:
		if (mod[0] < 1 || mod[0] > LIMIT_VARCHAR_CHARS)
			return bind_fail(b, ERR_INVALID_PARAMETER, t->location,
				"length for type %s must be between 1 and %d",
				out->id == TYPE_VARCHAR ? "varchar" : "char", LIMIT_VARCHAR_CHARS);
		break;
	case TYPE_TIMESTAMP:
	case TYPE_TIMESTAMPTZ:
		if (mod[0] != 6)
			return bind_fail(b, ERR_FEATURE, t->location,
				"timestamp precision other than 6 is not supported");
		mod[0] = 0;
		break;
	case TYPE_INTERVAL:
		return bind_fail(b, ERR_FEATURE, t->location, "interval fields are not supported");
	default:
		return bind_fail(
			b, ERR_SYNTAX, t->location, "type modifier is not allowed for this type");
	}
	out->a = (uint16_t)mod[0];
	out->b = (uint8_t)mod[1];
	return 0;
}

int bind_type(struct binder *b, const PgQuery__TypeName *t, struct type *out)
{
	static const char *const KNOWN[] = { "json", "jsonb", "xml", "money", "inet", "cidr",
		"macaddr", "time", "timetz", "bit", "varbit", "point", "line", "box", "path",
		"circle", "polygon", "tsvector", "tsquery", "oid", "name", "int4range", "int8range",
		"numrange", "daterange", "serial", "bigserial", "smallserial", "hstore",
		"regclass" };
	const char *name = t->n_names > 0 ? node_string(t->names[t->n_names - 1]) : "";

	memset(out, 0, sizeof(*out));
	out->id = (uint8_t)type_from_name(name);
	if (t->n_array_bounds > 0 || t->setof)
		return bind_fail(b, ERR_FEATURE, t->location, "arrays are not supported");
	if (out->id != TYPE_UNKNOWN) {
		return type_modifiers(b, t, out);
	}
	for (unsigned i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++)
		if (strcmp(KNOWN[i], name) == 0)
			return bind_fail(
				b, ERR_FEATURE, t->location, "type %s is not supported", name);
	return bind_fail(b, ERR_UNDEFINED_OBJECT, t->location, "type \"%s\" does not exist", name);
}

/* --- coercion --- */

static bool is_unknown(const struct expr *e)
{
	return e->type.id == TYPE_UNKNOWN;
}

/* An untyped literal or parameter takes the type. */
static struct expr *resolve_unknown(struct binder *b, struct expr *e, struct type t)
{
	if (e->kind == EXPR_COLUMN && e->source == EXPR_PARAMS) {
		b->params[e->column] = (enum type_id)t.id;
		e->type = (struct type){ .id = t.id };
		return e;
	}
	if (e->kind != EXPR_CONST)
		return e;
	e->type = t;
	if (value_is_null(&e->constant)) {
		e->constant.type = t.id;
		return e;
	}
	{
		struct value v = e->constant;

		if (value_parse(&e->constant, t, v.s.p, v.s.len, b->arena, b->error) != 0) {
			b->error->position = e->position;
			return NULL;
		}
	}
	return e;
}

static bool same_type(struct type a, struct type b)
{
	return a.id == b.id && (b.a == 0 || (a.a == b.a && a.b == b.b));
}

struct expr *bind_coerce(struct binder *b, struct expr *e, struct type t, enum cast_kind kind)
{
	struct expr *cast;

	if (is_unknown(e)) {
		bool null = e->kind == EXPR_CONST && value_is_null(&e->constant);
		struct expr *r = resolve_unknown(b, e, t);

		/* A parameter has the plain type; its modifier still has to be applied. */
		if (r == NULL || null || r->kind == EXPR_CONST || t.a == 0)
			return r;
		e = r;
	}
	if (same_type(e->type, t)) {
		e->type.id = t.id;
		return e;
	}
	if (e->type.id != t.id && cast_exists((enum type_id)e->type.id, (enum type_id)t.id) < kind)
		return NULL;
	cast = expr_args(b, expr_new(b, EXPR_CAST, (enum type_id)t.id, -1), 1);
	if (cast == NULL)
		return NULL;
	cast->type = t;
	cast->position = e->position;
	cast->explicit_cast = kind == CAST_EXPLICIT;
	cast->args[0] = e;
	return cast;
}

struct expr *bind_assign(struct binder *b, struct expr *e, const struct column *c)
{
	char want[64], have[64];
	struct expr *r;

	b->error->code = ERR_OK;
	r = bind_coerce(b, e, c->type, CAST_ASSIGNMENT);
	if (r != NULL || b->error->code != ERR_OK)
		return r;
	error_set(b->error, ERR_DATATYPE_MISMATCH, e->position,
		"column \"%s\" is of type %s but expression is of type %s", c->name,
		type_name((struct type){ .id = c->type.id }, want, sizeof(want)),
		type_name((struct type){ .id = e->type.id }, have, sizeof(have)));
	error_hint(b->error, "You will need to rewrite or cast the expression.");
	return NULL;
}

struct expr *bind_settle(struct binder *b, struct expr *e)
{
	if (e == NULL || !is_unknown(e))
		return e;
	return resolve_unknown(b, e, (struct type){ .id = TYPE_TEXT });
}

static struct expr *coerce_bool(struct binder *b, struct expr *e, const char *clause)
{
	char have[64];
	struct expr *r;

	if (e == NULL)
		return NULL;
	b->error->code = ERR_OK;
	r = bind_coerce(b, e, (struct type){ .id = TYPE_BOOL }, CAST_IMPLICIT);
	if (r == NULL && b->error->code == ERR_OK)
		error_set(b->error, ERR_DATATYPE_MISMATCH, e->position,
			"argument of %s must be type boolean, not type %s", clause,
			type_name(e->type, have, sizeof(have)));
	return r;
}

/* --- leaves --- */

static struct expr *bind_integer(struct binder *b, const char *digits, int location)
{
	struct expr *e = expr_new(b, EXPR_CONST, TYPE_INT4, location);
	char *end;
	long long n;

	if (e == NULL)
		return NULL;
	n = strtoll(digits, &end, 10);
	if (*end == '\0' && strlen(digits) < 19) {
		e->type.id = n > INT32_MAX || n < INT32_MIN ? TYPE_INT8 : TYPE_INT4;
		e->constant.i = n;
		e->constant.type = e->type.id;
		return e;
	}
	{
		struct value v;
		struct error ignored;

		if (value_parse(&v, (struct type){ .id = TYPE_INT8 }, digits, strlen(digits),
			    b->arena, &ignored) == 0) {
			e->type.id = TYPE_INT8;
			e->constant = v;
			return e;
		}
	}
	e->type.id = TYPE_NUMERIC;
	if (value_parse(&e->constant, e->type, digits, strlen(digits), b->arena, b->error) != 0) {
		b->error->position = e->position;
		return NULL;
	}
	return e;
}

static struct expr *bind_const(struct binder *b, const PgQuery__AConst *c)
{
	struct expr *e;

	if (!c->isnull && c->val_case == PG_QUERY__A__CONST__VAL_FVAL)
		return bind_integer(b, c->fval->fval, c->location);
	e = expr_new(b, EXPR_CONST, TYPE_UNKNOWN, c->location);
	if (e == NULL)
		return NULL;
	if (c->isnull) {
		e->constant.flags = VALUE_NULL;
		return e;
	}
	switch (c->val_case) {
	case PG_QUERY__A__CONST__VAL_IVAL:
		e->type.id = TYPE_INT4;
		e->constant.i = c->ival->ival;
		break;
	case PG_QUERY__A__CONST__VAL_BOOLVAL:
		e->type.id = TYPE_BOOL;
		e->constant.i = c->boolval->boolval;
		break;
	case PG_QUERY__A__CONST__VAL_SVAL:
		e->constant.s.len = (uint32_t)strlen(c->sval->sval);
		e->constant.s.p = arena_strdup(b->arena, c->sval->sval, e->constant.s.len);
		if (e->constant.s.p == NULL) {
			error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
			return NULL;
		}
		break;
	default: return bind_unsupported(b, c->location, "a bit string");
	}
	e->constant.type = e->type.id;
	return e;
}

static struct expr *bind_param(struct binder *b, const PgQuery__ParamRef *p)
{
	struct expr *e;

	if (b->in_view) {
		bind_fail(b, ERR_UNDEFINED_PARAMETER, p->location, "there is no parameter $%d",
			p->number);
		return NULL;
	}
	if (p->number < 1 || p->number > LIMIT_PARAMS) {
		bind_fail(b, ERR_UNDEFINED_PARAMETER, p->location, "there is no parameter $%d",
			p->number);
		return NULL;
	}
	if ((unsigned)p->number > b->params_cap) {
		unsigned cap = b->params_cap == 0 ? 16 : b->params_cap;
		enum type_id *grown;

		while (cap < (unsigned)p->number)
			cap *= 2;
		grown = bind_alloc(b, cap * sizeof(*grown));
		if (grown == NULL)
			return NULL;
		if (b->nparams > 0)
			memcpy(grown, b->params, b->nparams * sizeof(*grown));
		b->params = grown;
		b->params_cap = cap;
	}
	if ((unsigned)p->number > b->nparams)
		b->nparams = (unsigned)p->number;
	e = expr_new(b, EXPR_COLUMN, b->params[p->number - 1], p->location);
	if (e == NULL)
		return NULL;
	e->source = EXPR_PARAMS;
	e->column = (uint16_t)(p->number - 1);
	return e;
}

struct expr *bind_column(
	struct binder *b, uint8_t source, const struct relation *r, unsigned col, int location)
{
	struct expr *e = expr_new(b, EXPR_COLUMN, (enum type_id)r->columns[col].type.id, location);

	if (e == NULL)
		return NULL;
	e->type = r->columns[col].type;
	e->source = source;
	e->column = (uint16_t)col;
	return e;
}

static struct expr *bind_column_ref(struct binder *b, const PgQuery__ColumnRef *c)
{
	const char *table = NULL, *name;
	const struct scope_entry *found = NULL;
	bool table_found = false;
	int col = -1;

	if (c->fields[c->n_fields - 1]->node_case == NODE(A_STAR))
		return bind_unsupported(b, c->location, "row expansion here");
	name = node_string(c->fields[c->n_fields - 1]);
	if (c->n_fields >= 2)
		table = node_string(c->fields[c->n_fields - 2]);
	for (unsigned i = 0; i < b->nscope; i++) {
		int k;

		if (table != NULL && strcmp(b->scope[i].alias, table) != 0)
			continue;
		table_found = true;
		k = relation_column(b->scope[i].relation, name);
		if (k < 0)
			continue;
		if (found != NULL) {
			bind_fail(b, ERR_AMBIGUOUS_COLUMN, c->location,
				"column reference \"%s\" is ambiguous", name);
			return NULL;
		}
		found = &b->scope[i];
		col = k;
	}
	if (found != NULL)
		return bind_column(b, found->source, found->relation, (unsigned)col, c->location);
	if (table != NULL && !table_found)
		bind_fail(b, ERR_UNDEFINED_TABLE, c->location,
			"missing FROM-clause entry for table \"%s\"", table);
	else if (table != NULL)
		bind_fail(b, ERR_UNDEFINED_COLUMN, c->location, "column %s.%s does not exist",
			table, name);
	else
		bind_fail(
			b, ERR_UNDEFINED_COLUMN, c->location, "column \"%s\" does not exist", name);
	return NULL;
}

/* --- calls --- */

/* Cast arguments as the function asks and build the call. */
static struct expr *call_build(struct binder *b, const struct function *f, struct expr **args,
	unsigned n, const enum type_id *cast_to, int location)
{
	struct expr *e = expr_args(b, expr_new(b, EXPR_CALL, f->result, location), n);

	if (e == NULL)
		return NULL;
	e->fn = f;
	for (unsigned i = 0; i < n; i++) {
		e->args[i] = bind_coerce(
			b, args[i], (struct type){ .id = (uint8_t)cast_to[i] }, CAST_IMPLICIT);
		if (e->args[i] == NULL) {
			if (b->error->code == ERR_OK)
				bind_fail(b, ERR_INTERNAL, location,
					"no cast for argument %u of %s", i + 1, f->name);
			return NULL;
		}
		/* Functions take types without modifiers. */
	}
	return e;
}

struct expr *bind_operator(
	struct binder *b, const char *op, struct expr *left, struct expr *right, int location)
{
	struct expr *args[2] = { left, right };
	enum type_id types[2], cast_to[2];
	const struct function *f;
	unsigned n = 0;

	for (unsigned i = 0; i < 2; i++)
		if (args[i] != NULL) {
			args[n] = args[i];
			types[n++] = (enum type_id)args[i]->type.id;
		}
	f = operator_find(strcmp(op, "!=") == 0 ? "<>" : op, types, n, cast_to, b->error,
		bind_position(b, location));
	b->error->code = f == NULL ? b->error->code : ERR_OK;
	return f == NULL ? NULL : call_build(b, f, args, n, cast_to, location);
}

static const struct {
	const char *name;
	enum aggregate_kind kind;
} AGGREGATES[] = {
	{ "count", AGG_COUNT },
	{ "sum", AGG_SUM },
	{ "avg", AGG_AVG },
	{ "min", AGG_MIN },
	{ "max", AGG_MAX },
};

static int aggregate_type(struct binder *b, struct aggregate *a, const char *name, int location)
{
	char have[64];

	a->type = (struct type){ .id = TYPE_INT8 };
	switch (a->kind) {
	case AGG_COUNT_STAR:
	case AGG_COUNT: return 0;
	case AGG_SUM: a->type.id = (uint8_t)sum_type((enum type_id)a->arg->type.id); break;
	case AGG_AVG: a->type.id = (uint8_t)avg_type((enum type_id)a->arg->type.id); break;
	default:
		a->type = a->arg->type;
		if (a->type.id == TYPE_VARCHAR)
			a->type = (struct type){ .id = TYPE_TEXT };
		if (a->type.id == TYPE_BOOL || a->type.id == TYPE_BYTEA || a->type.id == TYPE_UUID)
			a->type.id = TYPE_UNKNOWN;
		break;
	}
	if (a->type.id != TYPE_UNKNOWN)
		return 0;
	bind_fail(b, ERR_UNDEFINED_FUNCTION, location, "function %s(%s) does not exist", name,
		type_name((struct type){ .id = a->arg->type.id }, have, sizeof(have)));
	return error_hint(b->error,
		"No function matches the given name and argument types. You might "
		"need to add explicit type casts.");
}

static struct expr *aggregate_ref(struct binder *b, const struct aggregate *a, int location)
{
	struct select *s = b->aggregates;
	struct aggregate *grown;
	struct expr *e;
	unsigned i;

	for (i = 0; i < s->naggregates; i++) {
		const struct aggregate *o = &s->aggregates[i];

		if (o->kind == a->kind && (o->arg == NULL) == (a->arg == NULL) &&
			(o->filter == NULL) == (a->filter == NULL) &&
			(a->arg == NULL || expr_equal(o->arg, a->arg)) &&
			(a->filter == NULL || expr_equal(o->filter, a->filter)))
			break;
	}
	if (i == s->naggregates) {
		grown = bind_alloc(b, (s->naggregates + 1) * sizeof(*grown));
		if (grown == NULL)
			return NULL;
		if (s->naggregates > 0)
			memcpy(grown, s->aggregates, s->naggregates * sizeof(*grown));
		grown[s->naggregates++] = *a;
		s->aggregates = grown;
	}
	s->grouped = true;
	e = expr_new(b, EXPR_COLUMN, (enum type_id)a->type.id, location);
	if (e == NULL)
		return NULL;
	e->type = a->type;
	e->source = SOURCE_AGGREGATE;
	e->column = (uint16_t)i;
	return e;
}

static struct expr *bind_aggregate(
	struct binder *b, const PgQuery__FuncCall *c, enum aggregate_kind kind, const char *name)
{
	struct aggregate a = { .kind = kind };

	if (c->agg_distinct)
		return bind_unsupported(b, c->location, "DISTINCT in an aggregate");
	if (c->n_agg_order > 0)
		return bind_unsupported(b, c->location, "ORDER BY in an aggregate");
	if (c->over != NULL)
		return bind_unsupported(b, c->location, "a window function");
	if (b->in_aggregate) {
		bind_fail(
			b, ERR_GROUPING, c->location, "aggregate function calls cannot be nested");
		return NULL;
	}
	if (b->aggregates == NULL) {
		bind_fail(b, ERR_GROUPING, c->location, "aggregate functions are not allowed in %s",
			b->no_aggregates != NULL ? b->no_aggregates : "this place");
		return NULL;
	}
	b->in_aggregate = true;
	if (c->agg_star && kind == AGG_COUNT) {
		a.kind = AGG_COUNT_STAR;
	} else if (c->n_args == 1) {
		a.arg = bind_settle(b, bind_expr(b, c->args[0]));
		if (a.arg == NULL)
			return NULL;
		if (kind != AGG_COUNT && (a.arg->type.id == TYPE_VARCHAR)) {
			a.arg = bind_coerce(
				b, a.arg, (struct type){ .id = TYPE_TEXT }, CAST_IMPLICIT);
			if (a.arg == NULL)
				return NULL;
		}
	} else {
		bind_fail(b, ERR_UNDEFINED_FUNCTION, c->location,
			"function %s with %zu arguments does not exist", name, c->n_args);
		return NULL;
	}
	if (c->agg_filter != NULL) {
		a.filter = bind_condition(b, c->agg_filter, "FILTER");
		if (a.filter == NULL)
			return NULL;
	}
	b->in_aggregate = false;
	if (aggregate_type(b, &a, name, c->location) != 0)
		return NULL;
	return aggregate_ref(b, &a, c->location);
}

static struct expr *bind_now(struct binder *b, enum type_id type, int location)
{
	struct expr *e;

	if (b->in_view)
		return bind_unsupported(b, location, "the current time in a view");
	e = expr_new(b, EXPR_NOW, TYPE_TIMESTAMPTZ, location);
	if (e == NULL || type == TYPE_TIMESTAMPTZ)
		return e;
	return bind_coerce(b, e, (struct type){ .id = (uint8_t)type }, CAST_ASSIGNMENT);
}

static struct expr *bind_call(struct binder *b, const PgQuery__FuncCall *c)
{
	const char *name = node_string(c->funcname[c->n_funcname - 1]);
	struct expr *args[FUNCTION_CALL_ARGS_MAX];
	enum type_id types[FUNCTION_CALL_ARGS_MAX], cast_to[FUNCTION_CALL_ARGS_MAX];
	const struct function *f;

	for (unsigned i = 0; i < sizeof(AGGREGATES) / sizeof(AGGREGATES[0]); i++)
		if (strcmp(AGGREGATES[i].name, name) == 0)
			return bind_aggregate(b, c, AGGREGATES[i].kind, name);
	if (c->over != NULL)
		return bind_unsupported(b, c->location, "a window function");
	if (c->agg_filter != NULL || c->agg_distinct || c->agg_star || c->n_agg_order > 0) {
		bind_fail(
			b, ERR_WRONG_OBJECT, c->location, "%s is not an aggregate function", name);
		return NULL;
	}
	if (c->n_args == 0 &&
		(strcmp(name, "now") == 0 || strcmp(name, "transaction_timestamp") == 0))
		return bind_now(b, TYPE_TIMESTAMPTZ, c->location);
	if (c->n_args > FUNCTION_CALL_ARGS_MAX) {
		bind_fail(b, ERR_TOO_COMPLEX, c->location,
			"cannot pass more than %d arguments to a function", FUNCTION_CALL_ARGS_MAX);
		return NULL;
	}
	for (size_t i = 0; i < c->n_args; i++) {
		args[i] = bind_expr(b, c->args[i]);
		if (args[i] == NULL)
			return NULL;
		types[i] = (enum type_id)args[i]->type.id;
	}
	/* AT TIME ZONE: everything is UTC. */
	if (strcmp(name, "timezone") == 0 && c->n_args == 2) {
		if (args[0]->kind != EXPR_CONST || args[0]->constant.s.len != 3 ||
			memcmp(args[0]->constant.s.p, "UTC", 3) != 0)
			return bind_unsupported(b, c->location, "a time zone other than 'UTC'");
		return bind_coerce(b, args[1],
			(struct type){ .id = types[1] == TYPE_TIMESTAMPTZ ? TYPE_TIMESTAMP
									  : TYPE_TIMESTAMPTZ },
			CAST_EXPLICIT);
	}
	f = function_find(
		name, types, (unsigned)c->n_args, cast_to, b->error, bind_position(b, c->location));
	if (f == NULL)
		return NULL;
	b->error->code = ERR_OK;
	return call_build(b, f, args, (unsigned)c->n_args, cast_to, c->location);
}

/* --- forms --- */

/* Bring expressions to their common type. */
static int unify(struct binder *b, struct expr **e, unsigned n, const char *context, int location)
{
	enum type_id *types = bind_alloc(b, n * sizeof(*types));
	enum type_id common;

	if (types == NULL)
		return -1;
	for (unsigned i = 0; i < n; i++)
		types[i] = (enum type_id)e[i]->type.id;
	common = type_common(types, n, context, b->error, bind_position(b, location));
	if (common == TYPE_UNKNOWN)
		return -1;
	b->error->code = ERR_OK;
	for (unsigned i = 0; i < n; i++) {
		e[i] = bind_coerce(b, e[i], (struct type){ .id = (uint8_t)common }, CAST_IMPLICIT);
		if (e[i] == NULL) {
			if (b->error->code == ERR_OK)
				bind_fail(b, ERR_CANNOT_COERCE, location,
					"%s types cannot be matched", context);
			return -1;
		}
	}
	return 0;
}

static struct expr *bind_list(struct binder *b, enum expr_kind kind, PgQuery__Node *const *nodes,
	size_t n, const char *context, int location)
{
	struct expr *e = expr_args(b, expr_new(b, kind, TYPE_UNKNOWN, location), (unsigned)n);

	if (e == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		e->args[i] = bind_expr(b, nodes[i]);
		if (e->args[i] == NULL)
			return NULL;
	}
	if (unify(b, e->args, (unsigned)n, context, location) != 0)
		return NULL;
	e->type.id = e->args[0]->type.id;
	return e;
}

static struct expr *bind_bool(struct binder *b, const PgQuery__BoolExpr *x)
{
	enum expr_kind kind = x->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR ? EXPR_AND
		: x->boolop == PG_QUERY__BOOL_EXPR_TYPE__OR_EXPR              ? EXPR_OR
									      : EXPR_NOT;
	static const char *const NAMES[] = { "AND", "OR", "NOT" };
	struct expr *e = expr_args(
		b, expr_new(b, kind, TYPE_BOOL, x->location), (unsigned)x->n_args);

	if (e == NULL)
		return NULL;
	for (size_t i = 0; i < x->n_args; i++) {
		e->args[i] = coerce_bool(b, bind_expr(b, x->args[i]), NAMES[kind - EXPR_AND]);
		if (e->args[i] == NULL)
			return NULL;
	}
	return e;
}

static struct expr *bind_case(struct binder *b, const PgQuery__CaseExpr *c)
{
	unsigned n = (unsigned)c->n_args;
	struct expr *e = expr_args(b, expr_new(b, EXPR_CASE, TYPE_UNKNOWN, c->location), 2 * n + 1);
	struct expr **results = bind_alloc(b, (n + 1) * sizeof(*results));

	if (e == NULL || results == NULL)
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		const PgQuery__CaseWhen *w = c->args[i]->case_when;
		struct expr *when = bind_expr(b, w->expr);

		if (when == NULL)
			return NULL;
		if (c->arg != NULL) {
			struct expr *arg = bind_expr(b, c->arg);

			when = arg == NULL ? NULL : bind_operator(b, "=", arg, when, w->location);
		}
		e->args[2 * i] = coerce_bool(b, when, "CASE/WHEN");
		results[i] = bind_expr(b, w->result);
		if (e->args[2 * i] == NULL || results[i] == NULL)
			return NULL;
	}
	if (c->defresult != NULL) {
		results[n] = bind_expr(b, c->defresult);
	} else {
		results[n] = expr_new(b, EXPR_CONST, TYPE_UNKNOWN, -1);
		if (results[n] != NULL)
			results[n]->constant.flags = VALUE_NULL;
	}
	if (results[n] == NULL || unify(b, results, n + 1, "CASE", c->location) != 0)
		return NULL;
	for (unsigned i = 0; i < n; i++)
		e->args[2 * i + 1] = results[i];
	e->args[2 * n] = results[n];
	e->type.id = results[n]->type.id;
	return e;
}

static struct expr *bind_in(struct binder *b, const PgQuery__AExpr *x)
{
	const PgQuery__List *list = x->rexpr->list;
	unsigned n = (unsigned)list->n_items;
	struct expr *e;

	if (x->rexpr->node_case != NODE(LIST))
		return bind_unsupported(b, x->location, "a subquery in IN");
	e = expr_args(b, expr_new(b, EXPR_IN, TYPE_BOOL, x->location), n + 1);
	if (e == NULL)
		return NULL;
	e->negated = strcmp(node_string(x->name[0]), "<>") == 0;
	e->args[0] = bind_expr(b, x->lexpr);
	for (unsigned i = 0; i < n && e->args[i] != NULL; i++)
		e->args[i + 1] = bind_expr(b, list->items[i]);
	for (unsigned i = 0; i <= n; i++)
		if (e->args[i] == NULL)
			return NULL;
	return unify(b, e->args, n + 1, "IN", x->location) == 0 ? e : NULL;
}

static struct expr *bind_and(
	struct binder *b, enum expr_kind kind, struct expr *l, struct expr *r, int location)
{
	struct expr *e;

	if (l == NULL || r == NULL)
		return NULL;
	e = expr_args(b, expr_new(b, kind, TYPE_BOOL, location), 2);
	if (e == NULL)
		return NULL;
	e->args[0] = l;
	e->args[1] = r;
	return e;
}

/* x BETWEEN lo AND hi; SYMMETRIC is the OR of both orders. */
static struct expr *bind_between(struct binder *b, const PgQuery__AExpr *x)
{
	bool symmetric = x->kind == PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN_SYM ||
		x->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM;
	bool negated = x->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN ||
		x->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM;
	const PgQuery__List *list = x->rexpr->list;
	struct expr *e = NULL, *not ;

	for (unsigned k = 0; k < (symmetric ? 2u : 1u); k++) {
		struct expr *v[4] = { bind_expr(b, x->lexpr), NULL, NULL, NULL };
		struct expr *both;

		v[1] = v[0] == NULL ? NULL : bind_expr(b, list->items[k]);
		v[2] = v[1] == NULL ? NULL : bind_expr(b, x->lexpr);
		v[3] = v[2] == NULL ? NULL : bind_expr(b, list->items[1 - k]);
		if (v[3] == NULL)
			return NULL;
		v[0] = bind_operator(b, ">=", v[0], v[1], x->location);
		v[1] = v[0] == NULL ? NULL : bind_operator(b, "<=", v[2], v[3], x->location);
		both = bind_and(b, EXPR_AND, v[0], v[1], x->location);
		e = k == 0 ? both : bind_and(b, EXPR_OR, e, both, x->location);
		if (e == NULL)
			return NULL;
	}
	if (!negated)
		return e;
	not = expr_args(b, expr_new(b, EXPR_NOT, TYPE_BOOL, x->location), 1);
	if (not != NULL)
		not ->args[0] = e;
	return not ;
}

static struct expr *bind_a_expr(struct binder *b, const PgQuery__AExpr *x)
{
	const char *op = x->n_name > 0 ? node_string(x->name[x->n_name - 1]) : "";
	struct expr *l = NULL, *r, *e;

	switch (x->kind) {
	case PG_QUERY__A__EXPR__KIND__AEXPR_IN: return bind_in(b, x);
	case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN:
	case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN:
	case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN_SYM:
	case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM: return bind_between(b, x);
	case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY:
	case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ALL:
		return bind_unsupported(b, x->location, "ANY and ALL over arrays");
	case PG_QUERY__A__EXPR__KIND__AEXPR_SIMILAR:
		return bind_unsupported(b, x->location, "SIMILAR TO");
	default: break;
	}
	if (x->lexpr != NULL) {
		l = bind_expr(b, x->lexpr);
		if (l == NULL)
			return NULL;
	}
	r = bind_expr(b, x->rexpr);
	if (r == NULL)
		return NULL;
	switch (x->kind) {
	case PG_QUERY__A__EXPR__KIND__AEXPR_DISTINCT:
	case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT:
		e = expr_args(b, expr_new(b, EXPR_DISTINCT, TYPE_BOOL, x->location), 2);
		if (e == NULL)
			return NULL;
		e->negated = x->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT;
		e->args[0] = l;
		e->args[1] = r;
		return unify(b, e->args, 2, "IS DISTINCT FROM", x->location) == 0 ? e : NULL;
	case PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF: {
		struct expr *eq = bind_operator(b, "=", l, r, x->location);

		if (eq == NULL)
			return NULL;
		e = expr_args(
			b, expr_new(b, EXPR_NULLIF, (enum type_id)l->type.id, x->location), 3);
		if (e == NULL)
			return NULL;
		e->args[0] = bind_settle(b, l);
		e->args[1] = bind_settle(b, r);
		e->args[2] = eq;
		e->type.id = e->args[0] == NULL ? 0 : e->args[0]->type.id;
		return e->args[0] == NULL || e->args[1] == NULL ? NULL : e;
	}
	default: return bind_operator(b, op, l, r, x->location);
	}
}

static struct expr *bind_test(struct binder *b, const PgQuery__Node *n)
{
	struct expr *e;

	if (n->node_case == NODE(NULL_TEST)) {
		e = expr_args(b, expr_new(b, EXPR_IS_NULL, TYPE_BOOL, n->null_test->location), 1);
		if (e == NULL)
			return NULL;
		e->negated = n->null_test->nulltesttype == PG_QUERY__NULL_TEST_TYPE__IS_NOT_NULL;
		e->args[0] = bind_settle(b, bind_expr(b, n->null_test->arg));
		return e->args[0] == NULL ? NULL : e;
	}
	{
		const PgQuery__BooleanTest *t = n->boolean_test;
		/* IS_TRUE, IS_NOT_TRUE, IS_FALSE, IS_NOT_FALSE, IS_UNKNOWN, IS_NOT_UNKNOWN from 1 */
		static const uint8_t TESTS[] = { 1, 1, 0, 0, 2, 2 };
		unsigned i = (unsigned)t->booltesttype - 1;

		e = expr_args(b, expr_new(b, EXPR_IS_BOOL, TYPE_BOOL, t->location), 1);
		if (e == NULL)
			return NULL;
		e->test = TESTS[i % 6];
		e->negated = i % 2;
		e->args[0] = coerce_bool(b, bind_expr(b, t->arg), "IS");
		return e->args[0] == NULL ? NULL : e;
	}
}

static struct expr *bind_cast(struct binder *b, const PgQuery__TypeCast *c)
{
	char from[64], to[64];
	struct expr *e, *arg = bind_expr(b, c->arg);
	struct type t;

	if (arg == NULL || bind_type(b, c->type_name, &t) != 0)
		return NULL;
	b->error->code = ERR_OK;
	e = bind_coerce(b, arg, t, CAST_EXPLICIT);
	if (e == NULL && b->error->code == ERR_OK)
		bind_fail(b, ERR_CANNOT_COERCE, c->location, "cannot cast type %s to %s",
			type_name((struct type){ .id = arg->type.id }, from, sizeof(from)),
			type_name((struct type){ .id = t.id }, to, sizeof(to)));
	return e;
}

static struct expr *bind_node(struct binder *b, const PgQuery__Node *n)
{
	switch (n->node_case) {
	case NODE(A_CONST): return bind_const(b, n->a_const);
	case NODE(PARAM_REF): return bind_param(b, n->param_ref);
	case NODE(COLUMN_REF): return bind_column_ref(b, n->column_ref);
	case NODE(A_EXPR): return bind_a_expr(b, n->a_expr);
	case NODE(BOOL_EXPR): return bind_bool(b, n->bool_expr);
	case NODE(NULL_TEST):
	case NODE(BOOLEAN_TEST): return bind_test(b, n);
	case NODE(CASE_EXPR): return bind_case(b, n->case_expr);
	case NODE(COALESCE_EXPR):
		return bind_list(b, EXPR_COALESCE, n->coalesce_expr->args, n->coalesce_expr->n_args,
			"COALESCE", n->coalesce_expr->location);
	case NODE(MIN_MAX_EXPR):
		return bind_list(b,
			n->min_max_expr->op == PG_QUERY__MIN_MAX_OP__IS_GREATEST ? EXPR_GREATEST
										 : EXPR_LEAST,
			n->min_max_expr->args, n->min_max_expr->n_args,
			n->min_max_expr->op == PG_QUERY__MIN_MAX_OP__IS_GREATEST ? "GREATEST"
										 : "LEAST",
			n->min_max_expr->location);
	case NODE(TYPE_CAST): return bind_cast(b, n->type_cast);
	case NODE(FUNC_CALL): return bind_call(b, n->func_call);
	case NODE(SQLVALUE_FUNCTION): {
		int location = n->sqlvalue_function->location;

		switch (n->sqlvalue_function->op) {
		case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_DATE:
			return bind_now(b, TYPE_DATE, location);
		case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP:
			return bind_now(b, TYPE_TIMESTAMPTZ, location);
		case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP:
			return bind_now(b, TYPE_TIMESTAMP, location);
		default: return bind_unsupported(b, location, "this SQL value function");
		}
	}
	case NODE(SUB_LINK): return bind_unsupported(b, n->sub_link->location, "a subquery");
	case NODE(ROW_EXPR): return bind_unsupported(b, n->row_expr->location, "a row expression");
	case NODE(SET_TO_DEFAULT):
		bind_fail(b, ERR_SYNTAX, n->set_to_default->location,
			"DEFAULT is not allowed in this context");
		return NULL;
	default: return bind_unsupported(b, node_location(n), "this expression");
	}
}

struct expr *bind_expr(struct binder *b, const PgQuery__Node *n)
{
	struct expr *e;

	if (b->depth >= LIMIT_EXPR_DEPTH) {
		bind_fail(b, ERR_TOO_COMPLEX, node_location(n), "expression is nested too deeply");
		return NULL;
	}
	b->depth++;
	e = bind_node(b, n);
	b->depth--;
	return e;
}

struct expr *bind_condition(struct binder *b, const PgQuery__Node *n, const char *clause)
{
	return coerce_bool(b, bind_expr(b, n), clause);
}
