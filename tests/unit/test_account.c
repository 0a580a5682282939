/*
 * What views and tables hold and do is counted: the sums are the heap's, and the system views tell them.
 */
#include "tests/unit/engine_fixture.h"

#include "core/base/hash.h"
#include "core/engine_internal.h"

static const char SCHEMA[] =
	"CREATE TABLE customer (id int PRIMARY KEY, name text);"
	"CREATE TABLE orders (id int PRIMARY KEY, customer_id int, day int, total numeric(10,2));"
	"CREATE INDEX orders_day ON orders (day); CREATE INDEX orders_hash ON orders USING hash (customer_id);"
	"CREATE MATERIALIZED VIEW by_customer AS SELECT c.id, c.name, count(*) AS n, sum(o.total) AS total,"
	" max(o.day) AS last FROM customer c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id, c.name;"
	"CREATE UNIQUE INDEX ON by_customer (id);"
	"CREATE MATERIALIZED VIEW days AS SELECT day, count(*) AS n FROM orders WHERE total > 5 GROUP BY day;"
	"CREATE MATERIALIZED VIEW top AS SELECT id, total FROM orders ORDER BY total DESC LIMIT 5;"
	"CREATE MATERIALIZED VIEW busy AS SELECT d.day, t.total FROM days d JOIN orders t ON t.day = d.day;"
	"CREATE INDEX busy_total ON busy (total)";

/* Bytes of a shard's heap that no table or view has. */
static uint64_t unaccounted(struct fixture *f, unsigned shard)
{
	struct lf_engine *engine = f->engine;
	struct heap *h = projector_heap(engine->set.projectors[shard]);
	uint64_t held = 0;

	for (unsigned i = 0; i < catalog_count(engine->catalog); i++) {
		const struct parts *parts = catalog_at(engine->catalog, i)->user;

		held += part_bytes(parts->part[shard]) + parts->part[shard]->operators;
	}
	return heap_used(h) - *retire_held_place(projector_retire(engine->set.projectors[shard])) -
		held;
}

static void change(struct fixture *f, uint64_t *random)
{
	char text[256];
	unsigned n = (unsigned)(*random = hash_u64(*random)) % 1000;

	switch (*random >> 32 & 7) {
	case 0:
		(void)snprintf(text, sizeof(text),
			"INSERT INTO customer VALUES (%u, 'c%u') ON CONFLICT (id) DO UPDATE SET name = 'changed to something longer'",
			n % 50, n);
		break;
	case 1: (void)snprintf(text, sizeof(text), "DELETE FROM orders WHERE id = %u", n); break;
	case 2:
		(void)snprintf(text, sizeof(text), "DELETE FROM customer WHERE id = %u", n % 50);
		break;
	default:
		(void)snprintf(text, sizeof(text),
			"INSERT INTO orders VALUES (%u, %u, %u, %u.50) ON CONFLICT (id) DO UPDATE SET total = excluded.total, day = excluded.day",
			n, n % 50, n % 30, n % 100);
		break;
	}
	command(f, text);
}

/* Besides tables and views a shard has what it began with and, a view, a few hundred bytes of fixed size: whatever is added
 * and taken away, the rest does not grow with it. */
static void every_byte(unsigned projectors)
{
	uint64_t before[3], random = 7;
	struct fixture f;

	open_fixture(&f, projectors);
	run(&f, SCHEMA);
	lf_settle(f.engine);
	for (unsigned s = 0; s < projectors; s++)
		before[s] = unaccounted(&f, s);
	for (unsigned i = 0; i < 3000; i++)
		change(&f, &random);
	lf_settle(f.engine);
	for (unsigned s = 0; s < projectors; s++)
		assert_true(unaccounted(&f, s) - before[s] + 32768 < 2 * 32768);
	run(&f, "DROP INDEX orders_day; DELETE FROM orders; DELETE FROM customer");
	lf_settle(f.engine);
	for (unsigned s = 0; s < projectors; s++)
		assert_true(unaccounted(&f, s) - before[s] + 32768 < 2 * 32768);
	close_fixture(&f);
}

static void test_every_byte(void **state)
{
	(void)state;
	every_byte(1);
	every_byte(3);
}

static void views_told(unsigned projectors)
{
	struct fixture f;

	open_fixture(&f, projectors);
	run(&f,
		"CREATE TABLE t (id int PRIMARY KEY, k int, n int);"
		"CREATE TABLE u (k int PRIMARY KEY, name text);"
		"CREATE MATERIALIZED VIEW v AS SELECT t.k, u.name, sum(n) AS s FROM t JOIN u ON u.k = t.k"
		" WHERE n > 0 GROUP BY t.k, u.name;"
		"CREATE UNIQUE INDEX v_key ON v (k, name);"
		"CREATE MATERIALIZED VIEW bad AS SELECT id, 1 / (n + 1) AS q FROM t;"
		"INSERT INTO u VALUES (1, 'a'), (2, 'b'); "
		"INSERT INTO t VALUES (1, 1, 5), (2, 1, 6), (3, 2, 7), (4, 2, 0);");
	expect(&f, "SELECT name, rows, bytes > 4096, indexes FROM leftfold_tables ORDER BY name",
		"t|4|t|1\nu|2|t|1");
	expect(&f,
		"SELECT name, state, sqlstate, reason, rows, bytes > 8192, memory_limit FROM leftfold_views ORDER BY 1 DESC",
		"v|ok|||2|t|\nbad|ok|||4|t|");
	expect(&f,
		"SELECT kind, sum(rows_in), sum(rows_out), bool_and(bytes > 0), bool_and(time_us >= 0) FROM leftfold_operators WHERE view = 'v' GROUP BY kind ORDER BY kind",
		"group|3|2|t|t\njoin|5|3|t|t\npublish|2|2|t|t\nscan|6|5|f|");
	/* A change of what the view does not read comes to the scan and no further. */
	run(&f, "UPDATE t SET n = -1 WHERE id = 4; UPDATE t SET n = 9 WHERE id = 1");
	expect(&f,
		"SELECT o.kind, o.rows_in, o.rows_out FROM leftfold_operators o JOIN leftfold_views w ON w.name = o.view"
		" WHERE w.name = 'v' AND kind IN ('group', 'publish') ORDER BY 1",
		"group|5|4\npublish|4|3");
	expect(&f,
		"SELECT state, sqlstate, reason, (SELECT sum(bytes) = 0 FROM leftfold_operators WHERE view = 'bad' AND kind <> 'publish') FROM leftfold_views WHERE name = 'bad'",
		"failed|22012|division by zero|t");
	expect(&f, "SELECT count(*), sum(commands) >= 4, sum(bytes) > 0 FROM leftfold_shards",
		projectors == 1 ? "1|t|t" : "3|t|t");
	expect(&f,
		"SELECT w.bytes = sum(o.bytes) FROM leftfold_views w JOIN leftfold_operators o ON o.view = w.name WHERE w.name = 'v' GROUP BY w.bytes",
		"t");
	close_fixture(&f);
}

static void test_views_told(void **state)
{
	(void)state;
	views_told(1);
	views_told(3);
}

/* As PostgreSQL refuses it for its own system views. */
static void test_read_only(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, 1);
	expect_error(&f, "INSERT INTO leftfold_views VALUES ('a')", ERR_OBJECT_STATE);
	assert_string_equal(f.error.message, "cannot insert into view \"leftfold_views\"");
	expect_error(&f, "UPDATE leftfold_views SET name = 'x'", ERR_OBJECT_STATE);
	expect_error(&f, "DELETE FROM leftfold_operators", ERR_OBJECT_STATE);
	expect_error(&f, "TRUNCATE leftfold_tables", ERR_WRONG_OBJECT);
	expect_error(&f, "CREATE INDEX ON leftfold_tables (name)", ERR_WRONG_OBJECT);
	expect_error(&f, "DROP TABLE leftfold_tables", ERR_WRONG_OBJECT);
	expect_error(&f, "DROP MATERIALIZED VIEW leftfold_views", ERR_WRONG_OBJECT);
	expect_error(&f, "CREATE TABLE leftfold_views (id int PRIMARY KEY)", ERR_DUPLICATE_TABLE);
	expect_error(&f, "CREATE TABLE a (id int PRIMARY KEY REFERENCES leftfold_views)",
		ERR_WRONG_OBJECT);
	expect_error(&f, "CREATE MATERIALIZED VIEW v AS SELECT count(*) FROM leftfold_shards",
		ERR_FEATURE);
	assert_int_equal(f.error.position, 52);
	assert_string_not_equal(f.error.hint, "");
	expect(&f, "SELECT count(*) FROM leftfold_views", "0");
	run(&f, "CREATE TABLE a (shard int PRIMARY KEY, n bigint); INSERT INTO a SELECT shard, refused FROM leftfold_shards");
	expect(&f, "SELECT * FROM a", "0|0");
	close_fixture(&f);
}

/* --- the budget --- */

static const char LIMITED[] =
	"CREATE TABLE t (id int PRIMARY KEY, k int, note text);"
	"CREATE MATERIALIZED VIEW small WITH (memory_limit = '256kB', fillfactor = 70) AS SELECT id, note FROM t;"
	"CREATE UNIQUE INDEX ON small (id); CREATE INDEX ON small (note);"
	"CREATE MATERIALIZED VIEW over AS SELECT count(*) AS n FROM small;"
	"CREATE MATERIALIZED VIEW other AS SELECT k, count(*) AS n FROM t GROUP BY k;";

static void insert_rows(struct fixture *f, unsigned from, unsigned n)
{
	for (unsigned i = from; i < from + n; i++) {
		char text[128];

		(void)snprintf(text, sizeof(text), "INSERT INTO t VALUES (%u, %u, 'note %u')", i,
			i % 10, i);
		command(f, text);
	}
}

/* A view over its limit fails and holds next to nothing then; all else goes on; REFRESH makes it anew. */
static void limit_met(unsigned projectors)
{
	struct fixture f;

	open_fixture(&f, projectors);
	run(&f, LIMITED);
	insert_rows(&f, 0, 5000);
	lf_settle(f.engine);
	expect(&f,
		"SELECT name, state, sqlstate, rows, memory_limit FROM leftfold_views ORDER BY name DESC",
		"small|failed|53200|0|262144\nover|failed|LF004|0|\nother|ok||10|");
	expect(&f, "SELECT reason FROM leftfold_views WHERE name = 'small'",
		"view \"small\" needs more than its memory_limit of 256kB");
	expect(&f, "SELECT max(bytes) < 65536 FROM leftfold_views WHERE state = 'failed'", "t");
	expect_error(&f, "SELECT * FROM small", ERR_VIEW_FAILED);
	assert_non_null(strstr(f.error.message, "memory_limit of 256kB"));
	assert_non_null(strstr(f.error.detail, "53200"));
	assert_non_null(strstr(f.error.hint, "REFRESH"));
	expect_error(&f, "SELECT * FROM over", ERR_VIEW_FAILED);
	expect(&f, "SELECT n FROM other WHERE k = 3", "500");
	/* It still does not fit, and that is told, also at CREATE. */
	expect_error(&f, "REFRESH MATERIALIZED VIEW small", ERR_OUT_OF_MEMORY);
	expect_error(&f, "REFRESH MATERIALIZED VIEW over", ERR_VIEW_FAILED);
	expect_error(&f,
		"CREATE MATERIALIZED VIEW again WITH (memory_limit = '256 kB') AS SELECT id, note FROM t",
		ERR_OUT_OF_MEMORY);
	expect_error(&f, "SELECT * FROM small", ERR_VIEW_FAILED);
	run(&f, "ALTER MATERIALIZED VIEW small SET (memory_limit = '64MB'); REFRESH MATERIALIZED VIEW small");
	expect(&f, "SELECT count(*), min(note) FROM small", "5000|note 0");
	run(&f, "REFRESH MATERIALIZED VIEW over; REFRESH MATERIALIZED VIEW other");
	insert_rows(&f, 5000, 100);
	expect(&f, "SELECT n FROM over", "5100");
	expect(&f, "SELECT note FROM small WHERE id = 5050", "note 5050");
	expect(&f, "SELECT id FROM small WHERE note = 'note 7'", "7");
	/* A limit that is lowered holds at once. */
	run(&f, "ALTER MATERIALIZED VIEW other SET (memory_limit = 1000)");
	lf_settle(f.engine);
	expect(&f, "SELECT name, state FROM leftfold_views WHERE memory_limit = 1000",
		"other|failed");
	run(&f, "ALTER MATERIALIZED VIEW other RESET (memory_limit, nix); REFRESH MATERIALIZED VIEW other");
	expect(&f, "SELECT n FROM other WHERE k = 3", "510");
	run(&f, "DROP MATERIALIZED VIEW over; DROP MATERIALIZED VIEW small; DROP MATERIALIZED VIEW other");
	lf_settle(f.engine);
	close_fixture(&f);
}

static void test_limit_met(void **state)
{
	(void)state;
	limit_met(1);
	limit_met(3);
}

/* A reader who was in the view before it failed may stay in it: nothing is freed under his hands. */
static int count_row(void *arg, const void *row, uint32_t size)
{
	unsigned *n = arg;

	(void)row;
	(void)size;
	return ++*n == 0;
}

static void test_reader_stays(void **state)
{
	struct lf_port *other;
	struct statement *s;
	struct fixture f, g;
	uint64_t params[2] = { 16, 0 };
	unsigned n = 0;

	(void)state;
	open_fixture(&f, 1);
	run(&f, LIMITED);
	insert_rows(&f, 0, 100);
	assert_int_equal(lf_port_open(&other, f.engine, NULL, NULL, &f.error), 0);
	g = f;
	g.port = other;
	s = prepare(&f, "SELECT * FROM small");
	row_encode(&s->param_layout, NULL, params);
	assert_int_equal(lf_read_begin(f.port, 0, NULL, &f.error), 0);
	assert_int_equal(lf_query(f.port, s, params, count_row, &n, &f.error), 0);
	assert_int_equal(n, 100);
	run(&g, "ALTER MATERIALIZED VIEW small SET (memory_limit = '1kB')");
	lf_settle(f.engine);
	expect(&g, "SELECT rows FROM leftfold_views WHERE name = 'small'", "100");
	lf_read_end(f.port);
	lf_settle(f.engine);
	expect(&g, "SELECT rows FROM leftfold_views WHERE name = 'small'", "0");
	lf_release(f.engine, s);
	lf_port_close(other);
	close_fixture(&f);
}

/* A view that fails for another reason is made anew in the same way. */
static void test_refresh(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, 2);
	run(&f,
		"CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 1);"
		"CREATE MATERIALIZED VIEW v AS SELECT id, 10 / n AS q FROM t;"
		"REFRESH MATERIALIZED VIEW v; INSERT INTO t VALUES (2, 0)");
	expect_error(&f, "SELECT * FROM v", ERR_VIEW_FAILED);
	expect_error(&f, "REFRESH MATERIALIZED VIEW v", ERR_DIVISION_BY_ZERO);
	expect_error(&f, "SELECT * FROM v", ERR_VIEW_FAILED);
	run(&f, "UPDATE t SET n = 5 WHERE id = 2; REFRESH MATERIALIZED VIEW CONCURRENTLY v");
	expect(&f, "SELECT * FROM v ORDER BY id", "1|10\n2|2");
	close_fixture(&f);
}

static void parameter_error(
	struct fixture *f, const char *parameters, enum error_code code, const char *message)
{
	char text[256];

	(void)snprintf(text, sizeof(text),
		"CREATE MATERIALIZED VIEW x WITH (%s) AS SELECT id FROM t", parameters);
	expect_error(f, text, code);
	assert_string_equal(f->error.message, message);
}

static void test_parameters(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, 1);
	run(&f, LIMITED);
	parameter_error(&f, "memory_limit = '1GX'", ERR_INVALID_PARAMETER,
		"invalid value for parameter \"memory_limit\": \"1GX\"");
	parameter_error(&f, "memory_limit = '1gb'", ERR_INVALID_PARAMETER,
		"invalid value for parameter \"memory_limit\": \"1gb\"");
	parameter_error(&f, "memory_limit", ERR_INVALID_PARAMETER,
		"invalid value for parameter \"memory_limit\": \"true\"");
	parameter_error(&f, "memory_limit = 0", ERR_INVALID_PARAMETER,
		"value 0 out of bounds for option \"memory_limit\"");
	parameter_error(&f, "memory_limit = '-2kB'", ERR_INVALID_PARAMETER,
		"value -2kB out of bounds for option \"memory_limit\"");
	parameter_error(
		&f, "memory = 1", ERR_INVALID_PARAMETER, "unrecognized parameter \"memory\"");
	parameter_error(&f, "memory_limit = 1, memory_limit = 2", ERR_INVALID_PARAMETER,
		"parameter \"memory_limit\" specified more than once");
	expect_error(&f, "ALTER MATERIALIZED VIEW small RESET (memory_limit = 1)", ERR_SYNTAX);
	expect_error(&f, "ALTER MATERIALIZED VIEW nix SET (memory_limit = 1)", ERR_UNDEFINED_TABLE);
	expect_error(&f, "ALTER MATERIALIZED VIEW t SET (memory_limit = 1)", ERR_WRONG_OBJECT);
	expect_error(&f, "ALTER MATERIALIZED VIEW leftfold_views SET (memory_limit = 1)",
		ERR_WRONG_OBJECT);
	expect_error(&f, "REFRESH MATERIALIZED VIEW t", ERR_FEATURE);
	expect_error(&f, "REFRESH MATERIALIZED VIEW nix", ERR_UNDEFINED_TABLE);
	expect_error(&f, "REFRESH MATERIALIZED VIEW small WITH NO DATA", ERR_FEATURE);
	run(&f, "ALTER MATERIALIZED VIEW IF EXISTS nix SET (memory_limit = 1)");
	run(&f, "ALTER MATERIALIZED VIEW small SET (memory_limit = '1.5GB'), SET (fillfactor = 90)");
	expect(&f, "SELECT memory_limit FROM leftfold_views WHERE name = 'small'", "1610612736");
	close_fixture(&f);
}

/* --- EXPLAIN ANALYZE --- */

/* Numbers that differ from run to run become #. */
static void blur(char *text)
{
	static const char *const BEFORE[] = { "time=", "Time: ", "bytes=", "rows, " };
	char *to = text;

	for (char *p = text; *p != '\0';) {
		bool number = false;

		for (unsigned i = 0; i < sizeof(BEFORE) / sizeof(BEFORE[0]); i++) {
			size_t n = strlen(BEFORE[i]);

			number |= (size_t)(to - text) >= n && memcmp(to - n, BEFORE[i], n) == 0;
		}
		if (number && strspn(p, "0123456789.") > 0) {
			p += strspn(p, "0123456789.");
			*to++ = '#';
		} else {
			*to++ = *p++;
		}
	}
	*to = '\0';
}

static void explains(struct fixture *f, const char *query, const char *lines)
{
	char text[4 * TEXT_MAX] = "";

	if (lf_run(f->port, query, strlen(query), NULL, add_row, text, &f->error) != 0)
		fail_msg("%s: %s %s", query, error_sqlstate(f->error.code), f->error.message);
	blur(text);
	assert_string_equal(text, lines);
}

static const char EXPLAINED[] =
	"CREATE TABLE t (id int PRIMARY KEY, k int, note text); CREATE TABLE u (k int PRIMARY KEY, name text);"
	"CREATE INDEX t_k ON t (k);"
	"INSERT INTO t VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c'), (4, 2, NULL), (5, 3, 'e');"
	"INSERT INTO u VALUES (1, 'one'), (2, 'two');"
	"CREATE MATERIALIZED VIEW \"v'x\" WITH (memory_limit = '1GB') AS SELECT u.name, count(*) AS n FROM t"
	" JOIN u ON u.k = t.k WHERE id > 1 GROUP BY u.name;";

static void test_explain_query(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, 2);
	run(&f, EXPLAINED);
	explains(&f, "EXPLAIN ANALYZE SELECT * FROM t WHERE id = 3",
		"Index Scan using t_pkey on t (actual time=# rows=1 loops=1)\n  Index Cond: (id = 3)\n"
		"  Shards: one\nExecution Time: # ms");
	explains(&f,
		"EXPLAIN ANALYZE SELECT * FROM t WHERE k >= 1 AND note > 'a' ORDER BY k DESC LIMIT 2",
		"Index Scan Backward using t_k on t (actual time=# rows=2 loops=1)\n  Index Cond: (k >= 1)\n"
		"  Shards: all, merged\n  Filter: 1 condition\n  Rows Removed by Filter: 1\n  Order: by the index\n"
		"  Limit (actual rows=2)\nExecution Time: # ms");
	explains(&f,
		"EXPLAIN (ANALYZE) SELECT k, count(*) FROM t WHERE id > 1 GROUP BY k HAVING count(*) > 1 ORDER BY 1",
		"Seq Scan on t (actual time=# rows=4 loops=1)\n  Shards: all\n  Filter: 1 condition\n"
		"  Rows Removed by Filter: 1\n  Group Key: 1 column (actual rows=1)\n"
		"  Sort Key: 1 column (actual rows=1)\nExecution Time: # ms");
	explains(&f, "EXPLAIN ANALYZE SELECT t.id FROM t JOIN u USING (k) ORDER BY 1 LIMIT 3",
		"Computed once, from all rows of (actual time=# rows=4 loops=1)\n  Join of 2, 1 condition\n"
		"    Scan of t\n    Scan of u\n  Sort Key: 1 column (actual rows=4)\n  Limit (actual rows=3)\n"
		"  Operator 0: scan t → 2 (rows in=5 out=5, bytes=#)\n"
		"  Operator 1: scan u → 2 (rows in=2 out=2, bytes=#)\n"
		"  Operator 2: join on 1 key → 3 (rows in=7 out=4, time=# ms, bytes=#)\n"
		"  Operator 3: project → 4 (rows in=4 out=4, bytes=#)\nExecution Time: # ms");
	explains(&f, "EXPLAIN ANALYZE SELECT name FROM leftfold_tables",
		"Seq Scan on leftfold_tables (actual time=# rows=2 loops=1)\nExecution Time: # ms");
	explains(&f, "EXPLAIN ANALYZE SELECT 1 WHERE false",
		"Result (actual time=# rows=0 loops=1)\n  Filter: 1 condition\n  Rows Removed by Filter: 1\n"
		"Execution Time: # ms");
	explains(&f, "EXPLAIN (ANALYZE off) SELECT 1", "Result");
	expect_error(&f, "EXPLAIN ANALYZE SELECT 1 / (k - 1) FROM t", ERR_DIVISION_BY_ZERO);
	assert_int_equal(f.error.position, 26);
	expect_error(&f, "EXPLAIN (ANALYZE, COSTS OFF) SELECT 1", ERR_FEATURE);
	expect_error(&f, "EXPLAIN ANALYZE DELETE FROM t", ERR_FEATURE);
	expect_error(&f, "EXPLAIN ANALYZE SELECT nix FROM t", ERR_UNDEFINED_COLUMN);
	close_fixture(&f);
}

static void test_explain_view(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, 1);
	run(&f, EXPLAINED);
	explains(&f, "EXPLAIN REFRESH MATERIALIZED VIEW \"v'x\"",
		"Materialized view v'x: 2 rows, # bytes of 1073741824\n  Operator 0, stage 0: scan t, filtered → 2\n"
		"  Operator 1, stage 0: scan u → 2\n  Operator 2, stage 0: join on 1 key → 3\n"
		"  Operator 3, stage 0: group by 1 key, 1 aggregate → 4\n  Operator 4, stage 0: publish v'x");
	run(&f, "INSERT INTO t VALUES (6, 2, 'f')");
	explains(&f, "EXPLAIN ANALYZE REFRESH MATERIALIZED VIEW \"v'x\"",
		"Materialized view v'x: 2 rows, # bytes of 1073741824\n"
		"  Operator 0, stage 0: scan t, filtered → 2 (rows in=6 out=5, bytes=#)\n"
		"  Operator 1, stage 0: scan u → 2 (rows in=2 out=2, bytes=#)\n"
		"  Operator 2, stage 0: join on 1 key → 3 (rows in=7 out=4, time=# ms, bytes=#)\n"
		"  Operator 3, stage 0: group by 1 key, 1 aggregate → 4 (rows in=4 out=4, time=# ms, bytes=#)\n"
		"  Operator 4, stage 0: publish v'x (rows in=4 out=4, time=# ms, bytes=#)");
	run(&f, "CREATE MATERIALIZED VIEW bad AS SELECT 1 / (k - 9) AS q FROM t; UPDATE t SET k = 9 WHERE id = 1");
	expect(&f, "EXPLAIN REFRESH MATERIALIZED VIEW bad",
		"Materialized view bad: failed, 22012: division by zero\n  Operator 0, stage 0: scan t → 1\n"
		"  Operator 1, stage 0: project → 2\n  Operator 2, stage 0: publish bad");
	expect_error(&f, "EXPLAIN REFRESH MATERIALIZED VIEW t", ERR_FEATURE);
	expect_error(&f, "EXPLAIN ANALYZE REFRESH MATERIALIZED VIEW nix", ERR_UNDEFINED_TABLE);
	expect_error(
		&f, "EXPLAIN ANALYZE CREATE MATERIALIZED VIEW w AS SELECT 1 AS a", ERR_FEATURE);
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_views_told),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_limit_met),
		cmocka_unit_test(test_reader_stays),
		cmocka_unit_test(test_refresh),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_explain_query),
		cmocka_unit_test(test_explain_view),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
