/*
 * bench_projection.c: commands through rings, projectors and views in one process, no sockets.
 *
 *   bench_projection [--smoke] [--projectors P] [--commands N] [--depth D]
 *
 * orders: one command inserts an order and two items; three views follow. votes: one row, one view. Printed are
 * commands a second, with D commands under way (3200: as many as leftfold-bench's 50 connections have):
 *
 *   projection            one thread submits and takes the answers, P projectors (1) have threads of their own
 *   projection_applied    one projector's steps alone: commands lie in its ring already, and answers are left there
 *   projection_T_threads  T threads (1, 2), each of which submits (D), takes answers and does the work of one of T projectors;
 *                         their commands are for all of them alike
 *
 * --smoke runs few and checks the views' totals.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "bench/micro/micro.h"
#include "core/engine.h"

enum { THREADS_MAX = 2, CHECKED_MAX = 100000, PARAMETERS_MAX = 8, ROW_WORDS = 64 };

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

/* One thread's part: its port, and what it submits: commands number first, first + step, …, n of them. */
struct run {
	struct lf_engine *engine;
	struct lf_port *port;
	unsigned depth;
	uint64_t first, step, n;
	uint64_t sent, answered, failed;
};

static void die(const char *what, const struct error *e)
{
	micro_fail("bench_projection: %s: %s: %s", what, error_sqlstate(e->code), e->message);
}

static void on_reply(void *arg, const struct lf_reply *reply)
{
	struct run *run = arg;

	run->answered++;
	run->failed += reply->error != NULL;
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

static const struct work {
	const char *name, *text;
	fill fill;
} WORK[] = {
	{ "orders",
		"INSERT INTO orders VALUES ($1, $2, $3);"
		"INSERT INTO order_item VALUES ($1, 1, $4, $5), ($1, 2, $6, $7)",
		fill_order },
	{ "votes", "INSERT INTO vote VALUES ($1, $2)", fill_vote },
};
enum { NWORK = sizeof(WORK) / sizeof(WORK[0]) };

static struct statement *prepare(struct lf_engine *engine, const char *text)
{
	struct statement *s;
	struct error e;

	if (lf_prepare(&s, engine, text, strlen(text), NULL, 0, &e) != 0)
		die(text, &e);
	return s;
}

/* Submit until `until` were; false: the ring is full before. */
static bool submit(struct run *run, const struct statement *s, fill fn, uint64_t until)
{
	uint64_t row[ROW_WORDS];
	struct value v[PARAMETERS_MAX];
	struct error e;

	for (; run->sent < until; run->sent++) {
		memset(v, 0, sizeof(v));
		for (unsigned k = 0; k < s->nparams; k++)
			v[k].type = s->params[k].id;
		fn(run->first + run->sent * run->step, v);
		row_encode(&s->param_layout, v, row);
		if (lf_submit(run->port, s, row, run->sent, LF_DURABLE, &e) == 0)
			continue;
		if (e.code != ERR_OVERLOAD)
			die("submit", &e);
		return false;
	}
	return true;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void check_answers(const struct run *run)
{
	if (run->failed != 0 || run->answered != run->n)
		micro_fail("bench_projection: of %llu commands %llu were answered, %llu failed",
			(unsigned long long)run->n, (unsigned long long)run->answered,
			(unsigned long long)run->failed);
}

/* --- engines --- */

static void run_open(struct run *run, const struct lf_options *o, unsigned depth, uint64_t n)
{
	struct error e;

	*run = (struct run){ .depth = depth, .first = 1, .step = 1, .n = n };
	if (lf_engine_open(&run->engine, o, &e) != 0 ||
		lf_port_open(&run->port, run->engine, NULL, NULL, &e) != 0 ||
		lf_run_script(run->port, SCHEMA, strlen(SCHEMA), &e) != 0)
		die("start", &e);
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
	if ((uint64_t)sum != n)
		micro_fail("bench_projection: %s: %lld, expected %llu", text, (long long)sum,
			(unsigned long long)n);
}

/* After n of each. */
static void run_close(struct run *run, uint64_t n)
{
	if (n <= CHECKED_MAX) {
		expect(run, "SELECT items FROM order_summary", 2 * n);
		expect(run, "SELECT orders FROM per_customer", n);
		expect(run, "SELECT orders FROM per_day", n);
		expect(run, "SELECT votes FROM tally", n);
	}
	lf_port_close(run->port);
	lf_engine_close(run->engine);
}

static void report(const char *name, const double *seconds, uint64_t n)
{
	printf("%s", name);
	for (unsigned i = 0; i < NWORK; i++)
		printf(" %s/s %.0f", WORK[i].name, (double)n / seconds[i]);
	putchar('\n');
}

/* --- the whole way --- */

static double whole(struct run *run, const struct work *w)
{
	struct statement *s = prepare(run->engine, w->text);
	uint64_t begin = clock_now_ns();
	double seconds;

	run->sent = run->answered = run->failed = 0;
	while (run->answered < run->n) {
		(void)submit(run, s, w->fill, least(run->n, run->answered + run->depth));
		lf_flush(run->port);
		while (run->answered < run->sent &&
			run->sent - run->answered > (run->sent < run->n ? run->depth / 2 : 0))
			if (lf_poll(run->port, on_reply, run) == 0)
				lf_port_wait(run->port, 1000);
	}
	seconds = micro_seconds(begin);
	lf_release(run->engine, s);
	check_answers(run);
	return seconds;
}

/* --- a projector's steps alone --- */

static double applied(struct run *run, const struct work *w)
{
	struct statement *s = prepare(run->engine, w->text);
	double seconds = 0;

	run->sent = run->answered = run->failed = 0;
	while (run->answered < run->n) {
		uint64_t begin;

		(void)submit(run, s, w->fill, least(run->n, run->sent + run->depth));
		lf_flush(run->port);
		begin = clock_now_ns();
		while (lf_step(run->engine, 0))
			;
		seconds += micro_seconds(begin);
		while (lf_poll(run->port, on_reply, run) > 0)
			;
	}
	lf_release(run->engine, s);
	check_answers(run);
	return seconds;
}

/* --- threads that do all of it --- */

struct team {
	const struct work *work;
	const struct statement *statement;
	pthread_barrier_t begin;
	atomic_uint ready;
	unsigned threads;
};

struct member {
	struct run run;
	struct team *team;
	unsigned shard;
	double seconds;
};

/* Everybody goes on until all are ready: the others' commands are executed here, too. */
static void *member_main(void *arg)
{
	struct member *m = arg;
	struct run *run = &m->run;
	struct error e;
	bool counted = false;
	uint64_t begin;

	if (lf_port_open(&run->port, run->engine, NULL, NULL, &e) != 0 ||
		lf_port_adopt(run->port, m->shard, &e) != 0)
		die("thread", &e);
	pthread_barrier_wait(&m->team->begin);
	begin = clock_now_ns();
	while (atomic_load(&m->team->ready) < m->team->threads) {
		(void)submit(run, m->team->statement, m->team->work->fill,
			least(run->n, run->answered + run->depth));
		lf_flush(run->port);
		if (lf_poll(run->port, on_reply, run) == 0)
			(void)sched_yield();
		if (run->answered == run->n && !counted) {
			counted = true;
			atomic_fetch_add(&m->team->ready, 1);
		}
	}
	m->seconds = micro_seconds(begin);
	lf_port_let_go(run->port);
	lf_port_close(run->port);
	return NULL;
}

static double together(const struct run *all, const struct work *w, unsigned threads)
{
	struct statement *s = prepare(all->engine, w->text);
	struct team team = { .work = w, .statement = s, .threads = threads };
	struct member members[THREADS_MAX];
	pthread_t ids[THREADS_MAX];
	double seconds = 0;

	if (pthread_barrier_init(&team.begin, NULL, threads) != 0)
		micro_fail("bench_projection: cannot start threads");
	for (unsigned i = 0; i < threads; i++) {
		members[i] = (struct member){ .team = &team,
			.shard = i,
			.run = { .engine = all->engine,
				.depth = all->depth,
				.first = 1 + i,
				.step = threads,
				.n = all->n / threads + (i < all->n % threads) } };
		if (pthread_create(&ids[i], NULL, member_main, &members[i]) != 0)
			micro_fail("bench_projection: cannot start a thread");
	}
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(ids[i], NULL);
		check_answers(&members[i].run);
		if (members[i].seconds > seconds)
			seconds = members[i].seconds;
	}
	pthread_barrier_destroy(&team.begin);
	lf_release(all->engine, s);
	return seconds;
}

/* --- all of it --- */

static void bench_whole(unsigned projectors, unsigned depth, uint64_t n)
{
	struct lf_options o = lf_options_default();
	double seconds[NWORK];
	struct run run;

	o.projectors = projectors;
	run_open(&run, &o, depth, n);
	for (unsigned i = 0; i < NWORK; i++)
		seconds[i] = whole(&run, &WORK[i]);
	run_close(&run, n);
	report("projection", seconds, n);
}

static void bench_applied(unsigned depth, uint64_t n)
{
	struct lf_options o = lf_options_default();
	double seconds[NWORK];
	struct run run;

	o.projectors = 1;
	o.stepped = true;
	run_open(&run, &o, depth, n);
	for (unsigned i = 0; i < NWORK; i++)
		seconds[i] = applied(&run, &WORK[i]);
	run_close(&run, n);
	report("projection_applied", seconds, n);
}

static void bench_threads(unsigned threads, unsigned depth, uint64_t n)
{
	struct lf_options o = lf_options_default();
	double seconds[NWORK];
	char name[40];
	struct run run;

	o.projectors = threads;
	run_open(&run, &o, depth, n);
	for (unsigned i = 0; i < NWORK; i++)
		seconds[i] = together(&run, &WORK[i], threads);
	run_close(&run, n);
	(void)snprintf(
		name, sizeof(name), "projection_%u_thread%s", threads, threads > 1 ? "s" : "");
	report(name, seconds, n);
}

int main(int argc, char **argv)
{
	bool smoke = false;
	uint64_t projectors = 1, n = 1000000, depth = 3200;
	const struct micro_flag flags[] = { { "--smoke", &smoke, NULL },
		{ "--projectors", NULL, &projectors }, { "--commands", NULL, &n },
		{ "--depth", NULL, &depth } };

	micro_flags(argc, argv, flags, 4);
	if (smoke)
		n = 2001;
	if (depth < 2)
		depth = 2;
	bench_whole((unsigned)projectors, (unsigned)depth, n);
	bench_applied((unsigned)depth, n);
	for (unsigned threads = 1; threads <= THREADS_MAX; threads++)
		bench_threads(threads, (unsigned)depth, n);
	return 0;
}
