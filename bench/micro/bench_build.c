/*
 * bench_build.c: a view, its key and an index made over many rows while commands go on, and what that costs them.
 *
 *   bench_build [--rows N] [--rate N] [--smoke]
 *
 * A table of N rows (default 10 million) is loaded. Then, with one projector and one thread that sends updates at a fixed
 * rate, acknowledged 'visible': their latency, counted from when each was due, without a build; while a view that groups the
 * rows into N / 10 groups is made, its lookup key, a view that joins the table with one of N / 10 rows, and an ordered
 * index; and the same view made while nothing else happens. Checks the views' sums at the end.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "bench/micro/micro.h"
#include "core/engine.h"

static const char SCHEMA[] =
	"CREATE TABLE item (id bigint PRIMARY KEY, owner bigint NOT NULL, amount bigint NOT NULL);"
	"CREATE TABLE owner (id bigint PRIMARY KEY, region int NOT NULL);";
static const char UPDATE[] = "UPDATE item SET amount = amount + $2 WHERE id = $1";
static const char VIEW[] =
	"CREATE MATERIALIZED VIEW %s AS SELECT owner, count(*) AS items, sum(amount) AS amount FROM item "
	"GROUP BY owner";

enum { OWNERS = 10, DEPTH = 256, WAIT_US = 50, SENT_MAX = 65536 };

struct bench {
	struct lf_engine *engine;
	struct lf_port *port, *schema;
	uint64_t rows, rate, sum;
	uint64_t sent, answered;
	uint64_t due[SENT_MAX]; /* of command number i, at i modulo SENT_MAX */
	uint64_t *ns;           /* latencies */
	uint64_t n, cap;
	const char *text; /* the schema change */
	double seconds;   /* … and how long it took */
	_Atomic bool done;
};

static void check(int status, const struct error *e)
{
	if (status != 0)
		micro_fail("bench_build: %s %s", error_sqlstate(e->code), e->message);
}

static void run(struct lf_port *port, const char *text)
{
	struct error e;

	check(lf_run_script(port, text, strlen(text), &e), &e);
}

/* --- loading --- */

static void on_loaded(void *arg, const struct lf_reply *reply)
{
	struct bench *b = arg;

	check(reply->error != NULL ? -1 : 0, reply->error);
	b->answered++;
}

static void submit(struct bench *b, const struct statement *s, uint64_t tag, lf_on_reply fn,
	uint64_t v0, uint64_t v1, uint64_t v2)
{
	const uint64_t numbers[] = { v0, v1, v2 };
	struct value v[3];
	uint64_t row[8];
	struct error e;

	for (unsigned i = 0; i < s->nparams; i++)
		v[i] = (struct value){ .type = s->params[i].id, .i = (int64_t)numbers[i] };
	row_encode(&s->param_layout, v, row);
	while (lf_submit(b->port, s, row, tag, LF_VISIBLE, &e) != 0) {
		if (e.code != ERR_OVERLOAD)
			check(-1, &e);
		lf_flush(b->port);
		if (lf_poll(b->port, fn, b) == 0)
			lf_port_wait(b->port, WAIT_US);
	}
	b->sent++;
}

static void load(struct bench *b, const char *text, uint64_t rows)
{
	uint64_t owners = b->rows < OWNERS ? 1 : b->rows / OWNERS;
	struct statement *s;
	struct error e;

	check(lf_prepare(&s, b->engine, text, strlen(text), NULL, 0, &e), &e);
	for (uint64_t i = 0; i < rows; i++) {
		uint64_t h = hash_u64(i);

		submit(b, s, 0, on_loaded, i, s->nparams == 3 ? h % owners : h % 100, h >> 50);
		if (s->nparams == 3)
			b->sum += h >> 50;
		while (b->sent - b->answered >= DEPTH) {
			lf_flush(b->port);
			if (lf_poll(b->port, on_loaded, b) == 0)
				lf_port_wait(b->port, WAIT_US);
		}
	}
	lf_flush(b->port);
	while (b->answered < b->sent)
		if (lf_poll(b->port, on_loaded, b) == 0)
			lf_port_wait(b->port, WAIT_US);
	lf_release(b->engine, s);
}

/* --- commands at a rate --- */

static void on_updated(void *arg, const struct lf_reply *reply)
{
	struct bench *b = arg;

	check(reply->error != NULL ? -1 : 0, reply->error);
	if (b->n < b->cap)
		b->ns[b->n++] = clock_now_ns() - b->due[reply->tag % SENT_MAX];
	b->answered++;
}

/* For so long, or until a schema change is done. */
static void updates(struct bench *b, const struct statement *s, uint64_t ns, bool building)
{
	uint64_t begin = clock_now_ns(), first = b->sent, now = begin;

	b->n = 0;
	while (building ? !atomic_load(&b->done) : now - begin < ns) {
		uint64_t due = (now - begin) * b->rate / 1000000000;

		while (b->sent - first < due && b->sent - b->answered < SENT_MAX) {
			b->due[b->sent % SENT_MAX] = begin +
				(b->sent - first) * 1000000000 / b->rate;
			submit(b, s, b->sent, on_updated, hash_u64(b->sent) % b->rows, 1, 0);
			b->sum++;
		}
		lf_flush(b->port);
		if (lf_poll(b->port, on_updated, b) == 0)
			lf_port_wait(b->port, WAIT_US);
		now = clock_now_ns();
	}
	while (b->answered < b->sent)
		if (lf_poll(b->port, on_updated, b) == 0)
			lf_port_wait(b->port, WAIT_US);
}

/* In microseconds. */
static double percentile(const struct bench *b, double share)
{
	if (b->n == 0)
		return 0;
	return (double)b->ns[(uint64_t)((double)(b->n - 1) * share)] / 1e3;
}

static void *change(void *arg)
{
	struct bench *b = arg;
	uint64_t begin = clock_now_ns();

	run(b->schema, b->text);
	b->seconds = micro_seconds(begin);
	atomic_store(&b->done, true);
	return NULL;
}

static double used(const struct bench *b)
{
	struct lf_stats stats;

	lf_stats(b->engine, &stats);
	return (double)stats.memory_used / (1 << 20);
}

/* Make it while commands come; rows: that it goes through. */
static void build(struct bench *b, const struct statement *s, const char *name, const char *text,
	uint64_t rows)
{
	double before = used(b);
	pthread_t thread;

	b->text = text;
	atomic_store(&b->done, false);
	if (pthread_create(&thread, NULL, change, b) != 0)
		micro_fail("bench_build: cannot start a thread");
	updates(b, s, 0, true);
	pthread_join(thread, NULL);
	micro_sort(b->ns, b->n);
	printf("build_%s rows/s %.0f seconds %.2f commands/s %.0f p50_us %.1f p99_us %.1f max_us %.0f MiB_more %.0f\n",
		name, (double)rows / b->seconds, b->seconds, (double)b->n / b->seconds,
		percentile(b, 0.5), percentile(b, 0.99), percentile(b, 1), used(b) - before);
}

static int add(void *arg, const struct statement *s, const void *row)
{
	struct value v;

	row_get(&s->result_layout, row, 0, &v);
	*(uint64_t *)arg += (uint64_t)(v.type == TYPE_NUMERIC ? (int64_t)v.n : v.i);
	return 0;
}

static void expect(struct bench *b, const char *query, uint64_t wanted)
{
	uint64_t sum = 0;
	struct error e;

	check(lf_run(b->port, query, strlen(query), NULL, add, &sum, &e), &e);
	if (sum != wanted)
		micro_fail("bench_build: %s: %llu instead of %llu", query, (unsigned long long)sum,
			(unsigned long long)wanted);
}

int main(int argc, char **argv)
{
	bool smoke = false;
	struct bench b = { .rows = 10000000, .rate = 50000 };
	const struct micro_flag flags[] = { { "--smoke", &smoke, NULL },
		{ "--rows", NULL, &b.rows }, { "--rate", NULL, &b.rate } };
	struct lf_options o = lf_options_default();
	struct statement *update;
	char text[512];
	struct error e;
	double before;
	uint64_t begin;

	micro_flags(argc, argv, flags, 3);
	if (smoke) {
		b.rows = 20000;
		b.rate = 1000;
	}
	o.build_at_once = 0;
	check(lf_engine_open(&b.engine, &o, &e), &e);
	check(lf_port_open(&b.port, b.engine, NULL, NULL, &e), &e);
	check(lf_port_open(&b.schema, b.engine, NULL, NULL, &e), &e);
	b.cap = 64000000;
	b.ns = malloc(b.cap * sizeof(*b.ns));
	if (b.ns == NULL)
		micro_fail("out of memory");
	run(b.port, SCHEMA);
	load(&b, "INSERT INTO owner VALUES ($1, $2)", b.rows / OWNERS);
	load(&b, "INSERT INTO item VALUES ($1, $2, $3)", b.rows);
	check(lf_prepare(&update, b.engine, UPDATE, strlen(UPDATE), NULL, 0, &e), &e);

	updates(&b, update, (smoke ? 100 : 3000) * UINT64_C(1000000), false);
	micro_sort(b.ns, b.n);
	printf("build_none commands/s %llu p50_us %.1f p99_us %.1f max_us %.0f\n",
		(unsigned long long)b.rate, percentile(&b, 0.5), percentile(&b, 0.99),
		percentile(&b, 1));
	(void)snprintf(text, sizeof(text), VIEW, "per_owner");
	build(&b, update, "groups", text, b.rows);
	build(&b, update, "key", "CREATE UNIQUE INDEX ON per_owner (owner)", b.rows);
	build(&b, update, "join",
		"CREATE MATERIALIZED VIEW per_region AS SELECT o.region, count(*) AS items, sum(i.amount) AS amount FROM item i "
		"JOIN owner o ON o.id = i.owner GROUP BY o.region",
		b.rows + b.rows / OWNERS);
	build(&b, update, "index", "CREATE INDEX ON item (amount)", b.rows);
	before = used(&b);
	(void)snprintf(text, sizeof(text), VIEW, "again");
	begin = clock_now_ns();
	run(b.port, text);
	printf("build_groups_alone rows/s %.0f MiB_more %.0f\n",
		(double)b.rows / micro_seconds(begin), used(&b) - before);
	expect(&b, "SELECT sum(items) FROM per_owner", b.rows);
	expect(&b, "SELECT sum(amount) FROM per_owner", b.sum);
	expect(&b, "SELECT sum(amount) FROM per_region", b.sum);
	expect(&b, "SELECT sum(amount) FROM again", b.sum);
	lf_release(b.engine, update);
	lf_port_close(b.port);
	lf_port_close(b.schema);
	lf_engine_close(b.engine);
	free(b.ns);
	return 0;
}
