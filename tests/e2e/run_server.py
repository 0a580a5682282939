#!/usr/bin/python3
"""leftfoldd as a program: flags, start, files, signals, exit codes."""

import os
import re
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time

import harness
from cases import check, equal, run, test
from wire import *

SERVER = os.path.join(harness.BUILD, "leftfoldd")


def wait_for(condition, what, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < deadline, "never: " + what)
        time.sleep(0.01)


def once(*flags, status=None):
    """Run it where it is expected to end by itself."""
    done = subprocess.run([SERVER] + list(flags), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60)
    if status is not None:
        equal(done.returncode, status, "exit code of %s" % " ".join(flags))
    return done


class Running:
    """A server with exactly the given flags (and a port file), killed at the end if it still runs."""

    def __init__(self, *flags, listen="127.0.0.1:0", preexec=None):
        self.dir = tempfile.mkdtemp(prefix="leftfold-e2e-")
        self.port_file = os.path.join(self.dir, "port")
        self.process = subprocess.Popen(
            [SERVER, "--listen", listen, "--port-file", self.port_file] + list(flags),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=preexec)

    def __enter__(self):
        try:
            wait_for(lambda: os.path.exists(self.port_file) or self.process.poll() is not None, "ready")
        except harness.Failure:
            self.__exit__()
            raise
        if self.process.poll() is not None:
            raise harness.Failure("ended: " + self.process.stderr.read())
        with open(self.port_file) as f:
            self.text = f.read()
        self.address = self.text.strip()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        shutil.rmtree(self.dir, ignore_errors=True)

    def wait(self):
        """The exit code; output in out and err."""
        self.out, self.err = self.process.communicate(timeout=60)
        return self.process.returncode


# --- flags ---


@test
def help_and_version():
    text = once("--help", status=0).stdout
    for flag in ("--schema", "--data", "--listen", "--port-file", "--reactors", "--projectors",
                 "--memory-limit", "--max-connections", "--max-frame", "--max-output", "--max-statements",
                 "--max-requests", "--idle-timeout", "--slow-timeout", "--hello-timeout", "--log-level",
                 "--help", "--version"):
        check(flag + " " in text or flag + "," in text or flag + "\n" in text, "--help tells of " + flag)
    for code in ("0 ", "1 ", "2 ", "3 "):
        check(code in text[text.index("Exit codes"):], "--help tells of exit code " + code)
    check(re.fullmatch(r"leftfoldd \d+\.\d+\.\d+\n", once("--version", status=0).stdout), "--version")


@test
def wrong_flags():
    for flags in (["--nonsense"], ["argument"], ["--reactors"], ["--reactors", "0"], ["--reactors", "65"],
                  ["--reactors", "two"], ["--reactors", "1x"], ["--reactors", "-1"], ["--projectors", "0"],
                  ["--projectors", "65"], ["--memory-limit", "1"], ["--memory-limit", "12Q"],
                  ["--memory-limit", "99999999999999999999"], ["--memory-limit", "9999999999T"],
                  ["--max-connections", "0"], ["--max-frame", "10"], ["--max-output", ""],
                  ["--max-statements", "4097"], ["--max-requests", "0"], ["--idle-timeout", "-5"],
                  ["--slow-timeout", "x"], ["--hello-timeout", " "], ["--log-level", "loud"],
                  ["--threads", "both"]):
        done = once(*flags, status=2)
        equal(done.stdout, "", "standard output of " + " ".join(flags))
        check(flags[0].lstrip("-") in done.stderr, "the message names %s: %s" % (flags[0], done.stderr))


@test
def addresses_refused():
    for address, words in (("0.0.0.0:0", "loopback"), ("[::]:0", "loopback"), ("192.0.2.1:5466", "loopback"),
                           ("127.0.0.1", "ADDR:PORT"), ("127.0.0.1:http", "127.0.0.1:http"),
                           ("127.0.0.1:99999", "127.0.0.1:99999"), ("no such host:1", "no such host")):
        done = once("--listen", address, status=1)
        check(words in done.stderr and "--listen" in done.stderr, "%s: %s" % (address, done.stderr))
        equal(done.stdout, "", "no banner")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = once("--listen", "127.0.0.1:%d" % taken.getsockname()[1], status=1)
        check("in use" in done.stderr, "port taken: " + done.stderr)


# --- start ---


@test
def banner_and_port_file():
    with Running("--reactors", "2", "--projectors", "3", "--threads", "dedicated") as s:
        check(re.fullmatch(r"127\.0\.0\.1:[1-9]\d*\n", s.text), "port file: %r" % s.text)
        equal(os.listdir(s.dir), ["port"], "files beside the port file")
        equal(Connection(s.address).run("SELECT 1").kind in (ROWS, ERROR), True, "an answer")
        s.process.terminate()
        equal(s.wait(), 0, "exit code")
        check(re.fullmatch(r"leftfoldd [\d.]+ listening on %s, 2 reactors, 3 projectors\n" %
                           re.escape(s.address), s.out), "banner: %r" % s.out)


@test
def threads_by_processors():
    """Projectors have threads of their own only where there are processors for them, or when that is asked for."""
    def one_processor():
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    for flags, preexec, shared in (([], one_processor, True), (["--threads", "auto"], one_processor, True),
                                   (["--threads", "dedicated"], one_processor, False),
                                   (["--threads", "shared"], None, True),
                                   (["--threads", "shared", "--spin", "200"], None, True),
                                   (["--threads", "dedicated", "--spin", "200"], None, False),
                                   (["--projectors", "64"], None, os.cpu_count() < 65)):
        with Running(*flags, preexec=preexec) as s:
            c = Connection(s.address)
            equal(c.run("CREATE TABLE t (id int PRIMARY KEY, n int)").kind, DONE, "a table")
            equal(c.run("INSERT INTO t VALUES (1, 2), (2, 3)").kind, DONE, "rows")
            equal(c.run("CREATE MATERIALIZED VIEW v AS SELECT sum(n) AS n, count(*) AS c FROM t").kind, DONE, "a view")
            equal(c.run("SELECT n, c FROM v").kind, ROWS, "an answer")
            s.process.terminate()
            equal(s.wait(), 0, "exit code")
            equal("shared threads" in s.out, shared, "%s: %r" % (flags, s.out))


@test
def spinning():
    """Threads spin only where that leaves a processor to others; who spins hears of what is asked to end."""
    def one_processor():
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    for preexec, ignored in ((one_processor, True), (None, os.cpu_count() < 2)):
        with tempfile.TemporaryDirectory() as d, \
                Running("--threads", "shared", "--spin", "1000000", "--data", d, preexec=preexec) as s:
            c = Connection(s.address)
            equal(c.run("CREATE TABLE t (id int PRIMARY KEY)").kind, DONE, "a table")
            for i in range(100):
                equal(c.run("INSERT INTO t VALUES (%d)" % i).kind, DONE, "a row")
            s.process.terminate()
            equal(s.wait(), 0, "exit code")
            equal("--spin is ignored" in s.err, ignored, "a line in the log: %r" % s.err)
    once("--spin", "1000001", status=2)


@test
def stale_port_file():
    """One left over must not tell that a server is ready that cannot start."""
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "port")
        with open(path, "w") as f:
            f.write("127.0.0.1:1\n")
        once("--port-file", path, "--listen", "127.0.0.1:0", "--schema", "/nonexistent", status=1)
        check(not os.path.exists(path), "the old port file is gone")
        once("--port-file", os.path.join(d, "no", "such"), "--listen", "127.0.0.1:0", status=1)


@test
def ipv6():
    try:
        socket.socket(socket.AF_INET6).bind(("::1", 0))
    except OSError as e:
        print("SKIP: no IPv6 loopback here (%s)" % e)
        check(os.environ.get("CI") != "true", "where CI is set nothing may be skipped")
        return
    with Running(listen="[::1]:0") as s:
        check(s.address.startswith("[::1]:"), "port file: " + s.address)
        equal(Connection(s.address).run("CREATE TABLE t (id int PRIMARY KEY)").kind, DONE, "an answer")


@test
def data_directory():
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "data")
        old = os.umask(0)
        try:
            with Running("--data", path):
                mode = os.stat(path)
        finally:
            os.umask(old)
        check(stat.S_ISDIR(mode.st_mode), "a directory")
        equal(stat.S_IMODE(mode.st_mode), 0o700, "its mode")
        with Running("--data", path):
            pass
        done = once("--data", os.path.join(d, "a", "b"), "--listen", "127.0.0.1:0", status=1)
        check(os.path.join(d, "a", "b") in done.stderr, "message: " + done.stderr)
        with open(os.path.join(d, "file"), "w"):
            pass
        once("--data", os.path.join(d, "file"), "--listen", "127.0.0.1:0", status=1)


@test
def schema_file():
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "s.sql")

        def write(text):
            with open(path, "w") as f:
                f.write(text)

        write("-- größer\nCREATE TABLE t (id bigint PRIMARY KEY, n int CHECK (n > 0));\n"
              "INSERT INTO t VALUES (1, 10);\nCREATE MATERIALIZED VIEW v AS SELECT sum(n) AS s FROM t;\n")
        with Running("--schema", path) as s:
            equal(Connection(s.address).run("SELECT s FROM v").rows("q"), [[10]], "the view")
        for text, place, state in (
                ("CREATE TABLE t (id bigint PRIMARY KEY);\nSELEC 1;", "2:1", "42601"),
                ("-- größer als 3 €\nCREATE TABLE t (id bigint PRIMARY KEY);\n\nCREATE TABLE u (\n"
                 "  id bigint PRIMARY KEY, n nonsense);", "5:28", "42704"),
                ("CREATE TABLE \"ä\" (id int PRIMARY KEY); CREATE TABLE u (id whatever PRIMARY KEY);", "1:59",
                 "42704"),
                ("CREATE TABLE t (id bigint PRIMARY KEY, n int CHECK (n > 0));\n\n  INSERT INTO t VALUES (1, 0);\n",
                 "3:3", "23514"),
                ("CREATE TABLE t (id bigint PRIMARY KEY);\nCREATE TABLE t (id bigint PRIMARY KEY);", "2:",
                 "42P07")):
            write(text)
            done = once("--schema", path, "--listen", "127.0.0.1:0", status=1)
            check("%s:%s" % (path, place) in done.stderr and state in done.stderr,
                  "%s %s: %s" % (place, state, done.stderr))
            equal(done.stdout, "", "no banner")
        check("/nonexistent" in once("--schema", "/nonexistent", "--listen", "127.0.0.1:0", status=1).stderr,
              "the file is named")


# --- stop ---


def pending_commands(address, n):
    """A connection with n commands sent and no answer read."""
    c = Connection(address)
    equal(c.run("CREATE TABLE IF NOT EXISTS t (id bigint PRIMARY KEY, n int)").kind, DONE, "CREATE TABLE")
    insert = c.prepare("INSERT INTO t VALUES ($1, $2)").handle
    c.send(c.execute(insert, *[row("qi", [i, i]) for i in range(n)], request=1000))
    return c


@test
def drain():
    """SIGTERM: what was taken is answered, then the connection is closed with 57P01, then exit 0."""
    for number in (signal.SIGTERM, signal.SIGINT):
        with Running("--reactors", "2", "--projectors", "2") as s:
            c = pending_commands(s.address, 5000)
            idle = Connection(s.address)
            # The first answer has come: the frame was taken.
            a = c.receive()
            equal(a.kind, DONE_BATCH, "first answer")
            s.process.send_signal(number)
            answered, told = len(a.items), False
            while True:
                a = c.receive()
                if a is None:
                    break
                if a.kind == DONE_BATCH:
                    answered += len(a.items)
                else:
                    equal((a.state, a.flags, a.request), ("57P01", ASYNC, 0), "told")
                    told = True
            check(told, "told of the end")
            equal(answered, 5000, "answers")
            a = idle.receive()
            equal((a.state, a.flags, a.request), ("57P01", ASYNC, 0), "the idle one is told too")
            equal(idle.receive(), None, "then")
            equal(s.wait(), 0, "exit code")
            try:
                Connection(s.address)
                raise harness.Failure("a connection after the end")
            except ConnectionRefusedError:
                pass


def stuck_client(address):
    """A connection whose answer of 12 MB is under way and not read."""
    c = Connection(address, receive_buffer=4096, timeout=120)
    equal(c.run("CREATE TABLE t (id bigint PRIMARY KEY, s text)").kind, DONE, "CREATE TABLE")
    insert = c.prepare("INSERT INTO t VALUES ($1, $2)").handle
    c.send(c.execute(insert, *[row("qt", [i, "x" * 30000]) for i in range(400)]))
    n = 0
    while n < 400:
        n += len(c.receive().items)
    c.send(c.query("SELECT * FROM t"))
    check(c.socket.recv(1, socket.MSG_PEEK), "an answer is coming")
    return c


@test
def second_signal():
    """A client that takes nothing holds the drain up; a second signal does not wait for it."""
    def twice():
        with Running("--max-output", "64M") as s:
            c = stuck_client(s.address)
            begin = time.monotonic()
            s.process.terminate()
            line = s.process.stderr.readline()
            check("stopping" in line, "told: " + line)
            waits = s.process.poll() is None
            s.process.terminate()
            code = s.wait()
            # The drain is given up after five seconds.
            if time.monotonic() - begin > 4:
                raise harness.Starved("%.1f s between the signals" % (time.monotonic() - begin))
            check(waits, "it waits for the client")
            equal(code, 3, "exit code")
            c.close()

    harness.attempts(twice)


@test
def drain_is_bounded():
    with Running("--slow-timeout", "0") as s:
        c = stuck_client(s.address)
        s.process.terminate()
        equal(s.wait(), 0, "exit code")
        c.close()


# --- limits of the machine ---


@test
def out_of_descriptors():
    """Connections beyond the process's files wait; the server neither spins nor dies."""
    def few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    with Running(preexec=few_files) as s:
        def ticks():
            with open("/proc/%d/stat" % s.process.pid) as f:
                return sum(int(x) for x in f.read().rsplit(")", 1)[1].split()[11:13])

        many = [socket.create_connection(("127.0.0.1", int(s.address.rsplit(":")[-1]))) for _ in range(60)]
        time.sleep(0.3)
        before = ticks()
        time.sleep(1)
        check(ticks() - before <= 10, "%d ticks of processor time while waiting" % (ticks() - before))
        for c in many:
            c.close()
        equal(Connection(s.address).run("CREATE TABLE t (id int PRIMARY KEY)").kind, DONE, "after that")
        s.process.terminate()
        equal(s.wait(), 0, "exit code")
        equal(s.err.count("accept"), 1, "told once, not in every round: " + s.err)


@test
def view_beyond_its_limit():
    """It fails and gives its memory back by itself, while all else goes on."""
    for flags in ((), ("--projectors", "3"), ("--threads", "shared"), ("--threads", "dedicated")):
        with Running(*flags) as s:
            c = Connection(s.address)
            c.run("CREATE TABLE t (id bigint PRIMARY KEY, n int)")
            c.run("CREATE MATERIALIZED VIEW v WITH (memory_limit = '1MB') AS SELECT n, id FROM t")
            c.run("CREATE MATERIALIZED VIEW w AS SELECT count(*) AS n FROM t")
            for i in range(20):
                equal(c.run("INSERT INTO t VALUES " + ", ".join("(%d, %d)" % (1000 * i + k, k) for k in range(1000))).kind,
                      DONE, "INSERT")
            equal(c.run("SELECT state, sqlstate FROM leftfold_views ORDER BY name").rows("tt"),
                  [["failed", "53200"], ["ok", None]], "states")
            wait_for(lambda: c.run("SELECT bytes FROM leftfold_views WHERE name = 'v'").rows("q")[0][0] < 100000, "freed")
            equal(c.run("SELECT n FROM w").rows("q"), [[20000]], "the other view")
            c.run("ALTER MATERIALIZED VIEW v SET (memory_limit = '1GB')")
            done = []

            def read():
                """What the system views and a join tell meanwhile matters to the thread sanitizer only."""
                r = Connection(s.address)
                while not done:
                    for q in ("SELECT * FROM leftfold_operators", "SELECT * FROM leftfold_views",
                              "EXPLAIN ANALYZE SELECT v.n FROM v JOIN w ON v.n = w.n"):
                        r.run(q)

            reader = threading.Thread(target=read)
            reader.start()
            try:
                equal(c.run("REFRESH MATERIALIZED VIEW v").kind, DONE, "REFRESH")
                c.run("INSERT INTO t VALUES (-1, 0)")
                c.run("DELETE FROM t WHERE id = -1")
            finally:
                done.append(True)
                reader.join()
            equal(c.run("SELECT count(*) FROM v").rows("q"), [[20000]], "the view again")


@test
def raises_its_limit_of_files():
    def soft_limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    check(hard > 600, "this test needs a hard limit of more than 600 files")
    with Running("--max-connections", "200", preexec=soft_limit) as s:
        many = [Connection(s.address) for _ in range(150)]
        equal(many[-1].info()["connections"], 150, "connections")


if __name__ == "__main__":
    sys.exit(run())
