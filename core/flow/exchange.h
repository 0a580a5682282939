/*
 * exchange.h: deltas from one projector to another.
 *
 * One channel a (sender, receiver) pair: an unbounded list of chunks with one
 * producer and one consumer, each chunk of deltas of one stage and epoch. Unbounded on purpose: a projector must never wait for another
 * in the middle of an epoch (two could wait for each other); what bounds it is that few epochs are in
 * flight. Chunks are counted against the memory budget.
 *
 * Order: the sender links all chunks of (stage, epoch) before it says that it has finished the stage
 * before for that epoch (epoch_leave() or epoch_finish(), both a release); the receiver looks for
 * chunks after it has seen that (epoch_ready(), an acquire), so it finds them all.
 */
#ifndef LF_FLOW_EXCHANGE_H
#define LF_FLOW_EXCHANGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_budget;

/* One delta in a chunk; the row follows, then the next delta. Rows are multiples of 8 bytes. */
struct exchange_delta {
	uint32_t view_id;
	uint32_t edge;
	int64_t weight;
};

struct exchange_chunk {
	struct exchange_chunk *next; /* in the channel: set once by the sender; then the owner's */
	uint64_t epoch;
	uint32_t stage;
	uint32_t used, cap; /* bytes of data */
	uint32_t pad;
	unsigned char data[];
};

/* A list with the newest first: the sender pushes by compare-and-swap, the receiver takes all at once
 * and turns it round. No node is ever popped by itself, so there is no ABA problem. */
struct exchange_channel {
	_Alignas(64) _Atomic(struct exchange_chunk *) sent;
	_Alignas(64) struct exchange_chunk *taken; /* receiver's: oldest first */
};

void exchange_open(struct exchange_channel *c);
/* Frees what was never taken. */
void exchange_close(struct exchange_channel *c, struct heap_budget *budget);

/* Sender: a chunk to fill, not linked yet; NULL at the memory limit. */
struct exchange_chunk *exchange_chunk_new(
	struct heap_budget *budget, uint32_t stage, uint64_t epoch, uint32_t at_least);
/* Append a delta; false when it does not fit (take another chunk). */
bool exchange_append(struct exchange_chunk *k, uint32_t view_id, uint32_t edge, int64_t weight,
	const void *row, uint32_t size);
/* Sender: link the chunk; it belongs to the receiver then. */
void exchange_send(struct exchange_channel *c, struct exchange_chunk *k);

/* Receiver: the next chunk, owned by the caller from now on, or NULL. Give it back by
 * exchange_chunk_free(). */
struct exchange_chunk *exchange_take(struct exchange_channel *c);
bool exchange_empty(const struct exchange_channel *c);
void exchange_chunk_free(struct heap_budget *budget, struct exchange_chunk *k);

#endif
