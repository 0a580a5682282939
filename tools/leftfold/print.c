/*
 * print.c: rows as psql prints them (aligned table, csv), and as JSON.
 *
 * A cell is formatted each time it is needed into one buffer, so that large answers are not held twice; a table
 * needs it twice, for the width and for the print.
 */
#include "tools/leftfold/cli.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* --- grids --- */

struct grid result_grid(const struct lf_result *r)
{
	return (struct grid){ .result = r,
		.ncolumns = lf_result_ncolumns(r),
		.nrows = lf_result_nrows(r),
		.footer = true };
}

static const char *name_of(const struct grid *g, unsigned column)
{
	return g->result != NULL ? lf_result_column_name(g->result, column) : g->names[column];
}

static enum lf_type_id type_of(const struct grid *g, unsigned column)
{
	return g->result != NULL ? (enum lf_type_id)lf_result_column_type(g->result, column).id
				 : LF_TYPE_TEXT;
}

/* The cell's text; NULL for NULL. Valid until the next call with the same buffer. */
static const char *cell(const struct grid *g, size_t row, unsigned column, struct text *t)
{
	size_t n;

	if (g->result == NULL)
		return g->cells == NULL ? NULL : g->cells[row * g->ncolumns + column];
	if (lf_result_is_null(g->result, row, column))
		return NULL;
	text_clear(t);
	n = lf_result_text(g->result, row, column, t->p, t->cap);
	if (n >= t->cap) {
		t->p = need(realloc(t->p, n + 1));
		t->cap = n + 1;
		n = lf_result_text(g->result, row, column, t->p, t->cap);
	}
	t->n = n;
	return t->p;
}

static bool is_number(enum lf_type_id type)
{
	return type >= LF_TYPE_INT2 && type <= LF_TYPE_NUMERIC;
}

/* --- tables --- */

/* The next line of a cell's text, printable: *s moves on behind it. Returns its width in columns. */
static size_t next_line(const char **s, struct text *out)
{
	mbstate_t state = { 0 };
	size_t width = 0;

	text_clear(out);
	while (**s != '\0' && **s != '\n') {
		char special[8];
		wchar_t wide;
		size_t n;
		int w;

		if (**s == '\t') {
			n = 8 - width % 8;
			text_add(out, "        ", n);
			width += n;
			(*s)++;
			continue;
		}
		if ((unsigned char)**s < 0x20 || **s == 0x7f) {
			n = (size_t)snprintf(special, sizeof(special),
				**s == '\r' ? "\\r" : "\\x%02X", (unsigned char)**s);
			text_add(out, special, n);
			width += n;
			(*s)++;
			continue;
		}
		n = mbrtowc(&wide, *s, MB_CUR_MAX, &state);
		if (n == (size_t)-1 || n == (size_t)-2 || n == 0) {
			n = 1;
			w = 1;
			memset(&state, 0, sizeof(state));
		} else {
			w = wcwidth(wide);
		}
		text_add(out, *s, n);
		width += w > 0 ? (size_t)w : 0;
		*s += n;
	}
	return width;
}

static size_t width_of(const char *s, struct text *t)
{
	size_t width = 0;

	for (;;) {
		size_t n = next_line(&s, t);

		if (n > width)
			width = n;
		if (*s++ == '\0')
			return width;
	}
}

static void pad(FILE *out, size_t n)
{
	while (n-- > 0)
		fputc(' ', out);
}

enum align { ALIGN_LEFT, ALIGN_RIGHT, ALIGN_CENTER };

struct table {
	FILE *out;
	const struct grid *g;
	size_t *widths;
	const char **rest; /* of each cell, what is not printed yet; NULL: nothing */
	struct text *cells, line;
};

/* One line of each cell of a row; a + marks those that go on. Returns whether there are more lines. */
static bool print_line(struct table *t, bool header)
{
	bool more = false;

	for (unsigned c = 0; c < t->g->ncolumns; c++) {
		bool last = c + 1 == t->g->ncolumns, goes_on = false;
		enum align align = header             ? ALIGN_CENTER
			: is_number(type_of(t->g, c)) ? ALIGN_RIGHT
						      : ALIGN_LEFT;
		size_t width = 0, space, left;
		bool ended = t->rest[c] == NULL;

		text_clear(&t->line);
		if (t->rest[c] != NULL) {
			width = next_line(&t->rest[c], &t->line);
			goes_on = *t->rest[c] == '\n';
			t->rest[c] = goes_on ? t->rest[c] + 1 : NULL;
		}
		more = more || goes_on;
		space = t->widths[c] - width;
		left = align == ALIGN_LEFT ? 0 : align == ALIGN_RIGHT ? space : space / 2;
		fputc(' ', t->out);
		pad(t->out, ended && last ? 0 : left);
		fwrite(t->line.p, 1, t->line.n, t->out);
		if (!last || goes_on || header)
			pad(t->out, space - left);
		if (goes_on)
			fputc('+', t->out);
		else if (!last || header)
			fputc(' ', t->out);
		if (!last)
			fputc('|', t->out);
	}
	fputc('\n', t->out);
	return more;
}

static void print_rule(const struct table *t)
{
	for (unsigned c = 0; c < t->g->ncolumns; c++) {
		if (c > 0)
			fputc('+', t->out);
		for (size_t i = 0; i < t->widths[c] + 2; i++)
			fputc('-', t->out);
	}
	fputc('\n', t->out);
}

static void print_title(struct table *t)
{
	size_t whole = t->g->ncolumns == 0 ? 0 : t->g->ncolumns - 1, n;

	for (unsigned c = 0; c < t->g->ncolumns; c++)
		whole += t->widths[c] + 2;
	n = width_of(t->g->title, &t->line);
	if (whole > n)
		pad(t->out, (whole - n) / 2);
	fprintf(t->out, "%s\n", t->g->title);
}

static void print_table(FILE *out, const struct grid *g)
{
	struct table t = { .out = out, .g = g };

	t.widths = need(calloc(g->ncolumns + 1u, sizeof(*t.widths)));
	t.rest = need(calloc(g->ncolumns + 1u, sizeof(*t.rest)));
	t.cells = need(calloc(g->ncolumns + 1u, sizeof(*t.cells)));
	for (unsigned c = 0; c < g->ncolumns; c++) {
		t.widths[c] = width_of(name_of(g, c), &t.line);
		for (size_t i = 0; i < g->nrows; i++) {
			const char *s = cell(g, i, c, &t.cells[c]);
			size_t n = s == NULL ? 0 : width_of(s, &t.line);

			if (n > t.widths[c])
				t.widths[c] = n;
		}
	}
	if (g->title != NULL)
		print_title(&t);
	for (unsigned c = 0; c < g->ncolumns; c++)
		t.rest[c] = name_of(g, c);
	while (print_line(&t, true))
		;
	print_rule(&t);
	for (size_t i = 0; i < g->nrows; i++) {
		for (unsigned c = 0; c < g->ncolumns; c++)
			t.rest[c] = cell(g, i, c, &t.cells[c]);
		while (print_line(&t, false))
			;
	}
	if (g->footer)
		fprintf(out, "(%zu row%s)\n\n", g->nrows, g->nrows == 1 ? "" : "s");
	for (unsigned c = 0; c < g->ncolumns; c++)
		text_free(&t.cells[c]);
	text_free(&t.line);
	free(t.cells);
	free(t.rest);
	free(t.widths);
}

/* --- csv --- */

static void csv_field(FILE *out, const char *s)
{
	if (s == NULL)
		return;
	if (strpbrk(s, ",\"\n\r") == NULL && strcmp(s, "\\.") != 0) {
		fputs(s, out);
		return;
	}
	fputc('"', out);
	for (; *s != '\0'; s++) {
		if (*s == '"')
			fputc('"', out);
		fputc(*s, out);
	}
	fputc('"', out);
}

void print_csv_row(FILE *out, const struct grid *g, size_t row)
{
	struct text t = { NULL, 0, 0 };

	for (unsigned c = 0; c < g->ncolumns; c++) {
		if (c > 0)
			fputc(',', out);
		csv_field(out, cell(g, row, c, &t));
	}
	text_free(&t);
}

static void print_csv(FILE *out, const struct grid *g)
{
	for (unsigned c = 0; c < g->ncolumns; c++) {
		if (c > 0)
			fputc(',', out);
		csv_field(out, name_of(g, c));
	}
	fputc('\n', out);
	for (size_t i = 0; i < g->nrows; i++) {
		print_csv_row(out, g, i);
		fputc('\n', out);
	}
}

/* --- JSON --- */

void print_json_string(FILE *out, const char *s, size_t n)
{
	fputc('"', out);
	for (const char *end = s + n; s < end; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if (*s == '\n')
			fputs("\\n", out);
		else if ((unsigned char)*s < 0x20)
			fprintf(out, "\\u%04x", (unsigned char)*s);
		else
			fputc(*s, out);
	}
	fputc('"', out);
}

static void json_string(FILE *out, const char *s)
{
	print_json_string(out, s, strlen(s));
}

/* Numbers and booleans are JSON's; NaN and infinities, which JSON has not, are strings. */
static void json_value(FILE *out, const char *s, enum lf_type_id type)
{
	if (s == NULL)
		fputs("null", out);
	else if (type == LF_TYPE_BOOL)
		fputs(*s == 't' ? "true" : "false", out);
	else if (is_number(type) && strpbrk(s, "NI") == NULL)
		fputs(s, out);
	else
		json_string(out, s);
}

void print_json_value(FILE *out, const struct lf_result *r, unsigned column)
{
	const struct grid g = { .result = r };
	struct text t = { NULL, 0, 0 };

	json_value(out, cell(&g, 0, column, &t), type_of(&g, column));
	text_free(&t);
}

void print_json_object(FILE *out, const struct lf_result *r)
{
	const char *between = "";

	fputc('{', out);
	for (unsigned c = 0; c < lf_result_ncolumns(r); c++) {
		const char *name = lf_result_column_name(r, c);

		if (name[0] == '\0')
			continue;
		fputs(between, out);
		between = ", ";
		json_string(out, name);
		fputs(": ", out);
		print_json_value(out, r, c);
	}
	fputc('}', out);
}

void print_json_row(FILE *out, const struct grid *g, size_t row)
{
	struct text t = { NULL, 0, 0 };

	fputc('{', out);
	for (unsigned c = 0; c < g->ncolumns; c++) {
		if (c > 0)
			fputs(", ", out);
		json_string(out, name_of(g, c));
		fputs(": ", out);
		json_value(out, cell(g, row, c, &t), type_of(g, c));
	}
	fputc('}', out);
	text_free(&t);
}

static void print_json(FILE *out, const struct grid *g, bool lines)
{
	if (!lines)
		fputc('[', out);
	for (size_t i = 0; i < g->nrows; i++) {
		if (!lines && i > 0)
			fputs(",\n ", out);
		print_json_row(out, g, i);
		if (lines)
			fputc('\n', out);
	}
	if (!lines)
		fputs("]\n", out);
}

void print_grid(FILE *out, enum format format, const struct grid *g)
{
	switch (format) {
	case FORMAT_TABLE: print_table(out, g); break;
	case FORMAT_CSV: print_csv(out, g); break;
	case FORMAT_JSON: print_json(out, g, false); break;
	case FORMAT_NDJSON: print_json(out, g, true); break;
	}
}
