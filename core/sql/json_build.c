/*
 * json_build.c: see json_build.h.
 */
#include "core/sql/json_build.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/sql/cast.h"
#include "core/sql/function_table.h"
#include "core/sql/json.h"

struct text {
	char *p;
	size_t n;
};

/* --- one value --- */

/* As it is printed, with room for more. */
static int printed(struct text *out, const struct value *v, size_t more, struct call *c)
{
	struct type t = { .id = v->type };
	char small[VALUE_TEXT_MAX];

	out->n = value_format(v, t, small, sizeof(small));
	out->p = text_room(out->n + more, c);
	if (out->p == NULL)
		return -1;
	(void)value_format(v, t, out->p, out->n);
	return 0;
}

/* The escape of a byte in a string; NULL: it stands as it is. */
static const char *escape_of(char c, char *buf, size_t cap)
{
	switch (c) {
	case '"': return "\\\"";
	case '\\': return "\\\\";
	case '\b': return "\\b";
	case '\f': return "\\f";
	case '\n': return "\\n";
	case '\r': return "\\r";
	case '\t': return "\\t";
	default: break;
	}
	if ((unsigned char)c >= ' ')
		return NULL;
	(void)snprintf(buf, cap, "\\u%04x", (unsigned)c);
	return buf;
}

static int quoted(struct text *out, struct text in, struct call *c)
{
	char buf[8];
	size_t n = 2;
	char *p;

	for (size_t i = 0; i < in.n; i++) {
		const char *escape = escape_of(in.p[i], buf, sizeof(buf));

		n += escape == NULL ? 1 : strlen(escape);
	}
	p = text_room(n, c);
	if (p == NULL)
		return -1;
	*out = (struct text){ p, n };
	*p++ = '"';
	for (size_t i = 0; i < in.n; i++) {
		const char *escape = escape_of(in.p[i], buf, sizeof(buf));
		size_t len = escape == NULL ? 1 : strlen(escape);

		memcpy(p, escape == NULL ? &in.p[i] : escape, len);
		p += len;
	}
	*p = '"';
	return 0;
}

/* "2024-01-31 10:00:00+00" as "2024-01-31T10:00:00+00:00"; what is infinite has no blank. */
static void make_xsd(struct text *t)
{
	char *blank = memchr(t->p, ' ', t->n), *zone;

	if (blank == NULL)
		return;
	*blank = 'T';
	zone = memchr(t->p, '+', t->n);
	if (zone == NULL)
		return;
	zone += 3;
	memmove(zone + 3, zone, (size_t)(t->p + t->n - zone));
	memcpy(zone, ":00", 3);
	t->n += 3;
}

static bool is_number(const struct value *v)
{
	switch ((enum type_id)v->type) {
	case TYPE_INT2:
	case TYPE_INT4:
	case TYPE_INT8: return true;
	case TYPE_FLOAT4: return isfinite(v->f);
	case TYPE_FLOAT8: return isfinite(v->d);
	case TYPE_NUMERIC: return !(v->flags & VALUE_NAN);
	default: return false;
	}
}

static struct text constant(const char *s)
{
	/* Not written to. */
	return (struct text){ (char *)(uintptr_t)s, strlen(s) };
}

/* key: always a string. */
static int value_text(struct text *out, const struct value *v, bool key, struct call *c)
{
	struct text t = { NULL, 0 };

	if (value_is_null(v)) {
		*out = constant("null");
		return 0;
	}
	if (v->type == TYPE_BOOL) {
		t = constant(v->i ? "true" : "false");
	} else if (printed(&t, v, 3, c) != 0) {
		return -1;
	}
	if (v->type == TYPE_TIMESTAMP || v->type == TYPE_TIMESTAMPTZ)
		make_xsd(&t);
	if (!key &&
		(v->type == TYPE_BOOL || v->type == TYPE_JSON || v->type == TYPE_JSONB ||
			is_number(v))) {
		*out = t;
		return 0;
	}
	return quoted(out, t, c);
}

static int json_element_text(ARGS)
{
	struct text t = { NULL, 0 };

	(void)n;
	if (value_text(&t, a, false, c) != 0)
		return -1;
	return text_result(out, t.p, t.n);
}

static int as_jsonb(struct value *out, struct text t, struct call *c)
{
	return json_parse(out, TYPE_JSONB, t.p, t.n, c->arena, c->error);
}

static int jsonb_element_text(ARGS)
{
	struct text t = { NULL, 0 };

	(void)n;
	if (value_text(&t, a, false, c) != 0 || as_jsonb(out, t, c) != 0)
		return -1;
	out->type = TYPE_TEXT;
	return 0;
}

/* --- several --- */

/* Parts without anything between. */
static int joined(struct text *out, const struct text *parts, unsigned n, struct call *c)
{
	size_t len = 0;
	char *p;

	for (unsigned i = 0; i < n; i++)
		len += parts[i].n;
	p = text_room(len, c);
	if (p == NULL)
		return -1;
	*out = (struct text){ p, len };
	for (unsigned i = 0; i < n; i++) {
		if (parts[i].n > 0)
			memcpy(p, parts[i].p, parts[i].n);
		p += parts[i].n;
	}
	return 0;
}

static int json_pair(ARGS)
{
	struct text parts[3] = { constant(""), constant(" : "), constant("") }, t = { NULL, 0 };

	(void)n;
	if (value_is_null(&a[0]))
		return error_set(c->error, ERR_INVALID_PARAMETER, 0, "field name must not be null");
	if (value_text(&parts[0], &a[0], true, c) != 0 ||
		value_text(&parts[2], &a[1], false, c) != 0 || joined(&t, parts, 3, c) != 0)
		return -1;
	return text_result(out, t.p, t.n);
}

/* The text of an array or an object of the arguments. */
static int built(struct text *out, const struct value *a, unsigned n, bool object, struct call *c)
{
	struct text *parts = arena_alloc(c->arena, (2 * (size_t)n + 2) * sizeof(*parts));
	unsigned k = 0;

	if (parts == NULL)
		return error_set(c->error, ERR_OUT_OF_MEMORY, 0, NULL);
	parts[k++] = constant(object ? "{" : "[");
	for (unsigned i = 0; i < n; i++) {
		bool key = object && i % 2 == 0;

		if (i > 0)
			parts[k++] = constant(object && !key ? " : " : ", ");
		if (value_text(&parts[k++], &a[i], key, c) != 0)
			return -1;
	}
	parts[k++] = constant(object ? "}" : "]");
	return joined(out, parts, k, c);
}

static int build(struct value *out, const struct value *a, unsigned n, bool object, bool binary,
	struct call *c)
{
	struct text t = { NULL, 0 };

	for (unsigned i = 0; object && i < n; i += 2)
		if (value_is_null(&a[i]))
			return error_set(c->error, ERR_INVALID_PARAMETER, 0,
				binary ? "argument %u: key must not be null"
				       : "argument %u cannot be null",
				i + 1);
	if (built(&t, a, n, object, c) != 0)
		return -1;
	if (binary)
		return as_jsonb(out, t, c);
	(void)text_result(out, t.p, t.n);
	out->type = TYPE_JSON;
	return 0;
}

#define BUILDER(name, object, binary) \
	static int name(ARGS) \
	{ \
		return build(out, a, n, object, binary, c); \
	}
BUILDER(json_build_array, false, false)
BUILDER(jsonb_build_array, false, true)
BUILDER(json_build_object, true, false)
BUILDER(jsonb_build_object, true, true)

static int to_json(ARGS)
{
	int status = json_element_text(out, a, n, c);

	out->type = TYPE_JSON;
	return status;
}

static int to_jsonb(ARGS)
{
	int status = jsonb_element_text(out, a, n, c);

	out->type = TYPE_JSONB;
	return status;
}

const struct function JSON_ELEMENT = { .name = "json element",
	.nargs = 1,
	.args = { TYPE_UNKNOWN },
	.result = TYPE_TEXT,
	.eval = json_element_text };
const struct function JSONB_ELEMENT = { .name = "jsonb element",
	.nargs = 1,
	.args = { TYPE_UNKNOWN },
	.result = TYPE_TEXT,
	.eval = jsonb_element_text };
const struct function JSON_PAIR = { .name = "json pair",
	.nargs = 2,
	.args = { TYPE_UNKNOWN, TYPE_UNKNOWN },
	.result = TYPE_TEXT,
	.eval = json_pair };

#define ANY TYPE_UNKNOWN
static const struct function BUILDERS[] = {
	/* name, arguments, strict, variadic, their types, result, what does it */
	{ "to_json", 1, true, false, { ANY }, TYPE_JSON, to_json },
	{ "to_jsonb", 1, true, false, { ANY }, TYPE_JSONB, to_jsonb },
	{ "json_build_array", 0, false, true, { ANY }, TYPE_JSON, json_build_array },
	{ "jsonb_build_array", 0, false, true, { ANY }, TYPE_JSONB, jsonb_build_array },
	{ "json_build_object", 0, false, true, { ANY }, TYPE_JSON, json_build_object },
	{ "jsonb_build_object", 0, false, true, { ANY }, TYPE_JSONB, jsonb_build_object },
};
#undef ANY

const struct function *json_builder(const char *name)
{
	for (unsigned i = 0; i < sizeof(BUILDERS) / sizeof(BUILDERS[0]); i++)
		if (strcmp(BUILDERS[i].name, name) == 0)
			return &BUILDERS[i];
	return NULL;
}
