/*
 * custom_workload.c: a custom workload's file as a workload: its transactions are the operations, and its executions are
 * counted by their names, for the queries at the end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/custom.h"

struct custom_made {
	struct workload workload; /* first: what is given to the driver */
	const char *path;
	struct custom *custom;
	struct operation *operations;
};

static const char *const NO_STATEMENTS[] = { NULL };

static void *custom_open(const struct workload *w, uint64_t rows, double skew, uint64_t seed)
{
	struct custom_made *m = (struct custom_made *)(uintptr_t)w;
	struct custom_steps *const all[] = { &m->custom->loads, &m->custom->transactions };
	struct random seeds = { seed };

	(void)rows;
	(void)skew;
	for (unsigned k = 0; k < 2; k++)
		for (unsigned i = 0; i < all[k]->n; i++)
			for (unsigned g = 0; g < all[k]->p[i].nparams; g++)
				generator_seed(&all[k]->p[i].generators[g], random_next(&seeds));
	return m;
}

/* The state is the workload itself, which custom_workload_free() frees. */
static void custom_close(void *state)
{
	(void)state;
}

static uint64_t step_fill(struct custom_step *s, struct lf_params *p)
{
	for (unsigned i = 0; i < s->nparams; i++)
		generator_set(&s->generators[i], p, i);
	return s->filled++;
}

static uint64_t load_fill(void *state, unsigned op, struct lf_params *p)
{
	return step_fill(&((struct custom_made *)state)->custom->loads.p[op], p);
}

static uint64_t transaction_fill(void *state, unsigned op, struct lf_params *p)
{
	return step_fill(&((struct custom_made *)state)->custom->transactions.p[op], p);
}

/* Take the parameters' types from the server's statement. */
static int types_take(const char *path, struct custom_step *s, const struct lf_statement *statement)
{
	char name[64];

	if (lf_statement_nparams(statement) != s->nparams) {
		fprintf(stderr, "%s:%u: \"%s\" has %u parameters and %u generators\n", path,
			s->line, s->name, lf_statement_nparams(statement), s->nparams);
		return -1;
	}
	for (unsigned i = 0; i < s->nparams; i++) {
		struct generator *g = &s->generators[i];

		g->type = lf_statement_param_type(statement, i);
		if (!generator_fits(g, g->type)) {
			fprintf(stderr, "%s:%u: $%u is %s, for which %s has no values\n", path,
				s->lines[i], i + 1, lf_type_name(g->type, name, sizeof(name)),
				generator_name(g));
			return -1;
		}
	}
	return 0;
}

static int step_bind(const char *path, struct custom_step *s, struct lf_client *c, bool queries)
{
	struct lf_statement *statement;
	struct lf_client_error e;
	enum lf_statement_kind kind;
	int status = -1;

	if (lf_client_prepare(&statement, c, s->text, SIZE_MAX, NULL, 0, &e) != 0) {
		fprintf(stderr, "%s:%u: \"%s\": %s: %s\n", path, s->line, s->name, e.sqlstate,
			e.message);
		return -1;
	}
	kind = lf_statement_kind(statement);
	if (kind == LF_STATEMENT_COMMAND || (kind == LF_STATEMENT_QUERY && queries))
		status = types_take(path, s, statement);
	else
		fprintf(stderr, "%s:%u: \"%s\" is not a command%s\n", path, s->line, s->name,
			queries ? " or a query" : "");
	lf_statement_close(statement);
	return status;
}

static int custom_bind(void *state, struct lf_client *c)
{
	const struct custom_made *m = state;
	const struct custom_steps *loads = &m->custom->loads, *all = &m->custom->transactions;
	int status = 0;

	for (unsigned i = 0; status == 0 && i < loads->n; i++)
		status = step_bind(m->path, &loads->p[i], c, false);
	for (unsigned i = 0; status == 0 && i < all->n; i++)
		status = step_bind(m->path, &all->p[i], c, true);
	return status;
}

static int custom_load(void *state, struct lf_client *c, struct lf_client_error *e)
{
	const struct custom_made *m = state;
	const struct custom_steps *loads = &m->custom->loads;
	int status = 0;

	for (unsigned i = 0; status == 0 && i < loads->n; i++)
		status = workload_load(
			c, loads->p[i].text, loads->p[i].times, load_fill, state, i, e);
	return status;
}

/* 0: one row, true; 1 with what there is instead in `said`; -1. */
static int query_judge(const struct custom_made *m, unsigned i, struct lf_client *c,
	const struct lf_client_call *how, char *said, size_t cap, struct lf_client_error *e)
{
	char name[CUSTOM_NAME_MAX], found[CUSTOM_MESSAGE_MAX] = "";
	char *text = custom_expand(m->custom, m->custom->verify.texts[i], name);
	struct lf_result *r = lf_result_new();
	int status = r == NULL || text == NULL ? -1 : lf_client_query(c, text, SIZE_MAX, how, r, e);

	if (status == 0) {
		size_t len = lf_result_text(r, 0, 0, found, sizeof(found));

		status = lf_result_nrows(r) != 1 || lf_result_ncolumns(r) != 1 ||
			strcmp(found, "t") != 0;
		if (status != 0)
			(void)snprintf(said, cap, "%s:%u: %zu rows, the first: \"%s\"%s", m->path,
				m->custom->verify.lines[i], lf_result_nrows(r), found,
				len >= sizeof(found) ? "..." : "");
	}
	lf_result_free(r);
	free(text);
	return status;
}

static int custom_verify(void *state, struct lf_client *c, uint64_t at_least, char *said,
	size_t cap, struct lf_client_error *e)
{
	const struct custom_made *m = state;
	struct lf_client_call how = { LF_ACK_VISIBLE, VERIFY_TIMEOUT_MS, at_least };
	unsigned n = m->custom->verify.n;

	for (unsigned i = 0; i < n; i++) {
		int status = query_judge(m, i, c, &how, said, cap, e);

		if (status != 0)
			return status;
	}
	if (n > 0)
		(void)snprintf(said, cap, "%u %s true", n, n == 1 ? "query is" : "queries are");
	return 0;
}

/* The whole file, ended by a zero byte; the caller's to free(). NULL with errno: also when it holds a zero byte itself. */
static char *file_read(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t cap = 0;
	ssize_t n;

	if (f == NULL)
		return NULL;
	errno = 0;
	n = getdelim(&text, &cap, '\0', f);
	if (n > 0 && text[n - 1] == '\0')
		errno = EILSEQ;
	if (errno != 0) {
		free(text);
		text = NULL;
	} else if (n < 0) {
		free(text);
		text = strdup("");
	}
	fclose(f);
	return text;
}

static struct custom *file_parse(const char *path)
{
	struct custom_error e;
	struct custom *c;
	char *text = file_read(path);

	if (text == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return NULL;
	}
	c = custom_parse(text, &e);
	if (c == NULL)
		fprintf(stderr, "%s:%u: %s\n", path, e.line, e.message);
	free(text);
	return c;
}

struct workload *custom_workload(const char *path)
{
	struct custom *c = file_parse(path);
	struct custom_made *m;

	if (c == NULL)
		return NULL;
	m = calloc(1, sizeof(*m));
	if (m == NULL ||
		(m->operations = calloc(c->transactions.n, sizeof(*m->operations))) == NULL) {
		fputs("leftfold-bench: out of memory\n", stderr);
		free(m);
		custom_free(c);
		return NULL;
	}
	for (unsigned i = 0; i < c->transactions.n; i++) {
		const struct custom_step *s = &c->transactions.p[i];

		m->operations[i] = (struct operation){ .name = s->name,
			.text = s->text,
			.weight = s->weight,
			.changes = CHANGES_ANY,
			.fill = transaction_fill };
	}
	m->path = path;
	m->custom = c;
	m->workload = WORKLOAD_CUSTOM;
	m->workload.drop = c->drop.n > 0 ? c->drop.texts : NO_STATEMENTS;
	m->workload.schema = c->schema.n > 0 ? c->schema.texts : NO_STATEMENTS;
	m->workload.operations = m->operations;
	m->workload.noperations = c->transactions.n;
	return &m->workload;
}

void custom_workload_free(struct workload *w)
{
	struct custom_made *m = (struct custom_made *)w;

	if (m == NULL)
		return;
	custom_free(m->custom);
	free(m->operations);
	free(m);
}

const struct workload WORKLOAD_CUSTOM = {
	.name = "custom",
	.summary = "the statements of --file, with generated parameters",
	.drop = NO_STATEMENTS,
	.schema = NO_STATEMENTS,
	.open = custom_open,
	.close = custom_close,
	.bind = custom_bind,
	.load = custom_load,
	.verify = custom_verify,
};
