/*
 * journal.h: one shard's journal: what its epochs changed, written to segments (format.h, FORMAT.md).
 *
 * Changes are copied into the buffer being filled; while one write is under way the next ones gather there, and
 * become one write when it has ended: the group commit. Nothing here waits, except where it is said.
 *
 * A new segment is made ahead of need by a thread of the journals (or, without one, when it is needed). Where there is
 * no space for it commands must be refused in time (JOURNAL_FULL); what has been taken waits in the buffer. After a
 * failed write nothing is tried again: JOURNAL_FAILED, and journal_error() says why.
 */
#ifndef LF_LOG_JOURNAL_H
#define LF_LOG_JOURNAL_H

#include "core/log/segment.h"

struct journal;

struct journal_options {
	const struct disk *disk;
	enum segment_kind kind;
	enum disk_mode mode; /* DISK_WRITTEN or DISK_SYNCED */
	uint32_t run;
	uint16_t shard, shards;
	uint64_t segment_bytes; /* a multiple of DISK_BLOCK, at least LIMIT_SEGMENT_BYTES_MIN */
	bool events;            /* it will have entries of the event log, and its version says so */
	struct segment_maker *maker; /* NULL: segments are made by who needs them */
	void (*wake)(void *arg);     /* called by the maker when a segment is there; may be NULL */
	void *arg;
};

/* Makes the first segment. 58030, 53100, 53200. */
int journal_open(struct journal **out, const struct journal_options *o, struct error *e);
/* Waits for a write under way. What was not written yet is lost. */
void journal_close(struct journal *j);

/* Begin to add what an epoch changed: room for n rows of so many bytes together. With n = 0 nothing is written, unless
 * the last block is so many epochs ago that the numbers of a later run could meet those of this one. -1: no memory;
 * then the journal has failed. */
int journal_reserve(struct journal *j, uint64_t epoch, unsigned n, uint64_t bytes);
/* One of those rows; kind: ENTRY_PUT or ENTRY_DELETE. */
void journal_add(struct journal *j, enum entry_kind kind, uint32_t relation, const void *row);
/* The same of an entry of any kind: room for its n bytes (a multiple of 8) behind the header, to be filled in before
 * journal_entry_end(), which is told n again. A row so added counts as one of those reserved. */
unsigned char *journal_entry(struct journal *j, const struct entry_header *entry, uint32_t n);
void journal_entry_end(struct journal *j, uint32_t n);
/* The block that entries are being added to: another one has another number. */
uint64_t journal_block(const struct journal *j);
/* Write that a run begins with this epoch, waiting. -1: it has failed. */
int journal_begin_run(struct journal *j, uint64_t epoch);
/* A block of its own: entries packed with zstd. -1: as journal_reserve(). */
int journal_add_packed(struct journal *j, uint64_t epoch, const void *packed, uint32_t bytes,
	uint32_t raw_bytes, uint32_t entries);
/* A schema change; next_id: what the catalog gave its first object. */
int journal_append_schema(
	struct journal *j, uint64_t epoch, uint32_t next_id, const char *text, size_t len);

enum journal_state {
	JOURNAL_READY,
	JOURNAL_BUSY, /* much is waiting for the disk, or a segment being made: take nothing more yet */
	JOURNAL_FULL,  /* no space for another segment: refuse what would be written … */
	JOURNAL_FAILED /* … and here too */
};
enum journal_state journal_state(const struct journal *j);
/* Why it failed, or what the last attempt to make a segment said. */
const struct error *journal_error(const struct journal *j);

/* Take a completion, begin the next write. True when anything changed. */
bool journal_step(struct journal *j);
/* The oldest epoch with anything not written; UINT64_MAX: all is. */
uint64_t journal_oldest(const struct journal *j);
/* Whether a write is under way or waits to be. */
bool journal_active(const struct journal *j);
/* Whether the disk has one: it is the thread's that began it, which must not end before. */
bool journal_writing(const struct journal *j);

/* Sleep until a write may have ended, or journal_wake() by any thread. */
void journal_wait(struct journal *j, uint64_t timeout_us);
void journal_wake(struct journal *j);
/* Instead: this eventfd tells that a write may have ended, and the thread sleeps elsewhere; -1: no more. With no
 * write under way. 0 or a negative errno. */
int journal_notify(struct journal *j, int event_fd);
/* Something asked of the disk is not done after LIMIT_DISK_LATE_MS: it hangs. Noticed in journal_wait() and
 * journal_look_late(); any thread may ask. */
void journal_look_late(struct journal *j);
bool journal_is_late(const struct journal *j);
/* Write all, waiting. -1: it has failed, or there is no space. */
int journal_sync(struct journal *j);
/* Without a maker and with nothing waiting: see that so many bytes of entries have a place. -1: they have none. */
int journal_prepare(struct journal *j, uint64_t bytes);
/* The last block: this run ends in order. */
int journal_end(struct journal *j, uint64_t epoch);
/* After that, cut off what its last segment does not use. */
int journal_trim(struct journal *j);
/* As if it had failed. */
void journal_give_up(struct journal *j, enum error_code why);
/* Bytes written so far (any thread). */
uint64_t journal_written(const struct journal *j);

/* --- the thread that makes segments --- */

struct segment_maker;
int segment_maker_open(struct segment_maker **out, struct error *e);
/* When its journals are closed. */
void segment_maker_close(struct segment_maker *m);

#endif
