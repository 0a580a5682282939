/*
 * account.h: what the operators of a view do and hold, for account.c and flow*.c only; flow.h tells it to others.
 *
 * Each counts for its shard, in memory that only its projector writes (relaxed, so that anyone may read). Rows are counted
 * by batches where they come in batches; time and bytes once a node and batch: the clock and the heap's number before and
 * after. A map has no batch: it runs within the node before it, whose time includes it, and holds nothing.
 */
#ifndef LF_FLOW_ACCOUNT_H
#define LF_FLOW_ACCOUNT_H

#include "core/flow/flow.h"

struct node_plan;
struct view_state;

struct measure {
	uint64_t ticks, held, emitted, published;
};

/* Around the run of a node. rows: that it was given. */
struct measure measure_begin(const struct flow *f);
void measure_end(struct flow *f, struct view_state *v, const struct node_plan *n, uint64_t rows,
	const struct measure *begin);

static inline void account_add(uint64_t *n, uint64_t more)
{
	__atomic_store_n(n, *n + more, __ATOMIC_RELAXED);
}
static inline void account_rows(struct operator_count *c, uint64_t in, uint64_t out)
{
	account_add(&c->rows_in, in);
	account_add(&c->rows_out, out);
}

/* The counts of a node. */
struct operator_count *account_of(const struct view_state *v, const struct node_plan *n);
/* It holds so much more (as a difference, also less). */
void account_bytes(struct view_state *v, const struct node_plan *n, uint64_t more);
/* … so much less, or nothing if it is told to hold less than that. */
void account_less(struct view_state *v, const struct node_plan *n, uint64_t bytes);
/* The view's operators hold nothing any more. */
void account_freed(struct view_state *v);
/* At the end of a batch: tell what they hold, and fail the view when it is, over all shards, more than its memory_limit.
 * Of the other shards it sees what they told last. */
void account_settle(struct flow *f, struct view_state *v);

#endif
