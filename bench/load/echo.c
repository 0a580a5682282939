/*
 * echo.c: frames as long as those of kv, which leftfoldd --echo gives back at once: what the way there and back costs, with
 * the same client, whatever a server does in between. Its table is empty: a server without --echo answers wrong.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/load/workload.h"

static const char *const DROP[] = { "DROP TABLE IF EXISTS bench_echo", NULL };
static const char *const SCHEMA[] = { "CREATE TABLE bench_echo (id bigint PRIMARY KEY)", NULL };

struct echo {
	struct keys keys;
};

static void *echo_open(const struct workload *w, uint64_t rows, double skew, uint64_t seed)
{
	struct echo *s = calloc(1, sizeof(*s));

	(void)w;
	if (s != NULL)
		keys_init(&s->keys, rows, skew, seed);
	return s;
}

static uint64_t echo_fill(void *state, unsigned op, struct lf_params *p)
{
	struct echo *s = state;
	uint64_t id = keys_next(&s->keys);

	(void)op;
	lf_params_set_int(p, 0, (int64_t)id);
	return id;
}

static bool echo_check(void *state, uint64_t note, const struct lf_result *r)
{
	(void)state;
	return lf_result_nrows(r) == 1 && (uint64_t)lf_result_int(r, 0, 0) == note;
}

static int echo_verify(void *state, struct lf_client *c, uint64_t at_least, char *said, size_t cap,
	struct lf_client_error *e)
{
	(void)state;
	(void)c;
	(void)at_least;
	(void)e;
	(void)snprintf(said, cap, "every number came back as it was sent");
	return 0;
}

static const struct operation OPERATIONS[] = { { .name = "echo",
	.text = "SELECT id FROM bench_echo WHERE id = $1",
	.weight = 1,
	.fill = echo_fill,
	.check = echo_check } };

const struct workload WORKLOAD_ECHO = {
	.name = "echo",
	.summary = "frames as of kv, for leftfoldd --echo, which gives them back at once",
	.rows_are = "different numbers",
	.rows = 1000000,
	.drop = DROP,
	.schema = SCHEMA,
	.operations = OPERATIONS,
	.noperations = 1,
	.open = echo_open,
	.close = free,
	.verify = echo_verify,
};
