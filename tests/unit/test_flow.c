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

/* --- views that are made of operators: outer joins, subqueries, windows --- */

struct view {
	const char *name, *text, *order;
};

static void view_read(struct fixture *f, const char *name, const char *order, char *text)
{
	char query[TEXT_MAX];

	text[0] = '\0';
	(void)snprintf(query, sizeof(query), "SELECT * FROM %s ORDER BY %s", name, order);
	if (lf_run(f->port, query, strlen(query), NULL, add_row, text, &f->error) != 0)
		fail_msg("%s: %s %s", query, error_sqlstate(f->error.code), f->error.message);
}

static void view_make(struct fixture *f, const char *name, const char *text)
{
	char statement[TEXT_MAX];

	(void)snprintf(
		statement, sizeof(statement), "CREATE MATERIALIZED VIEW %s AS %s", name, text);
	run(f, statement);
}

static void views_make(struct fixture *f, const struct view *views, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		view_make(f, views[i].name, views[i].text);
}

/* Each is what it would be if it were made now, of the rows that are there. */
static void views_anew(struct fixture *f, const struct view *views, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char kept[TEXT_MAX], anew[TEXT_MAX];

		view_make(f, "anew", views[i].text);
		view_read(f, views[i].name, views[i].order, kept);
		view_read(f, "anew", views[i].order, anew);
		assert_string_equal(kept, anew);
		run(f, "DROP MATERIALIZED VIEW anew");
	}
}

static void for_projectors(void (*test)(unsigned projectors))
{
	test(1);
	test(3);
}

static const char PAIRS[] = "CREATE TABLE l (id int, no int, k int, PRIMARY KEY (id, no));"
			    "CREATE TABLE r (id int, no int, k int, v int, PRIMARY KEY (id, no));"
			    "INSERT INTO l VALUES (1, 1, 7), (1, 2, NULL), (2, 3, 8);";

static const struct view JOINS[] = {
	{ "left_rows", "SELECT l.no AS l, r.no AS r, r.v FROM l LEFT JOIN r ON r.k = l.k", "1, 2" },
	{ "full_rows", "SELECT l.no AS l, r.no AS r FROM l FULL JOIN r ON r.k = l.k", "1, 2" },
	{ "left_tested", "SELECT l.no AS l, r.no AS r FROM l LEFT JOIN r ON r.k = l.k AND r.v > 5",
		"1, 2" },
	{ "left_less", "SELECT l.no AS l, r.no AS r FROM l LEFT JOIN r ON r.v < l.k", "1, 2" },
	{ "left_counts",
		"SELECT l.no, count(r.no) AS n, sum(r.v) AS s FROM l LEFT JOIN r ON r.k = l.k GROUP BY l.no",
		"1" },
};
enum { NJOINS = sizeof(JOINS) / sizeof(JOINS[0]) };

/* The rows of each, in the order of JOINS. */
static void joins_expect(struct fixture *f, const char *const rows[NJOINS])
{
	for (unsigned i = 0; i < NJOINS; i++) {
		char text[TEXT_MAX];

		view_read(f, JOINS[i].name, JOINS[i].order, text);
		assert_string_equal(text, rows[i]);
	}
	views_anew(f, JOINS, NJOINS);
}

static const char *const NONE_MATCHED[NJOINS] = { "1||\n2||\n3||", "1|\n2|\n3|", "1|\n2|\n3|",
	"1|\n2|\n3|", "1|0|\n2|0|\n3|0|" };

/* What is matched and is not again, within one command and from one to the next. */
static void outer_joins(unsigned projectors)
{
	struct fixture f;

	open_fixture(&f, projectors);
	run(&f, PAIRS);
	views_make(&f, JOINS, NJOINS);
	joins_expect(&f, NONE_MATCHED);
	command(&f, "INSERT INTO r VALUES (1, 1, 7, 6); DELETE FROM r WHERE id = 1 AND no = 1");
	joins_expect(&f, NONE_MATCHED);
	command(&f, "INSERT INTO r VALUES (1, 1, 7, 6)");
	joins_expect(&f,
		(const char *const[]){ "1|1|6\n2||\n3||", "1|1\n2|\n3|", "1|1\n2|\n3|",
			"1|1\n2|\n3|1", "1|1|6\n2|0|\n3|0|" });
	command(&f, "DELETE FROM r WHERE id = 1; INSERT INTO r VALUES (1, 1, 7, 6)");
	command(&f,
		"UPDATE l SET k = NULL WHERE id = 1 AND no = 1; UPDATE l SET k = 7 WHERE id = 1 AND no = 1;"
		"UPDATE r SET v = 5 WHERE id = 1 AND no = 1");
	/* Matched by two: the first that goes leaves it matched. */
	command(&f, "INSERT INTO r VALUES (2, 2, 7, 9), (2, 3, NULL, 9)");
	joins_expect(&f,
		(const char *const[]){ "1|1|5\n1|2|9\n2||\n3||", "1|1\n1|2\n2|\n3|\n|3",
			"1|2\n2|\n3|", "1|1\n2|\n3|1", "1|2|14\n2|0|\n3|0|" });
	command(&f, "UPDATE r SET k = 8 WHERE id = 2 AND no = 2");
	joins_expect(&f,
		(const char *const[]){ "1|1|5\n2||\n3|2|9", "1|1\n2|\n3|2\n|3", "1|\n2|\n3|2",
			"1|1\n2|\n3|1", "1|1|5\n2|0|\n3|1|9" });
	command(&f, "DELETE FROM l WHERE id = 1");
	joins_expect(&f, (const char *const[]){ "3|2|9", "3|2\n|1\n|3", "3|2", "3|1", "3|1|9" });
	command(&f, "DELETE FROM r");
	run(&f, "INSERT INTO l VALUES (1, 1, 7), (1, 2, NULL)");
	joins_expect(&f, NONE_MATCHED);
	close_fixture(&f);
}

static void test_outer_joins(void **state)
{
	(void)state;
	for_projectors(outer_joins);
}

static const struct view TESTS[] = {
	{ "exist", "SELECT no FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k)", "1" },
	{ "lack", "SELECT no FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE r.k = l.k)", "1" },
	{ "within", "SELECT no FROM l WHERE k IN (SELECT k FROM r)", "1" },
	{ "without", "SELECT no FROM l WHERE k NOT IN (SELECT k FROM r)", "1" },
	{ "above", "SELECT no, k > (SELECT min(v) FROM r) AS above FROM l", "1" },
};
enum { NTESTS = sizeof(TESTS) / sizeof(TESTS[0]) };

static void tests_expect(struct fixture *f, const char *const rows[NTESTS])
{
	for (unsigned i = 0; i < NTESTS; i++) {
		char text[TEXT_MAX];

		view_read(f, TESTS[i].name, TESTS[i].order, text);
		assert_string_equal(text, rows[i]);
	}
	views_anew(f, TESTS, NTESTS);
}

/* NULL is in nothing and not in nothing; one NULL in the list, and nobody is known not to be in it. */
static void subqueries(unsigned projectors)
{
	struct fixture f;

	open_fixture(&f, projectors);
	run(&f, PAIRS);
	views_make(&f, TESTS, NTESTS);
	tests_expect(&f, (const char *const[]){ "", "1\n2\n3", "", "1\n2\n3", "1|\n2|\n3|" });
	command(&f, "INSERT INTO r VALUES (1, 1, 7, 7), (1, 2, 7, NULL)");
	tests_expect(&f, (const char *const[]){ "1", "2\n3", "1", "3", "1|f\n2|\n3|t" });
	command(&f, "INSERT INTO r VALUES (2, 1, NULL, 6)");
	tests_expect(&f, (const char *const[]){ "1", "2\n3", "1", "", "1|t\n2|\n3|t" });
	command(&f, "UPDATE r SET k = 8 WHERE id = 2; UPDATE r SET k = NULL WHERE id = 2");
	command(&f, "DELETE FROM r WHERE id = 1 AND no = 1");
	tests_expect(&f, (const char *const[]){ "1", "2\n3", "1", "", "1|t\n2|\n3|t" });
	command(&f, "UPDATE r SET k = 8 WHERE id = 2");
	tests_expect(&f, (const char *const[]){ "1\n3", "2", "1\n3", "", "1|t\n2|\n3|t" });
	command(&f, "DELETE FROM r WHERE id = 1");
	command(&f, "DELETE FROM r WHERE id = 2");
	tests_expect(&f, (const char *const[]){ "", "1\n2\n3", "", "1\n2\n3", "1|\n2|\n3|" });
	close_fixture(&f);
}

static void test_subqueries(void **state)
{
	(void)state;
	for_projectors(subqueries);
}

static const struct view WINDOWS[] = {
	{ "ranked",
		"SELECT no, g, rank() OVER (PARTITION BY g ORDER BY v DESC) AS r,"
		" sum(v) OVER (PARTITION BY g ORDER BY no) AS s FROM t",
		"1" },
	{ "best", "SELECT no, v FROM t ORDER BY v DESC NULLS LAST, no LIMIT 2",
		"2 DESC NULLS LAST, 1" },
	{ "ties", "SELECT no, v FROM t ORDER BY v DESC NULLS LAST FETCH FIRST 2 ROWS WITH TIES",
		"2 DESC NULLS LAST, 1" },
	{ "first", "SELECT DISTINCT ON (g) g, no, v FROM t ORDER BY g, v, no", "1" },
};
enum { NWINDOWS = sizeof(WINDOWS) / sizeof(WINDOWS[0]) };

static void windows_expect(struct fixture *f, const char *const rows[NWINDOWS])
{
	for (unsigned i = 0; i < NWINDOWS; i++) {
		char text[TEXT_MAX];

		view_read(f, WINDOWS[i].name, WINDOWS[i].order, text);
		assert_string_equal(text, rows[i]);
	}
	views_anew(f, WINDOWS, NWINDOWS);
}

static void windows(unsigned projectors)
{
	struct fixture f;

	open_fixture(&f, projectors);
	run(&f, "CREATE TABLE t (id int, no int, g int, v int, PRIMARY KEY (id, no))");
	views_make(&f, WINDOWS, NWINDOWS);
	windows_expect(&f, (const char *const[]){ "", "", "", "" });
	run(&f, "INSERT INTO t VALUES (1, 1, 1, 10), (1, 2, 1, 20), (2, 3, 2, 20), (3, 4, NULL, 20)");
	windows_expect(&f,
		(const char *const[]){ "1|1|2|10\n2|1|1|30\n3|2|1|20\n4||1|20", "2|20\n3|20",
			"2|20\n3|20\n4|20", "1|1|10\n2|3|20\n|4|20" });
	/* One more that is better than all: what was a tie of the last is one no more, or is still. */
	command(&f, "INSERT INTO t VALUES (1, 5, 1, 30)");
	windows_expect(&f,
		(const char *const[]){ "1|1|3|10\n2|1|2|30\n3|2|1|20\n4||1|20\n5|1|1|60",
			"5|30\n2|20", "5|30\n2|20\n3|20\n4|20", "1|1|10\n2|3|20\n|4|20" });
	command(&f, "INSERT INTO t VALUES (2, 6, 2, 30)");
	windows_expect(&f,
		(const char *const[]){ "1|1|3|10\n2|1|2|30\n3|2|2|20\n4||1|20\n5|1|1|60\n6|2|1|50",
			"5|30\n6|30", "5|30\n6|30", "1|1|10\n2|3|20\n|4|20" });
	/* A partition is emptied, and both within one command. */
	command(&f, "DELETE FROM t WHERE id = 2");
	command(&f, "DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1, 5, 1, NULL)");
	windows_expect(&f,
		(const char *const[]){ "4||1|20\n5|1|1|", "4|20\n5|", "4|20\n5|", "1|5|\n|4|20" });
	command(&f, "INSERT INTO t VALUES (1, 1, 3, 10); DELETE FROM t WHERE id = 1 AND no = 1");
	command(&f, "DELETE FROM t");
	windows_expect(&f, (const char *const[]){ "", "", "", "" });
	close_fixture(&f);
}

static void test_windows(void **state)
{
	(void)state;
	for_projectors(windows);
}

/* --- views over views --- */

static const char FLOORS[] =
	"CREATE TABLE t (id int, no int, g int, n int, c int, PRIMARY KEY (id, no));"
	"CREATE MATERIALIZED VIEW keyed AS SELECT g, count(*) AS c, sum(n) AS s FROM t GROUP BY g;"
	"CREATE UNIQUE INDEX keyed_key ON keyed (g);"
	/* Without a key: its rows are counted. */
	"CREATE MATERIALIZED VIEW counted AS SELECT g, n FROM t;"
	"CREATE MATERIALIZED VIEW on_keyed AS SELECT s, count(*) AS c FROM keyed GROUP BY s;"
	"CREATE MATERIALIZED VIEW on_counted AS SELECT n, count(*) AS c FROM counted GROUP BY n;"
	"CREATE MATERIALIZED VIEW on_both AS SELECT k.g, k.s, c.n FROM keyed k LEFT JOIN counted c ON c.n = k.s;"
	"CREATE MATERIALIZED VIEW on_top AS SELECT max(c) AS c FROM on_keyed;"
	"CREATE INDEX on_keyed_c ON on_keyed (c);"
	"CREATE INDEX on_both_n ON on_both (n);";

static void floors_expect(struct fixture *f, const char *on_keyed, const char *on_counted,
	const char *on_both, const char *on_top)
{
	expect(f, "SELECT * FROM on_keyed ORDER BY s", on_keyed);
	expect(f, "SELECT * FROM on_counted ORDER BY n", on_counted);
	expect(f, "SELECT * FROM on_both ORDER BY g, n", on_both);
	expect(f, "SELECT * FROM on_top", on_top);
}

static void floors(unsigned projectors)
{
	struct fixture f;

	open_fixture(&f, projectors);
	run(&f, FLOORS);
	floors_expect(&f, "", "", "", "");
	run(&f, "INSERT INTO t VALUES (1, 1, 1, 5, 1), (1, 2, 2, 2, 1), (2, 3, 2, 3, 1), (3, 4, 3, 2, 1)");
	floors_expect(&f, "2|1\n5|2", "2|2\n3|1\n5|1", "1|5|5\n2|5|5\n3|2|2\n3|2|2", "2");
	expect(&f, "SELECT s FROM on_keyed WHERE c = 2", "5");
	expect(&f, "SELECT g FROM on_both WHERE n = 5 ORDER BY g", "1\n2");
	command(&f, "UPDATE t SET n = 9 WHERE id = 1 AND no = 1; UPDATE t SET g = 1 WHERE id = 1");
	floors_expect(&f, "2|1\n3|1\n11|1", "2|2\n3|1\n9|1", "1|11|\n2|3|3\n3|2|2\n3|2|2", "1");
	expect(&f, "SELECT s FROM on_keyed WHERE c = 2", "");
	expect(&f, "SELECT g FROM on_both WHERE n = 3", "2");
	command(&f, "DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1, 1, 4, 3, 1)");
	floors_expect(&f, "2|1\n3|2", "2|1\n3|2", "2|3|3\n2|3|3\n3|2|2\n4|3|3\n4|3|3", "2");
	/* What comes later has the rows that are there. */
	run(&f,
		"DROP MATERIALIZED VIEW on_top;"
		"CREATE MATERIALIZED VIEW on_top AS SELECT max(c) AS c FROM on_keyed");
	expect(&f, "SELECT * FROM on_top", "2");
	command(&f, "DELETE FROM t WHERE id = 3");
	command(&f, "DELETE FROM t WHERE id = 1");
	floors_expect(&f, "3|1", "3|1", "2|3|3", "1");
	close_fixture(&f);
}

static void test_floors(void **state)
{
	(void)state;
	for_projectors(floors);
}

/* A view that fails takes those above it along, and no other. */
static void failing_floors(unsigned projectors)
{
	static const char *const FAILED[] = { "low", "middle", "high" };
	struct fixture f;

	open_fixture(&f, projectors);
	run(&f, FLOORS);
	run(&f,
		"CREATE MATERIALIZED VIEW low AS SELECT no, g, n / c AS q FROM t;"
		"CREATE MATERIALIZED VIEW middle AS SELECT g, sum(q) AS q FROM low GROUP BY g;"
		"CREATE MATERIALIZED VIEW high AS SELECT m.g, m.q FROM middle m LEFT JOIN keyed k ON k.s = m.q;"
		"INSERT INTO t VALUES (1, 1, 1, 6, 2), (2, 1, 1, 4, 2)");
	expect(&f, "SELECT * FROM high", "1|5");
	command(&f, "UPDATE t SET c = 0 WHERE id = 1; UPDATE t SET c = 1 WHERE id = 1");
	expect(&f, "SELECT * FROM high", "1|8");
	command(&f, "UPDATE t SET c = 0 WHERE id = 1");
	for (unsigned i = 0; i < sizeof(FAILED) / sizeof(FAILED[0]); i++) {
		char query[TEXT_MAX];

		(void)snprintf(query, sizeof(query), "SELECT * FROM %s", FAILED[i]);
		expect_error(&f, query, ERR_VIEW_FAILED);
	}
	expect(&f, "SELECT * FROM on_keyed", "10|1");
	/* Failed is failed, until it is made anew. */
	command(&f, "UPDATE t SET c = 3 WHERE id = 1");
	expect_error(&f, "SELECT * FROM high", ERR_VIEW_FAILED);
	run(&f,
		"DROP MATERIALIZED VIEW high; DROP MATERIALIZED VIEW middle; DROP MATERIALIZED VIEW low;"
		"CREATE MATERIALIZED VIEW low AS SELECT no, g, n / c AS q FROM t;"
		"CREATE MATERIALIZED VIEW high AS SELECT sum(q) AS q FROM low");
	expect(&f, "SELECT * FROM high", "4");
	close_fixture(&f);
}

static void test_failing_floors(void **state)
{
	(void)state;
	for_projectors(failing_floors);
}

/* What others read stays as it is, until they are gone. */
static void test_dependents(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, 2);
	run(&f, FLOORS);
	run(&f, "INSERT INTO t VALUES (1, 1, 1, 5, 1)");
	expect_error(&f, "DROP TABLE t", ERR_DEPENDENT);
	expect_error(&f, "DROP MATERIALIZED VIEW keyed", ERR_DEPENDENT);
	expect_error(&f, "DROP MATERIALIZED VIEW counted", ERR_DEPENDENT);
	expect_error(&f, "DROP MATERIALIZED VIEW on_keyed", ERR_DEPENDENT);
	expect_error(&f, "CREATE UNIQUE INDEX counted_key ON counted (g)", ERR_FEATURE);
	floors_expect(&f, "5|1", "5|1", "1|5|5", "1");
	run(&f, "DROP MATERIALIZED VIEW on_top; DROP MATERIALIZED VIEW on_keyed");
	expect_error(&f, "DROP MATERIALIZED VIEW keyed", ERR_DEPENDENT);
	run(&f,
		"DROP MATERIALIZED VIEW on_both; DROP MATERIALIZED VIEW keyed;"
		"DROP MATERIALIZED VIEW on_counted; CREATE UNIQUE INDEX counted_key ON counted (g)");
	expect(&f, "SELECT n FROM counted WHERE g = 1", "5");
	run(&f, "DROP MATERIALIZED VIEW counted; DROP TABLE t");
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
		cmocka_unit_test(test_outer_joins),
		cmocka_unit_test(test_subqueries),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_floors),
		cmocka_unit_test(test_failing_floors),
		cmocka_unit_test(test_dependents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
