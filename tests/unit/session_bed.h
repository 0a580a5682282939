/*
 * session_bed.h: a session without sockets or threads, for tests: an engine in stepped mode, one port and
 * one connection whose bytes are given and taken by the test. What it does depends on its input only.
 */
#ifndef LF_TESTS_SESSION_BED_H
#define LF_TESTS_SESSION_BED_H

#include <stdlib.h>

#include "core/base/assert.h"
#include "core/base/clock.h"
#include "core/base/limits.h"
#include "net/server/connection.h"

struct bed {
	struct server server;
	struct session_host host;
	struct connection c;
};

/* The reactor's list of connections with something to do: here there is one, which is always looked at. */
void connection_list(struct connection *c)
{
	c->listed = true;
}

/* data: a directory for it, with an event log; NULL: none. */
static struct lf_engine *bed_engine_in(unsigned projectors, const char *data)
{
	struct lf_options o = lf_options_default();
	struct lf_engine *engine;
	struct error e;
	int status;

	o.projectors = projectors;
	o.ports_max = 2;
	o.stepped = true;
	o.fixed_now_us = 1;
	o.rows_max = 100000;
	o.data = data;
	o.event_log = data != NULL;
	o.segment_bytes = LIMIT_SEGMENT_BYTES_MIN;
	status = lf_engine_open(&engine, &o, &e);
	ASSERT(status == 0);
	return engine;
}

static inline struct lf_engine *bed_engine(unsigned projectors)
{
	return bed_engine_in(projectors, NULL);
}

/* A connection to an engine in stepped mode. */
static void bed_open(struct bed *b, struct lf_engine *engine, unsigned projectors)
{
	struct error e;
	int status;

	memset(b, 0, sizeof(*b));
	b->server.options = (struct server_options){
		.reactors = 1,
		.shards = projectors,
		.connections_max = 1,
		.frame_max = LIMIT_FRAME_BYTES,
		.output_max = MIB(8),
		.statements_max = 8,
		.requests_max = 64,
	};
	b->server.engine = engine;
	b->host.server = &b->server;
	b->host.engine = b->server.engine;
	arena_init(&b->host.scratch, NULL);
	status = lf_port_open(&b->host.port, b->server.engine, NULL, NULL, &e);
	ASSERT(status == 0);
	b->c.session = session_new(&b->host, &b->c);
	ASSERT(b->c.session != NULL);
}

/* Everything that is under way, until it rests. */
static void bed_settle(struct bed *b)
{
	uint64_t timeout_us = UINT64_MAX;

	do {
		b->host.feeds_not_before_us = 0;
		lf_flush(b->host.port);
		lf_settle(b->host.engine);
		if (lf_port_streams(b->host.port))
			session_streams_pump(b->c.session);
		/* At a time that stands still: no progress is told. */
	} while (lf_poll(b->host.port, session_reply, &b->host) > 0 ||
		session_feeds(&b->host, 1, &timeout_us));
	(void)session_waiting(&b->host, clock_now_us());
}

/* Give the session n more bytes; the answers are in b->c.out. Gives up on a frame that waits for longer than
 * it may (for an epoch that does not come). */
static void bed_input(struct bed *b, const void *bytes, size_t n)
{
	struct connection *c = &b->c;
	unsigned char *room = buffer_room(&c->in, n);
	unsigned stuck = 0;

	ASSERT(room != NULL);
	if (n > 0)
		memcpy(room, bytes, n);
	c->in.used += n;
	while (!c->closing && stuck < 100) {
		size_t used;

		c->blocked = c->yielded = false;
		c->budget = ROUND_BYTES;
		used = session_input(c->session, c->in.data + c->in.head, buffer_length(&c->in));
		buffer_consume(&c->in, used);
		bed_settle(b);
		if (!c->blocked && !c->yielded)
			break;
		stuck = used > 0 ? 0 : stuck + 1;
	}
}

/* The engine is the caller's to close. */
static void bed_close(struct bed *b)
{
	bool freed;

	b->c.dead = true;
	session_hold_end(b->c.session);
	bed_settle(b);
	freed = session_free(b->c.session);
	ASSERT(freed);
	buffer_free(&b->c.in);
	buffer_free(&b->c.out);
	ASSERT(atomic_load(&b->server.statements) == 0);
	lf_port_close(b->host.port);
	session_host_free(&b->host);
}

#endif
