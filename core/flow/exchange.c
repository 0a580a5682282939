/*
 * exchange.c: see exchange.h. Memory is the C library's, not a shard's heap, because a chunk is freed
 * by another thread than the one that made it; it is counted on the budget all the same.
 */
#include "core/flow/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/mem.h"

enum { CHUNK_BYTES = 32 << 10 };

void exchange_open(struct exchange_channel *c)
{
	atomic_init(&c->sent, NULL);
	c->taken = NULL;
}

void exchange_close(struct exchange_channel *c, struct heap_budget *budget)
{
	struct exchange_chunk *k;

	while ((k = exchange_take(c)) != NULL)
		exchange_chunk_free(budget, k);
}

struct exchange_chunk *exchange_chunk_new(
	struct heap_budget *budget, uint32_t stage, uint64_t epoch, uint32_t at_least)
{
	uint32_t cap = at_least > CHUNK_BYTES ? at_least : CHUNK_BYTES;
	struct exchange_chunk *k = malloc(sizeof(*k) + cap);

	if (k == NULL)
		return NULL;
	__atomic_fetch_add(&budget->used, sizeof(*k) + cap, __ATOMIC_RELAXED);
	k->next = NULL;
	k->epoch = epoch;
	k->stage = stage;
	k->used = 0;
	k->cap = cap;
	return k;
}

void exchange_chunk_free(struct heap_budget *budget, struct exchange_chunk *k)
{
	__atomic_fetch_sub(&budget->used, sizeof(*k) + k->cap, __ATOMIC_RELAXED);
	free(k);
}

bool exchange_append(struct exchange_chunk *k, uint32_t view_id, uint32_t edge, int64_t weight,
	const void *row, uint32_t size)
{
	struct exchange_delta d = { view_id, edge, weight };

	DEBUG_ASSERT(size % 8 == 0);
	if (k->cap - k->used < sizeof(d) + size)
		return false;
	memcpy(k->data + k->used, &d, sizeof(d));
	memcpy(k->data + k->used + sizeof(d), row, size);
	k->used += (uint32_t)sizeof(d) + size;
	return true;
}

void exchange_send(struct exchange_channel *c, struct exchange_chunk *k)
{
	struct exchange_chunk *newest = atomic_load_explicit(&c->sent, memory_order_relaxed);

	do {
		k->next = newest;
		/* Release: the chunk's bytes before the pointer to it. */
	} while (!atomic_compare_exchange_weak_explicit(
		&c->sent, &newest, k, memory_order_release, memory_order_relaxed));
}

struct exchange_chunk *exchange_take(struct exchange_channel *c)
{
	struct exchange_chunk *k = c->taken;

	if (k == NULL) {
		struct exchange_chunk *newest;

		if (atomic_load_explicit(&c->sent, memory_order_relaxed) == NULL)
			return NULL;
		newest = atomic_exchange_explicit(&c->sent, NULL, memory_order_acquire);
		while (newest != NULL) {
			struct exchange_chunk *older = newest->next;

			newest->next = k;
			k = newest;
			newest = older;
		}
	}
	ASSERT(k != NULL);
	c->taken = k->next;
	k->next = NULL;
	return k;
}

bool exchange_empty(const struct exchange_channel *c)
{
	return c->taken == NULL && atomic_load_explicit(&c->sent, memory_order_relaxed) == NULL;
}
