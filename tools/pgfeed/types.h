/*
 * types.h: PostgreSQL's types as Leftfold's, and values of them as parameters.
 */
#ifndef LF_TOOLS_PGFEED_TYPES_H
#define LF_TOOLS_PGFEED_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "net/client/leftfold.h"

enum { TYPE_TEXT_MAX = 64 };

/* Oids of PostgreSQL's own types, which never change (pg_type.dat). */
enum source_oid {
	OID_BOOL = 16,
	OID_BYTEA = 17,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_JSON = 114,
	OID_FLOAT4 = 700,
	OID_FLOAT8 = 701,
	OID_BPCHAR = 1042,
	OID_VARCHAR = 1043,
	OID_DATE = 1082,
	OID_TIMESTAMP = 1114,
	OID_TIMESTAMPTZ = 1184,
	OID_INTERVAL = 1186,
	OID_NUMERIC = 1700,
	OID_UUID = 2950,
	OID_JSONB = 3802
};

/* The type in Leftfold of a column, as it stands in CREATE TABLE, into out (TYPE_TEXT_MAX bytes). True: the same type; false:
 * Leftfold has none like it (enums, arrays, ranges, inet, …), and it is kept as the text that PostgreSQL prints. */
bool type_map(uint32_t oid, int32_t modifier, char *out);
/* Whether values in PostgreSQL's binary format can be taken as they come; else they are asked for as text. */
bool type_has_binary(uint32_t oid);

/* Set a parameter from what PostgreSQL prints (DateStyle ISO, IntervalStyle postgres, bytea_output hex). 0, or -1 as
 * lf_params_parse(). */
int value_set_text(
	struct lf_params *p, unsigned param, struct lf_type type, const char *s, size_t n);
/* Set a parameter from the binary format of a type for which type_has_binary(). 0; -1: lf_params_error(), or if that is NULL,
 * the bytes are not of the type. */
int value_set_binary(
	struct lf_params *p, unsigned param, uint32_t oid, const void *bytes, size_t n);

#endif
