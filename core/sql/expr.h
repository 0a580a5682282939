/*
 * expr.h: bound expressions and their compiled form.
 *
 * The binder makes trees of `struct expr` in which every name is resolved, every function chosen
 * and every implicit cast written out. program_compile() turns a list of trees into one flat
 * program over registers; program_run() evaluates it on packed rows. A program is immutable and may
 * be run by any number of threads, each with its own scratch.
 */
#ifndef LF_SQL_EXPR_H
#define LF_SQL_EXPR_H

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/sql/function.h"
#include "core/store/row.h"
#include "core/store/value.h"

/* Where a column reference reads: a packed row given to program_run(). What the numbers mean is said
 * by whoever owns the expression (FROM items of a select; 0 existing and 1 excluded row in ON
 * CONFLICT; …). Parameters are columns of one more packed row, and so is what the row of source 0 has besides its columns. */
enum { EXPR_SYSTEM = 28, EXPR_PARAMS = 31, EXPR_SOURCES = 32 };

enum expr_kind {
	EXPR_CONST,  /* constant */
	EXPR_COLUMN, /* column `column` of the row of source `source` (a parameter: EXPR_PARAMS) */
	EXPR_CALL,   /* fn(args…); function or operator; argument types are exactly fn's */
	EXPR_CAST,   /* args[0] to `type`; explicit_cast says which rules */
	EXPR_AND,    /* args, three-valued, any number */
	EXPR_OR,
	EXPR_NOT,
	EXPR_IS_NULL,  /* args[0] IS [NOT] NULL; negated */
	EXPR_IS_BOOL,  /* args[0] IS [NOT] TRUE/FALSE/UNKNOWN; test: 1 true, 0 false, 2 unknown */
	EXPR_DISTINCT, /* args[0] IS [NOT] DISTINCT FROM args[1]; negated; both of one type */
	EXPR_CASE, /* when, then, when, then, …, else (always there, perhaps a NULL constant) */
	EXPR_COALESCE,
	EXPR_NULLIF,   /* args: left, right, (left = right) as a bool expression */
	EXPR_IN,       /* args[0] [NOT] IN (args[1…]), all of one type; negated */
	EXPR_GREATEST, /* args of one type; NULLs ignored */
	EXPR_LEAST,
	EXPR_NOW,    /* start of the command, timestamptz */
	EXPR_ONLY,   /* args[0]; 21000 when args[1], a number of rows, is above 1 */
	EXPR_REJECT, /* fails, with a message and perhaps a SQLSTATE: args, texts */
	/* In the binder only: */
	EXPR_GROUPING, /* grouping(args) */
	EXPR_OUTER,    /* args[0], which is not counted in nargs, of the select around this one */
	EXPR_SUBQUERY /* the value of subquery `column` of its select; args: what it takes from that */
};

struct expr {
	enum expr_kind kind;
	struct type type; /* of the result */
	int32_t position; /* in the statement's text, 1-based; 0: none */
	uint16_t nargs;
	uint16_t column; /* EXPR_COLUMN */
	uint8_t source;  /* EXPR_COLUMN */
	bool negated;
	bool explicit_cast;        /* EXPR_CAST */
	uint8_t test;              /* EXPR_IS_BOOL */
	const struct function *fn; /* EXPR_CALL */
	struct value constant;     /* EXPR_CONST; its bytes live in the tree's arena */
	const char *digits;        /* EXPR_CONST: the text of a number beyond numeric; a cast to a
	                            * float can make a value of it, anything else is 22003 */
	struct expr **args;
};

/* Whether two trees are the same expression (used to match GROUP BY with outputs). */
bool expr_equal(const struct expr *a, const struct expr *b);
/* Whether one of the n is the same expression. */
bool expr_listed(struct expr *const *list, unsigned n, const struct expr *e);
/* Whether it has a column of a query around in it. */
bool expr_has_outer(const struct expr *e);
/* Calls fn for the tree's nodes, parents before children; stops when fn returns non-zero, returns
 * that. */
int expr_walk(struct expr *e, int (*fn)(struct expr *, void *), void *arg);
/* Bit s set: source s (0…31) is read. */
uint32_t expr_sources(const struct expr *e);
/* Constant: reads no source, and has neither EXPR_NOW, EXPR_REJECT nor EXPR_GROUPING. */
bool expr_is_constant(const struct expr *e);

struct program;

/* Compile n trees. layouts[s] is the layout of source s (NULL where unused). The program lives in
 * arena a and copies the constants it needs. NULL with 54001, 53200, or the error of an expression of constants
 * only (`1/0`). */
struct program *program_compile(const struct expr *const *trees, unsigned n,
	const struct row_layout *const layouts[EXPR_SOURCES], struct arena *a, struct error *e);

/* What a run may use. One per thread or per batch; scratch is reset by its owner between rows or
 * batches, since results may point into it. */
struct program_env {
	struct arena *scratch;
	struct error *error;
	int64_t now_us;         /* microseconds since 2000-01-01 UTC */
	int32_t error_position; /* out: position of the expression that failed */
};

/* Evaluate: rows[s] is the packed row of source s (NULL: every column of it reads as NULL).
 * out[0…n): one value a tree; text points into rows, constants or scratch. 0, or -1. */
int program_run(const struct program *p, const void *const *rows, struct value *out,
	struct program_env *env);
/* For a program of one boolean tree. */
enum verdict { VERDICT_ERROR = -1, VERDICT_FALSE, VERDICT_TRUE, VERDICT_NULL };
enum verdict program_verdict(
	const struct program *p, const void *const *rows, struct program_env *env);
/* … 1 true, 0 false or NULL, -1 error. */
int program_test(const struct program *p, const void *const *rows, struct program_env *env);
/* Fast cases: when tree i of the program is a plain column, its source and column; else -1. */
int program_column(const struct program *p, unsigned i, unsigned *source, unsigned *column);
/* … when it is a constant, its value; else NULL. */
const struct value *program_constant(const struct program *p, unsigned i);

#endif
