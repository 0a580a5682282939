/*
 * Procedures and guards: what a SELECT of a command reads and refuses, arguments, what CALL does when tables or the procedure
 * change under it, and that all of it is there after a restart. What PostgreSQL has the same is in
 * tests/e2e/slt/procedures.slt.
 */
#include "tests/unit/data_fixture.h"

#include "core/base/limits.h"
#include "core/engine_internal.h"

static const char SCHEMA[] =
	"CREATE TABLE account (id bigint PRIMARY KEY, balance numeric(12,2) NOT NULL, note text);"
	"CREATE TABLE entry (account_id bigint, line int, amount numeric(12,2),"
	" PRIMARY KEY (account_id, line));"
	"INSERT INTO account VALUES (1, 100), (2, 5);"
	"CREATE PROCEDURE withdraw(acct bigint, amount numeric, l int DEFAULT 1) BEGIN ATOMIC"
	" SELECT CASE WHEN count(*) = 0 THEN reject('no account ' || acct, 'AC000') END"
	"  FROM account WHERE id = acct;"
	" SELECT CASE WHEN balance < withdraw.amount THEN reject('not enough') END"
	"  FROM account WHERE id = acct;"
	" UPDATE account SET balance = balance - amount WHERE id = acct;"
	" INSERT INTO entry VALUES (acct, l, -amount); END";

struct answer {
	struct error e;
	uint64_t count;
	unsigned answers;
};

static void on_reply(void *arg, const struct lf_reply *reply)
{
	struct answer *a = arg;

	error_clear(&a->e);
	if (reply->error != NULL)
		a->e = *reply->error;
	a->count = reply->count;
	a->answers++;
}

static struct answer submit(struct fixture *f, const struct statement *s, const struct value *v)
{
	struct answer a = { 0 };
	char row[128];

	row_encode(&s->param_layout, v, row);
	if (lf_submit(f->port, s, row, 0, LF_VISIBLE, &a.e) == 0)
		lf_flush(f->port);
	else
		a.answers = 1;
	return a;
}

static void settle(struct fixture *f, struct answer *a)
{
	lf_settle(f->engine);
	if (a->answers == 0)
		assert_int_equal(lf_poll(f->port, on_reply, a), 1);
}

/* With bigint parameters. */
static struct answer execute(struct fixture *f, const struct statement *s, int64_t p1, int64_t p2)
{
	struct value v[2] = { { .type = TYPE_INT8, .i = p1 }, { .type = TYPE_INT8, .i = p2 } };
	struct answer a = submit(f, s, v);

	settle(f, &a);
	return a;
}

static void refused(struct fixture *f, const char *text, const char *state, const char *message)
{
	assert_int_equal(lf_run(f->port, text, strlen(text), NULL, NULL, NULL, &f->error), -1);
	if (strcmp(error_state(&f->error), state) != 0 || strcmp(f->error.message, message) != 0)
		fail_msg("%s: %s %s", text, error_state(&f->error), f->error.message);
}

static void test_reject(void **state)
{
	struct fixture f = { 0 };
	char text[TEXT_MAX];

	(void)state;
	open_fixture(&f, 2);
	run(&f, SCHEMA);
	refused(&f, "SELECT reject('a')", "P0001", "a");
	assert_int_equal(f.error.position, 0);
	refused(&f, "SELECT reject('a' || id::text, 'AB123') FROM account WHERE id = 2", "AB123",
		"a2");
	refused(&f, "SELECT reject(NULL)", "P0001", "the command was rejected");
	refused(&f, "SELECT reject('a', NULL)", "P0001", "a");
	refused(&f, "SELECT reject('a', '00000')", "22023",
		"invalid SQLSTATE \"00000\" of reject()");
	refused(&f, "SELECT reject('a', 'LF001')", "22023",
		"invalid SQLSTATE \"LF001\" of reject()");
	refused(&f, "SELECT reject('a', 'ab123')", "22023",
		"invalid SQLSTATE \"ab123\" of reject()");
	/* Only where it is met. */
	expect(&f,
		"SELECT CASE WHEN id = 1 THEN reject('one') ELSE balance END FROM account WHERE id = 2",
		"5.00");
	expect(&f, "SELECT coalesce(id, reject('one')) FROM account WHERE id = 2", "2");
	expect(&f, "SELECT id FROM account WHERE id = 3 AND reject('x')", "");
	refused(&f,
		"UPDATE account SET balance = CASE WHEN balance < 10 THEN reject('low') ELSE balance - 10 END WHERE id = 2",
		"P0001", "low");
	refused(&f, "INSERT INTO account VALUES (3, reject('never'))", "P0001", "never");
	refused(&f, "INSERT INTO account VALUES (reject('never'), 1)", "P0001", "never");
	command(&f,
		"UPDATE account SET balance = CASE WHEN balance < 10 THEN reject('low') ELSE balance - 10 END WHERE id = 1");
	expect(&f, "SELECT * FROM account ORDER BY id", "1|90.00|\n2|5.00|");
	/* A message is cut between characters. */
	refused(&f, "SELECT reject(repeat('a', 318) || 'é')", "P0001",
		(memset(text, 'a', 318), text[318] = '\0', text));
	expect_error(&f, "CREATE MATERIALIZED VIEW v AS SELECT id, reject('a') FROM account",
		ERR_FEATURE);
	expect_error(&f, "CREATE TABLE d (id int PRIMARY KEY, n int DEFAULT reject('a', 1))",
		ERR_UNDEFINED_FUNCTION);
	close_fixture(&f);
}

/* A SELECT among the statements of a command reads what those before it left. */
static void test_guards(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	open_fixture(&f, 2);
	run(&f, SCHEMA);
	refused(&f,
		"UPDATE account SET balance = balance - 50 WHERE id = 1;"
		"SELECT CASE WHEN balance < 60 THEN reject('has ' || balance) END FROM account WHERE id = 1",
		"P0001", "has 50.00");
	expect(&f, "SELECT balance FROM account WHERE id = 1", "100.00");
	command(&f,
		"INSERT INTO entry VALUES (1, 1, 5), (1, 2, 6);"
		"SELECT CASE WHEN sum(amount) > 11 THEN reject('too much') END FROM entry WHERE account_id = 1");
	/* Over all of the aggregate, by scan and by index. */
	for (unsigned k = 0; k < 3; k++) {
		refused(&f,
			"INSERT INTO entry VALUES (1, 3, 1);"
			"SELECT CASE WHEN sum(amount) > 11 THEN reject('has ' || sum(amount)) END FROM entry WHERE account_id = 1",
			"P0001", "has 12.00");
		refused(&f,
			"DELETE FROM entry WHERE account_id = 1 AND line = 2;"
			"SELECT reject(string_agg(line::text || ':' || amount::text, ' ' ORDER BY line)) FROM entry WHERE account_id = 1",
			"P0001", "1:5.00");
		refused(&f,
			"SELECT reject('line ' || line) FROM entry WHERE account_id = 1 AND line > 1 ORDER BY line",
			"P0001", "line 2");
		refused(&f,
			"UPDATE account SET note = 'a' WHERE id = 1; SELECT reject('line ' || line) FROM entry WHERE account_id = 1 AND line IN (2, 3)",
			"P0001", "line 2");
		if (k == 0)
			run(&f, "CREATE INDEX by_line ON entry (account_id, line)");
		if (k == 1)
			run(&f, "DROP INDEX by_line; CREATE INDEX by_line ON entry USING hash (account_id)");
	}
	/* Rows of others, also in other shards, are not met. */
	for (int i = 10; i < 30; i++) {
		char text[200];

		(void)snprintf(text, sizeof(text),
			"INSERT INTO entry VALUES (%d, 1, 7); SELECT CASE WHEN count(*) <> 1 OR min(account_id) <> %d THEN reject('others') END FROM entry WHERE account_id = %d",
			i, i, i);
		command(&f, text);
	}
	refused(&f,
		"UPDATE account SET note = 'a' WHERE id = 9; SELECT reject('no 9') WHERE NOT EXISTS (SELECT * FROM account WHERE id = 9)",
		"P0001", "no 9");
	refused(&f,
		"SELECT 1; SELECT reject('there is 1', 'AB001') WHERE EXISTS (SELECT 1 FROM account a WHERE a.id = 1 AND balance > 0)",
		"AB001", "there is 1");
	command(&f,
		"SELECT 1; SELECT reject('no 1') WHERE NOT EXISTS (SELECT 1 FROM account WHERE id = 1)");
	command(&f,
		"SELECT 1; SELECT reject('is 1') WHERE EXISTS (SELECT 1 FROM account WHERE id = 1 AND balance < 0)");
	expect_error(&f,
		"SELECT 1; SELECT reject('x') WHERE EXISTS (SELECT 1 FROM account WHERE note = 'a')",
		ERR_FEATURE);
	expect_error(&f,
		"SELECT 1; SELECT reject('x') WHERE EXISTS (SELECT nix FROM account WHERE id = 1)",
		ERR_UNDEFINED_COLUMN);
	expect_error(&f,
		"SELECT 1; SELECT reject(balance::text) WHERE EXISTS (SELECT 1 FROM account WHERE id = 1)",
		ERR_UNDEFINED_COLUMN);
	expect_error(&f,
		"SELECT 1; SELECT count(*) WHERE EXISTS (SELECT 1 FROM account WHERE id = 1)",
		ERR_GROUPING);
	expect_error(&f,
		"SELECT 1; SELECT reject('x') WHERE EXISTS (SELECT count(*) FROM account WHERE id = 1)",
		ERR_FEATURE);
	command(&f, "SELECT 1; SELECT 2");
	refused(&f, "SELECT 1; SELECT reject('a')", "P0001", "a");
	expect_error(&f,
		"SELECT 1; SELECT * FROM account WHERE id = 1; SELECT * FROM account WHERE id = 2",
		ERR_FEATURE);
	expect_error(&f, "SELECT 1; SELECT * FROM account", ERR_FEATURE);
	assert_true(f.error.position > 0 && f.error.hint[0] != '\0');
	expect_error(&f, "SELECT 1; SELECT * FROM account a, entry e WHERE a.id = 1", ERR_FEATURE);
	expect_error(&f, "UPDATE account SET note = 'a' WHERE id = 1; TRUNCATE entry", ERR_FEATURE);
	expect_error(&f, "CREATE TABLE no (id int); SELECT 1", ERR_FEATURE);
	run(&f, "CREATE MATERIALIZED VIEW v AS SELECT id, balance FROM account; CREATE UNIQUE INDEX ON v (id)");
	expect_error(&f, "SELECT 1; SELECT * FROM v WHERE id = 1", ERR_FEATURE);
	close_fixture(&f);
}

static void test_call(void **state)
{
	struct fixture f = { 0 };
	struct statement *s;
	struct answer a;

	(void)state;
	open_fixture(&f, 3);
	run(&f, SCHEMA);
	command(&f, "CALL withdraw(1, 30)");
	refused(&f, "CALL withdraw(1, 80, 2)", "P0001", "not enough");
	refused(&f, "CALL withdraw(3, 80, 2)", "AC000", "no account 3");
	assert_int_equal(f.error.position, 0);
	command(&f, "CALL withdraw(l => 2, acct => 1, amount => 8)");
	refused(&f, "CALL withdraw(1, 8)", "23505",
		"duplicate key value violates unique constraint \"entry_pkey\"");
	expect(&f, "SELECT * FROM account ORDER BY id", "1|62.00|\n2|5.00|");
	expect(&f, "SELECT * FROM entry ORDER BY line", "1|1|-30.00\n1|2|-8.00");
	/* Parameters have the arguments' types; what is computed is computed once, before the body. */
	s = prepare(&f, "CALL withdraw($1, $2)");
	assert_int_equal(s->nparams, 2);
	assert_int_equal(s->params[0].id, TYPE_INT8);
	assert_int_equal(s->params[1].id, TYPE_NUMERIC);
	assert_string_equal(statement_tag(s), "CALL");
	lf_release(f.engine, s);
	s = prepare(&f, "CALL withdraw($1::bigint + 1, 100 / $2::bigint, 7)");
	a = execute(&f, s, 0, 0);
	assert_int_equal(a.e.code, ERR_DIVISION_BY_ZERO);
	assert_true(a.e.position > 0);
	a = execute(&f, s, 0, 50);
	assert_int_equal(a.e.code, ERR_OK);
	assert_int_equal(a.count, 2);
	expect(&f, "SELECT amount FROM entry WHERE account_id = 1 AND line = 7", "-2.00");
	lf_release(f.engine, s);
	/* As they are, but for their order. */
	run(&f,
		"CREATE PROCEDURE note(id bigint, n bigint) BEGIN ATOMIC"
		" UPDATE account SET note = n::text WHERE account.id = note.id; END");
	s = prepare(&f, "CALL note(n => $1, id => $2)");
	a = execute(&f, s, 77, 2);
	assert_int_equal(a.count, 1);
	expect(&f, "SELECT note FROM account WHERE id = 2", "77");
	lf_release(f.engine, s);
	expect_error(&f, "CALL withdraw(NULL, 1)", ERR_REJECTED);
	close_fixture(&f);
}

/* Names in the body mean what they meant, whatever becomes of the tables. */
static void test_tables_change(void **state)
{
	struct fixture f = { 0 };
	struct statement *s;

	(void)state;
	open_fixture(&f, 2);
	run(&f, SCHEMA);
	run(&f,
		"CREATE PROCEDURE put(i bigint, b bigint) BEGIN ATOMIC DELETE FROM account WHERE id = i;"
		" INSERT INTO account VALUES (i, b); END");
	s = prepare(&f, "CALL put($1, $2)");
	assert_int_equal(execute(&f, s, 5, 50).e.code, ERR_OK);
	expect_error(&f, "DROP TABLE account", ERR_DEPENDENT);
	assert_string_equal(f.error.detail,
		"function withdraw(bigint,numeric,integer) depends on table account");
	expect_error(&f, "ALTER TABLE account DROP COLUMN balance", ERR_DEPENDENT);
	run(&f,
		"ALTER TABLE account DROP COLUMN note; ALTER TABLE account ADD COLUMN z int DEFAULT 3;"
		"ALTER TABLE account RENAME COLUMN balance TO money; ALTER TABLE account RENAME TO purse;"
		"ALTER TABLE purse ADD COLUMN balance int; CREATE TABLE account (id bigint PRIMARY KEY)");
	command(&f, "CALL withdraw(1, 30)");
	assert_int_equal(execute(&f, s, 5, 51).e.code, ERR_OK);
	assert_int_equal(execute(&f, s, 6, 60).e.code, ERR_OK);
	expect(&f, "SELECT * FROM purse ORDER BY id",
		"1|70.00|3|\n2|5.00|3|\n5|51.00|3|\n6|60.00|3|");
	run(&f, "ALTER TABLE purse DROP COLUMN z; ALTER TABLE purse DROP COLUMN balance; DROP TABLE account");
	assert_int_equal(execute(&f, s, 7, 70).e.code, ERR_OK);
	expect(&f, "SELECT * FROM purse WHERE id > 5 ORDER BY id", "6|60.00\n7|70.00");
	lf_release(f.engine, s);
	run(&f, "DROP PROCEDURE put, withdraw; DROP TABLE purse");
	close_fixture(&f);
}

/* A prepared CALL is of what the procedure is when it is executed. */
static void test_procedure_changes(void **state)
{
	struct value v[2] = { { .type = TYPE_INT8, .i = 1 }, { .type = TYPE_INT8, .i = 2 } };
	struct fixture f = { 0 };
	struct statement *s, *other;
	struct answer a, b;

	(void)state;
	open_fixture(&f, 4);
	run(&f,
		"CREATE TABLE t (id bigint PRIMARY KEY, n bigint);"
		"CREATE PROCEDURE p(a bigint, b bigint) BEGIN ATOMIC INSERT INTO t VALUES (a, b); END");
	s = prepare(&f, "CALL p($1, $2)");
	assert_int_equal(execute(&f, s, 1, 10).e.code, ERR_OK);
	/* Now for rows of the other argument: also those that are under way. */
	for (int64_t i = 0; i < 8; i++) {
		v[0].i = 100 + i;
		v[1].i = 200 + i;
		a = submit(&f, s, v);
		assert_int_equal(a.answers, 0);
		run(&f,
			i % 2 == 0
				? "CREATE OR REPLACE PROCEDURE p(a bigint, b bigint) BEGIN ATOMIC INSERT INTO t VALUES (b, a); END"
				: "CREATE OR REPLACE PROCEDURE p(a bigint, b bigint) BEGIN ATOMIC INSERT INTO t VALUES (a, b); END");
		lf_settle(f.engine);
		(void)lf_poll(f.port, on_reply, &a);
		b = execute(&f, s, 300 + i, 400 + i);
		assert_int_equal(b.e.code, ERR_OK);
		expect(&f,
			"SELECT count(*) FROM t WHERE id >= 300 AND (n = id + 100) <> (n = id - 100)",
			(char[]){ (char)('1' + i), '\0' });
	}
	expect(&f, "SELECT count(*) FROM t WHERE id BETWEEN 300 AND 307", "4");
	run(&f, "ALTER PROCEDURE p RENAME TO q");
	assert_int_equal(execute(&f, s, 5, 5).e.code, ERR_UNDEFINED_FUNCTION);
	expect_error(&f, "CALL p(7, 7)", ERR_UNDEFINED_FUNCTION);
	command(&f, "CALL q(7, 7)");
	run(&f, "CREATE PROCEDURE p(a bigint, b bigint) BEGIN ATOMIC DELETE FROM t WHERE id = a; END");
	expect_error(&f, "ALTER PROCEDURE p RENAME TO q", ERR_DUPLICATE_FUNCTION);
	run(&f, "DROP PROCEDURE q(bigint, bigint)");
	expect_error(&f, "DROP PROCEDURE q", ERR_UNDEFINED_FUNCTION);
	assert_int_equal(execute(&f, s, 7, 7).e.code, ERR_OK);
	expect(&f, "SELECT * FROM t WHERE id = 7", "");
	other = prepare(&f, "CALL p(1000, 1000)");
	run(&f, "DROP PROCEDURE p; CREATE PROCEDURE p(a bigint, b bigint) BEGIN ATOMIC DELETE FROM t WHERE id = a; END");
	/* Of the one that was dropped. */
	assert_int_equal(execute(&f, other, 0, 0).e.code, ERR_UNDEFINED_FUNCTION);
	lf_release(f.engine, other);
	lf_release(f.engine, s);
	close_fixture(&f);
}

static void test_limits(void **state)
{
	struct fixture f = { 0 };
	static char text[200000];
	size_t n;

	(void)state;
	open_fixture(&f, 1);
	n = (size_t)snprintf(text, sizeof(text), "CREATE PROCEDURE p(");
	for (int i = 0; i <= LIMIT_PROCEDURE_ARGS; i++)
		n += (size_t)snprintf(
			text + n, sizeof(text) - n, "%sa%d int", i > 0 ? ", " : "", i);
	(void)snprintf(text + n, sizeof(text) - n, ") BEGIN ATOMIC SELECT 1; END");
	expect_error(&f, text, ERR_TOO_COMPLEX);
	n = (size_t)snprintf(text, sizeof(text), "CREATE PROCEDURE p() BEGIN ATOMIC");
	for (int i = 0; i <= LIMIT_STATEMENTS_PER_COMMAND; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " SELECT 1;");
	(void)snprintf(text + n, sizeof(text) - n, " END");
	expect_error(&f, text, ERR_PROGRAM_LIMIT);
	for (int i = 0; i < LIMIT_PROCEDURES; i++) {
		(void)snprintf(
			text, sizeof(text), "CREATE PROCEDURE p%d() BEGIN ATOMIC SELECT 1; END", i);
		command(&f, text);
	}
	expect_error(&f, "CREATE PROCEDURE p() BEGIN ATOMIC SELECT 1; END", ERR_LIMIT);
	command(&f, "CREATE OR REPLACE PROCEDURE p7() BEGIN ATOMIC SELECT 2; END");
	command(&f, "DROP PROCEDURE p7");
	command(&f, "CREATE PROCEDURE p() BEGIN ATOMIC SELECT 1; END");
	close_fixture(&f);
}

/* Procedures survive, by journal and by checkpoint, with the names that their tables have had. */
static void test_kept(void **state)
{
	static const char FILE_SCHEMA[] =
		"CREATE PROCEDURE more(a bigint) BEGIN ATOMIC UPDATE purse SET money = money + 1 WHERE id = a; END;"
		"CREATE PROCEDURE more(a bigint) BEGIN ATOMIC UPDATE purse SET money = money + 1 WHERE id = a; END;";
	static const char OTHER[] = "CREATE PROCEDURE more(a bigint) BEGIN ATOMIC SELECT 1; END";
	static const char DROP[] = "DROP PROCEDURE more";
	struct bed b;

	(void)state;
	make_bed(&b, 2);
	run(&b.f, SCHEMA);
	run(&b.f,
		"CREATE PROCEDURE gone() BEGIN ATOMIC SELECT 1; END;"
		"CREATE PROCEDURE twice(a bigint) BEGIN ATOMIC UPDATE account SET note = 'one' WHERE id = a; END;"
		"ALTER TABLE account RENAME COLUMN balance TO money; ALTER TABLE account RENAME TO purse;"
		"CREATE TABLE later (id bigint PRIMARY KEY, n int);"
		"ALTER PROCEDURE withdraw RENAME TO take; DROP PROCEDURE gone;"
		"CREATE OR REPLACE PROCEDURE twice(a bigint) BEGIN ATOMIC"
		" UPDATE purse SET note = 'two' WHERE id = a; INSERT INTO later VALUES (a, 2); END;"
		"ALTER PROCEDURE twice RENAME TO thrice; ALTER TABLE later RENAME TO sooner");
	for (int i = 0; i < 4; i++) {
		char text[100];

		if (i == 1 || i == 3)
			assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
		again(&b, 1 + (unsigned)i);
		(void)snprintf(text, sizeof(text), "CALL take(1, 1, %d)", i);
		command(&b.f, text);
		(void)snprintf(text, sizeof(text), "CALL thrice(%d)", i);
		command(&b.f, text);
		expect_error(&b.f, "CALL gone()", ERR_UNDEFINED_FUNCTION);
		expect_error(&b.f, "CALL withdraw(1, 1)", ERR_UNDEFINED_FUNCTION);
		expect_error(&b.f, "DROP TABLE sooner", ERR_DEPENDENT);
		refused(&b.f, "CALL take(2, 7)", "P0001", "not enough");
	}
	expect(&b.f, "SELECT * FROM purse ORDER BY id", "1|96.00|two\n2|5.00|two");
	expect(&b.f, "SELECT * FROM sooner ORDER BY id", "0|2\n1|2\n2|2\n3|2");
	/* A schema file. */
	again(&b, 2);
	if (lf_run_schema(b.f.port, FILE_SCHEMA, strlen(FILE_SCHEMA), &b.f.error) != 0)
		fail_msg("%s", b.f.error.message);
	command(&b.f, "CALL more(2)");
	assert_int_equal(lf_run_schema(b.f.port, OTHER, strlen(OTHER), &b.f.error), -1);
	assert_int_equal(b.f.error.code, ERR_DUPLICATE_FUNCTION);
	assert_string_not_equal(b.f.error.hint, "");
	assert_int_equal(lf_run_schema(b.f.port, DROP, strlen(DROP), &b.f.error), -1);
	assert_int_equal(b.f.error.code, ERR_OBJECT_STATE);
	close_fixture(&b.f);
	burn_bed(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reject),
		cmocka_unit_test(test_guards),
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_tables_change),
		cmocka_unit_test(test_procedure_changes),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
