/*
 * bench_core.c: how fast the processors are just now, and how far apart: what results with two processors are to be read
 * beside, since machines that are shared differ from hour to hour.
 *
 *   bench_core [--smoke]
 *
 * loop: an iteration is a multiplication and a load from 256 KiB, each waiting for the one before: ns on each of the first
 * two processors. core_to_core: one thread on each, which take turns to write one cache line: ns from one's store until the
 * other has seen it, half a turn. Both are the median of several runs. A processor alone has no core_to_core.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "bench/load/server.h"
#include "bench/micro/micro.h"

enum { TABLE_BITS = 15, RUNS = 9, PROCESSORS = 2, SPINS = 10000 };

static uint64_t table[1 << TABLE_BITS];

/* --- one processor --- */

static uint64_t chase(uint64_t iterations)
{
	uint64_t x = 1;

	for (uint64_t i = 0; i < iterations; i++)
		x = x * UINT64_C(6364136223846793005) + table[x >> (64 - TABLE_BITS)];
	return x;
}

static double measure_loop(uint64_t iterations, uint64_t expected)
{
	double runs[RUNS];

	for (unsigned r = 0; r < RUNS; r++) {
		uint64_t begin = clock_now_ns(), found = chase(iterations);

		runs[r] = micro_seconds(begin) * 1e9 / (double)iterations;
		if (found != expected)
			micro_fail("bench_core: the loop has another result on another processor");
	}
	return micro_median(runs, RUNS);
}

/* --- two --- */

struct pair {
	int cpus[PROCESSORS];
	uint64_t turns;                     /* of a run */
	uint64_t seen;                      /* by the one that answers */
	_Alignas(64) _Atomic uint64_t line; /* odd: the other's turn */
};

/* On one processor after all, or on one that is taken away, the other thread needs it. */
static void await(_Atomic uint64_t *line, uint64_t value)
{
	unsigned spins = 0;

	while (atomic_load_explicit(line, memory_order_acquire) != value)
		if (++spins % SPINS == 0)
			sched_yield();
}

static void *answer(void *arg)
{
	struct pair *p = arg;

	if (cpu_pin(p->cpus[1]) != 0)
		micro_fail("bench_core: processor %d cannot be used", p->cpus[1]);
	for (uint64_t turn = 0; turn < p->turns * RUNS; turn++) {
		await(&p->line, 2 * turn + 1);
		p->seen++;
		atomic_store_explicit(&p->line, 2 * turn + 2, memory_order_release);
	}
	return NULL;
}

static double measure_pair(struct pair *p)
{
	double runs[RUNS];
	uint64_t turn = 0, all = p->turns * RUNS;
	pthread_t thread;

	if (cpu_pin(p->cpus[0]) != 0 || pthread_create(&thread, NULL, answer, p) != 0)
		micro_fail("bench_core: cannot start");
	for (unsigned r = 0; r < RUNS; r++) {
		uint64_t begin = clock_now_ns();

		for (uint64_t i = 0; i < p->turns; i++, turn++) {
			atomic_store_explicit(&p->line, 2 * turn + 1, memory_order_release);
			await(&p->line, 2 * turn + 2);
		}
		runs[r] = micro_seconds(begin) * 1e9 / (double)(2 * p->turns);
	}
	pthread_join(thread, NULL);
	if (p->seen != all)
		micro_fail("bench_core: %llu turns of %llu", (unsigned long long)p->seen,
			(unsigned long long)all);
	return micro_median(runs, RUNS);
}

int main(int argc, char **argv)
{
	bool smoke = false;
	const struct micro_flag flags[] = { { "--smoke", &smoke, NULL } };
	uint64_t iterations, expected;
	struct pair p = { .turns = 100000 };

	micro_flags(argc, argv, flags, 1);
	iterations = smoke ? 10000 : 2000000;
	if (smoke)
		p.turns = 100;
	for (unsigned i = 0; i < 1 << TABLE_BITS; i++)
		table[i] = hash_u64(i);
	expected = chase(iterations);
	for (unsigned i = 0; i < PROCESSORS; i++)
		p.cpus[i] = cpu_allowed(i);
	for (unsigned i = 0; i < PROCESSORS && p.cpus[i] >= 0; i++) {
		if (cpu_pin(p.cpus[i]) != 0)
			micro_fail("bench_core: processor %d cannot be used", p.cpus[i]);
		printf("core_%u_loop ns %.3f\n", i, measure_loop(iterations, expected));
	}
	if (p.cpus[1] >= 0)
		printf("core_to_core ns %.1f\n", measure_pair(&p));
	return 0;
}
