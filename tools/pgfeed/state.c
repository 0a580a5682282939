/*
 * state.c: see state.h. The tables have a source of their own, and so the connection that writes them; all but the position
 * is written as text, seldom.
 */
#include "tools/pgfeed/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { IO_TIMEOUT_MS = 120000, READ_TIMEOUT_MS = 60000 };

static const char *const MAKE[] = {
	"CREATE TABLE IF NOT EXISTS leftfold_pgfeed (slot text PRIMARY KEY, system text, database text,"
	" publication text, owner bigint, lsn bigint, reach bigint, committed timestamptz,"
	" written timestamptz) WITH (source = '" STATE_SOURCE "')",
	"CREATE TABLE IF NOT EXISTS leftfold_pgfeed_table (slot text, source text, target text,"
	" relation bigint, membership bigint, state text, from_lsn bigint, columns text,"
	" PRIMARY KEY (slot, source)) WITH (source = '" STATE_SOURCE "')",
	"CREATE TABLE IF NOT EXISTS leftfold_pgfeed_kept (slot text, lsn bigint, number bigint, name text,"
	" value text, PRIMARY KEY (slot, lsn, number, name)) WITH (source = '" STATE_SOURCE "')"
};

int leftfold_open(struct lf_client **c, const struct options *o, const char *source, bool alone,
	struct failure *f)
{
	struct lf_client_options co = lf_client_options_default();
	struct lf_client_error e;

	co.address = o->to;
	co.source = source;
	co.source_alone = alone;
	co.io_timeout_ms = IO_TIMEOUT_MS;
	if (lf_client_open(c, &co, &e) == 0)
		return 0;
	return fail_leftfold(f, &e, "connecting to Leftfold");
}

int leftfold_run(struct lf_client *c, const char *what, const char *sql, struct lf_result *answer,
	struct failure *f)
{
	struct lf_client_call how = { LF_ACK_DURABLE, READ_TIMEOUT_MS, LF_EPOCH_OWN };
	struct lf_client_error e;

	if (sql == NULL)
		return fail_memory(f);
	if (lf_client_query(c, sql, SIZE_MAX, &how, answer, &e) == 0)
		return 0;
	return fail_leftfold(f, &e, what);
}

int leftfold_run_text(struct lf_client *c, const char *what, struct text *sql,
	struct lf_result *answer, struct failure *f)
{
	int status = leftfold_run(c, what, sql->p, answer, f);

	free(sql->p);
	*sql = (struct text){ 0 };
	return status;
}

static int run_text(struct state *s, const char *what, struct text *t, struct failure *f)
{
	return leftfold_run_text(s->c, what, t, s->answer, f);
}

static void copy_field(
	const struct lf_result *r, size_t row, unsigned column, char *out, size_t cap)
{
	size_t n;
	const char *bytes = lf_result_bytes(r, row, column, &n);

	if (bytes == NULL || n >= cap)
		n = 0;
	if (n > 0)
		memcpy(out, bytes, n);
	out[n] = '\0';
}

static int64_t time_field(const struct lf_result *r, size_t row, unsigned column)
{
	return lf_result_is_null(r, row, column) ? INT64_MIN : lf_result_int(r, row, column);
}

int state_read(struct state *s, struct failure *f)
{
	struct text t = { 0 };

	text_put(&t,
		"SELECT system, database, publication, lsn, reach, committed, written FROM"
		" leftfold_pgfeed WHERE slot = ");
	text_quoted(&t, s->o->slot);
	if (run_text(s, "reading the feed's position", &t, f) != 0) {
		const struct lf_client_error *e = lf_result_error(s->answer);

		s->found = false;
		return e != NULL && strcmp(e->sqlstate, "42P01") == 0 ? 0 : -1;
	}
	s->found = lf_result_nrows(s->answer) == 1;
	if (!s->found)
		return 0;
	copy_field(s->answer, 0, 0, s->system, sizeof(s->system));
	copy_field(s->answer, 0, 1, s->database, sizeof(s->database));
	copy_field(s->answer, 0, 2, s->publication, sizeof(s->publication));
	s->lsn = (uint64_t)lf_result_int(s->answer, 0, 3);
	s->reach = (uint64_t)lf_result_int(s->answer, 0, 4);
	s->committed_us = time_field(s->answer, 0, 5);
	s->written_us = time_field(s->answer, 0, 6);
	return 0;
}

int state_open(struct state *s, const struct options *o, bool make, struct failure *f)
{
	*s = (struct state){ .o = o };
	if (getrandom(&s->owner, sizeof(s->owner), 0) != sizeof(s->owner))
		s->owner = now_us();
	s->answer = lf_result_new();
	if (s->answer == NULL)
		return fail_memory(f);
	if (leftfold_open(&s->c, o, STATE_SOURCE, false, f) != 0)
		return -1;
	for (unsigned i = 0; make && i < sizeof(MAKE) / sizeof(MAKE[0]); i++)
		if (leftfold_run(s->c, "making the tables of the feed's state", MAKE[i], NULL, f) !=
			0)
			return -1;
	return state_read(s, f);
}

void state_close(struct state *s)
{
	lf_params_free(s->params);
	lf_client_close(s->c);
	lf_result_free(s->answer);
	*s = (struct state){ 0 };
}

int state_create(struct state *s, const char *system, const char *database, struct failure *f)
{
	struct text t = { 0 };

	text_put(&t,
		"INSERT INTO leftfold_pgfeed (slot, system, database, publication, owner, lsn, reach)"
		" VALUES (");
	text_quoted(&t, s->o->slot);
	text_put(&t, ", ");
	text_quoted(&t, system);
	text_put(&t, ", ");
	text_quoted(&t, database);
	text_put(&t, ", ");
	text_quoted(&t, s->o->publication);
	text_format(&t,
		", %" PRId64 ", 0, 0) ON CONFLICT (slot) DO UPDATE SET system = excluded.system,"
		" database = excluded.database, publication = excluded.publication,"
		" owner = excluded.owner, lsn = 0, reach = 0",
		s->owner);
	if (run_text(s, "writing the feed's position", &t, f) != 0)
		return -1;
	s->found = true;
	s->lsn = s->reach = 0;
	return 0;
}

int state_begin(struct state *s, uint64_t lsn, struct failure *f)
{
	struct text t = { 0 };

	text_format(&t,
		"UPDATE leftfold_pgfeed SET lsn = %" PRIu64 ", reach = %" PRIu64 " WHERE slot = ",
		lsn, lsn);
	text_quoted(&t, s->o->slot);
	if (run_text(s, "writing the feed's position", &t, f) != 0)
		return -1;
	s->lsn = s->reach = lsn;
	return 0;
}

int state_take(struct state *s, struct failure *f)
{
	static const char WRITE[] =
		"UPDATE leftfold_pgfeed SET lsn = $1, reach = $2, committed = coalesce($3, committed),"
		" written = $4 WHERE slot = $5 AND owner = $6";
	struct lf_client_error e;
	struct text t = { 0 };

	text_format(&t, "UPDATE leftfold_pgfeed SET owner = %" PRId64 " WHERE slot = ", s->owner);
	text_quoted(&t, s->o->slot);
	if (run_text(s, "taking the slot", &t, f) != 0)
		return -1;
	if (lf_client_prepare(&s->write, s->c, WRITE, SIZE_MAX, NULL, 0, &e) != 0)
		return fail_leftfold(f, &e, "preparing to write the position");
	s->params = lf_params_new(s->write);
	return s->params == NULL ? fail_memory(f) : 0;
}

int state_write(struct state *s, uint64_t lsn, uint64_t reach, int64_t committed_us,
	lf_client_on_result fn, void *arg, struct failure *f)
{
	struct lf_client_call how = { LF_ACK_DURABLE, 0, 0 };
	struct lf_client_error e;
	int status;

	(void)lf_params_set_int(s->params, 0, (int64_t)lsn);
	(void)lf_params_set_int(s->params, 1, (int64_t)reach);
	if (committed_us == INT64_MIN)
		(void)lf_params_set_null(s->params, 2);
	else
		(void)lf_params_set_timestamp(s->params, 2, committed_us);
	(void)lf_params_set_timestamp(s->params, 3, now_us());
	(void)lf_params_set_text(s->params, 4, s->o->slot, SIZE_MAX);
	(void)lf_params_set_int(s->params, 5, s->owner);
	status = lf_client_send(s->c, s->write, s->params, &how, fn, arg, NULL, &e);
	/* Nothing else is under way on this connection, so there is room. */
	if (status == 0 && lf_client_flush(s->c, &e) >= 0)
		return 0;
	return fail_leftfold(f, &e, "writing the position");
}

int state_written(const struct lf_result *r, struct failure *f)
{
	if (lf_result_error(r) != NULL)
		return fail_leftfold(f, lf_result_error(r), "writing the position");
	if (lf_result_count(r) == 1)
		return 0;
	fail(f, FAILURE_FATAL,
		"another feed has taken the slot, or its row in leftfold_pgfeed is gone");
	return fail_remedy(f, "Let one feed run for each slot");
}

struct waiting {
	bool done;
	int status;
	struct failure *f;
};

static void on_written(void *arg, uint64_t request, const struct lf_result *r)
{
	struct waiting *w = arg;

	(void)request;
	w->done = true;
	w->status = state_written(r, w->f);
}

int state_write_wait(
	struct state *s, uint64_t lsn, uint64_t reach, int64_t committed_us, struct failure *f)
{
	struct waiting w = { .f = f };

	if (state_write(s, lsn, reach, committed_us, on_written, &w, f) != 0)
		return -1;
	if (lf_client_wait(s->c, IO_TIMEOUT_MS, NULL) != 0 && !w.done)
		return fail(f, FAILURE_RETRY, "writing the position: Leftfold does not answer");
	return w.status;
}

/* --- tables --- */

static const char *state_name(enum table_state s)
{
	return s == TABLE_FED ? "fed" : "copying";
}

static char *field_dup(const struct lf_result *r, size_t row, unsigned column)
{
	size_t n;
	const char *bytes = lf_result_bytes(r, row, column, &n);

	return bytes == NULL ? strdup("") : strndup(bytes, n);
}

int state_read_tables(struct state *s, struct state_tables *t, struct failure *f)
{
	struct text sql = { 0 };
	size_t n;

	*t = (struct state_tables){ 0 };
	text_put(&sql,
		"SELECT source, target, relation, membership, state, from_lsn, columns FROM"
		" leftfold_pgfeed_table WHERE slot = ");
	text_quoted(&sql, s->o->slot);
	text_put(&sql, " ORDER BY source");
	if (run_text(s, "reading the feed's tables", &sql, f) != 0)
		return -1;
	n = lf_result_nrows(s->answer);
	t->at = calloc(n + 1, sizeof(*t->at));
	if (t->at == NULL)
		return fail_memory(f);
	for (size_t i = 0; i < n; i++) {
		struct state_table *row = &t->at[t->n++];
		char state[16];

		copy_field(s->answer, i, 4, state, sizeof(state));
		*row = (struct state_table){ .source = field_dup(s->answer, i, 0),
			.target = field_dup(s->answer, i, 1),
			.relation = (uint32_t)lf_result_int(s->answer, i, 2),
			.membership = (uint64_t)lf_result_int(s->answer, i, 3),
			.from_lsn = (uint64_t)lf_result_int(s->answer, i, 5),
			.columns = field_dup(s->answer, i, 6),
			.state = strcmp(state, "fed") == 0 ? TABLE_FED : TABLE_COPYING,
			.left = strcmp(state, "left") == 0 };
		if (row->source == NULL || row->target == NULL || row->columns == NULL)
			return fail_memory(f);
	}
	return 0;
}

void state_tables_free(struct state_tables *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		free(t->at[i].source);
		free(t->at[i].target);
		free(t->at[i].columns);
	}
	free(t->at);
	*t = (struct state_tables){ 0 };
}

const struct state_table *state_tables_find(const struct state_tables *t, const char *source)
{
	for (unsigned i = 0; i < t->n; i++)
		if (strcmp(t->at[i].source, source) == 0)
			return &t->at[i];
	return NULL;
}

int state_put_table(struct state *s, const struct table *t, struct failure *f)
{
	char *columns = table_columns_text(t);
	struct text sql = { 0 };

	text_put(&sql, "INSERT INTO leftfold_pgfeed_table VALUES (");
	text_quoted(&sql, s->o->slot);
	text_put(&sql, ", ");
	text_quoted(&sql, t->source);
	text_put(&sql, ", ");
	text_quoted(&sql, t->target);
	text_format(&sql, ", %" PRIu32 ", %" PRIu64 ", '%s', %" PRIu64 ", ", t->relation,
		t->membership, state_name(t->state), t->from_lsn);
	text_quoted(&sql, columns == NULL ? "" : columns);
	text_put(&sql,
		") ON CONFLICT (slot, source) DO UPDATE SET target = excluded.target,"
		" relation = excluded.relation, membership = excluded.membership,"
		" state = excluded.state, from_lsn = excluded.from_lsn,"
		" columns = excluded.columns");
	free(columns);
	return run_text(s, "writing the feed's tables", &sql, f);
}

int state_leave_table(struct state *s, const char *source, struct failure *f)
{
	struct text sql = { 0 };

	text_put(&sql, "UPDATE leftfold_pgfeed_table SET state = 'left' WHERE slot = ");
	text_quoted(&sql, s->o->slot);
	text_put(&sql, " AND source = ");
	text_quoted(&sql, source);
	return run_text(s, "writing the feed's tables", &sql, f);
}

/* --- values of rows that get another key --- */

int state_keep(struct state *s, struct move m, const char *column, const char *value, size_t n,
	struct failure *f)
{
	char *copy = value == NULL ? NULL : strndup(value, n);
	struct text sql = { 0 };

	if (value != NULL && copy == NULL)
		return fail_memory(f);
	text_put(&sql, "INSERT INTO leftfold_pgfeed_kept VALUES (");
	text_quoted(&sql, s->o->slot);
	text_format(&sql, ", %" PRIu64 ", %" PRIu64 ", ", m.lsn, m.number);
	text_quoted(&sql, column);
	text_put(&sql, ", ");
	if (copy == NULL)
		text_put(&sql, "NULL");
	else
		text_quoted(&sql, copy);
	text_put(&sql, ") ON CONFLICT DO NOTHING");
	free(copy);
	return run_text(s, "keeping a value", &sql, f);
}

int state_kept(struct state *s, struct move m, struct failure *f)
{
	struct text sql = { 0 };

	text_put(&sql, "SELECT name, value FROM leftfold_pgfeed_kept WHERE slot = ");
	text_quoted(&sql, s->o->slot);
	text_format(&sql, " AND lsn = %" PRIu64 " AND number = %" PRIu64, m.lsn, m.number);
	return run_text(s, "reading values that were kept", &sql, f);
}

int state_forget(struct state *s, struct failure *f)
{
	struct text sql = { 0 };

	text_put(&sql, "DELETE FROM leftfold_pgfeed_kept WHERE slot = ");
	text_quoted(&sql, s->o->slot);
	text_format(&sql, " AND lsn < %" PRIu64, s->lsn);
	return run_text(s, "forgetting values that were kept", &sql, f);
}

int state_remove(struct state *s, struct failure *f)
{
	static const char *const TABLES[] = { "leftfold_pgfeed_kept", "leftfold_pgfeed_table",
		"leftfold_pgfeed" };

	for (unsigned i = 0; i < sizeof(TABLES) / sizeof(TABLES[0]); i++) {
		struct text sql = { 0 };

		text_format(&sql, "DELETE FROM %s WHERE slot = ", TABLES[i]);
		text_quoted(&sql, s->o->slot);
		if (run_text(s, "removing the feed's state", &sql, f) != 0)
			return -1;
	}
	return 0;
}
