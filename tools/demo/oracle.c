/*
 * oracle.c: see oracle.h. A relation is read whole from both sides, brought into the same text form and compared as
 * a multiset (rows.c).
 */
#include "tools/demo/oracle.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/demo/print.h"
#include "tools/demo/rows.h"

enum { HUNDREDTHS = 2, READ_MS = 30000, SQL_MAX = 256, SHOWN_BYTES = 80 };

unsigned relations_create(struct lf_client *c, const struct relation *list)
{
	struct lf_client_error e;
	unsigned n = 0;

	for (; list[n].name != NULL; n++) {
		const char *text[2] = { list[n].create, list[n].index };

		for (unsigned k = 0; k < 2 && text[k] != NULL; k++)
			if (lf_client_query(c, text[k], SIZE_MAX, NULL, NULL, &e) != 0)
				die("%s: %s\n%s", e.sqlstate, e.message, text[k]);
	}
	return n;
}

/* --- SQLite --- */

void oracle_run(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		die("SQLite: %s\n%s", sqlite3_errmsg(db), sql);
}

sqlite3 *oracle_open(const struct relation *tables)
{
	sqlite3 *db;

	if (sqlite3_open(":memory:", &db) != SQLITE_OK)
		die("SQLite cannot be opened");
	for (; tables->name != NULL; tables++)
		oracle_run(db, tables->oracle);
	return db;
}

void oracle_close(sqlite3 *db)
{
	(void)sqlite3_close(db);
}

sqlite3_stmt *oracle_prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s;

	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
		die("SQLite: %s\n%s", sqlite3_errmsg(db), sql);
	return s;
}

int oracle_step(sqlite3_stmt *s)
{
	int status = sqlite3_step(s);

	if (status != SQLITE_DONE && status != SQLITE_CONSTRAINT)
		die("SQLite: %s\n%s", sqlite3_errmsg(sqlite3_db_handle(s)), sqlite3_sql(s));
	(void)sqlite3_reset(s);
	return status;
}

static struct rows *oracle_rows(sqlite3 *db, const char *sql)
{
	struct rows *rows = rows_new();
	sqlite3_stmt *s = oracle_prepare(db, sql);
	int status;

	while ((status = sqlite3_step(s)) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(s); i++) {
			if (sqlite3_column_type(s, i) == SQLITE_FLOAT)
				die("SQLite computed with floating point: %s", sql);
			if (sqlite3_column_type(s, i) == SQLITE_NULL)
				rows_null(rows);
			else
				rows_field(rows, sqlite3_column_text(s, i),
					(size_t)sqlite3_column_bytes(s, i));
		}
		rows_end_row(rows);
	}
	if (status != SQLITE_DONE)
		die("SQLite: %s\n%s", sqlite3_errmsg(db), sql);
	(void)sqlite3_finalize(s);
	return rows;
}

/* --- the server --- */

/* A numeric with two decimals as whole hundredths. Another scale is left as it is, so that it differs. */
static void hundredths_field(
	struct rows *rows, const struct lf_result *r, size_t row, unsigned column)
{
	struct lf_decimal d = lf_result_decimal(r, row, column);
	char text[128];
	int n;

	if (d.scale == HUNDREDTHS && !d.nan && d.high == (int64_t)d.low >> 63)
		n = snprintf(text, sizeof(text), "%lld", (long long)d.low);
	else
		n = (int)lf_result_text(r, row, column, text, sizeof(text));
	rows_field(rows, text, (size_t)n);
}

static void text_field(struct rows *rows, const struct lf_result *r, size_t row, unsigned column)
{
	char small[256], *text = small;
	size_t n = lf_result_text(r, row, column, small, sizeof(small));

	if (n >= sizeof(small)) {
		text = malloc(n + 1);
		if (text == NULL)
			die("out of memory");
		(void)lf_result_text(r, row, column, text, n + 1);
	}
	rows_field(rows, text, n);
	if (text != small)
		free(text);
}

static struct rows *server_rows(struct lf_client *c, const struct relation *rel, uint64_t at_least)
{
	const struct lf_client_call call = { LF_ACK_VISIBLE, READ_MS, at_least };
	struct lf_result *r = lf_result_new();
	struct rows *rows = rows_new();
	struct lf_client_error e;
	char sql[SQL_MAX];

	(void)snprintf(sql, sizeof(sql), "SELECT * FROM %s", rel->name);
	if (r == NULL || lf_client_query(c, sql, SIZE_MAX, &call, r, &e) != 0)
		die("%s: %s: %s", rel->name, e.sqlstate, e.message);
	if (lf_result_ncolumns(r) != strlen(rel->formats))
		die("%s has %u columns", rel->name, lf_result_ncolumns(r));
	for (size_t i = 0; i < lf_result_nrows(r); i++) {
		for (unsigned k = 0; k < lf_result_ncolumns(r); k++) {
			if (lf_result_is_null(r, i, k))
				rows_null(rows);
			else if (rel->formats[k] == '2')
				hundredths_field(rows, r, i, k);
			else
				text_field(rows, r, i, k);
		}
		rows_end_row(rows);
	}
	lf_result_free(r);
	return rows;
}

/* --- both --- */

static void show_rows(const char *who, const struct rows *rows, const size_t *first, uint64_t n)
{
	for (uint64_t i = 0; i < n && i < ROWS_SHOWN; i++) {
		printf("      only %-9s", who);
		for (const char *s = rows_text(rows, first[i]); *s != '\0'; s++) {
			if (*s == ROWS_SEPARATOR)
				printf(" | ");
			else if (*s == ROWS_NULL)
				printf("NULL");
			else
				putchar(*s);
		}
		putchar('\n');
	}
}

struct verdict oracle_compare(struct lf_client *c, uint64_t at_least, sqlite3 *db,
	const struct relation *list, int tables)
{
	struct verdict v = { 0 };
	char sql[SQL_MAX];

	for (; list->name != NULL; list++) {
		struct rows *actual = server_rows(c, list, at_least), *expected;
		struct rows_difference d;
		bool equal;

		(void)snprintf(sql, sizeof(sql), "SELECT * FROM %s", list->name);
		expected = oracle_rows(db, tables ? sql : list->oracle);
		d = rows_compare(expected, actual);
		equal = d.missing == 0 && d.surplus == 0;
		printf("    %-5s %-20s %11s rows  %s\n", tables ? "table" : "view", list->name,
			number((int64_t)rows_count(actual)), equal ? "equal" : "DIFFERENT");
		if (!equal) {
			printf("      %s rows of SQLite's are missing, %s are there that it has not\n",
				number((int64_t)d.missing), number((int64_t)d.surplus));
			show_rows("SQLite", expected, d.first_missing, d.missing);
			show_rows("Leftfold", actual, d.first_surplus, d.surplus);
		}
		v.relations++;
		v.different += !equal;
		v.rows += rows_count(actual);
		rows_free(expected);
		rows_free(actual);
	}
	return v;
}
