/*
 * index.h: a hash index: index columns → keys of the rows that have them, for any epoch.
 *
 * One writer, readers with a pin. An entry says from which epoch on it holds and until which; a reader at v
 * sees from <= v < until. What it finds is the row's key, with which it reads the table: the row itself
 * may have many versions.
 */
#ifndef LF_STORE_INDEX_H
#define LF_STORE_INDEX_H

#include "core/store/row.h"
#include "core/sync/retire.h"

struct index;

/* cols: the index's columns; key: the table's key columns, both of `layout`. NULL: out of memory. */
struct index *index_new(struct heap *h, struct retire *retire, const struct row_layout *layout,
	const uint16_t *cols, unsigned ncols, const uint16_t *key, unsigned nkey);
void index_free(struct index *ix);
/* The same in slices, as hashdir_free_some(); true: it is gone. */
bool index_free_some(struct index *ix, size_t *left);

/* --- the writer --- */

/* Make the next n index_insert() and index_remove() find room for their notes; 0 or -1. */
int index_reserve(struct index *ix, unsigned n);
/* The row has these columns from `epoch` on. 0, or -1 with nothing changed when out of memory. */
int index_insert(struct index *ix, const void *row, uint64_t epoch);
/* … until `epoch`. Cannot fail: what was inserted in the same epoch just goes. */
void index_remove(struct index *ix, const void *row, uint64_t epoch);
/* Whether index_step() would find an entry that was removed by `reclaimable`. */
bool index_due(const struct index *ix, uint64_t reclaimable);
/* Take out entries that no reader can need, inside an epoch; true while more wait. */
bool index_step(struct index *ix, uint64_t reclaimable, uint64_t epoch);

/* --- readers with a pin (the writer: v = UINT64_MAX for the newest) --- */

struct index_cursor {
	const void *entry;
	uint64_t hash, v;
	const struct row_layout *kl;
	const void *krow;
	const uint16_t *kcols;
};
/* Layout of what index_next() returns: the table's key columns, in their order. */
const struct row_layout *index_key_layout(const struct index *ix);
/* hash: row_hash() of the index columns. */
void index_find(const struct index *ix, struct index_cursor *c, uint64_t hash,
	const struct row_layout *kl, const void *krow, const uint16_t *kcols, uint64_t v);
/* The next key as a packed row, or NULL. */
const void *index_next(const struct index *ix, struct index_cursor *c);

uint64_t index_entries(const struct index *ix);
void index_check(const struct index *ix);

#endif
