/*
 * plan_widen.c: views that join the same tables by the same conditions, but use other columns of them.
 *
 * A new view is planned so that its joins keep the columns that those of the others keep, besides its own (struct plan_like). So
 * where they kept fewer, the new view's join has all that they need. One join after the other, their plans are made anew, as wide
 * as that; nothing is different in them but the rows of this join, and what is read of them by the node behind, which gathers none of these
 * rows. What they have gathered in the joins is freed, and they are given the new view's rows instead.
 *
 * Only all of them can change together, since they share already; views that have failed stay as they are, for what they held may
 * still be freed by their plans. Memory is taken before anything is changed; without it they stay
 * as they are, and the new view keeps its own.
 */
#include "core/base/assert.h"
#include "core/flow/plan_share.h"

/* Who runs a join, and what is to take its place. */
struct handover {
	struct handover *next;
	struct whereabouts at;
	struct cut *cut;
	struct share_room rooms[LIMIT_PROJECTORS];
};

static bool is_narrower(const struct joined *j, const struct joined *than)
{
	return j->n < than->n && plan_match_from(j->select, than->select);
}

static bool has_narrower(const struct view_plan *p, const struct joined *than)
{
	for (const struct joined *j = p->joined; j != NULL; j = j->next)
		if (is_narrower(j, than))
			return true;
	return false;
}

/* --- plans --- */

static bool same_way(const struct edge *a, const struct edge *b)
{
	return a->kind == b->kind && a->input == b->input && a->stage == b->stage;
}

/* Whether two plans are the same but for what their rows hold. */
static bool same_shape(const struct view_plan *a, const struct view_plan *b)
{
	const struct scan_plan *s = a->scans, *t = b->scans;

	if (a->nscans != b->nscans || a->nnodes != b->nnodes)
		return false;
	for (; s != NULL; s = s->next, t = t->next)
		if (s->relation != t->relation || s->stage != t->stage || s->whole != t->whole ||
			!same_way(&s->edge, &t->edge))
			return false;
	for (unsigned i = 0; i < a->nnodes; i++)
		if (a->nodes[i]->kind != b->nodes[i]->kind ||
			a->nodes[i]->stage != b->nodes[i]->stage ||
			(a->nodes[i]->kind != NODE_PUBLISH &&
				!same_way(node_edge(a->nodes[i]), node_edge(b->nodes[i]))))
			return false;
	return true;
}

static void wider_free(struct shares *s)
{
	for (struct view_plan *q = s->plans; q != NULL; q = q->next) {
		view_plan_free(q->wider);
		q->wider = NULL;
	}
}

/* q->wider of all that are concerned; it has to have the join of `to`. */
static bool wider_make(struct shares *s, struct view_plan *p, const struct joined *to)
{
	for (struct view_plan *q = s->plans; q != NULL; q = q->next) {
		const struct plan_like like = { .own = q, .wider = to };
		struct plan_map map;
		struct error ignored;

		if (q == p || plan_has_failed(q) || !has_narrower(q, to))
			continue;
		if (view_plan_new(&q->wider, q->view, q->shards, &like, q->heap, &ignored) != 0) {
			q->wider = NULL;
			return false;
		}
		if (!same_shape(q, q->wider))
			return false;
		for (const struct joined *j = q->joined; j != NULL; j = j->next)
			if (is_narrower(j, to) &&
				!plan_match(q->wider, q->wider->nodes[j->root], p,
					p->nodes[to->root], &map))
				return false;
	}
	return true;
}

/* --- handing over --- */

static void handovers_free(
	struct handover *list, const struct view_plan *p, const struct flows *flows)
{
	while (list != NULL) {
		struct handover *c = list;

		list = c->next;
		if (c->cut != NULL) {
			for (unsigned i = 0; i < flows->n; i++)
				flow_share_release(flows->at[i], &c->rooms[i]);
			cut_free(c->at.plan->heap, c->cut);
		}
		heap_free(p->heap, c, sizeof(*c));
	}
}

static bool is_among(const struct handover *list, const struct whereabouts *at)
{
	for (; list != NULL; list = list->next)
		if (list->at.plan == at->plan && list->at.node == at->node)
			return true;
	return false;
}

static bool is_root(const struct view_plan *p, unsigned node, const struct joined *than)
{
	for (const struct joined *j = p->joined; j != NULL; j = j->next)
		if (j->root == node && is_narrower(j, than))
			return true;
	return false;
}

/* Whether a node of a view is, by what it shares, this one of a common. */
static bool leads_to(
	const struct view_plan *p, unsigned node, const struct common *common, unsigned there)
{
	const struct cut *c;

	while ((c = plan_cut_node(p, node)) != NULL) {
		node = c->map.nodes[node];
		p = &c->common->plan;
		if (c->common == common)
			return node == there;
	}
	return false;
}

/* Whether a common's node is a join that gets wider for all who use it. */
static bool gets_wider(
	const struct shares *s, const struct common *c, unsigned node, const struct joined *to)
{
	for (const struct view_plan *p = s->plans; p != NULL; p = p->next)
		for (unsigned i = 0; i < p->nnodes; i++)
			if (leads_to(p, i, c, node) && (p->wider == NULL || !is_root(p, i, to)))
				return false;
	return true;
}

/* Where a join of a view is to be replaced: as far down as it is one for all. map, which leads to the view's plan, is made to
 * lead there. */
static struct whereabouts replaceable(const struct shares *s, struct view_plan *p, unsigned node,
	const struct joined *to, struct plan_map *map)
{
	struct whereabouts at = { p, NULL, node };
	const struct cut *c;

	while ((c = plan_cut_node(at.plan, at.node)) != NULL &&
		gets_wider(s, c->common, c->map.nodes[at.node], to)) {
		map_behind(map, &c->map);
		at = (struct whereabouts){ &c->common->plan, c->common, c->map.nodes[at.node] };
	}
	return at;
}

/* A join of a view is to be done by a common, which it is by `map` once it is wider. 0, or -1: no memory, or it cannot be
 * taken out of what it is in. */
static int handover_add(struct shares *s, struct handover **list, struct view_plan *q,
	unsigned root, const struct joined *to, struct common *common, const struct plan_map *map,
	const struct flows *flows)
{
	struct plan_map there = *map, back;
	const struct cut *in;
	struct whereabouts at;
	struct handover *c;

	/* From q to where it runs, and from there to the common. */
	for (unsigned i = 0; i < PLAN_SCANS_MAX; i++)
		if (there.scans[i] != PLAN_APART)
			there.scans[i] = (uint16_t)i;
	for (unsigned i = 0; i < LIMIT_NODES_PER_VIEW; i++)
		if (there.nodes[i] != PLAN_APART)
			there.nodes[i] = (uint16_t)i;
	at = replaceable(s, q, root, to, &there);
	if (is_among(*list, &at))
		return 0;
	in = plan_cut_node(at.plan, at.node);
	if (in != NULL && in->root != at.node)
		return -1;
	c = heap_zalloc(common->plan.heap, sizeof(*c));
	if (c == NULL)
		return -1;
	c->next = *list;
	c->at = at;
	*list = c;
	c->cut = cut_new(at.plan->heap, common, at.node);
	if (c->cut == NULL)
		return -1;
	if (!rooms_reserve(flows, NULL, c->rooms)) {
		cut_free(at.plan->heap, c->cut);
		c->cut = NULL;
		return -1;
	}
	map_turn(&back, &there);
	map_behind(&back, map);
	c->cut->map = back;
	return 0;
}

static bool handovers_make(struct shares *s, struct view_plan *p, const struct joined *to,
	struct common *common, struct handover **list, const struct flows *flows)
{
	for (struct view_plan *q = s->plans; q != NULL; q = q->next)
		for (const struct joined *j = q->wider == NULL ? NULL : q->joined; j != NULL;
			j = j->next) {
			struct plan_map map;
			struct whereabouts at;

			if (!is_narrower(j, to))
				continue;
			(void)plan_match(
				q->wider, q->wider->nodes[j->root], p, p->nodes[to->root], &map);
			at = plan_whereabouts(p, to->root, &map);
			ASSERT(at.common == common);
			if (handover_add(s, list, q, j->root, to, common, &map, flows) != 0)
				return false;
		}
	return true;
}

/* Cuts that lead to a common lead on to the one that it uses for all it is. */
static void cuts_lead_on(struct cut *list, const struct common *c, const struct cut *own)
{
	for (struct cut *cut = list; cut != NULL; cut = cut->next)
		if (cut->common == c) {
			map_behind(&cut->map, &own->map);
			cut->common = own->common;
			own->common->users++;
		}
}

/* A common that only gives on what another gives it: its users are that one's. */
static void collapse(struct shares *s, struct common *c, const struct flows *flows)
{
	struct cut *own = c->plan.cuts;

	for (const struct view_plan *p = s->plans; p != NULL; p = p->next)
		cuts_lead_on(p->cuts, c, own);
	for (const struct common *d = s->commons; d != NULL; d = d->next)
		cuts_lead_on(d->plan.cuts, c, own);
	for (unsigned i = 0; i < flows->n; i++)
		flow_share_collapse(flows->at[i], c);
	cut_take(&c->plan, own);
	cut_free(c->plan.heap, own);
	common_free(s, c);
}

static void handovers_do(struct shares *s, struct handover *list, const struct flows *flows)
{
	for (struct handover *c = list; c != NULL; c = c->next) {
		plan_leave_below(s, c->at.plan, &c->cut->map, flows);
		cut_add(c->at.plan, c->cut);
		for (unsigned i = 0; i < flows->n; i++)
			flow_share_join(flows->at[i], &c->rooms[i], c->at.plan, c->cut);
	}
	for (struct view_plan *q = s->plans; q != NULL; q = q->next)
		if (q->wider != NULL) {
			view_plan_widen(q, q->wider);
			q->wider = NULL;
		}
	for (struct handover *c = list; c != NULL; c = c->next) {
		c->cut = NULL;
		if (c->at.common != NULL && c->at.node + 1 == c->at.plan->nnodes)
			collapse(s, c->at.common, flows);
	}
}

static void widen(
	struct shares *s, struct view_plan *p, const struct joined *to, const struct flows *flows)
{
	struct handover *list = NULL;
	struct common *common = NULL;
	struct plan_map none;

	plan_map_clear(&none);
	if (wider_make(s, p, to))
		common = common_of(s, p, to->root, &none, flows);
	if (common != NULL && handovers_make(s, p, to, common, &list, flows)) {
		handovers_do(s, list, flows);
		commons_lend(s);
	}
	handovers_free(list, p, flows);
	wider_free(s);
	if (common != NULL)
		(void)common_settle(s, common, flows);
}

void plans_widen(struct shares *s, struct view_plan *p, const struct flows *flows)
{
	for (const struct joined *j = p->joined; j != NULL; j = j->next) {
		bool any = false;

		for (const struct view_plan *q = s->plans; q != NULL && !any; q = q->next)
			any = q != p && !plan_has_failed(q) && has_narrower(q, j);
		if (any)
			widen(s, p, j, flows);
	}
}
