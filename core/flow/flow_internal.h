/*
 * flow_internal.h: the shape of a view plan, for view_plan.c and flow*.c only.
 *
 * Nodes: one scan a source, then joins (left-deep), then perhaps a group, then the publisher. Rows between
 * nodes are packed rows with layouts of their own. An edge leads from a node to an input of the next; it is
 * direct (same stage) or goes through an exchange.
 */
#ifndef LF_FLOW_FLOW_INTERNAL_H
#define LF_FLOW_FLOW_INTERNAL_H

#include "core/flow/flow.h"
#include "core/flow/ordered.h"
#include "core/sql/sum.h"

enum { PLAN_JOINS_MAX = 16 };

enum edge_kind { EDGE_DIRECT, EDGE_HASH, EDGE_OWN, EDGE_ZERO };

/* Input numbers: join i has 2i (left) and 2i + 1 (right); then the group's and the publisher's. */
struct edge {
	enum edge_kind kind;
	uint32_t input;
	unsigned stage;        /* where the receiver runs */
	struct program *route; /* EDGE_HASH: one value of the row, whose hash chooses the shard */
};

struct scan_plan {
	const struct relation *relation;
	struct program *filter; /* over the table's row; NULL: none */
	struct program *projection;
	struct row_layout layout;
	struct edge edge;
};

struct join_side {
	const struct row_layout *layout;
	struct program *keys;
	unsigned nkeys;
};

struct join_plan {
	struct join_side side[2];
	unsigned stage;
	struct program *residual;   /* over sources 0 (left) and 1 (right); NULL: none */
	struct program *projection; /* the same */
	struct row_layout layout;
	struct edge edge;
};

struct group_plan {
	unsigned stage;
	const struct row_layout *input;
	struct program *keys; /* NULL: one group */
	unsigned nkeys;
	struct row_layout key_layout;
	uint16_t *sequence;     /* 0, 1, 2 … nkeys-1 */
	struct program *values; /* for each aggregate: argument, filter (true when none) */
	unsigned naggregates;
	const struct aggregate *aggregates;
	struct row_layout row; /* keys, then aggregates */
	struct program *having;
	struct program *outputs;
	struct edge edge;
};

struct view_plan {
	struct heap *heap;
	struct arena arena;
	const struct relation *view;
	unsigned shards, stages;
	unsigned nscans;
	struct scan_plan *scans; /* by source */
	unsigned njoins;
	struct join_plan *joins;
	struct group_plan *group; /* NULL: none */
	struct program *outputs;  /* without group: of the last row */
	struct edge publish;      /* without group: from the outputs to the publisher */
	unsigned publish_stage;
};

static inline uint32_t plan_input_group(const struct view_plan *p)
{
	return 2 * p->njoins;
}
static inline uint32_t plan_input_publish(const struct view_plan *p)
{
	return 2 * p->njoins + 1;
}

#endif
