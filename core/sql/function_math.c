/*
 * function_math.c: functions of numbers besides arithmetic: trigonometry, divisors, digits, buckets.
 */
#include <math.h>

#include "core/sql/function_table.h"
#include "core/sql/numeric.h"

/* --- trigonometry --- */

static int out_of_range(struct call *c)
{
	return error_set(c->error, ERR_NUMERIC_RANGE, 0, "input is out of range");
}

static int float_is(struct value *out, double d)
{
	result(out, TYPE_FLOAT8);
	out->d = d;
	return 0;
}

/* As FINITE, where no infinite argument has an answer; RANGE, where an argument beyond min … max has none. */
#define RANGE(name, fn, min, max) \
	static int name(ARGS) \
	{ \
		double x = a[0].d; \
		(void)n; \
		if (x < (min) || x > (max)) \
			return out_of_range(c); \
		return float_is(out, fn(x)); \
	}
#define FINITE(name, fn) \
	static int name(ARGS) \
	{ \
		(void)n; \
		if (isinf(a[0].d)) \
			return out_of_range(c); \
		return float_is(out, fn(a[0].d)); \
	}

static double cotangent(double x)
{
	return 1.0 / tan(x);
}

FINITE(float_sin, sin)
FINITE(float_cos, cos)
FINITE(float_tan, tan)
FINITE(float_cot, cotangent)
RANGE(float_asin, asin, -1.0, 1.0)
RANGE(float_acos, acos, -1.0, 1.0)
RANGE(float_atan, atan, -(double)INFINITY, (double)INFINITY)
RANGE(float_sinh, sinh, -(double)INFINITY, (double)INFINITY)
RANGE(float_cosh, cosh, -(double)INFINITY, (double)INFINITY)
RANGE(float_tanh, tanh, -(double)INFINITY, (double)INFINITY)
RANGE(float_asinh, asinh, -(double)INFINITY, (double)INFINITY)
RANGE(float_acosh, acosh, 1.0, (double)INFINITY)
RANGE(float_atanh, atanh, -1.0, 1.0)

static int float_atan2(ARGS)
{
	(void)n;
	(void)c;
	return float_is(out, atan2(a[0].d, a[1].d));
}

#define RADIANS_PER_DEGREE 0.0174532925199432957692

static int scaled(struct value *out, double d, double from, struct call *c)
{
	if (isinf(d) && !isinf(from))
		return error_set(c->error, ERR_NUMERIC_RANGE, 0, "value out of range: overflow");
	if (d == 0 && from != 0)
		return error_set(c->error, ERR_NUMERIC_RANGE, 0, "value out of range: underflow");
	return float_is(out, d);
}

static int float_degrees(ARGS)
{
	(void)n;
	return scaled(out, a[0].d / RADIANS_PER_DEGREE, a[0].d, c);
}

static int float_radians(ARGS)
{
	(void)n;
	return scaled(out, a[0].d * RADIANS_PER_DEGREE, a[0].d, c);
}

/* --- divisors --- */

static uint128 divisor(uint128 x, uint128 y)
{
	while (y != 0) {
		uint128 rest = x % y;

		x = y;
		y = rest;
	}
	return x;
}

static uint128 magnitude(int128 n)
{
	return n < 0 ? -(uint128)n : (uint128)n;
}

static int whole(struct value *out, enum type_id t, uint128 n, struct call *c)
{
	if (n > (t == TYPE_INT4 ? (uint128)INT32_MAX : (uint128)INT64_MAX))
		return error_set(c->error, ERR_NUMERIC_RANGE, 0, "%s out of range",
			t == TYPE_INT4 ? "integer" : "bigint");
	result(out, t);
	out->i = (int64_t)n;
	return 0;
}

static int int_gcd(ARGS)
{
	(void)n;
	return whole(
		out, (enum type_id)a[0].type, divisor(magnitude(a[0].i), magnitude(a[1].i)), c);
}

static int int_lcm(ARGS)
{
	uint128 x = magnitude(a[0].i), y = magnitude(a[1].i);

	(void)n;
	return whole(out, (enum type_id)a[0].type, x == 0 || y == 0 ? 0 : x / divisor(x, y) * y, c);
}

/* Both as whole numbers of the larger scale. */
static int common_scale(
	const struct value *a, uint128 *x, uint128 *y, unsigned *scale, struct call *c)
{
	uint128 *each[2] = { x, y };

	*scale = a[0].scale > a[1].scale ? a[0].scale : a[1].scale;
	for (unsigned i = 0; i < 2; i++) {
		uint128 high, by = numeric_pow10[*scale - a[i].scale];

		high = u128_mul(magnitude(a[i].n), by, each[i]);
		if (high != 0)
			return numeric_overflow(c->error);
	}
	return 0;
}

static bool either_nan(struct value *out, const struct value *a)
{
	if (!((a[0].flags | a[1].flags) & VALUE_NAN))
		return false;
	numeric_make_nan(out);
	return true;
}

static int num_gcd(ARGS)
{
	unsigned scale = 0;
	uint128 x = 0, y = 0;

	(void)n;
	if (either_nan(out, a))
		return 0;
	if (common_scale(a, &x, &y, &scale, c) != 0)
		return -1;
	return numeric_make_signed(out, false, divisor(x, y), scale, c->error);
}

static int num_lcm(ARGS)
{
	unsigned scale = 0;
	uint128 x = 0, y = 0, low;

	(void)n;
	if (either_nan(out, a))
		return 0;
	if (common_scale(a, &x, &y, &scale, c) != 0)
		return -1;
	if (x == 0 || y == 0)
		return numeric_make_signed(out, false, 0, scale, c->error);
	if (u128_mul(x / divisor(x, y), y, &low) != 0)
		return numeric_overflow(c->error);
	return numeric_make_signed(out, false, low, scale, c->error);
}

static int num_factorial(ARGS)
{
	uint128 product = 1;

	(void)n;
	if (a[0].i < 0)
		return error_set(c->error, ERR_NUMERIC_RANGE, 0,
			"factorial of a negative number is undefined");
	for (int64_t i = 2; i <= a[0].i; i++) {
		if (product >= numeric_pow10[NUMERIC_DIGITS] / (uint64_t)i)
			return numeric_overflow(c->error);
		product *= (uint64_t)i;
	}
	return numeric_make_signed(out, false, product, 0, c->error);
}

/* --- digits --- */

/* The digits after the point that are not zeros at its end. */
static unsigned least_scale(const struct value *v, int128 *n)
{
	unsigned scale = v->scale;

	for (*n = v->n; scale > 0 && *n % 10 == 0; scale--)
		*n /= 10;
	return scale;
}

static int digits(struct value *out, const struct value *v, unsigned scale)
{
	result(out, TYPE_INT4);
	out->i = scale;
	if (v->flags & VALUE_NAN)
		out->flags = VALUE_NULL;
	return 0;
}

static int num_scale(ARGS)
{
	(void)n;
	(void)c;
	return digits(out, &a[0], a[0].scale);
}

static int num_min_scale(ARGS)
{
	int128 ignored;

	(void)n;
	(void)c;
	return digits(out, &a[0], least_scale(&a[0], &ignored));
}

static int num_trim_scale(ARGS)
{
	int128 trimmed;
	unsigned scale = least_scale(&a[0], &trimmed);

	(void)n;
	*out = a[0];
	return a[0].flags & VALUE_NAN ? 0 : numeric_make(out, trimmed, scale, c->error);
}

/* --- width_bucket(operand, low, high, count) --- */

static int bad_bucket(const char *why, struct call *c)
{
	return error_set(c->error, ERR_WIDTH_BUCKET, 0, "%s", why);
}

static int bucket(struct value *out, int64_t n, struct call *c)
{
	if (n > INT32_MAX)
		return error_set(c->error, ERR_NUMERIC_RANGE, 0, "integer out of range");
	result(out, TYPE_INT4);
	out->i = n;
	return 0;
}

static int float_bucket(ARGS)
{
	double x = a[0].d, low = a[1].d, high = a[2].d, place;
	int64_t count = a[3].i;

	(void)n;
	if (count <= 0)
		return bad_bucket("count must be greater than zero", c);
	if (isnan(x) || isnan(low) || isnan(high))
		return bad_bucket("operand, lower bound, and upper bound cannot be NaN", c);
	if (isinf(low) || isinf(high))
		return bad_bucket("lower and upper bounds must be finite", c);
	if (low == high)
		return bad_bucket("lower bound cannot equal upper bound", c);
	if (low > high) {
		x = -x;
		low = -low;
		high = -high;
	}
	if (x < low || x >= high)
		return bucket(out, x < low ? 0 : count + 1, c);
	/* PostgreSQL 15 does not care when the product is too large for a float, or the quotient rounds to one bucket more. */
	place = (double)count * (x - low) / (high - low) + 1;
	if (!(place < 0x1p31))
		return error_set(c->error, ERR_FEATURE, 0,
			"width_bucket() of bounds so far apart is not supported");
	return bucket(out, (int64_t)place, c);
}

static int numeric_bucket(ARGS)
{
	struct value from, width, count, product, quotient;
	int side = numeric_compare(&a[1], &a[2]);
	int64_t k;

	(void)n;
	if (a[3].i <= 0)
		return bad_bucket("count must be greater than zero", c);
	if ((a[0].flags | a[1].flags | a[2].flags) & VALUE_NAN)
		return bad_bucket("operand, lower bound, and upper bound cannot be NaN", c);
	if (side == 0)
		return bad_bucket("lower bound cannot equal upper bound", c);
	if (numeric_compare(&a[0], &a[1]) * side > 0)
		return bucket(out, 0, c);
	if (numeric_compare(&a[0], &a[2]) * side <= 0)
		return bucket(out, a[3].i + 1, c);
	numeric_from_int(&count, a[3].i);
	if (numeric_sub(&from, &a[0], &a[1], c->error) != 0 ||
		numeric_sub(&width, &a[2], &a[1], c->error) != 0 ||
		numeric_mul(&product, &from, &count, c->error) != 0 ||
		numeric_div_trunc(&quotient, &product, &width, c->error) != 0 ||
		numeric_to_int(&k, &quotient, TYPE_INT8, c->error) != 0)
		return -1;
	return bucket(out, k + 1, c);
}

#define F TYPE_FLOAT8
#define N TYPE_NUMERIC
static const struct function FUNCTIONS[] = {
	/* name, arguments, strict, variadic, their types, result, what does it */
	{ "sin", 1, true, false, { F }, F, float_sin },
	{ "cos", 1, true, false, { F }, F, float_cos },
	{ "tan", 1, true, false, { F }, F, float_tan },
	{ "cot", 1, true, false, { F }, F, float_cot },
	{ "asin", 1, true, false, { F }, F, float_asin },
	{ "acos", 1, true, false, { F }, F, float_acos },
	{ "atan", 1, true, false, { F }, F, float_atan },
	{ "atan2", 2, true, false, { F, F }, F, float_atan2 },
	{ "sinh", 1, true, false, { F }, F, float_sinh },
	{ "cosh", 1, true, false, { F }, F, float_cosh },
	{ "tanh", 1, true, false, { F }, F, float_tanh },
	{ "asinh", 1, true, false, { F }, F, float_asinh },
	{ "acosh", 1, true, false, { F }, F, float_acosh },
	{ "atanh", 1, true, false, { F }, F, float_atanh },
	{ "degrees", 1, true, false, { F }, F, float_degrees },
	{ "radians", 1, true, false, { F }, F, float_radians },
	{ "gcd", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_INT4, int_gcd },
	{ "gcd", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_INT8, int_gcd },
	{ "gcd", 2, true, false, { N, N }, N, num_gcd },
	{ "lcm", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_INT4, int_lcm },
	{ "lcm", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_INT8, int_lcm },
	{ "lcm", 2, true, false, { N, N }, N, num_lcm },
	{ "factorial", 1, true, false, { TYPE_INT8 }, N, num_factorial },
	{ "scale", 1, true, false, { N }, TYPE_INT4, num_scale },
	{ "min_scale", 1, true, false, { N }, TYPE_INT4, num_min_scale },
	{ "trim_scale", 1, true, false, { N }, N, num_trim_scale },
	{ "width_bucket", 4, true, false, { F, F, F, TYPE_INT4 }, TYPE_INT4, float_bucket },
	{ "width_bucket", 4, true, false, { N, N, N, TYPE_INT4 }, TYPE_INT4, numeric_bucket },
};
#undef F
#undef N

const struct function_list FUNCTIONS_MATH = { FUNCTIONS, sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]) };
