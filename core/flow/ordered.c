/*
 * ordered.c: a treap (Seidel, Aragon, 1996) whose priorities are the hashes of the values, so its shape depends
 * on its contents only. Weights may be negative for a while: deltas of one batch come in any order.
 */
#include "core/flow/ordered.h"

#include <math.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/hash.h"

struct ordered_node {
	struct ordered_node *left, *right;
	uint64_t priority;
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

static struct ordered_node *node_new(const struct value *v, int64_t weight, struct heap *h)
{
	size_t extra = has_bytes(v) ? v->s.len : 0;
	struct ordered_node *n = heap_alloc(h, sizeof(*n) + extra);

	if (n == NULL)
		return NULL;
	n->left = n->right = NULL;
	n->priority = hash_combine(value_hash(v), v->scale);
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

static struct ordered_node *rotate_right(struct ordered_node *n)
{
	struct ordered_node *l = n->left;

	n->left = l->right;
	l->right = n;
	return l;
}

static struct ordered_node *rotate_left(struct ordered_node *n)
{
	struct ordered_node *r = n->right;

	n->right = r->left;
	r->left = n;
	return r;
}

static struct ordered_node *insert(struct ordered_node *n, struct ordered_node *add)
{
	if (n == NULL)
		return add;
	if (order(&add->value, &n->value) < 0) {
		n->left = insert(n->left, add);
		return n->left->priority > n->priority ? rotate_right(n) : n;
	}
	n->right = insert(n->right, add);
	return n->right->priority > n->priority ? rotate_left(n) : n;
}

/* Two trees, all of a before all of b. */
static struct ordered_node *merge(struct ordered_node *a, struct ordered_node *b)
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

int ordered_add(struct ordered *o, const struct value *v, int64_t weight, struct heap *h)
{
	struct ordered_node **link = &o->root, *n;

	while ((n = *link) != NULL) {
		int c = order(v, &n->value);

		if (c == 0)
			break;
		link = c < 0 ? &n->left : &n->right;
	}
	if (n == NULL) {
		n = node_new(v, weight, h);
		if (n == NULL)
			return -1;
		o->root = insert(o->root, n);
		return 0;
	}
	n->weight += weight;
	if (n->weight == 0) {
		*link = merge(n->left, n->right);
		heap_free(h, n, n->bytes);
	}
	return 0;
}

static bool edge_value(const struct ordered_node *n, bool smallest, struct value *out)
{
	if (n == NULL)
		return false;
	if (edge_value(smallest ? n->left : n->right, smallest, out))
		return true;
	if (n->weight > 0) {
		*out = n->value;
		return true;
	}
	return edge_value(smallest ? n->right : n->left, smallest, out);
}

bool ordered_min(const struct ordered *o, struct value *out)
{
	return edge_value(o->root, true, out);
}

bool ordered_max(const struct ordered *o, struct value *out)
{
	return edge_value(o->root, false, out);
}

static const struct ordered_node *first_equal(const struct ordered_node *n, const struct value *v)
{
	const struct ordered_node *left;
	int c;

	if (n == NULL)
		return NULL;
	c = value_compare(v, &n->value);
	if (c != 0)
		return first_equal(c < 0 ? n->left : n->right, v);
	left = first_equal(n->left, v);
	if (left != NULL)
		return left;
	return n->weight > 0 ? n : first_equal(n->right, v);
}

bool ordered_find(const struct ordered *o, const struct value *v, struct value *out)
{
	const struct ordered_node *n = first_equal(o->root, v);

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
	status = node_walk(n->left, fn, arg);
	if (status == 0 && n->weight > 0)
		status = fn(arg, &n->value, n->weight);
	return status != 0 ? status : node_walk(n->right, fn, arg);
}

int ordered_walk(const struct ordered *o,
	int (*fn)(void *arg, const struct value *v, int64_t weight), void *arg)
{
	return node_walk(o->root, fn, arg);
}

static void node_free(struct ordered_node *n, struct heap *h)
{
	if (n == NULL)
		return;
	node_free(n->left, h);
	node_free(n->right, h);
	heap_free(h, n, n->bytes);
}

void ordered_free(struct ordered *o, struct heap *h)
{
	node_free(o->root, h);
	o->root = NULL;
}

static void node_check(const struct ordered_node *n)
{
	if (n == NULL)
		return;
	ASSERT(n->weight != 0);
	ASSERT(n->left == NULL || order(&n->left->value, &n->value) < 0);
	ASSERT(n->right == NULL || order(&n->right->value, &n->value) > 0);
	ASSERT(n->left == NULL || n->left->priority <= n->priority);
	ASSERT(n->right == NULL || n->right->priority <= n->priority);
	node_check(n->left);
	node_check(n->right);
}

void ordered_check(const struct ordered *o)
{
	node_check(o->root);
}
