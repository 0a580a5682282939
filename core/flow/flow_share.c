/*
 * flow_share.c: commons in a shard: see share.h.
 *
 * The state of a common stands in the list of views as a view's does, before all that use it, so that they run behind it in the
 * same stage. It has no publisher: what its last node gives out goes through its taps, each leading into one user, which may be a
 * common too.
 *
 * A user that stops is passed over; when none is left that has not, the common stops. When a common stops for an error of its
 * own, so do all its users, for the same reason.
 *
 * Changes of who uses what are made while nothing is under way: all inputs are empty, so only what the nodes have gathered
 * changes its owner, which is a matter of pointers.
 */
#include <string.h>

#include "core/base/assert.h"
#include "core/flow/plan_share.h"

uint32_t state_id(const struct view_state *v)
{
	return v->common != NULL ? v->common->id : v->plan->view->id;
}

static struct view_state *state_of(struct flow *f, const struct view_plan *p)
{
	struct view_state *v = f->views;

	while (v != NULL && v->plan != p)
		v = v->next;
	return v;
}

/* --- rows and failures --- */

void share_follow(struct flow *f, struct view_state *v, const void *row, int64_t weight)
{
	uint64_t emitted = f->emitted;

	for (const struct tap *t = v->taps; t != NULL; t = t->next)
		if (!t->user->stopped)
			edge_follow(f, t->user, t->edge, row, weight);
	f->emitted = emitted; /* once, by the common's node */
}

void share_fail(struct flow *f, struct view_state *v, bool now)
{
	const struct error why = f->error;

	for (const struct tap *t = v->taps; t != NULL; t = t->next) {
		f->error = why;
		view_fail_how(f, t->user, now);
	}
}

static bool is_needed(const struct view_state *common)
{
	for (const struct tap *t = common->taps; t != NULL; t = t->next)
		if (!t->user->stopped)
			return true;
	return false;
}

void share_let_go(struct flow *f, struct view_state *v, bool now)
{
	for (const struct tap *t = v->uses; t != NULL; t = t->next_use)
		if (!t->common->stopped && !is_needed(t->common)) {
			view_stop(f, t->common, now);
			share_let_go(f, t->common, now);
		}
}

/* --- accounts --- */

static uint64_t bytes_unseen(const struct view_state *v, uint64_t sum)
{
	uint64_t n = 0;

	for (const struct tap *t = v->uses; t != NULL; t = t->next_use)
		if (t->common->seen != sum) {
			t->common->seen = sum;
			n += t->common->bytes + bytes_unseen(t->common, sum);
		}
	return n;
}

uint64_t share_bytes(struct flow *f, const struct view_state *v)
{
	return bytes_unseen(v, ++f->sums);
}

/* The number that an operator has in the common; PLAN_APART: it is none of it. */
static unsigned number_there(const struct tap *t, unsigned number)
{
	const struct plan_map *map = &t->cut->map;
	unsigned nscans = t->user->plan->nscans, there;

	if (number < nscans)
		return map->scans[number];
	there = map->nodes[number - nscans];
	return there == PLAN_APART ? PLAN_APART : t->common->plan->nscans + there;
}

const struct operator_count *share_counts(const struct view_state *v, unsigned number)
{
	for (const struct tap *t = v->uses; t != NULL; t = t->next_use)
		if (number_there(t, number) != PLAN_APART)
			return share_counts(t->common, number_there(t, number));
	return &v->counts[number];
}

/* --- who uses what --- */

static bool runs_node(const struct view_state *v, unsigned node)
{
	for (const struct tap *t = v->uses; t != NULL; t = t->next_use)
		if (t->cut->map.nodes[node] != PLAN_APART)
			return false;
	return true;
}

static bool runs_scan(const struct view_state *v, unsigned scan)
{
	for (const struct tap *t = v->uses; t != NULL; t = t->next_use)
		if (t->cut->map.scans[scan] != PLAN_APART)
			return false;
	return true;
}

/* What it runs itself, and where what it uses goes: as its uses are now. */
static void uses_changed(struct view_state *v)
{
	const struct view_plan *p = v->plan;

	for (struct tap *t = v->uses; t != NULL; t = t->next_use)
		t->edge = node_edge(p->nodes[t->cut->root]);
	if (v->stopped)
		return;
	v->nscans = v->nrun = 0;
	for (const struct scan_plan *s = p->scans; s != NULL; s = s->next)
		if (runs_scan(v, s->number))
			v->scans[v->nscans++] = s;
	for (unsigned i = 0; i < p->nnodes; i++)
		if (runs_node(v, i))
			v->run[v->nrun++] = p->nodes[i];
	publish_open(v);
}

static void tap_add(
	struct tap *t, struct view_state *common, struct view_state *user, const struct cut *cut)
{
	*t = (struct tap){ common->taps, user->uses, common, user, cut, NULL };
	common->taps = t;
	user->uses = t;
	uses_changed(user);
}

static void tap_free(struct flow *f, struct tap *t)
{
	struct tap **link = &t->common->taps;

	while (*link != t)
		link = &(*link)->next;
	*link = t->next;
	link = &t->user->uses;
	while (*link != t)
		link = &(*link)->next_use;
	*link = t->next_use;
	heap_free(f->heap, t, sizeof(*t));
}

void share_free(struct flow *f, struct view_state *v)
{
	while (v->taps != NULL) {
		struct tap *t = v->taps;

		v->taps = t->next;
		heap_free(f->heap, t, sizeof(*t));
	}
}

static struct tap *tap_of(const struct view_state *user, const struct cut *cut)
{
	struct tap *t = user->uses;

	while (t != NULL && t->cut != cut)
		t = t->next_use;
	return t;
}

/* --- memory --- */

static struct view_state *state_empty(struct flow *f, struct common *c)
{
	struct view_plan *p = &c->plan;
	struct view_state *v = heap_zalloc(f->heap, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->plan = p;
	v->holders = &p->holders;
	__atomic_add_fetch(v->holders, 1, __ATOMIC_RELAXED);
	v->common = c;
	v->counts = heap_zalloc(f->heap, plan_operators(p) * sizeof(*v->counts));
	if (v->counts == NULL) {
		view_free(f, v);
		return NULL;
	}
	v->nodes = heap_zalloc(f->heap, p->nnodes * sizeof(*v->nodes));
	v->inputs = heap_zalloc(f->heap, plan_inputs(p) * sizeof(*v->inputs));
	v->scans = heap_zalloc(f->heap, (p->nscans + 1) * sizeof(struct scan_plan *));
	v->run = heap_zalloc(f->heap, p->nnodes * sizeof(struct node_plan *));
	if (v->nodes == NULL || v->inputs == NULL || v->scans == NULL || v->run == NULL ||
		build_open(f, v) != 0) {
		view_free(f, v);
		return NULL;
	}
	return v;
}

void flow_share_release(struct flow *f, struct share_room *r)
{
	if (r->state != NULL)
		view_free(f, r->state);
	heap_free(f->heap, r->tap, sizeof(*r->tap));
}

int flow_share_reserve(struct flow *f, struct common *made, struct share_room *r)
{
	*r = (struct share_room){ heap_alloc(f->heap, sizeof(*r->tap)),
		made == NULL ? NULL : state_empty(f, made) };
	if (r->tap != NULL && (made == NULL || r->state != NULL))
		return 0;
	flow_share_release(f, r);
	return -1;
}

/* --- changes --- */

/* What an operator has done and holds goes from one state to another. */
static void count_move(struct view_state *from, unsigned i, struct view_state *to, unsigned k)
{
	struct operator_count *c = &from->counts[i];

	to->counts[k] = *c;
	from->bytes -= c->bytes;
	to->bytes += c->bytes;
	memset(c, 0, sizeof(*c));
}

static void node_move(struct view_state *from, unsigned i, struct view_state *to, unsigned k)
{
	struct batch *a = &from->inputs[2 * i], *b = &to->inputs[2 * k];

	ASSERT(a[0].n == 0 && a[1].n == 0 && b[0].list == NULL && b[1].list == NULL);
	to->nodes[k] = from->nodes[i];
	memset(&from->nodes[i], 0, sizeof(from->nodes[i]));
	memcpy(b, a, 2 * sizeof(*a));
	memset(a, 0, 2 * sizeof(*a));
	count_move(from, from->plan->nscans + i, to, to->plan->nscans + k);
}

/* What `from` runs of a part of its plan, which map has with its numbers in the other's. */
static void part_move(struct view_state *from, struct view_state *to, const struct plan_map *map)
{
	for (unsigned i = 0; i < from->nscans; i++) {
		unsigned number = from->scans[i]->number;

		if (map->scans[number] != PLAN_APART)
			count_move(from, number, to, map->scans[number]);
	}
	for (unsigned i = 0; i < from->nrun; i++) {
		unsigned number = from->run[i]->number;

		if (map->nodes[number] != PLAN_APART)
			node_move(from, number, to, map->nodes[number]);
	}
}

static void list_before(struct flow *f, struct view_state *v, const struct view_state *first)
{
	struct view_state **link = &f->views;

	while (*link != first)
		link = &(*link)->next;
	v->next = *link;
	*link = v;
}

static void list_take(struct flow *f, const struct view_state *v)
{
	struct view_state **link = &f->views;

	while (*link != v)
		link = &(*link)->next;
	*link = v->next;
}

static bool is_before(const struct view_state *v, const struct view_state *other)
{
	while (v != NULL && v != other)
		v = v->next;
	return v == other;
}

/* A common, and those it uses, before another state: it reads nothing that this does not read. */
static void list_move(struct flow *f, struct view_state *c, const struct view_state *first)
{
	list_take(f, c);
	list_before(f, c, first);
	for (const struct tap *t = c->uses; t != NULL; t = t->next_use)
		if (!is_before(t->common, c))
			list_move(f, t->common, c);
}

/* The uses whose cuts have become another plan's are its state's. */
static void uses_move(struct view_state *from, struct view_state *to)
{
	for (struct tap **link = &from->uses; *link != NULL;) {
		struct tap *t = *link;
		const struct cut *cut = to->plan->cuts;

		while (cut != NULL && cut != t->cut)
			cut = cut->next;
		if (cut == NULL) {
			link = &t->next_use;
			continue;
		}
		*link = t->next_use;
		t->user = to;
		t->next_use = to->uses;
		to->uses = t;
	}
}

void flow_share_split(
	struct flow *f, struct share_room *r, const struct view_plan *p, const struct cut *cut)
{
	struct view_state *owner = state_of(f, p), *c = r->state;

	ASSERT(owner != NULL && !owner->stopped);
	r->state = NULL;
	if (owner->build == NULL)
		build_close(f, c);
	part_move(owner, c, &cut->map);
	uses_move(owner, c);
	uses_changed(c);
	list_before(f, c, owner);
	tap_add(r->tap, c, owner, cut);
	account_settle(f, owner);
}

bool share_free_some(struct flow *f, struct view_state *v, size_t *left)
{
	for (unsigned i = 0; i < v->plan->nnodes; i++)
		if (!runs_node(v, i) && !node_free_some(f, v, v->plan->nodes[i], left))
			return false;
	return true;
}

/* What the state has gathered of a part of its plan does not count for it any more, and is freed by share_free_some(). */
static void gathered_leave(struct flow *f, struct view_state *v, const struct plan_map *map)
{
	for (unsigned i = 0; i < v->nscans; i++)
		if (map->scans[v->scans[i]->number] != PLAN_APART)
			memset(&v->counts[v->scans[i]->number], 0, sizeof(*v->counts));
	for (unsigned i = 0; i < v->nrun; i++) {
		const struct node_plan *n = v->run[i];
		struct operator_count *count = account_of(v, n);
		struct batch *in = &v->inputs[node_input(n)];

		if (map->nodes[n->number] == PLAN_APART)
			continue;
		ASSERT(in[0].n == 0 && in[1].n == 0);
		for (unsigned k = 0; k < 2; k++)
			heap_free(f->heap, in[k].list, in[k].cap * sizeof(*in[k].list));
		memset(in, 0, 2 * sizeof(*in));
		v->bytes -= count->bytes;
		memset(count, 0, sizeof(*count));
	}
	view_free_later(f, v);
}

void flow_share_join(
	struct flow *f, struct share_room *r, const struct view_plan *p, const struct cut *cut)
{
	struct view_state *v = state_of(f, p), *c = state_of(f, &cut->common->plan);

	ASSERT(v != NULL && c != NULL && !c->stopped);
	if (!is_before(c, v))
		list_move(f, c, v);
	gathered_leave(f, v, &cut->map);
	tap_add(r->tap, c, v, cut);
	account_settle(f, v);
}

void flow_share_leave(struct flow *f, const struct view_plan *p, const struct cut *cut)
{
	struct view_state *v = state_of(f, p);
	struct tap *t = v == NULL ? NULL : tap_of(v, cut);

	if (t == NULL)
		return;
	tap_free(f, t);
}

void flow_share_merge(struct flow *f, const struct view_plan *p, const struct cut *cut)
{
	struct view_state *v = state_of(f, p), *c = state_of(f, &cut->common->plan);
	struct plan_map back;
	size_t all = SIZE_MAX;

	ASSERT(v != NULL && c != NULL && !v->stopped && !c->stopped);
	/* Its own of before may not all be freed yet; now it gets another. */
	(void)share_free_some(f, v, &all);
	tap_free(f, tap_of(v, cut));
	ASSERT(c->taps == NULL);
	uses_move(c, v);
	map_turn(&back, &cut->map);
	part_move(c, v, &back);
	list_take(f, c);
	view_free(f, c);
	uses_changed(v);
	if (v->target != NULL)
		__atomic_store_n(
			&v->target->shared, 0, __ATOMIC_RELAXED); /* unless it uses others */
	account_settle(f, v);
}

void flow_share_drop(struct flow *f, const struct common *common)
{
	struct view_state *v = state_of(f, &common->plan);

	ASSERT(v->taps == NULL && v->uses == NULL);
	list_take(f, v);
	view_drop(f, v);
}

void flow_share_collapse(struct flow *f, const struct common *common)
{
	struct view_state *v = state_of(f, &common->plan), *c;

	ASSERT(v != NULL && v->nrun == 0 && v->uses != NULL && v->uses->next_use == NULL);
	c = v->uses->common;
	tap_free(f, v->uses);
	while (v->taps != NULL) {
		struct tap *t = v->taps;

		v->taps = t->next;
		t->common = c;
		t->next = c->taps;
		c->taps = t;
	}
	list_take(f, v);
	view_free(f, v);
}
