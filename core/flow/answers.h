/*
 * answers.h: what commands with a request id were answered, so that the same id is not executed twice.
 *
 * Each shard has a table of the answers that it gave, by client, request and part; the projector owns it, and all but
 * answers_stats() is called by its thread. An answer is a record as the journal has it (core/log/format.h). Of each client
 * so many are remembered, of all together so many bytes, and none for longer than so many seconds: what is beyond is
 * forgotten, the oldest first, and of each client the highest request that was is kept for ever. A request up to that one
 * which is not remembered is expired: it may have been executed.
 *
 *     status = answers_look(a, &key, payload, &known, e);     // 1: known; -1: LF006, LF007
 *     answer = answers_begin(a, &key, payload, hash, e);      // before it is executed: so there is memory
 *     answers_done(a, answer, …) or answers_refused(a, answer, …) or answers_drop(a, answer)
 *     answers_unwritten(a, fn, arg)                           // into the journal, with the batch's changes
 *     answers_trim(a, now_us)
 */
#ifndef LF_FLOW_ANSWERS_H
#define LF_FLOW_ANSWERS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/log/format.h"

struct answers;
struct answer;

struct answers_limits {
	uint32_t per_client;  /* answers, at least 1 */
	uint32_t clients_max; /* 53400 beyond */
	uint64_t bytes;       /* of all answers */
	uint64_t seconds;
};

/* The part of a command that a shard executes by itself. */
struct answer_key {
	uint64_t client, request;
	uint32_t part; /* the first of its rows of VALUES; or which shard */
	bool every;    /* every shard has a part: `part` is the shard */
};

/* A table of shard `shard` of `shards`. 0, or -1: 53200. */
int answers_new(struct answers **out, struct heap *h, unsigned shard, unsigned shards,
	const struct answers_limits *limits, struct error *e);
/* NULL is allowed. */
void answers_free(struct answers *a);

/* Whether it was answered. 1: *known, valid until the next trim; 0: it was not; -1: LF006 it may have been, LF007 another
 * command was, by the same id. */
int answers_look(struct answers *a, const struct answer_key *key, uint64_t payload,
	const struct answer_record **known, struct error *e);
/* Make room for the answer of a key that was not answered; hash: of its partition value. Ends with one of the next three.
 * NULL: 53200, 53400. */
struct answer *answers_begin(struct answers *a, const struct answer_key *key, uint64_t payload,
	uint64_t hash, struct error *e);
/* It was not executed, and may be later. */
void answers_drop(struct answers *a, struct answer *x);

/* What a command that was executed gave: `nrows` packed rows of `bytes` bytes together; columns: a hash of their types.
 * Rows beyond LIMIT_ONCE_ROWS_BYTES, or that there is no memory for, are not kept. */
struct answer_given {
	uint64_t count, bytes;
	uint32_t nrows, columns;
	const void *const *rows;
};
void answers_done(struct answers *a, struct answer *x, uint64_t epoch, int64_t time_us,
	const struct answer_given *given);
/* 0; -1: no memory, and it is dropped. */
int answers_refused(struct answers *a, struct answer *x, uint64_t epoch, int64_t time_us,
	const struct error *why);
/* What a record of a refusal says. */
void answer_error(const struct answer_record *r, struct error *out);

/* Call fn for each answer given since the last answers_written(). */
void answers_unwritten(
	const struct answers *a, void (*fn)(void *arg, const struct answer_record *r), void *arg);
/* They are in the journal. */
void answers_written(struct answers *a);
/* Forget what is beyond the limits; with nothing unwritten. */
void answers_trim(struct answers *a, int64_t now_us);

/* --- checkpoints --- */

/* A walk over all answers up to an epoch, and then over what was forgotten of each client, in slices between which the
 * table may change. One at a time: another one ends it. */
struct answers_walk {
	uint64_t epoch;
	bool clients; /* the answers are done */
};
void answers_walk_begin(struct answers *a, struct answers_walk *w, uint64_t epoch);
/* Copy entries (with their headers) into out: at most `cap` bytes, which must have room for one, LIMIT_ONCE_ENTRY_BYTES.
 * Returns the bytes; 0: that was all, and the walk is over. */
size_t answers_walk_next(struct answers *a, struct answers_walk *w, unsigned char *out, size_t cap,
	uint32_t *entries);

/* --- recovery --- */

/* Whether bytes from a file are a record. */
bool answer_valid(const void *record, size_t bytes);
/* An answer of an earlier run, in the order in which they were given. same: by as many shards as there are now, and by
 * this one; else it is looked at whether it is this one's. 0; -1: 53200. */
int answers_restore(struct answers *a, const struct answer_record *r, bool same, struct error *e);
/* All are there. 0; -1: 53200. */
int answers_restored(struct answers *a, int64_t now_us, struct error *e);

/* --- looking at it --- */

struct answers_stats {
	uint64_t answers, bytes, clients;
};
/* By any thread. */
void answers_stats(const struct answers *a, struct answers_stats *out);
/* Invariants, for tests. Returns the number of answers. */
uint64_t answers_check(const struct answers *a);

#endif
