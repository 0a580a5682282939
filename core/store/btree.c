/*
 * btree.c: see btree.h.
 *
 * A B+tree of nodes with 15 slots. A node's slots are written once; which of them count, and in what order, is one word of
 * 16 digits of 4 bits (their number, then the slots by order), as in Masstree (Mao, Kohler, Morris: Cache Craftiness for
 * Fast Multicore Key-Value Storage, 2012). So an insertion writes a free slot and publishes the word, and touches nothing
 * else; a skip list would publish as little, but cannot be read backward. When its slots are used up a node is replaced by
 * a copy, or two halves, which the parent takes in for it with one word again (or is itself replaced), up to the root.
 *
 * Invariants, and what readers rely on:
 * (1) A slot that any published word names is never written again; the word is stored with release after it, and loaded
 *     with acquire. So one load of the word is a whole, consistent content of the node.
 * (2) A node covers the keys from its `low` to that of its right neighbour, and a replacement, or two, cover the same. A
 *     node that has become empty is taken out: what it covered falls to its left neighbour, or to the right one when it
 *     was its parent's first (way_low()); none of its entries is needed any more, so no reader misses or meets one twice.
 *     So a first child's own low may be above what it covers, and means nothing; where joining its parent to the one before
 *     makes it no first child any more, a copy with the right low takes its place (join_list()).
 * (3) Words a reader loads after its pin show at least every entry that its epoch v needs: those with from <= v were
 *     published before v became visible, and they are taken out only when until <= reclaimable <= v. So a reader may go on
 *     in a node that has been replaced since: it lacks newer entries only, which it would pass over. A cursor keeps the
 *     words of its path and never loads one twice.
 * (4) What is replaced goes through the retire list in an epoch under way, so no reader's pin can be older when it is
 *     freed. Entries are not copied with their nodes.
 *
 * An entry is kept with its sort key, at whose end the epoch `from` stands, big-endian: what was removed and came again is
 * two entries with two keys, and the newest is the last of them. `until` is written in place: readers compare it with
 * their epoch, to which old and new mean the same.
 *
 * Keys of one node are alike: those of an index by tenant and time have the tenant in common. So each node knows how many bytes of
 * its low all its keys begin with (`skip`), an edge is compared with these once, and the 8 bytes that a slot has of its key are
 * those behind them: few comparisons look at the keys themselves, which are a cache miss each. A key that begins
 * otherwise makes the node be replaced, by one with a lesser skip.
 *
 * Depth: a node is divided when it has more than 12 children or entries, which leaves room for several in the halves, so
 * dividing takes more than six insertions into a level on average, and each level more six times those of the one below:
 * 6^24 do not happen (BTREE_LEVELS_MAX). Nodes that have become thin are joined with a neighbour if memory allows; nothing
 * depends on it.
 */
#include "core/store/btree_node.h"

#include "core/base/assert.h"
#include "core/base/limits.h"

enum {
	THIN = 4, /* slots in use: worth joining */
	JOINED = 10,
	STEP_DEAD = 64,
	SCRATCH_MIN = 256
};

/* --- making --- */

static size_t node_bytes(const struct node *n)
{
	return sizeof(*n) + n->low_len;
}

static size_t entry_bytes(const struct entry *e)
{
	return sizeof(*e) + e->size;
}

static struct node *node_new(struct btree *t, bool leaf, struct bytes low)
{
	struct node *n = heap_alloc(t->heap, sizeof(*n) + low.len);

	if (n == NULL)
		return NULL;
	n->order = 0;
	n->used = 0;
	n->leaf = leaf;
	n->skip = 0;
	n->low_len = low.len;
	if (low.len > 0)
		memcpy(n->low, low.p, low.len);
	return n;
}

/* Into the free slot; what is published names it later. */
static unsigned slot_write(struct node *n, void *p)
{
	struct bytes key = key_of(n, p);

	n->slots[n->used] = (struct slot){ prefix_of(key.p + n->skip, key.len - n->skip), p };
	return n->used++;
}

/* How many of the first n bytes two keys have in common. */
static uint32_t common(struct bytes a, struct bytes b, uint32_t n)
{
	uint32_t i = 0;

	while (i < n && i < a.len && i < b.len && a.p[i] == b.p[i])
		i++;
	return i;
}

/* What a node's keys begin with, of which nothing is written yet. */
static uint8_t skip_of(const struct node *n, void *const *list, unsigned count)
{
	struct bytes low = { n->low, n->low_len };
	uint32_t same = low.len < SKIP_MAX ? low.len : SKIP_MAX;

	for (unsigned i = 0; i < count; i++)
		same = common(low, key_of(n, list[i]), same);
	return count == 0 || same < SLACK ? 0 : (uint8_t)(same - SLACK);
}

static int columns_copy(
	struct btree *t, const uint16_t *cols, const uint8_t *flags, const uint16_t *key)
{
	uint16_t *c = arena_alloc(&t->arena, (t->ncols + 1) * sizeof(*c));
	uint16_t *k = arena_alloc(&t->arena, (t->nkey + 1) * sizeof(*k));
	uint8_t *f = arena_zalloc(&t->arena, t->ncols + 1);
	struct type types[LIMIT_KEY_COLUMNS];
	struct error e;

	if (c == NULL || k == NULL || f == NULL)
		return -1;
	memcpy(c, cols, t->ncols * sizeof(*c));
	memcpy(k, key, t->nkey * sizeof(*k));
	if (flags != NULL)
		memcpy(f, flags, t->ncols);
	t->cols = c;
	t->key = k;
	t->flags = f;
	for (unsigned i = 0; i < t->nkey; i++)
		types[i] = t->layout->types[key[i]];
	return row_layout_init(&t->key_layout, types, t->nkey, &t->arena, &e);
}

struct btree *btree_new(struct heap *h, struct retire *retire, const struct row_layout *layout,
	const uint16_t *cols, const uint8_t *flags, unsigned ncols, const uint16_t *key,
	unsigned nkey)
{
	struct btree *t = heap_zalloc(h, sizeof(*t));

	ASSERT(ncols <= LIMIT_KEY_COLUMNS && nkey <= LIMIT_KEY_COLUMNS);
	if (t == NULL)
		return NULL;
	t->heap = h;
	t->retire = retire;
	t->layout = layout;
	t->ncols = ncols;
	t->nkey = nkey;
	t->removed_end = &t->removed;
	arena_init(&t->arena, h);
	t->scratch = heap_alloc(h, SCRATCH_MIN);
	t->scratch_cap = t->scratch == NULL ? 0 : SCRATCH_MIN;
	t->root = node_new(t, true, (struct bytes){ NULL, 0 });
	if (t->scratch == NULL || t->root == NULL || columns_copy(t, cols, flags, key) != 0) {
		btree_free(t);
		return NULL;
	}
	return t;
}

/* A node with all below it, from its end. False: *left is used up before that. */
static bool node_free_some(struct btree *t, struct node *n, size_t *left)
{
	for (unsigned i = order_count(n->order); i-- > 0; n->order = order_remove(n->order, i)) {
		void *p = child_at(n, n->order, i);

		if (*left == 0)
			return false;
		if (n->leaf)
			heap_free_counted(t->heap, p, entry_bytes(p), left);
		else if (!node_free_some(t, p, left))
			return false;
	}
	heap_free_counted(t->heap, n, node_bytes(n), left);
	return true;
}

bool btree_free_some(struct btree *t, size_t *left)
{
	if (t->root != NULL && !node_free_some(t, t->root, left))
		return false;
	heap_free_counted(t->heap, t->scratch, t->scratch_cap, left);
	arena_free(&t->arena);
	heap_free_counted(t->heap, t, sizeof(*t), left);
	return true;
}

void btree_free(struct btree *t)
{
	size_t all = SIZE_MAX;

	if (t != NULL)
		(void)btree_free_some(t, &all);
}

/* --- changing nodes --- */

/* The writer's way to a leaf. */
struct way {
	unsigned depth; /* of the leaf */
	struct node *node[BTREE_LEVELS_MAX];
	unsigned at
		[BTREE_LEVELS_MAX]; /* of the child gone to; in the leaf: entries before the edge */
};

static void way_find(const struct btree *t, const struct btree_edge *e, struct way *w)
{
	struct node *n = t->root;

	for (w->depth = 0;; w->depth++) {
		ASSERT(w->depth < BTREE_LEVELS_MAX);
		w->node[w->depth] = n;
		if (n->leaf)
			break;
		w->at[w->depth] = child_before(n, n->order, e);
		n = child_at(n, n->order, w->at[w->depth]);
		node_prefetch(n);
	}
	w->at[w->depth] = count_before(n, n->order, e);
}

/* The beginning of a node's range: the first child of a node may have been taken out, then the next one has its range,
 * but still its own low. */
static struct bytes way_low(const struct way *w, unsigned depth)
{
	while (depth > 0 && w->at[depth - 1] == 0)
		depth--;
	return depth == 0 ? (struct bytes){ NULL, 0 }
			  : (struct bytes){ w->node[depth]->low, w->node[depth]->low_len };
}

/* In a node's list: `removed` of them from `at` on, for which `n` others come. */
struct change {
	unsigned at, removed, n;
	void *add[2];
};

/* The least bytes that are above `a` and not above `b`, where a < b. */
static struct bytes separator(struct bytes a, struct bytes b)
{
	uint32_t n = 0;

	while (n < a.len && a.p[n] == b.p[n])
		n++;
	return (struct bytes){ b.p, n + 1 };
}

/* The low of a node whose list begins with `right`, behind one whose list ends with `left`. */
static struct bytes separator_of(const struct node *n, const void *left, const void *right)
{
	if (n->leaf)
		return separator(entry_key(left), entry_key(right));
	return key_of(n, right);
}

static unsigned change_list(const struct node *n, const struct change *c, void **list)
{
	unsigned count = 0;

	for (unsigned i = 0; i < order_count(n->order); i++) {
		for (unsigned k = 0; i == c->at && k < c->n; k++)
			list[count++] = c->add[k];
		if (i < c->at || i >= c->at + c->removed)
			list[count++] = child_at(n, n->order, i);
	}
	for (unsigned k = 0; c->at >= order_count(n->order) && k < c->n; k++)
		list[count++] = c->add[k];
	return count;
}

static struct node *node_make(
	struct btree *t, bool leaf, struct bytes low, void *const *list, unsigned n)
{
	struct node *made = node_new(t, leaf, low);

	if (made != NULL)
		made->skip = skip_of(made, list, n);
	for (unsigned i = 0; made != NULL && i < n; i++)
		made->order = order_insert(made->order, i, slot_write(made, list[i]));
	return made;
}

/* A node with the same list, told from others by `low`. */
static struct node *node_copy(struct btree *t, const struct node *n, struct bytes low)
{
	const struct change none = { .n = 0 };
	void *list[FAN];

	return node_make(t, n->leaf, low, list, change_list(n, &none, list));
}

/* One that was made and is not needed; NULL is none. */
static void node_drop(struct btree *t, struct node *n)
{
	if (n != NULL)
		heap_free(t->heap, n, node_bytes(n));
}

/* New nodes for one that cannot take a change: its list with the change, in one or two. What is added at the end of a full
 * node stands alone in the second: keys often come in order. */
static int node_remake(struct btree *t, const struct node *n, struct bytes low,
	const struct change *c, struct change *up)
{
	void *list[FAN + 2];
	unsigned count = change_list(n, c, list), first = count;
	bool end = c->at + c->removed == order_count(n->order) && c->n > c->removed;

	up->removed = 1;
	up->n = 0;
	if (count == 0)
		return 0;
	if (count > FAN - FAN / 4)
		first = end ? count - 1 : count / 2;
	up->add[0] = node_make(t, n->leaf, low, list, first);
	if (up->add[0] == NULL)
		return -1;
	up->n = 1;
	if (first == count)
		return 0;
	low = separator_of(n, list[first - 1], list[first]);
	up->add[1] = node_make(t, n->leaf, low, list + first, count - first);
	if (up->add[1] == NULL) {
		node_drop(t, up->add[0]);
		return -1;
	}
	up->n = 2;
	return 0;
}

/* The root was remade: as one node, two (a level more), or none. */
static int root_replace(struct btree *t, const struct change *up)
{
	struct node *root;

	if (up->n == 1)
		root = up->add[0];
	else if (up->n == 0)
		root = node_new(t, true, (struct bytes){ NULL, 0 });
	else
		root = node_make(t, false, (struct bytes){ NULL, 0 }, up->add, 2);
	if (root == NULL)
		return -1;
	__atomic_store_n(&t->root, root, __ATOMIC_RELEASE);
	return 0;
}

/* Whether what is to come into a node has free slots there, and begins as its keys do. */
static bool change_fits(const struct node *n, const struct change *c)
{
	struct bytes low = { n->low, n->low_len };

	if (n->used + c->n > FAN)
		return false;
	for (unsigned i = 0; i < c->n; i++)
		if (common(low, key_of(n, c->add[i]), n->skip) < n->skip)
			return false;
	return true;
}

/* Change the list of the node at `depth` of a way. What is published is one word of it or of a node above. 0, or -1 with
 * nothing changed; there must be room to retire BTREE_LEVELS_MAX nodes. */
static int way_change(struct btree *t, const struct way *w, unsigned depth, const struct change *c,
	uint64_t epoch)
{
	struct node *n = w->node[depth];
	uint64_t order = n->order;
	struct change up = { .at = depth == 0 ? 0 : w->at[depth - 1] };
	bool empty = order_count(order) == c->removed && c->n == 0;
	int status;

	if (change_fits(n, c) && (!empty || (depth == 0 && n->leaf))) {
		for (unsigned i = 0; i < c->removed; i++)
			order = order_remove(order, c->at);
		for (unsigned i = 0; i < c->n; i++)
			order = order_insert(order, c->at + i, slot_write(n, c->add[i]));
		__atomic_store_n(&n->order, order, __ATOMIC_RELEASE);
		return 0;
	}
	if (node_remake(t, n, way_low(w, depth), c, &up) != 0)
		return -1;
	status = depth == 0 ? root_replace(t, &up) : way_change(t, w, depth - 1, &up, epoch);
	if (status == 0)
		retire_add(t->retire, epoch, n, node_bytes(n));
	for (unsigned i = 0; status != 0 && i < up.n; i++)
		node_drop(t, up.add[i]);
	return status;
}

/* --- inserting and removing --- */

static int scratch_reserve(struct btree *t, size_t size)
{
	size_t cap = t->scratch_cap;
	char *p;

	if (size <= cap)
		return 0;
	while (cap < size)
		cap *= 2;
	p = heap_alloc(t->heap, cap);
	if (p == NULL)
		return -1;
	heap_free(t->heap, t->scratch, t->scratch_cap);
	t->scratch = p;
	t->scratch_cap = cap;
	return 0;
}

/* The row's sort key, without an epoch, in the scratch; the edge behind all entries of it. */
static struct btree_edge row_edge(struct btree *t, const void *row)
{
	char *end = sortkey_put_row(t->scratch, t->layout, row, t->cols, t->flags, t->ncols);

	end = sortkey_put_row(end, t->layout, row, t->key, NULL, t->nkey);
	return (struct btree_edge){ t->scratch, (uint32_t)(end - t->scratch), true };
}

/* The newest entry of a row; NULL: none. */
static struct entry *way_newest(const struct way *w, const struct btree_edge *e)
{
	const struct node *leaf = w->node[w->depth];
	struct entry *x;

	if (w->at[w->depth] == 0)
		return NULL;
	x = child_at(leaf, leaf->order, w->at[w->depth] - 1);
	return x->key_len == e->len + EPOCH_BYTES && memcmp(x->data, e->p, e->len) == 0 ? x : NULL;
}

static struct entry *entry_new(
	struct btree *t, const struct btree_edge *key, const void *row, uint64_t epoch)
{
	struct value v[LIMIT_KEY_COLUMNS];
	uint32_t key_len = key->len + EPOCH_BYTES, size;
	struct entry *x;

	for (unsigned i = 0; i < t->nkey; i++)
		row_get(t->layout, row, t->key[i], &v[i]);
	size = key_len + row_encoded_size(&t->key_layout, v);
	x = heap_alloc(t->heap, sizeof(*x) + size);
	if (x == NULL)
		return NULL;
	x->until = UINT64_MAX;
	x->next_removed = NULL;
	x->noted = 0;
	x->key_len = key_len;
	x->size = size;
	memcpy(x->data, key->p, key->len);
	epoch = __builtin_bswap64(epoch);
	memcpy(x->data + key->len, &epoch, EPOCH_BYTES);
	row_encode(&t->key_layout, v, x->data + key_len);
	return x;
}

static size_t row_key_size(const struct btree *t, const void *row)
{
	return sortkey_row_size(t->layout, row, t->cols, t->ncols) +
		sortkey_row_size(t->layout, row, t->key, t->nkey);
}

int btree_insert(struct btree *t, const void *row, uint64_t epoch)
{
	struct btree_edge key;
	struct change c = { .n = 1 };
	struct entry *x;
	struct way w;

	if (scratch_reserve(t, row_key_size(t, row)) != 0)
		return -1;
	key = row_edge(t, row);
	way_find(t, &key, &w);
	x = way_newest(&w, &key);
	if (x != NULL && x->until == epoch) {
		/* Removed in this epoch and here again: it never went. */
		__atomic_store_n(&x->until, UINT64_MAX, __ATOMIC_RELEASE);
		t->entries++;
		return 0;
	}
	if (retire_reserve(t->retire, BTREE_LEVELS_MAX) != 0)
		return -1;
	x = entry_new(t, &key, row, epoch);
	if (x == NULL)
		return -1;
	c.at = w.at[w.depth];
	c.add[0] = x;
	if (way_change(t, &w, w.depth, &c, epoch) != 0) {
		heap_free(t->heap, x, entry_bytes(x));
		return -1;
	}
	t->entries++;
	return 0;
}

void btree_remove(struct btree *t, const void *row, uint64_t epoch)
{
	struct btree_edge key;
	struct entry *x;
	struct way w;

	/* A key that was inserted fits. */
	if (row_key_size(t, row) > t->scratch_cap)
		return;
	key = row_edge(t, row);
	way_find(t, &key, &w);
	x = way_newest(&w, &key);
	if (x == NULL || x->until != UINT64_MAX)
		return;
	__atomic_store_n(&x->until, epoch, __ATOMIC_RELEASE);
	t->entries--;
	if (x->noted)
		return;
	x->noted = 1;
	x->next_removed = NULL;
	*t->removed_end = x;
	t->removed_end = &x->next_removed;
}

bool btree_due(const struct btree *t, uint64_t reclaimable)
{
	const struct entry *x = t->removed;

	return x != NULL && (x->until <= reclaimable || x->until == UINT64_MAX);
}

/* The list of two neighbours that are to be one node; *moved: a node that was made for it, in place of the one before, or NULL.
 * The first child of the right one begins where that does, whatever its own low, which is what it is told from its left
 * neighbour by from now on: one that begins later needs a copy. Returns the length, or 0 without memory. */
static unsigned join_list(
	struct btree *t, struct node *const half[2], void **list, struct node **moved)
{
	unsigned left = order_count(half[0]->order), n = 0;
	struct bytes low = { half[1]->low, half[1]->low_len };
	struct node *first = child_at(half[1], half[1]->order, 0);

	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < order_count(half[i]->order); k++)
			list[n++] = child_at(half[i], half[i]->order, k);
	*moved = NULL;
	if (half[0]->leaf || bytes_compare(key_of(half[1], first), low) == 0)
		return n;
	*moved = first;
	list[left] = node_copy(t, *moved, low);
	return list[left] == NULL ? 0 : n;
}

/* Join a node that has become thin with a neighbour of the same parent. False: there was no need, or no memory. */
static bool way_join(struct btree *t, const struct way *w, unsigned depth, uint64_t epoch)
{
	const struct node *parent = w->node[depth - 1];
	unsigned at = w->at[depth - 1], n = 0;
	struct change c = { .at = at, .removed = 2, .n = 1 };
	struct node *half[2], *moved;
	struct bytes low;
	void *list[FAN];

	if (order_count(w->node[depth]->order) > THIN || order_count(parent->order) < 2)
		return false;
	if (at + 1 == order_count(parent->order))
		c.at--;
	for (unsigned i = 0; i < 2; i++)
		half[i] = child_at(parent, parent->order, c.at + i);
	if (order_count(half[0]->order) + order_count(half[1]->order) > JOINED ||
		retire_reserve(t->retire, BTREE_LEVELS_MAX + 3) != 0)
		return false;
	n = join_list(t, half, list, &moved);
	if (n == 0)
		return false;
	low = c.at == at    ? way_low(w, depth)
		: c.at == 0 ? way_low(w, depth - 1)
			    : (struct bytes){ half[0]->low, half[0]->low_len };
	c.add[0] = node_make(t, half[0]->leaf, low, list, n);
	if (c.add[0] == NULL || way_change(t, w, depth - 1, &c, epoch) != 0) {
		node_drop(t, c.add[0]);
		if (moved != NULL)
			node_drop(t, list[order_count(half[0]->order)]);
		return false;
	}
	for (unsigned i = 0; i < 2; i++)
		retire_add(t->retire, epoch, half[i], node_bytes(half[i]));
	if (moved != NULL)
		retire_add(t->retire, epoch, moved, node_bytes(moved));
	return true;
}

static void thin_join(struct btree *t, const struct btree_edge *key, uint64_t epoch)
{
	struct way w;

	way_find(t, key, &w);
	for (unsigned depth = w.depth; depth > 0; depth--)
		if (way_join(t, &w, depth, epoch))
			way_find(t, key, &w);
}

/* A root with one child is a level too much. */
static void root_lower(struct btree *t, uint64_t epoch)
{
	struct node *root = t->root;

	if (root->leaf || order_count(root->order) != 1 || retire_reserve(t->retire, 1) != 0)
		return;
	__atomic_store_n(&t->root, child_at(root, root->order, 0), __ATOMIC_RELEASE);
	retire_add(t->retire, epoch, root, node_bytes(root));
}

/* Take an entry out of the tree; -1: no memory. */
static int entry_take_out(struct btree *t, struct entry *x, uint64_t epoch)
{
	struct btree_edge key = { x->data, x->key_len, true };
	struct change c = { .removed = 1 };
	struct way w;
	const struct node *leaf;

	if (retire_reserve(t->retire, BTREE_LEVELS_MAX + 1) != 0)
		return -1;
	way_find(t, &key, &w);
	leaf = w.node[w.depth];
	c.at = w.at[w.depth] - 1;
	ASSERT(child_at(leaf, leaf->order, c.at) == x);
	if (way_change(t, &w, w.depth, &c, epoch) != 0)
		return -1;
	retire_add(t->retire, epoch, x, entry_bytes(x));
	if (order_count(leaf->order) <= THIN)
		thin_join(t, &key, epoch);
	root_lower(t, epoch);
	return 0;
}

bool btree_step(struct btree *t, uint64_t reclaimable, uint64_t epoch)
{
	for (unsigned n = 0; n < STEP_DEAD && btree_due(t, reclaimable); n++) {
		struct entry *x = t->removed, *next = x->next_removed;

		if (x->until == UINT64_MAX)
			x->noted = 0; /* came again in the epoch in which it went */
		else if (entry_take_out(t, x, epoch) != 0)
			return false;
		t->removed = next;
		if (next == NULL)
			t->removed_end = &t->removed;
	}
	return btree_due(t, reclaimable);
}

const struct row_layout *btree_key_layout(const struct btree *t)
{
	return &t->key_layout;
}

uint64_t btree_entries(const struct btree *t)
{
	return t->entries;
}

/* --- checking --- */

struct check {
	struct bytes last; /* key of the entry before */
	uint64_t live;
};

/* All of a node's keys lie in [low, high); high.p NULL: no end. */
static void node_check(
	const struct node *n, unsigned depth, struct bytes low, struct bytes high, struct check *k)
{
	unsigned count = order_count(n->order), seen = 0;

	ASSERT(depth < BTREE_LEVELS_MAX && (count > 0 || depth == 0) && n->used <= FAN);
	ASSERT(n->skip <= n->low_len);
	for (unsigned i = 0; i < count; i++) {
		unsigned slot = order_slot(n->order, i);
		const void *p = n->slots[slot].p;
		struct bytes key = key_of(n, p), next = high;

		ASSERT(slot < n->used && !(seen >> slot & 1));
		seen |= 1u << slot;
		ASSERT(key.len >= n->skip && memcmp(key.p, n->low, n->skip) == 0);
		ASSERT(n->slots[slot].prefix == prefix_of(key.p + n->skip, key.len - n->skip));
		if (n->leaf) {
			const struct entry *e = p;

			ASSERT(bytes_compare(low, key) <= 0);
			ASSERT(high.p == NULL || bytes_compare(key, high) < 0);
			ASSERT(bytes_compare(k->last, key) < 0 && entry_from(e) <= e->until);
			k->last = key;
			k->live += e->until == UINT64_MAX;
			continue;
		}
		if (i + 1 < count)
			next = key_of(n, child_at(n, n->order, i + 1));
		/* The first child begins where the node does, whatever its own low. */
		node_check(p, depth + 1, i == 0 ? low : key, next, k);
	}
}

void btree_check(const struct btree *t)
{
	struct check k = { { NULL, 0 }, 0 };
	uint64_t noted = 0;

	node_check(t->root, 0, (struct bytes){ NULL, 0 }, (struct bytes){ NULL, 0 }, &k);
	ASSERT(k.live == t->entries);
	for (const struct entry *e = t->removed; e != NULL; e = e->next_removed) {
		ASSERT(e->noted);
		noted++;
	}
	ASSERT((noted == 0) == (t->removed_end == &t->removed));
}
