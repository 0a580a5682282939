/*
 * numeric.c: decimal arithmetic on a 128-bit coefficient.
 *
 * A result is computed exactly as hi:lo of 256 bits where it can be that large, rounded once to the
 * scale PostgreSQL would choose, and refused when the coefficient does not fit 38 digits. The scale
 * rules are those of PostgreSQL's numeric.c, which counts in base-10000 digits: select_div_scale()
 * wants 16 significant digits by the weight of the quotient's leading base-10000 digit.
 */
#include "core/sql/numeric.h"

#include "core/base/assert.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define P10(n) ((uint128)(n))
#define E19 UINT64_C(10000000000000000000)

const uint128 numeric_pow10[NUMERIC_DIGITS + 1] = {
	P10(1ull),
	P10(10ull),
	P10(100ull),
	P10(1000ull),
	P10(10000ull),
	P10(100000ull),
	P10(1000000ull),
	P10(10000000ull),
	P10(100000000ull),
	P10(1000000000ull),
	P10(10000000000ull),
	P10(100000000000ull),
	P10(1000000000000ull),
	P10(10000000000000ull),
	P10(100000000000000ull),
	P10(1000000000000000ull),
	P10(10000000000000000ull),
	P10(100000000000000000ull),
	P10(1000000000000000000ull),
	P10(E19),
	P10(E19) * 10ull,
	P10(E19) * 100ull,
	P10(E19) * 1000ull,
	P10(E19) * 10000ull,
	P10(E19) * 100000ull,
	P10(E19) * 1000000ull,
	P10(E19) * 10000000ull,
	P10(E19) * 100000000ull,
	P10(E19) * 1000000000ull,
	P10(E19) * 10000000000ull,
	P10(E19) * 100000000000ull,
	P10(E19) * 1000000000000ull,
	P10(E19) * 10000000000000ull,
	P10(E19) * 100000000000000ull,
	P10(E19) * 1000000000000000ull,
	P10(E19) * 10000000000000000ull,
	P10(E19) * 100000000000000000ull,
	P10(E19) * 1000000000000000000ull,
	P10(E19) * E19,
};

#define LIMIT (numeric_pow10[NUMERIC_DIGITS])

enum { MIN_SIG_DIGITS = 16, BASE_DIGITS = 4 };

uint128 u128_mul(uint128 a, uint128 b, uint128 *lo)
{
	uint64_t a0 = (uint64_t)a, a1 = (uint64_t)(a >> 64);
	uint64_t b0 = (uint64_t)b, b1 = (uint64_t)(b >> 64);
	uint128 p00 = (uint128)a0 * b0, p01 = (uint128)a0 * b1;
	uint128 p10 = (uint128)a1 * b0, p11 = (uint128)a1 * b1;
	uint128 middle = (p00 >> 64) + (uint64_t)p01 + (uint64_t)p10;

	*lo = middle << 64 | (uint64_t)p00;
	return p11 + (p01 >> 64) + (p10 >> 64) + (middle >> 64);
}

uint128 u128_div(uint128 hi, uint128 lo, uint128 d, uint128 *rem)
{
	uint128 q = 0;

	DEBUG_ASSERT(hi < d && d >> 127 == 0);
	if (hi == 0) {
		*rem = lo % d;
		return lo / d;
	}
	for (int i = 0; i < 128; i++) {
		hi = hi << 1 | lo >> 127;
		lo <<= 1;
		q <<= 1;
		if (hi >= d) {
			hi -= d;
			q |= 1;
		}
	}
	*rem = hi;
	return q;
}

unsigned u128_digits(uint128 n)
{
	uint64_t hi = (uint64_t)(n >> 64), lo = (uint64_t)n;
	unsigned bits, digits;

	if (n == 0)
		return 0;
	bits = hi ? 128 - (unsigned)__builtin_clzll(hi) : 64 - (unsigned)__builtin_clzll(lo);
	digits = bits * 1233 >> 12;
	return digits > NUMERIC_DIGITS || n < numeric_pow10[digits] ? digits : digits + 1;
}

static uint128 magnitude(int128 n)
{
	return n < 0 ? -(uint128)n : (uint128)n;
}

int numeric_overflow(struct error *e)
{
	return error_set(e, ERR_NUMERIC_RANGE, 0, "numeric value out of range");
}

int numeric_infinite(struct error *e)
{
	return error_set(e, ERR_FEATURE, 0, "an infinite numeric is not supported");
}

int numeric_make_signed(
	struct value *out, bool negative, uint128 n, unsigned scale, struct error *e)
{
	if (n >= LIMIT || scale > NUMERIC_DIGITS)
		return numeric_overflow(e);
	out->n = negative ? -(int128)n : (int128)n;
	out->scale = (uint8_t)scale;
	out->flags = 0;
	out->type = TYPE_NUMERIC;
	return 0;
}

int numeric_make(struct value *out, int128 n, unsigned scale, struct error *e)
{
	return numeric_make_signed(out, n < 0, magnitude(n), scale, e);
}

void numeric_make_nan(struct value *out)
{
	out->n = 0;
	out->scale = 0;
	out->flags = VALUE_NAN;
	out->type = TYPE_NUMERIC;
}

void numeric_from_int(struct value *out, int64_t i)
{
	out->n = i;
	out->scale = 0;
	out->flags = 0;
	out->type = TYPE_NUMERIC;
}

static bool is_nan(const struct value *a)
{
	return a->flags & VALUE_NAN;
}

/* Whether one is NaN; then so is the result. */
static bool nan_result(struct value *out, const struct value *a, const struct value *b)
{
	if (!is_nan(a) && !is_nan(b))
		return false;
	numeric_make_nan(out);
	return true;
}

int numeric_weight(const struct value *a, unsigned *first)
{
	uint128 n = magnitude(a->n);
	int top = (int)u128_digits(n) - 1 - a->scale; /* decimal exponent of the leading digit */
	int weight, shift;

	if (n == 0) {
		if (first)
			*first = 0;
		return 0;
	}
	weight = top >= 0 ? top / BASE_DIGITS : -((BASE_DIGITS - 1 - top) / BASE_DIGITS);
	shift = weight * BASE_DIGITS + a->scale;
	if (first)
		*first = (unsigned)(shift >= 0 ? n / numeric_pow10[shift]
					       : n * numeric_pow10[-shift]);
	return weight;
}

/* a's coefficient at a larger scale; -1 when it is 2 * 10^38 or more. */
static int scaled_up(uint128 *out, const struct value *a, unsigned scale)
{
	uint128 lo, hi = u128_mul(magnitude(a->n), numeric_pow10[scale - a->scale], &lo);

	if (hi != 0 || lo >= 2 * LIMIT)
		return -1;
	*out = lo;
	return 0;
}

static int add_signed(struct value *out, const struct value *a, const struct value *b,
	bool negate_b, struct error *e)
{
	unsigned scale = a->scale > b->scale ? a->scale : b->scale;
	bool na = a->n < 0, nb = (b->n < 0) != negate_b;
	uint128 ma, mb;

	if (nan_result(out, a, b))
		return 0;
	/* An operand too large even to be brought back by the other one makes the result too large. */
	if (scaled_up(&ma, a, scale) < 0 || scaled_up(&mb, b, scale) < 0)
		return numeric_overflow(e);
	if (na == nb)
		return numeric_make_signed(out, na, ma + mb, scale, e);
	if (ma >= mb)
		return numeric_make_signed(out, na, ma - mb, scale, e);
	return numeric_make_signed(out, nb, mb - ma, scale, e);
}

int numeric_add(struct value *out, const struct value *a, const struct value *b, struct error *e)
{
	return add_signed(out, a, b, false, e);
}

int numeric_sub(struct value *out, const struct value *a, const struct value *b, struct error *e)
{
	return add_signed(out, a, b, true, e);
}

int numeric_mul(struct value *out, const struct value *a, const struct value *b, struct error *e)
{
	uint128 lo;

	/* Nearly all: a product of 64 bits each is below 10^38. */
	if (((a->flags | b->flags) & VALUE_NAN) == 0 && a->n == (int64_t)a->n &&
		b->n == (int64_t)b->n && a->scale + b->scale <= NUMERIC_DIGITS) {
		out->n = (int128)(int64_t)a->n * (int64_t)b->n;
		out->scale = (uint8_t)(a->scale + b->scale);
		out->flags = 0;
		out->type = TYPE_NUMERIC;
		return 0;
	}
	if (nan_result(out, a, b))
		return 0;
	if (u128_mul(magnitude(a->n), magnitude(b->n), &lo) != 0)
		return numeric_overflow(e);
	return numeric_make_signed(out, (a->n < 0) != (b->n < 0), lo, a->scale + b->scale, e);
}

/* |a| / |b| with `scale` digits after the point; rounded half up, or cut. scale + b->scale must not
 * be less than a->scale. */
static int divide(struct value *out, const struct value *a, const struct value *b, unsigned scale,
	bool round, struct error *e)
{
	uint128 d = magnitude(b->n), q, r;
	unsigned zeros = scale + b->scale - a->scale;

	if (scale > NUMERIC_DIGITS)
		return numeric_overflow(e);
	q = magnitude(a->n) / d;
	r = magnitude(a->n) % d;
	while (zeros > 0) {
		unsigned k = zeros < NUMERIC_DIGITS ? zeros : NUMERIC_DIGITS;
		uint128 lo, hi = u128_mul(q, numeric_pow10[k], &lo);

		if (hi != 0 || lo >= LIMIT)
			return numeric_overflow(e);
		q = lo;
		hi = u128_mul(r, numeric_pow10[k], &lo);
		q += u128_div(hi, lo, d, &r);
		zeros -= k;
	}
	if (round && 2 * r >= d)
		q++;
	return numeric_make_signed(out, (a->n < 0) != (b->n < 0), q, scale, e);
}

/* PostgreSQL's select_div_scale(). */
static unsigned div_scale(const struct value *a, const struct value *b)
{
	unsigned first_a, first_b;
	int weight = numeric_weight(a, &first_a) - numeric_weight(b, &first_b);
	int scale;

	if (first_a <= first_b)
		weight--;
	scale = MIN_SIG_DIGITS - weight * BASE_DIGITS;
	if (scale < a->scale)
		scale = a->scale;
	if (scale < b->scale)
		scale = b->scale;
	return (unsigned)scale;
}

int numeric_div(struct value *out, const struct value *a, const struct value *b, struct error *e)
{
	if (nan_result(out, a, b))
		return 0;
	if (b->n == 0)
		return error_set(e, ERR_DIVISION_BY_ZERO, 0, NULL);
	return divide(out, a, b, div_scale(a, b), true, e);
}

int numeric_div_trunc(
	struct value *out, const struct value *a, const struct value *b, struct error *e)
{
	struct value t;

	if (nan_result(out, a, b))
		return 0;
	if (b->n == 0)
		return error_set(e, ERR_DIVISION_BY_ZERO, 0, NULL);
	if (a->scale <= b->scale)
		return divide(out, a, b, 0, false, e);
	/* digits of a that the divisor's scale does not reach cannot change the whole quotient */
	if (numeric_trunc(&t, a, b->scale, e) < 0)
		return -1;
	return divide(out, &t, b, 0, false, e);
}

int numeric_mod(struct value *out, const struct value *a, const struct value *b, struct error *e)
{
	unsigned scale = a->scale > b->scale ? a->scale : b->scale;
	uint128 ma = magnitude(a->n), mb = magnitude(b->n), lo, hi, r;

	if (nan_result(out, a, b))
		return 0;
	if (mb == 0)
		return error_set(e, ERR_DIVISION_BY_ZERO, 0, NULL);
	if (a->scale >= b->scale) {
		hi = u128_mul(mb, numeric_pow10[scale - b->scale], &lo);
		r = hi != 0 ? ma : ma % lo;
	} else {
		hi = u128_mul(ma % mb, numeric_pow10[scale - a->scale], &lo);
		u128_div(hi, lo, mb, &r);
	}
	return numeric_make_signed(out, a->n < 0, r, scale, e);
}

enum rounding { ROUND_HALF, ROUND_ZERO, ROUND_UP, ROUND_DOWN };

static int round_to(
	struct value *out, const struct value *a, int digits, enum rounding how, struct error *e)
{
	unsigned scale = digits > 0 ? (unsigned)digits : 0;
	unsigned drop;
	uint128 n = magnitude(a->n), p, r;
	bool away;

	if (is_nan(a)) {
		numeric_make_nan(out);
		return 0;
	}
	if (digits >= (int)a->scale) {
		uint128 lo;

		if (scale > NUMERIC_DIGITS ||
			u128_mul(n, numeric_pow10[scale - a->scale], &lo) != 0)
			return numeric_overflow(e);
		return numeric_make_signed(out, a->n < 0, lo, scale, e);
	}
	if (digits < -NUMERIC_DIGITS - 1)
		digits = -NUMERIC_DIGITS - 1;
	drop = (unsigned)((int)a->scale - digits);
	if (drop > NUMERIC_DIGITS)
		return numeric_make_signed(out, false, 0, scale, e);
	p = numeric_pow10[drop];
	r = n % p;
	n /= p;
	away = how == ROUND_HALF    ? 2 * r >= p
		: how == ROUND_UP   ? r != 0 && a->n > 0
		: how == ROUND_DOWN ? r != 0 && a->n < 0
				    : false;
	n += away;
	if (digits < 0 && u128_mul(n, numeric_pow10[-digits], &n) != 0)
		return numeric_overflow(e);
	return numeric_make_signed(out, a->n < 0, n, scale, e);
}

int numeric_round(struct value *out, const struct value *a, int digits, struct error *e)
{
	return round_to(out, a, digits, ROUND_HALF, e);
}

int numeric_trunc(struct value *out, const struct value *a, int digits, struct error *e)
{
	return round_to(out, a, digits, ROUND_ZERO, e);
}

int numeric_ceil(struct value *out, const struct value *a, struct error *e)
{
	return round_to(out, a, 0, ROUND_UP, e);
}

int numeric_floor(struct value *out, const struct value *a, struct error *e)
{
	return round_to(out, a, 0, ROUND_DOWN, e);
}

int numeric_to_int(int64_t *out, const struct value *a, enum type_id type, struct error *e)
{
	int64_t max = type == TYPE_INT2 ? INT16_MAX : type == TYPE_INT4 ? INT32_MAX : INT64_MAX;
	char name[32];
	struct value t = { 0 }; /* for the compiler, which does not see that it is set */

	type_name((struct type){ .id = (uint8_t)type }, name, sizeof(name));
	if (is_nan(a))
		return error_set(e, ERR_FEATURE, 0, "cannot convert NaN to %s", name);
	/* Rounding to a whole number cannot overflow: it drops digits only. */
	if (numeric_round(&t, a, 0, e) < 0)
		return -1;
	if (t.n > max || t.n < -(int128)max - 1)
		return error_set(e, ERR_NUMERIC_RANGE, 0, "%s out of range", name);
	*out = (int64_t)t.n;
	return 0;
}

double numeric_to_double(const struct value *a)
{
	static const double exact[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10,
		1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	char buf[NUMERIC_TEXT_MAX];

	if (is_nan(a))
		return NAN;
	/* both exact, so the quotient is rounded once */
	if (magnitude(a->n) < (uint128)1 << 53 && a->scale < sizeof(exact) / sizeof(*exact))
		return (double)(int64_t)a->n / exact[a->scale];
	buf[numeric_format(a, buf)] = '\0';
	return strtod(buf, NULL);
}

float numeric_to_float(const struct value *a)
{
	char buf[NUMERIC_TEXT_MAX];

	if (is_nan(a))
		return NAN;
	buf[numeric_format(a, buf)] = '\0';
	return strtof(buf, NULL);
}

static int from_floating(struct value *out, double d, int digits, struct error *e)
{
	char buf[40];
	int n;

	if (isnan(d)) {
		numeric_make_nan(out);
		return 0;
	}
	if (isinf(d))
		return numeric_infinite(e);
	n = snprintf(buf, sizeof(buf), "%.*g", digits, d);
	return numeric_parse(out, buf, (size_t)n, e);
}

int numeric_from_double(struct value *out, double d, struct error *e)
{
	return from_floating(out, d, 15, e);
}

int numeric_from_float(struct value *out, float f, struct error *e)
{
	return from_floating(out, (double)f, 6, e);
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int bad_syntax(const char *s, size_t len, struct error *e)
{
	return error_set(e, ERR_INVALID_TEXT, 0, "invalid input syntax for type numeric: \"%.*s\"",
		(int)(len < INT_MAX ? len : INT_MAX), s);
}

/* NaN, or an infinity, which PostgreSQL has and we refuse. 1: it was one, 0: not, -1: error. */
static int parse_word(struct value *out, const char *p, size_t n, struct error *e)
{
	size_t sign = n > 0 && (*p == '+' || *p == '-');

	if (n == 3 && strncasecmp(p, "nan", 3) == 0) {
		numeric_make_nan(out);
		return 1;
	}
	if ((n - sign == 3 && strncasecmp(p + sign, "inf", 3) == 0) ||
		(n - sign == 8 && strncasecmp(p + sign, "infinity", 8) == 0))
		return numeric_infinite(e);
	return 0;
}

/* Exponent of "e[+-]digits" at p; returns the end, NULL when there is none or it is absurd. */
static const char *parse_exponent(const char *p, const char *end, long *exponent)
{
	bool negative = false;
	long x = 0;

	p++;
	if (p < end && (*p == '+' || *p == '-'))
		negative = *p++ == '-';
	if (p == end || *p < '0' || *p > '9')
		return NULL;
	for (; p < end && *p >= '0' && *p <= '9'; p++) {
		x = x * 10 + (*p - '0');
		if (x >= INT_MAX / 2)
			return NULL;
	}
	*exponent = negative ? -x : x;
	return p;
}

int numeric_parse(struct value *out, const char *s, size_t len, struct error *e)
{
	const char *p = s, *end = s + len;
	uint128 n = 0;
	long scale = 0, exponent = 0;
	bool negative = false, any = false, point = false, huge = false;
	int word;

	while (p < end && is_space(*p))
		p++;
	while (end > p && is_space(end[-1]))
		end--;
	word = parse_word(out, p, (size_t)(end - p), e);
	if (word)
		return word < 0 ? -1 : 0;
	if (p < end && (*p == '+' || *p == '-'))
		negative = *p++ == '-';
	for (; p < end; p++) {
		if (*p >= '0' && *p <= '9') {
			any = true;
			huge |= n >= LIMIT / 10;
			n = huge ? n : n * 10 + (unsigned)(*p - '0');
			scale += point;
		} else if (*p == '.' && !point) {
			point = true;
		} else {
			break;
		}
	}
	if (!any)
		return bad_syntax(s, len, e);
	if (p < end && (*p == 'e' || *p == 'E')) {
		p = parse_exponent(p, end, &exponent);
		if (!p)
			return bad_syntax(s, len, e);
	}
	if (p != end)
		return bad_syntax(s, len, e);
	scale -= exponent;
	if (huge || scale > NUMERIC_DIGITS)
		return numeric_overflow(e);
	if (scale < 0) {
		if (n != 0 &&
			(-scale > NUMERIC_DIGITS || u128_mul(n, numeric_pow10[-scale], &n) != 0))
			return numeric_overflow(e);
		scale = 0;
	}
	return numeric_make_signed(out, negative, n, (unsigned)scale, e);
}

size_t numeric_format(const struct value *v, char *buf)
{
	char digits[NUMERIC_TEXT_MAX];
	uint128 n = magnitude(v->n);
	unsigned i = sizeof(digits), written = 0;
	uint64_t low;
	size_t len = 0;

	if (is_nan(v)) {
		memcpy(buf, "NaN", 3);
		return 3;
	}
	/* 128-bit division is slow: once per 19 digits */
	for (low = (uint64_t)(n % E19), n /= E19; n != 0 || low != 0 || written <= v->scale;) {
		if (written == 19 || written == 38) {
			low = (uint64_t)(n % E19);
			n /= E19;
		}
		if (written == v->scale && written > 0)
			digits[--i] = '.';
		digits[--i] = (char)('0' + low % 10);
		low /= 10;
		written++;
	}
	if (v->n < 0)
		buf[len++] = '-';
	memcpy(buf + len, digits + i, sizeof(digits) - i);
	return len + sizeof(digits) - i;
}

int numeric_apply_modifier(struct value *v, unsigned precision, unsigned scale, struct error *e)
{
	struct value t;

	if (is_nan(v))
		return 0;
	if (scale > NUMERIC_DIGITS)
		return numeric_overflow(e);
	if (v->scale == scale &&
		magnitude(v->n) <
			numeric_pow10[precision > NUMERIC_DIGITS ? NUMERIC_DIGITS : precision])
		return 0;
	if (precision > NUMERIC_DIGITS)
		precision = NUMERIC_DIGITS;
	if (numeric_round(&t, v, (int)scale, e) < 0 || magnitude(t.n) >= numeric_pow10[precision]) {
		error_set(e, ERR_NUMERIC_RANGE, 0, "numeric field overflow");
		return error_detail(e,
			"A field with precision %u, scale %u must round to an absolute "
			"value less than %s%u.",
			precision, scale, precision > scale ? "10^" : "",
			precision > scale ? precision - scale : 1);
	}
	*v = t;
	return 0;
}

int numeric_compare(const struct value *a, const struct value *b)
{
	return value_compare(a, b);
}
