/*
 * ticks.c: what clock.h says of ticks. Apart from clock.c, which a simulation replaces.
 */
#include <pthread.h>

#include "core/base/clock.h"

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
