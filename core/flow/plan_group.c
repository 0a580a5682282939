/*
 * plan_group.c: GROUP BY and aggregates.
 */
#include <string.h>

#include "core/flow/aggregate.h"
#include "core/flow/plan_internal.h"

enum { GROUP_TEXT_ROOM = 24 /* bytes for a text of an output */ };

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
	struct building *b, const struct stream *in, struct aggregate_plan *out)
{
	out->filter = plan_compile(b, &out->where, 1, in->layout, NULL);
	if (out->filter == NULL)
		return -1;
	if (out->of == NULL)
		return 0;
	out->argument = plan_compile(b, &out->of, 1, in->layout, NULL);
	return out->argument == NULL ? -1 : 0;
}

/* Over the input's rows; NULL stays NULL. */
static int over_input(
	struct building *b, const struct stream *in, const struct expr *e, const struct expr **out)
{
	const struct expr *const *copies = e == NULL ? NULL : plan_remap(b, &e, 1, in, NULL);

	*out = copies == NULL ? NULL : copies[0];
	return e != NULL && copies == NULL ? -1 : 0;
}

/* How a group's memory is laid out. */
static void group_memory(struct group_plan *g)
{
	uint32_t output = g->out->fixed;

	for (unsigned i = 0; i < g->naggregates; i++) {
		g->inputs[i].state = g->states_bytes;
		g->states_bytes += aggregate_bytes(&g->aggregates[i]);
	}
	for (unsigned c = 0; c < g->out->ncols; c++)
		if (type_is_bytes((enum type_id)g->out->types[c].id))
			output += GROUP_TEXT_ROOM;
	g->output_bytes = (output + 7) & ~UINT32_C(7);
}

static int group_values(struct building *b, const struct stream *in, struct group_plan *g)
{
	const struct select *s = b->s;
	const struct expr **trees = plan_alloc(b, (s->naggregates + 1) * sizeof(*trees));

	g->inputs = plan_alloc(b, (s->naggregates + 1) * sizeof(*g->inputs));
	if (trees == NULL || g->inputs == NULL)
		return -1;
	for (unsigned i = 0; i < s->naggregates; i++) {
		const struct aggregate *a = &s->aggregates[i];

		g->inputs[i].value = -1;
		if (over_input(b, in, a->arg, &g->inputs[i].of) != 0 ||
			over_input(b, in, a->filter, &g->inputs[i].where) != 0)
			return -1;
		if (a->filter != NULL) {
			if (filtered_aggregate(b, in, &g->inputs[i]) != 0)
				return -1;
		} else if (a->arg != NULL) {
			g->inputs[i].value = value_number(trees, &g->nvalues, g->inputs[i].of);
		}
	}
	g->counts = true;
	for (unsigned i = 0; i < s->naggregates; i++)
		g->counts &= s->aggregates[i].kind == AGG_COUNT_STAR &&
			s->aggregates[i].filter == NULL;
	g->naggregates = s->naggregates;
	g->aggregates = s->aggregates;
	group_memory(g);
	if (g->nvalues == 0)
		return 0;
	g->values = plan_compile(b, trees, g->nvalues, in->layout, NULL);
	return g->values == NULL ? -1 : 0;
}

/* See whether the keys are plain columns. */
static int group_columns(struct building *b, const struct stream *in, struct group_plan *g)
{
	uint16_t *cols = plan_alloc(b, (g->nkeys + 1) * sizeof(*cols));
	const struct program *keys;

	if (cols == NULL)
		return -1;
	rowkey_init(&g->own, &g->key_layout, g->sequence, g->nkeys);
	g->by = g->own;
	if (g->nkeys == 0)
		return 0;
	keys = plan_compile_over(b, (const struct expr *const *)b->s->group, g->nkeys, in, NULL);
	if (keys == NULL)
		return -1;
	if (projection_columns(keys, g->nkeys, cols)) {
		g->cols = cols;
		rowkey_init(&g->by, g->input, cols, g->nkeys);
	}
	return 0;
}

/* See whether the output row is keys and aggregates as they are. */
static int group_outputs(
	struct building *b, struct group_plan *g, const struct expr *const *outputs)
{
	const struct row_layout *l = g->out;
	uint16_t *columns = plan_alloc(b, (l->ncols + 1u) * sizeof(*columns));
	const struct program *p = plan_compile(b, outputs, l->ncols, &g->row, NULL);
	bool plain;

	g->changing = plan_alloc(b, (l->ncols + 1u) * sizeof(*g->changing));
	if (columns == NULL || g->changing == NULL || p == NULL)
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

static int group_rows(struct building *b, const struct stream *in, struct group_plan *g)
{
	const struct select *s = b->s;
	unsigned n = s->ngroup + s->naggregates;
	struct type *types = plan_alloc(b, (n + 1) * sizeof(*types));
	const struct expr **outputs = plan_alloc(b, s->noutputs * sizeof(*outputs));

	g->sequence = plan_alloc(b, (s->ngroup + 1) * sizeof(*g->sequence));
	if (types == NULL || outputs == NULL || g->sequence == NULL)
		return -1;
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
	g->outputs = plan_project(b, outputs, &g->row, g->out);
	if (g->outputs == NULL)
		return -1;
	if (s->having != NULL) {
		const struct expr *having = s->having;

		g->having = plan_compile(b, &having, 1, &g->row, NULL);
		if (g->having == NULL)
			return -1;
	}
	g->select = s;
	g->nkeys = s->ngroup;
	if (s->ngroup > 0) {
		g->keys = plan_project_over(b, (const struct expr *const *)s->group, &g->key_layout,
			in, NULL, &g->key_trees);
		if (g->keys == NULL)
			return -1;
	}
	return group_outputs(b, g, outputs) != 0 ? -1 : group_columns(b, in, g);
}

/* The number of the key by which groups are spread: the one wanted, or one by which the rows lie already. */
static unsigned spread_by(
	const struct select *s, const struct stream *in, const struct expr *wanted)
{
	if (wanted != NULL && wanted->kind == EXPR_COLUMN && wanted->column < s->ngroup)
		return wanted->column;
	for (unsigned i = 0; i < s->ngroup; i++)
		if (plan_lies_by(in, s->group[i]))
			return i;
	return 0;
}

int plan_group(struct building *b, struct stream *in, const struct expr *wanted, struct result *out)
{
	const struct select *s = b->s;
	struct node_plan *n = plan_node(b, NODE_GROUP);
	struct group_plan *g;
	unsigned number = spread_by(s, in, wanted);
	const struct expr *by = s->ngroup > 0 ? s->group[number] : NULL;

	if (n == NULL)
		return -1;
	g = &n->group;
	if (!plan_moves(b, in, by) && plan_whole_rows(b, in) != 0)
		return -1;
	g->input = in->layout;
	g->out = &out->layout;
	n->stage = in->stage + plan_moves(b, in, by);
	if (plan_lead_by(b, in, node_input(n), n->stage, by) != 0)
		return -1;
	for (unsigned i = 0; s->ngroup > 0 && i < s->noutputs; i++) {
		const struct expr *e = s->outputs[i].expr;

		if (e->kind == EXPR_COLUMN && e->column == number && out->nlies < PLAN_LIES_MAX)
			out->lies[out->nlies++] = (uint16_t)i;
	}
	out->zero = s->ngroup == 0;
	out->nopen = 1;
	out->open = plan_alloc(b, sizeof(*out->open));
	if (out->open == NULL)
		return -1;
	out->open[0] = (struct open_edge){ &g->edge, n->stage };
	out->stage = n->stage;
	return group_rows(b, in, g) != 0 ? -1 : group_values(b, in, g);
}
