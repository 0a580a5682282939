/*
 * bind_row_subquery.c: comparisons of a row with the rows of a subquery, as subqueries of other forms:
 *
 *     (a, b) IN (SELECT x, y …)    CASE WHEN EXISTS (… AND a = x AND b = y) THEN true
 *                                       WHEN EXISTS (… AND (a = x AND b = y) IS NULL) THEN NULL ELSE false END
 *     (a, b) = (SELECT x, y …)     a = (SELECT x …) AND b = (SELECT y …)
 *
 * The select is bound once for each. Where no column can be NULL the first EXISTS is all of IN.
 */
#include <string.h>

#include "core/sql/bind.h"

enum { ROW_WIDTH_MAX = LIMIT_OUTER_COLUMNS };

struct row {
	unsigned n;
	struct expr *at[ROW_WIDTH_MAX];
	int location;
};

static int is_placed(struct expr *e, void *arg)
{
	(void)arg;
	return e->kind == EXPR_SUBQUERY || (e->kind == EXPR_COLUMN && e->source == SOURCE_WINDOW);
}

static int bind_row(struct binder *b, struct row *r, const PgQuery__RowExpr *row, int location)
{
	*r = (struct row){ .location = location };
	if (row->n_args == 0 || row->n_args > ROW_WIDTH_MAX) {
		bind_unsupported(b, location, "a row of so many values");
		return -1;
	}
	for (size_t i = 0; i < row->n_args; i++) {
		struct expr *e = bind_expr(b, row->args[i]);

		if (e == NULL)
			return -1;
		if (expr_walk(e, is_placed, NULL) != 0) {
			bind_unsupported(b, location, "a subquery or window function in a row");
			return -1;
		}
		r->at[r->n++] = e;
	}
	return 0;
}

static int check_width(struct binder *b, const struct select *s, unsigned n, int location)
{
	if (s->noutputs == n)
		return 0;
	return bind_fail(b, ERR_SYNTAX, location, "subquery has too %s columns",
		s->noutputs > n ? "many" : "few");
}

static bool is_plain(const struct select *s)
{
	return s->nbranches == 0 && s->window == NULL && !s->grouped && s->norder == 0 &&
		s->limit == NULL && s->offset == NULL;
}

/* --- IN --- */

/* An expression of the select around, in the one within. */
static struct expr *as_outer(struct binder *b, const struct expr *x)
{
	struct expr *copy = bind_copy(b, x), *e;

	if (copy == NULL || x->type.id == TYPE_UNKNOWN || expr_is_constant(x))
		return copy;
	e = expr_new(b, EXPR_OUTER, (enum type_id)x->type.id, -1);
	if (e == NULL)
		return NULL;
	e->type = x->type;
	e->position = x->position;
	e->args = bind_alloc(b, sizeof(struct expr *));
	if (e->args == NULL)
		return NULL;
	e->args[0] = copy;
	b->nouter++;
	return e;
}

/* A column of a table that cannot be NULL, also not by an outer join. */
static bool never_null(const struct select *s, const struct expr *e)
{
	const struct relation *r;

	if (e->kind == EXPR_CONST)
		return !value_is_null(&e->constant);
	if (e->kind != EXPR_COLUMN || e->source >= s->nsources)
		return false;
	r = s->sources[e->source];
	if (r->kind != RELATION_TABLE || !r->columns[e->column].not_null)
		return false;
	for (unsigned i = 0; i < s->from.n; i++)
		if (s->from.items[i].kind == FROM_SOURCE && s->from.items[i].source == e->source)
			return true;
	return false;
}

/* Whether the select's rows may compare as NULL with the row. */
static bool may_be_null(struct binder *b, const struct row *r, const struct select *s)
{
	for (unsigned i = 0; i < r->n; i++)
		if (!never_null(b->level.select, r->at[i]) || !is_plain(s) ||
			!never_null(s, s->outputs[i].expr))
			return true;
	return false;
}

/* The select with those rows only that are equal, or with `unknown` may be. */
static struct select *equal_rows(
	struct binder *b, struct select *s, const struct row *r, bool unknown)
{
	struct expr *all = NULL;

	if (!is_plain(s))
		s = bind_over(b, s);
	for (unsigned i = 0; s != NULL && i < r->n; i++) {
		struct expr *x = as_outer(b, r->at[i]), *y = bind_copy(b, s->outputs[i].expr), *one;

		one = x == NULL || y == NULL ? NULL : bind_operator(b, "=", x, y, r->location);
		all = i == 0 ? one : bind_both(b, EXPR_AND, all, one, r->location);
		if (all == NULL)
			return NULL;
	}
	if (unknown)
		all = bind_is_null(b, all, false);
	if (s == NULL || all == NULL ||
		bind_conjuncts(b, all, &s->from.conjuncts, &s->from.nconjuncts) != 0)
		return NULL;
	return s;
}

/* EXISTS such a row. nullable: there may be rows of which it is unknown. */
static struct expr *exists(struct binder *b, const PgQuery__SubLink *p, const struct row *r,
	bool unknown, bool *nullable)
{
	unsigned before = b->nouter;
	struct select *s = bind_nested(b, p->subselect->select_stmt, true);

	if (s == NULL || check_width(b, s, r->n, r->location) != 0)
		return NULL;
	*nullable = may_be_null(b, r, s);
	s = equal_rows(b, s, r, unknown);
	return s == NULL ? NULL : bind_exists_of(b, s, before, r->location);
}

bool bind_row_in_is(const struct expr *e)
{
	return e->kind == EXPR_CASE && e->nargs == 5 && e->args[0]->kind == EXPR_SUBQUERY &&
		e->args[2]->kind == EXPR_SUBQUERY && e->args[1]->kind == EXPR_CONST &&
		e->args[3]->kind == EXPR_CONST && e->args[4]->kind == EXPR_CONST &&
		e->args[1]->constant.i == 1 && value_is_null(&e->args[3]->constant) &&
		e->args[4]->constant.i == 0 && e->type.id == TYPE_BOOL;
}

struct expr *bind_row_in(struct binder *b, const PgQuery__SubLink *p, bool in)
{
	struct row r;
	struct expr *found, *e = NULL;
	bool nullable;

	if (!in)
		return bind_unsupported(b, p->location, "this comparison of rows with a subquery");
	if (bind_row(b, &r, p->testexpr->row_expr, p->location) != 0)
		return NULL;
	found = exists(b, p, &r, false, &nullable);
	if (found == NULL)
		return NULL;
	if (nullable) {
		e = expr_args(b, expr_new(b, EXPR_CASE, TYPE_BOOL, p->location), 5);
		if (e == NULL)
			return NULL;
		e->args[0] = found;
		e->args[1] = bind_boolean(b, 1);
		e->args[2] = exists(b, p, &r, true, &nullable);
		e->args[3] = bind_boolean(b, -1);
		e->args[4] = bind_boolean(b, 0);
		for (unsigned i = 0; i < 5; i++)
			if (e->args[i] == NULL)
				return NULL;
		found = e;
	}
	return p->sub_link_type == PG_QUERY__SUB_LINK_TYPE__ALL_SUBLINK
		? bind_negated(b, found, p->location)
		: found;
}

/* --- = and <> --- */

/* The value of one column of the subquery. */
static struct expr *column_value(
	struct binder *b, const PgQuery__SubLink *p, unsigned column, unsigned width, int location)
{
	unsigned before = b->nouter;
	struct select *s = bind_nested(b, p->subselect->select_stmt, true);

	if (s == NULL || check_width(b, s, width, location) != 0)
		return NULL;
	if (s->nbranches > 0 || s->window != NULL)
		s = bind_over(b, s);
	if (s == NULL)
		return NULL;
	s->outputs += column;
	s->noutputs = 1;
	return bind_value_of(b, s, before, location);
}

struct expr *bind_row_value(struct binder *b, const PgQuery__RowExpr *row, const char *op,
	const PgQuery__SubLink *p, int location)
{
	bool equal = strcmp(op, "=") == 0;
	struct expr *all = NULL;
	struct row r;

	if (!equal && strcmp(op, "<>") != 0 && strcmp(op, "!=") != 0)
		return bind_unsupported(b, location, "this comparison of rows with a subquery");
	if (b->level.select == NULL || b->level.no_subqueries)
		return bind_unsupported(b, p->location, "a subquery here");
	if (bind_row(b, &r, row, location) != 0)
		return NULL;
	for (unsigned i = 0; i < r.n; i++) {
		struct expr *value = column_value(b, p, i, r.n, p->location), *one;

		one = value == NULL ? NULL : bind_operator(b, op, r.at[i], value, location);
		all = i == 0 ? one : bind_both(b, equal ? EXPR_AND : EXPR_OR, all, one, location);
		if (all == NULL)
			return NULL;
	}
	return all;
}
