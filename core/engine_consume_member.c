/*
 * engine_consume_member.c: members of groups of consumers: streams whose lots come from their group.
 *
 * The thread of the event log has a member join when it sees its stream for the first time, and then gives it what it may
 * have whenever its lot is the thread's. The port acknowledges by putting ids in the member's list, under the service's lock;
 * the thread takes them out (member_settle()).
 */
#include "core/engine_consume.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"

enum { SETTLES_MAX = 4 * LIMIT_CONSUMER_WINDOW };

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

	if (consume_store_open(engine, &s->error) != 0)
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
		event = (struct group_event){ .id = consume_row_id(x->layout, row),
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

	if (consume_store_open(engine, &s->error) != 0)
		return -1;
	statement = m->one ? service_of(engine)->statements->letter
			   : service_of(engine)->statements->letters;
	x.layout = &statement->result_layout;
	x.group = group_open(engine, m, false, &s->error);
	if (x.group == NULL)
		return -1;
	v[0] = consume_text(m->name, strlen(m->name));
	consume_id(v + 1, m->id);
	if (consume_query(engine, statement, v, on_letter, &x, &s->error) != 0)
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

/* A stream with a member of these consumers; NULL with *e. */
static struct lf_stream *member_open(struct lf_port *port, const char *name, struct error *e)
{
	struct lf_stream *s;
	struct member *m;

	if (!port->engine->options.event_log) {
		error_set(e, ERR_OBJECT_STATE, 0, "this server keeps no event log");
		error_hint(e, "Start it with --event-log.");
		return NULL;
	}
	if (name == NULL || name[0] == '\0' || strlen(name) > LIMIT_NAME_BYTES) {
		error_set(e, ERR_INVALID_PARAMETER, 0, "a name of consumers has 1 to %d bytes",
			LIMIT_NAME_BYTES);
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	m = calloc(1, sizeof(*m));
	if (s == NULL || m == NULL) {
		free(s);
		free(m);
		error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		return NULL;
	}
	memcpy(m->name, name, strlen(name) + 1);
	s->port = port;
	s->member = m;
	atomic_store(&s->state, LOT_FILLING);
	return s;
}

int lf_consume_open(struct lf_stream **out, struct lf_port *port,
	const struct lf_consume_options *o, struct error *e)
{
	struct lf_stream *s = member_open(port, o->name, e);
	struct lf_consume_options *own;

	if (s == NULL)
		return -1;
	own = &s->member->o;
	*own = *o;
	own->name = NULL;
	if (o->ack_ms == 0)
		own->ack_ms = DEFAULT_CONSUMER_ACK_MS;
	if (o->attempts_max == 0)
		own->attempts_max = DEFAULT_CONSUMER_ATTEMPTS;
	if (o->inflight_max == 0)
		own->inflight_max = DEFAULT_CONSUMER_INFLIGHT;
	stream_publish(s);
	*out = s;
	return 0;
}

int lf_consume_requeue(struct lf_stream **out, struct lf_port *port, const char *name,
	const struct event_id *id, struct error *e)
{
	struct lf_stream *s = member_open(port, name, e);

	if (s == NULL)
		return -1;
	s->member->requeue = true;
	s->member->one = id != NULL;
	if (id != NULL)
		s->member->id = *id;
	stream_publish(s);
	*out = s;
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
