/*
 * The client library against a scripted server: what it sends, byte for byte, and what it makes of answers,
 * whole, in pieces, wrong, and missing.
 */
#include "tests/unit/fake_server.h"

#include <poll.h>

#include "core/base/hash.h"

static const struct type INT8 = { TYPE_INT8, 0, 0 };

/* What callbacks have seen. */
struct seen {
	unsigned answers, failed, batches;
	uint64_t last, count, epoch;
	size_t nrows;
	char state[6];
	char text[64];
};

static void note(void *arg, uint64_t request, const struct lf_result *r)
{
	struct seen *s = arg;

	s->answers++;
	s->last = request;
	s->count += lf_result_count(r);
	s->epoch = lf_result_epoch(r);
	s->nrows = lf_result_nrows(r);
	if (lf_result_error(r) != NULL) {
		s->failed++;
		memcpy(s->state, lf_result_error(r)->sqlstate, 6);
	}
	if (s->nrows > 0 && lf_result_ncolumns(r) > 1)
		(void)lf_result_text(r, s->nrows - 1, 1, s->text, sizeof(s->text));
}

static void note_batch(void *arg, const struct lf_client_batch *b)
{
	struct seen *s = arg;

	s->batches++;
	s->answers += b->n;
	s->failed += b->failed;
	s->count += b->count;
	s->epoch = b->epoch;
	s->last = b->first;
	if (b->error != NULL)
		memcpy(s->state, b->error->sqlstate, 6);
}

static struct body rows_of(uint64_t epoch, uint32_t count)
{
	struct wire_rows head = { .epoch = epoch, .count = count };
	struct body b = { .n = 0 };

	body_add(&b, &head, sizeof(head));
	return b;
}

/* What callbacks have seen of commands with numbers. */
struct numbered {
	unsigned answers;
	uint64_t client, request;
	bool once, resend;
};

static void note_number(void *arg, uint64_t request, const struct lf_result *r)
{
	struct numbered *n = arg;

	(void)request;
	n->answers++;
	n->once = lf_result_once(r, &n->client, &n->request);
	n->resend = lf_result_resend(r);
}

/* --- opening --- */

static void test_hello(void **state)
{
	struct fake f = fake_open(lf_client_options_default());
	const struct lf_client_server *s = lf_client_server(f.c);

	(void)state;
	assert_int_equal(s->protocol, 1);
	assert_int_equal(s->shards, 3);
	assert_int_equal(s->frame_max, FAKE_FRAME_MAX);
	assert_int_equal(s->statements_max, 5);
	assert_int_equal(s->requests_max, 6);
	assert_int_equal(s->visible, 77);
	fake_close(&f);
}

/* How opening goes when the server's first bytes are these. */
static void refuse(const void *bytes, size_t n, bool end, const char *expected)
{
	struct lf_client_options o = lf_client_options_default();
	struct lf_client_error e;
	struct lf_client *c;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	if (n > 0)
		assert_int_equal(send(fds[1], bytes, n, 0), n);
	if (end)
		close(fds[1]);
	o.connect_timeout_ms = 50;
	assert_int_equal(lf_client_open_fd(&c, fds[0], &o, &e), -1);
	assert_null(c);
	assert_string_equal(e.sqlstate, expected);
	if (!end)
		close(fds[1]);
}

static void test_refused(void **state)
{
	struct wire_error w = { .message_length = 4 };
	struct wire_header h = { sizeof(w) + 4, WIRE_ERROR, WIRE_FLAG_ASYNC, 0, 0 };
	unsigned char bytes[sizeof(h) + sizeof(w) + 4];

	(void)state;
	memcpy(w.sqlstate, "53300", 5);
	memcpy(bytes, &h, sizeof(h));
	memcpy(bytes + sizeof(h), &w, sizeof(w));
	memcpy(bytes + sizeof(h) + sizeof(w), "full", 4);
	refuse(bytes, sizeof(bytes), true, "53300");
	refuse(bytes, sizeof(bytes) - 1, true, "08006"); /* ends within the frame */
	refuse(NULL, 0, true, "08006");
	refuse(NULL, 0, false, "08006"); /* says nothing */
	refuse("HTTP/1.1 400 Bad Request\r\n\r\n", 28, false, "08P01");
}

static void test_addresses(void **state)
{
	static const char *const BAD[] = { NULL, "", "127.0.0.1", ":5466", "127.0.0.1:", "[]:1" };
	struct lf_client_options o = lf_client_options_default();
	struct lf_client_error e;
	struct lf_client *c;

	(void)state;
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		o.address = BAD[i];
		assert_int_equal(lf_client_open(&c, &o, &e), -1);
		assert_string_equal(e.sqlstate, "22023");
	}
	o.address = "127.0.0.1:1"; /* nobody listens */
	assert_int_equal(lf_client_open(&c, &o, &e), -1);
	assert_string_equal(e.sqlstate, "08001");
}

/* --- what is sent --- */

static void test_bytes_sent(void **state)
{
	struct fake f = fake_open(lf_client_options_default());
	struct lf_client_call how = { LF_ACK_DURABLE, 250, 99 };
	static const uint8_t DECLARED[] = { LF_TYPE_INT4, LF_TYPE_UNKNOWN };
	unsigned char body[256];
	struct body b = fake_prepared(WIRE_KIND_COMMAND, 9, &INT8, 1, NULL, 0);
	struct wire_execute x;
	struct wire_header h;
	struct lf_statement *s;
	struct lf_params *p;
	uint64_t request;

	(void)state;
	fake_frame(&f, WIRE_PREPARED, 0, 2, b.bytes, b.n);
	assert_int_equal(lf_client_prepare(&s, f.c, "abc", SIZE_MAX, DECLARED, 2, &f.e), 0);
	h = fake_read(&f, body, sizeof(body));
	assert_int_equal(h.type, WIRE_PREPARE);
	assert_int_equal(h.request, 2);
	assert_int_equal(h.length, 13);
	assert_memory_equal(body, "\2\0\0\0\3\0\0\0\3\0abc", 13);
	assert_int_equal(lf_statement_kind(s), LF_STATEMENT_COMMAND);
	assert_int_equal(lf_statement_nparams(s), 1);
	assert_int_equal(lf_statement_param_type(s, 0).id, LF_TYPE_INT8);
	assert_int_equal(lf_statement_param_type(s, 1).id, LF_TYPE_UNKNOWN);
	assert_string_equal(lf_statement_tag(s), "TAG");
	assert_string_equal(lf_statement_notice(s), "a notice");

	p = lf_params_new(s);
	lf_params_set_int(p, 0, 0x0102);
	assert_int_equal(lf_client_send(f.c, s, p, &how, NULL, NULL, &request, &f.e), 0);
	assert_int_equal(request, 3);
	assert_int_equal(lf_client_flush(f.c, &f.e), 0);
	h = fake_read(&f, body, sizeof(body));
	assert_int_equal(h.type, WIRE_EXECUTE);
	assert_int_equal(h.request, 3);
	assert_int_equal(h.length, sizeof(x) + 16);
	memcpy(&x, body, sizeof(x));
	assert_int_equal(x.handle, 9);
	assert_int_equal(x.ack, LF_ACK_DURABLE);
	assert_int_equal(x.timeout_ms, 250);
	assert_int_equal(x.at_least, 99);
	assert_int_equal(x.count, 1);
	assert_memory_equal(body + sizeof(x), "\x10\0\0\0\0\2\1\0\0\0\0\0\0\0\0\0", 16);

	assert_int_equal(lf_client_batch_begin(f.c, s, &how, NULL, NULL, NULL, &f.e), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(lf_client_batch_add(f.c, p, &f.e), 0);
	assert_int_equal(lf_client_batch_end(f.c, &request, &f.e), 0);
	assert_int_equal(request, 4);
	assert_int_equal(
		lf_client_send_query(f.c, "SELECT 1", 6, &how, NULL, NULL, &request, &f.e), 0);
	assert_int_equal(request, 7);
	lf_statement_close(s);
	assert_int_equal(lf_client_flush(f.c, &f.e), 0);
	h = fake_read(&f, body, sizeof(body));
	assert_int_equal(h.type, WIRE_EXECUTE_BATCH);
	assert_int_equal(h.request, 4);
	assert_int_equal(h.length, sizeof(x) + 3 * 16);
	memcpy(&x, body, sizeof(x));
	assert_int_equal(x.count, 3);
	h = fake_read(&f, body, sizeof(body));
	assert_int_equal(h.type, WIRE_QUERY);
	assert_int_equal(h.length, 16 + 6);
	assert_memory_equal(body, "\1\0\0\0\xfa\0\0\0\x63\0\0\0\0\0\0\0SELECT", 22);
	h = fake_read(&f, body, sizeof(body));
	assert_int_equal(h.type, WIRE_CLOSE);
	assert_int_equal(h.request, 8);
	assert_memory_equal(body, "\x9\0\0\0", 4);
	lf_params_free(p);
	fake_close(&f);
}

/* --- answers --- */

static void test_answers_in_pieces(void **state)
{
	struct fake f = fake_open(lf_client_options_default());
	struct lf_statement *s = fake_prepare(&f, 2, WIRE_KIND_QUERY, NULL, 0, PAIR, 2);
	struct body b = rows_of(12, 2), c = rows_of(12, 1);
	unsigned char bytes[1024];
	size_t n;
	struct seen seen = { 0 };
	int fds[2];
	struct fake tape;

	(void)state;
	add_pair(&b, 1, "one");
	add_pair(&b, 2, "two");
	add_pair(&c, 3, "three");
	/* Two answers, the first in two frames; recorded, then sent byte by byte. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	tape.fd = fds[0];
	fake_frame(&tape, WIRE_ROWS, WIRE_FLAG_MORE, 3, b.bytes, b.n);
	fake_frame(&tape, WIRE_ROWS, 0, 4, b.bytes, b.n);
	fake_frame(&tape, WIRE_ROWS, 0, 3, c.bytes, c.n);
	n = (size_t)recv(fds[1], bytes, sizeof(bytes), 0);
	close(fds[0]);
	close(fds[1]);
	for (int i = 0; i < 2; i++)
		assert_int_equal(lf_client_send(f.c, s, NULL, NULL, note, &seen, NULL, &f.e), 0);
	for (size_t i = 0; i < n; i++) {
		fake_write(&f, bytes + i, 1);
		assert_int_equal(lf_client_poll(f.c, 0, &f.e),
			i == n - 1 || i == 2 * (WIRE_HEADER + b.n) - 1);
	}
	assert_int_equal(seen.answers, 2);
	assert_int_equal(seen.last, 3);
	assert_int_equal(seen.nrows, 3);
	assert_int_equal(seen.count, 5);
	assert_int_equal(seen.epoch, 12);
	assert_string_equal(seen.text, "three");
	assert_int_equal(lf_client_inflight(f.c), 0);
	fake_close(&f);
}

static void test_synchronous(void **state)
{
	struct fake f = fake_open(lf_client_options_default());
	struct lf_statement *s = fake_prepare(&f, 2, WIRE_KIND_COMMAND, NULL, 0, PAIR, 2);
	struct lf_result *r = lf_result_new(), *kept = lf_result_new();
	struct body b = rows_of(12, 1);
	struct body prepared = fake_prepared(WIRE_KIND_QUERY, UINT32_MAX, NULL, 0, PAIR, 2);
	struct wire_done_item item = { 4, 14, 1 };
	char *text;
	size_t len;

	(void)state;
	add_pair(&b, 1, "returned");
	fake_frame(&f, WIRE_ROWS, WIRE_FLAG_MORE, 3, b.bytes, b.n);
	fake_done(&f, 3, 13, 1);
	assert_int_equal(lf_client_execute(f.c, s, NULL, NULL, r, &f.e), 0);
	assert_int_equal(lf_result_nrows(r), 1);
	assert_int_equal(lf_result_epoch(r), 13);
	assert_int_equal(lf_client_epoch(f.c), 13);
	assert_int_equal(lf_result_copy(kept, r), 0);
	fake_frame(&f, WIRE_DONE_BATCH, 0, 4, &item, sizeof(item));
	assert_int_equal(lf_client_execute(f.c, s, NULL, NULL, r, &f.e), 0);
	assert_int_equal(lf_result_nrows(r), 0);
	assert_int_equal(lf_result_count(r), 1);
	assert_int_equal(lf_client_epoch(f.c), 14);

	fake_error(&f, 0, 5, "23505", "duplicate");
	assert_int_equal(lf_client_execute(f.c, s, NULL, NULL, r, &f.e), -1);
	assert_string_equal(f.e.sqlstate, "23505");
	assert_string_equal(f.e.message, "duplicate");
	assert_int_equal(f.e.position, 7);
	assert_string_equal(lf_result_error(r)->sqlstate, "23505");

	fake_frame(&f, WIRE_PREPARED, 0, 6, prepared.bytes, prepared.n);
	fake_frame(&f, WIRE_ROWS, 0, 6, b.bytes, b.n);
	assert_int_equal(lf_client_query(f.c, "SELECT", SIZE_MAX, NULL, r, &f.e), 0);
	assert_null(lf_result_error(r));
	assert_string_equal(lf_result_notice(r), "a notice");
	assert_string_equal(lf_result_column_name(r, 1), "c1");

	fake_frame(&f, WIRE_PONG, 0, 7, NULL, 0);
	assert_int_equal(lf_client_ping(f.c, &f.e), 0);
	fake_frame(&f, WIRE_INFO_OK, 0, 8, "a 1\n", 4);
	assert_int_equal(lf_client_info(f.c, &text, &len, &f.e), 0);
	assert_int_equal(len, 4);
	assert_string_equal(text, "a 1\n");
	free(text);
	fake_frame(&f, WIRE_SCHEMA_OK, 0, 9, NULL, 0);
	assert_int_equal(lf_client_schema(f.c, &text, NULL, &f.e), 0);
	assert_string_equal(text, "");
	free(text);

	/* What was read outlives everything. */
	fake_close(&f);
	assert_int_equal(lf_result_int(kept, 0, 0), 1);
	assert_memory_equal(lf_result_bytes(kept, 0, 1, &len), "returned", 8);
	lf_result_free(kept);
	lf_result_free(r);
}

static void test_batches(void **state)
{
	struct fake f = fake_open(lf_client_options_default());
	struct lf_statement *s = fake_prepare(&f, 2, WIRE_KIND_COMMAND, &INT8, 1, NULL, 0);
	struct wire_done_item items[] = { { 4, 21, 1 }, { 3, 20, 2 }, { 6, 20, 1 }, { 7, 20, 1 } };
	struct lf_params *p = lf_params_new(s);
	struct seen all = { 0 }, each = { 0 };
	unsigned char rows[48];
	const void *row;
	size_t size;
	uint64_t first;

	(void)state;
	row = lf_params_row(p, &size);
	assert_int_equal(size, 16);
	for (int i = 0; i < 3; i++)
		memcpy(rows + 16 * i, row, 16);
	assert_int_equal(lf_client_batch_begin(f.c, s, NULL, NULL, note_batch, &all, &f.e), 0);
	assert_int_equal(lf_client_batch_add_rows(f.c, rows, 47, 3, &f.e), -1);
	assert_int_equal(lf_client_batch_add_rows(f.c, rows, 48, 2, &f.e), -1);
	assert_int_equal(lf_client_batch_add_rows(f.c, rows, 48, 3, &f.e), 0);
	/* Nothing else may be done now. */
	assert_int_equal(lf_client_send(f.c, s, p, NULL, NULL, NULL, NULL, &f.e), -1);
	assert_string_equal(f.e.sqlstate, "55000");
	assert_int_equal(lf_client_poll(f.c, 0, &f.e), -1);
	assert_int_equal(lf_client_batch_end(f.c, &first, &f.e), 0);
	assert_int_equal(first, 3);
	assert_int_equal(lf_client_batch_begin(f.c, s, NULL, note, note_batch, &each, &f.e), 0);
	assert_int_equal(lf_client_batch_add_rows(f.c, rows, 32, 2, &f.e), 0);
	assert_int_equal(lf_client_batch_end(f.c, &first, &f.e), 0);
	assert_int_equal(lf_client_inflight(f.c), 5);

	fake_frame(&f, WIRE_DONE_BATCH, 0, 4, items, sizeof(items));
	assert_int_equal(lf_client_poll(f.c, 0, &f.e), 4);
	assert_int_equal(all.batches, 0);
	assert_int_equal(each.answers, 4); /* two, and the batch of two */
	assert_int_equal(each.batches, 1);
	fake_error(&f, 0, 5, "23505", "duplicate");
	assert_int_equal(lf_client_poll(f.c, 0, &f.e), 1);
	assert_int_equal(all.batches, 1);
	assert_int_equal(all.answers, 3);
	assert_int_equal(all.failed, 1);
	assert_int_equal(all.count, 3);
	assert_int_equal(all.epoch, 21);
	assert_string_equal(all.state, "23505");

	/* An empty batch, and one taken back, leave nothing. */
	fake_discard(&f);
	assert_int_equal(lf_client_batch_begin(f.c, s, NULL, NULL, note_batch, &all, &f.e), 0);
	assert_int_equal(lf_client_batch_end(f.c, &first, &f.e), 0);
	assert_int_equal(lf_client_batch_begin(f.c, s, NULL, NULL, note_batch, &all, &f.e), 0);
	assert_int_equal(lf_client_batch_add(f.c, p, &f.e), 0);
	lf_client_batch_cancel(f.c);
	assert_int_equal(lf_client_unwritten(f.c), 0);
	assert_int_equal(lf_client_inflight(f.c), 0);
	lf_params_free(p);
	fake_close(&f);
}

/* Reads of different queries: what is sent, and that each answer is read as its own query's. */
static void test_reads(void **state)
{
	struct fake f = fake_open(lf_client_options_default());
	struct lf_statement *pairs = fake_prepare(&f, 2, WIRE_KIND_QUERY, &INT8, 1, PAIR, 2);
	struct lf_statement *one = fake_prepare(&f, 3, WIRE_KIND_QUERY, NULL, 0, &INT8, 1);
	struct lf_statement *command = fake_prepare(&f, 4, WIRE_KIND_COMMAND, NULL, 0, NULL, 0);
	struct lf_params *p = lf_params_new(pairs);
	struct lf_client_call how = { LF_ACK_VISIBLE, 5, 9 };
	struct lf_result *r[3] = { lf_result_new(), lf_result_new(), lf_result_new() };
	struct lf_client_read reads[] = { { pairs, p, r[0] }, { one, NULL, r[1] },
		{ pairs, p, NULL }, { one, NULL, r[2] } };
	struct body pair = rows_of(12, 1), first = rows_of(12, 1), rest = rows_of(12, 1);
	static const unsigned char SEVEN[] = { 16, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
	static const unsigned char SENT[] = { 4, 0, 0, 0, 5, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, /**/
		40, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,     /**/
		40, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0,                              /**/
		40, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,     /**/
		40, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0 };
	unsigned char sent[256];
	struct wire_header h;
	struct seen seen = { 0 };
	struct lf_client_completion done;
	uint64_t request;

	(void)state;
	lf_params_set_int(p, 0, 7);
	add_pair(&pair, 1, "one");
	body_add(&first, SEVEN, sizeof(SEVEN));
	body_add(&rest, SEVEN, sizeof(SEVEN));
	/* Synchronously; one answer comes in two frames, one is an error. */
	fake_frame(&f, WIRE_ROWS, 0, 5, pair.bytes, pair.n);
	fake_frame(&f, WIRE_ROWS, WIRE_FLAG_MORE, 6, first.bytes, first.n);
	fake_frame(&f, WIRE_ROWS, 0, 6, rest.bytes, rest.n);
	fake_error(&f, 0, 7, "22012", "division by zero");
	fake_frame(&f, WIRE_ROWS, 0, 8, first.bytes, first.n);
	assert_int_equal(lf_client_read(f.c, reads, 4, &how, &f.e), -1);
	assert_string_equal(f.e.sqlstate, "22012");
	h = fake_read(&f, sent, sizeof(sent));
	assert_int_equal(h.type, WIRE_READ);
	assert_int_equal(h.request, 5);
	assert_int_equal(h.length, sizeof(SENT));
	assert_memory_equal(sent, SENT, sizeof(SENT));
	assert_int_equal(lf_result_ncolumns(r[0]), 2);
	assert_int_equal(lf_result_epoch(r[0]), 12);
	assert_int_equal(lf_result_nrows(r[1]), 2);
	assert_int_equal(lf_result_int(r[1], 1, 0), 7);
	assert_int_equal(lf_result_ncolumns(r[2]), 1);
	assert_int_equal(lf_client_inflight(f.c), 0);

	/* With callbacks; a statement closed meanwhile is still what its answer is read by. */
	assert_int_equal(lf_client_reads_begin(f.c, NULL, note, note_batch, &seen, &f.e), 0);
	assert_int_equal(lf_client_reads_add(f.c, command, NULL, &f.e), -1);
	assert_string_equal(f.e.sqlstate, "42601");
	assert_int_equal(lf_client_reads_add(f.c, pairs, NULL, &f.e), -1);
	assert_string_equal(f.e.sqlstate, "42P02");
	assert_int_equal(lf_client_batch_add(f.c, p, &f.e), -1);
	assert_string_equal(f.e.sqlstate, "55000");
	assert_int_equal(lf_client_reads_add(f.c, one, NULL, &f.e), 0);
	assert_int_equal(lf_client_reads_add(f.c, pairs, p, &f.e), 0);
	assert_int_equal(lf_client_batch_end(f.c, &request, &f.e), 0);
	assert_int_equal(request, 9);
	lf_statement_close(pairs);
	fake_frame(&f, WIRE_ROWS, 0, 10, pair.bytes, pair.n);
	fake_frame(&f, WIRE_ROWS, 0, 9, first.bytes, first.n);
	assert_int_equal(lf_client_poll(f.c, 0, &f.e), 2);
	assert_int_equal(seen.batches, 1);
	assert_int_equal(seen.answers, 4); /* two, and the batch of two */
	assert_string_equal(seen.text, "one");

	/* Without: each waits to be taken. Before it, one taken back. */
	assert_int_equal(lf_client_batch_begin(f.c, command, NULL, NULL, NULL, NULL, &f.e), 0);
	assert_int_equal(lf_client_reads_add(f.c, one, NULL, &f.e), -1);
	assert_string_equal(f.e.sqlstate, "55000");
	lf_client_batch_cancel(f.c);
	for (int taken_back = 1; taken_back >= 0; taken_back--) {
		assert_int_equal(lf_client_reads_begin(f.c, NULL, NULL, NULL, NULL, &f.e), 0);
		assert_int_equal(lf_client_reads_add(f.c, one, NULL, &f.e), 0);
		if (taken_back)
			lf_client_batch_cancel(f.c);
	}
	assert_int_equal(lf_client_batch_end(f.c, &request, &f.e), 0);
	fake_frame(&f, WIRE_ROWS, 0, request, first.bytes, first.n);
	assert_int_equal(lf_client_poll(f.c, 0, &f.e), 1);
	assert_true(lf_client_next(f.c, &done));
	assert_int_equal(done.request, request);
	assert_int_equal(lf_result_int(done.result, 0, 0), 7);
	assert_false(lf_client_next(f.c, &done));

	/* Rows of another query's shape are no answer; and what is outstanding is answered. */
	pairs = fake_prepare(&f, request + 1, WIRE_KIND_QUERY, NULL, 0, PAIR, 2);
	assert_int_equal(lf_client_reads_begin(f.c, NULL, note, NULL, &seen, &f.e), 0);
	assert_int_equal(lf_client_reads_add(f.c, one, NULL, &f.e), 0);
	assert_int_equal(lf_client_reads_add(f.c, pairs, NULL, &f.e), 0);
	assert_int_equal(lf_client_batch_end(f.c, &request, &f.e), 0);
	fake_frame(&f, WIRE_ROWS, 0, request + 1, first.bytes, first.n);
	assert_int_equal(lf_client_poll(f.c, 0, &f.e), -1);
	assert_int_equal(seen.failed, 2);
	assert_string_equal(seen.state, "08006");
	lf_params_free(p);
	for (int i = 0; i < 3; i++)
		lf_result_free(r[i]);
	fake_close(&f);
}

/* Reads that do not fit one frame, or the table of requests, are refused, not waited for. */
static void test_reads_too_many(void **state)
{
	struct lf_client_options o = lf_client_options_default();
	enum { MOST = 64 };
	struct lf_client_read reads[MOST + 1];
	struct lf_statement *one;
	struct fake f;

	(void)state;
	o.inflight_max = MOST;
	f = fake_open(o);
	one = fake_prepare(&f, 2, WIRE_KIND_QUERY, NULL, 0, &INT8, 1);
	for (int i = 0; i <= MOST; i++)
		reads[i] = (struct lf_client_read){ one, NULL, NULL };
	assert_int_equal(lf_client_read(f.c, reads, MOST + 1, NULL, &f.e), -1);
	assert_string_equal(f.e.sqlstate, "54000");
	assert_int_equal(lf_client_unwritten(f.c), 0);
	assert_int_equal(lf_client_read(f.c, reads, 0, NULL, &f.e), 0);
	for (uint64_t i = 3; i < 3 + MOST; i++)
		fake_error(&f, 0, i, "LF001", "not yet");
	assert_int_equal(lf_client_read(f.c, reads, MOST, NULL, &f.e), -1);
	assert_string_equal(f.e.sqlstate, "LF001");
	fake_close(&f);
}

static void test_completions(void **state)
{
	struct fake f = fake_open(lf_client_options_default());
	struct lf_statement *s = fake_prepare(&f, 2, WIRE_KIND_COMMAND, NULL, 0, PAIR, 2);
	struct lf_client_completion done;
	struct body b = rows_of(12, 1);
	int here;

	(void)state;
	add_pair(&b, 1, "kept");
	for (int i = 0; i < 3; i++)
		assert_int_equal(lf_client_send(f.c, s, NULL, NULL, NULL, &here, NULL, &f.e), 0);
	assert_false(lf_client_next(f.c, &done));
	fake_done(&f, 4, 15, 8);
	fake_frame(&f, WIRE_ROWS, WIRE_FLAG_MORE, 3, b.bytes, b.n);
	fake_done(&f, 3, 14, 1);
	fake_error(&f, 0, 5, "23514", "check");
	assert_int_equal(lf_client_poll(f.c, 0, &f.e), 3);
	assert_true(lf_client_next(f.c, &done));
	assert_int_equal(done.request, 4);
	assert_ptr_equal(done.arg, &here);
	assert_int_equal(done.epoch, 15);
	assert_int_equal(done.count, 8);
	assert_null(done.result);
	assert_true(lf_client_next(f.c, &done));
	assert_int_equal(done.request, 3);
	assert_int_equal(lf_result_nrows(done.result), 1);
	assert_true(lf_client_next(f.c, &done));
	assert_string_equal(lf_result_error(done.result)->sqlstate, "23514");
	assert_false(lf_client_next(f.c, &done));
	fake_close(&f);
}

/* --- too much --- */

static void test_would_block(void **state)
{
	struct lf_client_options o = lf_client_options_default();
	struct fake f;
	struct lf_statement *s;
	struct seen seen = { 0 };
	unsigned sent = 0;
	int status, small = 4096;

	(void)state;
	o.output_max = 8192;
	f = fake_open(o);
	s = fake_prepare(&f, 2, WIRE_KIND_COMMAND, NULL, 0, NULL, 0);
	(void)setsockopt(lf_client_fd(f.c), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	while ((status = lf_client_send(f.c, s, NULL, NULL, note, &seen, NULL, &f.e)) == 0)
		assert_true(++sent < 1000000);
	assert_int_equal(status, LF_WOULD_BLOCK);
	assert_int_equal(lf_client_inflight(f.c), sent);
	assert_true(lf_client_unwritten(f.c) > 8192 - 48 && lf_client_unwritten(f.c) <= 8192);
	assert_int_equal(lf_client_events(f.c), POLLIN | POLLOUT);
	assert_int_equal(lf_client_flush(f.c, &f.e), LF_WOULD_BLOCK);
	/* Once the server reads, it goes on. */
	while (lf_client_flush(f.c, &f.e) == LF_WOULD_BLOCK)
		fake_discard(&f);
	assert_int_equal(lf_client_events(f.c), POLLIN);
	assert_int_equal(lf_client_send(f.c, s, NULL, NULL, note, &seen, NULL, &f.e), 0);
	fake_close(&f);
	assert_int_equal(seen.answers, sent + 1);
	assert_int_equal(seen.failed, sent + 1);
}

static void test_inflight_limit(void **state)
{
	struct lf_client_options o = lf_client_options_default();
	struct lf_client_completion done;
	struct fake f;
	struct lf_statement *s;

	(void)state;
	o.inflight_max = 16;
	f = fake_open(o);
	s = fake_prepare(&f, 2, WIRE_KIND_COMMAND, NULL, 0, NULL, 0);
	for (int i = 0; i < 16; i++)
		assert_int_equal(lf_client_send(f.c, s, NULL, NULL, NULL, NULL, NULL, &f.e), 0);
	assert_int_equal(lf_client_send(f.c, s, NULL, NULL, NULL, NULL, NULL, &f.e), 1);
	fake_done(&f, 3, 1, 1);
	assert_int_equal(lf_client_poll(f.c, 0, &f.e), 1);
	/* The answer must be taken first. */
	assert_int_equal(lf_client_send(f.c, s, NULL, NULL, NULL, NULL, NULL, &f.e), 1);
	assert_true(lf_client_next(f.c, &done));
	assert_int_equal(lf_client_send(f.c, s, NULL, NULL, NULL, NULL, NULL, &f.e), 0);
	assert_int_equal(lf_client_batch_begin(f.c, s, NULL, NULL, NULL, NULL, &f.e), 1);
	fake_close(&f);
}

/* Answered batches make room for the next ones, however many. */
static void test_batches_follow(void **state)
{
	struct lf_client_options o = lf_client_options_default();
	struct fake f;
	struct lf_statement *s;
	struct seen seen = { 0 };
	uint64_t first;

	(void)state;
	o.inflight_max = 16;
	f = fake_open(o);
	s = fake_prepare(&f, 2, WIRE_KIND_COMMAND, NULL, 0, NULL, 0);
	for (unsigned round = 1; round <= 10; round++) {
		assert_int_equal(
			lf_client_batch_begin(f.c, s, NULL, NULL, note_batch, &seen, &f.e), 0);
		for (int i = 0; i < 12; i++)
			assert_int_equal(lf_client_batch_add(f.c, NULL, &f.e), 0);
		assert_int_equal(lf_client_batch_end(f.c, &first, &f.e), 0);
		for (unsigned i = 0; i < 12; i++)
			fake_done(&f, first + i, round, 1);
		assert_int_equal(lf_client_poll(f.c, 0, &f.e), 12);
		assert_int_equal(seen.batches, round);
	}
	fake_close(&f);
}

static void test_too_large(void **state)
{
	struct lf_client_options o = lf_client_options_default();
	struct wire_header h = { 5000, WIRE_ROWS, 0, 0, 3 };
	struct fake f;
	struct lf_statement *s;
	struct seen seen = { 0 };
	char *text = malloc(FAKE_FRAME_MAX);

	(void)state;
	memset(text, ' ', FAKE_FRAME_MAX);
	o.result_max = 4096;
	f = fake_open(o);
	s = fake_prepare(&f, 2, WIRE_KIND_QUERY, NULL, 0, PAIR, 2);
	assert_int_equal(lf_client_query(f.c, text, FAKE_FRAME_MAX, NULL, NULL, &f.e), -1);
	assert_string_equal(f.e.sqlstate, "54000");
	assert_int_equal(lf_client_send(f.c, s, NULL, NULL, note, &seen, NULL, &f.e), 0);
	fake_write(&f, &h, sizeof(h));
	assert_int_equal(lf_client_poll(f.c, 0, &f.e), -1);
	assert_int_equal(seen.failed, 1);
	assert_false(lf_client_connected(f.c));
	free(text);
	fake_close(&f);
}

/* --- the end of a connection --- */

static void note_late(void *arg, uint64_t request, const struct lf_client_error *e)
{
	struct seen *s = arg;

	s->answers++;
	s->last = request;
	memcpy(s->state, e->sqlstate, 6);
}

static void test_lost(void **state)
{
	struct fake f = fake_open(lf_client_options_default());
	struct lf_statement *s = fake_prepare(&f, 2, WIRE_KIND_COMMAND, NULL, 0, NULL, 0);
	struct seen seen = { 0 }, late = { 0 };

	(void)state;
	lf_client_on_error(f.c, note_late, &late);
	for (int i = 0; i < 3; i++)
		assert_int_equal(lf_client_send(f.c, s, NULL, NULL, note, &seen, NULL, &f.e), 0);
	fake_done(&f, 4, 9, 1);
	fake_error(&f, WIRE_FLAG_ASYNC, 0, "57P01", "shutting down");
	close(f.fd);
	/* One poll may see the answer only; the end comes at last. */
	while (lf_client_poll(f.c, 1000, &f.e) >= 0)
		;
	assert_string_equal(f.e.sqlstate, "08006");
	assert_non_null(strstr(f.e.detail, "57P01: shutting down"));
	assert_int_equal(seen.answers, 3);
	assert_int_equal(seen.failed, 2);
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.state, "08006");
	assert_int_equal(late.answers, 1);
	assert_int_equal(late.last, 0);
	assert_string_equal(late.state, "57P01");
	assert_int_equal(lf_client_inflight(f.c), 0);
	assert_int_equal(lf_client_execute(f.c, s, NULL, NULL, NULL, &f.e), -1);
	assert_string_equal(f.e.sqlstate, "08006");
	lf_statement_close(s);
	lf_client_close(f.c);
}

static void test_refused_later(void **state)
{
	struct fake f = fake_open(lf_client_options_default());
	struct lf_statement *s = fake_prepare(&f, 2, WIRE_KIND_COMMAND, NULL, 0, NULL, 0);
	struct lf_client_call how = { LF_ACK_ACCEPTED, 0, 0 };
	struct wire_done_item item = { 3, 0, 0 };
	struct seen seen = { 0 }, late = { 0 };

	(void)state;
	lf_client_on_error(f.c, note_late, &late);
	assert_int_equal(lf_client_send(f.c, s, NULL, &how, note, &seen, NULL, &f.e), 0);
	fake_frame(&f, WIRE_DONE_BATCH, 0, 3, &item, sizeof(item));
	fake_error(&f, WIRE_FLAG_ASYNC, 3, "23505", "duplicate");
	assert_int_equal(lf_client_poll(f.c, 0, &f.e), 1);
	assert_int_equal(seen.answers, 1);
	assert_int_equal(seen.failed, 0);
	assert_int_equal(late.answers, 1);
	assert_int_equal(late.last, 3);
	assert_string_equal(late.state, "23505");
	assert_int_equal(lf_client_refused(f.c), 1);
	fake_close(&f);
}

static void test_silence(void **state)
{
	struct lf_client_options o = lf_client_options_default();
	struct fake f;

	(void)state;
	o.io_timeout_ms = 30;
	f = fake_open(o);
	assert_int_equal(lf_client_ping(f.c, &f.e), -1);
	assert_string_equal(f.e.sqlstate, "08006");
	assert_false(lf_client_connected(f.c));
	fake_close(&f);
}

/* --- callbacks --- */

struct chain {
	struct fake *f;
	struct lf_statement *s;
	unsigned answers;
	bool close;
};

static void go_on(void *arg, uint64_t request, const struct lf_result *r)
{
	struct chain *x = arg;
	struct lf_client_error e;

	assert_int_equal(request, 3 + x->answers);
	assert_null(lf_result_error(r));
	x->answers++;
	assert_int_equal(lf_client_ping(x->f->c, &e), -1);
	assert_string_equal(e.sqlstate, "55000");
	assert_int_equal(lf_client_poll(x->f->c, 0, &e), -1);
	if (x->answers < 300)
		assert_int_equal(lf_client_send(x->f->c, x->s, NULL, NULL, go_on, x, NULL, &e), 0);
	else
		lf_statement_close(x->s);
}

static void test_sending_from_callbacks(void **state)
{
	struct fake f = fake_open(lf_client_options_default());
	struct chain x = { &f, fake_prepare(&f, 2, WIRE_KIND_COMMAND, NULL, 0, NULL, 0), 0, false };

	(void)state;
	assert_int_equal(lf_client_send(f.c, x.s, NULL, NULL, go_on, &x, NULL, &f.e), 0);
	for (uint64_t i = 0; i < 300; i++) {
		fake_done(&f, 3 + i, i, 1);
		assert_int_equal(lf_client_poll(f.c, 0, &f.e), 1);
	}
	assert_int_equal(x.answers, 300);
	fake_close(&f);
}

/* --- bytes that are not the protocol --- */

/* A connection with one query and one command under way is given a frame: it must break, both requests must
 * be answered. */
static void violate(
	enum wire_type type, uint8_t flags, uint64_t request, const void *body, size_t n)
{
	struct fake f = fake_open(lf_client_options_default());
	struct lf_statement *q = fake_prepare(&f, 2, WIRE_KIND_QUERY, NULL, 0, PAIR, 2);
	struct lf_statement *s = fake_prepare(&f, 3, WIRE_KIND_COMMAND, NULL, 0, NULL, 0);
	struct seen seen = { 0 };

	assert_int_equal(lf_client_send(f.c, q, NULL, NULL, note, &seen, NULL, &f.e), 0);
	assert_int_equal(lf_client_send(f.c, s, NULL, NULL, note, &seen, NULL, &f.e), 0);
	fake_frame(&f, type, flags, request, body, n);
	assert_int_equal(lf_client_poll(f.c, 0, &f.e), -1);
	assert_int_equal(seen.answers, 2);
	assert_int_equal(seen.failed, 2);
	assert_string_equal(seen.state, "08006");
	assert_non_null(strstr(f.e.message, "protocol"));
	fake_close(&f);
}

enum { Q = 4, S = 5 }; /* the requests under way in violate() */

static void test_violations(void **state)
{
	struct wire_done_item twice[] = { { S, 1, 1 }, { S, 1, 1 } }, query = { Q, 1, 1 },
			      unknown = { 99, 1, 1 };
	struct wire_done done = { 1, 1, 1, 1 };
	struct body b = rows_of(1, 1), bad;
	uint32_t word;

	(void)state;
	add_pair(&b, 1, "text");
	violate(99, 0, Q, NULL, 0);
	violate(WIRE_PONG, 0, Q, NULL, 0);
	violate(WIRE_PONG, 0, 1234, NULL, 0);
	violate(WIRE_HELLO_OK, 0, Q, NULL, 0);
	violate(WIRE_INFO_OK, 0, Q, NULL, 0);
	violate(WIRE_CLOSED, 0, S, NULL, 0);
	violate(WIRE_PREPARED, 0, S, NULL, 0);
	violate(WIRE_DONE, 0, S, &done, sizeof(done) - 1);
	violate(WIRE_DONE, 0, Q, &done, sizeof(done)); /* a query has rows */
	violate(WIRE_DONE_BATCH, 0, S, NULL, 0);
	violate(WIRE_DONE_BATCH, 0, S, &query, sizeof(query));
	violate(WIRE_DONE_BATCH, 0, S, &unknown, sizeof(unknown));
	violate(WIRE_DONE_BATCH, 0, S, &unknown, sizeof(unknown) - 1);
	violate(WIRE_ERROR, 0, S, "23505", 5);
	violate(WIRE_ROWS, 0, S, b.bytes, b.n); /* a command's are followed by DONE */
	violate(WIRE_ROWS, 0, Q, b.bytes, 15);
	violate(WIRE_ROWS, 0, Q, b.bytes, b.n - 8);
	bad = b;
	body_add(&bad, "\0\0\0\0\0\0\0\0", 8); /* bytes behind the last row */
	violate(WIRE_ROWS, 0, Q, bad.bytes, bad.n);
	for (size_t i = 0; i < 3; i++) {
		static const uint32_t COUNTS[] = { 0, 2, UINT32_MAX };

		bad = b;
		memcpy(bad.bytes + 8, &COUNTS[i], 4);
		violate(WIRE_ROWS, 0, Q, bad.bytes, bad.n);
	}
	for (size_t i = 0; i < 4; i++) {
		static const uint32_t SIZES[] = { 0, 8, 31, UINT32_MAX };

		bad = b;
		memcpy(bad.bytes + 16, &SIZES[i], 4);
		violate(WIRE_ROWS, 0, Q, bad.bytes, bad.n);
	}
	/* The text's offset (at 16 + 13) and length (behind it). */
	for (size_t at = 29; at <= 33; at += 4) {
		bad = b;
		word = 4000;
		memcpy(bad.bytes + at, &word, 4);
		violate(WIRE_ROWS, 0, Q, bad.bytes, bad.n);
		word = UINT32_MAX;
		memcpy(bad.bytes + at, &word, 4);
		violate(WIRE_ROWS, 0, Q, bad.bytes, bad.n);
	}
	/* DONE twice: the first counts, the second is too much. */
	{
		struct fake f = fake_open(lf_client_options_default());
		struct lf_statement *s = fake_prepare(&f, 2, WIRE_KIND_COMMAND, NULL, 0, NULL, 0);
		struct seen seen = { 0 };

		twice[0].request = twice[1].request = 3;
		assert_int_equal(lf_client_send(f.c, s, NULL, NULL, note, &seen, NULL, &f.e), 0);
		fake_frame(&f, WIRE_DONE_BATCH, 0, 3, twice, sizeof(twice));
		assert_int_equal(lf_client_poll(f.c, 0, &f.e), -1);
		assert_int_equal(seen.answers, 1);
		assert_int_equal(seen.failed, 0);
		fake_close(&f);
	}
}

static void test_malformed_prepared(void **state)
{
	struct body good = fake_prepared(WIRE_KIND_QUERY, 1, &INT8, 1, PAIR, 2);

	(void)state;
	/* Cut anywhere, with a byte too many, or with a byte of its head wrong. */
	for (size_t n = 0; n <= good.n + 1; n++) {
		struct fake f = fake_open(lf_client_options_default());
		struct lf_statement *s;

		fake_frame(&f, WIRE_PREPARED, 0, 2, good.bytes, n);
		assert_int_equal(
			lf_client_prepare(&s, f.c, "x", 1, NULL, 0, &f.e), n == good.n ? 0 : -1);
		fake_close(&f);
	}
	for (size_t at = 4; at < 16; at++) {
		struct fake f = fake_open(lf_client_options_default());
		struct body bad = good;
		struct lf_statement *s;

		bad.bytes[at] = (unsigned char)(bad.bytes[at] + 77);
		fake_frame(&f, WIRE_PREPARED, 0, 2, bad.bytes, bad.n);
		/* Byte 5 means nothing. */
		assert_int_equal(
			lf_client_prepare(&s, f.c, "x", 1, NULL, 0, &f.e), at == 5 ? 0 : -1);
		fake_close(&f);
	}
}

/* A script of good answers with some bytes changed: whatever happens, each request is answered once. */
static void test_random_damage(void **state)
{
	static const struct type ODD[] = { { TYPE_NUMERIC, 0, 0 }, { TYPE_BYTEA, 0, 0 } };
	uint64_t seed = 42;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct fake f = fake_open(lf_client_options_default());
		struct lf_statement *q = fake_prepare(&f, 2, WIRE_KIND_QUERY, NULL, 0, ODD, 2);
		struct lf_statement *s = fake_prepare(&f, 3, WIRE_KIND_COMMAND, NULL, 0, PAIR, 2);
		struct body b = rows_of(3, 1);
		struct wire_done_item items[] = { { 6, 3, 1 }, { 7, 3, 1 } };
		struct wire_done done = { 3, 1, 1, 1 };
		struct wire_header h[4] = { { 0, WIRE_ROWS, WIRE_FLAG_MORE, 0, 4 },
			{ 0, WIRE_ROWS, 0, 0, 4 }, { sizeof(done), WIRE_DONE, 0, 0, 5 },
			{ sizeof(items), WIRE_DONE_BATCH, 0, 0, 6 } };
		struct body script = { .n = 0 };
		struct seen seen = { 0 };

		/* numeric 0 with scale 0, and three bytes: 4 size, 1 nulls, 17, 8, 3, padding */
		body_add(&b, "\x28\0\0\0\0", 5);
		body_add(&b, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x1e\0\0\0\3\0\0\0abc", 28);
		body_add(&b, "\0\0\0\0\0\0\0", 7);
		h[0].length = h[1].length = (uint32_t)b.n;
		for (int i = 0; i < 2; i++) {
			body_add(&script, &h[i], sizeof(h[i]));
			body_add(&script, b.bytes, b.n);
		}
		body_add(&script, &h[2], sizeof(h[2]));
		body_add(&script, &done, sizeof(done));
		body_add(&script, &h[3], sizeof(h[3]));
		body_add(&script, items, sizeof(items));
		assert_int_equal(lf_client_send(f.c, q, NULL, NULL, note, &seen, NULL, &f.e), 0);
		for (int i = 0; i < 3; i++)
			assert_int_equal(
				lf_client_send(f.c, s, NULL, NULL, note, &seen, NULL, &f.e), 0);
		for (int i = 0; i < round % 4; i++) {
			seed = hash_u64(seed + (uint64_t)round);
			script.bytes[seed % script.n] = (unsigned char)(seed >> 32);
		}
		fake_write(&f, script.bytes, script.n);
		close(f.fd);
		while (lf_client_poll(f.c, 1000, &f.e) >= 0)
			;
		assert_int_equal(seen.answers, 4);
		assert_int_equal(lf_client_inflight(f.c), 0);
		if (round % 4 == 0) {
			assert_int_equal(seen.failed, 0);
			assert_string_equal(seen.text, "\\x616263");
		}
		lf_client_close(f.c);
	}
}

/* --- options of commands --- */

/* What stands between the head and the row, and the header's flags. */
static void options_are(struct fake *f, uint8_t flags, const void *options, size_t n)
{
	unsigned char body[FAKE_BODY_MAX * 2], row[16] = { 16 };
	struct wire_execute head = { .handle = 40, .ack = LF_ACK_VISIBLE, .count = 1 };
	struct wire_header h = fake_read(f, body, sizeof(body));

	row[4] = 1; /* NULL */
	assert_int_equal(h.flags, flags);
	assert_int_equal(h.length, sizeof(head) + n + sizeof(row));
	assert_memory_equal(body, &head, sizeof(head));
	if (n > 0)
		assert_memory_equal(body + sizeof(head), options, n);
	assert_memory_equal(body + sizeof(head) + n, row, sizeof(row));
}

static void test_options(void **state)
{
	static const uint8_t BYTES[4097] = { 'w', 'h', 'o' };
	struct fake f = fake_open(lf_client_options_default());
	struct lf_statement *s = fake_prepare(&f, 2, WIRE_KIND_COMMAND, &INT8, 1, NULL, 0);
	struct lf_statement *q = fake_prepare(&f, 3, WIRE_KIND_QUERY, &INT8, 1, &INT8, 1);
	struct lf_params *p = lf_params_new(s);
	struct lf_client_command command = { .client = 5, .request = 6 };
	struct numbered seen = { 0 };
	struct body want = { .n = 0 };
	uint32_t three = 3;

	(void)state;
	assert_int_equal(lf_client_send(f.c, s, p, NULL, note_number, &seen, NULL, &f.e), 0);
	assert_int_equal(lf_client_flush(f.c, &f.e), 0);
	options_are(&f, 0, NULL, 0);
	command.expect = true;
	command.expected_epoch = 7;
	command.meta = BYTES;
	command.meta_bytes = 3;
	assert_int_equal(
		lf_client_send_with(f.c, s, p, NULL, &command, note_number, &seen, NULL, &f.e), 0);
	assert_int_equal(lf_client_flush(f.c, &f.e), 0);
	body_add(&want, &command.client, 8);
	body_add(&want, &command.request, 8);
	body_add(&want, &command.expected_epoch, 8);
	body_add(&want, &three, 4);
	body_add(&want, BYTES, 4);
	options_are(&f, WIRE_FLAGS_EXECUTE, want.bytes, want.n);
	/* Queries take no notice. */
	assert_int_equal(
		lf_client_send_with(f.c, q, p, NULL, &command, note_number, &seen, NULL, &f.e), 0);
	assert_int_equal(lf_client_flush(f.c, &f.e), 0);
	options_are(&f, 0, NULL, 0);
	command.meta_bytes = sizeof(BYTES);
	assert_int_equal(
		lf_client_send_with(f.c, s, p, NULL, &command, note_number, &seen, NULL, &f.e), -1);
	assert_string_equal(f.e.sqlstate, "54000");
	command = (struct lf_client_command){ .client = 5 };
	assert_int_equal(
		lf_client_send_with(f.c, s, p, NULL, &command, note_number, &seen, NULL, &f.e), -1);
	assert_string_equal(f.e.sqlstate, "22023");
	assert_int_equal(lf_client_once_next(f.c), 0);
	fake_done(&f, 5, 9, 1);
	assert_int_equal(lf_client_poll(f.c, 0, &f.e), 1);
	assert_true(seen.once && !seen.resend && seen.client == 5 && seen.request == 6);
	lf_params_free(p);
	fake_close(&f);
}

/* With a client id commands are numbered; what is lost can be sent again by the same numbers. */
static void test_numbers(void **state)
{
	struct lf_client_options o = lf_client_options_default();
	struct lf_client_command without = { .not_once = true };
	struct numbered seen = { 0 };
	struct wire_once want = { 8, 100 };
	unsigned char body[256];
	struct lf_statement *s;
	struct lf_params *p;
	struct fake f;

	(void)state;
	o.once_client = 8;
	o.once_first = 100;
	f = fake_open(o);
	s = fake_prepare(&f, 2, WIRE_KIND_COMMAND, &INT8, 1, NULL, 0);
	p = lf_params_new(s);
	assert_int_equal(lf_client_once_next(f.c), 100);
	assert_int_equal(lf_client_send(f.c, s, p, NULL, note_number, &seen, NULL, &f.e), 0);
	assert_int_equal(lf_client_flush(f.c, &f.e), 0);
	options_are(&f, WIRE_FLAG_ONCE, &want, sizeof(want));
	assert_int_equal(
		lf_client_send_with(f.c, s, p, NULL, &without, note_number, &seen, NULL, &f.e), 0);
	assert_int_equal(lf_client_flush(f.c, &f.e), 0);
	options_are(&f, 0, NULL, 0);
	/* A batch that is not sent uses no numbers up. */
	assert_int_equal(lf_client_batch_begin(f.c, s, NULL, note_number, NULL, &seen, &f.e), 0);
	assert_int_equal(lf_client_batch_add(f.c, p, &f.e), 0);
	lf_client_batch_cancel(f.c);
	assert_int_equal(lf_client_once_next(f.c), 101);
	assert_int_equal(lf_client_batch_begin(f.c, s, NULL, note_number, NULL, &seen, &f.e), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(lf_client_batch_add(f.c, p, &f.e), 0);
	assert_int_equal(lf_client_batch_end(f.c, NULL, &f.e), 0);
	assert_int_equal(lf_client_once_next(f.c), 104);
	assert_int_equal(lf_client_flush(f.c, &f.e), 0);
	assert_int_equal(fake_read(&f, body, sizeof(body)).flags, WIRE_FLAG_ONCE);
	want.request = 101;
	assert_memory_equal(body + sizeof(struct wire_execute), &want, sizeof(want));
	/* The second of the batch is refused, the third of the moment, the first is lost. */
	fake_error(&f, 0, 6, "23505", "twice");
	assert_int_equal(lf_client_poll(f.c, 0, &f.e), 1);
	assert_true(seen.once && seen.request == 102 && !seen.resend);
	fake_error(&f, 0, 7, "53100", "full");
	assert_int_equal(lf_client_poll(f.c, 0, &f.e), 1);
	assert_true(seen.once && seen.request == 103 && seen.resend);
	fake_done(&f, 4, 9, 1);
	assert_int_equal(lf_client_poll(f.c, 0, &f.e), 1);
	assert_false(seen.once);
	fake_done(&f, 3, 9, 1);
	assert_int_equal(lf_client_poll(f.c, 0, &f.e), 1);
	assert_true(seen.once && seen.request == 100 && !seen.resend);
	assert_int_equal(lf_client_reconnect(f.c, &f.e), -1);
	assert_string_equal(f.e.sqlstate, "55000");
	(void)shutdown(f.fd, SHUT_RDWR);
	assert_int_equal(lf_client_poll(f.c, -1, &f.e), -1);
	assert_true(seen.once && seen.client == 8 && seen.request == 101 && seen.resend);
	/* It was not made to an address. */
	assert_int_equal(lf_client_reconnect(f.c, &f.e), -1);
	assert_string_equal(f.e.sqlstate, "55000");
	lf_params_free(p);
	fake_close(&f);
}

/* The name of a source goes behind the hello, with the feature that says so. */
static void test_source(void **state)
{
	struct lf_client_options o = lf_client_options_default();
	struct wire_hello_ok ok = {
		.version = 1, .frame_max = FAKE_FRAME_MAX, .statements_max = 5, .requests_max = 6
	};
	struct wire_hello hello;
	struct lf_client_error e;
	unsigned char body[128];
	char name[66];
	int fds[2];
	struct fake f = { 0 };

	(void)state;
	memset(name, 'n', sizeof(name));
	name[63] = '\0';
	o.source = name;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	f.fd = fds[1];
	fake_frame(&f, WIRE_HELLO_OK, 0, 1, &ok, sizeof(ok));
	assert_int_equal(lf_client_open_fd(&f.c, fds[0], &o, &f.e), 0);
	assert_int_equal(fake_read(&f, body, sizeof(body)).length, sizeof(hello) + 63);
	memcpy(&hello, body, sizeof(hello));
	assert_true(hello.features == (WIRE_FEATURES | WIRE_FEATURE_SOURCE));
	assert_memory_equal(body + sizeof(hello), name, 63);
	fake_close(&f);
	/* One byte more. */
	name[63] = 'n';
	name[64] = '\0';
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(lf_client_open_fd(&f.c, fds[0], &o, &e), -1);
	assert_string_equal(e.sqlstate, "22023");
	assert_null(f.c);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_bytes_sent),
		cmocka_unit_test(test_answers_in_pieces),
		cmocka_unit_test(test_synchronous),
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_reads_too_many),
		cmocka_unit_test(test_completions),
		cmocka_unit_test(test_would_block),
		cmocka_unit_test(test_inflight_limit),
		cmocka_unit_test(test_batches_follow),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_refused_later),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_sending_from_callbacks),
		cmocka_unit_test(test_violations),
		cmocka_unit_test(test_malformed_prepared),
		cmocka_unit_test(test_random_damage),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
