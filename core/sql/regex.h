/*
 * regex.h: PostgreSQL's (advanced) regular expressions, matched by PCRE2.
 *
 * The pattern is parsed here by PostgreSQL's grammar and written anew for PCRE2, so that both mean the same text:
 * classes and case are those of collation C (ASCII). Where a match begins and ends follows PostgreSQL's rule, the
 * leftmost and of those the longest (the shortest when the first quantifier is not greedy), for which PCRE2's DFA
 * matcher is asked. What PCRE2 would do otherwise is refused with 0A000: groups whose text depends on
 * which of several ways a match is made (alternatives, repeated groups, quantifiers of both kinds, back references, in
 * an expression whose groups are asked for).
 */
#ifndef LF_SQL_REGEX_H
#define LF_SQL_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"

/* How a pattern is read. */
enum {
	REGEX_FOLD = 1,     /* case does not matter */
	REGEX_LINES = 2,    /* . and [^…] do not match a line break */
	REGEX_ANCHORS = 4,  /* ^ and $ match at line breaks, too */
	REGEX_LITERAL = 8,  /* the pattern is plain text */
	REGEX_EXPANDED = 16 /* blanks and comments in it do not count; 0A000 */
};

struct regex;

/* A part of the subject, in bytes; from SIZE_MAX: not matched. */
struct regex_span {
	size_t from, to;
};

/* Compile a pattern (valid UTF-8), or find it among the last LIMIT_REGEX_CACHED that this thread has used. Owned by
 * the thread, until its next call. NULL: 2201B; 0A000; 54001 too long or too complex; 53200. */
const struct regex *regex_get(const char *pattern, size_t len, unsigned flags, struct error *e);

/* Groups with a number. */
unsigned regex_groups(const struct regex *r);

/* Whether it matches anywhere in the subject (valid UTF-8). 1, 0, or -1: 54001 too much work. */
int regex_test(const struct regex *r, const char *s, size_t len, struct error *e);

/* The first match that begins at or behind `from`. spans[0] is all of it, and when n > 1, spans[1…n-1] are its groups.
 * 1, 0, or -1: 54001; 0A000 groups that may be chosen otherwise. */
int regex_find(const struct regex *r, const char *s, size_t len, size_t from,
	struct regex_span *spans, unsigned n, struct error *e);

#endif
