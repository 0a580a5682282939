/*
 * datetime_parse.c: text input of dates and timestamps.
 *
 * The text is split into tokens, each of which says for itself what it can be (a date, a time, a
 * zone, a month's name, a bare number); a set of fields seen so far settles what a bare number is and
 * that nothing comes twice. The order of numeric dates is month, day, year unless the year comes
 * first with three digits or more. At the end the fields are checked and joined. The rules are
 * those of PostgreSQL's datetime input, since every client relies on some of them.
 */
#include "core/sql/datetime.h"
#include "core/sql/datetime_text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	HAVE_YEAR = 1,
	HAVE_MONTH = 2,
	HAVE_DAY = 4,
	HAVE_DATE = 7,
	HAVE_TIME = 8,
	HAVE_ZONE = 16,
	HAVE_DOY = 32,
	HAVE_WEEKDAY = 64,
	HAVE_MERIDIEM = 128,
	HAVE_ERA = 256,
	HAVE_SPECIAL = 512
};

enum word_kind {
	WORD_UNKNOWN,
	WORD_IGNORED,
	WORD_MONTH,
	WORD_WEEKDAY,
	WORD_MERIDIEM,
	WORD_ERA,
	WORD_ZONE,
	WORD_T,
	WORD_JULIAN,
	WORD_UNIT,
	WORD_EPOCH,
	WORD_INFINITY,
	WORD_CLOCK,
	WORD_MIDNIGHT,
	WORD_DST
};

/* value: month, 1 for pm and BC, minutes east for zones, sign of infinity. */
static const struct word {
	char text[11];
	uint8_t kind;
	int16_t value;
} words[] = {
	{ "jan", WORD_MONTH, 1 },
	{ "january", WORD_MONTH, 1 },
	{ "feb", WORD_MONTH, 2 },
	{ "february", WORD_MONTH, 2 },
	{ "mar", WORD_MONTH, 3 },
	{ "march", WORD_MONTH, 3 },
	{ "apr", WORD_MONTH, 4 },
	{ "april", WORD_MONTH, 4 },
	{ "may", WORD_MONTH, 5 },
	{ "jun", WORD_MONTH, 6 },
	{ "june", WORD_MONTH, 6 },
	{ "jul", WORD_MONTH, 7 },
	{ "july", WORD_MONTH, 7 },
	{ "aug", WORD_MONTH, 8 },
	{ "august", WORD_MONTH, 8 },
	{ "sep", WORD_MONTH, 9 },
	{ "sept", WORD_MONTH, 9 },
	{ "september", WORD_MONTH, 9 },
	{ "oct", WORD_MONTH, 10 },
	{ "october", WORD_MONTH, 10 },
	{ "nov", WORD_MONTH, 11 },
	{ "november", WORD_MONTH, 11 },
	{ "dec", WORD_MONTH, 12 },
	{ "december", WORD_MONTH, 12 },
	{ "sun", WORD_WEEKDAY, 0 },
	{ "sunday", WORD_WEEKDAY, 0 },
	{ "mon", WORD_WEEKDAY, 1 },
	{ "monday", WORD_WEEKDAY, 1 },
	{ "tue", WORD_WEEKDAY, 2 },
	{ "tues", WORD_WEEKDAY, 2 },
	{ "tuesday", WORD_WEEKDAY, 2 },
	{ "wed", WORD_WEEKDAY, 3 },
	{ "weds", WORD_WEEKDAY, 3 },
	{ "wednesday", WORD_WEEKDAY, 3 },
	{ "thu", WORD_WEEKDAY, 4 },
	{ "thur", WORD_WEEKDAY, 4 },
	{ "thurs", WORD_WEEKDAY, 4 },
	{ "thursday", WORD_WEEKDAY, 4 },
	{ "fri", WORD_WEEKDAY, 5 },
	{ "friday", WORD_WEEKDAY, 5 },
	{ "sat", WORD_WEEKDAY, 6 },
	{ "saturday", WORD_WEEKDAY, 6 },
	{ "am", WORD_MERIDIEM, 0 },
	{ "pm", WORD_MERIDIEM, 1 },
	{ "ad", WORD_ERA, 0 },
	{ "bc", WORD_ERA, 1 },
	{ "at", WORD_IGNORED, 0 },
	{ "on", WORD_IGNORED, 0 },
	{ "t", WORD_T, 0 },
	{ "j", WORD_JULIAN, 0 },
	{ "jd", WORD_JULIAN, 0 },
	{ "julian", WORD_JULIAN, 0 },
	{ "epoch", WORD_EPOCH, 0 },
	{ "infinity", WORD_INFINITY, 1 },
	{ "-infinity", WORD_INFINITY, -1 },
	{ "now", WORD_CLOCK, 0 },
	{ "today", WORD_CLOCK, 0 },
	{ "tomorrow", WORD_CLOCK, 0 },
	{ "yesterday", WORD_CLOCK, 0 },
	{ "allballs", WORD_MIDNIGHT, 0 },
	{ "d", WORD_UNIT, 0 },
	{ "h", WORD_UNIT, 0 },
	{ "m", WORD_UNIT, 0 },
	{ "mm", WORD_UNIT, 0 },
	{ "s", WORD_UNIT, 0 },
	{ "y", WORD_UNIT, 0 },
	{ "dow", WORD_UNIT, 0 },
	{ "doy", WORD_UNIT, 0 },
	{ "isodow", WORD_UNIT, 0 },
	{ "isoyear", WORD_UNIT, 0 },
	{ "dst", WORD_DST, 60 },
};

/* The abbreviations of PostgreSQL's default set with a fixed meaning that are met in practice. */
static const struct word zones[] = {
	{ "z", WORD_ZONE, 0 },
	{ "zulu", WORD_ZONE, 0 },
	{ "utc", WORD_ZONE, 0 },
	{ "uct", WORD_ZONE, 0 },
	{ "ut", WORD_ZONE, 0 },
	{ "gmt", WORD_ZONE, 0 },
	{ "wet", WORD_ZONE, 0 },
	{ "west", WORD_ZONE, 60 },
	{ "bst", WORD_ZONE, 60 },
	{ "cet", WORD_ZONE, 60 },
	{ "met", WORD_ZONE, 60 },
	{ "mez", WORD_ZONE, 60 },
	{ "cest", WORD_ZONE, 120 },
	{ "mest", WORD_ZONE, 120 },
	{ "mesz", WORD_ZONE, 120 },
	{ "eet", WORD_ZONE, 120 },
	{ "eest", WORD_ZONE, 180 },
	{ "msk", WORD_ZONE, 180 },
	{ "jst", WORD_ZONE, 540 },
	{ "kst", WORD_ZONE, 540 },
	{ "est", WORD_ZONE, -300 },
	{ "edt", WORD_ZONE, -240 },
	{ "cst", WORD_ZONE, -360 },
	{ "cdt", WORD_ZONE, -300 },
	{ "mst", WORD_ZONE, -420 },
	{ "mdt", WORD_ZONE, -360 },
	{ "pst", WORD_ZONE, -480 },
	{ "pdt", WORD_ZONE, -420 },
	{ "hst", WORD_ZONE, -600 },
	{ "nzst", WORD_ZONE, 720 },
	{ "nzdt", WORD_ZONE, 780 },
	{ "aest", WORD_ZONE, 600 },
	{ "aedt", WORD_ZONE, 660 },
	{ "ist", WORD_ZONE, 120 },
};

static const struct word *word_in(const struct word *table, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(table[i].text, text, sizeof(table[i].text) - 1) == 0)
			return &table[i];
	return NULL;
}

static const struct word *date_word(const char *text)
{
	return word_in(words, sizeof(words) / sizeof(*words), text);
}

bool date_word_known(const char *word)
{
	return date_word(word) != NULL;
}

struct decoder {
	int have;
	int64_t year, month, day, doy;
	struct clock_time time;
	int64_t zone_seconds; /* east of Greenwich */
	int meridiem;         /* 0 none, 1 am, 2 pm */
	bool bc, short_year, month_word, julian;
	enum word_kind special; /* WORD_EPOCH, WORD_INFINITY, WORD_CLOCK */
	int special_value;
	enum word_kind prefix; /* WORD_T or WORD_JULIAN before this token */
};

/* Note that `fields` were found; nothing may come twice. */
static enum decode_result found(struct decoder *d, int fields)
{
	if (d->have & fields)
		return DECODE_BAD_FORMAT;
	d->have |= fields;
	return DECODE_OK;
}

static int64_t digits_at(const char *s, size_t n)
{
	int64_t x = 0;

	for (size_t i = 0; i < n; i++)
		x = x > INT32_MAX ? x : x * 10 + (s[i] - '0');
	return x;
}

/* Run-together digits: yymmdd, yyyymmdd, hhmmss, hhmm. have: fields to count as known. */
static enum decode_result decode_run(struct decoder *d, const char *s, int have)
{
	const char *point = strchr(s, '.');
	size_t n = point ? (size_t)(point - s) : strlen(s);
	double fraction;

	if (strspn(s, "0123456789") != n)
		return DECODE_BAD_FORMAT;
	if (point) {
		if (fraction_parse(point, &fraction) != DECODE_OK)
			return DECODE_BAD_FORMAT;
		d->time.usec = (int64_t)rint(fraction * 1e6);
	} else if ((have & HAVE_DATE) != HAVE_DATE && n >= 6) {
		d->day = digits_at(s + n - 2, 2);
		d->month = digits_at(s + n - 4, 2);
		d->year = digits_at(s, n - 4);
		if (d->year > INT32_MAX)
			return DECODE_OVERFLOW;
		d->short_year = n == 6;
		return found(d, HAVE_DATE);
	}
	if ((have & HAVE_TIME) || (n != 6 && n != 4))
		return DECODE_BAD_FORMAT;
	d->time.hour = digits_at(s, 2);
	d->time.minute = digits_at(s + 2, 2);
	d->time.second = n == 6 ? digits_at(s + 4, 2) : 0;
	return found(d, HAVE_TIME);
}

static enum decode_result set_year(struct decoder *d, int64_t n, size_t digits)
{
	d->year = n;
	d->short_year = digits <= 2;
	return found(d, HAVE_YEAR);
}

/* Year and month (by name) are known: this is the day, unless the first number was. */
static enum decode_result day_after_month_word(struct decoder *d, int64_t n, size_t digits)
{
	if (digits >= 3 && d->short_year) {
		d->day = d->year;
		d->year = n;
		d->short_year = false;
	} else {
		d->day = n;
	}
	return found(d, HAVE_DAY);
}

/* A bare number: what it is depends on what is there. */
static enum decode_result decode_number(struct decoder *d, const char *s)
{
	size_t digits = strlen(s);
	int64_t n;
	char *end;

	if (!int_parse(s, &end, &n))
		return DECODE_OVERFLOW;
	if (end == s)
		return DECODE_BAD_FORMAT;
	if (*end == '.') {
		double fraction;

		if (end - s > 2)
			return decode_run(d, s, d->have | HAVE_DATE);
		if (fraction_parse(end, &fraction) != DECODE_OK)
			return DECODE_BAD_FORMAT;
		d->time.usec = (int64_t)rint(fraction * 1e6);
	} else if (*end != '\0') {
		return DECODE_BAD_FORMAT;
	}
	if (digits == 3 && (d->have & HAVE_DATE) == HAVE_YEAR && n >= 1 && n <= 366) {
		d->doy = n;
		return found(d, HAVE_DOY | HAVE_MONTH | HAVE_DAY);
	}
	switch (d->have & HAVE_DATE) {
	case 0:
		if (digits >= 3)
			return set_year(d, n, digits);
		d->month = n;
		return found(d, HAVE_MONTH);
	case HAVE_YEAR:
	case HAVE_DAY: d->month = n; return found(d, HAVE_MONTH);
	case HAVE_MONTH:
		if (d->month_word && digits >= 3)
			return set_year(d, n, digits);
		d->day = n;
		return found(d, HAVE_DAY);
	case HAVE_YEAR | HAVE_MONTH:
		if (d->month_word)
			return day_after_month_word(d, n, digits);
		d->day = n;
		return found(d, HAVE_DAY);
	case HAVE_MONTH | HAVE_DAY: return set_year(d, n, digits);
	case HAVE_DATE: return decode_run(d, s, d->have);
	default: return DECODE_BAD_FORMAT;
	}
}

static enum decode_result decode_month(struct decoder *d, int month)
{
	/* a number taken for the month was the day */
	if ((d->have & HAVE_MONTH) && !d->month_word && !(d->have & HAVE_DAY) && d->month >= 1 &&
		d->month <= 31) {
		d->day = d->month;
		d->month = month;
		d->month_word = true;
		return found(d, HAVE_DAY);
	}
	d->month_word = true;
	d->month = month;
	return found(d, HAVE_MONTH);
}

/* A date with separators, which must be complete: names first, then the numbers. PostgreSQL takes it
 * only when nothing but a time zone came before. */
static enum decode_result decode_date(struct decoder *d, const char *s)
{
	char parts[TOKEN_TEXT_MAX], *number[TOKENS_MAX], *p = parts;
	unsigned n = 0;
	enum decode_result r;

	while (*s && n < TOKENS_MAX) {
		bool digit;
		char *start = p;

		while (*s && strchr("-/.+_:", *s))
			s++;
		if (*s == '\0')
			return DECODE_BAD_FORMAT;
		digit = *s >= '0' && *s <= '9';
		while (*s && !strchr("-/.+_:", *s) && (*s >= '0' && *s <= '9') == digit)
			*p++ = *s++;
		*p++ = '\0';
		if (*s && strchr("-/.+_:", *s))
			s++;
		if (digit) {
			number[n++] = start;
		} else {
			const struct word *w = date_word(start);

			if (w && w->kind == WORD_IGNORED)
				continue;
			if (!w || w->kind != WORD_MONTH)
				return DECODE_BAD_FORMAT;
			d->month = w->value;
			d->month_word = true;
			r = found(d, HAVE_MONTH);
			if (r != DECODE_OK)
				return r;
		}
	}
	for (unsigned i = 0; i < n; i++) {
		r = decode_number(d, number[i]);
		if (r != DECODE_OK)
			return r;
	}
	return (d->have & ~(HAVE_DOY | HAVE_ZONE)) == HAVE_DATE ? DECODE_OK : DECODE_BAD_FORMAT;
}

/* ±h, ±hh, ±hhmm, ±hh:mm, ±hh:mm:ss */
static enum decode_result decode_zone(struct decoder *d, const char *s)
{
	int64_t hour, minute = 0, second = 0;
	char *p;

	if (*s != '+' && *s != '-')
		return DECODE_BAD_FORMAT;
	if (!int_parse(s + 1, &p, &hour))
		return DECODE_ZONE_OVERFLOW;
	if (*p == ':') {
		if (!int_parse(p + 1, &p, &minute))
			return DECODE_ZONE_OVERFLOW;
		if (*p == ':' && !int_parse(p + 1, &p, &second))
			return DECODE_ZONE_OVERFLOW;
	} else if (*p == '\0' && strlen(s) > 3) {
		minute = hour % 100;
		hour /= 100;
	}
	if (hour < 0 || hour > 15 || minute < 0 || minute > 59 || second < 0 || second > 59)
		return DECODE_ZONE_OVERFLOW;
	if (*p != '\0')
		return DECODE_BAD_FORMAT;
	d->zone_seconds = (hour * 3600 + minute * 60 + second) * (*s == '-' ? -1 : 1);
	return found(d, HAVE_ZONE);
}

static enum decode_result set_zone(struct decoder *d, const struct word *w)
{
	d->zone_seconds = w->value * 60;
	return found(d, HAVE_ZONE);
}

static enum decode_result decode_word(struct decoder *d, const struct tokens *t, unsigned i)
{
	const char *text = t->at[i].text;
	const struct word *w = word_in(zones, sizeof(zones) / sizeof(*zones), text);

	if (!w)
		w = date_word(text);
	if (!w)
		return DECODE_BAD_FORMAT;
	switch ((enum word_kind)w->kind) {
	case WORD_IGNORED: return DECODE_OK;
	case WORD_MONTH: return decode_month(d, w->value);
	case WORD_WEEKDAY: return found(d, HAVE_WEEKDAY);
	case WORD_MERIDIEM: d->meridiem = 1 + w->value; return found(d, HAVE_MERIDIEM);
	case WORD_ERA: d->bc = w->value; return found(d, HAVE_ERA);
	case WORD_ZONE: return set_zone(d, w);
	case WORD_DST:
		/* modifies a zone named before it */
		d->zone_seconds += w->value * 60;
		return d->have & HAVE_ZONE ? DECODE_OK : DECODE_BAD_FORMAT;
	case WORD_MIDNIGHT: return found(d, HAVE_TIME | HAVE_ZONE);
	case WORD_EPOCH:
	case WORD_INFINITY:
	case WORD_CLOCK:
		d->special = (enum word_kind)w->kind;
		d->special_value = w->value;
		return found(d, HAVE_DATE | HAVE_TIME | HAVE_ZONE | HAVE_SPECIAL);
	case WORD_T:
		if ((d->have & HAVE_DATE) != HAVE_DATE || i + 1 >= t->n ||
			t->at[i + 1].kind > TOKEN_TIME)
			return DECODE_BAD_FORMAT;
		d->prefix = WORD_T;
		return DECODE_OK;
	case WORD_JULIAN: d->prefix = WORD_JULIAN; return DECODE_OK;
	default: return DECODE_BAD_FORMAT;
	}
}

static enum decode_result decode_clock(struct decoder *d, const char *s)
{
	enum decode_result r = clock_parse(&d->time, s);
	const struct clock_time *c = &d->time;

	if (r != DECODE_OK)
		return r;
	if (c->hour > 24 || (c->hour == 24 && (c->minute || c->second || c->usec)))
		return DECODE_OVERFLOW;
	return found(d, HAVE_TIME);
}

/* J2451187, J2451187.5 */
static enum decode_result decode_julian(struct decoder *d, const char *s)
{
	int32_t year, month, day;
	double fraction = 0;
	int64_t jd;
	char *end;

	if (!int_parse(s, &end, &jd) || jd < 0)
		return DECODE_OVERFLOW;
	if (*end == '.') {
		if (fraction_parse(end, &fraction) != DECODE_OK)
			return DECODE_BAD_FORMAT;
	} else if (*end != '\0') {
		return DECODE_BAD_FORMAT;
	}
	date_from_julian(jd, &year, &month, &day);
	d->year = year;
	d->month = month;
	d->day = day;
	d->julian = true;
	if (*end == '.') {
		int64_t us = (int64_t)(fraction * (double)USECS_PER_DAY);

		d->time = (struct clock_time){ us / (3600 * USECS_PER_SEC),
			us / (60 * USECS_PER_SEC) % 60, us / USECS_PER_SEC % 60,
			us % USECS_PER_SEC };
		return found(d, HAVE_DATE | HAVE_TIME);
	}
	return found(d, HAVE_DATE);
}

/* hhmmss-zz behind a complete date */
static enum decode_result decode_time_with_zone(struct decoder *d, const char *s)
{
	char digits[TOKEN_TEXT_MAX];
	const char *sign = strchr(s, '-');
	enum decode_result r;

	if (!sign || (d->have & HAVE_TIME))
		return DECODE_BAD_FORMAT;
	r = decode_zone(d, sign);
	if (r != DECODE_OK)
		return r;
	memcpy(digits, s, (size_t)(sign - s));
	digits[sign - s] = '\0';
	return decode_run(d, digits, d->have | HAVE_DATE);
}

static enum decode_result decode_plain_number(struct decoder *d, const char *s)
{
	const char *point = strchr(s, '.');
	bool date = d->have & HAVE_DATE;

	if (point && !date)
		return decode_date(d, s);
	if (point && point - s > 2)
		return decode_run(d, s, d->have);
	if (strlen(s) >= 6 && (!date || !(d->have & HAVE_TIME)))
		return decode_run(d, s, d->have);
	return decode_number(d, s);
}

static enum decode_result decode_token(struct decoder *d, const struct tokens *t, unsigned i)
{
	const char *s = t->at[i].text;
	enum word_kind prefix = d->prefix;

	d->prefix = WORD_UNKNOWN;
	switch (t->at[i].kind) {
	case TOKEN_NUMBER:
		if (prefix == WORD_JULIAN)
			return decode_julian(d, s);
		if (prefix == WORD_T)
			return decode_run(d, s, d->have | HAVE_DATE);
		return decode_plain_number(d, s);
	case TOKEN_DATE:
		if (prefix == WORD_JULIAN)
			return DECODE_BAD_FORMAT;
		if (prefix == WORD_T ||
			((d->have & (HAVE_MONTH | HAVE_DAY)) == (HAVE_MONTH | HAVE_DAY) &&
				*s >= '0' && *s <= '9'))
			return decode_time_with_zone(d, s);
		return decode_date(d, s);
	case TOKEN_TIME: return prefix == WORD_JULIAN ? DECODE_BAD_FORMAT : decode_clock(d, s);
	case TOKEN_ZONE: return prefix ? DECODE_BAD_FORMAT : decode_zone(d, s);
	default: return prefix ? DECODE_BAD_FORMAT : decode_word(d, t, i);
	}
}

static enum decode_result check_date(struct decoder *d)
{
	if ((d->have & HAVE_YEAR) && !d->julian) {
		if (d->bc) {
			if (d->year <= 0)
				return DECODE_OVERFLOW;
			d->year = 1 - d->year;
		} else if (d->short_year) {
			d->year += d->year < 70 ? 2000 : d->year < 100 ? 1900 : 0;
		} else if (d->year <= 0) {
			return DECODE_OVERFLOW;
		}
	}
	if (d->have & HAVE_DOY) {
		int32_t y, m, day;

		date_from_julian(date_to_julian(d->year, 1, 1) + d->doy - 1, &y, &m, &day);
		d->year = y;
		d->month = m;
		d->day = day;
	}
	if ((d->have & HAVE_MONTH) && (d->month < 1 || d->month > 12))
		return DECODE_MONTH_OVERFLOW;
	if ((d->have & HAVE_DAY) && (d->day < 1 || d->day > 31))
		return DECODE_MONTH_OVERFLOW;
	if ((d->have & HAVE_DATE) == HAVE_DATE && d->day > month_days(d->year, (int)d->month))
		return DECODE_OVERFLOW;
	if (d->meridiem && d->time.hour > 12)
		return DECODE_OVERFLOW;
	if (d->meridiem == 1 && d->time.hour == 12)
		d->time.hour = 0;
	else if (d->meridiem == 2 && d->time.hour != 12)
		d->time.hour += 12;
	return (d->have & HAVE_DATE) == HAVE_DATE ? DECODE_OK : DECODE_BAD_FORMAT;
}

static int finish_special(struct value *out, const struct decoder *d, enum type_id type,
	const char *s, size_t len, struct error *e)
{
	if (d->special == WORD_CLOCK)
		return error_set(e, ERR_FEATURE, 0,
			"date/time value \"%.*s\" depends on the clock and is not supported",
			(int)len, s);
	if (d->special == WORD_EPOCH)
		out->i = type == TYPE_DATE ? -10957 : -10957 * USECS_PER_DAY;
	else if (type == TYPE_DATE)
		out->i = d->special_value > 0 ? DATE_INFINITY : DATE_NEG_INFINITY;
	else
		out->i = d->special_value > 0 ? TIMESTAMP_INFINITY : TIMESTAMP_NEG_INFINITY;
	return 0;
}

int datetime_parse(struct value *out, enum type_id type, const char *s, size_t len, struct error *e)
{
	const char *name = type == TYPE_DATE ? "date"
		: type == TYPE_TIMESTAMP     ? "timestamp"
					     : "timestamp with time zone";
	struct decoder d = { 0 };
	struct tokens t;
	enum decode_result r = tokens_split(&t, s, len, date_word_known);
	int128 us;
	int64_t days;

	for (unsigned i = 0; r == DECODE_OK && i < t.n; i++)
		r = decode_token(&d, &t, i);
	if (r == DECODE_OK && !d.special)
		r = check_date(&d);
	if (r != DECODE_OK)
		return decode_error(r, name, s, len, e);
	out->flags = 0;
	out->scale = 0;
	out->type = (uint8_t)type;
	if (d.special)
		return finish_special(out, &d, type, s, len, e);
	days = date_to_julian(d.year, (int)d.month, (int)d.day) - 2451545;
	if (type == TYPE_DATE) {
		if (!date_in_range(days))
			return error_set(e, ERR_DATETIME_OVERFLOW, 0, "date out of range: \"%.*s\"",
				(int)len, s);
		out->i = days;
		return 0;
	}
	us = (int128)days * USECS_PER_DAY +
		((d.time.hour * 60 + d.time.minute) * 60 + d.time.second) * USECS_PER_SEC +
		d.time.usec - (type == TYPE_TIMESTAMPTZ ? d.zone_seconds * USECS_PER_SEC : 0);
	if (us != (int64_t)us || !timestamp_in_range((int64_t)us))
		return error_set(e, ERR_DATETIME_OVERFLOW, 0, "timestamp out of range: \"%.*s\"",
			(int)len, s);
	out->i = (int64_t)us;
	return 0;
}
