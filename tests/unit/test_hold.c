/*
 * test_hold.c: commands of several shards that readers see together.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/base/hash.h"
#include "tests/unit/engine_fixture.h"

enum { ACCOUNTS = 16, AMOUNT = 100, TRANSFERS = 2000, SHARDS = 3 };

#define SCHEMA \
	"CREATE TABLE account (id bigint PRIMARY KEY, branch int NOT NULL, amount bigint NOT NULL);" \
	"CREATE MATERIALIZED VIEW branch_total AS SELECT branch, sum(amount) AS amount, count(*) AS n" \
	" FROM account GROUP BY branch;" \
	"CREATE UNIQUE INDEX ON branch_total (branch)"
#define MOVE "UPDATE account SET amount = amount + $2, branch = branch % 3 + 1 WHERE id = $1"

static void accounts_make(struct fixture *f)
{
	char text[128];

	run(f, SCHEMA);
	for (int i = 0; i < ACCOUNTS; i++) {
		(void)snprintf(text, sizeof(text), "INSERT INTO account VALUES (%d, %d, %d)", i,
			i % 3 + 1, AMOUNT);
		run(f, text);
	}
}

static void move(struct fixture *f, const struct statement *s, int64_t account, int64_t amount)
{
	_Alignas(8) unsigned char params[64];
	struct value v[2] = { { .i = account }, { .i = amount } };

	row_encode(&s->param_layout, v, params);
	if (lf_submit(f->port, s, params, 1, LF_VISIBLE, &f->error) != 0)
		fail_msg("%s", f->error.message);
	lf_flush(f->port);
}

struct answers {
	unsigned n, failed;
	uint64_t first, last; /* epochs */
};

static void on_answer(void *arg, const struct lf_reply *reply)
{
	struct answers *a = arg;

	a->n++;
	a->failed += reply->error != NULL;
	if (a->first == 0)
		a->first = reply->epoch;
	a->last = reply->epoch;
}

/* What a reader sees of all accounts, by the table and by the view. */
static void expect_sums(struct fixture *f, const char *sums)
{
	expect(f, "SELECT sum(amount), count(*) FROM account", sums);
	expect(f, "SELECT sum(amount), sum(n) FROM branch_total", sums);
}

static uint64_t hold(struct fixture *f)
{
	uint64_t number;

	assert_int_equal(lf_hold(f->engine, &number, &f->error), 0);
	return number;
}

static void release(struct fixture *f, uint64_t number)
{
	assert_int_equal(lf_release_hold(f->port, number, 2, &f->error), 0);
	lf_flush(f->port);
}

static void settle(struct fixture *f, struct answers *a)
{
	unsigned before;

	/* A poll may give room for replies without giving any out. */
	do {
		before = a->n;
		for (int i = 0; i < 2; i++) {
			lf_settle(f->engine);
			(void)lf_poll(f->port, on_answer, a);
		}
	} while (a->n > before);
}

static void test_seen_together(void **state)
{
	(void)state;
	for (unsigned projectors = 1; projectors <= SHARDS; projectors++) {
		struct answers a = { 0 };
		struct statement *s;
		struct fixture f;
		uint64_t number, other;

		open_fixture(&f, projectors);
		accounts_make(&f);
		s = prepare(&f, MOVE);
		number = hold(&f);
		assert_int_equal(lf_hold(f.engine, &other, &f.error), -1);
		assert_string_equal(error_sqlstate(f.error.code), "55006");
		for (int i = 0; i < ACCOUNTS; i++) {
			move(&f, s, i, i % 2 == 0 ? 10 : 20);
			settle(&f, &a);
			expect_sums(&f, "1600|16");
		}
		assert_int_equal(a.n, 0);
		release(&f, number);
		settle(&f, &a);
		assert_int_equal(a.n, ACCOUNTS + 1);
		assert_int_equal(a.failed, 0);
		assert_int_equal(a.first, a.last);
		expect_sums(&f, "1840|16");
		lf_release(f.engine, s);
		close_fixture(&f);
	}
}

/* Broken in the middle, its end is nothing to the next one. */
static void test_broken(void **state)
{
	struct answers a = { 0 };
	struct statement *s;
	struct fixture f;
	uint64_t first, second;

	(void)state;
	open_fixture(&f, SHARDS);
	accounts_make(&f);
	s = prepare(&f, MOVE);
	first = hold(&f);
	move(&f, s, 1, 1);
	settle(&f, &a);
	expect_sums(&f, "1600|16");
	assert_true(lf_break_hold(f.engine, first));
	assert_false(lf_break_hold(f.engine, first));
	settle(&f, &a);
	assert_int_equal(a.n, 1);
	expect_sums(&f, "1601|16");
	second = hold(&f);
	move(&f, s, 2, 1);
	release(&f, first);
	settle(&f, &a);
	assert_int_equal(a.n, 1);
	expect_sums(&f, "1601|16");
	release(&f, second);
	settle(&f, &a);
	assert_int_equal(a.n, 4);
	expect_sums(&f, "1602|16");
	lf_release(f.engine, s);
	close_fixture(&f);
}

/* More answers wait for the release than the ring has room for, and its message stands behind them. */
static void test_many(void **state)
{
	enum { MANY = 500 };
	struct lf_options o = lf_options_default();
	struct answers a = { 0 };
	struct statement *s;
	struct fixture f;
	uint64_t number;

	(void)state;
	o.stepped = true;
	o.projectors = 2;
	o.reply_ring_bytes = 8192;
	assert_int_equal(lf_engine_open(&f.engine, &o, &f.error), 0);
	assert_int_equal(lf_port_open(&f.port, f.engine, NULL, NULL, &f.error), 0);
	accounts_make(&f);
	s = prepare(&f, MOVE);
	number = hold(&f);
	for (int i = 0; i < MANY; i++)
		move(&f, s, i % ACCOUNTS, 1);
	release(&f, number);
	for (int i = 0; i < MANY && !lf_port_idle(f.port); i++)
		settle(&f, &a);
	assert_int_equal(a.n, MANY + 1);
	assert_int_equal(a.failed, 0);
	expect_sums(&f, "2100|16");
	lf_release(f.engine, s);
	close_fixture(&f);
}

/* A schema change needs all epochs to be over: it waits, and none begins while it does. */
static void test_schema_change(void **state)
{
	struct answers a = { 0 };
	struct statement *s;
	struct fixture f;
	uint64_t number;

	(void)state;
	open_fixture(&f, SHARDS);
	accounts_make(&f);
	s = prepare(&f, "CREATE TABLE other (id int PRIMARY KEY)");
	number = hold(&f);
	assert_int_equal(lf_submit(f.port, s, (uint64_t[]){ 8 }, 1, LF_VISIBLE, &f.error), 0);
	settle(&f, &a);
	assert_int_equal(a.n, 0);
	release(&f, number);
	settle(&f, &a);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.failed, 0);
	expect(&f, "SELECT count(*) FROM other", "0");
	lf_release(f.engine, s);
	close_fixture(&f);
}

/* --- threads --- */

struct bank {
	struct lf_engine *engine;
	_Atomic bool stop;
	_Atomic unsigned wrong, looks;
};

static int add_amount(void *arg, const void *row, uint32_t size)
{
	int64_t amount;

	(void)size;
	/* One bigint that is not NULL: behind the size and a byte of nulls. */
	memcpy(&amount, (const unsigned char *)row + 5, sizeof(amount));
	*(int64_t *)arg += amount;
	return 0;
}

static void *bank_reader(void *arg)
{
	static const char *const texts[] = { "SELECT amount FROM account",
		"SELECT amount::bigint FROM branch_total" };
	struct bank *b = arg;
	struct fixture f = { .engine = b->engine };
	struct statement *s[2];
	uint64_t none[2] = { 8 };

	if (lf_port_open(&f.port, f.engine, NULL, NULL, &f.error) != 0)
		abort();
	for (int i = 0; i < 2; i++)
		s[i] = prepare(&f, texts[i]);
	while (!atomic_load(&b->stop)) {
		if (lf_read_begin(f.port, 0, NULL, &f.error) != 0)
			abort();
		for (int i = 0; i < 2; i++) {
			int64_t sum = 0;

			if (lf_query(f.port, s[i], none, add_amount, &sum, &f.error) != 0 ||
				sum != (int64_t)ACCOUNTS * AMOUNT)
				atomic_fetch_add(&b->wrong, 1);
		}
		lf_read_end(f.port);
		atomic_fetch_add(&b->looks, 1);
	}
	for (int i = 0; i < 2; i++)
		lf_release(f.engine, s[i]);
	lf_port_close(f.port);
	return NULL;
}

/* Amounts that change for nobody but who looks within a transfer: from one account of any shard to another. */
static void transfers(struct fixture *f, uint64_t seed, struct answers *a)
{
	struct statement *s = prepare(f, MOVE);

	for (int i = 0; i < TRANSFERS; i++) {
		int64_t amount = (int64_t)(seed % 50), from, to;
		uint64_t number;

		seed = hash_u64(seed + 1);
		from = (int64_t)(seed % ACCOUNTS);
		to = (int64_t)(seed / ACCOUNTS % ACCOUNTS);
		while (lf_hold(f->engine, &number, &f->error) != 0)
			lf_port_wait(f->port, 100);
		move(f, s, from, -amount);
		if (i % 4 == 0)
			lf_port_wait(f->port, 100);
		move(f, s, to, amount);
		release(f, number);
		while (!lf_port_idle(f->port)) {
			(void)lf_poll(f->port, on_answer, a);
			lf_port_wait(f->port, 1000);
		}
	}
	lf_release(f->engine, s);
}

static void *bank_writer(void *arg)
{
	struct bank *b = arg;
	struct fixture f = { .engine = b->engine };
	struct answers a = { 0 };

	if (lf_port_open(&f.port, f.engine, NULL, NULL, &f.error) != 0)
		abort();
	transfers(&f, 77, &a);
	if (a.failed > 0 || a.n != 3 * TRANSFERS)
		atomic_fetch_add(&b->wrong, 1);
	lf_port_close(f.port);
	return NULL;
}

static void test_threads(void **state)
{
	struct lf_options o = lf_options_default();
	struct answers a = { 0 };
	struct bank b = { NULL };
	struct fixture f;
	pthread_t reader, writer;

	(void)state;
	o.projectors = SHARDS;
	assert_int_equal(lf_engine_open(&f.engine, &o, &f.error), 0);
	assert_int_equal(lf_port_open(&f.port, f.engine, NULL, NULL, &f.error), 0);
	b.engine = f.engine;
	accounts_make(&f);
	pthread_create(&reader, NULL, bank_reader, &b);
	pthread_create(&writer, NULL, bank_writer, &b);
	transfers(&f, 5, &a);
	/* Schema changes find their moment between two of them. */
	run(&f, "CREATE INDEX ON account (branch)");
	pthread_join(writer, NULL);
	atomic_store(&b.stop, true);
	pthread_join(reader, NULL);
	assert_int_equal(a.n, 3 * TRANSFERS);
	assert_int_equal(a.failed, 0);
	assert_int_equal(atomic_load(&b.wrong), 0);
	assert_true(atomic_load(&b.looks) > 0);
	expect_sums(&f, "1600|16");
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seen_together),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_schema_change),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
