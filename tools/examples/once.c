/*
 * once.c: commands that are executed exactly once, whatever happens to the connection or the server.
 *
 *     cc once.c -o once $(pkg-config --cflags --libs leftfold)
 *     ./once 127.0.0.1:5466 1 10000
 *
 * The arguments: where the server is, a client id that no other process uses at the same time, how many payments are made.
 * One in ten is waited for; the library sends such a command again by itself. The others are sent together, and those without
 * an answer are sent again here, by the numbers that they had. Kill the server in the meantime, and start it again: at the
 * end the client's account has one more for each payment.
 */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <leftfold.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WINDOW = 100, RECONNECTS = 200 };

struct payment {
	uint64_t client, number; /* by which it was sent; 0: it was not yet */
	int done;
};

static void die(const char *what, const struct lf_client_error *e)
{
	fprintf(stderr, "%s: %s: %s %s\n", what, e->sqlstate, e->message, e->detail);
	exit(1);
}

static struct lf_statement *must_prepare(struct lf_client *c, const char *text)
{
	struct lf_client_error e;
	struct lf_statement *s;

	if (lf_client_prepare(&s, c, text, SIZE_MAX, NULL, 0, &e) != 0)
		die(text, &e);
	return s;
}

/* Waits for the answer; a lost connection is made again, and the command sent with the same number. */
static int64_t must_execute(struct lf_client *c, struct lf_statement *s, const struct lf_params *p)
{
	/* A query is to see all that was acknowledged here. */
	struct lf_client_call durable = { LF_ACK_DURABLE, 10000, LF_EPOCH_OWN };
	struct lf_result *r = lf_result_new();
	struct lf_client_error e;
	int64_t value;

	if (lf_client_execute(c, s, p, &durable, r, &e) != 0)
		die("executing", &e);
	value = lf_result_int(r, 0, 0);
	lf_result_free(r);
	return value;
}

/* An answer, or none: then the payment keeps the numbers, to be sent again. */
static void on_paid(void *arg, uint64_t request, const struct lf_result *r)
{
	struct payment *paid = arg;

	(void)request;
	if (lf_result_error(r) == NULL)
		paid->done = 1;
	else if (!lf_result_resend(r) || !lf_result_once(r, &paid->client, &paid->number))
		die("paying", lf_result_error(r));
}

static void nap(void)
{
	struct timespec t = { 0, 50 * 1000 * 1000 };

	(void)nanosleep(&t, NULL);
}

static void reconnect(struct lf_client *c)
{
	struct lf_client_error e;
	int tries = 0;

	while (!lf_client_connected(c) && lf_client_reconnect(c, &e) != 0)
		if (++tries == RECONNECTS)
			die("connecting again", &e);
		else
			nap();
}

/* Send those that are not done, and wait for their answers, as far as the connection carries. */
static void send_all(struct lf_client *c, struct lf_statement *s, const struct lf_params *p,
	struct payment *payments, int n)
{
	struct lf_client_call durable = { LF_ACK_DURABLE, 0, 0 };

	for (int i = 0; i < n; i++) {
		struct lf_client_command again = { 0 };

		if (payments[i].done)
			continue;
		again.client = payments[i].client;
		again.request = payments[i].number;
		if (lf_client_send_with(
			    c, s, p, &durable, &again, on_paid, &payments[i], NULL, NULL) != 0)
			break;
	}
	(void)lf_client_wait(c, -1, NULL);
}

static void pay(struct lf_client *c, struct lf_statement *s, const struct lf_params *p, int n)
{
	struct payment payments[WINDOW];
	int left = n;

	memset(payments, 0, sizeof(payments));
	while (left > 0) {
		send_all(c, s, p, payments, n);
		reconnect(c);
		left = 0;
		for (int i = 0; i < n; i++)
			left += !payments[i].done;
	}
}

int main(int argc, char **argv)
{
	struct lf_client_options o = lf_client_options_default();
	struct lf_statement *open, *add, *balance;
	struct lf_client_error e;
	struct lf_params *p;
	struct lf_client *c;
	int64_t before, after;
	int payments;

	if (argc != 4) {
		fprintf(stderr, "usage: once HOST:PORT CLIENT-ID PAYMENTS\n");
		return 2;
	}
	o.address = argv[1];
	o.once_client = strtoull(argv[2], NULL, 10);
	payments = atoi(argv[3]);
	for (int tries = 0; lf_client_open(&c, &o, &e) != 0; nap())
		if (++tries == RECONNECTS)
			die(o.address, &e);
	open = must_prepare(c, "INSERT INTO account VALUES ($1, 0) ON CONFLICT DO NOTHING");
	add = must_prepare(c, "UPDATE account SET balance = balance + 1 WHERE id = $1");
	balance = must_prepare(c, "SELECT balance FROM account WHERE id = $1");
	p = lf_params_new(open);
	lf_params_set_int(p, 0, (int64_t)o.once_client);
	(void)must_execute(c, open, p);
	before = must_execute(c, balance, p);
	for (int i = 0; i < payments;) {
		int n = payments - i < WINDOW ? payments - i : WINDOW;
		int together = n * 9 / 10;

		pay(c, add, p, together);
		for (int k = together; k < n; k++)
			(void)must_execute(c, add, p);
		i += n;
	}
	after = must_execute(c, balance, p);
	printf("%d payments, balance %" PRId64 "\n", payments, after);
	lf_params_free(p);
	lf_client_close(c);
	return after - before == payments ? 0 : 1;
}
