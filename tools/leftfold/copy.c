/*
 * copy.c: COPY and \copy, done here: the server knows INSERT and SELECT.
 *
 * COPY … FROM prepares an INSERT with a parameter a column and sends its executions in batches, several under way at once,
 * each row a command by itself, acknowledged as durable. What is kept is the batches under way and the record that is read.
 * The first bad row ends it: what was sent before has been done (or refused), and how many rows were copied is said.
 *
 * Data that stand in a script behind the statement come through copy_take(); those of a file or of standard input are read
 * here. After an error the rest of a script's data, to its \., is passed over.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/leftfold/cli.h"
#include "tools/leftfold/copy_statement.h"

enum {
	PIECE = 64 << 10,
	BATCHES = 8,
	BATCH_ROWS = 4096,
	WAIT_MS = 100,
	PROGRESS_MS = 500,
	SHOWN_BYTES = 100 /* of a value or record in an error's context */
};

/* Rows sent together; free when all are answered. */
struct batch {
	struct copy_in *in;
	uint64_t first; /* its first request */
	unsigned n, answered;
	uint64_t lines[BATCH_ROWS];
};

struct copy_in {
	struct cli *cli;
	struct copy_statement what;
	struct lf_statement *insert;
	struct lf_params *params;
	unsigned ncolumns;
	char **columns;
	struct copy_reader *reader;
	struct batch batches[BATCHES];
	struct batch *open; /* being filled */
	uint64_t copied, refused;
	struct timespec begin;
	double shown_ms;
	bool rest_of_line; /* of the statement's is still to come */
	bool ended;        /* so have the data */
	bool bad, told;    /* it has failed; and that has been said */
	struct lf_client_error error;
	uint64_t error_line; /* 0: none */
	struct text context;
	struct text line; /* in a script: the beginning of the line that is being read */
};

static double elapsed_ms(const struct timespec *begin)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - begin->tv_sec) * 1e3 +
		(double)(now.tv_nsec - begin->tv_nsec) / 1e6;
}

/* --- errors --- */

static void error_own(struct lf_client_error *e, const char *sqlstate, const char *message)
{
	memset(e, 0, sizeof(*e));
	(void)snprintf(e->sqlstate, sizeof(e->sqlstate), "%s", sqlstate);
	(void)snprintf(e->message, sizeof(e->message), "%s", message);
}

/* The first error, by line, is kept. */
static void fail(struct copy_in *in, const struct lf_client_error *e, uint64_t line)
{
	if (in->bad && (line == 0 || (in->error_line != 0 && in->error_line <= line)))
		return;
	in->bad = true;
	in->error = *e;
	in->error_line = line;
	text_clear(&in->context);
}

/* What PostgreSQL shows of the data: a value with its column, or the record. */
static void context_add(struct copy_in *in, const char *column, const char *p, size_t n)
{
	size_t shown = n;

	if (n > SHOWN_BYTES) {
		shown = SHOWN_BYTES;
		while (shown > 0 && (p[shown] & 0xc0) == 0x80)
			shown--;
	}
	if (column != NULL) {
		text_add(&in->context, ", column ", 9);
		text_add(&in->context, column, strlen(column));
	}
	text_add(&in->context, ": \"", 3);
	text_add(&in->context, p, shown);
	text_add(&in->context, shown < n ? "...\"" : "\"", shown < n ? 4 : 1);
}

static void tell_error(struct copy_in *in)
{
	report_error(in->cli, &in->error, NULL, 0);
	if (in->error_line > 0)
		fprintf(stderr, "CONTEXT:  COPY %s, line %" PRIu64 "%s\n", in->what.name,
			in->error_line, in->context.n > 0 ? in->context.p : "");
	fprintf(stderr, "%" PRIu64 " rows copied", in->copied);
	if (in->error_line > 0)
		fprintf(stderr, ", line %" PRIu64 " failed", in->error_line);
	if (in->refused > 1)
		fprintf(stderr, " (%" PRIu64 " rows were refused)", in->refused);
	fputs(".\n", stderr);
	in->told = true;
	in->cli->quit |= !lf_client_connected(in->cli->connection);
}

/* --- rows to the server --- */

static void on_row(void *arg, uint64_t request, const struct lf_result *r)
{
	struct batch *b = arg;
	const struct lf_client_error *e = lf_result_error(r);

	b->answered++;
	if (e == NULL) {
		b->in->copied++;
		return;
	}
	b->in->refused++;
	fail(b->in, e, b->lines[request - b->first]);
}

static void batch_send(struct copy_in *in)
{
	struct lf_client_error e;
	struct batch *b = in->open;

	if (b == NULL)
		return;
	in->open = NULL;
	if (lf_client_batch_end(in->cli->connection, &b->first, &e) != 0) {
		b->n = 0;
		fail(in, &e, 0);
	}
}

static void progress(struct copy_in *in)
{
	double ms = elapsed_ms(&in->begin);

	if (!isatty(STDERR_FILENO) || ms - in->shown_ms < PROGRESS_MS)
		return;
	in->shown_ms = ms;
	fprintf(stderr, "\r%" PRIu64 " rows, %.0f rows/s ", in->copied,
		(double)in->copied / (ms / 1e3));
}

static void wait_answers(struct copy_in *in, int ms)
{
	struct lf_client_error e;

	if (lf_client_poll(in->cli->connection, ms, &e) < 0)
		fail(in, &e, 0);
	if (interrupted) {
		interrupted = 0;
		error_own(&e, "57014", "canceling statement due to user request");
		fail(in, &e, 0);
	}
	progress(in);
}

/* One is being filled. False: it has failed. */
static bool batch_begin(struct copy_in *in)
{
	static const struct lf_client_call HOW = { LF_ACK_DURABLE, 0, 0 };
	struct lf_client_error e;
	struct batch *b = in->open;

	while (b == NULL && !in->bad) {
		for (unsigned i = 0; i < BATCHES && b == NULL; i++)
			if (in->batches[i].answered == in->batches[i].n)
				b = &in->batches[i];
		if (b == NULL)
			wait_answers(in, WAIT_MS);
	}
	if (in->bad || in->open != NULL)
		return !in->bad;
	b->n = b->answered = 0;
	if (lf_client_batch_begin(in->cli->connection, in->insert, &HOW, on_row, NULL, b, &e) !=
		0) {
		fail(in, &e, 0);
		return false;
	}
	in->open = b;
	return true;
}

static void row_send(struct copy_in *in, uint64_t line)
{
	struct lf_client_error e;

	while (batch_begin(in)) {
		struct batch *b = in->open;
		int status = lf_client_batch_add(in->cli->connection, in->params, &e);

		if (status == 0) {
			b->lines[b->n++] = line;
			if (b->n == BATCH_ROWS)
				batch_send(in);
			return;
		}
		batch_send(in);
		if (status < 0)
			fail(in, &e, line);
		else
			wait_answers(in, WAIT_MS);
	}
}

/* --- records --- */

static void fail_record(struct copy_in *in, const struct copy_record *r, const char *message)
{
	struct lf_client_error e;

	error_own(&e, "22P04", message);
	fail(in, &e, r->line);
	context_add(in, NULL, r->raw, r->raw_bytes);
}

/* Column i's value; false: it has failed. */
static bool field_take(struct copy_in *in, const struct copy_record *r, unsigned i)
{
	const struct copy_field *f;
	char message[128];

	if (i >= r->n) {
		(void)snprintf(
			message, sizeof(message), "missing data for column \"%s\"", in->columns[i]);
		fail_record(in, r, message);
		return false;
	}
	f = &r->fields[i];
	if (f->null)
		return lf_params_set_null(in->params, i) == 0;
	if (lf_params_parse(in->params, i, f->p, f->n) == 0)
		return true;
	fail(in, lf_params_error(in->params), r->line);
	/* Bytes that are not UTF-8 are found before there are columns. */
	if (strcmp(in->error.sqlstate, "22021") == 0)
		context_add(in, NULL, r->raw, r->raw_bytes);
	else
		context_add(in, in->columns[i], f->p, f->n);
	return false;
}

static void record_take(struct copy_in *in, const struct copy_record *r)
{
	bool good = true;

	if (r->n > in->ncolumns) {
		fail_record(in, r, "extra data after last expected column");
		return;
	}
	for (unsigned i = 0; i < in->ncolumns && good; i++)
		good = field_take(in, r, i);
	if (good)
		row_send(in, r->line);
}

/* Take the records of the present piece. */
static void records_take(struct copy_in *in)
{
	enum copy_status status = COPY_MORE;
	struct lf_client_error e;
	struct copy_record r;

	while (!in->bad && (status = copy_reader_next(in->reader, &r, &e)) == COPY_RECORD)
		record_take(in, &r);
	if (!in->bad && status == COPY_ERROR)
		fail(in, &e, copy_reader_line(in->reader));
	/* Nothing else may be done with the connection while a batch is open. */
	batch_send(in);
	wait_answers(in, 0);
	in->ended |= status == COPY_END;
}

/* --- beginning and end --- */

static void copy_free(struct copy_in *in)
{
	if (in->cli->copy == in)
		in->cli->copy = NULL;
	lf_params_free(in->params);
	lf_statement_close(in->insert);
	copy_reader_free(in->reader);
	for (unsigned i = 0; in->columns != NULL && i < in->ncolumns; i++)
		free(in->columns[i]);
	free(in->columns);
	copy_statement_free(&in->what);
	text_free(&in->context);
	text_free(&in->line);
	free(in);
}

/* All is answered, and visible to the statements that follow. */
static void settle(struct copy_in *in)
{
	struct lf_client *c = in->cli->connection;
	struct lf_client_error e;

	batch_send(in);
	while (lf_client_inflight(c) > 0 && lf_client_connected(c))
		wait_answers(in, WAIT_MS);
	if (lf_client_connected(c) && lf_client_ping(c, &e) != 0)
		fail(in, &e, 0);
}

static void tell_speed(const struct copy_in *in)
{
	double s = elapsed_ms(&in->begin) / 1e3;

	if (isatty(STDERR_FILENO) || in->cli->timing)
		fprintf(stderr, "%s%" PRIu64 " rows in %.3f s, %.0f rows/s\n",
			isatty(STDERR_FILENO) ? "\r" : "", in->copied, s,
			(double)in->copied / (s > 0 ? s : 1e-9));
}

/* Say what came of it, and free it. False: it failed. */
static bool copy_end(struct copy_in *in)
{
	bool good;

	settle(in);
	good = !in->bad;
	if (!good && !in->told)
		tell_error(in);
	if (good && in->cli->format == FORMAT_TABLE)
		printf("COPY %" PRIu64 "\n", in->copied);
	if (good)
		tell_speed(in);
	fflush(stdout);
	copy_free(in);
	return good;
}

/* A statement about the columns; NULL: *e. */
static struct lf_statement *prepare(struct cli *cli, struct text *sql, struct lf_client_error *e)
{
	struct lf_statement *s = NULL;

	(void)lf_client_prepare(&s, cli->connection, sql->p, sql->n, NULL, 0, e);
	return s;
}

static void add(struct text *t, const char *s)
{
	text_add(t, s, strlen(s));
}

static void select_text(struct text *sql, const struct copy_statement *s)
{
	text_clear(sql);
	if (s->query != NULL) {
		add(sql, s->query);
		return;
	}
	add(sql, "SELECT ");
	add(sql, s->columns != NULL ? s->columns : "*");
	add(sql, " FROM ");
	add(sql, s->relation);
}

static void insert_text(struct text *sql, const struct copy_statement *s, unsigned n)
{
	text_clear(sql);
	add(sql, "INSERT INTO ");
	add(sql, s->relation);
	if (s->columns != NULL) {
		add(sql, " (");
		add(sql, s->columns);
		add(sql, ")");
	}
	add(sql, " VALUES (");
	for (unsigned i = 0; i < n; i++) {
		char parameter[16];

		(void)snprintf(parameter, sizeof(parameter), "%s$%u", i > 0 ? ", " : "", i + 1);
		add(sql, parameter);
	}
	add(sql, ")");
}

/* The columns' names, then the INSERT. */
static int prepare_insert(struct copy_in *in, struct lf_client_error *e)
{
	struct text sql = { NULL, 0, 0 };
	struct lf_statement *select;

	select_text(&sql, &in->what);
	select = prepare(in->cli, &sql, e);
	if (select != NULL) {
		in->ncolumns = lf_statement_ncolumns(select);
		in->columns = need(calloc(in->ncolumns, sizeof(*in->columns)));
		for (unsigned i = 0; i < in->ncolumns; i++)
			in->columns[i] = need(strdup(lf_statement_column_name(select, i)));
		lf_statement_close(select);
		insert_text(&sql, &in->what, in->ncolumns);
		in->insert = prepare(in->cli, &sql, e);
	}
	text_free(&sql);
	if (in->insert == NULL) {
		/* The place is one in a text that nobody has written. */
		e->position = 0;
		return -1;
	}
	in->params = need(lf_params_new(in->insert));
	return 0;
}

static struct copy_in *copy_new(struct cli *cli, struct copy_statement *what)
{
	struct copy_in *in = need(calloc(1, sizeof(*in)));

	in->cli = cli;
	in->what = *what;
	memset(what, 0, sizeof(*what));
	for (unsigned i = 0; i < BATCHES; i++)
		in->batches[i].in = in;
	(void)clock_gettime(CLOCK_MONOTONIC, &in->begin);
	text_clear(&in->context);
	text_clear(&in->line);
	if (prepare_insert(in, &in->error) != 0) {
		in->bad = in->told = true;
		report_error(cli, &in->error, NULL, 0);
		return in;
	}
	in->reader = copy_reader_new(
		&in->what.format, (const char *const *)in->columns, in->ncolumns);
	return in;
}

/* Data of a file or of standard input, to their end. */
static bool copy_read(struct copy_in *in, int fd)
{
	char *piece = need(malloc(PIECE));
	struct lf_client_error e;

	while (!in->bad && !in->ended) {
		ssize_t n = read(fd, piece, PIECE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error_own(&e, "58030", strerror(errno));
			fail(in, &e, 0);
			break;
		}
		if (n == 0)
			copy_reader_end(in->reader);
		copy_reader_feed(in->reader, piece, (size_t)n);
		records_take(in);
	}
	if (in->reader != NULL)
		copy_reader_feed(in->reader, NULL, 0);
	free(piece);
	return copy_end(in);
}

static bool copy_from(struct cli *cli, struct copy_statement *s)
{
	struct copy_in *in;
	bool good;
	int fd = STDIN_FILENO;

	if (s->place == COPY_FILE && (fd = open(s->file, O_RDONLY | O_CLOEXEC)) < 0) {
		report(cli, "%s: %s", s->file, strerror(errno));
		return false;
	}
	in = copy_new(cli, s);
	if (in->what.place == COPY_STANDARD && cli->data_follow) {
		in->rest_of_line = true;
		cli->copy = in;
		return true;
	}
	good = copy_read(in, fd);
	if (fd != STDIN_FILENO)
		close(fd);
	return good;
}

/* --- data in a script --- */

/* The rest of the statement's line has nothing more. Returns its bytes; 0: they have not all come. */
static size_t rest_of_line(struct copy_in *in, const char *p, size_t n, bool last)
{
	const char *end = memchr(p, '\n', n);
	struct lf_client_error e;

	if (end == NULL && !last)
		return 0;
	n = end == NULL ? n : (size_t)(end + 1 - p);
	in->rest_of_line = false;
	for (size_t i = 0; i < n; i++)
		if (strchr(" \t\r\n", p[i]) == NULL) {
			error_own(&e, "42601",
				"nothing may stand behind COPY FROM STDIN in its line");
			fail(in, &e, 0);
			break;
		}
	return n;
}

/* No more of a line than tells whether it is "\.". */
static void line_add(struct copy_in *in, const char *p, size_t n)
{
	text_add(&in->line, p, n < 4 ? n : 4);
}

/* These bytes have been read. */
static void line_note(struct copy_in *in, const char *p, size_t n)
{
	const char *newline = n == 0 ? NULL : memrchr(p, '\n', n);
	const char *begin = newline == NULL ? p : newline + 1;

	if (newline != NULL)
		text_clear(&in->line);
	if (n > 0)
		line_add(in, begin, n - (size_t)(begin - p));
}

/* Pass over lines, to the one that is "\.": the data have ended then. */
static size_t pass_over(struct copy_in *in, const char *p, size_t n)
{
	size_t at = 0;

	while (at < n && !in->ended) {
		const char *newline = memchr(p + at, '\n', n - at);
		size_t length = newline == NULL ? n - at : (size_t)(newline - (p + at));

		line_add(in, p + at, length);
		at += length;
		if (newline == NULL)
			break;
		at++;
		in->ended = strcmp(in->line.p, "\\.") == 0 || strcmp(in->line.p, "\\.\r") == 0;
		text_clear(&in->line);
	}
	return at;
}

size_t copy_take(struct cli *cli, const char *p, size_t n, bool last, bool *good)
{
	struct copy_in *in = cli->copy;
	size_t used = 0, rest;

	if (in->rest_of_line) {
		used = rest_of_line(in, p, n, last);
		if (in->rest_of_line)
			return 0;
	}
	if (!in->bad) {
		if (last)
			copy_reader_end(in->reader);
		copy_reader_feed(in->reader, p + used, n - used);
		records_take(in);
		rest = copy_reader_used(in->reader);
		line_note(in, p + used, rest);
		used += rest;
		copy_reader_feed(in->reader, NULL, 0);
	}
	if (in->bad && !in->told) {
		settle(in);
		tell_error(in);
	}
	if (in->bad && !in->ended)
		used += pass_over(in, p + used, n - used);
	*good = true;
	if (in->ended || last)
		*good = copy_end(in);
	return used;
}

void copy_abort(struct cli *cli)
{
	struct lf_client_error e;

	if (cli->copy == NULL)
		return;
	error_own(&e, "57014", "canceling statement due to user request");
	fail(cli->copy, &e, 0);
	(void)copy_end(cli->copy);
}

/* --- COPY … TO --- */

/* The field in *t, which grows. */
static struct copy_field field_of(
	const struct lf_result *r, size_t row, unsigned column, struct text *t)
{
	if (lf_result_is_null(r, row, column))
		return (struct copy_field){ .null = true };
	text_clear(t);
	t->n = lf_result_text(r, row, column, t->p, t->cap);
	if (t->n >= t->cap) {
		t->cap = t->n + 1;
		t->p = need(realloc(t->p, t->cap));
		t->n = lf_result_text(r, row, column, t->p, t->cap);
	}
	return (struct copy_field){ .p = t->p, .n = t->n };
}

static void write_rows(FILE *out, const struct copy_format *f, const struct lf_result *r)
{
	unsigned ncolumns = lf_result_ncolumns(r);
	struct text line = { NULL, 0, 0 }, value = { NULL, 0, 0 };

	for (size_t row = 0; row < lf_result_nrows(r) + (f->header != COPY_HEADER_NONE); row++) {
		bool header = row == 0 && f->header != COPY_HEADER_NONE;

		text_clear(&line);
		for (unsigned c = 0; c < ncolumns; c++) {
			const char *name = lf_result_column_name(r, c);
			struct copy_field field = { .p = name, .n = strlen(name) };

			if (!header)
				field = field_of(
					r, row - (f->header != COPY_HEADER_NONE), c, &value);
			if (c > 0)
				text_add(&line, &f->delimiter, 1);
			copy_write_field(&line, f, &field, ncolumns == 1);
		}
		text_add(&line, "\n", 1);
		(void)fwrite(line.p, 1, line.n, out);
	}
	text_free(&line);
	text_free(&value);
}

static bool copy_to(struct cli *cli, const struct copy_statement *s)
{
	FILE *out = stdout;
	struct text sql = { NULL, 0, 0 };
	struct lf_client_error e;
	bool good;

	select_text(&sql, s);
	good = run_wait(cli, sql.p, sql.n, &e) == 0;
	if (!good)
		report_error(cli, &e, s->query, s->query != NULL ? sql.n : 0);
	text_free(&sql);
	if (!good)
		return false;
	if (s->place == COPY_FILE)
		out = fopen(s->file, "we");
	if (out != NULL)
		write_rows(out, &s->format, cli->answer);
	good = out != NULL && fflush(out) == 0 && ferror(out) == 0;
	if (out != NULL && out != stdout)
		good = fclose(out) == 0 && good;
	if (!good)
		report(cli, "%s: %s", s->place == COPY_FILE ? s->file : "standard output",
			strerror(errno));
	else if (s->place == COPY_FILE && cli->format == FORMAT_TABLE)
		printf("COPY %zu\n", lf_result_nrows(cli->answer));
	return good;
}

bool copy_run(struct cli *cli, const char *text, size_t len, bool meta)
{
	struct copy_statement s;
	struct lf_client_error e;
	bool good;

	if (copy_statement_parse(&s, text, len, meta, &e) != 0) {
		report_error(cli, &e, text, len);
		return false;
	}
	good = s.to ? copy_to(cli, &s) : copy_from(cli, &s);
	copy_statement_free(&s);
	fflush(stdout);
	return good;
}
