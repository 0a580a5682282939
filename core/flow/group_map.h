/*
 * group_map.h: the groups of one view in one shard, by hash.
 *
 * Linear hashing with chains, as in multimap.h: it grows one chain at a time, so no delta waits for a rehash,
 * and colliding keys cost a longer chain and nothing worse. The caller makes and compares groups.
 */
#ifndef LF_FLOW_GROUP_MAP_H
#define LF_FLOW_GROUP_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap;

/* The states of the aggregates and the packed key follow, at offsets known to the plan. */
struct group {
	struct group *next;
	uint64_t hash;
	int64_t weight; /* rows of the group */
	int64_t key;    /* groups by one integer */
	void *copy;     /* what it has published, when it keeps a copy */
	uint32_t copy_size;
	bool published;
	bool dirty;
	bool key_null; /* groups by one integer: it is NULL */
};

struct group_map;

struct group_map *group_map_new(struct heap *h);
/* Calls fn for each group, which may free it, then frees the map. */
void group_map_free(struct group_map *m, void (*fn)(void *arg, struct group *g), void *arg);
/* First group in the chain of a hash (others may be in it too: compare g->hash). */
struct group *group_map_chain(const struct group_map *m, uint64_t hash);
void group_map_prefetch(const struct group_map *m, uint64_t hash);
/* g->hash is set. Never fails: without memory the chains become longer. */
void group_map_insert(struct group_map *m, struct group *g);
/* g is in the map. */
void group_map_remove(struct group_map *m, struct group *g);
uint64_t group_map_count(const struct group_map *m);

#endif
