/*
 * consume.c: leftfold consume: a member of a group of consumers, which prints its events and acknowledges each when it is
 * printed; and the group's dead letters.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/leftfold/cli.h"
#include "tools/leftfold/events.h"

static const char USAGE[] =
	"Usage: leftfold consume NAME [--from EPOCH|oldest|now] [--reset] [--format text|json] [--max N]\n"
	"                        [--ack-timeout MS] [--attempts N] [--inflight N] [--connect ADDR:PORT]\n"
	"       leftfold consume NAME --dead | --requeue\n"
	"\n"
	"Takes part in the group of consumers NAME: prints the events that are its own and acknowledges each, until\n"
	"interrupted. Several may do so at once: each aggregate's events go to one of them, in their order. The server keeps how\n"
	"far the group has come.\n"
	"\n"
	"  --from WHERE      where a new group begins: behind an epoch, at the oldest event kept (default), or now\n"
	"  --reset           begin there though the group is not new\n"
	"  --max N           leave after so many events\n"
	"  --ack-timeout MS  after which an event that is not acknowledged is given again (default 30000)\n"
	"  --attempts N      so often at most; then it is a dead letter (default 5)\n"
	"  --inflight N      events given and not acknowledged at most (default 64)\n"
	"  --format json     an object a line\n"
	"  --dead            print the dead letters: epoch, shard, number, attempts, at, key, statement\n"
	"  --requeue         have all dead letters given again\n";

struct consume {
	struct lf_client *c;
	uint64_t request;
	bool json, ended, failed, closing;
	uint64_t max, n; /* max 0: no limit */
};

static void complain(const struct lf_client_error *e)
{
	fflush(stdout);
	fprintf(stderr, "leftfold: %s: %s\n", e->sqlstate, e->message);
	if (e->hint[0] != '\0')
		fprintf(stderr, "HINT:  %s\n", e->hint);
}

static void on_event(void *arg, const struct lf_event *ev)
{
	struct consume *x = arg;
	struct lf_client_error e;

	if (x->closing)
		return;
	event_print(stdout, ev, x->json);
	/* Not before it has left us. */
	if (fflush(stdout) != 0 ||
		lf_consumer_settle(
			x->c, x->request, LF_CONSUMER_ACKNOWLEDGE, &ev->position, 1, &e) != 0) {
		x->failed = x->closing = true;
		return;
	}
	if (x->max > 0 && ++x->n == x->max)
		x->closing = true;
}

static void on_end(void *arg, struct lf_event_position reached, const struct lf_client_error *e)
{
	struct consume *x = arg;

	(void)reached;
	x->ended = true;
	if (e == NULL || (x->closing && strcmp(e->sqlstate, "57014") == 0))
		return;
	x->failed = true;
	complain(e);
}

static int consume_run(struct consume *x, const struct lf_consumer_options *o)
{
	struct lf_client_error e;
	bool closed = false;

	if (lf_consumer_open(x->c, o, on_event, on_end, x, &x->request, &e) != 0) {
		complain(&e);
		return 1;
	}
	while (!x->ended) {
		if (x->closing && !closed) {
			closed = true;
			(void)lf_consumer_close(x->c, x->request, &e);
		}
		if (lf_client_poll(x->c, -1, &e) < 0)
			break;
	}
	return x->failed || !x->ended;
}

static int dead_print(struct lf_client *c, const char *name, bool json)
{
	struct lf_statement *s;
	struct lf_params *p;
	struct lf_result *r = need(lf_result_new());
	struct lf_client_error e;
	struct grid g;
	int status = lf_client_prepare(&s, c,
		"SELECT epoch, shard, number, attempts, at, key, statement FROM leftfold_dead_letters"
		" WHERE consumer = $1 ORDER BY epoch, shard, number",
		SIZE_MAX, NULL, 0, &e);

	if (status == 0) {
		p = need(lf_params_new(s));
		(void)lf_params_set_text(p, 0, name, SIZE_MAX);
		status = lf_client_execute(c, s, p, NULL, r, &e);
		lf_params_free(p);
		lf_statement_close(s);
	}
	/* The table is made with the first consumer. */
	if (status != 0 && strcmp(e.sqlstate, "42P01") != 0) {
		complain(&e);
	} else {
		g = result_grid(r);
		if (status == 0)
			print_grid(stdout, json ? FORMAT_NDJSON : FORMAT_CSV, &g);
		status = 0;
	}
	lf_result_free(r);
	return status != 0;
}

static int requeue(struct lf_client *c, const char *name)
{
	struct lf_client_error e;
	uint64_t n;

	if (lf_consumer_requeue(c, name, NULL, &n, &e) != 0) {
		complain(&e);
		return 1;
	}
	printf("%" PRIu64 "\n", n);
	return 0;
}

static bool number(const char *text, uint64_t most, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && text[0] != '-' && *out > 0 &&
		*out <= most;
}

struct settings {
	struct lf_consumer_options o;
	struct consume x;
	const char *address;
	bool dead, requeue;
};

/* False: a wrong value. */
static bool flag_take(struct settings *s, int flag, const char *value)
{
	uint64_t n = 0;
	bool good = true;

	switch (flag) {
	case 'C': s->address = value; break;
	case 'f': good = events_from(value, &s->o.from, &s->o.behind); break;
	case 'r': s->o.reset = true; break;
	case 'm': good = number(value, UINT64_MAX, &s->x.max); break;
	case 't':
		good = number(value, UINT32_MAX, &n);
		s->o.ack_ms = (uint32_t)n;
		break;
	case 'a':
		good = number(value, UINT32_MAX, &n);
		s->o.attempts_max = (uint32_t)n;
		break;
	case 'i':
		good = number(value, UINT32_MAX, &n);
		s->o.inflight_max = (uint32_t)n;
		break;
	case 'o':
		s->x.json = strcmp(value, "json") == 0;
		good = s->x.json || strcmp(value, "text") == 0;
		break;
	case 'd': s->dead = true; break;
	default: s->requeue = true; break;
	}
	return good;
}

int consume_command(int argc, char **argv)
{
	static const struct option FLAGS[] = {
		{ "connect", required_argument, NULL, 'C' },
		{ "from", required_argument, NULL, 'f' },
		{ "reset", no_argument, NULL, 'r' },
		{ "max", required_argument, NULL, 'm' },
		{ "ack-timeout", required_argument, NULL, 't' },
		{ "attempts", required_argument, NULL, 'a' },
		{ "inflight", required_argument, NULL, 'i' },
		{ "format", required_argument, NULL, 'o' },
		{ "dead", no_argument, NULL, 'd' },
		{ "requeue", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct settings s = { .o = { .from = LF_LOG_OLDEST },
		.address = getenv("LEFTFOLD_CONNECT") };
	struct lf_client_options options = lf_client_options_default();
	struct lf_client_error e;
	int flag, status;

	while ((flag = getopt_long(argc, argv, "h", FLAGS, NULL)) != -1) {
		if (flag == 'h') {
			fputs(USAGE, stdout);
			return 0;
		}
		if (flag == '?')
			return 2;
		if (!flag_take(&s, flag, optarg)) {
			fprintf(stderr, "leftfold consume: \"%s\" is not known\n", optarg);
			return 2;
		}
	}
	if (optind + 1 != argc || (s.dead && s.requeue)) {
		fputs(USAGE, stderr);
		return 2;
	}
	s.o.name = argv[optind];
	options.address = s.address != NULL ? s.address : "127.0.0.1:5466";
	if (lf_client_open(&s.x.c, &options, &e) != 0) {
		complain(&e);
		return 1;
	}
	status = s.dead     ? dead_print(s.x.c, s.o.name, s.x.json)
		: s.requeue ? requeue(s.x.c, s.o.name)
			    : consume_run(&s.x, &s.o);
	lf_client_close(s.x.c);
	return status;
}
