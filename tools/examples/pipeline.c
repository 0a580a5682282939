/*
 * pipeline.c: the client library used for throughput: one table, one view, many commands and reads under way.
 *
 *     cc pipeline.c -o pipeline $(pkg-config --cflags --libs leftfold)
 *     ./pipeline 127.0.0.1:5466 100000
 *
 * Votes are sent in batches, with up to WINDOW of them unanswered; then the view is read by key the same way,
 * at an epoch that holds every vote, and compared with what was sent.
 */
#include <inttypes.h>
#include <leftfold.h>
#include <stdio.h>
#include <stdlib.h>

enum { CANDIDATES = 100, BATCH = 256, WINDOW = 16 * BATCH };

static void die(const char *what, const struct lf_client_error *e)
{
	fprintf(stderr, "%s: %s: %s\n", what, e->sqlstate, e->message);
	exit(1);
}

static void must_query(struct lf_client *c, const char *text)
{
	struct lf_client_error e;

	if (lf_client_query(c, text, SIZE_MAX, NULL, NULL, &e) != 0)
		die(text, &e);
}

static struct lf_statement *must_prepare(struct lf_client *c, const char *text)
{
	struct lf_statement *s;
	struct lf_client_error e;

	if (lf_client_prepare(&s, c, text, SIZE_MAX, NULL, 0, &e) != 0)
		die(text, &e);
	return s;
}

/* A whole batch is answered. */
static void on_votes(void *arg, const struct lf_client_batch *b)
{
	uint64_t *done = arg;

	if (b->failed > 0)
		die("a vote", b->error);
	*done += b->n;
}

/* One read is answered: its row says how many votes there are. */
static void on_tally(void *arg, uint64_t request, const struct lf_result *r)
{
	int64_t *sum = arg;

	(void)request;
	if (lf_result_error(r) != NULL)
		die("a read", lf_result_error(r));
	*sum += lf_result_int(r, 0, 0);
}

static void poll_once(struct lf_client *c)
{
	struct lf_client_error e;

	if (lf_client_poll(c, -1, &e) < 0)
		die("polling", &e);
}

static void vote(struct lf_client *c, int64_t votes)
{
	struct lf_statement *insert = must_prepare(c, "INSERT INTO vote VALUES ($1, $2)");
	struct lf_params *p = lf_params_new(insert);
	struct lf_client_call durable = { LF_ACK_DURABLE, 0, 0 };
	struct lf_client_error e;
	uint64_t done = 0;

	for (int64_t i = 0; i < votes;) {
		int status;

		while (lf_client_inflight(c) >= WINDOW)
			poll_once(c);
		status = lf_client_batch_begin(c, insert, &durable, NULL, on_votes, &done, &e);
		for (int k = 0; status == 0 && k < BATCH && i < votes; k++) {
			lf_params_set_int(p, 0, i);
			lf_params_set_int(p, 1, i % CANDIDATES);
			status = lf_client_batch_add(c, p, &e);
			i += status == 0;
		}
		if (status < 0 || lf_client_batch_end(c, NULL, &e) < 0)
			die("sending", &e);
		if (status == LF_WOULD_BLOCK)
			poll_once(c);
	}
	if (lf_client_wait(c, -1, &e) < 0)
		die("waiting", &e);
	printf("%" PRIu64 " votes, the last in epoch %" PRIu64 "\n", done, lf_client_epoch(c));
	lf_params_free(p);
	lf_statement_close(insert);
}

static int64_t count(struct lf_client *c)
{
	struct lf_statement *select = must_prepare(
		c, "SELECT votes FROM tally WHERE candidate = $1");
	struct lf_params *p = lf_params_new(select);
	struct lf_client_call own = { LF_ACK_VISIBLE, 10000, LF_EPOCH_OWN };
	struct lf_client_error e;
	int64_t sum = 0;

	for (int64_t candidate = 0; candidate < CANDIDATES; candidate++) {
		int status;

		lf_params_set_int(p, 0, candidate);
		while ((status = lf_client_send(c, select, p, &own, on_tally, &sum, NULL, &e)) ==
			LF_WOULD_BLOCK)
			poll_once(c);
		if (status < 0)
			die("sending", &e);
	}
	if (lf_client_wait(c, -1, &e) < 0)
		die("waiting", &e);
	lf_params_free(p);
	lf_statement_close(select);
	return sum;
}

int main(int argc, char **argv)
{
	struct lf_client_options o = lf_client_options_default();
	int64_t votes = argc > 2 ? atoll(argv[2]) : 10000, sum;
	struct lf_client_error e;
	struct lf_client *c;

	o.address = argc > 1 ? argv[1] : "127.0.0.1:5466";
	if (votes < CANDIDATES) {
		fprintf(stderr, "at least %d votes, please\n", CANDIDATES);
		return 2;
	}
	if (lf_client_open(&c, &o, &e) != 0)
		die(o.address, &e);
	must_query(c, "CREATE TABLE vote (id bigint PRIMARY KEY, candidate int NOT NULL)");
	must_query(c,
		"CREATE MATERIALIZED VIEW tally AS"
		" SELECT candidate, count(*) AS votes FROM vote GROUP BY candidate");
	must_query(c, "CREATE UNIQUE INDEX ON tally (candidate)");
	vote(c, votes);
	sum = count(c);
	printf("%" PRId64 " votes counted for %d candidates\n", sum, CANDIDATES);
	lf_client_close(c);
	return sum == votes ? 0 : 1;
}
