/*
 * bind_procedure.c: CREATE, DROP and RENAME of procedures, CALL.
 *
 * The body of CREATE PROCEDURE is bound as a command of several statements to see that it is right, and what it uses is
 * noted; of the tree nothing is kept. CALL binds it again from its text, with the arguments as its parameters: so it is
 * compiled as if its statements had been prepared themselves. Names in the body are those that tables and columns had when
 * it was made (struct procedure), whatever they are called by now.
 *
 * Arguments that are the parameters of CALL, all of them in their order, are handed on as they are. Else they are computed
 * once, before the body (struct procedure_call in plan.h).
 */
#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/sql/bind.h"

/* --- names in a body --- */

const struct relation *bind_names(const struct binder *b, const struct relation *r)
{
	const struct relation *body = b->body;

	for (unsigned i = 0; body != NULL && i < body->nreads; i++)
		if (body->reads[i] == r)
			return body->procedure->names[i];
	return r;
}

struct relation *bind_body_relation(struct binder *b, const PgQuery__RangeVar *v)
{
	const struct relation *body = b->body;

	for (unsigned i = 0; i < body->nreads; i++)
		if (strcmp(body->procedure->names[i]->name, v->relname) == 0)
			return body->reads[i];
	return NULL;
}

int bind_column_number(const struct binder *b, const struct relation *r, const char *name)
{
	return relation_column(bind_names(b, r), name);
}

unsigned bind_column_count(const struct binder *b, const struct relation *r, const char *name)
{
	const struct relation *names = bind_names(b, r);
	unsigned n = 0;

	for (unsigned i = 0; i < names->ncols; i++)
		n += strcmp(names->columns[i].name, name) == 0;
	return n;
}

struct expr *bind_body_argument(
	struct binder *b, const char *procedure, const char *name, int location)
{
	const struct procedure *p = b->arguments;
	struct expr *e;

	if (p == NULL || (procedure != NULL && strcmp(procedure, b->argument_scope) != 0))
		return NULL;
	for (unsigned i = 0; i < p->nargs; i++) {
		if (p->args[i].name[0] == '\0' || strcmp(p->args[i].name, name) != 0)
			continue;
		e = expr_new(b, EXPR_COLUMN, p->args[i].type, location);
		if (e == NULL)
			return NULL;
		e->source = EXPR_PARAMS;
		e->column = (uint16_t)i;
		return e;
	}
	return NULL;
}

/* --- what a body uses --- */

struct used {
	unsigned n;
	const struct relation **relations;
	bool **columns;
};

int bind_note_column(struct binder *b, const struct relation *r, unsigned col)
{
	struct used *u = b->used;
	unsigned at = 0;

	if (u == NULL || r->kind != RELATION_TABLE)
		return 0;
	while (at < u->n && u->relations[at] != r)
		at++;
	if (at == u->n) {
		const struct relation **relations = bind_alloc(b, (at + 1) * sizeof(*relations));
		bool **columns = bind_alloc(b, (at + 1) * sizeof(*columns));
		bool *own = bind_alloc(b, r->ncols * sizeof(*own));

		if (relations == NULL || columns == NULL || own == NULL)
			return -1;
		if (at > 0) {
			memcpy(relations, u->relations, at * sizeof(*relations));
			memcpy(columns, u->columns, at * sizeof(*columns));
		}
		relations[at] = r;
		columns[at] = own;
		u->relations = relations;
		u->columns = columns;
		u->n++;
	}
	u->columns[at][col] = true;
	return 0;
}

const struct relation *bind_column_user(const struct relation *r, unsigned col)
{
	for (unsigned i = 0; i < r->ndependents; i++) {
		const struct relation *d = r->dependents[i];

		for (unsigned k = 0; d->kind == RELATION_PROCEDURE && k < d->nreads; k++)
			if (d->reads[k] == r && col < d->procedure->names[k]->ncols &&
				d->procedure->uses[k][col])
				return d;
	}
	return NULL;
}

/* The tables that q holds become the procedure's, as they are named now. */
static int keep_used(
	struct binder *b, struct relation *r, struct statement *q, const struct used *u)
{
	struct procedure *p = r->procedure;

	r->reads = bind_alloc(b, q->nrelations * sizeof(struct relation *));
	p->names = bind_alloc(b, q->nrelations * sizeof(struct relation *));
	p->uses = bind_alloc(b, q->nrelations * sizeof(*p->uses));
	if (r->reads == NULL || p->names == NULL || p->uses == NULL)
		return -1;
	for (unsigned i = 0; i < q->nrelations; i++) {
		struct relation *t = q->relations[i];

		p->uses[i] = bind_alloc(b, t->ncols * sizeof(**p->uses));
		if (p->uses[i] == NULL)
			return -1;
		for (unsigned k = 0; k < u->n; k++)
			if (u->relations[k] == t)
				memcpy(p->uses[i], u->columns[k], t->ncols * sizeof(**p->uses));
		relation_hold(t);
		r->reads[i] = t;
		relation_hold(t);
		p->names[i] = t;
		r->nreads++;
	}
	return 0;
}

/* --- CREATE PROCEDURE --- */

static const char *routine_name(PgQuery__Node *const *names, size_t n)
{
	return n == 0 ? "" : node_string(names[n - 1]);
}

static int check_schema(struct binder *b, PgQuery__Node *const *names, size_t n)
{
	if (n < 2 || strcmp(node_string(names[n - 2]), "public") == 0)
		return 0;
	bind_unsupported(b, 0, "a schema other than public");
	return -1;
}

static int check_options(struct binder *b, const PgQuery__CreateFunctionStmt *p)
{
	for (size_t i = 0; i < p->n_options; i++) {
		const PgQuery__DefElem *o = p->options[i]->def_elem;

		if (strcmp(o->defname, "language") == 0) {
			if (strcmp(node_string(o->arg), "sql") == 0)
				continue;
			bind_fail(b, ERR_FEATURE, o->location,
				"a procedure in a language other than SQL is not supported");
			return error_hint(b->error, "Write BEGIN ATOMIC … END.");
		}
		if (strcmp(o->defname, "as") == 0) {
			bind_fail(b, ERR_FEATURE, o->location, "a body in quotes is not supported");
			return error_hint(b->error, "Write BEGIN ATOMIC … END.");
		}
		bind_fail(b, ERR_FEATURE, o->location, "%s of a procedure is not supported",
			o->defname);
		return error_hint(
			b->error, "A procedure runs as one command, for whoever calls it.");
	}
	return 0;
}

static int add_argument(struct binder *b, struct procedure *p, const PgQuery__FunctionParameter *f)
{
	struct argument *a = &p->args[p->nargs];
	struct type t;

	if (bind_type(b, f->arg_type, &t) != 0)
		return -1;
	if (f->mode != PG_QUERY__FUNCTION_PARAMETER_MODE__FUNC_PARAM_IN &&
		f->mode != PG_QUERY__FUNCTION_PARAMETER_MODE__FUNC_PARAM_DEFAULT) {
		bind_fail(b, ERR_FEATURE, f->arg_type->location,
			"an argument that is OUT, INOUT or VARIADIC is not supported");
		return error_hint(b->error, "A command answers how many rows it changed.");
	}
	if (t.id == TYPE_JSON || t.id == TYPE_JSONB) {
		bind_fail(b, ERR_FEATURE, f->arg_type->location,
			"an argument of type json or jsonb is not supported");
		return error_hint(b->error, "Take it as text, and cast it.");
	}
	for (unsigned i = 0; f->name[0] != '\0' && i < p->nargs; i++)
		if (strcmp(p->args[i].name, f->name) == 0)
			return bind_fail(b, ERR_INVALID_FUNCTION_DEFINITION, -1,
				"parameter name \"%s\" used more than once", f->name);
	a->name = bind_keep(b, f->name);
	a->type = (enum type_id)t.id;
	if (a->name == NULL)
		return -1;
	if (f->defexpr == NULL && p->nargs > 0 && p->args[p->nargs - 1].default_ != NULL)
		return bind_fail(b, ERR_INVALID_FUNCTION_DEFINITION, -1,
			"input parameters after one with a default value must also have defaults");
	p->nargs++;
	return 0;
}

/* To the type of an argument; NULL with no error set: it is not of that. */
static struct expr *coerce_argument(struct binder *b, struct expr *e, enum type_id type)
{
	b->error->code = ERR_OK;
	if (type == TYPE_BPCHAR)
		e = bind_pad(b, e);
	return e == NULL ? NULL
			 : bind_coerce(b, e, (struct type){ .id = (uint8_t)type }, CAST_IMPLICIT);
}

static int add_default(struct binder *b, struct argument *a, const PgQuery__Node *n)
{
	char want[64], have[64];
	struct expr *e;

	if (n == NULL)
		return 0;
	b->no_aggregates = "DEFAULT expressions";
	e = bind_expr(b, n);
	if (e == NULL)
		return -1;
	a->default_ = bind_coerce(b, e, (struct type){ .id = (uint8_t)a->type }, CAST_ASSIGNMENT);
	if (a->default_ != NULL)
		return 0;
	if (b->error->code != ERR_OK)
		return -1;
	return bind_fail(b, ERR_DATATYPE_MISMATCH, node_location(n),
		"argument of DEFAULT must be type %s, not type %s",
		type_name((struct type){ .id = (uint8_t)a->type }, want, sizeof(want)),
		type_name((struct type){ .id = e->type.id }, have, sizeof(have)));
}

static int add_arguments(
	struct binder *b, struct procedure *p, PgQuery__Node *const *list, size_t n)
{
	if (n > LIMIT_PROCEDURE_ARGS)
		return bind_fail(b, ERR_TOO_COMPLEX, -1,
			"procedures cannot have more than %d arguments", LIMIT_PROCEDURE_ARGS);
	p->args = bind_alloc(b, n * sizeof(*p->args));
	if (p->args == NULL)
		return -1;
	/* There are no parameters in a default. */
	b->params_fixed = true;
	for (size_t i = 0; i < n; i++) {
		const PgQuery__FunctionParameter *f = list[i]->function_parameter;

		b->error->code = ERR_OK;
		if (add_argument(b, p, f) != 0 ||
			add_default(b, &p->args[p->nargs - 1], f->defexpr) != 0)
			return -1;
	}
	return 0;
}

/* As PostgreSQL has it of one with the same name; and that there can be no other one beside it. */
static int check_replaced(
	struct binder *b, const struct relation *old, const struct procedure *p, bool replace)
{
	const struct procedure *o = old->procedure;
	bool same = o->nargs == p->nargs;
	char text[DEPENDENT_TEXT_MAX];

	for (unsigned i = 0; same && i < p->nargs; i++)
		same = o->args[i].type == p->args[i].type;
	if (!same) {
		bind_fail(b, ERR_FEATURE, 0,
			"another procedure \"%s\" with other arguments is not supported",
			old->name);
		return error_hint(
			b->error, "Choose another name, or DROP PROCEDURE %s first.", old->name);
	}
	if (!replace)
		return bind_fail(b, ERR_DUPLICATE_FUNCTION, -1,
			"function \"%s\" already exists with same argument types", old->name);
	for (unsigned i = 0; i < p->nargs; i++) {
		const struct argument *was = &o->args[i], *is = &p->args[i];

		if (was->name[0] != '\0' && strcmp(was->name, is->name) != 0)
			bind_fail(b, ERR_INVALID_FUNCTION_DEFINITION, -1,
				"cannot change name of input parameter \"%s\"", was->name);
		else if (was->default_ != NULL && is->default_ == NULL)
			bind_fail(b, ERR_INVALID_FUNCTION_DEFINITION, -1,
				"cannot remove parameter defaults from existing function");
		else
			continue;
		return error_hint(b->error, "Use DROP PROCEDURE %s first.",
			relation_describe(old, text) + sizeof("function ") - 1);
	}
	return 0;
}

/* Where a statement begins, as far as its tree knows; -1. */
static int statement_location(const PgQuery__Node *n)
{
	switch (n->node_case) {
	case NODE(INSERT_STMT): return n->insert_stmt->relation->location;
	case NODE(UPDATE_STMT): return n->update_stmt->relation->location;
	case NODE(DELETE_STMT): return n->delete_stmt->relation->location;
	case NODE(CALL_STMT): return n->call_stmt->funccall->location;
	case NODE(SELECT_STMT):
		return n->select_stmt->n_target_list == 0
			? -1
			: n->select_stmt->target_list[0]->res_target->location;
	default: return -1;
	}
}

/* The statements of BEGIN ATOMIC, as the binder's present statement. */
static int bind_body(struct binder *b, const PgQuery__Node *body)
{
	const PgQuery__List *list = NULL;
	struct block_item *items;

	if (body != NULL && body->node_case == NODE(LIST) && body->list->n_items == 1 &&
		body->list->items[0]->node_case == NODE(LIST))
		list = body->list->items[0]->list;
	if (list == NULL || list->n_items == 0) {
		bind_unsupported(b, 0, "a procedure without statements");
		return error_hint(b->error, "Write BEGIN ATOMIC … END.");
	}
	items = bind_alloc(b, list->n_items * sizeof(*items));
	if (items == NULL)
		return -1;
	for (size_t i = 0; i < list->n_items; i++)
		items[i] = (struct block_item){ list->items[i],
			statement_location(list->items[i]) };
	return bind_block(b, items, list->n_items);
}

/* The parameters of a body are the arguments. */
static int enter_body(struct binder *b, const struct relation *r)
{
	const struct procedure *p = r->procedure;

	b->params = bind_alloc(b, p->nargs * sizeof(*b->params));
	if (b->params == NULL)
		return -1;
	for (unsigned i = 0; i < p->nargs; i++)
		b->params[i] = p->args[i].type;
	b->nparams = b->params_cap = p->nargs;
	b->params_fixed = true;
	b->arguments = p;
	b->argument_scope = r->name;
	b->level = (struct scope){ 0 };
	return 0;
}

static int create_body(struct binder *b, struct relation *r, const PgQuery__CreateFunctionStmt *p)
{
	struct statement *st = b->statement, *q;
	struct used used = { 0 };
	int status;

	b->arena = &st->arena;
	q = bind_inner_begin(b);
	if (q == NULL)
		return -1;
	b->used = &used;
	status = enter_body(b, r);
	if (status == 0)
		status = bind_body(b, p->sql_body);
	b->used = NULL;
	b->nparams = 0;
	bind_inner_end(b, st);
	b->arena = &r->arena;
	if (status == 0)
		status = keep_used(b, r, q, &used);
	for (unsigned i = 0; i < q->nrelations; i++)
		relation_release(q->relations[i]);
	b->arena = &st->arena;
	return status;
}

int bind_create_procedure(struct binder *b, const PgQuery__CreateFunctionStmt *p)
{
	struct statement *st = b->statement;
	const char *name = routine_name(p->funcname, p->n_funcname);
	struct relation *r, *old;

	if (!p->is_procedure) {
		bind_fail(b, ERR_FEATURE, 0, "CREATE FUNCTION is not supported");
		return error_hint(b->error, "CREATE PROCEDURE makes a command with a name.");
	}
	if (check_schema(b, p->funcname, p->n_funcname) != 0 || check_options(b, p) != 0)
		return -1;
	st->kind = STATEMENT_CREATE_PROCEDURE;
	r = relation_begin(b, RELATION_PROCEDURE, name);
	if (r == NULL || r->definition == NULL)
		return error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
	r->id = r->made = catalog_next_id(b->catalog);
	r->procedure = bind_alloc(b, sizeof(*r->procedure));
	if (r->procedure == NULL ||
		add_arguments(b, r->procedure, p->parameters, p->n_parameters) != 0)
		return -1;
	old = catalog_find_procedure(b->catalog, name);
	if (old != NULL && check_replaced(b, old, r->procedure, p->replace) != 0)
		return -1;
	st->create.replaces = old;
	return create_body(b, r, p);
}

/* --- finding one --- */

/* A procedure by name and, if they are given, types. NULL with 42883, or *missing. */
static struct relation *find_procedure(
	struct binder *b, const PgQuery__ObjectWithArgs *o, bool missing_ok, bool *missing)
{
	const char *name = routine_name(o->objname, o->n_objname);
	struct relation *r;
	const struct procedure *p;
	char types[ERROR_DETAIL_MAX] = "", one[64];
	bool same;
	size_t n = 0;

	if (check_schema(b, o->objname, o->n_objname) != 0)
		return NULL;
	r = catalog_find_procedure(b->catalog, name);
	p = r == NULL ? NULL : r->procedure;
	same = r != NULL && (o->args_unspecified || o->n_objargs == p->nargs);
	for (size_t i = 0; !o->args_unspecified && i < o->n_objargs; i++) {
		struct type t;

		if (bind_type(b, o->objargs[i]->type_name, &t) != 0)
			return NULL;
		same = same && p->args[i].type == (enum type_id)t.id;
		if (n < sizeof(types))
			n += (size_t)snprintf(types + n, sizeof(types) - n, "%s%s",
				i > 0 ? ", " : "",
				type_name((struct type){ .id = t.id }, one, sizeof(one)));
	}
	if (same)
		return r;
	*missing = missing_ok;
	if (missing_ok)
		bind_notice(b, "00000", "procedure %s(%s) does not exist, skipping", name,
			o->args_unspecified ? "" : types);
	else if (o->args_unspecified)
		bind_fail(b, ERR_UNDEFINED_FUNCTION, -1, "could not find a procedure named \"%s\"",
			name);
	else
		bind_fail(b, ERR_UNDEFINED_FUNCTION, -1, "procedure %s(%s) does not exist", name,
			types);
	return NULL;
}

/* --- DROP, RENAME --- */

int bind_drop_procedure(struct binder *b, const PgQuery__DropStmt *p)
{
	struct statement *st = b->statement;

	st->kind = STATEMENT_DROP_PROCEDURE;
	st->drop.relations = bind_alloc(b, p->n_objects * sizeof(struct relation *));
	if (st->drop.relations == NULL)
		return -1;
	for (size_t i = 0; i < p->n_objects; i++) {
		bool missing = false, twice = false;
		struct relation *r = find_procedure(
			b, p->objects[i]->object_with_args, p->missing_ok, &missing);

		if (r == NULL && !missing)
			return -1;
		for (unsigned k = 0; k < st->drop.n; k++)
			twice |= st->drop.relations[k] == r;
		if (r == NULL || twice)
			continue;
		if (bind_hold(b, r) != 0)
			return -1;
		st->drop.relations[st->drop.n++] = r;
	}
	if (st->drop.n == 0)
		st->kind = STATEMENT_NOTHING;
	return 0;
}

int bind_rename_procedure(struct binder *b, const PgQuery__RenameStmt *p)
{
	bool missing = false;
	struct relation *from = find_procedure(b, p->object->object_with_args, false, &missing);
	const struct relation *other = catalog_find_procedure(b->catalog, p->newname);
	char text[DEPENDENT_TEXT_MAX];
	struct relation *r;
	uint32_t id;
	const char *told;

	if (from == NULL)
		return -1;
	if (other != NULL)
		return bind_fail(b, ERR_DUPLICATE_FUNCTION, -1,
			"%s already exists in schema \"public\"", relation_describe(other, text));
	if (bind_hold(b, from) != 0)
		return -1;
	r = alter_begin(b, from, 0, "ALTER PROCEDURE");
	if (r == NULL)
		return -1;
	id = catalog_next_id(b->catalog);
	r->name = bind_keep(b, p->newname);
	told = bind_keep(b, b->text);
	if (r->name == NULL || told == NULL || relation_note_alteration(r, id, told) != 0)
		return error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
	b->arena = &b->statement->arena;
	return 0;
}

/* --- CALL --- */

/* No procedure takes these arguments; a, by argument or NULL, as they were written. */
static int no_such_call(
	struct binder *b, const PgQuery__FuncCall *c, const char *name, struct expr *const *given)
{
	char types[ERROR_DETAIL_MAX] = "", one[64];
	size_t n = 0;

	for (size_t i = 0; i < c->n_args && n < sizeof(types); i++) {
		const PgQuery__Node *node = c->args[i];
		bool named = node->node_case == NODE(NAMED_ARG_EXPR);

		n += (size_t)snprintf(types + n, sizeof(types) - n, "%s%s%s%s", i > 0 ? ", " : "",
			named ? node->named_arg_expr->name : "", named ? " => " : "",
			type_name((struct type){ .id = given[i]->type.id }, one, sizeof(one)));
	}
	bind_fail(b, ERR_UNDEFINED_FUNCTION, c->location, "procedure %s(%s) does not exist", name,
		types);
	return error_hint(b->error,
		"No procedure matches the given name and argument types. You might "
		"need to add explicit type casts.");
}

/* Each as it is written, before it is known what it is for. */
static int given_arguments(struct binder *b, const PgQuery__FuncCall *c, struct expr **given)
{
	bool named = false;

	b->no_aggregates = "CALL arguments";
	for (size_t i = 0; i < c->n_args; i++) {
		const PgQuery__Node *node = c->args[i];

		if (node->node_case == NODE(NAMED_ARG_EXPR)) {
			named = true;
			for (size_t k = 0; k < i; k++)
				if (c->args[k]->node_case == NODE(NAMED_ARG_EXPR) &&
					strcmp(c->args[k]->named_arg_expr->name,
						node->named_arg_expr->name) == 0)
					return bind_fail(b, ERR_SYNTAX,
						node->named_arg_expr->location,
						"argument name \"%s\" used more than once",
						node->named_arg_expr->name);
			node = node->named_arg_expr->arg;
		} else if (named) {
			return bind_fail(b, ERR_SYNTAX, node_location(node),
				"positional argument cannot follow named argument");
		}
		if (node->node_case == NODE(SUB_LINK))
			return bind_fail(b, ERR_FEATURE, node_location(node),
				"cannot use subquery in CALL argument");
		given[i] = bind_expr(b, node);
		if (given[i] == NULL)
			return -1;
	}
	return 0;
}

/* The number of the argument that the i-th expression is for; nargs: of none. */
static unsigned argument_of(const struct procedure *p, const PgQuery__Node *node, size_t i)
{
	unsigned k = 0;

	if (node->node_case != NODE(NAMED_ARG_EXPR))
		return i < p->nargs ? (unsigned)i : p->nargs;
	while (k < p->nargs && strcmp(p->args[k].name, node->named_arg_expr->name) != 0)
		k++;
	return k;
}

/* Those of CALL, by argument of the procedure. */
static int place_arguments(struct binder *b, const PgQuery__FuncCall *c, const struct relation *r,
	struct expr *const *given, struct expr **args)
{
	const struct procedure *p = r->procedure;

	for (size_t i = 0; i < c->n_args; i++) {
		unsigned k = argument_of(p, c->args[i], i);

		if (k == p->nargs || args[k] != NULL)
			return no_such_call(b, c, r->name, given);
		args[k] = coerce_argument(b, given[i], p->args[k].type);
		if (args[k] == NULL)
			return b->error->code != ERR_OK ? -1 : no_such_call(b, c, r->name, given);
	}
	for (unsigned k = 0; k < p->nargs; k++) {
		if (args[k] == NULL)
			args[k] = p->args[k].default_;
		if (args[k] == NULL)
			return no_such_call(b, c, r->name, given);
	}
	return 0;
}

/* Whether the arguments are the parameters, all of them as they are. */
static bool are_parameters(const struct binder *b, const struct procedure_call *call)
{
	for (unsigned i = 0; i < call->nargs; i++)
		if (call->args[i]->kind != EXPR_COLUMN || call->args[i]->column != i)
			return false;
	return b->nparams == call->nargs;
}

struct body_job {
	struct binder *b;
	const char *text;
	int status;
};

static void *body_thread(void *arg)
{
	struct body_job *job = arg;
	PgQuery__ParseResult *tree = sql_parse_again(job->text);

	if (tree == NULL) {
		job->status = error_set(job->b->error, ERR_OUT_OF_MEMORY, 0, NULL);
		return NULL;
	}
	job->status = bind_body(job->b, tree->stmts[0]->stmt->create_function_stmt->sql_body);
	pg_query__parse_result__free_unpacked(tree, NULL);
	return NULL;
}

/* The body as the binder's statement, with no places: they would be those of another text. */
static int call_body(struct binder *b, struct relation *r)
{
	struct body_job job = { .b = b, .text = r->definition, .status = -1 };
	enum type_id *params = b->params;
	unsigned nparams = b->nparams, cap = b->params_cap;

	if (enter_body(b, r) != 0)
		return -1;
	/* The arguments' scope is the name that it was made with. */
	for (const struct relation *first = r; first != NULL; first = first->former)
		b->argument_scope = first->name;
	b->body = r;
	b->no_places = true;
	(void)sql_run_deep(body_thread, &job, strlen(r->definition), b->error);
	b->no_places = false;
	b->body = NULL;
	b->arguments = NULL;
	b->params_fixed = false;
	b->params = params;
	b->nparams = nparams;
	b->params_cap = cap;
	return job.status;
}

static int call_layout(struct binder *b, struct procedure_call *call, const struct procedure *p)
{
	call->types = bind_alloc(b, p->nargs * sizeof(*call->types));
	if (call->types == NULL)
		return -1;
	for (unsigned i = 0; i < p->nargs; i++)
		call->types[i] = (struct type){ .id = (uint8_t)p->args[i].type };
	call->nargs = p->nargs;
	call->computed = !are_parameters(b, call);
	return row_layout_init(&call->layout, call->types, p->nargs, b->arena, b->error);
}

int bind_call_statement(struct binder *b, const PgQuery__CallStmt *p)
{
	const PgQuery__FuncCall *c = p->funccall;
	const char *name = routine_name(c->funcname, c->n_funcname);
	struct expr **given = bind_alloc(b, c->n_args * sizeof(*given));
	struct procedure_call *call = bind_alloc(b, sizeof(*call));
	struct relation *r;

	if (given == NULL || call == NULL || check_schema(b, c->funcname, c->n_funcname) != 0 ||
		given_arguments(b, c, given) != 0)
		return -1;
	r = catalog_find_procedure(b->catalog, name);
	if (c->agg_distinct || c->agg_star || c->agg_filter != NULL || c->over != NULL ||
		c->func_variadic) {
		bind_unsupported(b, c->location, "this form of CALL");
		return -1;
	}
	if (r == NULL)
		return no_such_call(b, c, name, given);
	call->procedure = r;
	call->args = bind_alloc(b, r->procedure->nargs * sizeof(*call->args));
	if (call->args == NULL || bind_hold(b, r) != 0 ||
		place_arguments(b, c, r, given, call->args) != 0 ||
		call_layout(b, call, r->procedure) != 0 || call_body(b, r) != 0)
		return -1;
	b->statement->block.call = call;
	return 0;
}
