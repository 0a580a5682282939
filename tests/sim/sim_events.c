/*
 * sim_events.c: see sim_events.h.
 */
#include "tests/sim/sim_events.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/sql/cast.h"
#include "core/store/row.h"

enum {
	TEXT_MAX = 1024,
	NUMBERS_MAX = 1 << 16,
	SLOTS = 1 << 14, /* of rows, and of aggregates; a power of two */
	GIVEN_MAX = 64,
	DRAIN_MAX = 100000,
	ACK_MS = 50
};

/* What is compared of each table. */
static const struct {
	const char *name, *columns[4];
} TABLES[] = {
	{ "account", { "id", "balance", "seq" } },
	{ "entry", { "account", "no", "amount" } },
	{ "kv", { "k", "v", "seq" } },
	{ "log", { "tag", "part", "v" } },
	{ "loose", { "tag", "v" } },
};
enum { NTABLES = sizeof(TABLES) / sizeof(TABLES[0]) };

/* A row of the fold, by its key. */
struct row_slot {
	uint64_t key;  /* 0: free */
	uint64_t what; /* 0: it is not there */
};

/* An aggregate of one table. */
struct key_slot {
	uint64_t key; /* 0: free */
	uint64_t number;
};

struct sums {
	uint64_t n, sum;
};

struct sim_events {
	struct random random; /* its own, so that others' chance is not changed */
	struct arena arena;
	bool acknowledged[NUMBERS_MAX], there[NUMBERS_MAX];
	struct row_slot rows[SLOTS];
	struct key_slot keys[SLOTS];
	struct event_id last;
	struct sums sums[NTABLES];
	uint64_t compared, given_all;

	struct lf_engine *engine;
	struct lf_port *port;
	struct lf_stream *stream;
	unsigned projectors;
	uint64_t now_us;
	/* of the consumer, over all lives: how far each aggregate has been given; what was given for the first time, in
	 * that order */
	struct {
		uint64_t key; /* 0: free */
		struct event_id last;
		bool acknowledged; /* that one */
		unsigned compared; /* of `first` */
	} given[SLOTS];
	struct {
		unsigned slot;
		struct event_id id;
	} first[NUMBERS_MAX];
	unsigned nfirst;
	struct event_id kept;
};

struct sim_events *events_new(uint64_t seed)
{
	struct sim_events *x = calloc(1, sizeof(*x));

	if (x == NULL)
		abort();
	x->random.state = seed * 0x9e3779b97f4a7c15u + 77;
	x->now_us = 1000000;
	arena_init(&x->arena, NULL);
	return x;
}

void events_free(struct sim_events *x)
{
	if (x != NULL)
		arena_free(&x->arena);
	free(x);
}

void events_options(struct lf_options *o)
{
	o->event_log = true;
	o->event_log_retain = UINT64_MAX / 2;
	o->ports_max++;
	/* Else what was acknowledged may be lost from the log and not from a checkpoint. */
	o->durability = LF_DURABILITY_DISK;
}

void events_reply(struct sim_events *x, const struct lf_reply *reply)
{
	if (reply->error == NULL && reply->ack != LF_ACCEPTED && reply->count > 0 &&
		reply->tag < NUMBERS_MAX)
		x->acknowledged[reply->tag] = true;
}

/* --- hashes of rows --- */

static uint64_t add_text(uint64_t hash, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash = hash_u64(hash ^ (unsigned char)p[i]);
	return hash_u64(hash + n);
}

static uint64_t add_value(uint64_t hash, const struct value *v, struct type t)
{
	char text[TEXT_MAX];

	if (value_is_null(v))
		return hash_u64(hash);
	return add_text(hash, text, value_format(v, t, text, sizeof(text)));
}

/* The layout of a table's rows, in the arena. */
static struct row_layout layout_of(const struct event_table *t, struct arena *a)
{
	struct type types[ROW_COLS_MAX];
	struct row_layout l;
	struct error e;

	for (unsigned c = 0; c < t->ncols; c++) {
		struct event_column column;

		event_table_column(t, c, &column);
		types[c] = column.type;
	}
	if (row_layout_init(&l, types, t->ncols, a, &e) != 0)
		wrong("%s", e.message);
	return l;
}

static int table_number(const struct event_table *t)
{
	for (int i = 0; i < NTABLES; i++)
		if (strlen(TABLES[i].name) == t->name_bytes &&
			memcmp(TABLES[i].name, t->name, t->name_bytes) == 0)
			return i;
	return -1;
}

/* --- the fold --- */

static struct row_slot *row_slot_of(struct sim_events *x, uint64_t key)
{
	unsigned i = (unsigned)key & (SLOTS - 1);

	for (unsigned n = 0; n < SLOTS; n++, i = (i + 1) & (SLOTS - 1))
		if (x->rows[i].key == key || x->rows[i].key == 0)
			return &x->rows[i];
	wrong("too many rows for the simulation");
}

static void fold(
	struct sim_events *x, const struct event_table *t, const struct event_change *change)
{
	int number = table_number(t);
	uint64_t key = 0, what = 1;
	struct row_layout layout;
	struct row_slot *slot;
	struct sums *sums;

	if (number < 0)
		return;
	arena_reset(&x->arena);
	layout = layout_of(t, &x->arena);
	key = add_text(key, t->name, t->name_bytes);
	for (unsigned c = 0; c < t->ncols; c++) {
		struct event_column column;
		struct value v;

		event_table_column(t, c, &column);
		row_get(&layout, change->row, c, &v);
		if (column.flags & COLUMN_KEY)
			key = add_value(key, &v, column.type);
		for (unsigned k = 0; k < 4 && TABLES[number].columns[k] != NULL; k++)
			if (strlen(TABLES[number].columns[k]) == column.name_bytes &&
				memcmp(TABLES[number].columns[k], column.name, column.name_bytes) ==
					0)
				what += add_value(k + 1, &v, column.type);
	}
	sums = &x->sums[number];
	slot = row_slot_of(x, key | 1);
	if ((slot->what != 0) != (change->kind != EVENT_INSERT))
		wrong("a change of a row that is %sthere", slot->what != 0 ? "" : "not ");
	sums->n += change->kind == EVENT_INSERT;
	sums->n -= change->kind == EVENT_DELETE;
	sums->sum -= slot->what;
	slot->key = key | 1;
	slot->what = change->kind == EVENT_DELETE ? 0 : what | 1;
	sums->sum += slot->what;
}

/* --- the log --- */

static uint64_t key_of(const struct event *ev, const struct event_walk *w)
{
	struct event_change change;
	uint64_t at = 0;

	(void)event_change(ev, &at, &change);
	return add_text(ev->head.hash, event_walk_table(w, change.table)->name,
		       event_walk_table(w, change.table)->name_bytes) |
		1;
}

static void number_check(struct sim_events *x, const struct event *ev, const struct event_walk *w)
{
	uint64_t number = 0, key;
	unsigned i;

	/* What makes the tables says none. */
	if (ev->head.meta_bytes != sizeof(number))
		return;
	memcpy(&number, ev->meta, sizeof(number));
	if (number < NUMBERS_MAX)
		x->there[number] = true;
	if (ev->key == NULL)
		return;
	key = key_of(ev, w);
	i = (unsigned)key & (SLOTS - 1);
	while (x->keys[i].key != 0 && x->keys[i].key != key)
		i = (i + 1) & (SLOTS - 1);
	/* Rows without a key, or of one aggregate in different shards, are no aggregates of the ledger's. */
	if (x->keys[i].key == key && x->keys[i].number >= number)
		wrong("command %" PRIu64 " is in the log behind %" PRIu64, number,
			x->keys[i].number);
	x->keys[i].key = key;
	x->keys[i].number = number;
}

static int count_row(void *arg, const void *row, uint32_t size)
{
	struct {
		const struct statement *s;
		struct sums sums;
	} *y = arg;
	uint64_t what = 1;

	(void)size;
	for (unsigned c = 0; c < y->s->nresults; c++) {
		struct value v;

		row_get(&y->s->result_layout, row, c, &v);
		what += add_value(c + 1, &v, y->s->result_layout.types[c]);
	}
	y->sums.n++;
	y->sums.sum += what | 1;
	return 0;
}

static void tables_compare(struct sim_events *x, struct lf_engine *engine, struct lf_port *reader)
{
	for (unsigned i = 0; i < NTABLES; i++) {
		struct {
			const struct statement *s;
			struct sums sums;
		} y = { NULL, { 0, 0 } };
		char text[256];
		struct statement *s;
		uint64_t none[2] = { 0 };
		struct error e;
		size_t n = (size_t)snprintf(text, sizeof(text), "SELECT ");

		for (unsigned k = 0; k < 4 && TABLES[i].columns[k] != NULL; k++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", k > 0 ? ", " : "",
				TABLES[i].columns[k]);
		(void)snprintf(text + n, sizeof(text) - n, " FROM %s", TABLES[i].name);
		if (lf_prepare(&s, engine, text, strlen(text), NULL, 0, &e) != 0)
			wrong("%s: %s", text, e.message);
		y.s = s;
		row_encode(&s->param_layout, NULL, none);
		if (lf_query(reader, s, none, count_row, &y, &e) != 0)
			wrong("%s: %s", text, e.message);
		lf_release(engine, s);
		if (y.sums.n != x->sums[i].n || y.sums.sum != x->sums[i].sum)
			wrong("%s has %" PRIu64 " rows, its events make %" PRIu64 " of others",
				TABLES[i].name, y.sums.n, x->sums[i].n);
	}
}

static void log_begin(struct sim_events *x)
{
	memset(x->rows, 0, sizeof(x->rows));
	memset(x->keys, 0, sizeof(x->keys));
	memset(x->there, 0, sizeof(x->there));
	memset(x->sums, 0, sizeof(x->sums));
	memset(&x->last, 0, sizeof(x->last));
}

void events_compare(struct sim_events *x, struct lf_engine *engine, struct lf_port *reader)
{
	struct lf_events_options o = { .from = LF_EVENTS_BEHIND };
	struct lf_events *events;
	struct event_id id;
	struct event ev;
	struct error e;
	int status;

	log_begin(x);
	if (lf_events_open(&events, engine, &o, &e) != 0)
		wrong("the event log: %s", e.message);
	while ((status = lf_events_next(events, &id, &ev, &e)) > 0) {
		struct event_change change;

		if (event_id_compare(id, x->last) <= 0)
			wrong("the event log is not in order");
		x->last = id;
		number_check(x, &ev, lf_events_walk(events));
		for (uint64_t at = 0; event_change(&ev, &at, &change);)
			fold(x, event_walk_table(lf_events_walk(events), change.table), &change);
		x->compared++;
	}
	lf_events_close(events);
	/* A disk that fails now and then. */
	if (status < 0 && e.code == ERR_IO) {
		trace("the event log cannot be read: %s", e.message);
		return;
	}
	if (status < 0)
		wrong("the event log: %s", e.message);
	tables_compare(x, engine, reader);
	for (unsigned i = 0; i < NUMBERS_MAX; i++)
		if (x->acknowledged[i] && !x->there[i])
			wrong("command %u was acknowledged, and is not in the event log", i);
}

/* --- the consumer --- */

static unsigned given_slot(struct sim_events *x, const struct event *ev)
{
	uint64_t key = ev->key != NULL ? hash_u64(ev->head.hash) | 1 : 1;
	unsigned i = (unsigned)key & (SLOTS - 1);

	while (x->given[i].key != 0 && x->given[i].key != key)
		i = (i + 1) & (SLOTS - 1);
	x->given[i].key = key;
	return i;
}

static void given_note(
	struct sim_events *x, struct event_id id, const struct event *ev, bool acknowledged)
{
	unsigned i = given_slot(x, ev);

	x->given_all++;
	if (event_id_compare(id, x->given[i].last) > 0) {
		if (x->given[i].last.epoch > 0 && !x->given[i].acknowledged)
			wrong("the consumer is given the next event of an aggregate too early");
		x->given[i].last = id;
		x->given[i].acknowledged = false;
		if (x->nfirst == NUMBERS_MAX)
			wrong("too many events for the simulation");
		x->first[x->nfirst].slot = i;
		x->first[x->nfirst++].id = id;
	} else if (event_id_compare(id, x->kept) <= 0) {
		wrong("the consumer is given again what is settled");
	}
	if (acknowledged && event_id_compare(id, x->given[i].last) == 0)
		x->given[i].acknowledged = true;
}

/* Take a lot; which of it is acknowledged. all: everything. */
static bool lot_take(struct sim_events *x, bool all)
{
	const struct lf_lot *lot = lf_stream_peek(x->stream);
	struct event_id ids[GIVEN_MAX];
	struct event_walk w = { 0 };
	unsigned n = 0;
	bool some;

	if (lot == NULL || lot->error != NULL)
		return false;
	x->kept = lot->reached;
	for (size_t at = 0; at < lot->bytes;) {
		struct event_head head;
		struct event ev;
		struct error e;

		memcpy(&head, lot->data + at, sizeof(head));
		at += sizeof(head);
		event_walk_more(&w, lot->data + at, head.bytes);
		if (event_walk_next(&w, &ev, &e) <= 0)
			wrong("the consumer is given no event");
		at += head.bytes;
		ids[n] = (struct event_id){ head.epoch, head.shard, head.number };
		some = n < GIVEN_MAX - 1 && (all || !random_one_in(&x->random, 4));
		given_note(x, ids[n], &ev, some);
		n += some;
	}
	event_walk_close(&w);
	if (n > 0)
		lf_consume_settle(x->stream, LF_SETTLE_ACKNOWLEDGE, ids, n);
	lf_stream_take(x->stream);
	return true;
}

void events_attach(
	struct sim_events *x, struct lf_engine *engine, struct lf_port *port, unsigned projectors)
{
	struct lf_consume_options o = { .name = "sim",
		.from = LF_EVENTS_OLDEST,
		.ack_ms = ACK_MS,
		.attempts_max = UINT32_MAX,
		.inflight_max = GIVEN_MAX / 2 };
	struct error e;

	x->engine = engine;
	x->port = port;
	x->projectors = projectors;
	lf_step_clock(engine, x->now_us);
	if (lf_consume_open(&x->stream, port, &o, &e) != 0)
		wrong("a consumer: %s", e.message);
}

void events_detach(struct sim_events *x)
{
	lf_stream_close(x->stream);
	x->stream = NULL;
	x->engine = NULL;
}

void events_step(struct sim_events *x)
{
	x->now_us += random_below(&x->random, 20000);
	lf_step_clock(x->engine, x->now_us);
	if (random_one_in(&x->random, 2))
		(void)lf_step(x->engine, x->projectors + 1);
	if (random_one_in(&x->random, 2))
		(void)lot_take(x, false);
}

/* What was given for the first time, of each aggregate, is the log, to its end. */
static void given_check(struct sim_events *x)
{
	struct lf_events_options o = { .from = LF_EVENTS_BEHIND };
	struct lf_events *events;
	struct event_id id;
	struct event ev;
	struct error e;

	for (unsigned i = 0; i < SLOTS; i++)
		x->given[i].compared = 0;
	if (lf_events_open(&events, x->engine, &o, &e) != 0)
		wrong("the event log: %s", e.message);
	while (lf_events_next(events, &id, &ev, &e) > 0) {
		unsigned slot = given_slot(x, &ev), *at = &x->given[slot].compared;

		while (*at < x->nfirst && x->first[*at].slot != slot)
			(*at)++;
		if (*at == x->nfirst || event_id_compare(x->first[*at].id, id) != 0)
			wrong("event %" PRIu64 "/%u/%u was not given to the consumer in its turn",
				id.epoch, id.shard, id.number);
		(*at)++;
	}
	lf_events_close(events);
}

void events_drain(struct sim_events *x)
{
	bool any = true;

	for (unsigned n = 0; any; n++) {
		any = false;
		x->now_us += (ACK_MS + 1) * 1000;
		lf_step_clock(x->engine, x->now_us);
		lf_settle(x->engine);
		while (lot_take(x, true)) {
			any = true;
			lf_settle(x->engine);
		}
		if (n == DRAIN_MAX)
			wrong("the consumer is never done");
	}
	if (lf_stream_peek(x->stream) == NULL)
		given_check(x);
}

uint64_t events_compared(const struct sim_events *x)
{
	return x->compared;
}

uint64_t events_given(const struct sim_events *x)
{
	return x->given_all;
}
