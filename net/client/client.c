/*
 * client.c: the connection: buffers, writing, reading, polling, closing.
 *
 * Everything is non-blocking but client_wait_io(). A connection breaks once: the cause is noted, what arrived
 * before it is still handled, and the next poll answers everything outstanding with 08006. A failed write
 * does not break it by itself, since the server may have said why before it closed: it shuts the socket
 * down, and reading ends it.
 */
#include "net/client/client_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* --- errors --- */

#undef client_error
int client_error(struct lf_client_error *e, const char *sqlstate, const char *fmt, ...)
{
	va_list args;

	if (e == NULL)
		return -1;
	(void)snprintf(e->sqlstate, sizeof(e->sqlstate), "%s", sqlstate);
	e->position = 0;
	e->detail[0] = e->hint[0] = '\0';
	va_start(args, fmt);
	(void)vsnprintf(e->message, sizeof(e->message), fmt, args);
	va_end(args);
	return -1;
}

int client_no_memory(struct lf_client_error *e)
{
	return client_error(e, "53200", "out of memory");
}

int client_error_from(struct lf_client_error *e, const struct error *from)
{
	if (e == NULL)
		return -1;
	(void)snprintf(e->sqlstate, sizeof(e->sqlstate), "%s", error_sqlstate(from->code));
	e->position = from->position;
	(void)snprintf(e->message, sizeof(e->message), "%s", from->message);
	(void)snprintf(e->detail, sizeof(e->detail), "%s", from->detail);
	(void)snprintf(e->hint, sizeof(e->hint), "%s", from->hint);
	return -1;
}

/* --- locale --- */

void locale_plain(struct locale_guard *g)
{
	g->plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	g->before = uselocale(g->plain);
}

void locale_restore(struct locale_guard *g)
{
	uselocale(g->before);
	if (g->plain != (locale_t)0)
		freelocale(g->plain);
}

/* --- buffers --- */

unsigned char *client_buffer_room(struct client_buffer *b, size_t n)
{
	size_t used = b->used - b->head, cap = b->cap == 0 ? 4096 : b->cap;
	unsigned char *grown;

	if (b->cap - b->used >= n)
		return b->data + b->used;
	if (b->head > 0) {
		memmove(b->data, b->data + b->head, used);
		b->head = 0;
		b->used = used;
		if (b->cap - used >= n)
			return b->data + used;
	}
	if (n > SIZE_MAX / 4 || used > SIZE_MAX / 4)
		return NULL;
	while (cap < used + n)
		cap *= 2;
	grown = realloc(b->data, cap);
	if (grown == NULL)
		return NULL;
	b->data = grown;
	b->cap = cap;
	return grown + used;
}

/* --- the socket --- */

uint64_t client_now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int client_left_ms(int timeout_ms, uint64_t deadline)
{
	uint64_t now;

	if (timeout_ms <= 0)
		return timeout_ms;
	now = client_now_ms();
	return now >= deadline ? 0 : (int)(deadline - now);
}

void client_break(struct lf_client *c, const char *sqlstate, const char *fmt, ...)
{
	va_list args;

	if (c->broken)
		return;
	c->broken = true;
	client_error(&c->fate, sqlstate, "%s", "");
	va_start(args, fmt);
	(void)vsnprintf(c->fate.message, sizeof(c->fate.message), fmt, args);
	va_end(args);
	(void)shutdown(c->fd, SHUT_RDWR);
}

void client_write(struct lf_client *c)
{
	size_t end = c->batching ? c->out.head + c->batch_at : c->out.used;

	while (!c->broken && c->out.head < end) {
		ssize_t n = send(c->fd, c->out.data + c->out.head, end - c->out.head,
			MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0) {
			(void)shutdown(c->fd, SHUT_RDWR);
			n = (ssize_t)(end - c->out.head);
		}
		c->out.head += (size_t)n;
		if (c->batching)
			c->batch_at -= (size_t)n;
	}
	if (c->out.head == c->out.used)
		c->out.head = c->out.used = 0;
}

/* Read once. True: something came, or the connection ended. */
static bool client_read(struct lf_client *c)
{
	size_t want = CLIENT_READ_ROOM_MIN;
	struct wire_header h;
	unsigned char *p;
	ssize_t n;

	if (c->in.head == c->in.used)
		c->in.head = c->in.used = 0;
	if (c->in.used - c->in.head >= WIRE_HEADER) {
		memcpy(&h, c->in.data + c->in.head, sizeof(h));
		if (h.length + (size_t)WIRE_HEADER - (c->in.used - c->in.head) > want)
			want = h.length + (size_t)WIRE_HEADER - (c->in.used - c->in.head);
	}
	p = client_buffer_room(&c->in, want);
	if (p == NULL) {
		client_break(c, "53200", "out of memory");
		return true;
	}
	do
		n = recv(c->fd, p, c->in.cap - c->in.used, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		c->in.used += (size_t)n;
		c->received += (size_t)n;
	} else if (n == 0 && c->warned) {
		client_break(c, c->farewell.sqlstate, "%s", c->farewell.message);
	} else if (n == 0) {
		client_break(c, "08006", "the server closed the connection");
	} else if (errno != EAGAIN && errno != EWOULDBLOCK) {
		client_break(c, "08006", "%s", strerror(errno));
	} else {
		return false;
	}
	return true;
}

/* Handle the whole frames that are there. */
static void dispatch(struct lf_client *c, bool ended)
{
	struct wire_header h;

	c->dispatching = true;
	while ((!c->broken || ended) && c->in.used - c->in.head >= WIRE_HEADER) {
		memcpy(&h, c->in.data + c->in.head, sizeof(h));
		if (h.zero != 0) {
			client_break(
				c, "08P01", "protocol violation by the server: malformed frame");
			break;
		}
		if (h.length > c->options.result_max) {
			client_break(c, "54000", "an answer of %u bytes exceeds the limit of %zu",
				h.length, c->options.result_max);
			break;
		}
		if (c->in.used - c->in.head - WIRE_HEADER < h.length)
			break;
		c->in.head += WIRE_HEADER + h.length;
		answer_frame(c, &h, c->in.data + c->in.head - h.length);
	}
	c->dispatching = false;
}

/* Wait until there is something to read, or to write if output is waiting. */
static void client_wait_io(struct lf_client *c, int timeout_ms)
{
	struct pollfd p = { c->fd, lf_client_events(c), 0 };

	(void)poll(&p, 1, timeout_ms);
}

int client_ready(struct lf_client *c, bool sync, struct lf_client_error *e)
{
	if (c->batching)
		return client_error(e, "55000", "a batch is under construction");
	if (sync && c->dispatching)
		return client_error(e, "55000", "not allowed in a callback");
	if (c->broken)
		return client_error(e, "08006", "the connection is lost: %s", c->fate.message);
	return 0;
}

int lf_client_flush(struct lf_client *c, struct lf_client_error *e)
{
	if (client_ready(c, false, e) != 0)
		return -1;
	client_write(c);
	return c->out.head == c->out.used ? 0 : LF_WOULD_BLOCK;
}

static int lost(struct lf_client *c, struct lf_client_error *e)
{
	request_fail_all(c);
	feeds_fail_all(c);
	client_error(e, "08006", "the connection is lost: %s", c->fate.message);
	if (e != NULL && c->warned)
		(void)snprintf(e->detail, sizeof(e->detail), "%s: %.500s", c->farewell.sqlstate,
			c->farewell.message);
	return -1;
}

int lf_client_poll(struct lf_client *c, int timeout_ms, struct lf_client_error *e)
{
	uint64_t before = c->answered + c->delivered, now = 0, deadline = 0;

	if (c->dispatching || c->batching)
		return client_ready(c, true, e);
	if (timeout_ms > 0)
		deadline = client_now_ms() + (uint64_t)timeout_ms;
	for (;;) {
		bool ended = c->broken, came;

		client_write(c);
		came = !c->broken && client_read(c);
		/* What came before the end counts; what came before a violation has been handled. */
		if (came)
			dispatch(c, !ended && c->broken);
		if (c->broken)
			return lost(c, e);
		if (c->answered + c->delivered != before) {
			uint64_t n = c->answered + c->delivered - before;

			client_write(c);
			return n > INT32_MAX ? INT32_MAX : (int)n;
		}
		if (came)
			continue;
		if (timeout_ms > 0)
			now = client_now_ms();
		if (timeout_ms == 0 || (timeout_ms > 0 && now >= deadline))
			return 0;
		client_wait_io(c, timeout_ms < 0 ? -1 : (int)(deadline - now));
	}
}

int lf_client_wait(struct lf_client *c, int timeout_ms, struct lf_client_error *e)
{
	uint64_t deadline = timeout_ms > 0 ? client_now_ms() + (uint64_t)timeout_ms : 0;

	if (client_ready(c, true, e) != 0)
		return -1;
	while (c->inflight > 0) {
		int left = client_left_ms(timeout_ms, deadline);

		if (lf_client_poll(c, left, e) < 0)
			return -1;
		if (c->inflight > 0 && left == 0)
			return LF_WOULD_BLOCK;
	}
	return 0;
}

void lf_client_close(struct lf_client *c)
{
	if (c == NULL)
		return;
	lf_client_batch_cancel(c);
	client_break(c, "08003", "the connection was closed by its owner");
	request_fail_all(c);
	feeds_fail_all(c);
	feeds_free(c);
	close(c->fd);
	while (c->statements != NULL) {
		struct lf_statement *s = c->statements;

		c->statements = s->next;
		shape_release(s->shape);
		free(s->source);
		free(s);
	}
	while (lf_client_next(c, &(struct lf_client_completion){ 0 }))
		;
	while (c->spare != NULL) {
		struct lf_result *r = c->spare;

		c->spare = r->next;
		lf_result_free(r);
	}
	result_reset(&c->view);
	free(c->view.rows);
	free(c->view.own);
	free(c->in.data);
	free(c->out.data);
	free(c->slots);
	free(c->groups);
	free(c->completions);
	free((char *)(uintptr_t)c->options.address);
	free(c);
}

/* --- looking at it --- */

int lf_client_fd(const struct lf_client *c)
{
	return c->fd;
}

short lf_client_events(const struct lf_client *c)
{
	return c->out.head < c->out.used ? POLLIN | POLLOUT : POLLIN;
}

size_t lf_client_inflight(const struct lf_client *c)
{
	return c->inflight;
}

size_t lf_client_unwritten(const struct lf_client *c)
{
	return c->out.used - c->out.head;
}

bool lf_client_connected(const struct lf_client *c)
{
	return !c->broken;
}

uint64_t lf_client_epoch(const struct lf_client *c)
{
	return c->epoch;
}

uint64_t lf_client_refused(const struct lf_client *c)
{
	return c->refused;
}

const struct lf_client_server *lf_client_server(const struct lf_client *c)
{
	return &c->server;
}

void lf_client_on_error(struct lf_client *c, lf_client_on_late_error fn, void *arg)
{
	c->on_error = fn;
	c->on_error_arg = arg;
}

const char *lf_client_version(void)
{
	return "0.1.0";
}
