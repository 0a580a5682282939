/*
 * feed.c: the logs of changes that subscribers read; see feed.h.
 *
 * Happy path of a change: its key is looked for among those of the epoch under way; a new one becomes an entry at the end of
 * the last chunk, one that is there gets another new row. Happy path of a reader: it goes from entry to entry, from chunk to
 * chunk, until an entry's epoch is above its pin.
 *
 * Why readers need no lock. An entry is written before `used` (release) says so, and a chunk before the one before it points
 * to it. A reader looks at no more of an entry than its epoch, which does not change, before it knows that it is visible;
 * what the projector changes is of an epoch that is not.
 *
 * A chunk that is dropped in epoch n is retired as of n, as a row version is: it stays while a pin is below n. A reader pinned
 * at n or later has seen all that the projector did in n, so it finds that the log's number is above the one of the chunk it
 * was at, and does not look at that. `since` is raised before the number (release), so that who sees the number and looks for
 * its place anew sees what it has missed.
 */
#include "core/flow/feed.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/limits.h"

struct feed_chunk {
	struct feed_chunk *next; /* atomic; set when nothing more is added */
	uint64_t number;
	uint64_t first_epoch;
	uint64_t last_epoch; /* the projector's */
	size_t size;         /* with this head */
	size_t used;         /* atomic: bytes of entries */
	unsigned char data[];
};
_Static_assert(sizeof(struct feed_chunk) % 8 == 0, "entries are 8-aligned");

enum { CHUNK_FIRST = 4096, CHUNK_SHARE = 8, CHUNK_LEAST = 512, PLACES_FIRST = 64 };

/* --- making --- */

static int layout_copy(struct feed *f, const struct part *p, struct error *e)
{
	uint16_t *key = arena_alloc(&f->arena, (p->nkey + 1u) * sizeof(*key));

	if (key == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	memcpy(key, p->key, p->nkey * sizeof(*key));
	f->key = key;
	f->nkey = p->nkey;
	f->counted = p->counted;
	return row_layout_init(&f->layout, p->layout.types, p->layout.ncols, &f->arena, e);
}

struct feed *feed_new(struct parts *parts, struct error *e)
{
	size_t size = sizeof(struct feed) + parts->shards * sizeof(struct feed_log);
	struct feed *f = aligned_alloc(64, (size + 63) / 64 * 64);

	if (f == NULL) {
		error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		return NULL;
	}
	memset(f, 0, size);
	arena_init(&f->arena, NULL);
	if (layout_copy(f, parts->part[0], e) != 0) {
		feed_free(f);
		return NULL;
	}
	f->parts = parts;
	f->shards = parts->shards;
	atomic_init(&f->left, parts->shards);
	for (unsigned s = 0; s < f->shards; s++) {
		struct feed_log *log = &f->logs[s];

		log->feed = f;
		log->since = UINT64_MAX;
		log->begin = (struct feed_request){ NULL, f, false };
		log->finish = (struct feed_request){ NULL, f, true };
	}
	return f;
}

void feed_free(struct feed *f)
{
	arena_free(&f->arena);
	free(f);
}

void feed_end(struct feed *f, uint64_t epoch, bool failed, const struct error *why)
{
	for (unsigned s = 0; s < f->shards; s++) {
		if (f->logs[s].part != NULL)
			f->logs[s].part->feed = NULL;
		f->logs[s].part = NULL;
	}
	f->end = epoch;
	f->failed = failed;
	f->why = *why;
	atomic_store_explicit(&f->ended, true, memory_order_release);
}

void feed_newest_raise(_Atomic uint64_t *newest, uint64_t epoch)
{
	uint64_t seen = atomic_load_explicit(newest, memory_order_relaxed);

	while (seen < epoch && !atomic_compare_exchange_weak(newest, &seen, epoch))
		;
}

/* --- chunks --- */

void feeds_init(struct feeds *l, struct heap *h, struct retire *retire, uint64_t budget,
	_Atomic uint64_t *newest)
{
	*l = (struct feeds){ .heap = h, .retire = retire, .budget = budget, .newest = newest };
}

static void raise_since(struct feed_log *log, uint64_t epoch)
{
	if (log->since < epoch)
		__atomic_store_n(&log->since, epoch, __ATOMIC_RELEASE);
}

/* What is noted of the epoch under way points to entries that go. */
static void places_forget(struct feed_log *log)
{
	log->generation++;
	log->nplaces = 0;
}

/* Take the first chunk out, in `epoch`. False: there is no memory to note that. */
static bool chunk_drop(struct feed_log *log, uint64_t epoch)
{
	struct feeds *l = log->feeds;
	struct feed_chunk *k = log->first;

	if (retire_reserve(l->retire, 1) != 0)
		return false;
	if (k->last_epoch >= log->epoch)
		places_forget(log);
	raise_since(log, k->last_epoch);
	__atomic_store_n(&log->first, k->next, __ATOMIC_RELEASE);
	__atomic_store_n(&log->number, k->number + 1, __ATOMIC_RELEASE);
	if (log->last == k)
		log->last = NULL;
	l->bytes -= k->size;
	retire_add(l->retire, epoch, k, k->size);
	return true;
}

/* The log with the oldest chunk; NULL: there is none. */
static struct feed_log *log_oldest(const struct feeds *l)
{
	struct feed_log *oldest = NULL;

	for (struct feed_log *log = l->logs; log != NULL; log = log->next)
		if (log->first != NULL &&
			(oldest == NULL || log->first->last_epoch < oldest->first->last_epoch))
			oldest = log;
	return oldest;
}

/* Make room for `size` more bytes. False: that cannot be. */
static bool budget_take(struct feeds *l, size_t size, uint64_t epoch)
{
	if (size > l->budget)
		return false;
	while (l->bytes + size > l->budget) {
		struct feed_log *oldest = log_oldest(l);

		if (oldest == NULL || !chunk_drop(oldest, epoch))
			return false;
	}
	return true;
}

static size_t chunk_size(const struct feed_log *log, size_t entry)
{
	uint64_t share = log->feeds->budget / CHUNK_SHARE;
	size_t size = log->last == NULL ? CHUNK_FIRST : 2 * log->last->size;

	if (size > FEED_CHUNK_BYTES)
		size = FEED_CHUNK_BYTES;
	if (size > share)
		size = share < CHUNK_LEAST ? CHUNK_LEAST : (size_t)share & ~(size_t)15;
	if (size < sizeof(struct feed_chunk) + entry)
		size = sizeof(struct feed_chunk) + entry;
	return size;
}

/* A chunk in which an entry has room; false: none can be had. */
static bool chunk_open(struct feed_log *log, size_t entry, uint64_t epoch)
{
	struct feeds *l = log->feeds;
	size_t size = chunk_size(log, entry);
	struct feed_chunk *k;

	if (!budget_take(l, size, epoch))
		return false;
	k = heap_alloc(l->heap, size);
	if (k == NULL)
		return false;
	*k = (struct feed_chunk){
		.number = log->next_number, .first_epoch = epoch, .last_epoch = epoch, .size = size
	};
	log->next_number++;
	l->bytes += size;
	/* Release: a reader that meets it finds it whole. */
	__atomic_store_n(log->last != NULL ? &log->last->next : &log->first, k, __ATOMIC_RELEASE);
	log->last = k;
	return true;
}

/* Changes of this epoch cannot be kept: who does not have it must begin anew. */
static void log_lose(struct feed_log *log, uint64_t epoch)
{
	places_forget(log);
	raise_since(log, epoch);
	while (log->first != NULL && chunk_drop(log, epoch))
		;
}

/* --- the epoch under way --- */

static struct feed_place *place_find(
	const struct feed_log *log, uint64_t hash, const void *old, const void *row)
{
	const struct part *p = log->part;
	const void *key = old != NULL ? old : row;
	uint32_t at = (uint32_t)hash & (log->cap - 1);

	for (;; at = (at + 1) & (log->cap - 1)) {
		struct feed_place *place = &log->places[at];
		const struct feed_entry *x = place->entry;
		const void *has;

		if (place->generation != log->generation)
			return place;
		/* Of an entry that is nothing without rows the key is where the new row was. */
		has = x->old_size > 0 ? feed_entry_old(x)
				      : (const unsigned char *)(x + 1) + x->old_size;
		if (x->hash == hash && rowkey_equal(&p->keyed, has, &p->keyed, key))
			return place;
	}
}

static int places_grow(struct feed_log *log)
{
	uint32_t cap = log->cap == 0 ? PLACES_FIRST : 2 * log->cap, old_cap = log->cap;
	struct feed_place *old = log->places,
			  *grown = heap_zalloc(log->feeds->heap, cap * sizeof(*grown));

	if (grown == NULL)
		return -1;
	for (uint32_t i = 0; i < old_cap; i++) {
		uint32_t at;

		if (old[i].generation != log->generation)
			continue;
		at = (uint32_t)old[i].entry->hash & (cap - 1);
		while (grown[at].generation == log->generation)
			at = (at + 1) & (cap - 1);
		grown[at] = old[i];
	}
	heap_free(log->feeds->heap, old, old_cap * sizeof(*old));
	log->places = grown;
	log->cap = cap;
	return 0;
}

/* Another epoch, or room for one more key. */
static int places_ready(struct feed_log *log, uint64_t epoch)
{
	if (log->epoch != epoch) {
		log->epoch = epoch;
		places_forget(log);
		feed_newest_raise(&log->feed->newest, epoch);
		feed_newest_raise(log->feeds->newest, epoch);
	}
	return 2 * log->nplaces >= log->cap ? places_grow(log) : 0;
}

static bool same_rows(const void *a, const void *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return row_size(a) == row_size(b) && memcmp(a, b, row_size(a)) == 0;
}

/* An entry at the end; NULL: there is no room for it. */
static struct feed_entry *entry_add(
	struct feed_log *log, uint64_t hash, uint64_t epoch, const void *old, const void *row)
{
	uint32_t old_size = old == NULL ? 0 : row_size(old),
		 new_size = row == NULL ? 0 : row_size(row);
	size_t size = sizeof(struct feed_entry) + old_size + new_size;
	struct feed_chunk *k = log->last;
	struct feed_entry *x;

	if (k == NULL || k->size - sizeof(*k) - k->used < size) {
		if (!chunk_open(log, size, epoch))
			return NULL;
		k = log->last;
	}
	x = (struct feed_entry *)(void *)(k->data + k->used);
	*x = (struct feed_entry){ epoch, hash, (uint32_t)size, old_size, new_size, 0 };
	if (old != NULL)
		memcpy(x + 1, old, old_size);
	if (row != NULL)
		memcpy((unsigned char *)(x + 1) + old_size, row, new_size);
	k->last_epoch = epoch;
	__atomic_store_n(&k->used, k->used + size, __ATOMIC_RELEASE);
	return x;
}

/* The key has another new row. False: it needs another entry. */
static bool entry_change(struct feed_entry *x, const void *row)
{
	unsigned char *to = (unsigned char *)(x + 1) + x->old_size;
	uint32_t new_size = row == NULL ? 0 : row_size(row);

	if (new_size > x->size - sizeof(*x) - x->old_size)
		return false;
	if (row != NULL)
		memcpy(to, row, new_size);
	x->new_size = new_size;
	x->nothing = same_rows(feed_entry_old(x), feed_entry_new(x));
	return true;
}

/* -1: there is no room. */
static int change_note(
	struct feed_log *log, uint64_t hash, uint64_t epoch, const void *old, const void *row)
{
	struct feed_place *place;
	struct feed_entry *x;
	uint64_t generation;

	if (places_ready(log, epoch) != 0)
		return -1;
	place = place_find(log, hash, old, row);
	if (place->generation == log->generation) {
		if (entry_change(place->entry, row))
			return 0;
		old = feed_entry_old(place->entry);
		place->entry->nothing = 1;
	}
	generation = log->generation;
	/* What makes room may take the entry with the old row away; it is retired, so its bytes stay. */
	x = entry_add(log, hash, epoch, old, row);
	if (x == NULL)
		return -1;
	if (log->generation != generation)
		place = place_find(log, hash, old, row);
	log->nplaces += place->generation != log->generation;
	*place = (struct feed_place){ log->generation, x };
	x->nothing = same_rows(old, row);
	return 0;
}

void feed_add(struct feed_log *log, uint64_t hash, uint64_t epoch, const void *old, const void *row)
{
	if (old == NULL && row == NULL)
		return;
	if (change_note(log, hash, epoch, old, row) != 0)
		log_lose(log, epoch);
}

/* --- begin and end of a log --- */

void feed_log_begin(struct feeds *l, struct feed *f, unsigned shard, uint64_t epoch)
{
	struct feed_log *log = &f->logs[shard];

	if (atomic_load_explicit(&f->ended, memory_order_acquire))
		return;
	log->feeds = l;
	log->next = l->logs;
	l->logs = log;
	log->part = f->parts->part[shard];
	log->generation = 1;
	log->part->feed = log;
	__atomic_store_n(&log->since, epoch, __ATOMIC_RELEASE);
	feed_newest_raise(l->newest, epoch);
}

void feed_log_finish(struct feed *f, unsigned shard)
{
	struct feed_log *log = &f->logs[shard], **link;
	struct feeds *l = log->feeds;

	if (log->part != NULL)
		log->part->feed = NULL;
	log->part = NULL;
	if (l != NULL) {
		for (link = &l->logs; *link != log; link = &(*link)->next)
			;
		*link = log->next;
		while (log->first != NULL) {
			struct feed_chunk *k = log->first;

			/* There are no readers. */
			log->first = k->next;
			l->bytes -= k->size;
			heap_free(l->heap, k, k->size);
		}
		heap_free(l->heap, log->places, log->cap * sizeof(*log->places));
		log->places = NULL;
	}
	log->feeds = NULL;
	atomic_fetch_sub_explicit(&f->left, 1, memory_order_release);
}

/* --- reading --- */

bool feed_seek(struct feed_cursor *c, const struct feed_log *log, uint64_t epoch)
{
	const struct feed_chunk *k, *next;

	/* The number before the chunk: one that is dropped in between is seen as gone the next time. */
	c->number = __atomic_load_n(&log->number, __ATOMIC_ACQUIRE);
	k = __atomic_load_n(&log->first, __ATOMIC_ACQUIRE);
	c->at = 0;
	while (k != NULL && (next = __atomic_load_n(&k->next, __ATOMIC_ACQUIRE)) != NULL &&
		next->first_epoch <= epoch)
		k = next;
	c->chunk = k;
	if (k != NULL)
		c->number = k->number;
	while (k != NULL) {
		const struct feed_entry *x = feed_peek(c, epoch);

		if (x == NULL)
			break;
		feed_advance(c, x);
	}
	/* After that, so that nothing can have been dropped before it was passed over unseen. */
	return feed_log_has(log, epoch);
}

bool feed_resume(struct feed_cursor *c, const struct feed_log *log, uint64_t epoch)
{
	if (c->chunk == NULL || c->number < __atomic_load_n(&log->number, __ATOMIC_ACQUIRE))
		return feed_seek(c, log, epoch);
	return feed_log_has(log, epoch);
}

const struct feed_entry *feed_peek(struct feed_cursor *c, uint64_t limit)
{
	while (c->chunk != NULL) {
		/* In this order: when there is a next one, `used` does not change any more. */
		const struct feed_chunk *next = __atomic_load_n(&c->chunk->next, __ATOMIC_ACQUIRE);
		size_t used = __atomic_load_n(&c->chunk->used, __ATOMIC_ACQUIRE);

		if (c->at < used) {
			const struct feed_entry *x =
				(const struct feed_entry *)(const void *)(c->chunk->data + c->at);

			if (x->epoch > limit)
				return NULL;
			if (!x->nothing)
				return x;
			c->at += x->size;
			continue;
		}
		if (next == NULL)
			return NULL;
		*c = (struct feed_cursor){ next, next->number, 0 };
	}
	return NULL;
}

/* --- invariants --- */

static size_t log_check(const struct feed_log *log)
{
	const struct feed_chunk *k = log->first;
	uint64_t number = log->number, epoch = 0;
	size_t bytes = 0;

	for (; k != NULL; k = k->next) {
		ASSERT(k->number == number++);
		ASSERT(k->used <= k->size - sizeof(*k));
		ASSERT(k->next != NULL || k == log->last);
		for (size_t at = 0; at < k->used;) {
			const struct feed_entry *x = (const void *)(k->data + at);

			ASSERT(x->epoch >= epoch && x->epoch <= k->last_epoch);
			ASSERT(at > 0 || x->epoch == k->first_epoch);
			ASSERT(sizeof(*x) + x->old_size + x->new_size <= x->size);
			epoch = x->epoch;
			at += x->size;
		}
		bytes += k->size;
	}
	ASSERT(log->first != NULL || log->last == NULL);
	ASSERT(number == log->next_number);
	return bytes;
}

void feeds_check(const struct feeds *l)
{
	size_t bytes = 0;

	for (const struct feed_log *log = l->logs; log != NULL; log = log->next)
		bytes += log_check(log);
	ASSERT(bytes == l->bytes);
	ASSERT(bytes <= l->budget);
}
