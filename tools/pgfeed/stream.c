/*
 * stream.c: following PostgreSQL, and keeping the position.
 *
 * What has been sent to Leftfold, is durable there and visible, moves the position: it is written to leftfold_pgfeed, and when
 * that is durable PostgreSQL is told, which may then forget the log before it. With the position goes how far beyond it changes
 * may have been sent (`reach`): that is written before they are. So after any interruption it is known from where to read
 * again, and up to where what is read may be there already.
 *
 * One thread; it waits for three sockets: PostgreSQL's, Leftfold's for changes and for the position. While Leftfold has no room
 * PostgreSQL is not read, but told that the feed lives.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/pgfeed/bytes.h"
#include "tools/pgfeed/stream.h"

enum {
	REACH_BYTES = 64 << 20,
	WRITE_MS = 10, /* between two positions */
	QUIET_MS = 100,
	IDLE_MS = 1000, /* … when nothing happens but that the log grows */
	AWAITED_MS = 100,
	TELL_MS = 1000, /* PostgreSQL is told, and asked how far it is */
	SILENCE_MS = 60000,
	ANSWER_MS = 120000, /* of Leftfold */
	REPORT_MS = 1000,   /* lag and catalog are looked at */
	END_MS = 10000,     /* for the end of a transaction that is half sent */
	COPY_DATA_HEADER = 25,
	KEEPALIVE = 18
};

/* --- PostgreSQL is told --- */

static int tell(struct stream *st, bool ask)
{
	char message[34] = { 'r' };

	put_u64(message + 1, st->received);
	put_u64(message + 9, st->s->state.lsn);
	put_u64(message + 17, st->s->state.lsn);
	put_u64(message + 25, (uint64_t)now_us());
	message[33] = ask;
	if (PQputCopyData(st->s->wal, message, sizeof(message)) != 1 || PQflush(st->s->wal) < 0)
		return pg_fail(st->s->wal, NULL, "telling PostgreSQL how far it is", st->f);
	st->told_ms = now_ms();
	st->tell = false;
	return 0;
}

/* --- the position --- */

static void on_written(void *arg, uint64_t request, const struct lf_result *r)
{
	struct stream *st = arg;
	struct failure f = { 0 };

	(void)request;
	st->writing = false;
	if (state_written(r, &f) != 0) {
		if (st->f->kind == FAILURE_NONE)
			*st->f = f;
		return;
	}
	st->s->state.lsn = st->writing_lsn;
	st->s->state.reach = st->writing_reach;
	st->tell = true;
}

static uint64_t position(struct stream *st)
{
	uint64_t lsn;

	sender_look(&st->sender);
	lsn = st->sender.done_lsn;
	/* Nothing is under way: all that was sent is there. */
	if (sender_idle(&st->sender) && st->window == NULL && !st->in_transaction &&
		st->idle_lsn > lsn)
		lsn = st->idle_lsn;
	return lsn > st->s->state.lsn ? lsn : st->s->state.lsn;
}

static int position_write(struct stream *st)
{
	uint64_t lsn = position(st), now = now_ms(), reach;
	bool moved = lsn > st->s->state.lsn, idle = lsn > st->sender.done_lsn;
	bool due = now - st->written_ms >= (idle ? IDLE_MS : WRITE_MS);

	if (st->writing || (st->want_reach <= st->s->state.reach && !(moved && due)))
		return 0;
	reach = lsn + REACH_BYTES > st->want_reach ? lsn + REACH_BYTES : st->want_reach;
	st->writing = true;
	st->writing_lsn = lsn;
	st->writing_reach = reach;
	st->written_ms = now;
	if (state_write(&st->s->state, lsn, reach, st->sender.done_us, on_written, st, st->f) == 0)
		return 0;
	st->writing = false;
	return -1;
}

/* --- time passes --- */

static int leftfold_poll(struct stream *st, struct lf_client *c)
{
	struct lf_client_error e;

	if (lf_client_poll(c, 0, &e) < 0 && st->f->kind == FAILURE_NONE)
		return fail_leftfold(st->f, &e, "Leftfold");
	return st->f->kind == FAILURE_NONE ? 0 : -1;
}

/* Whether something waits for PostgreSQL to say how far it is. */
static bool is_awaited(const struct stream *st)
{
	return st->window != NULL || st->s->stop_at > 0 || st->s->o->until_now;
}

/* Wait for Leftfold, and for PostgreSQL if that is wanted. */
static int wait_some(struct stream *st, int timeout_ms, bool source)
{
	struct pollfd p[] = { { lf_client_fd(st->s->lf), lf_client_events(st->s->lf), 0 },
		{ lf_client_fd(st->s->state.c), lf_client_events(st->s->state.c), 0 },
		{ PQsocket(st->s->wal), POLLIN, 0 } };
	bool asks;

	if (sender_end_batch(&st->sender) != 0)
		return -1;
	if (poll(p, source ? 3 : 2, timeout_ms) < 0 && errno != EINTR)
		return fail(st->f, FAILURE_RETRY, "waiting: %s", strerror(errno));
	if (leftfold_poll(st, st->s->lf) != 0 || leftfold_poll(st, st->s->state.c) != 0)
		return -1;
	if (position_write(st) != 0)
		return -1;
	asks = now_ms() - st->told_ms >= (is_awaited(st) ? AWAITED_MS : TELL_MS);
	return st->tell || asks ? tell(st, asks) : 0;
}

static int pump(void *arg, int timeout_ms)
{
	return wait_some(arg, timeout_ms, false);
}

int stream_reach(struct stream *st, uint64_t lsn)
{
	if (lsn < st->s->state.reach)
		return 0;
	st->want_reach = lsn + REACH_BYTES;
	while (lsn >= st->s->state.reach)
		if (position_write(st) != 0 || wait_some(st, TELL_MS, false) != 0)
			return -1;
	return 0;
}

/* --- messages --- */

static int on_copy_data(struct stream *st, const char *p, size_t n)
{
	st->heard_ms = now_ms();
	if (n >= COPY_DATA_HEADER && p[0] == 'w') {
		uint64_t end = get_u64(p + 9);

		if (transaction_message(st, p + COPY_DATA_HEADER, n - COPY_DATA_HEADER) != 0)
			return -1;
		if (end > st->received)
			st->received = end;
		return 0;
	}
	if (n == KEEPALIVE && p[0] == 'k') {
		uint64_t end = get_u64(p + 1);

		if (end > st->received)
			st->received = end;
		if (transaction_reached(st, end) != 0)
			return -1;
		if (p[17] != 0) {
			/* It may be about to end, and wait for all to be there. */
			st->written_ms = 0;
			st->tell = true;
		}
		return 0;
	}
	return fail(
		st->f, FAILURE_FATAL, "PostgreSQL has sent a message that is not of replication");
}

/* Why there is no more. */
static int source_ended(struct stream *st)
{
	PGresult *r = PQgetResult(st->s->wal);
	int status = pg_fail(st->s->wal, r, "following PostgreSQL", st->f);

	if (st->f->kind == FAILURE_FATAL && strstr(st->f->text, "removed") != NULL)
		fail_remedy(st->f, "--recopy makes the slot anew and copies everything");
	if (r != NULL && PQresultStatus(r) == PGRES_COMMAND_OK)
		fail(st->f, FAILURE_RETRY, "PostgreSQL has ended the stream");
	PQclear(r);
	return status;
}

/* What has come so far, at most so many messages. 1: there may be more; 0; -1. */
static int source_take(struct stream *st)
{
	for (unsigned i = 0; i < 1024; i++) {
		char *data;
		int n = PQgetCopyData(st->s->wal, &data, 1), status;

		if (n == 0)
			return 0;
		if (n < 0)
			return source_ended(st);
		status = on_copy_data(st, data, (size_t)n);
		PQfreemem(data);
		if (status != 0)
			return -1;
		if (st->ended)
			return 0;
	}
	return 1;
}

/* --- looking around --- */

struct looking {
	uint64_t last_ms, flushed;
	uint64_t goal; /* --until-now; 0: none */
	uint64_t reported_ms;
};

/* How far PostgreSQL is, and whether it still publishes the same. */
static int look_around(struct stream *st, struct looking *l)
{
	struct session *s = st->s;
	char *signature;
	bool same, log;

	if (pg_flushed(s->pg, &l->flushed, st->f) != 0)
		return -1;
	if (s->o->until_now && l->goal == 0)
		l->goal = l->flushed;
	signature = tables_signature(s->pg, s->o, st->f);
	if (signature == NULL)
		return -1;
	same = strcmp(signature, s->tables.signature) == 0;
	free(signature);
	if (!same)
		return fail(st->f, FAILURE_ANEW, "what is published has changed");
	if (st->sender.first != NULL && now_ms() - st->sender.first->begun_ms > ANSWER_MS)
		return fail(st->f, FAILURE_RETRY, "Leftfold has not answered for %d s",
			ANSWER_MS / 1000);
	if (st->kept_lsn > 0 && s->state.lsn > st->kept_lsn) {
		st->kept_lsn = 0;
		if (state_forget(&s->state, st->f) != 0)
			return -1;
	}
	s->totals->rows += st->sender.rows;
	s->totals->apart += st->sender.apart;
	st->sender.rows = st->sender.apart = 0;
	log = s->o->report_s > 0 && now_ms() - l->reported_ms >= 1000 * (uint64_t)s->o->report_s;
	if (log)
		l->reported_ms = now_ms();
	report_lag(s, l->flushed, position(st), log);
	l->last_ms = now_ms();
	return 0;
}

/* --- beginning and end --- */

static int stream_start(struct stream *st)
{
	struct session *s = st->s;
	char *publication = quote_name(s->o->publication), lsn[LSN_TEXT_MAX];
	struct text sql = { 0 };
	PGresult *r;

	if (publication == NULL)
		return fail_memory(st->f);
	text_format(&sql,
		"START_REPLICATION SLOT \"%s\" LOGICAL %s (proto_version '2', streaming 'on', publication_names ",
		s->o->slot, lsn_text(s->state.lsn, lsn));
	text_quoted(&sql, publication);
	text_put(&sql, ")");
	free(publication);
	if (sql.failed)
		return fail_memory(st->f);
	r = pg_run(s->wal, "starting replication", sql.p, 0, NULL, st->f);
	free(sql.p);
	if (r == NULL)
		return -1;
	PQclear(r);
	say("following from %s%s", lsn_text(s->state.lsn, lsn),
		s->window_to > s->state.lsn ? "; what may have been fed before is read first" : "");
	st->told_ms = st->heard_ms = now_ms();
	return 0;
}

static int stream_init(struct stream *st, struct session *s)
{
	*st = (struct stream){ .s = s,
		.f = &s->f,
		.received = s->state.lsn,
		/* Of sessions before. */
		.kept_lsn = s->state.lsn,
		.committed_us = INT64_MIN };
	st->sender = (struct sender){ .c = s->lf,
		.state = &s->state,
		.f = &s->f,
		.hold = !s->o->row_by_row,
		.pump = pump,
		.arg = st,
		.done_lsn = s->state.lsn,
		.done_us = INT64_MIN };
	st->new = calloc(UINT16_MAX + 1u, sizeof(*st->new));
	st->old = calloc(UINT16_MAX + 1u, sizeof(*st->old));
	if (st->new == NULL || st->old == NULL)
		return fail_memory(st->f);
	if (s->window_to > s->state.lsn) {
		st->window = window_new(s->o->spool_dir, s->o->spool_memory);
		if (st->window == NULL)
			return fail_memory(st->f);
	}
	return 0;
}

/* Everything that was sent is there, is written, and PostgreSQL knows it. */
static int stream_end(struct stream *st)
{
	struct state *state = &st->s->state;
	uint64_t lsn, reach;

	if (sender_drain(&st->sender) != 0)
		return -1;
	while (st->writing)
		if (wait_some(st, TELL_MS, false) != 0)
			return -1;
	lsn = position(st);
	/* A transaction that is half sent may be there; else nothing is. */
	reach = st->in_transaction || st->window != NULL ? state->reach : lsn;
	if (state_write_wait(state, lsn, reach, st->sender.done_us, st->f) != 0)
		return -1;
	state->lsn = lsn;
	state->reach = reach;
	if (tell(st, false) != 0)
		return -1;
	(void)PQputCopyEnd(st->s->wal, NULL);
	(void)PQflush(st->s->wal);
	return 0;
}

static bool should_end(const struct stream *st, const struct looking *l, uint64_t *stopping_ms)
{
	if (st->ended)
		return true;
	if (l->goal > 0 && st->s->state.lsn >= l->goal)
		return true;
	if (!stopping)
		return false;
	if (*stopping_ms == 0)
		*stopping_ms = now_ms();
	return !st->in_transaction || now_ms() - *stopping_ms >= END_MS;
}

static int stream_loop(struct stream *st)
{
	struct looking l = { .reported_ms = now_ms() };
	uint64_t stopping_ms = 0;
	int status;

	while (!should_end(st, &l, &stopping_ms)) {
		if (now_ms() - l.last_ms >= REPORT_MS && look_around(st, &l) != 0)
			return -1;
		status = source_take(st);
		if (status < 0)
			return -1;
		/* Nothing is at hand: what there is should be seen. */
		if (status == 0 && !st->in_transaction && sender_end_group(&st->sender) != 0)
			return -1;
		if (wait_some(st,
			    status > 0                                ? 0
				    : position(st) > st->s->state.lsn ? WRITE_MS
								      : QUIET_MS,
			    status == 0) != 0)
			return -1;
		if (PQconsumeInput(st->s->wal) == 0)
			return source_ended(st);
		if (now_ms() - st->heard_ms > SILENCE_MS)
			return fail(st->f, FAILURE_RETRY, "PostgreSQL has said nothing for %d s",
				SILENCE_MS / 1000);
	}
	return 0;
}

int stream_run(struct session *s)
{
	struct stream st;
	int status = stream_init(&st, s);

	if (status == 0)
		status = stream_start(&st);
	if (status == 0)
		status = stream_loop(&st);
	if (status == 0)
		status = stream_end(&st);
	if (status == 0)
		(void)fail(&s->f, FAILURE_STOPPED, "ended");
	/* Before a new session begins, so that what is sent reaches Leftfold before what that sends. */
	if (s->f.kind == FAILURE_ANEW) {
		struct failure why = s->f;

		s->f.kind = FAILURE_NONE;
		(void)stream_end(&st);
		s->f = why;
	}
	s->totals->rows += st.sender.rows;
	s->totals->apart += st.sender.apart;
	lf_client_batch_cancel(s->lf);
	transaction_free(&st);
	lf_client_close(s->lf);
	s->lf = NULL;
	/* A position on its way calls back here. */
	state_close(&s->state);
	sender_free(&st.sender);
	free(st.new);
	free(st.old);
	return -1;
}
