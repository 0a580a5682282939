/*
 * stream.h: between stream.c, which talks to PostgreSQL and keeps the position, and transaction.c, which takes messages.
 */
#ifndef LF_TOOLS_PGFEED_STREAM_H
#define LF_TOOLS_PGFEED_STREAM_H

#include "tools/pgfeed/session.h"
#include "tools/pgfeed/spool.h"
#include "tools/pgfeed/window.h"

/* A transaction that comes in parts before it has ended. */
struct streamed {
	struct streamed *next;
	uint32_t xid;
	struct spool *spool;
	unsigned naborted, aborted_cap;
	uint32_t *aborted; /* subtransactions */
};

struct stream {
	struct session *s;
	struct sender sender;
	struct failure *f; /* the session's */

	/* Messages: */
	bool in_part; /* between STREAM_START and STREAM_STOP */
	struct streamed *part;
	struct streamed *streamed; /* all that have not ended */
	bool in_transaction;
	uint64_t lsn; /* of the transaction's commit */
	int64_t committed_us;
	struct window *window; /* NULL: changes go at once */
	struct move move;      /* the last row of it that got another key, and was not sent whole */
	uint64_t
		kept_lsn; /* values were kept for commits up to here; 0: none since they were forgotten */
	bool ended;       /* all before session.stop_at is there */
	struct pgoutput_value *new, *old; /* values of a row, UINT16_MAX each */

	/* The connection: */
	uint64_t received; /* what PostgreSQL has sent so far */
	uint64_t heard_ms, told_ms;
	bool tell; /* something new is durable */

	/* The position: */
	bool writing;
	uint64_t writing_lsn, writing_reach, written_ms;
	uint64_t want_reach;
	uint64_t idle_lsn; /* nothing for this feed is before it */
};

/* Take a message. 0; -1: the session's failure. */
int transaction_message(struct stream *st, const void *bytes, size_t n);
/* PostgreSQL has sent everything before this place in the log. */
int transaction_reached(struct stream *st, uint64_t lsn);
/* Some state of one that came in parts is kept, or one is half sent. */
bool transaction_is_open(const struct stream *st);
void transaction_free(struct stream *st);
/* Have the state say that what was committed at `lsn` may be there, and wait until that is durable. */
int stream_reach(struct stream *st, uint64_t lsn);

#endif
