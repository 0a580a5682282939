/*
 * execute.c: commands and queries of a session.
 *
 * A command is submitted to the engine with a `pending` record as its tag; when the reply comes it is
 * written to the connection. A query runs at once, all executions of one frame at one epoch; when it asks
 * for an epoch that is not visible yet, the frame's bytes stay in the input until it is or the time is
 * over, and so do the frames behind it. When the engine's ring is full the session is blocked and the same
 * frame is tried again later.
 */
#include <stdlib.h>

#include "core/base/clock.h"
#include "net/server/session_internal.h"

/* Run one execution of a query; its rows or its error. */
static void query_one(struct session *s, const struct statement *st, const void *params,
	uint64_t request, uint64_t epoch)
{
	struct row_writer w = { .s = s, .request = request, .epoch = epoch };
	size_t begin = buffer_length(&s->c->out);
	struct error e;
	int status;

	if (rows_begin(&w) != 0)
		return;
	status = lf_query(s->host->port, st, params, rows_add, &w, &e);
	if (status == 0) {
		rows_end(&w, false);
		return;
	}
	/* Take back what was written of it. */
	s->c->out.used = s->c->out.head + begin;
	if (status == 2)
		error_set(&e, ERR_PROGRAM_LIMIT, 0, "the result exceeds %d bytes",
			LIMIT_RESULT_BYTES);
	else if (status == 1)
		error_set(&e, ERR_OUT_OF_MEMORY, 0, "no memory for the result");
	session_error(s, request, 0, &e);
}

/* --- waiting for an epoch --- */

static void waiting_add(struct session *s)
{
	if (s->waiting)
		return;
	s->waiting = true;
	s->next_waiting = s->host->waiting;
	s->host->waiting = s;
}

/* Pin an epoch of at least `at_least`. 1 pinned, 0 wait, -1 answered with the error. */
static int read_begin(struct session *s, uint64_t at_least, uint32_t timeout_ms, uint64_t request,
	uint64_t *epoch)
{
	struct error e;

	if (lf_read_begin(s->host->port, at_least, epoch, &e) == 0) {
		s->wait_until_us = 0;
		return 1;
	}
	if (s->wait_until_us == 0)
		s->wait_until_us = clock_now_us() + (uint64_t)timeout_ms * 1000 + 1;
	if (clock_now_us() < s->wait_until_us) {
		lf_want_epoch(s->host->port, at_least);
		waiting_add(s);
		s->c->blocked = true;
		return 0;
	}
	s->wait_until_us = 0;
	session_error(s, request, 0, &e);
	return -1;
}

uint64_t session_waiting(struct session_host *host, uint64_t now_us)
{
	uint64_t next = UINT64_MAX;
	struct session *s = host->waiting;

	host->waiting = NULL;
	while (s != NULL) {
		struct session *after = s->next_waiting;

		s->waiting = false;
		if (s->wait_until_us > now_us && s->wait_until_us - now_us < next)
			next = s->wait_until_us - now_us;
		/* It tries its frame again, and comes back here if it still has to wait. */
		connection_list(s->c);
		s = after;
	}
	return next;
}

/* --- commands --- */

static struct pending *pending_take(struct session *s)
{
	struct pending *p = s->host->spare;

	if (p != NULL)
		s->host->spare = p->next;
	else
		p = malloc(sizeof(*p));
	if (p != NULL) {
		*p = (struct pending){ .session = s };
		s->pending++;
	}
	return p;
}

static void pending_give(struct pending *p)
{
	struct session_host *host = p->session->host;

	p->session->pending--;
	p->next = host->spare;
	host->spare = p;
}

/* Submit one execution. 1 taken (or refused and answered), 0 the ring is full: later. */
static int command_one(struct session *s, const struct statement *st, uint32_t slot,
	const void *params, uint64_t request, enum lf_ack ack, bool one_shot)
{
	struct pending *p;
	struct error e;

	if (s->pending >= s->host->server->options.requests_max)
		return 0;
	p = pending_take(s);
	if (p == NULL) {
		error_set(&e, ERR_OUT_OF_MEMORY, 0, NULL);
		session_error(s, request, 0, &e);
		return 1;
	}
	p->request = request;
	p->slot = slot;
	p->one_shot = one_shot;
	if (one_shot)
		p->statement = (struct statement *)(uintptr_t)st;
	if (lf_submit(s->host->port, st, params, (uint64_t)(uintptr_t)p, ack, &e) != 0) {
		pending_give(p);
		if (e.code == ERR_OVERLOAD)
			return 0;
		session_error(s, request, 0, &e);
		return one_shot ? 2 : 1;
	}
	if (!one_shot)
		s->slots[slot].used++;
	if (ack == LF_ACCEPTED)
		session_done_item(s, request, 0, 0);
	return 1;
}

void session_reply(void *arg, const struct lf_reply *reply)
{
	struct session_host *host = arg;
	struct pending *p = (struct pending *)(uintptr_t)reply->tag;
	struct session *s = p->session;

	if (!s->c->dead) {
		if (reply->error != NULL) {
			session_error(s, p->request,
				reply->ack == LF_ACCEPTED ? WIRE_FLAG_ASYNC : 0, reply->error);
		} else if (reply->ack != LF_ACCEPTED) {
			struct wire_done done = { reply->epoch, reply->count, reply->parts,
				reply->parts_all };

			if (reply->nrows > 0) {
				struct row_writer w = {
					.s = s, .request = p->request, .epoch = reply->epoch
				};

				for (unsigned i = 0; i < reply->nrows; i++)
					(void)rows_add(
						&w, reply->rows[i], row_size(reply->rows[i]));
				if (w.open)
					rows_end(&w, true);
			}
			if (p->one_shot || reply->nrows > 0 || reply->parts_all != 1)
				session_done(s, p->request, &done);
			else
				session_done_item(s, p->request, reply->epoch, reply->count);
		}
	}
	if (p->one_shot) {
		lf_release(host->engine, p->statement);
	} else {
		session_slot_unuse(s, p->slot);
	}
	pending_give(p);
	connection_list(s->c);
}

/* --- execute --- */

/* The rows of an execution frame; NULL: malformed or invalid, and answered. */
static const unsigned char *params_check(
	struct session *s, const struct statement *st, struct wire_reader *r, uint64_t request)
{
	struct error e;
	uint32_t size = 0;
	const unsigned char *row = r->p;

	if (r->left >= 4)
		memcpy(&size, r->p, sizeof(size));
	if (size < 4 || wire_take(r, size) == NULL) {
		session_violation(s, request, "malformed parameters");
		return NULL;
	}
	if (row_validate(&st->param_layout, row, size, &e) != 0) {
		session_error(s, request, 0, &e);
		return NULL;
	}
	return row;
}

/* True: the frame is done with; false: try it again later. */
bool session_on_execute(struct session *s, uint64_t request, struct wire_reader *r, bool batch)
{
	struct wire_execute head;
	const struct slot *slot;
	const struct statement *st;
	uint64_t epoch = 0;
	bool query;

	wire_get(r, &head, sizeof(head));
	if (r->bad || head.ack > LF_VISIBLE || (!batch && head.count != 1) || head.count == 0) {
		session_violation(s, request, "malformed execute");
		return true;
	}
	slot = session_slot(s, head.handle);
	if (slot == NULL) {
		for (uint32_t i = 0; i < head.count && i <= LIMIT_EXECUTIONS_PER_FRAME; i++)
			session_unknown_statement(s, request + i, head.handle);
		return true;
	}
	st = slot->statement;
	query = st->kind == STATEMENT_SELECT;
	if (query) {
		int status = read_begin(s, head.at_least, head.timeout_ms, request, &epoch);

		if (status <= 0)
			return status < 0;
	}
	for (uint32_t i = 0; i < head.count && !s->c->closing; i++) {
		const unsigned char *row;

		if (i < s->batch_done) {
			uint32_t size;

			memcpy(&size, r->p, sizeof(size));
			(void)wire_take(r, size);
			continue;
		}
		row = params_check(s, st, r, request + i);
		if (row == NULL) {
			s->batch_done = i + 1;
			continue;
		}
		if (query) {
			query_one(s, st, row, request + i, epoch);
		} else if (st->kind == STATEMENT_NOTHING) {
			session_done_item(s, request + i, 0, 0);
		} else if (command_one(s, st, head.handle, row, request + i, (enum lf_ack)head.ack,
				   false) == 0) {
			s->batch_done = i;
			s->c->blocked = true;
			return false;
		}
	}
	if (query)
		lf_read_end(s->host->port);
	s->batch_done = 0;
	if (r->left != 0 && !s->c->closing)
		session_violation(s, request, "bytes behind the parameters");
	return true;
}

/* Text without parameters: prepared, run and released in one. */
bool session_on_query(struct session *s, uint64_t request, struct wire_reader *r)
{
	struct wire_query head;
	struct statement *st;
	uint64_t none[2] = { 0 }, epoch;
	struct error e;
	const char *text;
	size_t len;
	int status = 2;

	wire_get(r, &head, sizeof(head));
	if (r->bad || head.ack > LF_VISIBLE) {
		session_violation(s, request, "malformed query");
		return true;
	}
	text = (const char *)r->p;
	len = r->left;
	if (lf_prepare(&st, s->host->engine, text, len, NULL, 0, &e) != 0) {
		session_error(s, request, 0, &e);
		return true;
	}
	if (st->nparams > 0) {
		error_set(&e, ERR_UNDEFINED_PARAMETER, 0, "there is no parameter $1");
		session_error(s, request, 0, &e);
		lf_release(s->host->engine, st);
		return true;
	}
	row_encode(&st->param_layout, NULL, none);
	if (st->kind == STATEMENT_SELECT) {
		status = read_begin(s, head.at_least, head.timeout_ms, request, &epoch);
		if (status == 1) {
			session_prepared(s, request, UINT32_MAX, st);
			query_one(s, st, none, request, epoch);
			lf_read_end(s->host->port);
		}
		lf_release(s->host->engine, st);
		return status != 0;
	}
	if (st->kind == STATEMENT_NOTHING) {
		struct wire_done done = { .parts = 1, .parts_all = 1 };

		session_prepared(s, request, UINT32_MAX, st);
		session_done(s, request, &done);
		lf_release(s->host->engine, st);
		return true;
	}
	if (s->pending >= s->host->server->options.requests_max) {
		lf_release(s->host->engine, st);
		s->c->blocked = true;
		return false;
	}
	{
		size_t mark = s->c->out.used - s->c->out.head;

		session_prepared(s, request, UINT32_MAX, st);
		status = command_one(s, st, 0, none, request,
			statement_is_ddl(st) ? LF_VISIBLE : (enum lf_ack)head.ack, true);
		if (status == 0) {
			s->c->out.used = s->c->out.head + mark;
			s->c->blocked = true;
		}
	}
	if (status != 1)
		lf_release(s->host->engine, st);
	return status != 0;
}
