/*
 * random.h: a seeded generator, and keys drawn from 0 … n-1, uniformly or skewed.
 */
#ifndef LF_BENCH_RANDOM_H
#define LF_BENCH_RANDOM_H

#include <stdint.h>

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
	uint64_t x = r->state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* 0 … n-1, n > 0; the bias is below n / 2^64. */
static inline uint64_t random_below(struct random *r, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)random_next(r) * n) >> 64);
}

enum { KEY_VALUE_BYTES = 32 };
/* The value of a key, for tables of keys and values: the nibbles of its hashes as letters. */
void key_value(uint64_t key, char out[static KEY_VALUE_BYTES]);

struct keys {
	struct random random;
	uint64_t n;
	double skew; /* 0: uniform */
	double at_half, at_end, reject;
};

/* n >= 1 keys; skew s >= 0: the k-th most frequent is drawn proportionally to 1/k^s. */
void keys_init(struct keys *k, uint64_t n, double skew, uint64_t seed);
/* 0 … n-1. Frequent keys are spread over the range by a bijection. */
uint64_t keys_next(struct keys *k);

#endif
