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

/* Go on to the pinned epoch: members become due. Where history was lost there are no members afterwards. */
void feed_route_run(struct feed_route *r, uint64_t epoch);
/* Up to where it has come. */
uint64_t feed_route_at(const struct feed_route *r);
bool feed_route_has(const struct feed_route *r, const struct feed_member *m);
/* A member that is not due has been told all up to feed_route_at(): its cursors go there. */
void feed_route_pass(const struct feed_route *r, struct feed_member *m);
/* A subscription becomes a member that has just been told all up to feed_route_at(); not where there is no memory. */
void feed_route_join(struct feed_route *r, struct feed_member *m);

#endif
