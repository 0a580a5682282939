/*
 * bind_ddl.c: CREATE MATERIALIZED VIEW, CREATE INDEX, DROP, COMMENT, and what all DDL needs.
 *
 * A new relation is built whole in its own arena; the catalog learns of it when the engine executes the
 * statement.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/limits.h"
#include "core/sql/bind.h"
#include "core/store/sortkey.h"

void bind_notice(struct binder *b, const char *state, const char *fmt, const char *a, const char *c)
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

int bind_check_place(struct binder *b, const PgQuery__RangeVar *v)
{
	if (v->schemaname[0] != '\0' && strcmp(v->schemaname, "public") != 0)
		return bind_fail(
			b, ERR_FEATURE, v->location, "schemas other than public are not supported");
	if (strcmp(v->relpersistence, "p") != 0) {
		bind_unsupported(b, v->location, "a temporary or unlogged table");
		return -1;
	}
	return 0;
}

/* 0 go on; 1 it exists and IF NOT EXISTS was said; -1. */
int bind_check_new(struct binder *b, const PgQuery__RangeVar *v, bool if_not_exists)
{
	if (bind_check_place(b, v) != 0)
		return -1;
	if (catalog_find(b->catalog, v->relname) == NULL &&
		catalog_find_index(b->catalog, v->relname) == NULL)
		return 0;
	if (if_not_exists) {
		bind_notice(
			b, "42P07", "relation \"%s\" already exists, skipping%s", v->relname, "");
		b->statement->kind = STATEMENT_NOTHING;
		return 1;
	}
	return bind_fail(
		b, ERR_DUPLICATE_TABLE, v->location, "relation \"%s\" already exists", v->relname);
}

const char *bind_keep(struct binder *b, const char *text)
{
	const char *copy = arena_strdup(b->arena, text, strlen(text));

	if (copy == NULL)
		error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
	return copy;
}

int bind_check_key(struct binder *b, const struct relation *r, const uint16_t *cols, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		enum type_id t = (enum type_id)r->columns[cols[i]].type.id;

		if (t == TYPE_JSON)
			return bind_fail(b, ERR_UNDEFINED_OBJECT, -1,
				"data type json has no default operator class for access method \"btree\"");
		if (type_is_array(t)) {
			bind_fail(b, ERR_FEATURE, -1, "an index of arrays is not supported");
			return error_hint(b->error, BIND_ARRAY_HINT);
		}
	}
	return 0;
}

struct index_def *index_build(
	struct binder *b, struct relation *r, const char *name, const uint16_t *cols, unsigned n)
{
	struct index_def *ix = bind_alloc(b, sizeof(*ix));

	if (ix == NULL)
		return NULL;
	ix->cols = bind_alloc(b, n * sizeof(*ix->cols));
	if (ix->cols == NULL)
		return NULL;
	memcpy(ix->cols, cols, n * sizeof(*ix->cols));
	if (bind_check_key(b, r, cols, n) != 0)
		return NULL;
	ix->ncols = (uint16_t)n;
	ix->id = catalog_next_id(b->catalog);
	ix->name = name;
	ix->numbered = b->numbered;
	ix->relation = r;
	return name == NULL ? NULL : ix;
}

int relation_layout(struct binder *b, struct relation *r)
{
	struct type *types = bind_alloc(b, r->ncols * sizeof(*types));

	if (types == NULL)
		return -1;
	for (unsigned c = 0; c < r->ncols; c++)
		types[c] = r->columns[c].type;
	return row_layout_init(&r->layout, types, r->ncols, &r->arena, b->error);
}

/* A relation under construction: the binder's tree goes into its arena. */
struct relation *relation_begin(struct binder *b, enum relation_kind kind, const char *name)
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

/* --- CREATE MATERIALIZED VIEW --- */

static int view_columns(struct binder *b, struct relation *r, const PgQuery__IntoClause *into)
{
	const struct select *s = r->select;

	if (into->n_col_names > s->noutputs)
		return bind_fail(b, ERR_SYNTAX, -1, "too many column names were specified");
	r->columns = bind_alloc(b, (s->noutputs + 1) * sizeof(*r->columns));
	if (r->columns == NULL)
		return -1;
	for (unsigned i = 0; i < s->noutputs; i++) {
		const char *name = i < into->n_col_names
			? bind_keep(b, node_string(into->col_names[i]))
			: s->outputs[i].name;

		if (name == NULL)
			return -1;
		if (relation_column(r, name) >= 0)
			return bind_fail(b, ERR_DUPLICATE_COLUMN, -1,
				"column \"%s\" specified more than once", name);
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
	status = b->replaces ? bind_replaced(b, p)
			     : bind_check_new(b, p->into->rel, p->if_not_exists);
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
	r->id = r->made = catalog_next_id(b->catalog);
	if (bind_view_parameters(b, r, p->into->options, p->into->n_options) != 0)
		return -1;
	b->in_view = true;
	r->select = bind_select(b, p->query->select_stmt);
	if (r->select == NULL)
		return -1;
	if (view_columns(b, r, p->into) != 0)
		return -1;
	/* All that it has looked up it reads. */
	r->reads = bind_alloc(b, (st->nrelations + 1) * sizeof(struct relation *));
	if (r->reads == NULL)
		return -1;
	for (unsigned i = 0; i < st->nrelations; i++) {
		relation_hold(st->relations[i]);
		r->reads[r->nreads++] = st->relations[i];
	}
	if (st->create.replaces != NULL && bind_replacement(b, r, p->into->rel) != 0)
		return -1;
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
		b->numbered = k > 0;
		if (catalog_find_index(b->catalog, name) == NULL &&
			catalog_find(b->catalog, name) == NULL)
			return bind_keep(b, name);
	}
}

/* How an ordered index's columns are sorted; NULL: it is a hash index (as all unique ones), or *failed. */
static uint8_t *index_sort(struct binder *b, const PgQuery__IndexStmt *p, bool *failed)
{
	bool hash = strcmp(p->access_method, "hash") == 0;
	uint8_t *sort = bind_alloc(b, p->n_index_params + 1);

	*failed = sort == NULL;
	for (size_t i = 0; sort != NULL && i < p->n_index_params; i++) {
		const PgQuery__IndexElem *e = p->index_params[i]->index_elem;
		bool descending = e->ordering == PG_QUERY__SORT_BY_DIR__SORTBY_DESC;
		bool first = e->nulls_ordering == PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_FIRST;

		if (hash &&
			(e->ordering != PG_QUERY__SORT_BY_DIR__SORTBY_DEFAULT ||
				e->nulls_ordering !=
					PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_DEFAULT)) {
			*failed = true;
			bind_fail(b, ERR_FEATURE, -1,
				"access method \"hash\" does not support %s options",
				e->ordering != PG_QUERY__SORT_BY_DIR__SORTBY_DEFAULT
					? "ASC/DESC"
					: "NULLS FIRST/LAST");
			return NULL;
		}
		if (e->nulls_ordering == PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_DEFAULT)
			first = descending;
		sort[i] = (uint8_t)((descending ? SORT_DESCENDING : 0) |
			(first ? SORT_NULLS_FIRST : 0));
	}
	return hash || p->unique ? NULL : sort;
}

/* An ordered index needs an order of its columns. */
static int check_sorted(struct binder *b, const PgQuery__IndexStmt *p, const struct relation *r,
	const uint16_t *cols)
{
	if (p->unique || strcmp(p->access_method, "hash") == 0)
		return 0;
	for (size_t i = 0; i < p->n_index_params; i++)
		if (r->columns[cols[i]].type.id == TYPE_JSONB) {
			bind_unsupported(b, p->relation->location, "an order of jsonb");
			return -1;
		}
	return 0;
}

int bind_create_index(struct binder *b, const PgQuery__IndexStmt *p)
{
	struct statement *st = b->statement;
	struct relation *r = bind_relation(b, p->relation);
	uint16_t cols[LIMIT_KEY_COLUMNS];
	struct index_def *ix;
	bool partition = false, failed = false;

	if (r == NULL)
		return -1;
	if (r->kind == RELATION_SYSTEM) {
		bind_fail(b, ERR_WRONG_OBJECT, p->relation->location,
			"cannot create index on relation \"%s\"", r->name);
		return error_detail(b->error, "This operation is not supported for views.");
	}
	if (p->idxname[0] != '\0' &&
		(catalog_find_index(b->catalog, p->idxname) != NULL ||
			catalog_find(b->catalog, p->idxname) != NULL)) {
		if (!p->if_not_exists)
			return bind_fail(b, ERR_DUPLICATE_TABLE, -1,
				"relation \"%s\" already exists", p->idxname);
		bind_notice(
			b, "42P07", "relation \"%s\" already exists, skipping%s", p->idxname, "");
		st->kind = STATEMENT_NOTHING;
		return 0;
	}
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
			if (cols[k] == col) {
				bind_unsupported(b, p->relation->location,
					"an index that has a column twice");
				return -1;
			}
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
	if (p->unique && r->kind == RELATION_VIEW && r->ndependents > 0) {
		bind_unsupported(
			b, p->relation->location, "a unique index on a view that others read");
		return error_hint(b->error, "Create it before the views over this one.");
	}
	st->kind = STATEMENT_CREATE_INDEX;
	if (check_sorted(b, p, r, cols) != 0)
		return -1;
	/* It belongs to its relation and lives as long. */
	b->arena = &r->arena;
	ix = index_build(b, r,
		p->idxname[0] ? bind_keep(b, p->idxname)
			      : index_name(b, r, cols, (unsigned)p->n_index_params),
		cols, (unsigned)p->n_index_params);
	if (ix != NULL) {
		ix->definition = bind_keep(b, b->text);
		ix->sort = index_sort(b, p, &failed);
	}
	b->arena = &st->arena;
	if (ix == NULL || ix->definition == NULL || failed)
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
	char text[DEPENDENT_TEXT_MAX];
	const char *what = wants_index ? "index" : wants_table ? "table" : "materialized view";

	if (r != NULL && r->kind == RELATION_SYSTEM)
		return bind_fail(b, ERR_WRONG_OBJECT, -1, "\"%s\" is not %s %s", name,
			wants_index ? "an" : "a", what);
	if (r == NULL && ix == NULL && !wants_table &&
		catalog_is_building(b->catalog, name, wants_index)) {
		st->drop.building = bind_keep(b, name);
		return st->drop.building == NULL ? -1 : 0;
	}
	if (r == NULL && ix == NULL) {
		if (!p->missing_ok)
			return bind_fail(b,
				wants_index ? ERR_UNDEFINED_OBJECT : ERR_UNDEFINED_TABLE, -1,
				"%s \"%s\" does not exist", what, name);
		bind_notice(b, "00000", "%s \"%s\" does not exist, skipping", what, name);
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
		error_detail(b->error, "%s depends on %s %s",
			relation_describe(r->dependents[0], text), kind_name(r), r->name);
		return error_hint(b->error, "Drop the dependent objects first.");
	}
	if (ix != NULL && ix->relation->kind == RELATION_VIEW && ix->relation->ndependents > 0 &&
		ix->relation->nkey > 0 && ix->relation->indexes[0] == ix)
		return bind_fail(b, ERR_DEPENDENT, -1,
			"cannot drop index %s because materialized view %s depends on it", name,
			ix->relation->dependents[0]->name);
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
	if (st->drop.n == 0 && st->drop.building == NULL)
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
