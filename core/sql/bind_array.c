/*
 * bind_array.c: what may be done with an array: look at its elements, or make text of it.
 */
#include <string.h>

#include "core/sql/array.h"
#include "core/sql/bind.h"

static const struct {
	const char *name;
	const struct function *function;
	unsigned least; /* arguments; the others may be left out, and are NULL */
} CALLS[] = {
	{ "cardinality", &ARRAY_CARDINALITY, 1 },
	{ "array_length", &ARRAY_LENGTH, 2 },
	{ "array_to_string", &ARRAY_TO_STRING, 2 },
};

bool bind_has_array(struct expr *const *args, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (type_is_array((enum type_id)args[i]->type.id))
			return true;
	return false;
}

static struct expr *null_of(struct binder *b, enum type_id t)
{
	struct expr *e = expr_new(b, EXPR_CONST, t, -1);

	if (e == NULL)
		return NULL;
	e->constant.type = (uint8_t)t;
	e->constant.flags = VALUE_NULL;
	return e;
}

/* A call of one of array.h's, whose first argument is the array. */
static struct expr *call(struct binder *b, const struct function *f, struct expr *const *args,
	unsigned n, int location)
{
	struct expr *e = expr_args(b, expr_new(b, EXPR_CALL, f->result, location), f->nargs);

	if (e == NULL)
		return NULL;
	e->fn = f;
	for (unsigned i = 0; i < f->nargs; i++) {
		struct type t = { .id = (uint8_t)f->args[i] };

		b->error->code = ERR_OK;
		e->args[i] = i >= n
			? null_of(b, f->args[i])
			: bind_coerce(b, args[i], t, i == 0 ? CAST_EXPLICIT : CAST_IMPLICIT);
		if (e->args[i] == NULL && b->error->code == ERR_OK)
			bind_fail(b, ERR_UNDEFINED_FUNCTION, location,
				"function %s does not exist for these arguments", f->name);
		if (e->args[i] == NULL)
			return NULL;
	}
	return e;
}

struct expr *bind_array_call(
	struct binder *b, const char *name, struct expr *const *args, unsigned n, int location)
{
	for (unsigned i = 0; i < sizeof(CALLS) / sizeof(CALLS[0]); i++)
		if (strcmp(CALLS[i].name, name) == 0 && n >= CALLS[i].least &&
			n <= CALLS[i].function->nargs && !bind_has_array(args + 1, n - 1))
			return call(b, CALLS[i].function, args, n, location);
	bind_fail(b, ERR_FEATURE, location, "function %s is not supported for arrays", name);
	error_hint(b->error, BIND_ARRAY_HINT);
	return NULL;
}

struct expr *bind_array_element(struct binder *b, struct expr *e)
{
	struct expr *element = expr_args(b, expr_new(b, EXPR_CALL, TYPE_TEXT, -1), 1);

	e = bind_pad(b, e);
	if (element == NULL || e == NULL)
		return NULL;
	element->fn = &ARRAY_ELEMENT;
	element->args[0] = e;
	return element;
}

struct expr *bind_subscript(struct binder *b, const PgQuery__AIndirection *n)
{
	const PgQuery__Node *index = n->indirection[0];
	struct expr *args[2], *text;
	struct type t;

	args[0] = bind_expr(b, n->arg);
	if (args[0] == NULL)
		return NULL;
	t = (struct type){ .id = (uint8_t)type_element((enum type_id)args[0]->type.id) };
	if (!bind_has_array(args, 1) || n->n_indirection != 1 ||
		index->node_case != NODE(A_INDICES) || index->a_indices->is_slice)
		return bind_unsupported(b, node_location(n->arg), "this subscript");
	args[1] = bind_expr(b, index->a_indices->uidx);
	if (args[1] == NULL)
		return NULL;
	text = call(b, &ARRAY_AT, args, 2, node_location(n->arg));
	return text == NULL ? NULL : bind_coerce(b, text, t, CAST_EXPLICIT);
}
