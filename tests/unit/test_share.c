/*
 * test_share.c: sub-plans that several views have in common: who has which, what is told of it, failures, and random schema
 * changes and commands, after which each view is compared with its query.
 */
#include "tests/unit/data_fixture.h"

enum { SEEDS = 6 };

static const char SCHEMA[] = "CREATE TABLE t (id int PRIMARY KEY, g int, v int);"
			     "CREATE TABLE u (id int PRIMARY KEY, t int, w int);"
			     "CREATE TABLE d (g int PRIMARY KEY, label text);";

static void open_of(struct fixture *f, unsigned projectors, uint64_t at_once)
{
	struct lf_options o = lf_options_default();

	o.projectors = projectors;
	o.stepped = true;
	o.build_at_once = at_once;
	o.build_slice = 3;
	assert_int_equal(lf_engine_open(&f->engine, &o, &f->error), 0);
	assert_int_equal(lf_port_open(&f->port, f->engine, NULL, NULL, &f->error), 0);
	run(f, SCHEMA);
}

__attribute__((format(printf, 2, 3))) static void runf(struct fixture *f, const char *fmt, ...)
{
	char text[4096];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	run(f, text);
}

static uint64_t seed_now; /* of test_at_random */

/* A view against its query. */
static void check_view(struct fixture *f, const char *name, const char *query)
{
	char text[4096], rows[TEXT_MAX] = "";

	(void)snprintf(text, sizeof(text),
		"SELECT count(*) FROM ((SELECT * FROM %s EXCEPT ALL (%s)) UNION ALL ((%s) EXCEPT ALL SELECT * FROM %s)) AS x",
		name, query, query, name);
	if (lf_run(f->port, text, strlen(text), NULL, add_row, rows, &f->error) != 0)
		fail_msg("seed %llu, %s: %s", (unsigned long long)seed_now, name, f->error.message);
	if (strcmp(rows, "0") != 0)
		fail_msg("seed %llu, %s: %s rows differ", (unsigned long long)seed_now, name, rows);
}

static void fill(struct fixture *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		runf(f, "INSERT INTO t VALUES (%u, %u, %u) ON CONFLICT DO NOTHING", i, i % 7, i);
		runf(f, "INSERT INTO u VALUES (%u, %u, %u) ON CONFLICT DO NOTHING", i, i * 3 % n,
			i % 5);
	}
	for (unsigned i = 0; i < 7; i++)
		runf(f, "INSERT INTO d VALUES (%u, 'label %u') ON CONFLICT DO NOTHING", i, i % 3);
}

/* A command with numbers for @0, @1 and @2. */
static void run_numbered(struct fixture *f, const char *text, const unsigned n[3])
{
	char out[512];
	size_t at = 0;

	for (const char *p = text; *p != '\0'; p++)
		if (*p == '@')
			at += (size_t)snprintf(out + at, sizeof(out) - at, "%u", n[*++p - '0']);
		else
			out[at++] = *p;
	out[at] = '\0';
	run(f, out);
}

static void commands(struct fixture *f, uint64_t *random, unsigned n)
{
	static const char *const TEXTS[] = {
		"INSERT INTO t (id, g, v) VALUES (@0, @1, @2) ON CONFLICT (id) DO UPDATE SET g = excluded.g, v = excluded.v",
		"INSERT INTO u (id, t, w) VALUES (@0, @1, @2) ON CONFLICT (id) DO UPDATE SET t = excluded.t, w = excluded.w",
		"INSERT INTO d VALUES (@0 % 12, 'label ' || @1 / 4 || ' ' || @2) ON CONFLICT (g) DO UPDATE SET label = excluded.label",
		"DELETE FROM t WHERE id = @0",
		"DELETE FROM u WHERE id = @0",
		"DELETE FROM d WHERE g = @0 % 12",
		"UPDATE u SET w = NULL WHERE id = @0",
		"UPDATE t SET g = @2 WHERE id = @0",
		"UPDATE t SET g = NULL WHERE id = @0",
		"UPDATE u SET t = @0 WHERE t = @1",
		"INSERT INTO t (id, g, v) VALUES (@1, @2, @0) ON CONFLICT (id) DO NOTHING",
		"INSERT INTO u (id, t, w) VALUES (@1, @0, @2) ON CONFLICT (id) DO NOTHING",
	};

	for (unsigned i = 0; i < n; i++) {
		unsigned numbers[3];

		*random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		numbers[0] = (unsigned)(*random >> 33) % 30;
		numbers[1] = (unsigned)(*random >> 40) % 30;
		numbers[2] = (unsigned)(*random >> 50) % 6;
		run_numbered(
			f, TEXTS[(*random >> 56) % (sizeof(TEXTS) / sizeof(TEXTS[0]))], numbers);
	}
}

static uint64_t number_of(struct fixture *f, const char *query)
{
	char text[TEXT_MAX] = "";

	lf_settle(f->engine);
	assert_int_equal(lf_run(f->port, query, strlen(query), NULL, add_row, text, &f->error), 0);
	return strtoull(text, NULL, 10);
}

/* --- what is told --- */

static const char JOINED[] =
	"SELECT t.id, t.g, u.w, d.label FROM t JOIN u ON u.t = t.id JOIN d ON d.g = t.g";
static const char GROUPED[] =
	"SELECT d.label, sum(u.w) AS s, min(t.id) AS m, max(t.g) AS g FROM t JOIN u ON u.t = t.id JOIN d ON d.g = t.g GROUP BY d.label";
/* The same with other names. */
static const char RENAMED[] =
	"SELECT b.w, sum(a.id) AS s, min(a.g) AS g, max(c.label) AS l FROM t AS a JOIN u AS b ON b.t = a.id JOIN d AS c ON c.g = a.g GROUP BY b.w";

static const char SHARED[] =
	"SELECT view, count(*), count(shared_with), count(*) FILTER (WHERE repeated) FROM leftfold_operators GROUP BY view ORDER BY view";

static void explained(struct fixture *f, const char *query, const char *part)
{
	char text[4 * TEXT_MAX] = "";

	assert_int_equal(lf_run(f->port, query, strlen(query), NULL, add_row, text, &f->error), 0);
	if (strstr(text, part) == NULL)
		fail_msg("%s", text);
}

static void told(unsigned projectors, uint64_t at_once)
{
	struct fixture f;

	open_of(&f, projectors, at_once);
	fill(&f, 40);
	runf(&f, "CREATE MATERIALIZED VIEW a AS %s", JOINED);
	expect(&f, SHARED, "a|7|0|0");
	runf(&f, "CREATE MATERIALIZED VIEW b AS %s", GROUPED);
	expect(&f, SHARED, "a|7|5|0\nb|7|5|5");
	runf(&f, "CREATE MATERIALIZED VIEW c AS %s", RENAMED);
	expect(&f, SHARED, "a|7|5|0\nb|7|5|5\nc|7|5|5");
	expect(&f,
		"SELECT DISTINCT view, shared_with FROM leftfold_operators WHERE kind = 'join' ORDER BY 1",
		"a|b, c\nb|a, c\nc|a, b");
	/* Each has what it shares in full; without what is told twice it is what there is. */
	expect(&f,
		"SELECT v.bytes = sum(o.bytes), v.shared_bytes = sum(o.bytes) FILTER (WHERE o.shared_with <> ''), v.shared_bytes > 0"
		" FROM leftfold_views v JOIN leftfold_operators o ON o.view = v.name GROUP BY v.name, v.bytes, v.shared_bytes",
		"t|t|t\nt|t|t\nt|t|t");
	explained(&f, "EXPLAIN REFRESH MATERIALIZED VIEW c", ", shared with a, b\n");
	close_fixture(&f);
}

static void test_told(void **state)
{
	(void)state;
	told(1, 4096);
	told(1, 0);
	told(3, 4096);
	told(3, 0);
}

/* Views of one join that use other columns share it as wide as the widest needs it; also those that shared before. */
static void widened(unsigned projectors, uint64_t at_once)
{
	static const char *const QUERIES[] = {
		"SELECT count(*) AS n FROM t JOIN u ON u.t = t.id JOIN d ON d.g = t.g",
		"SELECT d.label, count(*) AS n FROM t JOIN u ON u.t = t.id JOIN d ON d.g = t.g GROUP BY d.label",
		"SELECT d.label, count(*) AS n FROM t JOIN u ON u.t = t.id JOIN d ON d.g = t.g GROUP BY d.label",
		"SELECT x.id, x.v FROM t AS x, u AS y, d AS z WHERE y.t = x.id AND z.g = x.g",
		"SELECT max(y.w) AS w FROM t AS x, u AS y, d AS z WHERE z.g = x.g AND y.t = x.id",
	};
	enum { N = sizeof(QUERIES) / sizeof(QUERIES[0]) };
	uint64_t random = 9;
	struct fixture f;

	open_of(&f, projectors, at_once);
	fill(&f, 30);
	for (unsigned i = 0; i < N; i++) {
		runf(&f, "CREATE MATERIALIZED VIEW w%u AS %s", i, QUERIES[i]);
		commands(&f, &random, 10);
		for (unsigned k = 0; k <= i; k++) {
			char name[8];

			(void)snprintf(name, sizeof(name), "w%u", k);
			check_view(&f, name, QUERIES[k]);
		}
	}
	/* Two joins are there, however many views say so; of the same group one. */
	expect(&f,
		"SELECT kind, count(*), count(*) FILTER (WHERE NOT repeated), count(DISTINCT bytes) FROM leftfold_operators"
		" WHERE kind IN ('join', 'group') GROUP BY kind ORDER BY kind",
		"group|4|3|3\njoin|10|2|2");
	/* A column that only a view that is gone had used goes, and another comes. */
	run(&f, "DROP MATERIALIZED VIEW w3; ALTER TABLE t DROP COLUMN v; ALTER TABLE t ADD COLUMN v int DEFAULT 4");
	commands(&f, &random, 40);
	check_view(&f, "w0", QUERIES[0]);
	check_view(&f, "w1", QUERIES[1]);
	runf(&f, "CREATE MATERIALIZED VIEW w3 AS %s", QUERIES[3]);
	commands(&f, &random, 40);
	check_view(&f, "w3", QUERIES[3]);
	check_view(&f, "w4", QUERIES[4]);
	close_fixture(&f);
}

/* What a join keeps for a view that is gone, of a column that is gone, goes as it came. */
static void test_leftovers(void **state)
{
	static const char HELD[] = "SELECT sum(bytes) FROM leftfold_operators WHERE kind = 'join'";
	uint64_t empty, full;
	struct fixture f;

	(void)state;
	open_of(&f, 1, 4096);
	run(&f,
		"CREATE MATERIALIZED VIEW wide AS SELECT t.id, t.v FROM t JOIN u ON u.t = t.id;"
		"CREATE MATERIALIZED VIEW narrow AS SELECT count(*) AS n FROM t JOIN u ON u.t = t.id;"
		"DROP MATERIALIZED VIEW wide");
	fill(&f, 1);
	empty = number_of(&f, HELD);
	fill(&f, 300);
	full = number_of(&f, HELD);
	assert_true(full > empty + 300 * 64);
	run(&f, "ALTER TABLE t DROP COLUMN v; ALTER TABLE t ADD COLUMN more int; DELETE FROM t; DELETE FROM u");
	expect(&f, "SELECT n FROM narrow", "0");
	/* It has had to take all that goes at once; else each row would be there twice. */
	assert_true(number_of(&f, HELD) < full + 300 * 64);
	close_fixture(&f);
}

/* A view with the same in it twice has it once, and is told so. */
static void test_twice(void **state)
{
	static const char QUERY[] =
		"SELECT a.g, b.n FROM (SELECT g, count(*) AS n FROM t GROUP BY g) AS a JOIN (SELECT g, count(*) AS n FROM t GROUP BY g) AS b"
		" ON b.g = a.n";
	static const char COLUMNS[] =
		"SELECT x.g FROM t AS x JOIN u AS y ON y.t = x.id INTERSECT SELECT y.w FROM t AS x JOIN u AS y ON y.t = x.id";
	uint64_t random = 4;
	struct fixture f;

	(void)state;
	open_of(&f, 1, 4096);
	commands(&f, &random, 50);
	runf(&f, "CREATE MATERIALIZED VIEW one AS %s", QUERY);
	expect(&f,
		"SELECT kind, count(*), count(*) FILTER (WHERE repeated) FROM leftfold_operators GROUP BY kind ORDER BY kind",
		"group|2|1\njoin|1|0\nproject|1|0\npublish|1|0\nscan|2|1");
	expect(&f,
		"SELECT v.bytes = sum(o.bytes) FILTER (WHERE NOT repeated) FROM leftfold_views v JOIN leftfold_operators o ON o.view = v.name GROUP BY v.bytes",
		"t");
	commands(&f, &random, 50);
	check_view(&f, "one", QUERY);
	runf(&f, "CREATE MATERIALIZED VIEW two AS %s; DROP MATERIALIZED VIEW one", QUERY);
	commands(&f, &random, 50);
	check_view(&f, "two", QUERY);
	run(&f, "DROP MATERIALIZED VIEW two");
	/* As many columns of one join, but others. */
	runf(&f, "CREATE MATERIALIZED VIEW three AS %s", COLUMNS);
	run(&f, "ALTER TABLE t ADD COLUMN more int");
	commands(&f, &random, 50);
	check_view(&f, "three", COLUMNS);
	close_fixture(&f);
}

static void test_widened(void **state)
{
	(void)state;
	widened(1, 4096);
	widened(1, 0);
	widened(2, 0);
	widened(3, 4096);
}

/* One new view has two joins of another get wider, after each other. */
static void two_widened(unsigned projectors, uint64_t at_once)
{
	static const char NARROW[] = "SELECT count(*) AS n FROM t FULL JOIN u ON u.t = t.id"
				     " UNION ALL SELECT count(*) FROM t JOIN d ON d.g = t.g";
	static const char WIDE[] =
		"SELECT t.v AS a, u.w AS b, NULL AS c FROM t FULL JOIN u ON u.t = t.id"
		" UNION ALL SELECT t.id, t.v, d.label FROM t JOIN d ON d.g = t.g";
	uint64_t random = 5;
	struct fixture f;

	open_of(&f, projectors, at_once);
	fill(&f, 30);
	runf(&f, "CREATE MATERIALIZED VIEW narrow AS %s", NARROW);
	commands(&f, &random, 10);
	runf(&f, "CREATE MATERIALIZED VIEW wide AS %s", WIDE);
	for (unsigned i = 0; i < 10; i++) {
		commands(&f, &random, 20);
		check_view(&f, "narrow", NARROW);
		check_view(&f, "wide", WIDE);
	}
	expect(&f,
		"SELECT kind, count(*), count(*) FILTER (WHERE NOT repeated) FROM leftfold_operators WHERE kind LIKE '%join' GROUP BY kind ORDER BY kind",
		"full join|2|1\njoin|2|1");
	run(&f, "DROP MATERIALIZED VIEW wide");
	commands(&f, &random, 40);
	check_view(&f, "narrow", NARROW);
	close_fixture(&f);
}

static void test_two_widened(void **state)
{
	(void)state;
	two_widened(1, 4096);
	two_widened(2, 0);
	two_widened(3, 4096);
}

/* --- in any order --- */

static const char *const CHAIN[] = {
	"SELECT t.id, t.g, u.w FROM t JOIN u ON u.t = t.id",
	"SELECT u.w, count(*) AS n, min(t.id) AS m, max(t.g) AS g FROM t JOIN u ON u.t = t.id GROUP BY u.w",
	"SELECT s.w, s.n, d.label FROM (SELECT u.w, count(*) AS n, min(t.id) AS m, max(t.g) AS g FROM t JOIN u ON u.t = t.id"
	" GROUP BY u.w) AS s JOIN d ON d.g = s.n",
	"SELECT s.n, count(*) AS c, max(d.label) AS l, min(s.w) AS w FROM (SELECT u.w, count(*) AS n, min(t.id) AS m, max(t.g) AS g"
	" FROM t JOIN u ON u.t = t.id GROUP BY u.w) AS s JOIN d ON d.g = s.n GROUP BY s.n",
};
enum { CHAINED = 4 };

static void chain_check(struct fixture *f, unsigned there)
{
	for (unsigned i = 0; i < CHAINED; i++) {
		char name[8];

		(void)snprintf(name, sizeof(name), "v%u", i);
		if (there >> i & 1)
			check_view(f, name, CHAIN[i]);
	}
	/* What is there but once, is held but once. */
	expect(f,
		"SELECT count(*) FROM leftfold_operators WHERE shared_with IS NOT NULL AND"
		" shared_with NOT LIKE 'v%'",
		"0");
}

/* Made in one order, dropped in another; each the number of a permutation. */
static void chain(unsigned projectors, unsigned made, unsigned dropped)
{
	uint64_t random = made * 31 + dropped;
	unsigned left[CHAINED], there = 0;
	struct fixture f;

	open_of(&f, projectors, made % 2 == 0 ? 0 : 4096);
	commands(&f, &random, 60);
	for (unsigned i = 0; i < CHAINED; i++)
		left[i] = i;
	for (unsigned n = CHAINED; n > 0; made /= n, n--) {
		unsigned v = left[made % n];

		left[made % n] = left[n - 1];
		there |= 1U << v;
		runf(&f, "CREATE MATERIALIZED VIEW v%u AS %s", v, CHAIN[v]);
		commands(&f, &random, 10);
		chain_check(&f, there);
	}
	expect(&f, "SELECT count(*) > 0 FROM leftfold_operators WHERE shared_with LIKE '%,%,%'",
		"t");
	for (unsigned i = 0; i < CHAINED; i++)
		left[i] = i;
	for (unsigned n = CHAINED; n > 0; dropped /= n, n--) {
		unsigned v = left[dropped % n];

		left[dropped % n] = left[n - 1];
		there &= ~(1U << v);
		runf(&f, "DROP MATERIALIZED VIEW v%u", v);
		/* The last one has what it uses for itself. */
		expect(&f, "SELECT sum(shared_bytes) > 0 FROM leftfold_views",
			n > 2            ? "t"
				: n == 2 ? "f"
					 : "");
		commands(&f, &random, 10);
		chain_check(&f, there);
	}
	close_fixture(&f);
}

static void test_any_order(void **state)
{
	(void)state;
	for (unsigned made = 0; made < 24; made++)
		for (unsigned p = 1; p <= 3; p += 2)
			chain(p, made, (made * 7 + p) % 24);
}

/* --- failures --- */

static void failures(unsigned projectors)
{
	static const char UPPER[] =
		"SELECT t.id, t.g / (u.w - 100) AS q FROM t JOIN u ON u.t = t.id";
	static const char FIRST[] =
		"SELECT t.id, t.g, u.w FROM t JOIN u ON u.t = t.id AND t.v / (u.id - 100) < 1000";
	static const char SECOND[] =
		"SELECT u.w, count(*) AS n, min(t.id) AS i, max(t.g) AS g FROM t JOIN u ON u.t = t.id AND t.v / (u.id - 100) < 1000 GROUP BY u.w";
	struct fixture f;

	open_of(&f, projectors, 4096);
	fill(&f, 20);
	runf(&f, "CREATE MATERIALIZED VIEW sound AS %s", CHAIN[0]);
	runf(&f, "CREATE MATERIALIZED VIEW upper AS %s", UPPER);
	run(&f, "CREATE MATERIALIZED VIEW over AS SELECT max(id) AS m FROM upper");
	runf(&f, "CREATE MATERIALIZED VIEW first AS %s", FIRST);
	runf(&f, "CREATE MATERIALIZED VIEW second AS %s", SECOND);
	expect(&f,
		"SELECT DISTINCT view, shared_with FROM leftfold_operators WHERE kind = 'join' ORDER BY 1",
		"first|second\nsecond|first\nsound|upper\nupper|sound");
	/* Above what is shared: only the one, and the view over it. */
	run(&f, "UPDATE u SET w = 100 WHERE id = 3; INSERT INTO t VALUES (50, 1, 1); INSERT INTO u VALUES (50, 50, 2)");
	expect(&f, "SELECT name, sqlstate FROM leftfold_views WHERE state = 'failed' ORDER BY name",
		"over|LF004\nupper|22012");
	check_view(&f, "sound", CHAIN[0]);
	check_view(&f, "second", SECOND);
	expect(&f,
		"SELECT sum(bytes) FROM leftfold_operators WHERE view = 'upper' AND kind = 'join'",
		"0");
	/* Within it: all of its users. */
	run(&f, "UPDATE u SET w = 4 WHERE id = 3; INSERT INTO t VALUES (100, 1, 1); INSERT INTO u VALUES (100, 100, 2)");
	expect(&f, "SELECT name, sqlstate FROM leftfold_views WHERE state = 'failed' ORDER BY name",
		"first|22012\nover|LF004\nsecond|22012\nupper|22012");
	check_view(&f, "sound", CHAIN[0]);
	/* Computed anew one by one, and dropped while failed. */
	run(&f, "DELETE FROM u WHERE id = 100; REFRESH MATERIALIZED VIEW upper; REFRESH MATERIALIZED VIEW over");
	check_view(&f, "upper", UPPER);
	run(&f, "REFRESH MATERIALIZED VIEW first");
	check_view(&f, "first", FIRST);
	expect(&f,
		"SELECT count(*) FROM leftfold_operators WHERE view = 'first' AND shared_with IS NOT NULL",
		"0");
	run(&f, "REFRESH MATERIALIZED VIEW second");
	expect(&f,
		"SELECT DISTINCT view, shared_with FROM leftfold_operators WHERE kind = 'join' ORDER BY 1",
		"first|second\nsecond|first\nsound|upper\nupper|sound");
	run(&f, "INSERT INTO u VALUES (100, 100, 2); UPDATE u SET w = 100 WHERE id = 3");
	run(&f, "DROP MATERIALIZED VIEW second; DELETE FROM u WHERE id = 100; REFRESH MATERIALIZED VIEW first");
	check_view(&f, "first", FIRST);
	run(&f, "DROP MATERIALIZED VIEW sound; INSERT INTO t VALUES (51, 2, 1)");
	check_view(&f, "first", FIRST);
	run(&f, "DELETE FROM u WHERE id = 3; REFRESH MATERIALIZED VIEW upper; INSERT INTO u VALUES (51, 51, 9)");
	check_view(&f, "upper", UPPER);
	close_fixture(&f);
}

static void test_failures(void **state)
{
	(void)state;
	for (unsigned p = 1; p <= 3; p++)
		failures(p);
}

/* What nobody uses any more is freed, though its views are still there. */
static void test_nobody(void **state)
{
	static const char ALL[] = "SELECT sum(bytes) FROM leftfold_shards";
	uint64_t before, shared;
	struct fixture f;

	(void)state;
	open_of(&f, 1, 4096);
	fill(&f, 200);
	run(&f,
		"CREATE MATERIALIZED VIEW a AS SELECT t.id, t.g / (u.w - 100) AS q FROM t JOIN u ON u.t = t.id;"
		"CREATE MATERIALIZED VIEW b AS SELECT t.id, t.g / (u.w - 200) AS q FROM t JOIN u ON u.t = t.id");
	run(&f, "UPDATE u SET w = 100 WHERE id = 3");
	expect(&f, "SELECT name, state, shared_bytes > 16384 FROM leftfold_views ORDER BY name",
		"a|failed|f\nb|ok|t");
	before = number_of(&f, ALL);
	shared = number_of(&f, "SELECT shared_bytes FROM leftfold_views WHERE name = 'b'");
	run(&f, "UPDATE u SET w = 200 WHERE id = 3");
	expect(&f, "SELECT name, state FROM leftfold_views ORDER BY name", "a|failed\nb|failed");
	assert_true(number_of(&f, ALL) + shared < before);
	run(&f, "UPDATE u SET w = 3 WHERE id = 3; REFRESH MATERIALIZED VIEW a; REFRESH MATERIALIZED VIEW b");
	expect(&f, "SELECT name, state, shared_bytes > 16384 FROM leftfold_views ORDER BY name",
		"a|ok|t\nb|ok|t");
	close_fixture(&f);
}

/* A view's limit is compared with all that it uses, and takes it alone away. */
static void test_limit(void **state)
{
	struct fixture f;

	(void)state;
	open_of(&f, 2, 4096);
	fill(&f, 20);
	runf(&f, "CREATE MATERIALIZED VIEW free AS %s", CHAIN[1]);
	runf(&f, "CREATE MATERIALIZED VIEW bound WITH (memory_limit = '128kB') AS %s", CHAIN[0]);
	expect(&f, "SELECT name, shared_bytes > 0 FROM leftfold_views ORDER BY 1",
		"bound|t\nfree|t");
	for (unsigned i = 100; i < 1000; i++) {
		runf(&f, "INSERT INTO t VALUES (%u, 1, 1)", i);
		runf(&f, "INSERT INTO u VALUES (%u, %u, 1)", i, i);
	}
	expect(&f, "SELECT name, state, sqlstate FROM leftfold_views ORDER BY 1",
		"bound|failed|53200\nfree|ok|");
	check_view(&f, "free", CHAIN[1]);
	run(&f, "ALTER MATERIALIZED VIEW bound RESET (memory_limit); REFRESH MATERIALIZED VIEW bound");
	expect(&f, "SELECT name, shared_bytes > 0 FROM leftfold_views ORDER BY 1",
		"bound|t\nfree|t");
	check_view(&f, "bound", CHAIN[0]);
	close_fixture(&f);
}

/* --- tables that change --- */

static void altered(unsigned projectors)
{
	uint64_t random = 5;
	struct fixture f;

	open_of(&f, projectors, 4096);
	commands(&f, &random, 80);
	for (unsigned i = 0; i < CHAINED; i++)
		runf(&f, "CREATE MATERIALIZED VIEW v%u AS %s", i, CHAIN[i]);
	run(&f, "ALTER TABLE t ADD COLUMN more int DEFAULT 7, DROP COLUMN v; ALTER TABLE t ADD COLUMN v int");
	commands(&f, &random, 20);
	chain_check(&f, 15);
	/* The first of them had lent what the others use. */
	run(&f, "DROP MATERIALIZED VIEW v0; ALTER TABLE u ADD COLUMN more text DEFAULT 'x'; DROP MATERIALIZED VIEW v1");
	commands(&f, &random, 20);
	run(&f, "ALTER TABLE t DROP COLUMN more; ALTER TABLE u ADD COLUMN x int; ALTER TABLE d RENAME TO e; ALTER TABLE e RENAME TO d");
	commands(&f, &random, 20);
	chain_check(&f, 12);
	runf(&f, "CREATE MATERIALIZED VIEW v1 AS %s", CHAIN[1]);
	expect(&f,
		"SELECT DISTINCT view, shared_with FROM leftfold_operators WHERE kind = 'group' AND shared_with <> '' ORDER BY 1",
		"v1|v2, v3\nv2|v3, v1\nv3|v2, v1");
	commands(&f, &random, 20);
	chain_check(&f, 14);
	close_fixture(&f);
}

static void test_altered(void **state)
{
	(void)state;
	for (unsigned p = 1; p <= 3; p++)
		altered(p);
}

/* --- at random --- */

static const struct definition {
	const char *query;
	const char *key; /* of its unique index; NULL: none */
} POOL[] = {
	{ "SELECT t.id, t.g, u.w FROM t JOIN u ON u.t = t.id", NULL },
	{ "SELECT u.w, count(*) AS n, min(t.id) AS m, max(t.g) AS g FROM t JOIN u ON u.t = t.id GROUP BY u.w",
		"w" },
	{ "SELECT a.g, sum(b.w) AS s, max(a.id) AS m FROM t AS a JOIN u AS b ON b.t = a.id GROUP BY a.g",
		"g" },
	{ "SELECT a.g, sum(b.w) AS s, max(a.id) AS m FROM t AS a JOIN u AS b ON b.t = a.id GROUP BY a.g HAVING count(*) > 1",
		NULL },
	{ "SELECT d.label, d.g, u.w, t.id FROM t JOIN u ON u.t = t.id JOIN d ON d.g = t.g", NULL },
	{ "SELECT d.label, count(*) AS c, max(t.id) AS i, sum(u.w) AS w, max(d.g) AS g FROM t JOIN u ON u.t = t.id JOIN d ON d.g = t.g"
	  " GROUP BY d.label",
		"label" },
	{ "SELECT d.label, d.g, s.n FROM d JOIN (SELECT g, count(*) AS n FROM t GROUP BY g) AS s ON s.g = d.g",
		NULL },
	{ "SELECT g, count(*) AS n FROM t GROUP BY g", "g" },
	{ "SELECT s.n, count(*) AS k FROM (SELECT g, count(*) AS n FROM t GROUP BY g) AS s GROUP BY s.n",
		"n" },
	{ "SELECT t.id, u.w, u.id AS u FROM t LEFT JOIN u ON u.t = t.id", NULL },
	{ "SELECT count(*) AS n, sum(u.w) AS s, max(t.id) AS i, min(u.id) AS m FROM t LEFT JOIN u ON u.t = t.id",
		NULL },
	{ "SELECT u.w, count(*) AS n, count(t.id) AS i, min(u.id) AS m FROM t FULL JOIN u ON u.t = t.id GROUP BY u.w",
		NULL },
	{ "SELECT count(t.id) AS i, min(u.id) AS m, max(u.w) AS w FROM t FULL JOIN u ON u.t = t.id",
		NULL },
	{ "SELECT g, id, row_number() OVER (PARTITION BY g ORDER BY id) AS r FROM t", NULL },
	{ "SELECT s.r, count(*) AS c, min(s.id) AS i FROM (SELECT g, id, row_number() OVER (PARTITION BY g ORDER BY id) AS r FROM t) AS s"
	  " GROUP BY s.r",
		"r" },
	{ "SELECT x, count(*) AS c FROM (SELECT g AS x FROM t UNION ALL SELECT w FROM u) AS s GROUP BY x",
		"x" },
	{ "SELECT s.x, s.c, d.label FROM (SELECT x, count(*) AS c FROM (SELECT g AS x FROM t UNION ALL SELECT w FROM u) AS s GROUP BY x)"
	  " AS s JOIN d ON d.g = s.x",
		NULL },
	{ "SELECT DISTINCT g FROM t WHERE g > 1 AND id > 3", NULL },
	{ "SELECT count(*) AS n FROM (SELECT DISTINCT g FROM t WHERE id > 3 AND g > 1) AS s",
		NULL },
	{ "SELECT id, v FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.t = t.id)", NULL },
	{ "SELECT sum(v) AS s, max(id) AS m FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.t = t.id)",
		NULL },
	/* Nearly those above. */
	{ "SELECT DISTINCT g FROM t WHERE g > 2 AND id > 3", NULL },
	{ "SELECT t.id, t.g, u.w FROM t JOIN u ON u.t = t.id WHERE u.w > 2", NULL },
	{ "SELECT t.id, t.g, u.w FROM t JOIN u ON u.t = t.id AND u.w < t.g", NULL },
	{ "SELECT g, id, row_number() OVER (PARTITION BY g ORDER BY id DESC) AS r FROM t", NULL },
	{ "SELECT g, count(*) AS n FROM t GROUP BY g HAVING count(*) > 1", NULL },
	/* Twice in one view. */
	{ "SELECT x.g FROM t AS x JOIN u AS y ON y.t = x.id INTERSECT SELECT y.w FROM t AS x JOIN u AS y ON y.t = x.id",
		"g" },
	{ "SELECT a.g, b.n FROM (SELECT g, count(*) AS n FROM t GROUP BY g) AS a JOIN (SELECT g, count(*) AS n FROM t GROUP BY g) AS b"
	  " ON b.g = a.n",
		NULL },
	/* The joins of those above, with more columns and with fewer. */
	{ "SELECT x.v, y.id FROM t AS x JOIN u AS y ON y.t = x.id", NULL },
	{ "SELECT count(*) AS n FROM t JOIN u ON u.t = t.id", NULL },
	{ "SELECT x.v, sum(y.id) AS s FROM t AS x, u AS y WHERE y.t = x.id GROUP BY x.v", "v" },
	{ "SELECT x.v, sum(y.id) AS s FROM t AS x, u AS y WHERE y.t = x.id GROUP BY x.v HAVING sum(y.id) > 9",
		"v" },
	{ "SELECT x.v, x.g, y.id FROM t AS x LEFT JOIN u AS y ON y.t = x.id", NULL },
	{ "SELECT y.id, x.v, d.g FROM t AS x JOIN u AS y ON y.t = x.id JOIN d ON d.g = x.g", NULL },
	{ "SELECT a.v, min(b.v) AS m FROM t AS a JOIN t AS b ON b.g = a.g AND a.id < b.id GROUP BY a.v",
		"v" },
	{ "SELECT a.id, b.id AS other FROM t AS a JOIN t AS b ON b.g = a.g AND a.id < b.id", NULL },
	{ "SELECT a.id, count(*) AS n, max(b.id) AS m FROM t AS a JOIN t AS b ON b.g = a.g AND a.id < b.id GROUP BY a.id",
		"id" },
	/* Two of them in one view. */
	{ "SELECT count(*) AS n FROM t FULL JOIN u ON u.t = t.id UNION ALL SELECT count(*) FROM t JOIN u ON u.t = t.id",
		NULL },
	{ "SELECT t.v AS a, u.id AS b FROM t FULL JOIN u ON u.t = t.id UNION ALL SELECT t.v, u.w FROM t JOIN u ON u.t = t.id",
		NULL },
};
enum { POOLED = sizeof(POOL) / sizeof(POOL[0]) };

static void pool_check(struct fixture *f, uint64_t there)
{
	for (unsigned i = 0; i < POOLED; i++) {
		char name[8];

		(void)snprintf(name, sizeof(name), "p%u", i);
		if (there >> i & 1)
			check_view(f, name, POOL[i].query);
	}
}

static void toggle(struct fixture *f, uint64_t *there, unsigned i, bool keyed)
{
	*there ^= UINT64_C(1) << i;
	if (!(*there >> i & 1)) {
		runf(f, "DROP MATERIALIZED VIEW p%u", i);
		return;
	}
	runf(f, "CREATE MATERIALIZED VIEW p%u AS %s", i, POOL[i].query);
	if (keyed && POOL[i].key != NULL)
		runf(f, "CREATE UNIQUE INDEX ON p%u (%s)", i, POOL[i].key);
}

static void at_random(unsigned projectors, uint64_t seed, uint64_t at_once)
{
	uint64_t random = seed, there = 0;
	struct fixture f;

	seed_now = seed;
	open_of(&f, projectors, at_once);
	for (unsigned round = 0; round < 60; round++) {
		commands(&f, &random, 5);
		toggle(&f, &there, (unsigned)(random >> 20) % POOLED, random >> 60 & 1);
		if (round % 6 == 5)
			pool_check(&f, there);
		if (round % 20 == 19)
			run(&f, "ALTER TABLE t ADD COLUMN more int DEFAULT 7; ALTER TABLE t DROP COLUMN more");
	}
	commands(&f, &random, 20);
	pool_check(&f, there);
	close_fixture(&f);
}

static void test_at_random(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < SEEDS; seed++)
		at_random(1 + seed % 3, seed * 77 + 1, seed % 2 == 0 ? 0 : 4096);
}

/* --- after a restart --- */

static void recovered(unsigned projectors)
{
	uint64_t random = 3, there = 0;
	struct bed b;

	make_bed(&b, projectors);
	run(&b.f, SCHEMA);
	commands(&b.f, &random, 80);
	for (unsigned i = 0; i < POOLED; i++)
		toggle(&b.f, &there, i, i % 2 == 0);
	for (unsigned p = 1; p <= 3; p++) {
		again(&b, p);
		expect(&b.f, "SELECT count(*) > 20 FROM leftfold_operators WHERE repeated", "t");
		pool_check(&b.f, there);
		commands(&b.f, &random, 20);
		pool_check(&b.f, there);
		for (unsigned i = p; i < POOLED; i += 3)
			toggle(&b.f, &there, i, i % 2 == 0);
		commands(&b.f, &random, 20);
		pool_check(&b.f, there);
		for (unsigned i = p; i < POOLED; i += 3)
			toggle(&b.f, &there, i, i % 2 == 0);
	}
	close_fixture(&b.f);
	burn_bed(&b);
}

static void test_recovered(void **state)
{
	(void)state;
	recovered(1);
	recovered(3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_leftovers),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_widened),
		cmocka_unit_test(test_two_widened),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_altered),
		cmocka_unit_test(test_at_random),
		cmocka_unit_test(test_recovered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
