/*
 * main.c: leftfoldd, the server: flags, start, signals, stop.
 *
 * A first SIGTERM or SIGINT drains: nothing new is taken, what was taken is answered, then the process
 * ends. A second one ends it at once.
 *
 * Exit codes: 0 stopped by a signal after draining; 1 could not start (message on standard error); 2 wrong
 * flags; 3 stopped by a second signal before all was answered; 4 the journal could not be written.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "net/server/reactor.h"

#ifndef LF_VERSION
#define LF_VERSION "0.1.0"
#endif

enum {
	EXIT_START = 1,
	EXIT_USAGE = 2,
	EXIT_HASTE = 3,
	EXIT_UNWRITABLE = 4,
	LISTEN_BACKLOG = 1024,
	SCHEMA_MAX = MIB(64)
};

struct settings {
	const char *listen;
	const char *schema;
	const char *durability;
	const char *threads;
	const char *port_file;
	struct lf_options engine;
	struct server_options server;
};

static const char USAGE[] =
	"Usage: leftfoldd [flags]\n"
	"\n"
	"An in-memory engine for commands and materialized views. It holds tables and the views over them,\n"
	"declared in SQL, and serves them over a binary protocol.\n"
	"\n"
	"  --schema FILE          SQL script run at start: CREATE TABLE, CREATE MATERIALIZED VIEW, …\n"
	"  --data DIR             data directory (made if missing): what is there is recovered, changes are journaled;\n"
	"                         without it everything is in memory only\n"
	"  --durability LEVEL     what acknowledged commands survive: disk (default; power loss), os (the end of the\n"
	"                         process only), memory (nothing; the same as no --data)\n"
	"  --salvage              where the data directory is damaged: recover what is sound, say what is dropped, and keep\n"
	"                         the damaged files under other names\n"
	"  --segment-size SIZE    of the journal's files (default 64M)\n"
	"  --checkpoint-size SIZE a checkpoint is written after so much journal (default 1G; 0: not for that)\n"
	"  --checkpoint-interval S  … or after so many seconds with changes (default 300; 0: not for that)\n"
	"  --event-log            journal every command that changes something before its changes, and serve them all to\n"
	"                         'leftfold events' and to consumers; with --data only\n"
	"  --event-log-retain SIZE  … and keep so much journal for that when no checkpoint needs it (default 1G;\n"
	"                         0: no longer than checkpoints do)\n"
	"  --listen ADDR:PORT     default 127.0.0.1:5466; port 0 lets the kernel choose\n"
	"  --port-file FILE       written with \"ADDR:PORT\" when the server is ready\n"
	"  --reactors R           threads that serve connections (default 1)\n"
	"  --projectors P         shards (default 1)\n"
	"  --threads HOW          dedicated: each projector has a thread of its own; shared: reactors do their work;\n"
	"                         auto (default): shared where there are fewer processors than reactors and projectors\n"
	"  --spin MICROSECONDS    threads without work look for it so long before they sleep (default 0): answers come\n"
	"                         sooner, for processor time; for machines with processors to spare\n"
	"  --memory-limit SIZE    for rows, indexes and views, e.g. 512M or 8G (default: none)\n"
	"  --build-at-once ROWS   commands wait while a view or an index over so many rows is made; while one over more\n"
	"                         is, they go on (default 4096)\n"
	"  --once-answers N       answers that are remembered of each client that gives request ids, by each shard (default\n"
	"                         65536); older ids are refused (LF006)\n"
	"  --once-memory SIZE     … of all clients together (default 64M)\n"
	"  --once-seconds S       … and for how long (default 86400)\n"
	"  --history SIZE         changes that each projector keeps for subscribers (default 64M)\n"
	"  --history-keep S       … so long after the last subscriber of a table or view has gone (default 300)\n"
	"  --prefault SIZE        memory taken from the system at start, so that growing up to it waits for no\n"
	"                         page fault; it is kept until the end (default 0)\n"
	"  --max-connections N    default 4096\n"
	"  --max-frame SIZE       largest frame taken from a client (default 16448K)\n"
	"  --max-output SIZE      answers waiting for one client before it is not read any more (default 32M)\n"
	"  --max-statements N     prepared statements of one connection (default 4096)\n"
	"  --max-requests N       unanswered requests of one connection (default 65536)\n"
	"  --idle-timeout S       close connections that are silent for S seconds (default 0: never)\n"
	"  --slow-timeout S       close connections that take no bytes for S seconds (default 30)\n"
	"  --hello-timeout S      close connections that say no hello for S seconds (default 10)\n"
	"  --echo                 give the row of every execute frame back at once, for benchmarks of the network\n"
	"  --log-level LEVEL      error, warn, info (default) or debug\n"
	"  --help, --version\n"
	"\n"
	"Time-outs of 0 are none. SIZE is bytes, or a number with K, M, G or T.\n"
	"\n"
	"SIGTERM and SIGINT drain: what was taken is answered, then the server ends; a second one ends it at\n"
	"once.\n"
	"Exit codes: 0 stopped by a signal after draining; 1 could not start; 2 wrong flags; 3 stopped by a\n"
	"second signal before all was answered; 4 the journal could not be written.\n";

enum {
	FLAG_SCHEMA = 256,
	FLAG_DATA,
	FLAG_DURABILITY,
	FLAG_SALVAGE,
	FLAG_SEGMENT,
	FLAG_BUILD_AT_ONCE,
	FLAG_CHECKPOINT_SIZE,
	FLAG_CHECKPOINT_INTERVAL,
	FLAG_EVENT_LOG,
	FLAG_EVENT_LOG_RETAIN,
	FLAG_LISTEN,
	FLAG_PORT_FILE,
	FLAG_REACTORS,
	FLAG_PROJECTORS,
	FLAG_THREADS,
	FLAG_SPIN,
	FLAG_MEMORY,
	FLAG_ONCE_ANSWERS,
	FLAG_ONCE_MEMORY,
	FLAG_ONCE_SECONDS,
	FLAG_HISTORY,
	FLAG_HISTORY_KEEP,
	FLAG_PREFAULT,
	FLAG_CONNECTIONS,
	FLAG_FRAME,
	FLAG_OUTPUT,
	FLAG_STATEMENTS,
	FLAG_REQUESTS,
	FLAG_IDLE,
	FLAG_SLOW,
	FLAG_HELLO,
	FLAG_ECHO,
	FLAG_LOG,
	FLAG_HELP,
	FLAG_VERSION
};

static const struct option FLAGS[] = {
	{ "schema", required_argument, NULL, FLAG_SCHEMA },
	{ "data", required_argument, NULL, FLAG_DATA },
	{ "durability", required_argument, NULL, FLAG_DURABILITY },
	{ "salvage", no_argument, NULL, FLAG_SALVAGE },
	{ "segment-size", required_argument, NULL, FLAG_SEGMENT },
	{ "build-at-once", required_argument, NULL, FLAG_BUILD_AT_ONCE },
	{ "checkpoint-size", required_argument, NULL, FLAG_CHECKPOINT_SIZE },
	{ "checkpoint-interval", required_argument, NULL, FLAG_CHECKPOINT_INTERVAL },
	{ "event-log", no_argument, NULL, FLAG_EVENT_LOG },
	{ "event-log-retain", required_argument, NULL, FLAG_EVENT_LOG_RETAIN },
	{ "listen", required_argument, NULL, FLAG_LISTEN },
	{ "port-file", required_argument, NULL, FLAG_PORT_FILE },
	{ "reactors", required_argument, NULL, FLAG_REACTORS },
	{ "projectors", required_argument, NULL, FLAG_PROJECTORS },
	{ "threads", required_argument, NULL, FLAG_THREADS },
	{ "spin", required_argument, NULL, FLAG_SPIN },
	{ "memory-limit", required_argument, NULL, FLAG_MEMORY },
	{ "once-answers", required_argument, NULL, FLAG_ONCE_ANSWERS },
	{ "once-memory", required_argument, NULL, FLAG_ONCE_MEMORY },
	{ "once-seconds", required_argument, NULL, FLAG_ONCE_SECONDS },
	{ "history", required_argument, NULL, FLAG_HISTORY },
	{ "history-keep", required_argument, NULL, FLAG_HISTORY_KEEP },
	{ "prefault", required_argument, NULL, FLAG_PREFAULT },
	{ "max-connections", required_argument, NULL, FLAG_CONNECTIONS },
	{ "max-frame", required_argument, NULL, FLAG_FRAME },
	{ "max-output", required_argument, NULL, FLAG_OUTPUT },
	{ "max-statements", required_argument, NULL, FLAG_STATEMENTS },
	{ "max-requests", required_argument, NULL, FLAG_REQUESTS },
	{ "idle-timeout", required_argument, NULL, FLAG_IDLE },
	{ "slow-timeout", required_argument, NULL, FLAG_SLOW },
	{ "hello-timeout", required_argument, NULL, FLAG_HELLO },
	{ "echo", no_argument, NULL, FLAG_ECHO },
	{ "log-level", required_argument, NULL, FLAG_LOG },
	{ "help", no_argument, NULL, FLAG_HELP },
	{ "version", no_argument, NULL, FLAG_VERSION },
	{ NULL, 0, NULL, 0 },
};

static void usage_error(const char *flag, const char *value, const char *expected)
{
	fprintf(stderr, "leftfoldd: --%s: \"%s\" is not %s\n", flag, value, expected);
	exit(EXIT_USAGE);
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

static uint64_t parse_size(const char *flag, const char *text, uint64_t min, uint64_t max)
{
	static const char UNITS[] = "KMGT";
	char *end;
	unsigned long long n;
	unsigned shift = 0;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (end != text && *end != '\0' && strchr(UNITS, *end) != NULL) {
		shift = 10 * (unsigned)(strchr(UNITS, *end) - UNITS + 1);
		end++;
	}
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || n > (max >> shift) ||
		(n << shift) < min)
		usage_error(flag, text, "a size such as 65536, 512M or 8G in the range allowed");
	return (uint64_t)n << shift;
}

static void parse_flag(struct settings *s, int flag, const char *value)
{
	switch (flag) {
	case FLAG_SCHEMA: s->schema = value; break;
	case FLAG_DATA: s->engine.data = value; break;
	case FLAG_DURABILITY: s->durability = value; break;
	case FLAG_SALVAGE: s->engine.salvage = true; break;
	case FLAG_SEGMENT:
		s->engine.segment_bytes = parse_size("segment-size", value, LIMIT_SEGMENT_BYTES_MIN,
						  LIMIT_SEGMENT_BYTES_MAX) &
			~(uint64_t)4095;
		break;
	case FLAG_LISTEN: s->listen = value; break;
	case FLAG_PORT_FILE: s->port_file = value; break;
	case FLAG_CHECKPOINT_SIZE:
		s->engine.checkpoint_bytes = parse_size(
			"checkpoint-size", value, 0, UINT64_MAX >> 1);
		break;
	case FLAG_CHECKPOINT_INTERVAL:
		s->engine.checkpoint_s = (unsigned)parse_number(
			"checkpoint-interval", value, 0, 1000000);
		break;
	case FLAG_EVENT_LOG: s->engine.event_log = true; break;
	case FLAG_EVENT_LOG_RETAIN:
		s->engine.event_log_retain = parse_size(
			"event-log-retain", value, 0, UINT64_MAX >> 1);
		break;
	case FLAG_REACTORS:
		s->server.reactors = (unsigned)parse_number("reactors", value, 1, LIMIT_REACTORS);
		break;
	case FLAG_PROJECTORS:
		s->engine.projectors = (unsigned)parse_number(
			"projectors", value, 1, LIMIT_PROJECTORS);
		break;
	case FLAG_THREADS: s->threads = value; break;
	case FLAG_SPIN:
		s->engine.spin_us = (unsigned)parse_number("spin", value, 0, LIMIT_SPIN_US);
		break;
	case FLAG_BUILD_AT_ONCE:
		s->engine.build_at_once = parse_number("build-at-once", value, 0, UINT64_MAX >> 1);
		break;
	case FLAG_ONCE_ANSWERS:
		s->engine.once_answers = (uint32_t)parse_number(
			"once-answers", value, 1, UINT32_MAX);
		break;
	case FLAG_ONCE_MEMORY:
		s->engine.once_bytes = parse_size("once-memory", value, 0, UINT64_MAX >> 1);
		break;
	case FLAG_ONCE_SECONDS:
		s->engine.once_seconds = (uint32_t)parse_number(
			"once-seconds", value, 0, 1000000000);
		break;
	case FLAG_HISTORY:
		s->engine.history = parse_size(
			"history", value, LIMIT_HISTORY_BYTES_MIN, UINT64_MAX >> 1);
		break;
	case FLAG_HISTORY_KEEP:
		s->engine.history_keep_s = (unsigned)parse_number(
			"history-keep", value, 0, 1000000);
		break;
	case FLAG_PREFAULT:
		s->engine.prefault = parse_size("prefault", value, 0, UINT64_MAX >> 1);
		break;
	case FLAG_MEMORY:
		s->engine.memory_limit = parse_size("memory-limit", value, MIB(1), UINT64_MAX >> 1);
		break;
	case FLAG_CONNECTIONS:
		s->server.connections_max = (unsigned)parse_number(
			"max-connections", value, 1, LIMIT_CONNECTIONS);
		break;
	case FLAG_FRAME:
		s->server.frame_max = (uint32_t)parse_size("max-frame", value, 1024, MIB(1024));
		break;
	case FLAG_OUTPUT:
		s->server.output_max = parse_size("max-output", value, 1024, UINT64_MAX >> 1);
		break;
	case FLAG_STATEMENTS:
		s->server.statements_max = (unsigned)parse_number(
			"max-statements", value, 1, LIMIT_STATEMENTS_PER_SESSION);
		break;
	case FLAG_REQUESTS:
		s->server.requests_max = (unsigned)parse_number(
			"max-requests", value, 1, LIMIT_REQUESTS_IN_FLIGHT);
		break;
	case FLAG_IDLE:
		s->server.idle_s = (unsigned)parse_number("idle-timeout", value, 0, 1000000);
		break;
	case FLAG_SLOW:
		s->server.slow_s = (unsigned)parse_number("slow-timeout", value, 0, 1000000);
		break;
	case FLAG_HELLO:
		s->server.hello_s = (unsigned)parse_number("hello-timeout", value, 0, 1000000);
		break;
	case FLAG_ECHO: s->server.echo = true; break;
	case FLAG_LOG: {
		int level = log_level_parse(value);

		if (level < 0)
			usage_error("log-level", value, "error, warn, info or debug");
		log_set_level((enum log_level)level);
		break;
	}
	case FLAG_HELP: fputs(USAGE, stdout); exit(0);
	case FLAG_VERSION: puts("leftfoldd " LF_VERSION); exit(0);
	default: fputs("Try 'leftfoldd --help'.\n", stderr); exit(EXIT_USAGE);
	}
}

static void durability_set(struct settings *s)
{
	if (s->durability == NULL)
		return;
	if (strcmp(s->durability, "memory") == 0) {
		if (s->engine.data != NULL)
			usage_error("durability", "memory",
				"of any use with --data: leave one of them out");
	} else if (strcmp(s->durability, "os") == 0) {
		s->engine.durability = LF_DURABILITY_OS;
	} else if (strcmp(s->durability, "disk") != 0) {
		usage_error("durability", s->durability, "disk, os or memory");
	} else if (s->engine.data == NULL) {
		usage_error("durability", s->durability, "possible without --data");
	}
}

static bool too_few_processors(unsigned threads)
{
	cpu_set_t allowed;

	return sched_getaffinity(0, sizeof(allowed), &allowed) == 0 &&
		threads > (unsigned)CPU_COUNT(&allowed);
}

static void threads_set(struct settings *s)
{
	if (s->threads == NULL || strcmp(s->threads, "auto") == 0)
		s->server.shared = too_few_processors(s->server.reactors + s->engine.projectors);
	else if (strcmp(s->threads, "shared") == 0)
		s->server.shared = true;
	else if (strcmp(s->threads, "dedicated") != 0)
		usage_error("threads", s->threads, "auto, shared or dedicated");
	/* One more for what the kernel does for them, and for clients. */
	if (s->engine.spin_us > 0 &&
		too_few_processors(
			1 + s->server.reactors + (s->server.shared ? 0 : s->engine.projectors))) {
		log_warn(
			"--spin is ignored: there are not more processors than threads that would spin");
		s->engine.spin_us = 0;
	}
	s->server.spin_us = s->engine.spin_us;
}

static void settings_parse(struct settings *s, int argc, char **argv)
{
	int flag;

	*s = (struct settings){
		.listen = "127.0.0.1:5466",
		.engine = lf_options_default(),
		.server = {
			.reactors = 1, .connections_max = DEFAULT_CONNECTIONS,
			.frame_max = LIMIT_FRAME_BYTES, .output_max = DEFAULT_OUTPUT_BYTES,
			.statements_max = LIMIT_STATEMENTS_PER_SESSION,
			.requests_max = LIMIT_REQUESTS_IN_FLIGHT, .idle_s = DEFAULT_IDLE_SECONDS,
			.slow_s = DEFAULT_SLOW_SECONDS, .hello_s = DEFAULT_HELLO_SECONDS,
		},
	};
	while ((flag = getopt_long(argc, argv, "", FLAGS, NULL)) != -1)
		parse_flag(s, flag, optarg);
	if (optind < argc) {
		fprintf(stderr, "leftfoldd: unexpected argument \"%s\"\n", argv[optind]);
		exit(EXIT_USAGE);
	}
	durability_set(s);
	if (s->engine.event_log && s->engine.data == NULL) {
		fputs("leftfoldd: --event-log needs --data\n", stderr);
		exit(EXIT_USAGE);
	}
	threads_set(s);
	/* One for what runs at the start, one of consumers. */
	s->engine.ports_max = s->server.reactors + 2 + s->engine.event_log;
}

/* --- start --- */

static int fail(const char *what, const char *name)
{
	log_error("%s %s: %s", what, name, strerror(errno));
	return -1;
}

static bool is_loopback(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, a, sizeof(in));
		return ntohl(in.sin_addr.s_addr) >> 24 == 127;
	}
	if (a->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, a, sizeof(in6));
		return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
	}
	return false;
}

static bool is_port(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return n > 0 && n <= 5 && text[n] == '\0' && atoi(text) <= UINT16_MAX;
}

/* "host:port" or "[v6]:port" to a listening socket. */
static int listen_open(const char *where)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *found;
	const char *colon = strrchr(where, ':');
	char host[256];
	size_t n;
	int fd, one = 1, status;

	if (colon == NULL || (size_t)(colon - where) >= sizeof(host)) {
		log_error("--listen %s: expected ADDR:PORT", where);
		return -1;
	}
	n = (size_t)(colon - where);
	memcpy(host, where, n);
	host[n] = '\0';
	if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
		memmove(host, host + 1, n - 2);
		host[n - 2] = '\0';
	}
	if (!is_port(colon + 1)) {
		log_error("--listen %s: the port is not a number between 0 and 65535", where);
		return -1;
	}
	status = getaddrinfo(host, colon + 1, &hints, &found);
	if (status != 0) {
		log_error("--listen %s: %s", where, gai_strerror(status));
		return -1;
	}
	if (!is_loopback(found->ai_addr)) {
		freeaddrinfo(found);
		log_error(
			"--listen %s: refused: without authentication only loopback addresses are served",
			where);
		return -1;
	}
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	status = fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0 ||
		listen(fd, LISTEN_BACKLOG) != 0;
	freeaddrinfo(found);
	if (status != 0) {
		(void)fail("--listen", where);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

/* The address as it is now, with the port the kernel chose. */
static void listen_name(int fd, char *out, size_t cap)
{
	struct sockaddr_storage a = { 0 };
	socklen_t len = sizeof(a);
	char host[INET6_ADDRSTRLEN], port[16];

	if (getsockname(fd, (struct sockaddr *)&a, &len) != 0 ||
		getnameinfo((struct sockaddr *)&a, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
		(void)snprintf(out, cap, "?");
		return;
	}
	(void)snprintf(out, cap, a.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static char *file_read(const char *path, size_t *len)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t n = 0, cap = 0;

	if (f == NULL)
		return NULL;
	for (;;) {
		if (n == cap) {
			char *more = n < SCHEMA_MAX
				? realloc(text, cap = cap == 0 ? 65536 : 2 * cap)
				: NULL;

			if (more == NULL)
				break;
			text = more;
		}
		size_t got = fread(text + n, 1, cap - n, f);

		if (got == 0) {
			*len = n;
			fclose(f);
			return text;
		}
		n += got;
	}
	free(text);
	fclose(f);
	errno = EFBIG;
	return NULL;
}

/* Line and column, from 1, of a position in characters, from 1. */
static void place_of(const char *text, size_t len, int position, unsigned *line, unsigned *column)
{
	size_t at = utf8_offset(text, len, position > 0 ? (size_t)position - 1 : 0), begin = 0;

	*line = 1;
	for (size_t i = 0; i < at; i++)
		if (text[i] == '\n') {
			(*line)++;
			begin = i + 1;
		}
	*column = (unsigned)utf8_length(text + begin, at - begin) + 1;
}

static int schema_load(struct lf_engine *engine, const char *path)
{
	struct lf_port *port;
	struct error e;
	size_t len = 0;
	char *text = file_read(path, &len);
	int status;

	if (text == NULL)
		return fail("--schema", path);
	if (lf_port_open(&port, engine, NULL, NULL, &e) != 0) {
		free(text);
		log_error("%s", e.message);
		return -1;
	}
	status = lf_run_schema(port, text, len, &e);
	if (status != 0) {
		unsigned line, column;

		place_of(text, len, e.position, &line, &column);
		log_error("%s:%u:%u: %s: %s%s%s%s%s", path, line, column, error_state(&e),
			e.message, e.detail[0] ? "; " : "", e.detail, e.hint[0] ? "; " : "",
			e.hint);
	}
	lf_port_close(port);
	free(text);
	return status;
}

/* Written whole under another name first, so that whoever waits for it reads all of it. */
static int port_file_write(const char *path, const char *address)
{
	char temporary[4096];
	FILE *f;
	bool written;

	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.new", path) >= sizeof(temporary)) {
		errno = ENAMETOOLONG;
		return fail("--port-file", path);
	}
	f = fopen(temporary, "we");
	if (f == NULL)
		return fail("--port-file", path);
	written = fprintf(f, "%s\n", address) > 0;
	if (fclose(f) != 0 || !written || rename(temporary, path) != 0)
		return fail("--port-file", path);
	return 0;
}

/*
 * Where threads share processors, none of ours should interrupt another because it was woken: reactors and projectors
 * hand each other batches, and a batch cut short is a smaller batch and two more switches. SCHED_BATCH says so to the
 * system; threads inherit it.
 */
static void scheduling_set(unsigned threads)
{
	struct sched_param param = { 0 };

	if (too_few_processors(threads))
		(void)sched_setscheduler(0, SCHED_BATCH, &param);
}

/* A descriptor a connection, and some of our own: the soft limit is often 1024. */
static void descriptors_allow(unsigned connections)
{
	enum { OWN_DESCRIPTORS = 256 };
	rlim_t want = (rlim_t)connections + OWN_DESCRIPTORS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= want)
		return;
	if (limit.rlim_max < want)
		log_warn(
			"the limit of %llu open files is too low for %u connections: more will wait",
			(unsigned long long)limit.rlim_max, connections);
	limit.rlim_cur = want < limit.rlim_max ? want : limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* --- run --- */

static _Atomic bool unwritable;

/* Answer what can be answered, then end. */
static void on_unwritable(void *arg, const struct error *why)
{
	(void)arg;
	log_error("the journal cannot be written: %s", why->message);
	atomic_store(&unwritable, true);
	(void)kill(getpid(), SIGTERM);
}

static void *reactor_thread(void *arg)
{
	reactor_run(arg);
	return NULL;
}

static void signals_block(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void exit_at_once(int signal_number)
{
	(void)signal_number;
	_exit(EXIT_HASTE);
}

/* From now on a signal ends the process. */
static void signals_unblock(const sigset_t *set)
{
	struct sigaction action = { .sa_handler = exit_at_once };

	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
	(void)pthread_sigmask(SIG_UNBLOCK, set, NULL);
}

static int serve(struct server *server, const struct settings *s, sigset_t *signals)
{
	unsigned n = s->server.reactors, started = 0;
	pthread_t *threads = n == 0 ? NULL : calloc(n, sizeof(*threads));
	char address[128];
	int status = threads == NULL ? -1 : 0, got;

	listen_name(server->listener, address, sizeof(address));
	while (status == 0 && started < n) {
		char name[24];

		if (pthread_create(&threads[started], NULL, reactor_thread,
			    server->reactors[started]) != 0) {
			status = fail("starting", "a reactor");
			break;
		}
		(void)snprintf(name, sizeof(name), "reactor-%u", started % 1000);
		(void)pthread_setname_np(threads[started++], name);
	}
	if (status == 0 && s->port_file != NULL)
		status = port_file_write(s->port_file, address);
	if (status == 0) {
		printf("leftfoldd " LF_VERSION " listening on %s, %u reactor%s, %u projector%s%s\n",
			address, n, n == 1 ? "" : "s", s->engine.projectors,
			s->engine.projectors == 1 ? "" : "s",
			s->server.shared ? ", shared threads" : "");
		fflush(stdout);
		(void)sigwait(signals, &got);
		log_info("stopping");
		signals_unblock(signals);
	}
	atomic_store(&server->stopping, true);
	for (unsigned i = 0; i < started; i++)
		reactor_wake(server->reactors[i]);
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	free(threads);
	return status;
}

int main(int argc, char **argv)
{
	struct settings settings;
	struct server server = { .listener = -1 };
	struct error e;
	sigset_t signals;
	int status = -1;

	settings_parse(&settings, argc, argv);
	settings.engine.on_unwritable = on_unwritable;
	signals_block(&signals);
	descriptors_allow(settings.server.connections_max);
	scheduling_set(settings.server.reactors + settings.engine.projectors);
	/* One left by an earlier run would say that we are ready. */
	if (settings.port_file != NULL && unlink(settings.port_file) != 0 && errno != ENOENT) {
		(void)fail("--port-file", settings.port_file);
		return EXIT_START;
	}
	server.options = settings.server;
	server.options.shards = settings.engine.projectors;
	server.reactors = calloc(settings.server.reactors, sizeof(*server.reactors));
	if (server.reactors == NULL || lf_engine_open(&server.engine, &settings.engine, &e) != 0) {
		log_error("%s", server.reactors == NULL ? "out of memory" : e.message);
		free(server.reactors);
		return EXIT_START;
	}
	if (settings.schema == NULL || schema_load(server.engine, settings.schema) == 0) {
		server.listener = listen_open(settings.listen);
		status = server.listener < 0 ? -1 : 0;
	}
	for (unsigned i = 0; status == 0 && i < settings.server.reactors; i++) {
		status = reactor_new(&server.reactors[i], &server, i, &e);
		if (status != 0)
			log_error("%s", e.message);
	}
	if (status == 0)
		status = serve(&server, &settings, &signals);
	for (unsigned i = 0; i < settings.server.reactors; i++)
		reactor_free(server.reactors[i]);
	if (server.listener >= 0)
		close(server.listener);
	free(server.reactors);
	feeders_free(&server.feeders);
	lf_engine_close(server.engine);
	if (atomic_load(&unwritable))
		return EXIT_UNWRITABLE;
	return status == 0 ? 0 : EXIT_START;
}
