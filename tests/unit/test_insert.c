/*
 * INSERT of parameters and constants: rows that can be copied from the parameters, and those of the same statement that
 * cannot, because a value does not fit its column's modifier. Both have to give what PostgreSQL gives.
 */
#include "tests/unit/engine_fixture.h"

static const char SCHEMA[] =
	"CREATE TABLE t (id int PRIMARY KEY, name varchar(3), code char(2), price numeric(6,2), free numeric, note text,"
	" n int NOT NULL CHECK (n > 0), b boolean, d date);";
static const char INSERT[] = "INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6, $7, true, NULL)";

enum { PARAMETERS = 7 };

static void on_reply(void *arg, const struct lf_reply *reply)
{
	struct error *e = arg;

	error_clear(e);
	if (reply->error != NULL)
		*e = *reply->error;
}

/* Parameters as text, NULL for NULL; the error of the answer is left in f->error. */
static void insert(struct fixture *f, const struct statement *s, const char *const *texts)
{
	struct value v[PARAMETERS];
	struct arena a;
	void *row;

	arena_init(&a, NULL);
	assert_true(s->nparams <= PARAMETERS);
	for (unsigned i = 0; i < s->nparams; i++) {
		v[i] = (struct value){ .type = s->params[i].id, .flags = VALUE_NULL };
		if (texts[i] != NULL)
			assert_int_equal(value_parse(&v[i], (struct type){ .id = s->params[i].id },
						 texts[i], strlen(texts[i]), &a, &f->error),
				0);
	}
	row = arena_alloc(&a, row_encoded_size(&s->param_layout, v));
	row_encode(&s->param_layout, v, row);
	/* It is answered at once when it cannot even be sent to a shard. */
	if (lf_submit(f->port, s, row, 0, LF_VISIBLE, &f->error) == 0) {
		lf_flush(f->port);
		lf_settle(f->engine);
		assert_int_equal(lf_poll(f->port, on_reply, &f->error), 1);
	}
	arena_free(&a);
}

#define VALUES(...) \
	(const char *const[]) \
	{ \
		__VA_ARGS__ \
	}

static void inserted(
	struct fixture *f, const struct statement *s, const char *const *texts, const char *row)
{
	char query[64];

	insert(f, s, texts);
	if (f->error.code != ERR_OK)
		fail_msg("%s: %s", error_sqlstate(f->error.code), f->error.message);
	(void)snprintf(query, sizeof(query), "SELECT * FROM t WHERE id = %s", texts[0]);
	expect(f, query, row);
}

static void refused(struct fixture *f, const struct statement *s, const char *const *texts,
	enum error_code code, const char *what)
{
	char query[64];

	insert(f, s, texts);
	assert_string_equal(error_sqlstate(f->error.code), error_sqlstate(code));
	if (strstr(f->error.message, what) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", what, f->error.message);
	(void)snprintf(query, sizeof(query), "SELECT count(*) FROM t WHERE id = %s", texts[0]);
	expect(f, query, "0");
}

/* Values that are what the column takes, and others that are made so. */
static void test_modifiers(void **state)
{
	struct fixture f = { 0 };
	struct statement *s;

	(void)state;
	open_fixture(&f, 1);
	run(&f, SCHEMA);
	s = prepare(&f, INSERT);
	inserted(&f, s, VALUES("1", "abc", "xy", "1.50", "1.5", "text", "1"),
		"1|abc|xy|1.50|1.5|text|1|t|");
	inserted(
		&f, s, VALUES("2", "äöü", "ä", "1.5", "1.50", "", "2"), "2|äöü|ä |1.50|1.50||2|t|");
	inserted(&f, s, VALUES("3", "", "", "1.234", "-7", "x", "3"), "3||  |1.23|-7|x|3|t|");
	inserted(&f, s, VALUES("4", NULL, NULL, NULL, NULL, NULL, "4"), "4||||||4|t|");
	inserted(&f, s, VALUES("5", "abc  ", "x   ", "9999.99", "NaN", "y", "5"),
		"5|abc|x |9999.99|NaN|y|5|t|");
	inserted(&f, s, VALUES("6", "a", "b", "-9999.99", "0", "z", "6"),
		"6|a|b |-9999.99|0|z|6|t|");
	inserted(&f, s, VALUES("7", "a", "b", "NaN", "0", "z", "6"), "7|a|b |NaN|0|z|6|t|");
	inserted(
		&f, s, VALUES("8", "a", "b", "9999.994", "0", "z", "6"), "8|a|b |9999.99|0|z|6|t|");
	/* char(n) is kept without the blanks that it is shown with, whichever way it came. */
	expect(&f,
		"SELECT length(code), octet_length(code::text), code || '.' FROM t WHERE id IN (5, 6) ORDER BY id",
		"1|1|x.\n1|1|b.");
	/* A NULL is not filled up, and what comes behind it is where it should be. */
	inserted(
		&f, s, VALUES("9", NULL, "b", "1", "0", "behind", "6"), "9||b |1.00|0|behind|6|t|");
	inserted(&f, s, VALUES("10", "c", NULL, "1", "0", "behind", "6"),
		"10|c||1.00|0|behind|6|t|");
	expect(&f, "SELECT count(*) FROM t WHERE code = 'b'", "4");
	close_fixture(&f);
}

static void test_refused(void **state)
{
	struct fixture f = { 0 };
	struct statement *s;

	(void)state;
	open_fixture(&f, 1);
	run(&f, SCHEMA);
	s = prepare(&f, INSERT);
	refused(&f, s, VALUES("1", "abcd", "xy", "1", "1", "n", "1"), ERR_STRING_TOO_LONG,
		"varying(3)");
	refused(&f, s, VALUES("1", "abc", "xyz", "1", "1", "n", "1"), ERR_STRING_TOO_LONG,
		"character(2)");
	refused(&f, s, VALUES("1", "abc", "xy", "10000.00", "1", "n", "1"), ERR_NUMERIC_RANGE,
		"overflow");
	refused(&f, s, VALUES("1", "abc", "xy", "9999.995", "1", "n", "1"), ERR_NUMERIC_RANGE,
		"overflow");
	refused(&f, s, VALUES("1", "abc", "xy", "1", "1", "n", NULL), ERR_NOT_NULL, "column \"n\"");
	refused(&f, s, VALUES("1", "abc", "xy", "1", "1", "n", "0"), ERR_CHECK, "t_n_check");
	/* NOT NULL comes before CHECK, and a value that is too long before both. */
	refused(&f, s, VALUES("1", "abcd", "xy", "1", "1", "n", NULL), ERR_STRING_TOO_LONG,
		"varying(3)");
	inserted(&f, s, VALUES("1", "abc", "xy", "1.00", "1", "n", "1"), "1|abc|xy|1.00|1|n|1|t|");
	insert(&f, s, VALUES("1", "abc", "xy", "1.00", "1", "n", "1"));
	assert_string_equal(error_sqlstate(f.error.code), "23505");
	close_fixture(&f);
}

/* One parameter for several columns, others in another order, constants between them; a key that was deleted. */
static void test_arrangements(void **state)
{
	struct fixture f = { 0 };
	struct statement *s;

	(void)state;
	open_fixture(&f, 2);
	run(&f,
		"CREATE TABLE p (a bigint, b int, c int, d text, PRIMARY KEY (a, b));"
		"CREATE TABLE q (a bigint, b bigint, c bigint, PRIMARY KEY (a, b))");
	s = prepare(
		&f, "INSERT INTO p VALUES ($2, 7, $1, $3), ($2, 8, NULL, $3), ($2, 9, $1, NULL)");
	insert(&f, s, VALUES("5", "1", "five"));
	assert_int_equal(f.error.code, ERR_OK);
	expect(&f, "SELECT a, b, c, d FROM p ORDER BY b", "1|7|5|five\n1|8||five\n1|9|5|");
	insert(&f, s, VALUES("5", NULL, "five"));
	assert_string_equal(error_sqlstate(f.error.code), "23502");
	run(&f, "DELETE FROM p WHERE a = 1 AND b = 8");
	insert(&f, s, VALUES("6", "1", "six"));
	assert_string_equal(error_sqlstate(f.error.code), "23505");
	expect(&f, "SELECT a, b, c, d FROM p ORDER BY b", "1|7|5|five\n1|9|5|");
	run(&f, "DELETE FROM p WHERE a = 1");
	insert(&f, s, VALUES(NULL, "1", NULL));
	assert_int_equal(f.error.code, ERR_OK);
	expect(&f, "SELECT a, b, c, d FROM p ORDER BY b", "1|7||\n1|8||\n1|9||");
	s = prepare(&f, "INSERT INTO q VALUES ($1, $1, $1)");
	insert(&f, s, VALUES("3"));
	expect(&f, "SELECT a, b, c FROM q", "3|3|3");
	close_fixture(&f);
}

/* Statements of one command that go by the same parameter, and those that do not. */
static void test_route(void **state)
{
	struct fixture f = { 0 };
	struct statement *s;

	(void)state;
	open_fixture(&f, 4);
	run(&f,
		"CREATE TABLE o (id bigint PRIMARY KEY, n bigint);"
		"CREATE TABLE i (id bigint, line bigint, PRIMARY KEY (id, line))");
	s = prepare(&f, "INSERT INTO o VALUES ($1, $2); INSERT INTO i VALUES ($1, 1), ($1, 2)");
	insert(&f, s, VALUES("1", "2"));
	assert_int_equal(f.error.code, ERR_OK);
	insert(&f, s, VALUES(NULL, "2"));
	assert_string_equal(error_sqlstate(f.error.code), "23502");
	s = prepare(&f, "INSERT INTO o VALUES ($1, $2); INSERT INTO i VALUES ($2, 1)");
	insert(&f, s, VALUES("2", "2"));
	assert_int_equal(f.error.code, ERR_OK);
	expect(&f, "SELECT id, line FROM i ORDER BY id, line", "1|1\n1|2\n2|1");
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modifiers),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_arrangements),
		cmocka_unit_test(test_route),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
