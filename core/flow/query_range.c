/*
 * query_range.c: see query_range.h.
 *
 * The keys become two edges of bytes (core/store/sortkey.h): behind what is fixed by equality, from the lower bound to the
 * upper one, which change places where the index descends. No bound compares NULLs as true, so where a column is bounded
 * on one side only, the other edge leaves them out.
 *
 * Merging looks at the next key of every shard for each row; there are few.
 */
#include "core/flow/query_range.h"

#include "core/base/limits.h"

static const uint16_t SEQUENCE[LIMIT_KEY_COLUMNS] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
	14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 };

/* Whether a NULL among the keys lets nothing be true. */
static bool has_null(const struct access *a, const struct value *keys)
{
	const struct value *low = keys + a->nequal, *high = low + a->low.n;

	for (unsigned i = 0; i < a->nequal; i++)
		if (value_is_null(&keys[i]))
			return true;
	return (a->low.n > 0 && value_is_null(low)) || (a->high.n > 0 && value_is_null(high));
}

/* An edge: what is equal, then a bound's values (none: so the edge of what is not NULL); `upper`: it ends the range. A row's
 * bound ends where a NULL stands in it: nothing behind decides anything. */
static int edge_make(struct btree_edge *out, const struct access *a, const struct value *keys,
	const struct bound *bound, const struct value *values, bool upper, struct arena *keep)
{
	bool inclusive = bound->inclusive || bound->n == 0;
	unsigned n = 0;
	size_t size = 1;
	char *p, *end;

	while (n < bound->n && !value_is_null(&values[n]))
		size += sortkey_size(&values[n++]);
	inclusive |= n < bound->n;
	for (unsigned i = 0; i < a->nequal; i++)
		size += sortkey_size(&keys[i]);
	p = end = arena_alloc(keep, size);
	if (p == NULL)
		return -1;
	for (unsigned i = 0; i < a->nequal; i++)
		end = sortkey_put(end, &keys[i], a->sort[i]);
	for (unsigned i = 0; i < n; i++)
		end = sortkey_put(end, &values[i], a->sort[a->nequal + i]);
	if (n == 0 && a->low.n + a->high.n > 0)
		end = sortkey_put_marker(end, false, a->sort[a->nequal]);
	*out = (struct btree_edge){ p, (uint32_t)(end - p), inclusive == upper };
	return 0;
}

static int edges_make(struct range_reader *r, const struct access *a, const struct value *keys,
	struct arena *keep)
{
	const struct value *low = keys + a->nequal, *high = low + a->low.n;
	bool bounded = a->low.n + a->high.n > 0;

	if (bounded && (a->sort[a->nequal] & SORT_DESCENDING))
		return edge_make(&r->low, a, keys, &a->high, high, false, keep) != 0
			? -1
			: edge_make(&r->high, a, keys, &a->low, low, true, keep);
	return edge_make(&r->low, a, keys, &a->low, low, false, keep) != 0
		? -1
		: edge_make(&r->high, a, keys, &a->high, high, true, keep);
}

/* The shard of what is fixed by equality; -1: all. */
static int one_shard(const struct access *a, const struct parts *parts, const struct value *keys)
{
	for (unsigned i = 0; i < a->nequal; i++)
		if (parts->partition >= 0 && a->cols[i] == (uint16_t)parts->partition)
			return (int)shard_of(value_hash(&keys[i]), parts->shards);
	return -1;
}

static void stream_open(struct range_reader *r, struct range_stream *s, unsigned i)
{
	s->part = r->parts[i];
	s->tree = r->trees[i];
	btree_find(s->tree, &s->cursor, &r->low, &r->high, r->backward, r->epoch);
}

int range_open(struct range_reader *r, const struct access *a, const struct parts *parts,
	const struct btree *const *trees, const struct value *keys, uint64_t epoch,
	struct arena *keep)
{
	int shard = one_shard(a, parts, keys);
	unsigned first = shard < 0 ? 0 : (unsigned)shard;

	*r = (struct range_reader){ .epoch = epoch,
		.backward = a->backward,
		.parts = (const struct part *const *)(parts->part + first),
		.trees = trees + first };
	if (has_null(a, keys))
		return 0;
	r->n = shard < 0 ? parts->shards : 1;
	r->merged = a->ordered && r->n > 1;
	r->streams = arena_alloc(keep, (r->merged ? r->n : 1) * sizeof(*r->streams));
	if (r->streams == NULL || edges_make(r, a, keys, keep) != 0)
		return -1;
	for (unsigned i = 0; i < (r->merged ? r->n : 1); i++) {
		stream_open(r, &r->streams[i], i);
		if (r->merged)
			r->streams[i].key = btree_next(&r->streams[i].cursor);
	}
	return 0;
}

/* The stream whose key comes first; NULL: all are at their end. */
static struct range_stream *merge_first(const struct range_reader *r)
{
	struct range_stream *first = NULL;

	for (unsigned i = 0; i < r->n; i++) {
		struct range_stream *s = &r->streams[i];
		int c;

		if (s->key == NULL)
			continue;
		c = first == NULL ? -1 : btree_cursor_compare(&s->cursor, &first->cursor);
		if (first == NULL || (r->backward ? c > 0 : c < 0))
			first = s;
	}
	return first;
}

/* The next key, and the stream it is of; NULL: no more. */
static const void *key_next(struct range_reader *r, struct range_stream **from)
{
	struct range_stream *s = r->merged ? merge_first(r) : r->streams;
	const void *key;

	*from = s;
	if (s == NULL || r->n == 0)
		return NULL;
	if (r->merged) {
		key = s->key;
		s->key = btree_next(&s->cursor);
		return key;
	}
	while ((key = btree_next(&s->cursor)) == NULL && r->at + 1 < r->n)
		stream_open(r, s, ++r->at);
	return key;
}

const void *range_next(struct range_reader *r, const struct part **part)
{
	struct range_stream *s;
	const void *key;

	while ((key = key_next(r, &s)) != NULL) {
		const struct row_layout *kl = btree_key_layout(s->tree);
		const void *row = table_read(s->part->table,
			row_hash(kl, key, SEQUENCE, s->part->nkey), kl, key, SEQUENCE, r->epoch);

		*part = s->part;
		if (row != NULL)
			return row;
	}
	return NULL;
}
