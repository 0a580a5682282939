/*
 * park.h: putting a thread to sleep and waking it, without lost wake-ups.
 *
 *     sleeper                                   waker
 *     park_prepare(p);                          publish work;
 *     if (there is work) { park_cancel(p); … }  park_wake(p);
 *     else park_wait(p, timeout_us);
 *
 * The argument is at the head of park.c. A thread that sleeps in another way than on the futex (a reactor
 * in io_uring_enter) gives a wake function; it then sleeps its own way between park_prepare() and
 * park_cancel(). A thread that sleeps for another (a reactor that steps a projector) has that one's parker follow one of
 * its own, whose wake function is called instead. One who wakes may do so a moment after the following has ended: the
 * leader and what its function needs must live as long as there are such.
 */
#ifndef LF_SYNC_PARK_H
#define LF_SYNC_PARK_H

#include <stdatomic.h>
#include <stdint.h>

struct parker {
	_Alignas(64) _Atomic uint32_t state;
	void (*wake)(void *); /* NULL: futex */
	void *arg;
	_Atomic(struct parker *) leader;
};

void parker_init(struct parker *p, void (*wake)(void *), void *arg);

/* By the sleeper only. */
void park_prepare(struct parker *p);
void park_cancel(struct parker *p);
/* Sleep until woken, timeout_us at most; may return early for no reason. Ends as park_cancel() does. */
void park_wait(struct parker *p, uint64_t timeout_us);

/* From now on p is woken as `leader` is; NULL: as itself again. By the sleeper. */
void parker_follow(struct parker *p, struct parker *leader);

/* By anyone, after publishing what the sleeper looks for. A system call only when it sleeps. */
void park_wake(struct parker *p);

#endif
