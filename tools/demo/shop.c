/*
 * shop.c: the first act. The views are declared first, then the shop's commands go in, through several
 * connections; then some single commands are watched; then SQLite does all of it again.
 */
#include "tools/demo/shop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/demo/acts.h"
#include "tools/demo/lanes.h"
#include "tools/demo/print.h"

enum { LAST_MAX = 8, SQL_MAX = 512, US = 1000 };

/* One text each but for orders, of which there is one for each number of items. */
static const char *const TEXT[SHOP_KINDS] = {
	[SHOP_CUSTOMER] = "INSERT INTO customer VALUES ($1, $2, $3, $4)",
	[SHOP_PRODUCT] = "INSERT INTO product VALUES ($1, $2, $3, $4, $5)",
	[SHOP_PICK] = "UPDATE product SET stock = stock - $2 WHERE id = $1 AND stock >= $2",
	[SHOP_DELIVERY] = "UPDATE product SET stock = stock + $2 WHERE id = $1",
	[SHOP_PAYMENT] = "UPDATE orders SET status = 'paid' WHERE id = $1 AND status = 'open';"
			 " INSERT INTO payment VALUES ($1, $2, $3, $4)",
	[SHOP_CANCEL] = "UPDATE orders SET status = 'cancelled' WHERE id = $1 AND status = 'open'",
	[SHOP_PRICE] = "UPDATE product SET price = $2 WHERE id = $1",
	[SHOP_RENAME] = "UPDATE customer SET name = $2 WHERE id = $1",
};

/* The text of a command; out is for orders. */
static const char *command_text(enum shop_kind kind, unsigned nitems, char *out)
{
	size_t n;

	if (kind != SHOP_ORDER)
		return TEXT[kind];
	n = (size_t)snprintf(out, SQL_MAX,
		"INSERT INTO orders VALUES ($1, $2, $3, 'open'); INSERT INTO order_item VALUES ");
	for (unsigned i = 0; i < nitems; i++)
		n += (size_t)snprintf(out + n, SQL_MAX - n, "%s($1, %u, $%u, $%u, $%u)",
			i > 0 ? ", " : "", i + 1, 3 * i + 4, 3 * i + 5, 3 * i + 6);
	return out;
}

static void set_time(struct lf_params *p, unsigned param, int64_t unix_s)
{
	lf_params_set_timestamp(p, param, unix_s * 1000000 - LF_EPOCH_UNIX_US);
}

static void set_params(struct lf_params *p, const struct shop_command *c)
{
	lf_params_set_int(p, 0, c->key);
	switch (c->kind) {
	case SHOP_CUSTOMER:
		lf_params_set_text(p, 1, c->name, SIZE_MAX);
		lf_params_set_text(p, 2, c->word, SIZE_MAX);
		set_time(p, 3, c->time);
		break;
	case SHOP_PRODUCT:
		lf_params_set_text(p, 1, c->name, SIZE_MAX);
		lf_params_set_text(p, 2, c->word, SIZE_MAX);
		lf_params_set_decimal(p, 3, c->cents, 2);
		lf_params_set_int(p, 4, c->quantity);
		break;
	case SHOP_ORDER:
		lf_params_set_int(p, 1, c->customer);
		set_time(p, 2, c->time);
		for (unsigned i = 0; i < c->nitems; i++) {
			lf_params_set_int(p, 3 * i + 3, c->item[i].product);
			lf_params_set_int(p, 3 * i + 4, c->item[i].quantity);
			lf_params_set_decimal(p, 3 * i + 5, c->item[i].cents, 2);
		}
		break;
	case SHOP_PAYMENT:
		lf_params_set_text(p, 1, c->word, SIZE_MAX);
		lf_params_set_decimal(p, 2, c->cents, 2);
		set_time(p, 3, c->time);
		break;
	case SHOP_PICK:
	case SHOP_DELIVERY: lf_params_set_int(p, 1, c->quantity); break;
	case SHOP_PRICE: lf_params_set_decimal(p, 1, c->cents, 2); break;
	case SHOP_RENAME: lf_params_set_text(p, 1, c->name, SIZE_MAX); break;
	case SHOP_CANCEL:
	case SHOP_KINDS: break;
	}
}

/* --- the shop's days --- */

static struct lanes_tally run_days(struct demo *d, const struct shop_sizes *sizes)
{
	struct lanes *lanes = lanes_open(d->address);
	struct shop *shop = shop_new(sizes);
	unsigned statement[SHOP_KINDS], order[SHOP_ITEMS_MAX];
	struct lanes_tally tally;
	struct shop_command c;
	struct progress p;
	char text[SQL_MAX];

	for (unsigned k = 0; k < SHOP_KINDS; k++)
		if (k != SHOP_ORDER)
			statement[k] = lanes_prepare(lanes, TEXT[k]);
	for (unsigned n = 0; n < SHOP_ITEMS_MAX; n++)
		order[n] = lanes_prepare(lanes, command_text(SHOP_ORDER, n + 1, text));
	p = progress_begin("commands", shop_estimate(sizes));
	while (shop_next(shop, &c)) {
		unsigned s = c.kind == SHOP_ORDER ? order[c.nitems - 1] : statement[c.kind];

		set_params(lanes_params(lanes, s), &c);
		lanes_send(lanes, c.key, s);
		progress_step(&p, lanes_tally(lanes).answered);
	}
	lanes_wait(lanes);
	tally = lanes_tally(lanes);
	d->seconds += progress_end(&p, tally.answered);
	d->commands += tally.answered;
	d->epoch = lanes_epoch(lanes);
	shop_free(shop);
	lanes_close(lanes);
	return tally;
}

/* --- single commands, watched --- */

struct last {
	struct lf_client *write;
	struct shop_command command[LAST_MAX];
	unsigned n;
};

/* Execute and wait until every view shows it. Refused commands are shown as such. */
static void execute_visible(struct demo *d, struct last *l, const struct shop_command *c)
{
	const struct lf_client_call visible = { LF_ACK_VISIBLE, 0, 0 };
	struct lf_result *r = lf_result_new();
	struct lf_statement *s;
	struct lf_client_error e;
	struct lf_params *p;
	char text[SQL_MAX];
	uint64_t start;

	if (r == NULL ||
		lf_client_prepare(&s, l->write, command_text(c->kind, c->nitems, text), SIZE_MAX,
			NULL, 0, &e) != 0)
		die("%s: %s", e.sqlstate, e.message);
	p = lf_params_new(s);
	if (p == NULL || l->n == LAST_MAX)
		die("out of memory");
	set_params(p, c);
	start = now_ns();
	if (lf_client_execute(l->write, s, p, &visible, r, &e) == 0)
		print_text("=> visible to everyone at epoch %llu after %llu us",
			(unsigned long long)lf_result_epoch(r),
			(unsigned long long)((now_ns() - start) / US));
	else if (strcmp(e.sqlstate, "23514") == 0)
		print_text("=> refused with SQLSTATE %s: %s", e.sqlstate, e.message);
	else
		die("%s: %s", e.sqlstate, e.message);
	l->command[l->n++] = *c;
	d->commands++;
	lf_params_free(p);
	lf_statement_close(s);
	lf_result_free(r);
}

/* Rows of a view to be shown before and after. */
struct look {
	const char *columns; /* of the SELECT, with its FROM */
	const char *where;   /* a column */
	int64_t key;
};

static void watched(struct demo *d, struct last *l, const struct shop_command *c,
	const struct look *look, unsigned n)
{
	char text[WATCH_MAX][SQL_MAX];
	const char *sql[WATCH_MAX];
	struct watch w;

	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(text[i], SQL_MAX, "SELECT %s WHERE %s = %lld", look[i].columns,
			look[i].where, (long long)look[i].key);
		sql[i] = text[i];
	}
	watch_begin(&w, d, sql, n);
	execute_visible(d, l, c);
	watch_end(&w);
}

static int64_t ask(struct demo *d, const char *sql)
{
	struct lf_result *r = read_rows(d, sql);
	int64_t v;

	if (lf_result_nrows(r) == 0)
		die("no row: %s", sql);
	v = lf_result_int(r, 0, 0);
	lf_result_free(r);
	return v;
}

#define SUMMARY "order_id, customer_name, status, total_amount, item_count FROM order_summary"
#define OPEN "order_id, customer_name, placed, amount FROM open_orders"
#define VALUE "customer_id, name, last_order, lifetime_value FROM customer_value"
#define STOCK "product_id, title, price, stock, value, state FROM stock"
#define REPRICING \
	"sum(sold_for) AS sold_for, sum(at_todays_prices) AS at_todays_prices FROM repricing"
#define TOTALS "orders, paid, cancelled, last FROM totals"

static void watch_an_order(struct demo *d, struct last *l)
{
	int64_t customer = ask(d,
		"SELECT customer_id FROM customer_value ORDER BY lifetime_value DESC,"
		" customer_id LIMIT 1");
	int64_t id = ask(d, "SELECT orders FROM totals") * 10 + 7;
	int64_t now = ask(d, "SELECT last FROM totals") / 1000000 + LF_EPOCH_UNIX_US / 1000000 + 60;
	struct shop_command c = { .kind = SHOP_ORDER,
		.key = id,
		.customer = customer,
		.time = now,
		.nitems = 2,
		.item = { { 1, 2, 1999 }, { 2, 1, 4950 } } };
	const struct look looks[] = { { SUMMARY, "order_id", id },
		{ VALUE, "customer_id", customer }, { OPEN, "order_id", id } };

	print_subheading("The best customer orders two things");
	watched(d, l, &c, looks, 3);
	print_subheading(
		"... and pays: two tables in one command, three views change at one epoch");
	c = (struct shop_command){
		.kind = SHOP_PAYMENT, .key = id, .time = now + 60, .cents = 8948, .word = "card"
	};
	watched(d, l, &c, looks, 3);
	print_subheading(
		"An order with nothing of something: all of it is refused, nothing changes");
	c = (struct shop_command){ .kind = SHOP_ORDER,
		.key = id + 1,
		.customer = customer,
		.time = now,
		.nitems = 2,
		.item = { { 1, 1, 1999 }, { 2, 0, 4950 } } };
	watched(d, l, &c, &(const struct look){ SUMMARY, "order_id", id + 1 }, 1);
}

static void watch_changes(struct demo *d, struct last *l)
{
	int64_t order = ask(
		d, "SELECT order_id FROM open_orders ORDER BY amount DESC, order_id LIMIT 1");
	int64_t product = ask(d,
		"SELECT product_id FROM best_sellers ORDER BY pieces DESC,"
		" product_id LIMIT 1");
	char sql[SQL_MAX];
	struct shop_command c = { .kind = SHOP_RENAME, .name = "Ada Newname" };
	struct look looks[3] = { { SUMMARY, "order_id", order }, { OPEN, "order_id", order },
		{ VALUE, "customer_id", 0 } };

	(void)snprintf(sql, sizeof(sql), "SELECT customer_id FROM orders WHERE id = %lld",
		(long long)order);
	c.key = looks[2].key = ask(d, sql);
	print_subheading("A customer with an open order takes a new name");
	watched(d, l, &c, looks, 3);
	print_subheading(
		"The best seller gets a new price: its shelf and its whole category change");
	c = (struct shop_command){ .kind = SHOP_PRICE, .key = product, .cents = 12345 };
	watched(d, l, &c,
		(const struct look[]){ { STOCK, "product_id", product }, { REPRICING, "1", 1 } },
		2);
	print_subheading("The largest open order is cancelled");
	c = (struct shop_command){ .kind = SHOP_CANCEL, .key = order };
	looks[2] = (struct look){ TOTALS, "1", 1 };
	watched(d, l, &c, looks, 3);
}

/* --- the act --- */

static void show_views(struct demo *d)
{
	show_query(d, "revenue_by_country: the first five of 14",
		"SELECT * FROM revenue_by_country ORDER BY revenue DESC LIMIT 5");
	show_query(d, "revenue_by_day: the last five",
		"SELECT * FROM revenue_by_day ORDER BY day DESC LIMIT 5");
	show_query(d, "best_sellers",
		"SELECT * FROM best_sellers ORDER BY pieces DESC, product_id LIMIT 5");
	show_query(d, "customer_value",
		"SELECT * FROM customer_value ORDER BY lifetime_value DESC, customer_id LIMIT 5");
	show_query(d, "payments_by_method", "SELECT * FROM payments_by_method ORDER BY total DESC");
	show_query(d, "stock: by state (a query may group a view again)",
		"SELECT state, count(*) AS products, sum(value) AS value FROM stock GROUP BY state"
		" ORDER BY products DESC");
	show_bars(d, "orders_by_hour", "SELECT hour, orders FROM orders_by_hour ORDER BY hour");
}

static void compare(struct demo *d, const struct shop_sizes *sizes, const struct last *l,
	const struct lanes_tally *tally)
{
	sqlite3 *db = oracle_open(SHOP_TABLES);
	struct shop_replay replay;

	print_subheading("The same in SQLite");
	replay = shop_replay(db, sizes, l->command, l->n);
	act_compare(d, db, SHOP_TABLES, SHOP_VIEWS);
	/* One of the watched commands was refused. */
	if (replay.refused != tally->refused + 1 || replay.unmatched != tally->unmatched) {
		print_text("DIFFERENT: SQLite refuses %s commands and finds no row for %s.",
			number((int64_t)replay.refused), number((int64_t)replay.unmatched));
		d->verdict.different++;
	}
	oracle_close(db);
}

void act_shop(struct demo *d)
{
	struct shop_sizes sizes = { d->seed, 20000, 2000, 60, 950 };
	struct lanes_tally tally;
	struct last last = { 0 };
	struct lf_client_options o = lf_client_options_default();
	struct lf_client_error e;

	if (d->small)
		sizes = (struct shop_sizes){ d->seed, 300, 80, 5, 80 };
	print_heading("Act 1: a shop");
	relations_create(d->read, SHOP_TABLES);
	d->views += relations_create(d->read, SHOP_VIEWS);
	for (const struct relation *v = SHOP_VIEWS; v->name != NULL; v++)
		printf("  %-20s  %s\n", v->name, v->remark);
	putchar('\n');
	tally = run_days(d, &sizes);
	print_text(
		"The views above were kept while the commands came. The schema refused %s commands (an"
		" order for none of something); a guard held back %s (an empty shelf, an order that"
		" was paid before it was cancelled).",
		number((int64_t)tally.refused), number((int64_t)tally.unmatched));
	show_views(d);
	print_heading("Act 1, closer: one command at a time, read on another connection");
	o.address = d->address;
	if (lf_client_open(&last.write, &o, &e) != 0)
		die("%s: %s", e.sqlstate, e.message);
	watch_an_order(d, &last);
	watch_changes(d, &last);
	d->epoch = lf_client_epoch(last.write);
	lf_client_close(last.write);
	compare(d, &sizes, &last, &tally);
}
