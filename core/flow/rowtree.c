/*
 * rowtree.c: a treap whose priorities are the hashes of the rows.
 */
#include "core/flow/rowtree.h"

#include <string.h>

#include "core/base/assert.h"
#include "core/base/hash.h"

int rowtree_compare_keys(const struct rowtree_order *o, const void *a, const void *b)
{
	for (unsigned i = 0; i < o->n; i++) {
		const struct window_key *k = &o->keys[i];
		struct value x, y;
		int c;

		row_get(o->layout, a, k->column, &x);
		row_get(o->layout, b, k->column, &y);
		if (value_is_null(&x) || value_is_null(&y)) {
			c = (int)value_is_null(&x) - (int)value_is_null(&y);
			if (c != 0)
				return k->nulls_first ? -c : c;
			continue;
		}
		c = value_compare(&x, &y);
		if (c != 0)
			return k->descending ? -c : c;
	}
	return 0;
}

static struct rowtree_node *node_of(struct treap *t)
{
	return (struct rowtree_node *)t;
}

static int compare(const void *arg, const void *key, const struct treap *node)
{
	const char *row = ((const struct rowtree_node *)node)->row;
	uint32_t x = row_size(key), y = row_size(row);
	int c = rowtree_compare_keys(arg, key, row);

	if (c == 0)
		c = memcmp(key, row, x < y ? x : y);
	return c != 0 ? c : (int)(x > y) - (int)(x < y);
}

struct rowtree_node *rowtree_add(struct rowtree_node **root, const struct rowtree_order *o,
	const void *row, int64_t weight, struct heap *h)
{
	struct treap *tree = (struct treap *)*root;
	struct rowtree_node *n = node_of(*treap_find(&tree, compare, o, row));
	uint32_t size = row_size(row);

	if (n == NULL) {
		n = heap_zalloc(h, sizeof(*n) + size);
		if (n == NULL)
			return NULL;
		memcpy(n->row, row, size);
		n->tree.priority = hash_bytes(row, size, 0);
		treap_insert(&tree, compare, o, row, &n->tree);
		*root = node_of(tree);
	}
	n->weight += weight;
	return n;
}

static void node_free(struct rowtree_node *n, struct heap *h)
{
	heap_free(h, n, sizeof(*n) + row_size(n->row));
}

void rowtree_remove(struct rowtree_node **root, const struct rowtree_order *o,
	struct rowtree_node *n, struct heap *h)
{
	struct treap *tree = (struct treap *)*root;
	struct treap **link = treap_find(&tree, compare, o, n->row);

	ASSERT(*link == &n->tree);
	treap_remove(link);
	*root = node_of(tree);
	node_free(n, h);
}

bool rowtree_each(struct rowtree_node *n, bool (*fn)(void *arg, struct rowtree_node *n), void *arg)
{
	return n == NULL ||
		(rowtree_each(node_of(n->tree.left), fn, arg) && fn(arg, n) &&
			rowtree_each(node_of(n->tree.right), fn, arg));
}

bool rowtree_free_some(struct rowtree_node **root, struct heap *h,
	bool (*fn)(void *arg, struct rowtree_node *n, size_t *left), void *arg, size_t *left)
{
	struct treap *tree = (struct treap *)*root;
	struct treap *n = NULL;

	while (*left > 0 && (n = treap_take(&tree)) != NULL) {
		if (!fn(arg, node_of(n), left)) {
			/* It has no left side, so it is the next that is taken. */
			n->right = tree;
			tree = n;
			break;
		}
		heap_count_freed(row_size(node_of(n)->row), left);
		node_free(node_of(n), h);
	}
	*root = node_of(tree);
	return tree == NULL;
}
