/*
 * test_session.c: what a session does while it has to wait, seen without sockets or threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "net/wire/wire.h"
#include "tests/unit/session_bed.h"

static void put_frame(
	struct bed *b, enum wire_type type, const void *head, size_t nhead, const char *text)
{
	size_t n = strlen(text);
	struct wire_header h = { (uint32_t)(nhead + n), (uint8_t)type, 0, 0, 7 };
	unsigned char *p = buffer_room(&b->c.in, sizeof(h) + nhead + n);

	assert_non_null(p);
	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), head, nhead);
	memcpy(p + sizeof(h) + nhead, text, n);
	b->c.in.used += sizeof(h) + nhead + n;
}

static void put_query(struct bed *b, const char *text)
{
	struct wire_query head = { .ack = LF_DURABLE };

	put_frame(b, WIRE_QUERY, &head, sizeof(head), text);
}

/* What has been answered since the last call; its last frame is taken apart. */
static struct wire_header last_answer(struct bed *b, char state[6])
{
	struct buffer *out = &b->c.out;
	struct wire_header h = { .type = 0 };

	state[0] = '\0';
	while (buffer_length(out) > 0) {
		memcpy(&h, out->data + out->head, sizeof(h));
		if (h.type == WIRE_ERROR) {
			memcpy(state, out->data + out->head + sizeof(h), 5);
			state[5] = '\0';
		}
		buffer_consume(out, sizeof(h) + h.length);
	}
	b->c.batch_open = false;
	return h;
}

/* A session that has a QUERY at its head and may not submit more: as many commands are under way as allowed. */
static void fill(struct bed *b, const char *text)
{
	struct wire_hello hello = { WIRE_MAGIC, WIRE_VERSION, WIRE_VERSION, 0 };
	char state[6];
	size_t used;

	put_frame(b, WIRE_HELLO, &hello, sizeof(hello), "");
	put_query(b, "CREATE TABLE t (id int PRIMARY KEY)");
	bed_input(b, NULL, 0);
	put_query(b, "CREATE TABLE u (id int PRIMARY KEY)");
	bed_input(b, NULL, 0);
	assert_int_equal(last_answer(b, state).type, WIRE_DONE);
	b->server.options.requests_max = 1;
	put_query(b, "INSERT INTO t VALUES (1)");
	put_query(b, text);
	b->c.budget = ROUND_BYTES;
	used = session_input(b->c.session, b->c.in.data + b->c.in.head, buffer_length(&b->c.in));
	buffer_consume(&b->c.in, used);
	assert_true(b->c.blocked);
	assert_int_equal(buffer_length(&b->c.in),
		sizeof(struct wire_header) + sizeof(struct wire_query) + strlen(text));
}

static void run(struct lf_engine *engine, const char *text)
{
	struct lf_port *port;
	struct error e;

	assert_int_equal(lf_port_open(&port, engine, NULL, NULL, &e), 0);
	assert_int_equal(lf_run(port, text, strlen(text), NULL, NULL, NULL, &e), 0);
	lf_port_close(port);
}

/* A text that has to wait for its queue is prepared when it comes, not each time it is tried again: it is of the
 * table that there was then. */
static void text_prepared_once(void **state)
{
	struct lf_engine *engine = bed_engine(1);
	struct bed b;
	char error[6];

	(void)state;
	bed_open(&b, engine, 1);
	fill(&b, "INSERT INTO u VALUES (1)");
	run(engine, "DROP TABLE u");
	run(engine, "CREATE TABLE u (id int PRIMARY KEY)");
	bed_input(&b, NULL, 0);
	assert_int_equal(buffer_length(&b.c.in), 0);
	assert_int_equal(last_answer(&b, error).type, WIRE_ERROR);
	assert_string_equal(error, "42P01");
	/* The next one is prepared anew. */
	put_query(&b, "INSERT INTO u VALUES (1)");
	bed_input(&b, NULL, 0);
	assert_int_equal(last_answer(&b, error).type, WIRE_DONE);
	assert_string_equal(error, "");
	bed_close(&b);
	lf_engine_close(engine);
}

/* A client that goes while its text waits leaves nothing (the address sanitizer looks). */
static void text_of_a_lost_client(void **state)
{
	struct lf_engine *engine = bed_engine(1);
	struct bed b;

	(void)state;
	bed_open(&b, engine, 1);
	fill(&b, "INSERT INTO u VALUES (1)");
	bed_close(&b);
	lf_engine_close(engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_prepared_once),
		cmocka_unit_test(text_of_a_lost_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
