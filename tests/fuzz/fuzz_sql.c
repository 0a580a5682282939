/*
 * fuzz_sql.c: arbitrary text as SQL, against a schema on a stepped engine.
 *
 * What prepares is executed: once with NULL for every parameter, once with zeros (empty text, the epoch). The
 * first byte picks one or two projectors. Afterwards, whatever happened, the control statements must still give
 * what they gave before, unless the input was allowed to change something, in which case the engine is
 * thrown away. Errors must have a code, and a position inside the text.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/utf8.h"
#include "core/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char SCHEMA[] =
	"CREATE TABLE t (a int PRIMARY KEY, b bigint DEFAULT 7, c text, d numeric(10,2) CHECK (d > -5),"
	" e double precision, f timestamptz, g date, h char(4), i varchar(9), j boolean, k uuid, l bytea);"
	"CREATE TABLE u (a int REFERENCES t, n smallint, v real, w timestamp, PRIMARY KEY (a, n), UNIQUE (a, v));"
	"CREATE TABLE bag (x int, y text);"
	"CREATE INDEX t_b ON t (b);"
	"CREATE MATERIALIZED VIEW s AS SELECT t.a, c, count(*) AS n, sum(v) AS v FROM t JOIN u ON u.a = t.a"
	" GROUP BY t.a, c;"
	"CREATE UNIQUE INDEX s_key ON s (a, c);"
	"CREATE PROCEDURE p(a int, b text DEFAULT 'x') BEGIN ATOMIC"
	" SELECT CASE WHEN count(*) = 0 THEN reject('no ' || p.a) END FROM t WHERE t.a = p.a;"
	" UPDATE t SET c = p.b WHERE t.a = p.a; END;"
	"CREATE MATERIALIZED VIEW z AS SELECT count(*) AS n, sum(b) AS b, max(g) AS g FROM t;"
	"INSERT INTO t VALUES (1, 2, 'one', 3.50, 0.5, '2024-01-01', '2024-02-29', 'ab', 'cd', true,"
	" 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\\x00ff'), (2, NULL, NULL, NULL, 'NaN', 'infinity',"
	" NULL, NULL, NULL, NULL, NULL, NULL);"
	"INSERT INTO u VALUES (1, 1, 1.5, NULL), (1, 2, NULL, '1999-12-31 23:59:59.999');"
	"INSERT INTO bag VALUES (1, 'x'), (1, 'x');";

/* An engine serves many inputs that change nothing. */
enum { INPUTS_AN_ENGINE = 500, HASH_START = 5381 };

struct bed {
	struct lf_engine *engine;
	struct lf_port *port;
	uint64_t state; /* of the rows and the catalog, when it was made */
	unsigned inputs;
};
static struct bed beds[2];

static int hash_row(void *arg, const struct statement *s, const void *row)
{
	uint64_t *sum = arg;
	const uint8_t *p = row;
	uint64_t h = HASH_START;

	(void)s;
	for (uint32_t i = 0; i < row_size(row); i++)
		h = h * 33 + p[i];
	/* Rows come in any order. */
	*sum += h * h;
	return 0;
}

static void hash_relation(void *arg, const struct relation *r)
{
	uint64_t *sum = arg;

	for (const char *p = r->name; *p != '\0'; p++)
		*sum = *sum * 33 + (uint8_t)*p;
	*sum = *sum * 33 + r->ncols + 7u * r->nindexes + 1001u * r->ndependents;
}

/* must: every query succeeds; otherwise a table may be gone and a view may have failed. */
static uint64_t state_of(const struct bed *b, bool must)
{
	static const char *const QUERIES[] = { "SELECT * FROM t", "SELECT * FROM u",
		"SELECT * FROM bag", "SELECT * FROM s", "SELECT * FROM z" };
	uint64_t sum = 0;
	struct error e;

	lf_catalog_each(b->engine, hash_relation, &sum);
	for (unsigned i = 0; i < sizeof(QUERIES) / sizeof(QUERIES[0]); i++)
		ASSERT(lf_run(b->port, QUERIES[i], strlen(QUERIES[i]), NULL, hash_row, &sum, &e) ==
				0 ||
			(!must && e.code != ERR_INTERNAL));
	return sum;
}

static void bed_open(struct bed *b, unsigned projectors)
{
	struct lf_options o = lf_options_default();
	struct error e;

	o.projectors = projectors;
	o.stepped = true;
	o.fixed_now_us = 1000000;
	o.ring_bytes = 1 << 16;
	o.reply_ring_bytes = 1 << 16;
	o.memory_limit = 256 << 20;
	ASSERT(lf_engine_open(&b->engine, &o, &e) == 0);
	ASSERT(lf_port_open(&b->port, b->engine, NULL, NULL, &e) == 0);
	ASSERT(lf_run_script(b->port, SCHEMA, sizeof(SCHEMA) - 1, &e) == 0);
	b->state = state_of(b, true);
	b->inputs = 0;
}

static void bed_close(struct bed *b)
{
	lf_port_close(b->port);
	lf_engine_close(b->engine);
	b->engine = NULL;
}

static void error_check(const struct error *e, const char *text, size_t len)
{
	ASSERT(e->code > ERR_OK && e->code < ERR_COUNT);
	/* Our own mistakes are the only cause of this one. */
	ASSERT(e->code != ERR_INTERNAL);
	ASSERT(e->position >= 0);
	/* One past the end is "at end of input". */
	if (utf8_valid(text, len))
		ASSERT((size_t)e->position <= utf8_length(text, len) + 1);
}

static int on_row(void *arg, const void *row, uint32_t size)
{
	const struct statement *s = arg;
	struct error e;

	ASSERT(row_validate(&s->result_layout, row, size, &e) == 0);
	return 0;
}

static void on_reply(void *arg, const struct lf_reply *reply)
{
	const struct error **error = arg;
	static struct error copy;

	if (reply->error == NULL) {
		ASSERT(reply->epoch > 0);
		return;
	}
	/* Some of several parts may have succeeded. */
	ASSERT(reply->parts < reply->parts_all || reply->parts_all == 0);
	ASSERT((reply->epoch > 0) == (reply->parts > 0));
	copy = *reply->error;
	*error = &copy;
}

static bool is_query(const struct statement *s)
{
	return s->kind == STATEMENT_SELECT;
}

static void execute(
	struct bed *b, const struct statement *s, bool null, const char *text, size_t len)
{
	struct value *v = calloc(s->nparams + 1, sizeof(*v));
	const struct error *failed = NULL;
	struct error e;
	uint64_t epoch;
	void *params;

	for (unsigned i = 0; i < s->nparams; i++) {
		v[i].type = s->params[i].id;
		v[i].flags = null ? VALUE_NULL : 0;
		if (s->params[i].id == TYPE_TEXT || s->params[i].id == TYPE_VARCHAR ||
			s->params[i].id == TYPE_BPCHAR || s->params[i].id == TYPE_BYTEA)
			v[i].s.p = "";
	}
	params = calloc(1, row_encoded_size(&s->param_layout, v) + 8);
	row_encode(&s->param_layout, v, params);
	if (is_query(s)) {
		ASSERT(lf_read_begin(b->port, 0, &epoch, &e) == 0);
		if (lf_query(b->port, s, params, on_row, (void *)(uintptr_t)s, &e) != 0)
			error_check(&e, text, len);
		lf_read_end(b->port);
	} else if (lf_submit(b->port, s, params, 1, LF_VISIBLE, &e) != 0) {
		error_check(&e, text, len);
	} else {
		lf_flush(b->port);
		lf_settle(b->engine);
		while (!lf_port_idle(b->port)) {
			(void)lf_poll(b->port, on_reply, &failed);
			lf_settle(b->engine);
		}
		if (failed != NULL)
			error_check(failed, text, len);
	}
	free(params);
	free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bed *b = &beds[size > 0 && data[0] % 2];
	const char *text = (const char *)data + 1;
	size_t len = size - 1;
	struct statement *s;
	struct error e;
	bool changes = false;

	if (size == 0)
		return 0;
	if (b->engine == NULL)
		bed_open(b, b == &beds[0] ? 1 : 2);
	if (lf_prepare(&s, b->engine, text, len, NULL, 0, &e) != 0) {
		error_check(&e, text, len);
	} else {
		changes = !is_query(s);
		execute(b, s, true, text, len);
		/* A schema change is for once. */
		if (s->kind <= STATEMENT_SELECT)
			execute(b, s, false, text, len);
		lf_release(b->engine, s);
	}
	if (changes)
		(void)state_of(b, false);
	else if (b->inputs % 64 == 0)
		ASSERT(state_of(b, true) == b->state);
	if (changes || ++b->inputs == INPUTS_AN_ENGINE)
		bed_close(b);
	return 0;
}
