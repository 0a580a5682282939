/*
 * query_compile.c: what a query needs to run, compiled once at prepare time into the statement's arena.
 */
#include "core/flow/query_internal.h"

#include "core/base/limits.h"
#include "core/flow/aggregate.h"

struct compile {
	struct statement *s;
	struct compiled_query *k;
	const struct row_layout *layouts[EXPR_SOURCES];
	struct error *e;
};

static struct program *compile(struct compile *c, const struct expr *const *trees, unsigned n)
{
	return program_compile(trees, n, c->layouts, &c->s->arena, c->e);
}

static int no_memory(struct error *e)
{
	return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
}

static int compile_access(struct compile *c)
{
	const struct access *a = &c->s->query.access;
	const struct relation *r = c->s->relation;
	struct compiled_query *k = c->k;

	if (r == NULL || a->kind == ACCESS_SCAN)
		return 0;
	if (a->kind != ACCESS_RANGE || a->width > 0)
		k->keys = compile(c, (const struct expr *const *)a->keys, a->nkeys * a->width);
	if (a->kind == ACCESS_RANGE)
		return k->keys == NULL && a->width > 0 ? -1 : 0;
	k->key_types = arena_alloc(&c->s->arena, a->width * sizeof(*k->key_types));
	if (k->keys == NULL)
		return -1;
	if (k->key_types == NULL)
		return no_memory(c->e);
	k->key_from_params = a->nkeys == 1;
	for (unsigned i = 0; i < a->width; i++) {
		unsigned source, column;

		k->key_types[i] = r->columns[a->cols[i]].type;
		k->key_from_params &= program_column(k->keys, i, &source, &column) == 0 &&
			source == EXPR_PARAMS;
		if (k->key_from_params)
			k->key_params[i] = (uint16_t)column;
	}
	return row_layout_init(&k->key_layout, k->key_types, a->width, &c->s->arena, c->e);
}

static int compile_list(
	struct compile *c, struct program **out, const struct expr **trees, unsigned n)
{
	*out = compile(c, trees, n);
	return *out == NULL ? -1 : 0;
}

/* The AND of the first n conjuncts. */
static int compile_filter(struct compile *c, struct program **out, unsigned n)
{
	const struct select *s = c->s->query.select;
	struct expr *all;
	const struct expr *tree;

	if (n == 0)
		return 0;
	all = arena_zalloc(&c->s->arena, sizeof(*all));
	if (all == NULL)
		return no_memory(c->e);
	all->kind = EXPR_AND;
	all->type.id = TYPE_BOOL;
	all->nargs = (uint16_t)n;
	all->args = s->conjuncts;
	tree = n == 1 ? s->conjuncts[0] : all;
	return compile_list(c, out, &tree, 1);
}

static int compile_filters(struct compile *c)
{
	const struct select *s = c->s->query.select;
	const struct access *a = &c->s->query.access;

	if (compile_filter(c, &c->k->filter, s->nconjuncts) != 0)
		return -1;
	return compile_filter(c, &c->k->scan_filter, s->nconjuncts + a->nanswered);
}

/* What an aggregate is over: where its filter is not true the argument is not computed, since it may fail. */
static const struct expr *argument_of(
	struct compile *c, const struct aggregate *a, const struct expr *yes)
{
	struct expr *guarded, *null, **args;

	if (a->arg == NULL || a->filter == NULL)
		return a->arg != NULL ? a->arg : yes;
	guarded = arena_zalloc(&c->s->arena, sizeof(*guarded));
	null = arena_zalloc(&c->s->arena, sizeof(*null));
	args = arena_alloc(&c->s->arena, 3 * sizeof(struct expr *));
	if (guarded == NULL || null == NULL || args == NULL)
		return NULL;
	*null = (struct expr){ .kind = EXPR_CONST, .type = a->arg->type };
	null->constant = (struct value){ .flags = VALUE_NULL, .type = a->arg->type.id };
	args[0] = a->filter;
	args[1] = a->arg;
	args[2] = null;
	*guarded = (struct expr){
		.kind = EXPR_CASE, .type = a->arg->type, .nargs = 3, .args = args
	};
	return guarded;
}

static int compile_group(struct compile *c)
{
	struct select *s = c->s->query.select;
	struct compiled_query *k = c->k;
	unsigned n = s->ngroup + s->naggregates;
	struct type *types = arena_alloc(&c->s->arena, (n + 1) * sizeof(*types));
	const struct expr **trees = arena_alloc(&c->s->arena, (2 * n + 1) * sizeof(*trees));
	struct expr *yes = arena_zalloc(&c->s->arena, sizeof(*yes));

	k->states = arena_alloc(&c->s->arena, (s->naggregates + 1) * sizeof(*k->states));
	if (types == NULL || trees == NULL || yes == NULL || k->states == NULL)
		return no_memory(c->e);
	yes->kind = EXPR_CONST;
	yes->type.id = yes->constant.type = TYPE_BOOL;
	yes->constant.i = 1;
	for (unsigned i = 0; i < s->ngroup; i++)
		types[i] = s->group[i]->type;
	for (unsigned i = 0; i < s->naggregates; i++) {
		const struct aggregate *a = &s->aggregates[i];

		types[s->ngroup + i] = a->type;
		k->states[i] = k->states_bytes;
		k->states_bytes += aggregate_bytes(a);
		trees[2 * i] = argument_of(c, a, yes);
		if (trees[2 * i] == NULL)
			return no_memory(c->e);
		trees[2 * i + 1] = a->filter != NULL ? a->filter : yes;
	}
	if (row_layout_init(&k->group_keys, types, s->ngroup, &c->s->arena, c->e) != 0 ||
		row_layout_init(&k->group_row, types, n, &c->s->arena, c->e) != 0 ||
		compile_list(c, &k->aggregates, trees, 2 * s->naggregates) != 0)
		return -1;
	if (s->ngroup > LIMIT_KEY_COLUMNS)
		return error_set(c->e, ERR_TOO_MANY_COLUMNS, 0,
			"a query may group by at most %d columns", LIMIT_KEY_COLUMNS);
	if (s->ngroup > 0 &&
		compile_list(c, &k->group, (const struct expr **)s->group, s->ngroup) != 0)
		return -1;
	c->layouts[0] = &k->group_row;
	if (s->having == NULL)
		return 0;
	return compile_list(c, &k->having, (const struct expr *[]){ s->having }, 1);
}

static int compile_rest(struct compile *c)
{
	const struct select *s = c->s->query.select;
	const struct expr **trees = arena_alloc(
		&c->s->arena, (s->noutputs + s->norder + 2) * sizeof(*trees));
	static const struct value NO_LIMIT = { .type = TYPE_INT8, .flags = VALUE_NULL };
	struct expr *none = arena_zalloc(&c->s->arena, sizeof(*none));

	if (trees == NULL || none == NULL)
		return no_memory(c->e);
	for (unsigned i = 0; i < s->noutputs; i++)
		trees[i] = s->outputs[i].expr;
	c->k->outputs = projection_compile(
		trees, c->layouts, &c->s->result_layout, &c->s->arena, c->e);
	if (c->k->outputs == NULL)
		return -1;
	for (unsigned i = 0; i < s->norder; i++)
		trees[i] = s->order[i].expr;
	if (s->norder > 0 && compile_list(c, &c->k->order, trees, s->norder) != 0)
		return -1;
	if (s->limit == NULL && s->offset == NULL)
		return 0;
	none->kind = EXPR_CONST;
	none->type.id = TYPE_INT8;
	none->constant = NO_LIMIT;
	trees[0] = s->limit != NULL ? s->limit : none;
	trees[1] = s->offset != NULL ? s->offset : none;
	return compile_list(c, &c->k->limit, trees, 2);
}

int query_compile(struct statement *s, struct error *e)
{
	struct compile c = { .s = s, .e = e };

	c.k = arena_zalloc(&s->arena, sizeof(*c.k));
	if (c.k == NULL)
		return no_memory(e);
	s->compiled = c.k;
	if (s->query.analyzed != NULL)
		return query_compile(s->query.analyzed, e);
	if (s->query.nlines > 0)
		return 0;
	c.layouts[EXPR_PARAMS] = &s->param_layout;
	c.layouts[EXPR_SYSTEM] = s->system;
	if (s->relation != NULL)
		c.layouts[0] = &s->relation->layout;
	if (compile_access(&c) != 0 || compile_filters(&c) != 0)
		return -1;
	if (s->query.select->grouped && compile_group(&c) != 0)
		return -1;
	return compile_rest(&c);
}
