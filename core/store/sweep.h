/*
 * sweep.h: all rows of a table by the hash of one of their columns, roughly.
 *
 * For the writer, to feed what is computed from a whole table. Rows of several tables that belong together (an order and
 * its items) come in the same order, by the column that says so; whatever is kept by that column's hash is then gone
 * through from its beginning to its end, not at random. A scan (table.h) needs no memory, and gives them by the hashes of
 * their keys.
 */
#ifndef LF_STORE_SWEEP_H
#define LF_STORE_SWEEP_H

#include "core/store/table.h"

struct sweep_row {
	uint64_t hash;
	const void *row;
};

struct table_sweep {
	struct heap *heap;
	struct sweep_row *rows; /* NULL: no memory, the scan is used */
	size_t n, at, cap;
	struct table_cursor scan;
};

/* The newest rows, by column `col`; nothing may change until table_sweep_end(). Takes 16 bytes a row of the table's heap;
 * where there is no room it is a scan. */
void table_sweep_begin(struct table_sweep *s, const struct table *t, uint16_t col);
const void *table_sweep_next(struct table_sweep *s);
void table_sweep_end(struct table_sweep *s);

#endif
