/*
 * Schema changes under statements that were prepared before them, and under a reader with an older pin.
 */
#include "tests/unit/readers_beside.h"

static const char SCHEMA[] =
	"CREATE TABLE t (id int PRIMARY KEY, k int, n int, note text);"
	"CREATE MATERIALIZED VIEW v AS SELECT id, k, n, note FROM t;"
	"CREATE UNIQUE INDEX v_key ON v (id);"
	"CREATE INDEX v_k ON v (k);"
	"CREATE INDEX t_n ON t (n);"
	"INSERT INTO t VALUES (1, 10, 7, 'a'), (2, 20, 7, 'b'), (3, 10, 8, 'c');";

/* With one integer parameter, or none; the port holds a pin or gets one. */
static int query(struct fixture *f, const struct statement *s, int64_t param, struct sink *sink)
{
	struct value v = { .i = param, .type = s->nparams > 0 ? s->params[0].id : TYPE_INT4 };
	uint64_t row[8] = { 0 };

	*sink = (struct sink){ .s = s };
	row_encode(&s->param_layout, &v, row);
	return lf_query(f->port, s, row, on_row, sink, &f->error);
}

static void gives(struct fixture *f, const struct statement *s, int64_t param, const char *rows)
{
	struct sink sink;

	assert_int_equal(lf_read_begin(f->port, 0, NULL, &f->error), 0);
	if (query(f, s, param, &sink) != 0)
		fail_msg("%s: %s %s", s->text, error_sqlstate(f->error.code), f->error.message);
	assert_string_equal(sink.text, rows);
	lf_read_end(f->port);
}

static void prepared_before(unsigned projectors)
{
	static const char *const CHANGES[] = { "", "DROP INDEX v_key",
		"CREATE UNIQUE INDEX v_key ON v (n, id)", "DROP INDEX v_k", "DROP INDEX t_n",
		"CREATE INDEX v_n ON v (n)", "DROP INDEX v_key",
		"CREATE UNIQUE INDEX v_key ON v (note)", "CREATE INDEX t_k ON t (k)",
		"DROP INDEX v_key", "CREATE UNIQUE INDEX v_key ON v (id)" };
	static const char *const TEXTS[] = { "SELECT * FROM v WHERE id = $1",
		"SELECT id, note FROM v WHERE id = $1 AND k > 5",
		"SELECT id FROM v WHERE id IN ($1, 99)",
		"SELECT id FROM v WHERE k = $1 ORDER BY id",
		"SELECT id FROM t WHERE n = $1 ORDER BY id",
		"SELECT count(*) FROM v WHERE k = $1 AND n < 8" };
	static const char *const ROWS[] = { "1|10|7|a", "1|a", "1", "1\n3", "1\n2", "1" };
	static const int PARAMS[] = { 1, 1, 1, 10, 7, 10 };
	enum { N = sizeof(TEXTS) / sizeof(TEXTS[0]) };
	struct statement *s[N];
	struct fixture f;

	open_fixture(&f, projectors);
	run(&f, SCHEMA);
	for (unsigned i = 0; i < N; i++)
		s[i] = prepare(&f, TEXTS[i]);
	for (unsigned c = 0; c < sizeof(CHANGES) / sizeof(CHANGES[0]); c++) {
		run(&f, CHANGES[c]);
		for (unsigned i = 0; i < N; i++)
			gives(&f, s[i], PARAMS[i], ROWS[i]);
	}
	for (unsigned i = 0; i < N; i++)
		lf_release(f.engine, s[i]);
	close_fixture(&f);
}

static void test_prepared_before(void **state)
{
	(void)state;
	prepared_before(1);
	prepared_before(3);
}

/* A reader that has pinned an epoch sees it also through what was made later. */
static void pinned_before(unsigned projectors)
{
	struct lf_port *other;
	struct statement *s;
	struct fixture f, g;
	struct sink sink;

	open_fixture(&f, projectors);
	run(&f, SCHEMA);
	assert_int_equal(lf_port_open(&other, f.engine, NULL, NULL, &f.error), 0);
	g = f;
	g.port = other;
	assert_int_equal(lf_read_begin(f.port, 0, NULL, &f.error), 0);
	command(&g, "UPDATE t SET k = 30, n = 9 WHERE id = 1");
	run(&g, "CREATE INDEX t_k ON t (k); CREATE INDEX v_n ON v (n); DROP INDEX v_key");
	command(&g, "UPDATE t SET k = 40 WHERE id = 1");
	run(&g, "CREATE UNIQUE INDEX v_key ON v (note)");
	run(&g, "CREATE MATERIALIZED VIEW w AS SELECT id FROM t");
	command(&g, "DELETE FROM t WHERE id = 2");
	s = prepare(&f, "SELECT id FROM t WHERE k = 10 ORDER BY id");
	assert_int_equal(query(&f, s, 0, &sink), 0);
	assert_string_equal(sink.text, "1\n3");
	lf_release(f.engine, s);
	s = prepare(&f, "SELECT id FROM v WHERE n = 7 ORDER BY id");
	assert_int_equal(query(&f, s, 0, &sink), 0);
	assert_string_equal(sink.text, "1\n2");
	lf_release(f.engine, s);
	s = prepare(&f, "SELECT * FROM v WHERE note = 'b'");
	assert_int_equal(query(&f, s, 0, &sink), 0);
	assert_string_equal(sink.text, "2|20|7|b");
	lf_release(f.engine, s);
	/* The view did not exist. */
	s = prepare(&f, "SELECT id FROM w");
	assert_int_equal(query(&f, s, 0, &sink), -1);
	assert_string_equal(error_sqlstate(f.error.code), "LF001");
	lf_release(f.engine, s);
	lf_read_end(f.port);
	expect(&f, "SELECT id FROM w ORDER BY id", "1\n3");
	expect(&f, "SELECT * FROM v ORDER BY id", "1|40|9|a\n3|10|8|c");
	lf_port_close(other);
	close_fixture(&f);
}

static void test_pinned_before(void **state)
{
	(void)state;
	pinned_before(1);
	pinned_before(3);
}

/* --- readers on other threads --- */

enum { CHANGES = 60 };

/* The same rows by key, by index and by scan, whatever the schema is just now. */
static void test_readers_beside(void **state)
{
	static const char *const ASKED[] = { "SELECT * FROM v WHERE id = 2",
		"SELECT * FROM v WHERE k = 10", "SELECT id FROM v",
		"SELECT note FROM t WHERE n = 7" };
	static const unsigned ROWS[] = { 1, 2, 3, 2 };
	static const char *const TEXTS[] = { "DROP INDEX v_key", "CREATE INDEX v_n ON v (n)",
		"CREATE UNIQUE INDEX v_key ON v (note)", "DROP INDEX v_n", "DROP INDEX v_k",
		"DROP INDEX t_n",
		"CREATE MATERIALIZED VIEW w AS SELECT n, count(*) AS c FROM t GROUP BY n",
		"CREATE INDEX v_k ON v (k)", "CREATE INDEX t_n ON t (n)",
		"DROP MATERIALIZED VIEW w", "DROP INDEX v_key",
		"CREATE UNIQUE INDEX v_key ON v (id)" };
	struct lf_options o = lf_options_default();
	struct beside b = { .texts = ASKED, .rows = ROWS, .n = sizeof(ROWS) / sizeof(ROWS[0]) };
	pthread_t threads[READERS];
	struct fixture f;

	(void)state;
	o.projectors = 2;
	assert_int_equal(lf_engine_open(&f.engine, &o, &f.error), 0);
	assert_int_equal(lf_port_open(&f.port, f.engine, NULL, NULL, &f.error), 0);
	run(&f, SCHEMA);
	b.engine = f.engine;
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, &b), 0);
	for (unsigned i = 0; i < CHANGES; i++)
		run(&f, TEXTS[i % (sizeof(TEXTS) / sizeof(TEXTS[0]))]);
	while (atomic_load(&b.rounds) < 100)
		usleep(1000);
	atomic_store(&b.stop, true);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&b.wrong), 0);
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prepared_before),
		cmocka_unit_test(test_pinned_before),
		cmocka_unit_test(test_readers_beside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
