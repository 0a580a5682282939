/*
 * ring.c: see ring.h.
 *
 * Indices count bytes and only grow (64 bits do not wrap); an index modulo the size is a place.
 *
 * Invariants
 *   released <= taken <= published <= written <= released + size        (1)
 *   all of them are multiples of 8; a message does not cross the end     (2)
 *
 * `published` is stored by the producer with release after the bytes of the messages and loaded by the
 * consumer with acquire, so the consumer reads whole messages. `released` is stored by the consumer with
 * release after its last read of the bytes and loaded by the producer with acquire, so the producer
 * overwrites only what has been read. The copies (`released_seen`, `published_seen`) are never newer than
 * the originals, which can make a ring look fuller or emptier than it is, never the other way.
 *
 * Frame: u32 length of the message, u32 bytes to the next frame; then the message. A frame whose length
 * is SKIP fills the rest up to the end.
 */
#include "core/sync/ring.h"

#include <stdatomic.h>
#include <string.h>

#include "core/base/assert.h"

struct frame {
	uint32_t len;
	uint32_t next;
};

#define SKIP UINT32_MAX

struct ring {
	/* fixed */
	struct heap *heap;
	unsigned char *bytes;
	uint64_t size, mask;
	/* producer */
	_Alignas(64) uint64_t written;
	uint64_t published_own;
	uint64_t released_seen;
	/* consumer */
	_Alignas(64) uint64_t taken;
	uint64_t released_own;
	uint64_t published_seen;
	uint64_t peeked; /* frame that ring_advance() will pass */
	/* shared, one writer each */
	_Alignas(64) _Atomic uint64_t published;
	_Alignas(64) _Atomic uint64_t released;
};

struct ring *ring_new(struct heap *h, uint32_t bytes)
{
	struct ring *r;

	ASSERT(bytes >= RING_BYTES_MIN && (bytes & (bytes - 1)) == 0);
	r = heap_alloc_aligned(h, sizeof(*r), 64);
	if (r == NULL)
		return NULL;
	memset(r, 0, sizeof(*r));
	r->heap = h;
	r->size = bytes;
	r->mask = bytes - 1;
	r->bytes = heap_alloc_aligned(h, bytes, 64);
	if (r->bytes == NULL) {
		heap_free(h, r, sizeof(*r));
		return NULL;
	}
	return r;
}

void ring_free(struct ring *r)
{
	heap_free(r->heap, r->bytes, r->size);
	heap_free(r->heap, r, sizeof(*r));
}

uint32_t ring_message_max(const struct ring *r)
{
	/* A message may have to skip the rest of the ring first, which is less than its own frame: half
	 * the ring always fits. */
	return (uint32_t)(r->size / 2 - sizeof(struct frame));
}

static uint64_t frame_size(uint32_t len)
{
	return sizeof(struct frame) + (((uint64_t)len + 7) & ~(uint64_t)7);
}

/* Whether `need` bytes can be written; refreshes the copy of `released` when it says no. */
static bool has_room(struct ring *r, uint64_t need)
{
	if (r->written + need <= r->released_seen + r->size)
		return true;
	r->released_seen = atomic_load_explicit(&r->released, memory_order_acquire);
	return r->written + need <= r->released_seen + r->size;
}

void *ring_reserve(struct ring *r, uint32_t len)
{
	uint64_t need = frame_size(len);
	uint64_t place = r->written & r->mask;
	uint64_t rest = r->size - place;

	DEBUG_ASSERT(len <= ring_message_max(r));
	if (need <= rest)
		return has_room(r, need) ? r->bytes + place + sizeof(struct frame) : NULL;
	if (!has_room(r, rest + need))
		return NULL;
	{
		struct frame skip = { SKIP, (uint32_t)rest };

		memcpy(r->bytes + place, &skip, sizeof(skip));
	}
	r->written += rest;
	return r->bytes + sizeof(struct frame);
}

void ring_commit(struct ring *r, uint32_t len)
{
	struct frame f = { len, (uint32_t)frame_size(len) };

	memcpy(r->bytes + (r->written & r->mask), &f, sizeof(f));
	r->written += f.next;
	DEBUG_ASSERT(r->written <= r->released_seen + r->size);
}

bool ring_publish(struct ring *r)
{
	if (r->written == r->published_own)
		return false;
	r->published_own = r->written;
	/* Release: the messages' bytes before the index that covers them. */
	atomic_store_explicit(&r->published, r->written, memory_order_release);
	return true;
}

const void *ring_peek(struct ring *r, uint32_t *len)
{
	for (;;) {
		struct frame f;

		if (r->taken == r->published_seen) {
			r->published_seen = atomic_load_explicit(
				&r->published, memory_order_acquire);
			if (r->taken == r->published_seen)
				return NULL;
		}
		memcpy(&f, r->bytes + (r->taken & r->mask), sizeof(f));
		if (f.len != SKIP) {
			r->peeked = f.next;
			*len = f.len;
			return r->bytes + (r->taken & r->mask) + sizeof(f);
		}
		r->taken += f.next;
	}
}

const void *ring_ahead(struct ring *r, uint64_t *at)
{
	uint64_t place = *at > r->taken ? *at : r->taken;
	struct frame f;

	for (;; place += f.next) {
		if (place == r->published_seen) {
			r->published_seen = atomic_load_explicit(
				&r->published, memory_order_acquire);
			if (place == r->published_seen)
				return NULL;
		}
		memcpy(&f, r->bytes + (place & r->mask), sizeof(f));
		if (f.len != SKIP)
			break;
	}
	*at = place + f.next;
	return r->bytes + (place & r->mask) + sizeof(f);
}

void ring_advance(struct ring *r)
{
	DEBUG_ASSERT(r->peeked != 0);
	r->taken += r->peeked;
	r->peeked = 0;
}

void ring_release(struct ring *r)
{
	if (r->released_own == r->taken)
		return;
	r->released_own = r->taken;
	/* Release: our last reads of the bytes before the producer may overwrite them. */
	atomic_store_explicit(&r->released, r->taken, memory_order_release);
}

bool ring_empty(const struct ring *r)
{
	return r->taken == atomic_load_explicit(&r->published, memory_order_acquire);
}

void ring_check(const struct ring *r)
{
	uint64_t published = atomic_load(&r->published), released = atomic_load(&r->released);
	uint64_t at = released;

	ASSERT(released <= r->taken && r->taken <= published && published <= r->written);
	ASSERT(r->written <= released + r->size);
	ASSERT(r->published_own == published && r->released_own == released);
	while (at < r->written) {
		struct frame f;

		ASSERT(at % 8 == 0);
		memcpy(&f, r->bytes + (at & r->mask), sizeof(f));
		ASSERT(f.next >= sizeof(f) && (at & r->mask) + f.next <= r->size);
		at += f.next;
	}
	ASSERT(at == r->written);
}
