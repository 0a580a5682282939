/*
 * server.c: a supervisor of two children, the server and the play.
 *
 * It waits for signals only: the end of a child, or somebody who wants it to stop. So whatever becomes of the
 * play, what was started is stopped and what was made is removed. The server is in a process group of its own, so
 * that Ctrl-C reaches it once, from here; it dies with the supervisor.
 */
#include "tools/demo/server.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { START_MS = 60000, STOP_MS = 30000, STEP_MS = 5, LOG_SHOWN = 4000 };

struct stage {
	char folder[64], port_file[96], data[96], log[96], address[64];
	pid_t server, play; /* 0: not running */
	int server_status;
	sigset_t watched, former; /* signals blocked here, and the mask before */
};

static void become_child(const struct stage *s, pid_t parent, int parent_death)
{
	(void)prctl(PR_SET_PDEATHSIG, parent_death);
	if (getppid() != parent)
		_exit(1);
	(void)sigprocmask(SIG_SETMASK, &s->former, NULL);
}

static int start_server(struct stage *s, const char *build)
{
	char program[4096];
	pid_t parent = getpid();

	(void)snprintf(program, sizeof(program), "%s/leftfoldd", build);
	(void)fflush(NULL);
	s->server = fork();
	if (s->server == 0) {
		become_child(s, parent, SIGTERM);
		(void)setpgid(0, 0);
		if (freopen(s->log, "w", stderr) == NULL || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
			_exit(126);
		execl(program, program, "--listen", "127.0.0.1:0", "--port-file", s->port_file,
			"--data", s->data, "--projectors", "2", (char *)NULL);
		dprintf(STDERR_FILENO, "%s: %s\n", program, strerror(errno));
		_exit(127);
	}
	return s->server < 0 ? -1 : 0;
}

static long now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void pause_a_moment(void)
{
	const struct timespec t = { 0, STEP_MS * 1000000 };

	(void)nanosleep(&t, NULL);
}

/* Take the end of the server, when it has ended. */
static bool server_ended(struct stage *s)
{
	if (s->server > 0 && waitpid(s->server, &s->server_status, WNOHANG) == s->server)
		s->server = 0;
	return s->server <= 0;
}

static bool read_address(struct stage *s)
{
	FILE *f = fopen(s->port_file, "r");
	bool done = f != NULL && fgets(s->address, sizeof(s->address), f) != NULL;

	if (f != NULL)
		(void)fclose(f);
	s->address[strcspn(s->address, "\n")] = '\0';
	return done;
}

/* 0; a signal that came meanwhile; or -1: the server is not there. */
static int wait_for_address(struct stage *s)
{
	const long end = now_ms() + START_MS;
	sigset_t pending;

	while (now_ms() < end) {
		if (read_address(s))
			return 0;
		(void)sigpending(&pending);
		for (int signal = 1; signal < SIGRTMIN; signal++)
			if (signal != SIGCHLD && sigismember(&pending, signal) == 1)
				return signal;
		if (server_ended(s))
			return -1;
		pause_a_moment();
	}
	return -1;
}

/* Until the play ends or a signal comes; returns the exit code. */
static int wait_for_play(struct stage *s)
{
	int status = 0;

	for (;;) {
		int signal = sigwaitinfo(&s->watched, NULL);

		if (signal > 0 && signal != SIGCHLD) {
			(void)kill(s->play, SIGKILL);
			(void)waitpid(s->play, &status, 0);
			return 128 + signal;
		}
		if (waitpid(s->play, &status, WNOHANG) == s->play)
			break;
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "demo: ended by signal %d\n", WTERMSIG(status));
	return 1;
}

static void show_log(const struct stage *s)
{
	FILE *f = fopen(s->log, "r");
	char text[LOG_SHOWN];
	size_t n;

	if (f == NULL)
		return;
	n = fread(text, 1, sizeof(text), f);
	fprintf(stderr, "demo: the server did not run to its end; it says:\n%.*s\n", (int)n, text);
	(void)fclose(f);
}

/* False: it did not end well. */
static bool stop_server(struct stage *s)
{
	const long end = now_ms() + STOP_MS;

	if (!server_ended(s)) {
		(void)kill(s->server, SIGTERM);
		while (now_ms() < end && !server_ended(s))
			pause_a_moment();
	}
	if (!server_ended(s)) {
		(void)kill(s->server, SIGKILL);
		(void)waitpid(s->server, &s->server_status, 0);
		s->server = 0;
	}
	return WIFEXITED(s->server_status) && WEXITSTATUS(s->server_status) == 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int run_play(struct stage *s, int (*play)(void *arg, const char *address), void *arg)
{
	pid_t parent = getpid();

	(void)fflush(NULL);
	s->play = fork();
	if (s->play == 0) {
		become_child(s, parent, SIGKILL);
		exit(play(arg, s->address));
	}
	return s->play < 0 ? 1 : wait_for_play(s);
}

int server_run(const char *build, int (*play)(void *arg, const char *address), void *arg)
{
	static const int SIGNALS[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD };
	const char *tmp = getenv("TMPDIR");
	struct stage s = { 0 };
	int code, started;

	if (tmp == NULL || strlen(tmp) > 32)
		tmp = "/tmp";
	(void)snprintf(s.folder, sizeof(s.folder), "%s/leftfold-demo-XXXXXX", tmp);
	(void)sigemptyset(&s.watched);
	for (size_t i = 0; i < sizeof(SIGNALS) / sizeof(SIGNALS[0]); i++)
		(void)sigaddset(&s.watched, SIGNALS[i]);
	(void)sigprocmask(SIG_BLOCK, &s.watched, &s.former);
	if (mkdtemp(s.folder) == NULL) {
		fprintf(stderr, "demo: %s: %s\n", s.folder, strerror(errno));
		return 1;
	}
	(void)snprintf(s.port_file, sizeof(s.port_file), "%s/port", s.folder);
	(void)snprintf(s.data, sizeof(s.data), "%s/data", s.folder);
	(void)snprintf(s.log, sizeof(s.log), "%s/log", s.folder);
	started = start_server(&s, build) == 0 ? wait_for_address(&s) : -1;
	code = started == 0 ? run_play(&s, play, arg) : started > 0 ? 128 + started : 1;
	if (!stop_server(&s)) {
		show_log(&s);
		code = code == 0 ? 1 : code;
	}
	if (nftw(s.folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS) != 0)
		fprintf(stderr, "demo: %s could not be removed\n", s.folder);
	return code;
}
