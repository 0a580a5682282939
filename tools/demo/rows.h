/*
 * rows.h: a list of rows as text, and the comparison of two such lists as multisets.
 *
 * A row is its fields with ROWS_SEPARATOR between them, NULL being ROWS_NULL; neither byte occurs in the
 * demo's texts. Running out of memory ends the program.
 */
#ifndef LF_TOOLS_DEMO_ROWS_H
#define LF_TOOLS_DEMO_ROWS_H

#include <stddef.h>
#include <stdint.h>

#define ROWS_SEPARATOR '\x1f'
#define ROWS_NULL '\x1e'

struct rows;

struct rows *rows_new(void);
void rows_free(struct rows *r);
/* Build a row field by field, then end it. */
void rows_field(struct rows *r, const void *text, size_t len);
void rows_null(struct rows *r);
void rows_end_row(struct rows *r);

size_t rows_count(const struct rows *r);
/* Ended with a zero byte; valid until a row is added. */
const char *rows_text(const struct rows *r, size_t i);

enum { ROWS_SHOWN = 3 };

struct rows_difference {
	uint64_t missing, surplus; /* rows expected and not there; rows there and not expected */
	size_t first_missing[ROWS_SHOWN],
		first_surplus[ROWS_SHOWN]; /* as many as counted, at most 3:
	                                                              * numbers in `expected` and `actual` */
};
/* Sorts both lists, so that the numbers are of the sorted lists. Equal when missing and surplus are 0; a row
 * that occurs twice must occur twice in the other. */
struct rows_difference rows_compare(struct rows *expected, struct rows *actual);

#endif
