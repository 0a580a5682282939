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

#include "core/base/assert.h"
#include "core/base/limits.h"
#include "core/base/utf8.h"
#include "core/sql/bind.h"
#include "core/sql/cast.h"

int bind_position(struct binder *b, int location)
{
	size_t to;

	if (location < 0 || b->no_places)
		return 0;
	to = (size_t)location < b->text_len ? (size_t)location : b->text_len;
	/* From the last one, which is near: a long text has many places. */
	if (to >= b->place)
		b->place_chars += utf8_length(b->text + b->place, to - b->place);
	else
		b->place_chars -= utf8_length(b->text + to, b->place - to);
	b->place = to;
	return (int)b->place_chars + 1;
}

#undef bind_fail
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

struct expr *expr_args(struct binder *b, struct expr *e, unsigned n)
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
	case NODE(NAMED_ARG_EXPR): return n->named_arg_expr->location;
	default: return -1;
	}
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
	if (value_parse(&e->constant, e->type, digits, strlen(digits), b->arena, b->error) == 0)
		return e;
	e->position = bind_position(b, location);
	e->constant = (struct value){ .type = TYPE_NUMERIC };
	e->digits = bind_keep(b, digits);
	return e->digits == NULL ? NULL : e;
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
	if (p->number < 1 || p->number > LIMIT_PARAMS ||
		(b->params_fixed && (unsigned)p->number > b->nparams)) {
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

	if (e == NULL || bind_note_column(b, r, col) != 0)
		return NULL;
	e->type = r->columns[col].type;
	e->source = source;
	e->column = (uint16_t)col;
	return e;
}

/* A column of one level. 1 with *out; 0: there is none, and whether its table is there; -1. */
static int column_at(struct binder *b, const struct scope *l, const char *table, const char *name,
	int location, bool *table_found, struct expr **out)
{
	const struct name_entry *found = NULL;
	struct name_entry at = { .name = name };
	unsigned n = 0;

	for (unsigned i = l->first_name; table == NULL && i < l->nnames; i++)
		if (strcmp(l->names[i].name, name) == 0) {
			found = &l->names[i];
			n++;
		}
	/* Those of a command are looked up in its tables. */
	for (unsigned i = l->first; (table != NULL || l->names == NULL) && i < l->n; i++) {
		int k;

		if (table != NULL && strcmp(l->entries[i].alias, table) != 0)
			continue;
		*table_found = true;
		k = bind_column_number(b, l->entries[i].relation, name);
		if (k < 0)
			continue;
		at.entry = (uint8_t)i;
		at.column = (uint16_t)k;
		found = &at;
		n += bind_column_count(b, l->entries[i].relation, name);
	}
	if (n > 1)
		return bind_fail(b, ERR_AMBIGUOUS_COLUMN, location,
			"column reference \"%s\" is ambiguous", name);
	if (n == 0)
		return 0;
	*out = bind_name(b, l, found, location);
	return *out == NULL ? -1 : 1;
}

/* A column of the select around, `depth` levels out. */
static struct expr *outer_column(struct binder *b, struct expr *e, unsigned depth)
{
	for (; depth > 0 && e != NULL; depth--) {
		struct expr *outer = expr_new(b, EXPR_OUTER, (enum type_id)e->type.id, -1);

		if (outer == NULL)
			return NULL;
		outer->type = e->type;
		outer->position = e->position;
		outer->args = bind_alloc(b, sizeof(*outer->args));
		if (outer->args == NULL)
			return NULL;
		outer->args[0] = e;
		b->nouter++;
		e = outer;
	}
	return e;
}

/* Whether the name is that of something in FROM. */
static bool is_alias(const struct binder *b, const char *name)
{
	for (const struct scope *l = &b->level; l != NULL; l = l->outer)
		for (unsigned i = 0; i < l->n; i++)
			if (strcmp(l->entries[i].alias, name) == 0)
				return true;
	return false;
}

static struct expr *bind_column_ref(struct binder *b, const PgQuery__ColumnRef *c)
{
	const char *table = NULL, *name;
	struct expr *other;
	bool table_found = false;
	unsigned depth = 0;

	if (c->fields[c->n_fields - 1]->node_case == NODE(A_STAR))
		return bind_unsupported(b, c->location, "row expansion here");
	if (b->in_default) {
		bind_fail(b, ERR_FEATURE, c->location,
			"cannot use column reference in DEFAULT expression");
		return NULL;
	}
	name = node_string(c->fields[c->n_fields - 1]);
	if (c->n_fields >= 2)
		table = node_string(c->fields[c->n_fields - 2]);
	for (const struct scope *l = &b->level; l != NULL; l = l->outer, depth++) {
		struct expr *e = NULL;
		int status = column_at(b, l, table, name, c->location, &table_found, &e);

		if (status != 0 && depth > 0)
			b->outer_location = c->location;
		if (status != 0)
			return status < 0 ? NULL : outer_column(b, e, depth);
	}
	b->error->code = ERR_OK;
	other = strcmp(name, "lf_epoch") == 0 ? bind_epoch(b, table, c->location) : NULL;
	if (other == NULL && b->error->code == ERR_OK)
		other = bind_body_argument(b, table, name, c->location);
	if (other != NULL || b->error->code != ERR_OK)
		return other;
	if (table != NULL && !table_found)
		bind_fail(b, ERR_UNDEFINED_TABLE, c->location,
			"missing FROM-clause entry for table \"%s\"", table);
	else if (table != NULL)
		bind_fail(b, ERR_UNDEFINED_COLUMN, c->location, "column %s.%s does not exist",
			table, name);
	else if (is_alias(b, name))
		bind_unsupported(b, c->location, "a whole row as a value");
	else
		bind_fail(
			b, ERR_UNDEFINED_COLUMN, c->location, "column \"%s\" does not exist", name);
	return NULL;
}

/* --- forms --- */

/* The modifier that all have, else none; char(n) of different lengths gets its blanks first. */
static int common_modifier(struct binder *b, struct expr **e, unsigned n, struct type *t)
{
	bool same = true;

	t->a = t->b = 0;
	for (unsigned i = 0; i < n; i++)
		same = same && e[i]->type.id == t->id && e[i]->type.a == e[0]->type.a &&
			e[i]->type.b == e[0]->type.b;
	if (same) {
		*t = e[0]->type;
		return 0;
	}
	for (unsigned i = 0; i < n; i++) {
		e[i] = bind_pad(b, e[i]);
		if (e[i] == NULL)
			return -1;
	}
	return 0;
}

/* Bring expressions to their common type; its modifier is kept in *t when all have the same. */
int bind_unify(struct binder *b, struct expr **e, unsigned n, const char *context, struct type *t)
{
	enum type_id *types = bind_alloc(b, n * sizeof(*types)), common;
	unsigned odd = 0;

	if (types == NULL)
		return -1;
	for (unsigned i = 0; i < n; i++)
		types[i] = (enum type_id)e[i]->type.id;
	common = type_common(types, n, context, &odd, b->error);
	if (common == TYPE_UNKNOWN) {
		b->error->position = expr_location(e[odd]);
		return -1;
	}
	b->error->code = ERR_OK;
	*t = (struct type){ .id = (uint8_t)common };
	if (common_modifier(b, e, n, t) != 0)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		struct expr *from = e[i];
		char have[64], want[64];

		e[i] = bind_coerce(b, from, (struct type){ .id = (uint8_t)common }, CAST_IMPLICIT);
		if (e[i] != NULL)
			continue;
		if (b->error->code == ERR_OK && bind_has_array(&from, 1))
			(void)bind_check_equality(b, from);
		if (b->error->code == ERR_OK)
			error_set(b->error, ERR_CANNOT_COERCE, expr_location(from),
				"%s could not convert type %s to %s", context,
				type_name((struct type){ .id = from->type.id }, have, sizeof(have)),
				type_name(*t, want, sizeof(want)));
		return -1;
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
	if (bind_unify(b, e->args, (unsigned)n, context, &e->type) != 0)
		return NULL;
	return kind == EXPR_COALESCE || bind_check_order(b, e) == 0 ? e : NULL;
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
	/* ELSE comes first: its type counts most. */
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
		if (e->args[2 * i] == NULL)
			return NULL;
		results[i + 1] = bind_expr(b, w->result);
		if (results[i + 1] == NULL)
			return NULL;
	}
	if (c->defresult != NULL) {
		results[0] = bind_expr(b, c->defresult);
	} else {
		results[0] = expr_new(b, EXPR_CONST, TYPE_UNKNOWN, -1);
		if (results[0] != NULL)
			results[0]->constant.flags = VALUE_NULL;
	}
	if (results[0] == NULL || bind_unify(b, results, n + 1, "CASE", &e->type) != 0)
		return NULL;
	for (unsigned i = 0; i < n; i++)
		e->args[2 * i + 1] = results[i + 1];
	e->args[2 * n] = results[0];
	return e;
}

struct expr *bind_both(
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

/* Whether all have a type in common. */
bool bind_unifiable(struct expr *const *e, unsigned n)
{
	enum type_id common = (enum type_id)e[0]->type.id;
	struct error ignored;
	unsigned odd;

	for (unsigned i = 1; i < n && common != TYPE_UNKNOWN; i++) {
		enum type_id pair[2] = { common, (enum type_id)e[i]->type.id };

		common = type_common(pair, 2, "", &odd, &ignored);
	}
	if (common == TYPE_UNKNOWN)
		return e[0]->type.id == TYPE_UNKNOWN;
	for (unsigned i = 0; i < n; i++)
		if (e[i]->type.id != TYPE_UNKNOWN && e[i]->type.id != common &&
			cast_exists((enum type_id)e[i]->type.id, common) != CAST_IMPLICIT)
			return false;
	return true;
}

struct expr *bind_infix(struct binder *b, const char *op, const PgQuery__Node *left,
	const PgQuery__Node *right, int location)
{
	struct expr *l, *r;

	if (left->node_case == NODE(ROW_EXPR) && right->node_case == NODE(ROW_EXPR))
		return bind_rows(b, op, left->row_expr, right->row_expr, location);
	l = bind_expr(b, left);
	r = l == NULL ? NULL : bind_expr(b, right);
	return r == NULL ? NULL : bind_operator(b, op, l, r, location);
}

/* x IN (a, b) of rows, or without a common type, is x = a OR x = b, as PostgreSQL has it. */
static struct expr *bind_in_each(struct binder *b, const PgQuery__AExpr *x, bool negated)
{
	const PgQuery__List *list = x->rexpr->list;
	struct expr *any = NULL;

	for (size_t i = 0; i < list->n_items; i++) {
		struct expr *eq = bind_infix(
			b, negated ? "<>" : "=", x->lexpr, list->items[i], x->location);

		any = i == 0 ? eq
			     : bind_both(b, negated ? EXPR_AND : EXPR_OR, any, eq, x->location);
		if (any == NULL)
			return NULL;
	}
	return any;
}

static struct expr *bind_in(struct binder *b, const PgQuery__AExpr *x)
{
	const PgQuery__List *list = x->rexpr->list;
	unsigned n = (unsigned)list->n_items;
	struct expr *e;
	struct type t;

	if (x->rexpr->node_case != NODE(LIST))
		return bind_unsupported(b, x->location, "a subquery in IN");
	if (x->lexpr->node_case == NODE(ROW_EXPR))
		return bind_in_each(b, x, strcmp(node_string(x->name[0]), "<>") == 0);
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
	if (!bind_unifiable(e->args, n + 1))
		return bind_in_each(b, x, e->negated);
	if (bind_unify(b, e->args, n + 1, "IN", &t) != 0)
		return NULL;
	if (bind_check_equality(b, e->args[0]) == 0)
		return e;
	b->error->position = bind_position(b, x->location);
	return NULL;
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
		struct expr *low = bind_infix(b, ">=", x->lexpr, list->items[k], x->location),
			    *high, *both;

		high = low == NULL ? NULL
				   : bind_infix(b, "<=", x->lexpr, list->items[1 - k], x->location);
		both = bind_both(b, EXPR_AND, low, high, x->location);
		e = k == 0 ? both : bind_both(b, EXPR_OR, e, both, x->location);
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

struct expr *bind_distinct(
	struct binder *b, struct expr *l, struct expr *r, bool negated, int location)
{
	struct expr *e = expr_args(b, expr_new(b, EXPR_DISTINCT, TYPE_BOOL, location), 2);

	/* What "=" would compare. */
	r = e == NULL ? NULL : bind_operator(b, "=", l, r, location);
	if (r == NULL)
		return NULL;
	e->negated = negated;
	e->args[0] = r->args[0];
	e->args[1] = r->args[1];
	return e;
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
	case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ALL: return bind_any(b, x);
	default: break;
	}
	if (x->lexpr != NULL && x->lexpr->node_case == NODE(ROW_EXPR) &&
		x->rexpr->node_case == NODE(ROW_EXPR))
		return bind_row_operator(b, x, op);
	if (x->lexpr != NULL && x->lexpr->node_case == NODE(ROW_EXPR) &&
		x->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP &&
		x->rexpr->node_case == NODE(SUB_LINK) &&
		x->rexpr->sub_link->sub_link_type == PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK)
		return bind_row_value(b, x->lexpr->row_expr, op, x->rexpr->sub_link, x->location);
	if (x->lexpr != NULL) {
		l = bind_expr(b, x->lexpr);
		if (l == NULL)
			return NULL;
	}
	r = bind_expr(b, x->rexpr);
	if (r == NULL)
		return NULL;
	/* Only an operator can stand before its one operand. */
	ASSERT(l != NULL || x->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP);
	switch (x->kind) {
	case PG_QUERY__A__EXPR__KIND__AEXPR_DISTINCT:
	case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT:
		return bind_distinct(b, l, r,
			x->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT, x->location);
	case PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF:
		r = bind_operator(b, "=", l, r, x->location);
		e = expr_args(b, expr_new(b, EXPR_NULLIF, TYPE_UNKNOWN, x->location), 3);
		if (e == NULL || r == NULL)
			return NULL;
		/* PostgreSQL has operators for some pairs of types where we cast the left side. */
		e->args[0] = l->type.id == TYPE_FLOAT4 || l->type.id == TYPE_DATE ||
				l->type.id == TYPE_TIMESTAMP
			? l
			: r->args[0];
		e->args[1] = r->args[1];
		e->args[2] = r;
		e->type = e->args[0]->type;
		return e;
	default: return bind_operator(b, op, l, r, x->location);
	}
}

/* All text is in collation C. */
static struct expr *bind_collate(struct binder *b, const PgQuery__CollateClause *c)
{
	const char *name = node_string(c->collname[c->n_collname - 1]);
	struct expr *e = bind_settle(b, bind_expr(b, c->arg));
	char have[64];

	if (e == NULL)
		return NULL;
	if (e->type.id != TYPE_TEXT && e->type.id != TYPE_VARCHAR && e->type.id != TYPE_BPCHAR) {
		bind_fail(b, ERR_DATATYPE_MISMATCH, c->location,
			"collations are not supported by type %s",
			type_name((struct type){ .id = e->type.id }, have, sizeof(have)));
		return NULL;
	}
	if (strcmp(name, "C") != 0 && strcmp(name, "POSIX") != 0 && strcmp(name, "default") != 0)
		return bind_unsupported(b, c->location, "a collation other than C");
	return e;
}

static struct expr *bind_test(struct binder *b, const PgQuery__Node *n)
{
	struct expr *e;

	if (n->node_case == NODE(NULL_TEST) && n->null_test->arg->node_case == NODE(ROW_EXPR))
		return bind_row_null(b, n->null_test);
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
	/* CAST (x AS t) begins before its argument. */
	if (e != NULL && e != arg && e->kind == EXPR_CAST &&
		bind_position(b, c->location) < e->position)
		e->position = bind_position(b, c->location);
	if (e == NULL && b->error->code == ERR_OK)
		bind_fail(b, ERR_CANNOT_COERCE, c->location, "cannot cast type %s to %s",
			type_name((struct type){ .id = arg->type.id }, from, sizeof(from)),
			type_name((struct type){ .id = t.id }, to, sizeof(to)));
	return e;
}

static struct expr *bind_grouping(struct binder *b, const PgQuery__GroupingFunc *g)
{
	struct expr *e = expr_args(
		b, expr_new(b, EXPR_GROUPING, TYPE_INT4, g->location), (unsigned)g->n_args);

	if (e == NULL)
		return NULL;
	if (b->aggregates == NULL || b->in_aggregate) {
		bind_fail(b, ERR_GROUPING, g->location, "grouping operations are not allowed in %s",
			b->no_aggregates != NULL ? b->no_aggregates : "this place");
		return NULL;
	}
	if (g->n_args > 31) {
		bind_fail(b, ERR_TOO_MANY_COLUMNS, g->location,
			"GROUPING must have fewer than 32 arguments");
		return NULL;
	}
	b->aggregates->grouped = true;
	for (size_t i = 0; i < g->n_args; i++) {
		/* A string by itself is of no type yet, and so none that is grouped by. */
		e->args[i] = bind_expr(b, g->args[i]);
		if (e->args[i] != NULL && e->args[i]->kind != EXPR_CONST)
			e->args[i] = bind_settle(b, e->args[i]);
		if (e->args[i] == NULL)
			return NULL;
		if (expr_has_outer(e->args[i]))
			return bind_unsupported(
				b, g->location, "grouping() of what an outer query groups by");
	}
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
	case NODE(COLLATE_CLAUSE): return bind_collate(b, n->collate_clause);
	case NODE(A_INDIRECTION): return bind_subscript(b, n->a_indirection);
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
	case NODE(SUB_LINK): return bind_sublink(b, n->sub_link);
	case NODE(GROUPING_FUNC): return bind_grouping(b, n->grouping_func);
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
