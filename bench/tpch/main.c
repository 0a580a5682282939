/*
 * main.c: tpch-rows: the generator's tables, rows and queries as SQL that PostgreSQL reads as well.
 *
 *   tpch-rows [--scale SF] [--seed N] schema|rows|queries
 *
 * schema: CREATE TABLE of the eight tables. rows: INSERT of all their rows, some hundred in a statement. queries: a line
 * each: name, the error with which a view of it is refused, columns by which its rows differ, text; between them tabs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/tpch/sql.h"

enum { ROWS_OF_INSERT = 200 };

struct dump {
	enum tpch_table table;
	uint64_t n;
};

static void print_field(char kind, const struct tpch_field *f)
{
	char date[TPCH_DATE_TEXT];

	switch (kind) {
	case 'i': printf("%" PRId64, f->number); break;
	case 'n':
		printf("%s%" PRId64 ".%02" PRId64, f->number < 0 ? "-" : "",
			(int64_t)llabs(f->number) / 100, (int64_t)llabs(f->number) % 100);
		break;
	case 'd': printf("'%s'", tpch_date_text(f->number, date)); break;
	default: printf("'%s'", f->text);
	}
}

static void print_row(void *arg, const struct tpch_row *row)
{
	struct dump *d = arg;
	const struct tpch_table_form *form = &TPCH_FORM[d->table];

	if (d->n % ROWS_OF_INSERT == 0)
		printf("%sINSERT INTO %s VALUES\n", d->n > 0 ? ";\n" : "", form->name);
	else
		puts(",");
	d->n++;
	for (unsigned i = 0; i < row->n; i++) {
		fputs(i == 0 ? "(" : ", ", stdout);
		print_field(form->kinds[i], &row->fields[i]);
	}
	putchar(')');
}

static void print_rows(double scale, uint64_t seed)
{
	struct tpch t;

	tpch_init(&t, scale, seed);
	for (unsigned table = 0; table < TPCH_TABLES; table++) {
		struct dump d = { .table = table };

		tpch_each(&t, table, print_row, &d);
		puts(";");
	}
}

static void print_schema(void)
{
	for (unsigned i = 0; i < TPCH_TABLES; i++)
		printf("%s;\n", TPCH_CREATE[i]);
}

static void print_queries(void)
{
	for (unsigned i = 0; i < TPCH_QUERIES; i++)
		printf("%s\t%s\t%s\t%s\n", TPCH_QUERY[i].name,
			TPCH_QUERY[i].refused != NULL ? TPCH_QUERY[i].refused : "",
			TPCH_QUERY[i].key != NULL ? TPCH_QUERY[i].key : "", TPCH_QUERY[i].text);
}

int main(int argc, char **argv)
{
	double scale = 0.001;
	uint64_t seed = 1;
	const char *what = "";
	int i = 1;

	for (; i + 2 < argc; i += 2)
		if (strcmp(argv[i], "--scale") == 0)
			scale = strtod(argv[i + 1], NULL);
		else if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 10);
		else
			break;
	if (i + 1 == argc)
		what = argv[i];
	if (strcmp(what, "schema") == 0)
		print_schema();
	else if (strcmp(what, "rows") == 0 && scale > 0)
		print_rows(scale, seed);
	else if (strcmp(what, "queries") == 0)
		print_queries();
	else
		return fprintf(stderr,
			       "usage: tpch-rows [--scale SF] [--seed N] schema|rows|queries\n"),
		       2;
	return fflush(stdout) == 0 ? 0 : 1;
}
