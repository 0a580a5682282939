/*
 * multiset.c: a treap without parent pointers and without recursion on the way down: an insertion
 * descends to where the new node's priority belongs and splits the rest below it; a removal joins the
 * node's two subtrees. Equal values have equal priorities, so a search that stops at the first node of a lower
 * priority has met the value if it is there. Out of memory is noticed before anything changes.
 */
#include "core/flow/multiset.h"

#include <string.h>

#include "core/base/assert.h"
#include "core/base/hash.h"

struct multiset_node {
	struct multiset_node *left, *right;
	uint64_t priority;
	int64_t count;
	struct value value; /* text and bytea: bytes behind the node */
};

static bool has_bytes(const struct value *v)
{
	return v->type == TYPE_TEXT || v->type == TYPE_VARCHAR || v->type == TYPE_BPCHAR ||
		v->type == TYPE_BYTEA;
}

static size_t node_size(const struct value *v)
{
	return sizeof(struct multiset_node) + (has_bytes(v) ? v->s.len : 0);
}

/* Order among values that value_compare() calls equal. */
static int tie(const struct value *a, const struct value *b)
{
	switch ((enum type_id)a->type) {
	case TYPE_NUMERIC: return (int)a->scale - (int)b->scale;
	case TYPE_FLOAT4: return memcmp(&a->f, &b->f, sizeof(a->f));
	case TYPE_FLOAT8: return memcmp(&a->d, &b->d, sizeof(a->d));
	case TYPE_INTERVAL: return memcmp(&a->iv, &b->iv, sizeof(a->iv));
	case TYPE_BPCHAR: return a->s.len < b->s.len ? -1 : a->s.len > b->s.len;
	default: return 0;
	}
}

static int compare(const struct value *a, const struct value *b)
{
	int c = value_compare(a, b);

	return c != 0 ? c : tie(a, b);
}

static struct multiset_node *node_new(
	const struct value *v, uint64_t priority, int64_t count, struct heap *h)
{
	struct multiset_node *n = heap_alloc(h, node_size(v));

	if (n == NULL)
		return NULL;
	n->left = n->right = NULL;
	n->priority = priority;
	n->count = count;
	n->value = *v;
	if (has_bytes(v)) {
		if (v->s.len > 0)
			memcpy(n + 1, v->s.p, v->s.len);
		n->value.s.p = (const char *)(n + 1);
	}
	return n;
}

/* Take a tree apart into what is below v and what is above; v itself is not in it. */
static void split(struct multiset_node *t, const struct value *v, struct multiset_node **below,
	struct multiset_node **above)
{
	while (t != NULL) {
		if (compare(&t->value, v) < 0) {
			*below = t;
			below = &t->right;
			t = t->right;
		} else {
			*above = t;
			above = &t->left;
			t = t->left;
		}
	}
	*below = *above = NULL;
}

/* Join two trees, all of a below all of b. */
static struct multiset_node *join(struct multiset_node *a, struct multiset_node *b)
{
	struct multiset_node *root, **link = &root;

	while (a != NULL && b != NULL) {
		if (a->priority >= b->priority) {
			*link = a;
			link = &a->right;
			a = a->right;
		} else {
			*link = b;
			link = &b->left;
			b = b->left;
		}
	}
	*link = a != NULL ? a : b;
	return root;
}

int multiset_add(struct multiset *s, const struct value *v, int64_t weight, struct heap *h)
{
	/* Not the hash that chose the shard or the group: that one has little left to vary. */
	uint64_t priority = hash_u64(value_hash(v) ^ HASH_PI_1);
	struct multiset_node **link = &s->root, *n;

	if (weight == 0)
		return 0;
	while ((n = *link) != NULL && n->priority >= priority) {
		int c = compare(v, &n->value);

		if (c == 0) {
			n->count += weight;
			s->count += weight;
			if (n->count == 0) {
				*link = join(n->left, n->right);
				heap_free(h, n, node_size(&n->value));
			}
			return 0;
		}
		link = c < 0 ? &n->left : &n->right;
	}
	n = node_new(v, priority, weight, h);
	if (n == NULL)
		return -1;
	split(*link, v, &n->left, &n->right);
	*link = n;
	s->count += weight;
	return 0;
}

bool multiset_min(const struct multiset *s, struct value *out)
{
	const struct multiset_node *n = s->root;

	if (n == NULL)
		return false;
	while (n->left != NULL)
		n = n->left;
	*out = n->value;
	return true;
}

bool multiset_max(const struct multiset *s, struct value *out)
{
	const struct multiset_node *n = s->root;

	if (n == NULL)
		return false;
	while (n->right != NULL)
		n = n->right;
	*out = n->value;
	return true;
}

/* Turns left children up until there is none, so that no stack is needed. */
void multiset_free(struct multiset *s, struct heap *h)
{
	struct multiset_node *n = s->root;

	while (n != NULL) {
		struct multiset_node *next = n->left;

		if (next != NULL) {
			n->left = next->right;
			next->right = n;
		} else {
			next = n->right;
			heap_free(h, n, node_size(&n->value));
		}
		n = next;
	}
	*s = (struct multiset){ 0 };
}

static size_t node_check(const struct multiset_node *n, const struct value *above,
	const struct value *below, int64_t *count)
{
	if (n == NULL)
		return 0;
	ASSERT(n->count != 0);
	ASSERT(above == NULL || compare(above, &n->value) < 0);
	ASSERT(below == NULL || compare(&n->value, below) < 0);
	ASSERT(n->left == NULL || n->left->priority <= n->priority);
	ASSERT(n->right == NULL || n->right->priority <= n->priority);
	*count += n->count;
	return 1 + node_check(n->left, above, &n->value, count) +
		node_check(n->right, &n->value, below, count);
}

size_t multiset_check(const struct multiset *s)
{
	int64_t count = 0;
	size_t n = node_check(s->root, NULL, NULL, &count);

	ASSERT(count == s->count);
	return n;
}
