/*
 * retire.c: a FIFO of (epoch, pointer, size) in a ring that doubles. The links cannot live in the retired
 * objects, since readers still look at those.
 */
#include "core/sync/retire.h"

#include <string.h>

#include "core/base/assert.h"

struct item {
	uint64_t epoch;
	void *p;
	size_t size;
};

struct retire {
	struct heap *heap;
	struct item *items;
	size_t cap;        /* power of two, or 0 */
	size_t head, tail; /* only grow; head == tail: empty */
	size_t held;       /* bytes that wait, and of the items */
};

enum { ITEMS_MIN = 256 };

struct retire *retire_new(struct heap *h)
{
	struct retire *l = heap_zalloc(h, sizeof(*l));

	if (l != NULL)
		l->heap = h;
	return l;
}

void retire_free(struct retire *l)
{
	retire_run(l, UINT64_MAX, UINT32_MAX);
	if (l->items != NULL)
		heap_free(l->heap, l->items, l->cap * sizeof(*l->items));
	heap_free(l->heap, l, sizeof(*l));
}

int retire_reserve(struct retire *l, unsigned n)
{
	size_t used = l->tail - l->head, cap = l->cap == 0 ? ITEMS_MIN : l->cap;
	struct item *items;

	if (used + n <= l->cap)
		return 0;
	while (cap < used + n)
		cap *= 2;
	items = heap_alloc(l->heap, cap * sizeof(*items));
	if (items == NULL)
		return -1;
	for (size_t i = 0; i < used; i++)
		items[i] = l->items[(l->head + i) & (l->cap - 1)];
	if (l->items != NULL)
		heap_free(l->heap, l->items, l->cap * sizeof(*l->items));
	l->held += (cap - l->cap) * sizeof(*items);
	l->items = items;
	l->cap = cap;
	l->head = 0;
	l->tail = used;
	return 0;
}

void retire_add(struct retire *l, uint64_t epoch, void *p, size_t size)
{
	ASSERT(l->tail - l->head < l->cap);
	l->items[l->tail++ & (l->cap - 1)] = (struct item){ epoch, p, size };
	l->held += size;
}

unsigned retire_run(struct retire *l, uint64_t reclaimable, unsigned max)
{
	unsigned n = 0;

	while (n < max && l->head != l->tail) {
		const struct item *item = &l->items[l->head & (l->cap - 1)];

		if (item->epoch > reclaimable)
			break;
		l->held -= item->size;
		l->head++;
		heap_free(l->heap, item->p, item->size);
		n++;
	}
	return n;
}

size_t retire_bytes(const struct retire *l)
{
	return l->held - l->cap * sizeof(*l->items);
}

const size_t *retire_held_place(const struct retire *l)
{
	return &l->held;
}
