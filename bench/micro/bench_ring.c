/*
 * bench_ring.c: messages a second from one thread to another through a ring.
 *
 *   bench_ring [--smoke] [--messages N]
 *
 * Messages of 32 and 64 bytes, made visible 1, 8 or 32 at a time, as commands are. Each carries its number,
 * which the consumer checks. Both threads yield when there is nothing to do, so that the benchmark also
 * ends where they share a processor.
 *
 * Beside it, as what can be had: a bare ring of slots of one size, which are made visible as many at a time (of_loop is
 * ring / that), and where Concurrency Kit is installed its ck_ring, which makes each visible (of_ck).
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "bench/micro/micro.h"
#include "core/sync/ring.h"

/* The thread sanitizer does not see what its assembly orders. */
#if __has_include(<ck_ring.h>) && !defined(__SANITIZE_THREAD__)
#include <ck_ring.h>
#define WITH_CK 1
#else
#define WITH_CK 0
#endif

enum { RING_SIZE = 1 << 20, SPINS = 200, LINE = 64 };

/* Slots of one size. Each side keeps what it last saw of the other's index and looks again only when that says full, or
 * empty. */
struct slots {
	_Alignas(LINE) _Atomic uint64_t tail; /* written */
	_Alignas(LINE) uint64_t head_seen;    /* the producer's */
	_Alignas(LINE) _Atomic uint64_t head; /* taken */
	_Alignas(LINE) char bytes[RING_SIZE];
};

struct channel {
	void *ring; /* of the kind measured */
	uint64_t messages;
	uint32_t bytes;
	unsigned batch;
	uint64_t received, wrong;
};

struct kind {
	void *(*open)(struct heap *heap, uint32_t bytes);
	void (*produce)(struct channel *c);
	void *(*consume)(void *channel);
	void (*close)(void *ring);
};

static void pause_a_little(unsigned *idle)
{
	if (++*idle % SPINS == 0)
		sched_yield();
	else
		__builtin_ia32_pause();
}

/* --- the engine's ring --- */

static void *own_open(struct heap *heap, uint32_t bytes)
{
	(void)bytes;
	return ring_new(heap, RING_SIZE);
}

static void own_close(void *ring)
{
	ring_free(ring);
}

static void *own_consume(void *arg)
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

static void own_produce(struct channel *c)
{
	unsigned idle = 0;

	for (uint64_t i = 0; i < c->messages; i++) {
		void *p = ring_reserve(c->ring, c->bytes);

		while (p == NULL) {
			(void)ring_publish(c->ring);
			pause_a_little(&idle);
			p = ring_reserve(c->ring, c->bytes);
		}
		memset(p, 0, c->bytes);
		memcpy(p, &i, sizeof(i));
		ring_commit(c->ring, c->bytes);
		if ((i + 1) % c->batch == 0)
			(void)ring_publish(c->ring);
	}
	(void)ring_publish(c->ring);
}

/* --- the bare one --- */

static void *slots_open(struct heap *heap, uint32_t bytes)
{
	struct slots *s = aligned_alloc(LINE, sizeof(struct slots));

	(void)heap;
	(void)bytes;
	if (s != NULL)
		memset(s, 0, sizeof(*s));
	return s;
}

/* bytes: a constant where this is inlined, as the bare loop has it. */
static inline __attribute__((always_inline)) void slots_take(struct channel *c, uint32_t bytes)
{
	struct slots *s = c->ring;
	uint64_t received = 0;
	unsigned idle = 0;

	while (received < c->messages) {
		uint64_t tail = atomic_load_explicit(&s->tail, memory_order_acquire);

		if (received == tail)
			pause_a_little(&idle);
		for (; received < tail; received++) {
			uint64_t number;

			memcpy(&number, s->bytes + received * bytes % RING_SIZE, sizeof(number));
			c->wrong += number != received;
		}
		/* Behind the loads of the slots, which may be written again from here on. */
		atomic_store_explicit(&s->head, received, memory_order_release);
	}
	c->received = received;
}

static inline __attribute__((always_inline)) void slots_give(struct channel *c, uint32_t bytes)
{
	struct slots *s = c->ring;
	unsigned idle = 0;

	for (uint64_t i = 0; i < c->messages; i++) {
		char *p = s->bytes + i * bytes % RING_SIZE;

		while (i - s->head_seen == RING_SIZE / bytes) {
			atomic_store_explicit(&s->tail, i, memory_order_release);
			s->head_seen = atomic_load_explicit(&s->head, memory_order_acquire);
			if (i - s->head_seen == RING_SIZE / bytes)
				pause_a_little(&idle);
		}
		memset(p, 0, bytes);
		memcpy(p, &i, sizeof(i));
		/* Behind the slot's stores. */
		if ((i + 1) % c->batch == 0)
			atomic_store_explicit(&s->tail, i + 1, memory_order_release);
	}
	atomic_store_explicit(&s->tail, c->messages, memory_order_release);
}

static void *slots_consume(void *arg)
{
	struct channel *c = arg;

	if (c->bytes == 32)
		slots_take(c, 32);
	else
		slots_take(c, 64);
	return NULL;
}

static void slots_produce(struct channel *c)
{
	if (c->bytes == 32)
		slots_give(c, 32);
	else
		slots_give(c, 64);
}

/* --- Concurrency Kit's --- */

#if WITH_CK
struct ck_32 {
	uint64_t words[4];
};
struct ck_64 {
	uint64_t words[8];
};
CK_RING_PROTOTYPE(32, ck_32)
CK_RING_PROTOTYPE(64, ck_64)

struct ck {
	_Alignas(LINE) struct ck_ring ring;
	_Alignas(LINE) char bytes[RING_SIZE];
};

static void *ck_open(struct heap *heap, uint32_t bytes)
{
	struct ck *k = aligned_alloc(LINE, sizeof(struct ck));

	(void)heap;
	if (k == NULL)
		return NULL;
	memset(k->bytes, 0, sizeof(k->bytes));
	ck_ring_init(&k->ring, RING_SIZE / bytes);
	return k;
}

static bool ck_take(struct ck *k, uint32_t bytes, uint64_t *number)
{
	struct ck_32 a;
	struct ck_64 b;

	if (bytes == 32) {
		if (!ck_ring_dequeue_spsc_32(&k->ring, (struct ck_32 *)k->bytes, &a))
			return false;
		*number = a.words[0];
		return true;
	}
	if (!ck_ring_dequeue_spsc_64(&k->ring, (struct ck_64 *)k->bytes, &b))
		return false;
	*number = b.words[0];
	return true;
}

static bool ck_give(struct ck *k, uint32_t bytes, uint64_t number)
{
	struct ck_32 a = { { number } };
	struct ck_64 b = { { number } };

	return bytes == 32 ? ck_ring_enqueue_spsc_32(&k->ring, (struct ck_32 *)k->bytes, &a)
			   : ck_ring_enqueue_spsc_64(&k->ring, (struct ck_64 *)k->bytes, &b);
}

static void *ck_consume(void *arg)
{
	struct channel *c = arg;
	uint64_t received = 0, number;
	unsigned idle = 0;

	while (received < c->messages) {
		if (!ck_take(c->ring, c->bytes, &number)) {
			pause_a_little(&idle);
			continue;
		}
		c->wrong += number != received++;
	}
	c->received = received;
	return NULL;
}

static void ck_produce(struct channel *c)
{
	unsigned idle = 0;

	for (uint64_t i = 0; i < c->messages; i++)
		while (!ck_give(c->ring, c->bytes, i))
			pause_a_little(&idle);
}

static const struct kind CK = { ck_open, ck_produce, ck_consume, free };
#endif

/* --- measuring --- */

static const struct kind OWN = { own_open, own_produce, own_consume, own_close };
static const struct kind SLOTS = { slots_open, slots_produce, slots_consume, free };

static double measure(const struct kind *k, uint64_t messages, uint32_t bytes, unsigned batch)
{
	struct heap *heap = heap_new(NULL);
	struct channel c = {
		.ring = k->open(heap, bytes), .messages = messages, .bytes = bytes, .batch = batch
	};
	uint64_t begin;
	double seconds;
	pthread_t thread;

	if (c.ring == NULL || pthread_create(&thread, NULL, k->consume, &c) != 0)
		micro_fail("bench_ring: cannot start");
	begin = clock_now_ns();
	k->produce(&c);
	pthread_join(thread, NULL);
	seconds = micro_seconds(begin);
	if (c.received != messages || c.wrong != 0)
		micro_fail("bench_ring: %llu of %llu messages, %llu wrong",
			(unsigned long long)c.received, (unsigned long long)messages,
			(unsigned long long)c.wrong);
	k->close(c.ring);
	heap_free_all(heap);
	return (double)messages / seconds;
}

/* The three of one size and batch, one behind the other. */
static void bench(uint64_t messages, uint32_t bytes, unsigned batch)
{
	double own = measure(&OWN, messages, bytes, batch);
	double loop = measure(&SLOTS, messages, bytes, batch);

	printf("ring_%u_bytes_batch_%u messages/s %.0f of_loop %.2f", bytes, batch, own,
		own / loop);
#if WITH_CK
	printf(" of_ck %.2f", own / measure(&CK, messages, bytes, batch));
#endif
	putchar('\n');
}

int main(int argc, char **argv)
{
	static const unsigned BATCHES[] = { 1, 8, 32 };
	bool smoke = false;
	uint64_t messages = 5000000;
	const struct micro_flag flags[] = { { "--smoke", &smoke, NULL },
		{ "--messages", NULL, &messages } };

	micro_flags(argc, argv, flags, 2);
	if (smoke)
		messages = 20000;
	for (uint32_t bytes = 32; bytes <= 64; bytes *= 2)
		for (unsigned i = 0; i < sizeof(BATCHES) / sizeof(BATCHES[0]); i++)
			bench(messages, bytes, BATCHES[i]);
	return 0;
}
