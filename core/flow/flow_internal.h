/*
 * flow_internal.h: the shape of a view plan and the state of a running view, for view_plan.c, plan_*.c and flow*.c only.
 *
 * A plan is a graph: scans, which rows come in by, and nodes: maps, joins, groups and, as the last one, the publisher. A
 * node's inputs come from scans and from nodes before it, so running the nodes in order runs them as they depend on one
 * another. Rows between nodes are packed rows with layouts of their own. An edge leads to an input; it is direct (same
 * stage) or goes through an exchange. Several edges may lead to one input: that is UNION ALL.
 *
 * Execution is by batches: what a node puts out waits in the next node's input, with its key already hashed
 * and the places it will touch prefetched, until that node runs over all of it. Only a map runs at once.
 */
#ifndef LF_FLOW_FLOW_INTERNAL_H
#define LF_FLOW_FLOW_INTERNAL_H

#include "core/flow/account.h"
#include "core/flow/flow.h"
#include "core/flow/ordered.h"
#include "core/flow/rowtree.h"
#include "core/sql/projection.h"
#include "core/sql/sum.h"
#include "core/store/hashdir.h"
#include "core/store/multimap.h"
#include "core/store/rowkey.h"

enum { PLAN_KEYS_MAX = 16 /* equalities of one join */ };

enum edge_kind {
	EDGE_DIRECT,
	EDGE_HASH,
	EDGE_OWN,
	EDGE_ZERO,
	EDGE_SHARED /* of a common: to its users */
};

/* Inputs: node i has 2i (a join's left one) and 2i + 1 (a join's right one). */
struct edge {
	enum edge_kind kind;
	uint32_t input;
	unsigned stage;        /* where the receiver runs */
	struct program *route; /* EDGE_HASH: one value of the row, whose hash chooses the shard … */
	const struct expr *by; /* … what it was compiled from */
};

/* What a program or projection was compiled from, over the rows that it is given: by these, plans are compared
 * (plan_match.c). They live as long as the view. */
struct trees {
	unsigned n;
	const struct expr *const *at;
};

struct scan_plan {
	struct scan_plan *next;
	unsigned number; /* among the scans */
	const struct relation *relation;
	unsigned stage;                /* in which the relation's rows change: 0 of a table */
	struct program *filter;        /* over the table's row; NULL: none */
	struct projection *projection; /* the columns that the view uses */
	const struct expr *condition;  /* what `filter` was compiled from; NULL: none */
	struct trees columns;          /* … the projection */
	struct row_layout layout;
	bool whole; /* its rows go on as the relation has them; `projection` only tells what is no change for the view */
	struct edge edge;
};

struct join_side {
	const struct row_layout *layout;
	struct program *keys;
	unsigned nkeys;
	const struct expr *const *by; /* nkeys of them, that the keys were compiled from */
	uint32_t null_safe;           /* bit i: NULL is equal to NULL in key i */
	bool plain;                   /* the keys are the columns cols */
	uint16_t cols[PLAN_KEYS_MAX];
	struct rowkey key; /* of them */
};

struct map_plan {
	struct program *filter; /* NULL: none */
	struct projection *projection;
	const struct expr *condition; /* what the filter was compiled from; NULL: none */
	struct trees columns;         /* … the projection */
	struct edge edge;
};

struct join_plan {
	struct join_side side[2];
	/* Side k is kept: a row of it that meets none of the other comes out once, with NULLs for the other: missing[1 - k],
	 * a row of the other side's layout. */
	bool kept[2];
	void *missing[2];
	struct program *residual;      /* over sources 0 (left) and 1 (right); NULL: none */
	struct projection *projection; /* the same */
	const struct expr *condition;  /* what the residual was compiled from; NULL: none */
	struct trees columns;          /* … the projection */
	struct row_layout layout;
	struct edge edge;
};

/* Where an aggregate's argument comes from. That of one with a filter is evaluated only when the filter is
 * true, as in PostgreSQL: it may fail otherwise. */
struct aggregate_plan {
	int value;                     /* its number among the group's values; -1: none */
	struct program *filter;        /* NULL: none */
	struct program *argument;      /* with a filter; NULL: none */
	uint32_t state;                /* offset of its state in a group */
	const struct expr *of, *where; /* argument and filter over the input's rows; NULL: none */
};

/* A column of the view that is an aggregate as it is. */
struct group_output {
	uint16_t column, aggregate;
};

struct group_plan {
	const struct row_layout *input, *out;
	const struct select
		*select;         /* whose outputs and HAVING these are, over keys and aggregates */
	struct trees key_trees;  /* what the keys were compiled from */
	struct projection *keys; /* NULL: one group */
	unsigned nkeys;
	uint16_t *cols; /* the keys are these columns of the input; NULL: they are computed */
	struct row_layout key_layout;
	uint16_t *sequence;     /* 0, 1, 2 … nkeys-1 */
	struct rowkey by;       /* cols in an input row; else as own */
	struct rowkey own;      /* all columns of a key's row */
	struct program *values; /* arguments of aggregates without a filter; NULL: there are none */
	unsigned nvalues;
	unsigned naggregates;
	const struct aggregate *aggregates;
	struct aggregate_plan *inputs; /* one an aggregate */
	bool counts;                   /* all of them are count(*), without a filter */
	uint32_t states_bytes;         /* of all aggregates' states */
	uint32_t output_bytes; /* room for an output row in the group; a longer one lies outside */
	struct row_layout row; /* keys, then aggregates */
	struct program *having;
	struct projection *outputs;
	/* Without HAVING, when the columns it gives are keys and aggregates as they are: by column of `out`, its number in
	 * `row`. Else NULL. */
	uint16_t *columns;
	/* … and those that are aggregates; of fixed width, so that the row given last can be changed where it is: else
	 * in_place is false. */
	struct group_output *changing;
	unsigned nchanging;
	bool in_place;
	struct edge edge;
};

struct window_plan {
	const struct row_layout *input, *out;
	const struct window *window;
	struct rowtree_order order;
	struct edge edge;
};

enum node_kind { NODE_MAP, NODE_JOIN, NODE_GROUP, NODE_WINDOW, NODE_PUBLISH };

struct node_plan {
	enum node_kind kind;
	unsigned number;
	unsigned stage;
	union {
		struct map_plan map;
		struct join_plan join;
		struct group_plan group;
		struct window_plan window;
	};
};

/* A column of a source of a select. */
struct place {
	uint8_t source;
	uint16_t column;
};

/* What is in FROM of a select, joined; tables and views only. */
struct joined {
	struct joined *next;
	const struct select *select;
	unsigned n; /* columns that the rows keep, in order */
	const struct place *columns;
	unsigned root; /* the join that comes last */
};

struct view_plan {
	struct heap *heap;
	struct arena arena;
	const struct relation *view; /* NULL: of a common (plan_share.h), which has no publisher */
	struct view_plan *next;      /* among those that may share */
	struct cut *cuts;            /* what is computed elsewhere, for others too; NULL: nothing */
	const struct plan_like *like;
	struct joined *joined; /* of each select that joins tables */
	unsigned shards, stages;
	/* Of a query, whose parameters and time are constants of the plan: see flow_query(). */
	const struct row_layout *param_layout; /* NULL: a view's */
	const void *params;
	int64_t now_us;
	uint32_t holders; /* shards that have something made by it; atomic */
	unsigned nscans;
	struct scan_plan *scans; /* a list */
	struct view_plan
		*fresh; /* where the scans' programs are, see view_plan_adopt(); NULL: here */
	struct view_plan *base;  /* … and all others, see view_plan_widen() */
	struct view_plan *wider; /* while it is being widened: what it is to be */
	unsigned nnodes, nodes_cap;
	struct node_plan **nodes; /* the last one publishes */
	/* The group whose rows go to the publisher as they are, in the same stage; NULL: none. */
	const struct node_plan *last_group;
};

/* Not of a common. */
static inline const struct node_plan *plan_publisher(const struct view_plan *p)
{
	return p->nodes[p->nnodes - 1];
}
static inline uint32_t node_input(const struct node_plan *n)
{
	return 2 * n->number;
}
static inline unsigned plan_operators(const struct view_plan *p)
{
	return p->nscans + p->nnodes;
}
static inline unsigned plan_inputs(const struct view_plan *p)
{
	return 2 * p->nnodes;
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
struct partition;

struct node_state {
	struct multimap *rows;     /* a join's, of both sides */
	struct hashdir groups;     /* a group's, and a window's partitions */
	struct group *dirty;       /* groups that have changed in this stage */
	struct partition *changed; /* partitions */
};

/* How far a table that a view reads has been gone through: up to this hash. */
struct build_sweep {
	struct build_sweep *next;
	const struct relation *relation;
	const struct part *part;
	unsigned stage;
	uint64_t place;
	bool done;
};

/* Of a view that is being built. */
struct view_build {
	struct build_progress *progress; /* NULL: all at once, nothing else happens meanwhile */
	struct build_sweep *sweeps;
	unsigned frontier[LIMIT_STAGES]; /* nodes before this one have given out what they have */
	bool finished[LIMIT_STAGES];
	struct multimap *excess; /* rows of lookup keys that have another row; NULL: none yet */
};

struct view_state {
	struct view_state *next;
	const struct view_plan *plan;
	struct part *target;     /* NULL: of a query, or of a common */
	struct multimap *result; /* … whose rows these are */
	/* The last group's keys are the view's lookup key: each group has one row in it, and hands it to the publisher
	 * together with the one it replaces. */
	bool paired;
	bool same_hash; /* … and hashes alike */
	bool feeds;     /* another view reads this one */
	bool watched;   /* … or it has subscribers */
	bool stopped;
	bool freeing; /* it has something that flow_free_some() is to free: all, if it has stopped, else what is aside or shared */
	struct multimap *aside;   /* … of its build */
	struct view_build *build; /* NULL: it is built; or a query */
	/* The scans and nodes of the plan that it runs itself, in their order: all, but for what a common does. */
	const struct scan_plan **scans;
	const struct node_plan **run;
	unsigned nscans, nrun;
	/* flow_share.c: */
	const struct common *common; /* it is the state of this one; NULL: of a view or query */
	struct tap *taps;            /* … who is given its rows */
	struct tap *uses;            /* commons whose rows it is given */
	uint64_t seen;               /* the last sum that has its bytes: share_bytes() */
	struct batch *inputs;        /* plan_inputs() of them */
	struct node_state *nodes;
	/* Of the scans, then of the nodes; stays while the view does, read by others (account.h). */
	struct operator_count *counts;
	uint64_t bytes;     /* sum of their bytes */
	uint32_t *holders;  /* the plan's */
	int64_t errors;     /* weight of rows dropped in this stage because of an error */
	struct error error; /* one of them */
};

struct flow {
	struct heap *heap;
	unsigned shard, shards;
	struct flow_io io;
	struct view_state *views;
	struct arena rows;    /* rows made in a stage */
	struct arena scratch; /* of programs */
	struct error error;
	uint64_t published;         /* see flow_published() */
	unsigned building;          /* views that are, while commands go on */
	unsigned freeing;           /* views with something to be freed */
	struct view_state *dropped; /* … and those that are no views any more */

	/* For account.c: */
	const uint64_t *heap_used;
	uint64_t
		aside; /* bytes of inputs' batches, which count for the node they are of and not for the one that runs */
	uint64_t emitted; /* rows that nodes have put out */
	uint64_t sums;    /* share_bytes() has been called so often */
};

/* How many deltas ahead of the one being processed objects are fetched. */
enum { FETCH_AHEAD = 8 };

/* The view has failed, for the reason in f->error: stop it, free its state, tell. */
void view_fail(struct flow *f, struct view_state *v);
void view_fail_how(struct flow *f, struct view_state *v, bool now);
void view_no_memory(struct flow *f, struct view_state *v);
/* A row of this weight could not be computed, for the reason in f->error, and is dropped. */
void view_error(struct flow *f, struct view_state *v, int64_t weight);
/* At the end of a stage: fail if errors are there to stay. */
void view_settle_errors(struct flow *f, struct view_state *v);

/* --- what several views share (flow_share.c) --- */

/* By what rows and operators on their way between shards are told apart. */
uint32_t state_id(const struct view_state *v);
/* A row of a common to its users. */
void share_follow(struct flow *f, struct view_state *v, const void *row, int64_t weight);
/* A common has failed, for the reason in f->error: its users have. now: see view_stop(). */
void share_fail(struct flow *f, struct view_state *v, bool now);
/* The view has stopped: stop the commons that nobody else needs. */
void share_let_go(struct flow *f, struct view_state *v, bool now);
/* Bytes of the commons that it uses. */
uint64_t share_bytes(struct flow *f, const struct view_state *v);
/* Whose counts those of an operator are: its own, or those of the common that has it in its place. */
const struct operator_count *share_counts(const struct view_state *v, unsigned operator);
/* Free what it had gathered of what commons do now, in slices, as hashdir_free_some(). */
bool share_free_some(struct flow *f, struct view_state *v, size_t *left);
/* The taps of a common that is freed. */
void share_free(struct flow *f, struct view_state *v);

/* Free the state of a view that stands in no list any more. */
void view_free(struct flow *f, struct view_state *v);
/* It stops; what it has gathered is freed at once, or by flow_free_some(). */
void view_stop(struct flow *f, struct view_state *v, bool now);
/* It is in no list any more: flow_free_some() frees it, and all that it has gathered. */
void view_drop(struct flow *f, struct view_state *v);
/* What a node has gathered, in slices, as hashdir_free_some(). */
bool node_free_some(struct flow *f, struct view_state *v, const struct node_plan *n, size_t *left);

/* NULL: there is none. */
struct view_state *flow_view(struct flow *f, const struct relation *view);
/* The nodes that gather changes in their state and give out at the end what has become of them. */
bool node_gathers(const struct node_plan *n);
/* At most `max` groups or partitions; true while others wait. */
bool node_emit_some(struct flow *f, struct view_state *v, const struct node_plan *n, unsigned max);
/* Take what the nodes from `from` on were given into their state. */
void view_gather(
	struct flow *f, struct view_state *v, unsigned from, unsigned stage, uint64_t epoch);

/* 0 or -1 out of memory. */
int build_open(struct flow *f, struct view_state *v);
/* It is built, or never will be; what was aside waits to be freed. */
void build_close(struct flow *f, struct view_state *v);
/* Have flow_free_some() look at it. */
void view_free_later(struct flow *f, struct view_state *v);
/* Whether a view that is being built has been given rows of this hash of a relation that it reads. */
bool build_has(const struct view_state *v, const struct relation *relation, uint64_t hash);
/* The row, or NULL when it has not. */
const void *build_row(const struct view_state *v, const struct relation *relation, const void *row);
/* Whether a node gives out what changes. */
bool build_emits(const struct view_state *v, const struct node_plan *n);

/* Evaluate over rows 0 and 1. 0 or -1 with f->error. */
int flow_evaluate(struct flow *f, const struct program *p, const void *row0, const void *row1,
	struct value *out);
/* 1, 0 or -1; NULL program: 1. Resets scratch. */
int flow_test(struct flow *f, const struct program *p, const void *row0, const void *row1);
/* A row in the stage's memory; NULL: f->error. Resets scratch. */
const void *flow_project(
	struct flow *f, const struct projection *p, const void *row0, const void *row1);
/* Room for one more delta, or the view has failed. */
bool batch_grow(struct flow *f, struct view_state *v, struct batch *b);
/* Add to an input's batch. */
static inline void batch_add(struct flow *f, struct view_state *v, uint32_t input, const void *row,
	const void *key, uint64_t hash, int64_t weight)
{
	struct batch *b = &v->inputs[input];
	struct delta *d;

	if (__builtin_expect(b->n == b->cap, 0) && !batch_grow(f, v, b))
		return;
	d = &b->list[b->n++];
	d->row = row;
	d->key = key;
	d->hash = hash;
	d->weight = weight;
}
/* Lead a delta along an edge. */
void edge_follow(struct flow *f, struct view_state *v, const struct edge *e, const void *row,
	int64_t weight);

/* For each node: take one delta into its batch, and run over the batch. */
void join_input(struct flow *f, struct view_state *v, const struct node_plan *n, uint32_t input,
	const void *row, int64_t weight);
void join_run(struct flow *f, struct view_state *v, const struct node_plan *n);
void group_input(struct flow *f, struct view_state *v, const struct node_plan *n, const void *row,
	int64_t weight);
/* A group's run has two halves: deltas into groups, then the groups that have changed are emitted. */
void group_gather(struct flow *f, struct view_state *v, const struct node_plan *n);
/* At most `max` of them; true while others wait. */
bool group_emit_some(struct flow *f, struct view_state *v, const struct node_plan *n, unsigned max);
/* The same two halves. */
void window_input(struct flow *f, struct view_state *v, const struct node_plan *n, const void *row,
	int64_t weight);
void window_gather(struct flow *f, struct view_state *v, const struct node_plan *n);
bool window_emit_some(
	struct flow *f, struct view_state *v, const struct node_plan *n, unsigned max);
void publish_input(struct flow *f, struct view_state *v, const void *row, int64_t weight);
/* Whether somebody looks at the bytes of a row that is replaced: an index, a view over this one, or a subscriber. */
static inline bool view_keeps_old(const struct view_state *v)
{
	return v->target->indexes != NULL || v->watched;
}
/* Of a paired view: `row` (NULL: none) takes the place of `old` (NULL: of none; its bytes are looked at only when the
 * view_keeps_old()). hash: the group's. */
void publish_pair(
	struct flow *f, struct view_state *v, uint64_t hash, const void *old, const void *row);
/* Who looks at its changes has changed. */
void publish_watched(struct view_state *v);
/* Whether a view is paired with this target. */
void publish_open(struct view_state *v);
void publish_run(struct flow *f, struct view_state *v, uint64_t epoch);
/* A view has been built: one row a key, or it has failed. */
void publish_settle(struct flow *f, struct view_state *v);

/* 0 or -1 out of memory. */
int groups_open(struct flow *f, struct view_state *v, const struct node_plan *n);
/* In slices, as hashdir_free_some(). */
bool groups_free_some(
	struct flow *f, struct view_state *v, const struct node_plan *n, size_t *left);
int windows_open(struct flow *f, struct view_state *v, const struct node_plan *n);
bool windows_free_some(
	struct flow *f, struct view_state *v, const struct node_plan *n, size_t *left);

#endif
