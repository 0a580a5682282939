/*
 * flow.c: running the views of one shard: what is fed to them, and their nodes in order.
 *
 * A change of a table is filtered and projected at once by the scans that read the table; from there on every
 * node works over the whole batch of the stage: joins in order (ΔL against what R was, then ΔR against what L
 * has become, which is ΔL⋈R' + L⋈ΔR of the algebra), then the group, then the publisher. A delta that goes to
 * another shard leaves through an exchange and comes back in flow_receive(), in a later stage.
 *
 * An error fails the view (flow.h): it is stopped and its state freed, the rest goes on. But within a stage
 * rows come and go that were never there together (ΔL meets R before ΔR has come; a row between two
 * statements of one command). So a row whose expressions fail is dropped with its weight counted, and
 * only what is left of these weights at the end of the stage fails the view: before, there was none.
 *
 * Budget per delta of a join: bucket and first entry of both sides, 4 misses, fetched ahead; of a group: 2
 * misses, fetched ahead, and nothing else until the stage ends, once a group and batch.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/clock.h"
#include "core/flow/flow_internal.h"

enum { EMIT_ROWS = 1024 /* groups of a view being built that are published together */ };

struct flow *flow_new(struct heap *h, unsigned shard, unsigned shards, const struct flow_io *io)
{
	struct flow *f = heap_zalloc(h, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->heap = h;
	f->shard = shard;
	f->shards = shards;
	f->io = *io;
	f->heap_used = heap_used_place(h);
	clock_ticks_start();
	arena_init(&f->rows, NULL);
	arena_init(&f->scratch, NULL);
	return f;
}

/* --- state --- */

static bool multimap_gone(struct multimap **m, size_t *left)
{
	if (*m != NULL && !multimap_free_some(*m, left))
		return false;
	*m = NULL;
	return true;
}

bool node_free_some(struct flow *f, struct view_state *v, const struct node_plan *n, size_t *left)
{
	if (n->kind == NODE_GROUP && !groups_free_some(f, v, n, left))
		return false;
	if (n->kind == NODE_WINDOW && !windows_free_some(f, v, n, left))
		return false;
	return multimap_gone(&v->nodes[n->number].rows, left);
}

/* All that a view has gathered. True: it has nothing any more. */
static bool state_free_some(struct flow *f, struct view_state *v, size_t *left)
{
	const struct view_plan *p = v->plan;
	unsigned ninputs = plan_inputs(p);

	build_close(f, v);
	for (unsigned i = 0; v->nodes != NULL && i < p->nnodes; i++) {
		uint64_t before = *f->heap_used;
		bool done = node_free_some(f, v, p->nodes[i], left);

		account_less(v, p->nodes[i], before - *f->heap_used);
		if (!done)
			return false;
	}
	if (!multimap_gone(&v->aside, left) || !multimap_gone(&v->result, left))
		return false;
	heap_free(f->heap, v->scans, (p->nscans + 1) * sizeof(struct scan_plan *));
	heap_free(f->heap, v->run, p->nnodes * sizeof(struct node_plan *));
	heap_free(f->heap, v->nodes, p->nnodes * sizeof(*v->nodes));
	for (unsigned i = 0; v->inputs != NULL && i < ninputs; i++)
		heap_free_counted(f->heap, v->inputs[i].list,
			v->inputs[i].cap * sizeof(*v->inputs[i].list), left);
	heap_free(f->heap, v->inputs, ninputs * sizeof(*v->inputs));
	v->nodes = NULL;
	v->inputs = NULL;
	v->scans = NULL;
	v->run = NULL;
	v->nscans = v->nrun = 0;
	account_freed(v);
	return true;
}

static int node_open(struct flow *f, struct view_state *v, const struct node_plan *n)
{
	struct node_state *state = &v->nodes[n->number];

	if (n->kind == NODE_GROUP)
		return groups_open(f, v, n);
	if (n->kind == NODE_WINDOW)
		return windows_open(f, v, n);
	if (n->kind != NODE_JOIN)
		return 0;
	state->rows = multimap_new(f->heap, n->join.kept);
	return state->rows == NULL ? -1 : 0;
}

/* It runs all of its plan. */
static int run_all(struct flow *f, struct view_state *v)
{
	const struct view_plan *p = v->plan;

	v->scans = heap_zalloc(f->heap, (p->nscans + 1) * sizeof(struct scan_plan *));
	v->run = heap_zalloc(f->heap, p->nnodes * sizeof(struct node_plan *));
	if (v->scans == NULL || v->run == NULL)
		return -1;
	for (const struct scan_plan *s = p->scans; s != NULL; s = s->next)
		v->scans[v->nscans++] = s;
	for (; v->nrun < p->nnodes; v->nrun++)
		v->run[v->nrun] = p->nodes[v->nrun];
	return 0;
}

static int state_new(struct flow *f, struct view_state *v)
{
	static const bool uncounted[2];
	const struct view_plan *p = v->plan;
	uint64_t before = *f->heap_used;

	v->nodes = heap_zalloc(f->heap, p->nnodes * sizeof(*v->nodes));
	v->inputs = heap_zalloc(f->heap, plan_inputs(p) * sizeof(*v->inputs));
	if (run_all(f, v) != 0)
		return -1;
	if (v->target == NULL)
		v->result = multimap_new(f->heap, uncounted);
	else if (build_open(f, v) != 0)
		return -1;
	if (v->nodes == NULL || v->inputs == NULL || (v->target == NULL && v->result == NULL))
		return -1;
	account_bytes(v, plan_publisher(p), *f->heap_used - before);
	for (unsigned i = 0; i < p->nnodes; i++) {
		before = *f->heap_used;
		if (node_open(f, v, p->nodes[i]) != 0)
			return -1;
		account_bytes(v, p->nodes[i], *f->heap_used - before);
	}
	return 0;
}

void view_free_later(struct flow *f, struct view_state *v)
{
	f->freeing += !v->freeing;
	v->freeing = true;
}

static void free_done(struct flow *f, struct view_state *v)
{
	f->freeing -= v->freeing;
	v->freeing = false;
}

void view_free(struct flow *f, struct view_state *v)
{
	size_t all = SIZE_MAX;

	share_free(f, v);
	if (v->counts != NULL)
		(void)state_free_some(f, v, &all);
	free_done(f, v);
	heap_free(f->heap, v->counts, plan_operators(v->plan) * sizeof(*v->counts));
	/* Release: what was done with the plan comes before its end. */
	__atomic_sub_fetch(v->holders, 1, __ATOMIC_RELEASE);
	heap_free(f->heap, v, sizeof(*v));
}

bool view_plan_held(const struct view_plan *p)
{
	return __atomic_load_n(&p->holders, __ATOMIC_ACQUIRE) > 0;
}

static void views_free(struct flow *f, struct view_state **list)
{
	while (*list != NULL) {
		struct view_state *v = *list;

		*list = v->next;
		view_free(f, v);
	}
}

void flow_free(struct flow *f)
{
	views_free(f, &f->views);
	views_free(f, &f->dropped);
	arena_free(&f->rows);
	arena_free(&f->scratch);
	heap_free(f->heap, f, sizeof(*f));
}

bool flow_frees(const struct flow *f)
{
	return f->freeing > 0 || f->dropped != NULL;
}

bool flow_free_some(struct flow *f, size_t *left)
{
	for (struct view_state *v = f->views; f->freeing > 0 && v != NULL; v = v->next) {
		if (!v->freeing)
			continue;
		if (v->stopped ? !state_free_some(f, v, left)
			       : !multimap_gone(&v->aside, left) || !share_free_some(f, v, left))
			return false;
		free_done(f, v);
	}
	while (f->dropped != NULL) {
		struct view_state *v = f->dropped;

		if (*left == 0 || !state_free_some(f, v, left))
			return false;
		f->dropped = v->next;
		view_free(f, v);
	}
	return true;
}

static bool view_reads(const struct view_state *v, const struct relation *r)
{
	for (const struct scan_plan *s = v->plan->scans; s != NULL; s = s->next)
		if (s->relation == r)
			return true;
	return false;
}

void view_stop(struct flow *f, struct view_state *v, bool now)
{
	size_t all = SIZE_MAX;

	v->stopped = true;
	v->nscans = v->nrun = 0;
	build_close(f, v);
	if (now)
		(void)state_free_some(f, v, &all);
	else
		view_free_later(f, v);
}

/* At once it is also where nothing else is done until all of a view has been fed. */
void view_fail_how(struct flow *f, struct view_state *v, bool now)
{
	if (v->stopped)
		return;
	view_stop(f, v, now || (v->build != NULL && v->build->progress == NULL));
	if (v->uses != NULL)
		share_let_go(f, v, now);
	if (v->common != NULL) {
		share_fail(f, v, now);
		return;
	}
	f->io.fail(f->io.arg, v->plan->view, &f->error);
	/* And those over it, which stand behind it. */
	for (struct view_state *w = v->next; w != NULL; w = w->next)
		if (!w->stopped && view_reads(w, v->plan->view)) {
			error_set(&f->error, ERR_VIEW_FAILED, 0,
				"view \"%s\", which it reads, has failed", v->plan->view->name);
			view_fail_how(f, w, now);
		}
}

void view_fail(struct flow *f, struct view_state *v)
{
	view_fail_how(f, v, false);
}

void view_no_memory(struct flow *f, struct view_state *v)
{
	error_set(&f->error, ERR_OUT_OF_MEMORY, 0, NULL);
	/* The next one needs it. */
	view_fail_how(f, v, true);
}

void view_error(struct flow *f, struct view_state *v, int64_t weight)
{
	arena_reset(&f->scratch);
	if (f->error.code == ERR_OUT_OF_MEMORY) {
		view_fail_how(f, v, true);
		return;
	}
	if (weight > 0)
		v->error = f->error;
	v->errors += weight;
}

void view_settle_errors(struct flow *f, struct view_state *v)
{
	if (v->errors == 0 || v->stopped)
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

struct view_state *flow_view(struct flow *f, const struct relation *view)
{
	return *view_find(f, view);
}

int flow_add_view(struct flow *f, struct view_plan *p, struct part *target, struct error *e)
{
	struct view_state *v = heap_zalloc(f->heap, sizeof(*v)), **last = &f->views;

	if (v == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	v->plan = p;
	v->holders = &p->holders;
	__atomic_add_fetch(v->holders, 1, __ATOMIC_RELAXED);
	v->target = target;
	v->counts = heap_zalloc(f->heap, plan_operators(p) * sizeof(*v->counts));
	if (v->counts == NULL || state_new(f, v) != 0) {
		view_free(f, v);
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	}
	publish_open(v);
	/* Behind those it reads. */
	for (; *last != NULL; last = &(*last)->next) {
		(*last)->feeds |= view_reads(v, (*last)->plan->view);
		publish_watched(*last);
	}
	*last = v;
	return 0;
}

void view_drop(struct flow *f, struct view_state *v)
{
	/* Its part goes by itself. */
	account_freed(v);
	v->target = NULL;
	v->stopped = true;
	free_done(f, v);
	v->next = f->dropped;
	f->dropped = v;
}

void flow_drop_view(struct flow *f, const struct relation *view)
{
	struct view_state **link = view_find(f, view), *v = *link;

	if (v == NULL)
		return;
	ASSERT(v->uses == NULL);
	*link = v->next;
	for (struct view_state *w = f->views; w != NULL; w = w->next)
		if (view_reads(v, w->plan->view)) {
			w->feeds = false;
			for (const struct view_state *x = w->next; x != NULL; x = x->next)
				w->feeds |= view_reads(x, w->plan->view);
			publish_watched(w);
		}
	view_drop(f, v);
}

void flow_watch(struct flow *f, const struct part *target)
{
	for (struct view_state *v = f->views; v != NULL; v = v->next)
		if (v->target == target)
			publish_watched(v);
}

void flow_stop_view(struct flow *f, const struct relation *view)
{
	struct view_state *v = *view_find(f, view);

	if (v == NULL || v->stopped)
		return;
	view_stop(f, v, false);
	share_let_go(f, v, false);
}

/* --- expressions --- */

int flow_evaluate(struct flow *f, const struct program *p, const void *row0, const void *row1,
	struct value *out)
{
	const void *rows[] = { row0, row1 };
	struct program_env env = { &f->scratch, &f->error, 0, 0 };

	return program_run(p, rows, out, &env);
}

int flow_test(struct flow *f, const struct program *p, const void *row0, const void *row1)
{
	const void *rows[] = { row0, row1 };
	struct program_env env = { &f->scratch, &f->error, 0, 0 };
	int pass;

	if (p == NULL)
		return 1;
	pass = program_test(p, rows, &env);
	arena_reset(&f->scratch);
	return pass;
}

const void *flow_project(
	struct flow *f, const struct projection *p, const void *row0, const void *row1)
{
	const void *rows[] = { row0, row1 };
	struct program_env env = { &f->scratch, &f->error, 0, 0 };
	const void *row = projection_run(p, rows, &f->rows, &env);

	arena_reset(&f->scratch);
	return row;
}

/* --- deltas on their way --- */

__attribute__((noinline)) bool batch_grow(struct flow *f, struct view_state *v, struct batch *b)
{
	unsigned cap = b->cap == 0 ? 64 : 2 * b->cap;
	struct delta *grown = heap_realloc(
		f->heap, b->list, b->cap * sizeof(*grown), cap * sizeof(*grown));

	if (grown == NULL) {
		view_no_memory(f, v);
		return false;
	}
	f->aside += (cap - b->cap) * sizeof(*grown);
	account_bytes(v, v->plan->nodes[(b - v->inputs) / 2], (cap - b->cap) * sizeof(*grown));
	b->list = grown;
	b->cap = cap;
	return true;
}

static __attribute__((noinline)) void map_input(struct flow *f, struct view_state *v,
	const struct node_plan *n, const void *row, int64_t weight)
{
	const struct map_plan *map = &n->map;
	int pass = flow_test(f, map->filter, row, NULL);
	const void *out = pass > 0 ? flow_project(f, map->projection, row, NULL) : NULL;

	account_rows(account_of(v, n), 1, out != NULL);
	if (out != NULL) {
		f->emitted--; /* the map's, not the node's that runs */
		edge_follow(f, v, &map->edge, out, weight);
	} else if (pass != 0) {
		view_error(f, v, weight);
	}
}

/* Into an input of this shard and stage. */
static void input(
	struct flow *f, struct view_state *v, uint32_t to, const void *row, int64_t weight)
{
	const struct node_plan *n = v->plan->nodes[to / 2];

	switch (n->kind) {
	case NODE_MAP: map_input(f, v, n, row, weight); return;
	case NODE_JOIN: join_input(f, v, n, to, row, weight); return;
	case NODE_GROUP: group_input(f, v, n, row, weight); return;
	case NODE_WINDOW: window_input(f, v, n, row, weight); return;
	case NODE_PUBLISH: publish_input(f, v, row, weight); return;
	}
}

/* Through an exchange. */
static void edge_send(
	struct flow *f, struct view_state *v, const struct edge *e, const void *row, int64_t weight)
{
	unsigned to = e->kind == EDGE_ZERO ? 0 : f->shard;

	if (e->kind == EDGE_HASH) {
		struct value value;

		if (flow_evaluate(f, e->route, row, NULL, &value) != 0) {
			view_error(f, v, weight);
			return;
		}
		to = shard_of(value_hash(&value), f->shards);
		arena_reset(&f->scratch);
	}
	if (f->io.send(f->io.arg, to, e->stage, state_id(v), e->input, row, weight) != 0)
		view_no_memory(f, v);
}

/* Out of this shard, or view. */
static __attribute__((noinline)) void edge_leave(
	struct flow *f, struct view_state *v, const struct edge *e, const void *row, int64_t weight)
{
	if (e->kind == EDGE_SHARED)
		share_follow(f, v, row, weight);
	else
		edge_send(f, v, e, row, weight);
}

void edge_follow(
	struct flow *f, struct view_state *v, const struct edge *e, const void *row, int64_t weight)
{
	f->emitted++;
	if (e->kind == EDGE_DIRECT)
		input(f, v, e->input, row, weight);
	else
		edge_leave(f, v, e, row, weight);
}

/* --- what is fed --- */

/* The row as the scan shows it to the view; NULL: it does not. Inline: a call takes longer than the usual way through. */
static inline __attribute__((always_inline)) const void *scan_row(struct flow *f,
	struct view_state *v, const struct scan_plan *scan, const void *row, int64_t weight)
{
	int pass = row == NULL         ? 0
		: scan->filter == NULL ? 1
				       : flow_test(f, scan->filter, row, NULL);
	const void *out = pass <= 0 ? NULL
		: scan->whole       ? row
				    : flow_project(f, scan->projection, row, NULL);

	if (pass < 0 || (pass > 0 && out == NULL))
		view_error(f, v, weight);
	return out;
}

/* Whether two rows that the scan shows differ in nothing that the view uses. */
static bool scan_same(
	struct flow *f, const struct scan_plan *scan, const void *old, const void *new)
{
	if (scan->whole) {
		old = flow_project(f, scan->projection, old, NULL);
		new = flow_project(f, scan->projection, new, NULL);
	}
	return old != NULL && new != NULL &&row_size(old) == row_size(new) &&
		memcmp(old, new, row_size(old)) == 0;
}

/* A change of columns that the view does not use is none for it. This matters beyond its own cost: a row that
 * others refer to (a product's stock, a customer's balance) would be joined with all of them for nothing. */
static void scan_change(struct flow *f, struct view_state *v, const struct scan_plan *scan,
	const void *old_row, const void *new_row)
{
	const void *old = scan_row(f, v, scan, old_row, -1), *new = NULL;

	if (!v->stopped)
		new = scan_row(f, v, scan, new_row, 1);
	if (old != NULL && new != NULL && scan_same(f, scan, old, new))
		old = new = NULL;
	account_rows(&v->counts[scan->number], (old_row != NULL) + (new_row != NULL),
		(old != NULL) + (new != NULL));
	if (old != NULL && !v->stopped)
		edge_follow(f, v, &scan->edge, old, -1);
	if (new != NULL && !v->stopped)
		edge_follow(f, v, &scan->edge, new, 1);
}

static void view_push(struct flow *f, struct view_state *v, const struct relation *relation,
	const void *old_row, const void *new_row)
{
	/* A relation joined to itself: each of its scans in turn. */
	for (unsigned i = 0; i < v->nscans; i++)
		if (v->scans[i]->relation == relation)
			scan_change(f, v, v->scans[i], old_row, new_row);
}

void flow_push(struct flow *f, const struct relation *table, const void *old_row,
	const void *new_row, const struct relation *only)
{
	for (struct view_state *v = f->views; v != NULL; v = v->next) {
		const void *old = old_row, *new = new_row;

		if (v->stopped || (only != NULL && v->plan->view != only))
			continue;
		if (v->build != NULL && only == NULL) {
			old = build_row(v, table, old);
			new = build_row(v, table, new);
		}
		view_push(f, v, table, old, new);
	}
}

void flow_push_rows(struct flow *f, const struct relation *relation, const void *row,
	int64_t weight, uint64_t hash, const struct relation *only)
{
	for (struct view_state *v = f->views; v != NULL; v = v->next)
		for (unsigned i = 0; i < v->nscans; i++) {
			const struct scan_plan *s = v->scans[i];
			const void *out;

			if (s->relation != relation || (only != NULL && v->plan->view != only))
				continue;
			if (v->build != NULL && only == NULL && !build_has(v, relation, hash))
				continue;
			out = scan_row(f, v, s, row, weight);
			account_rows(&v->counts[s->number], 1, out != NULL);
			if (out != NULL && !v->stopped)
				edge_follow(f, v, &s->edge, out, weight);
		}
}

void flow_receive(struct flow *f, uint32_t view_id, uint32_t edge, const void *row, int64_t weight)
{
	for (struct view_state *v = f->views; v != NULL; v = v->next)
		if (state_id(v) == view_id && !v->stopped)
			input(f, v, edge, row, weight);
}

/* --- a stage --- */

bool node_gathers(const struct node_plan *n)
{
	return n->kind == NODE_GROUP || n->kind == NODE_WINDOW;
}

bool node_emit_some(struct flow *f, struct view_state *v, const struct node_plan *n, unsigned max)
{
	return n->kind == NODE_GROUP ? group_emit_some(f, v, n, max)
				     : window_emit_some(f, v, n, max);
}

static void node_run(
	struct flow *f, struct view_state *v, const struct node_plan *n, uint64_t epoch)
{
	switch (n->kind) {
	case NODE_MAP: break;
	case NODE_JOIN: join_run(f, v, n); break;
	case NODE_GROUP: group_gather(f, v, n); break;
	case NODE_WINDOW: window_gather(f, v, n); break;
	case NODE_PUBLISH: publish_run(f, v, epoch); break;
	}
}

static bool has_changed(const struct view_state *v, const struct node_plan *n)
{
	return v->nodes[n->number].dirty != NULL || v->nodes[n->number].changed != NULL;
}

/* Run a node over what waits for it; emit: and give out what has changed. */
static void node_work(
	struct flow *f, struct view_state *v, const struct node_plan *n, uint64_t epoch, bool emit)
{
	const struct batch *in = &v->inputs[node_input(n)];
	unsigned rows = in[0].n + in[1].n;
	struct measure m;

	emit = emit && node_gathers(n) && build_emits(v, n);
	if (rows == 0 && !(emit && has_changed(v, n)))
		return;
	m = measure_begin(f);
	node_run(f, v, n, epoch);
	if (emit && !v->stopped && v->build == NULL)
		view_settle_errors(f, v);
	if (emit && !v->stopped)
		(void)node_emit_some(f, v, n, UINT_MAX);
	measure_end(f, v, n, rows, &m);
}

/* emit: give out what has changed, and see what errors are left; not while more of the same stage is to come, and of a view
 * that is being built only as far as that has come. from: the first node. */
static void view_run(struct flow *f, struct view_state *v, unsigned from, unsigned stage,
	uint64_t epoch, bool emit)
{
	unsigned i = 0;

	while (i < v->nrun && v->run[i]->number < from)
		i++;
	for (; i < v->nrun; i++) {
		const struct node_plan *n = v->run[i];

		if (n->stage != stage)
			continue;
		if (emit && n->kind == NODE_PUBLISH && v->build == NULL)
			view_settle_errors(f, v);
		if (!v->stopped)
			node_work(f, v, n, epoch, emit);
	}
	if (emit && v->build == NULL)
		view_settle_errors(f, v);
	account_settle(f, v);
}

static void memory_reset(struct flow *f)
{
	arena_reset(&f->rows);
	arena_reset(&f->scratch);
}

static bool is_fed(const struct view_state *v, const struct relation *only)
{
	return !v->stopped && (only == NULL || v->plan->view == only);
}

/* Take what this and the views behind it were given into their state, from a node of the first on. */
static void views_gather(struct flow *f, struct view_state *first, unsigned from,
	const struct relation *only, unsigned stage, uint64_t epoch)
{
	for (struct view_state *v = first; v != NULL; v = v->next, from = 0)
		if (is_fed(v, only))
			view_run(f, v, from, stage, epoch, false);
	memory_reset(f);
}

void view_gather(
	struct flow *f, struct view_state *v, unsigned from, unsigned stage, uint64_t epoch)
{
	view_run(f, v, from, stage, epoch, false);
	memory_reset(f);
}

/* Give out all that has changed in this stage, of one node after another, a few groups at a time. */
static void view_emit(struct flow *f, struct view_state *v, const struct relation *only,
	unsigned stage, uint64_t epoch)
{
	for (unsigned i = 0; i < v->nrun; i++) {
		const struct node_plan *n = v->run[i];
		bool more = node_gathers(n) && n->stage == stage;

		while (more && !v->stopped) {
			struct measure m = measure_begin(f);

			more = node_emit_some(f, v, n, EMIT_ROWS);
			measure_end(f, v, n, 0, &m);
			views_gather(f, v, n->number + 1, only, stage, epoch);
		}
	}
}

void flow_build(
	struct flow *f, const struct relation *only, unsigned stage, uint64_t epoch, bool last)
{
	views_gather(f, f->views, 0, only, stage, epoch);
	for (struct view_state *v = f->views; v != NULL && last; v = v->next)
		if (is_fed(v, only)) {
			view_emit(f, v, only, stage, epoch);
			view_settle_errors(f, v);
			if (!v->stopped && v->target != NULL &&
				plan_publisher(v->plan)->stage == stage)
				publish_settle(f, v);
		}
}

void flow_run(struct flow *f, unsigned stage, uint64_t epoch)
{
	for (struct view_state *v = f->views; v != NULL; v = v->next)
		if (!v->stopped)
			view_run(f, v, 0, stage, epoch, true);
	memory_reset(f);
}

struct told {
	int (*fn)(void *arg, const void *row, int64_t weight);
	void *arg;
};

static int tell(void *arg, const struct multimap_entry *e)
{
	const struct told *t = arg;

	return t->fn(t->arg, e->row, e->weight);
}

int flow_result(
	const struct flow *f, int (*fn)(void *arg, const void *row, int64_t weight), void *arg)
{
	struct told t = { fn, arg };

	return multimap_each(f->views->result, tell, &t);
}

uint64_t flow_published(const struct flow *f)
{
	return __atomic_load_n(&f->published, __ATOMIC_RELAXED);
}
