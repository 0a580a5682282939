/*
 * subscribe.c: leftfold subscribe: a query's rows, then their changes, a line each, until it is stopped.
 *
 * Lines go out when a group is whole, so that whoever reads them may take the last line of a group as its end.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tools/leftfold/cli.h"

static const char USAGE[] =
	"Usage: leftfold subscribe QUERY [PARAMETER...] [--connect ADDR:PORT] [--from EPOCH] [--latest] [--strict]\n"
	"                          [--format text|json] [--count N] [--once]\n"
	"\n"
	"Prints the rows of a query over one table or view as of one moment, then every change of them, grouped by\n"
	"epoch. $1, $2 … of the query are the parameters. When the connection is lost it connects anew and goes on\n"
	"where it was.\n"
	"\n"
	"  --from EPOCH   no rows first, but what has changed since this epoch (of the last line that was whole);\n"
	"                 if that is not kept any more: a gap, and all rows\n"
	"  --latest       one change a row for all that came meanwhile, rather than every change\n"
	"  --strict       end with LF008 where there would be a gap\n"
	"  --format text  EPOCH and one of: + row (there, or inserted), - row (deleted), < old row and > new row\n"
	"                 (updated), . (all up to here was told), ! (a gap: what was told before is void)\n"
	"  --format json  an object a line: {\"epoch\": 7, \"op\": \"update\", \"old\": {…}, \"new\": {…}}; op is snapshot\n"
	"                 (a row of it), insert, update, delete, end, gap. \"times\" says how often, if not once\n"
	"  --count N      end after so many snapshots and groups\n"
	"  --once         end when the connection is lost, or the server drops a subscriber that is too slow\n"
	"\n"
	"Exit codes: 0 after --count, SIGINT or SIGTERM; 1 it failed or ended; 2 wrong flags.\n";

enum { WAIT_MS = 100, PARAMETERS_MAX = 256 };

static volatile sig_atomic_t stopped;

static void on_stop(int number)
{
	(void)number;
	stopped = 1;
}

struct subscription {
	struct lf_follower_options options;
	const char *parameters[PARAMETERS_MAX];
	bool json;
	uint64_t count;
};

/* --- printing --- */

static void print_text(uint64_t epoch, const char *sign, const struct grid *g, int64_t row)
{
	printf("%llu %s", (unsigned long long)epoch, sign);
	if (row != LF_NO_ROW) {
		putchar(' ');
		print_csv_row(stdout, g, (size_t)row);
	}
	putchar('\n');
}

static void print_object(uint64_t epoch, const char *op, uint32_t times, const struct grid *g,
	int64_t old, int64_t new)
{
	printf("{\"epoch\": %llu, \"op\": \"%s\"", (unsigned long long)epoch, op);
	if (times > 1)
		printf(", \"times\": %u", times);
	if (old != LF_NO_ROW) {
		fputs(", \"old\": ", stdout);
		print_json_row(stdout, g, (size_t)old);
	}
	if (new != LF_NO_ROW) {
		fputs(", \"new\": ", stdout);
		print_json_row(stdout, g, (size_t) new);
	}
	puts("}");
}

static void print_change(const struct subscription *s, const struct lf_client_group *g,
	const struct grid *grid, const struct lf_client_change *x)
{
	bool old = x->old_row != LF_NO_ROW, new = x->new_row != LF_NO_ROW;

	if (s->json) {
		print_object(g->epoch,
			old && new    ? "update"
				: new ? "insert"
				      : "delete",
			x->times, grid, x->old_row, x->new_row);
		return;
	}
	for (uint32_t i = 0; i < x->times; i++) {
		if (old)
			print_text(g->epoch, new ? "<" : "-", grid, x->old_row);
		if (new)
			print_text(g->epoch, old ? ">" : "+", grid, x->new_row);
	}
}

static void print_mark(const struct subscription *s, const struct lf_client_group *g,
	const char *op, const char *sign)
{
	if (s->json)
		print_object(g->epoch, op, 1, NULL, LF_NO_ROW, LF_NO_ROW);
	else
		print_text(g->epoch, sign, NULL, LF_NO_ROW);
}

static void print_group(const struct subscription *s, const struct lf_client_group *g)
{
	struct grid grid = result_grid(g->rows);

	if (g->kind == LF_GROUP_GAP) {
		print_mark(s, g, "gap", "!");
		return;
	}
	for (size_t i = 0; g->kind == LF_GROUP_SNAPSHOT && i < grid.nrows; i++) {
		if (s->json)
			print_object(g->epoch, "snapshot", 1, &grid, LF_NO_ROW, (int64_t)i);
		else
			print_text(g->epoch, "+", &grid, (int64_t)i);
	}
	for (size_t i = 0; i < g->nchanges; i++)
		print_change(s, g, &grid, &g->changes[i]);
	if (g->kind != LF_GROUP_SNAPSHOT || g->last)
		print_mark(s, g, "end", ".");
}

/* --- running --- */

static int fail(const char *what, const struct lf_client_error *e, const char *text)
{
	fflush(stdout);
	fprintf(stderr, "%s:  %s: %s\n", what, e->sqlstate, e->message);
	if (e->position > 0)
		print_position(stderr, text, strlen(text), e->position);
	if (e->detail[0] != '\0')
		fprintf(stderr, "DETAIL:  %s\n", e->detail);
	if (e->hint[0] != '\0')
		fprintf(stderr, "HINT:  %s\n", e->hint);
	return 1;
}

static bool is_whole(const struct lf_client_group *g)
{
	return g->kind == LF_GROUP_CHANGES || (g->kind == LF_GROUP_SNAPSHOT && g->last);
}

static int follow(const struct subscription *s)
{
	const char *text = s->options.text;
	const struct lf_client_group *g;
	struct lf_follower *f;
	struct lf_client_error e;
	uint64_t left = s->count, connections = 0;
	int status = 0;

	if (lf_follower_open(&f, &s->options, &e) != 0)
		return fail("ERROR", &e, text);
	while (!stopped && (s->count == 0 || left > 0)) {
		status = lf_follower_next(f, WAIT_MS, &g, &e);
		if (status < 0)
			break;
		if (lf_follower_reconnects(f) != connections) {
			connections = lf_follower_reconnects(f);
			fprintf(stderr, "leftfold: connected again\n");
		}
		if (status == 0)
			continue;
		print_group(s, g);
		left -= is_whole(g);
		if (fflush(stdout) != 0 || ferror(stdout)) {
			fprintf(stderr, "leftfold: standard output: %s\n", strerror(errno));
			lf_follower_close(f);
			return 1;
		}
	}
	lf_follower_close(f);
	return status < 0 ? fail("ERROR", &e, text) : 0;
}

static uint64_t number(const char *flag, const char *value)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(value, &end, 10);
	if (errno == 0 && end != value && *end == '\0' && value[0] != '-')
		return n;
	fprintf(stderr, "leftfold: --%s: \"%s\" is not a number\n", flag, value);
	exit(2);
}

static void format_set(struct subscription *s, const char *value)
{
	s->json = strcmp(value, "json") == 0;
	if (s->json || strcmp(value, "text") == 0)
		return;
	fprintf(stderr, "leftfold: --format: \"%s\" is not known\n", value);
	exit(2);
}

int subscribe_command(int argc, char **argv)
{
	static const struct option FLAGS[] = {
		{ "connect", required_argument, NULL, 'C' },
		{ "from", required_argument, NULL, 'f' },
		{ "latest", no_argument, NULL, 'l' },
		{ "strict", no_argument, NULL, 's' },
		{ "format", required_argument, NULL, 'F' },
		{ "count", required_argument, NULL, 'n' },
		{ "once", no_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct subscription s = { .options = lf_follower_options_default() };
	const char *address = getenv("LEFTFOLD_CONNECT");
	struct sigaction stop = { .sa_handler = on_stop };
	int flag;

	while ((flag = getopt_long(argc, argv, "h", FLAGS, NULL)) != -1)
		switch (flag) {
		case 'C': address = optarg; break;
		case 'f': s.options.subscribe.from = number("from", optarg); break;
		case 'l': s.options.subscribe.latest = true; break;
		case 's': s.options.subscribe.strict = true; break;
		case 'F': format_set(&s, optarg); break;
		case 'n': s.count = number("count", optarg); break;
		case 'o': s.options.once = true; break;
		case 'h': fputs(USAGE, stdout); return 0;
		default: return 2;
		}
	if (optind == argc || argc - optind - 1 > PARAMETERS_MAX) {
		fputs(optind == argc ? "leftfold: subscribe needs a query; see --help\n"
				     : "leftfold: too many parameters\n",
			stderr);
		return 2;
	}
	s.options.text = argv[optind++];
	while (optind < argc)
		s.parameters[s.options.nparams++] = argv[optind++];
	s.options.params = s.parameters;
	s.options.client.address = address != NULL ? address : "127.0.0.1:5466";
	(void)sigaction(SIGINT, &stop, NULL);
	(void)sigaction(SIGTERM, &stop, NULL);
	return follow(&s);
}
