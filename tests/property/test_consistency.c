/*
 * Consistency under concurrency, in process: transfers between accounts while readers sum three views of
 * them in one request. An account belongs to a bank (the partition) and a transfer moves money between two
 * accounts of one bank atomically, so the sum of balances is the same in every epoch. Each transfer also counts
 * two moves: their sum always changes, so that views of different epochs would be noticed too.
 *
 *   --reads N   reads of the three views in all, by each test (default 20000; make consistency-long: 10
 *               million)
 */
#include <pthread.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/engine.h"

enum { BANKS = 8, ACCOUNTS = 16, START = 1000, WRITERS = 2, READERS = 2, DEPTH = 32 };

static const char SCHEMA[] =
	"CREATE TABLE account (bank int, number int, owner int NOT NULL, balance bigint NOT NULL,"
	"  moves bigint NOT NULL DEFAULT 0, PRIMARY KEY (bank, number));"
	"CREATE MATERIALIZED VIEW per_bank AS SELECT bank, sum(balance) AS total, sum(moves) AS moves"
	"  FROM account GROUP BY bank;"
	"CREATE UNIQUE INDEX per_bank_key ON per_bank (bank);"
	"CREATE MATERIALIZED VIEW per_owner AS SELECT owner, sum(balance) AS total, sum(moves) AS moves"
	"  FROM account GROUP BY owner;"
	"CREATE UNIQUE INDEX per_owner_key ON per_owner (owner);"
	"CREATE MATERIALIZED VIEW whole AS SELECT sum(balance) AS total, sum(moves) AS moves FROM account;";

static unsigned long reads_wanted = 20000;

struct shared {
	struct lf_engine *engine;
	_Atomic bool stop;
	_Atomic unsigned long reads, bad, commands;
};

struct sums {
	const struct statement *s;
	int64_t total, moves;
	unsigned column; /* total; moves is the next */
};

static int64_t as_int(const struct value *v)
{
	return v->type == TYPE_NUMERIC ? (int64_t)v->n : v->i;
}

static int add_row(void *arg, const void *row, uint32_t size)
{
	struct sums *sums = arg;
	struct value v;

	(void)size;
	row_get(&sums->s->result_layout, row, sums->column, &v);
	sums->total += as_int(&v);
	row_get(&sums->s->result_layout, row, sums->column + 1, &v);
	sums->moves += as_int(&v);
	return 0;
}

static struct statement *prepare(struct lf_engine *engine, const char *text)
{
	struct statement *s;
	struct error e;

	if (lf_prepare(&s, engine, text, strlen(text), NULL, 0, &e) != 0) {
		fprintf(stderr, "%s: %s %s\n", text, error_sqlstate(e.code), e.message);
		abort();
	}
	return s;
}

static void ignore(void *arg, const struct lf_reply *reply)
{
	struct shared *shared = arg;

	if (reply->error != NULL) {
		fprintf(stderr, "command failed: %s\n", reply->error->message);
		atomic_fetch_add(&shared->bad, 1);
	}
	atomic_fetch_add(&shared->commands, 1);
}

static uint64_t next(uint64_t *seed)
{
	*seed = hash_u64(*seed + 1);
	return *seed;
}

static void *writer(void *arg)
{
	struct shared *shared = arg;
	struct lf_port *port;
	struct error e;
	uint64_t seed = (uint64_t)(uintptr_t)&port;
	struct statement *move;
	unsigned long sent = 0;

	if (lf_port_open(&port, shared->engine, NULL, NULL, &e) != 0)
		abort();
	move = prepare(shared->engine,
		"UPDATE account SET balance = balance - $4, moves = moves + 1"
		"  WHERE bank = $1 AND number = $2;"
		"UPDATE account SET balance = balance + $4, moves = moves + 1"
		"  WHERE bank = $1 AND number = $3");
	while (!atomic_load(&shared->stop)) {
		struct value v[4];
		uint64_t row[16];

		for (unsigned i = 0; i < DEPTH; i++) {
			memset(v, 0, sizeof(v));
			for (unsigned k = 0; k < 4; k++) {
				v[k].type = move->params[k].id;
				v[k].i = (int64_t)(next(&seed) %
					(k == 0                  ? BANKS
							: k == 3 ? 50
								 : ACCOUNTS));
			}
			row_encode(&move->param_layout, v, row);
			while (lf_submit(port, move, row, sent, LF_DURABLE, &e) != 0) {
				lf_flush(port);
				lf_poll(port, ignore, shared);
			}
			sent++;
		}
		lf_flush(port);
		lf_poll(port, ignore, shared);
		if (!lf_port_idle(port))
			lf_port_wait(port, 1000);
	}
	while (!lf_port_idle(port)) {
		lf_poll(port, ignore, shared);
		lf_port_wait(port, 1000);
	}
	lf_release(shared->engine, move);
	lf_port_close(port);
	return NULL;
}

static void *reader(void *arg)
{
	struct shared *shared = arg;
	struct lf_port *port;
	struct error e;
	struct sums banks = { .column = 1 }, owners = { .column = 1 }, whole = { .column = 0 };
	struct statement *s[3];
	uint64_t none[2] = { 0 }, last = 0;
	int64_t moves = 0;

	if (lf_port_open(&port, shared->engine, NULL, NULL, &e) != 0)
		abort();
	banks.s = s[0] = prepare(shared->engine, "SELECT * FROM per_bank");
	owners.s = s[1] = prepare(shared->engine, "SELECT * FROM per_owner");
	whole.s = s[2] = prepare(shared->engine, "SELECT * FROM whole");
	row_encode(&s[0]->param_layout, NULL, none);
	while (atomic_fetch_add(&shared->reads, 1) < reads_wanted) {
		uint64_t epoch;

		banks.total = owners.total = whole.total = 0;
		banks.moves = owners.moves = whole.moves = 0;
		if (lf_read_begin(port, 0, &epoch, &e) != 0 ||
			lf_query(port, s[0], none, add_row, &banks, &e) != 0 ||
			lf_query(port, s[1], none, add_row, &owners, &e) != 0 ||
			lf_query(port, s[2], none, add_row, &whole, &e) != 0) {
			fprintf(stderr, "query: %s\n", e.message);
			abort();
		}
		lf_read_end(port);
		if (banks.total != (int64_t)BANKS * ACCOUNTS * START ||
			owners.total != banks.total || whole.total != banks.total ||
			owners.moves != banks.moves || whole.moves != banks.moves ||
			banks.moves < moves || banks.moves % 2 != 0 || epoch < last)
			atomic_fetch_add(&shared->bad, 1);
		last = epoch;
		moves = banks.moves;
	}
	for (unsigned i = 0; i < 3; i++)
		lf_release(shared->engine, s[i]);
	lf_port_close(port);
	return NULL;
}

static void schema(struct lf_port *port)
{
	struct error e;
	char text[160];

	if (lf_run_script(port, SCHEMA, strlen(SCHEMA), &e) != 0) {
		fprintf(stderr, "%s %s\n", error_sqlstate(e.code), e.message);
		abort();
	}
	for (int bank = 0; bank < BANKS; bank++)
		for (int n = 0; n < ACCOUNTS; n++) {
			(void)snprintf(text, sizeof(text),
				"INSERT INTO account VALUES (%d, %d, %d, %d, 0)", bank, n,
				(bank * 7 + n * 3) % 11, START);
			if (lf_run(port, text, strlen(text), NULL, NULL, NULL, &e) != 0)
				abort();
		}
}

static void transfers(unsigned projectors)
{
	struct lf_options o = lf_options_default();
	struct shared shared = { 0 };
	pthread_t threads[WRITERS + READERS];
	struct lf_port *port;
	struct error e;

	o.projectors = projectors;
	assert_int_equal(lf_engine_open(&shared.engine, &o, &e), 0);
	assert_int_equal(lf_port_open(&port, shared.engine, NULL, NULL, &e), 0);
	schema(port);
	for (unsigned i = 0; i < WRITERS + READERS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, i < WRITERS ? writer : reader, &shared),
			0);
	for (unsigned i = WRITERS; i < WRITERS + READERS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&shared.stop, true);
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	print_message("P=%u: %lu reads of three views, %lu transfers, %lu wrong\n", projectors,
		reads_wanted, atomic_load(&shared.commands), atomic_load(&shared.bad));
	assert_int_equal(atomic_load(&shared.bad), 0);
	assert_true(atomic_load(&shared.commands) > 0);
	lf_port_close(port);
	lf_engine_close(shared.engine);
}

static void test_one_projector(void **state)
{
	(void)state;
	transfers(1);
}

static void test_three_projectors(void **state)
{
	(void)state;
	transfers(3);
}

/* --- visible on one port is never missed on another; at_least holds --- */

struct last {
	bool done;
	uint64_t epoch;
};

static void keep(void *arg, const struct lf_reply *reply)
{
	struct last *last = arg;

	assert_null(reply->error);
	last->done = true;
	last->epoch = reply->epoch;
}

static void test_visible(void **state)
{
	struct lf_options o = lf_options_default();
	struct lf_engine *engine;
	struct lf_port *writing, *reading;
	struct statement *insert, *total;
	struct sums sums = { .column = 0 };
	uint64_t none[2] = { 0 };
	struct error e;

	(void)state;
	o.projectors = 3;
	assert_int_equal(lf_engine_open(&engine, &o, &e), 0);
	assert_int_equal(lf_port_open(&writing, engine, NULL, NULL, &e), 0);
	assert_int_equal(lf_port_open(&reading, engine, NULL, NULL, &e), 0);
	schema(writing);
	insert = prepare(
		engine, "UPDATE account SET balance = balance + 1 WHERE bank = $1 AND number = 1");
	sums.s = total = prepare(engine, "SELECT * FROM whole");
	row_encode(&total->param_layout, NULL, none);
	for (int i = 0; i < 2000; i++) {
		struct last last = { 0 };
		struct value v = { .i = i % BANKS, .type = insert->params[0].id };
		uint64_t row[4];

		row_encode(&insert->param_layout, &v, row);
		assert_int_equal(
			lf_submit(writing, insert, row, 0, i % 2 ? LF_VISIBLE : LF_DURABLE, &e), 0);
		lf_flush(writing);
		while (!last.done) {
			lf_poll(writing, keep, &last);
			if (!last.done)
				lf_port_wait(writing, 1000);
		}
		/* Durable only: ask for the epoch; visible: it must be there. */
		while (lf_read_begin(reading, i % 2 ? 0 : last.epoch, NULL, &e) != 0) {
			assert_int_equal(e.code, ERR_NOT_YET);
			lf_want_epoch(reading, last.epoch);
			lf_port_wait(reading, 1000);
			lf_poll(reading, keep, &last);
		}
		sums.total = 0;
		assert_int_equal(lf_query(reading, total, none, add_row, &sums, &e), 0);
		lf_read_end(reading);
		assert_int_equal(sums.total, BANKS * ACCOUNTS * START + i + 1);
	}
	assert_int_equal(lf_read_begin(reading, lf_visible(engine) + 1000, NULL, &e), -1);
	assert_int_equal(e.code, ERR_NOT_YET);
	lf_release(engine, insert);
	lf_release(engine, total);
	lf_port_close(writing);
	lf_port_close(reading);
	lf_engine_close(engine);
}

/* --- what was acknowledged as visible is seen by every read that begins afterwards, on any thread --- */

struct race {
	struct shared shared;
	_Atomic int64_t acknowledged; /* moves */
};

static void *racing_writer(void *arg)
{
	struct race *race = arg;
	struct statement *move;
	struct lf_port *port;
	struct error e;

	if (lf_port_open(&port, race->shared.engine, NULL, NULL, &e) != 0)
		abort();
	move = prepare(race->shared.engine,
		"UPDATE account SET moves = moves + 1 WHERE bank = $1 AND number = 2");
	for (int64_t i = 1; !atomic_load(&race->shared.stop); i++) {
		struct last last = { 0 };
		struct value v = { .i = i % BANKS, .type = move->params[0].id };
		uint64_t row[4];

		row_encode(&move->param_layout, &v, row);
		if (lf_submit(port, move, row, 0, LF_VISIBLE, &e) != 0)
			abort();
		lf_flush(port);
		while (!last.done) {
			lf_poll(port, keep, &last);
			if (!last.done)
				lf_port_wait(port, 1000);
		}
		atomic_store_explicit(&race->acknowledged, i, memory_order_release);
	}
	lf_release(race->shared.engine, move);
	lf_port_close(port);
	return NULL;
}

static void *racing_reader(void *arg)
{
	struct race *race = arg;
	struct sums whole = { .column = 0 };
	struct statement *s;
	struct lf_port *port;
	uint64_t none[2] = { 0 };
	struct error e;

	if (lf_port_open(&port, race->shared.engine, NULL, NULL, &e) != 0)
		abort();
	whole.s = s = prepare(race->shared.engine, "SELECT * FROM whole");
	row_encode(&s->param_layout, NULL, none);
	while (atomic_fetch_add(&race->shared.reads, 1) < reads_wanted) {
		int64_t known = atomic_load_explicit(&race->acknowledged, memory_order_acquire);

		whole.total = whole.moves = 0;
		if (lf_read_begin(port, 0, NULL, &e) != 0 ||
			lf_query(port, s, none, add_row, &whole, &e) != 0)
			abort();
		lf_read_end(port);
		if (whole.moves < known)
			atomic_fetch_add(&race->shared.bad, 1);
	}
	lf_release(race->shared.engine, s);
	lf_port_close(port);
	return NULL;
}

static void test_visible_across_threads(void **state)
{
	struct lf_options o = lf_options_default();
	struct race race = { 0 };
	pthread_t threads[1 + READERS];
	struct lf_port *port;
	struct error e;

	(void)state;
	o.projectors = 2;
	assert_int_equal(lf_engine_open(&race.shared.engine, &o, &e), 0);
	assert_int_equal(lf_port_open(&port, race.shared.engine, NULL, NULL, &e), 0);
	schema(port);
	for (unsigned i = 0; i < 1 + READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
					 i == 0 ? racing_writer : racing_reader, &race),
			0);
	for (unsigned i = 1; i < 1 + READERS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&race.shared.stop, true);
	pthread_join(threads[0], NULL);
	print_message("%lu reads against %ld visible commands, %lu missed one\n", reads_wanted,
		(long)race.acknowledged, atomic_load(&race.shared.bad));
	assert_int_equal(atomic_load(&race.shared.bad), 0);
	assert_true(race.acknowledged > 0);
	lf_port_close(port);
	lf_engine_close(race.shared.engine);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_projector),
		cmocka_unit_test(test_three_projectors),
		cmocka_unit_test(test_visible),
		cmocka_unit_test(test_visible_across_threads),
	};

	for (int i = 1; i + 1 < argc; i += 2)
		if (strcmp(argv[i], "--reads") == 0)
			reads_wanted = strtoul(argv[i + 1], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
