/*
 * sweep.c: see sweep.h. The heads of all versions are collected without looking at them and sorted by address: most
 * significant byte first, in place (American flag sort), down to pieces of a page, in which order does not matter.
 */
#include "core/store/sweep.h"

#include <string.h>

enum {
	DIGIT_BITS = 8,
	DIGITS = 1 << DIGIT_BITS,
	PAGE_BITS = 12, /* no order within one */
	FEW = 32,
	FETCH = 8 /* rows ahead */
};

static uintptr_t digit(const struct version *v, unsigned shift)
{
	return (uintptr_t)v >> shift & (DIGITS - 1);
}

static void sort_few(const struct version **a, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		const struct version *v = a[i];
		size_t k = i;

		for (; k > 0 && (uintptr_t)a[k - 1] > (uintptr_t)v; k--)
			a[k] = a[k - 1];
		a[k] = v;
	}
}

/* By the bits below shift + DIGIT_BITS; those above are equal. */
static void sort(const struct version **a, size_t n, unsigned shift)
{
	size_t next[DIGITS], end[DIGITS], count[DIGITS] = { 0 }, at = 0;

	for (size_t i = 0; i < n; i++)
		count[digit(a[i], shift)]++;
	for (unsigned d = 0; d < DIGITS; d++) {
		next[d] = at;
		at += count[d];
		end[d] = at;
	}
	/* Each into the place that is next for its digit; what was there goes on. */
	for (unsigned d = 0; d < DIGITS; d++)
		while (next[d] < end[d]) {
			const struct version *v = a[next[d]];
			uintptr_t to = digit(v, shift);

			a[next[d]] = a[next[to]];
			a[next[to]++] = v;
		}
	for (unsigned d = 0; d < DIGITS && shift > PAGE_BITS; d++) {
		const struct version **of_digit = a + end[d] - count[d];

		if (count[d] > FEW)
			sort(of_digit, count[d], shift - DIGIT_BITS);
		else
			sort_few(of_digit, count[d]);
	}
}

/* The lowest shift that leaves all differing bits of the addresses below shift + DIGIT_BITS. */
static unsigned first_shift(const struct version *const *a, size_t n)
{
	uintptr_t differ = 0;
	unsigned shift = 0;

	for (size_t i = 1; i < n; i++)
		differ |= (uintptr_t)a[i] ^ (uintptr_t)a[0];
	while (differ >> shift >= DIGITS)
		shift++;
	return shift;
}

void table_sweep_begin(struct table_sweep *s, const struct table *t, uint64_t v)
{
	*s = (struct table_sweep){ .heap = table_heap(t), .n = table_places(t, NULL), .v = v };
	if (s->n > 0)
		s->heads = heap_alloc(s->heap, s->n * sizeof(struct version *));
	if (s->heads == NULL) {
		table_scan_begin(&s->scan, t, v);
		return;
	}
	(void)table_places(t, s->heads);
	sort(s->heads, s->n, first_shift(s->heads, s->n));
}

const void *table_sweep_next(struct table_sweep *s)
{
	if (s->heads == NULL)
		return table_scan_next(&s->scan);
	while (s->at < s->n) {
		const struct version *v;

		if (s->at + FETCH < s->n)
			__builtin_prefetch(s->heads[s->at + FETCH]);
		v = version_at(s->heads[s->at++], s->v);
		if (v != NULL && !(v->flags & VERSION_DEAD))
			return v->row;
	}
	return NULL;
}

void table_sweep_end(struct table_sweep *s)
{
	if (s->heads != NULL)
		heap_free(s->heap, s->heads, s->n * sizeof(struct version *));
	s->heads = NULL;
}
