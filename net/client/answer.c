/*
 * answer.c: frames from the server.
 *
 * Each is checked before anything is made of it: its request must be unanswered, of a kind that such a frame
 * answers, and its body must be exactly as long as it says; else the connection is broken with 08P01.
 */
#include "net/client/client_internal.h"

#include <stdio.h>
#include <stdlib.h>

void client_violation(struct lf_client *c, const char *what)
{
	client_break(c, "08P01", "protocol violation by the server: %s", what);
}

/* --- errors --- */

static void copy_text(char out[LF_ERROR_TEXT_MAX], const char *text, size_t n)
{
	if (n >= LF_ERROR_TEXT_MAX)
		/* Not within a character. */
		for (n = LF_ERROR_TEXT_MAX - 1; n > 0 && (text[n] & 0xc0) == 0x80;)
			n--;
	for (size_t i = 0; i < n; i++)
		out[i] = text[i] == '\0' ? '?' : text[i];
	out[n] = '\0';
}

static bool read_error(struct lf_client_error *e, struct wire_reader *r)
{
	struct wire_error head;
	const char *message, *detail, *hint;

	wire_get(r, &head, sizeof(head));
	message = wire_take(r, head.message_length);
	detail = wire_take(r, head.detail_length);
	hint = wire_take(r, head.hint_length);
	if (r->bad || r->left != 0)
		return false;
	for (int i = 0; i < 5; i++) {
		char ch = head.sqlstate[i];

		if (!((ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z')))
			return false;
		e->sqlstate[i] = ch;
	}
	e->sqlstate[5] = '\0';
	e->position = head.position;
	copy_text(e->message, message, head.message_length);
	copy_text(e->detail, detail, head.detail_length);
	copy_text(e->hint, hint, head.hint_length);
	return true;
}

/* An answer with the rows of frames that came before, if any. */
static struct lf_result *answer_of(struct lf_client *c, uint64_t request, bool *partial)
{
	for (struct lf_result **at = &c->partials; *at != NULL; at = &(*at)->next)
		if ((*at)->request == request) {
			struct lf_result *r = *at;

			*at = r->next;
			*partial = true;
			return r;
		}
	*partial = false;
	result_reset(&c->view);
	return &c->view;
}

static void finish(struct lf_client *c, uint64_t request, struct lf_result *r, bool partial)
{
	request_answer(c, request, r);
	if (partial)
		result_give(c, r);
}

static void on_error(struct lf_client *c, const struct wire_header *h, struct wire_reader *in)
{
	struct lf_client_error e;
	struct lf_result *r;
	bool partial;

	if (!read_error(&e, in)) {
		client_violation(c, "malformed error");
		return;
	}
	if ((h->flags & WIRE_FLAG_ASYNC) || h->request == 0) {
		if (h->request == 0) {
			c->farewell = e;
			c->warned = true;
		} else {
			c->refused++;
		}
		if (c->on_error != NULL)
			c->on_error(c->on_error_arg, h->request, &e);
		return;
	}
	if (h->request & FEED_BIT) {
		feed_error(c, h->request, &e);
		return;
	}
	if (request_find(c, h->request) < 0) {
		client_violation(c, "error for a request that is not under way");
		return;
	}
	r = answer_of(c, h->request, &partial);
	result_reset(r);
	r->failed = true;
	r->error = e;
	finish(c, h->request, r, partial);
}

/* --- rows and counts --- */

static void on_rows(struct lf_client *c, const struct wire_header *h, struct wire_reader *in,
	const struct group *g)
{
	bool more = h->flags & WIRE_FLAG_MORE, partial;
	struct shape *shape = request_shape(g, h->request);
	struct wire_rows head;
	struct lf_result *r;
	int status;

	wire_get(in, &head, sizeof(head));
	if (in->bad || shape == NULL || (!more && shape->kind != LF_STATEMENT_QUERY)) {
		client_violation(c, "rows that nobody asked for");
		return;
	}
	r = answer_of(c, h->request, &partial);
	if (more && !partial) {
		r = result_take(c);
		if (r == NULL) {
			client_break(c, "53200", "out of memory");
			return;
		}
		partial = true;
	}
	r->shape = shape;
	r->epoch = head.epoch;
	r->request = h->request;
	status = r->used + h->length > c->options.result_max
		? -3
		: result_add_rows(r, in, head.count, partial);
	if (status != 0) {
		if (partial)
			result_give(c, r);
		if (status == -1)
			client_violation(c, "malformed rows");
		else if (status == -2)
			client_break(c, "53200", "out of memory");
		else
			client_break(c, "54000", "an answer exceeds the limit of %zu bytes",
				c->options.result_max);
		return;
	}
	r->count = r->nrows;
	if (more) {
		r->next = c->partials;
		c->partials = r;
		return;
	}
	r->parts = r->parts_all = 1;
	finish(c, h->request, r, partial);
}

static bool answered_by_done(const struct group *g)
{
	if (g->op == OPERATION_HOLD)
		return true;
	return g->shape != NULL && g->shape->kind != LF_STATEMENT_QUERY &&
		(g->op == OPERATION_EXECUTE || g->op == OPERATION_QUERY);
}

static void on_done(struct lf_client *c, const struct wire_header *h, struct wire_reader *in,
	const struct group *g)
{
	struct wire_done done;
	struct lf_result *r;
	bool partial;

	wire_get(in, &done, sizeof(done));
	if (in->bad || in->left != 0 || !answered_by_done(g)) {
		client_violation(c, "malformed or unexpected done");
		return;
	}
	if (done.epoch > c->epoch)
		c->epoch = done.epoch;
	r = answer_of(c, h->request, &partial);
	r->shape = g->shape;
	r->epoch = done.epoch;
	r->count = done.count;
	r->parts = done.parts;
	r->parts_all = done.parts_all;
	finish(c, h->request, r, partial);
}

static bool is_partial(const struct lf_client *c, uint64_t request)
{
	for (const struct lf_result *r = c->partials; r != NULL; r = r->next)
		if (r->request == request)
			return true;
	return false;
}

static void on_done_batch(struct lf_client *c, struct wire_reader *in)
{
	struct wire_done_item item;

	if (in->left == 0 || in->left % sizeof(item) != 0) {
		client_violation(c, "malformed done");
		return;
	}
	while (in->left > 0 && !c->broken) {
		int64_t index;

		wire_get(in, &item, sizeof(item));
		index = request_find(c, item.request);
		if (index < 0 || !answered_by_done(&c->groups[index]) ||
			is_partial(c, item.request)) {
			client_violation(c, "done for a request that is not under way");
			return;
		}
		request_succeed(c, (uint32_t)index, item.request, item.epoch, item.count);
	}
}

/* --- the rest --- */

static void on_prepared(
	struct lf_client *c, const struct wire_header *h, struct wire_reader *in, struct group *g)
{
	uint32_t handle;
	struct shape *shape;
	struct waiter *w = g->arg;

	if ((g->op != OPERATION_PREPARE && g->op != OPERATION_QUERY) || g->shape != NULL) {
		client_violation(c, "unexpected prepared");
		return;
	}
	shape = shape_read(in, &handle);
	if (shape == NULL) {
		client_violation(c, "malformed prepared");
		return;
	}
	if (g->op == OPERATION_QUERY) {
		g->shape = shape;
		return;
	}
	w->shape = shape;
	w->handle = handle;
	result_reset(&c->view);
	request_answer(c, h->request, &c->view);
}

static void on_hello_ok(struct lf_client *c, const struct wire_header *h, struct wire_reader *in)
{
	struct wire_hello_ok ok;

	wire_get(in, &ok, sizeof(ok));
	if (in->bad || in->left != 0 || ok.version != WIRE_VERSION || ok.frame_max == 0) {
		client_violation(c, "malformed hello");
		return;
	}
	c->server = (struct lf_client_server){ ok.version, ok.shards, ok.frame_max,
		ok.statements_max, ok.requests_max, ok.visible, ok.features };
	result_reset(&c->view);
	request_answer(c, h->request, &c->view);
}

static void on_text(struct lf_client *c, const struct wire_header *h, struct wire_reader *in,
	const struct group *g, enum operation op)
{
	struct waiter *w = g->arg;

	if (g->op != op) {
		client_violation(c, "unexpected answer");
		return;
	}
	w->text = malloc(h->length + (size_t)1);
	if (w->text == NULL) {
		client_break(c, "53200", "out of memory");
		return;
	}
	w->length = h->length;
	wire_get(in, w->text, h->length);
	w->text[h->length] = '\0';
	result_reset(&c->view);
	request_answer(c, h->request, &c->view);
}

static void on_empty(
	struct lf_client *c, const struct wire_header *h, const struct group *g, enum operation op)
{
	if (h->length != 0 || g->op != op) {
		client_violation(c, "unexpected answer");
		return;
	}
	result_reset(&c->view);
	request_answer(c, h->request, &c->view);
}

void answer_frame(struct lf_client *c, const struct wire_header *h, const unsigned char *body)
{
	struct wire_reader in = { body, h->length, false };
	struct group *g;
	int64_t index;

	if (h->type == WIRE_DONE_BATCH) {
		on_done_batch(c, &in);
		return;
	}
	if (h->type == WIRE_ERROR) {
		on_error(c, h, &in);
		return;
	}
	if (h->request & FEED_BIT) {
		feed_frame(c, h, &in);
		return;
	}
	index = request_find(c, h->request);
	if (index < 0) {
		client_violation(c, "answer to a request that is not under way");
		return;
	}
	g = &c->groups[index];
	switch (h->type) {
	case WIRE_ROWS: on_rows(c, h, &in, g); break;
	case WIRE_DONE: on_done(c, h, &in, g); break;
	case WIRE_PREPARED: on_prepared(c, h, &in, g); break;
	case WIRE_CLOSED: on_empty(c, h, g, OPERATION_CLOSE); break;
	case WIRE_PONG: on_empty(c, h, g, OPERATION_PING); break;
	case WIRE_HELLO_OK:
		if (g->op == OPERATION_HELLO)
			on_hello_ok(c, h, &in);
		else
			client_violation(c, "unexpected hello");
		break;
	case WIRE_EVENTS_ARE: answer_events(c, h, &in, g); break;
	case WIRE_REQUEUED: answer_requeued(c, h, &in, g); break;
	case WIRE_INFO_OK: on_text(c, h, &in, g, OPERATION_INFO); break;
	case WIRE_SCHEMA_OK: on_text(c, h, &in, g, OPERATION_SCHEMA); break;
	default: client_violation(c, "unknown type of frame"); break;
	}
}
