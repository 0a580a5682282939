/*
 * query_range.h: the rows that an ordered index has between two edges, of one shard or of all, merged where an order is
 * asked for.
 */
#ifndef LF_FLOW_QUERY_RANGE_H
#define LF_FLOW_QUERY_RANGE_H

#include "core/flow/part.h"
#include "core/sql/plan.h"

/* One shard's part of the index. */
struct range_stream {
	const struct part *part;
	const struct btree *tree;
	const void *key; /* of the row that comes next, when merged; NULL: no more */
	struct btree_cursor cursor;
};

struct range_reader {
	uint64_t epoch;
	bool merged, backward;
	struct btree_edge low, high;
	unsigned n;                   /* streams; 0: there is nothing to read */
	unsigned at;                  /* not merged: the one being read */
	struct range_stream *streams; /* merged: n; else only the first is used again and again */
	const struct part *const *parts;
	const struct btree *const *trees;
};

/* a: ACCESS_RANGE; trees: its index in every shard's part, as found once for the epoch, which is pinned; keys: a->width
 * values. parts and trees stay with the reader; what else it needs comes from `keep`. 0; -1: out of memory. */
int range_open(struct range_reader *r, const struct access *a, const struct parts *parts,
	const struct btree *const *trees, const struct value *keys, uint64_t epoch,
	struct arena *keep);
/* The next stored row as of the epoch, and the part it is in; NULL: no more. */
const void *range_next(struct range_reader *r, const struct part **part);

#endif
