/*
 * engine_consume.c: groups of consumers: the event log read for them, their positions and dead letters kept.
 *
 * All of it is done by the thread of the event log (engine_stream.c), step by step; the rules of who is given what are in
 * consumer_group.c. A member is a stream whose lots come from its group. Acknowledgements are put in the member's list by
 * its port and taken out here.
 *
 * What must survive is in two tables, changed by ordinary commands through a port of the thread's own: so it is journaled,
 * checkpointed and recovered like anything else. The position is written when it has changed and the last writing is
 * answered, so it may be behind what was acknowledged: after a crash some events are given again, none is left out. A dead
 * letter is written before the position goes past its event.
 *
 * A command that is refused (no memory, a full disk) is tried again after a while; events that wait for it wait. When the
 * log cannot be read, or the group's row is gone, its members are told and the group ends.
 */
#include "core/engine_stream.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/hash.h"
#include "core/base/log.h"

enum {
	RETRY_US = 200000,         /* after a command was refused */
	WAIT_STEP_US = 10000,      /* for an answer, at most, before looking again */
	LETTER_BYTES_MAX = MIB(8), /* of an event that is kept with its dead letter */
	SETTLES_MAX = 4 * LIMIT_CONSUMER_WINDOW,
	READS_A_STEP = 256
};

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

/* --- commands and queries --- */

static const char *const TABLES[] = {
	"CREATE TABLE IF NOT EXISTS leftfold_consumers (name text PRIMARY KEY, epoch bigint NOT NULL,"
	" shard bigint NOT NULL, number bigint NOT NULL)",
	"CREATE TABLE IF NOT EXISTS leftfold_dead_letters (consumer text, epoch bigint, shard bigint, number bigint,"
	" attempts bigint NOT NULL, at timestamptz NOT NULL, key text, statement text NOT NULL, event bytea,"
	" PRIMARY KEY (consumer, epoch, shard, number))",
};

static struct event_service *service_of(struct lf_engine *engine)
{
	return &engine->events;
}

/* Whether what a command was refused for may have passed when it is tried again. */
static bool may_pass(enum error_code code)
{
	return code == ERR_OUT_OF_MEMORY || code == ERR_DISK_FULL || code == ERR_OVERLOAD ||
		code == ERR_DISK_LATE || code == ERR_LIMIT;
}

static void write_done(struct lf_engine *engine, struct write *w, const struct lf_reply *reply)
{
	struct group *g = w->group;
	bool failed = reply->error != NULL;

	g->writes--;
	if (failed) {
		log_warn("consumers: %s: %s", g->name, reply->error->message);
		g->retry_us = engine_events_now(engine) + RETRY_US;
		if (!g->failed && !may_pass(reply->error->code)) {
			g->failed = true;
			g->why = *reply->error;
		}
	}
	switch (w->kind) {
	case WRITE_POSITION:
		g->is_writing = false;
		if (!failed && reply->count == 0) {
			g->failed = true;
			error_set(&g->why, ERR_UNDEFINED_OBJECT, 0,
				"the consumers \"%s\" have been removed", g->name);
		} else if (!failed) {
			g->kept = g->writing;
		}
		break;
	case WRITE_LETTER: consumer_group_buried(g->state, w->id, failed); break;
	case WRITE_FORGET:
	case WRITE_WAITED: break;
	}
	free(w);
}

static void on_reply(void *arg, const struct lf_reply *reply)
{
	struct write *w = (struct write *)(uintptr_t)reply->tag;

	if (w->kind != WRITE_WAITED) {
		write_done(arg, w, reply);
		return;
	}
	w->done = true;
	w->status = reply->error != NULL ? -1 : 0;
	if (reply->error != NULL)
		*w->error = *reply->error;
}

/* The packed row of these values; NULL: no memory. Valid until the next. */
static const void *params_of(
	struct consumer_statements *c, const struct statement *s, const struct value *values)
{
	uint32_t n = row_encoded_size(&s->param_layout, values);

	if (n > c->cap) {
		void *row = realloc(c->row, n);

		if (row == NULL)
			return NULL;
		c->row = row;
		c->cap = n;
	}
	memset(c->row, 0, n);
	(void)row_encode(&s->param_layout, values, c->row);
	return c->row;
}

static struct value text_value(const char *p, size_t n)
{
	return (struct value){ .s = { p, (uint32_t)n }, .type = TYPE_TEXT };
}

static struct value int_value(uint64_t n)
{
	return (struct value){ .i = (int64_t)n, .type = TYPE_INT8 };
}

static void id_values(struct value out[static 3], struct event_id id)
{
	out[0] = int_value(id.epoch);
	out[1] = int_value(id.shard);
	out[2] = int_value(id.number);
}

/* Execute and wait: when a group is opened. */
static int execute(struct lf_engine *engine, const struct statement *s, const struct value *values,
	struct error *e)
{
	struct event_service *service = service_of(engine);
	struct write w = { .kind = WRITE_WAITED, .error = e };
	static const uint64_t NONE[2] = { 8 };
	const void *params = NONE;

	if (values != NULL)
		params = params_of(service->statements, s, values);
	if (params == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	if (lf_submit(service->port, s, params, (uint64_t)(uintptr_t)&w, LF_VISIBLE, e) != 0)
		return -1;
	lf_flush(service->port);
	for (;;) {
		(void)lf_poll(service->port, on_reply, engine);
		if (w.done)
			return w.status;
		if (engine->options.stepped) {
			lf_settle(engine);
			continue;
		}
		park_prepare(&service->parker);
		service_sleep(engine, WAIT_STEP_US);
	}
}

/* Execute and go on: the reply comes to write_done(). -1: it could not be submitted. */
static int submit(struct lf_engine *engine, const struct statement *s, const struct value *values,
	const struct write *what)
{
	struct event_service *service = service_of(engine);
	const void *params = params_of(service->statements, s, values);
	struct write *w = malloc(sizeof(*w));
	struct error e;

	if (params == NULL || w == NULL) {
		free(w);
		return -1;
	}
	*w = *what;
	if (lf_submit(service->port, s, params, (uint64_t)(uintptr_t)w, LF_VISIBLE, &e) != 0) {
		free(w);
		return -1;
	}
	w->group->writes++;
	return 0;
}

static int query(struct lf_engine *engine, const struct statement *s, const struct value *values,
	int (*sink)(void *arg, const void *row, uint32_t size), void *arg, struct error *e)
{
	struct event_service *service = service_of(engine);
	const void *params = params_of(service->statements, s, values);
	int status;

	if (params == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	status = lf_read_begin(service->port, 0, NULL, e);
	if (status != 0)
		return -1;
	status = lf_query(service->port, s, params, sink, arg, e);
	lf_read_end(service->port);
	return status;
}

/* --- the tables --- */

static int table_make(struct lf_engine *engine, const char *text, struct error *e)
{
	struct statement *s;
	int status;

	if (lf_prepare(&s, engine, text, strlen(text), NULL, 0, e) != 0)
		return -1;
	status = s->kind == STATEMENT_NOTHING ? 0 : execute(engine, s, NULL, e);
	lf_release(engine, s);
	return status;
}

static int prepare(
	struct lf_engine *engine, struct statement **out, const char *text, struct error *e)
{
	return lf_prepare(out, engine, text, strlen(text), NULL, 0, e);
}

static void statements_free(struct lf_engine *engine, struct consumer_statements *c)
{
	if (c == NULL)
		return;
	lf_release(engine, c->find);
	lf_release(engine, c->add);
	lf_release(engine, c->move);
	lf_release(engine, c->bury);
	lf_release(engine, c->letters);
	lf_release(engine, c->letter);
	lf_release(engine, c->forget);
	free(c->row);
	free(c);
}

static int statements_make(struct lf_engine *engine, struct consumer_statements *c, struct error *e)
{
	if (prepare(engine, &c->find,
		    "SELECT epoch, shard, number FROM leftfold_consumers WHERE name = $1",
		    e) != 0 ||
		prepare(engine, &c->add,
			"INSERT INTO leftfold_consumers VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO UPDATE"
			" SET epoch = excluded.epoch, shard = excluded.shard, number = excluded.number",
			e) != 0 ||
		prepare(engine, &c->move,
			"UPDATE leftfold_consumers SET epoch = $2, shard = $3, number = $4 WHERE name = $1",
			e) != 0)
		return -1;
	if (prepare(engine, &c->bury,
		    "INSERT INTO leftfold_dead_letters VALUES ($1, $2, $3, $4, $5, now(), $6, $7, $8)"
		    " ON CONFLICT (consumer, epoch, shard, number) DO UPDATE"
		    " SET attempts = excluded.attempts, at = excluded.at",
		    e) != 0 ||
		prepare(engine, &c->letters,
			"SELECT epoch, shard, number, event FROM leftfold_dead_letters"
			" WHERE consumer = $1 AND event IS NOT NULL",
			e) != 0 ||
		prepare(engine, &c->letter,
			"SELECT epoch, shard, number, event FROM leftfold_dead_letters WHERE consumer = $1"
			" AND epoch = $2 AND shard = $3 AND number = $4 AND event IS NOT NULL",
			e) != 0)
		return -1;
	return prepare(engine, &c->forget,
		"DELETE FROM leftfold_dead_letters WHERE consumer = $1 AND epoch = $2 AND shard = $3"
		" AND number = $4",
		e);
}

static void port_wake(void *arg)
{
	park_wake(arg);
}

/* Whether somebody has dropped a table. */
static bool is_dropped(const struct consumer_statements *c)
{
	return __atomic_load_n(&c->find->relations[0]->dropped, __ATOMIC_ACQUIRE) ||
		__atomic_load_n(&c->forget->relations[0]->dropped, __ATOMIC_ACQUIRE);
}

/* The port, the tables, the statements: once, when there is a first consumer. */
static int consumers_open(struct lf_engine *engine, struct error *e)
{
	struct event_service *service = service_of(engine);
	struct consumer_statements *c;

	if (service->statements != NULL && service->statements->forget != NULL &&
		(!is_dropped(service->statements) || !lf_port_idle(service->port)))
		return 0;
	if (service->port == NULL &&
		lf_port_open(&service->port, engine, port_wake, &service->parker, e) != 0) {
		service->port = NULL;
		return -1;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	statements_free(engine, service->statements);
	service->statements = c;
	for (size_t i = 0; i < sizeof(TABLES) / sizeof(TABLES[0]); i++)
		if (table_make(engine, TABLES[i], e) != 0)
			return -1;
	return statements_make(engine, c, e);
}

/* --- groups --- */

static struct group *group_find(struct lf_engine *engine, const char *name)
{
	struct group *g = service_of(engine)->groups;

	while (g != NULL && strcmp(g->name, name) != 0)
		g = g->next;
	return g;
}

struct found {
	const struct row_layout *layout;
	bool any;
	struct event_id id;
};

static struct event_id row_id(const struct row_layout *l, const void *row)
{
	struct value v[3];

	for (unsigned i = 0; i < 3; i++)
		row_get(l, row, i, &v[i]);
	return (struct event_id){ (uint64_t)v[0].i, (uint32_t)v[1].i, (uint32_t)v[2].i };
}

static int on_position(void *arg, const void *row, uint32_t size)
{
	struct found *f = arg;

	(void)size;
	f->any = true;
	f->id = row_id(f->layout, row);
	return 0;
}

/* The position that is kept: in *f. */
static int position_find(
	struct lf_engine *engine, const char *name, struct found *f, struct error *e)
{
	const struct statement *s = service_of(engine)->statements->find;
	struct value v = text_value(name, strlen(name));

	*f = (struct found){ .layout = &s->result_layout };
	return query(engine, s, &v, on_position, f, e);
}

static void group_free(struct group *g)
{
	lf_events_close(g->events);
	consumer_group_free(g->state);
	free(g->scratch.data);
	free(g);
}

static void group_remove(struct lf_engine *engine, struct group *g)
{
	struct group **at = &service_of(engine)->groups;

	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	service_of(engine)->ngroups--;
	group_free(g);
}

/* Those without members are kept only for how often their events have been given. */
static void groups_forget(struct lf_engine *engine)
{
	for (struct group *g = service_of(engine)->groups, *next; g != NULL; g = next) {
		next = g->next;
		if (consumer_group_members(g->state) == 0 && g->writes == 0 &&
			consumer_group_inflight(g->state) == 0)
			group_remove(engine, g);
	}
}

/* Read on behind this position. */
static int group_begin(
	struct lf_engine *engine, struct group *g, struct event_id behind, struct error *e)
{
	struct lf_events_options o = { .from = LF_EVENTS_BEHIND, .after = behind };

	g->state = consumer_group_new(behind);
	if (g->state == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	g->kept = behind;
	g->seen = UINT64_MAX;
	return lf_events_open(&g->events, engine, &o, e);
}

/* Where a new one begins, written down. */
static int position_begin(
	struct lf_engine *engine, const struct member *m, struct event_id *behind, struct error *e)
{
	struct lf_events_options o = { .from = m->o.from, .after = m->o.after };
	struct lf_events *events;
	struct value v[4];

	if (lf_events_open(&events, engine, &o, e) != 0)
		return -1;
	*behind = engine_events_reached(events);
	lf_events_close(events);
	v[0] = text_value(m->name, strlen(m->name));
	id_values(v + 1, *behind);
	return execute(engine, service_of(engine)->statements->add, v, e);
}

/* The group of this name, opened if need be; NULL with *e. make: also if there is none. */
static struct group *group_open(
	struct lf_engine *engine, const struct member *m, bool make, struct error *e)
{
	struct event_service *service = service_of(engine);
	struct group *g = group_find(engine, m->name);
	struct found f;

	if (g != NULL && m->o.reset && consumer_group_members(g->state) > 0) {
		error_set(e, ERR_OBJECT_STATE, 0, "the consumers \"%s\" are at work", m->name);
		return NULL;
	}
	if (g != NULL && !m->o.reset)
		return g;
	if (g != NULL && g->writes > 0) {
		error_set(e, ERR_OBJECT_STATE, 0, "the consumers \"%s\" are at work", m->name);
		return NULL;
	}
	if (g != NULL)
		group_remove(engine, g);
	if (service->ngroups >= LIMIT_CONSUMERS)
		groups_forget(engine);
	if (service->ngroups >= LIMIT_CONSUMERS) {
		error_set(e, ERR_LIMIT, 0, "more than %d groups of consumers", LIMIT_CONSUMERS);
		return NULL;
	}
	if (position_find(engine, m->name, &f, e) != 0)
		return NULL;
	if (!f.any && !make) {
		error_set(e, ERR_UNDEFINED_OBJECT, 0, "there are no consumers \"%s\"", m->name);
		return NULL;
	}
	if ((!f.any || m->o.reset) && position_begin(engine, m, &f.id, e) != 0)
		return NULL;
	g = calloc(1, sizeof(*g));
	if (g == NULL) {
		error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		return NULL;
	}
	memcpy(g->name, m->name, sizeof(g->name));
	if (group_begin(engine, g, f.id, e) != 0) {
		group_free(g);
		return NULL;
	}
	g->next = service->groups;
	service->groups = g;
	service->ngroups++;
	return g;
}

/* Members of it are to be tried again. */
static void group_changed(struct lf_engine *engine, const struct group *g)
{
	for (struct lf_stream *s = service_of(engine)->streams; s != NULL; s = s->next)
		if (s->member != NULL && s->member->group == g)
			s->member->tried = false;
}

/* --- reading --- */

/* Make `coming` of the event that was read. */
static int event_take(struct group *g, struct event_id id, const struct event *ev, struct error *e)
{
	struct lot_writer *w = &g->scratch;

	w->bytes = w->nknown = 0;
	if (lot_entries(w, ev, engine_events_block(g->events), lf_events_walk(g->events)) != 0)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	g->coming = (struct group_event){ .id = id,
		.keyed = ev->key != NULL,
		.hash = ev->head.hash,
		.data = w->data,
		.bytes = (uint32_t)w->bytes };
	g->have = true;
	return 0;
}

/* Fill the window. True: it has more. */
static bool group_read(struct lf_engine *engine, struct group *g)
{
	uint64_t visible = lf_visible(engine);
	bool did = false;

	for (unsigned n = 0; n < READS_A_STEP && !g->failed; n++) {
		struct event_id id;
		struct event ev;
		int status;

		if (g->have && !consumer_group_room(g->state, g->coming.bytes))
			break;
		if (g->have) {
			if (consumer_group_add(g->state, &g->coming) != 0)
				break;
			g->have = false;
			did = true;
		}
		status = engine_events_look(g->events, visible, &id, &ev, &g->why);
		if (status > 0)
			status = event_take(g, id, &ev, &g->why) == 0 ? 1 : -1;
		if (status == 0)
			g->seen = visible;
		if (status == 0)
			break;
		g->failed = status < 0;
	}
	return did;
}

static bool group_may_read(struct lf_engine *engine, const struct group *g)
{
	return !g->failed && consumer_group_members(g->state) > 0 &&
		(g->have ? consumer_group_room(g->state, g->coming.bytes)
			 : g->seen != lf_visible(engine));
}

/* --- settling --- */

static void letter_forget(struct lf_engine *engine, struct group *g, struct event_id id)
{
	struct write w = { .kind = WRITE_FORGET, .group = g, .id = id };
	struct value v[4];

	v[0] = text_value(g->name, strlen(g->name));
	id_values(v + 1, id);
	/* One that stays by mistake is given again if anyone asks for it. */
	if (submit(engine, service_of(engine)->statements->forget, v, &w) != 0)
		log_warn("consumers: %s: a dead letter that was acknowledged could not be removed",
			g->name);
}

static void settle_one(struct lf_engine *engine, struct group *g, const struct settle *x)
{
	if (x->how == LF_SETTLE_ACKNOWLEDGE) {
		if (consumer_group_acknowledge(g->state, x->id) == GROUP_LETTER)
			letter_forget(engine, g, x->id);
	} else {
		consumer_group_reject(g->state, x->id, x->how == LF_SETTLE_DEAD);
	}
}

/* What the member's port has put in its list. */
static bool member_settle(struct lf_engine *engine, struct member *m)
{
	struct event_service *service = service_of(engine);
	struct settle *list;
	unsigned n;

	if (m->group == NULL || atomic_load(&m->nsettles) == 0)
		return false;
	pthread_mutex_lock(&service->lock);
	list = m->settles;
	n = atomic_load(&m->nsettles);
	m->settles = NULL;
	m->settles_cap = 0;
	atomic_store(&m->nsettles, 0);
	pthread_mutex_unlock(&service->lock);
	for (unsigned i = 0; i < n; i++)
		settle_one(engine, m->group, &list[i]);
	free(list);
	return true;
}

/* Write a dead letter of an event. -1: not now. */
static int letter_write(struct lf_engine *engine, struct group *g, const struct group_event *event)
{
	struct write w = { .kind = WRITE_LETTER, .group = g, .id = event->id };
	struct event_walk walk = { 0 };
	char key[LIMIT_EVENT_KEY_BYTES];
	struct value v[8];
	struct event ev;
	struct error e;
	size_t n;
	int status;

	event_walk_open(&walk, event->data, event->bytes);
	status = event_walk_next(&walk, &ev, &e);
	if (status > 0) {
		n = lf_event_key(&ev, key, sizeof(key));
		v[0] = text_value(g->name, strlen(g->name));
		id_values(v + 1, event->id);
		v[4] = int_value(event->attempts);
		v[5] = text_value(key, n < sizeof(key) ? n : 0);
		if (ev.key == NULL)
			v[5].flags = VALUE_NULL;
		v[6] = text_value(ev.statement->text, ev.statement->text_bytes);
		v[7] = text_value((const char *)event->data, event->bytes);
		v[7].type = TYPE_BYTEA;
		if (event->bytes > LETTER_BYTES_MAX)
			v[7].flags = VALUE_NULL;
		status = submit(engine, service_of(engine)->statements->bury, v, &w);
	}
	event_walk_close(&walk);
	return status;
}

static bool letters_write(struct lf_engine *engine, struct group *g, uint64_t now)
{
	const struct group_event *event;
	bool did = false, letter;

	while (now >= g->retry_us && (event = consumer_group_dying(g->state, &letter)) != NULL) {
		struct event_id id = event->id;

		did = true;
		if (letter_write(engine, g, event) == 0)
			continue;
		consumer_group_buried(g->state, id, true);
		g->retry_us = now + RETRY_US;
	}
	return did;
}

static bool position_write(struct lf_engine *engine, struct group *g, uint64_t now)
{
	struct event_id done = consumer_group_done(g->state);
	struct write w = { .kind = WRITE_POSITION, .group = g };
	struct value v[4];

	if (g->failed || g->is_writing || now < g->retry_us || event_id_compare(done, g->kept) == 0)
		return false;
	v[0] = text_value(g->name, strlen(g->name));
	id_values(v + 1, done);
	g->writing = done;
	g->is_writing = submit(engine, service_of(engine)->statements->move, v, &w) == 0;
	if (!g->is_writing)
		g->retry_us = now + RETRY_US;
	return true;
}

/* --- the step --- */

static bool group_step(struct lf_engine *engine, struct group *g)
{
	uint64_t now = engine_events_now(engine);
	bool changed = false, did = false;

	if (consumer_group_due(g->state) <= now) {
		consumer_group_expire(g->state, now);
		changed = true;
	}
	did |= letters_write(engine, g, now);
	if (group_may_read(engine, g))
		changed |= group_read(engine, g);
	did |= position_write(engine, g, now);
	if (changed || g->failed)
		group_changed(engine, g);
	return did || changed;
}

/* Nobody needs it any more: what it knows is written, and how often events were given is not worth keeping. */
static bool group_is_idle(const struct group *g)
{
	return consumer_group_members(g->state) == 0 && g->writes == 0 &&
		(g->failed ||
			(consumer_group_untried(g->state) &&
				event_id_compare(consumer_group_done(g->state), g->kept) == 0));
}

bool consumers_step(struct lf_engine *engine)
{
	struct event_service *service = service_of(engine);
	bool did = false;

	if (service->port == NULL)
		return false;
	did |= lf_poll(service->port, on_reply, engine) > 0;
	if (did)
		for (const struct group *g = service->groups; g != NULL; g = g->next)
			group_changed(engine, g);
	for (struct lf_stream *s = service->streams; s != NULL; s = s->next)
		if (s->member != NULL && member_settle(engine, s->member)) {
			group_changed(engine, s->member->group);
			did = true;
		}
	for (struct group *g = service->groups, *next; g != NULL; g = next) {
		next = g->next;
		did |= group_step(engine, g);
		if (group_is_idle(g))
			group_remove(engine, g);
	}
	lf_flush(service->port);
	return did;
}

bool consumers_due(struct lf_engine *engine)
{
	const struct event_service *service = service_of(engine);

	for (const struct lf_stream *s = service->streams; s != NULL; s = s->next)
		if (s->member != NULL && s->member->group != NULL &&
			atomic_load(&s->member->nsettles) > 0)
			return true;
	for (const struct group *g = service->groups; g != NULL; g = g->next)
		if (group_may_read(engine, g))
			return true;
	return false;
}

uint64_t consumers_wait(const struct lf_engine *engine)
{
	uint64_t now = engine_events_now(engine), wait = UINT64_MAX;

	for (const struct group *g = engine->events.groups; g != NULL; g = g->next) {
		uint64_t due = consumer_group_due(g->state);

		if (g->retry_us > now && g->retry_us < due)
			due = g->retry_us;
		if (due != UINT64_MAX && (due <= now ? 0 : due - now) < wait)
			wait = due <= now ? 0 : due - now;
	}
	return wait;
}

void consumers_close(struct lf_engine *engine)
{
	struct event_service *service = service_of(engine);

	if (service->port == NULL)
		return;
	/* What is under way is answered to the groups. */
	lf_flush(service->port);
	while (!lf_port_idle(service->port)) {
		(void)lf_poll(service->port, on_reply, engine);
		if (lf_port_idle(service->port))
			break;
		if (engine->options.stepped)
			lf_settle(engine);
		else
			engine_nap();
	}
	while (service->groups != NULL)
		group_remove(engine, service->groups);
	statements_free(engine, service->statements);
	service->statements = NULL;
	lf_port_close(service->port);
	service->port = NULL;
}

/* --- members --- */

struct giving {
	struct lf_stream *stream;
	bool failed;
};

static bool give(void *arg, const struct group_event *event)
{
	struct giving *x = arg;
	struct lot_writer *w = &x->stream->out;
	struct event_head head = { event->id.epoch, event->id.shard, event->id.number,
		event->attempts, event->bytes };
	size_t begin = w->bytes;

	if (begin >= LOT_BYTES)
		return false;
	if (lot_head(w, &head) != 0 || lot_put(w, event->data, event->bytes) != 0) {
		w->bytes = begin;
		return false;
	}
	x->stream->lot.events++;
	return true;
}

static void member_over(struct lf_stream *s)
{
	s->member->over = true;
	lot_failed(s);
}

static void member_leave(struct member *m)
{
	if (m->group != NULL)
		consumer_group_leave(m->group->state, m->number);
	m->group = NULL;
}

static void member_give(struct lf_engine *engine, struct lf_stream *s)
{
	struct member *m = s->member;
	struct group *g = m->group;
	struct group_terms terms = { engine_events_now(engine) + (uint64_t)m->o.ack_ms * 1000,
		m->o.attempts_max, m->o.inflight_max };
	struct giving x = { .stream = s };

	if (g->failed) {
		s->error = g->why;
		member_leave(m);
		member_over(s);
		return;
	}
	lot_begin(s);
	consumer_group_give(g->state, m->number, &terms, give, &x);
	s->lot.reached = g->kept;
	m->tried = s->lot.events == 0;
	if (s->lot.events > 0)
		lot_ready(s);
}

static int member_join(struct lf_engine *engine, struct lf_stream *s)
{
	struct event_service *service = service_of(engine);
	struct member *m = s->member;
	struct group *g;

	if (consumers_open(engine, &s->error) != 0)
		return -1;
	g = group_open(engine, m, true, &s->error);
	if (g == NULL)
		return -1;
	if (consumer_group_members(g->state) >= LIMIT_CONSUMER_MEMBERS)
		return error_set(&s->error, ERR_LIMIT, 0, "more than %d consumers \"%s\"",
			LIMIT_CONSUMER_MEMBERS, m->name);
	m->number = ++service->members;
	if (consumer_group_join(g->state, m->number) != 0)
		return error_set(&s->error, ERR_OUT_OF_MEMORY, 0, NULL);
	m->group = g;
	/* Keys of others may be its own now. */
	group_changed(engine, g);
	lot_begin(s);
	s->lot.reached = g->kept;
	lot_ready(s);
	return 0;
}

struct requeue {
	struct group *group;
	const struct row_layout *layout;
	uint64_t n;
	bool no_memory;
};

static int on_letter(void *arg, const void *row, uint32_t size)
{
	struct requeue *x = arg;
	struct event_walk walk = { 0 };
	struct group_event event;
	struct event ev;
	struct error e;
	struct value v;

	(void)size;
	row_get(x->layout, row, 3, &v);
	event_walk_open(&walk, (const unsigned char *)v.s.p, v.s.len);
	if (event_walk_next(&walk, &ev, &e) > 0) {
		event = (struct group_event){ .id = row_id(x->layout, row),
			.keyed = ev.key != NULL,
			.hash = ev.head.hash,
			.data = (const unsigned char *)v.s.p,
			.bytes = v.s.len };
		x->no_memory |= consumer_group_add_letter(x->group->state, &event) != 0;
		x->n++;
	}
	event_walk_close(&walk);
	return 0;
}

static int letters_requeue(struct lf_engine *engine, struct lf_stream *s)
{
	const struct member *m = s->member;
	const struct statement *statement;
	struct requeue x = { 0 };
	struct value v[4];

	if (consumers_open(engine, &s->error) != 0)
		return -1;
	statement = m->one ? service_of(engine)->statements->letter
			   : service_of(engine)->statements->letters;
	x.layout = &statement->result_layout;
	x.group = group_open(engine, m, false, &s->error);
	if (x.group == NULL)
		return -1;
	v[0] = text_value(m->name, strlen(m->name));
	id_values(v + 1, m->id);
	if (query(engine, statement, v, on_letter, &x, &s->error) != 0)
		return -1;
	if (x.no_memory)
		return error_set(&s->error, ERR_OUT_OF_MEMORY, 0, NULL);
	if (m->one && x.n == 0)
		return error_set(&s->error, ERR_UNDEFINED_OBJECT, 0,
			"the consumers \"%s\" have no such dead letter", m->name);
	group_changed(engine, x.group);
	lot_begin(s);
	s->lot.requeued = x.n;
	s->lot.last = true;
	s->member->over = true;
	lot_ready(s);
	return 0;
}

bool consumer_stream_due(struct lf_engine *engine, const struct lf_stream *s)
{
	const struct member *m = s->member;

	(void)engine;
	return !m->over && !m->tried &&
		atomic_load_explicit(&s->state, memory_order_acquire) == LOT_FILLING;
}

bool consumer_stream_step(struct lf_engine *engine, struct lf_stream *s)
{
	struct member *m = s->member;

	if (m->group != NULL)
		member_give(engine, s);
	else if ((m->requeue ? letters_requeue(engine, s) : member_join(engine, s)) != 0)
		member_over(s);
	return true;
}

void consumer_stream_free(struct lf_engine *engine, struct lf_stream *s)
{
	struct member *m = s->member;

	if (m == NULL)
		return;
	/* What it acknowledged before it went counts. */
	(void)member_settle(engine, m);
	if (m->group != NULL)
		group_changed(engine, m->group);
	member_leave(m);
	free(m->settles);
	free(m);
}

/* --- the port's side --- */

static int member_open(struct lf_stream **out, struct lf_port *port, const char *name,
	struct member **member, struct error *e)
{
	struct lf_stream *s;
	struct member *m;

	if (!port->engine->options.event_log) {
		(void)error_set(e, ERR_OBJECT_STATE, 0, "this server keeps no event log");
		return error_hint(e, "Start it with --event-log.");
	}
	if (name == NULL || name[0] == '\0' || strlen(name) > LIMIT_NAME_BYTES)
		return error_set(e, ERR_INVALID_PARAMETER, 0,
			"a name of consumers has 1 to %d bytes", LIMIT_NAME_BYTES);
	s = calloc(1, sizeof(*s));
	m = calloc(1, sizeof(*m));
	if (s == NULL || m == NULL) {
		free(s);
		free(m);
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	}
	memcpy(m->name, name, strlen(name) + 1);
	s->port = port;
	s->member = m;
	atomic_store(&s->state, LOT_FILLING);
	*member = m;
	*out = s;
	return 0;
}

int lf_consume_open(struct lf_stream **out, struct lf_port *port,
	const struct lf_consume_options *o, struct error *e)
{
	struct member *m = NULL;

	if (member_open(out, port, o->name, &m, e) != 0)
		return -1;
	m->o = *o;
	m->o.name = NULL;
	if (o->ack_ms == 0)
		m->o.ack_ms = DEFAULT_CONSUMER_ACK_MS;
	if (o->attempts_max == 0)
		m->o.attempts_max = DEFAULT_CONSUMER_ATTEMPTS;
	if (o->inflight_max == 0)
		m->o.inflight_max = DEFAULT_CONSUMER_INFLIGHT;
	stream_publish(*out);
	return 0;
}

int lf_consume_requeue(struct lf_stream **out, struct lf_port *port, const char *name,
	const struct event_id *id, struct error *e)
{
	struct member *m = NULL;

	if (member_open(out, port, name, &m, e) != 0)
		return -1;
	m->requeue = true;
	m->one = id != NULL;
	if (id != NULL)
		m->id = *id;
	stream_publish(*out);
	return 0;
}

void lf_consume_settle(
	struct lf_stream *s, enum lf_settle how, const struct event_id *ids, unsigned n)
{
	struct event_service *service = &s->port->engine->events;
	struct member *m = s->member;
	unsigned have;

	ASSERT(m != NULL);
	pthread_mutex_lock(&service->lock);
	have = atomic_load(&m->nsettles);
	if (have + n > m->settles_cap && have + n <= SETTLES_MAX) {
		unsigned cap = have + n < 64 ? 64 : 2 * (have + n);
		struct settle *grown = realloc(m->settles, cap * sizeof(*grown));

		if (grown != NULL) {
			m->settles = grown;
			m->settles_cap = cap;
		}
	}
	/* Without room they are as good as lost on the way: the events are given again. */
	for (unsigned i = 0; i < n && have < m->settles_cap; i++)
		m->settles[have++] = (struct settle){ how, ids[i] };
	atomic_store(&m->nsettles, have);
	pthread_mutex_unlock(&service->lock);
	park_wake(&service->parker);
}
