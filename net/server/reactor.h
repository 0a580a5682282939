/*
 * reactor.h: a thread that serves connections on one io_uring.
 *
 * Reactor 0 accepts and deals connections out in turn. Each connection belongs to one reactor, which
 * reads its frames into a session (session.h), submits commands through its port of the engine, runs
 * queries itself, and sends what the session has written.
 */
#ifndef LF_NET_SERVER_REACTOR_H
#define LF_NET_SERVER_REACTOR_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/engine.h"
#include "net/server/feeder.h"

/* What the flags of the server say; see limits.h for the defaults. */
struct server_options {
	unsigned reactors;
	unsigned shards;          /* of the engine: told to clients */
	bool echo;                /* EXECUTE's row comes back at once: for benchmarks */
	bool shared;              /* reactors step the projectors, in turn one each */
	unsigned spin_us;         /* a reactor without work looks for it so long before it sleeps */
	unsigned connections_max; /* 53300 beyond */
	uint32_t frame_max;       /* 08P01 beyond */
	uint64_t output_max;      /* bytes waiting for one client before it is not read any more */
	unsigned statements_max;  /* a session; 53400 beyond */
	unsigned requests_max;    /* unanswered, a session, before it is not read any more */
	unsigned idle_s, slow_s, hello_s; /* 0: never */
};

struct reactor;

struct server {
	struct server_options options;
	struct lf_engine *engine;
	int listener; /* listening socket */
	struct reactor **reactors;
	_Atomic unsigned connections;      /* open in all reactors */
	_Atomic uint64_t statements;       /* prepared in all connections */
	_Atomic uint64_t accepted_refused; /* acknowledged as accepted, refused by the engine */
	struct feeders feeders;            /* connections that are the source of tables */
	_Atomic bool stopping;             /* drain: no new connections, no new requests */
};

/* Makes the ring, the buffers and the port. number: 0…reactors-1. */
int reactor_new(struct reactor **out, struct server *server, unsigned number, struct error *e);
void reactor_free(struct reactor *r);
/* Runs until server->stopping is set and all its connections are gone. Call from the thread that is
 * the reactor; it logs what it cannot tell a client. */
void reactor_run(struct reactor *r);
/* From any thread or signal handler: look at `stopping`. */
void reactor_wake(void *reactor);

#endif
