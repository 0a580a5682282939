#!/usr/bin/python3
"""Chinook end to end: all tables, views over them, random commands, against PostgreSQL.

LEFTFOLD_CHINOOK: the directory with Chinook_PostgreSql.sql (default: shared/data/chinook beside the
checkout). LEFTFOLD_E2E_COMMANDS: number of random commands (default 20000). LEFTFOLD_SEED: the seed,
printed at the start; one number gives the same commands again.
"""

import os
import random
import re
import sys
import time

from harness import BUILD, ROOT, Failure, Postgres, Server, differences, skip, sorted_csv

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
"""
NAMES = re.findall(r"MATERIALIZED VIEW (\w+)", VIEWS)


def read_chinook(path):
    """The script's tables, indexes and rows, without its foreign keys: they cross aggregates."""
    with open(path, encoding="utf-8-sig") as f:
        text = f.read()
    text = text[text.index("CREATE TABLE album"):]
    text = re.sub(r"ALTER TABLE[^;]*;", "", text)
    return text


class Generator:
    """Random commands that PostgreSQL and the server both accept or both refuse."""

    def __init__(self, seed, chinook):
        self.random = random.Random(seed)
        self.next = 100000
        self.keys = {}
        for table, first in re.findall(r"INSERT INTO (\w+) \((\w+)", chinook):
            self.keys.setdefault(table, [])
        for table, rows in re.findall(r"INSERT INTO (\w+) \([^)]*\) VALUES(.*?);\n", chinook, re.S):
            for key in re.findall(r"^\s*\((\d+(?:, \d+\))?)", rows, re.M):
                if table == "playlist_track":
                    a, b = key.rstrip(")").split(", ")
                    self.keys[table].append((int(a), int(b)))
                else:
                    self.keys[table].append(int(key.rstrip(")").split(",")[0]))

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

    def money(self):
        return "%d.%02d" % (self.random.randrange(20), self.random.randrange(100))

    def date(self):
        r = self.random
        return "'%d-%02d-%02d %02d:%02d:%02d'" % (r.randrange(2021, 2026), r.randrange(1, 13),
                                                  r.randrange(1, 29), r.randrange(24),
                                                  r.randrange(60), r.randrange(60))

    def text(self):
        return self.random.choice(["NULL", "''", "'O''Neil'", "'Zürich'", "'Oslo'", "'São Paulo'",
                                   "'A long name, with a comma'", "'x'", "' y '"])

    def name(self):
        return self.random.choice(["'O''Neil'", "'Zürich'", "'Ana'", "'B, C'", "'\"q\"'"])

    def drop(self, table, key):
        if len(self.keys[table]) > 20:
            self.keys[table] = [k for k in self.keys[table] if k != key]

    def command(self):
        r = self.random
        kind = r.randrange(22)
        if kind < 3:
            key = self.new("invoice")
            return ("INSERT INTO invoice (invoice_id, customer_id, invoice_date, billing_country, "
                    "billing_state, total) VALUES (%d, %d, %s, %s, %s, %s)" %
                    (key, self.key("customer"), self.date(), self.text(), self.text(), self.money()))
        if kind < 7:
            key = self.new("invoice_line")
            return ("INSERT INTO invoice_line VALUES (%d, %d, %d, %s, %d)" %
                    (key, self.key("invoice"), self.key("track"), self.money(), r.randrange(1, 5)))
        if kind == 7:
            key = self.key("invoice")
            self.drop("invoice", key)
            return "DELETE FROM invoice WHERE invoice_id = %d" % key
        if kind == 8:
            key = self.key("invoice_line")
            self.drop("invoice_line", key)
            return "DELETE FROM invoice_line WHERE invoice_line_id = %d" % key
        if kind == 9:
            return ("UPDATE invoice SET total = total + %s, invoice_date = %s WHERE invoice_id = %d" %
                    (self.money(), self.date(), self.key("invoice")))
        if kind == 10:
            return ("UPDATE customer SET country = %s, city = %s, support_rep_id = %s "
                    "WHERE customer_id = %d" %
                    (self.text(), self.text(), r.choice(["NULL", "3", "4", "5"]),
                     self.key("customer")))
        if kind == 11:
            return ("UPDATE track SET genre_id = %s, album_id = %s, milliseconds = %d, bytes = %s "
                    "WHERE track_id = %d" %
                    (r.choice(["NULL", "1", "2", "7"]),
                     r.choice(["NULL", str(self.key("album"))]), r.randrange(1000, 900000),
                     r.choice(["NULL", str(r.randrange(100000, 20000000))]), self.key("track")))
        if kind == 12:
            a, b = self.key("playlist"), self.key("track")
            self.keys["playlist_track"].append((a, b))
            return ("INSERT INTO playlist_track VALUES (%d, %d) ON CONFLICT DO NOTHING" % (a, b))
        if kind == 13:
            key = self.key("playlist_track")
            self.drop("playlist_track", key)
            return ("DELETE FROM playlist_track WHERE playlist_id = %d AND track_id = %d" % key)
        if kind == 14:
            return ("UPDATE employee SET title = %s, reports_to = %s WHERE employee_id = %d" %
                    (r.choice(["NULL", "'Boss'", "'Agent'"]), r.choice(["NULL", "1", "2", "6"]),
                     self.key("employee")))
        if kind == 15:
            return ("INSERT INTO customer (customer_id, first_name, last_name, country, email) "
                    "VALUES (%d, %s, %s, %s, 'a@b')" %
                    (self.new("customer"), self.name(), self.name(), self.text()))
        if kind == 16:
            return ("INSERT INTO invoice_line VALUES (%d, %d, %d, %s, %d) ON CONFLICT "
                    "(invoice_line_id) DO UPDATE SET quantity = invoice_line.quantity + "
                    "excluded.quantity, unit_price = excluded.unit_price" %
                    (self.key("invoice_line"), self.key("invoice"), self.key("track"), self.money(),
                     r.randrange(1, 5)))
        if kind == 17 and r.random() < 0.1:
            return ("UPDATE invoice SET total = total * 1.1 WHERE customer_id = %d" %
                    self.key("customer"))
        if kind == 18 and r.random() < 0.1:
            return "DELETE FROM invoice_line WHERE track_id = %d" % self.key("track")
        if kind == 19:
            return ("UPDATE genre SET name = %s WHERE genre_id = %d" %
                    (r.choice(["'Rock'", "'Jazz'", "'Pop'", "NULL"]), self.key("genre")))
        if kind == 20:
            return ("UPDATE artist SET name = %s WHERE artist_id = %d" %
                    (self.text(), self.key("artist")))
        return ("UPDATE invoice_line SET quantity = quantity + 1 WHERE invoice_line_id = %d "
                "AND quantity < 9" % self.key("invoice_line"))


def compare(point, expected, server):
    bad = []
    for name in NAMES:
        actual = sorted_csv(server.query("SELECT * FROM %s" % name))
        text = differences("%s after %s" % (name, point), expected[name], actual)
        if text:
            bad.append(text)
    if bad:
        raise Failure("\n".join(bad))


def main():
    path = os.environ.get("LEFTFOLD_CHINOOK",
                          os.path.join(ROOT, "..", "shared", "data", "chinook"))
    path = os.path.join(path, "Chinook_PostgreSql.sql")
    if not os.path.exists(path):
        skip("Chinook is not there; set LEFTFOLD_CHINOOK to its directory")
    seed = int(os.environ.get("LEFTFOLD_SEED", random.SystemRandom().randrange(1 << 30)))
    commands = int(os.environ.get("LEFTFOLD_E2E_COMMANDS", "20000"))
    shapes = [(1, 1), (1, 2), (2, 2), (2, 4)]
    print("chinook: seed %d, %d commands, build %s" % (seed, commands, BUILD))
    chinook = read_chinook(path)
    generator = Generator(seed, chinook)
    points = 5
    scripts = ["".join(generator.command() + ";\n" for _ in range(commands // points))
               for _ in range(points)]

    expected = []
    postgres = Postgres()
    try:
        postgres.psql(chinook + VIEWS)
        for script in [""] + scripts:
            refresh = "".join("REFRESH MATERIALIZED VIEW %s;\n" % n for n in NAMES)
            postgres.psql(script + refresh)
            expected.append({n: sorted_csv(postgres.psql("SELECT * FROM %s" % n).stdout)
                             for n in NAMES})
    finally:
        postgres.close()
    for n in NAMES:
        if len(expected[-1][n]) < 2:
            raise Failure("%s has no rows: it tests nothing" % n)

    for reactors, projectors in shapes:
        begin = time.monotonic()
        server = Server(reactors, projectors)
        try:
            # Views before the rows in one half of the runs, after them in the other.
            server.cli(whole_script(chinook, projectors % 2 == 0))
            compare("loading", expected[0], server)
            for i, script in enumerate(scripts):
                server.cli(script)
                compare("%d commands" % ((i + 1) * (commands // points)), expected[i + 1], server)
            server.stop()
        except BaseException:
            if server.process.poll() is None:
                server.stop(check=False)
            print(server.output)
            raise
        print("chinook: R=%d P=%d: %d views equal at %d points (%.1f s)" %
              (reactors, projectors, len(NAMES), points + 1, time.monotonic() - begin))


def whole_script(chinook, late):
    if late:
        return chinook + VIEWS
    at = chinook.index("INSERT INTO")
    return chinook[:at] + VIEWS + chinook[at:]


if __name__ == "__main__":
    try:
        main()
    except Failure as e:
        print("FAIL: %s" % e)
        sys.exit(1)
