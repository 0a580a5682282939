/*
 * group_map.c: linear hashing (Litwin, 1980): chain heads in blocks that never move; each group beyond one a
 * chain splits the next chain in turn. A block that cannot be had is no error: the next insertion tries
 * again.
 */
#include "core/flow/group_map.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

enum { BLOCK = 256, BLOCKS_MIN = 8 };

struct group_map {
	struct heap *heap;
	struct group ***blocks;
	size_t blocks_cap;
	uint64_t chains; /* in use, >= BLOCK */
	uint64_t level;  /* power of two: chains is in [level, 2 * level) */
	uint64_t count;
};

static struct group **chain(const struct group_map *m, uint64_t i)
{
	return &m->blocks[i / BLOCK][i % BLOCK];
}

static uint64_t chain_of(const struct group_map *m, uint64_t hash)
{
	uint64_t i = hash & (2 * m->level - 1);

	return i < m->chains ? i : i & (m->level - 1);
}

static int block_add(struct group_map *m)
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

struct group_map *group_map_new(struct heap *h)
{
	struct group_map *m = heap_zalloc(h, sizeof(*m));

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

void group_map_free(struct group_map *m, void (*fn)(void *arg, struct group *g), void *arg)
{
	if (m == NULL)
		return;
	for (uint64_t i = 0; i < m->chains; i++)
		for (struct group *g = *chain(m, i); g != NULL;) {
			struct group *next = g->next;

			fn(arg, g);
			g = next;
		}
	for (uint64_t i = 0; i < m->chains; i += BLOCK)
		heap_free(m->heap, m->blocks[i / BLOCK], BLOCK * sizeof(**m->blocks));
	heap_free(m->heap, m->blocks, m->blocks_cap * sizeof(*m->blocks));
	heap_free(m->heap, m, sizeof(*m));
}

struct group *group_map_chain(const struct group_map *m, uint64_t hash)
{
	return *chain(m, chain_of(m, hash));
}

void group_map_prefetch(const struct group_map *m, uint64_t hash)
{
	__builtin_prefetch(chain(m, chain_of(m, hash)));
}

/* One more chain, taking its part of the one it is split from. */
static void grow(struct group_map *m)
{
	struct group **from, **to, **link, *g;

	if (m->chains % BLOCK == 0 && block_add(m) != 0)
		return;
	from = chain(m, m->chains - m->level);
	to = chain(m, m->chains);
	for (link = from; (g = *link) != NULL;) {
		if ((g->hash & (2 * m->level - 1)) != m->chains) {
			link = &g->next;
			continue;
		}
		*link = g->next;
		g->next = *to;
		*to = g;
	}
	m->chains++;
	if (m->chains == 2 * m->level)
		m->level = m->chains;
}

void group_map_insert(struct group_map *m, struct group *g)
{
	struct group **head = chain(m, chain_of(m, g->hash));

	g->next = *head;
	*head = g;
	if (++m->count > m->chains)
		grow(m);
}

void group_map_remove(struct group_map *m, struct group *g)
{
	struct group **link = chain(m, chain_of(m, g->hash));

	while (*link != g) {
		ASSERT(*link != NULL);
		link = &(*link)->next;
	}
	*link = g->next;
	m->count--;
}

uint64_t group_map_count(const struct group_map *m)
{
	return m->count;
}
