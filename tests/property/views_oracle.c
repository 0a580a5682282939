/*
 * views_oracle.c: the oracle: SQLite in memory, and what turns its results into PostgreSQL's text.
 *
 * Nothing here calls Leftfold. Rows are lists of texts that are compared sorted, as multisets.
 */
#include "tests/property/views.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_TEXT_MAX = 4096, NUMBER_MAX = 64, DIGITS_OF_TEN = 4 };

typedef __int128 int128;

struct oracle {
	sqlite3 *db;
};

/* --- rows --- */

void rows_add(struct rows *r, const char *text)
{
	if (r->n == r->cap) {
		r->cap = r->cap == 0 ? 64 : 2 * r->cap;
		r->row = realloc(r->row, r->cap * sizeof(*r->row));
		if (r->row == NULL)
			abort();
	}
	r->row[r->n] = strdup(text);
	if (r->row[r->n++] == NULL)
		abort();
}

static int text_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void rows_sort(struct rows *r)
{
	if (r->n > 1)
		qsort(r->row, r->n, sizeof(*r->row), text_order);
}

void rows_free(struct rows *r)
{
	for (unsigned i = 0; i < r->n; i++)
		free(r->row[i]);
	free(r->row);
	*r = (struct rows){ 0 };
}

const char *row_column(const char *row, unsigned k)
{
	static char buffers[4][ROW_TEXT_MAX];
	static unsigned turn;
	char *out = buffers[turn++ % 4];
	size_t n;

	while (k-- > 0)
		row = strchr(row, '|') + 1;
	n = strcspn(row, "|");
	memcpy(out, row, n);
	out[n] = '\0';
	return out;
}

/* --- numbers as PostgreSQL prints them --- */

static int128 power_of_ten(unsigned n)
{
	int128 p = 1;

	while (n-- > 0)
		p *= 10;
	return p;
}

/* n / 10^scale with exactly `scale` decimals. */
static void print_scaled(char *out, int128 n, unsigned scale)
{
	char digits[NUMBER_MAX], *end = digits + sizeof(digits), *at = end;
	bool negative = n < 0;

	if (negative)
		n = -n;
	for (unsigned i = 0; n > 0 || i <= scale; i++) {
		if (i == scale && scale > 0)
			*--at = '.';
		*--at = (char)('0' + (int)(n % 10));
		n /= 10;
	}
	if (negative)
		*--at = '-';
	memcpy(out, at, (size_t)(end - at));
	out[end - at] = '\0';
}

/* The first digit in base 10000 that is not zero, of n / 10^scale, and its weight. */
static void leading_digit(int128 n, unsigned scale, int *weight, int *digit)
{
	*weight = *digit = 0;
	if (n < 0)
		n = -n;
	if (n == 0)
		return;
	while (scale % DIGITS_OF_TEN != 0) {
		n *= 10;
		scale++;
	}
	*weight = -(int)(scale / DIGITS_OF_TEN);
	while (n >= 10000) {
		n /= 10000;
		(*weight)++;
	}
	*digit = (int)n;
}

/* numeric division: at least 16 significant digits, by the rule of select_div_scale() in PostgreSQL's
 * numeric.c; rounded half away from zero. */
static void print_division(char *out, int128 a, unsigned scale_a, int128 b, unsigned scale_b)
{
	int weight_a, digit_a, weight_b, digit_b, weight, scale;
	bool negative = (a < 0) != (b < 0);
	int128 quotient, rest;

	leading_digit(a, scale_a, &weight_a, &digit_a);
	leading_digit(b, scale_b, &weight_b, &digit_b);
	weight = weight_a - weight_b - (digit_a <= digit_b ? 1 : 0);
	scale = 16 - weight * DIGITS_OF_TEN;
	if (scale < (int)scale_a)
		scale = (int)scale_a;
	if (scale < (int)scale_b)
		scale = (int)scale_b;
	if (scale < 0)
		scale = 0;
	a = (a < 0 ? -a : a) * power_of_ten((unsigned)scale + scale_b);
	b = (b < 0 ? -b : b) * power_of_ten(scale_a);
	quotient = a / b;
	rest = a % b;
	if (2 * rest >= b)
		quotient++;
	print_scaled(out, negative ? -quotient : quotient, (unsigned)scale);
}

/* The shortest text that reads back as the same double. */
static void print_float(char *out, double d)
{
	char text[NUMBER_MAX];
	int precision = 0, exponent;

	do
		(void)snprintf(text, sizeof(text), "%.*e", precision, d);
	while (strtod(text, NULL) != d && ++precision < 17);
	exponent = atoi(strchr(text, 'e') + 1);
	if (exponent < -4 || exponent >= 15)
		(void)snprintf(out, NUMBER_MAX, "%s", text);
	else
		(void)snprintf(out, NUMBER_MAX, "%.*f",
			precision > exponent ? precision - exponent : 0, d);
}

/* --- one row --- */

static bool is_null(sqlite3_stmt *s, int column)
{
	return sqlite3_column_type(s, column) == SQLITE_NULL;
}

/* One item of a format; returns how many columns it takes. */
static int print_item(sqlite3_stmt *s, int column, const char *item, char *out)
{
	unsigned scale = item[1] > ' ' ? (unsigned)(item[1] - '0') : 0;
	int two = item[0] == 'd' || item[0] == 'e';

	if (is_null(s, column) ||
		(two && (is_null(s, column + 1) || sqlite3_column_double(s, column + 1) == 0))) {
		memcpy(out, "\\N", 3);
		return 1 + two;
	}
	switch (item[0]) {
	case 'b': memcpy(out, sqlite3_column_int(s, column) != 0 ? "t" : "f", 2); break;
	case 'n': print_scaled(out, sqlite3_column_int64(s, column), scale); break;
	case 'f': print_float(out, sqlite3_column_double(s, column)); break;
	case 'e':
		print_float(out,
			sqlite3_column_double(s, column) / sqlite3_column_double(s, column + 1));
		break;
	case 'd':
		print_division(out, sqlite3_column_int64(s, column), scale,
			sqlite3_column_int64(s, column + 1), (unsigned)(item[2] - '0'));
		break;
	default:
		(void)snprintf(out, ROW_TEXT_MAX / 8, "%s%s",
			(const char *)sqlite3_column_text(s, column), item[0] == 'z' ? "+00" : "");
	}
	return 1 + two;
}

static void print_row(sqlite3_stmt *s, const char *format, char *out)
{
	int column = 0;

	for (const char *item = format; *item != '\0'; item++) {
		if (*item == ' ')
			continue;
		if (item != format)
			*out++ = '|';
		column += print_item(s, column, item, out);
		out += strlen(out);
		item += strcspn(item, " ");
		if (*item == '\0')
			break;
	}
	if (column != sqlite3_column_count(s)) {
		fprintf(stderr, "format \"%s\" does not fit: %s\n", format, sqlite3_sql(s));
		exit(2);
	}
}

/* --- SQLite --- */

static void broken(struct oracle *o, const char *sql)
{
	fprintf(stderr, "SQLite: %s: %s\n", sqlite3_errmsg(o->db), sql);
	exit(2);
}

/* rnd(x, unit): x / unit, half away from zero. */
static void sql_round(sqlite3_context *c, int n, sqlite3_value **v)
{
	int64_t x = sqlite3_value_int64(v[0]), unit = sqlite3_value_int64(v[1]);

	(void)n;
	if (sqlite3_value_type(v[0]) != SQLITE_NULL)
		sqlite3_result_int64(c, x < 0 ? -((-x + unit / 2) / unit) : (x + unit / 2) / unit);
}

/* rint(x): half to even. */
static void sql_rint(sqlite3_context *c, int n, sqlite3_value **v)
{
	(void)n;
	if (sqlite3_value_type(v[0]) != SQLITE_NULL)
		sqlite3_result_double(c, rint(sqlite3_value_double(v[0])));
}

static void must(struct oracle *o, const char *sql)
{
	if (sqlite3_exec(o->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		broken(o, sql);
}

struct oracle *oracle_open(void)
{
	struct oracle *o = calloc(1, sizeof(*o));

	if (o == NULL || sqlite3_open(":memory:", &o->db) != SQLITE_OK)
		abort();
	must(o, "PRAGMA case_sensitive_like = ON");
	sqlite3_create_function(
		o->db, "rnd", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, sql_round, NULL, NULL);
	sqlite3_create_function(
		o->db, "rint", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, sql_rint, NULL, NULL);
	for (unsigned i = 0; i < TABLES; i++)
		must(o, TABLE_DEFS[i].oracle_create);
	return o;
}

void oracle_close(struct oracle *o)
{
	sqlite3_close(o->db);
	free(o);
}

int oracle_run(struct oracle *o, const char *sql, uint64_t *count)
{
	int before = sqlite3_total_changes(o->db), status;

	must(o, "SAVEPOINT command");
	status = sqlite3_exec(o->db, sql, NULL, NULL, NULL);
	*count = (uint64_t)(sqlite3_total_changes(o->db) - before);
	if (status != SQLITE_OK) {
		if ((sqlite3_errcode(o->db) & 0xff) != SQLITE_CONSTRAINT)
			broken(o, sql);
		must(o, "ROLLBACK TO command");
	}
	must(o, "RELEASE command");
	return status == SQLITE_OK ? 0 : -1;
}

static sqlite3_stmt *prepare(struct oracle *o, const char *sql)
{
	sqlite3_stmt *s;

	if (sqlite3_prepare_v2(o->db, sql, -1, &s, NULL) != SQLITE_OK)
		broken(o, sql);
	return s;
}

int64_t oracle_number(struct oracle *o, const char *sql)
{
	sqlite3_stmt *s = prepare(o, sql);
	int64_t n = 0;

	if (sqlite3_step(s) == SQLITE_ROW)
		n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

void oracle_rows(struct oracle *o, const char *sql, const char *format, struct rows *out)
{
	sqlite3_stmt *s = prepare(o, sql);
	char text[ROW_TEXT_MAX];
	int status;

	while ((status = sqlite3_step(s)) == SQLITE_ROW) {
		print_row(s, format, text);
		rows_add(out, text);
	}
	if (status != SQLITE_DONE)
		broken(o, sql);
	sqlite3_finalize(s);
}

void oracle_borrow_begin(struct oracle *o)
{
	must(o, "SAVEPOINT borrow");
}

/* From the printed text back to the oracle's form. */
static void bind_text(sqlite3_stmt *s, int column, char kind, const char *text)
{
	char plain[ROW_TEXT_MAX], *to = plain;

	if (strcmp(text, "\\N") == 0) {
		sqlite3_bind_null(s, column);
		return;
	}
	switch (kind) {
	case 'i': sqlite3_bind_int64(s, column, strtoll(text, NULL, 10)); return;
	case 'f': sqlite3_bind_double(s, column, strtod(text, NULL)); return;
	case 'b': sqlite3_bind_int(s, column, text[0] == 't'); return;
	case 'n':
		for (; *text != '\0'; text++)
			if (*text != '.')
				*to++ = *text;
		*to = '\0';
		sqlite3_bind_int64(s, column, strtoll(plain, NULL, 10));
		return;
	default:
		sqlite3_bind_text(s, column, text, (int)(strlen(text) - (kind == 'z' ? 3 : 0)),
			SQLITE_TRANSIENT);
	}
}

void oracle_borrow(struct oracle *o, unsigned table, const struct rows *rows)
{
	const char *format = TABLE_DEFS[table].format;
	char sql[256], marks[128] = "";
	sqlite3_stmt *s;
	int n = 0;

	for (const char *item = format; item != NULL; item = strchr(item + 1, ' '))
		strcat(marks, n++ == 0 ? "?" : ", ?");
	(void)snprintf(sql, sizeof(sql), "DELETE FROM %s", TABLE_DEFS[table].name);
	must(o, sql);
	(void)snprintf(
		sql, sizeof(sql), "INSERT INTO %s VALUES (%s)", TABLE_DEFS[table].name, marks);
	s = prepare(o, sql);
	for (unsigned i = 0; i < rows->n; i++) {
		const char *item = format;

		for (int k = 0; k < n; k++) {
			bind_text(s, k + 1, *item, row_column(rows->row[i], (unsigned)k));
			item += strcspn(item, " ") + 1;
		}
		if (sqlite3_step(s) != SQLITE_DONE)
			broken(o, sql);
		sqlite3_reset(s);
	}
	sqlite3_finalize(s);
}

void oracle_borrow_end(struct oracle *o)
{
	must(o, "ROLLBACK TO borrow");
	must(o, "RELEASE borrow");
}
