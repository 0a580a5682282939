/*
 * query.c: see query.h.
 *
 * Happy path of a lookup: the key from the parameters, its partition column's hash to the shard, one table
 * read, the result row. A scan goes through the parts of all shards. With ORDER BY or grouping the
 * results are collected in scratch memory first, at most rows_max of them.
 *
 * The schema may have changed since the statement was bound: nothing of the relation that changes is looked
 * at here (key, indexes), only the parts as of the reader's epoch. When the index or key that the
 * statement counts on is not there, or does not know that epoch, the rows are scanned instead.
 */
#include "core/flow/query_internal.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/limits.h"
#include "core/flow/aggregate.h"
#include "core/flow/query_range.h"
#include "core/sql/projection.h"

static const uint16_t SEQUENCE[LIMIT_KEY_COLUMNS] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
	14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 };

static int no_memory(struct error *e)
{
	return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
}

/* --- running --- */

struct sorted {
	const void *row; /* result row */
	const struct value *keys;
	uint64_t number; /* of arrival: keeps the sort stable */
};

struct group {
	struct group *next;
	const void *key;
	uint64_t hash;
	char *states; /* the aggregates', where the compiled query puts them */
};

enum { GROUP_CHAINS = 1024 /* a power of two; without GROUP BY there is one */ };

struct run {
	const struct statement *s;
	const struct compiled_query *k;
	const void *params;
	struct query_env *env;
	struct program_env program;
	const struct program *filter;
	const struct program *order;                   /* NULL: none, or rows come so */
	const struct index *indexes[LIMIT_PROJECTORS]; /* ACCESS_INDEX: by shard */
	const struct btree *trees[LIMIT_PROJECTORS];   /* ACCESS_RANGE: by shard */
	struct epoch_row system;
	struct arena *keep; /* what lasts until the end of the query */
	query_sink sink;
	void *arg;
	struct error *e;
	int64_t limit, offset, given; /* limit < 0: none */
	bool done;
	struct sorted *sorted;
	uint64_t nsorted, sorted_cap;
	struct group **groups;
	unsigned chains;
	uint64_t ngroups;
	uint64_t scanned;
	uint64_t found, passed, emitted_groups; /* for a profile */
	struct heap *heap;                      /* of group states */
};

static int evaluate(struct run *q, const struct program *p, const void *row, struct value *out)
{
	const void *rows[EXPR_SOURCES] = {
		row, [EXPR_SYSTEM] = q->system.bytes, [EXPR_PARAMS] = q->params
	};

	return program_run(p, rows, out, &q->program);
}

static int test(struct run *q, const struct program *p, const void *row)
{
	const void *rows[EXPR_SOURCES] = {
		row, [EXPR_SYSTEM] = q->system.bytes, [EXPR_PARAMS] = q->params
	};

	return p == NULL ? 1 : program_test(p, rows, &q->program);
}

static int give(struct run *q, const void *row)
{
	int status;

	if (q->offset > 0) {
		q->offset--;
		return 0;
	}
	if (q->limit >= 0 && q->given >= q->limit) {
		q->done = true;
		return 0;
	}
	q->given++;
	status = q->sink(q->arg, row, row_size(row));
	if (q->limit >= 0 && q->given >= q->limit)
		q->done = true;
	return status;
}

/* The result row for a source (or group) row: in arena a, or the row itself when a is scratch. NULL: error. */
static const void *result_row(struct run *q, const void *row, struct arena *a)
{
	const void *rows[EXPR_SOURCES] = {
		row, [EXPR_SYSTEM] = q->system.bytes, [EXPR_PARAMS] = q->params
	};
	const void *out = projection_run(q->k->outputs, rows, a, &q->program);
	void *copy;

	if (out != row || out == NULL || a == q->env->scratch)
		return out;
	copy = arena_alloc(a, row_size(row));
	if (copy == NULL)
		no_memory(q->e);
	else
		memcpy(copy, row, row_size(row));
	return copy;
}

static int too_many(struct run *q)
{
	return error_set(q->e, ERR_PROGRAM_LIMIT, 0,
		"the query would sort or group more than %llu rows",
		(unsigned long long)q->env->rows_max);
}

/* Values outlive the row they point into. */
static int value_keep(struct run *q, struct value *v)
{
	char *copy;

	if (value_is_null(v) || !type_is_bytes((enum type_id)v->type) || v->s.len == 0)
		return 0;
	copy = arena_strdup(q->keep, v->s.p, v->s.len);
	if (copy == NULL)
		return no_memory(q->e);
	v->s.p = copy;
	return 0;
}

static int collect(struct run *q, const void *row)
{
	unsigned n = q->s->query.select->norder;
	struct value *keys;
	const void *out;

	if (q->nsorted >= q->env->rows_max)
		return too_many(q);
	if (q->nsorted == q->sorted_cap) {
		uint64_t cap = q->sorted_cap == 0 ? 256 : 2 * q->sorted_cap;
		struct sorted *grown = realloc(q->sorted, cap * sizeof(*grown));

		if (grown == NULL)
			return no_memory(q->e);
		q->sorted = grown;
		q->sorted_cap = cap;
	}
	keys = arena_alloc(q->keep, n * sizeof(*keys));
	if (keys == NULL)
		return no_memory(q->e);
	if (evaluate(q, q->order, row, keys) != 0)
		return -1;
	for (unsigned i = 0; i < n; i++)
		if (value_keep(q, &keys[i]) != 0)
			return -1;
	out = result_row(q, row, q->keep);
	if (out == NULL)
		return -1;
	q->sorted[q->nsorted] = (struct sorted){ out, keys, q->nsorted };
	q->nsorted++;
	return 0;
}

/* A row that passed everything before ORDER BY: a source row or a group row. */
static int emit(struct run *q, const void *row)
{
	const void *out;

	if (q->order != NULL)
		return collect(q, row);
	out = result_row(q, row, q->env->scratch);
	return out == NULL ? -1 : give(q, out);
}

/* --- grouping --- */

static int group_states(struct run *q, struct group *g)
{
	g->states = arena_zalloc(q->keep, q->k->states_bytes + 1);
	return g->states == NULL ? no_memory(q->e) : 0;
}

static struct group *group_of(struct run *q, const void *row)
{
	const struct select *s = q->s->query.select;
	struct value keys[LIMIT_KEY_COLUMNS];
	struct group *g;
	uint64_t hash;
	void *key;

	if (s->ngroup > 0 && evaluate(q, q->k->group, row, keys) != 0)
		return NULL;
	hash = values_hash(keys, s->ngroup);
	key = arena_alloc(q->env->scratch, row_encoded_size(&q->k->group_keys, keys));
	if (key == NULL) {
		no_memory(q->e);
		return NULL;
	}
	row_encode(&q->k->group_keys, keys, key);
	for (g = q->groups[hash & (q->chains - 1)]; g != NULL; g = g->next)
		if (g->hash == hash &&
			row_equal(&q->k->group_keys, g->key, SEQUENCE, &q->k->group_keys, key,
				SEQUENCE, s->ngroup))
			return g;
	if (q->ngroups++ >= q->env->rows_max) {
		too_many(q);
		return NULL;
	}
	g = arena_zalloc(q->keep, sizeof(*g));
	if (g == NULL || group_states(q, g) != 0) {
		no_memory(q->e);
		return NULL;
	}
	{
		void *copy = arena_alloc(q->keep, row_size(key));

		if (copy == NULL) {
			no_memory(q->e);
			return NULL;
		}
		memcpy(copy, key, row_size(key));
		g->key = copy;
	}
	g->hash = hash;
	g->next = q->groups[hash & (q->chains - 1)];
	q->groups[hash & (q->chains - 1)] = g;
	return g;
}

static int group_add(struct run *q, const void *row)
{
	const struct select *s = q->s->query.select;
	struct group *g = group_of(q, row);
	struct value *v;

	if (g == NULL)
		return -1;
	v = arena_alloc(q->env->scratch, (2 * s->naggregates + 1) * sizeof(*v));
	if (v == NULL)
		return no_memory(q->e);
	if (evaluate(q, q->k->aggregates, row, v) != 0)
		return -1;
	for (unsigned i = 0; i < s->naggregates; i++) {
		const struct value *arg = &v[2 * i], *filter = &v[2 * i + 1];

		if (value_is_null(filter) || filter->i == 0)
			continue;
		if (aggregate_add(&s->aggregates[i], g->states + q->k->states[i], arg, 1, q->heap,
			    q->e) != 0)
			return -1;
	}
	return 0;
}

static int group_emit(struct run *q, const struct group *g)
{
	const struct select *s = q->s->query.select;
	struct value *v = arena_alloc(
		q->env->scratch, (s->ngroup + s->naggregates + 1) * sizeof(*v));
	void *row;
	int pass;

	if (v == NULL)
		return no_memory(q->e);
	for (unsigned i = 0; i < s->ngroup; i++)
		row_get(&q->k->group_keys, g->key, i, &v[i]);
	for (unsigned i = 0; i < s->naggregates; i++)
		if (aggregate_result(&s->aggregates[i], g->states + q->k->states[i],
			    &v[s->ngroup + i], q->env->scratch, q->e) != 0)
			return -1;
	row = arena_alloc(q->keep, row_encoded_size(&q->k->group_row, v));
	if (row == NULL)
		return no_memory(q->e);
	row_encode(&q->k->group_row, v, row);
	pass = test(q, q->k->having, row);
	q->emitted_groups += pass > 0;
	return pass <= 0 ? pass : emit(q, row);
}

static int groups_emit(struct run *q)
{
	const struct select *s = q->s->query.select;

	if (s->ngroup == 0 && q->ngroups == 0) {
		struct group *g = arena_zalloc(q->keep, sizeof(*g));

		return g == NULL || group_states(q, g) != 0 ? no_memory(q->e) : group_emit(q, g);
	}
	for (unsigned c = 0; c < q->chains; c++)
		for (const struct group *g = q->groups[c]; g != NULL && !q->done; g = g->next) {
			int status = group_emit(q, g);

			arena_reset(q->env->scratch);
			if (status != 0)
				return status;
		}
	return 0;
}

static void groups_free(struct run *q)
{
	const struct select *s = q->s->query.select;

	for (unsigned c = 0; q->groups != NULL && c < q->chains; c++)
		for (struct group *g = q->groups[c]; g != NULL; g = g->next)
			for (unsigned i = 0; i < s->naggregates; i++)
				aggregate_free(
					&s->aggregates[i], g->states + q->k->states[i], q->heap);
}

/* --- sorting --- */

static int sorted_order(const void *x, const void *y, void *arg)
{
	const struct sorted *a = x, *b = y;
	const struct select *s = ((const struct run *)arg)->s->query.select;

	for (unsigned i = 0; i < s->norder; i++) {
		const struct value *u = &a->keys[i], *w = &b->keys[i];
		int c;

		if (value_is_null(u) || value_is_null(w)) {
			c = value_is_null(u) - value_is_null(w);
			if (c != 0)
				return s->order[i].nulls_first ? -c : c;
			continue;
		}
		c = value_compare(u, w);
		if (c != 0)
			return s->order[i].descending ? -c : c;
	}
	return a->number < b->number ? -1 : a->number > b->number;
}

static int sorted_give(struct run *q)
{
	if (q->nsorted > 1)
		qsort_r(q->sorted, q->nsorted, sizeof(*q->sorted), sorted_order, q);
	for (uint64_t i = 0; i < q->nsorted && !q->done; i++) {
		int status = give(q, q->sorted[i].row);

		if (status != 0)
			return status;
	}
	return 0;
}

/* --- access --- */

enum { CANCEL_EVERY = 1024 };

/* A row that occurs so often. */
static int row_times(struct run *q, const void *row, int64_t times)
{
	int pass = test(q, q->filter, row), status = 0;

	q->found += (uint64_t)times;
	if (pass <= 0)
		return pass;
	q->passed += (uint64_t)times;
	while (times-- > 0 && status == 0 && !q->done)
		status = q->s->query.select->grouped ? group_add(q, row) : emit(q, row);
	return status;
}

/* A stored row that the access found; counted views repeat it. */
static int row_found(struct run *q, const struct part *p, const void *row)
{
	int64_t times = 1;
	if (q->env->canceled != NULL && ++q->scanned % CANCEL_EVERY == 0 &&
		__atomic_load_n(q->env->canceled, __ATOMIC_RELAXED))
		return error_set(q->e, ERR_CANCELED, 0, NULL);
	if (q->s->system != NULL)
		epoch_row_set(&q->system, q->s->system, version_of(row)->epoch, q->env->base_epoch);
	if (p->counted) {
		struct value v;
		struct value *all;
		void *plain;

		row_get(&p->layout, row, p->layout.ncols - 1u, &v);
		times = v.i;
		all = arena_alloc(q->env->scratch, p->layout.ncols * sizeof(*all));
		if (all == NULL)
			return no_memory(q->e);
		for (unsigned i = 0; i + 1 < p->layout.ncols; i++)
			row_get(&p->layout, row, i, &all[i]);
		plain = arena_alloc(
			q->env->scratch, row_encoded_size(&q->s->relation->layout, all));
		if (plain == NULL)
			return no_memory(q->e);
		row_encode(&q->s->relation->layout, all, plain);
		row = plain;
	}
	return row_times(q, row, times);
}

/* A row of a select. */
static int flow_row(void *arg, const void *row, int64_t times)
{
	struct run *q = arg;
	int status = q->done ? 0 : row_times(q, row, times);

	arena_reset(q->env->scratch);
	return status;
}

/* A row of a system view. */
static int system_row(void *arg, const void *row)
{
	return flow_row(arg, row, 1);
}

static int scan(struct run *q, const struct parts *parts)
{
	for (unsigned s = 0; s < parts->shards && !q->done; s++) {
		struct table_cursor c;
		const void *row;

		table_scan_begin(&c, parts->part[s]->table, q->env->epoch);
		while (!q->done && (row = table_scan_next(&c)) != NULL) {
			int status = row_found(q, parts->part[s], row);

			arena_reset(q->env->scratch);
			if (status != 0)
				return status;
		}
	}
	return 0;
}

/* The shards where a key may be: one, when its partition column is in it. */
struct shards {
	unsigned first, end;
};

static struct shards key_shards(const struct run *q, const struct parts *parts, const void *key)
{
	const struct access *a = &q->s->query.access;

	for (unsigned i = 0; i < a->width; i++)
		if (parts->partition >= 0 && a->cols[i] == (uint16_t)parts->partition) {
			struct value v;
			unsigned s;

			row_get(&q->k->key_layout, key, i, &v);
			s = shard_of(value_hash(&v), parts->shards);
			return (struct shards){ s, s + 1 };
		}
	return (struct shards){ 0, parts->shards };
}

static int lookup(struct run *q, const struct parts *parts, const void *key)
{
	struct shards in = key_shards(q, parts, key);

	for (unsigned s = in.first; s < in.end; s++) {
		const struct part *p = parts->part[s];
		const void *row = table_read(p->table,
			row_hash(&q->k->key_layout, key, SEQUENCE, p->nkey), &q->k->key_layout, key,
			SEQUENCE, q->env->epoch);

		if (row != NULL)
			return row_found(q, p, row);
	}
	return 0;
}

static int index_lookup(struct run *q, const struct parts *parts, const void *key)
{
	const struct access *a = &q->s->query.access;
	uint64_t hash = row_hash(&q->k->key_layout, key, SEQUENCE, a->width);
	struct shards in = key_shards(q, parts, key);

	for (unsigned s = in.first; s < in.end && !q->done; s++) {
		const struct part *p = parts->part[s];
		const struct index *ix = q->indexes[s];
		const struct row_layout *kl = index_key_layout(ix);
		struct index_cursor c;
		const void *found;

		index_find(ix, &c, hash, &q->k->key_layout, key, SEQUENCE, q->env->epoch);
		while (!q->done && (found = index_next(ix, &c)) != NULL) {
			const void *row = table_read(p->table,
				row_hash(kl, found, SEQUENCE, p->nkey), kl, found, SEQUENCE,
				q->env->epoch);
			int status = row == NULL ? 0 : row_found(q, p, row);

			if (status != 0)
				return status;
		}
	}
	return 0;
}

static bool row_has_null(const struct row_layout *l, const void *row)
{
	for (unsigned i = 0; i < l->ncols; i++)
		if (row_is_null(row, i))
			return true;
	return false;
}

static int by_keys(struct run *q, const struct parts *parts)
{
	const struct access *a = &q->s->query.access;
	unsigned n = a->nkeys * a->width;
	struct value *v = arena_alloc(q->keep, (n + 1) * sizeof(*v));
	const void **keys = arena_alloc(q->keep, (a->nkeys + 1) * sizeof(*keys));

	if (v == NULL || keys == NULL)
		return no_memory(q->e);
	if (evaluate(q, q->k->keys, NULL, v) != 0)
		return -1;
	for (unsigned i = 0; i < a->nkeys && !q->done; i++) {
		void *key = arena_alloc(
			q->keep, row_encoded_size(&q->k->key_layout, v + i * a->width));
		bool again = false;
		int status;

		if (key == NULL)
			return no_memory(q->e);
		row_encode(&q->k->key_layout, v + i * a->width, key);
		keys[i] = key;
		for (unsigned k = 0; k < i && !again; k++)
			again = row_equal(&q->k->key_layout, keys[k], SEQUENCE, &q->k->key_layout,
				key, SEQUENCE, a->width);
		if (again || row_has_null(&q->k->key_layout, key))
			continue;
		status = a->kind == ACCESS_KEYS ? lookup(q, parts, key)
						: index_lookup(q, parts, key);
		if (status != 0)
			return status;
	}
	return 0;
}

static int by_range(struct run *q, const struct parts *parts)
{
	const struct access *a = &q->s->query.access;
	struct value *v = arena_alloc(q->keep, (a->width + 1) * sizeof(*v));
	const struct part *part;
	struct range_reader r;
	const void *row;

	if (v == NULL)
		return no_memory(q->e);
	if (q->k->keys != NULL && evaluate(q, q->k->keys, NULL, v) != 0)
		return -1;
	if (range_open(&r, a, parts, q->trees, v, q->env->epoch, q->keep) != 0)
		return no_memory(q->e);
	while (!q->done && (row = range_next(&r, &part)) != NULL) {
		int status = row_found(q, part, row);

		arena_reset(q->env->scratch);
		if (status != 0)
			return status;
	}
	return 0;
}

static int limits(struct run *q)
{
	struct value v[2];

	q->limit = -1;
	if (q->k->limit == NULL)
		return 0;
	if (evaluate(q, q->k->limit, NULL, v) != 0)
		return -1;
	if (!value_is_null(&v[0])) {
		if (v[0].i < 0)
			return error_set(q->e, ERR_NEGATIVE_LIMIT, 0, NULL);
		q->limit = v[0].i;
		q->done = v[0].i == 0;
	}
	if (!value_is_null(&v[1])) {
		if (v[1].i < 0)
			return error_set(q->e, ERR_NEGATIVE_OFFSET, 0, NULL);
		q->offset = v[1].i;
	}
	return 0;
}

/* Whether one that is dropped can be read: when another has its place, at the epochs before. */
static bool relation_serves(const struct relation *r, uint64_t epoch, struct error *e)
{
	if (epoch < r->replaced)
		return true;
	if (r->replaced > 0)
		error_set(
			e, ERR_SERIALIZATION, 0, "relation \"%s\" has just been altered", r->name);
	else
		error_set(e, ERR_UNDEFINED_TABLE, 0, "relation \"%s\" does not exist", r->name);
	return false;
}

int query_parts_sound(const struct relation *r, const struct parts *parts, struct error *e)
{
	if (!failure_seen(&parts->failure))
		return 0;
	error_set(e, ERR_VIEW_FAILED, 0, "view \"%s\" has failed: %s", r->name,
		parts->failure.reason.message);
	error_detail(e, "%s: %s", error_sqlstate(parts->failure.reason.code),
		parts->failure.reason.detail);
	return error_hint(e,
		parts->failure.reason.code == ERR_OUT_OF_MEMORY
			? "Give it memory (ALTER MATERIALIZED VIEW … SET (memory_limit = …), or fewer rows), then REFRESH MATERIALIZED VIEW."
			: "Correct the rows that caused it, then REFRESH MATERIALIZED VIEW.");
}

/* One shard's part as if it were all. */
static const struct parts *parts_own(const struct parts *all, struct query_own *own)
{
	struct parts *p = &own->parts;

	p->shards = 1;
	p->partition = all->partition;
	p->key_id = all->key_id;
	p->part[0] = all->part[own->shard];
	return p;
}

const struct parts *query_parts(
	const struct relation *r, const struct query_env *env, struct error *e)
{
	uint64_t epoch = env->epoch;
	const struct parts *parts = env->parts;

	if (parts != NULL)
		return parts;
	if (__atomic_load_n(&r->dropped, __ATOMIC_ACQUIRE) && !relation_serves(r, epoch, e))
		return NULL;
	parts = parts_at(r, epoch);
	if (parts == NULL) {
		error_set(e, ERR_NOT_YET, 0, "%s \"%s\" was %s after the epoch that is read",
			r->kind == RELATION_VIEW ? "view" : "table", r->name,
			r->kind == RELATION_VIEW ? "made" : "altered");
		return NULL;
	}
	if (query_parts_sound(r, parts, e) != 0)
		return NULL;
	return env->own != NULL ? parts_own(parts, env->own) : parts;
}

/* Find the key or index that the statement was bound to, as of the reader's epoch. It may be dropped at any
 * moment, so it is looked for once; the pin keeps what was found. False: it is not there. */
static bool access_find(struct run *q, const struct parts *parts)
{
	const struct access *a = &q->s->query.access;

	if (a->kind == ACCESS_SCAN)
		return false;
	if (a->kind == ACCESS_KEYS)
		return parts->key_id == a->index_id;
	for (unsigned s = 0; s < parts->shards; s++) {
		const struct part_index *x = part_index_at(
			parts->part[s], a->index_id, q->env->epoch);

		if (x == NULL)
			return false;
		q->indexes[s] = x->index;
		q->trees[s] = x->tree;
	}
	if (a->ordered)
		q->order = NULL;
	return true;
}

static int run_rows(struct run *q)
{
	const struct parts *parts;
	int status = limits(q);

	if (status != 0 || q->done)
		return status;
	if (q->s->relation == NULL) {
		status = test(q, q->filter, NULL);
		q->found = 1;
		q->passed = status > 0;
		if (status <= 0 && !q->s->query.select->grouped)
			return status;
		if (q->s->query.select->grouped)
			status = status < 0 ? -1 : status == 0 ? 0 : group_add(q, NULL);
		else
			status = emit(q, NULL);
	} else if (q->s->relation->kind == RELATION_DERIVED) {
		status = query_run_flow(q->s, q->params, q->env, flow_row, q, q->e);
	} else if (q->s->relation->kind == RELATION_SYSTEM) {
		const struct system_source *source = q->s->relation->user;

		status = source->rows(source->arg, q->s->relation, system_row, q, q->e);
	} else {
		parts = query_parts(q->s->relation, q->env, q->e);
		if (parts == NULL)
			return -1;
		if (access_find(q, parts)) {
			status = q->s->query.access.kind == ACCESS_RANGE ? by_range(q, parts)
									 : by_keys(q, parts);
		} else {
			q->filter = q->k->scan_filter;
			status = scan(q, parts);
		}
	}
	if (status == 0 && q->s->query.select->grouped)
		status = groups_emit(q);
	if (status == 0 && q->order != NULL)
		status = sorted_give(q);
	return status;
}

/* EXPLAIN: what was found out when it was bound. */
static int lines_give(const struct statement *s, struct query_env *env, query_sink sink, void *arg,
	struct error *e)
{
	int status = 0;

	for (unsigned i = 0; i < s->query.nlines && status == 0; i++)
		status = query_line(s, env, s->query.lines[i], sink, arg, e);
	return status;
}

static void profile_note(const struct run *q)
{
	struct query_profile *p = q->env->profile;

	p->found = q->found;
	p->passed = q->passed;
	p->groups = q->emitted_groups;
	p->sorted = q->nsorted;
}

int query_run(const struct statement *s, const void *params, struct query_env *env, query_sink sink,
	void *arg, struct error *e)
{
	const struct compiled_query *k = s->compiled;
	struct arena keep = { .heap = NULL };
	struct query_own *own = env->own;
	struct run q = { .s = s,
		.k = k,
		.params = params,
		.env = env,
		.sink = sink,
		.arg = arg,
		.e = e,
		.filter = k->filter,
		.order = k->order,
		.keep = own != NULL ? own->keep : &keep,
		.program = { env->scratch, e, env->now_us, 0 },
		.limit = -1 };
	int status;

	error_clear(e);
	if (s->query.analyzed != NULL)
		return query_analyze(s, params, env, sink, arg, e);
	if (s->query.nlines > 0)
		return lines_give(s, env, sink, arg, e);
	if (env->profile == NULL && query_is_point(s) &&
		query_run_point(s, params, env, sink, arg, &status, e))
		return status;
	arena_reset(env->scratch);
	arena_init(&keep, NULL);
	if (s->query.select->grouped) {
		q.chains = s->query.select->ngroup == 0 ? 1 : GROUP_CHAINS;
		q.heap = own != NULL ? own->heap : heap_new_common(NULL);
		q.groups = arena_zalloc(q.keep, q.chains * sizeof(struct group *));
	}
	if (s->query.select->grouped && (q.heap == NULL || q.groups == NULL))
		status = no_memory(e);
	else
		status = run_rows(&q);
	if (status < 0 && q.program.error_position > 0 && e->position == 0)
		e->position = q.program.error_position;
	if (q.heap != NULL) {
		groups_free(&q);
		if (own == NULL)
			heap_free_all(q.heap);
	}
	if (env->profile != NULL)
		profile_note(&q);
	free(q.sorted);
	arena_free(&keep);
	if (own != NULL)
		arena_reset(own->keep);
	return status;
}
