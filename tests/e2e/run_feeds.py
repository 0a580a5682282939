#!/usr/bin/python3
"""Subscriptions over real sockets: what is told, by whichever way, must add up to what the query gives at that epoch.

run_feeds.py [NAME...] runs the tests whose names contain one of the words; each has a server of its own.
"""

import collections
import json
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import cases
import harness
from cases import check, equal, server_test
from followers import Follower
from wire import *


SCHEMA = ("CREATE TABLE t (id int PRIMARY KEY, g int, v int)",
          "CREATE MATERIALIZED VIEW s AS SELECT g, count(*) AS n, sum(v) AS v FROM t GROUP BY g",
          "CREATE UNIQUE INDEX ON s (g)",
          "CREATE MATERIALIZED VIEW loose AS SELECT g, v % 3 AS m FROM t")
QUERIES = {"SELECT * FROM t": "iii", "SELECT v FROM t WHERE g = 2": "i", "SELECT * FROM s": "iqq",
           "SELECT n FROM s WHERE v > 100": "q", "SELECT * FROM loose": "ii"}


def made(server):
    c = Connection(server.address)
    for sql in SCHEMA:
        equal(c.run(sql).kind, DONE, sql)
    return c


def asked(c, text, kinds, epoch):
    """The rows of a query at this epoch or a later one, as told by the answer."""
    a = c.run(text, at_least=epoch, timeout=10000)
    equal(a.kind, ROWS, text)
    rows = collections.Counter()
    for part in a.more + [a]:
        rows.update(map(tuple, part.rows(kinds)))
    return a.epoch, rows


def same(c, followers):
    """When nothing is written, all of them have in the end what the queries give."""
    for f in followers:
        epoch, rows = asked(c, f.text, f.kinds, 0)
        f.until(epoch)
        check(f.error is None, "%s: %s" % (f.text, f.error and f.error.message))
        equal(f.rows, rows, f.text)


def follow(server, text, kinds=None, **options):
    f = Follower(server.address, text, kinds or QUERIES[text], **options)
    f.text = text
    return f


class Writer:
    """Random commands on one connection, many under way."""

    def __init__(self, server, seed):
        self.c = Connection(server.address)
        self.random = random.Random(seed)
        self.insert = self.c.prepare("INSERT INTO t VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET g = $2, v = $3").handle
        self.delete = self.c.prepare("DELETE FROM t WHERE id = $1").handle
        self.epoch = 0

    def write(self, n, keys=40):
        data, left = b"", set()
        for _ in range(n):
            r = self.random
            if r.randrange(4):
                data += self.c.execute(self.insert, row("iii", [r.randrange(keys), r.randrange(5), r.randrange(100)]))
            else:
                data += self.c.execute(self.delete, row("i", [r.randrange(keys)]))
            left.add(self.c.next)
        self.c.send(data)
        while left:
            a = self.c.receive()
            if a.kind == DONE_BATCH:
                for request, epoch, _ in a.items:
                    left.remove(request)
                    self.epoch = max(self.epoch, epoch)
            else:
                equal(a.kind, DONE, "answer")
                left.remove(a.request)
                self.epoch = max(self.epoch, a.epoch)


# --- what is told ---


@server_test(projectors=1)
def in_order(server):
    c = made(server)
    c.run("INSERT INTO t VALUES (1, 1, 10)")
    f = follow(server, "SELECT * FROM t")
    f.step()
    equal((f.snapshots, dict(f.rows)), (1, {(1, 1, 10): 1}), "the snapshot")
    epochs = []
    for sql, old, new in (("INSERT INTO t VALUES (2, 1, 20)", None, [2, 1, 20]),
                          ("UPDATE t SET v = 21 WHERE id = 2", [2, 1, 20], [2, 1, 21]),
                          ("DELETE FROM t WHERE id = 2", [2, 1, 21], None)):
        done = c.run(sql)
        a = f.connection.receive()
        while a.what == PROGRESS:
            a = f.connection.receive()
        equal((a.what, a.epoch, a.last), (GROUP, done.epoch, 1), sql)
        equal(a.changes("iii"), [(1, old, new)], sql)
        epochs.append(a.epoch)
    equal(epochs, sorted(set(epochs)), "epochs")
    # A command that is refused, and one that changes nothing, tell nothing.
    equal(c.run("INSERT INTO t VALUES (3, 3, 3), (1, 1, 1)").kind, ERROR, "refused")
    c.run("UPDATE t SET v = v WHERE id = 1")
    last = c.run("UPDATE t SET v = 11 WHERE id = 1").epoch
    f.until(last)
    equal(dict(f.rows), {(1, 1, 11): 1, **({(3, 3, 3): 1} if (3, 3, 3) in f.rows else {})}, "at the end")
    f.connection.send(frame(UNSUBSCRIBE, f.request))
    while True:
        a = f.connection.receive()
        if a.what == END:
            break
    equal(a.flags, 0, "the end has no more")
    c.run("INSERT INTO t VALUES (9, 9, 9)")
    # There is none any more: nothing comes of it.
    f.connection.send(frame(UNSUBSCRIBE, f.request))
    equal(f.connection.info()["subscriptions"], 0, "subscriptions")


@server_test(reactors=2, projectors=3)
def while_others_write(server):
    """Followers of both kinds, some of which come and go, beside writers."""
    c = made(server)
    stop = threading.Event()
    failed = []
    rounds = 8 if harness.SANITIZED else 30

    def write(seed):
        try:
            w = Writer(server, seed)
            for _ in range(rounds):
                w.write(60)
        except Exception as e:  # pylint: disable=broad-except
            failed.append(e)
        stop.set()

    writers = [threading.Thread(target=write, args=(i,)) for i in range(2)]
    for w in writers:
        w.start()
    chance = random.Random(7)
    followers = [follow(server, text, flags=flags) for text in QUERIES for flags in (0, LATEST)]
    while not stop.is_set():
        i = chance.randrange(len(followers))
        f = followers[i]
        for _ in range(chance.randrange(5)):
            f.step()
            check(f.error is None, f.error and f.error.message)
        if f.epoch > 0 and f.within is None and chance.randrange(4) == 0:
            f.close()
            followers[i] = follow(server, f.text, since=f.epoch, rows=f.rows, timeout=5000,
                                  flags=LATEST if i % 2 else 0)
    for w in writers:
        w.join()
    check(not failed, failed and repr(failed[0]))
    same(c, followers)
    for i in range(2):
        f = followers[i]
        f.close()
        followers[i] = follow(server, f.text, since=f.epoch, rows=f.rows, timeout=5000, flags=LATEST if i % 2 else 0)
    Writer(server, 9).write(20)
    same(c, followers)
    equal(sum(f.gaps for f in followers), 0, "gaps")


@server_test()
def parameters_and_many(server):
    """Many subscriptions of one connection, each for a key; one is closed with its statement."""
    c = made(server)
    n = 300
    p = c.prepare("SELECT v FROM t WHERE id = $1")
    requests = {c.subscribe(p.handle, row("i", [k])): k for k in range(n)}
    seen = {}
    begun = set()
    while len(begun) < n:
        a = c.receive()
        if a.kind == CHANGES and a.what == SNAPSHOT and a.last:
            begun.add(a.request)
    equal(c.info()["subscriptions"], n, "subscriptions")
    c.send(frame(CLOSE, 5, struct.pack("<I", p.handle)))
    w = Writer(server, 1)
    w.write(400, keys=n)
    _, rows = asked(w.c, "SELECT id, v FROM t", "ii", w.epoch)
    told = dict.fromkeys(requests, 0)
    closed = False
    while min(told.values()) < w.epoch:
        a = c.receive()
        if a.kind == CLOSED:
            closed = True
            continue
        equal(a.kind, CHANGES, "kind")
        told[a.request] = a.epoch
        for _, _, new in a.changes("i") if a.what == GROUP else []:
            seen[requests[a.request]] = new
        if a.what == GROUP:
            for _, old, new in a.changes("i"):
                if new is None:
                    del seen[requests[a.request]]
    equal({k: v[0] for k, v in seen.items()}, {k: v for k, v in rows}, "by key")
    check(closed, "the statement was closed")
    c.close()
    deadline = time.monotonic() + 30
    while w.c.info()["subscriptions"] > 0:
        check(time.monotonic() < deadline, "the subscriptions of a connection that has gone are there")
        time.sleep(0.02)


@server_test()
def errors(server):
    c = made(server)

    def refused(text, state, packed=row("", []), **options):
        p = c.prepare(text)
        request = c.subscribe(p.handle, packed, **options)
        a = c.receive()
        equal((a.kind, a.request), (ERROR, request), text)
        equal(a.state, state, text)
        return a
    a = refused("SELECT g, sum(v) FROM t GROUP BY g", "0A000")
    check(a.position > 0, "a position")
    refused("SELECT * FROM t ORDER BY id", "0A000")
    refused("INSERT INTO t VALUES (1, 1, 1)", "42601")
    refused("SELECT * FROM t WHERE id = $1", "22P03")
    c.subscribe(77)
    equal(c.receive().state, "26000", "no such handle")
    # What fails on a row ends the subscription, and nothing else.
    f = follow(server, "SELECT 10 / v FROM t", "i")
    f.step()
    c.run("INSERT INTO t VALUES (1, 1, 5)")
    c.run("INSERT INTO t VALUES (2, 2, 0)")
    while f.error is None:
        f.step()
    equal(f.error.state, "22012", "division by zero")
    equal(dict(f.rows), {(2,): 1}, "before that")
    equal(f.connection.info()["subscriptions"], 0, "subscriptions")
    # An epoch that does not come.
    far = c.info()["visible"] + 1000
    for timeout in (0, 300):
        f = follow(server, "SELECT * FROM t", since=far, timeout=timeout)
        f.step()
        equal(f.error.state, "LF001", "an epoch that is not there")
    f = follow(server, "SELECT * FROM t", since=1, flags=STRICT)
    f.step()
    equal(f.error.state, "LF008", "not kept")
    f = follow(server, "SELECT * FROM t", since=1)
    f.step()
    equal((f.gaps, f.snapshots, len(f.rows)), (1, 1, 2), "a gap and a snapshot")


def violation(server, data):
    c = Connection(server.address)
    p = c.prepare("SELECT * FROM t WHERE id = $1")
    equal(p.handle, 0, "handle")
    c.send(data)
    while True:
        a = c.receive()
        check(a is not None, "closed without a word")
        if a.kind == ERROR:
            break
    equal(a.state, "08P01", repr(data))
    equal(c.receive(), None, "the connection is closed")


@server_test()
def violations(server):
    made(server)
    key = row("i", [1])
    head = struct.pack("<IB3xIIQ", 0, 0, 0, 0, 0)
    for body in (b"", head, head[:-1], head + key + b"\0", head + key[:-1], head + key + key,
                 struct.pack("<IB3xIIQ", 0, 4, 0, 0, 0) + key, struct.pack("<IB3xIIQ", 0, 0, 0, 1, 0) + key,
                 struct.pack("<IBBHIIQ", 0, 0, 1, 0, 0, 0, 0) + key):
        violation(server, frame(SUBSCRIBE, 9, body))
    violation(server, frame(SUBSCRIBE, 9, head + key) * 2)
    violation(server, frame(UNSUBSCRIBE, 9, b"x"))
    violation(server, frame(SUBSCRIBE, 9, head + key, flags=1))


@server_test()
def progress(server):
    """On a quiet view the position stays young, about once a second."""
    c = made(server)
    f = follow(server, "SELECT * FROM t WHERE id = -1", "iii")
    f.step()
    equal(f.snapshots, 1, "snapshot")
    begin = time.monotonic()
    last = 0
    while f.progress < 2:
        last = c.run("INSERT INTO t VALUES (1, 1, 1) ON CONFLICT (id) DO UPDATE SET v = t.v + 1").epoch
        if select.select([f.connection.socket], [], [], 0)[0]:
            f.step()
    f.until(last)
    check(f.progress <= time.monotonic() - begin + 2, "%d marks" % f.progress)
    equal((f.groups, len(f.rows)), (0, 0), "changes")


# --- those that are slow ---


def lag(server, flags):
    """A follower that does not read while more is changed than is kept."""
    c = made(server)
    c.run("INSERT INTO t SELECT 1, 1, 1")
    f = follow(server, "SELECT *, repeat('x', 500) FROM t", "iiit", flags=flags, receive_buffer=4096)
    f.step()
    w = Writer(server, 3)
    for _ in range(10 if harness.SANITIZED else 30):
        w.write(1000, keys=5000)
    return c, w, f


@server_test("--history", "64K")
def slow_every(server):
    _, _, f = lag(server, 0)
    while f.error is None:
        f.step()
    equal(f.error.state, "LF009", "a slow subscriber")
    check(f.groups > 0 and f.gaps == 0, "it was told what there was before")
    again = follow(server, "SELECT *, repeat('x', 500) FROM t", "iiit", since=f.epoch)
    again.step()
    equal((again.gaps, again.snapshots), (1, 1), "it comes back")


@server_test("--history", "64K")
def slow_latest(server):
    c, _, f = lag(server, LATEST)
    same(c, [f])
    check(f.gaps > 0, "no gap")


@server_test()
def slow_but_kept(server):
    """What the socket does not take waits in the history, not in the server's output."""
    c, _, f = lag(server, 0)
    same(c, [f])
    equal((f.gaps, f.snapshots), (0, 1), "gaps and snapshots")


@server_test("--history-keep", "0")
def not_kept(server):
    c = made(server)
    f = follow(server, "SELECT * FROM t")
    f.step()
    f.close()
    deadline = time.monotonic() + 30
    while c.info()["subscriptions"] > 0:
        check(time.monotonic() < deadline, "it is there")
        time.sleep(0.02)
    again = follow(server, "SELECT * FROM t", since=f.epoch, timeout=5000)
    again.step()
    equal((again.gaps, again.snapshots), (1, 1), "a gap")


# --- what happens to the relation, and to the server ---


@server_test()
def schema_changes(server):
    c = made(server)
    c.run("INSERT INTO t VALUES (1, 1, 1)")
    followers = [follow(server, text) for text in QUERIES]
    same(c, followers)
    c.run("CREATE MATERIALIZED VIEW more AS SELECT count(*) FROM t")
    c.run("CREATE INDEX ON t (v)")
    c.run("INSERT INTO t VALUES (2, 2, 2)")
    same(c, followers)
    c.run("CREATE UNIQUE INDEX ON loose (g, m)")
    c.run("DROP MATERIALIZED VIEW s")
    c.run("INSERT INTO t VALUES (3, 2, 2)")
    ends = {"SELECT * FROM s": "42P01", "SELECT n FROM s WHERE v > 100": "42P01", "SELECT * FROM loose": "55000"}
    for f in followers:
        if f.text in ends:
            while f.error is None:
                f.step()
            equal(f.error.state, ends[f.text], f.text)
    same(c, [f for f in followers if f.text not in ends])
    c.run("ALTER TABLE t ADD COLUMN more int")
    for f in followers:
        while f.error is None:
            f.step()
    equal({f.error.state for f in followers}, {"55000", "42P01"}, "states")


@server_test(projectors=3)
def killed(server):
    """Whoever comes back after a crash is told that it must begin anew, and with what."""
    c = made(server)
    w = Writer(server, 5)
    w.write(300)
    followers = [follow(server, text) for text in QUERIES]
    w.write(300)
    for f in followers:
        f.until(w.epoch)
    server.restart()
    c = Connection(server.address)
    again = [follow(server, f.text, since=f.epoch, rows=f.rows) for f in followers]
    w = Writer(server, 6)
    w.write(100)
    same(c, again)
    for f in again:
        equal((f.gaps, f.snapshots), (1, 1), "a gap and a snapshot")
        check(f.epoch >= w.epoch, "epochs go on")


@server_test("--idle-timeout", "1")
def not_idle(server):
    """One who follows need not say anything."""
    c = made(server)
    f = follow(server, "SELECT * FROM t")
    f.step()
    time.sleep(1.8)
    c = Connection(server.address)
    last = c.run("INSERT INTO t VALUES (1, 1, 1)").epoch
    f.until(last)
    equal(len(f.rows), 1, "rows")


@server_test()
def stopped(server):
    made(server)
    f = follow(server, "SELECT * FROM t")
    f.step()
    server.process.terminate()
    a = f.connection.receive()
    equal((a.kind, a.state, a.request), (ERROR, "57P01", 0), "the server says that it stops")
    equal(f.connection.receive(), None, "the end")
    server.process.wait(30)


# --- the command-line client ---


def cli(server, *args, **options):
    return subprocess.Popen([os.path.join(harness.BUILD, "leftfold"), "subscribe", "--connect", server.address] +
                            list(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def lines_of(process, n):
    return [process.stdout.readline().rstrip("\n") for _ in range(n)]


@server_test()
def command_line(server):
    c = made(server)
    c.run("INSERT INTO t VALUES (1, 1, 10)")
    text = cli(server, "SELECT id, v FROM t WHERE v < $1", "100", "--count", "4")
    e, = lines_of(text, 1)
    epoch, rest = e.split(" ", 1)
    equal(rest, "+ 1,10", "the snapshot")
    equal(lines_of(text, 1), [epoch + " ."], "its end")
    epochs = [c.run(sql).epoch for sql in ("INSERT INTO t VALUES (2, 1, 20)", "UPDATE t SET v = 21 WHERE id = 2",
                                           "UPDATE t SET v = 200 WHERE id = 2")]
    told = [line for line in text.communicate(timeout=60)[0].splitlines()]
    told = [line for i, line in enumerate(told)
            if not (line.endswith(" .") and (i == 0 or told[i - 1].endswith(" .")))]  # progress
    equal(told, ["%d + 2,20" % epochs[0], "%d ." % epochs[0], "%d < 2,20" % epochs[1], "%d > 2,21" % epochs[1],
                 "%d ." % epochs[1], "%d - 2,21" % epochs[2], "%d ." % epochs[2]], "changes")
    equal(text.returncode, 0, "exit code")
    process = cli(server, "SELECT id, v FROM t", "--from", str(epochs[0]), "--format", "json", "--latest", "--count", "1")
    objects = [json.loads(line) for line in process.communicate(timeout=60)[0].splitlines()]
    check(objects[0]["epoch"] >= epochs[2], "as of its epoch")
    epochs[2] = objects[0]["epoch"]
    equal(objects, [{"epoch": epochs[2], "op": "update", "old": {"id": 2, "v": 20}, "new": {"id": 2, "v": 200}},
                    {"epoch": epochs[2], "op": "end"}], "json")
    for args, code in ((("SELECT count(*) FROM t",), 1), (("SELECT * FROM nix",), 1), ((), 2),
                       (("SELECT * FROM t", "--from", "x"), 2), (("SELECT * FROM t", "--format", "x"), 2),
                       (("SELECT * FROM t WHERE id = $1",), 1), (("SELECT * FROM t WHERE id = $1", "x"), 1)):
        process = cli(server, *args)
        _, errors = process.communicate(timeout=60)
        equal(process.returncode, code, repr(args))
        check(errors, "an error says why")
    process = cli(server, "SELECT count(*) FROM t")
    check("LINE 1: SELECT count(*) FROM t\n" in process.communicate(timeout=60)[1], "the place")
    process = cli(server, "SELECT * FROM t")
    lines_of(process, 3)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    equal(process.returncode, 0, "stopped")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@cases.test
def command_line_reconnects():
    server = harness.Server(projectors=2, extra=("--listen", "127.0.0.1:%d" % free_port()))
    try:
        c = made(server)
        c.run("INSERT INTO t VALUES (1, 1, 1)")
        process = cli(server, "SELECT id FROM t", "--count", "3")
        equal([line.split(" ", 1)[1] for line in lines_of(process, 2)], ["+ 1", "."], "the snapshot")
        once = cli(server, "SELECT id FROM t", "--once")
        lines_of(once, 2)
        server.restart()
        once.communicate(timeout=60)
        equal(once.returncode, 1, "--once")
        marks = []
        while not marks or marks[-1] != "!":
            marks.append(lines_of(process, 1)[0].split(" ", 1)[1])
        equal([line.split(" ", 1)[1] for line in lines_of(process, 2)], ["+ 1", "."], "after the gap")
        Connection(server.address).run("INSERT INTO t VALUES (2, 1, 1)")
        out, errors = process.communicate(timeout=60)
        check("+ 2" in out, out)
        check("connected again" in errors, errors)
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(cases.run())
