/*
 * generator.h: values for the parameters of a custom workload's statements, from texts such as "uniform(1, 6)".
 *
 *   sequence, sequence(START)  START, START + 1, … (0 without)
 *   uniform(MIN, MAX)          integers, both ends among them
 *   zipf(N, S)                 0 … N-1, the k-th most frequent proportionally to 1/k^S; frequent ones are spread
 *   numeric(MIN, MAX, SCALE)   decimals with SCALE digits behind the point
 *   text(LENGTH)               lower-case letters
 *   constant(TEXT)             always the same, as PostgreSQL reads it for the parameter's type
 *   choice(TEXT|TEXT|…)        one of them, all alike
 *   now                        the time of day, or today
 *   uuid                       random ones (version 4)
 *
 * Integers are, for a date, days, and for a timestamp, microseconds from 2000-01-01.
 */
#ifndef LF_BENCH_GENERATOR_H
#define LF_BENCH_GENERATOR_H

#include "bench/load/random.h"
#include "net/client/leftfold.h"

enum { GENERATOR_LENGTH_MAX = 1 << 20, GENERATOR_SCALE_MAX = 18, GENERATOR_CHOICES_MAX = 256 };

struct generator {
	const struct generator_kind *kind; /* NULL: none */
	struct lf_type type;               /* of the parameter; generator_set() needs it */
	struct random random;
	struct keys keys;  /* zipf */
	int64_t from;      /* the next of a sequence, the least of a range */
	uint64_t width;    /* of a range: how many there are beyond the least */
	unsigned scale;    /* numeric */
	unsigned nchoices; /* and constant: 1 */
	size_t length;     /* of text */
	char *text;        /* what text() is made in, or the choices, each ended by a zero byte */
	const char *choices[GENERATOR_CHOICES_MAX];
};

/* 0; or -1 with what is wrong in `message`. */
int generator_parse(struct generator *out, const char *text, char *message, size_t cap);
void generator_free(struct generator *g);
/* Begin again; the same seed gives the same values (but for `now`). */
void generator_seed(struct generator *g, uint64_t seed);
const char *generator_name(const struct generator *g);
/* Whether it makes values of that type. */
bool generator_fits(const struct generator *g, struct lf_type type);
/* Set the parameter to the next value. What does not fit the parameter after all (22003…) is remembered by `p` and fails
 * its execution. */
void generator_set(struct generator *g, struct lf_params *p, unsigned param);

#endif
