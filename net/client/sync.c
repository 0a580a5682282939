/*
 * sync.c: calls that wait for their answer. Each is a request like any other whose callback fills in a
 * waiter; answers to other requests are handed out meanwhile.
 */
#include "net/client/client_internal.h"

#include <limits.h>
#include <stdlib.h>

void waiter_done(void *arg, uint64_t request, const struct lf_result *r)
{
	struct waiter *w = arg;

	(void)request;
	w->done = true;
	w->failed = r->failed;
	w->epoch = r->epoch;
	if (r->failed && w->e != NULL)
		*w->e = r->error;
	if (w->result != NULL && lf_result_copy(w->result, r) != 0) {
		w->failed = true;
		client_no_memory(w->e);
	}
}

/* One poll on behalf of a synchronous call. *quiet_since: when something arrived last. */
static int poll_waiting(struct lf_client *c, uint64_t *quiet_since, struct lf_client_error *e)
{
	unsigned limit = c->options.io_timeout_ms;
	uint64_t before = c->received;
	int status = lf_client_poll(c, limit == 0 ? -1 : (int)limit, e);

	if (status < 0 || limit == 0)
		return status;
	if (c->received != before) {
		*quiet_since = client_now_ms();
	} else if (client_now_ms() - *quiet_since >= limit) {
		client_break(c, "08006", "nothing has come from the server for %u ms", limit);
		return lf_client_poll(c, 0, e);
	}
	return 0;
}

/* Sending would block: wait until something has been written or answered. */
static int wait_for_room(struct lf_client *c, uint64_t *quiet_since, struct lf_client_error *e)
{
	/* The table may be full of answers nobody takes: then no waiting helps. */
	if (c->inflight == 0 && c->completions_n > 0)
		return client_error(
			e, "55000", "%zu answers wait for lf_client_next()", c->completions_n);
	return poll_waiting(c, quiet_since, e) < 0 ? -1 : 0;
}

int waiter_run(struct lf_client *c, enum wire_type type, const void *head, size_t nhead,
	const void *body, size_t nbody, const struct group *g, struct waiter *w)
{
	uint64_t quiet_since = client_now_ms();
	int status;

	if (client_ready(c, true, w->e) != 0)
		return -1;
	while ((status = request_send(c, type, head, nhead, body, nbody, g, false, NULL, w->e)) !=
		0)
		if (status < 0 || wait_for_room(c, &quiet_since, w->e) != 0)
			return -1;
	while (!w->done)
		(void)poll_waiting(c, &quiet_since, NULL);
	return w->failed ? -1 : 0;
}

int lf_client_execute(struct lf_client *c, struct lf_statement *s, const struct lf_params *p,
	const struct lf_client_call *how, struct lf_result *r, struct lf_client_error *e)
{
	return lf_client_execute_with(c, s, p, how, NULL, r, e);
}

/* --- several reads --- */

struct reads_waiter {
	const struct lf_client_read *reads;
	uint64_t first;
	unsigned left;
	unsigned failed_at; /* the first that failed; UINT_MAX: none */
	struct lf_client_error *e;
};

static void read_done(void *arg, uint64_t request, const struct lf_result *r)
{
	struct reads_waiter *w = arg;
	unsigned i = (unsigned)(request - w->first);
	struct lf_result *own = w->reads[i].result;
	struct lf_client_error no_memory;
	const struct lf_client_error *error = r->failed ? &r->error : NULL;

	w->left--;
	if (own != NULL && lf_result_copy(own, r) != 0) {
		client_no_memory(&no_memory);
		error = &no_memory;
	}
	if (error != NULL && i < w->failed_at) {
		w->failed_at = i;
		if (w->e != NULL)
			*w->e = *error;
	}
}

/* Append them to the output. 0, LF_WOULD_BLOCK, -1. */
static int reads_send(struct lf_client *c, struct reads_waiter *w, unsigned n,
	const struct lf_client_call *how, struct lf_client_error *e)
{
	int status = lf_client_reads_begin(c, how, read_done, NULL, w, e);

	if (status != 0)
		return status;
	for (unsigned i = 0; i < n && status == 0; i++)
		status = lf_client_reads_add(c, w->reads[i].statement, w->reads[i].params, e);
	if (status == LF_WOULD_BLOCK && c->batch_at == 0 && c->inflight == 0 &&
		c->completions_n == 0)
		status = client_error(e, "54000", "%u reads do not fit one frame", n);
	if (status != 0) {
		lf_client_batch_cancel(c);
		return status;
	}
	return lf_client_batch_end(c, &w->first, e);
}

int lf_client_read(struct lf_client *c, const struct lf_client_read *reads, unsigned n,
	const struct lf_client_call *how, struct lf_client_error *e)
{
	struct reads_waiter w = { .reads = reads, .left = n, .failed_at = UINT_MAX, .e = e };
	uint64_t quiet_since = client_now_ms();
	int status;

	for (unsigned i = 0; i < n; i++)
		if (reads[i].result != NULL)
			result_reset(reads[i].result);
	if (client_ready(c, true, e) != 0)
		return -1;
	while ((status = reads_send(c, &w, n, how, e)) != 0)
		if (status < 0 || wait_for_room(c, &quiet_since, e) != 0)
			return -1;
	while (w.left > 0)
		(void)poll_waiting(c, &quiet_since, NULL);
	return w.failed_at == UINT_MAX ? 0 : -1;
}

int lf_client_query(struct lf_client *c, const char *text, size_t len,
	const struct lf_client_call *how, struct lf_result *r, struct lf_client_error *e)
{
	struct waiter w = { .result = r, .e = e };
	struct group g = { .op = OPERATION_QUERY, .each = waiter_done, .arg = &w };
	struct wire_query head;

	if (r != NULL)
		result_reset(r);
	if (query_head(&head, c, how, e) != 0)
		return -1;
	return waiter_run(c, WIRE_QUERY, &head, sizeof(head), text,
		len == SIZE_MAX ? strlen(text) : len, &g, &w);
}

int lf_client_ping(struct lf_client *c, struct lf_client_error *e)
{
	struct waiter w = { .e = e };
	struct group g = { .op = OPERATION_PING, .each = waiter_done, .arg = &w };

	return waiter_run(c, WIRE_PING, NULL, 0, NULL, 0, &g, &w);
}

int lf_client_hold(struct lf_client *c, uint32_t timeout_ms, struct lf_client_error *e)
{
	struct waiter w = { .e = e };
	struct group g = { .op = OPERATION_HOLD, .each = waiter_done, .arg = &w };
	struct wire_hold head = { .timeout_ms = timeout_ms };

	return waiter_run(c, WIRE_HOLD, &head, sizeof(head), NULL, 0, &g, &w);
}

int lf_client_release(struct lf_client *c, uint64_t *epoch, struct lf_client_error *e)
{
	struct waiter w = { .e = e };
	struct group g = { .op = OPERATION_HOLD, .each = waiter_done, .arg = &w };

	if (waiter_run(c, WIRE_RELEASE, NULL, 0, NULL, 0, &g, &w) != 0)
		return -1;
	if (epoch != NULL)
		*epoch = w.epoch;
	return 0;
}

static int text_request(struct lf_client *c, enum wire_type type, enum operation op, char **text,
	size_t *len, struct lf_client_error *e)
{
	struct waiter w = { .e = e };
	struct group g = { .op = op, .each = waiter_done, .arg = &w };

	*text = NULL;
	if (waiter_run(c, type, NULL, 0, NULL, 0, &g, &w) != 0)
		return -1;
	*text = w.text;
	if (len != NULL)
		*len = w.length;
	return 0;
}

int lf_client_info(struct lf_client *c, char **text, size_t *len, struct lf_client_error *e)
{
	return text_request(c, WIRE_INFO, OPERATION_INFO, text, len, e);
}

int lf_client_schema(struct lf_client *c, char **text, size_t *len, struct lf_client_error *e)
{
	return text_request(c, WIRE_SCHEMA, OPERATION_SCHEMA, text, len, e);
}
