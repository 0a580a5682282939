/*
 * part.c: see part.h. The table is the truth; an index entry is added before and ended after the row changes,
 * so that running out of memory in between leaves nothing to undo but entries of this very epoch.
 */
#include "core/flow/part.h"

#include <string.h>

#include "core/base/assert.h"
#include "core/base/limits.h"

enum { STEP_REST = 32 /* blocks freed a step (mem.h), of what was emptied or dropped */ };

/* Whether equal values may print differently: 1.0 and 1.00, 0 and -0, blanks at the end of a bpchar of no length. */
static bool has_forms(struct type t)
{
	return t.id == TYPE_FLOAT4 || t.id == TYPE_FLOAT8 ||
		((t.id == TYPE_NUMERIC || t.id == TYPE_BPCHAR) && t.a == 0);
}

/* --- accounting --- */

/* Of everybody in this shard; what an index does in between is the difference. */
static inline uint64_t held(const struct part *p)
{
	return *p->heap_used - *p->retired;
}

static void count_since(struct part *p, uint64_t before)
{
	__atomic_store_n(&p->index_bytes, p->index_bytes + held(p) - before, __ATOMIC_RELAXED);
}

uint64_t part_index_bytes(const struct part *p)
{
	return __atomic_load_n(&p->index_bytes, __ATOMIC_RELAXED);
}

uint64_t part_bytes(const struct part *p)
{
	return p->own_bytes + table_bytes(p->table) + part_index_bytes(p);
}

/* --- making and freeing --- */

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
	p->heap_used = heap_used_place(h);
	p->retired = retire_held_place(retire);
	p->relation = r;
	p->heap = h;
	p->retire = retire;
	arena_init(&p->arena, h);
	if (layout_make(p, e) != 0) {
		part_free(p);
		return -1;
	}
	rowkey_init(&p->keyed, &p->layout, p->key, p->nkey);
	{
		struct table_options o = { h, retire, &p->layout, p->key, p->nkey };

		p->table = table_new(&o);
	}
	if (p->table == NULL) {
		part_free(p);
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	}
	p->own_bytes = sizeof(*p) + arena_bytes(&p->arena);
	for (unsigned i = 0; i < r->nindexes; i++)
		if (!r->indexes[i]->primary && part_add_index(p, r->indexes[i], 0, e) != 0) {
			part_free(p);
			return -1;
		}
	*out = p;
	return 0;
}

/* True: it is gone. */
static bool part_index_free_some(struct part *p, struct part_index *x, size_t *left)
{
	if (x->index != NULL && !index_free_some(x->index, left))
		return false;
	x->index = NULL;
	if (x->tree != NULL && !btree_free_some(x->tree, left))
		return false;
	heap_free_counted(p->heap, x, sizeof(*x), left);
	return true;
}

static void part_index_free(struct part *p, struct part_index *x)
{
	size_t all = SIZE_MAX;

	(void)part_index_free_some(p, x, &all);
}

/* The dropped indexes that no reader can be in. True: none of these is left. */
static bool dropped_free_some(struct part *p, uint64_t reclaimable, size_t *left)
{
	struct part_index **link = &p->dropped, *x;
	uint64_t before = held(p);
	bool done = true;

	while (done && (x = *link) != NULL) {
		struct part_index *next = x->next_dropped;

		if (x->dropped > reclaimable) {
			link = &x->next_dropped;
			continue;
		}
		done = *left > 0 && part_index_free_some(p, x, left);
		if (done)
			*link = next;
	}
	count_since(p, before);
	return done;
}

bool part_free_rest(struct part *p, uint64_t reclaimable, size_t *left)
{
	return table_clear_some(p->table, left) && dropped_free_some(p, reclaimable, left);
}

bool part_free_some(struct part *p, size_t *left)
{
	struct heap *h = p->heap;

	while (p->indexes != NULL)
		part_drop_index(p, p->indexes->def, 0);
	if (!dropped_free_some(p, UINT64_MAX, left))
		return false;
	if (p->table != NULL && !table_free_some(p->table, left))
		return false;
	arena_free(&p->arena);
	heap_free_counted(h, p, sizeof(*p), left);
	return true;
}

void part_free(struct part *p)
{
	size_t all = SIZE_MAX;

	if (p != NULL)
		(void)part_free_some(p, &all);
}

const void *part_find(const struct part *p, uint64_t hash, const struct row_layout *kl,
	const void *krow, const uint16_t *kcols)
{
	return version_row(table_find(p->table, hash, kl, krow, kcols));
}

/* Whether the columns of an index differ between two rows of a key, whose hash this is. */
static bool index_moves(const struct part *p, const struct part_index *x, uint64_t hash,
	const void *old, const void *row)
{
	const struct index_def *d = x->def;

	if (x->building && hash >= x->place)
		return false;
	return old == NULL || row == NULL ||
		!row_equal(&p->layout, old, d->cols, &p->layout, row, d->cols, d->ncols);
}

static int entry_insert(struct part_index *x, const void *row, uint64_t epoch)
{
	if (x->tree != NULL)
		return btree_insert(x->tree, row, epoch);
	return index_reserve(x->index, 2) == 0 ? index_insert(x->index, row, epoch) : -1;
}

static void entry_remove(struct part_index *x, const void *row, uint64_t epoch)
{
	if (x->tree != NULL)
		btree_remove(x->tree, row, epoch);
	else
		index_remove(x->index, row, epoch);
}

/* Take `row` out of the indexes in which it and `other` differ, up to `end`. */
static void indexes_remove(struct part *p, const struct part_index *end, uint64_t hash,
	const void *row, const void *other, uint64_t epoch)
{
	uint64_t before = held(p);

	for (struct part_index *x = p->indexes; x != end; x = x->next)
		if (index_moves(p, x, hash, row, other))
			entry_remove(x, row, epoch);
	count_since(p, before);
}

static int indexes_insert(
	struct part *p, uint64_t hash, const void *old, const void *row, uint64_t epoch)
{
	uint64_t before = held(p);

	for (struct part_index *x = p->indexes; x != NULL; x = x->next) {
		if (!index_moves(p, x, hash, old, row))
			continue;
		if (entry_insert(x, row, epoch) == 0)
			continue;
		count_since(p, before);
		indexes_remove(p, x, hash, row, old, epoch);
		return -1;
	}
	count_since(p, before);
	return 0;
}

int part_put(struct part *p, uint64_t hash, uint64_t epoch, const void *old, const void *row)
{
	if (p->indexes != NULL && indexes_insert(p, hash, old, row, epoch) != 0)
		return -1;
	if (table_put(p->table, hash, epoch, row) != 0) {
		indexes_remove(p, NULL, hash, row, old, epoch);
		return -1;
	}
	if (p->indexes != NULL && old != NULL)
		indexes_remove(p, NULL, hash, old, row, epoch);
	return 0;
}

int part_insert(struct part *p, uint64_t hash, uint64_t epoch, const void *row)
{
	if (p->indexes != NULL && indexes_insert(p, hash, NULL, row, epoch) != 0)
		return -1;
	if (table_insert(p->table, hash, epoch, row) == 0)
		return 0;
	indexes_remove(p, NULL, hash, row, NULL, epoch);
	return -1;
}

static int indexes_reserve(struct part *p)
{
	uint64_t before = held(p);
	int status = 0;

	for (struct part_index *x = p->indexes; x != NULL && status == 0; x = x->next)
		if (x->index != NULL)
			status = index_reserve(x->index, 1);
	count_since(p, before);
	return status;
}

int part_delete(struct part *p, uint64_t hash, uint64_t epoch, const void *old)
{
	if (p->indexes != NULL && indexes_reserve(p) != 0)
		return -1;
	if (table_delete(p->table, hash, epoch, old) != 0)
		return -1;
	if (p->indexes != NULL)
		indexes_remove(p, NULL, hash, old, NULL, epoch);
	return 0;
}

/* Take a row into a new index; a unique one is checked. */
static int index_take(const struct part *p, struct part_index *x, const void *row, uint64_t epoch,
	struct error *e)
{
	const struct index_def *d = x->def;
	bool null = false;

	for (unsigned k = 0; k < d->ncols; k++)
		null |= row_is_null(row, d->cols[k]);
	if (d->unique && !null) {
		struct index_cursor c;

		index_find(x->index, &c, row_hash(&p->layout, row, d->cols, d->ncols), &p->layout,
			row, d->cols, UINT64_MAX);
		if (index_next(x->index, &c) != NULL)
			return error_set(
				e, ERR_UNIQUE, 0, "could not create unique index \"%s\"", d->name);
	}
	return entry_insert(x, row, epoch) == 0 ? 0 : error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
}

static int index_fill(const struct part *p, struct part_index *x, uint64_t epoch, struct error *e)
{
	struct table_cursor c;
	const void *row;

	table_scan_begin(&c, p->table, UINT64_MAX);
	while ((row = table_scan_next(&c)) != NULL)
		if (index_take(p, x, row, epoch, e) != 0)
			return -1;
	return 0;
}

/* Make the empty structure. 0, or -1 out of memory. */
static int index_structure(const struct part *p, struct part_index *x)
{
	const struct index_def *d = x->def;

	if (d->sort != NULL)
		x->tree = btree_new(p->heap, p->retire, &p->layout, d->cols, d->sort, d->ncols,
			p->key, p->nkey);
	else
		x->index = index_new(
			p->heap, p->retire, &p->layout, d->cols, d->ncols, p->key, p->nkey);
	return x->index == NULL && x->tree == NULL ? -1 : 0;
}

/* An empty one, not in the list yet; NULL with *e. */
static struct part_index *index_open(
	const struct part *p, const struct index_def *d, struct error *e)
{
	struct part_index *x;

	if (p->nkey > LIMIT_KEY_COLUMNS) {
		error_set(e, ERR_TOO_MANY_COLUMNS, 0,
			"an index needs a key of at most %d columns: give the view a unique index first",
			LIMIT_KEY_COLUMNS);
		return NULL;
	}
	x = heap_zalloc(p->heap, sizeof(*x));
	if (x != NULL) {
		x->def = d;
		if (index_structure(p, x) == 0)
			return x;
		heap_free(p->heap, x, sizeof(*x));
	}
	error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	return NULL;
}

static void index_list(struct part *p, struct part_index *x)
{
	struct part_index **link = &p->indexes;

	while (*link != NULL)
		link = &(*link)->next;
	/* Release: a reader that meets it finds it whole. */
	__atomic_store_n(link, x, __ATOMIC_RELEASE);
}

int part_add_index(struct part *p, const struct index_def *d, uint64_t epoch, struct error *e)
{
	uint64_t before = held(p);
	struct part_index *x = index_open(p, d, e);

	if (x == NULL)
		return -1;
	x->since = epoch;
	if (index_fill(p, x, epoch, e) != 0) {
		part_index_free(p, x);
		return -1;
	}
	index_list(p, x);
	count_since(p, before);
	return 0;
}

static struct part_index *index_of(const struct part *p, const struct index_def *d)
{
	struct part_index *x = p->indexes;

	while (x->def != d)
		x = x->next;
	return x;
}

int part_begin_index(struct part *p, const struct index_def *d, struct error *e)
{
	uint64_t before = held(p);
	struct part_index *x = index_open(p, d, e);

	if (x == NULL)
		return -1;
	x->since = UINT64_MAX;
	x->building = true;
	index_list(p, x);
	count_since(p, before);
	return 0;
}

int part_build_index(
	struct part *p, const struct index_def *d, uint64_t epoch, unsigned *n, struct error *e)
{
	struct part_index *x = index_of(p, d);
	uint64_t before = held(p);
	unsigned least = *n, some;
	int status = 0;

	for (*n = 0; status == 0 && x->building && *n < least; *n += some) {
		const void *rows[TABLE_SEGMENT_ROWS];
		uint64_t next = x->place;
		bool more = table_segment(p->table, &next, rows, &some);

		for (unsigned i = 0; status == 0 && i < some; i++)
			status = index_take(p, x, rows[i], epoch, e);
		x->place = next;
		x->building = more;
	}
	count_since(p, before);
	return status != 0 ? -1 : x->building;
}

void part_end_index(struct part *p, const struct index_def *d, uint64_t epoch)
{
	__atomic_store_n(&index_of(p, d)->since, epoch, __ATOMIC_RELEASE);
}

void part_drop_index(struct part *p, const struct index_def *d, uint64_t epoch)
{
	struct part_index **link = &p->indexes, *x;

	while ((x = *link)->def != d)
		link = &x->next;
	/* Its own `next` stays: a reader in it goes on. */
	__atomic_store_n(link, x->next, __ATOMIC_RELEASE);
	x->dropped = epoch;
	x->next_dropped = p->dropped;
	p->dropped = x;
}

const struct part_index *part_index_at(const struct part *p, uint32_t index_id, uint64_t v)
{
	const struct part_index *x = __atomic_load_n(&p->indexes, __ATOMIC_ACQUIRE);

	while (x != NULL && x->def->id != index_id)
		x = __atomic_load_n(&x->next, __ATOMIC_ACQUIRE);
	return x == NULL || __atomic_load_n(&x->since, __ATOMIC_ACQUIRE) > v ? NULL : x;
}

/* Another one takes its place, and this one is as if dropped before anybody could be in it. */
static bool index_empty(struct part *p, struct part_index **link)
{
	struct part_index *x = *link, *empty = heap_alloc(p->heap, sizeof(*empty));

	if (empty == NULL)
		return false;
	*empty = *x;
	empty->index = NULL;
	empty->tree = NULL;
	if (index_structure(p, empty) != 0) {
		heap_free(p->heap, empty, sizeof(*empty));
		return false;
	}
	__atomic_store_n(link, empty, __ATOMIC_RELEASE);
	x->dropped = 0;
	x->next_dropped = p->dropped;
	p->dropped = x;
	return true;
}

bool part_empty(struct part *p)
{
	uint64_t before;
	bool done = table_clear(p->table) == 0;

	before = held(p);
	for (struct part_index **link = &p->indexes; *link != NULL && done; link = &(*link)->next)
		done = index_empty(p, link);
	count_since(p, before);
	return done;
}

static bool rest_due(const struct part *p, uint64_t reclaimable)
{
	const struct part_index *x = p->dropped;

	while (x != NULL && x->dropped > reclaimable)
		x = x->next_dropped;
	return x != NULL || table_is_clearing(p->table);
}

bool part_step(struct part *p, uint64_t reclaimable, uint64_t epoch)
{
	bool more = table_step(p->table, reclaimable, epoch);
	uint64_t before = held(p);

	for (struct part_index *x = p->indexes; x != NULL; x = x->next)
		more |= x->tree != NULL ? btree_step(x->tree, reclaimable, epoch)
					: index_step(x->index, reclaimable, epoch);
	count_since(p, before);
	if (rest_due(p, reclaimable)) {
		size_t left = STEP_REST;

		more |= !part_free_rest(p, reclaimable, &left);
	}
	return more;
}

bool part_due(const struct part *p, uint64_t reclaimable)
{
	if (table_due(p->table, reclaimable))
		return true;
	for (const struct part_index *x = p->indexes; x != NULL; x = x->next)
		if (x->tree != NULL ? btree_due(x->tree, reclaimable)
				    : index_due(x->index, reclaimable))
			return true;
	return rest_due(p, reclaimable);
}

const void *part_view_row(const struct part *p, const void *stored, int64_t *count, struct arena *a)
{
	const struct relation *r;
	const struct row_layout *l;
	struct value *values, n;
	void *row;

	*count = 1;
	if (!p->counted)
		return stored;
	/* Another one, which may just be put there, has the same layout. */
	r = __atomic_load_n(&p->relation, __ATOMIC_ACQUIRE);
	l = &r->layout;
	values = arena_alloc(a, (l->ncols + 1u) * sizeof(*values));
	if (values == NULL)
		return NULL;
	for (unsigned i = 0; i < l->ncols; i++)
		row_get(&p->layout, stored, i, &values[i]);
	row_get(&p->layout, stored, p->layout.ncols - 1u, &n);
	*count = n.i;
	row = arena_alloc(a, row_encoded_size(l, values));
	if (row != NULL)
		row_encode(l, values, row);
	return row;
}
