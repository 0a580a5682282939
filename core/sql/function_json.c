/*
 * function_json.c: functions and operators of json and jsonb.
 */
#include <string.h>

#include "core/sql/function_table.h"
#include "core/sql/json.h"

static int null_of(struct value *out, enum type_id t)
{
	result(out, t);
	out->flags = VALUE_NULL;
	return 0;
}

/* What an arrow finds: as the type that was looked into, or as text, where a JSON null is none. */
static int found(
	struct value *out, const struct value *in, struct json j, bool as_text, struct call *c)
{
	struct json text = j;

	if (as_text && json_kind(j) == JSON_NULL)
		return null_of(out, TYPE_TEXT);
	if (as_text && json_text(j, &text, c->arena, c->error) != 0)
		return -1;
	text_result(out, text.p, text.n);
	if (!as_text)
		out->type = in->type;
	return 0;
}

static int by_key(struct value *out, const struct value *a, bool as_text, struct call *c)
{
	struct json j = json_of(&a[0]), member;

	if (json_kind(j) != JSON_OBJECT || !json_member(j, a[1].s.p, a[1].s.len, c->arena, &member))
		return null_of(out, as_text ? TYPE_TEXT : (enum type_id)a[0].type);
	return found(out, &a[0], member, as_text, c);
}

static int by_number(struct value *out, const struct value *a, bool as_text, struct call *c)
{
	struct json j = json_of(&a[0]), element;

	/* To jsonb a single value is an array of it. */
	if (a[0].type == TYPE_JSONB && json_kind(j) < JSON_ARRAY && (a[1].i == 0 || a[1].i == -1))
		return found(out, &a[0], j, as_text, c);
	if (json_kind(j) != JSON_ARRAY || !json_element(j, a[1].i, &element))
		return null_of(out, as_text ? TYPE_TEXT : (enum type_id)a[0].type);
	return found(out, &a[0], element, as_text, c);
}

#define ARROW(name, by, as_text) \
	static int name(ARGS) \
	{ \
		(void)n; \
		return by(out, a, as_text, c); \
	}
ARROW(json_key, by_key, false)
ARROW(json_key_text, by_key, true)
ARROW(json_number, by_number, false)
ARROW(json_number_text, by_number, true)

static int json_typeof(ARGS)
{
	static const char *const NAMES[] = { "null", "boolean", "number", "string", "array",
		"object" };
	const char *name = NAMES[json_kind(json_of(&a[0]))];

	(void)n;
	(void)c;
	return text_result(out, name, strlen(name));
}

static int json_array_length(ARGS)
{
	struct json j = json_of(&a[0]);
	enum json_kind kind = json_kind(j);

	(void)n;
	if (kind != JSON_ARRAY)
		return error_set(c->error, ERR_INVALID_PARAMETER, 0,
			kind == JSON_OBJECT ? "cannot get array length of a non-array"
					    : "cannot get array length of a scalar");
	result(out, TYPE_INT4);
	out->i = json_length(j);
	return 0;
}

/* jsonb ? text: a key of the object, or a string of the array. */
static int json_exists(ARGS)
{
	struct json j = json_of(&a[0]), one, text;
	enum json_kind kind = json_kind(j);

	(void)n;
	result(out, TYPE_BOOL);
	out->i = 0;
	if (kind == JSON_OBJECT) {
		out->i = json_member(j, a[1].s.p, a[1].s.len, c->arena, &one);
		return 0;
	}
	for (int64_t k = 0; kind == JSON_STRING || kind == JSON_ARRAY; k++) {
		one = j;
		if (kind == JSON_STRING ? k > 0 : !json_element(j, k, &one))
			break;
		if (json_kind(one) != JSON_STRING)
			continue;
		if (json_text(one, &text, c->arena, c->error) != 0)
			return -1;
		if (text.n == a[1].s.len && (text.n == 0 || memcmp(text.p, a[1].s.p, text.n) == 0))
			out->i = 1;
	}
	return 0;
}

static int jsonb_eq(ARGS)
{
	(void)n;
	(void)c;
	result(out, TYPE_BOOL);
	out->i = value_compare(&a[0], &a[1]) == 0;
	return 0;
}

static int jsonb_ne(ARGS)
{
	(void)n;
	(void)c;
	result(out, TYPE_BOOL);
	out->i = value_compare(&a[0], &a[1]) != 0;
	return 0;
}

#define J TYPE_JSON
#define B TYPE_JSONB
#define T TYPE_TEXT
#define I TYPE_INT4
static const struct function FUNCTIONS[] = {
	/* name, arguments, strict, variadic, their types, result, what does it */
	{ "->", 2, true, false, { J, T }, J, json_key },
	{ "->", 2, true, false, { B, T }, B, json_key },
	{ "->", 2, true, false, { J, I }, J, json_number },
	{ "->", 2, true, false, { B, I }, B, json_number },
	{ "->>", 2, true, false, { J, T }, T, json_key_text },
	{ "->>", 2, true, false, { B, T }, T, json_key_text },
	{ "->>", 2, true, false, { J, I }, T, json_number_text },
	{ "->>", 2, true, false, { B, I }, T, json_number_text },
	{ "json_typeof", 1, true, false, { J }, T, json_typeof },
	{ "jsonb_typeof", 1, true, false, { B }, T, json_typeof },
	{ "json_array_length", 1, true, false, { J }, I, json_array_length },
	{ "jsonb_array_length", 1, true, false, { B }, I, json_array_length },
	{ "?", 2, true, false, { B, T }, TYPE_BOOL, json_exists },
	{ "=", 2, true, false, { B, B }, TYPE_BOOL, jsonb_eq },
	{ "<>", 2, true, false, { B, B }, TYPE_BOOL, jsonb_ne },
	{ "<", 2, true, false, { B, B }, TYPE_BOOL, function_unsupported },
	{ "<=", 2, true, false, { B, B }, TYPE_BOOL, function_unsupported },
	{ ">", 2, true, false, { B, B }, TYPE_BOOL, function_unsupported },
	{ ">=", 2, true, false, { B, B }, TYPE_BOOL, function_unsupported },
	{ "@>", 2, true, false, { B, B }, TYPE_BOOL, function_unsupported },
	{ "<@", 2, true, false, { B, B }, TYPE_BOOL, function_unsupported },
	{ "||", 2, true, false, { B, B }, B, function_unsupported },
	{ "-", 2, true, false, { B, T }, B, function_unsupported },
	{ "-", 2, true, false, { B, I }, B, function_unsupported },
};
#undef J
#undef B
#undef T
#undef I

const struct function_list FUNCTIONS_JSON = { FUNCTIONS, sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]) };
