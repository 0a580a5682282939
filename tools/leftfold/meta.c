/*
 * meta.c: commands that begin with a backslash.
 */
#include "tools/leftfold/cli.h"
#include "tools/leftfold/copy_statement.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char HELP[] =
	"  ;                     at the end of a statement: run it\n"
	"  \\;                    between commands: send them as one, which is atomic on one aggregate\n"
	"  \\g                    run the statement before it, or the last one again\n"
	"  \\watch [SEC [TIMES]]  the same every SEC seconds (2), until Ctrl-C or TIMES times\n"
	"  \\copy TABLE FROM|TO FILE [WITH …]  COPY with a file of this machine\n"
	"  \\d                    list tables and views\n"
	"  \\d NAME               describe a table or view\n"
	"  \\dt, \\dv              list tables, views\n"
	"  \\df [NAME]            list procedures; with a name its text\n"
	"  \\d+ [NAME]            also what they hold, and of a view how it is computed\n"
	"  \\timing [on|off]      show how long statements take\n"
	"  \\?                    this list\n"
	"  \\q                    quit\n";

/* Words of a command's line: the command itself and two arguments at most. */
struct words {
	char command[16];
	char *argument[2];
	unsigned n;
	bool too_many;
	char *copy;
};

/* Arguments are separated by blanks; a quoted one keeps its case, others are folded, as names are. */
static void split_words(struct words *w, const char *line)
{
	char *p;

	memset(w, 0, sizeof(*w));
	w->copy = p = need(strdup(line));
	for (size_t n = 0; *p != '\0' && *p != ' ' && *p != '\t'; p++)
		if (n + 1 < sizeof(w->command))
			w->command[n++] = *p;
	for (;;) {
		bool quoted;
		char *begin, *to;

		p += strspn(p, " \t;");
		if (*p == '\0')
			return;
		if (w->n == 2) {
			w->too_many = true;
			return;
		}
		quoted = *p == '"';
		p += quoted;
		begin = to = p;
		while (*p != '\0' && (quoted || strchr(" \t;", *p) == NULL)) {
			if (quoted && *p == '"' && *++p != '"')
				break;
			*to++ = quoted || *p < 'A' || *p > 'Z' ? *p : (char)(*p + 'a' - 'A');
			p++;
		}
		if (*p != '\0')
			p++;
		*to = '\0';
		w->argument[w->n++] = begin;
	}
}

static bool run_previous(struct cli *cli, const char *statement, size_t len)
{
	if (len > 0) {
		text_clear(&cli->previous);
		text_add(&cli->previous, statement, len);
	}
	if (cli->previous.n == 0) {
		report(cli, "There is no statement to run.");
		return false;
	}
	return run_statement(cli, cli->previous.p, cli->previous.n);
}

/* Sleep; false when interrupted. */
static bool pause_for(double seconds)
{
	struct timespec t = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };

	while (!interrupted && nanosleep(&t, &t) != 0 && errno == EINTR)
		;
	return !interrupted;
}

static bool watch(struct cli *cli, const struct words *w, const char *statement, size_t len)
{
	double seconds = 2;
	long times = 0;
	char *end;

	if (w->n > 0) {
		seconds = strtod(w->argument[0], &end);
		if (*end != '\0' || !(seconds >= 0 && seconds <= 86400)) {
			report(cli, "\\watch: \"%s\" is not a number of seconds", w->argument[0]);
			return false;
		}
	}
	if (w->n > 1) {
		times = strtol(w->argument[1], &end, 10);
		if (*end != '\0' || times < 1) {
			report(cli, "\\watch: \"%s\" is not a number of times", w->argument[1]);
			return false;
		}
	}
	for (long i = 1;; i++) {
		if (cli->format == FORMAT_TABLE) {
			time_t now = time(NULL);
			struct tm tm;
			char text[64];

			(void)strftime(
				text, sizeof(text), "%a %d %b %Y %H:%M:%S", localtime_r(&now, &tm));
			printf("%s (every %gs)\n\n", text, seconds);
		}
		if (!run_previous(cli, statement, len))
			return false;
		len = 0;
		fflush(stdout);
		if (i == times || !pause_for(seconds))
			break;
	}
	interrupted = 0;
	return true;
}

static bool timing(struct cli *cli, const struct words *w)
{
	if (w->n == 0) {
		cli->timing = !cli->timing;
	} else if (strcmp(w->argument[0], "on") == 0 || strcmp(w->argument[0], "off") == 0) {
		cli->timing = w->argument[0][1] == 'n';
	} else {
		report(cli, "\\timing: \"%s\" is neither on nor off", w->argument[0]);
		return false;
	}
	if (cli->format == FORMAT_TABLE)
		printf("Timing is %s.\n", cli->timing ? "on" : "off");
	return true;
}

static bool run_words(struct cli *cli, const struct words *w, const char *statement, size_t len)
{
	static const struct {
		const char *command;
		unsigned most; /* arguments */
	} KNOWN[] = { { "\\q", 0 }, { "\\?", 0 }, { "\\g", 0 }, { "\\watch", 2 }, { "\\timing", 1 },
		{ "\\d", 1 }, { "\\dt", 0 }, { "\\dv", 0 }, { "\\df", 1 }, { "\\d+", 1 } };
	unsigned k = 0;

	while (k < sizeof(KNOWN) / sizeof(KNOWN[0]) && strcmp(w->command, KNOWN[k].command) != 0)
		k++;
	if (k == sizeof(KNOWN) / sizeof(KNOWN[0])) {
		report(cli, "invalid command %s: \\? lists them", w->command);
		return false;
	}
	if (w->n > KNOWN[k].most || w->too_many) {
		report(cli, "%s: too many arguments", w->command);
		return false;
	}
	switch (w->command[1]) {
	case 'q': cli->quit = true; return true;
	case '?': fputs(HELP, stdout); return true;
	case 'g': return run_previous(cli, statement, len);
	case 'w': return watch(cli, w, statement, len);
	case 't': return timing(cli, w);
	default: break;
	}
	if (w->command[2] == '+')
		return describe_more(cli, w->argument[0]);
	if (w->command[2] == 'f')
		return describe_procedures(cli, w->argument[0]);
	return describe(cli, w->command[2] == '\0' ? 'a' : w->command[2], w->argument[0]);
}

bool meta_command(struct cli *cli, const char *line, const char *statement, size_t len)
{
	struct words w;
	bool good;

	if (copy_statement_is(line + 1, strlen(line + 1)))
		return copy_run(cli, line + 1, strlen(line + 1), true);
	while (len > 0 && strchr(" \t\r\n", statement[len - 1]) != NULL)
		len--;
	split_words(&w, line);
	good = run_words(cli, &w, statement, len);
	free(w.copy);
	fflush(stdout);
	return good;
}
