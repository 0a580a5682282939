/*
 * percentile.c: see percentile.h.
 */
#include "core/flow/percentile.h"

#include <math.h>
#include <string.h>

#include "core/sql/datetime.h"

static int count_one(void *arg, const struct value *v, int64_t weight)
{
	(void)v;
	*(int64_t *)arg += weight;
	return 0;
}

static int64_t count_of(const struct ordered *values)
{
	int64_t n = 0;

	(void)ordered_walk(values, count_one, &n);
	return n;
}

struct finding {
	int64_t before; /* values to pass */
	struct value value;
};

static int find_one(void *arg, const struct value *v, int64_t weight)
{
	struct finding *f = arg;

	f->value = *v;
	f->before -= weight;
	return f->before < 0;
}

/* Value number i, from 0, of n. */
static struct value value_at(const struct ordered *values, int64_t i, int64_t n, bool descending)
{
	struct finding f = { .before = descending ? n - 1 - i : i };

	(void)ordered_walk(values, find_one, &f);
	return f.value;
}

/* From one value to the next, by a part of the way. */
static int between(struct value *out, const struct value *from, const struct value *to, double part,
	struct error *e)
{
	struct value way, some;

	if (from->type == TYPE_FLOAT8) {
		out->d = from->d + part * (to->d - from->d);
		return 0;
	}
	if (interval_add(&way, to, from, -1, e) != 0 || interval_mul(&some, &way, part, e) != 0)
		return -1;
	return interval_add(out, &some, from, 1, e);
}

int percentile_continuous(const struct ordered *values, double fraction, bool descending,
	struct value *out, struct error *e)
{
	int64_t n = isnan(fraction) ? 0 : count_of(values);
	double at = fraction * (double)(n - 1);
	struct value first, second;

	if (n == 0) {
		out->flags = VALUE_NULL;
		return 0;
	}
	first = value_at(values, (int64_t)floor(at), n, descending);
	if (floor(at) == ceil(at)) {
		*out = first;
		return 0;
	}
	second = value_at(values, (int64_t)ceil(at), n, descending);
	return between(out, &first, &second, at - floor(at), e);
}

bool percentile_discrete(
	const struct ordered *values, double fraction, bool descending, struct value *out)
{
	int64_t n = isnan(fraction) ? 0 : count_of(values), at;

	if (n == 0)
		return false;
	at = (int64_t)ceil(fraction * (double)n);
	*out = value_at(values, at > 0 ? at - 1 : 0, n, descending);
	return true;
}

struct tally {
	int64_t most, n; /* of the best one; of those that are equal to the last one */
	bool descending;
	struct value best, last;
};

static int tally_one(void *arg, const struct value *v, int64_t weight)
{
	struct tally *t = arg;

	if (t->n > 0 && value_compare(&t->last, v) == 0) {
		t->n += weight;
	} else {
		t->n = weight;
		t->last = *v;
	}
	if (t->n > t->most || (t->n == t->most && t->descending)) {
		t->most = t->n;
		t->best = t->last;
	}
	return 0;
}

bool most_frequent(const struct ordered *values, bool descending, struct value *out)
{
	struct tally t = { .descending = descending };

	(void)ordered_walk(values, tally_one, &t);
	*out = t.best;
	return t.most > 0;
}
