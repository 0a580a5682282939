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

/* --- grouping --- */

int bind_group_add(struct binder *b, struct select *s, struct expr *e)
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

		for (unsigned i = 0; i < b->level.nnames; i++)
			column |= strcmp(b->level.names[i].name, name) == 0;
		if (!column && output_find(b, s, n->column_ref, "GROUP BY", &found) != 0)
			return NULL;
		if (found != NULL)
			return found;
	}
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

static bool listed(struct expr *const *list, unsigned n, const struct expr *e)
{
	for (unsigned i = 0; i < n; i++)
		if (expr_equal(list[i], e))
			return true;
	return false;
}

static struct expr *integer(struct binder *b, int64_t n, enum type_id type)
{
	struct expr *e = expr_new(b, EXPR_CONST, type, -1);

	if (e != NULL)
		e->constant = (struct value){ .i = n, .type = (uint8_t)type };
	return e;
}

/* grouping(…): a bit for each that this set does not group by. */
static struct expr *grouping_bits(struct binder *b, const struct select *s, const struct expr *e)
{
	int64_t bits = 0;

	for (unsigned i = 0; i < e->nargs; i++) {
		bool present = listed(s->group, s->ngroup, e->args[i]);

		if (!present && !listed(s->absent, s->nabsent, e->args[i])) {
			error_set(b->error, ERR_GROUPING, e->position,
				"arguments to GROUPING must be grouping expressions of the associated query level");
			return NULL;
		}
		bits = bits << 1 | !present;
	}
	return integer(b, bits, TYPE_INT4);
}

static struct expr *absent_null(struct binder *b, const struct expr *e)
{
	struct expr *null = expr_new(b, EXPR_CONST, (enum type_id)e->type.id, -1);

	if (null == NULL)
		return NULL;
	null->type = e->type;
	null->constant = (struct value){ .type = e->type.id, .flags = VALUE_NULL };
	return null;
}

/* Rewrite over the group row. */
static struct expr *over_group(struct binder *b, struct select *s, struct expr *e)
{
	if (e->kind == EXPR_OUTER || (e->kind == EXPR_COLUMN && e->source == SOURCE_WINDOW))
		return e;
	if (e->kind == EXPR_GROUPING)
		return grouping_bits(b, s, e);
	if (!listed(s->group, s->ngroup, e) && listed(s->absent, s->nabsent, e))
		return absent_null(b, e);
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
			if (bind_group_add(b, s, e) != 0)
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

struct grouping {
	struct binder *b;
	struct select *s;
};

static int call_over_group(struct expr **e, void *arg)
{
	struct grouping *g = arg;

	*e = over_group(g->b, g->s, *e);
	return *e == NULL ? -1 : 0;
}

static int call_place_aggregate(struct expr **e, void *arg)
{
	return expr_walk(*e, place_aggregate, ((struct grouping *)arg)->s);
}

static int finish_group(struct binder *b, struct select *s)
{
	struct grouping grouping = { b, s };

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
	if (bind_calls_each(s, call_over_group, &grouping) != 0)
		return -1;
	for (unsigned i = 0; i < s->noutputs; i++)
		expr_walk(s->outputs[i].expr, place_aggregate, s);
	for (unsigned i = 0; i < s->norder; i++)
		expr_walk(s->order[i].expr, place_aggregate, s);
	if (s->having != NULL)
		expr_walk(s->having, place_aggregate, s);
	return bind_calls_each(s, call_place_aggregate, &grouping);
}

static int group_bind(struct binder *b, struct select *s, const PgQuery__Node *n, struct expr **out)
{
	b->aggregates = NULL;
	b->no_aggregates = "GROUP BY";
	*out = group_item(b, s, n);
	if (*out == NULL)
		return -1;
	if (has_aggregate(*out))
		return error_set(b->error, ERR_GROUPING, (*out)->position,
			"aggregate functions are not allowed in GROUP BY");
	return bind_check_equality(b, *out);
}

/* One of several grouping sets; what only the others have is noted. */
static int bind_set_group(struct binder *b, struct select *s, const struct node_list *set,
	const struct node_list *all)
{
	struct expr *e;

	s->grouped = true;
	for (unsigned i = 0; i < set->n; i++)
		if (group_bind(b, s, set->at[i], &e) != 0 || bind_group_add(b, s, e) != 0)
			return -1;
	s->absent = bind_alloc(b, all->n * sizeof(*s->absent));
	if (s->absent == NULL)
		return -1;
	for (unsigned i = 0; i < all->n; i++) {
		if (group_bind(b, s, all->at[i], &e) != 0)
			return -1;
		/* In PostgreSQL it depends on where it stands whether it is NULL in the other sets. */
		if (expr_is_constant(e)) {
			bind_unsupported(
				b, node_location(all->at[i]), "a constant in GROUPING SETS");
			return -1;
		}
		if (!listed(s->group, s->ngroup, e))
			s->absent[s->nabsent++] = e;
	}
	return 0;
}

static int bind_group(struct binder *b, struct select *s, const PgQuery__SelectStmt *p,
	const struct node_list *set, const struct node_list *all)
{
	for (size_t i = 0; set == NULL && i < p->n_group_clause; i++) {
		struct expr *e;

		if (group_bind(b, s, p->group_clause[i], &e) != 0 || bind_group_add(b, s, e) != 0)
			return -1;
		s->grouped = true;
	}
	if (set != NULL && bind_set_group(b, s, set, all) != 0)
		return -1;
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
			return bind_copy(b, s->outputs[k - 1].expr);
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
			return bind_copy(b, found);
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

/* Group by all outputs. s is not grouped. */
static int group_all(struct binder *b, struct select *s)
{
	for (unsigned i = 0; i < s->noutputs; i++)
		if (bind_check_equality(b, s->outputs[i].expr) != 0 ||
			bind_group_add(b, s, s->outputs[i].expr) != 0)
			return -1;
	s->grouped = true;
	return 0;
}

/* --- UNION and its like --- */

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

static struct select *union_all(struct binder *b, struct select **branches, unsigned n)
{
	struct select *s = bind_select_new(b);

	if (s == NULL)
		return NULL;
	s->branches = branches;
	s->nbranches = n;
	s->outputs = branches[0]->outputs;
	s->noutputs = branches[0]->noutputs;
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

static int output_append(struct binder *b, struct select *s, struct expr *e)
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
	struct expr *wanted = integer(b, n, TYPE_INT4), *count;

	if (column == NULL || wanted == NULL)
		return NULL;
	*a = (struct aggregate){ .kind = AGG_COUNT_STAR, .type = { .id = TYPE_INT8 } };
	a->filter = bind_operator(b, "=", column, wanted, -1);
	count = expr_new(b, EXPR_COLUMN, TYPE_INT8, -1);
	if (a->filter == NULL || count == NULL)
		return NULL;
	count->column = (uint16_t)(s->ngroup + s->naggregates++);
	return bind_operator(b, op, count, integer(b, 0, TYPE_INT8), -1);
}

/* INTERSECT and EXCEPT: the rows of both sides, marked, by what they are. */
static struct select *intersect(struct binder *b, struct select **branches, bool except)
{
	unsigned n = branches[0]->noutputs;
	struct expr *left, *right;
	struct select *all, *s;

	for (unsigned k = 0; k < 2; k++)
		if (output_append(b, branches[k], integer(b, k, TYPE_INT4)) != 0)
			return NULL;
	all = union_all(b, branches, 2);
	s = all == NULL ? NULL : bind_over(b, all);
	if (s == NULL)
		return NULL;
	s->noutputs = n;
	s->aggregates = bind_alloc(b, 2 * sizeof(*s->aggregates));
	if (s->aggregates == NULL || group_all(b, s) != 0)
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

static struct select *bind_set(struct binder *b, const PgQuery__SelectStmt *p)
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
	s = union_all(b, branches, 2);
	if (s == NULL || p->all)
		return s;
	s = bind_over(b, s);
	return s == NULL || group_all(b, s) != 0 || finish_group(b, s) != 0 ? NULL : s;
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

static struct select *bind_values(struct binder *b, const PgQuery__SelectStmt *p)
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
	return p->n_values_lists == 1 ? rows[0] : union_all(b, rows, (unsigned)p->n_values_lists);
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
	top->norder = s->norder;
	top->limit = s->limit;
	top->offset = s->offset;
	s->norder = 0;
	s->limit = s->offset = NULL;
	return group_all(b, top) != 0 || finish_group(b, top) != 0 ? NULL : top;
}

/* What is behind the outputs is bound: DISTINCT, grouping, subqueries, windows, LIMIT. */
static struct select *finish(struct binder *b, struct select *s, const PgQuery__SelectStmt *p)
{
	bool distinct = p->n_distinct_clause > 0 && !distinct_on(p);
	bool again = distinct && (s->grouped || s->ncalls > 0);
	bool ties = p->limit_option == PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_WITH_TIES;

	if (finish_nothing(b, s) != 0 || (distinct && distinct_order(b, s) != 0) ||
		(distinct && !again && group_all(b, s) != 0))
		return NULL;
	if (ties && s->norder == 0) {
		bind_fail(
			b, ERR_SYNTAX, -1, "WITH TIES cannot be specified without ORDER BY clause");
		return NULL;
	}
	s = bind_subqueries(b, s, true);
	if (s == NULL || (s->grouped && finish_group(b, s) != 0))
		return NULL;
	s = bind_subqueries(b, s, false);
	if (s != NULL && s->ncalls > 0)
		s = bind_windows(b, s);
	if (s != NULL && again)
		s = distinct_over(b, s);
	if (s == NULL || (is_query(b) && !ties))
		return s;
	return bind_top(b, s, ties);
}

/* The items of DISTINCT ON are outputs at the end, which are not given; then those that are. */
static struct select *finish_distinct_on(
	struct binder *b, struct select *s, const PgQuery__SelectStmt *p)
{
	unsigned noutputs = s->noutputs, n = (unsigned)p->n_distinct_clause;
	struct expr **list = bind_alloc(b, n * sizeof(*list));
	struct select *top;

	if (list == NULL)
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		struct expr *e = order_item(b, s, p->distinct_clause[i]);

		e = e == NULL ? NULL : bind_copy(b, e);
		if (e == NULL || bind_check_equality(b, e) != 0 || output_append(b, s, e) != 0)
			return NULL;
	}
	if (finish_nothing(b, s) != 0)
		return NULL;
	s = bind_subqueries(b, s, true);
	if (s == NULL || (s->grouped && finish_group(b, s) != 0))
		return NULL;
	s = bind_subqueries(b, s, false);
	if (s != NULL && s->ncalls > 0)
		s = bind_windows(b, s);
	if (s == NULL)
		return NULL;
	for (unsigned i = 0; i < n; i++)
		list[i] = s->outputs[noutputs + i].expr;
	top = bind_distinct_on(b, s, list, n);
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

/* One grouping set: what is above the group of all of them comes later. */
static struct select *finish_set(struct binder *b, struct select *s)
{
	if (s->ncalls > 0)
		return bind_unsupported(b, -1, "a window function beside GROUPING SETS");
	s = bind_subqueries(b, s, true);
	if (s == NULL || finish_group(b, s) != 0)
		return NULL;
	return bind_subqueries(b, s, false);
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
	if (bind_where(b, s, p->where_clause) != 0)
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
		b->aggregates = NULL;
		return finish_set(b, s);
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

/* ORDER BY of a UNION names its columns; it only matters with LIMIT. */
static struct select *set_order(struct binder *b, struct select *s, const PgQuery__SelectStmt *p)
{
	struct select *top;

	if (s == NULL ||
		(p->n_sort_clause == 0 && p->limit_count == NULL && p->limit_offset == NULL))
		return s;
	top = bind_over(b, s);
	if (top == NULL)
		return NULL;
	top->order = bind_alloc(b, p->n_sort_clause * sizeof(*top->order));
	if (top->order == NULL)
		return NULL;
	for (size_t i = 0; i < p->n_sort_clause; i++) {
		const PgQuery__SortBy *by = p->sort_clause[i]->sort_by;
		struct order *o = &top->order[i];

		o->expr = order_item(b, top, by->node);
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
	for (unsigned i = 0; i < n; i++)
		if (branches[i]->nbranches > 0 || branches[i]->window != NULL) {
			branches[i] = bind_over(b, branches[i]);
			if (branches[i] == NULL)
				return NULL;
		}
	s = n == 1 ? branches[0] : union_all(b, branches, n);
	if (s == NULL || p->n_distinct_clause == 0)
		return s;
	s = bind_over(b, s);
	return s == NULL || group_all(b, s) != 0 || finish_group(b, s) != 0 ? NULL : s;
}

static struct select *bind_body(struct binder *b, const PgQuery__SelectStmt *p, bool unsettled)
{
	struct select *s;

	if (p->op != PG_QUERY__SET_OPERATION__SETOP_NONE)
		return set_order(b, bind_set(b, p), p);
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
	unsigned n = s->nvisible > 0 ? s->nvisible : s->noutputs, norder = s->norder;
	struct order *order = s->order;
	struct expr *limit = s->limit, *offset = s->offset;
	unsigned *columns = bind_alloc(b, (norder + 1) * sizeof(*columns));
	struct select *top;

	if (columns == NULL)
		return NULL;
	for (unsigned i = 0; i < norder; i++) {
		for (columns[i] = 0; columns[i] < s->noutputs; columns[i]++)
			if (expr_equal(s->outputs[columns[i]].expr, order[i].expr))
				break;
		if (columns[i] == s->noutputs && output_append(b, s, order[i].expr) != 0)
			return NULL;
	}
	s->norder = 0;
	s->limit = s->offset = NULL;
	top = bind_over(b, s);
	if (top == NULL)
		return NULL;
	for (unsigned i = 0; i < norder; i++)
		order[i].expr = bind_copy(b, top->outputs[columns[i]].expr);
	for (unsigned i = 0; i < norder; i++)
		if (order[i].expr == NULL)
			return NULL;
	top->noutputs = n;
	top->norder = norder;
	top->order = order;
	top->limit = limit;
	top->offset = offset;
	return top;
}

int bind_query_of(struct binder *b, struct select *s)
{
	struct statement *st = b->statement;

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
