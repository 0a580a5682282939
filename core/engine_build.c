/*
 * engine_build.c: schema changes that go through many rows (a view, its key, an index, new columns), made while commands go on.
 *
 * Happy path: build_begin() has the projectors begin, at a moment at which they stand still; they do their part in slices
 * (core/flow/flow_build.c, core/flow/part.c), and no statement finds what is being built. When build_is_over() says so,
 * build_end() makes it whole and known, at another such moment. A view that gets a key, or has failed and is computed anew,
 * is made beside itself, as a copy that takes its place.
 *
 * On any error what was begun is freed and everything is as before.
 */
#include "core/engine_ddl.h"

#include <stdlib.h>

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

uint64_t build_rows(const struct statement *s)
{
	const struct index_def *ix;

	if (s->kind == STATEMENT_CREATE_VIEW)
		return rows_read(s->create.created);
	if (s->kind == STATEMENT_REFRESH_VIEW)
		return view_has_failed(s->refresh.view) ? rows_read(s->refresh.view) : 0;
	if (s->kind == STATEMENT_ALTER)
		return s->alter.to->carry != NULL ? rows_of(s->relation) : 0;
	if (s->kind != STATEMENT_CREATE_INDEX)
		return 0;
	ix = s->create_index.created;
	return is_view_key(ix) ? rows_read(ix->relation) : rows_of(ix->relation);
}

void build_free(struct online_build *b)
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

static void copies_end(struct lf_engine *engine)
{
	for (unsigned s = 0; s < engine->set.shards; s++)
		projector_build_copy(engine->set.projectors[s], NULL, NULL);
}

/* What the projectors have of it goes. */
static void build_abandon(struct lf_engine *engine, struct online_build *b, uint64_t epoch)
{
	const struct parts *parts;

	if (b->view != NULL) {
		view_abandon(engine, b->view, epoch);
		return;
	}
	if (b->copied != NULL) {
		copies_end(engine);
		parts_discard(engine, b->statement->alter.to, b->copied, epoch);
		b->copied = NULL;
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

	if (view_open(engine, b->view, b->replaces == NULL ? b->view : b->replaces, epoch, &plan,
		    e) != 0)
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

static int alter_begin(
	struct lf_engine *engine, struct online_build *b, uint64_t epoch, struct error *e)
{
	const struct statement *s = b->statement;
	const struct parts *from = s->relation->user;

	b->rows = rows_of(s->relation);
	b->progress.stages = 1;
	b->copied = parts_new(engine, s->alter.to, epoch, e);
	if (b->copied == NULL)
		return -1;
	if (parts_register(engine, b->copied, e) != 0) {
		parts_free(b->copied);
		b->copied = NULL;
		return -1;
	}
	for (unsigned shard = 0; shard < from->shards; shard++) {
		struct part_copy *copy;

		if (part_copy_new(&copy, from->part[shard], b->copied->part[shard],
			    s->alter.first_added, s->alter.first_check, e) != 0) {
			build_abandon(engine, b, epoch);
			return -1;
		}
		projector_build_copy(engine->set.projectors[shard], copy, &b->progress);
	}
	return 0;
}

int build_begin(struct lf_engine *engine, struct statement *s, uint64_t epoch, uint32_t next_id,
	struct error *e)
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
	} else if (s->kind == STATEMENT_ALTER) {
		status = alter_begin(engine, b, epoch, e);
	} else {
		b->index = s->create_index.created;
		status = catalog_check_index(engine->catalog, b->index, e);
		if (status == 0)
			status = is_view_key(b->index)
				? copy_begin(engine, b, b->index->relation, epoch, e)
				: index_begin(engine, b, epoch, e);
	}
	if (status != 0) {
		build_free(b);
		return -1;
	}
	engine->build = b;
	if (b->index != NULL)
		catalog_set_building(engine->catalog, b->index->name, true);
	else if (s->kind == STATEMENT_CREATE_VIEW)
		catalog_set_building(engine->catalog, b->view->name, false);
	return 0;
}

static bool build_has_failed(const struct online_build *b)
{
	return failure_seen(b->parts == NULL ? &b->progress.failure : &b->parts->failure);
}

static bool build_is_done(const struct online_build *b)
{
	for (unsigned k = 0; k < b->progress.stages; k++)
		if (atomic_load_explicit(&b->progress.finished[k], memory_order_acquire) <
			b->progress.shards)
			return false;
	return true;
}

bool build_is_over(const struct lf_engine *engine)
{
	return atomic_load(&engine->stopping) || atomic_load(&engine->set.unwritable) ||
		atomic_load(&engine->build->cancelled) || build_has_failed(engine->build) ||
		build_is_done(engine->build);
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
	parts_end_feed(engine, r, old, epoch, ERR_OBJECT_STATE, "computed anew");
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
	view_share(engine, r);
	return 0;
}

static int index_end(
	struct lf_engine *engine, struct online_build *b, uint64_t epoch, struct error *e)
{
	const struct parts *parts = b->index->relation->user;

	if (catalog_add_index(engine->catalog, b->index, e) != 0) {
		build_abandon(engine, b, epoch);
		return -1;
	}
	for (unsigned s = 0; s < parts->shards; s++)
		part_end_index(parts->part[s], b->index, epoch);
	return 0;
}

static int alter_end(
	struct lf_engine *engine, struct online_build *b, uint64_t epoch, struct error *e)
{
	if (engine_alter_end(engine, b->statement, b->copied, epoch, e) != 0) {
		build_abandon(engine, b, epoch);
		return -1;
	}
	copies_end(engine);
	return 0;
}

/* The table or view that it changes; NULL: it makes a new one. */
static const struct relation *build_of(const struct online_build *b)
{
	const struct statement *s = b->statement;

	switch (s->kind) {
	case STATEMENT_CREATE_VIEW: return s->create.replaces;
	case STATEMENT_ALTER: return s->relation;
	case STATEMENT_REFRESH_VIEW: return s->refresh.view;
	default: return s->create_index.created->relation;
	}
}

bool build_cancel(struct lf_engine *engine, const struct statement *drop)
{
	struct online_build *b = engine->build;
	bool is = false;

	if (b == NULL)
		return false;
	if (drop->drop.building != NULL)
		is = catalog_is_building(engine->catalog, drop->drop.building, b->index != NULL);
	for (unsigned i = 0; i < drop->drop.n; i++)
		is |= drop->drop.relations[i] != NULL && drop->drop.relations[i] == build_of(b);
	if (is)
		atomic_store(&b->cancelled, true);
	return is;
}

/* Whether it may be ended well. What a view has failed by is told by view_end(). */
static int build_wanted(struct lf_engine *engine, const struct ddl_job *job, struct error *e)
{
	const struct online_build *b = engine->build;

	if (atomic_load(&engine->stopping))
		return error_set(e, ERR_SHUTDOWN, 0, NULL);
	if (atomic_load(&b->cancelled)) {
		error_set(e, ERR_CANCELED, 0, "canceling statement due to user request");
		return error_detail(e, "What it was making has been dropped.");
	}
	if (build_has_failed(b) && b->parts == NULL) {
		*e = b->progress.failure.reason;
		return -1;
	}
	if (!build_has_failed(b) && !build_is_done(b))
		return schema_unwritable(e);
	return schema_journal_ready(engine, job->len, e);
}

int build_end(struct lf_engine *engine, const struct ddl_job *job, struct error *e)
{
	struct online_build *b = engine->build;
	int status = build_wanted(engine, job, e);

	catalog_set_building(engine->catalog, NULL, false);
	if (status != 0) {
		build_abandon(engine, b, job->epoch);
		return -1;
	}
	if (b->replaces != NULL)
		return copy_end(engine, b, job->epoch, e);
	if (b->copied != NULL)
		return alter_end(engine, b, job->epoch, e);
	if (b->view == NULL)
		return index_end(engine, b, job->epoch, e);
	return view_end(engine, b, job->epoch, e) != 0
		? -1
		: view_add(engine, b->view, b->statement->create.replaces, job->epoch, e);
}

void engine_build_free(struct lf_engine *engine)
{
	if (engine->build == NULL)
		return;
	free(engine->build->parts);
	free(engine->build->copied);
	statement_free(engine->build->statement);
	build_free(engine->build);
}
