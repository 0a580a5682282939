/*
 * options.c: flags of the command line.
 */
#include "tools/pgfeed/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/client/leftfold.h"

enum { NAME_MAX_BYTES = 63, JOBS_MAX = 32, REPORT_S = 10, SPOOL_MEMORY = 8 << 20 };

static const char USAGE[] =
	"leftfold-pgfeed: feed Leftfold's tables from PostgreSQL's, by logical replication.\n"
	"\n"
	"  leftfold-pgfeed --from CONNINFO --to HOST:PORT [flags]\n"
	"\n"
	"  --from CONNINFO        PostgreSQL 15 or newer, as libpq takes it: \"host=… dbname=…\" or a URL\n"
	"  --to HOST:PORT         Leftfold\n"
	"  --slot NAME            replication slot, made if there is none; also the source that Leftfold's tables\n"
	"                         get (default: leftfold)\n"
	"  --publication NAME     what is fed (default: leftfold)\n"
	"  --create-publication   make it if there is none: of the tables of --table, or of all\n"
	"  --table S.T[=NAME]     feed this table of the publication, as NAME; repeat. Default: all of them\n"
	"  --column S.T.C=TYPE    keep this column with another type of Leftfold's; =- leaves it out; repeat\n"
	"  --recopy [S.T]         copy this table again, or all (and make the slot anew); repeat\n"
	"  --jobs N               connections that copy at once (default: 4)\n"
	"  --row-by-row           do not have the rows of a transaction become visible at one moment\n"
	"  --spool DIR            for what does not fit memory (default: $TMPDIR or /tmp)\n"
	"  --report SECONDS       a line about the lag so often, 0: never (default: 10)\n"
	"  --metrics FILE         write metrics there in Prometheus' text format, as often as the lag is measured\n"
	"  --retry SECONDS        give up when it has not worked for so long (default: never)\n"
	"  --until-now            end when everything is there that PostgreSQL has now\n"
	"\n"
	"  --status               tell how far the feed is, and end\n"
	"  --check                feed up to one moment, compare every row of every table, and end\n"
	"  --release              remove the slot and make the tables ordinary ones, and end\n"
	"\n"
	"SIGTERM and SIGINT end it in order; a second one at once. Exit codes: 0 ended as asked; 1 somebody has to do\n"
	"something, which is said; 2 wrong flags; 3 ended at once; 4 --check found differences; 5 another feed has the\n"
	"slot.\n";

enum flag {
	FLAG_FROM = 256,
	FLAG_TO,
	FLAG_SLOT,
	FLAG_PUBLICATION,
	FLAG_CREATE_PUBLICATION,
	FLAG_TABLE,
	FLAG_COLUMN,
	FLAG_RECOPY,
	FLAG_JOBS,
	FLAG_ROW_BY_ROW,
	FLAG_SPOOL,
	FLAG_SPOOL_MEMORY,
	FLAG_REPORT,
	FLAG_METRICS,
	FLAG_RETRY,
	FLAG_UNTIL_NOW,
	FLAG_STATUS,
	FLAG_CHECK,
	FLAG_RELEASE,
	FLAG_HELP,
	FLAG_VERSION
};

static const struct option FLAGS[] = {
	{ "from", required_argument, NULL, FLAG_FROM },
	{ "to", required_argument, NULL, FLAG_TO },
	{ "slot", required_argument, NULL, FLAG_SLOT },
	{ "publication", required_argument, NULL, FLAG_PUBLICATION },
	{ "create-publication", no_argument, NULL, FLAG_CREATE_PUBLICATION },
	{ "table", required_argument, NULL, FLAG_TABLE },
	{ "column", required_argument, NULL, FLAG_COLUMN },
	{ "recopy", optional_argument, NULL, FLAG_RECOPY },
	{ "jobs", required_argument, NULL, FLAG_JOBS },
	{ "row-by-row", no_argument, NULL, FLAG_ROW_BY_ROW },
	{ "spool", required_argument, NULL, FLAG_SPOOL },
	{ "spool-memory", required_argument, NULL, FLAG_SPOOL_MEMORY },
	{ "report", required_argument, NULL, FLAG_REPORT },
	{ "metrics", required_argument, NULL, FLAG_METRICS },
	{ "retry", required_argument, NULL, FLAG_RETRY },
	{ "until-now", no_argument, NULL, FLAG_UNTIL_NOW },
	{ "status", no_argument, NULL, FLAG_STATUS },
	{ "check", no_argument, NULL, FLAG_CHECK },
	{ "release", no_argument, NULL, FLAG_RELEASE },
	{ "help", no_argument, NULL, FLAG_HELP },
	{ "version", no_argument, NULL, FLAG_VERSION },
	{ NULL, 0, NULL, 0 },
};

static int wrong(const char *what, const char *value)
{
	(void)fprintf(stderr, "leftfold-pgfeed: %s: %s\nTry --help.\n", what, value);
	return -1;
}

/* The array with room for one more; NULL: out of memory. */
static void *grown(void *at, unsigned n, size_t size)
{
	return reallocarray(at, n + 1, size);
}

static int number(const char *text, unsigned least, unsigned most, unsigned *out)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || v < least || v > most)
		return wrong("not a number that is possible", text);
	*out = (unsigned)v;
	return 0;
}

static int add_table(struct options *o, const char *value)
{
	struct table_choice *t = grown(o->tables, o->ntables, sizeof(*t));
	char *source = strdup(value), *equals = source == NULL ? NULL : strchr(source, '=');

	if (t == NULL || source == NULL) {
		free(source);
		return wrong("out of memory", value);
	}
	o->tables = t;
	if (equals != NULL)
		*equals = '\0';
	t[o->ntables++] = (struct table_choice){ source, equals == NULL ? NULL : equals + 1 };
	if (source[0] == '\0' ||
		(equals != NULL && (equals[1] == '\0' || strlen(equals + 1) > NAME_MAX_BYTES)))
		return wrong("--table is SCHEMA.TABLE or SCHEMA.TABLE=NAME, not", value);
	return 0;
}

static int add_column(struct options *o, const char *value)
{
	struct column_choice *c = grown(o->columns, o->ncolumns, sizeof(*c));
	char *source = strdup(value), *equals = source == NULL ? NULL : strchr(source, '='),
	     *dot = NULL;

	if (c == NULL || source == NULL) {
		free(source);
		return wrong("out of memory", value);
	}
	o->columns = c;
	if (equals != NULL) {
		*equals = '\0';
		dot = strrchr(source, '.');
	}
	if (dot != NULL)
		*dot = '\0';
	c[o->ncolumns++] = (struct column_choice){ source, dot == NULL ? NULL : dot + 1,
		dot == NULL ? NULL : equals + 1 };
	if (dot == NULL || source[0] == '\0' || dot[1] == '\0' || equals[1] == '\0')
		return wrong("--column is SCHEMA.TABLE.COLUMN=TYPE, not", value);
	return 0;
}

static int add_recopy(struct options *o, const char *value)
{
	const char **r;

	if (value == NULL) {
		o->recopy_all = true;
		return 0;
	}
	r = grown(o->recopy, o->nrecopy, sizeof(*r));
	if (r == NULL)
		return wrong("out of memory", value);
	o->recopy = r;
	r[o->nrecopy++] = value;
	return 0;
}

static int take(struct options *o, int flag, const char *value)
{
	unsigned n;

	switch (flag) {
	case FLAG_FROM: o->from = value; return 0;
	case FLAG_TO: o->to = value; return 0;
	case FLAG_SLOT: o->slot = value; return 0;
	case FLAG_PUBLICATION: o->publication = value; return 0;
	case FLAG_CREATE_PUBLICATION: o->create_publication = true; return 0;
	case FLAG_TABLE: return add_table(o, value);
	case FLAG_COLUMN: return add_column(o, value);
	case FLAG_RECOPY: return add_recopy(o, value);
	case FLAG_JOBS: return number(value, 1, JOBS_MAX, &o->jobs);
	case FLAG_ROW_BY_ROW: o->row_by_row = true; return 0;
	case FLAG_SPOOL: o->spool_dir = value; return 0;
	case FLAG_SPOOL_MEMORY:
		if (number(value, 0, 1u << 30, &n) != 0)
			return -1;
		o->spool_memory = n;
		return 0;
	case FLAG_REPORT: return number(value, 0, 86400, &o->report_s);
	case FLAG_METRICS: o->metrics = value; return 0;
	case FLAG_RETRY: return number(value, 0, 1u << 30, &o->retry_s);
	case FLAG_UNTIL_NOW: o->until_now = true; return 0;
	case FLAG_STATUS: o->mode = MODE_STATUS; return 0;
	case FLAG_CHECK: o->mode = MODE_CHECK; return 0;
	case FLAG_RELEASE: o->mode = MODE_RELEASE; return 0;
	default: return wrong("no such flag", value == NULL ? "" : value);
	}
}

/* What PostgreSQL takes as the name of a slot. */
static bool is_slot(const char *name)
{
	return strlen(name) <= NAME_MAX_BYTES && name[0] != '\0' &&
		name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static int complete(struct options *o)
{
	if (o->from == NULL || o->to == NULL)
		return wrong("--from and --to", "are needed");
	if (!is_slot(o->slot))
		return wrong(
			"the name of a slot is of lower case letters, digits and _, not", o->slot);
	if (strlen(o->publication) > NAME_MAX_BYTES || o->publication[0] == '\0')
		return wrong("not the name of a publication", o->publication);
	return 0;
}

int options_parse(struct options *o, int argc, char **argv)
{
	const char *tmp = getenv("TMPDIR");
	int flag;

	*o = (struct options){ .slot = "leftfold",
		.publication = "leftfold",
		.jobs = 4,
		.report_s = REPORT_S,
		.spool_dir = tmp == NULL || tmp[0] == '\0' ? "/tmp" : tmp,
		.spool_memory = SPOOL_MEMORY };
	while ((flag = getopt_long(argc, argv, "", FLAGS, NULL)) != -1) {
		if (flag == FLAG_HELP) {
			(void)fputs(USAGE, stdout);
			return 1 + EXIT_ENDED;
		}
		if (flag == FLAG_VERSION) {
			(void)printf("leftfold-pgfeed %s\n", lf_client_version());
			return 1 + EXIT_ENDED;
		}
		/* getopt_long() has said it. */
		if (flag == '?' || take(o, flag, optarg) != 0)
			return 1 + EXIT_USAGE;
		/* --recopy S.T as well as --recopy=S.T. */
		if (flag == FLAG_RECOPY && optarg == NULL && optind < argc &&
			argv[optind][0] != '-') {
			o->recopy_all = false;
			if (add_recopy(o, argv[optind++]) != 0)
				return 1 + EXIT_USAGE;
		}
	}
	if (optind < argc) {
		(void)wrong("not a flag", argv[optind]);
		return 1 + EXIT_USAGE;
	}
	return complete(o) == 0 ? 0 : 1 + EXIT_USAGE;
}

void options_free(struct options *o)
{
	for (unsigned i = 0; i < o->ntables; i++)
		free(o->tables[i].source);
	for (unsigned i = 0; i < o->ncolumns; i++)
		free(o->columns[i].source);
	free(o->tables);
	free(o->columns);
	free(o->recopy);
}
