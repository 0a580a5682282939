/*
 * aggregate.h: the state of one aggregate of one group: rows are added to it and retracted from it by weight, and
 * it tells the result over those that are there.
 *
 * A state is aggregate_bytes() bytes, 8-aligned, zeroed at first, and may be moved with memcpy. What it owns lies
 * in the heap that is given to every call. Weights may be negative for a while: a row may be retracted
 * before it is added.
 */
#ifndef LF_FLOW_AGGREGATE_H
#define LF_FLOW_AGGREGATE_H

#include "core/base/assert.h"
#include "core/sql/plan.h"
#include "core/sql/sum.h"

/* Of its state; a multiple of 8. */
uint32_t aggregate_bytes(const struct aggregate *a);

/* aggregate_add() of the kinds that are not handled in place below; v is not NULL. */
int aggregate_add_other(const struct aggregate *a, void *state, const struct value *v,
	int64_t weight, struct heap *h, struct error *e);

/* Add a row `weight` times. v: the argument, whose bytes are copied where they are kept; NULL only for count(*).
 * 0, or -1 with 53200: then the state may only be freed. */
static inline int aggregate_add(const struct aggregate *a, void *state, const struct value *v,
	int64_t weight, struct heap *h, struct error *e)
{
	if (a->kind != AGG_COUNT_STAR) {
		ASSERT(v != NULL);
		if (value_is_null(v))
			return 0;
		if (a->kind == AGG_SUM || a->kind == AGG_AVG)
			return sum_add(state, v, weight, h, e);
		if (a->kind != AGG_COUNT)
			return aggregate_add_other(a, state, v, weight, h, e);
	}
	*(int64_t *)state += weight;
	return 0;
}

/* aggregate_result() of the kinds that are not handled in place below. */
int aggregate_result_other(const struct aggregate *a, const void *state, struct value *out,
	struct arena *arena, struct error *e);

/* The result, of type a->type; its bytes are the state's, or in the arena. 0, or -1: 22003; 54000 longer than a row may be;
 * 53200. */
static inline int aggregate_result(const struct aggregate *a, const void *state, struct value *out,
	struct arena *arena, struct error *e)
{
	if (a->kind == AGG_SUM) {
		ASSERT(a->arg != NULL);
		*out = (struct value){ .type = a->type.id };
		return sum_result(state, (enum type_id)a->arg->type.id, out, e);
	}
	if (a->kind != AGG_COUNT && a->kind != AGG_COUNT_STAR)
		return aggregate_result_other(a, state, out, arena, e);
	*out = (struct value){ .i = *(const int64_t *)state, .type = a->type.id };
	return 0;
}

/* Free what the state owns; it must not be used any more. */
void aggregate_free(const struct aggregate *a, void *state, struct heap *h);
/* Before that, free in slices what may be many blocks, as hashdir_free_some(). */
bool aggregate_empty_some(const struct aggregate *a, void *state, struct heap *h, size_t *left);

#endif
