/*
 * A sweep gives every live row once, ordered by the first bits of a column's hash; without order when there is no memory.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/store/row.h"
#include "core/store/sweep.h"

struct bed {
	struct heap *heap;
	struct retire *retire;
	struct arena arena;
	struct row_layout layout;
	uint16_t key[1];
	struct table *table;
};

static void setup(struct bed *b)
{
	static const struct type TYPES[] = { { .id = TYPE_INT8 }, { .id = TYPE_TEXT } };
	struct table_options o;
	struct error e;

	memset(b, 0, sizeof(*b));
	b->heap = heap_new(NULL);
	b->retire = retire_new(b->heap);
	arena_init(&b->arena, b->heap);
	assert_int_equal(row_layout_init(&b->layout, TYPES, 2, &b->arena, &e), 0);
	o = (struct table_options){ b->heap, b->retire, &b->layout, b->key, 1 };
	b->table = table_new(&o);
	assert_non_null(b->table);
}

static void teardown(struct bed *b)
{
	table_free(b->table);
	retire_free(b->retire);
	arena_free(&b->arena);
	heap_free_all(b->heap);
}

static uint64_t hash_of(const struct bed *b, const void *row)
{
	return row_hash(&b->layout, row, b->key, 1);
}

static const void *row_of(struct bed *b, int64_t id, uint64_t *out)
{
	static const char TEXT[] = "a text of some length, more or less";
	struct value v[2];

	memset(v, 0, sizeof(v));
	v[0].type = TYPE_INT8;
	v[0].i = id;
	v[1].type = TYPE_TEXT;
	v[1].s.p = TEXT;
	v[1].s.len = (uint32_t)(id % 30);
	row_encode(&b->layout, v, out);
	return out;
}

static void put(struct bed *b, int64_t id, uint64_t epoch)
{
	uint64_t out[16];
	const void *row = row_of(b, id, out);

	assert_int_equal(table_put(b->table, hash_of(b, row), epoch, row), 0);
}

static void drop(struct bed *b, int64_t id, uint64_t epoch)
{
	uint64_t out[16];
	const void *row = row_of(b, id, out);

	assert_int_equal(table_delete(b->table, hash_of(b, row), epoch, row), 0);
}

/* Sweep and count; every id at most once. */
static unsigned sweep(struct bed *b, unsigned ids, bool ordered)
{
	unsigned char *seen = calloc(ids, 1);
	struct table_sweep s;
	const char *row;
	uint64_t before = 0;
	unsigned n = 0;

	assert_non_null(seen);
	table_sweep_begin(&s, b->table, 0);
	for (; (row = table_sweep_next(&s)) != NULL; n++) {
		struct value id;

		row_get(&b->layout, row, 0, &id);
		assert_in_range(id.i, 0, ids - 1);
		assert_int_equal(seen[id.i]++, 0);
		if (ordered)
			assert_true(hash_of(b, row) >> 56 >= before >> 56);
		before = hash_of(b, row);
	}
	table_sweep_end(&s);
	free(seen);
	return n;
}

static void test_rows(void **state)
{
	static const unsigned SIZES[] = { 0, 1, 7, 300, 50000 };
	struct bed b;

	(void)state;
	for (unsigned k = 0; k < sizeof(SIZES) / sizeof(SIZES[0]); k++) {
		unsigned n = SIZES[k];

		setup(&b);
		for (unsigned i = 0; i < n; i++)
			put(&b, i, 1);
		assert_int_equal(sweep(&b, n + 1, true), n);
		for (unsigned i = 0; i < n; i += 3)
			drop(&b, i, 2);
		assert_int_equal(sweep(&b, n + 1, true), n - (n + 2) / 3);
		teardown(&b);
	}
}

static void test_no_memory(void **state)
{
	struct bed b;

	(void)state;
	setup(&b);
	for (unsigned i = 0; i < 1000; i++)
		put(&b, i, 1);
	heap_fail_after(b.heap, 1);
	assert_int_equal(sweep(&b, 1000, false), 1000);
	heap_fail_after(b.heap, 0);
	teardown(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
