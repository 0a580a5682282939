/*
 * test_feed.c: subscriptions. What they tell, from the snapshot on, must at every epoch add up to what the query gives there.
 */
#include "core/base/hash.h"
#include "core/engine_internal.h"
#include "tests/unit/engine_fixture.h"

enum { SUBSCRIBERS = 24, ROUNDS = 600 };

static const char SCHEMA[] =
	"CREATE TABLE t (id int PRIMARY KEY, g int, v int NOT NULL, s text);"
	"CREATE TABLE u (id int, line int, w int, PRIMARY KEY (id, line));"
	"CREATE MATERIALIZED VIEW sums AS SELECT g, count(*) AS n, sum(v) AS s FROM t GROUP BY g;"
	"CREATE UNIQUE INDEX ON sums (g);"
	"CREATE MATERIALIZED VIEW loose AS SELECT g, v % 3 AS m FROM t;"
	"CREATE MATERIALIZED VIEW joined AS SELECT t.id, u.line, t.v + u.w AS x FROM t JOIN u ON u.id = t.id;"
	"CREATE UNIQUE INDEX ON joined (id, line);"
	"CREATE MATERIALIZED VIEW top AS SELECT id, v FROM t ORDER BY v DESC, id LIMIT 5;"
	"CREATE UNIQUE INDEX ON top (id);"
	"CREATE MATERIALIZED VIEW over AS SELECT n, count(*) AS c FROM sums GROUP BY n;"
	"CREATE UNIQUE INDEX ON over (n)";

static const char *const QUERIES[] = { "SELECT * FROM t", "SELECT id, v + 1 FROM t WHERE g = 3",
	"SELECT s FROM t WHERE v > 40 AND g < 5", "SELECT * FROM sums",
	"SELECT s FROM sums WHERE n > 2", "SELECT * FROM loose", "SELECT m FROM loose WHERE g = 1",
	"SELECT * FROM joined", "SELECT x FROM joined WHERE id = 7", "SELECT * FROM top",
	"SELECT c FROM over WHERE n IN (1, 2, 3)", "SELECT * FROM u WHERE id = 4",
	"SELECT v FROM t WHERE id IN (1, 3, 5, 3)", "SELECT v, g FROM t WHERE id = 2 AND v > 20",
	"SELECT n FROM sums WHERE g = 2", "SELECT w FROM u WHERE id = 5 AND line = 1" };
enum { NQUERIES = sizeof(QUERIES) / sizeof(QUERIES[0]) };

/* --- a multiset of rows, as the sum of their hashes --- */

struct rows {
	int64_t n;
	uint64_t sum;
};

static void rows_add(struct rows *r, const void *row, int64_t times)
{
	r->n += times;
	r->sum += hash_bytes(row, row_size(row), 0) * (uint64_t)times;
}

static int rows_sink(void *arg, const void *row, uint32_t size)
{
	(void)size;
	rows_add(arg, row, 1);
	return 0;
}

static struct rows asked(struct fixture *f, const struct statement *s, const void *params)
{
	struct rows r = { 0, 0 };

	if (lf_query(f->port, s, params, rows_sink, &r, &f->error) != 0)
		fail_msg("%s: %s", s->text, f->error.message);
	return r;
}

/* --- one who follows --- */

struct follower {
	struct lf_subscription *sub;
	const struct statement *query;
	bool latest, open;
	struct rows rows;
	uint64_t epoch;
	unsigned groups, changes, gaps, snapshots;
};

static const uint64_t NONE[2] = { 8 };

static int follow(void *arg, const struct lf_feed_event *ev)
{
	struct follower *w = arg;

	switch (ev->kind) {
	case LF_FEED_GAP:
		assert_false(w->open);
		assert_true(ev->epoch >= w->epoch);
		w->gaps++;
		break;
	case LF_FEED_SNAPSHOT:
		assert_false(w->open);
		w->open = true;
		w->rows = (struct rows){ 0, 0 };
		w->epoch = ev->epoch;
		w->snapshots++;
		break;
	case LF_FEED_ROW: rows_add(&w->rows, ev->new_row, (int64_t)ev->times); break;
	case LF_FEED_CHANGES:
		assert_false(w->open);
		assert_true(ev->epoch > w->epoch);
		w->open = true;
		w->epoch = ev->epoch;
		w->groups++;
		break;
	case LF_FEED_CHANGE:
		assert_true(w->open && ev->epoch == w->epoch && ev->times > 0);
		assert_true(ev->old_row != NULL || ev->new_row != NULL);
		if (ev->old_row != NULL)
			rows_add(&w->rows, ev->old_row, -(int64_t)ev->times);
		if (ev->new_row != NULL)
			rows_add(&w->rows, ev->new_row, (int64_t)ev->times);
		w->changes++;
		break;
	case LF_FEED_END:
		assert_true(w->open && ev->epoch == w->epoch);
		w->open = false;
		break;
	}
	return 0;
}

static void begin(struct fixture *f, struct follower *w, const struct statement *s, bool latest,
	uint64_t from)
{
	struct lf_feed_options o = { .from = from, .latest = latest };

	if (from == 0)
		*w = (struct follower){ .query = s, .latest = latest };
	if (lf_subscribe(&w->sub, f->port, s, NONE, &o, &f->error) != 0)
		fail_msg("%s: %s", s->text, f->error.message);
}

static void end(struct follower *w)
{
	if (w->sub != NULL)
		lf_unsubscribe(w->sub);
	w->sub = NULL;
}

/* All that there is at the pinned epoch. False: it has ended. */
static bool read_all(struct fixture *f, struct follower *w)
{
	int status;

	while ((status = lf_feed_read(w->sub, follow, w, &f->error)) > 0)
		;
	return status == 0;
}

static uint64_t pin(struct fixture *f)
{
	uint64_t epoch;

	assert_int_equal(lf_read_begin(f->port, 0, &epoch, &f->error), 0);
	return epoch;
}

/* Reads everything; it must be what the query gives. */
static void catch_up(struct fixture *f, struct follower *w)
{
	uint64_t epoch = pin(f);
	struct rows there;

	if (!read_all(f, w))
		fail_msg("%s: %s", w->query->text, f->error.message);
	assert_int_equal(lf_feed_epoch(w->sub), epoch);
	there = asked(f, w->query, NONE);
	assert_int_equal(w->rows.n, there.n);
	assert_true(w->rows.sum == there.sum);
	lf_read_end(f->port);
}

/* --- random commands --- */

struct chance {
	uint64_t state;
};

static unsigned below(struct chance *c, unsigned n)
{
	c->state = c->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(c->state >> 33) % n;
}

static void any_reply(void *arg, const struct lf_reply *reply)
{
	(void)arg;
	(void)reply;
}

/* Some are refused, after they have changed something. */
static const char *const COMMANDS[] = {
	"INSERT INTO t VALUES ($1, $2, $3, 'some text') ON CONFLICT (id) DO UPDATE SET v = t.v + 1",
	"INSERT INTO t VALUES ($1, $2, $3, NULL)",
	"UPDATE t SET g = $2, s = repeat('x', $3) WHERE id = $1",
	"UPDATE t SET v = $3 WHERE id = $1 AND g <> $2", "DELETE FROM t WHERE id = $1",
	"INSERT INTO u VALUES ($1, $2, $3)", "DELETE FROM u WHERE id = $1",
	"UPDATE t SET v = v + 1 WHERE id = $1; INSERT INTO t VALUES ($1, $2, $3, 'refused')",
	"UPDATE t SET v = v WHERE id = $1"
};
enum { NCOMMANDS = sizeof(COMMANDS) / sizeof(COMMANDS[0]) };

struct world {
	struct fixture f;
	struct chance chance;
	unsigned shards;
	struct statement *commands[NCOMMANDS], *queries[NQUERIES];
	struct follower followers[SUBSCRIBERS];
	unsigned gaps, resumed, slow;
};

static void submit_some(struct world *w)
{
	for (unsigned n = below(&w->chance, 6); n > 0; n--) {
		const struct statement *s = w->commands[below(&w->chance, NCOMMANDS)];
		struct value v[3];
		uint64_t row[8];

		for (unsigned i = 0; i < s->nparams; i++)
			v[i] = (struct value){ .type = s->params[i].id,
				.i = below(&w->chance,
					i == 0           ? 20
						: i == 1 ? 6
							 : 60) };
		row_encode(&s->param_layout, v, row);
		if (lf_submit(w->f.port, s, row, 0, LF_DURABLE, &w->f.error) != 0)
			fail_msg("%s", w->f.error.message);
	}
	lf_flush(w->f.port);
	for (unsigned n = below(&w->chance, 8); n > 0; n--)
		(void)lf_step(w->f.engine, below(&w->chance, w->shards));
	(void)lf_poll(w->f.port, any_reply, NULL);
}

static void follower_random(struct world *w, struct follower *p)
{
	if (p->sub == NULL) {
		bool again = p->query != NULL && p->epoch > 0 && below(&w->chance, 2);

		w->resumed += again;
		begin(&w->f, p, again ? p->query : w->queries[below(&w->chance, NQUERIES)],
			again ? p->latest : below(&w->chance, 2), again ? p->epoch : 0);
		return;
	}
	switch (below(&w->chance, 6)) {
	case 0:
		if (below(&w->chance, 4) == 0) {
			p->epoch = lf_feed_epoch(p->sub);
			end(p);
		}
		break;
	case 1:
		(void)pin(&w->f);
		if (!read_all(&w->f, p)) {
			assert_int_equal(w->f.error.code, ERR_SLOW_SUBSCRIBER);
			assert_false(p->latest);
			p->epoch = lf_feed_epoch(p->sub);
			end(p);
			w->slow++;
		} else if (lf_feed_epoch(p->sub) > 0) {
			struct rows there = asked(&w->f, p->query, NONE);

			if (p->rows.n != there.n || p->rows.sum != there.sum)
				fail_msg("%s: %d rows, not %d", p->query->text, (int)p->rows.n,
					(int)there.n);
		}
		lf_read_end(w->f.port);
		break;
	case 2: /* a little */
		(void)pin(&w->f);
		if (lf_feed_read(p->sub, follow, p, &w->f.error) < 0) {
			p->epoch = lf_feed_epoch(p->sub);
			end(p);
			w->slow++;
		}
		lf_read_end(w->f.port);
		break;
	default: break;
	}
}

static void play(unsigned shards, uint64_t seed, uint64_t history, unsigned keep_s)
{
	struct lf_options o = lf_options_default();
	struct world w = { .shards = shards, .chance = { seed } };

	o.projectors = shards;
	o.stepped = true;
	o.fixed_now_us = 1;
	o.history = history;
	o.history_keep_s = keep_s;
	o.batch_max = 3;
	assert_int_equal(lf_engine_open(&w.f.engine, &o, &w.f.error), 0);
	assert_int_equal(lf_port_open(&w.f.port, w.f.engine, NULL, NULL, &w.f.error), 0);
	run(&w.f, SCHEMA);
	for (unsigned i = 0; i < NCOMMANDS; i++)
		w.commands[i] = prepare(&w.f, COMMANDS[i]);
	for (unsigned i = 0; i < NQUERIES; i++)
		w.queries[i] = prepare(&w.f, QUERIES[i]);
	for (unsigned r = 0; r < ROUNDS; r++) {
		submit_some(&w);
		for (unsigned i = 0; i < 4; i++)
			follower_random(&w, &w.followers[below(&w.chance, SUBSCRIBERS)]);
	}
	lf_settle(w.f.engine);
	(void)lf_poll(w.f.port, any_reply, NULL);
	for (unsigned i = 0; i < SUBSCRIBERS; i++) {
		struct follower *p = &w.followers[i];

		w.gaps += p->gaps;
		if (p->sub != NULL) {
			(void)pin(&w.f);
			if (!read_all(&w.f, p))
				end(p);
			lf_read_end(w.f.port);
		}
		if (p->sub != NULL)
			catch_up(&w.f, p);
		end(p);
	}
	if (history > 65536)
		assert_int_equal(w.slow, 0);
	else
		assert_true(w.slow > 0 && w.gaps > 0);
	assert_true(w.resumed > 0);
	for (unsigned i = 0; i < NCOMMANDS; i++)
		lf_release(w.f.engine, w.commands[i]);
	for (unsigned i = 0; i < NQUERIES; i++)
		lf_release(w.f.engine, w.queries[i]);
	close_fixture(&w.f);
}

static void adds_up(void **state)
{
	(void)state;
	for (unsigned shards = 1; shards <= 3; shards++)
		for (uint64_t seed = 1; seed <= 3; seed++)
			play(shards, seed, 1 << 20, seed == 3 ? 0 : 1000);
}

static void adds_up_with_little_history(void **state)
{
	(void)state;
	for (unsigned shards = 1; shards <= 3; shards++)
		for (uint64_t seed = 10; seed <= 12; seed++)
			play(shards, seed, 1024 << (seed - 10), 1000);
}

/* --- what is told --- */

static void insert_change_delete(void **state)
{
	struct fixture f;
	struct follower w;
	struct statement *s;

	(void)state;
	open_fixture(&f, 2);
	run(&f, "CREATE TABLE t (id int PRIMARY KEY, a int, b int)");
	command(&f, "INSERT INTO t VALUES (1, 1, 1)");
	s = prepare(&f, "SELECT a FROM t WHERE b > 0");
	begin(&f, &w, s, false, 0);
	lf_settle(f.engine);
	catch_up(&f, &w);
	assert_int_equal(w.snapshots, 1);
	assert_int_equal(w.rows.n, 1);
	/* A column that is not asked for; a row that is not; one that comes and goes by its condition. */
	command(&f, "UPDATE t SET b = 2 WHERE id = 1");
	command(&f, "INSERT INTO t VALUES (2, 5, 0)");
	catch_up(&f, &w);
	assert_int_equal(w.changes, 0);
	assert_int_equal(w.groups, 0);
	command(&f, "UPDATE t SET b = 1 WHERE id = 2");
	catch_up(&f, &w);
	assert_int_equal(w.rows.n, 2);
	command(&f, "UPDATE t SET b = 0 WHERE id = 2");
	catch_up(&f, &w);
	assert_int_equal(w.rows.n, 1);
	command(&f, "UPDATE t SET a = 9 WHERE id = 1");
	command(&f, "DELETE FROM t WHERE id = 1");
	catch_up(&f, &w);
	assert_int_equal(w.rows.n, 0);
	assert_int_equal(w.changes, 4);
	assert_int_equal(w.snapshots, 1);
	end(&w);
	lf_release(f.engine, s);
	close_fixture(&f);
}

/* Many changes of a row between two looks are one for whoever wants the latest. */
static void latest_is_one_change(void **state)
{
	struct fixture f;
	struct follower every, latest;
	struct statement *s;

	(void)state;
	open_fixture(&f, 1);
	run(&f, "CREATE TABLE t (id int PRIMARY KEY, a int)");
	command(&f, "INSERT INTO t VALUES (1, 1)");
	s = prepare(&f, "SELECT * FROM t");
	begin(&f, &every, s, false, 0);
	begin(&f, &latest, s, true, 0);
	lf_settle(f.engine);
	catch_up(&f, &every);
	catch_up(&f, &latest);
	for (unsigned i = 0; i < 10; i++) {
		command(&f, "UPDATE t SET a = a + 1 WHERE id = 1");
		command(&f, "INSERT INTO t VALUES (2, 2)");
		command(&f, "DELETE FROM t WHERE id = 2");
	}
	catch_up(&f, &every);
	catch_up(&f, &latest);
	assert_int_equal(every.groups, 30);
	assert_int_equal(every.changes, 30);
	assert_int_equal(latest.groups, 1);
	assert_int_equal(latest.changes, 1);
	end(&every);
	end(&latest);
	lf_release(f.engine, s);
	close_fixture(&f);
}

static void refused_queries(void **state)
{
	static const struct {
		const char *text;
		int position;
	} REFUSED[] = { { "SELECT a FROM t ORDER BY a", 8 }, { "SELECT a FROM t LIMIT 3", 23 },
		{ "SELECT count(*) FROM t", 8 }, { "SELECT a FROM t GROUP BY a", 26 },
		{ "SELECT DISTINCT a FROM t", 17 },
		{ "SELECT t.a FROM t JOIN t x ON t.id = x.id", 1 },
		{ "SELECT a FROM t WHERE a IN (SELECT id FROM t)", 1 },
		{ "SELECT a, now() FROM t", 11 },
		{ "SELECT a FROM t WHERE now() > '2020-01-01'", 23 },
		{ "SELECT name FROM leftfold_views", 8 }, { "SELECT 1", 8 },
		{ "SELECT a FROM t UNION ALL SELECT a FROM t", 1 },
		{ "EXPLAIN SELECT a FROM t", 1 } };
	struct lf_feed_options o = { 0 };
	struct fixture f;

	(void)state;
	open_fixture(&f, 1);
	run(&f, "CREATE TABLE t (id int PRIMARY KEY, a int)");
	for (unsigned i = 0; i < sizeof(REFUSED) / sizeof(REFUSED[0]); i++) {
		struct statement *s = prepare(&f, REFUSED[i].text);
		struct lf_subscription *sub;

		assert_int_equal(lf_subscribe(&sub, f.port, s, NONE, &o, &f.error), -1);
		assert_string_equal(error_sqlstate(f.error.code), "0A000");
		if (f.error.position != REFUSED[i].position)
			fail_msg("%s: position %d", REFUSED[i].text, f.error.position);
		assert_true(f.error.hint[0] != '\0');
		lf_release(f.engine, s);
	}
	close_fixture(&f);
}

/* --- schema changes --- */

static void expect_end(struct fixture *f, struct follower *w, enum error_code code)
{
	(void)pin(f);
	assert_false(read_all(f, w));
	assert_string_equal(error_sqlstate(f->error.code), error_sqlstate(code));
	/* And again, whenever it is asked. */
	assert_false(read_all(f, w));
	assert_string_equal(error_sqlstate(f->error.code), error_sqlstate(code));
	lf_read_end(f->port);
	end(w);
}

static void schema_changes(void **state)
{
	struct fixture f;
	struct follower w[4];
	struct statement *s[4];

	(void)state;
	open_fixture(&f, 2);
	run(&f,
		"CREATE TABLE t (id int PRIMARY KEY, a int, b int);"
		"CREATE MATERIALIZED VIEW v AS SELECT id, 10 / a AS q FROM t;"
		"CREATE UNIQUE INDEX ON v (id);"
		"CREATE MATERIALIZED VIEW k AS SELECT a, b FROM t");
	s[0] = prepare(&f, "SELECT id, a FROM t");
	s[1] = prepare(&f, "SELECT * FROM v");
	s[2] = prepare(&f, "SELECT * FROM k");
	s[3] = prepare(&f, "SELECT id FROM t WHERE id = 3");
	for (unsigned i = 0; i < 4; i++)
		begin(&f, &w[i], s[i], i == 3, 0);
	lf_settle(f.engine);
	command(&f, "INSERT INTO t VALUES (1, 1, 1)");
	for (unsigned i = 0; i < 4; i++)
		catch_up(&f, &w[i]);
	/* What is made beside them does not disturb them, nor do names. */
	run(&f,
		"CREATE INDEX ON t (a); CREATE MATERIALIZED VIEW x AS SELECT count(*) FROM t;"
		"ALTER TABLE t RENAME TO t2; CREATE TABLE t (id int PRIMARY KEY)");
	command(&f, "INSERT INTO t2 VALUES (2, 1, 3), (3, 5, 5)");
	command(&f, "INSERT INTO t VALUES (100)");
	(void)pin(&f);
	for (unsigned i = 0; i < 4; i++)
		assert_true(read_all(&f, &w[i]));
	lf_read_end(f.port);
	assert_int_equal(w[0].rows.n, 3);
	assert_int_equal(w[1].rows.n, 3);
	assert_int_equal(w[3].rows.n, 1);
	/* The last changes before it are told. k gets a key: it is computed anew. */
	command(&f, "INSERT INTO t2 VALUES (4, 2, 2)");
	run(&f, "CREATE UNIQUE INDEX ON k (a, b)");
	expect_end(&f, &w[2], ERR_OBJECT_STATE);
	assert_int_equal(w[2].rows.n, 4);
	command(&f, "UPDATE t2 SET a = 0 WHERE id = 4");
	expect_end(&f, &w[1], ERR_VIEW_FAILED);
	command(&f, "INSERT INTO t2 VALUES (5, 1, 9)");
	run(&f, "ALTER TABLE t2 ADD COLUMN d int");
	expect_end(&f, &w[0], ERR_OBJECT_STATE);
	assert_int_equal(w[0].rows.n, 5);
	expect_end(&f, &w[3], ERR_OBJECT_STATE);
	lf_release(f.engine, s[0]);
	s[0] = prepare(&f, "SELECT id FROM t");
	begin(&f, &w[0], s[0], false, 0);
	lf_settle(f.engine);
	catch_up(&f, &w[0]);
	command(&f, "INSERT INTO t VALUES (101)");
	run(&f, "DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY)");
	command(&f, "INSERT INTO t VALUES (1)");
	expect_end(&f, &w[0], ERR_UNDEFINED_TABLE);
	assert_int_equal(w[0].rows.n, 2);
	/* A view that another takes the place of. */
	run(&f, "CREATE MATERIALIZED VIEW r AS SELECT id FROM t");
	lf_release(f.engine, s[0]);
	s[0] = prepare(&f, "SELECT * FROM r");
	begin(&f, &w[0], s[0], false, 0);
	lf_settle(f.engine);
	catch_up(&f, &w[0]);
	command(&f, "INSERT INTO t VALUES (2)");
	run(&f, "CREATE OR REPLACE MATERIALIZED VIEW r AS SELECT id + 1 AS id FROM t");
	command(&f, "INSERT INTO t VALUES (3)");
	expect_end(&f, &w[0], ERR_OBJECT_STATE);
	assert_int_equal(w[0].rows.n, 2);
	for (unsigned i = 0; i < 4; i++)
		lf_release(f.engine, s[i]);
	close_fixture(&f);
}

/* Whoever comes back finds its changes, as long as they are kept; else it is told so. */
static void resume(void **state)
{
	struct lf_feed_options strict = { .from = 1, .strict = true };
	struct fixture f;
	struct follower w;
	struct statement *s;

	(void)state;
	open_fixture(&f, 3);
	run(&f, "CREATE TABLE t (id int PRIMARY KEY, a text)");
	s = prepare(&f, "SELECT * FROM t");
	begin(&f, &w, s, false, 0);
	lf_settle(f.engine);
	catch_up(&f, &w);
	end(&w);
	command(&f, "INSERT INTO t VALUES (1, 'a')");
	begin(&f, &w, s, false, w.epoch);
	catch_up(&f, &w);
	assert_int_equal(w.snapshots, 1);
	assert_int_equal(w.gaps, 0);
	end(&w);
	begin(&f, &w, s, false, 1);
	w.epoch = 1;
	catch_up(&f, &w);
	assert_int_equal(w.snapshots, 2);
	assert_int_equal(w.gaps, 1);
	end(&w);
	assert_int_equal(lf_subscribe(&w.sub, f.port, s, NONE, &strict, &f.error), 0);
	expect_end(&f, &w, ERR_HISTORY_GAP);
	/* An epoch that has not come yet is waited for. */
	begin(&f, &w, s, false, lf_visible(f.engine) + 1);
	(void)pin(&f);
	assert_true(read_all(&f, &w));
	assert_int_equal(lf_feed_epoch(w.sub), 0);
	lf_read_end(f.port);
	command(&f, "INSERT INTO t VALUES (2, 'a')");
	(void)pin(&f);
	assert_true(read_all(&f, &w));
	assert_int_equal(lf_feed_epoch(w.sub), lf_visible(f.engine));
	lf_read_end(f.port);
	end(&w);
	lf_release(f.engine, s);
	close_fixture(&f);
}

/* A projector's memory fails now and then: commands are refused, subscribers lose history, but are never wrong. */
static void memory_fails(void **state)
{
	static const char *const TEXTS[] = { "SELECT * FROM t", "SELECT v FROM t WHERE g = 3",
		"SELECT * FROM u WHERE id = 4" };
	struct lf_options o = lf_options_default();
	struct world w = { .shards = 2, .chance = { 5 } };
	struct follower followers[6];
	unsigned slow = 0, gaps = 0;

	(void)state;
	o.projectors = w.shards;
	o.stepped = true;
	o.history = 8192; /* in small pieces, which are asked for often */
	assert_int_equal(lf_engine_open(&w.f.engine, &o, &w.f.error), 0);
	assert_int_equal(lf_port_open(&w.f.port, w.f.engine, NULL, NULL, &w.f.error), 0);
	run(&w.f,
		"CREATE TABLE t (id int PRIMARY KEY, g int, v int NOT NULL, s text);"
		"CREATE TABLE u (id int, line int, w int, PRIMARY KEY (id, line))");
	for (unsigned i = 0; i < NCOMMANDS; i++)
		w.commands[i] = prepare(&w.f, COMMANDS[i]);
	for (unsigned i = 0; i < 3; i++)
		w.queries[i] = prepare(&w.f, TEXTS[i]);
	for (unsigned i = 0; i < 6; i++)
		begin(&w.f, &followers[i], w.queries[i % 3], i >= 3, 0);
	for (unsigned r = 0; r < 600; r++) {
		if (below(&w.chance, 3) == 0)
			heap_fail_after(
				projector_heap(
					w.f.engine->set.projectors[below(&w.chance, w.shards)]),
				1 + below(&w.chance, 12));
		submit_some(&w);
		for (unsigned s = 0; s < w.shards; s++)
			heap_fail_after(projector_heap(w.f.engine->set.projectors[s]), 0);
		lf_settle(w.f.engine);
		(void)lf_poll(w.f.port, any_reply, NULL);
		for (unsigned i = 0; i < 6; i++) {
			struct follower *p = &followers[i];

			(void)pin(&w.f);
			if (!read_all(&w.f, p)) {
				assert_int_equal(w.f.error.code, ERR_SLOW_SUBSCRIBER);
				assert_false(p->latest);
				end(p);
				begin(&w.f, p, p->query, false, 0);
				slow++;
			} else {
				struct rows there = asked(&w.f, p->query, NONE);

				assert_int_equal(p->rows.n, there.n);
				assert_true(p->rows.sum == there.sum);
			}
			lf_read_end(w.f.port);
		}
	}
	for (unsigned i = 0; i < 6; i++) {
		gaps += followers[i].gaps;
		end(&followers[i]);
	}
	assert_true(slow > 0 && gaps > 0);
	for (unsigned i = 0; i < NCOMMANDS; i++)
		lf_release(w.f.engine, w.commands[i]);
	for (unsigned i = 0; i < 3; i++)
		lf_release(w.f.engine, w.queries[i]);
	close_fixture(&w.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(insert_change_delete),
		cmocka_unit_test(latest_is_one_change),
		cmocka_unit_test(refused_queries),
		cmocka_unit_test(schema_changes),
		cmocka_unit_test(resume),
		cmocka_unit_test(memory_fails),
		cmocka_unit_test(adds_up),
		cmocka_unit_test(adds_up_with_little_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
