/*
 * show.c: answers of the server, printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/demo/acts.h"
#include "tools/demo/print.h"

enum { COLUMNS_MAX = 12, CELL_MAX = 512, BAR = 50, READ_MS = 60000 };

struct lf_result *read_rows(struct demo *d, const char *sql)
{
	const struct lf_client_call fresh = { LF_ACK_VISIBLE, READ_MS, d->epoch };
	struct lf_result *r = lf_result_new();
	struct lf_client_error e;

	if (r == NULL || lf_client_query(d->read, sql, SIZE_MAX, &fresh, r, &e) != 0)
		die("%s: %s\n%s", e.sqlstate, e.message, sql);
	if (lf_result_ncolumns(r) > COLUMNS_MAX)
		die("more than %d columns: %s", COLUMNS_MAX, sql);
	return r;
}

static bool is_number(const struct lf_result *r, unsigned column)
{
	switch (lf_result_column_type(r, column).id) {
	case LF_TYPE_INT2:
	case LF_TYPE_INT4:
	case LF_TYPE_INT8:
	case LF_TYPE_NUMERIC: return true;
	default: return false;
	}
}

/* Numbers in groups of three digits, but not those that only name something. */
static void cell(const struct lf_result *r, size_t row, unsigned column, char *out)
{
	const char *name = lf_result_column_name(r, column);
	size_t n = strlen(name), len = lf_result_text(r, row, column, out, CELL_MAX);
	char plain[CELL_MAX];

	if (lf_result_is_null(r, row, column)) {
		(void)snprintf(out, CELL_MAX, "-");
	} else if (len >= CELL_MAX) {
		(void)snprintf(out, CELL_MAX, "(long)");
	} else if (is_number(r, column) && (n < 3 || strcmp(name + n - 3, "_id") != 0)) {
		memcpy(plain, out, len + 1);
		group_digits(plain, out, CELL_MAX);
	}
}

/* `label` NULL: none; else a first column that holds it. */
static struct table *begin(const struct lf_result *r, char *align, const char *label)
{
	const char *headers[COLUMNS_MAX + 1];
	unsigned n = 0;

	if (label != NULL) {
		headers[n] = label;
		align[n++] = 'l';
	}
	for (unsigned i = 0; i < lf_result_ncolumns(r); i++) {
		headers[n] = lf_result_column_name(r, i);
		align[n++] = is_number(r, i) ? 'r' : 'l';
	}
	align[n] = '\0';
	return table_new(align, headers);
}

static void add_rows(struct table *t, const struct lf_result *r, const char *label)
{
	char text[CELL_MAX];

	for (size_t i = 0; i < lf_result_nrows(r); i++) {
		if (label != NULL)
			table_cell(t, label);
		for (unsigned k = 0; k < lf_result_ncolumns(r); k++) {
			cell(r, i, k, text);
			table_cell(t, text);
		}
	}
	if (label != NULL && lf_result_nrows(r) == 0) {
		table_cell(t, label);
		for (unsigned k = 0; k < lf_result_ncolumns(r); k++)
			table_cell(t, k == 0 ? "(no row)" : "");
	}
}

void show_query(struct demo *d, const char *what, const char *sql)
{
	struct lf_result *r = read_rows(d, sql);
	char align[COLUMNS_MAX + 2];
	struct table *t;

	print_subheading("%s", what);
	t = begin(r, align, NULL);
	add_rows(t, r, NULL);
	table_print(t);
	lf_result_free(r);
}

void show_bars(struct demo *d, const char *what, const char *sql)
{
	struct lf_result *r = read_rows(d, sql);
	int64_t most = 1;
	char label[CELL_MAX];

	print_subheading("%s", what);
	for (size_t i = 0; i < lf_result_nrows(r); i++)
		if (lf_result_int(r, i, 1) > most)
			most = lf_result_int(r, i, 1);
	for (size_t i = 0; i < lf_result_nrows(r); i++) {
		int64_t n = lf_result_int(r, i, 1);

		(void)lf_result_text(r, i, 0, label, sizeof(label));
		printf("    %6s  %9s  ", label, number(n));
		for (int64_t k = 0; k < (n * BAR + most / 2) / most; k++)
			putchar('#');
		putchar('\n');
	}
	lf_result_free(r);
}

void watch_begin(struct watch *w, struct demo *d, const char *const *sql, unsigned n)
{
	w->demo = d;
	w->n = n;
	for (unsigned i = 0; i < n; i++) {
		w->sql[i] = sql[i];
		w->before[i] = read_rows(d, sql[i]);
	}
}

void watch_end(struct watch *w)
{
	char align[COLUMNS_MAX + 2];

	for (unsigned i = 0; i < w->n; i++) {
		struct lf_result *after = read_rows(w->demo, w->sql[i]);
		const char *from = strstr(w->sql[i], "FROM ");
		char view[64] = "";
		struct table *t;

		if (from != NULL)
			(void)snprintf(
				view, sizeof(view), "%.*s", (int)strcspn(from + 5, " "), from + 5);
		t = begin(after, align, view);
		add_rows(t, w->before[i], "before");
		add_rows(t, after, "after");
		table_print(t);
		lf_result_free(w->before[i]);
		lf_result_free(after);
	}
}
