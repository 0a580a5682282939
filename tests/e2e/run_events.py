#!/usr/bin/python3
"""The event log of real servers: what is served, across kills and restarts, to slow readers, and what is not kept.

run_events.py [NAME...] runs the tests whose names contain one of the words.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import cases
import harness
from cases import check, equal, test
from event_frames import *

SERVER = os.path.join(harness.BUILD, "leftfoldd")
CLI = os.path.join(harness.BUILD, "leftfold")
SCHEMA = "CREATE TABLE account (id bigint PRIMARY KEY, n bigint NOT NULL, pad text)"


class Home:
    """A data directory, and servers on it one after the other."""

    def __init__(self, *flags):
        self.dir = tempfile.mkdtemp(prefix="leftfold-events-")
        self.flags = flags
        self.process = None

    def start(self, *flags):
        port_file = os.path.join(self.dir, "port")
        if os.path.exists(port_file):
            os.unlink(port_file)
        self.process = subprocess.Popen(
            [SERVER, "--listen", "127.0.0.1:0", "--port-file", port_file, "--data", os.path.join(self.dir, "data"),
             "--threads", next(harness.THREADS), "--segment-size", "256K", "--slow-timeout", "600"] +
            list(self.flags) + list(flags), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        while not os.path.exists(port_file):
            check(self.process.poll() is None, "started")
            time.sleep(0.01)
        with open(port_file) as f:
            self.address = f.read().strip()
        return Connection(self.address)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.output = self.process.communicate(timeout=60)[0]
        equal(self.process.returncode, 0, "exit code: " + self.output)

    def cli(self, *args, check=True):
        return harness.run([CLI] + list(args) + ["--connect", self.address], check=check)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        shutil.rmtree(self.dir, ignore_errors=True)


def ok(answer):
    check(answer.kind in (DONE, DONE_BATCH, ROWS), "refused: %s" % getattr(answer, "message", ""))
    return answer


def refused(answer, state, what):
    check(answer is not None and answer.kind == ERROR, "%s: no error" % what)
    equal(answer.state, state, what)


@test
def what_is_served():
    with Home("--event-log", "--projectors", "3") as home:
        c = home.start()
        ok(c.run(SCHEMA))
        ok(c.run("CREATE TABLE other (a text, b numeric(6,2))"))
        insert = c.prepare("INSERT INTO account VALUES ($1, $2, 'x')").handle
        c.send(c.execute(insert, row("qq", [7, 1]), meta=b"who: me"))
        done = c.receive()
        ok(done)
        ok(c.run("UPDATE account SET n = n + 1 WHERE id = 7"))
        ok(c.run("UPDATE account SET n = n + 1 WHERE id = 8"))
        ok(c.run("INSERT INTO other VALUES ('y', 2.5)"))
        ok(c.run("DELETE FROM account WHERE id = 7"))
        events = Stream(home.address).all()
        equal(len(events), 4, "events")
        first = events[0]
        equal((first.key, first.params, first.meta), (7, [7, 1], b"who: me"), "the first")
        equal(first.statement, "INSERT INTO account VALUES ($1, $2, 'x')", "its text")
        equal(first.changes, [("insert", "account", {"id": 7, "n": 1, "pad": "x"})], "its change")
        equal(first.id[0], done.items[0][1], "its epoch is what was told")
        equal(events[1].changes, [("update", "account", {"id": 7, "n": 2, "pad": "x"})], "the second")
        equal(events[2].changes, [("insert", "other", {"a": "y", "b": "2.50"})], "the third")
        equal(events[3].changes, [("delete", "account", {"id": 7, "n": 2, "pad": "x"})], "the fourth")
        equal(sorted(e.id for e in events), [e.id for e in events], "they are in order")
        equal(len({e.hash for e in events if e.key == 7}), 1, "one hash for one key")
        # Filters, and places.
        equal(len(Stream(home.address, table="other").all()), 1, "of a table")
        equal(len(Stream(home.address, key="7").all()), 3, "of an aggregate")
        equal(len(Stream(home.address, key="7", table="other").all()), 0, "of neither")
        equal(Stream(home.address, NOW).all(), [], "now")
        for e in events:
            equal(len(Stream(home.address, 0, e.id).all()), 3 - events.index(e), "behind one")
        equal(len(Stream(home.address, 0, (first.id[0], LAST, LAST)).all()), 3, "behind an epoch")
        # Live: and only what is visible.
        live = Stream(home.address, NOW | FOLLOW)
        equal(live.frame(), [], "the first frame says where it begins")
        for i in range(5):
            ok(c.run("INSERT INTO account VALUES (%d, 0)" % (20 + i)))
            e, = live.take(1)
            equal(e.key, 20 + i, "live")
            check(e.id[0] <= ok(c.run("SELECT count(*) FROM account")).epoch, "not before it is visible")
        live.connection.send(events_frame(9, STOP))
        equal(live.frame(), None, "stopped")
        equal(live.error.state, "57014", "why")
        live.connection.send(events_frame(9, STOP))  # means nothing
        # Streams on one connection.
        for i in range(17):
            live.connection.send(events_frame(100 + i, FOLLOW | NOW))
        got = {a.request: a for a in (live.connection.receive() for _ in range(17))}
        equal({r for r, a in got.items() if a.kind == ERROR}, {116}, "one is too many")
        equal(got[116].state, "53400", "too many")
        home.stop()


@test
def command_line():
    with Home("--event-log") as home:
        c = home.start()
        ok(c.run(SCHEMA))
        insert = c.prepare("INSERT INTO account VALUES ($1, $2, 'a\"b')").handle
        c.send(c.execute(insert, row("qq", [1, 5]), meta=b"\x00\xff"))
        ok(c.receive())
        follow = subprocess.Popen([CLI, "events", "--connect", home.address, "--from", "0", "--follow", "--format",
                                   "json"], stdout=subprocess.PIPE, text=True)
        line = json.loads(follow.stdout.readline())
        equal({k: line[k] for k in ("key", "params", "meta", "statement")},
              {"key": 1, "params": {"$1": 1, "$2": 5}, "meta": "\\x00ff",
               "statement": "INSERT INTO account VALUES ($1, $2, 'a\"b')"}, "as JSON")
        equal(line["changes"], [{"table": "account", "kind": "insert", "row": {"id": 1, "n": 5, "pad": "a\"b"}}],
              "its change")
        ok(c.run("DELETE FROM account WHERE id = 1"))
        equal(json.loads(follow.stdout.readline())["changes"][0]["kind"], "delete", "followed")
        follow.kill()
        follow.communicate()
        text = home.cli("events").stdout
        check("key 1  INSERT INTO account" in text and "    delete account {\"id\": 1" in text, text)
        equal(home.cli("events", "--from", "now").stdout, "", "nothing to come is waited for")
        equal(home.cli("events", "--key", "2").stdout, "", "of another key")
        equal(home.cli("events", "--from", "x", check=False).returncode, 2, "a wrong place")
        home.stop()
        # What the files have, read without a server.
        text = harness.run([CLI, "inspect", os.path.join(home.dir, "data"), "--entries"]).stdout
        check("statement 0: INSERT INTO account" in text and "2 of metadata" in text, text)


@test
def without_it():
    with Home() as home:
        c = home.start()
        ok(c.run(SCHEMA))
        stream = Stream(home.address)
        equal(stream.frame(), None, "refused")
        equal(stream.error.state, "55000", "state")
        insert = c.prepare("INSERT INTO account VALUES ($1, $2)").handle
        c.send(c.execute(insert, row("qq", [7, 1]), meta=b"x"))
        refused(c.receive(), "0A000", "metadata")
        done = home.cli("events", check=False)
        equal((done.returncode, "--event-log" in done.stderr), (1, True), done.stderr)
        home.stop()
        # With it from now on: what was before is not there.
        c = home.start("--event-log")
        ok(c.run("INSERT INTO account VALUES (1, 1)"))
        equal([e.key for e in Stream(home.address).all()], [1], "from now on")
        home.stop()
        # And without: the rows are there.
        c = home.start()
        equal(c.run("SELECT count(*) FROM account").rows("q"), [[1]], "rows")
        home.stop()
    equal(subprocess.run([SERVER, "--event-log"], stderr=subprocess.DEVNULL).returncode, 2, "without --data")


@test
def slow_reader():
    """A reader that takes nothing holds up nobody, and costs no memory; it gets all when it goes on."""
    rows = 1500 if harness.SANITIZED else 6000
    with Home("--event-log") as home:
        c = home.start()
        ok(c.run(SCHEMA))
        slow = Stream(home.address, OLDEST | FOLLOW, receive_buffer=4096)
        insert = c.prepare("INSERT INTO account VALUES ($1, $2, repeat('x', 2000))").handle
        before = memory(home)
        for at in range(0, rows, 500):
            c.send(c.execute(insert, *[row("qq", [i, i]) for i in range(at, at + 500)], ack=DURABLE))
            left = 500
            while left > 0:
                left -= len(ok(c.receive()).items)
        equal(len(Stream(home.address).all()), rows, "others read meanwhile")
        if not harness.SANITIZED:
            # The rows themselves, and less than what the stream would hold.
            check(memory(home) - before < (rows * 2000 * 3) + (24 << 20), "memory: %d" % (memory(home) - before))
        equal([e.key for e in slow.take(rows)], list(range(rows)), "all of them")
        home.stop()


def memory(home):
    with open("/proc/%d/statm" % home.process.pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@test
def kills():
    """Acknowledged commands are in the log once, in order, after any number of kills; a follower goes on where it was."""
    rounds = 4
    with Home("--event-log", "--projectors", "2") as home:
        c = home.start()
        ok(c.run(SCHEMA))
        keys = 6
        for k in range(keys):
            ok(c.run("INSERT INTO account VALUES (%d, 0)" % k))
        acknowledged, asked, seen, reached = [0] * keys, [0] * keys, [], (0, 0, 0)
        for r in range(rounds):
            update = c.prepare("UPDATE account SET n = $2 WHERE id = $1").handle
            done = threading.Event()

            def follow():
                nonlocal reached
                stream = Stream(home.address, FOLLOW, reached)
                while True:
                    try:
                        events = stream.frame()
                    except (OSError, AssertionError):
                        events = None
                    if events is None:
                        break
                    seen.extend(events)
                    reached = stream.reached
                done.set()

            follower = threading.Thread(target=follow)
            follower.start()
            waiting = []
            for i in range(150):
                k = i % keys
                asked[k] += 1
                request = c.request()
                c.send(c.execute(update, row("qq", [k, asked[k]]), ack=DURABLE, request=request))
                waiting.append((request, k, asked[k]))
                if len(waiting) >= 20 or i == 149:
                    for request, k, n in waiting:
                        pass
                    got = 0
                    while got < len(waiting) - (5 if i == 149 else 0):
                        a = ok(c.receive())
                        for request, _, _ in a.items:
                            k, n = next((k, n) for q, k, n in waiting if q == request)
                            acknowledged[k] = max(acknowledged[k], n)
                            got += 1
                    waiting = []
            if r == rounds // 2:
                ok(c.run("CHECKPOINT"))
            home.kill()
            follower.join(30)
            check(done.is_set(), "the follower's connection has ended")
            c.close()
            c = home.start("--projectors", str(1 + r % 3))
            # What was executed and not acknowledged may be there, or not.
            asked = [max(n for n, in c.run("SELECT n FROM account WHERE id = %d" % k).rows("q")) for k in range(keys)]
        everything = Stream(home.address, OLDEST).all()
        ids = [e.id for e in everything]
        equal(ids, sorted(set(ids)), "in order, each once")
        for k in range(keys):
            written = [e.changes[0][2]["n"] for e in everything if e.key == k]
            equal(written, list(range(asked[k] + 1)), "key %d: each once, in order" % k)
            check(asked[k] >= acknowledged[k], "key %d: nothing acknowledged is lost" % k)
        # The follower has seen a beginning of the log, and nothing that a crash undid.
        equal([e.id for e in seen], ids[:len(seen)], "what was followed")
        check(len(seen) > keys, "it has seen some")
        home.stop()


@test
def gaps():
    with Home("--event-log", "--event-log-retain", "1M") as home:
        c = home.start()
        ok(c.run(SCHEMA))
        insert = c.prepare("INSERT INTO account VALUES ($1, $2, repeat('x', 4000))").handle

        def fill(first):
            for i in range(first, first + 1000, 100):
                c.send(c.execute(insert, *[row("qq", [k, 0]) for k in range(i, i + 100)], ack=DURABLE))
                left = 100
                while left:
                    left -= len(ok(c.receive()).items)
            ok(c.run("CHECKPOINT"))

        fill(0)
        all_of_them = Stream(home.address).all()
        equal(len(all_of_them), 1000, "nothing is removed before there are two checkpoints")
        fill(1000)
        fill(2000)
        kept = Stream(home.address).all()
        check(200 < len(kept) < 1500, "%d are kept" % len(kept))
        equal([e.key for e in kept], list(range(3000 - len(kept), 3000)), "the last ones")
        stream = Stream(home.address, 0, all_of_them[0].id)
        equal(stream.frame(), None, "too old")
        equal(stream.error.state, "LF010", "state")
        done = home.cli("events", "--from", "0", check=False)
        equal((done.returncode, "LF010" in done.stderr), (1, True), done.stderr)
        home.stop()
        c = home.start()
        equal([e.id for e in Stream(home.address).all()], [e.id for e in kept], "after a restart")
        home.stop()


class Member:
    """CONSUME on a connection of its own."""

    def __init__(self, address, name, flags=OLDEST, **terms):
        self.connection = Connection(address)
        self.connection.send(consume_frame(9, name, flags, **terms))
        self.kept = None
        self.error = None
        self.frame()

    def frame(self):
        a = self.connection.receive()
        if a is None or a.kind == ERROR:
            self.error = a
            return None
        self.kept, events = events_of(a)
        return events

    def settle(self, events, how=0):
        self.connection.send(acknowledge_frame(9, [e.id for e in events], how))


@test
def consumers_survive():
    """What was not acknowledged comes again after a kill of the server, in its aggregate's order; nothing is left out."""
    keys, rounds, commands = 5, 3, 60
    with Home("--event-log", "--projectors", "2") as home:
        c = home.start()
        ok(c.run(SCHEMA))
        for k in range(keys):
            ok(c.run("INSERT INTO account VALUES (%d, 0)" % k))
        settled = {k: [] for k in range(keys)}
        n = 0
        for r in range(rounds):
            for i in range(commands):
                n += 1
                ok(c.run("UPDATE account SET n = %d WHERE id = %d" % (n, n % keys)))
            m = Member(home.address, "mail", inflight=8, ack_ms=60000)
            check(m.error is None, m.error and m.error.message)
            got = 0
            while got < commands // 2:
                for e in m.frame():
                    check(e.attempt == 1, "a first delivery in this run")
                    settled[e.key].append(e.changes[0][2]["n"])
                    got += 1
                    m.settle([e])
            home.kill()
            m.connection.close()
            c = home.start("--projectors", str(1 + r))
        m = Member(home.address, "mail")
        events = Stream(home.address).all()
        want = {k: [e.changes[0][2]["n"] for e in events if e.key == k] for k in range(keys)}
        while any(settled[k][-1] != want[k][-1] for k in range(keys)):
            for e in m.frame():
                settled[e.key].append(e.changes[0][2]["n"])
                m.settle([e])
        for k in range(keys):
            first = list(dict.fromkeys(settled[k]))
            equal(first, want[k], "key %d: each at least once, for the first time in order" % k)
            # What came again came in order, too, from some place on.
            falls = sum(b <= a for a, b in zip(settled[k], settled[k][1:]))
            check(falls <= rounds, "key %d: %d steps back with %d kills" % (k, falls, rounds))
        home.stop()


@test
def competing_consumers():
    """Two share; one is killed in the middle. Each event is settled, those of an aggregate in order."""
    keys, commands = 20, 200
    with Home("--event-log", "--projectors", "2") as home:
        c = home.start()
        ok(c.run(SCHEMA))
        args = [CLI, "consume", "mail", "--connect", home.address, "--format", "json", "--ack-timeout", "500"]
        # They print what they are given; killed, what one had printed and not acknowledged comes again.
        workers = [subprocess.Popen(args, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        lines = [[], []]

        def drain(i):
            for line in workers[i].stdout:
                lines[i].append(json.loads(line))

        threads = [threading.Thread(target=drain, args=(i,)) for i in range(2)]
        for t in threads:
            t.start()
        for k in range(keys):
            ok(c.run("INSERT INTO account VALUES (%d, 0)" % k))
        for n in range(commands):
            ok(c.run("UPDATE account SET n = n + 1 WHERE id = %d" % (n % keys)))
            if n == commands // 2:
                workers[0].kill()

        def done():
            return {(e["epoch"], e["shard"], e["number"]) for x in lines for e in x}

        deadline = time.monotonic() + 60
        while len(done()) < commands + keys and time.monotonic() < deadline:
            time.sleep(0.02)
        equal(len(done()), commands + keys, "all are given to someone")
        workers[1].send_signal(signal.SIGINT)
        for i, t in enumerate(threads):
            workers[i].wait()
            t.join()
        check(min(len(x) for x in lines) > 20, "both had some: %r" % [len(x) for x in lines])
        for x in lines:
            for k in range(keys):
                ids = [(e["epoch"], e["shard"], e["number"]) for e in x if e["key"] == k]
                equal(ids, sorted(ids), "key %d of one of them: in order" % k)
        home.stop()


@test
def dead_letters():
    with Home("--event-log") as home:
        c = home.start()
        ok(c.run(SCHEMA))
        for k in range(3):
            ok(c.run("INSERT INTO account VALUES (%d, 0)" % k))
        ok(c.run("UPDATE account SET n = 1 WHERE id = 1"))
        m = Member(home.address, "mail", attempts=3)
        bad, seen = [], []
        while len(seen) < 3:
            for e in m.frame():
                if e.key == 1 and e.changes[0][0] == "insert":
                    bad.append(e.attempt)
                    m.settle([e], 1)
                else:
                    seen.append(e.key)
                    m.settle([e])
        equal(bad, [1, 2, 3], "it was tried so often")
        equal(sorted(seen), [0, 1, 2], "the others, and the next one of its aggregate")
        m.connection.send(consume_frame(9, "", STOP))
        check(m.frame() is None and m.error.state == "57014", "it has left")
        dead = home.cli("consume", "mail", "--dead").stdout
        check(",3," in dead and "INSERT INTO account VALUES (1, 0)" in dead, dead)
        home.kill()
        c = home.start()
        equal(c.run("SELECT attempts FROM leftfold_dead_letters").rows("q"), [[3]], "it survives")
        equal(home.cli("consume", "mail", "--requeue").stdout, "1\n", "requeued")
        line = json.loads(home.cli("consume", "mail", "--format", "json", "--max", "1").stdout)
        equal((line["key"], line["attempt"], line["changes"][0]["kind"]), (1, 1, "insert"), "again")
        deadline = time.monotonic() + 30
        while c.run("SELECT count(*) FROM leftfold_dead_letters").rows("q") != [[0]]:
            check(time.monotonic() < deadline, "acknowledged, it goes")
            time.sleep(0.01)
        equal(home.cli("consume", "nobody", "--requeue", check=False).returncode, 1, "of nobody")
        # The group's own tables are no events.
        equal({name for e in Stream(home.address).all() for _, name, _ in e.changes}, {"account"}, "tables")
        # What is not kept any more.
        m = Member(home.address, "late", 0, after=(1, 0, 0))
        check(m.error is None, "there is nothing before it")
        home.stop()


if __name__ == "__main__":
    sys.exit(cases.run())
