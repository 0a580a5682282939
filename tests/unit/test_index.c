#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/store/index.h"

enum { KEYS = 300, EPOCHS = 60, CHANGES = 120, COLUMNS = 12, NONE = -1, NULL_COLUMN = -2 };

static const uint16_t KEY[] = { 0 }, COLUMN[] = { 1 };

struct fixture {
	struct heap *heap;
	struct arena arena;
	struct retire *retire;
	struct row_layout layout;
	struct index *index;
};

static void open_fixture(struct fixture *f)
{
	static const struct type TYPES[] = { { .id = TYPE_INT8 }, { .id = TYPE_INT4 } };
	struct error e;

	f->heap = heap_new(NULL);
	arena_init(&f->arena, f->heap);
	f->retire = retire_new(f->heap);
	assert_int_equal(row_layout_init(&f->layout, TYPES, 2, &f->arena, &e), 0);
	f->index = index_new(f->heap, f->retire, &f->layout, COLUMN, 1, KEY, 1);
	assert_non_null(f->index);
}

static void close_fixture(struct fixture *f)
{
	index_free(f->index);
	retire_free(f->retire);
	arena_free(&f->arena);
	assert_int_equal(heap_used(f->heap), 0);
	heap_free_all(f->heap);
}

static void *make_row(const struct fixture *f, int64_t key, int column, void *out)
{
	struct value v[2] = { { .i = key, .type = TYPE_INT8 }, { .i = column, .type = TYPE_INT4 } };

	if (column == NULL_COLUMN)
		v[1] = (struct value){ .type = TYPE_INT4, .flags = VALUE_NULL };
	row_encode(&f->layout, v, out);
	return out;
}

/* The keys found for a column at an epoch, as a set; each only once. */
static void found(const struct fixture *f, int column, uint64_t v, bool keys[KEYS])
{
	uint64_t buf[8];
	void *probe = make_row(f, 0, column, buf);
	struct index_cursor c;
	const void *key;

	memset(keys, 0, KEYS * sizeof(keys[0]));
	index_find(
		f->index, &c, row_hash(&f->layout, probe, COLUMN, 1), &f->layout, probe, COLUMN, v);
	while ((key = index_next(f->index, &c)) != NULL) {
		struct value k;

		row_get(index_key_layout(f->index), key, 0, &k);
		assert_in_range(k.i, 0, KEYS - 1);
		assert_false(keys[k.i]);
		keys[k.i] = true;
	}
}

static void check_epoch(const struct fixture *f, uint64_t v, const int columns[KEYS])
{
	bool keys[KEYS];

	for (int c = NULL_COLUMN; c < COLUMNS; c++) {
		if (c == NONE)
			continue;
		found(f, c, v, keys);
		for (unsigned k = 0; k < KEYS; k++)
			assert_int_equal(keys[k], columns[k] == c);
	}
}

static void change(struct fixture *f, int columns[KEYS], unsigned key, int to, uint64_t epoch)
{
	uint64_t buf[8];

	assert_int_equal(index_reserve(f->index, 1), 0);
	if (to != NONE)
		assert_int_equal(index_insert(f->index, make_row(f, key, to, buf), epoch), 0);
	if (columns[key] != NONE)
		index_remove(f->index, make_row(f, key, columns[key], buf), epoch);
	columns[key] = to;
}

/* Rows move between few columns, several times in an epoch and back again; any epoch that a reader may have
 * pinned shows what it was. */
static void test_epochs(void **state)
{
	static int history[EPOCHS + 1][KEYS];
	struct fixture f;
	uint64_t oldest = 1;

	(void)state;
	open_fixture(&f);
	for (unsigned k = 0; k < KEYS; k++)
		history[0][k] = NONE;
	for (uint64_t epoch = 1; epoch <= EPOCHS; epoch++) {
		int *now = history[epoch];

		memcpy(now, history[epoch - 1], sizeof(history[0]));
		for (unsigned i = 0; i < CHANGES; i++) {
			uint64_t r = hash_u64(epoch * CHANGES + i);
			unsigned key = (unsigned)(r % KEYS) % (i % 2 ? KEYS : 5);
			int to = (int)(r >> 40) % (COLUMNS + 2) - 2;

			if (to != now[key])
				change(&f, now, key, to, epoch);
		}
		check_epoch(&f, UINT64_MAX, now);
		for (uint64_t v = oldest; v <= epoch; v += 3)
			check_epoch(&f, v, history[v]);
		index_check(f.index);
		if (epoch > 5) {
			oldest = epoch - 5;
			while (index_step(f.index, oldest, epoch))
				;
			retire_run(f.retire, oldest, 1000000);
		}
	}
	for (unsigned k = 0; k < KEYS; k++)
		if (history[EPOCHS][k] != NONE)
			change(&f, history[EPOCHS], k, NONE, EPOCHS + 1);
	while (index_step(f.index, EPOCHS + 1, EPOCHS + 2))
		;
	assert_int_equal(index_entries(f.index), 0);
	index_check(f.index);
	close_fixture(&f);
}

/* A column that all rows have: one long chain, which never splits. */
static void test_one_column(void **state)
{
	int columns[KEYS];
	struct fixture f;

	(void)state;
	open_fixture(&f);
	for (unsigned k = 0; k < KEYS; k++) {
		columns[k] = NONE;
		change(&f, columns, k, 7, 1);
	}
	check_epoch(&f, 1, columns);
	for (unsigned k = 0; k < KEYS; k += 2)
		change(&f, columns, k, NONE, 2);
	check_epoch(&f, 2, columns);
	index_check(f.index);
	close_fixture(&f);
}

static void test_out_of_memory(void **state)
{
	int columns[KEYS];
	uint64_t buf[8];
	struct fixture f;

	(void)state;
	open_fixture(&f);
	for (unsigned k = 0; k < KEYS; k++) {
		columns[k] = NONE;
		heap_fail_after(f.heap, 1);
		assert_int_equal(index_insert(f.index, make_row(&f, k, 1, buf), 1), -1);
		/* Splitting a chain may fail, the insertion does not then. */
		heap_fail_after(f.heap, 2);
		assert_int_equal(
			index_insert(f.index, make_row(&f, k, (int)k % COLUMNS, buf), 1), 0);
		heap_fail_after(f.heap, 0);
		columns[k] = (int)k % COLUMNS;
	}
	check_epoch(&f, 1, columns);
	index_check(f.index);
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_epochs),
		cmocka_unit_test(test_one_column),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
