#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/sync/ring.h"

enum { MESSAGES = 200000 };

static void test_full_and_wrap(void **state)
{
	struct heap *h = heap_new(NULL);
	struct ring *r = ring_new(h, RING_BYTES_MIN);
	uint64_t in = 0, out = 0;
	uint32_t len;

	(void)state;
	for (int round = 0; round < 1000; round++) {
		uint64_t *p;

		while ((p = ring_reserve(r, 8 + (uint32_t)(in % 300))) != NULL) {
			*p = in;
			ring_commit(r, 8 + (uint32_t)(in % 300));
			in++;
		}
		assert_null(ring_reserve(r, ring_message_max(r)));
		assert_true(ring_publish(r));
		assert_false(ring_publish(r));
		ring_check(r);
		while (ring_peek(r, &len) != NULL) {
			uint64_t v;

			memcpy(&v, ring_peek(r, &len), sizeof(v));
			assert_int_equal(v, out);
			assert_int_equal(len, 8 + out % 300);
			ring_advance(r);
			out++;
		}
		ring_release(r);
		assert_int_equal(in, out);
		assert_true(ring_empty(r));
		ring_check(r);
	}
	assert_true(in > 10000);
	ring_free(r);
	heap_free_all(h);
}

static void test_uncommitted_is_not_seen(void **state)
{
	struct heap *h = heap_new(NULL);
	struct ring *r = ring_new(h, RING_BYTES_MIN);
	uint32_t len;

	(void)state;
	assert_non_null(ring_reserve(r, 100));
	assert_false(ring_publish(r));
	assert_null(ring_peek(r, &len));
	ring_commit(r, 100);
	assert_null(ring_peek(r, &len));
	ring_publish(r);
	assert_non_null(ring_peek(r, &len));
	assert_int_equal(len, 100);
	ring_free(r);
	heap_free_all(h);
}

/* Looking ahead passes over messages without taking them, across the wrap, and starts at the first one not
 * taken when that has moved past it. */
static void test_ahead(void **state)
{
	struct heap *h = heap_new(NULL);
	struct ring *r = ring_new(h, RING_BYTES_MIN);
	uint64_t sent = 0, taken = 0, at = 0;
	uint32_t len;

	(void)state;
	for (unsigned round = 0; round < 500; round++) {
		uint64_t seen = taken, from = 0;
		uint64_t *p;
		const uint64_t *m;

		while ((p = ring_reserve(r, 40)) != NULL) {
			p[0] = sent++;
			ring_commit(r, 40);
		}
		ring_publish(r);
		while ((m = ring_ahead(r, &from)) != NULL)
			assert_int_equal(m[0], seen++);
		assert_int_equal(seen, sent);
		for (unsigned i = 0; i < 3; i++, taken++) {
			m = ring_peek(r, &len);
			assert_int_equal(m[0], taken);
			ring_advance(r);
		}
		m = ring_ahead(r, &at);
		assert_true(m == NULL || m[0] >= taken);
		ring_release(r);
	}
	ring_check(r);
	ring_free(r);
	heap_free_all(h);
}

static void *producer(void *arg)
{
	struct ring *r = arg;

	for (uint64_t i = 0; i < MESSAGES;) {
		uint32_t n = 16 + (uint32_t)(hash_u64(i) % 200);
		uint64_t *p = ring_reserve(r, n);

		if (p == NULL) {
			ring_publish(r);
			continue;
		}
		p[0] = i;
		p[1] = hash_u64(i);
		ring_commit(r, n);
		if (++i % 7 == 0)
			ring_publish(r);
	}
	ring_publish(r);
	return NULL;
}

static void test_two_threads(void **state)
{
	struct heap *h = heap_new(NULL);
	struct ring *r = ring_new(h, 1 << 14);
	pthread_t t;
	uint64_t n = 0;

	(void)state;
	pthread_create(&t, NULL, producer, r);
	while (n < MESSAGES) {
		uint32_t len;
		const uint64_t *p = ring_peek(r, &len);

		if (p == NULL) {
			ring_release(r);
			continue;
		}
		assert_int_equal(p[0], n);
		assert_int_equal(p[1], hash_u64(n));
		assert_int_equal(len, 16 + hash_u64(n) % 200);
		ring_advance(r);
		n++;
	}
	ring_release(r);
	pthread_join(t, NULL);
	ring_check(r);
	ring_free(r);
	heap_free_all(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_and_wrap),
		cmocka_unit_test(test_uncommitted_is_not_seen),
		cmocka_unit_test(test_ahead),
		cmocka_unit_test(test_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
