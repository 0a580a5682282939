/*
 * main.c: bench-peers, a closed loop against another server: as leftfold-bench has it (bench/load/load.c), one thread,
 * one epoll loop, so many connections with so many requests under way on each; what was answered in a round is
 * replaced by as many requests, written at once. Prints one JSON object with leftfold-bench's names.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/load/histogram.h"
#include "bench/load/random.h"
#include "bench/load/server.h"
#include "bench/peers/peer.h"

enum { EVENTS_MAX = 256, TICK_MS = 20, READ_BYTES = 1 << 18, STALL_S = 60 };

static const struct peer *const PEERS[] = { &PEER_LEFTFOLD, &PEER_REDIS, &PEER_MEMCACHED,
	&PEER_TARANTOOL, &PEER_POSTGRES, NULL };

static const char USAGE[] =
	"Usage: bench-peers PEER FORM ADDRESS:PORT CONNECTIONS DEPTH SECONDS WARM-UP ROWS SEED PID ARGUMENT\n"
	"\n"
	"PEER: leftfold (--echo), redis, memcached, tarantool or postgres; FORM: what it does (kv-load: fill ROWS rows, then end). PID: whose\n"
	"processor time is counted (0: none); ARGUMENT: see the peer's file. Called by bench/peers/run.\n";

struct pending {
	uint64_t start; /* ns */
	uint64_t key;
};

struct connection {
	int fd;
	bool blocked;
	unsigned char *in;
	size_t in_used;
	struct bytes out;
	size_t sent;
	struct pending *pending; /* by request number modulo depth */
	uint32_t first, next;    /* numbers under way */
	unsigned partial;        /* answers of the first that came */
	unsigned opening;        /* answers to wait for before the first request */
	size_t greeting;
};

struct load {
	const struct peer *peer;
	const struct peer_form *form;
	unsigned depth;
	uint64_t rows, number, loaded;
	bool loading, sending, measuring;
	struct keys keys;
	struct random random;
	int epoll;
	uint64_t operations, errors, wrong, answered, inflight;
	uint64_t cents, customer_sum;
	struct histogram *latency;
	char said[160];
};

static void die(const char *what)
{
	fprintf(stderr, "bench-peers: %s\n", what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* --- bytes --- */

static unsigned char *bytes_room(struct bytes *b, size_t n)
{
	if (b->cap - b->n < n) {
		b->cap = 2 * b->cap + n + 4096;
		b->p = realloc(b->p, b->cap);
		if (b->p == NULL)
			die("out of memory");
	}
	return b->p + b->n;
}

void bytes_add(struct bytes *b, const void *p, size_t n)
{
	memcpy(bytes_room(b, n), p, n);
	b->n += n;
}

void bytes_print(struct bytes *b, const char *fmt, ...)
{
	enum { MOST = 512 };
	char *room = (char *)bytes_room(b, MOST);
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(room, MOST, fmt, args);
	va_end(args);
	if (n < 0 || n >= MOST)
		die("a request is too long");
	b->n += (size_t)n;
}

void bytes_u8(struct bytes *b, unsigned v)
{
	*bytes_room(b, 1) = (unsigned char)v;
	b->n++;
}

void bytes_be32(struct bytes *b, uint32_t v)
{
	(void)bytes_room(b, 4);
	b->n += 4;
	bytes_set_be32(b, b->n - 4, v);
}

void bytes_set_be32(struct bytes *b, size_t at, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		b->p[at + i] = (unsigned char)(v >> (24 - 8 * i));
}

/* --- requests --- */

static void work_next(struct load *l, struct work *w)
{
	w->number = l->number++;
	w->key = l->loading ? l->loaded++ : keys_next(&l->keys);
	l->cents += work_order(w, random_next(&l->random));
	l->customer_sum += w->key;
	if (l->loading)
		key_value(w->key, w->value);
}

static void watch(struct load *l, struct connection *c, bool blocked)
{
	struct epoll_event e = { .events = blocked ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c };

	if (blocked != c->blocked && epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &e) != 0)
		die("epoll_ctl");
	c->blocked = blocked;
}

static void connection_write(struct load *l, struct connection *c)
{
	while (c->sent < c->out.n) {
		ssize_t n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			watch(l, c, true);
			return;
		}
		if (n < 0)
			die("a connection broke while sending");
		c->sent += (size_t)n;
	}
	c->sent = c->out.n = 0;
	watch(l, c, false);
}

static void connection_fill(struct load *l, struct connection *c)
{
	uint64_t now = now_ns();

	if (c->blocked || c->opening > 0 || c->greeting > 0)
		return;
	while (l->sending && c->next - c->first < l->depth &&
		!(l->loading && l->loaded == l->rows)) {
		struct pending *p = &c->pending[c->next % l->depth];
		struct work w;

		work_next(l, &w);
		p->start = now;
		p->key = w.key;
		l->form->request(&c->out, &w, c->next++);
		l->inflight++;
	}
	connection_write(l, c);
}

/* --- answers --- */

static void answer_note(struct load *l, const struct answer *a)
{
	if (l->errors++ == 0)
		(void)snprintf(l->said, sizeof(l->said), "%.*s", (int)(a->len < 150 ? a->len : 150),
			(const char *)a->text);
}

static void answered(struct load *l, struct connection *c, const struct answer *a, uint64_t now)
{
	struct pending *p;

	if (a->failed)
		answer_note(l, a);
	if (c->opening > 0) {
		c->opening--;
		return;
	}
	if (++c->partial < l->form->answers)
		return;
	c->partial = 0;
	/* Numbers are given out in order: an answer that overtakes another is rare, and is then counted with the time of
	 * the one it overtook. */
	p = &c->pending[(a->id >= 0 ? (uint32_t)a->id : c->first) % l->depth];
	c->first++;
	l->inflight--;
	l->answered++;
	if (l->form->reads && !a->failed) {
		char expected[VALUE_BYTES];

		key_value(p->key, expected);
		l->wrong += a->len != VALUE_BYTES || a->text == NULL ||
			memcmp(a->text, expected, VALUE_BYTES) != 0;
	}
	if (l->measuring) {
		l->operations++;
		histogram_record(l->latency, now - p->start, 1);
	}
}

static void connection_read(struct load *l, struct connection *c)
{
	ssize_t got = recv(c->fd, c->in + c->in_used, READ_BYTES - c->in_used, 0);
	uint64_t now = now_ns();
	size_t at = 0;

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0)
		die("a connection broke");
	c->in_used += (size_t)got;
	if (c->greeting > 0) {
		at = c->greeting < c->in_used ? c->greeting : c->in_used;
		c->greeting -= at;
	}
	while (at < c->in_used && c->greeting == 0) {
		struct answer a = { .id = -1 };
		ssize_t n = l->peer->answer(c->in + at, c->in_used - at, &a);

		if (n < 0)
			die("an answer is not understood");
		if (n == 0)
			break;
		at += (size_t)n;
		answered(l, c, &a, now);
	}
	c->in_used -= at;
	memmove(c->in, c->in + at, c->in_used);
}

/* --- the run --- */

static void connection_open(
	struct load *l, struct connection *c, const char *address, const char *argument)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
	char host[64];
	unsigned port;
	int one = 1;

	if (sscanf(address, "%63[^:]:%u", host, &port) != 2 ||
		inet_pton(AF_INET, host, &to.sin_addr) != 1)
		die("the address is not ADDRESS:PORT");
	to.sin_port = htons((uint16_t)port);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	c->in = malloc(READ_BYTES);
	c->pending = calloc(l->depth, sizeof(*c->pending));
	if (c->fd < 0 || c->in == NULL || c->pending == NULL ||
		connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("cannot connect");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->greeting = l->peer->greeting;
	if (l->peer->open != NULL)
		c->opening = l->peer->open(&c->out, l->form, argument);
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
		die("epoll_ctl");
	if (send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL) != (ssize_t)c->out.n)
		die("cannot send");
	c->out.n = 0;
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0)
		die("fcntl");
}

static void connection_close(struct connection *c)
{
	(void)close(c->fd);
	free(c->in);
	free(c->out.p);
	free(c->pending);
}

/* Until `until` (0: until all is loaded), or, when not sending, until all is answered. */
static void turn(struct load *l, struct connection *connections, unsigned n, uint64_t until)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t last = now_ns(), seen = l->answered;

	for (unsigned i = 0; i < n; i++)
		connection_fill(l, &connections[i]);
	for (;;) {
		uint64_t now = now_ns();
		int k;

		if (l->sending && until != 0 && now >= until)
			return;
		if (l->inflight == 0 && (!l->sending || (l->loading && l->loaded == l->rows)))
			return;
		k = epoll_wait(l->epoll, events, EVENTS_MAX, TICK_MS);
		for (int i = 0; i < k; i++) {
			struct connection *c = events[i].data.ptr;

			if (events[i].events & EPOLLOUT)
				connection_write(l, c);
			if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				connection_read(l, c);
			connection_fill(l, c);
		}
		if (l->answered != seen)
			last = now;
		seen = l->answered;
		if (now - last > (uint64_t)STALL_S * 1000000000)
			die("no answers any more");
	}
}

static void cpu_print(const char *whose, const struct cpu_usage *before,
	const struct cpu_usage *after, uint64_t operations)
{
	double user = after->user - before->user, system = after->system - before->system;

	printf(",\"%s_cpu_s_per_million\":%.4f,\"%s_cpu_user_s\":%.2f,\"%s_cpu_kernel_s\":%.2f",
		whose, operations > 0 ? (user + system) * 1e6 / (double)operations : 0, whose, user,
		whose, system);
}

int main(int argc, char **argv)
{
	struct load l = { .epoll = epoll_create1(EPOLL_CLOEXEC), .sending = true };
	struct cpu_usage before, after, client_before, client_after;
	struct connection *connections;
	unsigned n, i = 0;
	double seconds, warm_up;
	uint64_t begin, seed;
	pid_t pid;
	bool known;

	if (argc != 12) {
		fputs(USAGE, stderr);
		return 2;
	}
	while (PEERS[i] != NULL && strcmp(PEERS[i]->name, argv[1]) != 0)
		i++;
	l.peer = PEERS[i];
	for (l.form = l.peer != NULL ? l.peer->forms : NULL;
		l.form != NULL && l.form->name != NULL && strcmp(l.form->name, argv[2]) != 0;)
		l.form++;
	n = (unsigned)atoi(argv[4]);
	l.depth = (unsigned)atoi(argv[5]);
	seconds = atof(argv[6]);
	warm_up = atof(argv[7]);
	l.rows = strtoull(argv[8], NULL, 10);
	seed = strtoull(argv[9], NULL, 10);
	pid = atoi(argv[10]);
	if (l.form == NULL || l.form->name == NULL || n == 0 || l.depth == 0 || l.rows == 0) {
		fputs(USAGE, stderr);
		return 2;
	}
	l.loading = strcmp(l.form->name, "kv-load") == 0;
	keys_init(&l.keys, l.rows, 0, seed);
	l.random.state = ~seed;
	l.latency = histogram_new();
	connections = calloc(n, sizeof(*connections));
	if (l.latency == NULL || connections == NULL || l.epoll < 0)
		die("out of memory");
	for (i = 0; i < n; i++)
		connection_open(&l, &connections[i], argv[3], argv[11]);
	if (!l.loading)
		turn(&l, connections, n, now_ns() + (uint64_t)(warm_up * 1e9));
	l.measuring = true;
	known = cpu_usage_read(&before, pid);
	(void)cpu_usage_read(&client_before, getpid());
	begin = now_ns();
	turn(&l, connections, n, l.loading ? 0 : begin + (uint64_t)(seconds * 1e9));
	seconds = (double)(now_ns() - begin) / 1e9;
	l.measuring = l.sending = false;
	known = known && cpu_usage_read(&after, pid);
	(void)cpu_usage_read(&client_after, getpid());
	turn(&l, connections, n, 0);
	printf("{\"workload\":\"%s\",\"connections\":%u,\"depth\":%u,\"rows\":%llu,\"seconds\":%.4f,"
	       "\"operations\":%llu,\"operations_per_s\":%.1f,\"sent\":%llu,\"cents\":%llu,"
	       "\"customer_sum\":%llu,\"errors\":%llu,\"wrong\":%llu,",
		l.form->name, n, l.depth, (unsigned long long)l.rows, seconds,
		(unsigned long long)l.operations, (double)l.operations / seconds,
		(unsigned long long)l.number, (unsigned long long)l.cents,
		(unsigned long long)l.customer_sum, (unsigned long long)l.errors,
		(unsigned long long)l.wrong);
	printf("\"latency_us\":{\"p50\":%.1f,\"p99\":%.1f,\"p99_9\":%.1f}",
		(double)histogram_percentile(l.latency, 50) / 1e3,
		(double)histogram_percentile(l.latency, 99) / 1e3,
		(double)histogram_percentile(l.latency, 99.9) / 1e3);
	cpu_print("client", &client_before, &client_after, l.operations);
	if (known)
		cpu_print("server", &before, &after, l.operations);
	printf("}\n");
	for (i = 0; i < n; i++)
		connection_close(&connections[i]);
	free(connections);
	histogram_free(l.latency);
	(void)close(l.epoll);
	if (l.errors > 0 || l.wrong > 0) {
		fprintf(stderr, "bench-peers: %llu errors (%s), %llu wrong answers\n",
			(unsigned long long)l.errors, l.said, (unsigned long long)l.wrong);
		return 1;
	}
	return 0;
}
