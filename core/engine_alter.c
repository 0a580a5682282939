/*
 * engine_alter.c: ALTER TABLE and RENAME, with the projectors standing still.
 *
 * Happy path: the binder has made the relation that the table becomes. Where columns were added every row is copied into
 * parts of its own, in the new layout; the former ones stay for readers with a pin from before, and are freed when there
 * is none. Else the parts stay as they are: a column that is dropped is only not looked at any more. The scans of the
 * views over the table are planned anew; what the views have gathered stays, and so do their rows. Statements prepared
 * before hold the former relation, by which they are known to be old (engine_renew.c).
 *
 * Copying takes the time and, until the former rows are freed, the memory of the table's rows and indexes.
 *
 * What can fail comes first and is undone; then everything is pointed to the new relation, which cannot.
 */
#include <string.h>

#include "core/base/assert.h"
#include "core/engine_ddl.h"
#include "core/sql/projection.h"

/* --- rows --- */

struct copying {
	const struct statement *s;
	const struct relation *to;
	const struct program *checks; /* of the columns added; NULL: none */
	uint64_t epoch;
	struct arena rows, scratch, plans;
	struct program_env env;
	struct error *e;
};

static int checks_compile(struct copying *c)
{
	const struct row_layout *layouts[EXPR_SOURCES] = { &c->to->layout };
	unsigned first = c->s->alter.first_check, n = c->to->nchecks - first;
	const struct expr **trees;

	if (n == 0)
		return 0;
	trees = arena_alloc(&c->plans, n * sizeof(*trees));
	if (trees == NULL)
		return error_set(c->e, ERR_OUT_OF_MEMORY, 0, NULL);
	for (unsigned i = 0; i < n; i++)
		trees[i] = c->to->checks[first + i].test;
	c->checks = program_compile(trees, n, layouts, &c->plans, c->e);
	return c->checks == NULL ? -1 : 0;
}

/* Whether a row may have what was added. */
static int row_check(struct copying *c, const void *row)
{
	const struct relation *r = c->to;
	unsigned first = c->s->alter.first_check;
	const void *rows[EXPR_SOURCES] = { row };
	struct value *v;

	for (unsigned i = c->s->alter.first_added; i < r->ncols; i++)
		if (r->columns[i].not_null && row_is_null(row, i))
			return error_set(c->e, ERR_NOT_NULL, 0,
				"column \"%s\" of relation \"%s\" contains null values",
				r->columns[i].name, r->name);
	if (row_size(row) > LIMIT_ROW_BYTES)
		return error_set(c->e, ERR_PROGRAM_LIMIT, 0, "a row exceeds %u bytes",
			(unsigned)LIMIT_ROW_BYTES);
	if (c->checks == NULL)
		return 0;
	v = arena_alloc(&c->scratch, (r->nchecks - first) * sizeof(*v));
	if (v == NULL)
		return error_set(c->e, ERR_OUT_OF_MEMORY, 0, NULL);
	if (program_run(c->checks, rows, v, &c->env) != 0)
		return -1;
	for (unsigned i = first; i < r->nchecks; i++)
		if (!value_is_null(&v[i - first]) && v[i - first].i == 0)
			return error_set(c->e, ERR_CHECK, 0,
				"check constraint \"%s\" of relation \"%s\" is violated by some row",
				r->checks[i].name, r->name);
	return 0;
}

static int part_copy(struct copying *c, const struct part *from, struct part *to)
{
	struct table_cursor cursor;
	const void *old;

	/* Of keys that are dead only the rows are left behind. */
	table_forget(to->table, c->epoch);
	table_scan_begin(&cursor, from->table, UINT64_MAX);
	while ((old = table_scan_next(&cursor)) != NULL) {
		const void *rows[EXPR_SOURCES] = { old };
		const void *row = projection_run(c->to->carry, rows, &c->rows, &c->env);

		if (row == NULL || row_check(c, row) != 0)
			return -1;
		if (part_insert(to, part_key_hash(to, row), c->epoch, row) != 0)
			return error_set(c->e, ERR_OUT_OF_MEMORY, 0, NULL);
		arena_reset(&c->rows);
		arena_reset(&c->scratch);
	}
	return 0;
}

static int rows_copy(struct copying *c, const struct parts *from, const struct parts *to)
{
	int status;

	arena_init(&c->rows, NULL);
	arena_init(&c->scratch, NULL);
	arena_init(&c->plans, NULL);
	c->env = (struct program_env){ &c->scratch, c->e, 0, 0 };
	status = checks_compile(c);
	for (unsigned s = 0; status == 0 && s < from->shards; s++)
		status = part_copy(c, from->part[s], to->part[s]);
	arena_free(&c->rows);
	arena_free(&c->scratch);
	arena_free(&c->plans);
	return status;
}

static struct parts *parts_copied(
	struct lf_engine *engine, const struct statement *s, uint64_t epoch, struct error *e)
{
	struct copying c = { .s = s, .to = s->alter.to, .epoch = epoch, .e = e };
	struct parts *parts = parts_new(engine, c.to, epoch, e);

	if (parts == NULL)
		return NULL;
	if (rows_copy(&c, s->relation->user, parts) == 0 && parts_register(engine, parts, e) == 0)
		return parts;
	parts_free(parts);
	return NULL;
}

/* --- views --- */

static void selects_retarget(
	const struct relation *r, const struct relation *from, struct relation *to)
{
	for (unsigned i = 0; i < r->ndependents; i++)
		if (r->dependents[i]->select != NULL)
			select_retarget(r->dependents[i]->select, from, to);
}

/* Plans by dependent, NULL for those that are not computed. */
static void plans_free(struct view_plan **plans, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		view_plan_free(plans[i]);
}

/* Plans over the new relation, which the views' selects read already. */
static int plans_make(struct lf_engine *engine, const struct relation *r, struct view_plan **plans,
	struct error *e)
{
	for (unsigned i = 0; i < r->ndependents; i++) {
		const struct view_slot *slot = *view_slot_find(engine, r->dependents[i]);

		if (slot != NULL &&
			view_plan_new(&plans[i], r->dependents[i], engine->set.shards, engine->heap,
				e) != 0) {
			plans_free(plans, i);
			return -1;
		}
	}
	return 0;
}

static void plans_adopt(
	struct lf_engine *engine, const struct relation *r, struct view_plan *const *plans)
{
	for (unsigned i = 0; i < r->ndependents; i++)
		if (plans[i] != NULL)
			view_plan_adopt(
				(*view_slot_find(engine, r->dependents[i]))->plan, plans[i]);
}

/* --- the two ways --- */

/* Indexes that `to` has not any more. */
static void indexes_drop(
	struct parts *parts, const struct relation *from, const struct relation *to, uint64_t epoch)
{
	for (unsigned i = 0; i < from->nindexes; i++) {
		bool kept = false;

		for (unsigned k = 0; k < to->nindexes; k++)
			kept |= to->indexes[k] == from->indexes[i];
		for (unsigned s = 0; !kept && s < parts->shards; s++)
			part_drop_index(parts->part[s], from->indexes[i], epoch);
	}
}

/* Whether only names are others. */
static bool same_columns(const struct relation *from, const struct relation *to)
{
	for (unsigned i = 0; i < from->ncols; i++)
		if (from->columns[i].hidden != to->columns[i].hidden)
			return false;
	return from->ncols == to->ncols;
}

static void subscriptions_end(
	struct lf_engine *engine, const struct relation *r, struct parts *parts, uint64_t epoch)
{
	struct error why;

	error_set(&why, ERR_OBJECT_STATE, 0, "table \"%s\" was altered", r->name);
	parts_end_feed(engine, r, parts, epoch, &why);
}

/* The rows stay where they are. */
static void rows_stay(
	struct lf_engine *engine, struct relation *from, struct relation *to, uint64_t epoch)
{
	struct parts *parts = from->user;
	struct view_slot *own = *view_slot_find(engine, from);

	if (parts != NULL && !same_columns(from, to))
		subscriptions_end(engine, from, parts, epoch);

	for (unsigned i = 0; i < to->ndependents; i++) {
		const struct view_slot *slot = *view_slot_find(engine, to->dependents[i]);

		if (slot != NULL)
			view_plan_retarget(slot->plan, from, to);
	}
	if (own != NULL) {
		view_plan_retarget(own->plan, from, to);
		own->view = to;
	}
	selects_retarget(to, from, to);
	/* A view that is not computed yet has none. */
	if (parts != NULL)
		indexes_drop(parts, from, to, epoch);
	for (unsigned s = 0; parts != NULL && s < parts->shards; s++)
		__atomic_store_n(&parts->part[s]->relation, to, __ATOMIC_RELEASE);
	to->user = parts;
	catalog_replace(engine->catalog, from, to, epoch);
}

static int table_copied(
	struct lf_engine *engine, const struct statement *s, uint64_t epoch, struct error *e)
{
	struct relation *from = s->relation, *to = s->alter.to;
	struct view_plan *plans[LIMIT_VIEWS + LIMIT_PROCEDURES] = { NULL };
	struct parts *parts = NULL;

	selects_retarget(to, from, to);
	if (plans_make(engine, to, plans, e) == 0) {
		parts = parts_copied(engine, s, epoch, e);
		if (parts == NULL)
			plans_free(plans, to->ndependents);
	}
	if (parts == NULL) {
		selects_retarget(to, to, from);
		return -1;
	}
	plans_adopt(engine, to, plans);
	subscriptions_end(engine, from, from->user, epoch);
	to->user = parts;
	catalog_replace(engine->catalog, from, to, epoch);
	/* Statements of before and condemned parts still look at it. */
	relation_hold(from);
	parts_condemn(engine, from->user, from, epoch);
	return 0;
}

/* Of an index, and in the texts of views. */
static void names_set(const struct statement *s)
{
	const struct relation *to = s->alter.to;
	struct index_def *ix = s->alter.index;

	for (unsigned i = 0; s->alter.shown != NULL && i < to->ndependents; i++)
		to->dependents[i]->shown = s->alter.shown[i];
	if (ix == NULL)
		return;
	ix->name = s->alter.index_name;
	if (ix->constraint)
		return;
	ix->alterations = s->alter.alterations;
	ix->nalterations = s->alter.nalterations;
}

int engine_alter_source(struct lf_engine *engine, const struct statement *s, struct error *e)
{
	struct relation *table = s->alter_source.table;

	if (!s->alter_source.given)
		return 0;
	if (relation_note_parameters(table, s->alter_source.id, s->text) != 0)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	return catalog_set_source(engine->catalog, table, s->alter_source.source, e);
}

int engine_alter(
	struct lf_engine *engine, const struct statement *s, uint64_t epoch, struct error *e)
{
	if (s->alter.to->carry != NULL)
		return table_copied(engine, s, epoch, e);
	rows_stay(engine, s->relation, s->alter.to, epoch);
	names_set(s);
	return 0;
}
