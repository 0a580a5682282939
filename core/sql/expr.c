/*
 * expr.c: what can be asked of an expression tree without running it.
 *
 * All of it recurses; the binder bounds the depth of every tree (LIMIT_EXPR_DEPTH).
 */
#include "core/sql/expr.h"

#include <string.h>

static bool constants_equal(const struct value *a, const struct value *b)
{
	if (value_is_null(a) || value_is_null(b))
		return value_is_null(a) && value_is_null(b);
	if (a->type != b->type || (a->flags & VALUE_NAN) != (b->flags & VALUE_NAN))
		return false;
	if (type_is_bytes((enum type_id)a->type))
		return a->s.len == b->s.len &&
			(a->s.len == 0 || memcmp(a->s.p, b->s.p, a->s.len) == 0);
	switch (a->type) {
	case TYPE_NUMERIC: return a->scale == b->scale && a->n == b->n;
	case TYPE_FLOAT4:
		/* Bits, since 0 and -0 print differently. */
		return memcmp(&a->f, &b->f, sizeof(a->f)) == 0;
	case TYPE_FLOAT8: return memcmp(&a->d, &b->d, sizeof(a->d)) == 0;
	case TYPE_UUID: return memcmp(a->uuid, b->uuid, sizeof(a->uuid)) == 0;
	case TYPE_INTERVAL:
		return a->iv.us == b->iv.us && a->iv.days == b->iv.days &&
			a->iv.months == b->iv.months;
	default: return a->i == b->i;
	}
}

static bool heads_equal(const struct expr *a, const struct expr *b)
{
	return a->kind == b->kind && a->type.id == b->type.id && a->type.a == b->type.a &&
		a->type.b == b->type.b && a->nargs == b->nargs && a->negated == b->negated;
}

bool expr_equal(const struct expr *a, const struct expr *b)
{
	if (a == b)
		return true;
	if (!heads_equal(a, b))
		return false;
	switch (a->kind) {
	case EXPR_CONST: return constants_equal(&a->constant, &b->constant);
	case EXPR_COLUMN: return a->source == b->source && a->column == b->column;
	case EXPR_OUTER: return expr_equal(a->args[0], b->args[0]);
	case EXPR_SUBQUERY: return false;
	case EXPR_CALL:
		if (a->fn != b->fn)
			return false;
		break;
	case EXPR_CAST:
		if (a->explicit_cast != b->explicit_cast)
			return false;
		break;
	case EXPR_IS_BOOL:
		if (a->test != b->test)
			return false;
		break;
	default: break;
	}
	for (unsigned i = 0; i < a->nargs; i++)
		if (!expr_equal(a->args[i], b->args[i]))
			return false;
	return true;
}

bool expr_listed(struct expr *const *list, unsigned n, const struct expr *e)
{
	for (unsigned i = 0; i < n; i++)
		if (expr_equal(list[i], e))
			return true;
	return false;
}

bool expr_has_outer(const struct expr *e)
{
	if (e->kind == EXPR_OUTER)
		return true;
	for (unsigned i = 0; i < e->nargs; i++)
		if (expr_has_outer(e->args[i]))
			return true;
	return false;
}

int expr_walk(struct expr *e, int (*fn)(struct expr *, void *), void *arg)
{
	int status = fn(e, arg);

	for (unsigned i = 0; status == 0 && i < e->nargs; i++)
		status = expr_walk(e->args[i], fn, arg);
	return status;
}

uint32_t expr_sources(const struct expr *e)
{
	uint32_t sources = e->kind == EXPR_COLUMN ? (uint32_t)1 << e->source : 0;

	for (unsigned i = 0; i < e->nargs; i++)
		sources |= expr_sources(e->args[i]);
	return sources;
}

bool expr_is_constant(const struct expr *e)
{
	if (e->kind == EXPR_COLUMN || e->kind == EXPR_NOW || e->kind == EXPR_OUTER ||
		e->kind == EXPR_SUBQUERY || e->kind == EXPR_REJECT || e->kind == EXPR_GROUPING)
		return false;
	for (unsigned i = 0; i < e->nargs; i++)
		if (!expr_is_constant(e->args[i]))
			return false;
	return true;
}
