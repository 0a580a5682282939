/*
 * part.h: one shard's part of a table or view: its rows and its indexes, kept in step.
 *
 * Written by the owning projector only; read by any thread that holds an epoch pin. A view without a
 * key (relation->nkey == 0 and it groups or projects to rows that may repeat) is stored `counted`: the
 * key is the whole row and a last hidden bigint column says how often it occurs. Where equal rows may print
 * differently (1.0 and 1.00) another hidden bigint before it, part of the key, keeps them apart.
 */
#ifndef LF_FLOW_PART_H
#define LF_FLOW_PART_H

#include "core/sql/catalog.h"
#include "core/store/btree.h"
#include "core/store/index.h"
#include "core/store/rowkey.h"
#include "core/store/table.h"
#include "core/sync/retire.h"

/* The structure of one index; a reader walks the list without locks. */
struct part_index {
	struct part_index *next; /* atomic */
	const struct index_def *def;
	struct index *index; /* of a hash index, */
	struct btree *tree;  /* or of an ordered one */
	uint64_t since;      /* it knows the rows of this epoch and later ones only; atomic */
	bool building;       /* it has the rows whose keys' hashes are less than place, … */
	uint64_t place;
	struct part_index *next_dropped;
	uint64_t dropped; /* epoch */
};

struct feed_log;
struct part {
	const struct relation *relation; /* atomic: ALTER puts another one there */
	const struct parts *all;         /* with those of the other shards; NULL: none are known */
	struct heap *heap;
	struct retire *retire;
	bool counted, formed;     /* formed: the key has the hash of the row's bytes */
	struct row_layout layout; /* of the stored rows: the relation's, plus what is hidden */
	uint16_t nkey;            /* of the stored rows */
	const uint16_t *key;
	struct rowkey keyed; /* the same, prepared */
	struct table *table;
	struct part_index *indexes; /* in order of creation; the primary key needs none */
	struct part_index *dropped; /* readers may still be in them */
	struct arena arena;         /* layout and key arrays */

	/* Bytes, see part_bytes(). By the owner, read by anyone. */
	const uint64_t
		*heap_used; /* what the indexes do is the difference that it makes to these */
	const size_t *retired;
	uint64_t own_bytes;
	uint64_t index_bytes;
	uint64_t operators; /* of a view: what computes it holds so much in this shard (flow.h) … */
	uint64_t shared;    /* … of this in operators that other views use too */

	/* Of one that was taken away: freed when no reader's pin is below the epoch. */
	struct part *next_condemned;
	uint64_t condemned;
	/* Of a view that has failed: part_empty() is due when no reader's pin is below this epoch; PART_EMPTY_LATER: the epoch is
	 * not known yet; PART_EMPTIED: that is done. 0: it has not failed. */
	uint64_t empty_at;

	struct feed_log *feed; /* where its changes are kept for subscribers; NULL: it has none */
};
#define PART_EMPTIED (UINT64_MAX - 1)
#define PART_EMPTY_LATER UINT64_MAX

int part_new(struct part **out, const struct relation *r, struct heap *h, struct retire *retire,
	struct error *e);
void part_free(struct part *p);
/* The same in slices, as hashdir_free_some(); true: it is gone. */
bool part_free_some(struct part *p, size_t *left);

/* Bytes that it holds with its indexes, without what has been replaced and waits for readers. By any thread that knows that
 * it stays. */
uint64_t part_bytes(const struct part *p);
uint64_t part_index_bytes(const struct part *p);

/* Hash of the key columns of a stored row: what table_find() and table_read() take. Also for a lookup
 * key given as columns of another row. */
static inline uint64_t part_key_hash(const struct part *p, const void *row)
{
	return rowkey_hash(&p->keyed, row);
}

/* Write `row` (stored layout) at epoch, replacing `old` (the newest row of that key as it is now, NULL
 * when there is none or it is dead; a copy, not the row in the table); indexes follow. hash:
 * part_key_hash(row). 0, or -1 with nothing changed when out of memory; undoing a change of the same
 * epoch cannot fail. */
int part_put(struct part *p, uint64_t hash, uint64_t epoch, const void *old, const void *row);
/* The same for a key that has no version at all, as table_insert(). */
int part_insert(struct part *p, uint64_t hash, uint64_t epoch, const void *row);
int part_delete(struct part *p, uint64_t hash, uint64_t epoch, const void *old);
/* Newest row of the key given as columns of any row, dead ones as NULL (for the owner). */
const void *part_find(const struct part *p, uint64_t hash, const struct row_layout *kl,
	const void *krow, const uint16_t *kcols);

/* A stored row of a view as the relation has it, and how often it occurs: itself, or made in the arena. NULL: out of
 * memory. */
const void *part_view_row(
	const struct part *p, const void *stored, int64_t *count, struct arena *a);

/* Create (filled from the newest rows, all of them visible from `epoch`) or drop the structure of an
 * index of the relation; at DDL moments. 23505 when a unique one finds duplicates. */
int part_add_index(struct part *p, const struct index_def *d, uint64_t epoch, struct error *e);
void part_drop_index(struct part *p, const struct index_def *d, uint64_t epoch);
/* The same while commands go on: begin, then slices inside epochs until one returns 0, then the end at a DDL moment, from
 * which on readers find it. In between it is kept up with the rows that it has, and a unique one is checked against those.
 * A slice is segments of at least n rows, which becomes their number; 1: there is more; -1 with *e: 23505, 53200. */
int part_begin_index(struct part *p, const struct index_def *d, struct error *e);
int part_build_index(
	struct part *p, const struct index_def *d, uint64_t epoch, unsigned *n, struct error *e);
void part_end_index(struct part *p, const struct index_def *d, uint64_t epoch);
/* The structure of an index for a reader at epoch v; NULL: there is none that knows that epoch. */
const struct part_index *part_index_at(const struct part *p, uint32_t index_id, uint64_t v);

/* Take out all rows and what its indexes have, when no reader can be in it; part_step() frees them, or part_free_rest(). False:
 * there was no memory for the empty ones; some of it may be out, try again later. */
bool part_empty(struct part *p);
/* Free what was emptied, and dropped indexes that no reader can be in, in slices as hashdir_free_some(); true: nothing of it is
 * left. */
bool part_free_rest(struct part *p, uint64_t reclaimable, size_t *left);

/* Bounded housekeeping, between epoch_enter(), which gave `epoch`, and epoch_leave(). True while more may
 * wait. */
bool part_step(struct part *p, uint64_t reclaimable, uint64_t epoch);
/* Whether part_step() would find something to do. */
bool part_due(const struct part *p, uint64_t reclaimable);

/* What several threads may fail: the first one says why. */
struct failure {
	bool failing; /* set by the first; guards the reason */
	bool failed;  /* atomic; the reason is written before it */
	struct error reason;
};

static inline bool failure_seen(const struct failure *f)
{
	return __atomic_load_n(&f->failed, __ATOMIC_ACQUIRE);
}

/* False: it had failed before. */
static inline bool failure_set(struct failure *f, const struct error *why)
{
	bool expected = false;

	if (!__atomic_compare_exchange_n(
		    &f->failing, &expected, true, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	f->reason = *why;
	__atomic_store_n(&f->failed, true, __ATOMIC_RELEASE);
	return true;
}

/* What relation->user points at (atomic) once the engine knows it: the parts by shard. When a view gets
 * another key its parts are made anew, and readers with a pin before `since` go on in the older ones, which
 * are kept until there is no such pin. Fixed after that, but for the failure. */
struct feed;
struct parts {
	unsigned shards;
	int16_t partition; /* as relation->partition */
	uint32_t key_id;   /* of the index that is the key; 0: none */
	uint64_t since;    /* epoch; 0: for ever, of a table */
	struct parts *older;
	struct failure failure; /* of a view, see flow.h */
	/* Taken away by a schema change in the epoch `gone`; freed when no reader can be in it any more. */
	struct parts *next_gone;
	uint64_t gone;
	struct relation *relation; /* dropped with it, a reference to let go; or NULL */
	struct feed *feed;         /* of its subscribers; under the catalog's lock; NULL: none */
	struct part *part[];       /* one a shard */
};

/* As table_rows(). */
static inline uint64_t parts_rows(const struct parts *p)
{
	uint64_t n = 0;

	for (unsigned s = 0; s < p->shards; s++)
		n += table_rows(p->part[s]->table);
	return n;
}

/* Bytes that they hold, with the operators of a view. As part_bytes(). */
static inline uint64_t parts_bytes(const struct parts *p)
{
	uint64_t n = 0;

	for (unsigned s = 0; s < p->shards; s++)
		n += part_bytes(p->part[s]) +
			__atomic_load_n(&p->part[s]->operators, __ATOMIC_RELAXED);
	return n;
}

/* … of these in operators that other views use too. */
static inline uint64_t parts_shared(const struct parts *p)
{
	uint64_t n = 0;

	for (unsigned s = 0; s < p->shards; s++)
		n += __atomic_load_n(&p->part[s]->shared, __ATOMIC_RELAXED);
	return n;
}

/* The parts as of epoch v; NULL when the view was made later. */
static inline struct parts *parts_at(const struct relation *r, uint64_t v)
{
	struct parts *p = __atomic_load_n((struct parts *const *)&r->user, __ATOMIC_ACQUIRE);

	while (p != NULL && p->since > v)
		p = p->older;
	return p;
}

#endif
