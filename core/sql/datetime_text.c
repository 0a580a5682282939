/*
 * datetime_text.c: the words of dates and intervals, and the splitting of their text into tokens.
 *
 * PostgreSQL cuts words to 10 bytes before it looks them up, so "microseconds" and "microsecondx"
 * are one unit; the tables hold the cut forms.
 */
#include "core/sql/datetime_text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 10 };

static const struct {
	char word[WORD_MAX + 1];
	uint8_t unit;
} units[] = {
	{ "c", UNIT_CENTURY },
	{ "cent", UNIT_CENTURY },
	{ "centuries", UNIT_CENTURY },
	{ "century", UNIT_CENTURY },
	{ "d", UNIT_DAY },
	{ "day", UNIT_DAY },
	{ "days", UNIT_DAY },
	{ "dec", UNIT_DECADE },
	{ "decade", UNIT_DECADE },
	{ "decades", UNIT_DECADE },
	{ "decs", UNIT_DECADE },
	{ "h", UNIT_HOUR },
	{ "hour", UNIT_HOUR },
	{ "hours", UNIT_HOUR },
	{ "hr", UNIT_HOUR },
	{ "hrs", UNIT_HOUR },
	{ "m", UNIT_MINUTE },
	{ "microsecon", UNIT_MICROSECOND },
	{ "mil", UNIT_MILLENNIUM },
	{ "millennia", UNIT_MILLENNIUM },
	{ "millennium", UNIT_MILLENNIUM },
	{ "millisecon", UNIT_MILLISECOND },
	{ "mils", UNIT_MILLENNIUM },
	{ "min", UNIT_MINUTE },
	{ "mins", UNIT_MINUTE },
	{ "minute", UNIT_MINUTE },
	{ "minutes", UNIT_MINUTE },
	{ "mon", UNIT_MONTH },
	{ "mons", UNIT_MONTH },
	{ "month", UNIT_MONTH },
	{ "months", UNIT_MONTH },
	{ "ms", UNIT_MILLISECOND },
	{ "msec", UNIT_MILLISECOND },
	{ "msecond", UNIT_MILLISECOND },
	{ "mseconds", UNIT_MILLISECOND },
	{ "msecs", UNIT_MILLISECOND },
	{ "qtr", UNIT_QUARTER },
	{ "quarter", UNIT_QUARTER },
	{ "s", UNIT_SECOND },
	{ "sec", UNIT_SECOND },
	{ "second", UNIT_SECOND },
	{ "seconds", UNIT_SECOND },
	{ "secs", UNIT_SECOND },
	{ "timezone", UNIT_TIMEZONE },
	{ "timezone_h", UNIT_TIMEZONE_HOUR },
	{ "timezone_m", UNIT_TIMEZONE_MINUTE },
	{ "us", UNIT_MICROSECOND },
	{ "usec", UNIT_MICROSECOND },
	{ "usecond", UNIT_MICROSECOND },
	{ "useconds", UNIT_MICROSECOND },
	{ "usecs", UNIT_MICROSECOND },
	{ "w", UNIT_WEEK },
	{ "week", UNIT_WEEK },
	{ "weeks", UNIT_WEEK },
	{ "y", UNIT_YEAR },
	{ "year", UNIT_YEAR },
	{ "years", UNIT_YEAR },
	{ "yr", UNIT_YEAR },
	{ "yrs", UNIT_YEAR },
};

static const struct {
	char word[WORD_MAX + 1];
	uint8_t unit;
} extract_units[] = {
	{ "dow", UNIT_DOW },
	{ "doy", UNIT_DOY },
	{ "epoch", UNIT_EPOCH },
	{ "isodow", UNIT_ISODOW },
	{ "isoyear", UNIT_ISOYEAR },
	{ "j", UNIT_JULIAN },
	{ "jd", UNIT_JULIAN },
	{ "julian", UNIT_JULIAN },
};

enum time_unit interval_unit_find(const char *word)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (strncmp(units[i].word, word, WORD_MAX) == 0)
			return (enum time_unit)units[i].unit;
	return UNIT_NONE;
}

enum time_unit time_unit_find(const char *s, size_t len)
{
	char word[WORD_MAX + 1] = { 0 };
	enum time_unit unit;

	for (size_t i = 0; i < len && i < WORD_MAX; i++)
		word[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] + 'a' - 'A') : s[i];
	unit = interval_unit_find(word);
	for (size_t i = 0; !unit && i < sizeof(extract_units) / sizeof(*extract_units); i++)
		if (strcmp(extract_units[i].word, word) == 0)
			unit = (enum time_unit)extract_units[i].unit;
	return unit;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_punctuation(char c)
{
	return c > ' ' && c < 0x7f && !is_digit(c) && !is_alpha(c);
}

struct splitter {
	const char *p, *end;
	char *out;
};

static char peek(const struct splitter *x)
{
	return x->p < x->end ? *x->p : '\0';
}

static void take(struct splitter *x)
{
	char c = *x->p++;

	*x->out++ = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

static void take_digits(struct splitter *x)
{
	while (is_digit(peek(x)))
		take(x);
}

/* A token that starts with a digit: number, date or time. */
static enum token_kind split_digits(struct splitter *x)
{
	char mark;

	take_digits(x);
	mark = peek(x);
	if (mark == ':') {
		while (is_digit(peek(x)) || peek(x) == ':' || peek(x) == '.')
			take(x);
		return TOKEN_TIME;
	}
	if (mark != '-' && mark != '/' && mark != '.')
		return TOKEN_NUMBER;
	take(x);
	if (!is_digit(peek(x))) {
		/* 8-January-1999 */
		if (mark == '.' && !is_alpha(peek(x)))
			return TOKEN_NUMBER;
		while (is_digit(peek(x)) || is_alpha(peek(x)) || peek(x) == mark)
			take(x);
		return TOKEN_DATE;
	}
	take_digits(x);
	if (peek(x) != mark)
		return mark == '.' ? TOKEN_NUMBER : TOKEN_DATE;
	while (is_digit(peek(x)) || peek(x) == mark)
		take(x);
	return TOKEN_DATE;
}

/* A word; with separators, or a + or digits that follow no known word, a date or zone name. */
static enum token_kind split_word(struct splitter *x, char *start, bool (*known)(const char *word))
{
	bool date = false;
	char c;

	while (is_alpha(peek(x)))
		take(x);
	c = peek(x);
	if (c == '-' || c == '/' || c == '.') {
		date = true;
	} else if (c == '+' || is_digit(c)) {
		*x->out = '\0';
		date = !known(start);
	}
	if (!date)
		return TOKEN_WORD;
	do {
		take(x);
		c = peek(x);
	} while (c && (strchr("+-/_.:", c) || is_digit(c) || is_alpha(c)));
	return TOKEN_DATE;
}

static int split_signed(struct splitter *x, enum token_kind *kind)
{
	take(x);
	while (is_space(peek(x)))
		x->p++;
	if (is_digit(peek(x))) {
		while (is_digit(peek(x)) || (peek(x) && strchr(":.-", peek(x))))
			take(x);
		*kind = TOKEN_ZONE;
		return 0;
	}
	if (!is_alpha(peek(x)))
		return -1;
	while (is_alpha(peek(x)))
		take(x);
	*kind = TOKEN_SPECIAL;
	return 0;
}

enum decode_result tokens_split(
	struct tokens *t, const char *s, size_t len, bool (*known)(const char *word))
{
	struct splitter x = { s, s + len, t->text };

	t->n = 0;
	if (len >= TOKEN_TEXT_MAX)
		return DECODE_BAD_FORMAT;
	while (x.p < x.end) {
		char *start = x.out;
		enum token_kind kind;

		if (is_space(*x.p)) {
			x.p++;
			continue;
		}
		if (is_digit(*x.p)) {
			kind = split_digits(&x);
		} else if (*x.p == '.') {
			take(&x);
			take_digits(&x);
			kind = TOKEN_NUMBER;
		} else if (is_alpha(*x.p)) {
			kind = split_word(&x, start, known);
		} else if (*x.p == '+' || *x.p == '-') {
			if (split_signed(&x, &kind) < 0)
				return DECODE_BAD_FORMAT;
		} else if (is_punctuation(*x.p)) {
			x.p++;
			continue;
		} else {
			return DECODE_BAD_FORMAT;
		}
		if (t->n == TOKENS_MAX)
			return DECODE_BAD_FORMAT;
		*x.out++ = '\0';
		t->at[t->n].kind = kind;
		t->at[t->n++].text = start;
	}
	return DECODE_OK;
}

bool int_parse(const char *s, char **end, int64_t *n)
{
	errno = 0;
	*n = strtoll(s, end, 10);
	return errno != ERANGE && *n == (int32_t)*n;
}

enum decode_result fraction_parse(const char *s, double *fraction)
{
	char *end;

	if (s[1] == '\0') {
		*fraction = 0;
		return DECODE_OK;
	}
	if (!is_digit(s[1]))
		return DECODE_BAD_FORMAT;
	errno = 0;
	*fraction = strtod(s, &end);
	return *end != '\0' || (errno == ERANGE && *fraction != 0) ? DECODE_BAD_FORMAT : DECODE_OK;
}

static enum decode_result fraction_to_us(const char *s, int64_t *us)
{
	double fraction;
	enum decode_result r = fraction_parse(s, &fraction);

	*us = r == DECODE_OK ? (int64_t)rint(fraction * 1e6) : 0;
	return r;
}

enum decode_result clock_parse(struct clock_time *t, const char *s)
{
	enum decode_result r = DECODE_OK;
	char *p;

	t->second = t->usec = 0;
	errno = 0;
	t->hour = strtoll(s, &p, 10);
	if (errno == ERANGE)
		return DECODE_OVERFLOW;
	if (*p != ':')
		return DECODE_BAD_FORMAT;
	if (!int_parse(p + 1, &p, &t->minute))
		return DECODE_OVERFLOW;
	if (*p == '.') {
		r = fraction_to_us(p, &t->usec);
		if (t->hour != (int32_t)t->hour)
			return DECODE_OVERFLOW;
		t->second = t->minute;
		t->minute = t->hour;
		t->hour = 0;
	} else if (*p == ':') {
		if (!int_parse(p + 1, &p, &t->second))
			return DECODE_OVERFLOW;
		if (*p == '.')
			r = fraction_to_us(p, &t->usec);
		else if (*p != '\0')
			return DECODE_BAD_FORMAT;
	} else if (*p != '\0') {
		return DECODE_BAD_FORMAT;
	}
	if (r != DECODE_OK)
		return r;
	if (t->hour < 0 || t->minute < 0 || t->minute > 59 || t->second < 0 || t->second > 60 ||
		t->usec > 1000000)
		return DECODE_OVERFLOW;
	return DECODE_OK;
}

int decode_error(enum decode_result r, const char *type, const char *s, size_t len, struct error *e)
{
	int n = (int)(len < ERROR_MESSAGE_MAX ? len : ERROR_MESSAGE_MAX);

	switch (r) {
	case DECODE_OVERFLOW:
	case DECODE_MONTH_OVERFLOW:
		error_set(e, ERR_DATETIME_OVERFLOW, 0,
			"date/time field value out of range: \"%.*s\"", n, s);
		if (r == DECODE_MONTH_OVERFLOW)
			error_hint(e, "Perhaps you need a different \"datestyle\" setting.");
		return -1;
	case DECODE_INTERVAL_OVERFLOW:
		return error_set(e, ERR_INTERVAL_OVERFLOW, 0,
			"interval field value out of range: \"%.*s\"", n, s);
	case DECODE_ZONE_OVERFLOW:
		return error_set(
			e, ERR_TIME_ZONE, 0, "time zone displacement out of range: \"%.*s\"", n, s);
	default:
		return error_set(e, ERR_DATETIME_FORMAT, 0,
			"invalid input syntax for type %s: \"%.*s\"", type, n, s);
	}
}
