/*
 * command_query.c: commands that decide and queries that read what they made: a procedure with guards, a view, and a change
 * that rests on what was read.
 *
 *     cc command_query.c -o command_query $(pkg-config --cflags --libs leftfold)
 *     ./command_query 127.0.0.1:5466
 *
 * Payments go through a procedure that refuses what the account has not got. What each owner has spent is a view, read at
 * an epoch that holds these payments. Then the balance is read, interest is worked out here, and the account gets it only if
 * nobody has changed it since: else it is read again.
 */
#include <inttypes.h>
#include <leftfold.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const SCHEMA[] = {
	"CREATE TABLE account (id bigint PRIMARY KEY, owner text NOT NULL, cents bigint NOT NULL)",
	"CREATE TABLE payment (account_id bigint REFERENCES account, id bigint, cents bigint NOT NULL,"
	" PRIMARY KEY (account_id, id))",
	"CREATE MATERIALIZED VIEW spending AS SELECT a.owner, sum(p.cents)::bigint AS cents, count(*) AS payments"
	" FROM account a JOIN payment p ON p.account_id = a.id GROUP BY a.owner",
	"CREATE UNIQUE INDEX ON spending (owner)",
	"CREATE PROCEDURE pay(account bigint, payment bigint, amount bigint) BEGIN ATOMIC"
	" SELECT CASE WHEN count(*) = 0 THEN reject('there is no account ' || pay.account, 'AC001') END"
	"  FROM account WHERE id = pay.account;"
	" SELECT CASE WHEN cents < amount THEN reject('account ' || id || ' has only ' || cents, 'AC002') END"
	"  FROM account WHERE id = pay.account;"
	" UPDATE account SET cents = cents - amount WHERE id = pay.account;"
	" INSERT INTO payment VALUES (pay.account, pay.payment, amount); END",
	"INSERT INTO account VALUES (1, 'Ada', 10000)",
};

static void die(const char *what, const struct lf_client_error *e)
{
	fprintf(stderr, "%s: %s: %s\n", what, e->sqlstate, e->message);
	exit(1);
}

static struct lf_statement *must_prepare(struct lf_client *c, const char *text)
{
	struct lf_statement *s;
	struct lf_client_error e;

	if (lf_client_prepare(&s, c, text, SIZE_MAX, NULL, 0, &e) != 0)
		die(text, &e);
	return s;
}

/* A payment; it may be refused. */
static void pay(struct lf_client *c, struct lf_statement *call, int64_t account, int64_t payment,
	int64_t cents)
{
	struct lf_params *p = lf_params_new(call);
	struct lf_client_error e;

	lf_params_set_int(p, 0, account);
	lf_params_set_int(p, 1, payment);
	lf_params_set_int(p, 2, cents);
	if (lf_client_execute(c, call, p, NULL, NULL, &e) == 0)
		printf("payment %" PRId64 ": done in epoch %" PRIu64 "\n", payment,
			lf_client_epoch(c));
	else if (strncmp(e.sqlstate, "AC", 2) == 0)
		printf("payment %" PRId64 ": refused, %s: %s\n", payment, e.sqlstate, e.message);
	else
		die("pay", &e);
	lf_params_free(p);
}

/* Half a percent, of what is read. How often it took. */
static int add_interest(struct lf_client *c, int64_t account)
{
	struct lf_statement *select = must_prepare(c, "SELECT cents FROM account WHERE id = $1");
	struct lf_statement *update = must_prepare(
		c, "UPDATE account SET cents = $2 WHERE id = $1");
	struct lf_params *by = lf_params_new(select), *to = lf_params_new(update);
	struct lf_client_command unchanged = { 0 };
	struct lf_client_call at = { LF_ACK_VISIBLE, 10000, 0 };
	struct lf_result *r = lf_result_new();
	struct lf_client_error e;
	int tries = 0, status;

	lf_params_set_int(by, 0, account);
	lf_params_set_int(to, 0, account);
	do {
		if (lf_client_execute(c, select, by, &at, r, &e) != 0)
			die("reading the balance", &e);
		lf_params_set_int(
			to, 1, lf_result_int(r, 0, 0) + (lf_result_int(r, 0, 0) + 100) / 200);
		unchanged.expect = true;
		unchanged.expected_epoch = lf_result_epoch(r);
		status = lf_client_execute_with(c, update, to, NULL, &unchanged, NULL, &e);
		if (status != 0 && strcmp(e.sqlstate, "40001") != 0)
			die("adding interest", &e);
		/* "current version N": what is read next is to have it. */
		if (status != 0)
			(void)sscanf(e.detail, "current version %" SCNu64, &at.at_least);
		tries++;
	} while (status != 0);
	lf_result_free(r);
	lf_params_free(by);
	lf_params_free(to);
	lf_statement_close(select);
	lf_statement_close(update);
	return tries;
}

int main(int argc, char **argv)
{
	struct lf_client_options o = lf_client_options_default();
	struct lf_client_call own = { LF_ACK_VISIBLE, 10000, LF_EPOCH_OWN };
	struct lf_result *r = lf_result_new();
	struct lf_statement *call;
	struct lf_client_error e;
	struct lf_client *c;
	int tries;

	o.address = argc > 1 ? argv[1] : "127.0.0.1:5466";
	if (lf_client_open(&c, &o, &e) != 0)
		die(o.address, &e);
	for (size_t i = 0; i < sizeof(SCHEMA) / sizeof(SCHEMA[0]); i++)
		if (lf_client_query(c, SCHEMA[i], SIZE_MAX, NULL, NULL, &e) != 0)
			die(SCHEMA[i], &e);
	call = must_prepare(c, "CALL pay($1, $2, $3)");
	pay(c, call, 1, 1, 2500);
	pay(c, call, 1, 2, 3500);
	pay(c, call, 1, 3, 4500);
	pay(c, call, 2, 1, 1);
	if (lf_client_query(c, "SELECT cents, payments FROM spending WHERE owner = 'Ada'", SIZE_MAX,
		    &own, r, &e) != 0)
		die("reading the view", &e);
	printf("Ada has spent %" PRId64 " cents in %" PRId64 " payments\n", lf_result_int(r, 0, 0),
		lf_result_int(r, 0, 1));
	tries = add_interest(c, 1);
	if (lf_client_query(c, "SELECT cents FROM account WHERE id = 1", SIZE_MAX, &own, r, &e) !=
		0)
		die("reading the account", &e);
	printf("account 1 has %" PRId64 " cents, after %d tries\n", lf_result_int(r, 0, 0), tries);
	lf_statement_close(call);
	lf_result_free(r);
	lf_client_close(c);
	return 0;
}
