#include "bench/load/histogram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	HALF = 1 << (HISTOGRAM_BITS - 1),
	/* 2 * HALF values of their own, then HALF for each of the powers left. */
	BUCKETS = HALF * (64 - HISTOGRAM_BITS + 2)
};

struct histogram {
	uint64_t count, max;
	double sum;
	uint64_t buckets[BUCKETS];
};

struct histogram *histogram_new(void)
{
	return calloc(1, sizeof(struct histogram));
}

void histogram_free(struct histogram *h)
{
	free(h);
}

void histogram_reset(struct histogram *h)
{
	memset(h, 0, sizeof(*h));
}

/* How far the value is shifted to leave HISTOGRAM_BITS significant bits. */
static unsigned shift_of(uint64_t value)
{
	unsigned bits = value == 0 ? 0 : 64 - (unsigned)__builtin_clzll(value);

	return bits > HISTOGRAM_BITS ? bits - HISTOGRAM_BITS : 0;
}

static unsigned bucket_of(uint64_t value)
{
	unsigned shift = shift_of(value);

	return shift * HALF + (unsigned)(value >> shift);
}

/* The highest value in it. */
static uint64_t bucket_top(unsigned bucket)
{
	unsigned shift = bucket < 2 * HALF ? 0 : bucket / HALF - 1;
	uint64_t low = (uint64_t)(bucket - shift * HALF) << shift;

	return low + ((UINT64_C(1) << shift) - 1);
}

void histogram_record(struct histogram *h, uint64_t value, uint64_t n)
{
	h->buckets[bucket_of(value)] += n;
	h->count += n;
	h->sum += (double)value * (double)n;
	if (value > h->max)
		h->max = value;
}

uint64_t histogram_count(const struct histogram *h)
{
	return h->count;
}

uint64_t histogram_max(const struct histogram *h)
{
	return h->max;
}

double histogram_mean(const struct histogram *h)
{
	return h->count == 0 ? 0 : h->sum / (double)h->count;
}

uint64_t histogram_percentile(const struct histogram *h, double percent)
{
	double rank = ceil(percent / 100 * (double)h->count);
	uint64_t seen = 0;

	for (unsigned i = 0; i < BUCKETS; i++) {
		seen += h->buckets[i];
		if (seen > 0 && (double)seen >= rank)
			return bucket_top(i) < h->max ? bucket_top(i) : h->max;
	}
	return h->max;
}
