/*
 * flow_join.c: an inner equi-join. Each side remembers its rows by key; a delta of one side meets the rows of the
 * other and is remembered itself.
 *
 * Keys that are plain columns, the usual case, are hashed and compared where they lie in the rows; others are
 * computed for each comparison. NULL equals nothing, so a row with a NULL key is not even remembered.
 */
#include "core/flow/flow_internal.h"

/* --- keys --- */

/* Evaluate the keys of a side. 1; 0: one is NULL; -1: f->error. */
static int keys_evaluate(
	struct flow *f, const struct join_side *side, const void *row, struct value *keys)
{
	if (flow_evaluate(f, side->keys, row, NULL, keys) != 0)
		return -1;
	for (unsigned i = 0; i < side->nkeys; i++)
		if (value_is_null(&keys[i]))
			return 0;
	return 1;
}

/* The hash of a side's key. 1; 0: it is NULL; -1: f->error. */
static int keys_hash(struct flow *f, const struct join_side *side, const void *row, uint64_t *hash)
{
	struct value keys[PLAN_KEYS_MAX];
	int keyed;

	if (side->plain) {
		for (unsigned i = 0; i < side->nkeys; i++)
			if (row_is_null(row, side->cols[i]))
				return 0;
		*hash = row_hash(side->layout, row, side->cols, side->nkeys);
		return 1;
	}
	keyed = keys_evaluate(f, side, row, keys);
	if (keyed > 0)
		*hash = values_hash(keys, side->nkeys);
	arena_reset(&f->scratch);
	return keyed;
}

/* Whether two rows match which both have been through keys_hash(). -1: f->error. */
static int keys_equal(struct flow *f, const struct join_side *a, const void *row_a,
	const struct join_side *b, const void *row_b)
{
	struct value x[PLAN_KEYS_MAX], y[PLAN_KEYS_MAX];
	bool equal = true;

	if (a->plain && b->plain)
		return row_equal(a->layout, row_a, a->cols, b->layout, row_b, b->cols, a->nkeys);
	if (keys_evaluate(f, a, row_a, x) <= 0 || keys_evaluate(f, b, row_b, y) <= 0)
		return -1;
	for (unsigned i = 0; i < a->nkeys && equal; i++) {
		/* Integers of different width are the same numbers. */
		x[i].type = y[i].type;
		equal = value_compare(&x[i], &y[i]) == 0;
	}
	arena_reset(&f->scratch);
	return equal;
}

/* --- deltas --- */

void join_input(
	struct flow *f, struct view_state *v, uint32_t input, const void *row, int64_t weight)
{
	const struct join_side *own = &v->plan->joins[input / 2].side[input % 2];
	uint64_t hash;
	int keyed = keys_hash(f, own, row, &hash);

	if (keyed < 0)
		view_error(f, v, weight);
	if (keyed <= 0)
		return;
	multimap_prefetch(v->sides[input], hash);
	multimap_prefetch(v->sides[input ^ 1], hash);
	batch_add(f, v, input, (struct delta){ .row = row, .hash = hash, .weight = weight });
}

static void join_match(struct flow *f, struct view_state *v, const struct join_plan *j,
	const void *left, const void *right, int64_t weight)
{
	const void *row;
	int pass = flow_test(f, j->residual, left, right);

	if (pass < 0)
		view_error(f, v, weight);
	if (pass <= 0)
		return;
	row = flow_project(f, j->projection, left, right);
	if (row != NULL)
		edge_follow(f, v, &j->edge, row, weight);
	else
		view_error(f, v, weight);
}

static void join_delta(struct flow *f, struct view_state *v, uint32_t input, const struct delta *d)
{
	const struct join_plan *j = &v->plan->joins[input / 2];
	const struct join_side *own = &j->side[input % 2], *other = &j->side[1 - input % 2];
	const struct multimap_entry *e = multimap_first(v->sides[input ^ 1], d->hash);

	for (; e != NULL; e = e->next) {
		int equal = keys_equal(f, own, d->row, other, e->row);

		if (equal < 0)
			view_fail(f, v);
		if (equal > 0)
			join_match(f, v, j, input % 2 == 0 ? d->row : e->row,
				input % 2 == 0 ? e->row : d->row, d->weight * e->weight);
		if (v->stopped)
			return;
	}
	if (multimap_add(v->sides[input], d->hash, d->row, d->weight) != 0)
		view_no_memory(f, v);
}

void join_run(struct flow *f, struct view_state *v, unsigned join)
{
	for (uint32_t input = 2 * join; input < 2 * join + 2; input++) {
		for (unsigned i = 0; !v->stopped && i < v->inputs[input].n; i++) {
			const struct batch *b = &v->inputs[input];
			const struct delta d = b->list[i];

			if (i + FETCH_AHEAD < b->n) {
				uint64_t hash = b->list[i + FETCH_AHEAD].hash;

				multimap_prefetch_entry(v->sides[input ^ 1], hash);
				multimap_prefetch_entry(v->sides[input], hash);
			}
			join_delta(f, v, input, &d);
		}
		if (v->stopped)
			return;
		v->inputs[input].n = 0;
	}
}
