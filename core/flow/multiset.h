/*
 * multiset.h: an ordered multiset of values with signed counts: what min() and max() remember of a group, so
 * that the next extreme is there when the present one is deleted.
 *
 * A treap (Seidel and Aragon, 1996) whose priorities are hashes of the values, so that its shape depends
 * on what is in it and not on the order of changes. O(log n) expected, one allocation a distinct value.
 * Values that compare equal but print differently (1.0 and 1.00, 0 and -0) are kept apart, so that exactly
 * what was added is taken out and the extreme does not depend on the order either.
 */
#ifndef LF_FLOW_MULTISET_H
#define LF_FLOW_MULTISET_H

#include "core/base/mem.h"
#include "core/store/value.h"

struct multiset_node;

/* Zero-initialised is empty. May be moved with memcpy. */
struct multiset {
	struct multiset_node *root;
	int64_t count; /* sum of the counts */
};

/* Add v (not NULL, always of one type) `weight` times; a value whose count becomes 0 goes. Counts may be
 * negative in between. 0, or -1 with nothing changed when out of memory. */
int multiset_add(struct multiset *s, const struct value *v, int64_t weight, struct heap *h);
/* The least or the greatest value; false when it is empty. Text points into the set. */
bool multiset_min(const struct multiset *s, struct value *out);
bool multiset_max(const struct multiset *s, struct value *out);
void multiset_free(struct multiset *s, struct heap *h);
/* Invariants, for tests; returns the number of distinct values. */
size_t multiset_check(const struct multiset *s);

#endif
