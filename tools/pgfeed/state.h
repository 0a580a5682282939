/*
 * state.h: what Leftfold keeps of the feed beside its tables: how far it is, and what each table is made of.
 *
 *     leftfold_pgfeed        a row for each slot: everything committed before `lsn` is there; nothing that was committed at
 *                            `reach` or later is
 *     leftfold_pgfeed_table  a row for each table of a slot
 *     leftfold_pgfeed_kept   values that were not sent with a row that got another key, see window.h
 */
#ifndef LF_TOOLS_PGFEED_STATE_H
#define LF_TOOLS_PGFEED_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "net/client/leftfold.h"
#include "tools/pgfeed/tables.h"

/* The source of these tables (CREATE TABLE … WITH (source = …)). */
#define STATE_SOURCE "leftfold_pgfeed"

struct state {
	struct lf_client *c;
	struct lf_result *answer;
	struct lf_statement *write;
	struct lf_params *params;
	const struct options *o;
	int64_t owner; /* of the row: this process's session; another feed that takes the slot has another */
	bool found; /* a row for the slot */
	uint64_t lsn, reach;
	int64_t committed_us, written_us; /* since 2000-01-01; INT64_MIN: none */
	char system[32], database[256], publication[256];
};

/* A connection to Leftfold as `source` (NULL: as none). alone: what earlier ones of that source have sent is executed when this
 * returns, or never will be. */
int leftfold_open(struct lf_client **c, const struct options *o, const char *source, bool alone,
	struct failure *f);
/* Run one statement and wait until it is durable, and what it reads is what this connection has written. answer may be
 * NULL. */
int leftfold_run(struct lf_client *c, const char *what, const char *sql, struct lf_result *answer,
	struct failure *f);
/* The same of a text that was put together, which is freed. */
int leftfold_run_text(struct lf_client *c, const char *what, struct text *sql,
	struct lf_result *answer, struct failure *f);

/* Connect, make the tables if they are not there and read the slot's row. make: false: only look; found stays false where
 * the tables are not there. */
int state_open(struct state *s, const struct options *o, bool make, struct failure *f);
void state_close(struct state *s);
/* Read the slot's row again. */
int state_read(struct state *s, struct failure *f);
/* The row of a slot that is to be made: nothing is there yet. */
int state_create(struct state *s, const char *system, const char *database, struct failure *f);
/* Everything will be there from this place on: of a new slot. */
int state_begin(struct state *s, uint64_t lsn, struct failure *f);
/* Say that this session feeds now. */
int state_take(struct state *s, struct failure *f);
/* Write how far it is; fn(arg, …) is called when that is durable; it must look at the answer with state_written(). */
int state_write(struct state *s, uint64_t lsn, uint64_t reach, int64_t committed_us,
	lf_client_on_result fn, void *arg, struct failure *f);
/* 0; or -1: it was not written, or another session has taken the slot. */
int state_written(const struct lf_result *r, struct failure *f);
/* The same, waiting. */
int state_write_wait(
	struct state *s, uint64_t lsn, uint64_t reach, int64_t committed_us, struct failure *f);

/* --- tables --- */

/* A row of leftfold_pgfeed_table. */
struct state_table {
	char *source, *target, *columns;
	uint32_t relation;
	uint64_t membership, from_lsn;
	enum table_state state;
	bool left; /* it is not published any more */
};
struct state_tables {
	unsigned n;
	struct state_table *at;
};
int state_read_tables(struct state *s, struct state_tables *t, struct failure *f);
void state_tables_free(struct state_tables *t);
const struct state_table *state_tables_find(const struct state_tables *t, const char *source);
/* Write a table's row, as t->state, t->from_lsn and its columns are. */
int state_put_table(struct state *s, const struct table *t, struct failure *f);
int state_leave_table(struct state *s, const char *source, struct failure *f);
/* --- values of rows that get another key --- */

/* A row's move: the commit of its transaction, and the how many-th such move within it. */
struct move {
	uint64_t lsn, number;
};
/* Keep a value; NULL: null. It is durable when this returns. */
int state_keep(struct state *s, struct move m, const char *column, const char *value, size_t n,
	struct failure *f);
/* What was kept of a move, in s->answer: column, value. 0 or -1. */
int state_kept(struct state *s, struct move m, struct failure *f);
/* Forget what was kept of commits before the position. */
int state_forget(struct state *s, struct failure *f);

/* Remove all rows of the slot. */
int state_remove(struct state *s, struct failure *f);

#endif
