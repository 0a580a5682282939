/*
 * engine_port.c: one thread's access: submitting commands, taking replies, reading.
 *
 * A command of one aggregate (the ordinary case) is one message with its parameters in the ring of one
 * shard, and one reply; nothing is kept here. A command of many aggregates or of all shards, and one whose
 * parameters are too large for a ring, keeps a request record with them until every shard concerned has
 * replied, and then gives one answer.
 *
 * A reply whose caller asked for `visible` stays in its ring until V has reached its epoch; the ones
 * behind it wait too, which keeps the order within a shard. The port says in `want` which epoch it waits
 * for, and whoever raises V wakes it.
 */
#include "core/engine_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/base/probe.h"

/* --- open and close --- */

static void lane_close(struct lane *lane)
{
	ASSERT(lane->deferred == NULL);
	if (lane->commands != NULL)
		ring_free(lane->commands);
	if (lane->replies != NULL)
		ring_free(lane->replies);
}

/* With the catalog lock held, or at the engine's end. */
void port_free(struct lf_port *port)
{
	for (unsigned s = 0; s < port->engine->set.shards; s++)
		lane_close(&port->lanes[s]);
	arena_free(&port->scratch);
	arena_free(&port->query_scratch);
	if (port->event >= 0)
		close(port->event);
	pthread_mutex_destroy(&port->side_lock);
	free(port->requests);
	free(port);
}

static int lanes_open(struct lf_port *port, struct error *e)
{
	struct lf_engine *engine = port->engine;
	int status = 0;

	pthread_mutex_lock(&engine->catalog_lock);
	for (unsigned s = 0; s < engine->set.shards && status == 0; s++) {
		struct lane *lane = &port->lanes[s];

		lane->port = &port->parker;
		lane->commands = ring_new(engine->heap, engine->options.ring_bytes);
		lane->replies = ring_new(engine->heap, engine->options.reply_ring_bytes);
		if (lane->commands == NULL || lane->replies == NULL)
			status = error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	}
	pthread_mutex_unlock(&engine->catalog_lock);
	return status;
}

/* Take a free port number; -1 when all are in use. */
static int port_register(struct lf_engine *engine, struct lf_port *port)
{
	int number = -1;

	pthread_mutex_lock(&engine->ports_lock);
	for (unsigned i = 0; i < engine->options.ports_max && number < 0; i++)
		if (engine->ports[i] == NULL)
			number = (int)i;
	if (number >= 0) {
		port->number = (unsigned)number;
		__atomic_store_n(&engine->ports[number], port, __ATOMIC_RELEASE);
		if (atomic_load(&engine->nports) <= (unsigned)number)
			atomic_store(&engine->nports, (unsigned)number + 1);
	}
	pthread_mutex_unlock(&engine->ports_lock);
	return number;
}

static void port_unregister(struct lf_port *port)
{
	pthread_mutex_lock(&port->engine->ports_lock);
	__atomic_store_n(&port->engine->ports[port->number], NULL, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&port->engine->ports_lock);
}

static struct lf_port *port_new(struct lf_engine *engine, struct error *e)
{
	size_t size = sizeof(struct lf_port) + engine->set.shards * sizeof(struct lane);
	struct lf_port *port = aligned_alloc(64, (size + 63) / 64 * 64);

	if (port == NULL) {
		error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		return NULL;
	}
	memset(port, 0, size);
	port->engine = engine;
	port->free_request = REQUEST_NONE;
	port->event = -1;
	port->side.tail = &port->side.head;
	pthread_mutex_init(&port->side_lock, NULL);
	arena_init(&port->scratch, NULL);
	arena_init(&port->query_scratch, NULL);
	if (lanes_open(port, e) != 0) {
		pthread_mutex_lock(&engine->catalog_lock);
		port_free(port);
		pthread_mutex_unlock(&engine->catalog_lock);
		return NULL;
	}
	return port;
}

/* A closed port's memory is used again and freed only with the engine: whoever raises V may still
 * look at its `want` for a moment after it has closed. */
static struct lf_port *port_take(struct lf_engine *engine, struct error *e)
{
	struct lf_port *port;

	pthread_mutex_lock(&engine->ports_lock);
	port = engine->spare_ports;
	if (port != NULL)
		engine->spare_ports = port->next_spare;
	pthread_mutex_unlock(&engine->ports_lock);
	return port != NULL ? port : port_new(engine, e);
}

static void port_give(struct lf_port *port)
{
	struct lf_engine *engine = port->engine;

	if (port->reader >= 0)
		epoch_reader_close(engine->set.epochs, (unsigned)port->reader);
	atomic_store(&port->want, 0);
	atomic_store(&port->want_read, 0);
	atomic_store(&port->want_changes, 0);
	pthread_mutex_lock(&engine->ports_lock);
	port->next_spare = engine->spare_ports;
	engine->spare_ports = port;
	pthread_mutex_unlock(&engine->ports_lock);
}

int lf_port_open(struct lf_port **out, struct lf_engine *engine, void (*wake)(void *), void *arg,
	struct error *e)
{
	struct lf_port *port = port_take(engine, e);

	if (port == NULL)
		return -1;
	parker_init(&port->parker, wake, arg);
	port->submitted = port->answered = 0;
	port->now_us = engine_now_us(engine);
	port->reader = epoch_reader_open(engine->set.epochs);
	if (port->reader < 0 || port_register(engine, port) < 0) {
		port_give(port);
		return error_set(e, ERR_TOO_MANY_CONNECTIONS, 0, "all %u ports are in use",
			engine->options.ports_max);
	}
	port->spread = hash_u64(port->number + 1);
	for (unsigned s = 0; s < engine->set.shards; s++) {
		struct lane *lane = &port->lanes[s];

		atomic_store(&lane->starved, false);
		atomic_store(&lane->closing, false);
		atomic_store(&lane->closed, false);
		projector_attach(engine->set.projectors[s], port->number, lane);
	}
	*out = port;
	return 0;
}

static void reply_drop(void *arg, const struct lf_reply *reply)
{
	(void)arg;
	(void)reply;
}

static void port_progress(struct lf_port *port)
{
	if (port->engine->options.stepped)
		lf_settle(port->engine);
	else
		lf_port_wait(port, 1000);
}

void lf_port_close(struct lf_port *port)
{
	struct lf_engine *engine = port->engine;

	ASSERT(port->adopted == 0);
	lf_flush(port);
	while (!lf_port_idle(port)) {
		lf_poll(port, reply_drop, NULL);
		if (!lf_port_idle(port))
			port_progress(port);
	}
	for (unsigned s = 0; s < engine->set.shards; s++) {
		struct lane *lane = &port->lanes[s];

		atomic_store(&lane->closing, true);
		park_wake(projector_parker(engine->set.projectors[s]));
		while (!atomic_load_explicit(&lane->closed, memory_order_acquire))
			port_progress(port);
	}
	port_unregister(port);
	port_give(port);
}

bool lf_port_idle(const struct lf_port *port)
{
	return port->submitted == port->answered;
}

/* --- requests of several parts --- */

static uint32_t request_take(struct lf_port *port, struct error *e)
{
	uint32_t i;

	if (port->free_request == REQUEST_NONE) {
		uint32_t n = port->nrequests == 0 ? 16 : 2 * port->nrequests;
		struct request *grown = realloc(port->requests, n * sizeof(*grown));

		if (grown == NULL) {
			error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
			return REQUEST_NONE;
		}
		port->requests = grown;
		for (uint32_t k = n; k-- > port->nrequests;) {
			grown[k].next_free = port->free_request;
			port->free_request = k;
		}
		port->nrequests = n;
	}
	i = port->free_request;
	port->free_request = port->requests[i].next_free;
	memset(&port->requests[i], 0, sizeof(port->requests[i]));
	return i;
}

static void request_give(struct lf_port *port, uint32_t i)
{
	struct request *r = &port->requests[i];

	for (unsigned k = 0; k < r->nblocks; k++)
		free(r->blocks[k]);
	free(r->blocks);
	free(r->rows);
	free(r->error);
	port->outside -= r->memory_bytes;
	free(r->memory);
	given_free(&r->given);
	r->next_free = port->free_request;
	port->free_request = i;
}

/* Add one shard's reply. */
static void request_add(struct request *r, const struct reply_message *m)
{
	const unsigned char *rows = m->outside != NULL ? m->outside : (const void *)(m + 1);

	r->remaining--;
	r->done += m->done;
	r->count += m->count;
	if (m->done > 0 && m->epoch > r->epoch)
		r->epoch = m->epoch;
	if (m->kind == REPLY_ERROR) {
		if (r->error == NULL) {
			r->error = malloc(sizeof(*r->error));
			if (r->error != NULL)
				memcpy(r->error, m + 1, sizeof(*r->error));
		}
		return;
	}
	if (m->nrows > 0) {
		void **blocks = realloc(r->blocks, (r->nblocks + 1) * sizeof(*blocks));
		const void **all = realloc(r->rows, (r->nrows + m->nrows) * sizeof(*all));
		unsigned char *copy = malloc(m->bytes);

		if (blocks != NULL)
			r->blocks = blocks;
		if (all != NULL)
			r->rows = all;
		if (blocks == NULL || all == NULL || copy == NULL) {
			free(copy);
			return;
		}
		memcpy(copy, rows, m->bytes);
		r->blocks[r->nblocks++] = copy;
		for (unsigned i = 0; i < m->nrows; i++) {
			r->rows[r->nrows++] = copy;
			copy += row_size(copy);
		}
	}
}

static void request_reply(struct lf_port *port, uint32_t i, lf_on_reply fn, void *arg)
{
	const struct request *r = &port->requests[i];
	struct lf_reply reply = {
		.tag = r->tag,
		.ack = r->ack,
		.epoch = r->epoch,
		.count = r->count,
		.parts = r->done,
		.parts_all = r->all,
		.error = r->error,
		.nrows = r->nrows,
		.rows = r->rows,
	};

	fn(arg, &reply);
	request_give(port, i);
}

/* --- submitting --- */

static int submit_full(const struct lf_port *port, struct error *e)
{
	if (engine_disks_late(port->engine) > 0)
		return error_set(e, ERR_DISK_LATE, 0, NULL);
	return error_set(e, ERR_OVERLOAD, 0, "the command queue is full");
}

static void submitted(struct lf_port *port, unsigned shard)
{
	port->dirty |= (uint64_t)1 << shard;
}

/* Where each row of an INSERT goes, or of a command's query: adjacent rows of one aggregate are one range. */
struct routing {
	const struct given *given; /* what the command's query gave; NULL: it has none */
	uint64_t hold_ends;        /* instead of a command: see struct command_parts */
	uint64_t spread;           /* see command_route() */
	unsigned n;                /* ranges */
	unsigned per_shard[LIMIT_PROJECTORS];
	struct row_range *ranges;
	uint8_t *shards;
	uint64_t *hashes; /* of their partition values; NULL: not needed */
};

static bool is_once(const struct lf_port *port)
{
	return port->options != NULL && port->options->client != 0;
}

static int routing_insert(struct lf_port *port, const struct statement *s, const void *params,
	struct program_env *env, struct routing *r, struct error *e)
{
	uint64_t last = 0;
	unsigned nrows = r->given != NULL ? r->given->n : s->insert.nrows;
	const void *const *sources = r->given != NULL ? r->given->rows : NULL;

	r->ranges = arena_alloc(&port->scratch, nrows * sizeof(*r->ranges));
	r->shards = arena_alloc(&port->scratch, nrows);
	if (is_once(port))
		r->hashes = arena_alloc(&port->scratch, nrows * sizeof(*r->hashes));
	if (r->ranges == NULL || r->shards == NULL || (is_once(port) && r->hashes == NULL))
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	for (unsigned i = 0; i < nrows; i++) {
		uint64_t hash;
		unsigned shard;

		if (command_route(s, params, sources, i, r->spread, env, &hash, e) < 0)
			return -1;
		if (r->n > 0 && hash == last) {
			r->ranges[r->n - 1].n++;
			continue;
		}
		last = hash;
		shard = shard_of(hash, port->engine->set.shards);
		if (r->hashes != NULL)
			r->hashes[r->n] = hash;
		r->ranges[r->n] = (struct row_range){ i, 1 };
		r->shards[r->n++] = (uint8_t)shard;
		r->per_shard[shard]++;
	}
	return 0;
}

static void routing_all(const struct lf_port *port, struct routing *r)
{
	static struct row_range everything = { 0, 0 };

	r->ranges = &everything;
	for (unsigned s = 0; s < port->engine->set.shards; s++)
		r->per_shard[s] = 1;
}

/* --- options --- */

/* What they take behind the parameters. */
static uint32_t options_size(const struct lf_port *port)
{
	return (uint32_t)sizeof(struct command_options) +
		((port->options->meta_bytes + 7) & ~UINT32_C(7));
}

/* flags: COMMAND_EVERY_SHARD; hash: of the partition value, for ONCE. */
static void options_put(const struct lf_port *port, uint32_t flags, uint64_t hash, void *at)
{
	const struct lf_command_options *from = port->options;
	struct command_options *to = at;

	memset(to, 0, options_size(port));
	to->flags = flags | (from->client != 0 ? COMMAND_ONCE : 0) |
		(from->expect ? COMMAND_EXPECT : 0) | (from->meta != NULL ? COMMAND_META : 0);
	to->client = from->client;
	to->request = from->request;
	to->payload = port->payload;
	to->hash = hash;
	to->expected_epoch = from->expected_epoch;
	to->meta_bytes = from->meta_bytes;
	if (from->meta != NULL && from->meta_bytes > 0)
		memcpy(to->meta, from->meta, from->meta_bytes);
}

/* Which statements can be executed once: those whose parts are the same every time. */
static int once_check(
	const struct statement *s, const struct lf_command_options *o, struct error *e)
{
	if (o->request == 0)
		return error_set(e, ERR_INVALID_PARAMETER, 0, "request ids begin at 1");
	if (statement_is_ddl(s))
		return error_set(e, ERR_FEATURE, 0, "a schema change cannot be given a request id");
	if (statement_query(s) == NULL)
		return 0;
	error_set(e, ERR_FEATURE, 0, "a command with a query cannot be given a request id");
	return error_hint(e,
		"What the query gives may differ from time to time: read it, and give it as parameters.");
}

static int options_check(const struct lf_engine *engine, const struct statement *s,
	const struct lf_command_options *o, struct error *e)
{
	if (o->meta != NULL && o->meta_bytes > LIMIT_META_BYTES)
		return error_set(e, ERR_PROGRAM_LIMIT, 0,
			"metadata of %u bytes exceed the limit of %d bytes", o->meta_bytes,
			LIMIT_META_BYTES);
	if (o->expect && statement_is_ddl(s))
		return error_set(e, ERR_FEATURE, 0,
			"a schema change that expects a version is not supported");
	if (o->meta != NULL && !engine->options.event_log) {
		(void)error_set(e, ERR_FEATURE, 0,
			"commands with metadata are not supported without an event log");
		return error_hint(e, "Start the server with --event-log.");
	}
	return o->client != 0 ? once_check(s, o, e) : 0;
}

/* A year, a day, an hour, a minute, a second and more later. */
static struct program_env once_later(struct lf_port *port, struct error *e)
{
	return (struct program_env){ &port->scratch, e,
		port->now_us + 31626061 * INT64_C(1000000) + 1, 0 };
}

/* See that rows go where they went whenever the command is sent: at another time each of their partition values must be the
 * same, or a retry would come to a shard that knows nothing of the command. n: ranges, with their hashes; the first is what
 * the message of a command of one part says. */
static int once_route(struct lf_port *port, const struct statement *s, const void *params,
	uint64_t spread, const struct row_range *ranges, const uint64_t *hashes, unsigned n,
	struct error *e)
{
	struct program_env later = once_later(port, e);

	ASSERT(hashes != NULL);
	port->hash = hashes[0];
	for (unsigned r = 0; r < n; r++)
		for (unsigned i = 0; i == 0 || i < ranges[r].n; i++) {
			uint64_t hash;

			if (command_route(s, params, NULL, ranges[r].first + i, spread, &later,
				    &hash, e) == 1 &&
				hash == hashes[r])
				continue;
			return error_set(e, ERR_FEATURE, 0,
				"a command whose partition value depends on the time cannot be given a "
				"request id");
		}
	return 0;
}

/* One block of memory: the parameters, then each shard's list of ranges, and the options. */
static int request_fill(struct lf_port *port, struct request *q, const void *params,
	const struct routing *r, struct error *e)
{
	unsigned shards = port->engine->set.shards;
	size_t size = row_size(params), at, given = r->given != NULL ? r->given->size : 0;
	size_t a_range = sizeof(struct row_range) + (is_once(port) ? sizeof(uint64_t) : 0);
	struct command_options *options = NULL;
	unsigned char *memory;

	at = shards * sizeof(struct command_parts *);
	size += at;
	if (port->options != NULL)
		size += options_size(port);
	for (unsigned s = 0; s < shards; s++)
		size += sizeof(struct command_parts) + r->per_shard[s] * a_range;
	if (port->outside > 0 && port->outside + size + given > LIMIT_OUTSIDE_BYTES)
		return submit_full(port, e);
	memory = calloc(1, size);
	if (memory == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	q->memory = memory;
	q->memory_bytes = size + given;
	port->outside += size + given;
	q->parts = (struct command_parts **)memory;
	memcpy(memory + at, params, row_size(params));
	params = memory + at;
	at += row_size(params);
	if (port->options != NULL) {
		options = (struct command_options *)(memory + at);
		options_put(port, r->shards == NULL ? COMMAND_EVERY_SHARD : 0, 0, options);
		at += options_size(port);
	}
	for (unsigned s = 0; s < shards; s++) {
		if (r->per_shard[s] == 0)
			continue;
		q->parts[s] = (struct command_parts *)(memory + at);
		q->parts[s]->params = params;
		q->parts[s]->options = options;
		q->parts[s]->hold_ends = r->hold_ends;
		q->parts[s]->sources = r->given != NULL ? r->given->rows : NULL;
		at += sizeof(struct command_parts) + r->per_shard[s] * sizeof(struct row_range);
		if (is_once(port)) {
			q->parts[s]->hashes = (uint64_t *)(memory + at);
			at += r->per_shard[s] * sizeof(uint64_t);
		}
		q->remaining++;
		q->all += r->per_shard[s];
	}
	if (r->hold_ends != 0)
		return 0;
	ASSERT(r->ranges != NULL);
	if (r->shards == NULL) {
		for (unsigned s = 0; s < shards; s++)
			q->parts[s]->ranges[q->parts[s]->n++] = r->ranges[0];
		return 0;
	}
	for (unsigned i = 0; i < r->n; i++) {
		struct command_parts *parts = q->parts[r->shards[i]];

		if (parts->hashes != NULL) {
			ASSERT(r->hashes != NULL);
			parts->hashes[parts->n] = r->hashes[i];
		}
		parts->ranges[parts->n++] = r->ranges[i];
	}
	return 0;
}

static bool lane_has_room(const struct lane *lane)
{
	return ring_reserve(lane->commands, sizeof(struct command_message)) != NULL;
}

static int submit_parts(struct lf_port *port, const struct statement *s, const void *params,
	const struct routing *routing, uint64_t tag, enum lf_ack ack, struct error *e)
{
	unsigned shards = port->engine->set.shards;
	uint32_t i;
	struct request *q;

	/* Room everywhere first: all or nothing. */
	for (unsigned k = 0; k < shards; k++)
		if (routing->per_shard[k] > 0 && !lane_has_room(&port->lanes[k]))
			return submit_full(port, e);
	i = request_take(port, e);
	if (i == REQUEST_NONE)
		return -1;
	q = &port->requests[i];
	if (request_fill(port, q, params, routing, e) != 0) {
		request_give(port, i);
		return -1;
	}
	if (routing->given != NULL)
		q->given = *routing->given;
	q->tag = tag;
	q->ack = (uint8_t)ack;
	q->statement = s;
	for (unsigned k = 0; k < shards; k++) {
		struct command_message *m;

		if (q->parts[k] == NULL)
			continue;
		m = ring_reserve(port->lanes[k].commands, sizeof(*m));
		*m = (struct command_message){ .tag = tag,
			.statement = s,
			.parts = q->parts[k],
			.request = i,
			.ack = (uint16_t)ack,
			.options = port->options != NULL };
		ring_commit(port->lanes[k].commands, sizeof(*m));
		submitted(port, k);
	}
	port->submitted++;
	return 0;
}

/* One shard, parameters that no ring can hold. */
static int submit_large(struct lf_port *port, const struct statement *s, const void *params,
	unsigned shard, struct row_range rows, uint64_t tag, enum lf_ack ack, struct error *e)
{
	uint8_t where = (uint8_t)shard;
	struct routing routing = {
		.n = 1, .ranges = &rows, .shards = &where, .hashes = &port->hash
	};

	if (row_size(params) > LIMIT_COMMAND_BYTES)
		return error_set(e, ERR_PROGRAM_LIMIT, 0,
			"parameters of %u bytes exceed the limit of %u bytes a command",
			row_size(params), (unsigned)LIMIT_COMMAND_BYTES);
	routing.per_shard[shard] = 1;
	return submit_parts(port, s, params, &routing, tag, ack, e);
}

/* The ordinary command: one shard, parameters in the ring. */
static int submit_one(struct lf_port *port, const struct statement *s, const void *params,
	unsigned shard, struct row_range rows, uint64_t tag, enum lf_ack ack, struct error *e)
{
	uint32_t size = row_size(params);
	struct ring *ring = port->lanes[shard].commands;
	uint32_t len = (uint32_t)sizeof(struct command_message) + size;
	struct command_message *m;

	if (port->options != NULL)
		len += options_size(port);
	if (len > ring_message_max(ring))
		return submit_large(port, s, params, shard, rows, tag, ack, e);
	m = ring_reserve(ring, len);
	if (m == NULL)
		return submit_full(port, e);
	*m = (struct command_message){ .tag = tag,
		.statement = s,
		.request = REQUEST_NONE,
		.ack = (uint16_t)ack,
		.options = port->options != NULL,
		.rows = rows };
	memcpy(m + 1, params, size);
	if (port->options != NULL)
		options_put(port, 0, port->hash, (unsigned char *)(m + 1) + size);
	ring_commit(ring, len);
	submitted(port, shard);
	port->submitted++;
	return 0;
}

/* A command with a query. Whether there is room is looked at before it is run, so that it is not run in vain. */
static int submit_given(struct lf_port *port, const struct statement *s, const void *params,
	struct program_env *env, uint64_t tag, enum lf_ack ack, struct error *e)
{
	static struct row_range nothing = { 0, 0 };
	uint8_t anywhere = 0;
	struct given given;
	struct routing routing = { .given = &given, .spread = port->spread };
	int status;

	if (port->outside > 0 && port->outside + LIMIT_COMMAND_BYTES > LIMIT_OUTSIDE_BYTES)
		return submit_full(port, e);
	s = engine_statement_now(port->engine, s, UINT64_MAX, e);
	if (s == NULL)
		return -1;
	for (unsigned k = 0; k < port->engine->set.shards; k++)
		if (!lane_has_room(&port->lanes[k]))
			return submit_full(port, e);
	if (port_given_read(port, s, params, &given, e) != 0)
		return -1;
	status = routing_insert(port, s, params, env, &routing, e);
	if (status == 0 && routing.n == 0) {
		/* Without rows: some shard answers. */
		routing.n = routing.per_shard[0] = 1;
		routing.ranges = &nothing;
		routing.shards = &anywhere;
	}
	if (status == 0)
		status = submit_parts(port, s, params, &routing, tag, ack, e);
	if (status != 0)
		given_free(&given);
	return status;
}

/* Whether a CALL is no more than its statements: the usual one costs a few instructions more than these. */
static inline bool call_is_plain(const struct procedure_call *c)
{
	return !c->computed && !__atomic_load_n(&c->procedure->dropped, __ATOMIC_ACQUIRE);
}

/* A CALL of what the procedure is now, which may go by other columns than it did; and its arguments instead of its
 * parameters. */
static const struct statement *call_now(struct lf_port *port, const struct statement *s,
	const void **params, struct program_env *env, struct error *e)
{
	const void *given = *params, *again;
	struct program_env later;

	if (__atomic_load_n(&s->block.call->procedure->dropped, __ATOMIC_ACQUIRE))
		s = engine_statement_now(port->engine, s, UINT64_MAX, e);
	if (s == NULL || !s->block.call->computed)
		return s;
	*params = command_arguments(s, given, env, e);
	if (*params == NULL || !is_once(port))
		return *params == NULL ? NULL : s;
	/* As once_route(): they say where it goes. */
	later = once_later(port, e);
	again = command_arguments(s, given, &later, e);
	if (again != NULL && row_size(again) == row_size(*params) &&
		memcmp(again, *params, row_size(again)) == 0)
		return s;
	(void)error_set(e, ERR_FEATURE, 0,
		"a CALL whose arguments depend on the time cannot be given a request id");
	return NULL;
}

int lf_submit(struct lf_port *port, const struct statement *s, const void *params, uint64_t tag,
	enum lf_ack ack, struct error *e)
{
	struct program_env env = { &port->scratch, e, port->now_us, 0 };
	struct routing routing = { 0 };
	unsigned nrows = s->kind == STATEMENT_INSERT ? s->insert.nrows : 0;
	struct row_range all = { 0, nrows };
	uint64_t hash, spread;
	int where;

	if (statement_is_ddl(s)) {
		if (engine_ddl_submit(port->engine, port, s, tag, ack, e) != 0)
			return -1;
		port->submitted++;
		return 0;
	}
	ASSERT(statement_is_command(s));
	arena_reset(&port->scratch);
	port->spread += 0x9e3779b97f4a7c15u;
	if (s->kind == STATEMENT_BLOCK && s->block.call != NULL && !call_is_plain(s->block.call)) {
		s = call_now(port, s, &params, &env, e);
		if (s == NULL)
			return -1;
	}
	if (statement_query(s) != NULL)
		return submit_given(port, s, params, &env, tag, ack, e);
	spread = is_once(port) ? hash_combine(port->options->client, port->options->request)
			       : hash_u64(port->spread);
	if (nrows <= 1) {
		where = command_route(s, params, NULL, 0, spread, &env, &hash, e);
		if (where < 0)
			return -1;
		if (where == 1) {
			if (is_once(port) &&
				once_route(port, s, params, spread, &all, &hash, 1, e) != 0)
				return -1;
			return submit_one(port, s, params, shard_of(hash, port->engine->set.shards),
				all, tag, ack, e);
		}
		routing_all(port, &routing);
	} else {
		routing.spread = spread;
		if (routing_insert(port, s, params, &env, &routing, e) != 0 ||
			(is_once(port) &&
				once_route(port, s, params, spread, routing.ranges, routing.hashes,
					routing.n, e) != 0))
			return -1;
		if (routing.n == 1)
			return submit_one(
				port, s, params, routing.shards[0], routing.ranges[0], tag, ack, e);
	}
	return submit_parts(port, s, params, &routing, tag, ack, e);
}

int lf_submit_with(struct lf_port *port, const struct statement *s, const void *params,
	uint64_t tag, enum lf_ack ack, const struct lf_command_options *options, struct error *e)
{
	int status;

	if (options != NULL && options_check(port->engine, s, options, e) != 0)
		return -1;
	port->options = options;
	if (is_once(port))
		port->payload = hash_bytes(
			params, row_size(params), hash_bytes(s->text, strlen(s->text), 0));
	status = lf_submit(port, s, params, tag, ack, e);
	port->options = NULL;
	return status;
}

/* --- holding the epoch --- */

int lf_hold(struct lf_engine *engine, uint64_t *hold, struct error *e)
{
	*hold = hold_begin(&engine->set.hold, engine->set.epochs, engine->set.shards);
	if (*hold == 0)
		return error_set(e, ERR_IN_USE, 0,
			"the epoch is held already, or a schema change is under way");
	return 0;
}

bool lf_break_hold(struct lf_engine *engine, uint64_t hold)
{
	if (!hold_break(&engine->set.hold, engine->set.epochs, hold))
		return false;
	epoch_advance(engine->set.epochs);
	for (unsigned s = 0; s < engine->set.shards; s++)
		park_wake(projector_parker(engine->set.projectors[s]));
	return true;
}

int lf_release_hold(struct lf_port *port, uint64_t hold, uint64_t tag, struct error *e)
{
	static const uint64_t no_params = sizeof(no_params);
	struct routing routing = { .hold_ends = hold };

	for (unsigned s = 0; s < port->engine->set.shards; s++)
		routing.per_shard[s] = 1;
	return submit_parts(port, NULL, &no_params, &routing, tag, LF_VISIBLE, e);
}

void lf_flush(struct lf_port *port)
{
	while (port->dirty != 0) {
		unsigned s = (unsigned)__builtin_ctzll(port->dirty);

		port->dirty &= port->dirty - 1;
		if (ring_publish(port->lanes[s].commands))
			park_wake(projector_parker(port->engine->set.projectors[s]));
	}
}

/* --- replies --- */

enum { REPLY_ROWS_STACK = 64 };

static void reply_give(
	struct lf_port *port, const struct reply_message *m, lf_on_reply fn, void *arg)
{
	const void *stack[REPLY_ROWS_STACK];
	const void **rows = stack;
	struct lf_reply reply = {
		.tag = m->tag,
		.ack = m->ack,
		.epoch = m->epoch,
		.count = m->count,
		.parts = m->done,
		.parts_all = 1,
	};
	struct error none;

	if (m->kind == REPLY_ERROR) {
		reply.error = (const struct error *)(m + 1);
		/* A refusal that is remembered has one, but only to wait for. */
		if (m->done == 0)
			reply.epoch = 0;
	}
	if (m->nrows > 0) {
		const unsigned char *at = m->outside != NULL ? m->outside : (const void *)(m + 1);

		if (m->nrows > REPLY_ROWS_STACK)
			rows = malloc(m->nrows * sizeof(*rows));
		if (rows == NULL) {
			error_set(&none, ERR_OUTCOME_UNKNOWN, 0,
				"the command was executed but there is no memory for its rows");
			reply.error = &none;
		} else {
			reply.nrows = m->nrows;
			reply.rows = rows;
			for (unsigned i = 0; i < m->nrows; i++) {
				rows[i] = at;
				at += row_size(at);
			}
		}
	}
	fn(arg, &reply);
	if (rows != stack)
		free(rows);
	(void)port;
}

/* Whether the reply must wait: for V, or for its shard's journal. */
static bool reply_waits(const struct lf_engine *engine, unsigned shard,
	const struct reply_message *m, uint64_t visible)
{
	if (m->ack == LF_VISIBLE)
		return m->epoch > visible;
	return m->ack == LF_DURABLE && m->epoch >= epoch_unwritten(engine->set.epochs, shard);
}

/* What is given for a reply that would wait for ever. */
struct unknown_reply {
	struct reply_message m;
	struct error e;
};

static void reply_unknown(
	struct lf_port *port, const struct reply_message *m, struct unknown_reply *out)
{
	struct projector_set *set = &port->engine->set;

	out->m = *m;
	out->m.outside = NULL;
	out->m.kind = REPLY_ERROR;
	out->m.nrows = 0;
	error_set(&out->e, ERR_OUTCOME_UNKNOWN, 0,
		"the journal cannot be written: whether the command survives is unknown");
	pthread_mutex_lock(&set->unwritable_lock);
	error_detail(&out->e, "%.*s", ERROR_DETAIL_MAX - 1, set->unwritable_why.message);
	pthread_mutex_unlock(&set->unwritable_lock);
}

/* The oldest reply, and that it has been handed out. */
static const struct reply_message *lane_peek(struct lane *lane)
{
	uint32_t len;

	if (lane->deferred != NULL)
		return (const struct reply_message *)(lane->deferred + 1);
	return ring_peek(lane->replies, &len);
}

static void lane_advance(struct lane *lane)
{
	struct deferred_reply *d = lane->deferred;

	if (d == NULL) {
		ring_advance(lane->replies);
		return;
	}
	lane->deferred = d->next;
	free(d);
}

/* The ring is full of replies that wait for an epoch which is held, and its release may stand behind the command that has
 * no room for its reply: so they wait elsewhere. As many as there are unanswered requests, which are bounded; without
 * memory the hold ends by its time. */
static void lane_defer(struct lane *lane)
{
	const struct reply_message *m;
	uint32_t len;

	while ((m = ring_peek(lane->replies, &len)) != NULL) {
		struct deferred_reply *d = malloc(sizeof(*d) + len);

		if (d == NULL)
			break;
		d->next = NULL;
		memcpy(d + 1, m, len);
		if (lane->deferred == NULL)
			lane->deferred = d;
		else
			lane->deferred_last->next = d;
		lane->deferred_last = d;
		ring_advance(lane->replies);
	}
}

static unsigned lane_poll(struct lf_port *port, unsigned shard, uint64_t visible, uint64_t *want,
	lf_on_reply fn, void *arg)
{
	struct lane *lane = &port->lanes[shard];
	const struct reply_message *m;
	struct unknown_reply unknown;
	unsigned n = 0;

	while ((m = lane_peek(lane)) != NULL) {
		void *outside = m->outside;

		if (reply_waits(port->engine, shard, m, visible)) {
			if (!atomic_load_explicit(
				    &port->engine->set.unwritable, memory_order_acquire)) {
				if (*want == 0 || m->epoch < *want)
					*want = m->epoch;
				if (atomic_load_explicit(&lane->starved, memory_order_relaxed) &&
					hold_is_held(&port->engine->set.hold))
					lane_defer(lane);
				break;
			}
			reply_unknown(port, m, &unknown);
			m = &unknown.m;
		}
		if (m->request == REQUEST_NONE) {
			port->answered++;
			reply_give(port, m, fn, arg);
			n++;
		} else {
			struct request *q = &port->requests[m->request];

			request_add(q, m);
			if (q->remaining == 0) {
				port->answered++;
				request_reply(port, m->request, fn, arg);
				n++;
			}
		}
		free(outside);
		lane_advance(lane);
	}
	ring_release(lane->replies);
	return n;
}

static unsigned side_poll(struct lf_port *port, lf_on_reply fn, void *arg)
{
	unsigned n = 0;

	while (atomic_load_explicit(&port->nside, memory_order_acquire) > 0) {
		struct ddl_job *job;
		struct lf_reply reply;

		pthread_mutex_lock(&port->side_lock);
		job = port->side.head;
		port->side.head = job->next;
		if (port->side.head == NULL)
			port->side.tail = &port->side.head;
		pthread_mutex_unlock(&port->side_lock);
		atomic_fetch_sub(&port->nside, 1);
		reply = (struct lf_reply){
			.tag = job->tag,
			.ack = job->ack,
			.epoch = job->error.code == ERR_OK ? job->epoch : 0,
			.error = job->error.code == ERR_OK ? NULL : &job->error,
			.parts = job->error.code == ERR_OK,
			.parts_all = 1,
		};
		port->answered++;
		fn(arg, &reply);
		free(job);
		n++;
	}
	return n;
}

void port_ddl_done(struct lf_port *port, struct ddl_job *job)
{
	/* The wake-up stays under the lock: once the port can see the job it may close and be freed,
	 * which takes the lock first. */
	pthread_mutex_lock(&port->side_lock);
	job->next = NULL;
	*port->side.tail = job;
	port->side.tail = &job->next;
	atomic_fetch_add(&port->nside, 1);
	park_wake(&port->parker);
	pthread_mutex_unlock(&port->side_lock);
}

unsigned lf_poll(struct lf_port *port, lf_on_reply fn, void *arg)
{
	struct lf_engine *engine = port->engine;
	uint64_t visible, want = 0, read;
	unsigned n = 0;

	port->now_us = engine_now_us(engine);
	if (feeds_are_due(engine, port->now_us))
		feeds_tidy(engine, port->now_us);
	if (port->adopted != 0) {
		lf_flush(port);
		(void)port_step_adopted(port);
	}
	visible = epoch_visible(engine->set.epochs);
	for (unsigned s = 0; s < engine->set.shards; s++) {
		struct lane *lane = &port->lanes[s];

		n += lane_poll(port, s, visible, &want, fn, arg);
		/* The space was given back before; see lane_room() in projector.c. */
		atomic_thread_fence(memory_order_seq_cst);
		if (atomic_load_explicit(&lane->starved, memory_order_relaxed)) {
			atomic_store(&lane->starved, false);
			park_wake(projector_parker(engine->set.projectors[s]));
		}
	}
	n += side_poll(port, fn, arg);
	atomic_store_explicit(&port->want, want, memory_order_relaxed);
	read = atomic_load_explicit(&port->want_read, memory_order_relaxed);
	if (read != 0 && read <= visible)
		atomic_store_explicit(&port->want_read, 0, memory_order_relaxed);
	return n;
}

/* --- reading --- */

int lf_read_begin(struct lf_port *port, uint64_t at_least, uint64_t *epoch, struct error *e)
{
	ASSERT(!port->pinned);
	port->pin = epoch_pin(port->engine->set.epochs, (unsigned)port->reader);
	if (port->pin < at_least) {
		epoch_unpin(port->engine->set.epochs, (unsigned)port->reader);
		return error_set(e, ERR_NOT_YET, 0,
			"epoch %llu is not visible yet: the newest visible one is %llu",
			(unsigned long long)at_least, (unsigned long long)port->pin);
	}
	port->pinned = true;
	port->now_us = engine_now_us(port->engine);
	if (epoch != NULL)
		*epoch = port->pin;
	return 0;
}

void lf_read_end(struct lf_port *port)
{
	ASSERT(port->pinned);
	port->pinned = false;
	epoch_unpin(port->engine->set.epochs, (unsigned)port->reader);
}

static struct query_env port_query_env(struct lf_port *port)
{
	return (struct query_env){
		.scratch = &port->query_scratch,
		.epoch = port->pin,
		.base_epoch = port->engine->set.base_epoch,
		.now_us = port->now_us,
		.rows_max = port->engine->options.rows_max,
	};
}

int lf_query(struct lf_port *port, const struct statement *s, const void *params,
	int (*sink)(void *arg, const void *row, uint32_t size), void *arg, struct error *e)
{
	struct query_env env = port_query_env(port);
	int status;

	ASSERT(port->pinned);
	s = engine_statement_now(port->engine, s, env.epoch, e);
	if (s == NULL)
		return -1;
	PROBE3(query_begin, port->number, env.epoch, 1);
	status = query_run(s, params, &env, sink, arg, e);
	PROBE3(query_end, port->number, env.epoch, 1);
	return status;
}

void lf_query_batch(struct lf_port *port, const struct statement *s, unsigned n,
	const void *const *params, int (*sink)(void *arg, const void *row, uint32_t size),
	void (*done)(void *arg, unsigned i, int status, const struct error *e), void *arg)
{
	struct query_env env = port_query_env(port);
	struct error e;

	ASSERT(port->pinned);
	s = engine_statement_now(port->engine, s, env.epoch, &e);
	for (unsigned i = 0; s == NULL && i < n; i++)
		done(arg, i, -1, &e);
	if (s == NULL)
		return;
	PROBE3(query_begin, port->number, env.epoch, n);
	query_run_batch(s, n, params, &env, sink, done, arg);
	PROBE3(query_end, port->number, env.epoch, n);
}

int port_given_query(struct lf_port *port, const struct statement *s, const void *params,
	int (*sink)(void *arg, const void *row, uint32_t size), void *arg, struct error *e)
{
	struct query_env env = port_query_env(port);

	return query_run(statement_query(s), params, &env, sink, arg, e);
}

void lf_want_epoch(struct lf_port *port, uint64_t epoch)
{
	uint64_t want = atomic_load_explicit(&port->want_read, memory_order_relaxed);

	if (want == 0 || epoch < want)
		atomic_store_explicit(&port->want_read, epoch, memory_order_relaxed);
}

void lf_want_changes(struct lf_port *port, uint64_t epoch)
{
	atomic_store_explicit(&port->want_changes, epoch, memory_order_relaxed);
}

/* --- sleeping --- */

static bool port_has_work(struct lf_port *port)
{
	struct lf_engine *engine = port->engine;
	uint64_t visible = epoch_visible(engine->set.epochs);
	uint64_t read = atomic_load_explicit(&port->want_read, memory_order_relaxed);
	uint64_t changes = atomic_load_explicit(&port->want_changes, memory_order_relaxed);

	if (atomic_load_explicit(&port->nside, memory_order_acquire) > 0 ||
		atomic_load_explicit(&port->streams, memory_order_acquire) ||
		(read != 0 && read <= visible) ||
		(changes != 0 && changes <= visible &&
			changes <= atomic_load_explicit(
					   &engine->set.feed_newest, memory_order_relaxed)))
		return true;
	for (unsigned s = 0; s < engine->set.shards; s++) {
		const struct reply_message *m;
		bool unwritable = atomic_load_explicit(
			&engine->set.unwritable, memory_order_acquire);
		uint64_t want;

		m = lane_peek(&port->lanes[s]);
		if (m == NULL)
			continue;
		if (unwritable || !reply_waits(engine, s, m, visible))
			return true;
		/* A reply that arrived since the last poll: say what it waits for, and look at V
		 * again after that. */
		want = atomic_load_explicit(&port->want, memory_order_relaxed);
		if (want == 0 || m->epoch < want) {
			atomic_store_explicit(&port->want, m->epoch, memory_order_relaxed);
			atomic_thread_fence(memory_order_seq_cst);
			if (!reply_waits(engine, s, m, epoch_visible(engine->set.epochs)))
				return true;
		}
	}
	return false;
}

bool lf_port_sleep(struct lf_port *port, uint64_t *timeout_us)
{
	park_prepare(&port->parker);
	if (port_adopted_idle(port, timeout_us) && !port_has_work(port))
		return true;
	lf_port_awake(port);
	return false;
}

bool lf_port_look(struct lf_port *port)
{
	return port_step_adopted(port) || port_has_work(port);
}

void lf_port_awake(struct lf_port *port)
{
	park_cancel(&port->parker);
	port_adopted_awake(port);
}

void lf_port_wait(struct lf_port *port, uint64_t timeout_us)
{
	ASSERT(port->adopted == 0);
	park_prepare(&port->parker);
	if (port_has_work(port)) {
		park_cancel(&port->parker);
		return;
	}
	park_wait(&port->parker, timeout_us);
}
