/*
 * sum.c: see sum.h. Integers: a 192-bit sum. Numerics: the same, per scale, so that the scale of the
 * result is that of what is there now. Floats: a fixed-point accumulator wide enough for every double.
 */
#include "core/sql/sum.h"

#include <math.h>
#include <string.h>

#include "core/base/limits.h"
#include "core/sql/numeric.h"

enum {
	LIMBS = 36, /* 2304 bits: 2^-1088 … 2^1215 */
	BIAS = 1088,
	SCALES = LIMIT_NUMERIC_DIGITS + 1
};

/* Numerics: a sum and a count a scale. Floats: the accumulator and what is not finite. */
struct sum_wide {
	int128 sums[SCALES];
	int64_t counts[SCALES];
	uint64_t limbs[LIMBS];
	int64_t nan, plus, minus;
};

enum type_id sum_type(enum type_id arg)
{
	switch (arg) {
	case TYPE_INT2:
	case TYPE_INT4: return TYPE_INT8;
	case TYPE_INT8:
	case TYPE_NUMERIC: return TYPE_NUMERIC;
	case TYPE_FLOAT4:
	case TYPE_FLOAT8: return arg;
	default: return TYPE_UNKNOWN;
	}
}

enum type_id avg_type(enum type_id arg)
{
	switch (arg) {
	case TYPE_INT2:
	case TYPE_INT4:
	case TYPE_INT8:
	case TYPE_NUMERIC: return TYPE_NUMERIC;
	case TYPE_FLOAT4:
	case TYPE_FLOAT8: return TYPE_FLOAT8;
	default: return TYPE_UNKNOWN;
	}
}

static int wide_need(struct sum_state *s, struct heap *h, struct error *e)
{
	if (s->wide == NULL)
		s->wide = heap_zalloc(h, sizeof(*s->wide));
	return s->wide == NULL ? error_set(e, ERR_OUT_OF_MEMORY, 0, NULL) : 0;
}

void sum_free(struct sum_state *s, struct heap *h)
{
	heap_free(h, s->wide, sizeof(*s->wide));
	memset(s, 0, sizeof(*s));
}

/* Add m × 2^exponent × sign, in two's complement, carrying as far as needed. */
static void limbs_add(uint64_t *limbs, uint64_t m, int exponent, bool negative)
{
	unsigned bit = (unsigned)(exponent + BIAS), at = bit / 64, shift = bit % 64;
	uint64_t part[2] = { m << shift, shift == 0 ? 0 : m >> (64 - shift) };
	uint64_t carry = 0;

	for (unsigned i = at; i < LIMBS; i++) {
		uint64_t add = i - at < 2 ? part[i - at] : 0, old = limbs[i];

		if (i - at >= 2 && carry == 0)
			break;
		if (negative) {
			limbs[i] = old - add - carry;
			carry = old < add || (carry && old == add);
		} else {
			limbs[i] = old + add + carry;
			carry = limbs[i] < old || (carry && limbs[i] == old);
		}
	}
}

static void double_add(struct sum_wide *w, double d, int64_t weight)
{
	bool negative = (d < 0) != (weight < 0);
	uint64_t times = weight < 0 ? -(uint64_t)weight : (uint64_t)weight;
	int exponent;
	uint64_t m;

	if (isnan(d)) {
		w->nan += weight;
		return;
	}
	if (isinf(d)) {
		if (d > 0)
			w->plus += weight;
		else
			w->minus += weight;
		return;
	}
	m = (uint64_t)ldexp(frexp(fabs(d), &exponent), 53);
	exponent -= 53;
	/* times × m: both halves of the product. */
	{
		unsigned __int128 p = (unsigned __int128)m * times;

		limbs_add(w->limbs, (uint64_t)p, exponent, negative);
		limbs_add(w->limbs, (uint64_t)(p >> 64), exponent + 64, negative);
	}
}

/* Round the accumulator to the nearest double, ties to even. */
static double double_result(const struct sum_wide *w)
{
	uint64_t limbs[LIMBS];
	bool negative = w->limbs[LIMBS - 1] >> 63, sticky = false;
	int top = LIMBS - 1;
	uint64_t high, low;
	double d;

	if (w->nan > 0 || (w->plus > 0 && w->minus > 0))
		return (double)NAN;
	if (w->plus > 0 || w->minus > 0)
		return w->plus > 0 ? (double)INFINITY : -(double)INFINITY;
	memcpy(limbs, w->limbs, sizeof(limbs));
	if (negative) {
		uint64_t carry = 1;

		for (unsigned i = 0; i < LIMBS; i++) {
			limbs[i] = ~limbs[i] + carry;
			carry = carry && limbs[i] == 0;
		}
	}
	while (top >= 0 && limbs[top] == 0)
		top--;
	if (top < 0)
		return 0;
	for (int i = top - 2; i >= 0; i--)
		sticky |= limbs[i] != 0;
	high = limbs[top];
	low = top > 0 ? limbs[top - 1] : 0;
	{
		unsigned shift = (unsigned)__builtin_clzll(high);
		int exponent = top * 64 - BIAS - (int)shift;

		if (shift > 0) {
			high = high << shift | low >> (64 - shift);
			low <<= shift;
		}
		/* 64 bits in high; fold what is below into the lowest, which decides ties. Below the normal
		 * range the rounding to fewer bits is ldexp's, of a value that is exact then. */
		if (low != 0 || sticky)
			high |= 1;
		if (exponent < -1074) {
			d = ldexp((double)(high >> 11), exponent + 11);
		} else {
			uint64_t kept = high >> 11, rest = high & 2047;

			if (rest > 1024 || (rest == 1024 && (kept & 1)))
				kept++;
			d = ldexp((double)kept, exponent + 11);
		}
	}
	return negative ? -d : d;
}

static int numeric_add_weighted(
	struct sum_state *s, const struct value *v, int64_t weight, struct heap *h, struct error *e)
{
	int128 product, sum;

	if (wide_need(s, h, e) != 0)
		return -1;
	if (v->flags & VALUE_NAN) {
		s->wide->nan += weight;
		return 0;
	}
	if (__builtin_mul_overflow(v->n, (int128)weight, &product) ||
		__builtin_add_overflow(s->wide->sums[v->scale], product, &sum))
		return numeric_overflow(e);
	s->wide->sums[v->scale] = sum;
	s->wide->counts[v->scale] += weight;
	return 0;
}

int sum_add(
	struct sum_state *s, const struct value *v, int64_t weight, struct heap *h, struct error *e)
{
	if (value_is_null(v) || weight == 0)
		return 0;
	switch ((enum type_id)v->type) {
	case TYPE_NUMERIC:
		if (numeric_add_weighted(s, v, weight, h, e) != 0)
			return -1;
		break;
	case TYPE_FLOAT4:
	case TYPE_FLOAT8:
		if (wide_need(s, h, e) != 0)
			return -1;
		double_add(s->wide, v->type == TYPE_FLOAT4 ? (double)v->f : v->d, weight);
		break;
	default: {
		/* 128 bits hold 2^64 times the largest bigint; `hi` is not needed for them. */
		unsigned __int128 sum = (unsigned __int128)s->mid << 64 | s->lo;

		sum += (unsigned __int128)((int128)v->i * weight);
		s->lo = (uint64_t)sum;
		s->mid = (uint64_t)(sum >> 64);
		break;
	}
	}
	s->count += weight;
	return 0;
}

static int128 integer_sum(const struct sum_state *s)
{
	return (int128)((unsigned __int128)s->mid << 64 | s->lo);
}

static int numeric_result(const struct sum_state *s, struct value *out, struct error *e)
{
	struct value sum, part;
	bool first = true;

	if (s->wide->nan > 0) {
		numeric_make_nan(out);
		return 0;
	}
	for (unsigned scale = 0; scale < SCALES; scale++) {
		if (s->wide->counts[scale] == 0 && s->wide->sums[scale] == 0)
			continue;
		if (numeric_make(&part, s->wide->sums[scale], scale, e) != 0)
			return -1;
		if (first) {
			sum = part;
		} else {
			struct value both;

			if (numeric_add(&both, &sum, &part, e) != 0)
				return -1;
			sum = both;
		}
		first = false;
	}
	if (first)
		numeric_from_int(&sum, 0);
	*out = sum;
	return 0;
}

int sum_result(const struct sum_state *s, enum type_id arg, struct value *out, struct error *e)
{
	int128 sum = integer_sum(s);

	memset(out, 0, sizeof(*out));
	out->type = (uint8_t)sum_type(arg);
	if (s->count == 0) {
		out->flags = VALUE_NULL;
		return 0;
	}
	switch (arg) {
	case TYPE_NUMERIC: return numeric_result(s, out, e);
	case TYPE_INT8: return numeric_make(out, sum, 0, e);
	case TYPE_FLOAT8: out->d = double_result(s->wide); return 0;
	case TYPE_FLOAT4: out->f = (float)double_result(s->wide); return 0;
	default:
		if (sum > INT64_MAX || sum < INT64_MIN)
			return error_set(e, ERR_NUMERIC_RANGE, 0, "bigint out of range");
		out->i = (int64_t)sum;
		return 0;
	}
}

int avg_result(const struct sum_state *s, enum type_id arg, struct value *out, struct error *e)
{
	struct value sum, count;

	memset(out, 0, sizeof(*out));
	out->type = (uint8_t)avg_type(arg);
	if (s->count == 0) {
		out->flags = VALUE_NULL;
		return 0;
	}
	if (arg == TYPE_FLOAT4 || arg == TYPE_FLOAT8) {
		out->d = double_result(s->wide) / (double)s->count;
		return 0;
	}
	if (arg == TYPE_NUMERIC ? numeric_result(s, &sum, e) != 0
				: numeric_make(&sum, integer_sum(s), 0, e) != 0)
		return -1;
	numeric_from_int(&count, s->count);
	return numeric_div(out, &sum, &count, e);
}
