/*
 * utf8.h: checking text that comes from outside.
 */
#ifndef LF_BASE_UTF8_H
#define LF_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Whether n bytes are well-formed UTF-8 (Unicode 15, table 3-7: shortest form, no surrogates) without
 * the character 0, which PostgreSQL's text cannot hold either. */
bool utf8_valid(const char *p, size_t n);
/* Characters in n bytes of valid UTF-8. */
size_t utf8_length(const char *p, size_t n);
/* Bytes of the first `chars` characters (all n when there are fewer). */
size_t utf8_offset(const char *p, size_t n, size_t chars);

/* At most n bytes of the valid text p (which is longer), cut where a character ends. */
size_t utf8_cut(const char *p, size_t n);

#endif
