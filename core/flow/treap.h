/*
 * treap.h: a treap (Seidel, Aragon, 1996): a search tree that is a heap of its nodes' priorities. With hashes of the keys
 * as priorities its shape depends on its contents only.
 *
 * A node's owner puts a struct treap first in a struct of its own, and gives the order: all is inline, so that the order is
 * compiled into it. Nodes go in at the bottom and are rotated up; one that goes leaves its two subtrees, merged. For one
 * thread.
 */
#ifndef LF_FLOW_TREAP_H
#define LF_FLOW_TREAP_H

#include <stddef.h>
#include <stdint.h>

struct treap {
	struct treap *left, *right;
	uint64_t priority;
};

/* The order of a key and of a node's key: < 0, 0, > 0. arg is its owner's. */
typedef int treap_compare(const void *arg, const void *key, const struct treap *node);

/* The link to the node of the key; to where it would hang (*link is NULL) if there is none. */
static inline struct treap **treap_find(
	struct treap **link, treap_compare *compare, const void *arg, const void *key)
{
	while (*link != NULL) {
		int c = compare(arg, key, *link);

		if (c == 0)
			break;
		link = c < 0 ? &(*link)->left : &(*link)->right;
	}
	return link;
}

static inline struct treap *treap_rotate_right(struct treap *n)
{
	struct treap *l = n->left;

	n->left = l->right;
	l->right = n;
	return l;
}

static inline struct treap *treap_rotate_left(struct treap *n)
{
	struct treap *r = n->right;

	n->right = r->left;
	r->left = n;
	return r;
}

/* Hang in a node of that key, which the tree does not have; left and right of the node are NULL, its priority is set. */
static inline void treap_insert(struct treap **link, treap_compare *compare, const void *arg,
	const void *key, struct treap *node)
{
	struct treap *n = *link;

	if (n == NULL) {
		*link = node;
	} else if (compare(arg, key, n) < 0) {
		treap_insert(&n->left, compare, arg, key, node);
		if (n->left->priority > n->priority)
			*link = treap_rotate_right(n);
	} else {
		treap_insert(&n->right, compare, arg, key, node);
		if (n->right->priority > n->priority)
			*link = treap_rotate_left(n);
	}
}

/* Two trees, all of a before all of b. */
static inline struct treap *treap_merge(struct treap *a, struct treap *b)
{
	if (a == NULL || b == NULL)
		return a == NULL ? b : a;
	if (a->priority > b->priority) {
		a->right = treap_merge(a->right, b);
		return a;
	}
	b->left = treap_merge(a, b->left);
	return b;
}

/* Take the first node out, without an order, to free all one after another: no call takes long, since a node is rotated
 * to the right side once. NULL: there is none. */
static inline struct treap *treap_take(struct treap **root)
{
	struct treap *n = *root;

	while (n != NULL && n->left != NULL)
		n = treap_rotate_right(n);
	if (n != NULL)
		*root = n->right;
	return n;
}

/* Take the node out that hangs at the link. */
static inline void treap_remove(struct treap **link)
{
	*link = treap_merge((*link)->left, (*link)->right);
}

#endif
