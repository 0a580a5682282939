/*
 * table.c: extendible hashing over segments of cache-line buckets.
 *
 * directory (2^depth pointers, by the top bits of the hash) → segment (64 buckets) → bucket (64 bytes: 8
 * tags of which 7 count, 7 slots) → version. A key may be in two buckets of its segment, b and b ^ (tag
 * bits); when both are full the segment is split in two by its next hash bit, with every key keeping its
 * bucket. A split copies 4 KiB; nothing ever copies the whole table. The directory doubles when a
 * segment as deep as it is split: one copy of 8 bytes a segment (20 M rows: half a megabyte).
 *
 * Budget of a lookup: directory, bucket, version: three cache misses, the first usually in cache. A slot
 * holds 16 bits of the hash above the pointer, so a split reads rows only below 2^16 segments deep.
 *
 * Readers. A writer stores a slot (release) before the tags that make it count (release); a reader loads
 * tags (acquire), then the slot (acquire). A split builds two segments, then stores them into the
 * directory (release); a reader in the old segment sees it as it was at that moment. All versions of
 * earlier epochs were linked before, so it misses only versions newer than its pin. The old segment is
 * retired in the epoch of the split. A reader pinned at that epoch or later loaded the directory after
 * V had reached it, hence after the split, so it never is in the old one.
 *
 * The newest version of a key may be changed in place while a reader looks for that key, so a reader first
 * goes back to the version of its own epoch and compares the key of that one: all versions of a chain
 * have the same key. Of a version that is newer than its pin it reads `epoch` and `older` only.
 *
 * A dead key leaves its slot when its tombstone is reclaimable; the tombstone is retired in the
 * epoch under way, inside enter and leave, so the same argument frees it. A stale reader that finds another
 * key's version in a slot compares keys and goes on.
 *
 * Failure: allocation only; everything a change needs is allocated before the first store.
 */
#include "core/store/table.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"

enum {
	SLOTS = 7,
	BUCKETS = 64,
	DEPTH_MAX = 40,
	STEP_DEAD = 64, /* dead keys taken out a step */
	HASH_BITS_IN_SLOT = 16
};

struct bucket {
	uint64_t tags;         /* byte i: tag of slot i, 0: free; byte 7 unused */
	uint64_t slots[SLOTS]; /* 48 bits pointer, 16 top bits of the hash */
};
_Static_assert(sizeof(struct bucket) == 64, "a bucket is a cache line");

struct segment {
	struct bucket buckets[BUCKETS];
	uint64_t depth;
	uint64_t pad[7];
};

struct directory {
	uint64_t depth;
	struct segment *segments[];
};

struct dead {
	struct version *version;
	uint64_t hash;
	uint64_t epoch;
};

struct table {
	/* fixed */
	struct table_options o;
	unsigned fast; /* width of the single fixed-width key column compared by memcmp; 0: none */
	/* readers */
	_Alignas(64) struct directory *directory;
	/* writer */
	_Alignas(64) uint64_t rows;
	struct dead *dead; /* ring */
	size_t dead_cap, dead_head, dead_tail;
};

#define POINTER_MASK ((UINT64_C(1) << 48) - 1)

static struct version *slot_version(uint64_t slot)
{
	return (struct version *)(uintptr_t)(slot & POINTER_MASK);
}

static uint64_t slot_make(const struct version *v, uint64_t hash)
{
	uint64_t p = (uint64_t)(uintptr_t)v;

	DEBUG_ASSERT((p & ~POINTER_MASK) == 0);
	return p | (hash >> 48) << 48;
}

static uint64_t tag_of(uint64_t hash)
{
	uint64_t tag = hash >> 8 & 0xff;

	return tag == 0 ? 1 : tag;
}

static unsigned bucket_first(uint64_t hash)
{
	return (unsigned)(hash % BUCKETS);
}

static unsigned bucket_second(uint64_t hash)
{
	/* Never the same bucket: the difference is odd. */
	return bucket_first(hash) ^ ((unsigned)(hash >> 16) % BUCKETS | 1);
}

/* Bytes of w that are equal to tag, as the high bit of each byte (may have false hits above a true
 * one: keys are compared anyway). */
static uint64_t tag_matches(uint64_t w, uint64_t tag)
{
	uint64_t x = (w ^ (tag * UINT64_C(0x0101010101010101))) & UINT64_C(0x00ffffffffffffff);

	return (x - UINT64_C(0x01010101010101)) & ~x & UINT64_C(0x0080808080808080);
}

static uint64_t tags_load(const struct bucket *b)
{
	return __atomic_load_n(&b->tags, __ATOMIC_ACQUIRE);
}

static uint64_t slot_load(const struct bucket *b, unsigned i)
{
	return __atomic_load_n(&b->slots[i], __ATOMIC_ACQUIRE);
}

static size_t directory_bytes(uint64_t depth)
{
	return sizeof(struct directory) + (sizeof(struct segment *) << depth);
}

static uint64_t directory_index(const struct directory *d, uint64_t hash)
{
	return d->depth == 0 ? 0 : hash >> (64 - d->depth);
}

static struct segment *segment_of(const struct table *t, uint64_t hash)
{
	const struct directory *d = __atomic_load_n(&t->directory, __ATOMIC_ACQUIRE);

	return __atomic_load_n(&d->segments[directory_index(d, hash)], __ATOMIC_ACQUIRE);
}

/* --- keys --- */

static unsigned fast_width(const struct table_options *o)
{
	enum type_id id;

	if (o->nkey != 1)
		return 0;
	id = o->layout->types[o->key[0]].id;
	switch (id) {
	case TYPE_INT2:
	case TYPE_INT4:
	case TYPE_INT8:
	case TYPE_DATE:
	case TYPE_TIMESTAMP:
	case TYPE_TIMESTAMPTZ:
	case TYPE_UUID: return row_slot_width(id);
	default: return 0;
	}
}

static bool key_equal(const struct table *t, const char *row, const struct row_layout *kl,
	const void *krow, const uint16_t *kcols)
{
	const struct row_layout *l = t->o.layout;

	if (t->fast != 0 && kl->types[kcols[0]].id == l->types[t->o.key[0]].id)
		/* A NULL's slot is zero, so compare its bit too. */
		return memcmp(row + l->offsets[t->o.key[0]],
			       (const char *)krow + kl->offsets[kcols[0]], t->fast) == 0 &&
			row_is_null(row, t->o.key[0]) == row_is_null(krow, kcols[0]);
	return row_equal(l, row, t->o.key, kl, krow, kcols, t->o.nkey);
}

/* --- finding --- */

struct found {
	struct bucket *bucket;
	unsigned slot;
	struct version *head; /* NULL: not there */
};

static bool bucket_find(const struct table *t, struct bucket *b, uint64_t hash,
	const struct row_layout *kl, const void *krow, const uint16_t *kcols, struct found *out)
{
	uint64_t m = tag_matches(tags_load(b), tag_of(hash));

	for (; m != 0; m &= m - 1) {
		unsigned i = (unsigned)__builtin_ctzll(m) / 8;
		uint64_t slot = slot_load(b, i);
		struct version *v = slot_version(slot);

		if (v == NULL || slot >> 48 != hash >> 48 || !key_equal(t, v->row, kl, krow, kcols))
			continue;
		*out = (struct found){ b, i, v };
		return true;
	}
	return false;
}

static bool find(const struct table *t, struct segment *s, uint64_t hash,
	const struct row_layout *kl, const void *krow, const uint16_t *kcols, struct found *out)
{
	out->head = NULL;
	return bucket_find(t, &s->buckets[bucket_first(hash)], hash, kl, krow, kcols, out) ||
		bucket_find(t, &s->buckets[bucket_second(hash)], hash, kl, krow, kcols, out);
}

struct version *table_find(const struct table *t, uint64_t hash, const struct row_layout *kl,
	const void *krow, const uint16_t *kcols)
{
	struct found f;

	find(t, segment_of(t, hash), hash, kl, krow, kcols, &f);
	return f.head;
}

static const void *live_row(const struct version *v)
{
	return v == NULL || (__atomic_load_n(&v->flags, __ATOMIC_RELAXED) & VERSION_DEAD) ? NULL
											  : v->row;
}

/* True when the key is in this bucket, visible at v; *row is NULL when it is deleted. */
static bool bucket_read(const struct table *t, const struct bucket *b, uint64_t hash,
	const struct row_layout *kl, const void *krow, const uint16_t *kcols, uint64_t v,
	const void **row)
{
	uint64_t m = tag_matches(tags_load(b), tag_of(hash));

	for (; m != 0; m &= m - 1) {
		uint64_t slot = slot_load(b, (unsigned)__builtin_ctzll(m) / 8);
		const struct version *ver;

		if (slot >> 48 != hash >> 48)
			continue;
		ver = version_at(slot_version(slot), v);
		if (ver == NULL || !key_equal(t, ver->row, kl, krow, kcols))
			continue;
		*row = live_row(ver);
		return true;
	}
	return false;
}

static const void *segment_read(const struct table *t, const struct segment *s, uint64_t hash,
	const struct row_layout *kl, const void *krow, const uint16_t *kcols, uint64_t v)
{
	const void *row = NULL;

	if (!bucket_read(t, &s->buckets[bucket_first(hash)], hash, kl, krow, kcols, v, &row))
		(void)bucket_read(
			t, &s->buckets[bucket_second(hash)], hash, kl, krow, kcols, v, &row);
	return row;
}

const void *table_read(const struct table *t, uint64_t hash, const struct row_layout *kl,
	const void *krow, const uint16_t *kcols, uint64_t v)
{
	return segment_read(t, segment_of(t, hash), hash, kl, krow, kcols, v);
}

void table_read_batch(const struct table *const *t, unsigned n, const uint64_t *hashes,
	const struct row_layout *kl, const void *const *krows, const uint16_t *kcols, uint64_t v,
	const void **out)
{
	struct segment *segments[TABLE_BATCH];

	DEBUG_ASSERT(n <= TABLE_BATCH);
	for (unsigned i = 0; i < n; i++) {
		segments[i] = segment_of(t[i], hashes[i]);
		__builtin_prefetch(&segments[i]->buckets[bucket_first(hashes[i])]);
	}
	for (unsigned i = 0; i < n; i++) {
		const struct bucket *b = &segments[i]->buckets[bucket_first(hashes[i])];
		uint64_t m = tag_matches(tags_load(b), tag_of(hashes[i]));

		if (m != 0)
			__builtin_prefetch(
				slot_version(slot_load(b, (unsigned)__builtin_ctzll(m) / 8)));
		else
			__builtin_prefetch(&segments[i]->buckets[bucket_second(hashes[i])]);
	}
	for (unsigned i = 0; i < n; i++)
		out[i] = segment_read(t[i], segments[i], hashes[i], kl, krows[i], kcols, v);
}

/* --- making and freeing --- */

struct table *table_new(const struct table_options *o)
{
	struct table *t = heap_alloc_aligned(o->heap, sizeof(*t), 64);

	if (t == NULL)
		return NULL;
	memset(t, 0, sizeof(*t));
	t->o = *o;
	t->fast = fast_width(o);
	t->directory = heap_zalloc(o->heap, directory_bytes(0));
	if (t->directory != NULL)
		t->directory->segments[0] = heap_alloc_aligned(o->heap, sizeof(struct segment), 64);
	if (t->directory == NULL || t->directory->segments[0] == NULL) {
		heap_free(o->heap, t->directory, directory_bytes(0));
		heap_free(o->heap, t, sizeof(*t));
		return NULL;
	}
	memset(t->directory->segments[0], 0, sizeof(struct segment));
	return t;
}

static void segment_free(struct table *t, struct segment *s)
{
	for (unsigned b = 0; b < BUCKETS; b++)
		for (unsigned i = 0; i < SLOTS; i++) {
			struct version *v = slot_version(s->buckets[b].slots[i]);

			/* Older versions are in the retire list. */
			if ((s->buckets[b].tags >> (8 * i) & 0xff) != 0)
				heap_free(t->o.heap, v, version_bytes(v));
		}
	heap_free(t->o.heap, s, sizeof(*s));
}

void table_free(struct table *t)
{
	struct directory *d;

	if (t == NULL)
		return;
	d = t->directory;
	for (uint64_t i = 0; i < UINT64_C(1) << d->depth;) {
		struct segment *s = d->segments[i];

		i += UINT64_C(1) << (d->depth - s->depth);
		segment_free(t, s);
	}
	heap_free(t->o.heap, d, directory_bytes(d->depth));
	if (t->dead != NULL)
		heap_free(t->o.heap, t->dead, t->dead_cap * sizeof(*t->dead));
	heap_free(t->o.heap, t, sizeof(*t));
}

/* --- growing --- */

static uint64_t slot_hash(const struct table *t, uint64_t slot, uint64_t depth)
{
	if (depth < HASH_BITS_IN_SLOT)
		return slot & ~POINTER_MASK;
	return row_hash(t->o.layout, slot_version(slot)->row, t->o.key, t->o.nkey);
}

static void split_fill(const struct table *t, const struct segment *s, struct segment *half[2])
{
	uint64_t bit = UINT64_C(1) << (63 - s->depth);

	for (unsigned k = 0; k < 2; k++) {
		memset(half[k], 0, sizeof(*half[k]));
		half[k]->depth = s->depth + 1;
	}
	for (unsigned b = 0; b < BUCKETS; b++)
		for (unsigned i = 0; i < SLOTS; i++) {
			const struct bucket *from = &s->buckets[b];
			uint64_t tag = from->tags >> (8 * i) & 0xff;
			struct bucket *to;

			if (tag == 0)
				continue;
			to = &half[(slot_hash(t, from->slots[i], s->depth) & bit) != 0]->buckets[b];
			to->slots[i] = from->slots[i];
			to->tags |= tag << (8 * i);
		}
}

static int directory_double(struct table *t, uint64_t epoch)
{
	struct directory *d = t->directory;
	struct directory *n;

	if (d->depth == DEPTH_MAX)
		return -1;
	n = heap_alloc(t->o.heap, directory_bytes(d->depth + 1));
	if (n == NULL)
		return -1;
	n->depth = d->depth + 1;
	for (uint64_t i = 0; i < UINT64_C(1) << d->depth; i++)
		n->segments[2 * i] = n->segments[2 * i + 1] = d->segments[i];
	__atomic_store_n(&t->directory, n, __ATOMIC_RELEASE);
	retire_add(t->o.retire, epoch, d, directory_bytes(d->depth));
	return 0;
}

/* Split the segment of a hash. 0, or -1 with nothing changed. */
static int split(struct table *t, uint64_t hash, uint64_t epoch)
{
	struct segment *s = segment_of(t, hash), *half[2];
	struct directory *d;
	uint64_t first, span;

	if (retire_reserve(t->o.retire, 2) != 0)
		return -1;
	half[0] = heap_alloc_aligned(t->o.heap, sizeof(*s), 64);
	half[1] = heap_alloc_aligned(t->o.heap, sizeof(*s), 64);
	if (half[0] == NULL || half[1] == NULL ||
		(s->depth == t->directory->depth && directory_double(t, epoch) != 0)) {
		heap_free(t->o.heap, half[0], sizeof(*s));
		heap_free(t->o.heap, half[1], sizeof(*s));
		return -1;
	}
	split_fill(t, s, half);
	d = t->directory;
	span = UINT64_C(1) << (d->depth - s->depth);
	first = directory_index(d, hash) & ~(span - 1);
	for (uint64_t i = 0; i < span; i++)
		__atomic_store_n(&d->segments[first + i], half[i >= span / 2], __ATOMIC_RELEASE);
	retire_add(t->o.retire, epoch, s, sizeof(*s));
	return 0;
}

/* --- changing --- */

static unsigned bucket_free_slot(const struct bucket *b)
{
	uint64_t m = tag_matches(b->tags, 0);

	return m == 0 ? SLOTS : (unsigned)__builtin_ctzll(m) / 8;
}

static unsigned bucket_used(const struct bucket *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SLOTS; i++)
		n += (b->tags >> (8 * i) & 0xff) != 0;
	return n;
}

/* Put a new key's version into the emptier of its two buckets. */
static int slot_insert(struct table *t, uint64_t hash, uint64_t epoch, struct version *v)
{
	for (;;) {
		struct segment *s = segment_of(t, hash);
		struct bucket *b = &s->buckets[bucket_first(hash)];
		struct bucket *other = &s->buckets[bucket_second(hash)];
		unsigned i;

		if (bucket_used(b) >= SLOTS - 2 && bucket_used(other) < bucket_used(b))
			b = other;
		i = bucket_free_slot(b);
		if (i < SLOTS) {
			/* The slot before the tag that makes it count. */
			__atomic_store_n(&b->slots[i], slot_make(v, hash), __ATOMIC_RELEASE);
			__atomic_store_n(
				&b->tags, b->tags | tag_of(hash) << (8 * i), __ATOMIC_RELEASE);
			return 0;
		}
		if (split(t, hash, epoch) != 0)
			return -1;
	}
}

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
static struct version *head_replace(
	struct table *t, const struct found *f, uint64_t hash, uint64_t epoch, const void *row)
{
	struct version *v;

	if (retire_reserve(t->o.retire, 1) != 0)
		return NULL;
	v = version_new(t, epoch, row, f->head->cap);
	if (v == NULL)
		return NULL;
	/* Of the same epoch: it takes the place of the smaller one. */
	v->older = f->head->epoch == epoch ? f->head->older : f->head;
	__atomic_store_n(&f->bucket->slots[f->slot], slot_make(v, hash), __ATOMIC_RELEASE);
	retire_add(t->o.retire, epoch, f->head, version_bytes(f->head));
	return v;
}

static void rows_add(struct table *t, int64_t n)
{
	__atomic_store_n(&t->rows, t->rows + (uint64_t)n, __ATOMIC_RELAXED);
}

int table_put(struct table *t, uint64_t hash, uint64_t epoch, const void *row)
{
	struct found f;

	find(t, segment_of(t, hash), hash, t->o.layout, row, t->o.key, &f);
	if (f.head == NULL) {
		struct version *v = version_new(t, epoch, row, 0);

		if (v == NULL)
			return -1;
		if (slot_insert(t, hash, epoch, v) != 0) {
			heap_free(t->o.heap, v, version_bytes(v));
			return -1;
		}
		rows_add(t, 1);
		return 0;
	}
	if (f.head->epoch == epoch && f.head->cap >= row_size(row)) {
		bool dead = f.head->flags & VERSION_DEAD;

		memcpy(f.head->row, row, row_size(row));
		__atomic_store_n(&f.head->flags, 0, __ATOMIC_RELAXED);
		rows_add(t, dead);
		return 0;
	}
	{
		bool dead = f.head->flags & VERSION_DEAD;

		if (head_replace(t, &f, hash, epoch, row) == NULL)
			return -1;
		rows_add(t, dead);
	}
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
	t->dead = list;
	t->dead_cap = cap;
	t->dead_head = 0;
	t->dead_tail = used;
	return 0;
}

int table_delete(struct table *t, uint64_t hash, uint64_t epoch, const void *row)
{
	struct found f;
	struct version *v;

	find(t, segment_of(t, hash), hash, t->o.layout, row, t->o.key, &f);
	if (f.head == NULL || (f.head->flags & VERSION_DEAD))
		return 0;
	v = f.head;
	if (v->epoch != epoch) {
		if (dead_reserve(t) != 0)
			return -1;
		v = head_replace(t, &f, hash, epoch, f.head->row);
		if (v == NULL)
			return -1;
	} else if (dead_reserve(t) != 0) {
		/* In place, so undo must not fail: without a note the key stays dead in its slot until it
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

/* The slot whose head is this very version. */
static bool slot_of(struct segment *s, uint64_t hash, const struct version *v, struct found *out)
{
	struct bucket *b[2] = { &s->buckets[bucket_first(hash)], &s->buckets[bucket_second(hash)] };

	for (unsigned k = 0; k < 2; k++)
		for (unsigned i = 0; i < SLOTS; i++)
			if ((b[k]->tags >> (8 * i) & 0xff) != 0 &&
				slot_version(b[k]->slots[i]) == v) {
				*out = (struct found){ b[k], i, slot_version(b[k]->slots[i]) };
				return true;
			}
	return false;
}

bool table_has_dead(const struct table *t)
{
	return t->dead_head != t->dead_tail;
}

bool table_step(struct table *t, uint64_t reclaimable, uint64_t epoch)
{
	for (unsigned n = 0; n < STEP_DEAD && t->dead_head != t->dead_tail; n++) {
		const struct dead *d = &t->dead[t->dead_head & (t->dead_cap - 1)];
		struct found f;

		if (d->epoch > reclaimable || retire_reserve(t->o.retire, 1) != 0)
			return false;
		/* Written again since: another head, or the same memory with another epoch. */
		if (slot_of(segment_of(t, d->hash), d->hash, d->version, &f) &&
			f.head->epoch == d->epoch && (f.head->flags & VERSION_DEAD)) {
			uint64_t tags = f.bucket->tags & ~(UINT64_C(0xff) << (8 * f.slot));

			__atomic_store_n(&f.bucket->tags, tags, __ATOMIC_RELEASE);
			retire_add(t->o.retire, epoch, f.head, version_bytes(f.head));
		}
		t->dead_head++;
	}
	return t->dead_head != t->dead_tail;
}

uint64_t table_rows(const struct table *t)
{
	return __atomic_load_n(&t->rows, __ATOMIC_RELAXED);
}

/* --- scanning --- */

void table_scan_begin(struct table_cursor *c, const struct table *t, uint64_t v)
{
	*c = (struct table_cursor){ .table = t, .v = v };
}

/* The next segment in order of hash prefix. It may have been split since the one before was read: its
 * first part begins at the same prefix. */
static bool scan_segment(struct table_cursor *c)
{
	const struct segment *s;

	if (c->last)
		return false;
	s = segment_of(c->table, c->place);
	c->segment = s;
	c->bucket = c->slot = 0;
	if (s->depth == 0) {
		c->last = true;
	} else {
		c->place += UINT64_C(1) << (64 - s->depth);
		c->last = c->place == 0;
	}
	return true;
}

const void *table_scan_next(struct table_cursor *c)
{
	for (;;) {
		const struct segment *s = c->segment;

		if (s == NULL || c->bucket == BUCKETS) {
			if (!scan_segment(c))
				return NULL;
			continue;
		}
		while (c->slot < SLOTS) {
			const struct bucket *b = &s->buckets[c->bucket];
			unsigned i = c->slot++;
			const void *row;

			if ((tags_load(b) >> (8 * i) & 0xff) == 0)
				continue;
			row = live_row(version_at(slot_version(slot_load(b, i)), c->v));
			if (row != NULL)
				return row;
		}
		c->slot = 0;
		c->bucket++;
		if (c->bucket + 1 < BUCKETS)
			for (unsigned i = 0; i < SLOTS; i++)
				__builtin_prefetch(
					slot_version(slot_load(&s->buckets[c->bucket + 1], i)));
	}
}

/* --- checking --- */

static void segment_check(
	const struct table *t, const struct segment *s, uint64_t prefix, uint64_t *rows)
{
	for (unsigned b = 0; b < BUCKETS; b++)
		for (unsigned i = 0; i < SLOTS; i++) {
			uint64_t tag = s->buckets[b].tags >> (8 * i) & 0xff, hash;
			const struct version *v = slot_version(s->buckets[b].slots[i]);

			if (tag == 0)
				continue;
			hash = row_hash(t->o.layout, v->row, t->o.key, t->o.nkey);
			ASSERT(tag == tag_of(hash));
			ASSERT(b == bucket_first(hash) || b == bucket_second(hash));
			ASSERT(s->buckets[b].slots[i] >> 48 == hash >> 48);
			ASSERT(s->depth == 0 || hash >> (64 - s->depth) == prefix);
			ASSERT(row_size(v->row) <= v->cap);
			*rows += !(v->flags & VERSION_DEAD);
		}
}

void table_check(const struct table *t)
{
	const struct directory *d = t->directory;
	uint64_t rows = 0;

	for (uint64_t i = 0; i < UINT64_C(1) << d->depth;) {
		const struct segment *s = d->segments[i];
		uint64_t span = UINT64_C(1) << (d->depth - s->depth);

		ASSERT(s->depth <= d->depth && i % span == 0);
		for (uint64_t k = 0; k < span; k++)
			ASSERT(d->segments[i + k] == s);
		segment_check(t, s, i >> (d->depth - s->depth), &rows);
		i += span;
	}
	ASSERT(rows == t->rows);
}
