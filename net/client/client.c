/*
 * client.c: see client.h. Blocking sockets, two buffers.
 */
#include "net/client/client.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_BYTES = 64 << 10, FRAME_MAX = 1 << 30 };

struct bytes {
	unsigned char *data;
	size_t head, used, cap;
};

struct lfc {
	int fd;
	struct bytes in, out;
	struct wire_hello_ok server;
};

static unsigned char *bytes_room(struct bytes *b, size_t n)
{
	size_t cap = b->cap == 0 ? READ_BYTES : b->cap;
	unsigned char *grown;

	if (b->head > 0) {
		memmove(b->data, b->data + b->head, b->used - b->head);
		b->used -= b->head;
		b->head = 0;
	}
	if (b->used + n <= b->cap)
		return b->data + b->used;
	while (cap < b->used + n)
		cap *= 2;
	grown = realloc(b->data, cap);
	if (grown == NULL)
		return NULL;
	b->data = grown;
	b->cap = cap;
	return b->data + b->used;
}

int lfc_send(struct lfc *c, enum wire_type type, uint64_t request, const void *head, size_t nhead,
	const void *body, size_t nbody)
{
	struct wire_header h = { (uint32_t)(nhead + nbody), (uint8_t)type, 0, 0, request };
	unsigned char *p = bytes_room(&c->out, sizeof(h) + nhead + nbody);

	if (p == NULL) {
		errno = ENOMEM;
		return -1;
	}
	memcpy(p, &h, sizeof(h));
	if (nhead > 0)
		memcpy(p + sizeof(h), head, nhead);
	if (nbody > 0)
		memcpy(p + sizeof(h) + nhead, body, nbody);
	c->out.used += sizeof(h) + nhead + nbody;
	return 0;
}

int lfc_flush(struct lfc *c)
{
	while (c->out.head < c->out.used) {
		ssize_t n = send(
			c->fd, c->out.data + c->out.head, c->out.used - c->out.head, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		c->out.head += (size_t)n;
	}
	c->out.head = c->out.used = 0;
	return 0;
}

/* Have at least n bytes in `in`. 1, 0 end, -1. */
static int fill(struct lfc *c, size_t n)
{
	while (c->in.used - c->in.head < n) {
		unsigned char *p = bytes_room(&c->in, n > READ_BYTES ? n : READ_BYTES);
		ssize_t got;

		if (p == NULL) {
			errno = ENOMEM;
			return -1;
		}
		got = recv(c->fd, p, c->in.cap - c->in.used, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return (int)got;
		c->in.used += (size_t)got;
	}
	return 1;
}

int lfc_receive(struct lfc *c, struct lfc_frame *f)
{
	int status = fill(c, WIRE_HEADER);

	if (status <= 0)
		return status;
	memcpy(&f->header, c->in.data + c->in.head, sizeof(f->header));
	if (f->header.length > FRAME_MAX) {
		errno = EPROTO;
		return -1;
	}
	status = fill(c, WIRE_HEADER + (size_t)f->header.length);
	if (status <= 0)
		return status;
	f->body = c->in.data + c->in.head + WIRE_HEADER;
	c->in.head += WIRE_HEADER + (size_t)f->header.length;
	return 1;
}

static int dial(const char *address, char *message, size_t cap)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	const char *colon = strrchr(address, ':');
	char host[256];
	int fd, one = 1, status;

	if (colon == NULL || (size_t)(colon - address) >= sizeof(host)) {
		(void)snprintf(message, cap, "\"%s\" is not ADDR:PORT", address);
		return -1;
	}
	memcpy(host, address, (size_t)(colon - address));
	host[colon - address] = '\0';
	status = getaddrinfo(host, colon + 1, &hints, &found);
	if (status != 0) {
		(void)snprintf(message, cap, "%s: %s", address, gai_strerror(status));
		return -1;
	}
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
		(void)snprintf(message, cap, "%s: %s", address, strerror(errno));
		freeaddrinfo(found);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	freeaddrinfo(found);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

struct lfc *lfc_open(const char *address, char *message, size_t cap)
{
	struct wire_hello hello = { WIRE_MAGIC, WIRE_VERSION, WIRE_VERSION, 0 };
	struct lfc *c = calloc(1, sizeof(*c));
	struct lfc_frame f;

	if (c == NULL) {
		(void)snprintf(message, cap, "out of memory");
		return NULL;
	}
	c->fd = dial(address, message, cap);
	if (c->fd < 0) {
		free(c);
		return NULL;
	}
	if (lfc_send(c, WIRE_HELLO, 0, &hello, sizeof(hello), NULL, 0) != 0 || lfc_flush(c) != 0 ||
		lfc_receive(c, &f) != 1 || f.header.type != WIRE_HELLO_OK ||
		f.header.length != sizeof(c->server)) {
		(void)snprintf(
			message, cap, "%s: the server did not accept the connection", address);
		lfc_close(c);
		return NULL;
	}
	memcpy(&c->server, f.body, sizeof(c->server));
	return c;
}

void lfc_close(struct lfc *c)
{
	if (c == NULL)
		return;
	close(c->fd);
	free(c->in.data);
	free(c->out.data);
	free(c);
}

const struct wire_hello_ok *lfc_server(const struct lfc *c)
{
	return &c->server;
}
