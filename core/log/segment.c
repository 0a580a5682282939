/*
 * segment.c: see segment.h.
 *
 * A segment is loaded whole. The header's page counts as part of the first write, like the block behind it.
 */
#include "core/log/segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "core/base/assert.h"
#include "core/base/crc32c.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/store/row.h"

static const char *suffix_of(enum segment_kind kind)
{
	return kind == SEGMENT_JOURNAL ? JOURNAL_SUFFIX : CHECKPOINT_SUFFIX;
}

void segment_file_name(char out[static SEGMENT_NAME_BYTES], const struct segment_name *s)
{
	(void)snprintf(out, SEGMENT_NAME_BYTES, "%08" PRIu32 "-%05u-%08" PRIu64 "%s", s->run,
		s->shard, s->number, suffix_of(s->kind));
}

void segment_name_write(
	char out[static SEGMENT_NAME_BYTES], uint32_t run, uint16_t shard, uint64_t number)
{
	const struct segment_name s = { .run = run, .shard = shard, .number = number };

	segment_file_name(out, &s);
}

bool segment_name_read(const char *text, struct segment_name *out)
{
	struct segment_name s = { 0 };
	unsigned shard;

	if (sscanf(text, "%" SCNu32 "-%u-%" SCNu64, &s.run, &shard, &s.number) != 3 ||
		shard > UINT16_MAX)
		return false;
	s.shard = (uint16_t)shard;
	for (unsigned kind = SEGMENT_JOURNAL; kind <= SEGMENT_CHECKPOINT; kind++) {
		char again[SEGMENT_NAME_BYTES];

		s.kind = (enum segment_kind)kind;
		segment_file_name(again, &s);
		if (strcmp(text, again) == 0) {
			*out = s;
			return true;
		}
	}
	return false;
}

int segment_failed(const struct segment_name *s, const char *what, int status, struct error *e)
{
	char name[SEGMENT_NAME_BYTES];

	segment_file_name(name, s);
	return error_set(
		e, disk_error_code(status), 0, "%s: %s: %s", name, what, strerror(-status));
}

int segment_remove(const struct disk *d, const struct segment_name *s, struct error *e)
{
	char name[SEGMENT_NAME_BYTES];
	int status;

	segment_file_name(name, s);
	status = d->ops->remove(d->impl, name);
	return status < 0 ? segment_failed(s, "removing it", status, e) : 0;
}

/* --- the list --- */

static void list_add(void *arg, const char *name, uint64_t bytes)
{
	struct segment_list *l = arg;
	struct segment_name s;

	if (!segment_name_read(name, &s))
		return;
	if (l->n == l->cap) {
		unsigned cap = l->cap == 0 ? 64 : 2 * l->cap;
		struct segment_name *at = realloc(l->at, cap * sizeof(*at));

		if (at == NULL) {
			l->failed = true;
			return;
		}
		l->at = at;
		l->cap = cap;
	}
	s.bytes = bytes;
	l->at[l->n++] = s;
}

static int compare(const void *pa, const void *pb)
{
	const struct segment_name *a = pa, *b = pb;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->run != b->run)
		return a->run < b->run ? -1 : 1;
	if (a->shard != b->shard)
		return a->shard < b->shard ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

int segment_list_read(struct segment_list *l, const struct disk *d, struct error *e)
{
	int status;

	memset(l, 0, sizeof(*l));
	status = d->ops->list(d->impl, list_add, l);
	if (status < 0)
		return error_set(e, disk_error_code(status), 0, "listing the data directory: %s",
			strerror(-status));
	if (l->failed)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	if (l->n > 0)
		qsort(l->at, l->n, sizeof(*l->at), compare);
	return 0;
}

void segment_list_free(struct segment_list *l)
{
	free(l->at);
	memset(l, 0, sizeof(*l));
}

/* --- reading --- */

void journal_reader_open(struct journal_reader *r, const struct disk *d,
	const struct segment_name *names, unsigned n)
{
	*r = (struct journal_reader){ .disk = d, .names = names, .n = n };
}

void journal_reader_close(struct journal_reader *r)
{
	free(r->data);
	free(r->plain);
	r->data = r->plain = NULL;
}

static int damage(
	const struct journal_reader *r, uint64_t offset, const char *what, struct error *e)
{
	const struct segment_name *s = &r->names[r->at < r->n ? r->at : r->n - 1];
	char name[SEGMENT_NAME_BYTES];

	segment_file_name(name, s);
	return error_set(e, ERR_IO, 0,
		"%s: damaged at offset %" PRIu64 ", behind epoch %" PRIu64 ": %s", name, offset,
		r->epoch, what);
}

static int unreadable(struct journal_reader *r, int status, struct error *e)
{
	r->unreadable = true;
	return segment_failed(&r->names[r->at], "reading", status, e);
}

/* What can be read of a file, block by block; zeros for the rest. */
static int64_t read_soundly(
	const struct disk *d, struct disk_file *f, unsigned char *data, uint64_t bytes)
{
	memset(data, 0, bytes);
	for (uint64_t at = 0; at < bytes; at += DISK_BLOCK)
		(void)d->ops->read(d->impl, f, data + at,
			bytes - at < DISK_BLOCK ? bytes - at : DISK_BLOCK, at);
	return (int64_t)bytes;
}

static int segment_load(struct journal_reader *r, struct error *e)
{
	const struct segment_name *s = &r->names[r->at];
	const struct disk *d = r->disk;
	char name[SEGMENT_NAME_BYTES];
	struct disk_file *f;
	int64_t got;
	int status;

	if (r->data == NULL || s->bytes > r->cap) {
		void *data = realloc(r->data, s->bytes > 0 ? s->bytes : 1);

		if (data == NULL)
			return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		r->data = data;
		r->cap = s->bytes;
	}
	segment_file_name(name, s);
	status = d->ops->open(d->impl, name, DISK_READ, &f);
	if (status < 0)
		return unreadable(r, status, e);
	got = d->ops->read(d->impl, f, r->data, s->bytes, 0);
	if (got < 0 && r->salvage)
		got = read_soundly(d, f, r->data, s->bytes);
	d->ops->close(d->impl, f);
	if (got < 0)
		return unreadable(r, (int)got, e);
	r->bytes = (uint64_t)got;
	r->loaded = true;
	return 0;
}

static bool header_is_sound(const struct segment_header *h, enum segment_kind kind)
{
	const char *magic = kind == SEGMENT_JOURNAL ? JOURNAL_MAGIC : CHECKPOINT_MAGIC;
	struct segment_header copy = *h;

	copy.crc = 0;
	return memcmp(h->magic, magic, sizeof(h->magic)) == 0 &&
		crc32c(0, &copy, sizeof(copy)) == h->crc;
}

static int version_differs(const struct segment_header *h, struct error *e)
{
	return error_set(e, ERR_OBJECT_STATE, 0,
		"the journal's format is version %u; this program knows versions %u and %u",
		h->version, (unsigned)JOURNAL_VERSION, (unsigned)JOURNAL_VERSION_EVENTS);
}

int64_t segment_peek(const struct disk *d, const struct segment_name *s, uint64_t offset, void *out,
	size_t n, struct error *e)
{
	char name[SEGMENT_NAME_BYTES];
	struct disk_file *f;
	int64_t got;
	int status;

	segment_file_name(name, s);
	status = d->ops->open(d->impl, name, DISK_READ, &f);
	if (status < 0)
		return segment_failed(s, "reading", status, e);
	got = d->ops->read(d->impl, f, out, n, offset);
	d->ops->close(d->impl, f);
	return got < 0 ? segment_failed(s, "reading", (int)got, e) : got;
}

int segment_header_read(const struct disk *d, const struct segment_name *s,
	struct segment_header *out, struct error *e)
{
	int64_t got = segment_peek(d, s, 0, out, sizeof(*out), e);

	return got < 0 ? -1 : got == (int64_t)sizeof(*out) && header_is_sound(out, s->kind);
}

/* A whole block of this journal at the offset, whatever its sequence. */
static const struct block_header *block_at(const struct journal_reader *r, uint64_t offset)
{
	const struct segment_name *s = &r->names[r->at];
	const struct block_header *h = (const void *)(r->data + offset);
	struct block_header copy;

	if (offset > r->bytes || r->bytes - offset < sizeof(*h) || h->magic != BLOCK_MAGIC)
		return NULL;
	copy = *h;
	copy.crc = 0;
	if (crc32c(0, &copy, sizeof(copy)) != h->crc || h->run != s->run || h->shard != s->shard ||
		h->body_bytes % 8 != 0 || h->body_bytes > r->bytes - offset - sizeof(*h) ||
		crc32c(0, h + 1, h->body_bytes) != h->body_crc)
		return NULL;
	return h;
}

static bool all_zero(const unsigned char *p, uint64_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* The next whole block at or behind the offset that the segment has; NULL: none. Zeros are passed over by the page. */
static const struct block_header *block_behind(const struct journal_reader *r, uint64_t *offset)
{
	for (uint64_t at = (*offset + 7) / 8 * 8; at < r->bytes; at += 8) {
		const struct block_header *h;

		while (at % DISK_BLOCK == 0 && r->bytes - at >= DISK_BLOCK &&
			all_zero(r->data + at, DISK_BLOCK))
			at += DISK_BLOCK;
		h = block_at(r, at);
		if (h != NULL) {
			*offset = at;
			return h;
		}
	}
	return NULL;
}

/* Whether a block of a write that began after `begin` is found behind it in this segment, or any in a later one.
 * flags: of that block. */
static int written_later(
	struct journal_reader *r, uint64_t begin, bool *found, unsigned *flags, struct error *e)
{
	uint64_t offset = begin / 8 * 8;
	const struct block_header *h;

	*flags = 0;
	while ((h = block_behind(r, &offset)) != NULL &&
		(h->sequence < r->sequence || h->write_offset <= begin))
		offset += 8;
	while (h == NULL && r->at + 1 < r->n) {
		r->at++;
		if (segment_load(r, e) != 0)
			return -1;
		offset = 0;
		h = block_behind(r, &offset);
	}
	*found = h != NULL;
	if (h != NULL)
		*flags = h->flags;
	return 0;
}

/* No whole block where one should begin: the end, or damage. */
static int tail(struct journal_reader *r, struct error *e)
{
	unsigned at = r->at, flags;
	bool later;

	if (r->followed && r->offset < r->bytes)
		return damage(r, r->offset, "a block is not whole, and a later run has begun", e);
	if (!all_zero(r->data + r->offset, r->bytes - r->offset)) {
		r->torn = true;
		r->torn_at = at;
		r->torn_offset = r->offset;
	}
	if (written_later(r, r->offset, &later, &flags, e) != 0)
		return -1;
	r->at = at;
	r->loaded = false;
	r->ended = true;
	if (!later)
		return 0;
	if (r->lenient && (flags & BLOCK_WRITTEN)) {
		r->torn = r->lost = true;
		r->torn_at = at;
		r->torn_offset = r->offset;
		return 0;
	}
	r->torn = false;
	return damage(r, r->offset, "a block is not whole, and later ones were written", e);
}

/* --- salvage --- */

void journal_reader_drop(struct journal_reader *r, const struct segment_name *s, const char *what)
{
	char name[SEGMENT_NAME_BYTES];

	r->dropped++;
	if (r->quiet)
		return;
	segment_file_name(name, s);
	log_warn("salvage: %s: %s", name, what);
}

/* Go to the next whole block that was not read yet in this segment, or to the segment's end. */
static void salvage_seek(struct journal_reader *r)
{
	const struct segment_name *s = &r->names[r->at];
	const struct block_header *h;
	uint64_t at = r->offset;
	char what[160];

	while ((h = block_behind(r, &at)) != NULL && h->sequence < r->sequence)
		at += 8;
	if (h == NULL)
		at = r->bytes;
	if (at > r->offset && !all_zero(r->data + r->offset, at - r->offset)) {
		(void)snprintf(what, sizeof(what),
			"dropped: offsets %" PRIu64 " to %" PRIu64 ", in which no block is whole",
			r->offset, at);
		journal_reader_drop(r, s, what);
	}
	r->offset = at;
	if (h != NULL && r->sequence != 0 && h->sequence > r->sequence) {
		(void)snprintf(what, sizeof(what),
			"missing: blocks %" PRIu64 " to %" PRIu64 ", before offset %" PRIu64,
			r->sequence, h->sequence - 1, at);
		journal_reader_drop(r, s, what);
	}
	if (h != NULL)
		r->sequence = h->sequence;
}

/* The first segment of a journal is passed over when the first write had no room in it. */
static bool is_passed_over(struct journal_reader *r)
{
	if (r->sequence != 0 || r->names[r->at].number != 1 || r->at + 1 >= r->n ||
		!all_zero(r->data, r->bytes))
		return false;
	r->sequence = 1;
	r->at++;
	r->loaded = false;
	return true;
}

/* Enter names[at]: check its header and find the first block. 1; 0: it is not used, or its first write is torn. */
static int segment_enter(struct journal_reader *r, struct error *e)
{
	const struct segment_name *s = &r->names[r->at];
	const struct segment_header *h;

	if (segment_load(r, e) != 0)
		return -1;
	r->offset = 0;
	h = (const void *)r->data;
	/* With salvage its blocks are looked for all the same. */
	if (r->bytes < SEGMENT_HEADER_BYTES || !header_is_sound(h, s->kind))
		return r->salvage;
	if (h->version != JOURNAL_VERSION && h->version != JOURNAL_VERSION_EVENTS)
		return version_differs(h, e);
	if (r->salvage) {
		r->offset = SEGMENT_HEADER_BYTES;
		return 1;
	}
	if (h->run != s->run || h->shard != s->shard || h->number != s->number)
		return damage(r, 0, "the header is another segment's", e);
	if (r->sequence != 0 && h->sequence != r->sequence) {
		if (!r->lenient || h->mode != DISK_WRITTEN)
			return damage(r, 0, "blocks before this segment are missing", e);
		r->ended = r->torn = r->lost = true;
		r->torn_at = r->used_at;
		r->torn_offset = r->used_offset;
		return 0;
	}
	r->sequence = h->sequence;
	r->offset = SEGMENT_HEADER_BYTES;
	return 1;
}

static int unpack(struct journal_reader *r, struct block *b, struct error *e)
{
	const struct block_header *h = b->header;
	size_t got;

	if (h->packed_bytes > h->body_bytes || h->raw_bytes == 0 ||
		h->raw_bytes > LIMIT_PACKED_BYTES)
		return damage(r, b->offset, "a packed block's sizes are wrong", e);
	if (h->raw_bytes > r->plain_cap) {
		free(r->plain);
		r->plain_cap = 0;
		r->plain = malloc(h->raw_bytes);
		if (r->plain == NULL)
			return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		r->plain_cap = h->raw_bytes;
	}
	got = ZSTD_decompress(r->plain, h->raw_bytes, b->body, h->packed_bytes);
	if (ZSTD_isError(got) || got != h->raw_bytes)
		return damage(r, b->offset, "a packed block cannot be unpacked", e);
	b->body = r->plain;
	b->bytes = h->raw_bytes;
	return 0;
}

/* The block at the offset, or the way on. 1: it is there; 0: look again, or it has ended; -1. */
static int block_find(struct journal_reader *r, const struct block_header **out, struct error *e)
{
	const struct block_header *h;

	if (r->offset >= r->bytes) {
		r->at++;
		r->loaded = false;
		return 0;
	}
	h = block_at(r, r->offset);
	if (r->salvage && (h == NULL || h->sequence != r->sequence)) {
		salvage_seek(r);
		return 0;
	}
	if (h == NULL && r->at + 1 < r->n && all_zero(r->data + r->offset, r->bytes - r->offset)) {
		/* Not filled to its end; the next one's header tells whether blocks are missing. */
		r->at++;
		r->loaded = false;
		return 0;
	}
	if (h == NULL)
		return tail(r, e);
	if (h->sequence != r->sequence)
		return damage(r, r->offset, "a block is missing before this one", e);
	*out = h;
	return 1;
}

/* Go behind a block. */
static void block_pass(struct journal_reader *r, const struct block_header *h)
{
	r->sequence++;
	r->epoch = h->epoch;
	r->offset += sizeof(*h) + h->body_bytes;
	if (h->flags & BLOCK_LAST_OF_WRITE)
		r->offset = (r->offset + DISK_BLOCK - 1) / DISK_BLOCK * DISK_BLOCK;
	r->written |= (h->flags & BLOCK_WRITTEN) != 0;
	r->used_at = r->at;
	r->used_offset = r->offset;
	if (h->flags & BLOCK_END)
		r->ended = r->closed = true;
}

int journal_reader_next(struct journal_reader *r, struct block *out, struct error *e)
{
	while (!r->ended && r->at < r->n) {
		const struct block_header *h = NULL;
		int status = 1;

		if (!r->loaded)
			status = segment_enter(r, e);
		if (status == 0 && !r->ended && is_passed_over(r))
			continue;
		if (status == 0 && !r->ended)
			return tail(r, e);
		if (status > 0)
			status = block_find(r, &h, e);
		if (status < 0)
			return -1;
		if (status == 0)
			continue;
		*out = (struct block){ h, (const unsigned char *)(h + 1), h->body_bytes, r->offset,
			&r->names[r->at] };
		block_pass(r, h);
		if ((h->flags & BLOCK_PACKED) && !r->packed && unpack(r, out, e) != 0) {
			if (!r->salvage || e->code == ERR_OUT_OF_MEMORY)
				return -1;
			journal_reader_drop(r, out->segment, e->message);
			continue;
		}
		return 1;
	}
	r->ended = true;
	return 0;
}

static int malformed(const struct block *b, struct error *e)
{
	char name[SEGMENT_NAME_BYTES];

	segment_file_name(name, b->segment);
	return error_set(e, ERR_IO, 0,
		"%s: the block at offset %" PRIu64 " (epoch %" PRIu64 ") is not well-formed", name,
		b->offset, b->header->epoch);
}

int block_entry(const struct block *b, uint64_t *at, struct entry *out, struct error *e)
{
	uint64_t n;

	if (*at == b->bytes)
		return 0;
	n = entry_read(b->body + *at, b->bytes - *at, out);
	if (n == 0)
		return malformed(b, e);
	*at += n;
	return 1;
}
