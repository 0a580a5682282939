/*
 * acts.h: the two acts of the demo.
 */
#ifndef LF_TOOLS_DEMO_ACTS_H
#define LF_TOOLS_DEMO_ACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "net/client/leftfold.h"
#include "tools/demo/oracle.h"

struct demo {
	const char *address;    /* of the server */
	struct lf_client *read; /* a connection that only reads and declares */
	bool small;             /* a smoke run */
	uint64_t seed;
	uint64_t epoch; /* of the newest command: what is read shall be as new */
	/* Sums of both acts, for the closing lines. */
	uint64_t commands;
	double seconds; /* that the commands took */
	unsigned views;
	struct verdict verdict;
};

void act_shop(struct demo *d);
void act_debian(struct demo *d);

/* Compare tables and views with SQLite's and add to the demo's verdict. */
void act_compare(
	struct demo *d, sqlite3 *db, const struct relation *tables, const struct relation *views);

/* --- show.c --- */

/* The rows of a query at the demo's epoch or later; to be freed. */
struct lf_result *read_rows(struct demo *d, const char *sql);
/* Run a query and print its rows as a table under a line that says what they are. */
void show_query(struct demo *d, const char *what, const char *sql);
/* The same as bars: the first two columns are a label and a number. */
void show_bars(struct demo *d, const char *what, const char *sql);

/* Views' rows before and after something is done. */
enum { WATCH_MAX = 4 };
struct watch {
	struct demo *demo;
	unsigned n;
	const char *sql[WATCH_MAX];
	struct lf_result *before[WATCH_MAX];
};
void watch_begin(struct watch *w, struct demo *d, const char *const *sql, unsigned n);
/* Read again, print both, free. */
void watch_end(struct watch *w);

#endif
