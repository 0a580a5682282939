/*
 * mem.h: heaps (accounted, limited), and arenas (bump allocation freed at once).
 *
 * A heap is a jemalloc arena (libc malloc in sanitizer builds) owned by one thread at a time: it
 * counts bytes and refuses beyond its limit. Frees may come from the owner only.
 * An arena is a list of chunks from a heap, freed as a whole or reset for reuse.
 */
#ifndef LF_BASE_MEM_H
#define LF_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#define MEM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEM_ASAN 1
#endif
#endif

struct heap;

/* Limit shared by many heaps: `used` is the sum over them (updated in slabs of 64 KiB, so it is
 * exact to that much a heap). limit 0: none. Plain struct, zero-initialised, outlives its heaps. */
struct heap_budget {
	uint64_t limit;
	uint64_t used; /* atomic */
};

/* New heap, NULL when the system has no memory. budget may be NULL. */
struct heap *heap_new(struct heap_budget *budget);
/* A shard's, which grows large: a thread touches memory ahead of its growth (extents.h), and its first `prefault`
 * bytes (rounded up to 2 MiB) are mapped and touched now and never given back to the system while it lives. */
struct heap *heap_new_shard(struct heap_budget *budget, size_t prefault);
/* A small one, cheap to make, whose memory comes from the process's common arenas: for the length of a
 * query. Everything must be freed before heap_free_all(). */
struct heap *heap_new_common(struct heap_budget *budget);
/* Frees every allocation still open in it (in jemalloc builds, by destroying the arena). */
void heap_free_all(struct heap *h);

/* size bytes, 16-aligned; NULL at the limit. size > 0. */
void *heap_alloc(struct heap *h, size_t size);
void *heap_zalloc(struct heap *h, size_t size);
/* align: a power of two >= 16; size a multiple of align (heap_free is told the size only), and
 * align <= 4096 or size >= 16 KiB. */
void *heap_alloc_aligned(struct heap *h, size_t size, size_t align);
/* p from heap_alloc* of the same heap with that size; NULL is allowed. */
void heap_free(struct heap *h, void *p, size_t size);
/* Freeing in slices: *left says how many blocks of HEAP_FREE_UNIT bytes may be freed yet; smaller ones count as one, larger
 * ones as what they are. It becomes less with each, and 0 at the least. */
enum { HEAP_FREE_UNIT = 256 };
static inline void heap_count_freed(size_t size, size_t *left)
{
	size_t n = 1 + size / HEAP_FREE_UNIT;

	*left = n < *left ? *left - n : 0;
}
/* heap_free(), counted. */
static inline void heap_free_counted(struct heap *h, void *p, size_t size, size_t *left)
{
	if (p != NULL)
		heap_count_freed(size, left);
	heap_free(h, p, size);
}
/* NULL at the limit; then p is untouched. p may be NULL with old == 0. */
void *heap_realloc(struct heap *h, void *p, size_t old, size_t size);
/* Whether more of a shard's heap would be memory that is not touched yet, but will be soon: who can wait had better. By the
 * owner. */
bool heap_is_behind(const struct heap *h);
/* Bytes asked for and not freed. */
uint64_t heap_used(const struct heap *h);
/* Where that number is kept, for the owner, who asks often. */
const uint64_t *heap_used_place(const struct heap *h);
/* The limit of the heap's budget; 0: none. */
uint64_t heap_limit(const struct heap *h);
/* Whether the heap's budget would allow `size` more now. */
int heap_would_fit(const struct heap *h, size_t size);
/* For tests: the n-th allocation (or growing heap_realloc) from now, counted from 1, fails once.
 * 0: none. */
void heap_fail_after(struct heap *h, uint64_t n);
/* For tests of programs whose every allocation fails once: heaps made from now on keep no small blocks in store, so that each
 * is asked of the allocator by itself. Before other threads are there. */
void heap_without_store(void);

/* A chunk's bytes follow its header. */
struct arena_chunk {
	struct arena_chunk *older;
	size_t size; /* of the chunk, header included */
};
struct arena {
	struct heap *heap;        /* NULL: libc malloc */
	struct arena_chunk *head; /* newest chunk */
	size_t used, cap;         /* of the newest chunk */
};

void arena_init(struct arena *a, struct heap *heap);
/* As arena_alloc(), from the newest chunk; NULL when it has no room, and for AddressSanitizer, which must be told. */
static inline void *arena_try(struct arena *a, size_t size)
{
#ifndef MEM_ASAN
	size_t take = (size + 15) & ~(size_t)15;

	/* Not of 0 bytes, nor of so many that `take` is 0. */
	if (__builtin_expect(take - 1 < a->cap - a->used, 1)) {
		void *p = (char *)(a->head + 1) + a->used;

		a->used += take;
		return p;
	}
#else
	(void)a;
	(void)size;
#endif
	return NULL;
}
/* 16-aligned, uninitialised; NULL when out of memory. Inline where the newest chunk has room, which is the rule: a command
 * allocates a dozen times. */
void *arena_alloc_any(struct arena *a, size_t size);
static inline void *arena_alloc(struct arena *a, size_t size)
{
	void *p = arena_try(a, size);

	return __builtin_expect(p != NULL, 1) ? p : arena_alloc_any(a, size);
}
void *arena_zalloc(struct arena *a, size_t size);
/* Copy of n bytes with a 0 byte behind it; NULL when out of memory. */
char *arena_strdup(struct arena *a, const char *s, size_t n);
/* That it has taken from its heap. */
size_t arena_bytes(const struct arena *a);
/* Everything in it becomes invalid; the newest chunk is kept for reuse unless it is huge. */
void arena_reset_used(struct arena *a);
static inline void arena_reset(struct arena *a)
{
	if (a->used > 0)
		arena_reset_used(a);
}
void arena_free(struct arena *a);

#endif
