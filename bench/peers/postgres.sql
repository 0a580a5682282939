-- The tables, triggers and function that postgres.c uses: summaries kept by row triggers.
CREATE TABLE kv (id bigint PRIMARY KEY, value text NOT NULL);
CREATE TABLE votes (id bigint PRIMARY KEY, n bigint NOT NULL);
CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, day int NOT NULL);
CREATE TABLE items (order_id bigint, line int, qty int NOT NULL CHECK (qty > 0), cents bigint NOT NULL,
    PRIMARY KEY (order_id, line));
CREATE TABLE summary (order_id bigint PRIMARY KEY, total bigint NOT NULL, items bigint NOT NULL);
CREATE TABLE customers (id bigint PRIMARY KEY, orders bigint NOT NULL);
CREATE TABLE days (day int PRIMARY KEY, orders bigint NOT NULL);

CREATE FUNCTION order_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO customers VALUES (NEW.customer_id, 1) ON CONFLICT (id) DO UPDATE SET orders = customers.orders + 1;
    INSERT INTO days VALUES (NEW.day, 1) ON CONFLICT (day) DO UPDATE SET orders = days.orders + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER order_added AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION order_added();

CREATE FUNCTION item_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO summary VALUES (NEW.order_id, NEW.qty * NEW.cents, 1) ON CONFLICT (order_id)
        DO UPDATE SET total = summary.total + EXCLUDED.total, items = summary.items + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER item_added AFTER INSERT ON items FOR EACH ROW EXECUTE FUNCTION item_added();

CREATE FUNCTION place_order(id bigint, customer bigint, day int, q1 int, p1 bigint, q2 int, p2 bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO orders VALUES (id, customer, day);
    INSERT INTO items VALUES (id, 1, q1, p1), (id, 2, q2, p2);
END $$;
