#!/usr/bin/python3
"""Commands with request ids are executed exactly once, whatever happens: connections cut in the middle of frames, the server
killed and started again with another number of projectors, checkpoints in between.

run_once.py [--commands N] [--seed S]: by default a few thousand; make once-long does 1,000,000. Two kinds of clients: the
example of the C library (tools/examples/once.c), and one on plain sockets which keeps a ledger of the answers that it got.
"""

import argparse
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

import harness
from chaos import Proxy
from datadir import Daemon
from harness import BUILD, ROOT, Failure
from wire import (DONE, DONE_BATCH, DURABLE, ERROR, MORE, ROWS, VISIBLE, Connection, row)

EXAMPLES = 3
LEDGERS = 2
ACCOUNTS = 20
SCHEMA = """
CREATE TABLE account (id bigint PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE entry (account bigint, n bigint, PRIMARY KEY (account, n));
CREATE TABLE journal (what bigint);
CREATE MATERIALIZED VIEW total AS SELECT 1 AS k, sum(balance) AS balance FROM account;
CREATE UNIQUE INDEX ON total (k);
"""


def build_example(into):
    variant = os.path.basename(BUILD.rstrip("/"))
    flags = {"asan": ["-fsanitize=address,undefined"], "tsan": ["-fsanitize=thread"]}.get(variant, [])
    program = os.path.join(into, "once")
    harness.run(["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"] + flags +
                ["-I", os.path.join(BUILD, "include"), os.path.join(ROOT, "tools/examples/once.c"),
                 os.path.join(BUILD, "libleftfold.a"), "-lm", "-o", program])
    return program


class Server:
    """Started again and again on one directory; killed in between."""

    def __init__(self, data, proxy, rng):
        self.data, self.proxy, self.random = data, proxy, rng
        self.kills = 0
        self.daemon = None

    def start(self):
        self.daemon = Daemon(self.data, reactors=self.random.choice((1, 2)), projectors=self.random.choice((1, 2, 3)),
                             durability=self.random.choice(("disk", "os")))
        self.proxy.server = self.daemon.address

    def kill(self):
        self.proxy.server = None
        self.daemon.kill()
        self.kills += 1

    def run(self, text):
        c = self.daemon.connect()
        try:
            return c.run(text)
        finally:
            c.close()


class Ledger(threading.Thread):
    """A client of its own, in windows: what is not answered is sent again over the next connection, and now and then what is
    answered, which must be answered the same."""

    WINDOW = 40

    def __init__(self, proxy, client, commands, seed):
        super().__init__()
        self.proxy, self.client, self.commands = proxy, client, commands
        self.random = random.Random(seed)
        self.answers = {}
        self.deposits = 0
        self.repeated = 0
        self.error = None
        self.deadline = time.monotonic() + 60 + commands / 100

    def connect(self):
        while True:
            if time.monotonic() > self.deadline:
                raise Failure("client %d: no connection in time" % self.client)
            try:
                c = Connection(self.proxy.address)
                return c, {"add": c.prepare("UPDATE account SET balance = balance + 1 WHERE id = $1 RETURNING balance").handle,
                           "insert": c.prepare("INSERT INTO entry VALUES ($1, $2)").handle,
                           "two": c.prepare("INSERT INTO entry VALUES ($1, $2), ($3, $4)").handle,
                           "note": c.prepare("INSERT INTO journal VALUES ($1)").handle}
            except (OSError, AssertionError, AttributeError, struct.error):
                time.sleep(0.02)

    def command(self, n):
        """What request n is; the same whenever it is asked."""
        r = random.Random(self.client * 1000003 + n)
        kind = r.choice(("add", "add", "insert", "refused", "two", "note"))
        account = 1000 * self.client + r.randrange(ACCOUNTS)
        if kind == "add":
            return "add", row("q", [account])
        if kind == "note":
            return "note", row("q", [self.client])
        if kind == "refused":
            # The first of them goes in, the others are refused.
            return "insert", row("qq", [account, 0])
        if kind == "two":
            return "two", row("qqqq", [account, n, account + 100, n])
        return "insert", row("qq", [account, n])

    def window(self, c, handles, numbers):
        """Send these requests; note the answers until all are there, or the connection is lost."""
        data, waiting = b"", {}
        for n in numbers:
            name, params = self.command(n)
            request = c.request()
            waiting[request] = n
            data += c.execute(handles[name], params, ack=self.random.choice((DURABLE, VISIBLE)), request=request,
                              once=(self.client, n))
        c.send(data)
        rows = {}
        while waiting:
            a = c.receive()
            if a is None:
                raise OSError("lost")
            if a.kind == DONE_BATCH:
                for request, epoch, count in a.items:
                    self.note(waiting.pop(request), (epoch, count, None))
            elif a.kind == ROWS:
                rows[a.request] = a.rows("q")
                if not a.flags & MORE:
                    self.note(waiting.pop(a.request), (a.epoch, a.count, rows[a.request]))
            elif a.kind == DONE:
                self.note(waiting.pop(a.request), (a.epoch, a.count, rows.get(a.request)))
            elif a.kind == ERROR and a.request in waiting:
                if a.state == "57P01":
                    raise OSError("stopping")
                self.note(waiting.pop(a.request), (a.state, a.message, None))
            else:
                raise OSError("the server ends the connection")

    def note(self, n, answer):
        before = self.answers.get(n)
        if before is not None:
            self.repeated += 1
            if before != answer:
                raise Failure("client %d, request %d: answered %r, and then %r" % (self.client, n, before, answer))
        self.answers[n] = answer

    def work(self):
        c, handles = self.connect()
        first = 1
        while first <= self.commands:
            numbers = [n for n in range(first, min(first + self.WINDOW, self.commands + 1)) if n not in self.answers]
            if not numbers:
                first += self.WINDOW
                continue
            # In another order than before, and some that have been answered.
            self.random.shuffle(numbers)
            known = [self.random.randrange(max(1, first - 2000), first) for _ in range(5)] if first > 1 else []
            try:
                self.window(c, handles, numbers + known)
            except (OSError, AssertionError, struct.error):
                c.close()
                c, handles = self.connect()
        c.close()

    def run(self):
        try:
            self.work()
        except Exception as e:  # pylint: disable=broad-except
            self.error = e


def expected(ledger):
    """What the tables must have of one client, by the answers that it got."""
    adds, entries, notes = {}, set(), 0
    for n in range(1, ledger.commands + 1):
        r = random.Random(ledger.client * 1000003 + n)
        kind = r.choice(("add", "add", "insert", "refused", "two", "note"))
        account = 1000 * ledger.client + r.randrange(ACCOUNTS)
        answer = ledger.answers[n]
        refused = isinstance(answer[0], str)
        if refused and (kind != "refused" or answer[0] != "23505"):
            raise Failure("client %d, request %d (%s): %r" % (ledger.client, n, kind, answer))
        if kind == "add":
            adds.setdefault(account, []).append(answer[2])
        elif kind == "note":
            notes += 1
        elif kind == "two":
            entries |= {(account, n), (account + 100, n)}
        elif kind == "insert":
            entries.add((account, n))
        elif not refused:
            if (account, 0) in entries:
                raise Failure("client %d: account %d was entered twice" % (ledger.client, account))
            entries.add((account, 0))
    return adds, entries, notes


def check(server, ledger):
    c = server.daemon.connect()
    low, high = 1000 * ledger.client, 1000 * ledger.client + 999
    adds, entries, notes = expected(ledger)

    def query(text, kinds):
        a = c.run(text)
        return [r for part in a.more + [a] for r in part.rows(kinds)]

    for account, balance in query("SELECT id, balance FROM account WHERE id BETWEEN %d AND %d" % (low, high), "qq"):
        given = adds.get(account, [])
        if balance != len(given):
            raise Failure("account %d has %d of %d" % (account, balance, len(given)))
        # Each execution has returned another balance.
        if sorted(rows[0][0] for rows in given) != list(range(1, balance + 1)):
            raise Failure("account %d: the balances that were returned are not 1 to %d" % (account, balance))
    found = {tuple(r) for r in query("SELECT account, n FROM entry WHERE account BETWEEN %d AND %d" % (low, high), "qq")}
    if found != entries:
        raise Failure("client %d: %d entries are missing, %d are surplus" % (
            ledger.client, len(entries - found), len(found - entries)))
    n, = query("SELECT count(*) FROM journal WHERE what = %d" % ledger.client, "q")[0]
    if n != notes:
        raise Failure("client %d: %d notes instead of %d" % (ledger.client, n, notes))
    c.close()


def round_of(commands, seed, into):
    rng = random.Random(seed)
    proxy = Proxy(seed)
    server = Server(os.path.join(into, "data"), proxy, rng)
    each = max(1, commands // (EXAMPLES + LEDGERS))
    examples = []
    try:
        server.start()
        for statement in SCHEMA.split(";")[:-1]:
            if server.run(statement).kind != DONE:
                raise Failure(statement)
        for client in range(EXAMPLES + 1, EXAMPLES + LEDGERS + 1):
            values = ", ".join("(%d, 0)" % (1000 * client + i) for i in range(ACCOUNTS))
            server.run("INSERT INTO account VALUES " + values)
        program = build_example(into)
        examples = [subprocess.Popen([program, proxy.address, str(client), str(each)], stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, text=True) for client in range(1, EXAMPLES + 1)]
        ledgers = [Ledger(proxy, client, each, seed + client) for client in range(EXAMPLES + 1, EXAMPLES + LEDGERS + 1)]
        for ledger in ledgers:
            ledger.start()
        while any(x.poll() is None for x in examples) or any(x.is_alive() for x in ledgers):
            time.sleep(rng.uniform(0.1, 0.5))
            if rng.random() < 0.4:
                server.run("CHECKPOINT")
            server.kill()
            server.start()
            time.sleep(0.1)
        for client, x in enumerate(examples, 1):
            out, err = x.communicate()
            if x.returncode != 0 or "balance %d" % each not in out:
                raise Failure("the example, client %d: exit %d: %s%s" % (client, x.returncode, out, err))
        for ledger in ledgers:
            ledger.join()
            if ledger.error is not None:
                raise ledger.error
            check(server, ledger)
        whole = server.daemon.connect().run("SELECT balance FROM total").rows("n")
        print("ok   %d commands of %d clients: %d kills, %d connections cut, %d answers compared again, total %s" % (
            each * (EXAMPLES + LEDGERS), EXAMPLES + LEDGERS, server.kills, proxy.cuts, sum(x.repeated for x in ledgers),
            whole[0][0]))
    finally:
        proxy.close()
        if server.daemon is not None:
            server.daemon.kill()
        for x in examples:
            if x.poll() is None:
                x.kill()
            x.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--commands", type=int, default=3000 if harness.SMALL else 20000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    into = tempfile.mkdtemp(prefix="leftfold-once-")
    try:
        round_of(options.commands, options.seed, into)
    except Failure as e:
        print("FAIL seed %d: %s" % (options.seed, e))
        return 1
    finally:
        shutil.rmtree(into, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
