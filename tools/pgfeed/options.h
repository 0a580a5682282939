/*
 * options.h: what leftfold-pgfeed was told to do.
 */
#ifndef LF_TOOLS_PGFEED_OPTIONS_H
#define LF_TOOLS_PGFEED_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum mode { MODE_FEED, MODE_CHECK, MODE_STATUS, MODE_RELEASE };

/* --table SCHEMA.TABLE[=TARGET] */
struct table_choice {
	char *source;
	const char *target; /* NULL: the table's name */
};

/* --column SCHEMA.TABLE.COLUMN=TYPE, or =- to leave it out */
struct column_choice {
	char *source, *column;
	const char *type;
};

struct options {
	enum mode mode;
	const char *from, *to; /* PostgreSQL's connection string; HOST:PORT of Leftfold */
	const char *slot, *publication;
	bool create_publication;
	unsigned ntables, ncolumns, nrecopy;
	struct table_choice *tables; /* none: all of the publication */
	struct column_choice *columns;
	const char **recopy; /* SCHEMA.TABLE each */
	bool recopy_all;
	bool until_now; /* end when all is there that PostgreSQL had when it began */
	bool row_by_row;
	unsigned jobs;
	unsigned report_s;   /* a line about the lag so often; 0: never */
	unsigned retry_s;    /* give up when it has not worked for so long; 0: never */
	const char *metrics; /* NULL: none */
	const char *spool_dir;
	/* For tests. */
	size_t spool_memory;
};

enum {
	EXIT_ENDED = 0,  /* by a signal, in order; what was asked for is done */
	EXIT_FAILED = 1, /* somebody has to do something */
	EXIT_USAGE = 2,
	EXIT_AT_ONCE = 3, /* by a second signal */
	EXIT_DIFFERS = 4, /* --check */
	EXIT_IN_USE = 5   /* another feed has the slot */
};

/* 0; else the exit code to end with, plus one: the usage, or what is wrong, has been printed. */
int options_parse(struct options *o, int argc, char **argv);
void options_free(struct options *o);

#endif
