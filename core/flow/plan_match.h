/*
 * plan_match.h: whether parts of two plans compute the same from the same.
 */
#ifndef LF_FLOW_PLAN_MATCH_H
#define LF_FLOW_PLAN_MATCH_H

#include "core/flow/flow_internal.h"

/* Which operator of one plan is which of another, by number. */
enum {
	PLAN_SCANS_MAX = 2 * LIMIT_NODES_PER_VIEW, /* one leads to each input at most */
	PLAN_APART = UINT16_MAX                    /* none */
};
struct plan_map {
	uint16_t scans[PLAN_SCANS_MAX];
	uint16_t nodes[LIMIT_NODES_PER_VIEW];
};
void plan_map_clear(struct plan_map *map);

/* Whether node n of p, with all below it, is the same as node m of q: in the same stages, with rows of the same columns in the
 * same order, sent to the same shards. Then map, which is cleared, says which is which. What is given out may go different
 * ways. */
bool plan_match(const struct view_plan *p, const struct node_plan *n, const struct view_plan *q,
	const struct node_plan *m, struct plan_map *map);

/* Whether what is in FROM and WHERE of two selects is the same join of two or more tables or views, numbered alike. */
bool plan_match_from(const struct select *a, const struct select *b);

/* Whether the view of a plan has failed. */
static inline bool plan_has_failed(const struct view_plan *p)
{
	const struct parts *parts = p->view->user;

	return failure_seen(&parts->failure);
}

/* Where a node's rows go. Not of the publisher. */
struct edge *node_edge(struct node_plan *n);

#endif
