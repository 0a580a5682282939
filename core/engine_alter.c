/*
 * engine_alter.c: ALTER TABLE and RENAME, with the projectors standing still.
 *
 * Happy path: the binder has made the relation that the table becomes. Where columns were added every row is copied into
 * parts of its own, in the new layout, here if there are few, and else by the projectors before (engine_build.c); the former ones stay for readers with a pin from before, and are freed when there
 * is none. Else the parts stay as they are: a column that is dropped is only not looked at any more. The scans of the
 * views over the table are planned anew; what the views have gathered stays, and so do their rows. Statements prepared
 * before hold the former relation, by which they are known to be old (engine_renew.c).
 *
 * Copying takes the time and, until the former rows are freed, the memory of the table's rows and indexes.
 *
 * What can fail comes first and is undone; then everything is pointed to the new relation, which cannot.
 */
#include <limits.h>

#include "core/base/assert.h"
#include "core/engine_ddl.h"

/* --- rows --- */

static int part_copied(const struct statement *s, unsigned shard, struct parts *to, uint64_t epoch,
	struct error *e)
{
	const struct parts *from = s->relation->user;
	struct part_copy *copy;
	unsigned all = UINT_MAX;
	int status;

	if (part_copy_new(&copy, from->part[shard], to->part[shard], s->alter.first_added,
		    s->alter.first_check, e) != 0)
		return -1;
	status = part_copy_slice(copy, epoch, &all, e);
	part_copy_free(copy);
	return status;
}

/* All at once. */
static struct parts *parts_copied(
	struct lf_engine *engine, const struct statement *s, uint64_t epoch, struct error *e)
{
	struct parts *parts = parts_new(engine, s->alter.to, epoch, e);
	int status = 0;

	if (parts == NULL)
		return NULL;
	for (unsigned i = 0; status == 0 && i < parts->shards; i++)
		status = part_copied(s, i, parts, epoch, e);
	if (status == 0 && parts_register(engine, parts, e) == 0)
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
		const struct plan_like like = { .own = slot == NULL ? NULL : slot->plan };

		if (slot != NULL &&
			view_plan_new(&plans[i], r->dependents[i], engine->set.shards, &like,
				engine->heap, e) != 0) {
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

/* The rows stay where they are. */
static void rows_stay(
	struct lf_engine *engine, struct relation *from, struct relation *to, uint64_t epoch)
{
	struct parts *parts = from->user;
	struct view_slot *own = *view_slot_find(engine, from);

	if (parts != NULL && !same_columns(from, to))
		parts_end_feed(engine, from, parts, epoch, ERR_OBJECT_STATE, "altered");

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

int engine_alter_end(struct lf_engine *engine, const struct statement *s, struct parts *parts,
	uint64_t epoch, struct error *e)
{
	struct relation *from = s->relation, *to = s->alter.to;
	struct view_plan *plans[LIMIT_VIEWS + LIMIT_PROCEDURES] = { NULL };

	selects_retarget(to, from, to);
	if (plans_make(engine, to, plans, e) != 0) {
		selects_retarget(to, to, from);
		return -1;
	}
	plans_adopt(engine, to, plans);
	parts_end_feed(engine, from, from->user, epoch, ERR_OBJECT_STATE, "altered");
	/* Of keys that are dead only the rows are left behind. */
	for (unsigned shard = 0; shard < parts->shards; shard++)
		table_forget(parts->part[shard]->table, epoch);
	parts->since = epoch;
	to->user = parts;
	catalog_replace(engine->catalog, from, to, epoch);
	/* Statements of before and condemned parts still look at it. */
	relation_hold(from);
	parts_condemn(engine, from->user, from, epoch);
	shares_renew(&engine->shares);
	return 0;
}

static int table_copied(
	struct lf_engine *engine, const struct statement *s, uint64_t epoch, struct error *e)
{
	struct parts *parts = parts_copied(engine, s, epoch, e);

	if (parts == NULL)
		return -1;
	if (engine_alter_end(engine, s, parts, epoch, e) == 0)
		return 0;
	parts_discard(engine, s->alter.to, parts, epoch);
	return -1;
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
	shares_renew(&engine->shares);
	return 0;
}
