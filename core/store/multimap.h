/*
 * multimap.h: rows with weights by the hash of some key: what a join remembers of one side.
 *
 * For one thread, without versions. Rows are packed (row.h) and compared byte by byte; adding a row that is
 * there adds to its weight, and a row whose weight becomes 0 goes. Grows by splitting small segments; adding and
 * retracting take the same time however many rows a key has.
 */
#ifndef LF_STORE_MULTIMAP_H
#define LF_STORE_MULTIMAP_H

#include "core/store/row.h"

struct multimap;

struct multimap_entry {
	struct multimap_entry *next; /* of the same hash */
	union {
		struct multimap_entry *prev; /* of all but the first */
		struct {
			uint32_t length; /* of the chain, in its first entry */
			uint32_t exact;  /* multimap.c's */
		};
	};
	uint64_t hash;
	int64_t weight;
	char row[];
};

/* counted: every entry has a number of its owner's. NULL: out of memory. */
struct multimap *multimap_new(struct heap *h, bool counted);
void multimap_free(struct multimap *m);
/* 0, or -1 with nothing changed when out of memory. counter: of a new entry. */
int multimap_add(
	struct multimap *m, uint64_t hash, const void *row, int64_t weight, int64_t counter);
/* Of a counted multimap's entry; it stands before it. */
static inline int64_t *multimap_counter(const struct multimap_entry *e)
{
	return (int64_t *)(uintptr_t)e - 1;
}
/* The first entry of a hash; `next` leads to the others, NULL at the end. The caller compares keys, since
 * different ones may have one hash. Not across changes. */
const struct multimap_entry *multimap_first(const struct multimap *m, uint64_t hash);
/* Calls fn for every entry until it returns non-zero, which is returned. Not across changes. */
int multimap_each(
	const struct multimap *m, int (*fn)(void *arg, const struct multimap_entry *e), void *arg);
/* Fetch ahead: what a lookup touches first, and later what it touches then. */
void multimap_prefetch(const struct multimap *m, uint64_t hash);
void multimap_prefetch_entry(const struct multimap *m, uint64_t hash);
/* Entries (distinct rows). */
uint64_t multimap_count(const struct multimap *m);
void multimap_check(const struct multimap *m);

#endif
