/*
 * hashdir.c: see hashdir.h.
 *
 * top (2^depth pointers, by the top bits of the hash) → segment (64 buckets) → bucket (64 bytes: 7 tags, a
 * byte of flags, 7 slots) → object. An object may be in two buckets of its segment, b and b ^ (tag bits); when
 * both are full the segment is split in two by its next hash bit, with every object keeping its bucket, or coming home
 * to its first one. A split copies 4 KiB twice; nothing ever copies the whole directory. The top doubles when a segment
 * as deep as it is split: one copy of 8 bytes a segment (20 M objects: half a megabyte).
 *
 * An object goes to its second bucket only when the first is nearly full and the second is emptier; then the
 * first is marked as spilled, for as long as the segment lasts: so most probes, also those that find nothing,
 * look at one bucket. With SPILL_FROM 5 a segment is split at 79% of its slots and one bucket in eight is
 * spilled on the way there; with 4 it is 82% and one in five, with 7 61% and one in eighty. Each
 * guest of a bucket is marked too; with its tag that tells its first bucket, so that a split can bring guests home, and mark
 * the halves anew, without looking at the objects.
 *
 * Budget of a probe: top, bucket, object: three cache misses, the first usually in cache. A slot holds 16 bits
 * of the hash above the pointer, so a split reads objects only below 2^16 segments deep.
 *
 * Readers. A writer stores a slot (release) before the tags that make it count (release); a reader loads
 * tags (acquire), then the slot (acquire). A split builds two segments, then stores them into the top
 * (release); a reader in the old segment sees it as it was at that moment. The old segment is retired in the
 * epoch of the split: a reader pinned at that epoch or later loaded the top after V had reached it, hence
 * after the split, so it never is in the old one, and all that an older pin can need was there before.
 * A place that was freed and taken again shows a reader another object: the caller compares keys and goes on.
 *
 * Failure: allocation only; everything a change needs is allocated before the first store.
 */
#include "core/store/hashdir.h"

#include <string.h>

#include "core/base/assert.h"

enum { DEPTH_MAX = 40, HASH_BITS_IN_SLOT = 16, SPILL_FROM = 5 };

static size_t top_bytes(uint64_t depth)
{
	return sizeof(struct hashdir_top) + (sizeof(struct hashdir_segment *) << depth);
}

int hashdir_init(struct hashdir *d, struct heap *h, struct retire *retire,
	uint64_t (*hash_of)(const void *arg, const void *object), const void *arg)
{
	struct hashdir_segment *s = heap_alloc_aligned(h, sizeof(*s), 64);

	*d = (struct hashdir){ heap_zalloc(h, top_bytes(0)), h, retire, hash_of, arg,
		top_bytes(0) + sizeof(*s), 0 };
	if (d->top == NULL || s == NULL) {
		heap_free(h, d->top, top_bytes(0));
		heap_free(h, s, sizeof(*s));
		d->top = NULL;
		return -1;
	}
	memset(s, 0, sizeof(*s));
	d->top->segments[0] = s;
	return 0;
}

/* --- freeing --- */

static void more_bytes(struct hashdir *d, size_t n)
{
	__atomic_store_n(&d->bytes, d->bytes + n, __ATOMIC_RELAXED);
}

static void bucket_prefetch(const struct hashdir_bucket *b)
{
	for (unsigned i = 0; i < HASHDIR_SLOTS; i++)
		__builtin_prefetch(hashdir_object(b->slots[i]));
}

/* The objects of a segment. False: *left is used up before the last one. */
static bool segment_free_some(struct hashdir_segment *s,
	bool (*fn)(void *arg, void *object, size_t *left), void *arg, size_t *left)
{
	for (unsigned b = 0; b < HASHDIR_BUCKETS; b++) {
		struct hashdir_bucket *at = &s->buckets[b];

		if (b + 1 < HASHDIR_BUCKETS)
			bucket_prefetch(at + 1);
		for (unsigned k = 0; k < HASHDIR_SLOTS; k++) {
			if ((at->tags >> (8 * k) & 0xff) == 0)
				continue;
			if (*left == 0 || !fn(arg, hashdir_object(at->slots[k]), left))
				return false;
			at->tags &= ~(UINT64_C(0xff) << (8 * k));
		}
	}
	return true;
}

bool hashdir_free_some(struct hashdir *d, bool (*fn)(void *arg, void *object, size_t *left),
	void *arg, size_t *left)
{
	struct hashdir_top *top = d->top;

	if (top == NULL)
		return true;
	while (d->freed < UINT64_C(1) << top->depth) {
		struct hashdir_segment *s = top->segments[d->freed];

		if (*left == 0 || (fn != NULL && !segment_free_some(s, fn, arg, left)))
			return false;
		d->freed += UINT64_C(1) << (top->depth - s->depth);
		heap_free_counted(d->heap, s, sizeof(*s), left);
		more_bytes(d, -sizeof(*s));
	}
	heap_free_counted(d->heap, top, top_bytes(top->depth), left);
	__atomic_store_n(&d->bytes, 0, __ATOMIC_RELAXED);
	d->top = NULL;
	return true;
}

void hashdir_free(struct hashdir *d, bool (*fn)(void *arg, void *object, size_t *left), void *arg)
{
	size_t all = SIZE_MAX;

	(void)hashdir_free_some(d, fn, arg, &all);
}

/* --- growing --- */

static void discard(struct hashdir *d, uint64_t epoch, void *p, size_t size)
{
	if (d->retire != NULL)
		retire_add(d->retire, epoch, p, size);
	else
		heap_free(d->heap, p, size);
}

static uint64_t slot_hash(const struct hashdir *d, uint64_t slot, uint64_t depth)
{
	return depth < HASH_BITS_IN_SLOT ? slot : d->hash_of(d->arg, hashdir_object(slot));
}

/* The bytes of the tags, and the bits of the guests, of the slots that go to the upper half. */
static uint64_t upper_slots(const struct hashdir *d, const struct hashdir_bucket *b, uint64_t depth)
{
	uint64_t upper = 0;

	for (unsigned i = 0; i < HASHDIR_SLOTS; i++) {
		/* What a free slot still holds may be gone; its tag is 0 in either half. */
		bool taken = depth < HASH_BITS_IN_SLOT || (b->tags >> (8 * i) & 0xff) != 0;
		uint64_t hash = taken ? slot_hash(d, b->slots[i], depth) : 0;
		uint64_t all = -(hash >> (63 - depth) & 1);

		upper |= all & (UINT64_C(0xff) << (8 * i) | HASHDIR_GUEST(i));
	}
	return upper;
}

static unsigned free_slot(uint64_t tags)
{
	uint64_t m = hashdir_matches(tags, 0);

	return m == 0 ? HASHDIR_SLOTS : (unsigned)__builtin_ctzll(m) / 8;
}

/* Of a new half that nobody reads yet: guests go to their first buckets where these have room again, and those where they have
 * not are marked. Without this nearly half of all buckets would be spilled. */
static void guests_home(struct hashdir_segment *s)
{
	for (unsigned b = 0; b < HASHDIR_BUCKETS; b++) {
		struct hashdir_bucket *at = &s->buckets[b];

		for (uint64_t left = at->tags >> 56 & 0x7f; left != 0; left &= left - 1) {
			unsigned i = (unsigned)__builtin_ctzll(left);
			uint64_t tag = at->tags >> (8 * i) & 0xff;
			struct hashdir_bucket *home = &s->buckets[hashdir_other(b, tag)];
			unsigned k = free_slot(home->tags);

			if (k >= SPILL_FROM) {
				home->tags |= HASHDIR_SPILLED;
				continue;
			}
			home->slots[k] = at->slots[i];
			home->tags |= tag << (8 * k);
			at->tags &= ~(UINT64_C(0xff) << (8 * i) | HASHDIR_GUEST(i));
		}
	}
}

/* Both halves get the bucket as it is; which slots count in which the tags say. */
static void split_fill(
	const struct hashdir *d, const struct hashdir_segment *s, struct hashdir_segment *half[2])
{
	for (unsigned b = 0; b < HASHDIR_BUCKETS; b++) {
		const struct hashdir_bucket *from = &s->buckets[b];
		uint64_t upper = upper_slots(d, from, s->depth);

		half[0]->buckets[b] = half[1]->buckets[b] = *from;
		half[0]->buckets[b].tags = from->tags & ~upper & ~HASHDIR_SPILLED;
		half[1]->buckets[b].tags = from->tags & upper;
	}
	for (unsigned k = 0; k < 2; k++) {
		half[k]->depth = s->depth + 1;
		guests_home(half[k]);
	}
}

static int top_double(struct hashdir *d, uint64_t epoch)
{
	struct hashdir_top *top = d->top, *n;

	if (top->depth == DEPTH_MAX)
		return -1;
	n = heap_alloc(d->heap, top_bytes(top->depth + 1));
	if (n == NULL)
		return -1;
	n->depth = top->depth + 1;
	for (uint64_t i = 0; i < UINT64_C(1) << top->depth; i++)
		n->segments[2 * i] = n->segments[2 * i + 1] = top->segments[i];
	__atomic_store_n(&d->top, n, __ATOMIC_RELEASE);
	more_bytes(d, top_bytes(n->depth) - top_bytes(top->depth));
	discard(d, epoch, top, top_bytes(top->depth));
	return 0;
}

/* Split the segment of a hash. 0, or -1 with nothing changed. */
static int split(struct hashdir *d, uint64_t hash, uint64_t epoch)
{
	struct hashdir_segment *s = hashdir_segment(d, hash), *half[2];
	struct hashdir_top *top;
	uint64_t first, span;

	if (d->retire != NULL && retire_reserve(d->retire, 2) != 0)
		return -1;
	half[0] = heap_alloc_aligned(d->heap, sizeof(*s), 64);
	half[1] = heap_alloc_aligned(d->heap, sizeof(*s), 64);
	if (half[0] == NULL || half[1] == NULL ||
		(s->depth == d->top->depth && top_double(d, epoch) != 0)) {
		heap_free(d->heap, half[0], sizeof(*s));
		heap_free(d->heap, half[1], sizeof(*s));
		return -1;
	}
	split_fill(d, s, half);
	top = d->top;
	span = UINT64_C(1) << (top->depth - s->depth);
	first = (hash >> (64 - top->depth)) & ~(span - 1);
	for (uint64_t i = 0; i < span; i++)
		__atomic_store_n(&top->segments[first + i], half[i >= span / 2], __ATOMIC_RELEASE);
	more_bytes(d, sizeof(*s));
	discard(d, epoch, s, sizeof(*s));
	return 0;
}

/* --- inserting --- */

int hashdir_insert(struct hashdir *d, uint64_t hash, uint64_t epoch, const void *object)
{
	uint64_t tag = hashdir_tag(hash);

	DEBUG_ASSERT((uint64_t)(uintptr_t)object >> 48 == 0);
	for (;;) {
		struct hashdir_segment *s = hashdir_segment(d, hash);
		struct hashdir_bucket *first = &s->buckets[hashdir_first(hash)], *b = first;
		unsigned i = free_slot(b->tags);
		uint64_t tags = tag << (8 * i);

		if (i >= SPILL_FROM) {
			struct hashdir_bucket *other =
				&s->buckets[hashdir_other(hashdir_first(hash), tag)];
			unsigned k = free_slot(other->tags);

			if (k < i) {
				b = other;
				i = k;
				tags = tag << (8 * i) | HASHDIR_GUEST(i);
			}
		}
		if (i < HASHDIR_SLOTS) {
			/* The slot before the tag that makes it count, and that the first bucket has
			 * spilled before anything it spilled. */
			__atomic_store_n(&b->slots[i],
				(uint64_t)(uintptr_t)object | hash >> 48 << 48, __ATOMIC_RELEASE);
			if (b != first)
				__atomic_store_n(&first->tags, first->tags | HASHDIR_SPILLED,
					__ATOMIC_RELEASE);
			__atomic_store_n(&b->tags, b->tags | tags, __ATOMIC_RELEASE);
			return 0;
		}
		if (split(d, hash, epoch) != 0)
			return -1;
	}
}

/* --- scanning --- */

void hashdir_scan_begin(struct hashdir_cursor *c, const struct hashdir *d)
{
	*c = (struct hashdir_cursor){ .directory = d };
}

/* The next segment in order of hash prefix. It may have been split since the one before was read: its
 * first part begins at the same prefix. */
static bool scan_segment(struct hashdir_cursor *c)
{
	const struct hashdir_segment *s;

	if (c->last)
		return false;
	s = hashdir_segment(c->directory, c->place);
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

uint64_t hashdir_scan_segment(struct hashdir_cursor *c, const struct hashdir *d, uint64_t place)
{
	*c = (struct hashdir_cursor){ .directory = d, .place = place };
	(void)scan_segment(c);
	c->last = true;
	return c->place;
}

void *hashdir_scan_next(struct hashdir_cursor *c)
{
	for (;;) {
		const struct hashdir_segment *s = c->segment;

		if (s == NULL || c->bucket == HASHDIR_BUCKETS) {
			if (!scan_segment(c))
				return NULL;
			continue;
		}
		while (c->slot < HASHDIR_SLOTS) {
			const struct hashdir_bucket *b = &s->buckets[c->bucket];
			unsigned i = c->slot++;

			if ((hashdir_tags(b) >> (8 * i) & 0xff) != 0)
				return hashdir_object(hashdir_slot(b, i));
		}
		c->slot = 0;
		c->bucket++;
		if (c->bucket + 1 < HASHDIR_BUCKETS)
			for (unsigned i = 0; i < HASHDIR_SLOTS; i++)
				__builtin_prefetch(hashdir_object(
					hashdir_slot(&s->buckets[c->bucket + 1], i)));
	}
}

/* --- checking --- */

static uint64_t segment_check(
	const struct hashdir *d, const struct hashdir_segment *s, uint64_t prefix)
{
	uint64_t n = 0;

	for (unsigned b = 0; b < HASHDIR_BUCKETS; b++)
		for (unsigned i = 0; i < HASHDIR_SLOTS; i++) {
			uint64_t tag = s->buckets[b].tags >> (8 * i) & 0xff, hash;

			if (tag == 0)
				continue;
			hash = d->hash_of(d->arg, hashdir_object(s->buckets[b].slots[i]));
			ASSERT(tag == hashdir_tag(hash));
			if (s->buckets[b].tags & HASHDIR_GUEST(i)) {
				ASSERT(b == hashdir_other(hashdir_first(hash), tag));
				ASSERT(s->buckets[hashdir_first(hash)].tags & HASHDIR_SPILLED);
			} else {
				ASSERT(b == hashdir_first(hash));
			}
			ASSERT(s->buckets[b].slots[i] >> 48 == hash >> 48);
			ASSERT(s->depth == 0 || hash >> (64 - s->depth) == prefix);
			n++;
		}
	return n;
}

uint64_t hashdir_check(const struct hashdir *d)
{
	const struct hashdir_top *top = d->top;
	uint64_t n = 0;

	for (uint64_t i = 0; i < UINT64_C(1) << top->depth;) {
		const struct hashdir_segment *s = top->segments[i];
		uint64_t span = UINT64_C(1) << (top->depth - s->depth);

		ASSERT(s->depth <= top->depth && i % span == 0);
		for (uint64_t k = 0; k < span; k++)
			ASSERT(top->segments[i + k] == s);
		n += segment_check(d, s, i >> (top->depth - s->depth));
		i += span;
	}
	return n;
}
