/*
 * multimap.h: rows with weights by the hash of some key, of two sides: what a join remembers.
 *
 * For one thread, without versions. Rows are packed (row.h) and compared byte by byte; adding a row that is
 * there adds to its weight, and a row whose weight becomes 0 goes. Both sides of a key are found by one lookup. Grows by
 * splitting small segments; adding and retracting take the same time however many rows a key has.
 */
#ifndef LF_STORE_MULTIMAP_H
#define LF_STORE_MULTIMAP_H

#include "core/store/hashdir.h"
#include "core/store/row.h"

struct multimap;

struct multimap_entry {
	struct multimap_entry *next; /* of the same hash and side */
	union {
		struct multimap_entry *prev; /* of all but the first */
		struct {
			uint32_t length; /* of the chain, in its first entry */
			uint16_t exact;  /* multimap.c's */
			uint16_t side;
		};
	};
	uint64_t hash;
	int64_t weight;
	union {
		struct multimap_entry
			*peer;  /* of a first entry: the first of the other side, NULL: none */
		uint64_t marks; /* of the others; multimap.c's */
	};
	char row[];
};

/* counted: every entry of that side has a number of its owner's. NULL: out of memory. */
struct multimap *multimap_new(struct heap *h, const bool counted[2]);
void multimap_free(struct multimap *m);
/* The same in slices, as hashdir_free_some(); true: it is gone. */
bool multimap_free_some(struct multimap *m, size_t *left);

/* What there is of a hash: the first entry of each side, NULL: none; `next` leads to the others. The caller compares keys,
 * since different ones may have one hash. Not across changes of the multimap. */
struct multimap_place {
	struct hashdir_probe probe;
	struct multimap_entry *head; /* the one of both that the directory has */
	struct multimap_entry *first[2];
};
void multimap_find(const struct multimap *m, uint64_t hash, struct multimap_place *at);
/* Add to a side, at the place that has just been found. 0, or -1 with nothing changed when out of memory. counter: of a new
 * entry. */
int multimap_add_at(struct multimap *m, const struct multimap_place *at, unsigned side,
	uint64_t hash, const void *row, int64_t weight, int64_t counter);
/* Both at once. */
int multimap_add(struct multimap *m, unsigned side, uint64_t hash, const void *row, int64_t weight,
	int64_t counter);
/* Of a counted multimap's entry; it stands before it. */
static inline int64_t *multimap_counter(const struct multimap_entry *e)
{
	return (int64_t *)(uintptr_t)e - 1;
}
/* Calls fn for every entry of side 0 until it returns non-zero, which is returned. Not across changes. */
int multimap_each(
	const struct multimap *m, int (*fn)(void *arg, const struct multimap_entry *e), void *arg);
/* Fetch ahead: what a lookup touches first, later what it touches then, the other side and this one's second entry, and last
 * the other side's second one. */
void multimap_prefetch(const struct multimap *m, uint64_t hash);
void multimap_prefetch_entry(const struct multimap *m, uint64_t hash);
void multimap_prefetch_peer(const struct multimap *m, uint64_t hash);
void multimap_prefetch_second(const struct multimap *m, uint64_t hash);
/* Entries (distinct rows) of both sides. */
uint64_t multimap_count(const struct multimap *m);
void multimap_check(const struct multimap *m);

#endif
