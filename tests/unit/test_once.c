/*
 * Commands with a request id: executed once, answered the same again, over restarts with any number of projectors,
 * checkpoints, other payloads, schema changes, and a horizon beyond which they are expired.
 */
#include <stdlib.h>

#include "core/engine_internal.h"
#include "core/log/disk.h"
#include "tests/unit/data_fixture.h"

/* The last reply, in words: "epoch count [rows] | SQLSTATE". */
struct told {
	unsigned replies;
	uint64_t epoch;
	uint64_t count;
	unsigned parts, parts_all;
	char state[8];
	char message[320];
	char rows[TEXT_MAX];
	const struct statement *s;
};

static void take(void *arg, const struct lf_reply *r)
{
	struct told *a = arg;

	a->replies++;
	a->epoch = r->epoch;
	a->count = r->count;
	a->parts = r->parts;
	a->parts_all = r->parts_all;
	strcpy(a->state, r->error == NULL ? "" : error_sqlstate(r->error->code));
	strcpy(a->message, r->error == NULL ? "" : r->error->message);
	a->rows[0] = '\0';
	for (unsigned i = 0; i < r->nrows; i++)
		if (row_size(r->rows[i]) > TEXT_MAX / 2)
			strcpy(a->rows, "long");
		else
			(void)add_row(a->rows, a->s, r->rows[i]);
}

static struct told submit(
	struct fixture *f, const struct lf_command_options *o, enum lf_ack ack, const char *text)
{
	struct statement *s = prepare(f, text);
	struct told a = { .s = s };
	uint64_t none[2] = { 0 };

	row_encode(&s->param_layout, NULL, none);
	if (lf_submit_with(f->port, s, none, 1, ack, o, &f->error) != 0) {
		strcpy(a.state, error_sqlstate(f->error.code));
		strcpy(a.message, f->error.message);
	} else {
		lf_flush(f->port);
		lf_settle(f->engine);
		while (a.replies == 0)
			lf_poll(f->port, take, &a);
	}
	lf_release(f->engine, s);
	return a;
}

static struct told once(struct fixture *f, uint64_t client, uint64_t request, const char *text)
{
	const struct lf_command_options o = { .client = client, .request = request };

	return submit(f, &o, LF_VISIBLE, text);
}

static void same(const struct told *a, const struct told *b)
{
	assert_int_equal(a->epoch, b->epoch);
	assert_int_equal(a->count, b->count);
	assert_string_equal(a->state, b->state);
	assert_string_equal(a->message, b->message);
	assert_string_equal(a->rows, b->rows);
}

static void state_is(const struct told *a, const char *state)
{
	if (strcmp(a->state, state) != 0)
		fail_msg("%s %s instead of %s", a->state, a->message, state);
}

static uint64_t repeated(struct fixture *f)
{
	struct lf_stats stats;

	lf_stats(f->engine, &stats);
	return stats.once_repeated;
}

static const char TABLES[] =
	"CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL CHECK (n < 1000), s text);"
	"CREATE TABLE log (what text);"
	"CREATE MATERIALIZED VIEW total AS SELECT 1 AS k, sum(n) AS n FROM t;"
	"CREATE UNIQUE INDEX ON total (k);"
	"INSERT INTO t VALUES (1, 0, 'a'), (2, 0, 'b'), (3, 0, 'c'), (4, 0, 'd'), (5, 0, 'e');";

static void test_once(void **state)
{
	struct fixture f;
	struct told a, b;

	(void)state;
	open_fixture(&f, 2);
	run(&f, TABLES);
	a = once(&f, 7, 1, "UPDATE t SET n = n + 1 WHERE id = 1 RETURNING n, s");
	state_is(&a, "");
	assert_string_equal(a.rows, "1|a");
	assert_int_equal(a.count, 1);
	for (int i = 0; i < 3; i++) {
		b = once(&f, 7, 1, "UPDATE t SET n = n + 1 WHERE id = 1 RETURNING n, s");
		same(&a, &b);
	}
	assert_int_equal(repeated(&f), 3);
	expect(&f, "SELECT n FROM t WHERE id = 1", "1");
	/* Other clients and requests are other commands. */
	a = once(&f, 8, 1, "UPDATE t SET n = n + 1 WHERE id = 1 RETURNING n, s");
	assert_string_equal(a.rows, "2|a");
	a = once(&f, 7, 2, "UPDATE t SET n = n + 1 WHERE id = 1 RETURNING n, s");
	assert_string_equal(a.rows, "3|a");
	/* A refusal is remembered, with all it said, though it would not be refused any more. */
	a = once(&f, 7, 3, "INSERT INTO t VALUES (6, 1000, 'f')");
	state_is(&a, "23514");
	assert_int_equal(a.epoch, 0);
	run(&f, "INSERT INTO t VALUES (7, 1, 'g')");
	a = once(&f, 7, 4, "INSERT INTO t VALUES (7, 1, 'g')");
	state_is(&a, "23505");
	run(&f, "DELETE FROM t WHERE id = 7");
	b = once(&f, 7, 4, "INSERT INTO t VALUES (7, 1, 'g')");
	same(&a, &b);
	expect(&f, "SELECT count(*) FROM t", "5");
	/* Another statement, or other parameters, by the same id. */
	a = once(&f, 7, 4, "INSERT INTO t VALUES (7, 2, 'g')");
	state_is(&a, "LF007");
	expect(&f, "SELECT n FROM total", "3");
	close_fixture(&f);
}

/* Without a partition value of their own rows spread: by the id, so that a retry comes to the same shard. */
static void test_rows_without_key(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, 4);
	run(&f, TABLES);
	for (unsigned r = 1; r <= 20; r++)
		for (unsigned i = 0; i < 3; i++) {
			struct told a = once(&f, 1, r, "INSERT INTO log VALUES ('x')");

			state_is(&a, "");
		}
	expect(&f, "SELECT count(*) FROM log", "20");
	close_fixture(&f);
}

static void test_parts(void **state)
{
	static const char many[] =
		"INSERT INTO t VALUES (11, 1, 'x'), (12, 1, 'x'), (13, 1, 'x'), (1, 1, 'x') RETURNING id";
	struct fixture f;
	struct told a, b;

	(void)state;
	open_fixture(&f, 3);
	run(&f, TABLES);
	/* Three succeed, one is refused: that stays so. */
	a = once(&f, 9, 1, many);
	state_is(&a, "23505");
	assert_int_equal(a.count, 3);
	assert_int_equal(a.parts, 3);
	assert_int_equal(a.parts_all, 4);
	run(&f, "DELETE FROM t WHERE id = 1");
	b = once(&f, 9, 1, many);
	same(&a, &b);
	assert_int_equal(b.parts, 3);
	expect(&f, "SELECT count(*) FROM t", "7");
	/* Every shard. */
	a = once(&f, 9, 2, "UPDATE t SET n = n + 1 RETURNING id");
	state_is(&a, "");
	assert_int_equal(a.count, 7);
	b = once(&f, 9, 2, "UPDATE t SET n = n + 1 RETURNING id");
	same(&a, &b);
	expect(&f, "SELECT n FROM total", "10");
	a = once(&f, 9, 3, "TRUNCATE t");
	run(&f, "INSERT INTO t VALUES (1, 0, 'a')");
	b = once(&f, 9, 3, "TRUNCATE t");
	same(&a, &b);
	expect(&f, "SELECT count(*) FROM t", "1");
	close_fixture(&f);
}

static void test_refused_kinds(void **state)
{
	const struct lf_command_options no_request = { .client = 1 };
	struct fixture f;
	struct told a;

	(void)state;
	open_fixture(&f, 2);
	run(&f, TABLES);
	run(&f, "CREATE TABLE moment (at timestamptz PRIMARY KEY, n int)");
	a = once(&f, 1, 1, "INSERT INTO t SELECT id + 100, n, s FROM t");
	state_is(&a, "0A000");
	a = once(&f, 1, 1, "CREATE TABLE u (id int PRIMARY KEY)");
	state_is(&a, "0A000");
	a = once(&f, 1, 1, "INSERT INTO moment VALUES (now(), 1)");
	state_is(&a, "0A000");
	a = once(&f, 1, 1, "INSERT INTO moment VALUES ('2024-01-01', 1), (now(), 1)");
	state_is(&a, "0A000");
	run(&f, "CREATE PROCEDURE note(at timestamptz, n int) BEGIN ATOMIC INSERT INTO moment VALUES (at, n); END");
	a = once(&f, 1, 1, "CALL note(now(), 1)");
	state_is(&a, "0A000");
	a = once(&f, 1, 2, "CALL note('2024-01-01', 1)");
	state_is(&a, "");
	a = submit(&f, &no_request, LF_VISIBLE, "INSERT INTO t VALUES (9, 9, '')");
	state_is(&a, "22023");
	/* None of them used up the id. */
	a = once(&f, 1, 1, "INSERT INTO t VALUES (9, 9, '')");
	state_is(&a, "");
	close_fixture(&f);
}

/* --- what comes back --- */

static void test_restarts(void **state)
{
	static const char *const commands[] = {
		"UPDATE t SET n = n + 1 WHERE id = 1 RETURNING n",
		"UPDATE t SET n = n + 1 WHERE id = 2",
		"INSERT INTO t VALUES (1, 1, 'again')",
		"INSERT INTO t VALUES (21, 1, ''), (22, 1, ''), (1, 1, ''), (23, 1, '') RETURNING id",
		"UPDATE t SET n = n + 10 RETURNING id",
		"INSERT INTO log VALUES ('x')",
		"DELETE FROM t WHERE id = 5 RETURNING *",
		"UPDATE t SET n = 2000",
	};
	enum { N = sizeof(commands) / sizeof(commands[0]) };
	static const unsigned projectors[] = { 2, 1, 4, 3, 3, 2 };
	struct told first[N];
	struct bed b;

	(void)state;
	make_bed(&b, 3);
	run(&b.f, TABLES);
	for (unsigned i = 0; i < N; i++)
		first[i] = once(&b.f, 5, i + 1, commands[i]);
	state_is(&first[2], "23505");
	state_is(&first[3], "23505");
	state_is(&first[7], "23514");
	for (unsigned round = 0; round < 2 * (sizeof(projectors) / sizeof(projectors[0]));
		round++) {
		/* The second time around all comes from checkpoints. */
		if (round >= sizeof(projectors) / sizeof(projectors[0]))
			assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
		again(&b, projectors[round % (sizeof(projectors) / sizeof(projectors[0]))]);
		for (unsigned i = 0; i < N; i++) {
			struct told a = once(&b.f, 5, i + 1, commands[i]);

			assert_int_equal(a.count, first[i].count);
			assert_string_equal(a.state, first[i].state);
			/* Which of several errors and rows comes first depends on the shards. */
			if (i != 3 && i != 4) {
				assert_string_equal(a.rows, first[i].rows);
				assert_string_equal(a.message, first[i].message);
			}
			if (first[i].epoch != 0)
				assert_true(a.epoch <= first[i].epoch && a.epoch > 0);
		}
		expect(&b.f, "SELECT id, n FROM t ORDER BY id",
			"1|11\n2|11\n3|10\n4|10\n21|11\n22|11\n23|11");
		expect(&b.f, "SELECT count(*) FROM log", "1");
	}
	close_fixture(&b.f);
	burn_bed(&b);
}

/* The table may change, or go, between. */
static void test_schema_changes(void **state)
{
	struct told a, again_;
	struct bed b;

	(void)state;
	make_bed(&b, 2);
	run(&b.f, TABLES);
	a = once(&b.f, 1, 1, "INSERT INTO log VALUES ('x') RETURNING *");
	assert_string_equal(a.rows, "x");
	run(&b.f, "ALTER TABLE log ADD COLUMN n int DEFAULT 4");
	again_ = once(&b.f, 1, 1, "INSERT INTO log VALUES ('x') RETURNING *");
	state_is(&again_, "0A000");
	a = once(&b.f, 1, 2, "INSERT INTO log VALUES ('y')");
	run(&b.f, "ALTER TABLE log DROP COLUMN n");
	again_ = once(&b.f, 1, 2, "INSERT INTO log VALUES ('y')");
	same(&a, &again_);
	again_ = once(&b.f, 1, 1, "INSERT INTO log VALUES ('x') RETURNING *");
	state_is(&again_, "");
	assert_string_equal(again_.rows, "x");
	expect(&b.f, "SELECT what FROM log ORDER BY what", "x\ny");
	/* Another table of that name gets nothing. */
	run(&b.f, "DROP TABLE log; CREATE TABLE log (what text)");
	again(&b, 2);
	again_ = once(&b.f, 1, 2, "INSERT INTO log VALUES ('y')");
	same(&a, &again_);
	expect(&b.f, "SELECT count(*) FROM log", "0");
	close_fixture(&b.f);
	burn_bed(&b);
}

/* --- the disk --- */

/* A directory whose writes complete when the test says so. */
struct gate {
	struct disk real, disk;
	struct disk_ops ops;
	bool shut;
};

static struct gate gate;

static int gate_completed(void *impl, struct disk_queue *q, int *result)
{
	return gate.shut ? 0 : gate.real.ops->completed(impl, q, result);
}

static void gate_open(struct bed *b, unsigned projectors)
{
	struct lf_options o = lf_options_default();

	gate.shut = false;
	gate.ops = *gate.real.ops;
	gate.ops.completed = gate_completed;
	gate.disk = (struct disk){ &gate.ops, gate.real.impl };
	o.projectors = projectors;
	o.stepped = true;
	o.segment_bytes = b->segment_bytes;
	o.disk = &gate.disk;
	if (lf_engine_open(&b->f.engine, &o, &b->f.error) != 0)
		fail_msg("%s", b->f.error.message);
	assert_int_equal(lf_port_open(&b->f.port, b->f.engine, NULL, NULL, &b->f.error), 0);
}

static void send(struct fixture *f, struct lf_port *port, const struct statement *s,
	uint64_t request, enum lf_ack ack)
{
	const struct lf_command_options o = { .client = 1, .request = request };
	uint64_t none[2] = { 0 };

	row_encode(&s->param_layout, NULL, none);
	assert_int_equal(lf_submit_with(port, s, none, request, ack, &o, &f->error), 0);
	lf_flush(port);
	for (int i = 0; i < 100; i++)
		(void)lf_step(f->engine, 0);
}

/* An answer that is asked for durably is not given before the disk has it: neither a refusal, nor one that is repeated, by
 * whatever port. */
static void test_waits_for_the_disk(void **state)
{
	struct statement *insert, *update;
	struct told a = { .s = NULL }, other = { .s = NULL };
	struct lf_port *second;
	struct bed b;

	(void)state;
	make_bed(&b, 1);
	close_fixture(&b.f);
	assert_int_equal(disk_open(&gate.real, b.path, &b.f.error), 0);
	gate_open(&b, 1);
	assert_int_equal(lf_port_open(&second, b.f.engine, NULL, NULL, &b.f.error), 0);
	run(&b.f, TABLES);
	insert = prepare(&b.f, "INSERT INTO t VALUES (1, 1, 'again')");
	update = prepare(&b.f, "UPDATE t SET n = n + 1 WHERE id = 2");
	for (unsigned round = 0; round < 2; round++) {
		const struct statement *s = round == 0 ? insert : update;

		a.replies = other.replies = 0;
		gate.shut = true;
		send(&b.f, b.f.port, s, 1 + round, LF_DURABLE);
		send(&b.f, second, s, 1 + round, LF_DURABLE);
		assert_int_equal(lf_poll(b.f.port, take, &a) + lf_poll(second, take, &other), 0);
		gate.shut = false;
		lf_settle(b.f.engine);
		assert_int_equal(lf_poll(b.f.port, take, &a) + lf_poll(second, take, &other), 2);
		same(&a, &other);
		state_is(&a, round == 0 ? "23505" : "");
		/* What is written already need not wait, nor what does not ask for it. */
		gate.shut = true;
		send(&b.f, second, s, 1 + round, LF_DURABLE);
		assert_int_equal(lf_poll(second, take, &other), 1);
		same(&a, &other);
		send(&b.f, b.f.port, s, 11 + round, LF_ACCEPTED);
		assert_int_equal(lf_poll(b.f.port, take, &a), 1);
		gate.shut = false;
		lf_settle(b.f.engine);
	}
	lf_release(b.f.engine, insert);
	lf_release(b.f.engine, update);
	lf_port_close(second);
	close_fixture(&b.f);
	disk_close(&gate.real);
	burn_bed(&b);
}

/* --- the horizon --- */

static void open_narrow(struct bed *b, unsigned projectors, uint32_t answers, uint64_t bytes)
{
	struct lf_options o = lf_options_default();

	o.projectors = projectors;
	o.stepped = true;
	o.data = b->path;
	o.segment_bytes = b->segment_bytes;
	o.once_answers = answers;
	o.once_bytes = bytes;
	assert_int_equal(lf_engine_open(&b->f.engine, &o, &b->f.error), 0);
	assert_int_equal(lf_port_open(&b->f.port, b->f.engine, NULL, NULL, &b->f.error), 0);
}

static void increments(struct bed *b, uint64_t client, unsigned from, unsigned to)
{
	for (unsigned r = from; r <= to; r++) {
		struct told a = once(&b->f, client, r, "UPDATE t SET n = n + 1 WHERE id = 1");

		state_is(&a, "");
	}
}

static void expired(struct bed *b, uint64_t client, unsigned from, unsigned to)
{
	for (unsigned r = from; r <= to; r++) {
		struct told a = once(&b->f, client, r, "UPDATE t SET n = n + 1 WHERE id = 1");

		state_is(&a, "LF006");
	}
}

static void test_horizon(void **state)
{
	struct lf_stats stats;
	struct bed b;

	(void)state;
	make_bed(&b, 1);
	close_fixture(&b.f);
	open_narrow(&b, 1, 10, DEFAULT_ONCE_BYTES);
	run(&b.f, TABLES);
	increments(&b, 3, 1, 30);
	increments(&b, 4, 1, 5);
	increments(&b, 3, 21, 30);
	increments(&b, 4, 1, 5);
	expired(&b, 3, 1, 20);
	lf_stats(b.f.engine, &stats);
	assert_int_equal(stats.once_answers, 15);
	assert_int_equal(stats.once_clients, 2);
	/* Also when only the checkpoint knows of it. */
	assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
	assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
	for (unsigned i = 0; i < 3; i++) {
		close_fixture(&b.f);
		open_narrow(&b, 1, i == 0 ? 10 : 1000, DEFAULT_ONCE_BYTES);
		expired(&b, 3, 1, 20);
		increments(&b, 3, 21, 30);
		increments(&b, 4, 1, 5);
		if (i == 1)
			assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
	}
	expect(&b.f, "SELECT n FROM t WHERE id = 1", "35");
	/* By bytes: the oldest of all clients go first. */
	close_fixture(&b.f);
	open_narrow(&b, 1, 1000, 2000);
	expired(&b, 3, 1, 20);
	increments(&b, 3, 31, 50);
	expired(&b, 4, 1, 5);
	lf_stats(b.f.engine, &stats);
	assert_true(stats.once_bytes <= 2000 && stats.once_answers > 5);
	/* And with other shards, whichever has the rows then. */
	assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
	for (unsigned projectors = 2; projectors <= 4; projectors++) {
		close_fixture(&b.f);
		open_narrow(&b, projectors, 1000, MIB(1));
		expired(&b, 3, 1, 30);
		expired(&b, 4, 1, 5);
		increments(&b, 3, 50, 50);
	}
	expect(&b.f, "SELECT n FROM t WHERE id = 1", "55");
	close_fixture(&b.f);
	burn_bed(&b);
}

/* Rows too long to be kept: a retry is told so, and what was done. */
static void test_rows_lost(void **state)
{
	static const char insert[] = "INSERT INTO t VALUES (9, 1, repeat('y', 600000)) RETURNING s";
	struct fixture f;
	struct told a;

	(void)state;
	open_fixture(&f, 1);
	run(&f, TABLES);
	a = once(&f, 1, 1, insert);
	state_is(&a, "");
	assert_string_equal(a.rows, "long");
	for (int i = 0; i < 2; i++) {
		a = once(&f, 1, 1, insert);
		state_is(&a, "54000");
	}
	expect(&f, "SELECT length(s) FROM t WHERE id = 9", "600000");
	close_fixture(&f);
}

/* What is refused for want of memory may be tried again. */
static void test_no_memory(void **state)
{
	static const char insert[] = "INSERT INTO t VALUES (1000000, 1, repeat('y', 400000))";
	struct lf_options o = lf_options_default();
	struct fixture f;
	struct told a;
	unsigned id = 100;

	(void)state;
	o.stepped = true;
	o.memory_limit = MIB(24);
	assert_int_equal(lf_engine_open(&f.engine, &o, &f.error), 0);
	assert_int_equal(lf_port_open(&f.port, f.engine, NULL, NULL, &f.error), 0);
	run(&f, TABLES);
	do {
		char text[96];

		snprintf(text, sizeof(text), "INSERT INTO t VALUES (%u, 1, repeat('x', 400000))",
			id++);
		a = once(&f, 1, id, text);
	} while (a.state[0] == '\0' && id < 200);
	state_is(&a, "53200");
	a = once(&f, 2, 1, insert);
	state_is(&a, "53200");
	run(&f, "DELETE FROM t WHERE id = 100; DELETE FROM t WHERE id = 101");
	a = once(&f, 2, 1, insert);
	state_is(&a, "");
	expect(&f, "SELECT count(*) FROM t WHERE id = 1000000", "1");
	close_fixture(&f);
}

/* Whichever allocation of the shard fails: the command is done and known, or neither. */
static void test_failing_allocations(void **state)
{
	static const char *const commands[] = {
		"UPDATE t SET n = n + 1, s = s || 'x' WHERE id = 1 RETURNING repeat(s, 3)",
		"INSERT INTO t VALUES (1, 1, 'refused')",
	};
	struct heap *heap;
	struct fixture f;
	unsigned refused = 0;
	char want[32];

	(void)state;
	open_fixture(&f, 1);
	run(&f, TABLES);
	heap = projector_heap(f.engine->set.projectors[0]);
	for (unsigned n = 1; n <= 60; n++)
		for (unsigned k = 0; k < 2; k++) {
			struct told a, b;

			heap_fail_after(heap, 1 + n % 20);
			a = once(&f, 1 + n, 1 + k, commands[k]);
			heap_fail_after(heap, 0);
			b = once(&f, 1 + n, 1 + k, commands[k]);
			if (strcmp(a.state, "53200") == 0) {
				refused++;
				state_is(&b, k == 0 ? "" : "23505");
			} else if (strcmp(b.state, "54000") == 0) {
				/* The memory for keeping its rows. */
				state_is(&a, "");
			} else {
				same(&a, &b);
			}
		}
	assert_true(refused > 3);
	(void)snprintf(want, sizeof(want), "%u|%u", 60, 61);
	expect(&f, "SELECT n, length(s) FROM t WHERE id = 1", want);
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_rows_without_key),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_refused_kinds),
		cmocka_unit_test(test_restarts),
		cmocka_unit_test(test_schema_changes),
		cmocka_unit_test(test_waits_for_the_disk),
		cmocka_unit_test(test_horizon),
		cmocka_unit_test(test_rows_lost),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_failing_allocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
