/*
 * connection.h: what reactor.c and session.c know of a connection.
 *
 * The reactor moves bytes; the session understands frames. The session is given input and says how much of
 * it it has used; it writes answers to `out`. A session that cannot go on now (the engine's ring is full,
 * too much is unanswered or unsent) says so in `blocked` and is called again later with the same input. One
 * that has used up its share of the round says so in `yielded` and is called again in the next.
 */
#ifndef LF_NET_SERVER_CONNECTION_H
#define LF_NET_SERVER_CONNECTION_H

#include "core/engine.h"
#include "net/server/reactor.h"

struct session;

/* Bytes that grow at the end and are used up from the start. */
struct buffer {
	unsigned char *data;
	size_t head, used, cap; /* valid: [head, used) */
};

/* Room for n more bytes at the end; NULL when out of memory. The caller adds to `used`. */
unsigned char *buffer_room(struct buffer *b, size_t n);
void buffer_consume(struct buffer *b, size_t n);
void buffer_free(struct buffer *b);
static inline size_t buffer_length(const struct buffer *b)
{
	return b->used - b->head;
}

/* Executions of one query, put off so that neighbours (in one frame, or in frames that follow one another) are
 * looked up together. They never outlast a call of session_input(). */
enum { READS_MAX = 32 };
struct reads {
	bool pinned;    /* a frame of reads is under way: all of it reads … */
	uint64_t epoch; /* … this one */
	const struct statement *statement;
	unsigned n;
	uint64_t requests[READS_MAX];
	const void *params[READS_MAX];
};

/* What sessions of one reactor share. */
struct session_host {
	struct server *server;
	struct lf_engine *engine;
	struct lf_port *port;
	void *reactor;
	struct pending *spare; /* request records to be used again */
	struct arena scratch;
	struct session *waiting;   /* sessions with a query that waits for an epoch */
	struct session *streaming; /* … with streams of events */
	struct reads reads;
	struct session *subscribers; /* sessions with subscriptions */
	uint64_t feeds_epoch;        /* that they were last told of */
	uint64_t feeds_tick_us;
	uint64_t now_us; /* as of the last session_feeds() */
	uint64_t feeds_not_before_us;
	unsigned feeds_turns; /* left in this round */
	bool feeds_left;      /* there is one that was not told all */
};

struct connection {
	int fd;
	unsigned ops;              /* of the kernel: under way on this connection */
	bool receiving, canceling; /* a multishot receive is armed; is being cancelled */
	bool sending;
	bool ended;     /* the client will send nothing more */
	bool closing;   /* send what is in `out`, then close */
	bool lingering; /* all is sent, and our end: what comes is dropped until the client's end */
	uint64_t linger_until_us;
	bool dead;      /* nothing more is sent or received: wait for ops and replies */
	bool blocked;   /* the session cannot take input now */
	bool yielded;   /* it has had its share of this round; goes on in the next */
	int64_t budget; /* what is left of the share, see session_input() */
	uint64_t round; /* of the reactor, that the share belongs to */
	bool listed;    /* in the reactor's list of those with something to do */
	uint64_t opened_us;
	uint64_t last_in_us;  /* when bytes came last */
	uint64_t last_out_us; /* when the client last took some, or a send began */
	int held;           /* what the kernel had for the client at the last look, while sending */
	struct buffer in;   /* what could not be used yet */
	struct buffer out;  /* being written by the session */
	struct buffer sent; /* being sent: belongs to the kernel */
	bool batch_open;    /* `out` ends with a DONE_BATCH frame that may grow … */
	size_t batch_at;    /* … and begins there */
	struct session *session;
	struct reactor *reactor;
	struct connection *next, *prev; /* of the reactor */
	struct connection *next_listed;
};

/* Bytes waiting for the client. */
static inline size_t connection_output(const struct connection *c)
{
	return buffer_length(&c->out) + buffer_length(&c->sent);
}

/* Have the reactor look at the connection at the end of its round (send, read again, close). */
void connection_list(struct connection *c);

struct session *session_new(struct session_host *host, struct connection *c);
/* False while replies of the engine are to come: not yet. */
bool session_free(struct session *s);
/* Use whole frames of [p, p+n); returns the bytes used. May set c->blocked, c->yielded or c->closing. Each
 * frame is charged to c->budget: its bytes, those of its answer, and QUERY_COST for text to be parsed or a table to be scanned. */
size_t session_input(struct session *s, const unsigned char *p, size_t n);
/* Whether it said hello already. */
bool session_greeted(const struct session *s);
/* Nothing unanswered. */
bool session_quiet(const struct session *s);
/* Write an error that belongs to no request, e.g. a time-out, and close. */
void session_fail(struct session *s, enum error_code code, const char *message);
/* End what it holds (HOLD): if its time is over; in any case, since the client is gone. */
void session_hold_look(struct session *s, uint64_t now_us);
void session_hold_end(struct session *s);
/* The callback for lf_poll(); arg: struct session_host. */
void session_reply(void *arg, const struct lf_reply *reply);
/* Queries that wait for an epoch: run those whose epoch is visible, answer those whose time is over.
 * Returns microseconds to the next time-out, UINT64_MAX when there is none. */
uint64_t session_waiting(struct session_host *host, uint64_t now_us);
/* Tell subscriptions what has become visible. True: there is more that could be told at once, in the next round. *timeout_us
 * may become less, when it wants to be called again. */
bool session_feeds(struct session_host *host, uint64_t now_us, uint64_t *timeout_us);
/* Whether it has subscriptions: then its client need not say anything. */
bool session_subscribed(const struct session *s);
/* Write what its streams of events have ready, as far as the output has room. */
void session_streams_pump(struct session *s);
/* Some have: list their connections. */
void session_streams_ready(struct session_host *host);
/* Whether it has any. */
bool session_streams(const struct session *s);
void session_host_free(struct session_host *host);

#endif
