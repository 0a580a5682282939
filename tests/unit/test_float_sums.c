/*
 * float_sums.h: sums and products of every size of double, negative and subnormal ones too, that come and go.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/sql/float_sums.h"
#include "core/sql/limbs.h"

struct sums {
	uint64_t a[FLOAT_SUM], b[FLOAT_SUM], products[FLOAT_PRODUCTS];
	int64_t count;
};

static void add(struct sums *s, double a, double b, int64_t weight)
{
	float_sum_add(s->a, a, weight);
	float_sum_add(s->b, b, weight);
	float_products_add(s->products, a, b, weight);
	s->count += weight;
}

static double covariance(const struct sums *s)
{
	return float_covariance(s->a, s->b, s->products, s->count,
		(unsigned __int128)s->count * (uint64_t)s->count);
}

static void test_sums(void **unused)
{
	static const double VALUES[] = { 0, -0.0, 1, -1, 0.1, DBL_MAX, -DBL_MAX, DBL_MIN,
		DBL_TRUE_MIN, -DBL_TRUE_MIN, 3 * DBL_TRUE_MIN, DBL_MIN / 3, 1e-310, 1e300 };

	(void)unused;
	for (unsigned i = 0; i < sizeof(VALUES) / sizeof(VALUES[0]); i++) {
		uint64_t sum[FLOAT_SUM] = { 0 };

		float_sum_add(sum, VALUES[i], 1);
		assert_true(float_sum_value(sum) == VALUES[i]);
		float_sum_add(sum, DBL_MAX, 3);
		float_sum_add(sum, VALUES[i], -2);
		float_sum_add(sum, DBL_MAX, -3);
		assert_true(float_sum_value(sum) == -VALUES[i]);
		float_sum_add(sum, VALUES[i], 1);
		assert_true(limbs_zero(sum, FLOAT_SUM));
	}
}

static void test_covariance(void **unused)
{
	struct sums s = { .count = 0 };

	(void)unused;
	/* Mean 2 and 0: (-1 × 3 + 0 × 0 + 1 × -3) / 3. */
	add(&s, 1, 3, 1);
	add(&s, 2, 0, 1);
	add(&s, 3, -3, 1);
	assert_true(covariance(&s) == -2);
	/* The same beside numbers that come and go. */
	add(&s, DBL_MAX, -DBL_MAX, 5);
	add(&s, DBL_TRUE_MIN, DBL_MAX, 5);
	add(&s, DBL_MAX, -DBL_MAX, -5);
	add(&s, DBL_TRUE_MIN, DBL_MAX, -5);
	assert_true(covariance(&s) == -2);
	/* The sign of the product of the sums. */
	add(&s, -10, 7, 1);
	/* Sums -4, 7; products 3 + 0 - 9 - 70: (4 × -76 + 28) / 16. */
	assert_true(covariance(&s) == -17.25);
}

static void test_limits(void **unused)
{
	struct sums s = { .count = 0 };

	(void)unused;
	add(&s, DBL_TRUE_MIN, DBL_TRUE_MIN, 1);
	add(&s, -DBL_TRUE_MIN, -DBL_TRUE_MIN, 1);
	assert_false(limbs_zero(s.products, FLOAT_PRODUCTS));
	/* 2^-2148 is below all doubles. */
	assert_true(covariance(&s) == 0);
	add(&s, DBL_TRUE_MIN, DBL_TRUE_MIN, -1);
	add(&s, -DBL_TRUE_MIN, -DBL_TRUE_MIN, -1);
	assert_true(limbs_zero(s.products, FLOAT_PRODUCTS));
	add(&s, DBL_MAX, DBL_MAX, 1);
	add(&s, -DBL_MAX, DBL_MAX, 1);
	add(&s, DBL_MAX, -DBL_MAX, 1);
	add(&s, -DBL_MAX, -DBL_MAX, 1);
	assert_true(covariance(&s) == 0);
	add(&s, DBL_MAX, DBL_MAX, 4);
	assert_true(isinf(covariance(&s)) && covariance(&s) > 0);
	memset(&s, 0, sizeof(s));
	add(&s, DBL_MAX, DBL_TRUE_MIN, 1);
	add(&s, 0, 0, 1);
	/* (2 × ab - ab) / 4 */
	assert_true(covariance(&s) == DBL_MAX * DBL_TRUE_MIN / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_sums),
		cmocka_unit_test(test_covariance), cmocka_unit_test(test_limits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
