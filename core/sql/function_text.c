/*
 * function_text.c: functions and operators of text and bytea.
 */
#include <string.h>

#include "core/base/utf8.h"
#include "core/sql/function_table.h"

/* --- text --- */

int text_result(struct value *out, const char *p, size_t len)
{
	result(out, TYPE_TEXT);
	out->s.p = p != NULL ? p : "";
	out->s.len = (uint32_t)len;
	return 0;
}

char *text_room(size_t len, struct call *c)
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

/* Is the character of `step` bytes at p one of the set's? */
static bool in_set(const char *p, size_t step, const struct value *set)
{
	for (size_t i = 0, width; i < set->s.len; i += width) {
		width = utf8_offset(set->s.p + i, set->s.len - i, 1);
		if (width == step && memcmp(set->s.p + i, p, step) == 0)
			return true;
	}
	return false;
}

static int trim(struct value *out, const struct value *a, unsigned n, bool left, bool right)
{
	struct value blank = { .s = { " ", 1 } };
	const struct value *set = n == 2 ? &a[1] : &blank;
	const char *p = a[0].s.p, *end = p + a[0].s.len;

	while (left && p < end) {
		size_t step = utf8_offset(p, (size_t)(end - p), 1);

		if (!in_set(p, step, set))
			break;
		p += step;
	}
	while (right && p < end) {
		const char *last = end - 1;

		while (last > p && (*last & 0xc0) == 0x80)
			last--;
		if (!in_set(last, (size_t)(end - last), set))
			break;
		end = last;
	}
	return text_result(out, p, (size_t)(end - p));
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
		if (value_is_null(&a[i]) || a[i].s.len == 0)
			continue;
		memcpy(p + at, a[i].s.p, a[i].s.len);
		at += a[i].s.len;
	}
	return text_result(out, p, at);
}

/* --- more of text --- */

static int text_repeat(ARGS)
{
	int64_t times = a[1].i < 0 || a[0].s.len == 0 ? 0 : a[1].i;
	char *p = text_room((size_t)times * a[0].s.len, c);

	(void)n;
	if (p == NULL)
		return -1;
	for (int64_t i = 0; i < times; i++)
		memcpy(p + (size_t)i * a[0].s.len, a[0].s.p, a[0].s.len);
	return text_result(out, p, (size_t)times * a[0].s.len);
}

static int text_reverse(ARGS)
{
	char *p = text_room(a[0].s.len, c);

	(void)n;
	if (p == NULL)
		return -1;
	for (size_t i = 0, step; i < a[0].s.len; i += step) {
		step = utf8_offset(a[0].s.p + i, a[0].s.len - i, 1);
		memcpy(p + a[0].s.len - i - step, a[0].s.p + i, step);
	}
	return text_result(out, p, a[0].s.len);
}

/* To `want` characters, filled from the left or right, cut on the right. */
static int pad(struct value *out, const struct value *a, unsigned n, struct call *c, bool left)
{
	struct value blank = { .s = { " ", 1 } };
	const struct value *fill = n == 3 ? &a[2] : &blank;
	int64_t have = (int64_t)utf8_length(a[0].s.p, a[0].s.len), want = a[1].i;
	size_t keep, filler = 0, at = 0;
	char *p;

	if (want < 0)
		want = 0;
	if (want <= have || fill->s.len == 0) {
		keep = want < have ? utf8_offset(a[0].s.p, a[0].s.len, (size_t)want) : a[0].s.len;
		return text_result(out, a[0].s.p, keep);
	}
	/* A character takes at most four bytes. */
	p = text_room(a[0].s.len + 4 * (size_t)(want - have), c);
	if (p == NULL)
		return -1;
	if (!left) {
		memcpy(p, a[0].s.p, a[0].s.len);
		at = a[0].s.len;
	}
	for (int64_t i = have; i < want; i++) {
		size_t step = utf8_offset(fill->s.p + filler, fill->s.len - filler, 1);

		memcpy(p + at, fill->s.p + filler, step);
		at += step;
		filler = filler + step == fill->s.len ? 0 : filler + step;
	}
	if (left) {
		memcpy(p + at, a[0].s.p, a[0].s.len);
		at += a[0].s.len;
	}
	return text_result(out, p, at);
}

static int text_lpad(ARGS)
{
	return pad(out, a, n, c, true);
}

static int text_rpad(ARGS)
{
	return pad(out, a, n, c, false);
}

/* char(n) with its blanks, as plain bpchar. */
static int char_padding(ARGS)
{
	if (pad(out, a, n, c, false) != 0)
		return -1;
	out->type = TYPE_BPCHAR;
	return 0;
}

static int char_bytes(ARGS)
{
	(void)n;
	(void)c;
	return text_result(out, a[0].s.p, a[0].s.len);
}

static int text_split_part(ARGS)
{
	const char *p = a[0].s.p, *end = p + a[0].s.len, *next;
	size_t m = a[1].s.len;
	int64_t count = 1, wanted = a[2].i;

	(void)n;
	if (wanted == 0)
		return error_set(
			c->error, ERR_INVALID_PARAMETER, 0, "field position must not be zero");
	if (m == 0)
		return text_result(out, p, wanted == 1 || wanted == -1 ? a[0].s.len : 0);
	for (const char *s = p; (s = memmem(s, (size_t)(end - s), a[1].s.p, m)) != NULL; s += m)
		count++;
	if (wanted < 0)
		wanted += count + 1;
	if (wanted < 1 || wanted > count)
		return text_result(out, p, 0);
	while ((next = memmem(p, (size_t)(end - p), a[1].s.p, m)) != NULL && --wanted > 0)
		p = next + m;
	return text_result(out, p, (size_t)((next == NULL ? end : next) - p));
}

static int text_starts_with(ARGS)
{
	(void)n;
	(void)c;
	result(out, TYPE_BOOL);
	out->i = a[1].s.len <= a[0].s.len &&
		(a[1].s.len == 0 || memcmp(a[0].s.p, a[1].s.p, a[1].s.len) == 0);
	return 0;
}

static int text_ascii(ARGS)
{
	const unsigned char *p = (const unsigned char *)a[0].s.p;
	size_t step = utf8_offset(a[0].s.p, a[0].s.len, 1);

	(void)n;
	(void)c;
	result(out, TYPE_INT4);
	out->i = a[0].s.len == 0 ? 0
		: step == 1      ? p[0]
		: step == 2      ? (p[0] & 0x1f) << 6 | (p[1] & 0x3f)
		: step == 3
		? (p[0] & 0x0f) << 12 | (p[1] & 0x3f) << 6 | (p[2] & 0x3f)
		: (p[0] & 0x07) << 18 | (p[1] & 0x3f) << 12 | (p[2] & 0x3f) << 6 | (p[3] & 0x3f);
	return 0;
}

static int text_chr(ARGS)
{
	int64_t u = a[0].i;
	char *p = text_room(4, c);
	size_t len;

	(void)n;
	if (p == NULL)
		return -1;
	if (u < 0)
		return error_set(
			c->error, ERR_INVALID_PARAMETER, 0, "character number must be positive");
	if (u == 0)
		return error_set(c->error, ERR_PROGRAM_LIMIT, 0, "null character not permitted");
	len = u < 0x80 ? 1 : u < 0x800 ? 2 : u < 0x10000 ? 3 : 4;
	if (u > 0x10ffff || (u >= 0xd800 && u < 0xe000))
		return error_set(c->error, ERR_PROGRAM_LIMIT, 0,
			"requested character too large for encoding: %lld", (long long)u);
	for (size_t i = len - 1; i > 0; i--, u >>= 6)
		p[i] = (char)(0x80 | (u & 0x3f));
	p[0] = (char)(len == 1 ? u : (0xff << (8 - len) & 0xff) | u);
	return text_result(out, p, len);
}

static int text_initcap(ARGS)
{
	char *p = text_room(a[0].s.len, c);
	bool inside = false;

	(void)n;
	if (p == NULL)
		return -1;
	for (uint32_t i = 0; i < a[0].s.len; i++) {
		char x = a[0].s.p[i];
		bool upper = x >= 'A' && x <= 'Z', lower = x >= 'a' && x <= 'z';

		p[i] = (upper && inside) || (lower && !inside) ? (char)(x ^ 32) : x;
		inside = upper || lower || (x >= '0' && x <= '9');
	}
	return text_result(out, p, a[0].s.len);
}

/* concat_ws(): NULLs are left out; a NULL separator gives NULL. */
static int text_concat_ws(ARGS)
{
	size_t len = 0, at = 0;
	bool first = true;
	char *p;

	if (value_is_null(&a[0])) {
		result(out, TYPE_TEXT);
		out->flags = VALUE_NULL;
		return 0;
	}
	for (unsigned i = 1; i < n; i++)
		len += value_is_null(&a[i]) ? 0 : (size_t)a[i].s.len + a[0].s.len;
	p = text_room(len, c);
	if (p == NULL)
		return -1;
	for (unsigned i = 1; i < n; i++) {
		if (value_is_null(&a[i]))
			continue;
		if (!first) {
			memcpy(p + at, a[0].s.p, a[0].s.len);
			at += a[0].s.len;
		}
		first = false;
		memcpy(p + at, a[i].s.p, a[i].s.len);
		at += a[i].s.len;
	}
	return text_result(out, p, at);
}

static int bit_length(ARGS)
{
	(void)n;
	(void)c;
	result(out, TYPE_INT4);
	out->i = 8 * (int64_t)a[0].s.len;
	return 0;
}

/* Bytes count as characters; lengths as for text. */
static int bytea_substr(ARGS)
{
	int64_t from = a[1].i, end = a[0].s.len;

	if (n == 3 && a[2].i < 0)
		return error_set(c->error, ERR_SUBSTRING, 0, NULL);
	if (n == 3 && from + a[2].i - 1 < end)
		end = from + a[2].i - 1;
	if (from < 1)
		from = 1;
	text_result(out, a[0].s.p, 0);
	if (from <= end) {
		out->s.p += from - 1;
		out->s.len = (uint32_t)(end - from + 1);
	}
	out->type = TYPE_BYTEA;
	return 0;
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
	{ "repeat", 2, true, false, { TYPE_TEXT, TYPE_INT4 }, TYPE_TEXT, text_repeat },
	{ "reverse", 1, true, false, { TYPE_TEXT }, TYPE_TEXT, text_reverse },
	{ "lpad", 2, true, false, { TYPE_TEXT, TYPE_INT4 }, TYPE_TEXT, text_lpad },
	{ "lpad", 3, true, false, { TYPE_TEXT, TYPE_INT4, TYPE_TEXT }, TYPE_TEXT, text_lpad },
	{ "rpad", 2, true, false, { TYPE_TEXT, TYPE_INT4 }, TYPE_TEXT, text_rpad },
	{ "rpad", 3, true, false, { TYPE_TEXT, TYPE_INT4, TYPE_TEXT }, TYPE_TEXT, text_rpad },
	{ "split_part", 3, true, false, { TYPE_TEXT, TYPE_TEXT, TYPE_INT4 }, TYPE_TEXT,
		text_split_part },
	{ "starts_with", 2, true, false, { TYPE_TEXT, TYPE_TEXT }, TYPE_BOOL, text_starts_with },
	{ "^@", 2, true, false, { TYPE_TEXT, TYPE_TEXT }, TYPE_BOOL, text_starts_with },
	{ "ascii", 1, true, false, { TYPE_TEXT }, TYPE_INT4, text_ascii },
	{ "chr", 1, true, false, { TYPE_INT4 }, TYPE_TEXT, text_chr },
	{ "initcap", 1, true, false, { TYPE_TEXT }, TYPE_TEXT, text_initcap },
	{ "concat_ws", 2, false, true, { TYPE_TEXT, TYPE_TEXT }, TYPE_TEXT, text_concat_ws },
	{ "bit_length", 1, true, false, { TYPE_TEXT }, TYPE_INT4, bit_length },
	{ "bit_length", 1, true, false, { TYPE_BYTEA }, TYPE_INT4, bit_length },
	{ "substr", 2, true, false, { TYPE_BYTEA, TYPE_INT4 }, TYPE_BYTEA, bytea_substr },
	{ "substr", 3, true, false, { TYPE_BYTEA, TYPE_INT4, TYPE_INT4 }, TYPE_BYTEA,
		bytea_substr },
	{ "substring", 2, true, false, { TYPE_BYTEA, TYPE_INT4 }, TYPE_BYTEA, bytea_substr },
	{ "substring", 3, true, false, { TYPE_BYTEA, TYPE_INT4, TYPE_INT4 }, TYPE_BYTEA,
		bytea_substr },
	{ "octet_length", 1, true, false, { TYPE_BPCHAR }, TYPE_INT4, byte_length },
	{ "~~", 2, true, false, { TYPE_BPCHAR, TYPE_TEXT }, TYPE_BOOL, text_like },
	{ "!~~", 2, true, false, { TYPE_BPCHAR, TYPE_TEXT }, TYPE_BOOL, text_nlike },
	{ "~~*", 2, true, false, { TYPE_BPCHAR, TYPE_TEXT }, TYPE_BOOL, text_ilike },
	{ "!~~*", 2, true, false, { TYPE_BPCHAR, TYPE_TEXT }, TYPE_BOOL, text_nilike },
	{ "~~", 2, true, false, { TYPE_BYTEA, TYPE_BYTEA }, TYPE_BOOL, function_unsupported },
	{ "!~~", 2, true, false, { TYPE_BYTEA, TYPE_BYTEA }, TYPE_BOOL, function_unsupported },
	{ "btrim", 2, true, false, { TYPE_BYTEA, TYPE_BYTEA }, TYPE_BYTEA, function_unsupported },
	{ "ltrim", 2, true, false, { TYPE_BYTEA, TYPE_BYTEA }, TYPE_BYTEA, function_unsupported },
	{ "rtrim", 2, true, false, { TYPE_BYTEA, TYPE_BYTEA }, TYPE_BYTEA, function_unsupported },
	{ "position", 2, true, false, { TYPE_BYTEA, TYPE_BYTEA }, TYPE_INT4, function_unsupported },
	/* Not SQL's: the binder's own. */
	{ "char padding", 2, true, false, { TYPE_BPCHAR, TYPE_INT4 }, TYPE_BPCHAR, char_padding },
	{ "char bytes", 1, true, false, { TYPE_BPCHAR }, TYPE_TEXT, char_bytes },
};

const struct function_list FUNCTIONS_TEXT = { FUNCTIONS, sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]) };
