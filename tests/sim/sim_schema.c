/*
 * sim_schema.c: see sim_schema.h.
 *
 * The oracle has the same tables. For a comparison they are filled with the rows that Leftfold reads at the pinned
 * epoch; then the definition of a view is run there.
 */
#include "tests/sim/sim_schema.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/sql/cast.h"

enum { TEXT_MAX = 512, ROW_TEXT_MAX = 4096, TABLES = 5, CHECKED = 3 };

static const char *const TABLE_DEFS[TABLES] = {
	"CREATE TABLE account (id bigint PRIMARY KEY, name text NOT NULL, balance bigint"
	" CHECK (balance >= 0), seq bigint)",
	"CREATE TABLE entry (account bigint REFERENCES account, no bigint, amount bigint, note text,"
	" PRIMARY KEY (account, no))",
	"CREATE TABLE kv (k text PRIMARY KEY, account bigint, v bigint, seq bigint, pad text)",
	"CREATE TABLE log (tag bigint, part bigint, v bigint, note text) PARTITION BY HASH (tag)",
	"CREATE TABLE loose (tag bigint, v bigint, note text)",
};
/* Not by *: the tables get other columns. */
static const char *const TABLE_TEXTS[TABLES] = { "SELECT id, name, balance, seq FROM account",
	"SELECT account, no, amount, note FROM entry", "SELECT k, account, v, seq, pad FROM kv",
	"SELECT tag, part, v, note FROM log", "SELECT tag, v, note FROM loose" };

/* Numbers of objects. */
enum {
	FIRST_EXTRA_TABLE = 15,
	FIRST_NEW = FIRST_EXTRA_TABLE + EXTRAS,
	V_LEFT = FIRST_NEW,
	V_TOP = FIRST_NEW + 2,
	V_COUNTS = FIRST_NEW + 5,
	FIRST_COLUMN = FIRST_NEW + 9
};

enum object_kind {
	OBJECT_VIEW,
	OBJECT_INDEX,
	OBJECT_TABLE,
	OBJECT_PROCEDURE,
	OBJECT_COLUMN,
	OBJECT_NAME,
	OBJECT_REPLACE
};

/* on: of what is on a view, an index or another view, the number of that view and one; of an index on a column that comes
 * and goes, of that. A column is named with its table. A name is that of one of the NAMED, which has the text as its name when it has not
 * this one. A view that is replaced is one of the NAMED, which has a column of this name when it is by this text, and else is as
 * it was at first. */
static const struct object {
	enum object_kind kind;
	const char *name, *text;
	unsigned on;
} OBJECTS[] = {
	{ OBJECT_VIEW, "v_account",
		"SELECT a.id, a.name, a.balance, count(*) AS n, sum(e.amount) AS total,"
		" min(e.no) AS first, max(e.note) AS last FROM account a"
		" JOIN entry e ON e.account = a.id GROUP BY a.id, a.name, a.balance",
		0 },
	{ OBJECT_VIEW, "v_log",
		"SELECT tag, count(*) AS n, min(part) AS lo, max(part) AS hi, sum(v) AS total"
		" FROM log GROUP BY tag",
		0 },
	{ OBJECT_VIEW, "v_key",
		"SELECT k.k, k.v, a.name, a.balance FROM kv k JOIN account a ON a.id = k.account",
		0 },
	{ OBJECT_VIEW, "v_total",
		"SELECT count(*) AS n, sum(balance) AS total, max(seq) AS newest FROM account", 0 },
	{ OBJECT_VIEW, "v_rich", "SELECT id, balance FROM account WHERE balance > 50", 0 },
	{ OBJECT_VIEW, "v_loose",
		"SELECT l.tag, l.v, k.k FROM loose l JOIN kv k ON k.account = l.tag", 0 },
	{ OBJECT_VIEW, "v_pair",
		"SELECT e.account, e.no, k.k, k.v FROM entry e JOIN kv k ON k.account = e.account",
		0 },
	{ OBJECT_VIEW, "v_amount",
		"SELECT amount, count(*) AS n, min(note) AS least FROM entry GROUP BY amount", 0 },
	{ OBJECT_VIEW, "v_three",
		"SELECT a.id, k.k, sum(e.amount) AS total FROM account a"
		" JOIN entry e ON e.account = a.id JOIN kv k ON k.account = a.id GROUP BY a.id, k.k",
		0 },
	{ OBJECT_INDEX, "account_balance", "CREATE INDEX account_balance ON account (balance)", 0 },
	{ OBJECT_INDEX, "entry_amount", "CREATE INDEX entry_amount ON entry (amount)", 0 },
	{ OBJECT_INDEX, "log_tag", "CREATE INDEX log_tag ON log (tag)", 0 },
	{ OBJECT_INDEX, "v_account_id", "CREATE UNIQUE INDEX v_account_id ON v_account (id)", 1 },
	{ OBJECT_INDEX, "v_log_tag", "CREATE UNIQUE INDEX v_log_tag ON v_log (tag)", 2 },
	{ OBJECT_INDEX, "v_key_balance", "CREATE INDEX v_key_balance ON v_key (balance)", 3 },
	{ OBJECT_TABLE, "extra_0", "CREATE TABLE extra_0 (k bigint PRIMARY KEY, v bigint)", 0 },
	{ OBJECT_TABLE, "extra_1", "CREATE TABLE extra_1 (k bigint PRIMARY KEY, v bigint)", 0 },
	/* From here on what the kept seeds do not have. */
	{ OBJECT_VIEW, "v_left",
		"SELECT a.id, a.balance, count(k.k) AS n, sum(k.v) AS total, max(k.pad) AS pad"
		" FROM account a LEFT JOIN kv k ON k.account = a.id GROUP BY a.id, a.balance",
		0 },
	{ OBJECT_VIEW, "v_full",
		"SELECT l.tag, l.v, k.k FROM loose l FULL JOIN kv k ON k.account = l.tag", 0 },
	{ OBJECT_VIEW, "v_top", "SELECT id, balance FROM account ORDER BY balance DESC, id LIMIT 3",
		0 },
	{ OBJECT_VIEW, "v_ranked",
		"SELECT e.account, e.no, rank() OVER (PARTITION BY account ORDER BY amount DESC) AS r,"
		" sum(amount) OVER (PARTITION BY account ORDER BY no) AS upto FROM entry e",
		0 },
	{ OBJECT_VIEW, "v_lone",
		"SELECT a.id, a.name FROM account a WHERE NOT EXISTS"
		" (SELECT 1 FROM kv k WHERE k.account = a.id AND k.v > a.balance)",
		0 },
	{ OBJECT_VIEW, "v_counts",
		"SELECT n, count(*) AS accounts, sum(total) AS total FROM v_left GROUP BY n",
		V_LEFT + 1 },
	{ OBJECT_VIEW, "v_top_keys",
		"SELECT t.id, t.balance, k.k FROM v_top t LEFT JOIN kv k ON k.account = t.id",
		V_TOP + 1 },
	{ OBJECT_INDEX, "v_left_n", "CREATE INDEX v_left_n ON v_left (n)", V_LEFT + 1 },
	{ OBJECT_INDEX, "v_counts_n", "CREATE UNIQUE INDEX v_counts_n ON v_counts (n)",
		V_COUNTS + 1 },
	{ OBJECT_COLUMN, "account.more",
		"ALTER TABLE account ADD more text DEFAULT 'much' NOT NULL CHECK (more <> '')", 0 },
	{ OBJECT_COLUMN, "entry.flag", "ALTER TABLE entry ADD flag boolean", 0 },
	{ OBJECT_COLUMN, "kv.share", "ALTER TABLE kv ADD share numeric(10,2) DEFAULT 1.5", 0 },
	{ OBJECT_COLUMN, "kv.other", "ALTER TABLE kv ADD other text DEFAULT 'o'", 0 },
	{ OBJECT_COLUMN, "log.more", "ALTER TABLE log ADD more bigint DEFAULT 7", 0 },
	{ OBJECT_COLUMN, "loose.more", "ALTER TABLE loose ADD more text DEFAULT 'much'", 0 },
	{ OBJECT_INDEX, "account_more", "CREATE INDEX account_more ON account (more, balance)",
		FIRST_COLUMN + 1 },
	{ OBJECT_NAME, "named_2", "named_1", 0 },
	{ OBJECT_NAME, "named_index_2", "named_index_1", 0 },
	{ OBJECT_NAME, "named_view_2", "named_view_1", 0 },
	{ OBJECT_PROCEDURE, "give",
		"CREATE PROCEDURE give(a bigint, n bigint DEFAULT 1) BEGIN ATOMIC"
		" SELECT CASE WHEN count(*) = 0 THEN reject('no account') END FROM account WHERE id = a;"
		" UPDATE account SET balance = balance + n WHERE id = a; END",
		0 },
	{ OBJECT_PROCEDURE, "keep",
		"CREATE OR REPLACE PROCEDURE keep(key text) BEGIN ATOMIC"
		" UPDATE kv SET pad = keep.key WHERE k = key; END",
		0 },
	{ OBJECT_REPLACE, "replaced.second",
		"SELECT account AS id, count(*) AS second, max(note) AS note FROM entry GROUP BY account",
		0 },
};
#define REPLACED_FIRST "SELECT id, balance, name FROM account"
static const char *const NAMED[] = { "CREATE TABLE named_1 (k bigint PRIMARY KEY, v bigint)",
	"CREATE INDEX named_index_1 ON named_1 (v)",
	"CREATE MATERIALIZED VIEW named_view_1 AS SELECT named_1.v, count(*) AS n FROM named_1 GROUP BY v",
	"INSERT INTO named_1 VALUES (1, 7), (2, 7)",
	"CREATE PROCEDURE move(id bigint, amount bigint, seq bigint, no bigint, note text) BEGIN ATOMIC"
	" UPDATE account SET balance = balance + amount, seq = move.seq WHERE account.id = move.id;"
	" INSERT INTO entry VALUES ($1, $4, amount, note); END",
	"CREATE PROCEDURE shorten(bigint, bigint, bigint) BEGIN ATOMIC DELETE FROM entry WHERE account = $1 AND no < $2;"
	" UPDATE account SET seq = $3 WHERE id = $1; END",
	"CREATE PROCEDURE put(key text, account bigint, v bigint, seq bigint, pad text) BEGIN ATOMIC"
	" INSERT INTO kv VALUES (key, put.account, put.v, put.seq, put.pad) ON CONFLICT (k) DO UPDATE SET"
	" v = kv.v + excluded.v, seq = excluded.seq, pad = excluded.pad; END",
	"CREATE OR REPLACE MATERIALIZED VIEW replaced AS " REPLACED_FIRST,
	"CREATE UNIQUE INDEX replaced_id ON replaced (id)" };
enum { COUNT = sizeof(OBJECTS) / sizeof(OBJECTS[0]) };

/* By column, from the first on: how many rows do not have what they should. */
static const char *const COLUMN_CHECKS[] = { "SELECT count(*) FROM account WHERE more <> 'much'",
	"SELECT count(*) FROM entry WHERE flag IS NOT NULL",
	"SELECT count(*) FROM kv WHERE share IS DISTINCT FROM 1.5",
	"SELECT count(*) FROM kv WHERE other IS DISTINCT FROM 'o'",
	"SELECT count(*) FROM log WHERE more IS DISTINCT FROM 7",
	"SELECT count(*) FROM loose WHERE more IS DISTINCT FROM 'much'" };

/* Queries that an index answers, or the key; the same text and parameter for both. */
static const char *const QUERIES[] = {
	"SELECT id, seq FROM account WHERE balance = $1",
	"SELECT account, no FROM entry WHERE amount = $1",
	"SELECT part, v FROM log WHERE tag = $1",
	"SELECT name, balance FROM account WHERE id = $1",
};
enum { QUERY_COUNT = sizeof(QUERIES) / sizeof(QUERIES[0]) };

/* UNSURE: nobody can say till the next run. */
enum object_state { OBJECT_NONE, OBJECT_THERE, OBJECT_UNSURE };

struct rows {
	char **row;
	unsigned n, cap;
};

struct schema {
	struct random *random;
	struct ledger *ledger;
	struct lf_engine *engine;
	unsigned count; /* of objects, the first ones */
	enum object_state state[COUNT];
	struct statement *all_of_view[COUNT], *all_of_table[TABLES], *queries[QUERY_COUNT];
	unsigned changing; /* the object's number and one; 0: none */
	uint64_t changes, compared;
	bool found[COUNT], first_name[COUNT]; /* while looking at the catalog */
	sqlite3 *oracle;
	sqlite3_stmt *oracle_insert[TABLES], *oracle_view[COUNT], *oracle_query[QUERY_COUNT];
};

/* --- rows as text --- */

static void rows_add(struct rows *r, const char *text)
{
	if (r->n == r->cap) {
		r->cap = r->cap == 0 ? 64 : 2 * r->cap;
		r->row = realloc(r->row, r->cap * sizeof(*r->row));
		if (r->row == NULL)
			abort();
	}
	r->row[r->n] = strdup(text);
	if (r->row[r->n++] == NULL)
		abort();
}

static int text_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void rows_sort(struct rows *r)
{
	if (r->n > 1)
		qsort(r->row, r->n, sizeof(*r->row), text_order);
}

static void rows_free(struct rows *r)
{
	for (unsigned i = 0; i < r->n; i++)
		free(r->row[i]);
	free(r->row);
}

/* --- the oracle --- */

static void oracle_exec(struct schema *s, const char *sql)
{
	char *message = NULL;

	if (sqlite3_exec(s->oracle, sql, NULL, NULL, &message) != SQLITE_OK)
		wrong("the oracle: %s: %s", sql, message);
}

static sqlite3_stmt *oracle_prepare(struct schema *s, const char *sql)
{
	sqlite3_stmt *stmt;

	if (sqlite3_prepare_v2(s->oracle, sql, -1, &stmt, NULL) != SQLITE_OK)
		wrong("the oracle: %s: %s", sql, sqlite3_errmsg(s->oracle));
	return stmt;
}

static void oracle_open(struct schema *s)
{
	static const char *const ORACLE_DEFS[TABLES] = {
		"CREATE TABLE account (id INTEGER PRIMARY KEY, name TEXT, balance INTEGER, seq INTEGER)",
		"CREATE TABLE entry (account INTEGER, no INTEGER, amount INTEGER, note TEXT,"
		" PRIMARY KEY (account, no))",
		"CREATE TABLE kv (k TEXT PRIMARY KEY, account INTEGER, v INTEGER, seq INTEGER,"
		" pad TEXT)",
		"CREATE TABLE log (tag INTEGER, part INTEGER, v INTEGER, note TEXT)",
		"CREATE TABLE loose (tag INTEGER, v INTEGER, note TEXT)"
	};
	static const char *const INSERTS[TABLES] = { "INSERT INTO account VALUES (?,?,?,?)",
		"INSERT INTO entry VALUES (?,?,?,?)", "INSERT INTO kv VALUES (?,?,?,?,?)",
		"INSERT INTO log VALUES (?,?,?,?)", "INSERT INTO loose VALUES (?,?,?)" };

	if (sqlite3_open(":memory:", &s->oracle) != SQLITE_OK)
		abort();
	oracle_exec(s, "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF");
	for (unsigned t = 0; t < TABLES; t++) {
		oracle_exec(s, ORACLE_DEFS[t]);
		s->oracle_insert[t] = oracle_prepare(s, INSERTS[t]);
	}
	for (unsigned i = 0; i < COUNT; i++)
		if (OBJECTS[i].kind == OBJECT_VIEW) {
			char text[TEXT_MAX];

			s->oracle_view[i] = oracle_prepare(s, OBJECTS[i].text);
			/* For the views over it. */
			(void)snprintf(text, sizeof(text), "CREATE VIEW %s AS %s", OBJECTS[i].name,
				OBJECTS[i].text);
			oracle_exec(s, text);
		}
	for (unsigned i = 0; i < QUERY_COUNT; i++)
		s->oracle_query[i] = oracle_prepare(s, QUERIES[i]);
}

static void oracle_rows(sqlite3_stmt *stmt, struct rows *out)
{
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		char text[ROW_TEXT_MAX];
		size_t n = 0;

		for (int c = 0; c < sqlite3_column_count(stmt); c++) {
			const char *v = (const char *)sqlite3_column_text(stmt, c);

			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", c > 0 ? "|" : "",
				v == NULL ? "\\N" : v);
		}
		rows_add(out, text);
	}
	sqlite3_reset(stmt);
}

/* --- reading --- */

struct reading {
	const struct statement *s;
	struct rows *out;
	sqlite3_stmt *insert;
	int64_t param; /* $1, where there is one */
};

static int on_row_text(void *arg, const void *row, uint32_t size)
{
	struct reading *r = arg;
	const struct row_layout *l = &r->s->result_layout;
	char text[ROW_TEXT_MAX];
	size_t n = 0;

	(void)size;
	for (unsigned c = 0; c < l->ncols; c++) {
		struct value v;

		if (c > 0)
			text[n++] = '|';
		row_get(l, row, c, &v);
		if (value_is_null(&v)) {
			memcpy(text + n, "\\N", 2);
			n += 2;
		} else {
			n += value_format(&v, l->types[c], text + n, sizeof(text) - n - 1);
		}
	}
	text[n] = '\0';
	rows_add(r->out, text);
	return 0;
}

static int on_row_insert(void *arg, const void *row, uint32_t size)
{
	struct reading *r = arg;
	const struct row_layout *l = &r->s->result_layout;

	(void)size;
	for (unsigned c = 0; c < l->ncols; c++) {
		struct value v;

		row_get(l, row, c, &v);
		if (value_is_null(&v))
			sqlite3_bind_null(r->insert, (int)c + 1);
		else if (l->types[c].id == TYPE_TEXT)
			sqlite3_bind_text(
				r->insert, (int)c + 1, v.s.p, (int)v.s.len, SQLITE_STATIC);
		else
			sqlite3_bind_int64(r->insert, (int)c + 1, v.i);
	}
	if (sqlite3_step(r->insert) != SQLITE_DONE)
		wrong("a row of %s breaks a constraint", r->s->text);
	sqlite3_reset(r->insert);
	return 0;
}

static struct statement *prepare(struct schema *s, const char *sql)
{
	struct statement *out;
	const enum type_id declared = TYPE_INT8;
	struct error e;

	if (lf_prepare(&out, s->engine, sql, strlen(sql), &declared, strchr(sql, '$') != NULL,
		    &e) != 0)
		wrong("%s: %s %s", sql, error_sqlstate(e.code), e.message);
	return out;
}

static struct statement *kept(struct schema *s, struct statement **at, const char *sql)
{
	if (*at == NULL)
		*at = prepare(s, sql);
	return *at;
}

static struct statement *all_of(struct schema *s, struct statement **at, const char *name)
{
	char sql[TEXT_MAX];

	(void)snprintf(sql, sizeof(sql), "SELECT * FROM %s", name);
	return kept(s, at, sql);
}

static void query(struct lf_port *reader, struct reading *r,
	int (*sink)(void *arg, const void *row, uint32_t size))
{
	uint64_t params[4] = { 0 };
	struct value v = { .i = r->param, .type = TYPE_INT8 };
	struct error e;

	row_encode(&r->s->param_layout, &v, params);
	if (lf_query(reader, r->s, params, sink, r, &e) != 0)
		wrong("%s: %s %s", r->s->text, error_sqlstate(e.code), e.message);
}

/* --- comparing --- */

static void must_equal(const char *what, struct rows *want, struct rows *got)
{
	bool equal = want->n == got->n;

	rows_sort(want);
	rows_sort(got);
	for (unsigned i = 0; equal && i < want->n; i++)
		equal = strcmp(want->row[i], got->row[i]) == 0;
	if (!equal) {
		for (unsigned i = 0; i < want->n && i < 40; i++)
			fprintf(stderr, "  computed: %s\n", want->row[i]);
		for (unsigned i = 0; i < got->n && i < 40; i++)
			fprintf(stderr, "  read:     %s\n", got->row[i]);
		wrong("%s is not what its tables say", what);
	}
	rows_free(want);
	rows_free(got);
}

static void tables_copy(struct schema *s, struct lf_port *reader)
{
	oracle_exec(s,
		"DELETE FROM account; DELETE FROM entry; DELETE FROM kv; DELETE FROM log;"
		" DELETE FROM loose");
	for (unsigned t = 0; t < TABLES; t++) {
		struct reading r = { .s = kept(s, &s->all_of_table[t], TABLE_TEXTS[t]),
			.insert = s->oracle_insert[t] };

		query(reader, &r, on_row_insert);
	}
}

void schema_ready(struct schema *s)
{
	for (unsigned k = 0; k < QUERY_COUNT; k++)
		if (s->queries[k] == NULL)
			s->queries[k] = prepare(s, QUERIES[k]);
}

static void query_compare(struct schema *s, struct lf_port *reader, unsigned k)
{
	struct rows want = { 0 }, got = { 0 };
	struct reading r = { .out = &got, .param = random_below(s->random, 12) };

	r.s = s->queries[k];
	query(reader, &r, on_row_text);
	sqlite3_bind_int64(s->oracle_query[k], 1, r.param);
	oracle_rows(s->oracle_query[k], &want);
	must_equal(QUERIES[k], &want, &got);
}

/* Columns that were added have their defaults in all rows, whenever these were written. */
static void column_check(struct schema *s, struct lf_port *reader, unsigned k)
{
	struct rows want = { 0 }, got = { 0 };
	struct reading r = { .out = &got };

	r.s = kept(s, &s->all_of_view[k], COLUMN_CHECKS[k - FIRST_COLUMN]);
	query(reader, &r, on_row_text);
	rows_add(&want, "0");
	must_equal(OBJECTS[k].name, &want, &got);
}

/* A view that is replaced is by one of both texts, and has its key by either. */
static void replaced_check(struct schema *s, struct lf_port *reader, unsigned k)
{
	const char *text = s->state[k] == OBJECT_THERE ? OBJECTS[k].text : REPLACED_FIRST;
	struct rows want = { 0 }, got = { 0 };
	struct reading r = { .out = &got };
	char sql[2 * TEXT_MAX];

	(void)snprintf(sql, sizeof(sql),
		"SELECT count(*) FROM ((SELECT * FROM replaced EXCEPT ALL (%s)) UNION ALL"
		" ((%s) EXCEPT ALL SELECT * FROM replaced)) x",
		text, text);
	r.s = kept(s, &s->all_of_view[k], sql);
	query(reader, &r, on_row_text);
	rows_add(&want, "0");
	must_equal(OBJECTS[k].name, &want, &got);
}

void schema_compare(struct schema *s, struct lf_port *reader, bool all)
{
	unsigned start = random_below(s->random, s->count), n = 0;

	oracle_exec(s, "BEGIN");
	tables_copy(s, reader);
	for (unsigned i = 0; i < s->count && (all || n < CHECKED); i++) {
		unsigned k = (start + i) % s->count;
		struct rows want = { 0 }, got = { 0 };
		struct reading r = { .out = &got };

		if (OBJECTS[k].kind == OBJECT_COLUMN && s->state[k] == OBJECT_THERE &&
			s->changing != k + 1)
			column_check(s, reader, k);
		if (OBJECTS[k].kind == OBJECT_REPLACE && s->state[k] != OBJECT_UNSURE &&
			s->changing != k + 1)
			replaced_check(s, reader, k);
		if (OBJECTS[k].kind != OBJECT_VIEW || s->state[k] != OBJECT_THERE ||
			s->changing == k + 1)
			continue;
		r.s = all_of(s, &s->all_of_view[k], OBJECTS[k].name);
		query(reader, &r, on_row_text);
		oracle_rows(s->oracle_view[k], &want);
		must_equal(OBJECTS[k].name, &want, &got);
		n++;
	}
	query_compare(s, reader, random_below(s->random, QUERY_COUNT));
	oracle_exec(s, "COMMIT");
	s->compared += n;
}

uint64_t schema_compared(const struct schema *s)
{
	return s->compared;
}

uint64_t schema_changes(const struct schema *s)
{
	return s->changes;
}

/* --- changes --- */

static bool is_extra(unsigned k)
{
	return k >= FIRST_EXTRA_TABLE && k < FIRST_EXTRA_TABLE + EXTRAS;
}

static void set_state(struct schema *s, unsigned k, enum object_state state)
{
	s->state[k] = state;
	if (is_extra(k))
		ledger_extra_set(s->ledger, k - FIRST_EXTRA_TABLE, state != OBJECT_NONE,
			state == OBJECT_THERE);
	if ((OBJECTS[k].kind != OBJECT_VIEW && OBJECTS[k].kind != OBJECT_COLUMN) ||
		state == OBJECT_THERE)
		return;
	/* Its indexes go with it. */
	for (unsigned i = 0; i < COUNT; i++)
		if (OBJECTS[i].kind == OBJECT_INDEX && OBJECTS[i].on == k + 1 &&
			s->state[i] != OBJECT_NONE)
			s->state[i] = state;
}

/* Whether a view reads it, or may. */
static bool is_read(const struct schema *s, unsigned k)
{
	for (unsigned i = 0; i < COUNT; i++)
		if (OBJECTS[i].kind == OBJECT_VIEW && OBJECTS[i].on == k + 1 &&
			s->state[i] != OBJECT_NONE)
			return true;
	return false;
}

static bool may_change(const struct schema *s, unsigned k)
{
	const struct object *o = &OBJECTS[k];

	if (s->state[k] == OBJECT_UNSURE || (o->on > 0 && s->state[o->on - 1] != OBJECT_THERE))
		return false;
	if (is_read(s, k))
		return false;
	return !is_extra(k) || ledger_extra_quiet(s->ledger, k - FIRST_EXTRA_TABLE);
}

static void change_text(const struct object *o, bool make, char *text, size_t cap)
{
	static const char *const KINDS_TEXT[] = { "MATERIALIZED VIEW", "INDEX", "TABLE",
		"PROCEDURE" };
	const char *dot = strchr(o->name, '.');

	if (o->kind == OBJECT_NAME) {
		(void)snprintf(text, cap, "ALTER TABLE %s RENAME TO %s", make ? o->text : o->name,
			make ? o->name : o->text);
		return;
	}
	if (o->kind == OBJECT_REPLACE) {
		(void)snprintf(text, cap, "CREATE OR REPLACE MATERIALIZED VIEW %.*s AS %s",
			(int)(dot - o->name), o->name, make ? o->text : REPLACED_FIRST);
		return;
	}
	if (!make && o->kind == OBJECT_COLUMN)
		(void)snprintf(text, cap, "ALTER TABLE %.*s DROP COLUMN %s", (int)(dot - o->name),
			o->name, dot + 1);
	else if (!make)
		(void)snprintf(text, cap, "DROP %s %s", KINDS_TEXT[o->kind], o->name);
	else if (o->kind == OBJECT_VIEW)
		(void)snprintf(text, cap, "CREATE MATERIALIZED VIEW %s AS %s", o->name, o->text);
	else
		(void)snprintf(text, cap, "%s", o->text);
}

void schema_submit(struct schema *s, struct lf_port *port)
{
	unsigned k = random_one_in(s->random, 4)
		? FIRST_EXTRA_TABLE + random_below(s->random, EXTRAS)
		: random_below(s->random, s->count);
	struct statement *statement;
	uint64_t none[2] = { 0 };
	char text[TEXT_MAX];
	bool make;
	struct error e;

	/* The view that a view needs is made first. */
	if (OBJECTS[k].kind == OBJECT_VIEW && OBJECTS[k].on > 0 &&
		s->state[OBJECTS[k].on - 1] == OBJECT_NONE)
		k = OBJECTS[k].on - 1;
	if (s->changing != 0 || !may_change(s, k))
		return;
	make = s->state[k] == OBJECT_NONE;
	change_text(&OBJECTS[k], make, text, sizeof(text));
	if (!make || OBJECTS[k].kind == OBJECT_REPLACE) {
		lf_release(s->engine, s->all_of_view[k]);
		s->all_of_view[k] = NULL;
	}
	if (!make && is_extra(k))
		ledger_extra_set(s->ledger, k - FIRST_EXTRA_TABLE, true, false);
	statement = prepare(s, text);
	row_encode(&statement->param_layout, NULL, none);
	if (lf_submit(port, statement, none, SCHEMA_TAG | ++s->changes, LF_VISIBLE, &e) != 0)
		wrong("%s: %s %s", text, error_sqlstate(e.code), e.message);
	lf_release(s->engine, statement);
	s->changing = k + 1;
	trace("%s", text);
}

void schema_reply(struct schema *s, const struct lf_reply *reply, bool disk_bad)
{
	unsigned k = s->changing - 1;
	enum error_code code = reply->error == NULL ? ERR_OK : reply->error->code;

	trace("schema change: %s", error_sqlstate(code));
	if (s->changing == 0 || reply->tag != (SCHEMA_TAG | s->changes))
		wrong("an answer to no schema change");
	if (code != ERR_OK && !disk_bad)
		wrong("schema change of %s: %s %s", OBJECTS[k].name, error_sqlstate(code),
			reply->error->message);
	s->changing = 0;
	switch (code) {
	case ERR_OK:
		set_state(s, k, s->state[k] == OBJECT_NONE ? OBJECT_THERE : OBJECT_NONE);
		break;
	case ERR_OUTCOME_UNKNOWN: set_state(s, k, OBJECT_UNSURE); break;
	case ERR_DISK_FULL:
	case ERR_IO: set_state(s, k, s->state[k]); break;
	default:
		wrong("schema change of %s: %s %s", OBJECTS[k].name, error_sqlstate(code),
			reply->error->message);
	}
}

bool schema_busy(const struct schema *s)
{
	return s->changing != 0;
}

/* --- after a recovery --- */

static void note_relation(void *arg, const struct relation *r)
{
	struct schema *s = arg;

	for (unsigned k = 0; k < COUNT; k++) {
		size_t n = strlen(r->name);

		if (OBJECTS[k].kind == OBJECT_NAME && strcmp(OBJECTS[k].text, r->name) == 0)
			s->first_name[k] = true;

		if (strcmp(OBJECTS[k].name, r->name) == 0 ||
			((OBJECTS[k].kind == OBJECT_COLUMN || OBJECTS[k].kind == OBJECT_REPLACE) &&
				strncmp(OBJECTS[k].name, r->name, n) == 0 &&
				OBJECTS[k].name[n] == '.' &&
				relation_column(r, OBJECTS[k].name + n + 1) >= 0))
			s->found[k] = true;
		for (unsigned i = 0; i < r->nindexes; i++) {
			s->found[k] |= strcmp(OBJECTS[k].name, r->indexes[i]->name) == 0;
			s->first_name[k] |= OBJECTS[k].kind == OBJECT_NAME &&
				strcmp(OBJECTS[k].text, r->indexes[i]->name) == 0;
		}
	}
}

void schema_recovered(struct schema *s, bool adopt)
{
	memset(s->found, 0, sizeof(s->found));
	memset(s->first_name, 0, sizeof(s->first_name));
	lf_catalog_each(s->engine, note_relation, s);
	for (unsigned k = 0; k < COUNT; k++) {
		/* An index goes with its view. */
		unsigned on = OBJECTS[k].on;
		bool open = adopt || s->changing == k + 1 || s->state[k] == OBJECT_UNSURE ||
			(OBJECTS[k].kind == OBJECT_INDEX && on > 0 && s->changing == on);

		if (OBJECTS[k].kind == OBJECT_NAME && k < s->count &&
			s->found[k] == s->first_name[k])
			wrong("%s is there %s", OBJECTS[k].name, s->found[k] ? "twice" : "no more");
		if (s->found[k] && on > 0 && !s->found[on - 1])
			wrong("%s is there without %s", OBJECTS[k].name, OBJECTS[on - 1].name);

		if (!open && s->found[k] != (s->state[k] == OBJECT_THERE))
			wrong("%s is %s, which was %s", OBJECTS[k].name,
				s->found[k] ? "there" : "not there",
				s->found[k] ? "dropped" : "made");
	}
	s->changing = 0;
	for (unsigned k = 0; k < COUNT; k++)
		set_state(s, k, s->found[k] ? OBJECT_THERE : OBJECT_NONE);
}

/* --- the rest --- */

void schema_create(struct schema *s, struct lf_port *port)
{
	for (unsigned t = 0; t < TABLES; t++) {
		struct error e;

		if (lf_run(port, TABLE_DEFS[t], strlen(TABLE_DEFS[t]), NULL, NULL, NULL, &e) != 0)
			wrong("%s: %s %s", TABLE_DEFS[t], error_sqlstate(e.code), e.message);
	}
	if (s->count == COUNT)
		ledger_has_procedures(s->ledger);
	for (unsigned i = 0; s->count == COUNT && i < sizeof(NAMED) / sizeof(NAMED[0]); i++) {
		struct error e;

		if (lf_run(port, NAMED[i], strlen(NAMED[i]), NULL, NULL, NULL, &e) != 0)
			wrong("%s: %s %s", NAMED[i], error_sqlstate(e.code), e.message);
	}
}

struct schema *schema_new(struct random *random, struct ledger *ledger, bool old)
{
	struct schema *s = calloc(1, sizeof(*s));

	if (s == NULL)
		abort();
	s->random = random;
	s->ledger = ledger;
	s->count = old ? FIRST_NEW : COUNT;
	oracle_open(s);
	return s;
}

void schema_free(struct schema *s)
{
	for (unsigned t = 0; t < TABLES; t++)
		sqlite3_finalize(s->oracle_insert[t]);
	for (unsigned i = 0; i < COUNT; i++)
		sqlite3_finalize(s->oracle_view[i]);
	for (unsigned i = 0; i < QUERY_COUNT; i++)
		sqlite3_finalize(s->oracle_query[i]);
	sqlite3_close(s->oracle);
	free(s);
}

void schema_attach(struct schema *s, struct lf_engine *engine)
{
	s->engine = engine;
}

void schema_detach(struct schema *s)
{
	for (unsigned t = 0; t < TABLES; t++) {
		lf_release(s->engine, s->all_of_table[t]);
		s->all_of_table[t] = NULL;
	}
	for (unsigned i = 0; i < QUERY_COUNT; i++) {
		lf_release(s->engine, s->queries[i]);
		s->queries[i] = NULL;
	}
	for (unsigned i = 0; i < COUNT; i++) {
		lf_release(s->engine, s->all_of_view[i]);
		s->all_of_view[i] = NULL;
	}
	s->engine = NULL;
}
