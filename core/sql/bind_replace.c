/*
 * bind_replace.c: CREATE OR REPLACE MATERIALIZED VIEW, which PostgreSQL's grammar does not have.
 *
 * The parser is given the text with OR REPLACE blanked out, so that all positions stay. The new view is a relation of its own:
 * columns and their types may be others. It gets the key and the indexes of the one it replaces, as far as it has columns of
 * the same names and types; with new ids and texts, since they are made again behind it when a checkpoint is read. What
 * ALTER has said of the former view's storage parameters goes with it.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/base/limits.h"
#include "core/sql/bind.h"
#include "core/sql/split.h"
#include "core/store/sortkey.h"

/* --- the text --- */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '_' || c == '$' || (c & 0x80);
}

/* Whether the next word from *end on, behind blanks and comments, is this one; *at: its place, *end: behind it. */
static bool word_is(const char *text, size_t len, const char *word, size_t *at, size_t *end)
{
	size_t i = *end;

	while (i < len) {
		size_t next = sql_skip(text, len, i);

		if (strchr(" \t\r\n\f\v", text[i]) != NULL)
			i++;
		else if (next > i && (text[i] == '-' || text[i] == '/'))
			i = next;
		else
			break;
	}
	*at = *end = i;
	while (*end < len && is_letter(text[*end]))
		++*end;
	return *end - i == strlen(word) && strncasecmp(text + i, word, *end - i) == 0;
}

const char *sql_parser_text(const char *text, size_t len, struct arena *a, bool *replaces)
{
	static const char *const WORDS[] = { "CREATE", "OR", "REPLACE", "MATERIALIZED" };
	size_t at[4], end = 0;
	char *copy;

	*replaces = false;
	for (unsigned i = 0; i < 4; i++)
		if (!word_is(text, len, WORDS[i], &at[i], &end))
			return text;
	*replaces = true;
	copy = arena_strdup(a, text, len);
	for (unsigned i = 1; copy != NULL && i < 3; i++)
		memset(copy + at[i], ' ', strlen(WORDS[i]));
	return copy;
}

/* --- the view that is replaced --- */

int bind_replaced(struct binder *b, const PgQuery__CreateTableAsStmt *p)
{
	struct statement *st = b->statement;
	const PgQuery__RangeVar *v = p->into->rel;
	struct relation *old = catalog_find(b->catalog, v->relname);

	if (p->if_not_exists)
		return bind_fail(
			b, ERR_SYNTAX, v->location, "CREATE OR REPLACE has no IF NOT EXISTS");
	if (old == NULL)
		return bind_check_new(b, v, false);
	if (old->kind != RELATION_VIEW)
		return bind_fail(b, ERR_WRONG_OBJECT, v->location,
			"\"%s\" is not a materialized view", old->name);
	if (bind_check_place(b, v) != 0)
		return -1;
	if (old->ndependents > 0) {
		bind_fail(b, ERR_DEPENDENT, v->location,
			"cannot replace materialized view %s because other objects depend on it",
			old->name);
		error_detail(b->error, "materialized view %s depends on materialized view %s",
			old->dependents[0]->name, old->name);
		return error_hint(
			b->error, "Drop the dependent objects first, and create them anew.");
	}
	relation_hold(old);
	st->create.replaces = old;
	return 0;
}

/* --- its key and indexes --- */

/* The columns of an index by their names in another relation; false: it has not all of them, of the same types. */
static bool columns_find(const struct index_def *ix, const struct relation *r, uint16_t *cols)
{
	const struct relation *old = ix->relation;

	for (unsigned i = 0; i < ix->ncols; i++) {
		const struct column *c = &old->columns[ix->cols[i]];
		int col = relation_column(r, c->name);

		if (col < 0 || memcmp(&r->columns[col].type, &c->type, sizeof(c->type)) != 0)
			return false;
		cols[i] = (uint16_t)col;
	}
	return true;
}

struct text {
	char *p;
	size_t n, cap; /* n counts also what has no room */
};

static void put(struct text *t, const char *s, bool quote)
{
	for (; *s != '\0'; s++)
		for (unsigned twice = quote && *s == '"' ? 2 : 1; twice > 0; twice--, t->n++)
			if (t->n < t->cap)
				t->p[t->n] = *s;
}

static void put_name(struct text *t, const char *name)
{
	put(t, "\"", false);
	put(t, name, true);
	put(t, "\"", false);
}

static void put_index(struct text *t, const struct index_def *ix, const struct relation *r)
{
	put(t, ix->unique ? "CREATE UNIQUE INDEX " : "CREATE INDEX ", false);
	put_name(t, ix->name);
	put(t, " ON ", false);
	put_name(t, r->name);
	put(t, ix->sort == NULL && !ix->unique ? " USING hash (" : " (", false);
	for (unsigned i = 0; i < ix->ncols; i++) {
		unsigned flags = ix->sort == NULL ? 0 : ix->sort[i];

		put(t, i > 0 ? ", " : "", false);
		put_name(t, r->columns[ix->cols[i]].name);
		if (ix->sort == NULL)
			continue;
		put(t, flags & SORT_DESCENDING ? " DESC" : "", false);
		put(t, flags & SORT_NULLS_FIRST ? " NULLS FIRST" : " NULLS LAST", false);
	}
	put(t, ")", false);
}

static const char *index_text(
	struct binder *b, const struct index_def *ix, const struct relation *r)
{
	struct text t = { NULL, 0, 0 };

	put_index(&t, ix, r);
	t.cap = t.n;
	t.p = bind_alloc(b, t.cap + 1);
	t.n = 0;
	if (t.p != NULL) {
		put_index(&t, ix, r);
		t.p[t.n] = '\0';
	}
	return t.p;
}

static int index_keep(
	struct binder *b, struct relation *r, const struct index_def *old, const uint16_t *cols)
{
	struct index_def *ix;

	b->numbered = false;
	ix = index_build(b, r, bind_keep(b, old->name), cols, old->ncols);
	if (ix == NULL)
		return -1;
	ix->unique = old->unique;
	if (old->sort != NULL) {
		ix->sort = bind_alloc(b, old->ncols);
		if (ix->sort == NULL)
			return -1;
		memcpy(ix->sort, old->sort, old->ncols);
	}
	ix->definition = index_text(b, ix, r);
	if (ix->definition == NULL)
		return -1;
	return relation_add_index(r, ix) == 0 ? 0 : error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
}

int bind_replacement(struct binder *b, struct relation *r, const PgQuery__RangeVar *v)
{
	const struct relation *old = b->statement->create.replaces;

	for (unsigned i = 0; i < r->nreads; i++)
		if (r->reads[i] == old) {
			bind_unsupported(b, v->location, "a view that reads the one it replaces");
			return -1;
		}
	for (unsigned i = 0; i < old->nindexes; i++) {
		uint16_t cols[LIMIT_KEY_COLUMNS];

		if (!columns_find(old->indexes[i], r, cols))
			bind_notice(b, "00000",
				"index \"%s\" is dropped: materialized view \"%s\" has not all of its columns any more",
				old->indexes[i]->name, r->name);
		else if (index_keep(b, r, old->indexes[i], cols) != 0)
			return -1;
	}
	return 0;
}
