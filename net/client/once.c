/*
 * once.c: executions that are waited for, over lost connections: commands have numbers by which the server knows them, so
 * they may be sent again.
 *
 * A command is numbered once, before it is sent for the first time. When the connection is lost, or the server says that it
 * is stopping or does not know the outcome, the client connects again, a little later each time, and sends it with the same
 * number, until there is an answer or the time is over: then the error is the last one, and the outcome stays unknown.
 */
#include "net/client/client_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { BACKOFF_MS_MIN = 5, BACKOFF_MS_MAX = 500 };

/* --- the connection anew --- */

/* As after lf_client_open_fd(), but for statements, numbers, and answers that wait to be taken. */
static void client_renew(struct lf_client *c, int fd)
{
	close(c->fd);
	c->fd = fd;
	c->broken = c->warned = false;
	c->in.head = c->in.used = 0;
	c->out.head = c->out.used = 0;
	c->oldest = c->next;
}

static int statements_renew(struct lf_client *c)
{
	for (struct lf_statement *s = c->statements; s != NULL && !c->broken; s = s->next)
		if (!s->closed)
			(void)statement_prepare_again(s);
	return c->broken ? -1 : 0;
}

static int reconnect(struct lf_client *c, unsigned timeout_ms, struct lf_client_error *e)
{
	int fd;

	/* What is outstanding was asked of the connection that is lost. */
	request_fail_all(c);
	fd = client_connect(c->options.address, timeout_ms, e);
	if (fd < 0)
		return -1;
	client_renew(c, fd);
	if (client_greet(c, timeout_ms, e) != 0) {
		client_break(c, "08006", "%s", "the server could not be greeted again");
		(void)lf_client_poll(c, 0, NULL);
		return -1;
	}
	return statements_renew(c) == 0 ? 0 : client_ready(c, true, e);
}

int lf_client_reconnect(struct lf_client *c, struct lf_client_error *e)
{
	if (c->dispatching || c->batching)
		return client_ready(c, true, e);
	if (!c->broken)
		return client_error(e, "55000", "the connection is not lost");
	if (c->options.address == NULL)
		return client_error(e, "55000", "the connection was not made to an address");
	return reconnect(c, c->options.connect_timeout_ms, e);
}

/* --- what may be sent again --- */

static bool is_one_of(const char *state, const char *const *states)
{
	for (; *states != NULL; states++)
		if (strcmp(state, *states) == 0)
			return true;
	return false;
}

/* The answer may be had over another connection. */
static bool is_lost(const char *state)
{
	static const char *const STATES[] = { "08001", "08006", "53300", "57P01", "57P05", "LF003",
		NULL };

	return is_one_of(state, STATES);
}

bool lf_result_once(const struct lf_result *r, uint64_t *client, uint64_t *request)
{
	if (client != NULL)
		*client = r->once_client;
	if (request != NULL)
		*request = r->once_request;
	return r->once_client != 0;
}

bool lf_result_resend(const struct lf_result *r)
{
	static const char *const STATES[] = { "53100", "53200", "LF002", "LF005", NULL };

	return r->failed && r->once_client != 0 &&
		(is_lost(r->error.sqlstate) || is_one_of(r->error.sqlstate, STATES));
}

uint64_t lf_client_once_next(const struct lf_client *c)
{
	return c->options.once_client != 0 ? c->once_next : 0;
}

/* --- executing --- */

static void nap(unsigned ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	(void)nanosleep(&t, NULL);
}

/* Connect again until the deadline. */
static int reconnect_until(struct lf_client *c, uint64_t deadline, struct lf_client_error *e)
{
	unsigned backoff = BACKOFF_MS_MIN;

	if (!c->broken) {
		/* It said that it stops, or cannot write: it is about to end. */
		client_break(c, "08006", "%s", "given up, to connect again");
		(void)lf_client_poll(c, 0, NULL);
	}
	for (;;) {
		uint64_t now = client_now_ms(), left = deadline > now ? deadline - now : 0;
		unsigned limit = c->options.connect_timeout_ms;

		if (left == 0)
			return -1;
		if (limit == 0 || limit > left)
			limit = (unsigned)left;
		if (reconnect(c, limit, e) == 0)
			return 0;
		if (!is_lost(e->sqlstate))
			return -1;
		nap(backoff < left ? backoff : (unsigned)left);
		backoff = backoff < BACKOFF_MS_MAX / 2 ? 2 * backoff : BACKOFF_MS_MAX;
	}
}

/* Send it over the connection that there is. */
static int execute_now(struct lf_client *c, const struct execution *x, struct execute_start *start,
	struct lf_result *r, struct lf_client_error *e)
{
	struct waiter w = { .result = r, .e = e };
	struct group g = { .op = OPERATION_EXECUTE,
		.each = waiter_done,
		.arg = &w,
		.statement = x->statement,
		.shape = x->statement->shape };
	const unsigned char *row;
	size_t size;

	if (r != NULL)
		result_reset(r);
	if (execute_prepare(start, c, x, &row, &size, e) != 0)
		return -1;
	execute_group(start, &g);
	execute_sent(c, &g, start->numbered, 1);
	return waiter_run(c, WIRE_EXECUTE, start, start->size, row, size, &g, &w);
}

/* Whether a call that failed so may be made again over another connection. */
static bool may_retry(const struct lf_client *c, const struct lf_client_error *e)
{
	return is_lost(e->sqlstate) && c->options.retry_ms > 0 && c->options.address != NULL &&
		!c->dispatching && !c->batching;
}

static void gave_up(const struct lf_client *c, struct lf_client_error *e)
{
	struct lf_client_error last = *e;

	client_error(e, "08006",
		"no answer in %u ms of trying again: the outcome of the request is unknown",
		c->options.retry_ms);
	(void)snprintf(e->detail, sizeof(e->detail), "%s: %.500s", last.sqlstate, last.message);
}

static int execute_again(struct lf_client *c, const struct execution *x,
	struct execute_start *start, struct lf_result *r, struct lf_client_error *e)
{
	uint64_t deadline = client_now_ms() + c->options.retry_ms;
	struct lf_client_command numbered = { 0 };
	struct execution again = *x;
	int status = -1;

	if (x->command != NULL)
		numbered = *x->command;
	numbered.client = start->once.client;
	numbered.request = start->once.request;
	again.command = &numbered;
	while (status != 0 && is_lost(e->sqlstate)) {
		if (reconnect_until(c, deadline, e) != 0)
			break;
		status = execute_now(c, &again, start, r, e);
	}
	return status;
}

int lf_client_execute_with(struct lf_client *c, struct lf_statement *s, const struct lf_params *p,
	const struct lf_client_call *how, const struct lf_client_command *command,
	struct lf_result *r, struct lf_client_error *e)
{
	struct execution x = { s, p, how, command };
	struct execute_start start = { .size = 0 };
	struct lf_client_error own;
	int status;

	if (e == NULL)
		e = &own;
	status = execute_now(c, &x, &start, r, e);
	if (status == 0 || !may_retry(c, e))
		return status;
	/* What changes nothing may be sent again in any case. */
	if ((s->shape->kind == LF_STATEMENT_QUERY ? c->options.once_client : start.once.client) ==
		0)
		return status;
	status = execute_again(c, &x, &start, r, e);
	if (status != 0 && is_lost(e->sqlstate))
		gave_up(c, e);
	if (status != 0 && r != NULL) {
		r->failed = true;
		r->error = *e;
	}
	return status;
}

int lf_client_prepare(struct lf_statement **out, struct lf_client *c, const char *text, size_t len,
	const uint8_t *types, unsigned ntypes, struct lf_client_error *e)
{
	uint64_t deadline = client_now_ms() + c->options.retry_ms;
	struct lf_client_error own;
	int status;

	if (e == NULL)
		e = &own;
	status = statement_prepare(out, c, text, len, types, ntypes, e);
	while (status != 0 && c->options.once_client != 0 && may_retry(c, e) &&
		reconnect_until(c, deadline, e) == 0)
		status = statement_prepare(out, c, text, len, types, ntypes, e);
	return status;
}
