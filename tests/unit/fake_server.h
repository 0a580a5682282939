/*
 * fake_server.h: the other end of a client's socket, for tests of the client library: frames are put there
 * before the client looks for them, and what the client sent is read back. One thread, nothing waits.
 */
#ifndef LF_TESTS_UNIT_FAKE_SERVER_H
#define LF_TESTS_UNIT_FAKE_SERVER_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/store/row.h"
#include "net/client/leftfold.h"
#include "net/wire/wire.h"

enum { FAKE_BODY_MAX = 4096, FAKE_FRAME_MAX = 1 << 20 };

struct fake {
	int fd;
	struct lf_client *c;
	struct lf_client_error e;
};

/* A body under construction. */
struct body {
	unsigned char bytes[FAKE_BODY_MAX];
	size_t n;
};

static inline void body_add(struct body *b, const void *p, size_t n)
{
	assert_true(b->n + n <= sizeof(b->bytes));
	if (n > 0)
		memcpy(b->bytes + b->n, p, n);
	b->n += n;
}

static const struct type PAIR[] = { { TYPE_INT8, 0, 0 }, { TYPE_TEXT, 0, 0 } };

/* A row of PAIR. */
static inline void add_pair(struct body *b, int64_t id, const char *text)
{
	struct value v[2] = { { .i = id, .type = TYPE_INT8 },
		{ .s = { text, (uint32_t)strlen(text) }, .type = TYPE_TEXT } };
	struct row_layout l;
	struct arena a;
	struct error e;

	arena_init(&a, NULL);
	assert_int_equal(row_layout_init(&l, PAIR, 2, &a, &e), 0);
	b->n += row_encode(&l, v, b->bytes + b->n);
	assert_true(b->n <= sizeof(b->bytes));
	arena_free(&a);
}

static inline void fake_write(struct fake *f, const void *p, size_t n)
{
	assert_int_equal(send(f->fd, p, n, MSG_NOSIGNAL), n);
}

static inline void fake_frame(struct fake *f, enum wire_type type, uint8_t flags, uint64_t request,
	const void *body, size_t n)
{
	struct wire_header h = { (uint32_t)n, (uint8_t)type, flags, 0, request };

	fake_write(f, &h, sizeof(h));
	if (n > 0)
		fake_write(f, body, n);
}

static inline void fake_error(
	struct fake *f, uint8_t flags, uint64_t request, const char *state, const char *message)
{
	struct wire_error w = { .message_length = (uint16_t)strlen(message), .position = 7 };
	struct body b = { .n = 0 };

	memcpy(w.sqlstate, state, 5);
	body_add(&b, &w, sizeof(w));
	body_add(&b, message, strlen(message));
	fake_frame(f, WIRE_ERROR, flags, request, b.bytes, b.n);
}

static inline void fake_done(struct fake *f, uint64_t request, uint64_t epoch, uint64_t count)
{
	struct wire_done done = { epoch, count, 1, 1 };

	fake_frame(f, WIRE_DONE, 0, request, &done, sizeof(done));
}

/* What the client has written of one frame. */
static inline struct wire_header fake_read(struct fake *f, unsigned char *body, size_t cap)
{
	struct wire_header h;

	assert_int_equal(recv(f->fd, &h, sizeof(h), MSG_DONTWAIT), sizeof(h));
	assert_true(h.length <= cap);
	if (h.length > 0)
		assert_int_equal(recv(f->fd, body, h.length, MSG_DONTWAIT), h.length);
	return h;
}

static inline void fake_discard(struct fake *f)
{
	static unsigned char bytes[65536];

	while (recv(f->fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

/* A pair of sockets, with the hello answered already. The first request after it is number 2. */
static inline struct fake fake_open(struct lf_client_options o)
{
	struct wire_hello_ok ok = { .version = 1,
		.shards = 3,
		.frame_max = FAKE_FRAME_MAX,
		.statements_max = 5,
		.requests_max = 6,
		.features = WIRE_FEATURES,
		.visible = 77 };
	struct fake f;
	unsigned char hello[64];
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	f.fd = fds[1];
	fake_frame(&f, WIRE_HELLO_OK, 0, 1, &ok, sizeof(ok));
	assert_int_equal(lf_client_open_fd(&f.c, fds[0], &o, &f.e), 0);
	assert_int_equal(fake_read(&f, hello, sizeof(hello)).type, WIRE_HELLO);
	return f;
}

static inline void fake_close(struct fake *f)
{
	lf_client_close(f->c);
	close(f->fd);
}

/* The body of PREPARED. */
static inline struct body fake_prepared(enum wire_kind kind, uint32_t handle,
	const struct type *params, unsigned nparams, const struct type *columns, unsigned ncolumns)
{
	static const char TAG[] = "TAG", NOTICE[] = "a notice";
	struct wire_prepared head = { .handle = handle,
		.kind = (uint8_t)kind,
		.nparams = (uint16_t)nparams,
		.nresults = (uint16_t)ncolumns,
		.tag_length = sizeof(TAG) - 1,
		.notice_length = sizeof(NOTICE) - 1 };
	struct body b = { .n = 0 };

	body_add(&b, &head, sizeof(head));
	body_add(&b, params, nparams * sizeof(*params));
	for (unsigned i = 0; i < ncolumns; i++) {
		char name[2] = { 'c', (char)('0' + i % 10) };
		uint16_t n = sizeof(name);

		body_add(&b, &columns[i], sizeof(columns[i]));
		body_add(&b, &n, sizeof(n));
		body_add(&b, name, sizeof(name));
	}
	body_add(&b, NOTICE, sizeof(NOTICE) - 1);
	body_add(&b, TAG, sizeof(TAG) - 1);
	return b;
}

/* Prepare a statement of these types; request is the number it will have. */
static inline struct lf_statement *fake_prepare(struct fake *f, uint64_t request,
	enum wire_kind kind, const struct type *params, unsigned nparams,
	const struct type *columns, unsigned ncolumns)
{
	struct body b = fake_prepared(kind, 40, params, nparams, columns, ncolumns);
	struct lf_statement *s;

	fake_frame(f, WIRE_PREPARED, 0, request, b.bytes, b.n);
	assert_int_equal(lf_client_prepare(&s, f->c, "some text", SIZE_MAX, NULL, 0, &f->e), 0);
	fake_discard(f);
	return s;
}

#endif
