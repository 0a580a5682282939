/*
 * ALTER TABLE: under statements prepared before it, commands on their way, readers with an older pin, on other threads,
 * and through recovery.
 */
#include "tests/unit/data_fixture.h"
#include "tests/unit/readers_beside.h"

static const char SCHEMA[] =
	"CREATE TABLE t (id int PRIMARY KEY, k int, note text CHECK (note <> 'bad'));"
	"CREATE TABLE u (a int, b text);"
	"CREATE MATERIALIZED VIEW v AS SELECT * FROM t;"
	"CREATE UNIQUE INDEX v_key ON v (id);"
	"CREATE MATERIALIZED VIEW g AS SELECT k, count(*) AS n, max(note) AS note FROM t WHERE id < 100 GROUP BY k;"
	"CREATE MATERIALIZED VIEW j AS SELECT t.id, u.b, o.id AS other FROM t JOIN u ON u.a = t.k"
	" LEFT JOIN t o ON o.k = t.id;"
	"CREATE INDEX t_k ON t (k);"
	"INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'b'), (3, 10, NULL);"
	"INSERT INTO u VALUES (10, 'ten'), (20, 'twenty');";

static int query(struct fixture *f, const struct statement *s, struct sink *sink)
{
	uint64_t none[8] = { 0 };

	*sink = (struct sink){ .s = s };
	row_encode(&s->param_layout, NULL, none);
	return lf_query(f->port, s, none, on_row, sink, &f->error);
}

static void gives(struct fixture *f, const struct statement *s, const char *rows)
{
	struct sink sink;

	assert_int_equal(lf_read_begin(f->port, 0, NULL, &f->error), 0);
	if (query(f, s, &sink) != 0)
		fail_msg("%s: %s %s", s->text, error_sqlstate(f->error.code), f->error.message);
	assert_string_equal(sink.text, rows);
	lf_read_end(f->port);
}

static void fails(
	struct fixture *f, const struct statement *s, const char *state, const char *message)
{
	struct sink sink;

	assert_int_equal(lf_read_begin(f->port, 0, NULL, &f->error), 0);
	assert_int_equal(query(f, s, &sink), -1);
	assert_string_equal(error_sqlstate(f->error.code), state);
	assert_string_equal(f->error.message, message);
	lf_read_end(f->port);
}

struct answer {
	const struct statement *s;
	unsigned n;
	struct error error;
	char text[TEXT_MAX];
};

static void on_reply(void *arg, const struct lf_reply *reply)
{
	struct answer *a = arg;

	a->n++;
	if (reply->error != NULL)
		a->error = *reply->error;
	for (unsigned i = 0; i < reply->nrows; i++)
		(void)add_row(a->text, a->s, reply->rows[i]);
}

static void submit(struct fixture *f, const struct statement *s, int64_t a, int64_t b)
{
	struct value v[2] = { { .i = a, .type = TYPE_INT4 }, { .i = b, .type = TYPE_INT4 } };
	uint64_t row[8] = { 0 };

	row_encode(&s->param_layout, v, row);
	if (lf_submit(f->port, s, row, 1, LF_VISIBLE, &f->error) != 0)
		fail_msg("%s: %s %s", s->text, error_sqlstate(f->error.code), f->error.message);
	lf_flush(f->port);
}

static struct answer answer(struct fixture *f, const struct statement *s, unsigned n)
{
	struct answer a = { .s = s };

	while (a.n < n) {
		lf_settle(f->engine);
		lf_poll(f->port, on_reply, &a);
	}
	return a;
}

static struct answer execute(struct fixture *f, const struct statement *s, int64_t a, int64_t b)
{
	submit(f, s, a, b);
	return answer(f, s, 1);
}

/* --- statements prepared before --- */

static void queries_before(unsigned projectors)
{
	static const char *const CHANGES[] = { "", "ALTER TABLE t ADD COLUMN x int",
		"ALTER TABLE t ADD COLUMN y int DEFAULT 5 NOT NULL", "ALTER TABLE t DROP COLUMN x",
		"DROP INDEX t_k", "ALTER TABLE u ADD c bigint DEFAULT 1",
		"ALTER TABLE t DROP y, ADD z text DEFAULT 'zz'" };
	static const char *const TEXTS[] = { "SELECT id, k, note FROM t WHERE id = 1",
		"SELECT id FROM t WHERE k = 10 ORDER BY id", "SELECT count(*) FROM t",
		"SELECT t.id, u.b FROM t JOIN u ON u.a = t.k ORDER BY t.id",
		"SELECT * FROM v ORDER BY id", "SELECT * FROM g ORDER BY k",
		"SELECT id, b, other FROM j ORDER BY id" };
	static const char *const ROWS[] = { "1|10|a", "1\n3", "3", "1|ten\n2|twenty\n3|ten",
		"1|10|a\n2|20|b\n3|10|", "10|2|a\n20|1|b", "1|ten|\n2|twenty|\n3|ten|" };
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
			gives(&f, s[i], ROWS[i]);
	}
	expect(&f, "SELECT * FROM t ORDER BY id", "1|10|a|zz\n2|20|b|zz\n3|10||zz");
	for (unsigned i = 0; i < N; i++)
		lf_release(f.engine, s[i]);
	close_fixture(&f);
}

static void test_queries_before(void **state)
{
	(void)state;
	queries_before(1);
	queries_before(3);
}

static void test_results_change(void **state)
{
	struct statement *all, *one, *returning;
	struct answer a;
	struct fixture f;

	(void)state;
	open_fixture(&f, 2);
	run(&f, SCHEMA);
	all = prepare(&f, "SELECT * FROM t");
	one = prepare(&f, "SELECT note FROM t WHERE id = 1");
	returning = prepare(&f, "UPDATE t SET k = $1 WHERE id = $2 RETURNING *");
	run(&f, "ALTER TABLE t ADD COLUMN x int");
	fails(&f, all, "0A000", "cached plan must not change result type");
	a = execute(&f, returning, 11, 1);
	assert_string_equal(error_sqlstate(a.error.code), "0A000");
	/* The same columns again. */
	run(&f, "ALTER TABLE t DROP COLUMN x");
	gives(&f, one, "a");
	a = execute(&f, returning, 11, 1);
	assert_string_equal(a.text, "1|11|a");
	run(&f, "DROP MATERIALIZED VIEW v; DROP MATERIALIZED VIEW g; ALTER TABLE t DROP note");
	fails(&f, one, "42703", "column \"note\" does not exist");
	run(&f, "ALTER TABLE t ADD note text DEFAULT 'n'");
	gives(&f, one, "n");
	run(&f, "DROP MATERIALIZED VIEW j; DROP TABLE t");
	fails(&f, one, "42P01", "relation \"t\" does not exist");
	lf_release(f.engine, all);
	lf_release(f.engine, one);
	lf_release(f.engine, returning);
	close_fixture(&f);
}

/* Commands that lie in the rings while the table is altered, of statements of before. */
static void commands_under_way(unsigned projectors)
{
	struct statement *insert, *update, *block, *select, *from, *alter;
	struct answer a;
	struct fixture f;

	open_fixture(&f, projectors);
	run(&f, SCHEMA);
	insert = prepare(&f, "INSERT INTO t VALUES ($1, $2), (50, 51)");
	update = prepare(&f, "UPDATE t SET k = $2 WHERE id = $1");
	block = prepare(&f,
		"UPDATE t SET k = k + 1 WHERE id = $1; UPDATE t SET note = 'blk' WHERE id = $1");
	select = prepare(&f, "INSERT INTO t SELECT id + $1, k + $2 FROM t WHERE id = 1");
	from = prepare(
		&f, "UPDATE t SET note = u.b FROM u WHERE u.a = t.k AND t.id = $1 AND 0 < $2");
	alter = prepare(&f, "ALTER TABLE t ADD COLUMN x int DEFAULT 7, ADD y text");
	submit(&f, alter, 0, 0);
	submit(&f, insert, 5, 50);
	submit(&f, update, 5, 55);
	submit(&f, block, 5, 0);
	a = answer(&f, alter, 4);
	assert_int_equal(a.error.code, ERR_OK);
	expect(&f, "SELECT * FROM t ORDER BY id",
		"1|10|a|7|\n2|20|b|7|\n3|10||7|\n5|56|blk|7|\n50|51||7|");
	expect(&f, "SELECT * FROM v ORDER BY id", "1|10|a\n2|20|b\n3|10|\n5|56|blk\n50|51|");
	assert_int_equal(execute(&f, select, 8, 9).error.code, ERR_OK);
	assert_int_equal(execute(&f, from, 9, 1).error.code, ERR_OK);
	run(&f, "ALTER TABLE t DROP COLUMN x");
	assert_int_equal(execute(&f, from, 2, 1).error.code, ERR_OK);
	expect(&f, "SELECT * FROM t WHERE id IN (2, 9) ORDER BY id", "2|20|twenty|\n9|19||");
	lf_release(f.engine, insert);
	lf_release(f.engine, update);
	lf_release(f.engine, block);
	lf_release(f.engine, select);
	lf_release(f.engine, from);
	lf_release(f.engine, alter);
	close_fixture(&f);
}

static void test_commands_under_way(void **state)
{
	(void)state;
	commands_under_way(1);
	commands_under_way(3);
}

/* What the query of a command gave is of the schema that it was read by: the command may be tried again. */
static void test_query_under_way(void **state)
{
	struct statement *select, *alter;
	struct answer a;
	struct fixture f;

	(void)state;
	open_fixture(&f, 1);
	run(&f, SCHEMA);
	select = prepare(&f, "INSERT INTO t SELECT id + $1, k + $2 FROM t WHERE id = 1");
	run(&f, "DROP MATERIALIZED VIEW v; DROP MATERIALIZED VIEW g");
	alter = prepare(&f, "ALTER TABLE t DROP note");
	submit(&f, alter, 0, 0);
	submit(&f, select, 8, 9);
	/* The command's shard is stepped behind the schema change. */
	assert_true(lf_step(f.engine, 1));
	a = answer(&f, select, 2);
	assert_string_equal(error_sqlstate(a.error.code), "40001");
	assert_int_equal(execute(&f, select, 8, 9).error.code, ERR_OK);
	expect(&f, "SELECT * FROM t ORDER BY id", "1|10\n2|20\n3|10\n9|19");
	lf_release(f.engine, select);
	lf_release(f.engine, alter);
	close_fixture(&f);
}

/* --- readers --- */

static void pinned_before(unsigned projectors)
{
	struct statement *all, *by_index, *join;
	struct lf_port *other;
	struct fixture f, g;
	struct sink sink;

	open_fixture(&f, projectors);
	run(&f, SCHEMA);
	assert_int_equal(lf_port_open(&other, f.engine, NULL, NULL, &f.error), 0);
	g = f;
	g.port = other;
	all = prepare(&f, "SELECT * FROM t");
	by_index = prepare(&f, "SELECT * FROM t WHERE k = 20");
	join = prepare(&f, "SELECT t.*, u.b FROM t JOIN u ON u.a = t.k WHERE t.id = 2");
	assert_int_equal(lf_read_begin(f.port, 0, NULL, &f.error), 0);
	run(&g, "DROP MATERIALIZED VIEW v; DROP MATERIALIZED VIEW g; INSERT INTO t VALUES (4, 4)");
	run(&g, "ALTER TABLE t DROP COLUMN note; UPDATE t SET k = 21 WHERE id = 2");
	run(&g, "ALTER TABLE t ADD x int DEFAULT 1; UPDATE t SET k = 22 WHERE id = 2");
	run(&g, "ALTER TABLE t ADD y int DEFAULT 2; UPDATE t SET k = 23 WHERE id = 2");
	assert_int_equal(query(&f, all, &sink), 0);
	assert_int_equal(strlen(sink.text), strlen("1|10|a\n2|20|b\n3|10|"));
	assert_int_equal(query(&f, by_index, &sink), 0);
	assert_string_equal(sink.text, "2|20|b");
	assert_int_equal(query(&f, join, &sink), 0);
	assert_string_equal(sink.text, "2|20|b|twenty");
	lf_read_end(f.port);
	fails(&f, all, "0A000", "cached plan must not change result type");
	expect(&f, "SELECT * FROM t ORDER BY id", "1|10|1|2\n2|23|1|2\n3|10|1|2\n4|4|1|2");
	lf_release(f.engine, all);
	lf_release(f.engine, by_index);
	lf_release(f.engine, join);
	lf_port_close(other);
	close_fixture(&f);
}

static void test_pinned_before(void **state)
{
	(void)state;
	pinned_before(1);
	pinned_before(3);
}

static void count_reply(void *arg, const struct lf_reply *reply)
{
	unsigned *wrong = arg;

	*wrong += reply->error != NULL || reply->count != 1;
}

/* One row is written again and again, by one statement. */
static void *writer(void *arg)
{
	static const char TEXT[] = "INSERT INTO t (id, k) VALUES (1000, 1000)"
				   " ON CONFLICT (id) DO UPDATE SET k = t.k + 1";
	struct beside *b = arg;
	struct fixture f = { .engine = b->engine };
	uint64_t none[2] = { 0 };
	struct statement *s;
	unsigned wrong = 0;

	if (lf_port_open(&f.port, f.engine, NULL, NULL, &f.error) != 0 ||
		lf_prepare(&s, f.engine, TEXT, strlen(TEXT), NULL, 0, &f.error) != 0)
		abort();
	row_encode(&s->param_layout, NULL, none);
	for (unsigned n = 0; n == 0 || !atomic_load(&b->stop); n++) {
		if (lf_submit(f.port, s, none, n, LF_VISIBLE, &f.error) != 0)
			abort();
		lf_flush(f.port);
		while (!lf_port_idle(f.port))
			if (lf_poll(f.port, count_reply, &wrong) == 0)
				lf_port_wait(f.port, 1000);
	}
	atomic_fetch_add(&b->wrong, wrong);
	lf_port_close(f.port);
	lf_release(f.engine, s);
	return NULL;
}

enum { CHANGES = 60 };

static void test_threads_beside(void **state)
{
	static const char *const ASKED[] = { "SELECT id, k FROM t WHERE id = 2",
		"SELECT id FROM t WHERE k = 20", "SELECT id, k FROM t WHERE id IN (1, 2, 3)",
		"SELECT t.id FROM t JOIN u ON u.a = t.k WHERE t.id < 4",
		"SELECT * FROM v WHERE id = 1" };
	static const unsigned ROWS[] = { 1, 1, 3, 3, 1 };
	static const char *const TEXTS[] = { "ALTER TABLE t ADD x int DEFAULT 3",
		"ALTER TABLE t DROP x", "ALTER TABLE u ADD x text, ADD y text DEFAULT 'yy'",
		"ALTER TABLE u DROP x, DROP y", "ALTER TABLE w RENAME TO w2",
		"ALTER TABLE w2 RENAME TO w" };
	struct lf_options o = lf_options_default();
	struct beside b = { .texts = ASKED, .rows = ROWS, .n = sizeof(ROWS) / sizeof(ROWS[0]) };
	pthread_t threads[READERS + 1];
	struct fixture f;

	(void)state;
	o.projectors = 2;
	assert_int_equal(lf_engine_open(&f.engine, &o, &f.error), 0);
	assert_int_equal(lf_port_open(&f.port, f.engine, NULL, NULL, &f.error), 0);
	run(&f, SCHEMA);
	run(&f, "CREATE MATERIALIZED VIEW w AS SELECT a, b FROM u");
	b.engine = f.engine;
	for (unsigned i = 0; i <= READERS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, i < READERS ? reader : writer, &b), 0);
	for (unsigned i = 0; i < CHANGES; i++)
		run(&f, TEXTS[i % (sizeof(TEXTS) / sizeof(TEXTS[0]))]);
	while (atomic_load(&b.rounds) < 100)
		usleep(1000);
	atomic_store(&b.stop, true);
	for (unsigned i = 0; i <= READERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&b.wrong), 0);
	expect(&f, "SELECT count(*) FROM v", "4");
	close_fixture(&f);
}

/* --- what is refused --- */

static void refused(struct fixture *f, const char *text, const char *state, const char *hint)
{
	assert_int_equal(lf_run(f->port, text, strlen(text), NULL, NULL, NULL, &f->error), -1);
	assert_string_equal(error_sqlstate(f->error.code), state);
	assert_string_equal(f->error.hint, hint);
}

static void test_refused(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, 2);
	run(&f, SCHEMA);
	run(&f, "CREATE TABLE r (id int, n int, t int REFERENCES t, PRIMARY KEY (id, n))");
	refused(&f, "ALTER TABLE t DROP note", "2BP01", "Drop the dependent objects first.");
	refused(&f, "ALTER TABLE t DROP id", "2BP01", "Drop the dependent objects first.");
	assert_string_equal(f.error.detail, "materialized view v depends on column id of table t");
	refused(&f, "ALTER TABLE r DROP n", "0A000",
		"A row lies by its key. Make another table, and INSERT … SELECT.");
	refused(&f, "ALTER TABLE t ADD x int NOT NULL", "23502", "");
	refused(&f, "ALTER TABLE t ADD x int DEFAULT 1 CHECK (x > 1)", "23514", "");
	refused(&f, "ALTER TABLE t ADD x int DEFAULT 1 / 0", "22012", "");
	refused(&f, "ALTER TABLE t ADD k int", "42701", "");
	refused(&f, "ALTER TABLE t DROP x", "42703", "");
	refused(&f, "ALTER TABLE nothing DROP x", "42P01", "");
	refused(&f, "ALTER TABLE v ADD x int", "42809", "");
	/* Nothing of them is there. */
	command(&f, "INSERT INTO t VALUES (7, 7, '7')");
	expect(&f, "SELECT * FROM t WHERE id = 7", "7|7|7");
	run(&f, "DROP MATERIALIZED VIEW v; DROP MATERIALIZED VIEW g; DROP MATERIALIZED VIEW j");
	refused(&f, "ALTER TABLE t DROP id", "2BP01", "Drop the dependent objects first.");
	assert_string_equal(
		f.error.detail, "constraint r_t_fkey on table r depends on column id of table t");
	/* What goes with a column: index, check, reference. */
	run(&f, "ALTER TABLE t DROP note, DROP k; ALTER TABLE r DROP t; DROP TABLE t");
	run(&f, "INSERT INTO r VALUES (1, 1)");
	close_fixture(&f);
}

/* --- names --- */

static void test_renamed(void **state)
{
	struct statement *table, *view, *insert, *other;
	struct fixture f;

	(void)state;
	open_fixture(&f, 2);
	run(&f, SCHEMA);
	table = prepare(&f, "SELECT id FROM t WHERE k = 20");
	view = prepare(&f, "SELECT note FROM g WHERE k = 20");
	other = prepare(&f, "SELECT id, b FROM j WHERE id = 2");
	insert = prepare(&f, "INSERT INTO t VALUES ($1, $2, 'new')");
	run(&f, "ALTER INDEX t_k RENAME TO t_kk; ALTER INDEX v_key RENAME TO v_id");
	gives(&f, table, "2");
	run(&f, "ALTER TABLE t RENAME TO tt; ALTER MATERIALIZED VIEW g RENAME TO gg");
	fails(&f, table, "42P01", "relation \"t\" does not exist");
	fails(&f, view, "42P01", "relation \"g\" does not exist");
	assert_string_equal(error_sqlstate(execute(&f, insert, 7, 20).error.code), "42P01");
	gives(&f, other, "2|twenty");
	expect(&f, "EXPLAIN SELECT id FROM tt WHERE k = 20",
		"Index Scan using t_kk on tt\n  Index Cond: (k = 20)\n  Shards: all");
	/* Another one of that name is what they mean then. */
	run(&f, "CREATE TABLE t (id int PRIMARY KEY, k int, x text)");
	assert_int_equal(execute(&f, insert, 7, 20).error.code, ERR_OK);
	gives(&f, table, "7");
	expect(&f, "SELECT count(*) FROM tt", "3");
	command(&f, "INSERT INTO tt VALUES (9, 20, 'i')");
	expect(&f, "SELECT * FROM gg ORDER BY k", "10|2|a\n20|2|i");
	expect(&f, "SELECT id FROM v WHERE id = 9", "9");
	run(&f, "ALTER TABLE t RENAME TO t2; ALTER TABLE tt RENAME TO t; ALTER TABLE gg RENAME TO g");
	gives(&f, table, "2\n9");
	gives(&f, view, "i");
	refused(&f, "ALTER TABLE u RENAME COLUMN a TO aa", "0A000",
		"Drop the view first, and create it anew.");
	refused(&f, "ALTER TABLE u RENAME TO t", "42P07", "");
	refused(&f, "ALTER MATERIALIZED VIEW t RENAME TO x", "42809", "");
	run(&f, "ALTER TABLE t ADD x int DEFAULT 3; ALTER TABLE t RENAME x TO y");
	expect(&f, "SELECT y FROM t WHERE id = 1", "3");
	lf_release(f.engine, table);
	lf_release(f.engine, view);
	lf_release(f.engine, other);
	lf_release(f.engine, insert);
	close_fixture(&f);
}

static void shown_text(void *arg, const struct relation *r)
{
	char *out = arg;

	if (r->kind == RELATION_VIEW)
		snprintf(out + strlen(out), TEXT_MAX - strlen(out), "%s\n",
			r->shown != NULL ? r->shown : r->definition);
}

/* The texts that are shown are right, also after recovery: they can be executed. */
static void test_shown(void **state)
{
	static const char MADE[] =
		"CREATE TABLE o (id int PRIMARY KEY, n int); CREATE TABLE \"P q\" (id int PRIMARY KEY, o int);"
		"CREATE MATERIALIZED VIEW v AS SELECT o.id, x.n FROM o, public.o AS x WHERE o.id = x.n"
		" AND EXISTS (SELECT 1 FROM \"P q\" WHERE \"P q\".o = o.id);"
		"CREATE MATERIALIZED VIEW w AS WITH c AS (SELECT v.id FROM v) SELECT id /* FROM v */ FROM c;";
	static const char SHOWN[] =
		"CREATE MATERIALIZED VIEW \"v2\" AS SELECT o.id, x.n FROM \"order\" AS o, public.\"order\" AS x WHERE o.id = x.n"
		" AND EXISTS (SELECT 1 FROM \"p\" AS \"P q\" WHERE \"P q\".o = o.id);\n"
		"CREATE MATERIALIZED VIEW w AS WITH c AS (SELECT v.id FROM \"v2\" AS v) SELECT id /* FROM v */ FROM c;\n";
	char text[TEXT_MAX];
	struct bed b;

	(void)state;
	make_bed(&b, 2);
	run(&b.f, MADE);
	run(&b.f, "ALTER TABLE o RENAME TO \"order\"; ALTER TABLE \"P q\" RENAME TO p");
	run(&b.f, "ALTER MATERIALIZED VIEW v RENAME TO v2");
	run(&b.f,
		"CREATE MATERIALIZED VIEW d AS WITH p AS (SELECT 1 AS a) SELECT p.a FROM p, public.p AS x");
	expect_error(&b.f, "ALTER TABLE p RENAME TO p2", ERR_FEATURE);
	run(&b.f, "DROP MATERIALIZED VIEW d");
	for (unsigned i = 0; i < 3; i++) {
		text[0] = '\0';
		lf_catalog_each(b.f.engine, shown_text, text);
		assert_string_equal(text, SHOWN);
		if (i == 1)
			assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
		again(&b, 1 + i);
	}
	run(&b.f, "DROP MATERIALIZED VIEW w; DROP MATERIALIZED VIEW v2");
	run(&b.f, SHOWN);
	close_fixture(&b.f);
	burn_bed(&b);
}

/* --- recovery --- */

static void check_altered(struct bed *b, const char *rows)
{
	expect(&b->f, "SELECT * FROM t ORDER BY id", rows);
	expect(&b->f, "SELECT * FROM v ORDER BY id", "1|11\n2|20\n4|40\n5|50");
	expect(&b->f, "SELECT * FROM loose ORDER BY a", "1|x|\n2|x|7");
}

/* Rows journaled before, between and after, with a checkpoint in any place. */
static void recovered(unsigned checkpoint)
{
	static const char *const STEPS[] = {
		"CREATE TABLE t (id int PRIMARY KEY, k int, note text, w numeric(6,2));"
		"CREATE TABLE loose (a int); CREATE INDEX t_note ON t (note);"
		"CREATE MATERIALIZED VIEW v AS SELECT id, k FROM t;"
		"INSERT INTO t VALUES (1, 10, 'a', 1.5), (2, 20, 'b', 2.5), (3, 30, 'c', 3.5);"
		"INSERT INTO loose VALUES (1)",
		"ALTER TABLE t ADD x text DEFAULT 'd' NOT NULL CHECK (x <> ''); ALTER TABLE loose ADD b text DEFAULT 'x'",
		"INSERT INTO t VALUES (4, 40, NULL, 4.5, 'four'); UPDATE t SET k = 11 WHERE id = 1",
		"ALTER TABLE t DROP note; CREATE INDEX t_x ON t (x)",
		"INSERT INTO t VALUES (5, 50, 5.5); DELETE FROM t WHERE id = 3",
		"ALTER TABLE t ADD note int DEFAULT 9, DROP w; ALTER TABLE loose ADD c int",
		"UPDATE t SET note = 8 WHERE id = 2; INSERT INTO loose VALUES (2, DEFAULT, 7)",
		"ALTER TABLE t RENAME TO tt; CREATE TABLE t (z int); ALTER INDEX t_x RENAME TO t_y;"
		"ALTER TABLE v RENAME TO vv; ALTER TABLE loose RENAME c TO d; INSERT INTO tt VALUES (6, 60)",
		"DROP TABLE t; DELETE FROM tt WHERE id = 6; ALTER TABLE tt RENAME TO t;"
		"ALTER TABLE vv RENAME TO v; ALTER TABLE loose RENAME d TO c",
	};
	static const char ROWS[] = "1|11|d|9\n2|20|d|8\n4|40|four|9\n5|50|d|9";
	struct bed b;

	make_bed(&b, 2);
	for (unsigned i = 0; i < sizeof(STEPS) / sizeof(STEPS[0]); i++) {
		run(&b.f, STEPS[i]);
		if (i == checkpoint)
			assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
		if (i == checkpoint + 2)
			again(&b, 3);
	}
	check_altered(&b, ROWS);
	for (unsigned projectors = 3; projectors >= 1; projectors--) {
		again(&b, projectors);
		check_altered(&b, ROWS);
	}
	assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
	again(&b, 2);
	check_altered(&b, ROWS);
	expect(&b.f, "SELECT id FROM t WHERE x = 'd' ORDER BY id", "1\n2\n5");
	expect_error(&b.f, "INSERT INTO t (id, x) VALUES (6, '')", ERR_CHECK);
	close_fixture(&b.f);
	burn_bed(&b);
}

static void test_recovered(void **state)
{
	(void)state;
	for (unsigned i = 0; i <= 9; i++)
		recovered(i);
}

static void test_schema_file(void **state)
{
	static const char FILE_BEFORE[] = "CREATE TABLE t (id int PRIMARY KEY, a int, b int);"
					  "CREATE INDEX t_b ON t (b);";
	static const char FILE_AFTER[] = "CREATE TABLE t (id int PRIMARY KEY, a int, b int);"
					 "CREATE INDEX t_a ON t (a);"
					 "alter table t add column c int default 3; -- the same\n"
					 "ALTER TABLE t DROP COLUMN b;"
					 "ALTER TABLE t ADD COLUMN d text;";
	static const char FILE_DROPS[] = "ALTER TABLE t DROP COLUMN a";
	struct bed b;

	(void)state;
	make_bed(&b, 2);
	assert_int_equal(lf_run_schema(b.f.port, FILE_BEFORE, strlen(FILE_BEFORE), &b.f.error), 0);
	run(&b.f, "INSERT INTO t VALUES (1, 1, 1); ALTER TABLE t ADD COLUMN c int DEFAULT 3");
	run(&b.f, "ALTER TABLE t DROP COLUMN b");
	for (unsigned i = 0; i < 3; i++) {
		again(&b, 1 + i);
		if (lf_run_schema(b.f.port, FILE_AFTER, strlen(FILE_AFTER), &b.f.error) != 0)
			fail_msg("%s", b.f.error.message);
		expect(&b.f, "SELECT * FROM t", "1|1|3|");
		assert_int_equal(
			lf_run_schema(b.f.port, FILE_DROPS, strlen(FILE_DROPS), &b.f.error), -1);
		assert_int_equal(b.f.error.code, ERR_OBJECT_STATE);
		assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
	}
	close_fixture(&b.f);
	burn_bed(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queries_before),
		cmocka_unit_test(test_results_change),
		cmocka_unit_test(test_commands_under_way),
		cmocka_unit_test(test_query_under_way),
		cmocka_unit_test(test_pinned_before),
		cmocka_unit_test(test_threads_beside),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_renamed),
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_recovered),
		cmocka_unit_test(test_schema_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
