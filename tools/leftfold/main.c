/*
 * main.c: leftfold, the command-line client: runs statements and prints their rows.
 *
 * Each statement is acknowledged before the next is sent. Exit codes: 0; 1 a statement failed or the
 * connection broke; 2 wrong flags.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/sql/split.h"
#include "net/client/leftfold.h"

enum format { FORMAT_TABLE, FORMAT_CSV, FORMAT_JSON, FORMAT_NDJSON };

struct column_out {
	const char *name;
	struct lf_type type;
	size_t width;
};

struct result {
	struct column_out *columns;
	unsigned ncolumns;
	const char *tag;
	char ***rows; /* cells as text, NULL for NULL */
	size_t nrows;
	uint64_t count;
	bool is_query;
};

struct cli {
	struct lf_client *connection;
	struct lf_result *answer;
	enum format format;
	enum lf_client_ack ack;
	bool keep_going;
	struct arena arena;
	int status;
};

static void die(const char *what)
{
	fprintf(stderr, "leftfold: %s\n", what);
	exit(1);
}

static void *need(void *p)
{
	if (p == NULL)
		die("out of memory");
	return p;
}

/* --- reading answers --- */

/* Everything as text, in the arena. */
static void read_result(struct cli *cli, struct result *r)
{
	const struct lf_result *a = cli->answer;

	r->is_query = lf_result_kind(a) == LF_STATEMENT_QUERY;
	r->tag = lf_result_tag(a);
	r->count = lf_result_count(a);
	r->ncolumns = lf_result_ncolumns(a);
	r->nrows = lf_result_nrows(a);
	r->columns = need(arena_zalloc(&cli->arena, (r->ncolumns + 1u) * sizeof(*r->columns)));
	r->rows = need(arena_zalloc(&cli->arena, (r->nrows + 1) * sizeof(*r->rows)));
	for (unsigned c = 0; c < r->ncolumns; c++) {
		r->columns[c].name = lf_result_column_name(a, c);
		r->columns[c].type = lf_result_column_type(a, c);
	}
	for (size_t i = 0; i < r->nrows; i++) {
		r->rows[i] = need(
			arena_zalloc(&cli->arena, (r->ncolumns + 1u) * sizeof(**r->rows)));
		for (unsigned c = 0; c < r->ncolumns; c++) {
			size_t n;

			if (lf_result_is_null(a, i, c))
				continue;
			n = lf_result_text(a, i, c, NULL, 0);
			r->rows[i][c] = need(arena_alloc(&cli->arena, n + 1));
			(void)lf_result_text(a, i, c, r->rows[i][c], n + 1);
		}
	}
}

/* --- printing --- */

static size_t display_width(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

static bool right_aligned(struct lf_type t)
{
	return t.id >= LF_TYPE_INT2 && t.id <= LF_TYPE_NUMERIC;
}

static void pad(size_t n)
{
	while (n-- > 0)
		putchar(' ');
}

static void print_cell(const char *text, size_t width, bool right, bool last)
{
	size_t n = display_width(text);

	putchar(' ');
	if (right)
		pad(width - n);
	fputs(text, stdout);
	if (!right && !last)
		pad(width - n);
}

static void print_table(struct result *r)
{
	for (unsigned c = 0; c < r->ncolumns; c++) {
		r->columns[c].width = display_width(r->columns[c].name);
		for (size_t i = 0; i < r->nrows; i++) {
			size_t n = r->rows[i][c] == NULL ? 0 : display_width(r->rows[i][c]);

			if (n > r->columns[c].width)
				r->columns[c].width = n;
		}
	}
	for (unsigned c = 0; c < r->ncolumns; c++) {
		size_t n = display_width(r->columns[c].name), w = r->columns[c].width;

		printf("%s ", c > 0 ? "|" : "");
		pad((w - n) / 2);
		fputs(r->columns[c].name, stdout);
		pad(w - n - (w - n) / 2 + 1);
	}
	putchar('\n');
	for (unsigned c = 0; c < r->ncolumns; c++) {
		if (c > 0)
			putchar('+');
		for (size_t i = 0; i < r->columns[c].width + 2; i++)
			putchar('-');
	}
	putchar('\n');
	for (size_t i = 0; i < r->nrows; i++) {
		for (unsigned c = 0; c < r->ncolumns; c++) {
			if (c > 0)
				fputs(" |", stdout);
			print_cell(r->rows[i][c] == NULL ? "" : r->rows[i][c], r->columns[c].width,
				right_aligned(r->columns[c].type), c + 1 == r->ncolumns);
		}
		putchar('\n');
	}
	printf("(%zu row%s)\n\n", r->nrows, r->nrows == 1 ? "" : "s");
}

static void csv_field(const char *s)
{
	if (s == NULL)
		return;
	if (strpbrk(s, ",\"\n\r") == NULL && strcmp(s, "\\.") != 0) {
		fputs(s, stdout);
		return;
	}
	putchar('"');
	for (; *s != '\0'; s++) {
		if (*s == '"')
			putchar('"');
		putchar(*s);
	}
	putchar('"');
}

static void print_csv(const struct result *r)
{
	for (unsigned c = 0; c < r->ncolumns; c++) {
		if (c > 0)
			putchar(',');
		csv_field(r->columns[c].name);
	}
	putchar('\n');
	for (size_t i = 0; i < r->nrows; i++) {
		for (unsigned c = 0; c < r->ncolumns; c++) {
			if (c > 0)
				putchar(',');
			csv_field(r->rows[i][c]);
		}
		putchar('\n');
	}
}

static void json_string(const char *s)
{
	putchar('"');
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			printf("\\u%04x", (unsigned char)*s);
		else
			putchar(*s);
	}
	putchar('"');
}

static void json_value(const char *s, struct lf_type t)
{
	bool number = right_aligned(t) && s != NULL && strchr(s, 'N') == NULL &&
		strchr(s, 'I') == NULL;

	if (s == NULL)
		fputs("null", stdout);
	else if (t.id == LF_TYPE_BOOL)
		fputs(*s == 't' ? "true" : "false", stdout);
	else if (number)
		fputs(s, stdout);
	else
		json_string(s);
}

static void print_json(const struct result *r, bool lines)
{
	if (!lines)
		putchar('[');
	for (size_t i = 0; i < r->nrows; i++) {
		if (!lines && i > 0)
			fputs(",\n ", stdout);
		putchar('{');
		for (unsigned c = 0; c < r->ncolumns; c++) {
			if (c > 0)
				fputs(", ", stdout);
			json_string(r->columns[c].name);
			fputs(": ", stdout);
			json_value(r->rows[i][c], r->columns[c].type);
		}
		putchar('}');
		if (lines)
			putchar('\n');
	}
	if (!lines)
		fputs("]\n", stdout);
}

static void print_result(const struct cli *cli, struct result *r)
{
	if (r->ncolumns > 0) {
		switch (cli->format) {
		case FORMAT_TABLE: print_table(r); break;
		case FORMAT_CSV: print_csv(r); break;
		default: print_json(r, cli->format == FORMAT_NDJSON); break;
		}
	}
	if (cli->format != FORMAT_TABLE || r->is_query)
		return;
	if (strcmp(r->tag, "INSERT") == 0)
		printf("INSERT 0 %llu\n", (unsigned long long)r->count);
	else if (strcmp(r->tag, "UPDATE") == 0 || strcmp(r->tag, "DELETE") == 0)
		printf("%s %llu\n", r->tag, (unsigned long long)r->count);
	else
		puts(r->tag);
}

/* The line of the statement with a caret under the position (characters from 1). */
static void print_position(const char *text, size_t len, int position)
{
	size_t at = 0, begin, end;
	int line = 1;

	for (int k = 1; at < len && k < position; k++) {
		line += text[at] == '\n';
		do
			at++;
		while (at < len && (text[at] & 0xc0) == 0x80);
	}
	for (begin = at; begin > 0 && text[begin - 1] != '\n';)
		begin--;
	for (end = at; end < len && text[end] != '\n';)
		end++;
	fprintf(stderr, "LINE %d: %.*s\n", line, (int)(end - begin), text + begin);
	fprintf(stderr, "%*s^\n", (int)(snprintf(NULL, 0, "LINE %d: ", line) + (int)(at - begin)),
		"");
}

static void print_error(
	struct cli *cli, const struct lf_client_error *e, const char *text, size_t len)
{
	fflush(stdout);
	fprintf(stderr, "ERROR:  %s: %s\n", e->sqlstate, e->message);
	if (e->position > 0)
		print_position(text, len, e->position);
	if (e->detail[0] != '\0')
		fprintf(stderr, "DETAIL:  %s\n", e->detail);
	if (e->hint[0] != '\0')
		fprintf(stderr, "HINT:  %s\n", e->hint);
	cli->status = 1;
}

/* --- running --- */

/* False: it failed. */
static bool run_statement(struct cli *cli, const char *text, size_t len)
{
	struct lf_client_call how = { cli->ack, 0, 0 };
	struct result r = { .nrows = 0 };
	struct lf_client_error e;
	int status = lf_client_query(cli->connection, text, len, &how, cli->answer, &e);

	if (lf_result_notice(cli->answer)[0] != '\0')
		fprintf(stderr, "NOTICE:  %s\n", lf_result_notice(cli->answer));
	if (status != 0) {
		print_error(cli, &e, text, len);
		if (!lf_client_connected(cli->connection))
			exit(1);
		return false;
	}
	arena_reset(&cli->arena);
	read_result(cli, &r);
	print_result(cli, &r);
	return true;
}

static void run_script(struct cli *cli, const char *text, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t start, n = sql_split(text + at, len - at, &start);

		if (n == 0)
			return;
		if (!run_statement(cli, text + at + start, n) && !cli->keep_going)
			return;
		at += start + n;
	}
}

static char *read_all(const char *path, size_t *len)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	size_t cap = 1 << 16, n = 0, got;
	char *text = need(malloc(cap));

	if (f == NULL) {
		fprintf(stderr, "leftfold: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	while ((got = fread(text + n, 1, cap - n, f)) > 0) {
		n += got;
		if (n == cap)
			text = need(realloc(text, cap *= 2));
	}
	if (f != stdin)
		fclose(f);
	*len = n;
	return text;
}

static const char USAGE[] =
	"Usage: leftfold --connect ADDR:PORT [-c SQL | -f FILE]\n"
	"\n"
	"Runs statements, each acknowledged before the next; without -c and -f those of standard input.\n"
	"\n"
	"  --connect ADDR:PORT   default: $LEFTFOLD_CONNECT or 127.0.0.1:5466\n"
	"  -c SQL, -f FILE       statements; - is standard input\n"
	"  --format FORMAT       table (default on a terminal), csv (default otherwise), json, ndjson\n"
	"  --ack LEVEL           accepted, durable or visible (default) for commands\n"
	"  --keep-going          go on after an error; the exit code is 1 all the same\n"
	"  --help, --version\n"
	"\n"
	"Exit codes: 0; 1 a statement failed or the connection broke; 2 wrong flags.\n";

static int choose(const char *flag, const char *value, const char *const *names)
{
	for (int i = 0; names[i] != NULL; i++)
		if (strcmp(names[i], value) == 0)
			return i;
	fprintf(stderr, "leftfold: --%s: \"%s\" is not known\n", flag, value);
	exit(2);
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
	const char *address = getenv("LEFTFOLD_CONNECT"), *command = NULL, *file = "-";
	struct lf_client_options options = lf_client_options_default();
	struct lf_client_error e;
	int flag;

	while ((flag = getopt_long(argc, argv, "c:f:", FLAGS, NULL)) != -1)
		switch (flag) {
		case 'C': address = optarg; break;
		case 'F': cli.format = (enum format)choose("format", optarg, FORMATS); break;
		case 'A': cli.ack = (enum lf_client_ack)choose("ack", optarg, ACKS); break;
		case 'K': cli.keep_going = true; break;
		case 'c': command = optarg; break;
		case 'f': file = optarg; break;
		case 'h': fputs(USAGE, stdout); return 0;
		case 'V': puts("leftfold 0.1.0"); return 0;
		default: return 2;
		}
	options.address = address != NULL ? address : "127.0.0.1:5466";
	if (lf_client_open(&cli.connection, &options, &e) != 0) {
		fprintf(stderr, "leftfold: %s: %s\n", e.sqlstate, e.message);
		return 1;
	}
	cli.answer = need(lf_result_new());
	arena_init(&cli.arena, NULL);
	if (command != NULL) {
		run_script(&cli, command, strlen(command));
	} else {
		size_t len;
		char *text = read_all(file, &len);

		run_script(&cli, text, len);
		free(text);
	}
	arena_free(&cli.arena);
	lf_result_free(cli.answer);
	lf_client_close(cli.connection);
	return cli.status;
}
