/*
 * query.h: reads. Any thread that holds an epoch pin, straight from the parts of all shards.
 */
#ifndef LF_FLOW_QUERY_H
#define LF_FLOW_QUERY_H

#include "core/base/assert.h"
#include "core/flow/part.h"
#include "core/sql/plan.h"

/* Takes one packed result row (s->result_layout); non-zero return stops the query with that value.
 * The row's bytes are valid during the call only. */
typedef int (*query_sink)(void *arg, const void *row, uint32_t size);

/* Where the rows of system views come from: what relation->user of one points at. */
struct system_source {
	/* Give each row of r as it is now, packed in its layout and valid during the call. 0; -1 with *e; or what fn returned if
	 * that was not 0. By any thread. */
	int (*rows)(void *arg, const struct relation *r, int (*fn)(void *fn_arg, const void *row),
		void *fn_arg, struct error *e);
	void *arg;
};

struct query_own {
	unsigned shard;
	struct heap *heap;  /* of what aggregates hold */
	struct arena *keep; /* reset by the query */
	/* Room for what the query sees of the parts; not set by the caller. */
	union {
		struct parts parts;
		unsigned char room[sizeof(struct parts) + sizeof(struct part *)];
	};
};

struct query_env {
	struct arena *scratch; /* used and reset by the query */
	uint64_t epoch;        /* the reader's pin: all reads are at this epoch */
	uint64_t base_epoch;   /* versions from before count as of this one */
	int64_t now_us;
	uint64_t rows_max; /* rows a sort may hold; beyond: 54000 */
	/* Of a SELECT in a command, whose projector reads its own newest rows (epoch UINT64_MAX): only of this shard. NULL:
	 * of all, by a reader. */
	struct query_own *own;
	const bool *canceled; /* atomic, may be NULL; polled while scanning: 57014 */
	const struct parts *
		parts; /* read these, which are sound, whatever the relation has by now; NULL: as it is */
	struct query_profile
		*profile; /* where to note what happens; NULL: nowhere, and always from outside */
};

/* Room for the row of EXPR_SYSTEM. */
struct epoch_row {
	_Alignas(8) unsigned char bytes[16];
};
static inline void epoch_row_set(
	struct epoch_row *to, const struct row_layout *l, uint64_t epoch, uint64_t base_epoch)
{
	struct value v = { .type = TYPE_INT8,
		.i = (int64_t)(epoch > base_epoch ? epoch : base_epoch) };

	DEBUG_ASSERT(row_encoded_size(l, &v) == sizeof(*to));
	row_encode(l, &v, to->bytes);
}

/* Compile (programs, fast paths) once at prepare, into the statement's arena. */
int query_compile(struct statement *s, struct error *e);
/* Run one execution. 0; or -1 with *e (rows already given to the sink are void); or the sink's value. */
int query_run(const struct statement *s, const void *params, struct query_env *env, query_sink sink,
	void *arg, struct error *e);
/* Whether the parts of a view can be read, or it has failed. 0; -1: LF004 with the reason. */
int query_parts_sound(const struct relation *r, const struct parts *parts, struct error *e);
/* n executions of one statement, in order; key lookups of all of them are fetched together. After what the
 * sink gets of the i-th, done(arg, i, status, e) is called with the status and error query_run() would give. */
typedef void (*query_done)(void *arg, unsigned i, int status, const struct error *e);
void query_run_batch(const struct statement *s, unsigned n, const void *const *params,
	struct query_env *env, query_sink sink, query_done done, void *arg);

#endif
