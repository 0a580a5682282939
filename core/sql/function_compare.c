/*
 * function_compare.c: the six comparison operators.
 */
#include "core/sql/datetime.h"
#include "core/sql/function_table.h"

#define COMPARE(name, op) \
	static int name(ARGS) \
	{ \
		(void)n; \
		(void)c; \
		result(out, TYPE_BOOL); \
		out->i = value_compare(&a[0], &a[1]) op 0; \
		return 0; \
	}
COMPARE(compare_eq, ==)
COMPARE(compare_ne, !=)
COMPARE(compare_lt, <)
COMPARE(compare_le, <=)
COMPARE(compare_gt, >)
COMPARE(compare_ge, >=)

/* A point in time as microseconds that have room for every date. */
static int128 time_wide(const struct value *v)
{
	const int128 infinity = (int128)1 << 100;

	if (v->type != TYPE_DATE)
		return v->i == TIMESTAMP_INFINITY        ? infinity
			: v->i == TIMESTAMP_NEG_INFINITY ? -infinity
							 : v->i;
	return v->i == DATE_INFINITY        ? infinity
		: v->i == DATE_NEG_INFINITY ? -infinity
					    : (int128)v->i * USECS_PER_DAY;
}

#define COMPARE_TIME(name, op) \
	static int name(ARGS) \
	{ \
		(void)n; \
		(void)c; \
		result(out, TYPE_BOOL); \
		out->i = time_wide(&a[0]) op time_wide(&a[1]); \
		return 0; \
	}
COMPARE_TIME(compare_time_ne, !=)
COMPARE_TIME(compare_time_lt, <)
COMPARE_TIME(compare_time_le, <=)
COMPARE_TIME(compare_time_gt, >)
COMPARE_TIME(compare_time_ge, >=)

/* All pairs that compare without a cast: a type with itself, and integers of different widths. */
#define PAIR(op, a, b, fn) \
	{ \
		op, 2, true, false, { a, b }, TYPE_BOOL, fn \
	}
#define COMPARISON(op, fn) \
	PAIR(op, TYPE_BOOL, TYPE_BOOL, fn), PAIR(op, TYPE_INT2, TYPE_INT2, fn), \
		PAIR(op, TYPE_INT4, TYPE_INT4, fn), PAIR(op, TYPE_INT8, TYPE_INT8, fn), \
		PAIR(op, TYPE_FLOAT4, TYPE_FLOAT4, fn), PAIR(op, TYPE_FLOAT8, TYPE_FLOAT8, fn), \
		PAIR(op, TYPE_NUMERIC, TYPE_NUMERIC, fn), PAIR(op, TYPE_TEXT, TYPE_TEXT, fn), \
		PAIR(op, TYPE_BPCHAR, TYPE_BPCHAR, fn), PAIR(op, TYPE_BYTEA, TYPE_BYTEA, fn), \
		PAIR(op, TYPE_DATE, TYPE_DATE, fn), PAIR(op, TYPE_TIMESTAMP, TYPE_TIMESTAMP, fn), \
		PAIR(op, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ, fn), \
		PAIR(op, TYPE_UUID, TYPE_UUID, fn), PAIR(op, TYPE_INTERVAL, TYPE_INTERVAL, fn), \
		PAIR(op, TYPE_INT2, TYPE_INT4, fn), PAIR(op, TYPE_INT2, TYPE_INT8, fn), \
		PAIR(op, TYPE_INT4, TYPE_INT2, fn), PAIR(op, TYPE_INT4, TYPE_INT8, fn), \
		PAIR(op, TYPE_INT8, TYPE_INT2, fn), PAIR(op, TYPE_INT8, TYPE_INT4, fn), \
		PAIR(op, TYPE_FLOAT4, TYPE_FLOAT8, NULL), PAIR(op, TYPE_FLOAT8, TYPE_FLOAT4, NULL)

#define TIMES(op, fn) \
	PAIR(op, TYPE_DATE, TYPE_TIMESTAMP, fn), PAIR(op, TYPE_TIMESTAMP, TYPE_DATE, fn), \
		PAIR(op, TYPE_DATE, TYPE_TIMESTAMPTZ, fn), \
		PAIR(op, TYPE_TIMESTAMPTZ, TYPE_DATE, fn), \
		PAIR(op, TYPE_TIMESTAMP, TYPE_TIMESTAMPTZ, fn), \
		PAIR(op, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMP, fn)

static const struct function FUNCTIONS[] = {
	COMPARISON("=", compare_eq),
	COMPARISON("<>", compare_ne),
	COMPARISON("<", compare_lt),
	COMPARISON("<=", compare_le),
	COMPARISON(">", compare_gt),
	COMPARISON(">=", compare_ge),
	/* "=" casts a date instead: both sides of a join's equality must be of one type. */
	TIMES("<>", compare_time_ne),
	TIMES("<", compare_time_lt),
	TIMES("<=", compare_time_le),
	TIMES(">", compare_time_gt),
	TIMES(">=", compare_time_ge),
};

const struct function_list FUNCTIONS_COMPARE = { FUNCTIONS,
	sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]) };
