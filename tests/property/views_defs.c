/*
 * views_defs.c: the tables, views and queries of the property test. Where SQLite computes something else than
 * PostgreSQL (or cannot), the oracle's text computes it in another way; see views.h for the formats.
 */
#include "tests/property/views.h"

#include <string.h>

const struct table_def TABLE_DEFS[TABLES] = {
	{ "customer",
		"CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL, country varchar(10),"
		" credit numeric(12,2), since date, active boolean, CHECK (credit > -100000))",
		"CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT,"
		" credit INTEGER, since TEXT, active INTEGER, CHECK (credit > -10000000))",
		"i t t n2 t b", "CREATE INDEX customer_country ON customer (country)" },
	{ "orders",
		"CREATE TABLE orders (customer_id int, number smallint, product text,"
		" placed timestamp, total numeric(10,2) CHECK (total >= 0), weight double precision,"
		" note text, PRIMARY KEY (customer_id, number), UNIQUE (customer_id, note))",
		"CREATE TABLE orders (customer_id INTEGER NOT NULL, number INTEGER NOT NULL, product TEXT,"
		" placed TEXT, total INTEGER CHECK (total >= 0), weight REAL, note TEXT,"
		" PRIMARY KEY (customer_id, number), UNIQUE (customer_id, note))",
		"i i t t n2 f t", "CREATE INDEX orders_product ON orders (product)" },
	{ "stock",
		"CREATE TABLE stock (sku text, warehouse int, qty int, price numeric(10,4),"
		" counted timestamptz, PRIMARY KEY (sku, warehouse)) PARTITION BY HASH (warehouse)",
		"CREATE TABLE stock (sku TEXT NOT NULL, warehouse INTEGER NOT NULL, qty INTEGER,"
		" price INTEGER, counted TEXT, PRIMARY KEY (sku, warehouse))",
		"t i i n4 z", "CREATE INDEX stock_sku ON stock (sku, qty)" },
	{ "event",
		"CREATE TABLE event (kind smallint, customer_id bigint, at timestamptz, amount bigint,"
		" ratio real, tag char(3), ref uuid, data bytea)",
		"CREATE TABLE event (kind INTEGER, customer_id INTEGER, at TEXT, amount INTEGER,"
		" ratio REAL, tag TEXT, ref TEXT, data TEXT)",
		"i i z i f t t t", "CREATE INDEX event_kind ON event (kind)" },
	{ "product",
		"CREATE TABLE product (code text PRIMARY KEY, title text, price numeric(8,2), parent text,"
		" grade smallint)",
		"CREATE TABLE product (code TEXT PRIMARY KEY NOT NULL, title TEXT, price INTEGER,"
		" parent TEXT, grade INTEGER)",
		"t t n2 t i", "CREATE INDEX product_parent ON product (parent)" },
};

const struct view_def VIEW_DEFS[] = {
	/* --- one table, row by row --- */
	{ "v_star", "SELECT * FROM customer", NULL, "i t t n2 t b", "id", "country" },
	{ "v_arithmetic",
		"SELECT customer_id, number, number * 2 + 1 AS a, -number AS b, number % 3 AS c,"
		" (number - 3) / 2 AS d, (number - 3) % 2 AS e, total * 2 AS f, total - 0.5 AS g FROM orders",
		"SELECT customer_id, number, number * 2 + 1, -number, number % 3, (number - 3) / 2,"
		" (number - 3) % 2, total * 2, total - 50 FROM orders",
		"i i i i i i i n2 n2", "customer_id, number", "c" },
	{ "v_compare",
		"SELECT id, credit > 100 AS a, credit <= 0 OR active AS b, NOT active AS c,"
		" credit BETWEEN 0 AND 500 AS d, credit NOT BETWEEN -10 AND 99.99 AS e, name < 'C' AS f,"
		" country <> 'DE' AS g, active AND credit IS NULL AS h, credit = 7 AS k FROM customer",
		"SELECT id, credit > 10000, credit <= 0 OR active, NOT active, credit BETWEEN 0 AND 50000,"
		" credit NOT BETWEEN -1000 AND 9999, name < 'C', country <> 'DE',"
		" active AND credit IS NULL, credit = 700 FROM customer",
		"i b b b b b b b b b", "id", NULL },
	{ "v_case",
		"SELECT id, CASE WHEN credit > 100 THEN 'high' WHEN credit > 0 THEN 'low' END AS a,"
		" CASE country WHEN 'DE' THEN 1 WHEN 'FR' THEN 2 ELSE 0 END AS b,"
		" COALESCE(country, name) AS c, NULLIF(country, 'DE') AS d,"
		" GREATEST(id, 7) AS e, LEAST(credit, 50.00) AS f FROM customer",
		"SELECT id, CASE WHEN credit > 10000 THEN 'high' WHEN credit > 0 THEN 'low' END,"
		" CASE country WHEN 'DE' THEN 1 WHEN 'FR' THEN 2 ELSE 0 END, COALESCE(country, name),"
		" NULLIF(country, 'DE'), max(id, 7), COALESCE(min(credit, 5000), 5000) FROM customer",
		"i t i t t i n2", "id", "d" },
	{ "v_cast",
		"SELECT id, CAST(id AS text) AS a, id::bigint AS b, credit::int AS c, '12'::int + id AS d,"
		" active::text AS e, since::text AS f, name::varchar(3) AS g, credit::text AS h,"
		" active::int AS k FROM customer",
		"SELECT id, CAST(id AS text), id, rnd(credit, 100), 12 + id,"
		" CASE active WHEN 1 THEN 'true' WHEN 0 THEN 'false' END, since, substr(name, 1, 3), credit,"
		" active FROM customer",
		"i t i i i t t t n2 i", "id", "g" },
	{ "v_text",
		"SELECT id, name || '-' || country AS a, concat(name, ':', country) AS b, upper(name) AS c,"
		" lower(name) AS d, length(name) AS e, substr(name, 2, 3) AS f, replace(name, 'a', 'oo') AS g,"
		" btrim(name, 'abc') AS h, left(name, 2) AS k, right(name, 2) AS l, strpos(name, 'b') AS m,"
		" id::text || '/' || name AS n FROM customer",
		"SELECT id, name || '-' || country, name || ':' || COALESCE(country, ''), upper(name),"
		" lower(name), length(name), substr(name, 2, 3), replace(name, 'a', 'oo'), trim(name, 'abc'),"
		" substr(name, 1, 2), CASE WHEN length(name) < 2 THEN name ELSE substr(name, -2) END,"
		" instr(name, 'b'), id || '/' || name FROM customer",
		"i t t t t i t t t t t i t", "id", "c" },
	{ "v_like",
		"SELECT customer_id, number, note FROM orders"
		" WHERE note LIKE 'a%' OR note LIKE '%_b' OR note LIKE '50!%%' ESCAPE '!'",
		NULL, "i i t", "customer_id, number", "note" },
	{ "v_not_like", "SELECT note, product FROM orders WHERE note NOT LIKE '%a%'", NULL, "t t",
		NULL, "note" },
	{ "v_ilike", "SELECT id, name FROM customer WHERE name ILIKE 'A%'",
		"SELECT id, name FROM customer WHERE lower(name) LIKE 'a%'", "i t", "id", NULL },
	{ "v_in",
		"SELECT id, country IN ('DE', 'FR', NULL) AS a FROM customer"
		" WHERE country IN ('DE', 'FR', 'IT') OR id NOT IN (1, 2, 3)",
		NULL, "i b", "id", NULL },
	{ "v_null",
		"SELECT id, credit IS NULL AS a, since IS NOT NULL AS b,"
		" country IS DISTINCT FROM 'DE' AS c, country IS NOT DISTINCT FROM name AS d,"
		" active IS TRUE AS e, active IS NOT FALSE AS f, active IS UNKNOWN AS g FROM customer"
		" WHERE country IS NOT DISTINCT FROM NULL OR credit IS DISTINCT FROM 0",
		"SELECT id, credit IS NULL, since IS NOT NULL, country IS NOT 'DE', country IS name,"
		" active IS TRUE, active IS NOT FALSE, active IS NULL FROM customer"
		" WHERE country IS NULL OR credit IS NOT 0",
		"i b b b b b b b", "id", NULL },
	{ "v_date",
		"SELECT id, since >= DATE '2024-02-10' AS a, since + 3 AS b, since - DATE '2024-01-01' AS c,"
		" extract(year FROM since) AS d, extract(dow FROM since) AS e, date_part('month', since) AS f,"
		" extract(doy FROM since) AS g FROM customer WHERE since <> '2024-01-05'",
		"SELECT id, since >= '2024-02-10', date(since, '+3 days'),"
		" CAST(julianday(since) - julianday('2024-01-01') AS INTEGER),"
		" CAST(strftime('%Y', since) AS INTEGER), CAST(strftime('%w', since) AS INTEGER),"
		" CAST(strftime('%m', since) AS INTEGER), CAST(strftime('%j', since) AS INTEGER)"
		" FROM customer WHERE since <> '2024-01-05'",
		"i b t i i i i i", "id", "d" },
	{ "v_timestamp",
		"SELECT customer_id, number, date_trunc('month', placed) AS a, date_trunc('hour', placed) AS b,"
		" extract(hour FROM placed) AS c, extract(minute FROM placed) AS d,"
		" placed < '2024-02-01 12:00:00' AS e, placed::date AS f FROM orders WHERE placed IS NOT NULL",
		"SELECT customer_id, number, strftime('%Y-%m-01 00:00:00', placed),"
		" strftime('%Y-%m-%d %H:00:00', placed), CAST(strftime('%H', placed) AS INTEGER),"
		" CAST(strftime('%M', placed) AS INTEGER), placed < '2024-02-01 12:00:00', date(placed)"
		" FROM orders WHERE placed IS NOT NULL",
		"i i t t i i b t", "customer_id, number", "f" },
	{ "v_timestamptz",
		"SELECT kind, at, date_trunc('day', at) AS a, at >= TIMESTAMPTZ '2024-01-20 00:00:00+00' AS b"
		" FROM event",
		"SELECT kind, at, strftime('%Y-%m-%d 00:00:00', at), at >= '2024-01-20 00:00:00' FROM event",
		"i z z b", NULL, "a" },
	{ "v_round",
		"SELECT sku, warehouse, round(price, 1) AS a, trunc(price, 1) AS b, ceil(price) AS c,"
		" floor(price) AS d, abs(price - 5) AS e, sign(price - 5) AS f, mod(qty, 7) AS g,"
		" round(price) AS h FROM stock",
		"SELECT sku, warehouse, rnd(price, 1000), price / 1000, (price + 9999 + 10000000000) / 10000 -"
		" 1000000, (price + 10000000000) / 10000 - 1000000, abs(price - 50000),"
		" sign(price - 50000), qty % 7, rnd(price, 10000) FROM stock",
		"t i n1 n1 i i n4 i i i", "sku, warehouse", "d" },
	{ "v_float",
		"SELECT customer_id, number, weight * 2 AS a, weight + 0.5 AS b, abs(weight) AS c,"
		" floor(weight) AS d, ceil(weight) AS e, round(weight) AS f, weight > 1.5 AS g,"
		" weight::int AS h FROM orders",
		"SELECT customer_id, number, weight * 2, weight + 0.5, abs(weight), floor(weight),"
		" ceil(weight), rint(weight), weight > 1.5, CAST(rint(weight) AS INTEGER) FROM orders",
		"i i f f f f f f b i", "customer_id, number", "d" },
	{ "v_division",
		"SELECT customer_id, number, total / 3 AS a, total / (number + 1) AS b,"
		" total / NULLIF(number, 2) AS c, CASE WHEN number <> 0 THEN 100 / number END AS d FROM orders WHERE number <> 0",
		"SELECT customer_id, number, total, 3, total, number + 1, total, NULLIF(number, 2),"
		" CASE WHEN number <> 0 THEN 100 / number END FROM orders WHERE number <> 0",
		"i i d20 d20 d20 i", "customer_id, number", NULL },
	{ "v_constant",
		"SELECT id, 'x' AS a, 42 AS b, NULL::int AS c, 1.50 AS d FROM customer WHERE 1 = 1 AND id > 2",
		"SELECT id, 'x', 42, NULL, 150 FROM customer WHERE id > 2", "i t i i n2", "id",
		NULL },
	{ "v_nothing", "SELECT id FROM customer WHERE 1 = 2", NULL, "i", NULL, NULL },
	{ "v_repeated", "SELECT kind, tag FROM event", NULL, "i t", NULL, "kind" },
	{ "v_repeated2", "SELECT country FROM customer WHERE active", NULL, "t", NULL, "country" },
	{ "v_repeated3", "SELECT warehouse % 2 AS a, sku FROM stock WHERE qty > 0", NULL, "i t",
		NULL, "sku" },
	{ "v_bytes",
		"SELECT ref, data, length(data) AS a, kind, tag = 'ab' AS b FROM event"
		" WHERE ref IS NOT NULL AND data <> '\\x00'",
		"SELECT ref, data, (length(data) - 2) / 2, kind, rtrim(tag) = 'ab' FROM event"
		" WHERE ref IS NOT NULL AND data <> '\\x00'",
		"t t i i b", NULL, "ref" },
	{ "v_key_moves", "SELECT id, country, active FROM customer WHERE country IS NOT NULL", NULL,
		"i t b", "country, id", "active" },

	/* --- joins --- */
	{ "j_same_shard",
		"SELECT o.customer_id, o.number, c.name, o.total FROM orders o"
		" JOIN customer c ON c.id = o.customer_id",
		NULL, "i i t n2", "customer_id, number", "name" },
	{ "j_other_shard",
		"SELECT o.customer_id, o.number, p.title, p.price FROM orders o"
		" JOIN product p ON p.code = o.product",
		NULL, "i i t n2", "customer_id, number", "title" },
	{ "j_comma",
		"SELECT o.number, p.code FROM orders o, product p"
		" WHERE o.product = p.code AND p.price * 10 > o.total AND o.number > 0",
		NULL, "i t", NULL, "code" },
	{ "j_three",
		"SELECT o.customer_id, o.number, c.country, p.title, o.total * p.price AS a FROM orders o"
		" JOIN customer c ON c.id = o.customer_id JOIN product p ON p.code = o.product"
		" WHERE c.active IS NOT FALSE",
		NULL, "i i t t n4", "customer_id, number", "country" },
	{ "j_four",
		"SELECT s.warehouse, s.sku, o.number, c.name FROM stock s JOIN product p ON p.code = s.sku"
		" JOIN orders o ON o.product = p.code JOIN customer c ON c.id = o.customer_id"
		" WHERE s.qty > 0",
		NULL, "i t i t", NULL, "sku" },
	/* The join of j_same_shard, with other columns; and the same twice in one. */
	{ "j_again",
		"SELECT o.customer_id, o.number, c.country, o.total * 2 AS a, c.id FROM orders o"
		" JOIN customer c ON c.id = o.customer_id",
		NULL, "i i t n2 i", "customer_id, number", "country" },
	{ "j_again_grouped",
		"SELECT c.country, count(*) AS n, sum(o.total) AS s, max(o.number) AS m FROM orders o"
		" JOIN customer c ON c.id = o.customer_id GROUP BY c.country",
		NULL, "t i n2 i", "country", NULL },
	{ "j_again_twice",
		"SELECT a.country, a.n, b.m FROM (SELECT c.country, count(*) AS n, max(o.number) AS m FROM orders o"
		" JOIN customer c ON c.id = o.customer_id GROUP BY c.country) AS a"
		" JOIN (SELECT c.country, count(*) AS n, max(o.number) AS m FROM orders o"
		" JOIN customer c ON c.id = o.customer_id GROUP BY c.country) AS b ON b.country = a.country",
		NULL, "t i i", "country", NULL },
	{ "j_five",
		"SELECT p.code, count(*) AS n, sum(s.qty) AS q, sum(e.amount) AS a FROM stock s"
		" JOIN product p ON p.code = s.sku JOIN orders o ON o.product = p.code"
		" JOIN customer c ON c.id = o.customer_id JOIN event e ON e.customer_id = c.id"
		" GROUP BY p.code",
		NULL, "t i i i", "code", NULL },
	{ "j_self",
		"SELECT a.id, b.id AS other, a.country FROM customer a"
		" JOIN customer b ON a.country = b.country AND a.id < b.id",
		NULL, "i i t", "id, other", "other" },
	{ "j_parent",
		"SELECT p.code, q.title, q.price > p.price AS a FROM product p"
		" JOIN product q ON q.code = p.parent",
		NULL, "t t b", "code", "title" },
	{ "j_grandparent",
		"SELECT p.code AS a, r.code AS b, q.grade + r.grade AS c FROM product p"
		" JOIN product q ON q.code = p.parent JOIN product r ON r.code = q.parent",
		NULL, "t t i", NULL, "b" },
	{ "j_shifted",
		"SELECT a.customer_id, a.number, b.total FROM orders a"
		" JOIN orders b ON a.customer_id = b.customer_id AND a.number = b.number + 1",
		NULL, "i i n2", "customer_id, number", NULL },
	{ "j_expression",
		"SELECT s.sku, c.id FROM stock s JOIN customer c ON s.warehouse = c.id % 4"
		" WHERE s.qty IS NOT NULL",
		NULL, "t i", NULL, "id" },
	{ "j_using",
		"SELECT o.number, e.kind, e.amount FROM event e JOIN orders o USING (customer_id)"
		" WHERE e.kind = o.number",
		NULL, "i i i", NULL, NULL },
	{ "j_numeric",
		"SELECT p.code, o.customer_id, o.number FROM product p JOIN orders o ON p.price = o.total",
		NULL, "t i i", NULL, "code" },
	{ "j_number_types",
		"SELECT c.id, s.sku, s.warehouse FROM customer c JOIN stock s ON c.id = s.price",
		"SELECT c.id, s.sku, s.warehouse FROM customer c JOIN stock s ON c.id * 10000 = s.price",
		"i t i", "sku, warehouse", NULL },
	{ "j_nulls",
		"SELECT a.id, b.id AS other FROM customer a JOIN customer b ON a.since = b.since"
		" AND a.active = b.active WHERE a.id <> b.id",
		NULL, "i i", NULL, "other" },
	{ "j_partitioned",
		"SELECT a.sku, a.warehouse, b.warehouse AS other, a.qty - b.qty AS d FROM stock a"
		" JOIN stock b ON a.sku = b.sku WHERE a.warehouse < b.warehouse",
		NULL, "t i i i", NULL, "sku" },
	{ "j_float", "SELECT e.kind, o.number FROM event e JOIN orders o ON e.ratio = o.weight",
		NULL, "i i", NULL, NULL },

	/* --- groups --- */
	{ "g_country",
		"SELECT country, count(*) AS n, count(credit) AS c, sum(credit) AS s, avg(credit) AS a,"
		" min(credit) AS lo, max(credit) AS hi, max(since) AS d FROM customer GROUP BY country",
		"SELECT country, count(*) AS n, count(credit), sum(credit), sum(credit), count(credit),"
		" min(credit), max(credit), max(since) FROM customer GROUP BY country",
		"t i i n2 d20 n2 n2 t", "country", NULL },
	{ "g_orders",
		"SELECT customer_id, count(*) AS n, sum(total) AS s, sum(weight) AS w, avg(weight) AS a,"
		" min(placed) AS first, max(placed) AS last, min(note) AS lo, max(note) AS hi FROM orders"
		" GROUP BY customer_id",
		"SELECT customer_id, count(*) AS n, sum(total), sum(weight), sum(weight), count(weight),"
		" min(placed), max(placed), min(note), max(note) FROM orders GROUP BY customer_id",
		"i i n2 f e t t t t", "customer_id", "n" },
	{ "g_product",
		"SELECT product, count(*) AS n, sum(number) AS s, avg(number) AS a, min(number) AS lo,"
		" max(number) AS hi FROM orders GROUP BY product",
		"SELECT product, count(*) AS n, sum(number), sum(number), count(number), min(number),"
		" max(number) FROM orders GROUP BY product",
		"t i i d00 i i", "product", "n" },
	{ "g_expressions",
		"SELECT number % 3 AS a, date_trunc('month', placed) AS b, count(*) AS n, min(weight) AS w"
		" FROM orders GROUP BY number % 3, date_trunc('month', placed)",
		"SELECT number % 3, strftime('%Y-%m-01 00:00:00', placed), count(*), min(weight)"
		" FROM orders GROUP BY 1, 2",
		"i t i f", NULL, "b" },
	{ "g_filter",
		"SELECT product, count(*) FILTER (WHERE total > 50) AS a,"
		" sum(total) FILTER (WHERE note IS NOT NULL) AS b, avg(total) FILTER (WHERE number < 3) AS c,"
		" max(note) FILTER (WHERE weight > 1) AS d FROM orders GROUP BY product",
		"SELECT product, count(*) FILTER (WHERE total > 5000),"
		" sum(total) FILTER (WHERE note IS NOT NULL), sum(total) FILTER (WHERE number < 3),"
		" count(total) FILTER (WHERE number < 3), max(note) FILTER (WHERE weight > 1)"
		" FROM orders GROUP BY product",
		"t i n2 d20 t", "product", NULL },
	{ "g_having",
		"SELECT customer_id, count(*) AS n, sum(total) AS s FROM orders GROUP BY customer_id"
		" HAVING count(*) > 1 AND sum(total) > 20",
		"SELECT customer_id, count(*) AS n, sum(total) AS s FROM orders GROUP BY customer_id"
		" HAVING count(*) > 1 AND sum(total) > 2000",
		"i i n2", "customer_id", "n" },
	{ "g_having2",
		"SELECT sku FROM stock WHERE qty IS NOT NULL GROUP BY sku"
		" HAVING max(qty) - min(qty) > 3 OR count(*) = 1",
		NULL, "t", "sku", NULL },
	{ "g_whole",
		"SELECT count(*) AS n, sum(total) AS s, avg(total) AS a, min(product) AS p, max(weight) AS w"
		" FROM orders",
		"SELECT count(*), sum(total), sum(total), count(total), min(product), max(weight) FROM orders",
		"i n2 d20 t f", NULL, NULL },
	{ "g_whole_keyed", "SELECT count(*) AS n, max(code) AS c FROM product", NULL, "i t", "n",
		NULL },
	{ "g_whole_having", "SELECT count(*) AS n FROM orders HAVING count(*) > 9", NULL, "i", NULL,
		NULL },
	{ "g_whole_event",
		"SELECT count(*) AS n, sum(amount) AS s, avg(amount) AS a, sum(ratio) AS r, avg(ratio) AS q,"
		" min(at) AS first, min(tag) AS lo, max(tag) AS hi FROM event WHERE kind <> 3",
		"SELECT count(*), sum(amount), sum(amount), count(amount), sum(ratio), sum(ratio),"
		" count(ratio), min(at), min(tag), max(tag) FROM event WHERE kind <> 3",
		"i i d00 f e z t t", NULL, NULL },
	{ "g_join",
		"SELECT c.country, count(*) AS n, sum(o.total) AS s FROM orders o"
		" JOIN customer c ON c.id = o.customer_id GROUP BY c.country",
		NULL, "t i n2", "country", NULL },
	{ "g_join_three",
		"SELECT p.parent, c.country, sum(o.total * o.number) AS s, min(p.title) AS t FROM orders o"
		" JOIN customer c ON c.id = o.customer_id JOIN product p ON p.code = o.product"
		" GROUP BY p.parent, c.country",
		NULL, "t t n2 t", "country, parent", NULL },
	{ "g_self",
		"SELECT a.country, count(*) AS n, sum(a.id * b.id) AS s FROM customer a"
		" JOIN customer b ON a.country = b.country GROUP BY a.country",
		NULL, "t i i", NULL, "country" },
	{ "g_key_is_aggregate",
		"SELECT max(id) AS top, country, count(*) AS n FROM customer GROUP BY country",
		NULL, "i t i", "top", "country" },
	{ "g_boolean",
		"SELECT active, sum(CASE WHEN credit > 50 THEN 1 ELSE 0 END) AS s, min(name) AS lo,"
		" max(name) AS hi FROM customer GROUP BY active",
		"SELECT active, sum(CASE WHEN credit > 5000 THEN 1 ELSE 0 END), min(name), max(name)"
		" FROM customer GROUP BY active",
		"b i t t", "active", NULL },
	{ "g_event",
		"SELECT tag, kind, count(*) AS n, sum(amount) AS s, avg(ratio) AS r, max(at) AS last FROM event"
		" GROUP BY tag, kind",
		"SELECT tag, kind, count(*), sum(amount), sum(ratio), count(ratio), max(at) FROM event"
		" GROUP BY tag, kind",
		"t i i i e z", NULL, "tag" },
	{ "g_key_columns",
		"SELECT c.id, c.name, c.credit, count(*) AS n, sum(o.total) AS s FROM customer c"
		" JOIN orders o ON o.customer_id = c.id GROUP BY c.id",
		NULL, "i t n2 i n2", "id", "name" },
	{ "g_keys_only", "SELECT country FROM customer GROUP BY country", NULL, "t", "country",
		NULL },
	{ "g_over_aggregates",
		"SELECT product, sum(total) / count(*) AS a, sum(total) + 1 AS b,"
		" COALESCE(sum(weight), 0) AS c, count(*) * 2 > 5 AS d FROM orders GROUP BY product",
		"SELECT product, sum(total), count(*), sum(total) + 100, COALESCE(sum(weight), 0),"
		" count(*) * 2 > 5 FROM orders GROUP BY product",
		"t d20 n2 f b", "product", "d" },
	{ "g_stock",
		"SELECT warehouse, sum(qty * price) AS v, avg(qty) AS a, min(price) AS lo, max(counted) AS d"
		" FROM stock GROUP BY warehouse",
		"SELECT warehouse, sum(qty * price), sum(qty), count(qty), min(price), max(counted) FROM stock"
		" GROUP BY warehouse",
		"i n4 d00 n4 z", "warehouse", NULL },
	{ "g_year", "SELECT extract(year FROM since) AS y, count(*) AS n FROM customer GROUP BY 1",
		"SELECT CAST(strftime('%Y', since) AS INTEGER) AS y, count(*) FROM customer GROUP BY 1",
		"i i", "y", NULL },
	{ "g_distinct",
		"SELECT product, count(DISTINCT customer_id) AS a, sum(DISTINCT number) AS b,"
		" count(DISTINCT note) AS c, count(DISTINCT total) AS d, sum(DISTINCT total) AS e,"
		" avg(DISTINCT number) AS f, count(DISTINCT weight) AS g,"
		" count(DISTINCT note) FILTER (WHERE number > 2) AS h FROM orders GROUP BY product",
		"SELECT product, count(DISTINCT customer_id), sum(DISTINCT number),"
		" count(DISTINCT note), count(DISTINCT total), sum(DISTINCT total),"
		" sum(DISTINCT number), count(DISTINCT number), count(DISTINCT weight),"
		" count(DISTINCT note) FILTER (WHERE number > 2) FROM orders GROUP BY product",
		"t i i i i n2 d00 i i", "product", NULL },
	{ "g_distinct_whole",
		"SELECT count(DISTINCT tag) AS a, count(DISTINCT at) AS b, sum(DISTINCT amount) AS c,"
		" count(DISTINCT ref) AS d, count(DISTINCT data) AS e, count(*) AS n FROM event",
		"SELECT count(DISTINCT tag), count(DISTINCT at), sum(DISTINCT amount),"
		" count(DISTINCT ref), count(DISTINCT data), count(*) FROM event",
		"i i i i i i", NULL, NULL },
	{ "g_distinct_join",
		"SELECT p.parent, count(DISTINCT c.country) AS a, sum(DISTINCT o.total) AS b FROM orders o"
		" JOIN customer c ON c.id = o.customer_id JOIN product p ON p.code = o.product"
		" GROUP BY p.parent",
		NULL, "t i n2", "parent", NULL },
	{ "g_truth",
		"SELECT country, bool_and(active) AS a, bool_or(active) AS b, every(credit > 0) AS c"
		" FROM customer GROUP BY country",
		"SELECT country, min(active), max(active), min(credit > 0) FROM customer GROUP BY country",
		"t b b b", "country", NULL },
	{ "g_string",
		"SELECT customer_id, string_agg(note, ',' ORDER BY note) AS a FROM orders GROUP BY customer_id",
		"SELECT customer_id, group_concat(note, ',')"
		" FROM (SELECT customer_id, note FROM orders ORDER BY customer_id, note)"
		" GROUP BY customer_id",
		"i t", "customer_id", NULL },
	{ "g_string_by",
		"SELECT customer_id, string_agg(product, '/' ORDER BY weight DESC NULLS LAST, number) AS a"
		" FROM orders GROUP BY customer_id",
		"SELECT customer_id, group_concat(product, '/') FROM (SELECT customer_id, product FROM orders"
		" ORDER BY customer_id, weight DESC NULLS LAST, number) GROUP BY customer_id",
		"i t", NULL, NULL },
	{ "g_string_once",
		"SELECT warehouse, string_agg(DISTINCT sku, ';' ORDER BY sku DESC) AS a FROM stock"
		" GROUP BY warehouse HAVING count(DISTINCT sku) > 1",
		"SELECT warehouse, group_concat(sku, ';')"
		" FROM (SELECT DISTINCT warehouse, sku FROM stock ORDER BY warehouse, sku DESC)"
		" GROUP BY warehouse HAVING count(*) > 1",
		"i t", "warehouse", NULL },
	{ "g_variance",
		"SELECT product, CASE WHEN var_samp(total) > 0 THEN var_samp(total) END AS a,"
		" CASE WHEN var_pop(number) > 0 THEN var_pop(number) END AS b FROM orders GROUP BY product",
		"SELECT product, NULLIF(count(total) * sum(total * total) - sum(total) * sum(total), 0),"
		" count(total) * (count(total) - 1),"
		" NULLIF(count(number) * sum(number * number) - sum(number) * sum(number), 0),"
		" count(number) * count(number) FROM orders GROUP BY product",
		"t d40 d00", "product", NULL },
	{ "g_float_keys", "SELECT weight, count(*) AS n FROM orders GROUP BY weight", NULL, "f i",
		NULL, NULL },
};

const struct query_def QUERY_DEFS[] = {
	{ "v_star", "SELECT id, name FROM v_star WHERE credit > 10 ORDER BY name DESC, id LIMIT 5",
		"SELECT id, name FROM (%s) WHERE credit > 1000 ORDER BY name DESC, id LIMIT 5",
		"i t" },
	{ "v_star", "SELECT country, id FROM v_star ORDER BY country, id DESC LIMIT 4 OFFSET 2",
		"SELECT country, id FROM (%s) ORDER BY country NULLS LAST, id DESC LIMIT 4 OFFSET 2",
		"t i" },
	{ "v_star", "SELECT count(*) AS n FROM v_star WHERE active",
		"SELECT count(*) FROM (%s) WHERE active", "i" },
	{ "v_repeated",
		"SELECT kind, tag FROM v_repeated ORDER BY tag DESC NULLS LAST, kind NULLS FIRST",
		"SELECT kind, tag FROM (%s) ORDER BY tag DESC NULLS LAST, kind NULLS FIRST",
		"i t" },
	{ "v_repeated", "SELECT count(*) AS n FROM v_repeated", "SELECT count(*) FROM (%s)", "i" },
	{ "j_three",
		"SELECT customer_id, a FROM j_three WHERE country = 'DE' ORDER BY a, customer_id, number",
		"SELECT customer_id, a FROM (%s) WHERE country = 'DE'"
		" ORDER BY a NULLS LAST, customer_id, number",
		"i n4" },
	{ "j_self",
		"SELECT id, other FROM j_self WHERE id BETWEEN 2 AND 9 ORDER BY other, id LIMIT 6",
		"SELECT id, other FROM (%s) WHERE id BETWEEN 2 AND 9 ORDER BY other, id LIMIT 6",
		"i i" },
	{ "g_having", "SELECT n, customer_id FROM g_having ORDER BY n DESC, customer_id LIMIT 3",
		"SELECT n, customer_id FROM (%s) ORDER BY n DESC, customer_id LIMIT 3", "i i" },
	{ "g_orders", "SELECT customer_id FROM g_orders WHERE n IN (1, 3) ORDER BY 1",
		"SELECT customer_id FROM (%s) WHERE n IN (1, 3) ORDER BY 1", "i" },
	{ "orders",
		"SELECT number, count(*) AS n, sum(total) AS s FROM orders GROUP BY number ORDER BY number",
		"SELECT number, count(*), sum(total) FROM orders GROUP BY number ORDER BY number",
		"i i n2" },
	{ "orders",
		"SELECT customer_id, number FROM orders WHERE customer_id = 3 ORDER BY number DESC",
		"SELECT customer_id, number FROM orders WHERE customer_id = 3 ORDER BY number DESC",
		"i i" },
	{ "orders",
		"SELECT product, count(DISTINCT number) AS n, sum(DISTINCT total) AS s, bool_or(weight > 1) AS w"
		" FROM orders GROUP BY product ORDER BY n DESC, product",
		"SELECT product, count(DISTINCT number) AS n, sum(DISTINCT total), max(weight > 1)"
		" FROM orders GROUP BY product ORDER BY n DESC, product NULLS LAST",
		"t i n2 b" },
	{ "stock",
		"SELECT sku, warehouse FROM stock WHERE qty < 0 OR qty > 50 ORDER BY sku, warehouse LIMIT 7",
		"SELECT sku, warehouse FROM stock WHERE qty < 0 OR qty > 50 ORDER BY sku, warehouse LIMIT 7",
		"t i" },
	{ "customer", "SELECT id FROM customer WHERE country = 'FR' ORDER BY id",
		"SELECT id FROM customer WHERE country = 'FR' ORDER BY id", "i" },
	{ "product", "SELECT code, price FROM product WHERE parent = 'p1' ORDER BY code",
		"SELECT code, price FROM product WHERE parent = 'p1' ORDER BY code", "t n2" },
	{ "event", "SELECT count(*) AS n, min(amount) AS lo FROM event WHERE kind = 1",
		"SELECT count(*), min(amount) FROM event WHERE kind = 1", "i i" },
};

const unsigned VIEW_COUNT = sizeof(VIEW_DEFS) / sizeof(VIEW_DEFS[0]);
const unsigned QUERY_COUNT = sizeof(QUERY_DEFS) / sizeof(QUERY_DEFS[0]);

const char *view_oracle(const struct view_def *v)
{
	return v->oracle != NULL ? v->oracle : v->select;
}

const struct view_def *view_named(const char *name)
{
	for (unsigned i = 0; i < VIEW_COUNT; i++)
		if (strcmp(VIEW_DEFS[i].name, name) == 0)
			return &VIEW_DEFS[i];
	return NULL;
}
