/*
 * bind_command_query.c: the query of a command: INSERT … SELECT, UPDATE … FROM, DELETE … USING.
 *
 * It is bound as a statement within the command's, and what it gives is a source of the command's expressions. That of an
 * UPDATE or DELETE is made as the parser would have made it: SELECT target.*, values FROM target, others WHERE …
 */
#include "core/sql/bind.h"

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

struct statement *bind_inner_begin(struct binder *b)
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

void bind_inner_end(struct binder *b, struct statement *st)
{
	struct statement *q = b->statement;

	b->statement = st;
	b->arena = &st->arena;
	st->arena = q->arena;
	arena_init(&q->arena, b->heap);
	b->level = (struct scope){ 0 };
}

int bind_inner_layout(struct binder *b, struct statement *q)
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
	struct statement *st = b->statement, *q = bind_inner_begin(b);
	int status;

	if (q == NULL)
		return -1;
	status = source_select(b, p, r, cols, ncols);
	bind_inner_end(b, st);
	st->insert.query = q;
	return status != 0 ? -1 : bind_inner_layout(b, q);
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
			(ins->values[c] = bind_default_of(b, &r->columns[c])) == NULL)
			return -1;
	return 0;
}

int bind_insert_query(struct binder *b, const PgQuery__InsertStmt *p, const struct relation *r,
	const int *cols, unsigned ncols)
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

/* --- UPDATE … FROM and DELETE … USING --- */

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

static PgQuery__Node *null_node(struct binder *b)
{
	PgQuery__AConst *c = bind_alloc(b, sizeof(*c));
	PgQuery__Node *n = bind_alloc(b, sizeof(*n));

	if (c == NULL || n == NULL)
		return NULL;
	pg_query__a__const__init(c);
	pg_query__node__init(n);
	c->isnull = true;
	c->location = -1;
	n->node_case = NODE(A_CONST);
	n->a_const = c;
	return n;
}

/* SELECT target.*, values FROM target, from WHERE where; NULL for what was dropped of the target. */
static int joined_tree(struct binder *b, const struct relation *r, const struct command_join *j,
	PgQuery__SelectStmt *out)
{
	const char *alias = bind_target_alias(b, j->target);
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
		if ((out->target_list[out->n_target_list++] = output_node(b,
			     r->columns[c].hidden ? null_node(b)
						  : column_node(b, alias, r->columns[c].name))) ==
			NULL)
			return -1;
	for (size_t i = 0; i < j->nset; i++) {
		PgQuery__Node *val = j->set[i]->res_target->val;

		if (val->node_case == NODE(SET_TO_DEFAULT))
			continue;
		val = (PgQuery__Node *)(uintptr_t)bind_assigned_value(val);
		if ((out->target_list[out->n_target_list++] = output_node(b, val)) == NULL)
			return -1;
	}
	return 0;
}

/* cols: the columns that the values behind the row's are for. */
static int joined_select(
	struct binder *b, const struct relation *r, const struct command_join *j, const int *cols)
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
static int joined_set(struct binder *b, const struct relation *r, const struct command_join *j)
{
	struct change *c = &b->statement->change;
	unsigned at = r->ncols;

	for (unsigned i = 0; i < j->nset; i++) {
		const struct column *column = &r->columns[c->set[i].column];
		struct expr *e;

		if (j->set[i]->res_target->val->node_case == NODE(SET_TO_DEFAULT)) {
			c->set[i].expr = bind_default_of(b, column);
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

int bind_joined(struct binder *b, const struct relation *r, const struct command_join *j)
{
	struct statement *st = b->statement, *q;
	struct change *c = &st->change;
	int *cols, status;

	if (r->rowid >= 0)
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
		int col = bind_assigned_column(b, r, t, c->set, c->nset);

		if (col < 0)
			return -1;
		c->set[c->nset].column = (uint16_t)col;
		if (t->val->node_case != NODE(SET_TO_DEFAULT))
			cols[at++] = col;
	}
	q = bind_inner_begin(b);
	if (q == NULL)
		return -1;
	status = joined_select(b, r, j, cols);
	bind_inner_end(b, st);
	c->query = q;
	return status != 0 || bind_inner_layout(b, q) != 0 ? -1 : joined_set(b, r, j);
}
