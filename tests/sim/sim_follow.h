/*
 * sim_follow.h: clients of the simulation that follow queries: they read now and then, go and come back, outlive crashes; what
 * they were told must at every epoch add up to what the query gave there.
 */
#ifndef LF_TESTS_SIM_FOLLOW_H
#define LF_TESTS_SIM_FOLLOW_H

#include "core/engine.h"
#include "tests/sim/sim_base.h"
#include "tests/sim/sim_ledger.h"

struct followers;
/* They have chance of their own, so that without them the rest is as it was. */
struct followers *followers_new(uint64_t seed, struct ledger *ledger);
void followers_free(struct followers *f);

/* Of the engine that is to be opened: little history, much, or none that is kept. */
void followers_options(struct followers *f, struct lf_options *o);
/* A run begins, or ends: what they have they keep. */
void followers_attach(struct followers *f, struct lf_engine *engine);
void followers_detach(struct followers *f);
/* Some of them do something. */
void followers_round(struct followers *f);
/* Nothing is under way: all that follow read all there is, and have what the queries give. */
void followers_quiet(struct followers *f);
/* Groups and snapshots that were compared; gaps that were told. */
uint64_t followers_compared(const struct followers *f);
uint64_t followers_gaps(const struct followers *f);

#endif
