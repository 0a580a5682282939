/*
 * session.c: one connection's requests: frames in, answers out.
 *
 * A violation of the protocol is answered with an error and closes the connection. Everything the engine
 * refuses is answered with its error; the connection goes on.
 */
#include <stdio.h>
#include <stdlib.h>

#include "net/server/session_internal.h"

enum { QUIET_MS = 10 };

/* Whose source it is. 1: done; 0: others of it must have ended first, try again later; -1: refused, and answered. */
static int source_hello(struct session *s, uint64_t request, const struct wire_hello *hello,
	struct wire_reader *r, uint64_t *granted)
{
	bool alone = (hello->features & WIRE_FEATURE_ALONE) != 0;
	size_t n = r->left;
	struct error e;

	if ((hello->features & WIRE_FEATURE_SOURCE) == 0 || n == 0 || n > LIMIT_NAME_BYTES)
		return 1;
	*granted = WIRE_FEATURE_SOURCE | (alone ? WIRE_FEATURE_ALONE : 0);
	if (s->feeder == NULL) {
		s->feeder = feeder_get(
			&s->host->server->feeders, (const char *)wire_take(r, n), n, &e);
		if (s->feeder == NULL) {
			session_error(s, request, 0, &e);
			s->c->closing = true;
			return -1;
		}
		s->generation = feeder_generation(s->feeder, alone);
	} else {
		(void)wire_take(r, n);
	}
	if (!alone || feeder_is_quiet(s->feeder)) {
		s->wait_until_us = 0;
		return 1;
	}
	/* Nothing tells when they have; it will not be long. */
	while (!session_wait(s, lf_visible(s->host->engine) + 1, QUIET_MS)) {}
	return 0;
}

/* False: try the same frame again later. */
static bool on_hello(struct session *s, uint64_t request, struct wire_reader *r)
{
	const struct server_options *o = &s->host->server->options;
	struct wire_hello hello;
	struct wire_hello_ok ok = {
		.version = WIRE_VERSION,
		.shards = (uint16_t)o->shards,
		.frame_max = o->frame_max,
		.statements_max = o->statements_max,
		.requests_max = o->requests_max,
		.visible = lf_visible(s->host->engine),
	};
	unsigned char *p;

	wire_get(r, &hello, sizeof(hello));
	if (s->greeted) {
		session_violation(s, request, "hello a second time");
		return true;
	}
	if (!r->bad && hello.magic == WIRE_MAGIC) {
		int status = source_hello(s, request, &hello, r, &ok.features);

		if (status <= 0)
			return status < 0;
	}
	if (r->bad || r->left != 0 || hello.magic != WIRE_MAGIC) {
		session_violation(s, request, "malformed hello");
		return true;
	}
	if (hello.version_min > WIRE_VERSION || hello.version_max < WIRE_VERSION) {
		struct error e;

		error_set(&e, ERR_FEATURE, 0,
			"protocol versions %u to %u are not supported: this is version %d",
			hello.version_min, hello.version_max, WIRE_VERSION);
		session_error(s, request, 0, &e);
		s->c->closing = true;
		return true;
	}
	s->greeted = true;
	ok.features |= hello.features & WIRE_FEATURES;
	p = session_frame(s, WIRE_HELLO_OK, 0, request, sizeof(ok));
	if (p != NULL)
		memcpy(p, &ok, sizeof(ok));
	return true;
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
	info_line(&info, "disks_late", stats.disks_late);
	info_line(&info, "batches", stats.batches);
	info_line(&info, "view_rows", stats.view_rows);
	info_line(&info, "journal_bytes", stats.journal_bytes);
	info_line(&info, "subscriptions", stats.subscriptions);
	info_line(&info, "connections", atomic_load(&s->host->server->connections));
	info_line(&info, "statements", atomic_load(&s->host->server->statements));
	info_line(&info, "accepted_refused", atomic_load(&s->host->server->accepted_refused));
	info_line(&info, "once_answers", stats.once_answers);
	info_line(&info, "once_bytes", stats.once_bytes);
	info_line(&info, "once_clients", stats.once_clients);
	info_line(&info, "once_repeated", stats.once_repeated);
	p = session_frame(s, WIRE_INFO_OK, 0, request, info.n);
	if (p != NULL)
		memcpy(p, info.text, info.n);
}

/* The parameter row comes back as a row of the answer: the client's library takes it where the statement's result has the
 * parameters' types. */
static bool on_echo(struct session *s, uint64_t request, struct wire_reader *r)
{
	const struct wire_rows head = { .count = 1 };
	unsigned char *p;
	size_t n;

	if (wire_take(r, sizeof(struct wire_execute)) == NULL) {
		session_violation(s, request, "malformed execute");
		return true;
	}
	n = r->left;
	p = session_frame(s, WIRE_ROWS, 0, request, sizeof(head) + n);
	if (p != NULL) {
		memcpy(p, &head, sizeof(head));
		wire_get(r, p + sizeof(head), n);
	}
	return true;
}

/* One whole frame. True: done with it. */
static bool on_frame(struct session *s, const struct wire_header *h, struct wire_reader *r)
{
	if (!s->greeted && h->type != WIRE_HELLO) {
		session_violation(s, h->request, "expected hello");
		return true;
	}
	if (h->type != WIRE_EXECUTE)
		session_reads_run(s);
	switch (h->type) {
	case WIRE_HELLO: return on_hello(s, h->request, r);
	case WIRE_PREPARE: session_on_prepare(s, h->request, r); return true;
	case WIRE_CLOSE: session_on_close(s, h->request, r); return true;
	case WIRE_EXECUTE:
		if (s->host->server->options.echo)
			return on_echo(s, h->request, r);
		return session_on_execute(s, h, r);
	case WIRE_EXECUTE_BATCH: return session_on_execute(s, h, r);
	case WIRE_QUERY: return session_on_query(s, h->request, r);
	case WIRE_READ: return session_on_read(s, h->request, r);
	case WIRE_SUBSCRIBE: session_on_subscribe(s, h->request, r); return true;
	case WIRE_UNSUBSCRIBE: session_on_unsubscribe(s, h->request, r); return true;
	case WIRE_PING:
	case WIRE_INFO:
		if (h->length == 0 && h->type == WIRE_PING)
			return session_fence(s, h->request);
		if (h->length != 0)
			session_violation(s, h->request, "a body where there is none");
		else
			on_info(s, h->request);
		return true;
	case WIRE_HOLD: return session_on_hold(s, h->request, r);
	case WIRE_RELEASE: return session_on_release(s, h->request, r);
	case WIRE_EVENTS: session_on_events(s, h->request, r); return true;
	case WIRE_CONSUME: session_on_consume(s, h->request, r); return true;
	case WIRE_ACKNOWLEDGE: session_on_acknowledge(s, h->request, r); return true;
	case WIRE_SCHEMA: session_on_schema(s, h->request, r); return true;
	default: session_violation(s, h->request, "unknown type of frame"); return true;
	}
}

static bool flags_allowed(const struct wire_header *h)
{
	return (h->type == WIRE_EXECUTE || h->type == WIRE_EXECUTE_BATCH) &&
		(h->flags & ~WIRE_FLAGS_EXECUTE) == 0;
}

size_t session_input(struct session *s, const unsigned char *p, size_t n)
{
	struct connection *c = s->c;
	size_t used = 0;

	while (!c->closing && !c->blocked && n - used >= WIRE_HEADER) {
		size_t written = buffer_length(&c->out);
		struct wire_reader r;
		struct wire_header h;

		memcpy(&h, p + used, sizeof(h));
		/* Before anything is allocated for it. */
		if (h.length > s->host->server->options.frame_max) {
			session_violation(s, h.request, "frame too long");
			return n;
		}
		if ((h.flags != 0 && !flags_allowed(&h)) || h.zero != 0) {
			session_violation(s, h.request, "malformed header");
			return n;
		}
		if (n - used - WIRE_HEADER < h.length)
			break;
		if (connection_output(c) > s->host->server->options.output_max) {
			c->blocked = true;
			break;
		}
		if (c->budget <= 0) {
			c->yielded = true;
			break;
		}
		r = (struct wire_reader){ p + used + WIRE_HEADER, h.length, false };
		if (!on_frame(s, &h, &r))
			break;
		used += WIRE_HEADER + h.length;
		c->budget -= WIRE_HEADER + h.length + (h.type == WIRE_QUERY ? QUERY_COST : 0);
		if (buffer_length(&c->out) > written)
			c->budget -= (int64_t)(buffer_length(&c->out) - written);
	}
	session_reads_run(s);
	return c->closing ? n : used;
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
	session_feeds_end(s);
	session_streams_end(s);
	for (uint32_t i = 0; i < s->nslots; i++)
		if (s->slots[i].statement != NULL)
			session_slot_drop(s, i);
	if (s->text != NULL)
		lf_release(s->host->engine, s->text);
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
	return s->pending == 0 && s->nbounded == 0;
}

bool session_streams(const struct session *s)
{
	return s->nstreams > 0;
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
