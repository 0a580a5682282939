/*
 * datetime_text.c: reading dates, timestamps and intervals, printing intervals.
 *
 * Read are the ISO forms: 'YYYY-MM-DD[( |T)HH:MM[:SS[.ffffff]][Z|UTC|±HH[:MM]]][ BC]', 'YYYYMMDD',
 * 'epoch', 'infinity'; and intervals as 'n unit …' with an optional time of day and 'ago'. Other forms that
 * PostgreSQL reads are refused with 22007.
 */
#include "core/sql/datetime_text.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/sql/datetime.h"

static const struct {
	const char *word;
	enum time_unit unit;
} UNITS[] = {
	{ "millennium", UNIT_MILLENNIUM }, { "millennia", UNIT_MILLENNIUM }, { "century", UNIT_CENTURY },
	{ "centuries", UNIT_CENTURY }, { "decade", UNIT_DECADE }, { "decades", UNIT_DECADE },
	{ "year", UNIT_YEAR }, { "years", UNIT_YEAR }, { "yr", UNIT_YEAR }, { "yrs", UNIT_YEAR },
	{ "y", UNIT_YEAR }, { "quarter", UNIT_QUARTER }, { "month", UNIT_MONTH },
	{ "months", UNIT_MONTH }, { "mon", UNIT_MONTH }, { "mons", UNIT_MONTH }, { "week", UNIT_WEEK },
	{ "weeks", UNIT_WEEK }, { "w", UNIT_WEEK }, { "day", UNIT_DAY }, { "days", UNIT_DAY },
	{ "d", UNIT_DAY }, { "hour", UNIT_HOUR }, { "hours", UNIT_HOUR }, { "h", UNIT_HOUR },
	{ "hr", UNIT_HOUR }, { "hrs", UNIT_HOUR }, { "minute", UNIT_MINUTE },
	{ "minutes", UNIT_MINUTE }, { "min", UNIT_MINUTE }, { "mins", UNIT_MINUTE },
	{ "m", UNIT_MINUTE }, { "second", UNIT_SECOND }, { "seconds", UNIT_SECOND },
	{ "sec", UNIT_SECOND }, { "secs", UNIT_SECOND }, { "s", UNIT_SECOND },
	{ "millisecond", UNIT_MILLISECOND }, { "milliseconds", UNIT_MILLISECOND },
	{ "ms", UNIT_MILLISECOND }, { "microsecond", UNIT_MICROSECOND },
	{ "microseconds", UNIT_MICROSECOND }, { "us", UNIT_MICROSECOND }, { "epoch", UNIT_EPOCH },
	{ "julian", UNIT_JULIAN }, { "isoyear", UNIT_ISOYEAR }, { "dow", UNIT_DOW },
	{ "isodow", UNIT_ISODOW }, { "doy", UNIT_DOY }, { "timezone", UNIT_TIMEZONE },
	{ "timezone_hour", UNIT_TIMEZONE_HOUR }, { "timezone_minute", UNIT_TIMEZONE_MINUTE },
};

enum time_unit time_unit_find(const char *s, size_t len)
{
	for (unsigned i = 0; i < sizeof(UNITS) / sizeof(UNITS[0]); i++)
		if (strlen(UNITS[i].word) == len && strncasecmp(UNITS[i].word, s, len) == 0)
			return UNITS[i].unit;
	return UNIT_NONE;
}

enum time_unit interval_unit_find(const char *word)
{
	enum time_unit u = time_unit_find(word, strlen(word));

	return u >= UNIT_EPOCH || u == UNIT_QUARTER ? UNIT_NONE : u;
}

/* --- reading --- */

struct reader {
	const char *p, *end;
};

static void blanks(struct reader *r)
{
	while (r->p < r->end && isspace((unsigned char)*r->p))
		r->p++;
}

static bool take(struct reader *r, char c)
{
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

/* Between min and max digits; -1 when there are fewer. */
static int64_t number(struct reader *r, unsigned min, unsigned max)
{
	int64_t n = 0;
	unsigned digits = 0;

	while (r->p < r->end && digits < max && isdigit((unsigned char)*r->p)) {
		n = 10 * n + (*r->p++ - '0');
		digits++;
	}
	return digits < min ? -1 : n;
}

static bool word(struct reader *r, const char *w)
{
	size_t n = strlen(w);

	if ((size_t)(r->end - r->p) < n || strncasecmp(r->p, w, n) != 0 ||
		((size_t)(r->end - r->p) > n && isalpha((unsigned char)r->p[n])))
		return false;
	r->p += n;
	return true;
}

/* Fraction of a second in microseconds, rounded. */
static int64_t fraction(struct reader *r)
{
	double f = 0, scale = 0.1;

	while (r->p < r->end && isdigit((unsigned char)*r->p)) {
		f += (*r->p++ - '0') * scale;
		scale /= 10;
	}
	return (int64_t)rint(f * 1e6);
}

static const char *type_words(enum type_id t)
{
	return t == TYPE_DATE ? "date" : t == TYPE_TIMESTAMP ? "timestamp" : "timestamp with time zone";
}

static int bad(enum type_id t, const char *s, size_t len, struct error *e)
{
	return error_set(e, ERR_DATETIME_FORMAT, 0, "invalid input syntax for type %s: \"%.*s\"",
		t == TYPE_INTERVAL ? "interval" : type_words(t), len > 200 ? 200 : (int)len, s);
}

static int field(const char *s, size_t len, struct error *e)
{
	return error_set(e, ERR_DATETIME_OVERFLOW, 0, "date/time field value out of range: \"%.*s\"",
		len > 200 ? 200 : (int)len, s);
}

static int special(struct value *out, enum type_id t, struct reader *r)
{
	bool date = t == TYPE_DATE;
	struct reader start = *r;

	if (word(r, "infinity") || word(r, "+infinity"))
		out->i = date ? DATE_INFINITY : TIMESTAMP_INFINITY;
	else if (word(r, "-infinity"))
		out->i = date ? DATE_NEG_INFINITY : TIMESTAMP_NEG_INFINITY;
	else if (word(r, "epoch"))
		out->i = date ? -10957 : -INT64_C(10957) * USECS_PER_DAY;
	else
		return 0;
	blanks(r);
	if (r->p == r->end)
		return 1;
	*r = start;
	return 0;
}

/* Time of day into dt; false: malformed. */
static bool time_of_day(struct reader *r, struct datetime *dt, int64_t *offset)
{
	int64_t h = number(r, 1, 2), m, s = 0;
	bool west;

	if (h < 0 || !take(r, ':') || (m = number(r, 2, 2)) < 0)
		return false;
	if (take(r, ':')) {
		s = number(r, 2, 2);
		if (s < 0)
			return false;
		if (take(r, '.'))
			dt->usec = (int32_t)fraction(r);
	}
	dt->hour = (int32_t)h;
	dt->minute = (int32_t)m;
	dt->second = (int32_t)s;
	blanks(r);
	if (word(r, "z") || word(r, "utc") || word(r, "gmt"))
		return true;
	west = r->p < r->end && *r->p == '-';
	if (west || (r->p < r->end && *r->p == '+')) {
		r->p++;
		h = number(r, 1, 2);
		if (h < 0 || h > 15)
			return false;
		(void)take(r, ':');
		m = number(r, 2, 2);
		*offset = (h * 60 + (m < 0 ? 0 : m)) * 60 * USECS_PER_SEC * (west ? -1 : 1);
	}
	return true;
}

int datetime_parse(struct value *out, enum type_id t, const char *s, size_t len,
	struct error *e)
{
	struct reader r = { s, s + len };
	struct datetime dt = { 0 };
	const char *digits;
	int64_t year, month, day, offset = 0, us;

	memset(out, 0, sizeof(*out));
	out->type = (uint8_t)t;
	blanks(&r);
	if (special(out, t, &r))
		return 0;
	digits = r.p;
	year = number(&r, 4, 8);
	if (year >= 0 && r.p - digits == 8) {
		day = year % 100;
		month = year / 100 % 100;
		year /= 10000;
	} else if (year < 0 || !take(&r, '-') || (month = number(&r, 1, 2)) < 0 || !take(&r, '-') ||
		(day = number(&r, 1, 2)) < 0) {
		return bad(t, s, len, e);
	}
	if (r.p < r.end && (*r.p == 'T' || *r.p == 't'))
		r.p++;
	else
		blanks(&r);
	if (r.p < r.end && isdigit((unsigned char)*r.p) && !time_of_day(&r, &dt, &offset))
		return bad(t, s, len, e);
	blanks(&r);
	if (word(&r, "bc"))
		year = 1 - year;
	blanks(&r);
	if (r.p != r.end)
		return bad(t, s, len, e);
	if (month < 1 || month > 12 || day < 1 || day > month_days(year, (int)month) || dt.hour > 24 ||
		dt.minute > 59 || dt.second > 60 ||
		(dt.hour == 24 && (dt.minute > 0 || dt.second > 0 || dt.usec > 0)) || year == 0)
		return field(s, len, e);
	dt.year = (int32_t)year;
	dt.month = (int32_t)month;
	dt.day = (int32_t)day;
	if (t == TYPE_DATE) {
		out->i = date_to_julian(year, dt.month, dt.day) - date_to_julian(2000, 1, 1);
		if (!date_in_range(out->i))
			return error_set(e, ERR_DATETIME_OVERFLOW, 0, "date out of range: \"%.*s\"", (int)len, s);
		return 0;
	}
	if (!timestamp_join(&dt, &us))
		return error_set(e, ERR_DATETIME_OVERFLOW, 0, "timestamp out of range: \"%.*s\"",
			(int)len, s);
	out->i = t == TYPE_TIMESTAMPTZ ? us - offset : us;
	return 0;
}

/* --- intervals --- */

struct span {
	double months, days, us;
};

static bool span_add(struct span *sp, double n, enum time_unit unit)
{
	switch (unit) {
	case UNIT_MILLENNIUM:
		sp->months += 12000 * n;
		break;
	case UNIT_CENTURY:
		sp->months += 1200 * n;
		break;
	case UNIT_DECADE:
		sp->months += 120 * n;
		break;
	case UNIT_YEAR:
		sp->months += rint(12 * n);
		break;
	case UNIT_MONTH:
		sp->months += trunc(n);
		sp->days += rint((n - trunc(n)) * 30);
		break;
	case UNIT_WEEK:
		sp->days += trunc(7 * n);
		sp->us += rint((7 * n - trunc(7 * n)) * 86400e6);
		break;
	case UNIT_DAY:
		sp->days += trunc(n);
		sp->us += rint((n - trunc(n)) * 86400e6);
		break;
	case UNIT_HOUR:
		sp->us += rint(n * 3600e6);
		break;
	case UNIT_MINUTE:
		sp->us += rint(n * 60e6);
		break;
	case UNIT_SECOND:
		sp->us += rint(n * 1e6);
		break;
	case UNIT_MILLISECOND:
		sp->us += rint(n * 1e3);
		break;
	case UNIT_MICROSECOND:
		sp->us += rint(n);
		break;
	default:
		return false;
	}
	return true;
}

/* "n unit", "[-]h:m[:s]" or a bare number of seconds at the end. */
static bool interval_part(struct reader *r, struct span *sp)
{
	char text[64], name[16];
	const char *begin = r->p;
	size_t n = 0;
	double d;
	bool negative = r->p < r->end && *r->p == '-';

	if (r->p < r->end && (*r->p == '-' || *r->p == '+'))
		r->p++;
	while (r->p < r->end && (isdigit((unsigned char)*r->p) || *r->p == '.'))
		r->p++;
	if (r->p < r->end && *r->p == ':') {
		struct datetime dt = { 0 };
		struct reader t = { begin + (*begin == '-' || *begin == '+'), r->end };
		int64_t offset = 0;

		if (!time_of_day(&t, &dt, &offset) || offset != 0)
			return false;
		r->p = t.p;
		sp->us += (negative ? -1.0 : 1.0) *
			(((double)dt.hour * 3600 + dt.minute * 60 + dt.second) * 1e6 + dt.usec);
		return true;
	}
	if (r->p == begin || (size_t)(r->p - begin) >= sizeof(text))
		return false;
	memcpy(text, begin, (size_t)(r->p - begin));
	text[r->p - begin] = '\0';
	d = strtod(text, NULL);
	blanks(r);
	while (r->p < r->end && isalpha((unsigned char)*r->p) && n + 1 < sizeof(name))
		name[n++] = (char)tolower((unsigned char)*r->p++);
	name[n] = '\0';
	return span_add(sp, d, n == 0 ? UNIT_SECOND : interval_unit_find(name));
}

int interval_parse(struct value *out, const char *s, size_t len, struct error *e)
{
	struct reader r = { s, s + len };
	struct span sp = { 0, 0, 0 };
	bool any = false;

	memset(out, 0, sizeof(*out));
	for (blanks(&r); r.p < r.end; blanks(&r)) {
		if (any && word(&r, "ago")) {
			sp = (struct span){ -sp.months, -sp.days, -sp.us };
			blanks(&r);
			if (r.p != r.end)
				return bad(TYPE_INTERVAL, s, len, e);
			break;
		}
		(void)take(&r, '@');
		blanks(&r);
		if (!interval_part(&r, &sp))
			return bad(TYPE_INTERVAL, s, len, e);
		any = true;
	}
	if (!any)
		return bad(TYPE_INTERVAL, s, len, e);
	if (fabs(sp.months) > INT32_MAX || fabs(sp.days) > INT32_MAX || fabs(sp.us) > 9.2e18)
		return error_set(e, ERR_DATETIME_OVERFLOW, 0, "interval field value out of range: \"%.*s\"",
			(int)len, s);
	return interval_make(out, (int64_t)sp.months, (int64_t)sp.days, (int64_t)sp.us, e);
}

static size_t part(char *buf, size_t at, int64_t n, const char *unit, bool *negative, bool *first)
{
	if (n == 0)
		return at;
	at += (size_t)sprintf(buf + at, "%s%s%lld %s%s", *first ? "" : " ", *negative && n > 0 ? "+" : "",
		(long long)n, unit, n == 1 ? "" : "s");
	*negative = n < 0;
	*first = false;
	return at;
}

size_t interval_format(const struct value *v, char *buf)
{
	bool negative = false, first = true;
	uint64_t us = v->iv.us < 0 ? -(uint64_t)v->iv.us : (uint64_t)v->iv.us;
	size_t at = 0;

	at = part(buf, at, v->iv.months / 12, "year", &negative, &first);
	at = part(buf, at, v->iv.months % 12, "mon", &negative, &first);
	at = part(buf, at, v->iv.days, "day", &negative, &first);
	if (!first && us == 0)
		return at;
	at += (size_t)sprintf(buf + at, "%s%s%02llu:%02llu:%02llu", first ? "" : " ",
		v->iv.us < 0 ? "-" : negative ? "+" : "", (unsigned long long)(us / 3600000000u),
		(unsigned long long)(us / 60000000u % 60), (unsigned long long)(us / 1000000u % 60));
	if (us % 1000000 != 0) {
		at += (size_t)sprintf(buf + at, ".%06llu", (unsigned long long)(us % 1000000));
		while (buf[at - 1] == '0')
			at--;
	}
	return at;
}
