/*
 * events.c: leftfold events: the server's event log, as text or as JSON, an event a line.
 */
#include "tools/leftfold/events.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/leftfold/cli.h"

static const char *const KINDS[] = { "insert", "update", "delete" };

static const char EVENTS_USAGE[] =
	"Usage: leftfold events [--from EPOCH|oldest|now] [--table NAME] [--key KEY] [--follow] [--format text|json]\n"
	"                       [--connect ADDR:PORT]\n"
	"\n"
	"Prints the commands that changed something, in the order in which they are visible, with what they changed: those\n"
	"after the epoch (0: from the very first), all that are kept (oldest, default), or those to come (now).\n"
	"\n"
	"  --table NAME   only commands that changed it\n"
	"  --key KEY      only those of this aggregate, written as it is printed\n"
	"  --follow       go on with what happens, until interrupted\n"
	"  --format json  an object a line\n";

/* --- printing --- */

static void time_print(FILE *out, int64_t us)
{
	int64_t unix_us = us + LF_EPOCH_UNIX_US;
	time_t s = (time_t)(unix_us / 1000000 - (unix_us % 1000000 < 0));
	struct tm tm;
	char text[32];

	if (gmtime_r(&s, &tm) == NULL ||
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) == 0)
		return;
	fprintf(out, "%s.%06d", text, (int)(unix_us - (int64_t)s * 1000000));
}

/* Metadata: as text if it is printable, else in hexadecimal. */
static void meta_print(FILE *out, const struct lf_event *ev, bool json)
{
	const unsigned char *p = ev->meta;
	bool plain = true;

	for (size_t i = 0; i < ev->meta_bytes; i++)
		plain &= p[i] >= 0x20 && p[i] < 0x7f;
	if (plain && json) {
		print_json_string(out, ev->meta, ev->meta_bytes);
		return;
	}
	if (plain) {
		fprintf(out, "%.*s", (int)ev->meta_bytes, (const char *)ev->meta);
		return;
	}
	fputs(json ? "\"\\\\x" : "\\x", out);
	for (size_t i = 0; i < ev->meta_bytes; i++)
		fprintf(out, "%02x", p[i]);
	if (json)
		fputc('"', out);
}

static void json_event(FILE *out, const struct lf_event *ev)
{
	fprintf(out, "{\"epoch\": %" PRIu64 ", \"shard\": %u, \"number\": %u", ev->position.epoch,
		ev->position.shard, ev->position.number);
	if (ev->attempt > 0)
		fprintf(out, ", \"attempt\": %u", ev->attempt);
	fputs(", \"time\": \"", out);
	time_print(out, ev->time_us);
	fputs("\", \"key\": ", out);
	if (ev->key != NULL)
		print_json_value(out, ev->key, 0);
	else
		fputs("null", out);
	fputs(", \"statement\": ", out);
	print_json_string(out, ev->statement, ev->statement_length);
	if (ev->params != NULL) {
		fputs(", \"params\": ", out);
		print_json_object(out, ev->params);
	}
	if (ev->meta != NULL) {
		fputs(", \"meta\": ", out);
		meta_print(out, ev, true);
	}
	fputs(", \"changes\": [", out);
	for (size_t i = 0; i < ev->nchanges; i++) {
		const struct lf_event_change *c = &ev->changes[i];

		fprintf(out, "%s{\"table\": ", i > 0 ? ", " : "");
		print_json_string(out, c->table, strlen(c->table));
		fprintf(out, ", \"kind\": \"%s\", \"row\": ", KINDS[c->kind]);
		print_json_object(out, c->row);
		fputc('}', out);
	}
	fputs("]}\n", out);
}

static void text_event(FILE *out, const struct lf_event *ev)
{
	fprintf(out, "%" PRIu64 "/%u/%u  ", ev->position.epoch, ev->position.shard,
		ev->position.number);
	time_print(out, ev->time_us);
	if (ev->attempt > 1)
		fprintf(out, "  attempt %u", ev->attempt);
	if (ev->key != NULL) {
		fputs("  key ", out);
		print_json_value(out, ev->key, 0);
	}
	fprintf(out, "  %.*s\n", (int)ev->statement_length, ev->statement);
	if (ev->params != NULL) {
		fputs("    ", out);
		print_json_object(out, ev->params);
		fputc('\n', out);
	}
	if (ev->meta != NULL) {
		fputs("    meta ", out);
		meta_print(out, ev, false);
		fputc('\n', out);
	}
	for (size_t i = 0; i < ev->nchanges; i++) {
		const struct lf_event_change *c = &ev->changes[i];

		fprintf(out, "    %s %s ", KINDS[c->kind], c->table);
		print_json_object(out, c->row);
		fputc('\n', out);
	}
}

void event_print(FILE *out, const struct lf_event *ev, bool json)
{
	if (json)
		json_event(out, ev);
	else
		text_event(out, ev);
}

/* --- leftfold events --- */

struct events {
	bool json, follow, ended, failed;
};

static void on_event(void *arg, const struct lf_event *ev)
{
	const struct events *x = arg;

	event_print(stdout, ev, x->json);
	if (x->follow)
		fflush(stdout);
}

static void on_end(void *arg, struct lf_event_position reached, const struct lf_client_error *e)
{
	struct events *x = arg;

	(void)reached;
	x->ended = true;
	if (e == NULL)
		return;
	x->failed = true;
	fflush(stdout);
	fprintf(stderr, "leftfold: %s: %s\n", e->sqlstate, e->message);
	if (e->hint[0] != '\0')
		fprintf(stderr, "HINT:  %s\n", e->hint);
}

bool events_from(const char *text, enum lf_log_from *from, struct lf_event_position *behind)
{
	char *end;

	if (strcmp(text, "oldest") == 0 || strcmp(text, "now") == 0) {
		*from = text[0] == 'o' ? LF_LOG_OLDEST : LF_LOG_NOW;
		return true;
	}
	errno = 0;
	*from = LF_LOG_BEHIND;
	*behind = lf_epoch_end(strtoull(text, &end, 10));
	return errno == 0 && end != text && *end == '\0' && text[0] != '-';
}

static int events_run(const char *address, const struct lf_client_log *from, struct events *x)
{
	struct lf_client_options o = lf_client_options_default();
	struct lf_client_error e;
	struct lf_client *c;
	int status;

	o.address = address;
	if (lf_client_open(&c, &o, &e) != 0) {
		fprintf(stderr, "leftfold: %s: %s\n", e.sqlstate, e.message);
		return 1;
	}
	status = lf_client_log_open(c, from, on_event, on_end, x, NULL, &e);
	if (status != 0)
		fprintf(stderr, "leftfold: %s: %s\n", e.sqlstate, e.message);
	while (status == 0 && !x->ended && !ferror(stdout))
		status = lf_client_poll(c, -1, &e) < 0 ? -1 : 0;
	lf_client_close(c);
	if (fflush(stdout) != 0)
		x->failed = true;
	return status != 0 || x->failed;
}

int events_command(int argc, char **argv)
{
	static const struct option FLAGS[] = {
		{ "connect", required_argument, NULL, 'C' },
		{ "from", required_argument, NULL, 'f' },
		{ "table", required_argument, NULL, 't' },
		{ "key", required_argument, NULL, 'k' },
		{ "follow", no_argument, NULL, 'F' },
		{ "format", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *address = getenv("LEFTFOLD_CONNECT");
	struct lf_client_log from = { .from = LF_LOG_OLDEST };
	struct events x = { 0 };
	int flag;

	while ((flag = getopt_long(argc, argv, "h", FLAGS, NULL)) != -1) {
		bool good = true;

		switch (flag) {
		case 'C': address = optarg; break;
		case 'f': good = events_from(optarg, &from.from, &from.behind); break;
		case 't': from.table = optarg; break;
		case 'k': from.key = optarg; break;
		case 'F': from.follow = x.follow = true; break;
		case 'o':
			x.json = strcmp(optarg, "json") == 0;
			good = x.json || strcmp(optarg, "text") == 0;
			break;
		case 'h': fputs(EVENTS_USAGE, stdout); return 0;
		default: return 2;
		}
		if (!good) {
			fprintf(stderr, "leftfold events: \"%s\" is not known\n", optarg);
			return 2;
		}
	}
	if (optind < argc) {
		fputs(EVENTS_USAGE, stderr);
		return 2;
	}
	return events_run(address != NULL ? address : "127.0.0.1:5466", &from, &x);
}
