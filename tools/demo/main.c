/*
 * main.c: leftfold-demo: `make demo`. A shop, then this machine's package database, both through the binary protocol,
 * both recomputed by SQLite.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/demo/acts.h"
#include "tools/demo/print.h"
#include "tools/demo/server.h"

enum { DEFAULT_SEED = 20250106, EXIT_USAGE = 2, MIB_BYTES = 1024 * 1024 };

static const char USAGE[] =
	"Usage: leftfold-demo [flags]\n"
	"\n"
	"Starts a server of its own, plays a shop and loads this machine's package database, shows the views,\n"
	"and compares every table and view with SQLite's recomputation.\n"
	"\n"
	"  --build DIR   where leftfoldd is (default: build)\n"
	"  --seed N      of the shop\n"
	"  --small       a few thousand commands\n"
	"  --help\n"
	"\n"
	"Exit codes: 0 all is equal; 1 something differs or failed; 2 wrong flags; 128 + a signal.\n";

void act_compare(
	struct demo *d, sqlite3 *db, const struct relation *tables, const struct relation *views)
{
	struct verdict v[2];

	v[0] = oracle_compare(d->read, d->epoch, db, tables, 1);
	v[1] = oracle_compare(d->read, d->epoch, db, views, 0);
	for (unsigned i = 0; i < 2; i++) {
		d->verdict.relations += v[i].relations;
		d->verdict.different += v[i].different;
		d->verdict.rows += v[i].rows;
	}
}

/* A counter of the server's; 0 when it has no such. */
static int64_t info_of(const char *info, const char *key)
{
	size_t n = strlen(key);

	for (const char *line = info; line != NULL && *line != '\0';) {
		if (strncmp(line, key, n) == 0 && line[n] == ' ')
			return strtoll(line + n + 1, NULL, 10);
		line = strchr(line, '\n');
		line += line != NULL;
	}
	return 0;
}

static void line(struct table *t, const char *what, const char *value)
{
	table_cell(t, what);
	table_cell(t, value);
}

static void summary(struct demo *d, uint64_t start_ns)
{
	static const char *const HEADERS[] = { "altogether", "" };
	struct lf_client_error e;
	char *info, text[64];
	struct table *t;

	if (lf_client_info(d->read, &info, NULL, &e) != 0)
		die("%s: %s", e.sqlstate, e.message);
	print_heading("Summary");
	t = table_new("lr", HEADERS);
	line(t, "commands acknowledged", number((int64_t)d->commands));
	line(t, "commands a second, all views kept",
		number((int64_t)((double)d->commands / d->seconds)));
	line(t, "views", number(d->views));
	line(t, "rows in tables and views", number(info_of(info, "rows")));
	(void)snprintf(
		text, sizeof(text), "%s MiB", number(info_of(info, "memory_used") / MIB_BYTES));
	line(t, "the server's memory for them", text);
	line(t, "epochs", number(info_of(info, "visible")));
	line(t, "tables and views compared with SQLite", number(d->verdict.relations));
	line(t, "rows compared", number((int64_t)d->verdict.rows));
	line(t, "that differ", d->verdict.different == 0 ? "none" : number(d->verdict.different));
	(void)snprintf(text, sizeof(text), "%.1f s", (double)(now_ns() - start_ns) / 1e9);
	line(t, "time", text);
	table_print(t);
	free(info);
}

static int play(void *arg, const char *address)
{
	struct demo *d = arg;
	struct lf_client_options o = lf_client_options_default();
	struct lf_client_error e;
	uint64_t start_ns = now_ns();

	print_start();
	o.address = d->address = address;
	if (lf_client_open(&d->read, &o, &e) != 0)
		die("%s: %s", e.sqlstate, e.message);
	print_heading("Leftfold %s: commands in, views out", lf_client_version());
	print_text(
		"A server was started for this, with two shards, at %s. It is stopped at the end.",
		address);
	act_shop(d);
	act_debian(d);
	summary(d, start_ns);
	lf_client_close(d->read);
	if (d->verdict.different > 0) {
		printf("\n");
		die("%u relations differ", d->verdict.different);
	}
	print_text(
		"\nEvery table and every view is equal to what SQLite computes. To go on by yourself:");
	printf("\n    build/leftfoldd &    # the server\n    build/leftfold       # the client\n");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option FLAGS[] = { { "build", required_argument, NULL, 'b' },
		{ "seed", required_argument, NULL, 's' }, { "small", no_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	struct demo d = { .seed = DEFAULT_SEED };
	const char *build = "build";
	int flag;

	while ((flag = getopt_long(argc, argv, "", FLAGS, NULL)) != -1) {
		switch (flag) {
		case 'b': build = optarg; break;
		case 's': d.seed = strtoull(optarg, NULL, 10); break;
		case 'm': d.small = true; break;
		case 'h': fputs(USAGE, stdout); return 0;
		default: fputs(USAGE, stderr); return EXIT_USAGE;
		}
	}
	if (optind != argc) {
		fputs(USAGE, stderr);
		return EXIT_USAGE;
	}
	return server_run(build, play, &d);
}
