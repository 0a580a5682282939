/*
 * copy.c: the rows that were there before, as one snapshot sees them.
 *
 * Each of some threads has a connection to both sides. A task is a part of a table's file, by pages: COPY (SELECT …) in binary
 * format, whose rows become batches of INSERT; values of types without a binary format of Leftfold's are cast to text by
 * PostgreSQL. A task is done when all of its rows are durable. The first failure ends all.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/pgfeed/bytes.h"
#include "tools/pgfeed/session.h"

enum {
	TASK_PAGES = 4096,
	BATCH_ROWS = 2000,
	POLL_MS = 100,
	WAIT_MS = 120000,
	SIGNATURE_BYTES = 11,
	PROGRESS_MS = 5000
};

struct task {
	struct table *table;
	uint64_t first, end; /* pages; 0, 0: all of them */
};

struct copying {
	const struct options *o;
	const char *snapshot;
	struct task *tasks;
	unsigned ntasks;
	unsigned next;  /* atomic */
	uint64_t rows;  /* atomic */
	unsigned ended; /* atomic: threads */
	bool failed;    /* atomic */
	pthread_mutex_t lock;
	struct failure f; /* the first */
};

struct worker {
	struct copying *all;
	PGconn *pg;
	struct lf_client *lf;
	struct table *table; /* of the statement */
	struct lf_statement *insert;
	struct lf_params *params;
	unsigned batch; /* rows in the one that is open; 0: none is */
	bool header;    /* has been seen */
	struct failure f;
};

/* --- what is asked for --- */

char *copy_text(const struct table *t, uint64_t first, uint64_t end, bool binary)
{
	struct text s = { 0 };
	const char *glue = " WHERE ";

	text_put(&s, "COPY (SELECT ");
	for (unsigned i = 0; i < t->ncolumns; i++) {
		const struct column *c = &t->columns[i];

		text_put(&s, i > 0 ? ", " : "");
		if (binary && !(c->same && type_has_binary(c->oid))) {
			/* What the type's output function prints, which a cast need not. */
			text_put(&s, "CASE num_nulls(");
			text_name(&s, c->name);
			text_put(&s, ") WHEN 0 THEN concat(");
			text_name(&s, c->name);
			text_put(&s, ") END");
		} else {
			text_name(&s, c->name);
		}
	}
	text_put(&s, " FROM ");
	/* Rows of tables that inherit from it are theirs. */
	text_put(&s, t->partitioned ? "" : "ONLY ");
	text_name(&s, t->schema);
	text_put(&s, ".");
	text_name(&s, t->name);
	if (first > 0) {
		text_format(&s, "%sctid >= '(%llu,0)'::tid", glue, (unsigned long long)first);
		glue = " AND ";
	}
	if (end > 0) {
		text_format(&s, "%sctid < '(%llu,0)'::tid", glue, (unsigned long long)end);
		glue = " AND ";
	}
	if (t->filter[0] != '\0')
		text_format(&s, "%s(%s)", glue, t->filter);
	text_put(&s, binary ? ") TO STDOUT (FORMAT binary)" : ") TO STDOUT");
	return s.p;
}

static char *insert_text(const struct table *t)
{
	struct text s = { 0 };

	text_put(&s, "INSERT INTO ");
	text_name(&s, t->target);
	text_put(&s, " (");
	for (unsigned i = 0; i < t->ncolumns; i++) {
		text_put(&s, i > 0 ? ", " : "");
		text_name(&s, t->columns[i].name);
	}
	text_put(&s, ") VALUES (");
	for (unsigned i = 0; i < t->ncolumns; i++)
		text_format(&s, "%s$%u", i > 0 ? ", " : "", i + 1);
	text_put(&s, ")");
	return s.p;
}

static int statement_have(struct worker *w, struct table *t)
{
	struct lf_client_error e;
	char *text;
	int status;

	if (w->table == t)
		return 0;
	lf_params_free(w->params);
	lf_statement_close(w->insert);
	w->params = NULL;
	w->insert = NULL;
	w->table = NULL;
	text = insert_text(t);
	if (text == NULL)
		return fail_memory(&w->f);
	status = lf_client_prepare(&w->insert, w->lf, text, SIZE_MAX, NULL, 0, &e);
	free(text);
	if (status != 0)
		return fail_leftfold(&w->f, &e, t->source);
	w->params = lf_params_new(w->insert);
	if (w->params == NULL)
		return fail_memory(&w->f);
	w->table = t;
	return 0;
}

/* --- rows --- */

static void on_batch(void *arg, const struct lf_client_batch *b)
{
	struct worker *w = arg;

	if (b->failed > 0 && w->f.kind == FAILURE_NONE)
		fail_leftfold(&w->f, b->error, w->table->source);
	(void)__atomic_fetch_add(&w->all->rows, b->count, __ATOMIC_RELAXED);
}

static int lost(struct worker *w, const struct lf_client_error *e)
{
	return w->f.kind != FAILURE_NONE ? -1 : fail_leftfold(&w->f, e, "copying to Leftfold");
}

static int batch_end(struct worker *w)
{
	struct lf_client_error e;

	if (w->batch == 0)
		return 0;
	w->batch = 0;
	if (lf_client_batch_end(w->lf, NULL, &e) != 0)
		return lost(w, &e);
	if (lf_client_poll(w->lf, 0, &e) < 0)
		return lost(w, &e);
	return w->f.kind == FAILURE_NONE ? 0 : -1;
}

static int row_send(struct worker *w)
{
	struct lf_client_call how = { LF_ACK_DURABLE, 0, 0 };
	struct lf_client_error e;
	int status;

	for (;;) {
		status = w->batch > 0
			? 0
			: lf_client_batch_begin(w->lf, w->insert, &how, NULL, on_batch, w, &e);
		if (status == 0)
			status = lf_client_batch_add(w->lf, w->params, &e);
		if (status == 0)
			break;
		if (status < 0)
			return lost(w, &e);
		/* No more fits. */
		if (w->batch == 0)
			lf_client_batch_cancel(w->lf);
		else if (batch_end(w) != 0)
			return -1;
		if (lf_client_poll(w->lf, POLL_MS, &e) < 0 || w->f.kind != FAILURE_NONE)
			return lost(w, &e);
		if (stopping)
			return fail(&w->f, FAILURE_STOPPED, "ended while copying");
	}
	w->batch++;
	return w->batch == BATCH_ROWS ? batch_end(w) : 0;
}

static int bad_value(struct worker *w, unsigned column)
{
	const struct lf_client_error *e = lf_params_error(w->params);
	const struct table *t = w->table;

	fail(&w->f, FAILURE_FATAL, "table %s: a value of column \"%s\" (%s) does not fit %s: %s %s",
		t->source, t->columns[column].name, t->columns[column].type,
		t->columns[column].mapped, e == NULL ? "" : e->sqlstate,
		e == NULL ? "not its binary format" : e->message);
	return fail_remedy(&w->f,
		"Keep it as text, --column %s.%s=text, or leave it out, --column %s.%s=-",
		t->source, t->columns[column].name, t->source, t->columns[column].name);
}

static int row_set(struct worker *w, const uint8_t **p, const uint8_t *end, unsigned n)
{
	const struct table *t = w->table;

	if (n != t->ncolumns)
		return fail(&w->f, FAILURE_RETRY, "table %s: COPY gives another number of columns",
			t->source);
	for (unsigned i = 0; i < n; i++) {
		const struct column *c = &t->columns[i];
		uint32_t length;
		int status;

		if (end - *p < 4)
			return fail(&w->f, FAILURE_RETRY, "COPY gives a row that is cut");
		length = get_u32(*p);
		*p += 4;
		if (length == UINT32_MAX) {
			(void)lf_params_set_null(w->params, i);
			continue;
		}
		if ((size_t)(end - *p) < length)
			return fail(&w->f, FAILURE_RETRY, "COPY gives a row that is cut");
		if (c->same && type_has_binary(c->oid))
			status = value_set_binary(w->params, i, c->oid, *p, length);
		else
			status = value_set_text(w->params, i, lf_statement_param_type(w->insert, i),
				(const char *)*p, length);
		if (status != 0)
			return bad_value(w, i);
		*p += length;
	}
	return 0;
}

/* PostgreSQL sends each row as one message, the header before the first. */
static int rows_take(struct worker *w, const uint8_t *p, size_t n)
{
	const uint8_t *end = p + n;

	if (!w->header) {
		if (n < SIGNATURE_BYTES + 8 || memcmp(p, "PGCOPY\n\377\r\n", SIGNATURE_BYTES) != 0)
			return fail(&w->f, FAILURE_RETRY, "COPY gives no header");
		p += SIGNATURE_BYTES + 8;
		w->header = true;
	}
	while (end - p >= 2) {
		unsigned fields = get_u16(p);

		p += 2;
		if (fields == UINT16_MAX)
			return 0;
		if (row_set(w, &p, end, fields) != 0 || row_send(w) != 0)
			return -1;
	}
	return 0;
}

/* --- tasks --- */

static int data_wait(struct worker *w)
{
	struct pollfd p[] = { { PQsocket(w->pg), POLLIN, 0 },
		{ lf_client_fd(w->lf), lf_client_events(w->lf), 0 } };
	struct lf_client_error e;

	if (batch_end(w) != 0)
		return -1;
	(void)poll(p, 2, POLL_MS);
	if (p[0].revents != 0 && PQconsumeInput(w->pg) == 0)
		return pg_fail(w->pg, NULL, w->table->source, &w->f);
	if (p[1].revents != 0 && lf_client_poll(w->lf, 0, &e) < 0)
		return lost(w, &e);
	return w->f.kind == FAILURE_NONE ? 0 : -1;
}

static bool given_up(const struct worker *w)
{
	return stopping || __atomic_load_n(&w->all->failed, __ATOMIC_RELAXED);
}

static int task_data(struct worker *w)
{
	char *data;
	int n;

	w->header = false;
	for (;;) {
		if (given_up(w))
			return fail(&w->f, FAILURE_STOPPED, "ended while copying");
		n = PQgetCopyData(w->pg, &data, 1);
		if (n > 0) {
			int status = rows_take(w, (const uint8_t *)data, (size_t)n);

			PQfreemem(data);
			if (status != 0)
				return -1;
		} else if (n == 0) {
			if (data_wait(w) != 0)
				return -1;
		} else {
			return n == -1 ? 0 : pg_fail(w->pg, NULL, w->table->source, &w->f);
		}
	}
}

static int task_run(struct worker *w, const struct task *task)
{
	char *sql = copy_text(task->table, task->first, task->end, true);
	struct lf_client_error e;
	PGresult *r = NULL;
	int status = -1;

	if (sql == NULL)
		return fail_memory(&w->f);
	if (statement_have(w, task->table) == 0)
		r = pg_run(w->pg, task->table->source, sql, 0, NULL, &w->f);
	free(sql);
	if (r == NULL)
		return -1;
	PQclear(r);
	if (task_data(w) == 0 && batch_end(w) == 0)
		status = pg_copy_end(w->pg, w->table->source, &w->f);
	/* Their acknowledgements tell of this table. */
	if (status == 0 && lf_client_wait(w->lf, WAIT_MS, &e) != 0)
		status = fail(&w->f, FAILURE_RETRY, "copying: Leftfold does not answer");
	return w->f.kind == FAILURE_NONE ? status : -1;
}

static int worker_open(struct worker *w)
{
	w->pg = pg_open_at(w->all->o->from, w->all->snapshot, &w->f);
	if (w->pg == NULL)
		return -1;
	return leftfold_open(&w->lf, w->all->o, w->all->o->slot, false, &w->f);
}

static void *worker_main(void *arg)
{
	struct copying *all = arg;
	struct worker w = { .all = all };
	int status = worker_open(&w);

	while (status == 0 && !given_up(&w)) {
		unsigned i = __atomic_fetch_add(&all->next, 1, __ATOMIC_RELAXED);

		if (i >= all->ntasks)
			break;
		status = task_run(&w, &all->tasks[i]);
	}
	if (status != 0) {
		pthread_mutex_lock(&all->lock);
		if (!all->failed)
			all->f = w.f;
		__atomic_store_n(&all->failed, true, __ATOMIC_RELAXED);
		pthread_mutex_unlock(&all->lock);
	}
	lf_params_free(w.params);
	/* What is still under way is answered with a failure, which nobody minds any more. */
	lf_client_close(w.lf);
	PQfinish(w.pg);
	(void)__atomic_fetch_add(&all->ended, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* --- all --- */

static int tasks_make(struct copying *all, struct table *const *tables, unsigned n)
{
	size_t count = 0;

	for (unsigned i = 0; i < n; i++)
		count += (size_t)(tables[i]->pages / TASK_PAGES) + 1;
	all->tasks = calloc(count + 1, sizeof(*all->tasks));
	if (all->tasks == NULL)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		uint64_t at = 0;

		for (; tables[i]->pages - at > TASK_PAGES; at += TASK_PAGES)
			all->tasks[all->ntasks++] = (struct task){ tables[i], at, at + TASK_PAGES };
		/* The last has no end: what is there is seen, wherever it lies. */
		all->tasks[all->ntasks++] = (struct task){ tables[i], at, 0 };
	}
	return 0;
}

static void progress(struct copying *all, unsigned threads)
{
	uint64_t said = now_ms(), begun = said;

	while (__atomic_load_n(&all->ended, __ATOMIC_ACQUIRE) < threads) {
		uint64_t now = now_ms();

		(void)poll(NULL, 0, POLL_MS / 2);
		if (all->o->report_s == 0 || now - said < PROGRESS_MS)
			continue;
		said = now;
		say("copying: %llu rows in %llu s",
			(unsigned long long)__atomic_load_n(&all->rows, __ATOMIC_RELAXED),
			(unsigned long long)(now - begun) / 1000);
	}
}

int copy_tables(const struct options *o, struct table *const *tables, unsigned n,
	const char *snapshot, uint64_t *rows, struct failure *f)
{
	struct copying all = { .o = o, .snapshot = snapshot, .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t *threads = calloc(o->jobs, sizeof(*threads));
	uint64_t begun = now_ms();
	unsigned started = 0;

	if (threads == NULL || tasks_make(&all, tables, n) != 0) {
		free(threads);
		return fail_memory(f);
	}
	while (started < o->jobs && started < all.ntasks &&
		pthread_create(&threads[started], NULL, worker_main, &all) == 0)
		started++;
	progress(&all, started);
	for (unsigned i = 0; i < started; i++)
		(void)pthread_join(threads[i], NULL);
	free(threads);
	free(all.tasks);
	pthread_mutex_destroy(&all.lock);
	*rows = all.rows;
	if (started == 0)
		return fail(f, FAILURE_RETRY, "no thread for copying could be made");
	if (stopping)
		return fail(f, FAILURE_STOPPED, "ended while copying");
	if (all.failed) {
		*f = all.f;
		return -1;
	}
	say("copied %u table%s: %llu rows in %.1f s", n, n == 1 ? "" : "s",
		(unsigned long long)all.rows, (double)(now_ms() - begun) / 1000);
	return 0;
}
