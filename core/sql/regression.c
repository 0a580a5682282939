/*
 * regression.c: see regression.h. With N pairs, Sxx = Σx² - (Σx)² / N, and likewise Syy and Sxy.
 */
#include "core/sql/regression.h"

#include <math.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/sql/float_sums.h"
#include "core/sql/function_table.h"

enum { ODD_NAN, ODD_PLUS, ODD_MINUS };

struct regression_sums {
	uint64_t x[FLOAT_SUM], y[FLOAT_SUM];
	uint64_t xx[FLOAT_PRODUCTS], yy[FLOAT_PRODUCTS], xy[FLOAT_PRODUCTS];
};

/* --- pairs --- */

static double plain(double d)
{
	if (isnan(d))
		return (double)NAN;
	return d == 0 ? 0 : d;
}

static int pair(ARGS)
{
	double both[2];

	(void)n;
	(void)c;
	result(out, TYPE_UUID);
	both[0] = plain(a[0].d);
	both[1] = plain(a[1].d);
	memcpy(out->uuid, both, sizeof(out->uuid));
	return 0;
}

const struct function REGRESSION_PAIR = { .name = "pair",
	.nargs = 2,
	.strict = true,
	.args = { TYPE_FLOAT8, TYPE_FLOAT8 },
	.result = TYPE_UUID,
	.eval = pair };

/* --- adding --- */

static void odd_add(int64_t *odd, double d, int64_t weight)
{
	if (isnan(d))
		odd[ODD_NAN] += weight;
	else if (isinf(d))
		odd[d > 0 ? ODD_PLUS : ODD_MINUS] += weight;
}

/* What is not finite is only counted: no other sum matters while it is there. */
static void sums_add(struct regression_sums *s, double y, double x, int64_t weight)
{
	bool has_x = isfinite(x), has_y = isfinite(y);

	if (has_x) {
		float_sum_add(s->x, x, weight);
		float_products_add(s->xx, x, x, weight);
	}
	if (has_y) {
		float_sum_add(s->y, y, weight);
		float_products_add(s->yy, y, y, weight);
	}
	if (has_x && has_y)
		float_products_add(s->xy, x, y, weight);
}

int regression_add(struct regression_state *s, const struct value *pair, int64_t weight,
	struct heap *h, struct error *e)
{
	double both[2];

	if (value_is_null(pair) || weight == 0)
		return 0;
	if (s->sums == NULL)
		s->sums = heap_zalloc(h, sizeof(*s->sums));
	if (s->sums == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	memcpy(both, pair->uuid, sizeof(both));
	odd_add(s->odd_y, both[0], weight);
	odd_add(s->odd_x, both[1], weight);
	sums_add(s->sums, both[0], both[1], weight);
	s->count += weight;
	return 0;
}

void regression_free(struct regression_state *s, struct heap *h)
{
	heap_free(h, s->sums, sizeof(*s->sums));
	memset(s, 0, sizeof(*s));
}

/* --- results --- */

static bool is_odd(const int64_t *odd)
{
	return odd[ODD_NAN] > 0 || odd[ODD_PLUS] > 0 || odd[ODD_MINUS] > 0;
}

static double sum_of(const uint64_t *sum, const int64_t *odd)
{
	if (odd[ODD_NAN] > 0 || (odd[ODD_PLUS] > 0 && odd[ODD_MINUS] > 0))
		return (double)NAN;
	if (odd[ODD_PLUS] > 0 || odd[ODD_MINUS] > 0)
		return odd[ODD_PLUS] > 0 ? (double)INFINITY : -(double)INFINITY;
	return float_sum_value(sum);
}

/* Sxx, Syy, Sxy, divided by one more number. */
static double sxx(const struct regression_state *s)
{
	if (is_odd(s->odd_x))
		return (double)NAN;
	return float_covariance(s->sums->x, s->sums->x, s->sums->xx, s->count, (uint64_t)s->count);
}

static double syy(const struct regression_state *s)
{
	if (is_odd(s->odd_y))
		return (double)NAN;
	return float_covariance(s->sums->y, s->sums->y, s->sums->yy, s->count, (uint64_t)s->count);
}

static double sxy(const struct regression_state *s, int64_t by)
{
	if (is_odd(s->odd_x) || is_odd(s->odd_y))
		return (double)NAN;
	return float_covariance(s->sums->x, s->sums->y, s->sums->xy, s->count,
		(unsigned __int128)s->count * (uint64_t)by);
}

/* Σy / N - slope × Σx / N; PostgreSQL's formula. */
static double intercept(const struct regression_state *s)
{
	double x = sum_of(s->sums->x, s->odd_x), y = sum_of(s->sums->y, s->odd_y);

	return (y - x * sxy(s, 1) / sxx(s)) / (double)s->count;
}

/* As PostgreSQL has it, of a product, where that is a number of the usual size. */
static double correlation(double x, double y, double both)
{
	return isnormal(x * y) ? both / sqrt(x * y) : both / sqrt(x) / sqrt(y);
}

static double determination(double x, double y, double both)
{
	if (y == 0)
		return 1;
	return isnormal(x * y) && isnormal(both * both) ? both * both / (x * y)
							: both / x * (both / y);
}

/* Whether it needs pairs of which not all x, or not all y, are the same. */
static bool is_undefined(const struct regression_state *s, enum regression_kind kind)
{
	switch (kind) {
	case REGR_CORR: return sxx(s) == 0 || syy(s) == 0;
	case REGR_SLOPE:
	case REGR_INTERCEPT:
	case REGR_R2: return sxx(s) == 0;
	case REGR_COVAR_SAMP: return s->count < 2;
	default: return false;
	}
}

static double statistic(const struct regression_state *s, enum regression_kind kind)
{
	switch (kind) {
	case REGR_AVGX: return sum_of(s->sums->x, s->odd_x) / (double)s->count;
	case REGR_AVGY: return sum_of(s->sums->y, s->odd_y) / (double)s->count;
	case REGR_SXX: return sxx(s);
	case REGR_SYY: return syy(s);
	case REGR_SXY: return sxy(s, 1);
	case REGR_SLOPE: return sxy(s, 1) / sxx(s);
	case REGR_INTERCEPT: return intercept(s);
	case REGR_CORR: return correlation(sxx(s), syy(s), sxy(s, 1));
	case REGR_COVAR_POP: return sxy(s, s->count);
	case REGR_COVAR_SAMP: return sxy(s, s->count - 1);
	case REGR_R2: return determination(sxx(s), syy(s), sxy(s, 1));
	default: UNREACHABLE();
	}
}

int regression_result(const struct regression_state *s, enum regression_kind kind,
	struct value *out, struct error *e)
{
	memset(out, 0, sizeof(*out));
	out->type = kind == REGR_COUNT ? TYPE_INT8 : TYPE_FLOAT8;
	if (kind == REGR_COUNT) {
		out->i = s->count;
		return 0;
	}
	if (s->count < 1 || is_undefined(s, kind)) {
		out->flags = VALUE_NULL;
		return 0;
	}
	out->d = statistic(s, kind);
	if (isinf(sxx(s)) || isinf(syy(s)) || isinf(sxy(s, 1)))
		return error_set(e, ERR_NUMERIC_RANGE, 0, "value out of range: overflow");
	return 0;
}
