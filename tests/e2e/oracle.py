"""Random commands against the server and against PostgreSQL: what came of each, as comparable values.

A command is SQL text, or a Prepared: text with $1… that the server gets as a prepared statement with binary
parameters and PostgreSQL as literals. What came of it is ("done", rows changed, RETURNING's rows in order of
their text) or ("error", SQLSTATE). A command that starts with "TRUNCATE" tells no count.
"""

import csv
import io
import re
import struct
import threading

from harness import Failure, differences, run, sorted_csv
import wire

WINDOW = 64  # commands under way on one connection
TYPE_KINDS = {1: "b", 2: "h", 3: "i", 4: "q", 6: "d", 7: "n", 8: "t", 9: "t", 10: "t"}


class Prepared:
    """kinds: a letter a parameter as in wire.row(), and n for numeric (given as text)."""

    def __init__(self, text, kinds, *values):
        self.text, self.kinds, self.values = text, kinds, values

    def row(self):
        return wire.row(self.kinds, self.values)

    def literal(self):
        def one(m):
            k, v = self.kinds[int(m.group(1)) - 1], self.values[int(m.group(1)) - 1]
            if v is None:
                return "NULL"
            return "'%s'" % v.replace("'", "''") if k == "t" else "(%s)" % v
        return re.sub(r"\$(\d+)", one, self.text)


def literal(command):
    return command.literal() if isinstance(command, Prepared) else command


def is_truncate(command):
    return literal(command).startswith("TRUNCATE")


def psql_outcomes(postgres, commands):
    """Runs them in order; several statements in one command are one transaction."""
    mark = "=-= end of command =-="
    script = "".join("%s;\n\\echo %s\n" % (re.sub(r";\s+", " \\\\; ", literal(c)), mark) for c in commands)
    args = ["psql", "-X", "-h", postgres.dir, "-U", "postgres", "-v", "VERBOSITY=sqlstate", "--csv",
            "-f", "-", "postgres"]
    # Standard error in its place among the output.
    done = run(["sh", "-c", 'exec "$@" 2>&1', "sh"] + args, stdin=script)
    chunks = done.stdout.split(mark + "\n")
    if len(chunks) != len(commands) + 1:
        raise Failure("psql answered %d of %d commands:\n%s" %
                      (len(chunks) - 1, len(commands), done.stdout[-500:]))
    return [psql_outcome(c) for c in chunks[:-1]]


def psql_outcome(text):
    error = re.search(r"ERROR:  (\w{5})$", text, re.M)
    if error:
        return ("error", error.group(1))
    count, body = 0, []
    for line in text.splitlines(True):
        tag = re.match(r"(?:INSERT 0|UPDATE|DELETE) (\d+)$", line)
        if tag:
            count += int(tag.group(1))
        elif line != "TRUNCATE TABLE\n":
            body.append(line)
    rows = list(csv.reader(io.StringIO("".join(body))))[1:]
    return ("done", count, sorted(rows))


class Lane:
    """One connection with many commands under way; answers are matched by request."""

    def __init__(self, address):
        self.connection = wire.Connection(address, timeout=300)
        self.handles = {}   # text of a Prepared: handle
        self.columns = {}   # request: kinds of its result columns
        self.rows = {}
        self.outcomes = {}  # request: outcome
        self.kinds = {}     # text of a Prepared: kinds of its result columns
        self.epoch = 0

    def settle(self, request, outcome):
        if outcome[0] == "done":
            outcome += (sorted(self.rows.pop(request, [])),)
        self.outcomes[request] = outcome

    def take(self):
        """Receive one frame; returns it."""
        a = self.connection.receive()
        if a is None:
            raise Failure("the server has closed the connection")
        if a.flags & wire.ASYNC:
            raise Failure("asynchronous error %s: %s" % (a.state, a.message))
        if a.kind == wire.PREPARED:
            self.columns[a.request] = result_kinds(a)
        elif a.kind == wire.ROWS:
            for row in a.rows(self.columns[a.request]):
                self.rows.setdefault(a.request, []).append(["" if v is None else str(v) for v in row])
        elif a.kind == wire.ERROR:
            self.settle(a.request, ("error", a.state))
        elif a.kind == wire.DONE:
            self.epoch = max(self.epoch, a.epoch)
            self.settle(a.request, ("done", a.count))
        elif a.kind == wire.DONE_BATCH:
            for request, epoch, count in a.items:
                self.epoch = max(self.epoch, epoch)
                self.settle(request, ("done", count))
        return a

    def handle(self, text):
        """Prepared once a connection."""
        if text not in self.handles:
            c, request, encoded = self.connection, self.connection.request(), text.encode()
            c.send(wire.frame(wire.PREPARE, request, struct.pack("<HHI", 0, 0, len(encoded)) + encoded))
            while True:
                a = self.take()
                if a.request == request:
                    break
            if a.kind != wire.PREPARED:
                raise Failure("%s: %s" % (text, a.message))
            self.handles[text], self.kinds[text] = a.handle, self.columns.pop(request)
        return self.handles[text]

    def run(self, commands, ack):
        """Outcomes in order. ack(i): the level of the i-th command."""
        c, requests, out = self.connection, [], []
        for i, command in enumerate(commands):
            while len(requests) - len(self.outcomes) >= WINDOW:
                self.take()
            if isinstance(command, Prepared):
                handle = self.handle(command.text)
                requests.append(c.request())
                self.columns[requests[-1]] = self.kinds[command.text]
                c.send(c.execute(handle, command.row(), ack=ack(i), request=requests[-1]))
            else:
                requests.append(c.request())
                c.send(c.query(command, ack=ack(i), request=requests[-1]))
        while len(self.outcomes) < len(requests):
            self.take()
        out = [self.outcomes.pop(r) for r in requests]
        self.columns.clear()
        return out


def result_kinds(prepared):
    """Letters of the result columns in the body of PREPARED."""
    at, kinds = 16 + 4 * prepared.nparams, ""
    for _ in range(prepared.nresults):
        kinds += TYPE_KINDS.get(prepared.body[at], "?")
        at += 6 + struct.unpack_from("<H", prepared.body, at + 4)[0]
    return kinds


def run_lanes(lanes, parts, ack):
    """Each lane its commands, all at once. parts: for each lane a list of (position, command); returns
    {position: outcome}. The newest epoch is visible afterwards."""
    out, failures = {}, []

    def work(lane, part):
        try:
            outcomes = lane.run([c for _, c in part], ack)
            out.update(zip((p for p, _ in part), outcomes))
        except Exception as e:  # shown by the main thread
            failures.append(e)

    threads = [threading.Thread(target=work, args=a) for a in zip(lanes, parts)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failures:
        raise failures[0]
    return out


def compare_outcomes(commands, expected, actual, most=5):
    bad = []
    for i, c in enumerate(commands):
        want, got = expected[i], actual[i]
        if is_truncate(c) and want[0] == got[0] == "done":
            continue
        if want != got:
            bad.append("%s\n    PostgreSQL %r\n    here       %r" % (literal(c)[:300], want, got))
    if bad:
        raise Failure("%d answers differ:\n  %s" % (len(bad), "\n  ".join(bad[:most])))


class Snapshot:
    """Answers of PostgreSQL to a list of queries at one point, by query."""

    def __init__(self, postgres, queries):
        mark = "=-= end of query =-="
        script = "".join("%s;\n\\echo %s\n" % (q, mark) for q in queries)
        chunks = postgres.psql(script).stdout.split(mark + "\n")
        if len(chunks) != len(queries) + 1:
            raise Failure("psql answered %d of %d queries" % (len(chunks) - 1, len(queries)))
        self.answers = list(zip(queries, chunks))

    def compare(self, server, point):
        """Through the command-line client, as text; with ORDER BY also in order."""
        bad = []
        for query, expected in self.answers:
            actual = server.query(query)
            if actual == expected:
                continue
            if "ORDER BY" in query:
                bad.append("%s after %s:\n%s\ninstead of\n%s" % (query, point, actual[:500], expected[:500]))
                continue
            text = differences("%s after %s" % (query, point), sorted_csv(expected), sorted_csv(actual))
            if text:
                bad.append(text)
        if bad:
            raise Failure("\n".join(bad))


def check_rows_seen(snapshots, names):
    """Of the first queries: random commands may empty a view of few rows, but not at every point."""
    for at, name in enumerate(names):
        if all(len(s.answers[at][1].splitlines()) < 2 for s in snapshots):
            raise Failure("%s never has rows: it tests nothing" % name)
