/*
 * feed.h: the changes of a table or view, kept for subscribers.
 *
 * Each shard of a relation that has subscribers keeps one log of its changes: a list of chunks of entries {epoch, old row,
 * new row}, rows as they are stored. The shard's projector appends, any number of threads that hold an epoch pin read, up to
 * the epoch that they have pinned. So a change is copied once, however many subscribers there are.
 *
 * Within an epoch a key has one entry, from what it was before the epoch to what it has become: an epoch that is not visible
 * yet is changed where it is. A key that is in the end what it was has none.
 *
 * All logs of a shard share a number of bytes. Beyond it the oldest chunk of all goes; a log says by `since` from which epoch
 * on it is whole. What does not find memory is lost in the same way: a command never fails because of its subscribers.
 */
#ifndef LF_FLOW_FEED_H
#define LF_FLOW_FEED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/flow/part.h"

/*
 *   0   u64  epoch
 *   8   u64  hash     part_key_hash()
 *   16  u32  size     of all of it
 *   20  u32  old      bytes of the old row, which begins at 32; 0: there was none
 *   24  u32  new      of the new row, behind it; 0: there is none
 *   28  u32  nothing  1: the key is what it was; not for readers
 */
struct feed_entry {
	uint64_t epoch;
	uint64_t hash;
	uint32_t size, old_size, new_size, nothing;
};
_Static_assert(sizeof(struct feed_entry) == 32, "rows follow 8-aligned");

static inline const void *feed_entry_old(const struct feed_entry *x)
{
	return x->old_size == 0 ? NULL : (const void *)(x + 1);
}
static inline const void *feed_entry_new(const struct feed_entry *x)
{
	return x->new_size == 0 ? NULL : (const unsigned char *)(x + 1) + x->old_size;
}

struct feed;
struct feed_chunk;

/* A wish to a projector: begin or finish the log of its shard. */
struct feed_request {
	struct feed_request *next;
	struct feed *feed;
	bool finish;
};

/* What a key has become in the epoch under way. */
struct feed_place {
	uint64_t generation;
	struct feed_entry *entry;
};

struct feed_log {
	/* Read by anyone, written by the shard's projector; atomic. */
	_Alignas(64)
		uint64_t since; /* all changes behind this epoch are here; UINT64_MAX: not yet */
	uint64_t number;        /* of the first chunk, or of the next one when there is none */
	struct feed_chunk *first;
	/* The projector's. */
	_Alignas(64) struct feed *feed;
	struct feeds *feeds; /* NULL: not begun, or finished */
	struct feed_log *next;
	struct part *part; /* NULL: no changes come any more */
	struct feed_chunk *last;
	uint64_t next_number;
	uint64_t epoch; /* that the places are of */
	uint64_t generation;
	struct feed_place *places;
	uint32_t nplaces, cap;
	struct feed_request begin, finish;
};

/* Of one relation, with a log a shard; shared by its subscribers. */
struct feed {
	unsigned shards;
	struct parts *parts; /* not looked at when it has ended by the reader's pin */
	/* As stored rows are, also when the parts are gone. */
	bool counted;
	uint16_t nkey;
	const uint16_t *key;
	struct row_layout layout;
	struct arena arena;
	/* Ended by a schema change in this epoch, with the reason; written before `ended`. */
	_Atomic bool ended;
	uint64_t end;
	bool failed; /* the view had, before that: what is in the logs may be half */
	struct error why;
	_Atomic unsigned left;   /* shards that have not finished */
	_Atomic uint64_t newest; /* no shard has a change of a later epoch */
	/* The engine's, under its lock. */
	struct feed *next;
	unsigned subscribers;
	bool finishing;     /* the projectors have been asked to */
	int64_t idle_since; /* when the last subscriber went */
	struct feed_log logs[];
};

/* --- the engine, with its lock held --- */

/* Of the parts as they are; nothing is begun. NULL with *e: 53200. */
struct feed *feed_new(struct parts *parts, struct error *e);
/* When `left` is 0, or no projector is left. */
void feed_free(struct feed *f);
/* At a DDL moment: no changes come from `epoch` on. */
void feed_end(struct feed *f, uint64_t epoch, bool failed, const struct error *why);
/* There is something for subscribers to see once this epoch is visible. */
void feed_newest_raise(_Atomic uint64_t *newest, uint64_t epoch);

/* --- a projector --- */

/* The logs of a shard. */
struct feeds {
	struct heap *heap;
	struct retire *retire;
	uint64_t budget, bytes;
	_Atomic uint64_t
		*newest; /* of all shards: the newest epoch that has something for a subscriber */
	struct feed_log *logs;
};
void feeds_init(struct feeds *l, struct heap *h, struct retire *retire, uint64_t budget,
	_Atomic uint64_t *newest);

/* In an epoch that the shard has entered: changes are kept from now on; after that the log is whole behind it. The part's
 * `feed` is set. */
void feed_log_begin(struct feeds *l, struct feed *f, unsigned shard, uint64_t epoch);
/* When there are no subscribers: free what it has. The last access. */
void feed_log_finish(struct feed *f, unsigned shard);
/* A key with this hash was `old` and is `row`, either may be NULL; stored rows. In the epoch that is being worked on. Cannot
 * fail: what cannot be kept is lost to subscribers. */
void feed_add(
	struct feed_log *log, uint64_t hash, uint64_t epoch, const void *old, const void *row);

/* --- readers, with a pin --- */

/* Where a reader is. Nothing that it points to is looked at without a pin before it was compared with the log's number. */
struct feed_cursor {
	const struct feed_chunk *chunk; /* NULL: there was none */
	uint64_t number;
	size_t at;
};

/* Whether every change behind this epoch is in the log still. */
static inline bool feed_log_has(const struct feed_log *log, uint64_t epoch)
{
	return __atomic_load_n(&log->since, __ATOMIC_ACQUIRE) <= epoch;
}
/* To the first entry behind `epoch`. False: the log is not whole behind it. */
bool feed_seek(struct feed_cursor *c, const struct feed_log *log, uint64_t epoch);
/* After the pin was taken anew, for a reader that has all up to `epoch`: as feed_seek() if where it was has gone. */
bool feed_resume(struct feed_cursor *c, const struct feed_log *log, uint64_t epoch);
/* The next entry if its epoch is not above `limit`, which is not above the pin; NULL: there is none. It is read until the pin
 * is given back. */
const struct feed_entry *feed_peek(struct feed_cursor *c, uint64_t limit);
static inline void feed_advance(struct feed_cursor *c, const struct feed_entry *x)
{
	c->at += x->size;
}

/* Invariants, for tests: by the projector. */
void feeds_check(const struct feeds *l);

#endif
