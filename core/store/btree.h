/*
 * btree.h: an ordered index: keys of rows in the order of index columns, for any epoch.
 *
 * As a hash index (index.h) it has one writer and readers with a pin; an entry says from which epoch on it holds and
 * until which, and what a reader finds is the row's key, with which it reads the table. Entries lie in the order of
 * their sort keys (sortkey.h): the index columns, each ascending or descending with NULLs first or last, then the
 * table's key columns.
 */
#ifndef LF_STORE_BTREE_H
#define LF_STORE_BTREE_H

#include "core/store/row.h"
#include "core/store/sortkey.h"
#include "core/sync/retire.h"

struct btree;

/* cols: the index's columns; flags: enum sort_flag of each, NULL: none; key: the table's key columns; all of `layout`,
 * and copied. At most LIMIT_KEY_COLUMNS each. NULL: out of memory. */
struct btree *btree_new(struct heap *h, struct retire *retire, const struct row_layout *layout,
	const uint16_t *cols, const uint8_t *flags, unsigned ncols, const uint16_t *key,
	unsigned nkey);
void btree_free(struct btree *t);
/* The same in slices, as hashdir_free_some(); true: it is gone. */
bool btree_free_some(struct btree *t, size_t *left);

/* --- the writer, inside an epoch --- */

/* The row has these columns from `epoch` on. 0, or -1 with nothing changed when out of memory; it does not fail for what
 * was removed in the same epoch. */
int btree_insert(struct btree *t, const void *row, uint64_t epoch);
/* … until `epoch`. Cannot fail. What is not there is passed over. */
void btree_remove(struct btree *t, const void *row, uint64_t epoch);
/* Whether btree_step() would find an entry that was removed by `reclaimable`. */
bool btree_due(const struct btree *t, uint64_t reclaimable);
/* Take out entries that no reader can need; true while more wait. */
bool btree_step(struct btree *t, uint64_t reclaimable, uint64_t epoch);

/* --- readers with a pin (the writer: v = UINT64_MAX for the newest) --- */

/* A place between entries: before all whose sort key begins with these bytes, or behind them. Their owner keeps the bytes
 * while a cursor uses them. No bytes: the beginning or the end of everything. */
struct btree_edge {
	const char *p;
	uint32_t len;
	bool after;
};

enum { BTREE_LEVELS_MAX = 24 };

/* Private, but for where it lives. */
struct btree_cursor {
	uint64_t v;
	struct btree_edge stop;
	bool backward;
	unsigned depth;
	const void *found; /* the last entry given */
	struct {
		const void *node;
		uint64_t order; /* what the node held when it was met */
		unsigned at;    /* forward: the next one; backward: the one behind it */
	} path[BTREE_LEVELS_MAX];
};

/* Entries between two edges, from the low one on or, backward, from the high one. */
void btree_find(const struct btree *t, struct btree_cursor *c, const struct btree_edge *low,
	const struct btree_edge *high, bool backward, uint64_t v);
/* The next entry's key as a packed row of btree_key_layout(), or NULL. */
const void *btree_next(struct btree_cursor *c);
/* Sort key of what btree_next() gave last: <0, 0, >0. Both not at their end. */
int btree_cursor_compare(const struct btree_cursor *a, const struct btree_cursor *b);
/* Layout of what btree_next() returns: the table's key columns, in their order. */
const struct row_layout *btree_key_layout(const struct btree *t);

uint64_t btree_entries(const struct btree *t);
void btree_check(const struct btree *t);

#endif
