/*
 * describe.c: \d, \dt, \dv and \df, from the server's SCHEMA (net/PROTOCOL.md draws its lines); what \d+ has more, from its
 * system views.
 */
#include "tools/leftfold/cli.h"

#include <stdlib.h>
#include <string.h>

enum { FIELDS_MAX = 80 };

/* A line taken apart: field 0 is its word. Fields beyond are "". */
struct fields {
	unsigned n;
	const char *at[FIELDS_MAX];
};

struct lines {
	struct fields *at;
	size_t n;
};

static void unescape(char *s)
{
	char *to = s;

	for (; *s != '\0'; s++) {
		if (*s != '\\' || s[1] == '\0') {
			*to++ = *s;
			continue;
		}
		s++;
		*to++ = *s == 'n' ? '\n' : *s == 't' ? '\t' : *s == 'r' ? '\r' : *s;
	}
	*to = '\0';
}

/* Take the text apart in place. */
static struct lines read_lines(char *text)
{
	struct lines l = { NULL, 0 };
	size_t cap = 0;

	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		struct fields *f;
		char *p = line;

		if (l.n == cap) {
			cap = cap == 0 ? 64 : 2 * cap;
			l.at = need(reallocarray(l.at, cap, sizeof(*l.at)));
		}
		f = &l.at[l.n++];
		f->n = 0;
		for (unsigned i = 0; i < FIELDS_MAX; i++)
			f->at[i] = "";
		while (p != NULL && f->n < FIELDS_MAX) {
			char *tab = strchr(p, '\t');

			if (tab != NULL)
				*tab = '\0';
			unescape(p);
			f->at[f->n++] = p;
			p = tab == NULL ? NULL : tab + 1;
		}
	}
	return l;
}

static bool is(const struct fields *f, const char *word)
{
	return strcmp(f->at[0], word) == 0;
}

static bool is_relation(const struct fields *f)
{
	return is(f, "table") || is(f, "view");
}

/* Whether a line begins what another one is about. */
static bool is_object(const struct fields *f)
{
	return is_relation(f) || is(f, "procedure");
}

/* --- lists --- */

static int by_name(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(x[0], y[0]);
}

static bool list(struct cli *cli, const struct lines *l, char what)
{
	static const char *const NAMES[] = { "Name", "Type", "Partitioned by" };
	const char **cells = need(calloc(3 * l->n + 1, sizeof(*cells)));
	struct grid g = {
		.title = "List of relations", .ncolumns = 3, .names = NAMES, .footer = true
	};

	for (size_t i = 0; i < l->n; i++) {
		const struct fields *f = &l->at[i];

		if (!is_relation(f) || (what != 'a' && f->at[0][0] != what))
			continue;
		cells[3 * g.nrows] = f->at[1];
		cells[3 * g.nrows + 1] = is(f, "view") ? "materialized view" : "table";
		cells[3 * g.nrows + 2] = f->at[2];
		g.nrows++;
	}
	qsort(cells, g.nrows, 3 * sizeof(*cells), by_name);
	g.cells = cells;
	if (g.nrows == 0 && cli->format == FORMAT_TABLE)
		fputs("Did not find any relations.\n", stderr);
	else
		print_grid(stdout, cli->format, &g);
	free(cells);
	return true;
}

/* --- one relation --- */

static void print_names(const char *const *names, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		printf("%s%s", i > 0 ? ", " : "", names[i]);
}

static void print_index(const struct fields *f)
{
	printf("    \"%s\" ", f->at[1]);
	if (f->at[2][0] != '\0')
		printf("%s, ", strcmp(f->at[2], "unique") == 0 ? "UNIQUE" : "PRIMARY KEY");
	printf("%s (", f->at[3]);
	print_names(f->at + 4, f->n > 4 ? f->n - 4 : 0);
	printf(")\n");
}

static void print_foreign_key(const struct fields *f)
{
	unsigned n = f->n > 4 ? (f->n - 4) / 2 : 0;

	printf("    \"%s\" FOREIGN KEY (", f->at[1]);
	print_names(f->at + 4, n);
	printf(") REFERENCES %s(", f->at[3]);
	print_names(f->at + 4 + n, n);
	printf(")%s\n", strcmp(f->at[2], "enforced") == 0 ? "" : " NOT ENFORCED");
}

/* The lines of one kind under a heading. */
static void print_section(const struct fields *f, size_t n, const char *word, const char *heading)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (!is(&f[i], word))
			continue;
		if (!any)
			printf("%s:\n", heading);
		any = true;
		if (is(&f[i], "index"))
			print_index(&f[i]);
		else if (is(&f[i], "foreign key"))
			print_foreign_key(&f[i]);
		else if (is(&f[i], "definition"))
			printf(" %s\n", f[i].at[1]);
		else
			printf("    \"%s\"\n", f[i].at[1]);
	}
}

/* The foreign keys of other tables that point here. */
static void print_referrers(const struct lines *l, const char *name)
{
	const char *table = "";
	bool any = false;

	for (size_t i = 0; i < l->n; i++) {
		if (is_relation(&l->at[i]))
			table = l->at[i].at[1];
		if (!is(&l->at[i], "foreign key") || strcmp(l->at[i].at[3], name) != 0)
			continue;
		if (!any)
			puts("Referenced by:");
		any = true;
		printf("    TABLE \"%s\" CONSTRAINT", table);
		printf(" \"%s\"\n", l->at[i].at[1]);
	}
}

static void describe_one(struct cli *cli, const struct lines *l, size_t at)
{
	static const char *const NAMES[] = { "Column", "Type", "Nullable", "Default" };
	const struct fields *f = &l->at[at + 1];
	bool view = is(&l->at[at], "view");
	const char *name = l->at[at].at[1], *partition = l->at[at].at[2];
	struct text title = { NULL, 0, 0 };
	const char **cells;
	struct grid g = { .ncolumns = 4, .names = NAMES };
	size_t n = 0;

	while (at + 1 + n < l->n && !is_object(&f[n]))
		n++;
	cells = need(calloc(4 * n + 1, sizeof(*cells)));
	for (size_t i = 0; i < n; i++)
		if (is(&f[i], "column"))
			memcpy(cells + 4 * g.nrows++, f[i].at + 1, 4 * sizeof(*cells));
	g.cells = cells;
	text_add(&title, view ? "Materialized view \"" : "Table \"", view ? 19 : 7);
	text_add(&title, name, strlen(name));
	text_add(&title, "\"", 1);
	g.title = title.p;
	print_grid(stdout, cli->format, &g);
	if (cli->format == FORMAT_TABLE) {
		print_section(f, n, "index", "Indexes");
		print_section(f, n, "check", "Check constraints");
		print_section(f, n, "foreign key", "Foreign-key constraints");
		print_referrers(l, name);
		if (partition[0] != '\0')
			printf("Partitioned by: %s\n", partition);
		print_section(f, n, "source", "Fed by, and read-only for others");
		print_section(f, n, "reads", "Reads");
		print_section(f, n, "definition", "View definition");
		putchar('\n');
	}
	text_free(&title);
	free(cells);
}

/* --- procedures --- */

/* The arguments that follow line `at`, as CREATE PROCEDURE has them; the caller's to free. */
static char *arguments_of(const struct lines *l, size_t at)
{
	struct text t = { NULL, 0, 0 };

	for (size_t i = at + 1; i < l->n && is(&l->at[i], "argument"); i++) {
		const char *const *f = l->at[i].at;

		if (i > at + 1)
			text_add(&t, ", ", 2);
		text_add(&t, f[1], strlen(f[1]));
		if (f[1][0] != '\0')
			text_add(&t, " ", 1);
		text_add(&t, f[2], strlen(f[2]));
		if (f[3][0] != '\0') {
			text_add(&t, " DEFAULT ", 9);
			text_add(&t, f[3], strlen(f[3]));
		}
	}
	text_add(&t, "", 1);
	return t.p;
}

static void print_definition(const struct lines *l, size_t at)
{
	for (size_t i = at + 1; i < l->n && !is_object(&l->at[i]); i++)
		if (is(&l->at[i], "definition"))
			printf("%s\n\n", l->at[i].at[1]);
}

static bool list_procedures(struct cli *cli, const struct lines *l, const char *name)
{
	static const char *const NAMES[] = { "Name", "Argument data types" };
	const char **cells = need(calloc(2 * l->n + 1, sizeof(*cells)));
	char **owned = need(calloc(l->n + 1, sizeof(*owned)));
	struct grid g = {
		.title = "List of procedures", .ncolumns = 2, .names = NAMES, .footer = name == NULL
	};

	for (size_t i = 0; i < l->n; i++) {
		if (!is(&l->at[i], "procedure") ||
			(name != NULL && strcmp(l->at[i].at[1], name) != 0))
			continue;
		owned[g.nrows] = arguments_of(l, i);
		cells[2 * g.nrows] = l->at[i].at[1];
		cells[2 * g.nrows + 1] = owned[g.nrows];
		g.nrows++;
	}
	qsort(cells, g.nrows, 2 * sizeof(*cells), by_name);
	g.cells = cells;
	if (g.nrows == 0 && name != NULL)
		report(cli, "Did not find any procedure named \"%s\".", name);
	else if (g.nrows == 0 && cli->format == FORMAT_TABLE)
		fputs("Did not find any procedures.\n", stderr);
	else
		print_grid(stdout, cli->format, &g);
	for (size_t i = 0; name != NULL && cli->format == FORMAT_TABLE && i < l->n; i++)
		if (is(&l->at[i], "procedure") && strcmp(l->at[i].at[1], name) == 0)
			print_definition(l, i);
	for (size_t i = 0; owned[i] != NULL; i++)
		free(owned[i]);
	free(owned);
	free(cells);
	return name == NULL || g.nrows > 0;
}

/* --- what is asked for --- */

/* The server's schema; false: reported. The text is the caller's to free, and the lines. */
static bool read_schema(struct cli *cli, char **text, struct lines *l)
{
	struct lf_client_error e;

	if (lf_client_schema(cli->connection, text, NULL, &e) != 0) {
		report_error(cli, &e, NULL, 0);
		cli->quit = !lf_client_connected(cli->connection);
		return false;
	}
	*l = read_lines(*text);
	return true;
}

bool describe_procedures(struct cli *cli, const char *name)
{
	struct lines l;
	char *text;
	bool found;

	if (!read_schema(cli, &text, &l))
		return false;
	found = list_procedures(cli, &l, name);
	free(l.at);
	free(text);
	return found;
}

bool describe(struct cli *cli, char what, const char *name)
{
	struct lines l;
	bool found = false;
	char *text;

	if (!read_schema(cli, &text, &l))
		return false;
	if (name == NULL)
		found = list(cli, &l, what);
	for (size_t i = 0; name != NULL && i < l.n && !found; i++)
		if (is_relation(&l.at[i]) && strcmp(l.at[i].at[1], name) == 0) {
			describe_one(cli, &l, i);
			found = true;
		}
	if (!found)
		report(cli, "Did not find any relation named \"%s\".", name);
	free(l.at);
	free(text);
	return found;
}

/* --- \d+ --- */

/* Run a query about `name` (NULL: none), which stands where it says $1, and print it. */
static bool print_query(struct cli *cli, const char *title, const char *query, const char *name)
{
	struct lf_client_error e;
	struct text t = { NULL, 0, 0 };
	bool good;

	for (const char *p = query; *p != '\0'; p++) {
		if (*p != '$') {
			text_add(&t, p, 1);
			continue;
		}
		p++;
		text_add(&t, "'", 1);
		for (const char *q = name; *q != '\0'; q++)
			text_add(&t, *q == '\'' ? "\'\'" : q, *q == '\'' ? 2 : 1);
		text_add(&t, "'", 1);
	}
	good = run_wait(cli, t.p, t.n, &e) == 0;
	if (good) {
		struct grid g = result_grid(cli->answer);

		g.title = title;
		g.footer = name == NULL;
		if (name == NULL || g.nrows > 0)
			print_grid(stdout, cli->format, &g);
	} else {
		report_error(cli, &e, NULL, 0);
		cli->quit = !lf_client_connected(cli->connection);
	}
	text_free(&t);
	return good;
}

bool describe_more(struct cli *cli, const char *name)
{
	if (name == NULL)
		return print_query(cli, "List of relations",
			"SELECT name AS \"Name\", 'table' AS \"Type\", NULL AS \"State\", rows AS \"Rows\","
			" bytes AS \"Bytes\", NULL AS \"Memory limit\" FROM leftfold_tables UNION ALL"
			" SELECT name, 'materialized view', state, rows, bytes, memory_limit"
			" FROM leftfold_views ORDER BY 1",
			NULL);
	if (!describe(cli, 'a', name))
		return false;
	/* Other formats are for programs, which ask the system views themselves. */
	if (cli->format != FORMAT_TABLE)
		return true;
	return print_query(cli, NULL,
		       "SELECT rows AS \"Rows\", bytes AS \"Bytes\", indexes AS \"Indexes\","
		       " index_bytes AS \"Bytes of indexes\" FROM leftfold_tables WHERE name = $1",
		       name) &&
		print_query(cli, NULL,
			"SELECT state AS \"State\", rows AS \"Rows\", bytes AS \"Bytes\","
			" memory_limit AS \"Memory limit\", stages AS \"Stages\", sqlstate AS \"SQLSTATE\","
			" reason AS \"Reason\" FROM leftfold_views WHERE name = $1",
			name) &&
		print_query(cli, "Operators",
			"SELECT operator AS \"Operator\", stage AS \"Stage\", kind AS \"Kind\","
			" description AS \"Description\", rows_in AS \"Rows in\", rows_out AS \"Rows out\","
			" bytes AS \"Bytes\", time_us AS \"Time, us\" FROM leftfold_operators"
			" WHERE view = $1 ORDER BY operator",
			name);
}
