/*
 * bind_select.c: SELECT, for views and for queries: outputs, ORDER BY and LIMIT, and all of it in order.
 *
 * FROM is bind_from.c's, GROUP BY bind_group.c's, subqueries are bind_subquery.c's, windows, DISTINCT ON and LIMIT in a view
 * bind_window.c's, UNION and its like bind_set.c's. A query that is more than rows of one table is a select over such a
 * one, which keeps ORDER BY and LIMIT.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/limits.h"
#include "core/sql/bind.h"

/* --- outputs --- */

static int sublink_named(const PgQuery__SubLink *l, const char **name);

/* The name PostgreSQL gives to an output without AS, and how good it is: 0 none, 1 that of a type or of
 * CASE, 2 better. */
static int output_named(const PgQuery__Node *n, const char **name)
{
	int strength = 2;

	switch (n->node_case) {
	case NODE(COLUMN_REF):
		*name = node_string(n->column_ref->fields[n->column_ref->n_fields - 1]);
		break;
	case NODE(FUNC_CALL):
		*name = node_string(n->func_call->funcname[n->func_call->n_funcname - 1]);
		break;
	case NODE(TYPE_CAST): {
		const PgQuery__TypeName *t = n->type_cast->type_name;

		strength = output_named(n->type_cast->arg, name);
		if (strength > 1)
			break;
		*name = node_string(t->names[t->n_names - 1]);
		strength = 1;
		break;
	}
	case NODE(CASE_EXPR):
		strength = n->case_expr->defresult == NULL
			? 0
			: output_named(n->case_expr->defresult, name);
		if (strength > 1)
			break;
		*name = "case";
		strength = 1;
		break;
	case NODE(SUB_LINK): return sublink_named(n->sub_link, name);
	case NODE(COALESCE_EXPR): *name = "coalesce"; break;
	case NODE(MIN_MAX_EXPR):
		*name = n->min_max_expr->op == PG_QUERY__MIN_MAX_OP__IS_GREATEST ? "greatest"
										 : "least";
		break;
	case NODE(SQLVALUE_FUNCTION):
		*name = n->sqlvalue_function->op ==
				PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_DATE
			? "current_date"
			: n->sqlvalue_function->op ==
				PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP
			? "localtimestamp"
			: "current_timestamp";
		break;
	case NODE(A_EXPR):
		if (n->a_expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF) {
			*name = "nullif";
			break;
		}
		return 0;
	default: return 0;
	}
	return strength;
}

static const char *output_name(const PgQuery__Node *n);

/* A subquery's value has the name of its column. */
static int sublink_named(const PgQuery__SubLink *l, const char **name)
{
	const PgQuery__SelectStmt *p = l->subselect->select_stmt;

	if (l->sub_link_type == PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK)
		*name = "exists";
	else if (l->sub_link_type == PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK && p->n_target_list > 0)
		*name = p->target_list[0]->res_target->name[0] != '\0'
			? p->target_list[0]->res_target->name
			: output_name(p->target_list[0]->res_target->val);
	else
		return 0;
	return 2;
}

static const char *output_name(const PgQuery__Node *n)
{
	const char *name = "?column?";

	(void)output_named(n, &name);
	return name;
}

struct outputs {
	struct output *list;
	unsigned n, cap;
};

static int output_add(struct binder *b, struct outputs *o, const char *name, struct expr *e)
{
	if (e == NULL)
		return -1;
	if (o->n >= LIMIT_COLUMNS)
		return bind_fail(b, ERR_TOO_MANY_COLUMNS, -1,
			"target lists can have at most %d entries", LIMIT_COLUMNS);
	if (o->n == o->cap) {
		unsigned cap = o->cap == 0 ? 16 : 2 * o->cap;
		struct output *grown = bind_alloc(b, cap * sizeof(*grown));

		if (grown == NULL)
			return -1;
		if (o->n > 0)
			memcpy(grown, o->list, o->n * sizeof(*grown));
		o->list = grown;
		o->cap = cap;
	}
	name = arena_strdup(b->arena, name, strlen(name));
	if (name == NULL)
		return error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
	o->list[o->n++] = (struct output){ name, e->type, e };
	return 0;
}

/* `*` in a select: its names. */
static int output_names(struct binder *b, struct outputs *o, int location)
{
	const struct scope *l = &b->level;

	for (unsigned i = 0; i < l->nnames; i++)
		if (output_add(b, o, l->names[i].name, bind_name(b, l, &l->names[i], location)) !=
			0)
			return -1;
	return 0;
}

/* Excluded rows of ON CONFLICT are in the scope but never in a star. */
static int output_star(struct binder *b, struct outputs *o, const char *table, int location)
{
	bool found = false;

	if (table == NULL && b->level.names != NULL)
		return output_names(b, o, location);
	for (unsigned i = 0; i < b->level.n; i++) {
		const struct relation *r = b->level.entries[i].relation;

		if (table != NULL && strcmp(table, b->level.entries[i].alias) != 0)
			continue;
		found = true;
		for (unsigned c = 0; c < r->ncols; c++)
			if (!r->columns[c].hidden &&
				output_add(b, o, r->columns[c].name,
					bind_column(b, b->level.entries[i].source, r, c,
						location)) != 0)
				return -1;
	}
	if (found)
		return 0;
	if (table == NULL)
		return bind_fail(
			b, ERR_SYNTAX, location, "SELECT * with no tables specified is not valid");
	return bind_fail(b, ERR_UNDEFINED_TABLE, location,
		"missing FROM-clause entry for table \"%s\"", table);
}

static struct expr *settle(struct binder *b, bool unsettled, struct expr *e)
{
	return unsettled ? e : bind_settle(b, e);
}

int bind_outputs(struct binder *b, PgQuery__Node *const *targets, size_t n, struct output **out,
	unsigned *nout)
{
	struct outputs o = { 0 };
	bool unsettled = b->unsettled;

	b->unsettled = false;
	for (size_t i = 0; i < n; i++) {
		const PgQuery__ResTarget *t = targets[i]->res_target;
		const PgQuery__ColumnRef *c = t->val->column_ref;
		int status;

		if (t->val->node_case == NODE(COLUMN_REF) &&
			c->fields[c->n_fields - 1]->node_case == NODE(A_STAR))
			status = output_star(b, &o,
				c->n_fields > 1 ? node_string(c->fields[c->n_fields - 2]) : NULL,
				c->location);
		else
			status = output_add(b, &o, t->name[0] ? t->name : output_name(t->val),
				settle(b, unsettled, bind_expr(b, t->val)));
		if (status != 0)
			return -1;
	}
	*out = o.list;
	*nout = o.n;
	return 0;
}

/* --- the rest --- */

/* The output that an item of ORDER BY names or counts, NULL for an expression. */
static int order_output(
	struct binder *b, const struct select *s, const PgQuery__Node *n, struct expr **found)
{
	*found = NULL;
	if (n->node_case == NODE(A_CONST) && n->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL) {
		int k = n->a_const->ival->ival;

		if (k < 1 || (unsigned)k > s->noutputs)
			return bind_fail(b, ERR_INVALID_COLUMN_REFERENCE, n->a_const->location,
				"ORDER BY position %d is not in select list", k);
		*found = s->outputs[k - 1].expr;
		return 0;
	}
	if (n->node_case == NODE(A_CONST)) {
		bind_not_a_position(b, n, "ORDER BY");
		return -1;
	}
	if (n->node_case == NODE(COLUMN_REF) && n->column_ref->n_fields == 1)
		return bind_output_find(b, s, n->column_ref, "ORDER BY", found);
	return 0;
}

static struct expr *order_item(struct binder *b, const struct select *s, const PgQuery__Node *n)
{
	struct expr *found;

	if (order_output(b, s, n, &found) != 0)
		return NULL;
	return found != NULL ? bind_copy(b, found) : bind_settle(b, bind_expr(b, n));
}

static int bind_order(struct binder *b, struct select *s, const PgQuery__SelectStmt *p)
{
	s->order = bind_alloc(b, p->n_sort_clause * sizeof(*s->order));
	if (s->order == NULL)
		return -1;
	for (size_t i = 0; i < p->n_sort_clause; i++) {
		const PgQuery__SortBy *by = p->sort_clause[i]->sort_by;

		s->order[i].expr = order_item(b, s, by->node);
		if (s->order[i].expr == NULL || bind_check_order(b, s->order[i].expr) != 0 ||
			bind_sort(b, by, &s->order[i]) != 0)
			return -1;
		s->norder++;
	}
	return 0;
}

static struct expr *bind_limit(struct binder *b, const PgQuery__Node *n, const char *clause)
{
	char have[64];
	struct expr *e = bind_expr(b, n), *r;

	if (e == NULL)
		return NULL;
	if (expr_sources(e) & ~(UINT32_C(1) << EXPR_PARAMS)) {
		bind_fail(b, ERR_INVALID_COLUMN_REFERENCE, node_location(n),
			"argument of %s must not contain variables", clause);
		return NULL;
	}
	b->error->code = ERR_OK;
	r = bind_coerce(b, e, (struct type){ .id = TYPE_INT8 }, CAST_ASSIGNMENT);
	if (r == NULL && b->error->code == ERR_OK)
		bind_fail(b, ERR_DATATYPE_MISMATCH, node_location(n),
			"argument of %s must be type bigint, not type %s", clause,
			type_name(e->type, have, sizeof(have)));
	return r;
}

/* The select of a query itself: its rows have an order, and its LIMIT may be a parameter. */
static bool is_query(const struct binder *b)
{
	return !b->in_view && b->query_depth == 0;
}

static int refuse(struct binder *b, const PgQuery__SelectStmt *p)
{
	const char *what = NULL;

	if (p->n_locking_clause > 0)
		what = "FOR UPDATE or FOR SHARE";
	else if (p->into_clause != NULL)
		what = "SELECT INTO";
	else if (is_query(b) && p->limit_option == PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_WITH_TIES)
		what = "WITH TIES in a query";
	if (what == NULL)
		return 0;
	bind_unsupported(b, 0, what);
	return -1;
}

/* --- selects over selects --- */

struct select *bind_select_new(struct binder *b)
{
	struct select *s = bind_alloc(b, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->sources = bind_alloc(b, BIND_SOURCES_MAX * sizeof(struct relation *));
	s->aliases = bind_alloc(b, BIND_SOURCES_MAX * sizeof(*s->aliases));
	return s->sources == NULL || s->aliases == NULL ? NULL : s;
}

void bind_move_order(struct select *to, struct select *from, struct order *order)
{
	to->order = order;
	to->norder = from->norder;
	to->limit = from->limit;
	to->offset = from->offset;
	from->norder = 0;
	from->limit = from->offset = NULL;
}

/* A select that gives the rows of another, as they are. */
struct select *bind_over(struct binder *b, struct select *inner)
{
	struct select *s = bind_select_new(b);
	struct relation *r = bind_derived(b, inner, "");

	if (s == NULL || r == NULL || bind_source(b, s, r, "", -1) < 0 ||
		bind_item(b, &s->from, &(struct from_item){ .kind = FROM_SOURCE }) != 0)
		return NULL;
	s->outputs = bind_alloc(b, inner->noutputs * sizeof(*s->outputs));
	if (s->outputs == NULL)
		return NULL;
	for (unsigned i = 0; i < inner->noutputs; i++) {
		s->outputs[i] = inner->outputs[i];
		s->outputs[i].expr = bind_column(b, 0, r, i, -1);
		if (s->outputs[i].expr == NULL)
			return NULL;
	}
	s->noutputs = inner->noutputs;
	return s;
}

/* --- SELECT --- */

static int bind_where(struct binder *b, struct select *s, const PgQuery__Node *clause)
{
	struct expr *where;

	if (clause == NULL)
		return 0;
	b->no_aggregates = "WHERE";
	where = bind_condition(b, clause, "WHERE");
	return where == NULL ? -1
			     : bind_conjuncts(b, where, &s->from.conjuncts, &s->from.nconjuncts);
}

static int bind_limits(struct binder *b, struct select *s, const PgQuery__SelectStmt *p)
{
	b->no_aggregates = "LIMIT";
	if (p->limit_count != NULL &&
		!(p->limit_count->node_case == NODE(A_CONST) && p->limit_count->a_const->isnull)) {
		s->limit = bind_limit(b, p->limit_count, "LIMIT");
		if (s->limit == NULL)
			return -1;
	}
	if (p->limit_offset != NULL) {
		s->offset = bind_limit(b, p->limit_offset, "OFFSET");
		if (s->offset == NULL)
			return -1;
	}
	return 0;
}

/* SELECT DISTINCT: ORDER BY may only name what is selected. */
static int distinct_order(struct binder *b, const struct select *s)
{
	for (unsigned i = 0; i < s->norder; i++) {
		bool found = false;

		for (unsigned k = 0; k < s->noutputs; k++)
			found |= expr_equal(s->order[i].expr, s->outputs[k].expr);
		if (!found)
			return error_set(b->error, ERR_INVALID_COLUMN_REFERENCE,
				expr_location(s->order[i].expr),
				"for SELECT DISTINCT, ORDER BY expressions must appear in select list");
	}
	return 0;
}

static bool distinct_on(const PgQuery__SelectStmt *p)
{
	/* Plain DISTINCT is a list of one empty node. */
	return p->n_distinct_clause > 0 &&
		p->distinct_clause[0]->node_case != PG_QUERY__NODE__NODE__NOT_SET;
}

static bool distinct(const PgQuery__SelectStmt *p)
{
	return p->n_distinct_clause > 0 && !distinct_on(p);
}

/* A select without FROM is one row, as an aggregation over nothing is. */
static int finish_nothing(struct binder *b, struct select *s)
{
	if ((is_query(b) && s->ncalls == 0) || s->nsources > 0 || s->grouped)
		return 0;
	s->grouped = true;
	if (s->from.nconjuncts > 1) {
		bind_unsupported(b, 0, "this WHERE without FROM");
		return -1;
	}
	if (s->from.nconjuncts == 1)
		s->having = s->from.conjuncts[0];
	s->from.nconjuncts = 0;
	return 0;
}

/* DISTINCT of what is grouped or has windows: over it. ORDER BY and LIMIT come above. */
static struct select *distinct_over(struct binder *b, struct select *s)
{
	struct select *top;

	top = bind_over(b, s);
	if (top == NULL)
		return NULL;
	top->order = bind_alloc(b, s->norder * sizeof(*top->order));
	if (top->order == NULL)
		return NULL;
	for (unsigned i = 0; i < s->norder; i++)
		for (unsigned k = 0; k < s->noutputs; k++)
			if (expr_equal(s->order[i].expr, s->outputs[k].expr)) {
				top->order[i] = s->order[i];
				top->order[i].expr = bind_copy(b, top->outputs[k].expr);
				if (top->order[i].expr == NULL)
					return NULL;
				break;
			}
	bind_move_order(top, s, top->order);
	return bind_group_all(b, top) != 0 || bind_finish_group(b, top) != 0 ? NULL : top;
}

/* Subqueries below the group, the group, subqueries above it, windows. */
static struct select *finish_rows(struct binder *b, struct select *s)
{
	s = bind_subqueries(b, s, true);
	if (s == NULL || (s->grouped && bind_finish_group(b, s) != 0))
		return NULL;
	s = bind_subqueries(b, s, false);
	return s != NULL && s->ncalls > 0 ? bind_windows(b, s) : s;
}

/* What is behind the outputs is bound: DISTINCT, grouping, subqueries, windows, LIMIT. */
static struct select *finish(struct binder *b, struct select *s, const PgQuery__SelectStmt *p)
{
	bool once = distinct(p), again = once && (s->grouped || s->ncalls > 0);
	bool ties = p->limit_option == PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_WITH_TIES;

	if (finish_nothing(b, s) != 0 || (once && distinct_order(b, s) != 0) ||
		(once && !again && bind_group_all(b, s) != 0))
		return NULL;
	if (ties && s->norder == 0) {
		bind_fail(
			b, ERR_SYNTAX, -1, "WITH TIES cannot be specified without ORDER BY clause");
		return NULL;
	}
	s = finish_rows(b, s);
	if (s != NULL && again)
		s = distinct_over(b, s);
	if (s == NULL || (is_query(b) && !ties))
		return s;
	return bind_top(b, s, ties);
}

/* Those that are not equal to one before them. */
static unsigned expr_unique(struct expr **list, unsigned n)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++)
		if (!expr_listed(list, kept, list[i]))
			list[kept++] = list[i];
	return kept;
}

/* The items of DISTINCT ON are outputs at the end, which are not given; then those that are. */
static struct select *finish_distinct_on(
	struct binder *b, struct select *s, const PgQuery__SelectStmt *p)
{
	unsigned noutputs = s->noutputs, ncalls = s->ncalls, n = (unsigned)p->n_distinct_clause;
	struct expr **list = bind_alloc(b, n * sizeof(*list));
	struct select *top;

	if (list == NULL)
		return NULL;
	b->level.allows_windows = true;
	for (unsigned i = 0; i < n; i++) {
		struct expr *e = order_item(b, s, p->distinct_clause[i]);

		/* It would be another call than that in ORDER BY. */
		if (s->ncalls > ncalls)
			return bind_unsupported(b, node_location(p->distinct_clause[i]),
				"a window function in DISTINCT ON");
		e = e == NULL ? NULL : bind_copy(b, e);
		if (e == NULL || bind_check_equality(b, e) != 0 || bind_output_append(b, s, e) != 0)
			return NULL;
	}
	if (finish_nothing(b, s) != 0)
		return NULL;
	s = finish_rows(b, s);
	if (s == NULL)
		return NULL;
	for (unsigned i = 0; i < n; i++)
		list[i] = s->outputs[noutputs + i].expr;
	top = bind_distinct_on(b, s, list, expr_unique(list, n));
	if (top == NULL || is_query(b)) {
		if (top != NULL)
			top->nvisible = noutputs;
		return top;
	}
	top = bind_top(b, top, false);
	if (top != NULL && top->noutputs > noutputs)
		top = bind_over(b, top);
	if (top != NULL)
		top->noutputs = noutputs;
	return top;
}

/* Expressions that all sets together are sorted by are outputs at the end, which are not given. */
static int order_of_sets(struct binder *b, struct select *s, const PgQuery__SelectStmt *p)
{
	const struct select outputs = { .outputs = s->outputs, .noutputs = s->noutputs };

	for (size_t i = 0; i < p->n_sort_clause && !distinct(p); i++) {
		const PgQuery__Node *n = p->sort_clause[i]->sort_by->node;
		struct expr *e;

		if (order_output(b, &outputs, n, &e) != 0)
			return -1;
		if (e != NULL)
			continue;
		e = bind_settle(b, bind_expr(b, n));
		if (e == NULL || bind_output_append(b, s, e) != 0)
			return -1;
	}
	return 0;
}

/* One grouping set: what is above the group of all of them comes later. */
static struct select *finish_set(struct binder *b, struct select *s)
{
	if (s->ncalls > 0)
		return bind_unsupported(b, -1, "a window function beside GROUPING SETS");
	return finish_rows(b, s);
}

static struct select *bind_plain(struct binder *b, const PgQuery__SelectStmt *p)
{
	const struct node_list *set = b->set, *all = b->all_sets;
	const char *command = b->command;
	struct select *s = bind_select_new(b);
	int status;

	b->set = b->all_sets = NULL;
	b->command = NULL;
	if (s == NULL)
		return NULL;
	b->level.select = s;
	b->level.windows = p->window_clause;
	b->level.nwindows = p->n_window_clause;
	for (size_t i = 0; i < p->n_from_clause; i++)
		if (bind_from(b, s, &s->from, p->from_clause[i]) != 0)
			return NULL;
	if (bind_where(b, s, p->where_clause) != 0 || bind_windows_check(b) != 0)
		return NULL;
	b->aggregates = command == NULL ? s : NULL;
	if (command != NULL)
		b->no_aggregates = command;
	b->level.allows_windows = command == NULL;
	status = bind_outputs(b, p->target_list, p->n_target_list, &s->outputs, &s->noutputs);
	b->level.allows_windows = false;
	if (status != 0 || bind_group(b, s, p, set, all) != 0)
		return NULL;
	if (set != NULL) {
		unsigned given = s->noutputs;

		status = order_of_sets(b, s, p);
		b->aggregates = NULL;
		s = status != 0 ? NULL : finish_set(b, s);
		if (s != NULL)
			s->nvisible = given;
		return s;
	}
	b->level.allows_windows = true;
	status = bind_order(b, s, p);
	b->level.allows_windows = false;
	if (status != 0)
		return NULL;
	if (distinct_on(p) && bind_limits(b, s, p) == 0)
		return finish_distinct_on(b, s, p);
	b->aggregates = NULL;
	if (distinct_on(p) || bind_limits(b, s, p) != 0)
		return NULL;
	return finish(b, s, p);
}

/* What an item sorts the rows of top by: an output, *hidden, or an expression where rows may have one. */
static struct expr *set_order_item(struct binder *b, const struct select *top,
	const PgQuery__SelectStmt *p, const PgQuery__Node *n, unsigned *hidden)
{
	struct expr *found;

	if (order_output(b, top, n, &found) != 0)
		return NULL;
	if (found == NULL && *hidden < top->sources[0]->ncols)
		return bind_column(b, 0, top->sources[0], (*hidden)++, -1);
	if (found == NULL && p->n_values_lists == 0 && n->node_case != NODE(COLUMN_REF))
		return bind_unsupported(b, node_location(n),
			p->op != PG_QUERY__SET_OPERATION__SETOP_NONE
				? "ORDER BY an expression of a UNION, INTERSECT or EXCEPT"
				: "ORDER BY an expression beside DISTINCT and GROUPING SETS");
	return found != NULL ? bind_copy(b, found) : bind_settle(b, bind_expr(b, n));
}

/* ORDER BY of a UNION names its columns; it only matters with LIMIT. */
static struct select *set_order(struct binder *b, struct select *s, const PgQuery__SelectStmt *p)
{
	struct select *top;
	unsigned hidden;

	if (s == NULL ||
		(p->n_sort_clause == 0 && p->limit_count == NULL && p->limit_offset == NULL))
		return s;
	top = bind_over(b, s);
	if (top == NULL)
		return NULL;
	hidden = top->noutputs = s->nvisible > 0 ? s->nvisible : s->noutputs;
	top->order = bind_alloc(b, p->n_sort_clause * sizeof(*top->order));
	if (top->order == NULL)
		return NULL;
	for (size_t i = 0; i < p->n_sort_clause; i++) {
		const PgQuery__SortBy *by = p->sort_clause[i]->sort_by;
		struct order *o = &top->order[i];

		o->expr = set_order_item(b, top, p, by->node, &hidden);
		if (o->expr == NULL || bind_check_order(b, o->expr) != 0 ||
			bind_sort(b, by, o) != 0)
			return NULL;
		o->expr = bind_copy(b, o->expr);
		if (o->expr == NULL)
			return NULL;
		top->norder++;
	}
	if (bind_limits(b, top, p) != 0)
		return NULL;
	if (is_query(b) && p->limit_option != PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_WITH_TIES)
		return top;
	return bind_top(b, top, p->limit_option == PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_WITH_TIES);
}

static struct select *bind_grouping_sets(struct binder *b, const PgQuery__SelectStmt *p)
{
	struct select **branches, *s;
	unsigned n;

	if (distinct_on(p))
		return bind_unsupported(b, -1, "DISTINCT ON beside GROUPING SETS");
	if (bind_sets(b, p, &branches, &n) != 0)
		return NULL;
	s = n == 1 ? branches[0] : bind_union_all(b, branches, n);
	if (s == NULL || p->n_distinct_clause == 0)
		return s;
	s = bind_over(b, s);
	return s == NULL || bind_group_all(b, s) != 0 || bind_finish_group(b, s) != 0 ? NULL : s;
}

static struct select *bind_body(struct binder *b, const PgQuery__SelectStmt *p, bool unsettled)
{
	struct select *s;

	if (p->op != PG_QUERY__SET_OPERATION__SETOP_NONE)
		return set_order(b, bind_set_operation(b, p), p);
	if (p->n_values_lists > 0)
		return set_order(b, bind_values(b, p), p);
	if (b->set == NULL && bind_has_sets(p))
		return set_order(b, bind_grouping_sets(b, p), p);
	b->unsettled = unsettled;
	s = bind_plain(b, p);
	b->unsettled = false;
	return s;
}

struct select *bind_select(struct binder *b, const PgQuery__SelectStmt *p)
{
	bool unsettled = b->unsettled, with = p->with_clause != NULL && b->set == NULL;
	const char *command = b->command;
	struct select *s;

	if (refuse(b, p) != 0)
		return NULL;
	b->level.outer_ctes = b->level.ctes;
	b->unsettled = false;
	b->command = NULL;
	if (with && bind_with(b, p->with_clause) != 0)
		return NULL;
	b->command = command;
	s = bind_body(b, p, unsettled);
	return s == NULL || (with && bind_with_rest(b) != 0) ? NULL : s;
}

/* --- queries --- */

/* Whether a query reads one table or view, as query.c does it by itself. */
static bool is_simple(const struct select *s)
{
	return s->nbranches == 0 && s->window == NULL && s->from.n == s->nsources &&
		(s->nsources == 0 || (s->nsources == 1 && s->sources[0]->kind != RELATION_DERIVED));
}

/* Everything but ORDER BY and LIMIT is computed as a view is, and the query reads that. */
static struct select *over_flow(struct binder *b, struct select *s)
{
	unsigned n = s->nvisible > 0 ? s->nvisible : s->noutputs;
	int *columns = bind_alloc(b, (s->norder + 1) * sizeof(*columns));
	struct select *top;

	if (columns == NULL)
		return NULL;
	for (unsigned i = 0; i < s->norder; i++) {
		columns[i] = bind_output_number(b, s, s->order[i].expr);
		if (columns[i] < 0)
			return NULL;
	}
	top = bind_over(b, s);
	if (top == NULL)
		return NULL;
	for (unsigned i = 0; i < s->norder; i++) {
		s->order[i].expr = bind_copy(b, top->outputs[columns[i]].expr);
		if (s->order[i].expr == NULL)
			return NULL;
	}
	top->noutputs = n;
	bind_move_order(top, s, s->order);
	return top;
}

int bind_query_of(struct binder *b, struct select *s)
{
	struct statement *st = b->statement;

	if (s != NULL && !is_simple(s) && st->system != NULL)
		return bind_epoch_refused(b, b->epoch_location);
	if (s != NULL && !is_simple(s))
		s = over_flow(b, s);
	if (s == NULL)
		return -1;
	s->conjuncts = s->from.conjuncts;
	s->nconjuncts = s->from.nconjuncts;
	st->kind = STATEMENT_SELECT;
	st->query.select = s;
	st->results = s->outputs;
	st->nresults = s->noutputs;
	if (s->nsources == 0)
		return 0;
	st->relation = s->sources[0];
	return st->relation->kind == RELATION_DERIVED
		? 0
		: bind_access(b, st->relation, s, &st->query.access);
}

int bind_query(struct binder *b, const PgQuery__SelectStmt *p)
{
	return bind_query_of(b, bind_select(b, p));
}
