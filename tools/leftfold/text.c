/*
 * text.c: bytes that grow, and what happens without memory.
 */
#include "tools/leftfold/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *need(void *p)
{
	if (p == NULL) {
		fputs("leftfold: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

void text_add(struct text *t, const char *s, size_t n)
{
	if (t->n + n + 1 > t->cap) {
		size_t cap = t->cap == 0 ? 256 : t->cap;

		while (cap < t->n + n + 1)
			cap *= 2;
		t->p = need(realloc(t->p, cap));
		t->cap = cap;
	}
	if (n > 0)
		memcpy(t->p + t->n, s, n);
	t->n += n;
	t->p[t->n] = '\0';
}

void text_clear(struct text *t)
{
	t->n = 0;
	text_add(t, "", 0);
}

void text_free(struct text *t)
{
	free(t->p);
	*t = (struct text){ NULL, 0, 0 };
}
