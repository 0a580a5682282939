/*
 * variance.h: against sums of whole numbers; values that come and go, of several scales; floats against long doubles; what
 * is not finite; limits; failing allocations.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/sql/limbs.h"
#include "core/sql/numeric.h"
#include "core/sql/variance.h"

static struct value numeric(int128 n, unsigned scale)
{
	return (struct value){ .type = TYPE_NUMERIC, .n = n, .scale = (uint8_t)scale };
}

static struct value real(double d)
{
	return (struct value){ .type = TYPE_FLOAT8, .d = d };
}

static void add(struct variance_state *s, struct value v, int64_t weight, struct heap *h)
{
	struct error e;

	assert_int_equal(variance_add(s, &v, weight, h, &e), 0);
}

static const char *text_of(const struct variance_state *s, enum type_id arg, bool sample, bool root)
{
	static char text[NUMERIC_TEXT_MAX + 1];
	struct value out;
	struct error e;

	if (variance_result(s, arg, sample, root, &out, &e) != 0)
		return error_sqlstate(e.code);
	if (value_is_null(&out))
		return "NULL";
	text[numeric_format(&out, text)] = '\0';
	return text;
}

static double double_of(const struct variance_state *s, bool sample, bool root)
{
	struct value out;
	struct error e;

	assert_int_equal(variance_result(s, TYPE_FLOAT8, sample, root, &out, &e), 0);
	assert_false(value_is_null(&out));
	return out.d;
}

/* The answers are PostgreSQL's. */
static void test_numerics(void **unused)
{
	struct heap *h = heap_new(NULL);
	struct variance_state s = { 0 };

	(void)unused;
	assert_string_equal(text_of(&s, TYPE_NUMERIC, false, false), "NULL");
	add(&s, numeric(15, 1), 1, h);
	assert_string_equal(text_of(&s, TYPE_NUMERIC, true, false), "NULL");
	assert_string_equal(text_of(&s, TYPE_NUMERIC, false, false), "0");
	add(&s, numeric(250, 2), 1, h);
	assert_string_equal(text_of(&s, TYPE_NUMERIC, true, false), "0.50000000000000000000");
	assert_string_equal(text_of(&s, TYPE_NUMERIC, true, true), "0.70710678118654752440");
	assert_string_equal(text_of(&s, TYPE_NUMERIC, false, false), "0.25000000000000000000");
	add(&s, numeric(-7, 0), 2, h);
	assert_string_equal(text_of(&s, TYPE_NUMERIC, true, false), "27.1666666666666667");
	assert_string_equal(text_of(&s, TYPE_NUMERIC, false, true), "4.5138675213169471");
	/* Scales that have gone do not show. */
	add(&s, numeric(250, 2), -1, h);
	add(&s, numeric(15, 1), -1, h);
	assert_string_equal(text_of(&s, TYPE_NUMERIC, true, false), "0");
	add(&s, (struct value){ .type = TYPE_NUMERIC, .flags = VALUE_NAN }, 1, h);
	assert_string_equal(text_of(&s, TYPE_NUMERIC, true, false), "NaN");
	variance_free(&s, h);
	assert_int_equal(heap_used(h), 0);
	heap_free_all(h);
}

/* The widest numbers there are: the sums hold them, the result does not fit unless it is small. */
static void test_wide(void **unused)
{
	struct heap *h = heap_new(NULL);
	struct variance_state s = { 0 };
	int128 most = (int128)(numeric_pow10[38] - 1);

	(void)unused;
	add(&s, numeric(most, 0), INT64_MAX / 2, h);
	assert_string_equal(text_of(&s, TYPE_NUMERIC, false, false), "0");
	add(&s, numeric(-most, 38), 1, h);
	assert_string_equal(text_of(&s, TYPE_NUMERIC, false, false), "22003");
	add(&s, numeric(most, 0), -(INT64_MAX / 2), h);
	add(&s, numeric(most - 1, 0), 1, h);
	add(&s, numeric(-most, 38), -1, h);
	add(&s, numeric(most, 0), 1, h);
	assert_string_equal(text_of(&s, TYPE_NUMERIC, true, false), "0.50000000000000000000");
	variance_free(&s, h);
	assert_int_equal(heap_used(h), 0);
	heap_free_all(h);
}

/* What comes and goes in random order, also before it came, leaves what is there. */
static void test_retraction(void **unused)
{
	enum { VALUES = 24, STEPS = 3000 };
	struct heap *h = heap_new(NULL);
	struct variance_state s = { 0 };
	int64_t there[VALUES] = { 0 };

	(void)unused;
	for (uint64_t step = 0; step < STEPS; step++) {
		uint64_t r = hash_u64(step);
		unsigned k = (unsigned)(r % VALUES);
		int64_t weight = (int64_t)(r >> 32) % 3 - 1;
		bool settled = true;

		there[k] += weight;
		add(&s, numeric((int64_t)hash_u64(k) >> 40, k % 4), weight, h);
		for (unsigned i = 0; i < VALUES; i++)
			settled &= there[i] >= 0;
		if (!settled)
			continue;
		{
			struct variance_state fresh = { 0 };
			char expected[NUMERIC_TEXT_MAX + 1];

			for (unsigned i = 0; i < VALUES; i++)
				add(&fresh, numeric((int64_t)hash_u64(i) >> 40, i % 4), there[i],
					h);
			strcpy(expected, text_of(&fresh, TYPE_NUMERIC, true, true));
			assert_string_equal(text_of(&s, TYPE_NUMERIC, true, true), expected);
			variance_free(&fresh, h);
		}
	}
	variance_free(&s, h);
	assert_int_equal(heap_used(h), 0);
	heap_free_all(h);
}

static void test_floats(void **unused)
{
	struct heap *h = heap_new(NULL);
	struct variance_state s = { 0 };

	(void)unused;
	add(&s, real(1), 1, h);
	assert_true(double_of(&s, false, false) == 0);
	for (int i = 2; i <= 4; i++)
		add(&s, real(i), 1, h);
	assert_true(double_of(&s, false, false) == 1.25);
	assert_true(double_of(&s, true, false) == 5.0 / 3);
	assert_true(double_of(&s, true, true) == sqrt(5.0 / 3));
	/* Where the mean is large beside what the values differ by. */
	for (int i = 1; i <= 4; i++) {
		add(&s, real(i), -1, h);
		add(&s, real(1e15 + i), 1, h);
	}
	assert_true(double_of(&s, true, false) == 5.0 / 3);
	/* The least and the largest squares. */
	variance_free(&s, h);
	add(&s, real(DBL_TRUE_MIN), 1, h);
	add(&s, real(-DBL_TRUE_MIN), 1, h);
	assert_true(double_of(&s, false, false) == 0);
	add(&s, real(DBL_MAX), 1, h);
	assert_string_equal(text_of(&s, TYPE_FLOAT8, false, false), "22003");
	add(&s, real(DBL_MAX), -1, h);
	add(&s, real((double)INFINITY), 1, h);
	assert_true(isnan(double_of(&s, false, false)));
	add(&s, real((double)INFINITY), -1, h);
	add(&s, real(1e-150), 2, h);
	/* (4 × 2e-300 - 4e-300) / 16 */
	assert_true(fabs(double_of(&s, false, false) / 2.5e-301 - 1) < 1e-15);
	variance_free(&s, h);
	assert_int_equal(heap_used(h), 0);
	heap_free_all(h);
}

/* Rounded as the processor rounds, also where numbers have fewer bits. */
static void test_rounding(void **unused)
{
	(void)unused;
	for (uint64_t i = 0; i < 20000; i++) {
		uint64_t w[3] = { hash_u64(3 * i) >> hash_u64(i) % 64, hash_u64(3 * i + 1) & 0x7ff,
			0 };
		int bias = (int)(hash_u64(7 * i) % 1200);
		long double x;

		/* A long double has 64 bits: the word above has 11 at most, so the lower one may lose some. */
		w[0] &= ~UINT64_C(0x7ff);
		x = (long double)w[1] * 0x1p64L + (long double)w[0];
		assert_true(limbs_double(w, 3, bias) == (double)ldexpl(x, -bias));
	}
}

static void test_no_memory(void **unused)
{
	struct heap *h = heap_new(NULL);
	struct variance_state s = { 0 };
	struct value v = numeric(1, 3), d = real(1);
	struct error e;

	(void)unused;
	heap_fail_after(h, 1);
	assert_int_equal(variance_add(&s, &v, 1, h, &e), -1);
	assert_int_equal(e.code, ERR_OUT_OF_MEMORY);
	assert_int_equal(s.count, 0);
	heap_fail_after(h, 1);
	assert_int_equal(variance_add(&s, &d, 1, h, &e), -1);
	assert_int_equal(s.count, 0);
	assert_int_equal(heap_used(h), 0);
	heap_free_all(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numerics),
		cmocka_unit_test(test_wide),
		cmocka_unit_test(test_retraction),
		cmocka_unit_test(test_floats),
		cmocka_unit_test(test_rounding),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
