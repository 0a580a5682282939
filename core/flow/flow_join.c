/*
 * flow_join.c: a join by equality of keys, or of nothing, and a further condition. Each side remembers its rows by key; a
 * delta of one side meets the rows of the other and is remembered itself.
 *
 * Of a side that is kept (outer joins) every row remembers how many of the other it meets; while there are none it comes
 * out with NULLs. Deltas of a batch are taken one by one, so a row comes and goes as often as its number passes 0.
 *
 * Keys that are plain columns, the usual case, are hashed and compared where they lie in the rows; others are
 * computed for each comparison. NULL equals nothing, so a row with a NULL key is not even remembered.
 */
#include "core/flow/flow_internal.h"

/* --- keys --- */

static bool is_null_safe(const struct join_side *side, unsigned key)
{
	return side->null_safe >> key & 1;
}

/* Evaluate the keys of a side. 1; 0: one is NULL; -1: f->error. */
static int keys_evaluate(
	struct flow *f, const struct join_side *side, const void *row, struct value *keys)
{
	if (flow_evaluate(f, side->keys, row, NULL, keys) != 0)
		return -1;
	for (unsigned i = 0; i < side->nkeys; i++)
		if (value_is_null(&keys[i]) && !is_null_safe(side, i))
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
			if (row_is_null(row, side->cols[i]) && !is_null_safe(side, i))
				return 0;
		*hash = rowkey_hash(&side->key, row);
		return 1;
	}
	keyed = keys_evaluate(f, side, row, keys);
	if (keyed > 0)
		*hash = values_hash(keys, side->nkeys);
	arena_reset(&f->scratch);
	return keyed;
}

static __attribute__((noinline)) int keys_equal_computed(struct flow *f, const struct join_side *a,
	const void *row_a, const struct join_side *b, const void *row_b)
{
	struct value x[PLAN_KEYS_MAX], y[PLAN_KEYS_MAX];
	bool equal = true;

	if (keys_evaluate(f, a, row_a, x) <= 0 || keys_evaluate(f, b, row_b, y) <= 0)
		return -1;
	for (unsigned i = 0; i < a->nkeys && equal; i++) {
		/* Integers of different width are the same numbers. */
		x[i].type = y[i].type;
		equal = value_is_null(&x[i]) || value_is_null(&y[i])
			? value_is_null(&x[i]) && value_is_null(&y[i])
			: value_compare(&x[i], &y[i]) == 0;
	}
	arena_reset(&f->scratch);
	return equal;
}

/* Whether two rows match which both have been through keys_hash(). -1: f->error. */
static inline int keys_equal(struct flow *f, const struct join_side *a, const void *row_a,
	const struct join_side *b, const void *row_b)
{
	return a->plain && b->plain ? rowkey_equal(&a->key, row_a, &b->key, row_b)
				    : keys_equal_computed(f, a, row_a, b, row_b);
}

/* --- deltas --- */

static void join_row(struct flow *f, struct view_state *v, const struct join_plan *j,
	const void *left, const void *right, int64_t weight)
{
	const void *row = flow_project(f, j->projection, left, right);

	if (row != NULL)
		edge_follow(f, v, &j->edge, row, weight);
	else
		view_error(f, v, weight);
}

/* A row of side k that meets none of the other. */
static void join_missing(struct flow *f, struct view_state *v, const struct join_plan *j,
	unsigned k, const void *row, int64_t weight)
{
	if (weight != 0)
		join_row(f, v, j, k == 0 ? row : j->missing[0], k == 0 ? j->missing[1] : row,
			weight);
}

static inline void join_keyed(struct flow *f, struct view_state *v, const struct node_plan *n,
	uint32_t input, const void *row, int64_t weight, uint64_t hash)
{
	multimap_prefetch(v->nodes[n->number].rows, hash);
	batch_add(f, v, input, row, NULL, hash, weight);
}

static __attribute__((noinline)) void join_input_other(struct flow *f, struct view_state *v,
	const struct node_plan *n, uint32_t input, const void *row, int64_t weight)
{
	const struct join_plan *j = &n->join;
	unsigned k = input % 2;
	uint64_t hash;
	int keyed = keys_hash(f, &j->side[k], row, &hash);

	if (keyed < 0)
		view_error(f, v, weight);
	if (keyed == 0 && j->kept[k])
		join_missing(f, v, j, k, row, weight);
	if (keyed > 0)
		join_keyed(f, v, n, input, row, weight, hash);
}

void join_input(struct flow *f, struct view_state *v, const struct node_plan *n, uint32_t input,
	const void *row, int64_t weight)
{
	const struct rowkey *key = &n->join.side[input % 2].key;
	uint64_t number;

	if (key->whole == 1 && rowkey_number(&key->slots[0], row, &number))
		join_keyed(f, v, n, input, row, weight, hash_u64(number));
	else
		join_input_other(f, v, n, input, row, weight);
}

/* Whether a row of each side meet: 1, 0, or -1 with the view failed or the error counted. */
static int rows_meet(struct flow *f, struct view_state *v, const struct join_plan *j, unsigned k,
	const struct delta *d, const struct multimap_entry *e)
{
	int equal = keys_equal(f, &j->side[k], d->row, &j->side[1 - k], e->row);

	if (equal < 0)
		view_fail(f, v);
	if (equal <= 0)
		return equal;
	equal = flow_test(f, j->residual, k == 0 ? d->row : e->row, k == 0 ? e->row : d->row);
	if (equal < 0)
		view_error(f, v, d->weight * e->weight);
	return equal;
}

/* A row of a kept side meets `weight` more of the other. */
static void meets_more(struct flow *f, struct view_state *v, const struct join_plan *j, unsigned k,
	const struct multimap_entry *e, int64_t weight)
{
	int64_t *meets = multimap_counter(e);
	bool alone = *meets <= 0;

	*meets += weight;
	join_missing(f, v, j, k, e->row, e->weight * ((*meets <= 0) - alone));
}

/* Of an inner join. */
static void inner_delta(struct flow *f, struct view_state *v, const struct node_plan *n, unsigned k,
	const struct delta *d)
{
	const struct join_plan *j = &n->join;
	struct multimap *rows = v->nodes[n->number].rows;
	const struct multimap_entry *e;
	struct multimap_place at;

	multimap_find(rows, d->hash, &at);
	for (e = at.first[1 - k]; e != NULL; e = e->next) {
		if (rows_meet(f, v, j, k, d, e) > 0)
			join_row(f, v, j, k == 0 ? d->row : e->row, k == 0 ? e->row : d->row,
				d->weight * e->weight);
		if (v->stopped)
			return;
	}
	if (multimap_add_at(rows, &at, k, d->hash, d->row, d->weight, 0) != 0)
		view_no_memory(f, v);
}

/* Of one that keeps rows that meet none; by itself, so that the other, which is the usual one, stays small. */
__attribute__((noinline)) static void outer_delta(struct flow *f, struct view_state *v,
	const struct node_plan *n, unsigned k, const struct delta *d)
{
	const struct join_plan *j = &n->join;
	struct multimap *rows = v->nodes[n->number].rows;
	const struct multimap_entry *e;
	struct multimap_place at;
	int64_t meets = 0;

	multimap_find(rows, d->hash, &at);
	for (e = at.first[1 - k]; e != NULL; e = e->next) {
		int meet = rows_meet(f, v, j, k, d, e);

		if (meet > 0) {
			/* Before: the view may fail, and the entry with it. */
			meets += e->weight;
			join_row(f, v, j, k == 0 ? d->row : e->row, k == 0 ? e->row : d->row,
				d->weight * e->weight);
		}
		if (meet > 0 && j->kept[1 - k] && !v->stopped)
			meets_more(f, v, j, 1 - k, e, d->weight);
		if (v->stopped)
			return;
	}
	if (j->kept[k] && meets <= 0)
		join_missing(f, v, j, k, d->row, d->weight);
	if (!v->stopped && multimap_add_at(rows, &at, k, d->hash, d->row, d->weight, meets) != 0)
		view_no_memory(f, v);
}

void join_run(struct flow *f, struct view_state *v, const struct node_plan *n)
{
	bool outer = n->join.kept[0] || n->join.kept[1];

	for (unsigned k = 0; k < 2; k++) {
		uint32_t input = node_input(n) + k;

		for (unsigned i = 0; !v->stopped && i < v->inputs[input].n; i++) {
			const struct batch *b = &v->inputs[input];
			const struct multimap *rows = v->nodes[n->number].rows;
			const struct delta d = b->list[i];

			if (i + FETCH_AHEAD < b->n)
				multimap_prefetch_entry(rows, b->list[i + FETCH_AHEAD].hash);
			if (i + FETCH_AHEAD / 2 < b->n)
				multimap_prefetch_peer(rows, b->list[i + FETCH_AHEAD / 2].hash);
			if (i + FETCH_AHEAD / 4 < b->n)
				multimap_prefetch_second(rows, b->list[i + FETCH_AHEAD / 4].hash);
			if (outer)
				outer_delta(f, v, n, k, &d);
			else
				inner_delta(f, v, n, k, &d);
		}
		if (v->stopped)
			return;
		v->inputs[input].n = 0;
	}
}
