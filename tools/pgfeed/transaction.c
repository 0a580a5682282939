/*
 * transaction.c: messages of pgoutput, as changes of tables.
 *
 * A transaction that has committed comes whole: its changes are sent as they come. One that is large comes in parts while it
 * is still under way (protocol version 2): the parts are put aside and taken when it commits. Changes that a table's copy has
 * already are passed over. While it is not certain that nothing of it is in Leftfold already, all goes into the window.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/pgfeed/stream.h"

enum {
	GROUP_ROWS = 4096, /* at a commit: enough */
	GROUP_MS = 20,
	GROUP_ROWS_MOST = 32768, /* within a transaction: what is seen together has an end */
	GROUP_MS_MOST = 400
};

/* --- rows --- */

static struct table *table_of(struct stream *st, uint32_t relation)
{
	struct table *t = tables_find(&st->s->tables, relation);

	/* What was committed before is in the copy. */
	return t == NULL || st->lsn < t->from_lsn ? NULL : t;
}

static int values_read(struct stream *st, const struct version *v, const struct pgoutput_tuple *t,
	struct pgoutput_value *out)
{
	size_t at = 0;

	if (t->n != v->n)
		return fail(st->f, FAILURE_FATAL, "table %s: a row has %u columns instead of %u",
			v->table->source, t->n, v->n);
	for (unsigned i = 0; i < t->n; i++)
		pgoutput_next(t, &at, &out[i]);
	return 0;
}

static bool keys_differ(
	const struct version *v, const struct pgoutput_value *a, const struct pgoutput_value *b)
{
	for (unsigned k = 0; k < v->table->nkey; k++) {
		const struct pgoutput_value *x = &a[v->key[k]], *y = &b[v->key[k]];

		if (x->kind != y->kind || x->len != y->len ||
			(x->len > 0 && memcmp(x->bytes, y->bytes, x->len) != 0))
			return true;
	}
	return false;
}

/* A row that has another key now. What it lacks is fetched, and kept, before anything is sent. */
static int row_moved(struct stream *st, struct version *v)
{
	char *memory = NULL;
	int status = 0;

	if (apply_lacks(v, st->new, NULL)) {
		status = apply_fetch(&st->sender, v, st->new, st->old, st->move, &memory);
		st->kept_lsn = st->lsn;
	}
	if (status == 0)
		status = apply_erase(&st->sender, v, st->old);
	if (status == 0)
		status = apply_put(&st->sender, v, st->new);
	free(memory);
	return status;
}

static int row_put(struct stream *st, struct version *v, bool moved)
{
	if (moved && apply_lacks(v, st->new, NULL))
		st->move.number++;
	if (st->window != NULL)
		return window_put(st->window, v, st->new, moved ? st->old : NULL, st->move, st->f);
	return moved ? row_moved(st, v) : apply_put(&st->sender, v, st->new);
}

/* The old row, or its key, has what the new one does not send again. */
static void values_merge(struct stream *st, const struct version *v, char old_kind)
{
	for (unsigned i = 0; i < v->n; i++)
		if (st->new[i].kind == PGOUTPUT_UNCHANGED && (old_kind == 'O' || v->identity[i]))
			st->new[i] = st->old[i];
}

static int on_row(struct stream *st, const struct pgoutput_message *m)
{
	struct table *t = table_of(st, m->relation);
	struct version *v;
	bool moved = false;

	if (t == NULL)
		return 0;
	v = t->version;
	if (v == NULL)
		return fail(st->f, FAILURE_FATAL, "table %s: a row comes before its columns",
			t->source);
	if (m->old_kind != 0 && values_read(st, v, &m->old, st->old) != 0)
		return -1;
	if (m->type == PGOUTPUT_DELETE)
		return st->window != NULL ? window_erase(st->window, v, st->old, st->f)
					  : apply_erase(&st->sender, v, st->old);
	if (values_read(st, v, &m->new, st->new) != 0)
		return -1;
	if (m->old_kind != 0) {
		values_merge(st, v, m->old_kind);
		moved = keys_differ(v, st->old, st->new);
	}
	return row_put(st, v, moved);
}

static int on_truncate(struct stream *st, const struct pgoutput_message *m)
{
	for (uint32_t i = 0; i < m->ntables; i++) {
		struct table *t = table_of(st, pgoutput_truncated(m, i));
		int status;

		if (t == NULL)
			continue;
		status = st->window != NULL ? window_truncate(st->window, t, st->f)
					    : sender_truncate(&st->sender, t);
		if (status != 0)
			return -1;
	}
	return 0;
}

/* Columns, or a table, that the catalog did not have when it was read: read it again. What is older than that is as it was
 * then, and what has changed since then has been seen in the catalog. */
static int on_relation(struct stream *st, const struct pgoutput_message *m)
{
	struct table *t = tables_find(&st->s->tables, m->relation);
	bool newer = st->lsn >= st->s->tables.lsn;

	if (t == NULL) {
		/* One that was not chosen is passed over. */
		if (!newer || st->s->o->ntables > 0)
			return 0;
		return fail(
			st->f, FAILURE_ANEW, "table %s.%s is published now", m->schema, m->name);
	}
	if (sender_end_batch(&st->sender) != 0)
		return -1;
	switch (version_have(t, m, st->s->lf, st->f)) {
	case RELATION_FITS: return 0;
	case RELATION_FAILS: return -1;
	case RELATION_DIFFERS:
		if (!newer)
			return 0;
		break;
	}
	return fail(st->f, FAILURE_ANEW, "the columns of table %s have changed", t->source);
}

/* --- transactions --- */

/* What the window has is all there now: send what counts of it, and go on. */
static int window_end(struct stream *st)
{
	struct window *w = st->window;
	int status;

	if (w == NULL)
		return 0;
	say("what may have been fed before has been read again: %llu rows",
		(unsigned long long)window_rows(w));
	st->window = NULL;
	st->kept_lsn = st->lsn;
	status = window_send(w, &st->sender);
	window_free(w);
	if (status == 0 && st->committed_us != INT64_MIN)
		sender_commit(&st->sender, st->s->window_to, st->committed_us);
	return status == 0 ? sender_end_group(&st->sender) : -1;
}

static int begin(struct stream *st, uint64_t lsn, int64_t committed_us)
{
	if (st->window != NULL && lsn >= st->s->window_to && window_end(st) != 0)
		return -1;
	if (st->s->stop_at > 0 && lsn >= st->s->stop_at) {
		st->ended = true;
		return 0;
	}
	if (st->window == NULL && stream_reach(st, lsn) != 0)
		return -1;
	st->in_transaction = true;
	st->lsn = lsn;
	st->committed_us = committed_us;
	st->move = (struct move){ lsn, 0 };
	return 0;
}

static int commit(struct stream *st, uint64_t end_lsn)
{
	const struct group *g;

	st->in_transaction = false;
	st->s->totals->transactions++;
	if (st->window != NULL)
		return 0;
	sender_commit(&st->sender, end_lsn, st->committed_us);
	g = st->sender.last;
	if (st->f->kind != FAILURE_NONE)
		return -1;
	return g->rows >= GROUP_ROWS || now_ms() - g->begun_ms >= GROUP_MS
		? sender_end_group(&st->sender)
		: 0;
}

static int change(struct stream *st, const struct pgoutput_message *m)
{
	const struct sender *s = &st->sender;
	int status;

	switch (m->type) {
	case PGOUTPUT_RELATION: return on_relation(st, m);
	case PGOUTPUT_TRUNCATE: status = on_truncate(st, m); break;
	case PGOUTPUT_INSERT:
	case PGOUTPUT_UPDATE:
	case PGOUTPUT_DELETE: status = on_row(st, m); break;
	default: return 0;
	}
	if (status == 0 && s->open &&
		(s->last->rows >= GROUP_ROWS_MOST ||
			(s->last->rows % 256 == 255 &&
				now_ms() - s->last->begun_ms >= GROUP_MS_MOST)))
		status = sender_end_group(&st->sender);
	return status;
}

/* --- transactions that come in parts --- */

static struct streamed **streamed_find(struct stream *st, uint32_t xid)
{
	struct streamed **p = &st->streamed;

	while (*p != NULL && (*p)->xid != xid)
		p = &(*p)->next;
	return p;
}

static void streamed_remove(struct streamed **p)
{
	struct streamed *t = *p;

	if (t == NULL)
		return;
	*p = t->next;
	spool_free(t->spool);
	free(t->aborted);
	free(t);
}

static int fail_spool(struct stream *st)
{
	fail(st->f, FAILURE_RETRY, "putting a large transaction aside: %s", strerror(errno));
	return fail_remedy(st->f, "Choose a directory with more space: --spool DIR");
}

static int part_begin(struct stream *st, uint32_t xid)
{
	struct streamed **p = streamed_find(st, xid);

	if (*p == NULL) {
		struct streamed *t = calloc(1, sizeof(*t));

		if (t == NULL)
			return fail_memory(st->f);
		t->xid = xid;
		t->spool = spool_new(st->s->o->spool_dir, st->s->o->spool_memory);
		if (t->spool == NULL) {
			free(t);
			return fail_memory(st->f);
		}
		*p = t;
	}
	st->part = *p;
	st->in_part = true;
	return 0;
}

static int part_abort(struct stream *st, uint32_t xid, uint32_t subxid)
{
	struct streamed **p = streamed_find(st, xid);

	if (*p == NULL)
		return 0;
	if (xid == subxid) {
		streamed_remove(p);
		return 0;
	}
	if ((*p)->naborted == (*p)->aborted_cap) {
		unsigned cap = (*p)->aborted_cap == 0 ? 16 : 2 * (*p)->aborted_cap;
		uint32_t *grown = reallocarray((*p)->aborted, cap, sizeof(*grown));

		if (grown == NULL)
			return fail_memory(st->f);
		(*p)->aborted = grown;
		(*p)->aborted_cap = cap;
	}
	(*p)->aborted[(*p)->naborted++] = subxid;
	return 0;
}

static bool is_aborted(const struct streamed *t, uint32_t xid)
{
	for (unsigned i = 0; i < t->naborted; i++)
		if (t->aborted[i] == xid)
			return true;
	return false;
}

static int parts_take(struct stream *st, struct streamed *t)
{
	const void *bytes;
	uint64_t at = 0;
	const char *why;
	int status;
	size_t n;

	while ((status = spool_read(t->spool, &at, &bytes, &n)) == 1) {
		struct pgoutput_message m;

		if (pgoutput_decode(&m, bytes, n, true, &why) != 0)
			return fail(st->f, FAILURE_FATAL, "what was put aside is a %s", why);
		if (!is_aborted(t, m.xid) && change(st, &m) != 0)
			return -1;
	}
	return status == 0 ? 0 : fail_spool(st);
}

static int parts_commit(struct stream *st, const struct pgoutput_message *m)
{
	struct streamed **p = streamed_find(st, m->xid);
	int status;

	if (*p == NULL)
		return fail(
			st->f, FAILURE_FATAL, "a transaction is committed of which nothing came");
	status = begin(st, m->lsn, m->time_us);
	if (status == 0 && !st->ended) {
		status = parts_take(st, *p);
		if (status == 0)
			status = commit(st, m->end_lsn);
	}
	if (status == 0)
		streamed_remove(streamed_find(st, m->xid));
	return status;
}

/* --- messages --- */

static int dispatch(struct stream *st, const struct pgoutput_message *m)
{
	switch (m->type) {
	case PGOUTPUT_BEGIN: return begin(st, m->lsn, m->time_us);
	case PGOUTPUT_COMMIT: return st->ended ? 0 : commit(st, m->end_lsn);
	case PGOUTPUT_STREAM_START: return part_begin(st, m->xid);
	case PGOUTPUT_STREAM_STOP: st->in_part = false; return 0;
	case PGOUTPUT_STREAM_COMMIT: return parts_commit(st, m);
	case PGOUTPUT_STREAM_ABORT: return part_abort(st, m->xid, m->subxid);
	default: return st->ended ? 0 : change(st, m);
	}
}

int transaction_message(struct stream *st, const void *bytes, size_t n)
{
	struct pgoutput_message m;
	const char *why;
	uint64_t at;

	if (pgoutput_decode(&m, bytes, n, st->in_part, &why) != 0)
		return fail(st->f, FAILURE_FATAL, "PostgreSQL has sent a %s", why);
	if (!st->in_part || m.type == PGOUTPUT_STREAM_STOP)
		return dispatch(st, &m);
	return spool_add(st->part->spool, bytes, n, &at) == 0 ? 0 : fail_spool(st);
}

int transaction_reached(struct stream *st, uint64_t lsn)
{
	if (st->in_transaction || st->in_part)
		return 0;
	if (st->window != NULL && lsn >= st->s->window_to && window_end(st) != 0)
		return -1;
	if (st->s->stop_at > 0 && lsn >= st->s->stop_at)
		st->ended = true;
	if (lsn > st->idle_lsn)
		st->idle_lsn = lsn;
	return 0;
}

bool transaction_is_open(const struct stream *st)
{
	return st->in_transaction;
}

void transaction_free(struct stream *st)
{
	while (st->streamed != NULL)
		streamed_remove(&st->streamed);
	window_free(st->window);
	st->window = NULL;
	for (unsigned i = 0; i < st->s->tables.n; i++)
		versions_free(&st->s->tables.at[i]);
}
