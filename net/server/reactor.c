/*
 * reactor.c: the loop around io_uring.
 *
 * Happy path of a round: take completions (new connections, bytes received, bytes sent), let sessions use
 * the bytes, hand the engine's replies to their sessions, publish the commands submitted, start sends;
 * then enter the kernel once, to submit and to wait. Where threads are shared, the engine's part (lf_poll()) includes
 * the projectors' work, so that the commands of a round are answered in it.
 *
 * Memory belongs to the kernel until its completion: a provided buffer is given back only after the
 * session has used (or copied) its bytes; `sent` is not touched while a send is under way; a
 * connection is freed only when no operation of it is left and the engine has answered all its
 * commands. Closing is done by shutdown(), which ends the operations. A connection that we close lingers
 * first: the client may still be writing, and would learn nothing of our last answer from a socket that is
 * gone.
 *
 * Failures: a connection that fails is closed and forgotten; running out of memory closes the
 * connection that needed it; a failure of the ring itself is logged and ends the process.
 */
#include "net/server/reactor.h"

#include <errno.h>
#include <liburing.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "net/server/connection.h"

enum {
	SPIN_LOOKS = 16, /* between two looks at the clock */
	RING_ENTRIES = 1024,
	RING_COMPLETIONS = 8192,
	BUFFER_GROUP = 1,
	TICK_US = 100000,          /* time-outs are looked at so often */
	ACCEPT_TELL_US = 60000000, /* a failing accept is logged at most so often */
	BUFFER_KEEP = 1 << 20,     /* larger buffers are freed when empty */
	YIELDED_MAX =
		1 << 20 /* input of a connection that has had its share: beyond, it is not read */
};

/* The low bits of user data; connections are aligned to 64. */
enum operation { OP_ACCEPT, OP_WAKE, OP_SHARDS, OP_RECEIVE, OP_SEND, OP_CANCEL, OP_MASK = 7 };

/* Connections dealt out to a reactor by reactor 0. */
struct handover {
	int fd;
	struct handover *next;
};

struct reactor {
	struct server *server;
	unsigned number;
	struct io_uring ring;
	bool ring_ready;
	struct io_uring_buf_ring *buffers;
	unsigned char *memory; /* of the provided buffers */
	unsigned buffers_given;
	int wake_fd;
	uint64_t wake_value;
	bool accepting, stop_seen;
	bool again; /* a connection has yielded: do not wait before the next round */
	uint64_t round, stop_us;
	unsigned next_reactor;
	struct connection *connections;
	unsigned count;
	struct connection *listed;
	struct session_host host;
	uint64_t now_us, tick_us;
	uint64_t accept_told_us; /* when a failed accept was last logged; 0: never */
	_Atomic(struct handover *) handed;
};

/* --- submission --- */

static struct io_uring_sqe *sqe_get(struct reactor *r)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);

	if (sqe == NULL) {
		(void)io_uring_submit(&r->ring);
		sqe = io_uring_get_sqe(&r->ring);
	}
	ASSERT(sqe != NULL);
	return sqe;
}

static void sqe_tag(struct io_uring_sqe *sqe, struct connection *c, enum operation op)
{
	io_uring_sqe_set_data64(sqe, (uint64_t)(uintptr_t)c | op);
}

static void arm_accept(struct reactor *r)
{
	struct io_uring_sqe *sqe = sqe_get(r);

	io_uring_prep_multishot_accept(sqe, r->server->listener, NULL, NULL, SOCK_CLOEXEC);
	sqe_tag(sqe, NULL, OP_ACCEPT);
	r->accepting = true;
}

static void arm_wake(struct reactor *r)
{
	struct io_uring_sqe *sqe = sqe_get(r);

	io_uring_prep_read(sqe, r->wake_fd, &r->wake_value, sizeof(r->wake_value), 0);
	sqe_tag(sqe, NULL, OP_WAKE);
}

/* Without reading it: every write to an eventfd is an event. */
static void arm_shards(struct reactor *r)
{
	struct io_uring_sqe *sqe = sqe_get(r);

	io_uring_prep_poll_multishot(sqe, lf_port_event(r->host.port), POLLIN);
	sqe_tag(sqe, NULL, OP_SHARDS);
}

static void arm_receive(struct reactor *r, struct connection *c)
{
	struct io_uring_sqe *sqe = sqe_get(r);

	io_uring_prep_recv_multishot(sqe, c->fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUFFER_GROUP;
	sqe_tag(sqe, c, OP_RECEIVE);
	c->receiving = true;
	c->ops++;
}

/* Stop reading: back-pressure. What the kernel has read already still arrives. */
static void cancel_receive(struct reactor *r, struct connection *c)
{
	struct io_uring_sqe *sqe = sqe_get(r);

	io_uring_prep_cancel64(sqe, (uint64_t)(uintptr_t)c | OP_RECEIVE, 0);
	sqe_tag(sqe, c, OP_CANCEL);
	c->canceling = true;
	c->ops++;
}

static void arm_send(struct reactor *r, struct connection *c)
{
	struct io_uring_sqe *sqe = sqe_get(r);
	size_t n = buffer_length(&c->sent);

	io_uring_prep_send(sqe, c->fd, c->sent.data + c->sent.head, n > INT32_MAX ? INT32_MAX : n,
		MSG_NOSIGNAL);
	sqe_tag(sqe, c, OP_SEND);
	c->sending = true;
	c->ops++;
}

/* --- connections --- */

void connection_list(struct connection *c)
{
	if (c->listed)
		return;
	c->listed = true;
	c->next_listed = c->reactor->listed;
	c->reactor->listed = c;
}

static void connection_kill(struct connection *c)
{
	if (c->dead)
		return;
	c->dead = true;
	session_hold_end(c->session);
	(void)shutdown(c->fd, SHUT_RDWR);
	connection_list(c);
}

static void connection_open(struct reactor *r, int fd)
{
	struct connection *c = aligned_alloc(64, (sizeof(*c) + 63) / 64 * 64);
	int one = 1;

	if (c == NULL) {
		close(fd);
		atomic_fetch_sub(&r->server->connections, 1);
		return;
	}
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	c->reactor = r;
	c->opened_us = c->last_in_us = c->last_out_us = r->now_us;
	c->session = session_new(&r->host, c);
	if (c->session == NULL) {
		close(fd);
		free(c);
		atomic_fetch_sub(&r->server->connections, 1);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->next = r->connections;
	if (c->next != NULL)
		c->next->prev = c;
	r->connections = c;
	r->count++;
	if (atomic_load(&r->server->connections) > r->server->options.connections_max)
		session_fail(c->session, ERR_TOO_MANY_CONNECTIONS, "too many connections");
	arm_receive(r, c);
}

static bool connection_free(struct reactor *r, struct connection *c)
{
	if (c->ops > 0 || c->listed || !session_free(c->session))
		return false;
	close(c->fd);
	if (c->next != NULL)
		c->next->prev = c->prev;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		r->connections = c->next;
	r->count--;
	if (!c->lingering)
		atomic_fetch_sub(&r->server->connections, 1);
	buffer_free(&c->in);
	buffer_free(&c->out);
	buffer_free(&c->sent);
	free(c);
	return true;
}

/* Give the session n bytes; returns those it used. */
static size_t connection_use(struct connection *c, const unsigned char *p, size_t n)
{
	if (c->round != c->reactor->round) {
		c->round = c->reactor->round;
		c->budget = ROUND_BYTES;
	}
	connection_list(c);
	return session_input(c->session, p, n);
}

static void buffer_trim(struct buffer *b)
{
	if (buffer_length(b) == 0 && b->cap > BUFFER_KEEP)
		buffer_free(b);
}

/* Let the session use what is in `in`. */
static void connection_input(struct connection *c)
{
	size_t n = buffer_length(&c->in);

	if (c->dead || c->closing || n == 0)
		return;
	buffer_consume(&c->in, connection_use(c, c->in.data + c->in.head, n));
	buffer_trim(&c->in);
}

static bool connection_keep(struct connection *c, const unsigned char *p, size_t n)
{
	unsigned char *room = buffer_room(&c->in, n);

	if (room == NULL) {
		connection_kill(c);
		return false;
	}
	memcpy(room, p, n);
	c->in.used += n;
	return true;
}

static void connection_received(struct connection *c, const unsigned char *p, size_t n)
{
	if (c->dead || c->closing)
		return;
	c->last_in_us = c->reactor->now_us;
	if (buffer_length(&c->in) == 0 && !c->blocked && !c->yielded) {
		size_t used = connection_use(c, p, n);

		if (used < n)
			(void)connection_keep(c, p + used, n - used);
		return;
	}
	if (connection_keep(c, p, n) && !c->blocked && !c->yielded)
		connection_input(c);
}

/* The last answer is sent. */
static void connection_finish(struct reactor *r, struct connection *c)
{
	if (c->ended || r->stop_seen || (c->lingering && r->now_us >= c->linger_until_us)) {
		connection_kill(c);
		return;
	}
	if (!c->lingering) {
		(void)shutdown(c->fd, SHUT_WR);
		c->lingering = true;
		c->linger_until_us = r->now_us + LINGER_SECONDS * 1000000ull;
		atomic_fetch_sub(&r->server->connections, 1);
	}
	if (!c->receiving && !c->canceling)
		arm_receive(r, c);
}

/* End of a round: close, send, read again or not. */
static void connection_settle(struct reactor *r, struct connection *c)
{
	bool full;

	/* What has yielded in this round goes on in the next. */
	if (!c->dead && (c->blocked || (c->yielded && c->round != r->round))) {
		c->blocked = c->yielded = false;
		connection_input(c);
	}
	if (c->dead) {
		c->listed = false;
		(void)connection_free(r, c);
		return;
	}
	if (session_streams(c->session))
		session_streams_pump(c->session);
	if (!c->sending && buffer_length(&c->out) > 0) {
		struct buffer b = c->sent;

		c->sent = c->out;
		c->out = b;
		c->batch_open = false;
		buffer_trim(&c->out);
		c->last_out_us = r->now_us;
		arm_send(r, c);
	}
	if (c->ended && !c->blocked && !c->yielded)
		c->closing = true;
	/* Nobody is there to end it. */
	if (c->closing)
		session_hold_end(c->session);
	if (c->closing && !c->sending && session_quiet(c->session)) {
		c->listed = false;
		connection_finish(r, c);
		return;
	}
	full = c->blocked || (c->yielded && buffer_length(&c->in) > YIELDED_MAX);
	if (!c->closing && !c->ended && !c->receiving && !c->canceling && !full)
		arm_receive(r, c);
	else if (full && c->receiving && !c->canceling)
		cancel_receive(r, c);
	r->again |= c->yielded;
	c->listed = false;
}

/* Blocked connections stay listed: the next round tries again, which the engine's replies, a finished send
 * or the tick bring about. So do those that have yielded; for them the next round begins at once. */
static void settle(struct reactor *r)
{
	struct connection *again = NULL;

	/* connection_kill() may list a connection again while we walk. */
	while (r->listed != NULL) {
		struct connection *c = r->listed;
		bool was_dead = c->dead;

		r->listed = c->next_listed;
		connection_settle(r, c);
		if (!was_dead && !c->listed && (c->blocked || c->yielded)) {
			c->listed = true;
			c->next_listed = again;
			again = c;
		}
	}
	r->listed = again;
}

/* --- completions --- */

static void buffer_give_back(struct reactor *r, unsigned id)
{
	io_uring_buf_ring_add(r->buffers, r->memory + (size_t)id * DEFAULT_RECV_BUFFER_BYTES,
		DEFAULT_RECV_BUFFER_BYTES, (unsigned short)id,
		io_uring_buf_ring_mask(DEFAULT_RECV_BUFFERS), (int)r->buffers_given++);
}

static void buffers_publish(struct reactor *r)
{
	if (r->buffers_given > 0)
		io_uring_buf_ring_advance(r->buffers, (int)r->buffers_given);
	r->buffers_given = 0;
}

static void on_receive(struct reactor *r, struct connection *c, int res, unsigned flags)
{
	if (flags & IORING_CQE_F_BUFFER) {
		unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;

		if (res > 0)
			connection_received(
				c, r->memory + (size_t)id * DEFAULT_RECV_BUFFER_BYTES, (size_t)res);
		buffer_give_back(r, id);
	}
	if (flags & IORING_CQE_F_MORE)
		return;
	c->ops--;
	c->receiving = false;
	/* Out of buffers or cancelled: armed again when the connection is settled. The end: the client
	 * may have closed its sending side only and still wants its answers. */
	if (res == 0) {
		c->ended = true;
	} else if (res < 0 && res != -ENOBUFS && res != -ECANCELED && res != -EAGAIN &&
		res != -EINTR) {
		connection_kill(c);
	}
	connection_list(c);
}

static void on_send(struct connection *c, int res)
{
	c->ops--;
	c->sending = false;
	if (res < 0 && res != -EAGAIN && res != -EINTR) {
		connection_kill(c);
		return;
	}
	if (res > 0) {
		buffer_consume(&c->sent, (size_t)res);
		buffer_trim(&c->sent);
		c->last_out_us = c->reactor->now_us;
	}
	if (!c->dead && buffer_length(&c->sent) > 0)
		arm_send(c->reactor, c);
	connection_list(c);
}

static void deal(struct reactor *r, int fd)
{
	struct server *server = r->server;
	struct reactor *to = server->reactors[r->next_reactor++ % server->options.reactors];
	struct handover *h;

	atomic_fetch_add(&server->connections, 1);
	if (to == r) {
		connection_open(r, fd);
		return;
	}
	h = malloc(sizeof(*h));
	if (h == NULL) {
		connection_open(r, fd);
		return;
	}
	h->fd = fd;
	h->next = atomic_load_explicit(&to->handed, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(
		&to->handed, &h->next, h, memory_order_release, memory_order_relaxed))
		;
	reactor_wake(to);
}

static void take_handed(struct reactor *r)
{
	struct handover *h = atomic_exchange_explicit(&r->handed, NULL, memory_order_acquire);

	while (h != NULL) {
		struct handover *next = h->next;

		connection_open(r, h->fd);
		free(h);
		h = next;
	}
}

static void on_accept(struct reactor *r, int res, unsigned flags)
{
	if (res >= 0) {
		if (atomic_load(&r->server->stopping))
			close(res);
		else
			deal(r, res);
	} else if (res != -ECANCELED && res != -ECONNABORTED &&
		(r->accept_told_us == 0 || r->now_us - r->accept_told_us > ACCEPT_TELL_US)) {
		log_warn("accept: %s", strerror(-res));
		r->accept_told_us = r->now_us;
	}
	if (!(flags & IORING_CQE_F_MORE))
		r->accepting = false;
	/* After an error (no descriptors, no memory) again with the next tick: it would fail at once. */
	if (res >= 0 && !r->accepting && !atomic_load(&r->server->stopping))
		arm_accept(r);
}

static void on_completion(struct reactor *r, const struct io_uring_cqe *cqe)
{
	struct connection *c = (struct connection *)(uintptr_t)(cqe->user_data &
		~(uint64_t)OP_MASK);

	switch ((enum operation)(cqe->user_data & OP_MASK)) {
	case OP_ACCEPT: on_accept(r, cqe->res, cqe->flags); break;
	case OP_WAKE: arm_wake(r); break;
	case OP_SHARDS:
		if (!(cqe->flags & IORING_CQE_F_MORE))
			arm_shards(r);
		break;
	case OP_RECEIVE: on_receive(r, c, cqe->res, cqe->flags); break;
	case OP_SEND: on_send(c, cqe->res); break;
	case OP_CANCEL:
		if (c == NULL)
			break;
		c->ops--;
		c->canceling = false;
		connection_list(c);
		break;
	default: UNREACHABLE();
	}
}

static void completions(struct reactor *r)
{
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;

	io_uring_for_each_cqe(&r->ring, head, cqe)
	{
		on_completion(r, cqe);
		n++;
	}
	io_uring_cq_advance(&r->ring, n);
	buffers_publish(r);
}

/* --- time --- */

/* A send is complete only when a good part of the socket's buffer is free; a slow client may need longer for that
 * than the time-out. It takes bytes as long as the kernel has fewer and fewer of them. */
static bool takes_no_bytes(struct reactor *r, struct connection *c)
{
	int held;

	if (ioctl(c->fd, SIOCOUTQ, &held) == 0) {
		if (held < c->held)
			c->last_out_us = r->now_us;
		c->held = held;
	}
	return r->now_us - c->last_out_us > r->server->options.slow_s * 1000000ull;
}

static void time_outs(struct reactor *r)
{
	const struct server_options *o = &r->server->options;
	struct connection *next;

	if (r->now_us - r->tick_us < TICK_US)
		return;
	r->tick_us = r->now_us;
	if (r->number == 0 && !r->accepting && !r->stop_seen)
		arm_accept(r);
	for (struct connection *c = r->connections; c != NULL; c = next) {
		bool waits = c->sending || buffer_length(&c->out) > 0;

		next = c->next;
		session_hold_look(c->session, r->now_us);
		if (c->dead) {
			connection_list(c);
		} else if (o->slow_s > 0 && c->sending && takes_no_bytes(r, c)) {
			log_info("closing a connection that takes no bytes");
			connection_kill(c);
		} else if (c->closing) {
			connection_list(c);
		} else if (!session_greeted(c->session)) {
			if (o->hello_s > 0 && r->now_us - c->opened_us > o->hello_s * 1000000ull)
				session_fail(c->session, ERR_IDLE_TIMEOUT,
					"no hello within the time allowed");
		} else if (o->idle_s > 0 && session_quiet(c->session) &&
			!session_subscribed(c->session) && !session_streams(c->session) &&
			!c->blocked && !waits &&
			r->now_us - c->last_in_us > o->idle_s * 1000000ull) {
			session_fail(c->session, ERR_IDLE_TIMEOUT, "closed after being idle");
		}
	}
}

static void stop_begin(struct reactor *r)
{
	struct connection *next;

	if (!r->stop_seen && r->accepting) {
		struct io_uring_sqe *sqe = sqe_get(r);

		io_uring_prep_cancel64(sqe, OP_ACCEPT, 0);
		sqe_tag(sqe, NULL, OP_CANCEL);
	}
	if (!r->stop_seen)
		r->stop_us = r->now_us;
	r->stop_seen = true;
	take_handed(r);
	for (struct connection *c = r->connections; c != NULL; c = next) {
		next = c->next;
		if (r->now_us - r->stop_us > DRAIN_SECONDS * 1000000ull)
			connection_kill(c);
		else if (!c->closing && !c->dead)
			session_fail(c->session, ERR_SHUTDOWN, NULL);
	}
}

/* Whether the kernel has something for us, told or yet to be told by entering it. */
static bool ring_has_work(struct reactor *r)
{
	return io_uring_cq_ready(&r->ring) > 0 ||
		(__atomic_load_n(r->ring.sq.kflags, __ATOMIC_RELAXED) & IORING_SQ_TASKRUN) != 0;
}

/* Look for work without sleeping, since to be woken takes longer than most of it. False: there was none for spin_us. */
static bool spin(struct reactor *r)
{
	uint64_t end = clock_now_us() + r->server->options.spin_us;

	(void)io_uring_submit_and_get_events(&r->ring);
	do {
		for (unsigned i = 0; i < SPIN_LOOKS; i++) {
			if (ring_has_work(r) || lf_port_look(r->host.port))
				return true;
			__builtin_ia32_pause();
		}
		/* Who else wants this processor has it first: a client, or the kernel's own work for us. */
		(void)sched_yield();
	} while (clock_now_us() < end);
	return false;
}

/* Wait for work: one entry into the kernel, which also submits. */
static void enter(struct reactor *r, uint64_t timeout_us)
{
	struct io_uring_cqe *cqe;
	int res;

	if (!r->again && r->server->options.spin_us > 0 && spin(r))
		r->again = true;
	if (!r->again && lf_port_sleep(r->host.port, &timeout_us)) {
		struct __kernel_timespec t = { .tv_sec = (int64_t)(timeout_us / 1000000),
			.tv_nsec = (long long)(timeout_us % 1000000) * 1000 };

		res = io_uring_submit_and_wait_timeout(&r->ring, &cqe, 1, &t, NULL);
		lf_port_awake(r->host.port);
	} else {
		res = io_uring_submit_and_get_events(&r->ring);
	}
	if (res < 0 && res != -ETIME && res != -EINTR && res != -EAGAIN && res != -EBUSY) {
		log_error("io_uring_enter: %s", strerror(-res));
		abort();
	}
}

/* Take over this reactor's part of the shards. One that cannot be had keeps its own thread. */
static void adopt_shards(struct reactor *r)
{
	const struct server_options *o = &r->server->options;
	struct error e;

	for (unsigned s = r->number; o->shared && s < o->shards; s += o->reactors)
		if (lf_port_adopt(r->host.port, s, &e) != 0)
			log_warn("projector %u keeps a thread of its own: %s", s, e.message);
	if (lf_port_event(r->host.port) >= 0)
		arm_shards(r);
}

void reactor_run(struct reactor *r)
{
	/* liburing 2.3 does not export io_uring_enable_rings(). */
	int res = (int)syscall(SYS_io_uring_register, r->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS,
			  NULL, 0) < 0
		? -errno
		: 0;

	if (res < 0) {
		log_error("io_uring_enable_rings: %s", strerror(-res));
		abort();
	}
	adopt_shards(r);
	arm_wake(r);
	if (r->number == 0)
		arm_accept(r);
	for (;;) {
		uint64_t timeout = TICK_US, next;

		r->now_us = clock_now_us();
		r->round++;
		r->again = false;
		completions(r);
		take_handed(r);
		(void)lf_poll(r->host.port, session_reply, &r->host);
		if (lf_port_streams(r->host.port))
			session_streams_ready(&r->host);
		next = session_waiting(&r->host, r->now_us);
		if (next < timeout)
			timeout = next;
		time_outs(r);
		r->again |= session_feeds(&r->host, r->now_us, &timeout);
		if (atomic_load_explicit(&r->server->stopping, memory_order_acquire)) {
			stop_begin(r);
			settle(r);
			if (r->count == 0)
				break;
		}
		settle(r);
		lf_flush(r->host.port);
		enter(r, timeout);
	}
	lf_port_let_go(r->host.port);
}

void reactor_wake(void *reactor)
{
	struct reactor *r = reactor;
	uint64_t one = 1;
	ssize_t n = write(r->wake_fd, &one, sizeof(one));

	(void)n; /* full: it is awake */
}

/* --- making and freeing --- */

static int ring_open(struct reactor *r, struct error *e)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL |
			IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE,
		.cq_entries = RING_COMPLETIONS,
	};
	struct io_uring_buf_reg reg = { .ring_entries = DEFAULT_RECV_BUFFERS,
		.bgid = BUFFER_GROUP };
	size_t ring_bytes = DEFAULT_RECV_BUFFERS * sizeof(struct io_uring_buf);
	size_t bytes = (size_t)DEFAULT_RECV_BUFFERS * DEFAULT_RECV_BUFFER_BYTES;
	int res = io_uring_queue_init_params(RING_ENTRIES, &r->ring, &p);

	if (res < 0)
		return error_set(e, ERR_IO, 0, "io_uring_setup: %s", strerror(-res));
	r->ring_ready = true;
	r->buffers = mmap(
		NULL, ring_bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	r->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	if (r->buffers == MAP_FAILED || r->memory == MAP_FAILED)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, "no memory for receive buffers");
	io_uring_buf_ring_init(r->buffers);
	reg.ring_addr = (uint64_t)(uintptr_t)r->buffers;
	res = io_uring_register_buf_ring(&r->ring, &reg, 0);
	if (res < 0)
		return error_set(e, ERR_IO, 0, "io_uring_register_buf_ring: %s", strerror(-res));
	for (unsigned i = 0; i < DEFAULT_RECV_BUFFERS; i++)
		buffer_give_back(r, i);
	buffers_publish(r);
	return 0;
}

int reactor_new(struct reactor **out, struct server *server, unsigned number, struct error *e)
{
	struct reactor *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	r->server = server;
	r->number = number;
	r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->host.server = server;
	r->host.engine = server->engine;
	r->host.reactor = r;
	arena_init(&r->host.scratch, NULL);
	if (r->wake_fd < 0) {
		error_set(e, ERR_IO, 0, "eventfd: %s", strerror(errno));
		reactor_free(r);
		return -1;
	}
	if (ring_open(r, e) != 0 ||
		lf_port_open(&r->host.port, server->engine, reactor_wake, r, e) != 0) {
		reactor_free(r);
		return -1;
	}
	*out = r;
	return 0;
}

void reactor_free(struct reactor *r)
{
	struct handover *h;

	if (r == NULL)
		return;
	/* Dealt out after its last round. */
	h = atomic_load(&r->handed);
	while (h != NULL) {
		struct handover *next = h->next;

		close(h->fd);
		free(h);
		h = next;
	}
	if (r->host.port != NULL)
		lf_port_close(r->host.port);
	if (r->ring_ready)
		io_uring_queue_exit(&r->ring);
	if (r->buffers != NULL && r->buffers != MAP_FAILED)
		munmap(r->buffers, DEFAULT_RECV_BUFFERS * sizeof(struct io_uring_buf));
	if (r->memory != NULL && (void *)r->memory != MAP_FAILED)
		munmap(r->memory, (size_t)DEFAULT_RECV_BUFFERS * DEFAULT_RECV_BUFFER_BYTES);
	if (r->wake_fd >= 0)
		close(r->wake_fd);
	session_host_free(&r->host);
	free(r);
}
