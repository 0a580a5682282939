/*
 * function_date.c: making and taking apart dates, timestamps and intervals.
 */
#include <math.h>

#include "core/sql/datetime.h"
#include "core/sql/function_table.h"

enum { DAYS_PER_MONTH = 30 };

#define JULIAN_2000 INT64_C(2451545)
#define EPOCH_2000 946684800.0 /* seconds since 1970 */

/* --- making --- */

/* Year, month and day as PostgreSQL counts them, with years before Christ below zero, to days since 2000. */
static int days_of(const struct value *a, int64_t *days, struct call *c)
{
	int64_t year = a[0].i < 0 ? a[0].i + 1 : a[0].i;

	if (a[0].i == 0 || a[0].i < -INT32_MAX || a[1].i < 1 || a[1].i > 12 || a[2].i < 1 ||
		a[2].i > month_days(year, (int)a[1].i))
		return error_set(c->error, ERR_DATETIME_OVERFLOW, 0,
			"date field value out of range: %lld-%02lld-%02lld", (long long)a[0].i,
			(long long)a[1].i, (long long)a[2].i);
	*days = date_to_julian(year, (int)a[1].i, (int)a[2].i) - JULIAN_2000;
	if (!date_in_range(*days))
		return error_set(c->error, ERR_DATETIME_OVERFLOW, 0,
			"date out of range: %lld-%02lld-%02lld", (long long)a[0].i,
			(long long)a[1].i, (long long)a[2].i);
	return 0;
}

static int make_date(ARGS)
{
	int64_t days = 0;

	(void)n;
	if (days_of(a, &days, c) != 0)
		return -1;
	result(out, TYPE_DATE);
	out->i = days;
	return 0;
}

static int make_time_of(struct value *out, const struct value *a, enum type_id t, struct call *c)
{
	int64_t days = 0, hour = a[3].i, minute = a[4].i;
	double second = a[5].d;
	int128 us;

	if (days_of(a, &days, c) != 0)
		return -1;
	if (hour < 0 || hour > 24 || minute < 0 || minute > 59 || !(second >= 0 && second <= 60) ||
		(hour == 24 && (minute > 0 || second > 0)))
		return error_set(c->error, ERR_DATETIME_OVERFLOW, 0,
			"time field value out of range: %lld:%02lld:%02g", (long long)hour,
			(long long)minute, second);
	us = (int128)days * USECS_PER_DAY + (hour * 60 + minute) * 60 * USECS_PER_SEC +
		(int64_t)rint(second * 1e6);
	if (us != (int64_t)us || !timestamp_in_range((int64_t)us))
		return error_set(c->error, ERR_DATETIME_OVERFLOW, 0, "timestamp out of range");
	result(out, t);
	out->i = (int64_t)us;
	return 0;
}

static int make_timestamp(ARGS)
{
	(void)n;
	return make_time_of(out, a, TYPE_TIMESTAMP, c);
}

static int make_timestamptz(ARGS)
{
	(void)n;
	return make_time_of(out, a, TYPE_TIMESTAMPTZ, c);
}

/* Whole numbers wrap around, as in PostgreSQL. */
static int make_interval(ARGS)
{
	uint32_t u[6] = { 0 };
	double seconds = n > 6 ? a[6].d : 0;

	for (unsigned i = 0; i < n && i < 6; i++)
		u[i] = (uint32_t)a[i].i;
	seconds = rint(seconds * 1e6);
	if (!(fabs(seconds) < 9.2e18))
		return error_set(c->error, ERR_DATETIME_OVERFLOW, 0, "interval out of range");
	result(out, TYPE_INTERVAL);
	out->iv.months = (int32_t)(u[0] * 12 + u[1]);
	out->iv.days = (int32_t)(u[2] * 7 + u[3]);
	out->iv.us = ((int64_t)(int32_t)u[4] * 3600 + (int64_t)(int32_t)u[5] * 60) * USECS_PER_SEC +
		(int64_t)seconds;
	return 0;
}

static int to_timestamp(ARGS)
{
	double seconds = a[0].d - EPOCH_2000, us = rint(seconds * 1e6);

	(void)n;
	result(out, TYPE_TIMESTAMPTZ);
	if (isinf(a[0].d)) {
		out->i = a[0].d < 0 ? TIMESTAMP_NEG_INFINITY : TIMESTAMP_INFINITY;
		return 0;
	}
	if (isnan(a[0].d))
		return error_set(c->error, ERR_DATETIME_OVERFLOW, 0, "timestamp cannot be NaN");
	if (!(fabs(us) < 9.22e18) || !timestamp_in_range((int64_t)us))
		return error_set(c->error, ERR_DATETIME_OVERFLOW, 0,
			"timestamp out of range: \"%g\"", a[0].d);
	out->i = (int64_t)us;
	return 0;
}

/* --- age --- */

/* What is negative takes from the next larger field. */
static void borrow(struct datetime *d, const struct datetime *month_of)
{
	if (d->usec < 0) {
		d->usec += (int32_t)USECS_PER_SEC;
		d->second--;
	}
	if (d->second < 0) {
		d->second += 60;
		d->minute--;
	}
	if (d->minute < 0) {
		d->minute += 60;
		d->hour--;
	}
	if (d->hour < 0) {
		d->hour += 24;
		d->day--;
	}
	while (d->day < 0) {
		d->day += month_days(month_of->year, month_of->month);
		d->month--;
	}
	while (d->month < 0) {
		d->month += 12;
		d->year--;
	}
}

/* Field by field, from the earlier to the later. */
static int time_age(ARGS)
{
	bool negative = a[0].i < a[1].i;
	const struct value *later = &a[negative], *earlier = &a[!negative];
	int64_t sign = negative ? -1 : 1;
	struct datetime x, y, d;

	(void)n;
	if (!timestamp_is_finite(a[0].i) || !timestamp_is_finite(a[1].i))
		return error_set(
			c->error, ERR_FEATURE, 0, "the age of an infinite time is not supported");
	timestamp_split(later->i, &x);
	timestamp_split(earlier->i, &y);
	d = (struct datetime){ x.year - y.year, x.month - y.month, x.day - y.day, x.hour - y.hour,
		x.minute - y.minute, x.second - y.second, x.usec - y.usec };
	borrow(&d, &y);
	return interval_make(out, sign * ((int64_t)d.year * 12 + d.month), sign * d.day,
		sign *
			((int64_t)((d.hour * 60 + d.minute) * 60 + d.second) * USECS_PER_SEC +
				d.usec),
		c->error);
}

/* --- intervals in larger units --- */

struct span {
	int64_t months, days, us;
};

static struct span span_of(const struct value *v)
{
	return (struct span){ v->iv.months, v->iv.days, v->iv.us };
}

static void days_from_time(struct span *s)
{
	s->days += s->us / USECS_PER_DAY;
	s->us %= USECS_PER_DAY;
}

static void months_from_days(struct span *s)
{
	s->months += s->days / DAYS_PER_MONTH;
	s->days %= DAYS_PER_MONTH;
}

/* Days and time with one sign. */
static void agree_time(struct span *s)
{
	if (s->days > 0 && s->us < 0) {
		s->us += USECS_PER_DAY;
		s->days--;
	} else if (s->days < 0 && s->us > 0) {
		s->us -= USECS_PER_DAY;
		s->days++;
	}
}

static int span_result(struct value *out, const struct span *s, struct call *c)
{
	return interval_make(out, s->months, s->days, s->us, c->error);
}

static int justify_hours(ARGS)
{
	struct span s = span_of(&a[0]);

	(void)n;
	days_from_time(&s);
	agree_time(&s);
	return span_result(out, &s, c);
}

static int justify_days(ARGS)
{
	struct span s = span_of(&a[0]);

	(void)n;
	months_from_days(&s);
	if (s.months > 0 && s.days < 0) {
		s.days += DAYS_PER_MONTH;
		s.months--;
	} else if (s.months < 0 && s.days > 0) {
		s.days -= DAYS_PER_MONTH;
		s.months++;
	}
	return span_result(out, &s, c);
}

static int justify_interval(ARGS)
{
	struct span s = span_of(&a[0]);

	(void)n;
	days_from_time(&s);
	months_from_days(&s);
	if (s.months > 0 && (s.days < 0 || (s.days == 0 && s.us < 0))) {
		s.days += DAYS_PER_MONTH;
		s.months--;
	} else if (s.months < 0 && (s.days > 0 || (s.days == 0 && s.us > 0))) {
		s.days -= DAYS_PER_MONTH;
		s.months++;
	}
	agree_time(&s);
	return span_result(out, &s, c);
}

/* --- the rest --- */

/* date_bin(stride, time, origin): the beginning of the stride that the time lies in. */
static int date_bin(ARGS)
{
	int128 stride = (int128)a[0].iv.days * USECS_PER_DAY + a[0].iv.us, from, begin;

	(void)n;
	result(out, (enum type_id)a[1].type);
	out->i = a[1].i;
	if (!timestamp_is_finite(a[1].i))
		return 0;
	if (!timestamp_is_finite(a[2].i))
		return error_set(c->error, ERR_DATETIME_OVERFLOW, 0, "origin out of range");
	if (a[0].iv.months != 0)
		return error_set(c->error, ERR_FEATURE, 0,
			"timestamps cannot be binned into intervals containing months or years");
	if (stride <= 0)
		return error_set(
			c->error, ERR_DATETIME_OVERFLOW, 0, "stride must be greater than zero");
	if (stride > INT64_MAX)
		return error_set(c->error, ERR_DATETIME_OVERFLOW, 0, "interval out of range");
	from = (int128)a[1].i - a[2].i;
	if (from != (int64_t)from)
		return error_set(c->error, ERR_DATETIME_OVERFLOW, 0, "interval out of range");
	begin = a[2].i + (from / stride - (from % stride < 0)) * stride;
	if (begin != (int64_t)begin || !timestamp_in_range((int64_t)begin))
		return error_set(c->error, ERR_DATETIME_OVERFLOW, 0, "timestamp out of range");
	out->i = (int64_t)begin;
	return 0;
}

static int is_finite(ARGS)
{
	(void)n;
	(void)c;
	result(out, TYPE_BOOL);
	out->i = a[0].type == TYPE_INTERVAL ||
		(a[0].type == TYPE_DATE ? a[0].i != DATE_INFINITY && a[0].i != DATE_NEG_INFINITY
					: timestamp_is_finite(a[0].i));
	return 0;
}

#define TS TYPE_TIMESTAMP
#define TZ TYPE_TIMESTAMPTZ
#define I TYPE_INT4
#define SPAN TYPE_INTERVAL
static const struct function FUNCTIONS[] = {
	/* name, arguments, strict, variadic, their types, result, what does it */
	{ "make_date", 3, true, false, { I, I, I }, TYPE_DATE, make_date },
	{ "make_timestamp", 6, true, false, { I, I, I, I, I, TYPE_FLOAT8 }, TS, make_timestamp },
	{ "make_timestamptz", 6, true, false, { I, I, I, I, I, TYPE_FLOAT8 }, TZ,
		make_timestamptz },
	{ "make_interval", 0, true, false, { TYPE_UNKNOWN }, SPAN, make_interval },
	{ "make_interval", 1, true, false, { I }, SPAN, make_interval },
	{ "make_interval", 2, true, false, { I, I }, SPAN, make_interval },
	{ "make_interval", 3, true, false, { I, I, I }, SPAN, make_interval },
	{ "make_interval", 4, true, false, { I, I, I, I }, SPAN, make_interval },
	{ "make_interval", 5, true, false, { I, I, I, I, I }, SPAN, make_interval },
	{ "make_interval", 6, true, false, { I, I, I, I, I, I }, SPAN, make_interval },
	{ "make_interval", 7, true, false, { I, I, I, I, I, I, TYPE_FLOAT8 }, SPAN, make_interval },
	{ "to_timestamp", 1, true, false, { TYPE_FLOAT8 }, TZ, to_timestamp },
	{ "age", 2, true, false, { TS, TS }, SPAN, time_age },
	{ "age", 2, true, false, { TZ, TZ }, SPAN, time_age },
	{ "justify_hours", 1, true, false, { SPAN }, SPAN, justify_hours },
	{ "justify_days", 1, true, false, { SPAN }, SPAN, justify_days },
	{ "justify_interval", 1, true, false, { SPAN }, SPAN, justify_interval },
	{ "date_bin", 3, true, false, { SPAN, TS, TS }, TS, date_bin },
	{ "date_bin", 3, true, false, { SPAN, TZ, TZ }, TZ, date_bin },
	{ "isfinite", 1, true, false, { TYPE_DATE }, TYPE_BOOL, is_finite },
	{ "isfinite", 1, true, false, { TS }, TYPE_BOOL, is_finite },
	{ "isfinite", 1, true, false, { TZ }, TYPE_BOOL, is_finite },
	{ "isfinite", 1, true, false, { SPAN }, TYPE_BOOL, is_finite },
};
#undef TS
#undef TZ
#undef I
#undef SPAN

const struct function_list FUNCTIONS_DATE = { FUNCTIONS, sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]) };
