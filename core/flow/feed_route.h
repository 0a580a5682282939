/*
 * feed_route.h: which of many subscriptions a change concerns, where each is for few keys.
 *
 * A route is one reader of a feed for all such subscriptions of one thread, its members: it goes through the logs once, and finds
 * by the hash of a change's key which members want it. One that is due reads on from the first such change; for the
 * others there was nothing, and they need not look. So a thousand members cost one look at every change, not a thousand.
 *
 * All calls are of the thread that reads.
 */
#ifndef LF_FLOW_FEED_ROUTE_H
#define LF_FLOW_FEED_ROUTE_H

#include "core/flow/feed.h"

struct feed_route;

/* Part of a subscription, which has been told all up to some epoch. */
struct feed_member {
	const uint64_t *keys; /* hashes, as part_key_hash() gives them */
	unsigned nkeys;
	bool due; /* there is something that it has not been told; its cursors are at the first of it */
	/* The route's. */
	uint64_t generation;         /* 0: it is no member */
	struct feed_cursor *cursors; /* the subscription's, by shard */
};

/* The one of a list (of a thread's) for this feed, made where there is none; NULL: there is no memory. */
struct feed_route *feed_route_take(struct feed_route **list, struct feed *f);
/* A subscription goes that took it. */
void feed_route_leave(struct feed_route **list, struct feed_route *r, struct feed_member *m);

/* Whether it is a member. */
bool feed_route_has(const struct feed_route *r, const struct feed_member *m);
/* Go on to the pinned epoch; members become due, or, where history was lost, are members no longer. True: this is one for which
 * there is nothing up to that epoch; its cursors are there. */
bool feed_route_passes(struct feed_route *r, struct feed_member *m, uint64_t epoch);
/* It becomes a member that has just been told all up to the epoch; not where the route is at another one, or there is no
 * memory. */
void feed_route_join(struct feed_route *r, struct feed_member *m, uint64_t epoch);

#endif
