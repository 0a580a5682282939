/*
 * json.c: see json.h. A text is parsed by recursive descent. For jsonb what was read is written behind what is there; the
 * members of an object are then put in order, by writing them once more behind themselves.
 */
#include "core/sql/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/limits.h"
#include "core/base/utf8.h"
#include "core/sql/numeric.h"

struct parser {
	const char *s, *p, *end;
	bool binary; /* jsonb */
	unsigned depth;
	struct arena *arena;
	struct error *error;
	char *out; /* jsonb: what has been written */
	size_t n, cap;
};

/* A member of an object: its key, and where its value has been written. */
struct member {
	struct json key;
	size_t from, to, number;
	struct member *next;
};

static int bad(struct parser *x)
{
	size_t len = (size_t)(x->end - x->s);

	return error_set(x->error, ERR_INVALID_TEXT, 0,
		"invalid input syntax for type json: \"%.*s\"",
		(int)(len > 100 ? utf8_cut(x->s, 100) : len), x->s);
}

static int no_memory(struct error *e)
{
	return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
}

static int put(struct parser *x, const char *p, size_t n)
{
	if (x->n + n > x->cap) {
		size_t cap = 2 * (x->cap + n);
		char *grown = arena_alloc(x->arena, cap);

		if (grown == NULL)
			return no_memory(x->error);
		if (x->n > 0)
			memcpy(grown, x->out, x->n);
		x->out = grown;
		x->cap = cap;
	}
	if (n > 0)
		memcpy(x->out + x->n, p, n);
	x->n += n;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void blanks(struct parser *x)
{
	while (x->p < x->end && is_blank(*x->p))
		x->p++;
}

static bool take(struct parser *x, char c)
{
	blanks(x);
	if (x->p == x->end || *x->p != c)
		return false;
	x->p++;
	return true;
}

/* --- strings --- */

static int hex4(const char *p, const char *end)
{
	int u = 0;

	if (end - p < 4)
		return -1;
	for (unsigned i = 0; i < 4; i++) {
		char c = p[i];
		int d = c >= '0' && c <= '9'   ? c - '0'
			: c >= 'a' && c <= 'f' ? c - 'a' + 10
			: c >= 'A' && c <= 'F' ? c - 'A' + 10
					       : -1;

		if (d < 0)
			return -1;
		u = u << 4 | d;
	}
	return u;
}

static size_t encode_utf8(uint32_t u, char *q)
{
	size_t n = u < 0x80 ? 1 : u < 0x800 ? 2 : u < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--, u >>= 6)
		q[i] = (char)(0x80 | (u & 0x3f));
	q[0] = (char)(n == 1 ? u : (0xffu << (8 - n) & 0xff) | u);
	return n;
}

/* \uXXXX at its backslash, both halves of a pair. The character; 0: \u0000; -1: no character. *used: bytes. */
static int64_t unicode_escape(const char *p, const char *end, size_t *used)
{
	int u = hex4(p + 2, end), low;

	*used = 6;
	if (u < 0xd800 || u > 0xdfff)
		return u;
	if (u > 0xdbff || end - p < 12 || p[6] != '\\' || p[7] != 'u')
		return -1;
	low = hex4(p + 8, end);
	if (low < 0xdc00 || low > 0xdfff)
		return -1;
	*used = 12;
	return 0x10000 + (((int64_t)u - 0xd800) << 10 | (low - 0xdc00));
}

/* The end of a string at its opening quote; NULL: malformed. */
static const char *string_end(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++) {
		if ((unsigned char)*p < 0x20)
			return NULL;
		if (*p != '\\')
			continue;
		if (++p == end)
			return NULL;
		if (*p == 'u') {
			if (hex4(p + 1, end) < 0)
				return NULL;
			p += 4;
		} else if (strchr("\"\\/bfnrt", *p) == NULL) {
			return NULL;
		}
	}
	return p < end ? p + 1 : NULL;
}

/* The characters of a string that is well-formed, quotes and all. *out in the arena, or in the string. */
static int unescape(struct json string, struct json *out, struct arena *a, struct error *e)
{
	static const char NAMES[] = "\"\\/bfnrt", CODES[] = "\"\\/\b\f\n\r\t";
	const char *p = string.p + 1, *end = string.p + string.n - 1;
	char *q;

	*out = (struct json){ p, (size_t)(end - p) };
	if (memchr(p, '\\', out->n) == NULL)
		return 0;
	q = arena_alloc(a, out->n);
	if (q == NULL)
		return no_memory(e);
	out->p = q;
	while (p < end) {
		size_t used;
		int64_t u;

		if (*p != '\\') {
			*q++ = *p++;
			continue;
		}
		if (p[1] != 'u') {
			*q++ = CODES[strchr(NAMES, p[1]) - NAMES];
			p += 2;
			continue;
		}
		u = unicode_escape(p, end, &used);
		if (u == 0)
			return error_set(
				e, ERR_UNTRANSLATABLE, 0, "unsupported Unicode escape sequence");
		if (u < 0)
			return error_set(e, ERR_INVALID_TEXT, 0,
				"invalid input syntax for type json: Unicode surrogates must come in pairs");
		q += encode_utf8((uint32_t)u, q);
		p += used;
	}
	out->n = (size_t)(q - out->p);
	return 0;
}

static int put_string(struct parser *x, struct json text)
{
	int status = put(x, "\"", 1);

	for (size_t i = 0; i < text.n && status == 0; i++) {
		static const char PLAIN[] = "\"\\\b\f\n\r\t", NAMES[] = "\"\\bfnrt";
		char c = text.p[i], escaped[8];
		const char *at = c == '\0' ? NULL : strchr(PLAIN, c);

		if (at != NULL) {
			escaped[0] = '\\';
			escaped[1] = NAMES[at - PLAIN];
			status = put(x, escaped, 2);
		} else if ((unsigned char)c < 0x20) {
			(void)snprintf(escaped, sizeof(escaped), "\\u%04x", c);
			status = put(x, escaped, 6);
		} else {
			status = put(x, &c, 1);
		}
	}
	return status != 0 ? -1 : put(x, "\"", 1);
}

/* A string at its quote; *text: its characters, for jsonb. */
static int string(struct parser *x, struct json *text)
{
	const char *begin = x->p, *end = string_end(x->p, x->end);

	if (end == NULL)
		return bad(x);
	x->p = end;
	*text = (struct json){ begin, (size_t)(end - begin) };
	return x->binary ? unescape(*text, text, x->arena, x->error) : 0;
}

/* --- the other values --- */

static bool is_digit(const struct parser *x)
{
	return x->p < x->end && *x->p >= '0' && *x->p <= '9';
}

static int number(struct parser *x)
{
	char text[NUMERIC_TEXT_MAX];
	const char *begin = x->p;
	struct value v;

	x->p += *x->p == '-';
	if (!is_digit(x))
		return bad(x);
	if (*x->p++ != '0')
		while (is_digit(x))
			x->p++;
	if (x->p < x->end && *x->p == '.') {
		x->p++;
		if (!is_digit(x))
			return bad(x);
		while (is_digit(x))
			x->p++;
	}
	if (x->p < x->end && (*x->p == 'e' || *x->p == 'E')) {
		x->p++;
		x->p += x->p < x->end && (*x->p == '-' || *x->p == '+');
		if (!is_digit(x))
			return bad(x);
		while (is_digit(x))
			x->p++;
	}
	if (x->p < x->end &&
		((*x->p >= '0' && *x->p <= '9') || (*x->p >= 'a' && *x->p <= 'z') ||
			(*x->p >= 'A' && *x->p <= 'Z') || *x->p == '_'))
		return bad(x);
	if (!x->binary)
		return 0;
	if (numeric_parse(&v, begin, (size_t)(x->p - begin), x->error) != 0)
		return -1;
	return put(x, text, numeric_format(&v, text));
}

static int word(struct parser *x)
{
	static const char *const WORDS[] = { "true", "false", "null" };
	const char *begin = x->p;
	size_t n;

	while (x->p < x->end &&
		((*x->p >= 'a' && *x->p <= 'z') || (*x->p >= 'A' && *x->p <= 'Z') ||
			(*x->p >= '0' && *x->p <= '9') || *x->p == '_'))
		x->p++;
	n = (size_t)(x->p - begin);
	for (unsigned i = 0; i < 3; i++)
		if (strlen(WORDS[i]) == n && memcmp(WORDS[i], begin, n) == 0)
			return x->binary ? put(x, begin, n) : 0;
	return bad(x);
}

static int value(struct parser *x);

static int array(struct parser *x)
{
	bool first = true;

	x->p++;
	if (x->binary && put(x, "[", 1) != 0)
		return -1;
	if (!take(x, ']')) {
		do {
			if (x->binary && !first && put(x, ", ", 2) != 0)
				return -1;
			first = false;
			if (value(x) != 0)
				return -1;
		} while (take(x, ','));
		if (!take(x, ']'))
			return bad(x);
	}
	return x->binary ? put(x, "]", 1) : 0;
}

/* By length, then by bytes; of equal ones the last comes first. */
static int member_order(const void *a, const void *b)
{
	const struct member *x = *(const struct member *const *)a,
			    *y = *(const struct member *const *)b;
	int c;

	if (x->key.n != y->key.n)
		return x->key.n < y->key.n ? -1 : 1;
	c = x->key.n == 0 ? 0 : memcmp(x->key.p, y->key.p, x->key.n);
	if (c != 0)
		return c;
	return x->number > y->number ? -1 : x->number < y->number;
}

static bool same_key(const struct member *x, const struct member *y)
{
	return x->key.n == y->key.n && (x->key.n == 0 || memcmp(x->key.p, y->key.p, x->key.n) == 0);
}

/* The object of these members, whose values lie from `begin` on, in their place. */
static int order_members(struct parser *x, struct member *last, size_t count, size_t begin)
{
	struct member **list = arena_alloc(x->arena, (count + 1) * sizeof(struct member *));
	size_t end = x->n;
	bool first = true;

	if (list == NULL)
		return no_memory(x->error);
	for (size_t i = 0; last != NULL; last = last->next)
		list[i++] = last;
	qsort(list, count, sizeof(struct member *), member_order);
	if (put(x, "{", 1) != 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const struct member *m = list[i];

		if (i > 0 && same_key(m, list[i - 1]))
			continue;
		/* The buffer may move, but where it was stays. */
		if ((!first && put(x, ", ", 2) != 0) || put_string(x, m->key) != 0 ||
			put(x, ": ", 2) != 0 || put(x, x->out + m->from, m->to - m->from) != 0)
			return -1;
		first = false;
	}
	if (put(x, "}", 1) != 0)
		return -1;
	memmove(x->out + begin, x->out + end, x->n - end);
	x->n = begin + (x->n - end);
	return 0;
}

static int object(struct parser *x)
{
	struct member *last = NULL;
	size_t begin = x->n, count = 0;

	x->p++;
	if (take(x, '}'))
		return x->binary ? put(x, "{}", 2) : 0;
	do {
		struct member m = { .next = last };

		blanks(x);
		if (x->p == x->end || *x->p != '"')
			return bad(x);
		if (string(x, &m.key) != 0)
			return -1;
		if (!take(x, ':'))
			return bad(x);
		m.from = x->n;
		m.number = count++;
		if (value(x) != 0)
			return -1;
		m.to = x->n;
		if (!x->binary)
			continue;
		last = arena_alloc(x->arena, sizeof(*last));
		if (last == NULL)
			return no_memory(x->error);
		*last = m;
	} while (take(x, ','));
	if (!take(x, '}'))
		return bad(x);
	return x->binary ? order_members(x, last, count, begin) : 0;
}

static int nested(struct parser *x)
{
	int status;

	if (++x->depth > LIMIT_JSON_DEPTH)
		return error_set(x->error, ERR_TOO_COMPLEX, 0, "json is nested too deeply");
	status = *x->p == '{' ? object(x) : array(x);
	x->depth--;
	return status;
}

static int value(struct parser *x)
{
	struct json text;

	blanks(x);
	if (x->p == x->end)
		return bad(x);
	switch (*x->p) {
	case '{':
	case '[': return nested(x);
	case '"':
		if (string(x, &text) != 0)
			return -1;
		return x->binary ? put_string(x, text) : 0;
	case '-': return number(x);
	default: return is_digit(x) ? number(x) : word(x);
	}
}

int json_parse(struct value *out, enum type_id type, const char *s, size_t len, struct arena *a,
	struct error *e)
{
	struct parser x = {
		.s = s, .p = s, .end = s + len, .binary = type == TYPE_JSONB, .arena = a, .error = e
	};

	if (!utf8_valid(s, len))
		return error_set(e, ERR_BYTE_SEQUENCE, 0, NULL);
	if (value(&x) != 0)
		return -1;
	blanks(&x);
	if (x.p != x.end)
		return bad(&x);
	memset(out, 0, sizeof(*out));
	out->type = (uint8_t)type;
	out->s.p = x.binary ? x.out : arena_strdup(a, s, len);
	out->s.len = (uint32_t)(x.binary ? x.n : len);
	return out->s.p == NULL ? no_memory(e) : 0;
}

/* --- looking into a text that is well-formed --- */

struct json json_of(const struct value *v)
{
	struct json j = { v->s.p, v->s.len };

	while (j.n > 0 && is_blank(*j.p)) {
		j.p++;
		j.n--;
	}
	while (j.n > 0 && is_blank(j.p[j.n - 1]))
		j.n--;
	return j;
}

enum json_kind json_kind(struct json j)
{
	switch (*j.p) {
	case '{': return JSON_OBJECT;
	case '[': return JSON_ARRAY;
	case '"': return JSON_STRING;
	case 'n': return JSON_NULL;
	case 't':
	case 'f': return JSON_BOOLEAN;
	default: return JSON_NUMBER;
	}
}

static const char *skip_blanks(const char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

/* Behind the value at p. */
static const char *skip_value(const char *p, const char *end)
{
	unsigned open = 0;

	do {
		if (*p == '"')
			p = string_end(p, end);
		else if (strchr("{[", *p) != NULL)
			open++, p++;
		else if (strchr("}]", *p) != NULL)
			open--, p++;
		else if (strchr(",: \t\n\r", *p) != NULL)
			p++;
		else
			while (p < end && strchr(",:]} \t\n\r", *p) == NULL)
				p++;
	} while (open > 0);
	return p;
}

bool json_member(struct json object, const char *key, size_t len, struct arena *a, struct json *out)
{
	const char *p = object.p + 1, *end = object.p + object.n;
	bool found = false;

	for (p = skip_blanks(p); *p != '}';) {
		const char *after = string_end(p, end), *begin;
		struct json name;
		struct error ignored;

		if (unescape((struct json){ p, (size_t)(after - p) }, &name, a, &ignored) != 0)
			name = (struct json){ p, 0 };
		begin = skip_blanks(skip_blanks(after) + 1);
		p = skip_value(begin, end);
		if (name.n == len && (len == 0 || memcmp(name.p, key, len) == 0)) {
			*out = (struct json){ begin, (size_t)(p - begin) };
			found = true;
		}
		p = skip_blanks(p);
		if (*p == ',')
			p = skip_blanks(p + 1);
	}
	return found;
}

/* The element of that number, and how many there are up to it. */
static int64_t walk_elements(struct json array, int64_t wanted, struct json *out)
{
	const char *p = skip_blanks(array.p + 1), *end = array.p + array.n;
	int64_t n = 0;

	while (*p != ']') {
		const char *begin = p;

		p = skip_value(p, end);
		*out = (struct json){ begin, (size_t)(p - begin) };
		if (n++ == wanted)
			break;
		p = skip_blanks(p);
		if (*p == ',')
			p = skip_blanks(p + 1);
	}
	return n;
}

bool json_next(struct json object, const char **at, struct json *key, struct json *value)
{
	const char *end = object.p + object.n;
	const char *p = skip_blanks(*at == NULL ? object.p + 1 : *at);

	if (*at != NULL && *p == ',')
		p = skip_blanks(p + 1);
	if (*p == '}')
		return false;
	key->p = p;
	p = string_end(p, end);
	key->n = (size_t)(p - key->p);
	value->p = skip_blanks(skip_blanks(p) + 1);
	p = skip_value(value->p, end);
	value->n = (size_t)(p - value->p);
	*at = p;
	return true;
}

bool json_next_element(struct json array, const char **at, struct json *out)
{
	const char *p = skip_blanks(*at == NULL ? array.p + 1 : *at);

	if (*at != NULL && *p == ',')
		p = skip_blanks(p + 1);
	if (*p == ']')
		return false;
	out->p = p;
	p = skip_value(p, array.p + array.n);
	out->n = (size_t)(p - out->p);
	*at = p;
	return true;
}

static bool equal(struct json a, struct json b)
{
	struct value x = { .s = { a.p, (uint32_t)a.n }, .type = TYPE_JSONB };
	struct value y = { .s = { b.p, (uint32_t)b.n }, .type = TYPE_JSONB };

	return value_compare(&x, &y) == 0;
}

static bool within(struct json a, struct json b, struct arena *arena);

static bool object_contains(struct json a, struct json b, struct arena *arena)
{
	struct json key, text, wanted, found;
	const char *at = NULL;
	struct error ignored;

	while (json_next(b, &at, &key, &wanted))
		if (unescape(key, &text, arena, &ignored) != 0 ||
			!json_member(a, text.p, text.n, arena, &found) ||
			!within(found, wanted, arena))
			return false;
	return true;
}

static bool array_contains(struct json a, struct json b, struct arena *arena)
{
	struct json wanted, one;
	const char *at = NULL;

	while (json_next_element(b, &at, &wanted)) {
		const char *in_a = NULL;
		bool found = false;

		while (!found && json_next_element(a, &in_a, &one))
			found = within(one, wanted, arena);
		if (!found)
			return false;
	}
	return true;
}

/* Values within: both of one kind. */
static bool within(struct json a, struct json b, struct arena *arena)
{
	enum json_kind kind = json_kind(a);

	if (kind != json_kind(b))
		return false;
	if (kind == JSON_OBJECT)
		return object_contains(a, b, arena);
	return kind == JSON_ARRAY ? array_contains(a, b, arena) : equal(a, b);
}

bool json_contains(struct json a, struct json b, struct arena *arena)
{
	const char *at = NULL;
	struct json one;

	/* An array contains a single value, too. */
	if (json_kind(a) != JSON_ARRAY || json_kind(b) >= JSON_ARRAY)
		return within(a, b, arena);
	while (json_next_element(a, &at, &one))
		if (within(one, b, arena))
			return true;
	return false;
}

int64_t json_length(struct json array)
{
	struct json ignored;

	return walk_elements(array, INT64_MAX, &ignored);
}

bool json_element(struct json array, int64_t k, struct json *out)
{
	if (k < 0)
		k += json_length(array);
	return k >= 0 && walk_elements(array, k, out) == k + 1;
}

int json_text(struct json j, struct json *out, struct arena *a, struct error *e)
{
	*out = j;
	return json_kind(j) == JSON_STRING ? unescape(j, out, a, e) : 0;
}
