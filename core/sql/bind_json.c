/*
 * bind_json.c: calls of json_agg() and its like, and of functions that build json from values of any types.
 */
#include <string.h>

#include "core/sql/bind.h"
#include "core/sql/json_build.h"

/* Of any type: a literal is text, char(n) has its blanks. */
static struct expr *any(struct binder *b, struct expr *e)
{
	return bind_pad(b, bind_settle(b, e));
}

struct expr *bind_json_element(struct binder *b, struct expr *x, bool binary)
{
	struct expr *e = expr_args(b, expr_new(b, EXPR_CALL, TYPE_TEXT, -1), 1);

	if (e == NULL)
		return NULL;
	e->fn = binary ? &JSONB_ELEMENT : &JSON_ELEMENT;
	e->args[0] = any(b, x);
	return e->args[0] == NULL ? NULL : e;
}

static int check_key(struct binder *b, const struct expr *key)
{
	if (key->type.id != TYPE_JSON && key->type.id != TYPE_JSONB)
		return 0;
	return error_set(b->error, ERR_INVALID_PARAMETER, 0,
		"key value must be scalar, not array, composite, or json");
}

struct expr *bind_json_pair(struct binder *b, struct expr *key, struct expr *value, int location)
{
	struct expr *e = expr_args(b, expr_new(b, EXPR_CALL, TYPE_TEXT, location), 2);

	if (e == NULL || check_key(b, key) != 0)
		return NULL;
	e->fn = &JSON_PAIR;
	e->args[0] = any(b, key);
	e->args[1] = any(b, value);
	return e->args[0] == NULL || e->args[1] == NULL ? NULL : e;
}

int bind_json_call(struct binder *b, const char *name, struct expr *const *args, unsigned n,
	int location, struct expr **out)
{
	const struct function *f = json_builder(name);
	bool object = strstr(name, "_object") != NULL;

	*out = NULL;
	if (f == NULL)
		return 0;
	if (!f->variadic && n != 1)
		return bind_fail(b, ERR_UNDEFINED_FUNCTION, location,
			"function %s with %u arguments does not exist", name, n);
	if (!f->variadic && args[0]->type.id == TYPE_UNKNOWN)
		return bind_fail(b, ERR_DATATYPE_MISMATCH, -1,
			"could not determine polymorphic type because input has type unknown");
	if (object && n % 2 != 0)
		return bind_fail(b, ERR_INVALID_PARAMETER, -1,
			"argument list must have even number of elements");
	*out = expr_args(b, expr_new(b, EXPR_CALL, f->result, location), n);
	if (*out == NULL)
		return -1;
	(*out)->fn = f;
	for (unsigned i = 0; i < n; i++) {
		if (object && i % 2 == 0 && check_key(b, args[i]) != 0)
			return -1;
		(*out)->args[i] = any(b, args[i]);
		if ((*out)->args[i] == NULL)
			return -1;
	}
	return 0;
}
