/*
 * float_sums.h: exact sums of floats and of their products, as fixed-point numbers, and the (co)variance that follows
 * from them, rounded once: for variance.c and regression.c.
 *
 * A sum is FLOAT_SUM words in units of 2^-FLOAT_BIAS, one of products FLOAT_PRODUCTS words in units of 2^-2FLOAT_BIAS,
 * below which no product of two doubles has bits; above they have room for 2^63 of the largest. Zeroed they are 0.
 */
#ifndef LF_SQL_FLOAT_SUMS_H
#define LF_SQL_FLOAT_SUMS_H

#include <stdint.h>

enum { FLOAT_SUM = 36, FLOAT_PRODUCTS = 70, FLOAT_BIAS = 1088 };

/* Add a × weight, a finite. */
void float_sum_add(uint64_t *sum, double a, int64_t weight);
/* Add a × b × weight, both finite. */
void float_products_add(uint64_t *products, double a, double b, int64_t weight);
/* The nearest double. */
double float_sum_value(const uint64_t *sum);
/* The nearest double of (count × products - a × b) / divisor, of the sums of a, of b and of their products; infinite
 * when it is none. count > 0, 0 < divisor < 2^127. */
double float_covariance(const uint64_t *a, const uint64_t *b, const uint64_t *products,
	int64_t count, unsigned __int128 divisor);

#endif
