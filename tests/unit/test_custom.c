#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/custom.h"

static const char GOOD[] = "# first of all\n"
			   "drop\n"
			   "    DROP TABLE IF EXISTS t\n"
			   "\n"
			   "schema\n"
			   "\n"
			   "    # two of them\n"
			   "    CREATE TABLE t (id bigint PRIMARY KEY,\n"
			   "        s text);\r\n"
			   "\tCREATE TABLE u (s text DEFAULT '; {x}' PRIMARY KEY); -- the end\n"
			   "load first 10\n"
			   "    INSERT INTO t\n"
			   "    VALUES ($1, $2)\n"
			   "    $2 = text(4)\n"
			   "\n"
			   "    $1=sequence(5)\n"
			   "transaction add 2.5\n"
			   "    INSERT INTO t VALUES ($1, 'x');\n"
			   "    INSERT INTO u VALUES ($1);\n"
			   "    $1 = sequence(100)\n"
			   "transaction all\n"
			   "  SELECT count(*) FROM t\n"
			   "verify\n"
			   "    SELECT count(*) = {first} + {add} FROM t;\n"
			   "    SELECT true";

static void test_good(void **state)
{
	struct custom_error e;
	struct custom *c = custom_parse(GOOD, &e);
	const struct custom_step *add;

	(void)state;
	assert_non_null(c);
	assert_int_equal(c->drop.n, 1);
	assert_string_equal(c->drop.texts[0], "DROP TABLE IF EXISTS t");
	assert_null(c->drop.texts[1]);
	assert_int_equal(c->schema.n, 2);
	assert_int_equal(c->schema.lines[0], 8);
	assert_string_equal(c->schema.texts[0], "CREATE TABLE t (id bigint PRIMARY KEY,\ns text);");
	assert_int_equal(c->schema.lines[1], 10);
	assert_int_equal(c->loads.n, 1);
	assert_string_equal(c->loads.p[0].name, "first");
	assert_int_equal(c->loads.p[0].times, 10);
	assert_string_equal(c->loads.p[0].text, "INSERT INTO t\nVALUES ($1, $2)");
	assert_int_equal(c->loads.p[0].nparams, 2);
	assert_string_equal(generator_name(&c->loads.p[0].generators[0]), "sequence");
	assert_string_equal(generator_name(&c->loads.p[0].generators[1]), "text");
	assert_int_equal(c->loads.p[0].lines[0], 16);
	assert_int_equal(c->transactions.n, 2);
	add = &c->transactions.p[0];
	assert_true(add->weight == 2.5);
	assert_int_equal(add->line, 17);
	assert_string_equal(
		add->text, "INSERT INTO t VALUES ($1, 'x');\nINSERT INTO u VALUES ($1);");
	assert_true(c->transactions.p[1].weight == 1);
	assert_int_equal(c->transactions.p[1].nparams, 0);
	assert_int_equal(c->verify.n, 2);
	assert_int_equal(c->verify.lines[1], 25);
	custom_free(c);
}

static void test_counts_in_queries(void **state)
{
	struct custom_error e;
	struct custom *c = custom_parse(GOOD, &e);
	char name[CUSTOM_NAME_MAX], *text;

	(void)state;
	assert_non_null(c);
	c->loads.p[0].filled = 10;
	c->transactions.p[0].filled = 12345678901;
	text = custom_expand(c, c->verify.texts[0], name);
	assert_string_equal(text, "SELECT count(*) = 10 + 12345678901 FROM t;");
	free(text);
	text = custom_expand(c, "{add}", name);
	assert_string_equal(text, "12345678901");
	free(text);
	assert_null(custom_expand(c, "1 {ad} 2", name));
	assert_string_equal(name, "ad");
	assert_null(custom_expand(c, "{", name));
	custom_free(c);
}

/* What is wrong, and in which line. */
static void test_bad(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *part;
	} CASES[] = {
		{ "", 1, "no transaction" },
		{ "schema\n  CREATE TABLE t (id int)\n", 2, "no transaction" },
		{ "  SELECT 1\n", 1, "section begins" },
		{ "nonsense\n", 1, "is none of" },
		{ "drop it\n", 1, "is none of" },
		{ "transaction\n", 1, "is none of" },
		{ "transaction a 1 2\n", 1, "is none of" },
		{ "load a\n", 1, "is none of" },
		{ "load a many\n", 1, "number of executions" },
		{ "load a 0\n", 1, "number of executions" },
		{ "transaction a x\n", 1, "weight" },
		{ "transaction a 0\n", 1, "weight" },
		{ "transaction a -1\n", 1, "weight" },
		{ "transaction a-b 1\n", 1, "not a name" },
		{ "transaction abcdefghijklmnopqrstuvwxyzabcdef 1\n", 1, "not a name" },
		{ "load a 1\n  INSERT\ntransaction a 1\n", 3, "already" },
		{ "\ntransaction a 1\n\nverify\n  SELECT true\n", 2, "no statement" },
		{ "transaction a 1\n  $1 = now\n", 1, "no statement" },
		{ "transaction a 1\n  SELECT $2\n  $2 = now\n", 1, "$1 has no generator" },
		{ "transaction a 1\n  SELECT $1\n  $1 = now\n  $1 = now\n", 4, "already" },
		{ "transaction a 1\n  SELECT $1\n  $1 = now\n  FROM t\n", 4, "ends where" },
		{ "transaction a 1\n  SELECT $1\n\n  $1 = never\n", 4, "no generator \"never\"" },
		{ "transaction a 1\n  SELECT $1\n  $1 = uniform(2, 1)\n", 3, "uniform(MIN, MAX)" },
		{ "transaction a 1\n  SELECT $1\n  $0 = now\n", 3, "parameters are" },
		{ "transaction a 1\n  SELECT $1\n  $257 = now\n", 3, "parameters are" },
		{ "transaction a 1\n  SELECT 1\nschema\n  SELECT 1;\n  SELECT 'x\n", 5, "quote" },
		{ "transaction a 1\n  SELECT 1\nschema\n  SELECT 1; /* x\n", 4, "comment" },
		{ "transaction a 1\n  SELECT 1\nverify\n  SELECT true;\n  SELECT {b} = 1\n", 5,
			"{b} is no" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct custom_error e = { 0, "" };
		struct custom *c = custom_parse(CASES[i].text, &e);

		if (c != NULL)
			fail_msg("taken: %s", CASES[i].text);
		if (e.line != CASES[i].line || strstr(e.message, CASES[i].part) == NULL)
			fail_msg("%u: %s: of %s", e.line, e.message, CASES[i].text);
	}
}

/* Any beginning of a file is either good or told to be wrong. */
static void test_cut(void **state)
{
	struct custom_error e;

	(void)state;
	for (size_t n = 0; n < sizeof(GOOD); n++) {
		char *text = strndup(GOOD, n);
		struct custom *c = custom_parse(text, &e);

		if (c != NULL)
			custom_free(c);
		else
			assert_true(e.line > 0);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_counts_in_queries),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
