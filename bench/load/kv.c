/*
 * kv.c: point reads: a table of N rows, each a number and 32 characters that follow from it, read by key.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/workload.h"

enum { LOAD_BATCH = 256 };

static const char *const DROP[] = { "DROP TABLE IF EXISTS bench_kv", NULL };
static const char *const SCHEMA[] = {
	"CREATE TABLE bench_kv (id bigint PRIMARY KEY, value text NOT NULL)", NULL
};

struct kv {
	struct keys keys;
	uint64_t rows;
};

static void *kv_open(uint64_t rows, double skew, uint64_t seed)
{
	struct kv *s = malloc(sizeof(*s));

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

static void note_failure(void *arg, const struct lf_client_batch *b)
{
	struct lf_client_error *e = arg;

	if (b->failed > 0 && b->error != NULL && e->sqlstate[0] == '\0')
		*e = *b->error;
}

static int load_rows(const struct kv *s, struct lf_client *c, struct lf_statement *insert,
	struct lf_params *p, struct lf_client_error *e)
{
	struct lf_client_call how = { .ack = LF_ACK_DURABLE };
	struct lf_client_error failure = { .sqlstate = "" };
	char value[KEY_VALUE_BYTES];

	for (uint64_t id = 0; id < s->rows && failure.sqlstate[0] == '\0';) {
		int status = lf_client_batch_begin(
			c, insert, &how, NULL, note_failure, &failure, e);

		for (unsigned i = 0; status == 0 && i < LOAD_BATCH && id < s->rows; i++) {
			key_value(id, value);
			lf_params_set_int(p, 0, (int64_t)id);
			lf_params_set_text(p, 1, value, KEY_VALUE_BYTES);
			status = lf_client_batch_add(c, p, e);
			id += status == 0;
		}
		if (status == -1 || (status == 0 && lf_client_batch_end(c, NULL, e) != 0))
			return -1;
		if (status == LF_WOULD_BLOCK) {
			lf_client_batch_end(c, NULL, NULL);
			if (lf_client_poll(c, -1, e) < 0)
				return -1;
		}
	}
	if (lf_client_wait(c, -1, e) != 0)
		return -1;
	if (failure.sqlstate[0] == '\0')
		return 0;
	*e = failure;
	return -1;
}

static int kv_load(void *state, struct lf_client *c, struct lf_client_error *e)
{
	struct lf_statement *insert;
	struct lf_params *p;
	int status;

	if (lf_client_prepare(
		    &insert, c, "INSERT INTO bench_kv VALUES ($1, $2)", SIZE_MAX, NULL, 0, e) != 0)
		return -1;
	p = lf_params_new(insert);
	status = p == NULL ? -1 : load_rows(state, c, insert, p, e);
	lf_params_free(p);
	lf_statement_close(insert);
	return status;
}

static uint64_t kv_fill(void *state, struct lf_params *p)
{
	struct kv *s = state;
	uint64_t id = keys_next(&s->keys);

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

const struct workload WORKLOAD_KV = {
	.name = "kv",
	.summary = "point reads by key of a table with 32-byte values",
	.rows_are = "rows loaded first",
	.rows = 1000000,
	.drop = DROP,
	.schema = SCHEMA,
	.main = { .text = "SELECT value FROM bench_kv WHERE id = $1",
		.fill = kv_fill,
		.check = kv_check },
	.open = kv_open,
	.close = free,
	.load = kv_load,
	.verify = kv_verify,
};
