/*
 * flow_internal.h: the shape of a view plan and the state of a running view, for view_plan.c and flow*.c only.
 *
 * Nodes: one scan a source, then joins (left-deep), then perhaps a group, then the publisher. Rows between
 * nodes are packed rows with layouts of their own. An edge leads from a node to an input of the next; it is
 * direct (same stage) or goes through an exchange.
 *
 * Execution is by batches: what a node puts out waits in the next node's input, with its key already hashed
 * and the places it will touch prefetched, until that node runs over all of it.
 */
#ifndef LF_FLOW_FLOW_INTERNAL_H
#define LF_FLOW_FLOW_INTERNAL_H

#include "core/flow/flow.h"
#include "core/flow/ordered.h"
#include "core/sql/projection.h"
#include "core/sql/sum.h"
#include "core/store/hashdir.h"
#include "core/store/multimap.h"

enum { PLAN_JOINS_MAX = 16, PLAN_KEYS_MAX = 16 /* equalities of one join */ };

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
	struct projection *projection;
	struct row_layout layout;
	struct edge edge;
};

struct join_side {
	const struct row_layout *layout;
	struct program *keys;
	unsigned nkeys;
	bool plain; /* the keys are the columns cols */
	uint16_t cols[PLAN_KEYS_MAX];
};

struct join_plan {
	struct join_side side[2];
	unsigned stage;
	struct program *residual;      /* over sources 0 (left) and 1 (right); NULL: none */
	struct projection *projection; /* the same */
	struct row_layout layout;
	struct edge edge;
};

/* Where an aggregate's argument comes from. That of one with a filter is evaluated only when the filter is
 * true, as in PostgreSQL: it may fail otherwise. */
struct aggregate_plan {
	int value;                /* its number among the group's values; -1: none */
	struct program *filter;   /* NULL: none */
	struct program *argument; /* with a filter; NULL: none */
	uint32_t state;           /* offset of its state in a group */
};

/* A column of the view that is an aggregate as it is. */
struct group_output {
	uint16_t column, aggregate;
};

struct group_plan {
	unsigned stage;
	const struct row_layout *input;
	struct projection *keys; /* NULL: one group */
	unsigned nkeys;
	uint16_t *cols; /* the keys are these columns of the input; NULL: they are computed */
	struct row_layout key_layout;
	uint16_t *sequence;     /* 0, 1, 2 … nkeys-1 */
	struct program *values; /* arguments of aggregates without a filter; NULL: there are none */
	unsigned nvalues;
	unsigned naggregates;
	const struct aggregate *aggregates;
	struct aggregate_plan *inputs; /* one an aggregate */
	uint32_t states_bytes;         /* of all aggregates' states */
	uint32_t output_bytes; /* room for an output row in the group; a longer one lies outside */
	struct row_layout row; /* keys, then aggregates */
	struct program *having;
	struct projection *outputs;
	/* Without HAVING, when the view's columns are keys and aggregates as they are: by column of the view, its number
	 * in `row`. Else NULL. */
	uint16_t *columns;
	/* … and those that are aggregates; of fixed width, so that the row given last can be changed where it is: else
	 * in_place is false. */
	struct group_output *changing;
	unsigned nchanging;
	bool in_place;
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
	struct group_plan *group;   /* NULL: none */
	struct projection *outputs; /* without group: of the last row */
	struct edge publish;        /* without group: from the outputs to the publisher */
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
static inline unsigned plan_inputs(const struct view_plan *p)
{
	return 2 * p->njoins + 2;
}

/* --- running (flow*.c) --- */

struct delta {
	const void *row;
	/* Of the group's input: the key's row, when it is computed. Of the publisher's, when the view is paired: the row
	 * that `row` replaces; either may be NULL. */
	const void *key;
	uint64_t hash; /* of what the node looks up */
	int64_t weight;
};

struct batch {
	struct delta *list;
	unsigned n, cap;
};

struct group;

struct view_state {
	struct view_state *next;
	const struct view_plan *plan;
	struct part *target;
	/* The groups' keys are the view's lookup key: each group has one row in it, and hands it to the publisher
	 * together with the one it replaces. */
	bool paired;
	bool same_hash; /* … and hashes alike */
	bool stopped;
	struct batch *inputs;    /* plan_inputs() of them */
	struct multimap **sides; /* 2 a join */
	struct hashdir groups;
	struct group *dirty; /* groups that have changed in this stage */
	int64_t errors;      /* weight of rows dropped in this stage because of an error */
	struct error error;  /* one of them */
};

struct flow {
	struct heap *heap;
	unsigned shard, shards;
	struct flow_io io;
	struct view_state *views;
	struct arena rows;    /* rows made in a stage */
	struct arena scratch; /* of programs */
	struct error error;
	uint64_t published; /* see flow_published() */
};

/* How many deltas ahead of the one being processed objects are fetched. */
enum { FETCH_AHEAD = 8 };

/* The view has failed, for the reason in f->error: stop it, free its state, tell. */
void view_fail(struct flow *f, struct view_state *v);
void view_no_memory(struct flow *f, struct view_state *v);
/* A row of this weight could not be computed, for the reason in f->error, and is dropped. */
void view_error(struct flow *f, struct view_state *v, int64_t weight);
/* At the end of a stage: fail if errors are there to stay. */
void view_settle_errors(struct flow *f, struct view_state *v);

/* Evaluate over rows 0 and 1. 0 or -1 with f->error. */
int flow_evaluate(struct flow *f, const struct program *p, const void *row0, const void *row1,
	struct value *out);
/* 1, 0 or -1; NULL program: 1. Resets scratch. */
int flow_test(struct flow *f, const struct program *p, const void *row0, const void *row1);
/* A row in the stage's memory; NULL: f->error. Resets scratch. */
const void *flow_project(
	struct flow *f, const struct projection *p, const void *row0, const void *row1);
/* Add to an input's batch. */
void batch_add(struct flow *f, struct view_state *v, uint32_t input, struct delta d);
/* Lead a delta along an edge. */
void edge_follow(struct flow *f, struct view_state *v, const struct edge *e, const void *row,
	int64_t weight);

/* For each node: take one delta into its batch, and run over the batch. */
void join_input(
	struct flow *f, struct view_state *v, uint32_t input, const void *row, int64_t weight);
void join_run(struct flow *f, struct view_state *v, unsigned join);
void group_input(struct flow *f, struct view_state *v, const void *row, int64_t weight);
/* A group's run has two halves: deltas into groups, then the groups that have changed are emitted. */
void group_gather(struct flow *f, struct view_state *v);
/* At most `max` of them; true while others wait. */
bool group_emit_some(struct flow *f, struct view_state *v, unsigned max);
void publish_input(struct flow *f, struct view_state *v, const void *row, int64_t weight);
/* Of a paired view: `row` (NULL: none) takes the place of `old` (NULL: of none; its bytes are looked at only when the
 * target has indexes). hash: the group's. */
void publish_pair(
	struct flow *f, struct view_state *v, uint64_t hash, const void *old, const void *row);
/* Whether a view is paired with this target. */
void publish_open(struct view_state *v);
void publish_run(struct flow *f, struct view_state *v, uint64_t epoch);

/* 0 or -1 out of memory. */
int groups_open(struct flow *f, struct view_state *v);
void groups_free(struct flow *f, struct view_state *v);

#endif
