/*
 * test_replace.c: CREATE OR REPLACE MATERIALIZED VIEW: what is kept of the former view, what is refused, prepared statements,
 * and what comes back after the engine's end. test_build.c has the same beside commands.
 */
#include "tests/unit/data_fixture.h"

static const char SCHEMA[] =
	"CREATE TABLE t (id int PRIMARY KEY, g int, v int, note text);"
	"INSERT INTO t VALUES (1, 1, 10, 'a'), (2, 1, 20, 'b'), (3, 2, 30, 'c')";
static const char INDEXES[] = "SELECT name, rows, state FROM leftfold_views ORDER BY name";

static void test_contents(void **state)
{
	struct fixture f;
	struct statement *s;

	(void)state;
	open_fixture(&f, 1);
	run(&f, SCHEMA);
	/* As CREATE, when there is none. */
	run(&f, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT g, sum(v) AS s FROM t GROUP BY g");
	expect(&f, "SELECT g, s FROM v ORDER BY g", "1|30\n2|30");
	s = prepare(&f, "SELECT g FROM v ORDER BY g");
	run(&f, "CREATE OR REPLACE MATERIALIZED VIEW v (g, top) AS SELECT g, max(note) FROM t GROUP BY g");
	expect(&f, "SELECT * FROM v ORDER BY g", "1|b\n2|c");
	run(&f, "INSERT INTO t VALUES (4, 3, 5, 'z'); DELETE FROM t WHERE id = 2");
	expect(&f, "SELECT * FROM v ORDER BY g", "1|a\n2|c\n3|z");
	expect(&f, INDEXES, "v|3|ok");
	/* The same text as before is the same view again. */
	run(&f, "CREATE OR REPLACE MATERIALIZED VIEW v (g, top) AS SELECT g, max(note) FROM t GROUP BY g");
	expect(&f, "SELECT * FROM v ORDER BY g", "1|a\n2|c\n3|z");
	lf_release(f.engine, s);
	run(&f, "DROP MATERIALIZED VIEW v; DROP TABLE t");
	close_fixture(&f);
}

static int count_rows(void *arg, const void *row, uint32_t size)
{
	(void)size;
	(void)row;
	++*(unsigned *)arg;
	return 0;
}

/* Statements of before are prepared again, unless they would give something else; a reader whose epoch is of before goes on in
 * the former view. */
static void test_prepared(void **state)
{
	struct fixture f;
	struct lf_port *reader;
	struct statement *same, *other;
	uint64_t none[2] = { 0 }, epoch;
	unsigned n = 0;

	(void)state;
	open_fixture(&f, 2);
	assert_int_equal(lf_port_open(&reader, f.engine, NULL, NULL, &f.error), 0);
	run(&f, SCHEMA);
	run(&f, "CREATE MATERIALIZED VIEW v AS SELECT id, g FROM t WHERE v > 10; CREATE UNIQUE INDEX ON v (id)");
	same = prepare(&f, "SELECT g FROM v WHERE id = 1");
	other = prepare(&f, "SELECT * FROM v");
	row_encode(&same->param_layout, NULL, none);
	assert_int_equal(lf_read_begin(reader, 0, &epoch, &f.error), 0);
	run(&f, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT id, note, g FROM t");
	assert_int_equal(lf_query(reader, same, none, count_rows, &n, &f.error), 0);
	assert_int_equal(n, 0);
	assert_int_equal(lf_query(reader, other, none, count_rows, &n, &f.error), 0);
	assert_int_equal(n, 2);
	lf_read_end(reader);
	assert_int_equal(lf_read_begin(reader, 0, &epoch, &f.error), 0);
	assert_int_equal(lf_query(reader, same, none, count_rows, &n, &f.error), 0);
	assert_int_equal(n, 3);
	assert_int_equal(lf_query(reader, other, none, count_rows, &n, &f.error), -1);
	assert_int_equal(f.error.code, ERR_FEATURE);
	lf_read_end(reader);
	lf_release(f.engine, same);
	lf_release(f.engine, other);
	lf_port_close(reader);
	close_fixture(&f);
}

static void test_indexes(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, 2);
	run(&f, SCHEMA);
	run(&f,
		"CREATE MATERIALIZED VIEW v AS SELECT id, g, v, note FROM t; CREATE UNIQUE INDEX ON v (id);"
		"CREATE INDEX \"by\"\"g\" ON v (g DESC, v); CREATE INDEX by_note ON v USING hash (note)");
	/* In another order, without one, and with a key as it was. */
	run(&f, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT v + 1 AS v, id, g FROM t");
	expect(&f, "SELECT v FROM v WHERE id = 2", "21");
	expect(&f, "EXPLAIN SELECT id FROM v WHERE g = 1 ORDER BY g DESC, v LIMIT 1",
		"Index Scan using by\"g on v\n  Index Cond: (g = 1)\n  Shards: all, merged\n  Order: by the index\n  Limit");
	expect_error(&f, "DROP INDEX by_note", ERR_UNDEFINED_OBJECT);
	/* Rows that the key does not allow. */
	expect_error(&f, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT g AS id, v FROM t",
		ERR_UNIQUE);
	expect(&f, "SELECT v, g FROM v WHERE id = 2", "21|1");
	/* Of another type it is another column. */
	run(&f, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT g::bigint AS id, v FROM t");
	expect(&f, "SELECT id, v FROM v ORDER BY v", "1|10\n1|20\n2|30");
	run(&f, "CREATE UNIQUE INDEX ON v (v)");
	close_fixture(&f);
}

static void refused(struct fixture *f, const char *text, enum error_code code, int position)
{
	expect_error(f, text, code);
	assert_int_equal(f->error.position, position);
	if (code == ERR_DEPENDENT)
		assert_string_equal(
			f->error.detail, "materialized view w depends on materialized view v");
	expect(f, "SELECT s FROM v WHERE g = 2", "30");
}

static void test_refusals(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, 1);
	run(&f, SCHEMA);
	run(&f,
		"CREATE MATERIALIZED VIEW v AS SELECT g, sum(v) AS s FROM t GROUP BY g; CREATE UNIQUE INDEX i ON v (g);"
		"CREATE MATERIALIZED VIEW w AS SELECT s FROM v");
	refused(&f, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1 AS a FROM t", ERR_DEPENDENT,
		37);
	run(&f, "DROP MATERIALIZED VIEW w");
	refused(&f, "CREATE OR REPLACE MATERIALIZED VIEW t AS SELECT 1 AS a FROM v",
		ERR_WRONG_OBJECT, 37);
	refused(&f, "CREATE OR REPLACE MATERIALIZED VIEW i AS SELECT 1 AS a FROM v",
		ERR_DUPLICATE_TABLE, 37);
	refused(&f, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT s AS g FROM v", ERR_FEATURE,
		37);
	refused(&f, "CREATE OR REPLACE MATERIALIZED VIEW IF NOT EXISTS v AS SELECT g FROM t",
		ERR_SYNTAX, 51);
	/* Positions are those of the text, whatever stands in it. */
	refused(&f, "CREATE OR /* é */ REPLACE MATERIALIZED VIEW v AS SELECT x FROM t",
		ERR_UNDEFINED_COLUMN, 57);
	refused(&f, "CREATE OR /* é */ REPLACE MATERIALIZED VIEW v AS SELECT g FRO t", ERR_SYNTAX,
		63);
	refused(&f, "CREATE OR REPLACE TABLE v (a int)", ERR_SYNTAX, 19);
	refused(&f, "CREATE OR MATERIALIZED VIEW v AS SELECT g FROM t", ERR_SYNTAX, 11);
	refused(&f, "OR REPLACE MATERIALIZED VIEW v AS SELECT g FROM t", ERR_SYNTAX, 1);
	close_fixture(&f);
}

/* From the journal and from checkpoints, with what came before and after it. */
static void test_recovered(void **state)
{
	struct bed b;

	(void)state;
	make_bed(&b, 2);
	run(&b.f, SCHEMA);
	run(&b.f,
		"CREATE MATERIALIZED VIEW \"old\"\"v\" AS SELECT id, g, v FROM t; CREATE UNIQUE INDEX ON \"old\"\"v\" (id);"
		"CREATE INDEX by_g ON \"old\"\"v\" (g DESC NULLS LAST);"
		"ALTER MATERIALIZED VIEW \"old\"\"v\" RENAME TO v; ALTER INDEX by_g RENAME TO \"by g\";"
		"CREATE TABLE later (id int PRIMARY KEY); INSERT INTO later VALUES (1), (3);"
		"CREATE MATERIALIZED VIEW w AS SELECT id + 1 AS id FROM later;"
		"CREATE OR REPLACE MATERIALIZED VIEW v WITH (memory_limit = '1MB') AS "
		"SELECT w.id, t.note, t.g FROM w LEFT JOIN t ON t.id = w.id;"
		"CREATE MATERIALIZED VIEW over AS SELECT count(*) AS n FROM v;"
		"ALTER TABLE later RENAME TO latest; ALTER TABLE t RENAME TO u;"
		"INSERT INTO latest VALUES (4)");
	for (unsigned i = 0; i < 5; i++) {
		expect(&b.f, "SELECT id, note, g FROM v ORDER BY id", "2|b|1\n4||\n5||");
		expect(&b.f, "SELECT note FROM v WHERE id = 2", "b");
		expect(&b.f, "SELECT n FROM over", "3");
		expect(&b.f, "EXPLAIN SELECT id FROM v ORDER BY g DESC NULLS LAST LIMIT 1",
			"Index Scan using by g on v\n  Shards: all, merged\n  Order: by the index\n  Limit");
		expect(&b.f, "SELECT memory_limit FROM leftfold_views WHERE name = 'v'", "1048576");
		if (i == 1 || i == 3)
			run(&b.f, "CHECKPOINT");
		again(&b, 2 + i % 2);
	}
	run(&b.f,
		"DROP MATERIALIZED VIEW over; CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT id FROM u");
	again(&b, 2);
	expect(&b.f, "SELECT id FROM v WHERE id = 3", "3");
	close_fixture(&b.f);
	burn_bed(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contents),
		cmocka_unit_test(test_prepared),
		cmocka_unit_test(test_indexes),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_recovered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
