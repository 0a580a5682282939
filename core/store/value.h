/*
 * value.h: SQL types and single values in memory.
 *
 * A value is 32 bytes, passed by pointer or copied; text and bytea point at bytes owned by someone
 * else (a row, a parameter buffer, an arena) that must outlive the value.
 * Representations: bool 0/1, int2/int4/int8 as int64 (range checked when made), date as days and
 * timestamp/timestamptz as microseconds since 2000-01-01 00:00 UTC, both in `i`
 * (INT32_MIN/MAX and INT64_MIN/MAX are -infinity/infinity as in PostgreSQL);
 * float4 as a float in `f`, float8 in `d`; numeric as coefficient `n` and decimal `scale`
 * (value = n / 10^scale, |n| < 10^38, 0 <= scale <= 38; `flags` VALUE_NAN for NaN);
 * uuid as 16 bytes; text, varchar, char(n) (stored padded-stripped as PostgreSQL compares, printed
 * padded), bytea, json and jsonb (the text that is printed) as pointer and length in bytes; interval as months,
 * days, microseconds; arrays, of one dimension, as the text that is printed.
 */
#ifndef LF_STORE_VALUE_H
#define LF_STORE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers are wire and journal format: never renumber. */
enum type_id {
	TYPE_UNKNOWN = 0, /* an untyped literal or parameter, before binding */
	TYPE_BOOL = 1,
	TYPE_INT2 = 2,
	TYPE_INT4 = 3,
	TYPE_INT8 = 4,
	TYPE_FLOAT4 = 5,
	TYPE_FLOAT8 = 6,
	TYPE_NUMERIC = 7,
	TYPE_TEXT = 8,
	TYPE_VARCHAR = 9,
	TYPE_BPCHAR = 10,
	TYPE_BYTEA = 11,
	TYPE_DATE = 12,
	TYPE_TIMESTAMP = 13,
	TYPE_TIMESTAMPTZ = 14,
	TYPE_UUID = 15,
	TYPE_INTERVAL = 16,
	TYPE_JSON = 17,
	TYPE_JSONB = 18,
	TYPE_COUNT,
	TYPE_ARRAY =
		32 /* plus the number of a type above: an array of these. Results of queries only */
};

/* A type with its modifier. a: varchar/char length in characters, numeric precision; 0: none.
 * b: numeric scale (meaningful when a > 0). */
struct type {
	uint8_t id;
	uint8_t b;
	uint16_t a;
};

static inline bool type_is_array(enum type_id t)
{
	return (int)t > (int)TYPE_ARRAY && (int)t < (int)TYPE_ARRAY + (int)TYPE_COUNT;
}
static inline enum type_id type_array_of(enum type_id element)
{
	return (enum type_id)((int)TYPE_ARRAY + (int)element);
}
static inline enum type_id type_element(enum type_id array)
{
	return (enum type_id)((int)array - (int)TYPE_ARRAY);
}

/* Whether the number is of a type at all, TYPE_UNKNOWN included. */
static inline bool type_exists(unsigned t)
{
	return t < TYPE_COUNT || type_is_array((enum type_id)t);
}

/* Whether its values are bytes of variable length. */
static inline bool type_is_bytes(enum type_id t)
{
	return (t >= TYPE_TEXT && t <= TYPE_BYTEA) || t == TYPE_JSON || t == TYPE_JSONB ||
		type_is_array(t);
}

enum { VALUE_NULL = 1, VALUE_NAN = 2 };

typedef __int128 int128;

struct value {
	union {
		int64_t i;
		double d;
		float f;
		int128 n;
		uint8_t uuid[16];
		struct {
			const char *p;
			uint32_t len;
		} s;
		struct {
			int64_t us;
			int32_t days, months;
		} iv;
	};
	uint8_t flags; /* VALUE_NULL, VALUE_NAN */
	uint8_t scale; /* numeric only */
	uint8_t type;  /* enum type_id; kept right by everyone who makes a value */
};

static inline bool value_is_null(const struct value *v)
{
	return v->flags & VALUE_NULL;
}

/* PostgreSQL's name of a type with modifier, e.g. "numeric(12,2)", "character varying(20)", "integer[]".
 * buf of cap bytes (64 suffices); returns buf. */
const char *type_name(struct type t, char *buf, size_t cap);
/* Type of a (lower-case, unqualified) PostgreSQL type name such as "int4", "bigint", "bpchar";
 * TYPE_UNKNOWN when there is none. */
enum type_id type_from_name(const char *name);

/* Total order of two non-NULL values of the same type: <0, 0, >0. Text compares bytewise
 * (collation C), NaN is greatest and equal to itself, as in PostgreSQL; char(n) ignores trailing
 * blanks; numerics compare by value, not scale, also in a jsonb (whose order is no other's than ours);
 * arrays are equal when they are printed alike, which is not PostgreSQL's equality. */
int value_compare(const struct value *a, const struct value *b);
/* Hash consistent with value_compare()==0 (1.0 and 1.00 hash alike, -0.0 as 0.0); NULL has a hash
 * of its own. Seeded fixed: used for partitioning, so it is part of the format. */
uint64_t value_hash(const struct value *v);

#endif
