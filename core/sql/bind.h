/*
 * bind.h: what the parts of the binder share; private to core/sql.
 *
 * A binder lives for one sql_prepare(), on a thread with a large stack (parse.c), since trees may be
 * deep. Functions return NULL or -1 with b->error set.
 */
#ifndef LF_SQL_BIND_H
#define LF_SQL_BIND_H

#include <pg_query/pg_query.pb-c.h>

#include "core/base/limits.h"
#include "core/sql/cast.h"
#include "core/sql/plan.h"

/* The case of a node of the parser's tree. */
#define NODE(name) PG_QUERY__NODE__NODE_##name

/* Source numbers behind those of FROM: EXPR_SYSTEM, these, EXPR_PARAMS. */
enum { BIND_SOURCES_MAX = EXPR_SYSTEM, SOURCE_WINDOW = 29, SOURCE_AGGREGATE = 30 };

/* A name that columns can be looked up in. */
struct scope_entry {
	struct relation *relation;
	const char *alias;
	uint8_t source;
};

/* A name that a column may be called by without its table's: a column of an entry, or what USING merged. */
struct name_entry {
	const char *name;
	struct expr *merged; /* to be copied; NULL: */
	uint8_t entry;
	uint16_t column;
};

/* A select of WITH. */
struct cte {
	struct cte *next; /* one that it sees */
	const char *name;
	const PgQuery__CommonTableExpr *node;
	bool recursive;
	bool used;
	struct cte *binding; /* while it is bound: that which is bound around it */
};

/* What names mean in one select. */
struct scope {
	struct scope_entry entries[BIND_SOURCES_MAX];
	unsigned n, first; /* those before the first cannot be seen: in ON */
	struct name_entry *names;
	unsigned nnames, names_cap, first_name;
	struct scope *outer;    /* of the select around it, when its columns may be used; or NULL */
	struct cte *ctes;       /* the last one first … */
	struct cte *outer_ctes; /* … to this one, which is another select's */
	struct select *select;  /* whose level it is; NULL: of a command */
	bool no_subqueries;     /* in ON */
	bool allows_windows;    /* what is selected, and ORDER BY */
	size_t nwindows;
	PgQuery__Node *const *windows; /* of WINDOW */
};

struct window_order {
	unsigned n;
	const struct order *order;
};

struct node_list {
	unsigned n;
	const PgQuery__Node **at;
};

struct binder {
	struct catalog *catalog;
	struct heap *heap;
	struct arena *arena; /* where the tree goes */
	struct error *error;
	const char *text;
	struct statement *statement;

	enum type_id *params; /* by number - 1; TYPE_UNKNOWN: not known yet */
	unsigned nparams, params_cap;

	struct scope level;
	unsigned query_depth;
	/* Of the select bound next: its GROUP BY, one of several sets, and all that these have. */
	const struct node_list *set, *all_sets;
	/* … and what that set has become. */
	unsigned nset_group;
	struct expr **set_group;
	bool unsettled; /* the outputs bound next may stay of unknown type */
	const char *
		command; /* … may have neither aggregates nor windows: those of an UPDATE; NULL: none */
	unsigned nouter;    /* EXPR_OUTER made so far */
	int outer_location; /* of the last one */
	struct cte *binding;
	/* What LATERAL may look at in the next FROM item, and where its conditions go; NULL: the item's own list. */
	const struct from_list *lateral;
	struct from_item *lateral_on;
	struct select *aggregates; /* where aggregate calls go; NULL: not allowed here */
	const char *no_aggregates; /* the clause's name for the message */
	bool in_aggregate;
	/* Of the aggregate bound next, when it has a window: where its call goes, and what it is ordered by; else NULL. */
	struct select *window_aggregates;
	const struct window_order *window_order;
	/* In the body of a procedure: its arguments and what stands before them as a name; NULL: it is none. */
	const struct procedure *arguments;
	const char *argument_scope;
	const struct relation
		*body;      /* of CALL: whose names tables and columns have; NULL: those of now */
	struct used *used;  /* of CREATE: what it uses; NULL: that is not asked for */
	int epoch_location; /* where lf_epoch was last read */
	bool params_fixed;  /* there are no other parameters */
	bool no_places;     /* what is bound stands in another text */
	bool in_view;       /* now() and parameters are refused */
	bool in_default;    /* columns are refused */
	bool replaces;      /* the statement is CREATE OR REPLACE MATERIALIZED VIEW */
	bool numbered;      /* the name that was chosen last has a number, see struct index_def */
	unsigned depth, nodes;
	size_t text_len, place, place_chars; /* the last place asked for, in bytes and characters */
};

/* 1-based character position of a byte offset of the parser; 0 for none. */
int bind_position(struct binder *b, int location);
/* Set the error at a parser's location; -1. */
int bind_fail(struct binder *b, enum error_code code, int location, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
#ifdef __clang_analyzer__
#define bind_fail(...) error_returns((bind_fail)(__VA_ARGS__))
#endif
/* 0A000 "… is not supported"; NULL for returning. */
void *bind_unsupported(struct binder *b, int location, const char *what);
void *bind_alloc(struct binder *b, size_t size);
struct expr *expr_new(struct binder *b, enum expr_kind kind, enum type_id type, int location);
/* Give e room for n arguments; NULL when e is NULL. */
struct expr *expr_args(struct binder *b, struct expr *e, unsigned n);

/* --- bind_expr.c --- */
struct expr *bind_expr(struct binder *b, const PgQuery__Node *n);
/* … and coerce the result to boolean; clause: "WHERE", … */
struct expr *bind_condition(struct binder *b, const PgQuery__Node *n, const char *clause);
struct expr *bind_column(
	struct binder *b, uint8_t source, const struct relation *r, unsigned col, int location);
/* A node's place in the text, -1: none. */
int node_location(const PgQuery__Node *n);
/* A name of a one-word list such as a column list's item. */
const char *node_string(const PgQuery__Node *n);

/* Two nodes with an operator between them; rows are compared. */
struct expr *bind_infix(struct binder *b, const char *op, const PgQuery__Node *left,
	const PgQuery__Node *right, int location);
/* l IS [NOT] DISTINCT FROM r */
struct expr *bind_distinct(
	struct binder *b, struct expr *l, struct expr *r, bool negated, int location);
/* l AND r, or l OR r; NULL when either is. */
struct expr *bind_both(
	struct binder *b, enum expr_kind kind, struct expr *l, struct expr *r, int location);
/* Bring expressions to their common type; its modifier is kept in *t when all have the same. 0, or -1: 42804, 42846. */
int bind_unify(struct binder *b, struct expr **e, unsigned n, const char *context, struct type *t);
/* Whether all have a type in common. */
bool bind_unifiable(struct expr *const *e, unsigned n);

/* --- bind_row.c --- */
/* (a, b) op (c, d); the operator is one of the comparisons, else 0A000. */
struct expr *bind_rows(struct binder *b, const char *op, const PgQuery__RowExpr *left,
	const PgQuery__RowExpr *right, int location);
/* … or IS [NOT] DISTINCT FROM. */
struct expr *bind_row_operator(struct binder *b, const PgQuery__AExpr *x, const char *op);
/* (a, b) IS [NOT] NULL */
struct expr *bind_row_null(struct binder *b, const PgQuery__NullTest *t);
/* json #> '{a,b}' and #>>, of a path that is written out. */
struct expr *bind_json_path(
	struct binder *b, const char *op, struct expr *json, const struct expr *path, int location);
/* x op ANY (array), x op ALL (array), of an array that is written out. */
struct expr *bind_any(struct binder *b, const PgQuery__AExpr *x);

/* --- bind_coerce.c --- */
/* To a type, by the rules of a kind of cast. NULL: no such cast (no error set) when `quiet`. */
struct expr *bind_coerce(struct binder *b, struct expr *e, struct type t, enum cast_kind kind);
/* For INSERT and UPDATE: 42804 with the column's name. */
struct expr *bind_assign(struct binder *b, struct expr *e, const struct column *c);
/* The value of a constant expression, in the arena. NULL: it fails. */
const struct value *bind_constant(struct binder *b, const struct expr *e);
/* What is still unknown becomes text. */
struct expr *bind_settle(struct binder *b, struct expr *e);
int bind_type(struct binder *b, const PgQuery__TypeName *t, struct type *out);
/* Where an expression begins in the text, 1-based: the leftmost of its parts. */
int32_t expr_location(const struct expr *e);
/* Whether values of its type can be told apart (GROUP BY, DISTINCT), and sorted. 0, or -1: 42883; 0A000. */
int bind_check_equality(struct binder *b, const struct expr *e);
int bind_check_order(struct binder *b, const struct expr *e);
/* To boolean; 42804 with the clause's name. NULL stays NULL. */
struct expr *coerce_bool(struct binder *b, struct expr *e, const char *clause);

/* --- bind_call.c --- */
struct expr *bind_operator(
	struct binder *b, const char *op, struct expr *left, struct expr *right, int location);
struct expr *bind_call(struct binder *b, const PgQuery__FuncCall *c);
/* An expression of type char(n) has no trailing blanks in its bytes; give it them and the type plain
 * bpchar, whose bytes are the value. Others stay as they are. */
struct expr *bind_pad(struct binder *b, struct expr *e);
/* The command's time as the type. */
struct expr *bind_now(struct binder *b, enum type_id type, int location);

/* --- bind_array.c --- */
#define BIND_ARRAY_HINT \
	"Arrays are made by array_agg(), as results; as text (::text) they can be compared."
bool bind_has_array(struct expr *const *args, unsigned n);
/* A call of a function with an array: 0A000 of most. */
struct expr *bind_array_call(
	struct binder *b, const char *name, struct expr *const *args, unsigned n, int location);
/* An element as it is printed within an array. */
struct expr *bind_array_element(struct binder *b, struct expr *e);
/* array[i] */
struct expr *bind_subscript(struct binder *b, const PgQuery__AIndirection *n);

/* --- bind_json.c --- */
/* A value as it stands in a json, or a jsonb; a pair of an object. */
struct expr *bind_json_element(struct binder *b, struct expr *x, bool binary);
struct expr *bind_json_pair(struct binder *b, struct expr *key, struct expr *value, int location);
/* A call of to_json(), json_build_object() or the like; NULL in *out: it is of none of them. 0, or -1. */
int bind_json_call(struct binder *b, const char *name, struct expr *const *args, unsigned n,
	int location, struct expr **out);

/* --- bind_aggregate.c --- */
bool bind_is_aggregate(const char *name);
/* A call of an aggregate: a column of SOURCE_AGGREGATE. */
struct expr *bind_aggregate(struct binder *b, const PgQuery__FuncCall *c, const char *name);

/* --- bind_command_query.c --- */
/* A statement within the present one, in the same arena, with relations of its own: those that it reads. It is the binder's
 * until bind_inner_end(). NULL: no memory. */
struct statement *bind_inner_begin(struct binder *b);
/* st: what was the binder's before. Whatever came of it, it has to free the inner one (statement_free()). */
void bind_inner_end(struct binder *b, struct statement *st);
/* The layout of its results. 0 or -1. */
int bind_inner_layout(struct binder *b, struct statement *q);

/* --- bind_storage.c --- */
/* WITH (…) of a view that is created. */
int bind_view_parameters(
	struct binder *b, struct relation *view, PgQuery__Node *const *list, size_t n);
int bind_table_parameters(
	struct binder *b, struct relation *table, PgQuery__Node *const *list, size_t n);
/* Whether all actions are SET (…) or RESET (…); then the table's are for bind_alter_source(). */
bool bind_sets_parameters(const PgQuery__AlterTableStmt *p);
int bind_alter_source(struct binder *b, struct relation *table, const PgQuery__AlterTableStmt *p);
int bind_alter_view(struct binder *b, const PgQuery__AlterTableStmt *p);
int bind_refresh(struct binder *b, const PgQuery__RefreshMatViewStmt *p);

/* --- bind_from.c --- */
/* Add a FROM item to a list, and its names to the level. */
int bind_from(struct binder *b, struct select *s, struct from_list *list, const PgQuery__Node *n);
int bind_with(struct binder *b, const PgQuery__WithClause *w);
/* What of the level's WITH was not read must be right as well. 0, or -1. */
int bind_with_rest(struct binder *b);
/* A select within another, with a level of its own; correlated: it sees the columns of the present one. */
struct select *bind_nested(struct binder *b, const PgQuery__SelectStmt *p, bool correlated);
/* A select as a relation. */
struct relation *bind_derived(struct binder *b, struct select *s, const char *name);
/* A new source; its number, or -1. Nothing is joined yet. */
int bind_source(
	struct binder *b, struct select *s, struct relation *r, const char *alias, int location);
int bind_item(struct binder *b, struct from_list *list, const struct from_item *item);
/* What a name of level l is. */
struct expr *bind_name(
	struct binder *b, const struct scope *l, const struct name_entry *n, int location);
/* A copy, to be changed apart. */
struct expr *bind_copy(struct binder *b, const struct expr *e);
/* WHERE split at AND; adds to an array in the arena. */
int bind_conjuncts(struct binder *b, struct expr *e, struct expr ***list, unsigned *n);
struct relation *bind_relation(struct binder *b, const PgQuery__RangeVar *v);
int bind_hold(struct binder *b, struct relation *r);

/* --- bind_unnest.c --- */
/* The outer columns that a select uses, as a relation. */
struct domain {
	unsigned n;
	struct expr *outer[LIMIT_OUTER_COLUMNS]; /* of the select around */
	struct select *select;
	struct relation *relation;
};

/* Make a select use its domain instead of outer columns. Its outputs have the domain's columns from number *at on. */
int bind_unnest(struct binder *b, struct select *s, struct domain *d, int *at);
/* Give a domain its rows: of a list of what is in a select's FROM; outer: its columns as they are there. */
int bind_domain_from(struct binder *b, struct domain *d, const struct select *s,
	const struct from_list *list, struct expr *const *outer);
/* l IS NOT DISTINCT FROM r, of one type. */
struct expr *bind_null_safe(struct binder *b, struct expr *l, struct expr *r);

/* --- bind_subquery.c --- */
struct expr *bind_sublink(struct binder *b, const PgQuery__SubLink *p);
/* EXISTS and the value of a subquery, by its select; before: EXPR_OUTER made before it was bound. */
struct expr *bind_exists_of(struct binder *b, struct select *s, unsigned before, int location);
struct expr *bind_value_of(struct binder *b, struct select *s, unsigned before, int location);
/* NOT e, e IS [NOT] NULL; NULL when e is. */
struct expr *bind_negated(struct binder *b, struct expr *e, int location);
struct expr *bind_is_null(struct binder *b, struct expr *e, bool negate);
/* A constant; below 0: NULL. */
struct expr *bind_boolean(struct binder *b, int value);
/* Whether an aggregate is 0 over nothing. */
bool bind_counts(const struct aggregate *a);
/* coalesce(count, 0) */
struct expr *bind_count_or_zero(struct binder *b, struct expr *count);
/* A FROM list of one source. */
struct from_list *bind_list_of(struct binder *b, unsigned source);
/* A source that has one row of nothing, to have something to join to. */
int bind_one_row(struct binder *b, struct select *s);
/* Join what the subqueries in a select's expressions need: in WHERE and below the group (or all, when there is none);
 * else above it. The select to go on with, or NULL. */
struct select *bind_subqueries(struct binder *b, struct select *s, bool below);

/* --- bind_row_subquery.c --- */
/* (a, b) IN (SELECT …), or with `in` false NULL and 0A000; NOT of it for <> ALL. */
struct expr *bind_row_in(struct binder *b, const PgQuery__SubLink *p, bool in);
/* Whether an expression is one such, whose first argument then says whether it is true. */
bool bind_row_in_is(const struct expr *e);
/* (a, b) op (SELECT …), op = or <> */
struct expr *bind_row_value(struct binder *b, const PgQuery__RowExpr *row, const char *op,
	const PgQuery__SubLink *p, int location);

/* --- bind_grouping.c --- */
bool bind_has_sets(const PgQuery__SelectStmt *p);
/* The select once for each grouping set. */
int bind_sets(
	struct binder *b, const PgQuery__SelectStmt *p, struct select ***branches, unsigned *n);

/* --- bind_window.c --- */
bool bind_is_window_function(const char *name);
/* A call with OVER. */
struct expr *bind_window(struct binder *b, const PgQuery__FuncCall *c, const char *name);
/* The level's WINDOW clause, also what nobody uses of it: each name once, and made from one before it. */
int bind_windows_check(struct binder *b);
/* Calls fn for each expression of a select's calls; stops when it returns non-zero. */
int bind_calls_each(struct select *s, int (*fn)(struct expr **e, void *arg), void *arg);
/* The select over those that compute a select's calls. */
struct select *bind_windows(struct binder *b, struct select *s);
/* With its LIMIT and OFFSET, in a view; ties: with the peers of the last row. */
struct select *bind_top(struct binder *b, struct select *s, bool ties);
/* The first row of each that has the same values of the list, all outputs; ORDER BY and LIMIT are still to be applied. */
struct select *bind_distinct_on(
	struct binder *b, struct select *s, struct expr *const *list, unsigned n);
/* The number of an expression among a select's outputs; it becomes one. -1. */
int bind_output_number(struct binder *b, struct select *s, struct expr *e);
/* A select's rows with a number among those that are equal, as the last column. */
struct select *bind_numbered(struct binder *b, struct select *s);
/* Direction and place of NULLs. */
int bind_sort(struct binder *b, const PgQuery__SortBy *by, struct order *o);

/* --- bind_frame.c --- */
/* What a RANGE with offsets compares: the key, where the frame begins and where it ends; NULL: the frame has no such end. */
enum { FRAME_KEY, FRAME_FROM, FRAME_TO, FRAME_COLUMNS };
struct frame_columns {
	struct expr *at[FRAME_COLUMNS];
};
/* The frame of a definition that has this ORDER BY. */
int bind_frame(struct binder *b, struct window_frame *f, struct frame_columns *range,
	const struct window_order *order, const PgQuery__WindowDef *d);

/* --- bind_group.c --- */
int bind_group_add(struct binder *b, struct select *s, struct expr *e);
/* GROUP BY and HAVING; set: of several grouping sets this one, with all that they have. */
int bind_group(struct binder *b, struct select *s, const PgQuery__SelectStmt *p,
	const struct node_list *set, const struct node_list *all);
/* Group by all outputs. s is not grouped. */
int bind_group_all(struct binder *b, struct select *s);
/* Rewrite what is above the group over its row. */
int bind_finish_group(struct binder *b, struct select *s);
/* The output of that name, if there is one; several must be the same expression. */
int bind_output_find(struct binder *b, const struct select *s, const PgQuery__ColumnRef *c,
	const char *clause, struct expr **found);
struct expr *bind_not_a_position(struct binder *b, const PgQuery__Node *n, const char *clause);
/* A constant. */
struct expr *bind_int_const(struct binder *b, int64_t n, enum type_id type);

/* --- bind_set.c --- */
struct select *bind_set_operation(struct binder *b, const PgQuery__SelectStmt *p);
struct select *bind_values(struct binder *b, const PgQuery__SelectStmt *p);
struct select *bind_union_all(struct binder *b, struct select **branches, unsigned n);
int bind_output_append(struct binder *b, struct select *s, struct expr *e);

/* --- bind_select.c --- */
struct select *bind_select_new(struct binder *b);
/* A select that gives the rows of another, as they are. */
struct select *bind_over(struct binder *b, struct select *inner);
/* ORDER BY and LIMIT go from one select to another; order: as that has it. */
void bind_move_order(struct select *to, struct select *from, struct order *order);
struct select *bind_select(struct binder *b, const PgQuery__SelectStmt *s);
int bind_outputs(struct binder *b, PgQuery__Node *const *targets, size_t n, struct output **out,
	unsigned *nout);
int bind_query(struct binder *b, const PgQuery__SelectStmt *s);
/* Make the binder's statement the query of a bound select (NULL: -1). */
int bind_query_of(struct binder *b, struct select *s);

/* --- bind_command.c, bind_table.c, bind_ddl.c --- */
int bind_insert(struct binder *b, const PgQuery__InsertStmt *s);
int bind_update(struct binder *b, const PgQuery__UpdateStmt *s);
int bind_delete(struct binder *b, const PgQuery__DeleteStmt *s);
int bind_truncate(struct binder *b, const PgQuery__TruncateStmt *s);
int bind_create_table(struct binder *b, const PgQuery__CreateStmt *s);
int bind_create_view(struct binder *b, const PgQuery__CreateTableAsStmt *s);
int bind_create_index(struct binder *b, const PgQuery__IndexStmt *s);
int bind_alter(struct binder *b, const PgQuery__AlterTableStmt *s);
int bind_rename(struct binder *b, const PgQuery__RenameStmt *s);
int bind_drop(struct binder *b, const PgQuery__DropStmt *s);
int bind_comment(struct binder *b, const PgQuery__CommentStmt *s);

/* The value of `column = e` as a key is looked up by, of the column's type; NULL: it cannot be. */
struct expr *bind_key_value(struct binder *b, struct expr *e, const struct column *c);

/* --- bind_command.c, for bind_command_query.c --- */
/* The column that INSERT or SET names; -1: there is none. */
int bind_target_column(struct binder *b, const struct relation *r, const PgQuery__ResTarget *t);
/* What a table is called in its command: its alias or name, in the arena. */
const char *bind_target_alias(struct binder *b, const PgQuery__RangeVar *v);
/* What a column has that is not given. */
struct expr *bind_default_of(struct binder *b, const struct column *c);
/* The column of the i-th assignment; set: those before it. -1: it may not be set. */
int bind_assigned_column(struct binder *b, const struct relation *r, const PgQuery__ResTarget *t,
	const struct assignment *set, size_t i);
/* SET (a, b) = (x, y) comes as one node a column that points into the whole row: its own. */
const PgQuery__Node *bind_assigned_value(const PgQuery__Node *n);

/* --- bind_command_query.c --- */
/* The values of an INSERT into these columns, from its query. */
int bind_insert_query(struct binder *b, const PgQuery__InsertStmt *p, const struct relation *r,
	const int *cols, unsigned ncols);
/* A command joined with other tables: the query that gives its rows, in the parser's terms. */
struct command_join {
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
/* The rows of an UPDATE or DELETE and its assignments, from it. */
int bind_joined(struct binder *b, const struct relation *r, const struct command_join *j);

/* --- bind_version.c --- */
/* lf_epoch, of the table that it is written with or NULL. NULL: there is nothing here that has it, or an error is set. */
struct expr *bind_epoch(struct binder *b, const char *table, int location);
int bind_epoch_refused(struct binder *b, int location);

/* --- bind_guard.c --- */
/* A SELECT in a command of several statements. */
int bind_guard(struct binder *b, const PgQuery__SelectStmt *p, int location);

/* --- bind_procedure.c --- */
int bind_create_procedure(struct binder *b, const PgQuery__CreateFunctionStmt *p);
int bind_drop_procedure(struct binder *b, const PgQuery__DropStmt *p);
int bind_rename_procedure(struct binder *b, const PgQuery__RenameStmt *p);
int bind_call_statement(struct binder *b, const PgQuery__CallStmt *p);
/* A relation with the names that it has in the body that is bound: itself, but in CALL. */
const struct relation *bind_names(const struct binder *b, const struct relation *r);
/* relation_column() by these names. */
int bind_column_number(const struct binder *b, const struct relation *r, const char *name);
/* Columns of that name: of what a select gives it may be several. */
unsigned bind_column_count(const struct binder *b, const struct relation *r, const char *name);
/* The table that the body of CALL means; NULL: none. */
struct relation *bind_body_relation(struct binder *b, const PgQuery__RangeVar *v);
/* An argument by its name, behind that of its procedure or NULL. NULL: there is none, or an error is set. */
struct expr *bind_body_argument(
	struct binder *b, const char *procedure, const char *name, int location);
/* A column is used by the body that is created. 0, or -1. */
int bind_note_column(struct binder *b, const struct relation *r, unsigned col);
/* A procedure that uses the column; NULL: none. */
const struct relation *bind_column_user(const struct relation *r, unsigned col);

/* --- bind_explain.c --- */
int bind_explain(struct binder *b, const PgQuery__ExplainStmt *p);

/* --- parse.c --- */
struct block_item {
	const PgQuery__Node *node;
	int location;
};
/* Make the binder's statement a command of several. */
int bind_block(struct binder *b, const struct block_item *items, size_t n);
/* Run fn(arg) on a thread whose stack is large enough for whatever a text of `len` bytes may be, and wait for it. 0, or
 * -1: 53200. */
int sql_run_deep(void *(*fn)(void *), void *arg, size_t len, struct error *e);
/* The tree of a text that has been parsed before, by such a thread; NULL: no memory. pg_query__parse_result__free_unpacked(). */
PgQuery__ParseResult *sql_parse_again(const char *text);

/* --- bind_alter.c, for bind_rename.c too --- */
/* Whether IF EXISTS was said of what is not there: then there is nothing to do. */
bool bind_is_missing(struct binder *b, const char *name, bool missing_ok);
/* The statement makes another relation of one: from here on the binder's tree goes into its arena. NULL with the error set. */
struct relation *alter_begin(
	struct binder *b, struct relation *from, unsigned more, const char *tag);

/* --- rename_text.c --- */
/* The text of CREATE MATERIALIZED VIEW with another name for a relation that it reads, or for itself; in the arena. NULL:
 * 0A000 when it cannot be, 53200. */
const char *rename_in_text(
	struct binder *b, const struct relation *view, const char *old, const char *name);

/* --- bind_table.c, for ALTER TABLE too --- */
/* A column behind the others of a table that has room for it, with its CHECK constraints. */
int bind_added_column(struct binder *b, struct relation *r, const PgQuery__ColumnDef *d);

/* --- bind_replace.c --- */
/* What the parser is to be given of a statement: itself, or if it is CREATE OR REPLACE MATERIALIZED VIEW, which *replaces says,
 * a copy in the arena without OR REPLACE and with all else in its place. NULL: out of memory. */
const char *sql_parser_text(const char *text, size_t len, struct arena *a, bool *replaces);
/* The view to be replaced, held in the statement; none if there is none of that name yet. 0 or -1. */
int bind_replaced(struct binder *b, const PgQuery__CreateTableAsStmt *p);
/* The new view, whose columns and reads are known, gets the indexes of the one that it replaces. 0 or -1. */
int bind_replacement(struct binder *b, struct relation *r, const PgQuery__RangeVar *v);

/* --- bind_ddl.c, for CREATE TABLE too --- */
/* A notice for the client, "SQLSTATE: text"; fmt has two %s. The first one is kept. */
void bind_notice(
	struct binder *b, const char *state, const char *fmt, const char *a, const char *c);
/* Whether something can be made there: in the schema that there is, to stay. 0 or -1. */
int bind_check_place(struct binder *b, const PgQuery__RangeVar *v);
/* 0 go on; 1 it exists and IF NOT EXISTS was said; -1. */
int bind_check_new(struct binder *b, const PgQuery__RangeVar *v, bool if_not_exists);
/* A copy in the arena. */
const char *bind_keep(struct binder *b, const char *text);
struct index_def *index_build(
	struct binder *b, struct relation *r, const char *name, const uint16_t *cols, unsigned n);
/* Whether the columns can be a key. 0, or -1 with 42704, 0A000. */
int bind_check_key(struct binder *b, const struct relation *r, const uint16_t *cols, unsigned n);
int relation_layout(struct binder *b, struct relation *r);
/* A relation under construction: from here on the binder's tree goes into its arena. */
struct relation *relation_begin(struct binder *b, enum relation_kind kind, const char *name);

/* --- bind_access.c: finding keys in WHERE --- */
/* Choose how a query of r alone finds its rows; the conjuncts that this answers go behind the others. */
int bind_access(struct binder *b, const struct relation *r, struct select *s, struct access *a);
/* For each conjunct `column = expression without columns` of source 0: eq[col] is that expression, cast to
 * the column's type; used[i] is set on the conjunct when `take` columns are all found. */
int bind_equalities(
	const struct relation *r, struct expr **conjuncts, unsigned n, struct expr **eq, int *from);

#endif
