/*
 * plan_share.c: which plans have what in common: see share.h; flow_share.c has what that means in a shard.
 *
 * A plan stays whole, and so do the numbers of its operators. What a common does of it is said by a cut. A common has a plan of
 * its own, which may have cuts in turn: the smaller parts that it shares with still others. So where an operator runs is found
 * by going from cut to cut.
 *
 * The nodes of a common are copies of those of a view that uses it, its lender. When that is dropped another user lends its own:
 * they are equal, and what has been gathered does not know by which it was.
 */
#include "core/flow/plan_share.h"

#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"

enum {
	FIRST_ID = 0x80000000, /* relations count from 1, system views from the end */
	LAST_ID = 0xC0000000
};

/* --- cuts --- */

struct cut *plan_cut_node(const struct view_plan *p, unsigned node)
{
	struct cut *c = p->cuts;

	while (c != NULL && c->map.nodes[node] == PLAN_APART)
		c = c->next;
	return c;
}

struct cut *plan_cut_scan(const struct view_plan *p, unsigned scan)
{
	struct cut *c = p->cuts;

	while (c != NULL && c->map.scans[scan] == PLAN_APART)
		c = c->next;
	return c;
}

struct cut *cut_new(struct heap *h, struct common *common, unsigned root)
{
	struct cut *c = heap_zalloc(h, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->common = common;
	c->root = root;
	plan_map_clear(&c->map);
	return c;
}

void cut_free(struct heap *h, struct cut *c)
{
	heap_free(h, c, sizeof(*c));
}

void cut_add(struct view_plan *p, struct cut *c)
{
	c->next = p->cuts;
	p->cuts = c;
	c->common->users++;
}

void cut_take(struct view_plan *p, struct cut *c)
{
	struct cut **link = &p->cuts;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	c->common->users--;
}

/* What `to` says of the operators that `by` leads to. */
void map_behind(struct plan_map *by, const struct plan_map *to)
{
	for (unsigned i = 0; i < PLAN_SCANS_MAX; i++)
		if (by->scans[i] != PLAN_APART)
			by->scans[i] = to->scans[by->scans[i]];
	for (unsigned i = 0; i < LIMIT_NODES_PER_VIEW; i++)
		if (by->nodes[i] != PLAN_APART)
			by->nodes[i] = to->nodes[by->nodes[i]];
}

void map_turn(struct plan_map *out, const struct plan_map *map)
{
	plan_map_clear(out);
	for (unsigned i = 0; i < PLAN_SCANS_MAX; i++)
		if (map->scans[i] != PLAN_APART)
			out->scans[map->scans[i]] = (uint16_t)i;
	for (unsigned i = 0; i < LIMIT_NODES_PER_VIEW; i++)
		if (map->nodes[i] != PLAN_APART)
			out->nodes[map->nodes[i]] = (uint16_t)i;
}

/* The cuts of a plan whose root the map knows become cuts of another plan. */
static void cuts_move(struct view_plan *from, struct view_plan *to, const struct plan_map *map)
{
	struct plan_map back;

	map_turn(&back, map);
	for (struct cut **link = &from->cuts; *link != NULL;) {
		struct cut *c = *link;
		struct plan_map moved = back;

		if (map->nodes[c->root] == PLAN_APART) {
			link = &c->next;
			continue;
		}
		for (unsigned i = 0; i < PLAN_SCANS_MAX; i++)
			moved.scans[i] = back.scans[i] == PLAN_APART ? PLAN_APART
								     : c->map.scans[back.scans[i]];
		for (unsigned i = 0; i < LIMIT_NODES_PER_VIEW; i++)
			moved.nodes[i] = back.nodes[i] == PLAN_APART ? PLAN_APART
								     : c->map.nodes[back.nodes[i]];
		*link = c->next;
		c->root = map->nodes[c->root];
		c->map = moved;
		c->next = to->cuts;
		to->cuts = c;
	}
}

/* --- commons --- */

static void common_unlist(struct shares *s, const struct common *c)
{
	struct common **link = &s->commons;

	while (*link != NULL && *link != c)
		link = &(*link)->next;
	if (*link != NULL)
		*link = c->next;
}

void common_free(struct shares *s, struct common *c)
{
	struct heap *h = c->plan.heap;

	common_unlist(s, c);
	ASSERT(!view_plan_held(&c->plan));
	arena_free(&c->plan.arena);
	heap_free(h, c, sizeof(*c));
}

/* A node and all below it, numbered among themselves, as map says. */
static void below(const struct view_plan *p, unsigned root, struct plan_map *map, unsigned *nscans,
	unsigned *nnodes)
{
	bool in[LIMIT_NODES_PER_VIEW] = { false };

	plan_map_clear(map);
	*nscans = *nnodes = 0;
	in[root] = true;
	for (unsigned i = root; i-- > 0;)
		in[i] = in[node_edge(p->nodes[i])->input / 2];
	for (unsigned i = 0; i <= root; i++)
		if (in[i])
			map->nodes[i] = (uint16_t)(*nnodes)++;
	for (const struct scan_plan *s = p->scans; s != NULL; s = s->next)
		if (in[s->edge.input / 2])
			map->scans[s->number] = (uint16_t)(*nscans)++;
}

/* Room for a plan of so many. */
static int common_rooms(struct common *c, unsigned nscans, unsigned nnodes)
{
	struct view_plan *p = &c->plan;
	struct scan_plan *scans = arena_zalloc(&p->arena, (nscans + 1) * sizeof(*scans));
	struct node_plan *nodes = arena_zalloc(&p->arena, nnodes * sizeof(*nodes));

	p->nodes = arena_zalloc(&p->arena, nnodes * sizeof(struct node_plan *));
	if (scans == NULL || nodes == NULL || p->nodes == NULL)
		return -1;
	for (unsigned i = 0; i < nnodes; i++)
		p->nodes[i] = &nodes[i];
	for (unsigned i = 0; i + 1 < nscans; i++)
		scans[i].next = &scans[i + 1];
	p->scans = nscans == 0 ? NULL : scans;
	p->nscans = nscans;
	p->nnodes = p->nodes_cap = nnodes;
	return 0;
}

static struct common *common_new(
	struct shares *s, const struct view_plan *like, unsigned nscans, unsigned nnodes)
{
	struct common *c = heap_zalloc(like->heap, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->plan.heap = like->heap;
	c->plan.shards = like->shards;
	arena_init(&c->plan.arena, like->heap);
	if (common_rooms(c, nscans, nnodes) != 0) {
		common_free(s, c);
		return NULL;
	}
	return c;
}

static void edge_borrow(struct edge *e, const struct plan_map *back)
{
	ASSERT(back->nodes[e->input / 2] != PLAN_APART);
	e->input = 2 * (uint32_t)back->nodes[e->input / 2] + e->input % 2;
}

/* Its nodes and scans are as those of its lender. */
static void common_borrow(struct common *c)
{
	struct view_plan *p = &c->plan;
	struct plan_map back;

	map_turn(&back, &c->lent);
	for (unsigned i = 0; i < p->nnodes; i++) {
		struct node_plan *n = p->nodes[i];

		*n = *c->lender->nodes[c->lent.nodes[i]];
		n->number = i;
		if (i + 1 < p->nnodes)
			edge_borrow(node_edge(n), &back);
		else
			*node_edge(n) = (struct edge){ .kind = EDGE_SHARED, .stage = n->stage };
	}
	p->stages = common_root(c)->stage + 1;
	for (const struct scan_plan *s = c->lender->scans; s != NULL; s = s->next) {
		unsigned number = back.scans[s->number];
		struct scan_plan *own = p->scans, *next;

		if (number == PLAN_APART)
			continue;
		while (own != NULL && number-- > 0)
			own = own->next;
		ASSERT(own != NULL);
		next = own->next;
		*own = *s;
		own->next = next;
		own->number = back.scans[s->number];
		edge_borrow(&own->edge, &back);
	}
}

static const struct cut *cut_of(const struct view_plan *p, unsigned op)
{
	return op < p->nscans ? plan_cut_scan(p, op) : plan_cut_node(p, op - p->nscans);
}

/* The number of an operator of the plan in the common of a cut that it is in. */
static unsigned behind(const struct view_plan *p, const struct cut *c, unsigned op)
{
	return op < p->nscans ? c->map.scans[op]
			      : c->common->plan.nscans + c->map.nodes[op - p->nscans];
}

/* Whether an operator is one of a common, and which. */
static bool operator_in(
	const struct view_plan *p, unsigned op, const struct common *c, unsigned *number)
{
	const struct cut *cut;

	while ((cut = cut_of(p, op)) != NULL) {
		op = behind(p, cut, op);
		if (cut->common == c) {
			*number = op;
			return true;
		}
		p = &cut->common->plan;
	}
	return false;
}

/* Have a view lend its nodes, if it uses the common. */
static bool common_lend(struct common *c, struct view_plan *view)
{
	struct plan_map lent;

	plan_map_clear(&lent);
	for (unsigned op = 0; op < plan_operators(view); op++) {
		unsigned there;

		if (!operator_in(view, op, c, &there))
			continue;
		if (op < view->nscans)
			lent.scans[there] = (uint16_t)op;
		else
			lent.nodes[there - c->plan.nscans] = (uint16_t)(op - view->nscans);
	}
	if (lent.nodes[c->plan.nnodes - 1] == PLAN_APART)
		return false;
	c->lender = view;
	c->lent = lent;
	common_borrow(c);
	return true;
}

/* --- sharing --- */

struct whereabouts plan_whereabouts(struct view_plan *p, unsigned node, struct plan_map *map)
{
	struct whereabouts at = { p, NULL, node };
	const struct cut *c;

	while ((c = plan_cut_node(at.plan, at.node)) != NULL) {
		map_behind(map, &c->map);
		at = (struct whereabouts){ &c->common->plan, c->common, c->map.nodes[at.node] };
	}
	return at;
}

bool rooms_reserve(const struct flows *flows, struct common *made, struct share_room *rooms)
{
	for (unsigned i = 0; i < flows->n; i++)
		if (flow_share_reserve(flows->at[i], made, &rooms[i]) != 0) {
			while (i-- > 0)
				flow_share_release(flows->at[i], &rooms[i]);
			return false;
		}
	return true;
}

/* A new common of a node, and the cut in the plan where it was. NULL: no memory. */
static struct cut *split_begin(struct shares *s, const struct whereabouts *at)
{
	struct plan_map map;
	unsigned nscans, nnodes;
	struct common *c;
	struct cut *cut;

	ASSERT(at->plan != NULL);
	below(at->plan, at->node, &map, &nscans, &nnodes);
	c = common_new(s, at->plan, nscans, nnodes);
	if (c == NULL)
		return NULL;
	cut = cut_new(at->plan->heap, c, at->node);
	if (cut == NULL) {
		common_free(s, c);
		return NULL;
	}
	cut->map = map;
	c->lender = at->common != NULL ? at->common->lender : at->plan;
	map_turn(&c->lent, &map);
	if (at->common != NULL)
		map_behind(&c->lent, &at->common->lent);
	common_borrow(c);
	return cut;
}

static void split_end(struct shares *s, const struct whereabouts *at, struct cut *cut,
	const struct flows *flows, struct share_room *rooms)
{
	struct common *c = cut->common;

	c->id = FIRST_ID + s->last_id++ % (LAST_ID - FIRST_ID);
	c->next = s->commons;
	s->commons = c;
	cuts_move(at->plan, &c->plan, &cut->map);
	cut_add(at->plan, cut);
	for (unsigned i = 0; i < flows->n; i++)
		flow_share_split(flows->at[i], &rooms[i], at->plan, cut);
}

struct common *common_of(struct shares *s, struct view_plan *p, unsigned node, struct plan_map *map,
	const struct flows *flows)
{
	struct whereabouts at = plan_whereabouts(p, node, map);
	struct share_room rooms[LIMIT_PROJECTORS];
	struct cut *cut;

	ASSERT(at.plan != NULL);
	if (at.common != NULL && at.node + 1 == at.plan->nnodes)
		return at.common;
	cut = split_begin(s, &at);
	if (cut == NULL)
		return NULL;
	if (!rooms_reserve(flows, cut->common, rooms)) {
		common_free(s, cut->common);
		cut_free(at.plan->heap, cut);
		return NULL;
	}
	split_end(s, &at, cut, flows, rooms);
	map_behind(map, &cut->map);
	return cut->common;
}

/* The plan that has the only cut to a common. */
static struct view_plan *only_user(struct shares *s, const struct common *c, struct cut **out)
{
	for (struct view_plan *p = s->plans; p != NULL; p = p->next)
		for (*out = p->cuts; *out != NULL; *out = (*out)->next)
			if ((*out)->common == c)
				return p;
	for (struct common *d = s->commons; d != NULL; d = d->next)
		for (*out = d->plan.cuts; *out != NULL; *out = (*out)->next)
			if ((*out)->common == c)
				return &d->plan;
	return NULL;
}

/* All that it is for has failed: it has nothing any more, or will not have. */
static bool is_dead(const struct shares *s, const struct view_plan *p)
{
	if (p->view != NULL)
		return plan_has_failed(p);
	for (const struct view_plan *q = s->plans; q != NULL; q = q->next)
		for (const struct cut *c = q->cuts; c != NULL; c = c->next)
			if (&c->common->plan == p && !plan_has_failed(q))
				return false;
	for (const struct common *d = s->commons; d != NULL; d = d->next)
		for (const struct cut *c = d->plan.cuts; c != NULL; c = c->next)
			if (&c->common->plan == p && !is_dead(s, &d->plan))
				return false;
	return true;
}

bool common_settle(struct shares *s, struct common *c, const struct flows *flows)
{
	struct plan_map back;
	struct view_plan *p;
	struct cut *cut;

	if (c->users != 1)
		return false;
	p = only_user(s, c, &cut);
	ASSERT(p != NULL);
	if (is_dead(s, p))
		return false;
	cut_take(p, cut);
	map_turn(&back, &cut->map);
	cuts_move(&c->plan, p, &back);
	for (unsigned i = 0; i < flows->n; i++)
		flow_share_merge(flows->at[i], p, cut);
	cut_free(p->heap, cut);
	common_free(s, c);
	return true;
}

static void cut_leave(struct view_plan *p, struct cut *cut, const struct flows *flows)
{
	cut_take(p, cut);
	for (unsigned i = 0; i < flows->n; i++)
		flow_share_leave(flows->at[i], p, cut);
	cut_free(p->heap, cut);
}

void plan_leave_below(struct shares *s, struct view_plan *p, const struct plan_map *map,
	const struct flows *flows)
{
	struct cut *cut = p->cuts;

	while (cut != NULL) {
		struct common *c = cut->common;

		if (map->nodes[cut->root] == PLAN_APART) {
			cut = cut->next;
			continue;
		}
		cut_leave(p, cut, flows);
		(void)common_settle(s, c, flows);
		cut = p->cuts;
	}
}

/* Node n of p is the same as one of a view; map leads there. */
static void share(struct shares *s, struct view_plan *p, unsigned n, struct view_plan *with,
	struct plan_map *map, const struct flows *flows)
{
	struct common *c = common_of(s, with, map->nodes[n], map, flows);
	struct cut *cut = c == NULL ? NULL : cut_new(p->heap, c, n);
	struct share_room rooms[LIMIT_PROJECTORS];

	if (cut == NULL || !rooms_reserve(flows, NULL, rooms)) {
		if (cut != NULL)
			cut_free(p->heap, cut);
		if (c != NULL)
			(void)common_settle(s, c, flows);
		return;
	}
	cut->map = *map;
	plan_leave_below(s, p, map, flows);
	cut_add(p, cut);
	for (unsigned i = 0; i < flows->n; i++)
		flow_share_join(flows->at[i], &rooms[i], p, cut);
}

static bool keeps_state(const struct node_plan *n)
{
	return n->kind == NODE_JOIN || n->kind == NODE_GROUP || n->kind == NODE_WINDOW;
}

/* Share a node with the first view that has the same, which may be the view itself. */
static void share_node(
	struct shares *s, struct view_plan *p, const struct node_plan *n, const struct flows *flows)
{
	for (struct view_plan *q = s->plans; q != NULL; q = q->next)
		for (unsigned i = q == p ? n->number : q->nnodes; i-- > 0 && !plan_has_failed(q);) {
			struct plan_map map;

			if (!plan_match(p, n, q, q->nodes[i], &map))
				continue;
			share(s, p, n->number, q, &map, flows);
			return;
		}
}

void shares_add(struct shares *s, struct view_plan *p, const struct flows *flows)
{
	struct view_plan **last = &s->plans;

	if (p->nscans > PLAN_SCANS_MAX)
		return;
	while (*last != NULL)
		last = &(*last)->next;
	p->next = NULL;
	*last = p;
	plans_widen(s, p, flows);
	/* The largest parts first: the nodes below one stand before it. */
	for (unsigned i = p->nnodes; i-- > 0;)
		if (keeps_state(p->nodes[i]) && plan_cut_node(p, i) == NULL)
			share_node(s, p, p->nodes[i], flows);
	commons_lend(s);
}

/* --- no more --- */

/* It shares nothing any more. */
static void cuts_leave(struct view_plan *p, const struct flows *flows)
{
	while (p->cuts != NULL)
		cut_leave(p, p->cuts, flows);
}

/* It has no users. Its states are made by its plan, and that by the lender's. */
static void common_drop(struct shares *s, struct common *c, const struct flows *flows)
{
	cuts_leave(&c->plan, flows);
	for (unsigned i = 0; i < flows->n; i++)
		flow_share_drop(flows->at[i], c);
	common_unlist(s, c);
	c->next = s->gone;
	s->gone = c;
	__atomic_add_fetch(&c->lender->holders, 1, __ATOMIC_RELAXED);
}

/* No common without two users, but for those of views that have failed. */
static void commons_settle(struct shares *s, const struct flows *flows)
{
	struct common *c = s->commons;

	/* What a dropped one used may be left without users, too. */
	while (c != NULL) {
		if (c->users > 0) {
			c = c->next;
			continue;
		}
		common_drop(s, c, flows);
		c = s->commons;
	}
	c = s->commons;
	while (c != NULL)
		c = common_settle(s, c, flows) ? s->commons : c->next;
}

void commons_lend(struct shares *s)
{
	for (struct common *c = s->commons; c != NULL; c = c->next) {
		struct view_plan *p = s->plans;

		while (p != NULL && p != c->lender)
			p = p->next;
		if (p != NULL && common_lend(c, p))
			continue;
		p = s->plans;
		while (p != NULL && !common_lend(c, p))
			p = p->next;
		ASSERT(p != NULL);
	}
}

void shares_forget(struct shares *s, struct view_plan *p, const struct flows *flows)
{
	struct view_plan **link = &s->plans;

	while (*link != NULL && *link != p)
		link = &(*link)->next;
	if (*link != NULL)
		*link = p->next;
	if (p->cuts == NULL)
		return;
	for (unsigned i = 0; i < flows->n; i++)
		flow_stop_view(flows->at[i], p->view);
	cuts_leave(p, flows);
	commons_settle(s, flows);
	commons_lend(s);
}

void shares_renew(struct shares *s)
{
	for (struct common *c = s->commons; c != NULL; c = c->next)
		common_borrow(c);
}

void shares_gone_free(struct shares *s)
{
	for (struct common **link = &s->gone; *link != NULL;) {
		struct common *c = *link;

		if (view_plan_held(&c->plan)) {
			link = &c->next;
			continue;
		}
		*link = c->next;
		__atomic_sub_fetch(&c->lender->holders, 1, __ATOMIC_RELAXED);
		common_free(s, c);
	}
}

void shares_free(struct shares *s)
{
	shares_gone_free(s);
	for (struct view_plan *p = s->plans; p != NULL; p = p->next)
		while (p->cuts != NULL) {
			struct cut *c = p->cuts;

			p->cuts = c->next;
			cut_free(p->heap, c);
		}
	while (s->commons != NULL) {
		struct common *c = s->commons;

		while (c->plan.cuts != NULL) {
			struct cut *cut = c->plan.cuts;

			c->plan.cuts = cut->next;
			cut_free(c->plan.heap, cut);
		}
		common_free(s, c);
	}
	s->plans = NULL;
}

/* --- who --- */

/* The common that runs an operator, and its number there; NULL: the view does. */
static const struct common *runner(const struct view_plan *p, unsigned op, unsigned *number)
{
	const struct common *c = NULL;
	const struct cut *cut;

	while ((cut = cut_of(p, op)) != NULL) {
		op = behind(p, cut, op);
		c = cut->common;
		p = &c->plan;
	}
	*number = op;
	return c;
}

/* Whether it is one of a plan's first n operators. */
static bool uses(const struct view_plan *p, const struct common *c, unsigned number, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned at;

		if (runner(p, i, &at) == c && at == number)
			return true;
	}
	return false;
}

void shares_users(const struct shares *s, const struct view_plan *p, unsigned op, char *buf,
	size_t cap, bool *first)
{
	unsigned number;
	const struct common *c = runner(p, op, &number);
	bool before = true;
	size_t n = 0;

	buf[0] = '\0';
	*first = true;
	for (const struct view_plan *q = s->plans; q != NULL && c != NULL; q = q->next) {
		if (q == p) {
			before = false;
			*first &= !uses(p, c, number, op);
			continue;
		}
		if (!uses(q, c, number, plan_operators(q)))
			continue;
		*first &= !before;
		if (n < cap)
			n += (size_t)snprintf(
				buf + n, cap - n, "%s%s", n > 0 ? ", " : "", q->view->name);
	}
}
