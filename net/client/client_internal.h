/*
 * client_internal.h: what the sources of the client library share. Not installed, and no symbol of it leaves
 * the library.
 */
#ifndef LF_NET_CLIENT_CLIENT_INTERNAL_H
#define LF_NET_CLIENT_CLIENT_INTERNAL_H

#include <locale.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/store/row.h"
#include "net/client/leftfold.h"
#include "net/wire/wire.h"

enum {
	CLIENT_READ_BYTES = 256 << 10,   /* first size of the input buffer */
	CLIENT_READ_ROOM_MIN = 64 << 10, /* room there is for each read */
	CLIENT_WRITE_BYTES = 64 << 10,   /* output is written without being asked from here on */
	CLIENT_OUTPUT_BYTES = 1 << 20,   /* options: output_max */
	CLIENT_INFLIGHT = 65536,         /* options: inflight_max */
	CLIENT_INFLIGHT_MAX = 1 << 22,
	CLIENT_RESULT_BYTES = 512 << 20, /* options: result_max */
	CLIENT_SOURCE_BYTES = 63,        /* options: source */
	CLIENT_CONNECT_MS = 10000,       /* options: connect_timeout_ms */
	CLIENT_BATCH_MAX = 65535,        /* executions of one frame */
	CLIENT_TYPES_MAX = 256,          /* declared when preparing */
	CLIENT_RETRY_MS = 30000,         /* options: retry_ms */
	CLIENT_KEEP_BYTES = 1 << 20,     /* a spare result with more is given back to libc */
};

/* Bytes that grow at the end and are used up from the start. */
struct client_buffer {
	unsigned char *data;
	size_t head, used, cap; /* valid: [head, used) */
};

/* What an execution takes and gives: types, names, texts. Shared by a statement, its parameters and its
 * results, which may be freed by different threads. */
struct shape {
	uint32_t references; /* atomic */
	enum lf_statement_kind kind;
	struct arena arena; /* owns all below */
	struct row_layout params, columns;
	const char **names;
	const char *tag, *notice;
	unsigned nchecked; /* columns whose slots say where or how long something is */
	uint16_t *checked;
};

/* The body of PREPARED; *handle as sent. NULL when it is malformed or memory is out. */
struct shape *shape_read(struct wire_reader *r, uint32_t *handle);
struct shape *shape_hold(struct shape *s);
void shape_release(struct shape *s); /* NULL is allowed */
/* The type of column i; LF_TYPE_UNKNOWN beyond. */
struct lf_type type_at(const struct row_layout *l, unsigned i);

struct lf_statement {
	struct lf_client *client;
	struct shape *shape;
	uint32_t handle; /* UINT32_MAX: it could not be prepared again */
	/* To prepare it again. */
	unsigned char *source; /* the types declared, then the text */
	size_t text_bytes;
	unsigned ntypes;
	uint32_t groups; /* of requests that use it */
	bool closed;     /* freed with the last of them */
	struct lf_statement *next, *prev;
};
/* A group of its requests is answered. */
void statement_unuse(struct lf_statement *s);

struct lf_params {
	struct shape *shape;
	unsigned char *row; /* packed at all times */
	size_t cap, tail;   /* of row: what is allocated, and where its variable bytes end */
	struct arena scratch;
	bool failed;
	unsigned failed_at;
	struct lf_client_error error;
};

struct lf_result {
	struct shape *shape; /* NULL: no columns */
	bool shape_held;     /* it has a reference of its own */
	bool failed;
	uint64_t epoch, count;
	uint32_t parts, parts_all;
	size_t nrows, rows_cap;
	size_t *rows;              /* where each begins, from base */
	const unsigned char *base; /* own, or the input buffer */
	unsigned char *own;
	size_t used, cap;
	uint64_t once_client, once_request; /* 0: none */
	uint64_t request;       /* of a part of an answer; of one that waits for lf_client_next() */
	struct lf_result *next; /* in a list */
	struct lf_client_error error;
};

/* Empty; keeps its memory. */
void result_reset(struct lf_result *r);
/* Add the rows of a ROWS body. copy: into its own memory, else they stay where they are.
 * 0, -1 malformed, -2 out of memory. */
int result_add_rows(struct lf_result *r, struct wire_reader *in, uint32_t count, bool copy);

enum operation {
	OPERATION_HELLO,
	OPERATION_PREPARE,
	OPERATION_CLOSE,
	OPERATION_EXECUTE,
	OPERATION_READ,
	OPERATION_QUERY,
	OPERATION_PING,
	OPERATION_HOLD, /* and RELEASE */
	OPERATION_INFO,
	OPERATION_SCHEMA,
	OPERATION_EVENTS,
	OPERATION_REQUEUE
};

/* One sent frame's requests: numbers first … first + n - 1, of which `left` are unanswered. */
struct group {
	enum operation op;
	uint8_t flags; /* of its frame */
	uint32_t n, left, failed;
	uint64_t first, count, epoch;
	uint64_t once_client, once_first; /* of its commands; 0: none */
	lf_client_on_result each;
	lf_client_on_batch all;
	void *arg;
	struct lf_statement *statement; /* EXECUTE */
	struct shape *shape;            /* of the rows: the statement's; QUERY: held */
	struct lf_statement **reads;    /* READ: the statement of each request */
	struct lf_client_error *error;  /* the first, for `all` */
	uint32_t next;                  /* free ones: index plus one */
};

/* What a synchronous call waits for; `arg` of its group, with waiter_done() as `each`. */
struct waiter {
	bool done, failed;
	struct lf_result *result; /* may be NULL */
	struct lf_client_error *e;
	uint64_t epoch;
	struct shape *shape; /* PREPARE */
	uint32_t handle;
	uint64_t count; /* REQUEUE */
	char *text;     /* INFO, SCHEMA */
	size_t length;
};
void waiter_done(void *arg, uint64_t request, const struct lf_result *r);
/* Send a frame, also beyond what would block, and poll until its waiter is done. 0, or -1 (in w->e). */
int waiter_run(struct lf_client *c, enum wire_type type, const void *head, size_t nhead,
	const void *body, size_t nbody, const struct group *g, struct waiter *w);

struct lf_client {
	int fd;
	bool broken;                      /* no more input: outstanding requests are to be failed */
	bool dispatching;                 /* callbacks are running */
	struct lf_client_error fate;      /* why it is broken */
	bool warned;                      /* `farewell` is set */
	struct lf_client_error farewell;  /* what the server said of the connection */
	struct lf_client_options options; /* address: own, or NULL */
	uint64_t once_next;               /* see options.once_first */
	struct lf_client_server server;
	struct client_buffer in, out;

	/* Requests: slots[id & mask] is the group's index plus one, 0 when answered; ids oldest … next - 1. */
	uint64_t next, oldest;
	uint32_t *slots, mask;
	size_t inflight;
	struct group *groups;
	uint32_t ngroups, free_group; /* index plus one */

	/* The batch under construction: its frame begins at out.head + batch_at. */
	bool batching;
	bool batch_numbered; /* its commands have numbers of the connection */
	size_t batch_at;
	uint32_t batch_n;
	struct group batch; /* what its group will be */
	uint32_t reads_cap; /* of batch.reads */

	struct lf_result view;      /* the answer given to callbacks */
	struct lf_result *partials; /* answers of which more frames follow */
	struct lf_result *spare;
	struct lf_client_completion *completions; /* a ring */
	size_t completions_head, completions_n, completions_cap;
	struct lf_result *given; /* by the last lf_client_next() */

	uint64_t epoch, refused;
	uint64_t answered, received; /* requests; bytes */
	uint64_t delivered;          /* events */
	lf_client_on_late_error on_error;
	void *on_error_arg;
	struct lf_client_feed *feeds;
	uint64_t nfeeds; /* numbers given */
	struct lf_statement *statements;
};

/* Fill *e (may be NULL); always -1. */
int client_error(struct lf_client_error *e, const char *sqlstate, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
#ifdef __clang_analyzer__
#define client_error(...) error_returns((client_error)(__VA_ARGS__))
#endif
int client_no_memory(struct lf_client_error *e);
int client_error_from(struct lf_client_error *e, const struct error *from);

/* The program's locale may write decimals with a comma, which strtod() would want then: between the two calls
 * this thread has the C locale. */
struct locale_guard {
	locale_t plain, before;
};
void locale_plain(struct locale_guard *g);
void locale_restore(struct locale_guard *g);

/* Room for n more bytes behind `used`; NULL when out of memory. */
unsigned char *client_buffer_room(struct client_buffer *b, size_t n);

/* The connection is over; why is told to everything outstanding at the next poll. */
void client_break(struct lf_client *c, const char *sqlstate, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Write what the socket takes. A failure is seen by the next read. */
void client_write(struct lf_client *c);
/* Whether a call is allowed now: -1 with 08006 (broken) or 55000 (a batch is open; with `sync` also: from
 * a callback). */
int client_ready(struct lf_client *c, bool sync, struct lf_client_error *e);

/* Whether the table has no room for n more requests. */
bool request_full(struct lf_client *c, uint32_t n);
/* Room in the output and the table for n requests in a frame of `length` bytes of body (urgent: beyond the
 * caps). Returns 0, LF_WOULD_BLOCK, -1. */
int request_admit(
	struct lf_client *c, size_t length, uint32_t n, bool urgent, struct lf_client_error *e);
/* Append a frame that request_admit() found room for: returns its body; *request is its number. NULL out of
 * memory. g: as its group shall be; n, left, first are set. */
unsigned char *request_append(struct lf_client *c, enum wire_type type, size_t length,
	const struct group *g, uint32_t n, uint64_t *request);
/* Append a frame about a request that is under way, or of one that is in no group. 0, or -1 out of memory. */
int request_append_about(struct lf_client *c, enum wire_type type, uint64_t request,
	const void *head, size_t nhead, const void *body, size_t nbody, struct lf_client_error *e);
/* Enter n requests from c->next on under a new group. 0, or -1 out of memory. */
int request_enter(struct lf_client *c, const struct group *g, uint32_t n, uint64_t *request);
/* A frame with one request, of a head and a body. */
int request_send(struct lf_client *c, enum wire_type type, const void *head, size_t nhead,
	const void *body, size_t nbody, const struct group *g, bool urgent, uint64_t *request,
	struct lf_client_error *e);
/* The group's index of an unanswered request; -1: there is none of that number. */
int64_t request_find(const struct lf_client *c, uint64_t request);
/* What its rows are like; NULL: it has none. */
struct shape *request_shape(const struct group *g, uint64_t request);
/* The request has its answer, r: take it out of the table and tell whoever waits. */
void request_answer(struct lf_client *c, uint64_t request, struct lf_result *r);
/* The same for a command that simply succeeded. */
void request_succeed(
	struct lf_client *c, uint32_t group, uint64_t request, uint64_t epoch, uint64_t count);
/* READ's statements are used no more. */
void reads_release(struct group *g, uint32_t n);
/* Answer everything outstanding with 08006. */
void request_fail_all(struct lf_client *c);

/* What stands before an execution's row: the head, and options by the frame's flags. */
struct execute_start {
	struct wire_execute head;
	unsigned char options[sizeof(struct wire_once) + sizeof(struct wire_expect) +
		((sizeof(uint32_t) + WIRE_META_MAX + 7) & ~(size_t)7)];
	uint8_t flags;
	size_t size;           /* of the head and the options */
	struct wire_once once; /* client 0: none */
	bool numbered;         /* by the connection: see execute_sent() */
};
_Static_assert(offsetof(struct execute_start, options) == sizeof(struct wire_execute),
	"the options follow the head");

/* An execution: command may be NULL. */
struct execution {
	struct lf_statement *statement;
	const struct lf_params *params;
	const struct lf_client_call *how;
	const struct lf_client_command *command;
};
/* What stands before an execution's row and before a query's text, and the row itself. 0, or -1. */
int execute_prepare(struct execute_start *start, const struct lf_client *c,
	const struct execution *x, const unsigned char **row, size_t *size,
	struct lf_client_error *e);
int query_head(struct wire_query *head, const struct lf_client *c, const struct lf_client_call *how,
	struct lf_client_error *e);

/* The group's flags and numbers. */
void execute_group(const struct execute_start *start, struct group *g);
/* n executions have been sent: their numbers are used up. */
void execute_sent(struct lf_client *c, const struct group *g, bool numbered, uint32_t n);

/* The exchange of hellos over c->fd. */
int client_greet(struct lf_client *c, unsigned timeout_ms, struct lf_client_error *e);
/* A connected socket for the address. */
int client_connect(const char *address, unsigned timeout_ms, struct lf_client_error *e);
/* lf_client_prepare() over the connection that there is. */
int statement_prepare(struct lf_statement **out, struct lf_client *c, const char *text, size_t len,
	const uint8_t *types, unsigned ntypes, struct lf_client_error *e);
/* Prepare a statement by its source; its shape stays. 0; -1: refused (handle UINT32_MAX), or lost. */
int statement_prepare_again(struct lf_statement *s);

struct lf_result *result_take(struct lf_client *c); /* a spare one, or new; NULL out of memory */
void result_give(struct lf_client *c, struct lf_result *r);

/* How many dead letters are given again. */
void answer_requeued(struct lf_client *c, const struct wire_header *h, struct wire_reader *in,
	const struct group *g);
/* A frame of the event log. */
void answer_events(
	struct lf_client *c, const struct wire_header *h, struct wire_reader *in, struct group *g);

/* Handle one frame. */
void answer_frame(struct lf_client *c, const struct wire_header *h, const unsigned char *body);

/* --- feed.c --- */

/* Requests that are subscriptions have this bit, and are not in the table. */
#define FEED_BIT (UINT64_C(1) << 63)
/* A frame for one. */
void feed_frame(struct lf_client *c, const struct wire_header *h, struct wire_reader *in);
void feed_error(struct lf_client *c, uint64_t request, const struct lf_client_error *e);
/* The connection is lost. */
void feeds_fail_all(struct lf_client *c);
void feeds_free(struct lf_client *c);

/* The row of parameters for a statement. 0, or -1. */
int params_row(const struct shape *s, const struct lf_params *p, const unsigned char **row,
	size_t *size, struct lf_client_error *e);
void client_violation(struct lf_client *c, const char *what);

/* Connect to HOST:PORT within timeout_ms (0: no limit); a non-blocking socket, or -1. */
int client_dial(const char *address, unsigned timeout_ms, struct lf_client_error *e);
uint64_t client_now_ms(void);
/* Of a wait of timeout_ms that ends at `deadline`: what is left of it; without end (< 0) and not at all (0) as they are. */
int client_left_ms(int timeout_ms, uint64_t deadline);

#endif
