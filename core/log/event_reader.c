/*
 * event_reader.c: see event_reader.h.
 *
 * One run at a time, each shard of it a *source*: a file, and the header of the block that comes next in it. The block of
 * the least (epoch, shard) is loaded and its commands are given; then its source looks for the next one. When no source
 * has any, the next run is gone on with.
 *
 * The live run: everything up to the visible epoch is in the files, since that is when it becomes visible; what is behind
 * may be half written and is not looked at. Whether a source has a block of such an epoch is only sure of what is read
 * after V was, so sources without a block are looked at again with each call.
 *
 * A file that should be there and is not has been removed by a checkpoint, which says so before (event_place.gone).
 */
#include "core/log/event_reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/crc32c.h"

struct source {
	struct segment_name name; /* of the file, or of the one to begin with */
	uint64_t last; /* number of the last file; of the live run: as of when it was looked at */
	struct disk_file *file; /* NULL: not begun */
	bool ended;
	bool have; /* `next` is the header at `offset` */
	struct block_header next;
	uint64_t offset, sequence; /* of the next block */
	uint64_t epoch;            /* of the last block that was taken … */
	uint32_t number;           /* … and how many events of it have been passed */
};

struct event_reader {
	struct event_place place;
	struct event_id after; /* what has been given, or asked to be passed */
	uint64_t passed;       /* no event up to this epoch is looked for any more */
	uint32_t run;          /* 0: none yet */
	struct source *sources;
	unsigned nsources;
	struct source *at; /* whose block is walked; NULL: none */
	unsigned char *body;
	uint64_t cap, blocks;
	struct event_walk walk;
};

static int gone_error(struct error *e)
{
	return error_set(e, ERR_EVENTS_GONE, 0, NULL);
}

/* --- what is there --- */

/* Whether a segment of a run without an event log has no changes of rows: its only block ends it. */
static int is_silent(const struct disk *d, const struct segment_name *s, struct error *e)
{
	struct block_header h = { .magic = 0 };
	int64_t got = segment_peek(d, s, SEGMENT_HEADER_BYTES, &h, sizeof(h), e);

	if (got < 0)
		return -1;
	return got < (int64_t)sizeof(h) || h.magic != BLOCK_MAGIC || (h.flags & BLOCK_END);
}

/* A journal's first file that is used: what was before it is gone. A run that had changes and no event log is noted. 1; 0:
 * the file is not used. */
static int group_gone(const struct disk *d, const struct segment_name *s, uint64_t *gone,
	uint32_t *unlogged, struct error *e)
{
	struct segment_header h;
	int status = segment_header_read(d, s, &h, e);

	if (status <= 0)
		return status;
	if (s->number > 1 && h.first_epoch > *gone)
		*gone = h.first_epoch;
	if (h.version != JOURNAL_VERSION || s->shard == SCHEMA_SHARD)
		return 1;
	status = is_silent(d, s, e);
	if (status == 0)
		*unlogged = s->run;
	return status < 0 ? -1 : 1;
}

/* All before this run is gone: its schema's journal says where it begins. */
static int run_gone(const struct disk *d, const struct segment_list *l, uint32_t run,
	uint64_t *gone, struct error *e)
{
	for (unsigned i = 0; i < l->n; i++) {
		const struct segment_name *s = &l->at[i];
		struct segment_header h;
		int status;

		if (s->kind != SEGMENT_JOURNAL || s->run != run || s->shard != SCHEMA_SHARD ||
			s->number != 1)
			continue;
		status = segment_header_read(d, s, &h, e);
		if (status > 0 && h.first_epoch > *gone)
			*gone = h.first_epoch - 1;
		return status < 0 ? -1 : 0;
	}
	return 0;
}

/* The first run above one. */
static uint32_t run_above(const struct segment_list *l, uint32_t run)
{
	for (unsigned i = 0; i < l->n && l->at[i].kind == SEGMENT_JOURNAL; i++)
		if (l->at[i].run > run)
			return l->at[i].run;
	return 0;
}

int events_gone(const struct disk *d, uint64_t *gone, struct error *e)
{
	struct segment_list l;
	uint32_t unlogged = 0, first;
	int status = segment_list_read(&l, d, e);

	*gone = 0;
	for (unsigned i = 0; status >= 0 && i < l.n && l.at[i].kind == SEGMENT_JOURNAL; i++) {
		if (i == 0 || l.at[i - 1].run != l.at[i].run || l.at[i - 1].shard != l.at[i].shard)
			status = 0;
		if (status == 0)
			status = group_gone(d, &l.at[i], gone, &unlogged, e);
	}
	first = run_above(&l, unlogged);
	if (status >= 0)
		status = 0;
	if (status == 0 && first > 1)
		status = run_gone(d, &l, first, gone, e);
	segment_list_free(&l);
	return status;
}

/* --- sources --- */

static void source_close(struct event_reader *r, struct source *s)
{
	if (s->file != NULL)
		r->place.disk->ops->close(r->place.disk->impl, s->file);
	s->file = NULL;
}

static int source_damage(const struct source *s, const char *what, struct error *e)
{
	char name[SEGMENT_NAME_BYTES];

	segment_file_name(name, &s->name);
	return error_set(e, ERR_IO, 0, "%s: offset %" PRIu64 ": %s", name, s->offset, what);
}

static bool is_live(const struct event_reader *r)
{
	return r->run == r->place.live_run;
}

/* Whether something that has not been passed may have been removed. */
static bool is_gone(const struct event_reader *r)
{
	return atomic_load_explicit(r->place.gone, memory_order_acquire) > r->passed;
}

/* Open a file: 1; 0: it is not there. */
static int file_open(const struct event_reader *r, const struct segment_name *s,
	struct disk_file **out, struct error *e)
{
	const struct disk *d = r->place.disk;
	char name[SEGMENT_NAME_BYTES];
	int status;

	segment_file_name(name, s);
	status = d->ops->open(d->impl, name, DISK_READ, out);
	if (status == -ENOENT)
		return 0;
	return status < 0 ? segment_failed(s, "reading", status, e) : 1;
}

static int file_is_there(
	const struct event_reader *r, const struct segment_name *s, struct error *e)
{
	struct disk_file *f;
	int status = file_open(r, s, &f, e);

	if (status > 0)
		r->place.disk->ops->close(r->place.disk->impl, f);
	return status;
}

/* Begin with a file: 1; 0: it is not there, or has no block yet. */
static int source_open(struct event_reader *r, struct source *s, uint64_t number, struct error *e)
{
	struct segment_name name = s->name;
	struct segment_header h;
	struct disk_file *f;
	int status;

	name.number = number;
	status = file_open(r, &name, &f, e);
	if (status <= 0)
		return status;
	status = segment_header_read(r->place.disk, &name, &h, e);
	/* Of the live one the blocks before it were looked for before they had been written: again. */
	if (status > 0 && s->file != NULL && h.sequence != s->sequence)
		status = is_live(r) ? 0 : source_damage(s, "blocks behind it are missing", e);
	if (status <= 0) {
		r->place.disk->ops->close(r->place.disk->impl, f);
		return status;
	}
	source_close(r, s);
	s->name = name;
	s->file = f;
	s->sequence = h.sequence;
	s->offset = SEGMENT_HEADER_BYTES;
	return 1;
}

/* Begin with the file the source has; or the second one, since the first is not used when the first write had no room in it. */
static int source_begin(struct event_reader *r, struct source *s, struct error *e)
{
	struct segment_name second = s->name;
	struct segment_header h = { .sequence = 0 };
	int status = source_open(r, s, s->name.number, e);

	if (status != 0 || s->name.number != 1)
		return status;
	second.number = 2;
	status = file_is_there(r, &second, e);
	if (status > 0)
		status = segment_header_read(r->place.disk, &second, &h, e);
	return status > 0 && h.sequence == 1 ? source_open(r, s, 2, e) : status < 0 ? -1 : 0;
}

/* The next file is not there: was it once? 0: no, or not yet. */
static int next_missing(struct event_reader *r, const struct source *s, struct error *e)
{
	int there;

	if (!is_live(r))
		return s->name.number < s->last ? gone_error(e) : 0;
	/* A file is removed only when there is one behind it, and the first ones first. */
	there = file_is_there(r, &s->name, e);
	return there == 0 ? gone_error(e) : there < 0 ? -1 : 0;
}

/* The header at the offset: 1; 0: there is no whole one. */
static int source_header(struct event_reader *r, struct source *s, struct error *e)
{
	const struct disk *d = r->place.disk;
	struct block_header *h = &s->next, copy;
	int64_t got = d->ops->read(d->impl, s->file, h, sizeof(*h), s->offset);

	if (got < 0)
		return segment_failed(&s->name, "reading", (int)got, e);
	if (got < (int64_t)sizeof(*h))
		return 0;
	copy = *h;
	copy.crc = 0;
	if (h->magic == BLOCK_MAGIC && crc32c(0, &copy, sizeof(copy)) == h->crc &&
		h->run == s->name.run && h->shard == s->name.shard && h->sequence == s->sequence &&
		h->body_bytes % 8 == 0)
		return 1;
	if (!is_live(r) && h->magic != 0)
		return source_damage(s, "a block is not whole", e);
	return 0;
}

/* See what comes next. 0; -1. */
static int source_look(struct event_reader *r, struct source *s, struct error *e)
{
	while (!s->have && !s->ended) {
		int status = s->file == NULL ? source_begin(r, s, e) : 1;

		if (status > 0) {
			status = source_header(r, s, e);
			s->have = status > 0;
			if (status == 0)
				status = source_open(r, s, s->name.number + 1, e);
			if (status == 0)
				status = next_missing(r, s, e);
			else if (status > 0)
				continue;
		} else if (status == 0 && is_gone(r)) {
			return gone_error(e);
		}
		if (status < 0)
			return -1;
		s->ended = !is_live(r);
		return 0;
	}
	return 0;
}

/* Go behind the block that comes next. */
static void source_pass(struct source *s)
{
	const struct block_header *h = &s->next;

	s->sequence++;
	s->offset += sizeof(*h) + h->body_bytes;
	if (h->flags & BLOCK_LAST_OF_WRITE)
		s->offset = (s->offset + DISK_BLOCK - 1) / DISK_BLOCK * DISK_BLOCK;
	if (h->epoch != s->epoch)
		s->number = 0;
	s->epoch = h->epoch;
	s->have = false;
}

/* --- runs --- */

static void run_leave(struct event_reader *r)
{
	for (unsigned i = 0; i < r->nsources; i++)
		source_close(r, &r->sources[i]);
	free(r->sources);
	r->sources = NULL;
	r->nsources = 0;
	r->at = NULL;
}

/* A journal's files [first, first + n): begin with the last one before which nothing is wanted. */
static int source_add(
	struct event_reader *r, const struct segment_name *first, unsigned n, struct error *e)
{
	struct source *s = &r->sources[r->nsources];

	*s = (struct source){ .name = *first, .last = first[n - 1].number };
	for (unsigned i = 1; i < n; i++) {
		struct segment_header h;
		int status = segment_header_read(r->place.disk, &first[i], &h, e);

		if (status < 0)
			return -1;
		/* The epoch itself is counted through from its first block on. */
		if (status == 0 || h.first_epoch >= r->after.epoch)
			break;
		s->name = first[i];
	}
	r->nsources++;
	return 0;
}

/* The journals of a run. */
static int run_enter(
	struct event_reader *r, const struct segment_list *l, uint32_t run, struct error *e)
{
	run_leave(r);
	r->run = run;
	r->sources = calloc(l->n + 1, sizeof(*r->sources));
	if (r->sources == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	for (unsigned i = 0, n; i < l->n; i += n) {
		const struct segment_name *s = &l->at[i];

		for (n = 1; i + n < l->n && s[n].kind == s->kind && s[n].run == s->run &&
			s[n].shard == s->shard;)
			n++;
		if (s->kind == SEGMENT_JOURNAL && s->run == run && s->shard != SCHEMA_SHARD &&
			source_add(r, s, n, e) != 0)
			return -1;
	}
	return 0;
}

/* 1: another run is entered; 0: there is none. */
static int run_next(struct event_reader *r, struct error *e)
{
	struct segment_list l;
	uint32_t run;
	int status = segment_list_read(&l, r->place.disk, e);

	if (status == 0 && is_gone(r))
		status = gone_error(e);
	run = run_above(&l, r->run);
	if (status == 0 && run != 0)
		status = run_enter(r, &l, run, e) == 0 ? 1 : -1;
	/* Removed while it was looked at. */
	if (status < 0 && e->code == ERR_IO && is_gone(r))
		status = gone_error(e);
	segment_list_free(&l);
	return status;
}

/* --- blocks --- */

static int body_load(struct event_reader *r, struct source *s, struct error *e)
{
	const struct block_header *h = &s->next;
	int64_t got;

	if (h->body_bytes > r->cap) {
		unsigned char *body = realloc(r->body, h->body_bytes);

		if (body == NULL)
			return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		r->body = body;
		r->cap = h->body_bytes;
	}
	got = r->place.disk->ops->read(
		r->place.disk->impl, s->file, r->body, h->body_bytes, s->offset + sizeof(*h));
	if (got < 0)
		return segment_failed(&s->name, "reading", (int)got, e);
	if (got != (int64_t)h->body_bytes || crc32c(0, r->body, h->body_bytes) != h->body_crc)
		return source_damage(s, "a block's body is damaged", e);
	event_walk_open(&r->walk, r->body, h->body_bytes);
	return 0;
}

/* The source whose block comes next, up to the epoch: 1 in *out; 0: there is none. */
static int source_choose(
	struct event_reader *r, uint64_t visible, struct source **out, struct error *e)
{
	*out = NULL;
	for (unsigned i = 0; i < r->nsources; i++) {
		struct source *s = &r->sources[i];

		if (source_look(r, s, e) != 0)
			return -1;
		if (!s->have || (is_live(r) && s->next.epoch > visible))
			continue;
		/* They are in order of their shards. */
		if (*out == NULL || s->next.epoch < (*out)->next.epoch)
			*out = s;
	}
	return *out != NULL;
}

/* Load the next block that may have something: 1; 0: there is none. */
static int block_next(struct event_reader *r, uint64_t visible, struct error *e)
{
	struct source *s = NULL;
	int status;

	for (;;) {
		struct event_id last;

		status = r->run == 0 ? 0 : source_choose(r, visible, &s, e);
		if (status < 0)
			return -1;
		if (status == 0) {
			status = r->run != 0 && is_live(r) ? 0 : run_next(r, e);
			if (status <= 0)
				return status;
			continue;
		}
		last = (struct event_id){ s->next.epoch, s->name.shard, UINT32_MAX };
		if (s->next.entries > 0 && event_id_compare(last, r->after) > 0)
			break;
		source_pass(s);
	}
	status = body_load(r, s, e);
	if (status != 0)
		return -1;
	if (s->next.epoch > r->passed)
		r->passed = s->next.epoch - 1;
	source_pass(s);
	r->at = s;
	r->blocks++;
	return 1;
}

/* --- the reader --- */

int event_reader_open(struct event_reader **out, const struct event_place *place,
	struct event_id after, struct error *e)
{
	struct event_reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	r->place = *place;
	r->after = after;
	r->passed = after.epoch;
	if (is_gone(r)) {
		event_reader_close(r);
		return gone_error(e);
	}
	*out = r;
	return 0;
}

void event_reader_close(struct event_reader *r)
{
	if (r == NULL)
		return;
	run_leave(r);
	event_walk_close(&r->walk);
	free(r->body);
	free(r);
}

int event_reader_next(struct event_reader *r, uint64_t visible, struct event_id *id,
	struct event *out, struct error *e)
{
	for (;;) {
		int status = 0;

		if (r->at != NULL)
			status = event_walk_next(&r->walk, out, e);
		if (status < 0)
			return e->code == ERR_OUT_OF_MEMORY
				? -1
				: source_damage(r->at, "entries before it are not well-formed", e);
		if (status == 0) {
			r->at = NULL;
			status = block_next(r, visible, e);
			if (status <= 0)
				return status;
			continue;
		}
		*id = (struct event_id){ r->at->epoch, r->at->name.shard, r->at->number++ };
		if (event_id_compare(*id, r->after) <= 0)
			continue;
		r->after = *id;
		return 1;
	}
}

const struct event_walk *event_reader_walk(const struct event_reader *r)
{
	return &r->walk;
}

struct event_id event_reader_reached(const struct event_reader *r)
{
	return r->after;
}

uint64_t event_reader_block(const struct event_reader *r)
{
	return r->blocks;
}
