/*
 * bind_alter.c: ALTER TABLE … ADD COLUMN, DROP COLUMN.
 *
 * Both make another relation, which the engine puts in the place of the present one (see catalog.h). As in PostgreSQL all
 * columns that a statement drops are dropped before any is added, and indexes, checks and references of this table go with
 * a column that they use; what others need is refused. A column that is added has no values but its default's, so that
 * must be a constant: rows of the journal are given it again whenever they are recovered.
 */
#include <string.h>

#include "core/base/assert.h"
#include "core/base/limits.h"
#include "core/sql/bind.h"
#include "core/sql/projection.h"

static const char *action_name(PgQuery__AlterTableType t)
{
	switch (t) {
	case PG_QUERY__ALTER_TABLE_TYPE__AT_AddColumn: return "ADD COLUMN";
	case PG_QUERY__ALTER_TABLE_TYPE__AT_DropColumn: return "DROP COLUMN";
	default: return NULL;
	}
}

static int check_actions(struct binder *b, const PgQuery__AlterTableStmt *p)
{
	for (size_t i = 0; i < p->n_cmds; i++)
		if (action_name(p->cmds[i]->alter_table_cmd->subtype) == NULL) {
			bind_unsupported(b, p->relation->location, "this kind of ALTER TABLE");
			return error_hint(b->error,
				"Supported are ADD COLUMN, DROP COLUMN, RENAME, SET and RESET.");
		}
	return 0;
}

/* --- DROP COLUMN --- */

static int check_unread(struct binder *b, const struct relation *r, unsigned col)
{
	const char *column = r->columns[col].name;
	char text[DEPENDENT_TEXT_MAX];

	for (unsigned i = 0; i < r->ndependents; i++) {
		const struct relation *user = r->dependents[i];

		if (user->kind == RELATION_VIEW ? !select_reads(user->select, r, col)
						: bind_column_user(r, col) != user)
			continue;
		bind_fail(b, ERR_DEPENDENT, -1,
			"cannot drop column %s of table %s because other objects depend on it",
			column, r->name);
		error_detail(b->error, "%s depends on column %s of table %s",
			relation_describe(user, text), column, r->name);
		return error_hint(b->error, "Drop the dependent objects first.");
	}
	for (unsigned i = 0; i < r->nreferrers; i++) {
		const struct foreign_key *fk = r->referrers[i];

		for (unsigned k = 0; fk->from != r && k < fk->ncols; k++) {
			if (fk->to_cols[k] != col)
				continue;
			bind_fail(b, ERR_DEPENDENT, -1,
				"cannot drop column %s of table %s because other objects depend on it",
				column, r->name);
			error_detail(b->error,
				"constraint %s on table %s depends on column %s of table %s",
				fk->name, fk->from->name, column, r->name);
			return error_hint(b->error, "Drop the dependent objects first.");
		}
	}
	return 0;
}

static int check_no_key(struct binder *b, const struct relation *r, unsigned col, int location)
{
	bool key = r->partition == (int)col;

	for (unsigned k = 0; k < r->nkey; k++)
		key |= r->key[k] == col;
	if (!key)
		return 0;
	bind_unsupported(b, location, "dropping a column of the primary or partition key");
	return error_hint(
		b->error, "A row lies by its key. Make another table, and INSERT … SELECT.");
}

static bool has_column(const uint16_t *cols, unsigned n, unsigned col)
{
	for (unsigned i = 0; i < n; i++)
		if (cols[i] == col)
			return true;
	return false;
}

static int is_column(struct expr *e, void *arg)
{
	const unsigned *col = arg;

	return e->kind == EXPR_COLUMN && e->column == *col;
}

/* What is the table's own and uses the column goes with it. */
static void drop_users(struct relation *r, unsigned col)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->nindexes; i++)
		if (!has_column(r->indexes[i]->cols, r->indexes[i]->ncols, col))
			r->indexes[n++] = r->indexes[i];
	r->nindexes = (uint16_t)n;
	n = 0;
	for (unsigned i = 0; i < r->nchecks; i++)
		if (expr_walk(r->checks[i].test, is_column, &col) == 0)
			r->checks[n++] = r->checks[i];
	r->nchecks = (uint16_t)n;
	n = 0;
	for (unsigned i = 0; i < r->nfks; i++)
		if (!has_column(r->fks[i]->from_cols, r->fks[i]->ncols, col))
			r->fks[n++] = r->fks[i];
	r->nfks = (uint16_t)n;
}

/* r: the relation that is being made of `from`. 1 done, 0 it is not there; -1. */
static int drop_column(struct binder *b, struct relation *r, const struct relation *from,
	const PgQuery__AlterTableCmd *c, int location)
{
	int col = relation_column(r, c->name);

	if (col < 0) {
		if (!c->missing_ok)
			return bind_fail(b, ERR_UNDEFINED_COLUMN, -1,
				"column \"%s\" of relation \"%s\" does not exist", c->name,
				r->name);
		bind_notice(b, "00000", "column \"%s\" of relation \"%s\" does not exist, skipping",
			c->name, r->name);
		return 0;
	}
	if (c->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE) {
		bind_unsupported(b, location, "CASCADE");
		return -1;
	}
	if (check_unread(b, from, (unsigned)col) != 0 ||
		check_no_key(b, r, (unsigned)col, location) != 0)
		return -1;
	drop_users(r, (unsigned)col);
	r->columns[col] = (struct column){
		.name = "", .type = r->columns[col].type, .hidden = true
	};
	return 1;
}

static int check_some_left(struct binder *b, const struct relation *r, int location)
{
	for (unsigned c = 0; c < r->ncols; c++)
		if (!r->columns[c].hidden)
			return 0;
	bind_unsupported(b, location, "a table without columns");
	return -1;
}

/* --- ADD COLUMN --- */

static int add_column(struct binder *b, struct relation *r, const PgQuery__AlterTableCmd *c)
{
	const PgQuery__ColumnDef *d = c->def->column_def;
	const struct expr *given;

	if (c->missing_ok && relation_column(r, d->colname) >= 0) {
		bind_notice(b, "42701", "column \"%s\" of relation \"%s\" already exists, skipping",
			d->colname, r->name);
		return 0;
	}
	if (bind_added_column(b, r, d) != 0)
		return -1;
	given = r->columns[r->ncols - 1].default_;
	if (given == NULL || expr_is_constant(given))
		return 1;
	bind_unsupported(
		b, d->location, "a default of a column that is added, unless it is constant,");
	return error_hint(b->error, "Add the column without a default, then UPDATE the rows.");
}

/* How a row of `from` becomes one of r: the same columns, and the defaults. What was dropped becomes NULL; but where views
 * read the table, a join that they share may still keep what another view used: it has to go as it has come. */
static int make_carry(struct binder *b, struct relation *r, const struct relation *from)
{
	const struct row_layout *layouts[EXPR_SOURCES] = { &from->layout };
	const struct expr **trees = bind_alloc(b, r->ncols * sizeof(*trees));

	if (trees == NULL || relation_layout(b, r) != 0)
		return -1;
	for (unsigned c = 0; c < r->ncols; c++) {
		const struct column *column = &r->columns[c];
		bool dropped = relation_is_dropped_column(r, c) && from->ndependents == 0;

		trees[c] = c < from->ncols && !dropped ? bind_column(b, 0, from, c, -1)
						       : bind_default_of(b, column);
		if (trees[c] == NULL)
			return -1;
	}
	r->carry = projection_compile(trees, layouts, &r->layout, &r->arena, b->error);
	return r->carry == NULL ? -1 : 0;
}

/* --- the statement --- */

static int alter_columns(
	struct binder *b, struct relation *r, const PgQuery__AlterTableStmt *p, bool add)
{
	const struct relation *from = b->statement->relation;
	int done = 0;

	for (size_t i = 0; i < p->n_cmds; i++) {
		const PgQuery__AlterTableCmd *c = p->cmds[i]->alter_table_cmd;
		int status;

		if ((c->subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_AddColumn) != add)
			continue;
		status = add ? add_column(b, r, c)
			     : drop_column(b, r, from, c, p->relation->location);
		if (status < 0)
			return -1;
		done |= status;
	}
	return done;
}

struct relation *alter_begin(
	struct binder *b, struct relation *from, unsigned more, const char *tag)
{
	struct statement *st = b->statement;
	struct relation *r = relation_altered(from, more);

	if (r == NULL) {
		error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
		return NULL;
	}
	st->kind = STATEMENT_ALTER;
	st->relation = from;
	st->alter.to = r;
	st->alter.tag = tag;
	b->arena = &r->arena;
	return r;
}

static int alter_table(struct binder *b, struct relation *from, const PgQuery__AlterTableStmt *p)
{
	struct statement *st = b->statement;
	struct relation *r = alter_begin(b, from, (unsigned)p->n_cmds, "ALTER TABLE");
	uint32_t id = catalog_next_id(b->catalog);
	const char *text;
	int dropped, added = 0;

	if (r == NULL)
		return -1;
	dropped = alter_columns(b, r, p, false);
	st->alter.first_added = r->ncols;
	st->alter.first_check = r->nchecks;
	if (dropped >= 0)
		added = alter_columns(b, r, p, true);
	if (dropped < 0 || added < 0 || check_some_left(b, r, p->relation->location) != 0)
		return -1;
	text = bind_keep(b, b->text);
	if (text == NULL)
		return -1;
	if (relation_note_alteration(r, id, text) != 0)
		return error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
	if (added > 0) {
		r->id = id;
		if (make_carry(b, r, from) != 0)
			return -1;
	}
	b->arena = &st->arena;
	if (dropped == 0 && added == 0) {
		relation_release(r);
		st->kind = STATEMENT_NOTHING;
	}
	return 0;
}

bool bind_is_missing(struct binder *b, const char *name, bool missing_ok)
{
	if (!missing_ok || catalog_find(b->catalog, name) != NULL ||
		catalog_find_index(b->catalog, name) != NULL)
		return false;
	bind_notice(b, "00000", "relation \"%s\" does not exist, skipping%s", name, "");
	b->statement->kind = STATEMENT_NOTHING;
	return true;
}

int bind_alter(struct binder *b, const PgQuery__AlterTableStmt *p)
{
	struct relation *r;
	const char *action;

	if (!bind_sets_parameters(p) && check_actions(b, p) != 0)
		return -1;
	if (bind_is_missing(b, p->relation->relname, p->missing_ok))
		return 0;
	r = bind_relation(b, p->relation);
	if (r == NULL)
		return -1;
	if (bind_sets_parameters(p) && r->kind == RELATION_TABLE)
		return bind_alter_source(b, r, p);
	if (r->kind == RELATION_TABLE)
		return alter_table(b, r, p);
	if (bind_sets_parameters(p))
		return bind_fail(b, ERR_WRONG_OBJECT, p->relation->location,
			"\"%s\" is not a table", r->name);
	action = action_name(p->cmds[0]->alter_table_cmd->subtype);
	ASSERT(action != NULL);
	bind_fail(b, ERR_WRONG_OBJECT, -1, "ALTER action %s cannot be performed on relation \"%s\"",
		action, r->name);
	return error_detail(b->error, "This operation is not supported for materialized views.");
}
