/*
 * bind_subquery.c: subqueries in expressions, as joins.
 *
 * A subquery is bound as a select of its own, which may use columns of the select around it in conditions
 * `outer = inner` of its WHERE. These are taken out of it: what is inside becomes columns of it, which the select around
 * joins by. So
 *
 *     EXISTS (SELECT … WHERE i.k = o.k)        d.n > 0, where d is  SELECT k, count(*) AS n … GROUP BY k
 *     (SELECT sum(i.x) … WHERE i.k = o.k)      d.s, where d is      SELECT k, sum(x) AS s … GROUP BY k
 *     (SELECT i.x … WHERE i.k = o.k)           d.x, where d is      SELECT k, min(x) AS x, count(*) … GROUP BY k;
 *                                              an error where the count is above 1
 *     o.x IN (SELECT i.y … WHERE i.k = o.k)    by d: SELECT DISTINCT k, y, and e: SELECT k, count(*), count(y)
 *
 * each LEFT JOINed by k, which finds one row or none. EXISTS and IN that WHERE demands are inner joins with the distinct
 * rows. An expression holds EXPR_SUBQUERY until its select is bound so far that it is known where the join belongs: below
 * the group or above it.
 */
#include <string.h>

#include "core/base/limits.h"
#include "core/sql/bind.h"

enum { PAIRS_MAX = LIMIT_OUTER_COLUMNS };

enum subquery_kind {
	SUBQUERY_EXISTS,
	SUBQUERY_IN,
	SUBQUERY_AGGREGATE,
	SUBQUERY_VALUE,
	SUBQUERY_ANY, /* x op ANY, by the least and the greatest */
	SUBQUERY_ALL
};

/* A relation to be joined, whose first columns are the inner sides of the pairs; of IN then the value, if `valued`. */
struct joined {
	struct relation *relation;
	bool valued;
};

struct subquery {
	enum subquery_kind kind;
	unsigned npairs;
	struct expr *equal[PAIRS_MAX]; /* outer = inner, whose function is wanted */
	struct expr *in_equal;         /* of IN */
	unsigned njoined;
	struct joined joined[2];
	struct domain *domain; /* the outer columns; NULL: they are in pairs only */
	struct expr *result;   /* SUBQUERY_AGGREGATE: over the aggregates as columns of source 0 */
	bool single;           /* SUBQUERY_VALUE: there can be no second row */
};

/* --- taking the outer columns out --- */

static int count_outer(struct expr *e, void *arg)
{
	*(unsigned *)arg += e->kind == EXPR_OUTER;
	return 0;
}

static unsigned outers(struct expr *e)
{
	unsigned n = 0;

	expr_walk(e, count_outer, &n);
	return n;
}

static int unwrap_one(struct expr *e, void *arg)
{
	(void)arg;
	if (e->kind == EXPR_OUTER) {
		const struct expr *inner = e->args[0];

		*e = *inner;
	}
	return 0;
}

static int is_deep(struct expr *e, void *arg)
{
	(void)arg;
	return e->kind == EXPR_OUTER && e->args[0]->kind == EXPR_OUTER;
}

struct pairs {
	bool keyed; /* the select's first columns are the inner sides already */
	unsigned n;
	struct expr *outer[PAIRS_MAX], *inner[PAIRS_MAX], *equal[PAIRS_MAX];
};

/* If e equates what only the select around has with what only this one has: as a pair. */
static bool pair_take(struct pairs *p, struct expr *e)
{
	if (p->n == PAIRS_MAX || e->kind != EXPR_CALL || strcmp(e->fn->name, "=") != 0)
		return false;
	for (unsigned k = 0; k < 2; k++) {
		struct expr *outer = e->args[k], *inner = e->args[1 - k];

		if (outers(outer) == 0 || expr_sources(outer) != 0 || outers(inner) != 0 ||
			expr_sources(inner) == 0 || expr_walk(outer, is_deep, NULL) != 0)
			continue;
		p->outer[p->n] = outer;
		p->inner[p->n] = inner;
		p->equal[p->n++] = e;
		return true;
	}
	return false;
}

/* The pairs of a select's WHERE, which loses them. made: outer columns that it has in all. False: not all of them are in
 * pairs, and nothing was done. */
static bool pairs_take(struct select *s, unsigned made, struct pairs *p)
{
	unsigned n = 0, taken = 0;

	if (made > 0 && (s->nbranches > 0 || s->window != NULL))
		return false;
	for (unsigned i = 0; i < s->from.nconjuncts; i++)
		if (pair_take(p, s->from.conjuncts[i]))
			taken += outers(p->outer[p->n - 1]);
	if (taken != made) {
		p->n = 0;
		return false;
	}
	for (unsigned i = 0; i < s->from.nconjuncts; i++) {
		bool is_pair = false;

		for (unsigned k = 0; k < p->n; k++)
			is_pair |= p->equal[k] == s->from.conjuncts[i];
		if (!is_pair)
			s->from.conjuncts[n++] = s->from.conjuncts[i];
	}
	s->from.nconjuncts = n;
	for (unsigned i = 0; i < p->n; i++)
		expr_walk(p->outer[i], unwrap_one, NULL);
	return true;
}

/* Without pairs: the keys are those of the domain. The select with them first, or NULL. */
static struct select *domain_take(
	struct binder *b, struct subquery *q, struct select *s, struct pairs *p)
{
	struct domain *d = bind_alloc(b, sizeof(*d));
	struct output *outputs;
	struct select *top;
	unsigned n = 0;
	int at;

	if (d == NULL || bind_unnest(b, s, d, &at) != 0)
		return NULL;
	q->domain = d;
	top = bind_over(b, s);
	outputs = top == NULL ? NULL : bind_alloc(b, top->noutputs * sizeof(*outputs));
	if (outputs == NULL)
		return NULL;
	for (unsigned i = 0; i < d->n; i++) {
		outputs[n++] = top->outputs[(unsigned)at + i];
		p->outer[i] = d->outer[i];
		p->equal[i] = bind_null_safe(b, d->outer[i], d->outer[i]);
		if (p->equal[i] == NULL)
			return NULL;
	}
	for (unsigned i = 0; i < top->noutputs; i++)
		if (i < (unsigned)at || i >= (unsigned)at + d->n)
			outputs[n++] = top->outputs[i];
	top->outputs = outputs;
	p->n = d->n;
	p->keyed = true;
	return top;
}

/* --- the relations to be joined --- */

static int shift_column(struct expr *e, void *arg)
{
	const unsigned *shift = arg;

	if (e->kind == EXPR_COLUMN && e->source == 0 && e->column >= shift[0])
		e->column = (uint16_t)(e->column + shift[1]);
	return 0;
}

/* Make the inner sides of the pairs columns of a select, before its own. */
static int keys_add(struct binder *b, struct select *s, const struct pairs *p)
{
	struct output *outputs = bind_alloc(b, (p->n + s->noutputs) * sizeof(*outputs));
	unsigned shift[2] = { s->ngroup, 0 };

	if (outputs == NULL)
		return -1;
	for (unsigned i = 0; s->grouped && i < p->n; i++)
		if (bind_group_add(b, s, p->inner[i]) != 0)
			return -1;
	shift[1] = s->ngroup - shift[0];
	for (unsigned i = 0; s->grouped && i < s->noutputs; i++)
		expr_walk(s->outputs[i].expr, shift_column, shift);
	if (s->having != NULL)
		expr_walk(s->having, shift_column, shift);
	for (unsigned i = 0; i < p->n; i++) {
		struct expr *e = p->inner[i];

		for (unsigned k = 0; s->grouped && k < s->ngroup; k++)
			if (expr_equal(s->group[k], p->inner[i])) {
				e = expr_new(b, EXPR_COLUMN, (enum type_id)e->type.id, -1);
				if (e == NULL)
					return -1;
				e->type = p->inner[i]->type;
				e->column = (uint16_t)k;
				break;
			}
		outputs[i] = (struct output){ "", p->inner[i]->type, e };
	}
	if (s->noutputs > 0)
		memcpy(outputs + p->n, s->outputs, s->noutputs * sizeof(*outputs));
	s->outputs = outputs;
	s->noutputs += p->n;
	return 0;
}

/* The select with the pairs' columns first; one that cannot take them is refused. */
static struct select *keyed(struct binder *b, struct select *s, const struct pairs *p, int location)
{
	if (p->n == 0 || p->keyed)
		return s;
	if (s->nbranches > 0 || s->window != NULL || (s->grouped && s->ngroup == 0))
		return bind_unsupported(b, location, "this correlated subquery");
	return keys_add(b, s, p) == 0 ? s : NULL;
}

static struct aggregate *aggregate_add(
	struct select *s, enum aggregate_kind kind, struct expr *arg, struct type type)
{
	struct aggregate *a = &s->aggregates[s->naggregates++];

	*a = (struct aggregate){ .kind = kind, .arg = arg, .type = type };
	return a;
}

static int output_column(struct binder *b, struct select *s, unsigned column, struct type type)
{
	struct expr *e = expr_new(b, EXPR_COLUMN, (enum type_id)type.id, -1);

	if (e == NULL)
		return -1;
	e->type = type;
	e->column = (uint16_t)column;
	s->outputs[s->noutputs++] = (struct output){ "", type, e };
	return 0;
}

/* SELECT the first nkeys columns, then aggregates of these kinds over column nkeys, GROUP BY the keys. */
static struct relation *counted(struct binder *b, struct select *base, unsigned nkeys,
	const enum aggregate_kind *kinds, unsigned nkinds)
{
	const struct type bigint = { .id = TYPE_INT8 };
	struct select *s = bind_over(b, base);
	struct output *columns;

	if (s == NULL)
		return NULL;
	columns = s->outputs;
	s->outputs = bind_alloc(b, (nkeys + nkinds) * sizeof(*s->outputs));
	s->aggregates = bind_alloc(b, (nkinds + 1) * sizeof(*s->aggregates));
	s->group = bind_alloc(b, (nkeys + 1) * sizeof(*s->group));
	s->noutputs = 0;
	if (s->outputs == NULL || s->aggregates == NULL || s->group == NULL)
		return NULL;
	s->grouped = true;
	/* Not by bind_group_add(): columns that are equal stay two. */
	for (unsigned i = 0; i < nkeys; i++) {
		s->group[s->ngroup++] = columns[i].expr;
		if (output_column(b, s, i, columns[i].type) != 0)
			return NULL;
	}
	for (unsigned i = 0; i < nkinds; i++) {
		bool star = kinds[i] == AGG_COUNT_STAR;
		struct type type = star || kinds[i] == AGG_COUNT ? bigint : columns[nkeys].type;

		aggregate_add(s, kinds[i], star ? NULL : columns[nkeys].expr, type);
		if (output_column(b, s, nkeys + i, type) != 0)
			return NULL;
	}
	return bind_derived(b, s, "");
}

/* What the joined relations of the kinds have. */
static const enum aggregate_kind COUNT_KINDS[] = { AGG_COUNT_STAR, AGG_COUNT, AGG_MIN, AGG_MAX },
				 VALUE_KINDS[] = { AGG_COUNT_STAR, AGG_MIN };

static bool join_add(struct subquery *q, struct relation *r, bool valued)
{
	if (r != NULL)
		q->joined[q->njoined++] = (struct joined){ r, valued };
	return r != NULL;
}

/* --- the kinds --- */

static int bind_exists(
	struct binder *b, struct subquery *q, struct select *s, const struct pairs *p, int location)
{
	q->kind = SUBQUERY_EXISTS;
	if (s->nbranches == 0 && s->window == NULL && !s->grouped)
		s->noutputs = p->keyed ? p->n : 0;
	s = keyed(b, s, p, location);
	if (s == NULL)
		return -1;
	return join_add(q, counted(b, s, p->n, COUNT_KINDS, 1), false) ? 0 : -1;
}

bool bind_counts(const struct aggregate *a)
{
	enum aggregate_kind kind = a->kind == AGG_DISTINCT ? a->of : a->kind;

	return kind == AGG_COUNT || kind == AGG_COUNT_STAR;
}

static bool is_aggregation(const struct select *s)
{
	return s->grouped && s->ngroup == 0 && s->having == NULL && s->nbranches == 0 &&
		s->window == NULL && s->nsources > 0;
}

/* A value of an aggregation without GROUP BY: there is one over nothing, too. */
static int bind_aggregate_value(
	struct binder *b, struct subquery *q, struct select *s, const struct pairs *p)
{
	struct output *outputs = bind_alloc(b, (p->n + s->naggregates + 1) * sizeof(*outputs));

	q->kind = SUBQUERY_AGGREGATE;
	q->result = s->outputs[0].expr;
	s->outputs = outputs;
	s->noutputs = 0;
	s->group = bind_alloc(b, (p->n + 1) * sizeof(*s->group));
	if (outputs == NULL || s->group == NULL)
		return -1;
	for (unsigned i = 0; i < p->n; i++) {
		s->group[s->ngroup++] = p->inner[i];
		if (output_column(b, s, i, p->inner[i]->type) != 0)
			return -1;
	}
	for (unsigned i = 0; i < s->naggregates; i++) {
		if (output_column(b, s, p->n + i, s->aggregates[i].type) != 0)
			return -1;
		/* Which are 0 over nothing. */
		s->outputs[p->n + i].name = bind_counts(&s->aggregates[i]) ? "count" : "";
	}
	return join_add(q, bind_derived(b, s, ""), false) ? 0 : -1;
}

/* The primary key of the only table is given by the pairs. */
static bool one_row(const struct select *s, const struct pairs *p)
{
	const struct relation *r = s->nsources == 1 ? s->sources[0] : NULL;

	if (r == NULL || r->kind != RELATION_TABLE || s->grouped || s->nbranches > 0)
		return false;
	for (unsigned k = 0; k < r->nkey; k++) {
		bool found = false;

		for (unsigned i = 0; i < p->n; i++)
			found |= p->inner[i]->kind == EXPR_COLUMN &&
				p->inner[i]->column == r->key[k];
		if (!found)
			return false;
	}
	return r->nkey > 0;
}

static int bind_value(
	struct binder *b, struct subquery *q, struct select *s, const struct pairs *p, int location)
{
	if (s->noutputs != (p->keyed ? p->n : 0) + 1)
		return bind_fail(b, ERR_SYNTAX, location, "subquery must return only one column");
	if (!p->keyed && is_aggregation(s))
		return bind_aggregate_value(b, q, s, p);
	q->kind = SUBQUERY_VALUE;
	q->single |= !p->keyed && one_row(s, p);
	s = keyed(b, s, p, location);
	if (s == NULL)
		return -1;
	return join_add(q, q->single ? bind_derived(b, s, "") : counted(b, s, p->n, VALUE_KINDS, 2),
		       false)
		? 0
		: -1;
}

/* x IN (…): `=` casts both sides, so the column may be another expression than it was. */
static int bind_in_value(struct binder *b, struct subquery *q, struct select *s,
	const struct pairs *p, const char *op, struct expr **x, int location)
{
	struct expr *value, *equal;
	struct select *base;
	if (s->noutputs != (p->keyed ? p->n : 0) + 1)
		return bind_fail(b, ERR_SYNTAX, location, "subquery has too many columns");
	s = keyed(b, s, p, location);
	base = s == NULL ? NULL : bind_over(b, s);
	if (base == NULL)
		return -1;
	value = base->outputs[p->n].expr;
	equal = bind_operator(b, op, *x, value, location);
	if (equal == NULL)
		return -1;
	if (equal->kind != EXPR_CALL || equal->nargs != 2 || equal->type.id != TYPE_BOOL) {
		bind_unsupported(b, location, "this operator with a subquery");
		return -1;
	}
	*x = equal->args[0];
	base->outputs[p->n].expr = equal->args[1];
	base->outputs[p->n].type = equal->args[1]->type;
	q->in_equal = equal;
	if (q->kind != SUBQUERY_IN)
		return join_add(q, counted(b, base, p->n, COUNT_KINDS, 4), false) ? 0 : -1;
	return join_add(q, counted(b, base, p->n + 1, NULL, 0), true) &&
			join_add(q, counted(b, base, p->n, COUNT_KINDS, 2), false)
		? 0
		: -1;
}

/* Number of a new subquery of the present select; -1. */
static int subquery_add(struct binder *b, const struct subquery *q)
{
	struct select *s = b->level.select;
	struct subquery **grown = bind_alloc(b, (s->nsubqueries + 1) * sizeof(*grown));
	struct subquery *copy = bind_alloc(b, sizeof(*copy));

	if (grown == NULL || copy == NULL)
		return -1;
	if (s->nsubqueries > 0)
		memcpy(grown, s->subqueries, s->nsubqueries * sizeof(*grown));
	*copy = *q;
	grown[s->nsubqueries] = copy;
	s->subqueries = grown;
	return (int)s->nsubqueries++;
}

static struct expr *subquery_expr(struct binder *b, const struct subquery *q, const struct pairs *p,
	struct expr *x, struct type type, int location)
{
	struct expr *e = expr_args(
		b, expr_new(b, EXPR_SUBQUERY, (enum type_id)type.id, location), p->n + 1);
	int number = subquery_add(b, q);

	if (e == NULL || number < 0)
		return NULL;
	e->type = type;
	e->column = (uint16_t)number;
	for (unsigned i = 0; i < p->n; i++)
		e->args[i] = p->outer[i];
	e->args[p->n] = x;
	e->nargs = (uint16_t)(p->n + (x != NULL));
	return e;
}

static bool is_comparison(const char *op)
{
	return strcmp(op, "=") == 0 || strcmp(op, "<>") == 0 || strcmp(op, "<") == 0 ||
		strcmp(op, "<=") == 0 || strcmp(op, ">") == 0 || strcmp(op, ">=") == 0;
}

struct expr *bind_negated(struct binder *b, struct expr *e, int location)
{
	struct expr *n = expr_args(b, expr_new(b, EXPR_NOT, TYPE_BOOL, location), 1);

	if (n != NULL)
		n->args[0] = e;
	return e == NULL ? NULL : n;
}

/* Take the outer columns out of a subquery's select, of which `before` were made before it: as pairs or a domain. valued:
 * its value is asked for. The select to go on with, or NULL. */
static struct select *correlate(struct binder *b, struct subquery *q, struct select *s,
	unsigned before, bool valued, struct pairs *pairs)
{
	/* One without GROUP BY has a row for nothing, too, which pairs would lose but where its value alone is asked for. */
	bool direct = b->nouter == before || !s->grouped || s->ngroup > 0 ||
		(valued && is_aggregation(s));

	if (!direct || !pairs_take(s, b->nouter - before, pairs)) {
		q->single = is_aggregation(s);
		s = domain_take(b, q, s, pairs);
		if (s == NULL)
			return NULL;
	}
	b->nouter = before;
	for (unsigned i = 0; i < pairs->n; i++)
		q->equal[i] = pairs->equal[i];
	q->npairs = pairs->n;
	return s;
}

struct expr *bind_exists_of(struct binder *b, struct select *s, unsigned before, int location)
{
	struct pairs pairs = { 0 };
	struct subquery q = { 0 };

	s = correlate(b, &q, s, before, false, &pairs);
	if (s == NULL || bind_exists(b, &q, s, &pairs, location) != 0)
		return NULL;
	return subquery_expr(b, &q, &pairs, NULL, (struct type){ .id = TYPE_BOOL }, location);
}

struct expr *bind_value_of(struct binder *b, struct select *s, unsigned before, int location)
{
	struct pairs pairs = { 0 };
	struct subquery q = { 0 };
	struct type type = { .id = TYPE_BOOL };
	unsigned first;

	s = correlate(b, &q, s, before, true, &pairs);
	if (s == NULL)
		return NULL;
	first = pairs.keyed ? pairs.n : 0;
	if (s->noutputs > first)
		type = s->outputs[first].type;
	if (bind_value(b, &q, s, &pairs, location) != 0)
		return NULL;
	return subquery_expr(b, &q, &pairs, NULL, type, location);
}

/* x op ANY (…), x op ALL (…) */
static struct expr *bind_quantified(struct binder *b, const PgQuery__SubLink *p, const char *op)
{
	const struct type boolean = { .id = TYPE_BOOL };
	bool any = p->sub_link_type == PG_QUERY__SUB_LINK_TYPE__ANY_SUBLINK;
	bool in = strcmp(op, any ? "=" : "<>") == 0;
	struct expr *x = bind_expr(b, p->testexpr), *e;
	unsigned before = b->nouter;
	struct pairs pairs = { 0 };
	struct subquery q = { 0 };
	struct select *s;

	s = x == NULL ? NULL : bind_nested(b, p->subselect->select_stmt, true);
	s = s == NULL ? NULL : correlate(b, &q, s, before, false, &pairs);
	if (s == NULL)
		return NULL;
	q.kind = in ? SUBQUERY_IN : any ? SUBQUERY_ANY : SUBQUERY_ALL;
	if (bind_in_value(b, &q, s, &pairs, in ? "=" : op, &x, p->location) != 0)
		return NULL;
	e = subquery_expr(b, &q, &pairs, x, boolean, p->location);
	return in && !any ? bind_negated(b, e, p->location) : e;
}

struct expr *bind_sublink(struct binder *b, const PgQuery__SubLink *p)
{
	const char *op = p->n_oper_name > 0 ? node_string(p->oper_name[0]) : "=";
	bool any = p->sub_link_type == PG_QUERY__SUB_LINK_TYPE__ANY_SUBLINK;
	bool all = p->sub_link_type == PG_QUERY__SUB_LINK_TYPE__ALL_SUBLINK;
	unsigned before;
	struct select *s;

	if (b->level.select == NULL || b->level.no_subqueries)
		return bind_unsupported(b, p->location, "a subquery here");
	if (p->sub_link_type == PG_QUERY__SUB_LINK_TYPE__ARRAY_SUBLINK ||
		((any || all) && !is_comparison(op)))
		return bind_unsupported(b, p->location, "this form of a subquery");
	if ((any || all) && p->testexpr->node_case == NODE(ROW_EXPR))
		return bind_row_in(b, p, strcmp(op, any ? "=" : "<>") == 0);
	if (any || all)
		return bind_quantified(b, p, op);
	before = b->nouter;
	s = bind_nested(b, p->subselect->select_stmt, true);
	if (s == NULL)
		return NULL;
	return p->sub_link_type == PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK
		? bind_exists_of(b, s, before, p->location)
		: bind_value_of(b, s, before, p->location);
}

/* --- placing them --- */

struct placing {
	struct binder *b;
	struct select *s;                /* where their sources go */
	struct subquery *const *queries; /* by number */
};

/* outer = column, by the function of another equality. */
static struct expr *joined_equal(struct binder *b, const struct expr *like, struct expr *outer,
	unsigned source, const struct relation *r, unsigned column)
{
	struct expr *e = expr_args(b, expr_new(b, like->kind, TYPE_BOOL, -1), 2);

	if (e == NULL)
		return NULL;
	e->fn = like->fn;
	e->negated = like->negated;
	e->args[0] = bind_copy(b, outer);
	e->args[1] = bind_column(b, (uint8_t)source, r, column, -1);
	return e->args[0] == NULL || e->args[1] == NULL ? NULL : e;
}

/* What a relation is joined by. */
static int joined_on(struct placing *p, const struct subquery *q, const struct expr *e,
	const struct joined *j, unsigned source, struct expr ***on, unsigned *n)
{
	for (unsigned i = 0; i < q->npairs + j->valued; i++) {
		struct expr *equal = joined_equal(p->b, i < q->npairs ? q->equal[i] : q->in_equal,
			e->args[i], source, j->relation, i);

		if (equal == NULL || bind_conjuncts(p->b, equal, on, n) != 0)
			return -1;
	}
	return 0;
}

struct from_list *bind_list_of(struct binder *b, unsigned source)
{
	struct from_list *l = bind_alloc(b, sizeof(*l));

	if (l == NULL ||
		bind_item(b, l,
			&(struct from_item){ .kind = FROM_SOURCE, .source = (uint8_t)source }) != 0)
		return NULL;
	return l;
}

int bind_one_row(struct binder *b, struct select *s)
{
	struct select *one = bind_select_new(b);
	struct relation *r;
	int source;

	if (one == NULL)
		return -1;
	one->grouped = true;
	one->outputs = bind_alloc(b, sizeof(*one->outputs));
	r = bind_derived(b, one, "");
	source = r == NULL ? -1 : bind_source(b, s, r, "", -1);
	return source < 0
		? -1
		: bind_item(b, &s->from,
			  &(struct from_item){ .kind = FROM_SOURCE, .source = (uint8_t)source });
}

/* LEFT JOIN a relation to all that is in FROM. The number of the source, or -1. */
static int join_left(
	struct placing *p, const struct subquery *q, const struct expr *e, const struct joined *j)
{
	struct binder *b = p->b;
	struct from_list *left = bind_alloc(b, sizeof(*left));
	struct from_item item = { .kind = FROM_LEFT, .left = left };
	int source;

	if (left == NULL || (p->s->from.n == 0 && bind_one_row(b, p->s) != 0))
		return -1;
	source = bind_source(b, p->s, j->relation, "", -1);
	if (source < 0)
		return -1;
	/* The conditions stay above: those of the left side only find their way down. */
	left->n = p->s->from.n;
	left->items = p->s->from.items;
	item.right = bind_list_of(b, (unsigned)source);
	if (item.right == NULL ||
		joined_on(p, q, e, j, (unsigned)source, &item.conjuncts, &item.nconjuncts) != 0)
		return -1;
	p->s->from.n = 0;
	p->s->from.items = NULL;
	return bind_item(b, &p->s->from, &item) == 0 ? source : -1;
}

struct expr *bind_count_or_zero(struct binder *b, struct expr *count)
{
	struct expr *e = expr_args(b, expr_new(b, EXPR_COALESCE, TYPE_INT8, -1), 2);

	if (e == NULL || count == NULL)
		return NULL;
	e->args[0] = count;
	e->args[1] = bind_int_const(b, 0, TYPE_INT8);
	return e->args[1] == NULL ? NULL : e;
}

/* The aggregates of a result are columns of the joined relation, behind the keys. */
static struct expr *result_over(struct binder *b, const struct expr *e, unsigned source,
	const struct relation *r, unsigned nkeys)
{
	struct expr *copy;

	if (e->kind == EXPR_COLUMN) {
		unsigned column = nkeys + e->column;
		struct expr *c = bind_column(b, (uint8_t)source, r, column, -1);

		return c != NULL && strcmp(r->columns[column].name, "count") == 0
			? bind_count_or_zero(b, c)
			: c;
	}
	copy = bind_copy(b, e);
	for (unsigned i = 0; copy != NULL && i < copy->nargs; i++) {
		copy->args[i] = result_over(b, e->args[i], source, r, nkeys);
		if (copy->args[i] == NULL)
			return NULL;
	}
	return copy;
}

struct expr *bind_is_null(struct binder *b, struct expr *e, bool negate)
{
	struct expr *n = expr_args(b, expr_new(b, EXPR_IS_NULL, TYPE_BOOL, -1), 1);

	if (n == NULL || e == NULL)
		return NULL;
	n->args[0] = e;
	n->negated = negate;
	return n;
}

struct expr *bind_boolean(struct binder *b, int value)
{
	struct expr *e = expr_new(b, EXPR_CONST, TYPE_BOOL, -1);

	if (e == NULL)
		return NULL;
	e->constant = (struct value){ .i = value > 0, .type = TYPE_BOOL };
	if (value < 0)
		e->constant.flags = VALUE_NULL;
	return e;
}

/* CASE WHEN there is x THEN true WHEN there is nothing THEN false WHEN x IS NULL OR there are NULLs THEN NULL
 * ELSE false END. */
static struct expr *in_result(
	struct binder *b, const struct subquery *q, const struct expr *x, const unsigned sources[2])
{
	const struct relation *found = q->joined[0].relation, *counts = q->joined[1].relation;
	struct expr *e = expr_args(b, expr_new(b, EXPR_CASE, TYPE_BOOL, -1), 7);
	struct expr *count[2], *nulls, *x_null;

	for (unsigned i = 0; i < 2; i++)
		count[i] = bind_column(b, (uint8_t)sources[1], counts, q->npairs + i, -1);
	if (e == NULL || count[0] == NULL || count[1] == NULL)
		return NULL;
	x_null = bind_is_null(b, bind_copy(b, x), false);
	nulls = bind_operator(b, "<>", bind_copy(b, count[0]), count[1], -1);
	e->args[0] = bind_is_null(
		b, bind_column(b, (uint8_t)sources[0], found, q->npairs, -1), true);
	e->args[2] = bind_operator(
		b, "=", bind_count_or_zero(b, count[0]), bind_int_const(b, 0, TYPE_INT8), -1);
	e->args[4] = expr_args(b, expr_new(b, EXPR_OR, TYPE_BOOL, -1), 2);
	if (e->args[0] == NULL || e->args[2] == NULL || e->args[4] == NULL || nulls == NULL ||
		x_null == NULL)
		return NULL;
	e->args[4]->args[0] = x_null;
	e->args[4]->args[1] = nulls;
	e->args[1] = bind_boolean(b, 1);
	e->args[3] = bind_boolean(b, 0);
	e->args[5] = bind_boolean(b, -1);
	e->args[6] = bind_boolean(b, 0);
	for (unsigned i = 0; i < 7; i++)
		if (e->args[i] == NULL)
			return NULL;
	return e;
}

static struct expr *both(struct binder *b, enum expr_kind kind, struct expr *l, struct expr *r)
{
	struct expr *e = expr_args(b, expr_new(b, kind, TYPE_BOOL, -1), 2);

	if (e == NULL || l == NULL || r == NULL)
		return NULL;
	e->args[0] = l;
	e->args[1] = r;
	return e;
}

/* x op the extreme of the values in a column of the joined relation. */
static struct expr *extreme_compared(struct binder *b, const struct subquery *q,
	const struct expr *x, unsigned source, bool greatest)
{
	const struct relation *r = q->joined[0].relation;
	struct expr *e = expr_args(b, expr_new(b, EXPR_CALL, TYPE_BOOL, -1), 2);

	if (e == NULL)
		return NULL;
	e->fn = q->in_equal->fn;
	e->args[0] = bind_copy(b, x);
	e->args[1] = bind_column(b, (uint8_t)source, r, q->npairs + 2 + greatest, -1);
	return e->args[0] == NULL || e->args[1] == NULL ? NULL : e;
}

/* Whether x op any of the values, or all: by the extreme that decides it, and for equality by both. */
static struct expr *compared(
	struct binder *b, const struct subquery *q, const struct expr *x, unsigned source)
{
	const char *op = q->in_equal->fn->name;
	bool any = q->kind == SUBQUERY_ANY;

	if (op[0] == '=' || strcmp(op, "<>") == 0)
		return both(b, any ? EXPR_OR : EXPR_AND, extreme_compared(b, q, x, source, false),
			extreme_compared(b, q, x, source, true));
	return extreme_compared(b, q, x, source, (op[0] == '<') == any);
}

/* Of ANY: CASE WHEN there is nothing THEN false WHEN it is so THEN true WHEN x IS NULL OR there are NULLs THEN NULL
 * ELSE false END; of ALL with true and false the other way round, and when it is not so. */
static struct expr *quantified_result(
	struct binder *b, const struct subquery *q, const struct expr *x, unsigned source)
{
	const struct relation *r = q->joined[0].relation;
	bool any = q->kind == SUBQUERY_ANY;
	struct expr *e = expr_args(b, expr_new(b, EXPR_CASE, TYPE_BOOL, -1), 7);
	struct expr *count = bind_column(b, (uint8_t)source, r, q->npairs, -1), *nulls;

	if (e == NULL || count == NULL)
		return NULL;
	nulls = bind_operator(b, "<>", bind_copy(b, count),
		bind_column(b, (uint8_t)source, r, q->npairs + 1, -1), -1);
	e->args[0] = bind_operator(
		b, "=", bind_count_or_zero(b, count), bind_int_const(b, 0, TYPE_INT8), -1);
	e->args[1] = bind_boolean(b, !any);
	e->args[2] = compared(b, q, x, source);
	if (!any)
		e->args[2] = bind_negated(b, e->args[2], -1);
	e->args[3] = bind_boolean(b, any);
	e->args[4] = both(b, EXPR_OR, bind_is_null(b, bind_copy(b, x), false), nulls);
	e->args[5] = bind_boolean(b, -1);
	e->args[6] = bind_boolean(b, !any);
	for (unsigned i = 0; i < 7; i++)
		if (e->args[i] == NULL)
			return NULL;
	return e;
}

static struct expr *result_of(
	struct binder *b, const struct subquery *q, const struct expr *e, const unsigned sources[2])
{
	const struct relation *r = q->joined[0].relation;
	struct expr *only;

	switch (q->kind) {
	case SUBQUERY_EXISTS:
		return bind_operator(b, ">",
			bind_count_or_zero(
				b, bind_column(b, (uint8_t)sources[0], r, q->npairs, -1)),
			bind_int_const(b, 0, TYPE_INT8), -1);
	case SUBQUERY_IN: return in_result(b, q, e->args[q->npairs], sources);
	case SUBQUERY_AGGREGATE: return result_over(b, q->result, sources[0], r, q->npairs);
	case SUBQUERY_ANY:
	case SUBQUERY_ALL: return quantified_result(b, q, e->args[q->npairs], sources[0]);
	case SUBQUERY_VALUE: break;
	}
	if (q->single)
		return bind_column(b, (uint8_t)sources[0], r, q->npairs, -1);
	only = expr_args(b, expr_new(b, EXPR_ONLY, (enum type_id)e->type.id, -1), 2);
	if (only == NULL)
		return NULL;
	only->type = e->type;
	only->position = e->position;
	only->args[0] = bind_column(b, (uint8_t)sources[0], r, q->npairs + 1, -1);
	only->args[1] = bind_column(b, (uint8_t)sources[0], r, q->npairs, -1);
	return only->args[0] == NULL || only->args[1] == NULL ? NULL : only;
}

static int place(struct expr *e, void *arg);

/* What a subquery takes may have others in it, which come first. */
static int place_args(struct placing *p, const struct expr *e)
{
	for (unsigned i = 0; i < e->nargs; i++)
		if (expr_walk(e->args[i], place, p) != 0)
			return -1;
	return 0;
}

static int place(struct expr *e, void *arg)
{
	struct placing *p = arg;
	const struct subquery *q;
	unsigned sources[2] = { 0, 0 };
	struct expr *result;

	if (e->kind != EXPR_SUBQUERY)
		return 0;
	q = p->queries[e->column];
	if (place_args(p, e) != 0)
		return -1;
	if (q->domain != NULL && bind_domain_from(p->b, q->domain, p->s, &p->s->from, e->args) != 0)
		return -1;
	for (unsigned i = 0; i < q->njoined; i++) {
		int source = join_left(p, q, e, &q->joined[i]);

		if (source < 0)
			return -1;
		sources[i] = (unsigned)source;
	}
	result = result_of(p->b, q, e, sources);
	if (result == NULL)
		return -1;
	*e = *result;
	return 0;
}

/* An EXISTS or IN that WHERE demands: 1 with its join added; 0: it is something else; -1. */
static int place_demanded(struct placing *p, const struct expr *e)
{
	const struct subquery *q;
	int source;

	/* Of IN with rows: the difference between false and NULL is none here. */
	if (bind_row_in_is(e))
		e = e->args[0];
	if (e->kind != EXPR_SUBQUERY)
		return 0;
	q = p->queries[e->column];
	if (q->kind != SUBQUERY_IN && (q->kind != SUBQUERY_EXISTS || q->npairs == 0))
		return 0;
	if (place_args(p, e) != 0)
		return -1;
	if (q->domain != NULL && bind_domain_from(p->b, q->domain, p->s, &p->s->from, e->args) != 0)
		return -1;
	source = bind_source(p->b, p->s, q->joined[0].relation, "", -1);
	if (source < 0 ||
		bind_item(p->b, &p->s->from,
			&(struct from_item){ .kind = FROM_SOURCE, .source = (uint8_t)source }) !=
			0 ||
		joined_on(p, q, e, &q->joined[0], (unsigned)source, &p->s->from.conjuncts,
			&p->s->from.nconjuncts) != 0)
		return -1;
	return 1;
}

static int place_where(struct placing *p)
{
	unsigned all = p->s->from.nconjuncts, n = 0;
	struct expr **list = p->s->from.conjuncts, **kept;

	kept = bind_alloc(p->b, (all + 1) * sizeof(*kept));
	if (kept == NULL)
		return -1;
	p->s->from.conjuncts = NULL;
	p->s->from.nconjuncts = 0;
	for (unsigned i = 0; i < all; i++) {
		int status = place_demanded(p, list[i]);

		if (status < 0)
			return -1;
		if (status == 0)
			kept[n++] = list[i];
	}
	for (unsigned i = 0; i < n; i++)
		if (expr_walk(kept[i], place, p) != 0 ||
			bind_conjuncts(
				p->b, kept[i], &p->s->from.conjuncts, &p->s->from.nconjuncts) != 0)
			return -1;
	return 0;
}

static int place_below(struct placing *p)
{
	struct select *s = p->s;

	if (place_where(p) != 0)
		return -1;
	for (unsigned i = 0; !s->grouped && i < s->noutputs; i++)
		if (expr_walk(s->outputs[i].expr, place, p) != 0)
			return -1;
	for (unsigned i = 0; !s->grouped && i < s->norder; i++)
		if (expr_walk(s->order[i].expr, place, p) != 0)
			return -1;
	for (unsigned i = 0; i < s->ngroup; i++)
		if (expr_walk(s->group[i], place, p) != 0)
			return -1;
	for (unsigned i = 0; i < s->naggregates; i++) {
		struct aggregate *a = &s->aggregates[i];

		if ((a->arg != NULL && expr_walk(a->arg, place, p) != 0) ||
			(a->filter != NULL && expr_walk(a->filter, place, p) != 0))
			return -1;
	}
	return 0;
}

static int find(struct expr *e, void *arg)
{
	(void)arg;
	return e->kind == EXPR_SUBQUERY;
}

static bool has_above(const struct select *s)
{
	bool found = s->having != NULL && expr_walk(s->having, find, NULL) != 0;

	for (unsigned i = 0; i < s->noutputs; i++)
		found |= expr_walk(s->outputs[i].expr, find, NULL) != 0;
	for (unsigned i = 0; i < s->norder; i++)
		found |= expr_walk(s->order[i].expr, find, NULL) != 0;
	return found;
}

/* The group's row as the outputs of a select of its own; what was above it is over that one. */
static struct select *above(struct binder *b, struct select *s)
{
	unsigned n = s->ngroup + s->naggregates;
	struct output *outputs = s->outputs;
	unsigned noutputs = s->noutputs;
	struct expr *having = s->having;
	struct select *t;

	s->outputs = bind_alloc(b, (n + 1) * sizeof(*s->outputs));
	s->noutputs = 0;
	s->having = NULL;
	if (s->outputs == NULL)
		return NULL;
	for (unsigned i = 0; i < n; i++)
		if (output_column(b, s, i,
			    i < s->ngroup ? s->group[i]->type
					  : s->aggregates[i - s->ngroup].type) != 0)
			return NULL;
	t = bind_over(b, s);
	if (t == NULL)
		return NULL;
	t->outputs = outputs;
	t->noutputs = noutputs;
	t->ncalls = s->ncalls;
	t->calls = s->calls;
	s->ncalls = 0;
	bind_move_order(t, s, s->order);
	if (having != NULL &&
		bind_conjuncts(b, having, &t->from.conjuncts, &t->from.nconjuncts) != 0)
		return NULL;
	return t;
}

struct select *bind_subqueries(struct binder *b, struct select *s, bool below)
{
	struct placing p = { b, s, s->subqueries };

	if (s->nsubqueries == 0)
		return s;
	if (below)
		return place_below(&p) == 0 ? s : NULL;
	if (!s->grouped || !has_above(s))
		return s;
	p.s = above(b, s);
	return p.s == NULL || place_below(&p) != 0 ? NULL : p.s;
}
