/*
 * retire.h: memory that readers may still look at, in the order in which it was replaced.
 *
 * One list a shard, used by its owner only. What was replaced at epoch n is freed once
 * epoch_reclaimable() >= n.
 */
#ifndef LF_SYNC_RETIRE_H
#define LF_SYNC_RETIRE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/mem.h"

struct retire;

struct retire *retire_new(struct heap *h);
/* Frees everything in it too. */
void retire_free(struct retire *l);

/* Make the next n retire_add() infallible. 0, or -1 when out of memory. */
int retire_reserve(struct retire *l, unsigned n);
/* p from heap_alloc of the list's heap, size bytes, replaced at `epoch` (not smaller than the one of
 * the call before, except that an older one only waits longer). */
void retire_add(struct retire *l, uint64_t epoch, void *p, size_t size);
/* Free what is due, oldest first, at most max objects. Returns how many. */
unsigned retire_run(struct retire *l, uint64_t reclaimable, unsigned max);
/* Bytes that wait. */
size_t retire_bytes(const struct retire *l);
/* Where the bytes of the heap are counted that wait or are the list's own, for its owner: what is used of the heap without
 * them is what everybody else holds. */
const size_t *retire_held_place(const struct retire *l);

#endif
