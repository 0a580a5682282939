#!/usr/bin/python3
"""Tables WITH (source = …): read-only for connections that have not declared themselves that source, through restarts and
checkpoints, until RESET; who declares itself wrongly; \\d."""

import os
import shutil
import struct
import tempfile

from datadir import Daemon
from harness import BUILD, Failure, run
import wire

SOURCE, ALONE = 16, 32  # features

REFUSED = [
    "INSERT INTO t VALUES (1, 2)",
    "INSERT INTO t SELECT * FROM free",
    "INSERT INTO t VALUES (1, 2) ON CONFLICT DO NOTHING",
    "UPDATE t SET v = 1 WHERE id = 1",
    "UPDATE t SET v = 1",
    "UPDATE t SET v = free.v FROM free WHERE free.id = t.id",
    "DELETE FROM t WHERE id = 1",
    "DELETE FROM t USING free WHERE free.id = t.id",
    "TRUNCATE t",
    "TRUNCATE free, t",
    "UPDATE free SET v = 1 WHERE id = 1; UPDATE t SET v = 1 WHERE id = 1",
    "ALTER TABLE t ADD COLUMN w int",
    "ALTER TABLE t DROP COLUMN v",
    "ALTER TABLE t RENAME COLUMN v TO w",
    "ALTER TABLE t RENAME TO u",
    "DROP TABLE t",
]


def equal(actual, expected, what):
    if actual != expected:
        raise Failure("%s: %r instead of %r" % (what, actual, expected))


def connect(address, name=None, features=SOURCE):
    """A connection that says it is the source; and what was granted."""
    c = wire.Connection(address, greet=False)
    name = b"" if name is None else name
    c.send(wire.frame(wire.HELLO, 1, struct.pack("<IHHQ", wire.MAGIC, 1, 1, features) + name))
    a = c.receive()
    return (c, struct.unpack_from("<Q", a.body, 16)[0]) if a.kind == wire.HELLO_OK else (c, a.state)


def state(c, sql):
    a = c.run(sql)
    return a.state if a.kind == wire.ERROR else None


def done(c, sql):
    equal(state(c, sql), None, sql)


def rows(c, sql):
    a = c.run(sql)
    equal(a.kind, wire.ROWS, sql)
    return a.rows("qq")


def test_refused(c, feed):
    for sql in REFUSED:
        equal(state(c, sql), "25006", sql)
    a = c.run("DELETE FROM t")
    equal(a.message, 'cannot execute DELETE on table "t": it is fed by source "shop"', "message")
    a = c.prepare("INSERT INTO t VALUES ($1, $2)")
    equal((a.kind, a.state), (wire.ERROR, "25006"), "PREPARE")
    # What does not change its rows is for everybody.
    done(c, "CREATE INDEX t_v ON t (v)")
    done(c, "CREATE MATERIALIZED VIEW w AS SELECT v, count(*) AS n FROM t GROUP BY v")
    done(c, "INSERT INTO free SELECT id + 100, v FROM t")
    done(c, "DROP INDEX t_v")
    done(feed, "INSERT INTO t VALUES (1, 2), (2, 2)")
    equal(rows(c, "SELECT * FROM w"), [[2, 2]], "the view")
    done(feed, "DELETE FROM t WHERE id = 2")


def test_prepared_before(address, c):
    """Statements prepared before the table had a source, also before it was altered otherwise."""
    done(c, "CREATE TABLE later (id bigint PRIMARY KEY, v bigint)")
    old = c.prepare("INSERT INTO later (id, v) VALUES ($1, $2)").handle
    done(c, "ALTER TABLE later ADD COLUMN x bigint")
    newer = c.prepare("UPDATE later SET v = $2 WHERE id = $1").handle
    c.send(c.execute(old, wire.row("qq", (1, 1))))
    equal(c.receive().kind, wire.DONE_BATCH, "before")
    done(c, "ALTER TABLE later SET (source = 'shop')")
    for handle in (old, newer):
        c.send(c.execute(handle, wire.row("qq", (1, 1)), wire.row("qq", (2, 1))))
        for _ in range(2):
            a = c.receive()
            equal((a.kind, a.state), (wire.ERROR, "25006"), "EXECUTE")
    other, _ = connect(address, b"other")
    equal(state(other, "DELETE FROM later"), "25006", "another source")
    done(c, "ALTER TABLE later RESET (source)")
    c.send(c.execute(newer, wire.row("qq", (1, 7))))
    equal(c.receive().kind, wire.DONE_BATCH, "after RESET")
    equal(rows(c, "SELECT id, v FROM later"), [[1, 7]], "rows")
    other.close()


def test_parameters(c):
    equal(state(c, "CREATE TABLE x (id int PRIMARY KEY) WITH (sources = 'a')"), "22023", "unknown")
    equal(state(c, "CREATE TABLE x (id int PRIMARY KEY) WITH (source = '')"), "22023", "empty")
    equal(state(c, "CREATE TABLE x (id int PRIMARY KEY) WITH (source = '%s')" % ("a" * 64)), "22023", "long")
    equal(state(c, "CREATE TABLE x (id int PRIMARY KEY) WITH (source = a, source = b)"), "22023", "twice")
    equal(state(c, "CREATE TABLE x (id int PRIMARY KEY) WITH (memory_limit = '1GB')"), "22023", "a view's")
    equal(state(c, "ALTER TABLE free SET (memory_limit = '1GB')"), "22023", "a view's")
    equal(state(c, "ALTER MATERIALIZED VIEW w SET (source = 'a')"), "22023", "a table's")
    equal(state(c, "ALTER TABLE free SET (source = 'a'), ADD COLUMN z int"), "0A000", "mixed")
    equal(state(c, "ALTER TABLE free RESET (source = 'a')"), "42601", "RESET with a value")
    done(c, "CREATE TABLE x (id int PRIMARY KEY) WITH (fillfactor = 70)")
    done(c, "ALTER TABLE x SET (fillfactor = 80)")
    done(c, "DROP TABLE x")


def test_alone(address):
    """What a connection has sent before another is alone is executed before that is open, or never."""
    reader, _ = connect(address)
    for round_ in range(20):
        old, _ = connect(address, b"shop")
        beside, _ = connect(address, b"shop")
        other, _ = connect(address, b"other")
        handle = old.prepare("INSERT INTO t VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET v = excluded.v").handle
        for i in range(200):
            old.send(old.execute(handle, *(wire.row("qq", (1, round_ * 1000 + i)) for _ in range(20)), ack=wire.DURABLE))
        new, granted = connect(address, b"shop", SOURCE | ALONE)
        equal(granted, SOURCE | ALONE, "features")
        done(new, "INSERT INTO t VALUES (1, -1) ON CONFLICT (id) DO UPDATE SET v = -1")
        equal(rows(new, "SELECT * FROM t WHERE id = 1"), [[1, -1]], "what is newest")
        for c in (old, beside):
            a = c.run("DELETE FROM t")
            while a.kind != wire.ERROR:
                a = c.receive()
            equal((a.state, a.message), ("25006", 'source "shop" has another connection now'), "one from before")
        equal(rows(reader, "SELECT * FROM t WHERE id = 1"), [[1, -1]], "it stays")
        # Others, and those that come later, stand beside it.
        later, granted = connect(address, b"shop")
        done(later, "UPDATE t SET v = 5 WHERE id = 1")
        done(new, "UPDATE t SET v = 6 WHERE id = 1")
        equal(state(other, "DELETE FROM t"), "25006", "another source")
        for c in (old, beside, other, new, later):
            c.close()
    done(reader, "SELECT * FROM t")
    reader.close()


def test_hello(address):
    for name, features, answer in ((b"shop", SOURCE, SOURCE), (b"a" * 63, SOURCE, SOURCE), (b"", SOURCE, 0),
                                   (b"a" * 64, SOURCE, "08P01"), (b"shop", 0, "08P01"), (b"", 0, 0)):
        c, granted = connect(address, name, features)
        equal(granted, answer, "hello with %d bytes, features %d" % (len(name), features))
        c.close()


def names(address):
    return run([os.path.join(BUILD, "leftfold"), "--connect", address, "--format", "table", "-f", "-"],
               stdin="\\d t\n\\d set\n").stdout.count("Fed by")


def test_restarts(data):
    for checkpoint in (False, True, True):
        with Daemon(data) as server:
            c, _ = connect(server.address)
            equal(names(server.address), 2, "tables that \\d shows with a source")
            equal(state(c, "DELETE FROM t"), "25006", "t")
            equal(state(c, "DELETE FROM \"set\""), "25006", "set")
            done(c, "DELETE FROM free")
            if checkpoint:
                done(c, "CHECKPOINT")
            c.close()
    with Daemon(data) as server:
        c, _ = connect(server.address)
        done(c, "ALTER TABLE t RESET (source)")
        done(c, "DELETE FROM t")
        done(c, "CHECKPOINT")
        c.close()
    with Daemon(data) as server:
        c, _ = connect(server.address)
        done(c, "INSERT INTO t VALUES (5, 5)")
        c.close()


def main():
    data = tempfile.mkdtemp(prefix="leftfold-source-")
    try:
        with Daemon(data, reactors=2, projectors=2) as server:
            c, _ = connect(server.address)
            feed, _ = connect(server.address, b"shop")
            done(c, "CREATE TABLE free (id bigint PRIMARY KEY, v bigint)")
            done(c, "CREATE TABLE t (id bigint PRIMARY KEY, v bigint) WITH (source = 'shop')")
            test_refused(c, feed)
            test_prepared_before(server.address, c)
            test_parameters(c)
            test_alone(server.address)
            test_hello(server.address)
            done(c, "CREATE TABLE \"set\" (id bigint PRIMARY KEY) WITH (source = 'it''s')")
            done(c, "ALTER TABLE \"set\" SET (source = 'it''s \"2\"')")
            done(c, "ALTER TABLE free SET (source = 'x')")
            done(c, "ALTER TABLE free RESET (source)")
            c.close()
            feed.close()
        test_restarts(data)
    finally:
        shutil.rmtree(data, ignore_errors=True)
    print("tables with a source: all as it should be")


if __name__ == "__main__":
    main()
