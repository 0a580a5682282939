/*
 * query_internal.h: what the files of a query share: query_compile.c prepares it, query.c runs any kind
 * (query_range.c reads ordered indexes for it), query_point.c the usual one, a row by its key.
 */
#ifndef LF_FLOW_QUERY_INTERNAL_H
#define LF_FLOW_QUERY_INTERNAL_H

#include "core/base/limits.h"
#include "core/flow/flow.h"
#include "core/flow/query.h"
#include "core/sql/projection.h"

struct compiled_query {
	struct program *keys;   /* access: nkeys × width values */
	struct type *key_types; /* width */
	struct row_layout key_layout;
	struct program *filter;      /* NULL: none */
	struct program *scan_filter; /* with what the access would have answered */
	struct program *group;       /* keys of a GROUP BY */
	struct row_layout group_keys;
	struct program *aggregates; /* argument and filter of each */
	uint32_t *states;           /* where in a group's states theirs is */
	uint32_t states_bytes;      /* of all */
	struct row_layout group_row;
	struct program *having;
	struct projection *outputs;
	struct program *order; /* NULL: none */
	struct program *limit; /* limit, offset; NULL: none */
	bool key_from_params;  /* one key whose columns are the parameters key_params */
	uint16_t key_params[LIMIT_KEY_COLUMNS];
};

/* What an execution did, for EXPLAIN ANALYZE. */
struct operator_profile {
	struct view_operator operator;
	struct operator_count count;
};
struct query_profile {
	uint64_t found,
		passed; /* rows: that the access gave, and of these those that the filter let through */
	uint64_t groups, sorted, given;
	uint64_t first_ns, ns;              /* since the beginning */
	unsigned noperators;                /* of one that is computed as a view is */
	struct operator_profile *operators; /* malloc'd */
};

/* EXPLAIN ANALYZE: run the query and give the lines. */
int query_analyze(const struct statement *s, const void *params, struct query_env *env,
	query_sink sink, void *arg, struct error *e);
/* A line as a row of EXPLAIN's answer. */
int query_line(const struct statement *s, struct query_env *env, const char *line, query_sink sink,
	void *arg, struct error *e);

/* The parts to read; NULL: *e says why not. */
const struct parts *query_parts(
	const struct relation *r, const struct query_env *env, struct error *e);
/* Run a query whose relation is a select: gives each of its rows, and how often it occurs, in no order. 0; -1 with *e; or
 * what give() returned. */
int query_run_flow(const struct statement *s, const void *params, const struct query_env *env,
	int (*give)(void *arg, const void *row, int64_t times), void *arg, struct error *e);

/* One row by its key, all of it from the parameters: neither a program nor an arena but for the result row. */
bool query_is_point(const struct statement *s);
/* Run one of those. False when it cannot be done this way now (the key has changed since it was prepared);
 * else *status is as of query_run(). */
bool query_run_point(const struct statement *s, const void *params, struct query_env *env,
	query_sink sink, void *arg, int *status, struct error *e);

#endif
