#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/flow/ordered.h"

enum { VALUES = 40, STEPS = 20000 };

static struct value integer(int64_t i)
{
	return (struct value){ .i = i, .type = TYPE_INT8 };
}

static struct value text(const char *s)
{
	return (struct value){ .s = { s, (uint32_t)strlen(s) }, .type = TYPE_TEXT };
}

static struct value numeric(int64_t n, uint8_t scale)
{
	return (struct value){ .n = n, .scale = scale, .type = TYPE_NUMERIC };
}

static struct value real(double d)
{
	return (struct value){ .d = d, .type = TYPE_FLOAT8 };
}

static void add(struct ordered *o, struct value v, int64_t weight, struct heap *h)
{
	assert_int_equal(ordered_add(o, &v, weight, h), 0);
}

/* Against an array of counts, also while some are negative. */
static void test_random(void **state)
{
	struct heap *h = heap_new(NULL);
	struct ordered o = { 0 };
	int64_t counts[VALUES] = { 0 };

	(void)state;
	for (uint64_t step = 1; step <= STEPS; step++) {
		uint64_t r = hash_u64(step);
		unsigned at = (unsigned)(r % VALUES);
		int64_t weight = (int64_t)(r >> 32) % 3 - 1, lo = -1, hi = -1;
		struct value v;

		if (counts[at] + weight < -1 || counts[at] + weight > 3)
			weight = -counts[at];
		if (weight == 0)
			continue;
		counts[at] += weight;
		add(&o, integer((int64_t)at - VALUES / 2), weight, h);
		for (int64_t i = 0; i < VALUES; i++)
			if (counts[i] > 0) {
				lo = lo < 0 ? i : lo;
				hi = i;
			}
		assert_int_equal(ordered_min(&o, &v), lo >= 0);
		if (lo >= 0)
			assert_int_equal(v.i, lo - VALUES / 2);
		assert_int_equal(ordered_max(&o, &v), hi >= 0);
		if (hi >= 0)
			assert_int_equal(v.i, hi - VALUES / 2);
		if (step % 64 == 0)
			ordered_check(&o);
	}
	ordered_free(&o, h);
	assert_int_equal(heap_used(h), 0);
	heap_free_all(h);
}

/* What is equal but prints differently stays apart. */
static void test_forms(void **state)
{
	struct heap *h = heap_new(NULL);
	struct ordered n = { 0 }, d = { 0 };
	struct value v;

	(void)state;
	add(&n, numeric(10, 1), 1, h);
	add(&n, numeric(100, 2), 1, h);
	add(&n, numeric(10, 1), -1, h);
	assert_true(ordered_min(&n, &v));
	assert_int_equal(v.scale, 2);
	add(&n, numeric(100, 2), -1, h);
	assert_false(ordered_max(&n, &v));
	add(&d, real(0.0), 1, h);
	add(&d, real(-0.0), 1, h);
	add(&d, real(0.0), -1, h);
	assert_true(ordered_max(&d, &v));
	assert_true(signbit(v.d));
	add(&d, real((double)NAN), 1, h);
	assert_true(ordered_max(&d, &v));
	assert_true(isnan(v.d));
	ordered_free(&n, h);
	ordered_free(&d, h);
	assert_int_equal(heap_used(h), 0);
	heap_free_all(h);
}

/* It owns the bytes. */
static void test_text(void **state)
{
	struct heap *h = heap_new(NULL);
	struct ordered o = { 0 };
	char word[] = "beta";
	struct value v;

	(void)state;
	add(&o, text(word), 2, h);
	memcpy(word, "zzzz", 4);
	add(&o, text(""), 1, h);
	add(&o, text("alpha"), 1, h);
	assert_true(ordered_max(&o, &v));
	assert_memory_equal(v.s.p, "beta", 4);
	assert_true(ordered_min(&o, &v));
	assert_int_equal(v.s.len, 0);
	add(&o, text(""), -1, h);
	assert_true(ordered_min(&o, &v));
	assert_memory_equal(v.s.p, "alpha", 5);
	ordered_free(&o, h);
	assert_int_equal(heap_used(h), 0);
	heap_free_all(h);
}

static void test_out_of_memory(void **state)
{
	struct heap *h = heap_new(NULL);
	struct ordered o = { 0 };
	struct value one = integer(1), two = integer(2), v;

	(void)state;
	add(&o, one, 1, h);
	heap_fail_after(h, 1);
	assert_int_equal(ordered_add(&o, &two, 1, h), -1);
	heap_fail_after(h, 0);
	ordered_check(&o);
	assert_true(ordered_max(&o, &v));
	assert_int_equal(v.i, 1);
	ordered_free(&o, h);
	heap_free_all(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
