/*
 * regression.h: against sums over a list, while pairs come and go in any order; what is not finite; too few pairs.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/sql/regression.h"

static void add(struct regression_state *s, double y, double x, int64_t weight, struct heap *h)
{
	struct value args[2] = { { .d = y, .type = TYPE_FLOAT8 }, { .d = x, .type = TYPE_FLOAT8 } };
	struct error e;
	struct call c = { NULL, &e, 0 };
	struct value pair;

	assert_int_equal(REGRESSION_PAIR.eval(&pair, args, 2, &c), 0);
	assert_int_equal(regression_add(s, &pair, weight, h, &e), 0);
}

/* NaN for NULL, too. */
static double get(const struct regression_state *s, enum regression_kind kind)
{
	struct value out;
	struct error e;

	assert_int_equal(regression_result(s, kind, &out, &e), 0);
	if (value_is_null(&out))
		return (double)NAN;
	return kind == REGR_COUNT ? (double)out.i : out.d;
}

static bool null(const struct regression_state *s, enum regression_kind kind)
{
	struct value out;
	struct error e;

	assert_int_equal(regression_result(s, kind, &out, &e), 0);
	return value_is_null(&out);
}

static void near(double a, double b)
{
	assert_true(fabs(a - b) <= 1e-12 * (1 + fabs(b)));
}

static void test_few(void **unused)
{
	struct heap *h = heap_new(NULL);
	struct regression_state s = { .count = 0 };

	(void)unused;
	assert_true(get(&s, REGR_COUNT) == 0);
	for (int k = REGR_AVGX; k <= REGR_COVAR_SAMP; k++)
		assert_true(null(&s, (enum regression_kind)k));
	add(&s, 3, 2, 1, h);
	assert_true(get(&s, REGR_AVGX) == 2 && get(&s, REGR_AVGY) == 3);
	assert_true(get(&s, REGR_SXX) == 0 && get(&s, REGR_COVAR_POP) == 0);
	assert_true(null(&s, REGR_COVAR_SAMP) && null(&s, REGR_CORR) && null(&s, REGR_SLOPE) &&
		null(&s, REGR_R2));
	/* y the same, x not. */
	add(&s, 3, 4, 1, h);
	assert_true(get(&s, REGR_R2) == 1 && null(&s, REGR_CORR) && get(&s, REGR_SLOPE) == 0 &&
		get(&s, REGR_INTERCEPT) == 3);
	regression_free(&s, h);
	assert_int_equal(heap_used(h), 0);
	heap_free_all(h);
}

/* A line, and pairs far from it that go again. */
static void test_line(void **unused)
{
	struct heap *h = heap_new(NULL);
	struct regression_state s = { .count = 0 };

	(void)unused;
	for (int i = 0; i < 10; i++) {
		add(&s, 3.0 * i - 7, i, 1, h);
		add(&s, DBL_MAX, -DBL_MAX, 1, h);
	}
	add(&s, DBL_MAX, -DBL_MAX, -10, h);
	assert_true(get(&s, REGR_COUNT) == 10);
	assert_true(get(&s, REGR_SLOPE) == 3 && get(&s, REGR_INTERCEPT) == -7);
	assert_true(get(&s, REGR_CORR) == 1 && get(&s, REGR_R2) == 1);
	assert_true(get(&s, REGR_SXX) == 82.5 && get(&s, REGR_SXY) == 247.5 &&
		get(&s, REGR_SYY) == 742.5);
	assert_true(get(&s, REGR_COVAR_POP) == 24.75 && get(&s, REGR_COVAR_SAMP) == 27.5);
	regression_free(&s, h);
	heap_free_all(h);
}

static void test_random(void **unused)
{
	enum { N = 50 };
	struct heap *h = heap_new(NULL);
	struct regression_state s = { .count = 0 };
	double x[N], y[N], mx = 0, my = 0, xx = 0, yy = 0, xy = 0;

	(void)unused;
	for (unsigned i = 0; i < N; i++) {
		x[i] = (double)(hash_u64(i) % 1000) / 7;
		y[i] = (double)(hash_u64(i + N) % 1000) / -3;
		mx += x[i] / N;
		my += y[i] / N;
		add(&s, y[i], x[i], 1, h);
	}
	for (unsigned i = 0; i < N; i++) {
		xx += (x[i] - mx) * (x[i] - mx);
		yy += (y[i] - my) * (y[i] - my);
		xy += (x[i] - mx) * (y[i] - my);
	}
	near(get(&s, REGR_AVGX), mx);
	near(get(&s, REGR_AVGY), my);
	near(get(&s, REGR_SXX), xx);
	near(get(&s, REGR_SYY), yy);
	near(get(&s, REGR_SXY), xy);
	near(get(&s, REGR_SLOPE), xy / xx);
	near(get(&s, REGR_INTERCEPT), my - mx * xy / xx);
	near(get(&s, REGR_R2), xy * xy / xx / yy);
	near(get(&s, REGR_CORR), xy / sqrt(xx) / sqrt(yy));
	for (unsigned i = 0; i < N; i++)
		add(&s, y[N - 1 - i], x[N - 1 - i], -1, h);
	assert_true(get(&s, REGR_COUNT) == 0 && null(&s, REGR_SXX));
	regression_free(&s, h);
	heap_free_all(h);
}

static void test_odd(void **unused)
{
	struct heap *h = heap_new(NULL);
	struct regression_state s = { .count = 0 };
	struct value out;
	struct error e;

	(void)unused;
	add(&s, 1, 1, 1, h);
	add(&s, 2, (double)INFINITY, 1, h);
	assert_true(isinf(get(&s, REGR_AVGX)) && get(&s, REGR_AVGY) == 1.5);
	assert_true(isnan(get(&s, REGR_SXX)) && get(&s, REGR_SYY) == 0.5);
	assert_false(null(&s, REGR_SXX) || null(&s, REGR_COVAR_POP));
	add(&s, 2, -(double)INFINITY, 1, h);
	assert_true(isnan(get(&s, REGR_AVGX)) && !null(&s, REGR_AVGX));
	add(&s, 2, -(double)INFINITY, -1, h);
	add(&s, 2, (double)INFINITY, -1, h);
	add(&s, 3, 5, 1, h);
	assert_true(get(&s, REGR_SXX) == 8 && get(&s, REGR_SLOPE) == 0.5);
	add(&s, 3, DBL_MAX, 1, h);
	assert_int_equal(regression_result(&s, REGR_CORR, &out, &e), -1);
	assert_int_equal(e.code, ERR_NUMERIC_RANGE);
	regression_free(&s, h);
	heap_free_all(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_few), cmocka_unit_test(test_line),
		cmocka_unit_test(test_random), cmocka_unit_test(test_odd) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
