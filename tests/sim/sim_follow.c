/*
 * sim_follow.c: see sim_follow.h.
 *
 * A client keeps the sum of the hashes of its rows. At many epochs the queries are asked and their sums noted; a group that
 * ends at such an epoch must have led there, and whoever has read all that is visible must have what the query gives now. That
 * the queries give what they should is compared with SQLite elsewhere (sim_schema.c).
 */
#include "tests/sim/sim_follow.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/store/row.h"

enum { FOLLOWERS = 7, KNOWN = 512 /* epochs that are remembered of each query */ };

static const char *const QUERIES[] = {
	"SELECT id, name, balance, seq FROM account",
	"SELECT balance FROM account WHERE id < 5 AND balance > 20",
	"SELECT account, no, amount, note FROM entry",
	"SELECT v, seq FROM kv WHERE account IN (1, 2, 3)",
	"SELECT tag, v, note FROM loose",
	"SELECT part FROM log WHERE tag = 2",
	"SELECT * FROM v_account",
	"SELECT * FROM v_total",
	"SELECT k, v FROM v_key WHERE balance > 10",
	"SELECT * FROM v_rich",
	"SELECT * FROM v_amount",
	"SELECT * FROM v_left",
	"SELECT * FROM v_top",
	"SELECT tag FROM v_full WHERE k IS NULL",
	"SELECT v FROM extra_0",
};
enum { NQUERIES = sizeof(QUERIES) / sizeof(QUERIES[0]) };

struct rows {
	int64_t n;
	uint64_t sum;
};

struct known {
	uint64_t epoch; /* 0: none */
	struct rows rows;
};

struct follower {
	struct followers *all;
	unsigned number;
	unsigned query;
	bool latest;
	bool has;       /* rows, as of `epoch` */
	bool open;      /* within a snapshot or group */
	uint64_t epoch; /* of the last snapshot or group */
	struct rows rows;
	struct lf_subscription *sub; /* NULL: it is away */
};

struct followers {
	struct random random;
	struct ledger *ledger;
	struct lf_engine *engine;
	struct lf_port *port;
	struct statement *statements[NQUERIES]; /* NULL: not prepared */
	struct known known[NQUERIES][KNOWN];
	struct follower list[FOLLOWERS];
	uint64_t noted, compared, gaps;
};

static const uint64_t NONE[2] = { 8 };

static void rows_add(struct rows *r, const void *row, int64_t times)
{
	r->n += times;
	r->sum += hash_bytes(row, row_size(row), 0) * (uint64_t)times;
}

/* --- what there is --- */

static int on_row(void *arg, const void *row, uint32_t size)
{
	(void)size;
	rows_add(arg, row, 1);
	return 0;
}

/* The query's statement; NULL: it cannot be asked now, since something of it is not there. */
static struct statement *statement_of(struct followers *f, unsigned query)
{
	struct error e;

	if (f->statements[query] == NULL &&
		lf_prepare(&f->statements[query], f->engine, QUERIES[query], strlen(QUERIES[query]),
			NULL, 0, &e) != 0)
		f->statements[query] = NULL;
	return f->statements[query];
}

/* Prepared again the next time, unless someone follows it. */
static void statement_drop(struct followers *f, unsigned query)
{
	for (unsigned i = 0; i < FOLLOWERS; i++)
		if (f->list[i].sub != NULL && f->list[i].query == query)
			return;
	lf_release(f->engine, f->statements[query]);
	f->statements[query] = NULL;
}

/* At the pinned epoch. */
static bool ask(struct followers *f, unsigned query, struct rows *out)
{
	const struct statement *s = statement_of(f, query);
	struct error e;

	*out = (struct rows){ 0, 0 };
	if (s == NULL)
		return false;
	if (lf_query(f->port, s, NONE, on_row, out, &e) == 0)
		return true;
	statement_drop(f, query);
	return false;
}

static void note_all(struct followers *f)
{
	uint64_t epoch;
	struct error e;

	if (lf_read_begin(f->port, 0, &epoch, &e) != 0)
		wrong("read_begin: %s", e.message);
	for (unsigned q = 0; epoch > f->noted && q < NQUERIES; q++) {
		struct known *k = &f->known[q][epoch % KNOWN];

		if (ask(f, q, &k->rows))
			k->epoch = epoch;
	}
	f->noted = epoch;
	lf_read_end(f->port);
}

/* --- what is told --- */

static void compare(struct follower *w, const struct rows *there)
{
	w->all->compared++;
	if (w->rows.n != there->n || w->rows.sum != there->sum)
		wrong("follower %u of %s: it was told of %" PRId64 " rows at epoch %" PRIu64
		      ", there are %" PRId64 "%s",
			w->number, QUERIES[w->query], w->rows.n, w->epoch, there->n,
			w->rows.n == there->n ? ", others" : "");
}

static void group_ends(struct follower *w)
{
	const struct known *k = &w->all->known[w->query][w->epoch % KNOWN];

	trace("follower %u has %" PRId64 " rows of query %u at %" PRIu64, w->number, w->rows.n,
		w->query, w->epoch);
	if (k->epoch == w->epoch)
		compare(w, &k->rows);
	w->has = true;
	/* It was told: it must be there after any crash. */
	ledger_tell(w->all->ledger, w->epoch);
}

static int follow(void *arg, const struct lf_feed_event *ev)
{
	struct follower *w = arg;

	if (w->open !=
		(ev->kind == LF_FEED_ROW || ev->kind == LF_FEED_CHANGE || ev->kind == LF_FEED_END))
		wrong("follower %u: an event of kind %d out of order", w->number, (int)ev->kind);
	if (ev->epoch > lf_visible(w->all->engine))
		wrong("follower %u was told of epoch %" PRIu64 ", which is not visible", w->number,
			ev->epoch);
	switch (ev->kind) {
	case LF_FEED_GAP:
		if (ev->epoch < w->epoch)
			wrong("follower %u has a gap before what it has", w->number);
		w->has = false;
		w->all->gaps++;
		break;
	case LF_FEED_SNAPSHOT:
		w->rows = (struct rows){ 0, 0 };
		w->epoch = ev->epoch;
		w->open = true;
		break;
	case LF_FEED_CHANGES:
		if (!w->has || ev->epoch <= w->epoch)
			wrong("follower %u is at %" PRIu64 " and told of %" PRIu64, w->number,
				w->epoch, ev->epoch);
		w->epoch = ev->epoch;
		w->open = true;
		break;
	case LF_FEED_ROW: rows_add(&w->rows, ev->new_row, (int64_t)ev->times); break;
	case LF_FEED_CHANGE:
		if (ev->old_row != NULL)
			rows_add(&w->rows, ev->old_row, -(int64_t)ev->times);
		if (ev->new_row != NULL)
			rows_add(&w->rows, ev->new_row, (int64_t)ev->times);
		break;
	case LF_FEED_END:
		w->open = false;
		group_ends(w);
		break;
	}
	return 0;
}

/* --- what they do --- */

static void forget(struct follower *w)
{
	w->has = w->open = false;
	w->epoch = 0;
}

static void leave(struct follower *w)
{
	uint64_t epoch = lf_feed_epoch(w->sub);

	/* As far as it was told that there is nothing for it, too. */
	if (w->has && epoch > w->epoch)
		w->epoch = epoch;
	lf_unsubscribe(w->sub);
	w->sub = NULL;
}

static void come(struct follower *w)
{
	struct followers *f = w->all;
	struct lf_feed_options o = { 0 };
	const struct statement *s;
	struct error e;

	if (!w->has || random_one_in(&f->random, 8)) {
		forget(w);
		w->query = random_below(&f->random, NQUERIES);
		w->latest = random_one_in(&f->random, 2);
	}
	s = statement_of(f, w->query);
	if (s == NULL) {
		forget(w);
		return;
	}
	o.from = w->epoch;
	o.latest = w->latest;
	if (lf_subscribe(&w->sub, f->port, s, NONE, &o, &e) == 0) {
		trace("follower %u comes to query %u from %" PRIu64, w->number, w->query, w->epoch);
		return;
	}
	w->sub = NULL;
	forget(w);
	statement_drop(f, w->query);
}

/* Why it may end. */
static void ended(struct follower *w, const struct error *e)
{
	trace("follower %u ends: %s", w->number, e->message);
	w->open = false;
	switch (e->code) {
	case ERR_SLOW_SUBSCRIBER:
		if (w->latest)
			wrong("follower %u wants the latest and is too slow", w->number);
		leave(w);
		return;
	case ERR_OBJECT_STATE:
	case ERR_UNDEFINED_TABLE:
	case ERR_VIEW_FAILED: leave(w); break;
	default: wrong("follower %u: %s %s", w->number, error_sqlstate(e->code), e->message);
	}
	forget(w);
	statement_drop(w->all, w->query);
}

/* Read `most` times at most; true: all there is at the pinned epoch. */
static bool read_some(struct follower *w, unsigned most)
{
	struct followers *f = w->all;
	uint64_t epoch;
	struct error e;
	int status = 1;

	if (lf_read_begin(f->port, 0, &epoch, &e) != 0)
		wrong("read_begin: %s", e.message);
	while (status == 1 && most-- > 0)
		status = lf_feed_read(w->sub, follow, w, &e);
	if (status == 0 && lf_feed_epoch(w->sub) == epoch) {
		struct rows there;

		if (ask(f, w->query, &there))
			compare(w, &there);
	} else if (status == 0 && lf_feed_epoch(w->sub) != 0) {
		wrong("follower %u has read all up to %" PRIu64 " at %" PRIu64, w->number,
			lf_feed_epoch(w->sub), epoch);
	}
	if (status < 0)
		ended(w, &e);
	lf_read_end(f->port);
	return status == 0;
}

void followers_round(struct followers *f)
{
	if (!random_one_in(&f->random, 4))
		note_all(f);
	for (unsigned i = 0; i < FOLLOWERS; i++) {
		struct follower *w = &f->list[i];

		if (w->sub == NULL) {
			if (random_one_in(&f->random, 6))
				come(w);
		} else if (random_one_in(&f->random, 12)) {
			leave(w);
		} else if (random_one_in(&f->random, 1 + 2 * i)) {
			(void)read_some(w, random_one_in(&f->random, 2) ? 1 : 1000);
		}
	}
}

void followers_quiet(struct followers *f)
{
	for (unsigned i = 0; i < FOLLOWERS; i++) {
		struct follower *w = &f->list[i];

		if (w->sub != NULL && read_some(w, UINT32_MAX) &&
			lf_feed_epoch(w->sub) != lf_visible(f->engine))
			wrong("follower %u: nothing is under way, and it is not told so",
				w->number);
	}
}

void followers_options(struct followers *f, struct lf_options *o)
{
	o->ports_max++;
	o->history = 1024u << random_below(&f->random, 10);
	o->history_keep_s = random_one_in(&f->random, 4) ? 0 : 1000;
}

void followers_attach(struct followers *f, struct lf_engine *engine)
{
	struct error e;

	f->engine = engine;
	f->noted = 0;
	if (lf_port_open(&f->port, engine, NULL, NULL, &e) != 0)
		wrong("a port: %s", e.message);
	for (unsigned i = 0; i < FOLLOWERS; i++)
		if (f->list[i].epoch > lf_visible(engine))
			forget(&f->list[i]); /* what was told is lost, as it may be */
}

void followers_detach(struct followers *f)
{
	for (unsigned i = 0; i < FOLLOWERS; i++)
		if (f->list[i].sub != NULL)
			leave(&f->list[i]);
	for (unsigned q = 0; q < NQUERIES; q++)
		statement_drop(f, q);
	lf_port_close(f->port);
}

struct followers *followers_new(uint64_t seed, struct ledger *ledger)
{
	struct followers *f = calloc(1, sizeof(*f));

	if (f == NULL)
		abort();
	f->random.state = seed * 0x9e3779b97f4a7c15u + 7;
	f->ledger = ledger;
	for (unsigned i = 0; i < FOLLOWERS; i++)
		f->list[i] = (struct follower){ .all = f, .number = i };
	return f;
}

void followers_free(struct followers *f)
{
	free(f);
}

uint64_t followers_compared(const struct followers *f)
{
	return f->compared;
}

uint64_t followers_gaps(const struct followers *f)
{
	return f->gaps;
}
