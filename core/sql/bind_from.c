/*
 * bind_from.c: FROM and WITH: sources, joins, and which names they bring.
 *
 * A select has a list of names: what `*` gives and what a column without a table's name may be. Every item of FROM adds
 * its columns to the end of it; USING and NATURAL bring the columns of both sides together as one. Names with a table
 * are looked up in the scope instead, where all columns stay.
 *
 * A select in FROM, or the name of one in WITH, becomes a source whose relation is RELATION_DERIVED. One in WITH is
 * bound anew for every mention.
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

	if (b->body != NULL)
		r = bind_body_relation(b, v);
	else if (v->schemaname[0] == '\0' || strcmp(v->schemaname, "public") == 0)
		r = catalog_find(b->catalog, v->relname);
	if (r == NULL) {
		bind_fail(b, ERR_UNDEFINED_TABLE, v->location, "relation \"%s%s%s\" does not exist",
			v->schemaname, v->schemaname[0] ? "." : "", v->relname);
		return NULL;
	}
	return bind_hold(b, r) == 0 ? r : NULL;
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

struct expr *bind_copy(struct binder *b, const struct expr *e)
{
	struct expr *copy = bind_alloc(b, sizeof(*copy));

	if (copy == NULL)
		return NULL;
	*copy = *e;
	if (e->nargs == 0)
		return copy;
	copy->args = bind_alloc(b, e->nargs * sizeof(*copy->args));
	for (unsigned i = 0; copy->args != NULL && i < e->nargs; i++) {
		copy->args[i] = bind_copy(b, e->args[i]);
		if (copy->args[i] == NULL)
			return NULL;
	}
	return copy->args == NULL ? NULL : copy;
}

/* --- names --- */

static int name_add(struct binder *b, const struct name_entry *entry)
{
	struct scope *s = &b->level;

	if (s->nnames == s->names_cap) {
		unsigned cap = s->names_cap == 0 ? 16 : 2 * s->names_cap;
		struct name_entry *grown = bind_alloc(b, cap * sizeof(*grown));

		if (grown == NULL)
			return -1;
		if (s->nnames > 0)
			memcpy(grown, s->names, s->nnames * sizeof(*grown));
		s->names = grown;
		s->names_cap = cap;
	}
	s->names[s->nnames++] = *entry;
	return 0;
}

struct expr *bind_name(
	struct binder *b, const struct scope *l, const struct name_entry *n, int location)
{
	const struct scope_entry *s;

	if (n->merged != NULL)
		return bind_copy(b, n->merged);
	s = &l->entries[n->entry];
	return bind_column(b, s->source, s->relation, n->column, location);
}

/* --- sources --- */

static int alias_check(struct binder *b, const char *alias, int location)
{
	for (unsigned i = 0; i < b->level.n; i++)
		if (strcmp(b->level.entries[i].alias, alias) == 0)
			return bind_fail(b, ERR_DUPLICATE_ALIAS, location,
				"table name \"%s\" specified more than once", alias);
	return 0;
}

int bind_source(
	struct binder *b, struct select *s, struct relation *r, const char *alias, int location)
{
	unsigned n = s->nsources;

	if (n >= BIND_SOURCES_MAX)
		return bind_fail(b, ERR_TOO_COMPLEX, location,
			"more than %d tables and subqueries are joined", BIND_SOURCES_MAX);
	s->sources[n] = r;
	s->aliases[n] = arena_strdup(b->arena, alias, strlen(alias));
	if (s->aliases[n] == NULL)
		return error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
	s->nsources++;
	return (int)n;
}

int bind_item(struct binder *b, struct from_list *list, const struct from_item *item)
{
	struct from_item *grown = bind_alloc(b, (list->n + 1) * sizeof(*grown));

	if (grown == NULL)
		return -1;
	if (list->n > 0)
		memcpy(grown, list->items, list->n * sizeof(*grown));
	grown[list->n++] = *item;
	list->items = grown;
	return 0;
}

/* A source that can be named. */
static int source_named(struct binder *b, struct select *s, struct from_list *list,
	struct relation *r, const char *alias, int location)
{
	struct scope *l = &b->level;
	const struct relation *names;
	unsigned entry = l->n;
	int source;

	if (alias_check(b, alias, location) != 0)
		return -1;
	if (s->nsources >= LIMIT_JOINS_PER_VIEW)
		return bind_fail(b, ERR_TOO_COMPLEX, location, "more than %d tables are joined",
			LIMIT_JOINS_PER_VIEW);
	source = bind_source(b, s, r, alias, location);
	if (source < 0)
		return -1;
	l->entries[l->n++] = (struct scope_entry){ r, s->aliases[source], (uint8_t)source };
	names = bind_names(b, r);
	for (unsigned c = 0; c < names->ncols; c++) {
		const struct name_entry name = { names->columns[c].name, NULL, (uint8_t)entry,
			(uint16_t)c };

		if (!names->columns[c].hidden && name_add(b, &name) != 0)
			return -1;
	}
	return bind_item(
		b, list, &(struct from_item){ .kind = FROM_SOURCE, .source = (uint8_t)source });
}

/* --- derived tables --- */

struct relation *bind_derived(struct binder *b, struct select *s, const char *name)
{
	struct relation *r = bind_alloc(b, sizeof(*r));
	struct type *types = bind_alloc(b, s->noutputs * sizeof(*types));

	if (r == NULL || types == NULL)
		return NULL;
	r->kind = RELATION_DERIVED;
	r->name = name;
	r->partition = -1;
	r->select = s;
	r->columns = bind_alloc(b, s->noutputs * sizeof(*r->columns));
	if (r->columns == NULL)
		return NULL;
	for (unsigned i = 0; i < s->noutputs; i++) {
		r->columns[i] = (struct column){ .name = s->outputs[i].name,
			.type = s->outputs[i].type };
		types[i] = s->outputs[i].type;
	}
	r->ncols = (uint16_t)s->noutputs;
	return row_layout_init(&r->layout, types, s->noutputs, b->arena, b->error) == 0 ? r : NULL;
}

/* Other names for the first columns: of an alias or of WITH. A table gets a copy to carry them. */
static struct relation *renamed(struct binder *b, struct relation *r, PgQuery__Node *const *names,
	size_t n, const char *alias, int location)
{
	struct column *columns;
	struct relation *copy;

	if (n == 0)
		return r;
	if (n > r->ncols) {
		bind_fail(b, ERR_INVALID_COLUMN_REFERENCE, location,
			"table \"%s\" has %u columns available but %zu columns specified", alias,
			r->ncols, n);
		return NULL;
	}
	if (r->kind != RELATION_DERIVED)
		return bind_unsupported(b, location, "a column alias list of a table");
	copy = bind_alloc(b, sizeof(*copy));
	columns = bind_alloc(b, r->ncols * sizeof(*columns));
	if (copy == NULL || columns == NULL)
		return NULL;
	*copy = *r;
	memcpy(columns, r->columns, r->ncols * sizeof(*columns));
	for (size_t i = 0; i < n; i++) {
		columns[i].name = bind_keep(b, node_string(names[i]));
		if (columns[i].name == NULL)
			return NULL;
	}
	copy->columns = columns;
	return copy;
}

struct select *bind_nested(struct binder *b, const PgQuery__SelectStmt *p, bool correlated)
{
	struct scope *outer = bind_alloc(b, sizeof(*outer));
	struct select *aggregates = b->aggregates, *s;
	const char *no_aggregates = b->no_aggregates;
	bool in_aggregate = b->in_aggregate;

	if (outer == NULL)
		return NULL;
	if (b->query_depth >= LIMIT_QUERY_DEPTH) {
		bind_fail(b, ERR_TOO_COMPLEX, -1, "queries are nested more than %d deep",
			LIMIT_QUERY_DEPTH);
		return NULL;
	}
	*outer = b->level;
	b->lateral = NULL;
	b->lateral_on = NULL;
	b->level = (struct scope){ .outer = correlated ? outer : outer->outer,
		.ctes = outer->ctes };
	b->aggregates = NULL;
	b->in_aggregate = false;
	b->query_depth++;
	s = bind_select(b, p);
	b->query_depth--;
	b->level = *outer;
	b->aggregates = aggregates;
	b->no_aggregates = no_aggregates;
	b->in_aggregate = in_aggregate;
	return s;
}

/* A select that uses columns of what stands before it: it is joined by its domain's. */
static int bind_lateral(struct binder *b, struct select *s, struct from_list *list,
	const PgQuery__RangeSubselect *p, const char *alias)
{
	const struct from_list *before = b->lateral != NULL ? b->lateral : list;
	struct from_item *on = b->lateral_on;
	struct domain *d = bind_alloc(b, sizeof(*d));
	unsigned nouter = b->nouter, source = s->nsources;
	struct relation *r;
	struct select *sub;
	int at = 0;

	b->lateral = NULL;
	b->lateral_on = NULL;
	sub = d == NULL ? NULL : bind_nested(b, p->subquery->select_stmt, true);
	if (sub == NULL)
		return -1;
	if (b->nouter > nouter &&
		(bind_unnest(b, sub, d, &at) != 0 ||
			bind_domain_from(b, d, s, before, d->outer) != 0))
		return -1;
	b->nouter = nouter;
	r = bind_derived(b, sub, alias);
	for (unsigned i = 0; r != NULL && i < d->n; i++)
		r->columns[(unsigned)at + i].hidden = true;
	if (r != NULL)
		r = renamed(b, r, p->alias->colnames, p->alias->n_colnames, alias,
			node_location(p->subquery));
	if (r == NULL || source_named(b, s, list, r, alias, node_location(p->subquery)) != 0)
		return -1;
	for (unsigned i = 0; i < d->n; i++) {
		struct expr *e = bind_null_safe(b, bind_copy(b, d->outer[i]),
			bind_column(b, (uint8_t)source, r, (unsigned)at + i, -1));

		if (e == NULL ||
			bind_conjuncts(b, e, on != NULL ? &on->conjuncts : &list->conjuncts,
				on != NULL ? &on->nconjuncts : &list->nconjuncts) != 0)
			return -1;
	}
	return 0;
}

static int bind_subselect(struct binder *b, struct select *s, struct from_list *list,
	const PgQuery__RangeSubselect *p)
{
	const char *alias = p->alias != NULL ? p->alias->aliasname : "";
	int location = node_location(p->subquery);
	struct relation *r;
	struct select *sub;

	if (p->alias == NULL) {
		bind_fail(b, ERR_SYNTAX, location, "subquery in FROM must have an alias");
		return error_hint(b->error, "For example, FROM (SELECT ...) [AS] foo.");
	}
	if (p->subquery->node_case != NODE(SELECT_STMT)) {
		bind_unsupported(b, location, "this subquery");
		return -1;
	}
	if (p->lateral)
		return bind_lateral(b, s, list, p, alias);
	sub = bind_nested(b, p->subquery->select_stmt, false);
	r = sub == NULL ? NULL : bind_derived(b, sub, alias);
	if (r != NULL)
		r = renamed(b, r, p->alias->colnames, p->alias->n_colnames, alias, location);
	return r == NULL ? -1 : source_named(b, s, list, r, alias, location);
}

/* --- WITH --- */

int bind_with(struct binder *b, const PgQuery__WithClause *w)
{
	for (size_t i = 0; i < w->n_ctes; i++) {
		const PgQuery__CommonTableExpr *c = w->ctes[i]->common_table_expr;
		struct cte *cte = bind_alloc(b, sizeof(*cte));

		if (cte == NULL)
			return -1;
		for (const struct cte *k = b->level.ctes; k != b->level.outer_ctes; k = k->next)
			if (strcmp(k->name, c->ctename) == 0)
				return bind_fail(b, ERR_DUPLICATE_ALIAS, c->location,
					"WITH query name \"%s\" specified more than once",
					c->ctename);
		if (c->ctequery->node_case != NODE(SELECT_STMT)) {
			bind_unsupported(b, c->location, "a command in WITH");
			return -1;
		}
		*cte = (struct cte){ .next = b->level.ctes,
			.name = c->ctename,
			.node = c,
			.recursive = w->recursive };
		b->level.ctes = cte;
	}
	return 0;
}

int bind_with_rest(struct binder *b)
{
	struct cte *last = b->level.ctes;

	for (struct cte *c = last; c != b->level.outer_ctes; c = c->next) {
		const struct select *s;

		if (c->used)
			continue;
		b->level.ctes = c->recursive ? c : c->next;
		s = bind_nested(b, c->node->ctequery->select_stmt, false);
		b->level.ctes = last;
		if (s == NULL)
			return -1;
	}
	return 0;
}

static struct cte *cte_find(const struct binder *b, const PgQuery__RangeVar *v)
{
	struct cte *c = v->schemaname[0] == '\0' ? b->level.ctes : NULL;

	while (c != NULL && strcmp(c->name, v->relname) != 0)
		c = c->next;
	return c;
}

static int bind_cte(struct binder *b, struct select *s, struct from_list *list, struct cte *c,
	const PgQuery__RangeVar *v, const char *alias)
{
	const PgQuery__CommonTableExpr *p = c->node;
	struct cte *ctes = b->level.ctes;
	struct relation *r;
	struct select *sub;

	c->used = true;

	/* It sees those before it; with RECURSIVE itself, too. */
	for (const struct cte *k = b->binding; k != NULL; k = k->binding)
		if (k == c) {
			bind_unsupported(b, v->location, "a recursive query");
			return -1;
		}
	c->binding = b->binding;
	b->binding = c;
	b->level.ctes = c->recursive ? c : c->next;
	sub = bind_nested(b, p->ctequery->select_stmt, false);
	b->level.ctes = ctes;
	b->binding = c->binding;
	r = sub == NULL ? NULL : bind_derived(b, sub, c->name);
	if (r != NULL)
		r = renamed(b, r, p->aliascolnames, p->n_aliascolnames, c->name, p->location);
	if (r != NULL && v->alias != NULL)
		r = renamed(b, r, v->alias->colnames, v->alias->n_colnames, alias, v->location);
	return r == NULL ? -1 : source_named(b, s, list, r, alias, v->location);
}

static int bind_range(
	struct binder *b, struct select *s, struct from_list *list, const PgQuery__RangeVar *v)
{
	const char *alias = v->alias != NULL ? v->alias->aliasname : v->relname;
	struct cte *c = cte_find(b, v);
	struct relation *r;

	if (c != NULL)
		return bind_cte(b, s, list, c, v, alias);
	r = bind_relation(b, v);
	if (r != NULL && r->kind == RELATION_SYSTEM && b->in_view) {
		bind_unsupported(b, v->location, "a materialized view over a system view");
		return error_hint(b->error,
			"What it shows changes without a command: query it when it is needed.");
	}
	if (r != NULL && v->alias != NULL)
		r = renamed(b, r, v->alias->colnames, v->alias->n_colnames, alias, v->location);
	return r == NULL ? -1 : source_named(b, s, list, r, alias, v->location);
}

/* --- joins --- */

/* The place of a name among names[from, to); -1 with an error unless it is there once. */
static int name_once(struct binder *b, const char *name, unsigned from, unsigned to,
	const char *side, int location)
{
	int found = -1;

	for (unsigned i = from; i < to; i++) {
		if (strcmp(b->level.names[i].name, name) != 0)
			continue;
		if (found >= 0)
			return bind_fail(b, ERR_AMBIGUOUS_COLUMN, location,
				"common column name \"%s\" appears more than once in %s table",
				name, side);
		found = (int)i;
	}
	if (found < 0)
		return bind_fail(b, ERR_UNDEFINED_COLUMN, location,
			"column \"%s\" specified in USING clause does not exist in %s table", name,
			side);
	return found;
}

/* What the merged column of a join is. */
static struct expr *merged_value(
	struct binder *b, PgQuery__JoinType type, struct expr *const sides[2])
{
	struct expr *e;

	if (type == PG_QUERY__JOIN_TYPE__JOIN_INNER)
		return sides[sides[0]->kind == EXPR_CAST && sides[1]->kind != EXPR_CAST];
	if (type != PG_QUERY__JOIN_TYPE__JOIN_FULL)
		return sides[type == PG_QUERY__JOIN_TYPE__JOIN_RIGHT];
	e = expr_args(b, expr_new(b, EXPR_COALESCE, (enum type_id)sides[0]->type.id, -1), 2);
	if (e == NULL)
		return NULL;
	e->type = sides[0]->type;
	for (unsigned k = 0; k < 2; k++)
		e->args[k] = sides[k];
	return e;
}

struct using
{
	unsigned n;
	const char *names[LIMIT_COLUMNS];
};

/* The names of a join's two sides, [left, right) and [right, end), after USING: merged ones, then the others. */
static int using_bind(struct binder *b, const struct using *u, PgQuery__JoinType type,
	unsigned left, unsigned right, struct expr ***on, unsigned *non)
{
	struct scope *l = &b->level;
	unsigned n = 0, end = l->nnames;
	struct name_entry *out = bind_alloc(b, (end - left) * sizeof(*out));
	bool *used = bind_alloc(b, (end + 1) * sizeof(*used));

	if (out == NULL || used == NULL)
		return -1;
	for (unsigned i = 0; i < u->n; i++) {
		int at[2] = { name_once(b, u->names[i], left, right, "left", -1), -1 };
		struct expr *sides[2], *eq;
		struct type common;

		if (at[0] >= 0)
			at[1] = name_once(b, u->names[i], right, end, "right", -1);
		if (at[1] < 0)
			return -1;
		for (unsigned k = 0; k < 2; k++) {
			used[at[k]] = true;
			sides[k] = bind_name(b, l, &l->names[at[k]], -1);
			if (sides[k] == NULL)
				return -1;
		}
		eq = bind_operator(b, "=", sides[0], sides[1], -1);
		if (eq == NULL || bind_conjuncts(b, eq, on, non) != 0)
			return -1;
		for (unsigned k = 0; k < 2; k++) {
			sides[k] = bind_name(b, l, &l->names[at[k]], -1);
			if (sides[k] == NULL)
				return -1;
		}
		if (bind_unify(b, sides, 2, "JOIN/USING", &common) != 0)
			return -1;
		out[n] = (struct name_entry){ .name = l->names[at[0]].name };
		out[n].merged = merged_value(b, type, sides);
		if (out[n++].merged == NULL)
			return -1;
	}
	for (unsigned i = left; i < end; i++)
		if (!used[i])
			out[n++] = l->names[i];
	memcpy(l->names + left, out, n * sizeof(*out));
	l->nnames = left + n;
	return 0;
}

/* The columns that both sides have. */
static int natural(struct binder *b, unsigned left, unsigned right, struct using *u)
{
	const struct scope *l = &b->level;

	for (unsigned i = left; i < right; i++)
		for (unsigned k = right; k < l->nnames; k++)
			if (strcmp(l->names[i].name, l->names[k].name) == 0) {
				if (u->n == LIMIT_COLUMNS)
					return bind_fail(b, ERR_TOO_MANY_COLUMNS, -1,
						"a join has too many common columns");
				u->names[u->n++] = l->names[i].name;
				break;
			}
	return 0;
}

static int join_condition(struct binder *b, const PgQuery__JoinExpr *j, unsigned left,
	unsigned right, struct expr ***on, unsigned *non)
{
	struct using *u = bind_alloc(b, sizeof(*u));
	struct expr *e;

	if (u == NULL)
		return -1;
	if (j->is_natural && natural(b, left, right, u) != 0)
		return -1;
	for (size_t i = 0; i < j->n_using_clause && i < LIMIT_COLUMNS; i++)
		u->names[u->n++] = node_string(j->using_clause[i]);
	if (u->n > 0 && using_bind(b, u, j->jointype, left, right, on, non) != 0)
		return -1;
	if (j->quals == NULL)
		return 0;
	b->no_aggregates = "JOIN conditions";
	b->level.no_subqueries = true;
	e = bind_condition(b, j->quals, "JOIN/ON");
	b->level.no_subqueries = false;
	return e == NULL ? -1 : bind_conjuncts(b, e, on, non);
}

static int bind_outer(
	struct binder *b, struct select *s, struct from_list *list, const PgQuery__JoinExpr *j)
{
	bool right = j->jointype == PG_QUERY__JOIN_TYPE__JOIN_RIGHT;
	struct from_list *sides[2] = { bind_alloc(b, sizeof(**sides)),
		bind_alloc(b, sizeof(**sides)) };
	struct from_item *item = bind_alloc(b, sizeof(*item));
	unsigned names = b->level.nnames, entries = b->level.n, middle;
	unsigned first_name = b->level.first_name, first = b->level.first;

	if (item == NULL || sides[0] == NULL || sides[1] == NULL ||
		bind_from(b, s, sides[0], j->larg) != 0)
		return -1;
	item->kind = j->jointype == PG_QUERY__JOIN_TYPE__JOIN_FULL ? FROM_FULL : FROM_LEFT;
	middle = b->level.nnames;
	if (j->jointype == PG_QUERY__JOIN_TYPE__JOIN_LEFT &&
		j->rarg->node_case == NODE(RANGE_SUBSELECT)) {
		b->lateral = sides[0];
		b->lateral_on = item;
	}
	if (bind_from(b, s, sides[1], j->rarg) != 0)
		return -1;
	b->lateral = NULL;
	b->lateral_on = NULL;
	b->level.first = entries;
	b->level.first_name = names;
	if (join_condition(b, j, names, middle, &item->conjuncts, &item->nconjuncts) != 0)
		return -1;
	b->level.first = first;
	b->level.first_name = first_name;
	item->left = sides[right];
	item->right = sides[!right];
	return bind_item(b, list, item);
}

static int bind_join(
	struct binder *b, struct select *s, struct from_list *list, const PgQuery__JoinExpr *j)
{
	unsigned names = b->level.nnames, entries = b->level.n, middle;
	unsigned first_name = b->level.first_name, first = b->level.first;

	if (j->alias != NULL || j->join_using_alias != NULL) {
		bind_unsupported(b, node_location(j->quals), "an alias of a join");
		return -1;
	}
	if (j->jointype != PG_QUERY__JOIN_TYPE__JOIN_INNER)
		return bind_outer(b, s, list, j);
	if (bind_from(b, s, list, j->larg) != 0)
		return -1;
	middle = b->level.nnames;
	if (bind_from(b, s, list, j->rarg) != 0)
		return -1;
	b->level.first = entries;
	b->level.first_name = names;
	if (join_condition(b, j, names, middle, &list->conjuncts, &list->nconjuncts) != 0)
		return -1;
	b->level.first = first;
	b->level.first_name = first_name;
	return 0;
}

int bind_from(struct binder *b, struct select *s, struct from_list *list, const PgQuery__Node *n)
{
	switch (n->node_case) {
	case NODE(RANGE_VAR): return bind_range(b, s, list, n->range_var);
	case NODE(JOIN_EXPR): return bind_join(b, s, list, n->join_expr);
	case NODE(RANGE_SUBSELECT): return bind_subselect(b, s, list, n->range_subselect);
	default: bind_unsupported(b, node_location(n), "this FROM item"); return -1;
	}
}
