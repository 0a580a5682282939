/*
 * Where statements end: each case is a script with a | at every end expected.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "core/sql/split.h"

static const char *const CASES[] = {
	"",
	" ;; -- nothing; here\n /* nor; /* here; */ ; */ ;",
	"SELECT 1;| SELECT 2|",
	"SELECT ';';| x|",
	"SELECT 'it''s;';|",
	"SELECT E'\\';';| SELECT e'\\\\';|",
	"SELECT tablE'x\\';| 'y;'|",
	"SELECT \"a;\"\"b;\";|",
	"SELECT $$a;b$$;| SELECT $x$ ; $$ ; $y$ ; $x$;|",
	"SELECT $1;| SELECT a$b$c;| SELECT 1|",
	"SELECT (1; 2);| x|",
	"SELECT 1 -- one; two\n;| /* ; */ SELECT 2;|",
	"SELECT 1 /* ; /* ; */ ; */ + 1;|",
	"CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN a THEN b END; SELECT 2; END;| SELECT 3;|",
	"create or replace procedure p() begin atomic insert into t values (1); end;| x;|",
	"CREATE TABLE begin (a int);| x;|",
	"BEGIN;| SELECT 1;| END;|",
	"SELECT ')';| x;|",
};

static void check(const char *script)
{
	char text[256], got[512];
	size_t n = 0, m = 0, at = 0;

	for (const char *p = script; *p != '\0'; p++)
		if (*p != '|')
			text[n++] = *p;
	while (at < n) {
		size_t start, len = sql_split(text + at, n - at, &start);

		memcpy(got + m, text + at, start + len);
		m += start + len;
		at += start + len;
		if (len == 0) {
			memcpy(got + m, text + at, n - at);
			m += n - at;
			break;
		}
		got[m++] = '|';
	}
	got[m] = '\0';
	assert_string_equal(got, script);
}

static void test_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
		check(CASES[i]);
}

static void test_unfinished(void **state)
{
	static const struct {
		const char *text;
		enum split_end end;
		char inside;
	} OPEN[] = {
		{ "", SPLIT_EMPTY, 0 },
		{ " -- x\n", SPLIT_EMPTY, 0 },
		{ " /* x", SPLIT_EMPTY, '*' },
		{ "a 'x", SPLIT_UNFINISHED, '\'' },
		{ "a E'x\\", SPLIT_UNFINISHED, '\'' },
		{ "a \"x;", SPLIT_UNFINISHED, '"' },
		{ "a $q$ x; $$", SPLIT_UNFINISHED, '$' },
		{ "a (x;", SPLIT_UNFINISHED, '(' },
		{ "a /* x; */ /*", SPLIT_UNFINISHED, '*' },
		{ "a", SPLIT_UNFINISHED, 0 },
		{ "a;", SPLIT_STATEMENT, 0 },
		{ "\\d", SPLIT_BACKSLASH, 0 },
		{ "a \\g", SPLIT_BACKSLASH, 0 },
		{ "a '\\g", SPLIT_UNFINISHED, '\'' },
		{ "a\\; b;", SPLIT_STATEMENT, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(OPEN) / sizeof(OPEN[0]); i++) {
		struct split s;

		sql_split_next(OPEN[i].text, strlen(OPEN[i].text), true, &s);
		if (s.end != OPEN[i].end || s.inside != OPEN[i].inside)
			fail_msg("%s: %d %d", OPEN[i].text, (int)s.end, s.inside);
	}
}

/* Whether a statement ends does not depend on what comes later: a prefix that ends nowhere is unfinished, and the
 * end found first is the end found with everything there. */
static void test_growing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct split whole, part;
		char text[256];
		size_t n = 0;

		for (const char *p = CASES[i]; *p != '\0'; p++)
			if (*p != '|')
				text[n++] = *p;
		sql_split_next(text, n, true, &whole);
		for (size_t k = 0; k < n; k++) {
			sql_split_next(text, k, true, &part);
			if (part.end == SPLIT_STATEMENT) {
				assert_int_equal(part.start, whole.start);
				assert_int_equal(part.length, whole.length);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_unfinished),
		cmocka_unit_test(test_growing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
