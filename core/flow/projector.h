/*
 * projector.h: one shard's single-threaded owner: takes commands from its rings, changes its parts, keeps
 * the views that follow from them, and answers.
 *
 * Everything it does is in projector_step(), which never blocks; a thread around it (engine.c) parks when
 * a step found nothing to do.
 */
#ifndef LF_FLOW_PROJECTOR_H
#define LF_FLOW_PROJECTOR_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/base/limits.h"
#include "core/flow/answers.h"
#include "core/flow/command.h"
#include "core/flow/event_log.h"
#include "core/flow/exchange.h"
#include "core/flow/feed.h"
#include "core/flow/flow.h"
#include "core/flow/hold.h"
#include "core/flow/part_copy.h"
#include "core/log/journal.h"
#include "core/sync/epoch.h"
#include "core/sync/park.h"
#include "core/sync/ring.h"

/* --- messages --- */

enum { REQUEST_NONE = UINT32_MAX };

/* What one shard has to do of a command that goes to several aggregates or shards: each range is a
 * command by itself. Owned by the port, which keeps it until the reply. */
struct command_parts {
	uint64_t
		hold_ends; /* the number of a hold that ends behind what came before; 0: a command */
	const void *params;
	const void *const *sources; /* what the command's query gave; NULL: it has none */
	const struct command_options *options; /* NULL: none */
	uint64_t *hashes; /* by range, of its partition value; NULL: not ONCE */
	unsigned n;
	struct row_range ranges[];
};

/* Port to projector; the packed parameter row follows when `parts` is NULL, and behind it the options, if it has any. */
struct command_message {
	uint64_t tag;
	const struct statement *statement;
	const struct command_parts *parts;
	uint32_t request; /* the port's record of a command with several parts, or REQUEST_NONE */
	uint16_t ack;     /* enum lf_ack, for the port's eyes only */
	uint16_t options; /* 1: it has options */
	struct row_range rows; /* INSERT: the VALUES rows that are meant */
};
_Static_assert(sizeof(struct command_message) == 40, "parameters follow 8-aligned");

enum reply_kind { REPLY_DONE, REPLY_ERROR };

/* Projector to port. REPLY_ERROR: a struct error follows (with several ranges `count`, `done` and
 * `epoch` tell what succeeded all the same). REPLY_DONE: nrows packed rows follow, or are
 * in `outside` (malloc'd, the port frees it) when they are too many for the ring. */
struct reply_message {
	uint64_t tag;
	uint64_t epoch;
	uint64_t count;
	const struct statement *statement;
	void *outside;
	uint32_t request;
	uint32_t nrows;
	uint32_t bytes; /* of all rows */
	uint32_t done;  /* ranges that succeeded; 1 or 0 for a command of one part */
	uint8_t ack;
	uint8_t kind;
	uint8_t pad[6];
};
_Static_assert(sizeof(struct reply_message) == 64, "rows follow 8-aligned");

/* What one reply takes in the ring at most. */
enum { REPLY_INLINE_MAX = 2048 };
_Static_assert(sizeof(struct reply_message) + sizeof(struct error) <= REPLY_INLINE_MAX,
	"an error fits a reply");

/* A reply taken out of the ring before it is due; the message follows. */
struct deferred_reply {
	_Alignas(8) struct deferred_reply *next;
};

/* One port and one projector. */
struct lane {
	struct ring *commands; /* port → projector */
	struct ring *replies;  /* projector → port */
	struct parker *port;   /* whom to wake */
	struct deferred_reply *deferred,
		*deferred_last; /* the port's; older than all in the ring */
	_Atomic bool starved;   /* the projector waits for room in `replies` */
	_Atomic bool closing;   /* the port wants to go; all its commands have been answered */
	_Atomic bool closed;    /* the projector will not look at it again */
};

/* --- what the projectors of an engine share --- */

enum pause { PAUSE_NONE, PAUSE_DRAIN, PAUSE_STOP };

struct projector;

struct projector_set {
	unsigned shards;
	unsigned ports_max;
	uint32_t batch_max;
	int64_t fixed_now_us; /* 0: the clock */
	struct answers_limits once;
	struct epochs *epochs;
	struct hold hold;
	struct heap_budget budget;
	size_t prefault; /* bytes of a shard's heap, see heap_new_shard() */
	bool paced; /* builds wait for memory to be touched: not where steps are to be the same each time */
	struct projector **projectors;     /* by shard */
	struct exchange_channel *channels; /* [to * shards + from] */
	/* DDL: PAUSE_DRAIN stops new batches, later stages go on; PAUSE_STOP: nobody touches anything. */
	_Atomic int pause;
	_Atomic unsigned failures; /* counts views that failed */
	/* A journal that failed: set once, after its reason; nothing is written any more. */
	_Atomic bool unwritable;
	pthread_mutex_t unwritable_lock;
	struct error unwritable_why;
	void (*on_unwritable)(
		void *arg, const struct error *why); /* once, by a projector; may be NULL */
	void *on_unwritable_arg;
	/* The last epoch before this run: rows that were recovered count as changed then, since nobody knows when they were. */
	uint64_t base_epoch;
	unsigned stages;              /* changed at DDL moments only */
	uint64_t history;             /* bytes of changes that a shard keeps for subscribers */
	_Atomic uint64_t feed_newest; /* see struct feeds */
	/* A statement that uses a table as it was before ALTER, prepared again; NULL with *e. By any projector. */
	const struct statement *(*renew)(void *arg, const struct statement *s, struct error *e);
	void *renew_arg;
};

/* Say that nothing can be written any more; the first reason is kept. */
void projector_set_unwritable(struct projector_set *set, const struct error *why);

/* After a view's failure was set: have every projector stop the view and free what it holds. */
void projector_views_failed(struct projector_set *set);

struct projector_stats {
	uint64_t commands, refused, batches;
	uint64_t repeated; /* commands, or parts of them, that were answered as the first time */
	struct answers_stats answers;
	uint64_t view_rows; /* see flow_published() */
};

int projector_new(
	struct projector **out, struct projector_set *set, unsigned shard, struct error *e);
void projector_free(struct projector *p);

/* True when it did something. */
bool projector_step(struct projector *p);
/* Whether it is freeing what was dropped: memory that comes back by itself. Any thread. */
bool projector_is_freeing(const struct projector *p);
/* Whether a step would find something to do; called between park_prepare() and sleeping. */
bool projector_has_work(struct projector *p);
/* Whether it builds something, and waits with it for memory that another thread touches: to be looked at again soon. */
bool projector_build_waits(const struct projector *p);

/* park_wake() of a projector. */
void projector_wake(void *projector);
/* Sleep between park_prepare() and now; ends as park_wait(). */
void projector_sleep(struct projector *p, uint64_t timeout_us);
/* Have it begin or finish the log of a feed, one after the other; by any thread. It wants to be woken then. */
void projector_request_feed(struct projector *p, struct feed_request *r);

/* What another thread needs to step it from now on: no write of the journal is under way. By the thread that has
 * stepped it, before it stops doing so. */
void projector_let_go(struct projector *p);
/* Steps come from a thread that sleeps as `leader` and is told of finished writes by the eventfd; NULL and -1: from
 * one that uses projector_sleep(). 0, or a negative errno and nothing is changed. */
int projector_lead(struct projector *p, struct parker *leader, int event_fd);
/* After such a thread has slept. */
void projector_awake(struct projector *p);
/* From now on changes are journaled; before threads. The journal stays its opener's. */
void projector_set_journal(struct projector *p, struct journal *j);
/* Commands are journaled, too; before threads. It becomes the projector's. */
void projector_set_event_log(struct projector *p, struct event_log *l);

struct parker *projector_parker(struct projector *p);
struct heap *projector_heap(struct projector *p);
struct flow *projector_flow(struct projector *p);
struct retire *projector_retire(struct projector *p);
void projector_stats(const struct projector *p, struct projector_stats *out);

/* A change that the journal has: put a row into a part, or take it out. */
struct restored {
	struct part *part;
	const void *row;
	uint64_t hash; /* part_key_hash() */
	bool dead;
};
/* Note a change that projector_restore() will be called with soon: what it will touch is fetched. */
void projector_restore_coming(struct restored *r);
/* Make n changes, in order; hidden row ids are noted. While the engine recovers. -1: 53200. */
int projector_restore(
	struct projector *p, const struct restored *list, unsigned n, struct error *e);
/* One of the epochs in which that happens. */
void projector_restore_begin(struct projector *p);
void projector_restore_end(struct projector *p);
/* The last row id that a shard of this number has given, as far as it is known to be higher than before. */
uint64_t *projector_rowids(struct projector *p);

/* An answer that the journal or a checkpoint has, and all are there; while the engine recovers. See answers.h. */
int projector_restore_answer(
	struct projector *p, const struct answer_record *r, bool same, struct error *e);
int projector_restored_answers(struct projector *p, struct error *e);

/* A checkpoint's walk over the answers, see answers_walk_next(). */
struct answers_copy {
	struct answers_walk walk;
	bool begun; /* false: begin it, with walk.epoch */
	unsigned char *out;
	size_t cap, bytes;
	uint32_t entries;
};
/* One slice, by whoever steps the projector. */
void projector_copy_answers(struct projector *p, struct answers_copy *c);
/* By another thread: have the projector do it, and see whether it has. */
void projector_ask_copy(struct projector *p, struct answers_copy *c);
bool projector_has_copied(struct projector *p);

/* Make a lane known (from any thread), under its port number. */
void projector_attach(struct projector *p, unsigned port, struct lane *lane);

/* --- at DDL moments (PAUSE_STOP), by the thread that holds the barrier --- */

/* Register a part for housekeeping, or stop that. */
int projector_add_part(struct projector *p, struct part *part);
void projector_remove_part(struct projector *p, struct part *part);
/* Fill an index of the part, which part_begin_index() has begun, while commands go on; until the same with NULLs. */
void projector_build_index(struct projector *p, struct part *part, const struct index_def *index,
	struct build_progress *progress);
/* Go on with a copy of one of its parts, which it owns from now on, while commands go on: until the same with NULLs. */
void projector_build_copy(
	struct projector *p, struct part_copy *copy, struct build_progress *progress);
/* Free the part, in slices, once no reader can be in it: after `epoch` has passed all pins. Cannot fail. */
void projector_condemn(struct projector *p, struct part *part, uint64_t epoch);
/* Views of the flow may have left something to be freed in the same way. */
void projector_note_remains(struct projector *p);
/* flow_drop_view(); what it held is freed in the same way. */
void projector_drop_view(struct projector *p, const struct relation *view);
/* All at once, as far as no reader can be in it. */
void projector_free_remains(struct projector *p);
/* Run stage `stage` at `epoch` for views that are being built (`only`: one, NULL: all), with what was fed or came
 * through exchanges; `last`: that is all of it. */
void projector_build_stage(struct projector *p, const struct relation *only, unsigned stage,
	uint64_t epoch, bool last);
/* All stages are finished up to `epoch`. */
void projector_set_finished(struct projector *p, uint64_t epoch);

#endif
