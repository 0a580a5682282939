#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/store/rowkey.h"

enum { COLUMNS = 8, ROUNDS = 20000, ROW_WORDS = 32, KEY_MAX = ROWKEY_WHOLE + 1 };

static const struct type TYPES[COLUMNS] = { { .id = TYPE_INT8 }, { .id = TYPE_INT4 },
	{ .id = TYPE_DATE }, { .id = TYPE_TIMESTAMP }, { .id = TYPE_INT2 }, { .id = TYPE_TEXT },
	{ .id = TYPE_INT8 }, { .id = TYPE_INT4 } };

static uint64_t next(uint64_t *seed)
{
	return *seed = hash_u64(*seed);
}

/* Small numbers of both signs and NULLs, so that equal ones are met. */
static void random_row(const struct row_layout *l, uint64_t *seed, uint64_t *row)
{
	static const char *const TEXTS[] = { "", "a", "ab" };
	struct value v[COLUMNS];

	for (unsigned c = 0; c < COLUMNS; c++) {
		uint64_t r = next(seed);

		v[c] = (struct value){ .type = l->types[c].id };
		if (r % 7 == 0) {
			v[c].flags = VALUE_NULL;
		} else if (l->types[c].id == TYPE_TEXT) {
			v[c].s.p = TEXTS[r % 3];
			v[c].s.len = (uint32_t)strlen(v[c].s.p);
		} else {
			v[c].i = (int64_t)(r >> 8) % 3 - 1;
		}
	}
	assert_true(row_encoded_size(l, v) <= ROW_WORDS * sizeof(*row));
	row_encode(l, v, row);
}

/* The same answers as row_hash() and row_equal(), by one column and by several, with NULLs, of rows of two layouts. */
static void test_same_answers(void **state)
{
	uint64_t seed = 4711, rows[2][ROW_WORDS];
	unsigned equal = 0, whole = 0;
	struct type turned[COLUMNS];
	struct row_layout l[2];
	struct arena arena;
	struct error e;

	(void)state;
	arena_init(&arena, NULL);
	/* The other layout has integers of the other width in the same places. */
	for (unsigned c = 0; c < COLUMNS; c++) {
		turned[c] = TYPES[c];
		if (TYPES[c].id == TYPE_INT8 || TYPES[c].id == TYPE_INT4)
			turned[c].id = TYPES[c].id == TYPE_INT8 ? TYPE_INT4 : TYPE_INT8;
	}
	assert_int_equal(row_layout_init(&l[0], TYPES, COLUMNS, &arena, &e), 0);
	assert_int_equal(row_layout_init(&l[1], turned, COLUMNS, &arena, &e), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned n = (unsigned)(next(&seed) % (KEY_MAX + 1)), other = round % 2;
		struct rowkey keys[2];
		uint16_t cols[KEY_MAX];
		bool same;

		for (unsigned i = 0; i < n; i++)
			cols[i] = (uint16_t)(next(&seed) % COLUMNS);
		rowkey_init(&keys[0], &l[0], cols, n);
		rowkey_init(&keys[1], &l[other], cols, n);
		assert_true(keys[0].whole == 0 || keys[0].whole == n);
		whole += keys[0].whole > 0;
		random_row(&l[0], &seed, rows[0]);
		random_row(&l[other], &seed, rows[1]);
		for (unsigned k = 0; k < 2; k++)
			assert_int_equal(rowkey_hash(&keys[k], rows[k]),
				row_hash(keys[k].layout, rows[k], cols, n));
		same = row_equal(&l[0], rows[0], cols, &l[other], rows[1], cols, n);
		assert_int_equal(rowkey_equal(&keys[0], rows[0], &keys[1], rows[1]), same);
		assert_true(
			!same || rowkey_hash(&keys[0], rows[0]) == rowkey_hash(&keys[1], rows[1]));
		equal += same && n > 0;
	}
	assert_in_range(equal, ROUNDS / 20, ROUNDS / 2);
	assert_in_range(whole, ROUNDS / 8, ROUNDS / 2);
	arena_free(&arena);
}

static void test_what_is_whole(void **state)
{
	static const uint16_t COLS[] = { 0, 1, 2, 3 }, SMALL[] = { 4 }, TEXT[] = { 0, 5 };
	struct row_layout l;
	struct arena arena;
	struct rowkey k;
	struct error e;

	(void)state;
	arena_init(&arena, NULL);
	assert_int_equal(row_layout_init(&l, TYPES, COLUMNS, &arena, &e), 0);
	for (unsigned n = 0; n <= KEY_MAX; n++) {
		rowkey_init(&k, &l, COLS, n);
		assert_int_equal(k.whole, n <= ROWKEY_WHOLE ? n : 0);
	}
	rowkey_init(&k, &l, SMALL, 1);
	assert_int_equal(k.whole, 0);
	rowkey_init(&k, &l, TEXT, 2);
	assert_int_equal(k.whole, 0);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_answers),
		cmocka_unit_test(test_what_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
