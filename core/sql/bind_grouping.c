/*
 * bind_grouping.c: GROUPING SETS, ROLLUP and CUBE: the UNION ALL of the select with each of its sets.
 *
 * The select is bound once for every set, with the set as its GROUP BY; what only other sets group by is NULL in it.
 */
#include <string.h>

#include "core/base/limits.h"
#include "core/sql/bind.h"

struct sets {
	unsigned n;
	struct node_list *at;
};

static int set_add(struct binder *b, struct sets *s, const struct node_list *set)
{
	struct node_list *grown;

	if (s->n == LIMIT_GROUPING_SETS)
		return bind_fail(b, ERR_PROGRAM_LIMIT, -1,
			"too many grouping sets present (maximum %d)", LIMIT_GROUPING_SETS);
	grown = bind_alloc(b, (s->n + 1) * sizeof(*grown));
	if (grown == NULL)
		return -1;
	if (s->n > 0)
		memcpy(grown, s->at, s->n * sizeof(*grown));
	grown[s->n++] = *set;
	s->at = grown;
	return 0;
}

/* All of a and all of b. */
static int list_join(struct binder *b, struct node_list *out, const struct node_list *x,
	const struct node_list *y)
{
	out->at = bind_alloc(b, (x->n + y->n) * sizeof(*out->at));
	if (out->at == NULL)
		return -1;
	if (x->n > 0)
		memcpy(out->at, x->at, x->n * sizeof(*out->at));
	if (y->n > 0)
		memcpy(out->at + x->n, y->at, y->n * sizeof(*out->at));
	out->n = x->n + y->n;
	return 0;
}

/* What one element of GROUP BY, ROLLUP or CUBE groups by: (a, b) is two. */
static int element(struct binder *b, const PgQuery__Node *n, struct node_list *out)
{
	size_t k = n->node_case == NODE(ROW_EXPR) ? n->row_expr->n_args : 1;

	out->at = bind_alloc(b, k * sizeof(*out->at));
	if (out->at == NULL)
		return -1;
	for (size_t i = 0; i < k; i++)
		out->at[i] = n->node_case == NODE(ROW_EXPR) ? n->row_expr->args[i] : n;
	out->n = (unsigned)k;
	return 0;
}

/* The union of those of `list` whose bits are set. */
static int chosen(
	struct binder *b, struct sets *out, PgQuery__Node *const *list, size_t n, unsigned bits)
{
	struct node_list all = { 0 };

	for (size_t i = 0; i < n; i++) {
		struct node_list one, both;

		if (!(bits >> i & 1))
			continue;
		if (element(b, list[i], &one) != 0 || list_join(b, &both, &all, &one) != 0)
			return -1;
		all = both;
	}
	return set_add(b, out, &all);
}

static int expand(struct binder *b, const PgQuery__Node *n, struct sets *out);

static int expand_set(struct binder *b, const PgQuery__GroupingSet *g, struct sets *out)
{
	size_t n = g->n_content;
	unsigned all = (1u << (n < 31 ? n : 31)) - 1;

	switch (g->kind) {
	case PG_QUERY__GROUPING_SET_KIND__GROUPING_SET_EMPTY:
		return set_add(b, out, &(struct node_list){ 0 });
	case PG_QUERY__GROUPING_SET_KIND__GROUPING_SET_ROLLUP:
		for (size_t k = n + 1; k-- > 0;)
			if (n >= 31 || chosen(b, out, g->content, n, (1u << k) - 1) != 0)
				return n >= 31 ? bind_fail(b, ERR_PROGRAM_LIMIT, g->location,
							 "ROLLUP is limited to 30 elements")
					       : -1;
		return 0;
	case PG_QUERY__GROUPING_SET_KIND__GROUPING_SET_CUBE:
		if (n > 12)
			return bind_fail(b, ERR_TOO_MANY_COLUMNS, g->location,
				"CUBE is limited to 12 elements");
		for (unsigned k = all + 1; k-- > 0;)
			if (chosen(b, out, g->content, n, k) != 0)
				return -1;
		return 0;
	default:
		for (size_t i = 0; i < n; i++)
			if (expand(b, g->content[i], out) != 0)
				return -1;
		return 0;
	}
}

static int expand(struct binder *b, const PgQuery__Node *n, struct sets *out)
{
	struct node_list one;

	if (n->node_case == NODE(GROUPING_SET))
		return expand_set(b, n->grouping_set, out);
	return element(b, n, &one) != 0 ? -1 : set_add(b, out, &one);
}

/* The sets of GROUP BY: one of each item, in every combination. */
static int expand_all(struct binder *b, const PgQuery__SelectStmt *p, struct sets *out)
{
	if (set_add(b, out, &(struct node_list){ 0 }) != 0)
		return -1;
	for (size_t i = 0; i < p->n_group_clause; i++) {
		struct sets item = { 0 }, product = { 0 };

		if (expand(b, p->group_clause[i], &item) != 0)
			return -1;
		for (unsigned x = 0; x < out->n; x++)
			for (unsigned y = 0; y < item.n; y++) {
				struct node_list both;

				if (list_join(b, &both, &out->at[x], &item.at[y]) != 0 ||
					set_add(b, &product, &both) != 0)
					return -1;
			}
		*out = product;
	}
	return 0;
}

bool bind_has_sets(const PgQuery__SelectStmt *p)
{
	for (size_t i = 0; i < p->n_group_clause; i++)
		if (p->group_clause[i]->node_case == NODE(GROUPING_SET))
			return true;
	return false;
}

/* What a set groups by. */
struct group {
	unsigned n;
	struct expr **at;
};

static bool within(const struct group *x, const struct group *y)
{
	for (unsigned i = 0; i < x->n; i++) {
		bool found = false;

		for (unsigned k = 0; k < y->n; k++)
			found |= expr_equal(x->at[i], y->at[k]);
		if (!found)
			return false;
	}
	return true;
}

/* Whether the last one is one of those before it. */
static bool repeated(const struct group *groups, unsigned last)
{
	for (unsigned i = 0; i < last; i++)
		if (within(&groups[i], &groups[last]) && within(&groups[last], &groups[i]))
			return true;
	return false;
}

int bind_sets(
	struct binder *b, const PgQuery__SelectStmt *p, struct select ***branches, unsigned *n)
{
	struct sets sets = { 0 };
	struct node_list all = { 0 };
	struct group *groups;

	if (expand_all(b, p, &sets) != 0)
		return -1;
	for (unsigned i = 0; i < sets.n; i++) {
		struct node_list both;

		if (list_join(b, &both, &all, &sets.at[i]) != 0)
			return -1;
		all = both;
	}
	*n = 0;
	*branches = bind_alloc(b, sets.n * sizeof(struct select *));
	groups = bind_alloc(b, sets.n * sizeof(*groups));
	if (*branches == NULL || groups == NULL)
		return -1;
	for (unsigned i = 0; i < sets.n; i++) {
		b->set = &sets.at[i];
		b->all_sets = &all;
		(*branches)[*n] = bind_nested(b, p, false);
		b->set = b->all_sets = NULL;
		if ((*branches)[*n] == NULL)
			return -1;
		groups[*n] = (struct group){ b->nset_group, b->set_group };
		if (!p->group_distinct || !repeated(groups, *n))
			++*n;
	}
	return 0;
}
