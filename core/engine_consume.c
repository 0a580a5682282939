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
#include "core/engine_consume.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"

enum {
	LETTER_BYTES_MAX = MIB(8), /* of an event that is kept with its dead letter */
	READS_A_STEP = 256
};

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

static int on_position(void *arg, const void *row, uint32_t size)
{
	struct found *f = arg;

	(void)size;
	f->any = true;
	f->id = consume_row_id(f->layout, row);
	return 0;
}

/* The position that is kept: in *f. */
static int position_find(
	struct lf_engine *engine, const char *name, struct found *f, struct error *e)
{
	const struct statement *s = service_of(engine)->statements->find;
	struct value v = consume_text(name, strlen(name));

	*f = (struct found){ .layout = &s->result_layout };
	return consume_query(engine, s, &v, on_position, f, e);
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
	v[0] = consume_text(m->name, strlen(m->name));
	consume_id(v + 1, *behind);
	return consume_execute(engine, service_of(engine)->statements->add, v, e);
}

struct group *group_open(
	struct lf_engine *engine, const struct member *m, bool make, struct error *e)
{
	struct event_service *service = service_of(engine);
	struct group *g = group_find(engine, m->name);
	struct found f;

	if (g != NULL && !m->o.reset)
		return g;
	if (g != NULL && (consumer_group_members(g->state) > 0 || g->writes > 0)) {
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

void group_changed(struct lf_engine *engine, const struct group *g)
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

	v[0] = consume_text(g->name, strlen(g->name));
	consume_id(v + 1, id);
	/* One that stays by mistake is given again if anyone asks for it. */
	if (consume_submit(engine, service_of(engine)->statements->forget, v, &w) != 0)
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

bool member_settle(struct lf_engine *engine, struct member *m)
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
		v[0] = consume_text(g->name, strlen(g->name));
		consume_id(v + 1, event->id);
		v[4] = consume_int(event->attempts);
		v[5] = consume_text(key, n < sizeof(key) ? n : 0);
		if (ev.key == NULL)
			v[5].flags = VALUE_NULL;
		v[6] = consume_text(ev.statement->text, ev.statement->text_bytes);
		v[7] = consume_text((const char *)event->data, event->bytes);
		v[7].type = TYPE_BYTEA;
		if (event->bytes > LETTER_BYTES_MAX)
			v[7].flags = VALUE_NULL;
		status = consume_submit(engine, service_of(engine)->statements->bury, v, &w);
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
		g->retry_us = now + CONSUME_RETRY_US;
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
	v[0] = consume_text(g->name, strlen(g->name));
	consume_id(v + 1, done);
	g->writing = done;
	g->is_writing = consume_submit(engine, service_of(engine)->statements->move, v, &w) == 0;
	if (!g->is_writing)
		g->retry_us = now + CONSUME_RETRY_US;
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
	did |= consume_store_poll(engine);
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

bool consumers_want(const struct event_service *service)
{
	for (const struct group *g = service->groups; g != NULL; g = g->next)
		if (consumer_group_members(g->state) > 0)
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
	consume_store_settle(engine);
	while (service->groups != NULL)
		group_remove(engine, service->groups);
	consume_store_close(engine);
}
