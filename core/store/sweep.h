/*
 * sweep.h: all rows of a table in the order in which they lie in memory, which is nearly that in which they were made.
 *
 * For the writer, to feed what is computed from a whole table: rows made together (an order and its items) come
 * together, so what is looked up for one of them is in the cache for the next. A scan (table.h) needs no memory, and
 * gives them in the order of their keys' hashes.
 */
#ifndef LF_STORE_SWEEP_H
#define LF_STORE_SWEEP_H

#include "core/store/table.h"

struct table_sweep {
	struct heap *heap;
	const struct version **heads; /* NULL: no memory, the scan is used */
	size_t n, at;
	uint64_t v;
	struct table_cursor scan;
};

/* Rows as of v; nothing may change until table_sweep_end(). Takes 8 bytes a row of the table's heap; where there is no
 * room it is a scan. */
void table_sweep_begin(struct table_sweep *s, const struct table *t, uint64_t v);
const void *table_sweep_next(struct table_sweep *s);
void table_sweep_end(struct table_sweep *s);

#endif
