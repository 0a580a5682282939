/*
 * vote.c: votes for articles, counted by a view: one row and one view row a command; with --reads also the counts of
 * articles (the benchmark of the Noria paper, Gjengset et al., OSDI 2018, without its articles' titles).
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/load/workload.h"

static const char *const DROP[] = { "DROP MATERIALIZED VIEW IF EXISTS bench_article_votes",
	"DROP TABLE IF EXISTS bench_vote", NULL };
static const char *const SCHEMA[] = {
	"CREATE TABLE bench_vote (article bigint, voter bigint, PRIMARY KEY (article, voter))",
	"CREATE MATERIALIZED VIEW bench_article_votes AS"
	"  SELECT article, count(*) AS votes FROM bench_vote GROUP BY article",
	"CREATE UNIQUE INDEX bench_article_votes_key ON bench_article_votes (article)", NULL
};

struct vote {
	struct keys articles;
	uint64_t sent;
	uint64_t sum;    /* of the articles voted for */
	uint32_t *votes; /* sent, by article */
};

static void *vote_open(const struct workload *w, uint64_t rows, double skew, uint64_t seed)
{
	struct vote *s = calloc(1, sizeof(*s));

	(void)w;
	if (s == NULL)
		return NULL;
	keys_init(&s->articles, rows, skew, seed);
	s->votes = calloc(rows, sizeof(*s->votes));
	if (s->votes == NULL) {
		free(s);
		return NULL;
	}
	return s;
}

static void vote_close(void *state)
{
	struct vote *s = state;

	free(s->votes);
	free(s);
}

static uint64_t vote_fill(void *state, unsigned op, struct lf_params *p)
{
	struct vote *s = state;
	uint64_t article = keys_next(&s->articles);

	(void)op;
	lf_params_set_int(p, 0, (int64_t)article);
	lf_params_set_int(p, 1, (int64_t)s->sent++);
	s->sum += article;
	s->votes[article]++;
	return 0;
}

static uint64_t read_fill(void *state, unsigned op, struct lf_params *p)
{
	struct vote *s = state;
	uint64_t article = keys_next(&s->articles);

	(void)op;
	lf_params_set_int(p, 0, (int64_t)article);
	return article;
}

/* No more votes than were sent. */
static bool read_check(void *state, uint64_t article, const struct lf_result *r)
{
	const struct vote *s = state;
	int64_t votes = 0;

	if (lf_result_count(r) > 0)
		votes = lf_result_int(r, 0, 0);
	return lf_result_count(r) <= 1 && (lf_result_count(r) == 0) == (votes == 0) &&
		votes <= (int64_t)s->votes[article];
}

static int vote_verify(void *state, struct lf_client *c, uint64_t at_least, char *said, size_t cap,
	struct lf_client_error *e)
{
	struct vote *s = state;
	int64_t n[2];

	if (workload_numbers(c, "SELECT sum(votes), sum(article * votes) FROM bench_article_votes",
		    at_least, n, 2, e) != 0)
		return -1;
	(void)snprintf(said, cap, "the view counts %lld votes of %llu sent", (long long)n[0],
		(unsigned long long)s->sent);
	return (uint64_t)n[0] != s->sent || (uint64_t)n[1] != s->sum;
}

static const struct operation OPERATIONS[] = {
	{ .name = "vote",
		.text = "INSERT INTO bench_vote VALUES ($1, $2)",
		.weight = 1,
		.changes = 1,
		.fill = vote_fill },
	{ .name = "read",
		.text = "SELECT votes FROM bench_article_votes WHERE article = $1",
		.mixed_in = true,
		.fill = read_fill,
		.check = read_check },
};

const struct workload WORKLOAD_VOTE = {
	.name = "vote",
	.summary = "votes for articles, counted by a view: one row, one view",
	.rows_are = "articles voted for",
	.rows = 100000,
	.drop = DROP,
	.schema = SCHEMA,
	.operations = OPERATIONS,
	.noperations = 2,
	.open = vote_open,
	.close = vote_close,
	.verify = vote_verify,
};
