/*
 * aggregate.c: see aggregate.h. What a kind keeps: counts a number; sum and avg a sum_state; bool_and and bool_or how
 * many are true and how many false; bit_and and its like how many have each bit; variance and stddev a variance_state;
 * min, max, percentiles, mode, string_agg and array_agg all values in order, since the one that is retracted may be the least, or any; and
 * what is DISTINCT all values, beside the state of the aggregate over each of them once.
 */
#include "core/flow/aggregate.h"

#include <string.h>

#include "core/base/limits.h"
#include "core/flow/ordered.h"
#include "core/flow/percentile.h"
#include "core/sql/json.h"
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
	case AGG_ARRAY:
	case AGG_JSON:
	case AGG_JSON_OBJECT:
	case AGG_PERCENTILE_CONT:
	case AGG_PERCENTILE_DISC:
	case AGG_MODE: bytes = sizeof(struct ordered); break;
	case AGG_REGRESSION: bytes = sizeof(struct regression_state); break;
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
	case AGG_ARRAY:
	case AGG_JSON:
	case AGG_JSON_OBJECT:
	case AGG_PERCENTILE_CONT:
	case AGG_PERCENTILE_DISC:
	case AGG_MODE: return values_add(state, v, weight, h, e);
	case AGG_BOOL_AND:
	case AGG_BOOL_OR: truths_add(state, v, weight); return 0;
	case AGG_BIT_AND:
	case AGG_BIT_OR:
	case AGG_BIT_XOR: bits_add(state, v, weight); return 0;
	case AGG_VAR_POP:
	case AGG_VAR_SAMP:
	case AGG_STDDEV_POP:
	case AGG_STDDEV_SAMP: return variance_add(state, v, weight, h, e);
	case AGG_REGRESSION: return regression_add(state, v, weight, h, e);
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

/* What stands before and behind the values that are joined. */
struct brackets {
	const char *open, *close;
};

static const struct brackets NO_BRACKETS = { "", "" }, BRACES = { "{", "}" }, SQUARE = { "[", "]" },
			     WIDE_BRACES = { "{ ", " }" };

struct joining {
	char *p; /* NULL: only measured */
	size_t n;
	bool first;
	bool once, by_keys; /* of those that are equal the first one; of those with equal keys */
	struct value before;
};

static int append(struct joining *j, const char *p, size_t len)
{
	if (j->p != NULL && len > 0)
		memcpy(j->p + j->n, p, len);
	j->n += len;
	return j->n > LIMIT_ROW_BYTES ? -1 : 0;
}

/* Whether the tuple before has the same keys. */
static bool keys_repeated(const struct joining *j, const struct value *tuple)
{
	size_t n = tuple_keys(tuple);

	return !j->first && tuple_keys(&j->before) == n &&
		memcmp(tuple->s.p, j->before.s.p, n) == 0;
}

static int join_one(void *arg, const struct value *tuple, int64_t weight)
{
	struct joining *j = arg;
	struct value value, separator;

	if (j->by_keys && keys_repeated(j, tuple))
		return 0;
	j->before = *tuple;
	tuple_unpack(tuple, &value, &separator);
	for (int64_t k = j->once ? 1 : weight; k > 0; k--) {
		if (!j->first && !value_is_null(&separator) &&
			append(j, separator.s.p, separator.s.len) != 0)
			return -1;
		j->first = false;
		if (append(j, value.s.p, value.s.len) != 0)
			return -1;
	}
	return 0;
}

static int join_all(struct joining *j, struct brackets brackets, const struct ordered *values)
{
	j->n = 0;
	j->first = true;
	if (append(j, brackets.open, strlen(brackets.open)) != 0 ||
		ordered_walk(values, join_one, j) != 0)
		return -1;
	return append(j, brackets.close, strlen(brackets.close));
}

static int string_result(const struct aggregate *a, struct brackets brackets,
	const struct ordered *values, struct value *out, struct arena *arena, struct error *e)
{
	struct joining j = { .once = a->once, .by_keys = a->once && a->kind != AGG_STRING };

	if (join_all(&j, brackets, values) != 0)
		return error_set(e, ERR_PROGRAM_LIMIT, 0, NULL);
	if (j.first) {
		out->flags = VALUE_NULL;
		return 0;
	}
	j.p = arena_alloc(arena, j.n + 1);
	if (j.p == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	(void)join_all(&j, brackets, values);
	out->s.p = j.p;
	out->s.len = (uint32_t)j.n;
	return 0;
}

/* A jsonb has each key once, which its parser sees to. */
static int object_result(const struct aggregate *a, const struct ordered *values, struct value *out,
	struct arena *arena, struct error *e)
{
	struct value text;

	if (string_result(a, WIDE_BRACES, values, out, arena, e) != 0)
		return -1;
	if (a->type.id != TYPE_JSONB || value_is_null(out))
		return 0;
	text = *out;
	return json_parse(out, TYPE_JSONB, text.s.p, text.s.len, arena, e);
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
	case AGG_STRING: return string_result(a, NO_BRACKETS, state, out, arena, e);
	case AGG_ARRAY: return string_result(a, BRACES, state, out, arena, e);
	case AGG_JSON: return string_result(a, SQUARE, state, out, arena, e);
	case AGG_JSON_OBJECT: return object_result(a, state, out, arena, e);
	case AGG_PERCENTILE_CONT:
		return percentile_continuous(state, a->fraction, a->descending, out, e);
	case AGG_PERCENTILE_DISC:
		any = percentile_discrete(state, a->fraction, a->descending, out);
		break;
	case AGG_MODE: any = most_frequent(state, a->descending, out); break;
	case AGG_REGRESSION: return regression_result(state, a->statistic, out, e);
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
	size_t all = SIZE_MAX;

	switch (a->kind) {
	case AGG_SUM:
	case AGG_AVG: sum_free(state, h); break;
	case AGG_VAR_POP:
	case AGG_VAR_SAMP:
	case AGG_STDDEV_POP:
	case AGG_STDDEV_SAMP: variance_free(state, h); break;
	case AGG_REGRESSION: regression_free(state, h); break;
	case AGG_DISTINCT:
		inner = inner_of(a);
		ordered_free(&d->values, h);
		aggregate_free(&inner, d->state, h);
		break;
	/* What keeps values has nothing else. */
	default: (void)aggregate_empty_some(a, state, h, &all);
	}
}

bool aggregate_empty_some(const struct aggregate *a, void *state, struct heap *h, size_t *left)
{
	struct aggregate inner;
	struct distinct *d = state;

	switch (a->kind) {
	case AGG_MIN:
	case AGG_MAX:
	case AGG_STRING:
	case AGG_ARRAY:
	case AGG_JSON:
	case AGG_JSON_OBJECT:
	case AGG_PERCENTILE_CONT:
	case AGG_PERCENTILE_DISC:
	case AGG_MODE: return ordered_free_some(state, h, left);
	case AGG_DISTINCT:
		inner = inner_of(a);
		return ordered_free_some(&d->values, h, left) &&
			aggregate_empty_some(&inner, d->state, h, left);
	default: return true;
	}
}
