/*
 * The event log: what a command leaves in the journal, and how it is read back: in order over shards, runs and segments,
 * what is gone, and that nothing else of the journal has changed.
 */
#include <stdlib.h>

#include "core/log/event_reader.h"
#include "tests/unit/data_fixture.h"

enum { LINE = 512, LINES_MAX = 4096 };

static struct lf_options event_options(const struct bed *b, unsigned projectors, bool events)
{
	struct lf_options o = lf_options_default();

	o.projectors = projectors;
	o.stepped = true;
	o.data = b->path;
	o.segment_bytes = b->segment_bytes;
	o.event_log = events;
	o.fixed_now_us = 1000;
	return o;
}

static void open_as(struct bed *b, const struct lf_options *o)
{
	if (lf_engine_open(&b->f.engine, o, &b->f.error) != 0)
		fail_msg("%s", b->f.error.message);
	assert_int_equal(lf_port_open(&b->f.port, b->f.engine, NULL, NULL, &b->f.error), 0);
}

static void open_events(struct bed *b, unsigned projectors, bool events)
{
	struct lf_options o = event_options(b, projectors, events);

	open_as(b, &o);
}

static void make_events(struct bed *b, unsigned projectors)
{
	b->segment_bytes = LIMIT_SEGMENT_BYTES_MIN;
	b->salvage = b->threads = false;
	strcpy(b->path, "/tmp/leftfold-events-XXXXXX");
	assert_non_null(mkdtemp(b->path));
	open_events(b, projectors, true);
}

/* --- what is read, as text --- */

static void add(char *text, size_t cap, const char *fmt, ...)
{
	size_t n = strlen(text);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text + n, cap - n, fmt, args);
	va_end(args);
}

static void add_value(char *text, const void *row, struct type t, uint32_t slot)
{
	const struct row_layout l = {
		.ncols = 1, .slots = slot, .fixed = slot, .types = &t, .offsets = &slot
	};
	char printed[128];
	struct value v;

	row_get(&l, row, 0, &v);
	add(text, LINE, "%.*s",
		value_is_null(&v) ? 0 : (int)value_format(&v, t, printed, sizeof(printed)),
		printed);
}

static void add_columns(char *text, const struct event_table *t, const void *row)
{
	uint32_t slot = ROW_NULLS_AT + (t->ncols + 7u) / 8;

	for (unsigned c = 0; c < t->ncols; c++) {
		struct event_column column;
		char null[2] = "";

		event_table_column(t, c, &column);
		if (row_is_null(row, c))
			strcpy(null, "-");
		if (!(column.flags & COLUMN_HIDDEN)) {
			add(text, LINE, "%s%.*s=%s", c > 0 ? "," : "", (int)column.name_bytes,
				column.name, null);
			if (null[0] == '\0')
				add_value(text, row, column.type, slot);
		}
		slot += row_slot_width((enum type_id)column.type.id);
	}
}

/* "key|statement|table:kind(row);…" */
static void event_print(const struct event *ev, const struct event_walk *w, char text[static LINE])
{
	struct event_change change;

	text[0] = '\0';
	if (ev->key != NULL)
		add_value(text, ev->key,
			(struct type){
				ev->head.key_type, ev->head.key_scale, ev->head.key_modifier },
			ROW_NULLS_AT + 1);
	add(text, LINE, "|%.*s|", (int)ev->statement->text_bytes, ev->statement->text);
	for (uint64_t at = 0; event_change(ev, &at, &change);) {
		const struct event_table *t = event_walk_table(w, change.table);

		assert_non_null(t);
		add(text, LINE, "%.*s:%c(", (int)t->name_bytes, t->name, "IUD"[change.kind]);
		add_columns(text, t, change.row);
		add(text, LINE, ")");
	}
}

struct log {
	unsigned n;
	char lines[LINES_MAX][LINE];
	struct event_id ids[LINES_MAX];
	struct command_form_head heads[LINES_MAX];
};

/* All behind `after`, which are in order. */
static void log_read(struct bed *b, struct event_id after, struct log *out)
{
	struct lf_events_options o = { .from = LF_EVENTS_BEHIND, .after = after };
	struct lf_events *events;
	struct event_id id;
	struct event ev;
	int status;

	out->n = 0;
	if (lf_events_open(&events, b->f.engine, &o, &b->f.error) != 0)
		fail_msg("%s", b->f.error.message);
	while ((status = lf_events_next(events, &id, &ev, &b->f.error)) > 0) {
		assert_true(out->n < LINES_MAX);
		assert_true(event_id_compare(id, after) > 0);
		after = id;
		out->ids[out->n] = id;
		out->heads[out->n] = ev.head;
		event_print(&ev, lf_events_walk(events), out->lines[out->n++]);
	}
	if (status < 0)
		fail_msg("%s", b->f.error.message);
	lf_events_close(events);
}

static struct log all;

static void log_read_all(struct bed *b)
{
	log_read(b, (struct event_id){ 0 }, &all);
}

/* --- tests --- */

static void test_commands(void **state)
{
	struct bed b;

	(void)state;
	make_events(&b, 1);
	run(&b.f,
		"CREATE TABLE t (id int PRIMARY KEY, n numeric(8,2), s text);"
		"CREATE TABLE u (id bigint, no int, PRIMARY KEY (id, no));"
		"CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n FROM t;"
		"INSERT INTO t VALUES (1, 2.5, 'a'), (2, NULL, 'b');"
		"UPDATE t SET n = 3 WHERE id = 1;"
		"UPDATE t SET n = 3 WHERE id = 77;" /* nothing: no event */
		"DELETE FROM t WHERE id = 2;");
	command(&b.f, "INSERT INTO t VALUES (3, 0, ''); INSERT INTO u VALUES (3, 1), (3, 2)");
	expect_error(&b.f, "INSERT INTO t VALUES (3, 0, '')", ERR_UNIQUE);
	log_read_all(&b);
	assert_int_equal(all.n, 5);
	assert_string_equal(all.lines[0],
		"1|INSERT INTO t VALUES (1, 2.5, 'a'), (2, NULL, 'b');|t:I(id=1,n=2.50,s=a)");
	assert_string_equal(all.lines[1],
		"2|INSERT INTO t VALUES (1, 2.5, 'a'), (2, NULL, 'b');|t:I(id=2,n=-,s=b)");
	assert_string_equal(
		all.lines[2], "1|UPDATE t SET n = 3 WHERE id = 1;|t:U(id=1,n=3.00,s=a)");
	assert_string_equal(all.lines[3], "2|DELETE FROM t WHERE id = 2;|t:D(id=2,n=-,s=b)");
	assert_string_equal(all.lines[4],
		"3|INSERT INTO t VALUES (3, 0, ''); INSERT INTO u VALUES (3, 1), (3, 2)|"
		"t:I(id=3,n=0.00,s=)u:I(id=3,no=1)u:I(id=3,no=2)");
	assert_int_equal(all.heads[0].time_us, 1000);
	/* Of an int and of a bigint the same: what shares by aggregates may rely on it. */
	assert_int_equal(all.heads[0].hash, all.heads[2].hash);
	assert_true(all.heads[0].hash != all.heads[1].hash);
	/* From any of them on. */
	for (unsigned i = 0; i < 5; i++) {
		static struct log rest;

		log_read(&b, all.ids[i], &rest);
		assert_int_equal(rest.n, 4 - i);
		for (unsigned k = 0; k < rest.n; k++)
			assert_string_equal(rest.lines[k], all.lines[i + 1 + k]);
	}
	close_fixture(&b.f);
	burn_bed(&b);
}

/* A command of several aggregates in one shard says none. */
static void test_many(void **state)
{
	struct bed b;

	(void)state;
	make_events(&b, 1);
	run(&b.f,
		"CREATE TABLE t (id int PRIMARY KEY, n int);"
		"INSERT INTO t VALUES (1, 1);"
		"INSERT INTO t VALUES (2, 1);"
		"UPDATE t SET n = n + 1; TRUNCATE t;");
	log_read_all(&b);
	assert_int_equal(all.n, 4);
	assert_string_equal(all.lines[2], "|UPDATE t SET n = n + 1;|t:U(id=1,n=2)t:U(id=2,n=2)");
	assert_int_equal(all.heads[2].key_bytes, 0);
	assert_true(strncmp(all.lines[3], "|TRUNCATE t;|t:D(", 17) == 0);
	close_fixture(&b.f);
	burn_bed(&b);
}

static void count_keys(const unsigned *next, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(next[i], 40);
}

/* Many runs with several shards, segments that end, tables that change and go: each has what was true then. */
static void test_runs(void **state)
{
	enum { KEYS = 8 };
	unsigned next[KEYS] = { 0 };
	struct bed b;
	char sql[256];

	(void)state;
	make_events(&b, 3);
	run(&b.f, "CREATE TABLE t (id int PRIMARY KEY, n int, pad text)");
	for (unsigned key = 0; key < KEYS; key++) {
		snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (%u, 0, repeat('x', 2000))", key);
		command(&b.f, sql);
	}
	for (unsigned i = 0; i < 40 * KEYS; i++) {
		snprintf(sql, sizeof(sql), "UPDATE t SET n = n + 1 WHERE id = %u", i % KEYS);
		command(&b.f, sql);
		if (i % 100 == 99) {
			close_fixture(&b.f);
			open_events(&b, 1 + i / 100, true);
		}
		if (i == 150)
			run(&b.f, "ALTER TABLE t ADD COLUMN m int DEFAULT 7");
	}
	run(&b.f, "ALTER TABLE t RENAME TO w; UPDATE w SET n = 0 WHERE id = 0; DROP TABLE w;");
	log_read_all(&b);
	assert_int_equal(all.n, KEYS + 40 * KEYS + 1);
	for (unsigned i = KEYS; i < all.n - 1; i++) {
		const char *n = strstr(all.lines[i], ",n="), *m = strstr(all.lines[i], ",m=7");
		unsigned key = (unsigned)atoi(all.lines[i]);

		assert_non_null(n);
		assert_int_equal(atoi(n + 3), ++next[key]);
		assert_int_equal(m != NULL, i >= KEYS + 151);
	}
	count_keys(next, KEYS);
	assert_non_null(strstr(all.lines[all.n - 1], "w:U("));
	close_fixture(&b.f);
	burn_bed(&b);
}

static void open_gone(struct bed *b, uint64_t epoch)
{
	struct lf_events_options o = { .from = LF_EVENTS_BEHIND, .after = event_id_behind(epoch) };
	struct lf_events *events;

	assert_int_equal(lf_events_open(&events, b->f.engine, &o, &b->f.error), -1);
	assert_string_equal(error_sqlstate(b->f.error.code), "LF010");
}

/* What a checkpoint may remove, what is kept nevertheless, and what is said of the rest. */
static void test_retention(void **state)
{
	struct lf_options o;
	struct event_id before;
	struct bed b;
	char sql[256];
	unsigned n, kept;

	(void)state;
	make_events(&b, 2);
	close_fixture(&b.f);
	o = event_options(&b, 2, true);
	o.event_log_retain = 20 * LIMIT_SEGMENT_BYTES_MIN;
	open_as(&b, &o);
	run(&b.f, "CREATE TABLE t (id int PRIMARY KEY, pad text)");
	for (unsigned i = 0; i < 300; i++) {
		snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (%u, repeat('x', 9000))", i);
		command(&b.f, sql);
		if (i % 50 == 49)
			assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
	}
	n = files(&b, ".journal", NULL);
	assert_true(n > 18 && n < 40);
	open_gone(&b, 0);
	{
		struct lf_events_options oldest = { .from = LF_EVENTS_OLDEST };
		struct lf_events *events;
		struct event ev;

		assert_int_equal(lf_events_open(&events, b.f.engine, &oldest, &b.f.error), 0);
		assert_int_equal(lf_events_next(events, &before, &ev, &b.f.error), 1);
		lf_events_close(events);
	}
	before.epoch--;
	log_read(&b, event_id_behind(before.epoch), &all);
	kept = all.n;
	assert_true(kept > 60 && kept < 300);
	open_gone(&b, before.epoch / 2);
	/* So it is after a restart, which does not read what the checkpoint has. */
	close_fixture(&b.f);
	open_as(&b, &o);
	expect(&b.f, "SELECT count(*) FROM t", "300");
	log_read(&b, event_id_behind(before.epoch), &all);
	assert_int_equal(all.n, kept);
	open_gone(&b, before.epoch / 2);
	/* A run without an event log, but with changes: there is a gap. */
	close_fixture(&b.f);
	open_events(&b, 2, false);
	command(&b.f, "DELETE FROM t WHERE id = 7");
	close_fixture(&b.f);
	open_as(&b, &o);
	expect(&b.f, "SELECT count(*) FROM t", "299");
	open_gone(&b, before.epoch);
	command(&b.f, "DELETE FROM t WHERE id = 8");
	{
		struct lf_events_options oldest = { .from = LF_EVENTS_OLDEST };
		struct lf_events *events;
		struct event_id id;
		struct event ev;

		assert_int_equal(lf_events_open(&events, b.f.engine, &oldest, &b.f.error), 0);
		assert_int_equal(lf_events_next(events, &id, &ev, &b.f.error), 1);
		assert_int_equal(lf_events_next(events, &id, &ev, &b.f.error), 0);
		lf_events_close(events);
	}
	close_fixture(&b.f);
	burn_bed(&b);
}

/* A run that changed nothing is no gap; and without the option none are served. */
static void test_off(void **state)
{
	struct lf_events_options oldest = { .from = LF_EVENTS_OLDEST };
	struct lf_events *events;
	struct bed b;

	(void)state;
	make_events(&b, 1);
	run(&b.f, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1);");
	close_fixture(&b.f);
	open_events(&b, 1, false);
	expect(&b.f, "SELECT * FROM t", "1");
	assert_int_equal(lf_events_open(&events, b.f.engine, &oldest, &b.f.error), -1);
	assert_string_equal(error_sqlstate(b.f.error.code), "55000");
	close_fixture(&b.f);
	open_events(&b, 2, true);
	command(&b.f, "INSERT INTO t VALUES (2)");
	log_read_all(&b);
	assert_int_equal(all.n, 2);
	close_fixture(&b.f);
	burn_bed(&b);
}

/* --- streams --- */

/* The keys of the events in a lot, which is understood by itself. */
static unsigned lot_read(const struct lf_lot *lot, char *text)
{
	struct event_walk w = { 0 };
	unsigned n = 0;

	for (size_t at = 0; at < lot->bytes; n++) {
		struct event_head head;
		struct event ev;
		struct error e;

		memcpy(&head, lot->data + at, sizeof(head));
		at += sizeof(head);
		event_walk_more(&w, lot->data + at, head.bytes);
		assert_int_equal(event_walk_next(&w, &ev, &e), 1);
		assert_int_equal(w.at, w.bytes);
		event_print(&ev, &w, text);
		at += head.bytes;
	}
	assert_int_equal(n, lot->events);
	event_walk_close(&w);
	return n;
}

static void test_streams(void **state)
{
	struct lf_events_options oldest = { .from = LF_EVENTS_OLDEST };
	struct lf_stream *stream, *other;
	const struct lf_lot *lot;
	char text[LINE], sql[128];
	unsigned n = 0, lots = 0;
	struct bed b;

	(void)state;
	make_events(&b, 2);
	run(&b.f, "CREATE TABLE t (id int PRIMARY KEY, pad text)");
	assert_int_equal(lf_stream_open(&stream, b.f.port, &oldest, true, &b.f.error), 0);
	/* The first lot says where it begins. */
	lot = lf_stream_peek(stream);
	assert_non_null(lot);
	assert_int_equal(lot->events, 0);
	lf_stream_take(stream);
	lf_settle(b.f.engine);
	assert_null(lf_stream_peek(stream));
	assert_false(lf_port_streams(b.f.port));
	/* What becomes visible; of much of it a lot at a time. */
	for (unsigned i = 0; i < 200; i++) {
		snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (%u, repeat('x', 1000))", i);
		command(&b.f, sql);
	}
	assert_true(lf_port_streams(b.f.port));
	assert_false(lf_port_streams(b.f.port));
	while ((lot = lf_stream_peek(stream)) != NULL) {
		/* Text of the statement and columns are in each block once, so here with each. */
		assert_true(lot->bytes < KIB(64) + 2048 && !lot->last && lot->error == NULL);
		n += lot_read(lot, text);
		lots++;
		lf_stream_take(stream);
		lf_settle(b.f.engine);
	}
	assert_int_equal(n, 200);
	assert_true(lots > 3);
	/* One that ends: where it was opened. */
	assert_int_equal(lf_stream_open(&other, b.f.port, &oldest, false, &b.f.error), 0);
	command(&b.f, "DELETE FROM t WHERE id = 5");
	for (n = 0; !(lot = lf_stream_peek(other))->last;) {
		n += lot_read(lot, text);
		lf_stream_take(other);
		lf_settle(b.f.engine);
	}
	n += lot_read(lot, text);
	assert_int_equal(n, 200);
	lf_stream_take(other);
	lf_settle(b.f.engine);
	assert_ptr_equal(lf_stream_peek(other), lot);
	assert_int_equal(lf_stream_peek(stream)->events, 1);
	assert_int_equal(lot_read(lf_stream_peek(stream), text), 1);
	assert_true(strncmp(text, "5|DELETE FROM t WHERE id = 5|t:D(id=5,", 37) == 0);
	/* Be it ready or not, it may be closed. */
	lf_stream_close(other);
	lf_stream_take(stream);
	lf_stream_close(stream);
	close_fixture(&b.f);
	burn_bed(&b);
}

/* Where it is whole the block says so: no byte of a command can be another unnoticed. */
static void test_malformed(void **state)
{
	static unsigned char body[1024];
	struct event_walk w = { 0 };
	struct event ev;
	struct error e;
	struct entry_header h = { 0, ENTRY_COMMAND, FORM_COMMAND };
	struct command_form_head head = { .bytes = sizeof(head), .changes = 1 };

	(void)state;
	memcpy(body, &h, sizeof(h));
	memcpy(body + sizeof(h), &head, sizeof(head));
	/* No such statement. */
	event_walk_open(&w, body, sizeof(h) + sizeof(head));
	assert_int_equal(event_walk_next(&w, &ev, &e), -1);
	/* An unknown form; an entry that reaches beyond the body. */
	h.form = 9;
	memcpy(body, &h, sizeof(h));
	event_walk_open(&w, body, sizeof(h) + sizeof(head));
	assert_int_equal(event_walk_next(&w, &ev, &e), -1);
	event_walk_open(&w, body, sizeof(h) + sizeof(head) - 8);
	assert_int_equal(event_walk_next(&w, &ev, &e), -1);
	event_walk_open(&w, body, 0);
	assert_int_equal(event_walk_next(&w, &ev, &e), 0);
	event_walk_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_retention),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
