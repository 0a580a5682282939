/*
 * version.h: how the rows of one RELATION message become rows of a table in Leftfold: which column is which, and the statements.
 *
 * Columns of a message that the table does not have are passed over (left out, or dropped since), and those that it has and
 * the message has not keep what they have.
 */
#ifndef LF_TOOLS_PGFEED_VERSION_H
#define LF_TOOLS_PGFEED_VERSION_H

#include "tools/pgfeed/pgoutput.h"
#include "tools/pgfeed/tables.h"

/* A statement with its parameters: the values of some columns of the message, in the message's order; keys last in one that
 * has a WHERE. */
struct change {
	struct lf_statement *s;
	struct lf_params *p;
	uint8_t *without; /* by column of the message: it is not set. NULL: all are */
	uint64_t used;    /* when, as the version counts */
};

struct version {
	struct version *older;
	struct table *table;
	unsigned n;  /* columns of the message */
	int *column; /* the table's; -1: none */
	char **name;
	uint32_t *type;
	int32_t *modifier;
	bool *identity;    /* belongs to the replica identity */
	unsigned *key;     /* by place in the table's key: column of the message */
	struct change put; /* INSERT … ON CONFLICT DO UPDATE */
	struct change erase;
	unsigned npatches;
	struct change *patches; /* UPDATE without some columns */
	uint64_t uses;
};

enum relation_fit {
	RELATION_FITS,
	RELATION_DIFFERS, /* from the table's columns as the catalog had them */
	RELATION_FAILS    /* *f */
};

/* The version of a RELATION message: a new one in front of t->version, or that if it is the same. */
enum relation_fit version_have(
	struct table *t, const struct pgoutput_message *m, struct lf_client *c, struct failure *f);
void versions_free(struct table *t);

/* The statement that sets all columns but those of `without` (by column of the message), if there is one already; else NULL. */
struct change *version_find_patch(struct version *v, const uint8_t *without);
/* Prepare it; NULL: *f. */
struct change *version_patch(
	struct version *v, struct lf_client *c, const uint8_t *without, struct failure *f);
/* Set the parameters. values: by column of the message. */
int change_set_row(const struct version *v, struct change *c, const struct pgoutput_value *values,
	struct failure *f);
int change_set_key(const struct version *v, struct change *c, const struct pgoutput_value *values,
	struct failure *f);
/* The row in Leftfold that has the key in `values`: text of the columns that `without` names goes to values (kind TEXT or
 * NULL; bytes are of *memory, to be given to free()). 1; 0 there is no such row; -1. */
int version_fetch(const struct version *v, struct lf_client *c, const uint8_t *without,
	struct pgoutput_value *values, char **memory, struct failure *f);

#endif
