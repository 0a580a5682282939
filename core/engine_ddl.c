/*
 * engine_ddl.c: schema changes.
 *
 * Happy path: new batches stop; when everything under way has become visible the projectors stand
 * still; the statement is bound again (the schema may have changed since it was prepared); parts
 * are made, a new view is computed from its tables inside one epoch of its own; then the catalog
 * learns of it and the projectors go on. Readers are not stopped: they see the old epoch until the
 * new one is visible, and what was dropped is freed when no pin can reach it.
 *
 * What has to go through many rows (a view, its key, an index) is built while commands go on (core/flow/flow_build.c): the
 * projectors stand still only for a moment before that, and once more when they have done their part. In between this
 * thread waits, and no statement finds what is being built. A view that gets a key is made anew beside itself, as a copy
 * that takes its place.
 *
 * On any error what was begun is freed and the catalog stays as it was.
 */
#include "core/engine_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/assert.h"
#include "core/store/sweep.h"

enum { DRAIN_POLL_NS = 20000, BUILD_POLL_NS = 1000000 };

/* --- the barrier --- */

static void wake_all(struct lf_engine *engine)
{
	for (unsigned s = 0; s < engine->set.shards; s++)
		park_wake(projector_parker(engine->set.projectors[s]));
}

static bool drained(struct lf_engine *engine)
{
	return epochs_idle(engine->set.epochs);
}

static void nap(long ns)
{
	struct timespec t = { 0, ns };

	nanosleep(&t, NULL);
}

void engine_nap(void)
{
	nap(DRAIN_POLL_NS);
}

static void barrier_leave(struct lf_engine *engine)
{
	atomic_store(&engine->set.pause, PAUSE_NONE);
	wake_all(engine);
}

static int barrier_enter(struct lf_engine *engine, struct error *e)
{
	struct projector_set *set = &engine->set;

	atomic_store(&set->pause, PAUSE_DRAIN);
	while (!drained(engine)) {
		if (atomic_load(&set->unwritable)) {
			barrier_leave(engine);
			return error_set(e, ERR_IO, 0, "the journal cannot be written");
		}
		if (engine->options.stepped) {
			for (unsigned s = 0; s < set->shards; s++)
				projector_step(set->projectors[s]);
		} else {
			wake_all(engine);
			engine_nap();
		}
	}
	atomic_store(&set->pause, PAUSE_STOP);
	for (unsigned s = 0; !engine->options.stepped && s < set->shards; s++)
		while (!atomic_load(&engine->threads[s].paused)) {
			park_wake(projector_parker(set->projectors[s]));
			engine_nap();
		}
	/* A batch may have begun before its projector saw the drain. */
	if (drained(engine))
		return 0;
	barrier_leave(engine);
	return barrier_enter(engine, e);
}

/* --- parts --- */

void parts_free(struct parts *parts)
{
	if (parts == NULL)
		return;
	for (unsigned s = 0; s < parts->shards; s++)
		part_free(parts->part[s]);
	free(parts);
}

struct parts *parts_new(
	struct lf_engine *engine, const struct relation *r, uint64_t since, struct error *e)
{
	unsigned shards = engine->set.shards;
	struct parts *parts = calloc(1, sizeof(*parts) + shards * sizeof(parts->part[0]));

	if (parts == NULL) {
		error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		return NULL;
	}
	parts->shards = shards;
	parts->partition = r->partition;
	parts->since = since;
	parts->older = r->user;
	if (r->nkey > 0)
		parts->key_id = r->indexes[0]->id;
	for (unsigned s = 0; s < shards; s++) {
		struct projector *p = engine->set.projectors[s];

		if (part_new(&parts->part[s], r, projector_heap(p), projector_retire(p), e) != 0) {
			parts_free(parts);
			return NULL;
		}
		parts->part[s]->all = parts;
	}
	return parts;
}

int parts_register(struct lf_engine *engine, struct parts *parts, struct error *e)
{
	for (unsigned s = 0; s < parts->shards; s++)
		if (projector_add_part(engine->set.projectors[s], parts->part[s]) != 0) {
			while (s-- > 0)
				projector_remove_part(engine->set.projectors[s], parts->part[s]);
			return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		}
	return 0;
}

static void gone_free(struct lf_engine *engine, uint64_t reclaimable)
{
	for (struct parts **link = &engine->gone; *link != NULL;) {
		struct parts *parts = *link;

		if (parts->gone > reclaimable) {
			link = &parts->next_gone;
			continue;
		}
		*link = parts->next_gone;
		if (parts->relation != NULL)
			parts->relation->user = NULL;
		relation_release(parts->relation);
		free(parts);
	}
}

void engine_gone_free(struct lf_engine *engine)
{
	gone_free(engine, UINT64_MAX);
}

static void gone_add(
	struct lf_engine *engine, struct parts *parts, struct relation *relation, uint64_t epoch)
{
	parts->gone = epoch;
	parts->relation = relation;
	parts->next_gone = engine->gone;
	engine->gone = parts;
}

void parts_condemn(
	struct lf_engine *engine, struct parts *parts, struct relation *relation, uint64_t epoch)
{
	gone_add(engine, parts, relation, epoch);
	for (unsigned s = 0; s < parts->shards; s++) {
		struct projector *p = engine->set.projectors[s];

		projector_remove_part(p, parts->part[s]);
		(void)projector_condemn(p, parts->part[s], epoch);
	}
}

/* Parts that could not be finished: nothing but the header can have been seen. */
static void parts_take_back(
	struct lf_engine *engine, struct relation *r, struct parts *parts, uint64_t epoch)
{
	__atomic_store_n(&r->user, parts->older, __ATOMIC_RELEASE);
	for (unsigned s = 0; s < parts->shards; s++)
		part_free(parts->part[s]);
	gone_add(engine, parts, NULL, epoch);
}

/* --- views --- */

struct view_slot **view_slot_find(struct lf_engine *engine, const struct relation *view)
{
	struct view_slot **slot = &engine->views;

	while (*slot != NULL && (*slot)->view != view)
		slot = &(*slot)->next;
	return slot;
}

static void relation_copy_free(struct relation *copy)
{
	if (copy != NULL)
		free(copy->indexes);
	free(copy);
}

static void slot_free(struct view_slot *slot)
{
	view_plan_free(slot->plan);
	relation_copy_free(slot->copy);
	free(slot);
}

static void view_forget(struct lf_engine *engine, const struct relation *view)
{
	struct view_slot **link = view_slot_find(engine, view);
	struct view_slot *slot = *link;

	for (unsigned s = 0; s < engine->set.shards; s++)
		flow_drop_view(projector_flow(engine->set.projectors[s]), view);
	if (slot == NULL)
		return;
	*link = slot->next;
	slot_free(slot);
}

void engine_views_free(struct lf_engine *engine)
{
	while (engine->views != NULL) {
		struct view_slot *slot = engine->views;

		engine->views = slot->next;
		slot_free(slot);
	}
}

static void stages_set(struct lf_engine *engine)
{
	unsigned stages = 1;

	for (const struct view_slot *v = engine->views; v != NULL; v = v->next)
		if (view_plan_stages(v->plan) > stages)
			stages = view_plan_stages(v->plan);
	engine->set.stages = stages;
	epochs_set_stages(engine->set.epochs, stages);
	for (unsigned s = 0; s < engine->set.shards; s++)
		projector_set_finished(
			engine->set.projectors[s], epoch_visible(engine->set.epochs));
}

/* What a batch touches stays in the cache between operators. */
enum { BUILD_ROWS = LIMIT_BATCH_COMMANDS };

/* Whether the view reads the relation; NULL: any view. */
static bool reads(
	const struct lf_engine *engine, const struct relation *view, const struct relation *r)
{
	if (view == NULL) {
		for (const struct view_slot *v = engine->views; v != NULL; v = v->next)
			if (reads(engine, v->view, r))
				return true;
		return false;
	}
	for (unsigned i = 0; i < view->nreads; i++)
		if (view->reads[i] == r)
			return true;
	return false;
}

static void table_feed(struct projector *p, unsigned shard, const struct relation *table,
	const struct relation *only, uint64_t epoch)
{
	const struct parts *parts = table->user;
	struct table_sweep sweep;
	const void *row;
	unsigned n = 0;

	table_sweep_begin(&sweep, parts->part[shard]->table, (uint16_t)table->partition);
	while ((row = table_sweep_next(&sweep)) != NULL) {
		flow_push(projector_flow(p), table, NULL, row, only);
		if (++n % BUILD_ROWS == 0)
			projector_build_stage(p, only, 0, epoch, false);
	}
	projector_build_stage(p, only, 0, epoch, false);
	table_sweep_end(&sweep);
}

/* The rows of a view to one over it, which is being built. 0, or -1 out of memory. */
static int view_feed(struct projector *p, unsigned shard, const struct relation *view,
	const struct relation *only, uint64_t epoch)
{
	const struct parts *parts = view->user;
	const struct part *part = parts->part[shard];
	struct table_cursor scan;
	const void *stored;
	struct arena rows;
	unsigned n = 0;
	int status = 0;

	arena_init(&rows, NULL);
	table_scan_begin(&scan, part->table, UINT64_MAX);
	while (status == 0 && (stored = table_scan_next(&scan)) != NULL) {
		int64_t count;
		const void *row = part_view_row(part, stored, &count, &rows);

		if (row == NULL)
			status = -1;
		else
			flow_push_rows(projector_flow(p), view, row, count, 0, only);
		if (++n % BUILD_ROWS == 0) {
			projector_build_stage(p, only, view->stage, epoch, false);
			arena_reset(&rows);
		}
	}
	projector_build_stage(p, only, view->stage, epoch, false);
	arena_free(&rows);
	return status;
}

/* Feed the rows of every table to the view that is being built (NULL: to all views), stage after stage. They stay valid:
 * nobody writes meanwhile. Of all views, those over others are fed by these. */
static int views_feed(
	struct lf_engine *engine, const struct relation *only, unsigned stages, uint64_t epoch)
{
	struct projector_set *set = &engine->set;
	int status = 0;

	for (unsigned k = 0; k < stages; k++)
		for (unsigned s = 0; s < set->shards; s++) {
			struct projector *p = set->projectors[s];

			/* What is sent from now on is of this epoch. */
			projector_build_stage(p, only, k, epoch, false);
			for (unsigned i = 0; i < catalog_count(engine->catalog); i++) {
				const struct relation *r = catalog_at(engine->catalog, i);

				if (!reads(engine, only, r))
					continue;
				if (r->kind == RELATION_TABLE && k == 0)
					table_feed(p, s, r, only, epoch);
				else if (r->kind == RELATION_VIEW && only != NULL && r->stage == k)
					status |= view_feed(p, s, r, only, epoch);
			}
			projector_build_stage(p, only, k, epoch, true);
		}
	return status;
}

/* A view over one that has failed has failed. */
static int view_reads_sound(const struct relation *view, struct error *e)
{
	for (unsigned i = 0; i < view->nreads; i++) {
		const struct relation *r = view->reads[i];
		const struct parts *parts = r->user;

		if (r->kind == RELATION_VIEW && failure_seen(&parts->failure))
			return error_set(e, ERR_VIEW_FAILED, 0,
				"view \"%s\", which it reads, has failed", r->name);
	}
	return 0;
}

/* It cannot be finished: as if it had not been begun. */
static void view_abandon(struct lf_engine *engine, struct relation *view, uint64_t epoch)
{
	struct parts *parts = view->user;

	view_forget(engine, view);
	parts_take_back(engine, view, parts, epoch);
}

/* Make the plan, the parts and the operators' state of a view, to be fed at `epoch`. */
static int view_open(struct lf_engine *engine, struct relation *view, uint64_t epoch,
	const struct view_plan **plan, struct error *e)
{
	struct projector_set *set = &engine->set;
	struct view_slot *slot;
	struct parts *parts;

	if (view_reads_sound(view, e) != 0)
		return -1;
	slot = calloc(1, sizeof(*slot));
	if (slot == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	if (view_plan_new(&slot->plan, view, set->shards, engine->heap, e) != 0) {
		free(slot);
		return -1;
	}
	parts = parts_new(engine, view, epoch, e);
	if (parts == NULL) {
		view_plan_free(slot->plan);
		free(slot);
		return -1;
	}
	view->stage = view_plan_stages(slot->plan) - 1;
	slot->view = view;
	slot->next = engine->views;
	engine->views = slot;
	*plan = slot->plan;
	/* Release: readers look at its header, and go on to the older ones until this epoch is visible. */
	__atomic_store_n(&view->user, parts, __ATOMIC_RELEASE);
	for (unsigned s = 0; s < set->shards; s++)
		if (flow_add_view(projector_flow(set->projectors[s]), slot->plan, parts->part[s],
			    e) != 0) {
			view_abandon(engine, view, epoch);
			return -1;
		}
	return 0;
}

/* It has been fed: see how it went. On failure it is as before view_open(). */
static int view_close(
	struct lf_engine *engine, struct relation *view, uint64_t epoch, struct error *e)
{
	struct parts *parts = view->user;
	int status = 0;

	if (parts->failure.failed) {
		*e = parts->failure.reason;
		status = -1;
	}
	if (status == 0)
		status = parts_register(engine, parts, e);
	if (status != 0)
		view_abandon(engine, view, epoch);
	for (unsigned s = 0; status == 0 && s < engine->set.shards; s++)
		flow_build_end(projector_flow(engine->set.projectors[s]), view);
	return status;
}

static int view_build(
	struct lf_engine *engine, struct relation *view, uint64_t epoch, struct error *e)
{
	const struct view_plan *plan;

	if (view_open(engine, view, epoch, &plan, e) != 0)
		return -1;
	if (views_feed(engine, view, view_plan_stages(plan), epoch) == 0)
		return view_close(engine, view, epoch, e);
	view_abandon(engine, view, epoch);
	return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
}

/* --- statements --- */

static int create_table(struct lf_engine *engine, struct relation *r, struct error *e)
{
	struct parts *parts = parts_new(engine, r, 0, e);

	if (parts == NULL)
		return -1;
	if (parts_register(engine, parts, e) != 0) {
		parts_free(parts);
		return -1;
	}
	r->user = parts;
	if (catalog_add(engine->catalog, r, e) == 0)
		return 0;
	r->user = NULL;
	for (unsigned s = 0; s < parts->shards; s++)
		projector_remove_part(engine->set.projectors[s], parts->part[s]);
	parts_free(parts);
	return -1;
}

/* A view that has been built becomes one of the catalog's. */
static int view_add(struct lf_engine *engine, struct relation *r, struct error *e)
{
	struct parts *parts;

	if (catalog_add(engine->catalog, r, e) == 0)
		return 0;
	parts = r->user;
	view_forget(engine, r);
	r->user = NULL;
	for (unsigned s = 0; s < parts->shards; s++)
		projector_remove_part(engine->set.projectors[s], parts->part[s]);
	parts_free(parts);
	return -1;
}

static int create_view(
	struct lf_engine *engine, struct relation *r, uint64_t epoch, struct error *e)
{
	if (engine->recovering)
		return catalog_add(engine->catalog, r, e);
	return view_build(engine, r, epoch, e) != 0 ? -1 : view_add(engine, r, e);
}

/* The key of a view has changed: keep its rows by the new one. On failure the caller undoes the
 * change of the catalog and calls again. */
static int view_rebuild(
	struct lf_engine *engine, struct relation *view, uint64_t epoch, struct error *e)
{
	struct parts *old = view->user;

	view_forget(engine, view);
	if (view_build(engine, view, epoch, e) != 0)
		return -1;
	parts_condemn(engine, old, NULL, epoch);
	return 0;
}

/* As view_rebuild(), with no way back: a view that cannot be made again has failed. */
static int view_rebuild_or_fail(
	struct lf_engine *engine, struct relation *view, uint64_t epoch, struct error *e)
{
	struct parts *parts;

	if (view_rebuild(engine, view, epoch, e) == 0)
		return 0;
	parts = view->user;
	parts->failure.reason = *e;
	__atomic_store_n(&parts->failure.failed, true, __ATOMIC_RELEASE);
	projector_views_failed(&engine->set);
	return -1;
}

static int view_key_set(
	struct lf_engine *engine, struct index_def *ix, uint64_t epoch, struct error *e)
{
	struct relation *r = ix->relation;
	struct error ignored;

	if (view_rebuild(engine, r, epoch, e) == 0)
		return 0;
	(void)catalog_drop_index(engine->catalog, ix, &ignored);
	(void)view_rebuild_or_fail(engine, r, epoch, &ignored);
	return -1;
}

static int create_index(
	struct lf_engine *engine, struct index_def *ix, uint64_t epoch, struct error *e)
{
	struct relation *r = ix->relation;
	struct parts *parts = r->user;
	bool keyed = r->nkey > 0;

	if (catalog_add_index(engine->catalog, ix, e) != 0)
		return -1;
	if (parts == NULL)
		return 0; /* a view that is not computed yet */
	if (r->kind == RELATION_VIEW && ix->unique && !keyed)
		return view_key_set(engine, ix, epoch, e);
	for (unsigned s = 0; s < parts->shards; s++)
		if (part_add_index(parts->part[s], ix, epoch, e) != 0) {
			struct error ignored;

			while (s-- > 0)
				part_drop_index(parts->part[s], ix, epoch);
			(void)catalog_drop_index(engine->catalog, ix, &ignored);
			return -1;
		}
	return 0;
}

static int drop_index(
	struct lf_engine *engine, struct index_def *ix, uint64_t epoch, struct error *e)
{
	struct relation *r = ix->relation;
	bool key = r->kind == RELATION_VIEW && r->nkey > 0 && r->indexes[0] == ix;
	struct parts *parts = r->user;

	if (catalog_drop_index(engine->catalog, ix, e) != 0)
		return -1;
	if (parts == NULL)
		return 0;
	if (key)
		return view_rebuild_or_fail(engine, r, epoch, e);
	for (unsigned s = 0; s < parts->shards; s++)
		part_drop_index(parts->part[s], ix, epoch);
	return 0;
}

static int drop_relation(
	struct lf_engine *engine, struct relation *r, uint64_t epoch, struct error *e)
{
	struct parts *parts = r->user;
	bool view = r->kind == RELATION_VIEW;

	relation_hold(r);
	if (catalog_drop(engine->catalog, r, e) != 0) {
		relation_release(r);
		return -1;
	}
	if (parts == NULL) {
		relation_release(r);
		return 0;
	}
	if (view)
		view_forget(engine, r);
	/* With the reference: the condemned parts and late readers still look at the relation. */
	parts_condemn(engine, parts, r, epoch);
	return 0;
}

static int drop(
	struct lf_engine *engine, const struct statement *s, uint64_t epoch, struct error *e)
{
	for (unsigned i = 0; i < s->drop.n; i++) {
		int status;

		if (s->drop.indexes != NULL && s->drop.indexes[i] != NULL)
			status = drop_index(engine, s->drop.indexes[i], epoch, e);
		else
			status = drop_relation(engine, s->drop.relations[i], epoch, e);
		if (status != 0)
			return -1;
	}
	return 0;
}

static int alter_view(struct lf_engine *engine, const struct statement *s)
{
	struct relation *view = s->alter_view.view;

	if (!s->alter_view.given)
		return 0;
	view->altered = true;
	__atomic_store_n(&view->memory_limit, s->alter_view.memory_limit, __ATOMIC_RELAXED);
	for (unsigned shard = 0; shard < engine->set.shards; shard++)
		flow_enforce_limits(projector_flow(engine->set.projectors[shard]));
	return 0;
}

static bool has_failed(const struct relation *view)
{
	const struct parts *parts = view->user;

	return parts != NULL && failure_seen(&parts->failure);
}

/* A view that has failed is computed anew; a sound one is always up to date. On failure it stays as it is. */
static int refresh_view(
	struct lf_engine *engine, struct relation *view, uint64_t epoch, struct error *e)
{
	return has_failed(view) ? view_rebuild(engine, view, epoch, e) : 0;
}

static int execute(
	struct lf_engine *engine, const struct statement *s, uint64_t epoch, struct error *e)
{
	switch (s->kind) {
	case STATEMENT_CREATE_TABLE: return create_table(engine, s->create.created, e);
	case STATEMENT_CREATE_VIEW: return create_view(engine, s->create.created, epoch, e);
	case STATEMENT_CREATE_INDEX: return create_index(engine, s->create_index.created, epoch, e);
	case STATEMENT_ALTER: return engine_alter(engine, s, epoch, e);
	case STATEMENT_DROP: return drop(engine, s, epoch, e);
	case STATEMENT_ALTER_VIEW: return alter_view(engine, s);
	case STATEMENT_REFRESH_VIEW: return refresh_view(engine, s->refresh.view, epoch, e);
	default: return 0;
	}
}

/* --- what is kept of a schema change --- */

/* On disk before it is visible. */
static int schema_journal(struct lf_engine *engine, uint64_t epoch, uint32_t next_id,
	const char *text, size_t len, struct error *e)
{
	struct journal *j = engine->schema_journal;
	struct projector_set *set = &engine->set;

	if (j == NULL)
		return 0;
	if (journal_append_schema(j, epoch, next_id, text, len) == 0 && journal_sync(j) == 0)
		return 0;
	projector_set_unwritable(set, journal_error(j));
	error_set(e, ERR_OUTCOME_UNKNOWN, 0,
		"the journal cannot be written: whether the schema change survives is unknown");
	return error_detail(e, "%.*s", ERROR_DETAIL_MAX - 1, journal_error(j)->message);
}

static int schema_journal_ready(struct lf_engine *engine, size_t len, struct error *e)
{
	struct journal *j = engine->schema_journal;

	if (j == NULL || journal_prepare(j, sizeof(struct schema_text) + len + 8) == 0)
		return 0;
	*e = *journal_error(j);
	if (journal_state(j) == JOURNAL_FAILED)
		projector_set_unwritable(&engine->set, e);
	return -1;
}

/* --- building while commands go on --- */

static uint64_t rows_of(const struct relation *r)
{
	return r->user == NULL ? 0 : parts_rows(r->user);
}

static uint64_t rows_read(const struct relation *view)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < view->nreads; i++)
		n += rows_of(view->reads[i]);
	return n;
}

static bool is_view_key(const struct index_def *ix)
{
	return ix->relation->kind == RELATION_VIEW && ix->unique && ix->relation->nkey == 0;
}

/* Rows that a schema change has to go through. */
static uint64_t rows_concerned(const struct statement *s)
{
	const struct index_def *ix;

	if (s->kind == STATEMENT_CREATE_VIEW)
		return rows_read(s->create.created);
	if (s->kind == STATEMENT_REFRESH_VIEW)
		return has_failed(s->refresh.view) ? rows_read(s->refresh.view) : 0;
	if (s->kind != STATEMENT_CREATE_INDEX)
		return 0;
	ix = s->create_index.created;
	return is_view_key(ix) ? rows_read(ix->relation) : rows_of(ix->relation);
}

static void build_free(struct online_build *b)
{
	if (b->replaces != NULL)
		relation_copy_free(b->view);
	free(b);
}

/* The relation as it will be, with this index as its key (NULL: with the one it has); NULL: out of memory. */
static struct relation *relation_copy(
	struct lf_engine *engine, const struct relation *r, struct index_def *ix)
{
	struct relation *copy = malloc(sizeof(*copy));
	struct index_def **indexes = calloc(r->nindexes + 1u, sizeof(*indexes));

	if (copy == NULL || indexes == NULL) {
		free(copy);
		free(indexes);
		return NULL;
	}
	*copy = *r;
	/* Its rows and the other's are told apart on their way between shards. */
	copy->id = catalog_next_id(engine->catalog);
	indexes[0] = ix;
	for (unsigned i = 0; i < r->nindexes; i++)
		indexes[i + (ix != NULL)] = r->indexes[i];
	copy->indexes = indexes;
	copy->user = NULL;
	if (ix == NULL)
		return copy;
	copy->nindexes++;
	copy->nkey = ix->ncols;
	copy->key = ix->cols;
	copy->partition = (int16_t)ix->cols[0];
	ix->primary = true;
	return copy;
}

/* What the projectors have of it goes. */
static void build_abandon(struct lf_engine *engine, struct online_build *b, uint64_t epoch)
{
	const struct parts *parts;

	if (b->view != NULL) {
		view_abandon(engine, b->view, epoch);
		return;
	}
	parts = b->index->relation->user;
	for (unsigned s = 0; s < parts->shards; s++) {
		projector_build_index(engine->set.projectors[s], NULL, NULL, NULL);
		part_drop_index(parts->part[s], b->index, epoch);
	}
}

static int view_begin(
	struct lf_engine *engine, struct online_build *b, uint64_t epoch, struct error *e)
{
	const struct view_plan *plan;

	if (view_open(engine, b->view, epoch, &plan, e) != 0)
		return -1;
	b->parts = b->view->user;
	b->rows = rows_read(b->view);
	b->progress.stages = view_plan_stages(plan);
	for (unsigned s = 0; s < engine->set.shards; s++)
		if (flow_build_begin(projector_flow(engine->set.projectors[s]), b->view,
			    &b->progress, e) != 0) {
			view_abandon(engine, b->view, epoch);
			return -1;
		}
	return 0;
}

static int copy_begin(struct lf_engine *engine, struct online_build *b, struct relation *replaces,
	uint64_t epoch, struct error *e)
{
	b->view = relation_copy(engine, replaces, b->index);
	if (b->view == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	b->replaces = replaces;
	return view_begin(engine, b, epoch, e);
}

static int index_begin(
	struct lf_engine *engine, struct online_build *b, uint64_t epoch, struct error *e)
{
	const struct parts *parts = b->index->relation->user;

	b->rows = rows_of(b->index->relation);
	b->progress.stages = 1;
	for (unsigned s = 0; s < parts->shards; s++) {
		if (part_begin_index(parts->part[s], b->index, e) != 0) {
			while (s-- > 0)
				part_drop_index(parts->part[s], b->index, epoch);
			return -1;
		}
	}
	for (unsigned s = 0; s < parts->shards; s++)
		projector_build_index(
			engine->set.projectors[s], parts->part[s], b->index, &b->progress);
	return 0;
}

/* Have the projectors begin; takes the statement over if it succeeds. */
static int build_begin(struct lf_engine *engine, struct statement *s, uint64_t epoch,
	uint32_t next_id, struct error *e)
{
	struct online_build *b = calloc(1, sizeof(*b));
	int status;

	if (b == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	b->statement = s;
	b->next_id = next_id;
	b->progress.shards = engine->set.shards;
	b->progress.slice = engine->options.build_slice;
	if (s->kind == STATEMENT_CREATE_VIEW) {
		b->view = s->create.created;
		status = view_begin(engine, b, epoch, e);
	} else if (s->kind == STATEMENT_REFRESH_VIEW) {
		status = copy_begin(engine, b, s->refresh.view, epoch, e);
	} else {
		b->index = s->create_index.created;
		status = catalog_check_index(engine->catalog, b->index, e);
		if (status == 0)
			status = is_view_key(b->index)
				? copy_begin(engine, b, b->index->relation, epoch, e)
				: index_begin(engine, b, epoch, e);
	}
	if (status == 0)
		engine->build = b;
	else
		build_free(b);
	return status;
}

static bool build_has_failed(const struct online_build *b)
{
	return failure_seen(b->parts == NULL ? &b->progress.failure : &b->parts->failure);
}

/* Whether the projectors have done their part, or there is no use in waiting for it. */
static bool build_is_over(const struct lf_engine *engine)
{
	const struct online_build *b = engine->build;

	if (atomic_load(&engine->stopping) || atomic_load(&engine->set.unwritable) ||
		build_has_failed(b))
		return true;
	for (unsigned k = 0; k < b->progress.stages; k++)
		if (atomic_load_explicit(&b->progress.finished[k], memory_order_acquire) <
			b->progress.shards)
			return false;
	return true;
}

/* What commands have brought since the projectors were done, and the view is whole. */
static int view_end(
	struct lf_engine *engine, const struct online_build *b, uint64_t epoch, struct error *e)
{
	struct projector_set *set = &engine->set;

	for (unsigned k = 0; k < b->progress.stages; k++)
		for (unsigned s = 0; s < set->shards; s++)
			projector_build_stage(set->projectors[s], b->view, k, epoch, true);
	if (view_close(engine, b->view, epoch, e) != 0)
		return -1;
	b->parts->since = epoch;
	return 0;
}

/* The copy takes the view's place. */
static int copy_end(
	struct lf_engine *engine, struct online_build *b, uint64_t epoch, struct error *e)
{
	struct relation *r = b->replaces;
	struct parts *old = r->user;
	struct view_slot *slot;

	if (b->index != NULL && catalog_add_index(engine->catalog, b->index, e) != 0) {
		view_abandon(engine, b->view, epoch);
		return -1;
	}
	if (view_end(engine, b, epoch, e) != 0) {
		struct error ignored;

		if (b->index != NULL)
			(void)catalog_drop_index(engine->catalog, b->index, &ignored);
		return -1;
	}
	slot = *view_slot_find(engine, b->view);
	view_forget(engine, r);
	view_plan_retarget(slot->plan, b->view, r);
	slot->view = r;
	slot->copy = b->view;
	b->view = NULL;
	r->stage = slot->copy->stage;
	for (unsigned s = 0; s < b->parts->shards; s++)
		b->parts->part[s]->relation = r;
	b->parts->older = old;
	__atomic_store_n(&r->user, b->parts, __ATOMIC_RELEASE);
	parts_condemn(engine, old, NULL, epoch);
	return 0;
}

static int index_end(
	struct lf_engine *engine, struct online_build *b, uint64_t epoch, struct error *e)
{
	const struct parts *parts = b->index->relation->user;
	int status = 0;

	if (b->progress.failure.failed) {
		*e = b->progress.failure.reason;
		status = -1;
	}
	if (status == 0)
		status = catalog_add_index(engine->catalog, b->index, e);
	if (status != 0) {
		build_abandon(engine, b, epoch);
		return -1;
	}
	for (unsigned s = 0; s < parts->shards; s++)
		part_end_index(parts->part[s], b->index, epoch);
	return 0;
}

static int build_end(struct lf_engine *engine, const struct ddl_job *job, struct error *e)
{
	struct online_build *b = engine->build;
	int status = atomic_load(&engine->stopping) ? error_set(e, ERR_SHUTDOWN, 0, NULL)
						    : schema_journal_ready(engine, job->len, e);

	if (status != 0) {
		build_abandon(engine, b, job->epoch);
		return -1;
	}
	if (b->replaces != NULL)
		return copy_end(engine, b, job->epoch, e);
	if (b->view == NULL)
		return index_end(engine, b, job->epoch, e);
	return view_end(engine, b, job->epoch, e) != 0 ? -1 : view_add(engine, b->view, e);
}

void engine_build_free(struct lf_engine *engine)
{
	if (engine->build == NULL)
		return;
	free(engine->build->parts);
	statement_free(engine->build->statement);
	build_free(engine->build);
}

/* --- one schema change --- */

/* The projectors stand still. */
static void epoch_end(struct lf_engine *engine, uint64_t epoch)
{
	struct projector_set *set = &engine->set;

	epoch_leave(set->epochs, 0);
	epoch_advance(set->epochs);
	for (unsigned k = 1; k < set->stages; k++)
		for (unsigned shard = 0; shard < set->shards; shard++)
			epoch_finish(set->epochs, shard, k, epoch);
	epoch_advance(set->epochs);
	ASSERT(epoch_visible(set->epochs) >= epoch);
	stages_set(engine);
}

static int statement_run(
	struct lf_engine *engine, const char *text, size_t len, uint64_t epoch, struct error *e)
{
	struct statement *s;
	int status = sql_prepare(&s, engine->catalog, engine->heap, text, len, NULL, 0, e);

	if (status == 0) {
		status = execute(engine, s, epoch, e);
		statement_free(s);
	}
	return status;
}

/* Whether a later run has to do it again. */
static bool is_kept(const struct statement *s)
{
	return s->kind != STATEMENT_REFRESH_VIEW;
}

/* All of it, or its beginning: then there is an engine->build. */
static int statement_begin(struct lf_engine *engine, struct ddl_job *job)
{
	uint32_t next_id = catalog_coming_id(engine->catalog);
	struct error *e = &job->error;
	struct statement *s;
	int status;

	if (schema_journal_ready(engine, job->len, e) != 0 ||
		sql_prepare(&s, engine->catalog, engine->heap, job->text, job->len, NULL, 0, e) !=
			0)
		return -1;
	if (rows_concerned(s) > engine->options.build_at_once) {
		status = build_begin(engine, s, job->epoch, next_id, e);
		if (status == 0)
			return 0;
	} else {
		status = execute(engine, s, job->epoch, e);
		if (status == 0 && is_kept(s))
			status = schema_journal(
				engine, job->epoch, next_id, job->text, job->len, e);
	}
	statement_free(s);
	return status;
}

static int statement_end(struct lf_engine *engine, struct ddl_job *job)
{
	int status = build_end(engine, job, &job->error);

	if (status == 0 && is_kept(engine->build->statement))
		status = schema_journal(engine, job->epoch, engine->build->next_id, job->text,
			job->len, &job->error);
	statement_free(engine->build->statement);
	build_free(engine->build);
	engine->build = NULL;
	return status;
}

/* A schema change, or the beginning or the end of one, with the projectors standing still. */
static int ddl_run(struct lf_engine *engine, struct ddl_job *job,
	int (*run)(struct lf_engine *engine, struct ddl_job *job))
{
	int status;

	if (barrier_enter(engine, &job->error) != 0)
		return -1;
	pthread_mutex_lock(&engine->catalog_lock);
	gone_free(engine, epoch_reclaimable(engine->set.epochs));
	job->epoch = epoch_enter(engine->set.epochs, 0);
	status = run(engine, job);
	epoch_end(engine, job->epoch);
	pthread_mutex_unlock(&engine->catalog_lock);
	barrier_leave(engine);
	return status;
}

/* --- recovery --- */

int engine_ddl_replay(
	struct lf_engine *engine, const char *text, size_t len, uint32_t next_id, struct error *e)
{
	uint64_t epoch = epoch_enter(engine->set.epochs, 0);
	int status;

	catalog_set_coming_id(engine->catalog, next_id);
	status = statement_run(engine, text, len, epoch, e);
	epoch_end(engine, epoch);
	gone_free(engine, epoch_reclaimable(engine->set.epochs));
	return status;
}

/* So that it can be read, and says why it has no rows. */
static int view_fail(struct lf_engine *engine, struct relation *view, uint64_t epoch,
	const struct error *why, struct error *e)
{
	struct parts *parts = parts_new(engine, view, epoch, e);

	if (parts == NULL)
		return -1;
	if (parts_register(engine, parts, e) != 0) {
		parts_free(parts);
		return -1;
	}
	parts->failure.reason = *why;
	parts->failure.failed = true;
	view->user = parts;
	return 0;
}

/* Of all that is known by name only: one that cannot be opened has failed. */
static int views_open(struct lf_engine *engine, uint64_t epoch, unsigned *stages, struct error *e)
{
	*stages = 1;
	for (unsigned i = 0; i < catalog_count(engine->catalog); i++) {
		struct relation *r = catalog_at(engine->catalog, i);
		const struct view_plan *plan;
		struct error why;

		if (r->kind != RELATION_VIEW)
			continue;
		if (view_open(engine, r, epoch, &plan, &why) == 0)
			*stages = view_plan_stages(plan) > *stages ? view_plan_stages(plan)
								   : *stages;
		else if (view_fail(engine, r, epoch, &why, e) != 0)
			return -1;
	}
	return 0;
}

int engine_ddl_views(struct lf_engine *engine, struct error *e)
{
	uint64_t epoch = epoch_enter(engine->set.epochs, 0);
	unsigned stages;
	int status = views_open(engine, epoch, &stages, e);

	if (status == 0)
		(void)views_feed(engine, NULL, stages, epoch);
	for (unsigned i = 0; status == 0 && i < catalog_count(engine->catalog); i++) {
		struct relation *r = catalog_at(engine->catalog, i);
		struct error why;

		if (r->kind == RELATION_VIEW && *view_slot_find(engine, r) != NULL &&
			view_close(engine, r, epoch, &why) != 0)
			status = view_fail(engine, r, epoch, &why, e);
	}
	epoch_end(engine, epoch);
	return status;
}

/* --- the thread and its queue --- */

static struct ddl_job *ddl_take(struct ddl_queue *q)
{
	struct ddl_job *job = q->head;

	if (job == NULL)
		return NULL;
	q->head = job->next;
	if (q->head == NULL)
		q->tail = &q->head;
	job->next = NULL;
	return job;
}

static void ddl_done(struct ddl_job *job, int status)
{
	if (status == 0)
		job->error.code = ERR_OK;
	port_ddl_done(job->port, job);
}

/* False: it goes on, see ddl_continue(). */
static bool ddl_execute(struct lf_engine *engine, struct ddl_job *job)
{
	int status;

	error_clear(&job->error);
	if (job->checkpoint) {
		job->epoch = epoch_visible(engine->set.epochs);
		status = lf_checkpoint(engine, &job->error);
	} else {
		status = ddl_run(engine, job, statement_begin);
	}
	if (status == 0 && engine->build != NULL) {
		engine->build->job = job;
		return false;
	}
	ddl_done(job, status);
	return true;
}

/* What is being built: if the projectors are through, the end of it. */
static bool ddl_continue(struct lf_engine *engine)
{
	struct ddl_job *job = engine->build->job;

	int status;

	if (!build_is_over(engine))
		return false;
	status = ddl_run(engine, job, statement_end);
	/* Without a moment of rest, the journal having failed, it stays to the engine's end. */
	if (engine->build != NULL)
		engine->build->job = NULL;
	ddl_done(job, status);
	return true;
}

static void *ddl_thread(void *arg)
{
	struct lf_engine *engine = arg;

	pthread_mutex_lock(&engine->ddl_lock);
	for (;;) {
		struct ddl_job *job = ddl_take(&engine->ddl_jobs);

		if (job == NULL) {
			if (atomic_load(&engine->stopping))
				break;
			pthread_cond_wait(&engine->ddl_cond, &engine->ddl_lock);
			continue;
		}
		pthread_mutex_unlock(&engine->ddl_lock);
		if (!ddl_execute(engine, job))
			while (!ddl_continue(engine))
				nap(BUILD_POLL_NS);
		pthread_mutex_lock(&engine->ddl_lock);
	}
	pthread_mutex_unlock(&engine->ddl_lock);
	return NULL;
}

int engine_ddl_start(struct lf_engine *engine, struct error *e)
{
	if (pthread_create(&engine->ddl_thread, NULL, ddl_thread, engine) != 0)
		return error_set(
			e, ERR_OUT_OF_MEMORY, 0, "could not create the thread for schema changes");
	(void)pthread_setname_np(engine->ddl_thread, "schema");
	engine->ddl_started = true;
	return 0;
}

void engine_ddl_stop(struct lf_engine *engine)
{
	if (!engine->ddl_started)
		return;
	pthread_mutex_lock(&engine->ddl_lock);
	atomic_store(&engine->stopping, true);
	pthread_cond_signal(&engine->ddl_cond);
	pthread_mutex_unlock(&engine->ddl_lock);
	pthread_join(engine->ddl_thread, NULL);
	engine->ddl_started = false;
}

int engine_ddl_submit(struct lf_engine *engine, struct lf_port *port, const struct statement *s,
	uint64_t tag, enum lf_ack ack, struct error *e)
{
	size_t len = strlen(s->text);
	struct ddl_job *job = malloc(sizeof(*job) + len + 1);

	if (job == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	memset(job, 0, sizeof(*job));
	job->port = port;
	job->text = (char *)(job + 1);
	job->len = len;
	job->tag = tag;
	job->ack = ack;
	job->checkpoint = s->kind == STATEMENT_CHECKPOINT;
	memcpy(job->text, s->text, len);
	job->text[len] = '\0';
	pthread_mutex_lock(&engine->ddl_lock);
	*engine->ddl_jobs.tail = job;
	engine->ddl_jobs.tail = &job->next;
	pthread_cond_signal(&engine->ddl_cond);
	pthread_mutex_unlock(&engine->ddl_lock);
	return 0;
}

bool engine_ddl_step(struct lf_engine *engine)
{
	struct ddl_job *job;

	if (engine->build != NULL && engine->build->job != NULL)
		return ddl_continue(engine);
	job = ddl_take(&engine->ddl_jobs);
	if (job == NULL)
		return false;
	(void)ddl_execute(engine, job);
	return true;
}

const struct view_plan *engine_view_plan(struct lf_engine *engine, const struct relation *view)
{
	const struct view_slot *slot = *view_slot_find(engine, view);

	return slot == NULL ? NULL : slot->plan;
}

size_t lf_explain(struct lf_engine *engine, const char *view, char *buf, size_t cap)
{
	struct relation *r;
	size_t n = 0;

	pthread_mutex_lock(&engine->catalog_lock);
	r = catalog_find(engine->catalog, view);
	if (r != NULL && r->kind == RELATION_VIEW) {
		const struct view_plan *plan = engine_view_plan(engine, r);

		if (plan != NULL)
			n = view_plan_print(plan, buf, cap);
	}
	pthread_mutex_unlock(&engine->catalog_lock);
	return n;
}
