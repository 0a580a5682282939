/*
 * bench_ring.c: messages a second from one thread to another through a ring.
 *
 *   bench_ring [--smoke] [--messages N]
 *
 * Messages of 32 and 64 bytes, made visible 1, 8 or 32 at a time, as commands are. Each carries its number,
 * which the consumer checks. Both threads yield when there is nothing to do, so that the benchmark also
 * ends where they share a processor.
 */
#include <pthread.h>
#include <sched.h>

#include "bench/micro/micro.h"
#include "core/sync/ring.h"

enum { RING_SIZE = 1 << 20, SPINS = 200 };

struct channel {
	struct ring *ring;
	uint64_t messages;
	uint32_t bytes;
	uint64_t received, wrong;
};

static void pause_a_little(unsigned *idle)
{
	if (++*idle % SPINS == 0)
		sched_yield();
	else
		__builtin_ia32_pause();
}

static void *consume(void *arg)
{
	struct channel *c = arg;
	uint64_t received = 0, wrong = 0;
	unsigned idle = 0;

	while (received < c->messages) {
		uint64_t before = received;
		const void *p;
		uint32_t len;

		while ((p = ring_peek(c->ring, &len)) != NULL) {
			uint64_t number;

			memcpy(&number, p, sizeof(number));
			wrong += number != received || len != c->bytes;
			received++;
			ring_advance(c->ring);
		}
		if (received != before)
			ring_release(c->ring);
		else
			pause_a_little(&idle);
	}
	c->received = received;
	c->wrong = wrong;
	return NULL;
}

static double measure(uint64_t messages, uint32_t bytes, unsigned batch)
{
	struct heap *heap = heap_new(NULL);
	struct channel c = {
		.ring = ring_new(heap, RING_SIZE), .messages = messages, .bytes = bytes
	};
	unsigned idle = 0;
	uint64_t begin;
	double seconds;
	pthread_t thread;

	if (c.ring == NULL || pthread_create(&thread, NULL, consume, &c) != 0)
		micro_fail("bench_ring: cannot start");
	begin = clock_now_ns();
	for (uint64_t i = 0; i < messages; i++) {
		void *p = ring_reserve(c.ring, bytes);

		while (p == NULL) {
			(void)ring_publish(c.ring);
			pause_a_little(&idle);
			p = ring_reserve(c.ring, bytes);
		}
		memset(p, 0, bytes);
		memcpy(p, &i, sizeof(i));
		ring_commit(c.ring, bytes);
		if ((i + 1) % batch == 0)
			(void)ring_publish(c.ring);
	}
	(void)ring_publish(c.ring);
	pthread_join(thread, NULL);
	seconds = micro_seconds(begin);
	if (c.received != messages || c.wrong != 0)
		micro_fail("bench_ring: %llu of %llu messages, %llu wrong",
			(unsigned long long)c.received, (unsigned long long)messages,
			(unsigned long long)c.wrong);
	ring_free(c.ring);
	heap_free_all(heap);
	return (double)messages / seconds;
}

int main(int argc, char **argv)
{
	static const unsigned BATCHES[] = { 1, 8, 32 };
	bool smoke = false;
	uint64_t messages = 20000000;
	const struct micro_flag flags[] = { { "--smoke", &smoke, NULL },
		{ "--messages", NULL, &messages } };

	micro_flags(argc, argv, flags, 2);
	if (smoke)
		messages = 20000;
	for (uint32_t bytes = 32; bytes <= 64; bytes *= 2)
		for (unsigned i = 0; i < sizeof(BATCHES) / sizeof(BATCHES[0]); i++)
			printf("ring_%u_bytes_batch_%u messages/s %.0f\n", bytes, BATCHES[i],
				measure(messages, bytes, BATCHES[i]));
	return 0;
}
