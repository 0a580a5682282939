/*
 * random.c: Zipf-distributed ranks by rejection-inversion (W. Hörmann, G. Derflinger: "Rejection-inversion to
 * generate variates from monotone discrete distributions", ACM TOMACS 6(3), 1996): constant time and
 * space for any n and any exponent. H is an integral of 1/x^s; a point under the hat is accepted when it is
 * under the bar of its rank, which happens most of the time.
 */
#include "bench/load/random.h"

#include <math.h>
#include <string.h>

/* A prime above 2^40, to spread ranks over the keys. */
#define SPREAD UINT64_C(1099511627791)

static double hat(double x, double s)
{
	return exp(-s * log(x));
}

static double hat_integral(double x, double s)
{
	double l = log(x);

	return fabs(1 - s) < 1e-9 ? l : expm1((1 - s) * l) / (1 - s);
}

static double hat_integral_inverse(double y, double s)
{
	return fabs(1 - s) < 1e-9 ? exp(y) : exp(log1p(y * (1 - s)) / (1 - s));
}

void keys_init(struct keys *k, uint64_t n, double skew, uint64_t seed)
{
	*k = (struct keys){ .random = { seed }, .n = n, .skew = skew };
	if (skew == 0)
		return;
	k->at_half = hat_integral(1.5, skew) - 1;
	k->at_end = hat_integral((double)n + 0.5, skew);
	k->reject = 2 - hat_integral_inverse(hat_integral(2.5, skew) - hat(2, skew), skew);
}

static uint64_t rank_next(struct keys *k)
{
	for (;;) {
		double u = (double)(random_next(&k->random) >> 11) * 0x1p-53;
		double y = k->at_end + u * (k->at_half - k->at_end);
		double x = hat_integral_inverse(y, k->skew), rank = floor(x + 0.5);

		if (rank < 1)
			rank = 1;
		else if (rank > (double)k->n)
			rank = (double)k->n;
		if (rank - x <= k->reject ||
			y >= hat_integral(rank + 0.5, k->skew) - hat(rank, k->skew))
			return (uint64_t)rank - 1;
	}
}

uint64_t keys_next(struct keys *k)
{
	if (k->skew == 0)
		return random_below(&k->random, k->n);
	return (uint64_t)((unsigned __int128)rank_next(k) * SPREAD % k->n);
}

void key_value(uint64_t key, char out[static KEY_VALUE_BYTES])
{
	struct random r = { key };

	for (unsigned i = 0; i < KEY_VALUE_BYTES; i += 16) {
		uint64_t x = random_next(&r);
		uint64_t low = (x & UINT64_C(0x0f0f0f0f0f0f0f0f)) + UINT64_C(0x4141414141414141);
		uint64_t high = (x >> 4 & UINT64_C(0x0f0f0f0f0f0f0f0f)) +
			UINT64_C(0x6161616161616161);

		memcpy(out + i, &low, 8);
		memcpy(out + i + 8, &high, 8);
	}
}
