/*
 * copy_statement.h: COPY and \copy as statements: PostgreSQL 15's grammar, also that of before 9.0 (WITH CSV HEADER).
 */
#ifndef LF_TOOLS_LEFTFOLD_COPY_STATEMENT_H
#define LF_TOOLS_LEFTFOLD_COPY_STATEMENT_H

#include "tools/leftfold/copy_text.h"

enum copy_place { COPY_STANDARD, COPY_OWN_STANDARD /* pstdin, pstdout */, COPY_FILE };

struct copy_statement {
	bool to;
	enum copy_place place;
	char *file;     /* COPY_FILE */
	char *relation; /* as it was written; NULL: a query */
	char *name;     /* of the relation, for messages */
	char *columns;  /* as they were written, with commas; NULL: all */
	char *query;
	struct copy_format format;
};

/* Whether the text begins with COPY. */
bool copy_statement_is(const char *text, size_t len);
/* meta: of \copy, where the place is a file of the client; the text then begins with the word copy all the same. 0: the
 * caller's to free; -1 with *e: 42601, 0A000, 22023, with the position in the text. */
int copy_statement_parse(struct copy_statement *out, const char *text, size_t len, bool meta,
	struct lf_client_error *e);
void copy_statement_free(struct copy_statement *s);

#endif
