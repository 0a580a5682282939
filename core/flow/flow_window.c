/*
 * flow_window.c: the first rows of each partition, or functions over its rows in their order.
 *
 * A partition keeps its rows in a tree. At the end of a stage each partition that has changed is gone through in order:
 * for the first rows only as far as they go, for functions all of it. What a row gave last is kept with it, so only what
 * differs is handed on.
 *
 * Cost: a change of a partition of n rows takes the time of its tree, log n, and then of the rows gone through. A frame is
 * moved over the rows, its aggregate adding what it comes to and retracting what it leaves.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/flow/aggregate.h"
#include "core/flow/flow_internal.h"
#include "core/flow/rowtree.h"
#include "core/flow/window_frame.h"

struct partition {
	struct partition *next_changed;
	uint64_t hash;
	bool changed;
	bool gone;                   /* it is being freed */
	struct rowtree_node *rows;   /* of weights that may be 0 … */
	struct rowtree_node *empty;  /* … these, perhaps */
	struct rowtree_node **given; /* top: those given last */
	uint64_t ngiven, given_cap;
	uint64_t stamp;
};

/* What a partition is freed with. */
struct gone {
	struct flow *flow;
	struct partition *partition;
};

static uint64_t partition_hash(const void *arg, const void *object)
{
	(void)arg;
	return ((const struct partition *)object)->hash;
}

/* --- making and freeing --- */

static void rows_free(struct flow *f, void **list, uint64_t n, uint64_t cap)
{
	for (uint64_t i = 0; i < n; i++) {
		ASSERT(list[i] != NULL);
		heap_free(f->heap, list[i], row_size(list[i]));
	}
	heap_free(f->heap, list, cap * sizeof(void *));
}

static void outputs_free(struct flow *f, struct rowtree_node *n)
{
	rows_free(f, n->outputs, n->noutputs, n->noutputs);
	n->outputs = NULL;
	n->noutputs = 0;
}

/* What a row gave, which may be much when it is there often. */
static bool row_gone(void *arg, struct rowtree_node *n, size_t *left)
{
	struct partition *p = ((struct gone *)arg)->partition;
	struct flow *f = ((struct gone *)arg)->flow;

	for (; p->ngiven < n->noutputs; p->ngiven++) {
		void *row = n->outputs[p->ngiven];

		if (*left == 0)
			return false;
		heap_free_counted(f->heap, row, row_size(row), left);
	}
	heap_free_counted(f->heap, n->outputs, n->noutputs * sizeof(void *), left);
	p->ngiven = 0;
	return true;
}

/* In slices; its list of given rows goes first, and then counts the outputs of the row at hand that are gone. */
static bool partition_free_some(void *arg, void *object, size_t *left)
{
	struct flow *f = arg;
	struct partition *p = object;
	struct gone gone = { f, p };

	if (!p->gone) {
		heap_free_counted(
			f->heap, p->given, p->given_cap * sizeof(struct rowtree_node *), left);
		p->gone = true;
		p->ngiven = 0;
	}
	if (!rowtree_free_some(&p->rows, f->heap, row_gone, &gone, left))
		return false;
	heap_free_counted(f->heap, p, sizeof(*p), left);
	return true;
}

static void partition_free(struct flow *f, struct partition *p)
{
	size_t all = SIZE_MAX;

	(void)partition_free_some(f, p, &all);
}

int windows_open(struct flow *f, struct view_state *v, const struct node_plan *n)
{
	return hashdir_init(&v->nodes[n->number].groups, f->heap, NULL, partition_hash, NULL);
}

bool windows_free_some(
	struct flow *f, struct view_state *v, const struct node_plan *n, size_t *left)
{
	v->nodes[n->number].changed = NULL;
	return hashdir_free_some(&v->nodes[n->number].groups, partition_free_some, f, left);
}

/* --- deltas --- */

__attribute__((noinline)) void window_input(struct flow *f, struct view_state *v,
	const struct node_plan *n, const void *row, int64_t weight)
{
	const struct window_plan *w = &n->window;
	uint64_t hash = row_hash(w->input, row, w->window->partition, w->window->npartition);

	hashdir_prefetch(&v->nodes[n->number].groups, hash);
	batch_add(f, v, node_input(n), row, NULL, hash, weight);
}

static struct partition *partition_of(
	struct flow *f, struct view_state *v, const struct node_plan *n, const struct delta *d)
{
	const struct window *w = n->window.window;
	struct node_state *state = &v->nodes[n->number];
	struct hashdir_probe probe = hashdir_probe(&state->groups, d->hash);
	struct partition *p;

	while ((p = hashdir_next(&probe)) != NULL)
		if (p->hash == d->hash &&
			row_equal(n->window.input, p->rows->row, w->partition, n->window.input,
				d->row, w->partition, w->npartition))
			return p;
	p = heap_zalloc(f->heap, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->hash = d->hash;
	/* Not without a row: by its rows it is known. */
	if (rowtree_add(&p->rows, &n->window.order, d->row, 0, f->heap) == NULL ||
		hashdir_insert(&state->groups, d->hash, 0, p) != 0) {
		partition_free(f, p);
		return NULL;
	}
	return p;
}

static void window_delta(
	struct flow *f, struct view_state *v, const struct node_plan *n, const struct delta *d)
{
	struct node_state *state = &v->nodes[n->number];
	struct partition *p = partition_of(f, v, n, d);
	struct rowtree_node *row;

	row = p == NULL ? NULL
			: rowtree_add(&p->rows, &n->window.order, d->row, d->weight, f->heap);
	if (row == NULL) {
		view_no_memory(f, v);
		return;
	}
	if (!row->listed && row->weight == 0) {
		row->listed = true;
		row->next = p->empty;
		p->empty = row;
	}
	if (!p->changed) {
		p->changed = true;
		p->next_changed = state->changed;
		state->changed = p;
	}
}

void window_gather(struct flow *f, struct view_state *v, const struct node_plan *n)
{
	struct batch *b = &v->inputs[node_input(n)];

	for (unsigned i = 0; !v->stopped && i < b->n; i++) {
		if (i + FETCH_AHEAD < b->n)
			hashdir_prefetch_object(
				&v->nodes[n->number].groups, b->list[i + FETCH_AHEAD].hash);
		window_delta(f, v, n, &b->list[i]);
	}
	if (!v->stopped)
		b->n = 0;
}

/* A copy of a row that may go before it has been worked on; NULL: the view has failed. */
static const void *row_keep(struct flow *f, struct view_state *v, const void *row)
{
	void *copy = arena_alloc(&f->rows, row_size(row));

	if (copy == NULL)
		view_no_memory(f, v);
	else
		memcpy(copy, row, row_size(row));
	return copy;
}

static void hand_on(struct flow *f, struct view_state *v, const struct node_plan *n,
	const void *row, int64_t weight)
{
	const void *copy = weight == 0 || v->stopped ? NULL : row_keep(f, v, row);

	if (copy != NULL)
		edge_follow(f, v, &n->window.edge, copy, weight);
}

/* --- the first rows --- */

struct top {
	struct flow *flow;
	struct view_state *view;
	const struct node_plan *node;
	struct partition *partition;
	uint64_t at; /* rows passed */
	uint64_t n;  /* nodes given now */
	const struct rowtree_node *last;
	bool failed;
};

/* As many of a node's rows as are among those wanted. */
static uint64_t wanted_of(const struct window *w, uint64_t at, uint64_t weight)
{
	uint64_t from = (uint64_t)w->offset,
		 to = w->limit < 0 ? UINT64_MAX : from + (uint64_t)w->limit;
	uint64_t low = at > from ? at : from, high = at + weight < to ? at + weight : to;

	return low < high ? high - low : 0;
}

static void give(struct top *t, struct rowtree_node *n, uint64_t give)
{
	struct partition *p = t->partition;
	int64_t more = (int64_t)give - (int64_t)n->given;

	n->stamp = p->stamp;
	if (t->n == p->given_cap) {
		uint64_t cap = p->given_cap == 0 ? 8 : 2 * p->given_cap;
		struct rowtree_node **grown = heap_realloc(t->flow->heap, p->given,
			p->given_cap * sizeof(*grown), cap * sizeof(*grown));

		if (grown == NULL) {
			t->failed = true;
			return;
		}
		p->given = grown;
		p->given_cap = cap;
	}
	p->given[t->n++] = n;
	n->given = give;
	t->last = n;
	/* The view may fail, and the row with it. */
	hand_on(t->flow, t->view, t->node, n->row, more);
}

static bool top_row(void *arg, struct rowtree_node *n)
{
	struct top *t = arg;
	const struct window *w = t->node->window.window;
	uint64_t wanted, end = w->limit < 0 ? UINT64_MAX : (uint64_t)(w->offset + w->limit);

	if (n->weight <= 0)
		return true;
	wanted = wanted_of(w, t->at, (uint64_t)n->weight);
	if (w->ties && wanted < (uint64_t)n->weight && t->at + (uint64_t)n->weight > end &&
		(wanted > 0 ||
			(t->last != NULL &&
				rowtree_compare_keys(
					&t->node->window.order, t->last->row, n->row) == 0))) {
		/* A peer of the last one; also the rest of a row that the limit divides. */
		uint64_t before = t->at < (uint64_t)w->offset ? (uint64_t)w->offset - t->at : 0;

		wanted = (uint64_t)n->weight - before;
	}
	t->at += (uint64_t)n->weight;
	if (wanted > 0)
		give(t, n, wanted);
	return !t->failed && !t->view->stopped && (t->at < end || (w->ties && wanted > 0));
}

static void top_emit(
	struct flow *f, struct view_state *v, const struct node_plan *n, struct partition *p)
{
	struct top t = { .flow = f, .view = v, .node = n, .partition = p };
	struct rowtree_node **before = NULL;
	uint64_t nbefore = p->ngiven;

	p->stamp++;
	if (nbefore > 0) {
		before = arena_alloc(&f->rows, nbefore * sizeof(struct rowtree_node *));
		if (before == NULL) {
			view_no_memory(f, v);
			return;
		}
		memcpy(before, p->given, nbefore * sizeof(struct rowtree_node *));
	}
	if (n->window.window->limit != 0)
		rowtree_each(p->rows, top_row, &t);
	if (t.failed)
		view_no_memory(f, v);
	for (uint64_t i = 0; i < nbefore && !v->stopped; i++)
		if (before[i]->stamp != p->stamp) {
			int64_t given = (int64_t)before[i]->given;

			before[i]->given = 0;
			hand_on(f, v, n, before[i]->row, -given);
		}
	if (!v->stopped)
		p->ngiven = t.n;
}

/* --- functions --- */

static bool count_rows(void *arg, struct rowtree_node *n)
{
	if (n->weight > 0)
		((struct rows *)arg)->cap += (uint64_t)n->weight;
	return true;
}

static bool collect_rows(void *arg, struct rowtree_node *n)
{
	struct rows *r = arg;

	for (int64_t i = 0; i < n->weight; i++)
		r->at[r->n++] = n;
	return true;
}

static int rows_collect(
	struct flow *f, const struct node_plan *n, struct partition *p, struct rows *r)
{
	const struct rowtree_order *o = &n->window.order;

	*r = (struct rows){ .layout = n->window.input };
	rowtree_each(p->rows, count_rows, r);
	r->at = arena_alloc(&f->rows, (r->cap + 1) * sizeof(struct rowtree_node *));
	r->first = arena_alloc(&f->rows, (r->cap + 1) * sizeof(*r->first));
	r->last = arena_alloc(&f->rows, (r->cap + 1) * sizeof(*r->last));
	if (r->at == NULL || r->first == NULL || r->last == NULL)
		return -1;
	rowtree_each(p->rows, collect_rows, r);
	for (uint64_t i = 0; i < r->n; i++)
		r->first[i] = i > 0 &&
				(r->at[i] == r->at[i - 1] ||
					rowtree_compare_keys(o, r->at[i - 1]->row, r->at[i]->row) ==
						0)
			? r->first[i - 1]
			: i;
	for (uint64_t i = r->n; i-- > 0;)
		r->last[i] = i + 1 < r->n && r->first[i + 1] == r->first[i] ? r->last[i + 1] : i;
	return 0;
}

static void column_of(
	const struct node_plan *n, const struct rows *r, uint64_t i, int column, struct value *out)
{
	if (column < 0)
		*out = (struct value){ .flags = VALUE_NULL };
	else
		row_get(n->window.input, r->at[i]->row, (unsigned)column, out);
}

/* A number that a function takes, of row i; dflt where it has none. -1: it is NULL. */
static int number_of(const struct node_plan *n, const struct rows *r, uint64_t i, int column,
	int64_t dflt, int64_t *out)
{
	struct value v;

	*out = dflt;
	if (column < 0)
		return 0;
	column_of(n, r, i, column, &v);
	*out = v.i;
	return value_is_null(&v) ? -1 : 0;
}

static void set_int(struct value *v, const struct window_function *w, int64_t i)
{
	*v = (struct value){ .i = i, .type = w->type.id };
}

static void set_float(struct value *v, double d)
{
	*v = (struct value){ .d = d, .type = TYPE_FLOAT8 };
}

static int ranks(const struct window_function *w, const struct rows *r, struct value *out)
{
	int64_t dense = 0;

	for (uint64_t i = 0; i < r->n; i++) {
		dense += r->first[i] == i;
		switch (w->kind) {
		case WINDOW_ROW_NUMBER: set_int(&out[i], w, (int64_t)i + 1); break;
		case WINDOW_RANK: set_int(&out[i], w, (int64_t)r->first[i] + 1); break;
		case WINDOW_DENSE_RANK: set_int(&out[i], w, dense); break;
		case WINDOW_PERCENT_RANK:
			set_float(&out[i], r->n > 1 ? (double)r->first[i] / (double)(r->n - 1) : 0);
			break;
		default: set_float(&out[i], (double)(r->last[i] + 1) / (double)r->n); break;
		}
	}
	return 0;
}

static int ntile(struct flow *f, const struct node_plan *n, const struct window_function *w,
	const struct rows *r, struct value *out)
{
	int64_t buckets;

	/* As of the first row. */
	if (r->n > 0 && number_of(n, r, 0, w->args[0], 1, &buckets) != 0)
		buckets = -1;
	for (uint64_t i = 0; i < r->n; i++) {
		uint64_t size, larger;

		if (buckets == -1) {
			out[i] = (struct value){ .type = w->type.id, .flags = VALUE_NULL };
			continue;
		}
		if (buckets <= 0)
			return error_set(&f->error, ERR_NTILE_ARGUMENT, 0,
				"argument of ntile must be greater than zero");
		size = r->n / (uint64_t)buckets;
		larger = r->n % (uint64_t)buckets;
		set_int(&out[i], w,
			i < larger * (size + 1)
				? (int64_t)(i / (size + 1)) + 1
				: (int64_t)(larger + (i - larger * (size + 1)) / size) + 1);
	}
	return 0;
}

static int shifted(const struct node_plan *n, const struct window_function *w, const struct rows *r,
	struct value *out)
{
	for (uint64_t i = 0; i < r->n; i++) {
		int64_t by, at;

		if (number_of(n, r, i, w->args[1], 1, &by) != 0) {
			out[i] = (struct value){ .type = w->type.id, .flags = VALUE_NULL };
			continue;
		}
		at = w->kind == WINDOW_LAG ? (int64_t)i - by : (int64_t)i + by;
		if (at >= 0 && at < (int64_t)r->n)
			column_of(n, r, (uint64_t)at, w->args[0], &out[i]);
		else
			column_of(n, r, i, w->args[2], &out[i]);
		out[i].type = w->type.id;
	}
	return 0;
}

static struct frame *frames(struct flow *f, const struct node_plan *n,
	const struct window_function *w, const struct rows *r)
{
	struct frame *list = frames_of(n->window.window, &w->frame, r, &f->rows);

	if (list == NULL)
		(void)error_set(&f->error, ERR_OUT_OF_MEMORY, 0, NULL);
	return list;
}

/* Row number k of the pieces, from 0; from the last one with k < 0. -1: there is none. */
static int64_t row_of_pieces(const struct frame *pieces, int64_t k)
{
	int64_t n = 0;

	for (unsigned i = 0; k < 0 && i < FRAME_PIECES; i++)
		n += pieces[i].to > pieces[i].from ? pieces[i].to - pieces[i].from : 0;
	k += n;
	for (unsigned i = 0; k >= 0 && i < FRAME_PIECES; i++) {
		int64_t rows = pieces[i].to > pieces[i].from ? pieces[i].to - pieces[i].from : 0;

		if (k < rows)
			return pieces[i].from + k;
		k -= rows;
	}
	return -1;
}

static int of_frame(struct flow *f, const struct node_plan *n, const struct window_function *w,
	const struct rows *r, struct value *out)
{
	const struct frame *list = frames(f, n, w, r);

	if (list == NULL)
		return -1;
	for (uint64_t i = 0; i < r->n; i++) {
		struct frame pieces[FRAME_PIECES];
		int64_t nth = w->kind == WINDOW_LAST_VALUE ? 0 : 1, at;

		if (w->kind == WINDOW_NTH_VALUE && number_of(n, r, i, w->args[1], 1, &nth) != 0) {
			out[i] = (struct value){ .type = w->type.id, .flags = VALUE_NULL };
			continue;
		}
		if (w->kind == WINDOW_NTH_VALUE && nth <= 0)
			return error_set(&f->error, ERR_NTH_VALUE_ARGUMENT, 0,
				"argument of nth_value must be greater than zero");
		frame_pieces(&w->frame, r, i, list[i], pieces);
		at = row_of_pieces(pieces, nth - 1);
		if (at >= 0)
			column_of(n, r, (uint64_t)at, w->args[0], &out[i]);
		else
			out[i].flags = VALUE_NULL;
		out[i].type = w->type.id;
	}
	return 0;
}

/* Add row i of a partition to an aggregate's state, or take it from it. */
static int aggregate_row(struct flow *f, const struct node_plan *n, const struct window_function *w,
	const struct rows *r, int64_t i, void *state, int64_t weight)
{
	struct value v;

	if (w->filter >= 0) {
		column_of(n, r, (uint64_t)i, w->filter, &v);
		if (value_is_null(&v) || v.i == 0)
			return 0;
	}
	column_of(n, r, (uint64_t)i, w->args[0], &v);
	return aggregate_add(&w->aggregate, state, &v, weight, f->heap, &f->error);
}

/* The bytes of a result are the state's, which goes on. */
static int value_keep(struct flow *f, struct value *v)
{
	char *copy;

	if (value_is_null(v) || !type_is_bytes((enum type_id)v->type) || v->s.len == 0)
		return 0;
	copy = arena_alloc(&f->rows, v->s.len);
	if (copy == NULL)
		return error_set(&f->error, ERR_OUT_OF_MEMORY, 0, NULL);
	v->s.p = memcpy(copy, v->s.p, v->s.len);
	return 0;
}

/* Take from an aggregate's state what EXCLUDE leaves out of row i's frame, or give it back. */
static int aggregate_excluded(struct flow *f, const struct node_plan *n,
	const struct window_function *w, const struct rows *r, uint64_t i, struct frame frame,
	void *state, int64_t weight)
{
	struct frame pieces[FRAME_PIECES];
	int64_t from = frame.from > (int64_t)r->first[i] ? frame.from : (int64_t)r->first[i];
	int64_t to = frame.to <= (int64_t)r->last[i] ? frame.to : (int64_t)r->last[i] + 1;
	int status = 0;

	if (w->frame.exclude == EXCLUDE_NOTHING)
		return 0;
	frame_pieces(&w->frame, r, i, frame, pieces);
	/* Only peers are left out. */
	for (int64_t at = from; status == 0 && at < to; at++) {
		bool kept = false;

		for (unsigned k = 0; k < FRAME_PIECES; k++)
			kept |= at >= pieces[k].from && at < pieces[k].to;
		if (!kept)
			status = aggregate_row(f, n, w, r, at, state, weight);
	}
	return status;
}

/* The result of row i, with the state over its frame. */
static int aggregate_one(struct flow *f, const struct node_plan *n, const struct window_function *w,
	const struct rows *r, uint64_t i, struct frame frame, void *state, struct value *out)
{
	if (aggregate_excluded(f, n, w, r, i, frame, state, -1) != 0 ||
		aggregate_result(&w->aggregate, state, out, &f->rows, &f->error) != 0 ||
		value_keep(f, out) != 0)
		return -1;
	return aggregate_excluded(f, n, w, r, i, frame, state, 1);
}

static int aggregated(struct flow *f, const struct node_plan *n, const struct window_function *w,
	const struct rows *r, struct value *out)
{
	uint64_t *state = arena_zalloc(&f->rows, aggregate_bytes(&w->aggregate));
	const struct frame *list = frames(f, n, w, r);
	int64_t low = 0, high = 0;
	int status = 0;

	if (list == NULL)
		return -1;
	if (state == NULL)
		return error_set(&f->error, ERR_OUT_OF_MEMORY, 0, NULL);
	for (uint64_t i = 0; i < r->n && status == 0; i++) {
		int64_t from = list[i].from, to = list[i].to;

		/* Both ends only move on; a frame of no row leaves them where they are. */
		for (; status == 0 && high < to; high++)
			status = aggregate_row(f, n, w, r, high, state, 1);
		for (; status == 0 && low < from && low < high; low++)
			status = aggregate_row(f, n, w, r, low, state, -1);
		if (status != 0)
			break;
		if (low < from)
			low = high = from < (int64_t)r->n ? from : (int64_t)r->n;
		status = aggregate_one(f, n, w, r, i, list[i], state, &out[i]);
	}
	aggregate_free(&w->aggregate, state, f->heap);
	return status;
}

static int function_run(struct flow *f, const struct node_plan *n, const struct window_function *w,
	const struct rows *r, struct value *out)
{
	switch (w->kind) {
	case WINDOW_ROW_NUMBER:
	case WINDOW_RANK:
	case WINDOW_DENSE_RANK:
	case WINDOW_PERCENT_RANK:
	case WINDOW_CUME_DIST: return ranks(w, r, out);
	case WINDOW_NTILE: return ntile(f, n, w, r, out);
	case WINDOW_LAG:
	case WINDOW_LEAD: return shifted(n, w, r, out);
	case WINDOW_FIRST_VALUE:
	case WINDOW_LAST_VALUE:
	case WINDOW_NTH_VALUE: return of_frame(f, n, w, r, out);
	case WINDOW_AGGREGATE: return aggregated(f, n, w, r, out);
	}
	UNREACHABLE();
}

/* Row i with its results, in heap memory. NULL: out of memory. */
static void *output_row(struct flow *f, const struct node_plan *n, const struct rows *r, uint64_t i,
	struct value *const *results, struct value *values)
{
	const struct window_plan *w = &n->window;
	void *row;

	for (unsigned c = 0; c < w->input->ncols; c++)
		row_get(w->input, r->at[i]->row, c, &values[c]);
	for (unsigned k = 0; k < w->window->nfunctions; k++)
		values[w->input->ncols + k] = results[k][i];
	row = heap_alloc(f->heap, row_encoded_size(w->out, values));
	if (row != NULL)
		row_encode(w->out, values, row);
	return row;
}

static bool same_row(const void *a, const void *b)
{
	return row_size(a) == row_size(b) && memcmp(a, b, row_size(a)) == 0;
}

/* What a node gives from now on; fresh is taken over. */
static void outputs_replace(struct flow *f, struct view_state *v, const struct node_plan *n,
	struct rowtree_node *row, void **fresh, uint64_t nfresh)
{
	for (uint64_t i = 0; i < row->noutputs || i < nfresh; i++) {
		const void *old = i < row->noutputs ? row->outputs[i] : NULL;
		const void *new = fresh != NULL &&i < nfresh ? fresh[i] : NULL;

		if (old != NULL && new != NULL && same_row(old, new))
			continue;
		if (old != NULL)
			hand_on(f, v, n, old, -1);
		if (new != NULL)
			hand_on(f, v, n, new, 1);
		if (v->stopped)
			break;
	}
	if (v->stopped) {
		/* The partition and its nodes are gone. */
		rows_free(f, fresh, nfresh, nfresh);
		return;
	}
	outputs_free(f, row);
	row->outputs = fresh;
	row->noutputs = nfresh;
}

/* The outputs of the node whose rows are [i, i + count). NULL: out of memory. */
static void **node_outputs(struct flow *f, const struct node_plan *n, const struct rows *r,
	uint64_t i, uint64_t count, struct value *const *results, struct value *values)
{
	void **list = heap_alloc(f->heap, count * sizeof(void *));

	for (uint64_t k = 0; list != NULL && k < count; k++) {
		void *row = output_row(f, n, r, i + k, results, values);

		if (row == NULL) {
			rows_free(f, list, k, count);
			return NULL;
		}
		list[k] = row;
	}
	return list;
}

static void functions_emit(
	struct flow *f, struct view_state *v, const struct node_plan *n, struct partition *p)
{
	const struct window *w = n->window.window;
	struct value **results = arena_alloc(&f->rows, (w->nfunctions + 1) * sizeof(*results));
	struct value *values = arena_alloc(&f->rows, (n->window.out->ncols + 1u) * sizeof(*values));
	struct rows r;

	if (results == NULL || values == NULL || rows_collect(f, n, p, &r) != 0) {
		view_no_memory(f, v);
		return;
	}
	for (unsigned k = 0; k < w->nfunctions; k++) {
		results[k] = arena_alloc(&f->rows, (r.n + 1) * sizeof(**results));
		if (results[k] == NULL)
			(void)error_set(&f->error, ERR_OUT_OF_MEMORY, 0, NULL);
		if (results[k] == NULL ||
			function_run(f, n, &w->functions[k], &r, results[k]) != 0) {
			view_fail(f, v);
			return;
		}
	}
	for (uint64_t i = 0, count; i < r.n && !v->stopped; i += count) {
		void **fresh;

		for (count = 1; i + count < r.n && r.at[i + count] == r.at[i]; count++)
			;
		fresh = node_outputs(f, n, &r, i, count, results, values);
		if (fresh != NULL)
			outputs_replace(f, v, n, r.at[i], fresh, count);
		else
			view_no_memory(f, v);
	}
}

/* --- the end of a stage --- */

/* Rows that are there no more: what they gave goes, and they do. */
static void purge(
	struct flow *f, struct view_state *v, const struct node_plan *n, struct partition *p)
{
	while (!v->stopped && p->empty != NULL) {
		struct rowtree_node *row = p->empty;

		p->empty = row->next;
		row->listed = false;
		if (row->weight != 0)
			continue;
		outputs_replace(f, v, n, row, NULL, 0);
		if (!v->stopped)
			rowtree_remove(&p->rows, &n->window.order, row, f->heap);
	}
}

/* One that has lost its last row. */
static void partition_end(struct flow *f, struct node_state *state, struct partition *p)
{
	struct hashdir_probe probe = hashdir_probe(&state->groups, p->hash);
	const struct partition *other;

	while ((other = hashdir_next(&probe)) != NULL && other != p)
		;
	if (other == p)
		hashdir_remove(&probe);
	partition_free(f, p);
}

bool window_emit_some(struct flow *f, struct view_state *v, const struct node_plan *n, unsigned max)
{
	for (; !v->stopped && v->nodes[n->number].changed != NULL && max > 0; max--) {
		struct node_state *state = &v->nodes[n->number];
		struct partition *p = state->changed;

		state->changed = p->next_changed;
		p->changed = false;
		if (n->window.window->top)
			top_emit(f, v, n, p);
		else
			functions_emit(f, v, n, p);
		if (!v->stopped)
			purge(f, v, n, p);
		if (!v->stopped && p->rows == NULL)
			partition_end(f, state, p);
	}
	return !v->stopped && v->nodes[n->number].changed != NULL;
}
