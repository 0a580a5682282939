/*
 * pg.c: see pg.h.
 */
#include "tools/pgfeed/pg.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POLL_MS = 100, CONNECT_PARAMS = 16 };

static const char *const DEFAULTS[][2] = { { "connect_timeout", "10" }, { "keepalives_idle", "20" },
	{ "keepalives_interval", "5" }, { "keepalives_count", "4" },
	{ "tcp_user_timeout", "60000" } };

/* What value_set_text() reads. */
static const char FORMATS[] = "-c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=1 "
			      "-c bytea_output=hex -c timezone=UTC -c statement_timeout=0 "
			      "-c idle_in_transaction_session_timeout=0 -c row_security=off";

/* Of the options that the connection string has itself. */
static char *options_with_formats(const char *conninfo, char **why)
{
	PQconninfoOption *all = PQconninfoParse(conninfo, why);
	const char *own = "";
	char *text;

	if (all == NULL)
		return NULL;
	for (const PQconninfoOption *o = all; o->keyword != NULL; o++)
		if (strcmp(o->keyword, "options") == 0 && o->val != NULL)
			own = o->val;
	text = malloc(strlen(own) + sizeof(FORMATS) + 1);
	if (text != NULL)
		(void)sprintf(text, "%s %s", own, FORMATS);
	PQconninfoFree(all);
	return text;
}

static void on_notice(void *arg, const PGresult *r)
{
	(void)arg;
	(void)r;
}

PGconn *pg_open(const char *conninfo, bool replication, struct failure *f)
{
	const char *keywords[CONNECT_PARAMS] = { NULL }, *values[CONNECT_PARAMS] = { NULL };
	char *why = NULL, *options = options_with_formats(conninfo, &why);
	unsigned n = 0;
	PGconn *c;

	if (options == NULL) {
		fail(f, FAILURE_FATAL, "the connection string of PostgreSQL: %s",
			why == NULL ? "out of memory" : why);
		PQfreemem(why);
		return NULL;
	}
	/* What the connection string says goes before these, which have a network that is silent noticed. */
	for (unsigned i = 0; i < sizeof(DEFAULTS) / sizeof(DEFAULTS[0]); i++) {
		keywords[n] = DEFAULTS[i][0];
		values[n++] = DEFAULTS[i][1];
	}
	keywords[n] = "dbname";
	values[n++] = conninfo;
	keywords[n] = "options";
	values[n++] = options;
	keywords[n] = "fallback_application_name";
	values[n++] = "leftfold-pgfeed";
	keywords[n] = "client_encoding";
	values[n++] = "UTF8";
	if (replication) {
		keywords[n] = "replication";
		values[n++] = "database";
	}
	c = PQconnectdbParams(keywords, values, 1);
	free(options);
	if (PQstatus(c) != CONNECTION_OK) {
		pg_fail(c, NULL, "connecting to PostgreSQL", f);
		PQfinish(c);
		return NULL;
	}
	(void)PQsetNoticeReceiver(c, on_notice, NULL);
	return c;
}

static bool begins(const char *state, const char *with)
{
	return strncmp(state, with, strlen(with)) == 0;
}

/* A connection that is gone, or not there yet; a server that stops or starts; too many connections, no memory or disk; what
 * collided with another. */
static bool is_transient(const char *state)
{
	return begins(state, "08") || begins(state, "57P0") || begins(state, "53") ||
		begins(state, "40") || strcmp(state, "55P03") == 0;
}

/* Of the texts that libpq has without a state: those that tell of a choice by somebody, not of a network. */
static bool is_refusal(const char *text)
{
	static const char *const TEXTS[] = { "password authentication failed",
		"no pg_hba.conf entry", "does not exist", "no password supplied",
		"authentication failed", "permission denied", "must be superuser",
		"invalid connection option", "is not permitted to log in",
		"is not currently accepting connections" };

	for (unsigned i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
		if (strstr(text, TEXTS[i]) != NULL)
			return true;
	return false;
}

static void chomp(char *s)
{
	size_t n = strlen(s);

	while (n > 0 && (s[n - 1] == '\n' || s[n - 1] == ' '))
		s[--n] = '\0';
	for (; *s != '\0'; s++)
		if (*s == '\n')
			*s = ' ';
}

int pg_fail(PGconn *c, const PGresult *r, const char *what, struct failure *f)
{
	const char *state = r == NULL ? NULL : PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *message = r == NULL ? NULL : PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = r == NULL ? NULL : PQresultErrorField(r, PG_DIAG_MESSAGE_DETAIL);
	const char *hint = r == NULL ? NULL : PQresultErrorField(r, PG_DIAG_MESSAGE_HINT);

	if (state == NULL) {
		const char *text = PQerrorMessage(c);

		fail(f, is_refusal(text) ? FAILURE_FATAL : FAILURE_RETRY, "%s: %s", what,
			text[0] == '\0' ? "the connection is lost" : text);
	} else {
		fail(f,
			PQstatus(c) != CONNECTION_OK || is_transient(state) ? FAILURE_RETRY
									    : FAILURE_FATAL,
			"%s: PostgreSQL: %s: %s%s%s", what, state, message == NULL ? "" : message,
			detail == NULL ? "" : ". ", detail == NULL ? "" : detail);
		if (strcmp(state, "55006") == 0)
			f->kind = FAILURE_IN_USE;
		if (hint != NULL)
			fail_remedy(f, "%s", hint);
	}
	chomp(f->text);
	return -1;
}

/* Until there is a result, or somebody wants an end. */
static int wait_readable(PGconn *c, const char *what, struct failure *f)
{
	while (PQisBusy(c)) {
		struct pollfd p = { PQsocket(c), POLLIN, 0 };

		if (stopping) {
			PGcancel *cancel = PQgetCancel(c);
			char ignored[256];

			(void)PQcancel(cancel, ignored, sizeof(ignored));
			PQfreeCancel(cancel);
			return fail(f, FAILURE_STOPPED, "ended while %s", what);
		}
		if (poll(&p, 1, POLL_MS) < 0 && errno != EINTR)
			return fail(f, FAILURE_RETRY, "%s: %s", what, strerror(errno));
		if (p.revents != 0 && PQconsumeInput(c) == 0)
			return pg_fail(c, NULL, what, f);
	}
	return 0;
}

PGresult *pg_run(PGconn *c, const char *what, const char *sql, int nparams,
	const char *const *params, struct failure *f)
{
	int sent = nparams == 0 ? PQsendQuery(c, sql)
				: PQsendQueryParams(c, sql, nparams, NULL, params, NULL, NULL, 0);
	PGresult *last = NULL, *r;

	if (sent == 0) {
		pg_fail(c, NULL, what, f);
		return NULL;
	}
	for (;;) {
		if (wait_readable(c, what, f) != 0) {
			PQclear(last);
			return NULL;
		}
		r = PQgetResult(c);
		if (r == NULL)
			break;
		PQclear(last);
		last = r;
		if (PQresultStatus(r) == PGRES_COPY_BOTH || PQresultStatus(r) == PGRES_COPY_OUT)
			break;
	}
	switch (last == NULL ? PGRES_FATAL_ERROR : PQresultStatus(last)) {
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
	case PGRES_COPY_BOTH:
	case PGRES_COPY_OUT: return last;
	default: break;
	}
	pg_fail(c, last, what, f);
	PQclear(last);
	return NULL;
}

int pg_do(PGconn *c, const char *what, const char *sql, struct failure *f)
{
	PGresult *r = pg_run(c, what, sql, 0, NULL, f);

	PQclear(r);
	return r == NULL ? -1 : 0;
}

const char *pg_text(const PGresult *r, int row, int column)
{
	return PQgetvalue(r, row, column);
}

uint64_t pg_number(const PGresult *r, int row, int column)
{
	return strtoull(PQgetvalue(r, row, column), NULL, 10);
}

bool pg_bool(const PGresult *r, int row, int column)
{
	return PQgetvalue(r, row, column)[0] == 't';
}

uint64_t pg_lsn(const PGresult *r, int row, int column)
{
	uint64_t lsn;

	return lsn_parse(PQgetvalue(r, row, column), &lsn) == 0 ? lsn : 0;
}

static char *quote(const char *text, char with)
{
	char *out = malloc(2 * strlen(text) + 3), *p = out;

	if (out == NULL)
		return NULL;
	*p++ = with;
	for (; *text != '\0'; text++) {
		if (*text == with)
			*p++ = with;
		*p++ = *text;
	}
	*p++ = with;
	*p = '\0';
	return out;
}

char *quote_name(const char *name)
{
	return quote(name, '"');
}

/* standard_conforming_strings holds in both, so a backslash is one. */
char *quote_text(const char *text)
{
	return quote(text, '\'');
}

PGconn *pg_open_at(const char *conninfo, const char *snapshot, struct failure *f)
{
	PGconn *c = pg_open(conninfo, false, f);
	char *quoted, *sql = NULL;
	int status;

	if (c == NULL)
		return NULL;
	quoted = quote_text(snapshot);
	if (quoted == NULL || asprintf(&sql, "SET TRANSACTION SNAPSHOT %s", quoted) < 0)
		sql = NULL;
	free(quoted);
	status = sql == NULL ? fail_memory(f)
			     : pg_do(c, "taking the snapshot",
				       "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", f);
	if (status == 0)
		status = pg_do(c, "taking the snapshot", sql, f);
	free(sql);
	if (status == 0)
		return c;
	PQfinish(c);
	return NULL;
}

int pg_copy_end(PGconn *c, const char *what, struct failure *f)
{
	PGresult *r;
	int status = 0;

	while ((r = PQgetResult(c)) != NULL) {
		if (PQresultStatus(r) != PGRES_COMMAND_OK && status == 0)
			status = pg_fail(c, r, what, f);
		PQclear(r);
	}
	return status;
}

int pg_flushed(PGconn *c, uint64_t *lsn, struct failure *f)
{
	PGresult *r = pg_run(
		c, "looking how far the log is", "SELECT pg_current_wal_flush_lsn()", 0, NULL, f);

	if (r == NULL)
		return -1;
	*lsn = pg_lsn(r, 0, 0);
	PQclear(r);
	return 0;
}
