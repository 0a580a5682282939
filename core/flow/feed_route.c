/*
 * feed_route.c: see feed_route.h.
 *
 * Members are found by a table of pairs (key's hash, member) with open addressing, in which a hash may stand several times;
 * what goes is filled by moving back what comes behind it.
 *
 * What a member's cursors and its epoch say is always right together. They stand where that epoch ends, or, when it is due, at
 * the first change behind it that concerns it: nothing in between does. So a member may be read by its own cursors at any time,
 * and what is lost of the route's history is none of its business.
 */
#include "core/flow/feed_route.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"

struct pair {
	uint64_t hash;
	struct feed_member *member; /* NULL: free */
};

struct feed_route {
	struct feed_route *next;
	struct feed *feed;
	unsigned users; /* subscriptions that took it */
	uint64_t at;
	uint64_t generation; /* of the members there are */
	struct pair *pairs;
	uint32_t npairs, cap;
	struct feed_cursor cursors[]; /* by shard */
};

enum { PAIRS_FIRST = 16 };

/* --- pairs --- */

static uint32_t home(const struct feed_route *r, uint64_t hash)
{
	return (uint32_t)hash & (r->cap - 1);
}

static void pair_put(struct feed_route *r, struct pair x)
{
	uint32_t i = home(r, x.hash);

	while (r->pairs[i].member != NULL)
		i = (i + 1) & (r->cap - 1);
	r->pairs[i] = x;
}

/* Room for n more, half of all being free. -1: there is no memory. */
static int pairs_ready(struct feed_route *r, unsigned n)
{
	uint32_t cap = r->cap == 0 ? PAIRS_FIRST : r->cap, old_cap = r->cap;
	struct pair *old = r->pairs, *grown;

	while (2 * (r->npairs + n) > cap)
		cap *= 2;
	if (cap == r->cap)
		return 0;
	grown = calloc(cap, sizeof(*grown));
	if (grown == NULL)
		return -1;
	r->pairs = grown;
	r->cap = cap;
	for (uint32_t i = 0; i < old_cap; i++)
		if (old[i].member != NULL)
			pair_put(r, old[i]);
	free(old);
	return 0;
}

/* What comes behind a free place, up to the next one, goes to where it is found from its home. */
static void pairs_close(struct feed_route *r, uint32_t hole)
{
	uint32_t mask = r->cap - 1;

	for (uint32_t i = (hole + 1) & mask; r->pairs[i].member != NULL; i = (i + 1) & mask) {
		uint32_t from = home(r, r->pairs[i].hash);

		if (((i - from) & mask) < ((i - hole) & mask))
			continue;
		r->pairs[hole] = r->pairs[i];
		r->pairs[i].member = NULL;
		hole = i;
	}
}

static void pair_remove(struct feed_route *r, uint64_t hash, const struct feed_member *m)
{
	uint32_t i = home(r, hash);

	while (r->pairs[i].hash != hash || r->pairs[i].member != m) {
		ASSERT(r->pairs[i].member != NULL);
		i = (i + 1) & (r->cap - 1);
	}
	r->pairs[i].member = NULL;
	r->npairs--;
	pairs_close(r, i);
}

/* --- making --- */

struct feed_route *feed_route_take(struct feed_route **list, struct feed *f)
{
	struct feed_route *r = *list;

	while (r != NULL && r->feed != f)
		r = r->next;
	if (r == NULL) {
		r = calloc(1, sizeof(*r) + f->shards * sizeof(r->cursors[0]));
		if (r == NULL)
			return NULL;
		r->feed = f;
		r->generation = 1;
		r->next = *list;
		*list = r;
	}
	r->users++;
	return r;
}

void feed_route_leave(struct feed_route **list, struct feed_route *r, struct feed_member *m)
{
	if (feed_route_has(r, m))
		for (unsigned i = 0; i < m->nkeys; i++)
			pair_remove(r, m->keys[i], m);
	m->generation = 0;
	if (--r->users > 0)
		return;
	while (*list != r)
		list = &(*list)->next;
	*list = r->next;
	free(r->pairs);
	free(r);
}

/* --- members --- */

bool feed_route_has(const struct feed_route *r, const struct feed_member *m)
{
	return m->generation == r->generation;
}

static void cursors_copy(const struct feed_route *r, struct feed_member *m)
{
	memcpy(m->cursors, r->cursors, r->feed->shards * sizeof(*m->cursors));
}

void feed_route_join(struct feed_route *r, struct feed_member *m, uint64_t epoch)
{
	if (r->at != epoch)
		return;
	m->due = false;
	if (feed_route_has(r, m) || pairs_ready(r, m->nkeys) != 0)
		return;
	for (unsigned i = 0; i < m->nkeys; i++)
		pair_put(r, (struct pair){ m->keys[i], m });
	r->npairs += m->nkeys;
	m->generation = r->generation;
}

/* --- going on --- */

static void members_forget(struct feed_route *r)
{
	r->generation++;
	if (r->cap > 0)
		memset(r->pairs, 0, r->cap * sizeof(*r->pairs));
	r->npairs = 0;
}

/* The route's cursor of the entry's shard stands at it, and those of other shards where they are done with or have begun. */
static void entry_route(struct feed_route *r, const struct feed_entry *x)
{
	for (uint32_t i = home(r, x->hash); r->pairs[i].member != NULL;
		i = (i + 1) & (r->cap - 1)) {
		struct feed_member *m = r->pairs[i].member;

		if (r->pairs[i].hash != x->hash || m->due)
			continue;
		m->due = true;
		cursors_copy(r, m);
	}
}

static void route_run(struct feed_route *r, uint64_t epoch)
{
	const struct feed *f = r->feed;
	bool whole = r->npairs > 0;

	if (r->at >= epoch)
		return;
	for (unsigned s = 0; whole && s < f->shards; s++)
		whole = feed_resume(&r->cursors[s], &f->logs[s], r->at);
	if (!whole) {
		members_forget(r);
		for (unsigned s = 0; s < f->shards; s++)
			(void)feed_seek(&r->cursors[s], &f->logs[s], epoch);
		r->at = epoch;
		return;
	}
	for (unsigned s = 0; s < f->shards; s++) {
		const struct feed_entry *x;

		while ((x = feed_peek(&r->cursors[s], epoch)) != NULL) {
			entry_route(r, x);
			feed_advance(&r->cursors[s], x);
		}
	}
	r->at = epoch;
}

bool feed_route_passes(struct feed_route *r, struct feed_member *m, uint64_t epoch)
{
	route_run(r, epoch);
	if (r->at != epoch || !feed_route_has(r, m) || m->due)
		return false;
	cursors_copy(r, m);
	return true;
}
