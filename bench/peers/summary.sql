-- What summary.bench loads, for PostgreSQL: psql's variable `rows` says how many orders.
CREATE TABLE big_order (id bigint PRIMARY KEY, customer_id bigint NOT NULL, day date NOT NULL);
CREATE TABLE big_item (order_id bigint, line int, qty int NOT NULL, price numeric(12,2) NOT NULL,
    PRIMARY KEY (order_id, line));
INSERT INTO big_order SELECT i, i * 7919 % 10000, date '2000-01-01' + (i % 365)::int FROM generate_series(0::bigint, :rows - 1) AS i;
INSERT INTO big_item SELECT i, line, 1 + (i + line) % 4, (1 + (i * 7919 + line) % 10000) / 100.0
    FROM generate_series(0::bigint, :rows - 1) AS i, generate_series(1, 2) AS line;
CREATE MATERIALIZED VIEW big_summary AS
    SELECT o.id AS order_id, sum(i.qty * i.price) AS total_amount, count(*) AS item_count
    FROM big_order o JOIN big_item i ON i.order_id = o.id GROUP BY o.id;
CREATE UNIQUE INDEX big_summary_key ON big_summary (order_id);
VACUUM ANALYZE;
