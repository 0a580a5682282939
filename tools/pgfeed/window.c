/*
 * window.c: see window.h. Records are in a spool; where the last one of each row stands, in a map by the hash of its key.
 */
#include "tools/pgfeed/window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/pgfeed/keymap.h"
#include "tools/pgfeed/spool.h"

enum record_kind { RECORD_PUT, RECORD_ERASE, RECORD_TRUNCATE };

enum { CHAIN_MAX = 1000000, GROUP_ROWS = 4096 };

/* Behind it: n values, and if it was moved, n values of which the key before is there. A value is its kind, a u32 of length,
 * bytes. */
struct record {
	enum record_kind kind;
	bool moved;
	bool reused;         /* moved to a key of which there are changes before */
	struct version *v;   /* of rows */
	struct table *table; /* of TRUNCATE */
	struct keyhash hash;
	uint64_t before;  /* the last change of this row before; UINT64_MAX: there is none here */
	struct move move; /* moved */
};

struct window {
	struct spool *spool;
	struct keymap *map;
	char *bytes; /* a record being made */
	size_t cap;
	size_t rows;
	bool moved; /* some row was */
};

struct window *window_new(const char *spool_dir, size_t memory)
{
	struct window *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->spool = spool_new(spool_dir, memory);
	w->map = keymap_new();
	if (w->spool != NULL && w->map != NULL)
		return w;
	window_free(w);
	return NULL;
}

void window_free(struct window *w)
{
	if (w == NULL)
		return;
	spool_free(w->spool);
	keymap_free(w->map);
	free(w->bytes);
	free(w);
}

size_t window_rows(const struct window *w)
{
	return w->rows;
}

static int fail_spool(struct failure *f)
{
	fail(f, FAILURE_RETRY, "putting changes aside: %s", strerror(errno));
	return fail_remedy(f, "Choose a directory with more space: --spool DIR");
}

/* --- writing --- */

static struct keyhash key_hash(const struct version *v, const struct pgoutput_value *values)
{
	struct keyhash h = keyhash_begin(v->table->relation);

	for (unsigned k = 0; k < v->table->nkey; k++)
		keyhash_add(&h, values[v->key[k]].bytes, values[v->key[k]].len);
	return h;
}

static size_t values_size(const struct pgoutput_value *values, unsigned n)
{
	size_t size = 0;

	for (unsigned i = 0; values != NULL && i < n; i++)
		size += 1 + sizeof(uint32_t) + values[i].len;
	return size;
}

static char *values_write(char *p, const struct pgoutput_value *values, unsigned n)
{
	for (unsigned i = 0; values != NULL && i < n; i++) {
		*p++ = (char)values[i].kind;
		memcpy(p, &values[i].len, sizeof(uint32_t));
		p += sizeof(uint32_t);
		if (values[i].len > 0)
			memcpy(p, values[i].bytes, values[i].len);
		p += values[i].len;
	}
	return p;
}

static int record_add(struct window *w, const struct record *r, const struct pgoutput_value *values,
	const struct pgoutput_value *moved, struct failure *f)
{
	unsigned n = r->v == NULL ? 0 : r->v->n;
	size_t size = sizeof(*r) + values_size(values, n) + (r->moved ? values_size(moved, n) : 0);
	uint64_t at;
	char *p;

	if (size > w->cap) {
		p = realloc(w->bytes, 2 * size);
		if (p == NULL)
			return fail_memory(f);
		w->bytes = p;
		w->cap = 2 * size;
	}
	memcpy(w->bytes, r, sizeof(*r));
	p = values_write(w->bytes + sizeof(*r), values, n);
	if (r->moved)
		p = values_write(p, moved, n);
	return spool_add(w->spool, w->bytes, (size_t)(p - w->bytes), &at) == 0 ? 0 : fail_spool(f);
}

static int check_key(
	const struct version *v, const struct pgoutput_value *values, struct failure *f)
{
	for (unsigned k = 0; k < v->table->nkey; k++)
		if (values[v->key[k]].kind != PGOUTPUT_TEXT)
			return fail(f, FAILURE_FATAL, "table %s: a change comes without its key",
				v->table->source);
	return 0;
}

int window_erase(struct window *w, const struct version *v, const struct pgoutput_value *key,
	struct failure *f)
{
	struct record r = { .kind = RECORD_ERASE, .v = (struct version *)(uintptr_t)v };

	if (check_key(v, key, f) != 0)
		return -1;
	r.hash = key_hash(v, key);
	if (keymap_set(w->map, r.hash, spool_end(w->spool), &r.before) != 0)
		return fail_memory(f);
	w->rows++;
	return record_add(w, &r, key, NULL, f);
}

int window_put(struct window *w, const struct version *v, const struct pgoutput_value *values,
	const struct pgoutput_value *moved, struct move m, struct failure *f)
{
	bool lacks = apply_lacks(v, values, NULL);
	struct record r = { .kind = RECORD_PUT,
		.moved = moved != NULL && lacks,
		.move = m,
		.v = (struct version *)(uintptr_t)v };
	uint64_t before = UINT64_MAX;

	if (check_key(v, values, f) != 0 || (moved != NULL && check_key(v, moved, f) != 0))
		return -1;
	if (moved != NULL)
		before = keymap_get(w->map, key_hash(v, moved));
	if (moved != NULL && window_erase(w, v, moved, f) != 0)
		return -1;
	r.hash = key_hash(v, values);
	if (keymap_set(w->map, r.hash, spool_end(w->spool), &r.before) != 0)
		return fail_memory(f);
	if (r.moved)
		r.before = before;
	w->moved |= r.moved;
	w->rows++;
	return record_add(w, &r, values, moved, f);
}

int window_truncate(struct window *w, struct table *t, struct failure *f)
{
	struct record r = { .kind = RECORD_TRUNCATE, .table = t };

	t->truncated = spool_end(w->spool) + 1;
	return record_add(w, &r, NULL, NULL, f);
}

/* --- sending --- */

/* A record read: its bytes, and its values. */
struct image {
	struct image *next;
	struct record r;
	struct pgoutput_value *values, *moved;
	char *memory; /* of values that were fetched for the first one */
	char bytes[];
};

static const char *values_read(const char *p, struct pgoutput_value *values, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		values[i].kind = (enum pgoutput_kind)(unsigned char)*p++;
		memcpy(&values[i].len, p, sizeof(uint32_t));
		p += sizeof(uint32_t);
		values[i].bytes = p;
		p += values[i].len;
	}
	return p;
}

static void images_free(struct image *i)
{
	while (i != NULL) {
		struct image *next = i->next;

		free(i->memory);
		free(i->values);
		free(i);
		i = next;
	}
}

/* 1, *out; 0 there is none behind; -1. */
static int image_read(struct window *w, uint64_t *at, struct image **out, struct failure *f)
{
	const void *bytes;
	size_t n;
	int status = spool_read(w->spool, at, &bytes, &n);
	struct image *i;
	unsigned columns;

	if (status <= 0)
		return status == 0 ? 0 : fail_spool(f);
	i = malloc(sizeof(*i) + n);
	if (i == NULL)
		return fail_memory(f);
	i->next = NULL;
	i->memory = NULL;
	memcpy(&i->r, bytes, sizeof(i->r));
	memcpy(i->bytes, (const char *)bytes + sizeof(i->r), n - sizeof(i->r));
	columns = i->r.v == NULL ? 0 : i->r.v->n;
	i->values = calloc(2 * (size_t)columns + 1, sizeof(*i->values));
	if (i->values == NULL) {
		free(i);
		return fail_memory(f);
	}
	i->moved = i->values + columns;
	bytes = values_read(i->bytes, i->values, columns);
	if (i->r.moved)
		(void)values_read(bytes, i->moved, columns);
	*out = i;
	return 1;
}

/* Values that `to` lacks, from what was sent of the row before. Versions may have other columns. */
static void values_complete(struct image *to, const struct image *from)
{
	const struct version *v = to->r.v, *other = from->r.v;

	for (unsigned i = 0; i < v->n; i++) {
		if (v->column[i] < 0 || to->values[i].kind != PGOUTPUT_UNCHANGED)
			continue;
		for (unsigned k = 0; k < other->n; k++)
			if (other->column[k] == v->column[i])
				to->values[i] = from->values[k];
	}
}

/* Have the values that `i` lacks: as far as they were sent; else, if the row has moved since, those that were kept or are under
 * the key that it had first. The images they are of are behind i. What is lacking then has not been touched. -1: *f. */
static int chain_follow(struct window *w, struct image *i, struct sender *s)
{
	const struct table *t = i->r.v->table;
	struct image *last = i, *newest = NULL, *oldest = NULL;
	char *memory = NULL;
	int status = 0;

	for (unsigned n = 0; n < CHAIN_MAX && apply_lacks(i->r.v, i->values, NULL); n++) {
		uint64_t at = last->r.before;

		if (last->r.moved) {
			newest = newest == NULL ? last : newest;
			oldest = last;
			status = apply_kept(s, i->r.v, i->values, last->r.move, &last->memory);
			if (status < 0)
				return -1;
			if (status == 1)
				return 0;
		}
		if (at == UINT64_MAX || (t->truncated > 0 && at < t->truncated - 1))
			break;
		if (image_read(w, &at, &last->next, s->f) != 1)
			return -1;
		last = last->next;
		if (last->r.kind != RECORD_PUT)
			break;
		values_complete(i, last);
	}
	if (oldest == NULL || !apply_lacks(i->r.v, i->values, NULL))
		return 0;
	if (oldest->r.v != i->r.v) {
		fail(s->f, FAILURE_FATAL,
			"table %s: a row got another key while its columns changed", t->source);
		return fail_remedy(s->f, "--recopy %s", t->source);
	}
	status = apply_fetch(s, i->r.v, i->values, oldest->moved, newest->r.move, &memory);
	oldest->memory = memory;
	return status;
}

static int row_send(struct window *w, struct image *i, bool fetch, struct sender *s)
{
	if (i->r.kind == RECORD_ERASE)
		return fetch ? 0 : apply_erase(s, i->r.v, i->values);
	if (apply_lacks(i->r.v, i->values, NULL) && chain_follow(w, i, s) != 0)
		return -1;
	return fetch ? 0 : apply_put(s, i->r.v, i->values);
}

static int record_send(
	struct window *w, struct image *i, uint64_t place, bool fetch, struct sender *s)
{
	const struct table *t = i->r.kind == RECORD_TRUNCATE ? i->r.table : i->r.v->table;

	if (i->r.kind == RECORD_TRUNCATE)
		return !fetch && t->truncated == place + 1 ? sender_truncate(s, t) : 0;
	if (place + 1 < t->truncated || keymap_get(w->map, i->r.hash) != place)
		return 0;
	return row_send(w, i, fetch, s);
}

/* fetch: only have what rows that moved lack, before anything is changed. */
static int pass(struct window *w, bool fetch, struct sender *s)
{
	uint64_t at = 0, place = 0;
	struct image *i;
	int status;

	while ((status = image_read(w, &at, &i, s->f)) == 1) {
		status = record_send(w, i, place, fetch, s);
		images_free(i);
		/* Nobody should wait for all of it to become visible. */
		if (status == 0 && s->open && s->last->rows >= GROUP_ROWS)
			status = sender_end_group(s);
		if (status != 0)
			return -1;
		place = at;
	}
	return status;
}

int window_send(struct window *w, struct sender *s)
{
	if (w->moved && pass(w, true, s) != 0)
		return -1;
	return pass(w, false, s);
}
