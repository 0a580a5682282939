/*
 * numeric_math.c: sqrt, exp, ln, log and power of numerics.
 *
 * The square root is an exact integer square root. The others are computed in fixed point with 512
 * fraction bits, which leaves more than 200 bits behind the last digit a result can have, and then
 * rounded once; an exact tie or whole result that came out a hair too small is nudged over first.
 * The scale of a result follows PostgreSQL's estimates (16 significant digits, never less than
 * an argument's scale), which are made from doubles and base-10000 digits.
 */
#include "core/base/assert.h"
#include "core/sql/numeric.h"

#include <math.h>
#include <string.h>

enum { MIN_SIG_DIGITS = 16, BASE_DIGITS = 4, PG_SCALE_MAX = 1000, PG_RESULT_SCALE_MAX = 2000 };

/* Magnitude = w / 2^512, least word first; 256 bits before the point. */
enum { FRACTION = 8, WORDS = 12, NUDGE_BITS = 150 };
struct fixed {
	uint64_t w[WORDS];
	bool negative;
};

static void fixed_from_word(struct fixed *x, uint64_t n)
{
	memset(x, 0, sizeof(*x));
	x->w[FRACTION] = n;
}

static bool fixed_is_zero(const struct fixed *x)
{
	for (int i = 0; i < WORDS; i++)
		if (x->w[i])
			return false;
	return true;
}

static int fixed_compare(const struct fixed *a, const struct fixed *b)
{
	for (int i = WORDS - 1; i >= 0; i--)
		if (a->w[i] != b->w[i])
			return a->w[i] < b->w[i] ? -1 : 1;
	return 0;
}

static void magnitude_add(struct fixed *out, const struct fixed *a, const struct fixed *b)
{
	uint64_t carry = 0;

	for (int i = 0; i < WORDS; i++) {
		uint128 s = (uint128)a->w[i] + b->w[i] + carry;

		out->w[i] = (uint64_t)s;
		carry = (uint64_t)(s >> 64);
	}
}

/* |a| >= |b| */
static void magnitude_sub(struct fixed *out, const struct fixed *a, const struct fixed *b)
{
	uint64_t borrow = 0;

	for (int i = 0; i < WORDS; i++) {
		uint128 d = (uint128)a->w[i] - b->w[i] - borrow;

		out->w[i] = (uint64_t)d;
		borrow = d >> 64 != 0;
	}
}

static void fixed_add(struct fixed *out, const struct fixed *a, const struct fixed *b)
{
	if (a->negative == b->negative) {
		bool negative = a->negative;

		magnitude_add(out, a, b);
		out->negative = negative;
	} else if (fixed_compare(a, b) >= 0) {
		bool negative = a->negative;

		magnitude_sub(out, a, b);
		out->negative = negative;
	} else {
		bool negative = b->negative;

		magnitude_sub(out, b, a);
		out->negative = negative;
	}
}

static void fixed_sub(struct fixed *out, const struct fixed *a, const struct fixed *b)
{
	struct fixed minus = *b;

	minus.negative = !minus.negative;
	fixed_add(out, a, &minus);
}

static void fixed_mul(struct fixed *out, const struct fixed *a, const struct fixed *b)
{
	uint64_t p[2 * WORDS] = { 0 };

	for (int i = 0; i < WORDS; i++) {
		uint64_t carry = 0;

		if (a->w[i] == 0)
			continue;
		for (int j = 0; j < WORDS; j++) {
			uint128 t = (uint128)a->w[i] * b->w[j] + p[i + j] + carry;

			p[i + j] = (uint64_t)t;
			carry = (uint64_t)(t >> 64);
		}
		p[i + WORDS] = carry;
	}
	memcpy(out->w, p + FRACTION, sizeof(out->w));
	out->negative = a->negative != b->negative;
}

static void fixed_mul_word(struct fixed *x, uint64_t n)
{
	uint64_t carry = 0;

	for (int i = 0; i < WORDS; i++) {
		uint128 t = (uint128)x->w[i] * n + carry;

		x->w[i] = (uint64_t)t;
		carry = (uint64_t)(t >> 64);
	}
}

static void fixed_div_word(struct fixed *x, uint64_t n)
{
	uint64_t rem = 0;

	for (int i = WORDS - 1; i >= 0; i--) {
		uint128 t = (uint128)rem << 64 | x->w[i];

		x->w[i] = (uint64_t)(t / n);
		rem = (uint64_t)(t % n);
	}
}

static void fixed_scale(struct fixed *x, unsigned power_of_10, bool divide)
{
	while (power_of_10 > 0) {
		unsigned k = power_of_10 < 19 ? power_of_10 : 19;
		uint64_t p = (uint64_t)numeric_pow10[k];

		if (divide)
			fixed_div_word(x, p);
		else
			fixed_mul_word(x, p);
		power_of_10 -= k;
	}
}

static void fixed_shift_left1(struct fixed *x)
{
	for (int i = WORDS - 1; i > 0; i--)
		x->w[i] = x->w[i] << 1 | x->w[i - 1] >> 63;
	x->w[0] <<= 1;
}

/* x * 2^k */
static void fixed_shift(struct fixed *x, int k)
{
	for (; k > 0; k--)
		fixed_shift_left1(x);
	while (k < 0) {
		int step = -k < 62 ? -k : 62;

		fixed_div_word(x, UINT64_C(1) << step);
		k += step;
	}
}

/* Long division bit by bit; |b| < 2^255, and the quotient must fit. */
static void fixed_div(struct fixed *out, const struct fixed *a, const struct fixed *b)
{
	struct fixed q, rem;

	fixed_from_word(&q, 0);
	fixed_from_word(&rem, 0);
	for (int bit = 64 * WORDS - 1; bit >= -64 * FRACTION; bit--) {
		fixed_shift_left1(&rem);
		if (bit >= 0)
			rem.w[0] |= a->w[bit / 64] >> (bit % 64) & 1;
		fixed_shift_left1(&q);
		if (fixed_compare(&rem, b) >= 0) {
			magnitude_sub(&rem, &rem, b);
			q.w[0] |= 1;
		}
	}
	q.negative = a->negative != b->negative;
	*out = q;
}

static void fixed_from_numeric(struct fixed *x, const struct value *v)
{
	uint128 n = v->n < 0 ? -(uint128)v->n : (uint128)v->n;

	fixed_from_word(x, (uint64_t)n);
	x->w[FRACTION + 1] = (uint64_t)(n >> 64);
	x->negative = v->n < 0;
	fixed_scale(x, v->scale, true);
}

/* Rounded half away from zero. */
static int fixed_to_numeric(
	struct value *out, const struct fixed *x, unsigned scale, struct error *e)
{
	struct fixed t = *x, half, nudge;

	if (scale > NUMERIC_DIGITS)
		return numeric_overflow(e);
	/* 2^127 * 10^38 stays within 256 bits */
	if (t.w[WORDS - 1] || t.w[WORDS - 2] || t.w[FRACTION + 1] >> 63)
		return numeric_overflow(e);
	fixed_scale(&t, scale, false);
	fixed_from_word(&nudge, 1);
	fixed_shift(&nudge, -NUDGE_BITS);
	fixed_from_word(&half, 0);
	half.w[FRACTION - 1] = UINT64_C(1) << 63;
	magnitude_add(&t, &t, &nudge);
	magnitude_add(&t, &t, &half);
	if (t.w[WORDS - 1] || t.w[WORDS - 2])
		return numeric_overflow(e);
	return numeric_make_signed(
		out, t.negative, (uint128)t.w[FRACTION + 1] << 64 | t.w[FRACTION], scale, e);
}

/* ln((1 + t) / (1 - t)) = 2 * (t + t^3/3 + t^5/5 + …), |t| <= 1/3 */
static void fixed_log_series(struct fixed *out, const struct fixed *t)
{
	struct fixed square, power = *t, term;

	fixed_mul(&square, t, t);
	*out = *t;
	for (uint64_t k = 3; !fixed_is_zero(&power); k += 2) {
		fixed_mul(&power, &power, &square);
		term = power;
		fixed_div_word(&term, k);
		fixed_add(out, out, &term);
	}
	fixed_shift_left1(out);
}

static void fixed_ln2(struct fixed *out)
{
	struct fixed third;

	fixed_from_word(&third, 1);
	fixed_div_word(&third, 3);
	fixed_log_series(out, &third);
}

/* Natural logarithm of x > 0: x = m * 2^k with m in [3/4, 3/2). */
static void fixed_ln(struct fixed *out, const struct fixed *x)
{
	struct fixed m = *x, one, up, down, t, ln2;
	int top = 64 * WORDS - 1, k;

	while (!(m.w[top / 64] >> (top % 64) & 1))
		top--;
	k = top - 64 * FRACTION;
	if (top > 0 && m.w[(top - 1) / 64] >> ((top - 1) % 64) & 1)
		k++;
	fixed_shift(&m, -k);
	fixed_from_word(&one, 1);
	fixed_add(&up, &m, &one);
	fixed_sub(&down, &m, &one);
	fixed_div(&t, &down, &up);
	fixed_log_series(out, &t);
	fixed_ln2(&ln2);
	fixed_mul_word(&ln2, (uint64_t)(k < 0 ? -k : k));
	ln2.negative = k < 0;
	fixed_add(out, out, &ln2);
}

/* e^x for |x| < 2^31; the caller has checked that x is below 89. x = k ln 2 + r, 0 <= r < 1. */
static void fixed_exp(struct fixed *out, const struct fixed *x)
{
	enum { HALVINGS = 16 };
	struct fixed ln2, r, term;
	double approx = ((double)x->w[FRACTION] + ldexp((double)x->w[FRACTION - 1], -64)) *
		(x->negative ? -1 : 1);
	int k = (int)floor(approx / 0.693147180559945309 - 1e-9);

	fixed_ln2(&ln2);
	r = ln2;
	fixed_mul_word(&r, (uint64_t)(k < 0 ? -k : k));
	r.negative = k < 0;
	fixed_sub(&r, x, &r);
	fixed_shift(&r, -HALVINGS);
	fixed_from_word(out, 1);
	term = *out;
	for (uint64_t n = 1; !fixed_is_zero(&term); n++) {
		fixed_mul(&term, &term, &r);
		fixed_div_word(&term, n);
		fixed_add(out, out, &term);
	}
	for (int i = 0; i < HALVINGS; i++)
		fixed_mul(out, out, out);
	fixed_shift(out, k < -1023 ? -1023 : k);
}

static unsigned clamp_scale(int scale, const struct value *a, const struct value *b)
{
	if (scale < a->scale)
		scale = a->scale;
	if (b && scale < b->scale)
		scale = b->scale;
	return (unsigned)(scale < 0 ? 0 : scale > PG_SCALE_MAX ? PG_SCALE_MAX : scale);
}

/* Exact root of hi:lo, rounded to the nearest whole number. */
static uint128 root_u256(uint128 hi, uint128 lo)
{
	uint128 root = 0, rem_hi = 0, rem_lo = 0;

	for (int i = 0; i < 128; i++) {
		uint128 try_hi, try_lo;

		rem_hi = rem_hi << 2 | rem_lo >> 126;
		rem_lo = rem_lo << 2 | hi >> 126;
		hi = hi << 2 | lo >> 126;
		lo <<= 2;
		try_hi = root >> 126;
		try_lo = root << 2 | 1;
		root <<= 1;
		if (rem_hi > try_hi || (rem_hi == try_hi && rem_lo >= try_lo)) {
			rem_hi -= try_hi + (rem_lo < try_lo);
			rem_lo -= try_lo;
			root |= 1;
		}
	}
	return root + (rem_hi != 0 || rem_lo > root);
}

int numeric_sqrt(struct value *out, const struct value *a, struct error *e)
{
	int weight = numeric_weight(a, NULL) * BASE_DIGITS, half;

	if (a->flags & VALUE_NAN) {
		numeric_make_nan(out);
		return 0;
	}
	if (a->n < 0)
		return error_set(
			e, ERR_INVALID_POWER, 0, "cannot take square root of a negative number");
	half = weight >= 0 ? weight / 2 + 1 : 1 - (1 - weight) / 2;
	return numeric_sqrt_scale(out, a, clamp_scale(MIN_SIG_DIGITS - half, a, NULL), e);
}

int numeric_sqrt_scale(struct value *out, const struct value *a, unsigned scale, struct error *e)
{
	unsigned zeros;
	uint128 hi, lo;

	if (scale > NUMERIC_DIGITS)
		return numeric_overflow(e);
	zeros = 2 * scale - a->scale;
	lo = (uint128)a->n;
	hi = 0;
	while (zeros > 0) {
		unsigned k = zeros < NUMERIC_DIGITS ? zeros : NUMERIC_DIGITS;
		uint128 p = numeric_pow10[k], carry = u128_mul(lo, p, &lo), high;

		if (u128_mul(hi, p, &high) != 0 || high + carry < carry ||
			high + carry >= (uint128)1 << 126)
			return numeric_overflow(e);
		hi = high + carry;
		zeros -= k;
	}
	return numeric_make_signed(out, false, root_u256(hi, lo), scale, e);
}

/* PostgreSQL's estimate of the decimal weight of ln(a), a > 0. */
static int ln_weight(const struct value *a)
{
	uint128 one = numeric_pow10[a->scale], n = (uint128)a->n;
	/* tenths, exact: 0.9 <= a <= 1.1 */
	bool near = a->scale == 0 ? n == 1 : n >= one / 10 * 9 && n <= one / 10 * 11;
	struct value distance = *a;
	unsigned first;
	int weight;

	if (!near)
		return (int)log10(fabs(log(numeric_to_double(a))));
	if (n == one)
		return 0;
	distance.n = n > one ? (int128)(n - one) : (int128)(one - n);
	weight = numeric_weight(&distance, &first);
	return weight * BASE_DIGITS + (int)log10((double)first);
}

int numeric_exp(struct value *out, const struct value *a, struct error *e)
{
	struct fixed x;
	double v;
	unsigned scale;

	if (a->flags & VALUE_NAN) {
		numeric_make_nan(out);
		return 0;
	}
	v = numeric_to_double(a) * 0.434294481903252;
	if (v >= NUMERIC_DIGITS + 1)
		return numeric_overflow(e);
	if (v < -PG_RESULT_SCALE_MAX)
		v = -PG_RESULT_SCALE_MAX;
	scale = clamp_scale(MIN_SIG_DIGITS - (int)v, a, NULL);
	if (scale > NUMERIC_DIGITS)
		return numeric_overflow(e);
	fixed_from_numeric(&x, a);
	fixed_exp(&x, &x);
	return fixed_to_numeric(out, &x, scale, e);
}

static int check_logarithm(const struct value *a, struct error *e)
{
	if (a->n < 0)
		return error_set(
			e, ERR_INVALID_LOG, 0, "cannot take logarithm of a negative number");
	if (a->n == 0)
		return error_set(e, ERR_INVALID_LOG, 0, "cannot take logarithm of zero");
	return 0;
}

int numeric_ln(struct value *out, const struct value *a, struct error *e)
{
	struct fixed x;

	if (a->flags & VALUE_NAN) {
		numeric_make_nan(out);
		return 0;
	}
	if (check_logarithm(a, e) < 0)
		return -1;
	fixed_from_numeric(&x, a);
	fixed_ln(&x, &x);
	return fixed_to_numeric(out, &x, clamp_scale(MIN_SIG_DIGITS - ln_weight(a), a, NULL), e);
}

int numeric_log(struct value *out, const struct value *base, const struct value *a, struct error *e)
{
	struct fixed x, b;
	int weight;

	if ((a->flags | base->flags) & VALUE_NAN) {
		numeric_make_nan(out);
		return 0;
	}
	if (check_logarithm(base, e) < 0 || check_logarithm(a, e) < 0)
		return -1;
	fixed_from_numeric(&b, base);
	fixed_ln(&b, &b);
	if (fixed_is_zero(&b))
		return error_set(e, ERR_DIVISION_BY_ZERO, 0, NULL);
	fixed_from_numeric(&x, a);
	fixed_ln(&x, &x);
	fixed_div(&x, &x, &b);
	weight = ln_weight(a) - ln_weight(base);
	return fixed_to_numeric(out, &x, clamp_scale(MIN_SIG_DIGITS - weight, base, a), e);
}

/* What needs no arithmetic. 1: done, 0: go on, -1: error. */
static int power_special(struct value *out, const struct value *a, const struct value *b,
	bool whole, struct error *e)
{
	if ((a->flags | b->flags) & VALUE_NAN) {
		bool one = (!(b->flags & VALUE_NAN) && b->n == 0) ||
			(!(a->flags & VALUE_NAN) && a->n == (int128)numeric_pow10[a->scale]);

		if (one)
			numeric_from_int(out, 1);
		else
			numeric_make_nan(out);
		return 1;
	}
	if (a->n == 0 && b->n < 0)
		return error_set(
			e, ERR_INVALID_POWER, 0, "zero raised to a negative power is undefined");
	if (a->n < 0 && !whole)
		return error_set(e, ERR_INVALID_POWER, 0,
			"a negative number raised to a non-integer "
			"power yields a complex result");
	if (a->n == 0 && b->n != 0) {
		unsigned scale = whole ? clamp_scale(MIN_SIG_DIGITS, a, NULL) : MIN_SIG_DIGITS;

		return numeric_make(out, 0, scale, e) < 0 ? -1 : 1;
	}
	return 0;
}

int numeric_power(struct value *out, const struct value *a, const struct value *b, struct error *e)
{
	uint128 unit = numeric_pow10[b->scale];
	uint128 mb = b->n < 0 ? -(uint128)b->n : (uint128)b->n;
	bool whole = !(b->flags & VALUE_NAN) && mb % unit == 0;
	bool negative = whole && a->n < 0 && (mb / unit & 1);
	struct fixed x, y;
	struct value base = *a;
	double weight;
	unsigned scale;
	int rc = power_special(out, a, b, whole, e);

	if (rc)
		return rc < 0 ? -1 : 0;
	if (base.n < 0)
		base.n = -base.n;
	weight = base.n == 0 ? 0 : log10(numeric_to_double(&base)) * numeric_to_double(b);
	if (weight >= NUMERIC_DIGITS + 1)
		return numeric_overflow(e);
	if (weight < -PG_SCALE_MAX)
		weight = -PG_SCALE_MAX;
	/* PostgreSQL multiplies for a whole exponent, with another scale than by logarithms. */
	if (whole && mb / unit <= INT32_MAX)
		scale = clamp_scale(MIN_SIG_DIGITS, a, NULL);
	else
		scale = clamp_scale(MIN_SIG_DIGITS - (int)weight, a, b);
	if (scale > NUMERIC_DIGITS)
		return numeric_overflow(e);
	/* Too small to leave a digit, and too far for fixed_exp(). */
	if (weight + 1 < -(double)scale)
		return numeric_make(out, 0, scale, e);
	if (base.n == 0) {
		fixed_from_word(&x, 1);
	} else {
		fixed_from_numeric(&x, &base);
		fixed_ln(&x, &x);
		fixed_from_numeric(&y, b);
		fixed_mul(&x, &x, &y);
		fixed_exp(&x, &x);
	}
	x.negative = negative;
	return fixed_to_numeric(out, &x, scale, e);
}
