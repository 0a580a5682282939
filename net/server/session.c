/*
 * session.c: one connection's requests: frames in, answers out.
 *
 * A command is submitted to the engine with a `pending` record as its tag; when the reply comes it is written
 * to the connection, replies in one round that simply succeeded sharing one DONE_BATCH frame. A query
 * runs at once, all executions of one frame at one epoch; when it asks for an epoch that is not visible yet,
 * the frame's bytes stay in the input until it is or the time is over, and so do the frames behind it.
 *
 * A violation of the protocol is answered with an error and closes the connection. Everything the engine
 * refuses is answered with its error; the connection goes on. When the engine's ring is full the session
 * is blocked and the same frame is tried again later.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "net/server/connection.h"
#include "net/wire/wire.h"

enum { ROWS_FRAME_BYTES = KIB(64), STATEMENTS_FIRST = 16 };

struct slot {
	struct statement *statement;
	uint32_t used; /* executions under way */
	bool closed;   /* release it when they are answered */
};

struct pending {
	struct pending *next;
	struct session *session;
	uint64_t request;
	uint32_t slot;
	bool one_shot; /* of QUERY: answer by itself, release the statement */
	struct statement *statement;
};

struct session {
	struct session_host *host;
	struct connection *c;
	struct slot *slots;
	uint32_t nslots, open;
	uint32_t pending; /* requests the engine has */
	bool greeted;
	uint64_t now_us;
	uint32_t batch_done;    /* executions of the frame at the head already submitted */
	uint64_t wait_until_us; /* of the frame at the head; 0: it does not wait */
	bool waiting;           /* in host->waiting */
	struct session *next_waiting;
	size_t done_at;     /* DONE_BATCH frame under construction: its offset in `out`, plus one */
	uint64_t done_used; /* where `out` ended then: still the end, or something came behind */
};

/* --- writing --- */

static unsigned char *frame(
	struct session *s, enum wire_type type, uint8_t flags, uint64_t request, size_t length)
{
	struct wire_header h = { (uint32_t)length, (uint8_t)type, flags, 0, request };
	unsigned char *p = buffer_room(&s->c->out, sizeof(h) + length);

	if (p == NULL) {
		/* Without memory for the answer the client cannot be told; it sees the end. */
		s->c->closing = true;
		return NULL;
	}
	memcpy(p, &h, sizeof(h));
	s->c->out.used += sizeof(h) + length;
	connection_list(s->c);
	return p + sizeof(h);
}

static void write_error(struct session *s, uint64_t request, uint8_t flags, const struct error *e)
{
	size_t m = strlen(e->message), d = strlen(e->detail), h = strlen(e->hint);
	struct wire_error w = { .message_length = (uint16_t)m,
		.detail_length = (uint16_t)d,
		.hint_length = (uint16_t)h,
		.position = e->position };
	unsigned char *p = frame(s, WIRE_ERROR, flags, request, sizeof(w) + m + d + h);

	if (p == NULL)
		return;
	memcpy(w.sqlstate, error_sqlstate(e->code), sizeof(w.sqlstate));
	memcpy(p, &w, sizeof(w));
	memcpy(p + sizeof(w), e->message, m);
	memcpy(p + sizeof(w) + m, e->detail, d);
	memcpy(p + sizeof(w) + m + d, e->hint, h);
}

static void violation(struct session *s, uint64_t request, const char *what)
{
	struct error e;

	error_set(&e, ERR_PROTOCOL, 0, "protocol violation: %s", what);
	write_error(s, request, 0, &e);
	s->c->closing = true;
}

void session_fail(struct session *s, enum error_code code, const char *message)
{
	struct error e;

	error_set(&e, code, 0, message == NULL ? NULL : "%s", message);
	write_error(s, 0, WIRE_FLAG_ASYNC, &e);
	s->c->closing = true;
	connection_list(s->c);
}

static void write_done(struct session *s, uint64_t request, const struct wire_done *done)
{
	unsigned char *p = frame(s, WIRE_DONE, 0, request, sizeof(*done));

	if (p != NULL)
		memcpy(p, done, sizeof(*done));
}

/* A plain success: added to the DONE_BATCH frame at the end of the output, if that is what is there. */
static void write_done_item(struct session *s, uint64_t request, uint64_t epoch, uint64_t count)
{
	struct wire_done_item item = { request, epoch, count };
	struct buffer *out = &s->c->out;

	if (s->done_at != 0 && out->head == 0 && out->used == s->done_used) {
		unsigned char *p = buffer_room(out, sizeof(item));
		struct wire_header h;

		if (p == NULL) {
			s->c->closing = true;
			return;
		}
		memcpy(&h, out->data + s->done_at - 1, sizeof(h));
		h.length += (uint32_t)sizeof(item);
		memcpy(out->data + s->done_at - 1, &h, sizeof(h));
		memcpy(p, &item, sizeof(item));
		out->used += sizeof(item);
	} else {
		size_t at = out->used - out->head;
		unsigned char *p = frame(s, WIRE_DONE_BATCH, 0, request, sizeof(item));

		if (p == NULL)
			return;
		memcpy(p, &item, sizeof(item));
		s->done_at = out->head == 0 ? at + 1 : 0;
	}
	s->done_used = out->used;
}

/* --- rows --- */

struct row_writer {
	struct session *s;
	uint64_t request, epoch;
	size_t begin; /* of the frame under construction, relative to out.head */
	uint32_t count;
	bool open;
};

static int rows_begin(struct row_writer *w)
{
	struct wire_rows head = { .epoch = w->epoch };
	unsigned char *p;

	w->begin = buffer_length(&w->s->c->out);
	p = frame(w->s, WIRE_ROWS, 0, w->request, sizeof(head));
	if (p == NULL)
		return 1;
	memcpy(p, &head, sizeof(head));
	w->count = 0;
	w->open = true;
	return 0;
}

static void rows_end(struct row_writer *w, bool more)
{
	struct buffer *out = &w->s->c->out;
	unsigned char *at = out->data + out->head + w->begin;
	struct wire_header h;
	struct wire_rows head = { .epoch = w->epoch, .count = w->count };

	memcpy(&h, at, sizeof(h));
	h.length = (uint32_t)(buffer_length(out) - w->begin - sizeof(h));
	h.flags = more ? WIRE_FLAG_MORE : 0;
	memcpy(at, &h, sizeof(h));
	memcpy(at + sizeof(h), &head, sizeof(head));
	w->open = false;
}

static int rows_add(void *arg, const void *row, uint32_t size)
{
	struct row_writer *w = arg;
	struct buffer *out = &w->s->c->out;
	unsigned char *p;

	if (w->open && w->count > 0 && buffer_length(out) - w->begin + size > ROWS_FRAME_BYTES)
		rows_end(w, true);
	if (!w->open && rows_begin(w) != 0)
		return 1;
	if (buffer_length(out) > LIMIT_RESULT_BYTES)
		return 2;
	p = buffer_room(out, size);
	if (p == NULL)
		return 1;
	memcpy(p, row, size);
	out->used += size;
	w->count++;
	return 0;
}

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
	write_error(s, request, 0, &e);
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
	write_error(s, request, 0, &e);
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

/* --- statements --- */

static int slot_take(struct session *s, uint32_t *out)
{
	struct slot *grown;
	uint32_t n;

	for (uint32_t i = 0; i < s->nslots; i++)
		if (s->slots[i].statement == NULL) {
			*out = i;
			return 0;
		}
	n = s->nslots == 0 ? STATEMENTS_FIRST : 2 * s->nslots;
	grown = realloc(s->slots, n * sizeof(*grown));
	if (grown == NULL)
		return -1;
	memset(grown + s->nslots, 0, (n - s->nslots) * sizeof(*grown));
	*out = s->nslots;
	s->slots = grown;
	s->nslots = n;
	return 0;
}

static void slot_release(struct session *s, uint32_t i)
{
	struct slot *slot = &s->slots[i];

	if (slot->used > 0) {
		slot->closed = true;
		return;
	}
	lf_release(s->host->engine, slot->statement);
	*slot = (struct slot){ NULL, 0, false };
	s->open--;
}

static void write_prepared(
	struct session *s, uint64_t request, uint32_t handle, const struct statement *st)
{
	const char *tag = statement_tag(st);
	size_t length = sizeof(struct wire_prepared) + 4 * (size_t)st->nparams, at;
	struct wire_prepared head = {
		.handle = handle,
		.nparams = (uint16_t)st->nparams,
		.nresults = (uint16_t)st->nresults,
		.kind = st->kind == STATEMENT_SELECT ? WIRE_KIND_QUERY
			: statement_is_command(st)   ? WIRE_KIND_COMMAND
						     : WIRE_KIND_SCHEMA,
		.tag_length = (uint16_t)strlen(tag),
		.notice_length = st->notice == NULL ? 0 : (uint32_t)strlen(st->notice),
	};
	unsigned char *p;

	for (unsigned i = 0; i < st->nresults; i++)
		length += 6 + strlen(st->results[i].name);
	p = frame(s, WIRE_PREPARED, 0, request, length + head.notice_length + head.tag_length);
	if (p == NULL)
		return;
	memcpy(p, &head, sizeof(head));
	at = sizeof(head);
	for (unsigned i = 0; i < st->nparams; i++, at += 4)
		memcpy(p + at, &st->params[i], 4);
	for (unsigned i = 0; i < st->nresults; i++) {
		uint16_t n = (uint16_t)strlen(st->results[i].name);

		memcpy(p + at, &st->results[i].type, 4);
		memcpy(p + at + 4, &n, sizeof(n));
		memcpy(p + at + 6, st->results[i].name, n);
		at += 6u + n;
	}
	if (head.notice_length > 0)
		memcpy(p + at, st->notice, head.notice_length);
	memcpy(p + at + head.notice_length, tag, head.tag_length);
}

static void on_prepare(struct session *s, uint64_t request, struct wire_reader *r)
{
	struct wire_prepare head;
	enum type_id declared[256];
	const unsigned char *types;
	const char *text;
	struct statement *st;
	struct error e;
	uint32_t handle;

	wire_get(r, &head, sizeof(head));
	types = wire_take(r, head.ndeclared);
	text = wire_take(r, head.text_length);
	if (r->bad || r->left != 0 || head.ndeclared > 256) {
		violation(s, request, "malformed prepare");
		return;
	}
	for (unsigned i = 0; i < head.ndeclared; i++)
		declared[i] = types[i] < TYPE_COUNT ? (enum type_id)types[i] : TYPE_UNKNOWN;
	if (s->open >= s->host->server->options.statements_max) {
		error_set(&e, ERR_LIMIT, 0, "more than %u prepared statements in one connection",
			s->host->server->options.statements_max);
		write_error(s, request, 0, &e);
		return;
	}
	if (lf_prepare(&st, s->host->engine, text, head.text_length, declared, head.ndeclared,
		    &e) != 0) {
		write_error(s, request, 0, &e);
		return;
	}
	if (slot_take(s, &handle) != 0) {
		lf_release(s->host->engine, st);
		error_set(&e, ERR_OUT_OF_MEMORY, 0, NULL);
		write_error(s, request, 0, &e);
		return;
	}
	s->slots[handle] = (struct slot){ st, 0, false };
	s->open++;
	write_prepared(s, request, handle, st);
}

static struct slot *slot_find(struct session *s, uint32_t handle)
{
	if (handle >= s->nslots || s->slots[handle].statement == NULL || s->slots[handle].closed)
		return NULL;
	return &s->slots[handle];
}

static void unknown_statement(struct session *s, uint64_t request, uint32_t handle)
{
	struct error e;

	error_set(&e, ERR_UNKNOWN_STATEMENT, 0, "prepared statement %u does not exist", handle);
	write_error(s, request, 0, &e);
}

static void on_close(struct session *s, uint64_t request, struct wire_reader *r)
{
	uint32_t handle;

	wire_get(r, &handle, sizeof(handle));
	if (r->bad || r->left != 0) {
		violation(s, request, "malformed close");
		return;
	}
	if (slot_find(s, handle) == NULL) {
		unknown_statement(s, request, handle);
		return;
	}
	slot_release(s, handle);
	(void)frame(s, WIRE_CLOSED, 0, request, 0);
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
		write_error(s, request, 0, &e);
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
		write_error(s, request, 0, &e);
		return one_shot ? 2 : 1;
	}
	if (!one_shot)
		s->slots[slot].used++;
	if (ack == LF_ACCEPTED)
		write_done_item(s, request, 0, 0);
	return 1;
}

void session_reply(void *arg, const struct lf_reply *reply)
{
	struct session_host *host = arg;
	struct pending *p = (struct pending *)(uintptr_t)reply->tag;
	struct session *s = p->session;

	if (!s->c->dead) {
		if (reply->error != NULL) {
			write_error(s, p->request, reply->ack == LF_ACCEPTED ? WIRE_FLAG_ASYNC : 0,
				reply->error);
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
				write_done(s, p->request, &done);
			else
				write_done_item(s, p->request, reply->epoch, reply->count);
		}
	}
	if (p->one_shot) {
		lf_release(host->engine, p->statement);
	} else {
		struct slot *slot = &s->slots[p->slot];

		if (--slot->used == 0 && slot->closed)
			slot_release(s, p->slot);
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
		violation(s, request, "malformed parameters");
		return NULL;
	}
	if (row_validate(&st->param_layout, row, size, &e) != 0) {
		write_error(s, request, 0, &e);
		return NULL;
	}
	return row;
}

/* True: the frame is done with; false: try it again later. */
static bool on_execute(struct session *s, uint64_t request, struct wire_reader *r, bool batch)
{
	struct wire_execute head;
	const struct slot *slot;
	const struct statement *st;
	uint64_t epoch = 0;
	bool query;

	wire_get(r, &head, sizeof(head));
	if (r->bad || head.ack > LF_VISIBLE || (!batch && head.count != 1) || head.count == 0) {
		violation(s, request, "malformed execute");
		return true;
	}
	slot = slot_find(s, head.handle);
	if (slot == NULL) {
		for (uint32_t i = 0; i < head.count && i <= LIMIT_EXECUTIONS_PER_FRAME; i++)
			unknown_statement(s, request + i, head.handle);
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
			write_done_item(s, request + i, 0, 0);
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
		violation(s, request, "bytes behind the parameters");
	return true;
}

/* Text without parameters: prepared, run and released in one. */
static bool on_query(struct session *s, uint64_t request, struct wire_reader *r)
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
		violation(s, request, "malformed query");
		return true;
	}
	text = (const char *)r->p;
	len = r->left;
	if (lf_prepare(&st, s->host->engine, text, len, NULL, 0, &e) != 0) {
		write_error(s, request, 0, &e);
		return true;
	}
	if (st->nparams > 0) {
		error_set(&e, ERR_UNDEFINED_PARAMETER, 0, "there is no parameter $1");
		write_error(s, request, 0, &e);
		lf_release(s->host->engine, st);
		return true;
	}
	row_encode(&st->param_layout, NULL, none);
	if (st->kind == STATEMENT_SELECT) {
		status = read_begin(s, head.at_least, head.timeout_ms, request, &epoch);
		if (status == 1) {
			write_prepared(s, request, UINT32_MAX, st);
			query_one(s, st, none, request, epoch);
			lf_read_end(s->host->port);
		}
		lf_release(s->host->engine, st);
		return status != 0;
	}
	if (st->kind == STATEMENT_NOTHING) {
		struct wire_done done = { .parts = 1, .parts_all = 1 };

		write_prepared(s, request, UINT32_MAX, st);
		write_done(s, request, &done);
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

		write_prepared(s, request, UINT32_MAX, st);
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

/* --- the rest --- */

static void on_hello(struct session *s, uint64_t request, struct wire_reader *r)
{
	const struct server_options *o = &s->host->server->options;
	struct wire_hello hello;
	struct wire_hello_ok ok = {
		.version = WIRE_VERSION,
		.frame_max = o->frame_max,
		.statements_max = o->statements_max,
		.requests_max = o->requests_max,
		.visible = lf_visible(s->host->engine),
	};
	unsigned char *p;

	wire_get(r, &hello, sizeof(hello));
	if (r->bad || hello.magic != WIRE_MAGIC || s->greeted) {
		violation(s, request, "expected hello");
		return;
	}
	if (hello.version_min > WIRE_VERSION || hello.version_max < WIRE_VERSION) {
		struct error e;

		error_set(&e, ERR_FEATURE, 0,
			"protocol versions %u to %u are not supported: this is version %d",
			hello.version_min, hello.version_max, WIRE_VERSION);
		write_error(s, request, 0, &e);
		s->c->closing = true;
		return;
	}
	s->greeted = true;
	p = frame(s, WIRE_HELLO_OK, 0, request, sizeof(ok));
	if (p != NULL)
		memcpy(p, &ok, sizeof(ok));
}

struct info {
	char text[4096];
	size_t n;
};

static void info_line(struct info *i, const char *key, uint64_t value)
{
	int n = snprintf(i->text + i->n, sizeof(i->text) - i->n, "%s %llu\n", key,
		(unsigned long long)value);

	if (n > 0 && (size_t)n < sizeof(i->text) - i->n)
		i->n += (size_t)n;
}

static void on_info(struct session *s, uint64_t request)
{
	struct info info = { .n = 0 };
	struct lf_stats stats;
	unsigned char *p;

	lf_stats(s->host->engine, &stats);
	info_line(&info, "commands", stats.commands);
	info_line(&info, "refused", stats.refused);
	info_line(&info, "epoch", stats.epoch);
	info_line(&info, "visible", stats.visible);
	info_line(&info, "rows", stats.rows);
	info_line(&info, "memory_used", stats.memory_used);
	info_line(&info, "memory_limit", stats.memory_limit);
	info_line(&info, "connections", atomic_load(&s->host->server->connections));
	p = frame(s, WIRE_INFO_OK, 0, request, info.n);
	if (p != NULL)
		memcpy(p, info.text, info.n);
}

/* One whole frame. True: done with it. */
static bool on_frame(struct session *s, const struct wire_header *h, struct wire_reader *r)
{
	if (!s->greeted && h->type != WIRE_HELLO) {
		violation(s, h->request, "expected hello");
		return true;
	}
	switch (h->type) {
	case WIRE_HELLO: on_hello(s, h->request, r); return true;
	case WIRE_PREPARE: on_prepare(s, h->request, r); return true;
	case WIRE_CLOSE: on_close(s, h->request, r); return true;
	case WIRE_EXECUTE: return on_execute(s, h->request, r, false);
	case WIRE_EXECUTE_BATCH: return on_execute(s, h->request, r, true);
	case WIRE_QUERY: return on_query(s, h->request, r);
	case WIRE_PING: (void)frame(s, WIRE_PONG, 0, h->request, 0); return true;
	case WIRE_INFO: on_info(s, h->request); return true;
	default: violation(s, h->request, "unknown type of frame"); return true;
	}
}

size_t session_input(struct session *s, const unsigned char *p, size_t n)
{
	size_t used = 0;

	while (!s->c->closing && !s->c->blocked && n - used >= WIRE_HEADER) {
		struct wire_reader r;
		struct wire_header h;

		memcpy(&h, p + used, sizeof(h));
		/* Before anything is allocated for it. */
		if (h.length > s->host->server->options.frame_max || h.zero != 0) {
			violation(s, h.request, "frame too long or malformed");
			return n;
		}
		if (n - used - WIRE_HEADER < h.length)
			break;
		r = (struct wire_reader){ p + used + WIRE_HEADER, h.length, false };
		if (!on_frame(s, &h, &r))
			break;
		used += WIRE_HEADER + h.length;
	}
	return s->c->closing ? n : used;
}

struct session *session_new(struct session_host *host, struct connection *c)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s != NULL) {
		s->host = host;
		s->c = c;
	}
	return s;
}

bool session_free(struct session *s)
{
	if (s->pending > 0 || s->waiting)
		return false;
	for (uint32_t i = 0; i < s->nslots; i++)
		if (s->slots[i].statement != NULL)
			lf_release(s->host->engine, s->slots[i].statement);
	free(s->slots);
	free(s);
	return true;
}

bool session_greeted(const struct session *s)
{
	return s->greeted;
}

bool session_quiet(const struct session *s)
{
	return s->pending == 0;
}

void session_host_free(struct session_host *host)
{
	while (host->spare != NULL) {
		struct pending *p = host->spare;

		host->spare = p->next;
		free(p);
	}
	arena_free(&host->scratch);
}
