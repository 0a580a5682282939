/*
 * flow_group.c: GROUP BY and aggregates. Deltas change the state of their group; at the end of the stage each
 * group that has changed gives its new output row in place of the one it gave last.
 */
#include <string.h>

#include "core/flow/aggregate.h"
#include "core/flow/flow_internal.h"

/* One allocation a group, so that a delta touches neighbouring lines. */
struct group {
	struct group *next_dirty;
	uint64_t hash;
	int64_t weight; /* rows in the group */
	void *output;   /* the row given last, in output_cap bytes */
	uint32_t output_cap;
	bool dirty;
	bool published; /* output holds a row that is in the view */
	uint64_t data[];
	/* the aggregates' states, where the plan puts them; the key row; room for the output */
};

/* --- making and freeing --- */

static void *group_state(const struct group_plan *plan, struct group *g, unsigned i)
{
	return (char *)g->data + plan->inputs[i].state;
}

static void *group_key(const struct group_plan *plan, struct group *g)
{
	return (char *)g->data + plan->states_bytes;
}

static size_t group_bytes(const struct group_plan *plan, const void *key)
{
	return sizeof(struct group) + plan->states_bytes + row_size(key) + plan->output_bytes;
}

static void *group_room(const struct group_plan *plan, struct group *g)
{
	char *key = group_key(plan, g);

	return key + row_size(key);
}

static void group_free(struct flow *f, const struct group_plan *plan, struct group *g)
{
	for (unsigned i = 0; i < plan->naggregates; i++)
		aggregate_free(&plan->aggregates[i], group_state(plan, g, i), f->heap);
	if (g->output != group_room(plan, g))
		heap_free(f->heap, g->output, g->output_cap);
	heap_free(f->heap, g, group_bytes(plan, group_key(plan, g)));
}

static uint64_t group_hash(const void *arg, const void *object)
{
	(void)arg;
	return ((const struct group *)object)->hash;
}

struct owner {
	struct flow *flow;
	const struct group_plan *plan;
};

static bool group_drop(void *arg, void *object, size_t *left)
{
	const struct owner *o = arg;
	struct group *g = object;

	for (unsigned i = 0; i < o->plan->naggregates; i++)
		if (!aggregate_empty_some(&o->plan->aggregates[i], group_state(o->plan, g, i),
			    o->flow->heap, left))
			return false;
	heap_count_freed(group_bytes(o->plan, group_key(o->plan, g)), left);
	group_free(o->flow, o->plan, g);
	return true;
}

bool groups_free_some(struct flow *f, struct view_state *v, const struct node_plan *n, size_t *left)
{
	struct owner owner = { f, &n->group };

	v->nodes[n->number].dirty = NULL;
	return hashdir_free_some(&v->nodes[n->number].groups, group_drop, &owner, left);
}

static bool is_group(const struct group_plan *plan, struct group *g, uint64_t hash,
	const struct rowkey *key, const void *row)
{
	return g->hash == hash && rowkey_equal(&plan->own, group_key(plan, g), key, row);
}

static __attribute__((noinline)) struct group *group_find_other(const struct node_state *state,
	const struct group_plan *plan, uint64_t hash, const struct rowkey *key, const void *row,
	struct hashdir_probe *p)
{
	struct group *g;

	*p = hashdir_probe(&state->groups, hash);
	while ((g = hashdir_next(p)) != NULL && !is_group(plan, g, hash, key, row))
		;
	return g;
}

/* By a row that has the key in these columns. */
static inline struct group *group_find(const struct node_state *state,
	const struct group_plan *plan, uint64_t hash, const struct rowkey *key, const void *row,
	struct hashdir_probe *p)
{
	struct group *g;

	*p = hashdir_probe(&state->groups, hash);
	g = hashdir_likely(p);
	if (g != NULL && is_group(plan, g, hash, key, row))
		return g;
	return hashdir_absent(p) ? NULL : group_find_other(state, plan, hash, key, row, p);
}

static struct group *group_new(struct flow *f, struct node_state *state,
	const struct group_plan *plan, uint64_t hash, const void *key)
{
	struct group *g = heap_zalloc(f->heap, group_bytes(plan, key));

	if (g == NULL)
		return NULL;
	g->hash = hash;
	memcpy(group_key(plan, g), key, row_size(key));
	g->output = group_room(plan, g);
	g->output_cap = plan->output_bytes;
	if (hashdir_insert(&state->groups, hash, 0, g) != 0) {
		heap_free(f->heap, g, group_bytes(plan, key));
		return NULL;
	}
	return g;
}

static void group_dirty(struct node_state *state, struct group *g)
{
	if (g->dirty)
		return;
	g->dirty = true;
	g->next_dirty = state->dirty;
	state->dirty = g;
}

int groups_open(struct flow *f, struct view_state *v, const struct node_plan *n)
{
	const struct group_plan *plan = &n->group;
	struct node_state *state = &v->nodes[n->number];
	uint64_t none[2] = { 0 };
	struct group *g;

	if (hashdir_init(&state->groups, f->heap, NULL, group_hash, NULL) != 0)
		return -1;
	if (plan->nkeys > 0 || f->shard != 0)
		return 0;
	/* Without GROUP BY there is always one row, also over nothing. */
	row_encode(&plan->key_layout, NULL, none);
	g = group_new(f, state, plan, rowkey_hash(&plan->own, none), none);
	if (g == NULL)
		return -1;
	group_dirty(state, g);
	return 0;
}

/* --- deltas --- */

static __attribute__((noinline)) void group_input_computed(struct flow *f, struct view_state *v,
	const struct node_plan *n, const void *row, int64_t weight)
{
	static const uint64_t NONE[2] = { 16, 0 };
	const struct group_plan *plan = &n->group;
	const void *key = plan->nkeys > 0 ? flow_project(f, plan->keys, row, NULL) : NONE;
	uint64_t hash;

	if (key == NULL) {
		view_error(f, v, weight);
		return;
	}
	hash = rowkey_hash(&plan->own, key);
	hashdir_prefetch(&v->nodes[n->number].groups, hash);
	batch_add(f, v, node_input(n), row, key, hash, weight);
}

void group_input(struct flow *f, struct view_state *v, const struct node_plan *n, const void *row,
	int64_t weight)
{
	const struct group_plan *plan = &n->group;
	uint64_t hash;

	if (plan->cols == NULL) {
		group_input_computed(f, v, n, row, weight);
		return;
	}
	hash = rowkey_hash(&plan->by, row);
	hashdir_prefetch(&v->nodes[n->number].groups, hash);
	batch_add(f, v, node_input(n), row, NULL, hash, weight);
}

/* The argument of one aggregate: 1, 0 when its filter leaves the row out, -1. */
static int aggregate_argument(struct flow *f, const struct aggregate_plan *p, const void *row,
	const struct value *values, struct value *own, const struct value **out)
{
	int pass;

	*out = p->value >= 0 ? &values[p->value] : NULL;
	if (p->filter == NULL)
		return 1;
	if (flow_evaluate(f, p->filter, row, NULL, own) != 0)
		return -1;
	pass = !value_is_null(own) && own->i != 0;
	if (pass == 0 || p->argument == NULL)
		return pass;
	*out = own;
	return flow_evaluate(f, p->argument, row, NULL, own) != 0 ? -1 : 1;
}

/* Add a row to a group. -1: f->error; what was added till then is taken back in the same way when the row of
 * the opposite weight comes, which fails in the same place. */
__attribute__((noinline)) static int aggregates_add(
	struct flow *f, const struct group_plan *plan, struct group *g, const struct delta *d)
{
	struct value stack[16], *values = stack;

	if (plan->nvalues > sizeof(stack) / sizeof(stack[0]))
		values = arena_alloc(&f->scratch, plan->nvalues * sizeof(*values));
	if (values == NULL)
		return error_set(&f->error, ERR_OUT_OF_MEMORY, 0, NULL);
	if (plan->values != NULL && flow_evaluate(f, plan->values, d->row, NULL, values) != 0)
		return -1;
	for (unsigned i = 0; i < plan->naggregates; i++) {
		const struct value *argument;
		struct value own;
		int pass = aggregate_argument(f, &plan->inputs[i], d->row, values, &own, &argument);

		if (pass < 0)
			return -1;
		if (pass > 0 &&
			aggregate_add(&plan->aggregates[i], group_state(plan, g, i), argument,
				d->weight, f->heap, &f->error) != 0)
			return -1;
	}
	return 0;
}

/* aggregates_add() of nothing but count(*): 70 instructions less a row. */
static inline void counts_add(const struct group_plan *plan, struct group *g, int64_t weight)
{
	for (unsigned i = 0; i < plan->naggregates; i++)
		*(int64_t *)group_state(plan, g, i) += weight;
}

/* The group of a delta, made if there is none. NULL: the delta is dropped, or the view has failed. */
static struct group *group_of(
	struct flow *f, struct view_state *v, const struct node_plan *n, const struct delta *d)
{
	const struct group_plan *plan = &n->group;
	struct node_state *state = &v->nodes[n->number];
	const void *key = d->key;
	struct hashdir_probe p;
	struct group *g;

	g = group_find(state, plan, d->hash, &plan->by, plan->cols != NULL ? d->row : key, &p);
	if (g != NULL)
		return g;
	if (plan->cols != NULL) {
		key = flow_project(f, plan->keys, d->row, NULL);
		if (key == NULL) {
			view_error(f, v, d->weight);
			return NULL;
		}
	}
	g = group_new(f, state, plan, d->hash, key);
	if (g == NULL)
		view_no_memory(f, v);
	return g;
}

static void group_delta(
	struct flow *f, struct view_state *v, const struct node_plan *n, const struct delta *d)
{
	struct group *g = group_of(f, v, n, d);

	if (g == NULL)
		return;
	/* Also when the row is dropped: a new group that stays empty goes at the end of the stage. */
	group_dirty(&v->nodes[n->number], g);
	if (n->group.counts) {
		counts_add(&n->group, g, d->weight);
	} else if (aggregates_add(f, &n->group, g, d) != 0) {
		view_error(f, v, d->weight);
		return;
	}
	arena_reset(&f->scratch);
	g->weight += d->weight;
}

/* --- output --- */

/* The group's keys and aggregates as a row; NULL: the view has failed. */
static const void *group_row(
	struct flow *f, struct view_state *v, const struct group_plan *plan, struct group *g)
{
	struct value *values = arena_alloc(&f->rows, (plan->row.ncols + 1u) * sizeof(*values));
	void *row = NULL;

	for (unsigned i = 0; values != NULL && i < plan->nkeys; i++)
		row_get(&plan->key_layout, group_key(plan, g), i, &values[i]);
	for (unsigned i = 0; values != NULL && i < plan->naggregates; i++)
		if (aggregate_result(&plan->aggregates[i], group_state(plan, g, i),
			    &values[plan->nkeys + i], &f->rows, &f->error) != 0) {
			view_fail(f, v);
			return NULL;
		}
	if (values != NULL)
		row = arena_alloc(&f->rows, row_encoded_size(&plan->row, values));
	if (row == NULL)
		view_no_memory(f, v);
	else
		row_encode(&plan->row, values, row);
	return row;
}

/* The group's output row now; NULL when it has none, or the view has failed (v->stopped). */
static const void *group_output(
	struct flow *f, struct view_state *v, const struct group_plan *plan, struct group *g)
{
	const void *row;
	int pass;

	if (g->weight == 0 && plan->nkeys > 0)
		return NULL;
	row = group_row(f, v, plan, g);
	if (row == NULL)
		return NULL;
	pass = flow_test(f, plan->having, row, NULL);
	if (pass == 0)
		return NULL;
	row = pass < 0 ? NULL : flow_project(f, plan->outputs, row, NULL);
	if (row == NULL)
		view_fail(f, v);
	return row;
}

/* Room for an output of `size` bytes; what is there is lost when there is not enough. 0, or -1 out of memory. */
static int output_reserve(
	struct flow *f, const struct group_plan *plan, struct group *g, uint32_t size)
{
	void *larger;

	if (size <= g->output_cap)
		return 0;
	larger = heap_alloc(f->heap, size);
	if (larger == NULL)
		return -1;
	if (g->output != group_room(plan, g))
		heap_free(f->heap, g->output, g->output_cap);
	g->output = larger;
	g->output_cap = size;
	return 0;
}

/* The keys and aggregates as the view's row, where the output is kept. 0, or -1: the view has failed. */
static int output_encode(
	struct flow *f, struct view_state *v, const struct group_plan *plan, struct group *g)
{
	const struct row_layout *l = plan->out;
	struct value stack[32], *values = stack;

	if (l->ncols > sizeof(stack) / sizeof(stack[0]))
		values = arena_alloc(&f->rows, l->ncols * sizeof(*values));
	for (unsigned c = 0; values != NULL && c < l->ncols; c++) {
		unsigned i = plan->columns[c];

		if (i < plan->nkeys) {
			row_get(&plan->key_layout, group_key(plan, g), i, &values[c]);
		} else if (aggregate_result(&plan->aggregates[i - plan->nkeys],
				   group_state(plan, g, i - plan->nkeys), &values[c], &f->rows,
				   &f->error) != 0) {
			view_fail(f, v);
			return -1;
		}
	}
	if (values == NULL || output_reserve(f, plan, g, row_encoded_size(l, values)) != 0) {
		view_no_memory(f, v);
		return -1;
	}
	row_encode(l, values, g->output);
	return 0;
}

/* Bring the output, which is a row of this group, up to date where it is. 1; 0: it is the same; -1: the view has
 * failed. */
static int output_change(
	struct flow *f, struct view_state *v, const struct group_plan *plan, struct group *g)
{
	int changed = 0;

	for (unsigned i = 0; i < plan->nchanging; i++) {
		const struct group_output *o = &plan->changing[i];
		struct value value;

		if (aggregate_result(&plan->aggregates[o->aggregate],
			    group_state(plan, g, o->aggregate), &value, &f->rows, &f->error) != 0) {
			view_fail(f, v);
			return -1;
		}
		changed |= row_set(plan->out, g->output, o->column, &value);
	}
	return changed;
}

/* Make the output what the group gives now. 1; 0: it gives none; -1: the view has failed. */
static int output_renew(
	struct flow *f, struct view_state *v, const struct group_plan *plan, struct group *g)
{
	const void *row;

	if (plan->columns != NULL) {
		if (g->weight == 0 && plan->nkeys > 0)
			return 0;
		return output_encode(f, v, plan, g) == 0 ? 1 : -1;
	}
	row = group_output(f, v, plan, g);
	if (row == NULL)
		return v->stopped ? -1 : 0;
	if (output_reserve(f, plan, g, row_size(row)) != 0) {
		view_no_memory(f, v);
		return -1;
	}
	memcpy(g->output, row, row_size(row));
	return 1;
}

/* The output as it is, for the publisher to read at the end of the stage; NULL: the view has failed. */
static void *output_copy(struct flow *f, struct view_state *v, const struct group *g)
{
	void *copy = arena_alloc(&f->rows, row_size(g->output));

	if (copy == NULL)
		view_no_memory(f, v);
	else
		memcpy(copy, g->output, row_size(g->output));
	return copy;
}

/* The usual case: a group that has its row in the view still has it, with other sums. */
static void group_emit_changed(
	struct flow *f, struct view_state *v, const struct group_plan *plan, struct group *g)
{
	void *old = view_keeps_old(v) ? output_copy(f, v, g) : g->output;

	if (old != NULL && output_change(f, v, plan, g) > 0)
		publish_pair(f, v, g->hash, old, g->output);
}

static void group_emit(
	struct flow *f, struct view_state *v, const struct node_plan *n, struct group *g)
{
	const struct group_plan *plan = &n->group;
	const struct edge *edge = &plan->edge;
	bool paired = v->paired && n == v->plan->last_group;
	void *old = NULL;
	int given;

	if (g->published && paired && plan->in_place && (g->weight != 0 || plan->nkeys == 0)) {
		group_emit_changed(f, v, plan, g);
		return;
	}
	if (g->published) {
		old = output_copy(f, v, g);
		if (old == NULL)
			return;
	}
	given = output_renew(f, v, plan, g);
	if (given < 0)
		return;
	if (old != NULL && given > 0 && row_size(old) == row_size(g->output) &&
		memcmp(old, g->output, row_size(old)) == 0)
		return;
	g->published = given > 0;
	if (paired) {
		if (old != NULL || given > 0)
			publish_pair(f, v, g->hash, old, given > 0 ? g->output : NULL);
		return;
	}
	if (old != NULL)
		edge_follow(f, v, edge, old, -1);
	if (given > 0 && !v->stopped)
		edge_follow(f, v, edge, g->output, 1);
}

static void group_end(
	struct flow *f, struct node_state *state, const struct group_plan *plan, struct group *g)
{
	struct hashdir_probe p;

	if (group_find(state, plan, g->hash, &plan->own, group_key(plan, g), &p) == g)
		hashdir_remove(&p);
	group_free(f, plan, g);
}

void group_gather(struct flow *f, struct view_state *v, const struct node_plan *n)
{
	struct batch *b = &v->inputs[node_input(n)];

	for (unsigned i = 0; i < b->n; i++) {
		if (i + FETCH_AHEAD < b->n)
			hashdir_prefetch_object(
				&v->nodes[n->number].groups, b->list[i + FETCH_AHEAD].hash);
		group_delta(f, v, n, &b->list[i]);
		if (v->stopped)
			return;
	}
	b->n = 0;
}

bool group_emit_some(struct flow *f, struct view_state *v, const struct node_plan *n, unsigned max)
{
	for (; !v->stopped && v->nodes[n->number].dirty != NULL && max > 0; max--) {
		struct node_state *state = &v->nodes[n->number];
		struct group *g = state->dirty;

		state->dirty = g->next_dirty;
		g->dirty = false;
		group_emit(f, v, n, g);
		if (!v->stopped && g->weight == 0 && n->group.nkeys > 0)
			group_end(f, state, &n->group, g);
	}
	return !v->stopped && v->nodes[n->number].dirty != NULL;
}
