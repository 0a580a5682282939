/*
 * buffer.c: bytes that grow at the end and are used up from the start; see connection.h.
 */
#include <stdlib.h>
#include <string.h>

#include "net/server/connection.h"

enum { BUFFER_FIRST = 4096 };

unsigned char *buffer_room(struct buffer *b, size_t n)
{
	unsigned char *data;
	size_t cap = b->cap == 0 ? BUFFER_FIRST : b->cap;

	if (b->used + n <= b->cap)
		return b->data + b->used;
	if (b->head > 0) {
		memmove(b->data, b->data + b->head, b->used - b->head);
		b->used -= b->head;
		b->head = 0;
		if (b->used + n <= b->cap)
			return b->data + b->used;
	}
	while (cap < b->used + n)
		cap *= 2;
	data = realloc(b->data, cap);
	if (data == NULL)
		return NULL;
	b->data = data;
	b->cap = cap;
	return b->data + b->used;
}

void buffer_consume(struct buffer *b, size_t n)
{
	b->head += n;
	if (b->head == b->used)
		b->head = b->used = 0;
}

void buffer_free(struct buffer *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}
