/*
 * test_free.c: what DROP, a new key, a failure leave is freed in slices: no step of a projector gives back more than a
 * bounded number of bytes, while commands go on, and in the end all of it has come back.
 */
#include "core/engine_internal.h"
#include "tests/unit/engine_fixture.h"

enum {
	SIDE = 160,         /* the table has SIDE * SIDE rows */
	SLICE_MAX = 300000, /* bytes that one step may give back */
	TOTAL_MIN = 1000000 /* … of at least so many, or the test shows nothing */
};

struct bed {
	struct fixture f;
	unsigned shards;
};

static uint64_t used(const struct bed *b, unsigned shard)
{
	return heap_used(projector_heap(b->f.engine->set.projectors[shard]));
}

static uint64_t used_by_all(const struct bed *b)
{
	uint64_t n = 0;

	for (unsigned s = 0; s < b->shards; s++)
		n += used(b, s);
	return n;
}

static void open_bed(struct bed *b, unsigned shards, uint64_t memory_limit)
{
	struct lf_options o = lf_options_default();

	memset(b, 0, sizeof(*b));
	b->shards = o.projectors = shards;
	o.stepped = true;
	o.memory_limit = memory_limit;
	/* In slices too, so that what gathers rows between operators is small: a block is freed at once. */
	o.build_at_once = 0;
	o.build_slice = 1;
	assert_int_equal(lf_engine_open(&b->f.engine, &o, &b->f.error), 0);
	assert_int_equal(lf_port_open(&b->f.port, b->f.engine, NULL, NULL, &b->f.error), 0);
	run(&b->f, "CREATE TABLE n (id int PRIMARY KEY)");
	for (unsigned i = 0; i < SIDE; i++) {
		char text[64];

		(void)snprintf(text, sizeof(text), "INSERT INTO n VALUES (%u)", i);
		run(&b->f, text);
	}
}

static void fill(struct bed *b)
{
	run(&b->f,
		"CREATE TABLE t (id int PRIMARY KEY, g int, v int, note text);"
		"INSERT INTO t SELECT a.id * 160 + b.id, a.id % 7, b.id, 'note of ' || b.id FROM n a, n b WHERE a.id < 80;"
		"INSERT INTO t SELECT a.id * 160 + b.id, a.id % 7, b.id, 'note of ' || b.id FROM n a, n b WHERE a.id >= 80");
	lf_settle(b->f.engine);
}

static void on_reply(void *arg, const struct lf_reply *reply)
{
	if (reply->error != NULL)
		fail_msg("%s", reply->error->message);
	if (reply->tag == 1)
		*(bool *)arg = true;
}

/* A step of everybody; returns the bytes that came back. No step may give back more than a slice. */
static uint64_t step_all(struct bed *b)
{
	uint64_t back = 0;

	for (unsigned step = 0; step <= b->shards; step++) {
		uint64_t before = used_by_all(b), after;

		(void)lf_step(b->f.engine, step);
		after = used_by_all(b);
		if (after + SLICE_MAX <= before)
			fail_msg("step %u gave back %lu", step, (unsigned long)(before - after));
		back += after < before ? before - after : 0;
	}
	return back;
}

/* Execute a schema change, with a command between any two steps, until nothing more is freed. */
static void change_in_slices(struct bed *b, const char *text, uint64_t at_least)
{
	struct statement *s[] = { prepare(&b->f,
					  "INSERT INTO n VALUES (1000) ON CONFLICT DO NOTHING"),
		prepare(&b->f, text) };
	uint64_t none[2] = { 0 }, freed = 0;
	bool done = false;

	row_encode(&s[0]->param_layout, NULL, none);
	/* What versions and segments were replaced before is none of it. */
	for (unsigned i = 0; i < 20; i++)
		run(&b->f, "DELETE FROM n WHERE id = 1001");
	assert_int_equal(lf_submit(b->f.port, s[1], none, 1, LF_VISIBLE, &b->f.error), 0);
	for (unsigned idle = 0; !done || idle < 4;) {
		uint64_t back;

		assert_int_equal(lf_submit(b->f.port, s[0], none, 0, LF_ACCEPTED, &b->f.error), 0);
		lf_flush(b->f.port);
		back = step_all(b);
		(void)lf_poll(b->f.port, on_reply, &done);
		freed += back;
		idle = done && back < 1000 ? idle + 1 : 0;
	}
	for (unsigned i = 0; i < 2; i++)
		lf_release(b->f.engine, s[i]);
	if (freed < at_least)
		fail_msg("%s: %lu", text, (unsigned long)freed);
}

static const char *const VIEWS[] = {
	/* groups; one group of many values */
	"SELECT id, sum(v) AS s, max(note) AS m FROM t GROUP BY id",
	"SELECT g, min(note || id) AS a, max(note || id) AS b, count(DISTINCT id) AS c FROM t GROUP BY g",
	/* both sides of a join, with many rows of a key */
	"SELECT a.id, b.v FROM t a JOIN n ON n.id = a.id JOIN t b ON b.v = a.id",
	"SELECT t.id, n.id AS other FROM t LEFT JOIN n ON n.id = t.g + 500",
	/* partitions, few large ones and many small ones; functions and the first rows */
	"SELECT id, g, row_number() OVER (PARTITION BY g ORDER BY id) AS r, lag(note) OVER (PARTITION BY g ORDER BY id) AS l FROM t",
	"SELECT id, count(*) OVER (PARTITION BY id) AS c FROM t",
	"SELECT DISTINCT ON (v) v, id, note FROM t ORDER BY v, id",
	/* rows without a key, as often as they occur */
	"SELECT note, id FROM t",
};

static void test_views(void **state)
{
	(void)state;
	for (unsigned shards = 1; shards <= 2; shards++) {
		struct bed b;

		open_bed(&b, shards, 0);
		fill(&b);
		for (unsigned i = 0; i < sizeof(VIEWS) / sizeof(VIEWS[0]); i++) {
			uint64_t before = used_by_all(&b);
			char text[512];

			(void)snprintf(
				text, sizeof(text), "CREATE MATERIALIZED VIEW w AS %s", VIEWS[i]);
			run(&b.f, text);
			lf_settle(b.f.engine);
			change_in_slices(&b, "DROP MATERIALIZED VIEW w", TOTAL_MIN);
			/* But for what other things have kept of it: the list of what is to be retired, say. */
			assert_true(used_by_all(&b) < before + 700000);
		}
		close_fixture(&b.f);
	}
}

static void test_tables_and_indexes(void **state)
{
	struct bed b;
	uint64_t before;

	(void)state;
	open_bed(&b, 2, 0);
	before = used_by_all(&b);
	fill(&b);
	run(&b.f, "CREATE INDEX by_note ON t (note, id); CREATE INDEX by_v ON t USING hash (v)");
	change_in_slices(&b, "DROP INDEX by_note", TOTAL_MIN);
	change_in_slices(&b, "DROP INDEX by_v", TOTAL_MIN);
	run(&b.f, "CREATE INDEX by_note ON t (note, id); CREATE INDEX by_v ON t USING hash (v)");
	change_in_slices(&b, "DROP TABLE t", 3 * TOTAL_MIN);
	assert_true(used_by_all(&b) < before + 700000);
	close_fixture(&b.f);
}

/* The rows, and all that computes them, are made anew beside the old ones. */
static void test_key(void **state)
{
	struct bed b;

	(void)state;
	open_bed(&b, 1, 0);
	fill(&b);
	run(&b.f, "CREATE MATERIALIZED VIEW w AS SELECT id, max(note) AS note FROM t GROUP BY id");
	change_in_slices(&b, "CREATE UNIQUE INDEX ON w (id)", TOTAL_MIN);
	expect(&b.f, "SELECT note FROM w WHERE id = 161", "note of 1");
	change_in_slices(&b, "DROP MATERIALIZED VIEW w", TOTAL_MIN);
	close_fixture(&b.f);
}

/* A view that fails, and then REFRESH of it, and a second failure before all of the first is free. */
static void test_failure(void **state)
{
	struct bed b;

	(void)state;
	open_bed(&b, 2, 0);
	fill(&b);
	run(&b.f,
		"CREATE MATERIALIZED VIEW w AS SELECT id, max(note) AS note FROM t GROUP BY id;"
		"CREATE UNIQUE INDEX ON w (id); CREATE INDEX ON w (note)");
	lf_settle(b.f.engine);
	change_in_slices(&b, "ALTER MATERIALIZED VIEW w SET (memory_limit = '1kB')", TOTAL_MIN);
	expect(&b.f, "SELECT state, sqlstate, rows FROM leftfold_views", "failed|53200|0");
	run(&b.f, "ALTER MATERIALIZED VIEW w RESET (memory_limit); REFRESH MATERIALIZED VIEW w");
	expect(&b.f, "SELECT note FROM w WHERE id = 161", "note of 1");
	run(&b.f, "ALTER MATERIALIZED VIEW w SET (memory_limit = '1kB')");
	(void)lf_step(b.f.engine, 0);
	run(&b.f, "ALTER MATERIALIZED VIEW w RESET (memory_limit); REFRESH MATERIALIZED VIEW w");
	run(&b.f, "ALTER MATERIALIZED VIEW w SET (memory_limit = '1kB')");
	change_in_slices(&b, "DROP MATERIALIZED VIEW w", 0);
	expect(&b.f, "SELECT count(*) FROM t", "25600");
	close_fixture(&b.f);
}

/* What was dropped is the room for what comes next, also when that comes at once. */
static void test_memory_limit(void **state)
{
	struct bed b;
	uint64_t first;

	(void)state;
	open_bed(&b, 1, 16 << 20);
	fill(&b);
	run(&b.f, "CREATE MATERIALIZED VIEW w AS SELECT id, max(note) AS note FROM t GROUP BY id");
	first = used_by_all(&b);
	for (unsigned i = 0; i < 5; i++) {
		run(&b.f,
			"DROP MATERIALIZED VIEW w; CREATE MATERIALIZED VIEW w AS SELECT id, max(note) AS note FROM t GROUP BY id");
		assert_true(used_by_all(&b) < first + 300000);
	}
	assert_true(3 * first > 16 << 20);
	close_fixture(&b.f);
}

static const char GROUPS[] = "SELECT id, sum(v) AS s, max(note) AS m FROM t GROUP BY id";

static void view(struct bed *b, const char *name)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "CREATE MATERIALIZED VIEW %s AS %s", name, GROUPS);
	run(&b->f, text);
	lf_settle(b->f.engine);
}

/* What a view had gathered of what it shares from now on, and what was shared by those that are gone or have failed. */
static void shared(unsigned shards)
{
	static const char USERS[] =
		"SELECT view, shared_with FROM leftfold_operators WHERE kind = 'group' ORDER BY 1";
	char text[512];
	struct bed b;
	uint64_t before;

	open_bed(&b, shards, 0);
	fill(&b);
	before = used_by_all(&b);
	view(&b, "w");
	(void)snprintf(text, sizeof(text), "CREATE MATERIALIZED VIEW x AS %s", GROUPS);
	change_in_slices(&b, text, TOTAL_MIN);
	expect(&b.f, USERS, "w|x\nx|w");
	/* Both fail, one after another; and the other is dropped when the one has failed. */
	change_in_slices(&b, "ALTER MATERIALIZED VIEW w SET (memory_limit = '1kB')", TOTAL_MIN);
	change_in_slices(&b, "ALTER MATERIALIZED VIEW x SET (memory_limit = '1kB')", TOTAL_MIN);
	run(&b.f,
		"ALTER MATERIALIZED VIEW w RESET (memory_limit); ALTER MATERIALIZED VIEW x RESET (memory_limit)");
	run(&b.f, "REFRESH MATERIALIZED VIEW w; REFRESH MATERIALIZED VIEW x");
	expect(&b.f, USERS, "w|x\nx|w");
	change_in_slices(&b, "ALTER MATERIALIZED VIEW x SET (memory_limit = '1kB')", 0);
	change_in_slices(&b, "DROP MATERIALIZED VIEW w", TOTAL_MIN);
	run(&b.f, "ALTER MATERIALIZED VIEW x RESET (memory_limit); REFRESH MATERIALIZED VIEW x");
	expect(&b.f, "SELECT m FROM x WHERE id = 161", "note of 1");
	change_in_slices(&b, "DROP MATERIALIZED VIEW x", TOTAL_MIN);
	/* Twice in one view. */
	(void)snprintf(text, sizeof(text),
		"CREATE MATERIALIZED VIEW w AS SELECT a.id, a.s, b.m FROM (%s) a JOIN (%s) b ON b.id = a.id",
		GROUPS, GROUPS);
	change_in_slices(&b, text, TOTAL_MIN);
	expect(&b.f, "SELECT count(*) FILTER (WHERE repeated) > 0 FROM leftfold_operators", "t");
	expect(&b.f, "SELECT m FROM w WHERE id = 161", "note of 1");
	change_in_slices(&b, "DROP MATERIALIZED VIEW w", 3 * TOTAL_MIN);
	assert_true(used_by_all(&b) < before + 300000);
	close_fixture(&b.f);
}

static void test_shared(void **state)
{
	(void)state;
	for (unsigned shards = 1; shards <= 2; shards++)
		shared(shards);
}

/* The engine may end at any moment. */
static void test_close(void **state)
{
	(void)state;
	for (unsigned steps = 0; steps < 40; steps += 3) {
		struct bed b;

		open_bed(&b, 1, 0);
		run(&b.f,
			"CREATE TABLE t (id int PRIMARY KEY, g int, v int, note text);"
			"INSERT INTO t SELECT a.id * 20 + b.id, a.id, b.id, 'x' FROM n a, n b WHERE b.id < 20;"
			"CREATE INDEX ON t (note); CREATE INDEX gone ON t (g)");
		for (unsigned i = 0; i < sizeof(VIEWS) / sizeof(VIEWS[0]); i++) {
			char text[512];

			(void)snprintf(text, sizeof(text), "CREATE MATERIALIZED VIEW w%u AS %s", i,
				VIEWS[i]);
			run(&b.f, text);
		}
		view(&b, "x");
		run(&b.f, "DROP MATERIALIZED VIEW x");
		view(&b, "x");
		for (unsigned i = 0; i < sizeof(VIEWS) / sizeof(VIEWS[0]); i++) {
			char text[64];

			(void)snprintf(text, sizeof(text), "DROP MATERIALIZED VIEW w%u", i);
			run(&b.f, text);
		}
		run(&b.f, "DROP MATERIALIZED VIEW x; DROP INDEX gone; DROP TABLE t");
		for (unsigned i = 0; i < steps; i++)
			(void)lf_step(b.f.engine, 0);
		close_fixture(&b.f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_tables_and_indexes),
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_memory_limit),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
