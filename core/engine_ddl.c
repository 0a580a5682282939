/*
 * engine_ddl.c: schema changes.
 *
 * Happy path: new batches stop; when everything under way has become visible the projectors stand
 * still; the statement is bound again (the schema may have changed since it was prepared); parts
 * are made, a new view is computed from its tables inside one epoch of its own; then the catalog
 * learns of it and the projectors go on. Readers are not stopped: they see the old epoch until the
 * new one is visible, and what was dropped is freed when no pin can reach it.
 *
 * What has to go through many rows is built while commands go on (engine_build.c): the projectors stand still only for a
 * moment before that, and once more when they have done their part. In between this thread waits.
 *
 * On any error what was begun is freed and the catalog stays as it was.
 */
#include "core/engine_ddl.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/assert.h"

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
	hold_admit(&engine->set.hold);
	wake_all(engine);
}

int schema_unwritable(struct error *e)
{
	return error_set(e, ERR_IO, 0, "the journal cannot be written");
}

/* -1: a journal has failed. Then nothing is changed any more, also where all that was under way is over: a build that could not be
 * ended stays. */
static int barrier_enter(struct lf_engine *engine, struct error *e)
{
	struct projector_set *set = &engine->set;

	/* A hold ends with commands, so they go on until it has. In stepped mode see engine_ddl_step(). */
	hold_exclude(&set->hold);
	while (hold_is_held(&set->hold)) {
		if (atomic_load(&set->unwritable)) {
			hold_admit(&set->hold);
			return schema_unwritable(e);
		}
		engine_nap();
	}
	atomic_store(&set->pause, PAUSE_DRAIN);
	while (!drained(engine)) {
		if (atomic_load(&set->unwritable)) {
			barrier_leave(engine);
			return schema_unwritable(e);
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
	if (drained(engine) && !atomic_load(&set->unwritable))
		return 0;
	barrier_leave(engine);
	return atomic_load(&set->unwritable) ? schema_unwritable(e) : barrier_enter(engine, e);
}

/* --- what is kept of a schema change --- */

int schema_journal(struct lf_engine *engine, uint64_t epoch, uint32_t next_id, const char *text,
	size_t len, struct error *e)
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

int schema_journal_ready(struct lf_engine *engine, size_t len, struct error *e)
{
	struct journal *j = engine->schema_journal;

	if (j == NULL || journal_prepare(j, sizeof(struct schema_text) + len + 8) == 0)
		return 0;
	*e = *journal_error(j);
	if (journal_state(j) == JOURNAL_FAILED)
		projector_set_unwritable(&engine->set, e);
	return -1;
}

/* --- one schema change --- */

static void engine_stages_set(struct lf_engine *engine)
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

void ddl_epoch_end(struct lf_engine *engine, uint64_t epoch)
{
	struct projector_set *set = &engine->set;

	epoch_leave(set->epochs, 0);
	epoch_advance(set->epochs);
	for (unsigned k = 1; k < set->stages; k++)
		for (unsigned shard = 0; shard < set->shards; shard++)
			epoch_finish(set->epochs, shard, k, epoch);
	epoch_advance(set->epochs);
	ASSERT(epoch_visible(set->epochs) >= epoch);
	engine_stages_set(engine);
}

static int statement_run(
	struct lf_engine *engine, const char *text, size_t len, uint64_t epoch, struct error *e)
{
	struct statement *s;
	int status = sql_prepare(&s, engine->catalog, engine->heap, text, len, NULL, 0, e);

	if (status == 0) {
		status = engine_execute(engine, s, epoch, e);
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
	if (build_rows(s) > engine->options.build_at_once) {
		status = build_begin(engine, s, job->epoch, next_id, e);
		if (status == 0)
			return 0;
	} else {
		status = engine_execute(engine, s, job->epoch, e);
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

/* What former changes have dropped is freed by and by: where memory has a limit it may be what this one needs. */
static void remains_wait(struct lf_engine *engine)
{
	struct projector_set *set = &engine->set;

	for (unsigned s = 0; engine->options.memory_limit > 0 && s < set->shards; s++)
		while (projector_is_freeing(set->projectors[s]) && !atomic_load(&set->unwritable)) {
			if (engine->options.stepped) {
				projector_step(set->projectors[s]);
			} else {
				park_wake(projector_parker(set->projectors[s]));
				engine_nap();
			}
		}
}

/* A schema change, or the beginning or the end of one, with the projectors standing still. */
static int ddl_run(struct lf_engine *engine, struct ddl_job *job,
	int (*run)(struct lf_engine *engine, struct ddl_job *job))
{
	int status;

	remains_wait(engine);
	if (barrier_enter(engine, &job->error) != 0)
		return -1;
	pthread_mutex_lock(&engine->catalog_lock);
	parts_gone_free(engine, epoch_reclaimable(engine->set.epochs));
	views_gone_free(engine);
	job->epoch = epoch_enter(engine->set.epochs, 0);
	status = run(engine, job);
	ddl_epoch_end(engine, job->epoch);
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
	ddl_epoch_end(engine, epoch);
	parts_gone_free(engine, epoch_reclaimable(engine->set.epochs));
	views_gone_free(engine);
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
	/* It is not there, since it has been stopped being made. */
	if (status != 0 && job->cancels &&
		(job->error.code == ERR_UNDEFINED_TABLE || job->error.code == ERR_UNDEFINED_OBJECT))
		status = 0;
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
	if (s->kind == STATEMENT_DROP) {
		pthread_mutex_lock(&engine->catalog_lock);
		job->cancels = build_cancel(engine, s);
		pthread_mutex_unlock(&engine->catalog_lock);
	}
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

	if (hold_is_held(&engine->set.hold) && !atomic_load(&engine->set.unwritable))
		return false;
	if (engine->build != NULL && engine->build->job != NULL)
		return ddl_continue(engine);
	job = ddl_take(&engine->ddl_jobs);
	if (job == NULL)
		return false;
	(void)ddl_execute(engine, job);
	return true;
}
