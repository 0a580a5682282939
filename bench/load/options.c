#include "bench/load/options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/custom.h"
#include "bench/load/server.h"

#define CONNECTIONS_MAX 65535
#define DEPTH_MAX 65536
#define BATCH_MAX 65535

static const struct workload *const WORKLOADS[] = { &WORKLOAD_KV, &WORKLOAD_VOTE, &WORKLOAD_ORDER,
	&WORKLOAD_TPCH, &WORKLOAD_ECHO, &WORKLOAD_CUSTOM };
enum { NWORKLOADS = sizeof(WORKLOADS) / sizeof(WORKLOADS[0]) };

static const char *const ACKS[] = {
	[LF_ACK_ACCEPTED] = "accepted", [LF_ACK_DURABLE] = "durable", [LF_ACK_VISIBLE] = "visible"
};

static const char USAGE_HEAD[] = "Usage: leftfold-bench [flags] WORKLOAD\n"
				 "\n"
				 "Loads a Leftfold server from one thread and checks what it did.\n"
				 "\n"
				 "Workloads:\n";

static const char USAGE[] =
	"\n"
	"Server:\n"
	"  --connect ADDR:PORT    a running one (default 127.0.0.1:5466); tables named bench_… are dropped there\n"
	"                         before and after\n"
	"  --server PATH          start this leftfoldd on a free port, and stop it afterwards\n"
	"  --server-flags FLAGS   more flags for it, e.g. \"--reactors 2 --projectors 2\"\n"
	"  --server-pid PID       with --connect: count the processor time of this local process\n"
	"  --pin[=S,C]            server on processor S only, client on C (default: the first two);\n"
	"                         with --connect only the client is pinned\n"
	"\n"
	"Load (a closed loop, unless --rate is given: every answer makes room for the next request):\n"
	"  --connections N        default 50\n"
	"  --depth N              executions in flight on each connection (default 64)\n"
	"  --batch N              executions of one frame (default 1); the latency of each is its frame's\n"
	"  --ack LEVEL            accepted, durable, visible (default): when commands are acknowledged\n"
	"  --seconds S            measured (default 10)\n"
	"  --requests N           measure so many executions instead\n"
	"  --warm-up S            run before measuring (default 2; 0 with --requests)\n"
	"  --rate N               an open loop: N executions a second, sent when they are due, on a free place of any connection;\n"
	"                         latencies count from when they were due\n"
	"  --reads PERCENT        so many of the executions read what the others change (vote: an article's count)\n"
	"  --rows N               size of the workload (above)\n"
	"  --file FILE            custom: what it executes (below)\n"
	"  --uniform              all keys alike (default)\n"
	"  --zipf S               keys by Zipf's law with exponent S, e.g. 0.99\n"
	"  --seed N               of all that is random (default 1)\n"
	"\n"
	"Output:\n"
	"  --perf-control FIFO    have perf record, started with --delay=-1 --control fifo:FIFO, record what is measured and\n"
	"                         nothing else\n"
	"  --json                 one JSON object instead of text\n"
	"  --hgrm PREFIX          also PREFIX.hgrm: the percentiles in ms for HdrHistogram's plotter, and PREFIX.NAME.hgrm of\n"
	"                         each of several statements\n"
	"  --quiet                no progress line\n"
	"  --keep                 leave the tables in the server\n"
	"  --help, --version\n"
	"\n"
	"The file of a custom workload has sections, whose lines begin with a blank (bench/load/custom.md):\n"
	"  drop, schema           statements that are executed first; those of drop also at the end\n"
	"  load NAME TIMES        a statement that is executed so often, then a line \"$1 = GENERATOR\" for each parameter\n"
	"  transaction NAME WEIGHT  likewise, one of those that are measured\n"
	"  verify                 queries that are true at the end; {NAME} is how often NAME was executed\n"
	"Generators: sequence(START), uniform(MIN, MAX), zipf(N, S), numeric(MIN, MAX, SCALE), text(LENGTH),\n"
	"  constant(TEXT), choice(TEXT|TEXT), now, uuid\n"
	"\n"
	"Exit codes: 0 well; 1 an error, a wrong answer or a wrong result at the end; 2 wrong flags or file.\n";

enum {
	FLAG_CONNECT = 256,
	FLAG_SERVER,
	FLAG_SERVER_FLAGS,
	FLAG_SERVER_PID,
	FLAG_PIN,
	FLAG_CONNECTIONS,
	FLAG_DEPTH,
	FLAG_BATCH,
	FLAG_ACK,
	FLAG_SECONDS,
	FLAG_REQUESTS,
	FLAG_WARM_UP,
	FLAG_RATE,
	FLAG_READS,
	FLAG_ROWS,
	FLAG_UNIFORM,
	FLAG_ZIPF,
	FLAG_SEED,
	FLAG_PERF_CONTROL,
	FLAG_FILE,
	FLAG_HGRM,
	FLAG_JSON,
	FLAG_QUIET,
	FLAG_KEEP,
	FLAG_HELP,
	FLAG_VERSION
};

static const struct option FLAGS[] = {
	{ "connect", required_argument, NULL, FLAG_CONNECT },
	{ "server", required_argument, NULL, FLAG_SERVER },
	{ "server-flags", required_argument, NULL, FLAG_SERVER_FLAGS },
	{ "server-pid", required_argument, NULL, FLAG_SERVER_PID },
	{ "pin", optional_argument, NULL, FLAG_PIN },
	{ "connections", required_argument, NULL, FLAG_CONNECTIONS },
	{ "depth", required_argument, NULL, FLAG_DEPTH },
	{ "batch", required_argument, NULL, FLAG_BATCH },
	{ "ack", required_argument, NULL, FLAG_ACK },
	{ "seconds", required_argument, NULL, FLAG_SECONDS },
	{ "requests", required_argument, NULL, FLAG_REQUESTS },
	{ "warm-up", required_argument, NULL, FLAG_WARM_UP },
	{ "rate", required_argument, NULL, FLAG_RATE },
	{ "reads", required_argument, NULL, FLAG_READS },
	{ "rows", required_argument, NULL, FLAG_ROWS },
	{ "uniform", no_argument, NULL, FLAG_UNIFORM },
	{ "zipf", required_argument, NULL, FLAG_ZIPF },
	{ "seed", required_argument, NULL, FLAG_SEED },
	{ "perf-control", required_argument, NULL, FLAG_PERF_CONTROL },
	{ "file", required_argument, NULL, FLAG_FILE },
	{ "hgrm", required_argument, NULL, FLAG_HGRM },
	{ "json", no_argument, NULL, FLAG_JSON },
	{ "quiet", no_argument, NULL, FLAG_QUIET },
	{ "keep", no_argument, NULL, FLAG_KEEP },
	{ "help", no_argument, NULL, FLAG_HELP },
	{ "version", no_argument, NULL, FLAG_VERSION },
	{ NULL, 0, NULL, 0 },
};

static void usage_error(const char *flag, const char *value, const char *expected)
{
	fprintf(stderr, "leftfold-bench: --%s: \"%s\" is not %s\n", flag, value, expected);
	exit(EXIT_USAGE);
}

static void help(void)
{
	fputs(USAGE_HEAD, stdout);
	for (unsigned i = 0; i < NWORKLOADS; i++) {
		printf("  %-6s %s\n", WORKLOADS[i]->name, WORKLOADS[i]->summary);
		if (WORKLOADS[i]->rows_are != NULL)
			printf("         --rows: %s (default %llu)\n", WORKLOADS[i]->rows_are,
				(unsigned long long)WORKLOADS[i]->rows);
	}
	fputs(USAGE, stdout);
}

static uint64_t parse_number(const char *flag, const char *text, uint64_t min, uint64_t max)
{
	char expected[80];
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || n < min || n > max) {
		(void)snprintf(expected, sizeof(expected), "a number between %llu and %llu",
			(unsigned long long)min, (unsigned long long)max);
		usage_error(flag, text, expected);
	}
	return n;
}

static double parse_decimal(const char *flag, const char *text, double min, double max)
{
	char *end;
	double d = strtod(text, &end);

	if (end == text || *end != '\0' || !isfinite(d) || d < min || d > max)
		usage_error(flag, text, "a number in the range allowed");
	return d;
}

static enum lf_client_ack parse_ack(const char *text)
{
	for (unsigned i = 0; i < sizeof(ACKS) / sizeof(ACKS[0]); i++)
		if (strcmp(text, ACKS[i]) == 0)
			return (enum lf_client_ack)i;
	usage_error("ack", text, "accepted, durable or visible");
	return LF_ACK_VISIBLE;
}

static void parse_pin(struct options *o, const char *text)
{
	char rest;

	if (text == NULL) {
		o->server_cpu = cpu_allowed(0);
		o->client_cpu = cpu_allowed(1);
		if (o->client_cpu < 0)
			usage_error("pin", "", "possible with one processor");
	} else if (sscanf(text, "%d,%d%c", &o->server_cpu, &o->client_cpu, &rest) != 2 ||
		o->server_cpu < 0 || o->client_cpu < 0) {
		usage_error("pin", text, "two processors such as 0,1");
	}
}

static void parse_flag(struct options *o, int flag, const char *value)
{
	switch (flag) {
	case FLAG_CONNECT: o->connect = value; break;
	case FLAG_SERVER: o->server = value; break;
	case FLAG_SERVER_FLAGS: o->server_flags = value; break;
	case FLAG_SERVER_PID:
		o->server_pid = (pid_t)parse_number("server-pid", value, 1, INT32_MAX);
		break;
	case FLAG_PIN: parse_pin(o, value); break;
	case FLAG_CONNECTIONS:
		o->connections = (unsigned)parse_number("connections", value, 1, CONNECTIONS_MAX);
		break;
	case FLAG_DEPTH: o->depth = (unsigned)parse_number("depth", value, 1, DEPTH_MAX); break;
	case FLAG_BATCH: o->batch = (unsigned)parse_number("batch", value, 1, BATCH_MAX); break;
	case FLAG_ACK: o->ack = parse_ack(value); break;
	case FLAG_SECONDS: o->seconds = parse_decimal("seconds", value, 0.01, 1e6); break;
	case FLAG_REQUESTS:
		o->requests = parse_number("requests", value, 1, UINT64_C(1000000000000));
		break;
	case FLAG_WARM_UP: o->warm_up = parse_decimal("warm-up", value, 0, 1e6); break;
	case FLAG_RATE: o->rate = parse_decimal("rate", value, 1, 1e9); break;
	case FLAG_READS: o->reads = parse_decimal("reads", value, 0, 100); break;
	case FLAG_ROWS: o->rows = parse_number("rows", value, 1, UINT64_C(1000000000)); break;
	case FLAG_UNIFORM: o->skew = 0; break;
	case FLAG_ZIPF: o->skew = parse_decimal("zipf", value, 0, 20); break;
	case FLAG_SEED: o->seed = parse_number("seed", value, 0, UINT64_MAX); break;
	case FLAG_PERF_CONTROL: o->perf_control = value; break;
	case FLAG_FILE: o->file = value; break;
	case FLAG_HGRM: o->hgrm = value; break;
	case FLAG_JSON: o->json = true; break;
	case FLAG_QUIET: o->quiet = true; break;
	case FLAG_KEEP: o->keep = true; break;
	case FLAG_HELP: help(); exit(0);
	case FLAG_VERSION: printf("leftfold-bench %s\n", lf_client_version()); exit(0);
	default: fputs("Try 'leftfold-bench --help'.\n", stderr); exit(EXIT_USAGE);
	}
}

static void refuse(const char *message, const char *what) __attribute__((noreturn));
static void refuse(const char *message, const char *what)
{
	fprintf(stderr, "leftfold-bench: %s%s\nTry 'leftfold-bench --help'.\n", message, what);
	exit(EXIT_USAGE);
}

static bool has_reads(const struct workload *w)
{
	bool any = false;

	for (unsigned i = 0; i < w->noperations; i++)
		any |= w->operations[i].mixed_in;
	return any;
}

static void choose_workload(struct options *o, const char *name)
{
	for (unsigned i = 0; i < NWORKLOADS; i++)
		if (strcmp(name, WORKLOADS[i]->name) == 0)
			o->workload = WORKLOADS[i];
	if (o->workload == NULL)
		refuse("there is no workload ", name);
	if ((o->workload == &WORKLOAD_CUSTOM) != (o->file != NULL))
		refuse("--file is for the workload custom, which needs it", "");
	if (o->reads > 0 && !has_reads(o->workload))
		refuse("--reads: nothing to mix into the workload ", name);
	if (o->batch > 1 && o->workload == &WORKLOAD_ECHO)
		refuse("--batch: only frames of one execution are given back by leftfoldd --echo",
			"");
	if (o->file == NULL)
		return;
	if (o->rows > 0 || o->skew > 0)
		refuse("--rows and --zipf: a custom workload's file says what it needs", "");
	o->custom = custom_workload(o->file);
	if (o->custom == NULL)
		exit(EXIT_USAGE);
	o->workload = o->custom;
}

void options_parse(struct options *o, int argc, char **argv)
{
	int flag;

	*o = (struct options){ .connect = "127.0.0.1:5466",
		.server_flags = "",
		.server_cpu = -1,
		.client_cpu = -1,
		.connections = 50,
		.depth = 64,
		.batch = 1,
		.ack = LF_ACK_VISIBLE,
		.seconds = 10,
		.warm_up = -1,
		.seed = 1 };
	while ((flag = getopt_long(argc, argv, "", FLAGS, NULL)) != -1)
		parse_flag(o, flag, optarg);
	if (optind + 1 != argc)
		refuse("one workload is expected", "");
	if (o->batch > o->depth)
		refuse("--batch must not be larger than --depth", "");
	choose_workload(o, argv[optind]);
	if (o->rows == 0)
		o->rows = o->workload->rows;
	if (o->warm_up < 0)
		o->warm_up = o->requests > 0 ? 0 : 2;
}

void options_free(struct options *o)
{
	custom_workload_free(o->custom);
}

const char *ack_name(enum lf_client_ack ack)
{
	return ACKS[ack];
}
