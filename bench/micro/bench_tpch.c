/*
 * bench_tpch.c: TPC-H's queries as views while its tables fill, in process: DBToaster's experiment (Koch et al., VLDB
 * Journal 23, 2014; Nikolic, Dashti, Koch, SIGMOD 2016).
 *
 *   bench_tpch [--per-mille N] [--query Q] [--depth D] [--smoke]        scale factor N / 1000 (100)
 *
 * For each query that can be a view: an engine with one projector, the tables it reads and the view; then the tables'
 * rows are inserted, one row a command, from each table in turn until it has no more (round robin, as theirs are), each
 * table in the order of its keys. Rows are made beforehand; the time is that from the first command until the last one
 * is answered, its change being in the view. One submitting thread keeps D commands under way. Prints tuples a second.
 *
 * At the end the view is compared with what SQLite says of the same rows, whose decimals are doubles: numbers are equal
 * when they differ by less than a thousand-millionth. (tests/e2e/run_tpch.py compares exactly, with PostgreSQL.)
 */
#include <math.h>
#include <sqlite3.h>

#include "bench/micro/micro.h"
#include "bench/tpch/sql.h"
#include "core/engine.h"

enum { TEXT_MAX = 8192, WAIT_US = 1000 };

/* A table's rows, packed as parameters of its INSERT, one after the other. */
struct feed {
	struct statement *insert;
	char *rows;
	size_t at, used, cap;
};

struct run {
	const struct tpch_query *query;
	struct lf_engine *engine;
	struct lf_port *port;
	struct feed feeds[TPCH_TABLES];
	uint64_t depth, sent, answered;
};

static void check(int status, const struct error *e)
{
	if (status != 0)
		micro_fail("bench_tpch: %s %s", error_sqlstate(e->code), e->message);
}

/* --- the oracle --- */

static void oracle_check(sqlite3 *db, int status, int wanted)
{
	if (status != wanted)
		micro_fail("bench_tpch: SQLite: %s", sqlite3_errmsg(db));
}

struct loading {
	sqlite3_stmt *insert;
	const char *kinds;
};

static void oracle_insert(void *arg, const struct tpch_row *row)
{
	const struct loading *l = arg;
	char date[TPCH_DATE_TEXT];

	for (unsigned i = 0; i < row->n; i++) {
		const struct tpch_field *f = &row->fields[i];
		int column = (int)i + 1;

		switch (l->kinds[i]) {
		case 'i': sqlite3_bind_int64(l->insert, column, f->number); break;
		case 'n': sqlite3_bind_double(l->insert, column, (double)f->number / 100); break;
		case 'd':
			sqlite3_bind_text(l->insert, column, tpch_date_text(f->number, date), -1,
				SQLITE_TRANSIENT);
			break;
		default: sqlite3_bind_text(l->insert, column, f->text, -1, SQLITE_STATIC);
		}
	}
	oracle_check(sqlite3_db_handle(l->insert), sqlite3_step(l->insert), SQLITE_DONE);
	sqlite3_reset(l->insert);
}

/* date_part('year', …) of a date as text. */
static void oracle_date_part(sqlite3_context *c, int n, sqlite3_value **v)
{
	(void)n;
	sqlite3_result_double(c, strtod((const char *)sqlite3_value_text(v[1]), NULL));
}

static sqlite3 *oracle_open(const struct tpch *t)
{
	char text[TEXT_MAX];
	sqlite3 *db;

	oracle_check(NULL, sqlite3_open(":memory:", &db), SQLITE_OK);
	oracle_check(db,
		sqlite3_create_function(db, "date_part", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
			NULL, oracle_date_part, NULL, NULL),
		SQLITE_OK);
	oracle_check(db, sqlite3_exec(db, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
	for (unsigned i = 0; i < TPCH_TABLES; i++) {
		struct loading l = { NULL, TPCH_FORM[i].kinds };

		oracle_check(db, sqlite3_exec(db, TPCH_CREATE[i], NULL, NULL, NULL), SQLITE_OK);
		tpch_insert_text(i, text, sizeof(text));
		oracle_check(db, sqlite3_prepare_v2(db, text, -1, &l.insert, NULL), SQLITE_OK);
		tpch_each(t, i, oracle_insert, &l);
		sqlite3_finalize(l.insert);
	}
	oracle_check(db, sqlite3_exec(db, "COMMIT; ANALYZE", NULL, NULL, NULL), SQLITE_OK);
	return db;
}

/* The query, in the order of its key. SQLite has no type for dates: their literals are text. */
static sqlite3_stmt *oracle_query(sqlite3 *db, const struct tpch_query *q)
{
	char text[TEXT_MAX];
	char *date;
	sqlite3_stmt *s;

	(void)snprintf(text, sizeof(text), "%s%s%s", q->text, q->key != NULL ? " ORDER BY " : "",
		q->key != NULL ? q->key : "");
	while ((date = strstr(text, "date '")) != NULL)
		memset(date, ' ', strlen("date"));
	oracle_check(db, sqlite3_prepare_v2(db, text, -1, &s, NULL), SQLITE_OK);
	return s;
}

/* --- the engine --- */

static struct statement *prepare(struct run *run, const char *text)
{
	struct statement *s;
	struct error e;

	check(lf_prepare(&s, run->engine, text, strlen(text), NULL, 0, &e), &e);
	return s;
}

static void feed_row(void *arg, const struct tpch_row *row)
{
	struct feed *f = arg;
	struct value v[TPCH_COLUMNS_MAX];
	size_t size;

	memset(v, 0, sizeof(v));
	for (unsigned i = 0; i < row->n; i++) {
		v[i].type = f->insert->params[i].id;
		if (v[i].type == TYPE_NUMERIC) {
			v[i].n = row->fields[i].number;
			v[i].scale = 2;
		} else if (v[i].type == TYPE_INT4 || v[i].type == TYPE_DATE) {
			v[i].i = row->fields[i].number;
		} else {
			v[i].s.p = row->fields[i].text;
			v[i].s.len = (uint32_t)strlen(row->fields[i].text);
		}
	}
	size = row_encoded_size(&f->insert->param_layout, v);
	if (f->used + size > f->cap) {
		f->cap = 2 * f->cap + size;
		f->rows = realloc(f->rows, f->cap);
		if (f->rows == NULL)
			micro_fail("bench_tpch: out of memory");
	}
	row_encode(&f->insert->param_layout, v, f->rows + f->used);
	f->used += size;
}

static void run_open(struct run *run, const struct tpch *t)
{
	const struct tpch_query *q = run->query;
	struct lf_options o = lf_options_default();
	char text[TEXT_MAX];
	struct error e;

	check(lf_engine_open(&run->engine, &o, &e), &e);
	check(lf_port_open(&run->port, run->engine, NULL, NULL, &e), &e);
	for (unsigned i = 0; i < TPCH_TABLES; i++) {
		if ((q->tables >> i & 1) == 0)
			continue;
		check(lf_run_script(run->port, TPCH_CREATE[i], strlen(TPCH_CREATE[i]), &e), &e);
		run->feeds[i].insert = prepare(run, tpch_insert_text(i, text, sizeof(text)));
		tpch_each(t, i, feed_row, &run->feeds[i]);
	}
	(void)snprintf(text, sizeof(text), "CREATE MATERIALIZED VIEW %s AS %s", q->name, q->text);
	check(lf_run_script(run->port, text, strlen(text), &e), &e);
	if (q->key == NULL)
		return;
	(void)snprintf(text, sizeof(text), "CREATE UNIQUE INDEX %s_key ON %s (%s)", q->name,
		q->name, q->key);
	check(lf_run_script(run->port, text, strlen(text), &e), &e);
}

static void run_close(struct run *run)
{
	for (unsigned i = 0; i < TPCH_TABLES; i++) {
		if (run->feeds[i].insert != NULL)
			lf_release(run->engine, run->feeds[i].insert);
		free(run->feeds[i].rows);
	}
	lf_port_close(run->port);
	lf_engine_close(run->engine);
}

static void on_reply(void *arg, const struct lf_reply *reply)
{
	struct run *run = arg;

	if (reply->error != NULL)
		micro_fail("bench_tpch: %s: %s", run->query->name, reply->error->message);
	run->answered++;
}

/* Until no more than `most` are under way. */
static void drain(struct run *run, uint64_t most)
{
	lf_flush(run->port);
	while (run->sent - run->answered > most)
		if (lf_poll(run->port, on_reply, run) == 0)
			lf_port_wait(run->port, WAIT_US);
}

static void submit(struct run *run, struct feed *f)
{
	const char *row = f->rows + f->at;
	struct error e;

	while (lf_submit(run->port, f->insert, row, run->sent, LF_DURABLE, &e) != 0) {
		if (e.code != ERR_OVERLOAD)
			check(-1, &e);
		drain(run, run->depth / 2);
	}
	f->at += row_size(row);
	if (++run->sent % (run->depth / 2) == 0)
		drain(run, run->depth / 2);
}

/* Tuples a second. */
static double feed_all(struct run *run)
{
	uint64_t begin = clock_now_ns();
	bool more = true;

	while (more) {
		more = false;
		for (unsigned i = 0; i < TPCH_TABLES; i++) {
			struct feed *f = &run->feeds[i];

			if (f->at == f->used)
				continue;
			submit(run, f);
			more = true;
		}
	}
	drain(run, 0);
	return (double)run->sent / micro_seconds(begin);
}

/* --- the check --- */

struct comparison {
	const char *name;
	sqlite3_stmt *expected;
	uint64_t rows;
};

static bool equal_numbers(double a, double b)
{
	return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

static bool equal(const struct value *v, sqlite3_stmt *s, int column)
{
	char date[TPCH_DATE_TEXT];
	const char *text = (const char *)sqlite3_column_text(s, column);

	if (text == NULL || value_is_null(v))
		return text == NULL && value_is_null(v);
	switch (v->type) {
	case TYPE_INT4:
	case TYPE_INT8: return v->i == sqlite3_column_int64(s, column);
	case TYPE_FLOAT8: return equal_numbers(v->d, sqlite3_column_double(s, column));
	case TYPE_NUMERIC:
		return equal_numbers(
			(double)v->n / pow(10, v->scale), sqlite3_column_double(s, column));
	case TYPE_DATE: return strcmp(tpch_date_text(v->i, date), text) == 0;
	default: return strlen(text) == v->s.len && memcmp(text, v->s.p, v->s.len) == 0;
	}
}

static int compare_row(void *arg, const struct statement *s, const void *row)
{
	struct comparison *c = arg;

	c->rows++;
	oracle_check(sqlite3_db_handle(c->expected), sqlite3_step(c->expected), SQLITE_ROW);
	for (unsigned i = 0; i < s->nresults; i++) {
		struct value v;

		row_get(&s->result_layout, row, i, &v);
		if (!equal(&v, c->expected, (int)i))
			micro_fail("bench_tpch: %s: column %u of row %llu is not %s", c->name,
				i + 1, (unsigned long long)c->rows,
				(const char *)sqlite3_column_text(c->expected, (int)i));
	}
	return 0;
}

static void compare(struct run *run, sqlite3 *db)
{
	const struct tpch_query *q = run->query;
	struct comparison c = { q->name, oracle_query(db, q), 0 };
	char text[TEXT_MAX];
	struct error e;

	(void)snprintf(text, sizeof(text), "SELECT * FROM %s%s%s", q->name,
		q->key != NULL ? " ORDER BY " : "", q->key != NULL ? q->key : "");
	check(lf_run(run->port, text, strlen(text), NULL, compare_row, &c, &e), &e);
	if (sqlite3_step(c.expected) != SQLITE_DONE)
		micro_fail("bench_tpch: %s: there should be more than %llu rows", q->name,
			(unsigned long long)c.rows);
	sqlite3_finalize(c.expected);
}

int main(int argc, char **argv)
{
	bool smoke = false;
	uint64_t per_mille = 100, only = 0, depth = 256;
	const struct micro_flag flags[] = { { "--smoke", &smoke, NULL },
		{ "--per-mille", NULL, &per_mille }, { "--query", NULL, &only },
		{ "--depth", NULL, &depth } };
	struct tpch t;
	sqlite3 *db;

	micro_flags(argc, argv, flags, 4);
	if (smoke)
		per_mille = 5;
	tpch_init(&t, (double)per_mille / 1000, 1);
	db = oracle_open(&t);
	for (unsigned i = 0; i < TPCH_QUERIES; i++) {
		struct run run = { .query = &TPCH_QUERY[i], .depth = depth < 2 ? 2 : depth };

		if (run.query->refused != NULL || (only != 0 && only != i + 1))
			continue;
		run_open(&run, &t);
		printf("tpch_%s tuples/s %.0f\n", run.query->name, feed_all(&run));
		compare(&run, db);
		run_close(&run);
	}
	sqlite3_close(db);
	return 0;
}
