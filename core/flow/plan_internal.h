/*
 * plan_internal.h: what the files that compile a select to nodes share; for view_plan.c and plan_*.c only.
 *
 * A select is compiled in a `struct building` of its own; what comes out of its parts are streams.
 */
#ifndef LF_FLOW_PLAN_INTERNAL_H
#define LF_FLOW_PLAN_INTERNAL_H

#include "core/flow/flow_internal.h"

enum {
	PLAN_COLUMNS_MAX = 1024, /* that one select may mention */
	PLAN_LIES_MAX = 64
};

/* Columns a stream's rows hold, in order. */
struct places {
	unsigned n, cap;
	struct place *at;
};

struct building {
	struct view_plan *p;
	const struct select *s;
	struct error *e;
	struct places used; /* columns of the sources mentioned anywhere */
};

/* An edge that leads nowhere yet, and the stage in which its rows come. */
struct open_edge {
	struct edge *edge;
	unsigned stage;
};

/* Rows on their way: what they hold, where they come from, how they lie in the shards. */
struct stream {
	const struct row_layout *layout;
	struct places places;
	uint32_t sources; /* of the select, one bit each */
	unsigned nopen;
	struct open_edge *open;
	unsigned stage; /* the last one in which rows come */
	/* Expressions over the sources that are all equal to the value whose hash chose the shard. */
	unsigned nlies;
	const struct expr *lies[PLAN_LIES_MAX];
	bool zero; /* all in shard 0 */
};

/* The rows of a select in the layout of its outputs. */
struct result {
	struct row_layout layout;
	unsigned nopen;
	struct open_edge *open;
	unsigned stage;
	unsigned nlies;
	uint16_t lies[PLAN_LIES_MAX]; /* outputs */
	bool zero;
};

/* --- plan_expr.c: expressions over the rows of nodes --- */

int plan_no_memory(struct building *b);
void *plan_alloc(struct building *b, size_t size);
int places_add(struct building *b, struct places *p, struct place at);
int places_find(const struct places *p, uint8_t source, uint16_t column);
/* Trees over rows as they are. NULL: b->e. */
struct program *plan_compile(struct building *b, const struct expr *const *trees, unsigned n,
	const struct row_layout *l0, const struct row_layout *l1);
/* Trees of the select as they are over the rows of two streams (right may be NULL): their columns are source 0 and 1. NULL:
 * b->e. */
const struct expr *const *plan_remap(struct building *b, const struct expr *const *trees,
	unsigned n, const struct stream *left, const struct stream *right);
/* The same, compiled. */
struct program *plan_compile_over(struct building *b, const struct expr *const *trees, unsigned n,
	const struct stream *left, const struct stream *right);
/* Trees over rows as they are, into rows of a layout. */
struct projection *plan_project(struct building *b, const struct expr *const *trees,
	const struct row_layout *l0, const struct row_layout *to);
/* from: what it was compiled from. */
struct projection *plan_project_over(struct building *b, const struct expr *const *trees,
	const struct row_layout *to, const struct stream *left, const struct stream *right,
	struct trees *from);
/* The columns `to` of streams, in a layout made for them. */
struct projection *plan_columns(struct building *b, const struct places *to,
	struct row_layout *layout, const struct stream *left, const struct stream *right,
	struct trees *from);
/* The AND of conditions; *out and *from NULL when there is none. 0 or -1. */
int plan_filter(struct building *b, const struct expr *const *list, unsigned n,
	const struct stream *left, const struct stream *right, struct program **out,
	const struct expr **from);
struct expr *plan_column(struct building *b, unsigned source, unsigned column, struct type type);

/* The sources a tree reads; parameters are none. */
static inline uint32_t plan_sources(const struct expr *e)
{
	return expr_sources(e) & ~(UINT32_C(1) << EXPR_PARAMS);
}

/* --- view_plan.c --- */

/* A new node, behind all that are there. NULL: b->e. */
struct node_plan *plan_node(struct building *b, enum node_kind kind);
bool plan_lies_by(const struct stream *s, const struct expr *by);
/* Lead open edges to an input that runs at `stage`: when they are to move, by the hash that `route` gives or, NULL, to
 * shard 0; else as they lie. */
void plan_lead(const struct open_edge *open, unsigned n, uint32_t input, unsigned stage, bool move,
	struct program *route, const struct expr *by);
/* Whether rows must go to other shards to lie by an expression; NULL: to be all in one. Then they come a stage later. */
bool plan_moves(const struct building *b, const struct stream *in, const struct expr *by);
/* Lead a stream to an input where its rows lie so. */
int plan_lead_by(struct building *b, const struct stream *in, uint32_t input, unsigned stage,
	const struct expr *by);
int plan_stage_check(struct building *b, unsigned stage);
/* Compile a select, as one of the plan's. 0 or -1. */
int plan_select(struct view_plan *p, const struct select *s, const struct expr *wanted,
	struct result *out, struct error *e);

/* --- plan_join.c --- */

/* All that is in FROM, joined; with the WHERE. */
int plan_from(struct building *b, struct stream *out);
/* Where a stream is a scan, have it give the relation's rows as they are: for a node that keeps none of them and runs in the
 * same stage, picking columns out would be in vain. 0 or -1. */
int plan_whole_rows(struct building *b, struct stream *in);

/* --- plan_group.c --- */

/* wanted: the output that the rows should lie by, as the group row has it; or NULL. */
int plan_group(
	struct building *b, struct stream *in, const struct expr *wanted, struct result *out);

/* --- plan_window.c --- */

int plan_window(struct building *b, const struct stream *in, struct result *out);

#endif
