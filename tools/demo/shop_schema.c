/*
 * shop_schema.c: the shop's tables and views, for the server and for SQLite.
 */
#include "tools/demo/shop.h"

#include <stddef.h>

const struct relation SHOP_TABLES[] = {
	{ "customer", "",
		"CREATE TABLE customer (id bigint PRIMARY KEY, name text NOT NULL, country text NOT NULL,"
		" since timestamp NOT NULL)",
		NULL,
		"CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT NOT NULL,"
		" since TEXT NOT NULL)",
		"ittt" },
	{ "product", "",
		"CREATE TABLE product (id bigint PRIMARY KEY, title text NOT NULL, category text NOT NULL,"
		" price numeric(10,2) NOT NULL CHECK (price > 0), stock int NOT NULL CHECK (stock >= 0))",
		NULL,
		"CREATE TABLE product (id INTEGER PRIMARY KEY, title TEXT NOT NULL, category TEXT NOT NULL,"
		" price INTEGER NOT NULL CHECK (price > 0), stock INTEGER NOT NULL CHECK (stock >= 0))",
		"itt2i" },
	{ "orders", "",
		"CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customer,"
		" placed timestamp NOT NULL, status text NOT NULL)",
		NULL,
		"CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL,"
		" placed TEXT NOT NULL, status TEXT NOT NULL)",
		"iitt" },
	{ "order_item", "",
		"CREATE TABLE order_item (order_id bigint REFERENCES orders, line int, product_id bigint"
		" NOT NULL REFERENCES product, quantity int NOT NULL CHECK (quantity > 0),"
		" price numeric(10,2) NOT NULL, PRIMARY KEY (order_id, line))",
		NULL,
		"CREATE TABLE order_item (order_id INTEGER, line INTEGER, product_id INTEGER NOT NULL,"
		" quantity INTEGER NOT NULL CHECK (quantity > 0), price INTEGER NOT NULL,"
		" PRIMARY KEY (order_id, line)) WITHOUT ROWID",
		"iiii2" },
	{ "payment", "",
		"CREATE TABLE payment (order_id bigint PRIMARY KEY REFERENCES orders, method text NOT NULL,"
		" amount numeric(12,2) NOT NULL CHECK (amount > 0), paid timestamp NOT NULL)",
		NULL,
		"CREATE TABLE payment (order_id INTEGER PRIMARY KEY, method TEXT NOT NULL,"
		" amount INTEGER NOT NULL CHECK (amount > 0), paid TEXT NOT NULL)",
		"it2t" },
	{ 0 },
};

#define ORDERS_ITEMS "FROM orders o JOIN order_item i ON i.order_id = o.id "

const struct relation SHOP_VIEWS[] = {
	{ "order_summary", "each order with its customer's name, total and items",
		"CREATE MATERIALIZED VIEW order_summary AS SELECT o.id AS order_id,"
		" c.name AS customer_name, o.status, sum(i.quantity * i.price) AS total_amount,"
		" count(*) AS item_count FROM orders o JOIN customer c ON c.id = o.customer_id"
		" JOIN order_item i ON i.order_id = o.id GROUP BY o.id, c.name, o.status",
		"CREATE UNIQUE INDEX ON order_summary (order_id)",
		"SELECT o.id, c.name, o.status, sum(i.quantity * i.price), count(*) " ORDERS_ITEMS
		"JOIN customer c ON c.id = o.customer_id GROUP BY o.id",
		"itt2i" },
	{ "revenue_by_country", "what was sold to each country, cancelled orders left out",
		"CREATE MATERIALIZED VIEW revenue_by_country AS SELECT c.country, count(*) AS lines,"
		" sum(i.quantity) AS pieces, sum(i.quantity * i.price) AS revenue FROM orders o"
		" JOIN customer c ON c.id = o.customer_id JOIN order_item i ON i.order_id = o.id"
		" WHERE o.status <> 'cancelled' GROUP BY c.country",
		"CREATE UNIQUE INDEX ON revenue_by_country (country)",
		"SELECT c.country, count(*), sum(i.quantity), sum(i.quantity * i.price) " ORDERS_ITEMS
		"JOIN customer c ON c.id = o.customer_id WHERE o.status <> 'cancelled' GROUP BY c.country",
		"tii2" },
	{ "revenue_by_day", "the same for each day",
		"CREATE MATERIALIZED VIEW revenue_by_day AS SELECT date_trunc('day', o.placed)::date AS day,"
		" count(*) AS lines, sum(i.quantity * i.price) AS revenue FROM orders o"
		" JOIN order_item i ON i.order_id = o.id WHERE o.status <> 'cancelled' GROUP BY 1",
		"CREATE UNIQUE INDEX ON revenue_by_day (day)",
		"SELECT substr(o.placed, 1, 10), count(*), sum(i.quantity * i.price) " ORDERS_ITEMS
		"WHERE o.status <> 'cancelled' GROUP BY 1",
		"ti2" },
	{ "orders_by_hour", "orders by the hour of the day",
		"CREATE MATERIALIZED VIEW orders_by_hour AS SELECT extract(hour FROM placed) AS hour,"
		" count(*) AS orders, count(*) FILTER (WHERE status = 'cancelled') AS cancelled"
		" FROM orders GROUP BY 1",
		"CREATE UNIQUE INDEX ON orders_by_hour (hour)",
		"SELECT CAST(substr(placed, 12, 2) AS INTEGER), count(*),"
		" count(*) FILTER (WHERE status = 'cancelled') FROM orders GROUP BY 1",
		"iii" },
	{ "best_sellers", "pieces and revenue of each product",
		"CREATE MATERIALIZED VIEW best_sellers AS SELECT p.id AS product_id, p.title,"
		" sum(i.quantity) AS pieces, sum(i.quantity * i.price) AS revenue FROM order_item i"
		" JOIN product p ON p.id = i.product_id JOIN orders o ON o.id = i.order_id"
		" WHERE o.status <> 'cancelled' GROUP BY p.id, p.title",
		"CREATE UNIQUE INDEX ON best_sellers (product_id)",
		"SELECT p.id, p.title, sum(i.quantity), sum(i.quantity * i.price) " ORDERS_ITEMS
		"JOIN product p ON p.id = i.product_id WHERE o.status <> 'cancelled' GROUP BY p.id",
		"iti2" },
	{ "category_by_country", "which goods go where: a join of four tables",
		"CREATE MATERIALIZED VIEW category_by_country AS SELECT p.category, c.country,"
		" sum(i.quantity) AS pieces, sum(i.quantity * i.price) AS revenue FROM orders o"
		" JOIN order_item i ON i.order_id = o.id JOIN product p ON p.id = i.product_id"
		" JOIN customer c ON c.id = o.customer_id WHERE o.status <> 'cancelled'"
		" GROUP BY p.category, c.country",
		"CREATE UNIQUE INDEX ON category_by_country (category, country)",
		"SELECT p.category, c.country, sum(i.quantity), sum(i.quantity * i.price) " ORDERS_ITEMS
		"JOIN product p ON p.id = i.product_id JOIN customer c ON c.id = o.customer_id"
		" WHERE o.status <> 'cancelled' GROUP BY 1, 2",
		"tti2" },
	{ "customer_value", "each customer's last order and lifetime value",
		"CREATE MATERIALIZED VIEW customer_value AS SELECT c.id AS customer_id, c.name,"
		" max(o.placed) AS last_order, coalesce(sum(i.quantity * i.price)"
		" FILTER (WHERE o.status = 'paid'), 0.00) AS lifetime_value FROM customer c"
		" JOIN orders o ON o.customer_id = c.id JOIN order_item i ON i.order_id = o.id"
		" GROUP BY c.id, c.name",
		"CREATE UNIQUE INDEX ON customer_value (customer_id)",
		"SELECT c.id, c.name, max(o.placed), coalesce(sum(i.quantity * i.price)"
		" FILTER (WHERE o.status = 'paid'), 0) " ORDERS_ITEMS
		"JOIN customer c ON c.id = o.customer_id GROUP BY c.id",
		"itt2" },
	{ "stock", "what lies on the shelves, its value, and what to order",
		"CREATE MATERIALIZED VIEW stock AS SELECT id AS product_id, title, price, stock,"
		" stock * price AS value, CASE WHEN stock = 0 THEN 'empty' WHEN stock < 10 THEN 'low'"
		" ELSE 'ok' END AS state FROM product",
		"CREATE UNIQUE INDEX ON stock (product_id)",
		"SELECT id, title, price, stock, stock * price, CASE WHEN stock = 0 THEN 'empty'"
		" WHEN stock < 10 THEN 'low' ELSE 'ok' END FROM product",
		"it2i2t" },
	{ "open_orders", "orders not paid yet",
		"CREATE MATERIALIZED VIEW open_orders AS SELECT o.id AS order_id, c.name AS customer_name,"
		" o.placed, sum(i.quantity * i.price) AS amount FROM orders o"
		" JOIN customer c ON c.id = o.customer_id JOIN order_item i ON i.order_id = o.id"
		" WHERE o.status = 'open' GROUP BY o.id, c.name, o.placed",
		"CREATE UNIQUE INDEX ON open_orders (order_id)",
		"SELECT o.id, c.name, o.placed, sum(i.quantity * i.price) " ORDERS_ITEMS
		"JOIN customer c ON c.id = o.customer_id WHERE o.status = 'open' GROUP BY o.id",
		"itt2" },
	{ "payments_by_method", "payments by method, with the average",
		"CREATE MATERIALIZED VIEW payments_by_method AS SELECT method, count(*) AS payments,"
		" sum(amount) AS total, min(amount) AS smallest, max(amount) AS largest,"
		" round(avg(amount), 2) AS average FROM payment GROUP BY method",
		"CREATE UNIQUE INDEX ON payments_by_method (method)",
		"SELECT method, count(*), sum(amount), min(amount), max(amount),"
		" (2 * sum(amount) + count(*)) / (2 * count(*)) FROM payment GROUP BY method",
		"ti2222" },
	{ "repricing", "sold lines at their price then and at today's price",
		"CREATE MATERIALIZED VIEW repricing AS SELECT p.category,"
		" sum(i.quantity * i.price) AS sold_for, sum(i.quantity * p.price) AS at_todays_prices"
		" FROM order_item i JOIN product p ON p.id = i.product_id GROUP BY p.category",
		"CREATE UNIQUE INDEX ON repricing (category)",
		"SELECT p.category, sum(i.quantity * i.price), sum(i.quantity * p.price)"
		" FROM order_item i JOIN product p ON p.id = i.product_id GROUP BY p.category",
		"t22" },
	{ "totals", "one row over all orders",
		"CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS orders,"
		" count(*) FILTER (WHERE status = 'paid') AS paid,"
		" count(*) FILTER (WHERE status = 'cancelled') AS cancelled,"
		" min(placed) AS first, max(placed) AS last FROM orders",
		NULL,
		"SELECT count(*), count(*) FILTER (WHERE status = 'paid'),"
		" count(*) FILTER (WHERE status = 'cancelled'), min(placed), max(placed) FROM orders",
		"iiitt" },
	{ 0 },
};
