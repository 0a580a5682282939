/*
 * select.c: what a bound select reads, for changes of tables that views are over.
 *
 * Selects within it are derived sources and branches; nothing else leads from one to another once it is bound.
 */
#include "core/sql/plan.h"

void select_retarget(struct select *s, const struct relation *from, struct relation *to)
{
	for (unsigned i = 0; i < s->nsources; i++)
		if (s->sources[i] == from)
			s->sources[i] = to;
		else if (s->sources[i]->kind == RELATION_DERIVED)
			select_retarget(s->sources[i]->select, from, to);
	for (unsigned i = 0; i < s->nbranches; i++)
		select_retarget(s->branches[i], from, to);
}

/* A column of a source. */
struct wanted {
	unsigned source, column;
};

static int is_wanted(struct expr *e, void *arg)
{
	const struct wanted *w = arg;

	return e->kind == EXPR_COLUMN && e->source == w->source && e->column == w->column;
}

static bool one_reads(struct expr *e, struct wanted *w)
{
	return e != NULL && expr_walk(e, is_wanted, w) != 0;
}

static bool any_reads(struct expr *const *list, unsigned n, struct wanted *w)
{
	for (unsigned i = 0; i < n; i++)
		if (one_reads(list[i], w))
			return true;
	return false;
}

static bool list_reads(const struct from_list *l, struct wanted *w)
{
	if (any_reads(l->conjuncts, l->nconjuncts, w))
		return true;
	for (unsigned i = 0; i < l->n; i++)
		if (l->items[i].kind != FROM_SOURCE &&
			(any_reads(l->items[i].conjuncts, l->items[i].nconjuncts, w) ||
				list_reads(l->items[i].left, w) ||
				list_reads(l->items[i].right, w)))
			return true;
	return false;
}

/* Above a group there is its row only. */
static bool source_reads(const struct select *s, struct wanted *w)
{
	if (s->window != NULL || list_reads(&s->from, w))
		return true;
	for (unsigned i = 0; !s->grouped && i < s->noutputs; i++)
		if (one_reads(s->outputs[i].expr, w))
			return true;
	if (!s->grouped)
		return false;
	if (any_reads(s->group, s->ngroup, w))
		return true;
	for (unsigned i = 0; i < s->naggregates; i++)
		if (one_reads(s->aggregates[i].arg, w) || one_reads(s->aggregates[i].filter, w))
			return true;
	return false;
}

bool select_reads(const struct select *s, const struct relation *r, unsigned column)
{
	for (unsigned i = 0; i < s->nsources; i++) {
		struct wanted w = { i, column };

		if (s->sources[i] == r && source_reads(s, &w))
			return true;
		if (s->sources[i]->kind == RELATION_DERIVED &&
			select_reads(s->sources[i]->select, r, column))
			return true;
	}
	for (unsigned i = 0; i < s->nbranches; i++)
		if (select_reads(s->branches[i], r, column))
			return true;
	return false;
}
