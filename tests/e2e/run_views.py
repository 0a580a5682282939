#!/usr/bin/python3
"""run_views.py [--rounds N] [--seed S] [--show-refused]: random views under random commands, against PostgreSQL.

A round is one Random of its own, seeded by the run's seed and its number: tables, views over them (some made when there
are rows already), batches of commands. After each batch every view is compared with PostgreSQL's answer to the query that
defines it. The servers have one, two and three projectors, in turn. What the server refuses is counted; what
it accepts and PostgreSQL does not, another SQLSTATE, and any other row fail. Such a round is made smaller while it still
fails, and printed in sqllogictest's format. That this works is tried first, with a server that seems to lose rows.
"""

import collections
import random
import sys
import time

from engines import LeftfoldSession, PostgresSession
from harness import SMALL, Failure, Postgres, Server, play_rounds, round_options
from random_views import Maker
import slt

VIEWS, BATCHES, COMMANDS = 8, 4, 15
SHRINK_S = 60
REFUSED = ("0A000", "54001")  # the second: more operators, or joined inputs, than a view can have
ROWS_MAX = 20000  # of a view that is compared any longer; there are limits of rows that are sorted

CHANGES = ("again", "replace", "limit")


class Round:
    """tables and views: of random_views.py. early: views made before there are rows. batches: (pipelined, commands).
    changes: what becomes of a view before each batch, (CHANGES, view), or None."""

    def __init__(self, seed, number):
        self.number = number
        make = Maker(random.Random("%d/%d" % (seed, number)))
        make.make_tables()
        self.tables = make.tables
        self.views = [make.make_view() for _ in range(VIEWS)]
        self.early = make.random.randrange(VIEWS + 1)
        self.batches = [(make.chance(0.5), [make.command() for _ in range(COMMANDS)]) for _ in range(BATCHES)]
        self.orders = [make.chance(0.3) for _ in range(BATCHES)]
        self.changes = [(make.pick(CHANGES), make.pick(self.views)) if make.chance(0.4) else None for _ in range(BATCHES)]


class Difference(Exception):
    """view: the name of the one that differs, or None. what: what came of both, as text. states: the SQLSTATEs of both,
    where that is the difference."""

    def __init__(self, view, what, *states):
        super().__init__(what)
        self.view, self.states = view, states

    def same(self, other):
        return (self.view, self.states) == (other.view, other.states)


class Bench:
    """PostgreSQL, and a server for each number of projectors, which is started again when it has ended."""

    def __init__(self):
        self.postgres = Postgres()
        self.session = PostgresSession(self.postgres)
        self.session.run("SET statement_timeout = '3s'")
        self.servers, self.planted = {}, False
        self.counts = collections.Counter()
        self.refusals = collections.Counter()

    def leftfold(self, projectors):
        if projectors not in self.servers:
            server = Server(1, projectors, extra=("--durability", "os"))
            self.servers[projectors] = (server, LeftfoldSession(server.address))
        return self.servers[projectors][1]

    def ended(self, projectors):
        """What a server said that has closed the connection; the next one will be another."""
        server, session = self.servers.pop(projectors)
        session.close()
        server.stop(check=False)
        return server.output

    def close(self):
        try:
            for server, session in self.servers.values():
                session.close()
                server.stop()
        finally:
            self.session.close()
            self.postgres.close()

    def play(self, r, projectors):
        """Raise a Difference, unless there is none."""
        theirs = self.session
        theirs.clear()
        ours = self.leftfold(projectors)
        try:
            Play(self, r, theirs, ours).run()
            ours.clear()
        except Difference:
            ours.clear()
            raise
        except (Failure, ConnectionError, TimeoutError) as e:
            raise Difference(None, "%s\n%s" % (e, self.ended(projectors)[-3000:]), "ended") from e


class Play:
    """A round, once. live: the views that both have and that gave no error."""

    def __init__(self, bench, r, theirs, ours):
        self.bench, self.round, self.theirs, self.ours = bench, r, theirs, ours
        self.live = []

    def run(self):
        for table in self.round.tables:
            self._both(table.sql())
            self._index(table)
        self._make(self.round.views[:self.round.early])
        for i, (pipelined, commands) in enumerate(self.round.batches):
            if i == 1:
                self._make(self.round.views[self.round.early:])
            change = self.round.changes[i]
            if change and change[1] in self.live:
                self._change(*change)
            self._commands(pipelined, commands)
            if change and change[1] in self.live and change[0] == "limit":
                self._recover(change[1])
            self._compare_all(self.round.orders[i])
        if len(self.round.batches) < 2:
            self._make(self.round.views[self.round.early:])
            self._compare_all(False)
        self._ask()

    def _both(self, sql):
        theirs, ours = self.theirs.run(sql), self.ours.run(sql)
        if theirs.state or ours.state:
            raise Difference(None, "%s\nPostgreSQL %s\nhere %s" % (sql, theirs.error(), ours.error()), "table")

    def _make(self, views):
        for view in views:
            theirs = self.theirs.run(view.create("VIEW"))
            if not theirs.state:  # that there are rows already may be an error
                theirs = self.theirs.run("SELECT * FROM " + view.name)
            ours = self.ours.run(view.create("MATERIALIZED VIEW"))
            self.bench.counts["views"] += 1
            if ours.state in REFUSED:
                self.bench.counts["refused"] += 1
                self.bench.refusals[ours.message] += 1
            elif ours.state == "42P01" and theirs.state != ours.state:
                self.bench.counts["of refused views"] += 1
            elif theirs.state != ours.state:
                self._differs(view, "made: PostgreSQL %s\nhere %s" % (theirs.error(), ours.error()), theirs, ours)
            elif theirs.state:
                self.bench.counts["errors in both"] += 1
            else:
                self.live.append(view)
                self._index(view)

    def _index(self, relation):
        """Of the server only: no index changes an answer."""
        done = self.ours.run(relation.index) if relation.index else None
        if done and done.state == "0A000":
            self.bench.refusals[done.message] += 1
        elif done and done.state:
            raise Difference(relation.name, "%s\nhere %s" % (relation.index, done.error()), "index", done.state)

    def _change(self, kind, view):
        """Of the server only: the view is the same afterwards, or once it has been computed anew."""
        create = view.create("MATERIALIZED VIEW")
        if kind == "limit":
            self._done(view, "ALTER MATERIALIZED VIEW %s SET (memory_limit = '4kB')" % view.name)
        elif kind == "replace":
            self._done(view, create.replace("CREATE", "CREATE OR REPLACE", 1))
        elif self._done(view, "DROP MATERIALIZED VIEW " + view.name):
            self._done(view, create)
            self._index(view)

    def _recover(self, view):
        """It holds more than it may, and has failed with all that read it, or nearly nothing."""
        self._done(view, "ALTER MATERIALIZED VIEW %s RESET (memory_limit)" % view.name)
        for v in self.live:
            self._done(v, "REFRESH MATERIALIZED VIEW " + v.name)

    def _done(self, view, sql):
        """False: views over it stand in the way."""
        done = self.ours.run(sql)
        if done.state and done.state != "2BP01":
            raise Difference(view.name, "%s\nhere %s" % (sql, done.error()), "change", done.state)
        self.bench.counts["changes"] += 1
        return not done.state

    def _commands(self, pipelined, commands):
        theirs = self.theirs.run_many(commands)
        ours = self.ours.run_many(commands) if pipelined else [self.ours.run(c) for c in commands]
        self.bench.counts["commands"] += len(commands)
        for command, a, b in zip(commands, theirs, ours):
            if (a.state, a.count) != (b.state, b.count):
                raise Difference(None, "%s\nPostgreSQL %s rows, %s\nhere %s rows, %s" % (
                    command, a.count, a.error(), b.count, b.error()), a.state, b.state)

    def _compare_all(self, ordered):
        for view in self.live[:]:
            self._compare(view, ordered)
        for table in self.round.tables:
            for sql, total in table.reads:
                self._compare_query(table, sql, total)

    def _ask(self):
        """The queries that define the views, also of those that are refused, as queries."""
        for view in self.round.views:
            sql = view.node.sql()
            theirs, ours = self.theirs.run(sql), self.ours.run(sql)
            if len(theirs.rows) > ROWS_MAX:
                self.bench.counts["too large"] += 1
            elif ours.state in REFUSED:
                self.bench.counts["queries refused"] += 1
            elif ours.state != theirs.state and "42P01" in (ours.state, theirs.state):
                self.bench.counts["of refused views"] += 1
            elif ours.state != theirs.state:
                self._differs(view, "as a query: PostgreSQL %s\nhere %s" % (theirs.error(), ours.error()), theirs, ours)
            elif not ours.state:
                self.bench.counts["queries"] += 1
                text = difference(theirs, ours, False)
                if text:
                    self._differs(view, "as a query:\n" + text, theirs, ours)

    def _differs(self, view, text, theirs, ours):
        """PostgreSQL cannot do every FULL JOIN."""
        if theirs.state == "0A000":
            self.bench.counts["PostgreSQL cannot do"] += 1
        else:
            raise Difference(view.name, text, theirs.state, ours.state)

    def _compare(self, view, ordered):
        """All of it, in an order that is total or as a bag, and what is asked of it."""
        order = " ORDER BY " + ", ".join("c%d" % i for i in range(len(view.families))) if ordered else ""
        for sql, total in [("SELECT * FROM %s%s" % (view.name, order), ordered)] + view.reads:
            if view in self.live:
                self._compare_query(view, sql, total)

    def _compare_query(self, view, sql, ordered):
        theirs = self.theirs.run(sql)
        if theirs.state:  # an overflow, say: from here on the view has failed
            self.bench.counts["failed in PostgreSQL"] += 1
            self.live = [v for v in self.live if v is not view]
            return
        if len(theirs.rows) > ROWS_MAX:
            self.bench.counts["too large"] += 1
            self.live = [v for v in self.live if v is not view]
            return
        ours = self.ours.run(sql)
        if self.bench.planted:
            ours.rows = [row for row in ours.rows if row[0] is not None]
        self.bench.counts["comparisons"] += 1
        self.bench.counts["rows"] += len(theirs.rows)
        text = difference(theirs, ours, ordered)
        if text:
            raise Difference(view.name, "%s\n%s" % (sql, text), ours.state)


def difference(theirs, ours, ordered):
    if ours.state:
        return "answered " + ours.error()
    if slt.plain(theirs.columns) != slt.plain(ours.columns):
        return "columns: PostgreSQL %r\nhere %r" % (theirs.columns, ours.columns)
    want, have = theirs.rows, ours.rows
    if not ordered:
        want, have = sorted(want, key=repr), sorted(have, key=repr)
    if want == have:
        return None
    left, right = collections.Counter(want), collections.Counter(have)
    return "PostgreSQL has %d rows, here are %d\nmissing %r\nsurplus %r%s" % (
        len(want), len(have), list((left - right).elements())[:5], list((right - left).elements())[:5],
        "" if left != right else "\nonly the order differs: %r instead of %r" % (have[:8], want[:8]))


class Shrinker:
    """Makes a round smaller as long as it differs in the same way: by the same view, or by none."""

    def __init__(self, bench, r, projectors, found):
        self.bench, self.round, self.projectors, self.found = bench, r, projectors, found
        self.deadline = time.monotonic() + SHRINK_S

    def _differs(self):
        if time.monotonic() > self.deadline:
            return False
        try:
            self.bench.play(self.round, self.projectors)
        except Difference as e:
            if e.same(self.found):
                self.found = e
                return True
        return False

    def _try(self, holder, name, value):
        """Give an attribute a value if the difference stays."""
        before = getattr(holder, name)
        setattr(holder, name, value)
        if self._differs():
            return True
        setattr(holder, name, before)
        return False

    def run(self):
        self._drop_views()
        self._drop_commands()
        self._smaller_queries()
        self._drop_views()
        self._drop_commands()
        self._drop_tables()

    def _drop_views(self):
        r = self.round
        for relation in r.views + r.tables:
            self._try(relation, "index", None)
            for read in [[]] + [[read] for read in relation.reads]:
                if len(read) < len(relation.reads) and self._try(relation, "reads", read):
                    break
        for view in [v for v in r.views if v.name != self.found.view]:
            if view not in r.views:
                continue
            early = r.early - (r.views.index(view) < r.early)
            rest = [v for v in r.views if v is not view]
            before = r.early
            r.early = early
            if not self._try(r, "views", rest):
                r.early = before

    def _drop_commands(self):
        """Halves of all commands, then of the halves; the batches stay where they are."""
        r = self.round
        size = sum(len(c) for _, c in r.batches)
        while size >= 1:
            at = 0
            while at < sum(len(c) for _, c in r.batches):
                if not self._try(r, "batches", without(r.batches, at, at + size)):
                    at += size
            size //= 2

    def _smaller_queries(self):
        for view in self.round.views:
            again = True
            while again and time.monotonic() < self.deadline:
                again = any(self._replace(node) for node in list(view.node.nodes()) if node.instead)

    def _replace(self, node):
        for smaller in node.instead:
            instead, node.instead = node.instead, []
            if self._try(node, "parts", [smaller]):
                return True
            node.instead = instead
        return False

    def _drop_tables(self):
        for table in self.round.tables[:]:
            self._try(self.round, "tables", [t for t in self.round.tables if t is not table])


def without(batches, first, last):
    """The batches without commands first to last (excluded), counted through all of them."""
    out, at = [], 0
    for pipelined, commands in batches:
        out.append((pipelined, [c for i, c in enumerate(commands, at) if not first <= i < last]))
        at += len(commands)
    return out


def as_slt(bench, r, found):
    """A file that shows it: PostgreSQL's answers after each batch."""
    theirs, lines = bench.session, ["hash-threshold 200\n"]
    theirs.clear()

    def statement(sql, view=None):
        state = theirs.run(view.create("VIEW") if view else sql).state
        lines.append("statement %s\n%s\n" % ("error " + state if state else "ok", sql))

    def queries(views):
        for view in views:
            query("SELECT * FROM " + view.name, False)
        for relation in views + r.tables:
            for sql, ordered in relation.reads:
                query(sql, ordered)

    def query(sql, ordered):
        sort = "nosort" if ordered else "rowsort"
        result = theirs.run(sql)
        if not result.state:
            types = "".join(slt.letter(kind) for _, kind in result.columns)
            lines.append("query %s %s\n%s\n----\n%s\n" % (
                types, sort, sql, "\n".join(slt.result_lines(result, sort, 200))))

    def make(views):
        for view in views:
            statement(view.create("MATERIALIZED VIEW"), view)
            if view.index:
                lines.append("statement ok\n%s\n" % view.index)

    for table in r.tables:
        statement(table.sql())
        if table.index:
            statement(table.index)
    made = r.views[:r.early]
    make(made)
    for i, (_, commands) in enumerate(r.batches):
        if i == 1:
            make(r.views[r.early:])
            made = r.views
        for command in commands:
            statement(command)
        if commands or i + 1 == len(r.batches):
            queries([v for v in made if found.view in (None, v.name)])
    return "\n".join(lines)


def shrunk(bench, seed, number):
    """None, or (round, Shrinker) of one that differs, made smaller."""
    r, projectors = Round(seed, number), 1 + number % 3
    try:
        bench.play(r, projectors)
    except Difference as e:
        print("round %d differs; it is made smaller" % number, flush=True)
        counts, refusals = bench.counts.copy(), bench.refusals.copy()
        shrinker = Shrinker(bench, r, projectors, e)
        shrinker.run()
        bench.counts, bench.refusals = counts, refusals
        return shrinker
    return None


def play_round(bench, seed, number):
    shrinker = shrunk(bench, seed, number)
    if shrinker:
        found = shrinker.found
        raise Failure("round %d with %d projectors, view %s: %s\n\n%s\nrun_views.py --seed %d --first %d --rounds 1" % (
            number, shrinker.projectors, found.view, found, as_slt(bench, shrinker.round, found), seed, number))


def check_plant(bench):
    """A server that loses rows that begin with NULL is found out, and the reason is one command and one view."""
    bench.planted = True
    shrinker = next(filter(None, (shrunk(bench, 1, number) for number in range(20))), None)
    bench.planted = False
    if not shrinker:
        raise Failure("lost rows are not found")
    r = shrinker.round
    commands, reads = sum(len(c) for _, c in r.batches), len(r.views)
    if commands > 2 or reads > 2:
        raise Failure("%d commands and %d views are left:\n%s" % (commands, reads, as_slt(bench, r, shrinker.found)))
    bench.counts.clear()
    bench.refusals.clear()


def main():
    parser = round_options(30 if SMALL else 150)
    parser.add_argument("--show-refused", action="store_true")
    options = parser.parse_args()
    print("views: seed %d" % options.seed, flush=True)
    begin = time.monotonic()
    bench = Bench()
    try:
        check_plant(bench)
        failures = play_rounds(options, lambda number: play_round(bench, options.seed, number))
    finally:
        bench.close()
        print("views: %s (%.1f s)" % (", ".join("%d %s" % (n, what) for what, n in bench.counts.items()),
                                      time.monotonic() - begin))
        if options.show_refused:
            for message, n in bench.refusals.most_common():
                print("%6d %s" % (n, message))
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as e:
        print("FAIL: %s" % e)
        sys.exit(1)
