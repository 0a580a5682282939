/*
 * kv.c: point reads: a table of N rows, each a number and 32 characters that follow from it, read by key.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/workload.h"

static const char *const DROP[] = { "DROP TABLE IF EXISTS bench_kv", NULL };
static const char *const SCHEMA[] = {
	"CREATE TABLE bench_kv (id bigint PRIMARY KEY, value text NOT NULL)", NULL
};

struct kv {
	struct keys keys;
	uint64_t rows, loaded;
};

static void *kv_open(const struct workload *w, uint64_t rows, double skew, uint64_t seed)
{
	struct kv *s = calloc(1, sizeof(*s));

	(void)w;
	if (s == NULL)
		return NULL;
	s->rows = rows;
	keys_init(&s->keys, rows, skew, seed);
	return s;
}

static bool value_is(const struct lf_result *r, size_t row, unsigned column, uint64_t key)
{
	char expected[KEY_VALUE_BYTES];
	size_t len;
	const void *found = lf_result_bytes(r, row, column, &len);

	key_value(key, expected);
	return found != NULL && len == KEY_VALUE_BYTES &&
		memcmp(found, expected, KEY_VALUE_BYTES) == 0;
}

static uint64_t load_fill(void *state, unsigned op, struct lf_params *p)
{
	struct kv *s = state;
	char value[KEY_VALUE_BYTES];

	(void)op;
	key_value(s->loaded, value);
	lf_params_set_int(p, 0, (int64_t)s->loaded);
	lf_params_set_text(p, 1, value, KEY_VALUE_BYTES);
	return s->loaded++;
}

static int kv_load(void *state, struct lf_client *c, struct lf_client_error *e)
{
	const struct kv *s = state;

	return workload_load(
		c, "INSERT INTO bench_kv VALUES ($1, $2)", s->rows, load_fill, state, 0, e);
}

static uint64_t kv_fill(void *state, unsigned op, struct lf_params *p)
{
	struct kv *s = state;
	uint64_t id = keys_next(&s->keys);

	(void)op;
	lf_params_set_int(p, 0, (int64_t)id);
	return id;
}

static bool kv_check(void *state, uint64_t note, const struct lf_result *r)
{
	(void)state;
	return lf_result_nrows(r) == 1 && value_is(r, 0, 0, note);
}

static int kv_verify(void *state, struct lf_client *c, uint64_t at_least, char *said, size_t cap,
	struct lf_client_error *e)
{
	struct kv *s = state;
	int64_t rows;

	if (workload_numbers(c, "SELECT count(*) FROM bench_kv", at_least, &rows, 1, e) != 0)
		return -1;
	(void)snprintf(said, cap, "every value read was the one loaded; %lld rows of %llu",
		(long long)rows, (unsigned long long)s->rows);
	return (uint64_t)rows != s->rows;
}

static const struct operation OPERATIONS[] = { { .name = "read",
	.text = "SELECT value FROM bench_kv WHERE id = $1",
	.weight = 1,
	.fill = kv_fill,
	.check = kv_check } };

const struct workload WORKLOAD_KV = {
	.name = "kv",
	.summary = "point reads by key of a table with 32-byte values",
	.rows_are = "rows loaded first",
	.rows = 1000000,
	.drop = DROP,
	.schema = SCHEMA,
	.operations = OPERATIONS,
	.noperations = 1,
	.open = kv_open,
	.close = free,
	.load = kv_load,
	.verify = kv_verify,
};
