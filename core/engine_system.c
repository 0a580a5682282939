/*
 * engine_system.c: the rows of the system views: what the engine is at the moment it is asked.
 *
 * They are made under the catalog's lock, so that no schema change takes away what is looked at, and given out after it. The
 * numbers are read while projectors change them: each is right, together they are not of one epoch.
 */
#include "core/engine_internal.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/sql/system_views.h"

enum {
	COLUMNS_MAX = OPERATORS_COLUMNS,
	USERS_BYTES = 1024 /* names of views that share an operator; more are cut */
};

struct rows {
	const struct relation *relation;
	struct arena arena;
	const void **list;
	unsigned n, cap;
	bool failed;                      /* no memory */
	struct value values[COLUMNS_MAX]; /* of the row that is being made */
};

/* --- one row --- */

static void begin(struct rows *r)
{
	for (unsigned i = 0; i < r->relation->ncols; i++)
		r->values[i] = (struct value){ .type = r->relation->layout.types[i].id,
			.flags = VALUE_NULL };
}

static void number(struct rows *r, unsigned column, uint64_t n)
{
	r->values[column].flags = 0;
	r->values[column].i = (int64_t)n;
}

/* s stays until end(). */
static void text(struct rows *r, unsigned column, const char *s)
{
	r->values[column].flags = 0;
	r->values[column].s.p = s;
	r->values[column].s.len = (uint32_t)strlen(s);
}

static void end(struct rows *r)
{
	const struct row_layout *l = &r->relation->layout;
	void *row = arena_alloc(&r->arena, row_encoded_size(l, r->values));

	if (row != NULL && r->n == r->cap) {
		unsigned cap = r->cap == 0 ? 64 : 2 * r->cap;
		const void **grown = realloc(r->list, cap * sizeof(*grown));

		if (grown == NULL)
			row = NULL;
		else
			r->list = grown;
		r->cap = grown == NULL ? r->cap : cap;
	}
	if (row == NULL) {
		r->failed = true;
		return;
	}
	row_encode(l, r->values, row);
	r->list[r->n++] = row;
}

/* --- each of them --- */

static void view_row(struct lf_engine *engine, struct rows *r, const struct relation *view)
{
	uint64_t limit = __atomic_load_n(&view->memory_limit, __ATOMIC_RELAXED);
	const struct parts *parts = view->user;

	(void)engine;
	begin(r);
	text(r, VIEWS_NAME, view->name);
	text(r, VIEWS_STATE, "ok");
	if (failure_seen(&parts->failure)) {
		text(r, VIEWS_STATE, "failed");
		text(r, VIEWS_SQLSTATE, error_sqlstate(parts->failure.reason.code));
		text(r, VIEWS_REASON, parts->failure.reason.message);
	}
	number(r, VIEWS_ROWS, parts_rows(parts));
	number(r, VIEWS_BYTES, parts_bytes(parts));
	if (limit != 0)
		number(r, VIEWS_MEMORY_LIMIT, limit);
	number(r, VIEWS_STAGES, view->stage + 1);
	number(r, VIEWS_SHARED_BYTES, parts_shared(parts));
	end(r);
}

static void operator_row(struct lf_engine *engine, struct rows *r, const struct relation *view,
	const struct view_plan *plan, unsigned i, const struct operator_count *c)
{
	char users[USERS_BYTES];
	struct view_operator o;
	bool first;

	view_plan_operator(plan, i, &o);
	shares_users(&engine->shares, plan, i, users, sizeof(users), &first);
	begin(r);
	text(r, OPERATORS_VIEW, view->name);
	number(r, OPERATORS_NUMBER, i);
	number(r, OPERATORS_STAGE, o.stage);
	text(r, OPERATORS_KIND, o.kind);
	text(r, OPERATORS_DESCRIPTION, o.text);
	number(r, OPERATORS_ROWS_IN, c->rows_in);
	number(r, OPERATORS_ROWS_OUT, c->rows_out);
	number(r, OPERATORS_BYTES, c->bytes);
	if (o.timed)
		number(r, OPERATORS_TIME_US, clock_ticks_ns(c->ticks) / 1000);
	if (users[0] != '\0')
		text(r, OPERATORS_SHARED_WITH, users);
	number(r, OPERATORS_REPEATED, !first);
	end(r);
}

static void operator_rows(struct lf_engine *engine, struct rows *r, const struct relation *view)
{
	const struct view_plan *plan = engine_view_plan(engine, view);
	unsigned n = plan == NULL ? 0 : view_plan_operators(plan);
	struct operator_count *counts = n == 0 ? NULL : calloc(n, sizeof(*counts));

	if (counts == NULL) {
		r->failed |= n > 0;
		return;
	}
	for (unsigned s = 0; s < engine->set.shards; s++)
		flow_account(projector_flow(engine->set.projectors[s]), view, counts);
	for (unsigned i = 0; i < n; i++)
		operator_row(engine, r, view, plan, i, &counts[i]);
	free(counts);
}

static void table_row(struct lf_engine *engine, struct rows *r, const struct relation *table)
{
	const struct parts *parts = table->user;
	uint64_t index_bytes = 0;

	(void)engine;
	for (unsigned s = 0; s < parts->shards; s++)
		index_bytes += part_index_bytes(parts->part[s]);
	begin(r);
	text(r, TABLES_NAME, table->name);
	number(r, TABLES_ROWS, parts_rows(parts));
	number(r, TABLES_BYTES, parts_bytes(parts));
	number(r, TABLES_INDEXES, table->nindexes);
	number(r, TABLES_INDEX_BYTES, index_bytes);
	end(r);
}

static void shard_rows(struct lf_engine *engine, struct rows *r)
{
	for (unsigned s = 0; s < engine->set.shards; s++) {
		const struct projector *p = engine->set.projectors[s];
		struct projector_stats stats;

		projector_stats(p, &stats);
		begin(r);
		number(r, SHARDS_NUMBER, s);
		number(r, SHARDS_COMMANDS, stats.commands);
		number(r, SHARDS_REFUSED, stats.refused);
		number(r, SHARDS_BATCHES, stats.batches);
		number(r, SHARDS_VIEW_ROWS, stats.view_rows);
		number(r, SHARDS_BYTES, heap_used(projector_heap(engine->set.projectors[s])));
		end(r);
	}
}

static void build_row(struct lf_engine *engine, struct rows *r)
{
	const struct online_build *b = engine->build;

	if (b == NULL)
		return;
	begin(r);
	text(r, BUILDS_RELATION,
		b->view != NULL             ? b->view->name
			: b->copied != NULL ? b->statement->relation->name
					    : b->index->relation->name);
	text(r, BUILDS_KIND,
		b->copied != NULL         ? "columns"
			: b->view == NULL ? "index"
			: b->statement->kind == STATEMENT_CREATE_VIEW
			? b->statement->create.replaces != NULL ? "replace" : "view"
			: b->index != NULL ? "key"
					   : "refresh");
	number(r, BUILDS_ROWS, atomic_load_explicit(&b->progress.rows, memory_order_relaxed));
	number(r, BUILDS_OF, b->rows);
	text(r, BUILDS_STATEMENT, b->statement->text);
	end(r);
}

/* Schema changes that wait for their turn. */
static void waiting_rows(struct lf_engine *engine, struct rows *r)
{
	pthread_mutex_lock(&engine->ddl_lock);
	for (const struct ddl_job *job = engine->ddl_jobs.head; job != NULL; job = job->next) {
		begin(r);
		text(r, BUILDS_KIND, "waiting");
		text(r, BUILDS_STATEMENT, job->text);
		end(r);
	}
	pthread_mutex_unlock(&engine->ddl_lock);
}

/* fn for every relation of a kind that is there. */
static void each(struct lf_engine *engine, struct rows *r, enum relation_kind kind,
	void (*fn)(struct lf_engine *engine, struct rows *r, const struct relation *relation))
{
	for (unsigned i = 0; i < catalog_count(engine->catalog); i++) {
		const struct relation *relation = catalog_at(engine->catalog, i);

		if (relation->kind == kind && relation->user != NULL)
			fn(engine, r, relation);
	}
}

static void rows_make(struct lf_engine *engine, struct rows *r)
{
	switch (system_view_of(r->relation)) {
	case SYSTEM_VIEWS: each(engine, r, RELATION_VIEW, view_row); break;
	case SYSTEM_OPERATORS: each(engine, r, RELATION_VIEW, operator_rows); break;
	case SYSTEM_TABLES: each(engine, r, RELATION_TABLE, table_row); break;
	case SYSTEM_SHARDS: shard_rows(engine, r); break;
	case SYSTEM_BUILDS:
		build_row(engine, r);
		waiting_rows(engine, r);
		break;
	case SYSTEM_COUNT: break;
	}
}

static int system_rows(void *arg, const struct relation *relation,
	int (*fn)(void *fn_arg, const void *row), void *fn_arg, struct error *e)
{
	struct lf_engine *engine = arg;
	struct rows r = { .relation = relation };
	int status = 0;

	arena_init(&r.arena, NULL);
	pthread_mutex_lock(&engine->catalog_lock);
	rows_make(engine, &r);
	pthread_mutex_unlock(&engine->catalog_lock);
	if (r.failed)
		status = error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	for (unsigned i = 0; status == 0 && i < r.n; i++)
		status = fn(fn_arg, r.list[i]);
	free(r.list);
	arena_free(&r.arena);
	return status;
}

int engine_system_open(struct lf_engine *engine, struct error *e)
{
	engine->system = (struct system_source){ system_rows, engine };
	return system_views_add(engine->catalog, engine->heap, &engine->system, e);
}
