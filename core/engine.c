/*
 * engine.c: opening and closing an engine, prepared statements.
 */
#include "core/engine_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"

enum {
	JOURNAL_WAIT_US = 1000,
	REPLY_RING_BYTES_MIN = 2 * RING_BYTES_MIN,
	POSTGRES_EPOCH_S = 946684800
};

/* ring_message_max() is half a ring less a frame; else a reply would find no room for ever. */
_Static_assert(REPLY_INLINE_MAX <= REPLY_RING_BYTES_MIN / 2 - 8, "any reply fits an empty ring");

struct lf_options lf_options_default(void)
{
	return (struct lf_options){
		.projectors = 1,
		.ports_max = 16,
		.memory_limit = 0,
		.ring_bytes = DEFAULT_RING_BYTES,
		.reply_ring_bytes = DEFAULT_RING_BYTES,
		.batch_max = LIMIT_BATCH_COMMANDS,
		.build_at_once = DEFAULT_BUILD_AT_ONCE,
		.build_slice = DEFAULT_BUILD_SLICE,
		.history = DEFAULT_HISTORY_BYTES,
		.history_keep_s = DEFAULT_HISTORY_KEEP_S,
		.rows_max = 1000000,
		.once_answers = DEFAULT_ONCE_ANSWERS,
		.once_bytes = DEFAULT_ONCE_BYTES,
		.once_seconds = DEFAULT_ONCE_SECONDS,
		.durability = LF_DURABILITY_DISK,
		.segment_bytes = DEFAULT_SEGMENT_BYTES,
		.checkpoint_bytes = DEFAULT_CHECKPOINT_BYTES,
		.checkpoint_s = DEFAULT_CHECKPOINT_SECONDS,
		.event_log_retain = DEFAULT_EVENT_LOG_BYTES,
	};
}

int64_t engine_now_us(const struct lf_engine *engine)
{
	if (engine->options.fixed_now_us != 0)
		return engine->options.fixed_now_us;
	return clock_wall_us() - (int64_t)POSTGRES_EPOCH_S * 1000000;
}

static bool power_of_two(uint32_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

static int options_check(const struct lf_options *o, struct error *e)
{
	if (o->projectors < 1 || o->projectors > LIMIT_PROJECTORS)
		return error_set(e, ERR_INVALID_PARAMETER, 0, "projectors must be between 1 and %d",
			LIMIT_PROJECTORS);
	if (o->ports_max < 1 || o->ports_max > LIMIT_PORTS)
		return error_set(
			e, ERR_INVALID_PARAMETER, 0, "ports must be between 1 and %d", LIMIT_PORTS);
	if (!power_of_two(o->ring_bytes) || o->ring_bytes < RING_BYTES_MIN ||
		!power_of_two(o->reply_ring_bytes) || o->reply_ring_bytes < REPLY_RING_BYTES_MIN)
		return error_set(e, ERR_INVALID_PARAMETER, 0,
			"ring sizes must be powers of two of at least %d bytes, of replies %d",
			RING_BYTES_MIN, REPLY_RING_BYTES_MIN);
	if (o->segment_bytes % DISK_BLOCK != 0 || o->segment_bytes < LIMIT_SEGMENT_BYTES_MIN ||
		o->segment_bytes > LIMIT_SEGMENT_BYTES_MAX)
		return error_set(e, ERR_INVALID_PARAMETER, 0,
			"segments must be multiples of %d bytes between %d and %d", DISK_BLOCK,
			LIMIT_SEGMENT_BYTES_MIN, LIMIT_SEGMENT_BYTES_MAX);
	if (o->event_log && o->data == NULL && o->disk == NULL)
		return error_set(
			e, ERR_INVALID_PARAMETER, 0, "an event log needs a data directory");
	if (o->batch_max < 1 || o->rows_max < 1 || o->build_slice < 1 || o->once_answers < 1)
		return error_set(e, ERR_INVALID_PARAMETER, 0,
			"limits of batches, rows and answers must be positive");
	if (o->history < LIMIT_HISTORY_BYTES_MIN)
		return error_set(e, ERR_INVALID_PARAMETER, 0,
			"the history must have at least %d bytes", LIMIT_HISTORY_BYTES_MIN);
	return 0;
}

static void on_visible(void *arg, uint64_t v)
{
	struct lf_engine *engine = arg;
	unsigned n = atomic_load_explicit(&engine->nports, memory_order_acquire);
	uint64_t newest;

	/* V was stored before; a port (or the event log's thread) stores what it wants before it looks at V. The fence is between
	 * our store of V and our loads of `want`, so one of the two sees the other. */
	atomic_thread_fence(memory_order_seq_cst);
	newest = atomic_load_explicit(&engine->set.feed_newest, memory_order_relaxed);
	if (atomic_load_explicit(&engine->events.waiting, memory_order_relaxed))
		park_wake(&engine->events.parker);
	for (unsigned i = 0; i < n; i++) {
		struct lf_port *port = __atomic_load_n(&engine->ports[i], __ATOMIC_ACQUIRE);
		uint64_t want, read, changes;

		if (port == NULL)
			continue;
		want = atomic_load_explicit(&port->want, memory_order_relaxed);
		read = atomic_load_explicit(&port->want_read, memory_order_relaxed);
		changes = atomic_load_explicit(&port->want_changes, memory_order_relaxed);
		if ((want != 0 && want <= v) || (read != 0 && read <= v) ||
			(changes != 0 && changes <= v && changes <= newest))
			park_wake(&port->parker);
	}
}

/* --- open and close --- */

/* Of a shard: what is for subscribers may not take the memory that commands need. */
static uint64_t history_of(const struct lf_options *o)
{
	uint64_t most = o->memory_limit / HISTORY_MEMORY_PART / o->projectors;

	if (o->memory_limit == 0 || o->history <= most)
		return o->history;
	return most < LIMIT_HISTORY_BYTES_MIN ? LIMIT_HISTORY_BYTES_MIN : most;
}

static int set_open(struct lf_engine *engine, struct error *e)
{
	struct projector_set *set = &engine->set;
	unsigned n = engine->options.projectors;

	set->shards = n;
	set->ports_max = engine->options.ports_max;
	set->batch_max = engine->options.batch_max;
	set->fixed_now_us = engine->options.fixed_now_us;
	set->budget.limit = engine->options.memory_limit;
	set->prefault = engine->options.prefault / set->shards;
	set->once = (struct answers_limits){ .per_client = engine->options.once_answers,
		.clients_max = LIMIT_ONCE_CLIENTS,
		.bytes = engine->options.once_bytes / set->shards,
		.seconds = engine->options.once_seconds };
	set->paced = !engine->options.stepped;
	set->stages = 1;
	set->history = history_of(&engine->options);
	set->on_unwritable = engine->options.on_unwritable;
	set->on_unwritable_arg = engine->options.on_unwritable_arg;
	set->renew = engine_projector_renew;
	set->renew_arg = engine;
	set->projectors = calloc(n, sizeof(*set->projectors));
	set->channels = aligned_alloc(64, (size_t)n * n * sizeof(*set->channels));
	engine->threads = calloc(n, sizeof(*engine->threads));
	for (unsigned i = 0; set->channels != NULL && i < n * n; i++)
		exchange_open(&set->channels[i]);
	if (set->projectors == NULL || set->channels == NULL || engine->threads == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	set->epochs = epochs_new(engine->heap, n, engine->options.ports_max + 1);
	if (set->epochs == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	engine->checkpoints.reader = epoch_reader_open(set->epochs);
	epochs_on_visible(set->epochs, on_visible, engine);
	for (unsigned s = 0; s < n; s++)
		if (projector_new(&set->projectors[s], set, s, e) != 0)
			return -1;
	return 0;
}

static int engine_open(
	struct lf_engine **out, const struct lf_options *o, bool salvaging, struct error *e)
{
	struct lf_engine *engine = calloc(1, sizeof(*engine));

	if (engine == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	engine->options = *o;
	engine->salvaging = salvaging;
	engine->ddl_jobs.tail = &engine->ddl_jobs.head;
	atomic_init(&engine->feeds_due, INT64_MAX);
	pthread_mutex_init(&engine->catalog_lock, NULL);
	pthread_mutex_init(&engine->ports_lock, NULL);
	pthread_mutex_init(&engine->ddl_lock, NULL);
	pthread_mutex_init(&engine->events.lock, NULL);
	parker_init(&engine->events.parker, NULL, NULL);
	pthread_cond_init(&engine->ddl_cond, NULL);
	pthread_mutex_init(&engine->set.unwritable_lock, NULL);
	pthread_mutex_init(&engine->checkpoints.lock, NULL);
	pthread_mutex_init(&engine->checkpoints.wait_lock, NULL);
	pthread_cond_init(&engine->checkpoints.wake, NULL);
	engine->heap = heap_new(NULL);
	if (engine->heap != NULL)
		engine->catalog = catalog_new(engine->heap);
	if (engine->catalog == NULL) {
		error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		lf_engine_close(engine);
		return -1;
	}
	if (engine_system_open(engine, e) != 0 || set_open(engine, e) != 0 ||
		engine_recover(engine, e) != 0 ||
		(!o->stepped && engine_threads_start(engine, e) != 0)) {
		lf_engine_close(engine);
		return -1;
	}
	engine->opened = true;
	*out = engine;
	return 0;
}

int lf_engine_open(struct lf_engine **out, const struct lf_options *o, struct error *e)
{
	int status = options_check(o, e) != 0 ? -1 : engine_open(out, o, false, e);

	if (status == 0 || !o->salvage || e->code != ERR_IO)
		return status;
	log_warn("salvage: %s", e->message);
	return engine_open(out, o, true, e);
}

static void relations_free(struct lf_engine *engine)
{
	if (engine->catalog == NULL)
		return;
	for (unsigned i = 0; i < catalog_count(engine->catalog); i++) {
		struct relation *r = catalog_at(engine->catalog, i);

		free(r->user);
		r->user = NULL;
	}
	catalog_free(engine->catalog);
}

void lf_engine_close(struct lf_engine *engine)
{
	struct projector_set *set;

	if (engine == NULL)
		return;
	set = &engine->set;
	engine_events_stop(engine);
	for (unsigned i = 0; i < LIMIT_PORTS; i++)
		ASSERT(engine->ports[i] == NULL);
	if (engine->threads != NULL && !engine->options.stepped)
		engine_threads_stop(engine);
	engine_journals_close(engine, engine->opened);
	for (unsigned s = 0; set->projectors != NULL && s < set->shards; s++)
		projector_free(set->projectors[s]);
	for (unsigned i = 0; set->channels != NULL && i < set->shards * set->shards; i++)
		exchange_close(&set->channels[i], &set->budget);
	while (engine->spare_ports != NULL) {
		struct lf_port *port = engine->spare_ports;

		engine->spare_ports = port->next_spare;
		port_free(port);
	}
	engine_feeds_free(engine);
	engine_views_free(engine);
	engine_build_free(engine);
	engine_gone_free(engine);
	relations_free(engine);
	if (set->epochs != NULL)
		epochs_free(set->epochs);
	free(set->projectors);
	free(set->channels);
	free(engine->threads);
	if (engine->heap != NULL)
		heap_free_all(engine->heap);
	pthread_mutex_destroy(&engine->catalog_lock);
	pthread_mutex_destroy(&engine->ports_lock);
	pthread_mutex_destroy(&engine->ddl_lock);
	pthread_mutex_destroy(&engine->events.lock);
	pthread_cond_destroy(&engine->ddl_cond);
	pthread_mutex_destroy(&engine->set.unwritable_lock);
	pthread_mutex_destroy(&engine->checkpoints.lock);
	pthread_mutex_destroy(&engine->checkpoints.wait_lock);
	pthread_cond_destroy(&engine->checkpoints.wake);
	free(engine);
}

/* --- statements --- */

/* Whether it is about the engine's own tables (engine_consume.c). */
static bool is_own(const struct statement *s)
{
	static const char PREFIX[] = "leftfold_";

	for (unsigned i = 0; i < s->nrelations; i++)
		if (strncmp(s->relations[i]->name, PREFIX, sizeof(PREFIX) - 1) != 0)
			return false;
	return s->nrelations > 0;
}

int engine_prepare(struct statement **out, struct lf_engine *engine, const char *text, size_t len,
	const enum type_id *declared, unsigned ndeclared, struct error *e)
{
	struct statement *s = NULL;
	int status = sql_prepare(
		&s, engine->catalog, engine->heap, text, len, declared, ndeclared, e);

	if (status == 0) {
		if (statement_is_command(s))
			status = command_compile(s, e);
		else if (s->kind == STATEMENT_SELECT)
			status = query_compile(s, e);
		if (status != 0)
			statement_free(s);
	}
	if (status == 0) {
		s->serial = ++engine->serial;
		s->unlogged = is_own(s);
		*out = s;
	}
	return status;
}

int lf_prepare(struct statement **out, struct lf_engine *engine, const char *text, size_t len,
	const enum type_id *declared, unsigned ndeclared, struct error *e)
{
	int status;

	pthread_mutex_lock(&engine->catalog_lock);
	status = engine_prepare(out, engine, text, len, declared, ndeclared, e);
	pthread_mutex_unlock(&engine->catalog_lock);
	return status;
}

int lf_check_source(const struct lf_engine *engine, const struct statement *s, const char *source,
	struct error *e)
{
	return catalog_has_sources(engine->catalog) ? statement_check_source(s, source, e) : 0;
}

void lf_release(struct lf_engine *engine, struct statement *s)
{
	if (s == NULL)
		return;
	pthread_mutex_lock(&engine->catalog_lock);
	statement_free(s);
	pthread_mutex_unlock(&engine->catalog_lock);
}

/* --- stepped mode --- */

bool lf_step(struct lf_engine *engine, unsigned shard)
{
	ASSERT(engine->options.stepped);
	if (shard == engine->set.shards)
		return engine_ddl_step(engine);
	if (shard == engine->set.shards + 1)
		return engine_events_step(engine);
	return projector_step(engine->set.projectors[shard]);
}

/* Give the disk time; false: nothing is under way. */
static bool journals_wait(struct lf_engine *engine)
{
	for (unsigned s = 0; engine->journals != NULL && s < engine->set.shards; s++)
		if (journal_active(engine->journals[s])) {
			journal_wait(engine->journals[s], JOURNAL_WAIT_US);
			return true;
		}
	return false;
}

void lf_settle(struct lf_engine *engine)
{
	bool moved;

	do {
		moved = false;
		for (unsigned s = 0; s <= engine->set.shards; s++)
			moved |= lf_step(engine, s);
		if (engine->options.event_log)
			moved |= engine_events_step(engine);
		moved |= journals_wait(engine);
	} while (moved);
}

/* --- introspection --- */

void lf_stats(struct lf_engine *engine, struct lf_stats *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned s = 0; s < engine->set.shards; s++) {
		struct projector_stats stats;

		projector_stats(engine->set.projectors[s], &stats);
		out->commands += stats.commands;
		out->refused += stats.refused;
		out->batches += stats.batches;
		out->view_rows += stats.view_rows;
		out->once_answers += stats.answers.answers;
		out->once_bytes += stats.answers.bytes;
		out->once_clients += stats.answers.clients;
		out->once_repeated += stats.repeated;
		if (engine->journals != NULL)
			out->journal_bytes += journal_written(engine->journals[s]);
	}
	out->epoch = epoch_current(engine->set.epochs);
	out->visible = epoch_visible(engine->set.epochs);
	out->memory_used = __atomic_load_n(&engine->set.budget.used, __ATOMIC_RELAXED);
	out->memory_limit = engine->options.memory_limit;
	out->disks_late = engine_disks_late(engine);
	pthread_mutex_lock(&engine->catalog_lock);
	out->subscriptions = engine->subscriptions;
	for (unsigned i = 0; i < catalog_count(engine->catalog); i++) {
		const struct parts *parts = catalog_at(engine->catalog, i)->user;

		if (parts != NULL)
			out->rows += parts_rows(parts);
	}
	pthread_mutex_unlock(&engine->catalog_lock);
}

void lf_catalog_each(
	struct lf_engine *engine, void (*fn)(void *arg, const struct relation *r), void *arg)
{
	pthread_mutex_lock(&engine->catalog_lock);
	for (unsigned i = 0; i < catalog_count(engine->catalog); i++)
		fn(arg, catalog_at(engine->catalog, i));
	for (unsigned i = 0; i < catalog_procedure_count(engine->catalog); i++)
		fn(arg, catalog_procedure_at(engine->catalog, i));
	pthread_mutex_unlock(&engine->catalog_lock);
}

uint64_t lf_visible(const struct lf_engine *engine)
{
	return epoch_visible(engine->set.epochs);
}
