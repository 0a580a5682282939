/*
 * connect.c: options, dialing with a time-out, and the exchange of hellos.
 */
#include "net/client/client_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct lf_client_options lf_client_options_default(void)
{
	return (struct lf_client_options){ .connect_timeout_ms = CLIENT_CONNECT_MS,
		.output_max = CLIENT_OUTPUT_BYTES,
		.inflight_max = CLIENT_INFLIGHT,
		.retry_ms = CLIENT_RETRY_MS,
		.result_max = CLIENT_RESULT_BYTES };
}

/* "HOST:PORT" or "[HOST]:PORT". */
static int split_address(
	const char *address, char *host, size_t cap, const char **port, struct lf_client_error *e)
{
	const char *colon = address == NULL ? NULL : strrchr(address, ':'), *begin = address;
	size_t n;

	if (colon == NULL)
		return client_error(
			e, "22023", "\"%s\" is not HOST:PORT", address == NULL ? "" : address);
	n = (size_t)(colon - address);
	if (n >= 2 && begin[0] == '[' && begin[n - 1] == ']') {
		begin++;
		n -= 2;
	}
	if (n == 0 || n >= cap || colon[1] == '\0')
		return client_error(e, "22023", "\"%s\" is not HOST:PORT", address);
	memcpy(host, begin, n);
	host[n] = '\0';
	*port = colon + 1;
	return 0;
}

/* Connect one address by the deadline (0: none). The socket, or -1 with errno. */
static int dial_one(const struct addrinfo *a, uint64_t deadline)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), cause;
	socklen_t len = sizeof(cause);

	if (fd < 0)
		return -1;
	cause = connect(fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
	while (cause == EINPROGRESS || cause == EINTR) {
		struct pollfd p = { fd, POLLOUT, 0 };
		uint64_t now = client_now_ms();
		int wait = deadline == 0 ? -1 : now >= deadline ? 0 : (int)(deadline - now);
		int ready = poll(&p, 1, wait);

		if (ready == 0)
			cause = ETIMEDOUT;
		else if (ready > 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &cause, &len) != 0)
			cause = errno;
	}
	if (cause == 0)
		return fd;
	close(fd);
	errno = cause;
	return -1;
}

int client_dial(const char *address, unsigned timeout_ms, struct lf_client_error *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	uint64_t deadline = timeout_ms == 0 ? 0 : client_now_ms() + timeout_ms;
	const char *port = NULL;
	char host[256];
	int fd = -1, status;

	if (split_address(address, host, sizeof(host), &port, e) != 0)
		return -1;
	status = getaddrinfo(host, port, &hints, &found);
	if (status != 0)
		return client_error(e, "08001", "%s: %s", address, gai_strerror(status));
	errno = ECONNREFUSED;
	for (const struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next)
		fd = dial_one(a, deadline);
	if (fd < 0)
		client_error(e, "08001", "%s: %s", address, strerror(errno));
	freeaddrinfo(found);
	return fd;
}

/* Say hello and wait for the server's, by the deadline. */
int client_greet(struct lf_client *c, unsigned timeout_ms, struct lf_client_error *e)
{
	const char *source = c->options.source == NULL ? "" : c->options.source;
	struct wire_hello hello = { WIRE_MAGIC, WIRE_VERSION, WIRE_VERSION,
		WIRE_FEATURES |
			(source[0] == '\0' ? 0
					: c->options.source_alone
					? WIRE_FEATURE_SOURCE | WIRE_FEATURE_ALONE
					: WIRE_FEATURE_SOURCE) };
	struct waiter w = { .e = e };
	struct group g = { .op = OPERATION_HELLO, .each = waiter_done, .arg = &w };
	uint64_t deadline = client_now_ms() + timeout_ms;

	if (request_send(c, WIRE_HELLO, &hello, sizeof(hello), source, strlen(source), &g, true,
		    NULL, e) != 0)
		return -1;
	while (!w.done) {
		uint64_t now = client_now_ms();

		if (timeout_ms != 0 && now >= deadline)
			client_break(
				c, "08006", "the server has not answered in %u ms", timeout_ms);
		(void)lf_client_poll(c, timeout_ms == 0 ? -1 : (int)(deadline - now), NULL);
	}
	if (w.failed && e != NULL && strcmp(e->sqlstate, "08006") == 0)
		*e = c->warned ? c->farewell : c->fate;
	return w.failed ? -1 : 0;
}

/* Above all numbers that the client had before, if it sends less than a million commands a second and its clock is not set
 * back. */
static uint64_t once_first_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int lf_client_open_fd(struct lf_client **out, int fd, const struct lf_client_options *o,
	struct lf_client_error *e)
{
	struct lf_client *c = calloc(1, sizeof(*c));
	unsigned slots = 16;

	*out = NULL;
	if (c == NULL) {
		close(fd);
		return client_no_memory(e);
	}
	if (o->source != NULL && strlen(o->source) > CLIENT_SOURCE_BYTES) {
		free(c);
		close(fd);
		return client_error(e, "22023", "the name of a source has at most %d bytes",
			CLIENT_SOURCE_BYTES);
	}
	c->fd = fd;
	c->options = *o;
	c->options.address = NULL;
	c->next = c->oldest = 1;
	c->once_next = o->once_first != 0 ? o->once_first : once_first_now();
	while (slots < o->inflight_max && slots < CLIENT_INFLIGHT_MAX)
		slots *= 2;
	c->mask = slots - 1;
	c->slots = calloc(slots, sizeof(*c->slots));
	if (c->slots == NULL || client_buffer_room(&c->in, CLIENT_READ_BYTES) == NULL ||
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0) {
		lf_client_close(c);
		return client_no_memory(e);
	}
	if (client_greet(c, o->connect_timeout_ms, e) != 0) {
		lf_client_close(c);
		return -1;
	}
	c->options.source = NULL;
	*out = c;
	return 0;
}

int client_connect(const char *address, unsigned timeout_ms, struct lf_client_error *e)
{
	int one = 1, fd = client_dial(address, timeout_ms, e);

	if (fd >= 0)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

int lf_client_open(
	struct lf_client **out, const struct lf_client_options *o, struct lf_client_error *e)
{
	char *address;
	int fd;

	*out = NULL;
	fd = client_connect(o->address, o->connect_timeout_ms, e);
	if (fd < 0 || lf_client_open_fd(out, fd, o, e) != 0 || *out == NULL)
		return -1;
	address = strdup(o->address);
	if (address == NULL) {
		lf_client_close(*out);
		*out = NULL;
		return client_no_memory(e);
	}
	(*out)->options.address = address;
	return 0;
}
