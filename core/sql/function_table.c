/*
 * function_table.c: the functions and operators of SQL expressions, each a few lines, and the table of them.
 */
#include "core/sql/function_table.h"

#include <math.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/sql/cast.h"
#include "core/sql/datetime.h"
#include "core/sql/numeric.h"

#define ARGS struct value *out, const struct value *a, unsigned n, struct call *c

static int result(struct value *out, enum type_id t)
{
	out->flags = 0;
	out->scale = 0;
	out->type = (uint8_t)t;
	return 0;
}

/* --- comparison --- */

#define COMPARE(name, op) \
	static int name(ARGS) \
	{ \
		(void)n; \
		(void)c; \
		result(out, TYPE_BOOL); \
		out->i = value_compare(&a[0], &a[1]) op 0; \
		return 0; \
	}
COMPARE(compare_eq, ==)
COMPARE(compare_ne, !=)
COMPARE(compare_lt, <)
COMPARE(compare_le, <=)
COMPARE(compare_gt, >)
COMPARE(compare_ge, >=)

/* --- integers --- */

static int integer_result(
	struct value *out, enum type_id t, int64_t v, bool overflow, struct call *c)
{
	static const char *const NAMES[] = { "smallint", "integer", "bigint" };
	bool fits = t == TYPE_INT8 || (t == TYPE_INT4 ? v == (int32_t)v : v == (int16_t)v);

	if (overflow || !fits)
		return error_set(
			c->error, ERR_NUMERIC_RANGE, 0, "%s out of range", NAMES[t - TYPE_INT2]);
	result(out, t);
	out->i = v;
	return 0;
}

/* The result is as wide as the wider argument. */
static enum type_id wider(const struct value *a)
{
	return (enum type_id)(a[0].type > a[1].type ? a[0].type : a[1].type);
}

static int int_add(ARGS)
{
	int64_t v;
	bool overflow = __builtin_add_overflow(a[0].i, a[1].i, &v);

	(void)n;
	return integer_result(out, wider(a), v, overflow, c);
}

static int int_sub(ARGS)
{
	int64_t v;
	bool overflow = __builtin_sub_overflow(a[0].i, a[1].i, &v);

	(void)n;
	return integer_result(out, wider(a), v, overflow, c);
}

static int int_mul(ARGS)
{
	int64_t v;
	bool overflow = __builtin_mul_overflow(a[0].i, a[1].i, &v);

	(void)n;
	return integer_result(out, wider(a), v, overflow, c);
}

static int by_zero(struct call *c)
{
	return error_set(c->error, ERR_DIVISION_BY_ZERO, 0, NULL);
}

static int int_div(ARGS)
{
	(void)n;
	if (a[1].i == 0)
		return by_zero(c);
	if (a[1].i == -1)
		return integer_result(
			out, wider(a), a[0].i == INT64_MIN ? 0 : -a[0].i, a[0].i == INT64_MIN, c);
	return integer_result(out, wider(a), a[0].i / a[1].i, false, c);
}

static int int_mod(ARGS)
{
	(void)n;
	if (a[1].i == 0)
		return by_zero(c);
	return integer_result(out, wider(a), a[1].i == -1 ? 0 : a[0].i % a[1].i, false, c);
}

static int int_neg(ARGS)
{
	(void)n;
	return integer_result(out, (enum type_id)a[0].type, a[0].i == INT64_MIN ? 0 : -a[0].i,
		a[0].i == INT64_MIN, c);
}

static int int_abs(ARGS)
{
	if (a[0].i < 0)
		return int_neg(out, a, n, c);
	return integer_result(out, (enum type_id)a[0].type, a[0].i, false, c);
}

static int same(ARGS)
{
	(void)n;
	(void)c;
	*out = a[0];
	return 0;
}

/* --- numerics --- */

#define NUMERIC2(name, fn) \
	static int name(ARGS) \
	{ \
		(void)n; \
		if (fn(out, &a[0], &a[1], c->error) != 0) \
			return -1; \
		out->type = TYPE_NUMERIC; \
		return 0; \
	}
NUMERIC2(num_add, numeric_add)
NUMERIC2(num_sub, numeric_sub)
NUMERIC2(num_mul, numeric_mul)
NUMERIC2(num_div, numeric_div)
NUMERIC2(num_mod, numeric_mod)
NUMERIC2(num_power, numeric_power)

#define NUMERIC1(name, fn) \
	static int name(ARGS) \
	{ \
		(void)n; \
		if (fn(out, &a[0], c->error) != 0) \
			return -1; \
		out->type = TYPE_NUMERIC; \
		return 0; \
	}
NUMERIC1(num_ceil, numeric_ceil)
NUMERIC1(num_floor, numeric_floor)
NUMERIC1(num_sqrt, numeric_sqrt)
NUMERIC1(num_exp, numeric_exp)
NUMERIC1(num_ln, numeric_ln)

static int num_neg(ARGS)
{
	(void)n;
	(void)c;
	*out = a[0];
	out->n = -a[0].n;
	return 0;
}

static int num_abs(ARGS)
{
	(void)n;
	(void)c;
	*out = a[0];
	if (a[0].n < 0)
		out->n = -a[0].n;
	return 0;
}

static int num_sign(ARGS)
{
	(void)n;
	(void)c;
	if (a[0].flags & VALUE_NAN)
		*out = a[0];
	else
		numeric_from_int(out, a[0].n > 0 ? 1 : a[0].n < 0 ? -1 : 0);
	out->type = TYPE_NUMERIC;
	return 0;
}

static int num_round(ARGS)
{
	int digits = n == 2 ? (int)a[1].i : 0;

	if (numeric_round(out, &a[0], digits, c->error) != 0)
		return -1;
	out->type = TYPE_NUMERIC;
	return 0;
}

static int num_trunc(ARGS)
{
	int digits = n == 2 ? (int)a[1].i : 0;

	if (numeric_trunc(out, &a[0], digits, c->error) != 0)
		return -1;
	out->type = TYPE_NUMERIC;
	return 0;
}

/* --- floats --- */

static int float_result(struct value *out, double d, double x, double y, struct call *c)
{
	result(out, TYPE_FLOAT8);
	out->d = d;
	if (isinf(d) && !isinf(x) && !isinf(y))
		return error_set(c->error, ERR_NUMERIC_RANGE, 0, "value out of range: overflow");
	return 0;
}

static int real_result(struct value *out, float f, float x, float y, struct call *c)
{
	result(out, TYPE_FLOAT4);
	out->f = f;
	if (isinf(f) && !isinf(x) && !isinf(y))
		return error_set(c->error, ERR_NUMERIC_RANGE, 0, "value out of range: overflow");
	return 0;
}

#define FLOAT2(name, op) \
	static int name(ARGS) \
	{ \
		(void)n; \
		return float_result(out, a[0].d op a[1].d, a[0].d, a[1].d, c); \
	} \
	static int name##4(ARGS) \
	{ \
		(void)n; \
		return real_result(out, a[0].f op a[1].f, a[0].f, a[1].f, c); \
	}
FLOAT2(float_add, +)
FLOAT2(float_sub, -)
FLOAT2(float_mul, *)

static int float_div(ARGS)
{
	(void)n;
	if (a[1].d == 0 && !isnan(a[0].d))
		return by_zero(c);
	return float_result(out, a[0].d / a[1].d, a[0].d, a[1].d, c);
}

static int float_div4(ARGS)
{
	(void)n;
	if (a[1].f == 0 && !isnan(a[0].f))
		return by_zero(c);
	return real_result(out, a[0].f / a[1].f, a[0].f, a[1].f, c);
}

static int float_neg(ARGS)
{
	(void)n;
	(void)c;
	result(out, TYPE_FLOAT8);
	out->d = -a[0].d;
	return 0;
}

static int float_neg4(ARGS)
{
	(void)n;
	(void)c;
	result(out, TYPE_FLOAT4);
	out->f = -a[0].f;
	return 0;
}

#define FLOAT1(name, expression) \
	static int name(ARGS) \
	{ \
		double x = a[0].d; \
		(void)n; \
		return float_result(out, expression, x, x, c); \
	}
FLOAT1(float_abs, fabs(x))
FLOAT1(float_ceil, ceil(x))
FLOAT1(float_floor, floor(x))
FLOAT1(float_round, rint(x))
FLOAT1(float_trunc, trunc(x))
FLOAT1(float_sign, x > 0 ? 1.0 : x < 0 ? -1.0 : x)
FLOAT1(float_exp, exp(x))

static int float_sqrt(ARGS)
{
	(void)n;
	if (a[0].d < 0)
		return error_set(c->error, ERR_INVALID_POWER, 0,
			"cannot take square root of a negative number");
	return float_result(out, sqrt(a[0].d), a[0].d, a[0].d, c);
}

static int float_ln(ARGS)
{
	(void)n;
	if (a[0].d <= 0)
		return error_set(c->error, ERR_INVALID_LOG, 0,
			a[0].d == 0 ? "cannot take logarithm of zero"
				    : "cannot take logarithm of a negative number");
	return float_result(out, log(a[0].d), a[0].d, a[0].d, c);
}

static int float_power(ARGS)
{
	(void)n;
	if (a[0].d == 0 && a[1].d < 0)
		return error_set(c->error, ERR_INVALID_POWER, 0,
			"zero raised to a negative power is undefined");
	if (a[0].d < 0 && floor(a[1].d) != a[1].d)
		return error_set(c->error, ERR_INVALID_POWER, 0,
			"a negative number raised to a non-integer power yields a complex result");
	return float_result(out, pow(a[0].d, a[1].d), a[0].d, a[1].d, c);
}

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

/* --- date and time --- */

static int date_add_days(ARGS)
{
	int64_t days;

	(void)n;
	result(out, TYPE_DATE);
	if (a[0].i == DATE_INFINITY || a[0].i == DATE_NEG_INFINITY) {
		out->i = a[0].i;
		return 0;
	}
	days = a[0].i + a[1].i;
	if (!date_in_range(days))
		return error_set(c->error, ERR_DATETIME_OVERFLOW, 0, "date out of range");
	out->i = days;
	return 0;
}

static int date_sub_days(ARGS)
{
	struct value v[2] = { a[0], a[1] };

	v[1].i = -a[1].i;
	return date_add_days(out, v, n, c);
}

static int date_sub_date(ARGS)
{
	(void)n;
	result(out, TYPE_INT4);
	if (a[0].i == DATE_INFINITY || a[0].i == DATE_NEG_INFINITY || a[1].i == DATE_INFINITY ||
		a[1].i == DATE_NEG_INFINITY)
		return error_set(
			c->error, ERR_DATETIME_OVERFLOW, 0, "cannot subtract infinite dates");
	out->i = a[0].i - a[1].i;
	return 0;
}

static int time_add(ARGS)
{
	(void)n;
	return timestamp_add_interval(out, &a[0], &a[1], 1, c->error);
}

static int time_sub(ARGS)
{
	(void)n;
	return timestamp_add_interval(out, &a[0], &a[1], -1, c->error);
}

static int time_diff(ARGS)
{
	(void)n;
	return timestamp_subtract(out, &a[0], &a[1], c->error);
}

static int time_trunc(ARGS)
{
	(void)n;
	return datetime_trunc(out, &a[0], &a[1], c->error);
}

static int time_extract(ARGS)
{
	(void)n;
	return datetime_extract(out, &a[0], &a[1], true, c->error);
}

static int time_part(ARGS)
{
	(void)n;
	return datetime_extract(out, &a[0], &a[1], false, c->error);
}

static const struct function FUNCTIONS[] = {
	/* name, arguments, strict, variadic, their types, result, what does it */
	{ "=", 2, true, false, { TYPE_BOOL, TYPE_BOOL }, TYPE_BOOL, compare_eq },
	{ "=", 2, true, false, { TYPE_INT2, TYPE_INT2 }, TYPE_BOOL, compare_eq },
	{ "=", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_BOOL, compare_eq },
	{ "=", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_BOOL, compare_eq },
	{ "=", 2, true, false, { TYPE_FLOAT4, TYPE_FLOAT4 }, TYPE_BOOL, compare_eq },
	{ "=", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT8 }, TYPE_BOOL, compare_eq },
	{ "=", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_BOOL, compare_eq },
	{ "=", 2, true, false, { TYPE_TEXT, TYPE_TEXT }, TYPE_BOOL, compare_eq },
	{ "=", 2, true, false, { TYPE_BPCHAR, TYPE_BPCHAR }, TYPE_BOOL, compare_eq },
	{ "=", 2, true, false, { TYPE_BYTEA, TYPE_BYTEA }, TYPE_BOOL, compare_eq },
	{ "=", 2, true, false, { TYPE_DATE, TYPE_DATE }, TYPE_BOOL, compare_eq },
	{ "=", 2, true, false, { TYPE_TIMESTAMP, TYPE_TIMESTAMP }, TYPE_BOOL, compare_eq },
	{ "=", 2, true, false, { TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ }, TYPE_BOOL, compare_eq },
	{ "=", 2, true, false, { TYPE_UUID, TYPE_UUID }, TYPE_BOOL, compare_eq },
	{ "=", 2, true, false, { TYPE_INTERVAL, TYPE_INTERVAL }, TYPE_BOOL, compare_eq },
	{ "=", 2, true, false, { TYPE_INT2, TYPE_INT4 }, TYPE_BOOL, compare_eq },
	{ "=", 2, true, false, { TYPE_INT2, TYPE_INT8 }, TYPE_BOOL, compare_eq },
	{ "=", 2, true, false, { TYPE_INT4, TYPE_INT2 }, TYPE_BOOL, compare_eq },
	{ "=", 2, true, false, { TYPE_INT4, TYPE_INT8 }, TYPE_BOOL, compare_eq },
	{ "=", 2, true, false, { TYPE_INT8, TYPE_INT2 }, TYPE_BOOL, compare_eq },
	{ "=", 2, true, false, { TYPE_INT8, TYPE_INT4 }, TYPE_BOOL, compare_eq },
	{ "<>", 2, true, false, { TYPE_BOOL, TYPE_BOOL }, TYPE_BOOL, compare_ne },
	{ "<>", 2, true, false, { TYPE_INT2, TYPE_INT2 }, TYPE_BOOL, compare_ne },
	{ "<>", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_BOOL, compare_ne },
	{ "<>", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_BOOL, compare_ne },
	{ "<>", 2, true, false, { TYPE_FLOAT4, TYPE_FLOAT4 }, TYPE_BOOL, compare_ne },
	{ "<>", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT8 }, TYPE_BOOL, compare_ne },
	{ "<>", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_BOOL, compare_ne },
	{ "<>", 2, true, false, { TYPE_TEXT, TYPE_TEXT }, TYPE_BOOL, compare_ne },
	{ "<>", 2, true, false, { TYPE_BPCHAR, TYPE_BPCHAR }, TYPE_BOOL, compare_ne },
	{ "<>", 2, true, false, { TYPE_BYTEA, TYPE_BYTEA }, TYPE_BOOL, compare_ne },
	{ "<>", 2, true, false, { TYPE_DATE, TYPE_DATE }, TYPE_BOOL, compare_ne },
	{ "<>", 2, true, false, { TYPE_TIMESTAMP, TYPE_TIMESTAMP }, TYPE_BOOL, compare_ne },
	{ "<>", 2, true, false, { TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ }, TYPE_BOOL, compare_ne },
	{ "<>", 2, true, false, { TYPE_UUID, TYPE_UUID }, TYPE_BOOL, compare_ne },
	{ "<>", 2, true, false, { TYPE_INTERVAL, TYPE_INTERVAL }, TYPE_BOOL, compare_ne },
	{ "<>", 2, true, false, { TYPE_INT2, TYPE_INT4 }, TYPE_BOOL, compare_ne },
	{ "<>", 2, true, false, { TYPE_INT2, TYPE_INT8 }, TYPE_BOOL, compare_ne },
	{ "<>", 2, true, false, { TYPE_INT4, TYPE_INT2 }, TYPE_BOOL, compare_ne },
	{ "<>", 2, true, false, { TYPE_INT4, TYPE_INT8 }, TYPE_BOOL, compare_ne },
	{ "<>", 2, true, false, { TYPE_INT8, TYPE_INT2 }, TYPE_BOOL, compare_ne },
	{ "<>", 2, true, false, { TYPE_INT8, TYPE_INT4 }, TYPE_BOOL, compare_ne },
	{ "<", 2, true, false, { TYPE_BOOL, TYPE_BOOL }, TYPE_BOOL, compare_lt },
	{ "<", 2, true, false, { TYPE_INT2, TYPE_INT2 }, TYPE_BOOL, compare_lt },
	{ "<", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_BOOL, compare_lt },
	{ "<", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_BOOL, compare_lt },
	{ "<", 2, true, false, { TYPE_FLOAT4, TYPE_FLOAT4 }, TYPE_BOOL, compare_lt },
	{ "<", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT8 }, TYPE_BOOL, compare_lt },
	{ "<", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_BOOL, compare_lt },
	{ "<", 2, true, false, { TYPE_TEXT, TYPE_TEXT }, TYPE_BOOL, compare_lt },
	{ "<", 2, true, false, { TYPE_BPCHAR, TYPE_BPCHAR }, TYPE_BOOL, compare_lt },
	{ "<", 2, true, false, { TYPE_BYTEA, TYPE_BYTEA }, TYPE_BOOL, compare_lt },
	{ "<", 2, true, false, { TYPE_DATE, TYPE_DATE }, TYPE_BOOL, compare_lt },
	{ "<", 2, true, false, { TYPE_TIMESTAMP, TYPE_TIMESTAMP }, TYPE_BOOL, compare_lt },
	{ "<", 2, true, false, { TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ }, TYPE_BOOL, compare_lt },
	{ "<", 2, true, false, { TYPE_UUID, TYPE_UUID }, TYPE_BOOL, compare_lt },
	{ "<", 2, true, false, { TYPE_INTERVAL, TYPE_INTERVAL }, TYPE_BOOL, compare_lt },
	{ "<", 2, true, false, { TYPE_INT2, TYPE_INT4 }, TYPE_BOOL, compare_lt },
	{ "<", 2, true, false, { TYPE_INT2, TYPE_INT8 }, TYPE_BOOL, compare_lt },
	{ "<", 2, true, false, { TYPE_INT4, TYPE_INT2 }, TYPE_BOOL, compare_lt },
	{ "<", 2, true, false, { TYPE_INT4, TYPE_INT8 }, TYPE_BOOL, compare_lt },
	{ "<", 2, true, false, { TYPE_INT8, TYPE_INT2 }, TYPE_BOOL, compare_lt },
	{ "<", 2, true, false, { TYPE_INT8, TYPE_INT4 }, TYPE_BOOL, compare_lt },
	{ "<=", 2, true, false, { TYPE_BOOL, TYPE_BOOL }, TYPE_BOOL, compare_le },
	{ "<=", 2, true, false, { TYPE_INT2, TYPE_INT2 }, TYPE_BOOL, compare_le },
	{ "<=", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_BOOL, compare_le },
	{ "<=", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_BOOL, compare_le },
	{ "<=", 2, true, false, { TYPE_FLOAT4, TYPE_FLOAT4 }, TYPE_BOOL, compare_le },
	{ "<=", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT8 }, TYPE_BOOL, compare_le },
	{ "<=", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_BOOL, compare_le },
	{ "<=", 2, true, false, { TYPE_TEXT, TYPE_TEXT }, TYPE_BOOL, compare_le },
	{ "<=", 2, true, false, { TYPE_BPCHAR, TYPE_BPCHAR }, TYPE_BOOL, compare_le },
	{ "<=", 2, true, false, { TYPE_BYTEA, TYPE_BYTEA }, TYPE_BOOL, compare_le },
	{ "<=", 2, true, false, { TYPE_DATE, TYPE_DATE }, TYPE_BOOL, compare_le },
	{ "<=", 2, true, false, { TYPE_TIMESTAMP, TYPE_TIMESTAMP }, TYPE_BOOL, compare_le },
	{ "<=", 2, true, false, { TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ }, TYPE_BOOL, compare_le },
	{ "<=", 2, true, false, { TYPE_UUID, TYPE_UUID }, TYPE_BOOL, compare_le },
	{ "<=", 2, true, false, { TYPE_INTERVAL, TYPE_INTERVAL }, TYPE_BOOL, compare_le },
	{ "<=", 2, true, false, { TYPE_INT2, TYPE_INT4 }, TYPE_BOOL, compare_le },
	{ "<=", 2, true, false, { TYPE_INT2, TYPE_INT8 }, TYPE_BOOL, compare_le },
	{ "<=", 2, true, false, { TYPE_INT4, TYPE_INT2 }, TYPE_BOOL, compare_le },
	{ "<=", 2, true, false, { TYPE_INT4, TYPE_INT8 }, TYPE_BOOL, compare_le },
	{ "<=", 2, true, false, { TYPE_INT8, TYPE_INT2 }, TYPE_BOOL, compare_le },
	{ "<=", 2, true, false, { TYPE_INT8, TYPE_INT4 }, TYPE_BOOL, compare_le },
	{ ">", 2, true, false, { TYPE_BOOL, TYPE_BOOL }, TYPE_BOOL, compare_gt },
	{ ">", 2, true, false, { TYPE_INT2, TYPE_INT2 }, TYPE_BOOL, compare_gt },
	{ ">", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_BOOL, compare_gt },
	{ ">", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_BOOL, compare_gt },
	{ ">", 2, true, false, { TYPE_FLOAT4, TYPE_FLOAT4 }, TYPE_BOOL, compare_gt },
	{ ">", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT8 }, TYPE_BOOL, compare_gt },
	{ ">", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_BOOL, compare_gt },
	{ ">", 2, true, false, { TYPE_TEXT, TYPE_TEXT }, TYPE_BOOL, compare_gt },
	{ ">", 2, true, false, { TYPE_BPCHAR, TYPE_BPCHAR }, TYPE_BOOL, compare_gt },
	{ ">", 2, true, false, { TYPE_BYTEA, TYPE_BYTEA }, TYPE_BOOL, compare_gt },
	{ ">", 2, true, false, { TYPE_DATE, TYPE_DATE }, TYPE_BOOL, compare_gt },
	{ ">", 2, true, false, { TYPE_TIMESTAMP, TYPE_TIMESTAMP }, TYPE_BOOL, compare_gt },
	{ ">", 2, true, false, { TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ }, TYPE_BOOL, compare_gt },
	{ ">", 2, true, false, { TYPE_UUID, TYPE_UUID }, TYPE_BOOL, compare_gt },
	{ ">", 2, true, false, { TYPE_INTERVAL, TYPE_INTERVAL }, TYPE_BOOL, compare_gt },
	{ ">", 2, true, false, { TYPE_INT2, TYPE_INT4 }, TYPE_BOOL, compare_gt },
	{ ">", 2, true, false, { TYPE_INT2, TYPE_INT8 }, TYPE_BOOL, compare_gt },
	{ ">", 2, true, false, { TYPE_INT4, TYPE_INT2 }, TYPE_BOOL, compare_gt },
	{ ">", 2, true, false, { TYPE_INT4, TYPE_INT8 }, TYPE_BOOL, compare_gt },
	{ ">", 2, true, false, { TYPE_INT8, TYPE_INT2 }, TYPE_BOOL, compare_gt },
	{ ">", 2, true, false, { TYPE_INT8, TYPE_INT4 }, TYPE_BOOL, compare_gt },
	{ ">=", 2, true, false, { TYPE_BOOL, TYPE_BOOL }, TYPE_BOOL, compare_ge },
	{ ">=", 2, true, false, { TYPE_INT2, TYPE_INT2 }, TYPE_BOOL, compare_ge },
	{ ">=", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_BOOL, compare_ge },
	{ ">=", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_BOOL, compare_ge },
	{ ">=", 2, true, false, { TYPE_FLOAT4, TYPE_FLOAT4 }, TYPE_BOOL, compare_ge },
	{ ">=", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT8 }, TYPE_BOOL, compare_ge },
	{ ">=", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_BOOL, compare_ge },
	{ ">=", 2, true, false, { TYPE_TEXT, TYPE_TEXT }, TYPE_BOOL, compare_ge },
	{ ">=", 2, true, false, { TYPE_BPCHAR, TYPE_BPCHAR }, TYPE_BOOL, compare_ge },
	{ ">=", 2, true, false, { TYPE_BYTEA, TYPE_BYTEA }, TYPE_BOOL, compare_ge },
	{ ">=", 2, true, false, { TYPE_DATE, TYPE_DATE }, TYPE_BOOL, compare_ge },
	{ ">=", 2, true, false, { TYPE_TIMESTAMP, TYPE_TIMESTAMP }, TYPE_BOOL, compare_ge },
	{ ">=", 2, true, false, { TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ }, TYPE_BOOL, compare_ge },
	{ ">=", 2, true, false, { TYPE_UUID, TYPE_UUID }, TYPE_BOOL, compare_ge },
	{ ">=", 2, true, false, { TYPE_INTERVAL, TYPE_INTERVAL }, TYPE_BOOL, compare_ge },
	{ ">=", 2, true, false, { TYPE_INT2, TYPE_INT4 }, TYPE_BOOL, compare_ge },
	{ ">=", 2, true, false, { TYPE_INT2, TYPE_INT8 }, TYPE_BOOL, compare_ge },
	{ ">=", 2, true, false, { TYPE_INT4, TYPE_INT2 }, TYPE_BOOL, compare_ge },
	{ ">=", 2, true, false, { TYPE_INT4, TYPE_INT8 }, TYPE_BOOL, compare_ge },
	{ ">=", 2, true, false, { TYPE_INT8, TYPE_INT2 }, TYPE_BOOL, compare_ge },
	{ ">=", 2, true, false, { TYPE_INT8, TYPE_INT4 }, TYPE_BOOL, compare_ge },
	{ "+", 2, true, false, { TYPE_INT2, TYPE_INT2 }, TYPE_INT2, int_add },
	{ "+", 2, true, false, { TYPE_INT2, TYPE_INT4 }, TYPE_INT4, int_add },
	{ "+", 2, true, false, { TYPE_INT2, TYPE_INT8 }, TYPE_INT8, int_add },
	{ "+", 2, true, false, { TYPE_INT4, TYPE_INT2 }, TYPE_INT4, int_add },
	{ "+", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_INT4, int_add },
	{ "+", 2, true, false, { TYPE_INT4, TYPE_INT8 }, TYPE_INT8, int_add },
	{ "+", 2, true, false, { TYPE_INT8, TYPE_INT2 }, TYPE_INT8, int_add },
	{ "+", 2, true, false, { TYPE_INT8, TYPE_INT4 }, TYPE_INT8, int_add },
	{ "+", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_INT8, int_add },
	{ "+", 2, true, false, { TYPE_FLOAT4, TYPE_FLOAT4 }, TYPE_FLOAT4, float_add4 },
	{ "+", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT8 }, TYPE_FLOAT8, float_add },
	{ "+", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_NUMERIC, num_add },
	{ "-", 2, true, false, { TYPE_INT2, TYPE_INT2 }, TYPE_INT2, int_sub },
	{ "-", 2, true, false, { TYPE_INT2, TYPE_INT4 }, TYPE_INT4, int_sub },
	{ "-", 2, true, false, { TYPE_INT2, TYPE_INT8 }, TYPE_INT8, int_sub },
	{ "-", 2, true, false, { TYPE_INT4, TYPE_INT2 }, TYPE_INT4, int_sub },
	{ "-", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_INT4, int_sub },
	{ "-", 2, true, false, { TYPE_INT4, TYPE_INT8 }, TYPE_INT8, int_sub },
	{ "-", 2, true, false, { TYPE_INT8, TYPE_INT2 }, TYPE_INT8, int_sub },
	{ "-", 2, true, false, { TYPE_INT8, TYPE_INT4 }, TYPE_INT8, int_sub },
	{ "-", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_INT8, int_sub },
	{ "-", 2, true, false, { TYPE_FLOAT4, TYPE_FLOAT4 }, TYPE_FLOAT4, float_sub4 },
	{ "-", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT8 }, TYPE_FLOAT8, float_sub },
	{ "-", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_NUMERIC, num_sub },
	{ "*", 2, true, false, { TYPE_INT2, TYPE_INT2 }, TYPE_INT2, int_mul },
	{ "*", 2, true, false, { TYPE_INT2, TYPE_INT4 }, TYPE_INT4, int_mul },
	{ "*", 2, true, false, { TYPE_INT2, TYPE_INT8 }, TYPE_INT8, int_mul },
	{ "*", 2, true, false, { TYPE_INT4, TYPE_INT2 }, TYPE_INT4, int_mul },
	{ "*", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_INT4, int_mul },
	{ "*", 2, true, false, { TYPE_INT4, TYPE_INT8 }, TYPE_INT8, int_mul },
	{ "*", 2, true, false, { TYPE_INT8, TYPE_INT2 }, TYPE_INT8, int_mul },
	{ "*", 2, true, false, { TYPE_INT8, TYPE_INT4 }, TYPE_INT8, int_mul },
	{ "*", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_INT8, int_mul },
	{ "*", 2, true, false, { TYPE_FLOAT4, TYPE_FLOAT4 }, TYPE_FLOAT4, float_mul4 },
	{ "*", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT8 }, TYPE_FLOAT8, float_mul },
	{ "*", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_NUMERIC, num_mul },
	{ "/", 2, true, false, { TYPE_INT2, TYPE_INT2 }, TYPE_INT2, int_div },
	{ "/", 2, true, false, { TYPE_INT2, TYPE_INT4 }, TYPE_INT4, int_div },
	{ "/", 2, true, false, { TYPE_INT2, TYPE_INT8 }, TYPE_INT8, int_div },
	{ "/", 2, true, false, { TYPE_INT4, TYPE_INT2 }, TYPE_INT4, int_div },
	{ "/", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_INT4, int_div },
	{ "/", 2, true, false, { TYPE_INT4, TYPE_INT8 }, TYPE_INT8, int_div },
	{ "/", 2, true, false, { TYPE_INT8, TYPE_INT2 }, TYPE_INT8, int_div },
	{ "/", 2, true, false, { TYPE_INT8, TYPE_INT4 }, TYPE_INT8, int_div },
	{ "/", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_INT8, int_div },
	{ "/", 2, true, false, { TYPE_FLOAT4, TYPE_FLOAT4 }, TYPE_FLOAT4, float_div4 },
	{ "/", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT8 }, TYPE_FLOAT8, float_div },
	{ "/", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_NUMERIC, num_div },
	{ "%", 2, true, false, { TYPE_INT2, TYPE_INT2 }, TYPE_INT2, int_mod },
	{ "%", 2, true, false, { TYPE_INT2, TYPE_INT4 }, TYPE_INT4, int_mod },
	{ "%", 2, true, false, { TYPE_INT2, TYPE_INT8 }, TYPE_INT8, int_mod },
	{ "%", 2, true, false, { TYPE_INT4, TYPE_INT2 }, TYPE_INT4, int_mod },
	{ "%", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_INT4, int_mod },
	{ "%", 2, true, false, { TYPE_INT4, TYPE_INT8 }, TYPE_INT8, int_mod },
	{ "%", 2, true, false, { TYPE_INT8, TYPE_INT2 }, TYPE_INT8, int_mod },
	{ "%", 2, true, false, { TYPE_INT8, TYPE_INT4 }, TYPE_INT8, int_mod },
	{ "%", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_INT8, int_mod },
	{ "%", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_NUMERIC, num_mod },
	{ "-", 1, true, false, { TYPE_INT2 }, TYPE_INT2, int_neg },
	{ "+", 1, true, false, { TYPE_INT2 }, TYPE_INT2, same },
	{ "abs", 1, true, false, { TYPE_INT2 }, TYPE_INT2, int_abs },
	{ "mod", 2, true, false, { TYPE_INT2, TYPE_INT2 }, TYPE_INT2, int_mod },
	{ "-", 1, true, false, { TYPE_INT4 }, TYPE_INT4, int_neg },
	{ "+", 1, true, false, { TYPE_INT4 }, TYPE_INT4, same },
	{ "abs", 1, true, false, { TYPE_INT4 }, TYPE_INT4, int_abs },
	{ "mod", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_INT4, int_mod },
	{ "-", 1, true, false, { TYPE_INT8 }, TYPE_INT8, int_neg },
	{ "+", 1, true, false, { TYPE_INT8 }, TYPE_INT8, same },
	{ "abs", 1, true, false, { TYPE_INT8 }, TYPE_INT8, int_abs },
	{ "mod", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_INT8, int_mod },
	{ "-", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_neg },
	{ "-", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_neg },
	{ "-", 1, true, false, { TYPE_FLOAT4 }, TYPE_FLOAT4, float_neg4 },
	{ "+", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, same },
	{ "+", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, same },
	{ "abs", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_abs },
	{ "abs", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_abs },
	{ "mod", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_NUMERIC, num_mod },
	{ "^", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT8 }, TYPE_FLOAT8, float_power },
	{ "^", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_NUMERIC, num_power },
	{ "power", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT8 }, TYPE_FLOAT8, float_power },
	{ "power", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_NUMERIC, num_power },
	{ "ceil", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_ceil },
	{ "ceil", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_ceil },
	{ "ceiling", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_ceil },
	{ "ceiling", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_ceil },
	{ "floor", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_floor },
	{ "floor", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_floor },
	{ "sqrt", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_sqrt },
	{ "sqrt", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_sqrt },
	{ "exp", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_exp },
	{ "exp", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_exp },
	{ "ln", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_ln },
	{ "ln", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_ln },
	{ "sign", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_sign },
	{ "sign", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_sign },
	{ "round", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_round },
	{ "round", 2, true, false, { TYPE_NUMERIC, TYPE_INT4 }, TYPE_NUMERIC, num_round },
	{ "round", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_round },
	{ "trunc", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_trunc },
	{ "trunc", 2, true, false, { TYPE_NUMERIC, TYPE_INT4 }, TYPE_NUMERIC, num_trunc },
	{ "trunc", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_trunc },
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
	{ "+", 2, true, false, { TYPE_DATE, TYPE_INT4 }, TYPE_DATE, date_add_days },
	{ "-", 2, true, false, { TYPE_DATE, TYPE_INT4 }, TYPE_DATE, date_sub_days },
	{ "-", 2, true, false, { TYPE_DATE, TYPE_DATE }, TYPE_INT4, date_sub_date },
	{ "+", 2, true, false, { TYPE_TIMESTAMP, TYPE_INTERVAL }, TYPE_TIMESTAMP, time_add },
	{ "-", 2, true, false, { TYPE_TIMESTAMP, TYPE_INTERVAL }, TYPE_TIMESTAMP, time_sub },
	{ "-", 2, true, false, { TYPE_TIMESTAMP, TYPE_TIMESTAMP }, TYPE_INTERVAL, time_diff },
	{ "date_trunc", 2, true, false, { TYPE_TEXT, TYPE_TIMESTAMP }, TYPE_TIMESTAMP, time_trunc },
	{ "+", 2, true, false, { TYPE_TIMESTAMPTZ, TYPE_INTERVAL }, TYPE_TIMESTAMPTZ, time_add },
	{ "-", 2, true, false, { TYPE_TIMESTAMPTZ, TYPE_INTERVAL }, TYPE_TIMESTAMPTZ, time_sub },
	{ "-", 2, true, false, { TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ }, TYPE_INTERVAL, time_diff },
	{ "date_trunc", 2, true, false, { TYPE_TEXT, TYPE_TIMESTAMPTZ }, TYPE_TIMESTAMPTZ,
		time_trunc },
	{ "+", 2, true, false, { TYPE_DATE, TYPE_INTERVAL }, TYPE_TIMESTAMP, time_add },
	{ "-", 2, true, false, { TYPE_DATE, TYPE_INTERVAL }, TYPE_TIMESTAMP, time_sub },
	{ "extract", 2, true, false, { TYPE_TEXT, TYPE_DATE }, TYPE_NUMERIC, time_extract },
	{ "date_part", 2, true, false, { TYPE_TEXT, TYPE_DATE }, TYPE_FLOAT8, time_part },
	{ "extract", 2, true, false, { TYPE_TEXT, TYPE_TIMESTAMP }, TYPE_NUMERIC, time_extract },
	{ "date_part", 2, true, false, { TYPE_TEXT, TYPE_TIMESTAMP }, TYPE_FLOAT8, time_part },
	{ "extract", 2, true, false, { TYPE_TEXT, TYPE_TIMESTAMPTZ }, TYPE_NUMERIC, time_extract },
	{ "date_part", 2, true, false, { TYPE_TEXT, TYPE_TIMESTAMPTZ }, TYPE_FLOAT8, time_part },
	{ "extract", 2, true, false, { TYPE_TEXT, TYPE_INTERVAL }, TYPE_NUMERIC, time_extract },
	{ "date_part", 2, true, false, { TYPE_TEXT, TYPE_INTERVAL }, TYPE_FLOAT8, time_part },
};

const struct function *function_table(unsigned *count)
{
	*count = sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]);
	return FUNCTIONS;
}
