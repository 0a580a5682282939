#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/store/multimap.h"

enum { ROWS = 600, HASHES = 9, STEPS = 60000, ROW_MAX = 64 };

/* Row n: its length differs with n, so that rows of one hash differ in size and in bytes. */
static const void *make_row(unsigned n, unsigned char row[ROW_MAX])
{
	uint32_t size = 16 + 8 * (n % 4);

	memset(row, 0, ROW_MAX);
	memcpy(row, &size, 4);
	memcpy(row + 8, &n, sizeof(n));
	return row;
}

/* Few hashes with many rows each, and one equal in its low bits. */
static uint64_t hash_of(unsigned n)
{
	return n % HASHES == 0 ? UINT64_C(1) << 63 | 1 : n % HASHES;
}

static void check_all(const struct multimap *m, const int64_t weights[ROWS])
{
	bool seen[ROWS] = { false };
	uint64_t rows = 0;

	for (unsigned h = 0; h < HASHES; h++)
		for (const struct multimap_entry *e = multimap_first(m, hash_of(h)); e != NULL;
			e = e->next) {
			unsigned n;

			memcpy(&n, e->row + 8, sizeof(n));
			assert_true(n < ROWS && n % HASHES == h && !seen[n]);
			seen[n] = true;
			assert_int_equal(e->weight, weights[n]);
		}
	for (unsigned n = 0; n < ROWS; n++) {
		assert_int_equal(seen[n], weights[n] != 0);
		rows += seen[n];
	}
	assert_int_equal(multimap_count(m), rows);
	multimap_check(m);
}

static void test_random(void **state)
{
	struct heap *h = heap_new(NULL);
	struct multimap *m = multimap_new(h, false);
	int64_t weights[ROWS] = { 0 };
	unsigned char row[ROW_MAX];

	(void)state;
	for (uint64_t step = 0; step < STEPS; step++) {
		uint64_t r = hash_u64(step);
		unsigned n = (unsigned)(r % ROWS);
		int64_t weight = (r >> 32) % 3 == 0 ? -weights[n] : (int64_t)(r >> 40) % 5 - 2;

		assert_int_equal(multimap_add(m, hash_of(n), make_row(n, row), weight, 0), 0);
		weights[n] += weight;
		if (step % 4000 == 0)
			check_all(m, weights);
	}
	check_all(m, weights);
	for (unsigned n = 0; n < ROWS; n++) {
		assert_int_equal(multimap_add(m, hash_of(n), make_row(n, row), -weights[n], 0), 0);
		weights[n] = 0;
	}
	check_all(m, weights);
	multimap_free(m);
	assert_int_equal(heap_used(h), 0);
	heap_free_all(h);
}

static void test_out_of_memory(void **state)
{
	struct heap *h = heap_new(NULL);
	struct multimap *m = multimap_new(h, false);
	int64_t weights[ROWS] = { 0 };
	unsigned char row[ROW_MAX];

	(void)state;
	for (unsigned n = 0; n < ROWS; n++) {
		heap_fail_after(h, 1 + n % 3);
		if (multimap_add(m, hash_of(n), make_row(n, row), 2, 0) == 0)
			weights[n] = 2;
		heap_fail_after(h, 0);
		if (n % 50 == 0)
			check_all(m, weights);
	}
	check_all(m, weights);
	multimap_free(m);
	assert_int_equal(heap_used(h), 0);
	heap_free_all(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
