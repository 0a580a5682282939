/*
 * test_build.c: views, their keys and indexes made while commands go on. Everything is stepped, at random by a seed, so
 * that commands come between any two slices; what is built is compared with the query asked directly.
 */
#include "core/engine_internal.h"
#include "tests/unit/data_fixture.h"

enum { ROWS = 2000, SEEDS = 6 };

static const char SCHEMA[] = "CREATE TABLE t (id int PRIMARY KEY, g int, v int NOT NULL);"
			     "CREATE TABLE u (id int PRIMARY KEY, t int, w int);"
			     "CREATE TABLE gone (id int PRIMARY KEY);"
			     "CREATE TABLE n (id int PRIMARY KEY)";
static const char FILL[] =
	"INSERT INTO t SELECT a.id * 50 + b.id, (a.id + b.id) % 37, b.id FROM n a, n b;"
	"INSERT INTO u SELECT a.id * 50 + b.id, a.id * 41 + b.id, a.id FROM n a, n b;"
	"INSERT INTO gone SELECT a.id * 100 + b.id FROM n a, n b WHERE a.id < 20";

struct world {
	struct fixture f;
	uint64_t random;
	struct lf_port *schema, *writer;
	struct statement *commands[6];
	unsigned shards;
	unsigned between; /* commands submitted while a schema change was under way */
	bool positive;    /* commands set no v to 0 */
	bool done;
	struct error error; /* of the schema change; code ERR_OK: none */
};

static const char *const COMMANDS[] = {
	"INSERT INTO t VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET v = t.v + 1",
	"UPDATE t SET g = $2, v = $3 WHERE id = $1",
	"DELETE FROM t WHERE id = $1",
	"INSERT INTO u VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET t = $2",
	"DELETE FROM u WHERE id = $1",
	"INSERT INTO gone VALUES ($1) ON CONFLICT DO NOTHING",
};

static unsigned below(struct world *w, unsigned n)
{
	w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(w->random >> 33) % n;
}

static void open_world(struct world *w, unsigned shards, uint64_t seed, unsigned rows)
{
	struct lf_options o = lf_options_default();
	char text[128];

	memset(w, 0, sizeof(*w));
	w->random = seed;
	w->shards = o.projectors = shards;
	o.stepped = true;
	o.build_at_once = 0;
	o.build_slice = 1 + below(w, 20);
	o.batch_max = 1 + below(w, 4);
	assert_int_equal(lf_engine_open(&w->f.engine, &o, &w->f.error), 0);
	assert_int_equal(lf_port_open(&w->f.port, w->f.engine, NULL, NULL, &w->f.error), 0);
	assert_int_equal(lf_port_open(&w->schema, w->f.engine, NULL, NULL, &w->f.error), 0);
	assert_int_equal(lf_port_open(&w->writer, w->f.engine, NULL, NULL, &w->f.error), 0);
	run(&w->f, SCHEMA);
	for (unsigned i = 0; i < 50 && i * 50 < rows; i++) {
		(void)snprintf(text, sizeof(text), "INSERT INTO n VALUES (%u)", i);
		run(&w->f, text);
	}
	run(&w->f, FILL);
	for (unsigned i = 0; i < 6; i++)
		w->commands[i] = prepare(&w->f, COMMANDS[i]);
}

static void close_world(struct world *w)
{
	lf_port_close(w->schema);
	lf_port_close(w->writer);
	for (unsigned i = 0; i < 6; i++)
		lf_release(w->f.engine, w->commands[i]);
	close_fixture(&w->f);
}

static void on_schema(void *arg, const struct lf_reply *reply)
{
	struct world *w = arg;

	w->done = true;
	w->error.code = ERR_OK;
	if (reply->error != NULL)
		w->error = *reply->error;
}

static void on_command(void *arg, const struct lf_reply *reply)
{
	(void)arg;
	if (reply->error != NULL && reply->error->code != ERR_UNIQUE)
		fail_msg("%s", reply->error->message);
}

static void submit_one(struct world *w)
{
	const struct statement *s = w->commands[below(w, 6)];
	struct value v[3];
	uint64_t row[8];
	struct error e;

	for (unsigned i = 0; i < s->nparams; i++)
		v[i] = (struct value){ .type = s->params[i].id,
			.i = below(w, i == 0 ? 2600 : 40 + 10 * i) + w->positive };
	row_encode(&s->param_layout, v, row);
	if (lf_submit(w->writer, s, row, 0, LF_ACCEPTED, &e) != 0)
		assert_int_equal(e.code, ERR_OVERLOAD);
	lf_flush(w->writer);
}

/* A schema change, with commands in between; how it ended is in w->error. */
static void change(struct world *w, const char *text)
{
	struct statement *s = prepare(&w->f, text);
	uint64_t none[2] = { 0 };

	row_encode(&s->param_layout, NULL, none);
	w->done = false;
	assert_int_equal(lf_submit(w->schema, s, none, 0, LF_VISIBLE, &w->f.error), 0);
	for (unsigned steps = 0; !w->done; steps++) {
		/* The first step of all begins it. */
		if (steps == 1)
			expect(&w->f,
				"SELECT count(*), sum((rows < rows_at_start)::int) FROM leftfold_builds",
				"1|1");
		if (below(w, 2) == 0) {
			submit_one(w);
			w->between++;
		}
		(void)lf_step(w->f.engine, steps == 0 ? w->shards : below(w, w->shards + 1));
		(void)lf_poll(w->writer, on_command, w);
		(void)lf_poll(w->schema, on_schema, w);
	}
	lf_release(w->f.engine, s);
}

static void changed(struct world *w, const char *text)
{
	change(w, text);
	if (w->error.code != ERR_OK)
		fail_msg("%s: %s", text, w->error.message);
}

static void settle(struct world *w)
{
	for (unsigned i = 0; i < 40; i++) {
		submit_one(w);
		lf_settle(w->f.engine);
		(void)lf_poll(w->writer, on_command, w);
	}
	lf_settle(w->f.engine);
	(void)lf_poll(w->writer, on_command, w);
}

static void compare(struct world *w, const char *view, const char *query)
{
	char text[2048];

	(void)snprintf(text, sizeof(text),
		"SELECT count(*) FROM ((SELECT * FROM %s EXCEPT ALL (%s)) UNION ALL ((%s) EXCEPT ALL SELECT * "
		"FROM %s)) x",
		view, query, query, view);
	expect(&w->f, text, "0");
}

/* name, query, key (NULL: none) */
static const char *const VIEWS[][3] = {
	{ "by_g", "SELECT g, count(*) AS n, sum(v) AS v FROM t GROUP BY g", "g" },
	{ "plain", "SELECT id, v * 2 AS v FROM t WHERE v > 3", "id" },
	{ "repeated", "SELECT id / 2 AS h, g FROM t", NULL },
	{ "joined",
		"SELECT t.g, sum(u.w) AS w, max(u.id) AS m FROM u JOIN t ON t.id = u.t GROUP BY t.g",
		"g" },
	{ "kept", "SELECT t.id, u.w, u.id AS u FROM t LEFT JOIN u ON u.t = t.id AND u.w > 3",
		NULL },
	{ "sound",
		"SELECT t.g, t.id, t.v FROM t WHERE NOT EXISTS (SELECT 1 FROM gone WHERE gone.id = t.id)",
		"id" },
	{ "one", "SELECT count(*) AS n, sum(v) AS v FROM t", NULL },
	{ "best",
		"SELECT g, id, v, r FROM (SELECT g, id, v, row_number() OVER (PARTITION BY g ORDER BY v DESC, id) "
		"AS r FROM t) x WHERE r <= 3",
		NULL },
	{ "over",
		"SELECT b.n, count(*) AS c, sum(p.v) AS v FROM by_g b JOIN t ON t.g = b.g JOIN plain p ON p.id = t.id "
		"GROUP BY b.n",
		"n" },
	{ "distinct_of", "SELECT DISTINCT h FROM repeated", "h" },
	{ "merged",
		"SELECT g FROM t WHERE v > 20 UNION SELECT r.h FROM repeated r EXCEPT SELECT id FROM gone",
		NULL },
};
enum { NVIEWS = sizeof(VIEWS) / sizeof(VIEWS[0]) };

static void beside(unsigned shards, uint64_t seed)
{
	struct world w;
	char text[2048];

	open_world(&w, shards, seed, ROWS);
	for (unsigned i = 0; i < NVIEWS; i++) {
		(void)snprintf(text, sizeof(text), "CREATE MATERIALIZED VIEW %s AS %s", VIEWS[i][0],
			VIEWS[i][1]);
		changed(&w, text);
		settle(&w);
		compare(&w, VIEWS[i][0], VIEWS[i][1]);
		if (VIEWS[i][2] == NULL)
			continue;
		(void)snprintf(text, sizeof(text), "CREATE UNIQUE INDEX ON %s (%s)", VIEWS[i][0],
			VIEWS[i][2]);
		changed(&w, text);
		settle(&w);
		compare(&w, VIEWS[i][0], VIEWS[i][1]);
	}
	for (unsigned i = 0; i < NVIEWS; i++)
		compare(&w, VIEWS[i][0], VIEWS[i][1]);
	/* Commands did come in between. */
	assert_true(w.between > 10 * NVIEWS);
	close_world(&w);
}

static void test_beside_commands(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		beside(1 + (unsigned)(seed % 3), seed);
}

/* The same rows by the index and without it. */
static void indexes(unsigned shards, uint64_t seed)
{
	static const char *const MAKE[] = { "CREATE INDEX ON t (v)",
		"CREATE INDEX ON t USING hash (v)", "CREATE UNIQUE INDEX ON t (id, v)" };
	struct world w;

	for (unsigned i = 0; i < 3; i++) {
		open_world(&w, shards, seed * 3 + i, ROWS);
		changed(&w, MAKE[i]);
		for (unsigned k = 0; k < 3; k++) {
			settle(&w);
			expect(&w.f,
				"SELECT count(*) FROM n WHERE (SELECT count(*) FROM t WHERE v = 7) <> "
				"(SELECT count(*) FROM t WHERE v + 0 = 7)",
				"0");
			expect(&w.f,
				"SELECT count(*) FROM ((SELECT id FROM t WHERE v = 7 EXCEPT ALL SELECT id FROM t "
				"WHERE v + 0 = 7) UNION ALL (SELECT id FROM t WHERE v + 0 = 7 EXCEPT ALL SELECT id "
				"FROM t WHERE v = 7)) x",
				"0");
		}
		close_world(&w);
	}
}

static void test_indexes(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++)
		indexes((unsigned)seed, seed);
}

/* What is there for a moment only, while the tables are gone through, is no error. */
static void test_passing_errors(void **state)
{
	(void)state;
	for (unsigned shards = 1; shards <= 3; shards++) {
		struct world w;

		open_world(&w, shards, shards, ROWS);
		run(&w.f,
			"CREATE TABLE quiet (id int PRIMARY KEY, k int);"
			"INSERT INTO quiet SELECT id, 1 FROM t;"
			"CREATE TABLE none (id int PRIMARY KEY); INSERT INTO none SELECT id FROM quiet WHERE id <> 7");
		changed(&w,
			"CREATE MATERIALIZED VIEW last AS SELECT k, id FROM quiet q WHERE NOT EXISTS "
			"(SELECT 1 FROM none WHERE none.id = q.id)");
		changed(&w, "CREATE UNIQUE INDEX ON last (k)");
		expect(&w.f, "SELECT k, id FROM last WHERE k = 1", "1|7");
		run(&w.f, "DELETE FROM none WHERE id = 8; INSERT INTO none VALUES (7)");
		changed(&w,
			"CREATE MATERIALIZED VIEW share AS SELECT k, 1000 / CASE WHEN count(*) < 1500 THEN 0 "
			"ELSE 1 END AS s FROM quiet GROUP BY k");
		expect(&w.f, "SELECT s FROM share", "1000");
		/* Whichever table comes first. */
		changed(&w,
			"CREATE MATERIALIZED VIEW shares AS SELECT q.id, 10 / CASE WHEN none.id IS NULL AND "
			"q.id > 99 THEN 0 ELSE 2 END AS s FROM quiet q LEFT JOIN none ON none.id = q.id");
		changed(&w,
			"CREATE MATERIALIZED VIEW others AS SELECT q.id, 10 / CASE WHEN none.id IS NULL AND "
			"q.id > 99 THEN 0 ELSE 2 END AS s FROM none RIGHT JOIN quiet q ON none.id = q.id");
		changed(&w,
			"CREATE MATERIALIZED VIEW parts AS SELECT id, 10 / coalesce((SELECT sum(id) FROM none), "
			"0) AS s FROM quiet");
		expect(&w.f,
			"SELECT count(*) = (SELECT count(*) FROM quiet) FROM parts WHERE s = 0",
			"t");
		expect(&w.f,
			"SELECT count(*) = (SELECT count(*) FROM quiet) FROM shares WHERE s = 5",
			"t");
		expect(&w.f,
			"SELECT count(*) = (SELECT count(*) FROM quiet) FROM others WHERE s = 5",
			"t");
		close_world(&w);
	}
}

/* A build that fails leaves nothing, and says why. */
static void test_failing(void **state)
{
	(void)state;
	for (unsigned shards = 1; shards <= 3; shards++) {
		struct lf_stats before, after;
		struct world w;

		open_world(&w, shards, shards, ROWS);
		run(&w.f,
			"CREATE MATERIALIZED VIEW v AS SELECT id, g, v FROM t;"
			"CREATE TABLE pair (a int, b int, c int, PRIMARY KEY (a, b));"
			"INSERT INTO pair SELECT id / 10, id, id % 3 FROM t");
		lf_stats(w.f.engine, &before);
		change(&w, "CREATE MATERIALIZED VIEW bad AS SELECT id, 1 / (v - 7) AS x FROM t");
		assert_int_equal(w.error.code, ERR_DIVISION_BY_ZERO);
		expect_error(&w.f, "SELECT * FROM bad", ERR_UNDEFINED_TABLE);
		change(&w, "CREATE UNIQUE INDEX ON v (g)");
		assert_int_equal(w.error.code, ERR_UNIQUE);
		change(&w, "CREATE UNIQUE INDEX on_c ON pair (a, c)");
		assert_int_equal(w.error.code, ERR_UNIQUE);
		run(&w.f, "INSERT INTO pair VALUES (1, -1, 0)");
		settle(&w);
		compare(&w, "v", "SELECT id, g, v FROM t");
		lf_stats(w.f.engine, &after);
		/* Commands have added some rows meanwhile. */
		assert_true(after.memory_used < before.memory_used + before.memory_used / 2);
		changed(&w, "CREATE MATERIALIZED VIEW bad AS SELECT id, 1 / (v + 7) AS x FROM t");
		compare(&w, "bad", "SELECT id, 1 / (v + 7) AS x FROM t");
		close_world(&w);
	}
}

/* A view that has failed is made anew, and one over it. */
static void test_refreshing(void **state)
{
	static const char BAD[] = "SELECT id, g, 10 / v AS s FROM t";

	(void)state;
	for (unsigned shards = 1; shards <= 3; shards++) {
		struct world w;

		open_world(&w, shards, shards, ROWS);
		run(&w.f,
			"UPDATE t SET v = 1 WHERE v = 0;"
			"CREATE MATERIALIZED VIEW bad AS SELECT id, g, 10 / v AS s FROM t;"
			"CREATE UNIQUE INDEX ON bad (id); CREATE INDEX ON bad (g);"
			"CREATE MATERIALIZED VIEW above AS SELECT g, sum(s) AS s FROM bad GROUP BY g;"
			"UPDATE t SET v = 0 WHERE id = 7");
		expect_error(&w.f, "SELECT * FROM above", ERR_VIEW_FAILED);
		change(&w, "REFRESH MATERIALIZED VIEW bad");
		assert_int_equal(w.error.code, ERR_DIVISION_BY_ZERO);
		run(&w.f, "UPDATE t SET v = 3 WHERE v = 0");
		/* Commands may set it to 0 again, but not while this one is made. */
		w.positive = true;
		changed(&w, "REFRESH MATERIALIZED VIEW bad");
		changed(&w, "REFRESH MATERIALIZED VIEW above");
		settle(&w);
		compare(&w, "bad", BAD);
		expect(&w.f,
			"SELECT count(*) = (SELECT count(*) FROM t WHERE g = 5) FROM bad WHERE g = 5",
			"t");
		compare(&w, "above", "SELECT g, sum(10 / v) AS s FROM t GROUP BY g");
		close_world(&w);
	}
}

/* One view takes the place of another, with other columns or the same; what cannot be made leaves the former one. */
static void test_replacing(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct world w;
		char text[2048];
		unsigned last = 0;

		open_world(&w, (unsigned)seed, seed, ROWS);
		changed(&w, "CREATE OR REPLACE MATERIALIZED VIEW r AS SELECT 1 AS a FROM n");
		for (unsigned i = 0; i < NVIEWS; i++) {
			/* Those over others need them. */
			if (strstr(VIEWS[i][1], "by_g") != NULL ||
				strstr(VIEWS[i][1], "repeated") != NULL)
				continue;
			(void)snprintf(text, sizeof(text),
				"create /* or */ or -- it is replaced\n REPLACE\tmaterialized VIEW r AS %s",
				VIEWS[i][1]);
			changed(&w, text);
			last = i;
			settle(&w);
			compare(&w, "r", VIEWS[i][1]);
			if (VIEWS[i][2] == NULL)
				continue;
			(void)snprintf(text, sizeof(text), "CREATE UNIQUE INDEX by_key ON r (%s)",
				VIEWS[i][2]);
			/* Unless the one before had that key, which has been kept. */
			change(&w, text);
			assert_true(w.error.code == ERR_OK || w.error.code == ERR_DUPLICATE_TABLE);
			change(&w,
				"CREATE OR REPLACE MATERIALIZED VIEW r AS SELECT id, 1 / (v - 7) AS x FROM t");
			assert_int_equal(w.error.code, ERR_DIVISION_BY_ZERO);
			settle(&w);
			compare(&w, "r", VIEWS[i][1]);
		}
		compare(&w, "r", VIEWS[last][1]);
		close_world(&w);
	}
}

/* A table gets columns: its rows are copied, with what commands make of them meanwhile; views over it go on. */
static void test_columns(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct world w;
		char text[2048];

		open_world(&w, 1 + (unsigned)(seed % 3), seed, ROWS);
		run(&w.f, "CREATE INDEX ON t (v); CREATE INDEX ON t USING hash (g)");
		for (unsigned i = 0; i < NVIEWS; i++) {
			(void)snprintf(text, sizeof(text), "CREATE MATERIALIZED VIEW %s AS %s",
				VIEWS[i][0], VIEWS[i][1]);
			run(&w.f, text);
		}
		changed(&w, "ALTER TABLE t ADD more int NOT NULL DEFAULT 7, ADD CHECK_ text");
		changed(&w,
			"ALTER TABLE u ADD COLUMN few text DEFAULT 'f' CHECK (few <> ''), DROP COLUMN IF EXISTS nix");
		change(&w, "ALTER TABLE t ADD bad int NOT NULL");
		assert_int_equal(w.error.code, ERR_NOT_NULL);
		change(&w, "ALTER TABLE t ADD bad int DEFAULT 1 CHECK (bad <> v - 6)");
		assert_int_equal(w.error.code, ERR_CHECK);
		settle(&w);
		expect(&w.f, "SELECT count(*) FROM u WHERE few IS DISTINCT FROM 'f'", "0");
		for (unsigned i = 0; i < NVIEWS; i++)
			compare(&w, VIEWS[i][0], VIEWS[i][1]);
		changed(&w, "ALTER TABLE t ADD again bigint DEFAULT 8");
		settle(&w);
		expect(&w.f,
			"SELECT count(*) FROM t WHERE again IS DISTINCT FROM 8 OR check_ IS NOT NULL",
			"0");
		expect(&w.f,
			"SELECT count(*) FROM ((SELECT id FROM t WHERE v = 7 EXCEPT ALL SELECT id FROM t "
			"WHERE v + 0 = 7) UNION ALL (SELECT id FROM t WHERE v + 0 = 7 EXCEPT ALL SELECT id "
			"FROM t WHERE v = 7)) x",
			"0");
		for (unsigned i = 0; i < NVIEWS; i++)
			compare(&w, VIEWS[i][0], VIEWS[i][1]);
		close_world(&w);
	}
}

/* DROP of what is being made, or of what it is made of, ends it; nothing is left of it, and what waits goes on. */
static void test_cancelled(void **state)
{
	static const char *const MAKE[] = {
		"CREATE MATERIALIZED VIEW w AS SELECT g, count(*) AS n FROM t GROUP BY g",
		"CREATE INDEX by_v ON t (v)", "CREATE UNIQUE INDEX by_id ON plain (id)",
		"CREATE OR REPLACE MATERIALIZED VIEW plain AS SELECT id FROM t",
		"ALTER TABLE lone ADD more int"
	};
	static const char *const DROP[] = { "DROP MATERIALIZED VIEW w", "DROP INDEX by_v",
		"DROP INDEX IF EXISTS by_id", "DROP MATERIALIZED VIEW plain", "DROP TABLE lone" };

	(void)state;
	for (unsigned i = 0; i < 15; i++) {
		struct statement *make, *wait;
		uint64_t none[2] = { 0 };
		struct world w;

		open_world(&w, 1 + i % 3, i, ROWS);
		run(&w.f,
			"CREATE MATERIALIZED VIEW plain AS SELECT id, v FROM t; CREATE TABLE lone (id int);"
			"INSERT INTO lone SELECT id FROM t");
		make = prepare(&w.f, MAKE[i % 5]);
		wait = prepare(&w.f, "CREATE TABLE other (id int PRIMARY KEY)");
		row_encode(&make->param_layout, NULL, none);
		w.done = false;
		assert_int_equal(lf_submit(w.schema, make, none, 0, LF_VISIBLE, &w.f.error), 0);
		for (unsigned k = 0; k < 1 + i / 5 * 3; k++) {
			(void)lf_step(w.f.engine, k % 2 == 0 ? w.shards : 0);
			submit_one(&w);
		}
		assert_int_equal(lf_submit(w.writer, wait, none, 0, LF_ACCEPTED, &w.f.error), 0);
		expect(&w.f,
			"SELECT kind = 'waiting', statement FROM leftfold_builds ORDER BY 1 DESC LIMIT 1",
			"t|CREATE TABLE other (id int PRIMARY KEY)");
		run(&w.f, DROP[i % 5]);
		(void)lf_poll(w.schema, on_schema, &w);
		(void)lf_poll(w.writer, on_command, &w);
		if (!w.done)
			fail_msg("%s goes on", MAKE[i % 5]);
		assert_int_equal(w.error.code, ERR_CANCELED);
		expect(&w.f, "SELECT count(*) FROM leftfold_builds", "0");
		expect(&w.f, "SELECT count(*) FROM other", "0");
		/* The name is free again. */
		if (i % 5 < 3)
			changed(&w, MAKE[i % 5]);
		settle(&w);
		if (i % 5 != 3)
			compare(&w, "plain", "SELECT id, v FROM t");
		lf_release(w.f.engine, make);
		lf_release(w.f.engine, wait);
		close_world(&w);
	}
}

/* The engine ends in the middle. */
static void test_closing(void **state)
{
	(void)state;
	for (unsigned steps = 0; steps < 60; steps += 7) {
		struct world w;
		struct statement *s;
		uint64_t none[2] = { 0 };

		open_world(&w, 2, steps, ROWS);
		s = prepare(&w.f,
			steps % 3 == 0
				? "CREATE MATERIALIZED VIEW v AS SELECT g, count(*) AS n FROM t GROUP BY g"
				: steps % 3 == 1 ? "CREATE INDEX ON t (g)"
						 : "ALTER TABLE t ADD more int CHECK (more > v)");
		row_encode(&s->param_layout, NULL, none);
		assert_int_equal(lf_submit(w.schema, s, none, 0, LF_ACCEPTED, &w.f.error), 0);
		for (unsigned i = 0; i < steps; i++)
			(void)lf_step(w.f.engine, i % 3);
		lf_release(w.f.engine, s);
		close_world(&w);
	}
}

/* The journal fails in the middle: there is no use in going on, and what has not got all rows is not there. */
static void test_unwritable(void **state)
{
	static const char *const texts[] = { "CREATE MATERIALIZED VIEW v AS SELECT id FROM t",
		"CREATE INDEX x ON t (g)" };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct world w;
		struct statement *s;
		uint64_t none[2] = { 0 };
		struct error why;

		error_set(&why, ERR_IO, 0, "a planted error");
		open_world(&w, 2, i, ROWS);
		s = prepare(&w.f, texts[i]);
		row_encode(&s->param_layout, NULL, none);
		assert_int_equal(lf_submit(w.schema, s, none, 0, LF_VISIBLE, &w.f.error), 0);
		for (unsigned step = 0; step < 2; step++)
			(void)lf_step(w.f.engine, 2 - step % 3);
		projector_set_unwritable(&w.f.engine->set, &why);
		while (!w.done) {
			lf_settle(w.f.engine);
			(void)lf_poll(w.schema, on_schema, &w);
		}
		assert_string_equal(error_sqlstate(w.error.code), "58030");
		/* Its key. */
		expect(&w.f, "SELECT indexes FROM leftfold_tables WHERE name = 't'", "1");
		if (i == 0)
			expect_error(&w.f, "SELECT * FROM v", ERR_UNDEFINED_TABLE);
		/* Nothing is done any more, since it would not be kept; nor is it taken for the build's. */
		expect_error(&w.f, "DROP INDEX x", i == 0 ? ERR_UNDEFINED_OBJECT : ERR_IO);
		expect_error(&w.f, "DROP TABLE gone", ERR_IO);
		expect(&w.f, "SELECT count(*) > 0 FROM gone", "t");
		expect_error(&w.f, "CREATE TABLE come (id int PRIMARY KEY)", ERR_IO);
		lf_release(w.f.engine, s);
		close_world(&w);
	}
}

/* What came back from the journal is built at once, from the tables in the order of their creation. */
static void test_recovered(void **state)
{
	struct bed b;

	(void)state;
	make_bed(&b, 1);
	run(&b.f,
		"CREATE TABLE p (id int PRIMARY KEY, k int); CREATE TABLE q (id int PRIMARY KEY);"
		"CREATE MATERIALIZED VIEW w AS SELECT p.k, p.id FROM p WHERE NOT EXISTS (SELECT 1 FROM q WHERE q.id = p.id);"
		"CREATE UNIQUE INDEX ON w (k);"
		"CREATE MATERIALIZED VIEW x AS SELECT k, count(*) AS n FROM w GROUP BY k;"
		"INSERT INTO q VALUES (1), (2), (3), (4); INSERT INTO p VALUES (1, 1), (2, 1), (3, 2), (4, 2), (5, 1)");
	for (unsigned projectors = 1; projectors <= 3; projectors++) {
		expect(&b.f, "SELECT k, id FROM w ORDER BY k", "1|5");
		expect(&b.f, "SELECT k, n FROM x ORDER BY k", "1|1");
		again(&b, projectors);
	}
	run(&b.f, "DELETE FROM q WHERE id = 3");
	expect(&b.f, "SELECT k, id FROM w ORDER BY k", "1|5\n2|3");
	close_fixture(&b.f);
	burn_bed(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_beside_commands),
		cmocka_unit_test(test_indexes),
		cmocka_unit_test(test_passing_errors),
		cmocka_unit_test(test_failing),
		cmocka_unit_test(test_refreshing),
		cmocka_unit_test(test_replacing),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_cancelled),
		cmocka_unit_test(test_closing),
		cmocka_unit_test(test_unwritable),
		cmocka_unit_test(test_recovered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
