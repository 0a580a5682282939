/*
 * main.c: leftfold-pgfeed: sessions one after the other, until something ends them.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/pgfeed/session.h"

enum {
	WAIT_MS_LEAST = 100,
	WAIT_MS_MOST = 2000,
	IN_USE_MS = 10000, /* whoever has the slot may just be ending */
	GOOD_MS = 1000     /* a session that lasted so long was none that failed */
};

volatile int stopping;

static void on_signal(int number)
{
	(void)number;
	if (stopping)
		_exit(EXIT_AT_ONCE);
	stopping = 1;
}

static void signals_take(void)
{
	struct sigaction a = { .sa_handler = on_signal };

	(void)sigemptyset(&a.sa_mask);
	(void)sigaction(SIGINT, &a, NULL);
	(void)sigaction(SIGTERM, &a, NULL);
	a.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &a, NULL);
}

/* How it goes on after failures. */
struct patience {
	uint64_t begun_ms;  /* of what has been failing; 0: nothing has */
	uint64_t in_use_ms; /* the same of a slot in use */
	unsigned wait_ms;
	char said[1024]; /* each reason is told once */
};

static void nap(unsigned ms)
{
	for (unsigned waited = 0; waited < ms && !stopping; waited += WAIT_MS_LEAST)
		(void)poll(NULL, 0, WAIT_MS_LEAST);
}

/* After a session that took so long. The exit code; -1: another session. */
static int next(
	const struct options *o, struct patience *p, const struct failure *f, uint64_t lasted_ms)
{
	uint64_t now = now_ms();

	if (lasted_ms >= GOOD_MS)
		*p = (struct patience){ 0 };
	if (f->kind == FAILURE_STOPPED)
		return EXIT_ENDED;
	if (f->kind != FAILURE_FATAL && stopping)
		return EXIT_ENDED;
	if (strcmp(p->said, f->text) != 0) {
		say_failure(f);
		(void)snprintf(p->said, sizeof(p->said), "%s", f->text);
	}
	if (f->kind == FAILURE_FATAL)
		return EXIT_FAILED;
	if (p->begun_ms == 0)
		p->begun_ms = now;
	if (f->kind != FAILURE_IN_USE)
		p->in_use_ms = 0;
	else if (p->in_use_ms == 0)
		p->in_use_ms = now;
	else if (now - p->in_use_ms >= IN_USE_MS)
		return EXIT_IN_USE;
	if (o->retry_s > 0 && now - p->begun_ms >= 1000 * (uint64_t)o->retry_s)
		return f->kind == FAILURE_IN_USE ? EXIT_IN_USE : EXIT_FAILED;
	p->wait_ms = p->wait_ms == 0 ? WAIT_MS_LEAST : 2 * p->wait_ms;
	if (p->wait_ms > WAIT_MS_MOST)
		p->wait_ms = WAIT_MS_MOST;
	nap(f->kind == FAILURE_ANEW ? WAIT_MS_LEAST : p->wait_ms);
	return -1;
}

static int session_run(struct session *s)
{
	if (s->o->mode == MODE_RELEASE)
		return session_release(s) == 0 ? EXIT_ENDED : -1;
	if (session_begin(s) != 0)
		return -1;
	return s->o->mode == MODE_CHECK ? check_run(s) : stream_run(s);
}

static int sessions_run(const struct options *o, struct totals *totals)
{
	bool recopy = o->recopy_all || o->nrecopy > 0;
	struct patience patience = { 0 };
	int code = -1;

	while (code < 0) {
		struct session s = { .o = o, .totals = totals, .recopy = recopy };
		uint64_t begun = now_ms();

		code = session_run(&s);
		recopy = s.recopy;
		session_end(&s);
		if (code < 0) {
			report_down(o, totals);
			code = next(o, &patience, &s.f, now_ms() - begun);
		}
	}
	return code;
}

int main(int argc, char **argv)
{
	struct totals *totals = calloc(1, sizeof(*totals));
	struct options o;
	int code = options_parse(&o, argc, argv);

	if (code != 0 || totals == NULL) {
		options_free(&o);
		free(totals);
		return code == 0 ? EXIT_FAILED : code - 1;
	}
	signals_take();
	code = o.mode == MODE_STATUS ? status_run(&o) : sessions_run(&o, totals);
	options_free(&o);
	free(totals);
	return code;
}
