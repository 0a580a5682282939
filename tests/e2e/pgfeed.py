"""What the tests of leftfold-pgfeed share: a PostgreSQL that is killed and comes back, a Leftfold that keeps its port, the feed,
and a wire between them that can be cut."""

import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from harness import BUILD, THREADS, Failure, Postgres, differences, run, sorted_csv

SECONDS = 60
FEED = os.path.join(BUILD, "leftfold-pgfeed")
SETTINGS = {"wal_level": "logical", "max_wal_senders": "20", "max_replication_slots": "40",
            "logical_decoding_work_mem": "64kB", "fsync": "off", "full_page_writes": "off", "timezone": "UTC",
            "jit": "off", "max_prepared_transactions": "2", "wal_sender_timeout": "20s"}


def check(ok, what, *more):
    if not ok:
        raise Failure(what + "".join("\n--- %s" % (m,) for m in more))


def wait_for(what, f, seconds=SECONDS):
    deadline = time.monotonic() + seconds
    while True:
        value = f()
        if value:
            return value
        check(time.monotonic() < deadline, "waited %d s for %s" % (seconds, what))
        time.sleep(0.02)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Source(Postgres):
    """A PostgreSQL with a port, to be stopped, killed and started again with other settings."""

    def __init__(self, **settings):
        super().__init__()
        self.port = free_port()
        self._tool("pg_ctl", "-D", self.dir + "/data", "-m", "immediate", "stop")
        self.settings = dict(SETTINGS, **settings)
        self.start()

    def start(self):
        options = " ".join("-c %s=%s" % s for s in self.settings.items())
        self._tool("pg_ctl", "-D", self.dir + "/data", "-w", "-l", self.dir + "/log", "-o",
                   "-k %s -c listen_addresses=127.0.0.1 -p %d %s" % (self.dir, self.port, options), "start")

    def stop(self, mode="fast"):
        self._tool("pg_ctl", "-D", self.dir + "/data", "-w", "-m", mode, "stop")

    def kill(self):
        """As if its processes had died; it is started again by start()."""
        with open(self.dir + "/data/postmaster.pid") as f:
            pid = int(f.readline())
        os.kill(pid, signal.SIGKILL)

        def gone():
            # Its children see it and end; the shared memory of those that have not keeps it from starting.
            return run(["pgrep", "-g", str(pid)], check=False).returncode != 0 and not os.path.exists("/proc/%d" % pid)
        wait_for("the end of PostgreSQL's processes", gone)

    def psql(self, sql, check=True, timeout=600, database="postgres", user="postgres"):
        args = ["psql", "-X", "-q", "-h", self.dir, "-p", str(self.port), "-U", user, "-v", "ON_ERROR_STOP=1", "--csv",
                database]
        return run(args, stdin=sql, check=check, timeout=timeout)

    def info(self, user="postgres", host=None, port=None, database="postgres"):
        return "host=%s port=%d user=%s dbname=%s" % (host or self.dir, port or self.port, user, database)

    def close(self):
        Feed.end_all()
        try:
            super().close()
        except Failure:
            shutil.rmtree(self.dir, ignore_errors=True)


class Leftfold:
    """leftfoldd with a directory and a port that stay."""

    def __init__(self, projectors=2, durability="os", data=True):
        self.dir = tempfile.mkdtemp(prefix="leftfold-pgfeed-")
        self.port = free_port()
        self.address = "127.0.0.1:%d" % self.port
        self.log = open(self.dir + "/log", "w+")
        self.args = [os.path.join(BUILD, "leftfoldd"), "--listen", self.address, "--projectors", str(projectors),
                     "--threads", next(THREADS), "--segment-size", "1M"]
        if data:
            self.args += ["--data", self.dir + "/data", "--durability", durability]
        self.process = None
        self.start()

    def start(self):
        port_file = self.dir + "/port"
        if os.path.exists(port_file):
            os.unlink(port_file)
        self.process = subprocess.Popen(self.args + ["--port-file", port_file], stdout=self.log, stderr=self.log)
        wait_for("leftfoldd", lambda: os.path.exists(port_file) or self.process.poll() is not None)
        check(self.process.poll() is None, "leftfoldd did not start", self.output())

    def output(self):
        self.log.seek(0)
        return self.log.read()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def sql(self, text, check=True):
        return run([os.path.join(BUILD, "leftfold"), "--connect", self.address, "--format", "csv", "-f", "-"], stdin=text,
                   check=check)

    def query(self, sql):
        return run([os.path.join(BUILD, "leftfold"), "--connect", self.address, "--format", "csv", "-c", sql]).stdout

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                code = self.process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
                code = -1
            output = self.output()
            check(code == 0, "leftfoldd: exit %d" % code, output)
        check("Sanitizer" not in self.output(), "a sanitizer's report", self.output())
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Feed:
    """A leftfold-pgfeed that runs. Its log is in .output() at any time."""

    started = []

    @classmethod
    def end_all(cls):
        """What a test that has failed left behind."""
        for f in cls.started:
            if f.process.poll() is None:
                f.process.kill()
                f.process.wait()
        cls.started.clear()

    def __init__(self, source, target, *flags, info=None, to=None):
        self.file = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([FEED, "--from", info or source.info(), "--to", to or target.address, "--report", "0"] +
                                        list(flags), stdout=self.file, stderr=self.file, stdin=subprocess.DEVNULL)
        Feed.started.append(self)

    def output(self):
        self.file.seek(0)
        return self.file.read()

    def says(self, text):
        def said():
            check(self.process.poll() is None or text in self.output(), "the feed ended without %r" % text, self.output())
            return text in self.output()
        wait_for("%r of the feed" % text, said)
        return self

    def wait(self, code=0, seconds=SECONDS):
        try:
            found = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            found = None
        output = self.output()
        self.file.close()
        check(found == code, "leftfold-pgfeed: exit %s instead of %s" % (found, code), output)
        check("Sanitizer" not in output, "a sanitizer's report", output)
        return output

    def stop(self, code=0):
        self.process.send_signal(signal.SIGTERM)
        return self.wait(code)

    def kill(self):
        self.process.kill()
        self.process.wait()
        output = self.output()
        self.file.close()
        check("Sanitizer" not in output, "a sanitizer's report", output)
        return output


def feed(source, target, *flags, code=0, info=None, to=None):
    """Run it to its end; its output."""
    return Feed(source, target, *flags, info=info, to=to).wait(code)


def compare(source, target, pairs, database="postgres"):
    """pairs: (query of PostgreSQL's, query of Leftfold's); rows in any order."""
    for theirs, ours in pairs:
        expected, actual = source.psql(theirs, database=database).stdout, target.query(ours)
        text = differences(ours, sorted_csv(expected), sorted_csv(actual))
        check(text is None, "Leftfold is not as PostgreSQL", text)


class Wire:
    """Forwards connections to a port, until it is cut: then they break, and new ones are refused while `down`."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        self.pairs, self.down, self.closed = [], False, False
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def cut(self, down=False):
        with self.lock:
            self.down = down
            for a, b in self.pairs:
                for s in (a, b):
                    try:
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    except OSError:
                        pass
                    s.close()
            self.pairs = []

    def up(self):
        self.down = False

    def _accept(self):
        a, _ = self.listener.accept()
        if self.down:
            a.close()
            return
        try:
            self.pairs.append((a, socket.create_connection(("127.0.0.1", self.target))))
        except OSError:
            a.close()

    def _forward(self, pair, from_, to):
        try:
            data = from_.recv(1 << 16)
            if data:
                to.sendall(data)
                return
        except OSError:
            pass
        self.pairs.remove(pair)
        pair[0].close()
        pair[1].close()

    def _run(self):
        while not self.closed:
            with self.lock:
                ends = {s: (p, s, p[1] if s is p[0] else p[0]) for p in self.pairs for s in p}
                ready, _, _ = select.select([self.listener] + list(ends), [], [], 0.02)
                for s in ready:
                    if s is self.listener:
                        self._accept()
                    elif ends[s][0] in self.pairs:
                        self._forward(*ends[s])
            time.sleep(0.0005)

    def close(self):
        self.closed = True
        self.thread.join()
        self.cut()
        self.listener.close()
