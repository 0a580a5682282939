"""A ledger kept outside of the server: what was sent to it and what it acknowledged, against what it has.

Orders with two items each (one aggregate), events without a key of their own, and counters that all connections share.
All commands on one order or event come from one connection, so a shard executes them in the order sent. After a crash
the first k of them must have happened and no others, k being between what was acknowledged and what was sent; each
command wholly or not at all. Of a counter only the number can be known.
"""

import random
import struct
import threading

from harness import Failure
from wire import ACCEPTED, ASYNC, DONE, DONE_BATCH, DURABLE, ERROR, HELLO_OK, PREPARED, VISIBLE, Connection, hello, row

WORKERS, CUSTOMERS, NOTES, COUNTERS = 3, 7, 5, 4
WINDOW, BATCH = 4, 12  # frames under way of a connection, commands of a frame at most

SCHEMA = """
CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL, n int NOT NULL);
CREATE TABLE item (order_id bigint, no int, price int NOT NULL, n int NOT NULL, PRIMARY KEY (order_id, no));
CREATE TABLE event (token bigint NOT NULL, note int NOT NULL, n int NOT NULL);
CREATE INDEX event_token ON event (token);
CREATE TABLE counter (id int PRIMARY KEY, n bigint NOT NULL);
CREATE MATERIALIZED VIEW per_customer AS
  SELECT customer, count(*) AS orders, sum(n)::bigint AS n FROM orders GROUP BY customer;
CREATE MATERIALIZED VIEW paid AS
  SELECT o.customer, count(*) AS items, sum(i.price)::bigint AS price, max(i.n) AS n
  FROM orders o JOIN item i ON i.order_id = o.id GROUP BY o.customer;
CREATE MATERIALIZED VIEW notes AS SELECT note, count(*) AS events, max(n) AS n FROM event GROUP BY note;
CREATE MATERIALIZED VIEW counted AS SELECT sum(n)::bigint AS n FROM counter;
"""

# By kind of thing and command: its text, and the rows that it changes.
COMMANDS = {
    ("order", "i"): ("INSERT INTO orders VALUES ($1::bigint, $2::int, 0); "
                     "INSERT INTO item VALUES ($1::bigint, 1, $3::int, 0), ($1::bigint, 2, $3::int + 1, 0)", 3),
    ("order", "t"): ("UPDATE orders SET n = n + 1 WHERE id = $1::bigint; "
                     "UPDATE item SET n = n + 1 WHERE order_id = $1::bigint", 3),
    ("order", "d"): ("DELETE FROM item WHERE order_id = $1::bigint; DELETE FROM orders WHERE id = $1::bigint", 3),
    ("event", "i"): ("INSERT INTO event VALUES ($1::bigint, $2::int, 0)", 1),
    ("event", "t"): ("UPDATE event SET n = n + 1 WHERE token = $1::bigint", 1),
    ("event", "d"): ("DELETE FROM event WHERE token = $1::bigint", 1),
    ("counter", "t"): ("UPDATE counter SET n = n + 1 WHERE id = $1::int", 1),
}


class Thing:
    """An order or an event. ops: the commands sent for it; the first `floor` of them are known to have happened."""

    def __init__(self, kind, number, group, price):
        self.kind, self.number, self.group, self.price = kind, number, group, price
        self.ops, self.floor = "", 0

    def after(self, k):
        """How often it was touched after its first k commands; None: it is not there."""
        done = self.ops[:k]
        return None if not done or "d" in done else done.count("t")

    def parameters(self, op):
        if op != "i":
            return row("q", (self.number,))
        if self.kind == "event":
            return row("qi", (self.number, self.group))
        return row("qii", (self.number, self.group, self.price))


class Counter:
    kind = "counter"

    def __init__(self, number):
        self.number, self.floor, self.sent = number, 0, 0

    def parameters(self, _):
        return row("i", (self.number,))


class Ledger:
    def __init__(self, seed):
        self.rand = random.Random(seed)
        self.lock = threading.Lock()
        self.things = {"order": {}, "event": {}}
        self.counters = [Counter(i) for i in range(COUNTERS)]
        self.next = 0
        self.epoch = 0  # the newest that was told
        self.acknowledged = self.sent = 0
        self.stop, self.ending, self.failures = False, False, []

    def create(self, connection):
        for text in SCHEMA.split(";")[:-1]:
            ran(connection, text)
        ran(connection, "INSERT INTO counter VALUES " + ", ".join("(%d, 0)" % i for i in range(COUNTERS)))

    def forget(self):
        """What was acknowledged may be lost, but not what was known before."""
        for things in self.things.values():
            for t in things.values():
                t.floor = t.known
        for c in self.counters:
            c.floor = c.known

    # --- load ---

    def start(self, address, tolerated=()):
        """Load from some connections until finish() is called, or until the server goes, which is right once `ending`
        is set. tolerated: the states of errors that leave open what happened."""
        self.stop = self.ending = False
        self.remember()
        self.threads = [threading.Thread(target=self._guarded, args=(address, i, tolerated)) for i in range(WORKERS)]
        for t in self.threads:
            t.start()

    def remember(self):
        for things in self.things.values():
            for t in things.values():
                t.known = t.floor
        for c in self.counters:
            c.known = c.floor

    def finish(self):
        self.stop = True
        for t in self.threads:
            t.join()
        if self.failures:
            raise self.failures[0]

    def _guarded(self, *args):
        try:
            Worker(self, *args).run()
        except Gone:
            if not self.ending:
                self.failures.append(Failure("the server has closed a connection"))
        except Exception as e:  # shown by the main thread
            self.failures.append(e)

    def told(self, epoch, acknowledged=0):
        with self.lock:
            self.epoch = max(self.epoch, epoch)
            self.acknowledged += acknowledged

    # --- check ---

    def check(self, connection, what):
        """Compare, and take what is there as known from now on."""
        try:
            self._check(connection)
        except Failure as e:
            raise Failure("%s: %s" % (what, e)) from None

    def _check(self, c):
        visible, = struct.unpack_from("<Q", c.hello_ok.body, 24)
        if visible < self.epoch:
            raise Failure("epoch %d is visible, epoch %d was told" % (visible, self.epoch))
        orders = {r[0]: r[1:] for r in self._rows(c, "SELECT id, customer, n FROM orders", "qii")}
        items, events = {}, {}
        for number, no, price, n in self._rows(c, "SELECT order_id, no, price, n FROM item", "qiii"):
            items.setdefault(number, {})[no] = (price, n)
        for token, note, n in self._rows(c, "SELECT token, note, n FROM event", "qii"):
            if token in events:
                raise Failure("event %d is there twice" % token)
            events[token] = [note, n]
        for number in items:
            if number not in orders:
                raise Failure("items of order %d without it" % number)
        for number, (customer, n) in orders.items():
            t = self.things["order"].get(number)
            if t and items.get(number) != {1: (t.price, n), 2: (t.price + 1, n)}:
                raise Failure("order %d (%d times touched) has the items %r" % (number, n, items.get(number)))
        self._settle("order", orders)
        self._settle("event", events)
        self._counters({r[0]: r[1] for r in self._rows(c, "SELECT id, n FROM counter", "iq")})
        self._views(c, orders, items, events)

    def _rows(self, connection, text, kinds):
        a = ran(connection, text, at_least=self.epoch, timeout=60000)
        if a.epoch < self.epoch:
            raise Failure("read at epoch %d, epoch %d was told" % (a.epoch, self.epoch))
        self.told(a.epoch)
        return [r for part in a.more + [a] for r in part.rows(kinds)]

    def _settle(self, kind, found):
        things = self.things[kind]
        for number in found:
            if number not in things:
                raise Failure("%s %d was never sent, or was deleted" % (kind, number))
        for number, t in list(things.items()):
            group, n = found.get(number, (t.group, None))
            fits = [k for k in range(t.floor, len(t.ops) + 1) if t.after(k) == n]
            if not fits or group != t.group:
                raise Failure("%s %d: %s of group %d (%d); commands %s, %d of them acknowledged" % (
                    kind, number, "not there" if n is None else "touched %d times" % n, group, t.group, t.ops,
                    t.floor))
            if n is None:
                del things[number]
            else:
                t.ops, t.floor = t.ops[:fits[0]], fits[0]

    def _counters(self, found):
        for c in self.counters:
            n = found.get(c.number, -1)
            if not c.floor <= n <= c.sent:
                raise Failure("counter %d is %d: %d acknowledged, %d sent" % (c.number, n, c.floor, c.sent))
            c.floor = c.sent = n

    def _views(self, c, orders, items, events):
        expected = {"per_customer": {}, "paid": {}, "notes": {}}
        for number, (customer, n) in orders.items():
            v = expected["per_customer"].setdefault(customer, [customer, 0, 0])
            v[1:] = v[1] + 1, v[2] + n
            v = expected["paid"].setdefault(customer, [customer, 0, 0, 0])
            for price, touched in items[number].values():
                v[1:] = v[1] + 1, v[2] + price, max(v[3], touched)
        for note, n in events.values():
            v = expected["notes"].setdefault(note, [note, 0, 0])
            v[1:] = v[1] + 1, max(v[2], n)
        for view, kinds in (("per_customer", "iqq"), ("paid", "iqqi"), ("notes", "iqi")):
            found = sorted(self._rows(c, "SELECT * FROM " + view, kinds))
            if found != sorted(expected[view].values()):
                raise Failure("view %s: %r instead of %r" % (view, found, sorted(expected[view].values())))
        n = sum(counter.floor for counter in self.counters)
        if self._rows(c, "SELECT n FROM counted", "q") != [[n]]:
            raise Failure("view counted: not %d" % n)


class Gone(Exception):
    """The connection has ended."""


class Worker:
    """One connection's commands, several frames of them under way."""

    def __init__(self, ledger, address, number, tolerated):
        self.ledger, self.number, self.tolerated = ledger, number, tolerated
        with ledger.lock:
            self.rand = random.Random(ledger.rand.random())
            self.live = [t for things in ledger.things.values() for t in things.values()
                         if t.number % WORKERS == number]
        self.open = {}  # request: (thing, how many of its commands happened if this one did, rows, level)
        self.accepted = {}
        try:
            self.connection = Connection(address, greet=False, timeout=120)
            self.connection.send(hello())
            self.expect(HELLO_OK, "hello", self.connection.receive())
            self.handles = {}
            for key, (text, _) in COMMANDS.items():
                self.handles[key] = self.expect(PREPARED, text, self.connection.prepare(text)).handle
        except (OSError, AssertionError):
            raise Gone from None

    def run(self):
        frames = 0
        try:
            while not self.ledger.stop:
                self.send()
                frames += 1
                while len(self.open) > WINDOW * BATCH // 2:
                    self.take()
            while self.open:
                self.take()
        except (OSError, AssertionError):
            raise Gone from None
        self.connection.close()

    @staticmethod
    def expect(kind, what, answer):
        if answer is None or (answer.kind == ERROR and answer.state == "57P01"):
            raise Gone
        if answer.kind != kind:
            raise Failure("%s: %s" % (what, answer.message))
        return answer

    def choose(self):
        """A kind of command and the things to do it to."""
        what = self.rand.random()
        n = self.rand.randrange(1, BATCH + 1)
        if what < 0.15:
            return "counter", "t", [self.rand.choice(self.ledger.counters) for _ in range(n)]
        kind = self.rand.choice(("order", "event"))
        live = [t for t in self.rand.sample(self.live, min(len(self.live), 3 * n)) if t.kind == kind][:n]
        if what < 0.55 or not live:
            return kind, "i", [self.new(kind) for _ in range(n)]
        if what < 0.80:
            return kind, "t", live
        for t in live:
            self.live.remove(t)
        return kind, "d", live

    def new(self, kind):
        with self.ledger.lock:
            number = self.ledger.next * WORKERS + self.number
            self.ledger.next += 1
            t = Thing(kind, number, self.rand.randrange(CUSTOMERS if kind == "order" else NOTES),
                      self.rand.randrange(1000))
            t.known = 0
            self.ledger.things[kind][number] = t
        self.live.append(t)
        return t

    def send(self):
        kind, op, things = self.choose()
        level = self.rand.choice((ACCEPTED, DURABLE, DURABLE, VISIBLE))
        first = self.connection.next + 1
        self.connection.next += len(things)
        rows = [t.parameters(op) for t in things]
        with self.ledger.lock:
            self.ledger.sent += len(things)
            for i, t in enumerate(things):
                if kind == "counter":
                    t.sent += 1
                else:
                    t.ops += op
                self.open[first + i] = (t, len(t.ops) if kind != "counter" else 0, COMMANDS[kind, op][1], level)
        self.connection.send(self.connection.execute(self.handles[kind, op], *rows, ack=level, request=first))

    def take(self):
        a = self.connection.receive()
        if a is None:
            raise Gone
        if a.kind == ERROR:
            if a.state in self.tolerated or (a.flags & ASYNC and a.state == "57P01"):
                self.open.pop(a.request, None)
                return
            raise Failure("request %d: %s: %s" % (a.request, a.state, a.message))
        if a.kind == DONE_BATCH:
            for item in a.items:
                self.done(*item)
        elif a.kind == DONE:
            self.done(a.request, a.epoch, a.count)

    def done(self, request, epoch, count):
        t, k, rows, level = self.open.pop(request)
        if level == ACCEPTED:
            return
        if count != rows:
            raise Failure("%s %d: %d rows changed instead of %d" % (t.kind, t.number, count, rows))
        self.ledger.told(epoch, 1)
        with self.ledger.lock:
            t.floor = max(t.floor, k) if t.kind != "counter" else t.floor + 1


def ran(connection, text, **options):
    """The last answer to a text that must succeed."""
    a = connection.run(text, **options)
    if a.kind == ERROR:
        raise Failure("%s: %s: %s" % (text.strip()[:80], a.state, a.message))
    return a
