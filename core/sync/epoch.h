/*
 * epoch.h: the number that orders everything (the invariants and their proof open epoch.c).
 *
 * E is the current epoch, V the newest visible one. A shard enters E, works, leaves; an epoch that is
 * past and that nobody is in is sealed; it becomes visible when all shards have finished all later stages
 * of it (and, with a journal, have it on disk). At most LIMIT_EPOCHS_IN_FLIGHT epochs are between V and E.
 */
#ifndef LF_SYNC_EPOCH_H
#define LF_SYNC_EPOCH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/mem.h"

struct epochs;

/* shards: 1…LIMIT_PROJECTORS; readers_max: slots of epoch_reader_open(), up to LIMIT_READERS. NULL when out of memory. The
 * first epoch is 1; V is 0 then. */
struct epochs *epochs_new(struct heap *h, unsigned shards, unsigned readers_max);
void epochs_free(struct epochs *ep);
/* Go on with epoch `first`, as if all before had been; when epochs_idle() only. */
void epochs_start(struct epochs *ep, uint64_t first);

/* --- stage 0, by the shard's own thread --- */

/* Pin the current epoch; everything done up to epoch_leave() belongs to it. */
uint64_t epoch_enter(struct epochs *ep, unsigned shard);
/* Must be followed by epoch_advance(). */
void epoch_leave(struct epochs *ep, unsigned shard);

/* --- by anyone --- */

/* Begin a new epoch if the current one was entered and few enough are in flight; work out V anew. True
 * when V rose. Whoever leaves or finishes must call it afterwards. */
bool epoch_advance(struct epochs *ep);
uint64_t epoch_current(const struct epochs *ep);
/* Keep E from moving until epoch_release(): whatever is done from now until then by those who enter belongs to one epoch,
 * which readers see as a whole. False: it is held already. */
bool epoch_hold(struct epochs *ep);
/* By whom epoch_hold() gave it to. Must be followed by epoch_advance(). */
void epoch_release(struct epochs *ep);
/* Acquire: all that was done in epochs <= the value is seen. */
uint64_t epoch_visible(const struct epochs *ep);
/* Nobody is in an epoch and all that were entered are visible. */
bool epochs_idle(const struct epochs *ep);

/* --- later stages, by the shard's own thread --- */

/* Newest epoch whose stage `stage` - 1 all shards have finished (stage 1: sealed). stage >= 1. */
uint64_t epoch_ready(const struct epochs *ep, unsigned stage);
/* This shard has finished `stage` of all epochs <= n. Must be followed by epoch_advance(). */
void epoch_finish(struct epochs *ep, unsigned shard, unsigned stage, uint64_t n);
/* Number of stages, stage 0 included; when epochs_idle() only. Later stages count as finished up to V. */
void epochs_set_stages(struct epochs *ep, unsigned stages);

/* With a journal V also waits for it: the oldest epoch of which something of this shard is not written, UINT64_MAX when
 * all is. By the shard's own thread; lowered only to the epoch that it is in. Raising it must be followed by
 * epoch_advance(). */
void epoch_set_unwritten(struct epochs *ep, unsigned shard, uint64_t oldest);
/* By anyone. */
uint64_t epoch_unwritten(const struct epochs *ep, unsigned shard);

/* fn(arg, v) is called by whichever thread raised V to v, after that. One function; before threads. */
void epochs_on_visible(struct epochs *ep, void (*fn)(void *arg, uint64_t v), void *arg);

/* --- readers --- */

/* A slot, or -1 when all are taken. A slot is one thread's at a time. */
int epoch_reader_open(struct epochs *ep);
void epoch_reader_close(struct epochs *ep, unsigned reader);
/* Pin V: everything a reader of that epoch can need stays until epoch_unpin(). */
uint64_t epoch_pin(struct epochs *ep, unsigned reader);
void epoch_unpin(struct epochs *ep, unsigned reader);
/* What was replaced at epoch n may be freed when n <= this. */
uint64_t epoch_reclaimable(const struct epochs *ep);

/* Invariants, for tests. */
void epochs_check(const struct epochs *ep);

#endif
