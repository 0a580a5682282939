/*
 * projection.h: making a packed row out of other packed rows.
 *
 * A projection is a program whose results are encoded as a row. Where all of them are plain columns of their
 * own types or constants of fixed width, which is the usual case between the operators of a view and of an INSERT with
 * parameters, their bytes are copied instead, neighbouring columns at once.
 */
#ifndef LF_SQL_PROJECTION_H
#define LF_SQL_PROJECTION_H

#include "core/sql/expr.h"
#include "core/store/row.h"

struct projection;

/* n = to->ncols trees over the layouts, into rows of layout `to` (kept by reference). Lives in arena a. NULL
 * with 54001 or 53200. */
struct projection *projection_compile(const struct expr *const *trees,
	const struct row_layout *const layouts[EXPR_SOURCES], const struct row_layout *to,
	struct arena *a, struct error *e);
/* The row, in arena `out` or, when it would be the same bytes, rows[0] itself. NULL with env->error set.
 * env->scratch may be reset afterwards. Every row that the trees read must be there. */
const void *projection_run(const struct projection *p, const void *const *rows, struct arena *out,
	struct program_env *env);

/* Whether it copies, so that it cannot fail but for want of memory. */
bool projection_copies(const struct projection *p);

/* When all n trees are plain columns of source 0: their numbers into cols, true. */
bool projection_columns(const struct program *p, unsigned n, uint16_t *cols);

#endif
