/*
 * The n-th allocation fails, alone or with all that follow, for every n of a small workload: each statement of it, opening the engine on what it left,
 * and a checkpoint. What is asked for is done, or answered 53200 with nothing changed, and works when it is asked again.
 * A view that could not be kept for want of memory says so (LF004), and can be made anew. Leaks are the sanitizers' to
 * find.
 *
 * The linker leads the program's allocations here (Makefile); those inside of shared libraries are not reached.
 */
#include <errno.h>

#include "core/base/log.h"
#include "tests/unit/data_fixture.h"

/* --- the allocations --- */

static _Atomic long left; /* until one fails; 0: none does */
static _Atomic bool did_fail;
static bool forever; /* all that follow fail, too */

static bool fails(void)
{
	if (left == 0)
		return false;
	if (left > 1 || !forever)
		left--;
	if (left > (forever ? 1 : 0))
		return false;
	did_fail = true;
	return true;
}

/* From one allocation that fails to the next. Builds that are slow by nature take some of them only. */
static long stride(void)
{
	const char *size = getenv("LEFTFOLD_TEST_SIZE");

	return size != NULL && strcmp(size, "small") == 0 ? 7 : 1;
}

static void fail_at(long n)
{
	did_fail = false;
	left = n;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
int __real_posix_memalign(void **out, size_t align, size_t size);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
int __wrap_posix_memalign(void **out, size_t align, size_t size);
char *__wrap_strdup(const char *s);

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : __real_aligned_alloc(align, size);
}

int __wrap_posix_memalign(void **out, size_t align, size_t size)
{
	return fails() ? ENOMEM : __real_posix_memalign(out, align, size);
}

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

#ifndef LF_LIBC_MALLOC
void *__real_mallocx(size_t size, int flags);
void *__real_rallocx(void *p, size_t size, int flags);
void *__wrap_mallocx(size_t size, int flags);
void *__wrap_rallocx(void *p, size_t size, int flags);

void *__wrap_mallocx(size_t size, int flags)
{
	return fails() ? NULL : __real_mallocx(size, flags);
}

void *__wrap_rallocx(void *p, size_t size, int flags)
{
	return fails() ? NULL : __real_rallocx(p, size, flags);
}
#endif

/* --- what is there --- */

static const char *const VIEWS[] = {
	"CREATE MATERIALIZED VIEW summary AS SELECT o.id, c.name, sum(i.qty * i.price) AS total, count(*) AS items"
	" FROM orders o JOIN customer c ON c.id = o.customer JOIN item i ON i.order_id = o.id GROUP BY o.id, c.name",
	"CREATE MATERIALIZED VIEW spread AS SELECT min(price) AS low, max(price) AS high, avg(qty) AS mean FROM item",
	"CREATE MATERIALIZED VIEW plain AS SELECT id, upper(name) AS name FROM customer WHERE id > 0",
	"CREATE MATERIALIZED VIEW buyers AS SELECT c.id, c.name, count(o.id) AS orders, max(o.id) AS newest"
	" FROM customer c LEFT JOIN orders o ON o.customer = c.id GROUP BY c.id, c.name",
	"CREATE MATERIALIZED VIEW placed AS SELECT order_id, line, rank() OVER w AS place, sum(qty) OVER w AS qty"
	" FROM item WINDOW w AS (PARTITION BY order_id ORDER BY price DESC)",
	"CREATE MATERIALIZED VIEW idle AS SELECT id FROM customer c WHERE NOT EXISTS"
	" (SELECT 1 FROM orders o JOIN item i ON i.order_id = o.id WHERE o.customer = c.id AND i.qty > 2)",
	"CREATE MATERIALIZED VIEW dearest AS SELECT order_id, line, price FROM item ORDER BY price DESC, order_id LIMIT 3",
	/* Over another: it comes behind that. */
	"CREATE MATERIALIZED VIEW spent AS SELECT o.id, d.line, d.price FROM orders o FULL JOIN dearest d ON d.order_id = o.id",
	/* The join of the first, with a column more, and grouped otherwise. */
	"CREATE MATERIALIZED VIEW sold AS SELECT o.id, i.line, c.name, i.qty FROM orders o JOIN customer c ON c.id = o.customer"
	" JOIN item i ON i.order_id = o.id",
	"CREATE MATERIALIZED VIEW named AS SELECT c.name, sum(i.qty) AS qty FROM orders o JOIN customer c ON c.id = o.customer"
	" JOIN item i ON i.order_id = o.id GROUP BY c.name",
};
static const char *const NAMES[] = { "summary", "spread", "plain", "buyers", "placed", "idle",
	"dearest", "spent", "sold", "named" };
/* What each view must say, from the tables. */
static const char *const ROWS[] = { "SELECT * FROM customer ORDER BY id",
	"SELECT * FROM orders ORDER BY id", "SELECT * FROM item ORDER BY order_id, line",
	"SELECT * FROM summary ORDER BY id", "SELECT * FROM spread",
	"SELECT * FROM plain ORDER BY id", "SELECT * FROM buyers ORDER BY id",
	"SELECT * FROM placed ORDER BY order_id, line", "SELECT * FROM idle ORDER BY id",
	"SELECT * FROM dearest ORDER BY order_id, line", "SELECT * FROM spent ORDER BY id, line",
	"SELECT * FROM sold ORDER BY id, line", "SELECT * FROM named ORDER BY name" };
enum { TABLES = 3, NVIEWS = sizeof(VIEWS) / sizeof(VIEWS[0]), QUERIES = TABLES + NVIEWS };

struct state {
	char text[QUERIES][TEXT_MAX];
};

/* The rows of a query; false: the view has failed, or the table is not there. */
static bool rows_of(struct bed *b, unsigned i, char text[static TEXT_MAX])
{
	text[0] = '\0';
	if (lf_run(b->f.port, ROWS[i], strlen(ROWS[i]), NULL, add_row, text, &b->f.error) == 0)
		return true;
	snprintf(text, TEXT_MAX, "%s", error_sqlstate(b->f.error.code));
	return false;
}

static void state_take(struct bed *b, struct state *s)
{
	for (unsigned i = 0; i < QUERIES; i++)
		(void)rows_of(b, i, s->text[i]);
}

static bool same(const struct state *a, const struct state *b)
{
	for (unsigned i = 0; i < QUERIES; i++)
		if (strcmp(a->text[i], b->text[i]) != 0)
			return false;
	return true;
}

/* What fails for want of memory says so. */
static void refusal_check(const struct bed *b, int status, const char *what, long n)
{
	if (status != 0 && b->f.error.code != ERR_OUT_OF_MEMORY)
		fail_msg("%s, allocation %ld: %s %s", what, n, error_sqlstate(b->f.error.code),
			b->f.error.message);
}

/* Make views anew that failed for want of memory. Returns how many. */
static unsigned views_mend(struct bed *b)
{
	bool failed[NVIEWS];
	unsigned n = 0;

	/* One above another that failed has failed as well: it goes first. */
	for (unsigned i = NVIEWS; i-- > 0;) {
		char text[TEXT_MAX], drop[64];

		failed[i] = !rows_of(b, TABLES + i, text) && strcmp(text, "LF004") == 0;
		n += failed[i];
		snprintf(drop, sizeof(drop), "DROP MATERIALIZED VIEW %s", NAMES[i]);
		if (failed[i])
			run(&b->f, drop);
	}
	for (unsigned i = 0; i < NVIEWS; i++)
		if (failed[i])
			run(&b->f, VIEWS[i]);
	return n;
}

static int try_run(struct bed *b, const char *text)
{
	return lf_run(b->f.port, text, strlen(text), NULL, NULL, NULL, &b->f.error);
}

/* Have a statement fail at every allocation until it makes less of them. Returns their number. */
static long every_allocation(struct bed *b, const char *text, unsigned *mended)
{
	struct state before, after;

	state_take(b, &before);
	for (long n = 1;; n += stride()) {
		int status;

		fail_at(n);
		status = try_run(b, text);
		left = 0;
		if (status == 0 && !did_fail)
			return n - 1;
		refusal_check(b, status, text, n);
		*mended += views_mend(b);
		state_take(b, &after);
		if (status != 0 && !same(&before, &after))
			fail_msg("%s, allocation %ld: refused, and something has changed", text, n);
		/* Done all the same. */
		if (status == 0)
			return n;
	}
}

static const char *const STATEMENTS[] = {
	"CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL)",
	"CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL, CHECK (customer > 0))",
	"CREATE TABLE item (order_id int, line int, qty int DEFAULT 1, price numeric(12,2), PRIMARY KEY (order_id, line))",
	/* Each of one aggregate: others may be done in part. */
	"INSERT INTO customer VALUES (1, 'ann')",
	"INSERT INTO customer VALUES (2, 'bob')",
	"INSERT INTO customer VALUES (3, 'eve')",
	"INSERT INTO orders VALUES (10, 1)",
	"INSERT INTO orders VALUES (11, 2)",
	"INSERT INTO item VALUES (10, 1, 2, 3.50), (10, 2, 1, 4)",
	"INSERT INTO item VALUES (11, 1, 3, 0.25)",
	"VIEW 0",
	"VIEW 1",
	"VIEW 2",
	"VIEW 3",
	"VIEW 4",
	"VIEW 5",
	"VIEW 6",
	"VIEW 7",
	"VIEW 8",
	"VIEW 9",
	"CREATE INDEX by_customer ON orders (customer)",
	"CREATE INDEX by_hash ON orders USING hash (customer)",
	"CREATE INDEX by_price ON item (price DESC, qty)",
	/* From here on what is there is read by these. */
	"CREATE INDEX by_line ON item (order_id, line)",
	"CREATE INDEX plain_id ON plain (id)",
	"CREATE UNIQUE INDEX summary_key ON summary (id)",
	"ALTER TABLE item ADD COLUMN note text DEFAULT 'none' NOT NULL CHECK (note <> ''), ADD COLUMN more int",
	"ALTER TABLE item DROP COLUMN more, ADD COLUMN least int DEFAULT 3",
	"ALTER TABLE item DROP COLUMN note",
	"INSERT INTO orders VALUES (12, 3)",
	"INSERT INTO item VALUES (12, 1, 7, 9.99), (12, 2, 1, 1234567890.12)",
	"UPDATE customer SET name = 'a much longer name than the one that was there before' WHERE id = 1",
	"UPDATE item SET qty = qty + 1 WHERE order_id = 10",
	"DELETE FROM item WHERE order_id = 11 AND line = 1",
	"DELETE FROM customer WHERE id = 2 RETURNING *",
	"INSERT INTO item SELECT id, 7, customer, 1.25 FROM orders WHERE id = 12",
	"UPDATE item SET qty = o.customer + 4 FROM orders o WHERE o.id = item.order_id AND item.order_id = 12 AND item.line = 7",
	"SELECT customer, count(*) FROM orders GROUP BY customer ORDER BY customer",
	"SELECT name FROM customer WHERE id IN (1, 3)",
	"SELECT line FROM item WHERE price > 1 ORDER BY price DESC LIMIT 3",
	"SELECT line FROM item WHERE (price, qty) < (4, 2)",
	"EXPLAIN SELECT id FROM orders WHERE customer BETWEEN 1 AND 2 ORDER BY id",
	"EXPLAIN ANALYZE SELECT id FROM orders WHERE customer = 3",
	"EXPLAIN ANALYZE REFRESH MATERIALIZED VIEW summary",
	"SELECT o.kind, sum(o.bytes) FROM leftfold_operators o JOIN leftfold_views v ON v.name = o.view GROUP BY 1",
	"ALTER MATERIALIZED VIEW summary SET (memory_limit = '1GB')",
	"REFRESH MATERIALIZED VIEW summary",
	"DROP INDEX by_customer",
	"CREATE PROCEDURE grow(o int, by int DEFAULT 1) BEGIN ATOMIC"
	" SELECT CASE WHEN count(*) = 0 THEN reject('none') END FROM item WHERE order_id = o;"
	" UPDATE item SET qty = qty + by WHERE order_id = o AND line = 1; END",
	"CALL grow(10, 1 + 1)",
	"CREATE OR REPLACE PROCEDURE grow(o int, by int DEFAULT 1) BEGIN ATOMIC"
	" UPDATE item SET qty = qty + 2 * by WHERE order_id = o AND line = 1 AND lf_epoch > 0; END",
	"ALTER PROCEDURE grow RENAME TO swell",
	"CALL swell(10)",
	"SELECT line, lf_epoch > 0 FROM item WHERE order_id = 10 ORDER BY lf_epoch, line",
	"DROP PROCEDURE swell",
	"CREATE TABLE gone (a int PRIMARY KEY)",
	"DROP TABLE gone",
};

static const char *statement(unsigned i)
{
	return strncmp(STATEMENTS[i], "VIEW ", 5) == 0 ? VIEWS[STATEMENTS[i][5] - '0']
						       : STATEMENTS[i];
}

static void statements(struct bed *b)
{
	unsigned mended = 0;
	long allocations = 0;

	for (unsigned i = 0; i < sizeof(STATEMENTS) / sizeof(STATEMENTS[0]); i++) {
		long n = every_allocation(b, statement(i), &mended);

		allocations += n;
	}
	print_message(
		"%ld allocations failed in statements, %u views made anew\n", allocations, mended);
}

static void test_statements(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 4; round++) {
		unsigned projectors = round % 2 == 0 ? 1 : 3;
		struct bed b;
		struct state before, after;

		forever = round >= 2;
		make_bed(&b, projectors);
		statements(&b);
		state_take(&b, &before);
		/* What was kept is what was answered. */
		again(&b, 4 - projectors);
		state_take(&b, &after);
		assert_true(same(&before, &after));
		close_fixture(&b.f);
		burn_bed(&b);
	}
}

static void fill(struct bed *b)
{
	for (unsigned i = 0; i < sizeof(STATEMENTS) / sizeof(STATEMENTS[0]); i++)
		command(&b->f, statement(i));
}

/* What is done and undone, so that it can be done again. */
static const char *const TURNS[][2] = {
	{ "INSERT INTO customer VALUES (4, 'dan')", "DELETE FROM customer WHERE id = 4" },
	{ "INSERT INTO orders VALUES (13, 3)", "DELETE FROM orders WHERE id = 13" },
	{ "DELETE FROM orders WHERE id = 10", "INSERT INTO orders VALUES (10, 1)" },
	{ "INSERT INTO item VALUES (11, 2, 5, 77), (11, 3, 1, 78)",
		"DELETE FROM item WHERE order_id = 11" },
	{ "UPDATE item SET price = price + 5 WHERE order_id = 12",
		"UPDATE item SET price = price - 5 WHERE order_id = 12" },
};

/* A command that is executed whatever its views need: each allocation of theirs fails in turn. Returns their number. */
static long every_turn(struct bed *b, const char *const turn[2], unsigned *mended)
{
	struct state before, want, after;

	state_take(b, &before);
	run(&b->f, turn[0]);
	state_take(b, &want);
	run(&b->f, turn[1]);
	for (long n = 1;; n += stride()) {
		int status;
		bool failed;

		fail_at(n);
		status = try_run(b, turn[0]);
		left = 0;
		failed = did_fail;
		refusal_check(b, status, turn[0], n);
		*mended += views_mend(b);
		state_take(b, &after);
		if (!same(status == 0 ? &want : &before, &after))
			fail_msg("%s, allocation %ld: not what it should be", turn[0], n);
		if (status == 0)
			run(&b->f, turn[1]);
		state_take(b, &after);
		assert_true(same(&before, &after));
		if (!failed)
			return n - 1;
	}
}

static void test_views(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 4; round++) {
		struct bed b;
		unsigned mended = 0;
		long allocations = 0;

		forever = round >= 2;
		/* Without a journal, which ends for want of memory. */
		open_fixture(&b.f, round % 2 == 0 ? 1 : 3);
		fill(&b);
		for (unsigned i = 0; i < sizeof(TURNS) / sizeof(TURNS[0]); i++)
			allocations += every_turn(&b, TURNS[i], &mended);
		print_message("%ld allocations failed in commands, %u views made anew\n",
			allocations, mended);
		assert_true(mended > 0);
		close_fixture(&b.f);
	}
}

static void open_with_failures(void)
{
	struct state before, after;
	struct bed b;
	char original[sizeof(b.path)];
	long n = 1;

	make_bed(&b, 2);
	fill(&b);
	state_take(&b, &before);
	assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
	close_fixture(&b.f);
	strcpy(original, b.path);
	strcpy(b.path, "/tmp/leftfold-recovery-XXXXXX");
	assert_non_null(mkdtemp(b.path));
	for (;; n += stride()) {
		int status;

		/* What was begun makes the next start longer. */
		files_copy(original, b.path);
		fail_at(n);
		status = try_open(&b, 2);
		left = 0;
		refusal_check(&b, status, "opening", n);
		if (status != 0)
			continue;
		assert_int_equal(lf_port_open(&b.f.port, b.f.engine, NULL, NULL, &b.f.error), 0);
		(void)views_mend(&b);
		state_take(&b, &after);
		assert_true(same(&before, &after));
		close_fixture(&b.f);
		if (!did_fail)
			break;
	}
	print_message("%ld allocations failed in opening\n", n - 1);
	burn_bed(&b);
	strcpy(b.path, original);
	burn_bed(&b);
}

static void test_open(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		forever = i == 1;
		open_with_failures();
	}
}

static void checkpoint_with_failures(void)
{
	struct bed b;
	struct state before, after;
	long n = 1;

	make_bed(&b, 2);
	fill(&b);
	state_take(&b, &before);
	for (;; n += stride()) {
		int status;

		fail_at(n);
		status = lf_checkpoint(b.f.engine, &b.f.error);
		left = 0;
		if (status == 0 && !did_fail)
			break;
		refusal_check(&b, status, "checkpoint", n);
	}
	print_message("%ld allocations failed in a checkpoint\n", n - 1);
	again(&b, 3);
	state_take(&b, &after);
	assert_true(same(&before, &after));
	close_fixture(&b.f);
	burn_bed(&b);
}

static void test_checkpoint(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		forever = i == 1;
		checkpoint_with_failures();
	}
}

static void test_port(void **state)
{
	struct fixture f;
	long n = 1;

	(void)state;
	open_fixture(&f, 2);
	for (;; n += stride()) {
		struct lf_port *port;
		int status;

		fail_at(n);
		status = lf_port_open(&port, f.engine, NULL, NULL, &f.error);
		left = 0;
		if (status == 0)
			lf_port_close(port);
		else
			assert_int_equal(f.error.code, ERR_OUT_OF_MEMORY);
		if (!did_fail)
			break;
	}
	close_fixture(&f);
}

/* --- the event log --- */

static void events_bed(struct bed *b)
{
	struct lf_options o = lf_options_default();

	memset(b, 0, sizeof(*b));
	strcpy(b->path, "/tmp/leftfold-allocation-XXXXXX");
	assert_non_null(mkdtemp(b->path));
	o.projectors = 2;
	o.stepped = true;
	o.data = b->path;
	o.segment_bytes = LIMIT_SEGMENT_BYTES_MIN;
	o.event_log = true;
	assert_int_equal(lf_engine_open(&b->f.engine, &o, &b->f.error), 0);
	assert_int_equal(lf_port_open(&b->f.port, b->f.engine, NULL, NULL, &b->f.error), 0);
	run(&b->f,
		"CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t VALUES (1, 'a'), (2, 'b');");
}

/* The events of a stream's next lot; -1: it has failed, for want of memory. */
static int lot_events(struct bed *b, struct lf_stream *s)
{
	const struct lf_lot *lot = lf_stream_peek(s);
	int n;

	if (lot == NULL)
		return 0;
	n = (int)lot->events;
	if (lot->error != NULL && lot->error->code != ERR_OUT_OF_MEMORY)
		fail_msg("a stream: %s", lot->error->message);
	if (lot->error != NULL)
		return -1;
	lf_stream_take(s);
	lf_settle(b->f.engine);
	return n;
}

/* Commands: each is done and in the log, or refused and neither. */
static void commands_with_failures(struct bed *b)
{
	struct lf_events_options oldest = { .from = LF_EVENTS_OLDEST };
	unsigned done = 0, events = 0;
	struct lf_events *log;
	struct event_id id;
	struct event ev;

	for (long n = 1;; n += stride()) {
		char sql[64];
		int status;

		snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (%ld, 'x')", 100 + n);
		fail_at(n);
		status = try_run(b, sql);
		left = 0;
		refusal_check(b, status, sql, n);
		done += status == 0;
		if (!did_fail)
			break;
	}
	assert_int_equal(lf_events_open(&log, b->f.engine, &oldest, &b->f.error), 0);
	while (lf_events_next(log, &id, &ev, &b->f.error) > 0)
		events++;
	lf_events_close(log);
	assert_int_equal(events, done + 2);
}

/* Streams and consumers, from being opened until they have given their first events. */
static void streams_with_failures(struct bed *b, bool consumer)
{
	struct lf_events_options oldest = { .from = LF_EVENTS_OLDEST };
	struct lf_consume_options group = { .name = "g", .from = LF_EVENTS_OLDEST };
	long n = 1;

	for (;; n += stride()) {
		struct lf_stream *s;
		int status, got = 0;

		fail_at(n);
		status = consumer ? lf_consume_open(&s, b->f.port, &group, &b->f.error)
				  : lf_stream_open(&s, b->f.port, &oldest, true, &b->f.error);
		refusal_check(b, status, "opening", n);
		for (unsigned i = 0; status == 0 && i < 4 && got == 0; i++) {
			lf_settle(b->f.engine);
			got = lot_events(b, s);
		}
		left = 0;
		if (status == 0)
			lf_stream_close(s);
		lf_settle(b->f.engine);
		if (!did_fail) {
			assert_true(got > 0 || consumer);
			break;
		}
	}
	print_message("%ld allocations failed in a stream\n", n - 1);
}

static void test_events(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct bed b;

		forever = i == 1;
		events_bed(&b);
		commands_with_failures(&b);
		streams_with_failures(&b, false);
		streams_with_failures(&b, true);
		close_fixture(&b.f);
		burn_bed(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statements),
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_checkpoint),
		cmocka_unit_test(test_port),
		cmocka_unit_test(test_events),
	};

	log_set_level(LOG_LEVEL_ERROR);
	heap_without_store();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
