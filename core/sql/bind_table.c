/*
 * bind_table.c: CREATE TABLE: columns, then constraints, then the keys that follow from them.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/limits.h"
#include "core/base/utf8.h"
#include "core/sql/bind.h"

struct table_build {
	struct relation *r;
	const PgQuery__CreateStmt *stmt;
	const PgQuery__Constraint *primary;
	uint16_t primary_cols[LIMIT_KEY_COLUMNS];
	unsigned nprimary;
	struct index_def *unique[LIMIT_INDEXES_PER_TABLE];
	unsigned nunique;
	const char *primary_name;
	bool primary_numbered;
};

/* Whether a constraint of this table has the name. */
static bool constraint_named(const struct table_build *t, const char *name)
{
	const struct relation *r = t->r;

	for (unsigned i = 0; i < r->nchecks; i++)
		if (strcmp(r->checks[i].name, name) == 0)
			return true;
	for (unsigned i = 0; i < r->nfks; i++)
		if (strcmp(r->fks[i]->name, name) == 0)
			return true;
	for (unsigned i = 0; i < t->nunique; i++)
		if (strcmp(t->unique[i]->name, name) == 0)
			return true;
	return t->primary_name != NULL && strcmp(t->primary_name, name) == 0;
}

/* … or a relation or an index of the schema, for those that become indexes. */
static bool name_taken(
	const struct binder *b, const struct table_build *t, const char *name, bool index)
{
	return constraint_named(t, name) ||
		(index &&
			(strcmp(t->r->name, name) == 0 || catalog_find(b->catalog, name) != NULL ||
				catalog_find_index(b->catalog, name) != NULL));
}

/* "table_column_column_label", cut where it is longest to fit a name, with a number when taken; as
 * PostgreSQL chooses names. */
static const char *choose_name(struct binder *b, const struct table_build *t, const uint16_t *cols,
	unsigned n, const char *label, bool index)
{
	char columns[LIMIT_NAME_BYTES + 1] = "", name[4 * LIMIT_NAME_BYTES];
	size_t at = 0;

	for (unsigned i = 0; i < n && at < sizeof(columns) - 1; i++)
		at += (size_t)snprintf(columns + at, sizeof(columns) - at, "%s%s", i > 0 ? "_" : "",
			t->r->columns[cols[i]].name);
	for (unsigned k = 0;; k++) {
		char number[12] = "";
		size_t x = strlen(t->r->name), y = strlen(columns), rest;

		if (k > 0)
			(void)snprintf(number, sizeof(number), "%u", k);
		rest = strlen(label) + strlen(number) + (n > 0 ? 2 : 1);
		while (x + y + rest > LIMIT_NAME_BYTES)
			*(x > y ? &x : &y) -= 1;
		x = x < strlen(t->r->name) ? utf8_cut(t->r->name, x) : x;
		y = y < strlen(columns) ? utf8_cut(columns, y) : y;
		b->numbered = k > 0;
		(void)snprintf(name, sizeof(name), "%.*s%s%.*s_%s%s", (int)x, t->r->name,
			n > 0 ? "_" : "", (int)y, columns, label, number);
		if (!name_taken(b, t, name, index))
			return bind_keep(b, name);
	}
}

/* The name given, or one like PostgreSQL's. */
static const char *constraint_name(struct binder *b, const struct table_build *t,
	const PgQuery__Constraint *k, const uint16_t *cols, unsigned n, const char *label,
	bool index)
{
	if (k->conname[0] == '\0')
		return choose_name(b, t, cols, n, label, index);
	b->numbered = false;
	if (index && name_taken(b, t, k->conname, true)) {
		bind_fail(b, ERR_DUPLICATE_TABLE, -1, "relation \"%s\" already exists", k->conname);
		return NULL;
	}
	if (constraint_named(t, k->conname)) {
		bind_fail(b, ERR_DUPLICATE_OBJECT, -1,
			"constraint \"%s\" for relation \"%s\" already exists", k->conname,
			t->r->name);
		return NULL;
	}
	return bind_keep(b, k->conname);
}

static int bind_default(struct binder *b, struct column *c, const PgQuery__Node *n)
{
	struct expr *e;

	b->no_aggregates = "DEFAULT expressions";
	b->in_default = true;
	e = bind_expr(b, n);
	b->in_default = false;
	if (e == NULL)
		return -1;
	if (expr_sources(e) != 0)
		return bind_fail(b, ERR_UNDEFINED_PARAMETER, node_location(n),
			"a parameter in a DEFAULT expression");
	c->default_ = bind_assign(b, e, c);
	return c->default_ == NULL ? -1 : 0;
}

/* Notes the first column it meets and whether there is another. */
struct columns_met {
	uint16_t column;
	unsigned count;
};

static int meet_column(struct expr *e, void *arg)
{
	struct columns_met *met = arg;

	if (e->kind != EXPR_COLUMN || (met->count > 0 && met->column == e->column))
		return 0;
	met->column = e->column;
	met->count++;
	return 0;
}

static int add_check(struct binder *b, struct table_build *t, const PgQuery__Constraint *k)
{
	struct relation *r = t->r;
	struct columns_met met = { 0 };
	struct check *grown = bind_alloc(b, (r->nchecks + 1u) * sizeof(*grown));
	struct expr *test;

	if (grown == NULL)
		return -1;
	b->no_aggregates = "check constraints";
	b->level.n = 1;
	b->level.entries[0] = (struct scope_entry){ r, r->name, 0 };
	test = bind_condition(b, k->raw_expr, "CHECK");
	b->level.n = 0;
	if (test == NULL)
		return -1;
	if (r->nchecks > 0)
		memcpy(grown, r->checks, r->nchecks * sizeof(*grown));
	grown[r->nchecks].test = test;
	/* Named after its column, when there is just one. */
	(void)expr_walk(test, meet_column, &met);
	grown[r->nchecks].name = constraint_name(
		b, t, k, &met.column, met.count == 1 ? 1 : 0, "check", false);
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

static int add_primary(struct binder *b, struct table_build *t, const PgQuery__Constraint *k,
	const uint16_t *cols, unsigned n)
{
	if (t->primary != NULL)
		return bind_fail(b, ERR_INVALID_TABLE_DEFINITION, k->location,
			"multiple primary keys for table \"%s\" are not allowed", t->r->name);
	t->primary_name = constraint_name(b, t, k, cols, 0, "pkey", true);
	if (t->primary_name == NULL)
		return -1;
	t->primary_numbered = b->numbered;
	if (bind_check_key(b, t->r, cols, n) != 0)
		return -1;
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
	ix = index_build(b, t->r, constraint_name(b, t, k, cols, n, "key", true), cols, n);
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

static int add_foreign(struct binder *b, struct table_build *t, const PgQuery__Constraint *k,
	const uint16_t *cols, unsigned n)
{
	struct relation *r = t->r;
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
	fk->name = constraint_name(b, t, k, cols, n, "fkey", false);
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
			bind_notice(b, "01000",
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
	case PG_QUERY__CONSTR_TYPE__CONSTR_CHECK: return add_check(b, t, k);
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
		ASSERT(n > 0);
		if (k->deferrable) {
			bind_unsupported(b, k->location, "a deferrable constraint");
			return -1;
		}
		if (k->contype == PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY)
			return add_primary(b, t, k, cols, n);
		if (foreign)
			return add_foreign(b, t, k, cols, n);
		return add_unique(b, t, k, cols, n);
	case PG_QUERY__CONSTR_TYPE__CONSTR_NULL:
	case PG_QUERY__CONSTR_TYPE__CONSTR_NOTNULL:
	case PG_QUERY__CONSTR_TYPE__CONSTR_DEFAULT:
	case PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_NOT_DEFERRABLE:
	case PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_IMMEDIATE: return 0;
	default: bind_unsupported(b, k->location, "this kind of constraint"); return -1;
	}
}

/* Those that concern the column alone; the others come when all columns are known. */
static int column_constraints(
	struct binder *b, const struct relation *r, struct column *c, const PgQuery__ColumnDef *d)
{
	bool null = false;

	for (size_t i = 0; i < d->n_constraints; i++) {
		const PgQuery__Constraint *k = d->constraints[i]->constraint;

		switch (k->contype) {
		case PG_QUERY__CONSTR_TYPE__CONSTR_NOTNULL: c->not_null = true; break;
		case PG_QUERY__CONSTR_TYPE__CONSTR_NULL: null = true; break;
		case PG_QUERY__CONSTR_TYPE__CONSTR_DEFAULT:
			if (c->default_ != NULL)
				return bind_fail(b, ERR_SYNTAX, k->location,
					"multiple default values specified for column \"%s\" of table \"%s\"",
					c->name, r->name);
			if (bind_default(b, c, k->raw_expr) != 0)
				return -1;
			break;
		case PG_QUERY__CONSTR_TYPE__CONSTR_IDENTITY:
		case PG_QUERY__CONSTR_TYPE__CONSTR_GENERATED:
			bind_unsupported(b, k->location, "a generated column");
			return -1;
		default: break;
		}
		if (null && c->not_null)
			return bind_fail(b, ERR_SYNTAX, k->location,
				"conflicting NULL/NOT NULL declarations for column \"%s\" of table \"%s\"",
				c->name, r->name);
	}
	return 0;
}

static int add_column(struct binder *b, struct relation *r, const PgQuery__ColumnDef *d)
{
	struct column *c = &r->columns[r->ncols];

	if (bind_type(b, d->type_name, &c->type) != 0)
		return -1;
	if (d->coll_clause != NULL) {
		bind_unsupported(b, d->location, "COLLATE");
		return -1;
	}
	if (relation_column(r, d->colname) >= 0)
		return bind_fail(b, ERR_DUPLICATE_COLUMN, d->location,
			"column \"%s\" specified more than once", d->colname);
	c->name = bind_keep(b, d->colname);
	if (c->name == NULL)
		return -1;
	r->ncols++;
	return column_constraints(b, r, c, d);
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
		r->rowid = (int16_t)r->ncols;
		t->primary_cols[0] = r->ncols++;
		t->nprimary = 1;
	}
	b->numbered = t->primary_numbered;
	primary = index_build(b, r,
		hidden ? choose_name(b, t, t->primary_cols, 1, "pkey", true) : t->primary_name,
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
	r->indexes_cap = (uint16_t)(t->nunique + 1);
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

/* The foreign keys or all others: a table may refer to a key of itself that is declared further down. */
static int add_constraints(struct binder *b, struct table_build *t, bool foreign)
{
	const PgQuery__CreateStmt *p = t->stmt;
	int col = 0;

	for (size_t i = 0; i < p->n_table_elts; i++) {
		const PgQuery__Node *n = p->table_elts[i];
		bool of_table = n->node_case == NODE(CONSTRAINT);
		size_t count = of_table ? 1 : n->column_def->n_constraints;

		for (size_t k = 0; k < count; k++) {
			const PgQuery__Constraint *c = of_table
				? n->constraint
				: n->column_def->constraints[k]->constraint;

			if ((c->contype == PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN) == foreign &&
				add_constraint(b, t, c, of_table ? -1 : col) != 0)
				return -1;
		}
		col += !of_table;
	}
	return 0;
}

static int table_build(struct binder *b, struct table_build *t)
{
	const PgQuery__CreateStmt *p = t->stmt;
	struct relation *r = t->r;

	r->id = r->made = catalog_next_id(b->catalog);
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
	if (add_constraints(b, t, false) != 0 || settle_keys(b, t) != 0 ||
		add_constraints(b, t, true) != 0)
		return -1;
	settle_foreign(b, r);
	return relation_layout(b, r);
}

int bind_added_column(struct binder *b, struct relation *r, const PgQuery__ColumnDef *d)
{
	struct table_build t = { .r = r };

	if (relation_column(r, d->colname) >= 0)
		return bind_fail(b, ERR_DUPLICATE_COLUMN, -1,
			"column \"%s\" of relation \"%s\" already exists", d->colname, r->name);
	if (r->ncols >= LIMIT_COLUMNS)
		return bind_fail(b, ERR_TOO_MANY_COLUMNS, 0, "tables can have at most %d columns",
			LIMIT_COLUMNS);
	if (add_column(b, r, d) != 0)
		return -1;
	/* For the names that are taken. */
	for (unsigned i = 0; i < r->nindexes; i++)
		if (r->indexes[i]->primary)
			t.primary_name = r->indexes[i]->name;
		else if (r->indexes[i]->constraint)
			t.unique[t.nunique++] = r->indexes[i];
	for (size_t i = 0; i < d->n_constraints; i++) {
		const PgQuery__Constraint *k = d->constraints[i]->constraint;

		switch (k->contype) {
		case PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY:
		case PG_QUERY__CONSTR_TYPE__CONSTR_UNIQUE:
		case PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN:
			bind_unsupported(b, k->location, "a key of a column that is added");
			return error_hint(b->error,
				"Add the column without it; CREATE UNIQUE INDEX makes a key.");
		default: break;
		}
		if (add_constraint(b, &t, k, (int)r->ncols - 1) != 0)
			return -1;
	}
	return 0;
}

int bind_create_table(struct binder *b, const PgQuery__CreateStmt *p)
{
	struct table_build t = { .stmt = p };
	int status = bind_check_new(b, p->relation, p->if_not_exists);

	if (status != 0)
		return status < 0 ? -1 : 0;
	if (p->n_inh_relations > 0 || p->partbound != NULL || p->of_typename != NULL) {
		bind_unsupported(b, p->relation->location, "INHERITS, PARTITION OF or OF");
		return -1;
	}
	b->statement->kind = STATEMENT_CREATE_TABLE;
	t.r = relation_begin(b, RELATION_TABLE, p->relation->relname);
	if (t.r == NULL || bind_table_parameters(b, t.r, p->options, p->n_options) != 0)
		return -1;
	return table_build(b, &t);
}
