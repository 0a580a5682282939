/*
 * engine_threads.c: the threads that step the projectors.
 *
 * A projector thread is a loop over projector_step() which parks when a step did nothing. Before it
 * sleeps it says so (park_prepare) and looks again, so that work which arrived in between is not missed.
 *
 * A port's thread may take a shard over (lf_port_adopt()): it steps it in lf_poll() and sleeps for both, and the
 * shard's own thread rests until it is given back. The shard is at any moment one thread's: the taker waits until the
 * other says that it rests, which it does after its last step, with no write under way.
 */
#include "core/engine_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "core/base/clock.h"

enum {
	PARK_US = 100000,       /* a parked projector looks after reclamation so often */
	PARK_RECLAIM_US = 1000, /* … while something waits to be freed */
	PARK_MEMORY_US = 200,   /* … while a build waits for memory */
	DRIVE_STEPS = 8 /* of an adopted shard, before its port looks at the network again */
};

static struct projector *projector_of(const struct engine_thread *t)
{
	return t->engine->set.projectors[t->shard];
}

static bool must_stop(const struct engine_thread *t)
{
	return atomic_load(&t->engine->set.pause) == PAUSE_STOP;
}

static bool shard_step(struct engine_thread *t)
{
	bool stop = must_stop(t);

	/* In one order with the load of `pause` in projector_step(): who stored PAUSE_STOP and then reads `paused` as
	 * true finds no step under way. */
	if (stop != atomic_load_explicit(&t->paused, memory_order_relaxed))
		atomic_store(&t->paused, stop);
	return projector_step(projector_of(t));
}

/* After park_prepare(): whether to sleep, and how long at most. */
static bool shard_idle(struct engine_thread *t, uint64_t *timeout_us)
{
	struct projector *p = projector_of(t);
	bool stopped = atomic_load_explicit(&t->paused, memory_order_relaxed);
	uint64_t most = PARK_US;

	if (stopped != must_stop(t))
		return false;
	/* While stopped, the shard belongs to the schema's thread: not even a look at it. */
	if (!stopped && projector_has_work(p))
		return false;
	if (!stopped && retire_bytes(projector_retire(p)) > 0)
		most = PARK_RECLAIM_US;
	if (!stopped && projector_build_waits(p))
		most = PARK_MEMORY_US;
	if (most < *timeout_us)
		*timeout_us = most;
	return true;
}

/* --- threads --- */

static void thread_rest(struct engine_thread *t)
{
	projector_let_go(projector_of(t));
	atomic_store(&t->resting, true);
	while (sem_wait(&t->back) != 0)
		ASSERT(errno == EINTR);
	atomic_store(&t->resting, false);
}

/* Look for work for a moment before sleeping for it. True: there was some, and it is done. */
static bool shard_spin(struct engine_thread *t)
{
	unsigned spin_us = t->engine->options.spin_us;
	uint64_t end;

	if (spin_us == 0)
		return false;
	end = clock_now_us() + spin_us;
	do {
		if (shard_step(t))
			return true;
		__builtin_ia32_pause();
	} while (clock_now_us() < end && !atomic_load(&t->engine->stopping) &&
		!atomic_load(&t->adopted));
	return false;
}

static void *projector_thread(void *arg)
{
	struct engine_thread *t = arg;
	struct projector *p = projector_of(t);
	struct parker *parker = projector_parker(p);

	while (!atomic_load(&t->engine->stopping)) {
		uint64_t timeout_us = UINT64_MAX;

		if (atomic_load(&t->adopted)) {
			thread_rest(t);
			continue;
		}
		if (shard_step(t) || shard_spin(t))
			continue;
		park_prepare(parker);
		if (atomic_load(&t->engine->stopping) || atomic_load(&t->adopted) ||
			!shard_idle(t, &timeout_us)) {
			park_cancel(parker);
			continue;
		}
		projector_sleep(p, timeout_us);
	}
	projector_let_go(p);
	return NULL;
}

int engine_threads_start(struct lf_engine *engine, struct error *e)
{
	for (unsigned s = 0; s < engine->options.projectors; s++) {
		struct engine_thread *t = &engine->threads[s];
		char name[24];

		t->engine = engine;
		t->shard = s;
		if (sem_init(&t->back, 0, 0) != 0 ||
			pthread_create(&t->thread, NULL, projector_thread, t) != 0)
			return error_set(
				e, ERR_OUT_OF_MEMORY, 0, "could not create a projector thread");
		t->started = true;
		(void)snprintf(name, sizeof(name), "projector-%u", s % 1000);
		(void)pthread_setname_np(t->thread, name);
	}
	if (engine_checkpoints_start(engine, e) != 0 || engine_events_start(engine, e) != 0)
		return -1;
	return engine_ddl_start(engine, e);
}

void engine_threads_stop(struct lf_engine *engine)
{
	engine_checkpoints_stop(engine);
	engine_ddl_stop(engine);
	atomic_store(&engine->stopping, true);
	for (unsigned s = 0; s < engine->options.projectors; s++) {
		struct engine_thread *t = &engine->threads[s];

		if (!t->started)
			continue;
		park_wake(projector_parker(engine->set.projectors[s]));
		pthread_join(t->thread, NULL);
		(void)sem_destroy(&t->back);
	}
}

/* --- adopted shards --- */

static void give_back(struct engine_thread *t)
{
	atomic_store(&t->adopted, false);
	(void)sem_post(&t->back);
}

/* Those who wake us may be about to write into it for a moment after we have let go: it is the engine's. */
static void event_add(void *arg)
{
	const struct lf_port *port = arg;
	uint64_t one = 1;

	/* EAGAIN: the counter is full, so it is readable. */
	(void)!write(port->event, &one, sizeof(one));
}

int lf_port_event(const struct lf_port *port)
{
	return port->event;
}

int lf_port_adopt(struct lf_port *port, unsigned shard, struct error *e)
{
	struct lf_engine *engine = port->engine;
	struct engine_thread *t = &engine->threads[shard];
	int status;

	ASSERT(!engine->options.stepped && shard < engine->set.shards);
	if (port->event < 0) {
		port->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (port->event < 0)
			return error_set(e, ERR_IO, 0, "eventfd: %s", strerror(errno));
		parker_init(&port->leader, event_add, port);
	}
	if (atomic_exchange(&t->adopted, true))
		return error_set(e, ERR_OBJECT_STATE, 0, "shard %u is adopted already", shard);
	while (!atomic_load(&t->resting)) {
		park_wake(projector_parker(projector_of(t)));
		engine_nap();
	}
	status = projector_lead(projector_of(t), &port->leader, port->event);
	if (status < 0) {
		give_back(t);
		return error_set(e, ERR_IO, 0, "io_uring_register: %s", strerror(-status));
	}
	port->adopted |= UINT64_C(1) << shard;
	return 0;
}

void lf_port_let_go(struct lf_port *port)
{
	while (port->adopted != 0) {
		unsigned s = (unsigned)__builtin_ctzll(port->adopted);
		struct engine_thread *t = &port->engine->threads[s];

		port->adopted &= port->adopted - 1;
		projector_let_go(projector_of(t));
		(void)projector_lead(projector_of(t), NULL, -1);
		give_back(t);
	}
}

bool port_step_adopted(struct lf_port *port)
{
	bool did = false;

	for (uint64_t left = port->adopted; left != 0; left &= left - 1) {
		struct engine_thread *t = &port->engine->threads[__builtin_ctzll(left)];
		unsigned n = 0;

		while (shard_step(t) && ++n < DRIVE_STEPS)
			;
		did |= n > 0;
	}
	return did;
}

bool port_adopted_idle(struct lf_port *port, uint64_t *timeout_us)
{
	bool idle = true;

	for (uint64_t left = port->adopted; idle && left != 0; left &= left - 1) {
		struct engine_thread *t = &port->engine->threads[__builtin_ctzll(left)];

		park_prepare(projector_parker(projector_of(t)));
		idle = shard_idle(t, timeout_us);
	}
	return idle;
}

void port_adopted_awake(struct lf_port *port)
{
	for (uint64_t left = port->adopted; left != 0; left &= left - 1)
		projector_awake(projector_of(&port->engine->threads[__builtin_ctzll(left)]));
}
