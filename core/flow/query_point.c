/*
 * query_point.c: reading a row by its key, alone or many at once with their lookups fetched together.
 *
 * Budget of one in a batch: hashing the key, three cache misses of which two are fetched ahead, copying the
 * columns asked for.
 */
#include "core/flow/query_internal.h"

bool query_is_point(const struct statement *s)
{
	const struct compiled_query *k = s->compiled;

	return k->key_from_params && k->filter == NULL && k->order == NULL && k->limit == NULL &&
		!s->query.select->grouped && s->query.access.kind == ACCESS_KEYS;
}

/* Which of the key's columns says the shard: its number; -1: none does, or the key is another one now. */
static int point_partition(const struct statement *s, const struct parts *parts)
{
	const struct access *a = &s->query.access;

	for (unsigned i = 0; parts->key_id == a->index_id && i < a->width; i++)
		if (parts->partition == (int)a->cols[i])
			return (int)i;
	return -1;
}

struct point {
	const struct table *table;
	uint64_t hash;
};

static struct point point_of(
	const struct statement *s, const struct parts *parts, int partition, const void *params)
{
	const struct compiled_query *k = s->compiled;
	unsigned width = s->query.access.width;
	struct point p = { .hash = row_hash(&s->param_layout, params, k->key_params, width) };
	uint64_t shard = width == 1
		? p.hash
		: row_hash(&s->param_layout, params, &k->key_params[partition], 1);

	p.table = parts->part[shard_of(shard, parts->shards)]->table;
	return p;
}

static bool point_has_null(const struct statement *s, const void *params)
{
	const struct compiled_query *k = s->compiled;

	for (unsigned i = 0; i < s->query.access.width; i++)
		if (row_is_null(params, k->key_params[i]))
			return true;
	return false;
}

/* Give the result row of a stored one. */
static int point_give(const struct statement *s, const void *params, const void *row,
	struct query_env *env, query_sink sink, void *arg, struct error *e)
{
	const struct compiled_query *k = s->compiled;
	struct epoch_row system;
	const void *rows[EXPR_SOURCES] = {
		row, [EXPR_SYSTEM] = system.bytes, [EXPR_PARAMS] = params
	};
	struct program_env program = { env->scratch, e, env->now_us, 0 };
	const void *out;
	int status;

	if (s->system != NULL)
		epoch_row_set(&system, s->system, version_of(row)->epoch, env->base_epoch);
	out = projection_run(k->outputs, rows, env->scratch, &program);
	if (out == NULL) {
		if (program.error_position > 0 && e->position == 0)
			e->position = program.error_position;
		return -1;
	}
	status = sink(arg, out, row_size(out));
	arena_reset(env->scratch);
	return status;
}

bool query_run_point(const struct statement *s, const void *params, struct query_env *env,
	query_sink sink, void *arg, int *status, struct error *e)
{
	const struct compiled_query *k = s->compiled;
	const struct parts *parts = query_parts(s->relation, env, e);
	int partition = parts == NULL ? -1 : point_partition(s, parts);
	const void *row;
	struct point p;

	*status = parts == NULL ? -1 : 0;
	if (parts == NULL || point_has_null(s, params))
		return true;
	if (partition < 0)
		return false;
	p = point_of(s, parts, partition, params);
	row = table_read(p.table, p.hash, &s->param_layout, params, k->key_params, env->epoch);
	if (row != NULL)
		*status = point_give(s, params, row, env, sink, arg, e);
	return true;
}

static void point_batch(const struct statement *s, const struct parts *parts, int partition,
	unsigned first, unsigned n, const void *const *params, struct query_env *env,
	query_sink sink, query_done done, void *arg)
{
	const struct compiled_query *k = s->compiled;
	const struct table *tables[TABLE_BATCH];
	uint64_t hashes[TABLE_BATCH];
	const void *rows[TABLE_BATCH];
	struct error e;

	for (unsigned i = 0; i < n; i++) {
		struct point p = point_of(s, parts, partition, params[i]);

		tables[i] = p.table;
		hashes[i] = p.hash;
	}
	table_read_batch(
		tables, n, hashes, &s->param_layout, params, k->key_params, env->epoch, rows);
	for (unsigned i = 0; i < n; i++) {
		int status = 0;

		error_clear(&e);
		if (rows[i] != NULL && !point_has_null(s, params[i]))
			status = point_give(s, params[i], rows[i], env, sink, arg, &e);
		done(arg, first + i, status, &e);
	}
}

void query_run_batch(const struct statement *s, unsigned n, const void *const *params,
	struct query_env *env, query_sink sink, query_done done, void *arg)
{
	const struct parts *parts = NULL;
	int partition = -1;
	struct error e;

	if (query_is_point(s))
		parts = query_parts(s->relation, env, &e);
	if (parts != NULL)
		partition = point_partition(s, parts);
	if (partition >= 0) {
		for (unsigned i = 0; i < n; i += TABLE_BATCH)
			point_batch(s, parts, partition, i,
				n - i < TABLE_BATCH ? n - i : TABLE_BATCH, params + i, env, sink,
				done, arg);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		int status = query_run(s, params[i], env, sink, arg, &e);

		done(arg, i, status, &e);
	}
}
