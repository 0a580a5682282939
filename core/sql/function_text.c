/*
 * function_text.c: functions and operators of text and bytea.
 */
#include <string.h>

#include "core/base/utf8.h"
#include "core/sql/function_table.h"

/* --- text --- */

static int text_result(struct value *out, const char *p, size_t len)
{
	result(out, TYPE_TEXT);
	out->s.p = p;
	out->s.len = (uint32_t)len;
	return 0;
}

static char *text_room(size_t len, struct call *c)
{
	char *p = len > (1u << 24) ? NULL : arena_alloc(c->arena, len + 1);

	if (p == NULL)
		error_set(c->error, len > (1u << 24) ? ERR_PROGRAM_LIMIT : ERR_OUT_OF_MEMORY, 0,
			NULL);
	return p;
}

static int text_concat(ARGS)
{
	size_t len = (size_t)a[0].s.len + a[1].s.len;
	char *p = text_room(len, c);

	(void)n;
	if (p == NULL)
		return -1;
	memcpy(p, a[0].s.p, a[0].s.len);
	memcpy(p + a[0].s.len, a[1].s.p, a[1].s.len);
	return text_result(out, p, len);
}

static int bytea_concat(ARGS)
{
	if (text_concat(out, a, n, c) != 0)
		return -1;
	out->type = TYPE_BYTEA;
	return 0;
}

/* Does s match the pattern? Iterative but for the last %, so linear times the number of %. 1, 0, or -1
 * for a pattern that ends in an escape. */
static int like_match(const char *s, size_t n, const char *p, size_t m, bool fold)
{
	size_t i = 0, k = 0, star = SIZE_MAX, mark = 0;

	while (i < n || k < m) {
		if (k < m && p[k] == '%') {
			star = ++k;
			mark = i;
			continue;
		}
		if (i < n && k < m) {
			size_t step = 1, at = k;
			bool literal = true;
			char x, y;

			if (p[k] == '_') {
				literal = false;
				step = utf8_offset(s + i, n - i, 1);
			} else if (p[k] == '\\') {
				if (++at == m)
					return -1;
			}
			x = s[i];
			y = p[at];
			if (fold && x >= 'A' && x <= 'Z')
				x = (char)(x + 32);
			if (fold && y >= 'A' && y <= 'Z')
				y = (char)(y + 32);
			if (!literal || x == y) {
				i += step;
				k = at + 1;
				continue;
			}
		}
		if (star == SIZE_MAX || mark >= n)
			return 0;
		mark += utf8_offset(s + mark, n - mark, 1);
		i = mark;
		k = star;
	}
	return 1;
}

static int like(struct value *out, const struct value *a, struct call *c, bool fold, bool negated)
{
	int m = like_match(a[0].s.p, a[0].s.len, a[1].s.p, a[1].s.len, fold);

	if (m < 0)
		return error_set(c->error, ERR_INVALID_ESCAPE, 0,
			"LIKE pattern must not end with escape "
			"character");
	result(out, TYPE_BOOL);
	out->i = (m == 1) != negated;
	return 0;
}

#define LIKE(name, fold, negated) \
	static int name(ARGS) \
	{ \
		(void)n; \
		return like(out, a, c, fold, negated); \
	}
LIKE(text_like, false, false)
LIKE(text_nlike, false, true)
LIKE(text_ilike, true, false)
LIKE(text_nilike, true, true)

/* A pattern with another escape character, rewritten to backslashes. */
static int like_escape(ARGS)
{
	const char *p = a[0].s.p;
	size_t len = a[0].s.len, at = 0;
	char *q = text_room(2 * len, c);

	(void)n;
	if (q == NULL)
		return -1;
	if (a[1].s.len > 1)
		return error_set(c->error, ERR_INVALID_ESCAPE, 0, "invalid escape string");
	for (size_t i = 0; i < len; i++) {
		if (a[1].s.len == 1 && p[i] == a[1].s.p[0]) {
			q[at++] = '\\';
			if (i + 1 < len)
				q[at++] = p[++i];
		} else {
			if (p[i] == '\\')
				q[at++] = '\\';
			q[at++] = p[i];
		}
	}
	return text_result(out, q, at);
}

static int text_length(ARGS)
{
	(void)n;
	(void)c;
	result(out, TYPE_INT4);
	out->i = (int64_t)utf8_length(a[0].s.p, a[0].s.len);
	return 0;
}

static int byte_length(ARGS)
{
	(void)n;
	(void)c;
	result(out, TYPE_INT4);
	out->i = a[0].s.len;
	return 0;
}

static int text_map(ARGS, char from, char to)
{
	char *p = text_room(a[0].s.len, c);

	(void)n;
	if (p == NULL)
		return -1;
	for (uint32_t i = 0; i < a[0].s.len; i++) {
		char x = a[0].s.p[i];

		p[i] = x >= from && x <= to ? (char)(x ^ 32) : x;
	}
	return text_result(out, p, a[0].s.len);
}

static int text_lower(ARGS)
{
	return text_map(out, a, n, c, 'A', 'Z');
}

static int text_upper(ARGS)
{
	return text_map(out, a, n, c, 'a', 'z');
}

static int text_slice(struct value *out, const struct value *v, int64_t from, int64_t chars)
{
	size_t begin, end;

	/* from counts from 1; what is before it counts into the length. */
	if (from < 1) {
		chars = chars == INT64_MAX ? chars : chars + from - 1;
		from = 1;
	}
	if (chars <= 0)
		return text_result(out, v->s.p, 0);
	begin = utf8_offset(v->s.p, v->s.len, (size_t)from - 1);
	end = chars >= (int64_t)v->s.len
		? v->s.len
		: begin + utf8_offset(v->s.p + begin, v->s.len - begin, (size_t)chars);
	return text_result(out, v->s.p + begin, end - begin);
}

static int text_substr(ARGS)
{
	if (n == 2)
		return text_slice(out, &a[0], a[1].i, INT64_MAX);
	if (a[2].i < 0)
		return error_set(c->error, ERR_SUBSTRING, 0, NULL);
	return text_slice(out, &a[0], a[1].i, a[2].i);
}

static int text_left(ARGS)
{
	int64_t len = (int64_t)utf8_length(a[0].s.p, a[0].s.len);

	(void)n;
	(void)c;
	return text_slice(out, &a[0], 1, a[1].i >= 0 ? a[1].i : len + a[1].i);
}

static int text_right(ARGS)
{
	int64_t len = (int64_t)utf8_length(a[0].s.p, a[0].s.len);
	int64_t skip = a[1].i >= 0 ? len - a[1].i : -a[1].i;

	(void)n;
	(void)c;
	return text_slice(out, &a[0], skip < 0 ? 1 : skip + 1, INT64_MAX);
}

static int trim(struct value *out, const struct value *a, unsigned n, bool left, bool right)
{
	const char *set = n == 2 ? a[1].s.p : " ", *p = a[0].s.p;
	size_t nset = n == 2 ? a[1].s.len : 1, begin = 0, end = a[0].s.len;

	while (left && begin < end && nset > 0 && memchr(set, p[begin], nset) != NULL)
		begin++;
	while (right && end > begin && nset > 0 && memchr(set, p[end - 1], nset) != NULL)
		end--;
	return text_result(out, p + begin, end - begin);
}

static int text_btrim(ARGS)
{
	(void)c;
	return trim(out, a, n, true, true);
}

static int text_ltrim(ARGS)
{
	(void)c;
	return trim(out, a, n, true, false);
}

static int text_rtrim(ARGS)
{
	(void)c;
	return trim(out, a, n, false, true);
}

static int text_position(ARGS)
{
	const char *found = a[1].s.len == 0 ? a[0].s.p
					    : memmem(a[0].s.p, a[0].s.len, a[1].s.p, a[1].s.len);

	(void)n;
	(void)c;
	result(out, TYPE_INT4);
	out->i = found == NULL ? 0 : (int64_t)utf8_length(a[0].s.p, (size_t)(found - a[0].s.p)) + 1;
	return 0;
}

static int text_replace(ARGS)
{
	size_t count = 0, at = 0, m = a[1].s.len;
	const char *p = a[0].s.p, *end = p + a[0].s.len, *next;
	char *q;

	(void)n;
	if (m == 0)
		return text_result(out, p, a[0].s.len);
	for (const char *s = p; (s = memmem(s, (size_t)(end - s), a[1].s.p, m)) != NULL; s += m)
		count++;
	q = text_room(a[0].s.len + count * a[2].s.len, c);
	if (q == NULL)
		return -1;
	while ((next = memmem(p, (size_t)(end - p), a[1].s.p, m)) != NULL) {
		memcpy(q + at, p, (size_t)(next - p));
		at += (size_t)(next - p);
		memcpy(q + at, a[2].s.p, a[2].s.len);
		at += a[2].s.len;
		p = next + m;
	}
	memcpy(q + at, p, (size_t)(end - p));
	return text_result(out, q, at + (size_t)(end - p));
}

/* concat(): NULLs are left out, so it is not strict; arguments come as text. */
static int text_concat_all(ARGS)
{
	size_t len = 0, at = 0;
	char *p;

	for (unsigned i = 0; i < n; i++)
		len += value_is_null(&a[i]) ? 0 : a[i].s.len;
	p = text_room(len, c);
	if (p == NULL)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		if (value_is_null(&a[i]))
			continue;
		memcpy(p + at, a[i].s.p, a[i].s.len);
		at += a[i].s.len;
	}
	return text_result(out, p, at);
}

static const struct function FUNCTIONS[] = {
	/* name, arguments, strict, variadic, their types, result, what does it */
	{ "||", 2, true, false, { TYPE_TEXT, TYPE_TEXT }, TYPE_TEXT, text_concat },
	{ "||", 2, true, false, { TYPE_BYTEA, TYPE_BYTEA }, TYPE_BYTEA, bytea_concat },
	{ "~~", 2, true, false, { TYPE_TEXT, TYPE_TEXT }, TYPE_BOOL, text_like },
	{ "!~~", 2, true, false, { TYPE_TEXT, TYPE_TEXT }, TYPE_BOOL, text_nlike },
	{ "~~*", 2, true, false, { TYPE_TEXT, TYPE_TEXT }, TYPE_BOOL, text_ilike },
	{ "!~~*", 2, true, false, { TYPE_TEXT, TYPE_TEXT }, TYPE_BOOL, text_nilike },
	{ "like_escape", 2, true, false, { TYPE_TEXT, TYPE_TEXT }, TYPE_TEXT, like_escape },
	{ "length", 1, true, false, { TYPE_TEXT }, TYPE_INT4, text_length },
	{ "char_length", 1, true, false, { TYPE_TEXT }, TYPE_INT4, text_length },
	{ "character_length", 1, true, false, { TYPE_TEXT }, TYPE_INT4, text_length },
	{ "length", 1, true, false, { TYPE_BYTEA }, TYPE_INT4, byte_length },
	{ "octet_length", 1, true, false, { TYPE_TEXT }, TYPE_INT4, byte_length },
	{ "octet_length", 1, true, false, { TYPE_BYTEA }, TYPE_INT4, byte_length },
	{ "lower", 1, true, false, { TYPE_TEXT }, TYPE_TEXT, text_lower },
	{ "upper", 1, true, false, { TYPE_TEXT }, TYPE_TEXT, text_upper },
	{ "substr", 2, true, false, { TYPE_TEXT, TYPE_INT4 }, TYPE_TEXT, text_substr },
	{ "substr", 3, true, false, { TYPE_TEXT, TYPE_INT4, TYPE_INT4 }, TYPE_TEXT, text_substr },
	{ "substring", 2, true, false, { TYPE_TEXT, TYPE_INT4 }, TYPE_TEXT, text_substr },
	{ "substring", 3, true, false, { TYPE_TEXT, TYPE_INT4, TYPE_INT4 }, TYPE_TEXT,
		text_substr },
	{ "left", 2, true, false, { TYPE_TEXT, TYPE_INT4 }, TYPE_TEXT, text_left },
	{ "right", 2, true, false, { TYPE_TEXT, TYPE_INT4 }, TYPE_TEXT, text_right },
	{ "btrim", 1, true, false, { TYPE_TEXT }, TYPE_TEXT, text_btrim },
	{ "btrim", 2, true, false, { TYPE_TEXT, TYPE_TEXT }, TYPE_TEXT, text_btrim },
	{ "ltrim", 1, true, false, { TYPE_TEXT }, TYPE_TEXT, text_ltrim },
	{ "ltrim", 2, true, false, { TYPE_TEXT, TYPE_TEXT }, TYPE_TEXT, text_ltrim },
	{ "rtrim", 1, true, false, { TYPE_TEXT }, TYPE_TEXT, text_rtrim },
	{ "rtrim", 2, true, false, { TYPE_TEXT, TYPE_TEXT }, TYPE_TEXT, text_rtrim },
	{ "position", 2, true, false, { TYPE_TEXT, TYPE_TEXT }, TYPE_INT4, text_position },
	{ "strpos", 2, true, false, { TYPE_TEXT, TYPE_TEXT }, TYPE_INT4, text_position },
	{ "replace", 3, true, false, { TYPE_TEXT, TYPE_TEXT, TYPE_TEXT }, TYPE_TEXT, text_replace },
	{ "concat", 1, false, true, { TYPE_TEXT }, TYPE_TEXT, text_concat_all },
};

const struct function_list FUNCTIONS_TEXT = { FUNCTIONS, sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]) };
