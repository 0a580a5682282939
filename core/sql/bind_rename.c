/*
 * bind_rename.c: ALTER … RENAME TO of tables, views and indexes, ALTER TABLE … RENAME COLUMN.
 *
 * What is renamed becomes another relation, as with ALTER TABLE, so that statements which have the former name are found
 * to be old. Views hold what they read, not its name; only the texts that are shown of them are written anew. A column that
 * a view uses keeps its name: that may stand anywhere in the view's text, also in a *.
 */
#include <string.h>

#include "core/base/limits.h"
#include "core/sql/bind.h"

static const char *tag_of(PgQuery__ObjectType t)
{
	switch (t) {
	case PG_QUERY__OBJECT_TYPE__OBJECT_TABLE: return "ALTER TABLE";
	case PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW: return "ALTER MATERIALIZED VIEW";
	case PG_QUERY__OBJECT_TYPE__OBJECT_INDEX: return "ALTER INDEX";
	default: return NULL;
	}
}

/* The statement's text, which is to be told again, and its id. 0 or -1. */
static int note(struct binder *b, struct relation *r, struct alteration *out)
{
	*out = (struct alteration){ .id = catalog_next_id(b->catalog) };
	out->text = bind_keep(b, b->text);
	if (out->text == NULL)
		return -1;
	/* An index has its own. */
	if (b->statement->alter.index != NULL && !b->statement->alter.index->constraint)
		return 0;
	return relation_note_alteration(r, out->id, out->text) == 0
		? 0
		: error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
}

static int check_free(struct binder *b, const char *name)
{
	if (catalog_find(b->catalog, name) == NULL && catalog_find_index(b->catalog, name) == NULL)
		return 0;
	return bind_fail(b, ERR_DUPLICATE_TABLE, -1, "relation \"%s\" already exists", name);
}

/* --- relations --- */

/* The texts of the views over it, and its own. */
static int shown_make(struct binder *b, struct relation *r, const char *old)
{
	const char **shown = bind_alloc(b, (r->ndependents + 1u) * sizeof(*shown));

	if (shown == NULL)
		return -1;
	for (unsigned i = 0; i < r->ndependents; i++) {
		/* A procedure keeps the names of its making. */
		if (r->dependents[i]->kind == RELATION_PROCEDURE)
			continue;
		shown[i] = rename_in_text(b, r->dependents[i], old, r->name);
		if (shown[i] == NULL)
			return -1;
	}
	b->statement->alter.shown = shown;
	if (r->kind != RELATION_VIEW)
		return 0;
	r->shown = rename_in_text(b, r, old, r->name);
	return r->shown == NULL ? -1 : 0;
}

static int rename_relation(struct binder *b, struct relation *from, const PgQuery__RenameStmt *p)
{
	struct relation *r = alter_begin(b, from, 0, tag_of(p->rename_type));
	struct alteration told;

	if (r == NULL)
		return -1;
	r->name = bind_keep(b, p->newname);
	if (r->name == NULL || shown_make(b, r, from->name) != 0 || note(b, r, &told) != 0)
		return -1;
	b->arena = &b->statement->arena;
	return 0;
}

/* --- indexes --- */

static int rename_index(struct binder *b, struct index_def *ix, const PgQuery__RenameStmt *p)
{
	struct statement *st = b->statement;
	struct alteration *list, told;
	struct relation *r;

	if (ix->numbered) {
		bind_unsupported(b, p->relation->location,
			"renaming an index whose name was chosen because others were taken");
		return error_hint(b->error, "Name it when it is made.");
	}
	if (bind_hold(b, ix->relation) != 0)
		return -1;
	r = alter_begin(b, ix->relation, 0, tag_of(p->rename_type));
	if (r == NULL)
		return -1;
	st->alter.index = ix;
	st->alter.index_name = bind_keep(b, p->newname);
	list = bind_alloc(b, (ix->nalterations + 1) * sizeof(*list));
	if (st->alter.index_name == NULL || list == NULL || note(b, r, &told) != 0)
		return -1;
	if (ix->nalterations > 0)
		memcpy(list, ix->alterations, ix->nalterations * sizeof(*list));
	list[ix->nalterations] = told;
	st->alter.alterations = list;
	st->alter.nalterations = ix->nalterations + 1;
	b->arena = &st->arena;
	return 0;
}

/* --- columns --- */

static int check_unused(
	struct binder *b, const struct relation *r, unsigned col, const PgQuery__RenameStmt *p)
{
	for (unsigned i = 0; i < r->ndependents; i++) {
		if (r->dependents[i]->kind == RELATION_PROCEDURE ||
			!select_reads(r->dependents[i]->select, r, col))
			continue;
		bind_unsupported(b, p->relation->location, "renaming a column that a view uses");
		error_detail(b->error, "materialized view %s depends on column %s of table %s",
			r->dependents[i]->name, p->subname, r->name);
		return error_hint(b->error, "Drop the view first, and create it anew.");
	}
	return 0;
}

static int rename_column(struct binder *b, struct relation *from, const PgQuery__RenameStmt *p)
{
	int col = relation_column(from, p->subname);
	struct alteration told;
	struct relation *r;

	if (from->kind == RELATION_VIEW) {
		bind_unsupported(b, p->relation->location, "renaming a column of a view");
		return error_hint(b->error, "Drop the view, and create it anew.");
	}
	if (col < 0)
		return bind_fail(
			b, ERR_UNDEFINED_COLUMN, -1, "column \"%s\" does not exist", p->subname);
	if (relation_column(from, p->newname) >= 0)
		return bind_fail(b, ERR_DUPLICATE_COLUMN, -1,
			"column \"%s\" of relation \"%s\" already exists", p->newname, from->name);
	if (check_unused(b, from, (unsigned)col, p) != 0)
		return -1;
	r = alter_begin(b, from, 0, "ALTER TABLE");
	if (r == NULL)
		return -1;
	r->columns[col].name = bind_keep(b, p->newname);
	if (r->columns[col].name == NULL || note(b, r, &told) != 0)
		return -1;
	b->arena = &b->statement->arena;
	return 0;
}

/* --- the statement --- */

/* An index that there is for PostgreSQL, too. */
static struct index_def *find_index(const struct binder *b, const char *name)
{
	struct index_def *ix = catalog_find_index(b->catalog, name);

	return ix == NULL || ix->relation->columns[ix->cols[0]].hidden ? NULL : ix;
}

int bind_rename(struct binder *b, const PgQuery__RenameStmt *p)
{
	bool column = p->rename_type == PG_QUERY__OBJECT_TYPE__OBJECT_COLUMN;
	struct index_def *ix;
	struct relation *r;

	if (p->relation == NULL || (tag_of(p->rename_type) == NULL && !column)) {
		bind_unsupported(b, 0, "renaming this kind of object");
		return -1;
	}
	if (bind_is_missing(b, p->relation->relname, p->missing_ok))
		return 0;
	ix = find_index(b, p->relation->relname);
	r = ix != NULL ? ix->relation : bind_relation(b, p->relation);
	if (r == NULL)
		return -1;
	if (column && ix != NULL)
		return bind_fail(b, ERR_WRONG_OBJECT, -1,
			"cannot rename columns of relation \"%s\"", p->relation->relname);
	if (p->rename_type == PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW &&
		(ix != NULL || r->kind != RELATION_VIEW))
		return bind_fail(b, ERR_WRONG_OBJECT, -1, "\"%s\" is not a materialized view",
			p->relation->relname);
	if (column)
		return rename_column(b, r, p);
	if (check_free(b, p->newname) != 0)
		return -1;
	return ix != NULL ? rename_index(b, ix, p) : rename_relation(b, r, p);
}
