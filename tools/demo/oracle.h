/*
 * oracle.h: the independent engine, SQLite in memory, and the comparison of tables and views with it.
 *
 * A relation is declared twice: for the server in its SQL, for SQLite in SQLite's. SQLite keeps amounts as whole
 * hundredths and points in time as text, so nothing is rounded on the way.
 */
#ifndef LF_TOOLS_DEMO_ORACLE_H
#define LF_TOOLS_DEMO_ORACLE_H

#include <sqlite3.h>
#include <stdint.h>

#include "net/client/leftfold.h"

struct relation {
	const char *name;
	const char *remark; /* for people */
	const char *create; /* the server's statement */
	const char *index;  /* the server's CREATE UNIQUE INDEX of a view; NULL: none */
	const char *oracle; /* a table: SQLite's CREATE TABLE; a view: SQLite's SELECT */
	/* One letter a column: t text, i whole number, 2 numeric with two decimals, which is hundredths in
	 * SQLite. */
	const char *formats;
};

/* A list ends with a relation without name. */

/* Create all on the server. Returns their number. */
unsigned relations_create(struct lf_client *c, const struct relation *list);

sqlite3 *oracle_open(const struct relation *tables);
void oracle_close(sqlite3 *db);
void oracle_run(sqlite3 *db, const char *sql);
sqlite3_stmt *oracle_prepare(sqlite3 *db, const char *sql);
/* Execute one of oracle_prepare() with its parameters bound, and make it ready for the next. SQLITE_DONE or
 * SQLITE_CONSTRAINT; all else ends the program. */
int oracle_step(sqlite3_stmt *s);

struct verdict {
	unsigned relations, different;
	uint64_t rows; /* compared */
};
/* Read every relation from the server at epoch `at_least` or later, have SQLite compute it, compare, print a line for
 * each and the first rows that differ. */
struct verdict oracle_compare(struct lf_client *c, uint64_t at_least, sqlite3 *db,
	const struct relation *list, int tables);

#endif
