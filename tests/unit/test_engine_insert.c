/*
 * Commands with a query: parameters on both sides of it, rows over many aggregates, rows changed since they were read, limits,
 * and what is freed. What they answer
 * is compared with PostgreSQL in tests/e2e/slt/commands.slt.
 */
#include "tests/unit/engine_fixture.h"

#include "core/base/limits.h"
#include "core/engine_internal.h"

static const char SCHEMA[] =
	"CREATE TABLE t (id bigint PRIMARY KEY, name varchar(4), n int CHECK (n > 0));"
	"CREATE TABLE big (id int PRIMARY KEY, text text);"
	"CREATE TABLE log (id bigint, line bigint, PRIMARY KEY (id, line));"
	"INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 2), (3, NULL, 3), (4, 'four', NULL);";

struct answer {
	struct error e;
	uint64_t count;
	uint32_t parts, parts_all;
	unsigned answers;
};

static void on_reply(void *arg, const struct lf_reply *reply)
{
	struct answer *a = arg;

	error_clear(&a->e);
	if (reply->error != NULL)
		a->e = *reply->error;
	a->count = reply->count;
	a->parts = reply->parts;
	a->parts_all = reply->parts_all;
	a->answers++;
}

/* Execute with bigint parameters. */
static struct answer execute(struct fixture *f, const struct statement *s, int64_t p1, int64_t p2)
{
	struct value v[2] = { { .type = TYPE_INT8, .i = p1 }, { .type = TYPE_INT8, .i = p2 } };
	struct answer a = { 0 };
	char row[64];

	assert_true(s->nparams <= 2);
	row_encode(&s->param_layout, v, row);
	if (lf_submit(f->port, s, row, 0, LF_VISIBLE, &a.e) == 0) {
		lf_flush(f->port);
		lf_settle(f->engine);
		assert_int_equal(lf_poll(f->port, on_reply, &a), 1);
	}
	return a;
}

static void test_parameters(void **state)
{
	struct fixture f = { 0 };
	struct statement *s;
	struct answer a;

	(void)state;
	open_fixture(&f, 3);
	run(&f, SCHEMA);
	s = prepare(&f,
		"INSERT INTO t AS x (id, n) SELECT id + $1::bigint, $2::bigint FROM t WHERE id <= $2 "
		"ON CONFLICT (id) DO UPDATE SET n = x.n + $2");
	a = execute(&f, s, 10, 2);
	assert_int_equal(a.e.code, ERR_OK);
	assert_int_equal(a.count, 2);
	assert_int_equal(a.parts, 2);
	expect(&f, "SELECT id, name, n FROM t WHERE id > 4 ORDER BY id", "11||2\n12||2");
	a = execute(&f, s, 10, 3);
	assert_int_equal(a.count, 3);
	expect(&f, "SELECT id, n FROM t WHERE id > 4 ORDER BY id", "11|5\n12|5\n13|3");
	/* An untyped parameter is of its column's type. */
	lf_release(f.engine, s);
	s = prepare(&f, "INSERT INTO t SELECT $1, 'p', $2 FROM t WHERE id = 1");
	assert_int_equal(s->params[0].id, TYPE_INT8);
	assert_int_equal(s->params[1].id, TYPE_INT4);
	lf_release(f.engine, s);
	close_fixture(&f);
}

/* Rows of one aggregate that follow each other are one part, which is atomic. */
static void test_parts(void **state)
{
	struct fixture f = { 0 };
	struct statement *s;
	struct answer a;

	(void)state;
	open_fixture(&f, 3);
	run(&f, SCHEMA);
	s = prepare(&f, "INSERT INTO log SELECT $1::bigint, id FROM t");
	a = execute(&f, s, 7, 0);
	assert_int_equal(a.e.code, ERR_OK);
	assert_int_equal(a.count, 4);
	assert_int_equal(a.parts_all, 1);
	lf_release(f.engine, s);
	s = prepare(&f, "INSERT INTO log SELECT id, $1::bigint FROM t WHERE id > $2");
	a = execute(&f, s, 1, 2);
	assert_int_equal(a.count, 2);
	assert_int_equal(a.parts_all, 2);
	/* One of them is there already: the others are done. */
	a = execute(&f, s, 1, 0);
	assert_string_equal(error_sqlstate(a.e.code), "23505");
	assert_int_equal(a.count, 2);
	assert_int_equal(a.parts, 2);
	assert_int_equal(a.parts_all, 4);
	/* Nothing at all is answered, too. */
	a = execute(&f, s, 1, 100);
	assert_int_equal(a.e.code, ERR_OK);
	assert_int_equal(a.answers, 1);
	assert_int_equal(a.count, 0);
	expect(&f, "SELECT count(*) FROM log", "8");
	lf_release(f.engine, s);
	expect(&f, "INSERT INTO t SELECT 9, 'nine', 9 RETURNING id, name, n * 2 AS m", "9|nine|18");
	close_fixture(&f);
}

static void test_errors(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	open_fixture(&f, 2);
	run(&f, SCHEMA);
	expect_error(&f, "INSERT INTO t SELECT id + 10, 'five5' FROM t", ERR_STRING_TOO_LONG);
	expect_error(&f, "INSERT INTO t SELECT id + 10, name, 0 FROM t", ERR_CHECK);
	expect_error(&f, "INSERT INTO t SELECT NULL, name FROM t", ERR_NOT_NULL);
	expect_error(&f, "INSERT INTO t SELECT 1 / (id - 2) FROM t", ERR_DIVISION_BY_ZERO);
	expect_error(&f, "INSERT INTO t VALUES (8); INSERT INTO t SELECT 8", ERR_FEATURE);
	expect_error(&f, "WITH a AS (SELECT 1) INSERT INTO t WITH b AS (SELECT 2) SELECT 9",
		ERR_FEATURE);
	expect(&f, "SELECT count(*), max(id) FROM t", "4|4");
	close_fixture(&f);
}

static void test_limits(void **state)
{
	struct fixture f = { 0 };
	char text[160];

	(void)state;
	open_fixture(&f, 2);
	run(&f, SCHEMA);
	run(&f, "INSERT INTO big SELECT id, 'x' FROM t");
	for (unsigned n = 4; n < LIMIT_ROWS_PER_COMMAND; n *= 2) {
		(void)snprintf(text, sizeof(text),
			"INSERT INTO big SELECT id + %u, 'x' FROM big LIMIT %u", n, n);
		command(&f, text);
	}
	expect(&f, "SELECT count(*) FROM big", "16384");
	command(&f, "INSERT INTO big SELECT id + 100000, text FROM big");
	expect_error(&f, "INSERT INTO big SELECT id + 200000, text FROM big", ERR_PROGRAM_LIMIT);
	expect(&f, "SELECT count(*) FROM big", "32768");
	/* Bytes: 16 rows of somewhat more than 1 MiB. */
	expect_error(&f,
		"INSERT INTO big SELECT id + 300000, repeat('0123456789abcdef', 66000) FROM big WHERE id <= 16",
		ERR_PROGRAM_LIMIT);
	command(&f,
		"INSERT INTO big SELECT id + 300000, repeat('0123456789abcdef', 66000) FROM big WHERE id <= 15");
	expect(&f, "SELECT count(*) FROM big WHERE length(text) = 16 * 66000", "15");
	close_fixture(&f);
}

/* Commands that are executed between reading and changing. */
static void test_changed(void **state)
{
	struct fixture f = { 0 };
	struct statement *set, *drop, *update, *remove;
	struct answer a = { 0 };
	char none[16], one[64];
	struct value v = { .type = TYPE_INT8, .i = 2 };

	(void)state;
	open_fixture(&f, 2);
	run(&f, SCHEMA);
	set = prepare(&f, "UPDATE t SET n = 20 WHERE id = $1");
	drop = prepare(&f, "DELETE FROM t WHERE id = $1");
	update = prepare(&f, "UPDATE t SET n = t.n + b.n FROM t b WHERE b.id = t.id AND t.id < 4");
	remove = prepare(&f, "DELETE FROM t USING t b WHERE b.id = t.id AND b.n = 20");
	row_encode(&update->param_layout, NULL, none);
	row_encode(&set->param_layout, &v, one);
	assert_int_equal(lf_submit(f.port, set, one, 0, LF_VISIBLE, &a.e), 0);
	assert_int_equal(lf_submit(f.port, update, none, 0, LF_VISIBLE, &a.e), 0);
	lf_flush(f.port);
	lf_settle(f.engine);
	assert_int_equal(lf_poll(f.port, on_reply, &a), 2);
	assert_string_equal(error_sqlstate(a.e.code), "40001");
	assert_int_equal(a.parts, 2);
	assert_int_equal(a.parts_all, 3);
	expect(&f, "SELECT id, n FROM t ORDER BY id", "1|2\n2|20\n3|6\n4|");
	/* One that has gone is no error. */
	assert_int_equal(lf_submit(f.port, drop, one, 0, LF_VISIBLE, &a.e), 0);
	assert_int_equal(lf_submit(f.port, remove, none, 0, LF_VISIBLE, &a.e), 0);
	lf_flush(f.port);
	lf_settle(f.engine);
	assert_int_equal(lf_poll(f.port, on_reply, &a), 2);
	assert_int_equal(a.e.code, ERR_OK);
	assert_int_equal(a.count, 0);
	expect(&f, "SELECT id FROM t ORDER BY id", "1\n3\n4");
	lf_release(f.engine, set);
	lf_release(f.engine, drop);
	lf_release(f.engine, update);
	lf_release(f.engine, remove);
	close_fixture(&f);
}

/* Of several rows that a query gives for one, one is taken; parameters in it. */
static void test_joined(void **state)
{
	struct fixture f = { 0 };
	struct statement *s;
	struct answer a;

	(void)state;
	open_fixture(&f, 3);
	run(&f, SCHEMA);
	run(&f, "INSERT INTO log VALUES (1, 1), (1, 2), (1, 3), (2, 5), (9, 9)");
	s = prepare(
		&f, "UPDATE t SET n = $1, name = 'j' FROM log l WHERE l.id = t.id AND l.line < $2");
	assert_int_equal(s->params[0].id, TYPE_INT4);
	lf_release(f.engine, s);
	s = prepare(&f,
		"UPDATE t SET n = $1::bigint, name = 'j' FROM log l WHERE l.id = t.id AND l.line < $2::bigint");
	a = execute(&f, s, 77, 5);
	assert_int_equal(a.e.code, ERR_OK);
	assert_int_equal(a.count, 1);
	assert_int_equal(a.parts_all, 1);
	a = execute(&f, s, 78, 6);
	assert_int_equal(a.count, 2);
	expect(&f, "SELECT id, name, n FROM t ORDER BY id", "1|j|78\n2|j|78\n3||3\n4|four|");
	lf_release(f.engine, s);
	s = prepare(&f, "DELETE FROM log USING t WHERE t.id = log.id AND t.n > $1::bigint");
	a = execute(&f, s, 70, 0);
	assert_int_equal(a.count, 4);
	expect(&f, "SELECT id, line FROM log", "9|9");
	lf_release(f.engine, s);
	expect_error(&f, "UPDATE t SET id = 1 FROM log", ERR_FEATURE);
	close_fixture(&f);
}

/* What a statement within another compiles is freed with it. */
static void test_freed(void **state)
{
	static const char *const TEXTS[] = {
		"INSERT INTO t SELECT a.id + 1, b.name FROM t a JOIN t b ON a.id = b.id WHERE a.id < 3",
		"UPDATE t SET n = b.n + 1 FROM t b WHERE b.id = t.id + 1",
		"INSERT INTO t VALUES ($1, 'a'); UPDATE t SET n = n + $2 WHERE id = $1",
	};
	struct fixture f = { 0 };
	uint64_t used = 0;

	(void)state;
	open_fixture(&f, 2);
	run(&f, SCHEMA);
	for (unsigned i = 0; i < 20; i++) {
		for (unsigned k = 0; k < 3; k++)
			lf_release(f.engine, prepare(&f, TEXTS[k]));
		if (i == 2)
			used = heap_used(f.engine->heap);
	}
	assert_int_equal(heap_used(f.engine->heap), used);
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_joined),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
