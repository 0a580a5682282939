/*
 * tables.h: the published tables, as PostgreSQL's catalog has them now and as they are to be in Leftfold.
 */
#ifndef LF_TOOLS_PGFEED_TABLES_H
#define LF_TOOLS_PGFEED_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/pgfeed/options.h"
#include "tools/pgfeed/pg.h"
#include "tools/pgfeed/types.h"

struct column {
	int number; /* attnum: stays the same when it is renamed */
	char *name;
	uint32_t type_oid; /* as messages tell it */
	int32_t type_modifier;
	uint32_t oid; /* the same, or the type that its domain is of */
	int32_t modifier;
	char *type;                 /* as PostgreSQL prints it */
	char mapped[TYPE_TEXT_MAX]; /* in Leftfold */
	bool same;                  /* the type is the same there; else values go as text */
	int key;                    /* place in the key, from 0; -1: none */
	/* Rows that were there before the column: they have this value; unknown: it is not told. */
	char *missing; /* NULL: null */
	bool missing_unknown;
};

enum table_state {
	TABLE_NEW,     /* Leftfold knows nothing of it */
	TABLE_COPYING, /* its rows are not all there */
	TABLE_FED
};

struct table {
	char *schema, *name;
	char *source;      /* schema.name */
	char *target;      /* in Leftfold */
	uint32_t relation; /* oid */
	uint64_t
		membership; /* oid of what makes it a part of the publication; 0: that has all tables */
	char identity;      /* pg_class.relreplident */
	char *filter;       /* of the publication, ""; none */
	bool partitioned;  /* its rows are in other tables */
	uint64_t pages;    /* of its file */
	unsigned ncolumns; /* those that are fed */
	struct column *columns;
	unsigned nskipped;
	char **skipped; /* names of columns that were left out */
	unsigned nkey;
	unsigned *key; /* columns, in the order of the key */
	enum table_state state;
	uint64_t from_lsn;       /* commits before it are in the copy */
	unsigned patches_max;    /* statements that leave columns out, of one version */
	struct version *version; /* how its rows come now; see version.h */
	uint64_t truncated;      /* see window.h */
};

struct tables {
	unsigned n;
	struct table *at;
	uint64_t lsn;    /* the catalog is as of here, or later */
	char *signature; /* of what is published, see tables_signature() */
};

/* Read what is published and chosen. FATAL for what cannot be fed, with the remedy. */
int tables_read(struct tables *t, PGconn *pg, const struct options *o, struct failure *f);
/* Whether all that is published can be fed, chosen or not. */
int tables_check(PGconn *pg, const struct options *o, struct failure *f);
void tables_free(struct tables *t);
/* NULL: none. */
struct table *tables_find(const struct tables *t, uint32_t relation);
struct table *tables_named(const struct tables *t, const char *source);
int table_column(const struct table *t, const char *name); /* -1: none */
bool table_skips(const struct table *t, const char *name);

/* A text that differs when tables are published, or are not any more. To be given to free(); NULL: *f. */
char *tables_signature(PGconn *pg, const struct options *o, struct failure *f);

/* The columns as Leftfold's state keeps them: a line each, "number TAB type TAB mapped TAB name", and last "key" with the
 * numbers of the key's columns behind tabs. To be given to free(); NULL: out of memory. */
char *table_columns_text(const struct table *t);
/* CREATE TABLE in Leftfold, fed by `source`. To be given to free(); NULL: out of memory. */
char *table_create_text(const struct table *t, const char *source);

/* Text that grows; .p is NULL, and nothing is added any more, when there was no memory. */
struct text {
	char *p;
	size_t n, cap;
	bool failed;
};
void text_put(struct text *t, const char *s);
void text_format(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_name(struct text *t, const char *name);    /* in double quotes */
void text_quoted(struct text *t, const char *value); /* in single ones */

#endif
