/*
 * clock.h: the two clocks. Monotonic for durations and time-outs, wall for what a person reads.
 */
#ifndef LF_BASE_CLOCK_H
#define LF_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds or microseconds since some moment in the past; never goes back. */
uint64_t clock_now_ns(void);
uint64_t clock_now_us(void);

/* What costs next to nothing to read: the processor's counter, or nanoseconds where there is none. Its differences are
 * turned into nanoseconds by clock_ticks_ns(), for which clock_ticks_start() must have been called before (by anyone, any
 * number of times). */
static inline uint64_t clock_ticks(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	return clock_now_ns();
#endif
}
void clock_ticks_start(void);
uint64_t clock_ticks_ns(uint64_t ticks);

/* Microseconds since 1970-01-01 00:00 UTC; may jump when the system's clock is set. */
int64_t clock_wall_us(void);

#endif
