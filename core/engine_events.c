/*
 * engine_events.c: reading the event log: the commands of all shards and runs in one order (core/log/event_reader.h),
 * from any epoch that is kept, up to what is visible.
 */
#include "core/engine_internal.h"

#include <stdlib.h>
#include <string.h>

#include "core/sql/cast.h"

struct lf_events {
	struct lf_engine *engine;
	struct event_reader *reader;
	char *table, *key; /* NULL: all */
};

int lf_events_open(struct lf_events **out, struct lf_engine *engine,
	const struct lf_events_options *o, struct error *e)
{
	const struct event_place place = { engine->disk, engine->run, &engine->events_gone };
	struct event_id after = o->after;
	struct lf_events *ev;

	if (!engine->options.event_log) {
		(void)error_set(e, ERR_OBJECT_STATE, 0, "this server keeps no event log");
		return error_hint(e, "Start it with --event-log.");
	}
	if (o->from == LF_EVENTS_OLDEST)
		after = event_id_behind(atomic_load(&engine->events_gone));
	else if (o->from == LF_EVENTS_NOW)
		after = event_id_behind(epoch_visible(engine->set.epochs));
	ev = calloc(1, sizeof(*ev));
	if (ev == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	ev->engine = engine;
	ev->table = o->table != NULL ? strdup(o->table) : NULL;
	ev->key = o->key != NULL ? strdup(o->key) : NULL;
	if ((o->table != NULL && ev->table == NULL) || (o->key != NULL && ev->key == NULL)) {
		lf_events_close(ev);
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	}
	if (event_reader_open(&ev->reader, &place, after, e) != 0) {
		lf_events_close(ev);
		return -1;
	}
	*out = ev;
	return 0;
}

void lf_events_close(struct lf_events *ev)
{
	if (ev == NULL)
		return;
	event_reader_close(ev->reader);
	free(ev->table);
	free(ev->key);
	free(ev);
}

/* --- filters --- */

static bool has_table(const struct event_walk *w, const struct event *event, const char *table)
{
	size_t n = strlen(table);
	struct event_change change;

	for (uint64_t at = 0; event_change(event, &at, &change);) {
		const struct event_table *t = event_walk_table(w, change.table);

		if (t->name_bytes == n && memcmp(t->name, table, n) == 0)
			return true;
	}
	return false;
}

size_t lf_event_key(const struct event *event, char *buf, size_t cap)
{
	const struct type t = { event->head.key_type, event->head.key_scale,
		event->head.key_modifier };
	const uint32_t slot = ROW_NULLS_AT + 1;
	const struct row_layout l = {
		.ncols = 1, .slots = ROW_NULLS_AT + 1, .types = &t, .offsets = &slot
	};
	struct value v;

	if (event->key == NULL)
		return 0;
	row_get(&l, event->key, 0, &v);
	return value_is_null(&v) ? 0 : value_format(&v, t, buf, cap);
}

static bool has_key(const struct event *event, const char *key)
{
	char text[LIMIT_EVENT_KEY_BYTES];
	size_t n = lf_event_key(event, text, sizeof(text));

	return event->key != NULL && n == strlen(key) && n <= sizeof(text) &&
		memcmp(text, key, n) == 0;
}

bool engine_events_pass(const struct lf_events *ev, const struct event *event)
{
	return (ev->table == NULL || has_table(event_reader_walk(ev->reader), event, ev->table)) &&
		(ev->key == NULL || has_key(event, ev->key));
}

int engine_events_look(struct lf_events *ev, uint64_t visible, struct event_id *id,
	struct event *out, struct error *e)
{
	return event_reader_next(ev->reader, visible, id, out, e);
}

uint64_t engine_events_block(const struct lf_events *ev)
{
	return event_reader_block(ev->reader);
}

struct event_id engine_events_reached(const struct lf_events *ev)
{
	return event_reader_reached(ev->reader);
}

int lf_events_next(struct lf_events *ev, struct event_id *id, struct event *out, struct error *e)
{
	uint64_t visible = epoch_visible(ev->engine->set.epochs);
	int status;

	do
		status = event_reader_next(ev->reader, visible, id, out, e);
	while (status > 0 && !engine_events_pass(ev, out));
	return status;
}

const struct event_walk *lf_events_walk(const struct lf_events *ev)
{
	return event_reader_walk(ev->reader);
}
