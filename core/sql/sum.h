/*
 * sum.h: sum() and avg() as state that rows can be added to and retracted from, exactly.
 *
 * The result depends on the multiset of values only, never on the order in which they came or went:
 * integers and numerics are summed exactly and the scale of a numeric result is the largest scale
 * present, as PostgreSQL prints it; floats are summed as exact fixed-point numbers and rounded once
 * when read (PostgreSQL's own float sums depend on the order; ours is the correctly rounded sum).
 */
#ifndef LF_SQL_SUM_H
#define LF_SQL_SUM_H

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/store/value.h"

struct sum_scales;
struct sum_floats;
struct sum_spans;

/* Two's complement of 192 bits, hi:mid:lo: a bigint or a numeric times any number of rows. */
struct sum_192 {
	uint64_t lo, mid;
	int64_t hi;
};

/* Zero-initialised is empty. May be moved with memcpy. Which of the fields are used depends on the type of
 * the values, which is the same in every call. */
struct sum_state {
	int64_t count;             /* values present, NULLs not counted */
	struct sum_192 sum;        /* integers; numerics of `scale` */
	struct sum_scales *scales; /* numerics of other scales, NaN; NULL: none */
	union {
		struct sum_floats *floats; /* floats; NULL: none yet */
		struct sum_spans *spans;   /* intervals; NULL: none yet */
	};
	uint8_t scale; /* of `sum`; of intervals a mark */
};

/* Result types of sum(arg) and avg(arg), TYPE_UNKNOWN when there is no such aggregate. */
enum type_id sum_type(enum type_id arg);
enum type_id avg_type(enum type_id arg);

/* Add v `weight` times (negative: retract). NULL is ignored. 0, or -1 with 53200 and *s as before. What is
 * retracted was added before; in between counts may be negative. */
int sum_add(struct sum_state *s, const struct value *v, int64_t weight, struct heap *h,
	struct error *e);
/* arg: the type of the values. out: type sum_type(arg); NULL when count is 0. -1 with 22003 (22008
 * for intervals). */
int sum_result(const struct sum_state *s, enum type_id arg, struct value *out, struct error *e);
int avg_result(const struct sum_state *s, enum type_id arg, struct value *out, struct error *e);
/* Free what it owns; it is empty afterwards. */
void sum_free(struct sum_state *s, struct heap *h);

#endif
