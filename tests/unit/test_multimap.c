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

static void check_all(const struct multimap *m, int64_t weights[2][ROWS])
{
	bool seen[2][ROWS] = { { false } };
	uint64_t rows = 0;

	for (unsigned h = 0; h < HASHES; h++) {
		struct multimap_place at;

		multimap_find(m, hash_of(h), &at);
		for (unsigned side = 0; side < 2; side++)
			for (const struct multimap_entry *e = at.first[side]; e != NULL;
				e = e->next) {
				unsigned n;

				memcpy(&n, e->row + 8, sizeof(n));
				assert_true(n < ROWS && n % HASHES == h && !seen[side][n]);
				seen[side][n] = true;
				assert_int_equal(e->weight, weights[side][n]);
				if (side == 1)
					assert_int_equal(*multimap_counter(e), n);
			}
	}
	for (unsigned side = 0; side < 2; side++)
		for (unsigned n = 0; n < ROWS; n++) {
			assert_int_equal(seen[side][n], weights[side][n] != 0);
			rows += seen[side][n];
		}
	assert_int_equal(multimap_count(m), rows);
	multimap_check(m);
}

static struct multimap *open_map(struct heap *h)
{
	static const bool counted[2] = { false, true };

	return multimap_new(h, counted);
}

/* Equal rows on both sides, many and few of a hash, and times when one side has none. */
static void test_random(void **state)
{
	struct heap *h = heap_new(NULL);
	struct multimap *m = open_map(h);
	int64_t weights[2][ROWS] = { { 0 } };
	unsigned char row[ROW_MAX];

	(void)state;
	for (uint64_t step = 0; step < STEPS; step++) {
		uint64_t r = hash_u64(step);
		bool few = step / 8000 % 2 == 1;
		unsigned n = (unsigned)(r % (few ? 2 * HASHES : ROWS)), side = r >> 20 & 1;
		int64_t was = weights[side][n];
		int64_t weight = (r >> 32) % 3 == 0 ? -was : (int64_t)(r >> 40) % 5 - 2;

		assert_int_equal(multimap_add(m, side, hash_of(n), make_row(n, row), weight, n), 0);
		weights[side][n] += weight;
		if (step % 8000 == 7999)
			for (unsigned k = 0; k < 2 * ROWS; k++) {
				int64_t *left = &weights[k / ROWS][k % ROWS];

				assert_int_equal(multimap_add(m, k / ROWS, hash_of(k % ROWS),
							 make_row(k % ROWS, row), -*left, 0),
					0);
				*left = 0;
			}
		if (few ? step % 100 == 0 : step % 4000 == 0)
			check_all(m, weights);
	}
	check_all(m, weights);
	multimap_free(m);
	assert_int_equal(heap_used(h), 0);
	heap_free_all(h);
}

static void test_out_of_memory(void **state)
{
	struct heap *h = heap_new(NULL);
	struct multimap *m = open_map(h);
	int64_t weights[2][ROWS] = { { 0 } };
	unsigned char row[ROW_MAX];

	(void)state;
	for (unsigned n = 0; n < ROWS; n++) {
		unsigned side = n / 3 % 2;

		heap_fail_after(h, 1 + n % 3);
		if (multimap_add(m, side, hash_of(n), make_row(n, row), 2, n) == 0)
			weights[side][n] = 2;
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
