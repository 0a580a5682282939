/*
 * sum.c: see sum.h. Integers: a sum of 192 bits, which no number of rows exceeds. Numerics: the same per
 * scale, so that the scale of the result is the largest one that is there now; nearly always there is one
 * scale only, which needs no memory of its own. Floats: a fixed-point accumulator wide enough for every
 * double. Intervals: their fields by themselves.
 */
#include "core/sql/sum.h"

#include <math.h>
#include <string.h>

#include "core/base/limits.h"
#include "core/sql/datetime.h"
#include "core/sql/float_sums.h"
#include "core/sql/numeric.h"

struct sum_part {
	struct sum_192 sum;
	int64_t count;
	uint8_t scale;
};

/* Numerics: NaNs, and the parts of all scales but the first. */
struct sum_scales {
	int64_t nan;
	uint32_t n, cap;
	struct sum_part parts[];
};

/* Floats: the accumulator and what is not finite. */
struct sum_floats {
	uint64_t limbs[FLOAT_SUM];
	int64_t nan, plus, minus;
};

/* Intervals: field by field. Of scale SPANS, by which sum_free() knows. */
struct sum_spans {
	int128 months, days, us;
};
enum { SPANS = 255 };

enum type_id sum_type(enum type_id arg)
{
	switch (arg) {
	case TYPE_INT2:
	case TYPE_INT4: return TYPE_INT8;
	case TYPE_INT8:
	case TYPE_NUMERIC: return TYPE_NUMERIC;
	case TYPE_FLOAT4:
	case TYPE_FLOAT8:
	case TYPE_INTERVAL: return arg;
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
	case TYPE_INTERVAL: return TYPE_INTERVAL;
	default: return TYPE_UNKNOWN;
	}
}

static size_t scales_bytes(const struct sum_scales *w)
{
	return sizeof(*w) + w->cap * sizeof(w->parts[0]);
}

void sum_free(struct sum_state *s, struct heap *h)
{
	if (s->scales != NULL)
		heap_free(h, s->scales, scales_bytes(s->scales));
	if (s->scale == SPANS)
		heap_free(h, s->spans, sizeof(*s->spans));
	else
		heap_free(h, s->floats, sizeof(*s->floats));
	memset(s, 0, sizeof(*s));
}

static __attribute__((noinline)) void add_192_times(struct sum_192 *s, int128 v, int64_t weight)
{
	bool negative = (v < 0) != (weight < 0);
	unsigned __int128 m = v < 0 ? -(unsigned __int128)v : (unsigned __int128)v;
	uint64_t w = weight < 0 ? -(uint64_t)weight : (uint64_t)weight, high;
	unsigned __int128 low = (unsigned __int128)(uint64_t)m * w;
	unsigned __int128 rest = (unsigned __int128)(uint64_t)(m >> 64) * w + (uint64_t)(low >> 64);
	unsigned __int128 sum = (unsigned __int128)s->mid << 64 | s->lo;
	unsigned __int128 p = rest << 64 | (uint64_t)low;

	high = (uint64_t)(rest >> 64);
	if (negative) {
		s->hi = (int64_t)((uint64_t)s->hi - high - (sum < p));
		sum -= p;
	} else {
		sum += p;
		s->hi = (int64_t)((uint64_t)s->hi + high + (sum < p));
	}
	s->lo = (uint64_t)sum;
	s->mid = (uint64_t)(sum >> 64);
}

/* Add v × weight. */
static inline void add_192(struct sum_192 *s, int128 v, int64_t weight)
{
	unsigned __int128 sum = (unsigned __int128)s->mid << 64 | s->lo;

	if (weight != 1 && weight != -1) {
		add_192_times(s, v, weight);
		return;
	}
	/* One row: |v| is below 2^127. */
	if (weight < 0)
		v = -v;
	sum += (unsigned __int128)v;
	s->hi += (sum < (unsigned __int128)v) - (v < 0);
	s->lo = (uint64_t)sum;
	s->mid = (uint64_t)(sum >> 64);
}

/* False when it does not fit. */
static bool narrow_192(const struct sum_192 *s, int128 *out)
{
	*out = (int128)((unsigned __int128)s->mid << 64 | s->lo);
	return s->hi == (*out < 0 ? -1 : 0);
}

static void double_add(struct sum_floats *w, double d, int64_t weight)
{
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
	float_sum_add(w->limbs, d, weight);
}

static double double_result(const struct sum_floats *w)
{
	if (w->nan > 0 || (w->plus > 0 && w->minus > 0))
		return (double)NAN;
	if (w->plus > 0 || w->minus > 0)
		return w->plus > 0 ? (double)INFINITY : -(double)INFINITY;
	return float_sum_value(w->limbs);
}

/* --- numerics --- */

static int scales_reserve(struct sum_state *s, unsigned n, struct heap *h, struct error *e)
{
	struct sum_scales *grown;
	uint32_t cap = s->scales == NULL ? 0 : s->scales->cap;

	if (s->scales != NULL && s->scales->n + n <= cap)
		return 0;
	cap = cap == 0 ? n : 2 * cap;
	grown = heap_zalloc(h, sizeof(*grown) + cap * sizeof(grown->parts[0]));
	if (grown == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	if (s->scales != NULL) {
		memcpy(grown, s->scales, scales_bytes(s->scales));
		heap_free(h, s->scales, scales_bytes(s->scales));
	}
	grown->cap = cap;
	s->scales = grown;
	return 0;
}

/* How many values have the scale of s->sum. */
static int64_t first_count(const struct sum_state *s)
{
	int64_t n = s->count;

	if (s->scales == NULL)
		return n;
	n -= s->scales->nan;
	for (unsigned i = 0; i < s->scales->n; i++)
		n -= s->scales->parts[i].count;
	return n;
}

static int numeric_add_weighted(
	struct sum_state *s, const struct value *v, int64_t weight, struct heap *h, struct error *e)
{
	struct sum_part *part = NULL;

	if (v->flags & VALUE_NAN) {
		if (s->scales == NULL && scales_reserve(s, 1, h, e) != 0)
			return -1;
		s->scales->nan += weight;
		return 0;
	}
	/* Nothing there (or what adds up to nothing): the scale is free to choose. */
	if (s->scales == NULL && s->count == 0 && (s->sum.lo | s->sum.mid) == 0 && s->sum.hi == 0)
		s->scale = v->scale;
	if (s->scale == v->scale) {
		add_192(&s->sum, v->n, weight);
		return 0;
	}
	for (unsigned i = 0; s->scales != NULL && i < s->scales->n; i++)
		if (s->scales->parts[i].scale == v->scale)
			part = &s->scales->parts[i];
	if (part == NULL) {
		if (scales_reserve(s, 1, h, e) != 0)
			return -1;
		part = &s->scales->parts[s->scales->n++];
		*part = (struct sum_part){ .scale = v->scale };
	}
	add_192(&part->sum, v->n, weight);
	part->count += weight;
	return 0;
}

/* Add a part to the result, when it is there. */
static int part_result(const struct sum_192 *part, int64_t count, unsigned scale, struct value *sum,
	bool *first, struct error *e)
{
	struct value v, both;
	int128 n;

	if (count == 0)
		return 0;
	if (!narrow_192(part, &n))
		return numeric_overflow(e);
	if (numeric_make(&v, n, scale, e) != 0)
		return -1;
	if (!*first) {
		if (numeric_add(&both, sum, &v, e) != 0)
			return -1;
		v = both;
	}
	*sum = v;
	*first = false;
	return 0;
}

static int numeric_result(const struct sum_state *s, struct value *out, struct error *e)
{
	const struct sum_scales *w = s->scales;
	bool first = true;

	if (w != NULL && w->nan > 0) {
		numeric_make_nan(out);
		return 0;
	}
	numeric_from_int(out, 0);
	if (part_result(&s->sum, first_count(s), s->scale, out, &first, e) != 0)
		return -1;
	for (unsigned i = 0; w != NULL && i < w->n; i++)
		if (part_result(&w->parts[i].sum, w->parts[i].count, w->parts[i].scale, out, &first,
			    e) != 0)
			return -1;
	return 0;
}

/* --- all types --- */

static int float_add(struct sum_state *s, double d, int64_t weight, struct heap *h, struct error *e)
{
	if (s->floats == NULL)
		s->floats = heap_zalloc(h, sizeof(*s->floats));
	if (s->floats == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	double_add(s->floats, d, weight);
	return 0;
}

static int span_add(
	struct sum_state *s, const struct value *v, int64_t weight, struct heap *h, struct error *e)
{
	if (s->spans == NULL)
		s->spans = heap_zalloc(h, sizeof(*s->spans));
	if (s->spans == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	s->scale = SPANS;
	s->spans->months += (int128)v->iv.months * weight;
	s->spans->days += (int128)v->iv.days * weight;
	s->spans->us += (int128)v->iv.us * weight;
	return 0;
}

static int span_result(const struct sum_state *s, struct value *out, struct error *e)
{
	const struct sum_spans *w = s->spans;

	if (w->months != (int32_t)w->months || w->days != (int32_t)w->days ||
		w->us != (int64_t)w->us)
		return error_set(e, ERR_DATETIME_OVERFLOW, 0, "interval out of range");
	return interval_make(out, (int64_t)w->months, (int64_t)w->days, (int64_t)w->us, e);
}

int sum_add(
	struct sum_state *s, const struct value *v, int64_t weight, struct heap *h, struct error *e)
{
	int status = 0;

	if (value_is_null(v) || weight == 0)
		return 0;
	switch ((enum type_id)v->type) {
	case TYPE_NUMERIC: status = numeric_add_weighted(s, v, weight, h, e); break;
	case TYPE_FLOAT4: status = float_add(s, (double)v->f, weight, h, e); break;
	case TYPE_FLOAT8: status = float_add(s, v->d, weight, h, e); break;
	case TYPE_INTERVAL: status = span_add(s, v, weight, h, e); break;
	default: add_192(&s->sum, v->i, weight); break;
	}
	if (status == 0)
		s->count += weight;
	return status;
}

static int integer_result(const struct sum_state *s, struct value *out, struct error *e)
{
	int128 sum;

	if (!narrow_192(&s->sum, &sum))
		return numeric_overflow(e);
	return numeric_make(out, sum, 0, e);
}

int sum_result(const struct sum_state *s, enum type_id arg, struct value *out, struct error *e)
{
	int128 sum;

	memset(out, 0, sizeof(*out));
	out->type = (uint8_t)sum_type(arg);
	if (s->count == 0) {
		out->flags = VALUE_NULL;
		return 0;
	}
	switch (arg) {
	case TYPE_NUMERIC: return numeric_result(s, out, e);
	case TYPE_INT8: return integer_result(s, out, e);
	case TYPE_FLOAT8: out->d = double_result(s->floats); return 0;
	case TYPE_FLOAT4: out->f = (float)double_result(s->floats); return 0;
	case TYPE_INTERVAL: return span_result(s, out, e);
	default:
		if (!narrow_192(&s->sum, &sum) || sum > INT64_MAX || sum < INT64_MIN)
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
		out->d = double_result(s->floats) / (double)s->count;
		return 0;
	}
	if (arg == TYPE_INTERVAL) {
		if (span_result(s, &sum, e) != 0)
			return -1;
		return interval_div(out, &sum, (double)s->count, e);
	}
	if ((arg == TYPE_NUMERIC ? numeric_result(s, &sum, e) : integer_result(s, &sum, e)) != 0)
		return -1;
	numeric_from_int(&count, s->count);
	return numeric_div(out, &sum, &count, e);
}
