/*
 * keymap.h: where the last change of each row stands, by a hash of its table and key.
 */
#ifndef LF_TOOLS_PGFEED_KEYMAP_H
#define LF_TOOLS_PGFEED_KEYMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 128 bits: two keys of one map have the same with a probability of less than 2^-60 among 2^33 keys. */
struct keyhash {
	uint64_t a, b;
};

struct keyhash keyhash_begin(uint64_t seed);
void keyhash_add(struct keyhash *h, const void *bytes, size_t n);

struct keymap;

/* NULL: out of memory. */
struct keymap *keymap_new(void);
void keymap_free(struct keymap *m);
/* Note a place for a key; *before is the one noted so far, UINT64_MAX: none. 0; -1: out of memory, nothing is changed. */
int keymap_set(struct keymap *m, struct keyhash key, uint64_t place, uint64_t *before);
/* UINT64_MAX: none. */
uint64_t keymap_get(const struct keymap *m, struct keyhash key);
size_t keymap_count(const struct keymap *m);

#endif
