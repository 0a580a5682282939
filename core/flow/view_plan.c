/*
 * view_plan.c: a bound SELECT to a graph of nodes (flow_internal.h), with stages and exchanges.
 *
 * Each select is compiled by itself, those in FROM first: what is in FROM joined (plan_join.c), then grouped
 * (plan_group.c) or projected to its outputs. Every node carries the columns that anything still needs.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/limits.h"
#include "core/flow/plan_internal.h"
#include "core/flow/plan_match.h"

/* --- nodes and edges --- */

struct node_plan *plan_node(struct building *b, enum node_kind kind)
{
	struct view_plan *p = b->p;
	struct node_plan *n = plan_alloc(b, sizeof(*n));

	if (n == NULL)
		return NULL;
	if (p->nnodes == LIMIT_NODES_PER_VIEW) {
		error_set(b->e, ERR_TOO_COMPLEX, 0, "the view needs more than %d operators",
			LIMIT_NODES_PER_VIEW);
		return NULL;
	}
	if (p->nnodes == p->nodes_cap) {
		unsigned cap = p->nodes_cap == 0 ? 8 : 2 * p->nodes_cap;
		struct node_plan **grown = plan_alloc(b, cap * sizeof(struct node_plan *));

		if (grown == NULL)
			return NULL;
		if (p->nnodes > 0)
			memcpy(grown, p->nodes, p->nnodes * sizeof(struct node_plan *));
		p->nodes = grown;
		p->nodes_cap = cap;
	}
	n->kind = kind;
	n->number = p->nnodes;
	p->nodes[p->nnodes++] = n;
	return n;
}

bool plan_lies_by(const struct stream *s, const struct expr *by)
{
	for (unsigned i = 0; i < s->nlies; i++)
		if (expr_equal(s->lies[i], by))
			return true;
	return false;
}

void plan_lead(const struct open_edge *open, unsigned n, uint32_t input, unsigned stage, bool move,
	struct program *route, const struct expr *by)
{
	for (unsigned i = 0; i < n; i++) {
		enum edge_kind kind = move && route != NULL ? EDGE_HASH
			: move                              ? EDGE_ZERO
			: open[i].stage != stage            ? EDGE_OWN
							    : EDGE_DIRECT;

		ASSERT(stage >= open[i].stage + move);
		*open[i].edge = (struct edge){ kind, input, stage, route, by };
	}
}

bool plan_moves(const struct building *b, const struct stream *in, const struct expr *by)
{
	return b->p->shards > 1 && (by != NULL ? !plan_lies_by(in, by) : !in->zero);
}

int plan_lead_by(struct building *b, const struct stream *in, uint32_t input, unsigned stage,
	const struct expr *by)
{
	bool move = plan_moves(b, in, by);
	const struct expr *const *trees = NULL;
	struct program *route = NULL;

	if (move && by != NULL) {
		trees = plan_remap(b, &by, 1, in, NULL);
		route = trees == NULL ? NULL : plan_compile(b, trees, 1, in->layout, NULL);
		if (route == NULL)
			return -1;
	}
	plan_lead(in->open, in->nopen, input, stage, move, route, trees == NULL ? NULL : trees[0]);
	return plan_stage_check(b, stage);
}

int plan_stage_check(struct building *b, unsigned stage)
{
	return stage + 1 < LIMIT_STAGES
		? 0
		: error_set(b->e, ERR_TOO_COMPLEX, 0, "the view needs too many exchanges");
}

/* --- columns --- */

struct noting {
	struct building *b;
	int status;
};

static int note_column(struct expr *e, void *arg)
{
	struct noting *n = arg;

	if (e->kind == EXPR_COLUMN && e->source != EXPR_PARAMS &&
		places_find(&n->b->used, e->source, e->column) < 0)
		n->status = places_add(n->b, &n->b->used, (struct place){ e->source, e->column });
	return n->status;
}

static int note(struct building *b, struct expr *const *list, unsigned n)
{
	struct noting noting = { b, 0 };

	for (unsigned i = 0; i < n && noting.status == 0; i++)
		if (list[i] != NULL)
			expr_walk(list[i], note_column, &noting);
	return noting.status;
}

static int note_list(struct building *b, const struct from_list *l)
{
	if (note(b, l->conjuncts, l->nconjuncts) != 0)
		return -1;
	for (unsigned i = 0; i < l->n; i++)
		if (l->items[i].kind != FROM_SOURCE &&
			(note(b, l->items[i].conjuncts, l->items[i].nconjuncts) != 0 ||
				note_list(b, l->items[i].left) != 0 ||
				note_list(b, l->items[i].right) != 0))
			return -1;
	return 0;
}

/* In one order, whatever is mentioned first: so that what is the same of two views is the same. */
static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->source != y->source ? x->source - y->source : x->column - y->column;
}

static int note_all(struct building *b)
{
	const struct select *s = b->s;
	int status = note_list(b, &s->from);

	if (s->window != NULL)
		return 0;
	for (unsigned i = 0; status == 0 && !s->grouped && i < s->noutputs; i++)
		status = note(b, &s->outputs[i].expr, 1);
	if (status != 0 || !s->grouped)
		return status;
	status = note(b, s->group, s->ngroup);
	for (unsigned i = 0; status == 0 && i < s->naggregates; i++) {
		struct expr *both[] = { s->aggregates[i].arg, s->aggregates[i].filter };

		status = note(b, both, 2);
	}
	return status;
}

/* Columns that the rows of another join keep, if it is the same. */
static int note_joined(struct building *b, const struct joined *j)
{
	if (!plan_match_from(j->select, b->s))
		return 0;
	for (unsigned i = 0; i < j->n; i++)
		if (b->used.n < PLAN_COLUMNS_MAX &&
			places_find(&b->used, j->columns[i].source, j->columns[i].column) < 0 &&
			places_add(b, &b->used, j->columns[i]) != 0)
			return -1;
	return 0;
}

/* … that those of another plan keep. */
static int note_like(struct building *b, const struct view_plan *like)
{
	for (const struct joined *j = like->joined; j != NULL; j = j->next)
		if (note_joined(b, j) != 0)
			return -1;
	return 0;
}

static void sort_columns(struct building *b)
{
	if (b->used.n > 0)
		qsort(b->used.at, b->used.n, sizeof(*b->used.at), compare_places);
}

/* The columns that the rows of the select have in a plan that is there, and those of a wider one. */
static int note_own(struct building *b, const struct view_plan *own, const struct joined *wider)
{
	if (wider != NULL && note_joined(b, wider) != 0)
		return -1;
	for (const struct joined *j = own->joined; j != NULL; j = j->next)
		for (unsigned i = 0; j->select == b->s && i < j->n; i++)
			if (places_find(&b->used, j->columns[i].source, j->columns[i].column) < 0 &&
				places_add(b, &b->used, j->columns[i]) != 0)
				return -1;
	sort_columns(b);
	return 0;
}

static int note_columns(struct building *b)
{
	const struct plan_like *like = b->p->like;

	if (note_all(b) != 0)
		return -1;
	if (like != NULL && like->own != NULL)
		return note_own(b, like->own, like->wider);
	if (like != NULL && plan_match_from(b->s, b->s)) {
		if (like->one != NULL && note_like(b, like->one) != 0)
			return -1;
		for (const struct view_plan *p = like->all; p != NULL; p = p->next)
			if (!plan_has_failed(p) && note_like(b, p) != 0)
				return -1;
	}
	sort_columns(b);
	return 0;
}

/* What has been joined since the node `first`; for other plans to be like it. */
static int joined_add(struct building *b, unsigned first)
{
	struct view_plan *p = b->p;
	struct joined *j;
	unsigned root = p->nnodes;

	if (p->param_layout != NULL || !plan_match_from(b->s, b->s))
		return 0;
	while (root > first && p->nodes[root - 1]->kind != NODE_JOIN)
		root--;
	/* A source may be there that nothing reads. */
	if (root == first)
		return 0;
	j = plan_alloc(b, sizeof(*j));
	if (j == NULL)
		return -1;
	*j = (struct joined){ p->joined, b->s, b->used.n, b->used.at, root - 1 };
	p->joined = j;
	return 0;
}

/* --- a select --- */

static int build_outputs(struct building *b, const struct stream *in, struct result *out)
{
	const struct select *s = b->s;
	const struct expr **trees = plan_alloc(b, s->noutputs * sizeof(*trees));
	struct node_plan *n = plan_node(b, NODE_MAP);

	out->open = plan_alloc(b, sizeof(*out->open));
	if (trees == NULL || n == NULL || out->open == NULL)
		return -1;
	for (unsigned i = 0; i < s->noutputs; i++) {
		trees[i] = s->outputs[i].expr;
		if (plan_lies_by(in, trees[i]) && out->nlies < PLAN_LIES_MAX)
			out->lies[out->nlies++] = (uint16_t)i;
	}
	n->stage = in->stage;
	n->map.projection = plan_project_over(b, trees, &out->layout, in, NULL, &n->map.columns);
	if (n->map.projection == NULL)
		return -1;
	out->nopen = 1;
	out->open[0] = (struct open_edge){ &n->map.edge, in->stage };
	out->stage = in->stage;
	out->zero = in->zero;
	plan_lead(in->open, in->nopen, node_input(n), in->stage, false, NULL, NULL);
	return 0;
}

static int result_layout(struct building *b, struct result *out)
{
	struct type *types = plan_alloc(b, b->s->noutputs * sizeof(*types));

	if (types == NULL)
		return -1;
	for (unsigned i = 0; i < b->s->noutputs; i++)
		types[i] = b->s->outputs[i].type;
	return row_layout_init(&out->layout, types, b->s->noutputs, &b->p->arena, b->e);
}

static bool lies_in(const struct result *r, uint16_t output)
{
	for (unsigned i = 0; i < r->nlies; i++)
		if (r->lies[i] == output)
			return true;
	return false;
}

/* UNION ALL: all of their edges, to whoever comes next. The rows lie by what all of them lie by. */
static int build_branches(struct building *b, const struct expr *wanted, struct result *out)
{
	struct result *part = plan_alloc(b, sizeof(*part));
	unsigned n = 0;

	if (part == NULL)
		return -1;
	out->zero = true;
	for (unsigned k = 0; k < b->s->nbranches; k++) {
		struct open_edge *grown;
		unsigned kept = 0;

		memset(part, 0, sizeof(*part));
		if (plan_select(b->p, b->s->branches[k], wanted, part, b->e) != 0)
			return -1;
		grown = plan_alloc(b, (n + part->nopen) * sizeof(*grown));
		if (grown == NULL)
			return -1;
		if (n > 0)
			memcpy(grown, out->open, n * sizeof(*grown));
		memcpy(grown + n, part->open, part->nopen * sizeof(*grown));
		out->open = grown;
		n += part->nopen;
		if (part->stage > out->stage)
			out->stage = part->stage;
		out->zero &= part->zero;
		if (k == 0) {
			memcpy(out->lies, part->lies, sizeof(out->lies));
			out->nlies = part->nlies;
		}
		for (unsigned i = 0; i < out->nlies; i++)
			if (lies_in(part, out->lies[i]))
				out->lies[kept++] = out->lies[i];
		out->nlies = kept;
	}
	out->nopen = n;
	return 0;
}

static int build_select(struct building *b, const struct expr *wanted, struct result *out)
{
	unsigned first = b->p->nnodes;
	struct stream *in = plan_alloc(b, sizeof(*in));

	if (in == NULL || result_layout(b, out) != 0)
		return -1;
	if (b->s->nbranches > 0)
		return build_branches(b, wanted, out);
	if (b->s->nsources == 0) {
		/* A row of no column for the group that makes one of nothing; it never comes. */
		struct row_layout *none = plan_alloc(b, sizeof(*none));

		if (none == NULL || row_layout_init(none, NULL, 0, &b->p->arena, b->e) != 0)
			return -1;
		in->layout = none;
		in->zero = true;
	} else if (note_columns(b) != 0 || plan_from(b, in) != 0 || joined_add(b, first) != 0) {
		return -1;
	}
	if (b->s->window != NULL)
		return plan_window(b, in, out);
	return b->s->grouped ? plan_group(b, in, wanted, out) : build_outputs(b, in, out);
}

int plan_select(struct view_plan *p, const struct select *s, const struct expr *wanted,
	struct result *out, struct error *e)
{
	struct building b = { .p = p, .s = s, .e = e };

	return build_select(&b, wanted, out);
}

/* --- the view --- */

static int build_publisher(struct building *b, const struct result *in)
{
	const struct relation *view = b->p->view;
	unsigned before = b->p->nnodes;
	struct node_plan *n = plan_node(b, NODE_PUBLISH);
	struct program *route = NULL;
	bool move = b->p->shards > 1 && view->partition >= 0 &&
		!lies_in(in, (uint16_t)view->partition);

	if (n == NULL)
		return -1;
	n->stage = in->stage + move;
	if (move) {
		const struct expr *tree = plan_column(
			b, 0, (unsigned)view->partition, view->columns[view->partition].type);

		route = tree == NULL ? NULL : plan_compile(b, &tree, 1, &view->layout, NULL);
		if (route == NULL)
			return -1;
	}
	plan_lead(in->open, in->nopen, node_input(n), n->stage, move, route, NULL);
	if (!move && in->nopen == 1 && before > 0 && b->p->nodes[before - 1]->kind == NODE_GROUP &&
		in->open[0].edge == &b->p->nodes[before - 1]->group.edge)
		b->p->last_group = b->p->nodes[before - 1];
	b->p->stages = n->stage + 1;
	return plan_stage_check(b, n->stage);
}

static int build(struct view_plan *p, struct error *e)
{
	const struct relation *view = p->view;
	struct building b = { .p = p, .s = view->select, .e = e };
	const struct expr *wanted = NULL;
	struct result *out = plan_alloc(&b, sizeof(*out));

	if (out == NULL)
		return -1;
	if (view->partition >= 0)
		wanted = view->select->outputs[view->partition].expr;
	return build_select(&b, wanted, out) != 0 ? -1 : build_publisher(&b, out);
}

static struct view_plan *plan_new(const struct relation *view, unsigned shards, struct heap *h)
{
	struct view_plan *p = heap_zalloc(h, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->heap = h;
	p->view = view;
	p->shards = shards;
	arena_init(&p->arena, h);
	return p;
}

static int plan_build(struct view_plan **out, struct view_plan *p, struct error *e)
{
	if (build(p, e) != 0) {
		view_plan_free(p);
		return -1;
	}
	*out = p;
	return 0;
}

static int plan_like(struct view_plan **out, const struct relation *view, unsigned shards,
	const struct plan_like *like, struct heap *h, struct error *e)
{
	struct view_plan *p = plan_new(view, shards, h);

	if (p == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	p->like = like;
	if (plan_build(out, p, e) != 0)
		return -1;
	p->like = NULL;
	return 0;
}

/* Whether the view joins the same twice, with other columns. */
static bool joins_differ(const struct view_plan *p)
{
	for (const struct joined *j = p->joined; j != NULL; j = j->next)
		for (const struct joined *k = j->next; k != NULL; k = k->next)
			if (plan_match_from(j->select, k->select) &&
				(j->n != k->n ||
					memcmp(j->columns, k->columns,
						j->n * sizeof(*j->columns)) != 0))
				return true;
	return false;
}

int view_plan_new(struct view_plan **out, const struct relation *view, unsigned shards,
	const struct plan_like *like, struct heap *h, struct error *e)
{
	struct view_plan *first;
	struct plan_like itself;
	int status = plan_like(out, view, shards, like, h, e);

	if (status != 0 || like->one != NULL || like->own != NULL || !joins_differ(*out))
		return status;
	first = *out;
	itself = (struct plan_like){ .all = like->all, .one = first };
	status = plan_like(out, view, shards, &itself, h, e);
	view_plan_free(first);
	return status;
}

int view_plan_query(struct view_plan **out, const struct relation *query,
	const struct row_layout *param_layout, const void *params, int64_t now_us, struct heap *h,
	struct error *e)
{
	struct view_plan *p = plan_new(query, 1, h);

	if (p == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	p->param_layout = param_layout;
	p->params = params;
	p->now_us = now_us;
	return plan_build(out, p, e);
}

void view_plan_free(struct view_plan *p)
{
	if (p == NULL)
		return;
	view_plan_free(p->fresh);
	view_plan_free(p->base);
	arena_free(&p->arena);
	heap_free(p->heap, p, sizeof(*p));
}

unsigned view_plan_stages(const struct view_plan *p)
{
	return p->stages;
}
