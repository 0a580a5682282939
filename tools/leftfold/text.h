/*
 * text.h: bytes that grow. The client ends when it has no memory.
 */
#ifndef LF_TOOLS_LEFTFOLD_TEXT_H
#define LF_TOOLS_LEFTFOLD_TEXT_H

#include <stddef.h>

/* A zero byte is kept behind them. */
struct text {
	char *p;
	size_t n, cap;
};
void text_add(struct text *t, const char *s, size_t n);
void text_clear(struct text *t);
void text_free(struct text *t);

void *need(void *p); /* ends the program when p is NULL */

#endif
