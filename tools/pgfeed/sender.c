/*
 * sender.c: see sender.h.
 */
#include "tools/pgfeed/sender.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH_ROWS = 512, ROOM_MS = 50, HOLD_MS = 1000 };

struct batch {
	struct group *group;
	struct sender *s;
	const struct table *table; /* NULL: HOLD or RELEASE */
	bool must;                 /* find its rows; it is RELEASE */
};

/* --- answers --- */

static void keep_failure(struct sender *s, const struct lf_client_error *e, const char *what)
{
	if (s->f->kind == FAILURE_NONE)
		fail_leftfold(s->f, e, what);
}

static void on_batch(void *arg, const struct lf_client_batch *b)
{
	struct batch *batch = arg;
	struct sender *s = batch->s;

	batch->group->outstanding--;
	if (b->failed > 0) {
		keep_failure(s, b->error, batch->table->source);
	} else if (batch->must && b->count < b->n && s->f->kind == FAILURE_NONE) {
		fail(s->f, FAILURE_FATAL, "table %s: a row that was updated is not there",
			batch->table->source);
		fail_remedy(s->f, "Somebody has changed \"%s\" in Leftfold; --recopy %s",
			batch->table->target, batch->table->source);
	}
	free(batch);
}

static void on_truncated(void *arg, uint64_t request, const struct lf_result *r)
{
	struct batch *batch = arg;

	(void)request;
	batch->group->outstanding--;
	if (lf_result_error(r) != NULL)
		keep_failure(batch->s, lf_result_error(r), batch->table->source);
	free(batch);
}

/* Not to hold is no failure: its changes are only not seen together. */
static void on_held(void *arg, uint64_t request, const struct lf_result *r)
{
	struct batch *batch = arg;
	const struct lf_client_error *e = lf_result_error(r);

	(void)request;
	batch->group->outstanding--;
	if (e != NULL && strncmp(e->sqlstate, "25", 2) != 0 && strcmp(e->sqlstate, "55006") != 0)
		keep_failure(batch->s, e, "making changes visible");
	else if (e != NULL && (!batch->must || strcmp(e->sqlstate, "25P03") == 0))
		batch->s->apart++;
	free(batch);
}

static struct batch *batch_new(struct sender *s, const struct table *t, bool must)
{
	struct batch *b = malloc(sizeof(*b));

	if (b == NULL) {
		fail_memory(s->f);
		return NULL;
	}
	*b = (struct batch){ s->last, s, t, must };
	return b;
}

/* --- sending --- */

static int lost(struct sender *s, const struct lf_client_error *e)
{
	keep_failure(s, e, "sending to Leftfold");
	return -1;
}

/* There is no room: let time pass. */
static int wait_room(struct sender *s)
{
	return s->f->kind != FAILURE_NONE ? -1 : s->pump(s->arg, ROOM_MS);
}

static int send_hold(struct sender *s, bool release)
{
	struct batch *b = batch_new(s, NULL, release);
	struct lf_client_error e;
	int status;

	if (b == NULL)
		return -1;
	while ((status = release ? lf_client_send_release(s->c, on_held, b, NULL, &e)
				 : lf_client_send_hold(s->c, HOLD_MS, on_held, b, NULL, &e)) ==
		LF_WOULD_BLOCK)
		if (wait_room(s) != 0)
			break;
	if (status == 0) {
		s->last->outstanding++;
		return 0;
	}
	free(b);
	return status < 0 ? lost(s, &e) : -1;
}

static int group_have(struct sender *s)
{
	struct group *g;

	if (s->open)
		return 0;
	g = calloc(1, sizeof(*g));
	if (g == NULL)
		return fail_memory(s->f);
	g->begun_ms = now_ms();
	g->committed_us = INT64_MIN;
	if (s->last != NULL)
		s->last->next = g;
	else
		s->first = g;
	s->last = g;
	s->open = true;
	return 0;
}

/* For its first change. */
static int group_hold(struct sender *s)
{
	if (group_have(s) != 0)
		return -1;
	if (s->last->held || !s->hold)
		return 0;
	s->last->held = true;
	return send_hold(s, false);
}

int sender_end_batch(struct sender *s)
{
	struct lf_client_error e;
	struct batch *b = s->batch;

	if (s->change == NULL)
		return 0;
	s->change = NULL;
	s->batch = NULL;
	s->batch_rows = 0;
	if (lf_client_batch_end(s->c, NULL, &e) == 0)
		return 0;
	b->group->outstanding--;
	free(b);
	return lost(s, &e);
}

static int batch_begin(struct sender *s, const struct version *v, struct change *change, bool must)
{
	struct lf_client_call how = { LF_ACK_DURABLE, 0, 0 };
	struct lf_client_error e;
	int status;

	s->batch = batch_new(s, v->table, must);
	if (s->batch == NULL)
		return -1;
	while ((status = lf_client_batch_begin(
			s->c, change->s, &how, NULL, on_batch, s->batch, &e)) == LF_WOULD_BLOCK)
		if (wait_room(s) != 0)
			break;
	if (status != 0) {
		free(s->batch);
		s->batch = NULL;
		return status < 0 ? lost(s, &e) : -1;
	}
	s->change = change;
	s->batch_rows = 0;
	s->last->outstanding++;
	return 0;
}

/* Nothing was put into it. */
static void batch_cancel(struct sender *s)
{
	lf_client_batch_cancel(s->c);
	s->last->outstanding--;
	free(s->batch);
	s->batch = NULL;
	s->change = NULL;
}

int sender_change(struct sender *s, const struct version *v, struct change *change, bool must)
{
	struct lf_client_error e;
	int status;

	if (s->f->kind != FAILURE_NONE)
		return -1;
	if (s->change != NULL && s->change != change && sender_end_batch(s) != 0)
		return -1;
	if (group_hold(s) != 0)
		return -1;
	for (;;) {
		if (s->change == NULL && batch_begin(s, v, change, must) != 0)
			return -1;
		status = lf_client_batch_add(s->c, change->p, &e);
		if (status == 0)
			break;
		if (s->batch_rows == 0)
			batch_cancel(s);
		else if (sender_end_batch(s) != 0)
			return -1;
		if (status < 0)
			return lost(s, &e);
		if (wait_room(s) != 0)
			return -1;
	}
	s->rows++;
	s->last->rows++;
	return ++s->batch_rows == BATCH_ROWS ? sender_end_batch(s) : 0;
}

int sender_truncate(struct sender *s, const struct table *t)
{
	struct lf_client_call how = { LF_ACK_DURABLE, 0, 0 };
	struct lf_client_error e;
	struct text sql = { 0 };
	struct batch *b = NULL;
	int status = -1;

	text_put(&sql, "TRUNCATE ");
	text_name(&sql, t->target);
	if (sql.failed || sender_end_batch(s) != 0 || group_hold(s) != 0)
		goto out;
	b = batch_new(s, t, false);
	if (b == NULL)
		goto out;
	while ((status = lf_client_send_query(
			s->c, sql.p, SIZE_MAX, &how, on_truncated, b, NULL, &e)) == LF_WOULD_BLOCK)
		if (wait_room(s) != 0)
			break;
	if (status == 0) {
		s->last->outstanding++;
		s->last->rows++;
	} else {
		free(b);
		if (status < 0)
			(void)lost(s, &e);
	}
out:
	free(sql.p);
	return status == 0 ? 0 : s->f->kind == FAILURE_NONE ? fail_memory(s->f) : -1;
}

void sender_commit(struct sender *s, uint64_t end_lsn, int64_t committed_us)
{
	if (group_have(s) != 0)
		return;
	s->last->end_lsn = end_lsn;
	s->last->committed_us = committed_us;
}

int sender_end_group(struct sender *s)
{
	struct lf_client_error e;

	if (!s->open)
		return 0;
	if (sender_end_batch(s) != 0)
		return -1;
	if (s->last->held && send_hold(s, true) != 0)
		return -1;
	s->open = false;
	return lf_client_flush(s->c, &e) < 0 ? lost(s, &e) : 0;
}

int sender_drain(struct sender *s)
{
	if (sender_end_group(s) != 0)
		return -1;
	for (sender_look(s); s->first != NULL; sender_look(s))
		if (wait_room(s) != 0)
			return -1;
	return 0;
}

void sender_look(struct sender *s)
{
	while (s->first != NULL && s->first->outstanding == 0 &&
		!(s->open && s->first == s->last)) {
		struct group *g = s->first;

		if (g->end_lsn > s->done_lsn) {
			s->done_lsn = g->end_lsn;
			s->done_us = g->committed_us;
		}
		s->first = g->next;
		if (s->first == NULL)
			s->last = NULL;
		free(g);
	}
}

bool sender_idle(const struct sender *s)
{
	return s->first == NULL;
}

void sender_free(struct sender *s)
{
	free(s->batch);
	s->batch = NULL;
	while (s->first != NULL) {
		struct group *g = s->first;

		s->first = g->next;
		free(g);
	}
	s->last = NULL;
}
