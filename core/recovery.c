/*
 * recovery.c: see recovery.h.
 *
 * A checkpoint's schema is written last, so where that does not end in order the checkpoint was never finished: it is
 * passed over without a word. Damage in a finished one is warned of, and the one before is taken, whose journals are
 * there still.
 *
 * With salvage nothing is refused. Where no checkpoint is whole, what is sound of all of them is taken, the older ones
 * first, and then all of the journals: what a later checkpoint had of a row comes again, if it is not lost, from the
 * journal. The schema is that of the newest one that has it whole.
 */
#include "core/recovery.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/base/log.h"

static bool same_group(const struct segment_name *a, const struct segment_name *b)
{
	return a->kind == b->kind && a->run == b->run && a->shard == b->shard;
}

static int groups_make(struct recovery *r, struct error *e)
{
	const struct segment_list *l = &r->list;

	r->ngroups = 0;
	r->groups = calloc(l->n + 1, sizeof(*r->groups));
	if (r->groups == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	for (unsigned i = 0; i < l->n; i++) {
		const struct segment_name *s = &l->at[i];

		if (i == 0 || !same_group(s, s - 1)) {
			r->groups[r->ngroups].names = s;
			r->groups[r->ngroups++].used = s->kind == SEGMENT_JOURNAL;
		}
		r->groups[r->ngroups - 1].n++;
		if (s->kind == SEGMENT_JOURNAL)
			r->last_run = s->run;
		else
			r->engine->checkpoints.last = s->run;
	}
	return 0;
}

/* Read all of a group without unpacking. 1: sound and ended in order; 0: not, for *why; -1: no memory, or it cannot be
 * read at all: what cannot be read now may be sound, so it is not passed over. */
static int group_check(
	const struct recovery *r, const struct group *g, uint64_t *epoch, struct error *why)
{
	struct journal_reader reader;
	struct block b;
	int status;

	journal_reader_open(&reader, r->engine->disk, g->names, g->n);
	reader.packed = true;
	while ((status = journal_reader_next(&reader, &b, why)) > 0)
		*epoch = b.header->epoch;
	journal_reader_close(&reader);
	if (status < 0)
		return why->code == ERR_OUT_OF_MEMORY || reader.unreadable ? -1 : 0;
	if (!reader.closed) {
		char name[SEGMENT_NAME_BYTES];

		segment_file_name(name, &g->names[reader.used_at]);
		error_set(why, ERR_IO, 0,
			"%s: it does not end in order: behind offset %" PRIu64 " no block is whole",
			name, reader.used_offset);
	}
	return reader.closed;
}

/* The groups [from, to) of one checkpoint: 1: it is whole; 0: it is not; -1: no memory, or the disk's error. */
static int checkpoint_check(
	struct recovery *r, unsigned from, unsigned to, uint64_t *epoch, struct error *e)
{
	const struct group *schema = &r->groups[to - 1];
	struct segment_header h;
	int status;

	if (schema->names->shard != SCHEMA_SHARD) {
		error_set(e, ERR_IO, 0, "checkpoint %" PRIu32 " was not finished",
			schema->names->run);
		return 0;
	}
	status = group_check(r, schema, epoch, e);
	if (status > 0)
		status = segment_header_read(r->engine->disk, schema->names, &h, e);
	if (status <= 0)
		return status;
	if (h.shards != to - from - 1) {
		error_set(e, ERR_IO, 0, "files of it are missing");
		status = 0;
	}
	for (unsigned i = from; status > 0 && i + 1 < to; i++)
		status = group_check(r, &r->groups[i], epoch, e);
	if (status == 0)
		log_warn("checkpoint %" PRIu32 " is damaged: %s", schema->names->run, e->message);
	return status;
}

/* With salvage, when no checkpoint is whole. */
static int checkpoints_salvage(struct recovery *r, struct error *e)
{
	bool schema = false;

	for (unsigned i = r->ngroups; i-- > 0;) {
		struct group *g = &r->groups[i];
		uint64_t epoch = 0;
		int status = 0;

		if (g->names->kind == SEGMENT_JOURNAL)
			break;
		g->used = g->names->shard != SCHEMA_SHARD;
		if (g->used || schema)
			continue;
		status = group_check(r, g, &epoch, e);
		if (status < 0 && e->code == ERR_OUT_OF_MEMORY)
			return -1;
		g->used = schema = status > 0;
		if (schema)
			r->schema_base = epoch;
	}
	return 0;
}

static int checkpoint_choose(struct recovery *r, struct error *e)
{
	struct checkpoints *c = &r->engine->checkpoints;
	unsigned found = 0, end = r->ngroups;

	while (end > 0 && r->groups[end - 1].names->kind == SEGMENT_CHECKPOINT &&
		found < CHECKPOINTS_KEPT) {
		unsigned begin = end - 1;
		uint64_t epoch = 0;
		int status;

		while (begin > 0 && r->groups[begin - 1].names->kind == SEGMENT_CHECKPOINT &&
			r->groups[begin - 1].names->run == r->groups[end - 1].names->run)
			begin--;
		status = checkpoint_check(r, begin, end, &epoch, e);
		if (status == 0 && end == r->ngroups)
			r->why = *e;
		if (status < 0 && (!r->engine->salvaging || e->code == ERR_OUT_OF_MEMORY))
			return -1;
		for (unsigned i = begin; status > 0 && found == 0 && i < end; i++)
			r->groups[i].used = true;
		if (status > 0) {
			c->whole[found].number = r->groups[begin].names->run;
			c->whole[found++].epoch = epoch;
		}
		end = begin;
	}
	r->base = r->schema_base = c->whole[0].epoch;
	/* A run after a checkpoint is never the first, even where no journal is left: journals_check() relies on it. */
	if (r->last_run == 0)
		r->last_run = c->last;
	return found == 0 && r->engine->salvaging ? checkpoints_salvage(r, e) : 0;
}

/* Whether group i is a journal that lacks its beginning, and the checkpoint does not have what it had. 1; 0; -1: its
 * header cannot be read. */
static int beginning_missing(const struct recovery *r, unsigned i, struct error *e)
{
	const struct segment_name *s = r->groups[i].names;
	struct segment_header h;
	int status;

	if (s->kind == SEGMENT_CHECKPOINT ||
		(s->number == 1 && (i > 0 || s->run == 1 || r->base > 0)))
		return 0;
	status = segment_header_read(r->engine->disk, s, &h, e);
	if (status < 0)
		return -1;
	/* Where there is no header, not even the beginning was on the medium: the reader sees whether it may. */
	return r->base == 0 || (status > 0 && h.first_epoch > r->base);
}

static int journals_check(const struct recovery *r, struct error *e)
{
	if (r->base == 0 && r->ngroups > 0 && r->groups[0].names->kind == SEGMENT_CHECKPOINT)
		return error_set(e, ERR_IO, 0,
			"no checkpoint is whole, and there is no journal: %s", r->why.message);
	for (unsigned i = 0; i < r->ngroups; i++) {
		int missing = beginning_missing(r, i, e);
		char name[SEGMENT_NAME_BYTES];

		if (missing < 0)
			return -1;
		if (missing == 0)
			continue;
		segment_file_name(name, r->groups[i].names);
		return error_set(e, ERR_IO, 0,
			"%s: what the journal had before it is missing, and no whole checkpoint has it%s%s",
			name, r->why.code != ERR_OK ? ": " : "", r->why.message);
	}
	return 0;
}

static int shards_compare(struct recovery *r, struct error *e)
{
	r->same = true;
	for (unsigned i = 0; r->same && i < r->ngroups; i++) {
		struct segment_header h;
		int status = segment_header_read(r->engine->disk, r->groups[i].names, &h, e);

		if (status < 0)
			return -1;
		if (status > 0 && r->groups[i].used)
			r->same = h.shards == r->engine->set.shards;
	}
	return 0;
}

/* With salvage: said only. */
static void journals_salvage(struct recovery *r)
{
	for (unsigned i = 0; i < r->ngroups; i++) {
		char name[SEGMENT_NAME_BYTES];
		struct error ignored;

		if (beginning_missing(r, i, &ignored) <= 0)
			continue;
		segment_file_name(name, r->groups[i].names);
		log_warn("salvage: %s: missing: what the journal had before this segment", name);
		r->dropped++;
	}
}

/* Whether the first file of a journal need not be read: the checkpoint has all of it, and the second file is whole, so that
 * where the journal ends is found behind it. 1; 0; -1. */
static int is_skippable(const struct recovery *r, const struct group *g, struct error *e)
{
	struct segment_header second, third;
	int status;

	if (g->names->kind != SEGMENT_JOURNAL || g->n < 2)
		return 0;
	status = segment_header_read(r->engine->disk, &g->names[1], &second, e);
	if (status <= 0 || second.first_epoch > r->base)
		return status < 0 ? -1 : 0;
	/* Of earlier runs what was not whole has been cut off. Of the last one a file is whole when there is another one
	 * behind it, unless its writes need not have been on the medium. */
	if (g->names->run != r->last_run)
		return 1;
	if (g->n < 3 || second.mode != DISK_SYNCED)
		return 0;
	return segment_header_read(r->engine->disk, &g->names[2], &third, e);
}

/* Files that are kept for the event log only. */
static int journals_skip(struct recovery *r, struct error *e)
{
	for (unsigned i = 0; i < r->ngroups; i++) {
		struct group *g = &r->groups[i];
		int status;

		while ((status = is_skippable(r, g, e)) > 0) {
			g->names++;
			g->n--;
			g->skipped++;
		}
		if (status < 0)
			return -1;
	}
	return 0;
}

int recovery_survey(struct recovery *r, struct error *e)
{
	if (segment_list_read(&r->list, r->engine->disk, e) != 0 || groups_make(r, e) != 0 ||
		checkpoint_choose(r, e) != 0)
		return -1;
	if (r->engine->salvaging) {
		journals_salvage(r);
		return 0;
	}
	if (journals_check(r, e) != 0 || journals_skip(r, e) != 0)
		return -1;
	return shards_compare(r, e);
}

void recovery_free(struct recovery *r)
{
	free(r->groups);
	free(r->tables);
	free(r->present);
	segment_list_free(&r->list);
}
