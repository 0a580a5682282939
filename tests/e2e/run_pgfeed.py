#!/usr/bin/python3
"""leftfold-pgfeed under load: pgbench's own transactions, random changes of tables with many types and of Chinook (where that is,
see run_chinook.py), while feed, Leftfold and PostgreSQL are killed at random. Afterwards every table and view has the rows that PostgreSQL has; and at no time did a reader
see a row go back, nor, where nothing was killed, one of a transaction's rows without the others.

--cycles N and --seconds S: so many kills, so far apart (default 3 of about 2 s).
"""

import argparse
import os
import random
import re
import subprocess
import threading
import time

from engines import LeftfoldSession
from harness import SANITIZED, Failure
from oracle import literal as command_text
from pgfeed import Feed, Leftfold, Source, check, compare, feed, wait_for
from run_chinook import VIEWS as CHINOOK_VIEWS
from run_chinook import Generator, chinook, read_chinook

TABLES = ["pgbench_accounts", "pgbench_branches", "pgbench_tellers", "pgbench_history", "kinds", "wide", "clock"]
COLUMNS = ("a smallint, b integer, c bigint, d real, e double precision, f numeric(12,2), g numeric, h text, i varchar(20),"
           " j char(6), k bytea, l date, m timestamp, n timestamptz, o interval, p uuid, q json, r jsonb, s boolean,"
           " t int[], u inet")
SCHEMA = """
CREATE TABLE kinds (id bigint PRIMARY KEY, %s);
ALTER TABLE kinds ALTER h SET STORAGE EXTERNAL;
CREATE TABLE wide (k1 text, k2 int, v text, n numeric(10,3), PRIMARY KEY (k1, k2));
ALTER TABLE wide REPLICA IDENTITY FULL;
CREATE TABLE clock (id int PRIMARY KEY, n bigint);
INSERT INTO clock SELECT i, 0 FROM generate_series(1, 8) i;
""" % COLUMNS
VIEWS = {
    "branch_sum": "SELECT b.bid, b.bbalance, sum(a.abalance) AS accounts FROM pgbench_branches b"
                  " JOIN pgbench_accounts a ON a.bid = b.bid GROUP BY b.bid, b.bbalance",
    "history_sum": "SELECT bid, count(*) AS n, sum(delta) AS delta FROM pgbench_history GROUP BY bid",
    "kinds_by": "SELECT s, count(*) AS n, sum(f) AS f, min(l) AS first, max(h) AS h FROM kinds GROUP BY s",
    "joined": "SELECT k.id, w.k1, w.v FROM kinds k JOIN wide w ON w.k2 = k.b",
}


def literal(r, kind):
    """A value of a column, as SQL."""
    if r.random() < 0.15:
        return "NULL"
    n = r.randint(-30000, 30000)
    text = "".join(r.choice("ab\\'\"\té☃ N") for _ in range(r.randint(0, 12)))
    quoted = "'%s'" % text.replace("'", "''")
    return {
        "smallint": str(n), "integer": str(r.randint(0, 60)), "bigint": str(n * 10 ** 12 + n), "real": "%.3e" % (n / 7),
        "double precision": r.choice(["'NaN'", "'Infinity'", "%r" % (n / 3)]), "numeric(12,2)": "%d.%02d" % (n, abs(n) % 100),
        "numeric": "%d.%d" % (n * 10 ** r.randint(0, 20), r.randint(0, 999)), "varchar(20)": quoted, "char(6)": "'%s'" % "xyz"[:n % 4],
        # Some too large for their page.
        "text": quoted if r.random() < 0.6 else "repeat(%s || md5('%d'), %d)" % (quoted, n, r.choice([1, 100, 200])),
        "bytea": "'\\x%04x'" % (n & 0xffff), "date": "date '2000-01-01' + %d" % n,
        "timestamp": "timestamp '2000-01-01 00:00:00.000001' + %d * interval '1 hour 0.25 s'" % n,
        "timestamptz": "timestamptz '2000-01-01 00:00:00+00' + %d * interval '1 hour'" % n,
        "interval": "'%d mons %d days %d:00:00'" % (n % 13, n % 40, n % 99), "uuid": "md5('%d')::uuid" % n,
        "json": "'{\"a\": %d}'" % n, "jsonb": "'[%d, {\"b\":null}]'" % n, "boolean": r.choice(["true", "false"]),
        "int[]": "'{%d,NULL}'" % n, "inet": "'10.%d.0.1/16'" % (n & 255)}[kind]


def random_command(r):
    columns = [c.strip().split(" ", 1) for c in COLUMNS.split(", ")]
    what, key = r.random(), r.randint(1, 60)
    if what < 0.3:
        return "INSERT INTO kinds VALUES (%d, %s) ON CONFLICT DO NOTHING" % (key, ", ".join(literal(r, k) for _, k in columns))
    if what < 0.5:
        some = r.sample(columns, r.randint(1, 4))
        return "UPDATE kinds SET %s WHERE id = %d" % (", ".join("%s = %s" % (n, literal(r, k)) for n, k in some), key)
    if what < 0.58:
        # Another key, with what is too large for its page as it was.
        return "UPDATE kinds SET id = %d, a = %d WHERE id = %d AND NOT EXISTS (SELECT FROM kinds WHERE id = %d)" % (
            key, r.randint(0, 99), r.randint(1, 60), key)
    if what < 0.66:
        return "DELETE FROM kinds WHERE id = %d" % key
    if what < 0.8:
        return "INSERT INTO wide VALUES ('%s', %d, repeat('v', %d), %d.5) ON CONFLICT (k1, k2) DO UPDATE SET n = excluded.n" % (
            r.choice("abc"), key, r.choice([3, 4000]), key)
    if what < 0.9:
        return "UPDATE wide SET k2 = %d WHERE k1 = '%s' AND k2 = %d AND NOT EXISTS (SELECT FROM wide w WHERE w.k1 = wide.k1 AND" \
               " w.k2 = %d)" % (key, r.choice("abc"), r.randint(1, 60), key)
    if what < 0.92:
        return "TRUNCATE wide"
    return "DELETE FROM wide WHERE k2 BETWEEN %d AND %d" % (key, key + 3)


def transaction(r):
    commands = [random_command(r) for _ in range(r.randint(1, 4))]
    if r.random() < 0.2:
        # A part of it is taken back.
        commands[1:1] = ["SAVEPOINT s", random_command(r), "ROLLBACK TO s"]
    if r.random() < 0.05:
        # Large: it comes in parts while it is under way.
        commands.append("UPDATE pgbench_accounts SET filler = 'f%d' WHERE aid <= 1500" % r.randint(0, 9))
    commands.append("UPDATE clock SET n = n + 1")
    return "BEGIN;\n%s;\n%s;\n" % (";\n".join(commands), "ROLLBACK" if r.random() < 0.1 else "COMMIT")


class Changes(threading.Thread):
    """Random transactions, until told to stop; PostgreSQL may go away meanwhile."""

    def __init__(self, source, seed):
        super().__init__()
        self.source, self.random, self.ending, self.done = source, random.Random(seed), False, 0

    def run(self):
        while not self.ending:
            text = "".join(transaction(self.random) for _ in range(10))
            if self.source.psql(text, check=False).returncode == 0:
                self.done += 10
            else:
                time.sleep(0.1)


class Chinook(threading.Thread):
    """Random commands on its tables, each by itself; what is refused is passed over. Without the script there are none."""

    def __init__(self, source, seed):
        super().__init__()
        self.source, self.seed, self.ending, self.done = source, seed, False, 0

    def run(self):
        path = chinook()
        generator = Generator(self.seed, read_chinook(path)[2]) if path is not None else None
        while generator is not None and not self.ending:
            commands = [command_text(generator.command()[1]) for _ in range(20)]
            if self.source.psql("\\set ON_ERROR_STOP off\n%s;\n" % ";\n".join(commands), check=False).returncode == 0:
                self.done += len(commands)
            else:
                time.sleep(0.1)


class Reader(threading.Thread):
    """Reads Leftfold again and again: the clocks only go forward; `together`: and are all the same."""

    def __init__(self, target):
        super().__init__()
        self.target, self.ending, self.together, self.seen, self.failure, self.last = target, False, False, 0, None, {}

    def look(self, session):
        result = session.run("SELECT id, n FROM clock")
        if result.state in ("42P01", "LF004"):
            return
        check(result.state is None, "reading: %s" % result.error())
        rows = {int(i): int(n) for i, n in result.rows}
        for i, n in rows.items():
            check(n >= self.last.get(i, 0), "clock %d went back from %d to %d" % (i, self.last.get(i, 0), n))
        if self.together and rows:
            check(len(set(rows.values())) == 1, "a transaction was seen in parts: %s" % rows)
        self.last.update(rows)
        self.seen += 1

    def run(self):
        while not self.ending:
            try:
                session = LeftfoldSession(self.target.address)
                while not self.ending:
                    self.look(session)
                    time.sleep(0.001)
                session.close()
            except (OSError, EOFError, AssertionError):
                time.sleep(0.05)
            except Failure as e:
                if "closed" in str(e):
                    time.sleep(0.05)
                    continue
                self.failure = e
                return


def pgbench(source, seconds):
    return subprocess.Popen([os.path.join(source.bin, "pgbench"), "-n", "-c", "2", "-T", str(seconds), "-h", source.dir, "-p",
                             str(source.port), "-U", "postgres", "postgres"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


STILL_S = 180  # the position may stand still while what was sent before is read again


def set_up(source):
    subprocess.run([os.path.join(source.bin, "pgbench"), "-i", "-q", "-h", source.dir, "-p", str(source.port), "-U", "postgres",
                    "postgres"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    source.psql("DELETE FROM pgbench_accounts WHERE aid > 4000; ALTER TABLE pgbench_history ADD COLUMN hid bigserial PRIMARY KEY;"
                + SCHEMA)
    if chinook() is None:
        print("  without Chinook, which is not there")
        return
    _, tables, rows = read_chinook(chinook())
    source.psql(tables + rows)
    TABLES.extend(re.findall(r"CREATE TABLE (\w+)", tables))
    VIEWS.update(re.findall(r"MATERIALIZED VIEW (\w+) AS\s+(.*?);", CHINOOK_VIEWS, re.S))


def all_same(source, target):
    compare(source, target, [("SELECT * FROM %s" % t, "SELECT * FROM %s" % t) for t in TABLES] +
            [(q, "SELECT * FROM %s" % v) for v, q in VIEWS.items()])


def caught_up(source, target, running):
    """Until the position is where PostgreSQL's log is now, as long as it gets on. Returns how long that took."""
    now = int(source.psql("SELECT pg_current_wal_flush_lsn() - '0/0'::pg_lsn").stdout.split()[1])
    begin, at = time.monotonic(), 0

    def further():
        position = int((target.query("SELECT lsn FROM leftfold_pgfeed").split() + ["0", "0"])[1])
        return position if position > at else None

    while at < now:
        try:
            at = wait_for("the feed, which is %d bytes behind" % (now - at), further, STILL_S)
        except Failure as e:
            raise Failure("%s\n--- %s" % (e, running.output()[-5000:])) from e
    return time.monotonic() - begin


def quiet(source, target, seed):
    """Nothing is killed: transactions are seen whole."""
    reader, changes = Reader(target), Changes(source, seed)
    reader.together = not SANITIZED  # a hold ends after a second, which a sanitizer's build may take
    running = Feed(source, target)
    running.says("following")
    reader.start()
    changes.start()
    bench = pgbench(source, 2)
    bench.wait()
    changes.ending = True
    changes.join()
    caught_up(source, target, running)
    reader.ending = True
    reader.join()
    check(reader.failure is None, str(reader.failure), running.output())
    check(reader.seen > 10 and changes.done > 10, "nothing was seen")
    all_same(source, target)
    running.stop()


def kill_one(r, source, target, running):
    """Returns the feed that runs afterwards."""
    what = r.choice(["feed", "Leftfold", "PostgreSQL", "all"])
    print("  killing %s" % what)
    if what in ("feed", "all"):
        running.kill()
    if what in ("Leftfold", "all"):
        target.kill()
    if what in ("PostgreSQL", "all"):
        source.kill()
        source.start()
    if what in ("Leftfold", "all"):
        target.start()
    return Feed(source, target) if what in ("feed", "all") else running


def cycles(source, target, r, n, seconds):
    reader, changes, sales = Reader(target), Changes(source, r.random()), Chinook(source, r.random())
    running = Feed(source, target)
    for thread in (reader, changes, sales):
        thread.start()
    try:
        for _ in range(n):
            bench = pgbench(source, max(1, int(seconds)))
            time.sleep(seconds * r.uniform(0.3, 1))
            running = kill_one(r, source, target, running)
            bench.wait()
    finally:
        for thread in (changes, sales):
            thread.ending = True
            thread.join()
    took = caught_up(source, target, running)
    reader.ending = True
    reader.join()
    check(reader.failure is None, str(reader.failure), running.output())
    all_same(source, target)
    output = running.stop()
    check("error:" not in output, "an error", output)
    check("the same" in feed(source, target, "--check") , "--check")
    print("  %d transactions of random changes, %d commands on Chinook, %d reads; %.1f s until all was there"
          % (changes.done, sales.done, reader.seen, took))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cycles", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print("--seed %d" % options.seed)
    r = random.Random(options.seed)
    source, target = Source(), Leftfold()
    try:
        set_up(source)
        feed(source, target, "--create-publication", "--until-now")
        target.sql(";\n".join("CREATE MATERIALIZED VIEW %s AS %s" % v for v in VIEWS.items()) + ";")
        quiet(source, target, r.random())
        cycles(source, target, r, options.cycles, options.seconds)
    finally:
        source.close()
        target.close()
    print("ok: tables and views are as PostgreSQL's")


if __name__ == "__main__":
    main()
