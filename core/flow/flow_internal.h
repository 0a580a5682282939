/*
 * flow_internal.h: view plans and the state of running views. For the files of flow only.
 *
 * Data flows along edges: from each scan and each join to a port of a join, to the group or to publish. A
 * producer hands over *pairs*: one packed row from a scan or from an exchange, or a left and a right row from
 * a join. An edge filters them, packs them into one row where the consumer has to keep or send them, and
 * carries them to the consumer: at once, or by way of an exchange to a later stage.
 */
#ifndef LF_FLOW_INTERNAL_H
#define LF_FLOW_INTERNAL_H

#include "core/base/limits.h"
#include "core/flow/flow.h"
#include "core/flow/group_map.h"
#include "core/flow/multiset.h"
#include "core/sql/sum.h"
#include "core/store/multimap.h"

enum { FLOW_SLOTS = 2, FLOW_CHUNK = 64 };

/* --- plans: immutable, shared by all shards --- */

/* One column of a packed row that is a column of a producer's row. */
struct copy {
	uint32_t from, to;         /* offsets of the slots */
	uint16_t column;           /* of the producer's row */
	uint8_t width;
	uint8_t slot;
};

/* How one row is made of a pair. */
struct pack {
	struct row_layout layout;
	const struct copy *copies; /* when all columns are copies, else NULL */
	bool fixed;                /* copies, none of a variable length */
	const struct program *program; /* when not fixed: one tree a column, over the slots */
};

enum edge_target { TO_JOIN, TO_GROUP, TO_PUBLISH };
enum edge_route {
	ROUTE_LOCAL,               /* in the same stage, by a call */
	ROUTE_SELF,                /* to this shard, in a later stage */
	ROUTE_ZERO,                /* to shard 0 */
	ROUTE_COLUMN               /* to the shard of a column of the packed row */
};

struct edge {
	uint32_t number;
	enum edge_target to;
	enum edge_route route;
	uint16_t join, side;       /* TO_JOIN: which, and 0 left or 1 right */
	uint16_t route_column;
	unsigned from_stage, stage; /* of producer and consumer */
	const struct program *filter; /* over the pair; NULL: none */
	const struct pack *pack;   /* NULL: the group reads the pair itself */
	/* TO_JOIN: columns of the packed row that must not be NULL */
	unsigned nkeys;
	const uint16_t *keys;
};

struct scan_plan {
	const struct relation *table;
	const char *alias;
	unsigned nused;            /* columns that the view depends on */
	const uint16_t *used;
	struct edge edge;
};

struct join_plan {
	unsigned stage;
	unsigned nkeys;
	const uint16_t *keys[2];   /* columns of the left and right packed row */
	const struct row_layout *layouts[2];
	bool int_key;              /* one key of an integer-like type */
	struct edge edge;          /* of what comes out */
};

struct aggregate_plan {
	enum aggregate_kind kind;
	uint8_t arg_type;          /* enum type_id */
	int16_t arg_value;         /* index of the argument among the values of a row; -1: count(*) */
	uint32_t state;            /* offset in struct group */
	const struct program *filter; /* NULL: none */
	const struct program *arg; /* when it must be evaluated behind the filter; else NULL */
};

/* A value of an input row: a plain column, or (slot -1) evaluated by group_plan.program. */
struct group_value {
	int16_t slot;
	uint16_t column;
};

struct group_plan {
	unsigned stage;
	unsigned nkeys, nvalues, naggregates; /* values: the keys, then the arguments */
	struct row_layout inputs[FLOW_SLOTS];
	const struct group_value *plain; /* by value when all of them are plain columns; else NULL */
	const struct program *program;   /* keys, then arguments that need no filter */
	unsigned nprogram;
	bool int_key;              /* one key, a plain column of an integer-like type */
	bool loose_keys;           /* equal keys may differ in bytes (numeric scale, -0.0, …) */
	bool filtered;
	const struct aggregate_plan *aggregates;
	struct row_layout key_layout;
	uint32_t key_offset;       /* of the packed key in struct group */
	struct row_layout layout;  /* of the group row: keys, aggregates */
	const struct program *having; /* over slot 0, the group row; NULL: none */
	const struct program *outputs;
	const uint16_t *output_columns; /* when each output is a column of the group row; else NULL */
	struct row_layout output_layout;
	/* The view's key columns as columns of the group's key: each group owns its view row, and what
	 * it has published is found by that key. NULL: it keeps a copy of what it has published. */
	const uint16_t *owned_key;
	struct edge edge;          /* to publish */
};

struct view_plan {
	const struct relation *view;
	struct heap *heap;
	struct arena arena;
	unsigned shards, stages;
	unsigned nscans, njoins, nedges;
	struct scan_plan *scans;   /* in join order */
	struct join_plan *joins;
	struct group_plan *group;  /* NULL: not grouped */
	unsigned publish_stage;
	const struct row_layout *publish_layout;
	const struct edge **edges; /* by number */
};

static inline bool type_is_integral(enum type_id t)
{
	return t == TYPE_INT2 || t == TYPE_INT4 || t == TYPE_INT8 || t == TYPE_DATE ||
		t == TYPE_TIMESTAMP || t == TYPE_TIMESTAMPTZ;
}

static inline bool type_is_variable(enum type_id t)
{
	return t == TYPE_TEXT || t == TYPE_VARCHAR || t == TYPE_BPCHAR || t == TYPE_BYTEA;
}

/* A column of an integer-like type, not NULL, as a number. */
static inline int64_t row_integer(const struct row_layout *l, const void *row, unsigned col)
{
	const char *slot = (const char *)row + l->offsets[col];
	int64_t wide;
	int32_t middle;
	int16_t narrow;

	switch ((enum type_id)l->types[col].id) {
	case TYPE_INT2:
		memcpy(&narrow, slot, sizeof(narrow));
		return narrow;
	case TYPE_INT4:
	case TYPE_DATE:
		memcpy(&middle, slot, sizeof(middle));
		return middle;
	default:
		memcpy(&wide, slot, sizeof(wide));
		return wide;
	}
}

/* --- running --- */

struct delta {
	const void *row;
	int64_t weight;
};

struct deltas {
	struct delta *v;
	size_t n, cap;
};

struct pair {
	const void *rows[FLOW_SLOTS];
	int64_t weight;
};

struct join_state {
	struct multimap *sides[2];
	struct deltas in[2];
};

struct group_state {
	struct group_map *map;
	struct group **dirty;
	size_t ndirty, dirty_cap;
	struct deltas in;          /* from an exchange */
	struct value *values;      /* FLOW_CHUNK rows of nvalues */
	struct value *row;         /* one group row, then one output row */
	uint64_t *hashes;
	struct group **found;
	bool *present;
};

/* A row whose evaluation failed: see aside_settle(). */
struct aside {
	struct aside *next;
	uint32_t edge;
	uint32_t sizes[FLOW_SLOTS];
	int64_t weight;
	struct error error;
	char bytes[];
};

struct change {
	const void *old_row, *new_row;
	const struct relation *only;
};

/* What was pushed for one table. */
struct feed {
	uint32_t table_id;
	unsigned nscans;           /* of all views */
	bool lost;                 /* a change could not be noted: no memory */
	struct change *changes;
	size_t n, cap;
};

struct view_state {
	struct flow *flow;
	const struct view_plan *plan;
	struct part *part;
	struct feed **feeds;       /* by scan */
	bool failed, cleared;
	/* The rows that the view begins with are being fed: what it shows is not complete, so an
	 * error in it is not one yet. */
	bool building;
	struct join_state *joins;
	struct group_state *group;
	struct deltas publish;
	struct aside *asides;
};

struct flow {
	struct heap *heap;
	unsigned shard, shards;
	struct flow_io io;
	unsigned stage;            /* being run */
	uint64_t epoch;
	struct view_state **views;
	unsigned nviews, views_cap;
	struct feed **feeds;       /* open addressing by table id */
	unsigned nfeeds, feeds_cap;
	struct arena rows;         /* packed rows of the view being run */
	struct arena scratch;      /* of one evaluation or chunk */
	struct error error;        /* of the evaluation under way */
	struct program_env env;
};

/* flow.c */
int view_fail(struct view_state *v, const struct error *why); /* always -1 */
int view_fail_memory(struct view_state *v);
int deltas_add(struct view_state *v, struct deltas *d, const void *row, int64_t weight);

/* flow_edge.c: hand pairs to an edge's consumer. 0; -1 when the view has failed. */
int edge_emit(struct view_state *v, const struct edge *e, const struct pair *pairs, unsigned n);
/* Carry one packed row of the edge to its consumer. */
int edge_deliver(struct view_state *v, const struct edge *e, const void *row, int64_t weight);
/* Note that evaluating this pair failed with flow->error. */
int aside_add(struct view_state *v, const struct edge *e, const struct pair *p);
int aside_settle(struct view_state *v);

/* flow_join.c */
int join_run(struct view_state *v, unsigned j);

/* flow_group.c */
struct group_state *group_state_new(const struct group_plan *g, struct heap *h);
void group_state_free(const struct group_plan *g, struct group_state *s, struct heap *h);
/* The group of a view without GROUP BY, which is always there. */
int group_create_only(struct view_state *v);
int group_apply(struct view_state *v, const struct edge *e, const struct pair *pairs, unsigned n);
int group_receive(struct view_state *v);

/* flow_emit.c: what changed groups publish. */
int group_finish(struct view_state *v);

/* flow_publish.c */
int publish_finish(struct view_state *v);
/* 23505 for a row of the view's key; always -1. */
int publish_duplicate(struct view_state *v, const struct row_layout *l, const void *row,
	const uint16_t *key, unsigned nkey);

#endif
