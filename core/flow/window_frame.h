/*
 * window_frame.h: which rows of a partition a window function is over, for each of them: frames of ROWS, GROUPS and RANGE,
 * with EXCLUDE.
 */
#ifndef LF_FLOW_WINDOW_FRAME_H
#define LF_FLOW_WINDOW_FRAME_H

#include "core/base/mem.h"
#include "core/flow/rowtree.h"

/* The rows of a partition in order, each as often as it occurs. */
struct rows {
	const struct row_layout *layout;
	uint64_t n, cap;
	struct rowtree_node **at;
	uint64_t *first, *last; /* the peers of each: [first, last] */
};

/* Rows [from, to); to <= from: none. From one row of the partition to the next both ends only move on. */
struct frame {
	int64_t from, to;
};

/* The frames of all rows, in the arena. NULL: out of memory. */
struct frame *frames_of(const struct window *w, const struct window_frame *f, const struct rows *r,
	struct arena *a);

/* Of a frame the rows that EXCLUDE leaves, of row i: up to three pieces in order, some of them empty. */
enum { FRAME_PIECES = 3 };
void frame_pieces(const struct window_frame *f, const struct rows *r, uint64_t i,
	struct frame frame, struct frame *pieces);

#endif
