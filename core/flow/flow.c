/*
 * flow.c: running the views of one shard.
 *
 * Deltas are pushed one after the other through the nodes of the stage: a scan filters and projects, a join
 * looks up the other side and remembers its own (so ΔL⋈R' + L⋈ΔR comes about by order), a group changes its
 * state and marks itself dirty. At the end of the stage dirty groups give their new output row in place of
 * the last one, and the publisher nets what came by key and writes it.
 *
 * An error fails the view (flow.h): it is stopped and its state freed, the rest goes on. But within a stage
 * rows come and go that were never there together (ΔL meets R before ΔR has come; a row between two
 * statements of one command). So a row whose expressions fail is dropped with its weight counted, and
 * only what is left of these weights at the end of the stage fails the view: before, there was none.
 *
 * Budget per delta of a join: its own arrangement 2 misses, the other side's 1 and 1 a match; of a group: 2
 * misses, nothing else until the stage ends, once a group and batch.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/hash.h"
#include "core/flow/flow_internal.h"
#include "core/store/hashdir.h"
#include "core/store/multimap.h"

struct row_change {
	const void *row;
	uint64_t hash;
	int64_t weight;
};

struct changes {
	struct row_change *list;
	unsigned n, cap;
};

struct aggregate_state {
	struct sum_state sum;   /* sum, avg; its count also counts count(x) */
	struct ordered ordered; /* min, max */
	int64_t count;
};

struct group {
	struct group *next_dirty;
	bool dirty;
	uint64_t hash;
	int64_t weight; /* rows in the group */
	void *output;   /* the row published last, in output_cap bytes; NULL: none yet */
	uint32_t output_cap;
	bool published; /* output holds a row that is in the view */
	struct aggregate_state states[];
	/* then the key row */
};

struct view_state {
	struct view_state *next;
	const struct view_plan *plan;
	struct part *target;
	bool stopped;
	struct multimap **sides; /* 2 a join */
	struct hashdir groups;
	struct group *dirty;
	struct changes out; /* rows for the publisher, in this stage */
	int64_t errors;     /* weight of rows dropped in this stage because of an error */
	struct error error; /* one of them */
};

/* A delta that waits for its stage to run. */
struct queued {
	struct view_state *view;
	const struct relation *table; /* stage 0: a table's row; NULL: an edge's */
	uint32_t input;
	unsigned stage;
	const void *row;
	int64_t weight;
};

struct flow {
	struct heap *heap;
	unsigned shard, shards;
	struct flow_io io;
	struct view_state *views;
	struct queued *queue;
	unsigned nqueue, queue_cap;
	struct arena rows;    /* rows made in a stage */
	struct arena scratch; /* of programs */
	struct error error;
};

struct flow *flow_new(struct heap *h, unsigned shard, unsigned shards, const struct flow_io *io)
{
	struct flow *f = heap_zalloc(h, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->heap = h;
	f->shard = shard;
	f->shards = shards;
	f->io = *io;
	arena_init(&f->rows, NULL);
	arena_init(&f->scratch, NULL);
	return f;
}

/* --- state --- */

static void *group_key(const struct view_state *v, struct group *g)
{
	return &g->states[v->plan->group->naggregates];
}

static size_t group_bytes(const struct view_plan *p, const void *key)
{
	return sizeof(struct group) + p->group->naggregates * sizeof(struct aggregate_state) +
		row_size(key);
}

static void group_free(struct flow *f, const struct view_state *v, struct group *g)
{
	const struct group_plan *plan = v->plan->group;

	for (unsigned i = 0; i < plan->naggregates; i++) {
		sum_free(&g->states[i].sum, f->heap);
		ordered_free(&g->states[i].ordered, f->heap);
	}
	if (g->output != NULL)
		heap_free(f->heap, g->output, g->output_cap);
	heap_free(f->heap, g, group_bytes(v->plan, group_key(v, g)));
}

static uint64_t group_hash(const void *arg, const void *object)
{
	(void)arg;
	return ((const struct group *)object)->hash;
}

struct owner {
	struct flow *flow;
	const struct view_state *view;
};

static void group_drop(void *arg, void *object)
{
	const struct owner *o = arg;

	group_free(o->flow, o->view, object);
}

static void state_free(struct flow *f, struct view_state *v)
{
	struct owner owner = { f, v };

	hashdir_free(&v->groups, group_drop, &owner);
	for (unsigned i = 0; v->sides != NULL && i < 2 * v->plan->njoins; i++)
		multimap_free(v->sides[i]);
	heap_free(f->heap, v->sides, (2 * v->plan->njoins + 1) * sizeof(struct multimap *));
	heap_free(f->heap, v->out.list, v->out.cap * sizeof(*v->out.list));
	v->sides = NULL;
	v->dirty = NULL;
	memset(&v->out, 0, sizeof(v->out));
}

void flow_free(struct flow *f)
{
	while (f->views != NULL) {
		struct view_state *v = f->views;

		f->views = v->next;
		state_free(f, v);
		heap_free(f->heap, v, sizeof(*v));
	}
	heap_free(f->heap, f->queue, f->queue_cap * sizeof(*f->queue));
	arena_free(&f->rows);
	arena_free(&f->scratch);
	heap_free(f->heap, f, sizeof(*f));
}

static void view_fail(struct flow *f, struct view_state *v)
{
	if (v->stopped)
		return;
	v->stopped = true;
	state_free(f, v);
	f->io.fail(f->io.arg, v->plan->view, &f->error);
}

static void view_no_memory(struct flow *f, struct view_state *v)
{
	error_set(&f->error, ERR_OUT_OF_MEMORY, 0, NULL);
	view_fail(f, v);
}

/* A row of this weight could not be computed: f->error says why. */
static void view_error(struct flow *f, struct view_state *v, int64_t weight)
{
	arena_reset(&f->scratch);
	if (f->error.code == ERR_OUT_OF_MEMORY) {
		view_fail(f, v);
		return;
	}
	if (weight > 0)
		v->error = f->error;
	v->errors += weight;
}

/* At the end of a stage: errors that are there to stay. */
static void view_settle_errors(struct flow *f, struct view_state *v)
{
	if (v->errors == 0)
		return;
	f->error = v->error;
	view_fail(f, v);
}

static struct view_state **view_find(struct flow *f, const struct relation *view)
{
	struct view_state **link = &f->views;

	while (*link != NULL && (*link)->plan->view != view)
		link = &(*link)->next;
	return link;
}

void flow_drop_view(struct flow *f, const struct relation *view)
{
	struct view_state **link = view_find(f, view), *v = *link;

	if (v == NULL)
		return;
	*link = v->next;
	state_free(f, v);
	heap_free(f->heap, v, sizeof(*v));
}

void flow_stop_view(struct flow *f, const struct relation *view)
{
	struct view_state *v = *view_find(f, view);

	if (v != NULL && !v->stopped) {
		v->stopped = true;
		state_free(f, v);
	}
}

/* --- deltas on their way --- */

static int evaluate(struct flow *f, const struct program *p, const void *row0, const void *row1,
	struct value *out)
{
	const void *rows[EXPR_SOURCES] = { row0, row1 };
	struct program_env env = { &f->scratch, &f->error, 0, 0 };

	return program_run(p, rows, out, &env);
}

static int test(struct flow *f, const struct program *p, const void *row0, const void *row1)
{
	const void *rows[EXPR_SOURCES] = { row0, row1 };
	struct program_env env = { &f->scratch, &f->error, 0, 0 };

	return p == NULL ? 1 : program_test(p, rows, &env);
}

enum { VALUES_STACK = 64 };

/* Run a projection into a packed row in the stage's memory; NULL: f->error says why. */
static const void *project(struct flow *f, const struct program *p, const struct row_layout *l,
	const void *row0, const void *row1)
{
	struct value stack[VALUES_STACK], *values = stack;
	void *row;

	if (l->ncols > VALUES_STACK)
		values = arena_alloc(&f->rows, l->ncols * sizeof(*values));
	if (values == NULL) {
		error_set(&f->error, ERR_OUT_OF_MEMORY, 0, NULL);
		return NULL;
	}
	if (evaluate(f, p, row0, row1, values) != 0)
		return NULL;
	row = arena_alloc(&f->rows, row_encoded_size(l, values));
	if (row == NULL)
		error_set(&f->error, ERR_OUT_OF_MEMORY, 0, NULL);
	else
		row_encode(l, values, row);
	arena_reset(&f->scratch);
	return row;
}

static void input(
	struct flow *f, struct view_state *v, uint32_t to, const void *row, int64_t weight);

static void edge_follow(
	struct flow *f, struct view_state *v, const struct edge *e, const void *row, int64_t weight)
{
	unsigned to = f->shard;

	switch (e->kind) {
	case EDGE_DIRECT: input(f, v, e->input, row, weight); return;
	case EDGE_HASH: {
		struct value value;

		if (evaluate(f, e->route, row, NULL, &value) != 0) {
			view_error(f, v, weight);
			return;
		}
		to = shard_of(value_hash(&value), f->shards);
		arena_reset(&f->scratch);
		break;
	}
	case EDGE_ZERO: to = 0; break;
	case EDGE_OWN: break;
	}
	if (f->io.send(f->io.arg, to, e->stage, v->plan->view->id, e->input, row, weight) != 0)
		view_no_memory(f, v);
}

/* --- scan --- */

static void scan_input(struct flow *f, struct view_state *v, const struct relation *table,
	const void *row, int64_t weight)
{
	const struct view_plan *p = v->plan;

	/* A table joined to itself: each of its scans in turn. */
	for (unsigned i = 0; i < p->nscans && !v->stopped; i++) {
		const struct scan_plan *scan = &p->scans[i];
		const void *out;
		int pass;

		if (scan->relation != table)
			continue;
		pass = test(f, scan->filter, row, NULL);
		arena_reset(&f->scratch);
		if (pass < 0)
			view_error(f, v, weight);
		if (pass <= 0)
			continue;
		out = project(f, scan->projection, &scan->layout, row, NULL);
		if (out != NULL)
			edge_follow(f, v, &scan->edge, out, weight);
		else
			view_error(f, v, weight);
	}
}

/* --- join --- */

enum { KEYS_STACK = 16 };

/* Evaluate the keys of a side. 1; 0: one is NULL; -1: f->error. */
static int join_keys(
	struct flow *f, const struct join_side *side, const void *row, struct value *keys)
{
	if (evaluate(f, side->keys, row, NULL, keys) != 0)
		return -1;
	for (unsigned i = 0; i < side->nkeys; i++)
		if (value_is_null(&keys[i]))
			return 0;
	return 1;
}

static bool keys_equal(const struct value *a, const struct value *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct value x = a[i];

		/* Integers of different width are the same numbers. */
		x.type = b[i].type;
		if (value_compare(&x, &b[i]) != 0)
			return false;
	}
	return true;
}

static void join_match(struct flow *f, struct view_state *v, const struct join_plan *j,
	const void *left, const void *right, int64_t weight)
{
	const void *row;
	int pass = test(f, j->residual, left, right);

	arena_reset(&f->scratch);
	if (pass < 0)
		view_error(f, v, weight);
	if (pass <= 0)
		return;
	row = project(f, j->projection, &j->layout, left, right);
	if (row != NULL)
		edge_follow(f, v, &j->edge, row, weight);
	else
		view_error(f, v, weight);
}

static void join_input(
	struct flow *f, struct view_state *v, uint32_t to, const void *row, int64_t weight)
{
	const struct join_plan *j = &v->plan->joins[to / 2];
	const struct join_side *own = &j->side[to % 2], *other = &j->side[1 - to % 2];
	struct value keys[KEYS_STACK], others[KEYS_STACK];
	const struct multimap_entry *e;
	uint64_t hash;
	int keyed;

	keyed = join_keys(f, own, row, keys);
	if (keyed < 0)
		view_error(f, v, weight);
	if (keyed <= 0) {
		arena_reset(&f->scratch);
		return;
	}
	hash = values_hash(keys, own->nkeys);
	for (e = multimap_first(v->sides[to ^ 1], hash); e != NULL; e = e->next) {
		/* The own keys' bytes may be in scratch: evaluate the other's after them, then drop both. The
		 * other row has its keys: it has come through here. */
		if (join_keys(f, other, e->row, others) <= 0) {
			view_fail(f, v);
			return;
		}
		if (!keys_equal(keys, others, own->nkeys))
			continue;
		join_match(f, v, j, to % 2 == 0 ? row : e->row, to % 2 == 0 ? e->row : row,
			weight * e->weight);
		if (v->stopped)
			return;
		/* join_match() has reset scratch. */
		if (join_keys(f, own, row, keys) <= 0) {
			view_fail(f, v);
			return;
		}
	}
	arena_reset(&f->scratch);
	if (multimap_add(v->sides[to], hash, row, weight) != 0)
		view_no_memory(f, v);
}

/* --- group --- */

static struct group *group_find(
	const struct view_state *v, uint64_t hash, const void *key, struct hashdir_probe *p)
{
	const struct group_plan *plan = v->plan->group;
	struct group *g;

	*p = hashdir_probe(&v->groups, hash);
	while ((g = hashdir_next(p)) != NULL &&
		(g->hash != hash ||
			!row_equal(&plan->key_layout, group_key(v, g), plan->sequence,
				&plan->key_layout, key, plan->sequence, plan->nkeys)))
		;
	return g;
}

static struct group *group_new(struct flow *f, struct view_state *v, uint64_t hash, const void *key)
{
	struct group *g = heap_zalloc(f->heap, group_bytes(v->plan, key));

	if (g == NULL)
		return NULL;
	g->hash = hash;
	memcpy(group_key(v, g), key, row_size(key));
	if (hashdir_insert(&v->groups, hash, 0, g) != 0) {
		heap_free(f->heap, g, group_bytes(v->plan, key));
		return NULL;
	}
	return g;
}

static void group_dirty(struct view_state *v, struct group *g)
{
	if (g->dirty)
		return;
	g->dirty = true;
	g->next_dirty = v->dirty;
	v->dirty = g;
}

static int aggregate_add(struct flow *f, const struct aggregate *a, struct aggregate_state *s,
	const struct value *v, int64_t weight)
{
	if (value_is_null(v))
		return 0;
	switch (a->kind) {
	case AGG_COUNT_STAR:
	case AGG_COUNT: s->count += weight; return 0;
	case AGG_SUM:
	case AGG_AVG: return sum_add(&s->sum, v, weight, f->heap, &f->error);
	default:
		if (ordered_add(&s->ordered, v, weight, f->heap) != 0)
			return error_set(&f->error, ERR_OUT_OF_MEMORY, 0, NULL);
		return 0;
	}
}

/* The group of a row, made when it is the first; NULL: f->error. */
static struct group *group_of(struct flow *f, struct view_state *v, const void *row)
{
	const struct group_plan *plan = v->plan->group;
	uint64_t none[2] = { 16, 0 };
	const void *key = none;
	uint64_t hash;
	struct hashdir_probe p;
	struct group *g;

	if (plan->nkeys > 0) {
		key = project(f, plan->keys, &plan->key_layout, row, NULL);
		if (key == NULL)
			return NULL;
	} else {
		row_encode(&plan->key_layout, NULL, none);
	}
	hash = row_hash(&plan->key_layout, key, plan->sequence, plan->nkeys);
	g = group_find(v, hash, key, &p);
	if (g == NULL)
		g = group_new(f, v, hash, key);
	if (g == NULL)
		error_set(&f->error, ERR_OUT_OF_MEMORY, 0, NULL);
	return g;
}

static void group_input(struct flow *f, struct view_state *v, const void *row, int64_t weight)
{
	const struct group_plan *plan = v->plan->group;
	struct value *values = arena_alloc(&f->rows, (2 * plan->naggregates + 1) * sizeof(*values));
	struct group *g;

	if (values == NULL) {
		view_no_memory(f, v);
		return;
	}
	g = group_of(f, v, row);
	if (g == NULL) {
		view_error(f, v, weight);
		return;
	}
	/* Also when the row is dropped: a new group that stays empty goes at the end of the stage. */
	group_dirty(v, g);
	if (evaluate(f, plan->values, row, NULL, values) != 0) {
		view_error(f, v, weight);
		return;
	}
	for (unsigned i = 0; i < plan->naggregates; i++) {
		const struct value *filter = &values[2 * i + 1];

		if (value_is_null(filter) || filter->i == 0)
			continue;
		if (aggregate_add(f, &plan->aggregates[i], &g->states[i], &values[2 * i], weight) !=
			0) {
			view_fail(f, v);
			return;
		}
	}
	arena_reset(&f->scratch);
	g->weight += weight;
}

static int aggregate_result(struct flow *f, const struct aggregate *a,
	const struct aggregate_state *s, struct value *out)
{
	memset(out, 0, sizeof(*out));
	out->type = a->type.id;
	switch (a->kind) {
	case AGG_COUNT_STAR:
	case AGG_COUNT: out->i = s->count; return 0;
	case AGG_SUM: return sum_result(&s->sum, (enum type_id)a->arg->type.id, out, &f->error);
	case AGG_AVG: return avg_result(&s->sum, (enum type_id)a->arg->type.id, out, &f->error);
	case AGG_MIN:
		if (!ordered_min(&s->ordered, out))
			out->flags = VALUE_NULL;
		break;
	case AGG_MAX:
		if (!ordered_max(&s->ordered, out))
			out->flags = VALUE_NULL;
		break;
	}
	out->type = a->type.id;
	return 0;
}

/* The group's output row now: NULL when it has none; *failed when the view has. */
static const void *group_output(struct flow *f, struct view_state *v, struct group *g, bool *failed)
{
	const struct group_plan *plan = v->plan->group;
	unsigned n = plan->row.ncols;
	struct value *values;
	void *row;
	int pass;

	*failed = false;
	if (g->weight == 0 && plan->nkeys > 0)
		return NULL;
	*failed = true;
	values = arena_alloc(&f->rows, (n + 1) * sizeof(*values));
	if (values == NULL) {
		view_no_memory(f, v);
		return NULL;
	}
	for (unsigned i = 0; i < plan->nkeys; i++)
		row_get(&plan->key_layout, group_key(v, g), i, &values[i]);
	for (unsigned i = 0; i < plan->naggregates; i++)
		if (aggregate_result(f, &plan->aggregates[i], &g->states[i],
			    &values[plan->nkeys + i]) != 0) {
			view_fail(f, v);
			return NULL;
		}
	row = arena_alloc(&f->rows, row_encoded_size(&plan->row, values));
	if (row == NULL) {
		view_no_memory(f, v);
		return NULL;
	}
	row_encode(&plan->row, values, row);
	pass = test(f, plan->having, row, NULL);
	if (pass < 0) {
		view_fail(f, v);
		return NULL;
	}
	*failed = false;
	if (pass == 0)
		return NULL;
	row = (void *)(uintptr_t)project(f, plan->outputs, &v->plan->view->layout, row, NULL);
	if (row == NULL) {
		view_fail(f, v);
		*failed = true;
	}
	return row;
}

/* Keep `row` as the group's output. 0, or -1 out of memory. */
static int output_keep(struct flow *f, struct group *g, const void *row)
{
	uint32_t size = row_size(row);

	if (size > g->output_cap) {
		void *grown = heap_realloc(f->heap, g->output, g->output_cap, size);

		if (grown == NULL)
			return -1;
		g->output = grown;
		g->output_cap = size;
	}
	memcpy(g->output, row, size);
	return 0;
}

static void group_emit(struct flow *f, struct view_state *v, struct group *g)
{
	const struct group_plan *plan = v->plan->group;
	bool failed;
	const void *row = group_output(f, v, g, &failed), *old = NULL;

	if (failed)
		return;
	if (g->published) {
		void *copy;

		if (row != NULL && row_size(g->output) == row_size(row) &&
			memcmp(g->output, row, row_size(row)) == 0)
			return;
		/* The publisher reads it at the end of the stage. */
		copy = arena_alloc(&f->rows, row_size(g->output));
		if (copy == NULL) {
			view_no_memory(f, v);
			return;
		}
		memcpy(copy, g->output, row_size(g->output));
		old = copy;
	}
	if (row != NULL && output_keep(f, g, row) != 0) {
		view_no_memory(f, v);
		return;
	}
	g->published = row != NULL;
	if (old != NULL)
		edge_follow(f, v, &plan->edge, old, -1);
	if (row != NULL && !v->stopped)
		edge_follow(f, v, &plan->edge, row, 1);
}

static void group_end(struct flow *f, struct view_state *v, struct group *g)
{
	struct hashdir_probe p;

	if (group_find(v, g->hash, group_key(v, g), &p) == g)
		hashdir_remove(&p);
	group_free(f, v, g);
}

static void groups_emit(struct flow *f, struct view_state *v)
{
	while (!v->stopped && v->dirty != NULL) {
		struct group *g = v->dirty;

		v->dirty = g->next_dirty;
		g->dirty = false;
		group_emit(f, v, g);
		if (v->stopped)
			return;
		if (g->weight == 0 && v->plan->group->nkeys > 0)
			group_end(f, v, g);
	}
}

/* --- publish --- */

static void publish_input(struct flow *f, struct view_state *v, const void *row, int64_t weight)
{
	struct changes *c = &v->out;
	uint64_t hash;

	if (c->n == c->cap) {
		unsigned cap = c->cap == 0 ? 64 : 2 * c->cap;
		struct row_change *grown = heap_realloc(
			f->heap, c->list, c->cap * sizeof(*grown), cap * sizeof(*grown));

		if (grown == NULL) {
			view_no_memory(f, v);
			return;
		}
		c->list = grown;
		c->cap = cap;
	}
	/* Of a view without key it only brings equal rows together. */
	hash = v->target->counted
		? hash_bytes(row, row_size(row), 0)
		: row_hash(&v->plan->view->layout, row, v->target->key, v->target->nkey);
	c->list[c->n++] = (struct row_change){ row, hash, weight };
}

/* By key, equal rows together, deletions first. */
static int change_order(const void *x, const void *y)
{
	const struct row_change *a = x, *b = y;
	uint32_t na, nb;
	int c;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	na = row_size(a->row);
	nb = row_size(b->row);
	if (na != nb)
		return na < nb ? -1 : 1;
	c = memcmp(a->row, b->row, na);
	return c;
}

/* Net equal rows. */
static void changes_net(struct changes *c)
{
	unsigned n = 0;

	if (c->n == 0)
		return;
	if (c->n > 1)
		qsort(c->list, c->n, sizeof(*c->list), change_order);
	for (unsigned i = 0; i < c->n;) {
		struct row_change sum = c->list[i];
		unsigned k = i + 1;

		for (; k < c->n && change_order(&sum, &c->list[k]) == 0; k++)
			sum.weight += c->list[k].weight;
		if (sum.weight != 0)
			c->list[n++] = sum;
		i = k;
	}
	c->n = n;
}

static const void *published(const struct view_state *v, const struct row_change *c)
{
	return part_find(v->target, c->hash, &v->plan->view->layout, c->row, v->target->key);
}

/* The stored row of a view without key; NULL: out of memory. */
static const void *counted_row(
	struct flow *f, struct view_state *v, const struct row_change *c, int64_t count)
{
	const struct row_layout *l = &v->target->layout, *vl = &v->plan->view->layout;
	struct value *values = arena_alloc(&f->rows, l->ncols * sizeof(*values));
	void *row = NULL;

	if (values == NULL)
		return NULL;
	for (unsigned i = 0; i < vl->ncols; i++)
		row_get(vl, c->row, i, &values[i]);
	if (v->target->formed)
		values[vl->ncols] = (struct value){ .type = TYPE_INT8, .i = (int64_t)c->hash };
	values[l->ncols - 1] = (struct value){ .type = TYPE_INT8, .i = count };
	row = arena_alloc(&f->rows, row_encoded_size(l, values));
	if (row != NULL)
		row_encode(l, values, row);
	return row;
}

/* A view without key: count how often the row occurs. */
static int publish_counted(
	struct flow *f, struct view_state *v, const struct row_change *c, uint64_t epoch)
{
	const struct row_layout *l = &v->target->layout;
	const void *row = counted_row(f, v, c, c->weight), *found, *old = NULL;
	int64_t count = c->weight;
	uint64_t hash;

	if (row == NULL)
		return error_set(&f->error, ERR_OUT_OF_MEMORY, 0, NULL);
	hash = part_key_hash(v->target, row);
	found = part_find(v->target, hash, l, row, v->target->key);
	if (found != NULL) {
		void *copy = arena_alloc(&f->rows, row_size(found));
		struct value before;

		if (copy == NULL)
			return error_set(&f->error, ERR_OUT_OF_MEMORY, 0, NULL);
		memcpy(copy, found, row_size(found));
		old = copy;
		row_get(l, old, l->ncols - 1u, &before);
		count += before.i;
	}
	if (count < 0)
		return error_set(&f->error, ERR_INTERNAL, 0,
			"a row of the view would occur %lld times", (long long)count);
	if (count == 0)
		return old == NULL ? 0 : part_delete(v->target, hash, epoch, old);
	if (old != NULL)
		row = counted_row(f, v, c, count);
	if (row == NULL)
		return error_set(&f->error, ERR_OUT_OF_MEMORY, 0, NULL);
	return part_put(v->target, hash, epoch, old, row);
}

static int publish_delete(
	struct flow *f, struct view_state *v, const struct row_change *c, uint64_t epoch)
{
	(void)f;
	if (c->weight >= 0 || published(v, c) == NULL)
		return 0;
	return part_delete(v->target, c->hash, epoch, c->row);
}

static int publish_insert(
	struct flow *f, struct view_state *v, const struct row_change *c, uint64_t epoch)
{
	if (c->weight <= 0)
		return 0;
	if (c->weight > 1 || published(v, c) != NULL) {
		error_set(&f->error, ERR_UNIQUE, 0,
			"more than one row of view \"%s\" has the same lookup key",
			v->plan->view->name);
		return -1;
	}
	return part_put(v->target, c->hash, epoch, NULL, c->row);
}

/* The common case: a row takes the place of another with the same key. */
static bool is_replacement(
	const struct view_state *v, const struct row_change *a, const struct row_change *b)
{
	const struct row_layout *l = &v->plan->view->layout;

	return a->hash == b->hash && a->weight == -1 && b->weight == 1 &&
		row_equal(l, a->row, v->target->key, l, b->row, v->target->key, v->target->nkey);
}

static int publish_keyed(struct flow *f, struct view_state *v, uint64_t epoch)
{
	const struct changes *c = &v->out;

	for (unsigned i = 0; i < c->n;) {
		unsigned end = i + 1;

		while (end < c->n && c->list[end].hash == c->list[i].hash)
			end++;
		if (end - i == 2) {
			const struct row_change *a = &c->list[i], *b = &c->list[i + 1];

			if (a->weight > 0) {
				a = b;
				b = &c->list[i];
			}
			if (is_replacement(v, a, b)) {
				if (part_put(v->target, b->hash, epoch, a->row, b->row) != 0)
					return error_set(&f->error, ERR_OUT_OF_MEMORY, 0, NULL);
				i = end;
				continue;
			}
		}
		for (unsigned k = i; k < end; k++)
			if (publish_delete(f, v, &c->list[k], epoch) != 0)
				return error_set(&f->error, ERR_OUT_OF_MEMORY, 0, NULL);
		for (unsigned k = i; k < end; k++) {
			f->error.code = ERR_OK;
			if (publish_insert(f, v, &c->list[k], epoch) != 0)
				return f->error.code != ERR_OK
					? -1
					: error_set(&f->error, ERR_OUT_OF_MEMORY, 0, NULL);
		}
		i = end;
	}
	return 0;
}

static void publish(struct flow *f, struct view_state *v, uint64_t epoch)
{
	int status = 0;

	changes_net(&v->out);
	if (v->target->counted) {
		for (unsigned i = 0; status == 0 && i < v->out.n; i++) {
			f->error.code = ERR_OK;
			status = publish_counted(f, v, &v->out.list[i], epoch);
			if (status != 0 && f->error.code == ERR_OK)
				error_set(&f->error, ERR_OUT_OF_MEMORY, 0, NULL);
		}
	} else {
		status = publish_keyed(f, v, epoch);
	}
	v->out.n = 0;
	if (status != 0)
		view_fail(f, v);
}

/* --- in and out --- */

static void input(
	struct flow *f, struct view_state *v, uint32_t to, const void *row, int64_t weight)
{
	const struct view_plan *p = v->plan;

	if (v->stopped)
		return;
	if (to < 2 * p->njoins) {
		join_input(f, v, to, row, weight);
	} else if (to == plan_input_publish(p)) {
		publish_input(f, v, row, weight);
	} else if (p->group != NULL) {
		group_input(f, v, row, weight);
	} else {
		const void *out = project(f, p->outputs, &p->view->layout, row, NULL);

		if (out != NULL)
			edge_follow(f, v, &p->publish, out, weight);
		else
			view_error(f, v, weight);
	}
}

static int state_new(struct flow *f, struct view_state *v)
{
	const struct view_plan *p = v->plan;

	v->sides = heap_zalloc(f->heap, (2 * p->njoins + 1) * sizeof(struct multimap *));
	if (v->sides == NULL)
		return -1;
	for (unsigned i = 0; i < 2 * p->njoins; i++) {
		v->sides[i] = multimap_new(f->heap);
		if (v->sides[i] == NULL)
			return -1;
	}
	if (p->group == NULL)
		return 0;
	if (hashdir_init(&v->groups, f->heap, NULL, group_hash, NULL) != 0)
		return -1;
	/* Without GROUP BY there is always one row, also over nothing. */
	if (p->group->nkeys == 0 && f->shard == 0) {
		struct group *g;
		uint64_t none[2] = { 0 };

		row_encode(&p->group->key_layout, NULL, none);
		g = group_new(
			f, v, row_hash(&p->group->key_layout, none, p->group->sequence, 0), none);
		if (g == NULL)
			return -1;
		group_dirty(v, g);
	}
	return 0;
}

int flow_add_view(struct flow *f, const struct view_plan *p, struct part *target, struct error *e)
{
	struct view_state *v = heap_zalloc(f->heap, sizeof(*v));

	if (v == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	v->plan = p;
	v->target = target;
	if (state_new(f, v) != 0) {
		state_free(f, v);
		heap_free(f->heap, v, sizeof(*v));
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	}
	v->next = f->views;
	f->views = v;
	return 0;
}

static void enqueue(struct flow *f, struct queued q)
{
	if (f->nqueue == f->queue_cap) {
		unsigned cap = f->queue_cap == 0 ? 256 : 2 * f->queue_cap;
		struct queued *grown = heap_realloc(
			f->heap, f->queue, f->queue_cap * sizeof(*grown), cap * sizeof(*grown));

		if (grown == NULL) {
			view_no_memory(f, q.view);
			return;
		}
		f->queue = grown;
		f->queue_cap = cap;
	}
	f->queue[f->nqueue++] = q;
}

static bool reads(const struct view_plan *p, const struct relation *table)
{
	for (unsigned i = 0; i < p->nscans; i++)
		if (p->scans[i].relation == table)
			return true;
	return false;
}

void flow_push(struct flow *f, const struct relation *table, const void *old_row,
	const void *new_row, const struct relation *only)
{
	for (struct view_state *v = f->views; v != NULL; v = v->next) {
		if (v->stopped || (only != NULL && v->plan->view != only) || !reads(v->plan, table))
			continue;
		if (old_row != NULL)
			enqueue(f, (struct queued){ v, table, 0, 0, old_row, -1 });
		if (new_row != NULL)
			enqueue(f, (struct queued){ v, table, 0, 0, new_row, 1 });
	}
}

void flow_receive(struct flow *f, uint32_t view_id, uint32_t edge, unsigned stage, const void *row,
	int64_t weight)
{
	for (struct view_state *v = f->views; v != NULL; v = v->next)
		if (v->plan->view->id == view_id && !v->stopped)
			enqueue(f, (struct queued){ v, NULL, edge, stage, row, weight });
}

void flow_run(struct flow *f, unsigned stage, uint64_t epoch)
{
	unsigned left = 0;

	for (unsigned i = 0; i < f->nqueue; i++) {
		const struct queued q = f->queue[i];

		if (q.stage != stage)
			f->queue[left++] = q;
		else if (q.table != NULL)
			scan_input(f, q.view, q.table, q.row, q.weight);
		else
			input(f, q.view, q.input, q.row, q.weight);
	}
	f->nqueue = left;
	for (struct view_state *v = f->views; v != NULL; v = v->next)
		view_settle_errors(f, v);
	for (struct view_state *v = f->views; v != NULL; v = v->next)
		if (!v->stopped && v->plan->group != NULL && v->plan->group->stage == stage)
			groups_emit(f, v);
	for (struct view_state *v = f->views; v != NULL; v = v->next)
		if (!v->stopped && v->plan->publish_stage == stage && v->out.n > 0)
			publish(f, v, epoch);
	arena_reset(&f->rows);
	arena_reset(&f->scratch);
}
