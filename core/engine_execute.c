/*
 * engine_execute.c: schema changes, each made at once with the projectors standing still; ALTER is in engine_alter.c, and
 * those that go through many rows in engine_build.c. Each is done, or there is an error and nothing has changed.
 */
#include "core/engine_ddl.h"

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

static int create_view(
	struct lf_engine *engine, const struct statement *s, uint64_t epoch, struct error *e)
{
	struct relation *r = s->create.created, *replaces = s->create.replaces;

	if (engine->recovering)
		return replaces == NULL
			? catalog_add(engine->catalog, r, e)
			: catalog_replace_view(engine->catalog, replaces, r, epoch, e);
	return view_build(engine, r, epoch, e) != 0 ? -1 : view_add(engine, r, replaces, epoch, e);
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
	parts_end_feed(engine, r, parts, epoch, ERR_UNDEFINED_TABLE, "dropped");
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

static int drop_procedures(struct lf_engine *engine, const struct statement *s)
{
	for (unsigned i = 0; i < s->drop.n; i++)
		catalog_drop_procedure(engine->catalog, s->drop.relations[i]);
	return 0;
}

static int alter_view(struct lf_engine *engine, const struct statement *s, struct error *e)
{
	struct relation *view = s->alter_view.view;

	if (!s->alter_view.given)
		return 0;
	if (relation_note_parameters(view, s->alter_view.id, s->text) != 0)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	__atomic_store_n(&view->memory_limit, s->alter_view.memory_limit, __ATOMIC_RELAXED);
	for (unsigned shard = 0; shard < engine->set.shards; shard++)
		flow_enforce_limits(projector_flow(engine->set.projectors[shard]));
	return 0;
}

/* A view that has failed is computed anew; a sound one is always up to date. On failure it stays as it is. */
static int refresh_view(
	struct lf_engine *engine, struct relation *view, uint64_t epoch, struct error *e)
{
	return view_has_failed(view) ? view_rebuild(engine, view, epoch, e) : 0;
}

int engine_execute(
	struct lf_engine *engine, const struct statement *s, uint64_t epoch, struct error *e)
{
	switch (s->kind) {
	case STATEMENT_CREATE_TABLE: return create_table(engine, s->create.created, e);
	case STATEMENT_CREATE_VIEW: return create_view(engine, s, epoch, e);
	case STATEMENT_CREATE_INDEX: return create_index(engine, s->create_index.created, epoch, e);
	case STATEMENT_ALTER: return engine_alter(engine, s, epoch, e);
	case STATEMENT_DROP: return drop(engine, s, epoch, e);
	case STATEMENT_CREATE_PROCEDURE:
		return catalog_add_procedure(
			engine->catalog, s->create.created, s->create.replaces, epoch, e);
	case STATEMENT_DROP_PROCEDURE: return drop_procedures(engine, s);
	case STATEMENT_ALTER_VIEW: return alter_view(engine, s, e);
	case STATEMENT_ALTER_SOURCE: return engine_alter_source(engine, s, e);
	case STATEMENT_REFRESH_VIEW: return refresh_view(engine, s->refresh.view, epoch, e);
	default: return 0;
	}
}
