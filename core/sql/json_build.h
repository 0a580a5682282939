/*
 * json_build.h: values as json: what json_agg() and its like, to_json() and json_build_object() are made of.
 *
 * As in PostgreSQL: numbers and booleans stand as they are, times in the form of XML Schema, json and jsonb as they are,
 * all others, also NaN and infinities, as strings.
 */
#ifndef LF_SQL_JSON_BUILD_H
#define LF_SQL_JSON_BUILD_H

#include "core/sql/function.h"

/* Any value but an array; text, never NULL. */
extern const struct function JSON_ELEMENT; /* as it stands in a json */
extern const struct function
	JSONB_ELEMENT; /* … in a jsonb, of numbers that numeric can hold (22003) */
extern const struct function
	JSON_PAIR; /* key and value as they stand in an object; 22023 when the key is NULL */

/* By name; NULL: none of to_json(), to_jsonb(), json_build_array(), json_build_object() and those of jsonb. Their arguments
 * are of any types but arrays. 22023: keys and values are not alternating, or a key is NULL. */
const struct function *json_builder(const char *name);

#endif
