/*
 * bind_access.c: how a query finds its rows: by key, by an index, or by looking at all.
 *
 * The choice depends on the statement and on what indexes there are, never on the rows: all columns of the key, or a list
 * of keys; else the index that takes most columns by equality; of those the one with more bounds on its next column, then
 * the one that gives ORDER BY's order, then a hash index, then the older one. An index that does none of this is not used.
 */
#include <string.h>

#include "core/base/limits.h"
#include "core/sql/bind.h"
#include "core/store/sortkey.h"

int bind_equalities(
	const struct relation *r, struct expr **conjuncts, unsigned n, struct expr **eq, int *from)
{
	int found = 0;

	for (unsigned c = 0; c < r->ncols; c++) {
		eq[c] = NULL;
		from[c] = -1;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct expr *e = conjuncts[i];

		if (e->kind != EXPR_CALL || strcmp(e->fn->name, "=") != 0)
			continue;
		for (unsigned k = 0; k < 2; k++) {
			const struct expr *col = e->args[k];
			struct expr *other = e->args[1 - k];

			/* A varchar is compared as text, which is the same value. */
			if (col->kind == EXPR_CAST && col->type.id == TYPE_TEXT &&
				col->args[0]->type.id == TYPE_VARCHAR)
				col = col->args[0];
			/* An integer column against a wider number: only a literal or parameter that can be
			 * given the column's own type was bound without a cast on the column. */
			if (col->kind != EXPR_COLUMN || col->source != 0 ||
				eq[col->column] != NULL ||
				(expr_sources(other) & ~(UINT32_C(1) << EXPR_PARAMS)) != 0)
				continue;
			eq[col->column] = other;
			from[col->column] = (int)i;
			found++;
			break;
		}
	}
	return found;
}

/* Whether the expression can be given the column's type without changing the comparison. */
static bool key_fits(const struct expr *e, const struct column *c)
{
	bool integers = e->type.id >= TYPE_INT2 && e->type.id <= TYPE_INT8 &&
		c->type.id >= TYPE_INT2 && c->type.id <= TYPE_INT8;

	return e->type.id == c->type.id ||
		(e->type.id == TYPE_TEXT && c->type.id == TYPE_VARCHAR) ||
		(integers && e->type.id < c->type.id);
}

/* NULL: it cannot. */
static struct expr *key_cast(struct binder *b, struct expr *e, const struct column *c)
{
	return key_fits(e, c) ? bind_coerce(b, e, (struct type){ .id = c->type.id }, CAST_IMPLICIT)
			      : NULL;
}

static bool key_access(struct binder *b, const struct relation *r, struct select *s,
	struct expr **eq, const int *from, const uint16_t *cols, unsigned n, struct access *a)
{
	struct expr **keys = bind_alloc(b, n * sizeof(*keys));

	if (keys == NULL || n == 0)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (eq[cols[i]] == NULL)
			return false;
		keys[i] = key_cast(b, eq[cols[i]], &r->columns[cols[i]]);
		if (keys[i] == NULL)
			return false;
	}
	a->nkeys = 1;
	a->width = n;
	a->keys = keys;
	a->cols = cols;
	for (unsigned i = 0; i < n; i++)
		s->conjuncts[from[cols[i]]] = NULL;
	return true;
}

/* key IN (…), for a key of one column. */
static bool list_access(
	struct binder *b, const struct relation *r, struct select *s, struct access *a)
{
	if (r->nkey != 1)
		return false;
	for (unsigned i = 0; i < s->nconjuncts; i++) {
		struct expr *e = s->conjuncts[i];
		struct expr **keys;
		const struct expr *col;
		bool good = true;

		if (e->kind != EXPR_IN || e->negated)
			continue;
		col = e->args[0];
		if (col->kind == EXPR_CAST && col->type.id == TYPE_TEXT &&
			col->args[0]->type.id == TYPE_VARCHAR)
			col = col->args[0];
		if (col->kind != EXPR_COLUMN || col->source != 0 || col->column != r->key[0])
			continue;
		keys = bind_alloc(b, e->nargs * sizeof(*keys));
		if (keys == NULL)
			return false;
		for (unsigned k = 1; k < e->nargs && good; k++) {
			keys[k - 1] = (expr_sources(e->args[k]) & ~(UINT32_C(1) << EXPR_PARAMS)) !=
					0
				? NULL
				: key_cast(b, e->args[k], &r->columns[r->key[0]]);
			good = keys[k - 1] != NULL;
		}
		if (!good)
			continue;
		*a = (struct access){ .kind = ACCESS_KEYS,
			.nkeys = e->nargs - 1u,
			.width = 1,
			.keys = keys,
			.cols = r->key };
		s->conjuncts[i] = NULL;
		return true;
	}
	return false;
}

/* Those that the access answers go behind the others: for the day when its index is gone. */
static int order_conjuncts(struct binder *b, struct select *s, struct expr *const *all)
{
	struct expr **answered = bind_alloc(b, (s->nconjuncts + 1) * sizeof(*answered));
	unsigned n = 0, k = 0;

	if (answered == NULL)
		return -1;
	for (unsigned i = 0; i < s->nconjuncts; i++)
		if (s->conjuncts[i] != NULL)
			s->conjuncts[n++] = s->conjuncts[i];
		else
			answered[k++] = all[i];
	if (k > 0)
		memcpy(s->conjuncts + n, answered, k * sizeof(*answered));
	s->nconjuncts = n;
	return (int)k;
}

/* --- indexes --- */

enum comparison { COMPARE_EQ, COMPARE_LT, COMPARE_LE, COMPARE_GT, COMPARE_GE, COMPARE_NONE };

/* A conjunct `column op value`, with the column on the left. */
struct predicate {
	uint16_t column;
	enum comparison op;
	struct expr *value;
	unsigned from; /* conjunct */
	bool wider;    /* the conjunct asks for more, and stays */
	/* `column >= value AND (column > value OR rest)`, which is what a comparison of rows becomes; NULL: no such. */
	struct expr *rest;
};

struct predicates {
	unsigned n;
	struct predicate *list;
};

/* What an index could do. */
struct candidate {
	const struct index_def *ix; /* NULL: none */
	unsigned nequal;
	const struct predicate *equal[LIMIT_KEY_COLUMNS];
	const struct predicate *low, *high;
	bool ordered, backward;
};

static enum comparison comparison_of(const char *name)
{
	static const char *const NAMES[] = { "=", "<", "<=", ">", ">=" };
	enum comparison op = COMPARE_EQ;

	while (op < COMPARE_NONE && strcmp(name, NAMES[op]) != 0)
		op++;
	return op;
}

/* The column behind a cast that leaves order and equality as they are; NULL: it is none. */
static const struct expr *plain_column(const struct expr *e)
{
	if (e->kind == EXPR_CAST && e->args[0]->kind == EXPR_COLUMN &&
		((e->type.id == TYPE_TEXT && e->args[0]->type.id == TYPE_VARCHAR) ||
			(e->type.id == TYPE_FLOAT8 && e->args[0]->type.id == TYPE_FLOAT4)))
		e = e->args[0];
	return e->kind == EXPR_COLUMN && e->source == 0 ? e : NULL;
}

static bool is_outside(const struct expr *e)
{
	return (expr_sources(e) & ~(UINT32_C(1) << EXPR_PARAMS)) == 0;
}

static bool comparison_read(struct expr *e, struct predicate *p)
{
	static const enum comparison TURNED[] = { COMPARE_EQ, COMPARE_GT, COMPARE_GE, COMPARE_LT,
		COMPARE_LE };
	enum comparison op = comparison_of(e->fn->name);

	for (unsigned k = 0; op != COMPARE_NONE && k < 2; k++) {
		const struct expr *column = plain_column(e->args[k]);
		struct expr *value = e->args[1 - k];

		if (column == NULL || !is_outside(value) ||
			!sortkey_comparable(
				(enum type_id)column->type.id, (enum type_id)value->type.id))
			continue;
		p->column = column->column;
		p->op = k == 0 ? op : TURNED[op];
		p->value = value;
		return true;
	}
	return false;
}

/* What an OR asks for where the column is equal to the bound that has been read; NULL: it is not of that form. */
static struct expr *rest_read(const struct predicate *p, const struct expr *e)
{
	struct predicate strict = { .op = COMPARE_NONE };

	if (e->kind != EXPR_OR || e->nargs != 2 || e->args[0]->kind != EXPR_CALL ||
		e->args[0]->nargs != 2 || !comparison_read(e->args[0], &strict) ||
		strict.column != p->column || !expr_equal(strict.value, p->value))
		return NULL;
	return (p->op == COMPARE_GE && strict.op == COMPARE_GT) ||
			(p->op == COMPARE_LE && strict.op == COMPARE_LT)
		? e->args[1]
		: NULL;
}

/* A text constant: n bytes of a pattern, the last one raised by `more`. */
static struct expr *prefix_constant(struct binder *b, const char *text, uint32_t n, char more)
{
	struct expr *e = expr_new(b, EXPR_CONST, TYPE_TEXT, -1);
	char *copy = arena_strdup(b->arena, text, n);

	if (e == NULL || copy == NULL) {
		error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
		return NULL;
	}
	copy[n - 1] = (char)(copy[n - 1] + more);
	e->constant = (struct value){ .type = TYPE_TEXT };
	e->constant.s.p = copy;
	e->constant.s.len = n;
	return e;
}

/* column LIKE 'prefix…': what begins so lies from the prefix on and before the prefix with its last byte raised, which
 * is less than 0xff in UTF-8. Gives two predicates, one, or none. */
static unsigned like_read(struct binder *b, const struct expr *e, struct predicate p[2])
{
	const struct expr *column = plain_column(e->args[0]), *pattern = e->args[1];
	uint32_t n = 0;

	if (strcmp(e->fn->name, "~~") != 0 || column == NULL || pattern->kind != EXPR_CONST ||
		value_is_null(&pattern->constant) || e->fn->args[0] != TYPE_TEXT)
		return 0;
	while (n < pattern->constant.s.len && strchr("%_\\", pattern->constant.s.p[n]) == NULL)
		n++;
	for (unsigned k = 0; n > 0 && k < 2; k++) {
		p[k] = (struct predicate){ .column = column->column,
			.op = k == 0 ? COMPARE_GE : COMPARE_LT,
			.value = prefix_constant(b, pattern->constant.s.p, n, (char)k),
			.wider = true };
		if (p[k].value == NULL)
			return 0;
	}
	return n > 0 ? 2 : 0;
}

static int predicates_read(struct binder *b, const struct select *s, struct predicates *out)
{
	out->n = 0;
	out->list = bind_alloc(b, (2 * s->nconjuncts + 1) * sizeof(*out->list));
	if (out->list == NULL)
		return -1;
	for (unsigned i = 0; i < s->nconjuncts; i++) {
		struct predicate *p = &out->list[out->n];
		struct expr *e = s->conjuncts[i];
		unsigned n;

		if (e->kind != EXPR_CALL || e->nargs != 2)
			continue;
		*p = (struct predicate){ .op = COMPARE_NONE };
		n = comparison_read(e, p) ? 1 : like_read(b, e, p);
		if (n == 1 && i + 1 < s->nconjuncts)
			p->rest = rest_read(p, s->conjuncts[i + 1]);
		for (unsigned k = 0; k < n; k++)
			p[k].from = i;
		out->n += n;
	}
	return 0;
}

/* The first predicate on a column by one of two operators; NULL: none. */
static const struct predicate *predicate_find(
	const struct predicates *p, uint16_t column, enum comparison a, enum comparison b)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->list[i].column == column && (p->list[i].op == a || p->list[i].op == b))
			return &p->list[i];
	return NULL;
}

/* Whether the index, read in one direction, gives rows in the order that is asked for: what is fixed by equality or has
 * come before may be named anywhere. */
static bool order_given(const struct relation *r, const struct select *s, struct candidate *c)
{
	const struct index_def *ix = c->ix;
	bool bounded = c->low != NULL || c->high != NULL, decided = false;
	unsigned at = c->nequal;

	for (unsigned i = 0; i < s->norder; i++) {
		const struct order *o = &s->order[i];
		bool fixed = false, turned;

		if (o->expr->kind != EXPR_COLUMN || o->expr->source != 0)
			return false;
		for (unsigned k = 0; k < at; k++)
			fixed |= ix->cols[k] == o->expr->column;
		if (fixed)
			continue;
		if (at == ix->ncols || ix->cols[at] != o->expr->column)
			return false;
		turned = o->descending != ((ix->sort[at] & SORT_DESCENDING) != 0);
		if (decided && turned != c->backward)
			return false;
		/* Where NULLs stand matters if there can be any. */
		if (!r->columns[ix->cols[at]].not_null && !(bounded && at == c->nequal) &&
			turned == (o->nulls_first == ((ix->sort[at] & SORT_NULLS_FIRST) != 0)))
			return false;
		c->backward = turned;
		decided = true;
		at++;
	}
	return s->norder > 0 && !s->grouped;
}

static bool ordered_candidate(const struct relation *r, const struct select *s,
	const struct predicates *p, struct candidate *c)
{
	const struct index_def *ix = c->ix;
	const struct predicate *equal;

	while (c->nequal < ix->ncols &&
		(equal = predicate_find(p, ix->cols[c->nequal], COMPARE_EQ, COMPARE_EQ)) != NULL)
		c->equal[c->nequal++] = equal;
	if (c->nequal < ix->ncols) {
		c->low = predicate_find(p, ix->cols[c->nequal], COMPARE_GT, COMPARE_GE);
		c->high = predicate_find(p, ix->cols[c->nequal], COMPARE_LT, COMPARE_LE);
	}
	c->ordered = order_given(r, s, c);
	c->backward = c->backward && c->ordered;
	return c->nequal > 0 || c->low != NULL || c->high != NULL || c->ordered;
}

static bool hash_candidate(
	const struct relation *r, struct expr *const *eq, const struct index_def *ix)
{
	for (unsigned i = 0; i < ix->ncols; i++)
		if (eq[ix->cols[i]] == NULL || !key_fits(eq[ix->cols[i]], &r->columns[ix->cols[i]]))
			return false;
	return true;
}

static unsigned bounds_of(const struct candidate *c)
{
	return (c->low != NULL) + (c->high != NULL);
}

static bool is_better(const struct candidate *c, const struct candidate *than)
{
	if (than->ix == NULL)
		return true;
	if (c->nequal != than->nequal)
		return c->nequal > than->nequal;
	if (bounds_of(c) != bounds_of(than))
		return bounds_of(c) > bounds_of(than);
	if (c->ordered != than->ordered)
		return c->ordered;
	return c->ix->sort == NULL && than->ix->sort != NULL;
}

/* Add a predicate's value to the keys; its conjunct is answered then. */
static void key_add(struct select *s, const struct predicate *p, struct access *a)
{
	if (!p->wider)
		s->conjuncts[p->from] = NULL;
	a->keys[a->width++] = p->value;
}

static bool is_lower(enum comparison op)
{
	return op == COMPARE_GT || op == COMPARE_GE;
}

static bool is_inclusive(enum comparison op)
{
	return op == COMPARE_GE || op == COMPARE_LE;
}

/* A bound, with the further columns of a comparison of rows as far as the index goes on with them in the same direction.
 * The conjunct of those stays: NULLs among them are for it to judge. */
static void bound_add(struct select *s, const struct candidate *c, const struct predicate *p,
	struct access *a, struct bound *out)
{
	struct expr *rest = p->rest;

	key_add(s, p, a);
	*out = (struct bound){ 1, is_inclusive(p->op) };
	while (rest != NULL && c->nequal + out->n < c->ix->ncols) {
		bool last = rest->kind != EXPR_AND || rest->nargs != 2;
		struct predicate q = { .op = COMPARE_NONE };
		struct expr *e = last ? rest : rest->args[0];
		unsigned at = c->nequal + out->n;

		if (e->kind != EXPR_CALL || e->nargs != 2 || !comparison_read(e, &q) ||
			q.op == COMPARE_EQ || is_lower(q.op) != is_lower(p->op) ||
			q.column != c->ix->cols[at] ||
			((c->ix->sort[at] ^ c->ix->sort[c->nequal]) & SORT_DESCENDING))
			return;
		rest = last ? NULL : rest_read(&q, rest->args[1]);
		if (!last && rest == NULL)
			return;
		a->keys[a->width++] = q.value;
		out->n++;
		out->inclusive = is_inclusive(q.op);
	}
}

static int range_access(
	struct binder *b, struct select *s, const struct candidate *c, struct access *a)
{
	struct expr **keys = bind_alloc(b, 2u * c->ix->ncols * sizeof(*keys));
	uint8_t *sort = bind_alloc(b, c->ix->ncols);

	if (keys == NULL || sort == NULL)
		return -1;
	memcpy(sort, c->ix->sort, c->ix->ncols);
	*a = (struct access){ .kind = ACCESS_RANGE,
		.cols = c->ix->cols,
		.nkeys = 1,
		.keys = keys,
		.nequal = c->nequal,
		.sort = sort,
		.ordered = c->ordered,
		.backward = c->backward };
	for (unsigned i = 0; i < c->nequal; i++)
		key_add(s, c->equal[i], a);
	if (c->low != NULL)
		bound_add(s, c, c->low, a, &a->low);
	if (c->high != NULL)
		bound_add(s, c, c->high, a, &a->high);
	return 0;
}

/* The best of the indexes, if any does something. */
static int index_access(struct binder *b, const struct relation *r, struct select *s,
	struct expr **eq, const int *from, struct access *a)
{
	struct candidate best = { .ix = NULL };
	struct predicates p;

	if (predicates_read(b, s, &p) != 0)
		return -1;
	for (unsigned i = 0; i < r->nindexes; i++) {
		struct candidate c = { .ix = r->indexes[i] };
		bool good;

		if (c.ix->primary)
			continue;
		if (c.ix->sort == NULL) {
			good = hash_candidate(r, eq, c.ix);
			c.nequal = c.ix->ncols;
		} else {
			good = ordered_candidate(r, s, &p, &c);
		}
		if (good && is_better(&c, &best))
			best = c;
	}
	if (best.ix == NULL)
		return 0;
	a->index_id = best.ix->id;
	if (best.ix->sort == NULL)
		a->kind = key_access(b, r, s, eq, from, best.ix->cols, best.ix->ncols, a)
			? ACCESS_INDEX
			: ACCESS_SCAN;
	else if (range_access(b, s, &best, a) != 0)
		return -1;
	a->index_id = best.ix->id;
	return 0;
}

/* A copy of the columns: the key of a view may change under the statement. */
static int access_keep(
	struct binder *b, struct select *s, struct expr *const *all, struct access *a)
{
	unsigned bounds = a->low.n > a->high.n ? a->low.n : a->high.n;
	unsigned ncols = a->kind == ACCESS_RANGE ? a->nequal + bounds : a->width;
	uint16_t *cols = bind_alloc(b, (ncols + 1) * sizeof(*cols));
	int answered = order_conjuncts(b, s, all);

	if (cols == NULL || answered < 0)
		return -1;
	memcpy(cols, a->cols, ncols * sizeof(*cols));
	a->cols = cols;
	a->nanswered = (unsigned)answered;
	return 0;
}

int bind_access(struct binder *b, const struct relation *r, struct select *s, struct access *a)
{
	struct expr **eq = bind_alloc(b, r->ncols * sizeof(*eq));
	int *from = bind_alloc(b, r->ncols * sizeof(*from));
	struct expr **all = bind_alloc(b, (s->nconjuncts + 1) * sizeof(*all));

	if (eq == NULL || from == NULL || all == NULL)
		return -1;
	if (s->nconjuncts > 0)
		memcpy(all, s->conjuncts, s->nconjuncts * sizeof(*all));
	b->error->code = ERR_OK;
	bind_equalities(r, s->conjuncts, s->nconjuncts, eq, from);
	a->kind = ACCESS_SCAN;
	if (key_access(b, r, s, eq, from, r->key, r->nkey, a))
		a->kind = ACCESS_KEYS;
	else if (!list_access(b, r, s, a) && index_access(b, r, s, eq, from, a) != 0)
		return -1;
	if (b->error->code != ERR_OK)
		return -1;
	if (a->kind == ACCESS_SCAN)
		return 0;
	if (a->kind == ACCESS_KEYS)
		a->index_id = r->indexes[0]->id;
	return access_keep(b, s, all, a);
}
