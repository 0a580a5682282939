/*
 * bind_call.c: operators and functions: choosing the overload and casting its arguments.
 */
#include <string.h>

#include "core/base/assert.h"
#include "core/sql/bind.h"
#include "core/sql/cast.h"

/* --- calls --- */

static bool compares(const struct function *f)
{
	return strchr("<>=", f->name[0]) != NULL;
}

struct expr *bind_pad(struct binder *b, struct expr *e)
{
	struct expr *call, *length;
	enum type_id types[2] = { TYPE_BPCHAR, TYPE_INT4 }, cast_to[2];
	unsigned n = e->type.a;

	if (e->type.id != TYPE_BPCHAR || n == 0)
		return e;
	call = expr_args(b, expr_new(b, EXPR_CALL, TYPE_BPCHAR, -1), 2);
	length = expr_new(b, EXPR_CONST, TYPE_INT4, -1);
	if (call == NULL || length == NULL)
		return NULL;
	length->constant = (struct value){ .i = n, .type = TYPE_INT4 };
	call->position = e->position;
	call->fn = function_find("char padding", types, 2, cast_to, b->error, 0);
	call->args[0] = e;
	call->args[1] = length;
	return call;
}

/* The value as its output function prints it, where a cast to text would do otherwise. */
static struct expr *as_output(struct binder *b, struct expr *e)
{
	struct expr *text, *call;
	enum type_id types[2] = { TYPE_TEXT, TYPE_INT4 }, cast_to[2];

	e = bind_settle(b, e);
	if (e != NULL && e->type.id == TYPE_BPCHAR) {
		/* To text by name only, so that the blanks stay. */
		e = bind_pad(b, e);
		types[0] = TYPE_BPCHAR;
		call = e == NULL ? NULL : expr_args(b, expr_new(b, EXPR_CALL, TYPE_TEXT, -1), 1);
		if (call == NULL)
			return NULL;
		call->fn = function_find("char bytes", types, 1, cast_to, b->error, 0);
		call->args[0] = e;
		return call;
	}
	if (e == NULL || e->type.id == TYPE_TEXT)
		return e;
	text = bind_coerce(b, e, (struct type){ .id = TYPE_TEXT }, CAST_EXPLICIT);
	if (text == NULL || e->type.id != TYPE_BOOL)
		return text;
	/* 't' and 'f' are the first letters. */
	call = expr_args(b, expr_new(b, EXPR_CALL, TYPE_TEXT, -1), 2);
	if (call == NULL)
		return NULL;
	call->fn = function_find("left", types, 2, cast_to, b->error, 0);
	call->args[0] = text;
	call->args[1] = expr_new(b, EXPR_CONST, TYPE_INT4, -1);
	if (call->args[1] == NULL)
		return NULL;
	call->args[1]->constant = (struct value){ .i = 1, .type = TYPE_INT4 };
	return call;
}

static bool is_string(const struct expr *e)
{
	return e->type.id == TYPE_TEXT || e->type.id == TYPE_VARCHAR || e->type.id == TYPE_BPCHAR;
}

/* text || anything and anything || text: the other side becomes text. */
static int bind_concat_sides(struct binder *b, struct expr **args)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct expr *other = args[1 - i];
		bool text = is_string(other) ||
			(other->type.id == TYPE_UNKNOWN && args[i]->type.id != TYPE_BYTEA &&
				args[i]->type.id != TYPE_JSONB);

		if (is_string(args[i]) || args[i]->type.id == TYPE_UNKNOWN || !text)
			continue;
		args[i] = bind_coerce(b, args[i], (struct type){ .id = TYPE_TEXT }, CAST_EXPLICIT);
		if (args[i] == NULL)
			return -1;
	}
	return 0;
}

/* Cast arguments as the function asks and build the call. */
static struct expr *call_build(struct binder *b, const struct function *f, struct expr **args,
	unsigned n, const enum type_id *cast_to, int location)
{
	struct expr *e = expr_args(b, expr_new(b, EXPR_CALL, f->result, location), n);

	if (e == NULL)
		return NULL;
	e->fn = f;
	for (unsigned i = 0; i < n; i++) {
		/* A comparison of char(n) does without the blanks; whatever else asks for char(n) itself
		 * sees them. */
		if (cast_to[i] == TYPE_BPCHAR && !compares(f))
			args[i] = bind_pad(b, args[i]);
		if (args[i] == NULL)
			return NULL;
		e->args[i] = bind_coerce(
			b, args[i], (struct type){ .id = (uint8_t)cast_to[i] }, CAST_IMPLICIT);
		if (e->args[i] == NULL) {
			if (b->error->code == ERR_OK)
				bind_fail(b, ERR_INTERNAL, location,
					"no cast for argument %u of %s", i + 1, f->name);
			return NULL;
		}
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

	if (bind_has_array(&right, 1) || (left != NULL && bind_has_array(&left, 1))) {
		bind_fail(b, ERR_FEATURE, location, "operators of arrays are not supported");
		error_hint(b->error, BIND_ARRAY_HINT);
		return NULL;
	}
	if ((strcmp(op, "#>") == 0 || strcmp(op, "#>>") == 0) && left != NULL &&
		(left->type.id == TYPE_JSON || left->type.id == TYPE_JSONB) &&
		right->kind == EXPR_CONST && right->type.id == TYPE_UNKNOWN &&
		!value_is_null(&right->constant))
		return bind_json_path(b, op, left, right, location);
	if (strcmp(op, "||") == 0 && left != NULL && bind_concat_sides(b, args) != 0)
		return NULL;
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

struct expr *bind_now(struct binder *b, enum type_id type, int location)
{
	struct expr *e;

	if (b->in_view)
		return bind_unsupported(b, location, "the current time in a view");
	e = expr_new(b, EXPR_NOW, TYPE_TIMESTAMPTZ, location);
	if (e == NULL || type == TYPE_TIMESTAMPTZ)
		return e;
	return bind_coerce(b, e, (struct type){ .id = (uint8_t)type }, CAST_ASSIGNMENT);
}

/* One argument as a function of any types wants it: as text. */
static struct expr *argument_text(struct binder *b, const char *name, size_t i, struct expr *e)
{
	if (strcmp(name, "concat") == 0 ||
		(i > 0 && (strcmp(name, "concat_ws") == 0 || strcmp(name, "format") == 0)))
		return as_output(b, e);
	if ((strcmp(name, "quote_literal") == 0 || strcmp(name, "quote_nullable") == 0) &&
		e->type.id != TYPE_UNKNOWN)
		return bind_coerce(b, e, (struct type){ .id = TYPE_TEXT }, CAST_EXPLICIT);
	return e;
}

/* make_interval(days => 1), the one function here whose arguments are usually named: those that are not said are 0. */
static int bind_named(struct binder *b, const PgQuery__FuncCall *c, struct expr **args, unsigned *n)
{
	static const char *const NAMES[] = { "years", "months", "weeks", "days", "hours", "mins",
		"secs" };
	enum { COUNT = sizeof(NAMES) / sizeof(NAMES[0]) };

	unsigned unnamed = 0;

	*n = COUNT;
	for (unsigned k = 0; k < COUNT; k++)
		args[k] = NULL;
	for (size_t i = 0; i < c->n_args; i++) {
		const PgQuery__Node *node = c->args[i];
		unsigned k = (unsigned)i;

		if (node->node_case == NODE(NAMED_ARG_EXPR)) {
			for (k = 0; k < COUNT; k++)
				if (strcmp(NAMES[k], node->named_arg_expr->name) == 0)
					break;
			node = node->named_arg_expr->arg;
		} else {
			unnamed++;
		}
		if (k < COUNT && args[k] != NULL && k >= unnamed)
			return bind_fail(b, ERR_SYNTAX, node_location(c->args[i]),
				"argument name \"%s\" used more than once", NAMES[k]);
		if (k >= COUNT || args[k] != NULL)
			return bind_fail(b, ERR_UNDEFINED_FUNCTION, c->location,
				"function make_interval with these arguments does not exist");
		args[k] = bind_expr(b, node);
		if (args[k] == NULL)
			return -1;
	}
	for (unsigned k = 0; k < COUNT; k++) {
		if (args[k] != NULL)
			continue;
		args[k] = expr_new(b, EXPR_CONST, TYPE_INT4, -1);
		if (args[k] == NULL)
			return -1;
		args[k]->constant.type = TYPE_INT4;
	}
	return 0;
}

static bool has_named(const PgQuery__FuncCall *c)
{
	for (size_t i = 0; i < c->n_args; i++)
		if (c->args[i]->node_case == NODE(NAMED_ARG_EXPR))
			return true;
	return false;
}

/* The call's arguments. 0, or -1. */
static int bind_arguments(struct binder *b, const PgQuery__FuncCall *c, const char *name,
	struct expr **args, unsigned *n)
{
	if (has_named(c) && strcmp(name, "make_interval") == 0)
		return bind_named(b, c, args, n);
	*n = (unsigned)c->n_args;
	for (unsigned i = 0; i < *n; i++) {
		args[i] = bind_expr(b, c->args[i]);
		if (args[i] != NULL)
			args[i] = argument_text(b, name, i, args[i]);
		if (args[i] == NULL)
			return -1;
	}
	return 0;
}

/* A time zone's name. */
static bool is_utc(const struct expr *e)
{
	return e->kind == EXPR_CONST && !value_is_null(&e->constant) &&
		(e->type.id == TYPE_UNKNOWN || e->type.id == TYPE_TEXT) && e->constant.s.len == 3 &&
		memcmp(e->constant.s.p, "UTC", 3) == 0;
}

/* reject(message [, sqlstate]): of no type until it is known what stands in its place. */
static struct expr *bind_reject(struct binder *b, struct expr **args, unsigned n, int location)
{
	struct expr *e = expr_args(b, expr_new(b, EXPR_REJECT, TYPE_UNKNOWN, location), n);

	if (e == NULL)
		return NULL;
	if (b->in_view)
		return bind_unsupported(b, location, "reject() in a view");
	for (unsigned i = 0; i < n; i++) {
		b->error->code = ERR_OK;
		e->args[i] = bind_coerce(
			b, args[i], (struct type){ .id = TYPE_TEXT }, CAST_IMPLICIT);
		if (e->args[i] != NULL)
			continue;
		if (b->error->code == ERR_OK)
			bind_fail(b, ERR_UNDEFINED_FUNCTION, location,
				"function reject() with these arguments does not exist");
		return NULL;
	}
	return e;
}

/* Whether a call by a type's name is a cast of that type: date(t), float8(i). */
static bool is_cast(const char *name, enum type_id from)
{
	enum type_id to = type_from_name(name);

	return from != TYPE_UNKNOWN && to != TYPE_UNKNOWN && to != TYPE_VARCHAR &&
		to != TYPE_BPCHAR && cast_exists(from, to) != CAST_NONE;
}

/* Of a function that is neither an aggregate nor a window's. */
static struct expr *plain_call(struct binder *b, const PgQuery__FuncCall *c, const char *name)
{
	unsigned n;
	struct expr *args[FUNCTION_CALL_ARGS_MAX];
	enum type_id types[FUNCTION_CALL_ARGS_MAX], cast_to[FUNCTION_CALL_ARGS_MAX];
	const struct function *f;
	struct expr *e;

	if (c->n_args == 0 &&
		(strcmp(name, "now") == 0 || strcmp(name, "transaction_timestamp") == 0))
		return bind_now(b, TYPE_TIMESTAMPTZ, c->location);
	if (c->n_args > FUNCTION_CALL_ARGS_MAX) {
		bind_fail(b, ERR_TOO_COMPLEX, c->location,
			"cannot pass more than %d arguments to a function", FUNCTION_CALL_ARGS_MAX);
		return NULL;
	}
	if (bind_arguments(b, c, name, args, &n) != 0)
		return NULL;
	if (bind_has_array(args, n))
		return bind_array_call(b, name, args, n, c->location);
	if (bind_json_call(b, name, args, n, c->location, &e) != 0)
		return NULL;
	if (e != NULL)
		return e;
	if ((n == 1 || n == 2) && strcmp(name, "reject") == 0)
		return bind_reject(b, args, n, c->location);
	for (unsigned i = 0; i < n; i++)
		types[i] = (enum type_id)args[i]->type.id;
	if (n == 1 && !function_name_exists(name) && is_cast(name, types[0]))
		return bind_coerce(b, args[0], (struct type){ .id = (uint8_t)type_from_name(name) },
			CAST_EXPLICIT);
	if (n == 3 && strcmp(name, "date_trunc") == 0) {
		if (!is_utc(args[2]))
			return bind_unsupported(b, c->location, "a time zone other than 'UTC'");
		n = 2;
	}
	/* AT TIME ZONE: everything is UTC. */
	if (strcmp(name, "timezone") == 0 && c->n_args == 2) {
		ASSERT(n == 2);
		if (!is_utc(args[0]))
			return bind_unsupported(b, c->location, "a time zone other than 'UTC'");
		return bind_coerce(b, args[1],
			(struct type){ .id = args[1]->type.id == TYPE_TIMESTAMPTZ
					? TYPE_TIMESTAMP
					: TYPE_TIMESTAMPTZ },
			CAST_EXPLICIT);
	}
	f = function_find(name, types, n, cast_to, b->error, bind_position(b, c->location));
	if (f == NULL && catalog_find_procedure(b->catalog, name) != NULL) {
		bind_fail(b, ERR_WRONG_OBJECT, c->location, "%s is a procedure", name);
		error_hint(b->error, "To call a procedure, use CALL.");
	}
	if (f == NULL)
		return NULL;
	b->error->code = ERR_OK;
	return call_build(b, f, args, n, cast_to, c->location);
}

struct expr *bind_call(struct binder *b, const PgQuery__FuncCall *c)
{
	const char *name = node_string(c->funcname[c->n_funcname - 1]);
	struct expr *e;

	if (c->agg_within_group && bind_is_window_function(name))
		return bind_unsupported(b, c->location, "a hypothetical-set aggregate");
	if (c->over != NULL && (bind_is_window_function(name) || bind_is_aggregate(name)))
		return bind_window(b, c, name);
	if (bind_is_aggregate(name))
		return bind_aggregate(b, c, name);
	if (bind_is_window_function(name)) {
		bind_fail(b, ERR_WINDOWING, c->location,
			"window function %s requires an OVER clause", name);
		return NULL;
	}
	if (c->over != NULL)
		return bind_unsupported(b, c->location, "this window function");
	e = plain_call(b, c, name);
	if (e != NULL &&
		(c->agg_filter != NULL || c->agg_distinct || c->agg_star || c->n_agg_order > 0)) {
		bind_fail(
			b, ERR_WRONG_OBJECT, c->location, "%s is not an aggregate function", name);
		return NULL;
	}
	return e;
}
