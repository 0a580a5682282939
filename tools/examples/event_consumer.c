/*
 * event_consumer.c: a consumer of the event log: a projection of one's own, kept outside the server.
 *
 *     cc event_consumer.c -o event_consumer $(pkg-config --cflags --libs leftfold)
 *     leftfoldd --data DIR --event-log &
 *     ./event_consumer 127.0.0.1:5466 1000
 *
 * It makes some transfers between accounts, each with the name of who asked for it, and takes part in the group "audit", which
 * is given the commands one aggregate after the other in their order. From what they changed it keeps each account's balance
 * and how many transfers each client made, and acknowledges what it has taken in. An event that it has had before (at least
 * once is what is promised) it knows by its position. In the end its balances must be the server's.
 */
#include <inttypes.h>
#include <leftfold.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ACCOUNTS = 20, CLIENTS = 3 };

struct audit {
	struct lf_client *c;
	uint64_t request;
	int64_t balance[ACCOUNTS];
	struct lf_event_position last[ACCOUNTS]; /* of each account's events that were taken in */
	unsigned transfers[CLIENTS];
	uint64_t events;
	int ended;
};

static void die(const char *what, const struct lf_client_error *e)
{
	fprintf(stderr, "%s: %s: %s\n", what, e->sqlstate, e->message);
	exit(1);
}

static int is_behind(struct lf_event_position a, struct lf_event_position b)
{
	if (a.epoch != b.epoch)
		return a.epoch > b.epoch;
	return a.shard != b.shard ? a.shard > b.shard : a.number > b.number;
}

static void take_in(struct audit *a, const struct lf_event *ev)
{
	int64_t account = lf_result_int(ev->key, 0, 0);

	/* There may be other tables; these commands change one row of this one. */
	if (strcmp(ev->changes[0].table, "purse") != 0 ||
		!is_behind(ev->position, a->last[account]))
		return;
	a->last[account] = ev->position;
	a->balance[account] = lf_result_int(ev->changes[0].row, 0, 1);
	for (unsigned k = 0; k < CLIENTS; k++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "client %u", k);
		if (ev->meta_bytes == strlen(name) && memcmp(ev->meta, name, ev->meta_bytes) == 0)
			a->transfers[k]++;
	}
	a->events++;
}

static void on_event(void *arg, const struct lf_event *ev)
{
	struct audit *a = arg;
	struct lf_client_error e;

	if (ev->key != NULL)
		take_in(a, ev);
	if (lf_consumer_settle(a->c, a->request, LF_CONSUMER_ACKNOWLEDGE, &ev->position, 1, &e) !=
		0)
		die("acknowledging", &e);
}

static void on_end(void *arg, struct lf_event_position reached, const struct lf_client_error *e)
{
	struct audit *a = arg;

	(void)reached;
	a->ended = 1;
	if (e != NULL && strcmp(e->sqlstate, "57014") != 0)
		die("the consumer", e);
}

static struct lf_client *must_open(const char *address)
{
	struct lf_client_options o = lf_client_options_default();
	struct lf_client_error e;
	struct lf_client *c;

	o.address = address;
	if (lf_client_open(&c, &o, &e) != 0)
		die(address, &e);
	return c;
}

static void must_query(struct lf_client *c, const char *text, struct lf_result *r)
{
	struct lf_client_error e;

	if (lf_client_query(c, text, SIZE_MAX, NULL, r, &e) != 0)
		die(text, &e);
}

/* Each is one command on one account, asked for by one of the clients. */
static void transfer(struct lf_client *c, int64_t n)
{
	struct lf_statement *move;
	struct lf_params *p;
	struct lf_client_error e;

	if (lf_client_prepare(&move, c, "UPDATE purse SET balance = balance + $2 WHERE id = $1",
		    SIZE_MAX, NULL, 0, &e) != 0)
		die("preparing", &e);
	p = lf_params_new(move);
	for (int64_t i = 0; i < n; i++) {
		char name[16];
		struct lf_client_command asked = { 0 };

		(void)snprintf(name, sizeof(name), "client %u", (unsigned)(i % CLIENTS));
		asked.meta = name;
		asked.meta_bytes = strlen(name);
		lf_params_set_int(p, 0, i * 7 % ACCOUNTS);
		lf_params_set_int(p, 1, i % 11 - 5);
		if (lf_client_execute_with(c, move, p, NULL, &asked, NULL, &e) != 0)
			die("a transfer", &e);
	}
	lf_params_free(p);
	lf_statement_close(move);
}

int main(int argc, char **argv)
{
	const char *address = argc > 1 ? argv[1] : "127.0.0.1:5466";
	int64_t n = argc > 2 ? atoll(argv[2]) : 300, wrong = 0;
	struct lf_consumer_options group = { 0 };
	struct lf_result *r = lf_result_new();
	struct lf_client *c = must_open(address);
	struct lf_client_error e;
	struct audit a = { 0 };

	must_query(c, "CREATE TABLE purse (id bigint PRIMARY KEY, balance bigint NOT NULL)", NULL);
	for (int i = 0; i < ACCOUNTS; i++) {
		char text[64];

		(void)snprintf(text, sizeof(text), "INSERT INTO purse VALUES (%d, 100)", i);
		must_query(c, text, NULL);
	}
	transfer(c, n);

	a.c = must_open(address); /* of its own, since it follows */
	group.name = "audit";
	group.from = LF_LOG_OLDEST;
	if (lf_consumer_open(a.c, &group, on_event, on_end, &a, &a.request, &e) != 0)
		die("consuming", &e);
	while (a.events < (uint64_t)n + ACCOUNTS)
		if (lf_client_poll(a.c, -1, &e) < 0)
			die("polling", &e);
	if (lf_consumer_close(a.c, a.request, &e) != 0)
		die("leaving", &e);
	while (!a.ended)
		if (lf_client_poll(a.c, -1, &e) < 0)
			die("polling", &e);

	must_query(c, "SELECT id, balance FROM purse", r);
	for (size_t i = 0; i < lf_result_nrows(r); i++)
		wrong += a.balance[lf_result_int(r, i, 0)] != lf_result_int(r, i, 1);
	printf("%" PRIu64 " events, %u + %u + %u transfers, %" PRId64 " balances differ\n",
		a.events, a.transfers[0], a.transfers[1], a.transfers[2], wrong);
	lf_result_free(r);
	lf_client_close(a.c);
	lf_client_close(c);
	return wrong != 0 || a.transfers[0] + a.transfers[1] + a.transfers[2] != n;
}
