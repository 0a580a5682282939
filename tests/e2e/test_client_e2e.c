/*
 * test_client_e2e.c: the client library against the real server, which it starts itself.
 *
 * LEFTFOLD_BUILD (or the first argument) names the folder of leftfoldd; tests/run is given it by make.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/client/leftfold.h"

static struct lf_client_error error;

#define CHECK(x) \
	do { \
		if (!(x)) { \
			fprintf(stderr, "%s:%d: %s\n(%s: %s / %s)\n", __FILE__, __LINE__, #x, \
				error.sqlstate, error.message, error.detail); \
			stop_server(); \
			exit(1); \
		} \
	} while (0)

enum { START_MS = 60000, ANSWER_MS = 60000 };

static pid_t server;
static char folder[] = "/tmp/leftfold-client-XXXXXX";
static char address[64]; /* ADDR:PORT */

static void stop_server(void)
{
	char command[128];
	int status = 0;

	if (server <= 0)
		return;
	kill(server, SIGTERM);
	waitpid(server, &status, 0);
	server = 0;
	(void)snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (system(command) != 0)
		fprintf(stderr, "%s could not be removed\n", folder);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "leftfoldd ended with status %d\n", status);
		exit(1);
	}
}

static void start_server(const char *build)
{
	char program[512], port_file[128], data[128], text[40];
	ssize_t n = 0;

	CHECK(mkdtemp(folder) != NULL);
	(void)snprintf(program, sizeof(program), "%s/leftfoldd", build);
	(void)snprintf(port_file, sizeof(port_file), "%s/port", folder);
	(void)snprintf(data, sizeof(data), "%s/data", folder);
	server = fork();
	CHECK(server >= 0);
	if (server == 0) {
		/* It goes when this test is killed. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(program, program, "--listen", "127.0.0.1:0", "--port-file", port_file,
			"--data", data, "--reactors", "2", "--projectors", "2", (char *)NULL);
		_exit(127);
	}
	for (int waited = 0; waited < START_MS && n <= 0; waited += 10) {
		int fd = open(port_file, O_RDONLY);

		if (fd >= 0) {
			n = read(fd, text, sizeof(text) - 1);
			close(fd);
		}
		if (n <= 0)
			usleep(10000);
	}
	CHECK(n > 0);
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	(void)snprintf(address, sizeof(address), "127.0.0.1:%s",
		strrchr(text, ':') != NULL ? strrchr(text, ':') + 1 : text);
}

static struct lf_client *open_client(void)
{
	struct lf_client_options o = lf_client_options_default();
	struct lf_client *c;

	o.address = address;
	CHECK(lf_client_open(&c, &o, &error) == 0);
	return c;
}

static void run(struct lf_client *c, const char *text)
{
	CHECK(lf_client_query(c, text, SIZE_MAX, NULL, NULL, &error) == 0);
}

static int64_t one_int(struct lf_client *c, const char *text)
{
	struct lf_result *r = lf_result_new();
	struct lf_client_call own = { LF_ACK_VISIBLE, 10000, LF_EPOCH_OWN };
	int64_t v;

	CHECK(lf_client_query(c, text, SIZE_MAX, &own, r, &error) == 0);
	CHECK(lf_result_nrows(r) == 1 && lf_result_ncolumns(r) == 1);
	v = lf_result_int(r, 0, 0);
	lf_result_free(r);
	return v;
}

/* --- many requests --- */

struct tally {
	uint64_t answers, failed, count, batches;
};

static void on_result(void *arg, uint64_t request, const struct lf_result *r)
{
	struct tally *t = arg;

	CHECK(request != 0);
	t->answers++;
	t->failed += lf_result_error(r) != NULL;
	t->count += lf_result_count(r);
}

static void on_batch(void *arg, const struct lf_client_batch *b)
{
	struct tally *t = arg;

	t->batches++;
	t->answers += b->n;
	t->failed += b->failed;
	t->count += b->count;
}

static void test_pipelining(void)
{
	enum { MANY = 100000 };
	struct lf_client *c = open_client();
	struct lf_statement *insert, *select;
	struct lf_params *p, *key;
	struct tally t = { 0, 0, 0, 0 };

	run(c, "CREATE TABLE many (id bigint PRIMARY KEY, v int, note text)");
	CHECK(lf_client_prepare(&insert, c, "INSERT INTO many VALUES ($1, $2, $3)", SIZE_MAX, NULL,
		      0, &error) == 0);
	p = lf_params_new(insert);
	CHECK(lf_params_set_text(p, 2, "a note", SIZE_MAX) == 0);
	for (int64_t i = 0; i < MANY; i++) {
		int status;

		lf_params_set_int(p, 0, i);
		lf_params_set_int(p, 1, i % 1000);
		while ((status = lf_client_send(c, insert, p, NULL, on_result, &t, NULL, &error)) ==
			LF_WOULD_BLOCK)
			CHECK(lf_client_poll(c, ANSWER_MS, &error) > 0);
		CHECK(status == 0);
	}
	CHECK(lf_client_wait(c, ANSWER_MS, &error) == 0);
	CHECK(t.answers == MANY && t.failed == 0 && t.count == MANY);
	CHECK(one_int(c, "SELECT count(*) FROM many") == MANY);

	/* Point reads, in batches. */
	t = (struct tally){ 0, 0, 0, 0 };
	CHECK(lf_client_prepare(&select, c, "SELECT v, note FROM many WHERE id = $1", SIZE_MAX,
		      NULL, 0, &error) == 0);
	key = lf_params_new(select);
	for (int64_t i = 0; i < MANY;) {
		int status = lf_client_batch_begin(c, select, NULL, NULL, on_batch, &t, &error);
		int64_t begin = i;

		CHECK(status >= 0);
		while (status == 0 && i < MANY && i - begin < 500) {
			lf_params_set_int(key, 0, i);
			status = lf_client_batch_add(c, key, &error);
			CHECK(status >= 0);
			i += status == 0;
		}
		CHECK(lf_client_batch_end(c, NULL, &error) == 0 || status == LF_WOULD_BLOCK);
		CHECK(lf_client_poll(c, status == LF_WOULD_BLOCK ? ANSWER_MS : 0, &error) >= 0);
	}
	CHECK(lf_client_wait(c, ANSWER_MS, &error) == 0);
	CHECK(t.answers == MANY && t.failed == 0 && t.count == MANY);
	lf_params_free(p);
	lf_params_free(key);
	lf_statement_close(select);
	lf_client_close(c);
}

/* --- types --- */

static const struct {
	const char *type, *in, *out; /* out NULL: as in */
} VALUES[] = {
	{ "boolean", "t", NULL },
	{ "smallint", "-32768", NULL },
	{ "integer", "2147483647", NULL },
	{ "bigint", "-9223372036854775808", NULL },
	{ "real", "3.4028235e+38", NULL },
	{ "double precision", "2.2250738585072014e-308", NULL },
	{ "numeric(12,2)", "12.345", "12.35" },
	{ "numeric", "-0.00000000000000000000000000000000000001", NULL },
	{ "text", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac", NULL },
	{ "varchar(10)", "0123456789", NULL },
	{ "char(6)", "ab", "ab    " },
	{ "bytea", "\\x00deadbeef", NULL },
	{ "date", "0044-03-15 BC", NULL },
	{ "timestamp", "294276-12-31 23:59:59.999999", NULL },
	{ "timestamptz", "2024-02-29 12:34:56.789+05:30", "2024-02-29 07:04:56.789+00" },
	{ "uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", NULL },
};
enum { NVALUES = sizeof(VALUES) / sizeof(VALUES[0]) };

/* Through parameters, the tables and RETURNING, and back through a query; the server's text of the same value,
 * cast from text by itself, is equal. */
static void test_types(void)
{
	struct lf_client *c = open_client();
	struct lf_statement *insert, *select;
	struct lf_result *r = lf_result_new();
	char text[4096] = "CREATE TABLE types (id int PRIMARY KEY", cell[256];
	struct lf_params *p;

	for (int i = 0; i < NVALUES; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), ", c%d %s", i,
			VALUES[i].type);
	(void)strncat(text, ")", 2);
	run(c, text);
	(void)snprintf(text, sizeof(text), "INSERT INTO types VALUES ($1");
	for (int i = 0; i < NVALUES; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), ", $%d", i + 2);
	(void)strncat(text, ") RETURNING *", 14);
	CHECK(lf_client_prepare(&insert, c, text, SIZE_MAX, NULL, 0, &error) == 0);
	CHECK(lf_statement_nparams(insert) == NVALUES + 1);
	CHECK(lf_statement_kind(insert) == LF_STATEMENT_COMMAND);
	CHECK(strcmp(lf_statement_tag(insert), "INSERT") == 0);
	p = lf_params_new(insert);
	lf_params_set_int(p, 0, 1);
	for (unsigned i = 0; i < NVALUES; i++)
		CHECK(lf_params_parse(p, i + 1, VALUES[i].in, SIZE_MAX) == 0);
	CHECK(lf_client_execute(c, insert, p, NULL, r, &error) == 0);
	CHECK(lf_result_count(r) == 1 && lf_result_nrows(r) == 1);
	/* Everything NULL but the key. */
	lf_params_clear(p);
	lf_params_set_int(p, 0, 2);
	CHECK(lf_client_execute(c, insert, p, NULL, r, &error) == 0);
	for (unsigned i = 0; i < NVALUES; i++)
		CHECK(lf_result_is_null(r, 0, i + 1));
	CHECK(lf_client_prepare(&select, c, "SELECT * FROM types WHERE id = $1", SIZE_MAX, NULL, 0,
		      &error) == 0);
	lf_params_free(p);
	p = lf_params_new(select);
	lf_params_set_int(p, 0, 1);
	CHECK(lf_client_execute(c, select, p, NULL, r, &error) == 0);
	CHECK(lf_result_nrows(r) == 1 && lf_result_ncolumns(r) == NVALUES + 1);
	for (unsigned i = 0; i < NVALUES; i++) {
		const char *expected = VALUES[i].out != NULL ? VALUES[i].out : VALUES[i].in;

		(void)lf_result_text(r, 0, i + 1, cell, sizeof(cell));
		if (strcmp(cell, expected) != 0)
			fprintf(stderr, "%s: %s instead of %s\n", VALUES[i].type, cell, expected);
		CHECK(strcmp(cell, expected) == 0);
		(void)snprintf(text, sizeof(text),
			"SELECT count(*) FROM types WHERE c%u = '%s'::%s", i, VALUES[i].in,
			VALUES[i].type);
		CHECK(one_int(c, text) == 1);
	}
	lf_params_free(p);
	lf_result_free(r);
	lf_client_close(c);
}

/* --- epochs and acknowledgements --- */

static void test_own_writes(void)
{
	struct lf_client *writer = open_client(), *reader = open_client();
	struct lf_result *r = lf_result_new();
	struct lf_client_call durable = { LF_ACK_DURABLE, 0, 0 },
			      least = { LF_ACK_VISIBLE, 10000, 0 };

	run(writer, "CREATE TABLE own (id int PRIMARY KEY, g int)");
	run(writer, "CREATE MATERIALIZED VIEW sums AS SELECT g, count(*) AS n FROM own GROUP BY g");
	run(writer, "CREATE UNIQUE INDEX ON sums (g)");
	for (int i = 0; i < 300; i++) {
		char text[128];
		uint64_t before = lf_client_epoch(writer);

		(void)snprintf(text, sizeof(text), "INSERT INTO own VALUES (%d, 1)", i);
		CHECK(lf_client_query(writer, text, SIZE_MAX, &durable, r, &error) == 0);
		CHECK(lf_result_epoch(r) >= before &&
			lf_client_epoch(writer) == lf_result_epoch(r));
		least.at_least = lf_client_epoch(writer);
		CHECK(lf_client_query(reader, "SELECT n FROM sums WHERE g = 1", SIZE_MAX, &least, r,
			      &error) == 0);
		CHECK(lf_result_int(r, 0, 0) == i + 1);
		CHECK(lf_result_epoch(r) >= least.at_least);
		CHECK(one_int(writer, "SELECT n FROM sums WHERE g = 1") == i + 1);
	}
	/* Not yet. */
	least.at_least = lf_client_epoch(writer) + 1000000;
	least.timeout_ms = 20;
	CHECK(lf_client_query(reader, "SELECT n FROM sums", SIZE_MAX, &least, r, &error) == -1);
	CHECK(strcmp(error.sqlstate, "LF001") == 0);
	lf_result_free(r);
	lf_client_close(writer);
	lf_client_close(reader);
}

/* Two views of one table, read in one request while it changes, are always of one epoch. */
static void test_reads(void)
{
	enum { MOVES = 500 };
	struct lf_client *writer = open_client(), *reader = open_client();
	struct lf_client_call durable = { LF_ACK_DURABLE, 0, 0 };
	struct lf_result *r[2] = { lf_result_new(), lf_result_new() };
	struct lf_statement *insert, *by_half, *all;
	struct lf_client_read reads[3];
	struct tally t = { 0, 0, 0, 0 };
	struct lf_params *p, *half;
	int64_t n = 0;

	run(writer, "CREATE TABLE seat (id int PRIMARY KEY, half int)");
	run(writer,
		"CREATE MATERIALIZED VIEW halves AS SELECT half, count(*) AS n FROM seat GROUP BY half");
	run(writer, "CREATE UNIQUE INDEX ON halves (half)");
	run(writer, "CREATE MATERIALIZED VIEW seats AS SELECT count(*) AS n FROM seat");
	CHECK(lf_client_prepare(&insert, writer, "INSERT INTO seat VALUES ($1, 1)", SIZE_MAX, NULL,
		      0, &error) == 0);
	CHECK(lf_client_prepare(&by_half, reader, "SELECT n FROM halves WHERE half = $1", SIZE_MAX,
		      NULL, 0, &error) == 0);
	CHECK(lf_client_prepare(&all, reader, "SELECT n FROM seats", SIZE_MAX, NULL, 0, &error) ==
		0);
	p = lf_params_new(insert);
	half = lf_params_new(by_half);
	lf_params_set_int(half, 0, 1);
	reads[0] = (struct lf_client_read){ by_half, half, r[0] };
	reads[1] = (struct lf_client_read){ all, NULL, r[1] };
	reads[2] = (struct lf_client_read){ all, NULL, NULL };
	for (int i = 0; i < MOVES; i++) {
		lf_params_set_int(p, 0, i);
		CHECK(lf_client_send(writer, insert, p, &durable, on_result, &t, NULL, &error) ==
			0);
		CHECK(lf_client_poll(writer, 0, &error) >= 0);
		CHECK(lf_client_read(reader, reads, 3, NULL, &error) == 0);
		CHECK(lf_result_epoch(r[0]) == lf_result_epoch(r[1]));
		CHECK(lf_result_int(r[0], 0, 0) == lf_result_int(r[1], 0, 0));
		CHECK(lf_result_int(r[1], 0, 0) >= n);
		n = lf_result_int(r[1], 0, 0);
	}
	CHECK(lf_client_wait(writer, ANSWER_MS, &error) == 0);
	durable = (struct lf_client_call){ LF_ACK_VISIBLE, ANSWER_MS, lf_client_epoch(writer) };
	CHECK(lf_client_read(reader, reads, 2, &durable, &error) == 0);
	CHECK(lf_result_int(r[0], 0, 0) == MOVES && t.failed == 0);
	lf_params_free(p);
	lf_params_free(half);
	lf_result_free(r[0]);
	lf_result_free(r[1]);
	lf_client_close(writer);
	lf_client_close(reader);
}

struct late {
	unsigned n;
	uint64_t request;
	char state[6];
};

static void on_late(void *arg, uint64_t request, const struct lf_client_error *e)
{
	struct late *l = arg;

	l->n++;
	l->request = request;
	memcpy(l->state, e->sqlstate, sizeof(l->state));
}

static void test_accepted(void)
{
	struct lf_client *c = open_client();
	struct lf_client_call accepted = { LF_ACK_ACCEPTED, 0, 0 };
	struct late late = { 0, 0, "" };
	struct tally t = { 0, 0, 0, 0 };
	struct lf_statement *insert;
	struct lf_params *p;
	uint64_t request = 0, second = 0;

	run(c, "CREATE TABLE accepted (id int PRIMARY KEY)");
	lf_client_on_error(c, on_late, &late);
	CHECK(lf_client_prepare(&insert, c, "INSERT INTO accepted VALUES ($1)", SIZE_MAX, NULL, 0,
		      &error) == 0);
	p = lf_params_new(insert);
	for (int i = 0; i < 3; i++) {
		lf_params_set_int(p, 0, i / 2); /* 0, 0 again, 1 */
		CHECK(lf_client_send(c, insert, p, &accepted, on_result, &t, &request, &error) ==
			0);
		if (i == 1)
			second = request;
	}
	/* A fence: behind it every outcome is known. */
	CHECK(lf_client_ping(c, &error) == 0);
	CHECK(t.answers == 3 && t.failed == 0);
	CHECK(late.n == 1 && late.request == second && strcmp(late.state, "23505") == 0);
	CHECK(lf_client_refused(c) == 1);
	CHECK(one_int(c, "SELECT count(*) FROM accepted") == 2);
	lf_params_free(p);
	lf_client_close(c);
}

/* --- answers of several frames, statements, errors --- */

static void test_large_answer(void)
{
	struct lf_client *c = open_client();
	struct lf_result *r = lf_result_new();
	int64_t sum = 0;

	CHECK(lf_client_query(c, "SELECT id, note FROM many", SIZE_MAX, NULL, r, &error) == 0);
	CHECK(lf_result_nrows(r) == 100000);
	for (size_t i = 0; i < lf_result_nrows(r); i++) {
		size_t len;

		sum += lf_result_int(r, i, 0);
		CHECK(memcmp(lf_result_bytes(r, i, 1, &len), "a note", 6) == 0 && len == 6);
	}
	CHECK(sum == INT64_C(99999) * 100000 / 2);
	lf_result_free(r);
	lf_client_close(c);
}

static void test_statements(void)
{
	struct lf_client *c = open_client();
	struct lf_statement *s, *block;
	struct tally t = { 0, 0, 0, 0 };
	struct lf_params *p;
	static const uint8_t DECLARED[] = { LF_TYPE_INT8 };
	char *text;

	CHECK(lf_client_prepare(&s, c, "SELECT nix FROM many", SIZE_MAX, NULL, 0, &error) == -1);
	CHECK(s == NULL && strcmp(error.sqlstate, "42703") == 0 && error.position == 8);
	CHECK(lf_client_prepare(&s, c, "SELECT $1 + 1", SIZE_MAX, DECLARED, 1, &error) == 0);
	CHECK(lf_statement_param_type(s, 0).id == LF_TYPE_INT8);
	/* Closing does not lose answers under way. */
	p = lf_params_new(s);
	lf_params_set_int(p, 0, 41);
	for (int i = 0; i < 1000; i++)
		CHECK(lf_client_send(c, s, p, NULL, on_result, &t, NULL, &error) == 0);
	lf_statement_close(s);
	CHECK(lf_client_wait(c, ANSWER_MS, &error) == 0);
	CHECK(t.answers == 1000 && t.failed == 0);
	lf_params_free(p);
	/* Thousands of statements, each closed, do not exhaust the connection's limit. */
	for (int i = 0; i < 5000; i++) {
		CHECK(lf_client_prepare(&s, c, "SELECT 1", SIZE_MAX, NULL, 0, &error) == 0);
		lf_statement_close(s);
	}
	CHECK(lf_client_prepare(&block, c,
		      "UPDATE many SET v = v + $2 WHERE id = $1; UPDATE many SET v = v + $2 WHERE id = $1",
		      SIZE_MAX, NULL, 0, &error) == 0);
	p = lf_params_new(block);
	lf_params_set_int(p, 0, 5);
	lf_params_set_int(p, 1, 100);
	CHECK(lf_client_execute(c, block, p, NULL, NULL, &error) == 0);
	CHECK(one_int(c, "SELECT v FROM many WHERE id = 5") == 205);
	lf_params_free(p);
	CHECK(lf_client_info(c, &text, NULL, &error) == 0 && strstr(text, "commands ") != NULL);
	free(text);
	CHECK(lf_client_schema(c, &text, NULL, &error) == 0 && strstr(text, "table\tmany\tid\n"));
	free(text);
	lf_client_close(c);
}

/* Commands that others see together. */
static void test_hold(void)
{
	struct lf_client *c = open_client(), *other = open_client();
	struct tally t = { 0, 0, 0, 0 };
	int64_t before = one_int(other, "SELECT count(*) FROM own");
	uint64_t epoch;
	char text[64];

	CHECK(lf_client_release(c, NULL, &error) == -1 && strcmp(error.sqlstate, "25P01") == 0);
	CHECK(lf_client_hold(c, 0, &error) == 0);
	CHECK(lf_client_hold(other, 0, &error) == -1 && strcmp(error.sqlstate, "55006") == 0);
	for (int i = 0; i < 50; i++) {
		(void)snprintf(text, sizeof(text), "INSERT INTO own VALUES (%d)", 1000000 + i);
		CHECK(lf_client_send_query(c, text, SIZE_MAX, NULL, on_result, &t, NULL, &error) ==
			0);
	}
	CHECK(lf_client_flush(c, &error) == 0);
	CHECK(one_int(other, "SELECT count(*) FROM own") == before);
	CHECK(lf_client_release(c, &epoch, &error) == 0);
	CHECK(lf_client_wait(c, ANSWER_MS, &error) == 0);
	CHECK(t.answers == 50 && t.failed == 0 && lf_client_epoch(c) == epoch);
	CHECK(one_int(other, "SELECT count(*) FROM own") == before + 50);
	t = (struct tally){ 0, 0, 0, 0 };
	CHECK(lf_client_send_hold(other, ANSWER_MS, on_result, &t, NULL, &error) == 0);
	CHECK(lf_client_send_release(other, on_result, &t, NULL, &error) == 0);
	CHECK(lf_client_wait(other, ANSWER_MS, &error) == 0);
	CHECK(t.answers == 2 && t.failed == 0);
	lf_client_close(other);
	lf_client_close(c);
}

/* --- subscriptions --- */

struct told {
	unsigned groups, ended;
	long long sum; /* of v, over the rows there are */
};

static void on_group(void *arg, struct lf_client_feed *f, const struct lf_client_group *g)
{
	struct told *t = arg;

	(void)f;
	t->groups++;
	if (g->kind == LF_GROUP_SNAPSHOT && g->first)
		t->sum = 0;
	for (size_t i = 0; g->kind == LF_GROUP_SNAPSHOT && i < lf_result_nrows(g->rows); i++)
		t->sum += lf_result_int(g->rows, i, 1);
	for (size_t i = 0; i < g->nchanges; i++) {
		const struct lf_client_change *x = &g->changes[i];

		if (x->old_row != LF_NO_ROW)
			t->sum -= lf_result_int(g->rows, (size_t)x->old_row, 1);
		if (x->new_row != LF_NO_ROW)
			t->sum += lf_result_int(g->rows, (size_t)x->new_row, 1);
	}
	t->ended += g->kind == LF_GROUP_END;
}

static void test_subscriptions(void)
{
	struct lf_client *c = open_client(), *other = open_client();
	struct lf_follower_options o = lf_follower_options_default();
	struct lf_client_subscribe_options from = { .timeout_ms = ANSWER_MS };
	static const char *const PARAMETERS[] = { "3" };
	const struct lf_client_group *g;
	struct lf_client_feed *feed, *second;
	struct lf_follower *follower;
	struct told t = { 0, 0, 0 }, u = { 0, 0, 0 };
	struct lf_statement *s;

	CHECK(lf_client_query(c, "CREATE TABLE followed (id int PRIMARY KEY, v int)", SIZE_MAX,
		      NULL, NULL, &error) == 0);
	CHECK(lf_client_prepare(&s, c, "SELECT id, v FROM followed", SIZE_MAX, NULL, 0, &error) ==
		0);
	CHECK(lf_client_subscribe(&feed, c, s, NULL, NULL, on_group, &t, &error) == 0);
	lf_statement_close(s);
	for (int i = 0; i < 50; i++) {
		char text[80];

		(void)snprintf(text, sizeof(text), "INSERT INTO followed VALUES (%d, %d)", i, i);
		CHECK(lf_client_query(other, text, SIZE_MAX, NULL, NULL, &error) == 0);
	}
	while (lf_client_feed_epoch(feed) < lf_client_epoch(other))
		CHECK(lf_client_poll(c, ANSWER_MS, &error) >= 0);
	CHECK(t.sum == 49 * 50 / 2 && t.groups >= 2);
	/* A request beside it; the end. */
	CHECK(one_int(c, "SELECT count(*) FROM followed") == 50);
	from.from = lf_client_feed_epoch(feed);
	lf_client_feed_close(feed);
	CHECK(lf_client_query(c, "UPDATE followed SET v = 1000 WHERE id = 3", SIZE_MAX, NULL, NULL,
		      &error) == 0);
	/* From there on, without a callback. */
	CHECK(lf_client_prepare(&s, c, "SELECT id, v FROM followed", SIZE_MAX, NULL, 0, &error) ==
		0);
	CHECK(lf_client_subscribe(&feed, c, s, NULL, &from, NULL, NULL, &error) == 0);
	CHECK(lf_client_feed_next(feed, ANSWER_MS, &g, &error) == 1);
	CHECK(g->kind == LF_GROUP_CHANGES && g->nchanges == 1);
	CHECK(lf_result_int(g->rows, (size_t)g->changes[0].old_row, 1) == 3);
	CHECK(lf_result_int(g->rows, (size_t)g->changes[0].new_row, 1) == 1000);
	/* One that is refused. */
	CHECK(lf_client_prepare(
		      &s, c, "SELECT count(*), 1 FROM followed", SIZE_MAX, NULL, 0, &error) == 0);
	CHECK(lf_client_subscribe(&second, c, s, NULL, NULL, on_group, &u, &error) == 0);
	while (u.ended == 0)
		CHECK(lf_client_poll(c, ANSWER_MS, &error) >= 0);
	lf_client_feed_close(second);
	/* With parameters, over connections of its own. */
	o.client.address = address;
	o.text = "SELECT v FROM followed WHERE id = $1";
	o.params = PARAMETERS;
	o.nparams = 1;
	CHECK(lf_follower_open(&follower, &o, &error) == 0);
	CHECK(lf_follower_next(follower, ANSWER_MS, &g, &error) == 1);
	CHECK(g->kind == LF_GROUP_SNAPSHOT && lf_result_int(g->rows, 0, 0) == 1000);
	CHECK(lf_client_query(other, "DELETE FROM followed WHERE id = 3", SIZE_MAX, NULL, NULL,
		      &error) == 0);
	do
		CHECK(lf_follower_next(follower, ANSWER_MS, &g, &error) == 1);
	while (g->kind == LF_GROUP_PROGRESS);
	CHECK(g->kind == LF_GROUP_CHANGES && g->changes[0].new_row == LF_NO_ROW);
	CHECK(lf_follower_epoch(follower) == lf_client_epoch(other));
	CHECK(lf_client_query(other, "DROP TABLE followed", SIZE_MAX, NULL, NULL, &error) == 0);
	while (lf_follower_next(follower, ANSWER_MS, &g, &error) > 0)
		;
	CHECK(strcmp(error.sqlstate, "42P01") == 0);
	lf_follower_close(follower);
	lf_client_close(c);
	lf_client_close(other);
}

/* The server goes away: each request is answered, with what happened or with 08006. */
/* The socket is closed behind the library's back: a command that is waited for goes on over another, and is executed once. */
static void test_once(void)
{
	struct lf_client_options o = lf_client_options_default();
	struct lf_client_call visible = { LF_ACK_VISIBLE, ANSWER_MS, LF_EPOCH_OWN };
	struct lf_result *r = lf_result_new();
	struct lf_client_command again = { 0 };
	struct lf_statement *add, *sum, *gone;
	struct lf_params *p;
	struct lf_client *c;

	o.address = address;
	o.once_client = 77;
	o.retry_ms = ANSWER_MS;
	CHECK(lf_client_open(&c, &o, &error) == 0);
	CHECK(lf_client_query(c, "CREATE TABLE once (id bigint PRIMARY KEY, n int)", SIZE_MAX, NULL,
		      NULL, &error) == 0);
	CHECK(lf_client_query(c, "CREATE TABLE gone (id bigint PRIMARY KEY)", SIZE_MAX, NULL, NULL,
		      &error) == 0);
	CHECK(lf_client_prepare(&add, c,
		      "INSERT INTO once VALUES ($1, 1) ON CONFLICT (id) DO UPDATE SET n = once.n + 1"
		      " RETURNING n",
		      SIZE_MAX, NULL, 0, &error) == 0);
	CHECK(lf_client_prepare(&sum, c, "SELECT sum(n) FROM once", SIZE_MAX, NULL, 0, &error) ==
		0);
	CHECK(lf_client_prepare(
		      &gone, c, "INSERT INTO gone VALUES (1)", SIZE_MAX, NULL, 0, &error) == 0);
	CHECK(lf_client_query(c, "DROP TABLE gone", SIZE_MAX, NULL, NULL, &error) == 0);
	p = lf_params_new(add);
	for (int i = 0; i < 20; i++) {
		uint64_t number = lf_client_once_next(c);

		lf_params_set_int(p, 0, i % 3);
		(void)shutdown(lf_client_fd(c), i % 2 ? SHUT_RDWR : SHUT_RD);
		CHECK(lf_client_execute(c, add, p, &visible, r, &error) == 0);
		CHECK(lf_result_int(r, 0, 0) == i / 3 + 1);
		CHECK(lf_client_connected(c) && lf_client_once_next(c) == number + 1);
		/* By the same number it is not executed again. */
		again.client = 77;
		again.request = number;
		CHECK(lf_client_execute_with(c, add, p, &visible, &again, r, &error) == 0);
		CHECK(lf_result_int(r, 0, 0) == i / 3 + 1);
		(void)shutdown(lf_client_fd(c), SHUT_RDWR);
		CHECK(lf_client_execute(c, sum, NULL, &visible, r, &error) == 0);
		CHECK(lf_result_int(r, 0, 0) == i + 1);
	}
	/* What cannot be prepared again is not there any more. */
	CHECK(lf_client_execute(c, gone, NULL, NULL, NULL, &error) == -1);
	CHECK(strcmp(error.sqlstate, "26000") == 0);
	lf_result_free(r);
	lf_params_free(p);
	lf_client_close(c);
}

static void test_server_stops(void)
{
	struct lf_client *c = open_client();
	struct tally t = { 0, 0, 0, 0 };
	unsigned sent = 0;

	for (; sent < 1000; sent++)
		CHECK(lf_client_send_query(c, "SELECT count(*) FROM own", SIZE_MAX, NULL, on_result,
			      &t, NULL, &error) == 0);
	CHECK(lf_client_poll(c, ANSWER_MS, &error) > 0);
	stop_server();
	while (lf_client_poll(c, ANSWER_MS, &error) >= 0)
		;
	CHECK(strcmp(error.sqlstate, "08006") == 0);
	CHECK(t.answers == sent && !lf_client_connected(c));
	CHECK(lf_client_ping(c, &error) == -1);
	lf_client_close(c);
}

int main(int argc, char **argv)
{
	const char *build = getenv("LEFTFOLD_BUILD");

	if (argc > 1)
		build = argv[1];
	start_server(build != NULL ? build : "build");
	test_pipelining();
	test_types();
	test_own_writes();
	test_reads();
	test_accepted();
	test_large_answer();
	test_statements();
	test_hold();
	test_subscriptions();
	test_once();
	test_server_stops();
	return 0;
}
