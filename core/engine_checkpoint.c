/*
 * engine_checkpoint.c: checkpoints: all rows of all tables at one epoch, and the schema they have.
 *
 * A checkpoint is a reader with a pinned epoch: projectors and readers go on, and what they replace meanwhile is kept
 * until it has been read. It is written like a journal (core/log): a group of segments a shard with its rows, packed,
 * and last the one with the schema. So a checkpoint whose schema ends in order is whole.
 *
 * Only when a new one has been read back and found sound are earlier files removed: checkpoints but the newest two, and
 * the segments of journals whose epochs the older of these two has. On any error the earlier ones stay as they were, and
 * the files begun are removed with the next one.
 */
#include "core/engine_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <zstd.h>

#include "core/base/assert.h"
#include "core/base/clock.h"
#include "core/base/log.h"

enum {
	RAW_BYTES = KIB(256), /* of rows packed together, about */
	PACK_LEVEL = 1,
	LOOK_S = 1, /* the thread looks so often whether a checkpoint is due */
	NICE = 10
};

struct definition {
	uint32_t id;
	unsigned number; /* among those of one id */
	char *text;
};

struct checkpoint {
	struct lf_engine *engine;
	uint32_t number;
	uint64_t epoch;
	uint64_t rows;
	uint64_t answers; /* and what was forgotten of clients */
	/* the schema at that epoch */
	struct definition *definitions;
	unsigned ndefinitions;
	uint32_t coming_id;
	struct relation **tables; /* held */
	const struct parts **parts;
	unsigned ntables;
	/* rows gathered for a block */
	unsigned char *raw, *packed;
	size_t used, raw_cap, packed_cap;
	uint32_t entries;
	struct journal *journal;
};

/* --- the schema --- */

static int define(struct checkpoint *c, uint32_t id, const char *text)
{
	struct definition *d = &c->definitions[c->ndefinitions];

	d->id = id;
	d->number = c->ndefinitions;
	d->text = strdup(text);
	if (d->text == NULL)
		return -1;
	c->ndefinitions++;
	return 0;
}

static int define_index(struct checkpoint *c, const struct index_def *x)
{
	if (define(c, x->id, x->definition) != 0)
		return -1;
	for (unsigned i = 0; i < x->nalterations; i++)
		if (define(c, x->alterations[i].id, x->alterations[i].text) != 0)
			return -1;
	return 0;
}

/* How many statements tell of it. */
static unsigned definition_count(const struct relation *r)
{
	unsigned n = 1u + r->nalterations;

	for (unsigned i = 0; i < r->nindexes; i++)
		n += 1u + r->indexes[i]->nalterations;
	return n;
}

static int define_relation(struct checkpoint *c, struct relation *r)
{
	if (define(c, r->made, r->definition) != 0)
		return -1;
	for (unsigned i = 0; i < r->nalterations; i++)
		if (define(c, r->alterations[i].id, r->alterations[i].text) != 0)
			return -1;
	for (unsigned i = 0; i < r->nindexes; i++)
		if (r->indexes[i]->definition != NULL && define_index(c, r->indexes[i]) != 0)
			return -1;
	if (r->kind != RELATION_TABLE)
		return 0;
	relation_hold(r);
	c->tables[c->ntables] = r;
	c->parts[c->ntables++] = r->user;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct definition *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* Pin the newest epoch and note the schema that it has: no schema change is under way while the catalog is locked. */
static int schema_note(struct checkpoint *c)
{
	struct lf_engine *engine = c->engine;
	struct catalog *catalog = engine->catalog;
	unsigned n, procedures, definitions = 0;
	int status = 0;

	pthread_mutex_lock(&engine->catalog_lock);
	c->epoch = epoch_pin(engine->set.epochs, (unsigned)engine->checkpoints.reader);
	n = catalog_count(catalog);
	procedures = catalog_procedure_count(catalog);
	for (unsigned i = 0; i < n; i++)
		definitions += definition_count(catalog_at(catalog, i));
	for (unsigned i = 0; i < procedures; i++)
		definitions += definition_count(catalog_procedure_at(catalog, i));
	c->definitions = calloc(definitions + 1, sizeof(*c->definitions));
	c->tables = calloc(n + 1, sizeof(struct relation *));
	c->parts = calloc(n + 1, sizeof(struct parts *));
	if (c->definitions == NULL || c->tables == NULL || c->parts == NULL)
		status = -1;
	for (unsigned i = 0; status == 0 && i < n; i++)
		status = define_relation(c, catalog_at(catalog, i));
	for (unsigned i = 0; status == 0 && i < procedures; i++)
		status = define_relation(c, catalog_procedure_at(catalog, i));
	c->coming_id = catalog_coming_id(catalog);
	pthread_mutex_unlock(&engine->catalog_lock);
	if (status == 0)
		qsort(c->definitions, c->ndefinitions, sizeof(*c->definitions), by_id);
	return status;
}

/* --- writing --- */

static int group_open(struct checkpoint *c, uint16_t shard, struct error *e)
{
	struct lf_engine *engine = c->engine;
	struct journal_options o = { .disk = engine->disk,
		.kind = SEGMENT_CHECKPOINT,
		.mode = DISK_SYNCED,
		.run = c->number,
		.shard = shard,
		.shards = (uint16_t)engine->set.shards,
		.segment_bytes = engine->options.segment_bytes };

	return journal_open(&c->journal, &o, e);
}

static int group_failed(struct checkpoint *c, struct error *e)
{
	*e = *journal_error(c->journal);
	journal_close(c->journal);
	c->journal = NULL;
	return -1;
}

static int group_close(struct checkpoint *c, struct error *e)
{
	if (journal_end(c->journal, c->epoch) != 0 || journal_trim(c->journal) != 0)
		return group_failed(c, e);
	journal_close(c->journal);
	c->journal = NULL;
	return 0;
}

/* Pack what was gathered; written while the next rows are. */
static int block_write(struct checkpoint *c)
{
	size_t n;

	if (atomic_load_explicit(&c->engine->checkpoints.stopping, memory_order_relaxed)) {
		journal_give_up(c->journal, ERR_SHUTDOWN);
		return -1;
	}
	if (c->entries == 0)
		return 0;
	n = ZSTD_compress(c->packed, c->packed_cap, c->raw, c->used, PACK_LEVEL);
	ASSERT(!ZSTD_isError(n)); /* the room is ZSTD_compressBound() */
	if (journal_add_packed(c->journal, c->epoch, c->packed, (uint32_t)n, (uint32_t)c->used,
		    c->entries) != 0)
		return -1;
	c->used = c->entries = 0;
	if (journal_state(c->journal) == JOURNAL_BUSY)
		return journal_sync(c->journal);
	(void)journal_step(c->journal);
	return journal_state(c->journal) == JOURNAL_FAILED ? -1 : 0;
}

static int raw_room(struct checkpoint *c, size_t more)
{
	size_t need = c->used + more;
	unsigned char *raw, *packed;

	if (need <= c->raw_cap)
		return 0;
	raw = realloc(c->raw, need);
	if (raw == NULL)
		return -1;
	c->raw = raw;
	packed = realloc(c->packed, ZSTD_compressBound(need));
	if (packed == NULL)
		return -1;
	c->packed = packed;
	c->raw_cap = need;
	c->packed_cap = ZSTD_compressBound(need);
	return 0;
}

static int part_write(
	struct checkpoint *c, const struct relation *r, const struct part *part, struct error *e)
{
	struct entry_header entry = { .relation = r->id, .kind = ENTRY_PUT };
	struct table_cursor cursor;
	const void *row;

	table_scan_begin(&cursor, part->table, c->epoch);
	while ((row = table_scan_next(&cursor)) != NULL) {
		uint32_t n = row_size(row);

		if (c->used + sizeof(entry) + n > RAW_BYTES && block_write(c) != 0)
			return group_failed(c, e);
		if (raw_room(c, sizeof(entry) + n) != 0)
			return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		memcpy(c->raw + c->used, &entry, sizeof(entry));
		memcpy(c->raw + c->used + sizeof(entry), row, n);
		c->used += sizeof(entry) + n;
		c->entries++;
		c->rows++;
	}
	return 0;
}

/* The next slice of a shard's answers, in c->raw: it changes its table at any time, so it copies them itself. */
static void answers_slice(struct checkpoint *c, unsigned shard, struct answers_copy *copy)
{
	struct projector *p = c->engine->set.projectors[shard];

	copy->out = c->raw + c->used;
	copy->cap = c->raw_cap - c->used;
	if (c->engine->options.stepped || !c->engine->threads[shard].started) {
		projector_copy_answers(p, copy);
		return;
	}
	projector_ask_copy(p, copy);
	while (!projector_has_copied(p))
		engine_nap();
}

static int answers_write(struct checkpoint *c, unsigned shard, struct error *e)
{
	struct answers_copy copy = { .walk = { .epoch = c->epoch } };

	do {
		if (raw_room(c, RAW_BYTES + LIMIT_ONCE_ENTRY_BYTES) != 0)
			return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		answers_slice(c, shard, &copy);
		c->used += copy.bytes;
		c->entries += copy.entries;
		c->answers += copy.entries;
		if (c->used > RAW_BYTES && block_write(c) != 0)
			return group_failed(c, e);
	} while (copy.bytes > 0);
	return 0;
}

static int shard_write(struct checkpoint *c, unsigned shard, struct error *e)
{
	if (group_open(c, (uint16_t)shard, e) != 0)
		return -1;
	for (unsigned i = 0; i < c->ntables; i++)
		if (part_write(c, c->tables[i], c->parts[i]->part[shard], e) != 0)
			return -1;
	if (answers_write(c, shard, e) != 0)
		return -1;
	if (block_write(c) != 0)
		return group_failed(c, e);
	return group_close(c, e);
}

static int schema_write(struct checkpoint *c, struct error *e)
{
	if (group_open(c, SCHEMA_SHARD, e) != 0)
		return -1;
	for (unsigned i = 0; i < c->ndefinitions; i++) {
		const struct definition *d = &c->definitions[i];

		if (journal_append_schema(c->journal, c->epoch, d->id, d->text, strlen(d->text)) !=
			0)
			return group_failed(c, e);
	}
	/* Without text: the id that comes next. */
	if (journal_append_schema(c->journal, c->epoch, c->coming_id, "", 0) != 0)
		return group_failed(c, e);
	return group_close(c, e);
}

static int rows_write(struct checkpoint *c, struct error *e)
{
	for (unsigned s = 0; s < c->engine->set.shards; s++)
		if (shard_write(c, s, e) != 0)
			return -1;
	return 0;
}

static void checkpoint_free(struct checkpoint *c)
{
	journal_close(c->journal);
	for (unsigned i = 0; i < c->ndefinitions; i++)
		free(c->definitions[i].text);
	pthread_mutex_lock(&c->engine->catalog_lock);
	for (unsigned i = 0; i < c->ntables; i++)
		relation_release(c->tables[i]);
	pthread_mutex_unlock(&c->engine->catalog_lock);
	free(c->definitions);
	free(c->tables);
	free(c->parts);
	free(c->raw);
	free(c->packed);
}

/* --- verifying, removing --- */

static bool is_kept(const struct checkpoints *c, const struct segment_name *s)
{
	for (unsigned i = 0; i < CHECKPOINTS_KEPT; i++)
		if (c->whole[i].number == s->run)
			return true;
	return false;
}

/* A later segment from whose first block on nothing belongs to segment i: the next of the same journal, or for want of
 * one the first of a later run. NULL: there is none. */
static const struct segment_name *successor(const struct segment_list *l, unsigned i)
{
	const struct segment_name *s = &l->at[i];

	if (i + 1 < l->n && s[1].kind == s->kind && s[1].run == s->run && s[1].shard == s->shard)
		return s + 1;
	for (unsigned k = i + 1; k < l->n && l->at[k].kind == SEGMENT_JOURNAL; k++)
		if (l->at[k].run > s->run && l->at[k].shard == SCHEMA_SHARD)
			return &l->at[k];
	return NULL;
}

/* Whether all epochs of a journal's segment are at most `epoch`: then *upto is one that they are all at most. */
static int is_covered(struct lf_engine *engine, const struct segment_list *l, unsigned i,
	uint64_t epoch, uint64_t *upto, struct error *e)
{
	const struct segment_name *next = successor(l, i);
	struct segment_header h;
	int status = next == NULL ? 0 : segment_header_read(engine->disk, next, &h, e);

	if (status <= 0)
		return status;
	*upto = h.first_epoch;
	return h.first_epoch <= epoch;
}

struct kept_segment {
	uint64_t first_epoch, bytes;
};

static int newest_first(const void *a, const void *b)
{
	const struct kept_segment *x = a, *y = b;

	if (x->first_epoch != y->first_epoch)
		return x->first_epoch > y->first_epoch ? -1 : 1;
	return 0;
}

/* Up to which epoch segments may be removed for all that the event log says: it keeps the newest ones, of all shards, that
 * have so many bytes together. 0: none may. */
static int events_keep(
	struct lf_engine *engine, const struct segment_list *l, uint64_t *epoch, struct error *e)
{
	struct kept_segment *at = calloc(l->n + 1, sizeof(*at));
	uint64_t bytes = 0;
	unsigned n = 0;
	int status = 0;

	*epoch = 0;
	if (at == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	for (unsigned i = 0; status >= 0 && i < l->n; i++) {
		struct segment_header h;

		if (l->at[i].kind != SEGMENT_JOURNAL)
			break;
		status = segment_header_read(engine->disk, &l->at[i], &h, e);
		if (status > 0)
			at[n++] = (struct kept_segment){ h.first_epoch, l->at[i].bytes };
	}
	if (n > 0)
		qsort(at, n, sizeof(*at), newest_first);
	for (unsigned i = 0; i < n && bytes < engine->options.event_log_retain; i++) {
		bytes += at[i].bytes;
		*epoch = bytes >= engine->options.event_log_retain ? at[i].first_epoch : 0;
	}
	free(at);
	return status < 0 ? -1 : 0;
}

/* Before segments up to this epoch are removed: readers of the event log must know. */
static void events_forget(struct lf_engine *engine, uint64_t epoch)
{
	if (epoch > atomic_load(&engine->events_gone))
		atomic_store(&engine->events_gone, epoch);
}

static int prune(struct lf_engine *engine, struct error *e)
{
	const struct checkpoints *c = &engine->checkpoints;
	uint64_t epoch = c->whole[CHECKPOINTS_KEPT - 1].epoch, keep = epoch;
	struct segment_list l;
	int status = segment_list_read(&l, engine->disk, e);

	if (status == 0 && engine->options.event_log && engine->options.event_log_retain > 0)
		status = events_keep(engine, &l, &keep, e);
	if (keep < epoch)
		epoch = keep;

	for (unsigned i = 0; status == 0 && i < l.n; i++) {
		uint64_t upto = 0;
		int useless = l.at[i].kind == SEGMENT_CHECKPOINT ? !is_kept(c, &l.at[i])
			: epoch > 0 ? is_covered(engine, &l, i, epoch, &upto, e)
				    : 0;

		if (useless > 0 && upto > 0)
			events_forget(engine, upto);
		status = useless > 0 ? segment_remove(engine->disk, &l.at[i], e) : useless;
	}
	segment_list_free(&l);
	return status;
}

/* Read back: every checksum, and every group ends in order. */
static int verify(struct checkpoint *c, struct error *e)
{
	struct segment_list l;
	uint64_t entries = 0;
	int status = segment_list_read(&l, c->engine->disk, e);

	for (unsigned i = 0, n; status == 0 && i < l.n; i += n) {
		struct journal_reader r;
		struct block b;

		for (n = 1; i + n < l.n && l.at[i + n].shard == l.at[i].shard &&
			l.at[i + n].run == l.at[i].run && l.at[i + n].kind == l.at[i].kind;)
			n++;
		if (l.at[i].kind != SEGMENT_CHECKPOINT || l.at[i].run != c->number)
			continue;
		journal_reader_open(&r, c->engine->disk, &l.at[i], n);
		r.packed = true;
		while ((status = journal_reader_next(&r, &b, e)) > 0)
			entries += b.header->entries;
		if (status == 0 && !r.closed)
			status = error_set(e, ERR_IO, 0, "checkpoint %u is not whole", c->number);
		journal_reader_close(&r);
	}
	segment_list_free(&l);
	if (status == 0 && entries != c->rows + c->answers + c->ndefinitions + 1)
		status = error_set(
			e, ERR_IO, 0, "checkpoint %u is not what was written", c->number);
	return status;
}

/* --- all of it --- */

static int checkpoint_write(struct lf_engine *engine, struct error *e)
{
	struct checkpoint c = { .engine = engine, .number = engine->checkpoints.last + 1 };
	uint64_t begin = clock_now_ns();
	int status;

	/* Also when it fails: a number is used once. */
	engine->checkpoints.last = c.number;
	status = schema_note(&c);
	status = status != 0 ? error_set(e, ERR_OUT_OF_MEMORY, 0, NULL) : rows_write(&c, e);
	epoch_unpin(engine->set.epochs, (unsigned)engine->checkpoints.reader);
	if (status == 0)
		status = schema_write(&c, e);
	if (status == 0)
		status = verify(&c, e);
	if (status == 0)
		log_info("checkpoint %" PRIu32 ": %" PRIu64 " rows at epoch %" PRIu64 " in %.1f s",
			c.number, c.rows, c.epoch, (double)(clock_now_ns() - begin) / 1e9);
	checkpoint_free(&c);
	/* What was there before is damaged: it is not counted on, and left to its owner. */
	if (engine->salvaging) {
		memset(engine->checkpoints.whole, 0, sizeof(engine->checkpoints.whole));
		engine->checkpoints.whole[0].number = c.number;
		engine->checkpoints.whole[0].epoch = c.epoch;
		return status;
	}
	if (status == 0) {
		struct checkpoints *all = &engine->checkpoints;

		memmove(&all->whole[1], &all->whole[0], sizeof(all->whole) - sizeof(all->whole[0]));
		all->whole[0].number = c.number;
		all->whole[0].epoch = c.epoch;
	}
	if (status != 0) {
		struct error ignored;

		/* What it has written is of no use, and may be what the disk has no room for. */
		(void)prune(engine, &ignored);
		return status;
	}
	return prune(engine, e);
}

int lf_checkpoint(struct lf_engine *engine, struct error *e)
{
	int status;

	if (engine->disk == NULL)
		return error_set(e, ERR_OBJECT_STATE, 0,
			"nothing is kept: the engine has no data directory");
	pthread_mutex_lock(&engine->checkpoints.lock);
	status = checkpoint_write(engine, e);
	pthread_mutex_unlock(&engine->checkpoints.lock);
	return status;
}

int engine_checkpoint_salvaged(struct lf_engine *engine, struct error *e)
{
	int status = checkpoint_write(engine, e);

	engine->salvaging = false;
	return status;
}

/* --- the thread --- */

static uint64_t written(const struct lf_engine *engine)
{
	uint64_t n = 0;

	for (unsigned s = 0; s < engine->set.shards; s++)
		n += journal_written(engine->journals[s]);
	return n;
}

static bool is_due(const struct lf_engine *engine, uint64_t bytes, uint64_t seconds)
{
	const struct lf_options *o = &engine->options;

	return bytes > 0 &&
		((o->checkpoint_bytes > 0 && bytes >= o->checkpoint_bytes) ||
			(o->checkpoint_s > 0 && seconds >= o->checkpoint_s));
}

static void *checkpoint_thread(void *arg)
{
	struct lf_engine *engine = arg;
	struct checkpoints *c = &engine->checkpoints;
	uint64_t bytes = written(engine), since = clock_now_ns();

	/* What the clients wait for comes first. */
	(void)setpriority(PRIO_PROCESS, 0, NICE);
	pthread_mutex_lock(&c->wait_lock);
	while (!c->stopping) {
		struct timespec until;
		struct error e;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += LOOK_S;
		(void)pthread_cond_timedwait(&c->wake, &c->wait_lock, &until);
		if (c->stopping ||
			!is_due(engine, written(engine) - bytes,
				(clock_now_ns() - since) / 1000000000))
			continue;
		pthread_mutex_unlock(&c->wait_lock);
		bytes = written(engine);
		since = clock_now_ns();
		if (lf_checkpoint(engine, &e) != 0)
			log_error("checkpoint: %s", e.message);
		pthread_mutex_lock(&c->wait_lock);
	}
	pthread_mutex_unlock(&c->wait_lock);
	return NULL;
}

int engine_checkpoints_start(struct lf_engine *engine, struct error *e)
{
	struct checkpoints *c = &engine->checkpoints;

	if (engine->disk == NULL)
		return 0;
	if (pthread_create(&c->thread, NULL, checkpoint_thread, engine) != 0)
		return error_set(
			e, ERR_OUT_OF_MEMORY, 0, "could not create the thread for checkpoints");
	(void)pthread_setname_np(c->thread, "checkpoint");
	c->started = true;
	return 0;
}

void engine_checkpoints_stop(struct lf_engine *engine)
{
	struct checkpoints *c = &engine->checkpoints;

	if (!c->started)
		return;
	pthread_mutex_lock(&c->wait_lock);
	c->stopping = true;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->wait_lock);
	pthread_join(c->thread, NULL);
	c->started = false;
}
