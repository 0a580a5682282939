/*
 * aggregate.c: see aggregate.h. What a kind keeps: counts a number; sum and avg a sum_state; min and max all
 * values in order, since the one that is retracted may be the least.
 */
#include "core/flow/aggregate.h"

#include <string.h>

#include "core/flow/ordered.h"

uint32_t aggregate_bytes(const struct aggregate *a)
{
	size_t bytes = 0;

	switch (a->kind) {
	case AGG_COUNT_STAR:
	case AGG_COUNT: bytes = sizeof(int64_t); break;
	case AGG_SUM:
	case AGG_AVG: bytes = sizeof(struct sum_state); break;
	case AGG_MIN:
	case AGG_MAX: bytes = sizeof(struct ordered); break;
	}
	return ((uint32_t)bytes + 7) & ~UINT32_C(7);
}

int aggregate_add_other(const struct aggregate *a, void *state, const struct value *v,
	int64_t weight, struct heap *h, struct error *e)
{
	ASSERT(a->kind == AGG_MIN || a->kind == AGG_MAX);
	if (ordered_add(state, v, weight, h) != 0)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	return 0;
}

int aggregate_result(
	const struct aggregate *a, const void *state, struct value *out, struct error *e)
{
	bool any = true;

	memset(out, 0, sizeof(*out));
	switch (a->kind) {
	case AGG_COUNT_STAR:
	case AGG_COUNT: out->i = *(const int64_t *)state; break;
	case AGG_SUM: return sum_result(state, (enum type_id)a->arg->type.id, out, e);
	case AGG_AVG: return avg_result(state, (enum type_id)a->arg->type.id, out, e);
	case AGG_MIN: any = ordered_min(state, out); break;
	case AGG_MAX: any = ordered_max(state, out); break;
	}
	if (!any)
		out->flags = VALUE_NULL;
	out->type = a->type.id;
	return 0;
}

void aggregate_free(const struct aggregate *a, void *state, struct heap *h)
{
	switch (a->kind) {
	case AGG_COUNT_STAR:
	case AGG_COUNT: break;
	case AGG_SUM:
	case AGG_AVG: sum_free(state, h); break;
	case AGG_MIN:
	case AGG_MAX: ordered_free(state, h); break;
	}
}
