/*
 * The client library's streams of events, against bytes: what is given of a frame, how a stream ends, and that no byte of
 * a damaged frame leads anywhere.
 */
#include <stdio.h>

#include "core/base/hash.h"
#include "core/log/entry.h"
#include "tests/unit/fake_server.h"

enum { FRAME_MAX = 2048 };

static size_t put(unsigned char *out, size_t at, const void *p, size_t n)
{
	memcpy(out + at, p, n);
	return at + n;
}

/* A table t (id bigint, hidden bigint, s text). */
static size_t put_table(unsigned char *out, size_t at)
{
	static const struct column_form COLUMNS[] = { { TYPE_INT8, 0, 0, COLUMN_KEY, 2 },
		{ TYPE_INT8, 0, 0, COLUMN_HIDDEN, 1 }, { TYPE_TEXT, 0, 0, 0, 1 } };
	struct entry_header h = { 5, ENTRY_COMMAND, FORM_TABLE };
	struct table_form form = { .bytes = 48, .ncols = 3, .name_bytes = 1 };

	at = put(out, at, &h, sizeof(h));
	at = put(out, at, &form, sizeof(form));
	at = put(out, at, COLUMNS, sizeof(COLUMNS));
	return put(out, at, "tidhs\0\0\0", 8);
}

static size_t put_statement(unsigned char *out, size_t at)
{
	static const struct type PARAM = { TYPE_INT8, 0, 0 };
	struct entry_header h = { 0, ENTRY_COMMAND, FORM_STATEMENT };
	struct statement_form form = { .bytes = 24, .text_bytes = 4, .nparams = 1 };

	at = put(out, at, &h, sizeof(h));
	at = put(out, at, &form, sizeof(form));
	at = put(out, at, &PARAM, sizeof(PARAM));
	return put(out, at, "TEXT", 4);
}

/* Of key `key`, with a put and a delete. */
static size_t put_command(unsigned char *out, size_t at, int64_t key)
{
	struct entry_header h = { 0, ENTRY_COMMAND, FORM_COMMAND },
			    change = { 5, ENTRY_PUT, CHANGE_REPLACES };
	struct command_form_head head = { .bytes = 80,
		.changes = 2,
		.time_us = 123,
		.hash = 9,
		.key_type = TYPE_INT8,
		.key_bytes = 16,
		.params_bytes = 16,
		.meta_bytes = 3 };
	unsigned char row[16] = { 16 }, wide[40] = { 40 };
	uint32_t where = 29, n = 2;

	memcpy(row + 5, &key, sizeof(key));
	memcpy(wide + 5, &key, sizeof(key));
	memcpy(wide + 21, &where, sizeof(where));
	memcpy(wide + 25, &n, sizeof(n));
	memcpy(wide + 29, "hi", 2);
	at = put(out, at, &h, sizeof(h));
	at = put(out, at, &head, sizeof(head));
	at = put(out, at, row, sizeof(row));
	at = put(out, at, row, sizeof(row));
	at = put(out, at, "who\0\0\0\0\0", 8);
	at = put(out, at, &change, sizeof(change));
	at = put(out, at, wide, sizeof(wide));
	change.kind = ENTRY_DELETE;
	change.form = 0;
	at = put(out, at, &change, sizeof(change));
	return put(out, at, wide, sizeof(wide));
}

/* Two events; the second one needs nothing that the first has not brought. */
static size_t frame_make(unsigned char *out)
{
	struct wire_events head = { 7, 1, 4, 2, 0 };
	size_t at = put(out, 0, &head, sizeof(head));

	for (uint32_t i = 0; i < 2; i++) {
		struct event_head event = { 7, 1, 3 + i, i, 0 };
		size_t begin = at, from = at + sizeof(event);

		at = from;
		if (i == 0)
			at = put_statement(out, put_table(out, at));
		at = put_command(out, at, 40 + i);
		event.bytes = (uint32_t)(at - from);
		(void)put(out, begin, &event, sizeof(event));
	}
	return at;
}

struct seen {
	unsigned events, ends;
	bool failed;
	char state[6];
	struct lf_event_position reached;
	char text[512];
};

static void on_event(void *arg, const struct lf_event *ev)
{
	struct seen *s = arg;
	char row[128] = "";
	size_t n;

	s->events++;
	for (size_t i = 0; i < ev->nchanges; i++) {
		const struct lf_result *r = ev->changes[i].row;

		for (unsigned c = 0; c < lf_result_ncolumns(r); c++) {
			char cell[40] = "";

			(void)lf_result_text(r, 0, c, cell, sizeof(cell));
			n = strlen(row);
			(void)snprintf(row + n, sizeof(row) - n, "%s=%.20s ",
				lf_result_column_name(r, c), cell);
		}
	}
	(void)snprintf(s->text, sizeof(s->text), "%.*s|%lld|%lld|%.*s|%.20s %d %d|%.100s|%u",
		(int)ev->statement_length, ev->statement,
		(long long)(ev->key != NULL ? lf_result_int(ev->key, 0, 0) : -1),
		(long long)(ev->params != NULL ? lf_result_int(ev->params, 0, 0) : -1),
		(int)ev->meta_bytes, (const char *)ev->meta, ev->changes[0].table,
		(int)ev->changes[0].kind, (int)ev->changes[ev->nchanges - 1].kind, row,
		ev->attempt);
}

static void on_end(void *arg, struct lf_event_position reached, const struct lf_client_error *e)
{
	struct seen *s = arg;

	s->ends++;
	s->reached = reached;
	s->failed = e != NULL;
	(void)snprintf(s->state, sizeof(s->state), "%s", e != NULL ? e->sqlstate : "");
}

static void start(struct fake *f, struct seen *seen, uint64_t *request)
{
	struct lf_client_log from = { .from = LF_LOG_BEHIND,
		.behind = lf_epoch_end(6),
		.follow = true,
		.table = "t",
		.key = "40" };

	memset(seen, 0, sizeof(*seen));
	assert_int_equal(
		lf_client_log_open(f->c, &from, on_event, on_end, seen, request, &f->e), 0);
}

static void test_stream(void **state)
{
	struct fake f = fake_open(lf_client_options_default());
	unsigned char frame[FRAME_MAX], sent[128];
	size_t n = frame_make(frame);
	struct wire_events_from *from = (void *)sent;
	struct seen seen;
	uint64_t request;

	(void)state;
	start(&f, &seen, &request);
	assert_int_equal(lf_client_poll(f.c, 0, &f.e), 0);
	assert_int_equal(fake_read(&f, sent, sizeof(sent)).type, WIRE_EVENTS);
	assert_int_equal(from->flags, WIRE_EVENTS_FOLLOW);
	assert_int_equal(from->epoch, 6);
	assert_int_equal(from->number, UINT32_MAX);
	assert_memory_equal(sent + sizeof(*from), "t40", 3);
	/* Twice: the shapes are known the second time. */
	for (unsigned i = 1; i <= 2; i++) {
		fake_frame(&f, WIRE_EVENTS_ARE, WIRE_FLAG_MORE, request, frame, n);
		assert_int_equal(lf_client_poll(f.c, 1000, &f.e), 2);
		assert_int_equal(seen.events, 2 * i);
		assert_string_equal(
			seen.text, "TEXT|41|41|who|t 1 2|id=41 =0 s=hi id=41 =0 s=hi |1");
	}
	assert_int_equal(lf_client_inflight(f.c), 1);
	assert_int_equal(lf_client_log_stop(f.c, request, &f.e), 0);
	assert_int_equal(lf_client_log_stop(f.c, request + 1, &f.e), -1);
	assert_int_equal(lf_client_poll(f.c, 0, &f.e), 0);
	assert_int_equal(fake_read(&f, sent, sizeof(sent)).request, request);
	assert_int_equal(from->flags, WIRE_EVENTS_STOP);
	fake_error(&f, 0, request, "57014", "stopped");
	assert_int_equal(lf_client_poll(f.c, 1000, &f.e), 1);
	assert_int_equal(seen.ends, 1);
	assert_string_equal(seen.state, "57014");
	assert_int_equal(seen.reached.number, 4);
	/* One that ends by itself, and one whose connection is lost. */
	start(&f, &seen, &request);
	fake_frame(&f, WIRE_EVENTS_ARE, 0, request, frame, n);
	assert_true(lf_client_poll(f.c, 1000, &f.e) > 0);
	assert_int_equal(seen.ends, 1);
	assert_false(seen.failed);
	start(&f, &seen, &request);
	close(f.fd);
	assert_int_equal(lf_client_poll(f.c, 1000, &f.e), -1);
	assert_int_equal(seen.ends, 1);
	assert_string_equal(seen.state, "08006");
	assert_int_equal(seen.reached.epoch, 6);
	lf_client_close(f.c);
}

/* Some bytes are others, or the frame is cut: whatever happens, the stream ends once, and nothing is read outside. */
static void test_damage(void **state)
{
	unsigned char frame[FRAME_MAX];
	size_t n = frame_make(frame);
	unsigned violations = 0;
	uint64_t seed = 7;

	(void)state;
	for (int round = 0; round < 4000; round++) {
		struct fake f = fake_open(lf_client_options_default());
		size_t cut = n;
		struct seen seen;
		uint64_t request;

		n = frame_make(frame);
		for (int i = 0; i < 1 + round % 3; i++) {
			seed = hash_u64(seed + (uint64_t)round);
			frame[seed % n] ^= (unsigned char)(1u << (seed >> 32) % 8);
		}
		if (round % 7 == 0)
			cut = (seed >> 20) % n;
		start(&f, &seen, &request);
		fake_frame(&f, WIRE_EVENTS_ARE, 0, request, frame, cut);
		close(f.fd);
		while (lf_client_poll(f.c, 1000, &f.e) >= 0)
			;
		assert_int_equal(seen.ends, 1);
		violations += seen.failed;
		lf_client_close(f.c);
	}
	assert_true(violations > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
