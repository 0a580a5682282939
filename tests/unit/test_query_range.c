#include "tests/unit/engine_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/hash.h"

enum { ROWS = 300, QUERIES = 1500, PLAN_MAX = 1024 };

static uint64_t seed;

static unsigned draw(unsigned n)
{
	return (unsigned)(hash_u64(++seed) % n);
}

/* --- which access is chosen --- */

static const char PLANS[] =
	"CREATE TABLE t (id bigint PRIMARY KEY, a int, b text, c numeric NOT NULL, d real);"
	"CREATE INDEX t_a_b ON t (a, b DESC);"
	"CREATE INDEX t_c ON t (c);"
	"CREATE INDEX t_hash ON t USING hash (d);"
	"CREATE TABLE v (o bigint, l int, s varchar(5), PRIMARY KEY (o, l));"
	"CREATE INDEX v_o_l ON v (o, s, l DESC NULLS LAST);"
	"CREATE TABLE w (id bigint PRIMARY KEY, a int, b bigint, c int);"
	"CREATE INDEX w_abc ON w (a DESC, b DESC, c DESC);";

static const struct {
	const char *query, *plan;
} CHOICES[] = {
	{ "SELECT 1", "Result" },
	{ "SELECT * FROM t", "Seq Scan on t\n  Shards: all" },
	{ "SELECT * FROM t WHERE id = 7 AND a > 3 ORDER BY a",
		"Index Scan using t_pkey on t\n  Index Cond: (id = 7)\n  Shards: one\n"
		"  Filter: 1 condition\n  Sort Key: 1 column" },
	{ "SELECT * FROM t WHERE id IN (7, 8) AND a = 3",
		"Index Scan using t_pkey on t\n  Index Cond: (id IN 2 values)\n  Shards: all\n"
		"  Filter: 1 condition" },
	/* Equality of the first columns, a bound on the next one, and what else is asked for. */
	{ "SELECT * FROM t WHERE a = 3",
		"Index Scan using t_a_b on t\n  Index Cond: (a = 3)\n  Shards: all" },
	{ "SELECT * FROM t WHERE 'x' = b AND a = 3",
		"Index Scan using t_a_b on t\n  Index Cond: (a = 3 AND b = 'x')\n  Shards: all" },
	{ "SELECT * FROM t WHERE b > 'x' AND a = 3 AND b < 'z' AND b < 'y' AND d = 1",
		"Index Scan using t_a_b on t\n  Index Cond: (a = 3 AND b > 'x' AND b < 'z')\n"
		"  Shards: all\n  Filter: 2 conditions" },
	{ "SELECT * FROM t WHERE a BETWEEN 3 AND 5",
		"Index Scan using t_a_b on t\n  Index Cond: (a >= 3 AND a <= 5)\n  Shards: all" },
	{ "SELECT * FROM t WHERE 3 >= a",
		"Index Scan using t_a_b on t\n  Index Cond: (a <= 3)\n  Shards: all" },
	{ "SELECT * FROM t WHERE a > 5000000000",
		"Index Scan using t_a_b on t\n  Index Cond: (a > 5000000000)\n  Shards: all" },
	{ "SELECT * FROM t WHERE a = 1 AND b LIKE 'ab%c'",
		"Index Scan using t_a_b on t\n"
		"  Index Cond: (a = 1 AND b >= 'ab' AND b < 'ac')\n  Shards: all\n"
		"  Filter: 1 condition" },
	/* Rows, as far as the index goes on in one direction. */
	{ "SELECT * FROM t WHERE (c, id) > (1, 2)",
		"Index Scan using t_c on t\n  Index Cond: (c >= 1)\n  Shards: all\n"
		"  Filter: 1 condition" },
	{ "SELECT * FROM v WHERE o = 4 AND (s, l) < ('x', 3)",
		"Index Scan using v_o_l on v\n  Index Cond: (o = 4 AND s <= 'x')\n"
		"  Shards: one\n  Filter: 1 condition" },
	{ "SELECT * FROM w WHERE (a, b, c) < (1, 2, 3) AND (a, b) >= (0, 5) ORDER BY a DESC, b DESC LIMIT 9",
		"Index Scan using w_abc on w\n"
		"  Index Cond: ((a, b) >= (0, 5) AND (a, b, c) < (1, 2, 3))\n"
		"  Shards: all, merged\n  Filter: 2 conditions\n  Order: by the index\n  Limit" },
	{ "SELECT * FROM w WHERE a >= 1 AND (a > 1 OR b > 7)",
		"Index Scan using w_abc on w\n  Index Cond: ((a, b) > (1, 7))\n"
		"  Shards: all\n  Filter: 1 condition" },
	{ "SELECT * FROM w WHERE a >= 1 AND (a > 2 OR b > 7)",
		"Index Scan using w_abc on w\n  Index Cond: (a >= 1)\n"
		"  Shards: all\n  Filter: 1 condition" },
	/* Not these: another column's, an expression, another type. */
	{ "SELECT * FROM t WHERE b = 'x'", "Seq Scan on t\n  Shards: all\n  Filter: 1 condition" },
	{ "SELECT * FROM t WHERE a + 1 > 3",
		"Seq Scan on t\n  Shards: all\n  Filter: 1 condition" },
	{ "SELECT * FROM t WHERE a > id", "Seq Scan on t\n  Shards: all\n  Filter: 1 condition" },
	{ "SELECT * FROM t WHERE a > 1.5", "Seq Scan on t\n  Shards: all\n  Filter: 1 condition" },
	{ "SELECT * FROM t WHERE a <> 1", "Seq Scan on t\n  Shards: all\n  Filter: 1 condition" },
	{ "SELECT * FROM t WHERE a = 1 OR a = 2",
		"Seq Scan on t\n  Shards: all\n  Filter: 1 condition" },
	{ "SELECT * FROM t WHERE a = 1 AND b LIKE '%x'",
		"Index Scan using t_a_b on t\n  Index Cond: (a = 1)\n  Shards: all\n"
		"  Filter: 1 condition" },
	/* Order. */
	{ "SELECT * FROM t ORDER BY a, b DESC LIMIT 3",
		"Index Scan using t_a_b on t\n  Shards: all, merged\n  Order: by the index\n  Limit" },
	{ "SELECT * FROM t ORDER BY a DESC, b LIMIT 3",
		"Index Scan Backward using t_a_b on t\n  Shards: all, merged\n"
		"  Order: by the index\n  Limit" },
	{ "SELECT * FROM t ORDER BY a DESC NULLS FIRST OFFSET 3",
		"Index Scan Backward using t_a_b on t\n  Shards: all, merged\n"
		"  Order: by the index\n  Limit" },
	{ "SELECT * FROM t ORDER BY a DESC NULLS LAST",
		"Seq Scan on t\n  Shards: all\n  Sort Key: 1 column" },
	{ "SELECT * FROM t WHERE a > 0 ORDER BY a DESC NULLS LAST",
		"Index Scan Backward using t_a_b on t\n  Index Cond: (a > 0)\n"
		"  Shards: all, merged\n  Order: by the index" },
	{ "SELECT * FROM t ORDER BY c DESC NULLS LAST",
		"Index Scan Backward using t_c on t\n  Shards: all, merged\n  Order: by the index" },
	{ "SELECT * FROM t ORDER BY a, b", "Seq Scan on t\n  Shards: all\n  Sort Key: 2 columns" },
	{ "SELECT * FROM t ORDER BY a, b DESC, c",
		"Seq Scan on t\n  Shards: all\n  Sort Key: 3 columns" },
	{ "SELECT * FROM t WHERE a = 1 ORDER BY b, a LIMIT 1",
		"Index Scan Backward using t_a_b on t\n  Index Cond: (a = 1)\n"
		"  Shards: all, merged\n  Order: by the index\n  Limit" },
	{ "SELECT a AS x FROM t ORDER BY x, 1 DESC",
		"Index Scan using t_a_b on t\n  Shards: all, merged\n  Order: by the index" },
	{ "SELECT a, count(*) FROM t WHERE a > 1 GROUP BY a ORDER BY a",
		"Index Scan using t_a_b on t\n  Index Cond: (a > 1)\n  Shards: all\n"
		"  Group Key: 1 column\n  Sort Key: 1 column" },
	/* Bounds before order; more equality before less; a hash index where it does as much. */
	{ "SELECT * FROM t WHERE c > 1 ORDER BY a LIMIT 1",
		"Index Scan using t_c on t\n  Index Cond: (c > 1)\n  Shards: all\n"
		"  Sort Key: 1 column\n  Limit" },
	{ "SELECT * FROM t WHERE c > 1 AND a = 2",
		"Index Scan using t_a_b on t\n  Index Cond: (a = 2)\n  Shards: all\n"
		"  Filter: 1 condition" },
	{ "SELECT * FROM t WHERE d = 1::real AND c > 1",
		"Index Scan using t_hash on t\n  Index Cond: (d = 1)\n  Shards: all\n"
		"  Filter: 1 condition" },
	/* The column that rows are spread by; NULLS LAST while descending. */
	{ "SELECT * FROM v WHERE o = 4 AND s = 'x' AND l < 9 ORDER BY l DESC NULLS LAST LIMIT 1",
		"Index Scan using v_o_l on v\n  Index Cond: (o = 4 AND s = 'x' AND l < 9)\n"
		"  Shards: one\n  Order: by the index\n  Limit" },
};

static void test_choice(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, 3);
	run(&f, PLANS);
	for (size_t i = 0; i < sizeof(CHOICES) / sizeof(CHOICES[0]); i++) {
		char text[512];

		(void)snprintf(text, sizeof(text), "EXPLAIN %s", CHOICES[i].query);
		expect(&f, text, CHOICES[i].plan);
	}
	/* What is computed as a view is. */
	expect(&f,
		"EXPLAIN SELECT t.a FROM t LEFT JOIN t AS u ON u.id = t.a WHERE t.a = 1 ORDER BY 1",
		"Computed once, from all rows of\n  Filter of 1, 1 condition\n    Left Join, 1 condition\n"
		"      Scan of t\n      Scan of t\n  Sort Key: 1 column");
	expect(&f,
		"EXPLAIN CREATE MATERIALIZED VIEW none AS SELECT a, count(*) FROM t GROUP BY a"
		" UNION ALL (SELECT 1, id FROM t ORDER BY id LIMIT 2)",
		"Append of 2\n  Group by 1 column, 1 aggregate\n    Scan of t\n"
		"  First rows by 0 columns, in order of 1\n    Scan of t");
	expect_error(&f, "SELECT * FROM none", ERR_UNDEFINED_TABLE);
	expect_error(&f, "EXPLAIN (COSTS OFF) SELECT 1", ERR_FEATURE);
	expect_error(&f, "EXPLAIN DELETE FROM t", ERR_FEATURE);
	expect_error(&f, "EXPLAIN SELECT * FROM nosuch", ERR_UNDEFINED_TABLE);
	expect_error(&f, "CREATE INDEX ON t USING hash (a DESC)", ERR_FEATURE);
	expect_error(&f, "CREATE INDEX ON t USING hash (a NULLS FIRST)", ERR_FEATURE);
	close_fixture(&f);
}

/* --- what is found --- */

/* Two tables with the same rows, one of them with indexes, and views of them. */
static const char TABLES[] =
	"CREATE TABLE x (k int, n int, a smallint, b text, c numeric, d real, e date, PRIMARY KEY (k, n));"
	"CREATE TABLE y (k int, n int, a smallint, b text, c numeric, d real, e date, PRIMARY KEY (k, n));"
	"CREATE MATERIALIZED VIEW xv AS SELECT k, a, max(b) AS b, sum(c) AS c, max(d) AS d, max(e) AS e,"
	" count(*) AS n FROM x GROUP BY k, a;"
	"CREATE MATERIALIZED VIEW yv AS SELECT k, a, max(b) AS b, sum(c) AS c, max(d) AS d, max(e) AS e,"
	" count(*) AS n FROM y GROUP BY k, a;"
	/* Without a key, and with rows that occur several times. */
	"CREATE MATERIALIZED VIEW xw AS SELECT k, a, b, c, d, e, 1 AS n FROM x;"
	"CREATE MATERIALIZED VIEW yw AS SELECT k, a, b, c, d, e, 1 AS n FROM y;"
	"CREATE UNIQUE INDEX ON xv (k, a); CREATE UNIQUE INDEX ON yv (k, a);";

static const char *const NAMES[] = { "x", "xv", "xw" };

static const char *const INDEXES[] = { "k, a, b", "a DESC, c", "b, c DESC NULLS LAST",
	"c NULLS FIRST", "d DESC NULLS LAST, e", "e, d, a" };

enum { NAMES_N = 3, INDEXES_N = 6, COLUMNS_N = 6 };

static const char COLUMNS[COLUMNS_N] = { 'k', 'a', 'b', 'c', 'd', 'e' };

/* A value for a column, few different ones; or NULL. */
static void value_text(char column, char *out, size_t cap, bool nulls)
{
	static const char *const TEXTS[] = { "''", "'a'", "'ab'", "'abc'", "'b'", "'ü'", "' '" };
	static const char *const NUMBERS[] = { "0", "1", "1.0", "-1.50", "-1.5", "1e20", "'NaN'",
		"0.001" };
	static const char *const FLOATS[] = { "0", "-0.0", "1.5", "-2", "'NaN'", "'-Infinity'",
		"0.1" };

	if (nulls && draw(6) == 0)
		(void)snprintf(out, cap, "NULL");
	else if (column == 'b')
		(void)snprintf(out, cap, "%s", TEXTS[draw(7)]);
	else if (column == 'c')
		(void)snprintf(out, cap, "%s", NUMBERS[draw(8)]);
	else if (column == 'd')
		(void)snprintf(out, cap, "%s", FLOATS[draw(7)]);
	else if (column == 'e')
		(void)snprintf(out, cap, "'2024-0%u-1%u'", draw(3) + 1, draw(3));
	else
		(void)snprintf(out, cap, "%d", (int)draw(9) - 3);
}

static void both(struct fixture *f, const char *format, const char *rest)
{
	char text[512];

	for (unsigned i = 0; i < 2; i++) {
		(void)snprintf(text, sizeof(text), "%s %c %s", format, "xy"[i], rest);
		command(f, text);
	}
}

static void change_rows(struct fixture *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char v[COLUMNS_N][24], text[400];

		for (unsigned c = 0; c < COLUMNS_N; c++)
			value_text(COLUMNS[c], v[c], sizeof(v[c]), c > 0);
		if (draw(4) > 0)
			(void)snprintf(text, sizeof(text),
				"(k, n, a, b, c, d, e) VALUES (%s, %u, %s, %s, %s, %s, %s) ON CONFLICT (k, n)"
				" DO UPDATE SET a = excluded.a, b = excluded.b, c = excluded.c, d = excluded.d",
				v[0], draw(60), v[1], v[2], v[3], v[4], v[5]);
		else
			(void)snprintf(
				text, sizeof(text), "WHERE k = %s AND n = %u", v[0], draw(60));
		both(f, text[0] == '(' ? "INSERT INTO" : "DELETE FROM", text);
	}
}

struct rows {
	size_t n;
	char text[65536];
};

static int rows_add(void *arg, const struct statement *s, const void *row)
{
	struct rows *r = arg;

	for (unsigned c = 0; c < s->nresults; c++) {
		struct value v;

		row_get(&s->result_layout, row, c, &v);
		if (!value_is_null(&v))
			r->n += value_format(&v, s->result_layout.types[c], r->text + r->n,
				sizeof(r->text) - r->n);
		r->text[r->n++] = c + 1 < s->nresults ? '|' : '\n';
		assert_true(r->n + 256 < sizeof(r->text));
	}
	r->text[r->n] = '\0';
	return 0;
}

static int line_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Rows in no order, as text in one. */
static void rows_sort(struct rows *r)
{
	static struct rows copy;
	static char *lines[8192];
	size_t n = 0;

	copy = *r;
	for (char *at = copy.text, *end; *at != '\0'; at = end + 1) {
		end = strchr(at, '\n');
		*end = '\0';
		lines[n++] = at;
	}
	qsort(lines, n, sizeof(*lines), line_compare);
	r->n = 0;
	for (size_t i = 0; i < n; i++)
		r->n += (size_t)sprintf(r->text + r->n, "%s\n", lines[i]);
}

static void rows_read(struct fixture *f, const char *text, struct rows *r)
{
	r->n = 0;
	r->text[0] = '\0';
	if (lf_run(f->port, text, strlen(text), NULL, rows_add, r, &f->error) != 0)
		fail_msg("%s: %s %s", text, error_sqlstate(f->error.code), f->error.message);
}

/* A WHERE of some columns of an index. */
static size_t where_text(const char *columns, char *out, size_t cap)
{
	static const char *const OPS[] = { "<", "<=", ">", ">=", "=" };
	size_t n = 0;
	bool more = true;

	out[0] = '\0';
	for (const char *c = columns; *c != '\0' && more; c++) {
		char v[24], w[24];

		if (strchr("kabcde", *c) == NULL || (c != columns && c[-1] != ' '))
			continue;
		value_text(*c, v, sizeof(v), draw(10) == 0);
		value_text(*c, w, sizeof(w), draw(10) == 0);
		more = draw(3) == 0;
		if (more)
			n += (size_t)snprintf(out + n, cap - n, " AND %c = %s", *c, v);
		else if (draw(3) == 0)
			n += (size_t)snprintf(
				out + n, cap - n, " AND %c BETWEEN %s AND %s", *c, v, w);
		else if (*c == 'b' && draw(3) == 0)
			n += (size_t)snprintf(out + n, cap - n, " AND b LIKE '%s'",
				(const char *[]){ "a%", "ab%", "a_", "ab", "%", "b%c" }[draw(6)]);
		else
			n += (size_t)snprintf(
				out + n, cap - n, " AND %c %s %s", *c, OPS[draw(5)], v);
	}
	return n;
}

/* ORDER BY an index's columns or some of them, in its direction or the other one; the columns in `names`. */
static void order_text(const char *columns, char *out, size_t cap, char *names)
{
	bool turned = draw(2);
	unsigned most = draw(3) + 1;
	size_t n = 0, k = 0;

	out[0] = '\0';
	for (const char *c = columns; *c != '\0' && most > 0; c++) {
		bool descending, first;
		const char *end = strchr(c, ',');

		if (c != columns && (c == columns + 1 || c[-2] != ','))
			continue;
		end = end == NULL ? c + strlen(c) : end;
		descending = memmem(c, (size_t)(end - c), "DESC", 4) != NULL;
		first = memmem(c, (size_t)(end - c), "FIRST", 5) != NULL ||
			(descending && memmem(c, (size_t)(end - c), "LAST", 4) == NULL);
		n += (size_t)snprintf(out + n, cap - n, "%s %c %s NULLS %s",
			n > 0 ? "," : " ORDER BY", *c, descending != turned ? "DESC" : "ASC",
			first != turned ? "FIRST" : "LAST");
		/* Equal values may print differently: 1.0 and 1.00, 0 and -0. */
		k += (size_t)sprintf(names + k,
			*c == 'c'           ? "c + 0.000,"
				: *c == 'd' ? "d + 0,"
					    : "%c,",
			*c);
		most--;
	}
	names[k - 1] = '\0';
}

static void check_query(struct fixture *f)
{
	static struct rows with, without;
	const char *index = INDEXES[draw(INDEXES_N)], *name = NAMES[draw(NAMES_N)];
	char where[256], order[128] = "", names[32] = "k, a, b, c, d, e", limit[64] = "";
	char text[700];
	bool ordered = draw(2);

	where_text(draw(5) > 0 ? index : INDEXES[draw(INDEXES_N)], where, sizeof(where));
	if (ordered) {
		/* Rows that are equal in what they are ordered by come in any order. */
		order_text(index, order, sizeof(order), names);
		if (draw(2))
			(void)snprintf(
				limit, sizeof(limit), " LIMIT %u OFFSET %u", draw(20), draw(10));
	}
	(void)snprintf(text, sizeof(text), "SELECT %s FROM %s WHERE true%s%s%s", names, name, where,
		order, limit);
	rows_read(f, text, &with);
	(void)snprintf(text, sizeof(text), "SELECT %s FROM y%s WHERE true%s%s%s", names, name + 1,
		where, order, limit);
	rows_read(f, text, &without);
	if (!ordered) {
		rows_sort(&with);
		rows_sort(&without);
	}
	if (strcmp(with.text, without.text) != 0)
		fail_msg("%s\n%s\nis not\n%s", text, with.text, without.text);
}

static void index_all(struct fixture *f)
{
	char text[200];

	for (unsigned i = 0; i < NAMES_N; i++)
		for (unsigned k = 0; k < INDEXES_N; k++) {
			(void)snprintf(text, sizeof(text), "CREATE INDEX %s_%u ON %s (%s)",
				NAMES[i], k, NAMES[i], INDEXES[k]);
			command(f, text);
		}
}

/* Indexes made before there are rows, or of rows that there are, give what a scan gives, while rows change. */
static void check_found(unsigned projectors, bool before)
{
	struct fixture f;

	seed = projectors * 2 + before;
	open_fixture(&f, projectors);
	run(&f, TABLES);
	if (before)
		index_all(&f);
	change_rows(&f, ROWS);
	if (!before)
		index_all(&f);
	for (unsigned i = 0; i < QUERIES; i++) {
		if (i % 10 == 0)
			change_rows(&f, 3);
		check_query(&f);
	}
	close_fixture(&f);
}

static void test_found(void **state)
{
	(void)state;
	check_found(1, false);
	check_found(3, true);
}

/* LIMIT ends the reading: what a filter would fail on is not met. */
static void test_early(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, 3);
	run(&f,
		"CREATE TABLE t (id int PRIMARY KEY, n int); CREATE INDEX t_n ON t (n DESC);"
		"INSERT INTO t VALUES (1, 9), (2, 8), (3, 7), (4, 0), (5, 6)");
	expect(&f,
		"SELECT id FROM t WHERE 100 / n > 0 ORDER BY n DESC NULLS FIRST LIMIT 2 OFFSET 2",
		"3\n5");
	expect_error(&f, "SELECT id FROM t WHERE 100 / n > 0 ORDER BY n DESC LIMIT 5",
		ERR_DIVISION_BY_ZERO);
	/* And a column's own value changes with it. */
	run(&f, "UPDATE t SET n = 10 WHERE id = 4; DELETE FROM t WHERE id = 1");
	expect(&f, "SELECT id, n FROM t WHERE n > 6 ORDER BY n DESC", "4|10\n2|8\n3|7");
	run(&f, "DROP INDEX t_n");
	expect(&f, "SELECT id, n FROM t WHERE n > 6 ORDER BY n DESC", "4|10\n2|8\n3|7");
	close_fixture(&f);
}

struct numbers {
	struct statement *s;
	char text[64];
};

static int number_add(void *arg, const void *row, uint32_t size)
{
	struct numbers *n = arg;
	struct value v;

	(void)size;
	row_get(&n->s->result_layout, row, 0, &v);
	(void)snprintf(
		n->text + strlen(n->text), sizeof(n->text) - strlen(n->text), " %d", (int)v.i);
	return 0;
}

static void numbers_expect(struct fixture *f, struct statement *s, int from, const char *text)
{
	struct value v = { .i = from, .type = TYPE_INT4 };
	struct numbers n = { .s = s };
	uint64_t params[4];

	if (from < 0)
		v.flags = VALUE_NULL;
	row_encode(&s->param_layout, &v, params);
	assert_int_equal(lf_query(f->port, s, params, number_add, &n, &f->error), 0);
	assert_string_equal(n.text, text);
}

/* A prepared statement goes on when its index is dropped or made again, and a reader at an older epoch sees what there was. */
static void test_dropped(void **state)
{
	struct fixture f;
	struct statement *s;
	uint64_t epoch;

	(void)state;
	open_fixture(&f, 3);
	run(&f,
		"CREATE TABLE t (id int PRIMARY KEY, n int); CREATE INDEX t_n ON t (n);"
		"INSERT INTO t VALUES (1, 9), (2, 8), (3, 7), (4, NULL)");
	s = prepare(&f, "SELECT id FROM t WHERE n >= $1 ORDER BY n LIMIT 2");
	assert_int_equal(s->query.access.kind, ACCESS_RANGE);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(lf_read_begin(f.port, 0, &epoch, &f.error), 0);
		numbers_expect(&f, s, 8, " 2 1");
		numbers_expect(&f, s, 10, "");
		numbers_expect(&f, s, -1, "");
		lf_read_end(f.port);
		run(&f, i % 2 ? "CREATE INDEX t_n ON t (n)" : "DROP INDEX t_n");
	}
	run(&f, "CREATE INDEX t_n ON t (n)");
	lf_release(f.engine, s);
	s = prepare(&f, "SELECT id FROM t WHERE n >= $1 ORDER BY n DESC LIMIT 2");
	assert_int_equal(lf_read_begin(f.port, 0, &epoch, &f.error), 0);
	{
		struct lf_port *other = f.port;

		/* Another port changes rows while this one's pin stays. */
		assert_int_equal(lf_port_open(&f.port, f.engine, NULL, NULL, &f.error), 0);
		run(&f,
			"UPDATE t SET n = 1 WHERE id = 1; DELETE FROM t WHERE id = 2;"
			"INSERT INTO t VALUES (5, 20)");
		expect(&f, "SELECT id FROM t WHERE n >= 1 ORDER BY n", "1\n3\n5");
		lf_port_close(f.port);
		f.port = other;
	}
	numbers_expect(&f, s, 0, " 1 2");
	lf_read_end(f.port);
	assert_int_equal(lf_read_begin(f.port, 0, &epoch, &f.error), 0);
	numbers_expect(&f, s, 0, " 5 3");
	lf_read_end(f.port);
	lf_release(f.engine, s);
	close_fixture(&f);
}

/* --- readers on other threads --- */

enum { ACCOUNTS = 40, READERS = 2, MOVES = 1500, READS_MIN = 200 };

struct beside {
	struct lf_engine *engine;
	atomic_bool stop;
	atomic_uint wrong, reads;
};

struct balance {
	const struct statement *s;
	int64_t sum, last;
	unsigned rows;
	bool wrong, descending;
};

static int balance_add(void *arg, const void *row, uint32_t size)
{
	struct balance *b = arg;
	struct value v;

	(void)size;
	row_get(&b->s->result_layout, row, 0, &v);
	b->wrong |= b->rows > 0 && (b->descending ? v.i > b->last : v.i < b->last);
	b->last = v.i;
	b->sum += v.i;
	b->rows++;
	return 0;
}

/* All rows, each once, in order, with the sum that every epoch has: of the table, and of the view over it. */
static void *range_reader(void *arg)
{
	static const char *const TEXTS[] = { "SELECT n FROM account ORDER BY n DESC NULLS LAST",
		"SELECT n FROM account WHERE n > -1000000 ORDER BY n",
		"SELECT n FROM copy WHERE n < 1000000 ORDER BY n DESC" };
	struct beside *b = arg;
	struct statement *s[3];
	struct fixture f = { .engine = b->engine };
	uint64_t none[2] = { 0 };

	if (lf_port_open(&f.port, f.engine, NULL, NULL, &f.error) != 0)
		abort();
	for (unsigned i = 0; i < 3; i++)
		s[i] = prepare(&f, TEXTS[i]);
	row_encode(&s[0]->param_layout, NULL, none);
	while (!atomic_load(&b->stop)) {
		if (lf_read_begin(f.port, 0, NULL, &f.error) != 0)
			abort();
		for (unsigned i = 0; i < 3; i++) {
			struct balance found = { .s = s[i], .descending = i != 1 };
			int status = lf_query(f.port, s[i], none, balance_add, &found, &f.error);

			if (status != 0 || found.wrong || found.rows != ACCOUNTS || found.sum != 0)
				atomic_fetch_add(&b->wrong, 1);
		}
		lf_read_end(f.port);
		atomic_fetch_add(&b->reads, 1);
	}
	for (unsigned i = 0; i < 3; i++)
		lf_release(f.engine, s[i]);
	lf_port_close(f.port);
	return NULL;
}

static void move(struct fixture *f, const struct statement *s, unsigned i)
{
	struct value v[2] = { { .type = TYPE_INT4 }, { .type = TYPE_INT4 } };
	uint64_t params[4];

	v[0].i = draw(ACCOUNTS / 2);
	v[1].i = (int)draw(7) - 3;
	row_encode(&s->param_layout, v, params);
	while (lf_submit(f->port, s, params, i, LF_VISIBLE, &f->error) != 0) {
		assert_string_equal(error_sqlstate(f->error.code), "LF002");
		lf_flush(f->port);
		usleep(100);
	}
	lf_flush(f->port);
}

static void moved(void *arg, const struct lf_reply *reply)
{
	unsigned *n = arg;

	assert_null(reply->error);
	++*n;
}

static void test_beside(void **state)
{
	struct lf_options o = lf_options_default();
	struct beside b = { .stop = false };
	pthread_t threads[READERS];
	struct statement *s;
	struct fixture f;
	unsigned done = 0;

	(void)state;
	o.projectors = 2;
	assert_int_equal(lf_engine_open(&f.engine, &o, &f.error), 0);
	assert_int_equal(lf_port_open(&f.port, f.engine, NULL, NULL, &f.error), 0);
	run(&f,
		"CREATE TABLE account (pair int, side int, n int NOT NULL, PRIMARY KEY (pair, side));"
		"CREATE MATERIALIZED VIEW copy AS SELECT side * 1000 + pair AS id, n FROM account;"
		"CREATE UNIQUE INDEX ON copy (id); CREATE INDEX ON copy (n DESC);"
		"CREATE INDEX account_n ON account (n)");
	for (unsigned i = 0; i < ACCOUNTS / 2; i++) {
		char text[80];

		(void)snprintf(text, sizeof(text),
			"INSERT INTO account VALUES (%u, 0, 0), (%u, 1, 0)", i, i);
		command(&f, text);
	}
	s = prepare(&f,
		"UPDATE account SET n = n + $2 WHERE pair = $1 AND side = 0;"
		"UPDATE account SET n = n - $2 WHERE pair = $1 AND side = 1");
	b.engine = f.engine;
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, range_reader, &b), 0);
	for (unsigned i = 0; i < MOVES || atomic_load(&b.reads) < READS_MIN; i++) {
		move(&f, s, i);
		(void)lf_poll(f.port, moved, &done);
	}
	while (!lf_port_idle(f.port)) {
		lf_port_wait(f.port, 1000);
		(void)lf_poll(f.port, moved, &done);
	}
	assert_true(done >= MOVES);
	atomic_store(&b.stop, true);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&b.wrong), 0);
	lf_release(f.engine, s);
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_beside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
