/*
 * engine_feed.c: subscriptions.
 *
 * Happy path: the first subscription of a relation makes its feed and asks every projector to begin its log, which each does
 * in an epoch of its own. Once these are visible the query is run at the pinned epoch, through its usual way; from then on the
 * logs of the shards are merged by epoch. A change is judged by the query's conditions before and after, and projected: so it
 * is an insertion, a change, a deletion, or nothing.
 *
 * Subscriptions of a port to few keys share a reader that finds out which of them there is something for (feed_route.h).
 *
 * The place in the logs is the only queue: who does not read costs nothing and finds out, when it does, that its place is gone.
 * What was told is always all up to one epoch, so going on from there at any later time, by whatever way, is right.
 *
 * A feed is kept for a while when its last subscription has gone, so that it can be taken up again. A schema change ends it
 * at an epoch; what was before that is still told.
 */
#include "core/engine_internal.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/flow/feed_route.h"
#include "core/flow/query_internal.h"

enum { LOOK_AGAIN_US = 1000000, PLACES_KEPT = 1024, KEYS_MAX = 16 };

/* A key of a shard in a group of the latest changes. Equal rows of a view without key may be in several. */
struct latest_place {
	const struct feed_entry *first, *last; /* first NULL: free */
	unsigned shard;
};

struct lf_subscription {
	struct lf_engine *engine;
	struct lf_port *port;
	const struct statement *statement;
	struct feed *feed;
	void *params;
	bool latest, strict;
	bool begun; /* `at` says up to where all has been told */
	uint64_t from, at;
	/* Of the keys that the query is for, when it is for few: of others no change need be looked at. `member` has their number. */
	uint64_t keys[KEYS_MAX];
	struct feed_member member;
	struct feed_route *route; /* NULL: it goes through the logs by itself */
	struct error *ended;      /* NULL: it goes on */
	struct latest_place *places;
	uint32_t nplaces, cap;
	struct feed_cursor cursors[]; /* by shard */
};

/* --- which queries --- */

static int refuse(struct error *e, int position, const char *what)
{
	error_set(e, ERR_FEATURE, position, "a subscription cannot have %s", what);
	return error_hint(e,
		"Create a materialized view of the query and subscribe to its rows: SELECT … FROM view WHERE ….");
}

static int is_now(struct expr *x, void *arg)
{
	*(int *)arg = x->position;
	return x->kind == EXPR_NOW;
}

static int time_refuse(struct expr *tree, struct error *e)
{
	int position = 0;

	return expr_walk(tree, is_now, &position) == 0
		? 0
		: refuse(e, position, "the current time, which changes without a change of rows");
}

static int first_position(const struct select *q)
{
	return q->noutputs > 0 && q->outputs[0].expr->position > 0 ? q->outputs[0].expr->position
								   : 1;
}

int lf_subscribable(const struct statement *s, struct error *e)
{
	const struct select *q;

	if (s->kind != STATEMENT_SELECT)
		return error_set(e, ERR_SYNTAX, 0, "only a query can be subscribed to");
	q = s->query.select;
	if (s->query.nlines > 0 || s->query.analyzed != NULL)
		return refuse(e, 1, "EXPLAIN");
	if (q->norder > 0)
		return refuse(e, q->order[0].expr->position, "ORDER BY");
	if (q->limit != NULL || q->offset != NULL)
		return refuse(e, q->limit != NULL ? q->limit->position : q->offset->position,
			"LIMIT or OFFSET");
	if (q->grouped)
		return refuse(e, q->ngroup > 0 ? q->group[0]->position : first_position(q),
			"aggregates, GROUP BY or DISTINCT");
	if (s->relation == NULL)
		return refuse(e, first_position(q), "no table or view");
	if (s->relation->kind == RELATION_SYSTEM)
		return refuse(e, first_position(q), "a system view");
	if (s->relation->kind == RELATION_DERIVED)
		return refuse(
			e, first_position(q), "joins, subqueries, WITH, UNION or window functions");
	for (unsigned i = 0; i < q->noutputs; i++)
		if (time_refuse(q->outputs[i].expr, e) != 0)
			return -1;
	for (unsigned i = 0; i < q->nconjuncts + s->query.access.nanswered; i++)
		if (time_refuse(q->conjuncts[i], e) != 0)
			return -1;
	return 0;
}

/* --- feeds, with the catalog's lock held --- */

static void projectors_ask(struct lf_engine *engine, struct feed *f, bool finish)
{
	for (unsigned s = 0; s < f->shards; s++) {
		struct projector *p = engine->set.projectors[s];

		projector_request_feed(p, finish ? &f->logs[s].finish : &f->logs[s].begin);
		park_wake(projector_parker(p));
	}
}

static void feed_let_go(struct lf_engine *engine, struct feed *f)
{
	if (!atomic_load_explicit(&f->ended, memory_order_relaxed))
		f->parts->feed = NULL;
	f->finishing = true;
	projectors_ask(engine, f, true);
}

static void feeds_look(struct lf_engine *engine, int64_t now_us)
{
	int64_t keep = (int64_t)engine->options.history_keep_s * 1000000, due = INT64_MAX;

	for (struct feed **link = &engine->feeds; *link != NULL;) {
		struct feed *f = *link;

		if (f->finishing && atomic_load_explicit(&f->left, memory_order_acquire) == 0) {
			*link = f->next;
			feed_free(f);
			continue;
		}
		link = &f->next;
		if (f->finishing && now_us + LOOK_AGAIN_US < due)
			due = now_us + LOOK_AGAIN_US;
		if (f->finishing || f->subscribers > 0)
			continue;
		if (keep == 0 || f->idle_since + keep <= now_us ||
			atomic_load_explicit(&f->ended, memory_order_relaxed))
			feed_let_go(engine, f);
		else if (f->idle_since + keep < due)
			due = f->idle_since + keep;
	}
	atomic_store_explicit(&engine->feeds_due, due, memory_order_relaxed);
}

void feeds_tidy(struct lf_engine *engine, int64_t now_us)
{
	/* Whoever has the lock may have it for long; there will be another time. */
	if (pthread_mutex_trylock(&engine->catalog_lock) != 0)
		return;
	feeds_look(engine, now_us);
	pthread_mutex_unlock(&engine->catalog_lock);
}

void engine_feeds_free(struct lf_engine *engine)
{
	while (engine->feeds != NULL) {
		struct feed *f = engine->feeds;

		ASSERT(f->subscribers == 0);
		engine->feeds = f->next;
		feed_free(f);
	}
}

void parts_end_feed(struct lf_engine *engine, const struct relation *r, struct parts *parts,
	uint64_t epoch, enum error_code code, const char *was)
{
	struct error why;
	bool failed = query_parts_sound(r, parts, &why) != 0;

	if (!failed)
		(void)error_set(&why, code, 0, "%s \"%s\" was %s",
			r->kind == RELATION_VIEW ? "view" : "table", r->name, was);
	/* Also those that nobody wants any more, while projectors have not let go of the parts. */
	for (struct feed *f = engine->feeds; f != NULL; f = f->next) {
		if (f->parts != parts || atomic_load_explicit(&f->ended, memory_order_relaxed))
			continue;
		feed_end(f, epoch, failed, &why);
		atomic_store_explicit(&engine->feeds_due, INT64_MIN, memory_order_relaxed);
	}
	parts->feed = NULL;
	for (unsigned s = 0; s < parts->shards; s++)
		flow_watch(projector_flow(engine->set.projectors[s]), parts->part[s]);
	feed_newest_raise(&engine->set.feed_newest, epoch);
}

static struct feed *feed_take(struct lf_engine *engine, struct parts *parts, struct error *e)
{
	struct feed *f = parts->feed;

	if (f == NULL) {
		f = feed_new(parts, e);
		if (f == NULL)
			return NULL;
		f->next = engine->feeds;
		engine->feeds = f;
		parts->feed = f;
		projectors_ask(engine, f, false);
	}
	f->subscribers++;
	return f;
}

/* --- begin and end --- */

/* Note the hashes of the keys that the query is for, as part_key_hash() gives them. Where that fails it will fail, or not, with
 * the rows. */
static void keys_note(struct lf_subscription *sub, const struct parts *parts)
{
	const struct compiled_query *k = sub->statement->compiled;
	const struct access *a = &sub->statement->query.access;
	const void *rows[EXPR_SOURCES] = { [EXPR_PARAMS] = sub->params };
	struct arena arena;
	struct error ignored;
	struct program_env env = { &arena, &ignored, 0, 0 };
	struct value *v;

	if (a->kind != ACCESS_KEYS || a->index_id != parts->key_id || a->nkeys > KEYS_MAX)
		return;
	arena_init(&arena, NULL);
	v = arena_alloc(&arena, (a->nkeys * a->width + 1) * sizeof(*v));
	if (v != NULL && program_run(k->keys, rows, v, &env) == 0) {
		for (unsigned i = 0; i < a->nkeys; i++)
			sub->keys[i] = values_hash(v + i * a->width, a->width);
		sub->member.nkeys = a->nkeys;
	}
	arena_free(&arena);
}

/* With the lock held: the relation as it is, and its feed. 1: the statement is old by now. */
static int subscription_open(
	struct lf_subscription *sub, const struct statement *s, struct error *e)
{
	struct lf_engine *engine = sub->engine;
	struct relation *r = s->relation;
	struct parts *parts = r->user;

	if (parts == NULL)
		return error_set(e, ERR_NOT_YET, 0, "view \"%s\" is not computed yet", r->name);
	if (__atomic_load_n(&r->dropped, __ATOMIC_ACQUIRE))
		return r->replaced > 0 ? 1
				       : error_set(e, ERR_UNDEFINED_TABLE, 0,
						 "relation \"%s\" does not exist", r->name);
	if (query_parts_sound(r, parts, e) != 0)
		return -1;
	if (engine->subscriptions >= LIMIT_SUBSCRIPTIONS)
		return error_set(
			e, ERR_LIMIT, 0, "more than %d subscriptions", LIMIT_SUBSCRIPTIONS);
	sub->feed = feed_take(engine, parts, e);
	if (sub->feed == NULL)
		return -1;
	engine->subscriptions++;
	sub->statement = s;
	keys_note(sub, parts);
	if (sub->member.nkeys > 0)
		sub->route = feed_route_take(&sub->port->routes, sub->feed);
	return 0;
}

int lf_subscribe(struct lf_subscription **out, struct lf_port *port, const struct statement *s,
	const void *params, const struct lf_feed_options *o, struct error *e)
{
	struct lf_engine *engine = port->engine;
	struct lf_subscription *sub;
	int status = 1;

	if (lf_subscribable(s, e) != 0)
		return -1;
	sub = calloc(1, sizeof(*sub) + engine->set.shards * sizeof(sub->cursors[0]));
	if (sub != NULL)
		sub->params = malloc(row_size(params));
	if (sub == NULL || sub->params == NULL) {
		free(sub);
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	}
	memcpy(sub->params, params, row_size(params));
	sub->engine = engine;
	sub->port = port;
	sub->from = o->from;
	sub->latest = o->latest;
	sub->strict = o->strict;
	sub->member.keys = sub->keys;
	sub->member.cursors = sub->cursors;
	while (status > 0) {
		s = engine_statement_now(engine, s, UINT64_MAX, e);
		status = s == NULL ? -1 : lf_subscribable(s, e);
		if (status != 0)
			break;
		pthread_mutex_lock(&engine->catalog_lock);
		status = subscription_open(sub, s, e);
		pthread_mutex_unlock(&engine->catalog_lock);
	}
	if (status != 0) {
		free(sub->params);
		free(sub);
		return -1;
	}
	*out = sub;
	return 0;
}

void lf_unsubscribe(struct lf_subscription *sub)
{
	struct lf_engine *engine = sub->engine;

	if (sub->route != NULL)
		feed_route_leave(&sub->port->routes, sub->route, &sub->member);
	pthread_mutex_lock(&engine->catalog_lock);
	engine->subscriptions--;
	if (--sub->feed->subscribers == 0) {
		sub->feed->idle_since = sub->port->now_us;
		feeds_look(engine, sub->port->now_us);
	}
	pthread_mutex_unlock(&engine->catalog_lock);
	free(sub->places);
	free(sub->params);
	free(sub->ended);
	free(sub);
}

uint64_t lf_feed_epoch(const struct lf_subscription *sub)
{
	return sub->begun ? sub->at : 0;
}

/* --- telling --- */

/* One call of lf_feed_read(). */
struct telling {
	struct lf_subscription *sub;
	const struct compiled_query *query;
	uint64_t epoch;  /* pinned */
	uint64_t limit;  /* told up to here at most */
	uint64_t group;  /* epoch of the changes being told */
	bool open;       /* their beginning has been told */
	uint64_t looked; /* bytes of history gone through */
	lf_on_feed fn;
	void *arg;
	struct program_env env;
	struct error *e;
};

static int event_tell(struct telling *t, const struct lf_feed_event *event)
{
	return t->fn(t->arg, event) == 0
		? 0
		: error_set(t->e, ERR_OUT_OF_MEMORY, 0, "what was to be told was not taken");
}

static int tell(struct telling *t, enum lf_feed_kind kind, uint64_t epoch)
{
	struct lf_feed_event event = { .kind = kind, .epoch = epoch };

	return event_tell(t, &event);
}

/* A relation's row as the query gives it; NULL: it does not, or *status is -1. */
static const void *judge(struct telling *t, const void *row, int *status)
{
	const void *rows[EXPR_SOURCES] = { row, [EXPR_PARAMS] = t->sub->params };
	const void *out = NULL;
	int pass = 1;

	if (row == NULL || *status != 0)
		return NULL;
	if (t->query->scan_filter != NULL)
		pass = program_test(t->query->scan_filter, rows, &t->env);
	if (pass > 0)
		out = projection_run(t->query->outputs, rows, t->env.scratch, &t->env);
	if (pass < 0 || (pass > 0 && out == NULL)) {
		*status = -1;
		if (t->env.error_position > 0 && t->e->position == 0)
			t->e->position = t->env.error_position;
	}
	return out;
}

static int change_tell(struct telling *t, const void *old, const void *row, uint64_t times)
{
	struct lf_feed_event event = { .kind = LF_FEED_CHANGE,
		.epoch = t->group,
		.times = times,
		.old_row = old,
		.new_row = row };
	int status = 0;

	if (old == NULL && row == NULL)
		return 0;
	/* Of columns that the query does not have. */
	if (old != NULL && row != NULL && row_size(old) == row_size(row) &&
		memcmp(old, row, row_size(old)) == 0)
		return 0;
	if (!t->open)
		status = tell(t, LF_FEED_CHANGES, t->group);
	t->open = true;
	return status != 0 ? status : event_tell(t, &event);
}

static int64_t stored_count(const struct feed *f, const void *row)
{
	struct value v;

	if (row == NULL)
		return 0;
	row_get(&f->layout, row, f->layout.ncols - 1u, &v);
	return v.i;
}

/* The row of a view without key, of which there are more now, or less. */
static int counted_tell(struct telling *t, const void *old, const void *row)
{
	const struct feed *f = t->sub->feed;
	const struct row_layout *l = &t->sub->statement->relation->layout;
	int64_t more = stored_count(f, row) - stored_count(f, old);
	const void *stored = row != NULL ? row : old, *out;
	struct value *values = arena_alloc(t->env.scratch, f->layout.ncols * sizeof(*values));
	void *plain = NULL;
	int status = 0;

	for (unsigned i = 0; values != NULL && i < l->ncols; i++)
		row_get(&f->layout, stored, i, &values[i]);
	if (values != NULL)
		plain = arena_alloc(t->env.scratch, row_encoded_size(l, values));
	if (plain == NULL)
		return error_set(t->e, ERR_OUT_OF_MEMORY, 0, NULL);
	row_encode(l, values, plain);
	out = judge(t, plain, &status);
	if (status != 0 || out == NULL || more == 0)
		return status;
	return more > 0 ? change_tell(t, NULL, out, (uint64_t)more)
			: change_tell(t, out, NULL, (uint64_t)-more);
}

/* What a key was and has become, as stored rows. */
static int key_tell(struct telling *t, const void *old, const void *row)
{
	int status = 0;

	if (old == NULL && row == NULL)
		return 0;
	if (t->sub->feed->counted) {
		status = counted_tell(t, old, row);
	} else {
		old = judge(t, old, &status);
		row = judge(t, row, &status);
		if (status == 0)
			status = change_tell(t, old, row, 1);
	}
	arena_reset(t->env.scratch);
	return status;
}

/* The epoch of the next entry of any shard; UINT64_MAX: there is none up to the limit. */
static uint64_t next_epoch(const struct telling *t)
{
	struct lf_subscription *sub = t->sub;
	uint64_t epoch = UINT64_MAX;

	for (unsigned s = 0; s < sub->feed->shards; s++) {
		const struct feed_entry *x = feed_peek(&sub->cursors[s], t->limit);

		if (x != NULL && x->epoch < epoch)
			epoch = x->epoch;
	}
	return epoch;
}

static inline bool concerns(const struct lf_subscription *sub, const struct feed_entry *x)
{
	bool found = sub->member.nkeys == 0;

	for (unsigned i = 0; !found && i < sub->member.nkeys; i++)
		found = sub->keys[i] == x->hash;
	return found;
}

/* fn for every entry of an epoch that concerns it. */
static int epoch_each(struct telling *t, uint64_t epoch,
	int (*fn)(struct telling *t, unsigned shard, const struct feed_entry *x))
{
	struct lf_subscription *sub = t->sub;
	int status = 0;

	for (unsigned s = 0; s < sub->feed->shards; s++) {
		const struct feed_entry *x;

		while (status == 0 && (x = feed_peek(&sub->cursors[s], epoch)) != NULL) {
			feed_advance(&sub->cursors[s], x);
			t->looked += x->size;
			if (concerns(sub, x))
				status = fn(t, s, x);
		}
	}
	return status;
}

static int entry_tell(struct telling *t, unsigned shard, const struct feed_entry *x)
{
	(void)shard;
	return key_tell(t, feed_entry_old(x), feed_entry_new(x));
}

/* A group for each epoch: one that there is something to tell of. */
static int every_tell(struct telling *t)
{
	struct lf_subscription *sub = t->sub;

	while (!t->open && t->looked < FEED_TURN_BYTES) {
		int status;

		t->group = next_epoch(t);
		if (t->group == UINT64_MAX) {
			sub->at = t->limit;
			return 0;
		}
		status = epoch_each(t, t->group, entry_tell);
		if (status == 0 && t->open)
			status = tell(t, LF_FEED_END, t->group);
		if (status != 0)
			return status;
		sub->at = t->group;
	}
	return 1;
}

/* --- one group of the latest changes --- */

static bool same_key(const struct feed *f, const struct feed_entry *a, const struct feed_entry *b)
{
	const void *x = a->old_size > 0 ? feed_entry_old(a) : feed_entry_new(a);
	const void *y = b->old_size > 0 ? feed_entry_old(b) : feed_entry_new(b);

	return a->hash == b->hash &&
		row_equal(&f->layout, x, f->key, &f->layout, y, f->key, f->nkey);
}

static struct latest_place *latest_find(
	const struct lf_subscription *sub, unsigned shard, const struct feed_entry *x)
{
	uint32_t at = (uint32_t)x->hash & (sub->cap - 1);

	while (sub->places[at].first != NULL &&
		(sub->places[at].shard != shard || !same_key(sub->feed, sub->places[at].first, x)))
		at = (at + 1) & (sub->cap - 1);
	return &sub->places[at];
}

static int latest_grow(struct lf_subscription *sub)
{
	uint32_t cap = sub->cap == 0 ? 64 : 2 * sub->cap, old_cap = sub->cap;
	struct latest_place *old = sub->places, *grown = calloc(cap, sizeof(*grown));

	if (grown == NULL)
		return -1;
	sub->places = grown;
	sub->cap = cap;
	for (uint32_t i = 0; i < old_cap; i++)
		if (old[i].first != NULL)
			*latest_find(sub, old[i].shard, old[i].first) = old[i];
	free(old);
	return 0;
}

static int latest_note(struct telling *t, unsigned shard, const struct feed_entry *x)
{
	struct lf_subscription *sub = t->sub;
	struct latest_place *place;

	if (2 * sub->nplaces >= sub->cap && latest_grow(sub) != 0)
		return error_set(t->e, ERR_OUT_OF_MEMORY, 0, NULL);
	place = latest_find(sub, shard, x);
	if (place->first == NULL) {
		place->first = x;
		place->shard = shard;
		sub->nplaces++;
	}
	place->last = x;
	return 0;
}

static int latest_give(struct telling *t)
{
	struct lf_subscription *sub = t->sub;
	int status = 0;

	for (uint32_t i = 0; status == 0 && i < sub->cap; i++)
		if (sub->places[i].first != NULL)
			status = key_tell(t, feed_entry_old(sub->places[i].first),
				feed_entry_new(sub->places[i].last));
	if (status == 0 && t->open)
		status = tell(t, LF_FEED_END, t->group);
	return status;
}

static void latest_forget(struct lf_subscription *sub)
{
	sub->nplaces = 0;
	if (sub->cap <= PLACES_KEPT) {
		if (sub->cap > 0)
			memset(sub->places, 0, sub->cap * sizeof(*sub->places));
		return;
	}
	free(sub->places);
	sub->places = NULL;
	sub->cap = 0;
}

static int latest_tell(struct telling *t)
{
	struct lf_subscription *sub = t->sub;
	uint64_t epoch = 0, last = sub->at;
	int status = 0;

	while (status == 0 && t->looked < FEED_TURN_BYTES &&
		(epoch = next_epoch(t)) != UINT64_MAX) {
		status = epoch_each(t, epoch, latest_note);
		last = epoch;
	}
	t->group = epoch == UINT64_MAX ? t->limit : last;
	if (status == 0)
		status = latest_give(t);
	latest_forget(sub);
	if (status != 0)
		return status;
	sub->at = t->group;
	return epoch != UINT64_MAX;
}

/* --- snapshots --- */

static int row_tell(void *arg, const void *row, uint32_t size)
{
	struct telling *t = arg;
	struct lf_feed_event event = {
		.kind = LF_FEED_ROW, .epoch = t->epoch, .times = 1, .new_row = row
	};

	(void)size;
	return event_tell(t, &event);
}

static int snapshot_tell(struct telling *t)
{
	struct lf_subscription *sub = t->sub;
	struct query_env env = {
		.scratch = t->env.scratch,
		.epoch = t->epoch,
		.now_us = t->env.now_us,
		.rows_max = sub->engine->options.rows_max,
		.parts = sub->feed->parts,
	};
	int status = tell(t, LF_FEED_SNAPSHOT, t->epoch);

	if (status == 0)
		status = query_run(sub->statement, sub->params, &env, row_tell, t, t->e);
	if (status == 0)
		status = tell(t, LF_FEED_END, t->epoch);
	if (status != 0)
		return status;
	sub->begun = true;
	sub->at = t->epoch;
	/* What is lost already is found out the next time. */
	for (unsigned s = 0; s < sub->feed->shards; s++)
		(void)feed_seek(&sub->cursors[s], &sub->feed->logs[s], sub->at);
	return 1;
}

static int gap_tell(struct telling *t, uint64_t epoch)
{
	int status;

	if (t->sub->strict)
		return error_set(t->e, ERR_HISTORY_GAP, 0,
			"the changes behind epoch %llu are not kept any more",
			(unsigned long long)epoch);
	status = tell(t, LF_FEED_GAP, epoch);
	return status != 0 ? status : snapshot_tell(t);
}

/* --- reading --- */

/* Whether every log is whole behind the epoch; cursors: to there. */
static bool cursors_find(struct lf_subscription *sub, uint64_t epoch, bool anew)
{
	const struct feed *f = sub->feed;
	bool whole = true;

	for (unsigned s = 0; s < f->shards; s++)
		whole &= anew ? feed_seek(&sub->cursors[s], &f->logs[s], epoch)
			      : feed_resume(&sub->cursors[s], &f->logs[s], epoch);
	return whole;
}

static bool logs_have(const struct feed *f, uint64_t epoch)
{
	for (unsigned s = 0; s < f->shards; s++)
		if (!feed_log_has(&f->logs[s], epoch))
			return false;
	return true;
}

/* The beginning. */
static int begin_tell(struct telling *t)
{
	struct lf_subscription *sub = t->sub;

	if (sub->from > t->epoch)
		return 0;
	/* Not before all projectors have begun, visibly: what comes behind this epoch is all there. */
	if (sub->from > 0 && sub->from <= t->limit && cursors_find(sub, sub->from, true)) {
		sub->begun = true;
		sub->at = sub->from;
		return 1;
	}
	if (!logs_have(sub->feed, t->epoch))
		return 0;
	return sub->from > 0 ? gap_tell(t, sub->from) : snapshot_tell(t);
}

/* What the logs have, which are whole behind `at`. As lf_feed_read(). */
static int logs_tell(struct telling *t)
{
	struct lf_subscription *sub = t->sub;
	int status = sub->latest ? latest_tell(t) : every_tell(t);

	if (status == 0 && sub->route != NULL)
		feed_route_join(sub->route, &sub->member, t->limit);
	return status;
}

static int go_on(struct telling *t)
{
	struct lf_subscription *sub = t->sub;

	/* Nothing at all: what was dropped, or lost, was behind `at`, too. */
	if (atomic_load_explicit(&sub->feed->newest, memory_order_acquire) <= sub->at) {
		sub->at = t->limit;
		return 0;
	}
	/* Of a feed that has ended the last is told by its own cursors. */
	if (sub->route != NULL && t->limit == t->epoch &&
		feed_route_passes(sub->route, &sub->member, t->limit)) {
		sub->at = t->limit;
		return 0;
	}
	if (cursors_find(sub, sub->at, false))
		return logs_tell(t);
	if (t->limit < t->epoch)
		return 0;
	if (sub->latest)
		return gap_tell(t, sub->at);
	error_set(t->e, ERR_SLOW_SUBSCRIBER, 0,
		"the subscriber has fallen behind: changes behind epoch %llu are not kept any more",
		(unsigned long long)sub->at);
	return error_hint(t->e,
		"Subscribe from that epoch again for a snapshot, take the latest changes only, or give the server a longer --history.");
}

static int error_copy(struct error *e, const struct error *from)
{
	*e = *from;
	return -1;
}

static int feed_read(struct telling *t)
{
	struct lf_subscription *sub = t->sub;
	const struct feed *f = sub->feed;
	int status;

	/* A change of the schema that is not visible yet is none; the parts are there up to it. */
	if (atomic_load_explicit(&f->ended, memory_order_acquire) && f->end <= t->epoch) {
		t->limit = f->end - 1;
		if (f->failed)
			return error_copy(t->e, &f->why);
	} else if (query_parts_sound(sub->statement->relation, f->parts, t->e) != 0) {
		return -1;
	}
	status = sub->begun ? go_on(t) : t->limit < t->epoch ? 0 : begin_tell(t);
	if (status != 0 || t->limit == t->epoch)
		return status;
	return error_copy(t->e, &f->why);
}

int lf_feed_read(struct lf_subscription *sub, lf_on_feed fn, void *arg, struct error *e)
{
	struct lf_port *port = sub->port;
	struct telling t = { .sub = sub,
		.query = sub->statement->compiled,
		.epoch = port->pin,
		.limit = port->pin,
		.fn = fn,
		.arg = arg,
		.env = { &port->query_scratch, e, port->now_us, 0 },
		.e = e };
	int status;

	ASSERT(port->pinned);
	if (sub->ended != NULL)
		return error_copy(e, sub->ended);
	if (sub->begun && sub->at >= t.epoch)
		return 0;
	error_clear(e);
	arena_reset(&port->query_scratch);
	status = feed_read(&t);
	if (status >= 0)
		return status;
	sub->ended = malloc(sizeof(*sub->ended));
	if (sub->ended != NULL)
		*sub->ended = *e;
	return -1;
}
