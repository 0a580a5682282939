#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/sql/numeric.h"
#include "core/sql/sum.h"

static struct value numeric(int128 n, unsigned scale)
{
	return (struct value){ .type = TYPE_NUMERIC, .n = n, .scale = (uint8_t)scale };
}

static void assert_sum(const struct sum_state *s, int128 n, unsigned scale)
{
	struct value out;
	struct error e;

	assert_int_equal(sum_result(s, TYPE_NUMERIC, &out, &e), 0);
	assert_false(value_is_null(&out));
	assert_int_equal(out.scale, scale);
	assert_true(out.n == n);
}

/* Values of several scales come and go in random order, also before they came: the sum and its scale are
 * those of what is there. */
static void test_numeric_scales(void **state)
{
	enum { VALUES = 64, STEPS = 20000, SCALES = 4 };
	static const int64_t POWER[SCALES] = { 1, 10, 100, 1000 };
	struct heap *h = heap_new(NULL);
	struct sum_state s = { 0 };
	int64_t there[VALUES] = { 0 };
	struct error e;

	(void)state;
	for (uint64_t step = 0; step < STEPS; step++) {
		uint64_t r = hash_u64(step);
		unsigned k = (unsigned)(r % VALUES), top = 0;
		int64_t weight = (int64_t)(r >> 32) % 3 - 1, count = 0;
		int128 total = 0;
		bool settled = true;
		struct value v = numeric((int64_t)hash_u64(k) >> 20, k % SCALES), out;

		assert_int_equal(sum_add(&s, &v, weight, h, &e), 0);
		there[k] += weight;
		for (unsigned i = 0; i < VALUES; i++) {
			settled &= there[i] >= 0;
			count += there[i];
			if (there[i] != 0 && i % SCALES > top)
				top = i % SCALES;
		}
		if (!settled)
			continue;
		for (unsigned i = 0; i < VALUES; i++)
			total += (int128)((int64_t)hash_u64(i) >> 20) * there[i] *
				POWER[top - (i % SCALES > top ? top : i % SCALES)];
		if (count > 0) {
			assert_sum(&s, total, top);
		} else {
			assert_int_equal(sum_result(&s, TYPE_NUMERIC, &out, &e), 0);
			assert_true(value_is_null(&out));
		}
		/* Start anew now and then, so that small states are met too. */
		if (step % 97 == 0) {
			sum_free(&s, h);
			memset(there, 0, sizeof(there));
		}
	}
	sum_free(&s, h);
	assert_int_equal(heap_used(h), 0);
	heap_free_all(h);
}

/* A sum beyond what a numeric holds is an error while it lasts, and exact again afterwards. */
static void test_numeric_beyond(void **state)
{
	struct heap *h = heap_new(NULL);
	struct sum_state s = { 0 };
	struct value big, out;
	struct error e;
	int128 n = 1;

	(void)state;
	for (unsigned i = 0; i < 38; i++)
		n *= 10;
	big = numeric(n - 1, 0);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(sum_add(&s, &big, 1, h, &e), 0);
	assert_int_equal(sum_result(&s, TYPE_NUMERIC, &out, &e), -1);
	assert_int_equal(e.code, ERR_NUMERIC_RANGE);
	assert_int_equal(sum_add(&s, &big, -999, h, &e), 0);
	assert_sum(&s, n - 1, 0);
	assert_int_equal(sum_add(&s, &big, -2, h, &e), 0);
	assert_int_equal(sum_add(&s, &big, 1, h, &e), 0);
	assert_int_equal(s.count, 0);
	assert_int_equal(s.sum.hi, 0);
	assert_int_equal(s.sum.lo | s.sum.mid, 0);
	sum_free(&s, h);
	heap_free_all(h);
}

static void test_nan(void **state)
{
	struct heap *h = heap_new(NULL);
	struct sum_state s = { 0 };
	struct value nan = { .type = TYPE_NUMERIC, .flags = VALUE_NAN }, one = numeric(100, 2), out;
	struct error e;

	(void)state;
	assert_int_equal(sum_add(&s, &nan, 1, h, &e), 0);
	assert_int_equal(sum_add(&s, &one, 1, h, &e), 0);
	assert_int_equal(sum_result(&s, TYPE_NUMERIC, &out, &e), 0);
	assert_true(out.flags & VALUE_NAN);
	assert_int_equal(sum_add(&s, &nan, -1, h, &e), 0);
	assert_sum(&s, 100, 2);
	sum_free(&s, h);
	heap_free_all(h);
}

static void test_integers(void **state)
{
	struct heap *h = heap_new(NULL);
	struct sum_state s = { 0 };
	struct value v = { .type = TYPE_INT8, .i = INT64_MIN };
	struct value out;
	struct error e;

	(void)state;
	assert_int_equal(sum_add(&s, &v, 5, h, &e), 0);
	assert_int_equal(sum_result(&s, TYPE_INT8, &out, &e), 0);
	assert_true(out.n == (int128)INT64_MIN * 5 && out.scale == 0);
	assert_int_equal(sum_result(&s, TYPE_INT4, &out, &e), -1);
	assert_int_equal(e.code, ERR_NUMERIC_RANGE);
	assert_int_equal(sum_add(&s, &v, -5, h, &e), 0);
	assert_int_equal(sum_result(&s, TYPE_INT8, &out, &e), 0);
	assert_true(value_is_null(&out));
	sum_free(&s, h);
	heap_free_all(h);
}

/* Exact and independent of order: a float sum that rounding on the way would lose. */
static void test_floats(void **state)
{
	struct heap *h = heap_new(NULL);
	struct sum_state s = { 0 };
	const double values[] = { 1e300, 1.0, -1e300, 1e-300 };
	struct value out;
	struct error e;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct value v = { .type = TYPE_FLOAT8, .d = values[i] };

		assert_int_equal(sum_add(&s, &v, 1, h, &e), 0);
	}
	assert_int_equal(sum_result(&s, TYPE_FLOAT8, &out, &e), 0);
	assert_true(out.d == 1.0);
	sum_free(&s, h);
	/* Subnormal ones. */
	for (unsigned i = 0; i < 3; i++) {
		struct value v = { .type = TYPE_FLOAT8, .d = 5e-324 };

		assert_int_equal(sum_add(&s, &v, 1, h, &e), 0);
	}
	assert_int_equal(sum_result(&s, TYPE_FLOAT8, &out, &e), 0);
	assert_true(out.d == 3 * 5e-324);
	sum_free(&s, h);
	heap_free_all(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numeric_scales),
		cmocka_unit_test(test_numeric_beyond),
		cmocka_unit_test(test_nan),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_floats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
