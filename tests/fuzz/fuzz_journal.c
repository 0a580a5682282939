/*
 * fuzz_journal.c: arbitrary bytes as the files of a data directory: what reads journals and checkpoints.
 *
 * The first byte: 1 a checkpoint; 2 lenient; 4 followed; 8 packed bodies as they are. The second: after how many bytes
 * (times 256) the second of two segments begins; 0: there is one. Checksums are put right in what looks like a header,
 * so that what lies behind them is reached. Nothing may crash or read outside.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/crc32c.h"
#include "core/flow/answers.h"
#include "core/log/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHECKPOINT = 1, LENIENT = 2, FOLLOWED = 4, PACKED = 8, SALVAGE = 16, FILES = 2 };

static struct {
	unsigned char *data;
	size_t size;
} files[FILES];

static int memory_open(void *impl, const char *name, enum disk_mode mode, struct disk_file **out)
{
	struct segment_name s;

	(void)impl;
	(void)mode;
	ASSERT(segment_name_read(name, &s) && s.number >= 1 && s.number <= FILES);
	*out = (struct disk_file *)&files[s.number - 1];
	return 0;
}

static void memory_close(void *impl, struct disk_file *f)
{
	(void)impl;
	(void)f;
}

static int64_t memory_read(
	void *impl, struct disk_file *f, void *buffer, uint64_t n, uint64_t offset)
{
	size_t i = f == (struct disk_file *)&files[0] ? 0 : 1;

	(void)impl;
	if (offset >= files[i].size)
		return 0;
	if (n > files[i].size - offset)
		n = files[i].size - offset;
	memcpy(buffer, files[i].data + offset, n);
	return (int64_t)n;
}

static void header_right(unsigned char *p)
{
	struct segment_header h;

	memcpy(&h, p, sizeof(h));
	h.crc = 0;
	h.crc = crc32c(0, &h, sizeof(h));
	memcpy(p, &h, sizeof(h));
}

static void block_right(unsigned char *p, size_t left)
{
	struct block_header h;

	memcpy(&h, p, sizeof(h));
	if (h.body_bytes <= left - sizeof(h))
		h.body_crc = crc32c(0, p + sizeof(h), h.body_bytes);
	h.crc = 0;
	h.crc = crc32c(0, &h, sizeof(h));
	memcpy(p, &h, sizeof(h));
}

static void checksums_right(unsigned char *p, size_t n)
{
	uint32_t magic = BLOCK_MAGIC;

	if (n >= SEGMENT_HEADER_BYTES)
		header_right(p);
	/* From behind: a body's checksum is over the headers that may be in it. */
	for (size_t at = n / 8 * 8; at > 0; at -= 8)
		if (n - (at - 8) >= sizeof(struct block_header) &&
			memcmp(p + at - 8, &magic, sizeof(magic)) == 0)
			block_right(p + at - 8, n - (at - 8));
}

static unsigned bytes_sum(const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += p[i];
	return sum;
}

/* All that the commands of the event log say. */
static unsigned events_sum(const unsigned char *body, uint64_t bytes)
{
	struct event_walk w = { 0 };
	struct event ev;
	struct error e;
	unsigned sum = 0;

	event_walk_open(&w, body, bytes);
	while (event_walk_next(&w, &ev, &e) > 0) {
		struct event_change change;
		uint32_t n = 0;

		sum += bytes_sum(ev.statement->text, ev.statement->text_bytes) +
			bytes_sum(
				ev.statement->params, ev.statement->nparams * sizeof(struct type)) +
			bytes_sum(ev.meta, ev.head.meta_bytes);
		if (ev.key != NULL)
			sum += bytes_sum(ev.key, ev.head.key_bytes);
		if (ev.params != NULL)
			sum += bytes_sum(ev.params, ev.head.params_bytes);
		for (uint64_t at = 0; event_change(&ev, &at, &change); n++) {
			const struct event_table *t = event_walk_table(&w, change.table);

			ASSERT(t != NULL);
			sum += bytes_sum(change.row, change.bytes) +
				bytes_sum(t->name, t->name_bytes);
			for (unsigned c = 0; c < t->ncols; c++) {
				struct event_column column;

				event_table_column(t, c, &column);
				sum += bytes_sum(column.name, column.name_bytes);
			}
		}
		ASSERT(n == ev.head.changes);
	}
	event_walk_close(&w);
	return sum;
}

/* What is taken for an answer can be read. */
static void answer_check(const struct entry *entry)
{
	const struct answer_record *r = (const struct answer_record *)entry->data;
	struct error e;

	if (!answer_valid(entry->data, entry->bytes))
		return;
	ASSERT(r->size == entry->bytes);
	if (r->kind == ANSWER_REFUSED)
		answer_error(r, &e);
}

static void read_all(unsigned how, const struct segment_name *names, unsigned n)
{
	static const struct disk_ops OPS = {
		.open = memory_open, .close = memory_close, .read = memory_read
	};
	const struct disk disk = { &OPS, NULL };
	struct journal_reader r;
	struct block b;
	struct error e;
	unsigned sum = 0;

	journal_reader_open(&r, &disk, names, n);
	r.lenient = how & LENIENT;
	r.followed = how & FOLLOWED;
	r.packed = how & PACKED;
	r.salvage = r.quiet = how & SALVAGE;
	while (journal_reader_next(&r, &b, &e) > 0) {
		struct entry entry;
		uint64_t at = 0;

		if ((b.header->flags & BLOCK_PACKED) && r.packed)
			continue;
		while (block_entry(&b, &at, &entry, &e) > 0) {
			for (uint32_t i = 0; i < entry.bytes; i++)
				sum += entry.data[i];
			if (entry.kind == ENTRY_ANSWER)
				answer_check(&entry);
		}
		sum += events_sum(b.body, b.bytes);
	}
	ASSERT((r.used_at < n || r.salvage) && sum < UINT32_MAX);
	journal_reader_close(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct segment_name names[FILES];
	size_t first;
	unsigned n;

	if (size < 2)
		return 0;
	first = data[1] == 0 || (size_t)data[1] * 256 > size - 2 ? size - 2 : (size_t)data[1] * 256;
	n = first == size - 2 ? 1 : 2;
	files[0].size = first;
	files[1].size = size - 2 - first;
	for (unsigned i = 0; i < n; i++) {
		files[i].data = malloc(files[i].size + 1);
		ASSERT(files[i].data != NULL);
		memcpy(files[i].data, data + 2 + (i == 0 ? 0 : first), files[i].size);
		checksums_right(files[i].data, files[i].size);
		names[i] = (struct segment_name){ (data[0] & CHECKPOINT) ? SEGMENT_CHECKPOINT
									 : SEGMENT_JOURNAL,
			1, 0, i + 1, files[i].size };
	}
	read_all(data[0], names, n);
	for (unsigned i = 0; i < n; i++)
		free(files[i].data);
	return 0;
}
