/*
 * rowtree.h: rows with weights in an order: what a window remembers of one partition.
 *
 * The order is by keys, then by the bytes of the rows, so that it is total. For one thread. A row whose weight has become
 * 0 stays until rowtree_remove(): its owner may have something to say about it.
 */
#ifndef LF_FLOW_ROWTREE_H
#define LF_FLOW_ROWTREE_H

#include "core/flow/treap.h"
#include "core/sql/plan.h"

struct rowtree_node {
	struct treap tree;
	int64_t weight;
	/* Its owner's: */
	struct rowtree_node *next; /* of those whose weight may be 0 */
	bool listed;
	uint64_t given; /* top: how often it is given */
	uint64_t stamp; /* … as of when */
	void **outputs; /* functions: the rows given last, noutputs of them */
	uint64_t noutputs;
	char row[];
};

struct rowtree_order {
	const struct row_layout *layout;
	unsigned n;
	const struct window_key *keys;
};

/* By the keys alone. */
int rowtree_compare_keys(const struct rowtree_order *o, const void *a, const void *b);

/* The row's node, with the weight added; made if there is none. NULL: out of memory, with nothing changed. */
struct rowtree_node *rowtree_add(struct rowtree_node **root, const struct rowtree_order *o,
	const void *row, int64_t weight, struct heap *h);
/* Take a node out and free it. */
void rowtree_remove(struct rowtree_node **root, const struct rowtree_order *o,
	struct rowtree_node *n, struct heap *h);
/* Calls fn for the nodes in order, until it returns false. */
bool rowtree_each(
	struct rowtree_node *root, bool (*fn)(void *arg, struct rowtree_node *n), void *arg);
/* Frees all in slices, as hashdir_free_some(): each node after fn has been given it, again as long as that returns false. */
bool rowtree_free_some(struct rowtree_node **root, struct heap *h,
	bool (*fn)(void *arg, struct rowtree_node *n, size_t *left), void *arg, size_t *left);

#endif
