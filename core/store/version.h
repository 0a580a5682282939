/*
 * version.h: one version of a row.
 *
 *   0   u64  epoch    in which it was made
 *   8   ptr  older    the version before, as readers of earlier epochs need it
 *   16  u32  cap      bytes available for the row
 *   20  u32  flags    VERSION_DEAD: deleted (the row is kept, its key is compared)
 *   24  …    row      packed (row.h)
 *
 * Immutable to readers once its epoch is visible. In its own epoch the projector changes it in place,
 * because no reader can look at it yet except for `epoch` and `older`.
 */
#ifndef LF_STORE_VERSION_H
#define LF_STORE_VERSION_H

#include <stddef.h>
#include <stdint.h>

enum { VERSION_DEAD = 1 };

struct version {
	uint64_t epoch;
	struct version *older;
	uint32_t cap;
	uint32_t flags;
	char row[];
};
_Static_assert(offsetof(struct version, row) == 24, "the row is 8-aligned");

static inline size_t version_bytes(const struct version *v)
{
	return sizeof(*v) + v->cap;
}

/* Its row; NULL: it is dead, or there is none. */
static inline const void *version_row(const struct version *v)
{
	return v == NULL || (__atomic_load_n(&v->flags, __ATOMIC_RELAXED) & VERSION_DEAD) ? NULL
											  : v->row;
}

/* That of a row which is one's, not a copy of it. */
static inline const struct version *version_of(const void *row)
{
	return (const struct version *)((const char *)row - offsetof(struct version, row));
}

/* The version that a reader pinned at epoch v sees, dead ones included; NULL: none. */
static inline const struct version *version_at(const struct version *head, uint64_t v)
{
	while (head != NULL && head->epoch > v)
		head = __atomic_load_n(&head->older, __ATOMIC_ACQUIRE);
	return head;
}

#endif
