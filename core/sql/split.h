/*
 * split.h: finding where a statement of a script ends, by PostgreSQL's rules of quoting and psql's rules of
 * which semicolon ends one: not those in parentheses, nor those in the body of CREATE FUNCTION or PROCEDURE …
 * BEGIN ATOMIC … END. libc only: also the command-line client's.
 */
#ifndef LF_SQL_SPLIT_H
#define LF_SQL_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

enum split_end {
	SPLIT_EMPTY,      /* nothing but blanks and comments */
	SPLIT_STATEMENT,  /* it ends with its semicolon */
	SPLIT_UNFINISHED, /* the text ends first */
	SPLIT_BACKSLASH   /* a backslash outside quotes ends it (or stands where one would begin) */
};

struct split {
	enum split_end end;
	size_t start;  /* behind leading blanks, semicolons and comments */
	size_t length; /* of the statement with its semicolon, without the backslash */
	char inside;   /* UNFINISHED and EMPTY: what is open: ' " $ * (comment) ( or 0 */
};

/* backslashes: whether they mean something. "\;" never ends a statement then, as in psql: the caller
 * replaces it by a semicolon to send several statements as one. */
void sql_split_next(const char *text, size_t len, bool backslashes, struct split *out);

/* Length in bytes, from *start, of the first statement with its semicolon, or of what there is without; 0 when
 * only blanks and comments are left. */
size_t sql_split(const char *text, size_t len, size_t *start);

/* Past the comment, string, quoted name or dollar-quoted string that begins at i < len, or at the end when
 * it is not closed; i itself when none begins there. Not for the middle of a name. */
size_t sql_skip(const char *text, size_t len, size_t i);

#endif
