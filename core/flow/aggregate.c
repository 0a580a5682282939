/*
 * aggregate.c: see aggregate.h. What a kind keeps: counts a number; sum and avg a sum_state; bool_and and bool_or how
 * many are true and how many false; bit_and and its like how many have each bit; variance and stddev a variance_state;
 * min, max and string_agg all values in order, since the one that is retracted may be the least, or any; and what is
 * DISTINCT all values, beside the state of the aggregate over each of them once.
 */
#include "core/flow/aggregate.h"

#include <string.h>

#include "core/base/limits.h"
#include "core/flow/ordered.h"
#include "core/sql/tuple.h"
#include "core/sql/variance.h"

struct truths {
	int64_t yes, no;
};

enum { BITS = 64 };

struct bits {
	int64_t count;
	int64_t ones[BITS]; /* with the bit set */
};

struct distinct {
	struct ordered values;
	uint64_t state[]; /* of the aggregate over each value once */
};

/* The aggregate over each value once. */
static struct aggregate inner_of(const struct aggregate *a)
{
	struct aggregate inner = *a;

	inner.kind = a->of;
	return inner;
}

uint32_t aggregate_bytes(const struct aggregate *a)
{
	size_t bytes = 0;

	switch (a->kind) {
	case AGG_COUNT_STAR:
	case AGG_COUNT: bytes = sizeof(int64_t); break;
	case AGG_SUM:
	case AGG_AVG: bytes = sizeof(struct sum_state); break;
	case AGG_MIN:
	case AGG_MAX:
	case AGG_STRING:
	case AGG_STRING_DISTINCT: bytes = sizeof(struct ordered); break;
	case AGG_BOOL_AND:
	case AGG_BOOL_OR: bytes = sizeof(struct truths); break;
	case AGG_BIT_AND:
	case AGG_BIT_OR:
	case AGG_BIT_XOR: bytes = sizeof(struct bits); break;
	case AGG_VAR_POP:
	case AGG_VAR_SAMP:
	case AGG_STDDEV_POP:
	case AGG_STDDEV_SAMP: bytes = sizeof(struct variance_state); break;
	case AGG_DISTINCT: {
		struct aggregate inner = inner_of(a);

		bytes = sizeof(struct distinct) + aggregate_bytes(&inner);
		break;
	}
	}
	return ((uint32_t)bytes + 7) & ~UINT32_C(7);
}

/* --- adding --- */

static int values_add(struct ordered *values, const struct value *v, int64_t weight, struct heap *h,
	struct error *e)
{
	if (ordered_add(values, v, weight, h) != 0)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	return 0;
}

static void truths_add(struct truths *t, const struct value *v, int64_t weight)
{
	if (v->i != 0)
		t->yes += weight;
	else
		t->no += weight;
}

static void bits_add(struct bits *b, const struct value *v, int64_t weight)
{
	b->count += weight;
	for (unsigned i = 0; i < BITS; i++)
		if ((uint64_t)v->i >> i & 1)
			b->ones[i] += weight;
}

/* Of equal values the first one stands for all: when it is another afterwards, the inner aggregate exchanges them. */
static int distinct_add(const struct aggregate *a, struct distinct *d, const struct value *v,
	int64_t weight, struct heap *h, struct error *e)
{
	struct aggregate inner = inner_of(a);
	struct value before, after;
	/* Its bytes may go; only count(), which does not look at them, has values with bytes. */
	bool had = ordered_find(&d->values, v, &before), has;

	if (values_add(&d->values, v, weight, h, e) != 0)
		return -1;
	has = ordered_find(&d->values, v, &after);
	/* Of those that are equal, only numerics of different scale make a difference. */
	if (had && has && before.scale == after.scale)
		return 0;
	if (had && aggregate_add(&inner, d->state, &before, -1, h, e) != 0)
		return -1;
	return has ? aggregate_add(&inner, d->state, &after, 1, h, e) : 0;
}

int aggregate_add_other(const struct aggregate *a, void *state, const struct value *v,
	int64_t weight, struct heap *h, struct error *e)
{
	switch (a->kind) {
	case AGG_MIN:
	case AGG_MAX:
	case AGG_STRING:
	case AGG_STRING_DISTINCT: return values_add(state, v, weight, h, e);
	case AGG_BOOL_AND:
	case AGG_BOOL_OR: truths_add(state, v, weight); return 0;
	case AGG_BIT_AND:
	case AGG_BIT_OR:
	case AGG_BIT_XOR: bits_add(state, v, weight); return 0;
	case AGG_VAR_POP:
	case AGG_VAR_SAMP:
	case AGG_STDDEV_POP:
	case AGG_STDDEV_SAMP: return variance_add(state, v, weight, h, e);
	case AGG_DISTINCT: return distinct_add(a, state, v, weight, h, e);
	default: UNREACHABLE();
	}
}

/* --- results --- */

static bool bits_result(const struct bits *b, enum aggregate_kind kind, struct value *out)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < BITS; i++) {
		bool set = kind == AGG_BIT_AND ? b->ones[i] == b->count
			: kind == AGG_BIT_OR   ? b->ones[i] > 0
					       : b->ones[i] % 2 != 0;

		all |= (uint64_t)set << i;
	}
	out->i = (int64_t)all;
	return b->count > 0;
}

struct joining {
	char *p; /* NULL: only measured */
	size_t n;
	bool first, once;
};

static int join_one(void *arg, const struct value *tuple, int64_t weight)
{
	struct joining *j = arg;
	const struct value *parts[2];
	struct value value, separator;

	tuple_unpack(tuple, &value, &separator);
	parts[0] = &separator;
	parts[1] = &value;
	for (int64_t k = j->once ? 1 : weight; k > 0; k--)
		for (unsigned i = 0; i < 2; i++) {
			bool skip = i == 0 && (j->first || value_is_null(&separator));

			if (i == 1)
				j->first = false;
			if (skip || parts[i]->s.len == 0)
				continue;
			if (j->p != NULL)
				memcpy(j->p + j->n, parts[i]->s.p, parts[i]->s.len);
			j->n += parts[i]->s.len;
			if (j->n > LIMIT_ROW_BYTES)
				return -1;
		}
	return 0;
}

static int string_result(const struct ordered *values, bool once, struct value *out,
	struct arena *arena, struct error *e)
{
	struct joining j = { .first = true, .once = once };

	if (ordered_walk(values, join_one, &j) != 0)
		return error_set(e, ERR_PROGRAM_LIMIT, 0, NULL);
	if (j.first) {
		out->flags = VALUE_NULL;
		return 0;
	}
	j = (struct joining){ .p = arena_alloc(arena, j.n + 1), .first = true, .once = once };
	if (j.p == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	(void)ordered_walk(values, join_one, &j);
	out->s.p = j.p;
	out->s.len = (uint32_t)j.n;
	return 0;
}

static bool is_sample(enum aggregate_kind kind)
{
	return kind == AGG_VAR_SAMP || kind == AGG_STDDEV_SAMP;
}

static bool is_root(enum aggregate_kind kind)
{
	return kind == AGG_STDDEV_POP || kind == AGG_STDDEV_SAMP;
}

static int distinct_result(const struct aggregate *a, const struct distinct *d, struct value *out,
	struct arena *arena, struct error *e)
{
	struct aggregate inner = inner_of(a);

	return aggregate_result(&inner, d->state, out, arena, e);
}

int aggregate_result_other(const struct aggregate *a, const void *state, struct value *out,
	struct arena *arena, struct error *e)
{
	enum type_id arg = a->arg == NULL ? TYPE_UNKNOWN : (enum type_id)a->arg->type.id;
	const struct truths *truths = state;
	bool any = true;

	memset(out, 0, sizeof(*out));
	out->type = a->type.id;
	switch (a->kind) {
	case AGG_COUNT_STAR:
	case AGG_COUNT:
	case AGG_SUM: UNREACHABLE();
	case AGG_AVG: return avg_result(state, arg, out, e);
	case AGG_MIN: any = ordered_min(state, out); break;
	case AGG_MAX: any = ordered_max(state, out); break;
	case AGG_STRING:
	case AGG_STRING_DISTINCT:
		return string_result(state, a->kind == AGG_STRING_DISTINCT, out, arena, e);
	case AGG_BOOL_AND: out->i = truths->no == 0; break;
	case AGG_BOOL_OR: out->i = truths->yes > 0; break;
	case AGG_BIT_AND:
	case AGG_BIT_OR:
	case AGG_BIT_XOR: any = bits_result(state, a->kind, out); break;
	case AGG_VAR_POP:
	case AGG_VAR_SAMP:
	case AGG_STDDEV_POP:
	case AGG_STDDEV_SAMP:
		return variance_result(state, arg, is_sample(a->kind), is_root(a->kind), out, e);
	case AGG_DISTINCT: return distinct_result(a, state, out, arena, e);
	}
	if (a->kind == AGG_BOOL_AND || a->kind == AGG_BOOL_OR)
		any = truths->yes + truths->no > 0;
	if (!any)
		out->flags = VALUE_NULL;
	out->type = a->type.id;
	return 0;
}

void aggregate_free(const struct aggregate *a, void *state, struct heap *h)
{
	struct aggregate inner;
	struct distinct *d = state;

	switch (a->kind) {
	case AGG_SUM:
	case AGG_AVG: sum_free(state, h); break;
	case AGG_MIN:
	case AGG_MAX:
	case AGG_STRING:
	case AGG_STRING_DISTINCT: ordered_free(state, h); break;
	case AGG_VAR_POP:
	case AGG_VAR_SAMP:
	case AGG_STDDEV_POP:
	case AGG_STDDEV_SAMP: variance_free(state, h); break;
	case AGG_DISTINCT:
		inner = inner_of(a);
		ordered_free(&d->values, h);
		aggregate_free(&inner, d->state, h);
		break;
	default: break;
	}
}
