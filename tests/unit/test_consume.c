/*
 * Consumers of an engine, step by step: positions and dead letters that survive, time-outs by the test's own clock.
 */
#include <stdlib.h>

#include "tests/unit/data_fixture.h"

enum { IDS_MAX = 256 };

static uint64_t now_us = 1000000;

static void open_events(struct bed *b, unsigned projectors)
{
	struct lf_options o = lf_options_default();

	o.projectors = projectors;
	o.stepped = true;
	o.data = b->path;
	o.segment_bytes = LIMIT_SEGMENT_BYTES_MIN;
	o.event_log = true;
	if (lf_engine_open(&b->f.engine, &o, &b->f.error) != 0)
		fail_msg("%s", b->f.error.message);
	assert_int_equal(lf_port_open(&b->f.port, b->f.engine, NULL, NULL, &b->f.error), 0);
	lf_step_clock(b->f.engine, now_us);
}

static void make_events(struct bed *b, unsigned projectors)
{
	memset(b, 0, sizeof(*b));
	strcpy(b->path, "/tmp/leftfold-consume-XXXXXX");
	assert_non_null(mkdtemp(b->path));
	open_events(b, projectors);
	run(&b->f, "CREATE TABLE t (id int PRIMARY KEY, n int)");
}

static void insert(struct bed *b, unsigned first, unsigned last)
{
	char sql[128];

	for (unsigned i = first; i <= last; i++) {
		snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (%u, 0)", i);
		command(&b->f, sql);
	}
}

static void pass(struct bed *b, uint64_t us)
{
	now_us += us;
	lf_step_clock(b->f.engine, now_us);
	lf_settle(b->f.engine);
}

/* --- a member --- */

struct one {
	struct lf_stream *stream;
	unsigned n;
	struct event_id ids[IDS_MAX];
	int keys[IDS_MAX];
	unsigned attempts[IDS_MAX];
	struct event_id reached;
	char state[6]; /* of its end; "": it goes on */
};

static void take_lot(struct one *x, const struct lf_lot *lot)
{
	struct event_walk w = { 0 };

	x->reached = lot->reached;
	if (lot->error != NULL)
		strcpy(x->state, error_sqlstate(lot->error->code));
	for (size_t at = 0; lot->error == NULL && at < lot->bytes;) {
		struct event_head head;
		char key[16] = "";
		struct event ev;
		struct error e;

		memcpy(&head, lot->data + at, sizeof(head));
		at += sizeof(head);
		event_walk_more(&w, lot->data + at, head.bytes);
		assert_int_equal(event_walk_next(&w, &ev, &e), 1);
		at += head.bytes;
		key[lf_event_key(&ev, key, sizeof(key) - 1)] = '\0';
		assert_true(x->n < IDS_MAX);
		x->ids[x->n] = (struct event_id){ head.epoch, head.shard, head.number };
		x->attempts[x->n] = head.attempt;
		x->keys[x->n++] = atoi(key);
	}
	event_walk_close(&w);
}

/* All that it has now. */
static unsigned take(struct bed *b, struct one *x)
{
	const struct lf_lot *lot;

	x->n = 0;
	x->state[0] = '\0';
	lf_settle(b->f.engine);
	while (x->state[0] == '\0' && (lot = lf_stream_peek(x->stream)) != NULL) {
		take_lot(x, lot);
		lf_stream_take(x->stream);
		lf_settle(b->f.engine);
	}
	return x->n;
}

static void settle(struct bed *b, struct one *x, enum lf_settle how)
{
	lf_consume_settle(x->stream, how, x->ids, x->n);
	lf_settle(b->f.engine);
}

static void join_as(struct bed *b, struct one *x, const struct lf_consume_options *o)
{
	if (lf_consume_open(&x->stream, b->f.port, o, &b->f.error) != 0)
		fail_msg("%s", b->f.error.message);
	lf_settle(b->f.engine);
}

static void join(struct bed *b, struct one *x)
{
	struct lf_consume_options o = {
		.name = "mail", .from = LF_EVENTS_OLDEST, .ack_ms = 1000, .attempts_max = 2
	};

	join_as(b, x, &o);
}

static void leave(struct bed *b, struct one *x)
{
	lf_stream_close(x->stream);
	lf_settle(b->f.engine);
}

static void refused(struct bed *b, const struct lf_consume_options *o, const char *state)
{
	struct one x;

	join_as(b, &x, o);
	assert_int_equal(take(b, &x), 0);
	assert_string_equal(x.state, state);
	leave(b, &x);
}

/* --- tests --- */

static void test_positions(void **state)
{
	struct one x;
	struct bed b;

	(void)state;
	make_events(&b, 2);
	insert(&b, 1, 5);
	join(&b, &x);
	assert_int_equal(take(&b, &x), 5);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(x.keys[i], i + 1);
		assert_int_equal(x.attempts[i], 1);
	}
	settle(&b, &x, LF_SETTLE_ACKNOWLEDGE);
	/* Its own tables are no events; what comes next says how far it has come. */
	assert_int_equal(take(&b, &x), 0);
	insert(&b, 6, 6);
	assert_int_equal(take(&b, &x), 1);
	assert_int_equal(x.keys[0], 6);
	expect(&b.f, "SELECT name FROM leftfold_consumers", "mail");
	leave(&b, &x);
	/* Not acknowledged: with a restart in between it is given again, and nothing else. */
	insert(&b, 7, 7);
	close_fixture(&b.f);
	open_events(&b, 3);
	join(&b, &x);
	assert_int_equal(take(&b, &x), 2);
	assert_int_equal(x.keys[0], 6);
	assert_int_equal(x.keys[1], 7);
	settle(&b, &x, LF_SETTLE_ACKNOWLEDGE);
	leave(&b, &x);
	assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
	close_fixture(&b.f);
	open_events(&b, 1);
	join(&b, &x);
	assert_int_equal(take(&b, &x), 0);
	/* Not while it is at work. */
	{
		struct lf_consume_options o = {
			.name = "mail", .from = LF_EVENTS_OLDEST, .reset = true
		};

		refused(&b, &o, "55000");
		leave(&b, &x);
		join_as(&b, &x, &o);
		assert_int_equal(take(&b, &x), 7);
		leave(&b, &x);
	}
	close_fixture(&b.f);
	burn_bed(&b);
}

static void test_time_outs(void **state)
{
	struct one x;
	struct bed b;
	uint64_t requeued = 0;
	struct lf_stream *stream;

	(void)state;
	make_events(&b, 1);
	insert(&b, 1, 2);
	command(&b.f, "UPDATE t SET n = 1 WHERE id = 1");
	join(&b, &x);
	assert_int_equal(take(&b, &x), 2);
	lf_consume_settle(x.stream, LF_SETTLE_ACKNOWLEDGE, &x.ids[1], 1);
	assert_int_equal(take(&b, &x), 0);
	pass(&b, 999000);
	assert_int_equal(take(&b, &x), 0);
	pass(&b, 1000);
	assert_int_equal(take(&b, &x), 1);
	assert_int_equal(x.keys[0], 1);
	assert_int_equal(x.attempts[0], 2);
	expect(&b.f, "SELECT count(*) FROM leftfold_dead_letters", "0");
	/* Twice is enough: it is a dead letter, and the next one of its aggregate comes. */
	pass(&b, 1000000);
	assert_int_equal(take(&b, &x), 1);
	assert_int_equal(x.attempts[0], 1);
	expect(&b.f, "SELECT consumer, attempts, key, statement FROM leftfold_dead_letters",
		"mail|2|1|INSERT INTO t VALUES (1, 0)");
	/* This one is made one at once. */
	settle(&b, &x, LF_SETTLE_DEAD);
	expect(&b.f, "SELECT attempts, statement FROM leftfold_dead_letters ORDER BY epoch",
		"2|INSERT INTO t VALUES (1, 0)\n1|UPDATE t SET n = 1 WHERE id = 1");
	leave(&b, &x);
	/* Both are there after a restart, and can be given again. */
	close_fixture(&b.f);
	open_events(&b, 2);
	join(&b, &x);
	assert_int_equal(take(&b, &x), 0);
	assert_int_equal(lf_consume_requeue(&stream, b.f.port, "mail", NULL, &b.f.error), 0);
	lf_settle(b.f.engine);
	assert_true(lf_stream_peek(stream)->last);
	requeued = lf_stream_peek(stream)->requeued;
	lf_stream_close(stream);
	assert_int_equal(requeued, 2);
	/* In their order: one at a time of the aggregate. */
	assert_int_equal(take(&b, &x), 1);
	assert_int_equal(x.attempts[0], 1);
	settle(&b, &x, LF_SETTLE_REJECT);
	assert_int_equal(take(&b, &x), 1);
	assert_int_equal(x.attempts[0], 2);
	settle(&b, &x, LF_SETTLE_ACKNOWLEDGE);
	expect(&b.f, "SELECT count(*) FROM leftfold_dead_letters", "1");
	assert_int_equal(take(&b, &x), 1);
	settle(&b, &x, LF_SETTLE_ACKNOWLEDGE);
	expect(&b.f, "SELECT count(*) FROM leftfold_dead_letters", "0");
	{
		struct event_id none = { 1, 2, 3 };

		assert_int_equal(
			lf_consume_requeue(&stream, b.f.port, "mail", &none, &b.f.error), 0);
		lf_settle(b.f.engine);
		assert_string_equal(error_sqlstate(lf_stream_peek(stream)->error->code), "42704");
		lf_stream_close(stream);
		assert_int_equal(
			lf_consume_requeue(&stream, b.f.port, "nobody", NULL, &b.f.error), 0);
		lf_settle(b.f.engine);
		assert_string_equal(error_sqlstate(lf_stream_peek(stream)->error->code), "42704");
		lf_stream_close(stream);
	}
	leave(&b, &x);
	close_fixture(&b.f);
	burn_bed(&b);
}

/* Two share; one goes without acknowledging, and its keys go to the other when their time is over. */
static void test_shared(void **state)
{
	bool seen[41] = { false };
	struct one x, y;
	struct bed b;

	(void)state;
	make_events(&b, 2);
	join(&b, &x);
	join(&b, &y);
	(void)take(&b, &x);
	(void)take(&b, &y);
	insert(&b, 1, 40);
	assert_int_equal(take(&b, &x) + take(&b, &y), 40);
	assert_true(x.n > 8 && y.n > 8);
	settle(&b, &x, LF_SETTLE_ACKNOWLEDGE);
	for (unsigned i = 0; i < x.n; i++)
		seen[x.keys[i]] = true;
	command(&b.f, "UPDATE t SET n = 1 WHERE id > 0");
	leave(&b, &y);
	assert_int_equal(take(&b, &x), 0);
	pass(&b, 1000000);
	assert_int_equal(take(&b, &x), y.n);
	for (unsigned i = 0; i < x.n; i++) {
		assert_int_equal(x.attempts[i], 2);
		assert_false(seen[x.keys[i]]);
		seen[x.keys[i]] = true;
	}
	settle(&b, &x, LF_SETTLE_ACKNOWLEDGE);
	/* The UPDATE of all was one event in each shard, one after the other. */
	assert_int_equal(take(&b, &x), 1);
	settle(&b, &x, LF_SETTLE_ACKNOWLEDGE);
	assert_int_equal(take(&b, &x), 1);
	settle(&b, &x, LF_SETTLE_ACKNOWLEDGE);
	assert_int_equal(take(&b, &x), 0);
	for (unsigned i = 1; i <= 40; i++)
		assert_true(seen[i]);
	leave(&b, &x);
	close_fixture(&b.f);
	burn_bed(&b);
}

static void test_refused(void **state)
{
	struct lf_consume_options o = { .name = "" };
	struct one x;
	struct bed b;
	struct lf_stream *stream;

	(void)state;
	make_events(&b, 1);
	assert_int_equal(lf_consume_open(&stream, b.f.port, &o, &b.f.error), -1);
	assert_string_equal(error_sqlstate(b.f.error.code), "22023");
	o.name = "0123456789012345678901234567890123456789012345678901234567890123";
	assert_int_equal(lf_consume_open(&stream, b.f.port, &o, &b.f.error), -1);
	/* Its row is taken away while it is at work. */
	insert(&b, 1, 1);
	join(&b, &x);
	assert_int_equal(take(&b, &x), 1);
	command(&b.f, "DELETE FROM leftfold_consumers WHERE name = 'mail'");
	settle(&b, &x, LF_SETTLE_ACKNOWLEDGE);
	assert_int_equal(take(&b, &x), 0);
	assert_string_equal(x.state, "42704");
	leave(&b, &x);
	/* Anew. */
	join(&b, &x);
	assert_int_equal(take(&b, &x), 1);
	leave(&b, &x);
	close_fixture(&b.f);
	/* Somebody else's tables. */
	open_events(&b, 1);
	run(&b.f,
		"DROP TABLE leftfold_consumers; CREATE TABLE leftfold_consumers (name text PRIMARY KEY);");
	o.name = "mail";
	refused(&b, &o, "42703");
	run(&b.f, "DROP TABLE leftfold_consumers;");
	join(&b, &x);
	assert_int_equal(take(&b, &x), 1);
	/* While it is at work. */
	run(&b.f, "DROP TABLE leftfold_consumers;");
	settle(&b, &x, LF_SETTLE_ACKNOWLEDGE);
	assert_int_equal(take(&b, &x), 0);
	assert_string_equal(x.state, "42P01");
	leave(&b, &x);
	join(&b, &x);
	assert_int_equal(take(&b, &x), 1);
	leave(&b, &x);
	close_fixture(&b.f);
	burn_bed(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_positions),
		cmocka_unit_test(test_time_outs),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
