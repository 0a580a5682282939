/*
 * events.c: the event log's streams of a session, and its consumers.
 *
 * EVENTS opens a stream of the engine (lf_stream_open()), whose thread reads; the reactor is woken when a lot of events is
 * ready, and each becomes one frame. No more is taken while the client has not taken what was written before: then the
 * stream waits with one lot, and the thread with nothing. A stream that follows ends with its connection, or by EVENTS with
 * the flag STOP; another one with its last frame.
 */
#include "net/server/session_internal.h"

#include <stdlib.h>

enum { STREAM_OUTPUT_BYTES = KIB(256) /* waiting for a client: beyond, its streams wait */ };

struct stream {
	struct stream *next;
	struct lf_stream *stream;
	uint64_t request;
	bool follow;   /* it does not end by itself */
	bool consumer; /* what it gives is acknowledged */
	bool requeue;
};

/* --- the list --- */

/* Have the reactor look at the connection when streams are ready. */
static void host_add(struct session *s)
{
	if (s->streaming)
		return;
	s->streaming = true;
	s->next_streaming = s->host->streaming;
	s->host->streaming = s;
}

static void host_remove(struct session *s)
{
	struct session **at = &s->host->streaming;

	if (!s->streaming)
		return;
	while (*at != s)
		at = &(*at)->next_streaming;
	*at = s->next_streaming;
	s->streaming = false;
}

static void stream_end(struct session *s, struct stream **at)
{
	struct stream *x = *at;

	*at = x->next;
	lf_stream_close(x->stream);
	s->nstreams--;
	s->nbounded -= !x->follow;
	free(x);
	if (s->nstreams == 0)
		host_remove(s);
}

void session_streams_end(struct session *s)
{
	while (s->streams != NULL)
		stream_end(s, &s->streams);
}

/* --- frames --- */

static void lot_write(struct session *s, const struct stream *x, const struct lf_lot *lot)
{
	struct wire_events head = { lot->reached.epoch, lot->reached.shard, lot->reached.number,
		lot->events, 0 };
	unsigned char *p;

	if (lot->error != NULL) {
		session_error(s, x->request, 0, lot->error);
		return;
	}
	if (x->requeue) {
		struct wire_requeued done = { lot->requeued };

		p = session_frame(s, WIRE_REQUEUED, 0, x->request, sizeof(done));
		if (p != NULL)
			memcpy(p, &done, sizeof(done));
		return;
	}
	p = session_frame(s, WIRE_EVENTS_ARE, lot->last ? 0 : WIRE_FLAG_MORE, x->request,
		sizeof(head) + lot->bytes);
	if (p == NULL)
		return;
	memcpy(p, &head, sizeof(head));
	if (lot->bytes > 0)
		memcpy(p + sizeof(head), lot->data, lot->bytes);
}

/* Write what is ready. False: the stream has ended. */
static bool stream_pump(struct session *s, const struct stream *x)
{
	const struct lf_lot *lot;

	while (!s->c->closing || !x->follow) {
		bool last;

		if (connection_output(s->c) > STREAM_OUTPUT_BYTES)
			return true;
		lot = lf_stream_peek(x->stream);
		if (lot == NULL)
			return true;
		last = lot->last || lot->error != NULL;
		lot_write(s, x, lot);
		lf_stream_take(x->stream);
		if (last)
			return false;
	}
	return true;
}

void session_streams_pump(struct session *s)
{
	for (struct stream **at = &s->streams; *at != NULL;)
		if (stream_pump(s, *at))
			at = &(*at)->next;
		else
			stream_end(s, at);
}

void session_streams_ready(struct session_host *host)
{
	for (struct session *s = host->streaming; s != NULL; s = s->next_streaming)
		connection_list(s->c);
}

/* --- the request --- */

/* One that has ended in the meantime, whose end the client has not seen yet, is passed over. */
static void stream_stop(struct session *s, uint64_t request)
{
	struct stream **at = &s->streams;
	struct error e;

	while (*at != NULL && (*at)->request != request)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	error_set(&e, ERR_CANCELED, 0, "the stream of events was stopped");
	session_error(s, request, 0, &e);
	stream_end(s, at);
}

/* A record for another stream; NULL: refused, and answered. */
static struct stream *stream_new(struct session *s, uint64_t request)
{
	struct stream *x = NULL;
	struct error e;

	if (s->nstreams >= LIMIT_STREAMS_PER_SESSION) {
		error_set(&e, ERR_LIMIT, 0, "more than %d streams of events",
			LIMIT_STREAMS_PER_SESSION);
	} else {
		x = calloc(1, sizeof(*x));
		if (x == NULL)
			error_set(&e, ERR_OUT_OF_MEMORY, 0, NULL);
	}
	if (x == NULL)
		session_error(s, request, 0, &e);
	else
		x->request = request;
	return x;
}

/* The engine has opened its stream, or refused (status, e). */
static void stream_start(struct session *s, struct stream *x, int status, const struct error *e)
{
	if (status != 0) {
		session_error(s, x->request, 0, e);
		free(x);
		return;
	}
	x->next = s->streams;
	s->streams = x;
	s->nstreams++;
	s->nbounded += !x->follow;
	host_add(s);
	session_streams_pump(s);
}

static const char *text_take(struct session *s, struct wire_reader *r, uint16_t n)
{
	const char *p = wire_take(r, n);

	return n == 0 || p == NULL ? NULL : arena_strdup(&s->host->scratch, p, n);
}

void session_on_events(struct session *s, uint64_t request, struct wire_reader *r)
{
	struct lf_events_options o = { .from = LF_EVENTS_BEHIND };
	struct wire_events_from head;
	struct stream *x;
	struct error e;
	int status;

	wire_get(r, &head, sizeof(head));
	arena_reset(&s->host->scratch);
	o.table = text_take(s, r, head.table_length);
	o.key = text_take(s, r, head.key_length);
	if (r->bad || r->left != 0 || head.zero != 0 || head.flags > WIRE_EVENTS_FLAGS ||
		(head.flags & WIRE_EVENTS_OLDEST && head.flags & WIRE_EVENTS_NOW) ||
		(head.flags & WIRE_EVENTS_STOP && head.flags != WIRE_EVENTS_STOP)) {
		session_violation(s, request, "malformed events");
		return;
	}
	if (head.flags & WIRE_EVENTS_STOP) {
		stream_stop(s, request);
		return;
	}
	if ((head.table_length > 0 && o.table == NULL) || (head.key_length > 0 && o.key == NULL)) {
		error_set(&e, ERR_OUT_OF_MEMORY, 0, NULL);
		session_error(s, request, 0, &e);
		return;
	}
	o.after = (struct event_id){ head.epoch, head.shard, head.number };
	if (head.flags & WIRE_EVENTS_OLDEST)
		o.from = LF_EVENTS_OLDEST;
	else if (head.flags & WIRE_EVENTS_NOW)
		o.from = LF_EVENTS_NOW;
	x = stream_new(s, request);
	if (x == NULL)
		return;
	x->follow = head.flags & WIRE_EVENTS_FOLLOW;
	status = lf_stream_open(&x->stream, s->host->port, &o, x->follow, &e);
	stream_start(s, x, status, &e);
}

/* --- consumers --- */

static void consume(
	struct session *s, struct stream *x, const struct wire_consume *head, const char *name)
{
	struct event_id id = { head->epoch, head->shard, head->number };
	struct lf_consume_options o = { .name = name,
		.from = head->flags & WIRE_EVENTS_OLDEST ? LF_EVENTS_OLDEST
			: head->flags & WIRE_EVENTS_NOW  ? LF_EVENTS_NOW
							 : LF_EVENTS_BEHIND,
		.after = id,
		.reset = head->flags & WIRE_CONSUME_RESET,
		.ack_ms = head->ack_ms,
		.attempts_max = head->attempts_max,
		.inflight_max = head->inflight_max };
	struct error e;
	int status;

	x->requeue = head->flags & WIRE_CONSUME_REQUEUE;
	x->follow = x->consumer = !x->requeue;
	status = x->requeue ? lf_consume_requeue(&x->stream, s->host->port, name,
				      head->flags & WIRE_CONSUME_ALL ? NULL : &id, &e)
			    : lf_consume_open(&x->stream, s->host->port, &o, &e);
	stream_start(s, x, status, &e);
}

/* Which flags go together. */
static bool consume_flags(uint32_t flags)
{
	switch (flags & ~(uint32_t)WIRE_CONSUME_RESET) {
	case 0:
	case WIRE_EVENTS_OLDEST:
	case WIRE_EVENTS_NOW: return true;
	case WIRE_EVENTS_STOP:
	case WIRE_CONSUME_REQUEUE:
	case WIRE_CONSUME_REQUEUE | WIRE_CONSUME_ALL: return !(flags & WIRE_CONSUME_RESET);
	default: return false;
	}
}

void session_on_consume(struct session *s, uint64_t request, struct wire_reader *r)
{
	struct wire_consume head;
	struct stream *x;
	const char *name;

	wire_get(r, &head, sizeof(head));
	arena_reset(&s->host->scratch);
	name = text_take(s, r, head.name_length);
	if (r->bad || r->left != 0 || head.zero != 0 || head.zero_too != 0 ||
		!consume_flags(head.flags)) {
		session_violation(s, request, "malformed consume");
		return;
	}
	if (head.flags & WIRE_EVENTS_STOP) {
		stream_stop(s, request);
		return;
	}
	x = stream_new(s, request);
	if (x != NULL)
		consume(s, x, &head, name);
}

_Static_assert(sizeof(struct wire_event_id) == sizeof(struct event_id) &&
		offsetof(struct wire_event_id, number) == offsetof(struct event_id, number),
	"ids are taken as they come");

void session_on_acknowledge(struct session *s, uint64_t request, struct wire_reader *r)
{
	static const enum lf_settle HOW[] = { LF_SETTLE_ACKNOWLEDGE, LF_SETTLE_REJECT,
		LF_SETTLE_DEAD };
	const struct stream *x = s->streams;
	struct wire_acknowledge head;
	struct event_id *ids;
	size_t n;

	wire_get(r, &head, sizeof(head));
	n = head.count * sizeof(struct wire_event_id);
	if (r->bad || head.how > 2 || head.count == 0 || head.count > WIRE_ACKNOWLEDGE_MAX ||
		r->left != n) {
		session_violation(s, request, "malformed acknowledge");
		return;
	}
	/* Of one that has ended in the meantime: its events are given again. The same without memory. */
	while (x != NULL && (x->request != request || !x->consumer))
		x = x->next;
	arena_reset(&s->host->scratch);
	ids = arena_alloc(&s->host->scratch, n);
	if (x == NULL || ids == NULL)
		return;
	wire_get(r, ids, n);
	lf_consume_settle(x->stream, HOW[head.how], ids, head.count);
}
