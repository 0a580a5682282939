/*
 * function.h: the functions and operators of SQL expressions, and how a call finds its function.
 *
 * One static table holds them all; an operator is a function whose name is its symbol ("+", "~~").
 * Overloads are resolved as PostgreSQL does (exact match, implicit casts, preferred types, unknown
 * literals). Aggregates are not here (sum.h), nor the special forms (COALESCE, CASE, GREATEST,
 * now()), which the binder knows.
 */
#ifndef LF_SQL_FUNCTION_H
#define LF_SQL_FUNCTION_H

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/store/value.h"

/* What a call may use. One per thread or batch. */
struct call {
	struct arena *arena; /* results' bytes are taken from here */
	struct error *error;
	int64_t now_us; /* timestamp of the command since 2000-01-01 UTC; may be 0 */
};

enum { FUNCTION_ARGS_MAX = 7 };

struct function {
	const char *name;
	uint8_t nargs; /* of `args`; variadic: the last one repeats, at least once */
	bool strict;   /* never called with a NULL argument: the caller answers NULL */
	bool variadic;
	enum type_id args[FUNCTION_ARGS_MAX];
	enum type_id result;
	/* 0, or -1 with *c->error set (position 0). Arguments have exactly the types of `args`, which
	 * are also set in their `type`. out gets type and flags too, and must not alias an argument;
	 * its bytes may point into an argument's. Deterministic: depends on nothing but args and now.
	 * NULL in the table only: both sides are cast to float8 once it has been chosen. */
	int (*eval)(struct value *out, const struct value *args, unsigned nargs, struct call *c);
};

enum { FUNCTION_CALL_ARGS_MAX = 100 };

/* Find the function that `name(args…)` calls. args: TYPE_UNKNOWN for an untyped literal, NULL or
 * parameter. nargs <= FUNCTION_CALL_ARGS_MAX. cast_to[i] (nargs of them): the type argument i must
 * be cast to (implicitly; an unknown becomes a literal of it). NULL with 42883 or 42725. The name
 * is lower case; PostgreSQL's parser names are known too ("btrim" for trim, "like_escape"…).
 * EXTRACT is "extract"; SUBSTRING, POSITION, OVERLAY come in the parser's order of arguments. */
const struct function *function_find(const char *name, const enum type_id *args, unsigned nargs,
	enum type_id *cast_to, struct error *e, int position);

/* The same for an operator: nargs 2 (infix) or 1 (prefix). Comparison operators are here for all
 * pairs PostgreSQL has (after resolution both sides have one type). */
const struct function *operator_find(const char *op, const enum type_id *args, unsigned nargs,
	enum type_id *cast_to, struct error *e, int position);

/* Whether any function has that name (to tell "no such function" from "not for these types"). */
bool function_name_exists(const char *name);

/* The common type of UNION columns, CASE and COALESCE branches, IN lists, VALUES: PostgreSQL's
 * rules; all unknown gives text. Every input can be cast to the result implicitly.
 * context: as in the message, "CASE", "COALESCE", "UNION", "GREATEST"…
 * TYPE_UNKNOWN with 42804 "CASE types text and integer cannot be matched", and *odd is the
 * first that does not match. */
enum type_id type_common(
	const enum type_id *types, unsigned n, const char *context, unsigned *odd, struct error *e);

#endif
