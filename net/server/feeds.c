/*
 * feeds.c: subscriptions of a session.
 *
 * The reactor calls session_feeds() in each round. When an epoch has become visible since the last time, every subscription
 * tells what that brought, a group of changes at a time, as long as little waits for its client: what a slow one has not taken
 * stays in the history of changes, where all subscribers of a table or view read the same bytes, and its place there is all
 * that is kept for it. A session that had no room, or had its share of the round, goes on in a later one.
 *
 * A group is written whole or not at all. An error ends the subscription, not the connection.
 */
#include <stdlib.h>

#include "core/base/clock.h"
#include "net/server/session_internal.h"

enum {
	FRAME_BYTES = KIB(64),
	TURNS = 16,        /* of a subscription in a round */
	TURNS_ROUND = 256, /* … of all of a reactor, that brought something */
	TICK_US = 100000,
	SHORT_US = 100 /* a round of them that takes less may be followed by another at once */
};

struct subscription {
	struct subscription *next;
	uint64_t request;
	uint32_t slot;
	struct lf_subscription *feed;
	uint64_t told_us, told;       /* when it was last told anything, and the epoch */
	uint64_t from, wait_until_us; /* for this epoch, to go on from; 0: it does not */
};

/* --- writing --- */

struct feed_writer {
	struct session *s;
	uint64_t request, epoch;
	uint8_t kind;
	size_t begin; /* of the frame under construction, relative to out.head */
	uint32_t count;
	bool open, too_long;
	size_t mark; /* where what is told begins, relative to out.head */
};

static int frame_open(struct feed_writer *w)
{
	w->begin = buffer_length(&w->s->c->out);
	if (session_frame(w->s, WIRE_CHANGES, WIRE_FLAG_MORE, w->request,
		    sizeof(struct wire_changes)) == NULL)
		return -1;
	w->count = 0;
	w->open = true;
	return 0;
}

static void frame_close(struct feed_writer *w, bool last)
{
	struct buffer *out = &w->s->c->out;
	unsigned char *at = out->data + out->head + w->begin;
	struct wire_changes head = {
		.epoch = w->epoch, .count = w->count, .kind = w->kind, .last = last
	};
	struct wire_header h;

	memcpy(&h, at, sizeof(h));
	h.length = (uint32_t)(buffer_length(out) - w->begin - sizeof(h));
	memcpy(at, &h, sizeof(h));
	memcpy(at + sizeof(h), &head, sizeof(head));
	w->open = false;
}

/* Room for one more item in the frame; NULL without memory, or when it is too much. */
static unsigned char *item_room(struct feed_writer *w, size_t n)
{
	struct buffer *out = &w->s->c->out;
	unsigned char *p;

	if (w->open && w->count > 0 && buffer_length(out) - w->begin + n > FRAME_BYTES)
		frame_close(w, false);
	if (!w->open && frame_open(w) != 0)
		return NULL;
	if (buffer_length(out) - w->mark > LIMIT_RESULT_BYTES) {
		w->too_long = true;
		return NULL;
	}
	p = buffer_room(out, n);
	if (p == NULL)
		return NULL;
	out->used += n;
	w->count++;
	return p;
}

static int row_write(struct feed_writer *w, const void *row)
{
	unsigned char *p = item_room(w, row_size(row));

	if (p == NULL)
		return -1;
	memcpy(p, row, row_size(row));
	return 0;
}

static int change_write(struct feed_writer *w, const struct lf_feed_event *ev)
{
	uint32_t old = ev->old_row == NULL ? 0 : row_size(ev->old_row),
		 new = ev->new_row == NULL ? 0 : row_size(ev->new_row);
	uint64_t left = ev->times;

	while (left > 0) {
		uint32_t times = left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
		struct wire_change item = { times,
			old == 0           ? WIRE_INSERTED
				: new == 0 ? WIRE_DELETED
					   : WIRE_UPDATED,
			{ 0 } };
		unsigned char *p = item_room(w, sizeof(item) + old + new);

		if (p == NULL)
			return -1;
		memcpy(p, &item, sizeof(item));
		if (old > 0)
			memcpy(p + sizeof(item), ev->old_row, old);
		if (new > 0)
			memcpy(p + sizeof(item) + old, ev->new_row, new);
		left -= times;
	}
	return 0;
}

/* A frame without changes; `flags` 0: the last one of the subscription. */
static void mark_write(struct session *s, uint64_t request, enum wire_changes_kind kind,
	uint64_t epoch, uint8_t flags)
{
	struct wire_changes head = { .epoch = epoch, .kind = (uint8_t)kind, .last = 1 };
	unsigned char *p = session_frame(s, WIRE_CHANGES, flags, request, sizeof(head));

	if (p != NULL)
		memcpy(p, &head, sizeof(head));
}

static int feed_write(void *arg, const struct lf_feed_event *ev)
{
	struct feed_writer *w = arg;

	switch (ev->kind) {
	case LF_FEED_GAP:
		mark_write(w->s, w->request, WIRE_CHANGES_GAP, ev->epoch, WIRE_FLAG_MORE);
		break;
	case LF_FEED_SNAPSHOT:
	case LF_FEED_CHANGES:
		w->kind = ev->kind == LF_FEED_SNAPSHOT ? WIRE_CHANGES_SNAPSHOT : WIRE_CHANGES_GROUP;
		w->epoch = ev->epoch;
		break;
	case LF_FEED_ROW: return row_write(w, ev->new_row);
	case LF_FEED_CHANGE: return change_write(w, ev);
	case LF_FEED_END:
		if (!w->open && frame_open(w) != 0)
			return -1;
		frame_close(w, true);
		break;
	}
	return w->s->c->closing ? -1 : 0;
}

/* --- begin and end --- */

/* Where the list points to it; to NULL when there is none. */
static struct subscription **find(struct session *s, uint64_t request)
{
	struct subscription **link = &s->subscriptions;

	while (*link != NULL && (*link)->request != request)
		link = &(*link)->next;
	return link;
}

static void subscribers_remove(struct session *s)
{
	struct session **link = &s->host->subscribers;

	while (*link != s)
		link = &(*link)->next_subscriber;
	*link = s->next_subscriber;
}

static void end(struct session *s, struct subscription **link)
{
	struct subscription *p = *link;

	*link = p->next;
	lf_unsubscribe(p->feed);
	session_slot_unuse(s, p->slot);
	free(p);
	s->nsubscriptions--;
	if (s->subscriptions == NULL)
		subscribers_remove(s);
}

void session_feeds_end(struct session *s)
{
	while (s->subscriptions != NULL)
		end(s, &s->subscriptions);
}

static int open_feed(struct session *s, const struct wire_subscribe *head,
	const struct statement *st, const void *row, size_t size, struct lf_subscription **out,
	struct error *e)
{
	struct lf_feed_options o = { .from = head->from,
		.latest = (head->flags & WIRE_SUBSCRIBE_LATEST) != 0,
		.strict = (head->flags & WIRE_SUBSCRIBE_STRICT) != 0 };

	if (row_validate(&st->param_layout, row, size, e) != 0)
		return -1;
	if (s->nsubscriptions >= LIMIT_SUBSCRIPTIONS_PER_SESSION)
		return error_set(e, ERR_LIMIT, 0, "more than %d subscriptions in one connection",
			LIMIT_SUBSCRIPTIONS_PER_SESSION);
	return lf_subscribe(out, s->host->port, st, row, &o, e);
}

static void begin(struct session *s, uint64_t request, const struct wire_subscribe *head,
	struct lf_subscription *feed)
{
	struct wire_subscribed ok = { .visible = lf_visible(s->host->engine) };
	struct subscription *p = calloc(1, sizeof(*p)), **last = find(s, request);
	uint32_t most = LIMIT_WAIT_SECONDS * 1000;
	unsigned char *body;
	struct error e;

	if (p == NULL) {
		lf_unsubscribe(feed);
		error_set(&e, ERR_OUT_OF_MEMORY, 0, NULL);
		session_error(s, request, 0, &e);
		return;
	}
	p->request = request;
	p->slot = head->handle;
	p->feed = feed;
	p->told_us = s->host->now_us;
	p->from = head->from;
	if (head->from > 0)
		p->wait_until_us = p->told_us +
			1000 * (uint64_t)(head->timeout_ms < most ? head->timeout_ms : most);
	s->slots[head->handle].used++;
	if (s->subscriptions == NULL) {
		s->next_subscriber = s->host->subscribers;
		s->host->subscribers = s;
	}
	*last = p;
	s->nsubscriptions++;
	s->feeds_left = s->host->feeds_left = true;
	body = session_frame(s, WIRE_SUBSCRIBED, WIRE_FLAG_MORE, request, sizeof(ok));
	if (body != NULL)
		memcpy(body, &ok, sizeof(ok));
}

void session_on_subscribe(struct session *s, uint64_t request, struct wire_reader *r)
{
	struct wire_subscribe head;
	struct lf_subscription *feed;
	const struct slot *slot;
	struct error e;

	wire_get(r, &head, sizeof(head));
	if (r->bad || (head.flags & ~(WIRE_SUBSCRIBE_LATEST | WIRE_SUBSCRIBE_STRICT)) != 0 ||
		head.zero[0] != 0 || head.zero[1] != 0 || head.zero[2] != 0 || head.zero2 != 0 ||
		session_row_at(r) == 0 || session_row_at(r) != r->left) {
		session_violation(s, request, "malformed subscribe");
		return;
	}
	if (*find(s, request) != NULL) {
		session_violation(s, request, "a subscription of this number is under way");
		return;
	}
	slot = session_slot(s, head.handle);
	if (slot == NULL) {
		session_unknown_statement(s, request, head.handle);
		return;
	}
	s->c->budget -= QUERY_COST;
	if (open_feed(s, &head, slot->statement, r->p, r->left, &feed, &e) != 0)
		session_error(s, request, 0, &e);
	else
		begin(s, request, &head, feed);
}

void session_on_unsubscribe(struct session *s, uint64_t request, struct wire_reader *r)
{
	struct subscription **link = find(s, request);

	if (r->left != 0) {
		session_violation(s, request, "a body where there is none");
		return;
	}
	/* It may just have ended by itself. */
	if (*link == NULL)
		return;
	mark_write(s, request, WIRE_CHANGES_END, lf_feed_epoch((*link)->feed), 0);
	end(s, link);
}

/* --- a round --- */

static bool has_room(const struct session *s)
{
	return connection_output(s->c) < FEED_OUTPUT_BYTES;
}

/* One look of one subscription. As lf_feed_read(); -1: it has ended, and that is told. */
static int tell(struct session *s, struct subscription *p, uint64_t now_us)
{
	struct buffer *out = &s->c->out;
	struct feed_writer w = { .s = s, .request = p->request, .mark = buffer_length(out) };
	struct error e;
	int status = lf_feed_read(p->feed, feed_write, &w, &e);

	if (status >= 0 && buffer_length(out) > w.mark) {
		p->told = lf_feed_epoch(p->feed);
		p->told_us = now_us;
		connection_list(s->c);
	}
	if (status >= 0)
		return status;
	out->used = out->head + w.mark;
	if (w.too_long)
		error_set(&e, ERR_PROGRAM_LIMIT, 0, "the snapshot or group exceeds %d bytes",
			LIMIT_RESULT_BYTES);
	session_error(s, p->request, 0, &e);
	return -1;
}

/* That there is nothing for it; or that it has waited long enough. -1: it has ended. */
static int tell_nothing(struct session *s, struct subscription *p, uint64_t now_us)
{
	uint64_t epoch = lf_feed_epoch(p->feed);
	struct error e;

	if (p->from <= lf_visible(s->host->engine))
		p->wait_until_us = 0;
	if (p->wait_until_us != 0 && now_us >= p->wait_until_us) {
		error_set(&e, ERR_NOT_YET, 0,
			"the epoch to go on from is not visible yet: the newest visible one is %llu",
			(unsigned long long)lf_visible(s->host->engine));
		session_error(s, p->request, 0, &e);
		return -1;
	}
	if (epoch > p->told && now_us - p->told_us >= FEED_PROGRESS_MS * 1000ull) {
		mark_write(s, p->request, WIRE_CHANGES_PROGRESS, epoch, WIRE_FLAG_MORE);
		p->told = epoch;
		p->told_us = now_us;
	}
	return 0;
}

/* Its turns of this round. -1: it has ended; 1: there is more. */
static int serve_one(struct session *s, struct subscription *p, uint64_t now_us)
{
	int status = 1;

	for (unsigned i = 0; status == 1 && i < TURNS && s->host->feeds_turns > 0 && has_room(s);
		i++) {
		status = tell(s, p, now_us);
		s->host->feeds_turns -= status == 1;
	}
	return status == 0 ? tell_nothing(s, p, now_us) : status;
}

/* The first one goes to the end, so that none has always the room first. */
static void rotate(struct session *s)
{
	struct subscription *first = s->subscriptions, **last;

	if (first == NULL || first->next == NULL)
		return;
	s->subscriptions = first->next;
	for (last = &s->subscriptions; *last != NULL; last = &(*last)->next)
		;
	first->next = NULL;
	*last = first;
}

/* True: it could have more at once. */
static bool serve(struct session *s, uint64_t now_us)
{
	struct subscription **link = &s->subscriptions;
	bool more = false;

	while (*link != NULL && has_room(s) && !s->c->closing && s->host->feeds_turns > 0) {
		int status = serve_one(s, *link, now_us);

		more |= status > 0;
		if (status < 0)
			end(s, link);
		else
			link = &(*link)->next;
	}
	s->feeds_left = more || *link != NULL;
	s->host->feeds_left |= s->feeds_left;
	rotate(s);
	return more && has_room(s);
}

/* The first one goes to the end. */
static void rotate_sessions(struct session_host *host)
{
	struct session *first = host->subscribers, **last;

	if (first == NULL || first->next_subscriber == NULL)
		return;
	host->subscribers = first->next_subscriber;
	for (last = &host->subscribers; *last != NULL; last = &(*last)->next_subscriber)
		;
	first->next_subscriber = NULL;
	*last = first;
}

/* All sessions that may have something. True: there is more that could be told at once. */
static bool serve_all(struct session_host *host, bool all, uint64_t now_us)
{
	struct session *s, *next;
	bool again = false;

	host->feeds_left = false;
	host->feeds_turns = TURNS_ROUND;
	for (s = host->subscribers; s != NULL; s = next) {
		next = s->next_subscriber;
		s->feeds_left |= all;
		if (s->feeds_left && !s->c->dead && !s->c->closing)
			again |= serve(s, now_us);
	}
	rotate_sessions(host);
	return again;
}

bool session_feeds(struct session_host *host, uint64_t now_us, uint64_t *timeout_us)
{
	bool tick = now_us - host->feeds_tick_us >= TICK_US, moved, again;
	uint64_t epoch, took;
	struct error e;

	host->now_us = now_us;
	if (host->subscribers == NULL) {
		lf_want_changes(host->port, 0);
		return false;
	}
	moved = lf_visible(host->engine) != host->feeds_epoch;
	if (!moved && !host->feeds_left && !tick)
		return false;
	if (now_us < host->feeds_not_before_us) {
		if (host->feeds_not_before_us - now_us < *timeout_us)
			*timeout_us = host->feeds_not_before_us - now_us;
		lf_want_changes(host->port, 0);
		return false;
	}
	if (lf_read_begin(host->port, 0, &epoch, &e) != 0)
		return false;
	host->feeds_epoch = epoch;
	if (tick)
		host->feeds_tick_us = now_us;
	took = clock_now_us();
	again = serve_all(host, moved || tick, now_us);
	took = clock_now_us() - took;
	lf_read_end(host->port);
	lf_want_changes(host->port, epoch + 1);
	/* There are many: what else there is to do gets as much time as they. */
	host->feeds_not_before_us = took < SHORT_US ? 0 : now_us + 2 * took;
	return again;
}

bool session_subscribed(const struct session *s)
{
	return s->subscriptions != NULL;
}
