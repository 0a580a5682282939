/*
 * histogram.h: counts of durations in log-linear buckets, after Gil Tene's HdrHistogram.
 *
 * Values below 2^HISTOGRAM_BITS have a bucket each; above, every power of two is divided into
 * 2^(HISTOGRAM_BITS - 1) buckets of equal width. So a value is known to 1/128 of itself at any size, with one
 * array and no search. Any u64 can be recorded.
 */
#ifndef LF_BENCH_HISTOGRAM_H
#define LF_BENCH_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

enum { HISTOGRAM_BITS = 8 };

struct histogram;

/* Empty; NULL when out of memory. */
struct histogram *histogram_new(void);
void histogram_free(struct histogram *h);
void histogram_reset(struct histogram *h);

/* Count `value` n times. */
void histogram_record(struct histogram *h, uint64_t value, uint64_t n);
/* Count in `h` what `from` has counted. */
void histogram_add(struct histogram *h, const struct histogram *from);

uint64_t histogram_count(const struct histogram *h);
/* 0 when empty. The largest is exact. */
uint64_t histogram_max(const struct histogram *h);
double histogram_mean(const struct histogram *h);
/* The value that `percent` (0…100) of all recorded do not exceed: the highest that its bucket stands for, but
 * never more than the largest recorded. 0 when empty. */
uint64_t histogram_percentile(const struct histogram *h, double percent);
/* The percentile distribution as HdrHistogram's outputPercentileDistribution() writes it with five ticks for each
 * halving of what is left, for its plotter: values divided by `unit`, to three digits. */
void histogram_write(const struct histogram *h, FILE *out, double unit);

#endif
