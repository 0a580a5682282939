/*
 * to_char_time.c: see to_char.h. A template is patterns, each with prefixes and a suffix, and text that is copied.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/sql/datetime.h"
#include "core/sql/function_table.h"
#include "core/sql/to_char.h"

enum { PATTERN_TEXT_MAX = 64 };

#define JULIAN_2000 INT64_C(2451545)

enum pattern {
	P_AD,
	P_AD_DOTS,
	P_AM,
	P_AM_DOTS,
	P_CC,
	P_DAY,
	P_DDD,
	P_DD,
	P_DY,
	P_D,
	P_FF,
	P_FX,
	P_HH24,
	P_HH12,
	P_IDDD,
	P_ID,
	P_IW,
	P_IYYY,
	P_J,
	P_MI,
	P_MM,
	P_MONTH,
	P_MON,
	P_MS,
	P_OF,
	P_Q,
	P_RM,
	P_SSSS,
	P_SS,
	P_TZH,
	P_TZM,
	P_TZ,
	P_US,
	P_WW,
	P_W,
	P_Y_YYY,
	P_YYYY
};

/* How the letters of a name are written: as the pattern's are. */
enum letters { UPPER, CAPITAL, LOWER };

/* The longer of two that begin alike comes first. Those without capitals in `also` are the same in lower case. digits: how
 * many of the year's or the fraction's. */
static const struct keyword {
	const char *name;
	enum pattern pattern;
	unsigned digits;
	bool capital; /* only with this first letter */
} KEYWORDS[] = {
	{ "A.D.", P_AD_DOTS, 0, false },
	{ "A.M.", P_AM_DOTS, 0, false },
	{ "AD", P_AD, 0, false },
	{ "AM", P_AM, 0, false },
	{ "B.C.", P_AD_DOTS, 0, false },
	{ "BC", P_AD, 0, false },
	{ "CC", P_CC, 0, false },
	{ "DAY", P_DAY, 0, false },
	{ "DDD", P_DDD, 0, false },
	{ "DD", P_DD, 0, false },
	{ "DY", P_DY, 0, false },
	{ "Day", P_DAY, 0, true },
	{ "Dy", P_DY, 0, true },
	{ "D", P_D, 0, false },
	{ "FF1", P_FF, 1, false },
	{ "FF2", P_FF, 2, false },
	{ "FF3", P_FF, 3, false },
	{ "FF4", P_FF, 4, false },
	{ "FF5", P_FF, 5, false },
	{ "FF6", P_FF, 6, false },
	{ "FX", P_FX, 0, false },
	{ "HH24", P_HH24, 0, false },
	{ "HH12", P_HH12, 0, false },
	{ "HH", P_HH12, 0, false },
	{ "IDDD", P_IDDD, 0, false },
	{ "ID", P_ID, 0, false },
	{ "IW", P_IW, 0, false },
	{ "IYYY", P_IYYY, 4, false },
	{ "IYY", P_IYYY, 3, false },
	{ "IY", P_IYYY, 2, false },
	{ "I", P_IYYY, 1, false },
	{ "J", P_J, 0, false },
	{ "MI", P_MI, 0, false },
	{ "MM", P_MM, 0, false },
	{ "MONTH", P_MONTH, 0, false },
	{ "MON", P_MON, 0, false },
	{ "MS", P_MS, 0, false },
	{ "Month", P_MONTH, 0, true },
	{ "Mon", P_MON, 0, true },
	{ "OF", P_OF, 0, false },
	{ "P.M.", P_AM_DOTS, 0, false },
	{ "PM", P_AM, 0, false },
	{ "Q", P_Q, 0, false },
	{ "RM", P_RM, 0, false },
	{ "SSSSS", P_SSSS, 0, false },
	{ "SSSS", P_SSSS, 0, false },
	{ "SS", P_SS, 0, false },
	{ "TZH", P_TZH, 0, false },
	{ "TZM", P_TZM, 0, false },
	{ "TZ", P_TZ, 0, false },
	{ "US", P_US, 0, false },
	{ "WW", P_WW, 0, false },
	{ "W", P_W, 0, false },
	{ "Y,YYY", P_Y_YYY, 0, false },
	{ "YYYY", P_YYYY, 4, false },
	{ "YYY", P_YYYY, 3, false },
	{ "YY", P_YYYY, 2, false },
	{ "Y", P_YYYY, 1, false },
};

static const char *const MONTHS[] = { "January", "February", "March", "April", "May", "June",
	"July", "August", "September", "October", "November", "December" };
static const char *const DAYS[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday",
	"Friday", "Saturday" };
static const char *const ROMAN[] = { "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X",
	"XI", "XII" };

/* What is printed: a point in time, or an interval. */
struct moment {
	int64_t year, month, day, hour, minute, second, usec;
	int64_t year_day, week_day, julian;
	bool interval, zoned;
};

struct printer {
	const struct moment *m;
	char *q; /* NULL: only measured */
	size_t n;
	struct call *c;
};

/* A pattern with what stands before and behind it. */
struct item {
	const struct keyword *keyword;
	enum letters letters;
	bool fill;    /* no padding */
	bool names;   /* TM: names without padding */
	char ordinal; /* of TH or th; 0: none */
};

static void print(struct printer *p, const char *text, size_t n)
{
	if (p->q != NULL)
		memcpy(p->q + p->n, text, n);
	p->n += n;
}

/* --- numbers and names --- */

static const char *ordinal_of(const char *digits, size_t n, bool upper)
{
	static const char *const LOWER_CASE[] = { "th", "st", "nd", "rd" };
	static const char *const UPPER_CASE[] = { "TH", "ST", "ND", "RD" };
	unsigned last = (unsigned)(digits[n - 1] - '0');

	if (last > 3 || (n > 1 && digits[n - 2] == '1'))
		last = 0;
	return upper ? UPPER_CASE[last] : LOWER_CASE[last];
}

/* With zeros to this width. */
static void print_number(struct printer *p, const struct item *i, int64_t value, int width)
{
	char text[PATTERN_TEXT_MAX];
	int n = snprintf(text, sizeof(text), "%0*lld", i->fill ? 0 : width, (long long)value);

	print(p, text, (size_t)n);
	if (i->ordinal != 0)
		print(p, ordinal_of(text, (size_t)n, i->ordinal == 'T'), 2);
}

/* … and one more for a sign. */
static void print_signed(struct printer *p, const struct item *i, int64_t value, int width)
{
	print_number(p, i, value, width + (value < 0));
}

static char in_case(char x, enum letters letters, bool first)
{
	bool upper = letters == UPPER || (letters == CAPITAL && first);

	if (upper && x >= 'a' && x <= 'z')
		return (char)(x - 32);
	return !upper && x >= 'A' && x <= 'Z' ? (char)(x + 32) : x;
}

static void print_name(
	struct printer *p, const struct item *i, const char *name, size_t length, size_t width)
{
	size_t n = strlen(name);

	n = n < length ? n : length;
	for (size_t k = 0; k < n; k++) {
		char x = in_case(name[k], i->letters, k == 0);

		print(p, &x, 1);
	}
	for (; n < width && !i->fill && !i->names; n++)
		print(p, " ", 1);
}

/* --- fields --- */

/* The year as it is spoken of: without a zero. */
static int64_t spoken(const struct moment *m, int64_t year)
{
	return m->interval || year > 0 ? year : 1 - year;
}

/* Monday of the first ISO week of a year, as a Julian day. */
static int64_t iso_year_start(int64_t year)
{
	int64_t jan4 = date_to_julian(year, 1, 4);

	return jan4 - jan4 % 7;
}

static int64_t iso_year(const struct moment *m)
{
	if (m->julian >= iso_year_start(m->year + 1))
		return m->year + 1;
	return m->julian < iso_year_start(m->year) ? m->year - 1 : m->year;
}

static void print_year(struct printer *p, const struct item *i, int64_t year)
{
	static const int64_t POWERS[] = { 1, 10, 100, 1000 };
	unsigned digits = i->keyword->digits;

	if (digits < 4)
		year %= POWERS[digits];
	print_signed(p, i, year, (int)digits);
}

static int64_t century(const struct moment *m)
{
	if (m->interval)
		return m->year / 100;
	return m->year > 0 ? (m->year - 1) / 100 + 1 : m->year / 100 - 1;
}

static void print_year_comma(struct printer *p, const struct item *i)
{
	char text[PATTERN_TEXT_MAX];
	int64_t year = spoken(p->m, p->m->year);
	int n = snprintf(text, sizeof(text), "%lld,%03lld", (long long)(year / 1000),
		(long long)(year % 1000));

	print(p, text, (size_t)n);
	if (i->ordinal != 0)
		print(p, ordinal_of(text, (size_t)n, i->ordinal == 'T'), 2);
}

static void print_half(struct printer *p, const struct item *i, bool second, const char *first_name,
	const char *second_name)
{
	print_name(p, i, second ? second_name : first_name, SIZE_MAX, 0);
}

/* Patterns of a calendar, which intervals do not have. */
static int print_calendar(struct printer *p, const struct item *i)
{
	const struct moment *m = p->m;

	if (m->interval)
		return error_set(p->c->error, ERR_DATETIME_FORMAT, 0,
			"invalid format specification for an interval value");
	switch (i->keyword->pattern) {
	case P_AD: print_half(p, i, m->year <= 0, "AD", "BC"); break;
	case P_AD_DOTS: print_half(p, i, m->year <= 0, "A.D.", "B.C."); break;
	case P_MONTH: print_name(p, i, MONTHS[m->month - 1], SIZE_MAX, 9); break;
	case P_MON: print_name(p, i, MONTHS[m->month - 1], 3, 0); break;
	case P_DAY: print_name(p, i, DAYS[m->week_day], SIZE_MAX, 9); break;
	case P_DY: print_name(p, i, DAYS[m->week_day], 3, 0); break;
	case P_D: print_number(p, i, m->week_day + 1, 1); break;
	case P_ID: print_number(p, i, m->week_day == 0 ? 7 : m->week_day, 1); break;
	case P_TZ:
		if (m->zoned)
			print_name(p, i, "UTC", SIZE_MAX, 0);
		break;
	case P_TZH:
	case P_OF: print(p, "+00", 3); break;
	case P_TZM: print(p, "00", 2); break;
	default: break;
	}
	return 0;
}

static void print_roman(struct printer *p, const struct item *i)
{
	if (p->m->month >= 1 && p->m->month <= 12)
		print_name(p, i, ROMAN[p->m->month - 1], SIZE_MAX, 4);
}

static int print_date(struct printer *p, const struct item *i)
{
	const struct moment *m = p->m;

	switch (i->keyword->pattern) {
	case P_CC: print_signed(p, i, century(m), 2); break;
	case P_DDD: print_number(p, i, m->year_day, 3); break;
	case P_DD: print_number(p, i, m->day, 2); break;
	case P_MM: print_signed(p, i, m->month, 2); break;
	case P_Q:
		if (m->month != 0)
			print_number(p, i, (m->month - 1) / 3 + 1, 1);
		break;
	case P_RM: print_roman(p, i); break;
	case P_WW: print_number(p, i, (m->year_day - 1) / 7 + 1, 2); break;
	case P_W: print_number(p, i, (m->day - 1) / 7 + 1, 1); break;
	case P_Y_YYY: print_year_comma(p, i); break;
	case P_YYYY: print_year(p, i, spoken(m, m->year)); break;
	case P_J: print_number(p, i, m->julian, 0); break;
	case P_IYYY: print_year(p, i, spoken(m, iso_year(m))); break;
	case P_IW: print_number(p, i, (m->julian - iso_year_start(iso_year(m))) / 7 + 1, 2); break;
	case P_IDDD: print_number(p, i, m->julian - iso_year_start(iso_year(m)) + 1, 3); break;
	default: return print_calendar(p, i);
	}
	return 0;
}

static int print_item(struct printer *p, const struct item *i)
{
	static const int64_t POWERS[] = { 1000000, 100000, 10000, 1000, 100, 10, 1 };
	const struct moment *m = p->m;
	int64_t half = m->hour % 12, of_day = m->hour % 24;
	unsigned digits = i->keyword->digits;

	switch (i->keyword->pattern) {
	case P_AM: print_half(p, i, of_day >= 12, "AM", "PM"); break;
	case P_AM_DOTS: print_half(p, i, of_day >= 12, "A.M.", "P.M."); break;
	case P_HH12: print_signed(p, i, half == 0 ? 12 : half, 2); break;
	case P_HH24: print_signed(p, i, m->hour, 2); break;
	case P_MI: print_signed(p, i, m->minute, 2); break;
	case P_SS: print_signed(p, i, m->second, 2); break;
	case P_MS: print_number(p, i, m->usec / 1000, 3); break;
	case P_US: print_number(p, i, m->usec, 6); break;
	case P_FF: print_number(p, i, m->usec / POWERS[digits], (int)digits); break;
	case P_SSSS: print_number(p, i, (m->hour * 60 + m->minute) * 60 + m->second, 0); break;
	case P_FX: break;
	default: return print_date(p, i);
	}
	return 0;
}

/* --- templates --- */

static bool begins(const char *p, const char *end, const char *word, bool lower)
{
	for (; *word != '\0'; word++, p++) {
		char want = lower && *word >= 'A' && *word <= 'Z' ? (char)(*word + 32) : *word;

		if (p == end || *p != want)
			return false;
	}
	return true;
}

/* Take the word in upper or lower case. */
static bool take(const char **p, const char *end, const char *word)
{
	if (!begins(*p, end, word, false) && !begins(*p, end, word, true))
		return false;
	*p += strlen(word);
	return true;
}

static bool find_keyword(const char *p, const char *end, struct item *i)
{
	for (unsigned k = 0; k < sizeof(KEYWORDS) / sizeof(KEYWORDS[0]); k++) {
		bool lower = !KEYWORDS[k].capital && begins(p, end, KEYWORDS[k].name, true);

		if (!lower && !begins(p, end, KEYWORDS[k].name, false))
			continue;
		i->keyword = &KEYWORDS[k];
		i->letters = KEYWORDS[k].capital ? CAPITAL : lower ? LOWER : UPPER;
		return true;
	}
	return false;
}

/* A pattern at *p, with its prefixes and its suffix. 1; 0: none, and *p stays. */
static bool read_item(const char **p, const char *end, struct item *i)
{
	const char *at = *p;

	*i = (struct item){ .keyword = NULL };
	for (;;) {
		if (take(&at, end, "FM"))
			i->fill = true;
		else if (take(&at, end, "TM"))
			i->names = true;
		else
			break;
	}
	if (at == end || !find_keyword(at, end, i)) {
		/* Prefixes alone are nothing. */
		*p = at > *p ? at : *p;
		return at > *p;
	}
	at += strlen(i->keyword->name);
	if (begins(at, end, "TH", false) || begins(at, end, "th", false)) {
		i->ordinal = *at;
		at += 2;
	}
	(void)take(&at, end, "SP");
	*p = at;
	return true;
}

/* In quotes everything is text. */
static const char *print_quoted(struct printer *p, const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++) {
		if (*at == '\\' && at + 1 < end)
			at++;
		print(p, at, 1);
	}
	return at < end ? at + 1 : at;
}

static int print_all(struct printer *p, const struct value *format)
{
	const char *at = format->s.p, *end = at + format->s.len;

	p->n = 0;
	while (at < end) {
		const char *begin = at;
		struct item i;

		if (read_item(&at, end, &i)) {
			if (i.keyword != NULL && print_item(p, &i) != 0)
				return -1;
		} else if (at > begin) {
			continue;
		} else if (*at == '"') {
			at = print_quoted(p, at, end);
		} else {
			at += *at == '\\' && at + 1 < end && at[1] == '"';
			print(p, at++, 1);
		}
	}
	return 0;
}

static void moment_of_time(struct moment *m, const struct value *v)
{
	struct datetime dt;

	timestamp_split(v->i, &dt);
	*m = (struct moment){ .year = dt.year,
		.month = dt.month,
		.day = dt.day,
		.hour = dt.hour,
		.minute = dt.minute,
		.second = dt.second,
		.usec = dt.usec };
	m->julian = date_to_julian(dt.year, dt.month, dt.day);
	m->year_day = m->julian - date_to_julian(dt.year, 1, 1) + 1;
	m->week_day = (m->julian + 1) % 7;
	m->zoned = v->type == TYPE_TIMESTAMPTZ;
}

static void moment_of_interval(struct moment *m, const struct value *v)
{
	int64_t us = v->iv.us;

	*m = (struct moment){ .year = v->iv.months / 12,
		.month = v->iv.months % 12,
		.day = v->iv.days,
		.hour = us / (3600 * USECS_PER_SEC),
		.minute = us / (60 * USECS_PER_SEC) % 60,
		.second = us / USECS_PER_SEC % 60,
		.usec = us % USECS_PER_SEC };
	m->interval = true;
	m->year_day = (m->year * 12 + m->month) * 30 + m->day;
	m->julian = date_to_julian(m->year, (int)m->month, (int)m->day);
}

int to_char_time(
	struct value *out, const struct value *v, const struct value *format, struct call *c)
{
	struct moment m;
	struct printer p = { .m = &m, .c = c };

	if (v->type == TYPE_INTERVAL)
		moment_of_interval(&m, v);
	else
		moment_of_time(&m, v);
	if (print_all(&p, format) != 0)
		return -1;
	p.q = text_room(p.n, c);
	if (p.q == NULL || print_all(&p, format) != 0)
		return -1;
	return text_result(out, p.q, p.n);
}
