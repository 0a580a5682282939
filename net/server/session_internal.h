/*
 * session_internal.h: what the files of a session share: answer.c writes frames, statements.c keeps
 * prepared statements, execute.c runs commands and queries, session.c takes frames apart.
 */
#ifndef LF_NET_SERVER_SESSION_INTERNAL_H
#define LF_NET_SERVER_SESSION_INTERNAL_H

#include "core/base/limits.h"
#include "net/server/connection.h"
#include "net/wire/wire.h"

/* What parsing a text or scanning a table is charged to a connection's share of a round, in bytes: as some 1000
 * frames of reads by key. */
enum { QUERY_COST = KIB(32) };

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
	bool fed;      /* counted by the session's feeder */
	bool one_shot; /* of QUERY: answer by itself, release the statement */
	struct statement *statement;
};

struct session {
	struct session_host *host;
	struct connection *c;
	struct slot *slots;
	uint32_t nslots, open;
	uint32_t pending;        /* requests the engine has */
	uint64_t accepted_epoch; /* the newest of commands acknowledged as accepted */
	bool greeted;
	struct feeder *feeder;  /* as what source it changes tables; NULL: none */
	uint64_t generation;    /* … and since when */
	uint32_t batch_done;    /* executions of the frame at the head already submitted */
	struct statement *text; /* of the QUERY at the head, while a queue is full; else NULL */
	uint64_t wait_until_us; /* of the frame at the head; 0: it does not wait */
	bool waiting;           /* in host->waiting */
	uint64_t hold;          /* the epoch is held for this connection; 0: it is not … */
	uint64_t hold_until_us;
	bool hold_broken; /* … since its time was over, which is yet to be told */
	struct session *next_waiting;
	struct subscription *subscriptions; /* feeds.c */
	unsigned nsubscriptions;
	bool feeds_left; /* some have not told all that there is */
	struct session *next_subscriber;
	/* Of the event log, see events.c. */
	struct stream *streams;
	unsigned nstreams, nbounded; /* of them, those that end by themselves */
	bool streaming;              /* in host->streaming */
	struct session *next_streaming;
};

/* --- answer.c --- */

/* The body of a new frame of `length` bytes at the end of the output, to be filled in; NULL without memory,
 * then the connection is closing. */
unsigned char *session_frame(
	struct session *s, enum wire_type type, uint8_t flags, uint64_t request, size_t length);
void session_error(struct session *s, uint64_t request, uint8_t flags, const struct error *e);
/* Answer 08P01 and close. */
void session_violation(struct session *s, uint64_t request, const char *what);
void session_done(struct session *s, uint64_t request, const struct wire_done *done);
/* A plain success: shares one DONE_BATCH frame with those just before it. */
void session_done_item(struct session *s, uint64_t request, uint64_t epoch, uint64_t count);

/* Rows of one answer, cut into frames of some ANSWER_FRAME_BYTES. */
struct row_writer {
	struct session *s;
	uint64_t request, epoch;
	size_t begin; /* of the frame under construction, relative to out.head */
	uint32_t count;
	bool open;
};

/* A whole answer of at most one row (NULL: none). 0, or 1 without memory. */
int rows_one(struct session *s, uint64_t request, uint64_t epoch, const void *row, uint32_t size);
/* 0, or 1 without memory. */
int rows_begin(struct row_writer *w);
/* `more`: other frames of this answer follow. */
void rows_end(struct row_writer *w, bool more);
/* The sink of lf_query(); arg: struct row_writer. 1 without memory, 2 beyond LIMIT_RESULT_BYTES. */
int rows_add(void *arg, const void *row, uint32_t size);

/* --- statements.c --- */

/* The statement of a handle; NULL: there is none. */
struct slot *session_slot(struct session *s, uint32_t handle);
/* An execution of it has been answered: release it if it was closed meanwhile. */
void session_slot_unuse(struct session *s, uint32_t handle);
/* Release it now. */
void session_slot_drop(struct session *s, uint32_t handle);
void session_prepared(
	struct session *s, uint64_t request, uint32_t handle, const struct statement *st);
void session_unknown_statement(struct session *s, uint64_t request, uint32_t handle);
/* Whether this connection may execute it, which a table's source may forbid (25006). */
int session_check_source(struct session *s, const struct statement *st, struct error *e);
/* The frames PREPARE and CLOSE. */
void session_on_prepare(struct session *s, uint64_t request, struct wire_reader *r);
void session_on_close(struct session *s, uint64_t request, struct wire_reader *r);

/* --- schema.c --- */

/* The frame SCHEMA. */
void session_on_schema(struct session *s, uint64_t request, struct wire_reader *r);

/* --- events.c --- */

/* The frame EVENTS. */
void session_on_events(struct session *s, uint64_t request, struct wire_reader *r);
/* The frames CONSUME and ACKNOWLEDGE. */
void session_on_consume(struct session *s, uint64_t request, struct wire_reader *r);
void session_on_acknowledge(struct session *s, uint64_t request, struct wire_reader *r);
void session_streams_end(struct session *s);

/* --- execute.c --- */

/* Run the reads that session_on_execute() has put off (connection.h). To be called before anything else is
 * done for the connection, and before the bytes of their frames go away. */
void session_reads_run(struct session *s);
/* The frames EXECUTE, EXECUTE_BATCH, READ and QUERY. False: try the same frame again later. */
bool session_on_execute(struct session *s, const struct wire_header *h, struct wire_reader *r);
/* PING: answered once all before it is done and visible. False: it waits. */
bool session_fence(struct session *s, uint64_t request);
bool session_on_read(struct session *s, uint64_t request, struct wire_reader *r);
bool session_on_query(struct session *s, uint64_t request, struct wire_reader *r);
/* The frame at the head waits for an epoch: true, and is tried again; or false: it has waited for timeout_ms. */
bool session_wait(struct session *s, uint64_t epoch, uint32_t timeout_ms);
/* A record for a request that the engine gets; NULL without memory. It comes back by session_reply(), or is given back. */
struct pending *session_pending(struct session *s);
void session_pending_give(struct pending *p);

/* --- hold.c --- */

/* The frames HOLD and RELEASE. False: try the same frame again later. */
bool session_on_hold(struct session *s, uint64_t request, struct wire_reader *r);
bool session_on_release(struct session *s, uint64_t request, struct wire_reader *r);
/* Whether the statement must not be executed while the connection holds the epoch; then it is answered. */
bool session_hold_refuses(struct session *s, uint64_t request, const struct statement *st);
/* The size of the row at the reader, 0: there is no whole row. */
uint32_t session_row_at(const struct wire_reader *r);

/* --- feeds.c --- */

/* The frames SUBSCRIBE and UNSUBSCRIBE. */
void session_on_subscribe(struct session *s, uint64_t request, struct wire_reader *r);
void session_on_unsubscribe(struct session *s, uint64_t request, struct wire_reader *r);
/* End all of the session's, without a word. */
void session_feeds_end(struct session *s);

#endif
