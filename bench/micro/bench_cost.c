/*
 * bench_cost.c: what a command costs with more rows, and with more views.
 *
 *   bench_cost [--smoke] [--rows N]
 *
 * cost_rows: an engine has a table and a view with a group for every row. At N / 20 rows and at N (20 M) the same few rows,
 * spread over all, are updated again and again, so that they are in the cache either way: what is left is what the code does
 * more. of_few is the one by the other.
 *
 * cost_views: of N / 400 rows; 0, 1, 2, 4 and 8 views count and add up what the updated rows belong to. of_line is what each of the last
 * four adds, by what each of the first four does: 1 where the cost is linear.
 *
 * One shard, stepped in this thread, BATCH commands at a time; the least of ROUNDS rounds counts. What the views say is
 * compared with what was sent.
 */
#include "bench/micro/micro.h"
#include "core/engine.h"

enum {
	BATCH = 64,
	ROUNDS = 20,
	HOT = 64,
	VIEWS_MAX = 8,
	FEW_SHARE = 20,
	VIEWS_SHARE = 400,
	TEXT_MAX = 256,
	ROW_WORDS = 16
};

struct cost {
	struct lf_engine *engine;
	struct lf_port *port;
	uint64_t answered;
	uint64_t batches; /* of a round */
	uint64_t added;   /* to all rows together */
};

static void script(struct cost *c, const char *text)
{
	struct error e;

	if (lf_run_script(c->port, text, strlen(text), &e) != 0)
		micro_fail("bench_cost: %s: %s", text, e.message);
}

static void cost_open(struct cost *c, uint64_t batches)
{
	struct lf_options o = lf_options_default();
	struct error e;

	*c = (struct cost){ .batches = batches };
	o.stepped = true;
	if (lf_engine_open(&c->engine, &o, &e) != 0 ||
		lf_port_open(&c->port, c->engine, NULL, NULL, &e) != 0)
		micro_fail("bench_cost: %s", e.message);
	script(c, "CREATE TABLE t (id bigint PRIMARY KEY, n bigint NOT NULL);");
}

static void cost_close(struct cost *c)
{
	lf_port_close(c->port);
	lf_engine_close(c->engine);
}

static struct statement *prepare(struct cost *c, const char *text)
{
	struct statement *s;
	struct error e;

	if (lf_prepare(&s, c->engine, text, strlen(text), NULL, 0, &e) != 0)
		micro_fail("bench_cost: %s: %s", text, e.message);
	return s;
}

static void on_reply(void *arg, const struct lf_reply *reply)
{
	struct cost *c = arg;

	if (reply->error != NULL || reply->count != 1)
		micro_fail("bench_cost: %s",
			reply->error != NULL ? reply->error->message : "a command changed no row");
	c->answered++;
}

static void submit(struct cost *c, const struct statement *s, uint64_t id, uint64_t n)
{
	struct value v[2] = { { .i = (int64_t)id, .type = TYPE_INT8 },
		{ .i = (int64_t)n, .type = TYPE_INT8 } };
	uint64_t row[ROW_WORDS];
	struct error e;

	row_encode(&s->param_layout, v, row);
	if (lf_submit(c->port, s, row, id, LF_VISIBLE, &e) != 0)
		micro_fail("bench_cost: %s", e.message);
}

/* Step until all that was submitted is answered. */
static void settle(struct cost *c, uint64_t upto)
{
	lf_flush(c->port);
	while (c->answered < upto) {
		(void)lf_step(c->engine, 0);
		(void)lf_poll(c->port, on_reply, c);
	}
}

/* Rows from … to - 1 with n = 0. */
static void load(struct cost *c, uint64_t from, uint64_t to)
{
	struct statement *s = prepare(c, "INSERT INTO t VALUES ($1, $2)");

	c->answered = from;
	while (from < to) {
		for (unsigned i = 0; i < BATCH && from < to; i++)
			submit(c, s, from++, 0);
		settle(c, from);
	}
	lf_release(c->engine, s);
}

/* ns of an update of one of HOT rows among so many. */
static double update(struct cost *c, uint64_t rows)
{
	struct statement *s = prepare(c, "UPDATE t SET n = n + $2 WHERE id = $1");
	uint64_t apart = rows / HOT, least = UINT64_MAX;

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t sent = 0, begin = clock_now_ns(), ns;

		c->answered = 0;
		for (uint64_t b = 0; b < c->batches; b++) {
			for (unsigned i = 0; i < BATCH; i++)
				submit(c, s, sent++ % HOT * apart, 1);
			settle(c, sent);
		}
		ns = clock_now_ns() - begin;
		c->added += sent;
		if (ns < least)
			least = ns;
	}
	lf_release(c->engine, s);
	return (double)least / (double)(c->batches * BATCH);
}

static int note_number(void *arg, const struct statement *s, const void *row)
{
	struct value v;

	row_get(&s->result_layout, row, 0, &v);
	*(int64_t *)arg += v.type == TYPE_NUMERIC ? (int64_t)v.n : v.i;
	return 0;
}

static void expect(struct cost *c, const char *text, uint64_t n)
{
	struct error e;
	int64_t found = 0;

	if (lf_run(c->port, text, strlen(text), NULL, note_number, &found, &e) != 0)
		micro_fail("bench_cost: %s: %s", text, e.message);
	if ((uint64_t)found != n)
		micro_fail("bench_cost: %s: %lld instead of %llu", text, (long long)found,
			(unsigned long long)n);
}

static void by_rows(uint64_t rows, uint64_t batches)
{
	uint64_t few = rows / FEW_SHARE;
	double ns_few, ns_all;
	struct cost c;

	cost_open(&c, batches);
	script(&c,
		"CREATE MATERIALIZED VIEW w AS SELECT id, sum(n) AS n FROM t GROUP BY id;"
		"CREATE UNIQUE INDEX w_key ON w (id);");
	load(&c, 0, few);
	ns_few = update(&c, few);
	load(&c, few, rows);
	ns_all = update(&c, rows);
	expect(&c, "SELECT count(*) FROM w", rows);
	expect(&c, "SELECT sum(n) FROM w", c.added);
	cost_close(&c);
	printf("cost_rows few %llu many %llu ns_few %.1f ns_many %.1f of_few %.3f\n",
		(unsigned long long)few, (unsigned long long)rows, ns_few, ns_all, ns_all / ns_few);
}

static void view_create(struct cost *c, unsigned number)
{
	char text[TEXT_MAX];

	(void)snprintf(text, sizeof(text),
		"CREATE MATERIALIZED VIEW w%u AS SELECT id, sum(n + %u) AS n, count(*) AS k FROM t GROUP BY id;"
		"CREATE UNIQUE INDEX w%u_key ON w%u (id);",
		number, number, number, number);
	script(c, text);
}

static void by_views(uint64_t rows, uint64_t batches)
{
	double ns[VIEWS_MAX + 1];
	unsigned views = 0;
	char text[TEXT_MAX];
	struct cost c;

	cost_open(&c, batches);
	load(&c, 0, rows);
	printf("cost_views");
	for (unsigned upto = 0; upto <= VIEWS_MAX; upto = upto == 0 ? 1 : 2 * upto) {
		while (views < upto)
			view_create(&c, views++);
		ns[views] = update(&c, rows);
		printf(" ns_with_%u %.1f", views, ns[views]);
	}
	for (unsigned i = 0; i < VIEWS_MAX; i++) {
		(void)snprintf(text, sizeof(text), "SELECT sum(n) FROM w%u", i);
		expect(&c, text, c.added + i * rows);
	}
	cost_close(&c);
	printf(" of_line %.3f\n",
		(ns[VIEWS_MAX] - ns[VIEWS_MAX / 2]) / (ns[VIEWS_MAX / 2] - ns[0]));
}

int main(int argc, char **argv)
{
	bool smoke = false;
	uint64_t rows = 20000000, batches = 500;
	const struct micro_flag flags[] = { { "--smoke", &smoke, NULL },
		{ "--rows", NULL, &rows } };

	micro_flags(argc, argv, flags, 2);
	if (smoke) {
		rows = 40000;
		batches = 5;
	}
	by_views(rows / VIEWS_SHARE, batches);
	by_rows(rows, batches);
	return 0;
}
