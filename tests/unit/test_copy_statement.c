/*
 * COPY and \copy as statements: what they say, and the place of what is wrong in them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/leftfold/copy_statement.h"

struct good {
	bool meta;
	const char *text;
	const char *expected; /* direction, place, what, format */
};

static const struct good GOOD[] = {
	{ false, "COPY t FROM STDIN;", "from std t() t(t) \\N" },
	{ false, "copy public.\"T\"\"x\" (a, \"b)\") from stdin",
		"from std public.\"T\"\"x\"(a, \"b)\") T\"x(t) \\N" },
	{ false, "COPY t TO STDOUT WITH (FORMAT csv, HEADER)", "to std t() t(c,\"\"h) " },
	{ false,
		"COPY t TO STDOUT (FORMAT 'csv', HEADER off, DELIMITER ';', QUOTE '''', ESCAPE '\\', NULL 'x')",
		"to std t() t(c;'\\) x" },
	{ false, "COPY t TO STDOUT (FORMAT csv, QUOTE '|')", "to std t() t(c,||) " },
	{ false, "COPY t FROM STDIN (header match, delimiter E'\\b', encoding 'UTF8')",
		"from std t() t(t\bm) \\N" },
	{ false, "COPY t FROM STDIN WITH CSV HEADER DELIMITER AS '|' NULL AS '' QUOTE '\"'",
		"from std t() t(c|\"\"h) " },
	{ false, "COPY t FROM STDIN DELIMITER ','", "from std t() t(t,) \\N" },
	{ false, "COPY /* x */ (SELECT ')' AS \")\", (1) -- )\n) TO STDOUT",
		"to std <SELECT ')' AS \")\", (1) -- )\n>(t) \\N" },
	{ false, "COPY ((VALUES (1))) TO STDOUT;", "to std <(VALUES (1))>(t) \\N" },
	{ true, "copy t from 'a ''b'' c' csv", "from 'a 'b' c' t() t(c,\"\") " },
	{ true, "copy t to /tmp/x.csv with (format csv);", "to '/tmp/x.csv' t() t(c,\"\") " },
	{ true, "copy t (a) to x;", "to 'x' t(a) t(t) \\N" },
	{ true, "copy t from pstdin", "from own t() t(t) \\N" },
	{ true, "copy t to stdout", "to std t() t(t) \\N" },
};

static void describe(char out[static 512], const struct copy_statement *s)
{
	const struct copy_format *f = &s->format;
	char place[128] = "std", what[256], csv[8] = "t", header[2] = "";

	if (s->place == COPY_FILE)
		(void)snprintf(place, sizeof(place), "'%s'", s->file);
	else if (s->place == COPY_OWN_STANDARD)
		(void)snprintf(place, sizeof(place), "own");
	if (s->query != NULL)
		(void)snprintf(what, sizeof(what), "<%s>", s->query);
	else
		(void)snprintf(what, sizeof(what), "%s(%s) %s", s->relation,
			s->columns != NULL ? s->columns : "", s->name);
	if (f->csv)
		(void)snprintf(csv, sizeof(csv), "c%c%c%c", f->delimiter, f->quote, f->escape);
	else if (f->delimiter != '\t')
		(void)snprintf(csv, sizeof(csv), "t%c", f->delimiter);
	header[0] = f->header == COPY_HEADER_NONE ? '\0'
		: f->header == COPY_HEADER_LINE   ? 'h'
						  : 'm';
	(void)snprintf(out, 512, "%s %s %s(%s%s) %s", s->to ? "to" : "from", place, what, csv,
		header, f->null);
}

static void test_good(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++) {
		struct copy_statement s;
		struct lf_client_error e;
		char found[512];

		assert_true(copy_statement_is(GOOD[i].text, strlen(GOOD[i].text)));
		if (copy_statement_parse(
			    &s, GOOD[i].text, strlen(GOOD[i].text), GOOD[i].meta, &e) != 0)
			fail_msg("%s: %s at %d", GOOD[i].text, e.message, e.position);
		describe(found, &s);
		assert_string_equal(found, GOOD[i].expected);
		copy_statement_free(&s);
	}
}

struct bad {
	const char *text, *sqlstate;
	int position; /* 0: of no interest */
};

static const struct bad BAD[] = {
	{ "COPY", "42601", 5 },
	{ "COPY t", "42601", 7 },
	{ "COPY t STDIN", "42601", 8 },
	{ "COPY t FROM", "42601", 12 },
	{ "COPY (SELECT 1) FROM STDIN", "42601", 17 },
	{ "COPY (SELECT 1 TO STDOUT", "42601", 0 },
	{ "COPY (DELETE FROM t RETURNING id) TO STDOUT", "0A000", 7 },
	{ "COPY t (a FROM STDIN", "42601", 21 },
	{ "COPY t FROM 'ä' x", "0A000", 13 },
	{ "COPY t FROM PROGRAM 'x'", "0A000", 13 },
	{ "COPY BINARY t FROM STDIN", "0A000", 6 },
	{ "COPY t FROM STDIN WHERE a > 1", "0A000", 19 },
	{ "COPY t FROM STDIN 'x", "42601", 19 },
	{ "COPY t FROM STDIN nonsense", "42601", 19 },
	{ "COPY t FROM STDIN (FORMAT binary)", "0A000", 27 },
	{ "COPY t FROM STDIN (FORMAT xml)", "22023", 27 },
	{ "COPY t FROM STDIN (FORMAT csv", "42601", 30 },
	{ "COPY t FROM STDIN (FORMAT)", "42601", 26 },
	{ "COPY t FROM STDIN (DELIMITER 'ab')", "0A000", 30 },
	{ "COPY t FROM STDIN (DELIMITER ';', DELIMITER ',')", "42601", 0 },
	{ "COPY t FROM STDIN (FORCE_NULL (a))", "42601", 0 },
	{ "COPY t FROM STDIN (FREEZE true)", "0A000", 20 },
	{ "COPY t FROM STDIN (ENCODING 'latin1')", "0A000", 29 },
	{ "COPY t FROM STDIN (HEADER maybe)", "42601", 27 },
	{ "COPY t TO STDOUT (HEADER match)", "0A000", 26 },
	{ "COPY t FROM STDIN (QUOTE '\"')", "0A000", 0 },
	{ "COPY t FROM STDIN (DELIMITER 'a')", "22023", 0 },
	{ "COPY t FROM STDIN (DELIMITER E'\\n')", "22023", 0 },
	{ "COPY t FROM STDIN (NULL E'\\n')", "22023", 0 },
	{ "COPY t FROM STDIN (DELIMITER '-', NULL '-')", "0A000", 0 },
	{ "COPY t FROM STDIN (FORMAT csv, DELIMITER '\"')", "22023", 0 },
	{ "COPY t FROM STDIN (FORMAT csv, NULL '\"')", "0A000", 0 },
};

static void test_bad(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		struct copy_statement s;
		struct lf_client_error e;

		if (copy_statement_parse(&s, BAD[i].text, strlen(BAD[i].text), false, &e) == 0)
			fail_msg("%s is taken", BAD[i].text);
		if (strcmp(e.sqlstate, BAD[i].sqlstate) != 0 ||
			(BAD[i].position != 0 && e.position != BAD[i].position))
			fail_msg("%s: %s %s at %d", BAD[i].text, e.sqlstate, e.message, e.position);
	}
	assert_false(copy_statement_is("COPYING", 7));
	assert_false(copy_statement_is("SELECT 1", 8));
}

/* Nothing is read beyond the end of any beginning of a statement, and nothing leaks. */
static void test_cut(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++)
		for (size_t n = 5; n < strlen(GOOD[i].text); n++) {
			char *text = malloc(n);
			struct copy_statement s;
			struct lf_client_error e;

			assert_non_null(text);
			memcpy(text, GOOD[i].text, n);
			if (copy_statement_parse(&s, text, n, GOOD[i].meta, &e) == 0)
				copy_statement_free(&s);
			else
				assert_int_equal(strlen(e.sqlstate), 5);
			free(text);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
