/*
 * script.c: statements and backslash commands out of a text that comes in pieces.
 */
#include "tools/leftfold/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/sql/split.h"
#include "tools/leftfold/copy_statement.h"

enum { PIECE = 64 << 10 };

static void count_lines(struct cli *cli, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cli->line += p[i] == '\n';
}

/* The statement with "\;" made a semicolon, which sends several commands as one. */
static bool run_one(struct cli *cli, const char *p, size_t n)
{
	text_clear(&cli->previous);
	for (size_t i = 0; i < n; i++)
		if (p[i] != '\\' || i + 1 == n || p[i + 1] != ';')
			text_add(&cli->previous, p + i, 1);
	if (copy_statement_is(cli->previous.p, cli->previous.n))
		return copy_run(cli, cli->previous.p, cli->previous.n, false);
	return run_statement(cli, cli->previous.p, cli->previous.n);
}

/* Data of COPY; returns how many bytes it took. */
static size_t take_data(struct cli *cli, const char *p, size_t n, bool last, bool *good)
{
	size_t used = copy_take(cli, p, n, last, good);

	count_lines(cli, p, used);
	return used;
}

bool run_complete(struct cli *cli, struct text *t, bool last, char *inside)
{
	size_t at = 0;
	bool go_on = true;

	*inside = '\0';
	while (go_on && !cli->quit) {
		struct split s;
		const char *begin, *end = NULL;
		size_t used;
		bool good;

		if (cli->copy != NULL) {
			at += take_data(cli, t->p + at, t->n - at, last, &good);
			if (cli->copy != NULL) {
				*inside = '>';
				break;
			}
			go_on = good || cli->keep_going || cli->interactive;
			continue;
		}
		sql_split_next(t->p + at, t->n - at, true, &s);
		begin = t->p + at + s.start;
		used = s.start + s.length;
		if (s.end == SPLIT_BACKSLASH) {
			end = memchr(begin + s.length, '\n', t->n - at - used);
			if (end == NULL && !last)
				break;
			if (end == NULL)
				end = t->p + t->n;
		}
		if (s.end == SPLIT_EMPTY || (s.end == SPLIT_UNFINISHED && !last)) {
			*inside = s.end == SPLIT_EMPTY || s.inside != '\0' ? s.inside : '-';
			break;
		}
		count_lines(cli, t->p + at, s.start);
		if (s.end == SPLIT_BACKSLASH) {
			char *line = need(
				strndup(begin + s.length, (size_t)(end - begin) - s.length));

			line[strcspn(line, "\r")] = '\0';
			used = (size_t)(end - t->p) - at;
			good = meta_command(cli, line, begin, s.length);
			free(line);
		} else {
			good = run_one(cli, begin, s.length);
		}
		count_lines(cli, begin, used - s.start);
		at += used;
		go_on = good || cli->keep_going || cli->interactive;
	}
	memmove(t->p, t->p + at, t->n - at + 1);
	t->n -= at;
	return go_on && !cli->quit;
}

void run_text(struct cli *cli, const char *text, size_t len)
{
	struct text t = { NULL, 0, 0 };
	char inside;

	cli->line = 1;
	cli->data_follow = false;
	text_add(&t, text, len);
	(void)run_complete(cli, &t, true, &inside);
	text_free(&t);
}

void run_file(struct cli *cli, FILE *f)
{
	struct text t = { NULL, 0, 0 };
	static char piece[PIECE];
	bool go_on = true;
	char inside;
	ssize_t n;

	cli->line = 1;
	cli->data_follow = true;
	text_clear(&t);
	/* What a pipe brings is run at once, not when the buffer is full. */
	while (go_on && (n = read(fileno(f), piece, sizeof(piece))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			report(cli, "leftfold: the input cannot be read: %s", strerror(errno));
			go_on = false;
			break;
		}
		text_add(&t, piece, (size_t)n);
		go_on = run_complete(cli, &t, false, &inside);
	}
	if (go_on)
		(void)run_complete(cli, &t, true, &inside);
	text_free(&t);
}
