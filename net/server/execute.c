/*
 * execute.c: commands and queries of a session.
 *
 * A command is submitted to the engine with a `pending` record as its tag; when the reply comes it is
 * written to the connection. A query runs at once, all executions of one frame at one epoch; when it asks
 * for an epoch that is not visible yet, the frame's bytes stay in the input until it is or the time is
 * over, and so do the frames behind it. Reads are put off until one of another statement or something else comes
 * or there are READS_MAX of them: their keys are then looked up together, all at one epoch; those that wait
 * for nothing also across frames. When the engine's ring is full the session is blocked and the same frame is
 * tried again later.
 */
#include <stdlib.h>

#include "core/base/clock.h"
#include "net/server/session_internal.h"

/* A connection that waits is not read, so that its end is not noticed: not for ever. */
enum { WAIT_MS_MAX = LIMIT_WAIT_SECONDS * 1000 };

/* --- queries --- */

/* The answer of one execution under construction. The usual one is a single row or none, written at once when
 * the execution is over; a second row makes it a row_writer's. */
struct answer {
	struct session *s;
	const uint64_t *requests; /* of the executions */
	unsigned at;              /* which */
	uint64_t epoch;
	size_t begin; /* of the answer in the output */
	struct row_writer w;
};

static int answer_row(void *arg, const void *row, uint32_t size)
{
	struct answer *a = arg;

	if (!a->w.open && a->w.count == 0) {
		a->w.request = a->requests[a->at];
		a->begin = buffer_length(&a->s->c->out);
	}
	return rows_add(&a->w, row, size);
}

static void answer_done(void *arg, unsigned i, int status, const struct error *e)
{
	struct answer *a = arg;
	struct session *s = a->s;
	bool any = a->w.open || a->w.count > 0;
	struct error own;

	if (status == 0 && any)
		rows_end(&a->w, false);
	else if (status == 0)
		(void)rows_one(s, a->requests[i], a->epoch, NULL, 0);
	if (status != 0) {
		/* Take back what was written of it. */
		if (any)
			s->c->out.used = s->c->out.head + a->begin;
		if (status == 2)
			error_set(&own, ERR_PROGRAM_LIMIT, 0, "the result exceeds %d bytes",
				LIMIT_RESULT_BYTES);
		else if (status == 1)
			error_set(&own, ERR_OUT_OF_MEMORY, 0, "no memory for the result");
		session_error(s, a->requests[i], 0, status < 0 ? e : &own);
	}
	a->at = i + 1;
	a->w.open = false;
	a->w.count = 0;
}

/* Run executions of a query while an epoch is pinned. */
static void query_run(struct session *s, const struct statement *st, unsigned n,
	const void *const *params, const uint64_t *requests, uint64_t epoch)
{
	struct answer a = {
		.s = s, .requests = requests, .epoch = epoch, .w = { .s = s, .epoch = epoch }
	};

	lf_query_batch(s->host->port, st, n, params, answer_row, answer_done, &a);
}

void session_reads_run(struct session *s)
{
	struct reads *r = &s->host->reads;
	struct error e;
	uint64_t epoch;

	if (r->n == 0)
		return;
	if (r->pinned) {
		query_run(s, r->statement, r->n, r->params, r->requests, r->epoch);
	} else if (lf_read_begin(s->host->port, 0, &epoch, &e) == 0) {
		query_run(s, r->statement, r->n, r->params, r->requests, epoch);
		lf_read_end(s->host->port);
	}
	r->n = 0;
}

static void read_put_off(
	struct session *s, const struct statement *st, const void *params, uint64_t request)
{
	struct reads *r = &s->host->reads;

	if (r->n == READS_MAX || (r->n > 0 && r->statement != st))
		session_reads_run(s);
	r->statement = st;
	r->requests[r->n] = request;
	r->params[r->n++] = params;
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

/* Not visible yet: true: the frame at the head waits for it; false: it has waited long enough. */
bool session_wait(struct session *s, uint64_t epoch, uint32_t timeout_ms)
{
	uint64_t now = clock_now_us();

	if (s->wait_until_us == 0)
		s->wait_until_us = now +
			1000 * (uint64_t)(timeout_ms < WAIT_MS_MAX ? timeout_ms : WAIT_MS_MAX);
	if (now >= s->wait_until_us) {
		s->wait_until_us = 0;
		return false;
	}
	lf_want_epoch(s->host->port, epoch);
	waiting_add(s);
	s->c->blocked = true;
	return true;
}

bool session_fence(struct session *s, uint64_t request)
{
	struct error e;

	/* The errors of accepted commands come before the answer. */
	if (s->pending > 0) {
		s->c->blocked = true;
		return false;
	}
	if (s->accepted_epoch <= lf_visible(s->host->engine)) {
		s->wait_until_us = 0;
		(void)session_frame(s, WIRE_PONG, 0, request, 0);
		return true;
	}
	if (session_wait(s, s->accepted_epoch, WAIT_MS_MAX))
		return false;
	error_set(&e, ERR_NOT_YET, 0, "commands acknowledged as accepted are not visible yet");
	session_error(s, request, 0, &e);
	return true;
}

/* Pin an epoch of at least `at_least`. 1 pinned; 0 wait; -1 not yet, and the `count` executions answered. */
static int read_begin(struct session *s, uint64_t at_least, uint32_t timeout_ms, uint64_t request,
	uint32_t count, uint64_t *epoch)
{
	struct error e;

	if (lf_read_begin(s->host->port, at_least, epoch, &e) == 0) {
		s->wait_until_us = 0;
		return 1;
	}
	if (session_wait(s, at_least, timeout_ms))
		return 0;
	for (uint32_t i = 0; i < count; i++)
		session_error(s, request + i, 0, &e);
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

struct pending *session_pending(struct session *s)
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

void session_pending_give(struct pending *p)
{
	struct session_host *host = p->session->host;

	if (p->fed)
		feeder_leave(p->session->feeder);
	p->session->pending--;
	p->next = host->spare;
	host->spare = p;
}

/* Submit one execution; options: NULL for none. 1 taken (or refused and answered), 0 the ring is full: later; 2 one_shot, refused and
 * answered. */
static int command_one(struct session *s, const struct statement *st, uint32_t slot,
	const void *params, uint64_t request, enum lf_ack ack,
	const struct lf_command_options *options, bool one_shot)
{
	struct pending *p;
	struct error e;
	int status;

	if (s->hold != 0 && session_hold_refuses(s, request, st))
		return one_shot ? 2 : 1;
	if (s->pending >= s->host->server->options.requests_max)
		return 0;
	p = session_pending(s);
	if (p == NULL) {
		error_set(&e, ERR_OUT_OF_MEMORY, 0, NULL);
		session_error(s, request, 0, &e);
		return one_shot ? 2 : 1;
	}
	p->fed = s->feeder != NULL;
	if (p->fed && !feeder_enter(s->feeder, s->generation)) {
		session_pending_give(p);
		error_set(&e, ERR_READ_ONLY, 0, "source \"%s\" has another connection now",
			feeder_name(s->feeder));
		session_error(s, request, 0, &e);
		return one_shot ? 2 : 1;
	}
	p->request = request;
	p->slot = slot;
	p->one_shot = one_shot;
	if (one_shot)
		p->statement = (struct statement *)(uintptr_t)st;
	status = options == NULL
		? lf_submit(s->host->port, st, params, (uint64_t)(uintptr_t)p, ack, &e)
		: lf_submit_with(
			  s->host->port, st, params, (uint64_t)(uintptr_t)p, ack, options, &e);
	if (status != 0) {
		session_pending_give(p);
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

/* The engine refused it; of a command of many parts some may be done. */
static void command_refused(struct session *s, uint64_t request, const struct lf_reply *reply)
{
	struct error e = *reply->error;

	if (reply->parts_all > 1 && e.hint[0] == '\0')
		error_hint(&e, "%u of %u parts were done (%llu rows).", reply->parts,
			reply->parts_all, (unsigned long long)reply->count);
	session_error(s, request, reply->ack == LF_ACCEPTED ? WIRE_FLAG_ASYNC : 0, &e);
}

void session_reply(void *arg, const struct lf_reply *reply)
{
	struct session_host *host = arg;
	struct pending *p = (struct pending *)(uintptr_t)reply->tag;
	struct session *s = p->session;

	if (reply->error != NULL && reply->ack == LF_ACCEPTED)
		atomic_fetch_add(&host->server->accepted_refused, 1);
	if (reply->ack == LF_ACCEPTED && reply->epoch > s->accepted_epoch)
		s->accepted_epoch = reply->epoch;
	if (!s->c->dead) {
		if (reply->error != NULL) {
			command_refused(s, p->request, reply);
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
		if (p->statement != NULL)
			lf_release(host->engine, p->statement);
	} else {
		session_slot_unuse(s, p->slot);
	}
	session_pending_give(p);
	connection_list(s->c);
}

/* --- execute --- */

static bool zeros(const uint8_t z[3])
{
	return z[0] == 0 && z[1] == 0 && z[2] == 0;
}

uint32_t session_row_at(const struct wire_reader *r)
{
	uint32_t size;

	if (r->left < sizeof(size))
		return 0;
	memcpy(&size, r->p, sizeof(size));
	return size >= sizeof(size) && size <= r->left ? size : 0;
}

/* Whether there are `count` rows and nothing behind them: of a malformed frame nothing is executed. */
static bool rows_whole(struct wire_reader r, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t size = session_row_at(&r);

		if (size == 0)
			return false;
		(void)wire_take(&r, size);
	}
	return r.left == 0;
}

/* Take the next row; NULL: it is not one of the statement's parameters, and answered, behind the reads before
 * it. */
static const void *params_take(
	struct session *s, const struct statement *st, struct wire_reader *r, uint64_t request)
{
	uint32_t size = session_row_at(r);
	const void *row = wire_take(r, size);
	struct error e;

	if (row_validate(&st->param_layout, row, size, &e) == 0)
		return row;
	session_reads_run(s);
	session_error(s, request, 0, &e);
	return NULL;
}

/* One read. A scan, of a table or an index, is charged to the connection's share. */
static void read_one(
	struct session *s, const struct statement *st, uint64_t request, struct wire_reader *r)
{
	const void *row = params_take(s, st, r, request);

	if (row != NULL)
		read_put_off(s, st, row, request);
	if (st->query.access.kind == ACCESS_SCAN || st->query.access.kind == ACCESS_RANGE)
		s->c->budget -= QUERY_COST;
}

/* The reads of a frame are all at one epoch. As read_begin(). */
static int frame_begin(
	struct session *s, uint64_t at_least, uint32_t timeout_ms, uint64_t request, uint32_t count)
{
	struct reads *reads = &s->host->reads;
	int status;

	session_reads_run(s);
	status = read_begin(s, at_least, timeout_ms, request, count, &reads->epoch);
	reads->pinned = status > 0;
	return status;
}

static void frame_end(struct session *s)
{
	session_reads_run(s);
	s->host->reads.pinned = false;
	lf_read_end(s->host->port);
}

static bool execute_queries(struct session *s, const struct statement *st,
	const struct wire_execute *head, uint64_t request, struct wire_reader *r)
{
	int status = frame_begin(s, head->at_least, head->timeout_ms, request, head->count);

	if (status <= 0)
		return status < 0;
	for (uint32_t i = 0; i < head->count && !s->c->closing; i++)
		read_one(s, st, request + i, r);
	frame_end(s);
	return true;
}

static bool reads_by_key(
	const struct session *s, const struct statement *st, const struct wire_execute *head)
{
	return head->count == 1 && st->query.access.kind == ACCESS_KEYS &&
		head->at_least <= lf_visible(s->host->engine);
}

/* options: of the first execution; NULL: none. */
static bool execute_commands(struct session *s, const struct statement *st,
	const struct wire_execute *head, uint64_t request, struct lf_command_options *options,
	struct wire_reader *r)
{
	uint64_t first = options != NULL ? options->request : 0;
	struct error e;
	bool refused = session_check_source(s, st, &e) != 0;

	for (uint32_t i = 0; i < head->count && !s->c->closing; i++) {
		const void *row;

		if (i < s->batch_done) {
			(void)wire_take(r, session_row_at(r));
			continue;
		}
		if (options != NULL && options->client != 0)
			options->request = first + i;
		row = params_take(s, st, r, request + i);
		if (row != NULL && refused) {
			session_error(s, request + i, 0, &e);
		} else if (row != NULL && st->kind == STATEMENT_NOTHING) {
			session_done_item(s, request + i, 0, 0);
		} else if (row != NULL &&
			command_one(s, st, head->handle, row, request + i, (enum lf_ack)head->ack,
				options, false) == 0) {
			s->c->blocked = true;
			return false;
		}
		s->batch_done = i + 1;
	}
	s->batch_done = 0;
	return true;
}

static bool once_take(struct wire_reader *r, uint32_t count, struct lf_command_options *o)
{
	struct wire_once once;

	wire_get(r, &once, sizeof(once));
	o->client = once.client;
	o->request = once.request;
	return !r->bad && once.client != 0 && once.request != 0 &&
		once.request <= UINT64_MAX - (count - 1);
}

_Static_assert((int)WIRE_META_MAX == LIMIT_META_BYTES, "the protocol's limit is the engine's");

static bool meta_take(struct wire_reader *r, struct lf_command_options *o)
{
	const unsigned char *p;
	size_t whole;

	wire_get(r, &o->meta_bytes, sizeof(o->meta_bytes));
	if (r->bad || o->meta_bytes > LIMIT_META_BYTES)
		return false;
	whole = wire_meta_size(o->meta_bytes) - sizeof(o->meta_bytes);
	p = wire_take(r, whole);
	o->meta = p;
	for (size_t i = o->meta_bytes; p != NULL && i < whole; i++)
		if (p[i] != 0)
			return false;
	return p != NULL;
}

/* What stands before the rows, by the header's flags. False: it is malformed. */
static bool options_take(
	struct wire_reader *r, uint8_t flags, uint32_t count, struct lf_command_options *o)
{
	*o = (struct lf_command_options){ 0 };
	if ((flags & WIRE_FLAG_ONCE) != 0 && !once_take(r, count, o))
		return false;
	o->expect = (flags & WIRE_FLAG_EXPECT) != 0;
	if (o->expect && !wire_get(r, &o->expected_epoch, sizeof(o->expected_epoch)))
		return false;
	return (flags & WIRE_FLAG_META) == 0 || meta_take(r, o);
}

bool session_on_execute(struct session *s, const struct wire_header *h, struct wire_reader *r)
{
	bool batch = h->type == WIRE_EXECUTE_BATCH;
	uint64_t request = h->request;
	struct lf_command_options options;
	struct wire_execute head;
	const struct slot *slot;

	wire_get(r, &head, sizeof(head));
	if (r->bad || head.ack > LF_VISIBLE || !zeros(head.zero) || head.count == 0 ||
		head.count > (batch ? LIMIT_EXECUTIONS_PER_FRAME : 1) ||
		(h->flags != 0 && !options_take(r, h->flags, head.count, &options)) ||
		(s->batch_done == 0 && !rows_whole(*r, head.count))) {
		session_violation(s, request, "malformed execute");
		return true;
	}
	slot = session_slot(s, head.handle);
	if (slot == NULL) {
		session_reads_run(s);
		for (uint32_t i = 0; i < head.count; i++)
			session_unknown_statement(s, request + i, head.handle);
		return true;
	}
	if (slot->statement->kind != STATEMENT_SELECT)
		return execute_commands(
			s, slot->statement, &head, request, h->flags != 0 ? &options : NULL, r);
	if (!reads_by_key(s, slot->statement, &head))
		return execute_queries(s, slot->statement, &head, request, r);
	read_one(s, slot->statement, request, r);
	return true;
}

/* --- read: executions of any queries, at one epoch --- */

/* Whether there are `count` items, each with a row, and nothing behind them. */
static bool items_whole(struct wire_reader r, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct wire_read_item item;
		uint32_t size;

		wire_get(&r, &item, sizeof(item));
		size = r.bad || item.zero != 0 ? 0 : session_row_at(&r);
		if (size == 0)
			return false;
		(void)wire_take(&r, size);
	}
	return r.left == 0;
}

static void read_item(struct session *s, uint64_t request, struct wire_reader *r)
{
	struct wire_read_item item;
	const struct slot *slot;
	struct error e;

	wire_get(r, &item, sizeof(item));
	slot = session_slot(s, item.handle);
	if (slot != NULL && slot->statement->kind == STATEMENT_SELECT) {
		read_one(s, slot->statement, request, r);
		return;
	}
	session_reads_run(s);
	(void)wire_take(r, session_row_at(r));
	if (slot == NULL) {
		session_unknown_statement(s, request, item.handle);
		return;
	}
	error_set(&e, ERR_SYNTAX, 0, "prepared statement %u is not a query", item.handle);
	session_error(s, request, 0, &e);
}

bool session_on_read(struct session *s, uint64_t request, struct wire_reader *r)
{
	struct wire_read head;
	int status;

	wire_get(r, &head, sizeof(head));
	if (r->bad || head.count == 0 || head.count > LIMIT_EXECUTIONS_PER_FRAME ||
		!items_whole(*r, head.count)) {
		session_violation(s, request, "malformed read");
		return true;
	}
	status = frame_begin(s, head.at_least, head.timeout_ms, request, head.count);
	if (status <= 0)
		return status < 0;
	for (uint32_t i = 0; i < head.count && !s->c->closing; i++)
		read_item(s, request + i, r);
	frame_end(s);
	return true;
}

/* --- query: text without parameters, prepared, run and released in one --- */

static void text_select(struct session *s, const struct statement *st, const void *params,
	uint64_t request, uint64_t at_least)
{
	struct error e;
	uint64_t epoch;

	if (lf_read_begin(s->host->port, at_least, &epoch, &e) != 0) {
		session_error(s, request, 0, &e);
		return;
	}
	session_prepared(s, request, UINT32_MAX, st);
	query_run(s, st, 1, &params, &request, epoch);
	lf_read_end(s->host->port);
}

/* 1: taken, the statement is released with the reply; 2: answered; 0: later. */
static int text_command(struct session *s, const struct statement *st, const void *params,
	uint64_t request, enum lf_ack ack)
{
	size_t mark = buffer_length(&s->c->out);
	int status;

	if (st->kind == STATEMENT_NOTHING) {
		struct wire_done done = { .parts = 1, .parts_all = 1 };

		session_prepared(s, request, UINT32_MAX, st);
		session_done(s, request, &done);
		return 2;
	}
	session_prepared(s, request, UINT32_MAX, st);
	status = command_one(
		s, st, 0, params, request, statement_is_ddl(st) ? LF_VISIBLE : ack, NULL, true);
	if (status == 0) {
		s->c->out.used = s->c->out.head + mark;
		s->c->blocked = true;
	}
	return status;
}

/* The statement of the text, prepared once however often the frame comes here. NULL: refused, and answered. */
static struct statement *text_prepare(struct session *s, uint64_t request, struct wire_reader *r)
{
	struct statement *st = s->text;
	struct error e;

	if (st != NULL) {
		s->text = NULL;
		return st;
	}
	if (lf_prepare(&st, s->host->engine, (const char *)r->p, r->left, NULL, 0, &e) == 0) {
		if (st->nparams > 0)
			error_set(&e, ERR_UNDEFINED_PARAMETER, 0, "there is no parameter $1");
		if (st->nparams > 0 || session_check_source(s, st, &e) != 0) {
			lf_release(s->host->engine, st);
			st = NULL;
		}
	}
	if (st == NULL)
		session_error(s, request, 0, &e);
	return st;
}

bool session_on_query(struct session *s, uint64_t request, struct wire_reader *r)
{
	struct wire_query head;
	struct statement *st;
	uint64_t none[2] = { 0 }, epoch;
	int status = 2;

	wire_get(r, &head, sizeof(head));
	if (r->bad || head.ack > LF_VISIBLE || !zeros(head.zero)) {
		session_violation(s, request, "malformed query");
		return true;
	}
	/* Before parsing: a frame that waits comes here again and again. */
	if (head.at_least > 0) {
		status = read_begin(s, head.at_least, head.timeout_ms, request, 1, &epoch);
		if (status <= 0)
			return status < 0;
		lf_read_end(s->host->port);
		status = 2;
	}
	st = text_prepare(s, request, r);
	if (st == NULL)
		return true;
	row_encode(&st->param_layout, NULL, none);
	if (st->kind == STATEMENT_SELECT)
		text_select(s, st, none, request, head.at_least);
	else
		status = text_command(s, st, none, request, (enum lf_ack)head.ack);
	if (status == 0)
		s->text = st;
	else if (status == 2)
		lf_release(s->host->engine, st);
	return status != 0;
}
