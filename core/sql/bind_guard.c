/*
 * bind_guard.c: a SELECT in a command of several statements. What it gives is dropped; it is there to fail.
 *
 * It is a query over one table whose WHERE says which aggregate's rows it reads. `SELECT … WHERE [NOT] EXISTS (SELECT … FROM
 * t WHERE …)`, which would be a join, is bound as SELECT … FROM t WHERE … HAVING count(*) = 0 (or > 0), with what is selected
 * still bound outside of it.
 */
#include "core/sql/bind.h"

/* --- EXISTS --- */

struct existence {
	const PgQuery__SelectStmt *rows; /* NULL: it is none */
	bool negated;
};

/* Whether there is nothing but FROM and WHERE, so that its rows can be counted instead. */
static bool is_plain(const PgQuery__SelectStmt *p)
{
	return p->op == PG_QUERY__SET_OPERATION__SETOP_NONE && p->n_values_lists == 0 &&
		p->n_from_clause == 1 && p->from_clause[0]->node_case == NODE(RANGE_VAR) &&
		p->n_group_clause == 0 && p->having_clause == NULL && p->n_distinct_clause == 0 &&
		p->n_window_clause == 0 && p->n_sort_clause == 0 && p->limit_count == NULL &&
		p->limit_offset == NULL && p->with_clause == NULL && p->n_locking_clause == 0 &&
		p->into_clause == NULL;
}

static struct existence existence(const PgQuery__SelectStmt *p)
{
	const PgQuery__Node *n = p->where_clause;
	struct existence e = { NULL, false };

	if (p->n_from_clause > 0 || n == NULL || p->op != PG_QUERY__SET_OPERATION__SETOP_NONE ||
		p->n_values_lists > 0 || p->n_group_clause > 0 || p->having_clause != NULL ||
		p->n_distinct_clause > 0 || p->n_sort_clause > 0 || p->limit_count != NULL ||
		p->limit_offset != NULL || p->with_clause != NULL || p->into_clause != NULL)
		return e;
	if (n->node_case == NODE(BOOL_EXPR) &&
		n->bool_expr->boolop == PG_QUERY__BOOL_EXPR_TYPE__NOT_EXPR) {
		n = n->bool_expr->args[0];
		e.negated = true;
	}
	if (n->node_case != NODE(SUB_LINK) ||
		n->sub_link->sub_link_type != PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK ||
		!is_plain(n->sub_link->subselect->select_stmt))
		return e;
	e.rows = n->sub_link->subselect->select_stmt;
	return e;
}

/* SELECT count(*) of its rows. What it selects must be right, too. */
static struct select *bind_count(struct binder *b, const PgQuery__SelectStmt *rows)
{
	PgQuery__SelectStmt sel = *rows;
	struct select *s = bind_select(b, &sel);
	struct aggregate *count;
	struct expr *e;

	if (s == NULL || s->grouped || s->ncalls > 0)
		return s == NULL ? NULL : bind_unsupported(b, -1, "this form of EXISTS");
	count = bind_alloc(b, sizeof(*count));
	e = expr_new(b, EXPR_COLUMN, TYPE_INT8, -1);
	if (count == NULL || e == NULL)
		return NULL;
	count->kind = AGG_COUNT_STAR;
	count->type = e->type;
	s->grouped = true;
	s->naggregates = 1;
	s->aggregates = count;
	s->having = e;
	return s;
}

static int bind_existence(struct binder *b, const PgQuery__SelectStmt *p, const struct existence *e)
{
	struct expr *zero = bind_int_const(b, 0, TYPE_INT8);
	struct select *s = bind_count(b, e->rows);

	if (s == NULL || zero == NULL)
		return -1;
	s->having = bind_operator(b, e->negated ? "=" : ">", s->having, zero, -1);
	if (s->having == NULL)
		return -1;
	b->level = (struct scope){ 0 };
	b->aggregates = NULL;
	b->no_aggregates = "SELECT with EXISTS";
	if (bind_outputs(b, p->target_list, p->n_target_list, &s->outputs, &s->noutputs) != 0)
		return -1;
	return bind_query_of(b, s);
}

/* --- a guard --- */

/* Where a SELECT of a block belongs: its WHERE fixes the partition column. It reads rows as the statements before it left
 * them, so it has to be of one aggregate. */
static int place(struct binder *b, struct statement *s, int location)
{
	const struct relation *r = s->relation;
	const struct select *sel = s->query.select;
	struct expr **eq;
	int *from;

	if (r == NULL)
		return bind_inner_layout(b, s);
	if (r->kind != RELATION_TABLE) {
		bind_fail(b, ERR_FEATURE, location,
			"a SELECT in a command of several statements may read rows of one table only");
		return error_hint(b->error,
			"It reads what the statements before it left, of the same aggregate: neither views, joins nor subqueries. Whether there is a row tells count(*).");
	}
	eq = bind_alloc(b, r->ncols * sizeof(*eq));
	from = bind_alloc(b, r->ncols * sizeof(*from));
	if (eq == NULL || from == NULL)
		return -1;
	b->error->code = ERR_OK;
	bind_equalities(r, sel->conjuncts, sel->nconjuncts + s->query.access.nanswered, eq, from);
	if (eq[r->partition] != NULL)
		s->query.partition = bind_key_value(b, eq[r->partition], &r->columns[r->partition]);
	if (b->error->code != ERR_OK)
		return -1;
	if (s->query.partition == NULL) {
		bind_fail(b, ERR_FEATURE, location,
			"each statement of a command of several must be for one aggregate: its WHERE must fix the partition column");
		if (r->columns[r->partition].hidden)
			return error_hint(b->error, "The table has no primary key.");
		return error_hint(
			b->error, "Add a condition %s = ….", r->columns[r->partition].name);
	}
	return bind_inner_layout(b, s);
}

int bind_guard(struct binder *b, const PgQuery__SelectStmt *p, int location)
{
	struct statement *st = b->statement;
	struct existence e = existence(p);
	int status = e.rows != NULL ? bind_existence(b, p, &e) : bind_query(b, p);

	return status == 0 ? place(b, st, location) : -1;
}
