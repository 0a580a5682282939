/*
 * test_feed_route.c: many subscriptions of one port that are for a few keys each. Some read at every epoch and some seldom, they come
 * and go, and history is lost; what each is told must add up to what its query gives.
 */
#include <stdlib.h>

#include "core/base/hash.h"
#include "core/engine_internal.h"
#include "core/flow/feed_route.h"
#include "tests/unit/engine_fixture.h"

enum { FOLLOWERS = 300, IDS = 120, KEYS = 3, ROUNDS = 400, COMMANDS = 12, PAIRS = 200 };

struct follower {
	struct lf_subscription *sub;
	bool latest, often;
	uint64_t params[8];
	int64_t sum;
	unsigned gaps;
};

struct world {
	struct fixture f;
	uint64_t random;
	struct statement *put, *remove, *query;
	struct follower followers[FOLLOWERS];
	unsigned told, slow, gaps;
};

static unsigned below(struct world *w, unsigned n)
{
	w->random = hash_u64(w->random);
	return (unsigned)(w->random >> 32) % n;
}

static int64_t number(const struct world *w, const void *row)
{
	struct value v;

	if (row == NULL)
		return 0;
	row_get(&w->query->result_layout, row, 0, &v);
	return v.i;
}

/* --- reading --- */

static struct world *the_world;

static int follow(void *arg, const struct lf_feed_event *ev)
{
	struct follower *p = arg;

	if (ev->kind == LF_FEED_SNAPSHOT)
		p->sum = 0;
	p->gaps += ev->kind == LF_FEED_GAP;
	if (ev->kind == LF_FEED_ROW || ev->kind == LF_FEED_CHANGE)
		p->sum += number(the_world, ev->new_row) - number(the_world, ev->old_row);
	the_world->told += ev->kind == LF_FEED_CHANGE;
	return 0;
}

static void begin(struct world *w, struct follower *p)
{
	struct lf_feed_options o = { .latest = below(w, 2) };
	struct value v[KEYS];

	*p = (struct follower){ .latest = o.latest, .often = below(w, 4) > 0 };
	/* A key may be there twice. */
	for (unsigned i = 0; i < KEYS; i++)
		v[i] = (struct value){ .type = TYPE_INT4, .i = below(w, IDS) };
	row_encode(&w->query->param_layout, v, p->params);
	assert_int_equal(lf_subscribe(&p->sub, w->f.port, w->query, p->params, &o, &w->f.error), 0);
}

static void end(struct world *w, struct follower *p)
{
	w->gaps += p->gaps;
	lf_unsubscribe(p->sub);
	p->sub = NULL;
}

static int add(void *arg, const void *row, uint32_t size)
{
	(void)size;
	*(int64_t *)arg += number(the_world, row);
	return 0;
}

/* With a pin: one read, or all that there is, which must be right then. */
static void read_some(struct world *w, struct follower *p, bool all)
{
	int64_t there = 0;
	int status;

	do
		status = lf_feed_read(p->sub, follow, p, &w->f.error);
	while (all && status > 0);
	if (status < 0) {
		assert_int_equal(w->f.error.code, ERR_SLOW_SUBSCRIBER);
		w->slow++;
		end(w, p);
		return;
	}
	if (status > 0 || lf_feed_epoch(p->sub) == 0)
		return;
	assert_int_equal(lf_query(w->f.port, w->query, p->params, add, &there, &w->f.error), 0);
	assert_int_equal(p->sum, there);
}

/* --- writing --- */

static void any_reply(void *arg, const struct lf_reply *reply)
{
	(void)arg;
	(void)reply;
}

static void submit_some(struct world *w, unsigned shards)
{
	for (unsigned n = below(w, COMMANDS); n > 0; n--) {
		struct value v[2] = { { .type = TYPE_INT4, .i = below(w, IDS) },
			{ .type = TYPE_INT8, .i = below(w, 1000) } };
		const struct statement *s = below(w, 5) == 0 ? w->remove : w->put;
		uint64_t row[6];

		row_encode(&s->param_layout, v, row);
		assert_int_equal(lf_submit(w->f.port, s, row, 0, LF_DURABLE, &w->f.error), 0);
	}
	lf_flush(w->f.port);
	for (unsigned n = below(w, 8); n > 0; n--)
		(void)lf_step(w->f.engine, below(w, shards));
	(void)lf_poll(w->f.port, any_reply, NULL);
}

static void play(unsigned shards, uint64_t seed, uint64_t history)
{
	struct lf_options o = lf_options_default();
	struct world *w = calloc(1, sizeof(*w));
	uint64_t epoch;

	assert_non_null(w);
	the_world = w;
	w->random = seed;
	o.projectors = shards;
	o.stepped = true;
	o.history = history;
	o.batch_max = 3;
	assert_int_equal(lf_engine_open(&w->f.engine, &o, &w->f.error), 0);
	assert_int_equal(lf_port_open(&w->f.port, w->f.engine, NULL, NULL, &w->f.error), 0);
	run(&w->f, "CREATE TABLE t (id int PRIMARY KEY, v bigint NOT NULL)");
	w->put = prepare(
		&w->f, "INSERT INTO t VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET v = $2");
	w->remove = prepare(&w->f, "DELETE FROM t WHERE id = $1");
	w->query = prepare(&w->f, "SELECT v FROM t WHERE id IN ($1, $2, $3)");
	for (unsigned r = 0; r < ROUNDS; r++) {
		submit_some(w, shards);
		/* At times nobody reads, so that what is lost is lost to the route. */
		if (r / 20 % 4 == 3)
			continue;
		assert_int_equal(lf_read_begin(w->f.port, 0, &epoch, &w->f.error), 0);
		for (unsigned i = 0; i < FOLLOWERS; i++) {
			struct follower *p = &w->followers[i];

			if (p->sub == NULL && below(w, 10) == 0)
				begin(w, p);
			else if (p->sub != NULL && below(w, 100) == 0)
				end(w, p);
			else if (p->sub != NULL && (p->often || below(w, 20) == 0))
				read_some(w, p, below(w, 4) > 0);
		}
		lf_read_end(w->f.port);
	}
	lf_settle(w->f.engine);
	assert_int_equal(lf_read_begin(w->f.port, 0, &epoch, &w->f.error), 0);
	for (unsigned i = 0; i < FOLLOWERS; i++)
		if (w->followers[i].sub != NULL)
			read_some(w, &w->followers[i], true);
	for (unsigned i = 0; i < FOLLOWERS; i++)
		if (w->followers[i].sub != NULL)
			end(w, &w->followers[i]);
	lf_read_end(w->f.port);
	assert_true(w->told > 1000);
	assert_int_equal(w->slow > 0 && w->gaps > 0, history < 65536);
	assert_null(w->f.port->routes);
	lf_release(w->f.engine, w->put);
	lf_release(w->f.engine, w->remove);
	lf_release(w->f.engine, w->query);
	close_fixture(&w->f);
	free(w);
}

static void test_adds_up(void **state)
{
	(void)state;
	for (unsigned shards = 1; shards <= 3; shards++)
		play(shards, shards, 1 << 20);
}

static void test_adds_up_with_little_history(void **state)
{
	(void)state;
	for (unsigned shards = 1; shards <= 3; shards++)
		play(shards, 10 + shards, 4096);
}

/* Members come and go whose keys share places. */
static void test_members(void **state)
{
	static struct feed_member members[PAIRS];
	static uint64_t keys[PAIRS][2];
	struct feed_route *routes = NULL, *r;
	struct feed *f = calloc(1, sizeof(*f)); /* of no shards */
	uint64_t random = 1;

	(void)state;
	assert_non_null(f);
	r = feed_route_take(&routes, f);
	assert_non_null(r);
	assert_ptr_equal(feed_route_take(&routes, f), r);
	for (unsigned round = 0; round < 5000; round++) {
		unsigned i = (unsigned)((random = hash_u64(random)) >> 32) % PAIRS;
		struct feed_member *m = &members[i];

		if (m->nkeys > 0) {
			feed_route_leave(&routes, r, m);
			m->nkeys = 0;
			continue;
		}
		assert_ptr_equal(feed_route_take(&routes, f), r);
		/* Few homes, and equal hashes. */
		keys[i][0] = random % 7 << 40 | random % 5;
		keys[i][1] = random % 3;
		*m = (struct feed_member){ .keys = keys[i], .nkeys = 2 };
		feed_route_join(r, m, 0);
		assert_true(feed_route_has(r, m));
	}
	/* Each is found to be taken out, or an assertion fails. */
	for (unsigned i = 0; i < PAIRS; i++)
		if (members[i].nkeys > 0)
			feed_route_leave(&routes, r, &members[i]);
	for (unsigned i = 0; i < 2; i++)
		feed_route_leave(&routes, r, &(struct feed_member){ .nkeys = 0 });
	assert_null(routes);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_members),
		cmocka_unit_test(test_adds_up),
		cmocka_unit_test(test_adds_up_with_little_history) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
