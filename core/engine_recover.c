/*
 * engine_recover.c: what earlier runs left in the data directory comes back; then a new run begins.
 *
 * Happy path: the schema of the checkpoint, then the schema journals of all runs behind its epoch are replayed in order,
 * views by name only; then the rows in the same order, each shard by a thread of its own; then the views are computed. A
 * row of a table that was dropped later is passed over: ids are never used twice. The new run's epochs begin well behind
 * any that may have been told.
 *
 * Where the number of shards has not changed, a shard reads what its predecessor wrote. Else every shard reads
 * everything and takes what is its own.
 *
 * On any error nothing in the directory has been changed. Torn tails are cut off, and segments never used removed, only
 * after everything was read.
 *
 * With salvage every reader drops what it cannot use, and counts it; afterwards all that was there is set aside under
 * other names, and a checkpoint of what was recovered takes its place.
 */
#include "core/recovery.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/sql/projection.h"

enum {
	RESTORE_BLOCKS = 64,     /* … in one epoch */
	RESTORE_ROWS = 64,       /* … looked up together */
	PROGRESS_ROWS = 1 << 22, /* a line in the log so often */
	SCHEMA_SEGMENT_BYTES = KIB(256)
};

#define SALVAGED_SUFFIX ".salvaged"

struct shard_restore {
	struct recovery *r;
	unsigned shard;
	pthread_t thread;
	bool started;
	int status;
	struct error error;
	uint64_t rows, last_epoch;
	struct restored coming[RESTORE_ROWS];
	unsigned ncoming;
	struct arena carried, scratch; /* rows of `coming` that ALTER has given another layout */
};

/* --- reading a group --- */

static void reader_open(
	const struct recovery *r, const struct group *g, struct journal_reader *reader)
{
	journal_reader_open(reader, r->engine->disk, g->names, g->n);
	reader->lenient = g->names->kind == SEGMENT_JOURNAL && g->names->run == r->last_run;
	reader->followed = g->names->kind == SEGMENT_JOURNAL && !reader->lenient;
	reader->salvage = r->engine->salvaging;
}

/* What is to be cut off later. */
static void group_ended(struct recovery *r, struct group *g, struct journal_reader *reader)
{
	journal_reader_close(reader);
	g->end = *reader;
	__atomic_fetch_add(&r->dropped, reader->dropped, __ATOMIC_RELAXED);
}

/* Whether what cannot be used, as e says, may be dropped. */
static bool may_drop(struct journal_reader *reader, const struct block *b, const struct error *e)
{
	if (!reader->salvage || e->code == ERR_OUT_OF_MEMORY)
		return false;
	journal_reader_drop(reader, b->segment, e->message);
	return true;
}

/* --- the schema --- */

static int schema_block(
	struct recovery *r, struct journal_reader *reader, const struct block *b, struct error *e)
{
	struct entry entry;
	uint64_t at = 0;
	int status;

	while ((status = block_entry(b, &at, &entry, e)) > 0)
		if (entry.kind == ENTRY_SCHEMA && entry.bytes == 0)
			catalog_set_coming_id(r->engine->catalog, entry.relation);
		else if (entry.kind == ENTRY_SCHEMA &&
			engine_ddl_replay(r->engine, (const char *)entry.data, entry.bytes,
				entry.relation, e) != 0 &&
			!may_drop(reader, b, e))
			return -1;
	return status < 0 && may_drop(reader, b, e) ? 0 : status;
}

/* A checkpoint counts whole, a journal from behind its epoch on. */
static bool block_counts(const struct recovery *r, const struct group *g, const struct block *b)
{
	return g->names->kind == SEGMENT_CHECKPOINT ||
		b->header->epoch > (g->names->shard == SCHEMA_SHARD ? r->schema_base : r->base);
}

static int schema_group_restore(
	struct recovery *r, struct group *g, uint64_t *last_epoch, struct error *e)
{
	struct journal_reader reader;
	struct block b;
	int status;

	reader_open(r, g, &reader);
	while ((status = journal_reader_next(&reader, &b, e)) > 0) {
		if (b.header->epoch > *last_epoch)
			*last_epoch = b.header->epoch;
		if (block_counts(r, g, &b) && schema_block(r, &reader, &b, e) != 0) {
			status = -1;
			break;
		}
	}
	group_ended(r, g, &reader);
	return status;
}

/* The groups in the order in which they are replayed: the checkpoint's, then the journals'. */
static struct group *group_in_order(const struct recovery *r, unsigned i)
{
	unsigned journals = 0;

	while (journals < r->ngroups && r->groups[journals].names->kind == SEGMENT_JOURNAL)
		journals++;
	return &r->groups[(i + journals) % r->ngroups];
}

static int schema_restore(struct recovery *r, uint64_t *last_epoch, struct error *e)
{
	for (unsigned i = 0; i < r->ngroups; i++) {
		struct group *g = group_in_order(r, i);

		if (g->used && g->names->shard == SCHEMA_SHARD &&
			schema_group_restore(r, g, last_epoch, e) < 0)
			return -1;
	}
	return 0;
}

static int tables_index(struct recovery *r, struct error *e)
{
	struct catalog *c = r->engine->catalog;
	unsigned n = catalog_coming_id(c);

	r->tables = calloc(n + 1, sizeof(struct relation *));
	r->present = calloc(n + 1, sizeof(struct relation *));
	if (r->tables == NULL || r->present == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	r->ntables = n;
	for (unsigned i = 0; i < catalog_count(c); i++) {
		struct relation *relation = catalog_at(c, i);

		ASSERT(relation->id < n);
		for (struct relation *t = relation; t != NULL; t = t->former)
			if (t->kind == RELATION_TABLE && r->tables[t->id] == NULL) {
				r->tables[t->id] = t;
				r->present[t->id] = relation;
			}
	}
	return 0;
}

/* --- rows --- */

/* Whether a row belongs to the shard. */
static bool is_own(
	const struct recovery *r, const struct relation *t, const void *row, unsigned shard)
{
	struct value v;

	if (r->same)
		return true;
	row_get(&t->layout, row, (unsigned)t->partition, &v);
	return shard_of(value_hash(&v), r->engine->set.shards) == shard;
}

/* A row of a layout that the table had, as it is in the present one: each ALTER has made it of the one before. NULL: the
 * error is set. */
static const void *row_carry(struct shard_restore *x, const struct relation *present,
	const struct relation *had, const void *row)
{
	struct program_env env = { &x->scratch, &x->error, 0, 0 };
	const void *rows[EXPR_SOURCES];

	if (present->id == had->id)
		return row;
	rows[0] = row_carry(x, present->former, had, row);
	if (rows[0] == NULL || present->carry == NULL)
		return rows[0];
	row = projection_run(present->carry, rows, &x->carried, &env);
	arena_reset(&x->scratch);
	return row;
}

static int coming_restore(struct shard_restore *x)
{
	struct projector *p = x->r->engine->set.projectors[x->shard];
	uint64_t before = x->rows / PROGRESS_ROWS;
	unsigned n = x->ncoming;
	int status;

	x->ncoming = 0;
	x->rows += n;
	if (x->rows / PROGRESS_ROWS != before)
		log_info("recovery: shard %u: %" PRIu64 " changes of rows so far", x->shard,
			x->rows);
	status = projector_restore(p, x->coming, n, &x->error);
	arena_reset(&x->carried);
	return status;
}

/* -1: it is not one (58030), or 53200. */
static int answer_restore(struct shard_restore *x, const struct block *b, const struct entry *entry)
{
	struct projector *p = x->r->engine->set.projectors[x->shard];

	if (!answer_valid(entry->data, entry->bytes))
		return error_set(&x->error, ERR_IO, 0,
			"an answer of shard %u in epoch %" PRIu64 " is malformed", b->header->shard,
			b->header->epoch);
	return projector_restore_answer(
		p, (const struct answer_record *)entry->data, x->r->same, &x->error);
}

static int block_restore(
	struct shard_restore *x, struct journal_reader *reader, const struct block *b)
{
	struct recovery *r = x->r;
	struct entry entry;
	uint64_t at = 0;
	int status;

	while ((status = block_entry(b, &at, &entry, &x->error)) > 0) {
		struct relation *t = entry.relation < r->ntables ? r->tables[entry.relation] : NULL;
		const struct relation *present;
		const struct parts *parts;
		const void *row;

		if (entry.kind == ENTRY_ANSWER && answer_restore(x, b, &entry) != 0 &&
			!may_drop(reader, b, &x->error))
			return -1;
		if (t == NULL || (entry.kind != ENTRY_PUT && entry.kind != ENTRY_DELETE))
			continue;
		if (row_validate(&t->layout, entry.data, entry.bytes, &x->error) != 0) {
			if (!may_drop(reader, b, &x->error))
				return -1;
			continue;
		}
		if (!is_own(r, t, entry.data, x->shard))
			continue;
		present = r->present[entry.relation];
		row = row_carry(x, present, t, entry.data);
		if (row == NULL)
			return -1;
		parts = present->user;
		x->coming[x->ncoming] = (struct restored){ .part = parts->part[x->shard],
			.row = row,
			.dead = entry.kind == ENTRY_DELETE };
		projector_restore_coming(&x->coming[x->ncoming++]);
		if (x->ncoming == RESTORE_ROWS && coming_restore(x) != 0)
			return -1;
	}
	if (status < 0 && !may_drop(reader, b, &x->error))
		return -1;
	/* The block is gone when the next one is read. */
	return coming_restore(x);
}

static int group_restore(struct shard_restore *x, struct group *g)
{
	struct recovery *r = x->r;
	struct projector *p = r->engine->set.projectors[x->shard];
	struct journal_reader reader;
	struct block b;
	unsigned n = 0;
	int status;

	reader_open(r, g, &reader);
	reader.quiet = x->shard != 0; /* every shard reads the same */
	projector_restore_begin(p);
	while ((status = journal_reader_next(&reader, &b, &x->error)) > 0) {
		if (b.header->epoch > x->last_epoch)
			x->last_epoch = b.header->epoch;
		if (block_counts(r, g, &b) && block_restore(x, &reader, &b) != 0) {
			status = -1;
			break;
		}
		if (++n % RESTORE_BLOCKS == 0) {
			projector_restore_end(p);
			projector_restore_begin(p);
		}
	}
	projector_restore_end(p);
	/* One of the readers notes where it ends. */
	if (r->same || x->shard == 0)
		group_ended(r, g, &reader);
	else
		journal_reader_close(&reader);
	return status;
}

static void *shard_restore(void *arg)
{
	struct shard_restore *x = arg;
	struct recovery *r = x->r;

	arena_init(&x->carried, NULL);
	arena_init(&x->scratch, NULL);
	for (unsigned i = 0; x->status == 0 && i < r->ngroups; i++) {
		struct group *g = group_in_order(r, i);

		if (g->used && g->names->shard != SCHEMA_SHARD &&
			(!r->same || g->names->shard == x->shard))
			x->status = group_restore(x, g);
	}
	if (x->status == 0)
		x->status = projector_restored_answers(
			r->engine->set.projectors[x->shard], &x->error);
	arena_free(&x->carried);
	arena_free(&x->scratch);
	return NULL;
}

/* A row id is given by one shard only, whichever has the row now. */
static void rowids_share(struct lf_engine *engine)
{
	struct projector_set *set = &engine->set;

	for (unsigned s = 0; s < set->shards; s++)
		for (unsigned other = 0; other < set->shards; other++) {
			uint64_t last = projector_rowids(set->projectors[other])[s];

			if (last > projector_rowids(set->projectors[s])[s])
				projector_rowids(set->projectors[s])[s] = last;
		}
}

static int rows_restore(struct recovery *r, uint64_t *last_epoch, struct error *e)
{
	unsigned n = r->engine->set.shards;
	struct shard_restore *shards = calloc(n, sizeof(*shards));
	int status = 0;

	if (shards == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	for (unsigned s = 0; s < n; s++) {
		struct shard_restore *x = &shards[s];

		x->r = r;
		x->shard = s;
		x->started = !r->engine->options.stepped && n > 1 &&
			pthread_create(&x->thread, NULL, shard_restore, x) == 0;
		if (!x->started)
			(void)shard_restore(x);
	}
	for (unsigned s = 0; s < n; s++) {
		struct shard_restore *x = &shards[s];

		if (x->started)
			pthread_join(x->thread, NULL);
		if (x->status != 0 && status == 0) {
			*e = x->error;
			status = -1;
		}
		r->engine->recovered_rows += x->rows;
		if (x->last_epoch > *last_epoch)
			*last_epoch = x->last_epoch;
	}
	free(shards);
	rowids_share(r->engine);
	return status;
}

/* --- afterwards --- */

/* sync: put it on the medium even when nothing is to be cut off. */
static int segment_cut(const struct disk *d, const struct segment_name *s, uint64_t bytes,
	bool sync, struct error *e)
{
	char name[SEGMENT_NAME_BYTES];
	int status;

	if (bytes == s->bytes && !sync)
		return 0;
	segment_file_name(name, s);
	status = d->ops->truncate(d->impl, name, bytes);
	return status < 0 ? segment_failed(s, "cutting it", status, e) : 0;
}

/* Cut off what is not whole or not used. From the last segment backwards, so that a crash between leaves an end that can
 * be read. */
static int group_tidy(const struct recovery *r, const struct group *g, struct error *e)
{
	const struct journal_reader *end = &g->end;
	const struct disk *d = r->engine->disk;
	unsigned last = end->used_at;
	/* Once another run has begun, nothing of this one may be lost any more. */
	bool sync = end->written && g->names->run == r->last_run;

	if (g->names->kind == SEGMENT_CHECKPOINT)
		return 0;

	if (end->torn) {
		const struct segment_name *s = &g->names[end->torn_at];
		char name[SEGMENT_NAME_BYTES];

		segment_file_name(name, s);
		log_warn("%s: cut off at offset %" PRIu64 ": %" PRIu64
			 " bytes in which no write is whole%s",
			name, end->torn_offset, s->bytes - end->torn_offset,
			end->lost ? "; whole ones behind them are lost, as durability 'os' allows"
				  : "");
	}
	for (unsigned i = g->n; i-- > last + 1;)
		if (segment_remove(d, &g->names[i], e) != 0)
			return -1;
	if (end->used_offset == 0)
		return segment_remove(d, &g->names[last], e);
	for (unsigned i = 0; sync && i < last; i++)
		if (segment_cut(d, &g->names[i], g->names[i].bytes, sync, e) != 0)
			return -1;
	return segment_cut(d, &g->names[last], end->used_offset, sync, e);
}

/* After salvage: what there was, under other names. */
static int set_aside(const struct recovery *r, struct error *e)
{
	const struct disk *d = r->engine->disk;

	for (unsigned i = 0; i < r->list.n; i++) {
		char name[SEGMENT_NAME_BYTES], to[SEGMENT_NAME_BYTES + sizeof(SALVAGED_SUFFIX)];
		int status;

		segment_file_name(name, &r->list.at[i]);
		(void)snprintf(to, sizeof(to), "%s" SALVAGED_SUFFIX, name);
		status = d->ops->rename(d->impl, name, to);
		if (status < 0)
			return segment_failed(&r->list.at[i], "renaming it", status, e);
	}
	return 0;
}

/* Which events the files of earlier runs have. */
static int events_known(struct lf_engine *engine, struct error *e)
{
	uint64_t gone;

	if (events_gone(engine->disk, &gone, e) != 0)
		return -1;
	atomic_store(&engine->events_gone, gone);
	return 0;
}

static int event_log_open(struct lf_engine *engine, unsigned shard)
{
	struct event_log *l = event_log_new();

	if (l != NULL)
		projector_set_event_log(engine->set.projectors[shard], l);
	return l != NULL ? 0 : -1;
}

static int run_begin(struct lf_engine *engine, uint32_t run, uint64_t first_epoch, struct error *e)
{
	unsigned n = engine->set.shards;
	/* The schema's is always synced: rows may be lost with durability 'os', but where the id of a table was lost and
	 * its rows were not, another table would get the id and the rows. */
	struct journal_options o = { .disk = engine->disk,
		.mode = DISK_SYNCED,
		.run = run,
		.shard = SCHEMA_SHARD,
		.shards = (uint16_t)n,
		.segment_bytes = SCHEMA_SEGMENT_BYTES };

	engine->journals = calloc(n, sizeof(struct journal *));
	if (engine->journals == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	/* Not before: one that is refused stays as it is. */
	if (engine->disk == &engine->own_disk)
		disk_tidy(engine->disk);
	if (!engine->options.stepped && segment_maker_open(&engine->maker, e) != 0)
		return -1;
	if (journal_open(&engine->schema_journal, &o, e) != 0)
		return -1;
	/* A block that says where this run's epochs begin: the next run's must be behind them. */
	if (journal_begin_run(engine->schema_journal, first_epoch) != 0) {
		*e = *journal_error(engine->schema_journal);
		return -1;
	}
	o.mode = engine->options.durability == LF_DURABILITY_DISK ? DISK_SYNCED : DISK_WRITTEN;
	o.segment_bytes = engine->options.segment_bytes;
	o.maker = engine->maker;
	o.events = engine->options.event_log;
	for (unsigned s = 0; s < n; s++) {
		o.shard = (uint16_t)s;
		o.wake = projector_wake;
		o.arg = engine->set.projectors[s];
		if (journal_open(&engine->journals[s], &o, e) != 0)
			return -1;
		projector_set_journal(engine->set.projectors[s], engine->journals[s]);
		if (engine->options.event_log && event_log_open(engine, s) != 0)
			return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	}
	engine->run = run;
	return engine->options.event_log ? events_known(engine, e) : 0;
}

/* Runs that ended before they had written anything have left nothing, and the next is the first again: that one may begin
 * without what was before it. */
static bool nothing_left(const struct recovery *r)
{
	bool left = r->base > 0 || r->engine->salvaging;

	for (unsigned i = 0; i < r->ngroups; i++)
		left |= r->groups[i].used && r->groups[i].end.used_offset > 0;
	return !left;
}

static int recover(struct recovery *r, struct error *e)
{
	struct lf_engine *engine = r->engine;
	uint64_t last_epoch = 0, begin = clock_now_ns(), rows_ns = 0;

	if (recovery_survey(r, e) != 0)
		return -1;
	engine->recovering = true;
	if (schema_restore(r, &last_epoch, e) != 0 || tables_index(r, e) != 0 ||
		rows_restore(r, &last_epoch, e) != 0)
		return -1;
	rows_ns = clock_now_ns() - begin;
	engine->recovering = false;
	engine->recovered = catalog_count(engine->catalog) > 0 ||
		catalog_procedure_count(engine->catalog) > 0;
	if (r->ngroups > 0) {
		uint64_t first = last_epoch + (engine->salvaging ? SALVAGE_EPOCHS : RESTART_EPOCHS);

		if (first < epoch_current(engine->set.epochs))
			first = epoch_current(engine->set.epochs);
		epochs_start(engine->set.epochs, first);
		engine->set.base_epoch = first - 1;
		for (unsigned s = 0; s < engine->set.shards; s++)
			projector_set_finished(engine->set.projectors[s], first - 1);
		if (engine_ddl_views(engine, e) != 0)
			return -1;
		log_info("recovered %" PRIu64 " changes of rows up to epoch %" PRIu64
			 " from %u segments in %.1f s, and the views in %.1f s",
			engine->recovered_rows, last_epoch, r->list.n, (double)rows_ns / 1e9,
			(double)(clock_now_ns() - begin - rows_ns) / 1e9);
	}
	for (unsigned i = 0; !engine->salvaging && i < r->ngroups; i++)
		if (group_tidy(r, &r->groups[i], e) != 0)
			return -1;
	if (nothing_left(r))
		r->last_run = 0;
	if (run_begin(engine, r->last_run + 1, epoch_current(engine->set.epochs), e) != 0)
		return -1;
	if (!engine->salvaging)
		return 0;
	if (engine_checkpoint_salvaged(engine, e) != 0 || set_aside(r, e) != 0)
		return -1;
	log_warn("salvage: %" PRIu64
		 " parts dropped or missing; the files as they were end in \"" SALVAGED_SUFFIX
		 "\" now",
		r->dropped);
	return 0;
}

int engine_recover(struct lf_engine *engine, struct error *e)
{
	struct recovery r = { .engine = engine };
	int status;

	if (engine->options.disk != NULL) {
		engine->disk = engine->options.disk;
	} else if (engine->options.data != NULL) {
		if (disk_open(&engine->own_disk, engine->options.data, e) != 0)
			return -1;
		engine->disk = &engine->own_disk;
	} else {
		return 0;
	}
	status = recover(&r, e);
	recovery_free(&r);
	return status;
}

unsigned engine_disks_late(const struct lf_engine *engine)
{
	unsigned n = 0;

	for (unsigned s = 0; engine->journals != NULL && s < engine->set.shards; s++)
		n += journal_is_late(engine->journals[s]);
	return n;
}

void engine_journals_close(struct lf_engine *engine, bool orderly)
{
	uint64_t epoch = engine->set.epochs != NULL ? epoch_current(engine->set.epochs) : 0;

	for (unsigned s = 0; engine->journals != NULL && s < engine->set.shards; s++) {
		if (orderly && engine->journals[s] != NULL)
			(void)journal_end(engine->journals[s], epoch);
		journal_close(engine->journals[s]);
	}
	if (orderly && engine->schema_journal != NULL)
		(void)journal_end(engine->schema_journal, epoch);
	journal_close(engine->schema_journal);
	segment_maker_close(engine->maker);
	free(engine->journals);
	disk_close(&engine->own_disk);
}
