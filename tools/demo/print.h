/*
 * print.h: what the demo shows: headings, paragraphs, progress, numbers, tables. At most 100 columns wide.
 * Escape sequences and lines that are drawn again only on a terminal.
 */
#ifndef LF_TOOLS_DEMO_PRINT_H
#define LF_TOOLS_DEMO_PRINT_H

#include <stddef.h>
#include <stdint.h>

/* Look at standard output; call first. */
void print_start(void);

/* Say on standard error why the demo fails, and end with exit code 1. The process that started this one stops
 * the server and removes its files. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

void print_heading(const char *format, ...) __attribute__((format(printf, 1, 2)));
void print_subheading(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A paragraph, broken at spaces and set in by two. */
void print_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Nanoseconds of a clock that only goes forward. */
uint64_t now_ns(void);

/* "1,234,567" and, of hundredths, "-12,345.67"; into one of a few static buffers that take turns. */
const char *number(int64_t n);
const char *amount(int64_t hundredths);
/* The same grouping for a number given as text; what is no number stays as it is. */
void group_digits(const char *text, char *out, size_t cap);

struct progress {
	const char *what;
	uint64_t total; /* 0: not known */
	uint64_t start_ns, drawn_ns;
};
struct progress progress_begin(const char *what, uint64_t total);
/* Cheap: draws at most ten times a second. */
void progress_step(struct progress *p, uint64_t done);
/* Draws the last line with the rate; returns the seconds that it took. */
double progress_end(struct progress *p, uint64_t done);

struct table;
/* `align` has 'l' or 'r' for each column. */
struct table *table_new(const char *align, const char *const *headers);
void table_cell(struct table *t, const char *text);
/* Print it and free it. Long texts are cut so that it fits. */
void table_print(struct table *t);

#endif
