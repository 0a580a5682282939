/*
 * variance.h: variance and stddev, of population and sample, as state that rows can be added to and retracted from,
 * exactly.
 *
 * Integers and numerics give the numeric that PostgreSQL computes from the exact sums of values and squares. Floats give
 * the exact variance rounded once, and for stddev its root (PostgreSQL's depends on the order of rows).
 */
#ifndef LF_SQL_VARIANCE_H
#define LF_SQL_VARIANCE_H

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/store/value.h"

struct variance_part;
struct variance_floats;

/* Zero-initialised is empty. May be moved with memcpy. Which of the fields are used depends on the type of the values. */
struct variance_state {
	int64_t count;                  /* values present */
	int64_t odd;                    /* … that are NaN or infinite */
	struct variance_part *parts;    /* integers and numerics, one a scale */
	struct variance_floats *floats; /* floats */
	uint32_t nparts, cap;
};

/* Result type for values of a type, TYPE_UNKNOWN: there is no such aggregate. */
enum type_id variance_type(enum type_id arg);

/* Add v `weight` times (negative: retract). NULL is ignored. 0, or -1 with 53200 and *s as before. */
int variance_add(struct variance_state *s, const struct value *v, int64_t weight, struct heap *h,
	struct error *e);
/* arg: the type of the values. out: type variance_type(arg); NULL when there are too few. -1 with 22003. */
int variance_result(const struct variance_state *s, enum type_id arg, bool sample, bool root,
	struct value *out, struct error *e);
void variance_free(struct variance_state *s, struct heap *h);

#endif
