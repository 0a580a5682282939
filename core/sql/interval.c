/*
 * interval.c: intervals in and out: 'n unit …' with an optional time of day and 'ago'; printed in PostgreSQL's
 * own style.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/sql/datetime.h"
#include "core/sql/datetime_text.h"

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

/* Time of day into dt; false: malformed. */
static bool time_of_day(struct reader *r, struct datetime *dt, int64_t *offset)
{
	int64_t h = number(r, 1, 9), m, s = 0;
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

static int bad(const char *s, size_t len, struct error *e)
{
	return error_set(e, ERR_DATETIME_FORMAT, 0,
		"invalid input syntax for type interval: \"%.*s\"", len > 200 ? 200 : (int)len, s);
}

/* --- intervals --- */

struct span {
	double months, days, us;
	bool out_of_range; /* a month beyond 11 */
};

static bool span_add(struct span *sp, double n, enum time_unit unit)
{
	switch (unit) {
	case UNIT_MILLENNIUM: sp->months += 12000 * n; break;
	case UNIT_CENTURY: sp->months += 1200 * n; break;
	case UNIT_DECADE: sp->months += 120 * n; break;
	case UNIT_YEAR: sp->months += rint(12 * n); break;
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
	case UNIT_HOUR: sp->us += rint(n * 3600e6); break;
	case UNIT_MINUTE: sp->us += rint(n * 60e6); break;
	case UNIT_SECOND: sp->us += rint(n * 1e6); break;
	case UNIT_MILLISECOND: sp->us += rint(n * 1e3); break;
	case UNIT_MICROSECOND: sp->us += rint(n); break;
	default: return false;
	}
	return true;
}

static bool at_time_of_day(struct reader r)
{
	(void)(take(&r, '-') || take(&r, '+'));
	return number(&r, 1, 9) >= 0 && take(&r, ':');
}

/* The "m" of "y-m", at its minus sign. */
static bool months_part(struct reader *r, struct span *sp, double years, bool negative)
{
	int64_t months;

	r->p++;
	months = number(r, 1, 2);
	if (months < 0 || (r->p < r->end && !isspace((unsigned char)*r->p)))
		return false;
	sp->out_of_range |= months > 11;
	sp->months += 12 * years + (negative ? -1 : 1) * (double)months;
	return true;
}

/* "n unit", "y-m", "[-]h:m[:s]", a bare number of days before such a time, or of seconds at the end. */
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
	if (r->end - r->p >= 2 && *r->p == '-' && isdigit((unsigned char)r->p[1]))
		return months_part(r, sp, d, negative);
	blanks(r);
	if (at_time_of_day(*r))
		return span_add(sp, d, UNIT_DAY);
	while (r->p < r->end && isalpha((unsigned char)*r->p) && n + 1 < sizeof(name))
		name[n++] = (char)tolower((unsigned char)*r->p++);
	name[n] = '\0';
	if (n == 0)
		return r->p == r->end && span_add(sp, d, UNIT_SECOND);
	return span_add(sp, d, interval_unit_find(name));
}

int interval_parse(struct value *out, const char *s, size_t len, struct error *e)
{
	struct reader r = { s, s + len };
	struct span sp = { 0 };
	bool any = false;

	memset(out, 0, sizeof(*out));
	blanks(&r);
	if (r.p < r.end && (*r.p == 'P' || *r.p == 'p'))
		return error_set(e, ERR_FEATURE, 0, "intervals in ISO 8601 are not supported");
	for (blanks(&r); r.p < r.end; blanks(&r)) {
		if (any && word(&r, "ago")) {
			sp = (struct span){ -sp.months, -sp.days, -sp.us, sp.out_of_range };
			blanks(&r);
			if (r.p != r.end)
				return bad(s, len, e);
			break;
		}
		(void)take(&r, '@');
		blanks(&r);
		if (!interval_part(&r, &sp))
			return bad(s, len, e);
		any = true;
	}
	if (!any)
		return bad(s, len, e);
	if (sp.out_of_range)
		return error_set(e, ERR_INTERVAL_OVERFLOW, 0,
			"interval field value out of range: \"%.*s\"", (int)len, s);
	if (fabs(sp.months) > INT32_MAX || fabs(sp.days) > INT32_MAX || fabs(sp.us) > 9.2e18)
		return error_set(e, ERR_DATETIME_OVERFLOW, 0,
			"interval field value out of range: \"%.*s\"", (int)len, s);
	return interval_make(out, (int64_t)sp.months, (int64_t)sp.days, (int64_t)sp.us, e);
}

static size_t part(char *buf, size_t at, int64_t n, const char *unit, bool *negative, bool *first)
{
	if (n == 0)
		return at;
	at += (size_t)sprintf(buf + at, "%s%s%lld %s%s", *first ? "" : " ",
		*negative && n > 0 ? "+" : "", (long long)n, unit, n == 1 ? "" : "s");
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
		v->iv.us < 0       ? "-"
			: negative ? "+"
				   : "",
		(unsigned long long)(us / 3600000000u), (unsigned long long)(us / 60000000u % 60),
		(unsigned long long)(us / 1000000u % 60));
	if (us % 1000000 != 0) {
		at += (size_t)sprintf(buf + at, ".%06llu", (unsigned long long)(us % 1000000));
		while (buf[at - 1] == '0')
			at--;
	}
	return at;
}
