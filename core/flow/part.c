/*
 * part.c: see part.h. The table is the truth; an index entry is added before and ended after the row changes,
 * so that running out of memory in between leaves nothing to undo but entries of this very epoch.
 */
#include "core/flow/part.h"

#include <string.h>

#include "core/base/assert.h"
#include "core/base/limits.h"

/* Whether equal values may print differently: 1.0 and 1.00, 0 and -0. */
static bool has_forms(struct type t)
{
	return t.id == TYPE_FLOAT4 || t.id == TYPE_FLOAT8 || (t.id == TYPE_NUMERIC && t.a == 0);
}

static int layout_make(struct part *p, struct error *e)
{
	const struct relation *r = p->relation;
	struct type *types = arena_alloc(&p->arena, (r->ncols + 2u) * sizeof(*types));
	uint16_t *key = arena_alloc(&p->arena, (r->ncols + 1u) * sizeof(*key));
	unsigned n = r->ncols;

	if (types == NULL || key == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	for (unsigned c = 0; c < r->ncols; c++)
		types[c] = r->columns[c].type;
	p->counted = r->kind == RELATION_VIEW && r->nkey == 0;
	if (p->counted) {
		for (unsigned c = 0; c < r->ncols; c++)
			p->formed |= has_forms(types[c]);
		n += p->formed;
		for (unsigned c = 0; c < n; c++)
			key[c] = (uint16_t)c;
		p->nkey = (uint16_t)n;
		for (unsigned c = r->ncols; c <= n; c++)
			types[c] = (struct type){ .id = TYPE_INT8 };
		n++;
	} else {
		memcpy(key, r->key, r->nkey * sizeof(*key));
		p->nkey = r->nkey;
	}
	p->key = key;
	return row_layout_init(&p->layout, types, n, &p->arena, e);
}

int part_new(struct part **out, const struct relation *r, struct heap *h, struct retire *retire,
	struct error *e)
{
	struct part *p = heap_zalloc(h, sizeof(*p));

	if (p == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	p->relation = r;
	p->heap = h;
	p->retire = retire;
	arena_init(&p->arena, h);
	if (layout_make(p, e) != 0) {
		part_free(p);
		return -1;
	}
	{
		struct table_options o = { h, retire, &p->layout, p->key, p->nkey };

		p->table = table_new(&o);
	}
	if (p->table == NULL) {
		part_free(p);
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	}
	for (unsigned i = 0; i < r->nindexes; i++)
		if (part_add_index(p, i, 0, e) != 0) {
			part_free(p);
			return -1;
		}
	*out = p;
	return 0;
}

void part_free(struct part *p)
{
	struct heap *h;

	if (p == NULL)
		return;
	h = p->heap;
	for (unsigned i = 0; i < p->nindexes; i++)
		index_free(p->indexes[i]);
	for (unsigned i = 0; i < p->ndropped; i++)
		index_free(p->dropped[i]);
	heap_free(h, p->dropped, p->ndropped * sizeof(struct index *));
	heap_free(h, p->indexes, p->nindexes * sizeof(struct index *));
	table_free(p->table);
	arena_free(&p->arena);
	heap_free(h, p, sizeof(*p));
}

uint64_t part_key_hash(const struct part *p, const void *row)
{
	return row_hash(&p->layout, row, p->key, p->nkey);
}

const void *part_find(const struct part *p, uint64_t hash, const struct row_layout *kl,
	const void *krow, const uint16_t *kcols)
{
	const struct version *v = table_find(p->table, hash, kl, krow, kcols);

	return v == NULL || (v->flags & VERSION_DEAD) ? NULL : v->row;
}

/* Whether the columns of an index differ between two rows. */
static bool index_moves(const struct part *p, unsigned i, const void *old, const void *row)
{
	const struct index_def *d = p->relation->indexes[i];

	return old == NULL || row == NULL ||
		!row_equal(&p->layout, old, d->cols, &p->layout, row, d->cols, d->ncols);
}

static int indexes_insert(struct part *p, const void *old, const void *row, uint64_t epoch)
{
	for (unsigned i = 0; i < p->nindexes; i++) {
		if (p->indexes[i] == NULL || !index_moves(p, i, old, row))
			continue;
		if (index_reserve(p->indexes[i], 2) == 0 &&
			index_insert(p->indexes[i], row, epoch) == 0)
			continue;
		while (i-- > 0)
			if (p->indexes[i] != NULL && index_moves(p, i, old, row))
				index_remove(p->indexes[i], row, epoch);
		return -1;
	}
	return 0;
}

static void indexes_remove(struct part *p, const void *old, const void *row, uint64_t epoch)
{
	for (unsigned i = 0; i < p->nindexes; i++)
		if (p->indexes[i] != NULL && index_moves(p, i, old, row))
			index_remove(p->indexes[i], old, epoch);
}

int part_put(struct part *p, uint64_t hash, uint64_t epoch, const void *old, const void *row)
{
	if (p->nindexes > 0 && indexes_insert(p, old, row, epoch) != 0)
		return -1;
	if (table_put(p->table, hash, epoch, row) != 0) {
		if (p->nindexes > 0)
			for (unsigned i = 0; i < p->nindexes; i++)
				if (p->indexes[i] != NULL && index_moves(p, i, old, row))
					index_remove(p->indexes[i], row, epoch);
		return -1;
	}
	if (p->nindexes > 0 && old != NULL)
		indexes_remove(p, old, row, epoch);
	return 0;
}

int part_delete(struct part *p, uint64_t hash, uint64_t epoch, const void *old)
{
	for (unsigned i = 0; i < p->nindexes; i++)
		if (p->indexes[i] != NULL && index_reserve(p->indexes[i], 1) != 0)
			return -1;
	if (table_delete(p->table, hash, epoch, old) != 0)
		return -1;
	if (p->nindexes > 0)
		indexes_remove(p, old, NULL, epoch);
	return 0;
}

/* Fill a new index from the newest rows; a unique one is checked on the way. */
static int index_fill(struct part *p, struct index *ix, const struct index_def *d, uint64_t epoch,
	struct error *e)
{
	struct table_cursor c;
	const void *row;

	table_scan_begin(&c, p->table, UINT64_MAX);
	while ((row = table_scan_next(&c)) != NULL) {
		bool null = false;

		for (unsigned k = 0; k < d->ncols; k++)
			null |= row_is_null(row, d->cols[k]);
		if (d->unique && !null) {
			struct index_cursor ic;

			index_find(ix, &ic, row_hash(&p->layout, row, d->cols, d->ncols),
				&p->layout, row, d->cols, UINT64_MAX);
			if (index_next(ix, &ic) != NULL)
				return error_set(e, ERR_UNIQUE, 0,
					"could not create unique index \"%s\"", d->name);
		}
		if (index_insert(ix, row, epoch) != 0)
			return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	}
	return 0;
}

int part_add_index(struct part *p, unsigned i, uint64_t epoch, struct error *e)
{
	const struct index_def *d = p->relation->indexes[i];
	struct index **grown, *ix = NULL;

	if (p->nkey > LIMIT_KEY_COLUMNS)
		return error_set(e, ERR_TOO_MANY_COLUMNS, 0,
			"an index needs a key of at most %d columns: give the view a unique index first",
			LIMIT_KEY_COLUMNS);
	grown = heap_alloc(p->heap, (p->nindexes + 1) * sizeof(struct index *));
	if (grown == NULL || retire_reserve(p->retire, 1) != 0) {
		heap_free(p->heap, grown, (p->nindexes + 1) * sizeof(struct index *));
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	}
	if (!d->primary) {
		ix = index_new(p->heap, p->retire, &p->layout, d->cols, d->ncols, p->key, p->nkey);
		if (ix == NULL || index_fill(p, ix, d, epoch, e) != 0) {
			if (ix == NULL)
				error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
			index_free(ix);
			heap_free(p->heap, grown, (p->nindexes + 1) * sizeof(struct index *));
			return -1;
		}
	}
	ASSERT(i <= p->nindexes);
	if (p->nindexes > 0) {
		memcpy(grown, p->indexes, i * sizeof(struct index *));
		memcpy(grown + i + 1, p->indexes + i, (p->nindexes - i) * sizeof(struct index *));
	}
	grown[i] = ix;
	/* Readers may be in the old array: it is small and goes when their pins have passed. */
	if (p->indexes != NULL)
		retire_add(p->retire, epoch, p->indexes, p->nindexes * sizeof(struct index *));
	__atomic_store_n(&p->indexes, grown, __ATOMIC_RELEASE);
	p->nindexes++;
	return 0;
}

void part_drop_index(struct part *p, unsigned i, uint64_t epoch)
{
	unsigned n = p->nindexes - 1;
	struct index **fewer = n == 0 ? NULL : heap_alloc(p->heap, n * sizeof(struct index *));
	struct index **kept = heap_realloc(p->heap, p->dropped,
		p->ndropped * sizeof(struct index *), (p->ndropped + 1) * sizeof(struct index *));

	if (kept != NULL)
		p->dropped = kept;
	if (kept == NULL || (n > 0 && fewer == NULL) || retire_reserve(p->retire, 1) != 0) {
		/* No memory to let it go: it stays, without a use. Its definition is gone, so keep the place
		 * in step by moving the others up and nulling the last. */
		heap_free(p->heap, fewer, n * sizeof(struct index *));
		memmove(p->indexes + i, p->indexes + i + 1, (n - i) * sizeof(struct index *));
		p->indexes[n] = NULL;
		return;
	}
	p->dropped[p->ndropped++] = p->indexes[i];
	if (n > 0) {
		memcpy(fewer, p->indexes, i * sizeof(struct index *));
		memcpy(fewer + i, p->indexes + i + 1, (n - i) * sizeof(struct index *));
	}
	retire_add(p->retire, epoch, p->indexes, p->nindexes * sizeof(struct index *));
	p->nindexes = n;
	__atomic_store_n(&p->indexes, fewer, __ATOMIC_RELEASE);
}

bool part_step(struct part *p, uint64_t reclaimable, uint64_t epoch)
{
	bool more = table_step(p->table, reclaimable, epoch);

	for (unsigned i = 0; i < p->nindexes; i++)
		if (p->indexes[i] != NULL)
			more |= index_step(p->indexes[i], reclaimable, epoch);
	return more;
}

bool part_due(const struct part *p, uint64_t reclaimable)
{
	if (table_due(p->table, reclaimable))
		return true;
	for (unsigned i = 0; i < p->nindexes; i++)
		if (p->indexes[i] != NULL && index_due(p->indexes[i], reclaimable))
			return true;
	return false;
}
