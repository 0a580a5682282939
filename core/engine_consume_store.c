/*
 * engine_consume_store.c: what is kept of consumers: positions and dead letters, in two tables.
 *
 * They are changed by ordinary commands through a port of the event log's thread: so they are journaled, checkpointed and
 * recovered like anything else. Opening a group waits for its answers; all others come to write_done(), one after the
 * other, and change the group.
 */
#include "core/engine_consume.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"

enum { WAIT_STEP_US = 10000 /* for an answer, at most, before looking again */ };

/* --- commands and queries --- */

static const char *const TABLES[] = {
	"CREATE TABLE IF NOT EXISTS leftfold_consumers (name text PRIMARY KEY, epoch bigint NOT NULL,"
	" shard bigint NOT NULL, number bigint NOT NULL)",
	"CREATE TABLE IF NOT EXISTS leftfold_dead_letters (consumer text, epoch bigint, shard bigint, number bigint,"
	" attempts bigint NOT NULL, at timestamptz NOT NULL, key text, statement text NOT NULL, event bytea,"
	" PRIMARY KEY (consumer, epoch, shard, number))",
};

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
		g->retry_us = engine_events_now(engine) + CONSUME_RETRY_US;
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

	if (n > c->cap || c->row == NULL) {
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

struct value consume_text(const char *p, size_t n)
{
	return (struct value){ .s = { p, (uint32_t)n }, .type = TYPE_TEXT };
}

struct value consume_int(uint64_t n)
{
	return (struct value){ .i = (int64_t)n, .type = TYPE_INT8 };
}

void consume_id(struct value out[static 3], struct event_id id)
{
	out[0] = consume_int(id.epoch);
	out[1] = consume_int(id.shard);
	out[2] = consume_int(id.number);
}

/* Execute and wait: when a group is opened. */
int consume_execute(struct lf_engine *engine, const struct statement *s, const struct value *values,
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
int consume_submit(struct lf_engine *engine, const struct statement *s, const struct value *values,
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

int consume_query(struct lf_engine *engine, const struct statement *s, const struct value *values,
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

struct event_id consume_row_id(const struct row_layout *l, const void *row)
{
	struct value v[3];

	for (unsigned i = 0; i < 3; i++)
		row_get(l, row, i, &v[i]);
	return (struct event_id){ (uint64_t)v[0].i, (uint32_t)v[1].i, (uint32_t)v[2].i };
}

/* --- the tables --- */

static int table_make(struct lf_engine *engine, const char *text, struct error *e)
{
	struct statement *s;
	int status;

	if (lf_prepare(&s, engine, text, strlen(text), NULL, 0, e) != 0)
		return -1;
	status = s->kind == STATEMENT_NOTHING ? 0 : consume_execute(engine, s, NULL, e);
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
int consume_store_open(struct lf_engine *engine, struct error *e)
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

bool consume_store_poll(struct lf_engine *engine)
{
	return lf_poll(service_of(engine)->port, on_reply, engine) > 0;
}

void consume_store_settle(struct lf_engine *engine)
{
	struct event_service *service = service_of(engine);

	lf_flush(service->port);
	while (!lf_port_idle(service->port)) {
		(void)consume_store_poll(engine);
		if (lf_port_idle(service->port))
			break;
		if (engine->options.stepped)
			lf_settle(engine);
		else
			engine_nap();
	}
}

void consume_store_close(struct lf_engine *engine)
{
	struct event_service *service = service_of(engine);

	statements_free(engine, service->statements);
	service->statements = NULL;
	lf_port_close(service->port);
	service->port = NULL;
}
