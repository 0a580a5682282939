/*
 * bind_row.c: comparisons of rows, and ANY and ALL over arrays that are written out, as the expressions they stand for.
 *
 * There are no values of such types. What is compared more than once is bound more than once, since expressions are
 * changed where they are later.
 */
#include <string.h>
#include <strings.h>

#include "core/base/assert.h"
#include "core/sql/bind.h"
#include "core/sql/cast.h"

/* --- rows --- */

static int check_width(
	struct binder *b, const PgQuery__RowExpr *l, const PgQuery__RowExpr *r, int location)
{
	if (l->n_args != r->n_args)
		return bind_fail(
			b, ERR_SYNTAX, location, "unequal number of entries in row expressions");
	if (l->n_args == 0)
		return bind_fail(b, ERR_FEATURE, location, "cannot compare rows of zero length");
	return 0;
}

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

static bool is_null_text(const PgQuery__Node *n)
{
	return n->node_case == NODE(A_CONST) && n->a_const->isnull;
}

static bool is_plain_text(const PgQuery__Node *n)
{
	return n->node_case == NODE(A_CONST) || n->node_case == NODE(COLUMN_REF) ||
		n->node_case == NODE(PARAM_REF);
}

/* (a, b) > (x, y) is a >= x AND (a > x OR b > y): the first column alone bounds what has to be read. What is NULL or fails
 * does so as in PostgreSQL, which looks at a pair only when those before it are equal. */
static struct expr *bind_row_order(struct binder *b, struct row_pairs *p, const char *op)
{
	const char *strict = op[0] == '<' ? "<" : ">", *loose = op[0] == '<' ? "<=" : ">=";
	size_t i = p->left->n_args - 1;
	struct expr *e;

	/* A comparison with NULL would not look at its other side. */
	for (size_t k = 0; k < p->left->n_args; k++) {
		const PgQuery__Node *l = p->left->args[k], *r = p->right->args[k];

		if ((is_null_text(l) && !is_plain_text(r)) ||
			(is_null_text(r) && !is_plain_text(l)))
			return bind_unsupported(b, p->location, "NULL in an order of rows");
	}
	e = bind_pair(b, p, op, i);

	while (e != NULL && i-- > 0) {
		bool computes = p->computes;
		struct expr *decides = bind_pair(b, p, strict, i);

		/* Errors among the constants behind it would not be met. */
		if (decides != NULL && computes && expr_is_constant(decides))
			return bind_unsupported(
				b, p->location, "an expression behind constants in a row");
		e = bind_both(b, EXPR_OR, decides, e, p->location);
		e = e == NULL ? NULL
			      : bind_both(b, EXPR_AND, bind_pair(b, p, loose, i), e, p->location);
	}
	return e;
}

struct expr *bind_rows(struct binder *b, const char *op, const PgQuery__RowExpr *left,
	const PgQuery__RowExpr *right, int location)
{
	bool differ = strcmp(op, "<>") == 0 || strcmp(op, "!=") == 0;
	struct expr *all = NULL;

	if (check_width(b, left, right, location) != 0)
		return NULL;
	if (strcmp(op, "<") == 0 || strcmp(op, "<=") == 0 || strcmp(op, ">") == 0 ||
		strcmp(op, ">=") == 0)
		return bind_row_order(b, &(struct row_pairs){ left, right, location, false }, op);
	if (!differ && strcmp(op, "=") != 0)
		return bind_unsupported(b, location, "this operator of rows");
	for (size_t i = 0; i < left->n_args; i++) {
		struct expr *one = bind_infix(b, op, left->args[i], right->args[i], location);

		all = i == 0 ? one : bind_both(b, differ ? EXPR_OR : EXPR_AND, all, one, location);
		if (all == NULL)
			return NULL;
	}
	return all;
}

struct expr *bind_row_operator(struct binder *b, const PgQuery__AExpr *x, const char *op)
{
	const PgQuery__RowExpr *l = x->lexpr->row_expr, *r = x->rexpr->row_expr;
	bool same = x->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT;
	struct expr *all = NULL;

	if (x->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP)
		return bind_rows(b, op, l, r, x->location);
	if (!same && x->kind != PG_QUERY__A__EXPR__KIND__AEXPR_DISTINCT)
		return bind_unsupported(b, x->location, "a row expression");
	if (check_width(b, l, r, x->location) != 0)
		return NULL;
	for (size_t i = 0; i < l->n_args; i++) {
		struct expr *u = bind_expr(b, l->args[i]);
		struct expr *v = u == NULL ? NULL : bind_expr(b, r->args[i]);
		struct expr *one = v == NULL ? NULL : bind_distinct(b, u, v, same, x->location);

		all = i == 0 ? one : bind_both(b, same ? EXPR_AND : EXPR_OR, all, one, x->location);
		if (all == NULL)
			return NULL;
	}
	return all;
}

struct expr *bind_row_null(struct binder *b, const PgQuery__NullTest *t)
{
	const PgQuery__RowExpr *row = t->arg->row_expr;
	unsigned n = (unsigned)row->n_args;
	struct expr *all = expr_args(b, expr_new(b, EXPR_AND, TYPE_BOOL, t->location), n);

	for (unsigned i = 0; all != NULL && i < n; i++) {
		struct expr *one = expr_args(
			b, expr_new(b, EXPR_IS_NULL, TYPE_BOOL, t->location), 1);

		if (one == NULL)
			return NULL;
		one->negated = t->nulltesttype == PG_QUERY__NULL_TEST_TYPE__IS_NOT_NULL;
		one->args[0] = bind_settle(b, bind_expr(b, row->args[i]));
		if (one->args[0] == NULL)
			return NULL;
		all->args[i] = one;
	}
	return all;
}

/* --- arrays --- */

/* The elements of an array, which may be bound again and again. */
struct elements {
	unsigned n;
	PgQuery__Node *const *nodes; /* of ARRAY[…] */
	struct value *texts;         /* of '{…}': untyped, or NULL */
	int location;
	bool cast;
	struct type type; /* with a cast */
};

struct reader {
	const char *p, *end;
	char *out; /* where an element's text goes */
};

static bool blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_blanks(struct reader *r)
{
	while (r->p < r->end && blank(*r->p))
		r->p++;
}

/* 1, 0 for what is no element, -1 for a nested array. */
static int read_element(struct reader *r, struct value *v)
{
	bool quoted = r->p < r->end && *r->p == '"', escaped = false;
	char *begin = r->out, *solid = r->out;

	*v = (struct value){ .type = TYPE_UNKNOWN };
	r->p += quoted;
	while (r->p < r->end && (quoted ? *r->p != '"' : *r->p != ',' && *r->p != '}')) {
		if (!quoted && *r->p == '{')
			return -1;
		if (!quoted && *r->p == '"')
			return 0;
		if (*r->p == '\\') {
			escaped = true;
			if (++r->p == r->end)
				return 0;
		}
		if (quoted || escaped || !blank(*r->p))
			solid = r->out + 1;
		*r->out++ = *r->p++;
	}
	if (r->p == r->end)
		return 0;
	r->p += quoted;
	v->s.p = begin;
	v->s.len = (uint32_t)((quoted ? r->out : solid) - begin);
	if (!quoted && v->s.len == 0)
		return 0;
	if (!quoted && !escaped && v->s.len == 4 && strncasecmp(begin, "null", 4) == 0)
		v->flags = VALUE_NULL;
	return 1;
}

/* '{a,"b c",NULL}' */
static int read_array(struct binder *b, const char *text, int location, struct elements *e)
{
	size_t len = strlen(text);
	struct reader r = { text, text + len, bind_alloc(b, len + 1) };
	int status = 0;

	e->texts = bind_alloc(b, (len / 2 + 1) * sizeof(*e->texts));
	if (r.out == NULL || e->texts == NULL)
		return -1;
	skip_blanks(&r);
	if (r.p < r.end && *r.p++ == '{') {
		skip_blanks(&r);
		status = r.p < r.end && *r.p == '}';
		while (status == 0) {
			skip_blanks(&r);
			status = read_element(&r, &e->texts[e->n]);
			if (status <= 0)
				break;
			e->n++;
			skip_blanks(&r);
			status = r.p < r.end && *r.p == '}';
			if (status == 0 && (r.p == r.end || *r.p++ != ','))
				break;
		}
		if (status > 0) {
			r.p++;
			skip_blanks(&r);
		}
	}
	if (status < 0) {
		bind_unsupported(b, location, "an array of more dimensions");
		return -1;
	}
	if (status == 0 || r.p != r.end)
		return bind_fail(
			b, ERR_INVALID_TEXT, location, "malformed array literal: \"%s\"", text);
	return 0;
}

struct expr *bind_json_path(
	struct binder *b, const char *op, struct expr *json, const struct expr *path, int location)
{
	struct elements e = { .location = location };
	enum type_id types[FUNCTION_CALL_ARGS_MAX], cast_to[FUNCTION_CALL_ARGS_MAX];
	bool binary = json->type.id == TYPE_JSONB, as_text = strcmp(op, "#>>") == 0;
	const char *text = arena_strdup(b->arena, path->constant.s.p, path->constant.s.len);
	struct expr *call;

	if (text == NULL || read_array(b, text, location, &e) != 0)
		return NULL;
	if (e.n == 0 || e.n >= FUNCTION_CALL_ARGS_MAX)
		return bind_unsupported(b, location, "a path of so many steps");
	call = expr_args(b, expr_new(b, EXPR_CALL, TYPE_TEXT, location), e.n + 1);
	if (call == NULL)
		return NULL;
	types[0] = (enum type_id)json->type.id;
	call->args[0] = json;
	for (unsigned i = 0; i < e.n; i++) {
		struct expr *key = expr_new(b, EXPR_CONST, TYPE_TEXT, -1);

		if (key == NULL)
			return NULL;
		key->constant = e.texts[i];
		key->constant.type = types[i + 1] = TYPE_TEXT;
		call->args[i + 1] = key;
	}
	call->fn = function_find(as_text
			? binary ? "jsonb_extract_path_text" : "json_extract_path_text"
			: binary ? "jsonb_extract_path"
				 : "json_extract_path",
		types, e.n + 1, cast_to, b->error, 0);
	call->type.id = (uint8_t)call->fn->result;
	return call;
}

/* Elements of the node; 0, or -1. */
static int find_elements(struct binder *b, const PgQuery__Node *n, struct elements *e)
{
	PgQuery__TypeName element;

	e->location = node_location(n);
	switch (n->node_case) {
	case NODE(A_ARRAY_EXPR):
		e->n = (unsigned)n->a_array_expr->n_elements;
		e->nodes = n->a_array_expr->elements;
		e->location = n->a_array_expr->location;
		if (e->n == 0 && !e->cast)
			return bind_fail(b, ERR_INDETERMINATE_TYPE, e->location,
				"cannot determine type of empty array");
		return 0;
	case NODE(A_CONST):
		if (!n->a_const->isnull && n->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL)
			return read_array(b, n->a_const->sval->sval, e->location, e);
		break;
	case NODE(TYPE_CAST):
		element = *n->type_cast->type_name;
		if (e->cast || element.n_array_bounds != 1)
			break;
		element.n_array_bounds = 0;
		if (bind_type(b, &element, &e->type) != 0)
			return -1;
		e->cast = true;
		return find_elements(b, n->type_cast->arg, e);
	default: break;
	}
	bind_unsupported(b, e->location, "ANY and ALL over an array that is not written out");
	return -1;
}

/* An array is computed before anything is compared, so no element may fail that would not be looked at. */
static bool never_fails(const struct expr *e)
{
	if (e->kind == EXPR_CAST && !e->explicit_cast)
		e = e->args[0];
	return e->kind == EXPR_COLUMN || expr_is_constant(e);
}

static struct expr *element(struct binder *b, const struct elements *e, unsigned i)
{
	char from[64], to[64];
	struct expr *x, *typed;

	if (e->nodes != NULL) {
		x = bind_expr(b, e->nodes[i]);
	} else {
		ASSERT(e->texts != NULL);
		x = expr_new(b, EXPR_CONST, TYPE_UNKNOWN, e->location);
		if (x != NULL)
			x->constant = e->texts[i];
	}
	if (x == NULL || !e->cast)
		return x;
	b->error->code = ERR_OK;
	typed = bind_coerce(b, x, e->type, CAST_EXPLICIT);
	if (typed == NULL && b->error->code == ERR_OK)
		bind_fail(b, ERR_CANNOT_COERCE, e->location, "cannot cast type %s[] to %s[]",
			type_name(x->type, from, sizeof(from)), type_name(e->type, to, sizeof(to)));
	return typed;
}

/* Elements of ARRAY[…] have one type, whatever they are compared with. */
static int settle_elements(struct binder *b, struct elements *e)
{
	struct expr **all = bind_alloc(b, e->n * sizeof(*all));

	if (all == NULL)
		return -1;
	for (unsigned i = 0; i < e->n; i++) {
		all[i] = e->cast ? element(b, e, i) : bind_expr(b, e->nodes[i]);
		if (all[i] == NULL)
			return -1;
	}
	if (!e->cast && bind_unify(b, all, e->n, "ARRAY", &e->type) != 0)
		return -1;
	e->cast = true;
	for (unsigned i = 0; i < e->n; i++)
		if (!never_fails(all[i])) {
			bind_unsupported(b, e->location, "an array of computed elements");
			return -1;
		}
	return 0;
}

/* x = ANY and x <> ALL are IN and NOT IN, where all are of one type. NULL with no error: they are not. */
static struct expr *bind_as_in(
	struct binder *b, const PgQuery__AExpr *x, const struct elements *e, bool negated)
{
	struct expr *in = expr_args(b, expr_new(b, EXPR_IN, TYPE_BOOL, x->location), e->n + 1);
	struct type t;

	if (in == NULL)
		return NULL;
	in->negated = negated;
	in->args[0] = bind_expr(b, x->lexpr);
	for (unsigned i = 0; i < e->n && in->args[i] != NULL; i++)
		in->args[i + 1] = element(b, e, i);
	for (unsigned i = 0; i <= e->n; i++)
		if (in->args[i] == NULL)
			return NULL;
	b->error->code = ERR_OK;
	if (!bind_unifiable(in->args, e->n + 1))
		return NULL;
	return bind_unify(b, in->args, e->n + 1, "ANY", &t) == 0 ? in : NULL;
}

struct expr *bind_any(struct binder *b, const PgQuery__AExpr *x)
{
	bool any = x->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY;
	const char *op = node_string(x->name[x->n_name - 1]);
	bool equal = strcmp(op, "=") == 0, differ = strcmp(op, "<>") == 0;
	struct elements e = { .n = 0 };
	struct expr *all;

	/* What is wrong on the left is told first. */
	if (bind_expr(b, x->lexpr) == NULL || find_elements(b, x->rexpr, &e) != 0 ||
		(e.nodes != NULL && settle_elements(b, &e) != 0))
		return NULL;
	if (e.n > 0 && ((any && equal) || (!any && differ))) {
		all = bind_as_in(b, x, &e, !any);
		if (all != NULL || b->error->code != ERR_OK)
			return all;
	}
	/* Without elements: what is left of an OR, or of an AND. */
	all = expr_new(b, EXPR_CONST, TYPE_BOOL, x->location);
	if (all == NULL)
		return NULL;
	all->constant = (struct value){ .i = !any, .type = TYPE_BOOL };
	for (unsigned i = 0; i < e.n; i++) {
		struct expr *l = bind_expr(b, x->lexpr);
		struct expr *r = l == NULL ? NULL : element(b, &e, i);
		struct expr *one = r == NULL ? NULL : bind_operator(b, op, l, r, x->location);

		if (one != NULL && one->type.id != TYPE_BOOL) {
			bind_fail(b, ERR_WRONG_OBJECT, x->location,
				"op ANY/ALL (array) requires operator to yield boolean");
			return NULL;
		}
		all = i == 0 ? one : bind_both(b, any ? EXPR_OR : EXPR_AND, all, one, x->location);
		if (all == NULL)
			return NULL;
	}
	return all;
}
