/*
 * bench_prepare.c: what it costs to parse and prepare a statement: text to something that can be executed.
 *
 *   bench_prepare [--smoke] [--rounds N]
 *
 * Prints microseconds each of a point query, an insertion, an order (a command of two statements) and a query over a
 * view with sorting; the text comes as of a client that prepares anew every time.
 */
#include "bench/micro/micro.h"
#include "core/engine.h"

static const char SCHEMA[] =
	"CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, day date NOT NULL);"
	"CREATE TABLE order_item (order_id bigint, line int, qty int NOT NULL, price numeric(12,2) NOT NULL,"
	"  PRIMARY KEY (order_id, line));"
	"CREATE MATERIALIZED VIEW order_summary AS SELECT o.id AS order_id, sum(i.qty * i.price) AS total, count(*) AS items"
	"  FROM orders o JOIN order_item i ON i.order_id = o.id GROUP BY o.id;"
	"CREATE UNIQUE INDEX order_summary_key ON order_summary (order_id);";

static const struct {
	const char *name, *text;
	unsigned nparams;
} STATEMENTS[] = {
	{ "point", "SELECT total, items FROM order_summary WHERE order_id = $1", 1 },
	{ "insert", "INSERT INTO orders VALUES ($1, $2, $3)", 3 },
	{ "order",
		"INSERT INTO orders VALUES ($1, $2, $3);"
		"INSERT INTO order_item VALUES ($1, 1, $4, $5), ($1, 2, $6, $7)",
		7 },
	{ "sorted",
		"SELECT order_id, total FROM order_summary WHERE items > $1 AND total BETWEEN $2 AND $3"
		" ORDER BY total DESC, order_id LIMIT 10",
		3 },
};

static void check(int status, const struct error *e)
{
	if (status != 0)
		micro_fail("bench_prepare: %s %s", error_sqlstate(e->code), e->message);
}

static double measure(struct lf_engine *engine, unsigned i, uint64_t rounds)
{
	uint64_t begin = clock_now_ns();

	for (uint64_t n = 0; n < rounds; n++) {
		struct statement *s;
		struct error e;

		check(lf_prepare(&s, engine, STATEMENTS[i].text, strlen(STATEMENTS[i].text), NULL,
			      0, &e),
			&e);
		if (s->nparams != STATEMENTS[i].nparams)
			micro_fail("bench_prepare: %s has %u parameters", STATEMENTS[i].name,
				s->nparams);
		lf_release(engine, s);
	}
	return micro_seconds(begin) * 1e6 / (double)rounds;
}

int main(int argc, char **argv)
{
	bool smoke = false;
	uint64_t rounds = 10000;
	const struct micro_flag flags[] = { { "--smoke", &smoke, NULL },
		{ "--rounds", NULL, &rounds } };
	struct lf_options o = lf_options_default();
	struct lf_engine *engine;
	struct lf_port *port;
	struct error e;

	micro_flags(argc, argv, flags, 2);
	if (smoke)
		rounds = 20;
	o.stepped = true;
	check(lf_engine_open(&engine, &o, &e), &e);
	check(lf_port_open(&port, engine, NULL, NULL, &e), &e);
	check(lf_run_script(port, SCHEMA, strlen(SCHEMA), &e), &e);
	for (unsigned i = 0; i < sizeof(STATEMENTS) / sizeof(STATEMENTS[0]); i++)
		printf("prepare_%s us %.1f\n", STATEMENTS[i].name, measure(engine, i, rounds));
	lf_port_close(port);
	lf_engine_close(engine);
	return 0;
}
