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
#include "core/engine_stream.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/clock.h"

enum {
	LOT_KEEP_BYTES = MIB(1),
	LOT_LOOKS = 4096, /* events passed over before others have their turn */
	SERVICE_WAIT_US = 100000
};

/* --- lots --- */

static unsigned char *lot_room(struct lot_writer *w, size_t n)
{
	size_t cap = w->cap == 0 ? LOT_BYTES : w->cap;
	unsigned char *grown;

	while (cap < w->bytes + n)
		cap *= 2;
	if (cap > w->cap) {
		grown = realloc(w->data, cap);
		if (grown == NULL)
			return NULL;
		w->data = grown;
		w->cap = cap;
	}
	return w->data + w->bytes;
}

/* Whether this of the block's stands there already; from now on it does. */
static bool lot_knows(struct lot_writer *w, uint64_t id)
{
	for (unsigned i = 0; i < w->nknown; i++)
		if (w->known[i] == id)
			return true;
	if (w->nknown == LOT_KNOWN)
		w->nknown = 0;
	w->known[w->nknown++] = id;
	return false;
}

int lot_put(struct lot_writer *w, const void *bytes, size_t n)
{
	unsigned char *at = lot_room(w, n);

	if (at == NULL)
		return -1;
	if (n > 0)
		memcpy(at, bytes, n);
	w->bytes += n;
	return 0;
}

/* The tables of an event, its statement. An id is twice a table's, or twice a statement's number and one. */
static int lot_needs(struct lot_writer *w, const struct event_walk *walk, const struct event *ev)
{
	const struct event_statement *statement = ev->statement;
	struct entry_header h;
	struct event_change change;

	memcpy(&h, statement->entry, sizeof(h));
	if (!lot_knows(w, 2 * (uint64_t)h.relation + 1) &&
		lot_put(w, statement->entry, statement->bytes) != 0)
		return -1;
	for (uint64_t at = 0; event_change(ev, &at, &change);) {
		const struct event_table *t = event_walk_table(walk, change.table);

		if (!lot_knows(w, 2 * (uint64_t)t->id) && lot_put(w, t->entry, t->bytes) != 0)
			return -1;
	}
	return 0;
}

int lot_entries(
	struct lot_writer *w, const struct event *ev, uint64_t block, const struct event_walk *walk)
{
	if (block != w->block)
		w->nknown = 0;
	w->block = block;
	if (lot_needs(w, walk, ev) != 0)
		return -1;
	return lot_put(w, ev->entries, ev->bytes);
}

int lot_head(struct lot_writer *w, const struct event_head *head)
{
	return lot_put(w, head, sizeof(*head));
}

void lot_head_end(struct lot_writer *w, size_t begin)
{
	struct event_head head;

	memcpy(&head, w->data + begin, sizeof(head));
	head.bytes = (uint32_t)(w->bytes - begin - sizeof(head));
	memcpy(w->data + begin, &head, sizeof(head));
}

void lot_ready(struct lf_stream *s)
{
	struct event_service *service = &s->port->engine->events;

	s->lot.data = s->out.data;
	s->lot.bytes = s->out.bytes;
	/* Under the lock, so that who has closed it may go: nobody wakes it then. */
	pthread_mutex_lock(&service->lock);
	atomic_store_explicit(&s->state, LOT_READY, memory_order_release);
	if (!atomic_load_explicit(&s->closed, memory_order_relaxed)) {
		/* The port looks at it between saying that it sleeps and sleeping. */
		atomic_store(&s->port->streams, true);
		park_wake(&s->port->parker);
	}
	pthread_mutex_unlock(&service->lock);
}

void lot_failed(struct lf_stream *s)
{
	s->out.bytes = 0;
	s->lot.events = 0;
	s->lot.error = &s->error;
	lot_ready(s);
}

void lot_begin(struct lf_stream *s)
{
	struct event_id reached = s->lot.reached;

	if (s->out.cap > LOT_KEEP_BYTES) {
		free(s->out.data);
		s->out.data = NULL;
		s->out.cap = 0;
	}
	s->lot = (struct lf_lot){ .reached = reached };
	s->out.bytes = s->out.nknown = 0;
}

static int lot_add(struct lf_stream *s, struct event_id id, const struct event *ev)
{
	struct event_head head = { id.epoch, id.shard, id.number, 0, 0 };
	size_t begin = s->out.bytes;

	if (lot_head(&s->out, &head) != 0 ||
		lot_entries(&s->out, ev, engine_events_block(s->events),
			lf_events_walk(s->events)) != 0)
		return -1;
	lot_head_end(&s->out, begin);
	s->lot.events++;
	return 0;
}

/* Fill the lot with what there is up to the epoch. */
static void lot_fill(struct lf_stream *s, uint64_t visible)
{
	uint64_t upto = visible < s->until ? visible : s->until;
	int status = 1;

	lot_begin(s);
	for (unsigned n = 0; n < LOT_LOOKS && s->out.bytes < LOT_BYTES; n++) {
		struct event_id id;
		struct event ev;

		status = engine_events_look(s->events, upto, &id, &ev, &s->error);
		if (status <= 0)
			break;
		s->lot.reached = id;
		if (engine_events_pass(s->events, &ev) && lot_add(s, id, &ev) != 0) {
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

void stream_publish(struct lf_stream *s)
{
	struct event_service *service = &s->port->engine->events;

	pthread_mutex_lock(&service->lock);
	s->next = service->coming;
	service->coming = s;
	pthread_mutex_unlock(&service->lock);
	park_wake(&service->parker);
}

int lf_stream_open(struct lf_stream **out, struct lf_port *port, const struct lf_events_options *o,
	bool follow, struct error *e)
{
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
	stream_publish(s);
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
	pthread_mutex_lock(&service->lock);
	atomic_store(&s->closed, true);
	pthread_mutex_unlock(&service->lock);
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

static void stream_free(struct lf_engine *engine, struct lf_stream *s)
{
	consumer_stream_free(engine, s);
	lf_events_close(s->events);
	free(s->out.data);
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

static bool is_filling(const struct lf_stream *s)
{
	return atomic_load_explicit(&s->state, memory_order_acquire) == LOT_FILLING;
}

static bool is_due(struct lf_engine *engine, const struct lf_stream *s, uint64_t visible)
{
	if (atomic_load_explicit(&s->closed, memory_order_acquire))
		return true;
	if (s->member != NULL)
		return consumer_stream_due(engine, s);
	return is_filling(s) && s->seen != visible;
}

static bool stream_step(struct lf_engine *engine, struct lf_stream *s)
{
	uint64_t visible = lf_visible(engine);

	if (!is_due(engine, s, visible))
		return false;
	if (s->member != NULL)
		return consumer_stream_step(engine, s);
	lot_fill(s, visible);
	return true;
}

bool engine_events_step(struct lf_engine *engine)
{
	struct event_service *service = &engine->events;
	bool did = false;

	/* Stepped, what it does itself steps all others. */
	if (service->busy)
		return false;
	service->busy = true;
	streams_take(service);
	for (struct lf_stream **at = &service->streams; *at != NULL;) {
		struct lf_stream *s = *at;

		if (atomic_load(&s->closed)) {
			*at = s->next;
			stream_free(engine, s);
			did = true;
			continue;
		}
		did |= stream_step(engine, s);
		at = &s->next;
	}
	did |= consumers_step(engine);
	service->busy = false;
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
		coming = is_due(engine, s, visible);
	return coming || consumers_due(engine);
}

static bool service_waits(const struct event_service *service)
{
	for (const struct lf_stream *s = service->streams; s != NULL; s = s->next)
		if (is_filling(s))
			return true;
	return consumers_want(service);
}

void service_sleep(struct lf_engine *engine, uint64_t timeout_us)
{
	struct event_service *service = &engine->events;

	/* The port's answers wake the same parker. */
	if (service->port == NULL) {
		park_wait(&service->parker, timeout_us);
	} else if (lf_port_sleep(service->port, &timeout_us)) {
		park_wait(&service->parker, timeout_us);
		lf_port_awake(service->port);
	} else {
		park_cancel(&service->parker);
	}
}

static void *service_thread(void *arg)
{
	struct lf_engine *engine = arg;
	struct event_service *service = &engine->events;

	while (!atomic_load(&service->stopping)) {
		uint64_t wait;

		if (engine_events_step(engine))
			continue;
		park_prepare(&service->parker);
		/* Nobody but us changes what it waits for; V may have risen before they knew. */
		atomic_store(&service->waiting, service_waits(service));
		atomic_thread_fence(memory_order_seq_cst);
		wait = consumers_wait(engine);
		if (atomic_load(&service->stopping) || service_has_work(engine))
			park_cancel(&service->parker);
		else
			service_sleep(engine, wait < SERVICE_WAIT_US ? wait : SERVICE_WAIT_US);
		atomic_store(&service->waiting, false);
	}
	return NULL;
}

uint64_t engine_events_now(const struct lf_engine *engine)
{
	return engine->events.now_us != 0 ? engine->events.now_us : clock_now_us();
}

void lf_step_clock(struct lf_engine *engine, uint64_t us)
{
	ASSERT(engine->options.stepped);
	engine->events.now_us = us;
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

	if (service->started) {
		atomic_store(&service->stopping, true);
		park_wake(&service->parker);
		pthread_join(service->thread, NULL);
		service->started = false;
	}
	service->busy = true;
	streams_take(service);
	while (service->streams != NULL) {
		struct lf_stream *s = service->streams;

		ASSERT(atomic_load(&s->closed));
		service->streams = s->next;
		stream_free(engine, s);
	}
	consumers_close(engine);
}
