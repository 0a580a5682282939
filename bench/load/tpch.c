/*
 * tpch.c: TPC-H's orders as they come: an order with four lineitems in one command (four is the mean of the specification's
 * one to seven; a command is one prepared text), which the views of its queries 1, 3 and 6 follow. The customers are there
 * beforehand, and order as the specification says, whatever --zipf does. Rows are bench/tpch's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/workload.h"
#include "bench/tpch/sql.h"

enum { LINES = 4, CUSTOMERS_AT_SCALE_1 = 150000 };
/* The queries' dates, as days since 2000-01-01: 1998-09-02, 1995-03-15, 1994-01-01, 1995-01-01. */
enum { Q1_LAST = -486, Q3_DAY = -1753, Q6_FIRST = -2191, Q6_END = -1826 };

static const char *const DROP[] = { "DROP MATERIALIZED VIEW IF EXISTS bench_tpch_q1",
	"DROP MATERIALIZED VIEW IF EXISTS bench_tpch_q3",
	"DROP MATERIALIZED VIEW IF EXISTS bench_tpch_q6",
	"DROP TABLE IF EXISTS bench_tpch_lineitem", "DROP TABLE IF EXISTS bench_tpch_orders",
	"DROP TABLE IF EXISTS bench_tpch_customer", NULL };
static const char *const SCHEMA[] = { TPCH_CREATE_CUSTOMER("bench_tpch_customer"),
	TPCH_CREATE_ORDERS("bench_tpch_orders"), TPCH_CREATE_LINEITEM("bench_tpch_lineitem"),
	"CREATE MATERIALIZED VIEW bench_tpch_q1 AS " TPCH_Q1("bench_tpch_lineitem"),
	"CREATE UNIQUE INDEX bench_tpch_q1_key ON bench_tpch_q1 (l_returnflag, l_linestatus)",
	"CREATE MATERIALIZED VIEW bench_tpch_q3 AS " TPCH_Q3(
		"bench_tpch_customer", "bench_tpch_orders", "bench_tpch_lineitem"),
	"CREATE UNIQUE INDEX bench_tpch_q3_key ON bench_tpch_q3 (l_orderkey)",
	"CREATE MATERIALIZED VIEW bench_tpch_q6 AS " TPCH_Q6("bench_tpch_lineitem"), NULL };

/* What the views should add up to: decimals as their coefficients. */
struct sums {
	int64_t q1_lines, q1_quantity, q1_charge; /* scales 0, 2, 6 */
	int64_t q3_orders, q3_revenue;            /* 0, 4 */
	int64_t q6_revenue;                       /* 4 */
};

struct tpch_load {
	struct tpch t;
	uint64_t sent;
	struct sums sums;
	bool *building; /* by customer, from 1 */
};

static void *tpch_open(const struct workload *w, uint64_t rows, double skew, uint64_t seed)
{
	struct tpch_load *s = calloc(1, sizeof(*s));

	(void)w;
	(void)skew;
	if (s == NULL)
		return NULL;
	tpch_init(&s->t, (double)rows / CUSTOMERS_AT_SCALE_1, seed);
	s->building = calloc(s->t.rows[TPCH_CUSTOMER] + 1, sizeof(*s->building));
	if (s->building == NULL) {
		free(s);
		return NULL;
	}
	return s;
}

static void tpch_close(void *state)
{
	struct tpch_load *s = state;

	free(s->building);
	free(s);
}

static void set_field(struct lf_params *p, unsigned at, char kind, const struct tpch_field *f)
{
	switch (kind) {
	case 'i': lf_params_set_int(p, at, f->number); break;
	case 'n': lf_params_set_decimal(p, at, f->number, 2); break;
	case 'd': lf_params_set_date(p, at, (int32_t)f->number); break;
	default: lf_params_set_text(p, at, f->text, SIZE_MAX);
	}
}

/* --- customers --- */

static void note_failure(void *arg, uint64_t request, const struct lf_result *r)
{
	struct lf_client_error *e = arg;

	(void)request;
	if (lf_result_error(r) != NULL)
		*e = *lf_result_error(r);
}

static int send_customers(struct tpch_load *s, struct lf_client *c, struct lf_statement *insert,
	struct lf_params *p, struct lf_client_error *e)
{
	enum { C_MKTSEGMENT = 6 };
	const struct lf_client_call how = { .ack = LF_ACK_DURABLE };
	struct lf_client_error failure = { .sqlstate = "" };
	int status = 0;

	for (uint64_t i = 0; i < s->t.rows[TPCH_CUSTOMER] && status >= 0;) {
		struct tpch_row row;

		tpch_row(&s->t, TPCH_CUSTOMER, i, &row);
		s->building[i + 1] = strcmp(row.fields[C_MKTSEGMENT].text, "BUILDING") == 0;
		for (unsigned k = 0; k < row.n; k++)
			set_field(p, k, TPCH_FORM[TPCH_CUSTOMER].kinds[k], &row.fields[k]);
		status = lf_client_send(c, insert, p, &how, note_failure, &failure, NULL, e);
		if (status == LF_WOULD_BLOCK)
			status = lf_client_poll(c, -1, e);
		else
			i++;
	}
	if (status < 0 || lf_client_wait(c, -1, e) != 0)
		return -1;
	if (failure.sqlstate[0] == '\0')
		return 0;
	*e = failure;
	return -1;
}

static int tpch_load(void *state, struct lf_client *c, struct lf_client_error *e)
{
	struct lf_statement *insert;
	struct lf_params *p;
	int status;

	if (lf_client_prepare(&insert, c,
		    "INSERT INTO bench_tpch_customer VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		    SIZE_MAX, NULL, 0, e) != 0)
		return -1;
	p = lf_params_new(insert);
	status = p == NULL ? -1 : send_customers(state, c, insert, p, e);
	lf_params_free(p);
	lf_statement_close(insert);
	return status;
}

/* --- orders --- */

/* Add a line to the sums. Returns what it adds to its order's revenue in query 3, 0 if it is none of that. */
static int64_t add_line(struct sums *sums, const struct tpch_field *l)
{
	int64_t price = l[L_EXTENDEDPRICE].number, discount = l[L_DISCOUNT].number;
	int64_t shipped = l[L_SHIPDATE].number, discounted = price * (100 - discount);

	if (shipped <= Q1_LAST) {
		sums->q1_lines++;
		sums->q1_quantity += l[L_QUANTITY].number;
		sums->q1_charge += discounted * (100 + l[L_TAX].number);
	}
	if (shipped >= Q6_FIRST && shipped < Q6_END && discount >= 5 && discount <= 7 &&
		l[L_QUANTITY].number < 2400)
		sums->q6_revenue += price * discount;
	return shipped > Q3_DAY ? discounted : 0;
}

/* Parameters: the order's columns; of each line those that are neither the order's key nor the line's number. */
static uint64_t tpch_fill(void *state, unsigned op, struct lf_params *p)
{
	struct tpch_load *s = state;
	struct tpch_row order, line[TPCH_LINES_MAX];
	int64_t revenue = 0;
	unsigned at = 0;

	(void)op;
	tpch_order(&s->t, s->sent++, LINES, &order, line);
	for (unsigned i = 0; i < order.n; i++)
		set_field(p, at++, TPCH_FORM[TPCH_ORDERS].kinds[i], &order.fields[i]);
	for (unsigned k = 0; k < LINES; k++) {
		for (unsigned i = 0; i < line[k].n; i++)
			if (i != L_ORDERKEY && i != L_LINENUMBER)
				set_field(p, at++, TPCH_FORM[TPCH_LINEITEM].kinds[i],
					&line[k].fields[i]);
		revenue += add_line(&s->sums, line[k].fields);
	}
	if (revenue > 0 && order.fields[O_ORDERDATE].number < Q3_DAY &&
		s->building[order.fields[O_CUSTKEY].number]) {
		s->sums.q3_orders++;
		s->sums.q3_revenue += revenue;
	}
	return 0;
}

static int tpch_verify(void *state, struct lf_client *c, uint64_t at_least, char *said, size_t cap,
	struct lf_client_error *e)
{
	struct tpch_load *s = state;
	struct sums found;
	int64_t q1[3], q3[2];

	if (workload_numbers(c,
		    "SELECT sum(count_order), sum(sum_qty), sum(sum_charge) FROM bench_tpch_q1",
		    at_least, q1, 3, e) != 0 ||
		workload_numbers(c, "SELECT count(*), sum(revenue) FROM bench_tpch_q3", at_least,
			q3, 2, e) != 0 ||
		workload_numbers(c, "SELECT revenue FROM bench_tpch_q6", at_least,
			&found.q6_revenue, 1, e) != 0)
		return -1;
	found = (struct sums){ q1[0], q1[1], q1[2], q3[0], q3[1], found.q6_revenue };
	(void)snprintf(said, cap,
		"%llu orders sent; Q1 counts %lld lines of %d each, Q3 has %lld orders, Q6 is %lld.%04lld",
		(unsigned long long)s->sent, (long long)found.q1_lines, LINES,
		(long long)found.q3_orders, (long long)found.q6_revenue / 10000,
		(long long)found.q6_revenue % 10000);
	return memcmp(&found, &s->sums, sizeof(found)) != 0;
}

static const struct operation OPERATIONS[] = { { .name = "order",
	.text = "INSERT INTO bench_tpch_orders VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);"
		"INSERT INTO bench_tpch_lineitem VALUES"
		" ($1, $10, $11, 1, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23),"
		" ($1, $24, $25, 2, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37),"
		" ($1, $38, $39, 3, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50, $51),"
		" ($1, $52, $53, 4, $54, $55, $56, $57, $58, $59, $60, $61, $62, $63, $64, $65)",
	.weight = 1,
	.changes = 1 + LINES,
	.fill = tpch_fill } };

const struct workload WORKLOAD_TPCH = {
	.name = "tpch",
	.summary = "a TPC-H order with four lineitems in one command: five rows, three views",
	.rows_are = "customers (150,000: scale factor 1)",
	.rows = 15000,
	.drop = DROP,
	.schema = SCHEMA,
	.operations = OPERATIONS,
	.noperations = 1,
	.open = tpch_open,
	.close = tpch_close,
	.load = tpch_load,
	.verify = tpch_verify,
};
