/*
 * Shards adopted by a port: their commands, exchanges and schema changes go on in its thread, and in their own threads
 * before and after; with and without a journal.
 */
#include <pthread.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/store/row.h"
#include "tests/unit/data_fixture.h"

enum { SHARDS = 3, COMMANDS = 400, IN_FLIGHT = 32, OTHERS = 150 };

/* Which shards are adopted, round by round: a bit each. */
static const unsigned ADOPTED[] = { 0, 7, 1, 6, 5, 2 };
enum { ROUNDS = sizeof(ADOPTED) / sizeof(ADOPTED[0]) };

static const char SCHEMA[] = "CREATE TABLE t (id int PRIMARY KEY, k int, n int);"
			     "CREATE MATERIALIZED VIEW v AS SELECT k, sum(n) AS n, count(*) AS c "
			     "FROM t GROUP BY k;";

/* A thread that serves a port as a reactor does: polls, and sleeps on an eventfd. */
struct driver {
	struct lf_engine *engine;
	struct lf_port *port;
	int event;
	unsigned first;   /* id to insert */
	unsigned adopted; /* shards */
	unsigned answered;
	_Atomic bool stop;
};

static void wake(void *arg)
{
	const struct driver *d = arg;
	uint64_t one = 1;

	if (write(d->event, &one, sizeof(one)) < 0)
		abort();
}

static void on_reply(void *arg, const struct lf_reply *reply)
{
	struct driver *d = arg;

	if (reply->error != NULL)
		abort();
	d->answered++;
}

static void driver_sleep(struct driver *d)
{
	struct pollfd p[2] = { { .fd = d->event, .events = POLLIN },
		{ .fd = lf_port_event(d->port), .events = POLLIN } };
	uint64_t timeout_us = 1000000, n;

	if (!lf_port_sleep(d->port, &timeout_us))
		return;
	(void)poll(p, 2, (int)(timeout_us / 1000 + 1));
	for (unsigned i = 0; i < 2; i++)
		if (p[i].revents != 0 && read(p[i].fd, &n, sizeof(n)) < 0)
			abort();
	lf_port_awake(d->port);
}

static void submit(struct driver *d, const struct statement *s, unsigned id)
{
	struct value v[3] = { { .i = id, .type = TYPE_INT4 }, { .i = id % 7, .type = TYPE_INT4 },
		{ .i = id % 100, .type = TYPE_INT4 } };
	uint64_t row[8] = { 0 };
	struct error e;

	row_encode(&s->param_layout, v, row);
	if (lf_submit(d->port, s, row, id, id % 2 == 0 ? LF_VISIBLE : LF_DURABLE, &e) != 0)
		abort();
}

/* Insert COMMANDS rows, with some of the shards, all or none as this thread's; then go on for the others. */
static void *drive(void *arg)
{
	static const char TEXT[] = "INSERT INTO t VALUES ($1, $2, $3)";
	struct driver *d = arg;
	unsigned sent = 0;
	struct statement *s;
	struct error e;

	for (unsigned shard = 0; shard < SHARDS; shard++)
		if ((d->adopted >> shard & 1) != 0 && lf_port_adopt(d->port, shard, &e) != 0)
			abort();
	if (lf_prepare(&s, d->engine, TEXT, strlen(TEXT), NULL, 0, &e) != 0)
		abort();
	while (d->answered < COMMANDS || !atomic_load(&d->stop)) {
		while (sent < COMMANDS && sent - d->answered < IN_FLIGHT)
			submit(d, s, d->first + sent++);
		lf_flush(d->port);
		(void)lf_poll(d->port, on_reply, d);
		driver_sleep(d);
	}
	lf_port_let_go(d->port);
	lf_release(d->engine, s);
	return NULL;
}

static void sums(struct fixture *f, unsigned rows)
{
	char text[64];
	uint64_t sum = 0;

	for (unsigned id = 0; id < rows; id++)
		sum += id % 100;
	(void)snprintf(text, sizeof(text), "%u|%llu", rows, (unsigned long long)sum);
	expect(f, "SELECT count(*), sum(n) FROM t", text);
	expect(f, "SELECT sum(c), sum(n) FROM v", text);
}

static void round_run(struct fixture *f, unsigned round)
{
	struct driver d = {
		.engine = f->engine, .first = round * COMMANDS, .adopted = ADOPTED[round]
	};
	pthread_t thread;
	struct error e;

	d.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(lf_port_open(&d.port, f->engine, wake, &d, &e), 0);
	assert_int_equal(pthread_create(&thread, NULL, drive, &d), 0);
	/* Another port's commands and schema changes beside them. */
	for (unsigned i = 0; i < OTHERS; i++) {
		command(f,
			"INSERT INTO u VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = u.n + 1");
		if (i % 50 == 10)
			run(f, "CREATE MATERIALIZED VIEW w AS SELECT n, count(*) AS c FROM t GROUP BY n");
		if (i % 50 == 40)
			run(f, "DROP MATERIALIZED VIEW w");
	}
	atomic_store(&d.stop, true);
	wake(&d);
	pthread_join(thread, NULL);
	assert_int_equal(d.answered, COMMANDS);
	lf_port_close(d.port);
	close(d.event);
	sums(f, (round + 1) * COMMANDS);
}

static void rounds(struct fixture *f)
{
	run(f, SCHEMA);
	run(f, "CREATE TABLE u (id int PRIMARY KEY, n int)");
	for (unsigned i = 0; i < ROUNDS; i++)
		round_run(f, i);
}

static void test_in_memory(void **state)
{
	struct lf_options o = lf_options_default();
	struct fixture f;

	(void)state;
	o.projectors = SHARDS;
	assert_int_equal(lf_engine_open(&f.engine, &o, &f.error), 0);
	assert_int_equal(lf_port_open(&f.port, f.engine, NULL, NULL, &f.error), 0);
	rounds(&f);
	close_fixture(&f);
}

static void test_journaled(void **state)
{
	struct bed b;

	(void)state;
	make_bed(&b, 1);
	b.threads = true;
	again(&b, SHARDS);
	rounds(&b.f);
	again(&b, 2);
	sums(&b.f, ROUNDS * COMMANDS);
	close_fixture(&b.f);
	burn_bed(&b);
}

static void test_adopted_twice(void **state)
{
	struct lf_options o = lf_options_default();
	struct driver d = { .event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	struct lf_port *other;
	struct fixture f;

	(void)state;
	assert_int_equal(lf_engine_open(&f.engine, &o, &f.error), 0);
	assert_int_equal(lf_port_open(&f.port, f.engine, wake, &d, &f.error), 0);
	assert_int_equal(lf_port_open(&other, f.engine, wake, &d, &f.error), 0);
	assert_int_equal(lf_port_adopt(f.port, 0, &f.error), 0);
	assert_int_equal(lf_port_adopt(other, 0, &f.error), -1);
	assert_string_equal(error_sqlstate(f.error.code), "55000");
	lf_port_let_go(f.port);
	assert_int_equal(lf_port_adopt(other, 0, &f.error), 0);
	lf_port_let_go(other);
	lf_port_close(other);
	close(d.event);
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_memory),
		cmocka_unit_test(test_journaled),
		cmocka_unit_test(test_adopted_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
