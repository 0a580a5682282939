#!/usr/bin/python3
"""Procedures over the wire, and commands that expect a version, from many connections at once.

LEFTFOLD_E2E_INCREMENTS: of the counter, by each of the connections (default 200, small: 40).
"""

import os
import random
import re
import sys
import threading

import cases
from cases import check, equal, server_test
from harness import SMALL
from wire import DONE, DONE_BATCH, ERROR, MORE, ROWS, SCHEMA, Connection, frame, row

CLIENTS = 4
INCREMENTS = int(os.environ.get("LEFTFOLD_E2E_INCREMENTS", "40" if SMALL else "200"))

BANK = """
CREATE TABLE account (id bigint PRIMARY KEY, cents bigint NOT NULL);
CREATE TABLE entry (account_id bigint, n bigint, cents bigint, PRIMARY KEY (account_id, n));
CREATE PROCEDURE withdraw(acct bigint, amount bigint, n bigint DEFAULT 1) BEGIN ATOMIC
  SELECT CASE WHEN count(*) = 0 THEN reject('no account ' || acct, 'AC001') END FROM account WHERE id = acct;
  SELECT CASE WHEN cents < amount THEN reject('only ' || cents) END FROM account WHERE id = acct;
  UPDATE account SET cents = cents - amount WHERE id = acct;
  INSERT INTO entry VALUES (acct, withdraw.n, amount);
END;
INSERT INTO account VALUES (1, 100), (2, 50);
"""


def outcome(c, data):
    """(epoch, count) of a command, or its ERROR; of a query the last frame of its rows."""
    c.send(data)
    while True:
        a = c.receive()
        check(a is not None, "the server has closed the connection")
        if a.kind == DONE:
            return a.epoch, a.count
        if a.kind == DONE_BATCH:
            return a.items[0][1:]
        if a.kind == ERROR or (a.kind == ROWS and not a.flags & MORE):
            return a


def together(f, n):
    """f(i) in n threads; the first failure is raised."""
    failures = []

    def guarded(i):
        try:
            f(i)
        except Exception as e:  # raised by the main thread
            failures.append(e)

    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failures:
        raise failures[0]


@server_test(reactors=2)
def calls(server):
    """CALL by a prepared handle: types of its parameters, a guard's own state and message, defaults; and the schema's text."""
    server.cli(BANK)
    c = Connection(server.address)
    call = c.prepare("CALL withdraw($1, $2, $3)")
    equal((call.statement_kind, call.nparams, call.nresults, call.body[16], call.body[-4:]), (0, 3, 0, 4, b"CALL"), "PREPARED")
    equal(outcome(c, c.execute(call.handle, row("qqq", [1, 30, 1])))[1], 2, "rows")
    a = outcome(c, c.execute(call.handle, row("qqq", [1, 80, 2])))
    equal((a.state, a.message, a.position), ("P0001", "only 70", 0), "the guard")
    a = outcome(c, c.execute(call.handle, row("qqq", [7, 80, 2])))
    equal((a.state, a.message), ("AC001", "no account 7"), "the other guard")
    c.send(c.execute(call.handle, *[row("qqq", [2, 30, n]) for n in range(3)]))
    states, left = [], 3
    while left:
        a = c.receive()
        left -= len(a.items) if a.kind == DONE_BATCH else 1
        states += [a.state] if a.kind == ERROR else []
    equal(states, ["P0001", "P0001"], "a batch")
    equal(server.query("SELECT * FROM account ORDER BY id"), "id,cents\n1,70\n2,20\n", "accounts")
    c.send(frame(SCHEMA, 9, b""))
    lines = c.receive().body.decode().split("\n")
    at = lines.index("procedure\twithdraw")
    equal(lines[at + 1:at + 4], ["argument\tacct\tbigint\t", "argument\tamount\tbigint\t", "argument\tn\tbigint\t1"],
          "arguments")
    check(lines[at + 4].startswith("definition\tCREATE PROCEDURE withdraw("), "the definition")


@server_test(reactors=2, projectors=3)
def counter(server):
    """Increments by reading, adding one here, and writing if nobody else has: each counts."""
    server.cli("CREATE TABLE counter (id bigint PRIMARY KEY, n bigint); INSERT INTO counter VALUES (1, 0), (2, 0)")
    retries = [0] * CLIENTS

    def increment(i):
        c = Connection(server.address)
        read = c.prepare("SELECT n FROM counter WHERE id = $1").handle
        write = c.prepare("UPDATE counter SET n = $2 WHERE id = $1").handle
        for k in range(INCREMENTS):
            key, at_least = 1 + k % 2, 0
            while True:
                a = outcome(c, c.execute(read, row("q", [key]), at_least=at_least, timeout=30000))
                n = a.rows("q")[0][0]
                done = outcome(c, c.execute(write, row("qq", [key, n + 1]), expect=a.epoch))
                if isinstance(done, tuple):
                    equal(done[1], 1, "rows")
                    break
                equal(done.state, "40001", "a conflict")
                current = int(re.fullmatch(r"current version (\d+)", done.detail).group(1))
                check(current > a.epoch, "version %d after epoch %d" % (current, a.epoch))
                at_least = current
                retries[i] += 1

    together(increment, CLIENTS)
    total = CLIENTS * INCREMENTS
    equal(server.query("SELECT n FROM counter ORDER BY id"), "n\n%d\n%d\n" % (total // 2, total // 2), "the counters")
    print("     %d increments, %d conflicts" % (total, sum(retries)))


@server_test(reactors=2, projectors=2)
def take_and_return(server):
    """One row at a time is made by whoever finds it gone, and deleted by whoever finds it there: by versions only."""
    server.cli("CREATE TABLE seat (id bigint PRIMARY KEY, holder bigint NOT NULL);"
               "CREATE TABLE held (holder bigint PRIMARY KEY, taken bigint, given bigint)")

    def sit(i):
        c = Connection(server.address)
        random_ = random.Random(i)
        read = c.prepare("SELECT holder FROM seat WHERE id = $1").handle
        take = c.prepare("INSERT INTO seat VALUES ($1, $2)").handle
        give = c.prepare("DELETE FROM seat WHERE id = $1").handle
        taken = given = 0
        for _ in range(INCREMENTS):
            key = random_.randrange(2)
            a = outcome(c, c.execute(read, row("q", [key])))
            there = a.rows("q")
            if there and there[0][0] != i:
                continue
            data = c.execute(give, row("q", [key]), expect=a.epoch) if there else \
                c.execute(take, row("qq", [key, i]), expect=a.epoch)
            done = outcome(c, data)
            if not isinstance(done, tuple):
                equal(done.state, "40001", "a seat that another has taken since")
                continue
            equal(done[1], 1, "rows")
            taken, given = taken + (not there), given + bool(there)
        equal(c.run("INSERT INTO held VALUES (%d, %d, %d)" % (i, taken, given)).kind, DONE, "the sums")

    together(sit, CLIENTS)
    equal(server.query("SELECT sum(taken) - sum(given) - (SELECT count(*) FROM seat) AS left, sum(taken) > 0 AS any FROM held"),
          "left,any\n0,t\n", "what was taken, and given back")


@server_test(reactors=2, projectors=2)
def guards_beside(server):
    """Withdrawals from many connections never overdraw, however they meet, while the procedure is replaced."""
    server.cli(BANK)

    def withdraw(i):
        c = Connection(server.address)
        if i == CLIENTS:
            for k in range(20):
                a = c.run(BANK[BANK.index("CREATE PROCEDURE"):BANK.index("END;") + 3].replace(
                    "CREATE", "CREATE OR REPLACE").replace("'only '", "'only (%d) '" % k))
                equal(a.kind, DONE, "CREATE OR REPLACE")
            return
        call = c.prepare("CALL withdraw($1, $2, $3)").handle
        for k in range(INCREMENTS):
            a = outcome(c, c.execute(call, row("qqq", [1 + k % 2, 1, i * INCREMENTS + k])))
            check(isinstance(a, tuple) or (a.state == "P0001" and a.message.startswith("only ")), "neither done nor refused")

    together(withdraw, CLIENTS + 1)
    equal(server.query("SELECT * FROM account ORDER BY id"), "id,cents\n1,%d\n2,0\n" % (max(0, 100 - CLIENTS * INCREMENTS // 2)),
          "accounts")
    equal(server.query("SELECT sum(cents) FROM entry WHERE account_id = 2"), "sum\n50\n", "entries")


if __name__ == "__main__":
    sys.exit(cases.run())
