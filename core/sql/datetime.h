/*
 * datetime.h: dates, timestamps and intervals: text in and out, fields, arithmetic.
 *
 * Proleptic Gregorian calendar, years 4713 BC to 5874897 (dates) or 294276 (timestamps), time zone
 * UTC, DateStyle ISO, MDY, IntervalStyle postgres. Days and microseconds count from 2000-01-01.
 * Text that depends on the clock ('now', 'today') is refused with 0A000.
 */
#ifndef LF_SQL_DATETIME_H
#define LF_SQL_DATETIME_H

#include "core/base/error.h"
#include "core/store/value.h"

#define USECS_PER_SEC INT64_C(1000000)
#define USECS_PER_DAY (INT64_C(86400) * USECS_PER_SEC)
#define DATE_INFINITY INT32_MAX
#define DATE_NEG_INFINITY INT32_MIN
#define TIMESTAMP_INFINITY INT64_MAX
#define TIMESTAMP_NEG_INFINITY INT64_MIN

/* A point in time as fields; year 0 is 1 BC. */
struct datetime {
	int32_t year, month, day, hour, minute, second, usec;
};

/* Julian day number of a date (no checks), and back. */
int64_t date_to_julian(int64_t year, int month, int day);
void date_from_julian(int64_t jd, int32_t *year, int32_t *month, int32_t *day);
int month_days(int64_t year, int month);

bool date_in_range(int64_t days);
bool timestamp_in_range(int64_t us);
bool timestamp_is_finite(int64_t us);
void timestamp_split(int64_t us, struct datetime *dt);
/* false when out of range. */
bool timestamp_join(const struct datetime *dt, int64_t *us);

/* Input functions; s is not zero-terminated. 22007, 22008, 22009, 22015, 0A000. `type` is
 * TYPE_DATE, TYPE_TIMESTAMP or TYPE_TIMESTAMPTZ. */
int datetime_parse(
	struct value *out, enum type_id type, const char *s, size_t len, struct error *e);
int interval_parse(struct value *out, const char *s, size_t len, struct error *e);

/* Output functions: at most 100 bytes; return the length. */
size_t datetime_format(const struct value *v, char *buf);
size_t interval_format(const struct value *v, char *buf);

/* Casts between the three; 22008 "timestamp out of range", "date out of range for timestamp". */
int datetime_cast(struct value *out, const struct value *v, enum type_id to, struct error *e);

/* Arithmetic. t is date, timestamp or timestamptz for timestamp_add_interval (date: as timestamp). */
int timestamp_add_interval(struct value *out, const struct value *t, const struct value *iv,
	int sign, struct error *e);
int timestamp_subtract(
	struct value *out, const struct value *a, const struct value *b, struct error *e);
int interval_add(
	struct value *out, const struct value *a, const struct value *b, int sign, struct error *e);
int interval_mul(struct value *out, const struct value *a, double factor, struct error *e);
int interval_div(struct value *out, const struct value *a, double divisor, struct error *e);
int interval_make(struct value *out, int64_t months, int64_t days, int64_t us, struct error *e);

/* date_trunc(); v is timestamp, timestamptz or interval. 22023 for an unknown unit. */
int datetime_trunc(
	struct value *out, const struct value *unit, const struct value *v, struct error *e);
/* extract() (numeric result with PostgreSQL's scale) and date_part() (float8). v is date, timestamp,
 * timestamptz or interval. NULL for fields of infinities that have none. */
int datetime_extract(struct value *out, const struct value *unit, const struct value *v,
	bool numeric, struct error *e);

#endif
