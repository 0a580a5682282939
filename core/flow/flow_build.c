/*
 * flow_build.c: a view that is being built, while commands go on or all at once.
 *
 * Its projector goes through the tables that the view reads, segment by segment in the order of the keys' hashes, and
 * pushes their rows as they are now. A change that a command makes is pushed too when its row lies in what has been gone
 * through, and else it is not: it will be met. So the view is at any moment that of the part of each table which has been
 * gone through, nothing is kept for later, and a row never goes before it has come.
 *
 * Groups and windows give out nothing meanwhile. When the shard's tables are through (in later stages: when all shards have
 * finished the stage before), its nodes give out all they have, one node after another, a slice at a time; a node that has
 * done so goes on as in any other view. When all shards have finished all stages there is, but for what is under way,
 * nothing left to do, and the schema's thread takes the view over at a moment at which the projectors stand still.
 *
 * On the way a lookup key may have several rows (of those that NOT EXISTS is yet to take away, say), and an expression fail
 * for a row that will not stay. So errors are counted but not judged, and rows beyond the first of a key are set aside,
 * until the end.
 */
#include <string.h>

#include "core/base/assert.h"
#include "core/flow/plan_share.h"

/* --- making and freeing --- */

int build_open(struct flow *f, struct view_state *v)
{
	v->build = heap_zalloc(f->heap, sizeof(*v->build));
	return v->build == NULL ? -1 : 0;
}

void build_close(struct flow *f, struct view_state *v)
{
	struct view_build *b = v->build;

	if (b == NULL)
		return;
	if (b->progress != NULL)
		f->building--;
	while (b->sweeps != NULL) {
		struct build_sweep *s = b->sweeps;

		b->sweeps = s->next;
		heap_free(f->heap, s, sizeof(*s));
	}
	if (b->excess != NULL) {
		v->aside = b->excess;
		view_free_later(f, v);
	}
	heap_free(f->heap, b, sizeof(*b));
	v->build = NULL;
}

static struct build_sweep *sweep_of(const struct view_state *v, const struct relation *r)
{
	struct build_sweep *s = v->build->sweeps;

	while (s != NULL && s->relation != r)
		s = s->next;
	return s;
}

int flow_build_begin(struct flow *f, const struct relation *view, struct build_progress *progress,
	struct error *e)
{
	struct view_state *v = flow_view(f, view);

	for (const struct scan_plan *scan = v->plan->scans; scan != NULL; scan = scan->next) {
		const struct parts *parts = scan->relation->user;
		struct build_sweep *s;

		if (sweep_of(v, scan->relation) != NULL)
			continue;
		s = heap_zalloc(f->heap, sizeof(*s));
		if (s == NULL)
			return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		s->relation = scan->relation;
		s->part = parts->part[f->shard];
		s->stage = scan->stage;
		s->next = v->build->sweeps;
		v->build->sweeps = s;
	}
	v->build->progress = progress;
	f->building++;
	return 0;
}

/* --- changes meanwhile --- */

bool build_has(const struct view_state *v, const struct relation *relation, uint64_t hash)
{
	const struct build_sweep *s = sweep_of(v, relation);

	/* Without a sweep it is fed from outside. */
	return s == NULL || s->done || hash < s->place;
}

const void *build_row(const struct view_state *v, const struct relation *relation, const void *row)
{
	const struct build_sweep *s = row == NULL ? NULL : sweep_of(v, relation);

	return s == NULL || s->done || part_key_hash(s->part, row) < s->place ? row : NULL;
}

/* --- a slice --- */

/* One stored row to the view. 0, or -1: the view has failed. */
static int sweep_row(
	struct flow *f, struct view_state *v, const struct build_sweep *s, const void *stored)
{
	const struct relation *view = v->plan->view;
	int64_t count;
	const void *row;

	if (!s->part->counted) {
		flow_push(f, s->relation, NULL, stored, view);
		return v->stopped ? -1 : 0;
	}
	row = part_view_row(s->part, stored, &count, &f->rows);
	if (row == NULL)
		view_no_memory(f, v);
	else
		flow_push_rows(f, s->relation, row, count, 0, view);
	return v->stopped ? -1 : 0;
}

/* Some segments of what the view reads in this stage. True: there was something. */
static bool sweep_some(struct flow *f, struct view_state *v, unsigned stage)
{
	const void *rows[TABLE_SEGMENT_ROWS];
	struct build_sweep *s = v->build->sweeps;
	unsigned all = 0, n;

	while (s != NULL && (s->stage != stage || s->done))
		s = s->next;
	if (s == NULL)
		return false;
	while (!s->done && all < v->build->progress->slice) {
		s->done = !table_segment(s->part->table, &s->place, rows, &n);
		for (unsigned i = 0; i < n; i++) {
			if (i + FETCH_AHEAD < n)
				__builtin_prefetch(rows[i + FETCH_AHEAD]);
			if (sweep_row(f, v, s, rows[i]) != 0)
				return true;
		}
		all += n;
	}
	atomic_fetch_add_explicit(&v->build->progress->rows, all, memory_order_relaxed);
	return true;
}

static bool is_ready(const struct build_progress *b, unsigned stage, uint64_t epoch)
{
	return stage == 0 ||
		(atomic_load_explicit(&b->finished[stage - 1], memory_order_acquire) == b->shards &&
			epoch >= atomic_load_explicit(&b->epoch[stage - 1], memory_order_relaxed));
}

static void stage_finish(struct view_build *b, unsigned stage, uint64_t epoch)
{
	_Atomic uint64_t *last = &b->progress->epoch[stage];
	uint64_t seen = atomic_load_explicit(last, memory_order_relaxed);

	while (seen < epoch && !atomic_compare_exchange_weak(last, &seen, epoch))
		;
	b->finished[stage] = true;
	/* Release: who counts all shards sees the last one's epoch. */
	atomic_fetch_add_explicit(&b->progress->finished[stage], 1, memory_order_release);
}

/* Some groups of the node that is next to give out what it has. */
static void emit_slice(struct flow *f, struct view_state *v, unsigned stage, uint64_t epoch)
{
	struct view_build *b = v->build;
	unsigned *at = &b->frontier[stage];
	const struct node_plan *n;
	struct measure m;
	bool more;

	while (*at < v->plan->nnodes &&
		(v->plan->nodes[*at]->stage != stage || !node_gathers(v->plan->nodes[*at])))
		++*at;
	if (*at == v->plan->nnodes) {
		stage_finish(b, stage, epoch);
		return;
	}
	n = v->plan->nodes[*at];
	m = measure_begin(f);
	more = node_emit_some(f, v, n, b->progress->slice);
	measure_end(f, v, n, 0, &m);
	if (!more && !v->stopped)
		++*at;
	view_gather(f, v, n->number + 1, stage, epoch);
}

static void view_step(struct flow *f, struct view_state *v, unsigned stage, uint64_t epoch)
{
	struct view_build *b = v->build;

	if (b->finished[stage])
		return;
	if (sweep_some(f, v, stage))
		view_gather(f, v, 0, stage, epoch);
	else if (is_ready(b->progress, stage, epoch))
		emit_slice(f, v, stage, epoch);
}

static bool is_building(const struct view_state *v)
{
	return v->build != NULL && v->build->progress != NULL && !v->stopped;
}

void flow_build_step(struct flow *f, unsigned stage, uint64_t epoch)
{
	for (struct view_state *v = f->building == 0 ? NULL : f->views; v != NULL; v = v->next)
		if (is_building(v) && stage < v->build->progress->stages)
			view_step(f, v, stage, epoch);
}

bool flow_building(const struct flow *f, unsigned stages)
{
	for (const struct view_state *v = f->building == 0 ? NULL : f->views; v != NULL;
		v = v->next)
		for (unsigned k = 0; is_building(v) && k < v->build->progress->stages && k < stages;
			k++)
			if (!v->build->finished[k])
				return true;
	return false;
}

bool build_emits(const struct view_state *v, const struct node_plan *n)
{
	return v->build == NULL || n->number < v->build->frontier[n->stage];
}

static void build_end(struct flow *f, struct view_state *v)
{
	build_close(f, v);
	for (const struct tap *t = v->uses; t != NULL; t = t->next_use)
		build_end(f, t->common);
}

void flow_build_end(struct flow *f, const struct relation *view)
{
	struct view_state *v = flow_view(f, view);

	if (v != NULL)
		build_end(f, v);
}
