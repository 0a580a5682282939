/*
 * btree_node.h: what a btree is made of, for its writer (btree.c, where the invariants are) and its readers
 * (btree_cursor.c).
 */
#ifndef LF_STORE_BTREE_NODE_H
#define LF_STORE_BTREE_NODE_H

#include "core/store/btree.h"

enum {
	FAN = 15,
	DIGIT = 4, /* bits */
	PREFIX = 8,
	SLACK = 4, /* of the bytes that keys have in common, so many are compared all the same: others may come */
	SKIP_MAX = 255,
	EPOCH_BYTES = 8
};

struct entry {
	uint64_t until;             /* atomic; UINT64_MAX while it holds */
	struct entry *next_removed; /* writer */
	uint32_t key_len;
	uint32_t size;  /* bytes of data */
	uint32_t noted; /* writer: in the list of removed ones */
	char data[];    /* sort key with `from`, then the table's key as a row */
};

struct slot {
	uint64_t
		prefix; /* the key's first bytes behind the node's `skip`, for comparing; zeros behind */
	void *p;        /* entry of a leaf, node otherwise */
};

struct node {
	uint64_t order;   /* atomic */
	uint32_t low_len; /* an entry's key of this node is not less than low */
	uint16_t used;    /* writer: slots written */
	bool leaf;
	uint8_t skip; /* all keys begin with so many bytes of low */
	struct slot slots[FAN];
	char low[];
};
_Static_assert(sizeof(struct node) == 256, "without its low, a size that the allocator has");
_Static_assert((FAN + 1) * DIGIT == 64, "the number and all slots in one word");

struct btree {
	struct heap *heap;
	struct retire *retire;
	const struct row_layout *layout;
	unsigned ncols, nkey;
	const uint16_t *cols, *key;
	const uint8_t *flags;
	struct row_layout key_layout;
	struct arena arena;
	struct node *root; /* atomic */
	/* The writer's. */
	uint64_t entries;
	struct entry *removed, **removed_end; /* in the order of removal */
	char *scratch;                        /* as large as the largest key so far */
	size_t scratch_cap;
};

/* --- the word --- */

static inline unsigned order_count(uint64_t order)
{
	return order & FAN;
}

static inline unsigned order_slot(uint64_t order, unsigned at)
{
	return order >> (DIGIT * (at + 1)) & FAN;
}

/* The digits from `at` on, and those before it with the number. */
static inline uint64_t order_high(uint64_t order, unsigned at)
{
	return at >= FAN ? 0 : order & ~UINT64_C(0) << (DIGIT * (at + 1));
}

static inline uint64_t order_insert(uint64_t order, unsigned at, unsigned slot)
{
	uint64_t high = order_high(order, at), low = order & ~high;

	return (low | high << DIGIT | (uint64_t)slot << (DIGIT * (at + 1))) + 1;
}

static inline uint64_t order_remove(uint64_t order, unsigned at)
{
	uint64_t high = order_high(order, at), low = order & ~high;

	return (low | order_high(high, at + 1) >> DIGIT) - 1;
}

static inline uint64_t order_load(const struct node *n)
{
	return __atomic_load_n(&n->order, __ATOMIC_ACQUIRE);
}

static inline void *child_at(const struct node *n, uint64_t order, unsigned at)
{
	return n->slots[order_slot(order, at)].p;
}

/* --- keys --- */

struct bytes {
	const char *p;
	uint32_t len;
};

static inline struct bytes entry_key(const struct entry *e)
{
	return (struct bytes){ e->data, e->key_len };
}

static inline struct bytes key_of(const struct node *n, const void *p)
{
	const struct node *child = p;

	return n->leaf ? entry_key(p) : (struct bytes){ child->low, child->low_len };
}

static inline uint64_t entry_from(const struct entry *e)
{
	uint64_t w;

	memcpy(&w, e->data + e->key_len - EPOCH_BYTES, sizeof(w));
	return __builtin_bswap64(w);
}

static inline uint64_t prefix_of(const char *p, uint32_t len)
{
	uint64_t w = 0;

	if (len > 0)
		memcpy(&w, p, len < PREFIX ? len : PREFIX);
	return __builtin_bswap64(w);
}

static inline int bytes_compare(struct bytes a, struct bytes b)
{
	uint32_t n = a.len < b.len ? a.len : b.len;
	int c = n == 0 ? 0 : memcmp(a.p, b.p, n);

	return c != 0 ? c : a.len < b.len ? -1 : a.len > b.len;
}

/* An edge's bytes from somewhere on as a word, and which bits of it there are. */
struct probe {
	uint64_t prefix, mask;
};

static inline struct probe probe_of(const char *p, uint32_t len)
{
	uint64_t mask = UINT64_MAX;

	if (len < PREFIX)
		mask = len == 0 ? 0 : UINT64_MAX << (8 * (PREFIX - len));
	return (struct probe){ prefix_of(p, len), mask };
}

static inline bool key_before(struct bytes key, const struct btree_edge *e)
{
	uint32_t n = key.len < e->len ? key.len : e->len;
	int c = n == 0 ? 0 : memcmp(key.p, e->p, n);

	if (c != 0)
		return c < 0;
	return key.len < e->len || e->after;
}

/* Whether an edge is behind all that a node may have (1), before (-1), or begins as they do (0). */
static inline int skip_compare(const struct node *n, const struct btree_edge *e)
{
	uint32_t len = e->len < n->skip ? e->len : n->skip;
	int c = len == 0 ? 0 : memcmp(e->p, n->low, len);

	if (c != 0)
		return c;
	return len == n->skip ? 0 : e->after ? 1 : -1;
}

/* How many of the node's keys are before the edge. */
static inline unsigned count_before(
	const struct node *n, uint64_t order, const struct btree_edge *e)
{
	unsigned from = 0, end = order_count(order);
	int c = skip_compare(n, e);
	struct probe p;

	if (c != 0)
		return c > 0 ? end : 0;
	p = probe_of(e->p + n->skip, e->len - n->skip);
	while (from < end) {
		unsigned at = (from + end) / 2;
		const struct slot *s = &n->slots[order_slot(order, at)];
		uint64_t prefix = s->prefix & p.mask;
		bool before = prefix != p.prefix ? prefix < p.prefix
						 : key_before(key_of(n, s->p), e);

		if (before)
			from = at + 1;
		else
			end = at;
	}
	return from;
}

/* The child in which what follows the edge begins. */
static inline unsigned child_before(
	const struct node *n, uint64_t order, const struct btree_edge *e)
{
	unsigned at = count_before(n, order, e);

	return at == 0 ? 0 : at - 1;
}

/* All of it at once, rather than a line for each comparison. */
static inline void node_prefetch(const struct node *n)
{
	for (size_t at = 0; at <= sizeof(*n); at += 64)
		__builtin_prefetch((const char *)n + at);
}

#endif
