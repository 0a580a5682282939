/*
 * flow.h: views kept by delta operators.
 *
 * A view compiles to a view plan (shared by all shards, immutable): scans of its tables (filter and
 * projection), a left-deep chain of binary hash joins, optionally a group-by, and a publish. Deltas are
 * rows with signed weights (Z-sets; Budiu et al., "DBSP", VLDB 2023): a join applies
 * ΔL⋈R' + L⋈ΔR on its two arrangements, a group keeps exact state and replaces its output row, publish
 * writes the rows of an epoch into the shard's part of the view.
 *
 * Each operator has a stage. Stage 0 runs inside the batch, on the rows' own shard. Where the next
 * operator needs rows by another key than the one they are partitioned by, they leave through an exchange
 * edge: sent to the shard of that key and processed there in the next stage, after every shard has
 * finished the stage before for that epoch. Choosing the join order, operators that agree with the
 * present partition come first. With one shard every stage is 0.
 *
 * Errors while evaluating (division by zero, overflow, out of memory, duplicate lookup key) cannot
 * undo commands already accepted: they fail the view, which is then not fed any more and answers reads
 * with LF004 and the reason; what it held is freed. REFRESH MATERIALIZED VIEW makes it anew.
 */
#ifndef LF_FLOW_FLOW_H
#define LF_FLOW_FLOW_H

#include <stdatomic.h>

#include "core/base/limits.h"
#include "core/flow/part.h"
#include "core/sql/plan.h"

struct view_plan;
struct joined;

/* Of a select that is asked once: its rows are those of `query`, a derived relation. Parameters and now() are taken as
 * they are; params must live as long as the plan. */
int view_plan_query(struct view_plan **out, const struct relation *query,
	const struct row_layout *param_layout, const void *params, int64_t now_us, struct heap *h,
	struct error *e);
/* Plans whose joins one that is made should be like: where it joins the same tables by the same conditions, its rows keep the
 * columns that theirs do, besides those that it uses. Then it can share them. */
struct plan_like {
	const struct view_plan
		*all; /* a list of share.h's; those of views that have failed are passed over */
	const struct view_plan *one; /* and this; each may be NULL */
	/* Or the view's own plan: the joins are to keep the same columns as they do there, and those that are the same as `wider`
	 * its columns, too. NULL: there is none. */
	const struct view_plan *own;
	const struct joined *wider;
};
/* 0A000 for what has no operator yet (with the expression's position), 54001, 53200. */
int view_plan_new(struct view_plan **out, const struct relation *view, unsigned shards,
	const struct plan_like *like, struct heap *h, struct error *e);
void view_plan_free(struct view_plan *p);
/* When a table of the view has been altered, at a moment when nothing runs: a plan made anew, whose scans take the place of
 * those there are; it is owned from now on. */
void view_plan_adopt(struct view_plan *p, struct view_plan *fresh);
/* When rows of joins keep more columns than before (see struct plan_like): all nodes and scans are those of a plan made anew,
 * which is owned from now on. */
void view_plan_widen(struct view_plan *p, struct view_plan *wider);
/* The same when only another relation stands for a table or view, with rows of the same layout; also for the plan's own. */
void view_plan_retarget(
	struct view_plan *p, const struct relation *from, const struct relation *to);
/* Number of stages: 1 when there is no exchange. */
unsigned view_plan_stages(const struct view_plan *p);
/* Its operators: scans, then nodes in the order in which they run, the publisher last. */
unsigned view_plan_operators(const struct view_plan *p);
enum { OPERATOR_TEXT_MAX = 192 };
struct view_operator {
	unsigned stage;
	const char *kind; /* "join" */
	bool timed; /* it has a run of its own; others run within the operator before them, whose time has theirs */
	char text
		[OPERATOR_TEXT_MAX]; /* for people: "left, on 1 key → 4, by hash"; cut if need be */
};
void view_plan_operator(const struct view_plan *p, unsigned i, struct view_operator *out);
/* One line an operator, for people. Returns bytes written. */
size_t view_plan_print(const struct view_plan *p, char *buf, size_t cap);

struct flow_io {
	void *arg;
	/* Hand a delta to another shard (or this one) for stage `stage`; the bytes are copied. 0 or -1
	 * (53200). view_id and edge come back in flow_receive(). */
	int (*send)(void *arg, unsigned to, unsigned stage, uint32_t view_id, uint32_t edge,
		const void *row, int64_t weight);
	/* The view has failed; called at most once a view and shard. */
	void (*fail)(void *arg, const struct relation *view, const struct error *why);
};

struct flow;

struct flow *flow_new(struct heap *h, unsigned shard, unsigned shards, const struct flow_io *io);
void flow_free(struct flow *f);

/* target NULL: of a query, whose rows flow_result() tells at the end. */
int flow_add_view(struct flow *f, struct view_plan *p, struct part *target, struct error *e);
/* The rows of the only view, each with how often it occurs. */
int flow_result(
	const struct flow *f, int (*fn)(void *arg, const void *row, int64_t weight), void *arg);
/* The view is no more. What it held, and the plan with it, stays until flow_free_some() has freed it. */
void flow_drop_view(struct flow *f, const struct relation *view);
/* The part's feed has been set or taken away; when no stage is under way. */
void flow_watch(struct flow *f, const struct part *target);
/* Stop feeding a view that failed on any shard; the same of its state. */
void flow_stop_view(struct flow *f, const struct relation *view);
/* Free what dropped and failed views held, in slices, as hashdir_free_some(); true: nothing is left. */
bool flow_free_some(struct flow *f, size_t *left);
/* Whether that has something to do. */
bool flow_frees(const struct flow *f);
/* Whether a shard holds something that was made by a plan, which must stay till then, with the view's select. Any thread. */
bool view_plan_held(const struct view_plan *p);

/* A change of a base table row in this shard, in the stage 0 that is under way (what it sends belongs to
 * that). The rows must stay valid until flow_run() of stage 0. old_row or new_row may be NULL. `only`: NULL, or the one view to feed (building a new view). */
void flow_push(struct flow *f, const struct relation *table, const void *old_row,
	const void *new_row, const struct relation *only);
/* Rows of a relation that come (weight > 0) or go: of a view, in the stage in which it changes. hash: part_key_hash() of
 * the stored row; looked at when `only` is NULL. */
void flow_push_rows(struct flow *f, const struct relation *relation, const void *row,
	int64_t weight, uint64_t hash, const struct relation *only);
/* A delta that arrived through an exchange, for the stage that flow_run() is called for next; the row must
 * stay valid until then. */
void flow_receive(struct flow *f, uint32_t view_id, uint32_t edge, const void *row, int64_t weight);
/* Process everything pushed or received for `stage`, emit changed groups, publish at `epoch`. Stage 0
 * may run several times in one epoch, later stages run once an epoch. */
void flow_run(struct flow *f, unsigned stage, uint64_t epoch);
/* Fail the views that hold more than their memory_limit, which may have changed: by whoever may change the flow. */
void flow_enforce_limits(struct flow *f);

/* What an operator has done in a shard since its view was computed, and holds. Rows are deltas: one that comes and one that
 * goes are two. The publisher's bytes have the view's rows and indexes in them; its rows_out are rows that were changed. */
struct operator_count {
	uint64_t rows_in, rows_out;
	uint64_t bytes;
	uint64_t ticks; /* clock_ticks() */
};
/* Add the counts of this shard to sums[view_plan_operators()]. By any thread, while no schema change is under way. */
void flow_account(const struct flow *f, const struct relation *view, struct operator_count *sums);
/* Rows of views that have changed so far, each stage for itself; by any thread. */
uint64_t flow_published(const struct flow *f);
/* The same for views that are being built all at once, the only ones that anything was pushed to or received for (`only`: as there);
 * groups are emitted when it is `last`, however many there are. */
void flow_build(
	struct flow *f, const struct relation *only, unsigned stage, uint64_t epoch, bool last);

/* --- building a view while commands go on (flow_build.c has how) --- */

/* Of one view, or index (which has one stage), shared by its shards; how far each stage is. */
struct build_progress {
	unsigned shards, stages;
	unsigned slice; /* rows or groups at a time, rows rounded up to segments */
	_Atomic unsigned finished[LIMIT_STAGES]; /* shards that have */
	_Atomic uint64_t epoch[LIMIT_STAGES];    /* … the last in this epoch */
	_Atomic uint64_t rows;                   /* of tables and views that it was given */
	struct failure failure;                  /* of an index */
};

/* A view is being built from flow_add_view() to flow_build_end(). From here on this shard does its part by itself, with
 * the rows that are there and the changes that come: flow_run() takes the view along and flow_build_step() goes on. */
int flow_build_begin(struct flow *f, const struct relation *view, struct build_progress *progress,
	struct error *e);
/* A slice of what is left to do in a stage, of each such view; after flow_run() of the stage, if that has been called for
 * the epoch. */
void flow_build_step(struct flow *f, unsigned stage, uint64_t epoch);
/* Whether there is something left to do in this shard in the first `stages` stages. */
bool flow_building(const struct flow *f, unsigned stages);
/* After flow_build() with `last` in all stages: it is a view as all others. */
void flow_build_end(struct flow *f, const struct relation *view);

#endif
