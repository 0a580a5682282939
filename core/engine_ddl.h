/*
 * engine_ddl.h: what the files of schema changes share: engine_ddl.c (one change after another), engine_execute.c and
 * engine_alter.c (what is done at once), engine_build.c (while commands go on), engine_view.c and engine_parts.c (what
 * they make). All of it by the executor of schema changes, at DDL moments: the projectors stand still, the catalog's lock
 * is held, and there is an epoch for the change alone.
 */
#ifndef LF_CORE_ENGINE_DDL_H
#define LF_CORE_ENGINE_DDL_H

#include "core/engine_internal.h"

/* --- engine_parts.c --- */

/* Parts for a relation, which are not known to anybody yet; since: see struct parts. NULL with *e. */
struct parts *parts_new(
	struct lf_engine *engine, const struct relation *r, uint64_t since, struct error *e);
void parts_free(struct parts *parts);
/* Have the projectors keep house in them. 0, or -1: 53200. */
int parts_register(struct lf_engine *engine, struct parts *parts, struct error *e);
/* Readers may be in these parts until every pin has passed `epoch`. relation: dropped with them, a reference to let go;
 * or NULL. */
void parts_condemn(
	struct lf_engine *engine, struct parts *parts, struct relation *relation, uint64_t epoch);
/* Parts that could not be finished: nothing but the header can have been seen. */
void parts_take_back(
	struct lf_engine *engine, struct relation *r, struct parts *parts, uint64_t epoch);
/* The same of parts that the projectors keep house in. */
void parts_discard(
	struct lf_engine *engine, struct relation *r, struct parts *parts, uint64_t epoch);
/* Free the headers of condemned ones that no reader can be in. */
void parts_gone_free(struct lf_engine *engine, uint64_t reclaimable);

/* --- engine_view.c --- */

/* A view's plan, kept as long as the view. */
struct view_slot {
	struct view_slot *next;
	const struct relation *view;
	struct view_plan *plan;
	struct relation *copy;  /* of the view, which the plan was made for; NULL: of itself */
	struct relation *owner; /* has the select of which the plan is; held */
};

/* The slot of a view in the list; points to NULL when it has none. */
struct view_slot **view_slot_find(struct lf_engine *engine, const struct relation *view);
/* The list and the array of indexes of a relation that was copied for a build; NULL is none. */
void relation_copy_free(struct relation *copy);
/* Make the plan, the parts and the operators' state of a view, to be fed at `epoch`. owner: the relation that has its select:
 * itself, or what it is a copy of. */
int view_open(struct lf_engine *engine, struct relation *view, struct relation *owner,
	uint64_t epoch, const struct view_plan **plan, struct error *e);
/* It has been fed: see how it went. On failure it is as before view_open(). */
int view_close(struct lf_engine *engine, struct relation *view, uint64_t epoch, struct error *e);
/* It cannot be finished: as if it had not been opened. */
void view_abandon(struct lf_engine *engine, struct relation *view, uint64_t epoch);
/* Open, feed and close it. */
int view_build(struct lf_engine *engine, struct relation *view, uint64_t epoch, struct error *e);
/* One that has been built becomes the catalog's, in the place of another if `replaces` is not NULL. On failure it is as before
 * view_open(). */
int view_add(struct lf_engine *engine, struct relation *view, struct relation *replaces,
	uint64_t epoch, struct error *e);
/* One that is complete, or is about to be fed with all others: what it has in common with others is computed once from now on. */
void view_share(struct lf_engine *engine, const struct relation *view);
/* Its plan and its operators go: in slices, by the projectors. */
void view_forget(struct lf_engine *engine, const struct relation *view);
/* Free the plans that are not needed for that any more. */
void views_gone_free(struct lf_engine *engine);
/* The key of a view has changed: keep its rows by the new one. On failure the caller undoes the
 * change of the catalog and calls again. */
int view_rebuild(struct lf_engine *engine, struct relation *view, uint64_t epoch, struct error *e);
/* As view_rebuild(), with no way back: a view that cannot be made again has failed. */
int view_rebuild_or_fail(
	struct lf_engine *engine, struct relation *view, uint64_t epoch, struct error *e);
bool view_has_failed(const struct relation *view);

/* --- engine_build.c --- */

/* Rows that a schema change has to go through; 0: it is one of those that do not. */
uint64_t build_rows(const struct statement *s);
/* Have the projectors begin: engine->build, which has taken the statement over; or -1 and there is none. */
int build_begin(struct lf_engine *engine, struct statement *s, uint64_t epoch, uint32_t next_id,
	struct error *e);
/* Whether the projectors have done their part, or there is no use in waiting for it. At any moment. */
bool build_is_over(const struct lf_engine *engine);
/* If DROP, with the catalog's lock held, is of what is being built, or of what that is for, have it end. True: it is. */
bool build_cancel(struct lf_engine *engine, const struct statement *drop);
/* The end of it: what was built is known, or -1 and nothing is left of it. */
int build_end(struct lf_engine *engine, const struct ddl_job *job, struct error *e);
void build_free(struct online_build *b);

/* --- engine_execute.c, engine_alter.c --- */

/* All of a schema change, or -1 and nothing. */
int engine_execute(
	struct lf_engine *engine, const struct statement *s, uint64_t epoch, struct error *e);
/* The same for ALTER TABLE … SET and RESET (source). */
int engine_alter_source(struct lf_engine *engine, const struct statement *s, struct error *e);
/* ALTER TABLE when the rows have been copied: the new parts are the table's, or -1 and nothing has changed. */
int engine_alter_end(struct lf_engine *engine, const struct statement *s, struct parts *parts,
	uint64_t epoch, struct error *e);
/* The same as engine_execute() for ALTER TABLE and RENAME. */
int engine_alter(
	struct lf_engine *engine, const struct statement *s, uint64_t epoch, struct error *e);

/* --- engine_ddl.c --- */

/* On disk before it is visible. next_id: the catalog's coming id before the change. */
int schema_journal(struct lf_engine *engine, uint64_t epoch, uint32_t next_id, const char *text,
	size_t len, struct error *e);
/* Have room for that, so that it fails only with the disk. */
int schema_journal_ready(struct lf_engine *engine, size_t len, struct error *e);
/* A journal has failed, and nothing is changed any more. -1, always. */
int schema_unwritable(struct error *e);
/* The change's epoch ends, and is visible. */
void ddl_epoch_end(struct lf_engine *engine, uint64_t epoch);

#endif
