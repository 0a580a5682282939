/*
 * tables.c: see tables.h. Three queries: the tables, their columns, and where the log was then.
 */
#include "tools/pgfeed/tables.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of one connection, which may have 4096 statements. */
enum { PATCHES_ALL = 1024 };

/* --- text --- */

static bool text_room(struct text *t, size_t n)
{
	size_t cap = t->cap == 0 ? 256 : t->cap;
	char *grown;

	while (cap < t->n + n + 1)
		cap *= 2;
	if (t->failed || cap == t->cap)
		return !t->failed;
	grown = realloc(t->p, cap);
	if (grown == NULL) {
		free(t->p);
		*t = (struct text){ .failed = true };
		return false;
	}
	t->p = grown;
	t->cap = cap;
	return true;
}

void text_put(struct text *t, const char *s)
{
	size_t n = strlen(s);

	if (!text_room(t, n))
		return;
	memcpy(t->p + t->n, s, n + 1);
	t->n += n;
}

/* Add a text and free it; NULL: there was no memory for it. */
static void text_take(struct text *t, char *s)
{
	if (s == NULL) {
		free(t->p);
		*t = (struct text){ .failed = true };
		return;
	}
	text_put(t, s);
	free(s);
}

void text_format(struct text *t, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	text_take(t, s);
}

void text_name(struct text *t, const char *name)
{
	text_take(t, quote_name(name));
}

void text_quoted(struct text *t, const char *value)
{
	text_take(t, quote_text(value));
}

/* --- the catalog --- */

#define PUBLISHED \
	" FROM pg_publication p JOIN pg_publication_tables pt ON pt.pubname = p.pubname" \
	" JOIN pg_namespace n ON n.nspname = pt.schemaname" \
	" JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = pt.tablename"

#define KEY_INDEX \
	" LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisvalid AND" \
	" CASE c.relreplident WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END"

#define MEMBERSHIP \
	"coalesce((SELECT r.oid FROM pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = c.oid)," \
	" (SELECT s.oid FROM pg_publication_namespace s WHERE s.pnpubid = p.oid AND s.pnnspid = n.oid), 0)"

static const char TABLES_SQL[] =
	"SELECT c.oid, n.nspname, c.relname, c.relreplident, coalesce(pt.rowfilter, ''), " MEMBERSHIP
	"::bigint, pg_relation_size(c.oid) / current_setting('block_size')::bigint,"
	" has_table_privilege(c.oid, 'SELECT'), i.indexrelid IS NOT NULL, c.relkind = 'p'" PUBLISHED
		KEY_INDEX " WHERE p.pubname = $1 ORDER BY 2, 3";

/* indkey counts from 0. */
static const char COLUMNS_SQL[] =
	"SELECT c.oid, a.attnum, a.attname, CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END,"
	" CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE a.atttypmod END,"
	" format_type(a.atttypid, a.atttypmod),"
	" CASE WHEN array_position(i.indkey::int2[], a.attnum) < i.indnkeyatts"
	" THEN array_position(i.indkey::int2[], a.attnum) ELSE -1 END,"
	" (a.attmissingval::text::text[])[1],"
	" NOT a.atthasmissing AND (a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL),"
	" a.atttypid, a.atttypmod" PUBLISHED KEY_INDEX
	" JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
	" AND a.attgenerated = '' JOIN pg_type t ON t.oid = a.atttypid"
	" WHERE p.pubname = $1 AND (pt.attnames IS NULL OR a.attname = ANY (pt.attnames))"
	" ORDER BY 1, 2";

static bool is_table(const char *choice, const char *schema, const char *name)
{
	size_t n = schema == NULL ? 0 : strlen(schema);

	if (schema == NULL || name == NULL)
		return false;
	if (strncmp(choice, schema, n) == 0 && choice[n] == '.' &&
		strcmp(choice + n + 1, name) == 0)
		return true;
	return strcmp(schema, "public") == 0 && strcmp(choice, name) == 0;
}

static const struct table_choice *choice_of(
	const struct options *o, const char *schema, const char *name)
{
	for (unsigned i = 0; i < o->ntables; i++)
		if (is_table(o->tables[i].source, schema, name))
			return &o->tables[i];
	return NULL;
}

static const struct column_choice *column_choice_of(
	const struct options *o, const struct table *t, const char *column)
{
	for (unsigned i = 0; i < o->ncolumns; i++)
		if (is_table(o->columns[i].source, t->schema, t->name) &&
			strcmp(o->columns[i].column, column) == 0)
			return &o->columns[i];
	return NULL;
}

static int table_fill(
	struct table *t, const PGresult *r, int row, const struct table_choice *choice)
{
	*t = (struct table){ .relation = (uint32_t)pg_number(r, row, 0),
		.schema = strdup(pg_text(r, row, 1)),
		.name = strdup(pg_text(r, row, 2)),
		.identity = pg_text(r, row, 3)[0],
		.filter = strdup(pg_text(r, row, 4)),
		.membership = pg_number(r, row, 5),
		.pages = pg_number(r, row, 6),
		.partitioned = pg_bool(r, row, 9),
		.target = strdup(choice != NULL && choice->target != NULL ? choice->target
									  : pg_text(r, row, 2)) };
	if (t->schema == NULL || t->name == NULL || t->filter == NULL || t->target == NULL ||
		asprintf(&t->source, "%s.%s", t->schema, t->name) < 0)
		return -1;
	return 0;
}

static int check_table(const PGresult *r, int row, struct failure *f)
{
	const char *schema = pg_text(r, row, 1), *name = pg_text(r, row, 2);

	if (pg_text(r, row, 3)[0] == 'n') {
		fail(f, FAILURE_FATAL,
			"table %s.%s has REPLICA IDENTITY NOTHING: PostgreSQL does not tell which rows are updated and deleted",
			schema, name);
		return fail_remedy(f,
			"ALTER TABLE \"%s\".\"%s\" REPLICA IDENTITY DEFAULT (the primary key), or choose other tables with --table",
			schema, name);
	}
	if (!pg_bool(r, row, 8)) {
		fail(f, FAILURE_FATAL, "table %s.%s has no primary key%s", schema, name,
			pg_text(r, row, 3)[0] == 'f' ? "" : " and no replica identity index");
		return fail_remedy(f,
			"Add one, or ALTER TABLE … REPLICA IDENTITY USING INDEX with a unique index over columns that are NOT NULL,"
			" or choose other tables with --table");
	}
	if (!pg_bool(r, row, 7)) {
		fail(f, FAILURE_FATAL, "no privilege to read table %s.%s", schema, name);
		return fail_remedy(f,
			"GRANT SELECT ON \"%s\".\"%s\" TO the user that the feed connects as",
			schema, name);
	}
	return 0;
}

static int read_tables(
	struct tables *t, const PGresult *r, const struct options *o, struct failure *f)
{
	int n = PQntuples(r);

	t->at = calloc((size_t)n + 1, sizeof(*t->at));
	if (t->at == NULL)
		return fail_memory(f);
	for (int i = 0; i < n; i++) {
		const struct table_choice *choice = choice_of(
			o, pg_text(r, i, 1), pg_text(r, i, 2));

		if (o->ntables > 0 && choice == NULL)
			continue;
		if (check_table(r, i, f) != 0)
			return -1;
		if (table_fill(&t->at[t->n++], r, i, choice) != 0)
			return fail_memory(f);
	}
	for (unsigned i = 0; i < o->ntables; i++) {
		bool there = false;

		for (unsigned k = 0; k < t->n; k++)
			there |= is_table(o->tables[i].source, t->at[k].schema, t->at[k].name);
		if (there)
			continue;
		fail(f, FAILURE_FATAL, "table %s is not in publication \"%s\"", o->tables[i].source,
			o->publication);
		return fail_remedy(f, "ALTER PUBLICATION \"%s\" ADD TABLE %s", o->publication,
			o->tables[i].source);
	}
	return 0;
}

static int column_fill(
	struct column *c, const PGresult *r, int row, const struct column_choice *choice)
{
	*c = (struct column){ .number = (int)pg_number(r, row, 1),
		.name = strdup(pg_text(r, row, 2)),
		.oid = (uint32_t)pg_number(r, row, 3),
		.modifier = atoi(pg_text(r, row, 4)),
		.type = strdup(pg_text(r, row, 5)),
		.key = PQgetisnull(r, row, 6) ? -1 : atoi(pg_text(r, row, 6)),
		.missing_unknown = pg_bool(r, row, 8),
		.type_oid = (uint32_t)pg_number(r, row, 9),
		.type_modifier = atoi(pg_text(r, row, 10)) };
	if (c->name == NULL || c->type == NULL)
		return -1;
	if (!PQgetisnull(r, row, 7)) {
		c->missing = strdup(pg_text(r, row, 7));
		if (c->missing == NULL)
			return -1;
	}
	c->same = type_map(c->oid, c->modifier, c->mapped);
	if (choice != NULL) {
		c->same = false;
		(void)snprintf(c->mapped, sizeof(c->mapped), "%s", choice->type);
	}
	return 0;
}

/* Of one table; `row` is its first. */
static int read_columns(
	struct table *t, const PGresult *r, const struct options *o, struct failure *f)
{
	int n = PQntuples(r), first = 0, last;

	while (first < n && (uint32_t)pg_number(r, first, 0) != t->relation)
		first++;
	for (last = first; last < n && (uint32_t)pg_number(r, last, 0) == t->relation;)
		last++;
	t->columns = calloc((size_t)(last - first) + 1, sizeof(*t->columns));
	t->key = calloc((size_t)(last - first) + 1, sizeof(*t->key));
	t->skipped = calloc((size_t)(last - first) + 1, sizeof(*t->skipped));
	if (t->columns == NULL || t->key == NULL || t->skipped == NULL)
		return fail_memory(f);
	for (int i = first; i < last; i++) {
		const char *name = pg_text(r, i, 2);
		const struct column_choice *choice = column_choice_of(o, t, name);
		struct column *c = &t->columns[t->ncolumns];

		if (strpbrk(name, "\t\n\r") != NULL)
			return fail(f, FAILURE_FATAL,
				"table %s has a column with a tab or a line break in its name",
				t->source);
		if (choice != NULL && strcmp(choice->type, "-") == 0) {
			t->skipped[t->nskipped] = strdup(name);
			if (t->skipped[t->nskipped] == NULL)
				return fail_memory(f);
			t->nskipped++;
			continue;
		}
		if (column_fill(c, r, i, choice) != 0)
			return fail_memory(f);
		if (c->key >= 0) {
			t->key[c->key] = t->ncolumns;
			t->nkey++;
		}
		t->ncolumns++;
	}
	return 0;
}

/* The places of the key are all there: none of its columns was left out by somebody. */
static int check_key(const struct table *t, struct failure *f)
{
	for (unsigned k = 0; k < t->nkey; k++)
		if (t->columns[t->key[k]].key != (int)k)
			return fail(f, FAILURE_FATAL,
				"table %s: a column of its key is not published, or left out by --column",
				t->source);
	if (t->nkey == 0)
		return fail(f, FAILURE_FATAL,
			"table %s: the columns of its key are not published, or left out by --column",
			t->source);
	return 0;
}

static int check_targets(const struct tables *t, struct failure *f)
{
	for (unsigned i = 0; i < t->n; i++)
		for (unsigned k = 0; k < i; k++)
			if (t->at[i].target != NULL && t->at[k].target != NULL &&
				strcmp(t->at[i].target, t->at[k].target) == 0) {
				fail(f, FAILURE_FATAL,
					"tables %s and %s would both be \"%s\" in Leftfold",
					t->at[k].source, t->at[i].source, t->at[i].target);
				return fail_remedy(f,
					"Name one of them otherwise: --table %s=NAME (and --table for every other table)",
					t->at[i].source);
			}
	return 0;
}

static int check_choices(const struct tables *t, const struct options *o, struct failure *f)
{
	for (unsigned i = 0; i < o->ncolumns; i++) {
		const struct column_choice *c = &o->columns[i];
		bool there = strcmp(c->type, "-") == 0;

		for (unsigned k = 0; k < t->n; k++)
			there |= is_table(c->source, t->at[k].schema, t->at[k].name) &&
				table_column(&t->at[k], c->column) >= 0;
		if (!there)
			return fail(f, FAILURE_FATAL, "--column: there is no column %s.%s",
				c->source, c->column);
	}
	for (unsigned i = 0; i < o->nrecopy; i++)
		if (tables_named(t, o->recopy[i]) == NULL)
			return fail(
				f, FAILURE_FATAL, "--recopy: there is no table %s", o->recopy[i]);
	return 0;
}

int tables_read(struct tables *t, PGconn *pg, const struct options *o, struct failure *f)
{
	const char *params[] = { o->publication };
	PGresult *tables = NULL, *columns = NULL;
	int status = -1;

	*t = (struct tables){ 0 };
	/* First, so that what is seen is not older. */
	if (pg_flushed(pg, &t->lsn, f) == 0)
		t->signature = tables_signature(pg, o, f);
	if (t->signature != NULL)
		tables = pg_run(pg, "reading the catalog", TABLES_SQL, 1, params, f);
	if (tables != NULL)
		columns = pg_run(pg, "reading the catalog", COLUMNS_SQL, 1, params, f);
	if (columns != NULL) {
		status = read_tables(t, tables, o, f);
		for (unsigned i = 0; status == 0 && i < t->n; i++) {
			status = read_columns(&t->at[i], columns, o, f);
			if (status == 0)
				status = check_key(&t->at[i], f);
		}
	}
	PQclear(tables);
	PQclear(columns);
	for (unsigned i = 0; i < t->n; i++)
		t->at[i].patches_max = t->n >= PATCHES_ALL / 2 ? 2 : PATCHES_ALL / t->n;
	if (status == 0)
		status = check_targets(t, f);
	return status == 0 ? check_choices(t, o, f) : -1;
}

int tables_check(PGconn *pg, const struct options *o, struct failure *f)
{
	const char *params[] = { o->publication };
	PGresult *r = pg_run(pg, "reading the catalog", TABLES_SQL, 1, params, f);
	int status = r == NULL ? -1 : 0;

	for (int i = 0; status == 0 && i < PQntuples(r); i++)
		status = check_table(r, i, f);
	PQclear(r);
	return status;
}

void tables_free(struct tables *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		struct table *table = &t->at[i];

		for (unsigned c = 0; c < table->ncolumns; c++) {
			free(table->columns[c].name);
			free(table->columns[c].type);
			free(table->columns[c].missing);
		}
		for (unsigned c = 0; c < table->nskipped; c++)
			free(table->skipped[c]);
		free(table->skipped);
		free(table->columns);
		free(table->key);
		free(table->schema);
		free(table->name);
		free(table->source);
		free(table->target);
		free(table->filter);
	}
	free(t->at);
	free(t->signature);
	*t = (struct tables){ 0 };
}

struct table *tables_find(const struct tables *t, uint32_t relation)
{
	for (unsigned i = 0; i < t->n; i++)
		if (t->at[i].relation == relation)
			return &t->at[i];
	return NULL;
}

struct table *tables_named(const struct tables *t, const char *source)
{
	for (unsigned i = 0; i < t->n; i++)
		if (is_table(source, t->at[i].schema, t->at[i].name))
			return &t->at[i];
	return NULL;
}

int table_column(const struct table *t, const char *name)
{
	for (unsigned i = 0; i < t->ncolumns; i++)
		if (strcmp(t->columns[i].name, name) == 0)
			return (int)i;
	return -1;
}

bool table_skips(const struct table *t, const char *name)
{
	for (unsigned i = 0; i < t->nskipped; i++)
		if (strcmp(t->skipped[i], name) == 0)
			return true;
	return false;
}

char *tables_signature(PGconn *pg, const struct options *o, struct failure *f)
{
	const char *params[] = { o->publication };
	PGresult *r = pg_run(pg, "reading the catalog",
		"SELECT coalesce(string_agg(concat_ws(' ', c.oid, " MEMBERSHIP
		", pt.attnames, pt.rowfilter, (SELECT md5(string_agg(concat_ws(' ', a.attnum, a.attname, a.atttypid, a.atttypmod),"
		" ',' ORDER BY a.attnum)) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0"
		" AND NOT a.attisdropped)), ',' ORDER BY c.oid), '')" PUBLISHED
		" WHERE p.pubname = $1",
		1, params, f);
	char *text;

	if (r == NULL)
		return NULL;
	text = strdup(pg_text(r, 0, 0));
	PQclear(r);
	if (text == NULL)
		fail_memory(f);
	return text;
}

char *table_columns_text(const struct table *t)
{
	struct text s = { 0 };

	for (unsigned i = 0; i < t->ncolumns; i++) {
		const struct column *c = &t->columns[i];

		text_format(&s, "%d\t%s\t%s\t%s\n", c->number, c->type, c->mapped, c->name);
	}
	text_put(&s, "key");
	for (unsigned k = 0; k < t->nkey; k++)
		text_format(&s, "\t%d", t->columns[t->key[k]].number);
	text_put(&s, "\n");
	return s.p;
}

char *table_create_text(const struct table *t, const char *source)
{
	struct text s = { 0 };

	text_put(&s, "CREATE TABLE ");
	text_name(&s, t->target);
	text_put(&s, " (");
	for (unsigned i = 0; i < t->ncolumns; i++) {
		text_name(&s, t->columns[i].name);
		text_format(&s, " %s, ", t->columns[i].mapped);
	}
	text_put(&s, "PRIMARY KEY (");
	for (unsigned k = 0; k < t->nkey; k++) {
		text_put(&s, k > 0 ? ", " : "");
		text_name(&s, t->columns[t->key[k]].name);
	}
	text_put(&s, ")) WITH (source = ");
	text_quoted(&s, source);
	text_put(&s, ")");
	return s.p;
}
