/*
 * hold.c: see hold.h.
 *
 * Number and shards are one word, so that who takes the last shard from a hold, or breaks it, is one thread, and a late
 * message of a broken hold does nothing to the next. That thread releases the epoch and only then frees the word.
 */
#include "core/flow/hold.h"

#include "core/base/assert.h"
#include "core/base/limits.h"

enum { SHARD_BITS = 8 };
_Static_assert(LIMIT_PROJECTORS < 1 << SHARD_BITS, "the shards left fit beside the number");

uint64_t hold_begin(struct hold *h, struct epochs *epochs, unsigned shards)
{
	uint64_t number = atomic_fetch_add_explicit(&h->last, 1, memory_order_relaxed) + 1;
	uint64_t none = 0;
	bool held;

	if (atomic_load(&h->excluded) > 0 ||
		!atomic_compare_exchange_strong(&h->word, &none, number << SHARD_BITS | shards))
		return 0;
	/* After the word: a schema change sees the one, or we see the other. */
	if (atomic_load(&h->excluded) > 0) {
		atomic_store(&h->word, 0);
		return 0;
	}
	held = epoch_hold(epochs);
	ASSERT(held);
	return number;
}

static void release(struct hold *h, struct epochs *epochs)
{
	epoch_release(epochs);
	atomic_store(&h->word, 0);
}

void hold_end_shard(struct hold *h, struct epochs *epochs, uint64_t number)
{
	uint64_t word = atomic_load(&h->word);

	do {
		if (word >> SHARD_BITS != number || word == number << SHARD_BITS)
			return;
	} while (!atomic_compare_exchange_weak(&h->word, &word, word - 1));
	if (word - 1 == number << SHARD_BITS)
		release(h, epochs);
}

bool hold_break(struct hold *h, struct epochs *epochs, uint64_t number)
{
	uint64_t word = atomic_load(&h->word);

	do {
		if (word >> SHARD_BITS != number || word == number << SHARD_BITS)
			return false;
	} while (!atomic_compare_exchange_weak(&h->word, &word, number << SHARD_BITS));
	release(h, epochs);
	return true;
}

void hold_exclude(struct hold *h)
{
	atomic_fetch_add(&h->excluded, 1);
}

void hold_admit(struct hold *h)
{
	unsigned before = atomic_fetch_sub(&h->excluded, 1);

	ASSERT(before > 0);
}

bool hold_is_held(const struct hold *h)
{
	return atomic_load(&h->word) != 0;
}
