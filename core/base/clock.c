#include "core/base/clock.h"
#include "core/base/assert.h"

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
