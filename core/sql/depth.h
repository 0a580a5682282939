/*
 * depth.h: how deeply a text could be nested at most, found without parsing it.
 */
#ifndef LF_SQL_DEPTH_H
#define LF_SQL_DEPTH_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the parser must not be given this text: brackets nested deeper than LIMIT_PARSE_BRACKETS, or a
 * run of more than LIMIT_PARSE_RUN tokens that no comma, AND or OR divides, which may be a chain of
 * operators as deep; or more than LIMIT_PARSE_COMMENTS comments begun with nothing between them. Linear in
 * len. */
bool sql_too_deep(const char *text, size_t len);

#endif
