/*
 * sim_base.h: what the files of the simulation share: chance, the trace, the end of a run that went wrong.
 */
#ifndef LF_TESTS_SIM_BASE_H
#define LF_TESTS_SIM_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct random {
	uint64_t state;
};
uint64_t random_next(struct random *r);
/* n >= 1 */
unsigned random_below(struct random *r, unsigned n);
/* True once in n; never with n = 0. */
bool random_one_in(struct random *r, unsigned n);

/* Everything that happens goes into the trace: its hash must be the same when the seed is. With --verbose it is
 * printed, too. */
void trace(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
uint64_t trace_hash(void);
void trace_begin(uint64_t seed, bool verbose, const char *repeat);

/* Tell what is wrong, the seed and the command to repeat it; ends the program with 1. */
void wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* From now on it ends with 0: a defect was planted, and has to be found. */
void wrong_is_right(void);

#endif
