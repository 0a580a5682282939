#!/usr/bin/python3
"""make demo, small: it plays to its end and cleans up, also when it is interrupted or cannot start."""

import os
import signal
import subprocess
import sys
import tempfile
import time

from harness import BUILD, Failure

DEMO = os.path.join(BUILD, "leftfold-demo")
LIMIT_S = 300


def start(tmp, extra=()):
    env = dict(os.environ, TMPDIR=tmp)
    return subprocess.Popen([DEMO, "--build", BUILD, "--small"] + list(extra), env=env, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def nothing_left(tmp):
    if os.listdir(tmp):
        raise Failure("left behind: %s" % os.listdir(tmp))


def plays(tmp):
    demo = start(tmp)
    out, _ = demo.communicate(timeout=LIMIT_S)
    if demo.returncode != 0:
        raise Failure("exit %d\n%s" % (demo.returncode, out))
    for words in ("Every table and every view is equal", "order_summary", "most_needed"):
        if words not in out:
            raise Failure("%r is not in\n%s" % (words, out))
    if "DIFFERENT" in out or "\033" in out or "\r" in out:
        raise Failure("not as it should be:\n%s" % out)
    wide = [line for line in out.splitlines() if len(line) > 100]
    if wide:
        raise Failure("wider than 100: %r" % wide[:3])
    nothing_left(tmp)


def is_interrupted(tmp):
    demo = start(tmp)
    deadline = time.monotonic() + LIMIT_S
    while not os.listdir(tmp) and time.monotonic() < deadline:
        time.sleep(0.01)
    demo.send_signal(signal.SIGINT)
    out, _ = demo.communicate(timeout=LIMIT_S)
    if demo.returncode != 128 + signal.SIGINT:
        raise Failure("interrupted: exit %d\n%s" % (demo.returncode, out))
    nothing_left(tmp)


def has_no_server(tmp):
    demo = start(tmp, ["--build", tmp])
    out, _ = demo.communicate(timeout=LIMIT_S)
    if demo.returncode != 1 or "leftfoldd" not in out:
        raise Failure("without a server: exit %d\n%s" % (demo.returncode, out))
    nothing_left(tmp)


def main():
    for test in (plays, is_interrupted, has_no_server):
        # A short name: the demo takes TMPDIR only when its paths stay short.
        with tempfile.TemporaryDirectory(prefix="lfd-", dir="/tmp") as tmp:
            test(tmp)
            print("ok %s" % test.__name__)


if __name__ == "__main__":
    try:
        main()
    except Failure as e:
        print("FAIL: %s" % e)
        sys.exit(1)
