/*
 * rows.c: rows as texts in one growing block of bytes, and their comparison by merging two sorted lists.
 */
#include "tools/demo/rows.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tools/demo/print.h"

struct rows {
	char *bytes; /* rows, each ended with a zero byte */
	size_t used, cap;
	size_t *start; /* of each row */
	size_t n, start_cap;
	bool open; /* the last row has a field already */
	size_t open_at;
};

struct rows *rows_new(void)
{
	struct rows *r = calloc(1, sizeof(*r));

	if (r == NULL)
		die("out of memory");
	return r;
}

void rows_free(struct rows *r)
{
	if (r == NULL)
		return;
	free(r->bytes);
	free(r->start);
	free(r);
}

static void put(struct rows *r, const void *bytes, size_t n)
{
	if (r->cap - r->used < n) {
		size_t cap = r->cap == 0 ? 4096 : r->cap;

		while (cap - r->used < n)
			cap *= 2;
		r->bytes = realloc(r->bytes, cap);
		if (r->bytes == NULL)
			die("out of memory");
		r->cap = cap;
	}
	if (n > 0)
		memcpy(r->bytes + r->used, bytes, n);
	r->used += n;
}

void rows_field(struct rows *r, const void *text, size_t len)
{
	const char separator = ROWS_SEPARATOR;

	if (r->open)
		put(r, &separator, 1);
	else
		r->open_at = r->used;
	r->open = true;
	put(r, text, len);
}

void rows_null(struct rows *r)
{
	const char null = ROWS_NULL;

	rows_field(r, &null, 1);
}

void rows_end_row(struct rows *r)
{
	if (!r->open)
		r->open_at = r->used;
	if (r->n == r->start_cap) {
		r->start_cap = r->start_cap == 0 ? 256 : 2 * r->start_cap;
		r->start = realloc(r->start, r->start_cap * sizeof(*r->start));
		if (r->start == NULL)
			die("out of memory");
	}
	put(r, "", 1);
	r->start[r->n++] = r->open_at;
	r->open = false;
}

size_t rows_count(const struct rows *r)
{
	return r->n;
}

const char *rows_text(const struct rows *r, size_t i)
{
	return r->bytes + r->start[i];
}

static int order(const void *a, const void *b, void *bytes)
{
	return strcmp(
		(const char *)bytes + *(const size_t *)a, (const char *)bytes + *(const size_t *)b);
}

static void sort(struct rows *r)
{
	if (r->n > 1)
		qsort_r(r->start, r->n, sizeof(*r->start), order, r->bytes);
}

struct rows_difference rows_compare(struct rows *expected, struct rows *actual)
{
	struct rows_difference d = { 0 };
	size_t i = 0, j = 0;

	sort(expected);
	sort(actual);
	while (i < expected->n || j < actual->n) {
		int c = i == expected->n ? 1
			: j == actual->n ? -1
					 : strcmp(rows_text(expected, i), rows_text(actual, j));

		if (c < 0 && d.missing < ROWS_SHOWN)
			d.first_missing[d.missing] = i;
		if (c > 0 && d.surplus < ROWS_SHOWN)
			d.first_surplus[d.surplus] = j;
		d.missing += c < 0;
		d.surplus += c > 0;
		i += c <= 0;
		j += c >= 0;
	}
	return d;
}
