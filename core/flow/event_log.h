/*
 * event_log.h: the commands of a shard's batch, noted until they are journaled before their changes (ENTRY_COMMAND in
 * core/log/format.h).
 *
 *     event_log_prepare(l, params, meta, n, &e);         before the command is executed: afterwards nothing can fail
 *     event_log_note(l, statement, now_us, first, n);    it changed entries [first, first + n) of the change log
 *     event_log_size(l, log, &entries, &bytes);          … of the batch: for journal_reserve()
 *     event_log_write(l, log, journal);
 *
 * A statement's text and a table's columns are written once a block, before the first command that needs them.
 */
#ifndef LF_FLOW_EVENT_LOG_H
#define LF_FLOW_EVENT_LOG_H

#include "core/flow/command.h"
#include "core/log/journal.h"

struct event_log;

/* NULL: out of memory. */
struct event_log *event_log_new(void);
void event_log_free(struct event_log *l);

/* Keep copies of a command's parameters (a packed row; NULL: they are not to be kept) and of its metadata. They are
 * dropped with the next call unless the command is noted. 0, or -1: 53200. */
int event_log_prepare(struct event_log *l, const void *params, const void *meta,
	uint32_t meta_bytes, struct error *e);
/* n > 0. The statement must live until event_log_write(). */
void event_log_note(
	struct event_log *l, const struct statement *s, int64_t now_us, unsigned first, unsigned n);

/* What journaling the whole change log with its commands takes at most. */
void event_log_size(
	struct event_log *l, const struct change_log *log, unsigned *entries, uint64_t *bytes);
/* Add all of it to the block that was reserved; nothing is noted any more. */
void event_log_write(struct event_log *l, const struct change_log *log, struct journal *j);
/* Instead: the journal has failed. */
void event_log_drop(struct event_log *l);

#endif
