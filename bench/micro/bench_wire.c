/*
 * bench_wire.c: what frames cost by themselves: the client library at one end of a pair of sockets, a session of the server
 * with a stepped engine at the other, all in this thread, GROUP executions at a time. Only the call named is timed; the bytes
 * are carried between the two, and the engine steps, outside of it.
 *
 *   bench_wire [--smoke] [--executions N]
 *
 * execute_encode     lf_client_send(): an EXECUTE frame with two parameters into the output
 * execute_decode     session_input(): the frame taken apart, its row checked, the command put into its shard's ring
 * done_batch_encode  session_reply(): an item of DONE_BATCH
 * done_batch_decode  lf_client_poll(): an item found and handed out, with a GROUP-th of the system calls
 * rows_execute       session_input(): EXECUTE of a read by key, its row found and put into a ROWS frame
 * rows_encode        of that, the ROWS frame
 * rows_decode        lf_client_poll(): a ROWS frame of one row handed out, with a GROUP-th of the system calls
 *
 * All are ns an execution; every answer is checked.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/session_bed.h"

#include "bench/micro/micro.h"
#include "net/client/leftfold.h"
#include "net/server/session_internal.h"

/* ROWS: whole groups, so that each is filled once. */
enum { GROUP = 64, ROWS = 16 * GROUP, BYTES_MAX = 1 << 16 };

static const char SCHEMA[] =
	"CREATE TABLE kv (id bigint PRIMARY KEY, n bigint NOT NULL, value text NOT NULL)";
#define VALUE "thirty-two letters of a value..."
static const char FILL[] = "INSERT INTO kv VALUES ($1, $2, '" VALUE "')";
static const char CHANGE[] = "UPDATE kv SET n = $2 WHERE id = $1";
static const char READ[] = "SELECT n, value FROM kv WHERE id = $1";

enum part {
	EXECUTE_ENCODE,
	EXECUTE_DECODE,
	DONE_BATCH_ENCODE,
	DONE_BATCH_DECODE,
	ROWS_EXECUTE,
	ROWS_ENCODE,
	ROWS_DECODE,
	PARTS
};

static const char *const NAMES[PARTS] = { "execute_encode", "execute_decode", "done_batch_encode",
	"done_batch_decode", "rows_execute", "rows_encode", "rows_decode" };

struct rig {
	struct bed bed;
	int fd; /* the server's end */
	struct lf_client *client;
	uint64_t request; /* the client's next */
	uint64_t ns[PARTS], executions[PARTS];
	uint64_t answers, wrong;
};

/* What the session has written goes to the client. */
static void carry_answers(struct rig *r)
{
	struct buffer *out = &r->bed.c.out;
	size_t n = buffer_length(out);

	if (n > 0 && send(r->fd, out->data + out->head, n, MSG_NOSIGNAL) != (ssize_t)n)
		micro_fail("bench_wire: the socket does not take the answers");
	out->head = out->used = 0;
	r->bed.c.batch_open = false;
}

/* What the client has written; returns its length. */
static size_t carry_requests(struct rig *r, unsigned char bytes[static BYTES_MAX])
{
	struct lf_client_error e;
	ssize_t n;

	if (lf_client_flush(r->client, &e) != 0)
		micro_fail("bench_wire: the socket does not take the requests");
	n = recv(r->fd, bytes, BYTES_MAX, MSG_DONTWAIT);
	return n > 0 ? (size_t)n : 0;
}

/* A frame that the client is about to send and then to wait for: its answer is there before. */
static void answer_ahead(struct rig *r, enum wire_type type, const void *head, uint32_t nhead,
	const void *body, uint32_t nbody)
{
	struct wire_header h = {
		.length = nhead + nbody, .type = (uint8_t)type, .request = r->request++
	};
	unsigned char bytes[BYTES_MAX];

	memcpy(bytes, &h, sizeof(h));
	memcpy(bytes + sizeof(h), head, nhead);
	if (nbody > 0)
		memcpy(bytes + sizeof(h) + nhead, body, nbody);
	bed_input(&r->bed, bytes, sizeof(h) + h.length);
	carry_answers(r);
}

static void rig_open(struct rig *r)
{
	struct wire_hello hello = { WIRE_MAGIC, WIRE_VERSION, WIRE_VERSION, 0 };
	struct lf_client_options o = lf_client_options_default();
	unsigned char bytes[BYTES_MAX];
	struct lf_client_error ce;
	struct error e;
	int fds[2];

	memset(r, 0, sizeof(*r));
	r->request = 1;
	bed_open(&r->bed, bed_engine(1), 1);
	if (lf_run_script(r->bed.host.port, SCHEMA, sizeof(SCHEMA) - 1, &e) != 0)
		micro_fail("bench_wire: %s", e.message);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		micro_fail("bench_wire: no sockets");
	r->fd = fds[1];
	answer_ahead(r, WIRE_HELLO, &hello, sizeof(hello), NULL, 0);
	if (lf_client_open_fd(&r->client, fds[0], &o, &ce) != 0)
		micro_fail("bench_wire: %s", ce.message);
	(void)carry_requests(r, bytes);
}

static void rig_close(struct rig *r)
{
	struct lf_engine *engine = r->bed.server.engine;

	lf_client_close(r->client);
	(void)close(r->fd);
	bed_close(&r->bed);
	lf_engine_close(engine);
}

static struct lf_statement *prepare(struct rig *r, const char *text)
{
	struct wire_prepare head = { .text_length = (uint32_t)strlen(text) };
	unsigned char bytes[BYTES_MAX];
	struct lf_statement *s;
	struct lf_client_error e;

	answer_ahead(r, WIRE_PREPARE, &head, sizeof(head), text, head.text_length);
	if (lf_client_prepare(&s, r->client, text, SIZE_MAX, NULL, 0, &e) != 0)
		micro_fail("bench_wire: %s", e.message);
	(void)carry_requests(r, bytes);
	return s;
}

/* --- a group of executions --- */

static void on_done(void *arg, uint64_t request, const struct lf_result *result)
{
	struct rig *r = arg;

	(void)request;
	r->answers++;
	r->wrong += lf_result_error(result) != NULL || lf_result_count(result) != 1;
}

static void on_row(void *arg, uint64_t request, const struct lf_result *result)
{
	struct rig *r = arg;
	size_t len;

	on_done(arg, request, result);
	r->wrong += lf_result_bytes(result, 0, 1, &len) == NULL || len != sizeof(VALUE) - 1;
}

/* What has taken since `begin` was this part of a group. */
static void note(struct rig *r, enum part part, uint64_t begin)
{
	r->ns[part] += clock_now_ns() - begin;
	r->executions[part] += GROUP;
}

static void send_group(struct rig *r, struct lf_statement *s, struct lf_params *p, uint64_t first,
	lf_client_on_result fn)
{
	struct lf_client_call how = { .ack = LF_ACK_VISIBLE };
	struct lf_client_error e;

	for (unsigned i = 0; i < GROUP; i++) {
		lf_params_set_int(p, 0, (int64_t)((first + i) % ROWS));
		if (lf_client_send(r->client, s, p, &how, fn, r, NULL, &e) != 0)
			micro_fail("bench_wire: cannot send");
	}
	r->request += GROUP;
}

static void session_take(struct rig *r, const unsigned char *bytes, size_t n)
{
	struct connection *c = &r->bed.c;

	c->blocked = c->yielded = false;
	c->budget = ROUND_BYTES;
	if (session_input(c->session, bytes, n) != n)
		micro_fail("bench_wire: the session does not take a group at once");
}

static void take_answers(struct rig *r)
{
	struct lf_client_error e;

	if (lf_client_poll(r->client, 0, &e) < 0)
		micro_fail("bench_wire: %s", e.message);
}

static void check_group(struct rig *r)
{
	if (r->answers != GROUP || r->wrong != 0)
		micro_fail("bench_wire: %llu answers of %d, %llu wrong",
			(unsigned long long)r->answers, GROUP, (unsigned long long)r->wrong);
	r->answers = 0;
}

/* The engine's part until its replies are there to be taken. */
static void engine_step(struct rig *r)
{
	lf_flush(r->bed.host.port);
	lf_settle(r->bed.host.engine);
}

static void take_replies(struct rig *r)
{
	while (lf_poll(r->bed.host.port, session_reply, &r->bed.host) > 0)
		;
}

static void command_group(
	struct rig *r, struct lf_statement *s, struct lf_params *p, uint64_t first)
{
	unsigned char bytes[BYTES_MAX];
	uint64_t begin;
	size_t n;

	lf_params_set_int(p, 1, (int64_t)first);
	begin = clock_now_ns();
	send_group(r, s, p, first, on_done);
	note(r, EXECUTE_ENCODE, begin);
	n = carry_requests(r, bytes);
	begin = clock_now_ns();
	session_take(r, bytes, n);
	note(r, EXECUTE_DECODE, begin);
	engine_step(r);
	begin = clock_now_ns();
	take_replies(r);
	note(r, DONE_BATCH_ENCODE, begin);
	carry_answers(r);
	begin = clock_now_ns();
	take_answers(r);
	note(r, DONE_BATCH_DECODE, begin);
	check_group(r);
}

static void read_group(struct rig *r, struct lf_statement *s, struct lf_params *p, uint64_t first)
{
	unsigned char bytes[BYTES_MAX];
	uint64_t begin;
	size_t n;

	send_group(r, s, p, first, on_row);
	n = carry_requests(r, bytes);
	begin = clock_now_ns();
	session_take(r, bytes, n);
	note(r, ROWS_EXECUTE, begin);
	carry_answers(r);
	begin = clock_now_ns();
	take_answers(r);
	note(r, ROWS_DECODE, begin);
	check_group(r);
}

/* The frames alone, of a row as those that are read. */
static void rows_group(struct rig *r, const void *row)
{
	struct buffer *out = &r->bed.c.out;
	uint32_t size = row_size(row);
	uint64_t begin = clock_now_ns();

	for (unsigned i = 0; i < GROUP; i++)
		if (rows_one(r->bed.c.session, i, 1, row, size) != 0)
			micro_fail("bench_wire: out of memory");
	note(r, ROWS_ENCODE, begin);
	if (buffer_length(out) !=
		GROUP * (sizeof(struct wire_header) + sizeof(struct wire_rows) + size))
		micro_fail("bench_wire: frames of another size");
	out->head = out->used = 0;
}

/* --- all of it --- */

static void run_commands(struct rig *r, const char *text, uint64_t n)
{
	struct lf_statement *s = prepare(r, text);
	struct lf_params *p = lf_params_new(s);

	for (uint64_t i = 0; i < n; i += GROUP)
		command_group(r, s, p, i);
	lf_params_free(p);
}

static void run_reads(struct rig *r, uint64_t n)
{
	struct lf_statement *s = prepare(r, READ);
	struct lf_params *p = lf_params_new(s);

	for (uint64_t i = 0; i < n; i += GROUP)
		read_group(r, s, p, i);
	lf_params_free(p);
}

static void run_rows(struct rig *r, uint64_t n)
{
	static const struct type TYPES[] = { { TYPE_INT8, 0, 0 }, { TYPE_TEXT, 0, 0 } };
	struct value v[] = { { .i = 1, .type = TYPE_INT8 }, { .type = TYPE_TEXT } };
	uint64_t row[BYTES_MAX / 1024];
	struct row_layout layout;
	struct arena arena;
	struct error e;

	v[1].s.p = VALUE;
	v[1].s.len = sizeof(VALUE) - 1;
	arena_init(&arena, NULL);
	if (row_layout_init(&layout, TYPES, 2, &arena, &e) != 0)
		micro_fail("bench_wire: out of memory");
	row_encode(&layout, v, row);
	for (uint64_t i = 0; i < n; i += GROUP)
		rows_group(r, row);
	arena_free(&arena);
}

int main(int argc, char **argv)
{
	bool smoke = false;
	uint64_t n = 1000000;
	const struct micro_flag flags[] = { { "--smoke", &smoke, NULL },
		{ "--executions", NULL, &n } };
	struct rig r;

	micro_flags(argc, argv, flags, 2);
	if (smoke)
		n = 2000;
	rig_open(&r);
	run_commands(&r, FILL, ROWS);
	memset(r.ns, 0, sizeof(r.ns));
	memset(r.executions, 0, sizeof(r.executions));
	run_commands(&r, CHANGE, n);
	run_reads(&r, n);
	run_rows(&r, n);
	rig_close(&r);
	for (unsigned i = 0; i < PARTS; i++)
		printf("wire_%s ns %.1f\n", NAMES[i], (double)r.ns[i] / (double)r.executions[i]);
	return 0;
}
