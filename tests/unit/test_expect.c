/*
 * Versions of rows (lf_epoch) and commands that expect one: what conflicts and what does not, also with other commands of the
 * same epoch, with rows that were deleted, and after a restart.
 */
#include "tests/unit/data_fixture.h"

#include "core/engine_internal.h"

struct answer {
	struct error e;
	uint64_t count, epoch;
	uint32_t parts;
	unsigned answers;
};

static void on_reply(void *arg, const struct lf_reply *reply)
{
	struct answer *a = (struct answer *)arg + reply->tag;

	error_clear(&a->e);
	if (reply->error != NULL)
		a->e = *reply->error;
	a->count = reply->count;
	a->epoch = reply->epoch;
	a->parts = reply->parts;
	a->answers++;
}

static struct statement *submit(
	struct fixture *f, const char *text, uint64_t expected, uint64_t tag)
{
	struct lf_command_options o = { .expect = expected != UINT64_MAX,
		.expected_epoch = expected };
	struct statement *s = prepare(f, text);
	uint64_t params[2];

	row_encode(&s->param_layout, NULL, params);
	if (lf_submit_with(f->port, s, params, tag, LF_VISIBLE, &o, &f->error) != 0)
		fail_msg("%s: %s", text, f->error.message);
	lf_flush(f->port);
	return s;
}

static struct answer execute(struct fixture *f, const char *text, uint64_t expected)
{
	struct answer a = { 0 };
	struct statement *s = submit(f, text, expected, 0);

	lf_settle(f->engine);
	assert_int_equal(lf_poll(f->port, on_reply, &a), 1);
	lf_release(f->engine, s);
	return a;
}

static uint64_t succeeds(struct fixture *f, const char *text, uint64_t expected, uint64_t count)
{
	struct answer a = execute(f, text, expected);

	if (a.e.code != ERR_OK || a.count != count)
		fail_msg("%s: %s %s, %llu rows", text, error_state(&a.e), a.e.message,
			(unsigned long long)a.count);
	return a.epoch;
}

/* … with this version of the row in the way. */
static void conflicts(struct fixture *f, const char *text, uint64_t expected, uint64_t current)
{
	struct answer a = execute(f, text, expected);
	char detail[64];

	(void)snprintf(detail, sizeof(detail), "current version %llu", (unsigned long long)current);
	if (a.e.code != ERR_SERIALIZATION || strcmp(a.e.detail, detail) != 0)
		fail_msg("%s: %s %s: %s instead of %s", text, error_state(&a.e), a.e.message,
			a.e.detail, detail);
	assert_int_equal(a.count, 0);
}

static uint64_t number(struct fixture *f, const char *query)
{
	char text[TEXT_MAX] = "";

	if (lf_run(f->port, query, strlen(query), NULL, add_row, text, &f->error) != 0)
		fail_msg("%s: %s", query, f->error.message);
	return strtoull(text, NULL, 10);
}

static const char SCHEMA[] =
	"CREATE TABLE t (id bigint PRIMARY KEY, n bigint, u bigint);"
	"CREATE TABLE line (id bigint, k int, n bigint, PRIMARY KEY (id, k), UNIQUE (id, n));";

static void test_version(void **state)
{
	struct fixture f = { 0 };
	uint64_t first, second;

	(void)state;
	open_fixture(&f, 3);
	run(&f, SCHEMA);
	run(&f,
		"CREATE MATERIALIZED VIEW v AS SELECT n, count(*) AS c FROM t GROUP BY n; CREATE UNIQUE INDEX ON v (n);"
		"CREATE MATERIALIZED VIEW all_n AS SELECT n FROM t");
	first = succeeds(&f, "INSERT INTO t VALUES (1, 10)", UINT64_MAX, 1);
	assert_int_equal(number(&f, "SELECT lf_epoch FROM t WHERE id = 1"), first);
	assert_int_equal(number(&f, "SELECT lf_epoch FROM t"), first);
	assert_int_equal(number(&f, "SELECT max(lf_epoch) FROM t WHERE n = 10"), first);
	assert_int_equal(number(&f, "SELECT lf_epoch FROM v WHERE n = 10"), first);
	assert_int_equal(number(&f, "SELECT lf_epoch FROM all_n"), first);
	second = succeeds(&f, "UPDATE t SET n = 11 WHERE id = 1", UINT64_MAX, 1);
	assert_true(second > first);
	assert_int_equal(number(&f, "SELECT lf_epoch FROM t WHERE id = 1"), second);
	assert_int_equal(
		number(&f, "UPDATE t SET u = lf_epoch WHERE lf_epoch = u OR u IS NULL RETURNING u"),
		second);
	assert_true(number(&f, "SELECT lf_epoch FROM t WHERE id = 1") > second);
	assert_int_equal(
		number(&f,
			"DELETE FROM t WHERE id = 1 AND lf_epoch > 0 RETURNING (lf_epoch > u)::int"),
		1);
	expect_error(&f, "CREATE MATERIALIZED VIEW w AS SELECT lf_epoch FROM t", ERR_FEATURE);
	expect_error(&f, "SELECT t.lf_epoch FROM t JOIN line ON t.id = line.id", ERR_FEATURE);
	expect_error(&f, "SELECT lf_epoch, count(*) FROM t", ERR_GROUPING);
	expect_error(&f, "UPDATE t SET lf_epoch = 1", ERR_UNDEFINED_COLUMN);
	/* A column of that name comes first. */
	run(&f, "CREATE TABLE own (id int PRIMARY KEY, lf_epoch text); INSERT INTO own VALUES (1, 'mine')");
	expect(&f, "SELECT lf_epoch FROM own WHERE id = 1", "mine");
	close_fixture(&f);
}

static void test_expected(void **state)
{
	struct fixture f = { 0 };
	uint64_t a, b, c;

	(void)state;
	open_fixture(&f, 3);
	run(&f, SCHEMA);
	a = succeeds(&f, "INSERT INTO t VALUES (1, 10), (2, 20)", UINT64_MAX, 2);
	b = succeeds(&f, "UPDATE t SET n = 11 WHERE id = 1", a, 1);
	conflicts(&f, "UPDATE t SET n = 12 WHERE id = 1", a, b);
	conflicts(&f, "UPDATE t SET n = 12 WHERE id = 1 AND n = 77", a, b);
	conflicts(&f, "UPDATE t SET n = 12 WHERE id = 0 + 1", a, b);
	conflicts(&f, "DELETE FROM t WHERE id = 1", a, b);
	conflicts(&f, "INSERT INTO t VALUES (1, 1)", a, b);
	conflicts(&f, "INSERT INTO t VALUES (1, 1) ON CONFLICT DO NOTHING", a, b);
	conflicts(&f, "INSERT INTO t VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = 5", a, b);
	conflicts(&f, "UPDATE t SET n = 13 WHERE id = 1; INSERT INTO line VALUES (1, 1, 1)", 0, b);
	conflicts(&f, "INSERT INTO line VALUES (1, 1, 1); UPDATE t SET n = 13 WHERE id = 1", a, b);
	expect(&f, "SELECT count(*) FROM line", "0");
	expect(&f, "SELECT * FROM t ORDER BY id", "1|11|\n2|20|");
	assert_int_equal(execute(&f, "INSERT INTO t VALUES (1, 1)", b).e.code, ERR_UNIQUE);
	succeeds(&f, "UPDATE t SET n = 21 WHERE id = 2", a, 1);
	/* What a command has changed itself is no conflict. */
	c = succeeds(&f,
		"UPDATE t SET n = 12 WHERE id = 1; UPDATE t SET n = n + 1 WHERE id = 1;"
		"DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1, 14); UPDATE t SET n = n + 1 WHERE id = 1",
		b, 5);
	expect(&f, "SELECT n FROM t WHERE id = 1", "15");
	conflicts(&f, "DELETE FROM t WHERE id = 1", b, c);
	/* A guard may ask for the version itself. */
	assert_int_equal(
		execute(&f,
			"SELECT CASE WHEN lf_epoch > 1 THEN reject('changed') END FROM t WHERE id = 1; UPDATE t SET u = 1 WHERE id = 1",
			UINT64_MAX)
			.e.code,
		ERR_REJECTED);
	succeeds(&f,
		"SELECT CASE WHEN lf_epoch < 1 THEN reject('changed') END FROM t WHERE id = 2; UPDATE t SET u = lf_epoch WHERE id = 2",
		UINT64_MAX, 1);
	/* Rows that are met by other ways than the key: those that match. */
	assert_int_equal(
		execute(&f, "UPDATE t SET u = 1 WHERE n = 15", b).e.code, ERR_SERIALIZATION);
	succeeds(&f, "UPDATE t SET u = 1 WHERE n = 16", b, 0);
	assert_int_equal(execute(&f, "TRUNCATE t", b).e.code, ERR_SERIALIZATION);
	assert_int_equal(
		execute(&f,
			"UPDATE t SET u = x.n FROM (SELECT 1 AS id, 7 AS n) x WHERE t.id = x.id", b)
			.e.code,
		ERR_SERIALIZATION);
	succeeds(
		&f, "UPDATE t SET u = x.n FROM (SELECT 1 AS id, 7 AS n) x WHERE t.id = x.id", c, 1);
	/* Another unique key. */
	a = succeeds(&f, "INSERT INTO line VALUES (5, 1, 1)", c, 1);
	b = succeeds(&f, "UPDATE line SET n = 2 WHERE id = 5 AND k = 1", a, 1);
	conflicts(&f, "INSERT INTO line VALUES (5, 2, 2) ON CONFLICT (id, n) DO UPDATE SET n = 9",
		a, b);
	succeeds(&f, "INSERT INTO line VALUES (5, 2, 2) ON CONFLICT (id, n) DO UPDATE SET n = 9", b,
		1);
	close_fixture(&f);
}

/* Several commands of one epoch. */
static void test_one_epoch(void **state)
{
	struct fixture f = { 0 };
	struct answer a[4] = { 0 };
	struct statement *s[4];
	uint64_t e;

	(void)state;
	open_fixture(&f, 1);
	run(&f, SCHEMA);
	e = succeeds(&f, "INSERT INTO t VALUES (1, 0), (2, 0)", UINT64_MAX, 2);
	s[0] = submit(&f, "UPDATE t SET n = n + 1 WHERE id = 1", e, 0);
	s[1] = submit(&f, "UPDATE t SET n = n + 1 WHERE id = 1", e, 1);
	s[2] = submit(&f, "UPDATE t SET n = n + 1 WHERE id = 2", e, 2);
	s[3] = submit(&f, "INSERT INTO t VALUES (3, 0); UPDATE t SET n = 1 WHERE id = 3", e, 3);
	lf_settle(f.engine);
	assert_int_equal(lf_poll(f.port, on_reply, a), 4);
	assert_int_equal(a[0].e.code, ERR_OK);
	assert_int_equal(a[1].e.code, ERR_SERIALIZATION);
	assert_int_equal(a[2].e.code, ERR_OK);
	assert_int_equal(a[3].e.code, ERR_OK);
	assert_int_equal(a[0].epoch, a[2].epoch);
	for (unsigned i = 0; i < 4; i++)
		lf_release(f.engine, s[i]);
	expect(&f, "SELECT * FROM t ORDER BY id", "1|1|\n2|1|\n3|1|");
	/* What another command did in the epoch of one's own is not seen, as the README says. */
	s[0] = submit(&f, "UPDATE t SET n = 5 WHERE id = 1", UINT64_MAX, 0);
	s[1] = submit(&f, "UPDATE t SET n = 6 WHERE id = 1", UINT64_MAX, 1);
	memset(a, 0, sizeof(a));
	lf_settle(f.engine);
	assert_int_equal(lf_poll(f.port, on_reply, a), 2);
	assert_int_equal(a[0].epoch, a[1].epoch);
	lf_release(f.engine, s[0]);
	lf_release(f.engine, s[1]);
	succeeds(&f, "UPDATE t SET n = 7 WHERE id = 1", a[0].epoch, 1);
	close_fixture(&f);
}

/* A deletion is a change of what is not there any more. */
static void test_deleted(void **state)
{
	struct fixture f = { 0 };
	uint64_t a, b, now;

	(void)state;
	open_fixture(&f, 2);
	run(&f, SCHEMA);
	a = succeeds(&f, "INSERT INTO t VALUES (1, 10), (2, 20)", UINT64_MAX, 2);
	b = succeeds(&f, "DELETE FROM t WHERE id = 1", a, 1);
	conflicts(&f, "UPDATE t SET n = 1 WHERE id = 1", a, b);
	conflicts(&f, "DELETE FROM t WHERE id = 0 + 1", a, b);
	conflicts(&f, "INSERT INTO t VALUES (1, 1)", a, b);
	/* When nothing is left of it, too. */
	for (int i = 0; i < 20; i++)
		now = succeeds(&f, "UPDATE t SET n = n + 1 WHERE id = 2", UINT64_MAX, 1);
	conflicts(&f, "INSERT INTO t VALUES (1, 1)", a, b);
	conflicts(&f, "UPDATE t SET n = 1 WHERE id = 1", a, b);
	succeeds(&f, "UPDATE t SET n = 1 WHERE id = 1", b, 0);
	succeeds(&f, "INSERT INTO t VALUES (1, 1)", b, 1);
	succeeds(&f, "UPDATE t SET n = 1 WHERE id = 77", now, 0);
	succeeds(&f, "INSERT INTO t VALUES (77, 1)", now, 1);
	/* Rows without a key are never the same ones. */
	run(&f, "CREATE TABLE bag (n int)");
	succeeds(&f, "INSERT INTO bag VALUES (1)", 0, 1);
	/* Rows that ADD COLUMN has copied count as changed by it. */
	now = number(&f, "SELECT max(lf_epoch) FROM t");
	run(&f, "ALTER TABLE t ADD COLUMN x int");
	a = number(&f, "SELECT max(lf_epoch) FROM t");
	assert_true(a > now);
	conflicts(&f, "UPDATE t SET n = 1 WHERE id = 2", now, a);
	conflicts(&f, "INSERT INTO t VALUES (99, 1)", now, a);
	succeeds(&f, "INSERT INTO t VALUES (99, 1)", a, 1);
	close_fixture(&f);
}

/* Each part of a command over several aggregates by itself. */
static void test_parts(void **state)
{
	struct fixture f = { 0 };
	struct answer r;
	uint64_t a;

	(void)state;
	open_fixture(&f, 4);
	run(&f, SCHEMA);
	a = succeeds(&f,
		"INSERT INTO t SELECT * FROM (VALUES (1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0)) v",
		0, 4);
	succeeds(&f, "UPDATE t SET n = 5 WHERE id = 3", a, 1);
	r = execute(&f,
		"INSERT INTO t VALUES (1, 1), (2, 2), (3, 3), (4, 4) ON CONFLICT (id) DO UPDATE SET n = excluded.n",
		a);
	assert_int_equal(r.e.code, ERR_SERIALIZATION);
	assert_int_equal(r.parts, 3);
	assert_int_equal(r.count, 3);
	expect(&f, "SELECT n FROM t ORDER BY id", "1\n2\n5\n4");
	close_fixture(&f);
}

/* Epochs go on above all that were told, and everything counts as changed in between. */
static void test_restart(void **state)
{
	struct bed b;
	uint64_t before, now;

	(void)state;
	make_bed(&b, 2);
	run(&b.f, SCHEMA);
	before = succeeds(&b.f, "INSERT INTO t VALUES (1, 10), (2, 20)", UINT64_MAX, 2);
	before = succeeds(&b.f, "DELETE FROM t WHERE id = 2", before, 1);
	for (unsigned i = 0; i < 3; i++) {
		if (i == 1)
			assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
		again(&b, 1 + i);
		now = number(&b.f, "SELECT lf_epoch FROM t WHERE id = 1");
		assert_true(now > before);
		assert_true(now <= lf_visible(b.f.engine));
		conflicts(&b.f, "UPDATE t SET n = n + 1 WHERE id = 1", before, now);
		conflicts(&b.f, "INSERT INTO t VALUES (2, 1)", before, now);
		conflicts(&b.f, "INSERT INTO t VALUES (3, 1)", before, now);
		before = succeeds(&b.f,
			"UPDATE t SET n = n + 1 WHERE id = 1; DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1, 5)",
			now, 3);
		before = succeeds(&b.f, "INSERT INTO t VALUES (2, 1)", before, 1);
		before = succeeds(&b.f, "DELETE FROM t WHERE id = 2", before, 1);
	}
	close_fixture(&b.f);
	burn_bed(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_expected),
		cmocka_unit_test(test_one_epoch),
		cmocka_unit_test(test_deleted),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
