/*
 * plan_share.h: commons and what they replace in plans, for plan_share.c and flow_share.c only; share.h tells what they are.
 */
#ifndef LF_FLOW_PLAN_SHARE_H
#define LF_FLOW_PLAN_SHARE_H

#include "core/flow/plan_match.h"
#include "core/flow/share.h"

/* A part of a plan, of a view or of another common, that a common does. */
struct cut {
	struct cut *next;
	struct common *common;
	unsigned root;       /* the node whose rows the common's last one gives */
	struct plan_map map; /* the plan's operators below it, and it: the common's */
};

struct common {
	struct common *next;
	uint32_t id;    /* no relation's */
	unsigned users; /* cuts that lead to it */
	/* Nodes and scans of its own; the programs are those of a view that uses it. */
	struct view_plan plan;
	const struct view_plan *lender;
	struct plan_map lent; /* its operators: the lender's */
};

/* The cut that has a node or scan in it; NULL: none. */
struct cut *plan_cut_node(const struct view_plan *p, unsigned node);
struct cut *plan_cut_scan(const struct view_plan *p, unsigned scan);

static inline const struct node_plan *common_root(const struct common *c)
{
	return c->plan.nodes[c->plan.nnodes - 1];
}

/* --- in a shard (flow_share.c) --- */

/* From a common to one that uses it. */
struct tap {
	struct tap *next;     /* of the common */
	struct tap *next_use; /* of the user */
	struct view_state *common, *user;
	const struct cut *cut;
	const struct edge *edge; /* where the rows go in the user */
};

/* Memory for a change, taken before it. */
struct share_room {
	struct view_state *state; /* of a new common; NULL: it has one */
	struct tap *owner, *user;
};

/* made: the common, if it is new. 0, or -1 with nothing taken. */
int flow_share_reserve(struct flow *f, struct common *made, struct share_room *r);
void flow_share_release(struct flow *f, struct share_room *r);
/* What the plan ran of a cut has become a new common. */
void flow_share_split(
	struct flow *f, struct share_room *r, const struct view_plan *p, const struct cut *cut);
/* The plan's own of a cut is freed; it is given the common's rows instead. */
void flow_share_join(
	struct flow *f, struct share_room *r, const struct view_plan *p, const struct cut *cut);
/* It is not given them any more, and has no replacement. */
void flow_share_leave(struct flow *f, const struct view_plan *p, const struct cut *cut);
/* The plan is the only user: what the common runs is the plan's own again. The cut is not one of the plan's any more; those that
 * the common's plan had are. */
void flow_share_merge(struct flow *f, const struct view_plan *p, const struct cut *cut);

#endif
