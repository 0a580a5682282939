/*
 * plan_expr.c: the expressions of a select, compiled over the rows that its nodes have.
 *
 * A select's trees read columns of its sources; a node's rows hold some of them, at the places its stream says.
 */
#include <string.h>

#include "core/base/assert.h"
#include "core/flow/plan_internal.h"

int plan_no_memory(struct building *b)
{
	return error_set(b->e, ERR_OUT_OF_MEMORY, 0, NULL);
}

void *plan_alloc(struct building *b, size_t size)
{
	void *p = arena_zalloc(&b->p->arena, size == 0 ? 1 : size);

	if (p == NULL)
		(void)plan_no_memory(b);
	return p;
}

/* --- places --- */

int places_find(const struct places *p, uint8_t source, uint16_t column)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->at[i].source == source && p->at[i].column == column)
			return (int)i;
	return -1;
}

int places_add(struct building *b, struct places *p, struct place at)
{
	if (p->n == PLAN_COLUMNS_MAX)
		return error_set(b->e, ERR_TOO_COMPLEX, 0, "the view uses too many columns");
	if (p->n == p->cap) {
		unsigned cap = p->cap == 0 ? 16 : 2 * p->cap;
		struct place *grown = plan_alloc(b, cap * sizeof(*grown));

		if (grown == NULL)
			return -1;
		if (p->n > 0)
			memcpy(grown, p->at, p->n * sizeof(*grown));
		p->at = grown;
		p->cap = cap;
	}
	p->at[p->n++] = at;
	return 0;
}

struct expr *plan_column(struct building *b, unsigned source, unsigned column, struct type type)
{
	struct expr *e = plan_alloc(b, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->kind = EXPR_COLUMN;
	e->source = (uint8_t)source;
	e->column = (uint16_t)column;
	e->type = type;
	return e;
}

/* --- trees --- */

/* A copy of a tree over the rows of streams: places of the left one are source 0, of the right one source 1. */
static struct expr *remap(struct building *b, const struct expr *e, const struct stream *left,
	const struct stream *right)
{
	struct expr *copy = plan_alloc(b, sizeof(*copy));

	if (copy == NULL)
		return NULL;
	*copy = *e;
	if (e->kind == EXPR_COLUMN && e->source != EXPR_PARAMS) {
		int at = places_find(&left->places, e->source, e->column);

		copy->source = 0;
		if (at < 0 && right != NULL) {
			at = places_find(&right->places, e->source, e->column);
			copy->source = 1;
		}
		ASSERT(at >= 0);
		copy->column = (uint16_t)at;
	}
	if (e->nargs > 0) {
		copy->args = plan_alloc(b, e->nargs * sizeof(*copy->args));
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

const struct expr *const *plan_remap(struct building *b, const struct expr *const *trees,
	unsigned n, const struct stream *left, const struct stream *right)
{
	const struct expr **copies = plan_alloc(b, (n + 1) * sizeof(*copies));

	for (unsigned i = 0; copies != NULL && i < n; i++) {
		copies[i] = remap(b, trees[i], left, right);
		if (copies[i] == NULL)
			return NULL;
	}
	return copies;
}

static const struct row_layout *layout_of(const struct stream *s)
{
	return s == NULL ? NULL : s->layout;
}

/* A copy of a tree of a query, in which parameters and the time are constants. */
static struct expr *constant(struct building *b, const struct expr *e)
{
	struct expr *copy = plan_alloc(b, sizeof(*copy));

	if (copy == NULL)
		return NULL;
	*copy = *e;
	if (e->kind == EXPR_COLUMN && e->source == EXPR_PARAMS) {
		copy->kind = EXPR_CONST;
		row_get(b->p->param_layout, b->p->params, e->column, &copy->constant);
	} else if (e->kind == EXPR_NOW) {
		copy->kind = EXPR_CONST;
		copy->constant = (struct value){ .i = b->p->now_us, .type = TYPE_TIMESTAMPTZ };
	}
	if (e->nargs > 0)
		copy->args = plan_alloc(b, e->nargs * sizeof(*copy->args));
	for (unsigned i = 0; i < e->nargs && copy->args != NULL; i++) {
		copy->args[i] = constant(b, e->args[i]);
		if (copy->args[i] == NULL)
			return NULL;
	}
	return copy->args == NULL && e->nargs > 0 ? NULL : copy;
}

/* The trees, of a query as constant() has them. */
static const struct expr *const *constants(
	struct building *b, const struct expr *const *trees, unsigned n)
{
	const struct expr **copies;

	if (b->p->param_layout == NULL)
		return trees;
	copies = plan_alloc(b, (n + 1) * sizeof(*copies));
	for (unsigned i = 0; copies != NULL && i < n; i++) {
		copies[i] = constant(b, trees[i]);
		if (copies[i] == NULL)
			return NULL;
	}
	return copies;
}

struct program *plan_compile(struct building *b, const struct expr *const *trees, unsigned n,
	const struct row_layout *l0, const struct row_layout *l1)
{
	const struct row_layout *layouts[EXPR_SOURCES] = { l0, l1 };
	const struct expr *const *bound = constants(b, trees, n);

	return bound == NULL ? NULL : program_compile(bound, n, layouts, &b->p->arena, b->e);
}

struct program *plan_compile_over(struct building *b, const struct expr *const *trees, unsigned n,
	const struct stream *left, const struct stream *right)
{
	const struct expr *const *copies = plan_remap(b, trees, n, left, right);

	return copies == NULL ? NULL : plan_compile(b, copies, n, left->layout, layout_of(right));
}

static struct projection *project(struct building *b, const struct expr *const *trees,
	const struct row_layout *l0, const struct row_layout *l1, const struct row_layout *to)
{
	const struct row_layout *layouts[EXPR_SOURCES] = { l0, l1 };
	const struct expr *const *bound = constants(b, trees, to->ncols);

	return bound == NULL ? NULL : projection_compile(bound, layouts, to, &b->p->arena, b->e);
}

struct projection *plan_project(struct building *b, const struct expr *const *trees,
	const struct row_layout *l0, const struct row_layout *to)
{
	return project(b, trees, l0, NULL, to);
}

struct projection *plan_project_over(struct building *b, const struct expr *const *trees,
	const struct row_layout *to, const struct stream *left, const struct stream *right,
	struct trees *from)
{
	*from = (struct trees){ to->ncols, plan_remap(b, trees, to->ncols, left, right) };
	return from->at == NULL ? NULL : project(b, from->at, left->layout, layout_of(right), to);
}

struct projection *plan_columns(struct building *b, const struct places *to,
	struct row_layout *layout, const struct stream *left, const struct stream *right,
	struct trees *from)
{
	struct type *types = plan_alloc(b, to->n * sizeof(*types));
	const struct expr **trees = plan_alloc(b, to->n * sizeof(*trees));

	if (types == NULL || trees == NULL)
		return NULL;
	for (unsigned i = 0; i < to->n; i++) {
		const struct place at = to->at[i];

		types[i] = b->s->sources[at.source]->columns[at.column].type;
		trees[i] = plan_column(b, at.source, at.column, types[i]);
		if (trees[i] == NULL)
			return NULL;
	}
	if (row_layout_init(layout, types, to->n, &b->p->arena, b->e) != 0)
		return NULL;
	return plan_project_over(b, trees, layout, left, right, from);
}

int plan_filter(struct building *b, const struct expr *const *list, unsigned n,
	const struct stream *left, const struct stream *right, struct program **out,
	const struct expr **from)
{
	const struct expr *const *copies;
	struct expr *all;

	*out = NULL;
	*from = NULL;
	if (n == 0)
		return 0;
	copies = plan_remap(b, list, n, left, right);
	all = plan_alloc(b, sizeof(*all));
	if (copies == NULL || all == NULL)
		return -1;
	all->kind = EXPR_AND;
	all->type.id = TYPE_BOOL;
	all->nargs = (uint16_t)n;
	all->args = plan_alloc(b, n * sizeof(*all->args));
	if (all->args == NULL)
		return -1;
	memcpy(all->args, copies, n * sizeof(*all->args));
	*from = n == 1 ? copies[0] : all;
	*out = plan_compile(b, from, 1, left->layout, layout_of(right));
	return *out == NULL ? -1 : 0;
}
