/*
 * cast.h: text input and output of every type, casts, and column modifiers, as PostgreSQL 15 does
 * them (DateStyle ISO, time zone UTC, IntervalStyle postgres, standard float output).
 */
#ifndef LF_SQL_CAST_H
#define LF_SQL_CAST_H

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/store/value.h"

/* Text in → value, exactly as PostgreSQL's input function with its errors (22P02, 22003, 22001,
 * 22007, 22008, 22021). Bytes the value needs are taken from `a`. The modifier is applied. */
int value_parse(struct value *out, struct type t, const char *s, size_t len, struct arena *a,
	struct error *e);

/* Value → text as psql prints it (DateStyle ISO, UTC; NULL must be handled by the caller).
 * char(n) is padded when t.a > 0. Returns the length; when it exceeds cap nothing useful is in buf
 * and the caller tries again with more (VALUE_TEXT_MAX suffices for all but text and bytea). */
enum { VALUE_TEXT_MAX = 128 };
size_t value_format(const struct value *v, struct type t, char *buf, size_t cap);

/* Apply a column's modifier on assignment: numeric(p,s) rounds and checks, varchar/char(n) refuse
 * (22001) unless the excess is blanks, or with explicit_cast cut as PostgreSQL does. */
int value_apply_modifier(
	struct value *v, struct type t, bool explicit_cast, struct arena *a, struct error *e);

/* Cast v to t (same rules and errors as PostgreSQL's explicit cast of a non-NULL value; NULL stays
 * NULL). Whether such a cast exists: cast_exists(); kind: */
enum cast_kind { CAST_NONE, CAST_EXPLICIT, CAST_ASSIGNMENT, CAST_IMPLICIT };
enum cast_kind cast_exists(enum type_id from, enum type_id to);
int value_cast(struct value *out, const struct value *v, struct type t, bool explicit_cast,
	struct arena *a, struct error *e);

#endif
