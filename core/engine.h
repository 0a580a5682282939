/*
 * engine.h: the embedded API of Leftfold: the server, the tests and the in-process benchmarks are its
 * callers. No sockets here.
 *
 * An engine has P projectors, one a shard. A *port* is one submitting thread's access: it has a command
 * ring to and a reply ring from every projector, and an epoch slot for reading. Prepared statements
 * may be shared by ports.
 *
 *     struct lf_options o = lf_options_default();
 *     lf_engine_open(&engine, &o, &error);
 *     lf_port_open(&port, engine, NULL, NULL, &error);
 *     lf_prepare(&insert, engine, "INSERT INTO t VALUES ($1, $2)", len, NULL, 0, &error);
 *     lf_submit(port, insert, params, 1, LF_VISIBLE, &error);     // params: a packed row (row.h)
 *     lf_flush(port);
 *     lf_poll(port, on_reply, arg);                               // replies, matched by tag
 *     lf_read_begin(port, 0, &epoch, &error);                     // pins one epoch
 *     lf_query(port, select, params, on_row, arg, &error);        // any number, all at that epoch
 *     lf_read_end(port);
 *
 * Two ways to run it: with threads (one a projector, parked when idle), or stepped (`stepped` = true):
 * then nothing runs by itself and the caller drives lf_step(), which makes every run repeatable. With threads, a port may
 * adopt shards: its thread does their projectors' work, too.
 */
#ifndef LF_CORE_ENGINE_H
#define LF_CORE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/log/event_reader.h"
#include "core/sql/plan.h"

struct lf_engine;
struct lf_port;

/* What a command's acknowledgement (LF_DURABLE, LF_VISIBLE) survives: the end of the process; that of the system, too. */
enum lf_durability { LF_DURABILITY_OS, LF_DURABILITY_DISK };

struct lf_options {
	unsigned projectors;   /* shards, 1…64 */
	unsigned ports_max;    /* 1…256 */
	uint64_t memory_limit; /* bytes for rows, indexes and views; 0: none. Beyond: 53200 */
	uint64_t prefault;     /* bytes of memory to map and touch when opening, over all shards */
	uint32_t ring_bytes;   /* of one command ring; a power of two */
	uint32_t reply_ring_bytes;
	/* A view or index over more rows than that is built while commands go on, so many rows at a time (at least a
	 * segment of a table's directory, some hundred). */
	uint64_t build_at_once;
	unsigned build_slice;
	uint32_t batch_max; /* commands a projector takes from one ring into one batch */
	unsigned
		spin_us; /* a projector's thread without work looks for it so long before it sleeps */
	bool stepped;
	/* Bytes of changes that a shard keeps for subscribers; of all at most an eighth of the memory limit. */
	uint64_t history;
	unsigned history_keep_s; /* how long it does when a relation's last one has gone */
	uint64_t rows_max;       /* rows that a sort or a grouping in a query may hold */
	int64_t fixed_now_us;    /* stepped mode: what now() gives; 0: the clock */
	/* Commands with a request id: what is remembered of their answers. Older ones are forgotten (LF006). */
	uint32_t once_answers; /* of a client, by each shard; 1… */
	uint64_t once_bytes;   /* of all, over all shards */
	uint32_t once_seconds; /* none is for longer */

	/* Where everything is kept; NULL (and no disk): nowhere. */
	const char *data;
	struct disk
		*disk; /* instead of a directory, for tests (core/log/disk.h); stays the caller's */
	enum lf_durability durability;
	/* Where what is there is damaged: recover what is sound, with a line in the log for all that is dropped. What there
	 * was is kept, under names that end in ".salvaged". */
	bool salvage;
	uint64_t segment_bytes; /* of the journal; a multiple of 4096 */
	/* A checkpoint is written by a thread of its own after so many bytes of journal, or so many seconds if there was
	 * anything; 0: not for that reason. */
	uint64_t checkpoint_bytes;
	unsigned checkpoint_s;
	/* Journal each command before its changes (engine_events.c), and keep so many bytes of journal even when no
	 * checkpoint needs them. Without data or disk: 22023. */
	bool event_log;
	uint64_t event_log_retain;
	/* Called once, by any thread, when the journal cannot be written any more: what waits for it is answered LF003,
	 * further commands are refused. The caller should end. May be NULL. */
	void (*on_unwritable)(void *arg, const struct error *why);
	void *on_unwritable_arg;
};
struct lf_options lf_options_default(void);

/* With `data` or `disk`: what was there is recovered first. 22023 for options out of range; 53200; 58030 with the file
 * and the place when what is there is damaged, or the disk's error; 55000: another process has the directory, or its
 * format is of another version. */
int lf_engine_open(struct lf_engine **out, const struct lf_options *o, struct error *e);
/* All ports must be closed. Stops the projectors and frees everything. */
void lf_engine_close(struct lf_engine *engine);

/* wake(arg) is called by another thread when the port has something new to poll and has said by
 * lf_port_sleep() that it sleeps; it must be async-signal-simple (write an eventfd, post a futex). NULL:
 * lf_port_wait() is used for sleeping. 53300 when there are ports_max already. */
int lf_port_open(struct lf_port **out, struct lf_engine *engine, void (*wake)(void *), void *arg,
	struct error *e);
/* Waits until all that was submitted has been answered (the replies are dropped). */
void lf_port_close(struct lf_port *port);

/* --- statements (thread-safe) --- */

/* See sql_prepare(). The statement is ready to execute and may be shared by all ports. */
int lf_prepare(struct statement **out, struct lf_engine *engine, const char *text, size_t len,
	const enum type_id *declared, unsigned ndeclared, struct error *e);
/* Whether who feeds tables of `source` (NULL: of none) may execute the statement; see statement_check_source(). What has no
 * connections (a schema's script, recovery) may do anything. Without tables that are fed this is one comparison. */
int lf_check_source(const struct lf_engine *engine, const struct statement *s, const char *source,
	struct error *e);
/* When no execution of it is under way on any port. */
void lf_release(struct lf_engine *engine, struct statement *s);

/* --- commands --- */

enum lf_ack {
	LF_ACCEPTED = 0, /* the caller may acknowledge at once; the reply tells how it went */
	LF_DURABLE = 1,  /* replied when validated and journaled */
	LF_VISIBLE = 2   /* replied when every view shows it */
};

struct lf_reply {
	uint64_t tag;
	enum lf_ack ack;
	uint64_t epoch; /* of the command, or of the newest of its parts; 0 when none succeeded */
	uint64_t count; /* rows inserted, changed or deleted */
	uint32_t parts; /* aggregates (or shards) that did their part, of `parts_all` */
	uint32_t parts_all;
	const struct error
		*error; /* NULL: success. With several parts: the first error; the others may
	                            * have succeeded: count says how many rows */
	unsigned nrows; /* RETURNING */
	const void *const *rows; /* packed rows of statement->result_layout */
};
typedef void (*lf_on_reply)(void *arg, const struct lf_reply *reply);

/* Put a command (or DDL) into its ring or rings; params is a valid packed row of s->param_layout
 * (row_validate() it when it comes from outside) and is copied. s must live until the reply; with
 * LF_ACCEPTED until lf_port_idle(). 0; or -1: LF002 when a ring is full (nothing was taken: poll and
 * try again), LF005 when it is because the disk hangs, 53200, 22004 (partition value is NULL), 0A000 (block over several aggregates), and errors
 * of evaluating the partition expression. */
int lf_submit(struct lf_port *port, const struct statement *s, const void *params, uint64_t tag,
	enum lf_ack ack, struct error *e);
/* What a command may ask for beyond its acknowledgement; all zeros asks for nothing. */
struct lf_command_options {
	/* Execute it once: a client's own number, and the number that it gives this command and no other one. Both from
	 * 1; client 0: not asked for. */
	uint64_t client, request;
	/* Refuse it (40001, "current version N" in the detail) if a row that it names by key, or that its WHERE finds, was
	 * changed, made or deleted by another command after this epoch; 0 is an epoch. Not for schema changes. */
	bool expect;
	uint64_t expected_epoch;
	/* The client's own words for the event log, up to LIMIT_META_BYTES; copied. NULL: none. */
	const void *meta;
	uint32_t meta_bytes;
};
/* lf_submit() with options, which may be NULL. Besides its errors: 0A000 for an option that is not supported, or not for
 * this statement; 22023, 54000. A command with a request id may be answered LF006 (older than what is remembered), LF007
 * (the id was another command's) or 53400 (too many clients) besides what the first execution was. */
int lf_submit_with(struct lf_port *port, const struct statement *s, const void *params,
	uint64_t tag, enum lf_ack ack, const struct lf_command_options *options, struct error *e);
/* Make what was submitted visible to the projectors and wake those that sleep. */
void lf_flush(struct lf_port *port);
/* Hand out replies that are due; returns their number. In the callback nothing of the port may be
 * called but lf_submit() and lf_submit_with(). Replies of one shard come in order of submission. */
unsigned lf_poll(struct lf_port *port, lf_on_reply fn, void *arg);
/* Everything submitted has been answered (accepted ones: executed). */
bool lf_port_idle(const struct lf_port *port);

/* --- commands that readers see together --- */

/* Hold the current epoch: what any port's commands do from now until the release is one epoch, so that readers of any
 * view see all of it or nothing. It is visibility only: each command succeeds or fails, and survives a crash, by itself.
 * Meanwhile nothing new becomes visible, and nobody else's either, so it should take milliseconds, and must end: by
 * lf_release_hold() or lf_break_hold(). By any thread. 55006: there is one already, or a schema change waits. */
int lf_hold(struct lf_engine *engine, uint64_t *hold, struct error *e);
/* Submitted like a command, behind those of this port that belong together; they must all be its. The reply comes with
 * the epoch that they had when it is visible. 0; or -1: LF002, LF005, 53200. */
int lf_release_hold(struct lf_port *port, uint64_t hold, uint64_t tag, struct error *e);
/* End it at once, whatever has been executed. False: it had ended. By any thread. */
bool lf_break_hold(struct lf_engine *engine, uint64_t hold);

/* --- reading --- */

uint64_t lf_visible(const struct lf_engine *engine);
/* Pin the newest visible epoch for the queries up to lf_read_end(). LF001 when it is older than
 * at_least. */
int lf_read_begin(struct lf_port *port, uint64_t at_least, uint64_t *epoch, struct error *e);
int lf_query(struct lf_port *port, const struct statement *s, const void *params,
	int (*sink)(void *arg, const void *row, uint32_t size), void *arg, struct error *e);
/* Many executions of one statement, in order, key lookups fetched together; see query_run_batch(). */
void lf_query_batch(struct lf_port *port, const struct statement *s, unsigned n,
	const void *const *params, int (*sink)(void *arg, const void *row, uint32_t size),
	void (*done)(void *arg, unsigned i, int status, const struct error *e), void *arg);
void lf_read_end(struct lf_port *port);
/* Have the port woken once this epoch is visible. */
void lf_want_epoch(struct lf_port *port, uint64_t epoch);

/* --- subscriptions: the rows of a query at one epoch, then every change of them --- */

struct lf_subscription;

struct lf_feed_options {
	uint64_t from; /* changes behind this epoch, without a snapshot; 0: a snapshot first */
	/* What was changed since the last look is one group with one change a row: from what it was to what it is. One who
	 * falls behind what is kept gets a gap and a snapshot. Else every epoch is a group, and one who falls behind is ended
	 * with LF009. */
	bool latest;
	bool strict; /* LF008 rather than a gap and a snapshot */
};

enum lf_feed_kind {
	LF_FEED_GAP, /* what was told before is void: changes behind `epoch` are lost. A snapshot follows */
	LF_FEED_SNAPSHOT, /* rows at `epoch` follow */
	LF_FEED_ROW,      /* one: new_row, `times` over */
	LF_FEED_CHANGES,  /* changes follow, from the last group's epoch to `epoch` */
	LF_FEED_CHANGE,   /* one: `times` over, old_row NULL: inserted, new_row NULL: deleted */
	LF_FEED_END       /* of the snapshot or changes: all up to `epoch` has been told */
};
struct lf_feed_event {
	enum lf_feed_kind kind;
	uint64_t epoch;
	uint64_t times;
	const void *old_row,
		*new_row; /* packed rows of the statement's result_layout, during the call */
};
/* 0; else it could not be taken, and the subscription ends with 53200. */
typedef int (*lf_on_feed)(void *arg, const struct lf_feed_event *event);

/* 0; 0A000 with position and hint when the statement is no query of one table or view that can be followed: columns and
 * expressions of its rows, and conditions on them. */
int lf_subscribable(const struct statement *s, struct error *e);
/* Follow such a query. The statement must live until lf_unsubscribe(), the port too; params is copied. Also LF004, 42P01,
 * 53200, 53400. */
int lf_subscribe(struct lf_subscription **out, struct lf_port *port, const struct statement *s,
	const void *params, const struct lf_feed_options *o, struct error *e);
/* Tell what has become visible up to the pinned epoch: between lf_read_begin() and lf_read_end() of its port. A snapshot or
 * one group of changes at most, which is told whole, and a bounded look at what does not concern it. 1: there may be more;
 * 0: there is nothing more at this epoch (or it waits for `from` or for its beginning); -1: it has ended, *e says why: LF008,
 * LF009, LF004, what a schema change did (42P01, 55000), or the error of an expression. */
int lf_feed_read(struct lf_subscription *sub, lf_on_feed fn, void *arg, struct error *e);
/* All up to this epoch has been told: where to go on from. 0: nothing yet. */
uint64_t lf_feed_epoch(const struct lf_subscription *sub);
void lf_unsubscribe(struct lf_subscription *sub);
/* Have the port woken once something that its subscriptions may be told is visible, of this epoch or a later one. 0: not. */
void lf_want_changes(struct lf_port *port, uint64_t epoch);

/* --- sleeping --- */

/* For ports with a wake function: say that it is about to sleep, for *timeout_us at most, which may become less. False:
 * there is something to poll (or the wanted epoch is visible): do not sleep. After waking call lf_port_awake(). */
bool lf_port_sleep(struct lf_port *port, uint64_t *timeout_us);
/* For a thread that would rather look again and again for a moment than sleep: one look. It steps the adopted shards; true:
 * that did something, or there is something to poll. */
bool lf_port_look(struct lf_port *port);
void lf_port_awake(struct lf_port *port);
/* For ports without: sleep until there may be something to poll, at most timeout_us. */
void lf_port_wait(struct lf_port *port, uint64_t timeout_us);

/* --- one thread for a port and shards, where there are more threads than processors --- */

/* From now on lf_poll() of this port steps the shard's projector and lf_port_sleep() is for both; the projector's own
 * thread rests. 55000: the shard is adopted already; 58030. */
int lf_port_adopt(struct lf_port *port, unsigned shard, struct error *e);
/* An eventfd that others add to when an adopted shard has work: watch it while sleeping, besides what the port's wake
 * function does. It is the engine's and stays open until it is closed. -1: nothing was adopted yet. */
int lf_port_event(const struct lf_port *port);
/* Give all of them back to their threads; before lf_port_close(), by the thread that polled. */
void lf_port_let_go(struct lf_port *port);

/* --- stepped mode --- */

/* One step of a projector, or of pending DDL (shard == projectors), or of the event log's service (projectors + 1). True when
 * it did something. */
bool lf_step(struct lf_engine *engine, unsigned shard);
/* Steps all in turn until nothing moves: afterwards every submitted command is answered (poll!) and
 * visible. */
void lf_settle(struct lf_engine *engine);

/* --- convenience, for tools and tests: submits or queries, waits (or settles) for the answer --- */

/* Run one statement given as text, without parameters. Rows go to sink (may be NULL). */
int lf_run(struct lf_port *port, const char *text, size_t len, uint64_t *count,
	int (*sink)(void *arg, const struct statement *s, const void *row), void *arg,
	struct error *e);
/* Run a whole script; stops at the first error, whose position is in the script: the statement's first
 * character when the error has none of its own. */
int lf_run_script(struct lf_port *port, const char *text, size_t len, struct error *e);
/* The same for a schema, where the data directory may have brought one back: then what is there as declared is passed
 * over, commands are too, and only additions are made. 42P07: something is there with another definition; 55000: a
 * statement drops something. */
int lf_run_schema(struct lf_port *port, const char *text, size_t len, struct error *e);

/* --- checkpoints --- */

/* Write one now, while everything goes on; the journal before the last but one is removed. 55000: nothing is kept;
 * 58030, 53100: it could not be written, and the earlier ones stay. */
int lf_checkpoint(struct lf_engine *engine, struct error *e);

/* --- the event log: options.event_log --- */

struct lf_events;

enum lf_events_from {
	LF_EVENTS_BEHIND, /* `after` */
	LF_EVENTS_OLDEST, /* all that are kept */
	LF_EVENTS_NOW     /* those of epochs that are not visible yet */
};
struct lf_events_options {
	enum lf_events_from from;
	struct event_id after;
	const char *table; /* commands that changed it only; NULL: any. A name of those times */
	const char *key;   /* of one aggregate only, as its key is printed; NULL: any */
};

/* Read the commands that changed something, with what they changed: in the order of their ids, up to what is visible,
 * also those of earlier runs. By one thread at a time, which may wait for the disk; with one block of the journal in
 * memory. To be closed before the engine. 55000: there is no event log; LF010: events behind `after` are not kept any
 * more; 53200. */
int lf_events_open(struct lf_events **out, struct lf_engine *engine,
	const struct lf_events_options *o, struct error *e);
void lf_events_close(struct lf_events *ev);
/* The next one: 1, valid until the next call; 0: there is none yet; -1: LF010, 58030, 53200. */
int lf_events_next(struct lf_events *ev, struct event_id *id, struct event *out, struct error *e);
/* The tables of that event. */
const struct event_walk *lf_events_walk(const struct lf_events *ev);
/* The key of its aggregate as text: returns the length, which may exceed cap; then nothing useful is in buf. 0: it changed
 * several. */
size_t lf_event_key(const struct event *event, char *buf, size_t cap);

/* The same by a thread of the engine, for a port that must not wait: it reads ahead one lot. */
struct lf_stream;

struct lf_lot {
	/* So many events: each a struct event_head and its entries (core/log/entry.h). A lot is understood without others. */
	const unsigned char *data;
	size_t bytes;
	uint32_t events;
	struct event_id reached; /* all up to this one have been given, or passed over */
	uint64_t requeued;       /* of lf_consume_requeue() */
	bool last; /* there will be no more: all is given that was visible at the beginning */
	const struct error *error; /* … or it has failed; NULL: not */
};

/* follow: it goes on with what becomes visible. Errors as lf_events_open(). */
int lf_stream_open(struct lf_stream **out, struct lf_port *port, const struct lf_events_options *o,
	bool follow, struct error *e);
/* By the port's thread. Also before the port is closed. */
void lf_stream_close(struct lf_stream *s);
/* The lot that is ready, until lf_stream_take(); NULL: not yet. The first is ready at once, without events, and says where
 * it begins. */
const struct lf_lot *lf_stream_peek(struct lf_stream *s);
void lf_stream_take(struct lf_stream *s);
/* --- consumers: streams whose events are shared by a group, and must be acknowledged (consumer_group.h) --- */

struct lf_consume_options {
	const char *name; /* of the group, up to LIMIT_NAME_BYTES */
	/* Where it begins if it is new, or with `reset`; else it goes on behind what has been settled. */
	enum lf_events_from from;
	struct event_id after;
	bool reset; /* 55000 when it has members */
	uint32_t
		ack_ms; /* an event that is not acknowledged so long is given again; 0: the default */
	uint32_t
		attempts_max; /* … but so often at most, then it is a dead letter; 0: the default */
	uint32_t inflight_max; /* unacknowledged ones at once; 0: the default */
};

/* Become a member of a group. Its stream's first lot is empty and comes when it has joined; `reached` is the position that
 * is kept. Errors come as lots: 55000 there is no event log, or it cannot be reset; LF010; 53400, 53200, and those of
 * writing a position. 22023: the name. The group's position and its dead letters are kept in the tables leftfold_consumers and
 * leftfold_dead_letters, which are made when they are needed; their changes are no events. */
int lf_consume_open(struct lf_stream **out, struct lf_port *port,
	const struct lf_consume_options *o, struct error *e);

enum lf_settle {
	LF_SETTLE_ACKNOWLEDGE,
	LF_SETTLE_REJECT, /* give it again, now */
	LF_SETTLE_DEAD    /* make it a dead letter */
};
/* Of events that the stream has given. Others are passed over, and so are more than LIMIT_CONSUMER_WINDOW at once. */
void lf_consume_settle(
	struct lf_stream *s, enum lf_settle how, const struct event_id *ids, unsigned n);

/* Give dead letters of a group again (one, or with NULL all), beginning anew to count. A stream whose only lot is the
 * last, with `requeued` being how many. Errors as lots: 42704 there is no such group, or it has no such letter. */
int lf_consume_requeue(struct lf_stream **out, struct lf_port *port, const char *name,
	const struct event_id *id, struct error *e);

/* Stepped mode: from now on time-outs are measured by this time (> 0), not by the clock. */
void lf_step_clock(struct lf_engine *engine, uint64_t us);

/* Whether any stream of the port has got ready since this was asked last. The port is woken for it. */
bool lf_port_streams(struct lf_port *port);

/* --- introspection --- */

struct lf_stats {
	uint64_t commands, refused, epoch, visible;
	uint64_t batches;       /* that the commands were executed in */
	uint64_t view_rows;     /* rows of views that changed */
	uint64_t journal_bytes; /* written since the start */
	uint64_t memory_used, memory_limit;
	uint64_t subscriptions;
	uint64_t disks_late; /* shards whose journal waits for a disk that hangs */
	uint64_t rows;       /* live rows of all tables and views */
	/* Answers remembered of commands with a request id; parts of such commands that were answered from them. */
	uint64_t once_answers, once_bytes, once_clients, once_repeated;
};
void lf_stats(struct lf_engine *engine, struct lf_stats *out);

/* Each table, view and (RELATION_PROCEDURE) procedure as the catalog has it, for \d and the like, in that order but for
 * procedures, which come last. Calls fn under the catalog's lock. */
void lf_catalog_each(
	struct lf_engine *engine, void (*fn)(void *arg, const struct relation *r), void *arg);
/* How a view is computed, one line an operator; returns bytes written (0: no such view). */
size_t lf_explain(struct lf_engine *engine, const char *view, char *buf, size_t cap);

#endif
