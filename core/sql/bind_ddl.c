/*
 * bind_ddl.c: CREATE TABLE, CREATE MATERIALIZED VIEW, CREATE INDEX, DROP, COMMENT.
 *
 * A new relation is built whole in its own arena; the catalog learns of it when the engine executes the
 * statement.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/limits.h"
#include "core/sql/bind.h"

#define NODE(name) PG_QUERY__NODE__NODE_##name

static void notice(
	struct binder *b, const char *state, const char *fmt, const char *a, const char *c)
{
	char text[ERROR_MESSAGE_MAX], *old = b->statement->notice;
	size_t n;

	n = (size_t)snprintf(text, sizeof(text), "%s: ", state);
	/* The formats are constants of this file with two %s. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(text + n, sizeof(text) - n, fmt, a, c);
#pragma GCC diagnostic pop
	if (old == NULL)
		b->statement->notice = arena_strdup(&b->statement->arena, text, strlen(text));
}

static int check_name(struct binder *b, const char *name, int location)
{
	if (strlen(name) > LIMIT_NAME_BYTES)
		return bind_fail(b, ERR_NAME_TOO_LONG, location,
			"identifier \"%.20s…\" is longer than %d bytes", name, LIMIT_NAME_BYTES);
	return 0;
}

/* 0 go on; 1 it exists and IF NOT EXISTS was said; -1. */
static int check_new(struct binder *b, const PgQuery__RangeVar *v, bool if_not_exists)
{
	if (check_name(b, v->relname, v->location) != 0)
		return -1;
	if (v->schemaname[0] != '\0' && strcmp(v->schemaname, "public") != 0)
		return bind_fail(
			b, ERR_FEATURE, v->location, "schemas other than public are not supported");
	if (strcmp(v->relpersistence, "p") != 0) {
		bind_unsupported(b, v->location, "a temporary or unlogged table");
		return -1;
	}
	if (catalog_find(b->catalog, v->relname) == NULL &&
		catalog_find_index(b->catalog, v->relname) == NULL)
		return 0;
	if (if_not_exists) {
		notice(b, "42P07", "relation \"%s\" already exists, skipping%s", v->relname, "");
		b->statement->kind = STATEMENT_NOTHING;
		return 1;
	}
	return bind_fail(
		b, ERR_DUPLICATE_TABLE, v->location, "relation \"%s\" already exists", v->relname);
}

/* --- CREATE TABLE --- */

struct table_build {
	struct relation *r;
	const PgQuery__CreateStmt *stmt;
	const PgQuery__Constraint *primary;
	uint16_t primary_cols[LIMIT_KEY_COLUMNS];
	unsigned nprimary;
	struct index_def *unique[LIMIT_INDEXES_PER_TABLE];
	unsigned nunique;
};

static const char *keep(struct binder *b, const char *text)
{
	const char *copy = arena_strdup(b->arena, text, strlen(text));

	if (copy == NULL)
		error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
	return copy;
}

static const char *keep_join(struct binder *b, const char *x, const char *y, const char *z)
{
	char text[4 * LIMIT_NAME_BYTES];

	(void)snprintf(text, sizeof(text), "%s%s%s%s%s", x, y[0] ? "_" : "", y, z[0] ? "_" : "", z);
	text[LIMIT_NAME_BYTES] = '\0';
	return keep(b, text);
}

static int bind_default(struct binder *b, struct column *c, const PgQuery__Node *n)
{
	struct expr *e;

	b->no_aggregates = "DEFAULT expressions";
	e = bind_expr(b, n);
	if (e == NULL)
		return -1;
	if (expr_sources(e) != 0)
		return bind_fail(b, ERR_FEATURE, node_location(n),
			"cannot use column references or parameters in DEFAULT expression");
	c->default_ = bind_assign(b, e, c);
	return c->default_ == NULL ? -1 : 0;
}

static int add_check(
	struct binder *b, struct relation *r, const PgQuery__Constraint *k, const char *column)
{
	struct check *grown = bind_alloc(b, (r->nchecks + 1u) * sizeof(*grown));
	struct expr *test;

	if (grown == NULL)
		return -1;
	b->no_aggregates = "check constraints";
	b->nscope = 1;
	b->scope[0] = (struct scope_entry){ r, r->name, 0 };
	test = bind_condition(b, k->raw_expr, "CHECK");
	b->nscope = 0;
	if (test == NULL)
		return -1;
	if (r->nchecks > 0)
		memcpy(grown, r->checks, r->nchecks * sizeof(*grown));
	grown[r->nchecks].test = test;
	grown[r->nchecks].name = k->conname[0] ? keep(b, k->conname)
					       : keep_join(b, r->name, column, "check");
	if (grown[r->nchecks].name == NULL)
		return -1;
	r->checks = grown;
	r->nchecks++;
	return 0;
}

/* Column numbers of a list of names. */
static int columns_of(struct binder *b, const struct relation *r, PgQuery__Node *const *names,
	size_t n, uint16_t *out, int location)
{
	if (n > LIMIT_KEY_COLUMNS)
		return bind_fail(b, ERR_TOO_MANY_COLUMNS, location,
			"at most %d columns are allowed in a key", LIMIT_KEY_COLUMNS);
	for (size_t i = 0; i < n; i++) {
		int col = relation_column(r, node_string(names[i]));

		if (col < 0)
			return bind_fail(b, ERR_UNDEFINED_COLUMN, location,
				"column \"%s\" named in key does not exist", node_string(names[i]));
		for (size_t k = 0; k < i; k++)
			if (out[k] == col)
				return bind_fail(b, ERR_DUPLICATE_COLUMN, location,
					"column \"%s\" appears twice in a constraint",
					node_string(names[i]));
		out[i] = (uint16_t)col;
	}
	return 0;
}

static struct index_def *index_build(
	struct binder *b, struct relation *r, const char *name, const uint16_t *cols, unsigned n)
{
	struct index_def *ix = bind_alloc(b, sizeof(*ix));

	if (ix == NULL)
		return NULL;
	ix->cols = bind_alloc(b, n * sizeof(*ix->cols));
	if (ix->cols == NULL)
		return NULL;
	memcpy(ix->cols, cols, n * sizeof(*ix->cols));
	ix->ncols = (uint16_t)n;
	ix->id = catalog_next_id(b->catalog);
	ix->name = name;
	ix->relation = r;
	return name == NULL ? NULL : ix;
}

static int add_primary(struct binder *b, struct table_build *t, const PgQuery__Constraint *k,
	const uint16_t *cols, unsigned n)
{
	if (t->primary != NULL)
		return bind_fail(b, ERR_INVALID_TABLE_DEFINITION, k->location,
			"multiple primary keys for table \"%s\" are not allowed", t->r->name);
	t->primary = k;
	memcpy(t->primary_cols, cols, n * sizeof(*cols));
	t->nprimary = n;
	for (unsigned i = 0; i < n; i++)
		t->r->columns[cols[i]].not_null = true;
	return 0;
}

static int add_unique(struct binder *b, struct table_build *t, const PgQuery__Constraint *k,
	const uint16_t *cols, unsigned n)
{
	struct index_def *ix;

	if (t->nunique == LIMIT_INDEXES_PER_TABLE - 1)
		return bind_fail(b, ERR_LIMIT, k->location, "too many unique constraints");
	if (k->nulls_not_distinct) {
		bind_unsupported(b, k->location, "NULLS NOT DISTINCT");
		return -1;
	}
	ix = index_build(b, t->r,
		k->conname[0] ? keep(b, k->conname)
			      : keep_join(b, t->r->name, t->r->columns[cols[0]].name, "key"),
		cols, n);
	if (ix == NULL)
		return -1;
	ix->unique = ix->constraint = true;
	t->unique[t->nunique++] = ix;
	return 0;
}

static bool action_is_none(const char *action)
{
	return action[0] == '\0' || strcmp(action, "a") == 0 || strcmp(action, "r") == 0;
}

static int fk_types(struct binder *b, const struct foreign_key *fk, const PgQuery__Constraint *k)
{
	for (unsigned i = 0; i < fk->ncols; i++) {
		struct type x = fk->from->columns[fk->from_cols[i]].type;
		struct type y = fk->to->columns[fk->to_cols[i]].type;

		if (cast_exists((enum type_id)x.id, (enum type_id)y.id) < CAST_IMPLICIT &&
			x.id != y.id) {
			bind_fail(b, ERR_DATATYPE_MISMATCH, k->location,
				"foreign key constraint \"%s\" cannot be implemented", fk->name);
			return error_detail(b->error,
				"Key columns \"%s\" and \"%s\" are of incompatible types.",
				fk->from->columns[fk->from_cols[i]].name,
				fk->to->columns[fk->to_cols[i]].name);
		}
	}
	return 0;
}

static int add_foreign(struct binder *b, struct relation *r, const PgQuery__Constraint *k,
	const uint16_t *cols, unsigned n)
{
	struct foreign_key *fk = bind_alloc(b, sizeof(*fk)), **grown;
	bool self = strcmp(k->pktable->relname, r->name) == 0;
	struct relation *to = self ? r : bind_relation(b, k->pktable);
	bool same = true;

	if (fk == NULL || to == NULL)
		return -1;
	if (to->kind != RELATION_TABLE)
		return bind_fail(b, ERR_WRONG_OBJECT, k->pktable->location,
			"referenced relation \"%s\" is not a table", to->name);
	if (!action_is_none(k->fk_upd_action) || !action_is_none(k->fk_del_action)) {
		bind_unsupported(
			b, k->location, "a referential action other than NO ACTION and RESTRICT");
		return -1;
	}
	fk->name = k->conname[0] ? keep(b, k->conname)
				 : keep_join(b, r->name, r->columns[cols[0]].name, "fkey");
	fk->from = r;
	fk->to = to;
	fk->ncols = (uint16_t)n;
	fk->from_cols = bind_alloc(b, n * sizeof(uint16_t));
	fk->to_cols = bind_alloc(b, (n + to->nkey) * sizeof(uint16_t));
	if (fk->name == NULL || fk->from_cols == NULL || fk->to_cols == NULL)
		return -1;
	memcpy(fk->from_cols, cols, n * sizeof(uint16_t));
	if (k->n_pk_attrs > 0) {
		if (columns_of(b, to, k->pk_attrs, k->n_pk_attrs, fk->to_cols, k->location) != 0)
			return -1;
	} else if (to->nkey == 0 || to->columns[to->key[0]].hidden) {
		return bind_fail(b, ERR_UNDEFINED_OBJECT, k->location,
			"there is no primary key for referenced table \"%s\"", to->name);
	} else {
		memcpy(fk->to_cols, to->key, to->nkey * sizeof(uint16_t));
	}
	if ((k->n_pk_attrs > 0 ? k->n_pk_attrs : to->nkey) != n)
		return bind_fail(b, ERR_INVALID_FK, k->location,
			"number of referencing and referenced columns for foreign key disagree");
	for (unsigned i = 0; i < n; i++)
		same = same && to->nkey == n && to->key[i] == fk->to_cols[i];
	if (!same)
		return bind_fail(b, ERR_INVALID_FK, k->location,
			"there is no unique constraint matching given keys for referenced table \"%s\"",
			to->name);
	if (fk_types(b, fk, k) != 0)
		return -1;
	grown = bind_alloc(b, (r->nfks + 1u) * sizeof(*grown));
	if (grown == NULL)
		return -1;
	if (r->nfks > 0)
		memcpy(grown, r->fks, r->nfks * sizeof(*grown));
	grown[r->nfks++] = fk;
	r->fks = grown;
	return 0;
}

/* Enforced when the referenced row is always in the shard of the referencing one. */
static void settle_foreign(struct binder *b, struct relation *r)
{
	for (unsigned k = 0; k < r->nfks; k++) {
		struct foreign_key *fk = r->fks[k];

		for (unsigned i = 0; i < fk->ncols; i++)
			if (fk->from_cols[i] == r->partition &&
				fk->to_cols[i] == fk->to->partition &&
				r->columns[fk->from_cols[i]].type.id ==
					fk->to->columns[fk->to_cols[i]].type.id)
				fk->enforced = true;
		if (!fk->enforced)
			notice(b, "01000",
				"foreign key \"%s\" of \"%s\" is not enforced: it crosses aggregates",
				fk->name, r->name);
	}
}

static int add_constraint(
	struct binder *b, struct table_build *t, const PgQuery__Constraint *k, int column)
{
	uint16_t cols[LIMIT_KEY_COLUMNS];
	bool foreign = k->contype == PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN;
	unsigned n = 1;

	switch (k->contype) {
	case PG_QUERY__CONSTR_TYPE__CONSTR_CHECK:
		return add_check(b, t->r, k, column >= 0 ? t->r->columns[column].name : "");
	case PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY:
	case PG_QUERY__CONSTR_TYPE__CONSTR_UNIQUE:
	case PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN:
		if (column >= 0) {
			cols[0] = (uint16_t)column;
		} else {
			n = (unsigned)(foreign ? k->n_fk_attrs : k->n_keys);
			if (columns_of(b, t->r, foreign ? k->fk_attrs : k->keys, n, cols,
				    k->location) != 0)
				return -1;
		}
		if (k->deferrable) {
			bind_unsupported(b, k->location, "a deferrable constraint");
			return -1;
		}
		if (k->contype == PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY)
			return add_primary(b, t, k, cols, n);
		if (foreign)
			return add_foreign(b, t->r, k, cols, n);
		return add_unique(b, t, k, cols, n);
	case PG_QUERY__CONSTR_TYPE__CONSTR_NULL:
	case PG_QUERY__CONSTR_TYPE__CONSTR_NOTNULL:
	case PG_QUERY__CONSTR_TYPE__CONSTR_DEFAULT:
	case PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_NOT_DEFERRABLE:
	case PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_IMMEDIATE: return 0;
	default: bind_unsupported(b, k->location, "this kind of constraint"); return -1;
	}
}

static int add_column(struct binder *b, struct relation *r, const PgQuery__ColumnDef *d)
{
	struct column *c = &r->columns[r->ncols];

	if (check_name(b, d->colname, d->location) != 0 ||
		bind_type(b, d->type_name, &c->type) != 0)
		return -1;
	if (c->type.id == TYPE_INTERVAL) {
		bind_unsupported(b, d->type_name->location, "a column of type interval");
		return -1;
	}
	if (d->coll_clause != NULL) {
		bind_unsupported(b, d->location, "COLLATE");
		return -1;
	}
	if (relation_column(r, d->colname) >= 0)
		return bind_fail(b, ERR_DUPLICATE_COLUMN, d->location,
			"column \"%s\" specified more than once", d->colname);
	c->name = keep(b, d->colname);
	if (c->name == NULL)
		return -1;
	r->ncols++;
	for (size_t i = 0; i < d->n_constraints; i++) {
		const PgQuery__Constraint *k = d->constraints[i]->constraint;

		if (k->contype == PG_QUERY__CONSTR_TYPE__CONSTR_NOTNULL)
			c->not_null = true;
		else if (k->contype == PG_QUERY__CONSTR_TYPE__CONSTR_DEFAULT &&
			bind_default(b, c, k->raw_expr) != 0)
			return -1;
		else if (k->contype == PG_QUERY__CONSTR_TYPE__CONSTR_IDENTITY ||
			k->contype == PG_QUERY__CONSTR_TYPE__CONSTR_GENERATED) {
			bind_unsupported(b, k->location, "a generated column");
			return -1;
		}
	}
	return 0;
}

/* Key and partition, indexes of the constraints. */
static int settle_keys(struct binder *b, struct table_build *t)
{
	struct relation *r = t->r;
	const PgQuery__PartitionSpec *spec = t->stmt->partspec;
	struct index_def *primary;
	bool hidden = t->primary == NULL;

	if (hidden) {
		r->columns[r->ncols] = (struct column){ .name = "__rowid",
			.type = { .id = TYPE_INT8 },
			.not_null = true,
			.hidden = true };
		t->primary_cols[0] = r->ncols++;
		t->nprimary = 1;
	}
	primary = index_build(b, r,
		!hidden && t->primary->conname[0]
			? keep(b, t->primary->conname)
			: keep_join(b, r->name, hidden ? "rowid" : "", "pkey"),
		t->primary_cols, t->nprimary);
	if (primary == NULL)
		return -1;
	primary->unique = primary->primary = primary->constraint = true;
	r->key = primary->cols;
	r->nkey = primary->ncols;
	r->partition = (int16_t)r->key[0];
	if (spec != NULL) {
		const PgQuery__PartitionElem *elem = spec->part_params[0]->partition_elem;
		int col = relation_column(r, elem->name);
		bool in_key = hidden;

		if (strcmp(spec->strategy, "hash") != 0 || spec->n_part_params != 1 ||
			elem->expr != NULL) {
			bind_unsupported(
				b, spec->location, "partitioning other than BY HASH of one column");
			return -1;
		}
		if (col < 0)
			return bind_fail(b, ERR_UNDEFINED_COLUMN, elem->location,
				"column \"%s\" named in partition key does not exist", elem->name);
		for (unsigned i = 0; i < r->nkey; i++)
			in_key |= r->key[i] == col;
		if (!in_key) {
			bind_fail(b, ERR_FEATURE, elem->location,
				"unique constraint on partitioned table must include all partitioning columns");
			return error_detail(b->error,
				"PRIMARY KEY constraint on table \"%s\" lacks column \"%s\" "
				"which is part of the partition key.",
				r->name, elem->name);
		}
		r->columns[col].not_null = true;
		r->partition = (int16_t)col;
	}
	r->indexes = heap_alloc(b->heap, (t->nunique + 1) * sizeof(*r->indexes));
	if (r->indexes == NULL)
		return error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
	r->indexes[0] = primary;
	r->nindexes = 1;
	for (unsigned i = 0; i < t->nunique; i++)
		r->indexes[r->nindexes++] = t->unique[i];
	for (unsigned i = 0; i < t->nunique; i++) {
		bool inside = false;

		for (unsigned c = 0; c < t->unique[i]->ncols; c++)
			inside |= t->unique[i]->cols[c] == r->partition;
		if (!inside) {
			bind_fail(b, ERR_FEATURE, 0,
				"unique constraint \"%s\" must include the partition column \"%s\"",
				t->unique[i]->name, r->columns[r->partition].name);
			return error_hint(
				b->error, "Uniqueness is checked within one aggregate only.");
		}
	}
	return 0;
}

static int relation_layout(struct binder *b, struct relation *r)
{
	struct type *types = bind_alloc(b, r->ncols * sizeof(*types));

	if (types == NULL)
		return -1;
	for (unsigned c = 0; c < r->ncols; c++)
		types[c] = r->columns[c].type;
	return row_layout_init(&r->layout, types, r->ncols, &r->arena, b->error);
}

static int table_build(struct binder *b, struct table_build *t)
{
	const PgQuery__CreateStmt *p = t->stmt;
	struct relation *r = t->r;
	unsigned col = 0;

	r->id = catalog_next_id(b->catalog);
	r->columns = bind_alloc(b, (p->n_table_elts + 1) * sizeof(*r->columns));
	if (r->columns == NULL)
		return -1;
	if (p->n_table_elts >= LIMIT_COLUMNS)
		return bind_fail(b, ERR_TOO_MANY_COLUMNS, 0, "tables can have at most %d columns",
			LIMIT_COLUMNS);
	for (size_t i = 0; i < p->n_table_elts; i++)
		if (p->table_elts[i]->node_case == NODE(COLUMN_DEF)) {
			if (add_column(b, r, p->table_elts[i]->column_def) != 0)
				return -1;
		} else if (p->table_elts[i]->node_case != NODE(CONSTRAINT)) {
			bind_unsupported(b, 0, "LIKE in CREATE TABLE");
			return -1;
		}
	for (size_t i = 0; i < p->n_table_elts; i++) {
		const PgQuery__Node *n = p->table_elts[i];

		if (n->node_case == NODE(CONSTRAINT)) {
			if (add_constraint(b, t, n->constraint, -1) != 0)
				return -1;
			continue;
		}
		for (size_t k = 0; k < n->column_def->n_constraints; k++)
			if (add_constraint(
				    b, t, n->column_def->constraints[k]->constraint, (int)col) != 0)
				return -1;
		col++;
	}
	if (settle_keys(b, t) != 0)
		return -1;
	settle_foreign(b, r);
	return relation_layout(b, r);
}

/* A relation under construction: the binder's tree goes into its arena. */
static struct relation *relation_begin(struct binder *b, enum relation_kind kind, const char *name)
{
	struct relation *r = relation_new(b->heap, kind, name);

	if (r == NULL) {
		error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
		return NULL;
	}
	b->statement->create.created = r;
	b->arena = &r->arena;
	r->definition = arena_strdup(&r->arena, b->text, strlen(b->text));
	return r;
}

int bind_create_table(struct binder *b, const PgQuery__CreateStmt *p)
{
	struct table_build t = { .stmt = p };
	int status = check_new(b, p->relation, p->if_not_exists);

	if (status != 0)
		return status < 0 ? -1 : 0;
	if (p->n_inh_relations > 0 || p->partbound != NULL || p->n_options > 0 ||
		p->of_typename != NULL) {
		bind_unsupported(b, p->relation->location, "INHERITS, PARTITION OF, WITH or OF");
		return -1;
	}
	b->statement->kind = STATEMENT_CREATE_TABLE;
	t.r = relation_begin(b, RELATION_TABLE, p->relation->relname);
	if (t.r == NULL)
		return -1;
	return table_build(b, &t);
}

/* --- CREATE MATERIALIZED VIEW --- */

/* Every source must be reached from the first one by equalities, else it would be a cross join. */
static int check_connected(struct binder *b, const struct select *s)
{
	uint32_t reached = 1, all = (UINT32_C(1) << s->nsources) - 1;
	bool grew = true;

	while (grew && reached != all) {
		grew = false;
		for (unsigned i = 0; i < s->nconjuncts; i++) {
			const struct expr *e = s->conjuncts[i];
			uint32_t l, r;

			if (e->kind != EXPR_CALL || strcmp(e->fn->name, "=") != 0)
				continue;
			l = expr_sources(e->args[0]);
			r = expr_sources(e->args[1]);
			if (l == 0 || r == 0 || (l & r) != 0)
				continue;
			if ((l & ~reached) == 0 && __builtin_popcount(r) == 1 &&
				(r & ~reached) != 0) {
				reached |= r;
				grew = true;
			} else if ((r & ~reached) == 0 && __builtin_popcount(l) == 1 &&
				(l & ~reached) != 0) {
				reached |= l;
				grew = true;
			}
		}
	}
	if (reached == all)
		return 0;
	return bind_fail(b, ERR_FEATURE, 0,
		"a view must join \"%s\" to the other tables by equality of columns",
		s->aliases[__builtin_ctz(all & ~reached)]);
}

static int view_columns(struct binder *b, struct relation *r, const PgQuery__IntoClause *into)
{
	const struct select *s = r->select;

	if (into->n_col_names > s->noutputs)
		return bind_fail(b, ERR_SYNTAX, -1, "too many column names were specified");
	r->columns = bind_alloc(b, (s->noutputs + 1) * sizeof(*r->columns));
	if (r->columns == NULL)
		return -1;
	for (unsigned i = 0; i < s->noutputs; i++) {
		const char *name = i < into->n_col_names ? keep(b, node_string(into->col_names[i]))
							 : s->outputs[i].name;

		if (name == NULL)
			return -1;
		if (relation_column(r, name) >= 0)
			return bind_fail(b, ERR_DUPLICATE_COLUMN, -1,
				"column \"%s\" specified more than once", name);
		if (s->outputs[i].type.id == TYPE_INTERVAL)
			return bind_fail(b, ERR_FEATURE, -1,
				"a view's column of type interval is not supported");
		r->columns[r->ncols++] = (struct column){ .name = name,
			.type = s->outputs[i].type };
	}
	return 0;
}

int bind_create_view(struct binder *b, const PgQuery__CreateTableAsStmt *p)
{
	struct statement *st = b->statement;
	struct relation *r;
	int status;

	if (p->objtype != PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW) {
		bind_unsupported(b, 0, "CREATE TABLE AS");
		return -1;
	}
	status = check_new(b, p->into->rel, p->if_not_exists);
	if (status != 0)
		return status < 0 ? -1 : 0;
	if (p->into->skip_data || p->query->node_case != NODE(SELECT_STMT)) {
		bind_unsupported(b, 0, "WITH NO DATA");
		return -1;
	}
	st->kind = STATEMENT_CREATE_VIEW;
	r = relation_begin(b, RELATION_VIEW, p->into->rel->relname);
	if (r == NULL)
		return -1;
	r->id = catalog_next_id(b->catalog);
	b->in_view = true;
	r->select = bind_select(b, p->query->select_stmt);
	if (r->select == NULL)
		return -1;
	if (r->select->nsources == 0)
		return bind_fail(b, ERR_FEATURE, 0, "a view without tables is not supported");
	for (unsigned i = 0; i < r->select->nsources; i++)
		if (r->select->sources[i]->kind != RELATION_TABLE)
			return bind_fail(b, ERR_FEATURE, 0, "a view over a view is not supported");
	if (check_connected(b, r->select) != 0 || view_columns(b, r, p->into) != 0)
		return -1;
	r->reads = bind_alloc(b, r->select->nsources * sizeof(struct relation *));
	if (r->reads == NULL)
		return -1;
	for (unsigned i = 0; i < r->select->nsources; i++) {
		bool there = false;

		for (unsigned k = 0; k < r->nreads; k++)
			there |= r->reads[k] == r->select->sources[i];
		if (there)
			continue;
		relation_hold(r->select->sources[i]);
		r->reads[r->nreads++] = r->select->sources[i];
	}
	return relation_layout(b, r);
}

/* --- CREATE INDEX --- */

static const char *index_name(
	struct binder *b, const struct relation *r, const uint16_t *cols, unsigned n)
{
	char base[LIMIT_NAME_BYTES + 1], name[LIMIT_NAME_BYTES + 16];
	size_t at = (size_t)snprintf(base, sizeof(base), "%s", r->name);

	for (unsigned i = 0; i < n && at < sizeof(base) - 6; i++)
		at += (size_t)snprintf(
			base + at, sizeof(base) - at, "_%s", r->columns[cols[i]].name);
	base[sizeof(base) - 6] = '\0';
	for (unsigned k = 0;; k++) {
		if (k == 0)
			(void)snprintf(name, sizeof(name), "%s_idx", base);
		else
			(void)snprintf(name, sizeof(name), "%s_idx%u", base, k);
		if (catalog_find_index(b->catalog, name) == NULL &&
			catalog_find(b->catalog, name) == NULL)
			return keep(b, name);
	}
}

int bind_create_index(struct binder *b, const PgQuery__IndexStmt *p)
{
	struct statement *st = b->statement;
	struct relation *r = bind_relation(b, p->relation);
	uint16_t cols[LIMIT_KEY_COLUMNS];
	struct index_def *ix;
	bool partition = false;

	if (r == NULL)
		return -1;
	if (p->idxname[0] != '\0' &&
		(catalog_find_index(b->catalog, p->idxname) != NULL ||
			catalog_find(b->catalog, p->idxname) != NULL)) {
		if (!p->if_not_exists)
			return bind_fail(b, ERR_DUPLICATE_TABLE, -1,
				"relation \"%s\" already exists", p->idxname);
		notice(b, "42P07", "relation \"%s\" already exists, skipping%s", p->idxname, "");
		st->kind = STATEMENT_NOTHING;
		return 0;
	}
	if (check_name(b, p->idxname, -1) != 0)
		return -1;
	if (p->where_clause != NULL || p->n_index_including_params > 0 || p->nulls_not_distinct ||
		(strcmp(p->access_method, "btree") != 0 && strcmp(p->access_method, "hash") != 0)) {
		bind_unsupported(b, p->relation->location,
			"a partial or covering index or one of another method");
		return -1;
	}
	if (p->n_index_params > LIMIT_KEY_COLUMNS)
		return bind_fail(b, ERR_TOO_MANY_COLUMNS, -1,
			"cannot use more than %d columns in an index", LIMIT_KEY_COLUMNS);
	for (size_t i = 0; i < p->n_index_params; i++) {
		const PgQuery__IndexElem *e = p->index_params[i]->index_elem;
		int col = e->expr != NULL ? -1 : relation_column(r, e->name);

		if (e->expr != NULL) {
			bind_unsupported(b, p->relation->location, "an index on an expression");
			return -1;
		}
		if (col < 0)
			return bind_fail(b, ERR_UNDEFINED_COLUMN, -1,
				"column \"%s\" does not exist", e->name);
		for (size_t k = 0; k < i; k++)
			if (cols[k] == col)
				return bind_fail(b, ERR_DUPLICATE_COLUMN, -1,
					"column \"%s\" appears twice in the index", e->name);
		cols[i] = (uint16_t)col;
		partition |= col == r->partition;
	}
	if (p->unique && r->nkey > 0 && !partition) {
		bind_fail(b, ERR_FEATURE, p->relation->location,
			"a unique index must include the partition column \"%s\"",
			r->columns[r->partition].name);
		return error_hint(b->error, "Uniqueness is checked within one aggregate only.");
	}
	if (p->unique && r->kind == RELATION_VIEW && r->nkey > 0) {
		bind_unsupported(b, p->relation->location, "a second unique index on a view");
		return -1;
	}
	st->kind = STATEMENT_CREATE_INDEX;
	/* It belongs to its relation and lives as long. */
	b->arena = &r->arena;
	ix = index_build(b, r,
		p->idxname[0] ? keep(b, p->idxname)
			      : index_name(b, r, cols, (unsigned)p->n_index_params),
		cols, (unsigned)p->n_index_params);
	b->arena = &st->arena;
	if (ix == NULL)
		return -1;
	ix->unique = p->unique;
	st->create_index.created = ix;
	return 0;
}

/* --- DROP, COMMENT --- */

static const char *object_name(const PgQuery__Node *n)
{
	return n->node_case == NODE(LIST) ? node_string(n->list->items[n->list->n_items - 1]) : "";
}

static const char *kind_name(const struct relation *r)
{
	return r->kind == RELATION_TABLE ? "table" : "materialized view";
}

static int drop_one(struct binder *b, const PgQuery__DropStmt *p, const char *name)
{
	struct statement *st = b->statement;
	struct relation *r = catalog_find(b->catalog, name);
	struct index_def *ix = r == NULL ? catalog_find_index(b->catalog, name) : NULL;
	bool wants_index = p->remove_type == PG_QUERY__OBJECT_TYPE__OBJECT_INDEX;
	bool wants_table = p->remove_type == PG_QUERY__OBJECT_TYPE__OBJECT_TABLE;
	const char *what = wants_index ? "index" : wants_table ? "table" : "materialized view";

	if (r == NULL && ix == NULL) {
		if (!p->missing_ok)
			return bind_fail(b,
				wants_index ? ERR_UNDEFINED_OBJECT : ERR_UNDEFINED_TABLE, -1,
				"%s \"%s\" does not exist", what, name);
		notice(b, "00000", "%s \"%s\" does not exist, skipping", what, name);
		return 0;
	}
	if ((ix != NULL) != wants_index ||
		(r != NULL && (r->kind == RELATION_TABLE) != wants_table)) {
		bind_fail(b, ERR_WRONG_OBJECT, -1, "\"%s\" is not %s %s", name,
			wants_index ? "an" : "a", what);
		return error_hint(b->error, "Use DROP %s to remove it.",
			ix != NULL                          ? "INDEX"
				: r->kind == RELATION_TABLE ? "TABLE"
							    : "MATERIALIZED VIEW");
	}
	if (r != NULL && bind_hold(b, r) != 0)
		return -1;
	if (ix != NULL && bind_hold(b, ix->relation) != 0)
		return -1;
	if (r != NULL && r->ndependents > 0) {
		bind_fail(b, ERR_DEPENDENT, -1,
			"cannot drop %s %s because other objects depend on it", kind_name(r),
			r->name);
		return error_detail(b->error, "materialized view %s depends on %s %s",
			r->dependents[0]->name, kind_name(r), r->name);
	}
	st->drop.relations[st->drop.n] = r;
	st->drop.indexes[st->drop.n] = ix;
	st->drop.n++;
	return 0;
}

int bind_drop(struct binder *b, const PgQuery__DropStmt *p)
{
	struct statement *st = b->statement;

	if (p->remove_type != PG_QUERY__OBJECT_TYPE__OBJECT_TABLE &&
		p->remove_type != PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW &&
		p->remove_type != PG_QUERY__OBJECT_TYPE__OBJECT_INDEX) {
		bind_unsupported(b, 0, "DROP of this kind of object");
		return -1;
	}
	if (p->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE) {
		bind_unsupported(b, 0, "CASCADE");
		return -1;
	}
	st->kind = STATEMENT_DROP;
	st->drop.relations = bind_alloc(b, p->n_objects * sizeof(struct relation *));
	st->drop.indexes = bind_alloc(b, p->n_objects * sizeof(struct index_def *));
	if (st->drop.relations == NULL || st->drop.indexes == NULL)
		return -1;
	for (size_t i = 0; i < p->n_objects; i++)
		if (drop_one(b, p, object_name(p->objects[i])) != 0)
			return -1;
	if (st->drop.n == 0)
		st->kind = STATEMENT_NOTHING;
	return 0;
}

int bind_comment(struct binder *b, const PgQuery__CommentStmt *p)
{
	const PgQuery__List *list = p->object->node_case == NODE(LIST) ? p->object->list : NULL;
	const char *name = list == NULL ? "" : node_string(list->items[list->n_items - 1]);
	const struct relation *r;

	b->statement->kind = STATEMENT_NOTHING;
	if (p->objtype == PG_QUERY__OBJECT_TYPE__OBJECT_COLUMN && list != NULL &&
		list->n_items >= 2) {
		const char *table = node_string(list->items[list->n_items - 2]);

		r = catalog_find(b->catalog, table);
		if (r == NULL)
			return bind_fail(b, ERR_UNDEFINED_TABLE, -1,
				"relation \"%s\" does not exist", table);
		if (relation_column(r, name) < 0)
			return bind_fail(b, ERR_UNDEFINED_COLUMN, -1,
				"column \"%s\" of relation \"%s\" does not exist", name, table);
		return 0;
	}
	if (p->objtype != PG_QUERY__OBJECT_TYPE__OBJECT_TABLE &&
		p->objtype != PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW &&
		p->objtype != PG_QUERY__OBJECT_TYPE__OBJECT_INDEX) {
		bind_unsupported(b, 0, "COMMENT ON this kind of object");
		return -1;
	}
	if (catalog_find(b->catalog, name) == NULL && catalog_find_index(b->catalog, name) == NULL)
		return bind_fail(
			b, ERR_UNDEFINED_TABLE, -1, "relation \"%s\" does not exist", name);
	return 0;
}
