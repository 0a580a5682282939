/*
 * bind_coerce.c: types by name, and giving an expression the type that its place asks for.
 *
 * An untyped literal or parameter takes the type itself; everything else gets a cast, if the rules
 * of the place allow one.
 */
#include <string.h>

#include "core/base/limits.h"
#include "core/sql/bind.h"
#include "core/sql/cast.h"
#include "core/sql/program.h"

/* --- types --- */

enum { PG_PRECISION_MAX = 1000, PG_LENGTH_MAX = 10485760 };

static int type_modifiers(struct binder *b, const PgQuery__TypeName *t, struct type *out)
{
	long mod[2] = { 0, 0 };

	if (t->n_typmods == 0)
		return 0;
	if (t->n_typmods > 2)
		return bind_fail(b, ERR_INVALID_PARAMETER, t->location, "invalid type modifier");
	for (size_t i = 0; i < t->n_typmods && i < 2; i++) {
		const PgQuery__Node *n = t->typmods[i];

		if (n->node_case == NODE(COLUMN_REF))
			return bind_fail(b, ERR_INVALID_TEXT, t->location,
				"invalid input syntax for type integer");
		if (n->node_case != NODE(A_CONST) ||
			n->a_const->val_case != PG_QUERY__A__CONST__VAL_IVAL)
			return bind_fail(b, ERR_SYNTAX, t->location,
				"type modifiers must be simple constants or identifiers");
		mod[i] = n->a_const->ival->ival;
	}
	switch ((enum type_id)out->id) {
	case TYPE_NUMERIC:
		if (mod[0] < 1 || mod[0] > PG_PRECISION_MAX)
			return bind_fail(b, ERR_INVALID_PARAMETER, t->location,
				"NUMERIC precision %ld must be between 1 and %d", mod[0],
				PG_PRECISION_MAX);
		if (mod[1] < -PG_PRECISION_MAX || mod[1] > PG_PRECISION_MAX)
			return bind_fail(b, ERR_INVALID_PARAMETER, t->location,
				"NUMERIC scale %ld must be between %d and %d", mod[1],
				-PG_PRECISION_MAX, PG_PRECISION_MAX);
		if (mod[0] > LIMIT_NUMERIC_DIGITS || mod[1] < 0 || mod[1] > mod[0])
			return bind_fail(b, ERR_FEATURE, t->location,
				"numeric(%ld,%ld) is not supported: at most %d digits, of them 0 to all after the point",
				mod[0], mod[1], LIMIT_NUMERIC_DIGITS);
		break;
	case TYPE_VARCHAR:
	case TYPE_BPCHAR:
		if (mod[0] < 1 || mod[0] > PG_LENGTH_MAX)
			return bind_fail(b, ERR_INVALID_PARAMETER, t->location,
				"length for type %s must be at %s %d",
				out->id == TYPE_VARCHAR ? "varchar" : "char",
				mod[0] < 1 ? "least" : "most", mod[0] < 1 ? 1 : PG_LENGTH_MAX);
		if (mod[0] > LIMIT_VARCHAR_CHARS)
			return bind_fail(b, ERR_FEATURE, t->location,
				"a length of more than %d is not supported", LIMIT_VARCHAR_CHARS);
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
	static const char *const KNOWN[] = { "xml", "money", "inet", "cidr", "macaddr", "time",
		"timetz", "bit", "varbit", "point", "line", "box", "path", "circle", "polygon",
		"tsvector", "tsquery", "oid", "name", "int4range", "int8range", "numrange",
		"daterange", "serial", "bigserial", "smallserial", "hstore", "regclass" };
	const char *name = t->n_names > 0 ? node_string(t->names[t->n_names - 1]) : "";

	memset(out, 0, sizeof(*out));
	out->id = (uint8_t)type_from_name(name);
	if (t->n_array_bounds > 0 || t->setof) {
		bind_fail(b, ERR_FEATURE, t->location, "arrays are not supported here");
		return error_hint(b->error, BIND_ARRAY_HINT);
	}
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

int32_t expr_location(const struct expr *e)
{
	int32_t first = e->position;

	for (unsigned i = 0; i < e->nargs; i++) {
		int32_t at = expr_location(e->args[i]);

		if (at > 0 && (first == 0 || at < first))
			first = at;
	}
	return first;
}

static bool is_unknown(const struct expr *e)
{
	return e->type.id == TYPE_UNKNOWN;
}

/* An array is kept as its text, which does not tell how PostgreSQL would compare it. */
static int array_refused(struct binder *b, const struct expr *e, const char *what)
{
	error_set(b->error, ERR_FEATURE, expr_location(e), "%s of arrays is not supported", what);
	return error_hint(b->error, BIND_ARRAY_HINT);
}

/* An untyped literal or parameter takes the type; the modifier is applied as an explicit cast does
 * when that is what it is. */
static struct expr *resolve_unknown(
	struct binder *b, struct expr *e, struct type t, bool explicit_cast)
{
	if (e->kind == EXPR_COLUMN && e->source == EXPR_PARAMS) {
		if (type_is_array((enum type_id)t.id)) {
			(void)array_refused(b, e, "a parameter");
			return NULL;
		}
		b->params[e->column] = (enum type_id)t.id;
		e->type = (struct type){ .id = t.id };
		return e;
	}
	/* It never has a value. */
	if (e->kind == EXPR_REJECT)
		e->type = (struct type){ .id = t.id };
	if (e->kind != EXPR_CONST)
		return e;
	e->type = t;
	if (value_is_null(&e->constant)) {
		e->constant.type = t.id;
		return e;
	}
	{
		struct value v = e->constant;

		if (value_parse(&e->constant, (struct type){ .id = t.id }, v.s.p, v.s.len, b->arena,
			    b->error) != 0) {
			b->error->position = e->position;
			return NULL;
		}
		/* As in PostgreSQL, only a value that its type cannot read has a place in the text. */
		if (value_apply_modifier(&e->constant, t, explicit_cast, b->arena, b->error) != 0)
			return NULL;
	}
	return e;
}

static bool is_text(enum type_id t)
{
	return t == TYPE_TEXT || t == TYPE_VARCHAR || t == TYPE_BPCHAR;
}

static bool same_type(struct type a, struct type b)
{
	return a.id == b.id && (b.a == 0 || (a.a == b.a && a.b == b.b));
}

struct expr *bind_coerce(struct binder *b, struct expr *e, struct type t, enum cast_kind kind)
{
	struct expr *cast;

	/* A parameter is text on its way here. */
	if (is_unknown(e) && e->kind == EXPR_COLUMN && (t.id == TYPE_JSON || t.id == TYPE_JSONB)) {
		e = resolve_unknown(b, e, (struct type){ .id = TYPE_TEXT }, false);
		kind = CAST_EXPLICIT;
	}
	if (is_unknown(e)) {
		bool null = e->kind == EXPR_CONST && value_is_null(&e->constant);
		struct expr *r = resolve_unknown(b, e, t, kind == CAST_EXPLICIT);

		/* A parameter has the plain type; its modifier still has to be applied. */
		if (r == NULL || null || r->kind == EXPR_CONST || t.a == 0)
			return r;
		e = r;
	}
	if (e->kind == EXPR_CONST && e->digits != NULL &&
		(t.id == TYPE_FLOAT4 || t.id == TYPE_FLOAT8)) {
		struct expr *f = expr_new(b, EXPR_CONST, (enum type_id)t.id, -1);

		if (f == NULL ||
			value_parse(&f->constant, t, e->digits, strlen(e->digits), b->arena,
				b->error) != 0)
			return NULL;
		f->position = e->position;
		return f;
	}
	if (same_type(e->type, t)) {
		e->type.id = t.id;
		return e;
	}
	if (e->type.id != t.id && cast_exists((enum type_id)e->type.id, (enum type_id)t.id) < kind)
		return NULL;
	/* What is no text is read from all of char(n), blanks included. */
	if (e->type.id == TYPE_BPCHAR && !is_text((enum type_id)t.id)) {
		e = bind_pad(b, e);
		if (e == NULL)
			return NULL;
	}
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
	error_set(b->error, ERR_DATATYPE_MISMATCH, expr_location(e),
		"column \"%s\" is of type %s but expression is of type %s", c->name,
		type_name((struct type){ .id = c->type.id }, want, sizeof(want)),
		type_name((struct type){ .id = e->type.id }, have, sizeof(have)));
	error_hint(b->error, "You will need to rewrite or cast the expression.");
	return NULL;
}

const struct value *bind_constant(struct binder *b, const struct expr *e)
{
	const struct row_layout *none[EXPR_SOURCES] = { NULL };
	const void *rows[EXPR_SOURCES] = { NULL };
	const struct program *p = program_compile(&e, 1, none, b->arena, b->error);
	struct program_env env = { .scratch = b->arena, .error = b->error };
	struct value *v = bind_alloc(b, sizeof(*v));

	if (p == NULL || v == NULL)
		return NULL;
	if (program_run(p, rows, v, &env) == 0)
		return v;
	b->error->position = env.error_position;
	return NULL;
}

struct expr *bind_settle(struct binder *b, struct expr *e)
{
	if (e == NULL || !is_unknown(e))
		return e;
	return resolve_unknown(b, e, (struct type){ .id = TYPE_TEXT }, false);
}

int bind_check_equality(struct binder *b, const struct expr *e)
{
	if (type_is_array((enum type_id)e->type.id))
		return array_refused(b, e, "a comparison");
	if (e->type.id != TYPE_JSON)
		return 0;
	return error_set(b->error, ERR_UNDEFINED_FUNCTION, expr_location(e),
		"could not identify an equality operator for type json");
}

int bind_check_order(struct binder *b, const struct expr *e)
{
	if (type_is_array((enum type_id)e->type.id))
		return array_refused(b, e, "an order");
	if (e->type.id == TYPE_JSON)
		return error_set(b->error, ERR_UNDEFINED_FUNCTION, expr_location(e),
			"could not identify an ordering operator for type json");
	if (e->type.id == TYPE_JSONB)
		return error_set(b->error, ERR_FEATURE, expr_location(e),
			"an order of jsonb is not supported");
	return 0;
}

struct expr *coerce_bool(struct binder *b, struct expr *e, const char *clause)
{
	char have[64];
	struct expr *r;

	if (e == NULL)
		return NULL;
	b->error->code = ERR_OK;
	r = bind_coerce(b, e, (struct type){ .id = TYPE_BOOL }, CAST_IMPLICIT);
	if (r == NULL && b->error->code == ERR_OK)
		error_set(b->error, ERR_DATATYPE_MISMATCH, expr_location(e),
			"argument of %s must be type boolean, not type %s", clause,
			type_name(e->type, have, sizeof(have)));
	return r;
}
