/*
 * catalog.h: the names and shapes of tables, views and indexes.
 *
 * A relation is built by the binder in an arena of its own, then added to the catalog at a moment
 * when nothing runs (the engine's DDL barrier). After that it is immutable except for the list of its
 * indexes and dependants, which change only at such moments too, so projectors and readers use it
 * without locks. It is reference counted: the catalog holds one reference, every prepared statement
 * that uses it one more; `dropped` tells a statement that it must be prepared again.
 *
 * ALTER makes another relation that takes the place of the former one and keeps it alive: so whoever reads by a
 * statement of before, at an epoch of before, goes on undisturbed. Columns keep their numbers: a column that is dropped
 * stays in the rows, hidden and without a name, and new ones come behind all others.
 */
#ifndef LF_SQL_CATALOG_H
#define LF_SQL_CATALOG_H

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/sql/expr.h"

/* RELATION_DERIVED: a select in FROM, which has columns and the select and is in no catalog. RELATION_SYSTEM: what the engine
 * tells about itself (system_views.h), found by name only. RELATION_PROCEDURE: no rows at all, but made, renamed, dropped and
 * depended upon as the others are; its name is not one of theirs. */
enum relation_kind {
	RELATION_TABLE,
	RELATION_VIEW,
	RELATION_DERIVED,
	RELATION_SYSTEM,
	RELATION_PROCEDURE
};

struct column {
	const char *name;
	struct type type;
	bool not_null;
	bool hidden; /* the row id of a table without primary key, or dropped; never in SELECT * */
	struct expr *default_; /* NULL: none; constant or now(), cast to the column's type */
};

struct check {
	const char *name;  /* "<table>_<column>_check" unless given */
	struct expr *test; /* over source 0, the new row */
};

/* A change of a relation or index after CREATE, as it is told again to make the same. The ids of all objects and changes
 * are in the order in which they were made. */
struct alteration {
	uint32_t id;
	bool parameters; /* of storage, all there are: a later one says all that this said */
	const char *text;
};

/* An index on a table or view, also the carrier of UNIQUE and PRIMARY KEY, which are hash indexes. */
struct index_def {
	uint32_t id; /* unique in the catalog */
	const char *name;
	const char *definition; /* the CREATE INDEX statement's text; NULL: a constraint's */
	bool unique;
	bool primary;    /* the relation's own key: no structure besides the table itself */
	bool constraint; /* made by CREATE TABLE: dropped with the table only */
	bool numbered;   /* its name was chosen with a number, since others were taken */
	uint16_t ncols;
	uint16_t *cols;
	uint8_t *sort; /* an ordered index: enum sort_flag of each column; NULL: a hash index */
	struct relation *relation;
	unsigned nalterations; /* of one that is no constraint: whose the relation has */
	const struct alteration *alterations;
};

/* REFERENCES checked inside one partition: the referencing row and the referenced row are in the
 * same shard because the referenced key is the partition key of its table and the referencing
 * column is the partition column of its own. Both sides are checked (NO ACTION). */
struct foreign_key {
	const char *name;
	struct relation *from, *to;
	uint16_t ncols;
	uint16_t *from_cols, *to_cols; /* to_cols: the key of `to` */
	bool enforced;                 /* false: accepted with a NOTICE only */
};

struct select;
struct projection;

struct argument {
	const char *name; /* "": by number only */
	enum type_id type;
	struct expr *default_; /* NULL: none; of the type */
};

/* What a procedure is, besides its text, from which its body is bound for each CALL. The names in the body are those of its
 * making, and mean the same table or column whatever that is called since. */
struct procedure {
	unsigned nargs;
	struct argument *args;
	struct relation **names; /* by `reads`: the table as it was named then; held */
	bool **uses;             /* by `reads`: which columns of that the body uses */
};

struct relation {
	/* Unique, never reused. It also says which layout rows have: another one gives another id. */
	uint32_t id;
	uint32_t made; /* the id that CREATE gave */
	enum relation_kind kind;
	const char *name;
	struct heap *heap;
	struct arena arena;  /* owns everything here */
	uint32_t references; /* atomic */
	bool dropped;        /* atomic */

	uint16_t ncols;
	struct column *columns;
	int16_t rowid; /* the hidden column that is the key of a table without primary key; -1: none */
	struct row_layout layout;

	/* Key columns: PRIMARY KEY (or the hidden row id) of a table; first unique index of a view. A view
	 * without one has nkey == 0: its rows are kept by whole row with a hidden count. */
	uint16_t nkey;
	uint16_t *key;
	/* The column whose value_hash() chooses the shard; -1: a view of one row (aggregation without
	 * GROUP BY, always shard 0) or a view without key (rows stay where they are made). */
	int16_t partition;

	uint16_t nchecks;
	struct check *checks;
	uint16_t nfks; /* this table references others */
	struct foreign_key **fks;

	/* Changed at DDL moments only; heap-allocated by the catalog. */
	uint16_t indexes_cap;
	uint16_t nindexes; /* [0] is the primary one when nkey > 0 */
	struct index_def **indexes;
	uint16_t referrers_cap;
	uint16_t nreferrers; /* foreign keys of other tables (and itself) that point here */
	struct foreign_key **referrers;
	uint16_t dependents_cap;
	uint16_t ndependents; /* views that read this relation, procedures that use it */
	struct relation **dependents;

	uint16_t nreads; /* views, procedures: the relations read, each once; held by reference */
	struct relation **reads;
	struct procedure *procedure; /* of RELATION_PROCEDURE */
	struct select *select; /* views and derived: the bound query, over the relations it reads */
	unsigned
		stage; /* views: that in which their rows change (core/flow), as the engine has planned it */
	/* Views: bytes that one may hold over all shards, 0: no limit. Atomic; changed at DDL moments. */
	uint64_t memory_limit;
	/* Tables: who feeds it, NULL: nobody; it is read-only for all others (statement_check_source()). Atomic, since it is
	 * compared without a lock; changed at DDL moments. Of a relation not yet in the catalog the
	 * arena's, else the catalog's, which keeps such names for ever. */
	const char *source;
	const char *definition; /* the CREATE statement's text */
	const char *
		shown; /* views: the same with the names that relations have now; NULL: they have those names */
	unsigned nalterations;
	struct alteration *alterations;
	void *user; /* the engine's; of RELATION_SYSTEM a struct system_source */

	/* Of one that was altered: the one before, held; and when the layout is another, what makes its rows of that
	 * one's. */
	struct relation *former;
	struct projection *carry;
	/* Of one that another has taken the place of: since this epoch, 0: it has its place. Set before `dropped`. */
	uint64_t replaced;
};

struct catalog;
struct catalog *catalog_new(struct heap *h);
void catalog_free(struct catalog *c);

/* NULL when there is none. Names are case-folded already. */
struct relation *catalog_find(const struct catalog *c, const char *name);
/* From now on it finds relations as they were at an epoch, before they were altered; UINT64_MAX: as they are. */
void catalog_set_epoch(struct catalog *c, uint64_t epoch);
struct index_def *catalog_find_index(const struct catalog *c, const char *name);
/* Note the view or index that is being made and is not found yet: for DROP of it. NULL: there is none. The name is the caller's. */
void catalog_set_building(struct catalog *c, const char *name, bool index);
bool catalog_is_building(const struct catalog *c, const char *name, bool index);
/* Every table and view in order of creation: i in [0, catalog_count). */
unsigned catalog_count(const struct catalog *c);
struct relation *catalog_at(const struct catalog *c, unsigned i);
uint32_t catalog_next_id(struct catalog *c);
/* The id that catalog_next_id() gives next; and choosing it, to make the same objects again. */
uint32_t catalog_coming_id(const struct catalog *c);
void catalog_set_coming_id(struct catalog *c, uint32_t id);

/* Add a relation built by the binder (takes its first reference) and hook it into those it reads or
 * references. 42P07, 53200. */
int catalog_add(struct catalog *c, struct relation *r, struct error *e);
/* Have a table fed by a source from now on, NULL: by nobody; also as it was before it was altered, which statements may
 * still know. 53200, 53400. */
int catalog_set_source(struct catalog *c, struct relation *r, const char *source, struct error *e);
/* Whether any table has, or had, a source. Without a lock. */
bool catalog_has_sources(const struct catalog *c);
/* Add a relation that catalog_find() knows and nothing else (takes a reference). 0, or -1 out of memory. */
int catalog_add_system(struct catalog *c, struct relation *r);
/* The same for procedures, which have names of their own. */
struct relation *catalog_find_procedure(const struct catalog *c, const char *name);
unsigned catalog_procedure_count(const struct catalog *c);
struct relation *catalog_procedure_at(const struct catalog *c, unsigned i);
/* Add one, or put it in the place of `from`, which is dropped as of `epoch` (NULL: there is none). 53400, 53200. */
int catalog_add_procedure(struct catalog *c, struct relation *r, struct relation *from,
	uint64_t epoch, struct error *e);
void catalog_drop_procedure(struct catalog *c, struct relation *r);
enum { DEPENDENT_TEXT_MAX = 256 };
/* What depends on something, as DETAIL has it: "materialized view v", "function p(bigint,text)". Returns buf, of
 * DEPENDENT_TEXT_MAX bytes. */
const char *relation_describe(const struct relation *r, char *buf);
/* Add an index to its relation; a view's first unique index sets nkey/key/partition. */
int catalog_add_index(struct catalog *c, struct index_def *ix, struct error *e);
/* The same for a relation under construction, without a look at names and limits. 0, or -1 out of memory. */
int relation_add_index(struct relation *r, struct index_def *ix);
/* Whether that would succeed, but for want of memory. */
int catalog_check_index(const struct catalog *c, const struct index_def *ix, struct error *e);
/* 2BP01 with the dependants in the detail when something depends on it. Sets `dropped`. */
int catalog_drop(struct catalog *c, struct relation *r, struct error *e);
int catalog_drop_index(struct catalog *c, struct index_def *ix, struct error *e);

/* Put `to` in the place of `from`, whose indexes, references and dependents it has; each of these is told. `from`, which
 * `to` holds, is dropped as of `epoch`. Its foreign keys that `to` has not are taken out of the tables they refer to. */
void catalog_replace(struct catalog *c, struct relation *from, struct relation *to, uint64_t epoch);
/* Put a view, which is not in the catalog yet, in the place of another that nothing depends on, behind all others: it may read
 * what is younger than that. `from` is dropped as of `epoch`, and held by `to`. 53200 with nothing changed. */
int catalog_replace_view(struct catalog *c, struct relation *from, struct relation *to,
	uint64_t epoch, struct error *e);
/* A relation with all that `from` has, which it holds, with room for `more` columns. NULL: out of memory. */
struct relation *relation_altered(struct relation *from, unsigned more);
/* Note a change of it; the text is kept by reference. 0, or -1 out of memory. */
int relation_note_alteration(struct relation *r, uint32_t id, const char *text);
/* The same of its storage parameters; the text is copied. */
int relation_note_parameters(struct relation *r, uint32_t id, const char *text);
static inline bool relation_is_dropped_column(const struct relation *r, unsigned col)
{
	return r->columns[col].hidden && (int)col != r->rowid;
}

/* A relation under construction, with one reference; freed by the last relation_release(). */
struct relation *relation_new(struct heap *h, enum relation_kind kind, const char *name);
void relation_hold(struct relation *r);
void relation_release(struct relation *r);
int relation_column(const struct relation *r, const char *name); /* -1: none */

#endif
