"""The cases of a script of end-to-end tests: functions marked @test, run in order; on the command line, words that their
names must have. A case fails by any exception."""

import sys
import time
import traceback

import harness

TESTS = []


def test(f):
    TESTS.append(f)
    return f


def server_test(*flags, reactors=1, projectors=2):
    """Marks a case that is given a server of its own."""
    def register(f):
        def with_server():
            server = harness.Server(reactors=reactors, projectors=projectors, extra=flags)
            try:
                f(server)
            finally:
                server.stop()
        with_server.__name__ = f.__name__
        return test(with_server)
    return register


def equal(actual, expected, what):
    if actual != expected:
        raise harness.Failure("%s: %r instead of %r" % (what, actual, expected))


def check(condition, what):
    if not condition:
        raise harness.Failure(what)


def run():
    """Run them; the exit code."""
    failed = []
    for f in TESTS:
        if len(sys.argv) > 1 and not any(word in f.__name__ for word in sys.argv[1:]):
            continue
        begin = time.monotonic()
        error = ""
        try:
            f()
        except Exception:  # pylint: disable=broad-except
            error = "\n" + traceback.format_exc()
            failed.append(f.__name__)
        print("%-4s %s (%.1f s)%s" % ("FAIL" if error else "ok", f.__name__, time.monotonic() - begin, error))
        sys.stdout.flush()
    if failed:
        print("failed: " + " ".join(failed))
    return 1 if failed else 0
