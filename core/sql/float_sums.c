/*
 * float_sums.c: see float_sums.h.
 */
#include "core/sql/float_sums.h"

#include <math.h>
#include <string.h>

#include "core/sql/limbs.h"

typedef unsigned __int128 uint128;

enum {
	WIDE = 74, /* words of count × products, and of a quotient of it */
	LEAST = -1074
};

_Static_assert((int)LEAST >= -(int)FLOAT_BIAS, "the least double has its bit");
_Static_assert((int)WIDE <= (int)LIMBS_MAX, "limbs_double() takes it");
_Static_assert(
	(int)WIDE >= (int)FLOAT_PRODUCTS + 3, "room for the count, and a quotient's further bits");

static uint64_t times(int64_t weight)
{
	return weight < 0 ? -(uint64_t)weight : (uint64_t)weight;
}

/* The 53 bits of |d|, in units of 2^*exponent. Subnormal ones have fewer: there are none below 2^-1074. */
static uint64_t mantissa(double d, int *exponent)
{
	int bits;

	(void)frexp(d, &bits);
	*exponent = bits - 53 < LEAST ? LEAST : bits - 53;
	return (uint64_t)ldexp(fabs(d), -*exponent);
}

void float_sum_add(uint64_t *sum, double a, int64_t weight)
{
	int exponent;
	uint64_t m = mantissa(a, &exponent);

	if (m != 0)
		limbs_add_times(sum, FLOAT_SUM, &m, 1, (unsigned)(exponent + FLOAT_BIAS),
			times(weight), (a < 0) != (weight < 0));
}

void float_products_add(uint64_t *products, double a, double b, int64_t weight)
{
	int ea, eb;
	uint128 m = (uint128)mantissa(a, &ea) * mantissa(b, &eb);
	uint64_t words[2] = { (uint64_t)m, (uint64_t)(m >> 64) };
	bool negative = ((a < 0) != (b < 0)) != (weight < 0);

	if (m != 0)
		limbs_add_times(products, FLOAT_PRODUCTS, words, 2,
			(unsigned)(ea + eb + 2 * FLOAT_BIAS), times(weight), negative);
}

double float_sum_value(const uint64_t *sum)
{
	return limbs_double(sum, FLOAT_SUM, FLOAT_BIAS);
}

/* A sum without its sign, which is returned. */
static bool magnitude(uint64_t *out, const uint64_t *sum)
{
	bool negative = limbs_negative(sum, FLOAT_SUM);

	memcpy(out, sum, FLOAT_SUM * sizeof(*out));
	if (negative)
		limbs_negate(out, FLOAT_SUM);
	return negative;
}

double float_covariance(const uint64_t *a, const uint64_t *b, const uint64_t *products,
	int64_t count, uint128 divisor)
{
	uint64_t w[WIDE] = { 0 }, x[FLOAT_SUM], y[FLOAT_SUM], both[WIDE] = { 0 }, sum[WIDE];
	bool negative = magnitude(x, a) != magnitude(y, b);
	double d;

	limbs_mul(both, x, FLOAT_SUM, y, FLOAT_SUM);
	if (negative)
		limbs_negate(both, WIDE);
	memset(sum, limbs_negative(products, FLOAT_PRODUCTS) ? 0xff : 0, sizeof(sum));
	memcpy(sum, products, FLOAT_PRODUCTS * sizeof(*products));
	negative = limbs_negative(sum, WIDE);
	if (negative)
		limbs_negate(sum, WIDE);
	limbs_scale(sum, WIDE, (uint64_t)count);
	if (negative)
		limbs_negate(sum, WIDE);
	limbs_sub(sum, both, WIDE);
	negative = limbs_negative(sum, WIDE);
	if (negative)
		limbs_negate(sum, WIDE);
	/* Two words more, so that the quotient has all bits that count; of the rest one does. */
	memcpy(w + 2, sum, (WIDE - 2) * sizeof(*w));
	if (limbs_div(w, WIDE, divisor) != 0)
		w[0] |= 1;
	d = limbs_double(w, WIDE, 2 * FLOAT_BIAS + 128);
	return negative ? -d : d;
}
