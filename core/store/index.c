/*
 * index.c: see index.h.
 *
 * A radix tree over the hash, 64 ways a level, whose leaves are short chains of entries. A chain that has
 * grown long is replaced by a node of 64 chains, into which its entries are copied (they are small): so no
 * insertion ever waits for the whole index to grow.
 *
 * Readers. An entry is complete before it is linked (release), and linked at the head of its chain. A reader
 * in a chain that was replaced sees it as it was, which is all that its epoch can need: an entry added or
 * ended later is so in an epoch newer than its pin. Entries are taken out when every pin has passed their
 * `until`, and replaced or removed ones go through the retire list, in an epoch under way (as in
 * table.c).
 */
#include "core/store/index.h"

#include <string.h>

#include "core/base/assert.h"
#include "core/base/hash.h"
#include "core/base/limits.h"

enum { FAN = 64, FAN_BITS = 6, CHAIN_MAX = 12, LEVELS_MAX = 10, STEP_DEAD = 64 };

struct entry {
	struct entry *next;
	uint64_t hash;
	uint64_t from, until; /* until: UINT64_MAX while it holds */
	uint32_t size;        /* bytes of the rows below */
	uint32_t key_at;      /* the key row within data */
	char data[];          /* the index columns as a row, then the key columns as a row */
};

/* A leaf: pointer to a chain; a node: pointer to 64 more, with the low bit set. */
struct node {
	uintptr_t child[FAN];
};

struct removed {
	uint64_t hash;
	uint64_t until;
};

struct index {
	struct heap *heap;
	struct retire *retire;
	const struct row_layout *layout;
	unsigned ncols, nkey;
	const uint16_t *cols, *key;
	struct row_layout col_layout, key_layout;
	struct arena arena;
	struct node root;
	uint64_t entries;
	struct removed *removed; /* ring: entries to be taken out later */
	size_t removed_cap, removed_head, removed_tail;
};

/* The columns of a row that holds nothing else. */
static const uint16_t SEQUENCE[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
	18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 };
_Static_assert(sizeof(SEQUENCE) / sizeof(SEQUENCE[0]) == LIMIT_KEY_COLUMNS, "all key columns");

static bool is_node(uintptr_t p)
{
	return p & 1;
}

static struct node *as_node(uintptr_t p)
{
	return (struct node *)(p & ~(uintptr_t)1);
}

static uintptr_t load(const uintptr_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void store(uintptr_t *p, uintptr_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static unsigned digit(uint64_t hash, unsigned level)
{
	return (unsigned)(hash >> (FAN_BITS * level)) % FAN;
}

static uintptr_t *leaf_of(const struct index *ix, uint64_t hash, unsigned *level)
{
	const struct node *n = &ix->root;

	*level = 0;
	for (;;) {
		uintptr_t *p = (uintptr_t *)&n->child[digit(hash, *level)];
		uintptr_t v = load(p);

		if (!is_node(v))
			return p;
		n = as_node(v);
		(*level)++;
	}
}

static size_t entry_bytes(const struct entry *e)
{
	return sizeof(*e) + e->size;
}

static int layout_of(struct row_layout *out, const struct row_layout *l, const uint16_t *cols,
	unsigned n, struct arena *a)
{
	struct type types[LIMIT_KEY_COLUMNS];
	struct error e;

	for (unsigned i = 0; i < n; i++)
		types[i] = l->types[cols[i]];
	return row_layout_init(out, types, n, a, &e);
}

static const uint16_t *copy_columns(struct arena *a, const uint16_t *cols, unsigned n)
{
	uint16_t *copy = arena_alloc(a, (n + 1) * sizeof(*copy));

	if (copy != NULL)
		memcpy(copy, cols, n * sizeof(*copy));
	return copy;
}

struct index *index_new(struct heap *h, struct retire *retire, const struct row_layout *layout,
	const uint16_t *cols, unsigned ncols, const uint16_t *key, unsigned nkey)
{
	struct index *ix = heap_zalloc(h, sizeof(*ix));

	if (ix == NULL)
		return NULL;
	ix->heap = h;
	ix->retire = retire;
	ix->layout = layout;
	ix->ncols = ncols;
	ix->nkey = nkey;
	arena_init(&ix->arena, h);
	ix->cols = copy_columns(&ix->arena, cols, ncols);
	ix->key = copy_columns(&ix->arena, key, nkey);
	if (ix->cols == NULL || ix->key == NULL ||
		layout_of(&ix->col_layout, layout, cols, ncols, &ix->arena) != 0 ||
		layout_of(&ix->key_layout, layout, key, nkey, &ix->arena) != 0) {
		arena_free(&ix->arena);
		heap_free(h, ix, sizeof(*ix));
		return NULL;
	}
	return ix;
}

/* False: *left is used up before all is free below *p, which is 0 then. */
static bool child_free_some(struct index *ix, uintptr_t *p, size_t *left)
{
	if (is_node(*p)) {
		struct node *n = as_node(*p);

		for (unsigned i = 0; i < FAN; i++)
			if (!child_free_some(ix, &n->child[i], left))
				return false;
		heap_free_counted(ix->heap, n, sizeof(*n), left);
		*p = 0;
		return true;
	}
	while (*p != 0) {
		struct entry *e = (struct entry *)*p;

		if (*left == 0)
			return false;
		*p = (uintptr_t)e->next;
		heap_free_counted(ix->heap, e, entry_bytes(e), left);
	}
	return true;
}

bool index_free_some(struct index *ix, size_t *left)
{
	for (unsigned i = 0; i < FAN; i++)
		if (!child_free_some(ix, &ix->root.child[i], left))
			return false;
	heap_free_counted(ix->heap, ix->removed, ix->removed_cap * sizeof(*ix->removed), left);
	arena_free(&ix->arena);
	heap_free_counted(ix->heap, ix, sizeof(*ix), left);
	return true;
}

void index_free(struct index *ix)
{
	size_t all = SIZE_MAX;

	if (ix != NULL)
		(void)index_free_some(ix, &all);
}

int index_reserve(struct index *ix, unsigned n)
{
	size_t used = ix->removed_tail - ix->removed_head;
	size_t cap = ix->removed_cap == 0 ? 64 : ix->removed_cap;
	struct removed *list;

	if (used + n <= ix->removed_cap)
		return 0;
	while (cap < used + n)
		cap *= 2;
	list = heap_alloc(ix->heap, cap * sizeof(*list));
	if (list == NULL)
		return -1;
	for (size_t i = 0; i < used; i++)
		list[i] = ix->removed[(ix->removed_head + i) & (ix->removed_cap - 1)];
	heap_free(ix->heap, ix->removed, ix->removed_cap * sizeof(*ix->removed));
	ix->removed = list;
	ix->removed_cap = cap;
	ix->removed_head = 0;
	ix->removed_tail = used;
	return 0;
}

/* Whether an entry is of this row: same index columns, same key. */
static bool entry_is(const struct index *ix, const struct entry *e, const void *row)
{
	return row_equal(
		       &ix->col_layout, e->data, SEQUENCE, ix->layout, row, ix->cols, ix->ncols) &&
		row_equal(&ix->key_layout, e->data + e->key_at, SEQUENCE, ix->layout, row, ix->key,
			ix->nkey);
}

/* A chain too long becomes a node. Failing is harmless: the chain just stays long. */
static void leaf_split(
	struct index *ix, uintptr_t *leaf, unsigned level, uint64_t epoch, unsigned length)
{
	struct node *n;
	struct entry *first = (struct entry *)*leaf;
	bool differ = false;

	for (struct entry *e = first; e != NULL; e = e->next)
		differ |= e->hash != first->hash;
	if (!differ || level + 1 >= LEVELS_MAX || retire_reserve(ix->retire, length) != 0)
		return;
	n = heap_zalloc(ix->heap, sizeof(*n));
	if (n == NULL)
		return;
	for (struct entry *e = first; e != NULL; e = e->next) {
		struct entry *copy = heap_alloc(ix->heap, entry_bytes(e));

		if (copy == NULL) {
			uintptr_t made = (uintptr_t)n | 1;
			size_t all = SIZE_MAX;

			(void)child_free_some(ix, &made, &all);
			return;
		}
		memcpy(copy, e, entry_bytes(e));
		copy->next = (struct entry *)n->child[digit(e->hash, level + 1)];
		n->child[digit(e->hash, level + 1)] = (uintptr_t)copy;
	}
	store(leaf, (uintptr_t)n | 1);
	while (first != NULL) {
		struct entry *next = first->next;

		retire_add(ix->retire, epoch, first, entry_bytes(first));
		first = next;
	}
}

static struct entry *entry_new(struct index *ix, const void *row, uint64_t hash, uint64_t epoch)
{
	struct value cols[LIMIT_KEY_COLUMNS], key[LIMIT_KEY_COLUMNS];
	uint32_t a, b;
	struct entry *e;

	for (unsigned i = 0; i < ix->ncols; i++)
		row_get(ix->layout, row, ix->cols[i], &cols[i]);
	for (unsigned i = 0; i < ix->nkey; i++)
		row_get(ix->layout, row, ix->key[i], &key[i]);
	a = row_encoded_size(&ix->col_layout, cols);
	b = row_encoded_size(&ix->key_layout, key);
	e = heap_alloc(ix->heap, sizeof(*e) + a + b);
	if (e == NULL)
		return NULL;
	e->hash = hash;
	e->from = epoch;
	e->until = UINT64_MAX;
	e->size = a + b;
	e->key_at = a;
	row_encode(&ix->col_layout, cols, e->data);
	row_encode(&ix->key_layout, key, e->data + a);
	return e;
}

int index_insert(struct index *ix, const void *row, uint64_t epoch)
{
	uint64_t hash = row_hash(ix->layout, row, ix->cols, ix->ncols);
	unsigned level, length = 0;
	uintptr_t *leaf = leaf_of(ix, hash, &level);
	struct entry *e;

	for (e = (struct entry *)*leaf; e != NULL; e = e->next) {
		/* Removed in this epoch and here again: it never went. */
		if (e->until == epoch && e->hash == hash && entry_is(ix, e, row)) {
			__atomic_store_n(&e->until, UINT64_MAX, __ATOMIC_RELEASE);
			ix->entries++;
			return 0;
		}
		length++;
	}
	e = entry_new(ix, row, hash, epoch);
	if (e == NULL)
		return -1;
	e->next = (struct entry *)*leaf;
	store(leaf, (uintptr_t)e);
	ix->entries++;
	if (length >= CHAIN_MAX)
		leaf_split(ix, leaf, level, epoch, length + 1);
	return 0;
}

void index_remove(struct index *ix, const void *row, uint64_t epoch)
{
	uint64_t hash = row_hash(ix->layout, row, ix->cols, ix->ncols);
	unsigned level;

	for (struct entry *e = (struct entry *)*leaf_of(ix, hash, &level); e != NULL; e = e->next) {
		if (e->hash != hash || e->until != UINT64_MAX || !entry_is(ix, e, row))
			continue;
		__atomic_store_n(&e->until, epoch, __ATOMIC_RELEASE);
		ix->entries--;
		/* Without room for the note the entry stays, dead, until its chain is looked at again. */
		if (ix->removed_tail - ix->removed_head < ix->removed_cap)
			ix->removed[ix->removed_tail++ & (ix->removed_cap - 1)] = (struct removed){
				hash, epoch
			};
		return;
	}
}

bool index_due(const struct index *ix, uint64_t reclaimable)
{
	return ix->removed_head != ix->removed_tail &&
		ix->removed[ix->removed_head & (ix->removed_cap - 1)].until <= reclaimable;
}

bool index_step(struct index *ix, uint64_t reclaimable, uint64_t epoch)
{
	for (unsigned n = 0; n < STEP_DEAD && ix->removed_head != ix->removed_tail; n++) {
		const struct removed *r = &ix->removed[ix->removed_head & (ix->removed_cap - 1)];
		unsigned level;
		uintptr_t *link;

		if (r->until > reclaimable)
			return false;
		link = leaf_of(ix, r->hash, &level);
		while (*link != 0) {
			struct entry *e = (struct entry *)*link;

			if (e->until > reclaimable) {
				link = (uintptr_t *)&e->next;
				continue;
			}
			if (retire_reserve(ix->retire, 1) != 0)
				return false;
			store(link, (uintptr_t)e->next);
			retire_add(ix->retire, epoch, e, entry_bytes(e));
		}
		ix->removed_head++;
	}
	return ix->removed_head != ix->removed_tail;
}

const struct row_layout *index_key_layout(const struct index *ix)
{
	return &ix->key_layout;
}

void index_find(const struct index *ix, struct index_cursor *c, uint64_t hash,
	const struct row_layout *kl, const void *krow, const uint16_t *kcols, uint64_t v)
{
	unsigned level;

	*c = (struct index_cursor){ .entry = (const void *)load(leaf_of(ix, hash, &level)),
		.hash = hash,
		.v = v,
		.kl = kl,
		.krow = krow,
		.kcols = kcols };
}

static bool entry_holds(const struct entry *e, uint64_t v)
{
	uint64_t until = __atomic_load_n(&e->until, __ATOMIC_ACQUIRE);

	return v == UINT64_MAX ? until == UINT64_MAX : e->from <= v && v < until;
}

const void *index_next(const struct index *ix, struct index_cursor *c)
{
	while (c->entry != NULL) {
		const struct entry *e = c->entry;

		c->entry = (const void *)load((const uintptr_t *)&e->next);
		if (e->hash == c->hash && entry_holds(e, c->v) &&
			row_equal(&ix->col_layout, e->data, SEQUENCE, c->kl, c->krow, c->kcols,
				ix->ncols))
			return e->data + e->key_at;
	}
	return NULL;
}

uint64_t index_entries(const struct index *ix)
{
	return ix->entries;
}

static uint64_t child_check(const struct index *ix, uintptr_t p, unsigned level, uint64_t prefix)
{
	uint64_t n = 0;

	if (is_node(p)) {
		for (unsigned i = 0; i < FAN; i++)
			n += child_check(ix, as_node(p)->child[i], level + 1,
				prefix | (uint64_t)i << (FAN_BITS * (level + 1)));
		return n;
	}
	for (const struct entry *e = (const struct entry *)p; e != NULL; e = e->next) {
		for (unsigned k = 0; k <= level; k++)
			ASSERT(digit(e->hash, k) == digit(prefix, k));
		ASSERT(e->from <= e->until);
		n += e->until == UINT64_MAX;
	}
	return n;
}

void index_check(const struct index *ix)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < FAN; i++)
		n += child_check(ix, ix->root.child[i], 0, i);
	ASSERT(n == ix->entries);
}
