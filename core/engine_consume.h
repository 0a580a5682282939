/*
 * engine_consume.h: what the files of the consumers share: engine_consume.c has the groups and their step,
 * engine_consume_member.c their members, engine_consume_store.c what is kept of both.
 */
#ifndef LF_CORE_ENGINE_CONSUME_H
#define LF_CORE_ENGINE_CONSUME_H

#include "core/engine_stream.h"

enum { CONSUME_RETRY_US = 200000 /* after a command was refused */ };

struct settle {
	enum lf_settle how;
	struct event_id id;
};

struct member {
	char name[LIMIT_NAME_BYTES + 1];
	struct lf_consume_options o;
	bool requeue, one; /* lf_consume_requeue(), of `id` only */
	struct event_id id;

	/* under the service's lock; nsettles also read without */
	struct settle *settles;
	_Atomic unsigned nsettles;
	unsigned settles_cap;

	/* the thread's */
	struct group *group; /* NULL: not joined */
	uint64_t number;
	bool over;  /* its last lot is ready */
	bool tried; /* there was nothing for it since the group changed */
};

struct group {
	struct group *next;
	char name[LIMIT_NAME_BYTES + 1];
	struct consumer_group *state;
	struct lf_events *events;
	struct lot_writer scratch; /* of one event */
	bool have;                 /* `coming` has been read, and has no room yet */
	struct group_event coming;
	uint64_t seen;        /* nothing more was there at this visible epoch */
	struct event_id kept; /* the position as it is written */
	struct event_id writing;
	unsigned writes; /* commands under way */
	bool is_writing; /* the position is */
	uint64_t retry_us;
	bool failed;
	struct error why;
};

/* A command under way: the tag of its reply. */
struct write {
	enum { WRITE_WAITED, WRITE_POSITION, WRITE_LETTER, WRITE_FORGET } kind;
	struct group *group;
	struct event_id id;
	/* WAITED: */
	bool done;
	int status;
	struct error *error;
};

struct consumer_statements {
	struct statement *find, *add, *move, *bury, *letters, *letter, *forget;
	void *row;
	size_t cap;
};

static inline struct event_service *service_of(struct lf_engine *engine)
{
	return &engine->events;
}

/* --- engine_consume_store.c --- */

struct value consume_text(const char *p, size_t n);
struct value consume_int(uint64_t n);
void consume_id(struct value out[static 3], struct event_id id);
/* The first three columns of a row. */
struct event_id consume_row_id(const struct row_layout *l, const void *row);

/* The port, the tables, the statements: once, when there is a first consumer. */
int consume_store_open(struct lf_engine *engine, struct error *e);
/* What is under way is answered to the groups; then all of it is closed. */
void consume_store_settle(struct lf_engine *engine);
void consume_store_close(struct lf_engine *engine);
/* Take the replies that are there. True: there were some. */
bool consume_store_poll(struct lf_engine *engine);

/* Execute and wait: when a group is opened. */
int consume_execute(struct lf_engine *engine, const struct statement *s, const struct value *values,
	struct error *e);
/* Execute and go on: what the reply says is done to the group. -1: it could not be submitted. */
int consume_submit(struct lf_engine *engine, const struct statement *s, const struct value *values,
	const struct write *what);
int consume_query(struct lf_engine *engine, const struct statement *s, const struct value *values,
	int (*sink)(void *arg, const void *row, uint32_t size), void *arg, struct error *e);

/* --- engine_consume.c --- */

/* The group of the member's name, opened if need be; NULL with *e. make: also if there is none. */
struct group *group_open(
	struct lf_engine *engine, const struct member *m, bool make, struct error *e);
/* Its members are to be tried again. */
void group_changed(struct lf_engine *engine, const struct group *g);
/* Settle what the member's port has put in its list. */
bool member_settle(struct lf_engine *engine, struct member *m);

#endif
