/*
 * engine_stream.c: streams of the event log: one thread reads the files for all of them, so that no port has to wait for
 * the disk.
 *
 * A stream has one lot, which is by turns the thread's (LOT_FILLING) and the port's (LOT_READY): that is all that is shared,
 * and the bound of its memory, together with the block its reader has. The thread goes round the streams whose lots are its
 * own; one for which there was nothing at the visible epoch waits for the next one.
 *
 * When it finds nothing to do it sleeps: `waiting` is stored before V is looked at once more, and who raises V looks at
 * `waiting` after that (on_visible() in engine.c), so one of the two sees the other.
 */
#include "core/engine_internal.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"

enum {
	LOT_BYTES = KIB(64), /* about; a larger event is one by itself */
	LOT_KEEP_BYTES = MIB(1),
	LOT_LOOKS = 4096, /* events passed over before others have their turn */
	LOT_KNOWN = 32,   /* tables and statements that are known to stand in a lot */
	SERVICE_WAIT_US = 100000
};

enum lot_state { LOT_FILLING, LOT_READY };

struct lf_stream {
	struct lf_stream *next;
	struct lf_port *port;
	struct lf_events *events;
	uint64_t until; /* the last epoch that is wanted */
	_Atomic int state;
	_Atomic bool closed; /* by the port; the thread frees it */

	/* by who has the lot */
	struct lf_lot lot;
	unsigned char *data;
	size_t cap;
	struct error error;

	/* the thread's */
	uint64_t
		seen; /* there was nothing more at this visible epoch; UINT64_MAX: it was not looked to the end */
	uint64_t block; /* the last event's, and what of it stands in the lot */
	unsigned nknown;
	uint64_t known[LOT_KNOWN];
};

/* --- lots --- */

static unsigned char *lot_room(struct lf_stream *s, size_t n)
{
	size_t cap = s->cap == 0 ? LOT_BYTES : s->cap;
	unsigned char *grown;

	while (cap < s->lot.bytes + n)
		cap *= 2;
	if (cap > s->cap) {
		grown = realloc(s->data, cap);
		if (grown == NULL)
			return NULL;
		s->data = grown;
		s->cap = cap;
	}
	return s->data + s->lot.bytes;
}

/* Whether the lot has this of the block's already; from now on it has. */
static bool lot_knows(struct lf_stream *s, uint64_t id)
{
	for (unsigned i = 0; i < s->nknown; i++)
		if (s->known[i] == id)
			return true;
	if (s->nknown == LOT_KNOWN)
		s->nknown = 0;
	s->known[s->nknown++] = id;
	return false;
}

static int lot_put(struct lf_stream *s, const void *bytes, size_t n)
{
	unsigned char *at = lot_room(s, n);

	if (at == NULL)
		return -1;
	memcpy(at, bytes, n);
	s->lot.bytes += n;
	return 0;
}

/* The tables of an event, its statement. An id is twice a table's, or twice a statement's number and one. */
static int lot_needs(struct lf_stream *s, const struct event_walk *w, const struct event *ev)
{
	const struct event_statement *statement = ev->statement;
	struct entry_header h;
	struct event_change change;

	memcpy(&h, statement->entry, sizeof(h));
	if (!lot_knows(s, 2 * (uint64_t)h.relation + 1) &&
		lot_put(s, statement->entry, statement->bytes) != 0)
		return -1;
	for (uint64_t at = 0; event_change(ev, &at, &change);) {
		const struct event_table *t = event_walk_table(w, change.table);

		if (!lot_knows(s, 2 * (uint64_t)t->id) && lot_put(s, t->entry, t->bytes) != 0)
			return -1;
	}
	return 0;
}

static int lot_add(struct lf_stream *s, struct event_id id, const struct event *ev, uint64_t block,
	const struct event_walk *w)
{
	struct event_head head = { id.epoch, id.shard, id.number, 0, 0 };
	size_t begin = s->lot.bytes;

	if (block != s->block)
		s->nknown = 0;
	s->block = block;
	if (lot_put(s, &head, sizeof(head)) != 0 || lot_needs(s, w, ev) != 0 ||
		lot_put(s, ev->entries, ev->bytes) != 0)
		return -1;
	head.bytes = (uint32_t)(s->lot.bytes - begin - sizeof(head));
	memcpy(s->data + begin, &head, sizeof(head));
	s->lot.events++;
	return 0;
}

static void lot_ready(struct lf_stream *s)
{
	s->lot.data = s->data;
	atomic_store_explicit(&s->state, LOT_READY, memory_order_release);
	/* The port looks at it between saying that it sleeps and sleeping. */
	atomic_store(&s->port->streams, true);
	park_wake(&s->port->parker);
}

static void lot_failed(struct lf_stream *s)
{
	s->lot.bytes = s->lot.events = 0;
	s->lot.error = &s->error;
	lot_ready(s);
}

static void lot_begin(struct lf_stream *s)
{
	struct event_id reached = s->lot.reached;

	if (s->cap > LOT_KEEP_BYTES) {
		free(s->data);
		s->data = NULL;
		s->cap = 0;
	}
	s->lot = (struct lf_lot){ .reached = reached };
	s->nknown = 0;
}

/* Fill the lot with what there is up to the epoch. */
static void lot_fill(struct lf_stream *s, uint64_t visible)
{
	uint64_t upto = visible < s->until ? visible : s->until;
	int status = 1;

	lot_begin(s);
	for (unsigned n = 0; n < LOT_LOOKS && s->lot.bytes < LOT_BYTES; n++) {
		struct event_id id;
		struct event ev;

		status = engine_events_look(s->events, upto, &id, &ev, &s->error);
		if (status <= 0)
			break;
		s->lot.reached = id;
		if (engine_events_pass(s->events, &ev) &&
			lot_add(s, id, &ev, engine_events_block(s->events),
				lf_events_walk(s->events)) != 0) {
			status = error_set(&s->error, ERR_OUT_OF_MEMORY, 0, NULL);
			break;
		}
	}
	s->seen = status == 0 ? visible : UINT64_MAX;
	s->lot.last = status == 0 && visible >= s->until;
	if (status < 0)
		lot_failed(s);
	else if (s->lot.events > 0 || s->lot.last)
		lot_ready(s);
}

/* --- the port's side --- */

int lf_stream_open(struct lf_stream **out, struct lf_port *port, const struct lf_events_options *o,
	bool follow, struct error *e)
{
	struct event_service *service = &port->engine->events;
	struct lf_stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	s->port = port;
	s->seen = UINT64_MAX;
	s->until = follow ? UINT64_MAX : lf_visible(port->engine);
	if (lf_events_open(&s->events, port->engine, o, e) != 0) {
		free(s);
		return -1;
	}
	s->lot.reached = engine_events_reached(s->events);
	atomic_store(&s->state, LOT_READY);
	pthread_mutex_lock(&service->lock);
	s->next = service->coming;
	service->coming = s;
	pthread_mutex_unlock(&service->lock);
	park_wake(&service->parker);
	*out = s;
	return 0;
}

void lf_stream_close(struct lf_stream *s)
{
	struct event_service *service;

	if (s == NULL)
		return;
	/* Once it says that it is closed it may be freed. */
	service = &s->port->engine->events;
	atomic_store(&s->closed, true);
	park_wake(&service->parker);
}

const struct lf_lot *lf_stream_peek(struct lf_stream *s)
{
	return atomic_load_explicit(&s->state, memory_order_acquire) == LOT_READY ? &s->lot : NULL;
}

void lf_stream_take(struct lf_stream *s)
{
	ASSERT(lf_stream_peek(s) != NULL);
	/* The end is the end. */
	if (s->lot.last || s->lot.error != NULL)
		return;
	atomic_store(&s->state, LOT_FILLING);
	park_wake(&s->port->engine->events.parker);
}

bool lf_port_streams(struct lf_port *port)
{
	return atomic_load_explicit(&port->streams, memory_order_relaxed) &&
		atomic_exchange(&port->streams, false);
}

/* --- the thread --- */

static void stream_free(struct lf_stream *s)
{
	lf_events_close(s->events);
	free(s->data);
	free(s);
}

static void streams_take(struct event_service *service)
{
	struct lf_stream *s;

	pthread_mutex_lock(&service->lock);
	s = service->coming;
	service->coming = NULL;
	pthread_mutex_unlock(&service->lock);
	for (struct lf_stream *next; s != NULL; s = next) {
		next = s->next;
		s->next = service->streams;
		service->streams = s;
	}
}

static bool is_due(const struct lf_stream *s, uint64_t visible)
{
	return atomic_load_explicit(&s->closed, memory_order_acquire) ||
		(atomic_load_explicit(&s->state, memory_order_acquire) == LOT_FILLING &&
			s->seen != visible);
}

bool engine_events_step(struct lf_engine *engine)
{
	struct event_service *service = &engine->events;
	bool did = false;

	streams_take(service);
	for (struct lf_stream **at = &service->streams; *at != NULL;) {
		struct lf_stream *s = *at;
		uint64_t visible = lf_visible(engine);

		if (!is_due(s, visible)) {
			at = &s->next;
			continue;
		}
		did = true;
		if (atomic_load(&s->closed)) {
			*at = s->next;
			stream_free(s);
			continue;
		}
		lot_fill(s, visible);
		at = &s->next;
	}
	return did;
}

static bool service_has_work(struct lf_engine *engine)
{
	struct event_service *service = &engine->events;
	uint64_t visible;
	bool coming;

	pthread_mutex_lock(&service->lock);
	coming = service->coming != NULL;
	pthread_mutex_unlock(&service->lock);
	visible = lf_visible(engine);
	for (const struct lf_stream *s = service->streams; !coming && s != NULL; s = s->next)
		coming = is_due(s, visible);
	return coming;
}

static bool service_waits(const struct event_service *service)
{
	for (const struct lf_stream *s = service->streams; s != NULL; s = s->next)
		if (atomic_load_explicit(&s->state, memory_order_relaxed) == LOT_FILLING)
			return true;
	return false;
}

static void *service_thread(void *arg)
{
	struct lf_engine *engine = arg;
	struct event_service *service = &engine->events;

	while (!atomic_load(&service->stopping)) {
		if (engine_events_step(engine))
			continue;
		park_prepare(&service->parker);
		/* Nobody but us changes what it waits for; V may have risen before they knew. */
		atomic_store(&service->waiting, service_waits(service));
		atomic_thread_fence(memory_order_seq_cst);
		if (atomic_load(&service->stopping) || service_has_work(engine))
			park_cancel(&service->parker);
		else
			park_wait(&service->parker, SERVICE_WAIT_US);
		atomic_store(&service->waiting, false);
	}
	return NULL;
}

int engine_events_start(struct lf_engine *engine, struct error *e)
{
	struct event_service *service = &engine->events;

	if (!engine->options.event_log)
		return 0;
	if (pthread_create(&service->thread, NULL, service_thread, engine) != 0)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, "could not create the thread for events");
	(void)pthread_setname_np(service->thread, "events");
	service->started = true;
	return 0;
}

void engine_events_stop(struct lf_engine *engine)
{
	struct event_service *service = &engine->events;

	if (!service->started)
		return;
	atomic_store(&service->stopping, true);
	park_wake(&service->parker);
	pthread_join(service->thread, NULL);
	service->started = false;
}

void engine_events_free(struct lf_engine *engine)
{
	struct event_service *service = &engine->events;

	streams_take(service);
	while (service->streams != NULL) {
		struct lf_stream *s = service->streams;

		ASSERT(atomic_load(&s->closed));
		service->streams = s->next;
		stream_free(s);
	}
}
