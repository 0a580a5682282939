/*
 * sim_events.h: the event log of the simulation, and a group of consumers of it.
 *
 * The state is the left fold of the events: what the log's changes make of nothing must be what the tables have, whatever
 * crashes there were. Each command says its number as metadata: it must be there once in each of its aggregates, in the
 * order of numbers, and if it was acknowledged it must be there.
 *
 * A consumer takes part, acknowledges some events, and forgets others. What it is given for the first time of an aggregate
 * must be the next of that aggregate in the log, and in the end it must have been given all.
 */
#ifndef LF_TESTS_SIM_EVENTS_H
#define LF_TESTS_SIM_EVENTS_H

#include "core/engine.h"
#include "tests/sim/sim_base.h"

struct sim_events;
struct sim_events *events_new(uint64_t seed);
void events_free(struct sim_events *x);

/* What the engine needs for it. */
void events_options(struct lf_options *o);
/* A command was answered. */
void events_reply(struct sim_events *x, const struct lf_reply *reply);

/* All of the log, up to the epoch that the port has pinned, which is the newest. */
void events_compare(struct sim_events *x, struct lf_engine *engine, struct lf_port *reader);

/* The consumer: it begins and ends with the engine; a step of it; at rest it is given all that is left. */
void events_attach(
	struct sim_events *x, struct lf_engine *engine, struct lf_port *port, unsigned projectors);
void events_detach(struct sim_events *x);
void events_step(struct sim_events *x);
void events_drain(struct sim_events *x);

/* Events compared; given to the consumer. */
uint64_t events_compared(const struct sim_events *x);
uint64_t events_given(const struct sim_events *x);

#endif
