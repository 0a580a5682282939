/*
 * feed.c: subscriptions of a connection.
 *
 * Their requests have numbers of their own (FEED_BIT) and stand in a list, since they are not answered once but go on. A group
 * of changes is put together from its frames and given whole; a snapshot is given as it comes. Without a callback groups wait
 * in a queue for lf_client_feed_next().
 *
 * One that was closed stays, deaf, until the server has said that it has ended.
 */
#include "net/client/client_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* A group with what it points to. */
struct news {
	struct news *next;
	struct lf_client_group group;
	struct lf_result rows;
	struct lf_client_change *changes;
	size_t cap;
	struct lf_client_error error;
};

struct lf_client_feed {
	struct lf_client_feed *next;
	struct lf_client *client;
	struct shape *shape;
	uint64_t request, epoch; /* of the last whole group that came */
	uint64_t taken;          /* … that was given to its owner; 0 within a snapshot */
	lf_client_on_group fn;
	void *arg;
	bool begun;                 /* SUBSCRIBED has come */
	bool within;                /* a snapshot or group that is not whole */
	bool closed;                /* by its owner */
	bool asked;                 /* … and the server knows */
	bool ended;                 /* by the server, or with the connection */
	struct news *news;          /* being put together */
	struct news *queue, **last; /* without a callback: whole ones */
	struct news *given;         /* by the last lf_client_feed_next() */
};

/* --- news --- */

static void news_free(struct news *n)
{
	if (n == NULL)
		return;
	result_reset(&n->rows);
	free(n->rows.rows);
	free(n->rows.own);
	free(n->changes);
	free(n);
}

static void news_clear(struct lf_client_feed *f, struct news *n)
{
	result_reset(&n->rows);
	n->rows.shape = shape_hold(f->shape);
	n->rows.shape_held = true;
	n->group = (struct lf_client_group){ .rows = &n->rows };
}

/* The one that is put together; NULL: out of memory, and the connection is over. */
static struct news *news_now(struct lf_client_feed *f)
{
	if (f->news != NULL)
		return f->news;
	f->news = calloc(1, sizeof(*f->news));
	if (f->news == NULL)
		client_break(f->client, "53200", "out of memory");
	else
		news_clear(f, f->news);
	return f->news;
}

/* What its owner has with this group. */
static void note_taken(struct lf_client_feed *f, const struct lf_client_group *g)
{
	if (g->kind == LF_GROUP_SNAPSHOT)
		f->taken = g->last ? g->epoch : 0;
	else if (g->kind == LF_GROUP_CHANGES || g->kind == LF_GROUP_PROGRESS)
		f->taken = g->epoch;
}

/* It is whole: give it. */
static void news_give(struct lf_client_feed *f)
{
	struct news *n = f->news;

	n->group.changes = n->changes;
	f->client->answered++;
	if (f->fn == NULL) {
		f->news = NULL;
		*f->last = n;
		f->last = &n->next;
		return;
	}
	note_taken(f, &n->group);
	if (!f->closed)
		f->fn(f->arg, f, &n->group);
	if (n->rows.cap > CLIENT_KEEP_BYTES) {
		news_free(n);
		f->news = NULL;
	} else {
		news_clear(f, n);
	}
}

static void mark_give(struct lf_client_feed *f, enum lf_client_group_kind kind, uint64_t epoch,
	const struct lf_client_error *e)
{
	struct news *n;

	/* What has not become whole is none. */
	if (f->news != NULL)
		news_clear(f, f->news);
	n = news_now(f);
	if (n == NULL)
		return;
	n->group.kind = kind;
	n->group.epoch = epoch;
	if (e != NULL) {
		n->error = *e;
		n->group.error = &n->error;
	}
	news_give(f);
}

/* --- the list --- */

static struct lf_client_feed **find(struct lf_client *c, uint64_t request)
{
	struct lf_client_feed **link = &c->feeds;

	while (*link != NULL && (*link)->request != request)
		link = &(*link)->next;
	return link;
}

static void feed_free(struct lf_client_feed *f)
{
	struct lf_client_feed **link = find(f->client, f->request);

	*link = f->next;
	while (f->queue != NULL) {
		struct news *n = f->queue;

		f->queue = n->next;
		news_free(n);
	}
	news_free(f->given);
	news_free(f->news);
	shape_release(f->shape);
	free(f);
}

static void feed_end(struct lf_client_feed *f, const struct lf_client_error *e)
{
	if (f->ended)
		return;
	f->ended = true;
	if (!f->closed)
		mark_give(f, LF_GROUP_END, f->epoch, e);
	/* It may have been closed by its callback. */
	if (f->closed)
		feed_free(f);
}

void feeds_fail_all(struct lf_client *c)
{
	struct lf_client_feed *f = c->feeds, *next;
	struct lf_client_error e;

	client_error(&e, "08006", "connection lost");
	(void)snprintf(e.detail, sizeof(e.detail), "%s: %.500s", c->fate.sqlstate, c->fate.message);
	c->dispatching = true;
	for (; f != NULL; f = next) {
		next = f->next;
		feed_end(f, &e);
	}
	c->dispatching = false;
}

void feeds_free(struct lf_client *c)
{
	while (c->feeds != NULL)
		feed_free(c->feeds);
}

/* A frame of a request that is not in the table. 0, LF_WOULD_BLOCK, -1. */
static int feed_send(struct lf_client *c, enum wire_type type, uint64_t request, const void *head,
	size_t nhead, const void *body, size_t nbody, struct lf_client_error *e)
{
	int status = request_admit(c, nhead + nbody, 0, nhead == 0, e);

	if (status == 0)
		status = request_append_about(c, type, request, head, nhead, body, nbody, e);
	if (status == 0)
		client_write(c);
	return status;
}

/* Tell the server, when that is possible; else with the next frame that comes for it. */
static void unsubscribe(struct lf_client_feed *f)
{
	struct lf_client *c = f->client;

	if (!f->asked && !f->ended && !c->broken && !c->batching)
		f->asked = feed_send(c, WIRE_UNSUBSCRIBE, f->request, NULL, 0, NULL, 0, NULL) == 0;
}

/* --- frames --- */

static int add_rows(
	struct lf_client_feed *f, struct news *n, struct wire_reader *in, uint32_t count)
{
	int status;

	if (n->rows.used + in->left > f->client->options.result_max) {
		client_break(f->client, "54000",
			"a snapshot or group exceeds the limit of %zu bytes",
			f->client->options.result_max);
		return -1;
	}
	status = result_add_rows(&n->rows, in, count, true);
	if (status == -1)
		client_violation(f->client, "malformed rows of a subscription");
	else if (status != 0)
		client_break(f->client, "53200", "out of memory");
	n->rows.count = n->rows.nrows;
	return status;
}

static int change_room(struct lf_client_feed *f, struct news *n)
{
	size_t cap = n->cap == 0 ? 16 : 2 * n->cap;
	struct lf_client_change *grown;

	if (n->group.nchanges < n->cap)
		return 0;
	grown = realloc(n->changes, cap * sizeof(*grown));
	if (grown == NULL) {
		client_break(f->client, "53200", "out of memory");
		return -1;
	}
	n->changes = grown;
	n->cap = cap;
	return 0;
}

/* The next `count` rows of what is left; false: they are not there. */
static bool rows_take(struct wire_reader *in, unsigned count, struct wire_reader *out)
{
	struct wire_reader r = *in;

	for (unsigned i = 0; i < count; i++) {
		uint32_t size = r.left >= sizeof(size) ? row_size(r.p) : 0;

		if (size < 8 || wire_take(&r, size) == NULL)
			return false;
	}
	*out = (struct wire_reader){ in->p, in->left - r.left, false };
	*in = r;
	return true;
}

static int add_change(struct lf_client_feed *f, struct news *n, struct wire_reader *in)
{
	int64_t first = (int64_t)n->rows.nrows;
	struct lf_client_change change;
	struct wire_change item;
	struct wire_reader rows;
	bool old, new;

	wire_get(in, &item, sizeof(item));
	old = item.op != WIRE_INSERTED;
	new = item.op != WIRE_DELETED;
	if (in->bad || item.times == 0 || item.op < WIRE_INSERTED || item.op > WIRE_DELETED ||
		!rows_take(in, (unsigned)old + new, &rows)) {
		client_violation(f->client, "malformed changes");
		return -1;
	}
	change = (struct lf_client_change){ item.times, old ? first : LF_NO_ROW,
		new ? first + old : LF_NO_ROW };
	if (change_room(f, n) != 0 || add_rows(f, n, &rows, (unsigned)old + new) != 0)
		return -1;
	n->changes[n->group.nchanges++] = change;
	return 0;
}

static void on_rows(
	struct lf_client_feed *f, const struct wire_changes *head, struct wire_reader *in)
{
	struct news *n = news_now(f);
	bool first = !f->within;
	int status = 0;

	if (n == NULL)
		return;
	n->group.kind = head->kind == WIRE_CHANGES_SNAPSHOT ? LF_GROUP_SNAPSHOT : LF_GROUP_CHANGES;
	n->group.epoch = n->rows.epoch = head->epoch;
	if (head->kind == WIRE_CHANGES_SNAPSHOT) {
		status = add_rows(f, n, in, head->count);
		n->group.first = first;
		n->group.last = head->last != 0;
	} else {
		for (uint32_t i = 0; status == 0 && i < head->count; i++)
			status = add_change(f, n, in);
		if (status == 0 && in->left != 0) {
			client_violation(f->client, "malformed changes");
			status = -1;
		}
	}
	if (status != 0)
		return;
	f->within = head->last == 0;
	if (head->last != 0)
		f->epoch = head->epoch;
	if (head->kind == WIRE_CHANGES_SNAPSHOT || head->last != 0)
		news_give(f);
}

static void on_changes(
	struct lf_client_feed *f, const struct wire_header *h, struct wire_reader *in)
{
	struct wire_changes head;
	bool rows, end;

	wire_get(in, &head, sizeof(head));
	rows = head.kind == WIRE_CHANGES_SNAPSHOT || head.kind == WIRE_CHANGES_GROUP;
	end = head.kind == WIRE_CHANGES_END;
	if (in->bad || head.kind < WIRE_CHANGES_SNAPSHOT || head.kind > WIRE_CHANGES_END ||
		head.last > 1 || (!rows && (in->left != 0 || f->within)) || !f->begun ||
		end == ((h->flags & WIRE_FLAG_MORE) != 0) || head.epoch < f->epoch) {
		client_violation(f->client, "malformed changes");
		return;
	}
	if (rows) {
		on_rows(f, &head, in);
	} else if (head.kind == WIRE_CHANGES_PROGRESS) {
		f->epoch = head.epoch;
		mark_give(f, LF_GROUP_PROGRESS, head.epoch, NULL);
	} else if (head.kind == WIRE_CHANGES_GAP) {
		mark_give(f, LF_GROUP_GAP, head.epoch, NULL);
	} else {
		feed_end(f, NULL);
	}
}

void feed_frame(struct lf_client *c, const struct wire_header *h, struct wire_reader *in)
{
	struct lf_client_feed *f = *find(c, h->request);
	struct wire_subscribed ok;

	if (f == NULL || f->ended) {
		client_violation(c, "changes for a subscription that is not under way");
		return;
	}
	if (f->closed)
		unsubscribe(f);
	if (h->type == WIRE_CHANGES) {
		on_changes(f, h, in);
		return;
	}
	wire_get(in, &ok, sizeof(ok));
	if (h->type != WIRE_SUBSCRIBED || in->bad || in->left != 0 || f->begun)
		client_violation(c, "unexpected answer to a subscription");
	f->begun = true;
}

void feed_error(struct lf_client *c, uint64_t request, const struct lf_client_error *e)
{
	struct lf_client_feed *f = *find(c, request);

	if (f == NULL || f->ended)
		client_violation(c, "error for a subscription that is not under way");
	else
		feed_end(f, e);
}

/* --- calls --- */

int lf_client_subscribe(struct lf_client_feed **out, struct lf_client *c, struct lf_statement *s,
	const struct lf_params *p, const struct lf_client_subscribe_options *o,
	lf_client_on_group fn, void *arg, struct lf_client_error *e)
{
	struct wire_subscribe head = { .handle = s->handle };
	const unsigned char *row;
	struct lf_client_feed *f;
	size_t size;
	int status;

	*out = NULL;
	if (o != NULL) {
		head.flags = (uint8_t)((o->latest ? WIRE_SUBSCRIBE_LATEST : 0) |
			(o->strict ? WIRE_SUBSCRIBE_STRICT : 0));
		head.timeout_ms = o->timeout_ms;
		head.from = o->from;
	}
	if (client_ready(c, false, e) != 0 || params_row(s->shape, p, &row, &size, e) != 0)
		return -1;
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return client_no_memory(e);
	f->client = c;
	f->request = FEED_BIT | ++c->nfeeds;
	f->epoch = f->taken = head.from;
	f->fn = fn;
	f->arg = arg;
	f->last = &f->queue;
	status = feed_send(c, WIRE_SUBSCRIBE, f->request, &head, sizeof(head), row, size, e);
	if (status != 0) {
		free(f);
		return status;
	}
	f->shape = shape_hold(s->shape);
	f->next = c->feeds;
	c->feeds = f;
	*out = f;
	return 0;
}

/* The oldest group of the queue; what was given before is not to be used any more. */
static const struct news *queue_take(struct lf_client_feed *f)
{
	struct news *n = f->queue;

	news_free(f->given);
	f->given = n;
	if (n == NULL)
		return NULL;
	f->queue = n->next;
	if (f->queue == NULL)
		f->last = &f->queue;
	return n;
}

int lf_client_feed_next(struct lf_client_feed *f, int timeout_ms, const struct lf_client_group **g,
	struct lf_client_error *e)
{
	struct lf_client *c = f->client;
	uint64_t deadline = timeout_ms > 0 ? client_now_ms() + (uint64_t)timeout_ms : 0;
	int left = timeout_ms, status = 0;
	const struct news *n;

	if (c->dispatching || c->batching)
		return client_ready(c, true, e);
	while (f->queue == NULL && status >= 0) {
		if (f->ended)
			return client_error(e, "55000", "the subscription has ended");
		status = lf_client_poll(c, left, e);
		left = client_left_ms(timeout_ms, deadline);
		if (f->queue == NULL && status >= 0 && timeout_ms >= 0 && left == 0)
			return 0;
	}
	n = queue_take(f);
	if (n == NULL)
		return -1;
	if (n->group.kind == LF_GROUP_END) {
		if (n->group.error == NULL)
			return client_error(e, "55000", "the subscription has ended");
		if (e != NULL)
			*e = n->error;
		return -1;
	}
	note_taken(f, &n->group);
	*g = &n->group;
	return 1;
}

uint64_t lf_client_feed_epoch(const struct lf_client_feed *f)
{
	return f->taken;
}

void lf_client_feed_close(struct lf_client_feed *f)
{
	if (f == NULL)
		return;
	if (f->ended && !f->client->dispatching) {
		feed_free(f);
		return;
	}
	f->closed = true;
	unsubscribe(f);
}
