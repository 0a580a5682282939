/*
 * bind_group.c: GROUP BY and HAVING, and everything above the group.
 *
 * Outputs, HAVING, ORDER BY and what windows are over are first bound over the sources, with aggregate calls as columns of
 * SOURCE_AGGREGATE, then rewritten to columns of the group row. A column of a table whose primary key is grouped may be used
 * without being grouped itself (as in PostgreSQL): it becomes one more group key, which changes nothing else.
 */
#include <string.h>

#include "core/sql/bind.h"

int bind_group_add(struct binder *b, struct select *s, struct expr *e)
{
	struct expr **grown;

	if (expr_listed(s->group, s->ngroup, e))
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

struct expr *bind_not_a_position(struct binder *b, const PgQuery__Node *n, const char *clause)
{
	bind_fail(b, ERR_SYNTAX, n->a_const->location, "non-integer constant in %s", clause);
	return NULL;
}

/* The output of that name, if there is one; several must be the same expression. */
int bind_output_find(struct binder *b, const struct select *s, const PgQuery__ColumnRef *c,
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
		return bind_not_a_position(b, n, "GROUP BY");
	if (n->node_case == NODE(COLUMN_REF) && n->column_ref->n_fields == 1) {
		const char *name = node_string(n->column_ref->fields[0]);
		struct expr *found = NULL;
		bool column = false;

		for (unsigned i = 0; i < b->level.nnames; i++)
			column |= strcmp(b->level.names[i].name, name) == 0;
		if (!column && bind_output_find(b, s, n->column_ref, "GROUP BY", &found) != 0)
			return NULL;
		if (found != NULL)
			return found;
	}
	return bind_settle(b, bind_expr(b, n));
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

struct expr *bind_int_const(struct binder *b, int64_t n, enum type_id type)
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
		bool present = expr_listed(s->group, s->ngroup, e->args[i]);

		if (!present && !expr_listed(s->absent, s->nabsent, e->args[i])) {
			error_set(b->error, ERR_GROUPING, e->position,
				"arguments to GROUPING must be grouping expressions of the associated query level");
			return NULL;
		}
		/* Which of several that are equal is meant PostgreSQL knows by their places. */
		if (expr_is_constant(e->args[i])) {
			error_set(b->error, ERR_FEATURE, e->position,
				"a constant in grouping() is not supported");
			return NULL;
		}
		bits = bits << 1 | !present;
	}
	return bind_int_const(b, bits, TYPE_INT4);
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
	if (expr_is_constant(e))
		return e;
	if (!expr_listed(s->group, s->ngroup, e) && expr_listed(s->absent, s->nabsent, e))
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
	if (e->kind == EXPR_COLUMN && e->source == EXPR_SYSTEM) {
		error_set(b->error, ERR_GROUPING, e->position,
			"column \"lf_epoch\" must appear in the GROUP BY clause or be used in an aggregate function");
		return NULL;
	}
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

/* … of an output: it may be a constant that only other sets group by. */
static struct expr *output_over_group(struct binder *b, struct select *s, struct expr *e)
{
	for (unsigned i = 0; i < s->nabsent; i++)
		if (s->absent[i] == e && expr_is_constant(e))
			return absent_null(b, e);
	return over_group(b, s, e);
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

int bind_finish_group(struct binder *b, struct select *s)
{
	struct grouping grouping = { b, s };

	for (unsigned i = 0; i < s->noutputs; i++) {
		s->outputs[i].expr = output_over_group(b, s, s->outputs[i].expr);
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

/* What an output may have, and what is grouped by may not. */
static int check_node(struct expr *e, void *arg)
{
	struct binder *b = arg;

	if (e->kind == EXPR_GROUPING)
		return error_set(b->error, ERR_GROUPING, e->position,
			"grouping operations are not allowed in GROUP BY");
	if (e->kind != EXPR_COLUMN)
		return 0;
	if (e->source == SOURCE_AGGREGATE)
		return error_set(b->error, ERR_GROUPING, e->position,
			"aggregate functions are not allowed in GROUP BY");
	if (e->source == SOURCE_WINDOW)
		return error_set(b->error, ERR_WINDOWING, e->position,
			"window functions are not allowed in GROUP BY");
	return 0;
}

static int group_bind(struct binder *b, struct select *s, const PgQuery__Node *n, struct expr **out)
{
	b->aggregates = NULL;
	b->no_aggregates = "GROUP BY";
	*out = group_item(b, s, n);
	if (*out == NULL)
		return -1;
	return expr_walk(*out, check_node, b) != 0 ? -1 : bind_check_equality(b, *out);
}

/* Whether it is an output itself, not only equal to one. */
static bool is_output(const struct select *s, const struct expr *e)
{
	for (unsigned i = 0; i < s->noutputs; i++)
		if (s->outputs[i].expr == e)
			return true;
	return false;
}

/* What the present set has become, for who asked for it. */
static int keep_set(struct binder *b, const struct select *s)
{
	b->nset_group = s->ngroup;
	b->set_group = bind_alloc(b, (s->ngroup + 1) * sizeof(*b->set_group));
	for (unsigned i = 0; b->set_group != NULL && i < s->ngroup; i++) {
		b->set_group[i] = bind_copy(b, s->group[i]);
		if (b->set_group[i] == NULL)
			return -1;
	}
	return b->set_group == NULL ? -1 : 0;
}

/* One of several grouping sets; what only the others have is noted. Of a constant the very output that is named is NULL in
 * the others, as in PostgreSQL. */
static int bind_set_group(struct binder *b, struct select *s, const PgQuery__SelectStmt *p,
	const struct node_list *set, const struct node_list *all)
{
	/* PostgreSQL sorts, and takes for different, what the constant was. */
	bool compared = p->n_sort_clause > 0 || p->n_distinct_clause > 0;
	struct expr **own = bind_alloc(b, (set->n + 1) * sizeof(*own)), *e;

	s->grouped = true;
	s->absent = bind_alloc(b, all->n * sizeof(*s->absent));
	if (own == NULL || s->absent == NULL)
		return -1;
	for (unsigned i = 0; i < set->n; i++)
		if (group_bind(b, s, set->at[i], &own[i]) != 0 || bind_group_add(b, s, own[i]) != 0)
			return -1;
	for (unsigned i = 0; i < all->n; i++) {
		bool present = false;

		if (group_bind(b, s, all->at[i], &e) != 0)
			return -1;
		if (expr_is_constant(e) && (compared || !is_output(s, e))) {
			bind_unsupported(
				b, node_location(all->at[i]), "a constant in GROUPING SETS");
			return -1;
		}
		for (unsigned k = 0; k < set->n; k++)
			present |= own[k] == e || (!expr_is_constant(e) && expr_equal(own[k], e));
		if (!present)
			s->absent[s->nabsent++] = e;
	}
	return keep_set(b, s);
}

int bind_group(struct binder *b, struct select *s, const PgQuery__SelectStmt *p,
	const struct node_list *set, const struct node_list *all)
{
	for (size_t i = 0; set == NULL && i < p->n_group_clause; i++) {
		struct expr *e;

		if (group_bind(b, s, p->group_clause[i], &e) != 0 || bind_group_add(b, s, e) != 0)
			return -1;
		s->grouped = true;
	}
	if (set != NULL && bind_set_group(b, s, p, set, all) != 0)
		return -1;
	b->aggregates = s;
	b->no_aggregates = "HAVING";
	if (p->having_clause != NULL) {
		s->having = bind_condition(b, p->having_clause, "HAVING");
		if (s->having == NULL)
			return -1;
		s->grouped = true;
	}
	return 0;
}

/* Group by all outputs. s is not grouped. */
int bind_group_all(struct binder *b, struct select *s)
{
	for (unsigned i = 0; i < s->noutputs; i++)
		if (bind_check_equality(b, s->outputs[i].expr) != 0 ||
			bind_group_add(b, s, s->outputs[i].expr) != 0)
			return -1;
	s->grouped = true;
	return 0;
}
