/*
 * variance.c: see variance.h. With N values x, the variance is (N Σx² - (Σx)²) / (N N), of a sample / (N (N - 1)).
 *
 * Widths. A numeric has at most 127 bits and N 63: Σx 190 bits, Σx² 317. Brought to the largest scale there is,
 * 38 digits (127 bits) more for each factor: the numerator has 634 bits, and 38 digits of the quotient behind the point
 * make it 761. Of floats float_sums.h has the sums.
 */
#include "core/sql/variance.h"

#include <math.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/sql/float_sums.h"
#include "core/sql/limbs.h"
#include "core/sql/numeric.h"
#include "core/sql/sum.h"

enum {
	SUM = 3,     /* words of Σx */
	SQUARES = 6, /* of Σx² */
	WIDE = 14,   /* of what is computed with numerics */
	MIN_SIG_DIGITS = 16,
	BASE_DIGITS = 4 /* PostgreSQL's digits have four */
};

_Static_assert(WIDE * 64 > 761 + 1, "the numerator fits");

struct variance_part {
	uint64_t sum[SUM], squares[SQUARES];
	int64_t count;
	uint8_t scale;
};

struct variance_floats {
	uint64_t sum[FLOAT_SUM], squares[FLOAT_PRODUCTS];
};

enum type_id variance_type(enum type_id arg)
{
	return arg == TYPE_INTERVAL ? TYPE_UNKNOWN : avg_type(arg);
}

void variance_free(struct variance_state *s, struct heap *h)
{
	if (s->parts != NULL)
		heap_free(h, s->parts, s->cap * sizeof(*s->parts));
	heap_free(h, s->floats, sizeof(*s->floats));
	memset(s, 0, sizeof(*s));
}

static int no_memory(struct error *e)
{
	return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
}

static uint64_t times(int64_t weight)
{
	return weight < 0 ? -(uint64_t)weight : (uint64_t)weight;
}

/* --- adding --- */

static struct variance_part *part_of(struct variance_state *s, unsigned scale, struct heap *h)
{
	for (uint32_t i = 0; i < s->nparts; i++)
		if (s->parts[i].scale == scale)
			return &s->parts[i];
	if (s->nparts == s->cap) {
		uint32_t cap = s->cap == 0 ? 1 : 2 * s->cap;
		struct variance_part *grown = heap_realloc(
			h, s->parts, s->cap * sizeof(*grown), cap * sizeof(*grown));

		if (grown == NULL)
			return NULL;
		s->parts = grown;
		s->cap = cap;
	}
	s->parts[s->nparts] = (struct variance_part){ .scale = (uint8_t)scale };
	return &s->parts[s->nparts++];
}

static int whole_add(struct variance_state *s, int128 v, unsigned scale, int64_t weight,
	struct heap *h, struct error *e)
{
	struct variance_part *p = part_of(s, scale, h);
	uint128 m = v < 0 ? -(uint128)v : (uint128)v;
	uint64_t words[2] = { (uint64_t)m, (uint64_t)(m >> 64) }, square[4];

	if (p == NULL)
		return no_memory(e);
	limbs_mul(square, words, 2, words, 2);
	limbs_add_times(p->sum, SUM, words, 2, 0, times(weight), (v < 0) != (weight < 0));
	limbs_add_times(p->squares, SQUARES, square, 4, 0, times(weight), weight < 0);
	p->count += weight;
	return 0;
}

static int float_add(
	struct variance_state *s, double d, int64_t weight, struct heap *h, struct error *e)
{
	if (!isfinite(d)) {
		s->odd += weight;
		return 0;
	}
	if (s->floats == NULL)
		s->floats = heap_zalloc(h, sizeof(*s->floats));
	if (s->floats == NULL)
		return no_memory(e);
	float_sum_add(s->floats->sum, d, weight);
	float_products_add(s->floats->squares, d, d, weight);
	return 0;
}

int variance_add(struct variance_state *s, const struct value *v, int64_t weight, struct heap *h,
	struct error *e)
{
	int status = 0;

	if (value_is_null(v) || weight == 0)
		return 0;
	switch ((enum type_id)v->type) {
	case TYPE_FLOAT4: status = float_add(s, (double)v->f, weight, h, e); break;
	case TYPE_FLOAT8: status = float_add(s, v->d, weight, h, e); break;
	case TYPE_NUMERIC:
		if (v->flags & VALUE_NAN)
			s->odd += weight;
		else
			status = whole_add(s, v->n, v->scale, weight, h, e);
		break;
	default: status = whole_add(s, v->i, 0, weight, h, e); break;
	}
	if (status == 0)
		s->count += weight;
	return status;
}

/* --- results --- */

static void scale_by_10(uint64_t *w, unsigned n, unsigned digits)
{
	for (; digits > 0; digits--)
		limbs_scale(w, n, 10);
}

static void widen(uint64_t *out, unsigned n, const uint64_t *w, unsigned nw)
{
	memset(out, limbs_negative(w, nw) ? 0xff : 0, n * sizeof(*out));
	memcpy(out, w, nw * sizeof(*w));
}

static void accumulate(uint64_t *sum, const uint64_t *w, unsigned n)
{
	uint64_t negated[WIDE];

	memcpy(negated, w, n * sizeof(*w));
	limbs_negate(negated, n);
	limbs_sub(sum, negated, n);
}

/* N Σx² - (Σx)² in units of 10^-2scale; false: it is not above zero. */
static bool numerator(const struct variance_state *s, uint64_t *out, unsigned *scale)
{
	uint64_t sum[WIDE] = { 0 }, squares[WIDE] = { 0 }, term[WIDE], product[2 * WIDE];

	*scale = 0;
	for (uint32_t i = 0; i < s->nparts; i++)
		if (s->parts[i].count != 0 && s->parts[i].scale > *scale)
			*scale = s->parts[i].scale;
	for (uint32_t i = 0; i < s->nparts; i++) {
		const struct variance_part *p = &s->parts[i];

		if (p->count == 0)
			continue;
		widen(term, WIDE, p->sum, SUM);
		scale_by_10(term, WIDE, *scale - p->scale);
		accumulate(sum, term, WIDE);
		widen(term, WIDE, p->squares, SQUARES);
		scale_by_10(term, WIDE, 2 * (*scale - p->scale));
		accumulate(squares, term, WIDE);
	}
	if (limbs_negative(sum, WIDE))
		limbs_negate(sum, WIDE);
	limbs_mul(product, sum, WIDE, sum, WIDE);
	limbs_scale(squares, WIDE, (uint64_t)s->count);
	limbs_sub(squares, product, WIDE);
	memcpy(out, squares, sizeof(squares));
	return !limbs_negative(out, WIDE) && !limbs_zero(out, WIDE);
}

static unsigned decimal_digits(const uint64_t *w, unsigned n)
{
	uint64_t rest[WIDE];
	unsigned digits = 0;

	for (memcpy(rest, w, n * sizeof(*w)); !limbs_zero(rest, n); digits++)
		(void)limbs_div(rest, n, 10);
	return digits;
}

/* PostgreSQL's weight of the first digit of w × 10^-scale, and that digit. */
static int weight_of(const uint64_t *w, unsigned n, unsigned scale, uint64_t *first)
{
	int top = (int)decimal_digits(w, n) - 1 - (int)scale;
	int weight = top >= 0 ? top / BASE_DIGITS : -((BASE_DIGITS - 1 - top) / BASE_DIGITS);
	int below = (int)scale + weight * BASE_DIGITS;
	uint64_t rest[WIDE];

	memcpy(rest, w, n * sizeof(*w));
	for (; below > 0; below--)
		(void)limbs_div(rest, n, 10);
	for (; below < 0; below++)
		limbs_scale(rest, n, 10);
	*first = rest[0];
	return weight;
}

/* As PostgreSQL chooses the scale of the quotient. */
static unsigned quotient_scale(const uint64_t *w, unsigned scale, uint128 divisor)
{
	uint64_t d[2] = { (uint64_t)divisor, (uint64_t)(divisor >> 64) }, first, first_d;
	int weight = weight_of(w, WIDE, scale, &first) - weight_of(d, 2, 0, &first_d), digits;

	if (first <= first_d)
		weight--;
	digits = MIN_SIG_DIGITS - weight * BASE_DIGITS;
	return digits < (int)scale ? scale : (unsigned)digits;
}

static uint128 divisor_of(int64_t count, bool sample)
{
	return (uint128)(uint64_t)count * (uint64_t)(sample ? count - 1 : count);
}

static int numeric_variance(
	const struct variance_state *s, bool sample, bool root, struct value *out, struct error *e)
{
	uint128 d = divisor_of(s->count, sample), rest, quotient;
	uint64_t w[WIDE];
	unsigned scale, digits;
	struct value v;

	if (!numerator(s, w, &scale)) {
		numeric_from_int(out, 0);
		return 0;
	}
	digits = quotient_scale(w, 2 * scale, d);
	if (digits > NUMERIC_DIGITS)
		return numeric_overflow(e);
	scale_by_10(w, WIDE, digits - 2 * scale);
	rest = limbs_div(w, WIDE, d);
	if (!limbs_zero(w + 2, WIDE - 2) || w[1] >> 63)
		return numeric_overflow(e);
	quotient = ((uint128)w[1] << 64 | w[0]) + (rest >= d - rest);
	if (numeric_make_signed(&v, false, quotient, digits, e) != 0)
		return -1;
	if (root)
		return numeric_sqrt_scale(out, &v, digits, e);
	*out = v;
	return 0;
}

static int float_variance(
	const struct variance_state *s, bool sample, bool root, struct value *out, struct error *e)
{
	double d;

	out->d = 0;
	if (s->floats == NULL)
		return 0;
	d = float_covariance(s->floats->sum, s->floats->sum, s->floats->squares, s->count,
		divisor_of(s->count, sample));
	if (isinf(d))
		return error_set(e, ERR_NUMERIC_RANGE, 0, "value out of range: overflow");
	out->d = root ? sqrt(d) : d;
	return 0;
}

int variance_result(const struct variance_state *s, enum type_id arg, bool sample, bool root,
	struct value *out, struct error *e)
{
	bool floats = variance_type(arg) == TYPE_FLOAT8;

	memset(out, 0, sizeof(*out));
	out->type = (uint8_t)variance_type(arg);
	if (s->count < (sample ? 2 : 1)) {
		out->flags = VALUE_NULL;
		return 0;
	}
	if (s->odd > 0) {
		if (floats)
			out->d = (double)NAN;
		else
			numeric_make_nan(out);
		return 0;
	}
	return floats ? float_variance(s, sample, root, out, e)
		      : numeric_variance(s, sample, root, out, e);
}
