/*
 * main.c: leftfold, the command-line client: flags and exit codes. See cli.h for the rest.
 */
#include "tools/leftfold/cli.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char USAGE[] =
	"Usage: leftfold [--connect ADDR:PORT] [-c SQL | -f FILE]\n"
	"       leftfold inspect DIR [--blocks | --entries]\n"
	"       leftfold backup DATA-DIR NEW-DIR [--connect ADDR:PORT]\n"
	"       leftfold subscribe QUERY [PARAMETER...] [--help]\n"
	"       leftfold events [--from EPOCH|oldest|now] [--table NAME] [--key KEY] [--follow] [--format text|json]\n"
	"       leftfold consume NAME [--from EPOCH|oldest|now] [--format text|json] [--max N]\n"
	"\n"
	"Runs statements and commands that begin with a backslash (\\? lists them), each acknowledged before\n"
	"the next. Without -c and -f: a prompt on a terminal, else those of standard input.\n"
	"\n"
	"  --connect ADDR:PORT   default: $LEFTFOLD_CONNECT or 127.0.0.1:5466\n"
	"  -c SQL                run this; may be given several times\n"
	"  -f FILE               run this file; - is standard input\n"
	"  --format FORMAT       table (default on a terminal), csv (default otherwise), json (an array for each\n"
	"                        answer), ndjson (an object a line)\n"
	"  --ack LEVEL           accepted, durable or visible (default) for commands\n"
	"  --keep-going          go on after an error; the exit code is 1 all the same\n"
	"  --help, --version\n"
	"\n"
	"Rows go to standard output; errors, notices, and times in machine formats to standard error. Only the\n"
	"format table says what a command did (INSERT 0 1).\n"
	"\n"
	"inspect prints and verifies the journal and checkpoints of a data directory, and changes nothing. backup\n"
	"has the server write a checkpoint and copies it: a server can be started on NEW-DIR. subscribe prints the\n"
	"rows of a query over one table or view, and then every change of them. events prints the event log of a server\n"
	"that keeps one, consume takes part in a group of consumers ('leftfold events --help', 'leftfold consume --help').\n"
	"\n"
	"Exit codes: 0; 1 a statement failed or the connection broke; 2 wrong flags.\n"
	"Environment: LEFTFOLD_CONNECT, LEFTFOLD_HISTORY (default ~/.leftfold_history; empty: none).\n";

enum { COMMANDS_MAX = 64 };

static int choose(const char *flag, const char *value, const char *const *names)
{
	for (int i = 0; names[i] != NULL; i++)
		if (strcmp(names[i], value) == 0)
			return i;
	fprintf(stderr, "leftfold: --%s: \"%s\" is not known\n", flag, value);
	exit(2);
}

/* A command acknowledged as accepted was refused, or the server has something to say. */
static void late_error(void *arg, uint64_t request, const struct lf_client_error *e)
{
	struct cli *cli = arg;

	fflush(stdout);
	if (request != 0)
		fprintf(stderr, "ERROR (of an accepted command):  %s: %s\n", e->sqlstate,
			e->message);
	else
		fprintf(stderr, "The server says:  %s: %s\n", e->sqlstate, e->message);
	if (e->detail[0] != '\0')
		fprintf(stderr, "DETAIL:  %s\n", e->detail);
	if (!cli->interactive)
		cli->status = 1;
}

static void connect_to(struct cli *cli, const char *address)
{
	struct lf_client_options options = lf_client_options_default();
	struct lf_client_error e;

	options.address = address;
	if (lf_client_open(&cli->connection, &options, &e) != 0) {
		fprintf(stderr, "leftfold: %s: %s\n", e.sqlstate, e.message);
		exit(1);
	}
	lf_client_on_error(cli->connection, late_error, cli);
	cli->answer = need(lf_result_new());
}

static void run_path(struct cli *cli, const char *path)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");

	if (f == NULL) {
		fprintf(stderr, "leftfold: %s: %s\n", path, strerror(errno));
		cli->status = 1;
		return;
	}
	if (f != stdin)
		cli->file = path;
	run_file(cli, f);
	if (f != stdin)
		fclose(f);
}

int main(int argc, char **argv)
{
	static const struct option FLAGS[] = {
		{ "connect", required_argument, NULL, 'C' },
		{ "format", required_argument, NULL, 'F' },
		{ "ack", required_argument, NULL, 'A' },
		{ "keep-going", no_argument, NULL, 'K' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	static const char *const FORMATS[] = { "table", "csv", "json", "ndjson", NULL };
	static const char *const ACKS[] = { "accepted", "durable", "visible", NULL };
	struct cli cli = { .ack = LF_ACK_VISIBLE,
		.format = isatty(STDOUT_FILENO) ? FORMAT_TABLE : FORMAT_CSV };
	const char *address = getenv("LEFTFOLD_CONNECT"), *file = NULL;
	const char *commands[COMMANDS_MAX];
	unsigned ncommands = 0;
	int flag;

	if (argc > 1 && strcmp(argv[1], "inspect") == 0)
		return inspect_command(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "backup") == 0)
		return backup_command(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "subscribe") == 0)
		return subscribe_command(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "events") == 0)
		return events_command(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "consume") == 0)
		return consume_command(argc - 1, argv + 1);
	while ((flag = getopt_long(argc, argv, "c:f:h", FLAGS, NULL)) != -1)
		switch (flag) {
		case 'C': address = optarg; break;
		case 'F': cli.format = (enum format)choose("format", optarg, FORMATS); break;
		case 'A': cli.ack = (enum lf_client_ack)choose("ack", optarg, ACKS); break;
		case 'K': cli.keep_going = true; break;
		case 'c':
			if (ncommands == COMMANDS_MAX) {
				fprintf(stderr, "leftfold: more than %d times -c\n", COMMANDS_MAX);
				return 2;
			}
			commands[ncommands++] = optarg;
			break;
		case 'f': file = optarg; break;
		case 'h': fputs(USAGE, stdout); return 0;
		case 'V': printf("leftfold %s\n", lf_client_version()); return 0;
		default: return 2;
		}
	if (optind < argc || (ncommands > 0 && file != NULL)) {
		fputs(optind < argc ? "leftfold: there are no arguments but flags; see --help\n"
				    : "leftfold: either -c or -f\n",
			stderr);
		return 2;
	}
	/* For the width of characters; the point of decimals stays a point. */
	if (setlocale(LC_CTYPE, "") == NULL || MB_CUR_MAX == 1)
		(void)setlocale(LC_CTYPE, "C.UTF-8");
	connect_to(&cli, address != NULL ? address : "127.0.0.1:5466");
	for (unsigned i = 0; i < ncommands && (cli.status == 0 || cli.keep_going); i++)
		/* getopt_long() never gives -c without its argument. */
		run_text(&cli, commands[i],
			strlen(commands[i])); // NOLINT(clang-analyzer-core.NonNullParamChecker)
	if (ncommands == 0 && (file != NULL || !isatty(STDIN_FILENO)))
		run_path(&cli, file != NULL ? file : "-");
	else if (ncommands == 0)
		run_interactive(&cli);
	copy_abort(&cli);
	run_settle(&cli);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "leftfold: standard output: %s\n", strerror(errno));
		cli.status = 1;
	}
	lf_result_free(cli.answer);
	lf_client_close(cli.connection);
	text_free(&cli.previous);
	return cli.status;
}
