/*
 * bench_recovery.c: recovery from the journal and from a checkpoint, and what a checkpoint costs those who go on.
 *
 *   bench_recovery [--rows N] [--smoke]        in build/, or LEFTFOLD_BENCH_DIR
 *
 * Orders with two items each are inserted until there are N rows in two tables, with three views over them. Then: the
 * latency of single commands (acknowledged 'visible', one at a time) without and during a checkpoint; the engine is
 * closed, and opened again from the journal alone and from the checkpoint. Durability 'os'. Checks the views at the end.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "bench/micro/micro.h"
#include "core/base/log.h"
#include "core/engine.h"

static const char SCHEMA[] =
	"CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, day date NOT NULL);"
	"CREATE TABLE order_item (order_id bigint, line int, qty int NOT NULL, price numeric(12,2) NOT NULL,"
	"  PRIMARY KEY (order_id, line));"
	"CREATE MATERIALIZED VIEW order_summary AS SELECT o.id AS order_id, sum(i.qty * i.price) AS total, count(*) AS items"
	"  FROM orders o JOIN order_item i ON i.order_id = o.id GROUP BY o.id;"
	"CREATE UNIQUE INDEX order_summary_key ON order_summary (order_id);"
	"CREATE MATERIALIZED VIEW per_customer AS SELECT customer_id, count(*) AS orders FROM orders GROUP BY customer_id;"
	"CREATE UNIQUE INDEX per_customer_key ON per_customer (customer_id);"
	"CREATE MATERIALIZED VIEW per_day AS SELECT day, count(*) AS orders FROM orders GROUP BY day;"
	"CREATE UNIQUE INDEX per_day_key ON per_day (day);";
static const char ORDER[] = "INSERT INTO orders VALUES ($1, $2, $3);"
			    "INSERT INTO order_item VALUES ($1, 1, $4, $5), ($1, 2, $6, $7)";

enum { DEPTH = 256, WAIT_US = 1000 };

struct bench {
	char path[512];
	struct lf_options o;
	struct lf_engine *engine;
	struct lf_port *port;
	struct statement *order;
	uint64_t orders, answered, failed;
	_Atomic bool done; /* the checkpoint */
};

static void check(int status, const struct error *e)
{
	if (status != 0)
		micro_fail("bench_recovery: %s %s", error_sqlstate(e->code), e->message);
}

static double open_engine(struct bench *b)
{
	uint64_t begin = clock_now_ns();
	struct error e;

	check(lf_engine_open(&b->engine, &b->o, &e), &e);
	check(lf_port_open(&b->port, b->engine, NULL, NULL, &e), &e);
	return micro_seconds(begin);
}

static void close_engine(struct bench *b)
{
	lf_release(b->engine, b->order);
	b->order = NULL;
	lf_port_close(b->port);
	lf_engine_close(b->engine);
}

static void on_reply(void *arg, const struct lf_reply *reply)
{
	struct bench *b = arg;

	b->answered++;
	b->failed += reply->error != NULL;
}

static void submit(struct bench *b, enum lf_ack ack)
{
	uint64_t h = hash_u64(++b->orders), row[64];
	struct value v[7];
	struct error e;

	memset(v, 0, sizeof(v));
	for (unsigned i = 0; i < 7; i++)
		v[i].type = b->order->params[i].id;
	v[0].i = (int64_t)b->orders;
	v[1].i = (int64_t)(h % 10000);
	v[2].i = (int64_t)(h >> 32) % 365;
	v[3].i = v[5].i = (int64_t)(h >> 16) % 5 + 1;
	v[4].n = v[6].n = (int64_t)(h >> 8) % 10000;
	v[4].scale = v[6].scale = 2;
	row_encode(&b->order->param_layout, v, row);
	while (lf_submit(b->port, b->order, row, 0, ack, &e) != 0) {
		if (e.code != ERR_OVERLOAD)
			check(-1, &e);
		lf_flush(b->port);
		if (lf_poll(b->port, on_reply, b) == 0)
			lf_port_wait(b->port, WAIT_US);
	}
}

static void settle(struct bench *b, uint64_t sent)
{
	lf_flush(b->port);
	while (b->answered < sent)
		if (lf_poll(b->port, on_reply, b) == 0)
			lf_port_wait(b->port, WAIT_US);
	if (b->failed != 0)
		micro_fail("bench_recovery: %llu commands failed", (unsigned long long)b->failed);
}

static void load(struct bench *b, uint64_t orders)
{
	for (uint64_t i = 0; i < orders; i++) {
		submit(b, LF_DURABLE);
		if (i % DEPTH == 0)
			settle(b, b->orders > DEPTH ? b->orders - DEPTH : 0);
	}
	settle(b, b->orders);
}

/* One command at a time, n of them or until *stop. The p99 in microseconds. */
static double latency(struct bench *b, uint64_t n, const _Atomic bool *stop)
{
	uint64_t *ns = malloc(n * sizeof(*ns)), i = 0;
	double p99;

	if (ns == NULL)
		micro_fail("out of memory");
	for (; i < n && (stop == NULL || !atomic_load(stop)); i++) {
		uint64_t begin = clock_now_ns();

		submit(b, LF_VISIBLE);
		settle(b, b->orders);
		ns[i] = clock_now_ns() - begin;
	}
	if (i == 0)
		micro_fail("bench_recovery: the checkpoint was over before a command");
	micro_sort(ns, i);
	i = i * 99 / 100;
	p99 = (double)ns[i] / 1e3;
	free(ns);
	return p99;
}

/* MiB of this process's memory that are resident, and those that rows and views take. */
static double resident(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (f == NULL || fscanf(f, "%*u %lu", &pages) != 1)
		micro_fail("/proc/self/statm cannot be read");
	(void)fclose(f);
	return (double)pages * 4096 / (1 << 20);
}

static double used(const struct bench *b)
{
	struct lf_stats stats;

	lf_stats(b->engine, &stats);
	return (double)stats.memory_used / (1 << 20);
}

static void *checkpoint(void *arg)
{
	struct bench *b = arg;
	struct error e;

	check(lf_checkpoint(b->engine, &e), &e);
	atomic_store(&b->done, true);
	return NULL;
}

static int add(void *arg, const struct statement *s, const void *row)
{
	struct value v;

	row_get(&s->result_layout, row, 0, &v);
	*(uint64_t *)arg += (uint64_t)(v.type == TYPE_NUMERIC ? (int64_t)v.n : v.i);
	return 0;
}

static void expect(struct bench *b)
{
	static const char *const SUMS[] = { "SELECT sum(items) FROM order_summary",
		"SELECT sum(orders) FROM per_customer", "SELECT sum(orders) FROM per_day" };

	for (unsigned i = 0; i < 3; i++) {
		uint64_t sum = 0, wanted = i == 0 ? 2 * b->orders : b->orders;
		struct error e;

		check(lf_run(b->port, SUMS[i], strlen(SUMS[i]), NULL, add, &sum, &e), &e);
		if (sum != wanted)
			micro_fail("bench_recovery: %s: %llu instead of %llu", SUMS[i],
				(unsigned long long)sum, (unsigned long long)wanted);
	}
}

static void again(struct bench *b, const char *name)
{
	double seconds;

	close_engine(b);
	seconds = open_engine(b);
	printf("recovery_%s rows/s %.0f seconds %.2f\n", name, 3 * (double)b->orders / seconds,
		seconds);
	expect(b);
}

static void clean(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *entry;

	while (d != NULL && (entry = readdir(d)) != NULL)
		(void)unlinkat(dirfd(d), entry->d_name, 0);
	if (d != NULL)
		closedir(d);
	(void)rmdir(path);
}

int main(int argc, char **argv)
{
	bool smoke = false;
	uint64_t rows = 3000000, begin;
	const struct micro_flag flags[] = { { "--smoke", &smoke, NULL },
		{ "--rows", NULL, &rows } };
	const char *directory = getenv("LEFTFOLD_BENCH_DIR");
	struct bench b = { .o = lf_options_default() };
	double alone, beside, before, before_used;
	pthread_t thread;
	struct error e;

	micro_flags(argc, argv, flags, 2);
	if (smoke)
		rows = 30000;
	log_set_level(LOG_LEVEL_WARN);
	(void)snprintf(b.path, sizeof(b.path), "%s/bench-recovery-XXXXXX",
		directory != NULL ? directory : "build");
	if (mkdtemp(b.path) == NULL)
		micro_fail("%s: %s", b.path, strerror(errno));
	b.o.data = b.path;
	b.o.durability = LF_DURABILITY_OS;
	b.o.checkpoint_bytes = b.o.checkpoint_s = 0;
	(void)open_engine(&b);
	check(lf_run_script(b.port, SCHEMA, strlen(SCHEMA), &e), &e);
	check(lf_prepare(&b.order, b.engine, ORDER, strlen(ORDER), NULL, 0, &e), &e);
	begin = clock_now_ns();
	load(&b, rows / 3);
	printf("recovery_load rows/s %.0f\n", 3 * (double)b.orders / micro_seconds(begin));
	again(&b, "from_journal");
	check(lf_prepare(&b.order, b.engine, ORDER, strlen(ORDER), NULL, 0, &e), &e);
	alone = latency(&b, smoke ? 200 : 20000, NULL);
	before = resident();
	before_used = used(&b);
	begin = clock_now_ns();
	if (pthread_create(&thread, NULL, checkpoint, &b) != 0)
		micro_fail("bench_recovery: cannot start a thread");
	beside = latency(&b, 1000000, &b.done);
	pthread_join(thread, NULL);
	printf("recovery_checkpoint rows/s %.0f p99_us_without %.1f p99_us_during %.1f MiB_more %.0f "
	       "MiB_more_of_rows %.0f\n",
		3 * (double)b.orders / micro_seconds(begin), alone, beside, resident() - before,
		used(&b) - before_used);
	again(&b, "from_checkpoint");
	close_engine(&b);
	clean(b.path);
	return 0;
}
