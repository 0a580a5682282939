/*
 * command.c: see command.h.
 *
 * Happy path of an INSERT: evaluate the row's expressions, check NOT NULL, encode the row into the change
 * log's memory, check CHECK, look for the key and for the unique ones, write, note the change. UPDATE by key
 * looks the row up, copies it, tests the guard, evaluates SET on the copy, writes. References are checked at
 * the end of each statement, over what the log says has changed. Any error takes back, in reverse,
 * what the log says of this command.
 *
 * Budget (a row in memory, not in cache): key lookup 2 misses, writing 1; no allocation but the row's own
 * version and the arenas'.
 */
#include "core/flow/command.h"

#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/flow/query.h"
#include "core/sql/cast.h"
#include "core/sql/numeric.h"
#include "core/sql/projection.h"

enum {
	HEAD_ROOM = KIB(256), /* what a growing command must leave, at least … */
	HEAD_ROOM_PART = 8,   /* … and this part of the limit; see head_room() */
	ROWID_SHARD_BITS = 48
};

/* A column of a key that is to be inserted: a parameter, or a constant with this hash. */
struct key_part {
	bool constant;
	uint16_t parameter;
	uint64_t hash;
	struct rowkey key; /* the parameter */
};

/* A column that is given by a parameter, but must fit a type with a modifier. */
struct fit {
	uint16_t column;
	struct type type;
};

/* A row that is parameters and constants as they are, if its columns fit; `row` NULL: it is more than that. */
struct direct {
	struct projection *row;
	unsigned nfits;
	struct fit *fits;
};

struct compiled {
	struct program **rows;       /* INSERT: a row's values */
	struct direct *direct;       /* INSERT: a row without computing it */
	struct program **partitions; /* INSERT: a row's partition value; others: [0] */
	struct key_part *
		*keys; /* INSERT: of a row, to fetch it ahead; NULL: not known without computing */
	uint8_t *not_null;       /* bits that the NULL bits of a row may not have, … */
	uint32_t not_null_first; /* … and those of its first 32 columns */
	const struct statement
		*first;          /* BLOCK: that goes anywhere in particular; NULL: none does */
	bool one_route;          /* … and all of it by the same parameter */
	struct program **checks; /* one a CHECK, in their order */
	struct program *set, *where, *key, *returning;
	struct row_layout key_layout; /* of the key columns, when they are evaluated */
	bool key_from_params;         /* every key column is a parameter: key_params */
	uint16_t key_params[LIMIT_KEY_COLUMNS];
};

static const uint16_t SEQUENCE[LIMIT_KEY_COLUMNS] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
	14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 };

/* --- change log --- */

void change_log_init(struct change_log *l, struct heap *h)
{
	memset(l, 0, sizeof(*l));
	l->heap = h;
	arena_init(&l->arena, NULL);
}

void change_log_reset(struct change_log *l)
{
	l->n = 0;
	arena_reset(&l->arena);
}

void change_log_free(struct change_log *l)
{
	heap_free(l->heap, l->entries, l->cap * sizeof(*l->entries));
	arena_free(&l->arena);
}

static int log_reserve(struct change_log *l, struct error *e)
{
	unsigned cap = l->cap == 0 ? 256 : 2 * l->cap;
	struct change_entry *grown;

	if (l->n < l->cap)
		return 0;
	grown = heap_realloc(l->heap, l->entries, l->cap * sizeof(*grown), cap * sizeof(*grown));
	if (grown == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	l->entries = grown;
	l->cap = cap;
	return 0;
}

static const void *log_copy(struct change_log *l, const void *row)
{
	uint32_t size = row_size(row);
	void *copy = arena_alloc(&l->arena, size);

	if (copy != NULL)
		memcpy(copy, row, size);
	return copy;
}

void command_note_rowid(uint64_t rowid, uint64_t *last)
{
	uint64_t shard = rowid >> ROWID_SHARD_BITS,
		 n = rowid & (((uint64_t)1 << ROWID_SHARD_BITS) - 1);

	if (shard < LIMIT_PROJECTORS && n > last[shard])
		last[shard] = n;
}

/* --- compiling --- */

struct compile {
	struct statement *s;
	const struct row_layout *layouts[EXPR_SOURCES];
	struct error *e;
};

static struct program *compile(struct compile *c, const struct expr *const *trees, unsigned n)
{
	return program_compile(trees, n, c->layouts, &c->s->arena, c->e);
}

/* The key of row i, as far as it is known without computing. */
static int compile_insert_key(struct compile *c, struct compiled *k, unsigned i)
{
	const struct relation *r = c->s->relation;
	struct key_part *parts = arena_alloc(&c->s->arena, r->nkey * sizeof(*parts));

	if (parts == NULL)
		return error_set(c->e, ERR_OUT_OF_MEMORY, 0, NULL);
	for (unsigned n = 0; n < r->nkey; n++) {
		const struct value *constant = program_constant(k->rows[i], r->key[n]);
		unsigned source, column;

		if (constant != NULL)
			parts[n] = (struct key_part){ .constant = true,
				.hash = value_hash(constant) };
		else if (program_column(k->rows[i], r->key[n], &source, &column) == 0)
			parts[n] = (struct key_part){ .parameter = (uint16_t)column };
		else
			return 0;
		if (constant == NULL)
			rowkey_init(&parts[n].key, &c->s->param_layout, &parts[n].parameter, 1);
	}
	k->keys[i] = parts;
	return 0;
}

/* The parameter itself when the tree is one with a modifier applied. */
static const struct expr *without_modifier(const struct expr *e)
{
	const struct expr *arg = e->kind == EXPR_CAST ? e->args[0] : NULL;

	if (arg == NULL || arg->kind != EXPR_COLUMN || arg->type.id != e->type.id ||
		(e->type.id != TYPE_NUMERIC && e->type.id != TYPE_VARCHAR &&
			e->type.id != TYPE_BPCHAR))
		return e;
	return arg;
}

static int compile_direct(struct compile *c, struct direct *d, const struct expr *const *row)
{
	const struct row_layout *l = &c->s->relation->layout;
	struct arena *a = &c->s->arena;
	const struct expr **trees = arena_alloc(a, l->ncols * sizeof(*trees));

	d->fits = arena_alloc(a, l->ncols * sizeof(*d->fits));
	if (trees == NULL || d->fits == NULL)
		return error_set(c->e, ERR_OUT_OF_MEMORY, 0, NULL);
	for (unsigned i = 0; i < l->ncols; i++) {
		trees[i] = without_modifier(row[i]);
		if (trees[i] != row[i])
			d->fits[d->nfits++] = (struct fit){ (uint16_t)i, row[i]->type };
	}
	d->row = projection_compile(trees, c->layouts, l, a, c->e);
	if (d->row == NULL)
		return -1;
	if (!projection_copies(d->row))
		d->row = NULL;
	return 0;
}

static int compile_insert_row(struct compile *c, struct compiled *k, unsigned i)
{
	struct statement *s = c->s;
	const struct relation *r = s->relation;
	const struct expr *const *row = (const struct expr *const *)s->insert.values +
		(size_t)i * r->ncols;

	k->rows[i] = compile(c, row, r->ncols);
	k->partitions[i] = compile(c, row + r->partition, 1);
	if (k->rows[i] == NULL || k->partitions[i] == NULL)
		return -1;
	if (r->rowid >= 0 || s->insert.query != NULL)
		return 0;
	if (compile_direct(c, &k->direct[i], row) != 0)
		return -1;
	return compile_insert_key(c, k, i);
}

static int compile_insert(struct compile *c, struct compiled *k)
{
	struct arena *a = &c->s->arena;
	unsigned n = c->s->insert.nrows;

	k->rows = arena_zalloc(a, n * sizeof(*k->rows));
	k->direct = arena_zalloc(a, n * sizeof(*k->direct));
	k->partitions = arena_zalloc(a, n * sizeof(*k->partitions));
	k->keys = arena_zalloc(a, n * sizeof(*k->keys));
	if (k->rows == NULL || k->direct == NULL || k->partitions == NULL || k->keys == NULL)
		return error_set(c->e, ERR_OUT_OF_MEMORY, 0, NULL);
	if (c->s->insert.query != NULL) {
		if (query_compile(c->s->insert.query, c->e) != 0)
			return -1;
		c->layouts[0] = &c->s->insert.query->result_layout;
	}
	for (unsigned i = 0; i < n; i++)
		if (compile_insert_row(c, k, i) != 0)
			return -1;
	c->layouts[0] = &c->s->relation->layout;
	return 0;
}

static int compile_set(
	struct compile *c, struct compiled *k, const struct assignment *set, unsigned n)
{
	const struct expr **trees;

	if (n == 0)
		return 0;
	trees = arena_alloc(&c->s->arena, n * sizeof(*trees));
	if (trees == NULL)
		return error_set(c->e, ERR_OUT_OF_MEMORY, 0, NULL);
	for (unsigned i = 0; i < n; i++)
		trees[i] = set[i].expr;
	k->set = compile(c, trees, n);
	return k->set == NULL ? -1 : 0;
}

static int compile_one(struct compile *c, struct program **out, const struct expr *tree)
{
	if (tree == NULL)
		return 0;
	*out = compile(c, &tree, 1);
	return *out == NULL ? -1 : 0;
}

static int compile_key(struct compile *c, struct compiled *k)
{
	struct statement *s = c->s;
	const struct relation *r = s->relation;
	struct type types[LIMIT_KEY_COLUMNS];

	if (s->change.key == NULL)
		return 0;
	k->key = compile(c, (const struct expr *const *)s->change.key, r->nkey);
	if (k->key == NULL)
		return -1;
	k->key_from_params = true;
	for (unsigned i = 0; i < r->nkey; i++) {
		unsigned source, column;

		types[i] = r->columns[r->key[i]].type;
		if (program_column(k->key, i, &source, &column) == 0 && source == EXPR_PARAMS)
			k->key_params[i] = (uint16_t)column;
		else
			k->key_from_params = false;
	}
	return row_layout_init(&k->key_layout, types, r->nkey, &s->arena, c->e);
}

static int compile_change_query(struct compile *c)
{
	struct statement *q = c->s->change.query;

	if (q == NULL)
		return 0;
	c->layouts[1] = &q->result_layout;
	return query_compile(q, c->e);
}

static int compile_checks(struct compile *c, struct compiled *k)
{
	const struct relation *r = c->s->relation;

	k->checks = arena_alloc(&c->s->arena, (r->nchecks + 1) * sizeof(*k->checks));
	if (k->checks == NULL)
		return error_set(c->e, ERR_OUT_OF_MEMORY, 0, NULL);
	for (unsigned i = 0; i < r->nchecks; i++)
		if (compile_one(c, &k->checks[i], r->checks[i].test) != 0)
			return -1;
	return 0;
}

static int compile_returning(struct compile *c, struct compiled *k)
{
	struct statement *s = c->s;
	const struct expr **trees;

	if (s->nresults == 0)
		return 0;
	trees = arena_alloc(&s->arena, s->nresults * sizeof(*trees));
	if (trees == NULL)
		return error_set(c->e, ERR_OUT_OF_MEMORY, 0, NULL);
	for (unsigned i = 0; i < s->nresults; i++)
		trees[i] = s->results[i].expr;
	k->returning = compile(c, trees, s->nresults);
	return k->returning == NULL ? -1 : 0;
}

static int compile_not_null(struct compile *c, struct compiled *k)
{
	const struct relation *r = c->s->relation;

	k->not_null = arena_zalloc(&c->s->arena, (r->ncols + 7u) / 8);
	if (k->not_null == NULL)
		return error_set(c->e, ERR_OUT_OF_MEMORY, 0, NULL);
	for (unsigned i = 0; i < r->ncols; i++)
		if (r->columns[i].not_null)
			k->not_null[i / 8] |= (uint8_t)(1 << (i % 8));
	for (unsigned i = 0; i < r->ncols && i < 32; i++)
		k->not_null_first |= (uint32_t)r->columns[i].not_null << i;
	return 0;
}

/* Whether it goes wherever the others of its block do. */
static bool reads_nothing(const struct statement *s)
{
	return s->kind == STATEMENT_SELECT && s->query.route == NULL;
}

/* What gives the partition value of an UPDATE, DELETE or SELECT, or of row i of an INSERT. */
static const struct program *route_program(const struct statement *s, unsigned i)
{
	return s->kind == STATEMENT_SELECT ? s->query.route
					   : ((const struct compiled *)s->compiled)->partitions[i];
}

/* The parameter by which the statement goes, all of its rows; -1: it is not as simple as that. */
static int route_parameter(const struct statement *s)
{
	unsigned n = s->kind == STATEMENT_INSERT ? s->insert.nrows : 1;
	int found = -1;

	if (s->kind == STATEMENT_TRUNCATE || s->relation->columns[s->relation->partition].hidden)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		const struct program *p = route_program(s, i);
		unsigned source, column;

		if (p == NULL || program_column(p, 0, &source, &column) != 0 ||
			source != EXPR_PARAMS || (i > 0 && (int)column != found))
			return -1;
		found = (int)column;
	}
	return found;
}

/* A SELECT of a block, and where it belongs. */
static int compile_guard(struct statement *s, struct error *e)
{
	const struct row_layout *layouts[EXPR_SOURCES] = { [EXPR_PARAMS] = &s->param_layout };
	const struct expr *tree = s->query.partition;

	if (query_compile(s, e) != 0)
		return -1;
	if (tree == NULL)
		return 0;
	s->query.route = program_compile(&tree, 1, layouts, &s->arena, e);
	return s->query.route == NULL ? -1 : 0;
}

static int compile_item(struct statement *s, struct error *e)
{
	return s->kind == STATEMENT_SELECT ? compile_guard(s, e) : command_compile(s, e);
}

/* The arguments of CALL as a row. */
static int compile_call(struct statement *s, struct error *e)
{
	const struct row_layout *layouts[EXPR_SOURCES] = { [EXPR_PARAMS] = &s->param_layout };
	struct procedure_call *call = s->block.call;

	if (call == NULL || !call->computed)
		return 0;
	call->row = projection_compile(
		(const struct expr *const *)call->args, layouts, &call->layout, &s->arena, e);
	return call->row == NULL ? -1 : 0;
}

static int compile_block(struct statement *s, struct compiled *k, struct error *e)
{
	int first = -1;

	k->one_route = true;
	for (unsigned i = 0; i < s->block.n; i++) {
		struct statement *item = s->block.items[i];
		int by;

		if (compile_item(item, e) != 0)
			return -1;
		if (reads_nothing(item))
			continue;
		by = route_parameter(item);
		if (k->first == NULL) {
			k->first = item;
			first = by;
		}
		k->one_route &= by >= 0 && by == first;
	}
	k->one_route &= k->first != NULL;
	return compile_call(s, e);
}

int command_compile(struct statement *s, struct error *e)
{
	struct compile c = { .s = s, .e = e };
	struct compiled *k;
	int status;

	if (s->kind == STATEMENT_TRUNCATE)
		return 0;
	k = arena_zalloc(&s->arena, sizeof(*k));
	if (k == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	s->compiled = k;
	if (s->kind == STATEMENT_BLOCK)
		return compile_block(s, k, e);
	c.layouts[0] = c.layouts[1] = &s->relation->layout;
	c.layouts[EXPR_PARAMS] = &s->param_layout;
	c.layouts[EXPR_SYSTEM] = s->system;
	if (s->kind == STATEMENT_INSERT) {
		status = compile_insert(&c, k);
		if (status == 0)
			status = compile_set(&c, k, s->insert.set, s->insert.nset);
		if (status == 0)
			status = compile_one(&c, &k->where, s->insert.where);
	} else {
		status = compile_change_query(&c);
		if (status == 0)
			status = compile_key(&c, k);
		k->partitions = arena_zalloc(&s->arena, sizeof(struct program *));
		if (k->partitions == NULL)
			return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		if (status == 0)
			status = compile_one(&c, &k->partitions[0], s->change.partition);
		if (status == 0)
			status = compile_set(&c, k, s->change.set, s->change.nset);
		if (status == 0)
			status = compile_one(&c, &k->where, s->change.where);
	}
	if (status == 0)
		status = compile_not_null(&c, k);
	if (status == 0)
		status = compile_checks(&c, k);
	return status == 0 ? compile_returning(&c, k) : status;
}

/* --- routing --- */

/* given: a row of the query of an INSERT from one. */
static int partition_hash(const struct statement *s, const struct program *p, const void *params,
	const void *given, struct program_env *env, uint64_t *hash, struct error *e)
{
	const void *rows[EXPR_SOURCES] = { given, [EXPR_PARAMS] = params };
	unsigned source, column;
	struct value v;

	if (program_column(p, 0, &source, &column) == 0) {
		const struct row_layout *l = source == EXPR_PARAMS
			? &s->param_layout
			: &statement_query(s)->result_layout;

		if (!row_is_null(rows[source], column)) {
			*hash = row_column_hash(l, rows[source], column);
			return 0;
		}
		row_get(l, rows[source], column, &v);
	} else if (program_run(p, rows, &v, env) != 0) {
		return -1;
	}
	if (value_is_null(&v) && s->kind == STATEMENT_INSERT) {
		const struct relation *r = s->relation;

		return error_set(e, ERR_NOT_NULL, 0,
			"null value in column \"%s\" of relation \"%s\" violates not-null constraint",
			r->columns[r->partition].name, r->name);
	}
	*hash = value_hash(&v);
	return 0;
}

static int route_one(const struct statement *s, const void *params, const void *const *sources,
	unsigned row, uint64_t spread, struct program_env *env, uint64_t *hash, struct error *e)
{
	const struct program *p;

	if (s->kind == STATEMENT_INSERT) {
		if (s->relation->columns[s->relation->partition].hidden) {
			*hash = spread;
			return 1;
		}
		return partition_hash(s, route_program(s, sources != NULL ? 0 : row), params,
			       sources != NULL ? sources[row] : NULL, env, hash, e) == 0
			? 1
			: -1;
	}
	if (sources != NULL) {
		*hash = row_column_hash(&s->change.query->result_layout, sources[row],
			(unsigned)s->relation->partition);
		return 1;
	}
	p = s->kind == STATEMENT_TRUNCATE ? NULL : route_program(s, 0);
	if (p == NULL)
		return 0;
	return partition_hash(s, p, params, NULL, env, hash, e) == 0 ? 1 : -1;
}

int command_route(const struct statement *s, const void *params, const void *const *sources,
	unsigned row, uint64_t spread, struct program_env *env, uint64_t *hash, struct error *e)
{
	const struct compiled *k = s->compiled;
	uint64_t first = 0;
	bool have = false;

	if (s->kind != STATEMENT_BLOCK)
		return route_one(s, params, sources, row, spread, env, hash, e);
	if (k->one_route)
		return route_one(k->first, params, NULL, 0, spread, env, hash, e);
	for (unsigned i = 0; i < s->block.n; i++) {
		const struct statement *item = s->block.items[i];
		unsigned n = item->kind == STATEMENT_INSERT ? item->insert.nrows : 1;

		for (unsigned at = 0; at < n && !reads_nothing(item); at++) {
			if (route_one(item, params, NULL, at, spread, env, hash, e) < 0)
				return -1;
			if (have && *hash != first)
				return error_set(e, ERR_FEATURE, 0,
					"the statements of one command must all be for one aggregate");
			first = *hash;
			have = true;
		}
	}
	if (!have)
		*hash = spread;
	return 1;
}

const void *command_arguments(
	const struct statement *s, const void *params, struct program_env *env, struct error *e)
{
	const void *rows[EXPR_SOURCES] = { [EXPR_PARAMS] = params };
	const void *row = projection_run(s->block.call->row, rows, env->scratch, env);

	if (row == NULL && env->error_position > 0 && e->position == 0)
		e->position = env->error_position;
	return row;
}

int command_stays(
	const struct statement *s, const void *params, struct command_env *env, struct error *e)
{
	struct program_env program = { env->scratch, e, env->now_us, 0 };
	uint64_t hash = 0;

	if (s->kind != STATEMENT_BLOCK)
		return 0;
	if (command_route(s, params, NULL, 0, 0, &program, &hash, e) < 0)
		return -1;
	if (((const struct compiled *)s->compiled)->first == NULL ||
		shard_of(hash, env->shards) == env->shard)
		return 0;
	return error_set(e, ERR_SERIALIZATION, 0,
		"the procedure has just been replaced by one for other rows");
}

/* --- fetching ahead --- */

enum { FETCH_ROWS_MAX = 8 /* of one statement */ };

static void prefetch_insert(const struct statement *s, const struct key_part *key,
	const void *params, struct command_env *env)
{
	const struct parts *parts = s->relation->user;
	uint64_t hash = 0;

	for (unsigned i = 0; i < s->relation->nkey; i++) {
		uint64_t h = key[i].constant ? key[i].hash : rowkey_hash(&key[i].key, params);

		hash = i == 0 ? h : hash_combine(hash, h);
	}
	table_prefetch(parts->part[env->shard]->table, hash);
}

static void prefetch_key(const struct statement *s, const struct program *key, const void *params,
	struct command_env *env)
{
	const void *rows[EXPR_SOURCES] = { [EXPR_PARAMS] = params };
	const struct parts *parts = s->relation->user;
	struct value v[LIMIT_KEY_COLUMNS];
	struct error ignored;
	struct program_env program = { env->scratch, &ignored, env->now_us, 0 };

	/* An error is met again, and told, when the command is executed. */
	if (program_run(key, rows, v, &program) == 0)
		table_prefetch(parts->part[env->shard]->table, values_hash(v, s->relation->nkey));
}

static void prefetch_statement(const struct statement *s, const void *params,
	const struct row_range *rows, struct command_env *env)
{
	const struct compiled *k = s->compiled;
	unsigned n = rows->n < FETCH_ROWS_MAX ? rows->n : FETCH_ROWS_MAX;

	/* A dropped table's parts may be gone. */
	if (s->kind == STATEMENT_TRUNCATE || s->kind == STATEMENT_SELECT ||
		__atomic_load_n(&s->relation->dropped, __ATOMIC_ACQUIRE))
		return;
	if (statement_query(s) != NULL)
		return;
	if (s->kind != STATEMENT_INSERT) {
		if (k->key != NULL)
			prefetch_key(s, k->key, params, env);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		if (k->keys[rows->first + i] != NULL)
			prefetch_insert(s, k->keys[rows->first + i], params, env);
}

void command_prefetch(const struct statement *s, const void *params, const struct row_range *rows,
	struct command_env *env)
{
	if (s->kind != STATEMENT_BLOCK) {
		prefetch_statement(s, params, rows, env);
		return;
	}
	for (unsigned i = 0; i < s->block.n; i++) {
		const struct statement *item = s->block.items[i];
		struct row_range all = { 0,
			item->kind == STATEMENT_INSERT ? item->insert.nrows : 0 };

		prefetch_statement(item, params, &all, env);
	}
}

/* --- executing --- */

struct execution {
	const struct statement *s;
	const struct compiled *k;
	const void *params;
	const void *const *sources; /* what the command's query gave */
	struct command_env *env;
	struct command_result *result;
	struct program_env program;
	struct epoch_row
		system; /* the version of the row that is looked at, if the statement asks */
	struct part *part;
	unsigned mark;     /* of the log, at the statement's start */
	unsigned begin;    /* … at the command's */
	uint64_t expected; /* what is changed must not have been since; UINT64_MAX: it may */
	struct error *e;
};

static struct part *part_of(const struct relation *r, unsigned shard)
{
	return ((const struct parts *)r->user)->part[shard];
}

/* Those that a command has; of the others, which only queries have, nothing is read. */
static inline void sources_set(
	const void **rows, const void *row0, const void *row1, const struct execution *x)
{
	rows[0] = row0;
	rows[1] = row1;
	rows[EXPR_SYSTEM] = x->system.bytes;
	rows[EXPR_PARAMS] = x->params;
}

/* The row that is source 0 from now on has this version. */
static inline void version_set(struct execution *x, uint64_t epoch)
{
	if (x->s->system != NULL)
		epoch_row_set(&x->system, x->s->system, epoch, x->env->base_epoch);
}

/* --- expected versions --- */

/* Whether this command has written the row of that key itself. */
static bool own_change(const struct execution *x, const void *row)
{
	const struct change_log *l = x->env->log;

	for (unsigned i = x->begin; i < l->n; i++) {
		const struct change_entry *c = &l->entries[i];
		const void *there = c->new_row != NULL ? c->new_row : c->old_row;

		if (c->part == x->part &&
			row_equal(&x->part->layout, there, x->part->key, &x->part->layout, row,
				x->part->key, x->part->nkey))
			return true;
	}
	return false;
}

static __attribute__((noinline)) int version_conflict(
	struct execution *x, uint64_t epoch, const char *what)
{
	error_set(x->e, ERR_SERIALIZATION, 0, "could not serialize access due to concurrent %s",
		what);
	error_detail(x->e, "current version %llu", (unsigned long long)epoch);
	return error_hint(x->e, "Read again, at this epoch or a later one, and decide anew.");
}

static __attribute__((noinline)) int unexpected(
	struct execution *x, const struct version *v, const void *row)
{
	uint64_t epoch = v->epoch > x->env->base_epoch ? v->epoch : x->env->base_epoch;

	if (epoch <= x->expected || (v->epoch == x->env->epoch && own_change(x, row)))
		return 0;
	return version_conflict(x, epoch, v->flags & VERSION_DEAD ? "delete" : "update");
}

/* Whether a row that is looked at is as the command expects it: not changed since. row: of its key. 0, or -1: 40001. */
static inline int version_check(struct execution *x, const struct version *v, const void *row)
{
	return x->expected == UINT64_MAX ? 0 : unexpected(x, v, row);
}

/* The same of a key that has no version: it may have been deleted, which is remembered for a while only. */
static __attribute__((noinline)) int unexpectedly_absent(struct execution *x)
{
	uint64_t epoch = table_forgotten(x->part->table);

	/* Row ids are given once. */
	if (x->s->relation->rowid >= 0)
		return 0;
	if (epoch < x->env->base_epoch)
		epoch = x->env->base_epoch;
	return epoch <= x->expected ? 0 : version_conflict(x, epoch, "delete");
}

/* Of a key by which no row was found. */
static int missing_check(struct execution *x, uint64_t hash, const struct row_layout *kl,
	const void *krow, const uint16_t *kcols)
{
	const struct version *v;

	if (x->expected == UINT64_MAX)
		return 0;
	v = table_find(x->part->table, hash, kl, krow, kcols);
	return v == NULL ? unexpectedly_absent(x) : unexpected(x, v, v->row);
}

static int evaluate(struct execution *x, const struct program *p, const void *row0,
	const void *row1, struct value *out)
{
	const void *rows[EXPR_SOURCES];

	sources_set(rows, row0, row1, x);
	return program_run(p, rows, out, &x->program);
}

static int test(struct execution *x, const struct program *p, const void *row0, const void *row1)
{
	const void *rows[EXPR_SOURCES];

	if (p == NULL)
		return 1;
	sources_set(rows, row0, row1, x);
	return program_test(p, rows, &x->program);
}

/* Columns of a row in parentheses, as in PostgreSQL's DETAIL. */
static void describe(const struct relation *r, const void *row, const uint16_t *cols, unsigned n,
	char *names, char *values, size_t cap)
{
	size_t a = 0, b = 0;

	names[0] = values[0] = '\0';
	for (unsigned i = 0; i < n && a < cap - 70 && b + 3 < cap; i++) {
		const struct column *c = &r->columns[cols[i]];
		char text[VALUE_TEXT_MAX];
		struct value v;
		size_t len;

		a += (size_t)snprintf(names + a, cap - a, "%s%s", i > 0 ? ", " : "", c->name);
		row_get(&r->layout, row, cols[i], &v);
		if (value_is_null(&v)) {
			len = (size_t)snprintf(text, sizeof(text), "null");
		} else {
			len = value_format(&v, c->type, text, sizeof(text));
			if (len > sizeof(text))
				len = (size_t)snprintf(text, sizeof(text), "…");
		}
		b += (size_t)snprintf(
			values + b, cap - b, "%s%.*s", i > 0 ? ", " : "", (int)len, text);
		if (b >= cap)
			b = cap - 1;
	}
}

static __attribute__((noinline)) int null_error(struct execution *x, const void *row)
{
	const struct relation *r = x->s->relation;
	unsigned c = 0;

	while (!r->columns[c].not_null || !row_is_null(row, c))
		c++;
	return error_set(x->e, ERR_NOT_NULL, 0,
		"null value in column \"%s\" of relation \"%s\" violates not-null constraint",
		r->columns[c].name, r->name);
}

static inline int check_nulls(struct execution *x, const void *row)
{
	const uint8_t *bits = row_nulls(row);
	unsigned n = x->s->relation->ncols;
	uint32_t any;

	/* A row has 8 bytes at least. */
	memcpy(&any, bits, sizeof(any));
	any &= x->k->not_null_first;
	for (unsigned i = 4; n > 32 && i < (n + 7u) / 8; i++)
		any |= bits[i] & x->k->not_null[i];
	return any == 0 ? 0 : null_error(x, row);
}

/* One after the other, as in PostgreSQL: behind the first that is violated none is computed. */
static int check_row(struct execution *x, const void *row)
{
	const struct relation *r = x->s->relation;
	const void *rows[EXPR_SOURCES];

	if (check_nulls(x, row) != 0)
		return -1;
	if (r->nchecks == 0)
		return 0;
	sources_set(rows, row, NULL, x);
	for (unsigned i = 0; i < r->nchecks; i++) {
		enum verdict v = program_verdict(x->k->checks[i], rows, &x->program);

		if (v == VERDICT_ERROR)
			return -1;
		if (v == VERDICT_FALSE)
			return error_set(x->e, ERR_CHECK, 0,
				"new row for relation \"%s\" violates check constraint \"%s\"",
				r->name, r->checks[i].name);
	}
	return 0;
}

static int violates(struct execution *x, const struct index_def *ix, const void *row)
{
	char names[ERROR_DETAIL_MAX], values[ERROR_DETAIL_MAX];

	describe(x->s->relation, row, ix->cols, ix->ncols, names, values, sizeof(names) / 2);
	error_set(x->e, ERR_UNIQUE, 0, "duplicate key value violates unique constraint \"%s\"",
		ix->name);
	return error_detail(x->e, "Key (%s)=(%s) already exists.", names, values);
}

/* The row that holds the same unique columns as `row`, other than `self`; NULL: none. */
static const void *unique_other(
	const struct part *p, const struct part_index *x, const void *row, const void *self)
{
	const struct index_def *d = x->def;
	const struct row_layout *kl = index_key_layout(x->index);
	struct index_cursor c;
	const void *key;

	for (unsigned k = 0; k < d->ncols; k++)
		if (row_is_null(row, d->cols[k]))
			return NULL;
	index_find(x->index, &c, row_hash(&p->layout, row, d->cols, d->ncols), &p->layout, row,
		d->cols, UINT64_MAX);
	while ((key = index_next(x->index, &c)) != NULL)
		if (self == NULL ||
			!row_equal(kl, key, SEQUENCE, &p->layout, self, p->key, p->nkey))
			return part_find(
				p, row_hash(kl, key, SEQUENCE, p->nkey), kl, key, SEQUENCE);
	return NULL;
}

/* First violated unique index other than the key; NULL: none. */
static const struct index_def *unique_check(
	const struct part *p, const void *row, const void *self, const void **other)
{
	for (const struct part_index *x = p->indexes; x != NULL; x = x->next) {
		if (!x->def->unique)
			continue;
		*other = unique_other(p, x, row, self);
		if (*other != NULL)
			return x->def;
	}
	return NULL;
}

static int log_add(struct execution *x, struct part *part, const void *old, const void *row)
{
	struct change_log *l = x->env->log;

	l->entries[l->n++] = (struct change_entry){ part, old, row };
	return 0;
}

static __attribute__((noinline)) int returning_row(struct execution *x, const void *row)
{
	const struct statement *s = x->s;
	struct command_result *result = x->result;
	struct value *v;
	const void **rows;
	uint32_t size;
	void *packed;

	v = arena_alloc(x->env->scratch, s->nresults * sizeof(*v));
	if (v == NULL)
		return error_set(x->e, ERR_OUT_OF_MEMORY, 0, NULL);
	if (evaluate(x, x->k->returning, row, NULL, v) != 0)
		return -1;
	size = row_encoded_size(&s->result_layout, v);
	packed = arena_alloc(x->env->results, size);
	rows = result->rows;
	if ((result->nrows & (result->nrows - 1)) == 0) {
		rows = arena_alloc(x->env->results,
			(result->nrows == 0 ? 1 : 2 * result->nrows) * sizeof(*rows));
		if (rows != NULL && result->nrows > 0)
			memcpy(rows, result->rows, result->nrows * sizeof(*rows));
	}
	if (packed == NULL || rows == NULL)
		return error_set(x->e, ERR_OUT_OF_MEMORY, 0, NULL);
	row_encode(&s->result_layout, v, packed);
	rows[result->nrows++] = packed;
	result->rows = rows;
	result->returned_bytes += size;
	return 0;
}

static inline int returning(struct execution *x, const void *row)
{
	return x->s->nresults == 0 ? 0 : returning_row(x, row);
}

/* Encode into the log's memory, where the row lives until the batch is over. */
static const void *encode(struct execution *x, const struct value *v)
{
	const struct row_layout *l = &x->part->layout;
	uint32_t size = row_encoded_size(l, v);
	void *row;

	if (size > LIMIT_ROW_BYTES) {
		error_set(x->e, ERR_PROGRAM_LIMIT, 0, "a row of %u bytes exceeds the limit of %d",
			size, LIMIT_ROW_BYTES);
		return NULL;
	}
	row = arena_alloc(&x->env->log->arena, size);
	if (row == NULL)
		error_set(x->e, ERR_OUT_OF_MEMORY, 0, NULL);
	else
		row_encode(l, v, row);
	return row;
}

/* Write and note a row whose key has no version yet. */
static int write_new(struct execution *x, uint64_t hash, const void *row)
{
	if (log_reserve(x->env->log, x->e) != 0)
		return -1;
	if (part_insert(x->part, hash, x->env->epoch, row) != 0)
		return error_set(x->e, ERR_OUT_OF_MEMORY, 0, NULL);
	return log_add(x, x->part, NULL, row);
}

/* Write and note a change. hash: of the key. old: a copy. */
static int write_row(struct execution *x, uint64_t hash, const void *old, const void *row)
{
	int status;

	if (log_reserve(x->env->log, x->e) != 0)
		return -1;
	status = row != NULL ? part_put(x->part, hash, x->env->epoch, old, row)
			     : part_delete(x->part, hash, x->env->epoch, old);
	if (status != 0)
		return error_set(x->e, ERR_OUT_OF_MEMORY, 0, NULL);
	return log_add(x, x->part, old, row);
}

/* Give `old` (a copy) the values of SET. 1 changed, 0 the guard said no, -1. */
static int update_row(struct execution *x, const struct assignment *set, unsigned nset,
	const void *old, const void *excluded)
{
	const struct relation *r = x->s->relation;
	struct value *v, *given;
	const struct index_def *unique;
	const void *row, *other;
	int status = test(x, x->k->where, old, excluded);

	if (status <= 0)
		return status;
	v = arena_alloc(x->env->scratch, (r->ncols + nset) * sizeof(*v));
	if (v == NULL)
		return error_set(x->e, ERR_OUT_OF_MEMORY, 0, NULL);
	given = v + r->ncols;
	if (evaluate(x, x->k->set, old, excluded, given) != 0)
		return -1;
	for (unsigned c = 0; c < r->ncols; c++)
		row_get(&x->part->layout, old, c, &v[c]);
	for (unsigned i = 0; i < nset; i++)
		v[set[i].column] = given[i];
	row = encode(x, v);
	if (row == NULL || check_row(x, row) != 0)
		return -1;
	unique = unique_check(x->part, row, old, &other);
	if (unique != NULL)
		return violates(x, unique, row);
	if (write_row(x, part_key_hash(x->part, row), old, row) != 0)
		return -1;
	version_set(x, x->env->epoch);
	return returning(x, row) != 0 ? -1 : 1;
}

/* Whether this statement has already written the row of that key. */
static bool touched(const struct execution *x, const void *row)
{
	const struct change_log *l = x->env->log;

	for (unsigned i = x->mark; i < l->n; i++)
		if (l->entries[i].part == x->part && l->entries[i].new_row != NULL &&
			row_equal(&x->part->layout, l->entries[i].new_row, x->part->key,
				&x->part->layout, row, x->part->key, x->part->nkey))
			return true;
	return false;
}

/* A row is in the way. 1 done something, 0 nothing, -1. */
static int conflict(
	struct execution *x, const struct index_def *ix, const void *existing, const void *row)
{
	const struct insert *ins = &x->s->insert;
	const void *old;

	if (ins->action == CONFLICT_ERROR || (ins->arbiter != NULL && ins->arbiter != ix))
		return violates(x, ix, row);
	if (ins->action == CONFLICT_NOTHING)
		return 0;
	if (touched(x, existing)) {
		error_set(x->e, ERR_CARDINALITY, 0,
			"ON CONFLICT DO UPDATE command cannot affect row a second time");
		return error_hint(x->e,
			"Ensure that no rows proposed for insertion within the same "
			"command have duplicate constrained values.");
	}
	if (version_check(x, version_of(existing), existing) != 0)
		return -1;
	version_set(x, version_of(existing)->epoch);
	old = log_copy(x->env->log, existing);
	if (old == NULL)
		return error_set(x->e, ERR_OUT_OF_MEMORY, 0, NULL);
	return update_row(x, ins->set, ins->nset, old, row);
}

/* The next row id that belongs to this shard as any other partition value does: so a row is found again whatever becomes
 * of the number of shards. One in `shards` does. */
static struct value rowid_next(const struct command_env *env)
{
	struct value v = { .type = TYPE_INT8 };

	do
		v.i = (int64_t)((uint64_t)env->shard << ROWID_SHARD_BITS | ++*env->next_rowid);
	while (shard_of(value_hash(&v), env->shards) != env->shard);
	return v;
}

static bool numeric_fits(const struct value *v, struct type t)
{
	return v->flags == 0 && v->scale == t.b && t.a <= NUMERIC_DIGITS &&
		v->n < (int128)numeric_pow10[t.a] && v->n > -(int128)numeric_pow10[t.a];
}

/* Whether applying the modifier would leave the value as it is. No is also the answer where it takes more to know. */
static bool fits(const struct row_layout *l, const void *row, const struct fit *fit)
{
	struct value v;

	row_get(l, row, fit->column, &v);
	if (value_is_null(&v))
		return true;
	if (fit->type.id == TYPE_NUMERIC)
		return numeric_fits(&v, fit->type);
	if (fit->type.id == TYPE_VARCHAR)
		return v.s.len <= fit->type.a;
	/* Kept without blanks at its end. */
	return v.s.len <= fit->type.a && (v.s.len == 0 || v.s.p[v.s.len - 1] != ' ');
}

/* In the log's memory. NULL: it does not fit, or there is no memory; which of both the other way will tell. */
static const void *direct_row(struct execution *x, const struct direct *d)
{
	const void *rows[EXPR_SOURCES];
	const void *row;

	rows[EXPR_PARAMS] = x->params;
	row = projection_run(d->row, rows, &x->env->log->arena, &x->program);
	if (row == NULL || row_size(row) > LIMIT_ROW_BYTES)
		return NULL;
	for (unsigned i = 0; i < d->nfits; i++)
		if (!fits(&x->part->layout, row, &d->fits[i]))
			return NULL;
	return row;
}

/* Row i of an INSERT, in the log's memory; NULL: an error. */
static const void *new_row(struct execution *x, unsigned i)
{
	const struct relation *r = x->s->relation;
	const void *source = x->sources != NULL ? x->sources[i] : NULL;
	unsigned at = x->sources != NULL ? 0 : i;
	const void *row = x->k->direct[at].row != NULL ? direct_row(x, &x->k->direct[at]) : NULL;
	struct value *v;

	if (row != NULL)
		return row;
	v = arena_alloc(x->env->scratch, r->ncols * sizeof(*v));
	if (v == NULL) {
		error_set(x->e, ERR_OUT_OF_MEMORY, 0, NULL);
		return NULL;
	}
	if (evaluate(x, x->k->rows[at], source, NULL, v) != 0)
		return NULL;
	if (r->rowid >= 0)
		v[r->rowid] = rowid_next(x->env);
	return encode(x, v);
}

static int insert_row(struct execution *x, unsigned i)
{
	const struct relation *r = x->s->relation;
	const struct version *there;
	const void *row = new_row(x, i), *other;
	const struct index_def *unique;
	uint64_t hash;

	if (row == NULL || check_row(x, row) != 0)
		return -1;
	hash = part_key_hash(x->part, row);
	there = table_find_row(x->part->table, hash, row);
	if (x->expected != UINT64_MAX &&
		(there != NULL ? unexpected(x, there, row) : unexpectedly_absent(x)) != 0)
		return -1;
	other = version_row(there);
	if (other != NULL)
		return conflict(x, r->indexes[0], other, row);
	unique = unique_check(x->part, row, NULL, &other);
	if (unique != NULL)
		return conflict(x, unique, other, row);
	if ((there != NULL ? write_row(x, hash, NULL, row) : write_new(x, hash, row)) != 0)
		return -1;
	version_set(x, x->env->epoch);
	return returning(x, row) != 0 ? -1 : 1;
}

/* A row in the table, or a copy of one, whose version has been set. given: what UPDATE … FROM sets it to; else NULL. */
static int change_row(struct execution *x, const void *found, const void *given)
{
	const void *old = log_copy(x->env->log, found);
	int status;

	if (old == NULL)
		return error_set(x->e, ERR_OUT_OF_MEMORY, 0, NULL);
	if (x->s->kind == STATEMENT_UPDATE)
		return update_row(x, x->s->change.set, x->s->change.nset, old, given);
	status = test(x, x->k->where, old, NULL);
	if (status <= 0)
		return status;
	if (write_row(x, part_key_hash(x->part, old), old, NULL) != 0)
		return -1;
	return returning(x, old) != 0 ? -1 : 1;
}

/* A row in the table. */
static int change_found(struct execution *x, const void *found, const void *given)
{
	if (version_check(x, version_of(found), found) != 0)
		return -1;
	version_set(x, version_of(found)->epoch);
	return change_row(x, found, given);
}

static int change_by_key(struct execution *x)
{
	const struct relation *r = x->s->relation;
	struct value v[LIMIT_KEY_COLUMNS];
	const void *row;

	if (x->k->key_from_params) {
		uint64_t hash = row_hash(&x->s->param_layout, x->params, x->k->key_params, r->nkey);

		for (unsigned i = 0; i < r->nkey; i++)
			if (row_is_null(x->params, x->k->key_params[i]))
				return 0;
		row = part_find(x->part, hash, &x->s->param_layout, x->params, x->k->key_params);
		if (row == NULL)
			return missing_check(
				x, hash, &x->s->param_layout, x->params, x->k->key_params);
	} else {
		void *key;

		if (evaluate(x, x->k->key, NULL, NULL, v) != 0)
			return -1;
		for (unsigned i = 0; i < r->nkey; i++)
			if (value_is_null(&v[i]))
				return 0;
		key = arena_alloc(x->env->scratch, row_encoded_size(&x->k->key_layout, v));
		if (key == NULL)
			return error_set(x->e, ERR_OUT_OF_MEMORY, 0, NULL);
		row_encode(&x->k->key_layout, v, key);
		row = part_find(x->part, values_hash(v, r->nkey), &x->k->key_layout, key, SEQUENCE);
		if (row == NULL)
			return missing_check(
				x, values_hash(v, r->nkey), &x->k->key_layout, key, SEQUENCE);
	}
	return change_found(x, row, NULL);
}

/* The row that a query gave: as it was read, or not at all. */
static int change_given(struct execution *x, const void *given)
{
	const struct relation *r = x->s->relation;
	const struct row_layout *l = &x->s->change.query->result_layout;
	const void *row = part_find(x->part, row_hash(l, given, r->key, r->nkey), l, given, r->key);

	/* One that has been deleted since is not there to be changed. */
	if (row == NULL)
		return 0;
	for (uint16_t c = 0; c < r->ncols; c++)
		if (!r->columns[c].hidden && !row_equal(&x->part->layout, row, &c, l, given, &c, 1))
			return error_set(x->e, ERR_SERIALIZATION, 0,
				"could not serialize access due to concurrent update");
	return change_found(x, row, given);
}

struct found {
	const void *row;
	uint64_t epoch;
};

/* All rows that match: collected first, so that none is met twice. */
static int change_by_scan(struct execution *x)
{
	struct table_cursor c;
	struct found *found = NULL;
	const void *row;
	size_t n = 0, cap = 0;

	table_scan_begin(&c, x->part->table, UINT64_MAX);
	while ((row = table_scan_next(&c)) != NULL) {
		int status;

		version_set(x, version_of(row)->epoch);
		status = test(x, x->k->where, row, NULL);

		if (status < 0)
			return -1;
		if (status == 0)
			continue;
		if (n == cap) {
			size_t more = cap == 0 ? 64 : 2 * cap;
			struct found *grown = arena_alloc(x->env->scratch, more * sizeof(*grown));

			if (grown == NULL)
				return error_set(x->e, ERR_OUT_OF_MEMORY, 0, NULL);
			if (n > 0)
				memcpy(grown, found, n * sizeof(*grown));
			found = grown;
			cap = more;
		}
		/* A copy: writing one row may move another's version only in its own chain, but a same-epoch
		 * row is changed in place. */
		if (version_check(x, version_of(row), row) != 0)
			return -1;
		found[n].epoch = version_of(row)->epoch;
		found[n].row = log_copy(x->env->log, row);
		if (found[n++].row == NULL)
			return error_set(x->e, ERR_OUT_OF_MEMORY, 0, NULL);
	}
	for (size_t i = 0; i < n; i++) {
		int status;

		version_set(x, found[i].epoch);
		status = change_row(x, found[i].row, NULL);
		if (status < 0)
			return -1;
		x->result->count += (unsigned)status;
	}
	return 0;
}

/* --- references --- */

static int fk_error(
	struct execution *x, const struct foreign_key *fk, const void *row, bool missing)
{
	char names[ERROR_DETAIL_MAX], values[ERROR_DETAIL_MAX];
	const struct relation *r = missing ? fk->from : fk->to;

	describe(r, row, missing ? fk->from_cols : fk->to_cols, fk->ncols, names, values,
		sizeof(names) / 2);
	if (missing) {
		error_set(x->e, ERR_FOREIGN_KEY, 0,
			"insert or update on table \"%s\" violates foreign key constraint \"%s\"",
			r->name, fk->name);
		return error_detail(x->e, "Key (%s)=(%s) is not present in table \"%s\".", names,
			values, fk->to->name);
	}
	error_set(x->e, ERR_FOREIGN_KEY, 0,
		"update or delete on table \"%s\" violates foreign key constraint \"%s\" on table \"%s\"",
		r->name, fk->name, fk->from->name);
	return error_detail(x->e, "Key (%s)=(%s) is still referenced from table \"%s\".", names,
		values, fk->from->name);
}

static int check_reference(struct execution *x, const struct foreign_key *fk, const void *row)
{
	const struct part *from = part_of(fk->from, x->env->shard);
	const struct part *to = part_of(fk->to, x->env->shard);

	for (unsigned i = 0; i < fk->ncols; i++)
		if (row_is_null(row, fk->from_cols[i]))
			return 0;
	if (part_find(to, row_hash(&from->layout, row, fk->from_cols, fk->ncols), &from->layout,
		    row, fk->from_cols) != NULL)
		return 0;
	return fk_error(x, fk, row, true);
}

/* Whether an index begins with the columns that refer (of a hash index: is of them), and can be asked. */
static bool index_serves(const struct part_index *ix, const struct foreign_key *fk)
{
	const struct index_def *d = ix->def;

	if (d->ncols < fk->ncols || (ix->tree == NULL && d->ncols > fk->ncols) ||
		memcmp(d->cols, fk->from_cols, fk->ncols * sizeof(*d->cols)) != 0)
		return false;
	for (unsigned i = 0; ix->tree != NULL && i < fk->ncols; i++)
		if (!sortkey_comparable((enum type_id)fk->from->columns[fk->from_cols[i]].type.id,
			    (enum type_id)fk->to->columns[fk->to_cols[i]].type.id))
			return false;
	return true;
}

/* Whether an ordered index that serves has an entry for a row referred to: 1 or 0; -1. */
static int tree_has(struct execution *x, const struct part_index *ix, const struct foreign_key *fk,
	const struct part *to, const void *row)
{
	size_t size = sortkey_row_size(&to->layout, row, fk->to_cols, fk->ncols);
	char *key = arena_alloc(x->env->scratch, size);
	struct btree_edge low = { key, (uint32_t)size, false },
			  high = { key, (uint32_t)size, true };
	struct btree_cursor c;

	if (key == NULL)
		return error_set(x->e, ERR_OUT_OF_MEMORY, 0, NULL);
	sortkey_put_row(key, &to->layout, row, fk->to_cols, ix->def->sort, fk->ncols);
	btree_find(ix->tree, &c, &low, &high, false, UINT64_MAX);
	return btree_next(&c) != NULL;
}

/* Nobody may refer to a row that went. Without an index on the referring columns this looks at all of the
 * shard's rows of that table. */
static int check_referrer(struct execution *x, const struct foreign_key *fk, const void *row)
{
	const struct part *from = part_of(fk->from, x->env->shard);
	const struct part *to = part_of(fk->to, x->env->shard);
	struct table_cursor c;
	const void *other;

	if (part_find(to, row_hash(&to->layout, row, to->key, to->nkey), &to->layout, row,
		    to->key) != NULL)
		return 0;
	for (const struct part_index *ix = from->indexes; ix != NULL; ix = ix->next) {
		struct index_cursor ic;

		if (!index_serves(ix, fk))
			continue;
		if (ix->tree != NULL) {
			int has = tree_has(x, ix, fk, to, row);

			return has <= 0 ? has : fk_error(x, fk, row, false);
		}
		index_find(ix->index, &ic, row_hash(&to->layout, row, fk->to_cols, fk->ncols),
			&to->layout, row, fk->to_cols, UINT64_MAX);
		return index_next(ix->index, &ic) == NULL ? 0 : fk_error(x, fk, row, false);
	}
	table_scan_begin(&c, from->table, UINT64_MAX);
	while ((other = table_scan_next(&c)) != NULL)
		if (row_equal(&from->layout, other, fk->from_cols, &to->layout, row, fk->to_cols,
			    fk->ncols))
			return fk_error(x, fk, row, false);
	return 0;
}

static int check_references(struct execution *x)
{
	const struct change_log *l = x->env->log;

	for (unsigned i = x->mark; i < l->n; i++) {
		const struct change_entry *c = &l->entries[i];
		const struct relation *r = c->part->relation;

		for (unsigned k = 0; c->new_row != NULL && k < r->nfks; k++)
			if (r->fks[k]->enforced && check_reference(x, r->fks[k], c->new_row) != 0)
				return -1;
		for (unsigned k = 0; c->new_row == NULL && k < r->nreferrers; k++)
			if (r->referrers[k]->enforced &&
				check_referrer(x, r->referrers[k], c->old_row) != 0)
				return -1;
	}
	return 0;
}

/* --- the command --- */

static void undo(struct command_env *env, unsigned mark)
{
	struct change_log *l = env->log;

	while (l->n > mark) {
		const struct change_entry *c = &l->entries[--l->n];
		const void *row = c->old_row != NULL ? c->old_row : c->new_row;
		uint64_t hash = part_key_hash(c->part, row);
		int status = c->old_row == NULL
			? part_delete(c->part, hash, env->epoch, c->new_row)
			: part_put(c->part, hash, env->epoch, c->new_row, c->old_row);

		ASSERT(status == 0);
	}
}

static int truncate_part(struct execution *x, const struct relation *r)
{
	struct table_cursor c;
	const void *row;

	x->part = part_of(r, x->env->shard);
	table_scan_begin(&c, x->part->table, UINT64_MAX);
	while ((row = table_scan_next(&c)) != NULL) {
		const void *old = log_copy(x->env->log, row);

		if (old == NULL)
			return error_set(x->e, ERR_OUT_OF_MEMORY, 0, NULL);
		if (version_check(x, version_of(row), row) != 0)
			return -1;
		/* Deleting changes no bucket's tags, so the scan goes on undisturbed. */
		if (write_row(x, part_key_hash(x->part, old), old, NULL) != 0)
			return -1;
	}
	return 0;
}

static int truncate_all(struct execution *x)
{
	const struct statement *s = x->s;

	for (unsigned i = 0; i < s->truncate.n; i++)
		if (truncate_part(x, s->truncate.tables[i]) != 0)
			return -1;
	return check_references(x);
}

static int guard_row(void *arg, const void *row, uint32_t size)
{
	(void)arg, (void)row, (void)size;
	return 0;
}

/* A SELECT of a block: what it gives is dropped, but it may fail. It reads the newest rows of the shard, which nobody else
 * writes. Only ORDER BY allocates, beyond arenas that are there. */
static int guard_run(struct execution *x)
{
	struct command_env *env = x->env;
	struct query_own own;
	struct query_env query = { .scratch = env->scratch,
		.epoch = UINT64_MAX,
		.base_epoch = env->base_epoch,
		.now_us = env->now_us,
		.rows_max = LIMIT_ROWS_PER_COMMAND,
		.own = &own };

	own.shard = env->shard;
	own.heap = env->heap;
	own.keep = env->results;
	own.parts.failure.failed = false;
	return query_run(x->s, x->params, &query, guard_row, NULL, x->e);
}

static int statement_run(struct execution *x, const struct row_range *rows)
{
	const struct statement *s = x->s;
	int status = 0;

	x->mark = x->env->log->n;
	if (s->kind == STATEMENT_SELECT)
		return guard_run(x);
	if (s->kind == STATEMENT_TRUNCATE)
		return truncate_all(x);
	x->k = s->compiled;
	x->part = part_of(s->relation, x->env->shard);
	if (s->kind == STATEMENT_INSERT) {
		for (unsigned i = rows->first; i < rows->first + rows->n; i++) {
			status = insert_row(x, i);
			if (status < 0)
				return -1;
			x->result->count += (unsigned)status;
		}
	} else if (s->change.query != NULL) {
		for (unsigned i = rows->first; i < rows->first + rows->n; i++) {
			status = change_given(x, x->sources[i]);
			if (status < 0)
				return -1;
			x->result->count += (unsigned)status;
		}
	} else if (s->change.key != NULL) {
		status = change_by_key(x);
		if (status < 0)
			return -1;
		x->result->count += (unsigned)status;
	} else if (change_by_scan(x) != 0) {
		return -1;
	}
	if (s->relation->nfks == 0 && s->relation->nreferrers == 0)
		return 0;
	return check_references(x);
}

static int dropped(const struct statement *s, struct command_env *env, struct error *e)
{
	for (unsigned i = 0; i < s->nrelations; i++)
		if (__atomic_load_n(&s->relations[i]->dropped, __ATOMIC_ACQUIRE)) {
			env->stale = s->relations[i]->replaced > 0;
			if (s->relations[i]->kind == RELATION_PROCEDURE)
				return error_set(e, ERR_UNDEFINED_FUNCTION, 0,
					"procedure \"%s\" does not exist", s->relations[i]->name);
			return error_set(e, ERR_UNDEFINED_TABLE, 0,
				"relation \"%s\" does not exist", s->relations[i]->name);
		}
	return 0;
}

/* A delete needs memory before it frees any: a version for the row's end, a copy for the views, and new
 * versions of their rows, until no reader can see the old ones. So what adds rows stops before the limit. */
static size_t head_room(const struct heap *h)
{
	uint64_t part = heap_limit(h) / HEAD_ROOM_PART;

	return part > HEAD_ROOM ? part : HEAD_ROOM;
}

bool command_memory_is_short(const struct heap *h)
{
	return heap_limit(h) > 0 && !heap_would_fit(h, head_room(h) / 2);
}

static uint64_t expected_epoch(const struct command_options *o)
{
	return o == NULL || !(o->flags & COMMAND_EXPECT) ? UINT64_MAX : o->expected_epoch;
}

int command_execute(const struct statement *s, const void *params, const void *const *sources,
	const struct row_range *rows, struct command_env *env, struct command_result *result,
	struct error *e)
{
	struct execution x = { .s = s,
		.params = params,
		.sources = sources,
		.env = env,
		.result = result,
		.e = e,
		.begin = env->log->n,
		.expected = expected_epoch(env->options),
		.program = { env->scratch, e, env->now_us, 0 } };
	unsigned mark = env->log->n;
	int status = 0;

	error_clear(e);
	arena_reset(env->scratch);
	if (dropped(s, env, e) != 0)
		return -1;
	if (s->kind != STATEMENT_DELETE && s->kind != STATEMENT_TRUNCATE &&
		!heap_would_fit(env->heap, head_room(env->heap)))
		return error_set(e, ERR_OUT_OF_MEMORY, 0, "the memory limit is reached");
	if (s->kind == STATEMENT_BLOCK) {
		for (unsigned i = 0; status == 0 && i < s->block.n; i++) {
			const struct statement *item = s->block.items[i];
			struct row_range all = { 0,
				item->kind == STATEMENT_INSERT ? item->insert.nrows : 0 };

			x.s = item;
			status = statement_run(&x, &all);
		}
	} else {
		status = statement_run(&x, rows);
	}
	if (status == 0)
		return 0;
	if (x.program.error_position > 0 && e->position == 0)
		e->position = x.program.error_position;
	undo(env, mark);
	memset(result, 0, sizeof(*result));
	return -1;
}
