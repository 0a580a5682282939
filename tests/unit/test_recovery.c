/*
 * What comes back when an engine opens a directory that another one had: rows, schema, ids, epochs; from journals and
 * checkpoints, with other numbers of shards, after damage.
 */
#include <stdlib.h>

#include "tests/unit/data_fixture.h"

static const char SCHEMA[] =
	"CREATE TABLE person (id int PRIMARY KEY, name text NOT NULL);"
	"CREATE TABLE visit (person int REFERENCES person, day date, n int DEFAULT 1, PRIMARY KEY (person, day));"
	"CREATE TABLE note (a int, b text);"
	"CREATE INDEX ON note USING hash (a);"
	"CREATE INDEX note_order ON note (a DESC NULLS LAST, b);"
	"CREATE MATERIALIZED VIEW per_person AS SELECT p.name, count(*) AS days, sum(v.n) AS n FROM visit v"
	" JOIN person p ON p.id = v.person GROUP BY p.name;"
	"CREATE UNIQUE INDEX ON per_person (name);"
	"CREATE MATERIALIZED VIEW per_a AS SELECT a, count(*) AS n FROM note GROUP BY a;";

static void fill(struct bed *b)
{
	run(&b->f, SCHEMA);
	run(&b->f,
		"INSERT INTO person VALUES (1, 'ann'), (2, 'bob'), (3, 'eve');"
		"INSERT INTO visit VALUES (1, '2024-01-01', 2), (1, '2024-01-02', 3), (2, '2024-01-01', 5);"
		"INSERT INTO note VALUES (1, 'x'), (1, 'x'), (2, 'y');"
		"UPDATE visit SET n = n + 10 WHERE person = 2 AND day = '2024-01-01';"
		"DELETE FROM person WHERE id = 3;"
		"DELETE FROM note WHERE a = 2;");
}

static void check(struct bed *b)
{
	expect(&b->f, "SELECT * FROM per_person ORDER BY name", "ann|2|5\nbob|1|15");
	expect(&b->f, "SELECT * FROM per_a", "1|2");
	expect(&b->f, "SELECT * FROM note WHERE a = 1", "1|x\n1|x");
	expect(&b->f, "SELECT a, b FROM note WHERE a < 9 ORDER BY a DESC NULLS LAST", "1|x\n1|x");
	expect(&b->f, "EXPLAIN SELECT a, b FROM note WHERE a < 9 ORDER BY a DESC NULLS LAST",
		"Index Scan using note_order on note\n  Index Cond: (a < 9)\n"
		"  Shards: all, merged\n  Order: by the index");
	expect(&b->f, "SELECT name FROM person ORDER BY id", "ann\nbob");
}

static void test_journal(void **state)
{
	struct bed b;

	(void)state;
	make_bed(&b, 2);
	fill(&b);
	check(&b);
	for (unsigned projectors = 4; projectors >= 1; projectors--) {
		uint64_t before = lf_visible(b.f.engine);

		again(&b, projectors);
		check(&b);
		assert_true(lf_visible(b.f.engine) > before);
	}
	/* What is refused because of rows that came back. */
	expect_error(&b.f, "INSERT INTO person VALUES (1, 'x')", ERR_UNIQUE);
	expect_error(&b.f, "INSERT INTO visit VALUES (9, '2024-01-01', 1)", ERR_FOREIGN_KEY);
	close_fixture(&b.f);
	burn_bed(&b);
}

/* Rows without a key move with the number of shards; deleting them must still find them, run after run. */
static void test_rows_without_key(void **state)
{
	struct bed b;

	(void)state;
	make_bed(&b, 3);
	run(&b.f,
		"CREATE TABLE t (a int); CREATE MATERIALIZED VIEW v AS SELECT a, count(*) AS n FROM t GROUP BY a;");
	for (unsigned i = 0; i < 40; i++) {
		char sql[128];

		snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (%u), (%u)", i % 5, 7u);
		command(&b.f, sql);
		if (i % 4 == 1)
			command(&b.f, "DELETE FROM t WHERE a = 2");
		if (i % 3 == 0)
			again(&b, 1 + i % 4);
		if (i == 20)
			assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
	}
	again(&b, 3);
	expect(&b.f, "SELECT * FROM v ORDER BY a", "0|8\n1|8\n3|8\n4|8\n7|40");
	close_fixture(&b.f);
	burn_bed(&b);
}

static void test_schema(void **state)
{
	struct bed b;

	(void)state;
	make_bed(&b, 2);
	fill(&b);
	run(&b.f,
		"DROP MATERIALIZED VIEW per_a; DROP TABLE note; CREATE TABLE note (c text PRIMARY KEY);"
		"INSERT INTO note VALUES ('new');"
		"CREATE MATERIALIZED VIEW copies AS SELECT c, length(c) AS n FROM note;");
	expect_error(&b.f, "CREATE TABLE note (d int)", ERR_DUPLICATE_TABLE);
	again(&b, 3);
	expect(&b.f, "SELECT * FROM copies", "new|3");
	expect_error(&b.f, "SELECT * FROM per_a", ERR_UNDEFINED_TABLE);
	/* A schema file: what is there as declared is passed over. */
	{
		static const char SAME[] =
			"create  TABLE person (id int PRIMARY KEY, -- the same\n name text NOT NULL);"
			"INSERT INTO person VALUES (77, 'not again');"
			"CREATE TABLE more (id int PRIMARY KEY);";
		static const char OTHER[] = "CREATE TABLE person (id int PRIMARY KEY, name text)";
		static const char DROP[] = "DROP TABLE more";

		if (lf_run_schema(b.f.port, SAME, strlen(SAME), &b.f.error) != 0)
			fail_msg("%s", b.f.error.message);
		expect(&b.f, "SELECT count(*) FROM person", "2");
		expect(&b.f, "SELECT count(*) FROM more", "0");
		assert_int_equal(lf_run_schema(b.f.port, OTHER, strlen(OTHER), &b.f.error), -1);
		assert_string_equal(error_sqlstate(b.f.error.code), "42P07");
		assert_int_equal(lf_run_schema(b.f.port, DROP, strlen(DROP), &b.f.error), -1);
		assert_string_equal(error_sqlstate(b.f.error.code), "55000");
	}
	close_fixture(&b.f);
	burn_bed(&b);
}

static void test_checkpoints(void **state)
{
	struct bed b;

	(void)state;
	make_bed(&b, 2);
	fill(&b);
	assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
	check(&b);
	again(&b, 3);
	check(&b);
	run(&b.f, "INSERT INTO person VALUES (4, 'kim'); INSERT INTO note VALUES (5, 'z');");
	assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
	run(&b.f, "DELETE FROM person WHERE id = 4; DELETE FROM note WHERE a = 5;");
	again(&b, 2);
	check(&b);
	/* The newest is damaged: the one before and the journal since. */
	(void)files(&b, "00000002-00000-00000001.checkpoint", damage);
	again(&b, 1);
	check(&b);
	assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
	assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
	/* Two are kept, and no journal of an earlier run. */
	assert_int_equal(files(&b, "00000001.checkpoint", NULL), 4);
	again(&b, 4);
	check(&b);
	/* All that is left: checkpoints alone are a backup. */
	close_fixture(&b.f);
	(void)files(&b, ".journal", remove_file);
	(void)files(&b, ".checkpoint", damage);
	assert_int_equal(try_open(&b, 2), -1);
	assert_string_equal(error_sqlstate(b.f.error.code), "58030");
	(void)files(&b, ".checkpoint", damage); /* and back */
	open_bed(&b, 2);
	check(&b);
	run(&b.f, "INSERT INTO note VALUES (1, 'x')");
	again(&b, 2);
	expect(&b.f, "SELECT * FROM per_a", "1|3");
	/* None is whole: refused, since the journal does not begin at the beginning. */
	close_fixture(&b.f);
	(void)files(&b, ".checkpoint", damage);
	assert_int_equal(try_open(&b, 2), -1);
	assert_string_equal(error_sqlstate(b.f.error.code), "58030");
	burn_bed(&b);
}

/* Segments are far smaller than what is written, and rows are larger than segments. */
static void test_many_segments(void **state)
{
	struct bed b;
	char *sql = malloc(400000);

	(void)state;
	make_bed(&b, 2);
	run(&b.f, "CREATE TABLE t (id int PRIMARY KEY, s text)");
	for (unsigned i = 0; i < 30; i++) {
		size_t n = (size_t)snprintf(sql, 100, "INSERT INTO t VALUES (%u, '", i);

		memset(sql + n, 'a' + (int)(i % 26), 10000 * i);
		strcpy(sql + n + (size_t)10000 * i, "')");
		command(&b.f, sql);
	}
	assert_true(files(&b, ".journal", NULL) > 20);
	again(&b, 3);
	expect(&b.f, "SELECT count(*), sum(length(s)) FROM t", "30|4350000");
	assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
	again(&b, 1);
	expect(&b.f, "SELECT count(*), sum(length(s)) FROM t", "30|4350000");
	close_fixture(&b.f);
	burn_bed(&b);
	free(sql);
}

/* The very first start was killed before it had written anything. */
static void test_first_start_killed(void **state)
{
	static char zeros[LIMIT_SEGMENT_BYTES_MIN];
	struct bed b;
	char path[256];
	int fd;

	(void)state;
	make_bed(&b, 2);
	close_fixture(&b.f);
	(void)files(&b, ".journal", remove_file);
	snprintf(path, sizeof(path), "%s/00000001-65535-00000001.journal", b.path);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, zeros, sizeof(zeros)), sizeof(zeros));
	close(fd);
	open_bed(&b, 2);
	fill(&b);
	for (unsigned i = 0; i < 2; i++) {
		again(&b, 2);
		check(&b);
	}
	close_fixture(&b.f);
	burn_bed(&b);
}

static void test_refusals(void **state)
{
	struct lf_options o = lf_options_default();
	struct lf_engine *other;
	struct error e;
	char made[128];
	struct bed b;
	int fd;

	(void)state;
	make_bed(&b, 1);
	fill(&b);
	o.data = b.path;
	assert_int_equal(lf_engine_open(&other, &o, &e), -1);
	assert_string_equal(error_sqlstate(e.code), "55000");
	o.segment_bytes = 1000;
	assert_int_equal(lf_engine_open(&other, &o, &e), -1);
	assert_string_equal(error_sqlstate(e.code), "22023");
	close_fixture(&b.f);
	(void)files(&b, "00000001-00000-00000001.journal", damage);
	/* As if it had been killed while it made a segment. */
	(void)snprintf(made, sizeof(made), "%s/00000001-00000-00000009.journal.new", b.path);
	fd = open(made, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(try_open(&b, 1), -1);
	assert_int_equal(files(&b, ".journal.new", NULL), 1);
	assert_string_equal(error_sqlstate(b.f.error.code), "58030");
	assert_non_null(strstr(b.f.error.message, "00000001-00000-00000001.journal"));
	(void)files(&b, "00000001-00000-00000001.journal", damage); /* and back */
	open_bed(&b, 1);
	assert_int_equal(files(&b, ".journal.new", NULL), 0);
	check(&b);
	close_fixture(&b.f);
	burn_bed(&b);
}

/* What ALTER has said of a view stays said: from the journal, and from a checkpoint. */
static void test_altered_view(void **state)
{
	static const char LIMITS[] = "SELECT name, memory_limit FROM leftfold_views ORDER BY name";
	static const char EXPECTED[] = "Per\"A|1048576\nper_a|\nper_b|1073741824";
	struct bed b;

	(void)state;
	make_bed(&b, 2);
	run(&b.f,
		"CREATE TABLE note (a int, b text); INSERT INTO note VALUES (1, 'x'), (1, 'y');"
		"CREATE MATERIALIZED VIEW per_a WITH (memory_limit = '1MB') AS SELECT a, count(*) AS n FROM note GROUP BY a;"
		"CREATE MATERIALIZED VIEW per_b WITH (memory_limit = '1GB') AS SELECT b, count(*) AS n FROM note GROUP BY b;"
		"CREATE MATERIALIZED VIEW \"Per\"\"A\" AS SELECT a FROM note; CREATE UNIQUE INDEX ON per_a (a);"
		"ALTER MATERIALIZED VIEW per_a RENAME TO was_a; ALTER MATERIALIZED VIEW was_a SET (memory_limit = '2MB');"
		"ALTER MATERIALIZED VIEW was_a RENAME TO per_a;"
		"ALTER MATERIALIZED VIEW per_a RESET (memory_limit); REFRESH MATERIALIZED VIEW per_a;"
		"ALTER MATERIALIZED VIEW \"Per\"\"A\" SET (memory_limit = '1MB')");
	for (unsigned i = 0; i < 4; i++) {
		expect(&b.f, LIMITS, EXPECTED);
		expect(&b.f, "SELECT * FROM per_a", "1|2");
		if (i == 1)
			run(&b.f, "CHECKPOINT");
		again(&b, 1 + i);
	}
	/* One that is not wide enough any more when it is computed again. */
	run(&b.f, "ALTER MATERIALIZED VIEW per_b SET (memory_limit = '1kB')");
	for (unsigned i = 0; i < 2; i++) {
		expect(&b.f, "SELECT name, sqlstate FROM leftfold_views WHERE state = 'failed'",
			"per_b|53200");
		again(&b, 2);
	}
	run(&b.f,
		"ALTER MATERIALIZED VIEW per_b RESET (memory_limit); REFRESH MATERIALIZED VIEW per_b");
	expect(&b.f, "SELECT * FROM per_b ORDER BY b", "x|1\ny|1");
	close_fixture(&b.f);
	burn_bed(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_journal),
		cmocka_unit_test(test_rows_without_key),
		cmocka_unit_test(test_schema),
		cmocka_unit_test(test_checkpoints),
		cmocka_unit_test(test_many_segments),
		cmocka_unit_test(test_first_start_killed),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_altered_view),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
