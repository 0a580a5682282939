#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/sync/epoch.h"

static void test_one_shard(void **state)
{
	struct heap *h = heap_new(NULL);
	struct epochs *ep = epochs_new(h, 1, 2);

	(void)state;
	assert_int_equal(epoch_visible(ep), 0);
	assert_false(epoch_advance(ep));
	for (uint64_t i = 1; i <= 100; i++) {
		assert_int_equal(epoch_enter(ep, 0), i);
		assert_false(epochs_idle(ep));
		epoch_leave(ep, 0);
		assert_true(epoch_advance(ep));
		assert_int_equal(epoch_visible(ep), i);
		assert_true(epochs_idle(ep));
		epochs_check(ep);
	}
	/* Idle: nothing moves. */
	assert_false(epoch_advance(ep));
	assert_int_equal(epoch_current(ep), 101);
	epochs_free(ep);
	heap_free_all(h);
}

static void test_pinned_shard_holds_visibility(void **state)
{
	struct heap *h = heap_new(NULL);
	struct epochs *ep = epochs_new(h, 2, 1);
	uint64_t e = epoch_enter(ep, 0);

	(void)state;
	for (int i = 0; i < 20; i++) {
		epoch_enter(ep, 1);
		epoch_leave(ep, 1);
		epoch_advance(ep);
	}
	assert_int_equal(epoch_visible(ep), e - 1);
	assert_true(epoch_current(ep) - epoch_visible(ep) <= LIMIT_EPOCHS_IN_FLIGHT + 1);
	epochs_check(ep);
	epoch_leave(ep, 0);
	assert_true(epoch_advance(ep));
	/* Whoever leaves last brings everything to light. */
	assert_true(epochs_idle(ep));
	epochs_free(ep);
	heap_free_all(h);
}

static void test_stages_and_journal(void **state)
{
	struct heap *h = heap_new(NULL);
	struct epochs *ep = epochs_new(h, 2, 1);
	uint64_t e;

	(void)state;
	epochs_set_stages(ep, 3);
	e = epoch_enter(ep, 0);
	epoch_set_unwritten(ep, 0, e);
	epoch_leave(ep, 0);
	epoch_advance(ep);
	assert_int_equal(epoch_ready(ep, 1), e);
	assert_int_equal(epoch_ready(ep, 2), e - 1);
	epoch_finish(ep, 0, 1, e);
	epoch_finish(ep, 1, 1, e);
	assert_int_equal(epoch_ready(ep, 2), e);
	epoch_finish(ep, 0, 2, e);
	epoch_advance(ep);
	assert_int_equal(epoch_visible(ep), e - 1);
	epoch_finish(ep, 1, 2, e);
	epoch_advance(ep);
	assert_int_equal(epoch_visible(ep), e - 1);
	assert_int_equal(epoch_unwritten(ep, 0), e);
	assert_int_equal(epoch_unwritten(ep, 1), UINT64_MAX);
	epoch_set_unwritten(ep, 0, UINT64_MAX);
	assert_true(epoch_advance(ep));
	assert_int_equal(epoch_visible(ep), e);
	assert_true(epochs_idle(ep));
	epochs_start(ep, 1000);
	assert_int_equal(epoch_visible(ep), 999);
	assert_int_equal(epoch_enter(ep, 1), 1000);
	epoch_leave(ep, 1);
	epoch_advance(ep);
	epoch_finish(ep, 0, 1, 1000);
	epoch_finish(ep, 1, 1, 1000);
	epoch_finish(ep, 0, 2, 1000);
	epoch_finish(ep, 1, 2, 1000);
	epoch_advance(ep);
	assert_int_equal(epoch_visible(ep), 1000);
	epochs_check(ep);
	epochs_free(ep);
	heap_free_all(h);
}

static void test_pins(void **state)
{
	struct heap *h = heap_new(NULL);
	struct epochs *ep = epochs_new(h, 1, 2);
	int r = epoch_reader_open(ep), q = epoch_reader_open(ep);

	(void)state;
	assert_true(r >= 0 && q >= 0 && q != r);
	assert_int_equal(epoch_reader_open(ep), -1);
	epoch_enter(ep, 0);
	epoch_leave(ep, 0);
	epoch_advance(ep);
	assert_int_equal(epoch_pin(ep, (unsigned)r), 1);
	for (int i = 0; i < 10; i++) {
		epoch_enter(ep, 0);
		epoch_leave(ep, 0);
		epoch_advance(ep);
	}
	assert_int_equal(epoch_visible(ep), 11);
	assert_int_equal(epoch_reclaimable(ep), 1);
	epoch_unpin(ep, (unsigned)r);
	assert_int_equal(epoch_reclaimable(ep), 11);
	epoch_reader_close(ep, (unsigned)r);
	assert_int_equal(epoch_reader_open(ep), r);
	epochs_free(ep);
	heap_free_all(h);
}

/* All that is done while the epoch is held is of one epoch, which nobody sees before the release. */
static void test_held(void **state)
{
	struct heap *h = heap_new(NULL);
	struct epochs *ep = epochs_new(h, 2, 1);
	uint64_t e;

	(void)state;
	assert_true(epoch_hold(ep));
	assert_false(epoch_hold(ep));
	e = epoch_enter(ep, 0);
	assert_int_equal(e, 1);
	for (int i = 0; i < 10; i++) {
		epoch_leave(ep, 0);
		assert_false(epoch_advance(ep));
		assert_int_equal(epoch_enter(ep, 1), e);
		epoch_leave(ep, 1);
		assert_false(epoch_advance(ep));
		assert_int_equal(epoch_enter(ep, 0), e);
		assert_int_equal(epoch_current(ep), e);
		epochs_check(ep);
	}
	assert_false(epochs_idle(ep));
	epoch_release(ep);
	assert_false(epoch_advance(ep));
	epoch_leave(ep, 0);
	assert_true(epoch_advance(ep));
	assert_int_equal(epoch_visible(ep), e);
	assert_true(epochs_idle(ep));
	assert_true(epoch_hold(ep));
	epoch_release(ep);
	epoch_advance(ep);
	epochs_check(ep);
	epochs_free(ep);
	heap_free_all(h);
}

enum { SHARDS = 3, ROUNDS = 20000 };

struct shared {
	struct epochs *ep;
	/* What each shard did up to an epoch: written in it, read by who sees the epoch. */
	_Atomic uint64_t last[SHARDS];
	unsigned number;
};
static struct shared shared;

static void *shard_thread(void *arg)
{
	unsigned s = (unsigned)(uintptr_t)arg;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t e = epoch_enter(shared.ep, s);

		__atomic_store_n(&shared.last[s], e, __ATOMIC_RELAXED);
		epoch_leave(shared.ep, s);
		epoch_advance(shared.ep);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct heap *h = heap_new(NULL);
	pthread_t t[SHARDS];
	uint64_t last = 0, newest = 0;
	int r;

	(void)state;
	shared.ep = epochs_new(h, SHARDS, 1);
	r = epoch_reader_open(shared.ep);
	for (unsigned s = 0; s < SHARDS; s++)
		pthread_create(&t[s], NULL, shard_thread, (void *)(uintptr_t)s);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t v;

		if (i % 16 == 0)
			assert_true(epoch_hold(shared.ep));
		v = epoch_pin(shared.ep, (unsigned)r);

		assert_true(v >= last);
		assert_true(epoch_reclaimable(shared.ep) <= v);
		last = v;
		epoch_unpin(shared.ep, (unsigned)r);
		if (i % 16 == 9) {
			uint64_t e = epoch_current(shared.ep);

			assert_true(epoch_visible(shared.ep) < e);
			epoch_release(shared.ep);
			epoch_advance(shared.ep);
		}
	}
	for (unsigned s = 0; s < SHARDS; s++)
		pthread_join(t[s], NULL);
	for (unsigned s = 0; s < SHARDS; s++)
		if (shared.last[s] > newest)
			newest = shared.last[s];
	/* Nothing is left behind by the last one to leave. */
	assert_true(epochs_idle(shared.ep));
	assert_int_equal(epoch_visible(shared.ep), newest);
	epochs_check(shared.ep);
	epochs_free(shared.ep);
	heap_free_all(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_shard),
		cmocka_unit_test(test_pinned_shard_holds_visibility),
		cmocka_unit_test(test_stages_and_journal),
		cmocka_unit_test(test_pins),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
