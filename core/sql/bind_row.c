/*
 * bind_row.c: comparing rows, (a, b) op (x, y): becomes comparisons of their columns.
 */
#include <string.h>

#include "core/sql/bind.h"

/* (a, b) op (x, y), pair by pair. */
struct row_pairs {
	const PgQuery__RowExpr *left, *right;
	int location;
	bool computes; /* one bound so far is more than a column, a parameter or a constant */
};

static bool is_plain(const struct expr *e)
{
	while (e->kind == EXPR_CAST)
		e = e->args[0];
	return e->kind == EXPR_COLUMN || e->kind == EXPR_CONST;
}

static struct expr *bind_pair(struct binder *b, struct row_pairs *p, const char *op, size_t i)
{
	struct expr *l = bind_expr(b, p->left->args[i]);
	struct expr *r = l == NULL ? NULL : bind_expr(b, p->right->args[i]);

	if (r == NULL)
		return NULL;
	p->computes |= !is_plain(l) || !is_plain(r);
	return bind_operator(b, op, l, r, p->location);
}

/* (a, b) > (x, y) is a >= x AND (a > x OR b > y): the first column alone bounds what has to be read. What is NULL or fails
 * does so as in PostgreSQL, which looks at a pair only when those before it are equal. */
static struct expr *bind_row_order(struct binder *b, struct row_pairs *p, const char *op)
{
	const char *strict = op[0] == '<' ? "<" : ">", *loose = op[0] == '<' ? "<=" : ">=";
	size_t i = p->left->n_args - 1;
	struct expr *e = bind_pair(b, p, op, i);

	while (e != NULL && i-- > 0) {
		bool computes = p->computes;
		struct expr *decides = bind_pair(b, p, strict, i);

		/* Errors among the constants behind it would not be met. */
		if (decides != NULL && computes && expr_is_constant(decides))
			return bind_unsupported(
				b, p->location, "an expression behind constants in a row");
		e = bind_and(b, EXPR_OR, decides, e, p->location);
		e = e == NULL ? NULL
			      : bind_and(b, EXPR_AND, bind_pair(b, p, loose, i), e, p->location);
	}
	return e;
}

struct expr *bind_rows(struct binder *b, const PgQuery__AExpr *x, const char *op)
{
	struct row_pairs p = { x->lexpr->row_expr, x->rexpr->row_expr, x->location, false };
	bool equal = strcmp(op, "=") == 0, differ = strcmp(op, "<>") == 0;
	struct expr *e = NULL;

	if (p.left->n_args != p.right->n_args) {
		bind_fail(
			b, ERR_SYNTAX, x->location, "unequal number of entries in row expressions");
		return NULL;
	}
	if (p.left->n_args == 0)
		return bind_unsupported(b, x->location, "comparing rows without columns");
	if (strcmp(op, "<") == 0 || strcmp(op, "<=") == 0 || strcmp(op, ">") == 0 ||
		strcmp(op, ">=") == 0)
		return bind_row_order(b, &p, op);
	if (!equal && !differ)
		return bind_unsupported(b, x->location, "this operator between rows");
	for (size_t i = 0; i < p.left->n_args; i++) {
		struct expr *pair = bind_pair(b, &p, op, i);

		e = i == 0 ? pair : bind_and(b, equal ? EXPR_AND : EXPR_OR, e, pair, x->location);
		if (e == NULL)
			return NULL;
	}
	return e;
}
