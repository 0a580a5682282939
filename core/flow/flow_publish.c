/*
 * flow_publish.c: the last node: a batch of deltas of view rows, netted, becomes new versions in the view's table.
 *
 * A view with a lookup key holds one row a key: what remains after netting is a deletion, an insertion or one of
 * each a key, and two rows of one key fail the view. A view without one counts how often a row occurs.
 */
#include <string.h>

#include "core/base/hash.h"
#include "core/base/probe.h"
#include "core/flow/feed.h"
#include "core/flow/flow_internal.h"

static int no_memory(struct flow *f)
{
	return error_set(&f->error, ERR_OUT_OF_MEMORY, 0, NULL);
}

__attribute__((noinline)) void publish_input(
	struct flow *f, struct view_state *v, const void *row, int64_t weight)
{
	const struct part *target = v->target;
	uint64_t hash;

	if (target == NULL) {
		if (multimap_add(v->result, 0, hash_bytes(row, row_size(row), 0), row, weight, 0) !=
			0)
			view_no_memory(f, v);
		return;
	}
	/* Of a view without key it only brings equal rows together. */
	if (target->counted) {
		hash = hash_bytes(row, row_size(row), 0);
	} else {
		hash = part_key_hash(target, row);
		table_prefetch(target->table, hash);
	}
	batch_add(f, v, node_input(plan_publisher(v->plan)), row, NULL, hash, weight);
}

/* The number of a column of the view among the group's keys; -1: it is none. */
static int key_number(const struct group_plan *g, unsigned column)
{
	return g->columns[column] < g->nkeys ? g->columns[column] : -1;
}

/* And no common does it. */
static bool runs_last_group(const struct view_state *v)
{
	for (unsigned i = 0; i < v->nrun; i++)
		if (v->run[i] == v->plan->last_group)
			return true;
	return false;
}

void publish_open(struct view_state *v)
{
	const struct node_plan *last = v->plan->last_group;
	const struct group_plan *g = last == NULL ? NULL : &last->group;
	const struct part *t = v->target;
	bool in_order = true;
	unsigned found = 0;

	v->paired = v->same_hash = false;
	if (t == NULL || g == NULL || !runs_last_group(v) || g->columns == NULL || t->counted ||
		g->edge.kind != EDGE_DIRECT)
		return;
	for (unsigned k = 0; k < g->nkeys; k++)
		for (unsigned i = 0; i < t->nkey; i++)
			if (key_number(g, t->key[i]) == (int)k) {
				in_order &= i == k;
				found++;
				break;
			}
	/* With more columns the key would be no key of the groups, only of their rows. */
	v->paired = found == g->nkeys && t->nkey == g->nkeys;
	v->same_hash = v->paired && in_order;
}

void publish_pair(
	struct flow *f, struct view_state *v, uint64_t hash, const void *old, const void *row)
{
	const struct part *t = v->target;

	if (!v->same_hash)
		hash = part_key_hash(t, row != NULL ? row : old);
	f->emitted += (old != NULL) + (row != NULL);
	table_prefetch(t->table, hash);
	batch_add(f, v, node_input(plan_publisher(v->plan)), row, old, hash, 0);
}

/* --- netting --- */

static bool same_row(const struct delta *a, const struct delta *b)
{
	uint32_t size = row_size(a->row);

	return size == row_size(b->row) && memcmp(a->row, b->row, size) == 0;
}

/* Add a delta to those of its hash in list[from, n); returns the new n. Equal rows become one, and none when
 * their weights cancel out. */
static unsigned net_add(struct delta *list, unsigned from, unsigned n, const struct delta *d)
{
	for (unsigned i = from; i < n; i++) {
		if (!same_row(&list[i], d))
			continue;
		list[i].weight += d->weight;
		if (list[i].weight == 0)
			list[i] = list[--n];
		return n;
	}
	list[n] = *d;
	return n + 1;
}

/* Net a batch: deltas of one hash stand together afterwards, in stage memory. NULL: f->error. */
static struct delta *net(struct flow *f, const struct batch *b, unsigned *out)
{
	uint32_t cap = 4, *heads, *next;
	struct delta *list;
	unsigned n = 0;

	while (cap < 2 * b->n)
		cap *= 2;
	/* Deltas of one hash are linked in order of arrival: heads holds the first of each, plus one. */
	heads = arena_zalloc(&f->rows, cap * sizeof(*heads));
	next = arena_zalloc(&f->rows, 2 * b->n * sizeof(*next));
	list = arena_alloc(&f->rows, b->n * sizeof(*list));
	if (heads == NULL || next == NULL || list == NULL) {
		(void)no_memory(f);
		return NULL;
	}
	for (unsigned i = 0; i < b->n; i++) {
		uint32_t *tail = next + b->n, place = (uint32_t)b->list[i].hash & (cap - 1);

		while (heads[place] != 0 && b->list[heads[place] - 1].hash != b->list[i].hash)
			place = (place + 1) & (cap - 1);
		if (heads[place] == 0) {
			heads[place] = i + 1;
			tail[i] = i;
		} else {
			uint32_t first = heads[place] - 1;

			next[tail[first]] = i;
			tail[first] = i;
			tail[i] = UINT32_MAX; /* not a first one */
		}
	}
	for (unsigned i = 0; i < b->n; i++) {
		unsigned from = n;

		if (next[b->n + i] == UINT32_MAX)
			continue;
		n = net_add(list, from, n, &b->list[i]);
		for (uint32_t k = next[i]; k != 0; k = next[k])
			n = net_add(list, from, n, &b->list[k]);
	}
	*out = n;
	return list;
}

/* --- writing --- */

void publish_watched(struct view_state *v)
{
	v->watched = v->feeds || (v->target != NULL && v->target->feed != NULL);
}

static __attribute__((noinline)) void row_watched(struct flow *f, const struct view_state *v,
	uint64_t hash, uint64_t epoch, const void *old, const void *new)
{
	if (v->feeds)
		flow_push(f, v->plan->view, old, new, NULL);
	if (v->target->feed != NULL)
		feed_add(v->target->feed, hash, epoch, old, new);
}

/* The row new takes the place of old; either may be NULL. For the views over this one, and subscribers. */
static inline void changed(struct flow *f, const struct view_state *v, uint64_t hash,
	uint64_t epoch, const void *old, const void *new)
{
	if (v->watched)
		row_watched(f, v, hash, epoch, old, new);
}

static const void *published(const struct view_state *v, const struct delta *d)
{
	return part_find(v->target, d->hash, &v->plan->view->layout, d->row, v->target->key);
}

/* The stored row of a view without key; NULL: out of memory. */
static const void *counted_row(
	struct flow *f, const struct view_state *v, const struct delta *d, int64_t count)
{
	const struct row_layout *l = &v->target->layout, *vl = &v->plan->view->layout;
	struct value *values = arena_alloc(&f->rows, l->ncols * sizeof(*values));
	void *row = NULL;

	if (values == NULL)
		return NULL;
	for (unsigned i = 0; i < vl->ncols; i++)
		row_get(vl, d->row, i, &values[i]);
	if (v->target->formed)
		values[vl->ncols] = (struct value){ .type = TYPE_INT8, .i = (int64_t)d->hash };
	values[l->ncols - 1] = (struct value){ .type = TYPE_INT8, .i = count };
	row = arena_alloc(&f->rows, row_encoded_size(l, values));
	if (row != NULL)
		row_encode(l, values, row);
	return row;
}

/* A view without key: count how often the row occurs. */
static int publish_counted(
	struct flow *f, struct view_state *v, const struct delta *d, uint64_t epoch)
{
	const struct row_layout *l = &v->target->layout;
	const void *row = counted_row(f, v, d, d->weight), *found, *old = NULL;
	int64_t count = d->weight;
	uint64_t hash;

	if (row == NULL)
		return no_memory(f);
	hash = part_key_hash(v->target, row);
	if (v->feeds)
		flow_push_rows(f, v->plan->view, d->row, d->weight, hash, NULL);
	found = part_find(v->target, hash, l, row, v->target->key);
	if (found != NULL) {
		void *copy = arena_alloc(&f->rows, row_size(found));
		struct value before;

		if (copy == NULL)
			return no_memory(f);
		memcpy(copy, found, row_size(found));
		old = copy;
		row_get(l, old, l->ncols - 1u, &before);
		count += before.i;
	}
	if (count < 0)
		return error_set(&f->error, ERR_INTERNAL, 0,
			"a row of the view would occur %lld times", (long long)count);
	if (count == 0)
		row = NULL;
	else if (old != NULL && (row = counted_row(f, v, d, count)) == NULL)
		return no_memory(f);
	if (row != NULL && part_put(v->target, hash, epoch, old, row) != 0)
		return no_memory(f);
	if (row == NULL && old != NULL && part_delete(v->target, hash, epoch, old) != 0)
		return no_memory(f);
	if (v->target->feed != NULL)
		feed_add(v->target->feed, hash, epoch, old, row);
	return 0;
}

static int publish_delete(
	struct flow *f, struct view_state *v, const struct delta *d, uint64_t epoch)
{
	if (d->weight >= 0 || published(v, d) == NULL)
		return 0;
	if (part_delete(v->target, d->hash, epoch, d->row) != 0)
		return no_memory(f);
	changed(f, v, d->hash, epoch, d->row, NULL);
	return 0;
}

static int publish_insert(
	struct flow *f, struct view_state *v, const struct delta *d, uint64_t epoch)
{
	if (d->weight <= 0)
		return 0;
	if (d->weight > 1 || published(v, d) != NULL)
		return error_set(&f->error, ERR_UNIQUE, 0,
			"more than one row of view \"%s\" has the same lookup key",
			v->plan->view->name);
	if (part_put(v->target, d->hash, epoch, NULL, d->row) != 0)
		return no_memory(f);
	changed(f, v, d->hash, epoch, NULL, d->row);
	return 0;
}

/* The common case: one row takes the place of another with the same key. */
static bool is_replacement(
	const struct view_state *v, const struct delta *old, const struct delta *new)
{
	const struct row_layout *l = &v->plan->view->layout;
	const struct part *t = v->target;

	return old->weight == -1 && new->weight == 1 &&
		row_equal(l, old->row, t->key, l, new->row, t->key, t->nkey);
}

/* --- of a view that is being built: rows of a key that has one already are set aside --- */

/* What was set aside of a hash; NULL: nothing. */
static const struct multimap_entry *excess_entries(const struct view_state *v, uint64_t hash)
{
	struct multimap_place at;

	if (v->build->excess == NULL)
		return NULL;
	multimap_find(v->build->excess, hash, &at);
	return at.first[0];
}

static int64_t excess_of(const struct view_state *v, const struct delta *d)
{
	const struct multimap_entry *e = excess_entries(v, d->hash);
	uint32_t size = row_size(d->row);

	while (e != NULL && (row_size(e->row) != size || memcmp(e->row, d->row, size) != 0))
		e = e->next;
	return e == NULL ? 0 : e->weight;
}

static int excess_add(struct flow *f, struct view_state *v, const struct delta *d, int64_t weight)
{
	static const bool uncounted[2];

	if (weight == 0)
		return 0;
	if (v->build->excess == NULL)
		v->build->excess = multimap_new(f->heap, uncounted);
	if (v->build->excess == NULL ||
		multimap_add(v->build->excess, 0, d->hash, d->row, weight, 0) != 0)
		return no_memory(f);
	return 0;
}

static int built_delete(struct flow *f, struct view_state *v, const struct delta *d, uint64_t epoch)
{
	int64_t aside = excess_of(v, d), n = d->weight < -aside ? -aside : d->weight;

	if (excess_add(f, v, d, n) != 0)
		return -1;
	return n == d->weight ? 0 : publish_delete(f, v, d, epoch);
}

static int built_insert(struct flow *f, struct view_state *v, const struct delta *d, uint64_t epoch)
{
	struct delta one = *d;

	if (published(v, d) != NULL)
		return excess_add(f, v, d, d->weight);
	one.weight = 1;
	return publish_insert(f, v, &one, epoch) != 0 ? -1 : excess_add(f, v, d, d->weight - 1);
}

/* A row that was set aside and whose key has none now, in stage memory. 1, 0: there is none, -1. */
static int excess_first(
	struct flow *f, const struct view_state *v, uint64_t hash, struct delta *out)
{
	const struct multimap_entry *e = excess_entries(v, hash);

	for (; e != NULL; e = e->next) {
		void *row;

		*out = (struct delta){ .row = e->row, .hash = hash, .weight = 1 };
		if (published(v, out) != NULL)
			continue;
		row = arena_alloc(&f->rows, row_size(e->row));
		if (row == NULL)
			return no_memory(f);
		out->row = memcpy(row, e->row, row_size(e->row));
		return 1;
	}
	return 0;
}

static int publish_built(
	struct flow *f, struct view_state *v, const struct delta *d, unsigned n, uint64_t epoch)
{
	struct delta next;
	int status = 0, more;

	for (unsigned i = 0; status == 0 && i < n; i++)
		if (d[i].weight < 0)
			status = built_delete(f, v, &d[i], epoch);
	for (unsigned i = 0; status == 0 && i < n; i++)
		if (d[i].weight > 0)
			status = built_insert(f, v, &d[i], epoch);
	while (status == 0 && (more = excess_first(f, v, d->hash, &next)) != 0)
		if (more < 0 || excess_add(f, v, &next, -1) != 0 ||
			publish_insert(f, v, &next, epoch) != 0)
			status = -1;
	return status;
}

void publish_settle(struct flow *f, struct view_state *v)
{
	if (v->build == NULL || v->build->excess == NULL || multimap_count(v->build->excess) == 0)
		return;
	(void)error_set(&f->error, ERR_UNIQUE, 0,
		"more than one row of view \"%s\" has the same lookup key", v->plan->view->name);
	view_fail(f, v);
}

/* --- batches --- */

/* The deltas of one hash. */
static int publish_keyed(
	struct flow *f, struct view_state *v, const struct delta *d, unsigned n, uint64_t epoch)
{
	int status = 0;

	if (v->build != NULL)
		return publish_built(f, v, d, n, epoch);
	if (n == 2) {
		const struct delta *old = d[0].weight < 0 ? &d[0] : &d[1];
		const struct delta *new = d[0].weight < 0 ? &d[1] : &d[0];

		if (is_replacement(v, old, new)) {
			if (part_put(v->target, new->hash, epoch, old->row, new->row) != 0)
				return no_memory(f);
			changed(f, v, new->hash, epoch, old->row, new->row);
			return 0;
		}
	}
	for (unsigned i = 0; status == 0 && i < n; i++)
		status = publish_delete(f, v, &d[i], epoch);
	for (unsigned i = 0; status == 0 && i < n; i++)
		status = publish_insert(f, v, &d[i], epoch);
	return status;
}

/* Once a batch. */
static void rows_changed(struct flow *f, const struct view_state *v, unsigned n)
{
	PROBE3(view_publish, f->shard, v->plan->view->id, n);
	__atomic_store_n(&f->published, f->published + n, __ATOMIC_RELAXED);
}

/* A batch of a paired view: nothing to be netted, no key occurs twice. */
static int run_pairs(struct flow *f, struct view_state *v, const struct batch *b, uint64_t epoch)
{
	struct part *t = v->target;
	int status = 0;

	for (unsigned i = 0; status == 0 && i < b->n; i++) {
		const struct delta *d = &b->list[i];

		if (i + FETCH_AHEAD < b->n)
			table_prefetch_version(t->table, b->list[i + FETCH_AHEAD].hash);
		status = d->row != NULL ? part_put(t, d->hash, epoch, d->key, d->row)
					: part_delete(t, d->hash, epoch, d->key);
		if (status == 0)
			changed(f, v, d->hash, epoch, d->key, d->row);
	}
	rows_changed(f, v, b->n);
	return status == 0 ? 0 : no_memory(f);
}

static int run_netted(struct flow *f, struct view_state *v, const struct batch *b, uint64_t epoch)
{
	struct delta *list;
	unsigned n, end, rows = 0;
	int status = 0;

	list = net(f, b, &n);
	if (list == NULL)
		return -1;
	for (unsigned i = 0; status == 0 && i < n; i = end, rows++) {
		for (end = i + 1; end < n && list[end].hash == list[i].hash; end++)
			;
		if (i + FETCH_AHEAD < n && !v->target->counted)
			table_prefetch_version(v->target->table, list[i + FETCH_AHEAD].hash);
		if (!v->target->counted)
			status = publish_keyed(f, v, &list[i], end - i, epoch);
		else
			for (unsigned k = i; status == 0 && k < end; k++)
				status = publish_counted(f, v, &list[k], epoch);
	}
	rows_changed(f, v, rows);
	return status;
}

void publish_run(struct flow *f, struct view_state *v, uint64_t epoch)
{
	struct batch *b = &v->inputs[node_input(plan_publisher(v->plan))];
	int status;

	if (b->n == 0)
		return;
	status = v->paired ? run_pairs(f, v, b, epoch) : run_netted(f, v, b, epoch);
	if (status != 0)
		view_fail(f, v);
	else
		b->n = 0;
}
