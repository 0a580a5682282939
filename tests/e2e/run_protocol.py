#!/usr/bin/python3
"""The server against clients that behave badly, or well in unusual ways: bytes on plain sockets.

run_protocol.py [NAME...] runs the tests whose names contain one of the words; each has a server of its own.
"""

import glob
import os
import re
import select
import socket
import struct
import sys
import time

import cases
import harness
from cases import check, equal, server_test
from event_frames import *
from wire import *


def refused(answer, state, what):
    check(answer is not None and answer.kind == ERROR, "%s: no error" % what)
    equal(answer.state, state, what)


def results(c, n, requests=None):
    """Read until n executions are answered; {request: (epoch, count)} or the ERROR answer."""
    out = {}
    while len(out) < n:
        a = c.receive()
        check(a is not None, "closed while answers were to come")
        if a.kind == DONE:
            out[a.request] = (a.epoch, a.count)
        elif a.kind == DONE_BATCH:
            out.update({r: (e, k) for r, e, k in a.items})
        elif a.kind == ERROR or (a.kind == ROWS and not a.flags & MORE):
            out[a.request] = a
    return out


def table(server, sql="CREATE TABLE t (id bigint PRIMARY KEY, n int CHECK (n >= 0))"):
    c = Connection(server.address)
    equal(c.run(sql).kind, DONE, "CREATE TABLE")
    return c


# --- answers ---


@server_test()
def done_behind_done_batch(server):
    """A DONE that follows a batch already sent is a frame of its own."""
    c = table(server)
    p = c.prepare("INSERT INTO t VALUES ($1, $2)")
    c.send(c.execute(p.handle, row("qi", [1, 1])))
    results(c, 1)
    for k in range(50):
        c.send(c.query("INSERT INTO t VALUES (%d, 2)" % (100 + k), ack=DURABLE) +
               c.execute(p.handle, row("qi", [1000 + k, 1]), ack=DURABLE))
        results(c, 2)
    equal(c.info()["rows"], 101, "rows")


# --- violations: answered with 08P01, and the end of that connection only ---

def execute_head(handle=0, ack=2, zero=b"\0\0\0", timeout=0, count=1, at_least=0):
    return struct.pack("<IB", handle, ack) + zero + struct.pack("<IIQ", timeout, count, at_least)


def read_frame(*items, count=None, zero=0):
    return frame(READ, 9, struct.pack("<IIQ", len(items) if count is None else count, 0, 0) +
                 b"".join(struct.pack("<II", 0, zero) + item for item in items))


ROW = row("qi", [7, 7])
QUERY_HEAD = struct.pack("<B3xIQ", 2, 0, 0)
# what, bytes, request id of the answer
VIOLATIONS = [
    ("hello twice", hello(9), 9),
    ("hello of another kind of protocol", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", None),
    ("unknown type 0", frame(0, 9), 9),
    ("unknown type 19", frame(19, 9), 9),
    ("unknown type 63", frame(63, 9), 9),
    ("subscribe without a body", frame(SUBSCRIBE, 9), 9),
    ("unsubscribe with a body", frame(UNSUBSCRIBE, 9, b"x"), 9),
    ("unknown type 255", frame(255, 9), 9),
    ("an answer's type", frame(DONE, 9, bytes(24)), 9),
    ("flag MORE", frame(PING, 9, flags=1), 9),
    ("flag ASYNC", frame(PING, 9, flags=2), 9),
    ("unknown flag", frame(PING, 9, flags=128), 9),
    ("header's zero", frame(PING, 9, zero=1), 9),
    ("longer than allowed", frame(PING, 9, length=(1088 << 10) + 1), 9),
    ("longest length", frame(PING, 9, length=(1 << 32) - 1), 9),
    ("ping with a body", frame(PING, 9, b"x"), 9),
    ("info with a body", frame(INFO, 9, b"x"), 9),
    ("schema with a body", frame(SCHEMA, 9, b"x"), 9),
    ("hold: empty", frame(HOLD, 9), 9),
    ("hold: too long", frame(HOLD, 9, bytes(9)), 9),
    ("hold: not zero", frame(HOLD, 9, struct.pack("<II", 0, 1)), 9),
    ("release with a body", frame(RELEASE, 9, b"x"), 9),
    ("prepare: empty", frame(PREPARE, 9), 9),
    ("prepare: short head", frame(PREPARE, 9, bytes(7)), 9),
    ("prepare: short text", frame(PREPARE, 9, struct.pack("<HHI", 0, 0, 9) + b"SELECT 1"), 9),
    ("prepare: long text", frame(PREPARE, 9, struct.pack("<HHI", 0, 0, 7) + b"SELECT 1"), 9),
    ("prepare: types missing", frame(PREPARE, 9, struct.pack("<HHI", 5, 0, 0) + b"\4"), 9),
    ("prepare: zero", frame(PREPARE, 9, struct.pack("<HHI", 0, 1, 8) + b"SELECT 1"), 9),
    ("close: empty", frame(CLOSE, 9), 9),
    ("close: long", frame(CLOSE, 9, bytes(5)), 9),
    ("execute: empty", frame(EXECUTE, 9), 9),
    ("execute: short head", frame(EXECUTE, 9, execute_head()[:23]), 9),
    ("execute: no row", frame(EXECUTE, 9, execute_head()), 9),
    ("execute: ack 3", frame(EXECUTE, 9, execute_head(ack=3) + ROW), 9),
    ("execute: zeros", frame(EXECUTE, 9, execute_head(zero=b"\0\1\0") + ROW), 9),
    ("execute: count 0", frame(EXECUTE, 9, execute_head(count=0)), 9),
    ("execute: count 2", frame(EXECUTE, 9, execute_head(count=2) + ROW + ROW), 9),
    ("execute: two rows", frame(EXECUTE, 9, execute_head() + ROW + ROW), 9),
    ("execute: bytes behind", frame(EXECUTE, 9, execute_head() + ROW + b"x"), 9),
    ("execute: row longer than the frame",
     frame(EXECUTE, 9, execute_head() + struct.pack("<I", 64) + ROW[4:]), 9),
    ("execute: row of size 0", frame(EXECUTE, 9, execute_head() + bytes(24)), 9),
    ("execute: row of size 3", frame(EXECUTE, 9, execute_head() + struct.pack("<I", 3)), 9),
    ("batch: count 0", frame(EXECUTE_BATCH, 9, execute_head(count=0)), 9),
    ("batch: a row missing", frame(EXECUTE_BATCH, 9, execute_head(count=3) + ROW + ROW), 9),
    ("batch: a row too many", frame(EXECUTE_BATCH, 9, execute_head(count=1) + ROW + ROW), 9),
    ("batch: too many", frame(EXECUTE_BATCH, 9, execute_head(count=65536) + b"\x08\0\0\0\0\0\0\0" * 65536),
     9),
    ("batch: count without rows", frame(EXECUTE_BATCH, 9, execute_head(count=(1 << 32) - 1)), 9),
    ("execute: flag MORE", frame(EXECUTE, 9, execute_head() + ROW, flags=1), 9),
    ("execute: an unknown flag", frame(EXECUTE, 9, execute_head() + ROW, flags=32), 9),
    ("a query with ONCE", frame(QUERY, 9, QUERY_HEAD + b"SELECT 1", flags=ONCE), 9),
    ("once: cut", frame(EXECUTE, 9, execute_head() + bytes(15), flags=ONCE), 9),
    ("once: client 0", frame(EXECUTE, 9, execute_head() + struct.pack("<QQ", 0, 1) + ROW, flags=ONCE), 9),
    ("once: request 0", frame(EXECUTE, 9, execute_head() + struct.pack("<QQ", 1, 0) + ROW, flags=ONCE), 9),
    ("once: requests beyond the last",
     frame(EXECUTE_BATCH, 9, execute_head(count=2) + struct.pack("<QQ", 1, 2**64 - 1) + ROW + ROW, flags=ONCE),
     9),
    ("expect: cut", frame(EXECUTE, 9, execute_head() + bytes(7), flags=EXPECT), 9),
    ("expect: no row", frame(EXECUTE, 9, execute_head() + bytes(8), flags=EXPECT), 9),
    ("meta: cut", frame(EXECUTE, 9, execute_head() + bytes(3), flags=META), 9),
    ("meta: bytes missing", frame(EXECUTE, 9, execute_head() + struct.pack("<I", 5) + bytes(4), flags=META), 9),
    ("meta: too long",
     frame(EXECUTE, 9, execute_head() + struct.pack("<I", 4097) + bytes(4100) + ROW, flags=META), 9),
    ("meta: no zeros behind",
     frame(EXECUTE, 9, execute_head() + struct.pack("<I", 3) + b"abcx" + ROW, flags=META), 9),
    ("all options and a byte",
     frame(EXECUTE, 9, execute_head() + struct.pack("<QQQI4s", 1, 1, 1, 4, b"abcd") + ROW + b"x",
           flags=ONCE | EXPECT | META), 9),
    ("events: empty", frame(EVENTS, 9), 9),
    ("events: cut", frame(EVENTS, 9, bytes(31)), 9),
    ("events: a byte too many", frame(EVENTS, 9, bytes(33)), 9),
    ("events: an unknown flag", events_frame(9, flags=16), 9),
    ("events: oldest and now", events_frame(9, flags=OLDEST | NOW), 9),
    ("events: stop and follow", events_frame(9, flags=STOP | FOLLOW), 9),
    ("events: the name is cut", frame(EVENTS, 9, struct.pack("<IHHQIIQ", 0, 2, 0, 0, 0, 0, 0) + b"t"), 9),
    ("events: not zero", frame(EVENTS, 9, struct.pack("<IHHQIIQ", 0, 0, 0, 0, 0, 0, 1)), 9),
    ("consume: empty", frame(CONSUME, 9), 9),
    ("consume: cut", frame(CONSUME, 9, bytes(39)), 9),
    ("consume: no name", frame(CONSUME, 9, struct.pack("<IHHQIIIIII", 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)), 9),
    ("consume: an unknown flag", consume_frame(9, "a", flags=128), 9),
    ("consume: follow", consume_frame(9, "a", flags=FOLLOW), 9),
    ("consume: requeue and reset", consume_frame(9, "a", flags=REQUEUE | RESET), 9),
    ("consume: all of nothing", consume_frame(9, "a", flags=ALL), 9),
    ("acknowledge: empty", frame(ACKNOWLEDGE, 9), 9),
    ("acknowledge: none", frame(ACKNOWLEDGE, 9, struct.pack("<II", 0, 0)), 9),
    ("acknowledge: too many", frame(ACKNOWLEDGE, 9, struct.pack("<II", 0, 4097) + bytes(16 * 4097)), 9),
    ("acknowledge: cut", frame(ACKNOWLEDGE, 9, struct.pack("<II", 0, 1) + bytes(15)), 9),
    ("acknowledge: how", frame(ACKNOWLEDGE, 9, struct.pack("<II", 3, 1) + bytes(16)), 9),
    ("read: empty", frame(READ, 9), 9),
    ("read: short head", frame(READ, 9, bytes(15)), 9),
    ("read: count 0", read_frame(count=0), 9),
    ("read: count without reads", read_frame(count=(1 << 32) - 1), 9),
    ("read: too many", read_frame(*[b"\x08\0\0\0\0\0\0\0"] * 65536), 9),
    ("read: one missing", read_frame(ROW, ROW, count=3), 9),
    ("read: one too many", read_frame(ROW, ROW, count=1), 9),
    ("read: no row", read_frame(b""), 9),
    ("read: row of size 0", read_frame(bytes(8)), 9),
    ("read: row longer than the frame", read_frame(ROW, struct.pack("<I", 64) + ROW[4:]), 9),
    ("read: bytes behind", read_frame(ROW + b"x", count=1), 9),
    ("read: zeros", read_frame(ROW, zero=1), 9),
    ("query: empty", frame(QUERY, 9), 9),
    ("query: short head", frame(QUERY, 9, QUERY_HEAD[:15]), 9),
    ("query: ack 3", frame(QUERY, 9, b"\3" + QUERY_HEAD[1:] + b"SELECT 1"), 9),
    ("query: zeros", frame(QUERY, 9, b"\2\0\0\1" + QUERY_HEAD[4:] + b"SELECT 1"), 9),
]
GREETINGS = [
    ("request before hello", frame(PING, 9), "08P01"),
    ("bad magic", hello(9, magic=0x12345678), "08P01"),
    ("short hello", frame(HELLO, 9, bytes(8)), "08P01"),
    ("long hello", frame(HELLO, 9, hello()[16:] + b"x"), "08P01"),
    ("only newer versions", hello(9, lowest=2, highest=7), "0A000"),
    ("only older versions", hello(9, lowest=0, highest=0), "0A000"),
]


@server_test("--max-frame", "1088K")
def violations(server):
    witness = table(server)
    before = witness.info()
    for what, data, request in VIOLATIONS:
        c = Connection(server.address)
        c.prepare("INSERT INTO t VALUES ($1, $2)")
        c.send(data + frame(PING, 77))
        a = c.receive()
        refused(a, "08P01", what)
        equal(a.flags, 0, what + ": flags")
        if request is not None:
            equal(a.request, request, what + ": request")
        equal(c.receive(), None, what + ": what follows")
        c.close()
    for what, data, state in GREETINGS:
        c = Connection(server.address, greet=False)
        c.send(data + frame(PING, 77))
        a = c.receive()
        refused(a, state, what)
        equal(a.request, 9, what + ": request")
        equal(c.receive(), None, what + ": what follows")
        c.close()
    wait_for(lambda: witness.info()["connections"] == 1, "connections go")
    after = witness.info()
    for key in ("rows", "commands", "statements"):
        equal(after[key], before[key], key)


@server_test("--max-frame", "1M")
def talks_without_listening(server):
    """A client that goes on writing behind its violation is heard out, and then finds the answer."""
    for _ in range(3):
        c = Connection(server.address, receive_buffer=4096)
        c.send(frame(QUERY, 9, bytes(8 << 20)) + frame(PING, 10))
        refused(c.receive(), "08P01", "violation")
        equal(c.receive(), None, "then")
        c.close()
    c = Connection(server.address)
    equal(c.info()["connections"], 1, "connections")
    # One that neither ends nor writes is closed nevertheless.
    silent = Connection(server.address)
    silent.send(frame(255, 1))
    wait_for(lambda: silent.receive() is None, "the end")
    wait_for(lambda: sockets(server) == 2, "its descriptor goes")


@server_test()
def versions(server):
    """The highest version both know; feature bits that the server does not know are not set."""
    c = Connection(server.address, greet=False)
    c.send(hello(5, lowest=0, highest=9, features=(1 << 64) - 1))
    a = c.receive()
    equal((a.kind, a.request, a.flags, a.length), (HELLO_OK, 5, 0, 32), "hello")
    version, shards, longest, statements, requests, features, _ = struct.unpack("<HHIIIQQ", a.body)
    equal((version, shards, features), (1, 2, 1), "version, shards, features")
    equal((longest, statements, requests), ((16 << 20) + (64 << 10), 4096, 65536), "limits")


@server_test()
def options_not_supported(server):
    """Options are skipped for queries; a command with one that is not supported is refused, and not executed."""
    c = table(server)
    insert = c.prepare("INSERT INTO t VALUES ($1, $2)").handle
    select = c.prepare("SELECT n FROM t WHERE id = $1").handle
    for named in ({"meta": b"who"},):
        a, = results_in_order(c, c.execute(insert, row("qi", [1, 1]), **named), 1)
        refused(a, "0A000", "a command with %s" % named)
        a, = results_in_order(c, c.execute(select, row("q", [1]), once=(1, 1), **named), 1)
        equal((a.kind, a.count), (ROWS, 0), "a query with %s" % named)


@server_test()
def expected_versions(server):
    """A command with EXPECT, alone and in a batch: the epoch of the version that is in its way is in the detail."""
    c = table(server)
    insert = c.prepare("INSERT INTO t VALUES ($1, $2)").handle
    update = c.prepare("UPDATE t SET n = $2 WHERE id = $1").handle
    select = c.prepare("SELECT n, lf_epoch FROM t WHERE id = $1").handle

    def one(data):
        c.send(data)
        return list(results(c, 1).values())[0]

    first, _ = one(c.execute(insert, row("qi", [1, 1]), expect=1 << 62))
    equal(one(c.execute(select, row("q", [1]), expect=1)).rows("iq"), [[1, first]], "a query takes no notice")
    second, _ = one(c.execute(update, row("qi", [1, 2]), expect=first))
    for handle in (update, insert):
        a = one(c.execute(handle, row("qi", [1, 3]), expect=first))
        refused(a, "40001", "a row that was changed")
        equal(a.detail, "current version %d" % second, "the detail")
    c.send(c.execute(update, row("qi", [1, 5]), row("qi", [1, 6]), row("qi", [9, 7]), expect=second, request=700))
    a = results(c, 3)
    equal(a[700][1], 1, "the first of a batch")
    refused(a[701], "40001", "the second of a batch, for the same row")
    equal(a[702][1], 0, "a row that never was")


@server_test()
def once(server):
    """A request id: executed once, answered the same by any connection; another payload, batches, RETURNING, parts."""
    c = table(server)
    d = Connection(server.address)
    insert = [x.prepare("INSERT INTO t VALUES ($1, $2)").handle for x in (c, d)]
    change = [x.prepare("UPDATE t SET n = n + 1 WHERE id = $1 RETURNING n").handle for x in (c, d)]
    two = c.prepare("INSERT INTO t VALUES ($1, 0), ($2, 0)").handle
    every = c.prepare("UPDATE t SET n = n + 10").handle

    def answers(x, n, *args, **named):
        x.send(x.execute(*args, **named))
        return [a for _, a in sorted(results(x, n).items())]

    first = answers(c, 1, insert[0], row("qi", [1, 1]), once=(9, 1))
    equal(answers(d, 1, insert[1], row("qi", [1, 1]), once=(9, 1)), first, "again")
    a, = results_in_order(d, d.execute(insert[1], row("qi", [1, 2]), once=(9, 1)), 1)
    refused(a, "LF007", "other parameters")
    a, = results_in_order(d, d.execute(change[1], row("q", [1]), once=(9, 1)), 1)
    refused(a, "LF007", "another statement")
    # Rows come again, though the balance has changed since.
    for _ in range(2):
        for x, handle in ((c, change[0]), (d, change[1])):
            x.send(x.execute(handle, row("q", [1]), once=(9, 2)))
            a = x.receive()
            equal((a.kind, a.rows("i")), (ROWS, [[2]]), "RETURNING")
            equal(x.receive().kind, DONE, "behind its rows")
        c.run("UPDATE t SET n = 7 WHERE id = 1")
    # A batch counts up: the executions in the middle were sent before, by themselves.
    before = [answers(c, 1, insert[0], row("qi", [n, n]), once=(9, n))[0] for n in (12, 13)]
    rows = [row("qi", [n, n]) for n in range(10, 16)]
    first = answers(c, 6, insert[0], *rows, once=(9, 10))
    equal(first[2:4], before, "of the batch")
    equal(answers(d, 6, insert[1], *rows, once=(9, 10)), first, "the batch again")
    # Several aggregates, and every shard.
    for handle, params, request in ((two, row("qq", [100, 101]), 20), (every, row("", []), 21)):
        got = [answers(c, 1, handle, params, once=(9, request)) for _ in range(3)]
        equal(got[1:], [got[0]] * 2, "request %d again" % request)
    equal(c.run("SELECT sum(n) FROM t").rows("q"), [[7 + 75 + 90]], "sum")
    info = c.info()
    equal((info["once_clients"] > 0, info["once_answers"] > 0, info["once_repeated"] > 0), (True,) * 3, "INFO")
    # What has no part that is the same every time.
    handle = c.prepare("INSERT INTO t SELECT id + 1000, n FROM t").handle
    refused(results_in_order(c, c.execute(handle, row("", []), once=(9, 30)), 1)[0], "0A000", "a query")
    handle = c.prepare("CREATE TABLE u (id bigint PRIMARY KEY)").handle
    refused(results_in_order(c, c.execute(handle, row("", []), once=(9, 30)), 1)[0], "0A000", "a schema change")


@server_test("--once-answers", "5", projectors=1)
def once_horizon(server):
    """What is forgotten is expired, not executed again; what is remembered of others is not touched."""
    c = table(server)
    insert = c.prepare("INSERT INTO t VALUES ($1, 0)").handle
    for client in (1, 2):
        results(c, 8, c.send(c.execute(insert, *[row("q", [100 * client + n]) for n in range(8)], once=(client, 1))))
        results(c, 1, c.send(c.execute(insert, row("q", [100 * client + 8]), once=(client, 9))))
    for n in range(9):
        a, = results_in_order(c, c.execute(insert, row("q", [100 + n]), once=(1, n + 1)), 1)
        equal(getattr(a, "state", None), "LF006" if n < 4 else None, "request %d" % (n + 1))
    equal(c.run("SELECT count(*) FROM t").rows("q"), [[18]], "rows")
    equal(c.info()["once_answers"], 10, "answers")


# --- errors of a request: answered, and the connection goes on ---


@server_test("--max-statements", "5")
def refused_requests(server):
    c = table(server, "CREATE TABLE t (id bigint PRIMARY KEY, n int CHECK (n >= 0), s text)")
    insert = c.prepare("INSERT INTO t VALUES ($1, $2, $3)").handle
    select = c.prepare("SELECT * FROM t WHERE id = $1").handle
    good = row("qit", [1, 1, "a"])

    def one(what, data, state, n=1):
        got = results_in_order(c, data, n)
        for a in got:
            refused(a, state, what)
        return got[0]

    one("handle never given", c.execute(99, good), "26000")
    one("the highest handle", c.execute(0xFFFFFFFF, good), "26000")
    one("handle in a batch", c.execute(99, good, good, good), "26000", 3)
    one("close of a handle never given", frame(CLOSE, 9, struct.pack("<I", 99)), "26000")
    rows = {
        "size not a multiple of 8": struct.pack("<I", 33) + good[4:] + b"x",
        "too short": struct.pack("<I", 8) + bytes(4),
        "too long": struct.pack("<I", len(good) + 8) + good[4:] + bytes(8),
        "NULL bit of no column": good[:4] + b"\x08" + good[5:],
        "NULL with a value": good[:4] + b"\x01" + good[5:],
        "text outside": good[:17] + struct.pack("<II", 200, 1) + good[25:],
        "text not where it belongs": good[:17] + struct.pack("<II", 26, 1) + good[25:],
        "text longer than the row": good[:17] + struct.pack("<II", 25, 99) + good[25:],
        "longest text": good[:17] + struct.pack("<II", 25, 0xFFFFFFFF) + good[25:],
        "padding": good[:-1] + b"x",
    }
    for what, r in rows.items():
        one("row: " + what, c.execute(insert, r), "22P03")
    one("row: not UTF-8", c.execute(insert, row("qit", [1, 1, b"\xff"])), "22021")
    one("row: NUL", c.execute(insert, row("qit", [1, 1, b"\0"])), "22021")
    one("row: of another statement", c.execute(select, good), "22P03")
    one("NOT NULL key", c.execute(insert, row("qit", [None, 1, "a"])), "23502")
    one("CHECK", c.execute(insert, row("qit", [1, -1, "a"])), "23514")
    refused(c.prepare("SELECT $1", types=[200]), "42704", "type 200")
    refused(c.prepare("SELECT 1 FROM nowhere"), "42P01", "no such table")
    equal(c.prepare("SELEC").position, 1, "position")
    refused(c.prepare("SELECT id FROM t WHERE s = '" + "x" * (1 << 20) + "'"), "54001", "long text")
    refused(c.run("INSERT INTO t VALUES ($1, 1, 'a')"), "42P02", "parameter in a query")
    equal(c.info()["rows"], 0, "rows")
    # A batch goes on behind a row that is refused.
    c.send(c.execute(insert, row("qit", [1, 1, "a"]), rows["padding"], row("qit", [2, -5, "b"]),
                     row("qit", [3, 3, None]), request=500))
    got = results(c, 4)
    equal(got[500][1], 1, "first of the batch")
    refused(got[501], "22P03", "second of the batch")
    refused(got[502], "23514", "third of the batch")
    equal(got[503][1], 1, "fourth of the batch")
    # Statements of a session.
    for _ in range(3):
        equal(c.prepare("SELECT id FROM t").kind, PREPARED, "within the limit")
    refused(c.prepare("SELECT id FROM t"), "53400", "one statement too many")
    c.send(frame(CLOSE, 9, struct.pack("<I", insert)))
    equal(c.receive().kind, CLOSED, "close")
    equal(c.prepare("SELECT id FROM t").kind, PREPARED, "after closing one")
    refused(c.prepare("SELECT id FROM t"), "53400", "one statement too many")


def results_in_order(c, data, n):
    c.send(data)
    return [c.receive() for _ in range(n)]


@server_test(reactors=2)
def reads_in_one_request(server):
    """Reads of different queries: answered one by one in their order, all at one epoch."""
    c = table(server)
    equal(c.run("CREATE MATERIALIZED VIEW v AS SELECT n, count(*) AS c FROM t GROUP BY n").kind, DONE, "view")
    equal(c.run("CREATE UNIQUE INDEX ON v (n)").kind, DONE, "index")
    insert = c.prepare("INSERT INTO t VALUES ($1, $2)").handle
    by_key = c.prepare("SELECT n FROM t WHERE id = $1").handle
    group = c.prepare("SELECT c FROM v WHERE n = $1").handle
    everything = c.prepare("SELECT id FROM t WHERE id < $1 ORDER BY id").handle
    none = c.prepare("SELECT count(*) FROM t").handle
    refusing = c.prepare("SELECT 1 / n FROM t WHERE id = $1").handle
    c.send(c.execute(insert, *[row("qi", [i, i % 3]) for i in range(90)]))
    results(c, 90)
    key, n, whole = row("q", [4]), row("i", [2]), row("q", [3])
    got = results_in_order(c, c.read(
        (by_key, key), (by_key, row("q", [-1])), (group, n), (everything, whole), (insert, row("qi", [1000, 1])),
        (by_key, n[:-1] + b"x"), (99, key), (0xFFFFFFFF, key), (refusing, row("q", [0])), (none, row("", [])),
        (group, n), request=500), 11)
    equal([a.request for a in got], list(range(500, 511)), "the order")
    equal([a.rows(k) for a, k in zip(got[:4], "iiqq")], [[[1]], [], [[30]], [[0], [1], [2]]], "rows")
    for a, state in zip(got[4:9], ("42601", "22P03", "26000", "26000", "22012")):
        refused(a, state, "read %d" % a.request)
    equal([a.rows("q") for a in got[9:]], [[[90]], [[30]]], "rows behind errors")
    equal(len({a.epoch for a in got if a.kind == ROWS}), 1, "epochs")
    equal(c.info()["rows"], 93, "nothing was inserted")
    # As many as a frame may have; neighbours of one query and changing ones.
    for some in ([(by_key, row("q", [i % 90])) for i in range(65535)],
                 [((by_key, group)[i % 2], (row("q", [5]), n)[i % 2]) for i in range(1000)]):
        c.send(c.read(*some, request=1000))
        got = [c.receive() for _ in some]
        equal([a.request for a in got], list(range(1000, 1000 + len(some))), "the order of many")
        equal({(a.kind, a.count) for a in got}, {(ROWS, 1)}, "answers")
        equal(len({a.epoch for a in got}), 1, "epochs")
    # An epoch that is waited for, and one that does not come.
    visible = c.info()["visible"]
    for a in results_in_order(c, c.read((by_key, key), (99, key), at_least=visible + 1000, timeout=20), 2):
        refused(a, "LF001", "not yet")
    other = Connection(server.address)
    c.send(c.read((by_key, row("q", [5000])), (none, row("", [])), at_least=visible + 1, timeout=60000) +
           frame(PING, 2))
    other.run("INSERT INTO t VALUES (5000, 7)")
    got = [c.receive() for _ in range(3)]
    equal([a.kind for a in got], [ROWS, ROWS, PONG], "what waited")
    equal([got[0].rows("i"), got[1].rows("q")], [[[7]], [[91]]], "what was waited for")


@server_test()
def errors_keep_the_order(server):
    """Answers to reads come in the order of their requests, also those that are refused."""
    c = table(server)
    select = c.prepare("SELECT n FROM t WHERE id = $1").handle
    key = row("q", [1])
    bad = key[:-1] + b"x"
    for what, data, n in (
            ("frames", c.execute(select, key, request=1) + c.execute(select, bad, request=2) +
             c.execute(select, key, request=3) + c.execute(99, key, request=4) +
             c.execute(select, key, request=5), 5),
            ("a batch", c.execute(select, key, bad, key, bad, request=1), 4),
            ("reads", c.read((select, key), (99, key), (select, key), (select, bad), request=1), 4)):
        got = results_in_order(c, data, n)
        equal([a.request for a in got], list(range(1, n + 1)), what)
        equal([a.kind for a in got], [ROWS, ERROR, ROWS, ERROR, ROWS][:n], what)


@server_test()
def accepted_and_refused(server):
    """Acknowledged as accepted, refused afterwards: an asynchronous error with the request's id."""
    c = table(server)
    insert = c.prepare("INSERT INTO t VALUES ($1, $2)").handle
    c.send(c.execute(insert, row("qi", [1, 1]), row("qi", [2, -1]), row("qi", [1, 5]), row("qi", [3, 1]),
                     ack=ACCEPTED, request=1000))
    acknowledged, errors = set(), {}
    while len(acknowledged) < 4 or len(errors) < 2:
        a = c.receive()
        if a.kind == DONE_BATCH:
            equal({(e, k) for _, e, k in a.items}, {(0, 0)}, "epoch and rows of what is only accepted")
            acknowledged |= {r for r, _, _ in a.items}
        else:
            equal(a.kind, ERROR, "kind")
            equal(a.flags, ASYNC, "flags")
            check(a.request in acknowledged, "acknowledged first")
            errors[a.request] = a.state
    equal(acknowledged, {1000, 1001, 1002, 1003}, "acknowledged")
    equal(errors, {1001: "23514", 1002: "23505"}, "errors")
    wait_for(lambda: c.info()["rows"] == 2, "the last one is executed")
    info = c.info()
    equal(info["refused"], 2, "refused")
    equal(info["accepted_refused"], 2, "accepted and refused")


@server_test()
def counters(server):
    """Commands are executed in batches, and change rows of views; all is written."""
    c = table(server)
    before = c.info()
    for sql in ["CREATE MATERIALIZED VIEW sums AS SELECT id, sum(n) AS n FROM t GROUP BY id"] + [
            "INSERT INTO t VALUES (%d, 1)" % i for i in range(3)]:
        equal(c.run(sql).kind, DONE, sql)
    # A batch is counted when its answers are on their way.
    wait_for(lambda: c.info()["batches"] > before["batches"], "batches are counted")
    after = c.info()
    equal(after["commands"] - before["commands"], 3, "commands")
    check(after["batches"] - before["batches"] <= 3, "batches: %r" % after)
    equal(after["view_rows"] - before["view_rows"], 3, "rows of the view")
    check(after["journal_bytes"] > before["journal_bytes"], "bytes of the journal: %r" % after)


@server_test()
def at_least_epoch(server):
    c = table(server)
    other = Connection(server.address)
    select = c.prepare("SELECT n FROM t WHERE id = $1").handle
    insert = other.prepare("INSERT INTO t VALUES ($1, $2)").handle
    visible = c.info()["visible"]
    refused(c.run("SELECT n FROM t WHERE id = 1", at_least=visible + 1000, timeout=20), "LF001",
            "query, not yet")
    refused(c.run("SELECT n FROM t WHERE id = 1", at_least=(1 << 64) - 1), "LF001", "no time at all")
    for a in results_in_order(c, c.execute(select, row("q", [1]), row("q", [2]), at_least=visible + 1000,
                                           timeout=20), 2):
        refused(a, "LF001", "batch, not yet")
    # It waits, and what stands behind it too; then both come in order.
    c.send(c.execute(select, row("q", [1]), at_least=visible + 1, timeout=20000, request=1) +
           frame(PING, 2) + c.query("SELECT n FROM t WHERE id = 1", at_least=visible + 1, timeout=20000,
                                    request=3))
    time.sleep(0.1)
    other.send(other.execute(insert, row("qi", [1, 42])))
    results(other, 1)
    a = c.receive()
    equal((a.kind, a.request, a.rows("i")), (ROWS, 1, [[42]]), "what waited")
    equal(c.receive().kind, PONG, "what stood behind it")
    equal(c.receive().kind, PREPARED, "query")
    equal(c.receive().rows("i"), [[42]], "query")
    # Read your writes on another connection, by the epoch alone.
    for k in range(2, 200):
        other.send(other.execute(insert, row("qi", [k, k]), ack=DURABLE))
        (epoch, _), = results(other, 1).values()
        c.send(c.execute(select, row("q", [k]), at_least=epoch, timeout=20000))
        equal(c.receive().rows("i"), [[k]], "read of what was written")


# --- commands that readers see together ---


def hold(timeout=0, zero=0, request=9):
    return frame(HOLD, request, struct.pack("<II", timeout, zero))


@server_test(reactors=2, projectors=3)
def seen_together(server):
    """Between HOLD and RELEASE: one epoch on all shards, which nobody sees before."""
    c, other = table(server), Connection(server.address)
    insert = c.prepare("INSERT INTO t VALUES ($1, $2)").handle
    for k in range(20):
        rows = [row("qi", [100 * k + i, 1]) for i in range(30)]
        c.send(hold(timeout=10000) + c.execute(insert, *rows, request=1000))
        a = c.receive()
        equal((a.kind, a.request), (DONE, 9), "hold")
        time.sleep(0.01 if k < 5 else 0)
        equal(other.run("SELECT count(*) FROM t").rows("q"), [[30 * k]], "before the release")
        c.send(frame(RELEASE, 10))
        answers = results(c, 31)
        equal(len({epoch for epoch, _ in answers.values()}), 1, "epochs")
        equal(other.run("SELECT count(*) FROM t", at_least=answers[10][0], timeout=10000).rows("q"),
              [[30 * k + 30]], "after the release")
    # What is sent in one go is answered when it is visible.
    c.send(hold(timeout=10000) + c.execute(insert, row("qi", [-1, 1])) +
           c.execute(insert, row("qi", [-1, 1])) + frame(RELEASE, 10))
    equal(sorted(isinstance(a, tuple) for a in results(c, 4).values()), [False, True, True, True],
          "a command that is refused is refused alone")


@server_test(reactors=2, projectors=2)
def holds_exclude_one_another(server):
    c, other = table(server), Connection(server.address)
    refused(release(c), "25P01", "release of nothing")
    c.send(hold())
    equal(c.receive().kind, DONE, "hold")
    c.send(hold())
    refused(c.receive(), "25001", "a second one of the same connection")
    refused(c.run("CREATE TABLE u (id int PRIMARY KEY)"), "25001", "a schema change")
    other.send(hold(timeout=20))
    refused(other.receive(), "55006", "another connection, for a moment")
    other.send(hold(timeout=30000))
    time.sleep(0.05)
    equal(release(c).kind, DONE, "release")
    equal(other.receive().kind, DONE, "another connection, when it is over")
    # Another's schema change waits, too.
    c.send(c.query("CREATE TABLE u (id int PRIMARY KEY)"))
    time.sleep(0.05)
    equal(release(other).kind, DONE, "release of the other")
    equal(c.receive().kind, PREPARED, "schema change")
    equal(c.receive().kind, DONE, "schema change")


def release(c):
    c.send(frame(RELEASE, 10))
    return c.receive()


@server_test()
def holds_end(server):
    """A client that does not release, or goes, does not keep others from seeing what is done."""
    c, other = table(server), Connection(server.address)
    c.send(hold())
    equal(c.receive().kind, DONE, "hold")
    equal(other.run("INSERT INTO t VALUES (1, 1)").kind, DONE, "another's command, after the time")
    refused(release(c), "25P03", "too late")
    refused(release(c), "25P01", "told once")
    for end in [lambda c: c.close(), lambda c: c.socket.shutdown(socket.SHUT_WR),
                lambda c: c.send(frame(255, 9))]:
        gone = Connection(server.address)
        gone.send(hold(timeout=10000))
        equal(gone.receive().kind, DONE, "hold")
        end(gone)
        other.send(hold(timeout=10000))
        equal(other.receive().kind, DONE, "hold of the next")
        equal(release(other).kind, DONE, "release")


# --- caps and time-outs ---


@server_test("--max-connections", "4")
def too_many_connections(server):
    held = [Connection(server.address) for _ in range(4)]
    for _ in range(3):
        c = Connection(server.address, greet=False)
        a = c.receive()
        refused(a, "53300", "one too many")
        equal((a.flags, a.request), (ASYNC, 0), "flags and request")
        equal(c.receive(), None, "then")
        c.close()
    held.pop().close()
    wait_for(lambda: held[0].info()["connections"] == 3, "a place is free")
    held.append(Connection(server.address))
    equal(held[-1].info()["connections"], 4, "connections")


def sockets(server):
    """How many the server has open. Its other descriptors come and go with the journals' files."""
    n = 0
    for entry in os.scandir("/proc/%d/fd" % server.process.pid):
        try:
            n += os.readlink(entry.path).startswith("socket:")
        except FileNotFoundError:
            pass
    return n


def wait_for(condition, what, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < deadline, "never: " + what)
        time.sleep(0.01)


@server_test("--max-requests", "16")
def requests_in_flight(server):
    """Beyond the cap the connection is not read; nothing is lost."""
    c = table(server)
    insert = c.prepare("INSERT INTO t VALUES ($1, $2)").handle
    c.send(b"".join(c.execute(insert, *[row("qi", [100 * i + k, 1]) for k in range(100)],
                              request=1000 + 100 * i) for i in range(20)))
    equal(sorted(results(c, 2000)), list(range(1000, 3000)), "answered")
    equal(c.info()["rows"], 2000, "rows")


def processor_time(server):
    """Ticks that the server has used."""
    with open("/proc/%d/stat" % server.process.pid) as f:
        return sum(int(x) for x in f.read().rsplit(")", 1)[1].split()[11:13])


def wait_until_it_rests(server):
    """Nothing is left for the server to do: half a second without a tick, however long that takes."""
    seen = [processor_time(server), time.monotonic()]

    def rests():
        now = processor_time(server)
        if now > seen[0] + 1:
            seen[:] = [now, time.monotonic()]
        return time.monotonic() - seen[1] > 0.5

    wait_for(rests, "the server rests")


def memory_of(server):
    with open("/proc/%d/status" % server.process.pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) * 1024


def fill(server, n=4000, width=1000):
    c = table(server, "CREATE TABLE t (id bigint PRIMARY KEY, s text)")
    insert = c.prepare("INSERT INTO t VALUES ($1, $2)").handle
    c.send(c.execute(insert, *[row("qt", [i, "x" * width]) for i in range(n)]))
    results(c, n)
    return c


@server_test("--max-output", "1M")
def output_waits(server):
    """Who does not read is not read either, and gets everything once it reads."""
    fill(server)
    c = Connection(server.address, receive_buffer=65536)
    select = c.prepare("SELECT * FROM t").handle
    base = memory_of(server)
    answers = 5 if harness.SANITIZED else 20  # of 4 MB each
    c.send(b"".join(c.execute(select, row("", []), request=1000 + i) for i in range(answers)))
    check(c.socket.recv(1, socket.MSG_PEEK), "answers come")
    wait_until_it_rests(server)
    check(harness.SANITIZED or memory_of(server) - base < 48 << 20,
          "memory grew by %d" % (memory_of(server) - base))
    last = 1000
    while last < 1000 + answers:
        a = c.receive()
        equal((a.kind, a.request), (ROWS, last), "answer")
        if not a.flags & MORE:
            last += 1
    wait_for(lambda: harness.SANITIZED or memory_of(server) - base < 48 << 20, "memory is given back")


@server_test("--slow-timeout", "1")
def answers_after_a_pause(server):
    """Only a client that takes no bytes is slow, not one that was sent none for as long."""
    connections = [Connection(server.address) for _ in range(200)]
    time.sleep(1.5)
    # So often that each look at the time-outs comes while an answer is about to be sent.
    for c in connections:
        c.send(frame(PING, 7))
        time.sleep(0.002)
    for c in connections:
        a = c.receive()
        check(a is not None and a.kind == PONG, "the connection is closed")


@server_test("--max-output", "1M", "--slow-timeout", "3")
def slow_client(server):
    """One that takes nothing is closed. One that takes little, so little that no send of the server is complete
    in the time allowed, stays."""
    witness = fill(server)
    stuck = Connection(server.address, receive_buffer=65536)
    select = stuck.prepare("SELECT * FROM t").handle
    stuck.send(stuck.execute(select, row("", [])) * 8)
    wait_for(lambda: witness.info()["connections"] == 1, "the slow one is closed")

    def takes_little():
        c = Connection(server.address, receive_buffer=65536)
        c.send(c.execute(c.prepare("SELECT * FROM t").handle, row("", [])))
        begin = last = time.monotonic()
        while last - begin < 7:
            # 16 kB a tenth of a second.
            more = c.socket.recv(16384)
            check(more, "closed though it reads")
            c.data += more
            time.sleep(0.1)
            now = time.monotonic()
            if now - last > 1.5:
                raise harness.Starved("%.1f s without reading" % (now - last))
            last = now
        got = 0
        while True:
            a = c.receive()
            got += a.count
            if not a.flags & MORE:
                break
        equal(got, 4000, "rows")
        c.close()

    harness.attempts(takes_little)


@server_test("--idle-timeout", "2", "--hello-timeout", "2")
def idle_clients(server):
    def some_idle():
        busy, idle, mute, trickle = (Connection(server.address, greet=g) for g in (True, True, False, False))
        waiting = Connection(server.address)
        waiting.send(waiting.query("SELECT 1", at_least=1 << 40, timeout=5000))
        closed = set()
        deadline = time.monotonic() + 120
        last, trickled = time.monotonic(), 0
        while len(closed) < 3:
            now = time.monotonic()
            check(now < deadline, "time-outs: only %s" % sorted(closed))
            if now - last > 1:
                raise harness.Starved("%.1f s without a word from the busy one" % (now - last))
            last = now
            busy.send(frame(PING, 1))
            equal(busy.receive().kind, PONG, "busy one")
            if "trickle" not in closed and trickled < 15:
                trickle.send(hello()[trickled:trickled + 1])
                trickled += 1
            for name, c in (("idle", idle), ("mute", mute), ("trickle", trickle)):
                if name in closed or not select.select([c.socket], [], [], 0.1)[0]:
                    continue
                a = c.receive()
                refused(a, "57P05", name)
                equal((a.flags, a.request), (ASYNC, 0), name)
                equal(c.receive(), None, name)
                closed.add(name)
        refused(waiting.receive(), "LF001", "who waits for an answer is not idle")

    harness.attempts(some_idle)


# --- the ways bytes arrive ---


@server_test(reactors=2)
def many_frames_in_one_write(server):
    c = table(server)
    insert = c.prepare("INSERT INTO t VALUES ($1, $2)").handle
    select = c.prepare("SELECT n FROM t WHERE id = $1").handle
    n = 20000
    c.send(b"".join(c.execute(insert, row("qi", [i, i]), request=1000 + i) for i in range(n)))
    equal(sorted(results(c, n)), list(range(1000, 1000 + n)), "inserts")
    data = b"".join(c.execute(select, row("q", [i]), request=1000 + i) for i in range(n))
    c.socket.settimeout(60)
    for at in range(0, len(data), 1 << 18):
        c.send(data[at:at + (1 << 18)])
    for i in range(n):
        a = c.receive()
        equal((a.request, a.rows("i")), (1000 + i, [[i]]), "reads come in order")


@server_test()
def byte_by_byte(server):
    c = Connection(server.address, greet=False)
    for script, kinds in (
            (hello(1) + frame(PING, 2), [HELLO_OK, PONG]),
            (c.query("CREATE TABLE t (id bigint PRIMARY KEY, n int)", request=3), [PREPARED, DONE]),
            (c.query("INSERT INTO t VALUES (1, 2)", request=4) + frame(INFO, 5),
             [INFO_OK, PREPARED, DONE])):
        for i in range(len(script)):
            c.send(script[i:i + 1])
        # A command is answered when it is done, what stands behind it at once.
        equal(sorted(c.receive().kind for _ in kinds), sorted(kinds), "answers")


@server_test()
def large_frames(server):
    """A row of nearly the limit, in pieces; then the buffers are given back."""
    c = table(server, "CREATE TABLE t (id bigint PRIMARY KEY, s text)")
    insert = c.prepare("INSERT INTO t VALUES ($1, $2)").handle
    select = c.prepare("SELECT length(s) FROM t WHERE id = $1").handle
    data = c.execute(insert, row("qt", [1, "y" * 900000]), request=7)
    for at in range(0, len(data), 50001):
        c.send(data[at:at + 50001])
        time.sleep(0.001)
    equal(results(c, 1)[7][1], 1, "insert")
    c.send(c.execute(select, row("q", [1])))
    equal(c.receive().rows("i"), [[900000]], "length")
    c.send(c.execute(insert, row("qt", [2, "y" * (16 << 20)])))
    refused(c.receive(), "22P03", "a row beyond the limit")
    most = (1 << 20 if harness.SANITIZED else 16 << 20) - 64
    c.send(c.execute(insert, row("qt", [2, "y" * most])))
    equal(results(c, 1).popitem()[1][1], 1, "a row of nearly 16 MiB")
    c.send(c.execute(select, row("q", [2])))
    equal(c.receive().rows("i"), [[most]], "length")
    # Many of them at once wait their turn.
    big = row("qt", [3, "y" * (most // 2)])
    c.send(b"".join(c.execute(insert, big, request=100 + i) for i in range(10)))
    states = [a.state if isinstance(a, Answer) else a[1] for a in results(c, 10).values()]
    equal(sorted(map(str, states)), ["1"] + ["23505"] * 9, "one of the same key")


@server_test(reactors=2)
def half_close(server):
    c = table(server)
    insert = c.prepare("INSERT INTO t VALUES ($1, $2)").handle
    c.send(b"".join(c.execute(insert, row("qi", [i, i]), request=1000 + i) for i in range(5000)))
    c.socket.shutdown(socket.SHUT_WR)
    equal(len(results(c, 5000)), 5000, "answers after the client's end")
    equal(c.receive(), None, "then")


@server_test(reactors=2)
def vanished_clients(server):
    """In the middle of a frame, or with requests in flight: nothing of it stays."""
    witness = table(server)
    base = witness.info()
    for k in range(50):
        c = Connection(server.address)
        insert = c.prepare("INSERT INTO t VALUES ($1, $2)").handle
        c.send(b"".join(c.execute(insert, row("qi", [1000 * k + i, i])) for i in range(300)) +
               c.query("SELECT count(*) FROM t") + c.execute(insert, row("qi", [0, 0]))[:k])
        if k % 2:
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.close()
    for k in range(20):
        c = Connection(server.address, greet=False)
        c.send(hello()[:k])
        c.close()
    wait_for(lambda: witness.info()["connections"] == 1, "connections go")
    equal(witness.info()["statements"], base["statements"], "statements")


@server_test(reactors=2)
def a_thousand_connections(server):
    witness = Connection(server.address)
    equal(sockets(server), 2, "sockets: the listener's and one connection's")
    many = []
    for i in range(300):
        c = Connection(server.address)
        equal(c.prepare("SELECT 1").kind in (PREPARED, ERROR), True, "prepare")
        many.append(c)
    equal(witness.info()["connections"], 301, "open at the same time")
    for i in range(700):
        many.pop(i % len(many)).close()
        many.append(Connection(server.address))
    for c in many:
        c.close()
    wait_for(lambda: witness.info()["connections"] == 1, "connections go")
    wait_for(lambda: sockets(server) == 2, "descriptors go")


@server_test(reactors=1)
def fairness(server):
    """A connection that floods with heavy requests does not keep another from being served: counted in
    requests, not in time. Both share one reactor."""
    c = fill(server, 2000, 10)
    flood = Connection(server.address, timeout=120)
    sent = 160 if harness.SANITIZED else 640
    flood.send(b"".join(flood.query("SELECT count(*) FROM t WHERE s = 'no%d'" % i, request=10 + i)
                        for i in range(sent)))
    served = answered = 0
    while answered < sent:
        c.send(frame(PING, 1))
        equal(c.receive().kind, PONG, "ping")
        served += 1
        try:
            flood.data += flood.socket.recv(1 << 20, socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass
        at = 0
        while len(flood.data) - at >= 16:
            length, kind = struct.unpack_from("<IB", flood.data, at)
            if len(flood.data) - at < 16 + length:
                break
            answered += kind == ROWS
            at += 16 + length
        flood.data = flood.data[at:]
    # A round serves at most 8 texts of one connection.
    check(served >= sent // 64, "%d pings while %d queries were answered" % (served, sent))


# --- schema changes while others work ---


@server_test(reactors=2)
def schema_changes_under_load(server):
    ddl = table(server)
    worker = Connection(server.address)
    insert = worker.prepare("INSERT INTO t VALUES ($1, $2)").handle
    select = worker.prepare("SELECT n FROM t WHERE id = $1").handle
    total = 0
    for k in range(10):
        worker.send(b"".join(
            worker.execute(insert, row("qi", [1000 * k + i, i]), request=100000 + 1000 * k + i) +
            worker.execute(select, row("q", [1000 * k + i]), request=500000 + 1000 * k + i)
            for i in range(200)))
        equal(ddl.run("CREATE MATERIALIZED VIEW v%d AS SELECT n, count(*) AS c FROM t GROUP BY n" % k).kind,
              DONE, "CREATE VIEW")
        equal(ddl.run("CREATE UNIQUE INDEX ON v%d (n)" % k).kind, DONE, "CREATE INDEX")
        if k >= 2:
            equal(ddl.run("DROP MATERIALIZED VIEW v%d" % (k - 2)).kind, DONE, "DROP VIEW")
        answers = results(worker, 400)
        bad = [a for a in answers.values() if isinstance(a, Answer) and a.kind == ERROR]
        check(not bad, "refused: %s" % [(a.state, a.message) for a in bad[:3]])
        total += 200
        a = ddl.run("SELECT sum(c) FROM v%d" % k)
        equal(a.kind, ROWS, "sum: %s" % getattr(a, "message", ""))
    equal(ddl.run("SELECT count(*) FROM t").rows("q"), [[total]], "rows")


@server_test()
def statements_of_what_was_dropped(server):
    c = table(server)
    other = Connection(server.address)
    equal(c.run("CREATE MATERIALIZED VIEW v AS SELECT n, count(*) AS c FROM t GROUP BY n").kind, DONE, "view")
    equal(c.run("CREATE UNIQUE INDEX ON v (n)").kind, DONE, "index")
    prepared = {
        name: other.prepare(text).handle for name, text in {
            "insert": "INSERT INTO t VALUES ($1, $2)", "select": "SELECT n FROM t WHERE id = $1",
            "view": "SELECT c FROM v WHERE n = $1"}.items()}
    refused(c.run("DROP TABLE t"), "2BP01", "the view depends on it")
    equal(c.run("DROP MATERIALIZED VIEW v").kind, DONE, "DROP VIEW")
    other.send(other.execute(prepared["view"], row("i", [1])))
    refused(other.receive(), "42P01", "view")
    equal(c.run("DROP TABLE t").kind, DONE, "DROP TABLE")
    # Also when a table of the same name is there again.
    for _ in range(2):
        other.send(other.execute(prepared["insert"], row("qi", [1, 1])))
        refused(other.receive(), "42P01", "insert")
        other.send(other.execute(prepared["select"], row("q", [1])))
        refused(other.receive(), "42P01", "select")
        c.run("CREATE TABLE t (id bigint PRIMARY KEY, n int CHECK (n >= 0))")
    equal(c.run("SELECT count(*) FROM t").rows("q"), [[0]], "the new table")


# --- memory ---


MEMORY_MIB = 32 if harness.SANITIZED else 64


@server_test("--memory-limit", "%dM" % MEMORY_MIB)
def memory_limit(server):
    unit = 1000 * MEMORY_MIB // 64  # a thousand rows, or fewer
    c = table(server, "CREATE TABLE t (id bigint PRIMARY KEY, s text)")
    insert = c.prepare("INSERT INTO t VALUES ($1, $2)").handle
    select = c.prepare("SELECT length(s) FROM t WHERE id = $1").handle
    delete = c.prepare("DELETE FROM t WHERE id = $1").handle

    def inserts(first):
        """Batches of inserts until memory is out; how many succeeded."""
        n = first
        while True:
            c.send(c.execute(insert, *[row("qt", [n + i, "z" * 1000]) for i in range(500)], request=1000))
            got = results(c, 500)
            states = {a.state for a in got.values() if isinstance(a, Answer)}
            if states:
                equal(states, {"53200"}, "states")
                return n + min(r for r, a in got.items() if isinstance(a, Answer)) - 1000
            n += 500
            check(n < first + 200 * unit, "memory is full before %d rows of 1 kB" % (200 * unit))

    full = inserts(0)
    check(full > 20 * unit, "only %d rows of 1 kB in %d MiB" % (full, MEMORY_MIB))
    for round_number in range(1 if harness.SANITIZED else 3):
        rss = memory_of(server)
        check(rss < 300 << 20 or harness.SANITIZED, "resident: %d" % rss)
        c.send(c.execute(select, *[row("q", [i]) for i in range(10 * unit, full, 100)], request=1000))
        got = results(c, len(range(10 * unit, full, 100)))
        check(all(a.kind == ROWS and a.rows("i") == [[1000]] for a in got.values()), "reads go on")
        c.send(b"".join(c.execute(delete, *[row("q", [i]) for i in range(at, at + unit)], request=at)
                        for at in range(0, 10 * unit, unit)))
        got = results(c, 10 * unit)
        bad = [a.state for a in got.values() if isinstance(a, Answer)]
        check(not bad, "deletes refused: %s" % bad[:3])
        # The space comes back once no reader can see it.
        n = 0
        while n < 5 * unit:
            c.send(c.execute(insert, *[row("qt", [n + i, "w" * 1000]) for i in range(500)], request=1000))
            bad = [a for a in results(c, 500).values() if isinstance(a, Answer)]
            check(not bad, "inserts after deletes: %s" % [(a.state, a.message) for a in bad[:2]])
            n += 500
        # For the next round: ids from 0 again, and full.
        c.send(c.execute(delete, *[row("q", [i]) for i in range(n)], request=1000))
        results(c, n)
        inserts(10000000 * (round_number + 1))
        c.send(c.execute(delete, *[row("q", [10000000 * (round_number + 1) + i]) for i in range(60 * unit)],
                         request=1000))
        results(c, 60 * unit)
        c.send(c.execute(insert, *[row("qt", [i, "z" * 1000]) for i in range(7 * unit)], request=1000))
        bad = [a for a in results(c, 7 * unit).values() if isinstance(a, Answer)]
        check(not bad, "the first rows again: %s" % [(a.state, a.message) for a in bad[:2]])


# --- rest ---


@server_test(reactors=2, projectors=2)
def idle_server_sleeps(server):
    """With connections open and nothing to do no thread turns in circles."""
    held = [Connection(server.address) for _ in range(20)]
    check(held, "connected")

    def switches():
        n = 0
        for path in glob.glob("/proc/%d/task/*/status" % server.process.pid):
            with open(path) as f:
                n += sum(int(x) for x in re.findall(r"ctxt_switches:\s+(\d+)", f.read()))
        return n, processor_time(server)

    time.sleep(0.5)
    before, ticks_before = switches()
    time.sleep(2)
    after, ticks_after = switches()
    # Two reactors tick ten times a second; everything else sleeps.
    check(after - before < 200, "%d context switches in two idle seconds" % (after - before))
    check(ticks_after - ticks_before <= 5, "%d ticks of processor time" % (ticks_after - ticks_before))


if __name__ == "__main__":
    sys.exit(cases.run())
