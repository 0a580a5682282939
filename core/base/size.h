/*
 * size.h: numbers of bytes as people write them, in the syntax and units of PostgreSQL's settings: "1GB", "512 kB", "1.5MB",
 * "1000" (bytes).
 */
#ifndef LF_BASE_SIZE_H
#define LF_BASE_SIZE_H

#include <stddef.h>
#include <stdint.h>

enum size_status { SIZE_OK, SIZE_SYNTAX, SIZE_RANGE /* below 1 or beyond INT64_MAX */ };

/* A fraction of a byte is rounded. */
enum size_status size_parse(const char *text, uint64_t *bytes);

enum { SIZE_TEXT_MAX = 32 };
/* In the largest unit of which it is a multiple; returns text. */
const char *size_print(uint64_t bytes, char text[SIZE_TEXT_MAX]);

#endif
