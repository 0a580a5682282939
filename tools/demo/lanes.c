/*
 * lanes.c: the client library's batches over several connections.
 *
 * Each lane has at most one open batch. A command of another statement, or BATCH executions, end it. When the
 * library would block, all lanes are polled.
 */
#include "tools/demo/lanes.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tools/demo/print.h"

enum {
	LANES = 4,
	STATEMENTS_MAX = 64,
	BATCH = 256,
	POLL_MS = 20,
	ANSWER_MS = 60000,
	NO_BATCH = -1
};

struct lane {
	struct lf_client *client;
	struct lf_statement *statement[STATEMENTS_MAX];
	int open; /* statement of the open batch, or NO_BATCH */
	unsigned in_batch;
};

struct lanes {
	struct lane lane[LANES];
	struct lf_params *params[STATEMENTS_MAX];
	unsigned statements;
	struct lanes_tally tally;
	uint64_t
		answer_ns; /* when an answer came, or a command was sent to lanes that waited for none */
};

static void check(int status, const struct lf_client_error *e)
{
	if (status < 0)
		die("%s: %s %s", e->sqlstate, e->message, e->detail);
}

struct lanes *lanes_open(const char *address)
{
	struct lf_client_options o = lf_client_options_default();
	struct lanes *l = calloc(1, sizeof(*l));
	struct lf_client_error e;

	if (l == NULL)
		die("out of memory");
	o.address = address;
	for (unsigned i = 0; i < LANES; i++) {
		check(lf_client_open(&l->lane[i].client, &o, &e), &e);
		l->lane[i].open = NO_BATCH;
	}
	return l;
}

void lanes_close(struct lanes *l)
{
	for (unsigned i = 0; i < LANES; i++)
		lf_client_close(l->lane[i].client);
	for (unsigned i = 0; i < l->statements; i++)
		lf_params_free(l->params[i]);
	free(l);
}

unsigned lanes_prepare(struct lanes *l, const char *text)
{
	unsigned n = l->statements;
	struct lf_client_error e;

	if (n == STATEMENTS_MAX)
		die("more than %d statements", STATEMENTS_MAX);
	for (unsigned i = 0; i < LANES; i++)
		if (lf_client_prepare(&l->lane[i].statement[n], l->lane[i].client, text, SIZE_MAX,
			    NULL, 0, &e) != 0)
			die("%s: %s\n%s", e.sqlstate, e.message, text);
	l->params[n] = lf_params_new(l->lane[0].statement[n]);
	if (l->params[n] == NULL)
		die("out of memory");
	l->statements = n + 1;
	return n;
}

struct lf_params *lanes_params(struct lanes *l, unsigned statement)
{
	return l->params[statement];
}

static void on_answer(void *arg, uint64_t request, const struct lf_result *r)
{
	struct lanes *l = arg;
	const struct lf_client_error *e = lf_result_error(r);

	(void)request;
	l->tally.answered++;
	if (e == NULL)
		l->tally.unmatched += lf_result_count(r) == 0;
	else if (strcmp(e->sqlstate, "23514") == 0)
		l->tally.refused++;
	else
		die("a command failed: %s: %s %s", e->sqlstate, e->message, e->detail);
}

static void end_batch(struct lane *lane)
{
	struct lf_client_error e;

	if (lane->open == NO_BATCH)
		return;
	check(lf_client_batch_end(lane->client, NULL, &e), &e);
	lane->open = NO_BATCH;
}

/* Send what is open, take what answers there are, in every lane: a lane that is not read for long is closed by
 * the server. Waits a moment for this one. */
static void poll_all(struct lanes *l, struct lane *wait_for)
{
	uint64_t answered = l->tally.answered;
	struct lf_client_error e;

	for (unsigned i = 0; i < LANES; i++) {
		end_batch(&l->lane[i]);
		check(lf_client_poll(l->lane[i].client, 0, &e), &e);
	}
	if (l->tally.answered == answered)
		check(lf_client_poll(wait_for->client, POLL_MS, &e), &e);
	if (l->tally.answered != answered)
		l->answer_ns = now_ns();
	else if ((now_ns() - l->answer_ns) / 1000000 > ANSWER_MS)
		die("no answer for %d s", ANSWER_MS / 1000);
}

static bool try_add(struct lanes *l, struct lane *lane, unsigned statement)
{
	const struct lf_client_call durable = { LF_ACK_DURABLE, 0, 0 };
	struct lf_client_error e;
	int status;

	if (lane->open != (int)statement || lane->in_batch == BATCH) {
		end_batch(lane);
		status = lf_client_batch_begin(
			lane->client, lane->statement[statement], &durable, on_answer, NULL, l, &e);
		check(status, &e);
		if (status == LF_WOULD_BLOCK)
			return false;
		lane->open = (int)statement;
		lane->in_batch = 0;
	}
	status = lf_client_batch_add(lane->client, l->params[statement], &e);
	check(status, &e);
	lane->in_batch += status == 0;
	return status == 0;
}

void lanes_send(struct lanes *l, int64_t key, unsigned statement)
{
	struct lane *lane = &l->lane[(uint64_t)key % LANES];

	if (l->tally.answered == l->tally.sent)
		l->answer_ns = now_ns();
	while (!try_add(l, lane, statement))
		poll_all(l, lane);
	l->tally.sent++;
}

void lanes_wait(struct lanes *l)
{
	for (unsigned i = 0; i < LANES; i++) {
		end_batch(&l->lane[i]);
		while (lf_client_inflight(l->lane[i].client) > 0)
			poll_all(l, &l->lane[i]);
	}
}

struct lanes_tally lanes_tally(const struct lanes *l)
{
	return l->tally;
}

uint64_t lanes_epoch(const struct lanes *l)
{
	uint64_t newest = 0;

	for (unsigned i = 0; i < LANES; i++)
		if (lf_client_epoch(l->lane[i].client) > newest)
			newest = lf_client_epoch(l->lane[i].client);
	return newest;
}
