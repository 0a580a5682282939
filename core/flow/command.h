/*
 * command.h: what a projector does with one command: decide, apply, remember the changes.
 *
 * A command works on one shard's parts. Every row change is appended to a change log, which serves
 * three ends: undo when a later row or statement of the same command fails, the deltas from which
 * the views follow, and (later) the journal's after-images. Old and new rows in the log are copies that
 * live until the log is reset, at the end of the batch.
 */
#ifndef LF_FLOW_COMMAND_H
#define LF_FLOW_COMMAND_H

#include "core/flow/part.h"
#include "core/sql/plan.h"

struct change_entry {
	struct part *part;
	const void *old_row; /* NULL: inserted */
	const void *new_row; /* NULL: deleted */
};

struct change_log {
	struct arena arena;
	unsigned n, cap;
	struct change_entry *entries; /* heap-allocated */
	struct heap *heap;
};

void change_log_init(struct change_log *l, struct heap *h);
void change_log_reset(struct change_log *l);
void change_log_free(struct change_log *l);

/* What a command asks for beyond being executed. Behind its parameters in the ring, or with its parts; most commands
 * have none. Its size is a multiple of 8. */
enum {
	COMMAND_ONCE = 1,
	COMMAND_EXPECT = 2,
	COMMAND_META = 4,
	COMMAND_EVERY_SHARD = 8 /* it goes to every shard */
};
struct command_options {
	uint32_t flags;
	uint32_t meta_bytes;
	uint64_t client, request; /* ONCE */
	uint64_t payload;         /* ONCE: hash of the statement's text and the parameters */
	uint64_t hash;            /* ONCE, of one part: of the partition value */
	uint64_t expected_epoch;  /* EXPECT */
	unsigned char meta[];     /* META, and zeros */
};

struct command_env {
	struct heap *heap;
	unsigned shard, shards;
	struct change_log *log;
	struct arena *scratch; /* reset by the command for itself; results are not in it */
	struct arena *
		results; /* RETURNING rows are put here; reset by the caller. Scratch of blocks, which have none */
	uint64_t epoch;
	uint64_t base_epoch; /* versions from before count as of this epoch */
	int64_t now_us;
	uint64_t *next_rowid; /* the last that this shard gave; see command_note_rowid() */
	const struct command_options *options; /* of this command; NULL: it has none */
	bool stale; /* out: it failed, since a table that the statement uses was altered */
};

/* A row id says which shard gave it and the how manieth it was. Raise last[shard] to that. */
void command_note_rowid(uint64_t rowid, uint64_t *last);

struct command_result {
	uint64_t count;    /* rows inserted, matched and changed, or deleted */
	unsigned nrows;    /* RETURNING */
	const void **rows; /* packed rows of statement->result_layout, in env->results */
	uint64_t returned_bytes;
};

/* Execute on this shard. params: packed row of s->param_layout. For INSERT `rows` restricts to the
 * rows [first, first+n) (the port routes and splits them) of VALUES. A command with a query (statement_query()) works on those of
 * `sources`, what that gave, packed rows of its result_layout; NULL for others. UPDATE and DELETE without
 * key work on all rows of this shard that match, each aggregate atomically by itself but refused as a
 * whole for this shard on the first error. 0; or -1 with *e and nothing changed. */
struct row_range {
	unsigned first, n;
};
int command_execute(const struct statement *s, const void *params, const void *const *sources,
	const struct row_range *rows, struct command_env *env, struct command_result *result,
	struct error *e);

/* Whether little is left of the memory that deletes need before they free any. */
bool command_memory_is_short(const struct heap *h);

/* Fetch what executing it will look up first: the places of its keys in the hash tables. */
void command_prefetch(const struct statement *s, const void *params, const struct row_range *rows,
	struct command_env *env);

/* Where a command belongs. Evaluates partition expressions: sets *hash to the value_hash() of the
 * partition value. `row`: which row of an INSERT, of VALUES or of `sources`. Returns 1 (one shard), 0 (every shard), -1
 * error. A block whose statements are of different partition values: 0A000. A hidden row id as
 * partition: *hash is taken from `spread`. */
int command_route(const struct statement *s, const void *params, const void *const *sources,
	unsigned row, uint64_t spread, struct program_env *env, uint64_t *hash, struct error *e);

/* The arguments of a CALL that computes them (call->computed), which are the parameters of its statements: in env's scratch. NULL
 * with *e. */
const void *command_arguments(
	const struct statement *s, const void *params, struct program_env *env, struct error *e);
/* Whether a statement that was prepared again still is for this shard: a procedure may have become another one. 0, or -1: 40001. */
int command_stays(
	const struct statement *s, const void *params, struct command_env *env, struct error *e);

/* Compile what execution needs (programs for expressions); kept in s->compiled, freed with the
 * statement's arena. Called once by the preparer, before the statement is shared. */
int command_compile(struct statement *s, struct error *e);

#endif
