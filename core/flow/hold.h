/*
 * hold.h: holding the epoch: what is executed between begin and end belongs to one epoch, so that readers see all of it or
 * nothing, on whatever shards it is. It is visibility only: each command succeeds or fails by itself.
 *
 * One at a time. The end is a message to every shard behind the commands that belong together; the last shard that meets
 * it releases the epoch. Schema changes exclude holds, since they need all epochs to be done.
 */
#ifndef LF_FLOW_HOLD_H
#define LF_FLOW_HOLD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/sync/epoch.h"

struct hold {
	_Atomic uint64_t word; /* 0: free; else the hold's number and the shards still to end it */
	_Atomic uint64_t last; /* number given */
	_Atomic unsigned excluded; /* schema changes that want it, or have it */
};

/* The hold's number, never 0; 0: there is one already, or a schema change. */
uint64_t hold_begin(struct hold *h, struct epochs *epochs, unsigned shards);
/* A shard, in an epoch, has come to its end; nothing if it was broken before. */
void hold_end_shard(struct hold *h, struct epochs *epochs, uint64_t number);
/* End it at once, wherever its commands are; must be followed by epoch_advance(). False: it has ended. */
bool hold_break(struct hold *h, struct epochs *epochs, uint64_t number);

/* For schema changes: let no new one begin; go on when none is left; and let them again. */
void hold_exclude(struct hold *h);
void hold_admit(struct hold *h);
bool hold_is_held(const struct hold *h);

#endif
