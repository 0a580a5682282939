/*
 * load.c: one thread, an epoll loop over the connections. A round of a connection reads what is there, notes
 * the answers, sends as many requests as were answered, and writes them at once: two system calls, however
 * many answers. Nothing is allocated after the start: every frame that can be under way has its `struct
 * frame`, and parameters are set in the connection's one row.
 *
 * With --rate requests are sent at fixed intervals, whether or not earlier ones were answered.
 *
 * The clock is read once when a round's first answer is handled and once before its requests are
 * written, so a latency includes the time in which this thread had not looked at the socket yet.
 */
#include "bench/load/load.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)

enum { EVENTS_MAX = 256, TICK_MS = 20, STALL_SECONDS = 60, WINDOW = 8, OWN_DESCRIPTORS = 64 };

struct frame {
	struct connection *connection;
	unsigned op;    /* its index in the workload's list */
	bool query;     /* what the server says of it */
	uint64_t start; /* ns */
	uint64_t first; /* its first request */
	uint32_t n;
	uint64_t *notes; /* of the workload, one an execution */
};

struct prepared {
	struct lf_statement *statement;
	struct lf_params *params;
	bool query;
};

struct connection {
	struct load *load;
	struct lf_client *client;
	struct prepared *prepared; /* one an operation */
	struct frame *frames, **idle;
	uint64_t *notes;
	unsigned nidle;
	bool blocked; /* waits for the socket to take output */
};

enum phase { PHASE_WARM_UP, PHASE_MEASURE, PHASE_DRAIN };

struct load {
	const struct options *o;
	const struct workload *w;
	void *state;
	pid_t server_pid;
	struct load_result *result;
	struct connection *connections;
	unsigned frames; /* a connection */
	struct random random;
	double *upto; /* of each operation: its weight and those of all before it */
	int epoll;

	enum phase phase;
	bool sending;
	uint64_t begin, until; /* of the phase */
	uint64_t inflight;     /* executions of all connections */
	uint64_t to_send;      /* still; with --requests */
	double interval;       /* ns between requests; 0: a closed loop */
	double next_due;       /* when the next request is to be sent */
	unsigned next_connection;
	uint64_t answered; /* ever */
	uint64_t now;      /* of this round's answers; 0: not read yet */
	uint64_t progress_at, progress_answered, last_answer;
	struct cpu_usage server_before, client_before;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static int fail(struct lf_client_error *e, const char *sqlstate, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(struct lf_client_error *e, const char *sqlstate, const char *fmt, ...)
{
	va_list args;

	memset(e, 0, sizeof(*e));
	(void)snprintf(e->sqlstate, sizeof(e->sqlstate), "%s", sqlstate);
	va_start(args, fmt);
	(void)vsnprintf(e->message, sizeof(e->message), fmt, args);
	va_end(args);
	return -1;
}

/* --- answers --- */

static void note_error(struct load *l, const struct lf_client_error *e, uint64_t n)
{
	if (l->result->errors == 0)
		l->result->error = *e;
	l->result->errors += n;
}

static void frame_done(struct frame *f, uint64_t epoch)
{
	struct connection *c = f->connection;
	struct load *l = c->load;

	if (l->now == 0)
		l->now = now_ns();
	l->inflight -= f->n;
	l->answered += f->n;
	if (epoch > l->result->epoch)
		l->result->epoch = epoch;
	if (l->phase == PHASE_MEASURE) {
		l->result->operations += f->n;
		histogram_record(l->result->latency[f->op], l->now - f->start, f->n);
	}
	c->idle[c->nidle++] = f;
}

/* Whether n executions of a command changed as many rows as they should; what is merely accepted does not tell. */
static bool changes_are(const struct load *l, const struct operation *op, uint64_t rows, uint64_t n)
{
	return l->o->ack == LF_ACK_ACCEPTED || op->changes == CHANGES_ANY ||
		rows == op->changes * n;
}

static void check_answer(struct frame *f, uint64_t request, const struct lf_result *r)
{
	struct load *l = f->connection->load;
	const struct operation *op = &l->w->operations[f->op];
	const struct lf_client_error *e = lf_result_error(r);

	if (e != NULL)
		note_error(l, e, 1);
	else if (!f->query)
		l->result->wrong += !changes_are(l, op, lf_result_count(r), 1);
	else if (op->check != NULL)
		l->result->wrong += !op->check(l->state, f->notes[request - f->first], r);
}

static void on_single(void *arg, uint64_t request, const struct lf_result *r)
{
	struct frame *f = arg;

	f->first = request;
	check_answer(f, request, r);
	frame_done(f, lf_result_epoch(r));
}

static void on_query_of_batch(void *arg, uint64_t request, const struct lf_result *r)
{
	check_answer(arg, request, r);
}

static void on_batch(void *arg, const struct lf_client_batch *b)
{
	struct frame *f = arg;
	struct load *l = f->connection->load;

	if (!f->query) {
		if (b->failed > 0 && b->error != NULL)
			note_error(l, b->error, b->failed);
		else
			l->result->wrong += !changes_are(
				l, &l->w->operations[f->op], b->count, b->n);
	}
	frame_done(f, b->epoch);
}

static void on_late_error(void *arg, uint64_t request, const struct lf_client_error *e)
{
	(void)request;
	note_error(arg, e, 1);
}

/* --- sending --- */

static unsigned draw_operation(struct load *l)
{
	unsigned last = l->w->noperations - 1, op = 0;
	double x;

	/* The one that is always drawn costs nothing. */
	if (last == 0)
		return 0;
	x = (double)(random_next(&l->random) >> 11) * 0x1p-53 * l->upto[last];
	while (op < last && x >= l->upto[op])
		op++;
	return op;
}

/* 0, LF_WOULD_BLOCK: nothing was sent; -1. */
static int frame_send(struct connection *c, struct frame *f, unsigned n, struct lf_client_error *e)
{
	struct load *l = c->load;
	struct lf_client_call how = { .ack = l->o->ack };
	unsigned index = draw_operation(l);
	const struct operation *op = &l->w->operations[index];
	const struct prepared *p = &c->prepared[index];
	int status;

	f->op = index;
	f->query = p->query;
	if (l->o->batch == 1) {
		f->notes[0] = op->fill(l->state, index, p->params);
		status = lf_client_send(
			c->client, p->statement, p->params, &how, on_single, f, NULL, e);
	} else {
		status = lf_client_batch_begin(c->client, p->statement, &how,
			p->query ? on_query_of_batch : NULL, on_batch, f, e);
		for (unsigned i = 0; status == 0 && i < n; i++) {
			f->notes[i] = op->fill(l->state, index, p->params);
			status = lf_client_batch_add(c->client, p->params, e);
		}
		if (status == 0)
			status = lf_client_batch_end(c->client, &f->first, e);
	}
	f->n = n;
	return status;
}

static int watch(struct connection *c, bool blocked, struct lf_client_error *e)
{
	struct epoll_event event = { .events = blocked ? EPOLLIN | EPOLLOUT : EPOLLIN,
		.data.ptr = c };

	if (blocked == c->blocked)
		return 0;
	c->blocked = blocked;
	if (epoll_ctl(c->load->epoll, EPOLL_CTL_MOD, lf_client_fd(c->client), &event) != 0)
		return fail(e, "58000", "epoll_ctl: %m");
	return 0;
}

/* Put what may be sent into the client's output. The sizes of its queues are chosen so that sending never would
 * block (connection_open()): a parameter row that was filled has been counted by its workload. */
static int connection_put(
	struct connection *c, uint64_t start, unsigned most, struct lf_client_error *e)
{
	struct load *l = c->load;
	bool limited = l->o->requests > 0 && l->phase == PHASE_MEASURE;
	int status;

	while (l->sending && c->nidle > 0 && (!limited || l->to_send > 0) && most-- > 0) {
		struct frame *f = c->idle[c->nidle - 1];
		unsigned n = l->o->batch;

		if (limited && l->to_send < n)
			n = (unsigned)l->to_send;
		status = frame_send(c, f, n, e);
		if (status != 0)
			return status < 0 ? -1 : fail(e, "54000", "the client's queue is full");
		c->nidle--;
		f->start = start;
		l->inflight += n;
		l->to_send -= limited ? n : 0;
	}
	return 0;
}

static int connection_write(struct connection *c, struct lf_client_error *e)
{
	int status = lf_client_flush(c->client, e);

	return status < 0 ? -1 : watch(c, status == LF_WOULD_BLOCK, e);
}

static int connection_fill(struct connection *c, struct lf_client_error *e)
{
	if (c->load->interval == 0 && connection_put(c, now_ns(), UINT_MAX, e) != 0)
		return -1;
	return connection_write(c, e);
}

/* Send what is due to the next connection, and what that has no place for to those after it; what none has a place for goes
 * as soon as there is one. A latency counts from when the request was due. One write for all that is due at once: one for
 * each, on a connection of its own, would be more work for both ends than a fast server has with the requests. */
static int send_due(struct load *l, struct lf_client_error *e)
{
	double now = (double)now_ns();

	for (unsigned i = 0; l->sending && l->next_due <= now && i < l->o->connections; i++) {
		struct connection *c = &l->connections[l->next_connection];

		l->next_connection = (l->next_connection + 1) % l->o->connections;
		while (c->nidle > 0 && l->next_due <= now) {
			if (connection_put(c, (uint64_t)l->next_due, 1, e) != 0)
				return -1;
			l->next_due += l->interval;
		}
		if (connection_write(c, e) != 0)
			return -1;
	}
	return 0;
}

/* --- connections --- */

static int prepare(struct prepared *p, struct lf_client *client, const struct operation *op,
	struct lf_client_error *e)
{
	if (lf_client_prepare(&p->statement, client, op->text, SIZE_MAX, NULL, 0, e) != 0)
		return -1;
	p->query = lf_statement_kind(p->statement) == LF_STATEMENT_QUERY;
	p->params = lf_params_new(p->statement);
	return p->params != NULL ? 0 : fail(e, "53200", "out of memory");
}

static int connection_open(
	struct connection *c, struct load *l, const char *address, struct lf_client_error *e)
{
	struct lf_client_options o = lf_client_options_default();
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

	c->load = l;
	o.address = address;
	/* Answers of different shards come in any order, so the window of numbers is wider than what is
	 * under way; small, to stay in the cache. */
	o.inflight_max = WINDOW * (l->o->depth < 64 ? 64 : l->o->depth);
	o.output_max = SIZE_MAX / 4;
	if (lf_client_open(&c->client, &o, e) != 0)
		return -1;
	lf_client_on_error(c->client, on_late_error, l);
	c->prepared = calloc(l->w->noperations, sizeof(*c->prepared));
	c->frames = calloc(l->frames, sizeof(*c->frames));
	c->idle = calloc(l->frames, sizeof(*c->idle));
	c->notes = calloc((size_t)l->frames * l->o->batch, sizeof(*c->notes));
	if (c->prepared == NULL || c->frames == NULL || c->idle == NULL || c->notes == NULL)
		return fail(e, "53200", "out of memory");
	for (unsigned i = 0; i < l->w->noperations; i++)
		if (prepare(&c->prepared[i], c->client, &l->w->operations[i], e) != 0)
			return -1;
	for (unsigned i = 0; i < l->frames; i++) {
		struct frame *f = &c->frames[l->frames - 1 - i];

		f->connection = c;
		f->notes = c->notes + (size_t)i * l->o->batch;
		c->idle[c->nidle++] = f;
	}
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, lf_client_fd(c->client), &event) != 0)
		return fail(e, "58000", "epoll_ctl: %m");
	return 0;
}

static void connection_close(struct connection *c)
{
	for (unsigned i = 0; c->prepared != NULL && i < c->load->w->noperations; i++)
		lf_params_free(c->prepared[i].params);
	lf_client_close(c->client);
	free(c->prepared);
	free(c->frames);
	free(c->idle);
	free(c->notes);
}

/* --- phases --- */

static int fill_all(struct load *l, struct lf_client_error *e)
{
	l->next_due = (double)now_ns();
	for (unsigned i = 0; i < l->o->connections; i++)
		if (connection_fill(&l->connections[i], e) != 0)
			return -1;
	return 0;
}

/* To a perf record that waits at a FIFO (its command `enable` or `disable`), if one does. */
static int perf_tell(const struct options *o, const char *command, struct lf_client_error *e)
{
	FILE *f;
	bool told;

	if (o->perf_control == NULL)
		return 0;
	f = fopen(o->perf_control, "we");
	told = f != NULL && fputs(command, f) >= 0;
	if (f != NULL)
		told &= fclose(f) == 0;
	return told ? 0 : fail(e, "58030", "--perf-control: %s: %m", o->perf_control);
}

static int measure_begin(struct load *l, uint64_t now, struct lf_client_error *e)
{
	l->phase = PHASE_MEASURE;
	l->begin = now;
	l->until = now + (uint64_t)(l->o->seconds * 1e9);
	l->sending = true;
	l->to_send = l->o->requests;
	l->result->server_known = l->server_pid > 0 &&
		cpu_usage_read(&l->server_before, l->server_pid);
	(void)cpu_usage_read(&l->client_before, getpid());
	if (perf_tell(l->o, "enable\n", e) != 0)
		return -1;
	return fill_all(l, e);
}

static int measure_end(struct load *l, uint64_t now, struct lf_client_error *e)
{
	struct load_result *r = l->result;

	l->phase = PHASE_DRAIN;
	l->sending = false;
	if (l->interval > 0 && l->o->requests == 0 && (double)now > l->next_due)
		r->unsent = (uint64_t)(((double)now - l->next_due) / l->interval) * l->o->batch;
	r->seconds = (double)(now - l->begin) / 1e9;
	r->server_known = r->server_known && cpu_usage_read(&r->server, l->server_pid);
	if (r->server_known)
		cpu_usage_since(&r->server, &l->server_before);
	if (cpu_usage_read(&r->client, getpid()))
		cpu_usage_since(&r->client, &l->client_before);
	return perf_tell(l->o, "disable\n", e);
}

static int phase_step(struct load *l, uint64_t now, struct lf_client_error *e)
{
	bool counted = l->o->requests > 0;

	if (l->phase == PHASE_WARM_UP && now >= l->until) {
		/* A counted run begins with nothing under way. */
		l->sending = !counted;
		if (!counted || l->inflight == 0)
			return measure_begin(l, now, e);
	} else if (l->phase == PHASE_MEASURE) {
		if (counted ? l->to_send == 0 && l->inflight == 0 : now >= l->until)
			return measure_end(l, now, e);
	}
	return 0;
}

static void progress(struct load *l, uint64_t now)
{
	static const char *const NAMES[] = { "warm-up", "measuring", "draining" };
	double seconds = (double)(now - l->progress_at) / 1e9;

	if (l->o->quiet || seconds < 1 || !isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r%-9s %5.0f s  %10.0f/s  %llu errors \033[K", NAMES[l->phase],
		(double)(now - l->begin) / 1e9,
		(double)(l->answered - l->progress_answered) / seconds,
		(unsigned long long)l->result->errors + l->result->wrong);
	fflush(stderr);
	l->progress_at = now;
	l->progress_answered = l->answered;
}

/* One turn of the loop. */
static int load_step(struct load *l, struct lf_client_error *e)
{
	struct epoll_event events[EVENTS_MAX];
	/* An open loop does not sleep: it would be late. */
	int n = epoll_wait(l->epoll, events, EVENTS_MAX, l->interval > 0 ? 0 : TICK_MS);
	uint64_t now = now_ns(), answered = l->answered;

	if (phase_step(l, now, e) != 0)
		return -1;
	for (int i = 0; i < n; i++) {
		struct connection *c = events[i].data.ptr;

		l->now = 0;
		if (lf_client_poll(c->client, 0, e) < 0 || connection_fill(c, e) != 0)
			return -1;
	}
	if (l->interval > 0 && send_due(l, e) != 0)
		return -1;
	if (l->answered != answered || l->inflight == 0)
		l->last_answer = now;
	else if (now - l->last_answer > STALL_SECONDS * NS_PER_S)
		return fail(e, "57014", "no answer for %d seconds", STALL_SECONDS);
	progress(l, now);
	return 0;
}

static void descriptors_allow(unsigned connections)
{
	struct rlimit limit;
	rlim_t want = (rlim_t)connections + OWN_DESCRIPTORS;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= want)
		return;
	limit.rlim_cur = want < limit.rlim_max ? want : limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* What --reads mixes in has its percentage, the others share the rest by their weights. */
static void weigh(struct load *l)
{
	const struct workload *w = l->w;
	double all = 0, upto = 0;

	for (unsigned i = 0; i < w->noperations; i++)
		all += w->operations[i].mixed_in ? 0 : w->operations[i].weight;
	for (unsigned i = 0; i < w->noperations; i++) {
		const struct operation *op = &w->operations[i];

		upto += op->mixed_in ? l->o->reads : op->weight / all * (100 - l->o->reads);
		l->upto[i] = upto;
	}
}

static int result_init(struct load_result *out, unsigned noperations)
{
	*out = (struct load_result){ .latency = calloc(noperations, sizeof(*out->latency)),
		.all_latency = histogram_new() };
	for (unsigned i = 0; out->latency != NULL && i < noperations; i++) {
		out->latency[i] = histogram_new();
		if (out->latency[i] == NULL)
			return -1;
	}
	return out->latency != NULL && out->all_latency != NULL ? 0 : -1;
}

static void result_sum(struct load_result *out, const struct workload *w)
{
	for (unsigned i = 0; i < w->noperations; i++)
		if (!w->operations[i].mixed_in)
			histogram_add(out->all_latency, out->latency[i]);
}

void load_result_free(struct load_result *r, unsigned noperations)
{
	for (unsigned i = 0; r->latency != NULL && i < noperations; i++)
		histogram_free(r->latency[i]);
	free(r->latency);
	histogram_free(r->all_latency);
}

int load_run(struct load_result *out, const struct options *o, const char *address,
	pid_t server_pid, void *state, struct lf_client_error *e)
{
	struct load l = { .o = o,
		.w = o->workload,
		.state = state,
		.server_pid = server_pid,
		.result = out,
		.frames = o->depth / o->batch,
		.epoll = epoll_create1(EPOLL_CLOEXEC),
		.sending = true };
	int status = 0;

	l.random.state = o->seed + 1;
	l.interval = o->rate > 0 ? 1e9 / o->rate * o->batch : 0;
	descriptors_allow(o->connections);
	l.connections = calloc(o->connections, sizeof(*l.connections));
	l.upto = calloc(l.w->noperations, sizeof(*l.upto));
	if (result_init(out, l.w->noperations) != 0 || l.connections == NULL || l.upto == NULL ||
		l.epoll < 0)
		status = fail(e, "53200", "out of memory or descriptors");
	else
		weigh(&l);
	for (unsigned i = 0; status == 0 && i < o->connections; i++)
		status = connection_open(&l.connections[i], &l, address, e);
	l.begin = l.progress_at = l.last_answer = now_ns();
	l.until = l.begin + (uint64_t)(o->warm_up * 1e9);
	if (status == 0 && o->warm_up > 0)
		status = fill_all(&l, e);
	while (status == 0 && (l.phase != PHASE_DRAIN || l.inflight > 0))
		status = load_step(&l, e);
	if (status == 0)
		result_sum(out, l.w);
	if (!o->quiet && isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	for (unsigned i = 0; l.connections != NULL && i < o->connections; i++)
		connection_close(&l.connections[i]);
	free(l.connections);
	free(l.upto);
	if (l.epoll >= 0)
		close(l.epoll);
	return status;
}
