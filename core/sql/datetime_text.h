/*
 * datetime_text.h: words of date and time input, shared by datetime*.c and interval.c only.
 */
#ifndef LF_SQL_DATETIME_TEXT_H
#define LF_SQL_DATETIME_TEXT_H

#include "core/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Units of date_trunc, extract and intervals, the calendar's from large to small. */
enum time_unit {
	UNIT_NONE, /* no such word */
	UNIT_MILLENNIUM,
	UNIT_CENTURY,
	UNIT_DECADE,
	UNIT_YEAR,
	UNIT_QUARTER,
	UNIT_MONTH,
	UNIT_WEEK,
	UNIT_DAY,
	UNIT_HOUR,
	UNIT_MINUTE,
	UNIT_SECOND,
	UNIT_MILLISECOND,
	UNIT_MICROSECOND,
	/* extract only */
	UNIT_EPOCH,
	UNIT_JULIAN,
	UNIT_ISOYEAR,
	UNIT_DOW,
	UNIT_ISODOW,
	UNIT_DOY,
	UNIT_TIMEZONE,
	UNIT_TIMEZONE_HOUR,
	UNIT_TIMEZONE_MINUTE
};

/* Any case; words of extract included. */
enum time_unit time_unit_find(const char *s, size_t len);
/* The words an interval may use: lower case; UNIT_NONE otherwise. */
enum time_unit interval_unit_find(const char *word);

/* Tokens of an input string, as PostgreSQL splits it. */
enum token_kind {
	TOKEN_NUMBER, /* digits, perhaps one point */
	TOKEN_DATE,   /* with - / or . separators, or letters with such */
	TOKEN_TIME,   /* with colons */
	TOKEN_ZONE,   /* + or - and digits */
	TOKEN_WORD,   /* letters */
	TOKEN_SPECIAL /* + or - and letters */
};

enum { TOKENS_MAX = 25, TOKEN_TEXT_MAX = 128 };

struct token {
	enum token_kind kind;
	const char *text; /* lower case, zero-terminated */
};

struct tokens {
	unsigned n;
	struct token at[TOKENS_MAX];
	char text[TOKEN_TEXT_MAX + TOKENS_MAX + 1];
};

enum decode_result {
	DECODE_OK,
	DECODE_BAD_FORMAT,
	DECODE_OVERFLOW,       /* a field's value */
	DECODE_MONTH_OVERFLOW, /* a month or day, perhaps of another order */
	DECODE_INTERVAL_OVERFLOW,
	DECODE_ZONE_OVERFLOW
};

/* known: whether a word is one of date input, so that digits behind it start a new token. */
enum decode_result tokens_split(
	struct tokens *t, const char *s, size_t len, bool (*known)(const char *word));
bool date_word_known(const char *word);
/* Time of day "h:m[:s[.f]]"; a "m:s.f" is taken as minutes and seconds. Hours are not limited. */
struct clock_time {
	int64_t hour, minute, second, usec;
};
enum decode_result clock_parse(struct clock_time *t, const char *s);
/* ".digits" (maybe no digits) to microseconds, rounded. */
enum decode_result fraction_parse(const char *s, double *fraction);
/* Whole number at s within int32; false when beyond. *end behind it (== s: none). */
bool int_parse(const char *s, char **end, int64_t *n);

/* Sets the error PostgreSQL reports; always -1. */
int decode_error(
	enum decode_result r, const char *type, const char *s, size_t len, struct error *e);

#endif
