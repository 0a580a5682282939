/*
 * pg.h: connections to PostgreSQL, and what it says when something fails.
 */
#ifndef LF_TOOLS_PGFEED_PG_H
#define LF_TOOLS_PGFEED_PG_H

#include <postgresql/libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "tools/pgfeed/failure.h"

/* Set by a signal: what waits gives up with FAILURE_STOPPED. */
extern volatile int stopping;

/* Connect, for queries or for replication, with the formats of values that types.h expects. NULL: *f says why. */
PGconn *pg_open(const char *conninfo, bool replication, struct failure *f);

/* The same, for queries that see what a snapshot that was exported sees. */
PGconn *pg_open_at(const char *conninfo, const char *snapshot, struct failure *f);

/* Run one statement and wait. The result has rows, or did what it should, and is to be cleared; NULL: *f says why. `what` is
 * what is being done, for the message. params are text, NULL for null. */
PGresult *pg_run(PGconn *c, const char *what, const char *sql, int nparams,
	const char *const *params, struct failure *f);
/* The same without a result. 0 or -1. */
int pg_do(PGconn *c, const char *what, const char *sql, struct failure *f);
/* COPY has given all its rows: whether it did what it should. 0 or -1. */
int pg_copy_end(PGconn *c, const char *what, struct failure *f);
/* How far the log is written. 0 or -1. */
int pg_flushed(PGconn *c, uint64_t *lsn, struct failure *f);
/* What the connection, or a result of it (may be NULL), says. Always -1. */
int pg_fail(PGconn *c, const PGresult *r, const char *what, struct failure *f);

/* Fields of a result as values; NULL is "", 0 and false. */
const char *pg_text(const PGresult *r, int row, int column);
uint64_t pg_number(const PGresult *r, int row, int column);
bool pg_bool(const PGresult *r, int row, int column);
/* Of a pg_lsn; 0 for NULL. */
uint64_t pg_lsn(const PGresult *r, int row, int column);

/* A name within SQL, in double quotes; a text, in single ones. To be given to free(); NULL: out of memory. */
char *quote_name(const char *name);
char *quote_text(const char *text);

#endif
