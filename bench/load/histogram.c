#include "bench/load/histogram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	HALF = 1 << (HISTOGRAM_BITS - 1),
	/* 2 * HALF values of their own, then HALF for each of the powers left. */
	BUCKETS = HALF * (64 - HISTOGRAM_BITS + 2),
	TICKS = 5
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

void histogram_add(struct histogram *h, const struct histogram *from)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		h->buckets[i] += from->buckets[i];
	h->count += from->count;
	h->sum += from->sum;
	if (from->max > h->max)
		h->max = from->max;
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

/* The highest value that a bucket of this histogram can hold. */
static uint64_t bucket_most(const struct histogram *h, unsigned bucket)
{
	return bucket_top(bucket) < h->max ? bucket_top(bucket) : h->max;
}

/* Of the values that stand for their buckets. */
static double deviation(const struct histogram *h)
{
	double mean = histogram_mean(h), squares = 0;

	for (unsigned i = 0; i < BUCKETS; i++) {
		double off = (double)bucket_most(h, i) - mean;

		squares += h->buckets[i] > 0 ? off * off * (double)h->buckets[i] : 0;
	}
	return h->count == 0 ? 0 : sqrt(squares / (double)h->count);
}

/* From one percentile of the distribution to the next: a fifth of the way to where half as much is left. */
static double level_after(double level)
{
	return level + 100 / (TICKS * exp2(floor(log2(100 / (100 - level))) + 1));
}

static void write_levels(const struct histogram *h, FILE *out, double unit)
{
	uint64_t seen = 0;
	double level = 0;

	for (unsigned i = 0; i < BUCKETS && seen < h->count; i++) {
		double value = (double)bucket_most(h, i) / unit;

		if (h->buckets[i] == 0)
			continue;
		seen += h->buckets[i];
		while (seen < h->count && 100 * (double)seen / (double)h->count >= level) {
			fprintf(out, "%12.3f %14.12f %10llu %14.2f\n", value, level / 100,
				(unsigned long long)seen, 100 / (100 - level));
			level = level_after(level);
		}
		if (seen == h->count)
			fprintf(out, "%12.3f %14.12f %10llu\n", value, 1.0,
				(unsigned long long)seen);
	}
}

void histogram_write(const struct histogram *h, FILE *out, double unit)
{
	fprintf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
		"1/(1-Percentile)");
	write_levels(h, out, unit);
	fprintf(out, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", histogram_mean(h) / unit,
		deviation(h) / unit);
	fprintf(out, "#[Max     = %12.3f, Total count    = %12llu]\n", (double)h->max / unit,
		(unsigned long long)h->count);
	fprintf(out, "#[Buckets = %12d, SubBuckets     = %12d]\n", 64 - HISTOGRAM_BITS + 1,
		2 * HALF);
}
