/*
 * extents.c: a heap's memory: reserved at once, touched ahead, given back in huge pages.
 *
 * Four costs are kept from the owner, a thread that must not wait:
 *
 * Page faults. Tables are read at random, so they live in huge pages (transparent_hugepage "madvise" or
 * "always"). The first touch of one clears 2 MiB: 0.1 ms at best, several in a virtual machine. Another thread does it
 * before: it keeps `touched` ahead of `used` by a quarter, within AHEAD_MIN and AHEAD_MAX. The owner only posts a semaphore when it
 * takes an extent and little is left; where it is faster than the thread, it meets its page faults as ever, but for the
 * end of its newest extent, which the thread begins with, and unless what it does can wait (extents_behind()).
 *
 * Giving memory back. jemalloc returns what was free for a while in pieces of some 4 KiB, each a system call that
 * also breaks a huge page. purge_forced() here returns whole huge pages and refuses the rest, which the arena keeps
 * for its next extents. The first `kept` bytes are never returned.
 *
 * Mapping. A thread that maps memory waits for one that touches some. So all that the arena asks for comes from the
 * region, its own records too, which is why the hooks are given when it is made.
 *
 * Extents too large. An arena asks for exponentially growing extents, which would be handed out long before use;
 * GROW_LIMIT bounds them, so that `used` tells what is needed soon.
 */
#include "core/base/extents.h"

#ifndef LF_LIBC_MALLOC
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_PAGE ((size_t)2 * 1024 * 1024)
#define GROW_LIMIT (4 * HUGE_PAGE) /* of an extent, unless one allocation needs more */
#define AHEAD_FROM (3 * HUGE_PAGE) /* smaller heaps are not worth a thread's time */
#define AHEAD_MIN GROW_LIMIT
#define AHEAD_MAX (32 * HUGE_PAGE) /* touched and not used, at most, of each heap */
#define PAGE ((size_t)4096)

static extent_hooks_t *extent_default; /* jemalloc's own, the same for all arenas */
static pthread_once_t extent_once = PTHREAD_ONCE_INIT;

/*
 * The thread that touches ahead, while there are heaps that want it. `changes` is held while a heap comes or goes, with
 * the thread's start and end; within it `lock`, for `list` and `stop`, which the thread holds while it touches a page.
 */
static struct {
	pthread_mutex_t changes, lock;
	struct extents *list;
	pthread_t thread;
	bool running, stop;
	sem_t wake;
} toucher = { .changes = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER };

static size_t load(const size_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static size_t up_to(size_t n, size_t unit)
{
	return (n + unit - 1) / unit * unit;
}

static struct extents *of_hooks(extent_hooks_t *hooks)
{
	return (struct extents *)((char *)hooks - offsetof(struct extents, hooks));
}

static bool in_region(const struct extents *x, const void *p)
{
	return x->region != NULL && (const char *)p >= x->region &&
		(const char *)p < x->region + x->region_bytes;
}

/* --- touching --- */

/* Touch at least the bytes from..to of the region; false when the system has no memory for it. */
static bool touch(struct extents *x, size_t from, size_t to)
{
	if (madvise(x->region + from, to - from, MADV_POPULATE_WRITE) == 0)
		return true;
	if (errno != EINVAL)
		return false;
	/* Before Linux 5.14. The bytes may be in use: write nothing that changes them. */
	for (size_t i = from; i < to; i += PAGE)
		__atomic_fetch_or(x->region + i, 0, __ATOMIC_RELAXED);
	return true;
}

static size_t touch_target(const struct extents *x)
{
	size_t used = load(&x->used), ahead = used / 4;

	if (used < AHEAD_FROM)
		return 0;
	if (ahead < AHEAD_MIN)
		ahead = AHEAD_MIN;
	if (ahead > AHEAD_MAX)
		ahead = AHEAD_MAX;
	return ahead < x->region_bytes - used ? used + ahead : x->region_bytes;
}

/* One huge page of one heap that wants it; false when none does. */
static bool touch_one(void)
{
	for (struct extents *x = toucher.list; x != NULL; x = x->next) {
		size_t used = load(&x->used), from = load(&x->touched);

		/* Of what was handed out meanwhile its owner has touched all but the last itself; what it has touched
		 * is passed over. */
		if (from + GROW_LIMIT < used)
			from = (used - GROW_LIMIT) / HUGE_PAGE * HUGE_PAGE;
		if (!__atomic_load_n(&x->ahead, __ATOMIC_RELAXED) ||
			from + HUGE_PAGE > touch_target(x))
			continue;
		if (!touch(x, from, from + HUGE_PAGE))
			__atomic_store_n(&x->ahead, false, __ATOMIC_RELAXED);
		else
			__atomic_store_n(&x->touched, from + HUGE_PAGE, __ATOMIC_RELAXED);
		return true;
	}
	return false;
}

bool extents_behind(const struct extents *x)
{
	size_t used = load(&x->used), target = touch_target(x);

	/* The thread goes on to the target, less a page. */
	return x->listed && __atomic_load_n(&x->ahead, __ATOMIC_RELAXED) &&
		target > used + GROW_LIMIT / 2 && load(&x->touched) < used + GROW_LIMIT / 2;
}

/* Only where a processor has nothing else to do: it would be in the way for milliseconds. Advice. */
static void give_way(void)
{
	const struct sched_param none = { 0 };

	(void)pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);
}

static void *touch_ahead(void *arg)
{
	bool stop = false;

	(void)arg;
	give_way();
	while (!stop) {
		bool more;

		while (sem_wait(&toucher.wake) != 0)
			;
		do {
			pthread_mutex_lock(&toucher.lock);
			stop = toucher.stop;
			more = !stop && touch_one();
			pthread_mutex_unlock(&toucher.lock);
		} while (more);
	}
	return NULL;
}

static bool toucher_start(void)
{
	toucher.stop = false;
	if (sem_init(&toucher.wake, 0, 0) != 0)
		return false;
	toucher.running = pthread_create(&toucher.thread, NULL, touch_ahead, NULL) == 0;
	if (toucher.running)
		(void)pthread_setname_np(toucher.thread, "touch-ahead");
	else
		(void)sem_destroy(&toucher.wake);
	return toucher.running;
}

static void toucher_add(struct extents *x)
{
	pthread_mutex_lock(&toucher.changes);
	if (toucher.running || toucher_start()) {
		pthread_mutex_lock(&toucher.lock);
		x->listed = x->ahead = true;
		x->next = toucher.list;
		toucher.list = x;
		pthread_mutex_unlock(&toucher.lock);
	}
	pthread_mutex_unlock(&toucher.changes);
}

/* The last heap that goes ends the thread. */
static void toucher_remove(struct extents *x)
{
	struct extents **p = &toucher.list;

	pthread_mutex_lock(&toucher.changes);
	pthread_mutex_lock(&toucher.lock);
	while (*p != x)
		p = &(*p)->next;
	*p = x->next;
	toucher.stop = toucher.list == NULL;
	pthread_mutex_unlock(&toucher.lock);
	if (toucher.list == NULL) {
		(void)sem_post(&toucher.wake);
		(void)pthread_join(toucher.thread, NULL);
		(void)sem_destroy(&toucher.wake);
		toucher.running = false;
	}
	pthread_mutex_unlock(&toucher.changes);
}

/* --- the arena's hooks; they run in the heap's owner, which alone writes `used` --- */

/* A piece of the region; NULL when it has not so much left. Its bytes were never used. */
static void *region_take(struct extents *x, size_t size, size_t align)
{
	size_t at = up_to(load(&x->used), align), used = at + size, target;

	if (x->region == NULL || at > x->region_bytes || size > x->region_bytes - at)
		return NULL;
	__atomic_store_n(&x->used, used, __ATOMIC_RELAXED);
	target = touch_target(x);
	if (x->listed && target > used && load(&x->touched) < used + (target - used) / 2)
		(void)sem_post(&toucher.wake);
	return x->region + at;
}

static void *extent_alloc(extent_hooks_t *hooks, void *at, size_t size, size_t align, bool *zero,
	bool *commit, unsigned arena)
{
	void *p = at == NULL ? region_take(of_hooks(hooks), size, align) : NULL;

	if (p != NULL) {
		*zero = *commit = true;
		return p;
	}
	if (size >= HUGE_PAGE && align < HUGE_PAGE)
		align = HUGE_PAGE;
	p = extent_default->alloc(extent_default, at, size, align, zero, commit, arena);
	/* Advice: where it is not taken there are small pages. */
	if (p != NULL && size >= HUGE_PAGE)
		(void)madvise(p, size, MADV_HUGEPAGE);
	return p;
}

/* What is in the region stays mapped and committed: true refuses. */
static bool extent_dalloc(
	extent_hooks_t *hooks, void *p, size_t size, bool committed, unsigned arena)
{
	return in_region(of_hooks(hooks), p) ||
		extent_default->dalloc(extent_default, p, size, committed, arena);
}

static void extent_destroy(
	extent_hooks_t *hooks, void *p, size_t size, bool committed, unsigned arena)
{
	if (!in_region(of_hooks(hooks), p))
		extent_default->destroy(extent_default, p, size, committed, arena);
}

/* Give back the whole huge pages; false, as jemalloc wants it, only when now every byte reads as zero. */
static bool extent_purge_forced(
	extent_hooks_t *hooks, void *p, size_t size, size_t offset, size_t length, unsigned arena)
{
	const struct extents *x = of_hooks(hooks);
	char *from = (char *)p + offset, *end = from + length;
	char *whole = from + (up_to((uintptr_t)from, HUGE_PAGE) - (uintptr_t)from);
	char *whole_end = end - (uintptr_t)end % HUGE_PAGE;

	(void)size;
	(void)arena;
	if (in_region(x, whole) && whole < x->region + x->kept)
		whole = x->region + x->kept;
	if (whole >= whole_end || madvise(whole, (size_t)(whole_end - whole), MADV_DONTNEED) != 0)
		return true;
	return whole != from || whole_end != end;
}

/* Two extents become one only on the same side of the region's edge. */
static bool extent_merge(extent_hooks_t *hooks, void *a, size_t size_a, void *b, size_t size_b,
	bool committed, unsigned arena)
{
	const struct extents *x = of_hooks(hooks);

	return in_region(x, a) != in_region(x, b) ||
		(!in_region(x, a) &&
			extent_default->merge(
				extent_default, a, size_a, b, size_b, committed, arena));
}

static bool extent_split(extent_hooks_t *hooks, void *p, size_t size, size_t size_a, size_t size_b,
	bool committed, unsigned arena)
{
	return !in_region(of_hooks(hooks), p) &&
		extent_default->split(extent_default, p, size, size_a, size_b, committed, arena);
}

static void extent_prepare(void)
{
	size_t len = sizeof(extent_default);

	(void)mallctl("arena.0.extent_hooks", &extent_default, &len, NULL, 0);
}

/* --- opening and closing --- */

/* Addresses only: no memory is taken. Aligned to huge pages; the first stays small pages, since the arena's records
 * lie in it, which begin with some KiB. */
static void region_reserve(struct extents *x, size_t bytes)
{
	char *p = mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t skip;

	if (p == MAP_FAILED)
		return;
	skip = up_to((uintptr_t)p, HUGE_PAGE) - (uintptr_t)p;
	if (skip > 0)
		(void)munmap(p, skip);
	if (skip < HUGE_PAGE)
		(void)munmap(p + skip + bytes, HUGE_PAGE - skip);
	x->region = p + skip;
	x->region_bytes = bytes;
	(void)madvise(x->region + HUGE_PAGE, bytes - HUGE_PAGE, MADV_HUGEPAGE);
}

static void hooks_set(struct extents *x)
{
	x->hooks = *extent_default;
	x->hooks.alloc = extent_alloc;
	x->hooks.dalloc = extent_dalloc;
	x->hooks.destroy = extent_destroy;
	x->hooks.decommit = NULL; /* refused, as the next */
	x->hooks.purge_lazy = NULL;
	x->hooks.purge_forced = extent_purge_forced;
	x->hooks.merge = extent_merge;
	x->hooks.split = extent_split;
}

int extents_open(struct extents *x, size_t prefault, unsigned *arena)
{
	size_t machine = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
	size_t limit = GROW_LIMIT, len = sizeof(*arena);
	extent_hooks_t *own = &x->hooks;
	char name[64];

	*x = (struct extents){ 0 };
	(void)pthread_once(&extent_once, extent_prepare);
	if (extent_default == NULL)
		return mallctl("arenas.create", arena, &len, NULL, 0) == 0 ? 0 : -1;
	hooks_set(x);
	prefault = prefault > 0 ? up_to(prefault, HUGE_PAGE) + HUGE_PAGE : 0;
	region_reserve(x, up_to(prefault > machine ? prefault : machine, HUGE_PAGE));
	if (x->region == NULL && prefault > 0)
		region_reserve(x, prefault);
	if (x->region != NULL && prefault > 0 && touch(x, 0, prefault))
		x->kept = x->touched = prefault;
	if (mallctl("arenas.create", arena, &len, &own, sizeof(own)) != 0) {
		extents_close(x);
		return -1;
	}
	if (x->region != NULL) {
		snprintf(name, sizeof(name), "arena.%u.retain_grow_limit", *arena);
		(void)mallctl(name, NULL, NULL, &limit, sizeof(limit));
		toucher_add(x);
	}
	return 0;
}

void extents_close(struct extents *x)
{
	if (x->listed)
		toucher_remove(x);
	if (x->region != NULL)
		(void)munmap(x->region, x->region_bytes);
}
#endif
