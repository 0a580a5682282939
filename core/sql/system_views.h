/*
 * system_views.h: the relations that tell about the engine itself. They are in the catalog by name, can be queried like any
 * table, and are changed by nobody; where their rows come from is their `user`'s business (core/flow/query.h).
 */
#ifndef LF_SQL_SYSTEM_VIEWS_H
#define LF_SQL_SYSTEM_VIEWS_H

#include "core/sql/catalog.h"

enum system_view {
	SYSTEM_VIEWS,     /* leftfold_views: one row a materialized view */
	SYSTEM_OPERATORS, /* leftfold_operators: one row an operator of one */
	SYSTEM_TABLES,    /* leftfold_tables: one row a table */
	SYSTEM_SHARDS,    /* leftfold_shards: one row a shard */
	SYSTEM_BUILDS, /* leftfold_builds: one row a view or index that is being built while commands go on */
	SYSTEM_COUNT
};

/* Their columns, in order. */
enum {
	VIEWS_NAME,
	VIEWS_STATE, /* 'ok' or 'failed' */
	VIEWS_SQLSTATE,
	VIEWS_REASON,
	VIEWS_ROWS,
	VIEWS_BYTES,
	VIEWS_MEMORY_LIMIT,
	VIEWS_STAGES,
	VIEWS_SHARED_BYTES,
	VIEWS_COLUMNS
};
enum {
	OPERATORS_VIEW,
	OPERATORS_NUMBER,
	OPERATORS_STAGE,
	OPERATORS_KIND,
	OPERATORS_DESCRIPTION,
	OPERATORS_ROWS_IN,
	OPERATORS_ROWS_OUT,
	OPERATORS_BYTES,
	OPERATORS_TIME_US,
	OPERATORS_SHARED_WITH, /* names of views; NULL: nobody */
	OPERATORS_REPEATED,    /* it has been told with an earlier view */
	OPERATORS_COLUMNS
};
enum { TABLES_NAME, TABLES_ROWS, TABLES_BYTES, TABLES_INDEXES, TABLES_INDEX_BYTES, TABLES_COLUMNS };
enum {
	SHARDS_NUMBER,
	SHARDS_COMMANDS,
	SHARDS_REFUSED,
	SHARDS_BATCHES,
	SHARDS_VIEW_ROWS,
	SHARDS_BYTES,
	SHARDS_COLUMNS
};

enum { BUILDS_RELATION, BUILDS_KIND, BUILDS_ROWS, BUILDS_OF, BUILDS_STATEMENT, BUILDS_COLUMNS };

/* Make them and give them to the catalog; `user` becomes theirs. 53200. */
int system_views_add(struct catalog *c, struct heap *h, void *user, struct error *e);
/* Which of them a relation is; it must be one. */
enum system_view system_view_of(const struct relation *r);

#endif
