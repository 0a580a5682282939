#!/usr/bin/python3
"""Chinook end to end: all tables, views over them, random commands, against PostgreSQL.

Every command's answer (rows changed, RETURNING, SQLSTATE) is compared with PostgreSQL's, and at several
points the text of all views, some queries, and all tables. Loading and reading go through the command-line
client, each statement acknowledged before the next; the random commands through several connections with
many under way: each table's commands on one of them, since commands on different tables commute.

LEFTFOLD_CHINOOK: the directory with Chinook_PostgreSql.sql (default: shared/data/chinook beside the
checkout). LEFTFOLD_E2E_COMMANDS: number of random commands (default 20000, small: 2000). LEFTFOLD_SEED: the
seed, printed at the start; one number gives the same commands again.
"""

import os
import random
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from harness import BUILD, ROOT, SMALL, Failure, Postgres, Server, shapes, skip
from oracle import Lane, Prepared, Snapshot, check_rows_seen, compare_outcomes, psql_outcomes, run_lanes
from wire import DURABLE, VISIBLE

POINTS = 5
LANES = (("invoice", "customer", "employee"), ("invoice_line", "genre", "media_type"),
         ("track", "artist", "album", "playlist", "playlist_track"))

VIEWS = """
CREATE MATERIALIZED VIEW sales_per_customer AS
  SELECT c.customer_id, c.first_name || ' ' || c.last_name AS customer, c.country,
         count(*) AS invoices, sum(i.total) AS total, avg(i.total) AS average,
         min(i.invoice_date) AS first_order, max(i.invoice_date) AS last_order
  FROM customer c JOIN invoice i ON i.customer_id = c.customer_id
  GROUP BY c.customer_id, c.first_name, c.last_name, c.country;
CREATE UNIQUE INDEX sales_per_customer_key ON sales_per_customer (customer_id);
CREATE MATERIALIZED VIEW sales_per_country AS
  SELECT billing_country, count(*) AS invoices, sum(total) AS total,
         count(*) FILTER (WHERE total > 5) AS large
  FROM invoice GROUP BY billing_country;
CREATE MATERIALIZED VIEW sales_per_genre AS
  SELECT g.name AS genre, sum(l.quantity) AS sold, sum(l.unit_price * l.quantity) AS revenue
  FROM invoice_line l JOIN track t ON t.track_id = l.track_id
  JOIN genre g ON g.genre_id = t.genre_id GROUP BY g.name;
CREATE MATERIALIZED VIEW sales_per_artist AS
  SELECT ar.artist_id, ar.name AS artist, sum(l.unit_price * l.quantity) AS revenue,
         count(*) AS lines, max(l.unit_price) AS dearest
  FROM invoice_line l JOIN track t ON t.track_id = l.track_id
  JOIN album al ON al.album_id = t.album_id JOIN artist ar ON ar.artist_id = al.artist_id
  GROUP BY ar.artist_id, ar.name;
CREATE UNIQUE INDEX sales_per_artist_key ON sales_per_artist (artist_id);
CREATE MATERIALIZED VIEW sales_per_representative AS
  SELECT e.employee_id, e.last_name, coalesce(e.title, '-') AS title,
         count(*) AS invoices, sum(i.total) AS total
  FROM employee e JOIN customer c ON c.support_rep_id = e.employee_id
  JOIN invoice i ON i.customer_id = c.customer_id GROUP BY e.employee_id, e.last_name, e.title
  HAVING sum(i.total) > 1;
CREATE MATERIALIZED VIEW sales_per_month AS
  SELECT date_trunc('month', invoice_date) AS month, count(*) AS invoices, sum(total) AS total,
         avg(total) AS average
  FROM invoice GROUP BY date_trunc('month', invoice_date);
CREATE UNIQUE INDEX sales_per_month_key ON sales_per_month (month);
CREATE MATERIALIZED VIEW playlist_length AS
  SELECT p.playlist_id, p.name, count(*) AS tracks, sum(t.milliseconds) AS milliseconds,
         avg(t.bytes) AS bytes
  FROM playlist p JOIN playlist_track pt ON pt.playlist_id = p.playlist_id
  JOIN track t ON t.track_id = pt.track_id GROUP BY p.playlist_id, p.name;
CREATE UNIQUE INDEX playlist_length_key ON playlist_length (playlist_id);
CREATE MATERIALIZED VIEW invoice_summary AS
  SELECT i.invoice_id, c.last_name, i.invoice_date, i.total,
         sum(l.unit_price * l.quantity) AS lines_total, count(*) AS item_count
  FROM invoice i JOIN customer c ON c.customer_id = i.customer_id
  JOIN invoice_line l ON l.invoice_id = i.invoice_id
  GROUP BY i.invoice_id, c.last_name, i.invoice_date, i.total;
CREATE UNIQUE INDEX invoice_summary_key ON invoice_summary (invoice_id);
CREATE MATERIALIZED VIEW all_sales AS
  SELECT count(*) AS invoices, sum(total) AS total, min(total) AS least, max(total) AS most,
         avg(total) AS average, count(billing_state) AS with_state FROM invoice;
CREATE MATERIALIZED VIEW colleagues AS
  SELECT b.employee_id AS boss, b.last_name AS boss_name, e.employee_id, e.last_name
  FROM employee b JOIN employee e ON e.reports_to = b.employee_id;
CREATE MATERIALIZED VIEW long_tracks AS
  SELECT t.track_id, t.name, t.milliseconds / 1000 AS seconds, m.name AS medium,
         CASE WHEN t.bytes IS NULL THEN 'unknown' WHEN t.bytes > 10000000 THEN 'large'
              ELSE 'small' END AS size
  FROM track t JOIN media_type m ON m.media_type_id = t.media_type_id
  WHERE t.milliseconds > 300000 AND t.name NOT LIKE 'A%';
CREATE MATERIALIZED VIEW customer_places AS
  SELECT country, coalesce(city, '?') AS city, count(*) AS customers, count(company) AS companies
  FROM customer WHERE email LIKE '%@%' GROUP BY country, coalesce(city, '?');
CREATE MATERIALIZED VIEW popular_tracks AS
  SELECT t.track_id, t.name, ar.name AS artist, count(*) AS playlists, min(p.name) AS first_playlist
  FROM playlist_track pt JOIN track t ON t.track_id = pt.track_id
  JOIN playlist p ON p.playlist_id = pt.playlist_id
  JOIN album al ON al.album_id = t.album_id JOIN artist ar ON ar.artist_id = al.artist_id
  GROUP BY t.track_id, t.name, ar.name HAVING count(*) > 2;
CREATE UNIQUE INDEX popular_tracks_key ON popular_tracks (track_id);
CREATE INDEX popular_tracks_by_artist ON popular_tracks (artist);
CREATE MATERIALIZED VIEW albums_per_artist AS
  SELECT ar.artist_id, ar.name, count(*) AS albums, max(length(al.title)) AS longest,
         count(*) FILTER (WHERE al.title LIKE '%Live%') AS live
  FROM artist ar JOIN album al ON al.artist_id = ar.artist_id GROUP BY ar.artist_id, ar.name;
CREATE MATERIALIZED VIEW customers_of_representative AS
  SELECT e.employee_id, e.last_name || ', ' || e.first_name AS representative, c.country,
         count(*) AS customers, count(c.fax) AS with_fax
  FROM customer c JOIN employee e ON e.employee_id = c.support_rep_id
  WHERE e.title IS DISTINCT FROM 'Boss' GROUP BY e.employee_id, e.last_name, e.first_name, c.country;
"""
NAMES = re.findall(r"MATERIALIZED VIEW (\w+)", VIEWS)
QUERIES = [
    "SELECT * FROM sales_per_customer WHERE customer_id IN (1, 7, 23, 59, 100001) ORDER BY customer_id",
    "SELECT invoice_id, invoice_date, total FROM invoice WHERE customer_id = 5 ORDER BY invoice_id",
    "SELECT track_id, unit_price FROM track WHERE album_id = 3 ORDER BY track_id",
    "SELECT count(*) FROM invoice_line WHERE track_id = 1",
    "SELECT * FROM invoice_summary WHERE invoice_id = 1",
    "SELECT track_id, name FROM popular_tracks WHERE artist = 'Iron Maiden' ORDER BY track_id",
    "SELECT * FROM sales_per_month ORDER BY total DESC, month LIMIT 7",
    "SELECT last_name, country FROM customer WHERE support_rep_id = 3 AND country IS NOT NULL "
    "ORDER BY last_name, customer_id LIMIT 5",
    "SELECT artist_id, revenue FROM sales_per_artist WHERE revenue > 20 ORDER BY revenue DESC, artist_id",
]
# Beyond Chinook's own NOT NULL, keys and lengths.
CHECKS = (
    ("total NUMERIC(10,2) NOT NULL", "total NUMERIC(10,2) DEFAULT 1.5 NOT NULL CHECK (total >= 0)"),
    ("quantity INT NOT NULL", "quantity INT NOT NULL DEFAULT 1 CHECK (quantity BETWEEN 1 AND 60)"),
    ("milliseconds INT NOT NULL", "milliseconds INT NOT NULL CHECK (milliseconds > 0)"),
)
# Both sides of this one lie in one partition, so it is enforced; the others are accepted with a NOTICE.
ENFORCED = ("playlist_track", "playlist")


def read_chinook(path):
    """(tables for the server, tables for PostgreSQL, rows) of the script. The server gets all foreign keys
    within the tables, PostgreSQL only the one that the server enforces."""
    with open(path, encoding="utf-8-sig") as f:
        text = f.read()
    text = text[text.index("CREATE TABLE album"):]
    for old, new in CHECKS:
        if old not in text:
            raise Failure("the script has no column %r" % old)
        text = text.replace(old, new)
    keys = re.findall(r"ALTER TABLE (\w+) ADD CONSTRAINT \w+\s+FOREIGN KEY \((\w+)\) REFERENCES (\w+) \((\w+)\)",
                      text)
    created = {table: sql for sql, table in re.findall(r"(CREATE TABLE (\w+)\n.*?\n\);)", text, re.S)}
    indexes = "\n".join(re.findall(r"CREATE INDEX [^;]*;", text))
    here, there, done = [], [], set()
    while len(done) < len(created):
        for table, sql in created.items():
            mine = [k for k in keys if k[0] == table]
            if table in done or any(k[2] not in done | {table} for k in mine):
                continue
            for target, statements in ((here, mine), (there, [k for k in mine if (k[0], k[2]) == ENFORCED])):
                changed = sql
                for _, column, other, key in statements:
                    changed = re.sub(r"(\n\s+%s INT[^,\n]*)" % column, r"\1 REFERENCES %s (%s)" % (other, key),
                                     changed, count=1)
                target.append(changed)
            done.add(table)
    rows = text[text.index("INSERT INTO"):]
    # A playlist before its tracks.
    first = re.findall(r"INSERT INTO playlist \(.*?;\n", rows, re.S)
    rows = "".join(first) + re.sub(r"INSERT INTO playlist \(.*?;\n", "", rows, flags=re.S)
    return ("\n".join(here) + indexes, "\n".join(there) + indexes, rows)


class Generator:
    """Random commands that PostgreSQL and the server must answer alike; kinds is a table of (weight, table,
    function)."""

    def __init__(self, seed, rows):
        self.random = random.Random(seed)
        self.next = 100000
        self.keys = {}
        for table, values in re.findall(r"INSERT INTO (\w+) \([^)]*\) VALUES(.*?);\n", rows, re.S):
            keys = self.keys.setdefault(table, [])
            for a, b in re.findall(r"^\s*\((\d+)(?:, (\d+)\))?", values, re.M):
                keys.append((int(a), int(b)) if table == "playlist_track" else int(a))
        self.kinds = (
            (30, "invoice", self.insert_invoice), (6, "invoice", self.insert_invoices),
            (14, "invoice", self.update_invoice), (8, "invoice", self.delete_invoice),
            (2, "invoice", self.sweep_invoices), (5, "invoice", self.refused_invoice),
            (24, "invoice_line", self.insert_line), (6, "invoice_line", self.insert_lines),
            (14, "invoice_line", self.upsert_line), (14, "invoice_line", self.guarded_line),
            (8, "invoice_line", self.delete_line), (1, "invoice_line", self.sweep_lines),
            (5, "invoice_line", self.refused_line),
            (10, "customer", self.insert_customer), (10, "customer", self.update_customer),
            (3, "customer", self.refused_customer), (1, "customer", self.sweep_customers),
            (6, "employee", self.update_employee), (3, "genre", self.update_genre),
            (10, "track", self.update_track), (2, "track", self.sweep_tracks), (3, "track", self.refused_track),
            (5, "artist", self.update_artist), (4, "album", self.update_album),
            (10, "playlist_track", self.add_to_playlist), (6, "playlist_track", self.take_from_playlist),
            (3, "playlist_track", self.new_playlist), (3, "playlist_track", self.refused_playlist),
            (1, "playlist_track", self.sweep_playlist), (1, "playlist", self.drop_playlist),
        )
        self.weights = [k[0] for k in self.kinds]

    def command(self):
        """(table, command)"""
        _, table, make = self.random.choices(self.kinds, self.weights)[0]
        return table, make()

    # --- values ---

    def key(self, table):
        keys = self.keys[table]
        # Some keys are hot.
        if self.random.random() < 0.3:
            return keys[self.random.randrange(min(8, len(keys)))]
        return keys[self.random.randrange(len(keys))]

    def new(self, table):
        self.next += 1
        self.keys[table].append(self.next)
        return self.next

    def drop(self, table, key):
        if len(self.keys[table]) > 20:
            self.keys[table] = [k for k in self.keys[table] if k != key]

    def pick(self, *values):
        return self.random.choice(values)

    def number(self, low, high):
        return self.random.randrange(low, high)

    def money(self):
        return "%d.%02d" % (self.number(0, 20), self.number(0, 100))

    def date(self):
        n = self.number
        return "'%d-%02d-%02d %02d:%02d:%02d'" % (n(2021, 2026), n(1, 13), n(1, 29), n(0, 24), n(0, 60), n(0, 60))

    def text(self):
        return self.pick("NULL", "''", "'O''Neil'", "'Zürich'", "'Oslo'", "'São Paulo'",
                         "'A long name, with a comma'", "'x'", "' y '", "E'two\\nlines'")

    def name(self):
        return self.pick("'O''Neil'", "'Zürich'", "'Ana'", "'B, C'", "'\"q\"'")

    # --- invoice ---

    def insert_invoice(self):
        if self.number(0, 2):
            return Prepared("INSERT INTO invoice (invoice_id, customer_id, invoice_date, billing_country, total) "
                            "VALUES ($1::int, $2::int, '2025-03-04', $3::text, $4::numeric)", "iitn",
                            self.new("invoice"), self.key("customer"), self.pick(None, "Norway", "Peru", "O'Neil"),
                            self.money())
        return ("INSERT INTO invoice (invoice_id, customer_id, invoice_date, billing_country, billing_state, "
                "total) VALUES (%d, %d, %s, %s, %s, %s)%s" %
                (self.new("invoice"), self.key("customer"), self.date(), self.text(), self.text(), self.money(),
                 self.pick("", "", " RETURNING invoice_id, total, billing_country", " RETURNING total * 2")))

    def insert_invoices(self):
        """Over several aggregates; some are there already."""
        rows = []
        for _ in range(self.number(2, 12)):
            rows.append("(%d, %d, %s, %s)" % (self.new("invoice"), self.key("customer"), self.date(),
                                              self.pick("DEFAULT", self.money())))
        if self.number(0, 2):
            rows.append("(%d, %d, %s, 0)" % (self.key("invoice"), self.key("customer"), self.date()))
        return ("INSERT INTO invoice (invoice_id, customer_id, invoice_date, total) VALUES %s ON CONFLICT "
                "(invoice_id) DO NOTHING" % ", ".join(rows))

    def update_invoice(self):
        if self.number(0, 2):
            return Prepared("UPDATE invoice SET total = total + $2::numeric, billing_state = $3::text "
                            "WHERE invoice_id = $1::int", "int", self.key("invoice"), self.money(),
                            self.pick(None, "", "QC"))
        return ("UPDATE invoice SET total = %s, customer_id = %d, invoice_date = %s WHERE invoice_id = %d%s" %
                (self.money(), self.key("customer"), self.date(), self.key("invoice"),
                 self.pick("", " AND total < 10", " RETURNING invoice_id, billing_state")))

    def delete_invoice(self):
        key = self.key("invoice")
        self.drop("invoice", key)
        return "DELETE FROM invoice WHERE invoice_id = %d%s" % (
            key, self.pick("", " AND total >= 0.5", " RETURNING customer_id"))

    def sweep_invoices(self):
        return self.pick(
            "UPDATE invoice SET total = total * 1.1 WHERE customer_id = %d AND total < 1000" % self.key("customer"),
            "UPDATE invoice SET billing_country = upper(billing_country) WHERE billing_state IS NULL AND "
            "invoice_id %% 50 = %d" % self.number(0, 50),
            "DELETE FROM invoice WHERE total < 0.3 AND customer_id <> %d" % self.key("customer"),
            "UPDATE invoice SET billing_city = 'Wien' WHERE invoice_id IN (%d, %d, %d)" %
            (self.key("invoice"), self.key("invoice"), self.key("invoice")))

    def refused_invoice(self):
        key = self.key("invoice")
        return self.pick(
            "UPDATE invoice SET total = -1 WHERE invoice_id = %d" % key,
            "UPDATE invoice SET total = total / 0 WHERE invoice_id = %d" % key,
            "UPDATE invoice SET customer_id = NULL WHERE invoice_id = %d" % key,
            "UPDATE invoice SET total = 99999999999 WHERE invoice_id = %d" % key,
            "UPDATE invoice SET invoice_date = '2025-02-30' WHERE invoice_id = %d" % key,
            "UPDATE invoice SET no_such_column = 1 WHERE invoice_id = %d" % key,
            "UPDATE invoice SET WHERE invoice_id = %d" % key,
            "INSERT INTO invoice (invoice_id, invoice_date) VALUES (%d, %s)" % (self.next + 10 ** 6, self.date()))

    # --- invoice_line ---

    def insert_line(self):
        if self.number(0, 2):
            return Prepared("INSERT INTO invoice_line VALUES ($1::int, $2::int, $3::int, $4::numeric, $5::int)",
                            "iiini", self.new("invoice_line"), self.key("invoice"), self.key("track"),
                            self.money(), self.number(1, 5))
        return ("INSERT INTO invoice_line VALUES (%d, %d, %d, %s, %d) RETURNING unit_price * quantity AS amount" %
                (self.new("invoice_line"), self.key("invoice"), self.key("track"), self.money(), self.number(1, 5)))

    def insert_lines(self):
        invoice = self.key("invoice")
        return "INSERT INTO invoice_line VALUES " + ", ".join(
            "(%d, %d, %d, %s, %s)" % (self.new("invoice_line"), invoice, self.key("track"), self.money(),
                                      self.pick("DEFAULT", "2"))
            for _ in range(self.number(2, 9)))

    def upsert_line(self):
        return ("INSERT INTO invoice_line VALUES (%d, %d, %d, %s, %d) ON CONFLICT (invoice_line_id) DO UPDATE "
                "SET quantity = invoice_line.quantity + excluded.quantity, unit_price = excluded.unit_price"
                "%s" % (self.key("invoice_line"), self.key("invoice"), self.key("track"), self.money(),
                        self.number(1, 5), self.pick("", " WHERE invoice_line.quantity < 40",
                                                     " RETURNING invoice_line_id, quantity")))

    def guarded_line(self):
        return Prepared("UPDATE invoice_line SET quantity = quantity + $3::int WHERE invoice_line_id = $1::int "
                        "AND quantity < $2::int", "iii", self.key("invoice_line"), self.number(2, 10),
                        self.number(1, 3))

    def delete_line(self):
        key = self.key("invoice_line")
        self.drop("invoice_line", key)
        return Prepared("DELETE FROM invoice_line WHERE invoice_line_id = $1::int", "i", key)

    def sweep_lines(self):
        return self.pick("DELETE FROM invoice_line WHERE track_id = %d" % self.key("track"),
                         "UPDATE invoice_line SET unit_price = 0.99 WHERE invoice_id = %d" % self.key("invoice"))

    def refused_line(self):
        key = self.key("invoice_line")
        return self.pick(
            "UPDATE invoice_line SET quantity = 0 WHERE invoice_line_id = %d" % key,
            "UPDATE invoice_line SET quantity = quantity + 2147483600 WHERE invoice_line_id = %d" % key,
            "INSERT INTO invoice_line VALUES (%d, 1, 1, 1, 61)" % (self.next + 10 ** 6),
            "INSERT INTO invoice_line VALUES (%d, 1, 'one', 1, 1)" % key,
            "INSERT INTO no_such_table VALUES (%d)" % key)

    # --- customer, employee, genre ---

    def insert_customer(self):
        return ("INSERT INTO customer (customer_id, first_name, last_name, country, email, support_rep_id) "
                "VALUES (%d, %s, %s, %s, 'a@b', %s)" % (self.new("customer"), self.name(), self.name(), self.text(),
                                                        self.pick("NULL", "3", "4", "5")))

    def update_customer(self):
        return ("UPDATE customer SET country = %s, city = %s, support_rep_id = %s, last_name = %s, email = %s "
                "WHERE customer_id = %d" % (self.text(), self.text(), self.pick("NULL", "1", "3", "4", "5"),
                                            self.name(), self.pick("'a@b'", "'none'"), self.key("customer")))

    def sweep_customers(self):
        return self.pick("UPDATE customer SET fax = NULL WHERE country = %s" % self.name(),
                         "DELETE FROM customer WHERE company IS NULL AND customer_id > 100000 AND city = 'x'")

    def refused_customer(self):
        key = self.key("customer")
        return self.pick(
            "UPDATE customer SET email = NULL WHERE customer_id = %d AND true" % key,
            "UPDATE customer SET last_name = 'longer than twenty characters' WHERE customer_id = %d" % key,
            "UPDATE customer SET support_rep_id = 'x' WHERE customer_id = %d" % key,
            "INSERT INTO customer (customer_id, first_name, last_name) VALUES (%d, 'a', 'b')" %
            (self.next + 10 ** 6))

    def update_employee(self):
        return ("UPDATE employee SET title = %s, reports_to = %s WHERE employee_id = %d" %
                (self.pick("NULL", "'Boss'", "'Agent'"), self.pick("NULL", "1", "2", "6"), self.key("employee")))

    def update_genre(self):
        return ("UPDATE genre SET name = %s WHERE genre_id = %d" %
                (self.pick("'Rock'", "'Jazz'", "'Pop'", "NULL"), self.key("genre")))

    # --- music ---

    def update_track(self):
        return ("UPDATE track SET genre_id = %s, album_id = %s, milliseconds = %d, bytes = %s, name = %s "
                "WHERE track_id = %d" %
                (self.pick("NULL", "1", "2", "7"), self.pick("NULL", str(self.key("album"))),
                 self.number(1000, 900000), self.pick("NULL", str(self.number(100000, 20000000))), self.name(),
                 self.key("track")))

    def sweep_tracks(self):
        return self.pick(
            "UPDATE track SET unit_price = unit_price + 0.01 WHERE album_id = %d" % self.key("album"),
            "UPDATE track SET composer = coalesce(composer, '') || '.' WHERE milliseconds > 800000 AND genre_id = 1",
            "DELETE FROM track WHERE album_id IS NULL AND bytes IS NULL AND track_id > 20")

    def refused_track(self):
        key = self.key("track")
        return self.pick("UPDATE track SET milliseconds = 0 WHERE track_id = %d" % key,
                         "UPDATE track SET milliseconds = abs(milliseconds) * 3000000 WHERE track_id = %d" % key,
                         "UPDATE track SET name = NULL WHERE track_id = 1")

    def update_artist(self):
        return "UPDATE artist SET name = %s WHERE artist_id = %d" % (self.text(), self.key("artist"))

    def update_album(self):
        return ("UPDATE album SET artist_id = %d, title = title || '!' WHERE album_id = %d AND length(title) < 150" %
                (self.key("artist"), self.key("album")))

    def add_to_playlist(self):
        a, b = self.key("playlist"), self.key("track")
        self.keys["playlist_track"].append((a, b))
        return "INSERT INTO playlist_track VALUES (%d, %d) ON CONFLICT DO NOTHING" % (a, b)

    def take_from_playlist(self):
        key = self.key("playlist_track")
        self.drop("playlist_track", key)
        return "DELETE FROM playlist_track WHERE playlist_id = %d AND track_id = %d RETURNING track_id" % key

    def new_playlist(self):
        """Several statements, one aggregate, one command; some fail in the middle and must leave nothing."""
        key = self.new("playlist")
        tracks = sorted({self.key("track") for _ in range(self.number(2, 30))})
        text = ("INSERT INTO playlist VALUES (%d, %s); INSERT INTO playlist_track VALUES %s" %
                (key, self.name(), ", ".join("(%d, %d)" % (key, t) for t in tracks)))
        if self.number(0, 4) == 0:
            self.drop("playlist", key)
            return text + "; INSERT INTO playlist_track VALUES (%d, %d)" % (key, tracks[0])
        self.keys["playlist_track"] += [(key, t) for t in tracks]
        return text + "; UPDATE playlist SET name = name || ' mix' WHERE playlist_id = %d" % key

    def refused_playlist(self):
        return self.pick("INSERT INTO playlist_track VALUES (%d, 1)" % (self.next + 10 ** 6),
                         "INSERT INTO playlist VALUES (%d, 'again')" % 1,
                         "DELETE FROM playlist WHERE playlist_id = 1")

    def sweep_playlist(self):
        return self.pick("DELETE FROM playlist_track WHERE playlist_id = %d AND track_id %% 3 = 0" %
                         self.key("playlist"),
                         "DELETE FROM playlist_track WHERE track_id = %d" % self.key("track"))

    def drop_playlist(self):
        key = self.keys["playlist"][-1]
        if key < 100000:
            return "UPDATE playlist SET name = NULL WHERE playlist_id = %d" % key
        self.drop("playlist", key)
        return ("DELETE FROM playlist_track WHERE playlist_id = %d; DELETE FROM playlist WHERE playlist_id = %d" %
                (key, key))


def sections(generator, commands):
    """Lists of (table, command), one a point; one of them empties a table."""
    out = []
    for point in range(POINTS):
        section = [generator.command() for _ in range(commands // POINTS)]
        if point == 2:
            section.append(("playlist_track", "TRUNCATE playlist_track"))
            pairs = sorted({(generator.keys["playlist"][i % 12], generator.key("track")) for i in range(400)})
            section.append(("playlist_track", "INSERT INTO playlist_track VALUES " +
                            ", ".join("(%d, %d)" % p for p in pairs)))
            generator.keys["playlist_track"] = pairs
        out.append(section)
    return out


def lane_of(table):
    return next(i for i, tables in enumerate(LANES) if table in tables)


def run_shape(server, schema, rows, late, work, answers, snapshots):
    # In one half of the runs the views are made over rows that are there already, while commands change them.
    making = None
    server.cli(schema + (rows if late else VIEWS + rows))
    if late:
        making = ThreadPoolExecutor(1).submit(server.cli, VIEWS)
    else:
        snapshots[0].compare(server, "loading")
    lanes = [Lane(server.address) for _ in LANES]
    rand = random.Random(len(rows))
    try:
        for i, section in enumerate(work):
            parts = [[] for _ in LANES]
            for at, (table, command) in enumerate(section):
                parts[lane_of(table)].append((at, command))
            got = run_lanes(lanes, parts, lambda _: rand.choice((DURABLE, VISIBLE)))
            compare_outcomes([c for _, c in section], answers[i], got)
            if making:
                making.result()
            # Other connections see it from here on.
            lanes[0].connection.run("SELECT count(*) FROM genre", timeout=60000,
                                    at_least=max(lane.epoch for lane in lanes))
            snapshots[i + 1].compare(server, "%d commands" % (sum(map(len, work[:i + 1]))))
    finally:
        for lane in lanes:
            lane.connection.close()


def chinook():
    """Path of the script; None: it is not there."""
    path = os.environ.get("LEFTFOLD_CHINOOK", os.path.join(ROOT, "..", "shared", "data", "chinook"))
    path = os.path.join(path, "Chinook_PostgreSql.sql")
    return path if os.path.exists(path) else None


def main():
    path = chinook()
    if path is None:
        skip("Chinook is not there; set LEFTFOLD_CHINOOK to its directory")
    seed = int(os.environ.get("LEFTFOLD_SEED", random.SystemRandom().randrange(1 << 30)))
    commands = int(os.environ.get("LEFTFOLD_E2E_COMMANDS", "2000" if SMALL else "20000"))
    print("chinook: seed %d, %d commands, build %s" % (seed, commands, BUILD), flush=True)
    here, there, rows = read_chinook(path)
    generator = Generator(seed, rows)
    tables = sorted(generator.keys)
    work = sections(generator, commands)
    queries = ["SELECT * FROM %s" % n for n in NAMES] + QUERIES
    everything = queries + ["SELECT * FROM %s" % t for t in tables]

    postgres = Postgres()
    try:
        postgres.psql(there + rows + VIEWS)
        refresh = "".join("REFRESH MATERIALIZED VIEW %s;\n" % n for n in NAMES)
        snapshots, answers = [Snapshot(postgres, everything)], []
        for i, section in enumerate(work):
            answers.append(psql_outcomes(postgres, [c for _, c in section]))
            postgres.psql(refresh)
            snapshots.append(Snapshot(postgres, everything if i + 1 == POINTS else queries))
    finally:
        postgres.close()
    check_rows_seen(snapshots, NAMES)
    refused = sum(a[0] == "error" for section in answers for a in section)

    for number, (reactors, projectors) in enumerate(shapes()):
        begin, late = time.monotonic(), number % 2 == 0
        with Server(reactors, projectors, extra=("--build-at-once", "0") if late else ()) as server:
            run_shape(server, here, rows, late, work, answers, snapshots)
        print("chinook: R=%d P=%d: %d tables, %d views equal at %d points, %d answers, %d of them refusals (%.1f s)" %
              (reactors, projectors, len(tables), len(NAMES), POINTS + 1, sum(map(len, answers)), refused,
               time.monotonic() - begin), flush=True)


if __name__ == "__main__":
    try:
        main()
    except Failure as e:
        print("FAIL: %s" % e)
        sys.exit(1)
