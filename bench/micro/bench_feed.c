/*
 * bench_feed.c: what subscriptions cost commands, and how many changes they tell.
 *
 *   bench_feed [--votes N] [--rounds N] [--subscribers N] [--smoke]
 *
 * The votes of leftfold-bench in process, with one projector, sent by one thread (for 10,000 articles): without a subscription;
 * with one to all rows of the view of counts, read by a thread of its own, every change and then only the latest; and with N of
 * them (default 1,000) that are for an article each. These take turns of some votes (default 200,000), in each of the rounds
 * (default 25) with another one first, since the table of votes grows meanwhile, by fits and starts; a first round does not
 * count. Tells medians: votes a second until all of them are visible and have been told; of_none, the same against the turn
 * without in the same round; what was told a second, in how many groups, and how often a subscription was told that it
 * had missed something. Checks that it adds up to the votes sent.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "bench/micro/micro.h"
#include "core/engine.h"

static const char SCHEMA[] =
	"CREATE TABLE vote (article bigint, voter bigint, PRIMARY KEY (article, voter));"
	"CREATE MATERIALIZED VIEW article_votes AS SELECT article, count(*) AS votes FROM vote GROUP BY article;"
	"CREATE UNIQUE INDEX ON article_votes (article)";
static const char VOTE[] = "INSERT INTO vote VALUES ($1, $2)";

enum { DEPTH = 4096, FLUSH = 256, WAIT_US = 1000, KINDS = 4, ROUNDS_MAX = 101 };

struct bench {
	struct lf_engine *engine;
	struct lf_port *port;
	struct statement *vote;
	uint64_t articles, votes, sent, answered, epoch;
	uint64_t *counts; /* votes sent, by article */
};

struct follower {
	struct bench *bench;
	struct lf_port *port;
	struct statement *query;
	unsigned n; /* subscriptions: of all articles, or one each */
	bool latest;
	struct lf_subscription **subs;
	uint64_t *counts; /* as told: of all articles together, or by subscription */
	unsigned at;      /* whose turn it is */
	uint64_t groups, changes, gaps;
	_Atomic uint64_t until; /* epoch that is to be told; 0: not known yet */
	_Atomic bool begun;
};

static void check(int status, const struct error *e)
{
	if (status != 0)
		micro_fail("bench_feed: %s %s", error_sqlstate(e->code), e->message);
}

/* --- votes --- */

static void on_vote(void *arg, const struct lf_reply *reply)
{
	struct bench *b = arg;

	check(reply->error != NULL ? -1 : 0, reply->error);
	b->answered++;
	if (reply->epoch > b->epoch)
		b->epoch = reply->epoch;
}

static void answers(struct bench *b)
{
	lf_flush(b->port);
	if (lf_poll(b->port, on_vote, b) == 0)
		lf_port_wait(b->port, WAIT_US);
}

static void votes_send(struct bench *b)
{
	uint64_t last = b->sent + b->votes;
	struct error e;

	while (b->sent < last) {
		uint64_t article = hash_u64(b->sent) % b->articles, row[4];
		struct value v[2] = { { .type = TYPE_INT8, .i = (int64_t)article },
			{ .type = TYPE_INT8, .i = (int64_t)b->sent } };

		row_encode(&b->vote->param_layout, v, row);
		while (lf_submit(b->port, b->vote, row, 0, LF_DURABLE, &e) != 0) {
			if (e.code != ERR_OVERLOAD)
				check(-1, &e);
			answers(b);
		}
		b->counts[article]++;
		if (++b->sent % FLUSH == 0)
			lf_flush(b->port);
		while (b->sent - b->answered >= DEPTH)
			answers(b);
	}
	while (b->answered < b->sent || lf_visible(b->engine) < b->epoch)
		answers(b);
}

/* --- following --- */

static int64_t number(const struct follower *f, const void *row)
{
	struct value v;

	if (row == NULL)
		return 0;
	row_get(&f->query->result_layout, row, 0, &v);
	return v.i;
}

static int on_feed(void *arg, const struct lf_feed_event *ev)
{
	struct follower *f = arg;

	if (ev->kind == LF_FEED_CHANGES)
		f->groups++;
	if (ev->kind == LF_FEED_SNAPSHOT)
		f->counts[f->at] = 0;
	if (ev->kind == LF_FEED_GAP)
		f->gaps++;
	if (ev->kind == LF_FEED_CHANGE)
		f->changes++;
	if (ev->kind == LF_FEED_CHANGE || ev->kind == LF_FEED_ROW)
		f->counts[f->at] += (uint64_t)(number(f, ev->new_row) - number(f, ev->old_row));
	return 0;
}

/* All that there is at one epoch. Whether that is all there will be. */
static bool follow_once(struct follower *f)
{
	uint64_t epoch, until;
	bool begun = true;
	struct error e;

	check(lf_read_begin(f->port, 0, &epoch, &e), &e);
	for (f->at = 0; f->at < f->n; f->at++) {
		int status;

		while ((status = lf_feed_read(f->subs[f->at], on_feed, f, &e)) > 0)
			;
		check(status, &e);
		begun &= lf_feed_epoch(f->subs[f->at]) > 0;
	}
	lf_read_end(f->port);
	if (begun)
		atomic_store(&f->begun, true);
	lf_want_changes(f->port, epoch + 1);
	until = atomic_load(&f->until);
	return until > 0 && epoch >= until;
}

static void *follow(void *arg)
{
	struct follower *f = arg;

	while (!follow_once(f))
		lf_port_wait(f->port, WAIT_US);
	return NULL;
}

static void subscribe(struct follower *f, const char *text)
{
	struct lf_feed_options o = { .latest = f->latest };
	struct error e;

	check(lf_port_open(&f->port, f->bench->engine, NULL, NULL, &e), &e);
	check(lf_prepare(&f->query, f->bench->engine, text, strlen(text), NULL, 0, &e), &e);
	f->subs = calloc(f->n, sizeof(struct lf_subscription *));
	f->counts = calloc(f->n, sizeof(*f->counts));
	if (f->subs == NULL || f->counts == NULL)
		micro_fail("out of memory");
	for (unsigned i = 0; i < f->n; i++) {
		struct value v = { .type = TYPE_INT8, .i = i };
		uint64_t row[2];

		row_encode(&f->query->param_layout, &v, row);
		check(lf_subscribe(&f->subs[i], f->port, f->query, row, &o, &e), &e);
	}
}

static void unsubscribe(struct follower *f)
{
	for (unsigned i = 0; i < f->n; i++)
		lf_unsubscribe(f->subs[i]);
	lf_release(f->bench->engine, f->query);
	lf_port_close(f->port);
	free(f->subs);
	free(f->counts);
}

/* --- a round --- */

static void counts_check(const struct bench *b, const struct follower *f)
{
	if (f->query->nparams == 0 && f->counts[0] != b->sent)
		micro_fail("told of %llu votes instead of %llu", (unsigned long long)f->counts[0],
			(unsigned long long)b->sent);
	for (unsigned i = 0; f->query->nparams > 0 && i < f->n; i++)
		if (f->counts[i] != b->counts[i])
			micro_fail("article %u: told of %llu votes instead of %llu", i,
				(unsigned long long)f->counts[i], (unsigned long long)b->counts[i]);
}

/* What a round gives of each kind. */
struct turn {
	double votes, of_none, changes, groups, gaps;
};

static struct turn measure(struct bench *b, struct follower *f, const char *text)
{
	struct turn t = { 0 };
	pthread_t thread;
	uint64_t begin;
	double s;

	if (f != NULL) {
		f->bench = b;
		subscribe(f, text);
		if (pthread_create(&thread, NULL, follow, f) != 0)
			micro_fail("no thread");
		while (!atomic_load(&f->begun))
			answers(b);
	}
	begin = clock_now_ns();
	votes_send(b);
	if (f != NULL) {
		atomic_store(&f->until, b->epoch);
		(void)pthread_join(thread, NULL);
	}
	s = micro_seconds(begin);
	t.votes = (double)b->votes / s;
	if (f != NULL) {
		t.changes = (double)f->changes / s;
		t.groups = (double)f->groups;
		t.gaps = (double)f->gaps;
		counts_check(b, f);
		unsubscribe(f);
	}
	return t;
}

static void round_run(
	struct bench *b, unsigned number, unsigned subscribers, struct turn turns[KINDS])
{
	static const char *const queries[KINDS] = { NULL, "SELECT votes FROM article_votes",
		"SELECT votes FROM article_votes",
		"SELECT votes FROM article_votes WHERE article = $1" };

	for (unsigned i = 0; i < KINDS; i++) {
		unsigned kind = (number + i) % KINDS;
		struct follower f = { .n = kind == 3 ? subscribers : 1, .latest = kind == 2 };

		turns[kind] = measure(b, kind == 0 ? NULL : &f, queries[kind]);
	}
	for (unsigned k = 0; k < KINDS; k++)
		turns[k].of_none = turns[k].votes / turns[0].votes;
}

/* Of one of a turn's numbers, `at` bytes into it. */
static double median(struct turn (*turns)[KINDS], unsigned rounds, unsigned kind, size_t at)
{
	double all[ROUNDS_MAX];

	for (unsigned i = 0; i < rounds; i++)
		memcpy(&all[i], (const char *)&turns[i][kind] + at, sizeof(all[i]));
	return micro_median(all, rounds);
}

static void print(struct turn (*turns)[KINDS], unsigned rounds, unsigned kind, const char *what)
{
	printf("feed_%s votes/s %.0f", what,
		median(turns, rounds, kind, offsetof(struct turn, votes)));
	if (kind > 0)
		printf(" of_none %.2f changes/s %.0f groups %.0f gaps %.0f",
			median(turns, rounds, kind, offsetof(struct turn, of_none)),
			median(turns, rounds, kind, offsetof(struct turn, changes)),
			median(turns, rounds, kind, offsetof(struct turn, groups)),
			median(turns, rounds, kind, offsetof(struct turn, gaps)));
	printf("\n");
}

int main(int argc, char **argv)
{
	uint64_t votes = 200000, subscribers = 1000, rounds = 25;
	bool smoke = false;
	const struct micro_flag flags[] = { { "--smoke", &smoke, NULL },
		{ "--votes", NULL, &votes }, { "--rounds", NULL, &rounds },
		{ "--subscribers", NULL, &subscribers } };
	struct lf_options o = lf_options_default();
	struct bench b = { .articles = 10000 };
	struct turn turns[ROUNDS_MAX][KINDS];
	struct error e;
	char many[64];

	micro_flags(argc, argv, flags, sizeof(flags) / sizeof(flags[0]));
	if (smoke) {
		votes = 5000;
		rounds = 2;
		subscribers = 100;
		b.articles = 500;
	}
	if (subscribers < 1 || subscribers > b.articles)
		micro_fail("there are %llu articles", (unsigned long long)b.articles);
	if (rounds < 1 || rounds > ROUNDS_MAX)
		micro_fail("from 1 to %d rounds", ROUNDS_MAX);
	o.ports_max = 2;
	o.history = UINT64_C(1) << 28; /* of a turn: the reader may have to wait for a processor */
	o.history_keep_s = 0;          /* so that nothing is kept in the turns without */
	b.votes = votes;
	b.counts = calloc(b.articles, sizeof(*b.counts));
	if (b.counts == NULL)
		micro_fail("out of memory");
	check(lf_engine_open(&b.engine, &o, &e), &e);
	check(lf_port_open(&b.port, b.engine, NULL, NULL, &e), &e);
	check(lf_run_script(b.port, SCHEMA, strlen(SCHEMA), &e), &e);
	check(lf_prepare(&b.vote, b.engine, VOTE, strlen(VOTE), NULL, 0, &e), &e);
	(void)snprintf(many, sizeof(many), "by_key_%u", (unsigned)subscribers);
	/* The one that does not count is overwritten. */
	round_run(&b, 0, (unsigned)subscribers, turns[0]);
	for (unsigned i = 0; i < rounds; i++)
		round_run(&b, i, (unsigned)subscribers, turns[i]);
	print(turns, (unsigned)rounds, 0, "none");
	print(turns, (unsigned)rounds, 1, "every");
	print(turns, (unsigned)rounds, 2, "latest");
	print(turns, (unsigned)rounds, 3, many);
	lf_release(b.engine, b.vote);
	lf_port_close(b.port);
	lf_engine_close(b.engine);
	free(b.counts);
	return 0;
}
