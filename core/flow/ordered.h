/*
 * ordered.h: a multiset of values in order, for aggregates that look at single values and can be retracted: min(),
 * max(), DISTINCT, string_agg().
 */
#ifndef LF_FLOW_ORDERED_H
#define LF_FLOW_ORDERED_H

#include "core/base/mem.h"
#include "core/flow/treap.h"
#include "core/store/value.h"

/* Zero-initialised is empty. */
struct ordered {
	struct treap *root;
};

/* Add v (not NULL; its bytes are copied) `weight` times; a value whose weight becomes 0 goes. 0, or -1 with
 * nothing changed when out of memory. */
int ordered_add(struct ordered *o, const struct value *v, int64_t weight, struct heap *h);
/* Smallest or largest value of positive weight; false: none. Its bytes are the multiset's. */
bool ordered_min(const struct ordered *o, struct value *out);
bool ordered_max(const struct ordered *o, struct value *out);
/* The first of the values of positive weight that are equal to v as value_compare() has it; false: none. */
bool ordered_find(const struct ordered *o, const struct value *v, struct value *out);
/* Call fn for all values of positive weight, in order; stops when it returns non-zero, and returns that. */
int ordered_walk(const struct ordered *o,
	int (*fn)(void *arg, const struct value *v, int64_t weight), void *arg);
void ordered_free(struct ordered *o, struct heap *h);
/* The same in slices, as hashdir_free_some(). */
bool ordered_free_some(struct ordered *o, struct heap *h, size_t *left);
void ordered_check(const struct ordered *o);

#endif
