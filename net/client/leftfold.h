/*
 * leftfold.h: the C client of Leftfold. libc only; C99 or later, C++11 or later.
 *
 *     struct lf_client_error e;
 *     struct lf_client_options o = lf_client_options_default();
 *     struct lf_client *c;
 *     struct lf_statement *insert;
 *     struct lf_result *r = lf_result_new();
 *
 *     o.address = "127.0.0.1:5466";
 *     if (lf_client_open(&c, &o, &e) != 0)
 *             errx(1, "%s: %s", e.sqlstate, e.message);
 *     lf_client_prepare(&insert, c, "INSERT INTO item VALUES ($1, $2)", SIZE_MAX, NULL, 0, &e);
 *     struct lf_params *p = lf_params_new(insert);
 *     lf_params_set_int(p, 0, 7);
 *     lf_params_set_text(p, 1, "nuts", SIZE_MAX);
 *     lf_client_execute(c, insert, p, NULL, r, &e);          // waits until every view shows it
 *     lf_client_query(c, "SELECT * FROM item", SIZE_MAX, NULL, r, &e);
 *     for (size_t i = 0; i < lf_result_nrows(r); i++)
 *             printf("%lld\n", (long long)lf_result_int(r, i, 0));
 *     lf_params_free(p);
 *     lf_result_free(r);
 *     lf_client_close(c);
 *
 * Many requests at once: lf_client_send() or a batch appends to the output, lf_client_poll() writes, reads
 * and calls back, lf_client_wait() does so until all is answered. See tools/examples/.
 *
 * Rules that hold everywhere:
 * - One connection, with its statements and parameters, is used by one thread at a time. Different
 *   connections are independent.
 * - A function that can fail takes `struct lf_client_error *e`, which may be NULL, fills it when it fails and
 *   returns -1. Errors of the server come with their SQLSTATE; those of the library with 08xxx (connection),
 *   22xxx and 42xxx (parameters), 53200 (memory), 55000 (a call at the wrong moment), 54000 (a limit).
 * - With a client id (lf_client_options.once_client) every execution of a prepared command carries a number and is executed
 *   once, however often it is sent. lf_client_execute() then reconnects and sends again by itself when the connection is
 *   lost; of what was sent otherwise lf_result_resend() tells what may be sent again, after lf_client_reconnect().
 * - Text is UTF-8. A length of SIZE_MAX means that the text ends with a zero byte.
 * - Columns, rows and parameters count from 0; parameter 0 is $1.
 * - Nothing the server sends is trusted: bytes that are not the protocol end the connection with 08P01.
 */
#ifndef LEFTFOLD_H
#define LEFTFOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef LF_API
#define LF_API __attribute__((visibility("default")))
#endif

struct lf_client;    /* a connection */
struct lf_statement; /* a prepared statement of one connection */
struct lf_params;    /* a row of parameters */
struct lf_result;    /* an answer: counts, epoch, rows or an error */

/* "0.1.0": of the library. */
LF_API const char *lf_client_version(void);

/* --- errors --- */

enum { LF_ERROR_TEXT_MAX = 512 };

struct lf_client_error {
	char sqlstate[6];                /* five characters and a zero; "" before anything failed */
	int32_t position;                /* in the statement's text, characters from 1; 0: none */
	char message[LF_ERROR_TEXT_MAX]; /* longer texts are cut */
	char detail[LF_ERROR_TEXT_MAX];  /* "": none */
	char hint[LF_ERROR_TEXT_MAX];    /* "": none */
};

/* --- types --- */

/* The numbers are the protocol's. */
enum lf_type_id {
	LF_TYPE_UNKNOWN = 0, /* in lf_client_prepare(): let the server infer it */
	LF_TYPE_BOOL = 1,
	LF_TYPE_INT2,
	LF_TYPE_INT4,
	LF_TYPE_INT8,
	LF_TYPE_FLOAT4,
	LF_TYPE_FLOAT8,
	LF_TYPE_NUMERIC,
	LF_TYPE_TEXT,
	LF_TYPE_VARCHAR,
	LF_TYPE_CHAR,
	LF_TYPE_BYTEA,
	LF_TYPE_DATE,
	LF_TYPE_TIMESTAMP,
	LF_TYPE_TIMESTAMPTZ,
	LF_TYPE_UUID,
	LF_TYPE_INTERVAL,
	LF_TYPE_JSON,
	LF_TYPE_JSONB,
	LF_TYPE_ARRAY =
		32 /* plus the number of another type: an array of these, as text; in results only */
};

struct lf_type {
	uint8_t id;        /* enum lf_type_id */
	uint8_t scale;     /* of numeric(p,s) */
	uint16_t modifier; /* p of numeric(p,s), n of varchar(n) and char(n); 0: none */
};

/* The type as PostgreSQL names it, e.g. "numeric(12,2)", into buf (64 bytes suffice; always ended with a
 * zero byte when cap > 0). Returns buf. */
LF_API const char *lf_type_name(struct lf_type type, char *buf, size_t cap);

/* Dates count days and timestamps microseconds from 2000-01-01 00:00 UTC. In Unix time that is: */
#define LF_EPOCH_UNIX_DAYS INT32_C(10957)
#define LF_EPOCH_UNIX_US INT64_C(946684800000000)

/* --- connecting --- */

struct lf_client_options {
	const char *address; /* "HOST:PORT" or "[IPV6]:PORT" */
	unsigned
		connect_timeout_ms; /* until the server's hello is there; 0: no limit. Default 10,000 */
	unsigned io_timeout_ms; /* a synchronous call that sees nothing arrive for so long gives the
	                         * connection up (08006); 0 (default): never */
	size_t output_max; /* bytes waiting to be written beyond which sending would block. Default 1 MiB */
	unsigned
		inflight_max; /* unanswered requests beyond which sending would block; rounded up to a
	                        * power of two, at most 2^22. Default 65,536 */
	/* A number of this client's own, not 0, that no other one uses at the same time: commands are executed once. It is
	 * for ever to the server: give each worker one that it keeps, also over restarts. 0 (default): none. */
	uint64_t once_client;
	/* The number of the first command; the next ones count up. It must be above all that this client id has had. 0
	 * (default): microseconds since 1970. */
	uint64_t once_first;
	unsigned
		retry_ms; /* how long lf_client_execute() connects and sends again after the connection was
	                    * lost, for commands with a number; with a client id also for queries, and
	                    * lf_client_prepare(). 0: not at all. Default 30,000 */
	size_t result_max; /* bytes of one answer; beyond: 54000 and the connection is closed, since the
	                        * server never sends so much. Default 512 MiB */
	const char *
		source; /* the source that this client is: it may change tables created WITH (source = 'name'),
	                  * which others may not (25006). 1 to 63 bytes; NULL (default): none */
	bool source_alone; /* connections of that source made before change nothing any more: what they have sent is
	                    * executed when this one is open, or is refused (25006). Default false */
};
LF_API struct lf_client_options lf_client_options_default(void);

/* Connect and exchange hellos. *out is NULL on failure. 08001 cannot connect, 08006 or the server's own
 * error (53300 too many connections), 08P01 not a Leftfold server, 22023 bad address or option. */
LF_API int lf_client_open(
	struct lf_client **out, const struct lf_client_options *o, struct lf_client_error *e);
/* The same over a connected stream socket, which then belongs to the library also on failure; `address` is
 * not used. */
LF_API int lf_client_open_fd(struct lf_client **out, int fd, const struct lf_client_options *o,
	struct lf_client_error *e);
/* Outstanding requests are answered with 08006 first. Frees the connection and its statements; parameters
 * and results live on. NULL is allowed. Not from a callback. */
LF_API void lf_client_close(struct lf_client *c);

/* A lost connection (55000: it is not) anew, to the address that lf_client_open() was given (55000: to none): the open
 * statements are prepared again. Everything outstanding is answered with 08006 first. One try; -1: it stays lost, as
 * lf_client_open(). A statement that cannot be prepared any more answers 26000 from then on. Not from a callback. */
LF_API int lf_client_reconnect(struct lf_client *c, struct lf_client_error *e);

/* What the server said when the connection was made. */
struct lf_client_server {
	unsigned protocol;       /* version */
	unsigned shards;         /* projectors; 0: not told */
	uint32_t frame_max;      /* bytes of one frame's body */
	uint32_t statements_max; /* prepared in one connection */
	uint32_t requests_max;   /* unanswered ones the server reads of one connection */
	uint64_t visible;        /* the visible epoch then */
	uint64_t features;       /* granted, bits of net/PROTOCOL.md: 1 options of commands */
};
LF_API const struct lf_client_server *lf_client_server(const struct lf_client *c);

/* A round trip, and a fence: it is answered when every command sent before it on this connection is done, those
 * acknowledged as accepted too, whose errors have been given to lf_client_on_error() by then. */
LF_API int lf_client_ping(struct lf_client *c, struct lf_client_error *e);
/* The server's counters, a line "key value" each, and its tables, views and indexes, in lines as described in
 * net/PROTOCOL.md. *text is zero-terminated and the caller's to free(); *len (may be NULL) its length. */
LF_API int lf_client_info(struct lf_client *c, char **text, size_t *len, struct lf_client_error *e);
LF_API int lf_client_schema(
	struct lf_client *c, char **text, size_t *len, struct lf_client_error *e);
/* False once the connection is lost: every call that needs it fails with 08006. */
LF_API bool lf_client_connected(const struct lf_client *c);

/* The newest epoch a command of this connection was acknowledged with (0: none yet). Give it to another
 * connection's reads as `at_least` to have them see all of this one's acknowledged commands. */
LF_API uint64_t lf_client_epoch(const struct lf_client *c);

/* --- statements --- */

enum lf_statement_kind {
	LF_STATEMENT_COMMAND, /* INSERT, UPDATE, DELETE, TRUNCATE, or several in one */
	LF_STATEMENT_QUERY,   /* SELECT */
	LF_STATEMENT_SCHEMA   /* CREATE, DROP, COMMENT */
};

/* Prepare text of one statement (or several commands separated by semicolons that shall be one atomic
 * command). types: enum lf_type_id of the first ntypes parameters, NULL with 0 to have them all inferred.
 * Errors: the server's, with position. */
LF_API int lf_client_prepare(struct lf_statement **out, struct lf_client *c, const char *text,
	size_t len, const uint8_t *types, unsigned ntypes, struct lf_client_error *e);
/* Executions under way are still answered. NULL is allowed. */
LF_API void lf_statement_close(struct lf_statement *s);

LF_API enum lf_statement_kind lf_statement_kind(const struct lf_statement *s);
LF_API unsigned lf_statement_nparams(const struct lf_statement *s);
LF_API struct lf_type lf_statement_param_type(const struct lf_statement *s, unsigned param);
LF_API unsigned lf_statement_ncolumns(const struct lf_statement *s); /* SELECT, RETURNING */
LF_API const char *lf_statement_column_name(const struct lf_statement *s, unsigned column);
LF_API struct lf_type lf_statement_column_type(const struct lf_statement *s, unsigned column);
/* "INSERT", "CREATE TABLE"… as in PostgreSQL's command tags. */
LF_API const char *lf_statement_tag(const struct lf_statement *s);
/* What the server remarked when preparing; "" for nothing. */
LF_API const char *lf_statement_notice(const struct lf_statement *s);

/* --- parameters --- */

/* Parameters for a statement, all NULL. They are kept as one packed row, ready to send, and may be changed
 * and sent any number of times, also by other connections' statements with the same parameter types.
 * NULL: out of memory. */
LF_API struct lf_params *lf_params_new(const struct lf_statement *s);
LF_API void lf_params_free(struct lf_params *p);
/* All NULL again, and no error. */
LF_API void lf_params_clear(struct lf_params *p);

/* Setters. 0; or -1: the value does not fit the type. The error is remembered, so that the return value need
 * not be looked at: an execution with these parameters fails with it until the same parameter is set well
 * or lf_params_clear(). 42P02 there is no such parameter, 42804 the setter is not for its type, 22003 out
 * of range, 22001 too long, 22P02, 22007, 22008 text that is not of its type, 22021 not UTF-8, 53200.
 *
 * Nothing is allocated for the types of fixed width, nor for bytes once the row has been as long. */
LF_API int lf_params_set_null(struct lf_params *p, unsigned param);
LF_API int lf_params_set_bool(struct lf_params *p, unsigned param, bool v);
/* smallint, integer, bigint (range checked) and numeric. */
LF_API int lf_params_set_int(struct lf_params *p, unsigned param, int64_t v);
/* real (rounded to it; 22003 beyond) and double precision. */
LF_API int lf_params_set_double(struct lf_params *p, unsigned param, double v);
/* numeric: coefficient / 10^scale, scale up to 38; rounded to the parameter's own scale if it has one. */
LF_API int lf_params_set_decimal(
	struct lf_params *p, unsigned param, int64_t coefficient, unsigned scale);
/* text, varchar, char. */
LF_API int lf_params_set_text(struct lf_params *p, unsigned param, const char *s, size_t len);
LF_API int lf_params_set_bytes(struct lf_params *p, unsigned param, const void *bytes, size_t len);
/* Days from 2000-01-01; INT32_MIN and INT32_MAX are -infinity and infinity. */
LF_API int lf_params_set_date(struct lf_params *p, unsigned param, int32_t days);
/* timestamp and timestamptz: microseconds from 2000-01-01 UTC; INT64_MIN and INT64_MAX are the infinities. */
LF_API int lf_params_set_timestamp(struct lf_params *p, unsigned param, int64_t us);
LF_API int lf_params_set_uuid(struct lf_params *p, unsigned param, const uint8_t uuid[16]);
/* Any type, from its text as PostgreSQL reads it: "12.50" for numeric, "2024-02-29" for date, "\\x00ff"
 * for bytea. */
LF_API int lf_params_parse(struct lf_params *p, unsigned param, const char *s, size_t len);

/* The error remembered, NULL when there is none. */
LF_API const struct lf_client_error *lf_params_error(const struct lf_params *p);
/* The packed row; valid until the next setter. Many of them back to back are what
 * lf_client_batch_add_rows() takes. */
LF_API const void *lf_params_row(const struct lf_params *p, size_t *size);
/* Where in the packed row the parameter's slot is, for those who write fixed-width values into copies of a
 * row themselves: little-endian, as drawn in net/PROTOCOL.md. 0: there is no such parameter. */
LF_API size_t lf_params_slot(const struct lf_params *p, unsigned param);

/* --- executing and waiting --- */

/* What a command's acknowledgement means. */
enum lf_client_ack {
	LF_ACK_ACCEPTED, /* the command is in the queue; it may be refused later: lf_client_on_error() */
	LF_ACK_DURABLE, /* validated, applied, and as durable as the server is told to make it */
	LF_ACK_VISIBLE  /* and every view shows it, to everyone */
};

/* at_least: all that this connection's commands were acknowledged with, as of when the query is sent. */
#define LF_EPOCH_OWN UINT64_MAX

/* How to execute; where one is asked for, NULL means { LF_ACK_VISIBLE, 0, 0 }. */
struct lf_client_call {
	enum lf_client_ack ack; /* commands */
	uint32_t timeout_ms;    /* queries: how long to wait for `at_least`; then LF001 */
	uint64_t at_least; /* queries: read at this epoch or a newer one; 0: any; LF_EPOCH_OWN */
};

/* What a command may ask for beyond that; NULL or all zeros: nothing. Queries take no notice of it. A server that is too
 * old to know of it is not asked: 0A000. */
struct lf_client_command {
	/* Execute it once, however often it is sent, also by another connection: a number of the client's own and one of
	 * this command, both from 1. client 0: those of the connection, if it has a client id. The executions of a batch
	 * count `request` up. 0A000 (of the server) for a command with a query. */
	uint64_t client, request;
	bool not_once; /* without numbers, also if the connection has a client id */
	/* Refuse it (40001, "current version N" in the detail) if a row that it changes, makes or deletes was changed, made or
	 * deleted by another command after this epoch: that of the read it rests on (lf_result_epoch()). */
	bool expect;
	uint64_t expected_epoch;
	/* For the event log: at most 4096 bytes (54000), copied. NULL: none. */
	const void *meta;
	size_t meta_bytes;
};

/* The number that the connection's next command gets; 0: it has no client id. */
LF_API uint64_t lf_client_once_next(const struct lf_client *c);

/* Execute and wait for the answer. p may be NULL for a statement without parameters. r may be NULL; else its
 * former content is replaced, also by an error, which is given in *e as well. Other requests may be
 * outstanding: their callbacks are called. Not from a callback (55000). */
LF_API int lf_client_execute(struct lf_client *c, struct lf_statement *s, const struct lf_params *p,
	const struct lf_client_call *how, struct lf_result *r, struct lf_client_error *e);
/* The same with options of a command. */
LF_API int lf_client_execute_with(struct lf_client *c, struct lf_statement *s,
	const struct lf_params *p, const struct lf_client_call *how,
	const struct lf_client_command *command, struct lf_result *r, struct lf_client_error *e);
/* The same for the text of one statement without parameters. */
LF_API int lf_client_query(struct lf_client *c, const char *text, size_t len,
	const struct lf_client_call *how, struct lf_result *r, struct lf_client_error *e);

/* One of several reads. */
struct lf_client_read {
	struct lf_statement *statement; /* of a query */
	const struct lf_params *params; /* may be NULL when it has no parameters */
	struct lf_result *result;       /* may be NULL; else as in lf_client_execute() */
};
/* Read n queries (1…65,535), also different ones, in one request and wait for their answers: all are of one
 * epoch. 0; -1 when one failed: *e is the first error, each result has its own, and the others are good. 42601 a
 * statement is not a query, 54000 they do not fit one frame. */
LF_API int lf_client_read(struct lf_client *c, const struct lf_client_read *reads, unsigned n,
	const struct lf_client_call *how, struct lf_client_error *e);

/* --- many requests under way --- */

enum { LF_WOULD_BLOCK = 1 };

/* An answer. r is valid during the call only (lf_result_copy() keeps it) and may hold an error:
 * lf_result_error(). Called by lf_client_poll(), lf_client_wait(), synchronous calls and lf_client_close().
 * May send and flush; may not poll, wait, close the connection or call synchronously. */
typedef void (*lf_client_on_result)(void *arg, uint64_t request, const struct lf_result *r);

/* Send an execution without waiting; fn(arg, …) is called with the answer. fn NULL: the answer waits for
 * lf_client_next(). *request (may be NULL) becomes its number. 0; LF_WOULD_BLOCK: the output is full or
 * too much is unanswered, and nothing was taken: poll, and try again; -1: nothing was sent.
 * It is written when there is enough, and by lf_client_flush() and lf_client_poll(). */
LF_API int lf_client_send(struct lf_client *c, struct lf_statement *s, const struct lf_params *p,
	const struct lf_client_call *how, lf_client_on_result fn, void *arg, uint64_t *request,
	struct lf_client_error *e);
/* The same with options of a command. */
LF_API int lf_client_send_with(struct lf_client *c, struct lf_statement *s,
	const struct lf_params *p, const struct lf_client_call *how,
	const struct lf_client_command *command, lf_client_on_result fn, void *arg,
	uint64_t *request, struct lf_client_error *e);
/* The same for text. */
LF_API int lf_client_send_query(struct lf_client *c, const char *text, size_t len,
	const struct lf_client_call *how, lf_client_on_result fn, void *arg, uint64_t *request,
	struct lf_client_error *e);

/* Commands that readers see together: what this connection sends between hold and release is done in one epoch, so that
 * every reader of any table or view sees all of it or nothing. It is visibility only: each command succeeds or fails, and
 * survives a crash of the server, by itself. Nothing becomes visible meanwhile, others' commands neither: so have the
 * commands at hand, and send them and the release without waiting between (with acknowledgement `visible` they are
 * answered after it). timeout_ms: how long to wait for another connection's hold to end. Answered as commands are, without
 * rows; the release's epoch is that of the commands. 55006 there is another hold; 25001 this connection holds already;
 * 25P01 it does not; 25P03 it has held for longer than a second, which ended it. fn, request: as in lf_client_send(). */
LF_API int lf_client_send_hold(struct lf_client *c, uint32_t timeout_ms, lf_client_on_result fn,
	void *arg, uint64_t *request, struct lf_client_error *e);
LF_API int lf_client_send_release(struct lf_client *c, lf_client_on_result fn, void *arg,
	uint64_t *request, struct lf_client_error *e);
/* The same, waiting for the answer; *epoch may be NULL. */
LF_API int lf_client_hold(struct lf_client *c, uint32_t timeout_ms, struct lf_client_error *e);
LF_API int lf_client_release(struct lf_client *c, uint64_t *epoch, struct lf_client_error *e);

/* How all executions of a batch went, together. */
struct lf_client_batch {
	uint64_t first; /* the i-th execution is request first + i */
	uint32_t n;
	uint32_t failed;
	uint64_t count;                      /* rows changed by commands, rows given by queries */
	uint64_t epoch;                      /* the newest of its answers */
	const struct lf_client_error *error; /* of one that failed; NULL: all went well */
};
typedef void (*lf_client_on_batch)(void *arg, const struct lf_client_batch *b);

/* A batch: many executions of one statement in one frame, the cheapest way there is. Begin, add, end; nothing
 * else may be done with the connection between (55000). `each` is called for every answer, `all` once
 * when the last one is there; either may be NULL, with both NULL every answer waits for
 * lf_client_next(). All queries of one batch see one epoch. */
LF_API int lf_client_batch_begin(struct lf_client *c, struct lf_statement *s,
	const struct lf_client_call *how, lf_client_on_result each, lf_client_on_batch all,
	void *arg, struct lf_client_error *e);
/* The same with options of a command: expected_epoch and meta are those of every execution. */
LF_API int lf_client_batch_begin_with(struct lf_client *c, struct lf_statement *s,
	const struct lf_client_call *how, const struct lf_client_command *command,
	lf_client_on_result each, lf_client_on_batch all, void *arg, struct lf_client_error *e);
/* 0; LF_WOULD_BLOCK: no more fits (end it, poll, begin another); -1. p as in lf_client_execute(). */
LF_API int lf_client_batch_add(
	struct lf_client *c, const struct lf_params *p, struct lf_client_error *e);
/* n packed rows of `bytes` bytes together, all or none. Their sizes are checked here, the rest by the
 * server. */
LF_API int lf_client_batch_add_rows(
	struct lf_client *c, const void *rows, size_t bytes, unsigned n, struct lf_client_error *e);
/* A batch of reads: executions of any queries, which all see one epoch. Otherwise as
 * lf_client_batch_begin(), and ended or cancelled like that batch. */
LF_API int lf_client_reads_begin(struct lf_client *c, const struct lf_client_call *how,
	lf_client_on_result each, lf_client_on_batch all, void *arg, struct lf_client_error *e);
/* As lf_client_batch_add(). 42601: the statement is not a query. */
LF_API int lf_client_reads_add(struct lf_client *c, struct lf_statement *s,
	const struct lf_params *p, struct lf_client_error *e);
/* Send it. *first as in struct lf_client_batch. An empty batch sends nothing and calls nothing. */
LF_API int lf_client_batch_end(struct lf_client *c, uint64_t *first, struct lf_client_error *e);
/* Forget what was added. */
LF_API void lf_client_batch_cancel(struct lf_client *c);

/* Write what the socket takes without waiting. 0: all is written; LF_WOULD_BLOCK; -1. */
LF_API int lf_client_flush(struct lf_client *c, struct lf_client_error *e);
/* Write, read, and hand out answers; waits for the first answer at most timeout_ms (0: not at all,
 * negative: without limit). Returns the number of answers, 0 for none; -1 when the connection is lost: then
 * everything outstanding has been answered with 08006. */
LF_API int lf_client_poll(struct lf_client *c, int timeout_ms, struct lf_client_error *e);
/* Poll until nothing is outstanding. 0; LF_WOULD_BLOCK when the time is over; -1 as lf_client_poll(). */
LF_API int lf_client_wait(struct lf_client *c, int timeout_ms, struct lf_client_error *e);
/* For an event loop of one's own: the descriptor, and what to wait for, POLLIN with POLLOUT while output is
 * waiting. Then lf_client_poll(c, 0, e). */
LF_API int lf_client_fd(const struct lf_client *c);
LF_API short lf_client_events(const struct lf_client *c);
/* Requests not answered yet, and bytes not written yet. */
LF_API size_t lf_client_inflight(const struct lf_client *c);
LF_API size_t lf_client_unwritten(const struct lf_client *c);

/* An answer to a request that was sent without a callback. */
struct lf_client_completion {
	uint64_t request;
	void *arg; /* as given when it was sent */
	uint64_t epoch, count;
	const struct lf_result
		*result; /* rows or an error, valid until the next lf_client_next(); NULL: a
	                                 * command that simply succeeded */
};
/* Take the oldest one. False: there is none; poll. Answers not taken count as unanswered for
 * `inflight_max`. */
LF_API bool lf_client_next(struct lf_client *c, struct lf_client_completion *out);

/* fn is called for errors that answer no waiting request: a command acknowledged as accepted that was refused
 * afterwards (its number in `request`), or, with request 0, what the server says before it closes the
 * connection. Without a handler they are only counted. Not while the connection is being opened. */
typedef void (*lf_client_on_late_error)(
	void *arg, uint64_t request, const struct lf_client_error *e);
LF_API void lf_client_on_error(struct lf_client *c, lf_client_on_late_error fn, void *arg);
/* Accepted commands refused afterwards. */
LF_API uint64_t lf_client_refused(const struct lf_client *c);

/* --- subscriptions: the rows of a query, then every change of them --- */

/* A subscription to a query over one table or view (columns and expressions of its rows, conditions on them; no aggregates,
 * joins, ORDER BY, LIMIT: create a materialized view and subscribe to that). First a snapshot of its rows at one epoch, then
 * its changes: a group brings a client exactly from the state at its last epoch to that at the group's, and nothing is told
 * before it is visible, that is as durable as the server makes it. */
struct lf_client_feed;

struct lf_client_subscribe_options {
	uint64_t
		from; /* go on behind this epoch: lf_client_feed_epoch() of before; 0 (default): a snapshot first */
	bool latest; /* one group, with one change a row, for all that came since the last; who does not keep up gets a gap.
	                * Else every epoch is a group, and one who does not keep up is ended with LF009 */
	bool strict; /* LF008 rather than a gap and a snapshot */
	uint32_t timeout_ms; /* how long to wait for `from` to be visible; then LF001 */
};

enum lf_client_group_kind {
	LF_GROUP_SNAPSHOT, /* all rows there are at `epoch`; in parts, `first` to `last`. What was there before is void */
	LF_GROUP_CHANGES, /* what has changed since the group before, whole */
	LF_GROUP_PROGRESS, /* nothing has, up to `epoch`; about once a second while there are other changes */
	LF_GROUP_GAP, /* changes behind `epoch` are lost: a snapshot follows */
	LF_GROUP_END  /* no more comes: `error` says why, NULL: it was closed */
};

enum { LF_NO_ROW = -1 };

struct lf_client_change {
	uint32_t times;           /* so often, of rows that are equal; 1 where there is a key */
	int64_t old_row, new_row; /* rows of the group; LF_NO_ROW: inserted, deleted */
};

struct lf_client_group {
	enum lf_client_group_kind kind;
	bool first, last; /* of a snapshot's parts */
	uint64_t epoch;
	const struct lf_result *rows; /* SNAPSHOT: the rows; CHANGES: old and new ones */
	size_t nchanges;
	const struct lf_client_change *changes;
	const struct lf_client_error *error;
};

/* The group is valid during the call. May send, subscribe and lf_client_feed_close(); otherwise as lf_client_on_result. Called
 * last with LF_GROUP_END, also when the connection is lost, but not after lf_client_feed_close(). */
typedef void (*lf_client_on_group)(
	void *arg, struct lf_client_feed *f, const struct lf_client_group *g);

/* Begin. p, o may be NULL. fn NULL: groups wait for lf_client_feed_next(). What the server refuses comes as LF_GROUP_END. The
 * statement may be closed meanwhile. 0; LF_WOULD_BLOCK: as lf_client_send(); -1. It counts for none of lf_client_wait() and
 * `inflight_max`; lf_client_poll() counts its groups as answers. */
LF_API int lf_client_subscribe(struct lf_client_feed **out, struct lf_client *c,
	struct lf_statement *s, const struct lf_params *p,
	const struct lf_client_subscribe_options *o, lf_client_on_group fn, void *arg,
	struct lf_client_error *e);
/* Wait for the next group, at most timeout_ms (negative: without limit). 1: *g is it, valid until the next call; 0: there is
 * none yet; -1: no more comes, *e says why. Not from a callback. */
LF_API int lf_client_feed_next(struct lf_client_feed *f, int timeout_ms,
	const struct lf_client_group **g, struct lf_client_error *e);
/* All up to this epoch was given, in groups that were whole: where to go on. 0: nothing, or a snapshot that was not whole. */
LF_API uint64_t lf_client_feed_epoch(const struct lf_client_feed *f);
/* End it; f is not to be used any more. lf_client_close() does so with all of its connection. NULL is allowed. */
LF_API void lf_client_feed_close(struct lf_client_feed *f);

/* A subscription that connects anew when the connection is lost, and goes on where it was; to be read by one thread. */
struct lf_follower;

struct lf_follower_options {
	struct lf_client_options client;
	struct lf_client_subscribe_options subscribe;
	const char *text;          /* the query */
	const char *const *params; /* as text (lf_params_parse()), NULL: NULL; `nparams` of them */
	unsigned nparams;
	unsigned retry_ms_max; /* pause between attempts, at most. Default 2,000 */
	bool once;             /* a lost connection, or LF009, is the end all the same */
};
LF_API struct lf_follower_options lf_follower_options_default(void);

/* Connect and subscribe. What o points to must live as long. Errors of lf_client_open() and of preparing. */
LF_API int lf_follower_open(
	struct lf_follower **out, const struct lf_follower_options *o, struct lf_client_error *e);
/* As lf_client_feed_next(). A lost connection and LF009 are no ends: it goes on behind the last whole group, if need be with a
 * gap and a snapshot (`strict`: then it ends with LF008). */
LF_API int lf_follower_next(struct lf_follower *f, int timeout_ms, const struct lf_client_group **g,
	struct lf_client_error *e);
LF_API uint64_t lf_follower_epoch(const struct lf_follower *f);
/* How often it has connected anew. */
LF_API uint64_t lf_follower_reconnects(const struct lf_follower *f);
/* The names and types of its rows; valid until the next lf_follower_next(). NULL while it is not connected. */
LF_API const struct lf_statement *lf_follower_statement(const struct lf_follower *f);
LF_API void lf_follower_close(struct lf_follower *f);
/* --- the event log --- */

/* Where an event is: events are in the order of these, also over restarts of the server. */
struct lf_event_position {
	uint64_t epoch;
	uint32_t shard;
	uint32_t number; /* of the shard's in the epoch, from 0 */
};
/* The position behind all events of an epoch. */
static inline struct lf_event_position lf_epoch_end(uint64_t epoch)
{
	struct lf_event_position p;

	p.epoch = epoch;
	p.shard = p.number = UINT32_MAX;
	return p;
}

enum lf_event_kind { LF_EVENT_INSERT, LF_EVENT_UPDATE, LF_EVENT_DELETE };

struct lf_event_change {
	enum lf_event_kind kind;
	const char *table; /* as it was called then */
	/* Of one row, with the columns of then: as it is after the change, of a delete as it was. A column without a name is
	 * none that SELECT * had: pass it over. */
	const struct lf_result *row;
};

/* A command that changed something. Everything is valid during the call only. */
struct lf_event {
	struct lf_event_position position;
	uint32_t attempt;      /* of a consumer's: how manieth delivery it is, from 1 */
	int64_t time_us;       /* when it was executed: microseconds since 2000-01-01 UTC */
	const char *statement; /* its text; not zero-terminated */
	size_t statement_length;
	const struct lf_result
		*key;      /* of its aggregate, one row and column; NULL: it changed several */
	uint64_t key_hash; /* the same for equal keys */
	const struct lf_result *params; /* one row; NULL: none, or not kept */
	const void *meta;               /* struct lf_client_command; NULL: none */
	size_t meta_bytes;
	size_t nchanges;
	const struct lf_event_change *changes;
};
typedef void (*lf_client_on_event)(void *arg, const struct lf_event *ev);
/* It has ended: all was given that there was (e is NULL), or why not. reached: go on behind it. */
typedef void (*lf_client_on_event_end)(
	void *arg, struct lf_event_position reached, const struct lf_client_error *e);

enum lf_log_from {
	LF_LOG_BEHIND, /* `behind`; of all zeros: from the very first */
	LF_LOG_OLDEST, /* all that are kept */
	LF_LOG_NOW
};
struct lf_client_log {
	enum lf_log_from from;
	struct lf_event_position behind;
	bool follow; /* go on with what happens; else it ends with what is visible when it is asked for */
	const char *table; /* commands that changed it only; NULL: any */
	const char *key;   /* of the aggregate whose key is printed so; NULL: any */
};
/* Have the events of the server's log given to fn, by whoever polls. It counts as an unanswered request, and the numbers
 * that may be unanswered are counted from it: use a connection of its own if it follows. A client that does not poll is not
 * sent more than its buffers hold. 0; LF_WOULD_BLOCK; -1. Its end may say: 55000 the server keeps no event log; LF010
 * events that were asked for are not kept any more; 57014 it was stopped; 08006. */
LF_API int lf_client_log_open(struct lf_client *c, const struct lf_client_log *from,
	lf_client_on_event fn, lf_client_on_event_end end, void *arg, uint64_t *request,
	struct lf_client_error *e);
/* Have it end; may be called from its callbacks. Some more events may come. 55000: there is none of this number. */
LF_API int lf_client_log_stop(struct lf_client *c, uint64_t request, struct lf_client_error *e);

/* --- consumers: a group that shares the events, and acknowledges them --- */

/* net/PROTOCOL.md ("CONSUME") says what is promised. */
struct lf_consumer_options {
	const char *name; /* of the group: up to 63 bytes */
	/* Where it begins if it is new, or with `reset`; else it goes on behind what is settled. */
	enum lf_log_from from;
	struct lf_event_position behind;
	bool reset;      /* not while it has members */
	uint32_t ack_ms; /* an event that is not acknowledged so long is given again; 0: 30,000 */
	uint32_t attempts_max; /* … so often at most, then it is a dead letter; 0: 5 */
	uint32_t inflight_max; /* unacknowledged events at once; 0: 64 */
};
/* Become a member. Events are given to fn as by lf_client_log_open(), which see; *request is what the others want. `reached` of
 * its end is the position that is kept. */
LF_API int lf_consumer_open(struct lf_client *c, const struct lf_consumer_options *o,
	lf_client_on_event fn, lf_client_on_event_end end, void *arg, uint64_t *request,
	struct lf_client_error *e);

enum lf_consumer_settle {
	LF_CONSUMER_ACKNOWLEDGE,
	LF_CONSUMER_REJECT, /* give it again, now */
	LF_CONSUMER_DEAD    /* make it a dead letter */
};
/* Of n events that it was given, in any order; also from fn. Written with the next poll or flush. 0, or -1: 55000 the
 * consumer has ended (then the events are given again); 08006, 53200. */
LF_API int lf_consumer_settle(struct lf_client *c, uint64_t request, enum lf_consumer_settle how,
	const struct lf_event_position *events, size_t n, struct lf_client_error *e);
/* Leave the group: its end says 57014. What was given and is not acknowledged is given again when its time is over. */
LF_API int lf_consumer_close(struct lf_client *c, uint64_t request, struct lf_client_error *e);
/* Have the group's dead letters (one, or with NULL all) given again, and wait for the answer: *count of them. */
LF_API int lf_consumer_requeue(struct lf_client *c, const char *name,
	const struct lf_event_position *letter, uint64_t *count, struct lf_client_error *e);

/* --- results --- */

/* An empty one, to be used for any number of calls; NULL: out of memory. */
LF_API struct lf_result *lf_result_new(void);
LF_API void lf_result_free(struct lf_result *r);
/* Make `to` the same as `from`. 0, or -1 out of memory. */
LF_API int lf_result_copy(struct lf_result *to, const struct lf_result *from);

/* Of a command that was executed with numbers: what they were. False: it was without. */
LF_API bool lf_result_once(const struct lf_result *r, uint64_t *client, uint64_t *request);
/* Whether a command may be sent again, by the same numbers (lf_client_send_with()): its outcome is unknown, or it was
 * refused for a reason of the moment (08006, 53100, 53200, 57P01, LF002, LF003, LF005). */
LF_API bool lf_result_resend(const struct lf_result *r);

/* NULL: success. */
LF_API const struct lf_client_error *lf_result_error(const struct lf_result *r);
/* Of a command: its own, 0 with LF_ACK_ACCEPTED. Of a query: the one that all its rows are of. */
LF_API uint64_t lf_result_epoch(const struct lf_result *r);
/* Rows inserted, changed or deleted; of a query the rows it gives. */
LF_API uint64_t lf_result_count(const struct lf_result *r);
/* Aggregates (or shards) that did their part of a command, of all that it went to. */
LF_API uint32_t lf_result_parts(const struct lf_result *r);
LF_API uint32_t lf_result_parts_all(const struct lf_result *r);
LF_API enum lf_statement_kind lf_result_kind(const struct lf_result *r);
LF_API const char *lf_result_tag(const struct lf_result *r);
LF_API const char *lf_result_notice(const struct lf_result *r);

LF_API size_t lf_result_nrows(const struct lf_result *r);
LF_API unsigned lf_result_ncolumns(const struct lf_result *r);
LF_API const char *lf_result_column_name(const struct lf_result *r, unsigned column);
LF_API struct lf_type lf_result_column_type(const struct lf_result *r, unsigned column);

/* Getters. Beyond the last row or column a value is NULL; of a NULL, or of a type that the getter is not for,
 * they return 0, false or NULL. */
LF_API bool lf_result_is_null(const struct lf_result *r, size_t row, unsigned column);
LF_API bool lf_result_bool(const struct lf_result *r, size_t row, unsigned column);
/* Integers, boolean, date (days) and timestamps (microseconds). */
LF_API int64_t lf_result_int(const struct lf_result *r, size_t row, unsigned column);
/* real, double precision; integers and numeric as the nearest double. */
LF_API double lf_result_double(const struct lf_result *r, size_t row, unsigned column);
/* The bytes of text, varchar, char (without its padding), json, arrays (as printed), bytea and uuid (16). Not ended with a zero byte;
 * valid as long as the result is unchanged. */
LF_API const void *lf_result_bytes(
	const struct lf_result *r, size_t row, unsigned column, size_t *len);
/* numeric exactly: (high * 2^64 + low) / 10^scale. */
struct lf_decimal {
	uint64_t low;
	int64_t high;
	uint8_t scale;
	bool nan;
};
LF_API struct lf_decimal lf_result_decimal(const struct lf_result *r, size_t row, unsigned column);
/* Any type as psql prints it, NULL as nothing. Returns the length; when it is below cap, the text is in buf with
 * a zero byte behind it, else buf is of no use: try again with more. 128 bytes suffice for all types but
 * text, varchar, char, bytea, json and arrays. */
LF_API size_t lf_result_text(
	const struct lf_result *r, size_t row, unsigned column, char *buf, size_t cap);

#ifdef __cplusplus
}
#endif

#endif
