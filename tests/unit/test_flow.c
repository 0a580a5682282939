/*
 * Cases of views that random commands rarely or never meet; tests/property/test_views.c does the rest.
 */
#include "tests/unit/engine_fixture.h"

/* --- groups that have one row each in the view --- */

static const char GROUPS[] =
	"CREATE TABLE t (id int PRIMARY KEY, a int, b text, n int, w numeric(8,2), s text);"
	/* By the groups' key, in its order and in another; by less than it; with a test of the groups. */
	"CREATE MATERIALIZED VIEW same AS SELECT a, b, count(*) AS c, sum(n) AS n, sum(w) AS w FROM t GROUP BY a, b;"
	"CREATE UNIQUE INDEX same_key ON same (a, b);"
	"CREATE MATERIALIZED VIEW turned AS SELECT sum(n) AS n, b, max(n) AS m, a FROM t GROUP BY a, b;"
	"CREATE UNIQUE INDEX turned_key ON turned (b, a);"
	"CREATE INDEX turned_n ON turned (n);"
	"CREATE MATERIALIZED VIEW texts AS SELECT a, min(s) AS l, max(s) AS m FROM t GROUP BY a;"
	"CREATE UNIQUE INDEX texts_key ON texts (a);"
	"CREATE INDEX texts_m ON texts (m);"
	"CREATE MATERIALIZED VIEW many AS SELECT a, count(*) AS c FROM t GROUP BY a HAVING count(*) > 1;"
	"CREATE UNIQUE INDEX many_key ON many (a);"
	"CREATE MATERIALIZED VIEW loose AS SELECT a, b, count(*) AS c FROM t GROUP BY a, b;"
	"CREATE UNIQUE INDEX loose_key ON loose (a);";

static void groups_expect(struct fixture *f, const char *same, const char *turned,
	const char *texts, const char *many)
{
	expect(f, "SELECT a, b, c, n, w FROM same ORDER BY a, b", same);
	expect(f, "SELECT a, b, n, m FROM turned ORDER BY a, b", turned);
	expect(f, "SELECT * FROM texts ORDER BY a", texts);
	expect(f, "SELECT * FROM many ORDER BY a", many);
}

static void group_rows(unsigned projectors)
{
	struct fixture f;

	open_fixture(&f, projectors);
	run(&f, GROUPS);
	run(&f, "INSERT INTO t VALUES (1, 1, 'x', 5, 1.5, 'm'), (2, 1, 'x', NULL, NULL, NULL), (3, NULL, 'y', 7, 2, 'k')");
	groups_expect(&f, "1|x|2|5|1.50\n|y|1|7|2.00", "1|x|5|5\n|y|7|7", "1|m|m\n|k|k", "1|2");
	expect(&f, "SELECT a FROM turned WHERE n = 5", "1");
	/* Sums that change, and one that does not; a text that grows beyond its room. */
	run(&f,
		"UPDATE t SET n = NULL, w = 2, s = 'a text that is much longer than the room that its group has for it'"
		" WHERE id = 1;"
		"UPDATE t SET b = 'y' WHERE id = 3");
	groups_expect(&f, "1|x|2||2.00\n|y|1|7|2.00", "1|x||\n|y|7|7",
		"1|a text that is much longer than the room that its group has for it"
		"|a text that is much longer than the room that its group has for it\n|k|k",
		"1|2");
	expect(&f, "SELECT a FROM turned WHERE n = 5", "");
	expect(&f, "SELECT a FROM texts WHERE m = 'm'", "");
	/* A group goes, comes again, and does both within one command. */
	run(&f, "DELETE FROM t WHERE a = 1");
	groups_expect(&f, "|y|1|7|2.00", "|y|7|7", "|k|k", "");
	run(&f, "INSERT INTO t VALUES (1, 1, 'x', 6, 1, 'z')");
	command(&f, "DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1, 1, 'x', 8, 1, 'q')");
	command(&f, "INSERT INTO t VALUES (9, 9, 'x', 8, 1, 'q'); DELETE FROM t WHERE id = 9");
	groups_expect(&f, "1|x|1|8|1.00\n|y|1|7|2.00", "1|x|8|8\n|y|7|7", "1|q|q\n|k|k", "");
	expect(&f, "SELECT a, b FROM turned WHERE n = 8", "1|x");
	/* An index that comes later knows what is there, and what changes. */
	run(&f, "CREATE INDEX same_n ON same (n); UPDATE t SET n = 3 WHERE id = 1");
	expect(&f, "SELECT a FROM same WHERE n = 3", "1");
	expect(&f, "SELECT a FROM same WHERE n = 8", "");
	/* A key that is less than the groups' holds only as long as their rows allow. */
	expect(&f, "SELECT * FROM loose ORDER BY a", "1|x|1\n|y|1");
	run(&f, "INSERT INTO t VALUES (5, 1, 'other', 1, 1, 'q')");
	expect_error(&f, "SELECT * FROM loose", ERR_VIEW_FAILED);
	expect(&f, "SELECT a, b, c FROM same WHERE a = 1 ORDER BY b", "1|other|1\n1|x|1");
	close_fixture(&f);
}

static void test_group_rows(void **state)
{
	(void)state;
	for (unsigned p = 1; p <= 3; p++)
		group_rows(p);
}

/* --- errors in views --- */

static const char DIVIDED[] =
	"CREATE TABLE l (id int PRIMARY KEY, n int, c int);"
	"CREATE TABLE r (id int PRIMARY KEY, d int);"
	"CREATE MATERIALIZED VIEW rows AS SELECT id, n / c AS q FROM l;"
	"CREATE MATERIALIZED VIEW filtered AS SELECT id FROM l WHERE n / c > 0;"
	"CREATE MATERIALIZED VIEW sums AS SELECT sum(n / c) AS s FROM l;"
	"CREATE MATERIALIZED VIEW keys AS SELECT n / c AS k, count(*) AS x FROM l GROUP BY n / c;"
	"CREATE MATERIALIZED VIEW pairs AS SELECT l.id, l.n / (r.d - l.c) AS q"
	"  FROM l JOIN r ON r.id = l.id;"
	"CREATE MATERIALIZED VIEW residual AS SELECT l.id FROM l JOIN r ON r.id = l.id"
	"  WHERE l.n / (r.d - l.c) > 0;"
	"INSERT INTO l VALUES (1, 10, 1);"
	"INSERT INTO r VALUES (1, 2);";

/* What was there only between two statements of one command, or pairs that never were there together,
 * cannot fail a view. */
static void passing_errors(unsigned projectors)
{
	struct fixture f;

	open_fixture(&f, projectors);
	run(&f, DIVIDED);
	command(&f,
		"UPDATE l SET c = 0 WHERE id = 1; UPDATE l SET c = 2 WHERE id = 1;"
		"UPDATE r SET d = 3 WHERE id = 1");
	expect(&f, "SELECT * FROM rows", "1|5");
	expect(&f, "SELECT * FROM filtered", "1");
	expect(&f, "SELECT * FROM sums", "5");
	expect(&f, "SELECT * FROM keys", "5|1");
	expect(&f, "SELECT * FROM pairs", "1|10");
	expect(&f, "SELECT * FROM residual", "1");
	close_fixture(&f);
}

static void test_passing_errors(void **state)
{
	(void)state;
	for (unsigned p = 1; p <= 3; p++)
		passing_errors(p);
}

static void test_lasting_errors(void **state)
{
	static const char *const VIEWS[] = { "rows", "filtered", "sums", "keys" };
	struct fixture f;

	(void)state;
	open_fixture(&f, 2);
	run(&f, DIVIDED);
	command(&f, "UPDATE l SET c = 0 WHERE id = 1");
	for (unsigned i = 0; i < sizeof(VIEWS) / sizeof(VIEWS[0]); i++) {
		char query[TEXT_MAX];

		(void)snprintf(query, sizeof(query), "SELECT * FROM %s", VIEWS[i]);
		expect_error(&f, query, ERR_VIEW_FAILED);
		assert_non_null(strstr(f.error.message, "division by zero"));
	}
	/* The others go on. */
	expect(&f, "SELECT * FROM pairs", "1|5");
	command(&f, "UPDATE l SET c = 2 WHERE id = 1");
	expect_error(&f, "SELECT * FROM pairs", ERR_VIEW_FAILED);
	expect_error(&f, "SELECT * FROM residual", ERR_VIEW_FAILED);
	run(&f,
		"UPDATE r SET d = 12 WHERE id = 1; DROP MATERIALIZED VIEW pairs;"
		"CREATE MATERIALIZED VIEW pairs AS SELECT l.id, l.n / (r.d - l.c) AS q"
		"  FROM l JOIN r ON r.id = l.id");
	expect(&f, "SELECT * FROM pairs", "1|1");
	close_fixture(&f);
}

/* --- one key twice --- */

static void test_key_twice(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, 1);
	run(&f,
		"CREATE TABLE t (id int PRIMARY KEY, k int);"
		"CREATE MATERIALIZED VIEW v AS SELECT k, id FROM t;"
		"CREATE UNIQUE INDEX v_key ON v (k);"
		"INSERT INTO t VALUES (1, 10); INSERT INTO t VALUES (2, 20)");
	command(&f, "UPDATE t SET k = 30 WHERE id = 1");
	expect(&f, "SELECT id FROM v WHERE k = 30", "1");
	expect(&f, "SELECT id FROM v WHERE k = 10", "");
	command(&f, "UPDATE t SET k = 30 WHERE id = 2");
	expect_error(&f, "SELECT * FROM v", ERR_VIEW_FAILED);
	run(&f, "DROP MATERIALIZED VIEW v; CREATE MATERIALIZED VIEW v AS SELECT k, id FROM t");
	expect_error(&f, "CREATE UNIQUE INDEX v_key ON v (k)", ERR_UNIQUE);
	expect(&f, "SELECT k, id FROM v ORDER BY id", "30|1\n30|2");
	close_fixture(&f);
}

/* --- equal rows that print differently --- */

static void test_scales(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, 1);
	run(&f,
		"CREATE TABLE t (id int PRIMARY KEY, n numeric, d double precision);"
		"CREATE MATERIALIZED VIEW v AS SELECT n, d FROM t;"
		"CREATE MATERIALIZED VIEW m AS SELECT min(n) AS lo, max(d) AS hi FROM t;"
		"INSERT INTO t VALUES (1, 1.0, 0.0); INSERT INTO t VALUES (2, 1.00, '-0')");
	expect(&f, "SELECT n, d FROM v ORDER BY n::text", "1.0|0\n1.00|-0");
	command(&f, "DELETE FROM t WHERE id = 1");
	expect(&f, "SELECT n, d FROM v", "1.00|-0");
	expect(&f, "SELECT * FROM m", "1.00|-0");
	command(&f, "UPDATE t SET n = 1.000 WHERE id = 2");
	expect(&f, "SELECT n, d FROM v", "1.000|-0");
	expect(&f, "SELECT * FROM m", "1.000|-0");
	close_fixture(&f);
}

/* --- columns that a view does not use --- */

static void unused_columns(unsigned projectors)
{
	struct fixture f;

	open_fixture(&f, projectors);
	run(&f,
		"CREATE TABLE p (id int PRIMARY KEY, price int, stock int, hidden boolean);"
		"CREATE TABLE i (id int PRIMARY KEY, p int, n int);"
		"CREATE MATERIALIZED VIEW v AS SELECT p.id, sum(i.n * p.price) AS s FROM p"
		"  JOIN i ON i.p = p.id WHERE NOT p.hidden GROUP BY p.id;"
		"INSERT INTO p VALUES (1, 10, 5, false);"
		"INSERT INTO i VALUES (1, 1, 2), (2, 1, 3), (3, 2, 7)");
	expect(&f, "SELECT * FROM v", "1|50");
	command(&f, "UPDATE p SET stock = 4 WHERE id = 1");
	expect(&f, "SELECT * FROM v", "1|50");
	command(&f, "UPDATE p SET stock = 3 WHERE id = 1; UPDATE p SET price = 20 WHERE id = 1");
	expect(&f, "SELECT * FROM v", "1|100");
	command(&f, "UPDATE p SET stock = 2, hidden = true WHERE id = 1");
	expect(&f, "SELECT * FROM v", "");
	command(&f, "UPDATE p SET stock = 1, price = 1 WHERE id = 1");
	expect(&f, "SELECT * FROM v", "");
	command(&f, "UPDATE p SET hidden = false WHERE id = 1");
	expect(&f, "SELECT * FROM v", "1|5");
	command(&f, "UPDATE p SET stock = 0 WHERE id = 1; DELETE FROM p WHERE id = 1");
	expect(&f, "SELECT * FROM v", "");
	close_fixture(&f);
}

static void test_unused_columns(void **state)
{
	(void)state;
	for (unsigned p = 1; p <= 3; p++)
		unused_columns(p);
}

/* --- sums --- */

static void test_float_sums(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, 2);
	run(&f,
		"CREATE TABLE t (id int PRIMARY KEY, d double precision);"
		"CREATE MATERIALIZED VIEW v AS SELECT sum(d) AS s, count(d) AS n FROM t;"
		"INSERT INTO t VALUES (1, 0.1), (2, '1e300'), (3, '-1e300'), (4, 0.2), (5, 'NaN')");
	expect(&f, "SELECT * FROM v", "NaN|5");
	command(&f, "DELETE FROM t WHERE id = 5");
	expect(&f, "SELECT * FROM v", "0.30000000000000004|4");
	command(&f, "UPDATE t SET d = 'Infinity' WHERE id = 2");
	expect(&f, "SELECT * FROM v", "Infinity|4");
	command(&f, "DELETE FROM t");
	expect(&f, "SELECT * FROM v", "|0");
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_group_rows),
		cmocka_unit_test(test_passing_errors),
		cmocka_unit_test(test_lasting_errors),
		cmocka_unit_test(test_key_twice),
		cmocka_unit_test(test_scales),
		cmocka_unit_test(test_unused_columns),
		cmocka_unit_test(test_float_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
