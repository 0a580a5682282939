/*
 * engine_internal.h: what engine.c and engine_*.c share.
 */
#ifndef LF_CORE_ENGINE_INTERNAL_H
#define LF_CORE_ENGINE_INTERNAL_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "core/engine.h"
#include "core/flow/projector.h"
#include "core/flow/query.h"
#include "core/flow/share.h"
#include "core/log/journal.h"

struct engine_thread {
	struct lf_engine *engine;
	unsigned shard;
	pthread_t thread;
	bool started;
	_Atomic bool paused;  /* by whoever steps the shard: it has seen PAUSE_STOP */
	_Atomic bool adopted; /* a port steps it, or waits to */
	_Atomic bool resting; /* the thread has stopped doing so */
	sem_t back;           /* posted when it may again */
};

/* A schema change on its way to the DDL thread, and back as a reply. */
struct ddl_job {
	struct ddl_job *next;
	struct lf_port *port;
	char *text;
	size_t len;
	uint64_t tag;
	enum lf_ack ack;
	bool checkpoint;    /* no schema change, but CHECKPOINT */
	bool cancels;       /* it is DROP of what was being built, and has had that stopped */
	uint64_t epoch;     /* out */
	struct error error; /* out; ERR_OK: done */
};

struct ddl_queue {
	struct ddl_job *head, **tail;
};

/* A schema change whose projectors work on it while commands go on; one at a time. */
struct online_build {
	struct statement *statement;
	/* The view: a new one, or a copy of an old one, whose place it takes. NULL: it is an index. */
	struct relation *view;
	struct relation *
		replaces; /* the old one: it gets a key, or has failed; NULL: a new view, or an index */
	struct parts *parts;     /* the view's */
	struct parts *copied;    /* or a table's that gets columns */
	struct index_def *index; /* or the new key; NULL: the view has the key that it had */
	uint32_t next_id;        /* of the catalog, before it */
	struct ddl_job *job;
	_Atomic bool cancelled; /* by a DROP */
	uint64_t rows;          /* that there were to go through at its beginning */
	struct build_progress progress;
};

/* The thread that reads the event log for streams. */
struct event_service {
	pthread_t thread;
	bool started;
	_Atomic bool stopping;
	_Atomic bool waiting; /* it wants to be woken when V rises */
	struct parker parker;
	pthread_mutex_t lock;
	struct lf_stream *coming; /* opened, not seen by the thread yet; under the lock */
	/* the thread's */
	struct lf_stream *streams;
	bool busy;       /* in its step */
	uint64_t now_us; /* stepped mode: the time; 0: the clock's */
	/* of consumers: see engine_consume.c */
	struct group *groups;
	unsigned ngroups;
	uint64_t members; /* numbers given */
	struct lf_port *port;
	struct consumer_statements *statements;
};

struct lf_engine {
	struct lf_options options;
	struct projector_set set;
	struct engine_thread *threads;
	_Atomic bool stopping;
	bool opened;

	/* The catalog is read by preparers and changed by the DDL thread; both hold this lock. Rows
	 * and parts are not under it. */
	pthread_mutex_t catalog_lock;
	struct catalog *catalog;
	struct heap *heap; /* statements, rings, catalog; under catalog_lock */
	uint64_t serial;   /* of the last statement; under catalog_lock */
	struct system_source system;

	pthread_mutex_t ports_lock;
	struct lf_port *ports[LIMIT_PORTS];
	_Atomic unsigned nports;     /* ports[0, nports) may be set */
	struct lf_port *spare_ports; /* closed, to be used again; under ports_lock */

	pthread_t ddl_thread;
	bool ddl_started;
	pthread_mutex_t ddl_lock;
	pthread_cond_t ddl_cond;
	struct ddl_queue ddl_jobs;    /* under ddl_lock */
	struct view_slot *views;      /* under ddl_lock's holder: the DDL executor */
	struct shares shares;         /* the same; read under catalog_lock */
	struct view_slot *gone_views; /* the same: of views that the projectors have yet to free */
	struct online_build *build;   /* the same; NULL: none is under way */
	struct feed *feeds;           /* under catalog_lock; and how many subscriptions there are */
	unsigned subscriptions;
	_Atomic int64_t
		feeds_due; /* when to look for feeds that nobody wants any more; INT64_MAX: never */
	struct parts *gone; /* the same: parts whose shards' parts are the projectors' to free */

	/* What is kept; all NULL without a data directory. */
	struct disk own_disk, *disk;
	struct segment_maker *maker;
	struct journal *schema_journal; /* the DDL executor's */
	struct journal **journals;      /* by shard, the projectors' */
	bool recovering;                /* views are in the catalog only */
	bool recovered;                 /* there was something in the data directory */
	bool salvaging;                 /* it is damaged, and what is sound is wanted */
	uint64_t recovered_rows;
	uint32_t run;                 /* of the journals */
	_Atomic uint64_t events_gone; /* events up to this epoch are not kept any more */
	struct event_service events;

	struct checkpoints {
		pthread_mutex_t lock; /* one at a time */
		uint32_t last;        /* number given */
		/* The newest ones that are whole, the newest first; number 0: none. */
		struct {
			uint32_t number;
			uint64_t epoch;
		} whole[CHECKPOINTS_KEPT];
		int reader;
		pthread_t thread;
		bool started;
		pthread_mutex_t wait_lock;
		pthread_cond_t wake;
		_Atomic bool stopping;
	} checkpoints;
};

/* What the query of a command gave: packed rows of its result_layout. */
struct given {
	unsigned n;
	const void **rows; /* into bytes */
	unsigned char *bytes;
	size_t size;
};
/* Run the query of a command at the epoch that is pinned. */
int port_given_query(struct lf_port *port, const struct statement *s, const void *params,
	int (*sink)(void *arg, const void *row, uint32_t size), void *arg, struct error *e);
/* Read them, bounded by rows and bytes (54000); of those that an UPDATE or DELETE gives for one row the first only. 0: the caller's to free; -1 with *e. */
int port_given_read(struct lf_port *port, const struct statement *s, const void *params,
	struct given *out, struct error *e);
void given_free(struct given *g);

/* A command of several parts, or one that is executing DDL. */
struct request {
	uint64_t tag;
	const struct statement *statement;
	struct command_parts **parts; /* by shard; NULL where none */
	void *memory;                 /* params and parts in one block */
	size_t memory_bytes;          /* with what is given */
	struct given given;
	unsigned remaining; /* replies to come */
	uint32_t done, all;
	uint64_t epoch, count;
	struct error *error; /* the first */
	const void **rows;
	unsigned nrows;
	void **blocks; /* copies of the shards' rows */
	unsigned nblocks;
	uint8_t ack;
	uint32_t next_free;
};

struct lf_port {
	struct lf_engine *engine;
	struct lf_port *next_spare;
	unsigned number;
	int reader;
	bool pinned;
	uint64_t pin;
	uint64_t submitted, answered;
	uint64_t adopted;     /* bit s: steps shard s */
	int event;            /* eventfd, see lf_port_event(); -1: none yet */
	struct parker leader; /* of the adopted shards' parkers */
	uint64_t dirty;       /* bit s: lane s has something unpublished */
	int64_t now_us;       /* the clock, as of the last poll or the beginning of a read */
	/* Of the command being submitted; NULL: none. */
	const struct lf_command_options *options;
	uint64_t payload, hash; /* ONCE: see struct command_options */
	uint64_t spread;        /* chooses shards for tables partitioned by row id */
	struct request *requests;
	uint32_t nrequests, free_request;
	size_t outside; /* bytes of the requests' memory */
	struct arena scratch;
	struct arena query_scratch;
	struct feed_route *routes; /* of its subscriptions to few keys, by feed */
	struct parker parker;
	_Atomic uint64_t want;      /* wake at this visible epoch: a reply waits for it; 0: none */
	_Atomic uint64_t want_read; /* … a query does */
	_Atomic uint64_t
		want_changes; /* … when something was captured for subscribers in it or later */
	pthread_mutex_t side_lock;
	struct ddl_queue side; /* finished DDL, under side_lock */
	_Atomic unsigned nside;
	_Atomic bool streams; /* one has got ready */
	struct lane lanes[];  /* by shard */
};

int64_t engine_now_us(const struct lf_engine *engine);
/* Some microseconds, while another thread does something. */
void engine_nap(void);

int engine_threads_start(struct lf_engine *engine, struct error *e);
void engine_threads_stop(struct lf_engine *engine);
/* Shards that a port has adopted: step them; between park_prepare() and sleeping, whether they have nothing to do; after
 * that. */
bool port_step_adopted(struct lf_port *port);
bool port_adopted_idle(struct lf_port *port, uint64_t *timeout_us);
void port_adopted_awake(struct lf_port *port);

/* lf_prepare(), with the catalog's lock held. */
int engine_prepare(struct statement **out, struct lf_engine *engine, const char *text, size_t len,
	const enum type_id *declared, unsigned ndeclared, struct error *e);
/* The statement that stands for one at an epoch (UINT64_MAX: now): itself, or if a relation that it uses has been altered
 * up to then the same prepared again, which lives as long. NULL with what that said, or 0A000 when it would give other
 * columns. By any thread that does not hold the catalog's lock. */
const struct statement *engine_statement_now(
	struct lf_engine *engine, const struct statement *s, uint64_t epoch, struct error *e);
/* For struct projector_set. */
const struct statement *engine_projector_renew(
	void *engine, const struct statement *s, struct error *e);

int engine_ddl_start(struct lf_engine *engine, struct error *e);
void engine_ddl_stop(struct lf_engine *engine);
/* Queue a schema change (or CHECKPOINT); takes a copy of the text. */
int engine_ddl_submit(struct lf_engine *engine, struct lf_port *port, const struct statement *s,
	uint64_t tag, enum lf_ack ack, struct error *e);
/* Stepped mode: execute one queued schema change. */
bool engine_ddl_step(struct lf_engine *engine);
void engine_views_free(struct lf_engine *engine);
/* At the engine's end. */
void engine_build_free(struct lf_engine *engine);
void engine_gone_free(struct lf_engine *engine);
/* Again what a schema change of an earlier run did, with the same ids; views only by name. */
int engine_ddl_replay(
	struct lf_engine *engine, const char *text, size_t len, uint32_t next_id, struct error *e);
/* Compute the views that the replay left, at an epoch of their own. One that cannot be computed has failed. */
int engine_ddl_views(struct lf_engine *engine, struct error *e);

/* A view's plan, under the catalog's lock; NULL: it has none, since it could not be computed. */
const struct view_plan *engine_view_plan(struct lf_engine *engine, const struct relation *view);
/* Make the system views. Before anything else is in the catalog. */
int engine_system_open(struct lf_engine *engine, struct error *e);

/* --- engine_feed.c --- */

/* At a DDL moment, before the parts are changed or taken away in `epoch`: their subscriptions end, since the relation was
 * "altered", "dropped" and so on, or for the reason of its failure. */
void parts_end_feed(struct lf_engine *engine, const struct relation *r, struct parts *parts,
	uint64_t epoch, enum error_code code, const char *was);
/* Whether it is time for feeds_tidy(), which lets go of the feeds that nobody wants. */
static inline bool feeds_are_due(const struct lf_engine *engine, int64_t now_us)
{
	return now_us >= atomic_load_explicit(&engine->feeds_due, memory_order_relaxed);
}
void feeds_tidy(struct lf_engine *engine, int64_t now_us);
/* At the engine's end, when no projector is left. */
void engine_feeds_free(struct lf_engine *engine);

/* Open the data directory, recover, and begin a new run. Before threads. */
int engine_recover(struct lf_engine *engine, struct error *e);
/* Write the first checkpoint after damage: earlier files are not touched. Before threads. */
int engine_checkpoint_salvaged(struct lf_engine *engine, struct error *e);
/* The thread that writes checkpoints when they are due. */
int engine_checkpoints_start(struct lf_engine *engine, struct error *e);
void engine_checkpoints_stop(struct lf_engine *engine);
/* Journals whose disk hangs. */
unsigned engine_disks_late(const struct lf_engine *engine);
/* The run's end; orderly: nothing more happens, and the journals say so. */
void engine_journals_close(struct lf_engine *engine, bool orderly);

/* As lf_events_next(), up to the epoch `visible` of the live run, and without the filters; whether an event passes them. */
int engine_events_look(struct lf_events *ev, uint64_t visible, struct event_id *id,
	struct event *out, struct error *e);
bool engine_events_pass(const struct lf_events *ev, const struct event *event);
uint64_t engine_events_block(const struct lf_events *ev);
struct event_id engine_events_reached(const struct lf_events *ev);

/* The event log's service: with an event log. Its step: true when it did something. */
int engine_events_start(struct lf_engine *engine, struct error *e);
/* At the engine's end, when all streams are closed, before its threads. */
void engine_events_stop(struct lf_engine *engine);
bool engine_events_step(struct lf_engine *engine);
/* What time-outs are measured by. */
uint64_t engine_events_now(const struct lf_engine *engine);

/* Free a port's memory, at the engine's end. */
void port_free(struct lf_port *port);
/* To a port: a schema change is done. */
void port_ddl_done(struct lf_port *port, struct ddl_job *job);

#endif
