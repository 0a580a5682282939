/*
 * sqlite.c: bench-sqlite, the orders of bench-peers in SQLite's memory, in this process: no network, no threads, one prepared
 * statement a row, a transaction an order, and triggers that keep the three summaries, as in postgres.sql. Compares what is
 * there at the end with what was put in, and prints one JSON object with bench-peers's names.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench/load/histogram.h"
#include "bench/load/server.h"
#include "bench/peers/peer.h"

static const char USAGE[] = "Usage: bench-sqlite SECONDS WARM-UP CUSTOMERS SEED\n"
			    "\n"
			    "Called by bench/peers/run.\n";

/* journal_mode: a transaction must be able to go back, but there is nothing to survive. */
static const char SCHEMA[] =
	"PRAGMA journal_mode = MEMORY;"
	"CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, day INTEGER NOT NULL);"
	"CREATE TABLE items (order_id INTEGER, line INTEGER, qty INTEGER NOT NULL CHECK (qty > 0),"
	"  cents INTEGER NOT NULL, PRIMARY KEY (order_id, line)) WITHOUT ROWID;"
	"CREATE TABLE summary (order_id INTEGER PRIMARY KEY, total INTEGER NOT NULL, items INTEGER NOT NULL);"
	"CREATE TABLE customers (id INTEGER PRIMARY KEY, orders INTEGER NOT NULL);"
	"CREATE TABLE days (day INTEGER PRIMARY KEY, orders INTEGER NOT NULL);"
	"CREATE TRIGGER order_added AFTER INSERT ON orders BEGIN"
	"  INSERT INTO customers VALUES (NEW.customer_id, 1) ON CONFLICT (id) DO UPDATE SET orders = orders + 1;"
	"  INSERT INTO days VALUES (NEW.day, 1) ON CONFLICT (day) DO UPDATE SET orders = orders + 1;"
	"END;"
	"CREATE TRIGGER item_added AFTER INSERT ON items BEGIN"
	"  INSERT INTO summary VALUES (NEW.order_id, NEW.qty * NEW.cents, 1) ON CONFLICT (order_id)"
	"    DO UPDATE SET total = total + excluded.total, items = items + 1;"
	"END;";

enum { BEGIN, ORDER, ITEM, COMMIT, STATEMENTS };
static const char *const TEXTS[STATEMENTS] = { "BEGIN", "INSERT INTO orders VALUES (?, ?, ?)",
	"INSERT INTO items VALUES (?, ?, ?, ?)", "COMMIT" };

struct shop {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENTS];
	struct keys customers;
	struct random random;
	uint64_t sent, cents;
	struct histogram *latency;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void die(const struct shop *s)
{
	fprintf(stderr, "bench-sqlite: %s\n",
		s->db != NULL ? sqlite3_errmsg(s->db) : "out of memory");
	exit(1);
}

static void shop_open(struct shop *s, uint64_t customers, uint64_t seed)
{
	*s = (struct shop){ .random = { ~seed }, .latency = histogram_new() };
	keys_init(&s->customers, customers, 0, seed);
	if (s->latency == NULL || sqlite3_open(":memory:", &s->db) != SQLITE_OK ||
		sqlite3_exec(s->db, SCHEMA, NULL, NULL, NULL) != SQLITE_OK)
		die(s);
	for (unsigned i = 0; i < STATEMENTS; i++)
		if (sqlite3_prepare_v2(s->db, TEXTS[i], -1, &s->statements[i], NULL) != SQLITE_OK)
			die(s);
}

static void shop_close(struct shop *s)
{
	for (unsigned i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(s->statements[i]);
	sqlite3_close(s->db);
	histogram_free(s->latency);
}

static void execute(struct shop *s, unsigned statement, unsigned n, const uint64_t *values)
{
	sqlite3_stmt *st = s->statements[statement];

	for (unsigned i = 0; i < n; i++)
		sqlite3_bind_int64(st, (int)i + 1, (sqlite3_int64)values[i]);
	if (sqlite3_step(st) != SQLITE_DONE || sqlite3_reset(st) != SQLITE_OK)
		die(s);
}

static void place_order(struct shop *s)
{
	struct work w = { .number = s->sent++, .key = keys_next(&s->customers) };

	s->cents += work_order(&w, random_next(&s->random));
	execute(s, BEGIN, 0, NULL);
	execute(s, ORDER, 3, (uint64_t[]){ w.number, w.key, w.day });
	for (unsigned i = 0; i < ITEMS; i++)
		execute(s, ITEM, 4, (uint64_t[]){ w.number, i + 1, w.qty[i], w.cents[i] });
	execute(s, COMMIT, 0, NULL);
}

/* Place orders for so long; returns how many. */
static uint64_t run(struct shop *s, double seconds)
{
	uint64_t now = now_ns(), end = now + (uint64_t)(seconds * 1e9), n = 0;

	for (; now < end; n++) {
		uint64_t begin = now;

		place_order(s);
		now = now_ns();
		histogram_record(s->latency, now - begin, 1);
	}
	return n;
}

/* A query of one number. */
static uint64_t ask(struct shop *s, const char *text)
{
	sqlite3_stmt *st;
	uint64_t found;

	if (sqlite3_prepare_v2(s->db, text, -1, &st, NULL) != SQLITE_OK ||
		sqlite3_step(st) != SQLITE_ROW)
		die(s);
	found = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return found;
}

static bool all_there(struct shop *s)
{
	return ask(s, "SELECT count(*) FROM summary WHERE items = 2") == s->sent &&
		ask(s, "SELECT sum(total) FROM summary") == s->cents &&
		ask(s, "SELECT sum(orders) FROM customers") == s->sent &&
		ask(s, "SELECT sum(orders) FROM days") == s->sent;
}

int main(int argc, char **argv)
{
	struct cpu_usage cpu, before;
	struct shop s;
	uint64_t begin, operations;
	double seconds;
	bool right;

	if (argc != 5 || strtoull(argv[3], NULL, 10) == 0) {
		fputs(USAGE, stderr);
		return 2;
	}
	shop_open(&s, strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
	(void)run(&s, strtod(argv[2], NULL));
	histogram_reset(s.latency);
	(void)cpu_usage_read(&before, getpid());
	begin = now_ns();
	operations = run(&s, strtod(argv[1], NULL));
	seconds = (double)(now_ns() - begin) / 1e9;
	(void)cpu_usage_read(&cpu, getpid());
	cpu_usage_since(&cpu, &before);
	right = all_there(&s);
	printf("{\"workload\":\"order\",\"rows\":%s,\"seconds\":%.4f,\"operations\":%llu,"
	       "\"operations_per_s\":%.1f,\"sent\":%llu,\"errors\":0,\"wrong\":%d,"
	       "\"latency_us\":{\"p50\":%.1f,\"p99\":%.1f,\"p99_9\":%.1f},\"server_cpu_s_per_million\":%.4f}\n",
		argv[3], seconds, (unsigned long long)operations, (double)operations / seconds,
		(unsigned long long)s.sent, !right,
		(double)histogram_percentile(s.latency, 50) / 1e3,
		(double)histogram_percentile(s.latency, 99) / 1e3,
		(double)histogram_percentile(s.latency, 99.9) / 1e3,
		operations > 0 ? (cpu.user + cpu.system) * 1e6 / (double)operations : 0);
	if (!right)
		fputs("bench-sqlite: the summaries are not those of the orders\n", stderr);
	shop_close(&s);
	return right ? 0 : 1;
}
