/*
 * percentile.h: against a sorted list, in both directions, while values come and go.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "core/flow/percentile.h"

static void put(struct ordered *o, double d, int64_t weight, struct heap *h)
{
	struct value v = { .d = d, .type = TYPE_FLOAT8 };

	assert_int_equal(ordered_add(o, &v, weight, h), 0);
}

static double continuous(const struct ordered *o, double fraction, bool descending)
{
	struct value out = { .type = TYPE_FLOAT8 };
	struct error e;

	assert_int_equal(percentile_continuous(o, fraction, descending, &out, &e), 0);
	return value_is_null(&out) ? (double)NAN : out.d;
}

static double discrete(const struct ordered *o, double fraction, bool descending)
{
	struct value out;

	return percentile_discrete(o, fraction, descending, &out) ? out.d : (double)NAN;
}

static double mode(const struct ordered *o, bool descending)
{
	struct value out;

	return most_frequent(o, descending, &out) ? out.d : (double)NAN;
}

static void test_nothing(void **unused)
{
	struct ordered o = { NULL };

	(void)unused;
	assert_true(isnan(continuous(&o, 0.5, false)));
	assert_true(isnan(discrete(&o, 0.5, false)));
	assert_true(isnan(mode(&o, false)));
}

static void test_percentiles(void **unused)
{
	struct heap *h = heap_new(NULL);
	struct ordered o = { NULL };

	(void)unused;
	/* 1 1 1 3 7 */
	put(&o, 7, 1, h);
	put(&o, 1, 2, h);
	put(&o, 3, 1, h);
	put(&o, 1, 1, h);
	assert_true(continuous(&o, 0, false) == 1 && continuous(&o, 0, true) == 7);
	assert_true(continuous(&o, 1, false) == 7 && continuous(&o, 1, true) == 1);
	assert_true(continuous(&o, 0.5, false) == 1 && continuous(&o, 0.75, false) == 3);
	/* Half way between 1 and 3, a quarter of the way from 7 to 3. */
	assert_true(continuous(&o, 0.625, false) == 2);
	assert_true(continuous(&o, 0.0625, true) == 6);
	assert_true(discrete(&o, 0, false) == 1 && discrete(&o, 0, true) == 7);
	assert_true(discrete(&o, 0.6, false) == 1 && discrete(&o, 0.61, false) == 3);
	assert_true(discrete(&o, 0.2, true) == 7 && discrete(&o, 0.21, true) == 3);
	assert_true(discrete(&o, 1, false) == 7 && discrete(&o, 1, true) == 1);
	assert_true(isnan(discrete(&o, (double)NAN, false)));
	put(&o, 1, -3, h);
	assert_true(continuous(&o, 0.5, false) == 5 && discrete(&o, 0.5, false) == 3);
	ordered_free(&o, h);
	assert_int_equal(heap_used(h), 0);
	heap_free_all(h);
}

static void test_mode(void **unused)
{
	struct heap *h = heap_new(NULL);
	struct ordered o = { NULL };

	(void)unused;
	put(&o, 2, 2, h);
	put(&o, 1, 1, h);
	assert_true(mode(&o, false) == 2 && mode(&o, true) == 2);
	put(&o, 1, 1, h);
	assert_true(mode(&o, false) == 1 && mode(&o, true) == 2);
	/* Zeros of either sign are one value. */
	put(&o, 0, 2, h);
	put(&o, -0.0, 1, h);
	assert_true(mode(&o, false) == 0);
	put(&o, -0.0, -1, h);
	put(&o, 0, -1, h);
	assert_true(mode(&o, false) == 1);
	ordered_free(&o, h);
	heap_free_all(h);
}

static void test_intervals(void **unused)
{
	struct heap *h = heap_new(NULL);
	struct ordered o = { NULL };
	struct value v[2] = { { .iv = { .days = 1 }, .type = TYPE_INTERVAL },
		{ .iv = { .days = 4 }, .type = TYPE_INTERVAL } };
	struct value out = { .type = TYPE_INTERVAL };
	struct error e;

	(void)unused;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(ordered_add(&o, &v[i], 1, h), 0);
	assert_int_equal(percentile_continuous(&o, 0.5, false, &out, &e), 0);
	/* Half of three days. */
	assert_int_equal(out.iv.days, 2);
	assert_int_equal(out.iv.us, INT64_C(43200000000));
	ordered_free(&o, h);
	heap_free_all(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_percentiles), cmocka_unit_test(test_mode),
		cmocka_unit_test(test_intervals) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
