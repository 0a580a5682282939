/*
 * bind_aggregate.c: calls of aggregates: their argument, DISTINCT, ORDER BY and FILTER, and the type of the result.
 *
 * The results of string_agg() and array_agg() depend on an order: value, separator and sort keys become one argument
 * (tuple.h). Of others an ORDER BY is only checked.
 */
#include <math.h>
#include <string.h>

#include "core/sql/bind.h"
#include "core/sql/cast.h"
#include "core/sql/sum.h"
#include "core/sql/tuple.h"
#include "core/sql/variance.h"

static const struct known {
	const char *name;
	enum aggregate_kind kind;
	bool once;                      /* DISTINCT makes no difference */
	enum regression_kind statistic; /* of AGG_REGRESSION */
} AGGREGATES[] = {
	{ "count", AGG_COUNT, false, REGR_COUNT },
	{ "sum", AGG_SUM, false, REGR_COUNT },
	{ "avg", AGG_AVG, false, REGR_COUNT },
	{ "min", AGG_MIN, true, REGR_COUNT },
	{ "max", AGG_MAX, true, REGR_COUNT },
	{ "bool_and", AGG_BOOL_AND, true, REGR_COUNT },
	{ "every", AGG_BOOL_AND, true, REGR_COUNT },
	{ "bool_or", AGG_BOOL_OR, true, REGR_COUNT },
	{ "bit_and", AGG_BIT_AND, true, REGR_COUNT },
	{ "bit_or", AGG_BIT_OR, true, REGR_COUNT },
	{ "bit_xor", AGG_BIT_XOR, false, REGR_COUNT },
	{ "variance", AGG_VAR_SAMP, false, REGR_COUNT },
	{ "var_samp", AGG_VAR_SAMP, false, REGR_COUNT },
	{ "var_pop", AGG_VAR_POP, false, REGR_COUNT },
	{ "stddev", AGG_STDDEV_SAMP, false, REGR_COUNT },
	{ "stddev_samp", AGG_STDDEV_SAMP, false, REGR_COUNT },
	{ "stddev_pop", AGG_STDDEV_POP, false, REGR_COUNT },
	{ "string_agg", AGG_STRING, false, REGR_COUNT },
	{ "array_agg", AGG_ARRAY, false, REGR_COUNT },
	{ "json_agg", AGG_JSON, false, REGR_COUNT },
	{ "jsonb_agg", AGG_JSON, false, REGR_COUNT },
	{ "json_object_agg", AGG_JSON_OBJECT, false, REGR_COUNT },
	{ "jsonb_object_agg", AGG_JSON_OBJECT, false, REGR_COUNT },
	{ "percentile_cont", AGG_PERCENTILE_CONT, false, REGR_COUNT },
	{ "percentile_disc", AGG_PERCENTILE_DISC, false, REGR_COUNT },
	{ "mode", AGG_MODE, false, REGR_COUNT },
	{ "regr_count", AGG_REGRESSION, false, REGR_COUNT },
	{ "regr_avgx", AGG_REGRESSION, false, REGR_AVGX },
	{ "regr_avgy", AGG_REGRESSION, false, REGR_AVGY },
	{ "regr_sxx", AGG_REGRESSION, false, REGR_SXX },
	{ "regr_syy", AGG_REGRESSION, false, REGR_SYY },
	{ "regr_sxy", AGG_REGRESSION, false, REGR_SXY },
	{ "regr_slope", AGG_REGRESSION, false, REGR_SLOPE },
	{ "regr_intercept", AGG_REGRESSION, false, REGR_INTERCEPT },
	{ "regr_r2", AGG_REGRESSION, false, REGR_R2 },
	{ "corr", AGG_REGRESSION, false, REGR_CORR },
	{ "covar_pop", AGG_REGRESSION, false, REGR_COVAR_POP },
	{ "covar_samp", AGG_REGRESSION, false, REGR_COVAR_SAMP },
};

static const struct known *find(const char *name)
{
	for (unsigned i = 0; i < sizeof(AGGREGATES) / sizeof(AGGREGATES[0]); i++)
		if (strcmp(AGGREGATES[i].name, name) == 0)
			return &AGGREGATES[i];
	return NULL;
}

bool bind_is_aggregate(const char *name)
{
	return find(name) != NULL;
}

/* --- types --- */

static enum type_id extreme_type(enum type_id t)
{
	switch (t) {
	case TYPE_VARCHAR: return TYPE_TEXT;
	case TYPE_BOOL:
	case TYPE_BYTEA:
	case TYPE_JSON:
	case TYPE_JSONB:
	case TYPE_UUID: return TYPE_UNKNOWN;
	default: return t;
	}
}

/* Of the result; TYPE_UNKNOWN: not for this argument. */
static enum type_id result_type(enum aggregate_kind kind, enum type_id arg)
{
	switch (kind) {
	case AGG_SUM: return sum_type(arg);
	case AGG_AVG: return avg_type(arg);
	case AGG_MIN:
	case AGG_MAX: return extreme_type(arg);
	case AGG_BOOL_AND:
	case AGG_BOOL_OR: return arg == TYPE_BOOL ? TYPE_BOOL : TYPE_UNKNOWN;
	case AGG_BIT_AND:
	case AGG_BIT_OR:
	case AGG_BIT_XOR:
		return arg == TYPE_INT2 || arg == TYPE_INT4 || arg == TYPE_INT8 ? arg
										: TYPE_UNKNOWN;
	case AGG_VAR_POP:
	case AGG_VAR_SAMP:
	case AGG_STDDEV_POP:
	case AGG_STDDEV_SAMP: return variance_type(arg);
	default: return TYPE_INT8;
	}
}

static int no_such(struct binder *b, const char *name, const struct expr *const *args, unsigned n,
	int location)
{
	char have[2][64] = { "", "" };

	for (unsigned i = 0; i < n && i < 2; i++)
		type_name((struct type){ .id = args[i]->type.id }, have[i], sizeof(have[i]));
	bind_fail(b, ERR_UNDEFINED_FUNCTION, location, "function %s(%s%s%s) does not exist", name,
		have[0], n > 1 ? ", " : "", have[1]);
	return error_hint(b->error,
		"No function matches the given name and argument types. You might "
		"need to add explicit type casts.");
}

static int aggregate_type(struct binder *b, struct aggregate *a, const char *name, int location)
{
	enum type_id arg = a->arg == NULL ? TYPE_UNKNOWN : (enum type_id)a->arg->type.id;
	enum type_id t = result_type(a->kind, arg);

	if (type_is_array(arg) && (a->kind == AGG_MIN || a->kind == AGG_MAX))
		return bind_check_order(b, a->arg);

	if (a->kind == AGG_MIN || a->kind == AGG_MAX)
		a->type = a->arg->type;
	if (t != a->type.id)
		a->type = (struct type){ .id = (uint8_t)t };
	if (t != TYPE_UNKNOWN)
		return 0;
	return no_such(b, name, (const struct expr *const *)&a->arg, 1, location);
}

/* --- the column that stands for it --- */

static bool same(const struct aggregate *x, const struct aggregate *y)
{
	return x->kind == y->kind && x->of == y->of && x->once == y->once &&
		x->descending == y->descending && x->statistic == y->statistic &&
		memcmp(&x->fraction, &y->fraction, sizeof(x->fraction)) == 0 &&
		x->type.id == y->type.id && (x->arg == NULL) == (y->arg == NULL) &&
		(x->filter == NULL) == (y->filter == NULL) &&
		(x->arg == NULL || expr_equal(x->arg, y->arg)) &&
		(x->filter == NULL || expr_equal(x->filter, y->filter));
}

static struct expr *aggregate_ref(
	struct binder *b, struct select *s, const struct aggregate *a, int location)
{
	struct aggregate *grown;
	struct expr *e;
	unsigned i;

	for (i = 0; i < s->naggregates && !same(&s->aggregates[i], a); i++)
		;
	if (i == s->naggregates) {
		grown = bind_alloc(b, (s->naggregates + 1) * sizeof(*grown));
		if (grown == NULL)
			return NULL;
		if (s->naggregates > 0)
			memcpy(grown, s->aggregates, s->naggregates * sizeof(*grown));
		grown[s->naggregates++] = *a;
		s->aggregates = grown;
	}
	s->grouped = true;
	e = expr_new(b, EXPR_COLUMN, (enum type_id)a->type.id, location);
	if (e == NULL)
		return NULL;
	e->type = a->type;
	e->source = SOURCE_AGGREGATE;
	e->column = (uint16_t)i;
	return e;
}

/* --- ORDER BY and DISTINCT --- */

struct sort_keys {
	unsigned n;
	struct expr **keys;
	char *directions; /* TUPLE_…, one a key */
};

static char direction(bool descending, bool nulls_first)
{
	return (char)((descending ? TUPLE_DESCENDING : 0) | (nulls_first ? TUPLE_NULLS_FIRST : 0));
}

static int sort_key(struct binder *b, const PgQuery__SortBy *by, struct sort_keys *s)
{
	bool descending = by->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_DESC;
	bool nulls_first = by->sortby_nulls == PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_FIRST ||
		(descending && by->sortby_nulls != PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_LAST);

	if (by->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_USING) {
		bind_unsupported(b, by->location, "ORDER BY … USING");
		return -1;
	}
	s->keys[s->n] = bind_settle(b, bind_expr(b, by->node));
	if (s->keys[s->n] == NULL || bind_check_order(b, s->keys[s->n]) != 0)
		return -1;
	s->directions[s->n++] = direction(descending, nulls_first);
	return 0;
}

/* With room for one more. */
static int bind_keys(struct binder *b, const PgQuery__FuncCall *c, struct sort_keys *s)
{
	const struct window_order *w = b->window_order;
	size_t n = c->n_agg_order + (w != NULL ? w->n : 0) + 1;

	s->n = 0;
	s->keys = bind_alloc(b, n * sizeof(*s->keys));
	s->directions = bind_alloc(b, n);
	if (s->keys == NULL || s->directions == NULL)
		return -1;
	for (unsigned i = 0; w != NULL && i < w->n; i++) {
		s->keys[s->n] = bind_copy(b, w->order[i].expr);
		if (s->keys[s->n] == NULL)
			return -1;
		s->directions[s->n++] = direction(w->order[i].descending, w->order[i].nulls_first);
	}
	for (size_t i = 0; i < c->n_agg_order; i++)
		if (sort_key(b, c->agg_order[i]->sort_by, s) != 0)
			return -1;
	return 0;
}

/* With DISTINCT the keys must be among the arguments. */
static int check_keys(
	struct binder *b, const struct sort_keys *s, struct expr *const *args, unsigned n)
{
	for (unsigned k = 0; k < s->n; k++) {
		bool found = false;

		for (unsigned i = 0; i < n; i++)
			found = found || expr_equal(s->keys[k], args[i]);
		if (!found)
			return error_set(b->error, ERR_INVALID_COLUMN_REFERENCE,
				expr_location(s->keys[k]),
				"in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list");
	}
	return 0;
}

/* --- arguments --- */

/* The tuple of directions, keys, value and separator. */
static struct expr *pack(struct binder *b, const struct sort_keys *s, struct expr *value,
	struct expr *separator, int location)
{
	struct expr *e = expr_args(b, expr_new(b, EXPR_CALL, TYPE_BYTEA, location), s->n + 3);
	struct expr *directions = expr_new(b, EXPR_CONST, TYPE_BYTEA, -1);

	if (e == NULL || directions == NULL)
		return NULL;
	directions->constant.type = TYPE_BYTEA;
	directions->constant.s.p = s->directions;
	directions->constant.s.len = s->n;
	e->fn = &TUPLE_PACK;
	e->args[0] = directions;
	for (unsigned i = 0; i < s->n; i++)
		e->args[1 + i] = s->keys[i];
	e->args[s->n + 1] = value;
	e->args[s->n + 2] = separator;
	return e;
}

static int bind_string(struct binder *b, const PgQuery__FuncCall *c, struct aggregate *a)
{
	struct expr *args[2], *typed[2];
	struct sort_keys keys;
	struct type t = { .id = TYPE_TEXT };

	for (unsigned i = 0; i < 2; i++) {
		args[i] = i < c->n_args ? bind_expr(b, c->args[i]) : NULL;
		if (i < c->n_args && args[i] == NULL)
			return -1;
	}
	if (c->n_args != 2)
		return no_such(b, "string_agg", (const struct expr *const *)args,
			c->n_args == 1 ? 1 : 0, c->location);
	if (args[0]->type.id == TYPE_BYTEA || args[1]->type.id == TYPE_BYTEA)
		t.id = TYPE_BYTEA;
	for (unsigned i = 0; i < 2; i++) {
		b->error->code = ERR_OK;
		typed[i] = bind_coerce(b, args[i], t, CAST_IMPLICIT);
		if (typed[i] == NULL && b->error->code != ERR_OK)
			return -1;
		if (typed[i] == NULL)
			return no_such(
				b, "string_agg", (const struct expr *const *)args, 2, c->location);
	}
	if (bind_keys(b, c, &keys) != 0 || (c->agg_distinct && check_keys(b, &keys, args, 2) != 0))
		return -1;
	a->kind = AGG_STRING;
	a->once = c->agg_distinct;
	a->type = t;
	a->arg = pack(b, &keys, typed[0], typed[1], c->location);
	return a->arg == NULL ? -1 : 0;
}

/* Without an order of its own it is in order of its values. */
static int add_own_key(struct binder *b, struct sort_keys *s, struct expr *x, bool distinct)
{
	bool sortable = x->type.id != TYPE_JSON && x->type.id != TYPE_JSONB;
	bool found = false;

	for (unsigned i = 0; i < s->n; i++)
		found = found || expr_equal(s->keys[i], x);
	if (found || !sortable || (s->n > 0 && !distinct && b->window_order == NULL))
		return 0;
	s->keys[s->n] = x;
	s->directions[s->n++] = 0;
	return 0;
}

/* 42883: it has no form of so many arguments. */
static int wrong_count(
	struct binder *b, const PgQuery__FuncCall *c, const struct known *k, size_t n)
{
	return bind_fail(b, ERR_UNDEFINED_FUNCTION, c->location,
		"function %s with %zu arguments does not exist", k->name, n);
}

/* Both arguments of an aggregate of two. */
static int bind_two(
	struct binder *b, const PgQuery__FuncCall *c, const struct known *k, struct expr *args[2])
{
	if (c->n_args != 2)
		return wrong_count(b, c, k, c->n_args);
	for (unsigned i = 0; i < 2; i++) {
		args[i] = bind_expr(b, c->args[i]);
		if (args[i] == NULL)
			return -1;
	}
	return 0;
}

static struct expr *separator_of(struct binder *b, const char *text)
{
	struct expr *e = expr_new(b, EXPR_CONST, TYPE_TEXT, -1);

	if (e != NULL)
		e->constant = (struct value){ .s = { text, (uint32_t)strlen(text) },
			.type = TYPE_TEXT };
	return e;
}

/* The one argument of array_agg() or json_agg(), and its order. */
static struct expr *bind_element(
	struct binder *b, const PgQuery__FuncCall *c, const struct known *k, struct sort_keys *keys)
{
	struct expr *x;

	if (c->n_args != 1) {
		(void)wrong_count(b, c, k, c->n_args);
		return NULL;
	}
	x = bind_expr(b, c->args[0]);
	if (x == NULL)
		return NULL;
	if (x->type.id == TYPE_UNKNOWN) {
		if (k->kind == AGG_ARRAY)
			bind_fail(b, ERR_AMBIGUOUS_FUNCTION, c->location,
				"function array_agg(unknown) is not unique");
		else
			bind_fail(b, ERR_DATATYPE_MISMATCH, -1,
				"could not determine polymorphic type because input has type unknown");
		return NULL;
	}
	if (type_is_array((enum type_id)x->type.id))
		return bind_unsupported(b, c->location,
			k->kind == AGG_ARRAY ? "an array of arrays" : "an array in a json");
	if (bind_keys(b, c, keys) != 0 ||
		(c->agg_distinct &&
			(check_keys(b, keys, &x, 1) != 0 || bind_check_equality(b, x) != 0 ||
				bind_check_order(b, x) != 0)))
		return NULL;
	add_own_key(b, keys, x, c->agg_distinct);
	return x;
}

static int bind_array(
	struct binder *b, const PgQuery__FuncCall *c, const struct known *k, struct aggregate *a)
{
	bool array = k->kind == AGG_ARRAY, binary = k->name[4] == 'b';
	struct expr *x, *element, *separator = separator_of(b, array ? "," : ", ");
	struct sort_keys keys;

	x = bind_element(b, c, k, &keys);
	if (x == NULL || separator == NULL)
		return -1;
	element = array ? bind_array_element(b, x) : bind_json_element(b, x, binary);
	a->once = c->agg_distinct;
	a->type.id = array ? (uint8_t)type_array_of((enum type_id)x->type.id)
		: binary   ? TYPE_JSONB
			   : TYPE_JSON;
	a->arg = element == NULL ? NULL : pack(b, &keys, element, separator, c->location);
	return a->arg == NULL ? -1 : 0;
}

static int bind_object(
	struct binder *b, const PgQuery__FuncCall *c, const struct known *k, struct aggregate *a)
{
	struct expr *args[2], *pair, *separator = separator_of(b, ", ");
	struct sort_keys keys;

	if (bind_two(b, c, k, args) != 0)
		return -1;
	if (bind_has_array(args, 2) || c->agg_distinct) {
		bind_unsupported(b, c->location,
			c->agg_distinct ? "DISTINCT of pairs" : "an array in a json");
		return -1;
	}
	if (separator == NULL || bind_keys(b, c, &keys) != 0)
		return -1;
	pair = bind_json_pair(b, args[0], args[1], c->location);
	if (pair == NULL)
		return -1;
	add_own_key(b, &keys, pair->args[0], false);
	a->type.id = k->name[4] == 'b' ? TYPE_JSONB : TYPE_JSON;
	a->arg = pack(b, &keys, pair, separator, c->location);
	return a->arg == NULL ? -1 : 0;
}

/* An untyped literal is text to min() and max(), and to the others the type they are for, or prefer. */
static struct expr *settle(struct binder *b, struct expr *e, const struct known *k, int location)
{
	struct type t = { .id = TYPE_TEXT };

	if (e == NULL || e->type.id != TYPE_UNKNOWN)
		return e;
	switch (k->kind) {
	case AGG_COUNT:
	case AGG_MIN:
	case AGG_MAX: break;
	case AGG_BOOL_AND:
	case AGG_BOOL_OR: t.id = TYPE_BOOL; break;
	case AGG_VAR_POP:
	case AGG_VAR_SAMP:
	case AGG_STDDEV_POP:
	case AGG_STDDEV_SAMP: t.id = TYPE_FLOAT8; break;
	default:
		bind_fail(b, ERR_AMBIGUOUS_FUNCTION, location, "function %s(unknown) is not unique",
			k->name);
		return NULL;
	}
	return bind_coerce(b, e, t, CAST_IMPLICIT);
}

static int bind_argument(
	struct binder *b, const PgQuery__FuncCall *c, const struct known *k, struct aggregate *a)
{
	struct sort_keys keys;

	if (c->n_args != 1)
		return wrong_count(b, c, k, c->n_args);
	a->arg = settle(b, bind_expr(b, c->args[0]), k, c->location);
	if (a->arg == NULL)
		return -1;
	if (bind_keys(b, c, &keys) != 0 ||
		(c->agg_distinct && check_keys(b, &keys, &a->arg, 1) != 0))
		return -1;
	if (k->kind != AGG_COUNT && a->arg->type.id == TYPE_VARCHAR) {
		a->arg = bind_coerce(b, a->arg, (struct type){ .id = TYPE_TEXT }, CAST_IMPLICIT);
		if (a->arg == NULL)
			return -1;
	}
	if (aggregate_type(b, a, k->name, c->location) != 0)
		return -1;
	if (c->agg_distinct && bind_check_equality(b, a->arg) != 0)
		return -1;
	if (c->agg_distinct && !k->once) {
		a->of = a->kind;
		a->kind = AGG_DISTINCT;
	}
	return 0;
}

/* --- of two numbers --- */

static int bind_pair(
	struct binder *b, const PgQuery__FuncCall *c, const struct known *k, struct aggregate *a)
{
	struct expr *args[2],
		*pair = expr_args(b, expr_new(b, EXPR_CALL, TYPE_UUID, c->location), 2);
	struct sort_keys keys;

	if (pair == NULL)
		return -1;
	if (bind_two(b, c, k, args) != 0)
		return -1;
	pair->fn = &REGRESSION_PAIR;
	for (unsigned i = 0; i < 2; i++) {
		b->error->code = ERR_OK;
		pair->args[i] = bind_coerce(
			b, args[i], (struct type){ .id = TYPE_FLOAT8 }, CAST_IMPLICIT);
		if (pair->args[i] == NULL)
			return b->error->code != ERR_OK
				? -1
				: no_such(b, k->name, (const struct expr *const *)args, 2,
					  c->location);
	}
	if (bind_keys(b, c, &keys) != 0 || (c->agg_distinct && check_keys(b, &keys, args, 2) != 0))
		return -1;
	a->arg = pair;
	a->statistic = k->statistic;
	a->type = (struct type){ .id = k->statistic == REGR_COUNT ? TYPE_INT8 : TYPE_FLOAT8 };
	if (c->agg_distinct) {
		a->of = a->kind;
		a->kind = AGG_DISTINCT;
	}
	return 0;
}

/* --- WITHIN GROUP --- */

static bool is_ordered_set(const struct known *k)
{
	return k->kind == AGG_PERCENTILE_CONT || k->kind == AGG_PERCENTILE_DISC ||
		k->kind == AGG_MODE;
}

/* With and without WITHIN GROUP a call names another function, if there is one of as many arguments. */
static int check_within(struct binder *b, const PgQuery__FuncCall *c, const struct known *k)
{
	size_t n = c->n_args + (c->agg_within_group ? c->n_agg_order : 0);
	bool two = k->kind == AGG_STRING || k->kind == AGG_JSON_OBJECT ||
		k->kind == AGG_REGRESSION || k->kind == AGG_PERCENTILE_CONT ||
		k->kind == AGG_PERCENTILE_DISC;

	if (is_ordered_set(k) == c->agg_within_group)
		return 0;
	if (n != (two ? 2 : 1))
		return wrong_count(b, c, k, n);
	return bind_fail(b, ERR_WRONG_OBJECT, c->location,
		is_ordered_set(k)
			? "WITHIN GROUP is required for ordered-set aggregate %s"
			: "%s is not an ordered-set aggregate, so it cannot have WITHIN GROUP",
		k->name);
}

/* The fraction of a percentile, a constant. 0, with *typed NULL when it is no number; or -1. */
static int bind_fraction(struct binder *b, struct expr *e, struct expr **typed, double *out)
{
	const struct value *v;

	b->error->code = ERR_OK;
	*typed = bind_coerce(b, e, (struct type){ .id = TYPE_FLOAT8 }, CAST_IMPLICIT);
	if (*typed == NULL)
		return b->error->code == ERR_OK ? 0 : -1;
	if (!expr_is_constant(*typed))
		return error_set(b->error, ERR_FEATURE, expr_location(*typed),
			"a percentile that is no constant is not supported");
	v = bind_constant(b, *typed);
	if (v == NULL)
		return -1;
	*out = value_is_null(v) ? (double)NAN : v->d;
	if (!value_is_null(v) && !(v->d >= 0 && v->d <= 1))
		return error_set(b->error, ERR_NUMERIC_RANGE, 0,
			"percentile value %g is not between 0 and 1", v->d);
	return 0;
}

/* The type of what is sorted, and of the result; a->arg NULL: there is none. 0, or -1. */
static int ordered_set_type(struct binder *b, const struct known *k, struct aggregate *a)
{
	struct expr *x = bind_pad(b, a->arg);
	struct type t = { .id = TYPE_FLOAT8 };

	if (x == NULL)
		return -1;
	if (k->kind == AGG_PERCENTILE_CONT && x->type.id != TYPE_INTERVAL) {
		b->error->code = ERR_OK;
		x = bind_coerce(b, x, t, CAST_IMPLICIT);
	} else {
		t = (struct type){ .id = x->type.id };
	}
	a->arg = x;
	a->type = t;
	return x == NULL && b->error->code != ERR_OK ? -1 : 0;
}

static int bind_ordered_set(
	struct binder *b, const PgQuery__FuncCall *c, const struct known *k, struct aggregate *a)
{
	const PgQuery__Node *by = c->agg_order[0]->sort_by->node;
	struct expr *args[2] = { NULL }, *fraction = NULL;
	struct sort_keys keys;
	unsigned direct = k->kind == AGG_MODE ? 0 : 1;

	if (c->n_args != direct || c->n_agg_order != 1)
		return wrong_count(b, c, k, c->n_args + c->n_agg_order);
	if (direct == 1) {
		args[0] = bind_expr(b, c->args[0]);
		if (args[0] == NULL)
			return -1;
	}
	if (k->kind != AGG_PERCENTILE_CONT && by->node_case == NODE(A_CONST) &&
		(by->a_const->isnull || by->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL))
		return bind_fail(b, ERR_DATATYPE_MISMATCH, -1,
			"could not determine polymorphic type because input has type unknown");
	if (bind_keys(b, c, &keys) != 0 ||
		(direct == 1 && bind_fraction(b, args[0], &fraction, &a->fraction) != 0))
		return -1;
	a->descending = keys.directions[0] & TUPLE_DESCENDING;
	args[direct] = a->arg = keys.keys[0];
	if (ordered_set_type(b, k, a) != 0)
		return -1;
	if (a->arg != NULL && (direct == 0 || fraction != NULL))
		return 0;
	return no_such(b, k->name, (const struct expr *const *)args, direct + 1, c->location);
}

/* Where an aggregate may be. 0, or -1. */
static int check_place(struct binder *b, const PgQuery__FuncCall *c)
{
	if (c->over != NULL) {
		bind_unsupported(b, c->location, "a window function");
		return -1;
	}
	if (b->in_aggregate)
		return bind_fail(
			b, ERR_GROUPING, c->location, "aggregate function calls cannot be nested");
	if (b->aggregates == NULL)
		return bind_fail(b, ERR_GROUPING, c->location,
			"aggregate functions are not allowed in %s",
			b->no_aggregates != NULL ? b->no_aggregates : "this place");
	return 0;
}

/* Its argument, type and kind. 0, or -1. */
static int bind_kind(
	struct binder *b, const PgQuery__FuncCall *c, const struct known *k, struct aggregate *a)
{
	if (c->agg_star && k->kind == AGG_COUNT) {
		a->kind = AGG_COUNT_STAR;
		a->type = (struct type){ .id = TYPE_INT8 };
		return 0;
	}
	if (k->kind == AGG_STRING)
		return bind_string(b, c, a);
	if (k->kind == AGG_ARRAY || k->kind == AGG_JSON)
		return bind_array(b, c, k, a);
	if (k->kind == AGG_JSON_OBJECT)
		return bind_object(b, c, k, a);
	if (k->kind == AGG_REGRESSION)
		return bind_pair(b, c, k, a);
	return is_ordered_set(k) ? bind_ordered_set(b, c, k, a) : bind_argument(b, c, k, a);
}

enum { LEVEL_OWN = 1, LEVEL_OUTER = 2 };

/* Whose columns an expression has. */
static unsigned levels_of(const struct expr *e)
{
	unsigned levels = 0;

	if (e == NULL)
		return 0;
	if (e->kind == EXPR_OUTER)
		return LEVEL_OUTER;
	if (e->kind == EXPR_COLUMN && e->source != EXPR_PARAMS)
		return LEVEL_OWN;
	for (unsigned i = 0; i < e->nargs; i++)
		levels |= levels_of(e->args[i]);
	return levels;
}

struct expr *bind_aggregate(struct binder *b, const PgQuery__FuncCall *c, const char *name)
{
	const struct known *k = find(name);
	struct aggregate a = { .kind = k->kind };
	/* What has a window may be over aggregates, which have none. */
	struct select *window = b->window_aggregates, *kept = b->aggregates;
	const struct window_order *order = b->window_order;

	b->window_aggregates = NULL;
	if (window == NULL)
		b->window_order = NULL;
	if ((window == NULL && check_place(b, c) != 0) || check_within(b, c, k) != 0)
		return NULL;
	b->in_aggregate = window == NULL;
	if (bind_kind(b, c, k, &a) != 0)
		return NULL;
	if (c->agg_filter != NULL) {
		b->aggregates = NULL;
		b->no_aggregates = "FILTER";
		a.filter = bind_condition(b, c->agg_filter, "FILTER");
		b->aggregates = kept;
		if (a.filter == NULL)
			return NULL;
	}
	b->in_aggregate = false;
	b->window_order = order;
	/* By the standard it is one of the outer query's. */
	if (window == NULL && (levels_of(a.arg) | levels_of(a.filter)) == LEVEL_OUTER)
		return bind_unsupported(
			b, c->location, "an aggregate over columns of an outer query only");
	return aggregate_ref(b, window != NULL ? window : kept, &a, c->location);
}
