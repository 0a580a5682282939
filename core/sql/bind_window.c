/*
 * bind_window.c: window functions, DISTINCT ON, and LIMIT in a view: selects with a window over what the select gives.
 *
 * A call of a window function stands in an expression as a column of SOURCE_WINDOW until the select is bound. Then
 * everything below the calls becomes the outputs of the select, a select with a window is put over it for every different
 * window, and one over these computes what was selected.
 */
#include <string.h>

#include "core/base/assert.h"
#include "core/base/limits.h"
#include "core/sql/bind.h"
#include "core/sql/program.h"

enum { FRAME_GIVEN = 0x1 /* FRAMEOPTION_NONDEFAULT of the parser */ };

struct window_call {
	struct window_function function; /* without columns */
	struct expr *args[WINDOW_ARGS], *filter;
	struct frame_columns range;
	unsigned npartition, norder;
	struct expr **partition;
	struct order *order;
};

/* --- calls --- */

static const struct {
	const char *name;
	enum window_kind kind;
	unsigned least, most; /* arguments */
	enum type_id type;    /* TYPE_UNKNOWN: of the first argument */
} FUNCTIONS[] = {
	{ "row_number", WINDOW_ROW_NUMBER, 0, 0, TYPE_INT8 },
	{ "rank", WINDOW_RANK, 0, 0, TYPE_INT8 },
	{ "dense_rank", WINDOW_DENSE_RANK, 0, 0, TYPE_INT8 },
	{ "percent_rank", WINDOW_PERCENT_RANK, 0, 0, TYPE_FLOAT8 },
	{ "cume_dist", WINDOW_CUME_DIST, 0, 0, TYPE_FLOAT8 },
	{ "ntile", WINDOW_NTILE, 1, 1, TYPE_INT4 },
	{ "lag", WINDOW_LAG, 1, 3, TYPE_UNKNOWN },
	{ "lead", WINDOW_LEAD, 1, 3, TYPE_UNKNOWN },
	{ "first_value", WINDOW_FIRST_VALUE, 1, 1, TYPE_UNKNOWN },
	{ "last_value", WINDOW_LAST_VALUE, 1, 1, TYPE_UNKNOWN },
	{ "nth_value", WINDOW_NTH_VALUE, 2, 2, TYPE_UNKNOWN },
};

enum { NFUNCTIONS = sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]) };

static unsigned function_number(const char *name)
{
	unsigned i = 0;

	while (i < NFUNCTIONS && strcmp(FUNCTIONS[i].name, name) != 0)
		i++;
	return i;
}

bool bind_is_window_function(const char *name)
{
	return function_number(name) < NFUNCTIONS;
}

static int is_subquery(struct expr *e, void *arg)
{
	(void)arg;
	return e->kind == EXPR_SUBQUERY || (e->kind == EXPR_COLUMN && e->source == SOURCE_WINDOW);
}

/* An expression in a window or of a call. */
static struct expr *part_of_call(struct binder *b, const PgQuery__Node *n)
{
	struct expr *e = bind_expr(b, n);

	if (e != NULL && expr_walk(e, is_subquery, NULL) != 0)
		return bind_unsupported(
			b, node_location(n), "a subquery or window function in a window");
	return e;
}

/* An argument that is a number. */
static struct expr *number(struct binder *b, struct expr *e, const char *name, int location)
{
	struct expr *n;

	if (e == NULL)
		return NULL;
	b->error->code = ERR_OK;
	n = bind_coerce(b, e, (struct type){ .id = TYPE_INT4 }, CAST_IMPLICIT);
	if (n == NULL && b->error->code == ERR_OK)
		bind_fail(b, ERR_UNDEFINED_FUNCTION, location,
			"function %s does not exist for these arguments", name);
	return n;
}

static int bind_function(struct binder *b, struct window_call *call, const PgQuery__FuncCall *c,
	unsigned number_of, const char *name)
{
	struct window_function *w = &call->function;
	bool shifts = FUNCTIONS[number_of].kind == WINDOW_LAG ||
		FUNCTIONS[number_of].kind == WINDOW_LEAD;

	w->kind = FUNCTIONS[number_of].kind;
	w->type = (struct type){ .id = (uint8_t)FUNCTIONS[number_of].type };
	if (c->n_args < FUNCTIONS[number_of].least || c->n_args > FUNCTIONS[number_of].most)
		return bind_fail(b, ERR_UNDEFINED_FUNCTION, c->location,
			"function %s with %zu arguments does not exist", name, c->n_args);
	if (c->agg_filter != NULL)
		return bind_fail(b, ERR_FEATURE, c->location,
			"FILTER is not implemented for non-aggregate window functions");
	for (size_t i = 0; i < c->n_args; i++) {
		call->args[i] = part_of_call(b, c->args[i]);
		if (call->args[i] == NULL)
			return -1;
	}
	if (c->n_args == 3) {
		struct expr *both[2] = { call->args[0], call->args[2] };

		if (bind_unify(b, both, 2, name, &w->type) != 0)
			return -1;
		call->args[0] = both[0];
		call->args[2] = both[1];
	}
	if (w->kind == WINDOW_NTILE)
		call->args[0] = number(b, call->args[0], name, c->location);
	else if (c->n_args > 0)
		call->args[0] = bind_settle(b, call->args[0]);
	if (c->n_args > 1)
		call->args[1] = number(b, call->args[1], name, c->location);
	if (c->n_args > 2)
		call->args[2] = bind_settle(b, call->args[2]);
	for (size_t i = 0; i < c->n_args; i++)
		if (call->args[i] == NULL)
			return -1;
	if (w->type.id == TYPE_UNKNOWN || shifts)
		w->type = call->args[0]->type;
	return 0;
}

/* As an aggregate, but of a window. */
static int bind_window_aggregate(
	struct binder *b, struct window_call *call, const PgQuery__FuncCall *c, const char *name)
{
	struct select *own = bind_select_new(b);
	struct window_order order = { call->norder, call->order };
	PgQuery__FuncCall plain = *c;
	struct expr *e;

	if (own == NULL)
		return -1;
	if (c->agg_within_group)
		return bind_fail(b, ERR_FEATURE, c->location,
			"OVER is not supported for ordered-set aggregate %s", name);
	plain.over = NULL;
	b->window_aggregates = own;
	b->window_order = &order;
	e = bind_aggregate(b, &plain, name);
	b->window_order = NULL;
	if (e == NULL)
		return -1;
	call->function.kind = WINDOW_AGGREGATE;
	call->function.aggregate = own->aggregates[0];
	call->function.type = own->aggregates[0].type;
	call->args[0] = own->aggregates[0].arg;
	call->filter = own->aggregates[0].filter;
	if ((call->args[0] != NULL && expr_walk(call->args[0], is_subquery, NULL) != 0) ||
		(call->filter != NULL && expr_walk(call->filter, is_subquery, NULL) != 0)) {
		bind_unsupported(b, c->location, "a subquery or window function in a window");
		return -1;
	}
	return 0;
}

/* --- windows --- */

int bind_sort(struct binder *b, const PgQuery__SortBy *by, struct order *o)
{
	if (by->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_USING) {
		bind_unsupported(b, by->location, "ORDER BY … USING");
		return -1;
	}
	o->descending = by->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_DESC;
	o->nulls_first = by->sortby_nulls == PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_FIRST ||
		(o->descending && by->sortby_nulls != PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_LAST);
	return 0;
}

/* A window of WINDOW, for a definition: if that is one of WINDOW itself, one before it. */
static const PgQuery__WindowDef *window_named(
	struct binder *b, const char *name, const PgQuery__WindowDef *d, int location)
{
	const struct scope *l = &b->level;

	for (size_t i = 0; i < l->nwindows && l->windows[i]->window_def != d; i++)
		if (strcmp(l->windows[i]->window_def->name, name) == 0)
			return l->windows[i]->window_def;
	bind_fail(b, ERR_UNDEFINED_OBJECT, location, "window \"%s\" does not exist", name);
	return NULL;
}

/* What a window that is made from another may not say. */
static int check_copy(struct binder *b, const PgQuery__WindowDef *base, const PgQuery__WindowDef *d)
{
	if (d->n_partition_clause > 0)
		return bind_fail(b, ERR_WINDOWING, d->location,
			"cannot override PARTITION BY clause of window \"%s\"", base->name);
	if (d->n_order_clause > 0 && base->n_order_clause > 0)
		return bind_fail(b, ERR_WINDOWING, d->location,
			"cannot override ORDER BY clause of window \"%s\"", base->name);
	if (base->frame_options & FRAME_GIVEN)
		return bind_fail(b, ERR_WINDOWING, d->location,
			"cannot copy window \"%s\" because it has a frame clause", base->name);
	return 0;
}

int bind_windows_check(struct binder *b)
{
	const struct scope *l = &b->level;

	for (size_t i = 0; i < l->nwindows; i++) {
		const PgQuery__WindowDef *d = l->windows[i]->window_def, *base = NULL;

		for (size_t k = 0; k < i; k++)
			if (strcmp(l->windows[k]->window_def->name, d->name) == 0)
				return bind_fail(b, ERR_WINDOWING, d->location,
					"window \"%s\" is already defined", d->name);
		if (d->refname[0] != '\0')
			base = window_named(b, d->refname, d, d->location);
		if (d->refname[0] != '\0' && (base == NULL || check_copy(b, base, d) != 0))
			return -1;
	}
	return 0;
}

static int bind_definition(struct binder *b, struct window_call *call, const PgQuery__WindowDef *d)
{
	if (d->refname[0] != '\0') {
		const PgQuery__WindowDef *base = window_named(b, d->refname, d, d->location);

		if (base == NULL || check_copy(b, base, d) != 0 ||
			bind_definition(b, call, base) != 0)
			return -1;
	}
	if (d->n_partition_clause > 0) {
		call->partition = bind_alloc(b, d->n_partition_clause * sizeof(*call->partition));
		if (call->partition == NULL)
			return -1;
	}
	for (size_t i = 0; i < d->n_partition_clause; i++) {
		call->partition[i] = bind_settle(b, part_of_call(b, d->partition_clause[i]));
		if (call->partition[i] == NULL || bind_check_equality(b, call->partition[i]) != 0)
			return -1;
		call->npartition++;
	}
	if (d->n_order_clause > 0) {
		call->order = bind_alloc(b, d->n_order_clause * sizeof(*call->order));
		if (call->order == NULL)
			return -1;
	}
	for (size_t i = 0; i < d->n_order_clause; i++) {
		const PgQuery__SortBy *by = d->order_clause[i]->sort_by;

		call->order[i].expr = bind_settle(b, part_of_call(b, by->node));
		if (call->order[i].expr == NULL || bind_check_order(b, call->order[i].expr) != 0 ||
			bind_sort(b, by, &call->order[i]) != 0)
			return -1;
		call->norder++;
	}
	return bind_frame(b, &call->function.frame, &call->range,
		&(struct window_order){ call->norder, call->order }, d);
}

struct expr *bind_window(struct binder *b, const PgQuery__FuncCall *c, const char *name)
{
	struct select *s = b->level.select;
	unsigned known = function_number(name);
	const PgQuery__WindowDef *d = c->over;
	struct window_call **grown, *call;
	bool nested;
	int status;
	struct expr *e;

	if (s == NULL || !b->level.allows_windows || b->in_aggregate) {
		bind_fail(b, ERR_WINDOWING, c->location, "window functions are not allowed in %s",
			b->in_aggregate                    ? "an aggregate"
				: b->no_aggregates != NULL ? b->no_aggregates
							   : "this place");
		return NULL;
	}
	call = bind_alloc(b, sizeof(*call));
	grown = bind_alloc(b, (s->ncalls + 1) * sizeof(*grown));
	if (call == NULL || grown == NULL)
		return NULL;
	if (c->agg_distinct || c->n_agg_order > 0) {
		bind_fail(b, ERR_FEATURE, c->location, "%s is not implemented for window functions",
			c->agg_distinct ? "DISTINCT" : "aggregate ORDER BY");
		return NULL;
	}
	nested = b->level.allows_windows;
	b->level.allows_windows = false;
	b->no_aggregates = "window definitions";
	if (d->name[0] != '\0') {
		d = window_named(b, d->name, d, d->location);
		if (d == NULL)
			return NULL;
	}
	status = bind_definition(b, call, d);
	if (status == 0)
		status = known < NFUNCTIONS ? bind_function(b, call, c, known, name)
					    : bind_window_aggregate(b, call, c, name);
	b->level.allows_windows = nested;
	e = status != 0 ? NULL : expr_new(b, EXPR_COLUMN, TYPE_UNKNOWN, c->location);
	if (e == NULL)
		return NULL;
	if (s->ncalls > 0)
		memcpy(grown, s->calls, s->ncalls * sizeof(*grown));
	grown[s->ncalls] = call;
	s->calls = grown;
	e->type = call->function.type;
	e->source = SOURCE_WINDOW;
	e->column = (uint16_t)s->ncalls++;
	return e;
}

int bind_calls_each(struct select *s, int (*fn)(struct expr **e, void *arg), void *arg)
{
	for (unsigned i = 0; i < s->ncalls; i++) {
		struct window_call *c = s->calls[i];

		for (unsigned k = 0; k < WINDOW_ARGS; k++)
			if (c->args[k] != NULL && fn(&c->args[k], arg) != 0)
				return -1;
		if (c->filter != NULL && fn(&c->filter, arg) != 0)
			return -1;
		for (unsigned k = 0; k < FRAME_COLUMNS; k++)
			if (c->range.at[k] != NULL && fn(&c->range.at[k], arg) != 0)
				return -1;
		for (unsigned k = 0; k < c->npartition; k++)
			if (fn(&c->partition[k], arg) != 0)
				return -1;
		for (unsigned k = 0; k < c->norder; k++)
			if (fn(&c->order[k].expr, arg) != 0)
				return -1;
	}
	return 0;
}

/* --- selects with a window --- */

int bind_output_number(struct binder *b, struct select *s, struct expr *e)
{
	for (unsigned i = 0; i < s->noutputs; i++)
		if (expr_equal(s->outputs[i].expr, e))
			return (int)i;
	if (s->noutputs >= LIMIT_COLUMNS)
		return bind_fail(b, ERR_TOO_MANY_COLUMNS, -1,
			"target lists can have at most %d entries", LIMIT_COLUMNS);
	return bind_output_append(b, s, e) != 0 ? -1 : (int)s->noutputs - 1;
}

static int window_order(
	struct binder *b, struct select *s, struct window *w, const struct order *order, unsigned n)
{
	w->order = bind_alloc(b, n * sizeof(*w->order));
	if (w->order == NULL)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		int column = bind_output_number(b, s, order[i].expr);

		if (column < 0)
			return -1;
		w->order[w->norder++] = (struct window_key){ (uint16_t)column, order[i].descending,
			order[i].nulls_first };
	}
	return 0;
}

static int window_partition(
	struct binder *b, struct select *s, struct window *w, struct expr *const *list, unsigned n)
{
	w->partition = bind_alloc(b, n * sizeof(*w->partition));
	if (w->partition == NULL)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		int column = bind_output_number(b, s, list[i]);

		if (column < 0)
			return -1;
		w->partition[w->npartition++] = (uint16_t)column;
	}
	return 0;
}

/* A select that gives what another does, in a window; with the results of its functions. */
static struct select *with_window(struct binder *b, struct select *inner, struct window *w)
{
	struct select *s = bind_over(b, inner);
	struct output *outputs;

	if (s == NULL)
		return NULL;
	outputs = bind_alloc(b, (s->noutputs + w->nfunctions) * sizeof(*outputs));
	if (outputs == NULL)
		return NULL;
	memcpy(outputs, s->outputs, s->noutputs * sizeof(*outputs));
	for (unsigned i = 0; i < w->nfunctions; i++) {
		struct expr *e = expr_new(
			b, EXPR_COLUMN, (enum type_id)w->functions[i].type.id, -1);

		if (e == NULL)
			return NULL;
		e->type = w->functions[i].type;
		e->column = (uint16_t)(s->noutputs + i);
		outputs[s->noutputs + i] = (struct output){ "", e->type, e };
	}
	s->outputs = outputs;
	s->noutputs += w->nfunctions;
	s->window = w;
	return s;
}

/* The first n outputs of a select, by a select over it. */
static struct select *first_outputs(
	struct binder *b, struct select *inner, const struct output *named, unsigned n)
{
	struct select *s = bind_over(b, inner);

	if (s == NULL)
		return NULL;
	s->noutputs = n;
	for (unsigned i = 0; i < n; i++)
		s->outputs[i].name = named[i].name;
	return s;
}

/* Whether two calls have one window. */
static bool same_window(const struct window_call *a, const struct window_call *b)
{
	bool same = a->npartition == b->npartition && a->norder == b->norder;

	for (unsigned i = 0; same && i < a->npartition; i++)
		same = expr_equal(a->partition[i], b->partition[i]);
	for (unsigned i = 0; same && i < a->norder; i++)
		same = expr_equal(a->order[i].expr, b->order[i].expr) &&
			a->order[i].descending == b->order[i].descending &&
			a->order[i].nulls_first == b->order[i].nulls_first;
	return same;
}

/* The columns of a frame's bounds, likewise. */
static int frame_columns(struct binder *b, struct select *s, struct window_call *c)
{
	int *columns[FRAME_COLUMNS] = { &c->function.frame.key, &c->function.frame.from_bound,
		&c->function.frame.to_bound };

	for (unsigned i = 0; i < FRAME_COLUMNS; i++) {
		*columns[i] = -1;
		if (c->range.at[i] == NULL)
			continue;
		*columns[i] = bind_output_number(b, s, c->range.at[i]);
		if (*columns[i] < 0)
			return -1;
	}
	return 0;
}

/* The columns that a call takes, as outputs of the select. */
static int call_columns(struct binder *b, struct select *s, struct window_call *c)
{
	c->function.filter = -1;
	for (unsigned i = 0; i < WINDOW_ARGS; i++) {
		c->function.args[i] = -1;
		if (c->args[i] == NULL)
			continue;
		c->function.args[i] = bind_output_number(b, s, c->args[i]);
		if (c->function.args[i] < 0)
			return -1;
	}
	if (c->filter != NULL) {
		c->function.filter = bind_output_number(b, s, c->filter);
		if (c->function.filter < 0)
			return -1;
	}
	return frame_columns(b, s, c);
}

/* What a select's expression is above the windows: parts without a call are columns of it. columns: of the calls. */
static struct expr *above_windows(
	struct binder *b, struct select *s, struct expr *e, const unsigned *columns)
{
	struct expr *c;

	if (e->kind == EXPR_COLUMN && e->source == SOURCE_WINDOW) {
		c = expr_new(b, EXPR_COLUMN, (enum type_id)e->type.id, -1);
		if (c == NULL)
			return NULL;
		c->type = e->type;
		c->position = e->position;
		c->column = (uint16_t)columns[e->column];
		return c;
	}
	if (expr_is_constant(e))
		return e;
	if (!(expr_sources(e) >> SOURCE_WINDOW & 1)) {
		int column = bind_output_number(b, s, e);

		c = column < 0 ? NULL : expr_new(b, EXPR_COLUMN, (enum type_id)e->type.id, -1);
		if (c == NULL)
			return NULL;
		c->type = e->type;
		c->position = e->position;
		c->column = (uint16_t)column;
		return c;
	}
	for (unsigned i = 0; i < e->nargs; i++) {
		e->args[i] = above_windows(b, s, e->args[i], columns);
		if (e->args[i] == NULL)
			return NULL;
	}
	return e;
}

struct select *bind_windows(struct binder *b, struct select *s)
{
	struct output *outputs = s->outputs;
	unsigned noutputs = s->noutputs, ncalls = s->ncalls, at;
	unsigned *columns = bind_alloc(b, (ncalls + 1) * sizeof(*columns));
	bool *done = bind_alloc(b, (ncalls + 1) * sizeof(*done));
	struct window **windows = bind_alloc(b, (ncalls + 1) * sizeof(*windows));
	struct select *top = s;
	unsigned nwindows = 0;

	if (columns == NULL || done == NULL || windows == NULL)
		return NULL;
	s->outputs = NULL;
	s->noutputs = 0;
	for (unsigned i = 0; i < ncalls; i++)
		if (call_columns(b, s, s->calls[i]) != 0)
			return NULL;
	/* One window for all calls that have it. */
	for (unsigned i = 0; i < ncalls; i++) {
		const struct window_call *c = s->calls[i];
		struct window *w;

		if (done[i])
			continue;
		w = windows[nwindows++] = bind_alloc(b, sizeof(*w));
		if (w == NULL || window_partition(b, s, w, c->partition, c->npartition) != 0 ||
			window_order(b, s, w, c->order, c->norder) != 0)
			return NULL;
		w->functions = bind_alloc(b, ncalls * sizeof(*w->functions));
		if (w->functions == NULL)
			return NULL;
		for (unsigned k = i; k < ncalls; k++)
			if (!done[k] && same_window(c, s->calls[k])) {
				done[k] = true;
				columns[k] = nwindows - 1; /* for now */
				w->functions[w->nfunctions++] = s->calls[k]->function;
			}
	}
	/* Where the results are depends on how many columns come first: all that anything above needs, too. */
	for (unsigned pass = 0; pass < 2; pass++) {
		unsigned *places = bind_alloc(b, (ncalls + 1) * sizeof(*places));

		if (places == NULL)
			return NULL;
		at = s->noutputs;
		for (unsigned w = 0; w < nwindows; w++)
			for (unsigned k = 0; k < ncalls; k++)
				if (columns[k] == w)
					places[k] = at++;
		for (unsigned i = 0; i < noutputs + s->norder; i++) {
			struct expr **e = i < noutputs ? &outputs[i].expr
						       : &s->order[i - noutputs].expr;
			struct expr *over = above_windows(b, s, bind_copy(b, *e), places);

			if (over == NULL)
				return NULL;
			if (pass == 1)
				*e = over;
		}
	}
	for (unsigned w = 0; w < nwindows && top != NULL; w++)
		top = with_window(b, top, windows[w]);
	top = top == NULL ? NULL : bind_over(b, top);
	if (top == NULL)
		return NULL;
	top->outputs = outputs;
	top->noutputs = noutputs;
	bind_move_order(top, s, s->order);
	return top;
}

/* --- LIMIT and DISTINCT ON --- */

static int constant_limit(struct binder *b, struct expr *e, bool offset, int64_t none, int64_t *out)
{
	const struct row_layout *layouts[EXPR_SOURCES] = { NULL };
	const struct expr *tree = e;
	const struct program *p;
	const struct value *v;

	*out = none;
	if (e == NULL)
		return 0;
	p = program_compile(&tree, 1, layouts, b->arena, b->error);
	v = p == NULL ? NULL : program_constant(p, 0);
	if (p == NULL)
		return -1;
	if (v == NULL)
		return bind_fail(b, ERR_FEATURE, -1, "LIMIT in a view must be a constant");
	if (value_is_null(v))
		return 0;
	if (v->i < 0)
		return bind_fail(b, offset ? ERR_NEGATIVE_OFFSET : ERR_NEGATIVE_LIMIT, -1,
			"%s must not be negative", offset ? "OFFSET" : "LIMIT");
	/* As good as none, and nothing overflows. */
	*out = v->i > INT64_MAX / 4 ? INT64_MAX / 4 : v->i;
	return 0;
}

struct select *bind_top(struct binder *b, struct select *s, bool ties)
{
	struct window *w;
	unsigned n = s->noutputs;
	const struct output *named;
	struct select *top;

	if (s->limit == NULL && s->offset == NULL)
		return s;
	/* What it is over may be: it is a select of its own then. */
	ASSERT(s->window == NULL && s->nbranches == 0);
	w = bind_alloc(b, sizeof(*w));
	if (w == NULL || constant_limit(b, s->limit, false, -1, &w->limit) != 0 ||
		constant_limit(b, s->offset, true, 0, &w->offset) != 0)
		return NULL;
	w->top = true;
	w->ties = ties && w->limit >= 0;
	if (window_order(b, s, w, s->order, s->norder) != 0)
		return NULL;
	s->limit = s->offset = NULL;
	s->norder = 0;
	named = s->outputs;
	top = with_window(b, s, w);
	return top == NULL || top->noutputs == n ? top : first_outputs(b, top, named, n);
}

/* With ORDER BY and LIMIT still to be applied. */
struct select *bind_distinct_on(
	struct binder *b, struct select *s, struct expr *const *list, unsigned n)
{
	struct window *w = bind_alloc(b, sizeof(*w));
	unsigned noutputs = s->noutputs;
	struct select *top;

	if (w == NULL)
		return NULL;
	/* The leading order is by these, in any order of them. */
	for (unsigned i = 0, met = 0; i < s->norder && met < n; i++) {
		bool again = false;

		for (unsigned k = 0; k < i; k++)
			again |= expr_equal(s->order[i].expr, s->order[k].expr);
		if (again)
			continue;
		met++;
		if (!expr_listed(list, n, s->order[i].expr)) {
			error_set(b->error, ERR_INVALID_COLUMN_REFERENCE, expr_location(list[0]),
				"SELECT DISTINCT ON expressions must match initial ORDER BY expressions");
			return NULL;
		}
	}
	w->top = true;
	w->limit = 1;
	if (window_partition(b, s, w, list, n) != 0 ||
		window_order(b, s, w, s->order, s->norder) != 0)
		return NULL;
	top = with_window(b, s, w);
	top = top == NULL ? NULL : bind_over(b, top);
	if (top == NULL)
		return NULL;
	for (unsigned i = 0; i < noutputs; i++)
		top->outputs[i].name = s->outputs[i].name;
	/* The same order by the columns it has become. */
	top->order = bind_alloc(b, s->norder * sizeof(*top->order));
	if (top->order == NULL)
		return NULL;
	for (unsigned i = 0; i < s->norder; i++) {
		top->order[i] = s->order[i];
		top->order[i].expr = bind_copy(b, top->outputs[w->order[i].column].expr);
		if (top->order[i].expr == NULL)
			return NULL;
	}
	bind_move_order(top, s, top->order);
	return top;
}

struct select *bind_numbered(struct binder *b, struct select *s)
{
	struct window *w = bind_alloc(b, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->functions = bind_alloc(b, sizeof(*w->functions));
	w->partition = bind_alloc(b, s->noutputs * sizeof(*w->partition));
	if (w->functions == NULL || w->partition == NULL)
		return NULL;
	w->functions[w->nfunctions++] = (struct window_function){ .kind = WINDOW_ROW_NUMBER,
		.type = { .id = TYPE_INT8 },
		.args = { -1, -1, -1 },
		.filter = -1 };
	for (unsigned i = 0; i < s->noutputs; i++)
		w->partition[w->npartition++] = (uint16_t)i;
	return with_window(b, s, w);
}
