/*
 * hashdir.h: a directory of pointers by hash: what the row table, the multimap and the groups stand on.
 *
 * Extendible hashing (Fagin, Nievergelt, Pippenger, Strong, 1979) over segments of cache-line buckets: grows
 * by splitting one segment of 64 buckets at a time, so nothing ever waits for a whole rehash. It does not know
 * the objects: a probe gives those whose hash may be the one asked for, and the caller compares.
 *
 * One writer. With a retire list, readers on other threads may probe and scan while they hold an epoch pin
 * (hashdir.c has the argument); without one, the writer is the only reader.
 *
 *     struct hashdir_probe p = hashdir_probe(d, hash);
 *     while ((object = hashdir_next(&p)) != NULL)
 *             if (it is the one) …                    // p.bucket, p.slot: where it stands
 */
#ifndef LF_STORE_HASHDIR_H
#define LF_STORE_HASHDIR_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/mem.h"
#include "core/sync/retire.h"

enum { HASHDIR_SLOTS = 7, HASHDIR_BUCKETS = 64 };

/* Of a bucket's tags: an object that belongs here stands in its second bucket. */
#define HASHDIR_SPILLED (UINT64_C(1) << 63)
/* … slot i holds an object whose first bucket is another. */
#define HASHDIR_GUEST(i) (UINT64_C(1) << (56 + (i)))

struct hashdir_bucket {
	uint64_t tags; /* byte i: tag of slot i, 0: free; byte 7: HASHDIR_SPILLED … */
	uint64_t slots[HASHDIR_SLOTS]; /* 48 bits pointer, the 16 top bits of the hash above */
};
_Static_assert(sizeof(struct hashdir_bucket) == 64, "a bucket is a cache line");

struct hashdir_segment {
	struct hashdir_bucket buckets[HASHDIR_BUCKETS];
	uint64_t depth;
	uint64_t pad[7];
};

struct hashdir_top {
	uint64_t depth;
	struct hashdir_segment *segments[];
};

struct hashdir {
	struct hashdir_top *top; /* changed by the writer, read by all */
	struct heap *heap;
	struct retire *retire; /* NULL: no other readers */
	/* The hash an object was inserted with. */
	uint64_t (*hash_of)(const void *arg, const void *object);
	const void *arg;
	uint64_t bytes; /* of all that is not retired; by the writer, read by anyone */
	uint64_t freed; /* places of the top whose segments hashdir_free_some() has freed */
};

/* 0, or -1 out of memory. */
int hashdir_init(struct hashdir *d, struct heap *h, struct retire *retire,
	uint64_t (*hash_of)(const void *arg, const void *object), const void *arg);
/* Free the directory and its objects in slices: until *left is used up (mem.h). fn
 * frees an object by the same rule, and is given it again as long as it returns false; NULL: the objects are others'. True: all is free; and
 * of one that was never made. Between slices nothing else is done with it. Needs no memory. */
bool hashdir_free_some(struct hashdir *d, bool (*fn)(void *arg, void *object, size_t *left),
	void *arg, size_t *left);
/* All of it at once. */
void hashdir_free(struct hashdir *d, bool (*fn)(void *arg, void *object, size_t *left), void *arg);
/* Add an object, which is not in it (epoch: for retiring; without readers anything). 0, or -1 with
 * nothing changed when out of memory. */
int hashdir_insert(struct hashdir *d, uint64_t hash, uint64_t epoch, const void *object);

static inline uint64_t hashdir_tag(uint64_t hash)
{
	uint64_t tag = hash >> 8 & 0xff;

	return tag == 0 ? 1 : tag;
}

static inline unsigned hashdir_first(uint64_t hash)
{
	return (unsigned)(hash % HASHDIR_BUCKETS);
}

/* The other bucket of an object in bucket b, either way: they differ by an odd number that the tag gives. */
static inline unsigned hashdir_other(unsigned b, uint64_t tag)
{
	return b ^ ((unsigned)(tag >> 1) % HASHDIR_BUCKETS | 1);
}

/* Bytes of w that are equal to tag, as the high bit of each byte. Exact: a free slot still holds its last
 * object, which may be gone, so it may not pass for a tag of 1. */
static inline uint64_t hashdir_matches(uint64_t w, uint64_t tag)
{
	const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f), high = UINT64_C(0x0080808080808080);
	uint64_t x = w ^ (tag * UINT64_C(0x0101010101010101));

	/* The high bit of each byte of x that is 0; no carry leaves its byte. */
	return ~(((x & low) + low) | x) & high;
}

static inline uint64_t hashdir_tags(const struct hashdir_bucket *b)
{
	return __atomic_load_n(&b->tags, __ATOMIC_ACQUIRE);
}

static inline uint64_t hashdir_slot(const struct hashdir_bucket *b, unsigned i)
{
	return __atomic_load_n(&b->slots[i], __ATOMIC_ACQUIRE);
}

static inline void *hashdir_object(uint64_t slot)
{
	return (void *)(uintptr_t)(slot & ((UINT64_C(1) << 48) - 1));
}

static inline struct hashdir_segment *hashdir_segment(const struct hashdir *d, uint64_t hash)
{
	const struct hashdir_top *top = __atomic_load_n(&d->top, __ATOMIC_ACQUIRE);
	/* Its `depth` top bits, also when that is none. */
	uint64_t i = hash >> 1 >> (63 - top->depth);

	return __atomic_load_n(&top->segments[i], __ATOMIC_ACQUIRE);
}

static inline void hashdir_prefetch(const struct hashdir *d, uint64_t hash)
{
	__builtin_prefetch(&hashdir_segment(d, hash)->buckets[hashdir_first(hash)]);
}

struct hashdir_probe {
	struct hashdir_segment *segment;
	struct hashdir_bucket *bucket;
	uint64_t hash, matches;
	unsigned slot;
	bool spilled; /* the second bucket is still to be looked at */
};

static inline struct hashdir_probe hashdir_probe_in(struct hashdir_segment *s, uint64_t hash)
{
	struct hashdir_bucket *b = &s->buckets[hashdir_first(hash)];
	uint64_t tags = hashdir_tags(b);

	return (struct hashdir_probe){ .segment = s,
		.bucket = b,
		.hash = hash,
		.matches = hashdir_matches(tags, hashdir_tag(hash)),
		.spilled = (tags & HASHDIR_SPILLED) != 0 };
}

static inline struct hashdir_probe hashdir_probe(const struct hashdir *d, uint64_t hash)
{
	return hashdir_probe_in(hashdir_segment(d, hash), hash);
}

/* The first object of the first bucket that may be of this hash, with the probe at its place; NULL: none. Nearly always that is
 * all that a lookup needs; one that is sure of neither this object nor hashdir_absent() goes through hashdir_next(), with
 * a new probe and in a function of its own, so that the usual way has few registers to save. */
static inline void *hashdir_likely(struct hashdir_probe *p)
{
	uint64_t slot;

	if (p->matches == 0)
		return NULL;
	p->slot = (unsigned)__builtin_ctzll(p->matches) / 8;
	slot = hashdir_slot(p->bucket, p->slot);
	return slot >> 48 == p->hash >> 48 ? hashdir_object(slot) : NULL;
}

/* Whether a new probe will find nothing. */
static inline bool hashdir_absent(const struct hashdir_probe *p)
{
	return p->matches == 0 && !p->spilled;
}

/* The next object that may be of this hash, NULL when there is none. */
static inline void *hashdir_next(struct hashdir_probe *p)
{
	for (;;) {
		uint64_t slot;

		if (p->matches == 0) {
			if (!p->spilled)
				return NULL;
			p->spilled = false;
			p->bucket = &p->segment->buckets[hashdir_other(
				hashdir_first(p->hash), hashdir_tag(p->hash))];
			p->matches = hashdir_matches(hashdir_tags(p->bucket), hashdir_tag(p->hash));
			continue;
		}
		p->slot = (unsigned)__builtin_ctzll(p->matches) / 8;
		p->matches &= p->matches - 1;
		slot = hashdir_slot(p->bucket, p->slot);
		if (slot >> 48 == p->hash >> 48)
			return hashdir_object(slot);
	}
}

/* Fetch the first object that may be of this hash (its bucket should be in cache). */
static inline void hashdir_prefetch_object(const struct hashdir *d, uint64_t hash)
{
	const struct hashdir_probe p = hashdir_probe(d, hash);

	if (p.matches != 0) {
		const char *object = hashdir_object(
			hashdir_slot(p.bucket, (unsigned)__builtin_ctzll(p.matches) / 8));

		__builtin_prefetch(object);
		__builtin_prefetch(object + 64);
	}
}

/* Put another object of the same hash in the place the probe stands at. */
static inline void hashdir_replace(const struct hashdir_probe *p, const void *object)
{
	__atomic_store_n(&p->bucket->slots[p->slot],
		(uint64_t)(uintptr_t)object | p->hash >> 48 << 48, __ATOMIC_RELEASE);
}

/* Free the place the probe stands at. */
static inline void hashdir_remove(const struct hashdir_probe *p)
{
	uint64_t mask = UINT64_C(0xff) << (8 * p->slot) | HASHDIR_GUEST(p->slot);

	__atomic_store_n(&p->bucket->tags, p->bucket->tags & ~mask, __ATOMIC_RELEASE);
}

/* Every object that was there when the scan began and still is, once, while the directory grows. */
struct hashdir_cursor {
	const struct hashdir *directory;
	const struct hashdir_segment *segment;
	uint64_t place; /* hash prefix where the next segment begins */
	unsigned bucket, slot;
	bool last;
};
void hashdir_scan_begin(struct hashdir_cursor *c, const struct hashdir *d);
/* The same for the one segment that holds `place`, a hash prefix. Returns where the next one begins; 0: there is none. */
uint64_t hashdir_scan_segment(struct hashdir_cursor *c, const struct hashdir *d, uint64_t place);
void *hashdir_scan_next(struct hashdir_cursor *c);

/* Invariants, for tests: by the writer. Returns the number of objects. */
uint64_t hashdir_check(const struct hashdir *d);

#endif
