/*
 * function_table.h: the lists of functions, one a family of types; for function*.c only.
 */
#ifndef LF_SQL_FUNCTION_TABLE_H
#define LF_SQL_FUNCTION_TABLE_H

#include "core/sql/function.h"

struct function_list {
	const struct function *items;
	unsigned count;
};

extern const struct function_list FUNCTIONS_COMPARE, FUNCTIONS_NUMBER, FUNCTIONS_TEXT,
	FUNCTIONS_TIME, FUNCTIONS_REGEX, FUNCTIONS_MATH, FUNCTIONS_STRING, FUNCTIONS_DATE,
	FUNCTIONS_FORMAT, FUNCTIONS_JSON;

/* The eval of what PostgreSQL has for these types and we have not: choosing it is 0A000. */
int function_unsupported(struct value *out, const struct value *a, unsigned n, struct call *c);

/* The parameters of struct function's eval. */
#define ARGS struct value *out, const struct value *a, unsigned n, struct call *c

/* Room for len bytes and one more of a text that is made; NULL: 54000 longer than a row may be; 53200. */
char *text_room(size_t len, struct call *c);
/* A text of these bytes; 0. */
int text_result(struct value *out, const char *p, size_t len);

/* A value of the type that is not NULL; the caller sets what it holds. */
static inline int result(struct value *out, enum type_id t)
{
	out->flags = 0;
	out->scale = 0;
	out->type = (uint8_t)t;
	return 0;
}

#endif
