/*
 * bench_growth.c: a table that grows from nothing: does any single command wait for it?
 *
 *   bench_growth [--smoke] [--rows N] [--check] [--view]
 *
 * First the table alone, then the whole engine with one shard, driven step by step in this thread: each
 * command is submitted, executed, made visible and answered before the next, and its time is taken. With
 * --view a view with a group for every row grows along. Prints for each the rate, p99.99 and the longest time,
 * and how much of the longest the thread itself was running: a machine that does other things takes the
 * processor away, which is no waiting for the table. --check fails when a command ran for over 5 ms.
 */
#include <time.h>

#include "bench/load/histogram.h"
#include "bench/micro/micro.h"
#include "core/engine.h"

enum { LIMIT_NS = 5000000 };

struct times {
	struct histogram *wall;
	uint64_t wall_at, running_at, begin;
	uint64_t longest, longest_running; /* of the longest by the wall clock */
	uint64_t most, most_at;            /* that ran the longest, and which row it was */
};

static uint64_t running_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void times_begin(struct times *t)
{
	*t = (struct times){ .wall = histogram_new() };
	if (t->wall == NULL)
		micro_fail("bench_growth: out of memory");
	t->running_at = running_ns();
	t->begin = t->wall_at = clock_now_ns();
}

/* One command ended, and the next begins. */
static void times_note(struct times *t)
{
	uint64_t wall = clock_now_ns(), running = running_ns();

	histogram_record(t->wall, wall - t->wall_at, 1);
	if (wall - t->wall_at > t->longest) {
		t->longest = wall - t->wall_at;
		t->longest_running = running - t->running_at;
	}
	if (running - t->running_at > t->most) {
		t->most = running - t->running_at;
		t->most_at = histogram_count(t->wall);
	}
	t->running_at = running;
	t->wall_at = wall;
}

/* Returns whether all ran within the limit. */
static bool times_end(struct times *t, const char *what)
{
	uint64_t n = histogram_count(t->wall);

	printf("growth_%s rows %llu rows/s %.0f p99.99_us %.1f longest_us %.1f longest_ran_us %.1f"
	       " longest_running_us %.1f at_row %llu\n",
		what, (unsigned long long)n, (double)n / micro_seconds(t->begin),
		(double)histogram_percentile(t->wall, 99.99) / 1e3, (double)t->longest / 1e3,
		(double)t->longest_running / 1e3, (double)t->most / 1e3,
		(unsigned long long)t->most_at);
	histogram_free(t->wall);
	return t->most <= LIMIT_NS;
}

static bool grow_table(uint64_t rows)
{
	struct micro_table t;
	struct times times;

	micro_table_open(&t);
	times_begin(&times);
	for (uint64_t key = 0; key < rows; key++) {
		micro_put(&t, micro_key_hash(&t, key), key, 0);
		times_note(&times);
	}
	micro_epoch_end(&t);
	if (table_rows(t.table) != rows)
		micro_fail("bench_growth: %llu rows instead of %llu",
			(unsigned long long)table_rows(t.table), (unsigned long long)rows);
	micro_table_close(&t);
	return times_end(&times, "table");
}

static void on_reply(void *arg, const struct lf_reply *reply)
{
	if (reply->error != NULL)
		micro_fail("bench_growth: %s", reply->error->message);
	(*(uint64_t *)arg)++;
}

/* Submit one insertion and step until it is answered. */
static void insert(struct lf_engine *engine, struct lf_port *port, const struct statement *s,
	uint64_t key, uint64_t *answered)
{
	struct value v[2] = { { .i = (int64_t)key, .type = TYPE_INT8 },
		{ .i = (int64_t)hash_u64(key), .type = TYPE_INT8 } };
	uint64_t row[8], before = *answered;
	struct error e;

	row_encode(&s->param_layout, v, row);
	if (lf_submit(port, s, row, key, LF_VISIBLE, &e) != 0)
		micro_fail("bench_growth: %s", e.message);
	lf_flush(port);
	while (*answered == before) {
		(void)lf_step(engine, 0);
		(void)lf_poll(port, on_reply, answered);
	}
}

static int note_count(void *arg, const struct statement *s, const void *row)
{
	struct value v;

	row_get(&s->result_layout, row, 0, &v);
	*(int64_t *)arg = v.i;
	return 0;
}

static bool grow_engine(uint64_t rows, bool view)
{
	static const char SCHEMA[] = "CREATE TABLE t (id bigint PRIMARY KEY, n bigint NOT NULL);";
	static const char VIEW[] =
		"CREATE MATERIALIZED VIEW w AS SELECT id, sum(n) AS n FROM t GROUP BY id;"
		"CREATE UNIQUE INDEX w_key ON w (id);";
	static const char INSERT[] = "INSERT INTO t VALUES ($1, $2)",
			  COUNT_T[] = "SELECT count(*) FROM t",
			  COUNT_W[] = "SELECT count(*) FROM w";
	struct lf_options o = lf_options_default();
	struct lf_engine *engine;
	struct lf_port *port;
	struct statement *s;
	struct times times;
	struct error e;
	uint64_t answered = 0;
	int64_t found = 0;

	o.stepped = true;
	if (lf_engine_open(&engine, &o, &e) != 0 ||
		lf_port_open(&port, engine, NULL, NULL, &e) != 0 ||
		lf_run_script(port, SCHEMA, strlen(SCHEMA), &e) != 0 ||
		(view && lf_run_script(port, VIEW, strlen(VIEW), &e) != 0) ||
		lf_prepare(&s, engine, INSERT, strlen(INSERT), NULL, 0, &e) != 0)
		micro_fail("bench_growth: %s", e.message);
	times_begin(&times);
	for (uint64_t key = 0; key < rows; key++) {
		insert(engine, port, s, key, &answered);
		times_note(&times);
	}
	if (lf_run(port, view ? COUNT_W : COUNT_T, strlen(view ? COUNT_W : COUNT_T), NULL,
		    note_count, &found, &e) != 0 ||
		(uint64_t)found != rows)
		micro_fail("bench_growth: %lld rows instead of %llu", (long long)found,
			(unsigned long long)rows);
	lf_release(engine, s);
	lf_port_close(port);
	lf_engine_close(engine);
	return times_end(&times, view ? "engine_with_view" : "engine");
}

int main(int argc, char **argv)
{
	bool smoke = false, check = false, view = false, good;
	uint64_t rows = 20000000;
	const struct micro_flag flags[] = { { "--smoke", &smoke, NULL }, { "--rows", NULL, &rows },
		{ "--check", &check, NULL }, { "--view", &view, NULL } };

	micro_flags(argc, argv, flags, 4);
	if (smoke)
		rows = 20000;
	good = grow_table(rows);
	good = grow_engine(rows, false) && good;
	if (view || smoke)
		good = grow_engine(rows, true) && good;
	if (check && !good)
		micro_fail("bench_growth: a command ran for over %d ms", LIMIT_NS / 1000000);
	return 0;
}
