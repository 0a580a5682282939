/*
 * views.h: what the files of the property test of views share; test_views.c says what it is about.
 *
 * The oracle keeps the same tables in SQLite, in a form of its own, so that nothing of Leftfold takes part:
 * numeric(p,s) is an integer scaled by 10^s, boolean 0 or 1, dates, timestamps, uuid and bytea are the text
 * that is printed, char(n) is padded. A *format* says how a result of SQLite becomes Leftfold's text, one
 * item an output column:
 *
 *     i  integer      t  text        z  timestamp with time zone (text without the zone)
 *     b  boolean      f  float       nS numeric scaled by 10^S
 *     dST  two columns of SQLite, a scaled by 10^S and b by 10^T: the numeric a / b as PostgreSQL divides
 *     e    two columns of SQLite: the float a / b
 */
#ifndef LF_TESTS_PROPERTY_VIEWS_H
#define LF_TESTS_PROPERTY_VIEWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- definitions (views_defs.c) --- */

struct table_def {
	const char *name, *create, *oracle_create, *format;
	const char *index; /* an index to be made and dropped under way */
};
enum { TABLES = 5, TABLE_CUSTOMER = 0, TABLE_ORDERS, TABLE_STOCK, TABLE_EVENT, TABLE_PRODUCT };
extern const struct table_def TABLE_DEFS[TABLES];

struct view_def {
	const char *name, *select;
	const char *oracle; /* the same for SQLite; NULL: the same text */
	const char *format;
	const char *key;   /* columns of the lookup key; NULL: none */
	const char *index; /* columns of a secondary index; NULL: none */
};
extern const struct view_def VIEW_DEFS[];
extern const unsigned VIEW_COUNT;

/* A query with an order, and its equal; %s stands for the oracle's text of the view. */
struct query_def {
	const char *from; /* a view or a table */
	const char *query, *oracle, *format;
};
extern const struct query_def QUERY_DEFS[];
extern const unsigned QUERY_COUNT;

const char *view_oracle(const struct view_def *v);
const struct view_def *view_named(const char *name);

/* --- rows as text: columns separated by '|', NULL as \N --- */

struct rows {
	char **row;
	unsigned n, cap;
};
void rows_add(struct rows *r, const char *text);
void rows_sort(struct rows *r);
void rows_free(struct rows *r);
/* The k-th column of a row, in a buffer of its own that lives until the next call but three. */
const char *row_column(const char *row, unsigned k);

/* --- the oracle (views_oracle.c) --- */

struct oracle;
struct oracle *oracle_open(void);
void oracle_close(struct oracle *o);
/* Run statements, all or nothing. 0 with the rows changed in *count, or -1 when a constraint refuses; any
 * other error ends the test. */
int oracle_run(struct oracle *o, const char *sql, uint64_t *count);
/* The first column of the first row as an integer. */
int64_t oracle_number(struct oracle *o, const char *sql);
void oracle_rows(struct oracle *o, const char *sql, const char *format, struct rows *out);
/* For a while: exactly these rows in a table, as they were printed by Leftfold. */
void oracle_borrow_begin(struct oracle *o);
void oracle_borrow(struct oracle *o, unsigned table, const struct rows *rows);
void oracle_borrow_end(struct oracle *o);

/* --- random commands (views_commands.c) --- */

struct random {
	uint64_t state;
};
uint64_t random_next(struct random *r);
unsigned random_below(struct random *r, unsigned n);
/* True once in n. */
bool random_one_in(struct random *r, unsigned n);

enum { COMMAND_TEXT_MAX = 4096, AGGREGATE_NONE = -1, AGGREGATE_MANY = -2 };

struct command {
	char text[COMMAND_TEXT_MAX], oracle[COMMAND_TEXT_MAX];
	/* When this number of the oracle's is above 0, Leftfold must refuse with `sqlstate`; "": never. */
	char probe[COMMAND_TEXT_MAX / 4];
	char sqlstate[6];
	int aggregate; /* commands of one keep their order; NONE: it meets no other; MANY: several parts */
	bool count_known; /* the reply's count must be the oracle's */
};
/* Fill in a random command. quiet: nothing is under way, so that one of many aggregates may be made. */
void command_random(struct random *r, bool quiet, struct command *out);

#endif
