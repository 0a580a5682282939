/*
 * park.c: see park.h.
 *
 * State is RUNNING or PARKED. The sleeper stores PARKED (a), then a full fence, then loads the work (b). The
 * waker stores the work (c), then a full fence, then loads the state (d). In the single total order of
 * the two fences either the sleeper's comes first, so that (d) sees (a) and the waker wakes; or the waker's
 * does, so that (b) sees (c) and the sleeper does not sleep. The wake itself is a compare-and-swap from
 * PARKED to RUNNING, so only one of many wakers pays for the system call; the futex sleeps only while the
 * state is PARKED, so a wake that comes before the sleep is not lost either.
 */
#include "core/sync/park.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { RUNNING, PARKED };

void parker_init(struct parker *p, void (*wake)(void *), void *arg)
{
	p->wake = wake;
	p->arg = arg;
	atomic_store(&p->leader, NULL);
	atomic_store(&p->state, RUNNING);
}

void parker_follow(struct parker *p, struct parker *leader)
{
	/* The swap of park_prepare() makes it known: a waker that sees PARKED sees it. */
	atomic_store_explicit(&p->leader, leader, memory_order_release);
}

void park_prepare(struct parker *p)
{
	/* Orders (a) before (b), see above. A swap instead of store and fence: it is the same cost and
	 * the thread sanitizer understands it. */
	(void)atomic_exchange_explicit(&p->state, PARKED, memory_order_seq_cst);
	atomic_thread_fence(memory_order_seq_cst);
}

void park_cancel(struct parker *p)
{
	atomic_store_explicit(&p->state, RUNNING, memory_order_release);
}

void park_wait(struct parker *p, uint64_t timeout_us)
{
	struct timespec t = { (time_t)(timeout_us / 1000000), (long)(timeout_us % 1000000) * 1000 };

	if (atomic_load_explicit(&p->state, memory_order_acquire) == PARKED)
		(void)syscall(SYS_futex, &p->state, FUTEX_WAIT_PRIVATE, PARKED, &t, NULL, 0);
	park_cancel(p);
}

void park_wake(struct parker *p)
{
	uint32_t parked = PARKED;
	struct parker *leader;

	/* Orders (c) before (d). */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&p->state, memory_order_relaxed) != PARKED)
		return;
	if (!atomic_compare_exchange_strong_explicit(
		    &p->state, &parked, RUNNING, memory_order_acq_rel, memory_order_relaxed))
		return;
	leader = atomic_load_explicit(&p->leader, memory_order_acquire);
	if (leader != NULL)
		p = leader;
	if (p->wake != NULL)
		p->wake(p->arg);
	else
		(void)syscall(SYS_futex, &p->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
