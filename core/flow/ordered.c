/*
 * ordered.c: a treap whose priorities are the hashes of the values. Weights may be negative for a while: deltas of
 * one batch come in any order.
 */
#include "core/flow/ordered.h"

#include <math.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/hash.h"

struct ordered_node {
	struct treap tree;
	int64_t weight;
	struct value value;
	size_t bytes; /* of the node with the value's bytes */
	char data[];
};

static bool has_bytes(const struct value *v)
{
	return type_is_bytes((enum type_id)v->type);
}

static int sign_of(const struct value *v)
{
	if (v->type == TYPE_FLOAT4)
		return signbit(v->f) != 0;
	return v->type == TYPE_FLOAT8 && signbit(v->d) != 0;
}

/* Equal numerics of different scale, zeros of different sign, and equal intervals of other fields, are kept apart, so that what is retracted
 * is what was added. */
static int order(const struct value *a, const struct value *b)
{
	int c = value_compare(a, b);

	if (c != 0)
		return c;
	if (a->type == TYPE_INTERVAL) {
		if (a->iv.months != b->iv.months)
			return a->iv.months < b->iv.months ? -1 : 1;
		return a->iv.days < b->iv.days ? -1 : a->iv.days > b->iv.days;
	}
	return a->scale != b->scale ? (int)a->scale - (int)b->scale : sign_of(b) - sign_of(a);
}

static struct ordered_node *node_of(struct treap *t)
{
	return (struct ordered_node *)t;
}

static int compare(const void *arg, const void *key, const struct treap *node)
{
	(void)arg;
	return order(key, &((const struct ordered_node *)node)->value);
}

static struct ordered_node *node_new(const struct value *v, int64_t weight, struct heap *h)
{
	size_t extra = has_bytes(v) ? v->s.len : 0;
	struct ordered_node *n = heap_alloc(h, sizeof(*n) + extra);

	if (n == NULL)
		return NULL;
	n->tree.left = n->tree.right = NULL;
	n->tree.priority = hash_combine(value_hash(v), v->scale);
	n->weight = weight;
	n->value = *v;
	n->bytes = sizeof(*n) + extra;
	if (has_bytes(v)) {
		if (extra > 0)
			memcpy(n->data, v->s.p, extra);
		n->value.s.p = n->data;
	}
	return n;
}

int ordered_add(struct ordered *o, const struct value *v, int64_t weight, struct heap *h)
{
	struct treap **link = treap_find(&o->root, compare, NULL, v);
	struct ordered_node *n = node_of(*link);

	if (n == NULL) {
		n = node_new(v, weight, h);
		if (n == NULL)
			return -1;
		treap_insert(&o->root, compare, NULL, v, &n->tree);
		return 0;
	}
	n->weight += weight;
	if (n->weight == 0) {
		treap_remove(link);
		heap_free(h, n, n->bytes);
	}
	return 0;
}

static bool edge_value(const struct ordered_node *n, bool smallest, struct value *out)
{
	if (n == NULL)
		return false;
	if (edge_value(node_of(smallest ? n->tree.left : n->tree.right), smallest, out))
		return true;
	if (n->weight > 0) {
		*out = n->value;
		return true;
	}
	return edge_value(node_of(smallest ? n->tree.right : n->tree.left), smallest, out);
}

bool ordered_min(const struct ordered *o, struct value *out)
{
	return edge_value(node_of(o->root), true, out);
}

bool ordered_max(const struct ordered *o, struct value *out)
{
	return edge_value(node_of(o->root), false, out);
}

static const struct ordered_node *first_equal(const struct ordered_node *n, const struct value *v)
{
	const struct ordered_node *left;
	int c;

	if (n == NULL)
		return NULL;
	c = value_compare(v, &n->value);
	if (c != 0)
		return first_equal(node_of(c < 0 ? n->tree.left : n->tree.right), v);
	left = first_equal(node_of(n->tree.left), v);
	if (left != NULL)
		return left;
	return n->weight > 0 ? n : first_equal(node_of(n->tree.right), v);
}

bool ordered_find(const struct ordered *o, const struct value *v, struct value *out)
{
	const struct ordered_node *n = first_equal(node_of(o->root), v);

	if (n == NULL)
		return false;
	*out = n->value;
	return true;
}

static int node_walk(const struct ordered_node *n,
	int (*fn)(void *arg, const struct value *v, int64_t weight), void *arg)
{
	int status;

	if (n == NULL)
		return 0;
	status = node_walk(node_of(n->tree.left), fn, arg);
	if (status == 0 && n->weight > 0)
		status = fn(arg, &n->value, n->weight);
	return status != 0 ? status : node_walk(node_of(n->tree.right), fn, arg);
}

int ordered_walk(const struct ordered *o,
	int (*fn)(void *arg, const struct value *v, int64_t weight), void *arg)
{
	return node_walk(node_of(o->root), fn, arg);
}

bool ordered_free_some(struct ordered *o, struct heap *h, size_t *left)
{
	while (*left > 0 && o->root != NULL) {
		struct ordered_node *n = node_of(treap_take(&o->root));

		heap_free_counted(h, n, n->bytes, left);
	}
	return o->root == NULL;
}

void ordered_free(struct ordered *o, struct heap *h)
{
	size_t all = SIZE_MAX;

	(void)ordered_free_some(o, h, &all);
}

static void node_check(const struct ordered_node *n)
{
	if (n == NULL)
		return;
	ASSERT(n->weight != 0);
	ASSERT(n->tree.left == NULL || compare(NULL, &n->value, n->tree.left) > 0);
	ASSERT(n->tree.right == NULL || compare(NULL, &n->value, n->tree.right) < 0);
	ASSERT(n->tree.left == NULL || n->tree.left->priority <= n->tree.priority);
	ASSERT(n->tree.right == NULL || n->tree.right->priority <= n->tree.priority);
	node_check(node_of(n->tree.left));
	node_check(node_of(n->tree.right));
}

void ordered_check(const struct ordered *o)
{
	node_check(node_of(o->root));
}
