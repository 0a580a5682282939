/*
 * interactive.c: the prompt: lines edited with libedit, kept in a history file; statements over several lines.
 *
 * Ctrl-C drops what was typed of a statement, and ends the wait for an answer or a \watch; Ctrl-D quits.
 */
#include "tools/leftfold/cli.h"

#include <errno.h>
#include <histedit.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

enum { HISTORY_LINES = 2000 };

volatile sig_atomic_t interrupted;
static char prompt_text[] = "leftfold=> ";
/* Signals blocked while the prompt waits: SIGINT is not among them. */
static sigset_t while_waiting;
static struct termios keys; /* of the terminal as it was found */

static void on_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

static char *prompt(EditLine *el)
{
	(void)el;
	return prompt_text;
}

/* Keys that the terminal would turn into signals are bytes while a line is edited: with the signal of such a key the
 * terminal also throws away what is under way in both directions, and the key is no longer in order with the others. */
static bool is_key(int key, unsigned char byte)
{
	return keys.c_cc[key] == byte && byte != _POSIX_VDISABLE;
}

/* As the terminal does it: the whole process group, which stands here until it is continued or ends. */
static void signal_group(EditLine *el, int signal)
{
	(void)el_set(el, EL_PREP_TERM, 0);
	(void)kill(0, signal);
	(void)el_set(el, EL_PREP_TERM, 1);
	(void)el_set(el, EL_REFRESH);
}

/* libedit's reader. No signal is lost: SIGINT is blocked while a line is edited, except in the wait for a byte. */
static int next_character(EditLine *el, wchar_t *c)
{
	mbstate_t state = { 0 };

	for (;;) {
		struct pollfd in = { STDIN_FILENO, POLLIN, 0 };
		unsigned char byte;
		ssize_t n;

		while (ppoll(&in, 1, NULL, &while_waiting) < 0)
			if (errno != EINTR || interrupted)
				return -1;
		n = read(STDIN_FILENO, &byte, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		if (is_key(VINTR, byte)) {
			interrupted = 1;
			errno = EINTR;
			return -1;
		}
		if (is_key(VSUSP, byte)) {
			signal_group(el, SIGTSTP);
			continue;
		}
		if (is_key(VQUIT, byte)) {
			signal_group(el, SIGQUIT);
			continue;
		}
		switch (mbrtowc(c, (const char *)&byte, 1, &state)) {
		case (size_t)-2: break; /* more to come */
		case (size_t)-1: state = (mbstate_t){ 0 }; break;
		default: return 1;
		}
	}
}

/* As el_gets(); Ctrl-C and SIGINT set `interrupted` and end it. The terminal is made ready before the prompt is shown:
 * what is typed at once would otherwise be taken for input of whole lines, where Ctrl-D is no character. */
static const char *edit_line(EditLine *el, int *n)
{
	sigset_t interrupt;
	const char *line;
	int error;

	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &interrupt, &while_waiting);
	(void)el_set(el, EL_PREP_TERM, 1);
	line = el_gets(el, n);
	error = errno;
	(void)sigprocmask(SIG_SETMASK, &while_waiting, NULL);
	errno = error;
	return line;
}

/* NULL: no history is kept. */
static char *history_path(void)
{
	const char *path = getenv("LEFTFOLD_HISTORY"), *home = getenv("HOME");
	char *own;

	if (path != NULL)
		return path[0] == '\0' ? NULL : need(strdup(path));
	if (home == NULL || asprintf(&own, "%s/.leftfold_history", home) < 0)
		return NULL;
	return own;
}

static void save_history(History *lines, const char *path)
{
	HistEvent event;
	mode_t before;

	if (path == NULL)
		return;
	/* What is typed may be private. */
	before = umask(077);
	if (history(lines, &event, H_SAVE, path) < 0)
		fprintf(stderr, "leftfold: the history cannot be written to %s\n", path);
	(void)umask(before);
}

void run_interactive(struct cli *cli)
{
	struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = SA_RESTART };
	struct text t = { NULL, 0, 0 };
	EditLine *el = need(el_init("leftfold", stdin, stdout, stderr));
	History *lines = need(history_init());
	char *path = history_path(), inside = '\0';
	HistEvent event;

	cli->interactive = cli->data_follow = true;
	if (tcgetattr(STDIN_FILENO, &keys) != 0)
		memset(keys.c_cc, _POSIX_VDISABLE, sizeof(keys.c_cc));
	sigemptyset(&action.sa_mask);
	(void)sigaction(SIGINT, &action, NULL);
	(void)history(lines, &event, H_SETSIZE, HISTORY_LINES);
	(void)history(lines, &event, H_SETUNIQUE, 1);
	if (path != NULL)
		(void)history(lines, &event, H_LOAD, path);
	(void)el_set(el, EL_PROMPT, prompt);
	(void)el_set(el, EL_EDITOR, "emacs");
	(void)el_set(el, EL_SETTY, "-d", "-isig", NULL);
	(void)el_set(el, EL_HIST, history, lines);
	(void)el_wset(el, EL_GETCFN, next_character);
	(void)el_source(el, NULL);
	printf("leftfold %s. Type \\? for help, \\q to quit.\n", lf_client_version());
	text_clear(&t);
	while (!cli->quit) {
		const char *line;
		int n = 0;

		prompt_text[8] = inside == '\0' ? '=' : inside;
		interrupted = 0;
		line = edit_line(el, &n);
		if (line == NULL && (interrupted || (n < 0 && errno == EINTR))) {
			putchar('\n');
			el_reset(el);
			text_clear(&t);
			copy_abort(cli);
			inside = '\0';
			continue;
		}
		if ((line == NULL || n <= 0) && cli->copy != NULL) {
			(void)run_complete(cli, &t, true, &inside);
			continue;
		}
		if (line == NULL || n <= 0)
			break;
		if (cli->copy == NULL && strspn(line, " \t\r\n") < (size_t)n)
			(void)history(lines, &event, H_ENTER, line);
		text_add(&t, line, (size_t)n);
		(void)run_complete(cli, &t, false, &inside);
	}
	if (!cli->quit)
		putchar('\n');
	save_history(lines, path);
	free(path);
	history_end(lines);
	el_end(el);
	text_free(&t);
}
