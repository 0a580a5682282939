/*
 * report.c: how far the feed is: lines in the log, metrics for Prometheus, --status.
 *
 * The lag in seconds is how long ago PostgreSQL's log was where the feed is now, as samples that are taken each second tell; at
 * most an hour.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/pgfeed/session.h"

/* --- the lag --- */

static void sample(struct totals *t, uint64_t lsn)
{
	t->samples[t->next_sample].lsn = lsn;
	t->samples[t->next_sample].ms = now_ms();
	t->next_sample = (t->next_sample + 1) % LAG_SAMPLES;
	if (t->nsamples < LAG_SAMPLES)
		t->nsamples++;
}

/* The oldest sample beyond the position. */
static double lag_seconds(const struct totals *t, uint64_t position)
{
	for (unsigned i = t->nsamples; i > 0; i--) {
		unsigned at = (t->next_sample + LAG_SAMPLES - i) % LAG_SAMPLES;

		if (t->samples[at].lsn > position)
			return (double)(now_ms() - t->samples[at].ms) / 1000;
	}
	return 0;
}

/* --- metrics --- */

struct metric {
	const char *name, *type, *help;
	double value;
};

static void write_metrics(const struct options *o, const struct totals *t, bool up)
{
	const struct metric metrics[] = {
		{ "up", "gauge", "Whether the feed is connected to both sides.", up },
		{ "lag_bytes", "gauge", "Log of PostgreSQL that is not in Leftfold yet.",
			(double)t->lag_bytes },
		{ "lag_seconds", "gauge", "How old what is in Leftfold is.", t->lag_s },
		{ "position_bytes", "counter",
			"Everything before this place in the log is in Leftfold.", (double)t->lsn },
		{ "transactions_total", "counter", "Transactions fed.", (double)t->transactions },
		{ "rows_total", "counter", "Changes of rows fed.", (double)t->rows },
		{ "copied_rows_total", "counter", "Rows copied.", (double)t->copied },
		{ "sessions_total", "counter", "Sessions begun.", (double)t->sessions },
		{ "apart_total", "counter",
			"Groups of transactions that did not become visible at one moment.",
			(double)t->apart },
	};
	char *name = NULL;
	FILE *out = NULL;

	if (o->metrics == NULL)
		return;
	if (asprintf(&name, "%s.new", o->metrics) < 0)
		return;
	out = fopen(name, "we");
	for (unsigned i = 0; out != NULL && i < sizeof(metrics) / sizeof(metrics[0]); i++)
		(void)fprintf(out,
			"# HELP leftfold_pgfeed_%s %s\n# TYPE leftfold_pgfeed_%s %s\n"
			"leftfold_pgfeed_%s{slot=\"%s\"} %.16g\n",
			metrics[i].name, metrics[i].help, metrics[i].name, metrics[i].type,
			metrics[i].name, o->slot, metrics[i].value);
	if (out == NULL || fclose(out) != 0 || rename(name, o->metrics) != 0)
		say("%s: %s", o->metrics, strerror(errno));
	free(name);
}

void report_lag(struct session *s, uint64_t flushed, uint64_t position, bool log)
{
	struct totals *t = s->totals;
	char text[LSN_TEXT_MAX];

	sample(t, flushed);
	t->lsn = position;
	t->lag_bytes = position < flushed ? flushed - position : 0;
	t->lag_s = t->lag_bytes == 0 ? 0 : lag_seconds(t, position);
	write_metrics(s->o, t, true);
	if (log)
		say("at %s, %llu bytes and %.1f s behind; %llu transactions, %llu rows so far",
			lsn_text(position, text), (unsigned long long)t->lag_bytes, t->lag_s,
			(unsigned long long)t->transactions, (unsigned long long)t->rows);
}

void report_down(const struct options *o, const struct totals *t)
{
	write_metrics(o, t, false);
}

/* --- --status --- */

static void status_tables(struct state *s)
{
	struct state_tables tables;
	struct failure f = { 0 };

	if (state_read_tables(s, &tables, &f) != 0) {
		say_failure(&f);
		return;
	}
	for (unsigned i = 0; i < tables.n; i++) {
		const struct state_table *t = &tables.at[i];

		(void)printf("table         %s as \"%s\": %s\n", t->source, t->target,
			t->left                         ? "not published any more"
				: t->state == TABLE_FED ? "fed"
							: "being copied");
	}
	state_tables_free(&tables);
}

static void print_age(const char *what, int64_t us)
{
	if (us != INT64_MIN)
		(void)printf("%s%.1f s ago\n", what, (double)(now_us() - us) / 1e6);
}

static int status_source(const struct options *o, const struct state *s)
{
	const char *params[] = { o->slot };
	struct failure f = { 0 };
	PGconn *pg = pg_open(o->from, false, &f);
	PGresult *r = NULL;
	uint64_t flushed;

	if (pg != NULL)
		r = pg_run(pg, "looking at the slot",
			"SELECT pg_current_wal_flush_lsn(), s.active, coalesce(s.wal_status, ''),"
			" coalesce(pg_wal_lsn_diff(pg_current_wal_flush_lsn(), s.restart_lsn), 0)::bigint, s.slot_name"
			" FROM (SELECT 1) AS one LEFT JOIN pg_replication_slots s ON s.slot_name = $1",
			1, params, &f);
	if (r == NULL) {
		say_failure(&f);
		PQfinish(pg);
		return EXIT_FAILED;
	}
	flushed = pg_lsn(r, 0, 0);
	if (PQgetisnull(r, 0, 4))
		(void)printf("PostgreSQL    has no such slot\n");
	else
		(void)printf("PostgreSQL    slot is %s, wal_status %s, keeps %s bytes of log\n",
			pg_bool(r, 0, 1) ? "in use" : "not in use: the feed does not run",
			pg_text(r, 0, 2), pg_text(r, 0, 3));
	(void)printf("lag           %llu bytes\n",
		(unsigned long long)(s->lsn < flushed ? flushed - s->lsn : 0));
	PQclear(r);
	PQfinish(pg);
	return EXIT_ENDED;
}

int status_run(const struct options *o)
{
	struct failure f = { 0 };
	struct state s;
	char lsn[LSN_TEXT_MAX];
	int status = EXIT_FAILED;

	if (state_open(&s, o, false, &f) != 0) {
		say_failure(&f);
	} else if (!s.found) {
		(void)fail(&f, FAILURE_FATAL, "this Leftfold is not fed by slot \"%s\"", o->slot);
		say_failure(&f);
	} else {
		(void)printf("slot          %s of publication %s, database %s of system %s\n",
			o->slot, s.publication, s.database, s.system);
		(void)printf("position      %s\n", lsn_text(s.lsn, lsn));
		print_age("last commit   ", s.committed_us);
		print_age("written       ", s.written_us);
		status = status_source(o, &s);
		status_tables(&s);
	}
	state_close(&s);
	return status;
}
