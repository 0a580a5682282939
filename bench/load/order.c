/*
 * order.c: an order with two items in one command, which three views follow: total and items of each order, orders of
 * each customer, orders of each day.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/load/workload.h"

enum { DAYS = 365, ITEMS = 2 };

static const char *const DROP[] = { "DROP MATERIALIZED VIEW IF EXISTS bench_order_summary",
	"DROP MATERIALIZED VIEW IF EXISTS bench_customer_orders",
	"DROP MATERIALIZED VIEW IF EXISTS bench_day_orders", "DROP TABLE IF EXISTS bench_item",
	"DROP TABLE IF EXISTS bench_order", NULL };
static const char *const SCHEMA[] = {
	"CREATE TABLE bench_order (id bigint PRIMARY KEY, customer_id bigint NOT NULL,"
	"  day date NOT NULL)",
	"CREATE TABLE bench_item (order_id bigint, line int, qty int NOT NULL CHECK (qty > 0),"
	"  price numeric(12,2) NOT NULL, PRIMARY KEY (order_id, line))",
	"CREATE MATERIALIZED VIEW bench_order_summary AS SELECT o.id AS order_id,"
	"  sum(i.qty * i.price) AS total_amount, count(*) AS item_count"
	"  FROM bench_order o JOIN bench_item i ON i.order_id = o.id GROUP BY o.id",
	"CREATE UNIQUE INDEX bench_order_summary_key ON bench_order_summary (order_id)",
	"CREATE MATERIALIZED VIEW bench_customer_orders AS"
	"  SELECT customer_id, count(*) AS orders FROM bench_order GROUP BY customer_id",
	"CREATE UNIQUE INDEX bench_customer_orders_key ON bench_customer_orders (customer_id)",
	"CREATE MATERIALIZED VIEW bench_day_orders AS"
	"  SELECT day, count(*) AS orders FROM bench_order GROUP BY day",
	"CREATE UNIQUE INDEX bench_day_orders_key ON bench_day_orders (day)", NULL
};

struct order {
	struct keys customers;
	struct random random;
	uint64_t sent;
	uint64_t customer_sum;
	uint64_t cents; /* of all orders */
};

static void *order_open(const struct workload *w, uint64_t rows, double skew, uint64_t seed)
{
	struct order *s = calloc(1, sizeof(*s));

	(void)w;
	if (s == NULL)
		return NULL;
	keys_init(&s->customers, rows, skew, seed);
	s->random.state = ~seed;
	return s;
}

static uint64_t order_fill(void *state, unsigned op, struct lf_params *p)
{
	struct order *s = state;
	uint64_t customer = keys_next(&s->customers), r = random_next(&s->random);

	(void)op;
	lf_params_set_int(p, 0, (int64_t)s->sent++);
	lf_params_set_int(p, 1, (int64_t)customer);
	lf_params_set_date(p, 2, (int32_t)(r % DAYS));
	for (unsigned item = 0; item < ITEMS; item++) {
		int64_t qty = (int64_t)(r >> (16 + 24 * item)) % 4 + 1;
		int64_t price = (int64_t)(r >> (18 + 24 * item)) % 10000 + 1;

		lf_params_set_int(p, 3 + 2 * item, qty);
		lf_params_set_decimal(p, 4 + 2 * item, price, 2);
		s->cents += (uint64_t)(qty * price);
	}
	s->customer_sum += customer;
	return 0;
}

static int order_verify(void *state, struct lf_client *c, uint64_t at_least, char *said, size_t cap,
	struct lf_client_error *e)
{
	struct order *s = state;
	int64_t summary[3], customers[2], days;

	if (workload_numbers(c,
		    "SELECT count(*), sum(item_count), sum(total_amount) FROM bench_order_summary",
		    at_least, summary, 3, e) != 0 ||
		workload_numbers(c,
			"SELECT sum(orders), sum(customer_id * orders) FROM bench_customer_orders",
			at_least, customers, 2, e) != 0 ||
		workload_numbers(
			c, "SELECT sum(orders) FROM bench_day_orders", at_least, &days, 1, e) != 0)
		return -1;
	(void)snprintf(said, cap,
		"%lld orders of %llu sent, items %lld, total %lld.%02lld; per customer %lld, per day %lld",
		(long long)summary[0], (unsigned long long)s->sent, (long long)summary[1],
		(long long)summary[2] / 100, (long long)summary[2] % 100, (long long)customers[0],
		(long long)days);
	return (uint64_t)summary[0] != s->sent || (uint64_t)summary[1] != ITEMS * s->sent ||
		(uint64_t)summary[2] != s->cents || (uint64_t)customers[0] != s->sent ||
		(uint64_t)customers[1] != s->customer_sum || (uint64_t)days != s->sent;
}

static const struct operation OPERATIONS[] = { { .name = "order",
	.text = "INSERT INTO bench_order VALUES ($1, $2, $3);"
		"INSERT INTO bench_item VALUES ($1, 1, $4, $5), ($1, 2, $6, $7)",
	.weight = 1,
	.changes = 1 + ITEMS,
	.fill = order_fill } };

const struct workload WORKLOAD_ORDER = {
	.name = "order",
	.summary = "an order with two items in one command: three rows, three views",
	.rows_are = "customers who order",
	.rows = 10000,
	.drop = DROP,
	.schema = SCHEMA,
	.operations = OPERATIONS,
	.noperations = 1,
	.open = order_open,
	.close = free,
	.verify = order_verify,
};
