/*
 * mem.c: heaps and arenas.
 *
 * A heap owns one jemalloc arena and one explicit thread cache, so its memory lies together, is
 * never mixed with another shard's, and goes away at once; extents.c says where a shard's comes from.
 * Allocation passes the size on free (sdallocx), so that freeing a row touches no allocator metadata that is not in the
 * thread cache. Small blocks come from and go to a magazine of their size first: jemalloc's way to an arena that is
 * named costs some 125 instructions a block, the magazine some 15, and it is filled many blocks at a time.
 *
 * Accounting: `used` is the owner's plain counter; the shared budget is only touched when `used`
 * crosses what the heap has `reserved` from it, in slabs. A heap gives slabs back when it has
 * HEAP_SPARE_MAX too many, not at once, so that a load swinging around a boundary stays local. A
 * refused reservation makes the allocation return NULL; so does a system without memory.
 *
 * Under LF_LIBC_MALLOC (sanitizer builds) every block is a libc allocation of its own with a
 * header in front, linked into a list: the sanitizer sees each block's end, heap_free_all can find
 * what is open, and heap_free checks heap and size.
 */
#include "core/base/mem.h"
#include "core/base/assert.h"
#include "core/base/extents.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef LF_LIBC_MALLOC
#include <jemalloc/jemalloc.h>
#endif

#ifdef MEM_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum {
	HEAP_SLAB = 64 * 1024,
	HEAP_SPARE_MAX = 2 * HEAP_SLAB,
	HEAP_ALIGN = 16,
	HEAP_LARGE = 16 * 1024, /* from here jemalloc's size classes are whole pages */
	HEAP_PAGE = 4096,

	MAGAZINE_SIZE_MAX = 512, /* larger blocks have none */
	MAGAZINE_CLASSES = MAGAZINE_SIZE_MAX / HEAP_ALIGN,
	MAGAZINE_BLOCKS = 128,

	ARENA_CHUNK_MIN = 4 * 1024,    /* bytes of the first chunk, header included */
	ARENA_CHUNK_MAX = 1024 * 1024, /* chunks double up to this; larger requests get their own */
};

#ifdef LF_LIBC_MALLOC
struct heap_block {
	struct heap_block *next, *prev;
	struct heap *heap;
	size_t size;
	void *base; /* what libc returned */
	uint64_t unused;
};
_Static_assert(sizeof(struct heap_block) % HEAP_ALIGN == 0, "what follows a header is aligned");
#endif

/* With an arena of its own; that, for a shard; without one. */
enum heap_kind { HEAP_PLAIN, HEAP_SHARD, HEAP_COMMON };

#ifndef LF_LIBC_MALLOC
/* Free blocks of one size, a multiple of HEAP_ALIGN. */
struct magazine {
	unsigned n;
	void *blocks[MAGAZINE_BLOCKS];
};
#endif

struct heap {
	uint64_t used;     /* bytes of the owner's open allocations; others may read it */
	uint64_t reserved; /* slabs taken from the budget; used <= reserved */
	struct heap_budget *budget;
	uint64_t fail_after;
#ifdef LF_LIBC_MALLOC
	struct heap_block blocks; /* head of the ring of open blocks */
#else
	enum heap_kind kind;
	unsigned arena, tcache;
	int flags;                  /* for mallocx and friends */
	struct extents extents;     /* of a shard's */
	struct magazine *magazines; /* MAGAZINE_CLASSES; NULL: none */
	size_t batch_mib[2]; /* jemalloc's way to many blocks at once; SIZE_MAX: it has none */
#endif
	struct heap_budget unlimited; /* the budget of a heap made without one */
};

/* Take at least `need` bytes from the budget; false when it would exceed the limit. */
static bool heap_reserve(struct heap *h, uint64_t need)
{
	uint64_t take = (need + HEAP_SLAB - 1) & ~(uint64_t)(HEAP_SLAB - 1);
	uint64_t limit = __atomic_load_n(&h->budget->limit, __ATOMIC_RELAXED);
	uint64_t sum;

	if (take < need)
		return false;
	sum = __atomic_add_fetch(&h->budget->used, take, __ATOMIC_RELAXED);
	if (limit && sum > limit) {
		__atomic_sub_fetch(&h->budget->used, take, __ATOMIC_RELAXED);
		return false;
	}
	h->reserved += take;
	return true;
}

static void heap_release_spare(struct heap *h)
{
	uint64_t keep = (h->used + HEAP_SLAB + HEAP_SLAB - 1) & ~(uint64_t)(HEAP_SLAB - 1);

	__atomic_sub_fetch(&h->budget->used, h->reserved - keep, __ATOMIC_RELAXED);
	h->reserved = keep;
}

/* Account for size more bytes; false at the limit. */
static inline bool heap_charge(struct heap *h, size_t size)
{
	uint64_t used = h->used + size;

	if (__builtin_expect(h->fail_after != 0, 0) && --h->fail_after == 0)
		return false;
	if (__builtin_expect(used < size, 0))
		return false;
	if (__builtin_expect(used > h->reserved, 0) && !heap_reserve(h, used - h->reserved))
		return false;
	__atomic_store_n(&h->used, used, __ATOMIC_RELAXED);
	return true;
}

static inline void heap_credit(struct heap *h, size_t size)
{
	DEBUG_ASSERT(size <= h->used);
	__atomic_store_n(&h->used, h->used - size, __ATOMIC_RELAXED);
	if (__builtin_expect(h->reserved - h->used > HEAP_SPARE_MAX, 0))
		heap_release_spare(h);
}

static bool without_store;

void heap_without_store(void)
{
	without_store = true;
}

#ifdef LF_LIBC_MALLOC

static int heap_open(struct heap *h, enum heap_kind kind, size_t prefault)
{
	(void)kind;
	(void)prefault;
	(void)without_store;
	h->blocks.next = h->blocks.prev = &h->blocks;
	return 0;
}

static struct heap_block *block_of(void *p)
{
	return (struct heap_block *)((char *)p - sizeof(struct heap_block));
}

static void *raw_alloc(struct heap *h, size_t size, size_t align, bool zero)
{
	size_t front = sizeof(struct heap_block) > align ? sizeof(struct heap_block) : align;
	struct heap_block *b;
	void *base;
	char *p;

	/* Alignment greater than the header: both are powers of two or the header is a multiple. */
	front = (front + align - 1) / align * align;
	if (size > SIZE_MAX - front || posix_memalign(&base, align, front + size) != 0)
		return NULL;
	p = (char *)base + front;
	b = block_of(p);
	b->heap = h;
	b->size = size;
	b->base = base;
	b->next = &h->blocks;
	b->prev = h->blocks.prev;
	b->prev->next = b;
	h->blocks.prev = b;
	if (zero)
		memset(p, 0, size);
	return p;
}

static void raw_free(struct heap *h, void *p, size_t size)
{
	struct heap_block *b = block_of(p);

	ASSERT(b->heap == h && b->size == size);
	b->prev->next = b->next;
	b->next->prev = b->prev;
	free(b->base);
}

static void *raw_realloc(struct heap *h, void *p, size_t old, size_t size)
{
	void *q = raw_alloc(h, size, HEAP_ALIGN, false);

	if (!q)
		return NULL;
	memcpy(q, p, old < size ? old : size);
	raw_free(h, p, old);
	return q;
}

bool heap_is_behind(const struct heap *h)
{
	(void)h;
	return false;
}

static void heap_close(struct heap *h)
{
	while (h->blocks.next != &h->blocks)
		raw_free(h, (char *)h->blocks.next + sizeof(struct heap_block),
			h->blocks.next->size);
}

#else

static void heap_arena_destroy(struct heap *h)
{
	char name[64];

	snprintf(name, sizeof(name), "arena.%u.destroy", h->arena);
	ASSERT(mallctl(name, NULL, NULL, NULL, 0) == 0);
	if (h->kind == HEAP_SHARD)
		extents_close(&h->extents);
}

static int heap_open(struct heap *h, enum heap_kind kind, size_t prefault)
{
	size_t len = sizeof(unsigned);

	h->kind = kind;
	if (kind == HEAP_COMMON)
		return 0;
	if (kind == HEAP_SHARD ? extents_open(&h->extents, prefault, &h->arena) != 0
			       : mallctl("arenas.create", &h->arena, &len, NULL, 0) != 0)
		return -1;
	if (mallctl("tcache.create", &h->tcache, &len, NULL, 0) != 0) {
		heap_arena_destroy(h);
		return -1;
	}
	h->flags = (int)(MALLOCX_ARENA(h->arena) | MALLOCX_TCACHE(h->tcache));
	if (without_store)
		return 0;
	len = 2;
	if (mallctlnametomib("experimental.batch_alloc", h->batch_mib, &len) != 0)
		h->batch_mib[0] = SIZE_MAX;
	/* Without it everything works. */
	h->magazines = calloc(MAGAZINE_CLASSES, sizeof(*h->magazines));
	return 0;
}

/* A block of this size is 16-aligned: jemalloc aligns by size class, all of which from 16 bytes on are multiples of that. */
static inline size_t raw_size(size_t size)
{
	return (size + HEAP_ALIGN - 1) & ~(size_t)(HEAP_ALIGN - 1);
}

/* What jemalloc's "experimental.batch_alloc" takes. */
struct batch_packet {
	void **blocks;
	size_t n, size;
	int flags;
};

/* Put half of what a magazine holds into it: all at once where this jemalloc can. Stays empty without memory. */
static __attribute__((noinline)) void magazine_fill(struct heap *h, struct magazine *m, size_t size)
{
	struct batch_packet packet = { m->blocks, MAGAZINE_BLOCKS / 2, size, h->flags };
	size_t filled = 0, len = sizeof(filled);

	if (h->batch_mib[0] == SIZE_MAX ||
		mallctlbymib(h->batch_mib, 2, &filled, &len, &packet, sizeof(packet)) != 0)
		filled = 0;
	if (filled == 0 && (m->blocks[0] = mallocx(size, h->flags)) != NULL)
		filled = 1;
	m->n = (unsigned)filled;
}

/* The older half back to jemalloc. */
static __attribute__((noinline)) void magazine_drain(
	struct heap *h, struct magazine *m, size_t size)
{
	enum { HALF = MAGAZINE_BLOCKS / 2 };

	for (unsigned i = 0; i < HALF; i++) {
		sdallocx(m->blocks[i], size, h->flags);
		m->blocks[i] = m->blocks[HALF + i];
	}
	m->n = HALF;
}

/* NULL: this size has none. */
static inline struct magazine *magazine_of(struct heap *h, size_t size)
{
	if (size > MAGAZINE_SIZE_MAX || h->magazines == NULL)
		return NULL;
	return &h->magazines[(size - 1) / HEAP_ALIGN];
}

static inline void *magazine_alloc(struct heap *h, struct magazine *m, size_t size, bool zero)
{
	void *p;

	if (__builtin_expect(m->n == 0, 0))
		magazine_fill(h, m, raw_size(size));
	if (__builtin_expect(m->n == 0, 0))
		return NULL;
	p = m->blocks[--m->n];
	return zero ? memset(p, 0, size) : p;
}

static inline void *raw_alloc(struct heap *h, size_t size, size_t align, bool zero)
{
	struct magazine *m = align > HEAP_ALIGN ? NULL : magazine_of(h, size);
	int flags = h->flags;

	if (m != NULL)
		return magazine_alloc(h, m, size, zero);

	if (align > HEAP_ALIGN)
		flags |= MALLOCX_ALIGN(align);
	if (zero)
		flags |= MALLOCX_ZERO;
	return mallocx(raw_size(size), flags);
}

static inline void raw_free(struct heap *h, void *p, size_t size)
{
	struct magazine *m = magazine_of(h, size);

	if (m == NULL) {
		sdallocx(p, raw_size(size), h->flags);
		return;
	}
	if (__builtin_expect(m->n == MAGAZINE_BLOCKS, 0))
		magazine_drain(h, m, raw_size(size));
	m->blocks[m->n++] = p;
}

static void *raw_realloc(struct heap *h, void *p, size_t old, size_t size)
{
	(void)old;
	return rallocx(p, raw_size(size), h->flags);
}

bool heap_is_behind(const struct heap *h)
{
	return h->kind == HEAP_SHARD && extents_behind(&h->extents);
}

static void heap_close(struct heap *h)
{
	if (h->kind == HEAP_COMMON) {
		ASSERT(h->used == 0);
		return;
	}
	free(h->magazines); /* their blocks go with the arena */
	ASSERT(mallctl("tcache.destroy", NULL, NULL, &h->tcache, sizeof(h->tcache)) == 0);
	heap_arena_destroy(h);
}

#endif

static struct heap *heap_make(struct heap_budget *budget, enum heap_kind kind, size_t prefault)
{
	struct heap *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->budget = budget ? budget : &h->unlimited;
	if (heap_open(h, kind, prefault) != 0) {
		free(h);
		return NULL;
	}
	return h;
}

struct heap *heap_new(struct heap_budget *budget)
{
	return heap_make(budget, HEAP_PLAIN, 0);
}

struct heap *heap_new_shard(struct heap_budget *budget, size_t prefault)
{
	return heap_make(budget, HEAP_SHARD, prefault);
}

struct heap *heap_new_common(struct heap_budget *budget)
{
	return heap_make(budget, HEAP_COMMON, 0);
}

void heap_free_all(struct heap *h)
{
	if (!h)
		return;
	heap_close(h);
	__atomic_sub_fetch(&h->budget->used, h->reserved, __ATOMIC_RELAXED);
	free(h);
}

static inline void *heap_alloc_any(struct heap *h, size_t size, size_t align, bool zero)
{
	void *p;

	DEBUG_ASSERT(size > 0);
	if (!heap_charge(h, size))
		return NULL;
	p = raw_alloc(h, size, align, zero);
	if (__builtin_expect(!p, 0))
		heap_credit(h, size);
	return p;
}

void *heap_alloc(struct heap *h, size_t size)
{
	return heap_alloc_any(h, size, HEAP_ALIGN, false);
}

void *heap_zalloc(struct heap *h, size_t size)
{
	return heap_alloc_any(h, size, HEAP_ALIGN, true);
}

void *heap_alloc_aligned(struct heap *h, size_t size, size_t align)
{
	/* Only then does the size alone name the size class that aligned memory comes from. */
	ASSERT(align >= HEAP_ALIGN && (align & (align - 1)) == 0 && size % align == 0);
	ASSERT(align <= HEAP_PAGE || size >= HEAP_LARGE);
	return heap_alloc_any(h, size, align, false);
}

void heap_free(struct heap *h, void *p, size_t size)
{
	if (!p)
		return;
	raw_free(h, p, size);
	heap_credit(h, size);
}

void *heap_realloc(struct heap *h, void *p, size_t old, size_t size)
{
	void *q;

	if (!p)
		return heap_alloc(h, size);
	/* Both blocks may exist for a moment; the budget is asked for the difference only. */
	if (size > old && !heap_charge(h, size - old))
		return NULL;
	q = raw_realloc(h, p, old, size);
	if (!q) {
		if (size > old)
			heap_credit(h, size - old);
		return NULL;
	}
	if (size < old)
		heap_credit(h, old - size);
	return q;
}

uint64_t heap_used(const struct heap *h)
{
	return __atomic_load_n(&h->used, __ATOMIC_RELAXED);
}

const uint64_t *heap_used_place(const struct heap *h)
{
	return &h->used;
}

uint64_t heap_limit(const struct heap *h)
{
	return __atomic_load_n(&h->budget->limit, __ATOMIC_RELAXED);
}

int heap_would_fit(const struct heap *h, size_t size)
{
	uint64_t limit = __atomic_load_n(&h->budget->limit, __ATOMIC_RELAXED);
	uint64_t room = h->reserved - h->used, sum;

	if (size <= room || limit == 0)
		return 1;
	sum = __atomic_load_n(&h->budget->used, __ATOMIC_RELAXED);
	size = (size_t)(((uint64_t)size - room + HEAP_SLAB - 1) / HEAP_SLAB * HEAP_SLAB);
	return sum <= limit && size <= limit - sum;
}

void heap_fail_after(struct heap *h, uint64_t n)
{
	h->fail_after = n;
}

/* Arenas: chunks newest first; a chunk's bytes follow its header. Unused bytes of a chunk are
 * poisoned under AddressSanitizer, so that running past an allocation is seen there. */

_Static_assert(sizeof(struct arena_chunk) % HEAP_ALIGN == 0, "chunk bytes start aligned");

static void *chunk_bytes(struct arena_chunk *c)
{
	return c + 1;
}

static void chunk_free(struct arena *a, struct arena_chunk *c)
{
	ASAN_UNPOISON_MEMORY_REGION(chunk_bytes(c), c->size - sizeof(*c));
	if (a->heap)
		heap_free(a->heap, c, c->size);
	else
		free(c);
}

void arena_init(struct arena *a, struct heap *heap)
{
	*a = (struct arena){ .heap = heap };
}

/* A newer chunk with room for size bytes. */
static int arena_grow(struct arena *a, size_t size)
{
	size_t want = a->head ? a->head->size * 2 : ARENA_CHUNK_MIN;
	struct arena_chunk *c;

	if (size > SIZE_MAX / 2)
		return -1;
	if (want > ARENA_CHUNK_MAX)
		want = ARENA_CHUNK_MAX;
	if (want < size + sizeof(*c))
		want = size + sizeof(*c);
	c = a->heap ? heap_alloc(a->heap, want) : malloc(want);
	if (!c)
		return -1;
	c->older = a->head;
	c->size = want;
	a->head = c;
	a->used = 0;
	a->cap = want - sizeof(*c);
	ASAN_POISON_MEMORY_REGION(chunk_bytes(c), a->cap);
	return 0;
}

__attribute__((noinline)) void *arena_alloc_any(struct arena *a, size_t size)
{
	size_t take = (size + HEAP_ALIGN - 1) & ~(size_t)(HEAP_ALIGN - 1);
	char *p;

	if (take < size)
		return NULL;
	if (take > a->cap - a->used && arena_grow(a, take) != 0)
		return NULL;
	p = (char *)chunk_bytes(a->head) + a->used;
	a->used += take;
	ASAN_UNPOISON_MEMORY_REGION(p, size);
	return p;
}

void *arena_zalloc(struct arena *a, size_t size)
{
	void *p = arena_alloc(a, size);

	if (p)
		memset(p, 0, size);
	return p;
}

char *arena_strdup(struct arena *a, const char *s, size_t n)
{
	char *p = n < SIZE_MAX ? arena_alloc(a, n + 1) : NULL;

	if (!p)
		return NULL;
	if (n)
		memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

size_t arena_bytes(const struct arena *a)
{
	size_t n = 0;

	for (const struct arena_chunk *c = a->head; c != NULL; c = c->older)
		n += c->size;
	return n;
}

__attribute__((noinline)) void arena_reset_used(struct arena *a)
{
	struct arena_chunk *keep = a->head;

	if (!keep)
		return;
	if (keep->size > ARENA_CHUNK_MAX) {
		arena_free(a);
		return;
	}
	while (keep->older) {
		struct arena_chunk *c = keep->older;

		keep->older = c->older;
		chunk_free(a, c);
	}
	a->used = 0;
	ASAN_POISON_MEMORY_REGION(chunk_bytes(keep), a->cap);
}

void arena_free(struct arena *a)
{
	while (a->head) {
		struct arena_chunk *c = a->head;

		a->head = c->older;
		chunk_free(a, c);
	}
	a->used = a->cap = 0;
}
