/*
 * answer.c: what a session writes: frames of answers at the end of its connection's output.
 *
 * Replies that simply succeeded and come one behind the other share one DONE_BATCH frame, as long as it is
 * still the last thing in the output. The rows of a query are written as they are found; its frame is
 * opened first and its length filled in at the end. Without memory for an answer the client cannot be told:
 * the connection is closed.
 */
#include "net/server/session_internal.h"

enum { ANSWER_FRAME_BYTES = KIB(64) };

unsigned char *session_frame(
	struct session *s, enum wire_type type, uint8_t flags, uint64_t request, size_t length)
{
	struct wire_header h = { (uint32_t)length, (uint8_t)type, flags, 0, request };
	unsigned char *p = buffer_room(&s->c->out, sizeof(h) + length);

	if (p == NULL) {
		/* Without memory for the answer the client cannot be told; it sees the end. */
		s->c->closing = true;
		return NULL;
	}
	memcpy(p, &h, sizeof(h));
	s->c->out.used += sizeof(h) + length;
	s->c->batch_open = false;
	connection_list(s->c);
	return p + sizeof(h);
}

void session_error(struct session *s, uint64_t request, uint8_t flags, const struct error *e)
{
	size_t m = strlen(e->message), d = strlen(e->detail), h = strlen(e->hint);
	struct wire_error w = { .message_length = (uint16_t)m,
		.detail_length = (uint16_t)d,
		.hint_length = (uint16_t)h,
		.position = e->position };
	unsigned char *p = session_frame(s, WIRE_ERROR, flags, request, sizeof(w) + m + d + h);

	if (p == NULL)
		return;
	memcpy(w.sqlstate, error_state(e), sizeof(w.sqlstate));
	memcpy(p, &w, sizeof(w));
	memcpy(p + sizeof(w), e->message, m);
	memcpy(p + sizeof(w) + m, e->detail, d);
	memcpy(p + sizeof(w) + m + d, e->hint, h);
}

void session_violation(struct session *s, uint64_t request, const char *what)
{
	struct error e;

	/* First the answers of the frames before it. */
	session_reads_run(s);
	error_set(&e, ERR_PROTOCOL, 0, "protocol violation: %s", what);
	session_error(s, request, 0, &e);
	s->c->closing = true;
}

void session_fail(struct session *s, enum error_code code, const char *message)
{
	struct error e;

	error_set(&e, code, 0, message == NULL ? NULL : "%s", message);
	session_error(s, 0, WIRE_FLAG_ASYNC, &e);
	s->c->closing = true;
	connection_list(s->c);
}

void session_done(struct session *s, uint64_t request, const struct wire_done *done)
{
	unsigned char *p = session_frame(s, WIRE_DONE, 0, request, sizeof(*done));

	if (p != NULL)
		memcpy(p, done, sizeof(*done));
}

/* Added to the DONE_BATCH frame at the end of the output, if that is what is there. */
void session_done_item(struct session *s, uint64_t request, uint64_t epoch, uint64_t count)
{
	struct wire_done_item item = { request, epoch, count };
	struct buffer *out = &s->c->out;
	struct wire_header h;
	unsigned char *p;

	if (s->c->batch_open) {
		p = out->data + s->c->batch_at;
		memcpy(&h, p, sizeof(h));
		if (h.length + sizeof(item) <= ANSWER_FRAME_BYTES) {
			p = buffer_room(out, sizeof(item));
			if (p == NULL) {
				s->c->closing = true;
				return;
			}
			h.length += (uint32_t)sizeof(item);
			memcpy(out->data + s->c->batch_at, &h, sizeof(h));
			memcpy(p, &item, sizeof(item));
			out->used += sizeof(item);
			return;
		}
	}
	p = session_frame(s, WIRE_DONE_BATCH, 0, request, sizeof(item));
	if (p == NULL)
		return;
	memcpy(p, &item, sizeof(item));
	s->c->batch_at = (size_t)(p - out->data) - sizeof(h);
	s->c->batch_open = true;
}

/* --- rows --- */

int rows_one(struct session *s, uint64_t request, uint64_t epoch, const void *row, uint32_t size)
{
	struct wire_rows head = { .epoch = epoch, .count = row != NULL };
	unsigned char *p = session_frame(s, WIRE_ROWS, 0, request, sizeof(head) + size);

	if (p == NULL)
		return 1;
	memcpy(p, &head, sizeof(head));
	if (row != NULL)
		memcpy(p + sizeof(head), row, size);
	return 0;
}

int rows_begin(struct row_writer *w)
{
	struct wire_rows head = { .epoch = w->epoch };
	unsigned char *p;

	w->begin = buffer_length(&w->s->c->out);
	p = session_frame(w->s, WIRE_ROWS, 0, w->request, sizeof(head));
	if (p == NULL)
		return 1;
	memcpy(p, &head, sizeof(head));
	w->count = 0;
	w->open = true;
	return 0;
}

void rows_end(struct row_writer *w, bool more)
{
	struct buffer *out = &w->s->c->out;
	unsigned char *at = out->data + out->head + w->begin;
	struct wire_header h;
	struct wire_rows head = { .epoch = w->epoch, .count = w->count };

	memcpy(&h, at, sizeof(h));
	h.length = (uint32_t)(buffer_length(out) - w->begin - sizeof(h));
	h.flags = more ? WIRE_FLAG_MORE : 0;
	memcpy(at, &h, sizeof(h));
	memcpy(at + sizeof(h), &head, sizeof(head));
	w->open = false;
}

int rows_add(void *arg, const void *row, uint32_t size)
{
	struct row_writer *w = arg;
	struct buffer *out = &w->s->c->out;
	unsigned char *p;

	if (w->open && w->count > 0 && buffer_length(out) - w->begin + size > ANSWER_FRAME_BYTES)
		rows_end(w, true);
	if (!w->open && rows_begin(w) != 0)
		return 1;
	if (buffer_length(out) > LIMIT_RESULT_BYTES)
		return 2;
	p = buffer_room(out, size);
	if (p == NULL)
		return 1;
	memcpy(p, row, size);
	out->used += size;
	w->count++;
	return 0;
}
