/*
 * numeric.h: exact decimal arithmetic with PostgreSQL's result scales.
 *
 * A numeric is (coefficient, scale) as value.h says. Every result is what PostgreSQL 15 computes, of
 * the same scale, or an error: 22003 when it does not fit 38 digits (of coefficient or of scale),
 * never a result rounded further than PostgreSQL rounds. NaN goes through as in PostgreSQL.
 * Results are whole values (type, flags, scale set).
 */
#ifndef LF_SQL_NUMERIC_H
#define LF_SQL_NUMERIC_H

#include "core/base/error.h"
#include "core/store/value.h"

enum { NUMERIC_DIGITS = 38 };

typedef unsigned __int128 uint128;

/* 10^k, 0 <= k <= 38. */
extern const uint128 numeric_pow10[NUMERIC_DIGITS + 1];

/* a * b as hi:lo. */
uint128 u128_mul(uint128 a, uint128 b, uint128 *lo);
/* hi:lo / d, remainder in *rem; hi < d < 2^127. */
uint128 u128_div(uint128 hi, uint128 lo, uint128 d, uint128 *rem);
/* Decimal digits of n; 0 has none. */
unsigned u128_digits(uint128 n);

/* out = n / 10^scale; 22003 when |n| >= 10^38 or scale > 38. */
int numeric_make(struct value *out, int128 n, unsigned scale, struct error *e);
void numeric_make_nan(struct value *out);
void numeric_from_int(struct value *out, int64_t i);
/* Always -1, with 22003; or 0A000 for an infinity, which PostgreSQL's numeric has. */
int numeric_overflow(struct error *e);
int numeric_infinite(struct error *e);
/* out = ±n / 10^scale with the same limits. */
int numeric_make_signed(
	struct value *out, bool negative, uint128 n, unsigned scale, struct error *e);
/* PostgreSQL keeps base-10000 digits, and its result scales depend on them: the weight of the
 * leading one (0 for zero) and, when first is not NULL, its value (0 for zero). */
int numeric_weight(const struct value *a, unsigned *first);

int numeric_add(struct value *out, const struct value *a, const struct value *b, struct error *e);
int numeric_sub(struct value *out, const struct value *a, const struct value *b, struct error *e);
int numeric_mul(struct value *out, const struct value *a, const struct value *b, struct error *e);
int numeric_div(struct value *out, const struct value *a, const struct value *b, struct error *e);
int numeric_div_trunc(
	struct value *out, const struct value *a, const struct value *b, struct error *e);
int numeric_mod(struct value *out, const struct value *a, const struct value *b, struct error *e);

/* To `digits` after the point (negative: before it); half away from zero. Result scale
 * max(digits, 0), so 22003 is possible when that adds zeros. */
int numeric_round(struct value *out, const struct value *a, int digits, struct error *e);
int numeric_trunc(struct value *out, const struct value *a, int digits, struct error *e);
int numeric_ceil(struct value *out, const struct value *a, struct error *e);
int numeric_floor(struct value *out, const struct value *a, struct error *e);

int numeric_sqrt(struct value *out, const struct value *a, struct error *e);
/* To a scale of at least a's; a is not negative, nor NaN. */
int numeric_sqrt_scale(struct value *out, const struct value *a, unsigned scale, struct error *e);
int numeric_exp(struct value *out, const struct value *a, struct error *e);
int numeric_ln(struct value *out, const struct value *a, struct error *e);
int numeric_log(
	struct value *out, const struct value *base, const struct value *a, struct error *e);
int numeric_power(struct value *out, const struct value *a, const struct value *b, struct error *e);

/* Rounded to a whole number; 22003 "bigint out of range" with the given type's name and range. */
int numeric_to_int(int64_t *out, const struct value *a, enum type_id type, struct error *e);
double numeric_to_double(const struct value *a);
float numeric_to_float(const struct value *a);
/* As PostgreSQL casts: float8 through 15, float4 through 6 significant digits. */
int numeric_from_double(struct value *out, double d, struct error *e);
int numeric_from_float(struct value *out, float f, struct error *e);

/* Text of PostgreSQL's numeric input (blanks around, sign, digits, exponent, NaN). 22P02, 22003. */
int numeric_parse(struct value *out, const char *s, size_t len, struct error *e);
/* At most 42 bytes and no terminator; returns the length. */
enum { NUMERIC_TEXT_MAX = 48 };
size_t numeric_format(const struct value *v, char *buf);
/* numeric(precision, scale): rounds, then 22003 "numeric field overflow" with PostgreSQL's detail. */
int numeric_apply_modifier(struct value *v, unsigned precision, unsigned scale, struct error *e);

int numeric_compare(const struct value *a, const struct value *b);

#endif
