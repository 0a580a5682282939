/*
 * engine_view.c: the views: their plans, and computing one from what it reads, with the projectors standing still.
 *
 * Happy path: view_open() makes the plan, the parts and the operators' state; it is fed, here all at once, stage after
 * stage, or in slices while commands go on (engine_build.c); view_close() sees how it went. A view that fails on the way
 * is given up, and then there is nothing of it.
 */
#include "core/engine_ddl.h"

#include <stdlib.h>

#include "core/store/sweep.h"

/* --- plans --- */

struct view_slot **view_slot_find(struct lf_engine *engine, const struct relation *view)
{
	struct view_slot **slot = &engine->views;

	while (*slot != NULL && (*slot)->view != view)
		slot = &(*slot)->next;
	return slot;
}

void relation_copy_free(struct relation *copy)
{
	if (copy != NULL)
		free(copy->indexes);
	free(copy);
}

static void slot_free(struct view_slot *slot)
{
	view_plan_free(slot->plan);
	relation_copy_free(slot->copy);
	relation_release(slot->owner);
	free(slot);
}

void views_gone_free(struct lf_engine *engine)
{
	shares_gone_free(&engine->shares);
	for (struct view_slot **link = &engine->gone_views; *link != NULL;) {
		struct view_slot *slot = *link;

		if (view_plan_held(slot->plan)) {
			link = &slot->next;
			continue;
		}
		*link = slot->next;
		slot_free(slot);
	}
}

static struct flows engine_flows(const struct lf_engine *engine)
{
	struct flows f = { .n = engine->set.shards };

	for (unsigned s = 0; s < f.n; s++)
		f.at[s] = projector_flow(engine->set.projectors[s]);
	return f;
}

void view_share(struct lf_engine *engine, const struct relation *view)
{
	const struct view_slot *slot = *view_slot_find(engine, view);
	const struct flows flows = engine_flows(engine);

	shares_add(&engine->shares, slot->plan, &flows);
	for (unsigned s = 0; s < flows.n; s++)
		projector_note_remains(engine->set.projectors[s]);
}

void view_forget(struct lf_engine *engine, const struct relation *view)
{
	struct view_slot **link = view_slot_find(engine, view);
	struct view_slot *slot = *link;
	const struct flows flows = engine_flows(engine);

	if (slot != NULL)
		shares_forget(&engine->shares, slot->plan, &flows);
	for (unsigned s = 0; s < engine->set.shards; s++)
		projector_drop_view(engine->set.projectors[s], view);
	if (slot == NULL)
		return;
	*link = slot->next;
	slot->next = engine->gone_views;
	engine->gone_views = slot;
}

void engine_views_free(struct lf_engine *engine)
{
	shares_free(&engine->shares);
	views_gone_free(engine);
	while (engine->views != NULL) {
		struct view_slot *slot = engine->views;

		engine->views = slot->next;
		slot_free(slot);
	}
}

/* --- computing one --- */

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

void view_abandon(struct lf_engine *engine, struct relation *view, uint64_t epoch)
{
	struct parts *parts = view->user;

	view_forget(engine, view);
	parts_take_back(engine, view, parts, epoch);
}

int view_open(struct lf_engine *engine, struct relation *view, struct relation *owner,
	uint64_t epoch, const struct view_plan **plan, struct error *e)
{
	struct projector_set *set = &engine->set;
	const struct plan_like like = { .all = engine->shares.plans };
	struct view_slot *slot;
	struct parts *parts;

	if (view_reads_sound(view, e) != 0)
		return -1;
	slot = calloc(1, sizeof(*slot));
	if (slot == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	if (view_plan_new(&slot->plan, view, set->shards, &like, engine->heap, e) != 0) {
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
	slot->owner = owner;
	relation_hold(owner);
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

int view_close(struct lf_engine *engine, struct relation *view, uint64_t epoch, struct error *e)
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

int view_build(struct lf_engine *engine, struct relation *view, uint64_t epoch, struct error *e)
{
	const struct view_plan *plan;

	if (view_open(engine, view, view, epoch, &plan, e) != 0)
		return -1;
	if (views_feed(engine, view, view_plan_stages(plan), epoch) == 0)
		return view_close(engine, view, epoch, e);
	view_abandon(engine, view, epoch);
	return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
}

static void view_replace(struct lf_engine *engine, struct relation *replaces, uint64_t epoch)
{
	parts_end_feed(engine, replaces, replaces->user, epoch, ERR_OBJECT_STATE, "computed anew");
	view_forget(engine, replaces);
	/* Statements of before and condemned parts still look at it. */
	relation_hold(replaces);
	parts_condemn(engine, replaces->user, replaces, epoch);
}

int view_add(struct lf_engine *engine, struct relation *r, struct relation *replaces,
	uint64_t epoch, struct error *e)
{
	struct parts *parts = r->user;
	int status = replaces == NULL
		? catalog_add(engine->catalog, r, e)
		: catalog_replace_view(engine->catalog, replaces, r, epoch, e);

	if (status != 0) {
		view_forget(engine, r);
		parts_discard(engine, r, parts, epoch);
		return -1;
	}
	if (replaces != NULL)
		view_replace(engine, replaces, epoch);
	view_share(engine, r);
	return 0;
}

int view_rebuild(struct lf_engine *engine, struct relation *view, uint64_t epoch, struct error *e)
{
	struct parts *old = view->user;

	parts_end_feed(engine, view, old, epoch, ERR_OBJECT_STATE, "computed anew");
	view_forget(engine, view);
	if (view_build(engine, view, epoch, e) != 0)
		return -1;
	view_share(engine, view);
	parts_condemn(engine, old, NULL, epoch);
	return 0;
}

int view_rebuild_or_fail(
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

bool view_has_failed(const struct relation *view)
{
	const struct parts *parts = view->user;

	return parts != NULL && failure_seen(&parts->failure);
}

/* --- all of them, when recovering --- */

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
		if (view_open(engine, r, r, epoch, &plan, &why) == 0) {
			*stages = view_plan_stages(plan) > *stages ? view_plan_stages(plan)
								   : *stages;
			view_share(engine, r);
		} else if (view_fail(engine, r, epoch, &why, e) != 0) {
			return -1;
		}
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
	ddl_epoch_end(engine, epoch);
	return status;
}

/* --- what they are --- */

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
