/*
 * bind_command.c: INSERT, UPDATE, DELETE, TRUNCATE.
 */
#include <string.h>

#include "core/base/limits.h"
#include "core/sql/bind.h"

/* verb: as the error has it, "insert into"; NULL: of TRUNCATE, which is for tables. */
static struct relation *target(struct binder *b, const PgQuery__RangeVar *v, const char *verb)
{
	struct relation *r = bind_relation(b, v);

	if (r == NULL)
		return NULL;
	if (r->kind == RELATION_SYSTEM && verb == NULL) {
		bind_fail(b, ERR_WRONG_OBJECT, v->location, "\"%s\" is not a table", r->name);
		return NULL;
	}
	if (r->kind == RELATION_SYSTEM) {
		bind_fail(b, ERR_OBJECT_STATE, v->location, "cannot %s view \"%s\"", verb, r->name);
		return NULL;
	}
	if (r->kind != RELATION_TABLE) {
		bind_fail(b, ERR_WRONG_OBJECT, v->location,
			"cannot change materialized view \"%s\"", r->name);
		return NULL;
	}
	b->statement->relation = r;
	return r;
}

static void scope_push(struct binder *b, struct relation *r, const char *alias, uint8_t source)
{
	b->level.entries[b->level.n++] = (struct scope_entry){ r, alias, source };
}

const char *bind_target_alias(struct binder *b, const PgQuery__RangeVar *v)
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

int bind_target_column(struct binder *b, const struct relation *r, const PgQuery__ResTarget *t)
{
	int col = bind_column_number(b, r, t->name);

	if (t->n_indirection > 0) {
		bind_unsupported(b, t->location, "an element of a column");
		return -1;
	}
	if (col < 0)
		return bind_fail(b, ERR_UNDEFINED_COLUMN, t->location,
			"column \"%s\" of relation \"%s\" does not exist", t->name, r->name);
	return bind_note_column(b, r, (unsigned)col) == 0 ? col : -1;
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

struct expr *bind_default_of(struct binder *b, const struct column *c)
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
			e = bind_default_of(b, c);
		} else {
			e = bind_expr(b, row->items[i]);
			e = e == NULL ? NULL : bind_assign(b, e, c);
		}
		if (e == NULL)
			return -1;
		out[cols[i]] = e;
		if (bind_note_column(b, r, (unsigned)cols[i]) != 0)
			return -1;
	}
	for (unsigned c = 0; c < r->ncols; c++)
		if (out[c] == NULL && (out[c] = bind_default_of(b, &r->columns[c])) == NULL)
			return -1;
	return 0;
}

const PgQuery__Node *bind_assigned_value(const PgQuery__Node *n)
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

int bind_assigned_column(struct binder *b, const struct relation *r, const PgQuery__ResTarget *t,
	const struct assignment *set, size_t i)
{
	int col = bind_target_column(b, r, t);

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
		int col = bind_assigned_column(b, r, t, set, i);
		struct expr *e;

		if (col < 0)
			return -1;
		if (t->val->node_case == NODE(SET_TO_DEFAULT)) {
			e = bind_default_of(b, &r->columns[col]);
		} else {
			e = bind_expr(b, bind_assigned_value(t->val));
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
			int col = bind_column_number(b, r, infer->index_elems[k]->index_elem->name);

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
	int col;

	if (c->infer != NULL && c->infer->conname[0] != '\0') {
		if (b->arguments != NULL) {
			bind_unsupported(
				b, c->infer->location, "ON CONFLICT ON CONSTRAINT in a procedure");
			return error_hint(b->error, "Name the columns: ON CONFLICT (…).");
		}
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
			col = bind_column_number(b, r, elem->name);
			if (col < 0)
				return bind_fail(b, ERR_UNDEFINED_COLUMN, c->infer->location,
					"column \"%s\" does not exist", elem->name);
			if (bind_note_column(b, r, (unsigned)col) != 0)
				return -1;
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
	/* The excluded row is all of one. */
	for (unsigned k = 0; k < r->ncols; k++)
		if (!r->columns[k].hidden && bind_note_column(b, r, k) != 0)
			return -1;
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
	struct relation *r = target(b, p->relation, "insert into");
	const struct relation *names;
	unsigned ncols = 0;
	const char *alias;
	int *cols, status;

	st->kind = STATEMENT_INSERT;
	if (r == NULL)
		return -1;
	alias = bind_target_alias(b, p->relation);
	cols = bind_alloc(b, (r->ncols + p->n_cols) * sizeof(*cols));
	if (cols == NULL || alias == NULL)
		return error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
	for (size_t i = 0; i < p->n_cols; i++) {
		int col = bind_target_column(b, r, p->cols[i]->res_target);

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
	names = bind_names(b, r);
	for (unsigned c = 0; p->n_cols == 0 && c < names->ncols; c++)
		if (!names->columns[c].hidden)
			cols[ncols++] = (int)c;
	status = is_values(p) ? bind_values_rows(b, p, r, cols, ncols)
			      : bind_insert_query(b, p, r, cols, ncols);
	if (status != 0)
		return -1;
	if (p->on_conflict_clause != NULL && bind_conflict(b, r, p->on_conflict_clause, alias) != 0)
		return -1;
	scope_push(b, r, alias, 0);
	return bind_returning(b, p->returning_list, p->n_returning_list);
}

/* --- UPDATE and DELETE --- */

/* An equality with the column's own type; others stay in WHERE. */
struct expr *bind_key_value(struct binder *b, struct expr *e, const struct column *c)
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
		c->partition = bind_key_value(b, eq[r->partition], &r->columns[r->partition]);
	for (unsigned i = 0; i < r->nkey; i++) {
		key[i] = eq[r->key[i]] == NULL
			? NULL
			: bind_key_value(b, eq[r->key[i]], &r->columns[r->key[i]]);
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

int bind_update(struct binder *b, const PgQuery__UpdateStmt *p)
{
	struct statement *st = b->statement;
	struct relation *r = target(b, p->relation, "update");
	const char *alias;

	st->kind = STATEMENT_UPDATE;
	if (r == NULL)
		return -1;
	if (p->with_clause != NULL || p->n_from_clause > 0)
		return bind_joined(b, r,
			&(struct command_join){ p->relation, p->from_clause, p->n_from_clause,
				p->where_clause, p->with_clause, p->target_list, p->n_target_list,
				p->n_returning_list, "UPDATE" });
	alias = bind_target_alias(b, p->relation);
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
	struct relation *r = target(b, p->relation, "delete from");
	const char *alias;

	st->kind = STATEMENT_DELETE;
	if (r == NULL)
		return -1;
	if (p->with_clause != NULL || p->n_using_clause > 0)
		return bind_joined(b, r,
			&(struct command_join){ p->relation, p->using_clause, p->n_using_clause,
				p->where_clause, p->with_clause, NULL, 0, p->n_returning_list,
				"DELETE" });
	alias = bind_target_alias(b, p->relation);
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
		struct relation *r = target(b, p->relations[i]->range_var, NULL);

		if (r == NULL)
			return -1;
		st->truncate.tables[st->truncate.n++] = r;
	}
	for (unsigned i = 0; i < st->truncate.n; i++)
		if (truncate_check(b, st->truncate.tables[i]) != 0)
			return -1;
	return 0;
}
