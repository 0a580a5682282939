/*
 * parse.c: sql_prepare(): text → parser's tree → statement.
 *
 * PostgreSQL's parser, the unpacking of its tree and the binder all recurse as deep as the statement is
 * nested, so they run on a thread of their own with a large stack, one a call: preparing is rare and its
 * cost is the parser's. What is too deep even for that stack never gets there: the text is capped, and
 * the nesting that a text can have is bounded by its length (a level takes at least one byte, and less
 * stack than STACK_PER_BYTE).
 */
#include <pg_query.h>
#include <pthread.h>
#include <string.h>

#include "core/base/limits.h"
#include "core/base/utf8.h"
#include "core/sql/bind.h"
#include "core/sql/depth.h"

enum { STACK_MIN = MIB(16), STACK_PER_BYTE = 2048 };

struct job {
	struct binder b;
	size_t len;
	const enum type_id *declared;
	unsigned ndeclared;
	int status;
};

static int finish_params(struct binder *b)
{
	struct statement *s = b->statement;

	s->nparams = b->nparams;
	s->params = bind_alloc(b, b->nparams * sizeof(*s->params));
	if (s->params == NULL)
		return -1;
	for (unsigned i = 0; i < b->nparams; i++) {
		if (b->params[i] == TYPE_UNKNOWN)
			return error_set(b->error, ERR_INDETERMINATE_TYPE, 0,
				"could not determine data type of parameter $%u", i + 1);
		s->params[i] = (struct type){ .id = (uint8_t)b->params[i] };
	}
	return row_layout_init(&s->param_layout, s->params, b->nparams, &s->arena, b->error);
}

static int finish_results(struct binder *b)
{
	struct statement *s = b->statement;
	struct type *types = bind_alloc(b, s->nresults * sizeof(*types));

	if (types == NULL)
		return -1;
	for (unsigned i = 0; i < s->nresults; i++)
		types[i] = s->results[i].type;
	return row_layout_init(&s->result_layout, types, s->nresults, &s->arena, b->error);
}

static int bind_statement(struct binder *b, const PgQuery__Node *n)
{
	b->level = (struct scope){ 0 };
	b->aggregates = NULL;
	switch (n->node_case) {
	case NODE(SELECT_STMT): return bind_query(b, n->select_stmt);
	case NODE(INSERT_STMT): return bind_insert(b, n->insert_stmt);
	case NODE(UPDATE_STMT): return bind_update(b, n->update_stmt);
	case NODE(DELETE_STMT): return bind_delete(b, n->delete_stmt);
	case NODE(TRUNCATE_STMT): return bind_truncate(b, n->truncate_stmt);
	case NODE(CREATE_STMT): return bind_create_table(b, n->create_stmt);
	case NODE(CREATE_TABLE_AS_STMT): return bind_create_view(b, n->create_table_as_stmt);
	case NODE(INDEX_STMT): return bind_create_index(b, n->index_stmt);
	case NODE(ALTER_TABLE_STMT):
		return n->alter_table_stmt->objtype == PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW
			? bind_alter_view(b, n->alter_table_stmt)
			: bind_alter(b, n->alter_table_stmt);
	case NODE(RENAME_STMT):
		return n->rename_stmt->rename_type == PG_QUERY__OBJECT_TYPE__OBJECT_PROCEDURE ||
				n->rename_stmt->rename_type == PG_QUERY__OBJECT_TYPE__OBJECT_ROUTINE
			? bind_rename_procedure(b, n->rename_stmt)
			: bind_rename(b, n->rename_stmt);
	case NODE(DROP_STMT):
		return n->drop_stmt->remove_type == PG_QUERY__OBJECT_TYPE__OBJECT_PROCEDURE ||
				n->drop_stmt->remove_type == PG_QUERY__OBJECT_TYPE__OBJECT_ROUTINE
			? bind_drop_procedure(b, n->drop_stmt)
			: bind_drop(b, n->drop_stmt);
	case NODE(CREATE_FUNCTION_STMT): return bind_create_procedure(b, n->create_function_stmt);
	case NODE(CALL_STMT): return bind_call_statement(b, n->call_stmt);
	case NODE(REFRESH_MAT_VIEW_STMT): return bind_refresh(b, n->refresh_mat_view_stmt);
	case NODE(CHECK_POINT_STMT): b->statement->kind = STATEMENT_CHECKPOINT; return 0;
	case NODE(COMMENT_STMT): return bind_comment(b, n->comment_stmt);
	case NODE(EXPLAIN_STMT): return bind_explain(b, n->explain_stmt);
	case NODE(VIEW_STMT):
		bind_fail(b, ERR_FEATURE, 0, "CREATE VIEW is not supported");
		return error_hint(
			b->error, "Use CREATE MATERIALIZED VIEW: it is always up to date.");
	default: bind_unsupported(b, 0, "this statement"); return -1;
	}
}

static int bind_item_statement(struct binder *b, const struct block_item *item)
{
	switch (item->node->node_case) {
	case NODE(SELECT_STMT):
		b->level = (struct scope){ 0 };
		b->aggregates = NULL;
		return bind_guard(b, item->node->select_stmt, item->location);
	case NODE(INSERT_STMT):
	case NODE(UPDATE_STMT):
	case NODE(DELETE_STMT): return bind_statement(b, item->node);
	case NODE(CALL_STMT):
		bind_unsupported(b, item->location, "CALL in a command of several statements");
		return error_hint(b->error, "Write the statements of the procedure instead.");
	default:
		bind_fail(b, ERR_FEATURE, item->location,
			"a command of several statements may have INSERT, UPDATE, DELETE and SELECT only");
		return error_hint(b->error, "It is executed as a whole, or not at all.");
	}
}

static int check_item(struct binder *b, struct statement *item, int location)
{
	if (item->kind == STATEMENT_SELECT)
		return 0;
	if (item->nresults > 0) {
		bind_fail(b, ERR_FEATURE, location,
			"RETURNING is not supported in a command of several statements");
		return error_hint(b->error, "It answers how many rows it changed.");
	}
	if (statement_query(item) != NULL) {
		bind_fail(b, ERR_FEATURE, location,
			"a query is not supported in a command of several statements");
		return error_hint(b->error, "INSERT VALUES, and UPDATE and DELETE of one table.");
	}
	if (item->kind == STATEMENT_INSERT || item->change.partition != NULL)
		return 0;
	bind_fail(b, ERR_FEATURE, location,
		"each statement of a command of several must be for one aggregate: its WHERE must fix the partition column");
	return error_hint(b->error, "Its rows lie by the first column of the primary key.");
}

/* A block: each item is a statement whose arena is the block's. */
int bind_block(struct binder *b, const struct block_item *items, size_t n)
{
	struct statement *block = b->statement;

	if (n > LIMIT_STATEMENTS_PER_COMMAND)
		return error_set(b->error, ERR_PROGRAM_LIMIT, 0,
			"more than %d statements in one command", LIMIT_STATEMENTS_PER_COMMAND);
	block->kind = STATEMENT_BLOCK;
	block->block.items = bind_alloc(b, n * sizeof(struct statement *));
	if (block->block.items == NULL)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct statement *item = bind_alloc(b, sizeof(*item));
		int status;

		if (item == NULL)
			return -1;
		item->heap = b->heap;
		item->arena = block->arena;
		item->text = block->text;
		item->relations = block->relations;
		item->nrelations = block->nrelations;
		b->statement = item;
		b->arena = &item->arena;
		status = bind_item_statement(b, &items[i]);
		if (status == 0)
			status = check_item(b, item, items[i].location);
		b->statement = block;
		b->arena = &block->arena;
		block->arena = item->arena;
		arena_init(&item->arena, b->heap);
		block->relations = item->relations;
		block->nrelations = item->nrelations;
		item->relations = NULL;
		item->nrelations = 0;
		if (status != 0)
			return -1;
		block->block.items[block->block.n++] = item;
		if (block->relation == NULL)
			block->relation = item->relation;
	}
	return 0;
}

/* The statements of a text. */
static int bind_statements(struct binder *b, const PgQuery__ParseResult *tree)
{
	struct block_item *items = bind_alloc(b, tree->n_stmts * sizeof(*items));

	if (items == NULL)
		return -1;
	for (size_t i = 0; i < tree->n_stmts; i++)
		items[i] = (struct block_item){ tree->stmts[i]->stmt,
			tree->stmts[i]->stmt_location };
	return bind_block(b, items, tree->n_stmts);
}

/* Those of CALL have arguments instead. */
static void share_params(const struct statement *s, struct statement *inner)
{
	const struct procedure_call *call = s->kind == STATEMENT_BLOCK ? s->block.call : NULL;

	inner->nparams = call != NULL ? call->nargs : s->nparams;
	inner->params = call != NULL ? call->types : s->params;
	inner->param_layout = call != NULL ? call->layout : s->param_layout;
}

/* The i-th of the statements within another, whose parameters it shares: a block's, a command's query, or what EXPLAIN
 * ANALYZE runs. What is compiled is in its own arena. NULL: there are no more. */
static struct statement *statement_inner(const struct statement *s, unsigned i)
{
	if (s->kind == STATEMENT_BLOCK)
		return i < s->block.n ? s->block.items[i] : NULL;
	if (s->kind == STATEMENT_SELECT)
		return i == 0 ? s->query.analyzed : NULL;
	return i == 0 ? statement_query(s) : NULL;
}

static int bind_tree(struct job *job, const PgQuery__ParseResult *tree)
{
	struct binder *b = &job->b;
	struct statement *item;
	int status;

	if (tree->n_stmts == 0)
		return error_set(b->error, ERR_SYNTAX, 0, "the statement is empty");
	if (job->ndeclared > 0) {
		b->params = bind_alloc(b, job->ndeclared * sizeof(*b->params));
		if (b->params == NULL)
			return -1;
		memcpy(b->params, job->declared, job->ndeclared * sizeof(*b->params));
		b->nparams = b->params_cap = job->ndeclared;
	}
	status = tree->n_stmts == 1 ? bind_statement(b, tree->stmts[0]->stmt)
				    : bind_statements(b, tree);
	b->arena = &b->statement->arena;
	if (status == 0)
		status = finish_params(b);
	if (status == 0)
		status = finish_results(b);
	for (unsigned i = 0; status == 0 && (item = statement_inner(b->statement, i)) != NULL; i++)
		share_params(b->statement, item);
	return status;
}

static int syntax_error(struct job *job, const PgQueryError *err)
{
	bool deep = strstr(err->message, "stack depth") != NULL ||
		strstr(err->message, "memory exhausted") != NULL;

	return error_set(job->b.error, deep ? ERR_TOO_COMPLEX : ERR_SYNTAX, err->cursorpos, "%s",
		err->message);
}

static void *prepare_thread(void *arg)
{
	struct job *job = arg;
	const char *text = sql_parser_text(job->b.text, job->len, job->b.arena, &job->b.replaces);
	PgQueryProtobufParseResult parsed;
	PgQuery__ParseResult *tree;

	if (text == NULL) {
		job->status = error_set(job->b.error, ERR_OUT_OF_MEMORY, 0, NULL);
		return NULL;
	}
	parsed = pg_query_parse_protobuf(text);
	if (parsed.error != NULL) {
		job->status = syntax_error(job, parsed.error);
		pg_query_free_protobuf_parse_result(parsed);
		return NULL;
	}
	tree = pg_query__parse_result__unpack(
		NULL, parsed.parse_tree.len, (const uint8_t *)parsed.parse_tree.data);
	pg_query_free_protobuf_parse_result(parsed);
	if (tree == NULL) {
		job->status = error_set(
			job->b.error, ERR_TOO_COMPLEX, 0, "statement is too complex");
		return NULL;
	}
	job->status = bind_tree(job, tree);
	pg_query__parse_result__free_unpacked(tree, NULL);
	return NULL;
}

PgQuery__ParseResult *sql_parse_again(const char *text)
{
	PgQueryProtobufParseResult parsed = pg_query_parse_protobuf(text);
	PgQuery__ParseResult *tree = NULL;

	if (parsed.error == NULL)
		tree = pg_query__parse_result__unpack(
			NULL, parsed.parse_tree.len, (const uint8_t *)parsed.parse_tree.data);
	pg_query_free_protobuf_parse_result(parsed);
	return tree;
}

int sql_run_deep(void *(*fn)(void *), void *arg, size_t len, struct error *e)
{
	size_t stack = STACK_MIN + len * STACK_PER_BYTE;
	pthread_attr_t attr;
	pthread_t thread;
	int status;

	pthread_attr_init(&attr);
	status = pthread_attr_setstacksize(&attr, stack);
	if (status == 0)
		status = pthread_create(&thread, &attr, fn, arg);
	pthread_attr_destroy(&attr);
	if (status != 0)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, "no memory to parse the statement");
	pthread_join(thread, NULL);
	return 0;
}

int sql_prepare(struct statement **out, struct catalog *c, struct heap *h, const char *text,
	size_t len, const enum type_id *declared, unsigned ndeclared, struct error *e)
{
	struct statement *s;
	struct job job;

	error_clear(e);
	if (len > LIMIT_STATEMENT_BYTES)
		return error_set(e, ERR_TOO_COMPLEX, 0,
			"a statement of %zu bytes exceeds the limit of %d", len,
			LIMIT_STATEMENT_BYTES);
	if (!utf8_valid(text, len))
		return error_set(e, ERR_BYTE_SEQUENCE, 0, NULL);
	if (sql_too_deep(text, len))
		return error_set(e, ERR_TOO_COMPLEX, 0, "statement is nested too deeply");
	s = heap_zalloc(h, sizeof(*s));
	if (s == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	s->heap = h;
	arena_init(&s->arena, h);
	memset(&job, 0, sizeof(job));
	s->text = arena_strdup(&s->arena, text, len);
	job.b = (struct binder){ .catalog = c,
		.heap = h,
		.arena = &s->arena,
		.error = e,
		.text = s->text,
		.text_len = len,
		.statement = s };
	job.len = len;
	job.declared = declared;
	job.ndeclared = ndeclared;
	job.status = -1;
	if (s->text == NULL)
		error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	else
		(void)sql_run_deep(prepare_thread, &job, len, e);
	if (job.status != 0) {
		statement_free(s);
		return -1;
	}
	error_clear(e);
	*out = s;
	return 0;
}

static void relations_release(struct statement *s)
{
	for (unsigned i = 0; i < s->nrelations; i++)
		relation_release(s->relations[i]);
}

void statement_free(struct statement *s)
{
	struct statement *inner;
	struct heap *h;

	if (s == NULL)
		return;
	h = s->heap;
	for (unsigned i = 0; (inner = statement_inner(s, i)) != NULL; i++) {
		relations_release(inner);
		arena_free(&inner->arena);
	}
	relations_release(s);
	if (s->kind == STATEMENT_CREATE_TABLE || s->kind == STATEMENT_CREATE_VIEW ||
		s->kind == STATEMENT_CREATE_PROCEDURE)
		relation_release(s->create.created);
	if (s->kind == STATEMENT_CREATE_VIEW)
		relation_release(s->create.replaces);
	if (s->kind == STATEMENT_ALTER)
		relation_release(s->alter.to);
	statement_free(s->renewed);
	arena_free(&s->arena);
	heap_free(h, s, sizeof(*s));
}

const char *statement_tag(const struct statement *s)
{
	static const char *const TAGS[] = {
		[STATEMENT_INSERT] = "INSERT",
		[STATEMENT_UPDATE] = "UPDATE",
		[STATEMENT_DELETE] = "DELETE",
		[STATEMENT_TRUNCATE] = "TRUNCATE TABLE",
		[STATEMENT_BLOCK] = "COMMAND",
		[STATEMENT_SELECT] = "SELECT",
		[STATEMENT_CREATE_TABLE] = "CREATE TABLE",
		[STATEMENT_CREATE_VIEW] = "CREATE MATERIALIZED VIEW",
		[STATEMENT_CREATE_INDEX] = "CREATE INDEX",
		[STATEMENT_DROP] = "DROP",
		[STATEMENT_CREATE_PROCEDURE] = "CREATE PROCEDURE",
		[STATEMENT_DROP_PROCEDURE] = "DROP PROCEDURE",
		[STATEMENT_ALTER_SOURCE] = "ALTER TABLE",
		[STATEMENT_ALTER_VIEW] = "ALTER MATERIALIZED VIEW",
		[STATEMENT_REFRESH_VIEW] = "REFRESH MATERIALIZED VIEW",
		[STATEMENT_CHECKPOINT] = "CHECKPOINT",
		[STATEMENT_NOTHING] = "OK",
	};

	if (s->kind == STATEMENT_BLOCK && s->block.call != NULL)
		return "CALL";
	return s->kind == STATEMENT_ALTER ? s->alter.tag : TAGS[s->kind];
}
