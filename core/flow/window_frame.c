/*
 * window_frame.c: see window_frame.h.
 *
 * A RANGE with offsets compares the key of the order with its bounds, which the binder made columns of each row. Both ends
 * of a frame never go back, as in PostgreSQL: bounds may, where months are of different length.
 */
#include "core/flow/window_frame.h"

#include <string.h>

/* The first row of each group of peers, and their number behind the last one. */
static uint64_t *groups_of(const struct rows *r, struct arena *a, int64_t *n)
{
	uint64_t *starts = arena_alloc(a, (r->n + 1) * sizeof(*starts));

	*n = 0;
	if (starts == NULL)
		return NULL;
	for (uint64_t i = 0; i < r->n; i++)
		if (r->first[i] == i)
			starts[(*n)++] = i;
	starts[*n] = r->n;
	return starts;
}

static int64_t clamp(int64_t at, int64_t most)
{
	return at < 0 ? 0 : at > most ? most : at;
}

static int groups_frames(
	const struct window_frame *f, const struct rows *r, struct frame *out, struct arena *a)
{
	int64_t n, group = -1;
	const uint64_t *starts = groups_of(r, a, &n);

	if (starts == NULL)
		return -1;
	for (uint64_t i = 0; i < r->n; i++) {
		group += r->first[i] == i;
		out[i].from = f->from_first ? 0 : (int64_t)starts[clamp(group + f->from, n)];
		out[i].to = f->to_last ? (int64_t)r->n
				       : (int64_t)starts[clamp(group + f->to + 1, n)];
	}
	return 0;
}

static void rows_frames(const struct window_frame *f, const struct rows *r, struct frame *out)
{
	int64_t n = (int64_t)r->n;

	for (int64_t i = 0; i < n; i++) {
		out[i].from = f->from_first ? 0 : clamp(i + f->from, n);
		out[i].to = f->to_last ? n : clamp(i + f->to + 1, n);
	}
}

/* Whether row i lies behind a bound, or on it with `at`. NULLs lie behind all bounds, or before them. */
static bool behind(const struct window *w, const struct window_frame *f, const struct rows *r,
	uint64_t i, const struct value *bound, bool at)
{
	struct value key;
	int c;

	row_get(r->layout, r->at[i]->row, (unsigned)f->key, &key);
	if (value_is_null(&key))
		return !w->order[0].nulls_first;
	c = value_compare(&key, bound);
	if (w->order[0].descending)
		c = -c;
	return at ? c >= 0 : c > 0;
}

/* The first row that does; r->n: none. */
static int64_t first_behind(const struct window *w, const struct window_frame *f,
	const struct rows *r, const struct value *bound, bool at)
{
	uint64_t low = 0, high = r->n;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (behind(w, f, r, middle, bound, at))
			high = middle;
		else
			low = middle + 1;
	}
	return (int64_t)low;
}

/* An end of row i's frame: at its bound, or that of its peers where it has none. */
static int64_t range_end(const struct window *w, const struct window_frame *f, const struct rows *r,
	uint64_t i, bool start)
{
	int column = start ? f->from_bound : f->to_bound;
	int64_t peers = start ? (int64_t)r->first[i] : (int64_t)r->last[i] + 1;
	struct value bound;

	if (column < 0)
		return peers;
	row_get(r->layout, r->at[i]->row, (unsigned)column, &bound);
	/* Of a NULL. */
	if (value_is_null(&bound))
		return peers;
	return first_behind(w, f, r, &bound, start);
}

static void range_frames(const struct window *w, const struct window_frame *f, const struct rows *r,
	struct frame *out)
{
	struct frame last = { 0, 0 };

	for (uint64_t i = 0; i < r->n; i++) {
		int64_t from = f->from_first ? 0 : range_end(w, f, r, i, true);
		int64_t to = f->to_last ? (int64_t)r->n : range_end(w, f, r, i, false);

		last.from = from > last.from ? from : last.from;
		last.to = to > last.to ? to : last.to;
		out[i] = last;
	}
}

struct frame *frames_of(
	const struct window *w, const struct window_frame *f, const struct rows *r, struct arena *a)
{
	struct frame *out = arena_alloc(a, (r->n + 1) * sizeof(*out));

	if (out == NULL)
		return NULL;
	if (f->mode == FRAME_ROWS)
		rows_frames(f, r, out);
	else if (f->mode == FRAME_RANGE)
		range_frames(w, f, r, out);
	else if (groups_frames(f, r, out, a) != 0)
		return NULL;
	return out;
}

void frame_pieces(const struct window_frame *f, const struct rows *r, uint64_t i,
	struct frame frame, struct frame *pieces)
{
	int64_t at = (int64_t)i;
	struct frame out = { at, at + 1 };

	memset(pieces, 0, FRAME_PIECES * sizeof(*pieces));
	pieces[0] = frame;
	if (f->exclude == EXCLUDE_NOTHING)
		return;
	if (f->exclude != EXCLUDE_ROW)
		out = (struct frame){ (int64_t)r->first[i], (int64_t)r->last[i] + 1 };
	if (pieces[0].to > out.from)
		pieces[0].to = out.from;
	if (f->exclude == EXCLUDE_TIES && at >= frame.from && at < frame.to)
		pieces[1] = (struct frame){ at, at + 1 };
	pieces[2] = frame;
	if (pieces[2].from < out.to)
		pieces[2].from = out.to;
}
