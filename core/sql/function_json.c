/*
 * function_json.c: functions and operators of json and jsonb.
 */
#include <string.h>

#include "core/sql/cast.h"
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

/* --- paths --- */

/* One step of a path: a key, or the number of an element. */
static bool step(struct json j, const struct value *key, struct arena *a, struct json *out)
{
	struct value number;
	struct error ignored;

	if (json_kind(j) == JSON_OBJECT)
		return json_member(j, key->s.p, key->s.len, a, out);
	return json_kind(j) == JSON_ARRAY &&
		value_parse(&number, (struct type){ .id = TYPE_INT4 }, key->s.p, key->s.len, a,
			&ignored) == 0 &&
		json_element(j, number.i, out);
}

static int by_path(
	struct value *out, const struct value *a, unsigned n, bool as_text, struct call *c)
{
	struct json j = json_of(&a[0]), next;

	for (unsigned i = 1; i < n; i++) {
		if (!step(j, &a[i], c->arena, &next))
			return null_of(out, as_text ? TYPE_TEXT : (enum type_id)a[0].type);
		j = next;
	}
	return found(out, &a[0], j, as_text, c);
}

static int json_path(ARGS)
{
	return by_path(out, a, n, false, c);
}

static int json_path_text(ARGS)
{
	return by_path(out, a, n, true, c);
}

/* --- jsonb of others --- */

static int jsonb_contains(ARGS)
{
	(void)n;
	result(out, TYPE_BOOL);
	out->i = json_contains(json_of(&a[0]), json_of(&a[1]), c->arena);
	return 0;
}

static int jsonb_contained(ARGS)
{
	(void)n;
	result(out, TYPE_BOOL);
	out->i = json_contains(json_of(&a[1]), json_of(&a[0]), c->arena);
	return 0;
}

/* What is being written. */
struct writing {
	char *p;
	size_t n;
	bool first;
};

static void put(struct writing *w, const char *p, size_t n)
{
	memcpy(w->p + w->n, p, n);
	w->n += n;
}

static void put_part(struct writing *w, const char *p, size_t n)
{
	if (!w->first)
		put(w, ", ", 2);
	w->first = false;
	put(w, p, n);
}

static int written(struct value *out, const struct writing *w, struct call *c)
{
	return json_parse(out, TYPE_JSONB, w->p, w->n, c->arena, c->error);
}

/* Two objects become one, of which a key's last value counts; all else are arrays, single values of one element. */
static int jsonb_concat(ARGS)
{
	struct json j[2] = { json_of(&a[0]), json_of(&a[1]) };
	bool objects = json_kind(j[0]) == JSON_OBJECT && json_kind(j[1]) == JSON_OBJECT;
	struct writing w = { text_room(j[0].n + j[1].n + 6, c), 0, true };

	(void)n;
	if (w.p == NULL)
		return -1;
	put(&w, objects ? "{" : "[", 1);
	for (unsigned i = 0; i < 2; i++) {
		bool opened = objects || json_kind(j[i]) == JSON_ARRAY;

		/* An empty one has nothing between its brackets. */
		if (opened && j[i].n > 2)
			put_part(&w, j[i].p + 1, j[i].n - 2);
		else if (!opened)
			put_part(&w, j[i].p, j[i].n);
	}
	put(&w, objects ? "}" : "]", 1);
	return written(out, &w, c);
}

static int cannot_delete(struct call *c, const char *from)
{
	return error_set(c->error, ERR_INVALID_PARAMETER, 0, "cannot delete from %s", from);
}

static int is_text(struct json string, const struct value *text, struct call *c)
{
	struct json plain;

	if (json_kind(string) != JSON_STRING)
		return 0;
	if (json_text(string, &plain, c->arena, c->error) != 0)
		return -1;
	return plain.n == text->s.len && (plain.n == 0 || memcmp(plain.p, text->s.p, plain.n) == 0);
}

/* Without a key, or all elements that are that string. */
static int jsonb_without_text(ARGS)
{
	struct json j = json_of(&a[0]), key, part;
	bool object = json_kind(j) == JSON_OBJECT;
	struct writing w = { text_room(j.n + 2, c), 0, true };
	const char *at = NULL;

	(void)n;
	if (json_kind(j) < JSON_ARRAY)
		return cannot_delete(c, "scalar");
	if (w.p == NULL)
		return -1;
	put(&w, j.p, 1);
	while (object ? json_next(j, &at, &key, &part) : json_next_element(j, &at, &part)) {
		int same = is_text(object ? key : part, &a[1], c);

		if (same < 0)
			return -1;
		if (same == 0 && object)
			put_part(&w, key.p, (size_t)(part.p + part.n - key.p));
		else if (same == 0)
			put_part(&w, part.p, part.n);
	}
	put(&w, j.p + j.n - 1, 1);
	return written(out, &w, c);
}

static int jsonb_without_number(ARGS)
{
	struct json j = json_of(&a[0]), part;
	struct writing w = { text_room(j.n + 2, c), 0, true };
	const char *at = NULL;
	int64_t gone;

	(void)n;
	if (json_kind(j) != JSON_ARRAY)
		return cannot_delete(
			c, json_kind(j) == JSON_OBJECT ? "object using integer index" : "scalar");
	if (w.p == NULL)
		return -1;
	gone = a[1].i < 0 ? a[1].i + json_length(j) : a[1].i;
	put(&w, "[", 1);
	for (int64_t i = 0; json_next_element(j, &at, &part); i++)
		if (i != gone)
			put_part(&w, part.p, part.n);
	put(&w, "]", 1);
	return written(out, &w, c);
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
	{ "@>", 2, true, false, { B, B }, TYPE_BOOL, jsonb_contains },
	{ "<@", 2, true, false, { B, B }, TYPE_BOOL, jsonb_contained },
	{ "||", 2, true, false, { B, B }, B, jsonb_concat },
	{ "-", 2, true, false, { B, T }, B, jsonb_without_text },
	{ "-", 2, true, false, { B, I }, B, jsonb_without_number },
	{ "#-", 2, true, false, { B, T }, B, function_unsupported },
	{ "#>", 2, true, false, { J, T }, J, function_unsupported },
	{ "#>", 2, true, false, { B, T }, B, function_unsupported },
	{ "#>>", 2, true, false, { J, T }, T, function_unsupported },
	{ "#>>", 2, true, false, { B, T }, T, function_unsupported },
	{ "@?", 2, true, false, { B, T }, TYPE_BOOL, function_unsupported },
	{ "@@", 2, true, false, { B, T }, TYPE_BOOL, function_unsupported },
	{ "?|", 2, true, false, { B, T }, TYPE_BOOL, function_unsupported },
	{ "?&", 2, true, false, { B, T }, TYPE_BOOL, function_unsupported },
	{ "json_extract_path", 2, true, true, { J, T }, J, json_path },
	{ "jsonb_extract_path", 2, true, true, { B, T }, B, json_path },
	{ "json_extract_path_text", 2, true, true, { J, T }, T, json_path_text },
	{ "jsonb_extract_path_text", 2, true, true, { B, T }, T, json_path_text },
};
#undef J
#undef B
#undef T
#undef I

const struct function_list FUNCTIONS_JSON = { FUNCTIONS, sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]) };
