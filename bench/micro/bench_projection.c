/*
 * bench_projection.c: commands through rings, projectors and views in one process, no sockets.
 *
 *   bench_projection [--projectors P] [--commands N] [--depth D] [--smoke]
 *
 * orders: one command inserts an order and two items; three views follow. votes: one row, one view.
 * Prints commands a second of each; --smoke runs few and checks the views' totals. One submitting
 * thread keeps D commands under way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/engine.h"

static const char SCHEMA[] =
	"CREATE TABLE customer (id bigint PRIMARY KEY, name text NOT NULL);"
	"CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, day date NOT NULL);"
	"CREATE TABLE order_item (order_id bigint, line int, qty int NOT NULL CHECK (qty > 0),"
	"  price numeric(12,2) NOT NULL, PRIMARY KEY (order_id, line));"
	"CREATE TABLE vote (id bigint PRIMARY KEY, candidate int NOT NULL);"
	"CREATE MATERIALIZED VIEW order_summary AS SELECT o.id AS order_id,"
	"  sum(i.qty * i.price) AS total, count(*) AS items"
	"  FROM orders o JOIN order_item i ON i.order_id = o.id GROUP BY o.id;"
	"CREATE UNIQUE INDEX order_summary_key ON order_summary (order_id);"
	"CREATE MATERIALIZED VIEW per_customer AS SELECT customer_id, count(*) AS orders"
	"  FROM orders GROUP BY customer_id;"
	"CREATE UNIQUE INDEX per_customer_key ON per_customer (customer_id);"
	"CREATE MATERIALIZED VIEW per_day AS SELECT day, count(*) AS orders FROM orders GROUP BY day;"
	"CREATE UNIQUE INDEX per_day_key ON per_day (day);"
	"CREATE MATERIALIZED VIEW tally AS SELECT candidate, count(*) AS votes FROM vote"
	"  GROUP BY candidate;"
	"CREATE UNIQUE INDEX tally_key ON tally (candidate);";

struct run {
	struct lf_engine *engine;
	struct lf_port *port;
	unsigned depth;
	uint64_t answered, failed;
};

static void die(const char *what, const struct error *e)
{
	fprintf(stderr, "bench_projection: %s: %s: %s\n", what, error_sqlstate(e->code),
		e->message);
	exit(1);
}

static void on_reply(void *arg, const struct lf_reply *reply)
{
	struct run *run = arg;

	run->answered++;
	run->failed += reply->error != NULL;
}

static struct statement *prepare(struct run *run, const char *text)
{
	struct statement *s;
	struct error e;

	if (lf_prepare(&s, run->engine, text, strlen(text), NULL, 0, &e) != 0)
		die(text, &e);
	return s;
}

static uint64_t drain(struct run *run, uint64_t sent, uint64_t below)
{
	lf_flush(run->port);
	while (sent - run->answered > below)
		if (lf_poll(run->port, on_reply, run) == 0)
			lf_port_wait(run->port, 1000);
	return run->answered;
}

/* Fill the parameters of the i-th command. */
typedef void (*fill)(uint64_t i, struct value *v);

static void fill_order(uint64_t i, struct value *v)
{
	uint64_t h = hash_u64(i);

	v[0].i = (int64_t)i;
	v[1].i = (int64_t)(h % 10000);
	v[2].i = (int64_t)(h >> 32) % 365;
	v[3].i = (int64_t)(h >> 16) % 5 + 1;
	v[4].n = (int64_t)(h >> 8) % 10000;
	v[4].scale = 2;
	v[5].i = (int64_t)(h >> 24) % 5 + 1;
	v[6].n = (int64_t)(h >> 12) % 10000;
	v[6].scale = 2;
}

static void fill_vote(uint64_t i, struct value *v)
{
	v[0].i = (int64_t)i;
	v[1].i = (int64_t)(hash_u64(i) % 100);
}

static double measure(struct run *run, const char *text, fill fn, uint64_t n)
{
	struct statement *s = prepare(run, text);
	struct error e;
	uint64_t begin, sent = 0, row[64];
	struct value v[8];
	double seconds;

	run->answered = run->failed = 0;
	begin = clock_now_ns();
	while (sent < n) {
		memset(v, 0, sizeof(v));
		for (unsigned k = 0; k < s->nparams; k++)
			v[k].type = s->params[k].id;
		fn(sent + 1, v);
		row_encode(&s->param_layout, v, row);
		while (lf_submit(run->port, s, row, sent, LF_DURABLE, &e) != 0) {
			if (e.code != ERR_OVERLOAD)
				die("submit", &e);
			drain(run, sent, run->depth / 2);
		}
		if (++sent % (run->depth / 2) == 0)
			drain(run, sent, run->depth / 2);
	}
	drain(run, sent, 0);
	seconds = (double)(clock_now_ns() - begin) / 1e9;
	lf_release(run->engine, s);
	if (run->failed != 0) {
		fprintf(stderr, "bench_projection: %llu commands failed\n",
			(unsigned long long)run->failed);
		exit(1);
	}
	return (double)n / seconds;
}

static int add(void *arg, const struct statement *s, const void *row)
{
	struct value v;

	row_get(&s->result_layout, row, 0, &v);
	*(int64_t *)arg += v.type == TYPE_NUMERIC ? (int64_t)v.n : v.i;
	return 0;
}

static void expect(struct run *run, const char *text, uint64_t n)
{
	struct error e;
	int64_t sum = 0;

	if (lf_run(run->port, text, strlen(text), NULL, add, &sum, &e) != 0)
		die(text, &e);
	if ((uint64_t)sum != n) {
		fprintf(stderr, "bench_projection: %s: %lld, expected %llu\n", text, (long long)sum,
			(unsigned long long)n);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct lf_options o = lf_options_default();
	struct run run = { .depth = 64 };
	uint64_t n = 1000000;
	struct error e;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--smoke") == 0)
			n = 2000;
		else if (strcmp(argv[i], "--projectors") == 0 && i + 1 < argc)
			o.projectors = (unsigned)strtoul(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--commands") == 0 && i + 1 < argc)
			n = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--depth") == 0 && i + 1 < argc)
			run.depth = (unsigned)strtoul(argv[++i], NULL, 10);
		else
			return fprintf(stderr,
				       "usage: bench_projection [--projectors P] [--commands N]"
				       " [--depth D] [--smoke]\n"),
			       2;
	}
	if (run.depth < 2)
		run.depth = 2;
	if (lf_engine_open(&run.engine, &o, &e) != 0 ||
		lf_port_open(&run.port, run.engine, NULL, NULL, &e) != 0 ||
		lf_run_script(run.port, SCHEMA, strlen(SCHEMA), &e) != 0)
		die("start", &e);
	printf("orders/s %.0f\n",
		measure(&run,
			"INSERT INTO orders VALUES ($1, $2, $3);"
			"INSERT INTO order_item VALUES ($1, 1, $4, $5), ($1, 2, $6, $7)",
			fill_order, n));
	printf("votes/s %.0f\n", measure(&run, "INSERT INTO vote VALUES ($1, $2)", fill_vote, n));
	if (n <= 100000) {
		expect(&run, "SELECT items FROM order_summary", 2 * n);
		expect(&run, "SELECT orders FROM per_customer", n);
		expect(&run, "SELECT orders FROM per_day", n);
		expect(&run, "SELECT votes FROM tally", n);
	}
	lf_port_close(run.port);
	lf_engine_close(run.engine);
	return 0;
}
