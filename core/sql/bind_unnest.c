/*
 * bind_unnest.c: a select that uses columns of the select around it, as one that does not.
 *
 * The columns that it uses are a relation of their own, the domain: SELECT DISTINCT those columns from what is in the
 * outer FROM (Neumann, Kemper, "Unnesting arbitrary queries", 2015). The select is joined with it and carries its columns,
 * the keys, through all of its parts: into the keys of its groups, the partitions of its windows, every branch of a UNION.
 * The select around it then joins by the keys, where NULL is as good as any value.
 */
#include <string.h>

#include "core/base/limits.h"
#include "core/sql/bind.h"

/* --- looking for outer columns --- */

static bool has_outer(const struct expr *e)
{
	return e != NULL && expr_has_outer(e);
}

/* Calls fn for each condition of a list and what is in it. */
static int each_of_list(struct from_list *l, bool outer,
	int (*fn)(struct expr **e, bool outer, void *arg), void *arg)
{
	for (unsigned i = 0; i < l->nconjuncts; i++)
		if (fn(&l->conjuncts[i], outer, arg) != 0)
			return -1;
	for (unsigned i = 0; i < l->n; i++) {
		struct from_item *item = &l->items[i];

		for (unsigned k = 0; k < item->nconjuncts; k++)
			if (fn(&item->conjuncts[k], true, arg) != 0)
				return -1;
		if (item->kind != FROM_SOURCE &&
			(each_of_list(item->left, true, fn, arg) != 0 ||
				each_of_list(item->right, true, fn, arg) != 0))
			return -1;
	}
	return 0;
}

/* … for each expression below the group. outer: it is tested in an outer join. */
static int each_below(
	struct select *s, int (*fn)(struct expr **e, bool outer, void *arg), void *arg)
{
	if (each_of_list(&s->from, false, fn, arg) != 0)
		return -1;
	for (unsigned i = 0; i < s->ngroup; i++)
		if (fn(&s->group[i], false, arg) != 0)
			return -1;
	for (unsigned i = 0; i < s->naggregates; i++) {
		struct aggregate *a = &s->aggregates[i];

		if ((a->arg != NULL && fn(&a->arg, false, arg) != 0) ||
			(a->filter != NULL && fn(&a->filter, false, arg) != 0))
			return -1;
	}
	for (unsigned i = 0; !s->grouped && i < s->noutputs; i++)
		if (fn(&s->outputs[i].expr, false, arg) != 0)
			return -1;
	return 0;
}

static int each_above(
	struct select *s, int (*fn)(struct expr **e, bool outer, void *arg), void *arg)
{
	if (!s->grouped)
		return 0;
	for (unsigned i = 0; i < s->noutputs; i++)
		if (fn(&s->outputs[i].expr, false, arg) != 0)
			return -1;
	return s->having != NULL ? fn(&s->having, false, arg) : 0;
}

static int find_outer(struct expr **e, bool outer, void *arg)
{
	(void)outer;
	(void)arg;
	return has_outer(*e) ? -1 : 0;
}

/* Whether its own expressions have any. */
static bool own_outer(struct select *s)
{
	return s->window == NULL && s->nbranches == 0 &&
		(each_below(s, find_outer, NULL) != 0 || each_above(s, find_outer, NULL) != 0);
}

static bool any_outer(struct select *s)
{
	if (own_outer(s))
		return true;
	for (unsigned k = 0; k < s->nbranches; k++)
		if (any_outer(s->branches[k]))
			return true;
	for (unsigned k = 0; k < s->nsources; k++)
		if (s->sources[k]->kind == RELATION_DERIVED && any_outer(s->sources[k]->select))
			return true;
	return false;
}

/* --- the domain --- */

struct collecting {
	struct binder *b;
	struct domain *d;
};

static int collect_one(struct expr *e, void *arg)
{
	struct collecting *c = arg;
	struct domain *d = c->d;

	if (e->kind != EXPR_OUTER)
		return 0;
	if (e->args[0]->kind == EXPR_OUTER) {
		bind_unsupported(c->b, c->b->outer_location,
			"a column of a select further out than the next");
		return -1;
	}
	for (unsigned i = 0; i < d->n; i++)
		if (expr_equal(d->outer[i], e->args[0]))
			return 0;
	if (d->n == LIMIT_OUTER_COLUMNS)
		return bind_fail(c->b, ERR_TOO_COMPLEX, c->b->outer_location,
			"a select uses more than %d columns of the one around it",
			LIMIT_OUTER_COLUMNS);
	d->outer[d->n++] = e->args[0];
	return 0;
}

static int collect_tree(struct expr **e, bool outer, void *arg)
{
	struct collecting *c = arg;

	if (outer && has_outer(*e)) {
		bind_unsupported(
			c->b, c->b->outer_location, "an outer column in an outer join's condition");
		return -1;
	}
	return expr_walk(*e, collect_one, arg);
}

static int collect(struct collecting *c, struct select *s)
{
	if (s->window == NULL && s->nbranches == 0 &&
		(each_below(s, collect_tree, c) != 0 || each_above(s, collect_tree, c) != 0))
		return -1;
	for (unsigned k = 0; k < s->nbranches; k++)
		if (collect(c, s->branches[k]) != 0)
			return -1;
	for (unsigned k = 0; k < s->nsources; k++)
		if (s->sources[k]->kind == RELATION_DERIVED &&
			collect(c, s->sources[k]->select) != 0)
			return -1;
	return 0;
}

/* Its relation, whose FROM is to come. */
static int domain_relation(struct binder *b, struct domain *d)
{
	struct select *s = bind_select_new(b);

	if (s == NULL)
		return -1;
	s->grouped = true;
	s->group = bind_alloc(b, d->n * sizeof(*s->group));
	s->outputs = bind_alloc(b, d->n * sizeof(*s->outputs));
	if (s->group == NULL || s->outputs == NULL)
		return -1;
	for (unsigned i = 0; i < d->n; i++) {
		struct expr *e = expr_new(b, EXPR_COLUMN, (enum type_id)d->outer[i]->type.id, -1);

		if (e == NULL)
			return -1;
		e->type = d->outer[i]->type;
		e->column = (uint16_t)i;
		s->group[i] = d->outer[i];
		s->outputs[i] = (struct output){ "", e->type, e };
	}
	s->ngroup = s->noutputs = d->n;
	d->select = s;
	d->relation = bind_derived(b, s, "");
	return d->relation == NULL ? -1 : 0;
}

static uint32_t item_sources(const struct from_item *item)
{
	uint32_t sources = 0;

	if (item->kind == FROM_SOURCE)
		return UINT32_C(1) << item->source;
	for (unsigned i = 0; i < item->left->n; i++)
		sources |= item_sources(&item->left->items[i]);
	for (unsigned i = 0; i < item->right->n; i++)
		sources |= item_sources(&item->right->items[i]);
	return sources;
}

int bind_domain_from(struct binder *b, struct domain *d, const struct select *s,
	const struct from_list *list, struct expr *const *outer)
{
	struct select *t = d->select;
	uint32_t wanted = 0, had = 0;

	memcpy(t->sources, s->sources, s->nsources * sizeof(struct relation *));
	memcpy(t->aliases, s->aliases, s->nsources * sizeof(*t->aliases));
	t->nsources = s->nsources;
	t->group = bind_alloc(b, d->n * sizeof(*t->group));
	if (t->group == NULL)
		return -1;
	for (unsigned i = 0; i < d->n; i++) {
		t->group[i] = bind_copy(b, outer[i]);
		if (t->group[i] == NULL)
			return -1;
		wanted |= expr_sources(outer[i]) & ~(UINT32_C(1) << EXPR_PARAMS);
	}
	/* Only what has them, with what is asked of it alone. */
	t->from = (struct from_list){ 0 };
	for (unsigned i = 0; i < list->n; i++) {
		uint32_t sources = item_sources(&list->items[i]);

		if ((sources & wanted) == 0)
			continue;
		had |= sources;
		if (bind_item(b, &t->from, &list->items[i]) != 0)
			return -1;
	}
	/* Of constants: they are there when anything is. */
	if (t->from.n == 0 && wanted == 0 &&
		(list->n > 0 ? bind_item(b, &t->from, &list->items[0]) : bind_one_row(b, t)) != 0)
		return -1;
	if ((wanted & ~had) != 0) {
		bind_unsupported(b, b->outer_location, "an outer column of this table here");
		return -1;
	}
	for (unsigned i = 0; i < list->nconjuncts; i++) {
		uint32_t sources = expr_sources(list->conjuncts[i]) & ~(UINT32_C(1) << EXPR_PARAMS);

		if ((sources & ~had) == 0 &&
			bind_conjuncts(b, list->conjuncts[i], &t->from.conjuncts,
				&t->from.nconjuncts) != 0)
			return -1;
	}
	return 0;
}

/* --- carrying the keys through --- */

struct replacing {
	struct binder *b;
	const struct domain *d;
	struct expr *const *keys;
};

static int replace_one(struct expr *e, void *arg)
{
	struct replacing *r = arg;

	if (e->kind != EXPR_OUTER)
		return 0;
	for (unsigned i = 0; i < r->d->n; i++)
		if (expr_equal(r->d->outer[i], e->args[0])) {
			const struct expr *copy = bind_copy(r->b, r->keys[i]);

			if (copy == NULL)
				return -1;
			*e = *copy;
			return 0;
		}
	return -1;
}

static int replace_tree(struct expr **e, bool outer, void *arg)
{
	(void)outer;
	return expr_walk(*e, replace_one, arg);
}

struct shifting {
	uint8_t source;
	unsigned from, by;
};

static int shift_one(struct expr *e, void *arg)
{
	const struct shifting *s = arg;

	if (e->kind == EXPR_COLUMN && e->source == s->source && e->column >= s->from)
		e->column = (uint16_t)(e->column + s->by);
	return 0;
}

static int shift_tree(struct expr **e, bool outer, void *arg)
{
	(void)outer;
	return expr_walk(*e, shift_one, arg);
}

/* Whether every row of a source is in the join. */
static bool is_kept(const struct from_list *l, unsigned source)
{
	for (unsigned i = 0; i < l->n; i++) {
		const struct from_item *item = &l->items[i];

		if (item->kind == FROM_SOURCE && item->source == source)
			return true;
		if (item->kind == FROM_LEFT && is_kept(item->left, source))
			return true;
	}
	return false;
}

struct expr *bind_null_safe(struct binder *b, struct expr *l, struct expr *r)
{
	struct expr *e = expr_args(b, expr_new(b, EXPR_DISTINCT, TYPE_BOOL, -1), 2);

	if (e == NULL || l == NULL || r == NULL)
		return NULL;
	e->negated = true;
	e->args[0] = l;
	e->args[1] = r;
	return e;
}

static int carry(struct binder *b, struct select *s, const struct domain *d, int *at);
static int carry_rows(struct binder *b, struct select *s, const struct domain *d, int *at);

/* The keys as the derived sources of s have them; those of several are equal. 1: there are some; 0; -1. */
static int keys_below(
	struct binder *b, struct select *s, const struct domain *d, struct expr **keys)
{
	unsigned nsources = s->nsources;
	bool found = false;

	for (unsigned k = 0; k < nsources; k++) {
		struct relation *r = s->sources[k];
		struct shifting shift = { (uint8_t)k, 0, d->n };
		int at;

		if (r->kind != RELATION_DERIVED || !any_outer(r->select))
			continue;
		if (!is_kept(&s->from, k)) {
			bind_unsupported(b, b->outer_location,
				"an outer column within an outer join's other side");
			return -1;
		}
		if (carry(b, r->select, d, &at) != 0)
			return -1;
		s->sources[k] = bind_derived(b, r->select, r->name);
		if (s->sources[k] == NULL)
			return -1;
		shift.from = (unsigned)at;
		(void)each_below(s, shift_tree, &shift);
		for (unsigned i = 0; i < d->n; i++) {
			struct expr *e = bind_column(
				b, (uint8_t)k, s->sources[k], (unsigned)at + i, -1);

			if (e == NULL)
				return -1;
			if (found) {
				e = bind_null_safe(b, bind_copy(b, keys[i]), e);
				if (e == NULL ||
					bind_conjuncts(
						b, e, &s->from.conjuncts, &s->from.nconjuncts) != 0)
					return -1;
			} else {
				keys[i] = e;
			}
		}
		found = true;
	}
	return found;
}

/* The domain as one more source. */
static int join_domain(
	struct binder *b, struct select *s, const struct domain *d, struct expr **keys)
{
	int source = bind_source(b, s, d->relation, "", -1);

	if (source < 0 ||
		bind_item(b, &s->from,
			&(struct from_item){ .kind = FROM_SOURCE, .source = (uint8_t)source }) != 0)
		return -1;
	for (unsigned i = 0; i < d->n; i++) {
		keys[i] = bind_column(b, (uint8_t)source, d->relation, i, -1);
		if (keys[i] == NULL)
			return -1;
	}
	return 0;
}

/* Outputs behind those there are. */
static int outputs_append(struct binder *b, struct select *s, struct expr *const *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct expr *e = bind_copy(b, list[i]);

		if (e == NULL || bind_output_append(b, s, e) != 0)
			return -1;
	}
	return 0;
}

/* The keys among those of the group; in `keys` then as the group's row has them. */
static int group_keys(
	struct binder *b, struct select *s, const struct domain *d, struct expr **keys)
{
	struct expr **group = bind_alloc(b, (s->ngroup + d->n) * sizeof(*group));
	struct shifting shift = { 0, s->ngroup, d->n };
	struct replacing r = { b, d, keys };

	if (group == NULL)
		return -1;
	if (s->ngroup > 0)
		memcpy(group, s->group, s->ngroup * sizeof(*group));
	(void)each_above(s, shift_tree, &shift);
	for (unsigned i = 0; i < d->n; i++) {
		struct expr *e = expr_new(b, EXPR_COLUMN, (enum type_id)keys[i]->type.id, -1);

		if (e == NULL)
			return -1;
		group[s->ngroup + i] = keys[i];
		e->type = keys[i]->type;
		e->column = (uint16_t)(s->ngroup + i);
		keys[i] = e;
	}
	s->group = group;
	s->ngroup += d->n;
	return each_above(s, replace_tree, &r);
}

/* A select without FROM, which has a row for each of the domain. */
static int ungroup(struct binder *b, struct select *s)
{
	if (!s->grouped || s->nsources > 0 || s->naggregates > 0 || s->ngroup > 0)
		return 0;
	s->grouped = false;
	if (s->having != NULL &&
		bind_conjuncts(b, s->having, &s->from.conjuncts, &s->from.nconjuncts) != 0)
		return -1;
	s->having = NULL;
	return 0;
}

static int carry_window(struct binder *b, struct select *s, const struct domain *d, int *at)
{
	struct window *w = s->window;
	struct relation *r = s->sources[0];
	unsigned ncols = r->ncols;
	uint16_t *partition = bind_alloc(b, (w->npartition + d->n) * sizeof(*partition));
	struct output *outputs;
	int p;

	if (partition == NULL || carry(b, r->select, d, &p) != 0)
		return -1;
	r = bind_derived(b, r->select, r->name);
	outputs = r == NULL ? NULL : bind_alloc(b, (s->noutputs + d->n) * sizeof(*outputs));
	if (outputs == NULL)
		return -1;
	s->sources[0] = r;
	for (unsigned i = 0; i < w->npartition; i++)
		partition[i] = (uint16_t)(w->partition[i] + (w->partition[i] >= p ? d->n : 0));
	for (unsigned i = 0; i < d->n; i++)
		partition[w->npartition + i] = (uint16_t)((unsigned)p + i);
	w->partition = partition;
	w->npartition += d->n;
	for (unsigned i = 0; i < w->norder; i++)
		if (w->order[i].column >= p)
			w->order[i].column = (uint16_t)(w->order[i].column + d->n);
	for (unsigned i = 0; i < w->nfunctions; i++) {
		struct window_function *f = &w->functions[i];

		for (unsigned k = 0; k < WINDOW_ARGS; k++)
			if (f->args[k] >= p)
				f->args[k] += (int)d->n;
		if (f->filter >= p)
			f->filter += (int)d->n;
	}
	for (unsigned i = 0; i < r->ncols; i++) {
		outputs[i] = (struct output){ r->columns[i].name, r->columns[i].type,
			bind_column(b, 0, r, i, -1) };
		if (outputs[i].expr == NULL)
			return -1;
	}
	memcpy(outputs + r->ncols, s->outputs + ncols, (s->noutputs - ncols) * sizeof(*outputs));
	s->outputs = outputs;
	s->noutputs += d->n;
	*at = p;
	return 0;
}

static int carry_branches(struct binder *b, struct select *s, const struct domain *d, int *at)
{
	for (unsigned k = 0; k < s->nbranches; k++)
		if (carry(b, s->branches[k], d, at) != 0)
			return -1;
	s->outputs = s->branches[0]->outputs;
	s->noutputs = s->branches[0]->noutputs;
	return 0;
}

/* What a result of an aggregation is over the domain (source 0) and its aggregates (source 1). */
static struct expr *over_both(struct binder *b, const struct expr *e, const struct select *inner,
	const struct relation *r, const struct domain *d)
{
	struct expr *copy;

	if (e->kind == EXPR_COLUMN && e->source == 0) {
		struct expr *c = bind_column(b, 1, r, e->column, -1);

		return c != NULL && bind_counts(&inner->aggregates[e->column])
			? bind_count_or_zero(b, c)
			: c;
	}
	for (unsigned i = 0; e->kind == EXPR_OUTER && i < d->n; i++)
		if (expr_equal(d->outer[i], e->args[0]))
			return bind_column(b, 0, d->relation, i, -1);
	copy = bind_copy(b, e);
	for (unsigned i = 0; copy != NULL && i < copy->nargs; i++) {
		copy->args[i] = over_both(b, e->args[i], inner, r, d);
		if (copy->args[i] == NULL)
			return NULL;
	}
	return copy;
}

/* The domain LEFT JOINed with the aggregates, which are by its columns. */
static int join_aggregates(
	struct binder *b, struct select *s, const struct domain *d, struct relation *r, unsigned at)
{
	struct from_item item = { .kind = FROM_LEFT };
	struct from_list *sides[2];

	for (unsigned k = 0; k < 2; k++) {
		sides[k] = bind_list_of(b, k);
		if (sides[k] == NULL || bind_source(b, s, k == 0 ? d->relation : r, "", -1) < 0)
			return -1;
	}
	item.left = sides[0];
	item.right = sides[1];
	for (unsigned i = 0; i < d->n; i++) {
		struct expr *e = bind_null_safe(
			b, bind_column(b, 0, d->relation, i, -1), bind_column(b, 1, r, at + i, -1));

		if (e == NULL || bind_conjuncts(b, e, &item.conjuncts, &item.nconjuncts) != 0)
			return -1;
	}
	return bind_item(b, &s->from, &item);
}

static bool is_aggregation(const struct select *s)
{
	return s->grouped && s->ngroup == 0 && s->nsources > 0;
}

/* An aggregation without GROUP BY has a row for nothing, too: so it has one for each of the domain. */
static int carry_aggregation(struct binder *b, struct select *s, const struct domain *d, int *at)
{
	struct select *inner = bind_alloc(b, sizeof(*inner)), *top = bind_select_new(b);
	struct expr **keys = bind_alloc(b, d->n * sizeof(*keys));
	struct relation *r;
	int p;

	if (inner == NULL || top == NULL || keys == NULL)
		return -1;
	*inner = *s;
	inner->having = NULL;
	inner->noutputs = 0;
	inner->outputs = bind_alloc(b, (s->naggregates + 1) * sizeof(*inner->outputs));
	if (inner->outputs == NULL)
		return -1;
	for (unsigned i = 0; i < s->naggregates; i++) {
		struct expr *e = expr_new(
			b, EXPR_COLUMN, (enum type_id)s->aggregates[i].type.id, -1);

		if (e == NULL)
			return -1;
		e->type = s->aggregates[i].type;
		e->column = (uint16_t)i;
		inner->outputs[inner->noutputs++] = (struct output){ "", e->type, e };
	}
	if (carry_rows(b, inner, d, &p) != 0)
		return -1;
	r = bind_derived(b, inner, "");
	if (r == NULL || join_aggregates(b, top, d, r, (unsigned)p) != 0)
		return -1;
	top->outputs = s->outputs;
	top->noutputs = s->noutputs;
	for (unsigned i = 0; i < top->noutputs; i++) {
		top->outputs[i].expr = over_both(b, s->outputs[i].expr, inner, r, d);
		if (top->outputs[i].expr == NULL)
			return -1;
	}
	if (s->having != NULL) {
		struct expr *having = over_both(b, s->having, inner, r, d);

		if (having == NULL ||
			bind_conjuncts(b, having, &top->from.conjuncts, &top->from.nconjuncts) != 0)
			return -1;
	}
	for (unsigned i = 0; i < d->n; i++) {
		keys[i] = bind_column(b, 0, d->relation, i, -1);
		if (keys[i] == NULL)
			return -1;
	}
	*at = (int)top->noutputs;
	*s = *top;
	return outputs_append(b, s, keys, d->n);
}

/* Joins, perhaps with a group. */
static int carry_rows(struct binder *b, struct select *s, const struct domain *d, int *at)
{
	struct expr **keys = bind_alloc(b, d->n * sizeof(*keys));
	struct replacing r = { b, d, keys };
	int status;

	if (keys == NULL || ungroup(b, s) != 0)
		return -1;
	status = keys_below(b, s, d, keys);
	if (status < 0 || (status == 0 && join_domain(b, s, d, keys) != 0) ||
		each_below(s, replace_tree, &r) != 0 ||
		(s->grouped && group_keys(b, s, d, keys) != 0))
		return -1;
	*at = (int)s->noutputs;
	return outputs_append(b, s, keys, d->n);
}

/* Add the domain's columns to a select's outputs, from number *at on: those behind move. */
static int carry(struct binder *b, struct select *s, const struct domain *d, int *at)
{
	if (s->nbranches > 0)
		return carry_branches(b, s, d, at);
	if (s->window != NULL)
		return carry_window(b, s, d, at);
	return is_aggregation(s) ? carry_aggregation(b, s, d, at) : carry_rows(b, s, d, at);
}

int bind_unnest(struct binder *b, struct select *s, struct domain *d, int *at)
{
	struct collecting c = { b, d };

	return collect(&c, s) != 0 || domain_relation(b, d) != 0 ? -1 : carry(b, s, d, at);
}
