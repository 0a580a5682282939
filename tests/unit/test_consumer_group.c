/*
 * Groups of consumers: order within an aggregate, sharing, time-outs, dead letters; and a random run that checks that
 * every event is settled once, by someone it was given to, in order.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/consumer_group.h"

static struct event_id id(uint64_t n)
{
	return (struct event_id){ n, 0, 0 };
}

/* Events 1, 2, 3, … of these keys; '*' is of several. */
static void add(struct consumer_group *g, uint64_t first, const char *keys)
{
	for (unsigned i = 0; keys[i] != '\0'; i++) {
		struct group_event e = { .id = id(first + i),
			.keyed = keys[i] != '*',
			.hash = (uint64_t)keys[i],
			.data = (const unsigned char *)&keys[i],
			.bytes = 1 };

		assert_int_equal(consumer_group_add(g, &e), 0);
	}
}

struct given {
	unsigned n, most;
	uint64_t ids[LIMIT_CONSUMER_WINDOW];
	uint32_t attempts[LIMIT_CONSUMER_WINDOW];
};

static bool take(void *arg, const struct group_event *event)
{
	struct given *x = arg;

	if (x->most > 0 && x->n == x->most)
		return false;
	x->ids[x->n] = event->id.epoch;
	x->attempts[x->n++] = event->attempts;
	return true;
}

static struct given given;

/* What the member gets, as "1 3 4". */
static const char *give(struct consumer_group *g, uint64_t member, uint64_t until,
	uint32_t attempts, uint32_t inflight)
{
	struct group_terms terms = { until, attempts, inflight };
	static char text[256];

	memset(&given, 0, sizeof(given));
	consumer_group_give(g, member, &terms, take, &given);
	consumer_group_check(g);
	text[0] = '\0';
	for (unsigned i = 0; i < given.n; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%d",
			i > 0 ? " " : "", (int)given.ids[i]);
	return text;
}

static void test_order(void **state)
{
	struct consumer_group *g = consumer_group_new(id(0));

	(void)state;
	assert_string_equal(give(g, 1, 10, 5, 64), "");
	assert_int_equal(consumer_group_join(g, 1), 0);
	add(g, 1, "aabca");
	/* One of each aggregate; the next when that is acknowledged. */
	assert_string_equal(give(g, 1, 10, 5, 64), "1 3 4");
	assert_string_equal(give(g, 1, 10, 5, 64), "");
	assert_int_equal(consumer_group_acknowledge(g, id(2)), GROUP_UNKNOWN);
	assert_int_equal(consumer_group_acknowledge(g, id(3)), GROUP_EVENT);
	assert_int_equal(consumer_group_done(g).epoch, 0);
	assert_int_equal(consumer_group_acknowledge(g, id(1)), GROUP_EVENT);
	assert_int_equal(consumer_group_done(g).epoch, 1);
	assert_int_equal(consumer_group_acknowledge(g, id(1)), GROUP_UNKNOWN);
	assert_string_equal(give(g, 1, 10, 5, 64), "2");
	assert_int_equal(consumer_group_acknowledge(g, id(2)), GROUP_EVENT);
	assert_int_equal(consumer_group_done(g).epoch, 3);
	/* So many at once. */
	assert_string_equal(give(g, 1, 10, 5, 1), "");
	assert_string_equal(give(g, 1, 10, 5, 2), "5");
	assert_int_equal(consumer_group_inflight(g), 2);
	consumer_group_free(g);
}

/* One that is of several aggregates is alone. */
static void test_many(void **state)
{
	struct consumer_group *g = consumer_group_new(id(0));

	(void)state;
	assert_int_equal(consumer_group_join(g, 1), 0);
	add(g, 1, "ab*ac");
	assert_string_equal(give(g, 1, 10, 5, 64), "1 2");
	(void)consumer_group_acknowledge(g, id(1));
	assert_string_equal(give(g, 1, 10, 5, 64), "");
	(void)consumer_group_acknowledge(g, id(2));
	assert_string_equal(give(g, 1, 10, 5, 64), "3");
	assert_string_equal(give(g, 1, 10, 5, 64), "");
	(void)consumer_group_acknowledge(g, id(3));
	assert_string_equal(give(g, 1, 10, 5, 64), "4 5");
	consumer_group_free(g);
}

static void test_time(void **state)
{
	struct consumer_group *g = consumer_group_new(id(0));
	const struct group_event *e;
	bool letter;

	(void)state;
	assert_int_equal(consumer_group_join(g, 1), 0);
	add(g, 1, "aab");
	assert_int_equal(consumer_group_due(g), UINT64_MAX);
	assert_string_equal(give(g, 1, 100, 2, 64), "1 3");
	assert_int_equal(consumer_group_due(g), 100);
	consumer_group_expire(g, 99);
	assert_string_equal(give(g, 1, 200, 2, 64), "");
	consumer_group_expire(g, 100);
	assert_string_equal(give(g, 1, 200, 2, 64), "1 3");
	assert_int_equal(given.attempts[0], 2);
	/* Rejected: at once. */
	consumer_group_reject(g, id(3), false);
	consumer_group_expire(g, 200);
	/* Twice is enough: both are dying, what is behind them waits for that. */
	assert_string_equal(give(g, 1, 300, 2, 64), "");
	assert_int_equal(consumer_group_acknowledge(g, id(1)), GROUP_UNKNOWN);
	e = consumer_group_dying(g, &letter);
	assert_non_null(e);
	assert_int_equal(e->id.epoch, 1);
	assert_false(letter);
	consumer_group_buried(g, id(1), true);
	e = consumer_group_dying(g, &letter);
	assert_int_equal(e->id.epoch, 1);
	consumer_group_buried(g, id(1), false);
	assert_int_equal(consumer_group_done(g).epoch, 1);
	assert_string_equal(give(g, 1, 300, 2, 64), "2");
	/* A dead letter is tried again, before what has not been given; not beside its aggregate's. */
	{
		struct group_event again = { .id = id(1),
			.keyed = true,
			.hash = 'a',
			.data = (const unsigned char *)"a",
			.bytes = 1 };

		assert_int_equal(consumer_group_add_letter(g, &again), 0);
		assert_int_equal(consumer_group_add_letter(g, &again), 0);
	}
	assert_string_equal(give(g, 1, 300, 2, 64), "");
	assert_int_equal(consumer_group_acknowledge(g, id(2)), GROUP_EVENT);
	assert_string_equal(give(g, 1, 300, 2, 64), "1");
	assert_int_equal(consumer_group_acknowledge(g, id(1)), GROUP_LETTER);
	assert_int_equal(consumer_group_acknowledge(g, id(1)), GROUP_UNKNOWN);
	consumer_group_free(g);
}

/* A key stays with its member, and goes to another only when what was in flight is settled or its time is over. */
static void test_members(void **state)
{
	struct consumer_group *g = consumer_group_new(id(0));
	char first[256], second[256];

	(void)state;
	assert_int_equal(consumer_group_join(g, 1), 0);
	assert_int_equal(consumer_group_join(g, 2), 0);
	add(g, 1, "abcdefghijabcdefghij");
	strcpy(first, give(g, 1, 100, 5, 64));
	strcpy(second, give(g, 2, 100, 5, 64));
	assert_true(strlen(first) > 4 && strlen(second) > 4);
	assert_int_equal(consumer_group_inflight(g), 10);
	consumer_group_leave(g, 2);
	assert_string_equal(give(g, 1, 100, 5, 64), "");
	/* The other is gone: its time must be over first. */
	consumer_group_expire(g, 100);
	assert_int_equal(consumer_group_inflight(g), 0);
	(void)give(g, 1, 200, 5, 64);
	assert_int_equal(given.n, 10);
	/* A third one comes: it has none of these, until they are acknowledged. */
	assert_int_equal(consumer_group_join(g, 3), 0);
	assert_string_equal(give(g, 3, 200, 5, 64), "");
	for (uint64_t i = 1; i <= 10; i++)
		(void)consumer_group_acknowledge(g, id(i));
	strcpy(first, give(g, 1, 200, 5, 64));
	strcpy(second, give(g, 3, 200, 5, 64));
	assert_true(strlen(first) > 4 && strlen(second) > 4);
	assert_int_equal(consumer_group_members(g), 2);
	consumer_group_free(g);
}

static void test_window(void **state)
{
	struct consumer_group *g = consumer_group_new(id(0));
	static unsigned char big[LIMIT_CONSUMER_BYTES];
	struct group_event e = {
		.id = id(1), .keyed = true, .hash = 1, .data = big, .bytes = sizeof(big)
	};

	(void)state;
	assert_int_equal(consumer_group_join(g, 1), 0);
	assert_true(consumer_group_room(g, SIZE_MAX));
	assert_int_equal(consumer_group_add(g, &e), 0);
	assert_false(consumer_group_room(g, 1));
	assert_string_equal(give(g, 1, 1, 5, 64), "1");
	(void)consumer_group_acknowledge(g, id(1));
	e.bytes = 1;
	for (uint64_t i = 2; consumer_group_room(g, 1); i++) {
		e.id = id(i);
		assert_int_equal(consumer_group_add(g, &e), 0);
	}
	/* A ring: as often as one likes. */
	for (uint64_t i = 2; i < 3000; i++) {
		struct group_terms terms = { i, 5, 64 };

		memset(&given, 0, sizeof(given));
		consumer_group_give(g, 1, &terms, take, &given);
		assert_int_equal(given.n, 1);
		assert_int_equal(given.ids[0], i);
		assert_int_equal(consumer_group_acknowledge(g, id(i)), GROUP_EVENT);
		e.id = id(i + LIMIT_CONSUMER_WINDOW);
		assert_int_equal(consumer_group_add(g, &e), 0);
	}
	consumer_group_check(g);
	consumer_group_free(g);
}

/* Members come and go, acknowledge, reject, or do nothing. */
static void random_run(uint64_t seed)
{
	enum { EVENTS = 400, KEYS = 12 };
	struct consumer_group *g = consumer_group_new(id(0));
	uint64_t added = 0, now = 0, next_member = 1, members[4], r = seed;
	unsigned nmembers = 0, settled[EVENTS + 1] = { 0 }, buried = 0;
	uint64_t last_of_key[KEYS] = { 0 };

	while (consumer_group_done(g).epoch < EVENTS) {
		struct group_terms terms = { now + 5, 3, 1 + (uint32_t)(seed % 5) };

		r = hash_u64(r);
		while (added < EVENTS && r % 3 == 0 && consumer_group_room(g, 1)) {
			struct group_event e = {
				.id = id(++added), .data = (const unsigned char *)"x", .bytes = 1
			};

			e.hash = hash_u64(added * 7 + seed) % KEYS;
			e.keyed = hash_u64(added) % 40 != 0;
			assert_int_equal(consumer_group_add(g, &e), 0);
			r = hash_u64(r);
		}
		if (nmembers < 4 && (nmembers == 0 || r % 31 == 0)) {
			members[nmembers++] = next_member;
			assert_int_equal(consumer_group_join(g, next_member++), 0);
		} else if (nmembers > 1 && r % 37 == 0) {
			consumer_group_leave(g, members[--nmembers]);
		}
		memset(&given, 0, sizeof(given));
		consumer_group_give(g, members[(r >> 8) % nmembers], &terms, take, &given);
		consumer_group_check(g);
		for (unsigned i = 0; i < given.n; i++) {
			uint64_t n = given.ids[i];
			bool keyed = hash_u64(n) % 40 != 0;
			unsigned key = (unsigned)(hash_u64(n * 7 + seed) % KEYS);

			/* Never before what is before it in its aggregate was settled, and never after that. */
			assert_int_equal(settled[n], 0);
			assert_true(!keyed || n >= last_of_key[key]);
			r = hash_u64(r);
			if (r % 4 == 0)
				continue;
			if (r % 4 == 1) {
				consumer_group_reject(g, id(n), r % 64 == 1);
				continue;
			}
			assert_int_equal(consumer_group_acknowledge(g, id(n)), GROUP_EVENT);
			settled[n]++;
			if (keyed)
				last_of_key[key] = n;
		}
		now += r % 3;
		consumer_group_expire(g, now);
		for (;;) {
			bool letter;
			const struct group_event *e = consumer_group_dying(g, &letter);
			uint64_t n;

			if (e == NULL)
				break;
			n = e->id.epoch;
			if (hash_u64(r + n) % 5 == 0) {
				consumer_group_buried(g, e->id, true);
				break;
			}
			consumer_group_buried(g, e->id, false);
			settled[n]++;
			buried++;
		}
		consumer_group_check(g);
	}
	for (unsigned i = 1; i <= EVENTS; i++)
		assert_int_equal(settled[i], 1);
	assert_true(buried > 0);
	consumer_group_free(g);
}

static void test_random(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++)
		random_run(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
