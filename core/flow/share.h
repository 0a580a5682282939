/*
 * share.h: sub-plans that several views have in common are computed once.
 *
 * When a view is complete, the largest parts of its plan that keep state (a join, a group or a window, with all below it) are
 * compared with those of the views that are there. What is equal (plan_match.h) becomes a *common*: it is run once in each
 * shard, and what it gives out goes to all views that use it. Both have gathered the same by then, so one of the two is freed.
 * A common that is left with one user becomes part of that again, unless that has failed. What nobody needs any more is freed
 * by flow_free_some().
 *
 * Each user fails, is dropped and computed anew by itself; an error in a common fails its users. Nothing here can fail: without
 * memory for it nothing is shared.
 *
 * All of this is for whoever may change the flows: nothing runs meanwhile, and no row is under way.
 */
#ifndef LF_FLOW_SHARE_H
#define LF_FLOW_SHARE_H

#include "core/flow/flow.h"

struct common;

/* All zero at first. */
struct shares {
	struct view_plan *plans; /* of the views that may share, the first one made first */
	struct common *commons;
	struct common *gone; /* nobody uses them; what they held is yet to be freed */
	uint32_t last_id;
};

/* One of each shard. */
struct flows {
	unsigned n;
	struct flow *at[LIMIT_PROJECTORS];
};

/* The view of this plan runs in these flows, and has been given all that the others have (or nobody has been given anything). */
void shares_add(struct shares *s, struct view_plan *p, const struct flows *flows);
/* Before flow_drop_view(); also of a plan that was never added. */
void shares_forget(struct shares *s, struct view_plan *p, const struct flows *flows);
/* Plans were changed by view_plan_adopt() or view_plan_retarget(). */
void shares_renew(struct shares *s);
/* Free what is not needed for freeing the states of former commons any more; before the plans of former views. */
void shares_gone_free(struct shares *s);
/* At the end, when there are no flows any more. */
void shares_free(struct shares *s);

/* Who else has an operator of a plan: the names of their views, "a, b", in buf (cut if need be); "" if nobody has. first: the
 * plan is the first of them, which tells each operator once. */
void shares_users(const struct shares *s, const struct view_plan *p, unsigned op, char *buf,
	size_t cap, bool *first);

#endif
