/*
 * engine_stream.h: what engine_stream.c (streams of events, and their thread) and engine_consume.c (groups of consumers)
 * share.
 */
#ifndef LF_CORE_ENGINE_STREAM_H
#define LF_CORE_ENGINE_STREAM_H

#include "core/consumer_group.h"
#include "core/engine_internal.h"

enum {
	LOT_BYTES = KIB(64), /* about; a larger event is one by itself */
	LOT_KNOWN = 32       /* tables and statements that are known to stand in a lot */
};

/* Events being written one behind the other. */
struct lot_writer {
	unsigned char *data;
	size_t bytes, cap;
	uint64_t block; /* the last event's, and what of it stands there */
	unsigned nknown;
	uint64_t known[LOT_KNOWN];
};
/* All 0, or -1: out of memory. */
int lot_put(struct lot_writer *w, const void *bytes, size_t n);
/* An event's entries, with what it needs that does not stand there; block: as engine_events_block(). */
int lot_entries(struct lot_writer *w, const struct event *ev, uint64_t block,
	const struct event_walk *walk);
/* A head, and the entries that have been put since it was begun at `begin`. */
int lot_head(struct lot_writer *w, const struct event_head *head);
void lot_head_end(struct lot_writer *w, size_t begin);

enum lot_state { LOT_FILLING, LOT_READY };

struct lf_stream {
	struct lf_stream *next;
	struct lf_port *port;
	struct lf_events *events; /* NULL: a consumer's */
	struct member *member;    /* NULL: not a consumer's */
	uint64_t until;           /* the last epoch that is wanted */
	_Atomic int state;
	_Atomic bool closed; /* by the port; the thread frees it */

	/* by who has the lot */
	struct lf_lot lot;
	struct lot_writer out;
	struct error error;

	/* the thread's */
	uint64_t
		seen; /* there was nothing more at this visible epoch; UINT64_MAX: it was not looked to the end */
};

void lot_begin(struct lf_stream *s);
void lot_ready(struct lf_stream *s);
/* With s->error. */
void lot_failed(struct lf_stream *s);
/* Make a stream known to the thread. */
void stream_publish(struct lf_stream *s);

/* --- consumers --- */

/* What a stream of a consumer still has to do; true when it did something. */
bool consumer_stream_step(struct lf_engine *engine, struct lf_stream *s);
void consumer_stream_free(struct lf_engine *engine, struct lf_stream *s);
/* Whether it would find something. */
bool consumer_stream_due(struct lf_engine *engine, const struct lf_stream *s);
/* The groups: acknowledgements, times, events, positions. */
bool consumers_step(struct lf_engine *engine);
bool consumers_due(struct lf_engine *engine);
/* Whether events to come are of interest to any group. */
bool consumers_want(const struct event_service *service);
/* Microseconds until something is due, UINT64_MAX: nothing is. */
uint64_t consumers_wait(const struct lf_engine *engine);
/* Before the port is closed, and the engine. */
void consumers_close(struct lf_engine *engine);
/* The thread sleeps, for so long at most, until it is woken or its port has an answer. */
void service_sleep(struct lf_engine *engine, uint64_t timeout_us);

#endif
