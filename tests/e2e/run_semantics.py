#!/usr/bin/python3
"""SQL semantics: the same statements in PostgreSQL and in the server; text output, SQLSTATE and position of
errors must be the same.

Kinds of cases: expressions and scripts of tests/e2e/semantics/, one statement a line or up to the
semicolon; random expressions over a table with a column of every type, as queries and as views; random
queries that indexes answer.
LEFTFOLD_SEED: the seed, printed at the start. LEFTFOLD_SEMANTICS: number of random expressions, and twice that
of queries of indexes.

What the server does not do it must refuse: 0A000 where PostgreSQL succeeds is allowed for random
expressions and counted, and so is 22003 where a numeric has more than 38 digits. Fixed cases that
PostgreSQL accepts and the server refuses are marked in their file, by a line that begins with
"-- refused: SQLSTATE".
"""

import csv
import io
import os
import random
import re
import sys
import time

from expressions import COLUMNS, Expressions
from harness import BUILD, Failure, Postgres, Server, run
from ranges import Ranges

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "semantics")
GOLDEN = os.path.join(os.path.dirname(HERE), "..", "golden")
MARK = "semantics_mark_"
MESSAGE = re.compile(r"^(?:psql:<stdin>:\d+: )?(ERROR|NOTICE|WARNING): +(\w{5}): (.*)$")
CARET = re.compile(r"^LINE \d+: (.*)$")


class Outcome:
    """What a statement gave: lines of output, and the error if there was one."""

    def __init__(self, rows, state=None, near=None, message=""):
        self.rows, self.state, self.near, self.message = rows, state, near, message

    def __str__(self):
        if self.state:
            return "%s at %r: %s" % (self.state, self.near, self.message)
        return "\n      ".join(self.rows) if self.rows else "(nothing)"


def marked(statements, warn):
    """One script with a mark after each statement, in both output streams."""
    return "".join("%s;\nSELECT %d AS %s%d;\n%s\n" % (s, i, MARK, i, warn % (MARK, i))
                   for i, s in enumerate(statements))


def read_errors(lines):
    """SQLSTATE, text under the caret and message of the first error in a stretch of standard error."""
    state = near = None
    message = ""
    for i, line in enumerate(lines):
        m = MESSAGE.match(line)
        if not m or m.group(1) != "ERROR":
            continue
        state, message, near = m.group(2), m.group(3), None
        if i + 2 < len(lines) and CARET.match(lines[i + 1]) and lines[i + 2].strip() == "^":
            near = lines[i + 1][lines[i + 2].index("^"):]
        break
    return state, near, message


def outcomes(statements, stdout, stderr):
    found = []
    out, err = stdout.split("\n"), stderr.split("\n")
    at = warn = 0
    for i in range(len(statements)):
        header = MARK + str(i)
        if header not in out:
            raise Failure("no answer: %s\n%s" % (statements[i], stderr[-1000:]))
        end = out.index(header, at)
        rows = out[at:end]
        at = end + 2
        stop = next(k for k in range(warn, len(err)) if '"%s"' % header in err[k] or
                    err[k] == header)
        state, near, message = read_errors(err[warn:stop])
        warn = stop + 1
        while warn < len(err) and (CARET.match(err[warn]) or err[warn].strip() == "^"):
            warn += 1
        found.append(Outcome(rows, state, near, message))
    return found


def ask_postgres(postgres, statements):
    script = ("\\set VERBOSITY verbose\n\\unset ON_ERROR_STOP\n" +
              marked(statements, "\\warn %s%d"))
    done = postgres.psql(script, check=False)
    return outcomes(statements, done.stdout, done.stderr)


def ask_server(server, statements):
    # A column that does not exist marks standard error.
    done = server.cli(marked(statements, "SELECT %s%d;"), check=False, extra=["--keep-going"])
    return outcomes(statements, done.stdout, done.stderr)


def same_place(a, b):
    """Long lines are shown cut, each in its own way."""
    a, b = (a or "").rstrip("."), (b or "").rstrip(".")
    n = min(len(a), len(b), 12)
    return n > 0 and a[:n] == b[:n]


def difference(statement, want, have, refused=None, lenient=False):
    """None, or a text that shows it."""
    if refused is not None:
        good = have.state == refused
    elif have.state != want.state:
        good = lenient and (have.state == "0A000" or (
            have.state == "22003" and (want.state is None or want.state[:2] in ("22", "0A"))))
    elif want.state is not None:
        good = want.near is None or same_place(want.near, have.near)
        # Which constraint it was.
        if want.state.startswith("23"):
            good = good and want.message == have.message
    else:
        w, h = want.rows, have.rows
        if "ORDER BY" not in statement.upper():
            w, h = w[:1] + sorted(w[1:]), h[:1] + sorted(h[1:])
        good = w == h
    if good:
        return None
    return "%s\n    expected: %s\n    found:    %s" % (statement, want, have)


def read_cases(name):
    """(statement, SQLSTATE it is refused with or None) of a file."""
    cases, refused = [], None
    text = []
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        for line in f:
            line = line.rstrip("\n")
            if line.startswith("--"):
                m = re.match(r"-- refused: (\w{5})", line)
                refused = m.group(1) if m else refused
                continue
            if not line.strip():
                continue
            text.append(line)
            if name.endswith(".txt"):
                cases.append(("SELECT " + line, refused))
                text, refused = [], None
            elif line.endswith(";"):
                cases.append(("\n".join(text)[:-1], refused))
                text, refused = [], None
    return cases


def golden(name, cases, want):
    """PostgreSQL's answers, one a line, for the unit test that has no PostgreSQL: the file must be right.

    A row's values are divided by |, a SQLSTATE stands behind an exclamation mark; what the server refuses
    has the one it is refused with."""
    lines = []
    for (statement, refused), w in zip(cases, want):
        if refused or w.state:
            lines.append("!" + (refused or w.state))
            continue
        rows = list(csv.reader(io.StringIO("\n".join(w.rows))))[1:]
        lines.append("".join("|".join(r).replace("\n", "\\n") for r in rows))
    text = "".join("%s\t%s\n" % (s[0][len("SELECT "):], l) for s, l in zip(cases, lines))
    path = os.path.join(GOLDEN, "semantics_" + name)
    if os.environ.get("LEFTFOLD_GOLDEN") == "write":
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    with open(path, encoding="utf-8") as f:
        if f.read() != text:
            return ["%s is not what PostgreSQL answers; write it with LEFTFOLD_GOLDEN=write" % path]
    return []


def run_fixed(postgres, server, name):
    cases = read_cases(name)
    # What the server refuses PostgreSQL must not do either.
    theirs = ["SELECT" if refused else adapt(s) for s, refused in cases]
    want = ask_postgres(postgres, theirs)
    have = ask_server(server, [s for s, _ in cases])
    bad = [difference(s, w, h, refused) for (s, refused), w, h in zip(cases, want, have)]
    bad = [b for b in bad if b]
    if name.endswith(".txt"):
        bad += golden(name, cases, want)
    print("semantics: %s: %d statements, %d differ" % (name, len(cases), len(bad)))
    return bad


def adapt(statement):
    """For PostgreSQL, what only the server has: the partitions of a table, views that are fresh."""
    m = re.match(r"(?s)CREATE TABLE (\w+).*PARTITION BY HASH", statement)
    if m:
        return ("%s; CREATE TABLE %s_0 PARTITION OF %s FOR VALUES WITH (MODULUS 1, REMAINDER 0)" %
                (statement, m.group(1), m.group(1)))
    m = re.match(r"/\* view (\w+) \*/", statement)
    if m:
        return "REFRESH MATERIALIZED VIEW %s; %s" % (m.group(1), statement)
    return statement


def run_random(postgres, server, seed, count):
    make = Expressions(random.Random(seed))
    schema = ["CREATE TABLE semantics (id integer PRIMARY KEY, %s)" %
              ", ".join("%s %s" % c for c in COLUMNS)]
    rows = make.rows()
    schema += ["INSERT INTO semantics VALUES (%d, %s)" % (i, ", ".join(r))
               for i, r in enumerate(rows)]
    bad = [difference(s, w, h) for s, w, h in
           zip(schema, ask_postgres(postgres, schema), ask_server(server, schema))]
    expressions = [make.expression() for _ in range(count)]
    statements = ["SELECT %s AS x FROM semantics WHERE id = %d" %
                  (e, make.random.randrange(len(rows))) for e in expressions]
    want = ask_postgres(postgres, statements)
    have = ask_server(server, statements)
    bad += [difference(s, w, h, lenient=True) for s, w, h in zip(statements, want, have)]
    refused = sum(1 for w, h in zip(want, have) if h.state and not w.state)
    errors = sum(1 for w in want if w.state)
    print("semantics: %d random expressions, %d of them errors in both, %d refused" %
          (count, errors, refused))
    if errors > count * 0.7 or refused > count * 0.1:
        raise Failure("too few of the random expressions test anything")
    # Those that hold for every row, as views.
    good = [e for e, w, h in zip(expressions, want, have) if not w.state and not h.state]
    bad += run_views(postgres, server, good[:120])
    return [b for b in bad if b]


def run_views(postgres, server, expressions):
    tests = ["SELECT id, %s AS x FROM semantics ORDER BY id" % e for e in expressions]
    whole = [e for e, w, h in zip(expressions, ask_postgres(postgres, tests),
                                  ask_server(server, tests)) if not w.state and not h.state]
    statements, shows = [], []
    for i, e in enumerate(whole):
        statements.append("CREATE MATERIALIZED VIEW semantics_%d AS SELECT id, %s AS x "
                          "FROM semantics" % (i, e))
        statements.append("SELECT * FROM semantics_%d ORDER BY id" % i)
    want = ask_postgres(postgres, statements)
    have = ask_server(server, statements)
    shows = [difference(statements[i - 1] + ";\n" + statements[i], want[i], have[i], lenient=True)
             for i in range(1, len(statements), 2) if have[i - 1].state != "0A000"]
    print("semantics: %d of them as views over all rows" % len(whole))
    return shows


def run_ranges(postgres, server, seed, count):
    make = Ranges(random.Random(seed))
    statements = make.schema() + [make.change() for _ in range(400)]
    statements += ["EXPLAIN " + make.query() for _ in range(count)]
    have = [h for s, h in zip(statements, ask_server(server, statements)) if s.startswith("EXPLAIN")]
    used = sum(1 for h in have if any("Index Scan" in r for r in h.rows))
    statements = [s for s in statements if not s.startswith("EXPLAIN")]
    bad = [difference(s, w, w) for s, w in zip(statements, ask_postgres(postgres, statements))]
    statements = []
    for _ in range(count // 10):
        statements += [make.change()] + [make.query() for _ in range(10)]
    have = ask_server(server, statements)
    bad += [difference(s, w, h) for s, w, h in zip(statements, ask_postgres(postgres, statements), have)]
    rows = sum(len(h.rows) - 1 for h in have if h.rows)
    print("semantics: %d queries of indexes, %d%% of them use one, %d rows" %
          (count, 100 * used // count, rows))
    if used < count * 0.8 or rows < count:
        raise Failure("too few of the queries test anything")
    return [b for b in bad if b]


def main():
    seed = int(os.environ.get("LEFTFOLD_SEED", random.SystemRandom().randrange(1 << 30)))
    count = int(os.environ.get("LEFTFOLD_SEMANTICS", "3000"))
    begin = time.monotonic()
    print("semantics: seed %d, build %s" % (seed, BUILD))
    bad = []
    postgres = Postgres()
    try:
        server = Server(1, 2)
        try:
            for name in sorted(os.listdir(HERE)):
                bad += run_fixed(postgres, server, name)
            bad += run_random(postgres, server, seed, count)
            bad += run_ranges(postgres, server, seed, 2 * count)
            server.stop()
        except BaseException:
            server.stop(check=False)
            print(server.output)
            raise
    finally:
        postgres.close()
    if bad:
        shown = int(os.environ.get("LEFTFOLD_SHOW", "40"))
        raise Failure("%d statements differ:\n%s" % (len(bad), "\n".join(bad[:shown])))
    print("semantics: all equal (%.1f s)" % (time.monotonic() - begin))


if __name__ == "__main__":
    try:
        main()
    except Failure as e:
        print("FAIL: %s" % e)
        sys.exit(1)
