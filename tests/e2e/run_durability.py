#!/usr/bin/python3
"""What survives in a data directory: kills, torn and damaged files, schema changes, full disks, power cuts.

run_durability.py [WORD...]: the scenarios whose names have one of the words. LEFTFOLD_SEED: the seed, printed.
LEFTFOLD_SOAK=1: the long form. Scenarios that need a file system of their own (root, loop devices) are skipped where
there is none, and say so.
"""

import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from datadir import (PAGE, SCHEMA_SHARD, Daemon, Mounted, Refused, blocks, contents, differing, restore, segments, whole)
from harness import BUILD, SANITIZED, SMALL, Failure
from ledger import Ledger, ran
from wire import DONE, DONE_BATCH, DURABLE, ERROR, SCHEMA, VISIBLE, frame, row

SOAK = os.environ.get("LEFTFOLD_SOAK") == "1"
SCENARIOS = []


class Skipped(Exception):
    pass


def scenario(f):
    SCENARIOS.append(f)
    return f


def size(short, small, long):
    return long if SOAK else small if SMALL else short


def check(condition, what):
    if not condition:
        raise Failure(what)


def equal(actual, expected, what):
    if actual != expected:
        raise Failure("%s: %r instead of %r" % (what, actual, expected))


def directory():
    return tempfile.TemporaryDirectory(prefix="leftfold-e2e-")


def wait_for(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < deadline, "never: " + what)
        time.sleep(0.002)


# --- kills under load ---


def shape(rand):
    return {"reactors": rand.randrange(1, 4), "projectors": rand.randrange(1, 4),
            "segment": rand.choice(("64K", "256K", "1M")), "durability": rand.choice(("disk", "os"))}


def kill_while_starting(rand, data, options):
    """A start that may or may not come to its end. The system goes on: it must not make the next one fail."""
    server = Daemon(data, wait=False, **options)
    time.sleep(rand.random() * 0.04)
    server.kill()


def load_and_end(rand, ledger, server):
    """Load until some commands were acknowledged, then SIGKILL, or sometimes SIGTERM."""
    ledger.start(server.address)
    until = ledger.acknowledged + rand.randrange(size(1500, 300, 1500))
    wait_for(lambda: ledger.acknowledged >= until or ledger.failures, "%d acknowledgements" % until)
    time.sleep(rand.random() * 0.02)
    ledger.ending = True
    if rand.random() < 0.15:
        server.stop()
    else:
        server.kill()
    ledger.finish()


def kill_round(rand, cycles, number):
    with directory() as d:
        data, ledger = os.path.join(d, "data"), Ledger(rand.random())
        for cycle in range(cycles + 1):
            options = shape(rand)
            what = "round %d, cycle %d, %r" % (number, cycle, options)
            if rand.random() < 0.3:
                kill_while_starting(rand, data, options)
            with Daemon(data, **options) as server:
                c = server.connect()
                if cycle == 0:
                    ledger.create(c)
                ledger.check(c, what)
                c.close()
                if cycle < cycles:
                    load_and_end(rand, ledger, server)
        return ledger


@scenario
def kill(rand):
    """What was acknowledged is there, exactly once, after SIGKILL at any moment."""
    cycles, acknowledged, sent = size(10, 4, 500), 0, 0
    per_round = min(cycles, 20)
    for number in range(cycles // per_round):
        ledger = kill_round(rand, per_round, number)
        acknowledged += ledger.acknowledged
        sent += ledger.sent
    return "%d cycles, %d of %d commands acknowledged" % (cycles, acknowledged, sent)


# --- a small journal whose history is known ---

MARKS = """
CREATE TABLE mark (n bigint PRIMARY KEY, pad text);
CREATE MATERIALIZED VIEW marks AS SELECT count(*) AS c, sum(n)::bigint AS s FROM mark
"""


class History:
    """Marks 1, 2, 3 … inserted in frames, each awaited. ends: (where the journal's segment ends then, marks)."""

    def __init__(self, rand, data):
        self.rand, self.data, self.n, self.ends = rand, data, 0, []

    def create(self, server):
        c = server.connect()
        for text in MARKS.split(";"):
            ran(c, text)
        c.close()

    def last_segment(self):
        """The newest that is used, of the only shard."""
        return [s for s in segments(self.data) if s[1] != SCHEMA_SHARD and blocks(s[3])][-1]

    def add(self, server, frames, pad=40):
        c = server.connect()
        insert = c.prepare("INSERT INTO mark VALUES ($1, $2)").handle
        for _ in range(frames):
            count = self.rand.choice((1, 1, 2, 5))
            rows = [row("qt", (self.n + 1 + i, "x" * self.rand.randrange(pad))) for i in range(count)]
            c.send(c.execute(insert, *rows, ack=DURABLE))
            self.n += count
            while count > 0:
                count -= len(c.receive().items)
            segment = self.last_segment()
            self.ends.append((segment[:3], blocks(segment[3])[-1][1], self.n))
        c.close()

    def certain(self, segment, cut):
        """The marks that a cut of this segment leaves."""
        return max([n for name, end, n in self.ends if name < segment or (name == segment and end <= cut)],
                   default=0)


def marks(server):
    """How many marks there are, which must be 1…n, as the view must say."""
    c = server.connect()
    a = ran(c, "SELECT n FROM mark")
    found = sorted(r[0] for part in a.more + [a] for r in part.rows("q"))
    equal(found, list(range(1, len(found) + 1)), "marks")
    equal(ran(c, "SELECT c, s FROM marks").rows("qq"),
          [[len(found), sum(found) if found else None]], "the view of the marks")
    c.close()
    return len(found)


def history(rand, data, frames, orderly=False):
    h = History(rand, data)
    with Daemon(data) as server:
        h.create(server)
        h.add(server, frames)
        if orderly:
            server.stop()
    return h


# --- torn tails ---


def cut_places(rand, path, name, first, last):
    """Offsets of [first, last] to cut at: all, or some and those beside the boundaries of blocks and pages."""
    if SOAK:
        return list(range(first, last + 1))
    edges = {edge for block in blocks(path) for edge in block} | set(range(0, last + 1, PAGE))
    near = {edge + d for edge in edges for d in (-1, 0, 1)}
    places = set(rand.sample(range(first, last + 1), size(40, 5, 0)))
    places |= {p for p in near if first <= p <= last}
    return sorted(places if not SMALL else rand.sample(sorted(places), 12))


def cut(rand, text, at):
    """The bytes before `at`; behind them zeros, garbage, or nothing."""
    how = rand.randrange(3)
    if how == 2:
        return text[:at]
    return text[:at] + (bytes(len(text) - at) if how == 0 else rand.randbytes(len(text) - at))


def cut_one(rand, data, files, h, segment, at):
    name = os.path.basename(segment[3])
    changed = dict(files)
    changed[name] = cut(rand, files[name], at)
    restore(data, changed)
    what = "%s cut at %d (%s)" % (name, at, "whole" if len(changed[name]) == len(files[name]) else "short")
    certain = h.certain(segment[:3], at)
    try:
        with Daemon(data) as server:
            n = marks(server)
            check(certain <= n <= h.n, "%d marks: %d were acknowledged before the cut" % (n, certain))
            if rand.random() < 0.1:
                # What follows must not disturb what came before.
                add = History(rand, data)
                add.n = n
                add.add(server, 2)
                n = add.n
        if rand.random() < 0.2:
            with Daemon(data) as server:
                equal(marks(server), n, "marks after another start")
    except (Failure, Refused) as e:
        raise Failure("%s: %s" % (what, e)) from None


def torn(rand, fill):
    """Cut the last three writes of a history that `fill` has made."""
    with directory() as d:
        data = os.path.join(d, "data")
        h = fill(data)
        segment = h.last_segment()
        files = contents(data)
        ends = sorted({whole(end) for name, end, _ in h.ends if name == segment[:3]})
        first = ends[-4] if len(ends) > 3 else 0
        places = cut_places(rand, segment[3], segment, first, ends[-1])
        for at in places:
            cut_one(rand, data, files, h, segment, at)
        return len(places)


@scenario
def torn_tail(rand):
    """The last writes of a segment cut anywhere: a prefix of the history is there, with all that was acknowledged."""
    return "%d cuts" % torn(rand, lambda data: history(rand, data, 6))


@scenario
def torn_first_write(rand):
    """The same where the last segment has just been begun."""
    def fill(data):
        h = History(rand, data)
        with Daemon(data) as server:
            h.create(server)
            h.add(server, 5)
            while h.last_segment()[2] == 1:
                h.add(server, 1, pad=9000)
        return h

    return "%d cuts" % torn(rand, fill)


# --- damage ---


def flip_places(rand, files, only=None):
    """(file, offset) of bytes to flip: of all that is used, or a sample."""
    places = []
    for name, text in sorted(files.items()):
        if only is not None and name not in only:
            continue
        used = whole(len(text.rstrip(b"\0")))
        places += [(name, at) for at in range(used) if text[at] or at % 8 == 0]
    return places if SOAK else rand.sample(places, min(len(places), size(100, 15, 0)))


def flip_one(rand, data, files, name, at, allowed):
    """allowed(name, at): the numbers of marks that may be left."""
    changed = dict(files)
    text = bytearray(files[name])
    text[at] ^= 1 << rand.randrange(8)
    changed[name] = bytes(text)
    restore(data, changed)
    try:
        with Daemon(data) as server:
            n = marks(server)
            check(n in allowed(name, at), "%d marks" % n)
            return 0
    except Refused as e:
        equal(e.code, 1, "exit code (%s)" % e.text)
        check(name in e.text and "offset" in e.text, "the message names file and offset: " + e.text)
        equal(differing(contents(data), changed), [], "files changed by a server that did not start (%s)" % e.text)
        return 1
    except Failure as e:
        raise Failure("%s, byte %d flipped: %s" % (name, at, e)) from None


def flips(rand, data, files, allowed, only=None):
    places = flip_places(rand, files, only)
    counted = sum(flip_one(rand, data, files, name, at, allowed) for name, at in places)
    return "%d flips, %d refused" % (len(places), counted)


@scenario
def flipped_byte(rand):
    """One byte of a journal that was closed in order: refused, or all of it is there."""
    with directory() as d:
        data = os.path.join(d, "data")
        h = history(rand, data, 4, orderly=True)
        return flips(rand, data, contents(data), lambda name, at: (h.n,))


@scenario
def flipped_byte_of_an_older_run(rand):
    """A run that others followed was whole when they began: none of its writes may be taken for a torn one."""
    with directory() as d:
        data = os.path.join(d, "data")
        h = history(rand, data, 2)
        for _ in range(2):
            with Daemon(data) as server:
                h.add(server, 2)
        old = {os.path.basename(s[3]) for s in segments(data) if s[0] == 1}
        return flips(rand, data, contents(data), lambda name, at: (h.n,), only=old)


@scenario
def flipped_byte_of_a_checkpoint(rand):
    """Of the newest: the one before has all. Of the only one, as in a backup: refused, or all of it is there."""
    with directory() as d:
        data = os.path.join(d, "data")
        h = History(rand, data)
        with Daemon(data) as server:
            h.create(server)
            for _ in range(2):
                h.add(server, 2)
                ran(server.connect(), "CHECKPOINT")
            kept = h.n
            h.add(server, 1)
            server.stop()
        files = contents(data)
        newest = max(name for name in files if name.endswith(".checkpoint")).split("-")[0]
        newest = {name for name in files if name.endswith(".checkpoint") and name.startswith(newest)}
        said = flips(rand, data, files, lambda name, at: (h.n,), only=newest)
        check(said.endswith(" 0 refused"), "with the one before: " + said)
        alone = {name: text for name, text in files.items() if name in newest or name == "lock"}
        return said + "; of the only one: " + flips(rand, data, alone, lambda name, at: (kept,), only=newest)


@scenario
def salvage(rand):
    """With --salvage a damaged block costs what was in it, and says so; later starts are ordinary ones."""
    with directory() as d:
        data = os.path.join(d, "data")
        history(rand, data, 12, orderly=True)
        path = [s for s in segments(data) if s[1] != SCHEMA_SHARD][0][3]
        begin, end = rand.choice(blocks(path)[2:-2])
        at = rand.randrange(begin + 64, end)
        with open(path, "r+b") as f:
            f.seek(at)
            byte = f.read(1)[0]
            f.seek(at)
            f.write(bytes([byte ^ 0x10]))
        damaged = contents(data)
        try:
            with Daemon(data):
                raise Failure("started on a damaged journal")
        except Refused as e:
            check("damaged at offset %d" % begin in e.text and "epoch" in e.text, "message: " + e.text)
        with Daemon(data, projectors=2, salvage=True) as server:
            c = server.connect()
            found = sorted(r[0] for r in ran(c, "SELECT n FROM mark").rows("q"))
            equal(ran(c, "SELECT c, s FROM marks").rows("qq"), [[len(found), sum(found)]], "the view of the marks")
            lost = set(range(1, found[-1] + 1)) - set(found)
            check(1 <= len(lost) <= 5, "one block's marks are lost: %r" % lost)
            ran(c, "INSERT INTO mark VALUES (%d, 'again')" % min(lost))
            c.close()
            server.stop()
            check(os.path.basename(path) in server.output and "dropped: offsets %d to" % begin in server.output,
                  "what is dropped: " + server.output)
        kept = contents(data)
        for name, text in damaged.items():
            check(name == "lock" or kept.get(name + ".salvaged") == text, name + " is not kept as it was")
        with Daemon(data) as server:
            equal(ran(server.connect(), "SELECT c FROM marks").rows("q"), [[len(found) + 1]], "marks later")


# --- starting ---


@scenario
def two_servers(_):
    with directory() as d:
        data = os.path.join(d, "data")
        with Daemon(data) as server:
            try:
                with Daemon(data):
                    raise Failure("a second server has started")
            except Refused as e:
                equal(e.code, 1, "exit code")
                check("used by another process" in e.text and data in e.text, "message: " + e.text)
            equal(server.connect().run("CREATE TABLE t (id int PRIMARY KEY)").kind, DONE, "the first one goes on")
        with Daemon(data) as server:
            equal(ran(server.connect(), "SELECT count(*) FROM t").rows("q"), [[0]], "the lock has gone with it")


FILE = """
-- a schema
CREATE TABLE t (id bigint PRIMARY KEY, n int NOT NULL);
CREATE MATERIALIZED VIEW v AS SELECT sum(n)::bigint AS s FROM t;
INSERT INTO t VALUES (1, 10), (2, 20);
"""
ADDED = """
ALTER TABLE t ADD COLUMN more text DEFAULT 'm';
CREATE INDEX t_n ON t (n);
CREATE TABLE u (id int PRIMARY KEY, s text);
CREATE MATERIALIZED VIEW w AS SELECT n, count(*) AS c FROM t GROUP BY n;
"""


@scenario
def schema_file(_):
    """Against a directory with data: the same starts, more is added, other definitions and DROP are refused."""
    with directory() as d:
        data, path = os.path.join(d, "data"), os.path.join(d, "s.sql")

        def write(text):
            with open(path, "w") as f:
                f.write(text)

        def sum_is(server, n):
            equal(ran(server.connect(), "SELECT s FROM v").rows("q"), [[n]], "the view")

        write(FILE)
        for n in (30, 31, 32):
            with Daemon(data, schema=path) as server:
                sum_is(server, n if n > 30 else 30)
                ran(server.connect(), "UPDATE t SET n = n + 1 WHERE id = 1")
        write(FILE.replace("CREATE TABLE t (id", "create  table T /* the same */ (ID") + ADDED)
        for _ in range(2):
            with Daemon(data, schema=path) as server:
                sum_is(server, 33)
                equal(sorted(ran(server.connect(), "SELECT n, c FROM w").rows("iq")), [[13, 1], [20, 1]], "new view")
                equal(ran(server.connect(), "SELECT id FROM t WHERE n = 20").rows("q"), [[2]], "by the new index")
        for text, state in (
                (FILE.replace("n int NOT NULL", "n bigint NOT NULL"), "42P07"),
                (FILE.replace("sum(n)", "max(n)"), "42P07"),
                (ADDED.replace("ON t (n)", "ON t (n, id)"), "42P07"),
                ("CREATE TABLE left_behind (id int PRIMARY KEY);" + FILE.replace("n int", "n bigint"), "42P07"),
                ("CREATE TABLE left_behind (id int PRIMARY KEY);" + FILE + "DROP MATERIALIZED VIEW v;", "55000"),
                (FILE + ADDED + "DROP TABLE u;", "55000"),
                (FILE + ADDED + "ALTER TABLE t DROP COLUMN more;", "55000"),
                (FILE + ADDED + "CREATE TABLE t (id text PRIMARY KEY);", "42P07")):
            write(text)
            refused_for_schema(data, path, state)
        write(FILE + ADDED)
        with Daemon(data) as server:
            sum_is(server, 33)
            equal(server.connect().run("SELECT * FROM left_behind").state, "42P01", "of files that were refused")


def refused_for_schema(data, path, state):
    """The journals of earlier runs stay; what the refused start added holds nothing, or is gone."""
    before = contents(data)
    try:
        with Daemon(data, schema=path):
            raise Failure("started with a schema that it should refuse (%s)" % state)
    except Refused as e:
        equal(e.code, 1, "exit code (%s)" % e.text)
        check(state in e.text and path + ":" in e.text, "message: " + e.text)
    after = contents(data)
    for name, text in before.items():
        check(after.get(name, b"").rstrip(b"\0") == text.rstrip(b"\0"), "%s has changed (%s)" % (name, state))


# --- schema changes at run time ---

CHANGES = (
    ("CREATE TABLE t (id bigint PRIMARY KEY, n int NOT NULL)",
     "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)"),
    ("CREATE MATERIALIZED VIEW v AS SELECT count(*) AS c, sum(n)::bigint AS s FROM t",),
    ("CREATE INDEX t_n ON t (n)",),
    ("ALTER TABLE t ADD COLUMN m text DEFAULT 'more', ADD COLUMN l int",
     "INSERT INTO t VALUES (4, 4, 'm', 4)"),
    ("ALTER TABLE t DROP COLUMN l",
     "UPDATE t SET m = NULL WHERE id = 2"),
    ("DROP MATERIALIZED VIEW v",),
    ("DROP INDEX t_n",),
    ("DROP TABLE t",),
    ("CREATE TABLE t (name text PRIMARY KEY, a int, b numeric(10, 2))",
     "INSERT INTO t VALUES ('x', 1, 1.5), ('y', NULL, 2.25)"),
    ("CREATE MATERIALIZED VIEW v AS SELECT max(name) AS m FROM t",
     "DELETE FROM t WHERE name = 'y'"),
    ("CREATE UNIQUE INDEX t_a ON t (name, a)",
     "INSERT INTO t VALUES ('z', 3, 0)"),
    ("ALTER TABLE t DROP COLUMN b, ADD COLUMN d int DEFAULT 5 NOT NULL CHECK (d > 0)",
     "INSERT INTO t VALUES ('q', 4, 6), ('r', 4, DEFAULT)",
     "DELETE FROM t WHERE name IN ('q', 'r')"),
    ("ALTER TABLE t ADD COLUMN b date DEFAULT '2020-02-02'",),
    ("ALTER TABLE t RENAME TO q", "INSERT INTO q VALUES ('q', 4, 6)"),
    ("ALTER TABLE q RENAME COLUMN d TO dd", "DELETE FROM q WHERE dd = 6"),
    ("ALTER MATERIALIZED VIEW v RENAME TO vq", "CREATE TABLE v (id int)", "DROP TABLE v"),
    ("ALTER INDEX t_a RENAME TO q_a",),
    ("ALTER TABLE q RENAME TO t",),
    ("ALTER TABLE vq RENAME TO v",),
)


def schema_of(connection):
    connection.send(frame(SCHEMA, connection.request()))
    return connection.receive().body.decode()


def seen(connection):
    """The schema as told, and the rows of all tables and views."""
    text = schema_of(connection)
    out = [text]
    for line in text.splitlines():
        word, name = line.split("\t")[:2]
        if word in ("table", "view"):
            a = ran(connection, "SELECT * FROM " + name)
            out.append((name, sorted(body for body in [a.body[16:]])))
    return out


@scenario
def schema_changes(rand):
    """Each survives SIGKILL, alone and with those before it, whatever the number of shards."""
    with directory() as d:
        data = os.path.join(d, "data")
        kept = None
        for change in CHANGES:
            with Daemon(data, projectors=1, durability=rand.choice(("disk", "os"))) as server:
                c = server.connect()
                if kept is not None:
                    equal(seen(c), kept, "after a kill, before " + change[0])
                for text in change:
                    ran(c, text)
                kept = seen(c)
        for projectors in (2, 3, 1):
            with Daemon(data, projectors=projectors) as server:
                equal(ran(server.connect(), "SELECT m FROM v").rows("t"), [["z"]], "the view")
                a = ran(server.connect(), "SELECT name, a FROM t")
                equal(sorted(a.rows("ti")), [["x", 1], ["z", 3]], "the rows with %d shards" % projectors)


STEPS = (
    "CREATE TABLE s (id int PRIMARY KEY, c%d {type} NOT NULL)",
    "INSERT INTO s VALUES (%d, '1')",
    "ALTER TABLE s ADD COLUMN extra int DEFAULT %d",
    "CREATE MATERIALIZED VIEW sv AS SELECT count(*) AS c, max(id) AS g FROM s",
    "ALTER TABLE s DROP COLUMN extra",
    "DROP MATERIALIZED VIEW sv",
    "DROP TABLE s",
)


def step(k):
    """The k-th statement of an endless list; each generation of the table has a column of its own."""
    generation, at = divmod(k, len(STEPS))
    text = STEPS[at].format(type=("int", "text")[generation % 2])
    return text % generation if "%d" in text else text


def state_after(k):
    """(the table's own column, its rows, whether the view is there, the column that was added) after k statements."""
    generation, at = divmod(k, len(STEPS))
    return ("c%d" % generation if at else None, [[generation]] if at > 1 else [], at in (4, 5),
            [[generation]] if at in (3, 4) else None)


def state_seen(c):
    lines = [line.split("\t") for line in schema_of(c).splitlines()]
    columns = [line[1] for line in lines if line[0] == "column" and line[1].startswith("c") and line[1] != "c"]
    rows = ran(c, "SELECT id FROM s").rows("i") if columns else []
    view = ["view", "sv"] in [line[:2] for line in lines]
    if view:
        equal(ran(c, "SELECT c, g FROM sv").rows("qi"), [[1, rows[0][0]]], "the view")
    extra = ["column", "extra"] in [line[:2] for line in lines]
    return (columns[0] if columns else None, rows, view, ran(c, "SELECT extra FROM s").rows("i") if extra else None)


def steps_until_killed(rand, server, k):
    """Runs statements from the k-th on; how many are known to have been executed then."""
    c = server.connect()
    stop = k + rand.randrange(25)
    try:
        while True:
            if k == stop:
                killer = threading.Timer(rand.random() * 0.01, server.process.kill)
                killer.start()
            a = c.run(step(k))
            if a.kind == ERROR:
                raise Failure("%s: %s" % (step(k), a.message))
            k += 1
    except (OSError, AssertionError):
        killer.join()
        return k


@scenario
def kill_among_schema_changes(rand):
    """SIGKILL while tables come and go under one name: as many statements as were answered, or one more."""
    with directory() as d:
        data, k = os.path.join(d, "data"), 0
        cycles = size(10, 3, 100)
        for cycle in range(cycles + 1):
            options = shape(rand)
            with Daemon(data, **options) as server:
                c = server.connect()
                found = state_seen(c)
                check(found in (state_after(k), state_after(k + 1)),
                      "cycle %d, %r: %r after %d statements, the next being %s" % (cycle, options, found, k, step(k)))
                k += found != state_after(k)
                c.close()
                if cycle < cycles:
                    k = steps_until_killed(rand, server, k)
        return "%d statements, %d kills" % (k, cycles)


# --- full disks ---


class Filler:
    """Inserts numbered rows; knows which were acknowledged."""

    def __init__(self, server, first):
        self.c, self.next, self.there = server.connect(), first, set()
        self.insert = self.c.prepare("INSERT INTO fill VALUES ($1, $2)").handle

    def batch(self, frames=1):
        """The states of the refusals."""
        count, states = 8 * frames, []
        first = self.c.next + 1
        self.c.next += count
        number = self.next
        self.next += count
        for at in range(0, count, 8):
            rows = [row("qt", (number + at + i, "x" * 1000)) for i in range(8)]
            self.c.send(self.c.execute(self.insert, *rows, ack=DURABLE, request=first + at))
        while count > 0:
            a = self.c.receive()
            check(a is not None, "the connection was closed")
            if a.kind == ERROR:
                states.append(a.state)
                count -= 1
                continue
            for request, _, _ in a.items:
                self.there.add(number + request - first)
                count -= 1
        return states


def numbers(server):
    a = ran(server.connect(), "SELECT id FROM fill")
    return {r[0] for part in a.more + [a] for r in part.rows("q")}


def own_file_system(kind, bytes, below=None):
    try:
        return Mounted(kind, bytes, below)
    except Mounted.Unavailable as e:
        raise Skipped("no file system of its own (%s)" % e) from None


def fill_up(f, rand):
    """Until commands are refused."""
    for _ in range(5000):
        states = f.batch(rand.choice((1, 1, 2, 4)))
        if states:
            equal(set(states), {"53100"}, "refusals of a full disk")
            return
    raise Failure("the disk is never full")


def disk_full_on(rand, kind, bytes, ballast_bytes):
    with own_file_system(kind, bytes) as m:
        data, ballast, room = (os.path.join(m.path, name) for name in ("data", "ballast", "room"))
        for path, n in ((ballast, ballast_bytes), (room, 1 << 20)):
            with open(path, "wb") as f:
                f.write(b"x" * n)
        # Segments some times larger than what is under way, as they should be.
        with Daemon(data, segment="256K", projectors=rand.choice((1, 2)),
                    durability=rand.choice(("disk", "os"))) as server:
            ran(server.connect(), "CREATE TABLE fill (id bigint PRIMARY KEY, pad text)")
            ran(server.connect(), "CREATE MATERIALIZED VIEW filled AS SELECT count(*) AS c FROM fill")
            f = Filler(server, 0)
            fill_up(f, rand)
            equal(numbers(server), f.there, "what is there while the disk is full")
            equal(ran(server.connect(), "SELECT c FROM filled").rows("q"), [[len(f.there)]], "the view")
            a = server.connect().run("CREATE TABLE another (id int PRIMARY KEY)")
            check(a.kind == DONE or a.state == "53100", "a schema change on a full disk: " + getattr(a, "message", ""))
            os.unlink(ballast)
            before = len(f.there)
            wait_for(lambda: not f.batch(), "commands after space was made")
            check(len(f.there) > before, "more rows")
            fill_up(f, rand)
            kept = f.there
            if rand.random() < 0.5:
                server.stop()
        refused_when_full(m, data)
        os.unlink(room)
        with Daemon(data) as server:
            equal(numbers(server), kept, "after another start")
            equal(ran(server.connect(), "SELECT c FROM filled").rows("q"), [[len(kept)]], "the view")
        return "%d rows on %s" % (len(kept), kind)


def refused_when_full(m, data):
    """Without space for a run's first segments the server says so and ends. They are large: a start cuts off what the
    run before has not used, and small ones would find room in that."""
    ballast = os.path.join(m.path, "ballast")
    with open(ballast, "wb", buffering=0) as f:
        try:
            while f.write(b"x" * PAGE):
                pass
        except OSError:
            pass
    before = contents(data)
    try:
        with Daemon(data, segment="16M"):
            raise Failure("started on a full disk")
    except Refused as e:
        equal(e.code, 1, "exit code (%s)" % e.text)
        check("No space left" in e.text, "message: " + e.text)
    for name, text in contents(data).items():
        check(before.get(name, text).startswith(text.rstrip(b"\0")), "%s has changed" % name)
    os.unlink(ballast)


@scenario
def disk_full(rand):
    """53100 while there is no space; afterwards commands work again without a restart."""
    return disk_full_on(rand, "tmpfs", 8 << 20, 2 << 20) + ", " + disk_full_on(rand, "ext4", 16 << 20, 4 << 20)


HUNG_COMMANDS = 12000  # of 1 KiB: more than the queues hold


def load_while_hung(server, handle_of, received):
    """Insert marks until all are answered: (frames' thread, the connection)."""
    c = server.connect()
    insert = handle_of(c)

    def send():
        for n in range(HUNG_COMMANDS):
            c.send(c.execute(insert, row("qt", (n + 2, "x" * 1000)), ack=DURABLE, request=n + 1000))

    def receive():
        while len(received) < HUNG_COMMANDS:
            a = c.receive()
            if a.kind == ERROR:
                received.append(a.state)
            else:
                received.extend([None] * (len(a.items) if a.kind == DONE_BATCH else 1))

    threads = [threading.Thread(target=f, daemon=True) for f in (send, receive)]
    for t in threads:
        t.start()
    return threads


@scenario
def disk_hangs(rand):
    """INFO says so, reads go on, queues are bounded and then LF005; what was taken is there when it answers again."""
    with own_file_system("ext4", 256 << 20) as m:
        with Daemon(os.path.join(m.path, "data"), segment="64M") as server:
            c = server.connect()
            for text in MARKS.split(";"):
                ran(c, text)
            ran(c, "INSERT INTO mark VALUES (1, 'before')")
            equal(c.info()["disks_late"], 0, "late")
            before, received = server.resident(), []
            m.hang(True)
            try:
                threads = load_while_hung(
                    server, lambda c: c.prepare("INSERT INTO mark VALUES ($1, $2)").handle, received)
                wait_for(lambda: c.info()["disks_late"] == 1, "INFO says that the disk hangs")
                wait_for(lambda: "LF005" in received, "commands are refused")
                equal(ran(c, "SELECT pad FROM mark WHERE n = 1").rows("t"), [["before"]], "a read")
                grown = server.resident() - before
                check(SANITIZED or grown < 64 << 20, "memory has grown by %d" % grown)
            finally:
                m.hang(False)
            for t in threads:
                t.join(60)
            equal(len(received), HUNG_COMMANDS, "answers")
            equal({s for s in received if s}, {"LF005"}, "errors")
            wait_for(lambda: c.info()["disks_late"] == 0, "INFO says that it answers")
            done = received.count(None)
            equal(ran(c, "SELECT c FROM marks").rows("q"), [[done + 1]], "marks")
            ran(c, "INSERT INTO mark VALUES (0, 'after')")
            c.close()
            server.stop()
            check("has not ended for" in server.output and "answers again" in server.output, "log: " + server.output)
            return "%d taken, %d refused" % (done, HUNG_COMMANDS - done)


# --- power cuts ---


def cut_power(rand, m, ledger, server):
    """Under load. Either the server ends by itself, or it is killed at once."""
    ledger.start(server.address, tolerated=("LF003", "58030", "57P01"))
    until = ledger.acknowledged + rand.randrange(size(1500, 300, 1500))
    wait_for(lambda: ledger.acknowledged >= until or ledger.failures, "%d acknowledgements" % until)
    ledger.ending = True
    m.power_cut()
    if rand.random() < 0.6:
        equal(server.wait(), 4, "exit code of a server whose journal cannot be written")
        check("the journal cannot be written" in server.output and ".journal: " in server.output and
              "at offset " in server.output, "the log: " + server.output)
    else:
        time.sleep(rand.random() * 0.02)
        server.kill()
    ledger.finish()


def power_cycles(rand, cycles, number):
    with own_file_system("ext4", 128 << 20) as m:
        data, ledger = os.path.join(m.path, "data"), Ledger(rand.random())
        for cycle in range(cycles + 1):
            options = shape(rand)
            if cycle == 0 or rand.random() < 0.4:
                options["durability"] = "disk"
            what = "round %d, power cut %d, %r" % (number, cycle, options)
            with Daemon(data, **options) as server:
                c = server.connect()
                if cycle == 0:
                    ledger.create(c)
                ledger.check(c, what)
                c.close()
                if cycle < cycles:
                    cut_power(rand, m, ledger, server)
            if options["durability"] == "os" and cycle < cycles:
                ledger.forget()
            m.unmount()
            m.mount()
        return ledger.acknowledged


@scenario
def power_cut(rand):
    """What was acknowledged as durable is on the medium; the server notices failed writes and ends with 4."""
    cycles = size(4, 2, 100)
    per_round = min(cycles, 10)
    acknowledged = sum(power_cycles(rand, per_round, i) for i in range(cycles // per_round))
    return "%d cuts, %d commands acknowledged" % (cycles, acknowledged)


@scenario
def power_cut_with_durability_os(rand):
    """Rows may be lost then, but no schema change: the rows of a table that is forgotten would be its successor's."""
    with own_file_system("ext4", 32 << 20) as m:
        data = os.path.join(m.path, "data")
        with Daemon(data, durability="os") as server:
            h = History(rand, data)
            h.create(server)
            h.add(server, 5)
            # The rows get there, as they may; the schema must, or nothing of it is known.
            for segment in segments(data):
                if segment[1] != SCHEMA_SHARD:
                    subprocess.run(["sync", segment[3]], check=True)
            m.power_cut()
        m.unmount()
        m.mount()
        with Daemon(data, durability="os") as server:
            equal(marks(server), h.n, "marks")


@scenario
def write_error(rand):
    """A waiting command is answered LF003, or its connection is closed; later ones are refused; then exit code 4."""
    with own_file_system("ext4", 32 << 20) as m:
        data = os.path.join(m.path, "data")
        with Daemon(data, projectors=2) as server:
            h = History(rand, data)
            h.create(server)
            c = server.connect()
            ran(c, "INSERT INTO mark VALUES (1, 'x')", ack=DURABLE)
            m.power_cut()
            for level in (DURABLE, VISIBLE):
                try:
                    c.send(c.query("INSERT INTO mark VALUES (2, 'x')", ack=level))
                    a = c.receive()
                    while a is not None and a.kind not in (ERROR, DONE):
                        a = c.receive()
                except (OSError, AssertionError):
                    a = None
                if a is None or a.state == "57P01":
                    break
                check(a.kind == ERROR and a.state in ("LF003", "58030"),
                      "answered %r" % (getattr(a, "state", "with success"),))
            equal(server.wait(), 4, "exit code")
            check("cannot be written" in server.output and "at offset" in server.output, "log: " + server.output)
        m.unmount()
        m.mount()
        with Daemon(data) as server:
            check(marks(server) in (1, 2), "what was acknowledged")


@scenario
def thin_medium(rand):
    """A medium that ends before its file system does: a write fails, the server ends with 4, acknowledged is there."""
    with own_file_system("tmpfs", 40 << 20) as below, own_file_system("ext4", 512 << 20, below.path) as m:
        data, ledger = os.path.join(m.path, "data"), Ledger(rand.random())
        with Daemon(data, segment="1M", projectors=2) as server:
            c = server.connect()
            ledger.create(c)
            c.close()
            ledger.start(server.address, tolerated=("LF003", "58030", "57P01"))
            ledger.ending = True
            with open(os.path.join(m.path, "ballast"), "wb") as f:
                try:
                    for _ in range(64):
                        f.write(rand.randbytes(1 << 20))
                        f.flush()
                        os.fsync(f.fileno())
                except OSError:
                    pass
            equal(server.wait(120), 4, "exit code")
            check("cannot be written" in server.output and ".journal" in server.output, "log: " + server.output)
            ledger.finish()
        below.grow(1 << 30)
        m.unmount()
        m.repair()
        m.mount()
        with Daemon(data) as server:
            c = server.connect()
            ledger.check(c, "after the medium had ended")
            c.close()
        return "%d commands acknowledged" % ledger.acknowledged


def selected():
    words = sys.argv[1:]
    return [f for f in SCENARIOS if not words or any(w in f.__name__ for w in words)]


def main():
    seed = int(os.environ.get("LEFTFOLD_SEED", random.SystemRandom().randrange(1 << 30)))
    print("durability: seed %d, build %s%s" % (seed, BUILD, ", long" if SOAK else ""), flush=True)
    failed = []
    for f in selected():
        begin, error = time.monotonic(), None
        try:
            said = f(random.Random("%d %s" % (seed, f.__name__)))
        except (Skipped, Mounted.Unavailable) as e:
            said = "SKIP: %s" % e
        except Exception:
            said, error = None, traceback.format_exc()
        print("%-5s %s (%.1f s)%s%s" % ("FAIL" if error else "ok", f.__name__, time.monotonic() - begin,
                                        ": " + said if said else "", "\n" + error if error else ""), flush=True)
        if error:
            failed.append(f.__name__)
    if failed:
        print("failed: %s; LEFTFOLD_SEED=%d" % (" ".join(failed), seed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
