/*
 * session.h: one session of feeding: connections to both sides, the slot, the tables. When a connection is lost, or what is
 * published changes, the session ends, and another begins from what both sides have kept.
 *
 * setup.c makes both sides fit (slot, tables, columns); copy.c brings the rows that were there before; stream.c takes the
 * changes since then, which sender.c gives to Leftfold by statements of version.c, or window.c keeps back until it is known
 * which of them count. check.c compares both sides; report.c tells how far it is.
 */
#ifndef LF_TOOLS_PGFEED_SESSION_H
#define LF_TOOLS_PGFEED_SESSION_H

#include "tools/pgfeed/options.h"
#include "tools/pgfeed/pg.h"
#include "tools/pgfeed/state.h"
#include "tools/pgfeed/tables.h"

enum { LAG_SAMPLES = 3600 };

/* Of all sessions of a process. */
struct totals {
	/* Where PostgreSQL's log was when, a ring. */
	struct {
		uint64_t lsn, ms;
	} samples[LAG_SAMPLES];
	unsigned nsamples, next_sample;

	uint64_t transactions, rows, copied;
	uint64_t sessions;
	uint64_t apart; /* groups of transactions that could not be made visible at one moment */
	uint64_t lag_bytes;
	double lag_s;
	uint64_t lsn; /* durable in Leftfold */
};

struct session {
	const struct options *o;
	struct totals *totals;
	PGconn *pg;  /* for queries */
	PGconn *wal; /* for replication */
	struct lf_client *lf;
	struct state state;
	struct tables tables;
	char system[32], database[256];
	uint64_t window_to; /* what was committed before may be there already; 0: nothing may */
	uint64_t stop_at;   /* end before what was committed here or later; 0: never */
	/* Of the slot, when it was made in this session: */
	char snapshot[128]; /* "": none */
	uint64_t snapshot_lsn;
	bool recopy; /* --recopy has not been done yet */
	struct failure f;
};

/* --- setup.c --- */

/* Connect both sides, look at the slot (make it, where there is none and should be) and at the tables, copy those whose rows
 * are not there, and have all ready for stream_run(). 0; -1 with s->f. */
int session_begin(struct session *s);
void session_end(struct session *s);
/* A snapshot that sees what was committed before *lsn, for as long as the connection that is returned has no other command.
 * NULL: s->f. */
PGconn *snapshot_take(struct session *s, char *name, size_t cap, uint64_t *lsn);
/* Remove the slot and the state, and make the tables ordinary ones. */
int session_release(struct session *s);

/* --- copy.c --- */

/* Copy tables as a snapshot sees them into Leftfold's, which are empty. *rows counts them. */
int copy_tables(const struct options *o, struct table *const *tables, unsigned n,
	const char *snapshot, uint64_t *rows, struct failure *f);
/* What is sent of a table: COPY (SELECT …), of its pages from `first` to before `end` (0, 0: of all), in binary or as text.
 * To be given to free(); NULL: out of memory. */
char *copy_text(const struct table *t, uint64_t first, uint64_t end, bool binary);

/* --- stream.c --- */

/* Follow PostgreSQL until something ends it: always -1 with s->f (STOPPED: in order, with everything that was sent durable and
 * confirmed). */
int stream_run(struct session *s);

/* --- check.c --- */

/* Compare all rows of all tables with those that PostgreSQL had at one moment, having fed up to exactly that moment. The exit
 * code; -1: s->f. */
int check_run(struct session *s);

/* --- report.c --- */

/* Say how far it is, in the file of metrics and, if `log`, the log. flushed: where PostgreSQL's log is; position: everything
 * before it is in Leftfold. */
void report_lag(struct session *s, uint64_t flushed, uint64_t position, bool log);
/* That there is no connection. */
void report_down(const struct options *o, const struct totals *t);
/* --status. The exit code. */
int status_run(const struct options *o);

#endif
