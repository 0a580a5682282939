/*
 * plan_match.c: see plan_match.h.
 *
 * Compared are the trees that programs were compiled from, over the rows that a node is given: there names and aliases are gone,
 * and what is left is which column of which input. Conditions that are joined by AND are the same in any order if none of
 * them can fail, as comparisons cannot: else one may keep another from failing.
 *
 * A group shows the key of the row that came first. Where keys may be equal and yet differ (1.0 and 1.00), two groups that have
 * seen the same rows in another order are not the same; so those are never matched, nor anything above them.
 */
#include "core/flow/plan_match.h"

#include <string.h>

void plan_map_clear(struct plan_map *map)
{
	memset(map, 0xff, sizeof(*map));
}

struct edge *node_edge(struct node_plan *n)
{
	switch (n->kind) {
	case NODE_MAP: return &n->map.edge;
	case NODE_JOIN: return &n->join.edge;
	case NODE_GROUP: return &n->group.edge;
	case NODE_WINDOW: return &n->window.edge;
	case NODE_PUBLISH: break;
	}
	return NULL;
}

static const struct edge *edge_of(const struct node_plan *n)
{
	return node_edge((struct node_plan *)(uintptr_t)n);
}

/* --- expressions --- */

/* Either may be NULL. */
static bool same(const struct expr *a, const struct expr *b)
{
	return a == NULL || b == NULL ? a == b : expr_equal(a, b);
}

static bool same_list(const struct expr *const *a, const struct expr *const *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!expr_equal(a[i], b[i]))
			return false;
	return true;
}

static bool same_trees(const struct trees *a, const struct trees *b)
{
	return a->n == b->n && same_list(a->at, b->at, a->n);
}

static bool is_value(const struct expr *e)
{
	return e->kind == EXPR_COLUMN || e->kind == EXPR_CONST;
}

/* A comparison of columns and constants, or whether one is NULL. */
static bool cannot_fail(const struct expr *e)
{
	static const char *const SAFE[] = { "=", "<>", "<", "<=", ">", ">=" };

	for (unsigned i = 0; i < e->nargs; i++)
		if (!is_value(e->args[i]))
			return false;
	if (e->kind == EXPR_IS_NULL)
		return true;
	for (unsigned i = 0; e->kind == EXPR_CALL && i < sizeof(SAFE) / sizeof(SAFE[0]); i++)
		if (strcmp(e->fn->name, SAFE[i]) == 0)
			return true;
	return false;
}

/* Each of a's among b's, as often. */
static bool same_set(const struct expr *a, const struct expr *b)
{
	for (unsigned i = 0; i < a->nargs; i++) {
		int more = 0;

		if (!cannot_fail(a->args[i]))
			return false;
		for (unsigned k = 0; k < a->nargs; k++)
			more += expr_equal(a->args[i], a->args[k]) -
				expr_equal(a->args[i], b->args[k]);
		if (more != 0)
			return false;
	}
	return true;
}

static bool same_condition(const struct expr *a, const struct expr *b)
{
	if (same(a, b))
		return true;
	return a != NULL && b != NULL && a->kind == EXPR_AND && b->kind == EXPR_AND &&
		a->nargs == b->nargs && same_set(a, b);
}

/* --- nodes --- */

static bool same_layout(const struct row_layout *a, const struct row_layout *b)
{
	if (a->ncols != b->ncols || a->fixed != b->fixed)
		return false;
	for (unsigned i = 0; i < a->ncols; i++)
		if (a->types[i].id != b->types[i].id)
			return false;
	return true;
}

static bool same_scan(const struct scan_plan *a, const struct scan_plan *b)
{
	return a->relation == b->relation && a->stage == b->stage && a->whole == b->whole &&
		same_condition(a->condition, b->condition) && same_trees(&a->columns, &b->columns);
}

static bool same_map(const struct map_plan *a, const struct map_plan *b)
{
	return same_condition(a->condition, b->condition) && same_trees(&a->columns, &b->columns);
}

static bool same_join(const struct join_plan *a, const struct join_plan *b)
{
	for (unsigned k = 0; k < 2; k++)
		if (a->kept[k] != b->kept[k] || a->side[k].nkeys != b->side[k].nkeys ||
			a->side[k].null_safe != b->side[k].null_safe ||
			!same_layout(a->side[k].layout, b->side[k].layout) ||
			!same_list(a->side[k].by, b->side[k].by, a->side[k].nkeys))
			return false;
	return same_condition(a->condition, b->condition) && same_trees(&a->columns, &b->columns);
}

/* What both have in common but for their arguments. */
static bool same_kind(const struct aggregate *a, const struct aggregate *b)
{
	return a->kind == b->kind && a->of == b->of && a->once == b->once &&
		a->descending == b->descending && a->statistic == b->statistic &&
		memcmp(&a->fraction, &b->fraction, sizeof(a->fraction)) == 0 &&
		a->type.id == b->type.id && a->type.a == b->type.a && a->type.b == b->type.b;
}

static bool same_aggregates(const struct group_plan *a, const struct group_plan *b)
{
	if (a->naggregates != b->naggregates)
		return false;
	for (unsigned i = 0; i < a->naggregates; i++)
		if (!same_kind(&a->aggregates[i], &b->aggregates[i]) ||
			!same(a->inputs[i].of, b->inputs[i].of) ||
			!same(a->inputs[i].where, b->inputs[i].where))
			return false;
	return true;
}

/* Whether equal values of a type are the same bytes. */
static bool is_exact(struct type t)
{
	switch (t.id) {
	case TYPE_BOOL:
	case TYPE_INT2:
	case TYPE_INT4:
	case TYPE_INT8:
	case TYPE_TEXT:
	case TYPE_VARCHAR:
	case TYPE_BYTEA:
	case TYPE_DATE:
	case TYPE_TIMESTAMP:
	case TYPE_TIMESTAMPTZ:
	case TYPE_UUID: return true;
	default: return false;
	}
}

static bool same_group(const struct group_plan *a, const struct group_plan *b)
{
	if (a->nkeys != b->nkeys || !same_layout(a->input, b->input) ||
		!same_trees(&a->key_trees, &b->key_trees) ||
		a->select->noutputs != b->select->noutputs ||
		!same(a->select->having, b->select->having) || !same_aggregates(a, b))
		return false;
	for (unsigned i = 0; i < a->nkeys; i++)
		if (!is_exact(a->key_layout.types[i]))
			return false;
	for (unsigned i = 0; i < a->select->noutputs; i++)
		if (!expr_equal(a->select->outputs[i].expr, b->select->outputs[i].expr))
			return false;
	return true;
}

static bool same_frame(const struct window_frame *a, const struct window_frame *b)
{
	return a->mode == b->mode && a->exclude == b->exclude && a->from_first == b->from_first &&
		a->to_last == b->to_last && a->from == b->from && a->to == b->to &&
		a->key == b->key && a->from_bound == b->from_bound && a->to_bound == b->to_bound;
}

static bool same_function(const struct window_function *a, const struct window_function *b)
{
	for (unsigned i = 0; i < WINDOW_ARGS; i++)
		if (a->args[i] != b->args[i])
			return false;
	return a->kind == b->kind && a->type.id == b->type.id && a->filter == b->filter &&
		same_kind(&a->aggregate, &b->aggregate) &&
		same(a->aggregate.arg, b->aggregate.arg) &&
		same(a->aggregate.filter, b->aggregate.filter) && same_frame(&a->frame, &b->frame);
}

static bool same_order(const struct window *a, const struct window *b)
{
	if (a->npartition != b->npartition || a->norder != b->norder)
		return false;
	for (unsigned i = 0; i < a->npartition; i++)
		if (a->partition[i] != b->partition[i])
			return false;
	for (unsigned i = 0; i < a->norder; i++)
		if (a->order[i].column != b->order[i].column ||
			a->order[i].descending != b->order[i].descending ||
			a->order[i].nulls_first != b->order[i].nulls_first)
			return false;
	return true;
}

static bool same_window(const struct window_plan *p, const struct window_plan *q)
{
	const struct window *a = p->window, *b = q->window;

	if (!same_layout(p->input, q->input) || !same_layout(p->out, q->out) || !same_order(a, b) ||
		a->top != b->top || a->ties != b->ties || a->offset != b->offset ||
		a->limit != b->limit || a->nfunctions != b->nfunctions)
		return false;
	for (unsigned i = 0; i < a->nfunctions; i++)
		if (!same_function(&a->functions[i], &b->functions[i]))
			return false;
	return true;
}

static bool same_node(const struct node_plan *n, const struct node_plan *m)
{
	if (n->kind != m->kind || n->stage != m->stage)
		return false;
	switch (n->kind) {
	case NODE_MAP: return same_map(&n->map, &m->map);
	case NODE_JOIN: return same_join(&n->join, &m->join);
	case NODE_GROUP: return same_group(&n->group, &m->group);
	case NODE_WINDOW: return same_window(&n->window, &m->window);
	case NODE_PUBLISH: break;
	}
	return false;
}

/* --- what feeds them --- */

/* What leads to an input, in turn: scans, then nodes. */
struct feeder {
	const struct scan_plan *scan;
	const struct node_plan *node;
	unsigned next; /* node to look at */
};

static const struct edge *feeder_next(
	const struct view_plan *p, const struct node_plan *n, uint32_t input, struct feeder *f)
{
	const struct scan_plan *s = f->node != NULL ? NULL
		: f->scan == NULL                   ? p->scans
						    : f->scan->next;

	f->scan = NULL;
	for (; s != NULL; s = s->next)
		if (s->edge.input == input) {
			f->scan = s;
			return &s->edge;
		}
	for (; f->next < n->number; f->next++)
		if (edge_of(p->nodes[f->next])->input == input) {
			f->node = p->nodes[f->next++];
			return edge_of(f->node);
		}
	return NULL;
}

static bool same_edge(const struct edge *a, const struct edge *b)
{
	return a->kind == b->kind && a->stage == b->stage && same(a->by, b->by);
}

static bool match_node(const struct view_plan *p, const struct node_plan *n,
	const struct view_plan *q, const struct node_plan *m, struct plan_map *map);

static bool match_feeder(const struct view_plan *p, const struct feeder *a,
	const struct view_plan *q, const struct feeder *b, struct plan_map *map)
{
	if ((a->scan == NULL) != (b->scan == NULL))
		return false;
	if (a->scan == NULL)
		return match_node(p, a->node, q, b->node, map);
	map->scans[a->scan->number] = (uint16_t)b->scan->number;
	return same_scan(a->scan, b->scan);
}

static bool match_input(const struct view_plan *p, const struct node_plan *n,
	const struct view_plan *q, const struct node_plan *m, unsigned side, struct plan_map *map)
{
	struct feeder a = { 0 }, b = { 0 };

	for (;;) {
		const struct edge *to_a = feeder_next(p, n, node_input(n) + side, &a);
		const struct edge *to_b = feeder_next(q, m, node_input(m) + side, &b);

		if (to_a == NULL || to_b == NULL)
			return to_a == to_b;
		if (!same_edge(to_a, to_b) || !match_feeder(p, &a, q, &b, map))
			return false;
	}
}

static bool match_node(const struct view_plan *p, const struct node_plan *n,
	const struct view_plan *q, const struct node_plan *m, struct plan_map *map)
{
	if (!same_node(n, m))
		return false;
	map->nodes[n->number] = (uint16_t)m->number;
	return match_input(p, n, q, m, 0, map) && match_input(p, n, q, m, 1, map);
}

bool plan_match(const struct view_plan *p, const struct node_plan *n, const struct view_plan *q,
	const struct node_plan *m, struct plan_map *map)
{
	plan_map_clear(map);
	return match_node(p, n, q, m, map);
}

/* --- FROM --- */

/* Each of one among the other, as often. */
static bool same_conjuncts(struct expr *const *a, struct expr *const *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int more = 0;

		for (unsigned k = 0; k < n; k++)
			more += expr_equal(a[i], a[k]) - expr_equal(a[i], b[k]);
		if (more != 0)
			return false;
	}
	return true;
}

static bool same_from(const struct from_list *a, const struct from_list *b)
{
	if (a->n != b->n || a->nconjuncts != b->nconjuncts ||
		!same_conjuncts(a->conjuncts, b->conjuncts, a->nconjuncts))
		return false;
	for (unsigned i = 0; i < a->n; i++) {
		const struct from_item *x = &a->items[i], *y = &b->items[i];

		if (x->kind != y->kind)
			return false;
		if (x->kind == FROM_SOURCE ? x->source != y->source
					   : x->nconjuncts != y->nconjuncts ||
					!same_conjuncts(
						x->conjuncts, y->conjuncts, x->nconjuncts) ||
					!same_from(x->left, y->left) ||
					!same_from(x->right, y->right))
			return false;
	}
	return true;
}

bool plan_match_from(const struct select *a, const struct select *b)
{
	if (a->nsources < 2 || a->nsources != b->nsources)
		return false;
	for (unsigned i = 0; i < a->nsources; i++)
		if (a->sources[i] != b->sources[i] || a->sources[i]->kind == RELATION_DERIVED)
			return false;
	return same_from(&a->from, &b->from);
}
