/*
 * table.c: versions of rows by key, in a hash directory (hashdir.h).
 *
 * A place of the directory holds the newest version of its key; older ones hang behind it. Budget of a lookup:
 * top, bucket, version: three cache misses, the first usually in cache.
 *
 * Readers find a version of their epoch as long as they hold their pin: every version that was made in an
 * earlier epoch was linked before, whichever segment they look at. The newest version of a key may be changed in
 * place while a reader looks for that key, so a reader first goes back to the version of its own epoch and
 * compares the key of that one: all versions of a chain have the same key. Of a version that is newer than its
 * pin it reads `epoch` and `older` only.
 *
 * A dead key leaves its place when its tombstone is reclaimable; the tombstone is retired in the epoch under
 * way, inside enter and leave, so the argument of hashdir.c frees it.
 *
 * Failure: allocation only; everything a change needs is allocated before the first store.
 */
#include "core/store/table.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/store/rowkey.h"

enum { STEP_DEAD = 64 /* dead keys taken out a step */ };

struct dead {
	struct version *version;
	uint64_t hash;
	uint64_t epoch;
};

struct table {
	/* fixed */
	struct table_options o;
	struct rowkey key;
	unsigned fast; /* width of the single fixed-width key column compared by memcmp; 0: none */
	/* readers */
	_Alignas(64) struct hashdir places;
	/* writer */
	_Alignas(64) uint64_t rows;
	uint64_t bytes;         /* of the newest versions, the ring and this */
	struct hashdir cleared; /* by table_clear(), to be freed */
	struct dead *dead;      /* ring */
	size_t dead_cap, dead_head, dead_tail;
	uint64_t forgotten;
};

/* --- keys --- */

/* Keys of one integer-like column are compared as their slots. */
static unsigned fast_width(const struct table_options *o)
{
	enum type_id id = o->nkey == 1 ? (enum type_id)o->layout->types[o->key[0]].id : TYPE_TEXT;

	return row_slot_is_canonical(id) ? row_slot_width(id) : 0;
}

static bool key_equal(const struct table *t, const char *row, const struct row_layout *kl,
	const void *krow, const uint16_t *kcols)
{
	const struct row_layout *l = t->o.layout;

	if (t->fast != 0 && kl->types[kcols[0]].id == l->types[t->o.key[0]].id)
		/* A NULL's slot is zero, so compare its bit too. */
		return row_slot_equal(row + l->offsets[t->o.key[0]],
			       (const char *)krow + kl->offsets[kcols[0]], t->fast) &&
			row_is_null(row, t->o.key[0]) == row_is_null(krow, kcols[0]);
	return row_equal(l, row, t->o.key, kl, krow, kcols, t->o.nkey);
}

/* --- finding --- */

static __attribute__((noinline)) struct version *find_other(
	const struct table *t, uint64_t hash, const void *row, struct hashdir_probe *p)
{
	struct version *v;

	*p = hashdir_probe(&t->places, hash);
	while ((v = hashdir_next(p)) != NULL && !rowkey_equal(&t->key, v->row, &t->key, row))
		;
	return v;
}

/* The newest version of the key of a row of this table, with the place it stands in; NULL: none. For the writer. */
static inline struct version *find(
	const struct table *t, uint64_t hash, const void *row, struct hashdir_probe *p)
{
	struct version *v;

	*p = hashdir_probe(&t->places, hash);
	v = hashdir_likely(p);
	if (v != NULL && rowkey_equal(&t->key, v->row, &t->key, row))
		return v;
	return hashdir_absent(p) ? NULL : find_other(t, hash, row, p);
}

struct version *table_find_row(const struct table *t, uint64_t hash, const void *row)
{
	struct hashdir_probe p;

	return find(t, hash, row, &p);
}

struct version *table_find(const struct table *t, uint64_t hash, const struct row_layout *kl,
	const void *krow, const uint16_t *kcols)
{
	struct hashdir_probe p = hashdir_probe(&t->places, hash);
	struct version *v;

	while ((v = hashdir_next(&p)) != NULL && !key_equal(t, v->row, kl, krow, kcols))
		;
	return v;
}

void table_prefetch(const struct table *t, uint64_t hash)
{
	hashdir_prefetch(&t->places, hash);
}

void table_prefetch_version(const struct table *t, uint64_t hash)
{
	hashdir_prefetch_object(&t->places, hash);
}

static const void *segment_read(const struct table *t, struct hashdir_segment *s, uint64_t hash,
	const struct row_layout *kl, const void *krow, const uint16_t *kcols, uint64_t v)
{
	struct hashdir_probe p = hashdir_probe_in(s, hash);
	const struct version *head, *at;

	while ((head = hashdir_next(&p)) != NULL) {
		at = version_at(head, v);
		if (at != NULL && key_equal(t, at->row, kl, krow, kcols))
			return version_row(at);
	}
	return NULL;
}

const void *table_read(const struct table *t, uint64_t hash, const struct row_layout *kl,
	const void *krow, const uint16_t *kcols, uint64_t v)
{
	return segment_read(t, hashdir_segment(&t->places, hash), hash, kl, krow, kcols, v);
}

void table_read_batch(const struct table *const *t, unsigned n, const uint64_t *hashes,
	const struct row_layout *kl, const void *const *krows, const uint16_t *kcols, uint64_t v,
	const void **out)
{
	struct hashdir_segment *segments[TABLE_BATCH];

	DEBUG_ASSERT(n <= TABLE_BATCH);
	for (unsigned i = 0; i < n; i++) {
		segments[i] = hashdir_segment(&t[i]->places, hashes[i]);
		__builtin_prefetch(&segments[i]->buckets[hashdir_first(hashes[i])]);
	}
	for (unsigned i = 0; i < n; i++) {
		const struct hashdir_probe p = hashdir_probe_in(segments[i], hashes[i]);

		if (p.matches != 0)
			__builtin_prefetch(hashdir_object(
				hashdir_slot(p.bucket, (unsigned)__builtin_ctzll(p.matches) / 8)));
		else if (p.spilled)
			__builtin_prefetch(&segments[i]->buckets[hashdir_other(
				hashdir_first(hashes[i]), hashdir_tag(hashes[i]))]);
	}
	for (unsigned i = 0; i < n; i++)
		out[i] = segment_read(t[i], segments[i], hashes[i], kl, krows[i], kcols, v);
}

/* --- making and freeing --- */

static uint64_t version_hash(const void *arg, const void *object)
{
	const struct table *t = arg;
	const struct version *v = object;

	return rowkey_hash(&t->key, v->row);
}

struct table *table_new(const struct table_options *o)
{
	struct table *t = heap_alloc_aligned(o->heap, sizeof(*t), 64);

	if (t == NULL)
		return NULL;
	memset(t, 0, sizeof(*t));
	t->o = *o;
	t->bytes = sizeof(*t);
	rowkey_init(&t->key, o->layout, o->key, o->nkey);
	t->fast = fast_width(o);
	if (hashdir_init(&t->places, o->heap, o->retire, version_hash, t) != 0) {
		heap_free(o->heap, t, sizeof(*t));
		return NULL;
	}
	return t;
}

static void bytes_add(struct table *t, uint64_t n)
{
	__atomic_store_n(&t->bytes, t->bytes + n, __ATOMIC_RELAXED);
}

static bool version_free(void *arg, void *object, size_t *left)
{
	struct table *t = arg;
	struct version *v = object;

	bytes_add(t, -(uint64_t)version_bytes(v));
	heap_free_counted(t->o.heap, v, version_bytes(v), left);
	return true;
}

bool table_free_some(struct table *t, size_t *left)
{
	/* Older versions are in the retire list. */
	if (!hashdir_free_some(&t->places, version_free, t, left) || !table_clear_some(t, left))
		return false;
	heap_free_counted(t->o.heap, t->dead, t->dead_cap * sizeof(*t->dead), left);
	heap_free_counted(t->o.heap, t, sizeof(*t), left);
	return true;
}

void table_free(struct table *t)
{
	size_t all = SIZE_MAX;

	if (t != NULL)
		(void)table_free_some(t, &all);
}

int table_clear(struct table *t)
{
	struct hashdir empty;

	if (t->cleared.top != NULL ||
		hashdir_init(&empty, t->o.heap, t->o.retire, version_hash, t) != 0)
		return -1;
	t->cleared = t->places;
	t->places.top = empty.top;
	__atomic_store_n(&t->places.bytes, empty.bytes, __ATOMIC_RELAXED);
	bytes_add(t, -(uint64_t)(t->dead_cap * sizeof(*t->dead)));
	heap_free(t->o.heap, t->dead, t->dead_cap * sizeof(*t->dead));
	t->dead = NULL;
	t->dead_cap = t->dead_head = t->dead_tail = 0;
	__atomic_store_n(&t->rows, 0, __ATOMIC_RELAXED);
	return 0;
}

bool table_clear_some(struct table *t, size_t *left)
{
	return hashdir_free_some(&t->cleared, version_free, t, left);
}

bool table_is_clearing(const struct table *t)
{
	return t->cleared.top != NULL;
}

/* --- changing --- */

static struct version *version_new(struct table *t, uint64_t epoch, const void *row, uint32_t cap)
{
	uint32_t size = row_size(row);
	struct version *v;

	if (cap < size)
		cap = size;
	v = heap_alloc(t->o.heap, sizeof(*v) + cap);
	if (v == NULL)
		return NULL;
	v->epoch = epoch;
	v->older = NULL;
	v->cap = cap;
	v->flags = 0;
	memcpy(v->row, row, size);
	return v;
}

/* Link a new head before the old one, which is retired. As large as the old one, so that undo fits. */
static struct version *head_replace(struct table *t, const struct hashdir_probe *p,
	struct version *head, uint64_t epoch, const void *row)
{
	struct version *v;

	if (retire_reserve(t->o.retire, 1) != 0)
		return NULL;
	v = version_new(t, epoch, row, head->cap);
	if (v == NULL)
		return NULL;
	/* Of the same epoch: it takes the place of the smaller one. */
	v->older = head->epoch == epoch ? head->older : head;
	hashdir_replace(p, v);
	bytes_add(t, (uint64_t)v->cap - head->cap);
	retire_add(t->o.retire, epoch, head, version_bytes(head));
	return v;
}

static void rows_add(struct table *t, int64_t n)
{
	__atomic_store_n(&t->rows, t->rows + (uint64_t)n, __ATOMIC_RELAXED);
}

int table_insert(struct table *t, uint64_t hash, uint64_t epoch, const void *row)
{
	struct version *v = version_new(t, epoch, row, 0);

	if (v == NULL)
		return -1;
	if (hashdir_insert(&t->places, hash, epoch, v) != 0) {
		heap_free(t->o.heap, v, version_bytes(v));
		return -1;
	}
	rows_add(t, 1);
	bytes_add(t, version_bytes(v));
	return 0;
}

int table_put(struct table *t, uint64_t hash, uint64_t epoch, const void *row)
{
	struct hashdir_probe p;
	struct version *head = find(t, hash, row, &p);
	bool dead;

	if (head == NULL)
		return table_insert(t, hash, epoch, row);
	dead = head->flags & VERSION_DEAD;
	if (head->epoch == epoch && head->cap >= row_size(row)) {
		memcpy(head->row, row, row_size(row));
		__atomic_store_n(&head->flags, 0, __ATOMIC_RELAXED);
	} else if (head_replace(t, &p, head, epoch, row) == NULL) {
		return -1;
	}
	rows_add(t, dead);
	return 0;
}

static int dead_reserve(struct table *t)
{
	size_t used = t->dead_tail - t->dead_head, cap = t->dead_cap == 0 ? 64 : 2 * t->dead_cap;
	struct dead *list;

	if (used < t->dead_cap)
		return 0;
	list = heap_alloc(t->o.heap, cap * sizeof(*list));
	if (list == NULL)
		return -1;
	for (size_t i = 0; i < used; i++)
		list[i] = t->dead[(t->dead_head + i) & (t->dead_cap - 1)];
	if (t->dead != NULL)
		heap_free(t->o.heap, t->dead, t->dead_cap * sizeof(*t->dead));
	bytes_add(t, (cap - t->dead_cap) * sizeof(*list));
	t->dead = list;
	t->dead_cap = cap;
	t->dead_head = 0;
	t->dead_tail = used;
	return 0;
}

int table_delete(struct table *t, uint64_t hash, uint64_t epoch, const void *row)
{
	struct hashdir_probe p;
	struct version *v = find(t, hash, row, &p);

	if (v == NULL || (v->flags & VERSION_DEAD))
		return 0;
	if (v->epoch != epoch) {
		if (dead_reserve(t) != 0)
			return -1;
		v = head_replace(t, &p, v, epoch, v->row);
		if (v == NULL)
			return -1;
	} else if (dead_reserve(t) != 0) {
		/* In place, so undo must not fail: without a note the key stays dead in its place until it
		 * is written again. */
		__atomic_store_n(&v->flags, VERSION_DEAD, __ATOMIC_RELAXED);
		rows_add(t, -1);
		return 0;
	}
	__atomic_store_n(&v->flags, VERSION_DEAD, __ATOMIC_RELAXED);
	t->dead[t->dead_tail++ & (t->dead_cap - 1)] = (struct dead){ v, hash, epoch };
	rows_add(t, -1);
	return 0;
}

/* Whether this very version is a newest one; the probe then stands at its place. */
static bool is_head(
	const struct table *t, uint64_t hash, const struct version *v, struct hashdir_probe *p)
{
	const struct version *head;

	*p = hashdir_probe(&t->places, hash);
	while ((head = hashdir_next(p)) != NULL && head != v)
		;
	return head != NULL;
}

bool table_due(const struct table *t, uint64_t reclaimable)
{
	return t->dead_head != t->dead_tail &&
		t->dead[t->dead_head & (t->dead_cap - 1)].epoch <= reclaimable;
}

uint64_t table_forgotten(const struct table *t)
{
	return t->forgotten;
}

void table_forget(struct table *t, uint64_t epoch)
{
	if (t->forgotten < epoch)
		t->forgotten = epoch;
}

bool table_step(struct table *t, uint64_t reclaimable, uint64_t epoch)
{
	for (unsigned n = 0; n < STEP_DEAD && t->dead_head != t->dead_tail; n++) {
		const struct dead *d = &t->dead[t->dead_head & (t->dead_cap - 1)];
		struct version *v = d->version;
		struct hashdir_probe p;

		if (d->epoch > reclaimable || retire_reserve(t->o.retire, 1) != 0)
			return false;
		/* Written again since: another head, or the same memory with another epoch. */
		if (is_head(t, d->hash, v, &p) && v->epoch == d->epoch &&
			(v->flags & VERSION_DEAD)) {
			hashdir_remove(&p);
			table_forget(t, d->epoch);
			bytes_add(t, -(uint64_t)version_bytes(v));
			retire_add(t->o.retire, epoch, v, version_bytes(v));
		}
		t->dead_head++;
	}
	return t->dead_head != t->dead_tail;
}

uint64_t table_rows(const struct table *t)
{
	return __atomic_load_n(&t->rows, __ATOMIC_RELAXED);
}

uint64_t table_bytes(const struct table *t)
{
	return __atomic_load_n(&t->bytes, __ATOMIC_RELAXED) +
		__atomic_load_n(&t->places.bytes, __ATOMIC_RELAXED) +
		__atomic_load_n(&t->cleared.bytes, __ATOMIC_RELAXED);
}

/* --- scanning --- */

void table_scan_begin(struct table_cursor *c, const struct table *t, uint64_t v)
{
	c->v = v;
	hashdir_scan_begin(&c->places, &t->places);
}

const void *table_scan_next(struct table_cursor *c)
{
	const struct version *head;

	while ((head = hashdir_scan_next(&c->places)) != NULL) {
		const void *row = version_row(version_at(head, c->v));

		if (row != NULL)
			return row;
	}
	return NULL;
}

bool table_segment(const struct table *t, uint64_t *place, const void **rows, unsigned *n)
{
	struct hashdir_cursor c;
	const struct version *head;

	*place = hashdir_scan_segment(&c, &t->places, *place);
	*n = 0;
	while ((head = hashdir_scan_next(&c)) != NULL) {
		const void *row = version_row(head);

		if (row != NULL)
			rows[(*n)++] = row;
	}
	return *place != 0;
}

const struct row_layout *table_layout(const struct table *t)
{
	return t->o.layout;
}

struct heap *table_heap(const struct table *t)
{
	return t->o.heap;
}

/* --- checking --- */

void table_check(const struct table *t)
{
	struct hashdir_cursor c;
	const struct version *v;
	uint64_t rows = 0, keys = 0;

	hashdir_scan_begin(&c, &t->places);
	while ((v = hashdir_scan_next(&c)) != NULL) {
		ASSERT(row_size(v->row) <= v->cap);
		rows += !(v->flags & VERSION_DEAD);
		keys++;
	}
	ASSERT(rows == t->rows);
	ASSERT(keys == hashdir_check(&t->places));
}
