/*
 * extents.h: where the memory of a shard's heap comes from.
 *
 * One range of addresses a heap, reserved when it opens and handed to its jemalloc arena from the front, in huge
 * pages where the system gives them on request. Only for the jemalloc builds; mem.c is the one user.
 */
#ifndef LF_BASE_EXTENTS_H
#define LF_BASE_EXTENTS_H

#ifndef LF_LIBC_MALLOC
#include <jemalloc/jemalloc.h>
#include <stdbool.h>
#include <stddef.h>

struct extents {
	extent_hooks_t hooks;
	char *region;        /* NULL: none, all comes from the system piece by piece */
	size_t region_bytes; /* of addresses */
	size_t used;         /* atomic: bytes handed to the arena, from the front, never fewer */
	size_t touched;      /* atomic: bytes that meet no page fault any more, from the front */
	size_t kept;         /* the first bytes of the region that never go back to the system */
	bool listed;         /* with the thread that touches ahead, in whose list is `next` */
	bool ahead;          /* atomic, the thread's: the system still gives memory for it */
	struct extents *next;
};

/* Make an arena whose memory comes from here; -1 when there is none for it. The first `prefault` bytes are touched now
 * and kept. Once it grows, a thread of the process (one for all) touches what will be needed next, so that the owner
 * does not wait for the system. Whatever of this the system refuses is left out: the arena works all the same. */
int extents_open(struct extents *x, size_t prefault, unsigned *arena);
/* Whether what the arena is handed next has not been touched yet, but will be: who can wait for that need not meet page faults.
 * By the owner. */
bool extents_behind(const struct extents *x);
/* When the arena has been destroyed. */
void extents_close(struct extents *x);
#endif
#endif
