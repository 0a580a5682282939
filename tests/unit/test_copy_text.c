/*
 * The formats of COPY: what PostgreSQL reads and writes (tests/e2e/run_copy.py asks one), with the input cut at every
 * byte; random rows written and read again.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/leftfold/copy_text.h"

/* What comes of the input: fields in square brackets, NULL as ~, a line for each record with its number; then the error. */
struct read_case {
	const char *
		format; /* t, c; then options: h header, ; the delimiter, E\ the escape, Nx the NULL, M match a,b */
	const char *input;
	const char *expected;
};

static const struct read_case READ[] = {
	{ "t", "", "" },
	{ "t", "a\tb\n", "1[a][b]" },
	{ "t", "a\tb", "1[a][b]" },
	{ "t", "\n\n", "1[]2[]" },
	{ "t", "\\N\t\\N\n\\N ", "1~~2[N ]" },
	{ "t", "\\b\\f\\n\\r\\t\\v\\\\\n", "1[\b\f\n\r\t\v\\]" },
	{ "t", "\\101\\x41\\x4a\\x\\q\\8\\1018\n", "1[AAJxq8A8]" },
	{ "t", "\\0601\\x4g\\7\n", "1[01\x04g\a]" },
	{ "t", "a\\\nb\tc\n", "1[a\nb][c]" },
	{ "t", "a\\\tb\tc\n", "1[a\tb][c]" },
	{ "t", "a\\", "1[a]" },
	{ "t", "a\r\nb\r\n", "1[a]2[b]" },
	{ "t", "a\rb\r", "1[a]2[b]" },
	{ "t", "a\nb\r\n", "1[a]!22P04 literal carriage return found in data@2" },
	{ "t", "a\r\nb\n", "1[a]!22P04 literal newline found in data@2" },
	{ "t", "a\r\nb\rc", "1[a]!22P04 literal carriage return found in data@2" },
	{ "t", "a\rb\n", "1[a]!22P04 literal newline found in data@2" },
	{ "t", "a\n\\.\nb\n", "1[a]." },
	{ "t", "a\r\n\\.\r\nb", "1[a]." },
	{ "t", "a\n\\.", "1[a]." },
	{ "t", "a\\.\n", "1[a]." },
	{ "t", "a\n\\.x\n", "1[a]!22P04 end-of-copy marker corrupt@2" },
	{ "t", "a\n\\.\r\n",
		"1[a]!22P04 end-of-copy marker does not match previous newline style@2" },
	{ "t;", "a;b\tc;\n", "1[a][b\tc][]" },
	{ "tN-", "-\t\\-\t--\n", "1~[-][--]" },
	{ "th", "x\ty\n1\t2\n", "2[1][2]" },
	{ "th", "", "" },
	{ "tM", "a\tb\n1\t2\n", "2[1][2]" },
	{ "tM", "a\tc\n1\t2\n",
		"!22P04 column name mismatch in header line field 2: got \"c\", expected \"b\"@1" },
	{ "tM", "a\n", "!22P04 wrong number of fields in header line: got 1, expected 2@1" },
	{ "c", "a,b\n,\"\"\n", "1[a][b]2~[]" },
	{ "c", "\"a\"\"b\",\"c,d\",e\"f,\"gh\n", "1[a\"b][c,d][ef,gh]" },
	{ "c", "\"a\"x\"b\"\n", "1[axb]" },
	/* As long as it is not known how lines end, PostgreSQL counts those within quotes by \r. */
	{ "c", "\"a\nb\"\nc\n", "1[a\nb]2[c]" },
	{ "c", "x\n\"a\nb\"\nc\n", "1[x]3[a\nb]4[c]" },
	{ "c", "a\\nb\n\\N\n", "1[a\\nb]2[\\N]" },
	{ "c", "a\n\\.\nb", "1[a]." },
	{ "c", "\\.x\n\"\\.\"\n\\\n", "1[\\.x]2[\\.]3[\\]" },
	{ "c", "a\\.\n", "1[a\\.]" },
	{ "c", "a\n\"b\n", "1[a]!22P04 unterminated CSV quoted field@3" },
	{ "c", "a\nb\r\n", "1[a]!22P04 unquoted carriage return found in data@2" },
	{ "c", "a\r\nb\n", "1[a]!22P04 unquoted newline found in data@2" },
	{ "c", "\"a\r\"\r\n\"\r\n\"\r\n", "2[a\r]4[\r\n]" },
	{ "c;", "a;\"b;c\"\n", "1[a][b;c]" },
	{ "cE\\", "\"a\\\"b\\\\\",c\\d,\"\\e\"\n", "1[a\"b\\][c\\d][\\e]" },
	{ "cN-", "-,\"-\",\n", "1~[-][]" },
	{ "ch", "\"x\ny\"\n1\n", "2[1]" },
};

static struct copy_format format_of(const char *s)
{
	struct copy_format f;

	copy_format_init(&f, *s == 'c');
	while (*++s != '\0')
		switch (*s) {
		case 'h': f.header = COPY_HEADER_LINE; break;
		case 'M': f.header = COPY_HEADER_MATCH; break;
		case 'E': f.escape = *++s; break;
		case 'N':
			f.null[0] = *++s;
			f.null[1] = '\0';
			f.null_bytes = 1;
			break;
		default: f.delimiter = *s;
		}
	return f;
}

static void describe(struct text *out, const struct copy_record *r)
{
	char number[24];

	text_add(out, number, (size_t)snprintf(number, sizeof(number), "%u", (unsigned)r->line));
	for (unsigned i = 0; i < r->n; i++) {
		if (r->fields[i].null) {
			text_add(out, "~", 1);
			continue;
		}
		text_add(out, "[", 1);
		text_add(out, r->fields[i].p, r->fields[i].n);
		text_add(out, "]", 1);
	}
}

/* Feed the input in pieces of so many bytes; the rest behind \. is left. */
static void read_pieces(const struct read_case *c, size_t piece, struct text *out)
{
	static const char *const NAMES[] = { "a", "b" };
	struct copy_format f = format_of(c->format);
	struct copy_reader *r = copy_reader_new(&f, NAMES, 2);
	enum copy_status status = COPY_MORE;
	size_t at = 0, n = strlen(c->input), used = 0;
	struct lf_client_error e;
	struct copy_record record;
	char *copy = need(malloc(piece));

	text_clear(out);
	for (;;) {
		size_t part = n - at < piece ? n - at : piece;

		/* Memory of its own, so that reading beyond it is noticed. */
		memcpy(copy, c->input + at, part);
		copy_reader_feed(r, copy, part);
		if (part == 0)
			copy_reader_end(r);
		at += part;
		while ((status = copy_reader_next(r, &record, &e)) == COPY_RECORD)
			describe(out, &record);
		used = at - part + copy_reader_used(r);
		if (status != COPY_MORE)
			break;
		assert_int_equal(used, at);
		assert_true(part > 0);
	}
	if (status == COPY_ERROR) {
		char text[LF_ERROR_TEXT_MAX + 32];

		text_add(out, text,
			(size_t)snprintf(text, sizeof(text), "!%s %s@%u", e.sqlstate, e.message,
				(unsigned)copy_reader_line(r)));
	} else if (strstr(c->input, "\\.") != NULL && c->expected[strlen(c->expected) - 1] == '.') {
		/* What stands behind the marker is not used. */
		const char *behind = strstr(c->input, "\\.") + 2;

		behind += strspn(behind, "\r\n");
		assert_int_equal(used, behind - c->input);
		text_add(out, ".", 1);
	}
	free(copy);
	copy_reader_free(r);
}

static void test_read(void **state)
{
	struct text out = { NULL, 0, 0 };

	(void)state;
	for (unsigned i = 0; i < sizeof(READ) / sizeof(READ[0]); i++)
		for (size_t piece = 1; piece <= strlen(READ[i].input) + 1; piece++) {
			read_pieces(&READ[i], piece, &out);
			if (strcmp(out.p, READ[i].expected) != 0)
				fail_msg("%s in pieces of %zu: \"%s\": %s instead of %s",
					READ[i].format, piece, READ[i].input, out.p,
					READ[i].expected);
		}
	text_free(&out);
}

static const struct read_case WRITTEN[] = {
	{ "t", "a\tb\nc\\d", "a\\tb\\nc\\\\d" },
	{ "t", "\b\f\r\v\x01\x7f", "\\b\\f\\r\\v\x01\x7f" },
	{ "t", "\\N", "\\\\N" },
	{ "t;", "a;b\tc", "a\\;b\\tc" },
	{ "c", "", "\"\"" },
	{ "c", "a b", "a b" },
	{ "c", "a,b\"c", "\"a,b\"\"c\"" },
	{ "c", "a\nb", "\"a\nb\"" },
	{ "c", "a\r", "\"a\r\"" },
	{ "c", "a\\b", "a\\b" },
	{ "c", "\\.", "\"\\.\"" },
	{ "cE\\", "a\\b\"", "\"a\\\\b\\\"\"" },
	{ "cE\\", "a\\b", "a\\b" },
	{ "cN-", "-", "\"-\"" },
	{ "c;", "a;b,c", "\"a;b,c\"" },
};

static void test_write(void **state)
{
	struct text out = { NULL, 0, 0 };

	(void)state;
	for (unsigned i = 0; i < sizeof(WRITTEN) / sizeof(WRITTEN[0]); i++) {
		const struct read_case *c = &WRITTEN[i];
		struct copy_format f = format_of(c->format);
		struct copy_field field = { .p = c->input, .n = strlen(c->input) };

		text_clear(&out);
		copy_write_field(&out, &f, &field, true);
		assert_string_equal(out.p, c->expected);
	}
	text_free(&out);
}

/* --- random rows, written and read again --- */

enum { ROWS = 400, COLUMNS = 4, BYTES = 12 };

static uint64_t seed = 7;

static unsigned random_below(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

struct row {
	char bytes[COLUMNS][BYTES];
	struct copy_field fields[COLUMNS];
};

static void row_make(struct row *row)
{
	static const char ALPHABET[] = "aN\\\"'\n\r\t,;.x01\v\xc3\xa4-";

	for (unsigned c = 0; c < COLUMNS; c++) {
		struct copy_field *f = &row->fields[c];

		*f = (struct copy_field){ .p = row->bytes[c], .n = random_below(BYTES) };
		f->null = random_below(5) == 0;
		for (size_t i = 0; i < f->n; i++)
			row->bytes[c][i] = ALPHABET[random_below(sizeof(ALPHABET) - 1)];
	}
}

static void round_trip(const char *format)
{
	struct copy_format f = format_of(format);
	struct row *rows = need(calloc(ROWS, sizeof(*rows)));
	struct copy_reader *r = copy_reader_new(&f, NULL, 0);
	struct text out = { NULL, 0, 0 };
	size_t at = 0, got = 0;
	struct lf_client_error e;
	struct copy_record record;

	for (unsigned i = 0; i < ROWS; i++) {
		row_make(&rows[i]);
		copy_write_row(&out, &f, rows[i].fields, COLUMNS);
	}
	while (at < out.n) {
		size_t part = 1 + random_below(64);

		part = part < out.n - at ? part : out.n - at;
		copy_reader_feed(r, out.p + at, part);
		at += part;
		while (copy_reader_next(r, &record, &e) == COPY_RECORD) {
			const struct row *row = &rows[got++];

			assert_int_equal(record.n, COLUMNS);
			for (unsigned c = 0; c < COLUMNS; c++) {
				assert_int_equal(record.fields[c].null, row->fields[c].null);
				if (row->fields[c].null)
					continue;
				assert_int_equal(record.fields[c].n, row->fields[c].n);
				assert_memory_equal(
					record.fields[c].p, row->fields[c].p, row->fields[c].n);
			}
		}
	}
	assert_int_equal(got, ROWS);
	copy_reader_free(r);
	text_free(&out);
	free(rows);
}

static void test_round_trips(void **state)
{
	/* Not text with a NULL like that of CSV's: there, as in PostgreSQL, a value that is alike becomes NULL. */
	static const char *const FORMATS[] = { "t", "t;", "c", "c;", "cE\\", "cN-", "cE'" };

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		for (unsigned k = 0; k < sizeof(FORMATS) / sizeof(FORMATS[0]); k++)
			round_trip(FORMATS[k]);
}

/* A record without an end. */
static void test_too_long(void **state)
{
	struct copy_format f = format_of("t");
	struct copy_reader *r = copy_reader_new(&f, NULL, 0);
	enum { PIECE = 1 << 20 };
	char *piece = need(malloc(PIECE));
	enum copy_status status = COPY_MORE;
	struct lf_client_error e;
	struct copy_record record;
	unsigned pieces = 0;

	(void)state;
	memset(piece, 'x', PIECE);
	while (status == COPY_MORE) {
		copy_reader_feed(r, piece, PIECE);
		status = copy_reader_next(r, &record, &e);
		pieces++;
	}
	assert_int_equal(status, COPY_ERROR);
	assert_string_equal(e.sqlstate, "54000");
	assert_in_range(
		pieces, LIMIT_COPY_RECORD_BYTES / PIECE, LIMIT_COPY_RECORD_BYTES / PIECE + 2);
	free(piece);
	copy_reader_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
