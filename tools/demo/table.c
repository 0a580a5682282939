/*
 * table.c: aligned tables. Cells are kept until the widths are known; when all together are too wide, the widest
 * left-aligned column gives way.
 */
#include "tools/demo/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 16, TABLE_WIDTH = 98, GAP = 2, INDENT = 4, LEAST = 8 };

struct table {
	const char *align;
	size_t columns, n, cap;
	char **cell; /* headers first */
};

static void add(struct table *t, const char *text)
{
	if (t->n == t->cap) {
		t->cap = t->cap == 0 ? 64 : 2 * t->cap;
		t->cell = realloc(t->cell, t->cap * sizeof(*t->cell));
		if (t->cell == NULL)
			die("out of memory");
	}
	t->cell[t->n] = strdup(text);
	if (t->cell[t->n++] == NULL)
		die("out of memory");
}

struct table *table_new(const char *align, const char *const *headers)
{
	struct table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		die("out of memory");
	t->align = align;
	t->columns = strlen(align);
	if (t->columns > COLUMNS_MAX)
		die("a table of more than %d columns", COLUMNS_MAX);
	for (size_t i = 0; i < t->columns; i++)
		add(t, headers[i]);
	return t;
}

void table_cell(struct table *t, const char *text)
{
	add(t, text);
}

/* Characters, not bytes. */
static size_t width(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* Bytes of the first n characters. */
static size_t prefix(const char *s, size_t n)
{
	size_t i = 0;

	while (s[i] != '\0') {
		if (((unsigned char)s[i] & 0xc0) != 0x80 && n-- == 0)
			break;
		i++;
	}
	return i;
}

static void measure(const struct table *t, size_t *widths)
{
	size_t total = INDENT;

	for (size_t c = 0; c < t->columns; c++) {
		widths[c] = 0;
		for (size_t i = c; i < t->n; i += t->columns)
			if (width(t->cell[i]) > widths[c])
				widths[c] = width(t->cell[i]);
		total += widths[c] + GAP;
	}
	while (total > TABLE_WIDTH) {
		size_t widest = 0;

		for (size_t c = 1; c < t->columns; c++)
			if (t->align[c] == 'l' &&
				(t->align[widest] != 'l' || widths[c] > widths[widest]))
				widest = c;
		if (widths[widest] <= LEAST)
			break;
		widths[widest]--;
		total--;
	}
}

static void print_cell(const char *text, char align, size_t to, int last)
{
	size_t have = width(text), pad = have < to ? to - have : 0;

	if (last && have == 0)
		return;
	if (align == 'r')
		printf("%*s%s", (int)pad, "", text);
	else if (have > to)
		printf("%.*s...", (int)prefix(text, to - 3), text);
	else
		printf("%s%*s", text, last ? 0 : (int)pad, "");
	if (!last)
		printf("%*s", GAP, "");
}

void table_print(struct table *t)
{
	size_t widths[COLUMNS_MAX];

	measure(t, widths);
	for (size_t i = 0; i < t->n; i += t->columns) {
		printf("%*s", INDENT, "");
		for (size_t c = 0; c < t->columns; c++)
			print_cell(t->cell[i + c], t->align[c], widths[c], c + 1 == t->columns);
		putchar('\n');
		if (i == 0) {
			printf("%*s", INDENT, "");
			for (size_t c = 0; c < t->columns; c++) {
				for (size_t k = 0; k < widths[c]; k++)
					putchar('-');
				printf("%*s", c + 1 == t->columns ? 0 : GAP, "");
			}
			putchar('\n');
		}
	}
	for (size_t i = 0; i < t->n; i++)
		free(t->cell[i]);
	free(t->cell);
	free(t);
}
