/*
 * consumer_group.h: who is given which event next: a group of consumers that share the event log by aggregate.
 *
 * A group has a window of events behind `done`, up to which all are settled: acknowledged, or dead letters. An event is
 * *waiting*, *in flight* with a member until a time, *dying* while its dead letter is written, or settled.
 *
 * - Of an aggregate at most one event is in flight, and only when all before it in the window are settled. So its events
 *   are given in their order, whichever members come and go; other aggregates go on meanwhile.
 * - An event of several aggregates waits until all before it are settled, and all behind it wait for it.
 * - A key is the member's with the highest hash of both, as long as it is there. What is in flight with one that has left
 *   stays so until its time is over.
 * - What was not acknowledged in time, or was rejected, waits again, until it has been given so often that it is a dead
 *   letter. Dead letters that are to be tried again come before the window, by the same rules.
 *
 * No clock, no threads, no disk: times are the caller's, in microseconds.
 */
#ifndef LF_CORE_CONSUMER_GROUP_H
#define LF_CORE_CONSUMER_GROUP_H

#include "core/log/event_reader.h"

struct consumer_group;

/* NULL: out of memory. All events up to `done` are settled. */
struct consumer_group *consumer_group_new(struct event_id done);
void consumer_group_free(struct consumer_group *g);

struct group_event {
	struct event_id id;
	bool keyed;                /* else it is of several aggregates */
	uint64_t hash;             /* of the key */
	const unsigned char *data; /* as it is given to members */
	uint32_t bytes;
	uint32_t attempts; /* so often it has been given */
};

/* Whether the window takes another event of so many bytes. */
bool consumer_group_room(const struct consumer_group *g, size_t bytes);
/* The next one of the log; the data are copied. 0, or -1: out of memory. */
int consumer_group_add(struct consumer_group *g, const struct group_event *event);
/* A dead letter, to be tried again. The same; one that is there already is left as it is. */
int consumer_group_add_letter(struct consumer_group *g, const struct group_event *event);

/* member: a number of its own. 0, or -1: 53200. */
int consumer_group_join(struct consumer_group *g, uint64_t member);
void consumer_group_leave(struct consumer_group *g, uint64_t member);
unsigned consumer_group_members(const struct consumer_group *g);

struct group_terms {
	uint64_t until_us;     /* in flight until then */
	uint32_t attempts_max; /* after so many it is a dead letter */
	uint32_t inflight_max; /* of the member */
};
/* Give the member what it may have now: give() is called for each, with attempts being this one's number, and takes it by
 * returning true; false: not any more. */
void consumer_group_give(struct consumer_group *g, uint64_t member, const struct group_terms *terms,
	bool (*give)(void *arg, const struct group_event *event), void *arg);

enum group_settled { GROUP_UNKNOWN, GROUP_EVENT, GROUP_LETTER };
/* By whomever it was given to, late or not. Unknown: it is settled, or dying. */
enum group_settled consumer_group_acknowledge(struct consumer_group *g, struct event_id id);
/* It waits again; dead: whatever its attempts it is a dead letter. */
void consumer_group_reject(struct consumer_group *g, struct event_id id, bool dead);
/* Time goes on: what is in flight for longer waits again, or is dying. */
void consumer_group_expire(struct consumer_group *g, uint64_t now_us);
/* When that is due next; UINT64_MAX: nothing is in flight. */
uint64_t consumer_group_due(const struct consumer_group *g);

/* One that is dying and was not given out by this yet; NULL: none. Valid until it is buried. */
const struct group_event *consumer_group_dying(struct consumer_group *g, bool *letter);
/* Its dead letter is written: it is settled. failed: it is not, and it is dying still. */
void consumer_group_buried(struct consumer_group *g, struct event_id id, bool failed);

/* All up to this one are settled. */
struct event_id consumer_group_done(const struct consumer_group *g);
/* Events in flight, of all members. */
unsigned consumer_group_inflight(const struct consumer_group *g);

/* Nothing in the window, and no letter, has been given to anyone. */
bool consumer_group_untried(const struct consumer_group *g);

/* Invariants, for tests. */
void consumer_group_check(const struct consumer_group *g);

#endif
