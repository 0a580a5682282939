#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/flow/exchange.h"

enum { ROW = 24, CHUNKS = 2000 };

static void make_row(uint64_t n, uint64_t row[ROW / 8])
{
	row[0] = ROW;
	row[1] = n;
	row[2] = ~n;
}

/* Everything that was appended comes back, in order, until the chunk is full. */
static void test_append(void **state)
{
	struct heap_budget budget = { 0 };
	struct exchange_chunk *k = exchange_chunk_new(&budget, 3, 77, 16);
	uint64_t row[ROW / 8], n = 0, seen = 0;

	(void)state;
	assert_non_null(k);
	assert_true(budget.used > 0);
	assert_int_equal(k->stage, 3);
	assert_int_equal(k->epoch, 77);
	for (make_row(n, row); exchange_append(k, (uint32_t)n, 5, -(int64_t)n, row, ROW);
		make_row(++n, row))
		;
	assert_true(n > 100);
	assert_true(k->used <= k->cap);
	for (uint32_t at = 0; at < k->used; seen++) {
		struct exchange_delta d;

		memcpy(&d, k->data + at, sizeof(d));
		make_row(seen, row);
		assert_int_equal(d.view_id, seen);
		assert_int_equal(d.edge, 5);
		assert_int_equal(d.weight, -(int64_t)seen);
		assert_memory_equal(k->data + at + sizeof(d), row, ROW);
		at += (uint32_t)sizeof(d) + ROW;
	}
	assert_int_equal(seen, n);
	exchange_chunk_free(&budget, k);
	assert_int_equal(budget.used, 0);
}

/* A delta larger than an ordinary chunk gets one of its own. */
static void test_large(void **state)
{
	static uint64_t row[1 << 15];
	uint32_t need = (uint32_t)(sizeof(struct exchange_delta) + sizeof(row));
	struct heap_budget budget = { 0 };
	struct exchange_chunk *k = exchange_chunk_new(&budget, 1, 1, need);

	(void)state;
	row[0] = sizeof(row);
	assert_true(exchange_append(k, 1, 1, 1, row, sizeof(row)));
	assert_false(exchange_append(k, 1, 1, 1, row, 8));
	exchange_chunk_free(&budget, k);
	assert_int_equal(budget.used, 0);
}

static void test_order_and_close(void **state)
{
	struct heap_budget budget = { 0 };
	struct exchange_channel c;
	struct exchange_chunk *k;

	(void)state;
	exchange_open(&c);
	assert_true(exchange_empty(&c));
	assert_null(exchange_take(&c));
	for (uint64_t e = 1; e <= 3; e++)
		exchange_send(&c, exchange_chunk_new(&budget, 1, e, 16));
	assert_false(exchange_empty(&c));
	k = exchange_take(&c);
	assert_int_equal(k->epoch, 1);
	exchange_chunk_free(&budget, k);
	/* What comes meanwhile is behind what was taken. */
	exchange_send(&c, exchange_chunk_new(&budget, 1, 4, 16));
	for (uint64_t e = 2; e <= 3; e++) {
		k = exchange_take(&c);
		assert_int_equal(k->epoch, e);
		exchange_chunk_free(&budget, k);
	}
	assert_false(exchange_empty(&c));
	exchange_close(&c, &budget);
	assert_int_equal(budget.used, 0);
}

struct sending {
	struct exchange_channel channel;
	struct heap_budget budget;
};

static void *sender(void *arg)
{
	struct sending *s = arg;
	uint64_t row[ROW / 8];

	for (uint64_t n = 0; n < CHUNKS; n++) {
		struct exchange_chunk *k = exchange_chunk_new(&s->budget, 1, n, 16);

		make_row(n, row);
		(void)exchange_append(k, 1, 1, 1, row, ROW);
		exchange_send(&s->channel, k);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct sending s = { .budget = { 0 } };
	uint64_t next = 0, row[ROW / 8];
	pthread_t thread;

	(void)state;
	exchange_open(&s.channel);
	assert_int_equal(pthread_create(&thread, NULL, sender, &s), 0);
	while (next < CHUNKS) {
		struct exchange_chunk *k = exchange_take(&s.channel);

		if (k == NULL) {
			sched_yield();
			continue;
		}
		make_row(next, row);
		assert_int_equal(k->epoch, next);
		assert_memory_equal(k->data + sizeof(struct exchange_delta), row, ROW);
		next++;
		exchange_chunk_free(&s.budget, k);
	}
	pthread_join(thread, NULL);
	exchange_close(&s.channel, &s.budget);
	assert_int_equal(s.budget.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_order_and_close),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
