/*
 * subscription.c: a copy of a view, kept by a subscription: its rows first, then every change of them.
 *
 *     cc subscription.c -o subscription $(pkg-config --cflags --libs leftfold)
 *     ./subscription 127.0.0.1:5466 1000
 *
 * One connection books payments; the copy of the balances follows over one of its own, which is made anew when it is lost. In the
 * end the copy has come as far as the last payment, and is compared with the view. What was told is always the state of one
 * epoch: so in the copy, too, what all accounts have together is never anything but 0.
 */
#include <inttypes.h>
#include <leftfold.h>
#include <stdio.h>
#include <stdlib.h>

enum { ACCOUNTS = 20 };

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

/* The copy: balances by account. */
struct copy {
	int64_t balance[ACCOUNTS];
	unsigned groups, gaps;
};

static void put(struct copy *copy, const struct lf_result *rows, int64_t row, int64_t sign)
{
	if (row != LF_NO_ROW)
		copy->balance[lf_result_int(rows, (size_t)row, 0) % ACCOUNTS] += sign *
			lf_result_int(rows, (size_t)row, 1);
}

static void take(struct copy *copy, const struct lf_client_group *g)
{
	int64_t sum = 0;

	switch (g->kind) {
	case LF_GROUP_SNAPSHOT:
		if (g->first)
			*copy = (struct copy){ .gaps = copy->gaps };
		for (size_t i = 0; i < lf_result_nrows(g->rows); i++)
			put(copy, g->rows, (int64_t)i, 1);
		if (!g->last)
			return;
		break;
	case LF_GROUP_CHANGES:
		for (size_t i = 0; i < g->nchanges; i++) {
			put(copy, g->rows, g->changes[i].old_row, -1);
			put(copy, g->rows, g->changes[i].new_row, 1);
		}
		copy->groups++;
		break;
	case LF_GROUP_GAP: copy->gaps++; return; /* all rows follow */
	case LF_GROUP_PROGRESS:
	case LF_GROUP_END: return;
	}
	for (int i = 0; i < ACCOUNTS; i++)
		sum += copy->balance[i];
	if (sum != 0) {
		fprintf(stderr, "at epoch %" PRIu64 " money has come from nowhere\n", g->epoch);
		exit(1);
	}
}

/* A payment moves an amount between two accounts: one row, of which the view makes two. */
static void pay(struct lf_client *c, int64_t payments)
{
	struct lf_statement *insert;
	struct lf_params *p;
	struct lf_client_error e;

	if (lf_client_prepare(&insert, c, "INSERT INTO transfer VALUES ($1, $2, $3, $4)", SIZE_MAX,
		    NULL, 0, &e) != 0)
		die("preparing", &e);
	p = lf_params_new(insert);
	for (int64_t i = 0; i < payments; i++) {
		lf_params_set_int(p, 0, i);
		lf_params_set_int(p, 1, i % ACCOUNTS);
		lf_params_set_int(p, 2, i * 7 % ACCOUNTS);
		lf_params_set_int(p, 3, 1 + i % 100);
		if (lf_client_execute(c, insert, p, NULL, NULL, &e) != 0)
			die("a payment", &e);
	}
	lf_params_free(p);
	lf_statement_close(insert);
}

static unsigned differences(struct lf_client *c, const struct copy *copy)
{
	struct lf_result *r = lf_result_new();
	struct lf_client_error e;
	unsigned n = 0;

	if (lf_client_query(c, "SELECT account, balance FROM balance", SIZE_MAX, NULL, r, &e) != 0)
		die("the view", &e);
	for (size_t i = 0; i < lf_result_nrows(r); i++)
		n += copy->balance[lf_result_int(r, i, 0) % ACCOUNTS] != lf_result_int(r, i, 1);
	lf_result_free(r);
	return n;
}

int main(int argc, char **argv)
{
	struct lf_client_options o = lf_client_options_default();
	struct lf_follower_options how = lf_follower_options_default();
	int64_t payments = argc > 2 ? atoll(argv[2]) : 1000;
	const struct lf_client_group *g;
	struct copy copy = { .groups = 0 };
	struct lf_follower *follower;
	struct lf_client_error e;
	struct lf_client *c;

	o.address = argc > 1 ? argv[1] : "127.0.0.1:5466";
	if (lf_client_open(&c, &o, &e) != 0)
		die(o.address, &e);
	must_query(c,
		"CREATE TABLE transfer (id bigint PRIMARY KEY, from_account int NOT NULL,"
		" to_account int NOT NULL, amount int NOT NULL)");
	must_query(c,
		"CREATE MATERIALIZED VIEW balance AS SELECT account, sum(amount) AS balance FROM"
		" (SELECT to_account AS account, amount FROM transfer UNION ALL"
		" SELECT from_account, -amount FROM transfer) x GROUP BY account");
	must_query(c, "CREATE UNIQUE INDEX ON balance (account)");
	how.client.address = o.address;
	how.text = "SELECT account, balance FROM balance";
	if (lf_follower_open(&follower, &how, &e) != 0)
		die("subscribing", &e);
	pay(c, payments);
	while (lf_follower_epoch(follower) < lf_client_epoch(c)) {
		if (lf_follower_next(follower, -1, &g, &e) < 0)
			die("following", &e);
		take(&copy, g);
	}
	printf("%" PRId64 " payments, told in %u groups, %u differences\n", payments, copy.groups,
		differences(c, &copy));
	lf_follower_close(follower);
	lf_client_close(c);
	return 0;
}
