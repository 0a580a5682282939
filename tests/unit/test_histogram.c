#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/histogram.h"
#include "bench/load/random.h"

enum { VALUES = 20000, KEYS = 1000, DRAWS = 400000 };

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void test_small_values_are_exact(void **state)
{
	struct histogram *h = histogram_new();

	(void)state;
	assert_int_equal(histogram_percentile(h, 99), 0);
	assert_int_equal(histogram_max(h), 0);
	for (uint64_t v = 1; v <= 100; v++)
		histogram_record(h, v, 10);
	assert_int_equal(histogram_count(h), 1000);
	assert_int_equal(histogram_percentile(h, 0), 1);
	assert_int_equal(histogram_percentile(h, 50), 50);
	assert_int_equal(histogram_percentile(h, 99), 99);
	assert_int_equal(histogram_percentile(h, 99.9), 100);
	assert_int_equal(histogram_percentile(h, 100), 100);
	assert_true(histogram_mean(h) > 50.49 && histogram_mean(h) < 50.51);
	histogram_reset(h);
	assert_int_equal(histogram_count(h), 0);
	histogram_free(h);
}

/* Against the sorted values, of every size. */
static void test_percentiles(void **state)
{
	static const double PERCENTS[] = { 0, 1, 25, 50, 90, 99, 99.9, 99.99, 100 };
	static uint64_t values[VALUES];
	struct histogram *h = histogram_new();
	struct random r = { 7 };

	(void)state;
	for (int i = 0; i < VALUES; i++) {
		values[i] = random_next(&r) >> random_below(&r, 64);
		histogram_record(h, values[i], 1);
	}
	qsort(values, VALUES, sizeof(values[0]), compare);
	for (unsigned i = 0; i < sizeof(PERCENTS) / sizeof(PERCENTS[0]); i++) {
		double place = PERCENTS[i] / 100 * VALUES;
		size_t rank = (size_t)place + ((double)(size_t)place < place);
		uint64_t exact = values[rank == 0 ? 0 : rank - 1];
		uint64_t found = histogram_percentile(h, PERCENTS[i]);

		assert_true(found >= exact);
		assert_true(found - exact <= exact / 128);
	}
	assert_int_equal(histogram_max(h), values[VALUES - 1]);
	histogram_free(h);
}

static void test_extremes(void **state)
{
	struct histogram *h = histogram_new();

	(void)state;
	histogram_record(h, 0, 1);
	histogram_record(h, UINT64_MAX, 1);
	assert_int_equal(histogram_percentile(h, 50), 0);
	assert_int_equal(histogram_percentile(h, 100), UINT64_MAX);
	histogram_free(h);
}

static void test_added(void **state)
{
	struct histogram *a = histogram_new(), *b = histogram_new();

	(void)state;
	histogram_record(a, 10, 3);
	histogram_record(b, 1000, 1);
	histogram_add(a, b);
	assert_int_equal(histogram_count(a), 4);
	assert_int_equal(histogram_max(a), 1000);
	assert_int_equal(histogram_percentile(a, 75), 10);
	assert_true(histogram_mean(a) > 257.4 && histogram_mean(a) < 257.6);
	histogram_free(a);
	histogram_free(b);
}

static char *distribution(const struct histogram *h, double unit)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	histogram_write(h, f, unit);
	fclose(f);
	return text;
}

/* The levels are those of HdrHistogram with five ticks for a half. */
static void test_distribution(void **state)
{
	static const char EXPECTED[] = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"
				       "       0.010 0.000000000000          1           1.00\n"
				       "       0.010 0.100000000000          1           1.11\n"
				       "       0.010 0.200000000000          1           1.25\n"
				       "       0.020 0.300000000000          2           1.43\n"
				       "       0.020 0.400000000000          2           1.67\n"
				       "       0.020 0.500000000000          2           2.00\n"
				       "       0.030 0.550000000000          3           2.22\n"
				       "       0.030 0.600000000000          3           2.50\n"
				       "       0.030 0.650000000000          3           2.86\n"
				       "       0.030 0.700000000000          3           3.33\n"
				       "       0.030 0.750000000000          3           4.00\n"
				       "       0.040 1.000000000000          4\n"
				       "#[Mean    =        0.025, StdDeviation   =        0.011]\n"
				       "#[Max     =        0.040, Total count    =            4]\n"
				       "#[Buckets =           57, SubBuckets     =          256]\n";
	struct histogram *h = histogram_new();
	char *text;

	(void)state;
	for (uint64_t v = 10; v <= 40; v += 10)
		histogram_record(h, v, 1);
	text = distribution(h, 1e3);
	assert_string_equal(text, EXPECTED);
	free(text);
	histogram_reset(h);
	text = distribution(h, 1e3);
	assert_non_null(strstr(text, "Total count    =            0]"));
	free(text);
	histogram_free(h);
}

/* The frequency of each rank is that of the law, within five standard deviations. */
static void test_zipf(void **state)
{
	static const double SKEWS[] = { 0.5, 0.99, 1, 1.3 };
	static unsigned seen[KEYS];

	(void)state;
	for (unsigned s = 0; s < sizeof(SKEWS) / sizeof(SKEWS[0]); s++) {
		struct keys k;
		double weights = 0, weight[KEYS];

		for (int i = 0; i < KEYS; i++) {
			weight[i] = __builtin_pow(i + 1, -SKEWS[s]);
			weights += weight[i];
			seen[i] = 0;
		}
		keys_init(&k, KEYS, SKEWS[s], 3);
		for (int i = 0; i < DRAWS; i++)
			seen[keys_next(&k)]++;
		/* Every key has one rank: sorted, the counts are the ranks'. */
		for (int rank = 0; rank < KEYS; rank += 37) {
			double expected = DRAWS * weight[rank] / weights;
			uint64_t key = (uint64_t)((unsigned __int128)rank *
				UINT64_C(1099511627791) % KEYS);
			double off = (double)seen[key] - expected;

			assert_true(off * off < 25 * expected);
		}
	}
}

static void test_uniform(void **state)
{
	static unsigned seen[KEYS];
	struct keys k;

	(void)state;
	keys_init(&k, KEYS, 0, 5);
	for (int i = 0; i < DRAWS; i++)
		seen[keys_next(&k)]++;
	for (int i = 0; i < KEYS; i++)
		assert_true(seen[i] > 300 && seen[i] < 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_values_are_exact),
		cmocka_unit_test(test_percentiles),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_added),
		cmocka_unit_test(test_distribution),
		cmocka_unit_test(test_zipf),
		cmocka_unit_test(test_uniform),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
