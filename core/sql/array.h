/*
 * array.h: arrays of one dimension, which are kept as the text that PostgreSQL prints, {1,"a b",NULL}: what array_agg()
 * makes, and the few functions that look into it.
 */
#ifndef LF_SQL_ARRAY_H
#define LF_SQL_ARRAY_H

#include "core/sql/function.h"

/* Any value but an array as it stands within one: quoted where it must be, NULL as it is. Text, never NULL. */
extern const struct function ARRAY_ELEMENT;

/* Of arrays as text. Strict but for array_to_string(array, separator, text for NULL), whose last one may be NULL. */
extern const struct function ARRAY_CARDINALITY; /* integer */
extern const struct function ARRAY_LENGTH;      /* of a dimension; integer */
extern const struct function ARRAY_TO_STRING;   /* text */
extern const struct function ARRAY_AT;          /* an element by its number, from 1, as text */

#endif
