/*
 * table.h: the hash table of row versions: one writer (the owning projector), any number of wait-free
 * readers that hold an epoch pin.
 *
 * Keys are columns of the row itself; a lookup gives the key as columns of any row. Every key has one
 * chain of versions, newest first. Memory that readers may still look at goes through the retire list.
 */
#ifndef LF_STORE_TABLE_H
#define LF_STORE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/store/hashdir.h"
#include "core/store/row.h"
#include "core/store/version.h"
#include "core/sync/retire.h"

struct table;

struct table_options {
	struct heap *heap;
	struct retire *retire;           /* on the same heap */
	const struct row_layout *layout; /* of the rows; outlives the table */
	const uint16_t *key;             /* key columns; outlives the table */
	unsigned nkey;
};

/* NULL when out of memory. */
struct table *table_new(const struct table_options *o);
/* Frees all versions too: no reader may be left. */
void table_free(struct table *t);
/* The same in slices, as hashdir_free_some(); true: it is gone. */
bool table_free_some(struct table *t, size_t *left);

/* --- the writer --- */

/* Newest version of a key, perhaps dead; NULL: none. The key: columns kcols of row krow of layout kl. */
struct version *table_find(const struct table *t, uint64_t hash, const struct row_layout *kl,
	const void *krow, const uint16_t *kcols);
/* … of the key of a row of this table's layout. */
struct version *table_find_row(const struct table *t, uint64_t hash, const void *row);
/* Fetch ahead: what a lookup touches first, and later what it touches then. */
void table_prefetch(const struct table *t, uint64_t hash);
void table_prefetch_version(const struct table *t, uint64_t hash);
/* Make `row` (complete, packed) the newest of its key, as of `epoch`. 0, or -1 with nothing changed when
 * out of memory. Infallible when the newest version is of the same epoch and at least as large, which
 * holds for every row that was there before a change of this epoch: so undo cannot fail. */
int table_put(struct table *t, uint64_t hash, uint64_t epoch, const void *row);
/* The same for a key that has no version, not even a dead one: table_find() has just said so. */
int table_insert(struct table *t, uint64_t hash, uint64_t epoch, const void *row);
/* Make the key of `row` dead as of `epoch`; nothing when it is not there. As table_put() otherwise. */
int table_delete(struct table *t, uint64_t hash, uint64_t epoch, const void *row);
/* Bounded housekeeping, between epoch_enter() (which gave `epoch`) and epoch_leave(): take out keys
 * that have been dead long enough. True while more waits. */
bool table_step(struct table *t, uint64_t reclaimable, uint64_t epoch);
/* Whether table_step() would find a key that is dead as of `reclaimable`. */
bool table_due(const struct table *t, uint64_t reclaimable);
/* Take all keys out, when no reader can be in it; what they had is then freed in slices by table_clear_some(), true: all of it
 * is. 0, or -1 with nothing changed: out of memory, or there is something left of the last time. */
int table_clear(struct table *t);
/* The newest epoch of a deletion that it knows nothing of any more, or was told of: a key that is not there may have been
 * deleted up to then. By the writer. */
uint64_t table_forgotten(const struct table *t);
void table_forget(struct table *t, uint64_t epoch);
bool table_clear_some(struct table *t, size_t *left);
/* Whether that has something to do. */
bool table_is_clearing(const struct table *t);
/* Keys whose newest version is alive (any thread). */
uint64_t table_rows(const struct table *t);
/* What it holds, without versions that have been replaced and wait for readers (any thread). */
uint64_t table_bytes(const struct table *t);

/* --- readers, with a pin at v --- */

/* The row of a key, or NULL. */
const void *table_read(const struct table *t, uint64_t hash, const struct row_layout *kl,
	const void *krow, const uint16_t *kcols, uint64_t v);

enum { TABLE_BATCH = 16 };
/* n <= TABLE_BATCH lookups at once, possibly in several tables of one layout: directory, bucket and
 * version of all are prefetched before any is compared. out[i] as table_read(). */
void table_read_batch(const struct table *const *t, unsigned n, const uint64_t *hashes,
	const struct row_layout *kl, const void *const *krows, const uint16_t *kcols, uint64_t v,
	const void **out);

/* Every row visible at v exactly once, in no particular order, while the table grows. The writer may scan
 * its newest rows with v = UINT64_MAX, if it does not change the table meanwhile. */
struct table_cursor {
	struct hashdir_cursor places;
	uint64_t v;
};
void table_scan_begin(struct table_cursor *c, const struct table *t, uint64_t v);
const void *table_scan_next(struct table_cursor *c);

enum { TABLE_SEGMENT_ROWS = HASHDIR_BUCKETS * HASHDIR_SLOTS };
/* For the writer: its newest rows a segment at a time, in the order of their keys' hashes. rows: room for
 * TABLE_SEGMENT_ROWS. Gives those of the segment in which *place lies (0: the first), n of them, which are all whose hash
 * is at least that and less than the new *place; false: it was the last one. */
bool table_segment(const struct table *t, uint64_t *place, const void **rows, unsigned *n);

const struct row_layout *table_layout(const struct table *t);
struct heap *table_heap(const struct table *t);

/* Invariants, for tests: by the writer. */
void table_check(const struct table *t);

#endif
