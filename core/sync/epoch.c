/*
 * epoch.c: epochs, visibility and reclamation.
 *
 * State: E current epoch, and whether it is held; used, the newest epoch anyone entered; open[s], the epoch that shard s is
 * in, or NONE (infinity); finished[k][s], for stages k >= 1; unwritten[s], the oldest epoch that has something which
 * the shard's journal has not written, or NONE; V; pin[r] of each reader, or NONE.
 *
 * Invariants
 *   (1) V < E, and V, E, used, finished never go down.
 *   (2) used <= E.
 *   (3) sealed(e): E > e and open[s] > e for all s. Once sealed, nobody works in e again.
 *   (4) V <= sealed, V <= finished[k][s] for every stage and shard, V < unwritten[s] once the epoch is sealed.
 *   (5) what was replaced at epoch n is not freed while a reader is pinned below n.
 *
 * (3). enter: store open[s] = e (a); fence; load E (b), and only if it still is e go on. A sealer loads
 * E > e (c); fence; loads open[s] (d). If (d) does not see (a), the sealer's fence comes before the
 * shard's, so (b) sees what (c) saw, E > e, and the shard tries again with a newer epoch. A shard that
 * leaves stores NONE with release, so who seals e sees all the work done in e (acquire in (d)); V is
 * stored with release and loaded with acquire, so readers do too.
 *
 * (4). V is raised by compare-and-swap to the minimum of values which only grow, so a slow thread that
 * computed an old minimum changes nothing.
 *
 * A shard that journals stores unwritten[s] before it leaves the epoch, so who sees the epoch sealed sees that, or that
 * it has been written since; unwritten is loaded after open. It goes down only to the epoch that the shard is in, which
 * is not sealed.
 *
 * V is never stuck. Who leaves, finishes or has written stores (a), then fences, then in epoch_advance()
 * computes the minimum from all others' values (b). Of two who do so at the same time the one whose fence
 * is later sees the other's store; so the last one computes with everyone's final values. Before computing,
 * it moves E past a used epoch unless too many are in flight; and if V rose, it tries again, since that may
 * have been what was too many. So after the last call of a busy period E > used, all are sealed, and V
 * is as far as the stages allow; a shard that has nothing to do in a later stage must still call
 * epoch_finish(), and the engine wakes it for that.
 *
 * While E is held it does not move, so it is not sealed, and V stays below it: who enters meanwhile enters E. That it is held
 * is a bit of the word that E is, so that nobody moves an E that has been held since he looked. What was said of V that is
 * never stuck holds from the release on, which is such a store as others are and is followed by epoch_advance().
 *
 * (5). pin: load V = v; store pin = v (a); fence; load V again (b), and only if it still is v go on. The
 * reclaimer loads V = w (c); fence; loads pin (d). If (d) does not see (a), the reclaimer's fence comes
 * first, so (b) sees at least w: v >= w, and nothing replaced after w is freed. If it does, nothing
 * replaced after v is.
 *
 * Thread sanitizer does not model fences; the stores and loads marked seq_cst below carry the argument
 * for it as well.
 */
#include "core/sync/epoch.h"

#include <stdatomic.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/limits.h"
#include "core/base/probe.h"

#define NONE UINT64_MAX
/* Of the word that E is. */
#define HELD ((uint64_t)1 << 63)

struct line {
	_Alignas(64) _Atomic uint64_t value;
};

struct epochs {
	/* fixed */
	struct heap *heap;
	unsigned shards, readers_max;
	void (*hook)(void *arg, uint64_t v);
	void *hook_arg;
	/* changed when idle only */
	_Atomic unsigned stages;
	/* written by anyone */
	struct line current, used, visible;
	/* written by the shard */
	struct line open[LIMIT_PROJECTORS];
	struct line unwritten[LIMIT_PROJECTORS];
	struct line finished[LIMIT_STAGES][LIMIT_PROJECTORS];
	/* written by the reader; a free slot is `FREE` */
	struct line pins[LIMIT_READERS];
	_Atomic bool taken[LIMIT_READERS];
};

_Static_assert(LIMIT_EPOCHS_IN_FLIGHT >= 1, "one epoch must be able to be under way");

static uint64_t get(const struct line *l)
{
	return atomic_load_explicit(&l->value, memory_order_seq_cst);
}

static void put(struct line *l, uint64_t v)
{
	atomic_store_explicit(&l->value, v, memory_order_seq_cst);
}

static uint64_t current(const struct epochs *ep)
{
	return get(&ep->current) & ~HELD;
}

/* Raise to v; false when it is there already. */
static bool raise_to(struct line *l, uint64_t v)
{
	uint64_t old = atomic_load_explicit(&l->value, memory_order_relaxed);

	while (old < v)
		if (atomic_compare_exchange_weak_explicit(
			    &l->value, &old, v, memory_order_seq_cst, memory_order_relaxed))
			return true;
	return false;
}

struct epochs *epochs_new(struct heap *h, unsigned shards, unsigned readers_max)
{
	struct epochs *ep;

	ASSERT(shards >= 1 && shards <= LIMIT_PROJECTORS && readers_max <= LIMIT_READERS);
	ep = heap_alloc_aligned(h, sizeof(*ep), 64);
	if (ep == NULL)
		return NULL;
	memset(ep, 0, sizeof(*ep));
	ep->heap = h;
	ep->shards = shards;
	ep->readers_max = readers_max;
	atomic_init(&ep->stages, 1);
	put(&ep->current, 1);
	for (unsigned s = 0; s < shards; s++) {
		put(&ep->open[s], NONE);
		put(&ep->unwritten[s], NONE);
	}
	for (unsigned r = 0; r < readers_max; r++)
		put(&ep->pins[r], NONE);
	return ep;
}

void epochs_free(struct epochs *ep)
{
	heap_free(ep->heap, ep, sizeof(*ep));
}

uint64_t epoch_enter(struct epochs *ep, unsigned shard)
{
	uint64_t e = current(ep);

	for (;;) {
		uint64_t again;

		put(&ep->open[shard], e);
		atomic_thread_fence(memory_order_seq_cst); /* (3): open before E */
		again = current(ep);
		if (again == e)
			break;
		e = again;
	}
	raise_to(&ep->used, e);
	PROBE2(epoch_enter, shard, e);
	return e;
}

void epoch_leave(struct epochs *ep, unsigned shard)
{
	put(&ep->open[shard], NONE);
	atomic_thread_fence(
		memory_order_seq_cst); /* our leaving before what epoch_advance() reads */
}

static uint64_t sealed(const struct epochs *ep)
{
	uint64_t e = current(ep) - 1;

	atomic_thread_fence(memory_order_seq_cst); /* (3): E before open */
	for (unsigned s = 0; s < ep->shards; s++) {
		uint64_t open = get(&ep->open[s]);

		if (open != NONE && open - 1 < e)
			e = open - 1;
	}
	return e;
}

static uint64_t finished_min(const struct epochs *ep, unsigned stage)
{
	uint64_t n = NONE;

	for (unsigned s = 0; s < ep->shards; s++) {
		uint64_t f = get(&ep->finished[stage][s]);

		if (f < n)
			n = f;
	}
	return n;
}

static uint64_t visible_now(const struct epochs *ep)
{
	uint64_t v = sealed(ep);
	unsigned stages = atomic_load_explicit(&ep->stages, memory_order_relaxed);

	for (unsigned k = 1; k < stages; k++) {
		uint64_t n = finished_min(ep, k);

		if (n < v)
			v = n;
	}
	for (unsigned s = 0; s < ep->shards; s++) {
		uint64_t n = get(&ep->unwritten[s]);

		if (n != NONE && n - 1 < v)
			v = n - 1;
	}
	return v;
}

/* E moves past an epoch that was entered, unless it is held or too many are in flight. */
static void current_move(struct epochs *ep)
{
	uint64_t e = get(&ep->current);

	if ((e & HELD) != 0 || get(&ep->used) < e || e - get(&ep->visible) > LIMIT_EPOCHS_IN_FLIGHT)
		return;
	if (atomic_compare_exchange_strong_explicit(
		    &ep->current.value, &e, e + 1, memory_order_seq_cst, memory_order_relaxed))
		PROBE1(epoch_seal, e);
}

bool epoch_advance(struct epochs *ep)
{
	bool rose = false;

	for (;;) {
		uint64_t v;

		current_move(ep);
		v = visible_now(ep);
		if (!raise_to(&ep->visible, v))
			return rose;
		rose = true;
		PROBE1(epoch_visible, v);
		if (ep->hook != NULL)
			ep->hook(ep->hook_arg, v);
	}
}

uint64_t epoch_current(const struct epochs *ep)
{
	return current(ep);
}

bool epoch_hold(struct epochs *ep)
{
	uint64_t e = get(&ep->current);

	while ((e & HELD) == 0)
		if (atomic_compare_exchange_weak_explicit(&ep->current.value, &e, e | HELD,
			    memory_order_seq_cst, memory_order_relaxed))
			return true;
	return false;
}

void epoch_release(struct epochs *ep)
{
	ASSERT((get(&ep->current) & HELD) != 0);
	/* Nobody else changes the word while it is held. */
	put(&ep->current, current(ep));
	atomic_thread_fence(memory_order_seq_cst); /* as in epoch_leave() */
}

uint64_t epoch_visible(const struct epochs *ep)
{
	return atomic_load_explicit(&ep->visible.value, memory_order_acquire);
}

bool epochs_idle(const struct epochs *ep)
{
	for (unsigned s = 0; s < ep->shards; s++)
		if (get(&ep->open[s]) != NONE)
			return false;
	return get(&ep->used) <= get(&ep->visible);
}

uint64_t epoch_ready(const struct epochs *ep, unsigned stage)
{
	DEBUG_ASSERT(stage >= 1);
	return stage == 1 ? sealed(ep) : finished_min(ep, stage - 1);
}

void epoch_finish(struct epochs *ep, unsigned shard, unsigned stage, uint64_t n)
{
	ASSERT(stage >= 1 && stage < LIMIT_STAGES);
	DEBUG_ASSERT(n >= get(&ep->finished[stage][shard]));
	put(&ep->finished[stage][shard], n);
	atomic_thread_fence(memory_order_seq_cst); /* as in epoch_leave() */
}

void epochs_set_stages(struct epochs *ep, unsigned stages)
{
	uint64_t v = get(&ep->visible);

	ASSERT(stages >= 1 && stages <= LIMIT_STAGES && epochs_idle(ep));
	for (unsigned k = 1; k < LIMIT_STAGES; k++)
		for (unsigned s = 0; s < ep->shards; s++)
			put(&ep->finished[k][s], v);
	atomic_store(&ep->stages, stages);
}

void epoch_set_unwritten(struct epochs *ep, unsigned shard, uint64_t oldest)
{
	put(&ep->unwritten[shard], oldest);
	atomic_thread_fence(memory_order_seq_cst); /* as in epoch_leave() */
}

uint64_t epoch_unwritten(const struct epochs *ep, unsigned shard)
{
	return get(&ep->unwritten[shard]);
}

void epochs_start(struct epochs *ep, uint64_t first)
{
	ASSERT(epochs_idle(ep) && first >= get(&ep->current)); /* and so it is not held */
	put(&ep->current, first);
	put(&ep->used, first - 1);
	for (unsigned k = 1; k < LIMIT_STAGES; k++)
		for (unsigned s = 0; s < ep->shards; s++)
			put(&ep->finished[k][s], first - 1);
	put(&ep->visible, first - 1);
}

void epochs_on_visible(struct epochs *ep, void (*fn)(void *arg, uint64_t v), void *arg)
{
	ep->hook = fn;
	ep->hook_arg = arg;
}

int epoch_reader_open(struct epochs *ep)
{
	for (unsigned r = 0; r < ep->readers_max; r++) {
		bool taken = false;

		if (atomic_compare_exchange_strong(&ep->taken[r], &taken, true))
			return (int)r;
	}
	return -1;
}

void epoch_reader_close(struct epochs *ep, unsigned reader)
{
	ASSERT(get(&ep->pins[reader]) == NONE);
	atomic_store(&ep->taken[reader], false);
}

uint64_t epoch_pin(struct epochs *ep, unsigned reader)
{
	uint64_t v = get(&ep->visible);

	for (;;) {
		uint64_t again;

		put(&ep->pins[reader], v);
		atomic_thread_fence(memory_order_seq_cst); /* (5): pin before V */
		again = get(&ep->visible);
		if (again == v)
			return v;
		v = again;
	}
}

void epoch_unpin(struct epochs *ep, unsigned reader)
{
	/* Release: our reads of what the pin protects come before. */
	atomic_store_explicit(&ep->pins[reader].value, NONE, memory_order_release);
}

uint64_t epoch_reclaimable(const struct epochs *ep)
{
	uint64_t n = get(&ep->visible);

	atomic_thread_fence(memory_order_seq_cst); /* (5): V before pins */
	for (unsigned r = 0; r < ep->readers_max; r++) {
		uint64_t pin = get(&ep->pins[r]);

		if (pin < n)
			n = pin;
	}
	return n;
}

void epochs_check(const struct epochs *ep)
{
	uint64_t v = get(&ep->visible), e = current(ep);

	ASSERT(v < e && get(&ep->used) <= e);
	ASSERT(e - v <= LIMIT_EPOCHS_IN_FLIGHT + 1);
	ASSERT(v <= sealed(ep));
	for (unsigned r = 0; r < ep->readers_max; r++)
		ASSERT(get(&ep->pins[r]) == NONE || get(&ep->pins[r]) <= v);
}
