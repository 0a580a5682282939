/*
 * bind_command.c: INSERT, UPDATE, DELETE, TRUNCATE.
 */
#include <string.h>

#include "core/base/limits.h"
#include "core/sql/bind.h"

static struct relation *target(struct binder *b, const PgQuery__RangeVar *v, const char *verb)
{
	struct relation *r = bind_relation(b, v);

	if (r == NULL)
		return NULL;
	if (r->kind != RELATION_TABLE) {
		bind_fail(b, ERR_WRONG_OBJECT, v->location,
			"cannot change materialized view \"%s\"", r->name);
		return NULL;
	}
	(void)verb;
	b->statement->relation = r;
	return r;
}

static void scope_push(struct binder *b, struct relation *r, const char *alias, uint8_t source)
{
	b->level.entries[b->level.n++] = (struct scope_entry){ r, alias, source };
}

static const char *scope_alias(struct binder *b, const PgQuery__RangeVar *v)
{
	const char *alias = v->alias != NULL ? v->alias->aliasname : v->relname;

	return arena_strdup(b->arena, alias, strlen(alias));
}

static int bind_returning(struct binder *b, PgQuery__Node *const *targets, size_t n)
{
	b->no_aggregates = "RETURNING";
	return n == 0
		? 0
		: bind_outputs(b, targets, n, &b->statement->results, &b->statement->nresults);
}

static int column_find(struct binder *b, const struct relation *r, const PgQuery__ResTarget *t)
{
	int col = relation_column(r, t->name);

	if (t->n_indirection > 0) {
		bind_unsupported(b, t->location, "an element of a column");
		return -1;
	}
	if (col < 0)
		bind_fail(b, ERR_UNDEFINED_COLUMN, t->location,
			"column \"%s\" of relation \"%s\" does not exist", t->name, r->name);
	return col;
}

static struct expr *null_const(struct binder *b, struct type t)
{
	struct expr *e = expr_new(b, EXPR_CONST, (enum type_id)t.id, -1);

	if (e == NULL)
		return NULL;
	e->constant.flags = VALUE_NULL;
	e->constant.type = t.id;
	return e;
}

static struct expr *column_default(struct binder *b, const struct column *c)
{
	return c->default_ != NULL ? c->default_ : null_const(b, c->type);
}

static int bind_values_row(struct binder *b, const struct relation *r, const PgQuery__List *row,
	const int *cols, unsigned ncols, struct expr **out)
{
	if (row->n_items > ncols)
		return bind_fail(b, ERR_SYNTAX, node_location(row->items[ncols]),
			"INSERT has more expressions than target columns");
	for (unsigned c = 0; c < r->ncols; c++)
		out[c] = NULL;
	for (size_t i = 0; i < row->n_items; i++) {
		const struct column *c = &r->columns[cols[i]];
		struct expr *e;

		if (row->items[i]->node_case == NODE(SET_TO_DEFAULT)) {
			e = column_default(b, c);
		} else {
			e = bind_expr(b, row->items[i]);
			e = e == NULL ? NULL : bind_assign(b, e, c);
		}
		if (e == NULL)
			return -1;
		out[cols[i]] = e;
	}
	for (unsigned c = 0; c < r->ncols; c++)
		if (out[c] == NULL && (out[c] = column_default(b, &r->columns[c])) == NULL)
			return -1;
	return 0;
}

/* SET (a, b) = (x, y) comes as one node a column that points into the whole row. */
static const PgQuery__Node *assigned_value(const PgQuery__Node *n)
{
	const PgQuery__MultiAssignRef *ref;

	if (n->node_case != NODE(MULTI_ASSIGN_REF))
		return n;
	ref = n->multi_assign_ref;
	if (ref->source->node_case != NODE(ROW_EXPR) || ref->colno < 1 ||
		(size_t)ref->colno > ref->source->row_expr->n_args)
		return ref->source;
	return ref->source->row_expr->args[ref->colno - 1];
}

/* The column of the i-th assignment; set: those before it. -1: it may not be set. */
static int assigned_column(struct binder *b, const struct relation *r, const PgQuery__ResTarget *t,
	const struct assignment *set, size_t i)
{
	int col = column_find(b, r, t);

	if (col < 0)
		return -1;
	for (size_t k = 0; k < i; k++)
		if (set[k].column == col)
			return bind_fail(b, ERR_SYNTAX, t->location,
				"multiple assignments to same column \"%s\"", t->name);
	for (unsigned k = 0; k < r->nkey; k++)
		if (r->key[k] == col) {
			bind_unsupported(b, t->location, "changing a column of the primary key");
			return -1;
		}
	if (r->partition == col) {
		bind_unsupported(b, t->location, "changing the partition column");
		return -1;
	}
	return col;
}

static int bind_assignments(struct binder *b, const struct relation *r,
	PgQuery__Node *const *targets, size_t n, struct assignment **out, unsigned *nout)
{
	struct assignment *set = bind_alloc(b, n * sizeof(*set));

	if (set == NULL)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const PgQuery__ResTarget *t = targets[i]->res_target;
		int col = assigned_column(b, r, t, set, i);
		struct expr *e;

		if (col < 0)
			return -1;
		if (t->val->node_case == NODE(SET_TO_DEFAULT)) {
			e = column_default(b, &r->columns[col]);
		} else {
			e = bind_expr(b, assigned_value(t->val));
			e = e == NULL ? NULL : bind_assign(b, e, &r->columns[col]);
		}
		if (e == NULL)
			return -1;
		set[i] = (struct assignment){ (uint16_t)col, e };
	}
	*out = set;
	*nout = (unsigned)n;
	return 0;
}

/* The unique index whose columns are those of the ON CONFLICT target. */
static struct index_def *arbiter_find(
	struct binder *b, const struct relation *r, const PgQuery__InferClause *infer)
{
	for (unsigned i = 0; i < r->nindexes; i++) {
		struct index_def *ix = r->indexes[i];
		unsigned matched = 0;

		if (!ix->unique || ix->ncols != infer->n_index_elems)
			continue;
		for (size_t k = 0; k < infer->n_index_elems; k++) {
			int col = relation_column(r, infer->index_elems[k]->index_elem->name);

			for (unsigned c = 0; c < ix->ncols; c++)
				matched += ix->cols[c] == col;
		}
		if (matched == ix->ncols)
			return ix;
	}
	bind_fail(b, ERR_INVALID_COLUMN_REFERENCE, -1,
		"there is no unique or exclusion constraint matching the ON CONFLICT specification");
	return NULL;
}

static int bind_conflict(
	struct binder *b, struct relation *r, const PgQuery__OnConflictClause *c, const char *alias)
{
	struct insert *ins = &b->statement->insert;
	struct expr *where;

	if (c->infer != NULL && c->infer->conname[0] != '\0') {
		for (unsigned i = 0; i < r->nindexes && ins->arbiter == NULL; i++)
			if (strcmp(r->indexes[i]->name, c->infer->conname) == 0 &&
				r->indexes[i]->unique)
				ins->arbiter = r->indexes[i];
		if (ins->arbiter == NULL)
			return bind_fail(b, ERR_UNDEFINED_OBJECT, c->infer->location,
				"constraint \"%s\" for table \"%s\" does not exist",
				c->infer->conname, r->name);
	} else if (c->infer != NULL) {
		for (size_t k = 0; k < c->infer->n_index_elems; k++) {
			const PgQuery__IndexElem *elem = c->infer->index_elems[k]->index_elem;

			if (elem->expr != NULL || c->infer->where_clause != NULL) {
				bind_unsupported(b, c->infer->location, "this ON CONFLICT target");
				return -1;
			}
			if (relation_column(r, elem->name) < 0)
				return bind_fail(b, ERR_UNDEFINED_COLUMN, c->infer->location,
					"column \"%s\" does not exist", elem->name);
		}
		ins->arbiter = arbiter_find(b, r, c->infer);
		if (ins->arbiter == NULL)
			return -1;
	}
	if (c->action == PG_QUERY__ON_CONFLICT_ACTION__ONCONFLICT_NOTHING) {
		ins->action = CONFLICT_NOTHING;
		return 0;
	}
	ins->action = CONFLICT_UPDATE;
	if (ins->arbiter == NULL)
		return bind_fail(b, ERR_SYNTAX, c->location,
			"ON CONFLICT DO UPDATE requires inference specification or constraint name");
	scope_push(b, r, alias, 0);
	scope_push(b, r, "excluded", 1);
	/* Unqualified names mean the existing row: look it up alone first is what PostgreSQL does not do;
	 * there they are ambiguous, and so they are here. */
	b->no_aggregates = "UPDATE";
	if (bind_assignments(b, r, c->target_list, c->n_target_list, &ins->set, &ins->nset) != 0)
		return -1;
	if (c->where_clause != NULL) {
		where = bind_condition(b, c->where_clause, "WHERE");
		if (where == NULL)
			return -1;
		ins->where = where;
	}
	b->level = (struct scope){ 0 };
	return 0;
}

/* --- INSERT from a query --- */

/* Outputs that are untyped literals or parameters take the types of the columns. */
static int outputs_assign(struct binder *b, const struct relation *r, struct select *s,
	unsigned noutputs, const int *cols)
{
	for (unsigned i = 0; i < noutputs; i++) {
		struct output *o = &s->outputs[i];

		if (o->expr->type.id != TYPE_UNKNOWN)
			continue;
		o->expr = bind_assign(b, o->expr, &r->columns[cols[i]]);
		if (o->expr == NULL)
			return -1;
		o->type = o->expr->type;
		if (o->type.id != TYPE_UNKNOWN)
			continue;
		return error_set(b->error, ERR_FEATURE, expr_location(o->expr),
			"an untyped literal in this query of INSERT is not supported");
	}
	return 0;
}

/* As outputs of the query that is the binder's statement now. */
static int source_select(struct binder *b, const PgQuery__InsertStmt *p, const struct relation *r,
	const int *cols, unsigned ncols)
{
	PgQuery__SelectStmt sel = *p->select_stmt->select_stmt;
	struct select *s;
	unsigned n;

	if (p->with_clause != NULL && sel.with_clause != NULL) {
		bind_unsupported(b, 0, "WITH twice in an INSERT");
		return -1;
	}
	if (p->with_clause != NULL)
		sel.with_clause = p->with_clause;
	/* Rows that are compared have types. */
	b->unsettled = sel.n_distinct_clause == 0;
	s = bind_select(b, &sel);
	b->unsettled = false;
	if (s == NULL)
		return -1;
	n = s->nvisible > 0 ? s->nvisible : s->noutputs;
	if (n > ncols)
		return error_set(b->error, ERR_SYNTAX, expr_location(s->outputs[ncols].expr),
			"INSERT has more expressions than target columns");
	if (p->n_cols > 0 && n < ncols)
		return bind_fail(b, ERR_SYNTAX, p->cols[n]->res_target->location,
			"INSERT has more target columns than expressions");
	return outputs_assign(b, r, s, n, cols) == 0 ? bind_query_of(b, s) : -1;
}

/* A statement of its own, in the same arena, with relations of its own: those that it reads. It is the binder's until
 * inner_end(). NULL: no memory. */
static struct statement *inner_begin(struct binder *b)
{
	struct statement *st = b->statement, *q = bind_alloc(b, sizeof(*q));

	if (q == NULL)
		return NULL;
	q->heap = b->heap;
	q->arena = st->arena;
	q->text = st->text;
	b->statement = q;
	b->arena = &q->arena;
	return q;
}

static void inner_end(struct binder *b, struct statement *st)
{
	struct statement *q = b->statement;

	b->statement = st;
	b->arena = &st->arena;
	st->arena = q->arena;
	arena_init(&q->arena, b->heap);
	b->level = (struct scope){ 0 };
}

static int inner_layout(struct binder *b, struct statement *q)
{
	struct type *types = bind_alloc(b, q->nresults * sizeof(*types));

	if (types == NULL)
		return -1;
	for (unsigned i = 0; i < q->nresults; i++)
		types[i] = q->results[i].type;
	return row_layout_init(&q->result_layout, types, q->nresults, b->arena, b->error);
}

static int source_bind(struct binder *b, const PgQuery__InsertStmt *p, const struct relation *r,
	const int *cols, unsigned ncols)
{
	struct statement *st = b->statement, *q = inner_begin(b);
	int status;

	if (q == NULL)
		return -1;
	status = source_select(b, p, r, cols, ncols);
	inner_end(b, st);
	st->insert.query = q;
	return status != 0 ? -1 : inner_layout(b, q);
}

/* What the query gives is source 0 of the values. */
static int bind_source_row(struct binder *b, const struct relation *r, const int *cols)
{
	struct insert *ins = &b->statement->insert;
	const struct statement *q = ins->query;

	for (unsigned i = 0; i < q->nresults; i++) {
		const struct output *o = &q->results[i];
		struct expr *e = expr_new(b, EXPR_COLUMN, (enum type_id)o->type.id, -1);

		if (e == NULL)
			return -1;
		e->type = o->type;
		e->column = (uint16_t)i;
		e->position = expr_location(o->expr);
		ins->values[cols[i]] = bind_assign(b, e, &r->columns[cols[i]]);
		if (ins->values[cols[i]] == NULL)
			return -1;
	}
	for (unsigned c = 0; c < r->ncols; c++)
		if (ins->values[c] == NULL &&
			(ins->values[c] = column_default(b, &r->columns[c])) == NULL)
			return -1;
	return 0;
}

static int bind_source_query(struct binder *b, const PgQuery__InsertStmt *p,
	const struct relation *r, const int *cols, unsigned ncols)
{
	struct insert *ins = &b->statement->insert;

	if (source_bind(b, p, r, cols, ncols) != 0)
		return -1;
	ins->values = bind_alloc(b, r->ncols * sizeof(*ins->values));
	if (ins->values == NULL)
		return -1;
	ins->nrows = 1;
	return bind_source_row(b, r, cols);
}

/* Rows of VALUES alone are bound with the columns; anything more is a query. */
static bool is_values(const PgQuery__InsertStmt *p)
{
	const PgQuery__SelectStmt *s = p->select_stmt == NULL ? NULL : p->select_stmt->select_stmt;

	return s == NULL ||
		(s->n_values_lists > 0 && p->with_clause == NULL && s->with_clause == NULL &&
			s->n_sort_clause == 0 && s->limit_count == NULL && s->limit_offset == NULL);
}

/* --- INSERT --- */

static int bind_values_rows(struct binder *b, const PgQuery__InsertStmt *p,
	const struct relation *r, const int *cols, unsigned ncols)
{
	const PgQuery__SelectStmt *sel = p->select_stmt != NULL ? p->select_stmt->select_stmt
								: NULL;
	struct insert *ins = &b->statement->insert;

	ins->nrows = sel == NULL ? 1 : (unsigned)sel->n_values_lists;
	if (ins->nrows > LIMIT_ROWS_PER_COMMAND)
		return bind_fail(b, ERR_PROGRAM_LIMIT, 0, "INSERT of more than %d rows",
			LIMIT_ROWS_PER_COMMAND);
	ins->values = bind_alloc(b, (size_t)ins->nrows * r->ncols * sizeof(*ins->values));
	if (ins->values == NULL)
		return -1;
	b->no_aggregates = "VALUES";
	for (unsigned i = 0; i < ins->nrows; i++) {
		static const PgQuery__List EMPTY = PG_QUERY__LIST__INIT;
		const PgQuery__List *row = sel == NULL ? &EMPTY : sel->values_lists[i]->list;

		if (i > 0 && row->n_items != sel->values_lists[0]->list->n_items)
			return bind_fail(b, ERR_SYNTAX,
				row->n_items > 0 ? node_location(row->items[0]) : -1,
				"VALUES lists must all be the same length");
		if (p->n_cols > 0 && sel != NULL && row->n_items < ncols)
			return bind_fail(b, ERR_SYNTAX, p->cols[row->n_items]->res_target->location,
				"INSERT has more target columns than expressions");
		if (bind_values_row(b, r, row, cols, ncols, ins->values + (size_t)i * r->ncols) !=
			0)
			return -1;
	}
	return 0;
}

int bind_insert(struct binder *b, const PgQuery__InsertStmt *p)
{
	struct statement *st = b->statement;
	struct relation *r = target(b, p->relation, "INSERT");
	unsigned ncols = 0;
	const char *alias;
	int *cols, status;

	st->kind = STATEMENT_INSERT;
	if (r == NULL)
		return -1;
	alias = scope_alias(b, p->relation);
	cols = bind_alloc(b, (r->ncols + p->n_cols) * sizeof(*cols));
	if (cols == NULL || alias == NULL)
		return error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
	for (size_t i = 0; i < p->n_cols; i++) {
		int col = column_find(b, r, p->cols[i]->res_target);

		if (col < 0)
			return -1;
		for (unsigned k = 0; k < ncols; k++)
			if (cols[k] == col)
				return bind_fail(b, ERR_DUPLICATE_COLUMN,
					p->cols[i]->res_target->location,
					"column \"%s\" specified more than once",
					p->cols[i]->res_target->name);
		cols[ncols++] = col;
	}
	for (unsigned c = 0; p->n_cols == 0 && c < r->ncols; c++)
		if (!r->columns[c].hidden)
			cols[ncols++] = (int)c;
	status = is_values(p) ? bind_values_rows(b, p, r, cols, ncols)
			      : bind_source_query(b, p, r, cols, ncols);
	if (status != 0)
		return -1;
	if (p->on_conflict_clause != NULL && bind_conflict(b, r, p->on_conflict_clause, alias) != 0)
		return -1;
	scope_push(b, r, alias, 0);
	return bind_returning(b, p->returning_list, p->n_returning_list);
}

/* --- UPDATE and DELETE --- */

/* An equality with the column's own type; others stay in WHERE. */
static struct expr *key_value(struct binder *b, struct expr *e, const struct column *c)
{
	bool integers = e->type.id >= TYPE_INT2 && e->type.id <= TYPE_INT8 &&
		c->type.id >= TYPE_INT2 && c->type.id <= TYPE_INT8;

	if (e->type.id != c->type.id && !(integers && e->type.id < c->type.id) &&
		!(e->type.id == TYPE_TEXT && c->type.id == TYPE_VARCHAR))
		return NULL;
	return bind_coerce(b, e, (struct type){ .id = c->type.id }, CAST_IMPLICIT);
}

static int bind_where(struct binder *b, const struct relation *r, const PgQuery__Node *where)
{
	struct change *c = &b->statement->change;
	struct expr **list = NULL, **eq, **key, *e;
	unsigned n = 0;
	bool whole = true;
	int *from;

	if (where == NULL)
		return 0;
	b->no_aggregates = "WHERE";
	e = bind_condition(b, where, "WHERE");
	if (e == NULL || bind_conjuncts(b, e, &list, &n) != 0)
		return -1;
	eq = bind_alloc(b, r->ncols * sizeof(*eq));
	from = bind_alloc(b, r->ncols * sizeof(*from));
	key = bind_alloc(b, r->nkey * sizeof(*key));
	if (eq == NULL || from == NULL || key == NULL)
		return -1;
	b->error->code = ERR_OK;
	bind_equalities(r, list, n, eq, from);
	if (r->partition >= 0 && eq[r->partition] != NULL)
		c->partition = key_value(b, eq[r->partition], &r->columns[r->partition]);
	for (unsigned i = 0; i < r->nkey; i++) {
		key[i] = eq[r->key[i]] == NULL
			? NULL
			: key_value(b, eq[r->key[i]], &r->columns[r->key[i]]);
		whole = whole && key[i] != NULL;
	}
	if (b->error->code != ERR_OK)
		return -1;
	if (whole) {
		c->key = key;
		for (unsigned i = 0; i < r->nkey; i++)
			list[from[r->key[i]]] = NULL;
	}
	for (unsigned i = 0; i < n; i++) {
		if (list[i] == NULL)
			continue;
		if (c->where == NULL) {
			c->where = list[i];
			continue;
		}
		e = expr_new(b, EXPR_AND, TYPE_BOOL, -1);
		if (e == NULL || (e->args = bind_alloc(b, 2 * sizeof(*e->args))) == NULL)
			return -1;
		e->nargs = 2;
		e->args[0] = c->where;
		e->args[1] = list[i];
		c->where = e;
	}
	return 0;
}

/* --- UPDATE … FROM and DELETE … USING --- */

/* A command joined with other tables: the query that gives its rows, in the parser's terms. */
struct joined {
	const PgQuery__RangeVar *target;
	PgQuery__Node **from;
	size_t nfrom;
	PgQuery__Node *where;
	PgQuery__WithClause *with;
	PgQuery__Node **set; /* UPDATE */
	size_t nset;
	size_t nreturning;
	const char *verb;
};

/* A node of the list: "name" or "alias.name". */
static PgQuery__Node *output_node(struct binder *b, PgQuery__Node *val)
{
	PgQuery__ResTarget *t = bind_alloc(b, sizeof(*t));
	PgQuery__Node *n = bind_alloc(b, sizeof(*n));

	if (t == NULL || n == NULL || val == NULL)
		return NULL;
	pg_query__res_target__init(t);
	pg_query__node__init(n);
	t->val = val;
	t->location = -1;
	n->node_case = NODE(RES_TARGET);
	n->res_target = t;
	return n;
}

static PgQuery__Node *string_node(struct binder *b, const char *s)
{
	PgQuery__String *string = bind_alloc(b, sizeof(*string));
	PgQuery__Node *n = bind_alloc(b, sizeof(*n));

	if (string == NULL || n == NULL)
		return NULL;
	pg_query__string__init(string);
	pg_query__node__init(n);
	string->sval = (char *)(uintptr_t)s;
	n->node_case = NODE(STRING);
	n->string = string;
	return n;
}

static PgQuery__Node *column_node(struct binder *b, const char *table, const char *column)
{
	PgQuery__ColumnRef *c = bind_alloc(b, sizeof(*c));
	PgQuery__Node *n = bind_alloc(b, sizeof(*n));

	if (c == NULL || n == NULL)
		return NULL;
	pg_query__column_ref__init(c);
	pg_query__node__init(n);
	c->n_fields = 2;
	c->fields = bind_alloc(b, 2 * sizeof(*c->fields));
	c->location = -1;
	if (c->fields == NULL || (c->fields[0] = string_node(b, table)) == NULL ||
		(c->fields[1] = string_node(b, column)) == NULL)
		return NULL;
	n->node_case = NODE(COLUMN_REF);
	n->column_ref = c;
	return n;
}

/* SELECT target.*, values FROM target, from WHERE where. */
static int joined_tree(struct binder *b, const struct relation *r, const struct joined *j,
	PgQuery__SelectStmt *out)
{
	const char *alias = scope_alias(b, j->target);
	PgQuery__Node *target = bind_alloc(b, sizeof(*target));

	pg_query__select_stmt__init(out);
	out->op = PG_QUERY__SET_OPERATION__SETOP_NONE;
	out->limit_option = PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_DEFAULT;
	out->with_clause = j->with;
	out->where_clause = j->where;
	out->from_clause = bind_alloc(b, (j->nfrom + 1) * sizeof(*out->from_clause));
	out->target_list = bind_alloc(b, (r->ncols + j->nset) * sizeof(*out->target_list));
	if (alias == NULL || target == NULL || out->from_clause == NULL || out->target_list == NULL)
		return -1;
	pg_query__node__init(target);
	target->node_case = NODE(RANGE_VAR);
	target->range_var = (PgQuery__RangeVar *)(uintptr_t)j->target;
	out->from_clause[out->n_from_clause++] = target;
	for (size_t i = 0; i < j->nfrom; i++)
		out->from_clause[out->n_from_clause++] = j->from[i];
	for (unsigned c = 0; c < r->ncols; c++)
		if ((out->target_list[out->n_target_list++] = output_node(
			     b, column_node(b, alias, r->columns[c].name))) == NULL)
			return -1;
	for (size_t i = 0; i < j->nset; i++) {
		PgQuery__Node *val = j->set[i]->res_target->val;

		if (val->node_case == NODE(SET_TO_DEFAULT))
			continue;
		val = (PgQuery__Node *)(uintptr_t)assigned_value(val);
		if ((out->target_list[out->n_target_list++] = output_node(b, val)) == NULL)
			return -1;
	}
	return 0;
}

/* cols: the columns that the values behind the row's are for. */
static int joined_select(
	struct binder *b, const struct relation *r, const struct joined *j, const int *cols)
{
	PgQuery__SelectStmt sel;
	struct select *s;
	unsigned n;

	if (joined_tree(b, r, j, &sel) != 0)
		return error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
	b->unsettled = true;
	b->command = j->verb;
	s = bind_select(b, &sel);
	b->unsettled = false;
	b->command = NULL;
	if (s == NULL)
		return -1;
	n = s->nvisible > 0 ? s->nvisible : s->noutputs;
	return outputs_assign(b, r, s, n, cols) == 0 ? bind_query_of(b, s) : -1;
}

/* What the query gives behind the row is source 1 of the assignments. */
static int joined_set(struct binder *b, const struct relation *r, const struct joined *j)
{
	struct change *c = &b->statement->change;
	unsigned at = r->ncols;

	for (unsigned i = 0; i < j->nset; i++) {
		const struct column *column = &r->columns[c->set[i].column];
		struct expr *e;

		if (j->set[i]->res_target->val->node_case == NODE(SET_TO_DEFAULT)) {
			c->set[i].expr = column_default(b, column);
		} else {
			const struct output *o = &c->query->results[at];

			e = expr_new(b, EXPR_COLUMN, (enum type_id)o->type.id, -1);
			if (e == NULL)
				return -1;
			e->type = o->type;
			e->source = 1;
			e->column = (uint16_t)at++;
			e->position = expr_location(o->expr);
			c->set[i].expr = bind_assign(b, e, column);
		}
		if (c->set[i].expr == NULL)
			return -1;
	}
	return 0;
}

static int bind_joined(struct binder *b, const struct relation *r, const struct joined *j)
{
	struct statement *st = b->statement, *q;
	struct change *c = &st->change;
	int *cols, status;

	if (r->columns[r->ncols - 1].hidden)
		return bind_fail(b, ERR_FEATURE, j->target->location,
			"%s with other tables of a table without a primary key is not supported",
			j->verb);
	if (j->nreturning > 0)
		return bind_fail(b, ERR_FEATURE, 0,
			"RETURNING of %s with other tables is not supported", j->verb);
	cols = bind_alloc(b, (r->ncols + j->nset) * sizeof(*cols));
	c->set = bind_alloc(b, j->nset * sizeof(*c->set));
	if (cols == NULL || c->set == NULL)
		return -1;
	for (unsigned k = 0; k < r->ncols; k++)
		cols[k] = (int)k;
	for (unsigned at = r->ncols; c->nset < j->nset; c->nset++) {
		const PgQuery__ResTarget *t = j->set[c->nset]->res_target;
		int col = assigned_column(b, r, t, c->set, c->nset);

		if (col < 0)
			return -1;
		c->set[c->nset].column = (uint16_t)col;
		if (t->val->node_case != NODE(SET_TO_DEFAULT))
			cols[at++] = col;
	}
	q = inner_begin(b);
	if (q == NULL)
		return -1;
	status = joined_select(b, r, j, cols);
	inner_end(b, st);
	c->query = q;
	return status != 0 || inner_layout(b, q) != 0 ? -1 : joined_set(b, r, j);
}

int bind_update(struct binder *b, const PgQuery__UpdateStmt *p)
{
	struct statement *st = b->statement;
	struct relation *r = target(b, p->relation, "UPDATE");
	const char *alias;

	st->kind = STATEMENT_UPDATE;
	if (r == NULL)
		return -1;
	if (p->with_clause != NULL || p->n_from_clause > 0)
		return bind_joined(b, r,
			&(struct joined){ p->relation, p->from_clause, p->n_from_clause,
				p->where_clause, p->with_clause, p->target_list, p->n_target_list,
				p->n_returning_list, "UPDATE" });
	alias = scope_alias(b, p->relation);
	if (alias == NULL)
		return error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
	scope_push(b, r, alias, 0);
	b->no_aggregates = "UPDATE";
	if (bind_assignments(b, r, p->target_list, p->n_target_list, &st->change.set,
		    &st->change.nset) != 0 ||
		bind_where(b, r, p->where_clause) != 0)
		return -1;
	return bind_returning(b, p->returning_list, p->n_returning_list);
}

int bind_delete(struct binder *b, const PgQuery__DeleteStmt *p)
{
	struct statement *st = b->statement;
	struct relation *r = target(b, p->relation, "DELETE");
	const char *alias;

	st->kind = STATEMENT_DELETE;
	if (r == NULL)
		return -1;
	if (p->with_clause != NULL || p->n_using_clause > 0)
		return bind_joined(b, r,
			&(struct joined){ p->relation, p->using_clause, p->n_using_clause,
				p->where_clause, p->with_clause, NULL, 0, p->n_returning_list,
				"DELETE" });
	alias = scope_alias(b, p->relation);
	if (alias == NULL)
		return error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
	scope_push(b, r, alias, 0);
	if (bind_where(b, r, p->where_clause) != 0)
		return -1;
	return bind_returning(b, p->returning_list, p->n_returning_list);
}

/* What references it must be emptied too, whether it has rows or not. */
static int truncate_check(struct binder *b, const struct relation *r)
{
	const struct statement *st = b->statement;

	for (unsigned k = 0; k < r->nreferrers; k++) {
		const struct foreign_key *fk = r->referrers[k];
		bool there = !fk->enforced;

		for (unsigned i = 0; i < st->truncate.n; i++)
			there |= st->truncate.tables[i] == fk->from;
		if (there)
			continue;
		bind_fail(b, ERR_FEATURE, -1,
			"cannot truncate a table referenced in a foreign key constraint");
		return error_detail(
			b->error, "Table \"%s\" references \"%s\".", fk->from->name, r->name);
	}
	return 0;
}

int bind_truncate(struct binder *b, const PgQuery__TruncateStmt *p)
{
	struct statement *st = b->statement;

	st->kind = STATEMENT_TRUNCATE;
	if (p->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE) {
		bind_unsupported(b, 0, "CASCADE");
		return -1;
	}
	st->truncate.tables = bind_alloc(b, p->n_relations * sizeof(struct relation *));
	if (st->truncate.tables == NULL)
		return -1;
	for (size_t i = 0; i < p->n_relations; i++) {
		struct relation *r = target(b, p->relations[i]->range_var, "TRUNCATE");

		if (r == NULL)
			return -1;
		st->truncate.tables[st->truncate.n++] = r;
	}
	for (unsigned i = 0; i < st->truncate.n; i++)
		if (truncate_check(b, st->truncate.tables[i]) != 0)
			return -1;
	return 0;
}
