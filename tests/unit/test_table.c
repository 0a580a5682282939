#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/store/index.h"
#include "core/store/multimap.h"
#include "core/store/table.h"

enum { KEYS = 500, STEPS = 20000, EPOCHS = 40, MANY = 100000 };

static const uint16_t KEY[] = { 0 }, SECOND[] = { 1 };

struct fixture {
	struct heap *heap;
	struct arena arena;
	struct retire *retire;
	struct row_layout layout;
	struct table *table;
};

static void open_fixture(struct fixture *f)
{
	static const struct type TYPES[] = { { .id = TYPE_INT8 }, { .id = TYPE_INT4 },
		{ .id = TYPE_TEXT } };
	struct table_options o;
	struct error e;

	f->heap = heap_new(NULL);
	arena_init(&f->arena, f->heap);
	f->retire = retire_new(f->heap);
	assert_int_equal(row_layout_init(&f->layout, TYPES, 3, &f->arena, &e), 0);
	o = (struct table_options){ f->heap, f->retire, &f->layout, KEY, 1 };
	f->table = table_new(&o);
	assert_non_null(f->table);
}

static void close_fixture(struct fixture *f)
{
	table_free(f->table);
	retire_free(f->retire);
	arena_free(&f->arena);
	assert_int_equal(heap_used(f->heap), 0);
	heap_free_all(f->heap);
}

static void *make_row(const struct fixture *f, int64_t key, int32_t n, unsigned text, void *out)
{
	static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";
	struct value v[3] = { { .i = key, .type = TYPE_INT8 }, { .i = n, .type = TYPE_INT4 },
		{ .s = { LETTERS, text % 50 }, .type = TYPE_TEXT } };

	row_encode(&f->layout, v, out);
	return out;
}

static int64_t second(const struct fixture *f, const void *row)
{
	struct value v;

	row_get(&f->layout, row, 1, &v);
	return v.i;
}

/* Random changes over epochs; a reader pinned at any of the last ones sees exactly its state. */
static void test_versions(void **state)
{
	static int32_t model[EPOCHS + 1][KEYS]; /* 0: not there */
	struct fixture f;
	char buf[128];

	(void)state;
	open_fixture(&f);
	for (uint64_t epoch = 1; epoch <= EPOCHS; epoch++) {
		uint64_t rows = 0;

		memcpy(model[epoch], model[epoch - 1], sizeof(model[0]));
		for (int i = 0; i < STEPS / EPOCHS; i++) {
			uint64_t r = hash_u64(epoch * STEPS + (uint64_t)i);
			int64_t key = (int64_t)(r % KEYS);
			void *row = make_row(
				&f, key, (int32_t)(r >> 40) + 1, (unsigned)(r >> 20), buf);
			uint64_t hash = row_hash(&f.layout, row, KEY, 1);

			if (r >> 60 < 5) {
				assert_int_equal(table_delete(f.table, hash, epoch, row), 0);
				model[epoch][key] = 0;
			} else {
				assert_int_equal(table_put(f.table, hash, epoch, row), 0);
				model[epoch][key] = (int32_t)(r >> 40) + 1;
			}
		}
		/* Pins at the last three epochs. */
		retire_run(f.retire, epoch > 3 ? epoch - 3 : 0, UINT32_MAX);
		(void)table_step(f.table, epoch > 3 ? epoch - 3 : 0, epoch);
		table_check(f.table);
		for (uint64_t v = epoch > 3 ? epoch - 3 : 1; v <= epoch; v++) {
			struct table_cursor c;
			unsigned seen = 0, there = 0;

			for (int64_t key = 0; key < KEYS; key++) {
				void *row = make_row(&f, key, 0, 0, buf);
				const void *found = table_read(f.table,
					row_hash(&f.layout, row, KEY, 1), &f.layout, row, KEY, v);

				assert_int_equal(
					found == NULL ? 0 : second(&f, found), model[v][key]);
				there += model[v][key] != 0;
			}
			table_scan_begin(&c, f.table, v);
			while (table_scan_next(&c) != NULL)
				seen++;
			assert_int_equal(seen, there);
			rows = there;
		}
		assert_int_equal(table_rows(f.table), rows);
	}
	close_fixture(&f);
}

static void test_growth(void **state)
{
	struct fixture f;
	char buf[128];

	(void)state;
	open_fixture(&f);
	for (int64_t key = 0; key < MANY; key++) {
		void *row = make_row(&f, key, (int32_t)key, 5, buf);

		assert_int_equal(table_put(f.table, row_hash(&f.layout, row, KEY, 1), 1, row), 0);
	}
	table_check(f.table);
	assert_int_equal(table_rows(f.table), MANY);
	for (int64_t key = 0; key < MANY; key += 7) {
		void *row = make_row(&f, key, 0, 0, buf);
		const void *found = table_read(
			f.table, row_hash(&f.layout, row, KEY, 1), &f.layout, row, KEY, 1);

		assert_non_null(found);
		assert_int_equal(second(&f, found), key);
	}
	close_fixture(&f);
}

/* The n-th allocation fails, for every n of a small workload: nothing changes, nothing leaks. */
static void test_out_of_memory(void **state)
{
	(void)state;
	for (uint64_t n = 1; n < 60; n++) {
		struct fixture f;
		char buf[128];
		uint64_t rows = 0;

		open_fixture(&f);
		heap_fail_after(f.heap, n);
		for (int64_t key = 0; key < 600; key++) {
			void *row = make_row(&f, key, 1, 9, buf);

			if (table_put(f.table, row_hash(&f.layout, row, KEY, 1), 1, row) == 0)
				rows++;
			assert_int_equal(table_rows(f.table), rows);
		}
		assert_true(rows >= 599);
		table_check(f.table);
		close_fixture(&f);
	}
}

/* A key behind a text that changes its length in place, under a reader of the epoch before: the reader finds
 * the key and its old row every time. */
struct in_place {
	struct row_layout layout;
	struct table *table;
	_Atomic bool stop;
};

static void *text_row(const struct row_layout *l, unsigned note, void *out)
{
	static const char NOTE[] = "a note that is now and then longer than before";
	struct value v[2] = { { .s = { NOTE, note }, .type = TYPE_TEXT },
		{ .s = { "the key of the row", 18 }, .type = TYPE_TEXT } };

	row_encode(l, v, out);
	return out;
}

static void *change_in_place(void *arg)
{
	struct in_place *p = arg;
	char buf[160];

	for (unsigned i = 0; !atomic_load(&p->stop); i++) {
		void *row = text_row(&p->layout, i % 40, buf);

		if (table_put(p->table, row_hash(&p->layout, row, SECOND, 1), 2, row) != 0)
			break;
	}
	return NULL;
}

static void test_reader_beside_changes_in_place(void **state)
{
	static const struct type TYPES[] = { { .id = TYPE_TEXT }, { .id = TYPE_TEXT } };
	struct heap *heap = heap_new(NULL);
	struct retire *retire = retire_new(heap);
	struct in_place p = { .stop = false };
	struct table_options o = { heap, retire, &p.layout, SECOND, 1 };
	struct arena arena;
	pthread_t writer;
	struct error e;
	char buf[160];
	unsigned missed = 0, wrong = 0;
	uint64_t hash;
	void *row;

	(void)state;
	arena_init(&arena, heap);
	assert_int_equal(row_layout_init(&p.layout, TYPES, 2, &arena, &e), 0);
	p.table = table_new(&o);
	row = text_row(&p.layout, 40, buf);
	hash = row_hash(&p.layout, row, SECOND, 1);
	assert_int_equal(table_put(p.table, hash, 1, row), 0);
	assert_int_equal(pthread_create(&writer, NULL, change_in_place, &p), 0);
	for (unsigned i = 0; i < 300000; i++) {
		const void *found = table_read(p.table, hash, &p.layout, row, SECOND, 1);

		missed += found == NULL;
		wrong += found != NULL && memcmp(found, row, row_size(row)) != 0;
	}
	atomic_store(&p.stop, true);
	pthread_join(writer, NULL);
	assert_int_equal(missed, 0);
	assert_int_equal(wrong, 0);
	table_free(p.table);
	retire_free(retire);
	arena_free(&arena);
	heap_free_all(heap);
}

static void test_index(void **state)
{
	struct fixture f;
	struct index *ix;
	char buf[128];

	(void)state;
	open_fixture(&f);
	ix = index_new(f.heap, f.retire, &f.layout, SECOND, 1, KEY, 1);
	for (int64_t key = 0; key < 2000; key++)
		assert_int_equal(
			index_insert(ix, make_row(&f, key, (int32_t)(key % 100), 3, buf), 1), 0);
	index_check(ix);
	for (int64_t key = 0; key < 2000; key += 2) {
		assert_int_equal(index_reserve(ix, 1), 0);
		index_remove(ix, make_row(&f, key, (int32_t)(key % 100), 3, buf), 2);
	}
	index_check(ix);
	for (int32_t n = 0; n < 100; n++)
		for (uint64_t v = 1; v <= 2; v++) {
			void *probe = make_row(&f, 0, n, 0, buf);
			struct index_cursor c;
			unsigned found = 0;

			index_find(ix, &c, row_hash(&f.layout, probe, SECOND, 1), &f.layout, probe,
				SECOND, v);
			while (index_next(ix, &c) != NULL)
				found++;
			assert_int_equal(found, v == 1 ? 20 : n % 2 == 0 ? 0 : 20);
		}
	while (index_step(ix, 2, 3))
		;
	index_check(ix);
	assert_int_equal(index_entries(ix), 1000);
	index_free(ix);
	close_fixture(&f);
}

static const bool UNCOUNTED[2];

static const struct multimap_entry *first_of(const struct multimap *m, uint64_t hash)
{
	struct multimap_place at;

	multimap_find(m, hash, &at);
	assert_null(at.first[0]);
	return at.first[1];
}

static void test_multimap(void **state)
{
	struct fixture f;
	struct multimap *m;
	char buf[128];

	(void)state;
	open_fixture(&f);
	m = multimap_new(f.heap, UNCOUNTED);
	for (int pass = 0; pass < 2; pass++)
		for (int64_t key = 0; key < 20000; key++)
			assert_int_equal(multimap_add(m, 1, hash_u64((uint64_t)key / 4),
						 make_row(&f, key, 1, 3, buf),
						 pass == 0         ? 2
							 : key % 2 ? -2
								   : 1,
						 0),
				0);
	multimap_check(m);
	assert_int_equal(multimap_count(m), 10000);
	for (uint64_t k = 0; k < 5000; k++) {
		unsigned n = 0;

		for (const struct multimap_entry *e = first_of(m, hash_u64(k)); e != NULL;
			e = e->next) {
			assert_int_equal(e->weight, 3);
			n++;
		}
		assert_int_equal(n, 2);
	}
	multimap_free(m);
	close_fixture(&f);
}

/* One hot hash: rows come and go in any order, the first of the chain too. */
static void test_multimap_hot_hash(void **state)
{
	enum { HOT = 4000 };
	static int64_t model[HOT];
	struct fixture f;
	struct multimap *m;
	char buf[128];
	uint64_t there = 0;

	(void)state;
	open_fixture(&f);
	memset(model, 0, sizeof(model));
	m = multimap_new(f.heap, UNCOUNTED);
	for (uint64_t i = 0; i < 10 * HOT; i++) {
		uint64_t r = hash_u64(i);
		int64_t key = (int64_t)(r % HOT), weight = (int64_t)(r >> 40) % 3 - 1;
		bool was = model[key] != 0;

		model[key] += weight;
		there += (model[key] != 0) - was;
		assert_int_equal(multimap_add(m, 1, 7, make_row(&f, key, 1, 3, buf), weight, 0), 0);
		assert_int_equal(multimap_count(m), there);
		if (i % HOT == 0)
			multimap_check(m);
	}
	for (const struct multimap_entry *e = first_of(m, 7); e != NULL; e = e->next) {
		struct value v;

		row_get(&f.layout, e->row, 0, &v);
		assert_int_equal(e->weight, model[v.i]);
		there--;
	}
	assert_int_equal(there, 0);
	for (int64_t key = 0; key < HOT; key++)
		assert_int_equal(
			multimap_add(m, 1, 7, make_row(&f, key, 1, 3, buf), -model[key], 0), 0);
	assert_int_equal(multimap_count(m), 0);
	assert_null(first_of(m, 7));
	multimap_check(m);
	multimap_free(m);
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_reader_beside_changes_in_place),
		cmocka_unit_test(test_index),
		cmocka_unit_test(test_multimap),
		cmocka_unit_test(test_multimap_hot_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
