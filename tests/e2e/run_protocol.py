#!/usr/bin/python3
"""The server against clients that behave badly, or well in unusual ways: bytes on plain sockets.

run_protocol.py [NAME...] runs the tests whose names contain one of the words; each has a server of its own.
"""

import re
import socket
import struct
import sys
import time

import harness
from wire import *

TESTS = []


def test(*flags, reactors=1, projectors=2):
    def register(f):
        TESTS.append((f, flags, reactors, projectors))
        return f
    return register


def equal(actual, expected, what):
    if actual != expected:
        raise harness.Failure("%s: %r instead of %r" % (what, actual, expected))


def check(condition, what):
    if not condition:
        raise harness.Failure(what)


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


@test()
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


def main():
    failed = []
    for f, flags, reactors, projectors in TESTS:
        if len(sys.argv) > 1 and not any(word in f.__name__ for word in sys.argv[1:]):
            continue
        server = harness.Server(reactors=reactors, projectors=projectors, extra=flags)
        begin = time.monotonic()
        error = None
        try:
            f(server)
        except (harness.Failure, AssertionError, OSError, struct.error) as e:
            error = "%s: %s" % (type(e).__name__, e)
        try:
            server.stop()
        except harness.Failure as e:
            error = "%s\n%s" % (error, e) if error else str(e)
        print("%-4s %s (%.1f s)%s" % ("FAIL" if error else "ok", f.__name__,
                                      time.monotonic() - begin, "\n" + error if error else ""))
        sys.stdout.flush()
        if error:
            failed.append(f.__name__)
    if failed:
        print("failed: " + " ".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
