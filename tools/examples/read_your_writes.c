/*
 * read_your_writes.c: seeing one's own commands, on the same connection, on another, and in another process.
 *
 *     cc read_your_writes.c -o read_your_writes $(pkg-config --cflags --libs leftfold)
 *     ./read_your_writes 127.0.0.1:5466
 *
 * Commands are acknowledged as `durable`, which does not wait for the views. Every acknowledgement has an epoch. A query that
 * asks for that epoch or a later one sees the command in every view, whichever connection it comes by: so a web server may
 * hand the number to the browser, and another one reads by it.
 */
#include <inttypes.h>
#include <leftfold.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 100 };

static void die(const char *what, const struct lf_client_error *e)
{
	fprintf(stderr, "%s: %s: %s\n", what, e->sqlstate, e->message);
	exit(1);
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

/* The epoch of a note that was written. */
static uint64_t write_note(struct lf_client *c, struct lf_statement *insert, int64_t id)
{
	struct lf_client_call durable = { LF_ACK_DURABLE, 0, 0 };
	struct lf_params *p = lf_params_new(insert);
	struct lf_client_error e;

	lf_params_set_int(p, 0, id);
	if (lf_client_execute(c, insert, p, &durable, NULL, &e) != 0)
		die("writing", &e);
	lf_params_free(p);
	return lf_client_epoch(c);
}

/* How many notes the view counts, at this epoch or a later one. */
static int64_t count_notes(struct lf_client *c, struct lf_statement *count, uint64_t at_least)
{
	struct lf_client_call at = { LF_ACK_VISIBLE, 10000, at_least };
	struct lf_result *r = lf_result_new();
	struct lf_client_error e;
	int64_t n;

	if (lf_client_execute(c, count, NULL, &at, r, &e) != 0)
		die("reading", &e);
	n = lf_result_int(r, 0, 0);
	lf_result_free(r);
	return n;
}

int main(int argc, char **argv)
{
	const char *address = argc > 1 ? argv[1] : "127.0.0.1:5466";
	struct lf_client *writer = must_open(address), *reader = must_open(address);
	struct lf_statement *insert, *own, *other;
	int missed = 0;

	must_query(writer, "CREATE TABLE note (id bigint PRIMARY KEY)");
	must_query(writer, "CREATE MATERIALIZED VIEW notes AS SELECT count(*) AS n FROM note");
	insert = must_prepare(writer, "INSERT INTO note VALUES ($1)");
	own = must_prepare(writer, "SELECT n FROM notes");
	other = must_prepare(reader, "SELECT n FROM notes");
	for (int64_t i = 1; i <= ROUNDS; i++) {
		uint64_t epoch = write_note(writer, insert, i);

		/* The library knows the newest epoch that this connection was told. */
		missed += count_notes(writer, own, LF_EPOCH_OWN) != i;
		/* Another one is told by number. */
		missed += count_notes(reader, other, epoch) != i;
	}
	printf("%d notes, each seen at once on both connections%s\n", ROUNDS,
		missed > 0 ? ": but not all" : "");
	lf_statement_close(insert);
	lf_statement_close(own);
	lf_statement_close(other);
	lf_client_close(writer);
	lf_client_close(reader);
	return missed > 0;
}
