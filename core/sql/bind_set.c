/*
 * bind_set.c: UNION, INTERSECT and EXCEPT, and VALUES: selects of branches.
 *
 * UNION is a group by all columns over UNION ALL. INTERSECT and EXCEPT are groups over the rows of both sides, marked, which
 * ask how many of each there are.
 */
#include <stdio.h>
#include <string.h>

#include "core/sql/bind.h"

/* Give a select's outputs these types. */
static void cast_outputs(struct select *s, struct expr *const *exprs)
{
	for (unsigned i = 0; i < s->noutputs; i++) {
		s->outputs[i].expr = exprs[i];
		s->outputs[i].type = exprs[i]->type;
	}
}

/* Bring the columns of branches to their common types. */
static int unify_branches(struct binder *b, struct select **branches, unsigned n, const char *name)
{
	unsigned ncols = branches[0]->noutputs;
	struct expr ***exprs = bind_alloc(b, n * sizeof(*exprs));
	struct expr **column = bind_alloc(b, n * sizeof(*column));

	if (exprs == NULL || column == NULL)
		return -1;
	for (unsigned k = 0; k < n; k++) {
		exprs[k] = bind_alloc(b, (ncols + 1) * sizeof(*exprs[k]));
		if (exprs[k] == NULL)
			return -1;
	}
	for (unsigned i = 0; i < ncols; i++) {
		struct type t;

		for (unsigned k = 0; k < n; k++)
			column[k] = branches[k]->outputs[i].expr;
		if (bind_unify(b, column, n, name, &t) != 0)
			return -1;
		for (unsigned k = 0; k < n; k++) {
			exprs[k][i] = bind_settle(b, column[k]);
			if (exprs[k][i] == NULL)
				return -1;
			exprs[k][i]->type = t.id == TYPE_UNKNOWN ? exprs[k][i]->type : t;
		}
	}
	for (unsigned k = 0; k < n; k++)
		cast_outputs(branches[k], exprs[k]);
	return 0;
}

struct select *bind_union_all(struct binder *b, struct select **branches, unsigned n)
{
	struct select *s = bind_select_new(b);

	if (s == NULL)
		return NULL;
	s->branches = branches;
	s->nbranches = n;
	s->outputs = branches[0]->outputs;
	s->noutputs = branches[0]->noutputs;
	s->nvisible = branches[0]->nvisible;
	return s;
}

static struct select *set_branch(struct binder *b, const PgQuery__SelectStmt *p)
{
	struct select *s;

	b->unsettled = true;
	s = bind_nested(b, p, false);
	b->unsettled = false;
	/* One whose outputs can be cast. */
	return s == NULL || (s->nbranches == 0 && s->window == NULL) ? s : bind_over(b, s);
}

int bind_output_append(struct binder *b, struct select *s, struct expr *e)
{
	struct output *grown = bind_alloc(b, (s->noutputs + 1) * sizeof(*grown));

	if (grown == NULL || e == NULL)
		return -1;
	if (s->noutputs > 0)
		memcpy(grown, s->outputs, s->noutputs * sizeof(*grown));
	grown[s->noutputs++] = (struct output){ "", e->type, e };
	s->outputs = grown;
	return 0;
}

/* count(*) FILTER (WHERE side = n) > 0, or = 0, over a select whose last column is the side. */
static struct expr *side_has(
	struct binder *b, struct select *s, unsigned side, const char *op, unsigned n)
{
	struct aggregate *a = &s->aggregates[s->naggregates];
	struct expr *column = bind_column(b, 0, s->sources[0], side, -1);
	struct expr *wanted = bind_int_const(b, n, TYPE_INT4), *count;

	if (column == NULL || wanted == NULL)
		return NULL;
	*a = (struct aggregate){ .kind = AGG_COUNT_STAR, .type = { .id = TYPE_INT8 } };
	a->filter = bind_operator(b, "=", column, wanted, -1);
	count = expr_new(b, EXPR_COLUMN, TYPE_INT8, -1);
	if (a->filter == NULL || count == NULL)
		return NULL;
	count->column = (uint16_t)(s->ngroup + s->naggregates++);
	return bind_operator(b, op, count, bind_int_const(b, 0, TYPE_INT8), -1);
}

/* INTERSECT and EXCEPT: the rows of both sides, marked, by what they are. */
static struct select *intersect(struct binder *b, struct select **branches, bool except)
{
	unsigned n = branches[0]->noutputs;
	struct expr *left, *right;
	struct select *all, *s;

	for (unsigned k = 0; k < 2; k++)
		if (bind_output_append(b, branches[k], bind_int_const(b, k, TYPE_INT4)) != 0)
			return NULL;
	all = bind_union_all(b, branches, 2);
	s = all == NULL ? NULL : bind_over(b, all);
	if (s == NULL)
		return NULL;
	s->noutputs = n;
	s->aggregates = bind_alloc(b, 2 * sizeof(*s->aggregates));
	if (s->aggregates == NULL || bind_group_all(b, s) != 0)
		return NULL;
	left = side_has(b, s, n, ">", 0);
	right = left == NULL ? NULL : side_has(b, s, n, except ? "=" : ">", 1);
	if (right == NULL)
		return NULL;
	s->having = expr_args(b, expr_new(b, EXPR_AND, TYPE_BOOL, -1), 2);
	if (s->having == NULL)
		return NULL;
	s->having->args[0] = left;
	s->having->args[1] = right;
	for (unsigned i = 0; i < n; i++) {
		s->outputs[i].expr->source = 0;
		s->outputs[i].expr->column = (uint16_t)i;
	}
	return s;
}

/* With ALL the rows that are equal are numbered first, so that they differ. */
static struct select *intersect_all(struct binder *b, struct select **branches, bool except)
{
	unsigned n = branches[0]->noutputs;
	struct select *s;

	for (unsigned k = 0; k < 2; k++) {
		branches[k] = bind_numbered(b, branches[k]);
		branches[k] = branches[k] == NULL ? NULL : bind_over(b, branches[k]);
		if (branches[k] == NULL)
			return NULL;
	}
	s = intersect(b, branches, except);
	s = s == NULL ? NULL : bind_over(b, s);
	if (s != NULL)
		s->noutputs = n;
	return s;
}

struct select *bind_set_operation(struct binder *b, const PgQuery__SelectStmt *p)
{
	static const char *const NAMES[] = { "UNION", "INTERSECT", "EXCEPT" };
	unsigned op = (unsigned)p->op - PG_QUERY__SET_OPERATION__SETOP_UNION;
	struct select **branches = bind_alloc(b, 2 * sizeof(struct select *)), *s;

	if (branches == NULL)
		return NULL;
	branches[0] = set_branch(b, p->larg);
	branches[1] = branches[0] == NULL ? NULL : set_branch(b, p->rarg);
	if (branches[1] == NULL)
		return NULL;
	if (branches[0]->noutputs != branches[1]->noutputs) {
		bind_fail(b, ERR_SYNTAX,
			p->rarg->n_target_list > 0 ? node_location(p->rarg->target_list[0]) : -1,
			"each %s query must have the same number of columns", NAMES[op]);
		return NULL;
	}
	if (unify_branches(b, branches, 2, NAMES[op]) != 0)
		return NULL;
	if (op != 0 && p->all)
		return intersect_all(b, branches, op == 2);
	if (op != 0)
		return intersect(b, branches, op == 2);
	s = bind_union_all(b, branches, 2);
	if (s == NULL || p->all)
		return s;
	s = bind_over(b, s);
	return s == NULL || bind_group_all(b, s) != 0 || bind_finish_group(b, s) != 0 ? NULL : s;
}

/* --- VALUES --- */

static struct select *bind_values_row(struct binder *b, const PgQuery__List *row)
{
	struct select *s = bind_select_new(b);

	if (s == NULL)
		return NULL;
	s->outputs = bind_alloc(b, row->n_items * sizeof(*s->outputs));
	if (s->outputs == NULL)
		return NULL;
	b->no_aggregates = "VALUES";
	for (size_t i = 0; i < row->n_items; i++) {
		char name[32];
		struct expr *e = bind_expr(b, row->items[i]);

		(void)snprintf(name, sizeof(name), "column%zu", i + 1);
		if (e == NULL)
			return NULL;
		s->outputs[i] = (struct output){ bind_keep(b, name), e->type, e };
		if (s->outputs[i].name == NULL)
			return NULL;
		s->noutputs++;
	}
	s->grouped = true;
	return s;
}

struct select *bind_values(struct binder *b, const PgQuery__SelectStmt *p)
{
	struct select **rows = bind_alloc(b, p->n_values_lists * sizeof(struct select *));

	if (rows == NULL)
		return NULL;
	for (size_t i = 0; i < p->n_values_lists; i++) {
		rows[i] = bind_values_row(b, p->values_lists[i]->list);
		if (rows[i] == NULL)
			return NULL;
		if (rows[i]->noutputs != rows[0]->noutputs) {
			bind_fail(b, ERR_SYNTAX, -1, "VALUES lists must all be the same length");
			return NULL;
		}
	}
	if (unify_branches(b, rows, (unsigned)p->n_values_lists, "VALUES") != 0)
		return NULL;
	return p->n_values_lists == 1 ? rows[0]
				      : bind_union_all(b, rows, (unsigned)p->n_values_lists);
}
