/*
 * dashboard.c: the ten most visited pages, kept on a screen in one of two ways.
 *
 *     cc dashboard.c -o dashboard $(pkg-config --cflags --libs leftfold)
 *     ./dashboard 127.0.0.1:5466 20000 subscribe
 *     ./dashboard 127.0.0.1:5466 20000 poll
 *
 * A view holds the ten. To subscribe to it (only to the latest of each row) costs nothing while they stay as they are, and tells
 * what has changed; to poll asks for all of them again and again, and shows nothing of what came in between, which for ten rows
 * is simpler. Visits are sent by another connection meanwhile. Each new board is printed as a line; the last one is
 * that of all visits.
 */
#include <inttypes.h>
#include <leftfold.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGES = 200, TOP = 10, BATCH = 100 };

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

/* --- visits --- */

struct visitor {
	struct lf_client *c;
	struct lf_statement *visit;
	struct lf_params *p;
	int64_t sent, all;
	uint32_t random;
};

/* Send some more, unless there are enough. Low numbers are visited more often. */
static void visit_some(struct visitor *v)
{
	struct lf_client_error e;
	int status;

	if (v->sent == v->all)
		return;
	if (lf_client_batch_begin(v->c, v->visit, NULL, NULL, NULL, NULL, &e) != 0)
		die("a batch", &e);
	for (int i = 0; i < BATCH && v->sent < v->all; i++) {
		uint32_t page;

		v->random = v->random * 1664525 + 1013904223;
		page = v->random >> 8;
		page = (page % PAGES) * ((page >> 12) % PAGES) / PAGES;
		lf_params_set_int(v->p, 0, v->sent++);
		lf_params_set_int(v->p, 1, (int64_t)page);
		status = lf_client_batch_add(v->c, v->p, &e);
		if (status != 0)
			die("a visit", &e);
	}
	if (lf_client_batch_end(v->c, NULL, &e) != 0 || lf_client_wait(v->c, -1, &e) != 0)
		die("visits", &e);
	for (struct lf_client_completion done; lf_client_next(v->c, &done);)
		if (done.result != NULL && lf_result_error(done.result) != NULL)
			die("a visit", lf_result_error(done.result));
}

/* --- the board --- */

struct place {
	int64_t page, visits;
};
struct board {
	struct place places[2 * TOP]; /* while a group is taken in there may be more than ten */
	unsigned n, shown;
};

static int by_visits(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->visits != y->visits)
		return x->visits > y->visits ? -1 : 1;
	return x->page < y->page ? -1 : x->page > y->page;
}

static void show(struct board *b)
{
	qsort(b->places, b->n, sizeof(b->places[0]), by_visits);
	b->shown++;
	for (unsigned i = 0; i < b->n; i++)
		printf("%s%" PRId64 ":%" PRId64, i > 0 ? " " : "", b->places[i].page,
			b->places[i].visits);
	printf("\n");
}

static void add(struct board *b, const struct lf_result *rows, int64_t row)
{
	if (row != LF_NO_ROW && b->n < 2 * TOP)
		b->places[b->n++] = (struct place){ lf_result_int(rows, (size_t)row, 0),
			lf_result_int(rows, (size_t)row, 1) };
}

static void drop(struct board *b, const struct lf_result *rows, int64_t row)
{
	int64_t page = row == LF_NO_ROW ? -1 : lf_result_int(rows, (size_t)row, 0);

	for (unsigned i = 0; i < b->n; i++)
		if (b->places[i].page == page) {
			b->places[i] = b->places[--b->n];
			return;
		}
}

/* A snapshot, or what became of each row: first those that go, then those that come. */
static void take(struct board *b, const struct lf_client_group *g)
{
	if (g->kind == LF_GROUP_SNAPSHOT && g->first)
		b->n = 0;
	for (size_t i = 0; g->kind == LF_GROUP_SNAPSHOT && i < lf_result_nrows(g->rows); i++)
		add(b, g->rows, (int64_t)i);
	for (size_t i = 0; i < g->nchanges; i++)
		drop(b, g->rows, g->changes[i].old_row);
	for (size_t i = 0; i < g->nchanges; i++)
		add(b, g->rows, g->changes[i].new_row);
	if (g->kind == LF_GROUP_CHANGES || (g->kind == LF_GROUP_SNAPSHOT && g->last))
		show(b);
}

static void subscribe(struct board *b, struct visitor *v, const char *address)
{
	struct lf_follower_options how = lf_follower_options_default();
	const struct lf_client_group *g;
	struct lf_follower *f;
	struct lf_client_error e;
	int status;

	how.client.address = address;
	how.subscribe.latest = true;
	how.text = "SELECT page, visits FROM top_page";
	if (lf_follower_open(&f, &how, &e) != 0)
		die("subscribing", &e);
	while (v->sent < v->all || lf_follower_epoch(f) < lf_client_epoch(v->c)) {
		visit_some(v);
		while ((status = lf_follower_next(f, v->sent < v->all ? 0 : -1, &g, &e)) > 0) {
			take(b, g);
			if (lf_follower_epoch(f) >= lf_client_epoch(v->c))
				break;
		}
		if (status < 0)
			die("following", &e);
	}
	lf_follower_close(f);
}

static void poll_board(struct board *b, struct visitor *v, const char *address)
{
	struct lf_client *c = must_open(address);
	struct lf_result *r = lf_result_new();
	struct lf_client_error e;
	uint64_t epoch;

	do {
		struct lf_client_call how = { LF_ACK_VISIBLE, 10000, 0 };
		struct board before = *b;

		visit_some(v);
		how.at_least = epoch = lf_client_epoch(v->c);
		if (lf_client_query(
			    c, "SELECT page, visits FROM top_page", SIZE_MAX, &how, r, &e) != 0)
			die("polling", &e);
		b->n = 0;
		for (size_t i = 0; i < lf_result_nrows(r); i++)
			add(b, r, (int64_t)i);
		qsort(b->places, b->n, sizeof(b->places[0]), by_visits);
		if (b->n != before.n ||
			memcmp(b->places, before.places, b->n * sizeof(b->places[0])) != 0)
			show(b);
	} while (v->sent < v->all || lf_result_epoch(r) < epoch);
	lf_result_free(r);
	lf_client_close(c);
}

int main(int argc, char **argv)
{
	const char *address = argc > 1 ? argv[1] : "127.0.0.1:5466";
	struct visitor v = { .all = argc > 2 ? atoll(argv[2]) : 10000, .random = 1 };
	bool polling = argc > 3 && strcmp(argv[3], "poll") == 0;
	struct board b = { .n = 0 };
	struct lf_client_error e;

	v.c = must_open(address);
	must_query(v.c, "CREATE TABLE visit (id bigint PRIMARY KEY, page int NOT NULL)");
	must_query(v.c,
		"CREATE MATERIALIZED VIEW page AS SELECT page, count(*) AS visits FROM visit GROUP BY page");
	must_query(v.c,
		"CREATE MATERIALIZED VIEW top_page AS SELECT page, visits FROM page ORDER BY visits DESC, page LIMIT 10");
	must_query(v.c, "CREATE UNIQUE INDEX ON top_page (page)");
	if (lf_client_prepare(
		    &v.visit, v.c, "INSERT INTO visit VALUES ($1, $2)", SIZE_MAX, NULL, 0, &e) != 0)
		die("preparing", &e);
	v.p = lf_params_new(v.visit);
	if (polling)
		poll_board(&b, &v, address);
	else
		subscribe(&b, &v, address);
	lf_params_free(v.p);
	must_query(v.c, "DROP MATERIALIZED VIEW top_page");
	must_query(v.c, "DROP MATERIALIZED VIEW page");
	must_query(v.c, "DROP TABLE visit");
	lf_client_close(v.c);
	return b.n > 0 ? 0 : 1;
}
