#!/usr/bin/python3
"""Consistency under concurrency over TCP: transfers between accounts on some connections, readers on others.

A transfer moves money between two accounts of one bank and counts two moves, atomically. So in each epoch the
balances have one known sum, and the moves are even and never fewer than before; the views that one request reads
must agree about the moves, and so must requests that met in one epoch. A read that begins
after a `visible` acknowledgement on another connection must show that command; one that asks for "at least
epoch e" must show all commands up to e.

LEFTFOLD_E2E_READS: read requests in all (default 30000, small: 3000). LEFTFOLD_SEED: the seed, printed.
"""

import os
import random
import sys
import threading
import time

from harness import BUILD, SMALL, Failure, Server, shapes
from wire import DONE, DONE_BATCH, DURABLE, ERROR, ROWS, VISIBLE, Connection, row

BANKS, ACCOUNTS, OWNERS, START = 8, 16, 11, 1000
TOTAL = BANKS * ACCOUNTS * START
WRITERS, READERS, BATCH = 2, 2, 16

SCHEMA = """
CREATE TABLE account (bank int, number int, owner int NOT NULL, balance bigint NOT NULL,
  moves bigint NOT NULL DEFAULT 0, PRIMARY KEY (bank, number));
CREATE MATERIALIZED VIEW per_bank AS
  SELECT bank, sum(balance)::bigint AS total, sum(moves)::bigint AS moves FROM account GROUP BY bank;
CREATE UNIQUE INDEX per_bank_key ON per_bank (bank);
CREATE MATERIALIZED VIEW per_owner AS
  SELECT owner, sum(balance)::bigint AS total, sum(moves)::bigint AS moves FROM account GROUP BY owner;
CREATE UNIQUE INDEX per_owner_key ON per_owner (owner);
CREATE MATERIALIZED VIEW whole AS SELECT sum(balance)::bigint AS total, sum(moves)::bigint AS moves FROM account;
CREATE TABLE mark (writer int PRIMARY KEY, n bigint NOT NULL);
CREATE MATERIALIZED VIEW marks AS SELECT sum(n)::bigint AS n FROM mark;
INSERT INTO mark VALUES (0, 0), (1, 0);
"""


class Run:
    def __init__(self, reads, seed):
        self.lock = threading.Lock()
        self.left, self.transfers, self.same = reads, 0, 0
        self.visible = [0] * WRITERS  # the newest mark of each writer that was acknowledged as visible
        self.durable = (0, [0] * WRITERS)  # an epoch and marks that are part of it
        self.failures, self.stop, self.seed = [], False, seed

    def guarded(self, f, *args):
        try:
            f(*args)
        except Exception as e:  # shown by the main thread
            self.failures.append(e)
            self.left = 0

    def take(self):
        with self.lock:
            self.left -= 1
            return self.left >= 0


def prepared(connection, text):
    a = connection.prepare(text)
    if a.kind == ERROR:
        raise Failure("%s: %s" % (text, a.message))
    return a.handle


def answers(connection, first, count):
    """Frames of the requests first…first+count-1, until each is answered; errors raise."""
    open_requests, frames = set(range(first, first + count)), []
    while open_requests:
        a = connection.receive()
        if a is None:
            raise Failure("the server has closed the connection")
        if a.kind == ERROR:
            raise Failure("%s: %s" % (a.state, a.message))
        frames.append(a)
        if a.kind == DONE_BATCH:
            open_requests -= {item[0] for item in a.items}
        elif a.kind in (DONE, ROWS) and not a.flags & 1:
            open_requests.discard(a.request)
    return frames


def command(connection, handle, rows, ack):
    """Executes all rows in one frame; the newest epoch of them."""
    first = connection.next + 1
    connection.next += len(rows)
    connection.send(connection.execute(handle, *rows, ack=ack, request=first))
    epochs = []
    for a in answers(connection, first, len(rows)):
        epochs += [item[1] for item in a.items] if a.kind == DONE_BATCH else [a.epoch]
    return max(epochs)


def read(connection, views, kinds, at_least=0):
    """Reads views (each a list of queries) in one request: (its epoch, for each the sums of the columns)."""
    reads = [query for view in views for query in view]
    first = connection.next + 1
    connection.next += len(reads)
    connection.send(connection.read(*reads, request=first, at_least=at_least, timeout=60000))
    frames = answers(connection, first, len(reads))
    epochs = {a.epoch for a in frames}
    if len(epochs) != 1:
        raise Failure("one request was read at epochs %r" % epochs)
    sums, at = [], first
    for view in views:
        got = [v for a in frames if at <= a.request < at + len(view) for v in a.rows(kinds)]
        sums.append(tuple(map(sum, zip(*got))))
        at += len(view)
    return epochs.pop(), sums


def writer(run, address, number):
    rand = random.Random(run.seed + number)
    c = Connection(address, timeout=120)
    move = prepared(c, "UPDATE account SET balance = balance - $4::bigint, moves = moves + 1 "
                    "WHERE bank = $1::int AND number = $2::int; "
                    "UPDATE account SET balance = balance + $4::bigint, moves = moves + 1 "
                    "WHERE bank = $1::int AND number = $3::int")
    mark = prepared(c, "UPDATE mark SET n = n + 1 WHERE writer = $1::int")
    n = 0
    while not run.stop:
        rows = []
        for _ in range(BATCH):
            a, b = rand.sample(range(ACCOUNTS), 2)
            rows.append(row("iiiq", (rand.randrange(BANKS), a, b, rand.randrange(50))))
        command(c, move, rows, DURABLE)
        with run.lock:
            run.transfers += BATCH
        ack = rand.choice((DURABLE, VISIBLE))
        epoch = command(c, mark, [row("i", (number,))], ack)
        n += 1
        with run.lock:
            if ack == VISIBLE:
                run.visible[number] = n
            elif epoch > run.durable[0]:
                marks = [0] * WRITERS
                marks[number] = n
                run.durable = (epoch, marks)
    c.close()


def reader(run, address, number):
    rand = random.Random(run.seed - number - 1)
    c = Connection(address, timeout=120)
    bank = prepared(c, "SELECT total, moves FROM per_bank WHERE bank = $1::int")
    owner = prepared(c, "SELECT total, moves FROM per_owner WHERE owner = $1::int")
    banks = [(bank, row("i", (b,))) for b in range(BANKS)]
    owners = [(owner, row("i", (o,))) for o in range(OWNERS)]
    scan = [(prepared(c, "SELECT total, moves FROM per_owner"), row("", ()))]
    whole = [(prepared(c, "SELECT total, moves FROM whole"), row("", ()))]
    marks = [(prepared(c, "SELECT n FROM marks"), row("", ()))]
    last, known_moves = 0, 0
    while run.take():
        views = rand.sample((banks, owners, scan, whole), 2)
        epoch, sums = read(c, views, "qq")
        (total, moves), other = sums
        if total != TOTAL or moves % 2 or other != (total, moves):
            raise Failure("epoch %d: %r and %r, total %d expected" % (epoch, sums[0], other, TOTAL))
        if epoch < last or moves < known_moves or (epoch == last and moves != known_moves):
            raise Failure("epoch %d has %d moves, before epoch %d had %d" % (epoch, moves, last, known_moves))
        run.same += epoch == last
        last, known_moves = epoch, moves
        with run.lock:
            known, (epoch, part) = sum(run.visible), run.durable
        at, ((n,),) = read(c, [marks], "q")
        if n < known:
            raise Failure("%d marks at epoch %d, %d were visible before the read began" % (n, at, known))
        at, ((n,),) = read(c, [marks], "q", at_least=epoch)
        if n < sum(part) or at < epoch:
            raise Failure("%d marks at epoch %d, epoch %d has at least %d" % (n, at, epoch, sum(part)))
        if at < last:
            raise Failure("epoch %d after %d" % (at, last))
    c.close()


def run_shape(server, reads, seed):
    server.cli(SCHEMA + "INSERT INTO account VALUES %s;" % ", ".join(
        "(%d, %d, %d, %d)" % (b, n, (b * 7 + n * 3) % OWNERS, START) for b in range(BANKS) for n in range(ACCOUNTS)))
    run = Run(reads, seed)
    writers = [threading.Thread(target=run.guarded, args=(writer, run, server.address, i)) for i in range(WRITERS)]
    readers = [threading.Thread(target=run.guarded, args=(reader, run, server.address, i)) for i in range(READERS)]
    for t in writers + readers:
        t.start()
    for t in readers:
        t.join()
    run.stop = True
    for t in writers:
        t.join()
    if run.failures:
        raise run.failures[0]
    if run.transfers == 0:
        raise Failure("no transfers: it tests nothing")
    return run


def main():
    seed = int(os.environ.get("LEFTFOLD_SEED", random.SystemRandom().randrange(1 << 30)))
    reads = int(os.environ.get("LEFTFOLD_E2E_READS", "3000" if SMALL else "30000"))
    print("transfers: seed %d, build %s" % (seed, BUILD), flush=True)
    for reactors, projectors in shapes():
        begin = time.monotonic()
        with Server(reactors, projectors) as server:
            # Three requests a round.
            run = run_shape(server, reads // 3 // len(shapes()), seed)
        print("transfers: R=%d P=%d: consistent during %d transfers; %d requests met in one epoch (%.1f s)" %
              (reactors, projectors, run.transfers, run.same, time.monotonic() - begin), flush=True)


if __name__ == "__main__":
    try:
        main()
    except Failure as e:
        print("FAIL: %s" % e)
        sys.exit(1)
