/*
 * multimap.c: chains of entries by key hash, in a hash directory (hashdir.h).
 *
 * A place of the directory holds the first entry of its hash, of the side that came first; that one knows the first of the
 * other side, and the others hang behind both, so that a lookup walks just what it is looking for. One directory for both
 * sides has half the places, probes and splits of two. To find one row among many of one hash (a hot key) its entries are also
 * put, from EXACT_FROM of them on, into a directory of their side by a hash of the whole row: so adding or
 * retracting a row never walks a long chain. An entry that cannot be put there for want of memory fails the
 * call, with nothing changed.
 *
 * A row that is added is new as a rule, and the shorter chains are not walked to learn that: each entry behind a first one has
 * in `marks` a bit for its row and for every row behind it, by their hashes. The second entry's, where a new one is linked
 * anyway, tell of all. Entries that go leave their bits in those before them.
 *
 * Budget: a lookup is two cache misses (bucket, entry) and one more for every further entry or the other side; adding a row
 * is three (the second entry is the third), with the new entry's own line; retracting one walks its chain.
 */
#include "core/store/multimap.h"

#include <string.h>

#include "core/base/assert.h"
#include "core/base/hash.h"
#include "core/store/hashdir.h"

enum { EXACT_FROM = 16 };

struct multimap {
	struct heap *heap;
	struct hashdir chains; /* first entries, by hash */
	struct hashdir exact
		[2]; /* entries of long chains of a side, by hash and row; made when first needed */
	uint64_t count;
	uint32_t before[2]; /* bytes of what stands before an entry of a side */
};

static void entry_free(const struct multimap *m, unsigned side, struct multimap_entry *e)
{
	uint32_t before = m->before[side];

	heap_free(m->heap, (char *)e - before, before + sizeof(*e) + row_size(e->row));
}

static uint64_t chain_hash(const void *arg, const void *object)
{
	(void)arg;
	return ((const struct multimap_entry *)object)->hash;
}

static uint64_t exact_hash_of(uint64_t hash, const void *row)
{
	return hash_bytes(row, row_size(row), hash);
}

static uint64_t exact_hash(const void *arg, const void *object)
{
	const struct multimap_entry *e = object;

	(void)arg;
	return exact_hash_of(e->hash, e->row);
}

struct multimap *multimap_new(struct heap *h, const bool counted[2])
{
	struct multimap *m = heap_zalloc(h, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->heap = h;
	for (unsigned k = 0; k < 2; k++)
		m->before[k] = counted[k] ? sizeof(int64_t) : 0;
	if (hashdir_init(&m->chains, h, NULL, chain_hash, NULL) != 0) {
		heap_free(h, m, sizeof(*m));
		return NULL;
	}
	return m;
}

static void entry_free_counted(
	const struct multimap *m, unsigned side, struct multimap_entry *e, size_t *left)
{
	heap_count_freed(row_size(e->row), left);
	entry_free(m, side, e);
}

/* What stands behind the first entry of a side. False: *left is used up before all of it is free. */
static bool side_free_some(const struct multimap *m, struct multimap_entry *first, size_t *left)
{
	struct multimap_entry *e;

	while ((e = first->next) != NULL) {
		if (*left == 0)
			return false;
		first->next = e->next;
		entry_free_counted(m, first->side, e, left);
	}
	return true;
}

static bool chain_free_some(void *arg, void *object, size_t *left)
{
	struct multimap_entry *head = object, *peer = head->peer;
	const struct multimap *m = arg;

	if (!side_free_some(m, head, left) || (peer != NULL && !side_free_some(m, peer, left)))
		return false;
	if (peer != NULL)
		entry_free_counted(m, peer->side, peer, left);
	entry_free_counted(m, head->side, head, left);
	return true;
}

bool multimap_free_some(struct multimap *m, size_t *left)
{
	for (unsigned k = 0; k < 2; k++)
		if (!hashdir_free_some(&m->exact[k], NULL, NULL, left))
			return false;
	if (!hashdir_free_some(&m->chains, chain_free_some, m, left))
		return false;
	heap_free_counted(m->heap, m, sizeof(*m), left);
	return true;
}

void multimap_free(struct multimap *m)
{
	size_t all = SIZE_MAX;

	if (m != NULL)
		(void)multimap_free_some(m, &all);
}

/* --- finding --- */

static __attribute__((noinline)) struct multimap_entry *chain_find_other(
	const struct multimap *m, uint64_t hash, struct hashdir_probe *p)
{
	struct multimap_entry *e;

	*p = hashdir_probe(&m->chains, hash);
	while ((e = hashdir_next(p)) != NULL && e->hash != hash)
		;
	return e;
}

/* The first entry of a hash and where it stands. */
static inline struct multimap_entry *chain_find(
	const struct multimap *m, uint64_t hash, struct hashdir_probe *p)
{
	struct multimap_entry *e;

	*p = hashdir_probe(&m->chains, hash);
	e = hashdir_likely(p);
	if (e != NULL && e->hash == hash)
		return e;
	return hashdir_absent(p) ? NULL : chain_find_other(m, hash, p);
}

static bool is_row(const struct multimap_entry *e, uint64_t hash, const void *row, uint32_t size)
{
	return e->hash == hash && row_size(e->row) == size && memcmp(e->row, row, size) == 0;
}

static struct multimap_entry *exact_find(const struct multimap *m, unsigned side, uint64_t hash,
	const void *row, struct hashdir_probe *p)
{
	struct multimap_entry *e;

	*p = hashdir_probe(&m->exact[side], exact_hash_of(hash, row));
	while ((e = hashdir_next(p)) != NULL && !is_row(e, hash, row, row_size(row)))
		;
	return e;
}

static uint64_t mark_of(uint64_t hash, const void *row)
{
	return UINT64_C(1) << exact_hash_of(hash, row) % 64;
}

static struct multimap_entry *entry_find(
	const struct multimap *m, struct multimap_entry *first, uint64_t hash, const void *row)
{
	struct hashdir_probe p;
	uint32_t size = row_size(row);

	if (first->exact)
		return exact_find(m, first->side, hash, row, &p);
	if (is_row(first, hash, row, size))
		return first;
	first = first->next;
	if (first == NULL || (first->marks & mark_of(hash, row)) == 0)
		return NULL;
	while (first != NULL && !is_row(first, hash, row, size))
		first = first->next;
	return first;
}

void multimap_find(const struct multimap *m, uint64_t hash, struct multimap_place *at)
{
	struct multimap_entry *head = chain_find(m, hash, &at->probe);

	at->head = head;
	at->first[0] = at->first[1] = NULL;
	if (head == NULL)
		return;
	at->first[head->side] = head;
	at->first[1 - head->side] = head->peer;
}

int multimap_each(
	const struct multimap *m, int (*fn)(void *arg, const struct multimap_entry *e), void *arg)
{
	struct hashdir_cursor c;
	const struct multimap_entry *e;
	int status = 0;

	hashdir_scan_begin(&c, &m->chains);
	while (status == 0 && (e = hashdir_scan_next(&c)) != NULL)
		for (e = e->side == 0 ? e : e->peer; status == 0 && e != NULL; e = e->next)
			status = fn(arg, e);
	return status;
}

void multimap_prefetch(const struct multimap *m, uint64_t hash)
{
	hashdir_prefetch(&m->chains, hash);
}

void multimap_prefetch_entry(const struct multimap *m, uint64_t hash)
{
	hashdir_prefetch_object(&m->chains, hash);
}

void multimap_prefetch_peer(const struct multimap *m, uint64_t hash)
{
	struct hashdir_probe p = hashdir_probe(&m->chains, hash);
	const struct multimap_entry *e = hashdir_likely(&p);

	if (e == NULL)
		return;
	__builtin_prefetch(e->peer);
	__builtin_prefetch(e->next);
}

void multimap_prefetch_second(const struct multimap *m, uint64_t hash)
{
	struct hashdir_probe p = hashdir_probe(&m->chains, hash);
	const struct multimap_entry *e = hashdir_likely(&p);

	if (e != NULL && e->peer != NULL)
		__builtin_prefetch(e->peer->next);
}

/* --- changing --- */

static void exact_remove(struct multimap *m, unsigned side, const struct multimap_entry *e)
{
	struct hashdir_probe p;

	if (exact_find(m, side, e->hash, e->row, &p) != NULL)
		hashdir_remove(&p);
}

/* Put all of a chain into its side's directory. 0, or -1 with none of it there. */
static int exact_begin(struct multimap *m, struct multimap_entry *first)
{
	struct hashdir *exact = &m->exact[first->side];

	if (exact->top == NULL && hashdir_init(exact, m->heap, NULL, exact_hash, NULL) != 0)
		return -1;
	for (struct multimap_entry *e = first; e != NULL; e = e->next) {
		if (hashdir_insert(exact, exact_hash(NULL, e), 0, e) == 0)
			continue;
		for (struct multimap_entry *k = first; k != e; k = k->next)
			exact_remove(m, first->side, k);
		return -1;
	}
	first->exact = 1;
	return 0;
}

/* Behind the first entry, which keeps its place. */
static int chain_add(struct multimap *m, struct multimap_entry *first, struct multimap_entry *e)
{
	if (!first->exact && first->length >= EXACT_FROM && exact_begin(m, first) != 0)
		return -1;
	if (first->exact && hashdir_insert(&m->exact[first->side], exact_hash(NULL, e), 0, e) != 0)
		return -1;
	e->next = first->next;
	e->marks = mark_of(e->hash, e->row);
	if (e->next != NULL) {
		e->marks |= e->next->marks;
		e->next->prev = e;
	}
	e->prev = first;
	first->next = e;
	first->length++;
	return 0;
}

/* As the first of its side. */
static int first_add(struct multimap *m, const struct multimap_place *at, unsigned side,
	struct multimap_entry *e)
{
	e->length = 1;
	e->exact = 0;
	e->side = (uint16_t)side;
	e->peer = at->head;
	if (at->head == NULL)
		return hashdir_insert(&m->chains, e->hash, 0, e);
	at->head->peer = e;
	return 0;
}

static struct multimap_entry *entry_new(struct multimap *m, unsigned side, uint64_t hash,
	const void *row, int64_t weight, int64_t counter)
{
	uint32_t size = row_size(row), before = m->before[side];
	char *p = heap_alloc(m->heap, before + sizeof(struct multimap_entry) + size);
	struct multimap_entry *e;

	if (p == NULL)
		return NULL;
	e = (struct multimap_entry *)(void *)(p + before);
	if (before > 0)
		*multimap_counter(e) = counter;
	e->next = NULL;
	e->hash = hash;
	e->weight = weight;
	memcpy(e->row, row, size);
	return e;
}

static int entry_add(struct multimap *m, const struct multimap_place *at, unsigned side,
	struct multimap_entry *e)
{
	struct multimap_entry *first = at->first[side];

	if (e == NULL)
		return -1;
	if ((first != NULL ? chain_add(m, first, e) : first_add(m, at, side, e)) != 0) {
		entry_free(m, side, e);
		return -1;
	}
	m->count++;
	return 0;
}

/* The first of a side goes; `next` (NULL: none) is the first from now on. */
static void first_replace(
	const struct multimap_place *at, struct multimap_entry *first, struct multimap_entry *next)
{
	struct multimap_entry *peer = first->peer;

	if (next != NULL) {
		next->length = first->length - 1;
		next->exact = first->exact;
		next->side = first->side;
		next->peer = peer;
	}
	if (peer != NULL)
		peer->peer = next;
	if (at->head != first)
		return;
	if (next == NULL)
		next = peer;
	if (next != NULL)
		hashdir_replace(&at->probe, next);
	else
		hashdir_remove(&at->probe);
}

static void entry_remove(struct multimap *m, const struct multimap_place *at, unsigned side,
	struct multimap_entry *e)
{
	struct multimap_entry *first = at->first[side], *next = e->next;

	if (first->exact)
		exact_remove(m, side, e);
	if (e == first) {
		first_replace(at, first, next);
	} else {
		e->prev->next = next;
		if (next != NULL)
			next->prev = e->prev;
		first->length--;
	}
	entry_free(m, side, e);
	m->count--;
}

int multimap_add_at(struct multimap *m, const struct multimap_place *at, unsigned side,
	uint64_t hash, const void *row, int64_t weight, int64_t counter)
{
	struct multimap_entry *first = at->first[side], *e;

	if (weight == 0)
		return 0;
	e = first == NULL ? NULL : entry_find(m, first, hash, row);
	if (e == NULL)
		return entry_add(m, at, side, entry_new(m, side, hash, row, weight, counter));
	e->weight += weight;
	if (e->weight == 0)
		entry_remove(m, at, side, e);
	return 0;
}

int multimap_add(struct multimap *m, unsigned side, uint64_t hash, const void *row, int64_t weight,
	int64_t counter)
{
	struct multimap_place at;

	multimap_find(m, hash, &at);
	return multimap_add_at(m, &at, side, hash, row, weight, counter);
}

uint64_t multimap_count(const struct multimap *m)
{
	return m->count;
}

/* A side's chain; returns its length. */
static uint64_t side_check(
	const struct multimap *m, const struct multimap_entry *first, uint64_t *exact)
{
	uint32_t length = 0;

	for (const struct multimap_entry *e = first; e != NULL; e = e->next) {
		struct hashdir_probe p;

		ASSERT(e->hash == first->hash && e->weight != 0);
		ASSERT(e == first || e->prev->next == e);
		ASSERT(e == first || (e->marks & mark_of(e->hash, e->row)) != 0);
		ASSERT(e == first || e->next == NULL || (e->next->marks & ~e->marks) == 0);
		ASSERT(!first->exact || exact_find(m, first->side, e->hash, e->row, &p) == e);
		length++;
	}
	ASSERT(length == first->length);
	exact[first->side] += first->exact ? length : 0;
	return length;
}

void multimap_check(const struct multimap *m)
{
	struct hashdir_cursor c;
	const struct multimap_entry *head;
	uint64_t n = 0, exact[2] = { 0 };

	(void)hashdir_check(&m->chains);
	hashdir_scan_begin(&c, &m->chains);
	while ((head = hashdir_scan_next(&c)) != NULL) {
		n += side_check(m, head, exact);
		if (head->peer == NULL)
			continue;
		ASSERT(head->peer->peer == head && head->peer->side != head->side &&
			head->peer->hash == head->hash);
		n += side_check(m, head->peer, exact);
	}
	ASSERT(n == m->count);
	for (unsigned k = 0; k < 2; k++)
		ASSERT(exact[k] == (m->exact[k].top == NULL ? 0 : hashdir_check(&m->exact[k])));
}
