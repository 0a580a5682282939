/*
 * bench_epoch.c: what sealing an epoch and pinning one cost, on one thread.
 *
 *   bench_epoch [--smoke] [--rounds N]
 *
 * seal: P shards enter an epoch, all leave it, it becomes visible; ns for the whole round. pin: a reader pins
 * the visible epoch and lets go of it.
 */
#include "bench/micro/micro.h"

static double measure_seal(unsigned shards, uint64_t rounds)
{
	struct heap *heap = heap_new(NULL);
	struct epochs *ep = epochs_new(heap, shards, 1);
	uint64_t begin = clock_now_ns();
	double ns;

	for (uint64_t i = 0; i < rounds; i++) {
		for (unsigned s = 0; s < shards; s++)
			(void)epoch_enter(ep, s);
		for (unsigned s = 0; s < shards; s++) {
			epoch_leave(ep, s);
			(void)epoch_advance(ep);
		}
		if (epoch_visible(ep) != i + 1)
			micro_fail("bench_epoch: round %llu: epoch %llu is visible",
				(unsigned long long)i + 1, (unsigned long long)epoch_visible(ep));
	}
	ns = micro_seconds(begin) * 1e9 / (double)rounds;
	epochs_check(ep);
	epochs_free(ep);
	heap_free_all(heap);
	return ns;
}

static double measure_pin(uint64_t rounds)
{
	struct heap *heap = heap_new(NULL);
	struct epochs *ep = epochs_new(heap, 1, 1);
	int reader = epoch_reader_open(ep);
	uint64_t begin = clock_now_ns(), sum = 0;
	double ns;

	for (uint64_t i = 0; i < rounds; i++) {
		sum += epoch_pin(ep, (unsigned)reader);
		epoch_unpin(ep, (unsigned)reader);
	}
	ns = micro_seconds(begin) * 1e9 / (double)rounds;
	if (sum != 0)
		micro_fail("bench_epoch: an epoch is visible that nobody entered");
	epoch_reader_close(ep, (unsigned)reader);
	epochs_free(ep);
	heap_free_all(heap);
	return ns;
}

int main(int argc, char **argv)
{
	bool smoke = false;
	uint64_t rounds = 5000000;
	const struct micro_flag flags[] = { { "--smoke", &smoke, NULL },
		{ "--rounds", NULL, &rounds } };

	micro_flags(argc, argv, flags, 2);
	if (smoke)
		rounds = 5000;
	for (unsigned shards = 1; shards <= 4; shards *= 2)
		printf("epoch_seal_%u_shards ns %.1f\n", shards, measure_seal(shards, rounds));
	printf("epoch_pin ns %.1f\n", measure_pin(rounds));
	return 0;
}
