/*
 * test_client_feed.c: subscriptions of the client library against a scripted server: groups whole, in pieces, wrong, and
 * missing.
 */
#include "tests/unit/fake_server.h"

#include <stdio.h>

#define FIRST (UINT64_C(1) << 63 | 1) /* request of the first subscription */

static struct body changes(enum wire_changes_kind kind, uint64_t epoch, uint32_t count, bool last)
{
	struct wire_changes head = {
		.epoch = epoch, .count = count, .kind = (uint8_t)kind, .last = last
	};
	struct body b = { .n = 0 };

	body_add(&b, &head, sizeof(head));
	return b;
}

static void add_change(struct body *b, enum wire_change_op op, uint32_t times)
{
	struct wire_change item = { times, (uint8_t)op, { 0 } };

	body_add(b, &item, sizeof(item));
}

static void put(struct fake *f, const struct body *b)
{
	fake_frame(f, WIRE_CHANGES, WIRE_FLAG_MORE, FIRST, b->bytes, b->n);
}

static void put_mark(struct fake *f, enum wire_changes_kind kind, uint64_t epoch)
{
	struct body b = changes(kind, epoch, 0, true);

	fake_frame(f, WIRE_CHANGES, kind == WIRE_CHANGES_END ? 0 : WIRE_FLAG_MORE, FIRST, b.bytes,
		b.n);
}

/* What the callback has seen, a letter a group, and the last one's rows. */
struct seen {
	char kinds[64];
	unsigned n;
	uint64_t epoch;
	size_t nrows, nchanges;
	char text[128];
	char state[6];
	struct lf_client_feed *close; /* in the callback */
};

static void note(void *arg, struct lf_client_feed *f, const struct lf_client_group *g)
{
	struct seen *s = arg;
	char *p = s->text;

	(void)f;
	s->kinds[s->n++] = "SCPGE"[g->kind];
	s->epoch = g->epoch;
	s->nrows = lf_result_nrows(g->rows);
	s->nchanges = g->nchanges;
	if (g->error != NULL)
		memcpy(s->state, g->error->sqlstate, 6);
	for (size_t i = 0; i < g->nchanges; i++) {
		const struct lf_client_change *x = &g->changes[i];

		for (unsigned k = 0; k < 2; k++) {
			int64_t row = k == 0 ? x->old_row : x->new_row;

			if (row != LF_NO_ROW)
				p += snprintf(p, (size_t)(s->text + sizeof(s->text) - p), "%c%d",
					k == 0 ? '-' : '+',
					(int)lf_result_int(g->rows, (size_t)row, 0));
		}
		if (x->times > 1)
			p += snprintf(p, (size_t)(s->text + sizeof(s->text) - p), "x%u", x->times);
	}
	if (s->close != NULL)
		lf_client_feed_close(s->close);
}

static struct lf_client_feed *subscribe(struct fake *f, const struct lf_client_subscribe_options *o,
	lf_client_on_group fn, struct seen *seen)
{
	struct lf_statement *s = fake_prepare(f, 2, WIRE_KIND_QUERY, NULL, 0, PAIR, 2);
	struct wire_subscribed ok = { .visible = 77 };
	unsigned char body[64];
	struct lf_client_feed *feed;
	struct wire_subscribe head;
	struct wire_header h;

	assert_int_equal(lf_client_subscribe(&feed, f->c, s, NULL, o, fn, seen, &f->e), 0);
	lf_client_flush(f->c, &f->e);
	h = fake_read(f, body, sizeof(body));
	assert_int_equal(h.type, WIRE_SUBSCRIBE);
	assert_true(h.request == FIRST);
	assert_int_equal(h.length, sizeof(head) + 8);
	memcpy(&head, body, sizeof(head));
	assert_int_equal(head.handle, 40);
	assert_int_equal(head.from, o == NULL ? 0 : o->from);
	assert_int_equal(head.flags, o == NULL ? 0 : o->latest + 2 * o->strict);
	fake_frame(f, WIRE_SUBSCRIBED, WIRE_FLAG_MORE, FIRST, &ok, sizeof(ok));
	return feed;
}

static void in_pieces(void **state)
{
	struct fake f = fake_open(lf_client_options_default());
	struct seen s = { .n = 0 };
	struct lf_client_feed *feed = subscribe(&f, NULL, note, &s);
	struct body b;

	(void)state;
	b = changes(WIRE_CHANGES_SNAPSHOT, 5, 2, false);
	add_pair(&b, 1, "a");
	add_pair(&b, 2, "b");
	put(&f, &b);
	assert_true(lf_client_poll(f.c, 100, &f.e) > 0);
	assert_string_equal(s.kinds, "S");
	assert_int_equal(s.nrows, 2);
	assert_int_equal(lf_client_feed_epoch(feed), 0);
	b = changes(WIRE_CHANGES_SNAPSHOT, 5, 1, true);
	add_pair(&b, 3, "c");
	put(&f, &b);
	assert_true(lf_client_poll(f.c, 100, &f.e) > 0);
	assert_int_equal(lf_client_feed_epoch(feed), 5);
	/* A group is given when it is whole. */
	b = changes(WIRE_CHANGES_GROUP, 6, 2, false);
	add_change(&b, WIRE_UPDATED, 1);
	add_pair(&b, 1, "a");
	add_pair(&b, 1, "A");
	add_change(&b, WIRE_INSERTED, 3);
	add_pair(&b, 4, "d");
	put(&f, &b);
	assert_int_equal(lf_client_poll(f.c, 0, &f.e), 0);
	b = changes(WIRE_CHANGES_GROUP, 6, 1, true);
	add_change(&b, WIRE_DELETED, 1);
	add_pair(&b, 2, "b");
	put(&f, &b);
	assert_true(lf_client_poll(f.c, 100, &f.e) > 0);
	assert_string_equal(s.kinds, "SSC");
	assert_string_equal(s.text, "-1+1+4x3-2");
	assert_int_equal(s.nchanges, 3);
	put_mark(&f, WIRE_CHANGES_PROGRESS, 9);
	put_mark(&f, WIRE_CHANGES_GAP, 9);
	b = changes(WIRE_CHANGES_SNAPSHOT, 12, 0, true);
	put(&f, &b);
	while (s.n < 6)
		assert_true(lf_client_poll(f.c, 100, &f.e) > 0);
	assert_string_equal(s.kinds, "SSCPGS");
	assert_int_equal(lf_client_feed_epoch(feed), 12);
	fake_error(&f, 0, FIRST, "LF009", "too slow");
	assert_true(lf_client_poll(f.c, 100, &f.e) > 0);
	assert_string_equal(s.kinds, "SSCPGSE");
	assert_string_equal(s.state, "LF009");
	lf_client_feed_close(feed);
	assert_true(lf_client_connected(f.c));
	fake_close(&f);
}

/* Without a callback. */
static void one_after_the_other(void **state)
{
	struct fake f = fake_open(lf_client_options_default());
	struct lf_client_subscribe_options o = { .from = 3, .latest = true, .strict = true };
	struct lf_client_feed *feed = subscribe(&f, &o, NULL, NULL);
	const struct lf_client_group *g;
	struct body b;

	(void)state;
	assert_int_equal(lf_client_feed_epoch(feed), 3);
	assert_int_equal(lf_client_feed_next(feed, 10, &g, &f.e), 0);
	for (unsigned i = 4; i < 7; i++) {
		b = changes(WIRE_CHANGES_GROUP, i, 1, true);
		add_change(&b, WIRE_INSERTED, 1);
		add_pair(&b, i, "x");
		put(&f, &b);
	}
	for (unsigned i = 4; i < 7; i++) {
		assert_int_equal(lf_client_feed_next(feed, 100, &g, &f.e), 1);
		assert_int_equal(g->kind, LF_GROUP_CHANGES);
		assert_int_equal(lf_result_int(g->rows, 0, 0), i);
		assert_int_equal(lf_client_feed_epoch(feed), i);
	}
	assert_int_equal(lf_client_feed_next(feed, 0, &g, &f.e), 0);
	close(f.fd);
	assert_int_equal(lf_client_feed_next(feed, -1, &g, &f.e), -1);
	assert_string_equal(f.e.sqlstate, "08006");
	assert_int_equal(lf_client_feed_next(feed, -1, &g, &f.e), -1);
	lf_client_close(f.c);
}

/* Closed in its callback: the server is told, and what still comes is dropped. */
static void closing(void **state)
{
	struct fake f = fake_open(lf_client_options_default());
	struct seen s = { .n = 0 };
	struct lf_client_feed *feed = subscribe(&f, NULL, note, &s);
	unsigned char body[64];
	struct wire_header h;
	struct body b;

	(void)state;
	s.close = feed;
	b = changes(WIRE_CHANGES_SNAPSHOT, 5, 0, true);
	put(&f, &b);
	put(&f, &b);
	assert_true(lf_client_poll(f.c, 100, &f.e) > 0);
	assert_string_equal(s.kinds, "S");
	h = fake_read(&f, body, sizeof(body));
	assert_int_equal(h.type, WIRE_UNSUBSCRIBE);
	assert_true(h.request == FIRST && h.length == 0);
	put_mark(&f, WIRE_CHANGES_END, 5);
	(void)lf_client_poll(f.c, 100, &f.e);
	assert_true(lf_client_connected(f.c));
	assert_string_equal(s.kinds, "S");
	/* It is gone: anything more is a violation. */
	put(&f, &b);
	assert_int_equal(lf_client_poll(f.c, 100, &f.e), -1);
	assert_non_null(strstr(f.e.message, "protocol violation"));
	fake_close(&f);
}

enum wrong {
	NO_ROWS,
	HALF_A_ROW,
	BYTES_BEHIND,
	NO_TIMES,
	NO_SUCH_OP,
	NO_SUCH_KIND,
	MARK_WITHIN,
	MARK_WITH_ROWS,
	END_WITH_MORE,
	EPOCH_BACK,
	TWICE_BEGUN,
	LAST_TWO,
	WRONGS
};

static void put_wrong(struct fake *f, enum wrong wrong)
{
	struct body b = changes(WIRE_CHANGES_GROUP, 9, 1, true);
	struct wire_subscribed ok = { 0 };

	switch (wrong) {
	case NO_ROWS: add_change(&b, WIRE_UPDATED, 1); break;
	case HALF_A_ROW:
		add_change(&b, WIRE_INSERTED, 1);
		add_pair(&b, 1, "a");
		b.n -= 8;
		break;
	case BYTES_BEHIND:
		add_change(&b, WIRE_INSERTED, 1);
		add_pair(&b, 1, "a");
		add_pair(&b, 2, "a");
		break;
	case NO_TIMES:
		add_change(&b, WIRE_INSERTED, 0);
		add_pair(&b, 1, "a");
		break;
	case NO_SUCH_OP:
		add_change(&b, (enum wire_change_op)4, 1);
		add_pair(&b, 1, "a");
		break;
	case NO_SUCH_KIND: b = changes((enum wire_changes_kind)6, 9, 0, true); break;
	case MARK_WITHIN:
		b = changes(WIRE_CHANGES_SNAPSHOT, 9, 0, false);
		put(f, &b);
		b = changes(WIRE_CHANGES_PROGRESS, 9, 0, true);
		break;
	case MARK_WITH_ROWS:
		b = changes(WIRE_CHANGES_GAP, 9, 1, true);
		add_pair(&b, 1, "a");
		break;
	case END_WITH_MORE: b = changes(WIRE_CHANGES_END, 9, 0, true); break;
	case EPOCH_BACK:
		put_mark(f, WIRE_CHANGES_PROGRESS, 10);
		b = changes(WIRE_CHANGES_PROGRESS, 9, 0, true);
		break;
	case TWICE_BEGUN:
		fake_frame(f, WIRE_SUBSCRIBED, WIRE_FLAG_MORE, FIRST, &ok, sizeof(ok));
		return;
	case LAST_TWO:
		b = changes(WIRE_CHANGES_SNAPSHOT, 9, 0, true);
		b.bytes[13] = 2;
		break;
	case WRONGS: break;
	}
	put(f, &b);
}

static void violations(void **state)
{
	(void)state;
	for (enum wrong w = 0; w < WRONGS; w++) {
		struct fake f = fake_open(lf_client_options_default());
		struct seen s = { .n = 0 };
		int status;

		(void)subscribe(&f, NULL, note, &s);
		put_wrong(&f, w);
		while ((status = lf_client_poll(f.c, 100, &f.e)) > 0)
			;
		if (status != -1 || strstr(f.e.message, "protocol violation") == NULL)
			fail_msg("%d: %s", (int)w, f.e.message);
		assert_int_equal(s.kinds[s.n - 1], 'E');
		assert_string_equal(s.state, "08006");
		fake_close(&f);
	}
}

/* More than the client takes. */
static void too_long(void **state)
{
	struct lf_client_options o = lf_client_options_default();
	struct seen s = { .n = 0 };
	struct fake f;
	int status;

	(void)state;
	o.result_max = 1000;
	f = fake_open(o);
	(void)subscribe(&f, NULL, note, &s);
	for (unsigned i = 0; i < 60; i++) {
		struct body b = changes(WIRE_CHANGES_GROUP, 9, 1, false);

		add_change(&b, WIRE_INSERTED, 1);
		add_pair(&b, i, "some text");
		put(&f, &b);
	}
	while ((status = lf_client_poll(f.c, 100, &f.e)) > 0)
		;
	assert_int_equal(status, -1);
	assert_non_null(strstr(f.e.message, "exceeds the limit"));
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_pieces),
		cmocka_unit_test(one_after_the_other),
		cmocka_unit_test(closing),
		cmocka_unit_test(violations),
		cmocka_unit_test(too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
