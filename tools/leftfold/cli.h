/*
 * cli.h: what the sources of the command-line client share.
 *
 * main.c takes flags; script.c reads scripts, interactive.c a terminal, and both give statements to run.c and
 * lines that begin with a backslash to meta.c, which uses describe.c; print.c prints. copy.c does COPY, with copy_statement.c
 * and copy_text.c. datadir.c reads data directories. subscribe.c follows a query.
 */
#ifndef LF_TOOLS_LEFTFOLD_CLI_H
#define LF_TOOLS_LEFTFOLD_CLI_H

#include <signal.h>
#include <stdio.h>

#include "net/client/leftfold.h"
#include "tools/leftfold/text.h"

enum format { FORMAT_TABLE, FORMAT_CSV, FORMAT_JSON, FORMAT_NDJSON };

/* Rows to print: an answer's, or cells of text (rows × columns, NULL for NULL). */
struct grid {
	const char *title; /* above a table; NULL: none */
	const struct lf_result *result;
	unsigned ncolumns;
	size_t nrows;
	const char *const *names;
	const char *const *cells;
	bool footer; /* "(n rows)" below a table */
};
void print_grid(FILE *out, enum format format, const struct grid *g);
struct grid result_grid(const struct lf_result *r);
/* One row, without a line break. */
void print_csv_row(FILE *out, const struct grid *g, size_t row);
void print_json_row(FILE *out, const struct grid *g, size_t row);

/* JSON: a string of n bytes of text; a value and a whole row (an object) of a result's first row. Columns without a name are
 * passed over. */
void print_json_string(FILE *out, const char *s, size_t n);
void print_json_value(FILE *out, const struct lf_result *r, unsigned column);
void print_json_object(FILE *out, const struct lf_result *r);

struct cli {
	struct lf_client *connection;
	struct lf_result *answer;
	enum format format;
	enum lf_client_ack ack;
	bool keep_going;
	bool interactive;
	bool timing;
	bool quit;     /* \q, or the connection is lost */
	bool accepted; /* commands were acknowledged as accepted: what became of them is unknown */
	const char *file; /* errors name it; NULL: not from a named file */
	unsigned line;    /* where the statement begins in it */
	int status;       /* exit code */
	bool data_follow; /* of COPY … FROM STDIN, in what is run; else they are standard input's */
	struct copy_in *copy; /* whose data come now; NULL: statements do */
	struct text previous; /* the statement last run, for \g and \watch */
};

/* Set by SIGINT when interactive; whoever waits gives up and clears it. */
extern volatile sig_atomic_t interrupted;

/* Run one statement and print what it gives. False: it failed (and was reported). */
bool run_statement(struct cli *cli, const char *text, size_t len);
/* Send one and wait; its answer is in cli->answer. 0; -1 with *e; 1: the wait was interrupted (*e says so, too). */
int run_wait(struct cli *cli, const char *text, size_t len, struct lf_client_error *e);
/* Report what failed, with its place in the statement's text (may be NULL). */
void report_error(struct cli *cli, const struct lf_client_error *e, const char *text, size_t len);
void report(struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Print LINE n: and a caret under character `position` (from 1) of the text, as psql does. */
void print_position(FILE *out, const char *text, size_t len, int position);
/* Commands acknowledged as accepted are done, and their errors reported. */
void run_settle(struct cli *cli);

/* Run a backslash command: line begins with the backslash, without line break. `statement` is what stands
 * before it (maybe empty). False: it failed. */
bool meta_command(struct cli *cli, const char *line, const char *statement, size_t len);

/* Run COPY, or \copy (meta; without the backslash). False: it failed. When its data follow, cli->copy is set, and
 * copy_take() is given them: it returns how many bytes it used, and resets cli->copy at their end, when *good says what came
 * of it. last: there is no more. */
bool copy_run(struct cli *cli, const char *text, size_t len, bool meta);
size_t copy_take(struct cli *cli, const char *p, size_t n, bool last, bool *good);
/* Give up the one whose data come; NULL is allowed. */
void copy_abort(struct cli *cli);

/* \d and the like: what is 't' tables, 'v' views, 'a' all, or the relation `name`. */
bool describe(struct cli *cli, char what, const char *name);
/* \d+: of one, or (NULL) of all, with what the system views tell of it. */
bool describe_more(struct cli *cli, const char *name);
/* \df, and with a name its text. */
bool describe_procedures(struct cli *cli, const char *name);

/* Statements from a text or file to its end, or to the first error (unless keep_going). */
void run_text(struct cli *cli, const char *text, size_t len);
void run_file(struct cli *cli, FILE *f);
void run_interactive(struct cli *cli);
/* Run the statements and commands that are complete in t and remove them; at the end of the input (`last`) also
 * what has no semicolon. False: stop. *inside as in struct split. */
bool run_complete(struct cli *cli, struct text *t, bool last, char *inside);

/* leftfold inspect and leftfold backup: the rest of the arguments, the command's name being the first. Exit codes. */
int inspect_command(int argc, char **argv);
int backup_command(int argc, char **argv);
/* leftfold subscribe (subscribe.c): the same. */
int subscribe_command(int argc, char **argv);
/* leftfold events and leftfold consume. */
int events_command(int argc, char **argv);
int consume_command(int argc, char **argv);

#endif
