/*
 * plan.h: statements after parsing and binding.
 *
 * sql_prepare() takes text to a `struct statement`, an immutable plan owned by its arena which any
 * number of threads may execute. Nothing here knows how rows are stored or where they live, beyond
 * which column decides the shard.
 */
#ifndef LF_SQL_PLAN_H
#define LF_SQL_PLAN_H

#include "core/sql/catalog.h"
#include "core/sql/expr.h"
#include "core/sql/regression.h"

enum aggregate_kind {
	AGG_COUNT_STAR,
	AGG_COUNT,
	AGG_SUM,
	AGG_AVG,
	AGG_MIN,
	AGG_MAX,
	AGG_BOOL_AND,
	AGG_BOOL_OR,
	AGG_BIT_AND,
	AGG_BIT_OR,
	AGG_BIT_XOR,
	AGG_VAR_POP,
	AGG_VAR_SAMP,
	AGG_STDDEV_POP,
	AGG_STDDEV_SAMP,
	AGG_STRING,      /* of tuples in order (tuple.h) */
	AGG_ARRAY,       /* the same; a tuple's value is how an element is printed */
	AGG_JSON,        /* … in a json or jsonb */
	AGG_JSON_OBJECT, /* … with its key */
	AGG_PERCENTILE_CONT,
	AGG_PERCENTILE_DISC,
	AGG_MODE,
	AGG_REGRESSION, /* of pairs (regression.h) */
	AGG_DISTINCT    /* `of` over each value once */
};

struct aggregate {
	enum aggregate_kind kind, of;
	bool once;       /* of tuples those that are equal once, or those whose keys are */
	bool descending; /* WITHIN GROUP (ORDER BY … DESC) */
	double fraction; /* of a percentile; NaN: NULL */
	enum regression_kind statistic;
	struct type type;    /* of the result */
	struct expr *arg;    /* over the sources; NULL for count(*) */
	struct expr *filter; /* over the sources; NULL: none */
};

struct output {
	const char *name;
	struct type type;
	struct expr *expr;
};

struct order {
	struct expr *expr; /* same sources as the outputs */
	bool descending;
	bool nulls_first;
};

/* What stands in FROM: items that are joined by their conjuncts (a WHERE or ON split at AND, each a boolean
 * expression), where an item is a source or an outer join of two such lists. */
struct subquery;
struct window_call;
struct from_list {
	unsigned n;
	struct from_item *items;
	unsigned nconjuncts;
	struct expr **conjuncts;
};

enum from_kind { FROM_SOURCE, FROM_LEFT, FROM_FULL };

struct from_item {
	enum from_kind kind;
	uint8_t source;          /* FROM_SOURCE */
	struct from_list *left;  /* the others: every row of the left side is kept … */
	struct from_list *right; /* … and with FROM_FULL every one of the right side */
	unsigned nconjuncts;     /* ON */
	struct expr **conjuncts;
};

/* Functions over the rows of a partition in their order. */
enum window_kind {
	WINDOW_ROW_NUMBER,
	WINDOW_RANK,
	WINDOW_DENSE_RANK,
	WINDOW_PERCENT_RANK,
	WINDOW_CUME_DIST,
	WINDOW_NTILE,
	WINDOW_LAG,
	WINDOW_LEAD,
	WINDOW_FIRST_VALUE,
	WINDOW_LAST_VALUE,
	WINDOW_NTH_VALUE,
	WINDOW_AGGREGATE
};

enum { WINDOW_ARGS = 3 };

/* The rows that a function is over, from the current one; then what EXCLUDE says is left out. */
enum frame_mode { FRAME_RANGE, FRAME_ROWS, FRAME_GROUPS };
enum frame_exclude { EXCLUDE_NOTHING, EXCLUDE_ROW, EXCLUDE_GROUP, EXCLUDE_TIES };
struct window_frame {
	enum frame_mode mode;
	enum frame_exclude exclude;
	bool from_first, to_last; /* unbounded; else: */
	int64_t from, to;         /* rows, or groups of peers, behind the current one */
	/* RANGE: columns of the source, where it begins and ends by the key of the order, which is a column too, of the
	 * same type. -1: with the peers of the current row. */
	int key, from_bound, to_bound;
};

/* Columns of the source. -1: none. */
struct window_function {
	enum window_kind kind;
	struct type type;
	int args[WINDOW_ARGS];
	struct aggregate aggregate; /* WINDOW_AGGREGATE, of args[0] */
	int filter;
	struct window_frame frame;
};

struct window_key {
	uint16_t column;
	bool descending, nulls_first;
};

struct window {
	unsigned npartition;
	uint16_t *partition;
	unsigned norder;
	struct window_key *order;
	/* Of each partition the rows behind the first `offset`, as many as `limit` … */
	bool top;
	bool ties;             /* … and those that are peers of the last one */
	int64_t offset, limit; /* limit -1: all */
	/* … or all rows, each with the results of functions behind its columns. */
	unsigned nfunctions;
	struct window_function *functions;
};

/* A bound SELECT: FROM, optional grouping, outputs. Sources are numbered 0… in FROM order; group keys, aggregate
 * arguments, filters and conjuncts read them. A source is a table, a view or, RELATION_DERIVED, another select, whose
 * outputs are its columns. When `grouped`, outputs, having and order read source 0 only, and that is the group row:
 * columns 0…ngroup-1 the group keys, then the aggregates.
 *
 * With branches it is their UNION ALL, and all of the above is empty but the outputs, which are the first branch's. With a
 * window it gives the rows of its only source in that window, and the outputs say only what their columns are. */
struct select {
	unsigned nsources;
	struct relation **sources;
	const char **aliases;
	struct from_list from;
	unsigned nconjuncts; /* of a query or command, which joins nothing: the same as from's */
	struct expr **conjuncts;
	unsigned nbranches;
	struct select **branches;
	struct window *window; /* NULL: none */
	unsigned nabsent;      /* while it is bound: what only other grouping sets have */
	struct expr **absent;
	unsigned ncalls; /* … bind_window.c */
	struct window_call **calls;
	unsigned nsubqueries; /* while it is bound: bind_subquery.c */
	struct subquery **subqueries;
	bool grouped;    /* GROUP BY or any aggregate */
	unsigned ngroup; /* 0 with grouped: always exactly one row (before HAVING) */
	struct expr **group;
	unsigned naggregates;
	struct aggregate *aggregates;
	struct expr *having; /* NULL: none */
	unsigned noutputs;
	struct output *outputs;
	unsigned nvisible; /* of a query, while it is bound: outputs that are given; 0: all */
	/* Queries only; views have none of these. */
	unsigned norder;
	struct order *order;
	struct expr *limit, *offset; /* bigint over parameters; NULL: none */
};

enum statement_kind {
	STATEMENT_INSERT,
	STATEMENT_UPDATE,
	STATEMENT_DELETE,
	STATEMENT_TRUNCATE,
	STATEMENT_BLOCK, /* several of INSERT/UPDATE/DELETE/SELECT, one aggregate, atomic; or CALL */
	STATEMENT_SELECT,
	STATEMENT_CREATE_TABLE,
	STATEMENT_CREATE_VIEW,
	STATEMENT_CREATE_INDEX,
	STATEMENT_ALTER, /* a table's columns; names */
	STATEMENT_DROP,  /* tables, views or indexes */
	STATEMENT_CREATE_PROCEDURE,
	STATEMENT_DROP_PROCEDURE,
	STATEMENT_ALTER_VIEW,
	STATEMENT_ALTER_SOURCE, /* of a table */
	STATEMENT_REFRESH_VIEW,
	STATEMENT_CHECKPOINT,
	STATEMENT_NOTHING /* COMMENT ON, and IF [NOT] EXISTS that had nothing to do */
};

struct assignment {
	uint16_t column;
	struct expr *expr; /* cast to the column's type already */
};

/* ON CONFLICT: sources of `set`, `where`: 0 the existing row, 1 the row proposed (excluded). */
enum conflict_action { CONFLICT_ERROR, CONFLICT_NOTHING, CONFLICT_UPDATE };

struct insert {
	unsigned nrows;
	struct expr **values; /* nrows × relation->ncols, over parameters; defaults filled in;
	                           * the hidden row id is a NULL constant */
	struct statement
		*query; /* a SELECT that shares the parameters, in the arena; NULL: VALUES. Then
	                           * nrows is 1 and values read source 0, a row that it gives */
	enum conflict_action action;
	struct index_def *arbiter; /* NULL: any (DO NOTHING without a target) */
	unsigned nset;
	struct assignment *set;
	struct expr *where;
};

/* UPDATE and DELETE: source 0 is the row as it is. */
struct change {
	struct statement *
		query; /* UPDATE … FROM, DELETE … USING: as of an INSERT. It gives all columns of the row,
	                           * by which it is found and which must not have changed, then the values,
	                           * which `set` reads as source 1. The others are NULL. NULL: none */
	struct expr **key; /* relation->nkey expressions over parameters: one row at most, by
	                           * key; NULL: scan */
	struct expr
		*partition; /* over parameters: WHERE fixes the partition column (also when `key` is
	                           * set); NULL: every shard */
	struct expr *where; /* what remains to be tested (the guard); NULL: none */
	unsigned nset;      /* UPDATE only; never a column of the key */
	struct assignment *set;
};

enum access_kind { ACCESS_SCAN, ACCESS_KEYS, ACCESS_INDEX, ACCESS_RANGE };

/* One end of a range: of the values of a column or, as rows, of several. */
struct bound {
	unsigned n; /* columns; 0: none */
	bool inclusive;
};

struct access {
	enum access_kind kind;
	uint32_t index_id;    /* ACCESS_KEYS: of the index that is the relation's key */
	const uint16_t *cols; /* width: of the key or index; ACCESS_RANGE: those that have keys */
	unsigned nanswered;   /* conjuncts it answers: they are behind select->nconjuncts */
	unsigned nkeys;       /* tuples looked up: k = $1 gives 1, k IN (…) one each */
	unsigned width;       /* columns a tuple: nkey, or index->ncols */
	struct expr **keys;   /* nkeys × width, over parameters, of the columns' types */
	/* ACCESS_RANGE: the rows of an ordered index whose first nequal columns are equal to the first keys, the next ones
	 * within the bounds, whose values are the keys behind (low.n, high.n); one tuple, whose width is their number. */
	unsigned nequal;
	struct bound low, high;
	const uint8_t *sort; /* of all of the index's columns, as struct index_def has it */
	bool ordered;        /* they come as ORDER BY asks, when read in this direction */
	bool backward;
};

/* CALL: the statements of a block are the procedure's, and their parameters its arguments. */
struct procedure_call {
	struct relation *procedure; /* held by the statement */
	unsigned nargs;
	struct type *types;
	struct row_layout layout;
	struct expr **args;     /* over the parameters of CALL, of these types */
	bool computed;          /* else the arguments are the parameters */
	struct projection *row; /* the arguments of parameters, once compiled */
};

struct statement {
	enum statement_kind kind;
	struct arena arena;
	struct heap *heap;
	const char *text;
	uint64_t serial; /* unlike any other's of the engine; 0: not prepared by one */
	bool unlogged;   /* its changes are no events: all its tables are the engine's own */
	unsigned nparams;
	struct type *params;
	struct row_layout param_layout;
	unsigned nresults;      /* result columns: SELECT, RETURNING */
	struct output *results; /* RETURNING: over source 0, the row after (DELETE: before) */
	struct row_layout result_layout;
	char *notice; /* NULL, or a NOTICE for the client ("sqlstate: text" without newline) */

	/* Of EXPR_SYSTEM: one bigint, lf_epoch, the epoch of the version that the row of source 0 is. NULL: it is not used. */
	struct row_layout *system;
	void *compiled; /* programs made by command_compile() or query_compile(); in the arena */
	struct statement *
		renewed; /* the same, prepared again since a table it uses was altered; atomic, owned */
	struct relation *relation; /* target of a command; the single source of a query */
	unsigned nrelations;       /* everything it uses, held by reference */
	struct relation **relations;
	union {
		struct insert insert;
		struct change change;
		struct {
			unsigned n;
			struct relation **tables;
		} truncate;
		struct {
			unsigned n;
			struct statement **items;
			struct procedure_call *call; /* NULL: it is the statements themselves */
		} block;                             /* share params with the block */
		struct {
			struct select *select;
			struct access access;
			/* EXPLAIN: the answer, one row each; nothing is read, but with ANALYZE the query, which shares the
			 * parameters and is in the arena. */
			unsigned nlines;
			const char **lines;
			struct statement *analyzed;
			/* Of one in a block, over parameters: the aggregate whose rows it reads; NULL: it reads none. */
			struct expr *partition;
			struct program *route; /* the same, compiled */
		} query;
		struct {
			struct relation *created;
			struct relation *
				replaces; /* OR REPLACE: whose place it takes, a view's held. NULL: none */
			bool if_not_exists;
		} create;
		struct {
			struct index_def *created;
		} create_index;
		/* `to` takes the place of `relation`. When it has new columns, its rows are made by to->carry; and checks from
		 * `first_check` on, NULL bits that a row may not have, are to be looked at. */
		struct {
			struct relation *to;
			uint16_t first_added;
			uint16_t first_check;
			const char **
				shown; /* by dependent, its `shown` from now on; NULL: as they are */
			struct index_def *index; /* to be renamed; NULL: none */
			const char *index_name;
			unsigned
				nalterations; /* … and what it has then; constraints have their table's */
			const struct alteration *alterations;
			const char *tag;
		} alter;
		struct {
			unsigned n;
			struct relation **relations;
			struct index_def **indexes;
			const char *
				building; /* one of the names is of what is being made; NULL: none */
		} drop;
		struct {
			struct relation *view;
			bool given;            /* else there is nothing to alter */
			uint32_t id;           /* of the change */
			uint64_t memory_limit; /* 0: none */
		} alter_view;
		struct {
			struct relation *table;
			bool given;         /* else there is nothing to alter */
			uint32_t id;        /* of the change */
			const char *source; /* NULL: none */
		} alter_source;
		struct {
			struct relation *view;
		} refresh;
	};
};

/* Parse and bind one statement (or a block of commands separated by semicolons). declared: types of
 * the parameters given by the client (TYPE_UNKNOWN: infer), may be NULL with ndeclared 0. Statements
 * hold references on relations. Thread-safe as long as the catalog does not change meanwhile.
 * Errors carry SQLSTATE and position. What PostgreSQL has and we have not: 0A000 with the position. */
int sql_prepare(struct statement **out, struct catalog *c, struct heap *h, const char *text,
	size_t len, const enum type_id *declared, unsigned ndeclared, struct error *e);
void statement_free(struct statement *s);

/* --- source.c --- */

/* Whether who feeds tables of `source` (NULL: of none) may execute it: 0; or 25006 when it would change rows or columns of
 * a table that has another source. Without a lock, for statements held. */
int statement_check_source(const struct statement *s, const char *source, struct error *e);

/* --- select.c --- */

/* Have a select, and those within it, read `to` instead of `from`. */
void select_retarget(struct select *s, const struct relation *from, struct relation *to);
/* Whether a select of a view, or one within it, uses the column. */
bool select_reads(const struct select *s, const struct relation *r, unsigned column);

/* "CREATE TABLE", "INSERT", "SELECT"…, as in PostgreSQL's command tags. */
const char *statement_tag(const struct statement *s);

static inline bool statement_is_command(const struct statement *s)
{
	return s->kind <= STATEMENT_BLOCK;
}
/* The query that a command is made from; NULL: none. */
static inline struct statement *statement_query(const struct statement *s)
{
	if (s->kind == STATEMENT_INSERT)
		return s->insert.query;
	return s->kind == STATEMENT_UPDATE || s->kind == STATEMENT_DELETE ? s->change.query : NULL;
}
static inline bool statement_is_ddl(const struct statement *s)
{
	return s->kind >= STATEMENT_CREATE_TABLE;
}

#endif
