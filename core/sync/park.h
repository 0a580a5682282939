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
 * park_cancel().
 */
#ifndef LF_SYNC_PARK_H
#define LF_SYNC_PARK_H

#include <stdatomic.h>
#include <stdint.h>

struct parker {
	_Alignas(64) _Atomic uint32_t state;
	void (*wake)(void *); /* NULL: futex */
	void *arg;
};

void parker_init(struct parker *p, void (*wake)(void *), void *arg);

/* By the sleeper only. */
void park_prepare(struct parker *p);
void park_cancel(struct parker *p);
/* Sleep until woken, timeout_us at most; may return early for no reason. Ends as park_cancel() does. */
void park_wait(struct parker *p, uint64_t timeout_us);

/* By anyone, after publishing what the sleeper looks for. A system call only when it sleeps. */
void park_wake(struct parker *p);

#endif
