#!/usr/bin/python3
"""run_mutations.py [--rounds N] [--seed S] [--compare]: statements of the suites in slt/*.slt, with pieces put in the place of others.

Whatever comes of it, the server must answer: with rows, or with an error that has a code and is not XX000. A round is one
suite: its tables and views, then statements that are made of it. --compare: PostgreSQL is asked, too, and what it answers
otherwise is printed, to be looked at: views and queries that only one of them takes for one, by SQLSTATE (0A000 is no
difference, nor what comes of a view that was refused so), and other rows.
"""

import collections
import glob
import os
import random
import re
import sys
import time

from engines import LeftfoldSession, PostgresSession
from harness import SMALL, Failure, Postgres, Server, play_rounds, round_options
import slt

SUITES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "slt", "*.slt")
TOKEN = re.compile(r"\s+|'(?:[^']|'')*'|\"[^\"]*\"|\$\$.*?\$\$|[A-Za-z_]\w*|\d+(?:\.\d+)?|[<>=!|@~#&*/+%^-]+|.", re.S)
PLACES = re.compile(r"\b(?:SELECT|DISTINCT|FROM|WHERE|BY|HAVING|LIMIT|OFFSET|ON|AND|OR|THEN|ELSE|OVER|VALUES|SET)$|[(,]$", re.I)
MADE = re.compile(r"CREATE|INSERT", re.I)
UNORDERED = re.compile(r"(array|json|jsonb|string)_(object_)?agg|\bLIMIT\b|\bFETCH\b|DISTINCT\s+ON|\bOFFSET\b|row_number|now\(", re.I)
OURS = re.compile(r"lf_epoch|memory_limit|reject\(", re.I)  # what PostgreSQL does not have
STATEMENTS = 60  # of a round
WORDS = ["1", "2", "3", "NULL", "0", "-1", "1.5", "'x'", "true", "DISTINCT", "ALL", "NOT", "grouping(a)", "count(*)", "*", "()",
         "(SELECT 1)", "row_number() OVER ()", "now()", "lf_epoch", "LATERAL", "ROLLUP (1)", "$1", "DESC", "FILTER (WHERE true)",
         "OVER (ORDER BY 1)", "WITHIN GROUP (ORDER BY 1)", "LIMIT 1", "ORDER BY 1", "GROUP BY 1", "UNION ALL SELECT 1"]


def tokens(sql):
    return TOKEN.findall(sql)


def spans(text):
    """(first, last) of the pieces between commas, key words and brackets, brackets being whole; and of what is in brackets."""
    found, open_at = [], []
    for i, t in enumerate(text):
        if t == "(":
            open_at.append(i)
        elif t == ")" and open_at:
            first = open_at.pop()
            found.append((first, i + 1))
            found.append((first + 1, i))
    for i, t in enumerate(text):
        if not PLACES.search(t):
            continue
        depth, last = 0, i + 1
        while last < len(text) and (depth > 0 or not (text[last] in (",", ")") or PLACES.search(text[last]) and text[last] != "(")):
            depth += (text[last] == "(") - (text[last] == ")")
            last += 1
        if last > i + 1:
            found.append((i + 1, last))
    return found


class Mutator:
    def __init__(self, choose, statements):
        self.random = choose
        self.texts = [tokens(s) for s in statements]
        self.pieces = collections.defaultdict(list)  # by what stands before them
        for text in self.texts:
            for first, last in spans(text):
                self.pieces[text[first - 1].upper()].append(text[first:last])
        self.all = [p for pieces in self.pieces.values() for p in pieces] or [["1"]]
        self.names = sorted({t for text in self.texts for t in text if re.match(r"[a-z_]\w*$", t)}) or ["a"]

    def piece(self, before):
        """Mostly one that stands elsewhere behind the same word."""
        kind = self.random.randrange(12)
        if kind < 7:
            return self.random.choice(self.pieces[before.upper()] or self.all)
        if kind < 8:
            return self.random.choice(self.all)
        return [" ", self.random.choice(self.names if kind < 10 else WORDS), " "]

    def statement(self):
        text = list(self.random.choice(self.texts))
        for _ in range(self.random.choice((1, 1, 1, 2, 2, 3, 5))):
            places = [s for s in spans(text) if s[0] > 0]
            if not places:
                break
            first, last = self.random.choice(places)
            kind = self.random.randrange(8)
            if kind < 4:
                text[first:last] = self.piece(text[first - 1])
            elif kind == 4:
                text[first:first] = self.piece(text[first - 1]) + [self.random.choice([", ", " ", " + ", " AND ", " = "])]
            elif kind == 5:
                del text[first:last]
            elif kind == 6:
                text[first:last] = ["("] + text[first:last] + [")"]
            else:
                other = self.random.choice(places)
                text[first:last] = text[other[0]:other[1]]
        return "".join(text)[:8000]


class Bench:
    def __init__(self, compare):
        self.postgres = Postgres() if compare else None
        self.beside = PostgresSession(self.postgres) if compare else None
        self.differences = collections.defaultdict(list)
        self.counts = collections.Counter()
        if compare:
            self.beside.run("SET statement_timeout = '2s'")

    def round(self, path, choose):
        records = [r for r in slt.File(path).records if r.kind in ("statement", "query") and r.only != "postgresql"]
        made = [r.sql for r in records if r.kind == "statement" and r.words[0] == "ok" and MADE.match(r.sql)]
        mutator = Mutator(choose, [r.sql for r in records])
        self.views = [slt.VIEW.match(sql).group(1) for sql in made if slt.VIEW.match(sql)]
        self.diverged = False
        if self.beside:
            self.beside.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            for sql in made:
                self.beside.run(sql)
        with Server(projectors=choose.choice((1, 3)), extra=("--durability", "os")) as server:
            session = LeftfoldSession(server.address)
            for sql in made:
                session.run(sql)
            for _ in range(STATEMENTS):
                self.statement(session, mutator.statement())
            session.close()

    def statement(self, session, sql):
        name = slt.VIEW.match(sql)
        if name:
            sql = sql[:name.start(1)] + "mutated" + sql[name.end(1):]
        try:
            result = session.run(sql)
        except (Failure, OSError) as e:
            raise Failure("%s\n%s" % (e, sql))
        self.counts["refused" if result.state else "taken"] += 1
        if result.state is not None and (result.state.startswith("XX") or not result.message):
            raise Failure("%s\n%s" % (result.error(), sql))
        if self.beside:
            self.compare(session, sql, result, name)
        if name and result.state is None:
            session.run("DROP MATERIALIZED VIEW mutated")

    def compare(self, session, sql, result, name):
        query = re.match(r"\(*\s*(SELECT|WITH|VALUES)", sql, re.I)
        if not query and not re.match(r"CREATE|DROP|INSERT|UPDATE|DELETE|ALTER", sql, re.I):
            return
        other = self.beside.run(sql)
        agree = (result.state is None) == (other.state is None)
        if (name or query) and not agree and result.state not in ("0A000", "42P01") and not OURS.search(sql):
            self.differences[("a view: " if name else "a query: ") + str(other.state), result.state].append(
                "%s\n    PostgreSQL: %s\n    here: %s" % (sql, other.error(), result.error()))
        self.diverged |= not name and not query and not agree
        if agree and result.state is None and not UNORDERED.search(sql):
            if name:
                self.view_rows(session, sql)
            elif query and not self.diverged and not self.views:
                self.same(sql, sorted(result.rows, key=str), sorted(other.rows, key=str))
        if name and other.state is None:
            self.beside.run("DROP MATERIALIZED VIEW mutated")

    def same(self, sql, here, there):
        if here != there:
            self.differences["rows", "others"].append("%s\n    PostgreSQL: %s\n    here: %s" % (sql, there[:6], here[:6]))

    def view_rows(self, session, sql):
        """Where rows are cut off or numbered in no total order, each has its own right to differ."""
        def rows(s):
            return sorted(s.run("SELECT * FROM mutated").rows, key=str)

        if rows(session) == rows(self.beside) or self.diverged:
            return
        for name in self.views + ["mutated"]:
            self.beside.run("REFRESH MATERIALIZED VIEW " + name)
        self.same(sql, rows(session), rows(self.beside))

    def close(self):
        if self.postgres:
            self.postgres.close()


def play_round(bench, seed, number):
    choose = random.Random("%d/%d" % (seed, number))
    try:
        bench.round(choose.choice(sorted(glob.glob(SUITES))), choose)
    except Failure as e:
        raise Failure("%s\n\nrun_mutations.py --seed %d --first %d --rounds 1" % (e, seed, number)) from e


def main():
    parser = round_options(10 if SMALL else 40)
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--show", type=int, default=4)
    options = parser.parse_args()
    print("mutations: seed %d" % options.seed, flush=True)
    begin = time.monotonic()
    bench = Bench(options.compare)
    try:
        failures = play_rounds(options, lambda number: play_round(bench, options.seed, number))
        if failures == 0 and min(bench.counts["taken"], bench.counts["refused"]) == 0:
            raise Failure("of %s no statement was taken, or none refused" % bench.counts)
    finally:
        bench.close()
        print("mutations: %d statements taken, %d refused (%.1f s)" % (
            bench.counts["taken"], bench.counts["refused"], time.monotonic() - begin))
        for states, texts in sorted(bench.differences.items(), key=lambda d: -len(d[1])):
            print("PostgreSQL %s, here %s: %d" % (states + (len(texts),)))
            for text in sorted(texts, key=len)[:options.show]:
                print("  " + text)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
