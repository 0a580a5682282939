/*
 * to_char.h: dates, times and numbers by a template, PostgreSQL's to_char() (manual, section 9.8).
 */
#ifndef LF_SQL_TO_CHAR_H
#define LF_SQL_TO_CHAR_H

#include "core/sql/function.h"

/* v: timestamp, timestamptz or interval, finite. Text in the call's arena. 0, or -1: 22007 a pattern that intervals do not
 * have; 0A000; 54000; 53200. */
int to_char_time(
	struct value *out, const struct value *v, const struct value *format, struct call *c);

/* v: integer, numeric or float. 0, or -1: 42601 patterns that do not go together; 0A000; 54000; 53200. */
int to_char_number(
	struct value *out, const struct value *v, const struct value *format, struct call *c);

#endif
