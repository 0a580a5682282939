/*
 * regression.h: corr, covar_pop, covar_samp and regr_*: statistics of pairs of numbers (y, x) as state that pairs can be
 * added to and retracted from, exactly.
 *
 * All are computed from exact sums of x, y and their products, so no result depends on the order of rows (PostgreSQL's
 * do). Formulas: PostgreSQL's, float.c.
 */
#ifndef LF_SQL_REGRESSION_H
#define LF_SQL_REGRESSION_H

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/sql/function.h"

enum regression_kind {
	REGR_COUNT, /* bigint, all others are double precision */
	REGR_AVGX,
	REGR_AVGY,
	REGR_SXX,
	REGR_SYY,
	REGR_SXY,
	REGR_SLOPE,
	REGR_INTERCEPT,
	REGR_R2,
	REGR_CORR,
	REGR_COVAR_POP,
	REGR_COVAR_SAMP
};

struct regression_sums;

/* Zero-initialised is empty. May be moved with memcpy. */
struct regression_state {
	int64_t count;
	/* Of those the ones that are not finite: NaN, infinity, -infinity. */
	int64_t odd_x[3], odd_y[3];
	struct regression_sums *sums; /* of the finite ones; NULL: none yet */
};

/* (y, x), both double precision, as one value of 16 bytes (a uuid); NULL when either is. -0 becomes 0, so that pairs that
 * are equal have the same bytes. */
extern const struct function REGRESSION_PAIR;

/* Add a pair `weight` times (negative: retract). 0, or -1 with 53200 and *s as before. */
int regression_add(struct regression_state *s, const struct value *pair, int64_t weight,
	struct heap *h, struct error *e);
/* NULL where PostgreSQL has it: without pairs, or enough of them, or when all are in one line. -1 with 22003. */
int regression_result(const struct regression_state *s, enum regression_kind kind,
	struct value *out, struct error *e);
void regression_free(struct regression_state *s, struct heap *h);

#endif
