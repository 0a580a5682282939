/*
 * ring.h: a single-producer single-consumer ring of byte messages.
 *
 * Messages are contiguous (one that would cross the end begins at the start instead) and 8-aligned. The
 * producer fills any number of messages and makes them visible with one store (ring_publish); the
 * consumer walks over any number and gives their space back with one store (ring_release). Each side
 * keeps a copy of the other's index and reads the shared one only when the copy says full or empty. A full
 * ring refuses: nothing is dropped or overwritten.
 */
#ifndef LF_SYNC_RING_H
#define LF_SYNC_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/mem.h"

enum { RING_BYTES_MIN = 4096 };

struct ring;

/* bytes: a power of two >= RING_BYTES_MIN. NULL when out of memory. */
struct ring *ring_new(struct heap *h, uint32_t bytes);
void ring_free(struct ring *r);

/* Longest message that always fits in an empty ring. */
uint32_t ring_message_max(const struct ring *r);

/* --- producer --- */

/* Room for a message of up to len bytes (<= ring_message_max), or NULL when there is none now. Nothing is
 * taken until ring_commit(); calling it again gives the same room again. */
void *ring_reserve(struct ring *r, uint32_t len);
/* Append the message just reserved, now len bytes long, to the unpublished batch. */
void ring_commit(struct ring *r, uint32_t len);
/* Let the consumer see what was committed. False: there was nothing new. */
bool ring_publish(struct ring *r);

/* --- consumer --- */

/* Next message, or NULL when there is none; the same one until ring_advance(). */
const void *ring_peek(struct ring *r, uint32_t *len);
/* Past the message just peeked; its bytes stay valid until ring_release(). */
void ring_advance(struct ring *r);
/* Look ahead: the message at *at, which then moves to the one behind it; *at is 0 for the first message not
 * advanced over. NULL when nothing more is published. */
const void *ring_ahead(struct ring *r, uint64_t *at);
/* Give back the space of everything advanced over. */
void ring_release(struct ring *r);
/* Whether nothing is published that was not advanced over. Exact between park_prepare() and sleeping. */
bool ring_empty(const struct ring *r);

/* Invariants, for tests: call when both sides are quiet. */
void ring_check(const struct ring *r);

#endif
