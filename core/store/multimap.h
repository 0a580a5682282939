/*
 * multimap.h: rows with weights by the hash of some key: what a join remembers of one side.
 *
 * For one thread, without versions. Rows are packed (row.h) and compared byte by byte; adding a row that is
 * there adds to its weight, and a row whose weight becomes 0 goes. Grows one bucket at a time.
 */
#ifndef LF_STORE_MULTIMAP_H
#define LF_STORE_MULTIMAP_H

#include "core/store/row.h"

struct multimap;

struct multimap_entry {
	struct multimap_entry *next;
	uint64_t hash;
	int64_t weight;
	char row[];
};

/* NULL: out of memory. */
struct multimap *multimap_new(struct heap *h);
void multimap_free(struct multimap *m);
/* 0, or -1 with nothing changed when out of memory. */
int multimap_add(struct multimap *m, uint64_t hash, const void *row, int64_t weight);
/* The first entry of a hash, and the next after one; the caller compares keys. Not across changes. */
const struct multimap_entry *multimap_first(const struct multimap *m, uint64_t hash);
static inline const struct multimap_entry *multimap_next(const struct multimap_entry *e)
{
	uint64_t hash = e->hash;

	do
		e = e->next;
	while (e != NULL && e->hash != hash);
	return e;
}
/* Entries (distinct rows). */
uint64_t multimap_count(const struct multimap *m);
void multimap_check(const struct multimap *m);

#endif
