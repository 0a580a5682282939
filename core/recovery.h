/*
 * recovery.h: what a data directory holds: journals by run and shard, checkpoints; and which of them count.
 */
#ifndef LF_CORE_RECOVERY_H
#define LF_CORE_RECOVERY_H

#include "core/engine_internal.h"
#include "core/log/segment.h"

/* One shard's journal of one run, or its part of a checkpoint. */
struct group {
	const struct segment_name *names;
	unsigned n;
	unsigned skipped;          /* files before names[0] that the checkpoint has all of */
	bool used;                 /* a journal, or of a checkpoint that is taken */
	struct journal_reader end; /* as it was after the last block; its data are gone */
};

struct recovery {
	struct lf_engine *engine;
	struct segment_list list;
	struct group *groups; /* journals first, then checkpoints */
	unsigned ngroups;
	uint32_t last_run;
	uint64_t base; /* epoch of the checkpoint that is taken; 0: none */
	uint64_t
		schema_base; /* the same, but with salvage of one whose schema is whole while its rows need not be */
	struct error why; /* the newest checkpoint is not whole; ERR_OK: it is, or there is none */
	uint64_t dropped; /* with salvage: things that were, atomic */
	bool same;        /* all that counts was written by as many shards as there are now */
	/* By id, also of layouts that a table had before ALTER: the relation that had it, and the one there is now. */
	struct relation **tables, **present;
	unsigned ntables;
};

/* List the directory, choose the newest checkpoint that is whole (engine->checkpoints is told of it and the one before),
 * and see that with it the journals have everything. 58030 naming the file when not; 53200. */
int recovery_survey(struct recovery *r, struct error *e);
void recovery_free(struct recovery *r);

#endif
