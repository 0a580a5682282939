"""What the end-to-end tests share: a throw-away PostgreSQL, the server under test, its client."""

import argparse
import glob
import itertools
import os
import pwd
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("LEFTFOLD_BUILD", os.path.join(ROOT, "build"))

# Small for builds that are slow by nature (make sets it for the sanitizers).
SMALL = os.environ.get("LEFTFOLD_TEST_SIZE", "full") == "small"


# Built with a sanitizer: slow, and its memory says nothing.
SANITIZED = os.path.basename(BUILD.rstrip("/")) in ("asan", "tsan")


class Failure(Exception):
    pass


class Starved(Exception):
    """The test itself was not run in time: what it saw says nothing, and it is to be tried again."""


def attempts(f, most=5):
    """Call f until it is not starved."""
    for _ in range(most - 1):
        try:
            return f()
        except Starved as e:
            print("again: %s" % e)
    return f()


def run(args, stdin=None, check=True, env=None, timeout=600):
    done = subprocess.run(args, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env=env, timeout=timeout)
    if check and done.returncode != 0:
        raise Failure("%s: exit %d\n%s%s" % (" ".join(args)[:300], done.returncode,
                                             done.stdout[-2000:], done.stderr[-2000:]))
    return done


class Postgres:
    """A cluster of its own in a temporary directory, on a Unix socket only."""

    def __init__(self):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
        if not found:
            raise Failure("PostgreSQL's server programs are not installed")
        self.bin = os.path.dirname(found[-1])
        self.dir = tempfile.mkdtemp(prefix="leftfold-pg-")
        self.prefix = []
        if os.getuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.dir, user.pw_uid, user.pw_gid)
            self.prefix = ["runuser", "-u", "postgres", "--"]
        try:
            self._tool("initdb", "-D", self.dir + "/data", "-A", "trust", "-U", "postgres",
                       "--locale=C", "-E", "UTF8", "--no-sync")
            self._tool("pg_ctl", "-D", self.dir + "/data", "-w", "-l", self.dir + "/log", "-o",
                       "-k %s -c listen_addresses='' -c fsync=off -c synchronous_commit=off "
                       "-c full_page_writes=off -c timezone=UTC -c jit=off" % self.dir, "start")
        except Failure:
            shutil.rmtree(self.dir, ignore_errors=True)
            raise

    def _tool(self, name, *args):
        return run(self.prefix + [os.path.join(self.bin, name)] + list(args))

    def psql(self, sql, check=True, timeout=600):
        args = ["psql", "-X", "-q", "-h", self.dir, "-U", "postgres", "-v", "ON_ERROR_STOP=1",
                "--csv", "postgres"]
        return run(args, stdin=sql, check=check, timeout=timeout)

    def close(self):
        try:
            self._tool("pg_ctl", "-D", self.dir + "/data", "-m", "immediate", "stop")
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)


# Servers get the two ways of dividing work among threads in turn, whatever this machine's number of processors.
THREADS = itertools.repeat(os.environ["LEFTFOLD_THREADS"]) if "LEFTFOLD_THREADS" in os.environ else \
    itertools.cycle(["shared", "dedicated"])


# … and to make views over the same rows, at once and while commands go on.
AT_ONCE = itertools.cycle(["0", "4096"])


class Server:
    """leftfoldd on a free port of the loopback interface."""

    def __init__(self, reactors=1, projectors=1, schema=None, extra=()):
        self.dir = tempfile.mkdtemp(prefix="leftfold-e2e-")
        port_file = os.path.join(self.dir, "port")
        args = [os.path.join(BUILD, "leftfoldd"), "--listen", "127.0.0.1:0", "--port-file",
                port_file, "--data", os.path.join(self.dir, "data"), "--reactors", str(reactors),
                "--projectors", str(projectors), "--threads", next(THREADS), "--segment-size", "1M",
                "--slow-timeout", "600", "--build-at-once", next(AT_ONCE)] + list(extra)
        if schema:
            args += ["--schema", schema]
        self.log = open(os.path.join(self.dir, "log"), "w+")
        self._start(args, port_file)

    def restart(self):
        """Kill it, and start it again on what it has kept, on another port."""
        self.process.kill()
        self.process.wait()
        os.unlink(self.port_file)
        self._start(self.args, self.port_file)

    def _start(self, args, port_file):
        self.args, self.port_file = args, port_file
        self.process = subprocess.Popen(args, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 60
        while not os.path.exists(port_file):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop(check=False)
                raise Failure("leftfoldd did not start:\n" + self.output)
            time.sleep(0.01)
        with open(port_file) as f:
            self.address = "127.0.0.1:" + f.read().split()[-1].split(":")[-1]

    def cli(self, sql, check=True, extra=(), timeout=600):
        args = [os.path.join(BUILD, "leftfold"), "--connect", self.address, "--format", "csv",
                "-f", "-"] + list(extra)
        return run(args, stdin=sql, check=check, timeout=timeout)

    def query(self, sql):
        return run([os.path.join(BUILD, "leftfold"), "--connect", self.address, "--format", "csv",
                    "-c", sql]).stdout

    def stop(self, check=True):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.seek(0)
        self.output = self.log.read()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)
        if check and self.process.returncode != 0:
            raise Failure("leftfoldd: exit %d\n%s" % (self.process.returncode, self.output))

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        """Stop it; after a failure also print what it said, whether it still runs or not."""
        self.stop(check=kind is None)
        if kind is not None:
            print(self.output)


def round_options(rounds):
    """A parser for a test of random rounds, each of which repeats by the seed and its number."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("LEFTFOLD_SEED", random.randrange(1 << 30))))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--keep-going", action="store_true")
    return parser


PROGRESS = 500  # rounds from one line about it to the next


def play_rounds(options, play):
    """play(number) of each; how many failed. The first that does ends it, unless it is to keep going."""
    begin, failures = time.monotonic(), 0
    for number in range(options.first, options.first + options.rounds):
        if number > options.first and number % PROGRESS == 0:
            print("%d rounds (%.0f s)" % (number - options.first, time.monotonic() - begin), flush=True)
        try:
            play(number)
        except Failure as e:
            failures += 1
            if not options.keep_going:
                raise
            print("FAIL: %s\n" % e, flush=True)
    return failures


def shapes():
    """(reactors, projectors) to test with."""
    return [(1, 2), (2, 4)] if SMALL else [(1, 1), (1, 2), (2, 2), (2, 4)]


def sorted_csv(text):
    """Header first, then the rows in a fixed order (records may hold line breaks)."""
    import csv
    import io
    rows = list(csv.reader(io.StringIO(text)))
    return rows[:1] + sorted(rows[1:])


def differences(name, expected, actual, most=5):
    """None when equal, else a text that shows where not."""
    if expected == actual:
        return None
    lines = ["%s: %d rows expected, %d found" % (name, len(expected) - 1, len(actual) - 1)]
    if expected[:1] != actual[:1]:
        lines.append("  header %r instead of %r" % (actual[:1], expected[:1]))
    left, right = {}, {}
    for row in expected[1:]:
        left[tuple(row)] = left.get(tuple(row), 0) + 1
    for row in actual[1:]:
        right[tuple(row)] = right.get(tuple(row), 0) + 1
    missing = [r for r in left if left[r] > right.get(r, 0)]
    extra = [r for r in right if right[r] > left.get(r, 0)]
    lines += ["  missing %r" % (r,) for r in missing[:most]]
    lines += ["  surplus %r" % (r,) for r in extra[:most]]
    return "\n".join(lines)


def skip(why):
    """Say why a test is skipped; tests/run lets nothing be skipped where CI=true."""
    print("SKIP: %s" % why)
    sys.exit(77)
