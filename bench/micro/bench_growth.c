/*
 * bench_growth.c: a table that grows from nothing: does any single command wait for it?
 *
 *   bench_growth [--smoke] [--rows N] [--rounds N] [--check] [--view]
 *
 * First the table alone, then the whole engine with one shard, driven step by step in this thread: each
 * command is submitted, executed, made visible and answered before the next, and its time is taken. With
 * --view a view with a group for every row grows along.
 *
 * All is done twice (--rounds), and what counts is the lesser of each command's times: growth is the same in
 * every round, to the row, while the system takes the processor away at other moments. Printed are the rate of
 * the fastest round, the mean of those times when a twentieth of the rows (1 M) is there and at the end, p99.99 and the
 * longest of them and the row it was at, and the longest of any round whatever its cause. --check fails when a command took over 5 ms.
 */
#include "bench/load/histogram.h"
#include "bench/micro/micro.h"
#include "core/engine.h"

enum { LIMIT_NS = 5000000 };

struct times {
	uint64_t rows;
	uint32_t *least; /* ns, of each command */
	uint64_t begin, at, row;
	uint64_t longest; /* of any round */
	double rate;
};

static void times_open(struct times *t, uint64_t rows)
{
	*t = (struct times){ .rows = rows, .least = malloc(rows * sizeof(*t->least)) };
	if (t->least == NULL)
		micro_fail("bench_growth: out of memory");
	memset(t->least, 0xff, rows * sizeof(*t->least));
}

static void round_begin(struct times *t)
{
	t->row = 0;
	t->begin = t->at = clock_now_ns();
}

/* One command ended, and the next begins. */
static void round_note(struct times *t)
{
	uint64_t now = clock_now_ns(), ns = now - t->at;

	if (ns < t->least[t->row])
		t->least[t->row] = (uint32_t)ns;
	if (ns > t->longest)
		t->longest = ns;
	t->row++;
	t->at = now;
}

static void round_end(struct times *t)
{
	double rate = (double)t->row / ((double)(t->at - t->begin) / 1e9);

	if (t->row != t->rows)
		micro_fail("bench_growth: %llu commands instead of %llu",
			(unsigned long long)t->row, (unsigned long long)t->rows);
	if (rate > t->rate)
		t->rate = rate;
}

/* ns, of the twentieth of all commands that begins at `from`; 0: that is none. */
static double mean(const struct times *t, uint64_t from)
{
	uint64_t sum = 0, n = t->rows / 20;

	for (uint64_t row = from; row < from + n; row++)
		sum += t->least[row];
	return n > 0 ? (double)sum / (double)n : 0;
}

/* Print and free. Returns whether every command was within the limit. */
static bool times_close(struct times *t, const char *what)
{
	struct histogram *h = histogram_new();
	uint64_t most = 0, most_at = 0;

	if (h == NULL)
		micro_fail("bench_growth: out of memory");
	for (uint64_t row = 0; row < t->rows; row++) {
		histogram_record(h, t->least[row], 1);
		if (t->least[row] > most) {
			most = t->least[row];
			most_at = row;
		}
	}
	printf("growth_%s rows %llu rows/s %.0f ns_few %.1f ns_many %.1f p99.99_us %.1f longest_us %.1f"
	       " at_row %llu longest_of_any_round_us %.1f\n",
		what, (unsigned long long)t->rows, t->rate, mean(t, t->rows / 20),
		mean(t, t->rows - t->rows / 20), (double)histogram_percentile(h, 99.99) / 1e3,
		(double)most / 1e3, (unsigned long long)most_at, (double)t->longest / 1e3);
	histogram_free(h);
	free(t->least);
	return most <= LIMIT_NS;
}

static void grow_table(struct times *times, uint64_t rows)
{
	struct micro_table t;

	micro_table_open(&t);
	round_begin(times);
	for (uint64_t key = 0; key < rows; key++) {
		micro_put(&t, micro_key_hash(&t, key), key, 0);
		round_note(times);
	}
	round_end(times);
	micro_epoch_end(&t);
	if (table_rows(t.table) != rows)
		micro_fail("bench_growth: %llu rows instead of %llu",
			(unsigned long long)table_rows(t.table), (unsigned long long)rows);
	micro_table_close(&t);
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

static void grow_engine(struct times *times, uint64_t rows, bool view)
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
	round_begin(times);
	for (uint64_t key = 0; key < rows; key++) {
		insert(engine, port, s, key, &answered);
		round_note(times);
	}
	round_end(times);
	if (lf_run(port, view ? COUNT_W : COUNT_T, strlen(view ? COUNT_W : COUNT_T), NULL,
		    note_count, &found, &e) != 0 ||
		(uint64_t)found != rows)
		micro_fail("bench_growth: %lld rows instead of %llu", (long long)found,
			(unsigned long long)rows);
	lf_release(engine, s);
	lf_port_close(port);
	lf_engine_close(engine);
}

int main(int argc, char **argv)
{
	static const char *const WHAT[] = { "table", "engine", "engine_with_view" };
	bool smoke = false, check = false, view = false, good = true;
	uint64_t rows = 20000000, rounds = 2;
	const struct micro_flag flags[] = { { "--smoke", &smoke, NULL }, { "--rows", NULL, &rows },
		{ "--rounds", NULL, &rounds }, { "--check", &check, NULL },
		{ "--view", &view, NULL } };

	micro_flags(argc, argv, flags, 5);
	if (smoke)
		rows = 20000;
	for (unsigned i = 0; i < (view || smoke ? 3 : 2); i++) {
		struct times t;

		times_open(&t, rows);
		for (uint64_t round = 0; round < rounds; round++)
			if (i == 0)
				grow_table(&t, rows);
			else
				grow_engine(&t, rows, i == 2);
		good = times_close(&t, WHAT[i]) && good;
	}
	if (check && !good)
		micro_fail("bench_growth: a command took over %d ms", LIMIT_NS / 1000000);
	return 0;
}
