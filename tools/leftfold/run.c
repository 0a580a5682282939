/*
 * run.c: one statement: sent, waited for, printed; errors as psql reports them.
 *
 * The answer is waited for by polling, so that Ctrl-C on a terminal gives the prompt back. The statement is not
 * taken back by that: the server has it.
 */
#include "tools/leftfold/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POLL_MS = 100, DISPLAY_COLUMNS = 60, RIGHT_CUT_MIN = 10 };

/* --- errors --- */

/* First byte of each character of the line, and one past its end. */
static size_t line_characters(const char *line, size_t len, size_t *at)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		if ((line[i] & 0xc0) != 0x80)
			at[n++] = i;
	at[n] = len;
	return n;
}

void print_position(FILE *out, const char *text, size_t len, int position)
{
	size_t i = 0, begin, end, loc, first = 0, last, n, *at;
	bool cut_left = false, cut_right = false;
	int line = 1, indent;

	for (int k = 1; i < len && k < position; k++) {
		line += text[i] == '\n';
		do
			i++;
		while (i < len && (text[i] & 0xc0) == 0x80);
	}
	for (begin = i; begin > 0 && text[begin - 1] != '\n';)
		begin--;
	for (end = i; end < len && text[end] != '\n' && text[end] != '\r';)
		end++;
	at = need(malloc((end - begin + 1) * sizeof(*at)));
	last = n = line_characters(text + begin, end - begin, at);
	for (loc = 0; loc < n && at[loc] < i - begin;)
		loc++;
	/* A long line is cut to what is around the place: at the right if that is enough, else at both ends. */
	if (n > DISPLAY_COLUMNS && DISPLAY_COLUMNS >= loc + RIGHT_CUT_MIN) {
		last = DISPLAY_COLUMNS;
		cut_right = true;
	} else if (n > DISPLAY_COLUMNS) {
		if (loc + RIGHT_CUT_MIN < last) {
			last = loc + RIGHT_CUT_MIN;
			cut_right = true;
		}
		if (last > DISPLAY_COLUMNS) {
			first = last - DISPLAY_COLUMNS;
			cut_left = true;
		}
	}
	indent = fprintf(out, "LINE %d: %s", line, cut_left ? "..." : "");
	for (size_t k = at[first]; k < at[last]; k++)
		fputc(text[begin + k] == '\t' ? ' ' : text[begin + k], out);
	fprintf(out, "%s\n%*s^\n", cut_right ? "..." : "", indent + (int)(loc - first), "");
	free(at);
}

static void failed(struct cli *cli)
{
	if (!cli->interactive)
		cli->status = 1;
	fflush(stdout);
	if (cli->file != NULL)
		fprintf(stderr, "leftfold:%s:%u: ", cli->file, cli->line);
}

void report_error(struct cli *cli, const struct lf_client_error *e, const char *text, size_t len)
{
	failed(cli);
	fprintf(stderr, "ERROR:  %s: %s\n", e->sqlstate, e->message);
	if (e->position > 0 && text != NULL)
		print_position(stderr, text, len, e->position);
	if (e->detail[0] != '\0')
		fprintf(stderr, "DETAIL:  %s\n", e->detail);
	if (e->hint[0] != '\0')
		fprintf(stderr, "HINT:  %s\n", e->hint);
}

void report(struct cli *cli, const char *fmt, ...)
{
	va_list args;

	failed(cli);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

/* --- the answer --- */

/* A request under way; it outlives an interrupted wait. */
struct wait {
	bool done, abandoned;
	struct lf_result *answer;
};

static void on_answer(void *arg, uint64_t request, const struct lf_result *r)
{
	struct wait *w = arg;

	(void)request;
	if (w->abandoned) {
		free(w);
		return;
	}
	w->done = true;
	if (lf_result_copy(w->answer, r) != 0)
		need(NULL);
}

int run_wait(struct cli *cli, const char *text, size_t len, struct lf_client_error *e)
{
	struct lf_client_call how = { cli->ack, 0, 0 };
	struct wait *w = need(calloc(1, sizeof(*w)));
	int status;

	w->answer = cli->answer;
	while ((status = lf_client_send_query(
			cli->connection, text, len, &how, on_answer, w, NULL, e)) == LF_WOULD_BLOCK)
		if (lf_client_poll(cli->connection, POLL_MS, e) < 0)
			break;
	if (status != 0) {
		free(w);
		return -1;
	}
	while (!w->done) {
		/* When the connection breaks the request is answered all the same. */
		(void)lf_client_poll(cli->connection, POLL_MS, NULL);
		if (interrupted && !w->done) {
			interrupted = 0;
			w->abandoned = true;
			memset(e, 0, sizeof(*e));
			(void)snprintf(e->sqlstate, sizeof(e->sqlstate), "57014");
			(void)snprintf(e->message, sizeof(e->message), "the wait was interrupted");
			return 1;
		}
	}
	free(w);
	if (lf_result_error(cli->answer) == NULL)
		return 0;
	*e = *lf_result_error(cli->answer);
	return -1;
}

static void print_answer(struct cli *cli)
{
	const struct lf_result *r = cli->answer;
	const char *tag = lf_result_tag(r);
	unsigned long long count = lf_result_count(r);

	if (lf_result_ncolumns(r) > 0) {
		struct grid g = result_grid(r);

		print_grid(stdout, cli->format, &g);
	}
	if (cli->format != FORMAT_TABLE || lf_result_kind(r) == LF_STATEMENT_QUERY)
		return;
	if (cli->ack == LF_ACK_ACCEPTED && lf_result_kind(r) == LF_STATEMENT_COMMAND)
		printf("%s (accepted)\n", tag);
	else if (strcmp(tag, "INSERT") == 0)
		printf("INSERT 0 %llu\n", count);
	else if (strcmp(tag, "UPDATE") == 0 || strcmp(tag, "DELETE") == 0)
		printf("%s %llu\n", tag, count);
	else
		puts(tag);
	if (lf_result_parts(r) < lf_result_parts_all(r))
		printf("(%u of %u parts)\n", lf_result_parts(r), lf_result_parts_all(r));
}

static double now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

bool run_statement(struct cli *cli, const char *text, size_t len)
{
	struct lf_client_error e;
	double begin = now_ms();
	int status = run_wait(cli, text, len, &e);
	double end = now_ms();

	if (status == 1) {
		report(cli, "Not waiting any longer; the statement may still be carried out.");
		return false;
	}
	if (lf_result_notice(cli->answer)[0] != '\0') {
		fflush(stdout);
		fprintf(stderr, "NOTICE:  %s\n", lf_result_notice(cli->answer));
	}
	if (status != 0) {
		report_error(cli, &e, text, len);
		cli->quit = !lf_client_connected(cli->connection);
		if (cli->quit)
			cli->status = 1;
		return false;
	}
	if (lf_result_kind(cli->answer) == LF_STATEMENT_COMMAND && cli->ack == LF_ACK_ACCEPTED)
		cli->accepted = true;
	print_answer(cli);
	if (cli->timing)
		fprintf(cli->format == FORMAT_TABLE ? stdout : stderr, "Time: %.3f ms\n",
			end - begin);
	fflush(stdout);
	return true;
}

void run_settle(struct cli *cli)
{
	struct lf_client_error e;

	if (cli->accepted && lf_client_connected(cli->connection) &&
		lf_client_ping(cli->connection, &e) != 0)
		report_error(cli, &e, NULL, 0);
	cli->accepted = false;
}
