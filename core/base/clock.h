/*
 * clock.h: the two clocks. Monotonic for durations and time-outs, wall for what a person reads.
 */
#ifndef LF_BASE_CLOCK_H
#define LF_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds or microseconds since some moment in the past; never goes back. */
uint64_t clock_now_ns(void);
uint64_t clock_now_us(void);

/* Microseconds since 1970-01-01 00:00 UTC; may jump when the system's clock is set. */
int64_t clock_wall_us(void);

#endif
