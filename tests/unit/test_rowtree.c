#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/flow/rowtree.h"

/* Columns of the rows: two that are sorted by, both with NULLs, and one that tells peers apart. */
enum { COLUMNS = 3, KEYS = 2, FIRST = 5, SECOND = 4, PEERS = 3, ROWS = FIRST * SECOND * PEERS };
enum { STEPS = 6000, ROW_MAX = 96 };

static const char *const TEXTS[SECOND] = { NULL, "", "a", "ab" };

struct bed {
	struct arena arena;
	struct heap *heap;
	struct row_layout layout;
	struct window_key keys[KEYS];
	struct rowtree_order order;
	struct rowtree_node *root;
	int64_t weights[ROWS];
	bool there[ROWS];
	uint64_t rows[ROWS][ROW_MAX / 8];
	unsigned sorted[ROWS]; /* their numbers as they must come */
};

/* Row n's place among the values of a key, NULL's being -1. */
static int place(unsigned n, unsigned key)
{
	return (int)(key == 0 ? n % FIRST : n / FIRST % SECOND) - 1;
}

static void row_make(struct bed *b, unsigned n)
{
	struct value v[COLUMNS] = { { .i = 10 * place(n, 0), .type = TYPE_INT4 },
		{ .type = TYPE_TEXT }, { .i = n / (FIRST * SECOND), .type = TYPE_INT8 } };
	const char *text = TEXTS[n / FIRST % SECOND];

	if (place(n, 0) < 0)
		v[0] = (struct value){ .type = TYPE_INT4, .flags = VALUE_NULL };
	if (text == NULL) {
		v[1].flags = VALUE_NULL;
	} else {
		v[1].s.p = text;
		v[1].s.len = (uint32_t)strlen(text);
	}
	assert_true(row_encoded_size(&b->layout, v) <= ROW_MAX);
	(void)row_encode(&b->layout, v, b->rows[n]);
}

/* What the order says, without looking at rows. */
static int by_keys(const struct bed *b, unsigned x, unsigned y)
{
	for (unsigned i = 0; i < b->order.n; i++) {
		const struct window_key *k = &b->keys[i];
		int p = place(x, k->column), q = place(y, k->column);

		if (p == q)
			continue;
		if (p < 0 || q < 0)
			return (p < 0) == k->nulls_first ? -1 : 1;
		return (p < q) != k->descending ? -1 : 1;
	}
	return 0;
}

static int by_all(const struct bed *b, unsigned x, unsigned y)
{
	uint32_t m = row_size(b->rows[x]), n = row_size(b->rows[y]);
	int c = by_keys(b, x, y);

	if (c == 0)
		c = memcmp(b->rows[x], b->rows[y], m < n ? m : n);
	return c != 0 ? c : (m > n) - (m < n);
}

/* Bits of `how`: DESC and NULLS FIRST of each key; then which is the first, and whether there is but one. */
static void bed_open(struct bed *b, unsigned how)
{
	static const struct type TYPES[COLUMNS] = { { .id = TYPE_INT4 }, { .id = TYPE_TEXT },
		{ .id = TYPE_INT8 } };
	struct error e;

	memset(b, 0, sizeof(*b));
	arena_init(&b->arena, NULL);
	b->heap = heap_new(NULL);
	assert_int_equal(row_layout_init(&b->layout, TYPES, COLUMNS, &b->arena, &e), 0);
	for (unsigned i = 0; i < KEYS; i++)
		b->keys[i] = (struct window_key){ .column = (uint16_t)(i ^ (how >> 4 & 1)),
			.descending = how >> (2 * i) & 1,
			.nulls_first = how >> (2 * i + 1) & 1 };
	b->order = (struct rowtree_order){ &b->layout, how & 32 ? 1 : KEYS, b->keys };
	for (unsigned n = 0; n < ROWS; n++) {
		unsigned at = n;

		row_make(b, n);
		for (; at > 0 && by_all(b, n, b->sorted[at - 1]) < 0; at--)
			b->sorted[at] = b->sorted[at - 1];
		b->sorted[at] = n;
	}
}

/* What belongs to a node takes two slices. */
static bool count(void *arg, struct rowtree_node *n, size_t *left)
{
	if (n->given == 0) {
		n->given = 1;
		*left = 0;
		return false;
	}
	++*(unsigned *)arg;
	return true;
}

static void bed_close(struct bed *b)
{
	unsigned given = 0, there = 0;

	for (unsigned n = 0; n < ROWS; n++)
		there += b->there[n];
	for (bool done = false; !done;) {
		size_t left = 3;
		unsigned before = given;

		done = rowtree_free_some(&b->root, b->heap, count, &given, &left);
		assert_true(given - before <= 3);
	}
	assert_int_equal(given, there);
	assert_int_equal(heap_used(b->heap), 0);
	heap_free_all(b->heap);
	arena_free(&b->arena);
}

struct walk {
	struct bed *b;
	unsigned at, given, stop; /* stop: after so many */
};

static bool walk_node(void *arg, struct rowtree_node *n)
{
	struct walk *w = arg;
	unsigned row;

	while (w->at < ROWS && !w->b->there[w->b->sorted[w->at]])
		w->at++;
	assert_true(w->at < ROWS);
	row = w->b->sorted[w->at++];
	assert_memory_equal(n->row, w->b->rows[row], row_size(w->b->rows[row]));
	assert_int_equal(n->weight, w->b->weights[row]);
	return ++w->given != w->stop;
}

/* All rows in order with their weights; and as many as are wanted, where the walk is stopped. */
static void check(struct bed *b, unsigned stop)
{
	struct walk all = { .b = b }, some = { .b = b, .stop = stop };
	unsigned there = 0;

	for (unsigned n = 0; n < ROWS; n++)
		there += b->there[n];
	assert_true(rowtree_each(b->root, walk_node, &all));
	assert_int_equal(all.given, there);
	assert_int_equal(rowtree_each(b->root, walk_node, &some), stop == 0 || stop > there);
	assert_int_equal(some.given, stop == 0 || stop > there ? there : stop);
}

static struct rowtree_node *add(struct bed *b, unsigned n, int64_t weight)
{
	struct rowtree_node *node = rowtree_add(&b->root, &b->order, b->rows[n], weight, b->heap);

	if (node == NULL)
		return NULL;
	b->there[n] = true;
	b->weights[n] += weight;
	assert_int_equal(node->weight, b->weights[n]);
	return node;
}

static void take_out(struct bed *b, unsigned n)
{
	/* 0 of it: where it is. */
	struct rowtree_node *node = add(b, n, 0);

	assert_non_null(node);
	rowtree_remove(&b->root, &b->order, node, b->heap);
	b->there[n] = false;
	b->weights[n] = 0;
}

static void random_steps(struct bed *b, unsigned how)
{
	for (uint64_t step = 0; step < STEPS; step++) {
		uint64_t r = hash_combine(how, step);
		unsigned n = (unsigned)(r % ROWS);
		/* Weights are negative half of the time, and stay small. */
		int64_t weight = (int64_t)(r >> 32) % 7 - 3;

		if (b->weights[n] * weight > 6)
			weight = -weight;
		if (b->weights[n] == 0 && (r >> 16) % 4 == 0)
			take_out(b, n);
		else
			assert_non_null(add(b, n, weight));
		if (step % 50 == 0)
			check(b, (unsigned)((r >> 24) % ROWS));
	}
}

static void test_random(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 64; how++) {
		struct bed b;

		bed_open(&b, how);
		random_steps(&b, how);
		/* To none, one after the other. */
		for (unsigned n = 0; n < ROWS; n++) {
			take_out(&b, (n * 37) % ROWS);
			check(&b, 1);
		}
		assert_null(b.root);
		bed_close(&b);
	}
}

/* The keys alone: peers are equal, whatever else they have. */
static void test_keys(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 64; how++) {
		struct bed b;

		bed_open(&b, how);
		for (unsigned x = 0; x < ROWS; x++)
			for (unsigned y = 0; y < ROWS; y++) {
				int c = rowtree_compare_keys(&b.order, b.rows[x], b.rows[y]);
				int want = by_keys(&b, x, y);

				assert_int_equal((c > 0) - (c < 0), want);
			}
		bed_close(&b);
	}
}

/* What its owner keeps in a node is there as long as the node, and the node stays where it is. */
static void test_owner(void **state)
{
	struct bed b;
	struct rowtree_node *nodes[ROWS];

	(void)state;
	bed_open(&b, 0);
	for (unsigned n = 0; n < ROWS; n++) {
		nodes[n] = add(&b, n, 1);
		assert_non_null(nodes[n]);
		assert_false(nodes[n]->listed);
		assert_int_equal(nodes[n]->given, 0);
		assert_null(nodes[n]->outputs);
		nodes[n]->given = n + 1;
	}
	for (unsigned n = 0; n < ROWS; n += 2)
		take_out(&b, n);
	for (unsigned n = 1; n < ROWS; n += 2) {
		assert_ptr_equal(add(&b, n, -1), nodes[n]);
		assert_int_equal(nodes[n]->given, n + 1);
	}
	check(&b, 0);
	bed_close(&b);
}

/* A row that cannot be added leaves all as it was; one that is there needs no memory. */
static void test_out_of_memory(void **state)
{
	struct bed b;

	(void)state;
	bed_open(&b, 5);
	for (unsigned n = 0; n < ROWS; n++) {
		heap_fail_after(b.heap, 1);
		assert_null(add(&b, n, 1));
		heap_fail_after(b.heap, 0);
		check(&b, 0);
		assert_non_null(add(&b, n, 1));
		heap_fail_after(b.heap, 1);
		assert_non_null(add(&b, n, 2));
		heap_fail_after(b.heap, 0);
	}
	check(&b, 0);
	bed_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
