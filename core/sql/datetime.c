/*
 * datetime.c: the calendar, dates and timestamps as fields and as text, casts between them,
 * arithmetic with intervals, date_trunc and extract.
 *
 * The time zone is UTC, so timestamp and timestamptz differ in their text only. Everything outside
 * PostgreSQL's ranges is 22008; the infinities go through unchanged or answer NULL, as there.
 */
#include "core/sql/datetime.h"

#include "core/base/utf8.h"
#include "core/sql/datetime_text.h"
#include "core/sql/numeric.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define JULIAN_2000 INT64_C(2451545)
#define JULIAN_DATE_END INT64_C(2147483494) /* 5874898-01-01 */
#define TIMESTAMP_MIN INT64_C(-211813488000000000)
#define TIMESTAMP_END INT64_C(9223371331200000000)
#define EPOCH_1970_DAYS INT64_C(-10957)
#define EPOCH_1970_US (EPOCH_1970_DAYS * USECS_PER_DAY)
#define USECS_PER_HOUR (INT64_C(3600) * USECS_PER_SEC)
#define USECS_PER_MINUTE (INT64_C(60) * USECS_PER_SEC)

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days are counted in years that begin in March, so that the leap day is the last one. */
int64_t date_to_julian(int64_t year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t m = month > 2 ? month - 3 : month + 9;

	return 365 * y + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) +
		(153 * m + 2) / 5 + day - 1 + 1721120;
}

void date_from_julian(int64_t jd, int32_t *year, int32_t *month, int32_t *day)
{
	int64_t d = jd - 1721120;
	int64_t era = floor_div(d, 146097);
	int64_t of_era = d - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * of_year + 2) / 153;

	*day = (int32_t)(of_year - (153 * m + 2) / 5 + 1);
	*month = (int32_t)(m < 10 ? m + 3 : m - 9);
	*year = (int32_t)(era * 400 + y + (m >= 10));
}

int month_days(int64_t year, int month)
{
	static const int8_t days[13] = { 0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month] + (month == 2 && leap);
}

bool date_in_range(int64_t days)
{
	return days >= -JULIAN_2000 && days < JULIAN_DATE_END - JULIAN_2000;
}

bool timestamp_in_range(int64_t us)
{
	return us >= TIMESTAMP_MIN && us < TIMESTAMP_END;
}

bool timestamp_is_finite(int64_t us)
{
	return us != TIMESTAMP_INFINITY && us != TIMESTAMP_NEG_INFINITY;
}

static bool date_is_finite(int64_t days)
{
	return days != DATE_INFINITY && days != DATE_NEG_INFINITY;
}

void timestamp_split(int64_t us, struct datetime *dt)
{
	int64_t days = floor_div(us, USECS_PER_DAY), t = us - days * USECS_PER_DAY;

	date_from_julian(days + JULIAN_2000, &dt->year, &dt->month, &dt->day);
	dt->hour = (int32_t)(t / USECS_PER_HOUR);
	dt->minute = (int32_t)(t / USECS_PER_MINUTE % 60);
	dt->second = (int32_t)(t / USECS_PER_SEC % 60);
	dt->usec = (int32_t)(t % USECS_PER_SEC);
}

bool timestamp_join(const struct datetime *dt, int64_t *us)
{
	int128 days = date_to_julian(dt->year, dt->month, dt->day) - JULIAN_2000;
	int128 t = days * USECS_PER_DAY + dt->hour * USECS_PER_HOUR +
		dt->minute * USECS_PER_MINUTE + dt->second * USECS_PER_SEC + dt->usec;

	if (t < TIMESTAMP_MIN || t >= TIMESTAMP_END)
		return false;
	*us = (int64_t)t;
	return true;
}

static void make_i64(struct value *out, enum type_id type, int64_t i)
{
	out->i = i;
	out->flags = 0;
	out->scale = 0;
	out->type = (uint8_t)type;
}

static void make_null(struct value *out, enum type_id type)
{
	make_i64(out, type, 0);
	out->flags = VALUE_NULL;
}

static int out_of_range(struct error *e)
{
	return error_set(e, ERR_DATETIME_OVERFLOW, 0, "timestamp out of range");
}

static int interval_out_of_range(struct error *e)
{
	return error_set(e, ERR_DATETIME_OVERFLOW, 0, "interval out of range");
}

size_t datetime_format(const struct value *v, char *buf)
{
	bool date = v->type == TYPE_DATE;
	bool finite = date ? date_is_finite(v->i) : timestamp_is_finite(v->i);
	struct datetime dt = { 0 };
	int n, year;

	if (!finite)
		return (size_t)snprintf(buf, 16, "%s", v->i < 0 ? "-infinity" : "infinity");
	if (date)
		date_from_julian(v->i + JULIAN_2000, &dt.year, &dt.month, &dt.day);
	else
		timestamp_split(v->i, &dt);
	year = dt.year > 0 ? dt.year : 1 - dt.year;
	n = snprintf(buf, 32, "%04d-%02d-%02d", year, dt.month, dt.day);
	if (!date) {
		n += snprintf(buf + n, 32, " %02d:%02d:%02d", dt.hour, dt.minute, dt.second);
		if (dt.usec) {
			n += snprintf(buf + n, 16, ".%06d", dt.usec);
			while (buf[n - 1] == '0')
				n--;
		}
	}
	if (v->type == TYPE_TIMESTAMPTZ)
		n += snprintf(buf + n, 8, "+00");
	if (dt.year <= 0)
		n += snprintf(buf + n, 8, " BC");
	return (size_t)n;
}

static int date_to_timestamp(int64_t *us, int64_t days, struct error *e)
{
	if (!date_is_finite(days)) {
		*us = days < 0 ? TIMESTAMP_NEG_INFINITY : TIMESTAMP_INFINITY;
		return 0;
	}
	if (days >= TIMESTAMP_END / USECS_PER_DAY)
		return error_set(e, ERR_DATETIME_OVERFLOW, 0, "date out of range for timestamp");
	*us = days * USECS_PER_DAY;
	return 0;
}

int datetime_cast(struct value *out, const struct value *v, enum type_id to, struct error *e)
{
	int64_t us = v->i;

	if (v->type == to || (v->type != TYPE_DATE && to != TYPE_DATE)) {
		make_i64(out, to, v->i);
		return 0;
	}
	if (v->type == TYPE_DATE) {
		if (date_to_timestamp(&us, v->i, e) < 0)
			return -1;
		make_i64(out, to, us);
		return 0;
	}
	if (!timestamp_is_finite(us))
		make_i64(out, to, us < 0 ? DATE_NEG_INFINITY : DATE_INFINITY);
	else
		make_i64(out, to, floor_div(us, USECS_PER_DAY));
	return 0;
}

static bool add_months(int64_t *us, int64_t months)
{
	struct datetime dt;
	int64_t m, year;
	int last;

	timestamp_split(*us, &dt);
	m = dt.month - 1 + months;
	year = dt.year + floor_div(m, 12);
	dt.month = (int32_t)(m - floor_div(m, 12) * 12) + 1;
	if (year < -5000 || year > 300000)
		return false;
	dt.year = (int32_t)year;
	last = month_days(dt.year, dt.month);
	if (dt.day > last)
		dt.day = last;
	return timestamp_join(&dt, us);
}

/* Months first (the day cut to the month's last), then days, then time. */
int timestamp_add_interval(
	struct value *out, const struct value *t, const struct value *iv, int sign, struct error *e)
{
	enum type_id type = t->type == TYPE_DATE ? TYPE_TIMESTAMP : (enum type_id)t->type;
	int64_t us = t->i, delta;

	if (t->type == TYPE_DATE && date_to_timestamp(&us, t->i, e) < 0)
		return -1;
	if (!timestamp_is_finite(us)) {
		make_i64(out, type, us);
		return 0;
	}
	if (iv->iv.months != 0 && !add_months(&us, (int64_t)iv->iv.months * sign))
		return out_of_range(e);
	if (iv->iv.days != 0) {
		int64_t days = (int64_t)iv->iv.days * sign;

		if (__builtin_mul_overflow(days, USECS_PER_DAY, &delta) ||
			__builtin_add_overflow(us, delta, &us) || !timestamp_in_range(us))
			return out_of_range(e);
	}
	if (__builtin_mul_overflow(iv->iv.us, sign, &delta) ||
		__builtin_add_overflow(us, delta, &us) || !timestamp_in_range(us))
		return out_of_range(e);
	make_i64(out, type, us);
	return 0;
}

int interval_make(struct value *out, int64_t months, int64_t days, int64_t us, struct error *e)
{
	if (months != (int32_t)months || days != (int32_t)days)
		return interval_out_of_range(e);
	out->iv.months = (int32_t)months;
	out->iv.days = (int32_t)days;
	out->iv.us = us;
	out->flags = 0;
	out->scale = 0;
	out->type = TYPE_INTERVAL;
	return 0;
}

int timestamp_subtract(
	struct value *out, const struct value *a, const struct value *b, struct error *e)
{
	int64_t us;

	if (!timestamp_is_finite(a->i) || !timestamp_is_finite(b->i))
		return error_set(
			e, ERR_DATETIME_OVERFLOW, 0, "cannot subtract infinite timestamps");
	if (__builtin_sub_overflow(a->i, b->i, &us))
		return interval_out_of_range(e);
	return interval_make(out, 0, us / USECS_PER_DAY, us % USECS_PER_DAY, e);
}

int interval_add(
	struct value *out, const struct value *a, const struct value *b, int sign, struct error *e)
{
	int64_t us;

	if (sign > 0 ? __builtin_add_overflow(a->iv.us, b->iv.us, &us)
		     : __builtin_sub_overflow(a->iv.us, b->iv.us, &us))
		return interval_out_of_range(e);
	return interval_make(out, (int64_t)a->iv.months + (int64_t)sign * b->iv.months,
		(int64_t)a->iv.days + (int64_t)sign * b->iv.days, us, e);
}

/* To whole microseconds, as PostgreSQL smooths the fractions that it passes to smaller units. */
static double round_micro(double x)
{
	return rint(x * 1e6) / 1e6;
}

/* The whole parts of the scaled months and days are kept; their fractions go to days and time. */
static int interval_from_scaled(
	struct value *out, double months, double days, double us, struct error *e)
{
	double month_days_left, seconds;
	int64_t whole;

	if (!(fabs(months) < 2147483648.0) || !(fabs(days) < 2147483648.0))
		return interval_out_of_range(e);
	whole = (int64_t)days;
	month_days_left = round_micro((months - trunc(months)) * 30);
	seconds = round_micro(
		(days - trunc(days) + month_days_left - trunc(month_days_left)) * 86400);
	if (fabs(seconds) >= 86400) {
		whole += (int64_t)(seconds / 86400);
		seconds -= trunc(seconds / 86400) * 86400;
	}
	whole += (int64_t)month_days_left;
	us = rint(us + seconds * 1e6);
	if (!(us >= -9223372036854775808.0 && us < 9223372036854775808.0))
		return interval_out_of_range(e);
	return interval_make(out, (int64_t)months, whole, (int64_t)us, e);
}

int interval_mul(struct value *out, const struct value *a, double factor, struct error *e)
{
	return interval_from_scaled(
		out, a->iv.months * factor, a->iv.days * factor, (double)a->iv.us * factor, e);
}

int interval_div(struct value *out, const struct value *a, double divisor, struct error *e)
{
	if (divisor == 0)
		return error_set(e, ERR_DIVISION_BY_ZERO, 0, NULL);
	return interval_from_scaled(
		out, a->iv.months / divisor, a->iv.days / divisor, (double)a->iv.us / divisor, e);
}

/* Monday of the first ISO week of a year, as a Julian day. */
static int64_t iso_year_start(int64_t year)
{
	int64_t jan4 = date_to_julian(year, 1, 4);

	return jan4 - jan4 % 7; /* Julian day 0 was a Monday */
}

static int64_t iso_week(const struct datetime *dt, int64_t *iso_year)
{
	int64_t day = date_to_julian(dt->year, dt->month, dt->day);
	int64_t year = dt->year;

	if (day >= iso_year_start(year + 1))
		year++;
	else if (day < iso_year_start(year))
		year--;
	*iso_year = year;
	return (day - iso_year_start(year)) / 7 + 1;
}

/* First year of the century or millennium of n years that `year` belongs to (1, 101… before
 * Christ: -99, -199…). */
static int32_t era_start(int32_t year, int32_t n)
{
	return year > 0 ? (year + n - 1) / n * n - (n - 1) : -((n - 1 - (year - 1)) / n) * n + 1;
}

/* The word is quoted in lower case, as the units are compared. */
static int unit_unknown(const struct value *unit, enum type_id type, bool known, struct error *e)
{
	char name[40], word[64];
	size_t n = unit->s.len < sizeof(word) ? unit->s.len : utf8_cut(unit->s.p, sizeof(word) - 1);

	for (size_t i = 0; i < n; i++) {
		char c = unit->s.p[i];

		word[i] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
	}
	type_name((struct type){ .id = (uint8_t)type }, name, sizeof(name));
	return error_set(e, known ? ERR_FEATURE : ERR_INVALID_PARAMETER, 0,
		known ? "unit \"%.*s\" not supported for type %s"
		      : "unit \"%.*s\" not recognized for type %s",
		(int)n, word, name);
}

/* Set the fields below `unit` to their first value. false: not for date_trunc. */
static bool truncate_fields(struct datetime *dt, enum time_unit unit)
{
	switch (unit) {
	case UNIT_MILLENNIUM:
		dt->year = era_start(dt->year, 1000);
		dt->month = dt->day = 1;
		break;
	case UNIT_CENTURY:
		dt->year = era_start(dt->year, 100);
		dt->month = dt->day = 1;
		break;
	case UNIT_DECADE:
		dt->year = (int32_t)floor_div(dt->year, 10) * 10;
		dt->month = dt->day = 1;
		break;
	case UNIT_YEAR: dt->month = dt->day = 1; break;
	case UNIT_QUARTER:
		dt->month = (dt->month - 1) / 3 * 3 + 1;
		dt->day = 1;
		break;
	case UNIT_MONTH: dt->day = 1; break;
	case UNIT_WEEK: {
		int64_t jd = date_to_julian(dt->year, dt->month, dt->day);

		date_from_julian(jd - jd % 7, &dt->year, &dt->month, &dt->day);
		break;
	}
	case UNIT_DAY: break;
	case UNIT_HOUR: dt->minute = dt->second = dt->usec = 0; return true;
	case UNIT_MINUTE: dt->second = dt->usec = 0; return true;
	case UNIT_SECOND: dt->usec = 0; return true;
	case UNIT_MILLISECOND: dt->usec = dt->usec / 1000 * 1000; return true;
	case UNIT_MICROSECOND: return true;
	default: return false;
	}
	dt->hour = dt->minute = dt->second = dt->usec = 0;
	return true;
}

static int interval_trunc(struct value *out, const struct value *text, enum time_unit unit,
	const struct value *v, struct error *e)
{
	int32_t months = v->iv.months, days = v->iv.days;
	int64_t us = v->iv.us;

	switch (unit) {
	case UNIT_MILLENNIUM: months = months / 12000 * 12000; break;
	case UNIT_CENTURY: months = months / 1200 * 1200; break;
	case UNIT_DECADE: months = months / 120 * 120; break;
	case UNIT_YEAR: months = months / 12 * 12; break;
	case UNIT_QUARTER: months = months / 12 * 12 + months % 12 / 3 * 3; break;
	case UNIT_MONTH:
	case UNIT_DAY: break;
	case UNIT_HOUR: us -= us % USECS_PER_HOUR; break;
	case UNIT_MINUTE: us -= us % USECS_PER_MINUTE; break;
	case UNIT_SECOND: us -= us % USECS_PER_SEC; break;
	case UNIT_MILLISECOND: us -= us % 1000; break;
	case UNIT_MICROSECOND: break;
	case UNIT_WEEK:
		unit_unknown(text, TYPE_INTERVAL, true, e);
		return error_detail(e, "Months usually have fractional weeks.");
	default: return unit_unknown(text, TYPE_INTERVAL, unit != UNIT_NONE, e);
	}
	if (unit <= UNIT_DAY)
		us = 0;
	if (unit <= UNIT_MONTH)
		days = 0;
	return interval_make(out, months, days, us, e);
}

int datetime_trunc(
	struct value *out, const struct value *text, const struct value *v, struct error *e)
{
	enum time_unit unit = time_unit_find(text->s.p, text->s.len);
	struct datetime dt;
	int64_t us;

	if (v->type == TYPE_INTERVAL)
		return interval_trunc(out, text, unit, v, e);
	if (!timestamp_is_finite(v->i)) {
		make_i64(out, v->type, v->i);
		return 0;
	}
	timestamp_split(v->i, &dt);
	if (unit > UNIT_MICROSECOND || !truncate_fields(&dt, unit))
		/* PostgreSQL knows the other units of extract as words of dates only. */
		return unit_unknown(text, v->type,
			unit != UNIT_NONE && (unit <= UNIT_MICROSECOND || unit >= UNIT_TIMEZONE),
			e);
	if (!timestamp_join(&dt, &us))
		return out_of_range(e);
	make_i64(out, v->type, us);
	return 0;
}

/* The answer of extract: n / 10^scale as numeric or float8. */
static int make_field(struct value *out, int128 n, unsigned scale, bool numeric, struct error *e)
{
	if (numeric)
		return numeric_make(out, n, scale, e);
	out->d = (double)n / (scale == 6 ? 1e6 : scale == 3 ? 1e3 : 1.0);
	out->flags = 0;
	out->scale = 0;
	out->type = TYPE_FLOAT8;
	return 0;
}

static int64_t century_of(int64_t year, int64_t n)
{
	return year > 0 ? (year + n - 1) / n : -((n - 1 - (year - 1)) / n);
}

/* Fields that dates have too. 1: done, 0: not such a unit. */
static int date_field(const struct datetime *dt, enum time_unit unit, int64_t *field)
{
	int64_t jd = date_to_julian(dt->year, dt->month, dt->day), iso_year;
	int64_t week = iso_week(dt, &iso_year);

	switch (unit) {
	case UNIT_DAY: *field = dt->day; return 1;
	case UNIT_MONTH: *field = dt->month; return 1;
	case UNIT_QUARTER: *field = (dt->month - 1) / 3 + 1; return 1;
	case UNIT_WEEK: *field = week; return 1;
	case UNIT_YEAR: *field = dt->year > 0 ? dt->year : dt->year - 1; return 1;
	case UNIT_DECADE: *field = floor_div(dt->year, 10); return 1;
	case UNIT_CENTURY: *field = century_of(dt->year, 100); return 1;
	case UNIT_MILLENNIUM: *field = century_of(dt->year, 1000); return 1;
	case UNIT_ISOYEAR: *field = iso_year > 0 ? iso_year : iso_year - 1; return 1;
	case UNIT_DOW: *field = (jd + 1) % 7; return 1;
	case UNIT_ISODOW: *field = jd % 7 + 1; return 1;
	case UNIT_DOY: *field = jd - date_to_julian(dt->year, 1, 1) + 1; return 1;
	default: return 0;
	}
}

/* Units of a time of day: seconds and smaller take n at a scale. */
static int time_field(int64_t minutes_and_hours[2], int64_t second_us, enum time_unit unit,
	int64_t *field, unsigned *scale)
{
	*scale = 0;
	switch (unit) {
	case UNIT_MICROSECOND: *field = second_us; return 1;
	case UNIT_MILLISECOND:
		*field = second_us;
		*scale = 3;
		return 1;
	case UNIT_SECOND:
		*field = second_us;
		*scale = 6;
		return 1;
	case UNIT_MINUTE: *field = minutes_and_hours[0]; return 1;
	case UNIT_HOUR: *field = minutes_and_hours[1]; return 1;
	default: return 0;
	}
}

static int extract_infinite(struct value *out, const struct value *text, const struct value *v,
	enum time_unit unit, bool numeric, struct error *e)
{
	switch (unit) {
	case UNIT_YEAR:
	case UNIT_DECADE:
	case UNIT_CENTURY:
	case UNIT_MILLENNIUM:
	case UNIT_JULIAN:
	case UNIT_ISOYEAR:
	case UNIT_EPOCH:
		if (numeric)
			return numeric_infinite(e);
		make_field(out, 0, 0, false, e);
		out->d = v->i < 0 ? -INFINITY : INFINITY;
		return 0;
	case UNIT_NONE: return unit_unknown(text, v->type, false, e);
	default: make_null(out, numeric ? TYPE_NUMERIC : TYPE_FLOAT8); return 0;
	}
}

/* Julian day with the time of day as its fraction. */
static int extract_julian(struct value *out, int64_t jd, int64_t us, bool numeric, struct error *e)
{
	struct value day, time, part, length;

	if (!numeric) {
		make_field(out, 0, 0, false, e);
		out->d = (double)jd + (double)us / (double)USECS_PER_DAY;
		return 0;
	}
	numeric_from_int(&day, jd);
	numeric_from_int(&time, us);
	numeric_from_int(&length, USECS_PER_DAY);
	if (numeric_div(&part, &time, &length, e) < 0)
		return -1;
	return numeric_add(out, &day, &part, e);
}

static int extract_interval(struct value *out, const struct value *text, enum time_unit unit,
	const struct value *v, bool numeric, struct error *e)
{
	int64_t us = v->iv.us, months = v->iv.months, field;
	int64_t units[2] = { us / USECS_PER_MINUTE % 60, us / USECS_PER_HOUR };
	int128 epoch;
	unsigned scale;

	if (time_field(units, us % USECS_PER_MINUTE, unit, &field, &scale))
		return make_field(out, field, scale, numeric, e);
	switch (unit) {
	case UNIT_DAY: return make_field(out, v->iv.days, 0, numeric, e);
	case UNIT_MONTH: return make_field(out, months % 12, 0, numeric, e);
	case UNIT_QUARTER: return make_field(out, months % 12 / 3 + 1, 0, numeric, e);
	case UNIT_YEAR: return make_field(out, months / 12, 0, numeric, e);
	case UNIT_DECADE: return make_field(out, months / 120, 0, numeric, e);
	case UNIT_CENTURY: return make_field(out, months / 1200, 0, numeric, e);
	case UNIT_MILLENNIUM: return make_field(out, months / 12000, 0, numeric, e);
	case UNIT_EPOCH:
		/* a year counts 365.25 days, a month 30 */
		epoch = ((int128)(months / 12) * 1461 * 6 + (int128)(months % 12) * 30 * 24 +
				(int128)v->iv.days * 24) *
				USECS_PER_HOUR +
			us;
		return make_field(out, epoch, 6, numeric, e);
	default: return unit_unknown(text, TYPE_INTERVAL, unit != UNIT_NONE, e);
	}
}

int datetime_extract(struct value *out, const struct value *text, const struct value *v,
	bool numeric, struct error *e)
{
	enum time_unit unit = time_unit_find(text->s.p, text->s.len);
	bool date = v->type == TYPE_DATE;
	int64_t days, us, field, units[2];
	struct datetime dt = { 0 };
	unsigned scale;

	if (v->type == TYPE_INTERVAL)
		return extract_interval(out, text, unit, v, numeric, e);
	if (date ? !date_is_finite(v->i) : !timestamp_is_finite(v->i)) {
		if (date && unit >= UNIT_HOUR && unit <= UNIT_MICROSECOND)
			return unit_unknown(text, TYPE_DATE, true, e);
		return extract_infinite(out, text, v, unit, numeric, e);
	}
	days = date ? v->i : floor_div(v->i, USECS_PER_DAY);
	us = date ? 0 : v->i - days * USECS_PER_DAY;
	date_from_julian(days + JULIAN_2000, &dt.year, &dt.month, &dt.day);
	if (date_field(&dt, unit, &field))
		return make_field(out, field, 0, numeric, e);
	units[0] = us / USECS_PER_MINUTE % 60;
	units[1] = us / USECS_PER_HOUR;
	if (!date && time_field(units, us % USECS_PER_MINUTE, unit, &field, &scale))
		return make_field(out, field, scale, numeric, e);
	if (unit == UNIT_EPOCH && date)
		return make_field(out, (days - EPOCH_1970_DAYS) * 86400, 0, numeric, e);
	if (unit == UNIT_EPOCH)
		return make_field(out, (int128)v->i - EPOCH_1970_US, 6, numeric, e);
	if (unit == UNIT_JULIAN && date)
		return make_field(out, days + JULIAN_2000, 0, numeric, e);
	if (unit == UNIT_JULIAN)
		return extract_julian(out, days + JULIAN_2000, us, numeric, e);
	if (v->type == TYPE_TIMESTAMPTZ &&
		(unit == UNIT_TIMEZONE || unit == UNIT_TIMEZONE_HOUR ||
			unit == UNIT_TIMEZONE_MINUTE))
		return make_field(out, 0, 0, numeric, e);
	return unit_unknown(text, v->type, unit != UNIT_NONE, e);
}
