/*
 * btree_cursor.c: reading a btree, by any thread with a pin; see the head of btree.c for why no lock is needed.
 */
#include "core/base/assert.h"
#include "core/store/btree_node.h"

static bool entry_holds(const struct entry *e, uint64_t v)
{
	uint64_t until = __atomic_load_n(&e->until, __ATOMIC_ACQUIRE);

	return v == UINT64_MAX ? until == UINT64_MAX : entry_from(e) <= v && v < until;
}

static void cursor_enter(struct btree_cursor *c, const struct node *n)
{
	ASSERT(c->depth < BTREE_LEVELS_MAX);
	c->path[c->depth].node = n;
	c->path[c->depth].order = order_load(n);
}

void btree_find(const struct btree *t, struct btree_cursor *c, const struct btree_edge *low,
	const struct btree_edge *high, bool backward, uint64_t v)
{
	const struct btree_edge *from = backward ? high : low;
	const struct node *n = __atomic_load_n(&t->root, __ATOMIC_ACQUIRE);

	/* An edge without bytes is before or behind everything, as it says. */
	c->v = v;
	c->stop = backward ? *low : *high;
	c->backward = backward;
	c->found = NULL;
	for (c->depth = 0;; c->depth++) {
		cursor_enter(c, n);
		if (n->leaf)
			break;
		c->path[c->depth].at = child_before(n, c->path[c->depth].order, from);
		n = child_at(n, c->path[c->depth].order, c->path[c->depth].at);
		node_prefetch(n);
	}
	c->path[c->depth].at = count_before(n, c->path[c->depth].order, from);
}

/* The first or last place of the node that the cursor has entered. */
static void cursor_start(struct btree_cursor *c)
{
	const struct node *n = c->path[c->depth].node;
	unsigned count = order_count(c->path[c->depth].order);

	c->path[c->depth].at = !c->backward ? 0 : n->leaf ? count : count - 1;
}

/* To the next leaf; false: there is none. */
static bool cursor_climb(struct btree_cursor *c)
{
	const struct node *n;

	do {
		if (c->depth == 0)
			return false;
		c->depth--;
	} while (c->path[c->depth].at ==
		(c->backward ? 0 : order_count(c->path[c->depth].order) - 1));
	c->path[c->depth].at += c->backward ? -1u : 1u;
	for (n = c->path[c->depth].node; !n->leaf; cursor_start(c)) {
		n = child_at(n, c->path[c->depth].order, c->path[c->depth].at);
		c->depth++;
		cursor_enter(c, n);
	}
	return true;
}

const void *btree_next(struct btree_cursor *c)
{
	for (;;) {
		const struct node *leaf = c->path[c->depth].node;
		uint64_t order = c->path[c->depth].order;
		unsigned *at = &c->path[c->depth].at;
		const struct entry *e;

		if (*at == (c->backward ? 0 : order_count(order))) {
			if (!cursor_climb(c))
				return NULL;
			continue;
		}
		e = child_at(leaf, order, c->backward ? --*at : (*at)++);
		if (key_before(entry_key(e), &c->stop) == c->backward)
			return NULL;
		if (!entry_holds(e, c->v))
			continue;
		c->found = e;
		return e->data + e->key_len;
	}
}

int btree_cursor_compare(const struct btree_cursor *a, const struct btree_cursor *b)
{
	return bytes_compare(entry_key(a->found), entry_key(b->found));
}
