/*
 * query_flow.c: a query that is more than rows of one table: joins, subqueries, UNION, windows.
 *
 * It is compiled like a view, for one shard, and fed once with all rows that its relations have at the reader's epoch, by
 * the thread that asks. Its work is bounded by rows, time and memory; what is asked again and again belongs in a view.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/flow/flow.h"
#include "core/flow/query_internal.h"

enum { FEED_ROWS = 256, CLOCK_EVERY = 16 /* of these */ };

struct feeding {
	struct flow *flow;
	const struct query_env *env;
	struct arena rows;
	uint64_t n, deadline_ns;
	const struct heap_budget *budget;
	struct error *e;
	struct error failed; /* of the plan */
	bool has_failed;
};

static void failed(void *arg, const struct relation *view, const struct error *why)
{
	struct feeding *f = arg;

	(void)view;
	f->failed = *why;
	f->has_failed = true;
}

static int no_send(void *arg, unsigned to, unsigned stage, uint32_t view_id, uint32_t edge,
	const void *row, int64_t weight)
{
	(void)arg, (void)to, (void)stage, (void)view_id, (void)edge, (void)row, (void)weight;
	return -1;
}

/* What was fed is worked into the operators. 0, or -1. */
static int feed_work(struct feeding *f, bool last)
{
	flow_build(f->flow, NULL, 0, 0, last);
	arena_reset(&f->rows);
	if (f->has_failed) {
		*f->e = f->failed;
		/* Its own limit, or the system's memory? Tables grow by doubling. */
		if (f->e->code == ERR_OUT_OF_MEMORY && f->budget->used >= LIMIT_QUERY_BYTES / 2)
			return error_set(f->e, ERR_PROGRAM_LIMIT, 0,
				"the query needs more than %d MB of memory",
				LIMIT_QUERY_BYTES / MIB(1));
		return -1;
	}
	if (f->env->canceled != NULL && __atomic_load_n(f->env->canceled, __ATOMIC_RELAXED))
		return error_set(f->e, ERR_CANCELED, 0, NULL);
	if (f->n / FEED_ROWS % CLOCK_EVERY == 0 && clock_now_ns() > f->deadline_ns)
		return error_set(f->e, ERR_CANCELED, 0,
			"the query took longer than %d s; make a view of it", LIMIT_QUERY_S);
	return 0;
}

static int part_feed(struct feeding *f, const struct relation *r, const struct part *p)
{
	struct table_cursor c;
	const void *stored;

	table_scan_begin(&c, p->table, f->env->epoch);
	while ((stored = table_scan_next(&c)) != NULL) {
		int64_t count;
		const void *row = part_view_row(p, stored, &count, &f->rows);

		if (row == NULL)
			return error_set(f->e, ERR_OUT_OF_MEMORY, 0, NULL);
		flow_push_rows(f->flow, r, row, count, 0, NULL);
		if (++f->n % FEED_ROWS == 0 && feed_work(f, false) != 0)
			return -1;
	}
	return 0;
}

struct system_feeding {
	struct feeding *f;
	const struct relation *relation;
};

static int system_row(void *arg, const void *row)
{
	const struct system_feeding *s = arg;
	void *copy = arena_alloc(&s->f->rows, row_size(row));

	if (copy == NULL)
		return error_set(s->f->e, ERR_OUT_OF_MEMORY, 0, NULL);
	memcpy(copy, row, row_size(row));
	flow_push_rows(s->f->flow, s->relation, copy, 1, 0, NULL);
	return ++s->f->n % FEED_ROWS == 0 ? feed_work(s->f, false) : 0;
}

static int relation_feed(struct feeding *f, const struct relation *r)
{
	struct system_feeding system = { f, r };
	const struct parts *parts;

	if (r->kind == RELATION_SYSTEM) {
		const struct system_source *source = r->user;

		return source->rows(source->arg, r, system_row, &system, f->e);
	}
	parts = query_parts(r, f->env, f->e);
	for (unsigned k = 0; parts != NULL && k < parts->shards; k++)
		if (part_feed(f, r, parts->part[k]) != 0)
			return -1;
	return parts == NULL ? -1 : 0;
}

static int feed(struct feeding *f, const struct statement *s)
{
	for (unsigned i = 0; i < s->nrelations; i++)
		if (relation_feed(f, s->relations[i]) != 0)
			return -1;
	return feed_work(f, true);
}

/* What the operators did. Without memory for it there is none. */
static void profile_note(struct query_profile *p, const struct flow *flow,
	const struct relation *query, const struct view_plan *plan)
{
	unsigned n = view_plan_operators(plan) - 1; /* the publisher is the query's own */
	struct operator_count *counts = calloc(n + 1, sizeof(*counts));

	p->operators = calloc(n, sizeof(*p->operators));
	if (counts != NULL && p->operators != NULL) {
		flow_account(flow, query, counts);
		for (unsigned i = 0; i < n; i++) {
			view_plan_operator(plan, i, &p->operators[i].operator);
			p->operators[i].count = counts[i];
		}
		p->noperators = n;
	}
	free(counts);
}

int query_run_flow(const struct statement *s, const void *params, const struct query_env *env,
	int (*give)(void *arg, const void *row, int64_t times), void *arg, struct error *e)
{
	struct heap_budget budget = { .limit = LIMIT_QUERY_BYTES };
	struct feeding f = { .env = env,
		.budget = &budget,
		.e = e,
		.deadline_ns = clock_now_ns() + LIMIT_QUERY_S * UINT64_C(1000000000) };
	const struct flow_io io = { &f, no_send, failed };
	struct heap *h = heap_new_common(&budget);
	struct view_plan *plan = NULL;
	int status = -1;

	if (h == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	arena_init(&f.rows, NULL);
	f.flow = flow_new(h, 0, 1, &io);
	if (f.flow == NULL)
		(void)error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	else if (view_plan_query(&plan, s->relation, &s->param_layout, params, env->now_us, h, e) ==
			0 &&
		flow_add_view(f.flow, plan, NULL, e) == 0 && feed(&f, s) == 0)
		status = flow_result(f.flow, give, arg);
	if (status == 0 && env->profile != NULL)
		profile_note(env->profile, f.flow, s->relation, plan);
	if (f.flow != NULL)
		flow_free(f.flow);
	view_plan_free(plan);
	arena_free(&f.rows);
	heap_free_all(h);
	return status;
}
