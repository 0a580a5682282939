/*
 * bind_select.c: SELECT, for views and for queries.
 *
 * With grouping, everything above the group (outputs, HAVING, ORDER BY) is first bound over the sources, with
 * aggregate calls as columns of SOURCE_AGGREGATE, then rewritten to columns of the group row. A column of a
 * table whose primary key is grouped may be used without being grouped itself (as in PostgreSQL): it
 * becomes one more group key, which changes nothing else.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/limits.h"
#include "core/sql/bind.h"

int bind_hold(struct binder *b, struct relation *r)
{
	struct statement *s = b->statement;
	struct relation **grown;

	for (unsigned i = 0; i < s->nrelations; i++)
		if (s->relations[i] == r)
			return 0;
	grown = arena_alloc(&s->arena, (s->nrelations + 1) * sizeof(struct relation *));
	if (grown == NULL)
		return error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
	if (s->nrelations > 0)
		memcpy(grown, s->relations, s->nrelations * sizeof(struct relation *));
	relation_hold(r);
	grown[s->nrelations++] = r;
	s->relations = grown;
	return 0;
}

struct relation *bind_relation(struct binder *b, const PgQuery__RangeVar *v)
{
	struct relation *r = NULL;

	if (v->schemaname[0] == '\0' || strcmp(v->schemaname, "public") == 0)
		r = catalog_find(b->catalog, v->relname);
	if (r == NULL) {
		bind_fail(b, ERR_UNDEFINED_TABLE, v->location, "relation \"%s%s%s\" does not exist",
			v->schemaname, v->schemaname[0] ? "." : "", v->relname);
		return NULL;
	}
	return bind_hold(b, r) == 0 ? r : NULL;
}

/* --- FROM --- */

static int source_add(struct binder *b, struct select *s, const PgQuery__RangeVar *v)
{
	struct relation *r = bind_relation(b, v);
	const char *alias = v->alias != NULL ? v->alias->aliasname : v->relname;
	unsigned n = s->nsources;

	if (r == NULL)
		return -1;
	if (v->alias != NULL && v->alias->n_colnames > 0) {
		bind_unsupported(b, v->location, "a column alias list");
		return -1;
	}
	for (unsigned i = 0; i < b->nscope; i++)
		if (strcmp(b->scope[i].alias, alias) == 0)
			return bind_fail(b, ERR_DUPLICATE_ALIAS, v->location,
				"table name \"%s\" specified more than once", alias);
	if (n >= LIMIT_JOINS_PER_VIEW)
		return bind_fail(b, ERR_TOO_COMPLEX, v->location, "more than %d tables are joined",
			LIMIT_JOINS_PER_VIEW);
	s->sources[n] = r;
	s->aliases[n] = arena_strdup(b->arena, alias, strlen(alias));
	if (s->aliases[n] == NULL)
		return error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
	b->scope[b->nscope++] = (struct scope_entry){ r, s->aliases[n], (uint8_t)n };
	s->nsources++;
	return 0;
}

int bind_conjuncts(struct binder *b, struct expr *e, struct expr ***list, unsigned *n)
{
	struct expr **grown;

	if (e->kind == EXPR_AND) {
		for (unsigned i = 0; i < e->nargs; i++)
			if (bind_conjuncts(b, e->args[i], list, n) != 0)
				return -1;
		return 0;
	}
	grown = bind_alloc(b, (*n + 1) * sizeof(*grown));
	if (grown == NULL)
		return -1;
	if (*n > 0)
		memcpy(grown, *list, *n * sizeof(*grown));
	grown[(*n)++] = e;
	*list = grown;
	return 0;
}

static int bind_from(struct binder *b, struct select *s, const PgQuery__Node *n);

static int using_add(struct binder *b, struct select *s, const char *name, unsigned left_first,
	unsigned right_first, int location)
{
	struct expr *side[2] = { NULL, NULL }, *eq;

	for (unsigned i = left_first; i < b->nscope; i++) {
		struct expr **e = &side[i >= right_first];
		int col = relation_column(b->scope[i].relation, name);

		if (col < 0)
			continue;
		if (*e != NULL)
			return bind_fail(b, ERR_AMBIGUOUS_COLUMN, location,
				"common column name \"%s\" appears more than once in a table",
				name);
		*e = bind_column(
			b, b->scope[i].source, b->scope[i].relation, (unsigned)col, location);
		if (*e == NULL)
			return -1;
	}
	if (side[0] == NULL || side[1] == NULL)
		return bind_fail(b, ERR_UNDEFINED_COLUMN, location,
			"column \"%s\" specified in USING clause does not exist in %s table", name,
			side[0] == NULL ? "left" : "right");
	eq = bind_operator(b, "=", side[0], side[1], location);
	return eq == NULL ? -1 : bind_conjuncts(b, eq, &s->conjuncts, &s->nconjuncts);
}

static int bind_join(struct binder *b, struct select *s, const PgQuery__JoinExpr *j)
{
	unsigned left = b->nscope, right;
	struct expr *on;

	if (j->jointype != PG_QUERY__JOIN_TYPE__JOIN_INNER) {
		bind_unsupported(b, node_location(j->quals), "an outer join");
		return -1;
	}
	if (j->is_natural) {
		bind_unsupported(b, -1, "NATURAL JOIN");
		return -1;
	}
	if (bind_from(b, s, j->larg) != 0)
		return -1;
	right = b->nscope;
	if (bind_from(b, s, j->rarg) != 0)
		return -1;
	for (size_t i = 0; i < j->n_using_clause; i++)
		if (using_add(b, s, node_string(j->using_clause[i]), left, right, -1) != 0)
			return -1;
	if (j->quals == NULL)
		return 0;
	b->no_aggregates = "JOIN conditions";
	on = bind_condition(b, j->quals, "JOIN/ON");
	return on == NULL ? -1 : bind_conjuncts(b, on, &s->conjuncts, &s->nconjuncts);
}

static int bind_from(struct binder *b, struct select *s, const PgQuery__Node *n)
{
	switch (n->node_case) {
	case NODE(RANGE_VAR): return source_add(b, s, n->range_var);
	case NODE(JOIN_EXPR): return bind_join(b, s, n->join_expr);
	case NODE(RANGE_SUBSELECT): bind_unsupported(b, -1, "a subquery in FROM"); return -1;
	default: bind_unsupported(b, node_location(n), "this FROM item"); return -1;
	}
}

/* --- outputs --- */

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

/* Excluded rows of ON CONFLICT are in the scope but never in a star. */
static int output_star(struct binder *b, struct outputs *o, const char *table, int location)
{
	bool found = false;

	for (unsigned i = 0; i < b->nscope; i++) {
		const struct relation *r = b->scope[i].relation;

		if (table != NULL && strcmp(table, b->scope[i].alias) != 0)
			continue;
		found = true;
		for (unsigned c = 0; c < r->ncols; c++)
			if (!r->columns[c].hidden &&
				output_add(b, o, r->columns[c].name,
					bind_column(b, b->scope[i].source, r, c, location)) != 0)
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

int bind_outputs(struct binder *b, PgQuery__Node *const *targets, size_t n, struct output **out,
	unsigned *nout)
{
	struct outputs o = { 0 };

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
				bind_settle(b, bind_expr(b, t->val)));
		if (status != 0)
			return -1;
	}
	*out = o.list;
	*nout = o.n;
	return 0;
}

/* --- grouping --- */

static int group_add(struct binder *b, struct select *s, struct expr *e)
{
	struct expr **grown;

	for (unsigned i = 0; i < s->ngroup; i++)
		if (expr_equal(s->group[i], e))
			return 0;
	grown = bind_alloc(b, (s->ngroup + 1) * sizeof(*grown));
	if (grown == NULL)
		return -1;
	if (s->ngroup > 0)
		memcpy(grown, s->group, s->ngroup * sizeof(*grown));
	grown[s->ngroup++] = e;
	s->group = grown;
	return 0;
}

static struct expr *not_a_position(struct binder *b, const PgQuery__Node *n, const char *clause)
{
	bind_fail(b, ERR_SYNTAX, n->a_const->location, "non-integer constant in %s", clause);
	return NULL;
}

/* The output of that name, if there is one; several must be the same expression. */
static int output_find(struct binder *b, const struct select *s, const PgQuery__ColumnRef *c,
	const char *clause, struct expr **found)
{
	const char *name = node_string(c->fields[0]);

	*found = NULL;
	for (unsigned i = 0; i < s->noutputs; i++) {
		if (strcmp(s->outputs[i].name, name) != 0)
			continue;
		if (*found != NULL && !expr_equal(*found, s->outputs[i].expr))
			return bind_fail(b, ERR_AMBIGUOUS_COLUMN, c->location,
				"%s \"%s\" is ambiguous", clause, name);
		*found = s->outputs[i].expr;
	}
	return 0;
}

/* GROUP BY item: a column of the FROM clause first, then an output's name or number, then an expression. */
static struct expr *group_item(struct binder *b, const struct select *s, const PgQuery__Node *n)
{
	if (n->node_case == NODE(A_CONST) && n->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL &&
		!n->a_const->isnull) {
		int k = n->a_const->ival->ival;

		if (k >= 1 && (unsigned)k <= s->noutputs)
			return s->outputs[k - 1].expr;
		bind_fail(b, ERR_INVALID_COLUMN_REFERENCE, n->a_const->location,
			"GROUP BY position %d is not in select list", k);
		return NULL;
	}
	if (n->node_case == NODE(A_CONST))
		return not_a_position(b, n, "GROUP BY");
	if (n->node_case == NODE(COLUMN_REF) && n->column_ref->n_fields == 1) {
		const char *name = node_string(n->column_ref->fields[0]);
		struct expr *found = NULL;
		bool column = false;

		for (unsigned i = 0; i < b->nscope; i++)
			column |= relation_column(b->scope[i].relation, name) >= 0;
		if (!column && output_find(b, s, n->column_ref, "GROUP BY", &found) != 0)
			return NULL;
		if (found != NULL)
			return found;
	}
	if (n->node_case == NODE(GROUPING_SET))
		return bind_unsupported(b, n->grouping_set->location, "GROUPING SETS");
	return bind_settle(b, bind_expr(b, n));
}

static bool has_aggregate(const struct expr *e)
{
	return expr_sources(e) >> SOURCE_AGGREGATE & 1;
}

/* The source's key is grouped: its other columns are determined. */
static bool key_grouped(const struct select *s, unsigned source)
{
	const struct relation *r = s->sources[source];

	if (r->nkey == 0 || r->kind != RELATION_TABLE)
		return false;
	for (unsigned k = 0; k < r->nkey; k++) {
		bool found = false;

		for (unsigned i = 0; i < s->ngroup; i++)
			found |= s->group[i]->kind == EXPR_COLUMN &&
				s->group[i]->source == source && s->group[i]->column == r->key[k];
		if (!found)
			return false;
	}
	return true;
}

/* Rewrite over the group row. */
static struct expr *over_group(struct binder *b, struct select *s, struct expr *e)
{
	for (unsigned i = 0; i < s->ngroup; i++)
		if (expr_equal(s->group[i], e)) {
			struct expr *c = expr_new(b, EXPR_COLUMN, (enum type_id)e->type.id, -1);

			if (c == NULL)
				return NULL;
			c->type = e->type;
			c->position = e->position;
			c->column = (uint16_t)i;
			return c;
		}
	if (e->kind == EXPR_COLUMN && e->source == SOURCE_AGGREGATE)
		return e;
	if (e->kind == EXPR_COLUMN && e->source != EXPR_PARAMS) {
		if (key_grouped(s, e->source)) {
			if (group_add(b, s, e) != 0)
				return NULL;
			return over_group(b, s, e);
		}
		error_set(b->error, ERR_GROUPING, e->position,
			"column \"%s.%s\" must appear in the GROUP BY clause or be used in an aggregate function",
			s->aliases[e->source], s->sources[e->source]->columns[e->column].name);
		return NULL;
	}
	for (unsigned i = 0; i < e->nargs; i++) {
		e->args[i] = over_group(b, s, e->args[i]);
		if (e->args[i] == NULL)
			return NULL;
	}
	return e;
}

/* Once all group keys are known: aggregates come behind them. */
static int place_aggregate(struct expr *e, void *arg)
{
	const struct select *s = arg;

	if (e->kind == EXPR_COLUMN && e->source == SOURCE_AGGREGATE) {
		e->source = 0;
		e->column = (uint16_t)(s->ngroup + e->column);
	}
	return 0;
}

static int finish_group(struct binder *b, struct select *s)
{
	for (unsigned i = 0; i < s->noutputs; i++) {
		s->outputs[i].expr = over_group(b, s, s->outputs[i].expr);
		if (s->outputs[i].expr == NULL)
			return -1;
	}
	for (unsigned i = 0; i < s->norder; i++) {
		s->order[i].expr = over_group(b, s, s->order[i].expr);
		if (s->order[i].expr == NULL)
			return -1;
	}
	if (s->having != NULL) {
		s->having = over_group(b, s, s->having);
		if (s->having == NULL)
			return -1;
	}
	for (unsigned i = 0; i < s->noutputs; i++)
		expr_walk(s->outputs[i].expr, place_aggregate, s);
	for (unsigned i = 0; i < s->norder; i++)
		expr_walk(s->order[i].expr, place_aggregate, s);
	if (s->having != NULL)
		expr_walk(s->having, place_aggregate, s);
	return 0;
}

static int bind_group(struct binder *b, struct select *s, const PgQuery__SelectStmt *p)
{
	for (size_t i = 0; i < p->n_group_clause; i++) {
		struct expr *e;

		b->aggregates = NULL;
		b->no_aggregates = "GROUP BY";
		e = group_item(b, s, p->group_clause[i]);
		if (e == NULL)
			return -1;
		if (has_aggregate(e))
			return error_set(b->error, ERR_GROUPING, e->position,
				"aggregate functions are not allowed in GROUP BY");
		if (group_add(b, s, e) != 0)
			return -1;
		s->grouped = true;
	}
	b->aggregates = s;
	if (p->having_clause != NULL) {
		s->having = bind_condition(b, p->having_clause, "HAVING");
		if (s->having == NULL)
			return -1;
		s->grouped = true;
	}
	return 0;
}

/* --- the rest --- */

static struct expr *order_item(struct binder *b, const struct select *s, const PgQuery__Node *n)
{
	if (n->node_case == NODE(A_CONST) && n->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL) {
		int k = n->a_const->ival->ival;

		if (k >= 1 && (unsigned)k <= s->noutputs)
			return s->outputs[k - 1].expr;
		bind_fail(b, ERR_INVALID_COLUMN_REFERENCE, n->a_const->location,
			"ORDER BY position %d is not in select list", k);
		return NULL;
	}
	if (n->node_case == NODE(A_CONST))
		return not_a_position(b, n, "ORDER BY");
	if (n->node_case == NODE(COLUMN_REF) && n->column_ref->n_fields == 1) {
		struct expr *found = NULL;

		if (output_find(b, s, n->column_ref, "ORDER BY", &found) != 0)
			return NULL;
		if (found != NULL)
			return found;
	}
	return bind_settle(b, bind_expr(b, n));
}

static int bind_order(struct binder *b, struct select *s, const PgQuery__SelectStmt *p)
{
	s->order = bind_alloc(b, p->n_sort_clause * sizeof(*s->order));
	if (s->order == NULL)
		return -1;
	for (size_t i = 0; i < p->n_sort_clause; i++) {
		const PgQuery__SortBy *by = p->sort_clause[i]->sort_by;
		struct order *o = &s->order[i];

		o->expr = order_item(b, s, by->node);
		if (o->expr == NULL)
			return -1;
		o->descending = by->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_DESC;
		o->nulls_first = by->sortby_nulls == PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_FIRST ||
			(o->descending &&
				by->sortby_nulls != PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_LAST);
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

static int refuse(struct binder *b, const PgQuery__SelectStmt *p)
{
	const char *what = NULL;

	if (p->op != PG_QUERY__SET_OPERATION__SETOP_NONE)
		what = "UNION, INTERSECT or EXCEPT";
	else if (p->with_clause != NULL)
		what = "WITH";
	else if (p->n_distinct_clause > 0)
		what = "DISTINCT";
	else if (p->n_values_lists > 0)
		what = "VALUES as a query";
	else if (p->n_window_clause > 0)
		what = "a window";
	else if (p->n_locking_clause > 0)
		what = "FOR UPDATE or FOR SHARE";
	else if (p->into_clause != NULL)
		what = "SELECT INTO";
	else if (b->in_view &&
		(p->n_sort_clause > 0 || p->limit_count != NULL || p->limit_offset != NULL))
		what = "ORDER BY, LIMIT or OFFSET in a view";
	if (what == NULL)
		return 0;
	bind_unsupported(b, p->with_clause != NULL ? p->with_clause->location : 0, what);
	return -1;
}

struct select *bind_select(struct binder *b, const PgQuery__SelectStmt *p)
{
	struct select *s = bind_alloc(b, sizeof(*s));

	if (s == NULL || refuse(b, p) != 0)
		return NULL;
	s->sources = bind_alloc(b, BIND_SOURCES_MAX * sizeof(struct relation *));
	s->aliases = bind_alloc(b, BIND_SOURCES_MAX * sizeof(*s->aliases));
	if (s->sources == NULL || s->aliases == NULL)
		return NULL;
	for (size_t i = 0; i < p->n_from_clause; i++)
		if (bind_from(b, s, p->from_clause[i]) != 0)
			return NULL;
	if (p->where_clause != NULL) {
		struct expr *where;

		b->no_aggregates = "WHERE";
		where = bind_condition(b, p->where_clause, "WHERE");
		if (where == NULL || bind_conjuncts(b, where, &s->conjuncts, &s->nconjuncts) != 0)
			return NULL;
	}
	b->aggregates = s;
	if (bind_outputs(b, p->target_list, p->n_target_list, &s->outputs, &s->noutputs) != 0 ||
		bind_group(b, s, p) != 0 || bind_order(b, s, p) != 0)
		return NULL;
	b->aggregates = NULL;
	b->no_aggregates = "LIMIT";
	if (s->grouped && finish_group(b, s) != 0)
		return NULL;
	if (p->limit_count != NULL &&
		!(p->limit_count->node_case == NODE(A_CONST) && p->limit_count->a_const->isnull)) {
		s->limit = bind_limit(b, p->limit_count, "LIMIT");
		if (s->limit == NULL)
			return NULL;
	}
	if (p->limit_offset != NULL) {
		s->offset = bind_limit(b, p->limit_offset, "OFFSET");
		if (s->offset == NULL)
			return NULL;
	}
	return s;
}

/* --- queries --- */

int bind_equalities(
	const struct relation *r, struct expr **conjuncts, unsigned n, struct expr **eq, int *from)
{
	int found = 0;

	for (unsigned c = 0; c < r->ncols; c++) {
		eq[c] = NULL;
		from[c] = -1;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct expr *e = conjuncts[i];

		if (e->kind != EXPR_CALL || strcmp(e->fn->name, "=") != 0)
			continue;
		for (unsigned k = 0; k < 2; k++) {
			const struct expr *col = e->args[k];
			struct expr *other = e->args[1 - k];

			/* A varchar is compared as text, which is the same value. */
			if (col->kind == EXPR_CAST && col->type.id == TYPE_TEXT &&
				col->args[0]->type.id == TYPE_VARCHAR)
				col = col->args[0];
			/* An integer column against a wider number: only a literal or parameter that can be
			 * given the column's own type was bound without a cast on the column. */
			if (col->kind != EXPR_COLUMN || col->source != 0 ||
				eq[col->column] != NULL ||
				(expr_sources(other) & ~(UINT32_C(1) << EXPR_PARAMS)) != 0)
				continue;
			eq[col->column] = other;
			from[col->column] = (int)i;
			found++;
			break;
		}
	}
	return found;
}

/* Give the expression the column's type, where that cannot change the comparison; else NULL. */
static struct expr *key_cast(struct binder *b, struct expr *e, const struct column *c)
{
	bool integers = e->type.id >= TYPE_INT2 && e->type.id <= TYPE_INT8 &&
		c->type.id >= TYPE_INT2 && c->type.id <= TYPE_INT8;
	struct type t = { .id = c->type.id };

	if (e->type.id == t.id || (e->type.id == TYPE_TEXT && t.id == TYPE_VARCHAR) ||
		(integers && e->type.id < t.id)) {
		e = bind_coerce(b, e, t, CAST_IMPLICIT);
		return e;
	}
	return NULL;
}

static bool key_access(struct binder *b, const struct relation *r, struct select *s,
	struct expr **eq, const int *from, const uint16_t *cols, unsigned n, struct access *a)
{
	struct expr **keys = bind_alloc(b, n * sizeof(*keys));

	if (keys == NULL || n == 0)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (eq[cols[i]] == NULL)
			return false;
		keys[i] = key_cast(b, eq[cols[i]], &r->columns[cols[i]]);
		if (keys[i] == NULL)
			return false;
	}
	a->nkeys = 1;
	a->width = n;
	a->keys = keys;
	a->cols = cols;
	for (unsigned i = 0; i < n; i++)
		s->conjuncts[from[cols[i]]] = NULL;
	return true;
}

/* key IN (…), for a key of one column. */
static bool list_access(
	struct binder *b, const struct relation *r, struct select *s, struct access *a)
{
	if (r->nkey != 1)
		return false;
	for (unsigned i = 0; i < s->nconjuncts; i++) {
		struct expr *e = s->conjuncts[i];
		struct expr **keys;
		const struct expr *col = e->args == NULL ? NULL : e->args[0];
		bool good = true;

		if (e->kind != EXPR_IN || e->negated)
			continue;
		if (col->kind == EXPR_CAST && col->type.id == TYPE_TEXT &&
			col->args[0]->type.id == TYPE_VARCHAR)
			col = col->args[0];
		if (col->kind != EXPR_COLUMN || col->source != 0 || col->column != r->key[0])
			continue;
		keys = bind_alloc(b, e->nargs * sizeof(*keys));
		if (keys == NULL)
			return false;
		for (unsigned k = 1; k < e->nargs && good; k++) {
			keys[k - 1] = (expr_sources(e->args[k]) & ~(UINT32_C(1) << EXPR_PARAMS)) !=
					0
				? NULL
				: key_cast(b, e->args[k], &r->columns[r->key[0]]);
			good = keys[k - 1] != NULL;
		}
		if (!good)
			continue;
		*a = (struct access){ .kind = ACCESS_KEYS,
			.nkeys = e->nargs - 1u,
			.width = 1,
			.keys = keys,
			.cols = r->key };
		s->conjuncts[i] = NULL;
		return true;
	}
	return false;
}

/* Those that the access answers go behind the others: for the day when its index is gone. */
static int order_conjuncts(struct binder *b, struct select *s, struct expr *const *all)
{
	struct expr **answered = bind_alloc(b, (s->nconjuncts + 1) * sizeof(*answered));
	unsigned n = 0, k = 0;

	if (answered == NULL)
		return -1;
	for (unsigned i = 0; i < s->nconjuncts; i++)
		if (s->conjuncts[i] != NULL)
			s->conjuncts[n++] = s->conjuncts[i];
		else
			answered[k++] = all[i];
	if (k > 0)
		memcpy(s->conjuncts + n, answered, k * sizeof(*answered));
	s->nconjuncts = n;
	return (int)k;
}

static int choose_access(
	struct binder *b, const struct relation *r, struct select *s, struct access *a)
{
	struct expr **eq = bind_alloc(b, r->ncols * sizeof(*eq));
	int *from = bind_alloc(b, r->ncols * sizeof(*from));
	struct expr **all = bind_alloc(b, (s->nconjuncts + 1) * sizeof(*all));
	uint16_t *cols;
	int answered;

	if (eq == NULL || from == NULL || all == NULL)
		return -1;
	if (s->nconjuncts > 0)
		memcpy(all, s->conjuncts, s->nconjuncts * sizeof(*all));
	b->error->code = ERR_OK;
	bind_equalities(r, s->conjuncts, s->nconjuncts, eq, from);
	a->kind = ACCESS_SCAN;
	if (key_access(b, r, s, eq, from, r->key, r->nkey, a))
		a->kind = ACCESS_KEYS;
	else if (!list_access(b, r, s, a))
		for (unsigned i = 0; i < r->nindexes && a->kind == ACCESS_SCAN; i++)
			if (!r->indexes[i]->primary &&
				key_access(b, r, s, eq, from, r->indexes[i]->cols,
					r->indexes[i]->ncols, a)) {
				a->kind = ACCESS_INDEX;
				a->index_id = r->indexes[i]->id;
			}
	if (b->error->code != ERR_OK)
		return -1;
	if (a->kind == ACCESS_SCAN)
		return 0;
	if (a->kind == ACCESS_KEYS)
		a->index_id = r->indexes[0]->id;
	/* A copy: the key of a view may change under the statement. */
	cols = bind_alloc(b, a->width * sizeof(*cols));
	answered = order_conjuncts(b, s, all);
	if (cols == NULL || answered < 0)
		return -1;
	memcpy(cols, a->cols, a->width * sizeof(*cols));
	a->cols = cols;
	a->nanswered = (unsigned)answered;
	return 0;
}

int bind_query(struct binder *b, const PgQuery__SelectStmt *p)
{
	struct statement *st = b->statement;
	struct select *s = bind_select(b, p);

	if (s == NULL)
		return -1;
	if (s->nsources > 1) {
		bind_fail(b, ERR_FEATURE, 0, "a query that joins tables is not supported");
		return error_hint(
			b->error, "Create a materialized view for the join and query that.");
	}
	st->kind = STATEMENT_SELECT;
	st->query.select = s;
	st->results = s->outputs;
	st->nresults = s->noutputs;
	if (s->nsources == 0)
		return 0;
	st->relation = s->sources[0];
	return choose_access(b, st->relation, s, &st->query.access);
}
