#include "tests/sim/sim_base.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024, HISTORY = 30 };

static struct {
	uint64_t hash, seed;
	bool verbose, planted;
	const char *repeat;
	char history[HISTORY][LINE_MAX_BYTES];
	unsigned nhistory;
} run;

uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

unsigned random_below(struct random *r, unsigned n)
{
	return (unsigned)((random_next(r) >> 32) * n >> 32);
}

bool random_one_in(struct random *r, unsigned n)
{
	return n > 0 && random_below(r, n) == 0;
}

void trace_begin(uint64_t seed, bool verbose, const char *repeat)
{
	run.hash = 0xcbf29ce484222325u;
	run.seed = seed;
	run.verbose = verbose;
	run.repeat = repeat;
	run.nhistory = 0;
}

void trace(const char *fmt, ...)
{
	char *line = run.history[run.nhistory++ % HISTORY];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, LINE_MAX_BYTES, fmt, ap);
	va_end(ap);
	for (const char *c = line; *c != '\0'; c++)
		run.hash = (run.hash ^ (unsigned char)*c) * 0x100000001b3u;
	if (run.verbose)
		printf("%s\n", line);
}

uint64_t trace_hash(void)
{
	return run.hash;
}

void wrong_is_right(void)
{
	run.planted = true;
}

void wrong(const char *fmt, ...)
{
	unsigned n = run.nhistory < HISTORY ? run.nhistory : HISTORY;
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "\nlast events:\n");
	for (unsigned i = run.nhistory - n; i < run.nhistory; i++)
		fprintf(stderr, "  %s\n", run.history[i % HISTORY]);
	fprintf(stderr, "\nseed %" PRIu64 ": wrong: ", run.seed);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nrepeat with: %s --seed %" PRIu64 " --verbose\n", run.repeat, run.seed);
	/* Not exit(): what is still allocated is no leak. */
	_exit(run.planted ? 0 : 1);
}
