/*
 * multimap.c: linear hashing (Litwin, 1980): chains in blocks of 1024 heads that never move; each insertion
 * beyond one entry a chain splits the next chain in turn.
 */
#include "core/store/multimap.h"

#include <string.h>

#include "core/base/assert.h"

enum { BLOCK = 1024, BLOCKS_MIN = 8 };

struct multimap {
	struct heap *heap;
	struct multimap_entry ***blocks;
	size_t blocks_cap;
	uint64_t chains; /* in use, >= BLOCK */
	uint64_t level;  /* power of two: chains is in [level, 2 * level) */
	uint64_t count;
};

static struct multimap_entry **chain(const struct multimap *m, uint64_t i)
{
	return &m->blocks[i / BLOCK][i % BLOCK];
}

static uint64_t chain_of(const struct multimap *m, uint64_t hash)
{
	uint64_t i = hash & (2 * m->level - 1);

	return i < m->chains ? i : i & (m->level - 1);
}

static int block_add(struct multimap *m)
{
	size_t n = m->chains / BLOCK;

	if (n == m->blocks_cap) {
		size_t cap = m->blocks_cap == 0 ? BLOCKS_MIN : 2 * m->blocks_cap;
		void *blocks = heap_realloc(m->heap, m->blocks, m->blocks_cap * sizeof(*m->blocks),
			cap * sizeof(*m->blocks));

		if (blocks == NULL)
			return -1;
		m->blocks = blocks;
		m->blocks_cap = cap;
	}
	m->blocks[n] = heap_zalloc(m->heap, BLOCK * sizeof(**m->blocks));
	return m->blocks[n] == NULL ? -1 : 0;
}

struct multimap *multimap_new(struct heap *h)
{
	struct multimap *m = heap_zalloc(h, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->heap = h;
	if (block_add(m) != 0) {
		heap_free(h, m->blocks, m->blocks_cap * sizeof(*m->blocks));
		heap_free(h, m, sizeof(*m));
		return NULL;
	}
	m->chains = m->level = BLOCK;
	return m;
}

static size_t entry_bytes(const struct multimap_entry *e)
{
	return sizeof(*e) + row_size(e->row);
}

void multimap_free(struct multimap *m)
{
	if (m == NULL)
		return;
	for (uint64_t i = 0; i < m->chains; i++)
		for (struct multimap_entry *e = *chain(m, i); e != NULL;) {
			struct multimap_entry *next = e->next;

			heap_free(m->heap, e, entry_bytes(e));
			e = next;
		}
	for (uint64_t i = 0; i < m->chains; i += BLOCK)
		heap_free(m->heap, m->blocks[i / BLOCK], BLOCK * sizeof(**m->blocks));
	heap_free(m->heap, m->blocks, m->blocks_cap * sizeof(*m->blocks));
	heap_free(m->heap, m, sizeof(*m));
}

/* One more chain, taking its part of the one it is split from. Failing is harmless. */
static void grow(struct multimap *m)
{
	struct multimap_entry **from, **to, **link;

	if (m->chains % BLOCK == 0 && block_add(m) != 0)
		return;
	from = chain(m, m->chains - m->level);
	to = chain(m, m->chains);
	for (link = from; *link != NULL;) {
		struct multimap_entry *e = *link;

		if ((e->hash & (2 * m->level - 1)) != m->chains) {
			link = &e->next;
			continue;
		}
		*link = e->next;
		e->next = *to;
		*to = e;
	}
	m->chains++;
	if (m->chains == 2 * m->level)
		m->level = m->chains;
}

int multimap_add(struct multimap *m, uint64_t hash, const void *row, int64_t weight)
{
	struct multimap_entry **link = chain(m, chain_of(m, hash)), *e;
	uint32_t size = row_size(row);

	if (weight == 0)
		return 0;
	for (; (e = *link) != NULL; link = &e->next) {
		if (e->hash != hash || row_size(e->row) != size || memcmp(e->row, row, size) != 0)
			continue;
		e->weight += weight;
		if (e->weight == 0) {
			*link = e->next;
			heap_free(m->heap, e, entry_bytes(e));
			m->count--;
		}
		return 0;
	}
	e = heap_alloc(m->heap, sizeof(*e) + size);
	if (e == NULL)
		return -1;
	e->hash = hash;
	e->weight = weight;
	memcpy(e->row, row, size);
	link = chain(m, chain_of(m, hash));
	e->next = *link;
	*link = e;
	if (++m->count > m->chains)
		grow(m);
	return 0;
}

const struct multimap_entry *multimap_first(const struct multimap *m, uint64_t hash)
{
	const struct multimap_entry *e = *chain(m, chain_of(m, hash));

	while (e != NULL && e->hash != hash)
		e = e->next;
	return e;
}

uint64_t multimap_count(const struct multimap *m)
{
	return m->count;
}

void multimap_check(const struct multimap *m)
{
	uint64_t n = 0;

	ASSERT(m->chains >= m->level && m->chains < 2 * m->level);
	for (uint64_t i = 0; i < m->chains; i++)
		for (const struct multimap_entry *e = *chain(m, i); e != NULL; e = e->next) {
			ASSERT(chain_of(m, e->hash) == i && e->weight != 0);
			n++;
		}
	ASSERT(n == m->count);
}
