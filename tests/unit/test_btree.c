#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/store/btree.h"
#include "core/sync/epoch.h"

enum {
	KEYS = 400,
	EPOCHS = 80,
	CHANGES = 150,
	COLUMNS = 40,
	NONE = -1,
	NULL_COLUMN = -2,
	ROW_BYTES = 128,
	READERS = 3
};

/* Columns: key, number, text (of the number). */
static const uint16_t KEY[] = { 0 }, COLS[] = { 1, 2 };
static const uint8_t FLAGS[] = { SORT_DESCENDING | SORT_NULLS_FIRST, 0 };

struct fixture {
	struct heap *heap;
	struct arena arena;
	struct retire *retire;
	struct row_layout layout;
	struct btree *tree;
};

static void open_fixture(struct fixture *f)
{
	static const struct type TYPES[] = { { .id = TYPE_INT8 }, { .id = TYPE_INT4 },
		{ .id = TYPE_TEXT } };
	struct error e;

	f->heap = heap_new(NULL);
	arena_init(&f->arena, f->heap);
	f->retire = retire_new(f->heap);
	assert_int_equal(row_layout_init(&f->layout, TYPES, 3, &f->arena, &e), 0);
	f->tree = btree_new(f->heap, f->retire, &f->layout, COLS, FLAGS, 2, KEY, 1);
	assert_non_null(f->tree);
}

static void close_fixture(struct fixture *f)
{
	btree_free(f->tree);
	retire_free(f->retire);
	arena_free(&f->arena);
	assert_int_equal(heap_used(f->heap), 0);
	heap_free_all(f->heap);
}

static void *make_row(const struct fixture *f, int64_t key, int column, void *out)
{
	static const char TEXT[] = "the same beginning, and a different end: 0123456789";
	struct value v[3] = { { .i = key, .type = TYPE_INT8 }, { .i = column, .type = TYPE_INT4 },
		{ .type = TYPE_TEXT } };

	v[2].s.p = TEXT;
	v[2].s.len = 41 + (uint32_t)(column < 0 ? 0 : column % 10);
	if (column == NULL_COLUMN)
		v[1].flags = v[2].flags = VALUE_NULL;
	assert_true(row_encoded_size(&f->layout, v) <= ROW_BYTES);
	row_encode(&f->layout, v, out);
	return out;
}

/* The edge before or behind a number. */
static struct btree_edge edge_of(int column, bool after, char *buf)
{
	struct value v = { .i = column, .type = TYPE_INT4 };

	return (struct btree_edge){ buf, (uint32_t)(sortkey_put(buf, &v, FLAGS[0]) - buf), after };
}

static const struct btree_edge START = { NULL, 0, false }, END = { NULL, 0, true };

static int64_t next_key(const struct fixture *f, struct btree_cursor *c)
{
	const void *row = btree_next(c);
	struct value k;

	if (row == NULL)
		return NONE;
	row_get(btree_key_layout(f->tree), row, 0, &k);
	return k.i;
}

/* Keys with a number in [from, to], which lie in descending order of it, NULLs first, are what is read, and in either
 * direction. NULLs are read when everything is asked for. */
static void check_range(
	const struct fixture *f, uint64_t v, const int columns[KEYS], int from, int to, bool all)
{
	char low_bytes[16], high_bytes[16];
	struct btree_edge low = all ? START : edge_of(to, false, low_bytes);
	struct btree_edge high = all ? END : edge_of(from, true, high_bytes);
	static __thread int64_t want[KEYS];
	struct btree_cursor c;
	unsigned n = 0;

	for (unsigned k = 0; all && k < KEYS; k++)
		if (columns[k] == NULL_COLUMN)
			want[n++] = k;
	for (int column = to; column >= from; column--)
		for (unsigned k = 0; k < KEYS; k++)
			if (columns[k] == column)
				want[n++] = k;
	btree_find(f->tree, &c, &low, &high, false, v);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(next_key(f, &c), want[i]);
	assert_int_equal(next_key(f, &c), NONE);
	btree_find(f->tree, &c, &low, &high, true, v);
	for (unsigned i = n; i-- > 0;)
		assert_int_equal(next_key(f, &c), want[i]);
	assert_int_equal(next_key(f, &c), NONE);
}

static void check_epoch(const struct fixture *f, uint64_t v, const int columns[KEYS], uint64_t r)
{
	int from = (int)(r % COLUMNS), to = from + (int)(r >> 20) % 8;

	check_range(f, v, columns, 0, COLUMNS - 1, true);
	check_range(f, v, columns, 0, COLUMNS - 1, false);
	check_range(f, v, columns, from, to < COLUMNS ? to : COLUMNS - 1, false);
}

static void change(struct fixture *f, int columns[KEYS], unsigned key, int to, uint64_t epoch)
{
	uint64_t buf[ROW_BYTES / 8];

	if (to != NONE)
		assert_int_equal(btree_insert(f->tree, make_row(f, key, to, buf), epoch), 0);
	if (columns[key] != NONE)
		btree_remove(f->tree, make_row(f, key, columns[key], buf), epoch);
	columns[key] = to;
}

static void change_randomly(struct fixture *f, int now[KEYS], uint64_t epoch)
{
	/* Phases in which the tree grows, and ones in which nearly all goes. */
	bool shrinks = epoch / 10 % 2;

	for (unsigned i = 0; i < CHANGES; i++) {
		uint64_t r = hash_u64(epoch * CHANGES + i);
		unsigned key = (unsigned)(r % KEYS) % (i % 3 ? KEYS : 5);
		int to = (int)(r >> 40) % (COLUMNS + 2) - 2;

		if (shrinks && i % 3)
			to = NONE;
		if (to != now[key])
			change(f, now, key, to, epoch);
	}
}

/* Rows move between numbers, several times in an epoch and back again; any epoch that a reader may have pinned shows what
 * it was. */
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
		change_randomly(&f, now, epoch);
		check_epoch(&f, UINT64_MAX, now, hash_u64(epoch));
		for (uint64_t v = oldest; v <= epoch; v += 3)
			check_epoch(&f, v, history[v], hash_u64(epoch + v));
		btree_check(f.tree);
		if (epoch > 5) {
			oldest = epoch - 5;
			while (btree_step(f.tree, oldest, epoch))
				;
			retire_run(f.retire, oldest, 1000000);
			btree_check(f.tree);
		}
	}
	for (unsigned k = 0; k < KEYS; k++)
		if (history[EPOCHS][k] != NONE)
			change(&f, history[EPOCHS], k, NONE, EPOCHS + 1);
	while (btree_step(f.tree, EPOCHS + 1, EPOCHS + 2))
		;
	assert_int_equal(btree_entries(f.tree), 0);
	assert_false(btree_due(f.tree, UINT64_MAX));
	btree_check(f.tree);
	check_epoch(&f, EPOCHS + 2, history[EPOCHS], 1);
	close_fixture(&f);
}

/* Keys that come in order and go in order: what is read stays a window that moves. */
static void test_queue(void **state)
{
	static int columns[KEYS];
	struct fixture f;
	uint64_t epoch = 1, buf[ROW_BYTES / 8];

	(void)state;
	open_fixture(&f);
	for (int64_t k = 0; k < 40 * KEYS; k++, epoch++) {
		assert_int_equal(btree_insert(f.tree, make_row(&f, k, 7, buf), epoch), 0);
		if (k >= 100)
			btree_remove(f.tree, make_row(&f, k - 100, 7, buf), epoch);
		btree_step(f.tree, epoch, epoch);
		retire_run(f.retire, epoch, 1000000);
	}
	assert_int_equal(btree_entries(f.tree), 100);
	btree_check(f.tree);
	/* A window of a hundred takes little, however many went through it. */
	assert_true(heap_used(f.heap) < 100000);
	for (unsigned k = 0; k < KEYS; k++)
		columns[k] = NONE;
	for (int64_t k = 40 * KEYS - 100; k < 40 * KEYS; k++)
		btree_remove(f.tree, make_row(&f, k, 7, buf), epoch);
	check_epoch(&f, epoch, columns, 1);
	close_fixture(&f);
}

/* Ranges of a tree of several levels go and partly come again, so that nodes become first of their parents, are entered before
 * their own beginning, and are then joined with what stands before them. */
static void test_levels(void **state)
{
	enum { ROWS = 4000, ROUNDS = 3000, RANGE = 1000 };
	static bool there[ROWS];
	uint64_t random = 11, epoch = 1, buf[ROW_BYTES / 8];
	struct fixture f;

	(void)state;
	memset(there, 0, sizeof(there));
	open_fixture(&f);
	for (unsigned round = 0; round < ROUNDS; round++, epoch++) {
		unsigned from, n, one_in;

		random = hash_u64(random);
		from = (unsigned)(random % ROWS);
		n = 1 + (unsigned)(random >> 20) % RANGE;
		one_in = 1 + (unsigned)(random >> 40) % 4;
		for (unsigned i = from; i < from + n && i < ROWS; i++) {
			random = hash_u64(random);
			if (random % one_in != 0)
				continue;
			make_row(&f, i, (int)i, buf);
			if (there[i])
				btree_remove(f.tree, buf, epoch);
			else
				assert_int_equal(btree_insert(f.tree, buf, epoch), 0);
			there[i] = !there[i];
		}
		while (btree_step(f.tree, epoch, epoch + 1))
			;
		(void)retire_run(f.retire, epoch + 1, 1 << 20);
		btree_check(f.tree);
	}
	close_fixture(&f);
}

/* Where an edge falls between, before and behind all keys. */
static void test_edges(void **state)
{
	int columns[KEYS];
	struct fixture f;
	char a[16], b[16];
	struct btree_edge low, high;
	struct btree_cursor c;

	(void)state;
	open_fixture(&f);
	for (unsigned k = 0; k < KEYS; k++) {
		columns[k] = NONE;
		change(&f, columns, k, (int)(k % 20) * 2, 1);
	}
	check_range(&f, 1, columns, 3, 3, false);
	check_range(&f, 1, columns, 3, 5, false);
	check_range(&f, 1, columns, -5, -1, false);
	check_range(&f, 1, columns, 39, COLUMNS, false);
	check_range(&f, 1, columns, 0, 0, false);
	check_range(&f, 1, columns, 38, 38, false);
	check_range(&f, 0, (int[KEYS]){ NONE }, 1, 0, false);
	/* Excluding both ends: nothing lies between neighbours, nor between ends that are crossed. */
	low = edge_of(8, true, a);
	high = edge_of(6, false, b);
	btree_find(f.tree, &c, &low, &high, false, 1);
	assert_int_equal(next_key(&f, &c), NONE);
	btree_find(f.tree, &c, &low, &high, true, 1);
	assert_int_equal(next_key(&f, &c), NONE);
	btree_find(f.tree, &c, &high, &low, false, 1);
	assert_int_equal(next_key(&f, &c), NONE);
	close_fixture(&f);
}

/* Whatever allocation fails, the tree is as it was, and works. */
static void test_out_of_memory(void **state)
{
	int columns[KEYS];
	uint64_t buf[ROW_BYTES / 8];
	struct fixture f;
	unsigned failures = 0;

	(void)state;
	open_fixture(&f);
	for (unsigned k = 0; k < KEYS; k++)
		columns[k] = NONE;
	for (unsigned k = 0; k < KEYS; k++) {
		int to = (int)(hash_u64(k) % COLUMNS);
		uint64_t after = 1;

		for (;; after++) {
			int status;

			heap_fail_after(f.heap, after);
			status = btree_insert(f.tree, make_row(&f, k, to, buf), 1);
			heap_fail_after(f.heap, 0);
			btree_check(f.tree);
			if (status == 0)
				break;
			failures++;
			check_range(&f, 1, columns, 0, COLUMNS - 1, true);
		}
		columns[k] = to;
	}
	assert_true(failures > KEYS + KEYS / 15);
	for (unsigned k = 0; k < KEYS; k++) {
		/* Needs none at all, and neither does taking it back. */
		heap_fail_after(f.heap, 1);
		btree_remove(f.tree, make_row(&f, k, columns[k], buf), 2);
		assert_int_equal(btree_insert(f.tree, make_row(&f, k, columns[k], buf), 2), 0);
		heap_fail_after(f.heap, 0);
		if (k % 4)
			change(&f, columns, k, NONE, 2);
	}
	for (uint64_t after = 1; btree_due(f.tree, 2); after++) {
		heap_fail_after(f.heap, after % 7 + 1);
		(void)btree_step(f.tree, 2, 3);
		heap_fail_after(f.heap, 0);
		btree_check(f.tree);
		check_range(&f, 2, columns, 0, COLUMNS - 1, true);
		assert_true(after < 1000);
	}
	close_fixture(&f);
}

/* --- readers beside the writer --- */

struct shared {
	struct fixture f;
	struct epochs *epochs;
	atomic_bool stop;
	atomic_uint wrong, rounds;
};

/* What a key's number is in an epoch: each changes every few epochs. */
static int column_of(unsigned key, uint64_t epoch)
{
	uint64_t r = hash_u64(key * 1000003u + (epoch + key) / (1 + key % 7));

	return r % 4 == 0 ? NONE : (int)((r >> 8) % COLUMNS);
}

static void *reader(void *arg)
{
	struct shared *s = arg;
	int slot = epoch_reader_open(s->epochs);
	uint64_t r = hash_u64((uint64_t)slot);

	while (!atomic_load(&s->stop)) {
		uint64_t v = epoch_pin(s->epochs, (unsigned)slot);
		unsigned per[COLUMNS][KEYS / 8], count[COLUMNS] = { 0 };
		int from = (int)(r % COLUMNS), at = COLUMNS - 1;
		bool backward = r >> 60 & 1, wrong = false;
		struct btree_edge high;
		struct btree_cursor c;
		unsigned i = 0;
		char buf[16];
		int64_t key;

		r = hash_u64(r);
		for (unsigned k = 0; k < KEYS; k++) {
			int column = v == 0 ? NONE : column_of(k, v);

			if (column != NONE && count[column] < KEYS / 8)
				per[column][count[column]++] = k;
		}
		high = edge_of(from, true, buf);
		btree_find(s->f.tree, &c, &START, &high, backward, v);
		if (backward)
			at = from, i = count[at];
		while ((key = next_key(&s->f, &c)) != NONE && !wrong) {
			while (!backward && i == count[at] && at > from)
				at--, i = 0;
			while (backward && i == 0 && at < COLUMNS - 1)
				i = count[++at];
			wrong = backward ? i == 0 || per[at][--i] != (unsigned)key
					 : i == count[at] || per[at][i++] != (unsigned)key;
		}
		/* Nothing is left that should have come. */
		while (!backward && !wrong && i == count[at] && at > from)
			at--, i = 0;
		while (backward && !wrong && i == 0 && at < COLUMNS - 1)
			i = count[++at];
		wrong |= backward ? i != 0 : i != count[at];
		atomic_fetch_add(&s->wrong, wrong);
		atomic_fetch_add(&s->rounds, 1);
		epoch_unpin(s->epochs, (unsigned)slot);
	}
	epoch_reader_close(s->epochs, (unsigned)slot);
	return NULL;
}

static void write_epoch(struct shared *s)
{
	uint64_t epoch = epoch_enter(s->epochs, 0), reclaimable = epoch_reclaimable(s->epochs);
	uint64_t buf[ROW_BYTES / 8];

	for (unsigned k = 0; k < KEYS; k++) {
		int old = epoch == 1 ? NONE : column_of(k, epoch - 1), new = column_of(k, epoch);

		if (old == new)
			continue;
		if (new != NONE)
			assert_int_equal(
				btree_insert(s->f.tree, make_row(&s->f, k, new, buf), epoch), 0);
		if (old != NONE)
			btree_remove(s->f.tree, make_row(&s->f, k, old, buf), epoch);
	}
	while (btree_step(s->f.tree, reclaimable, epoch))
		;
	epoch_leave(s->epochs, 0);
	epoch_advance(s->epochs);
	retire_run(s->f.retire, epoch_reclaimable(s->epochs), 100000);
}

static void test_readers(void **state)
{
	static struct shared s;
	pthread_t threads[READERS];

	(void)state;
	open_fixture(&s.f);
	s.epochs = epochs_new(s.f.heap, 1, READERS);
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, &s), 0);
	for (unsigned n = 0; n < 300 || atomic_load(&s.rounds) < 300; n++)
		write_epoch(&s);
	atomic_store(&s.stop, true);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(s.wrong, 0);
	btree_check(s.f.tree);
	epochs_free(s.epochs);
	close_fixture(&s.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_epochs),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
