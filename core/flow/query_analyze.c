/*
 * query_analyze.c: EXPLAIN ANALYZE of a query: it is run, its rows are counted and dropped, and the lines that were made when
 * it was bound are told with what they came to.
 *
 * Times are of the whole: until the first row was there, and until all were. Of a query that is computed as a view is, the
 * operators are told one by one.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/flow/query_internal.h"

enum { LINE_BYTES = 1024 };

struct telling {
	const struct statement *s;
	struct query_env *env;
	query_sink sink;
	void *arg;
	struct error *e;
};

int query_line(const struct statement *s, struct query_env *env, const char *line, query_sink sink,
	void *arg, struct error *e)
{
	struct value v = { .type = TYPE_TEXT };
	void *row;

	v.s.p = line;
	v.s.len = (uint32_t)strlen(line);
	arena_reset(env->scratch);
	row = arena_alloc(env->scratch, row_encoded_size(&s->result_layout, &v));
	if (row == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	row_encode(&s->result_layout, &v, row);
	return sink(arg, row, row_size(row));
}

__attribute__((format(printf, 2, 3))) static int tell(const struct telling *t, const char *fmt, ...)
{
	char line[LINE_BYTES];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	return query_line(t->s, t->env, line, t->sink, t->arg, t->e);
}

static double ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

/* A line of the plan, with what it came to. */
static int line_tell(
	const struct telling *t, const char *line, bool first, const struct query_profile *p)
{
	if (first)
		return tell(t, "%s (actual time=%.3f..%.3f rows=%" PRIu64 " loops=1)", line,
			ms(p->first_ns), ms(p->ns), p->passed);
	if (strncmp(line, "  Filter:", 9) == 0 && p->found > p->passed) {
		int status = tell(t, "%s", line);

		return status != 0
			? status
			: tell(t, "  Rows Removed by Filter: %" PRIu64, p->found - p->passed);
	}
	if (strncmp(line, "  Group Key:", 12) == 0)
		return tell(t, "%s (actual rows=%" PRIu64 ")", line, p->groups);
	if (strncmp(line, "  Sort Key:", 11) == 0)
		return tell(t, "%s (actual rows=%" PRIu64 ")", line, p->sorted);
	if (strcmp(line, "  Limit") == 0)
		return tell(t, "%s (actual rows=%" PRIu64 ")", line, p->given);
	return tell(t, "%s", line);
}

static int operator_tell(const struct telling *t, unsigned i, const struct operator_profile *o)
{
	char time[32] = "";

	if (o->operator.timed)
		(void)snprintf(
			time, sizeof(time), ", time=%.3f ms", ms(clock_ticks_ns(o->count.ticks)));
	return tell(t,
		"  Operator %u: %s %s (rows in=%" PRIu64 " out=%" PRIu64 "%s, bytes=%" PRIu64 ")",
		i, o->operator.kind, o->operator.text, o->count.rows_in, o->count.rows_out, time,
		o->count.bytes);
}

struct counting {
	uint64_t begin;
	struct query_profile *profile;
};

static int count_row(void *arg, const void *row, uint32_t size)
{
	const struct counting *c = arg;

	(void)row;
	(void)size;
	if (c->profile->given++ == 0)
		c->profile->first_ns = clock_now_ns() - c->begin;
	return 0;
}

int query_analyze(const struct statement *s, const void *params, struct query_env *env,
	query_sink sink, void *arg, struct error *e)
{
	const struct telling t = { s, env, sink, arg, e };
	struct query_profile profile = { 0 };
	struct counting counting = { clock_now_ns(), &profile };
	int status;

	env->profile = &profile;
	status = query_run(s->query.analyzed, params, env, count_row, &counting, e);
	env->profile = NULL;
	profile.ns = clock_now_ns() - counting.begin;
	if (profile.given == 0)
		profile.first_ns = profile.ns;
	for (unsigned i = 0; i < s->query.nlines && status == 0; i++)
		status = line_tell(&t, s->query.lines[i], i == 0, &profile);
	for (unsigned i = 0; i < profile.noperators && status == 0; i++)
		status = operator_tell(&t, i, &profile.operators[i]);
	if (status == 0)
		status = tell(&t, "Execution Time: %.3f ms", ms(profile.ns));
	free(profile.operators);
	return status;
}
