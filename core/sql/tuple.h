/*
 * tuple.h: the argument of an aggregate that has an order of its own, string_agg(x, sep ORDER BY …) and its like, as
 * one bytea whose bytes sort as the keys do.
 *
 * Keys by their bytes, each with a mark of NULL before it; then value and separator; then
 *   u32 offset of the value, u32 length of the value, u8 1 when there is a separator
 */
#ifndef LF_SQL_TUPLE_H
#define LF_SQL_TUPLE_H

#include "core/sql/function.h"

/* A key's direction, one byte each of the function's first argument, a constant bytea. */
enum { TUPLE_DESCENDING = 1, TUPLE_NULLS_FIRST = 2 };

/* directions, keys of any types but unknown, value, separator (both text or bytea). NULL when the value is. */
extern const struct function TUPLE_PACK;

/* Bytes of its keys, which come first. */
size_t tuple_keys(const struct value *tuple);
/* Value and separator of a tuple, in its bytes; the separator may be NULL. */
void tuple_unpack(const struct value *tuple, struct value *value, struct value *separator);

#endif
