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
	struct view_plan *lender;
	struct plan_map lent; /* its operators: the lender's */
};

/* The cut that has a node or scan in it; NULL: none. */
struct cut *plan_cut_node(const struct view_plan *p, unsigned node);
struct cut *plan_cut_scan(const struct view_plan *p, unsigned scan);

static inline const struct node_plan *common_root(const struct common *c)
{
	return c->plan.nodes[c->plan.nnodes - 1];
}

/* --- for plan_share.c and plan_widen.c --- */

struct cut *cut_new(struct heap *h, struct common *common, unsigned root); /* NULL: no memory */
void cut_free(struct heap *h, struct cut *c);
void cut_add(struct view_plan *p, struct cut *c);
void cut_take(struct view_plan *p, struct cut *c);
/* The operators that `by` leads to are replaced by what `to` says of them. */
void map_behind(struct plan_map *by, const struct plan_map *to);
void map_turn(struct plan_map *out, const struct plan_map *map);

/* Where an operator runs. */
struct whereabouts {
	struct view_plan *plan;
	struct common *common; /* whose plan that is; NULL: a view's */
	unsigned node;
};
/* From a node of a view's plan to where it runs; map, which leads to the plan, is made to lead there. */
struct whereabouts plan_whereabouts(struct view_plan *p, unsigned node, struct plan_map *map);
/* The common that a node of a view's plan is the last one of, made if there is none; map, which leads to the plan, is made to
 * lead to the common. NULL: no memory. */
struct common *common_of(struct shares *s, struct view_plan *p, unsigned node, struct plan_map *map,
	const struct flows *flows);
/* If a common has but one user, which has not failed, it becomes part of that, and there is no such common any more: true. */
bool common_settle(struct shares *s, struct common *c, const struct flows *flows);
/* What a plan shares of this map's operators it does not share any more, and nothing stands in its place. */
void plan_leave_below(struct shares *s, struct view_plan *p, const struct plan_map *map,
	const struct flows *flows);
/* It has no users and no state. */
void common_free(struct shares *s, struct common *c);
/* Who lends to whom may have changed, and what. */
void commons_lend(struct shares *s);

/* Where views join what a new one joins too, and keep fewer columns, have them keep as many: then all share one (plan_widen.c). */
void plans_widen(struct shares *s, struct view_plan *p, const struct flows *flows);

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
	struct tap *tap;
	struct view_state *state; /* of a new common; NULL: it has one */
};

/* One a shard, of all flows. False: no memory, and none is taken. */
bool rooms_reserve(const struct flows *flows, struct common *made, struct share_room *rooms);
/* made: the common, if it is new. 0, or -1 with nothing taken. */
int flow_share_reserve(struct flow *f, struct common *made, struct share_room *r);
void flow_share_release(struct flow *f, struct share_room *r);
/* What the plan ran of a cut has become a new common. */
void flow_share_split(
	struct flow *f, struct share_room *r, const struct view_plan *p, const struct cut *cut);
/* What the plan has of a cut is flow_free_some()'s to free; it is given the common's rows instead. */
void flow_share_join(
	struct flow *f, struct share_room *r, const struct view_plan *p, const struct cut *cut);
/* It is not given them any more, and has nothing in their place. */
void flow_share_leave(struct flow *f, const struct view_plan *p, const struct cut *cut);
/* It has no users. What it held, made by its plan, stays until flow_free_some() has freed it. */
void flow_share_drop(struct flow *f, const struct common *common);
/* A common does nothing itself any more but give on what it is given by the only one it uses: its users are that one's, as their
 * cuts say already. */
void flow_share_collapse(struct flow *f, const struct common *common);
/* The plan is the only user: what the common runs is the plan's own again. The cut is not one of the plan's any more; those that
 * the common's plan had are. */
void flow_share_merge(struct flow *f, const struct view_plan *p, const struct cut *cut);

#endif
