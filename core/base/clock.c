#include "core/base/clock.h"
#include "core/base/assert.h"

#include <pthread.h>
#include <time.h>

static uint64_t clock_read_ns(clockid_t id)
{
	struct timespec t;

	ASSERT(clock_gettime(id, &t) == 0);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t clock_now_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_now_us(void)
{
	return clock_read_ns(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_wall_us(void)
{
	return (int64_t)(clock_read_ns(CLOCK_REALTIME) / 1000);
}

/* --- ticks --- */

static pthread_once_t ticks_once = PTHREAD_ONCE_INIT;
static uint64_t first_ticks, first_ns;

static void ticks_begin(void)
{
	first_ns = clock_now_ns();
	first_ticks = clock_ticks();
}

void clock_ticks_start(void)
{
	(void)pthread_once(&ticks_once, ticks_begin);
}

uint64_t clock_ticks_ns(uint64_t ticks)
{
	double ns = (double)(clock_now_ns() - first_ns),
	       all = (double)(clock_ticks() - first_ticks);

	return all > 0 ? (uint64_t)((double)ticks * ns / all) : 0;
}
