/*
 * function_time.c: functions and operators of dates, timestamps and intervals.
 */
#include "core/sql/datetime.h"
#include "core/sql/function_table.h"

/* --- date and time --- */

static int date_add_days(ARGS)
{
	int64_t days;

	(void)n;
	result(out, TYPE_DATE);
	if (a[0].i == DATE_INFINITY || a[0].i == DATE_NEG_INFINITY) {
		out->i = a[0].i;
		return 0;
	}
	days = a[0].i + a[1].i;
	if (!date_in_range(days))
		return error_set(c->error, ERR_DATETIME_OVERFLOW, 0, "date out of range");
	out->i = days;
	return 0;
}

static int date_sub_days(ARGS)
{
	struct value v[2] = { a[0], a[1] };

	v[1].i = -a[1].i;
	return date_add_days(out, v, n, c);
}

static int date_sub_date(ARGS)
{
	(void)n;
	result(out, TYPE_INT4);
	if (a[0].i == DATE_INFINITY || a[0].i == DATE_NEG_INFINITY || a[1].i == DATE_INFINITY ||
		a[1].i == DATE_NEG_INFINITY)
		return error_set(
			c->error, ERR_DATETIME_OVERFLOW, 0, "cannot subtract infinite dates");
	out->i = a[0].i - a[1].i;
	return 0;
}

static int time_add(ARGS)
{
	(void)n;
	return timestamp_add_interval(out, &a[0], &a[1], 1, c->error);
}

static int time_sub(ARGS)
{
	(void)n;
	return timestamp_add_interval(out, &a[0], &a[1], -1, c->error);
}

static int time_diff(ARGS)
{
	(void)n;
	return timestamp_subtract(out, &a[0], &a[1], c->error);
}

static int time_trunc(ARGS)
{
	(void)n;
	return datetime_trunc(out, &a[0], &a[1], c->error);
}

static int time_extract(ARGS)
{
	(void)n;
	return datetime_extract(out, &a[0], &a[1], true, c->error);
}

static int time_part(ARGS)
{
	(void)n;
	return datetime_extract(out, &a[0], &a[1], false, c->error);
}

/* With the arguments the other way round. */
static int days_add_date(ARGS)
{
	struct value v[2] = { a[1], a[0] };

	return date_add_days(out, v, n, c);
}

static int add_time(ARGS)
{
	struct value v[2] = { a[1], a[0] };

	return time_add(out, v, n, c);
}

static int span_add(ARGS)
{
	(void)n;
	return interval_add(out, &a[0], &a[1], 1, c->error);
}

static int span_sub(ARGS)
{
	(void)n;
	return interval_add(out, &a[0], &a[1], -1, c->error);
}

static int span_neg(ARGS)
{
	struct value zero = { .type = TYPE_INTERVAL };

	(void)n;
	return interval_add(out, &zero, &a[0], -1, c->error);
}

static int span_mul(ARGS)
{
	(void)n;
	return interval_mul(out, &a[0], a[1].d, c->error);
}

static int mul_span(ARGS)
{
	(void)n;
	return interval_mul(out, &a[1], a[0].d, c->error);
}

static int span_div(ARGS)
{
	(void)n;
	return interval_div(out, &a[0], a[1].d, c->error);
}

static const struct function FUNCTIONS[] = {
	/* name, arguments, strict, variadic, their types, result, what does it */
	{ "+", 2, true, false, { TYPE_DATE, TYPE_INT4 }, TYPE_DATE, date_add_days },
	{ "-", 2, true, false, { TYPE_DATE, TYPE_INT4 }, TYPE_DATE, date_sub_days },
	{ "-", 2, true, false, { TYPE_DATE, TYPE_DATE }, TYPE_INT4, date_sub_date },
	{ "+", 2, true, false, { TYPE_TIMESTAMP, TYPE_INTERVAL }, TYPE_TIMESTAMP, time_add },
	{ "-", 2, true, false, { TYPE_TIMESTAMP, TYPE_INTERVAL }, TYPE_TIMESTAMP, time_sub },
	{ "-", 2, true, false, { TYPE_TIMESTAMP, TYPE_TIMESTAMP }, TYPE_INTERVAL, time_diff },
	{ "date_trunc", 2, true, false, { TYPE_TEXT, TYPE_TIMESTAMP }, TYPE_TIMESTAMP, time_trunc },
	{ "+", 2, true, false, { TYPE_TIMESTAMPTZ, TYPE_INTERVAL }, TYPE_TIMESTAMPTZ, time_add },
	{ "-", 2, true, false, { TYPE_TIMESTAMPTZ, TYPE_INTERVAL }, TYPE_TIMESTAMPTZ, time_sub },
	{ "-", 2, true, false, { TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ }, TYPE_INTERVAL, time_diff },
	{ "date_trunc", 2, true, false, { TYPE_TEXT, TYPE_TIMESTAMPTZ }, TYPE_TIMESTAMPTZ,
		time_trunc },
	{ "+", 2, true, false, { TYPE_DATE, TYPE_INTERVAL }, TYPE_TIMESTAMP, time_add },
	{ "-", 2, true, false, { TYPE_DATE, TYPE_INTERVAL }, TYPE_TIMESTAMP, time_sub },
	{ "extract", 2, true, false, { TYPE_TEXT, TYPE_DATE }, TYPE_NUMERIC, time_extract },
	{ "date_part", 2, true, false, { TYPE_TEXT, TYPE_DATE }, TYPE_FLOAT8, time_part },
	{ "extract", 2, true, false, { TYPE_TEXT, TYPE_TIMESTAMP }, TYPE_NUMERIC, time_extract },
	{ "date_part", 2, true, false, { TYPE_TEXT, TYPE_TIMESTAMP }, TYPE_FLOAT8, time_part },
	{ "extract", 2, true, false, { TYPE_TEXT, TYPE_TIMESTAMPTZ }, TYPE_NUMERIC, time_extract },
	{ "date_part", 2, true, false, { TYPE_TEXT, TYPE_TIMESTAMPTZ }, TYPE_FLOAT8, time_part },
	{ "extract", 2, true, false, { TYPE_TEXT, TYPE_INTERVAL }, TYPE_NUMERIC, time_extract },
	{ "date_part", 2, true, false, { TYPE_TEXT, TYPE_INTERVAL }, TYPE_FLOAT8, time_part },
	{ "date_trunc", 2, true, false, { TYPE_TEXT, TYPE_INTERVAL }, TYPE_INTERVAL, time_trunc },
	{ "+", 2, true, false, { TYPE_INT4, TYPE_DATE }, TYPE_DATE, days_add_date },
	{ "+", 2, true, false, { TYPE_INTERVAL, TYPE_DATE }, TYPE_TIMESTAMP, add_time },
	{ "+", 2, true, false, { TYPE_INTERVAL, TYPE_TIMESTAMP }, TYPE_TIMESTAMP, add_time },
	{ "+", 2, true, false, { TYPE_INTERVAL, TYPE_TIMESTAMPTZ }, TYPE_TIMESTAMPTZ, add_time },
	{ "+", 2, true, false, { TYPE_INTERVAL, TYPE_INTERVAL }, TYPE_INTERVAL, span_add },
	{ "-", 2, true, false, { TYPE_INTERVAL, TYPE_INTERVAL }, TYPE_INTERVAL, span_sub },
	{ "-", 1, true, false, { TYPE_INTERVAL }, TYPE_INTERVAL, span_neg },
	{ "*", 2, true, false, { TYPE_INTERVAL, TYPE_FLOAT8 }, TYPE_INTERVAL, span_mul },
	{ "*", 2, true, false, { TYPE_FLOAT8, TYPE_INTERVAL }, TYPE_INTERVAL, mul_span },
	{ "/", 2, true, false, { TYPE_INTERVAL, TYPE_FLOAT8 }, TYPE_INTERVAL, span_div },
};

const struct function_list FUNCTIONS_TIME = { FUNCTIONS, sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]) };
