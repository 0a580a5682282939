#include "bench/load/workload.h"

enum { LOAD_BATCH = 256 };

static void note_failure(void *arg, const struct lf_client_batch *b)
{
	struct lf_client_error *e = arg;

	if (b->failed > 0 && b->error != NULL && e->sqlstate[0] == '\0')
		*e = *b->error;
}

/* What is loaded, and how far. */
struct loading {
	struct lf_client *client;
	struct lf_statement *insert;
	struct lf_params *params;
	uint64_t rows; /* to go */
	bool filled;   /* `params` hold a row that no batch has taken yet */
	uint64_t (*fill)(void *state, unsigned op, struct lf_params *p);
	void *state;
	unsigned op;
	struct lf_client_error failure;
};

/* 0: what was added is sent; LF_WOULD_BLOCK: likewise, and the client is to be polled; -1. */
static int load_batch(struct loading *l, struct lf_client_error *e)
{
	struct lf_client_call how = { .ack = LF_ACK_DURABLE };
	int status = lf_client_batch_begin(
		l->client, l->insert, &how, NULL, note_failure, &l->failure, e);

	for (unsigned i = 0; status == 0 && i < LOAD_BATCH && l->rows > 0; i++) {
		if (!l->filled)
			(void)l->fill(l->state, l->op, l->params);
		status = lf_client_batch_add(l->client, l->params, e);
		l->filled = status != 0;
		l->rows -= status == 0;
	}
	/* Where not even a batch could be begun there is none to end. */
	if (status == LF_WOULD_BLOCK)
		(void)lf_client_batch_end(l->client, NULL, NULL);
	else if (status == 0)
		status = lf_client_batch_end(l->client, NULL, e);
	return status;
}

static int load_all(struct loading *l, struct lf_client_error *e)
{
	while (l->rows > 0 && l->failure.sqlstate[0] == '\0') {
		int status = load_batch(l, e);

		if (status == -1 ||
			(status == LF_WOULD_BLOCK && lf_client_poll(l->client, -1, e) < 0))
			return -1;
	}
	if (lf_client_wait(l->client, -1, e) != 0)
		return -1;
	if (l->failure.sqlstate[0] == '\0')
		return 0;
	*e = l->failure;
	return -1;
}

int workload_load(struct lf_client *c, const char *text, uint64_t rows,
	uint64_t (*fill)(void *state, unsigned op, struct lf_params *p), void *state, unsigned op,
	struct lf_client_error *e)
{
	struct loading l = { .client = c, .rows = rows, .fill = fill, .state = state, .op = op };
	int status;

	if (lf_client_prepare(&l.insert, c, text, SIZE_MAX, NULL, 0, e) != 0)
		return -1;
	l.params = lf_params_new(l.insert);
	status = l.params == NULL ? -1 : load_all(&l, e);
	lf_params_free(l.params);
	lf_statement_close(l.insert);
	return status;
}

int workload_numbers(struct lf_client *c, const char *text, uint64_t at_least, int64_t *out,
	unsigned n, struct lf_client_error *e)
{
	struct lf_client_call how = { LF_ACK_VISIBLE, VERIFY_TIMEOUT_MS, at_least };
	struct lf_result *r = lf_result_new();
	int status = r == NULL ? -1 : lf_client_query(c, text, SIZE_MAX, &how, r, e);

	for (unsigned i = 0; status == 0 && i < n; i++)
		out[i] = lf_result_column_type(r, i).id == LF_TYPE_NUMERIC
			? (int64_t)lf_result_decimal(r, 0, i).low
			: lf_result_int(r, 0, i);
	lf_result_free(r);
	return status;
}
