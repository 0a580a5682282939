/*
 * view_plan.c: a bound SELECT to scans, joins, a group and a publisher, with stages and exchanges.
 *
 * Sources are joined one by one to what is joined already. Of those that an equality connects, one whose
 * key agrees with how both sides lie in the shards comes first, since it needs no exchange. How rows lie is
 * described by expressions all equal to the value whose hash chose the shard (a table: its partition
 * column; a join: both sides of the equality used).
 *
 * Every node carries the columns that anything still needs: the set of all columns the query mentions.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/limits.h"
#include "core/flow/aggregate.h"
#include "core/flow/flow_internal.h"

_Static_assert((int)PLAN_JOINS_MAX == (int)LIMIT_JOINS_PER_VIEW, "one limit");

enum {
	COLUMNS_MAX = 1024,
	LIES_MAX = 64,
	GROUP_TEXT_ROOM = 24 /* bytes for a text of an output */
};

struct place {
	uint8_t source;
	uint16_t column;
};

/* Columns a node's rows hold, in order. */
struct places {
	unsigned n;
	struct place at[COLUMNS_MAX];
};

struct building {
	struct view_plan *p;
	const struct select *s;
	struct error *e;
	struct places used;     /* columns mentioned anywhere */
	bool done[COLUMNS_MAX]; /* conjuncts placed */
	struct places left;     /* what is joined so far */
	uint32_t joined;        /* sources */
	unsigned stage;         /* of what is joined so far */
	const struct row_layout *layout;
	struct edge *open;                 /* the edge out of it */
	const struct expr *lies[LIES_MAX]; /* how it lies in the shards */
	unsigned nlies;
};

static int no_memory(struct building *b)
{
	return error_set(b->e, ERR_OUT_OF_MEMORY, 0, NULL);
}

/* --- columns --- */

static int note_column(struct expr *e, void *arg)
{
	struct places *u = arg;

	if (e->kind != EXPR_COLUMN)
		return 0;
	for (unsigned i = 0; i < u->n; i++)
		if (u->at[i].source == e->source && u->at[i].column == e->column)
			return 0;
	if (u->n == COLUMNS_MAX)
		return -1;
	u->at[u->n++] = (struct place){ e->source, e->column };
	return 0;
}

static int note_columns(struct building *b)
{
	const struct select *s = b->s;
	int bad = 0;

	for (unsigned i = 0; i < s->nconjuncts; i++)
		bad |= expr_walk(s->conjuncts[i], note_column, &b->used);
	if (!s->grouped) {
		for (unsigned i = 0; i < s->noutputs; i++)
			bad |= expr_walk(s->outputs[i].expr, note_column, &b->used);
	} else {
		for (unsigned i = 0; i < s->ngroup; i++)
			bad |= expr_walk(s->group[i], note_column, &b->used);
		for (unsigned i = 0; i < s->naggregates; i++) {
			if (s->aggregates[i].arg != NULL)
				bad |= expr_walk(s->aggregates[i].arg, note_column, &b->used);
			if (s->aggregates[i].filter != NULL)
				bad |= expr_walk(s->aggregates[i].filter, note_column, &b->used);
		}
	}
	return bad == 0 ? 0 : error_set(b->e, ERR_TOO_COMPLEX, 0, "the view uses too many columns");
}

static int find_place(const struct places *p, uint8_t source, uint16_t column)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->at[i].source == source && p->at[i].column == column)
			return (int)i;
	return -1;
}

/* A copy of a tree over the rows of nodes: places `left` are source 0, places `right` source 1. */
static struct expr *remap(struct building *b, const struct expr *e, const struct places *left,
	const struct places *right)
{
	struct expr *copy = arena_alloc(&b->p->arena, sizeof(*copy));

	if (copy == NULL)
		return NULL;
	*copy = *e;
	if (e->kind == EXPR_COLUMN) {
		int at = find_place(left, e->source, e->column);

		copy->source = 0;
		if (at < 0 && right != NULL) {
			at = find_place(right, e->source, e->column);
			copy->source = 1;
		}
		ASSERT(at >= 0);
		copy->column = (uint16_t)at;
	}
	if (e->nargs > 0) {
		copy->args = arena_alloc(&b->p->arena, e->nargs * sizeof(*copy->args));
		if (copy->args == NULL)
			return NULL;
		for (unsigned i = 0; i < e->nargs; i++) {
			copy->args[i] = remap(b, e->args[i], left, right);
			if (copy->args[i] == NULL)
				return NULL;
		}
	}
	return copy;
}

static struct program *compile(struct building *b, const struct expr *const *trees, unsigned n,
	const struct row_layout *l0, const struct row_layout *l1)
{
	const struct row_layout *layouts[EXPR_SOURCES] = { l0, l1 };

	return program_compile(trees, n, layouts, &b->p->arena, b->e);
}

static const struct expr **remap_all(struct building *b, const struct expr *const *trees,
	unsigned n, const struct places *left, const struct places *right)
{
	const struct expr **copies = arena_alloc(&b->p->arena, (n + 1) * sizeof(*copies));

	for (unsigned i = 0; copies != NULL && i < n; i++) {
		copies[i] = remap(b, trees[i], left, right);
		if (copies[i] == NULL)
			copies = NULL;
	}
	if (copies == NULL)
		no_memory(b);
	return copies;
}

/* Compile trees of the query over the rows of nodes. */
static struct program *compile_over(struct building *b, const struct expr *const *trees, unsigned n,
	const struct places *left, const struct row_layout *l0, const struct places *right,
	const struct row_layout *l1)
{
	const struct expr **copies = remap_all(b, trees, n, left, right);

	return copies == NULL ? NULL : compile(b, copies, n, l0, l1);
}

static struct projection *project(struct building *b, const struct expr *const *trees,
	const struct row_layout *l0, const struct row_layout *l1, const struct row_layout *to)
{
	const struct row_layout *layouts[EXPR_SOURCES] = { l0, l1 };

	return projection_compile(trees, layouts, to, &b->p->arena, b->e);
}

/* The same for trees of the query over the rows of what is joined so far. */
static struct projection *project_left(
	struct building *b, const struct expr *const *trees, const struct row_layout *to)
{
	const struct expr **copies = remap_all(b, trees, to->ncols, &b->left, NULL);

	return copies == NULL ? NULL : project(b, copies, b->layout, NULL, to);
}

static struct type place_type(const struct building *b, struct place at)
{
	return b->s->sources[at.source]->columns[at.column].type;
}

/* Layout of a row of these places, and the program that makes it from the rows of l0 and l1. */
static struct projection *projection(struct building *b, const struct places *to,
	struct row_layout *layout, const struct places *left, const struct row_layout *l0,
	const struct places *right, const struct row_layout *l1)
{
	struct type types[COLUMNS_MAX];
	const struct expr *trees[COLUMNS_MAX];

	for (unsigned i = 0; i < to->n; i++) {
		struct expr *e = arena_zalloc(&b->p->arena, sizeof(*e));

		if (e == NULL) {
			no_memory(b);
			return NULL;
		}
		types[i] = place_type(b, to->at[i]);
		e->kind = EXPR_COLUMN;
		e->type = types[i];
		e->source = to->at[i].source;
		e->column = to->at[i].column;
		trees[i] = e;
	}
	if (row_layout_init(layout, types, to->n, &b->p->arena, b->e) != 0)
		return NULL;
	{
		const struct expr **copies = remap_all(b, trees, to->n, left, right);

		return copies == NULL ? NULL : project(b, copies, l0, l1, layout);
	}
}

/* The AND of several conditions; NULL tree list means none. */
static int compile_filter(struct building *b, const struct expr **list, unsigned n,
	const struct places *left, const struct row_layout *l0, const struct places *right,
	const struct row_layout *l1, struct program **out)
{
	struct expr *all;

	*out = NULL;
	if (n == 0)
		return 0;
	all = arena_zalloc(&b->p->arena, sizeof(*all));
	if (all == NULL)
		return no_memory(b);
	all->kind = EXPR_AND;
	all->type.id = TYPE_BOOL;
	all->nargs = (uint16_t)n;
	all->args = arena_alloc(&b->p->arena, n * sizeof(*all->args));
	if (all->args == NULL)
		return no_memory(b);
	for (unsigned i = 0; i < n; i++) {
		all->args[i] = remap(b, list[i], left, right);
		if (all->args[i] == NULL)
			return no_memory(b);
	}
	{
		const struct expr *tree = n == 1 ? all->args[0] : all;

		*out = compile(b, &tree, 1, l0, l1);
	}
	return *out == NULL ? -1 : 0;
}

/* --- edges --- */

/* Lead the open edge to an input that runs at `stage` at the earliest and wants its rows to lie by
 * `by` (NULL: as they are; ZERO: all in shard 0). Returns the stage the input must run at. */
static bool lies_by(const struct expr *const *lies, unsigned n, const struct expr *by)
{
	for (unsigned i = 0; i < n; i++)
		if (expr_equal(lies[i], by))
			return true;
	return false;
}

static int edge_route(struct building *b, struct edge *edge, const struct expr *by,
	const struct places *places, const struct row_layout *layout)
{
	edge->kind = EDGE_HASH;
	edge->route = compile_over(b, &by, 1, places, layout, NULL, NULL);
	return edge->route == NULL ? -1 : 0;
}

/* --- scans --- */

static int build_scan(struct building *b, unsigned source, struct places *places)
{
	struct scan_plan *scan = &b->p->scans[source];
	const struct relation *r = b->s->sources[source];
	struct places all = { 0 };
	const struct expr *filters[COLUMNS_MAX];
	unsigned n = 0;

	places->n = 0;
	for (unsigned i = 0; i < b->used.n; i++)
		if (b->used.at[i].source == source)
			places->at[places->n++] = b->used.at[i];
	for (unsigned c = 0; c < r->ncols && c < COLUMNS_MAX; c++)
		all.at[all.n++] = (struct place){ (uint8_t)source, (uint16_t)c };
	for (unsigned i = 0; i < b->s->nconjuncts; i++)
		if ((expr_sources(b->s->conjuncts[i]) & ~(UINT32_C(1) << source)) == 0 &&
			!b->done[i]) {
			b->done[i] = true;
			filters[n++] = b->s->conjuncts[i];
		}
	scan->relation = r;
	if (compile_filter(b, filters, n, &all, &r->layout, NULL, NULL, &scan->filter) != 0)
		return -1;
	scan->projection = projection(b, places, &scan->layout, &all, &r->layout, NULL, NULL);
	return scan->projection == NULL ? -1 : 0;
}

/* The partition column as an expression of the source. */
static const struct expr *scan_lies(struct building *b, unsigned source)
{
	const struct relation *r = b->s->sources[source];
	struct expr *e = arena_zalloc(&b->p->arena, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->kind = EXPR_COLUMN;
	e->source = (uint8_t)source;
	e->column = (uint16_t)r->partition;
	e->type = r->columns[r->partition].type;
	return e;
}

/* --- joins --- */

static bool is_integer(enum type_id t)
{
	return t == TYPE_INT2 || t == TYPE_INT4 || t == TYPE_INT8;
}

/* Whether conjunct i equates something of the joined sources with something of `source`; sides in out. */
static bool equates(
	const struct building *b, unsigned i, unsigned source, const struct expr *out[2])
{
	const struct expr *e = b->s->conjuncts[i];
	uint32_t bit = UINT32_C(1) << source;

	if (b->done[i] || e->kind != EXPR_CALL || strcmp(e->fn->name, "=") != 0)
		return false;
	for (unsigned k = 0; k < 2; k++) {
		uint32_t l = expr_sources(e->args[k]), r = expr_sources(e->args[1 - k]);

		if (l == 0 || r != bit || (l & ~b->joined) != 0)
			continue;
		out[0] = e->args[k];
		out[1] = e->args[1 - k];
		/* Both sides must hash alike. */
		return out[0]->type.id == out[1]->type.id ||
			(is_integer((enum type_id)out[0]->type.id) &&
				is_integer((enum type_id)out[1]->type.id));
	}
	return false;
}

struct candidate {
	int source;
	const struct expr *pair[2]; /* by which the join lies */
	unsigned exchanges;
};

static struct candidate choose(struct building *b)
{
	struct candidate best = { .source = -1, .exchanges = 3 };

	for (unsigned s = 0; s < b->s->nsources; s++) {
		const struct expr *lies;

		if (b->joined >> s & 1)
			continue;
		lies = scan_lies(b, s);
		for (unsigned i = 0; lies != NULL && i < b->s->nconjuncts; i++) {
			const struct expr *pair[2];
			unsigned exchanges;

			if (!equates(b, i, s, pair))
				continue;
			exchanges = b->p->shards == 1
				? 0
				: !lies_by(b->lies, b->nlies, pair[0]) + !expr_equal(lies, pair[1]);
			if (exchanges < best.exchanges)
				best = (struct candidate){ (int)s, { pair[0], pair[1] },
					exchanges };
		}
	}
	return best;
}

static int join_side(struct building *b, struct join_plan *j, unsigned k,
	const struct expr *const *keys, unsigned n, const struct places *places,
	const struct row_layout *layout)
{
	j->side[k].layout = layout;
	j->side[k].nkeys = n;
	j->side[k].keys = compile_over(b, keys, n, places, layout, NULL, NULL);
	if (j->side[k].keys == NULL)
		return -1;
	j->side[k].plain = projection_columns(j->side[k].keys, n, j->side[k].cols);
	return 0;
}

static int build_join(struct building *b, const struct candidate *c, unsigned number)
{
	struct view_plan *p = b->p;
	struct join_plan *j = &p->joins[number];
	unsigned source = (unsigned)c->source, n = 0, nres = 0;
	struct scan_plan *scan = &p->scans[source];
	const struct expr *keys[2][PLAN_KEYS_MAX], *residual[COLUMNS_MAX], *pair[2];
	const struct expr *lies = scan_lies(b, source);
	struct places right, both;
	bool move[2];

	if (lies == NULL)
		return no_memory(b);
	if (build_scan(b, source, &right) != 0)
		return -1;
	for (unsigned i = 0; i < b->s->nconjuncts; i++)
		if (n < PLAN_KEYS_MAX && equates(b, i, source, pair)) {
			keys[0][n] = pair[0];
			keys[1][n++] = pair[1];
			b->done[i] = true;
		}
	if (join_side(b, j, 0, keys[0], n, &b->left, b->layout) != 0 ||
		join_side(b, j, 1, keys[1], n, &right, &scan->layout) != 0)
		return -1;
	/* Edges and stage. */
	move[0] = p->shards > 1 && !lies_by(b->lies, b->nlies, c->pair[0]);
	move[1] = p->shards > 1 && !expr_equal(lies, c->pair[1]);
	j->stage = b->stage + move[0];
	if (move[1] && j->stage == 0)
		j->stage = 1;
	*b->open = (struct edge){ EDGE_DIRECT, 2 * number, j->stage, NULL };
	scan->edge = (struct edge){ EDGE_DIRECT, 2 * number + 1, j->stage, NULL };
	if (move[0]) {
		if (edge_route(b, b->open, c->pair[0], &b->left, b->layout) != 0)
			return -1;
	} else if (j->stage != b->stage) {
		b->open->kind = EDGE_OWN;
	}
	if (move[1]) {
		if (edge_route(b, &scan->edge, c->pair[1], &right, &scan->layout) != 0)
			return -1;
	} else if (j->stage != 0) {
		scan->edge.kind = EDGE_OWN;
	}
	if (j->stage + 1 >= LIMIT_STAGES)
		return error_set(b->e, ERR_TOO_COMPLEX, 0, "the view needs too many exchanges");
	/* What can be tested now that this source is there. */
	b->joined |= UINT32_C(1) << source;
	for (unsigned i = 0; i < b->s->nconjuncts; i++)
		if (!b->done[i] && (expr_sources(b->s->conjuncts[i]) & ~b->joined) == 0) {
			b->done[i] = true;
			residual[nres++] = b->s->conjuncts[i];
		}
	if (compile_filter(b, residual, nres, &b->left, b->layout, &right, &scan->layout,
		    &j->residual) != 0)
		return -1;
	both = b->left;
	for (unsigned i = 0; i < right.n; i++)
		both.at[both.n++] = right.at[i];
	j->projection = projection(
		b, &both, &j->layout, &b->left, b->layout, &right, &scan->layout);
	if (j->projection == NULL)
		return -1;
	b->left = both;
	b->layout = &j->layout;
	b->stage = j->stage;
	b->open = &j->edge;
	if (move[0])
		b->nlies = 0;
	if (b->nlies + 3 < LIES_MAX) {
		b->lies[b->nlies++] = c->pair[0];
		b->lies[b->nlies++] = c->pair[1];
		if (!move[1])
			b->lies[b->nlies++] = lies;
	}
	return 0;
}

/* --- group --- */

/* Number of a tree among the values to compute. */
static int value_number(const struct expr **trees, unsigned *n, const struct expr *e)
{
	for (unsigned i = 0; i < *n; i++)
		if (expr_equal(trees[i], e))
			return (int)i;
	trees[*n] = e;
	return (int)(*n)++;
}

static int filtered_aggregate(
	struct building *b, const struct aggregate *a, struct aggregate_plan *out)
{
	const struct expr *filter = a->filter, *argument = a->arg;

	out->filter = compile_over(b, &filter, 1, &b->left, b->layout, NULL, NULL);
	if (out->filter == NULL)
		return -1;
	if (argument == NULL)
		return 0;
	out->argument = compile_over(b, &argument, 1, &b->left, b->layout, NULL, NULL);
	return out->argument == NULL ? -1 : 0;
}

/* How a group's memory is laid out. */
static void group_memory(const struct building *b, struct group_plan *g)
{
	const struct row_layout *l = &b->p->view->layout;
	uint32_t output = l->fixed;

	for (unsigned i = 0; i < g->naggregates; i++) {
		g->inputs[i].state = g->states_bytes;
		g->states_bytes += aggregate_bytes(&g->aggregates[i]);
	}
	for (unsigned c = 0; c < l->ncols; c++)
		if (type_is_bytes((enum type_id)l->types[c].id))
			output += GROUP_TEXT_ROOM;
	g->output_bytes = (output + 7) & ~UINT32_C(7);
}

static int group_values(struct building *b, struct group_plan *g)
{
	const struct select *s = b->s;
	const struct expr **trees = arena_alloc(
		&b->p->arena, (s->naggregates + 1) * sizeof(*trees));

	g->inputs = arena_zalloc(&b->p->arena, (s->naggregates + 1) * sizeof(*g->inputs));
	if (trees == NULL || g->inputs == NULL)
		return no_memory(b);
	for (unsigned i = 0; i < s->naggregates; i++) {
		const struct aggregate *a = &s->aggregates[i];

		g->inputs[i].value = -1;
		if (a->filter != NULL) {
			if (filtered_aggregate(b, a, &g->inputs[i]) != 0)
				return -1;
		} else if (a->arg != NULL) {
			g->inputs[i].value = value_number(trees, &g->nvalues, a->arg);
		}
	}
	g->naggregates = s->naggregates;
	g->aggregates = s->aggregates;
	group_memory(b, g);
	if (g->nvalues == 0)
		return 0;
	g->values = compile_over(b, trees, g->nvalues, &b->left, b->layout, NULL, NULL);
	return g->values == NULL ? -1 : 0;
}

/* See whether the keys are plain columns. */
static int group_columns(struct building *b, struct group_plan *g)
{
	const struct expr *const *trees = (const struct expr *const *)b->s->group;
	uint16_t *cols = arena_alloc(&b->p->arena, (g->nkeys + 1) * sizeof(*cols));
	const struct program *keys;

	if (cols == NULL)
		return no_memory(b);
	if (g->nkeys == 0)
		return 0;
	keys = compile_over(b, trees, g->nkeys, &b->left, b->layout, NULL, NULL);
	if (keys == NULL)
		return -1;
	if (projection_columns(keys, g->nkeys, cols))
		g->cols = cols;
	return 0;
}

/* See whether the output row is keys and aggregates as they are. */
static int group_outputs(
	struct building *b, struct group_plan *g, const struct expr *const *outputs)
{
	const struct row_layout *l = &b->p->view->layout;
	uint16_t *columns = arena_alloc(&b->p->arena, (l->ncols + 1u) * sizeof(*columns));
	const struct program *p = compile(b, outputs, l->ncols, &g->row, NULL);
	bool plain;

	g->changing = arena_alloc(&b->p->arena, (l->ncols + 1u) * sizeof(*g->changing));
	if (columns == NULL || g->changing == NULL)
		return no_memory(b);
	if (p == NULL)
		return -1;
	plain = g->having == NULL && projection_columns(p, l->ncols, columns);
	for (unsigned c = 0; plain && c < l->ncols; c++)
		plain = g->row.types[columns[c]].id == l->types[c].id;
	if (!plain)
		return 0;
	g->columns = columns;
	g->in_place = true;
	for (unsigned c = 0; c < l->ncols; c++)
		if (columns[c] >= g->nkeys) {
			g->changing[g->nchanging++] = (struct group_output){ (uint16_t)c,
				(uint16_t)(columns[c] - g->nkeys) };
			g->in_place &= !type_is_bytes((enum type_id)l->types[c].id);
		}
	return 0;
}

static int group_rows(struct building *b, struct group_plan *g)
{
	const struct select *s = b->s;
	unsigned n = s->ngroup + s->naggregates;
	struct type *types = arena_alloc(&b->p->arena, (n + 1) * sizeof(*types));
	const struct expr **outputs = arena_alloc(&b->p->arena, s->noutputs * sizeof(*outputs));

	g->sequence = arena_alloc(&b->p->arena, (s->ngroup + 1) * sizeof(*g->sequence));
	if (types == NULL || outputs == NULL || g->sequence == NULL)
		return no_memory(b);
	for (unsigned i = 0; i < s->ngroup; i++) {
		types[i] = s->group[i]->type;
		g->sequence[i] = (uint16_t)i;
	}
	for (unsigned i = 0; i < s->naggregates; i++)
		types[s->ngroup + i] = s->aggregates[i].type;
	if (row_layout_init(&g->key_layout, types, s->ngroup, &b->p->arena, b->e) != 0 ||
		row_layout_init(&g->row, types, n, &b->p->arena, b->e) != 0)
		return -1;
	for (unsigned i = 0; i < s->noutputs; i++)
		outputs[i] = s->outputs[i].expr;
	g->outputs = project(b, outputs, &g->row, NULL, &b->p->view->layout);
	if (g->outputs == NULL)
		return -1;
	if (s->having != NULL) {
		const struct expr *having = s->having;

		g->having = compile(b, &having, 1, &g->row, NULL);
		if (g->having == NULL)
			return -1;
	}
	g->nkeys = s->ngroup;
	if (s->ngroup > 0) {
		g->keys = project_left(b, (const struct expr *const *)s->group, &g->key_layout);
		if (g->keys == NULL)
			return -1;
	}
	return group_outputs(b, g, outputs) != 0 ? -1 : group_columns(b, g);
}

/* A route by one column of the view's own row. */
static int route_output(struct building *b, struct edge *edge)
{
	const struct relation *view = b->p->view;
	struct expr *e = arena_zalloc(&b->p->arena, sizeof(*e));
	const struct expr *tree = e;

	if (e == NULL)
		return no_memory(b);
	e->kind = EXPR_COLUMN;
	e->column = (uint16_t)view->partition;
	e->type = view->columns[view->partition].type;
	edge->kind = EDGE_HASH;
	edge->route = compile(b, &tree, 1, &view->layout, NULL);
	return edge->route == NULL ? -1 : 0;
}

static int build_group(struct building *b)
{
	struct view_plan *p = b->p;
	const struct select *s = b->s;
	const struct relation *view = p->view;
	struct group_plan *g = arena_zalloc(&p->arena, sizeof(*g));
	const struct expr *by = s->ngroup > 0 ? s->group[0] : NULL;
	bool agrees = view->partition < 0;

	if (g == NULL)
		return no_memory(b);
	p->group = g;
	g->input = b->layout;
	if (view->partition >= 0) {
		const struct expr *out = s->outputs[view->partition].expr;

		if (out->kind == EXPR_COLUMN && out->column < s->ngroup) {
			by = s->group[out->column];
			agrees = true;
		}
	}
	g->stage = b->stage;
	*b->open = (struct edge){ EDGE_DIRECT, plan_input_group(p), g->stage, NULL };
	if (p->shards > 1 && (by == NULL || !lies_by(b->lies, b->nlies, by))) {
		b->open->stage = ++g->stage;
		b->open->kind = EDGE_ZERO;
		if (by != NULL && edge_route(b, b->open, by, &b->left, b->layout) != 0)
			return -1;
	}
	p->publish_stage = g->stage;
	g->edge = (struct edge){ EDGE_DIRECT, plan_input_publish(p), g->stage, NULL };
	if (p->shards > 1 && !agrees) {
		g->edge.stage = ++p->publish_stage;
		if (route_output(b, &g->edge) != 0)
			return -1;
	}
	return group_values(b, g) != 0 ? -1 : group_rows(b, g);
}

static int build_outputs(struct building *b)
{
	struct view_plan *p = b->p;
	const struct select *s = b->s;
	const struct expr **trees = arena_alloc(&p->arena, s->noutputs * sizeof(*trees));

	if (trees == NULL)
		return no_memory(b);
	for (unsigned i = 0; i < s->noutputs; i++)
		trees[i] = s->outputs[i].expr;
	p->outputs = project_left(b, trees, &p->view->layout);
	if (p->outputs == NULL)
		return -1;
	p->publish_stage = b->stage;
	p->publish = (struct edge){ EDGE_DIRECT, plan_input_publish(p), b->stage, NULL };
	if (p->shards > 1 && p->view->partition >= 0 &&
		!lies_by(b->lies, b->nlies, trees[p->view->partition])) {
		p->publish.stage = ++p->publish_stage;
		return route_output(b, &p->publish);
	}
	return 0;
}

static int build(struct building *b)
{
	struct view_plan *p = b->p;

	if (note_columns(b) != 0)
		return -1;
	if (b->s->nconjuncts >= COLUMNS_MAX)
		return error_set(b->e, ERR_TOO_COMPLEX, 0, "the view has too many conditions");
	p->nscans = b->s->nsources;
	p->scans = arena_zalloc(&p->arena, p->nscans * sizeof(*p->scans));
	p->joins = arena_zalloc(&p->arena, p->nscans * sizeof(*p->joins));
	if (p->scans == NULL || p->joins == NULL)
		return no_memory(b);
	p->njoins = p->nscans - 1;
	b->joined = 1;
	if (build_scan(b, 0, &b->left) != 0)
		return -1;
	b->layout = &p->scans[0].layout;
	b->open = &p->scans[0].edge;
	b->lies[0] = scan_lies(b, 0);
	if (b->lies[0] == NULL)
		return no_memory(b);
	b->nlies = 1;
	for (unsigned k = 0; k < p->njoins; k++) {
		struct candidate c = choose(b);

		if (c.source < 0)
			return error_set(b->e, ERR_FEATURE, 0,
				"a join without an equality of columns of one type is not supported");
		if (build_join(b, &c, k) != 0)
			return -1;
	}
	if (b->s->grouped) {
		if (build_group(b) != 0)
			return -1;
	} else {
		/* The last node hands its rows to the outputs directly. */
		*b->open = (struct edge){ EDGE_DIRECT, plan_input_group(p), b->stage, NULL };
		if (build_outputs(b) != 0)
			return -1;
	}
	p->stages = p->publish_stage + 1;
	if (p->stages > LIMIT_STAGES)
		return error_set(b->e, ERR_TOO_COMPLEX, 0, "the view needs too many exchanges");
	return 0;
}

int view_plan_new(struct view_plan **out, const struct relation *view, unsigned shards,
	struct heap *h, struct error *e)
{
	struct view_plan *p = heap_zalloc(h, sizeof(*p));
	struct building *b;
	int status;

	if (p == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	p->heap = h;
	p->view = view;
	p->shards = shards;
	arena_init(&p->arena, h);
	b = heap_zalloc(h, sizeof(*b));
	if (b == NULL) {
		view_plan_free(p);
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	}
	b->p = p;
	b->s = view->select;
	b->e = e;
	status = build(b);
	heap_free(h, b, sizeof(*b));
	if (status != 0) {
		view_plan_free(p);
		return -1;
	}
	*out = p;
	return 0;
}

void view_plan_free(struct view_plan *p)
{
	if (p == NULL)
		return;
	arena_free(&p->arena);
	heap_free(p->heap, p, sizeof(*p));
}

unsigned view_plan_stages(const struct view_plan *p)
{
	return p->stages;
}

static const char *edge_name(const struct edge *e)
{
	static const char *const NAMES[] = { "direct", "exchange by hash", "next stage",
		"to shard 0" };

	return NAMES[e->kind];
}

size_t view_plan_print(const struct view_plan *p, char *buf, size_t cap)
{
	size_t n = 0;

#define LINE(...) \
	do { \
		if (n < cap) \
			n += (size_t)snprintf(buf + n, cap - n, __VA_ARGS__); \
	} while (0)
	for (unsigned i = 0; i < p->nscans; i++)
		LINE("stage 0  scan %s%s  → %s\n", p->scans[i].relation->name,
			p->scans[i].filter != NULL ? " (filtered)" : "",
			edge_name(&p->scans[i].edge));
	for (unsigned i = 0; i < p->njoins; i++)
		LINE("stage %u  join on %u key%s  → %s\n", p->joins[i].stage,
			p->joins[i].side[0].nkeys, p->joins[i].side[0].nkeys == 1 ? "" : "s",
			edge_name(&p->joins[i].edge));
	if (p->group != NULL)
		LINE("stage %u  group by %u key%s  → %s\n", p->group->stage, p->group->nkeys,
			p->group->nkeys == 1 ? "" : "s", edge_name(&p->group->edge));
	LINE("stage %u  publish %s\n", p->publish_stage, p->view->name);
#undef LINE
	return n < cap ? n : cap;
}
