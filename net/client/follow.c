/*
 * follow.c: a subscription that outlives its connections.
 *
 * One connection with one subscription, read through lf_client_feed_next(). When it is lost, or the server ends the subscription
 * for being slow, another one is made after a pause that grows, and goes on behind the last whole group; behind a snapshot that
 * was not whole it begins anew. What would happen again (a query that is wrong, a table that is gone) is an end.
 */
#include "net/client/client_internal.h"

#include <poll.h>
#include <stdlib.h>

enum { RETRY_MS_FIRST = 50, RETRY_MS_MAX = 2000, CONNECT_MS = 5000, EPOCH_MS = 10000 };

struct lf_follower {
	struct lf_follower_options options;
	struct lf_client *client; /* NULL: not connected */
	struct lf_statement *statement;
	struct lf_client_feed *feed;
	uint64_t epoch, reconnects;
	unsigned pause_ms;
	uint64_t next_ms;             /* not to be tried before */
	struct lf_client_error error; /* why it has ended */
	bool ended;
};

struct lf_follower_options lf_follower_options_default(void)
{
	struct lf_follower_options o = { .client = lf_client_options_default(),
		.retry_ms_max = RETRY_MS_MAX };

	o.client.connect_timeout_ms = CONNECT_MS;
	o.subscribe.timeout_ms = EPOCH_MS;
	return o;
}

static int set_params(struct lf_params *p, const struct lf_follower_options *o)
{
	for (unsigned i = 0; i < o->nparams; i++) {
		if (o->params[i] == NULL)
			(void)lf_params_set_null(p, i);
		else
			(void)lf_params_parse(p, i, o->params[i], SIZE_MAX);
	}
	return lf_params_error(p) == NULL ? 0 : -1;
}

static int subscribe(struct lf_follower *f, struct lf_client_error *e)
{
	struct lf_client_subscribe_options how = f->options.subscribe;
	struct lf_params *p;
	int status;

	if (lf_client_prepare(&f->statement, f->client, f->options.text, SIZE_MAX, NULL, 0, e) != 0)
		return -1;
	if (lf_statement_nparams(f->statement) != f->options.nparams)
		return client_error(e, "42P02", "the query has %u parameters, not %u",
			lf_statement_nparams(f->statement), f->options.nparams);
	p = lf_params_new(f->statement);
	if (p == NULL)
		return client_no_memory(e);
	how.from = f->epoch;
	status = set_params(p, &f->options);
	if (status != 0 && e != NULL)
		*e = *lf_params_error(p);
	if (status == 0)
		status = lf_client_subscribe(
			&f->feed, f->client, f->statement, p, &how, NULL, NULL, e);
	lf_params_free(p);
	return status == 0 ? 0 : -1;
}

static void disconnect(struct lf_follower *f)
{
	lf_client_close(f->client);
	f->client = NULL;
	f->statement = NULL;
	f->feed = NULL;
}

static int reconnect(struct lf_follower *f, struct lf_client_error *e)
{
	if (lf_client_open(&f->client, &f->options.client, e) == 0 && subscribe(f, e) == 0)
		return 0;
	disconnect(f);
	return -1;
}

int lf_follower_open(
	struct lf_follower **out, const struct lf_follower_options *o, struct lf_client_error *e)
{
	struct lf_follower *f = calloc(1, sizeof(*f));

	*out = NULL;
	if (f == NULL)
		return client_no_memory(e);
	f->options = *o;
	f->epoch = o->subscribe.from;
	f->pause_ms = RETRY_MS_FIRST;
	if (reconnect(f, e) != 0) {
		free(f);
		return -1;
	}
	*out = f;
	return 0;
}

/* Whether trying again may go better: the connection, the server's end, its limits, being slow. */
static bool passes(const struct lf_client_error *e)
{
	static const char *const STATES[] = { "08001", "08006", "57P01", "57P05", "53300", "53200",
		"LF009" };

	for (size_t i = 0; i < sizeof(STATES) / sizeof(STATES[0]); i++)
		if (strcmp(e->sqlstate, STATES[i]) == 0)
			return true;
	return false;
}

/* Give the connection up, or all of it. */
static int lose(struct lf_follower *f, const struct lf_client_error *why, struct lf_client_error *e)
{
	disconnect(f);
	if (!f->options.once && passes(why)) {
		f->next_ms = client_now_ms() + f->pause_ms;
		f->pause_ms *= 2;
		if (f->pause_ms > f->options.retry_ms_max)
			f->pause_ms = f->options.retry_ms_max;
		return 0;
	}
	f->ended = true;
	f->error = *why;
	if (e != NULL)
		*e = *why;
	return -1;
}

/* The pause before the next attempt, or as much of it as there is time for. */
static void rest(uint64_t until_ms, int left_ms)
{
	uint64_t now = client_now_ms();
	int ms = until_ms > now ? (int)(until_ms - now) : 0;

	if (left_ms >= 0 && left_ms < ms)
		ms = left_ms;
	if (ms > 0)
		(void)poll(NULL, 0, ms);
}

int lf_follower_next(struct lf_follower *f, int timeout_ms, const struct lf_client_group **g,
	struct lf_client_error *e)
{
	uint64_t deadline = timeout_ms > 0 ? client_now_ms() + (uint64_t)timeout_ms : 0;
	struct lf_client_error why;

	while (!f->ended) {
		int left = client_left_ms(timeout_ms, deadline), status;

		if (f->client == NULL) {
			rest(f->next_ms, left);
			left = client_left_ms(timeout_ms, deadline);
			if (left == 0 && client_now_ms() < f->next_ms)
				return 0;
			status = reconnect(f, &why);
			f->reconnects += status == 0;
		} else {
			status = lf_client_feed_next(f->feed, left, g, &why);
			if (status > 0) {
				f->epoch = lf_client_feed_epoch(f->feed);
				f->pause_ms = RETRY_MS_FIRST;
				return 1;
			}
			if (status == 0)
				return 0;
		}
		if (status < 0 && lose(f, &why, e) != 0)
			return -1;
		if (client_left_ms(timeout_ms, deadline) == 0)
			return 0;
	}
	if (e != NULL)
		*e = f->error;
	return -1;
}

uint64_t lf_follower_epoch(const struct lf_follower *f)
{
	return f->epoch;
}

uint64_t lf_follower_reconnects(const struct lf_follower *f)
{
	return f->reconnects;
}

const struct lf_statement *lf_follower_statement(const struct lf_follower *f)
{
	return f->statement;
}

void lf_follower_close(struct lf_follower *f)
{
	if (f == NULL)
		return;
	lf_client_close(f->client);
	free(f);
}
