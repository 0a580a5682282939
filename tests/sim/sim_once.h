/*
 * sim_once.h: clients of the simulation whose commands carry request ids. They send a command again until they have its
 * answer, over crashes, from any port, also while the first is under way, and now and then one that was answered. Every
 * command must be executed once, and be answered the same each time. The tables are their own.
 */
#ifndef LF_TESTS_SIM_ONCE_H
#define LF_TESTS_SIM_ONCE_H

#include "core/engine.h"
#include "tests/sim/sim_base.h"

/* In tags of their commands. */
#define ONCE_TAG ((uint64_t)1 << 62)

struct once;
/* With chance of its own, so that what others do by a seed stays. */
struct once *once_new(uint64_t seed);
void once_free(struct once *o);

void once_create(struct once *o, struct lf_port *port);
/* A run begins or ends: what was not answered will be sent again. */
void once_attach(struct once *o, struct lf_engine *engine);
void once_detach(struct once *o);
/* What was acknowledged may be lost. */
void once_adopt(struct once *o);

/* Send a new command, or one again, through a port; not always. */
void once_submit(struct once *o, struct lf_port *port);
/* Send all again that have no answer. Their number. */
unsigned once_submit_all(struct once *o, struct lf_port *port);
/* disk_bad: the disk has had no space, or an error, in this life. */
void once_reply(struct once *o, const struct lf_reply *reply, bool disk_bad);

/* Compare with what the port reads at its pinned epoch; `all`: everything was answered and written. */
void once_compare(struct once *o, struct lf_port *reader, uint64_t epoch, bool all);

uint64_t once_commands(const struct once *o);
uint64_t once_repeats(const struct once *o); /* answers compared with earlier ones */

#endif
