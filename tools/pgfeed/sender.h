/*
 * sender.h: changes on their way to Leftfold: batches of one statement, in groups that readers see together.
 *
 * A group is what is sent between two moments that can be told: the rows of some transactions, or of a part of a large one. It
 * holds the epoch from its first change to its end (HOLD, RELEASE of net/PROTOCOL.md), so that all of it becomes visible at
 * once, unless another holds it or that takes longer than Leftfold allows. Groups are done in order: when all changes of one
 * and of those before it are durable and visible, its place in the log is.
 */
#ifndef LF_TOOLS_PGFEED_SENDER_H
#define LF_TOOLS_PGFEED_SENDER_H

#include "tools/pgfeed/version.h"

struct group {
	struct group *next;
	uint64_t end_lsn; /* everything before is sent when it is done; 0: nothing can be said */
	int64_t committed_us;
	unsigned outstanding; /* answers */
	uint64_t rows, begun_ms;
	bool held;
};

struct sender {
	struct lf_client *c;
	struct state *state; /* for values to keep */
	struct failure *f;   /* the first failure stays */
	bool hold;           /* groups hold the epoch */
	/* Let time pass, at most so many ms: answers come in, what must go to PostgreSQL goes. 0; -1: *f. */
	int (*pump)(void *arg, int timeout_ms);
	void *arg;

	struct group *first, *last; /* in the order in which they were begun */
	bool open;                  /* the last one is not ended */
	struct change *change;      /* of the batch under construction; NULL: none */
	struct batch *batch;
	unsigned batch_rows;
	uint64_t rows;     /* sent, of all groups */
	uint64_t apart;    /* groups that could not hold the epoch */
	uint64_t done_lsn; /* of the groups that are done */
	int64_t done_us;
};

/* Send one change; its parameters are set. must: it must find its row. 0; -1: *f. */
int sender_change(struct sender *s, const struct version *v, struct change *change, bool must);
int sender_truncate(struct sender *s, const struct table *t);
/* Note where the log is after what has been sent; the group may go on. */
void sender_commit(struct sender *s, uint64_t end_lsn, int64_t committed_us);
/* Before anything else is done with the connection. */
int sender_end_batch(struct sender *s);
/* End the group, if there is one. */
int sender_end_group(struct sender *s);
/* End it and wait until everything is answered. */
int sender_drain(struct sender *s);
/* Look which groups are done: s->done_lsn. */
void sender_look(struct sender *s);
bool sender_idle(const struct sender *s);
/* After the connection has been closed, which answers everything. */
void sender_free(struct sender *s);

#endif
