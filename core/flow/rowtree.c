/*
 * rowtree.c: a treap (Seidel, Aragon, 1996) whose priorities are the hashes of the rows, as ordered.c has it of values.
 */
#include "core/flow/rowtree.h"

#include <string.h>

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

static int compare(const struct rowtree_order *o, const void *a, const void *b)
{
	uint32_t x = row_size(a), y = row_size(b);
	int c = rowtree_compare_keys(o, a, b);

	if (c == 0)
		c = memcmp(a, b, x < y ? x : y);
	return c != 0 ? c : (int)(x > y) - (int)(x < y);
}

static struct rowtree_node *rotate_right(struct rowtree_node *n)
{
	struct rowtree_node *l = n->left;

	n->left = l->right;
	l->right = n;
	return l;
}

static struct rowtree_node *rotate_left(struct rowtree_node *n)
{
	struct rowtree_node *r = n->right;

	n->right = r->left;
	r->left = n;
	return r;
}

static struct rowtree_node *insert(
	struct rowtree_node *n, const struct rowtree_order *o, struct rowtree_node *add)
{
	if (n == NULL)
		return add;
	if (compare(o, add->row, n->row) < 0) {
		n->left = insert(n->left, o, add);
		return n->left->priority > n->priority ? rotate_right(n) : n;
	}
	n->right = insert(n->right, o, add);
	return n->right->priority > n->priority ? rotate_left(n) : n;
}

/* Two trees, all of a before all of b. */
static struct rowtree_node *merge(struct rowtree_node *a, struct rowtree_node *b)
{
	if (a == NULL || b == NULL)
		return a == NULL ? b : a;
	if (a->priority > b->priority) {
		a->right = merge(a->right, b);
		return a;
	}
	b->left = merge(a, b->left);
	return b;
}

/* Where the row hangs, or would. */
static struct rowtree_node **find(
	struct rowtree_node **link, const struct rowtree_order *o, const void *row)
{
	while (*link != NULL) {
		int c = compare(o, row, (*link)->row);

		if (c == 0)
			break;
		link = c < 0 ? &(*link)->left : &(*link)->right;
	}
	return link;
}

struct rowtree_node *rowtree_add(struct rowtree_node **root, const struct rowtree_order *o,
	const void *row, int64_t weight, struct heap *h)
{
	struct rowtree_node *n = *find(root, o, row);
	uint32_t size = row_size(row);

	if (n == NULL) {
		n = heap_zalloc(h, sizeof(*n) + size);
		if (n == NULL)
			return NULL;
		memcpy(n->row, row, size);
		n->priority = hash_bytes(row, size, 0);
		*root = insert(*root, o, n);
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
	struct rowtree_node **link = find(root, o, n->row);

	*link = merge(n->left, n->right);
	node_free(n, h);
}

bool rowtree_each(struct rowtree_node *n, bool (*fn)(void *arg, struct rowtree_node *n), void *arg)
{
	return n == NULL ||
		(rowtree_each(n->left, fn, arg) && fn(arg, n) && rowtree_each(n->right, fn, arg));
}

void rowtree_free(struct rowtree_node *n, struct heap *h,
	void (*fn)(void *arg, struct rowtree_node *n), void *arg)
{
	if (n == NULL)
		return;
	rowtree_free(n->left, h, fn, arg);
	rowtree_free(n->right, h, fn, arg);
	fn(arg, n);
	node_free(n, h);
}
