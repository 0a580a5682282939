/*
 * sweep.c: see sweep.h. The rows' hashes are sorted by their first bits, in place (American flag sort), until so few have
 * the same that they are about one segment of a directory.
 */
#include "core/store/sweep.h"

#include "core/store/row.h"

enum {
	DIGIT_BITS = 8,
	DIGITS = 1 << DIGIT_BITS,
	HASH_BITS = 64,
	FEW = 256,
	FETCH = 16 /* rows ahead */
};

/* By the digit at shift and those below. */
static void sort(struct sweep_row *a, size_t n, unsigned shift)
{
	size_t next[DIGITS], end[DIGITS], count[DIGITS] = { 0 }, at = 0;

	for (size_t i = 0; i < n; i++)
		count[a[i].hash >> shift & (DIGITS - 1)]++;
	for (unsigned d = 0; d < DIGITS; d++) {
		next[d] = at;
		at += count[d];
		end[d] = at;
	}
	/* Each into the place that is next for its digit; what was there goes on. */
	for (unsigned d = 0; d < DIGITS; d++)
		while (next[d] < end[d]) {
			struct sweep_row r = a[next[d]];
			uint64_t to = r.hash >> shift & (DIGITS - 1);

			a[next[d]] = a[next[to]];
			a[next[to]++] = r;
		}
	for (unsigned d = 0; d < DIGITS && shift > 0; d++)
		if (count[d] > FEW)
			sort(a + end[d] - count[d], count[d], shift - DIGIT_BITS);
}

void table_sweep_begin(struct table_sweep *s, const struct table *t, uint16_t col)
{
	const struct row_layout *l = table_layout(t);
	const void *row;

	*s = (struct table_sweep){ .heap = table_heap(t), .cap = table_rows(t) };
	table_scan_begin(&s->scan, t, UINT64_MAX);
	if (s->cap > 0)
		s->rows = heap_alloc(s->heap, s->cap * sizeof(*s->rows));
	if (s->rows == NULL)
		return;
	while (s->n < s->cap && (row = table_scan_next(&s->scan)) != NULL)
		s->rows[s->n++] = (struct sweep_row){ row_hash(l, row, &col, 1), row };
	sort(s->rows, s->n, HASH_BITS - DIGIT_BITS);
}

const void *table_sweep_next(struct table_sweep *s)
{
	if (s->rows == NULL)
		return table_scan_next(&s->scan);
	if (s->at == s->n)
		return NULL;
	if (s->at + FETCH < s->n)
		__builtin_prefetch(s->rows[s->at + FETCH].row);
	return s->rows[s->at++].row;
}

void table_sweep_end(struct table_sweep *s)
{
	if (s->rows != NULL)
		heap_free(s->heap, s->rows, s->cap * sizeof(*s->rows));
	s->rows = NULL;
}
