#!/usr/bin/python3
"""The command-line client: formats against psql's own output, errors with their place, scripts, commands that
begin with a backslash, and the prompt through a pseudo-terminal."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time

from harness import BUILD, Failure, Postgres, Server, skip

CLI = os.path.join(BUILD, "leftfold")
SECONDS = 60

SCHEMA = """
CREATE TABLE item (id int PRIMARY KEY, name text, price numeric(10,2), ok boolean, f double precision,
                   day date, at timestamp, raw bytea, code char(5));
INSERT INTO item VALUES
  (1, 'nuts', 1.50, true, 0.1, '2024-02-29', '2024-02-29 12:00:00', '\\x00ff', 'ab'),
  (2, 'a, "b"', -12345.60, false, 1e22, NULL, NULL, '', NULL),
  (3, E'two\\nlines', NULL, NULL, 'NaN', '0001-01-01 BC', 'infinity', NULL, 'abcde'),
  (4, '', 0, true, '-Infinity', '1999-01-08', '1999-01-08 04:05:06.789', '\\x61', ''),
  (5, E'tab\\there\\\\ "q"', 7, false, -0.5, NULL, NULL, NULL, NULL),
  (6, 'Größe 日本', 7, false, 12, NULL, NULL, NULL, NULL),
  (7, '\\.', 7, false, 12, NULL, NULL, NULL, NULL);
"""

QUERIES = [
    "SELECT * FROM item ORDER BY id",
    "SELECT id, name FROM item ORDER BY id DESC",
    "SELECT name, id FROM item ORDER BY id",
    "SELECT name FROM item WHERE id = 3",
    "SELECT id FROM item WHERE id > 100",
    "SELECT count(*), sum(price), avg(price) FROM item",
    "SELECT id AS \"Größe\", name AS \"a,b\", ok AS x FROM item WHERE id < 3 ORDER BY id",
    "SELECT ok, name, f FROM item WHERE id IN (1, 5) ORDER BY id",
]

BAD = [
    "SELECT nix FROM item",
    "SELECT id\nFROM item\nWHERE\tnix = 1",
    "SELECT 'ä', nix FROM item",
    "SELECT id, name, price, ok, f, day, at, raw, code, id, name, price, nix FROM item WHERE id = 1 AND ok",
    "SELECT nix, id, name, price, ok, f, day, at, raw, code, id, name, price FROM item WHERE id = 1 AND ok",
    "SELECT id, name, price, ok, f, day, at, raw, code, id, name, price, ok, f, day, at, raw FROM item WHERE nix",
    "SELEC 1",
    "SELECT * FROM nowhere",
]


def check(ok, what, *more):
    if not ok:
        raise Failure(what + "".join("\n--- %s" % (m,) for m in more))


def same(expected, actual, what):
    check(expected == actual, what, "expected\n" + expected, "found\n" + actual)


def cli(server, *args, stdin="", code=0, env=None):
    done = subprocess.run([CLI, "--connect", server.address] + list(args), input=stdin, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS,
                          env=dict(os.environ, **(env or {})))
    check(done.returncode == code, "%s: exit %d instead of %d" % (args, done.returncode, code),
          done.stdout, done.stderr)
    return done


def test_formats(server, postgres):
    def psql(*args):
        return subprocess.run(["psql", "-X", "-h", postgres.dir, "-U", "postgres"] + list(args) +
                              ["postgres"], text=True, stdout=subprocess.PIPE, check=True,
                              stderr=subprocess.PIPE, timeout=SECONDS).stdout
    for query in QUERIES:
        same(psql("-c", query), cli(server, "--format", "table", "-c", query).stdout, query)
        same(psql("--csv", "-c", query), cli(server, "--format", "csv", "-c", query).stdout, query)
        # Not a terminal: csv.
        same(psql("--csv", "-c", query), cli(server, "-c", query).stdout, query)
    for command in ("INSERT INTO item (id) VALUES (8), (9) RETURNING id, name",
                    "UPDATE item SET name = 'x' WHERE id = 8", "DELETE FROM item WHERE id >= 8",
                    "INSERT INTO item VALUES (1) ON CONFLICT DO NOTHING"):
        same(psql("-c", command), cli(server, "--format", "table", "-c", command).stdout, command)
    # A machine format says nothing of commands.
    same("", cli(server, "-c", "UPDATE item SET ok = ok WHERE id = 1").stdout, "csv of a command")


def test_json(server):
    query = "SELECT id, name, price, ok, f FROM item ORDER BY id"
    rows = json.loads(cli(server, "--format", "json", "-c", query).stdout)
    lines = cli(server, "--format", "ndjson", "-c", query).stdout.splitlines()
    check(rows == [json.loads(line) for line in lines], "json and ndjson differ", rows, lines)
    check(rows[0] == {"id": 1, "name": "nuts", "price": 1.5, "ok": True, "f": 0.1}, "json", rows[0])
    check(rows[2] == {"id": 3, "name": "two\nlines", "price": None, "ok": None, "f": "NaN"},
          "json of NULL and NaN", rows[2])
    check(rows[3]["f"] == "-Infinity" and rows[1]["f"] == 1e22, "json of floats", rows)
    check(rows[4]["name"] == 'tab\there\\ "q"', "json of escapes", rows[4])
    empty = cli(server, "--format", "json", "-c", "SELECT id FROM item WHERE id > 100").stdout
    check(json.loads(empty) == [], "json of no rows", empty)


def test_positions(server, postgres):
    for query in BAD:
        psql = subprocess.run(["psql", "-X", "-h", postgres.dir, "-U", "postgres", "-v", "VERBOSITY=verbose",
                               "-c", query, "postgres"], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=SECONDS)
        expected = [line for line in psql.stderr.splitlines() if not line.startswith("LOCATION")]
        done = cli(server, "-c", query, code=1)
        check(done.stdout == "", "an error on standard output", done.stdout)
        same("\n".join(expected), done.stderr.rstrip("\n"), query)


def test_errors(server):
    done = cli(server, "-c", "INSERT INTO item VALUES (1)", code=1)
    check(done.stderr.startswith("ERROR:  23505: ") and "\nDETAIL:  Key (id)=(1)" in done.stderr,
          "a violated key", done.stderr)
    done = cli(server, "-c", "CREATE TABLE part (id int PRIMARY KEY, item int REFERENCES item)")
    check(done.stderr.startswith("NOTICE:  "), "a notice", done.stderr)


def test_scripts(server):
    script = ("-- a comment; here\nSELECT ';' AS a; SELECT $$b;$$ AS b\n;\nSELECT /* ; */ 3 AS c;"
              "SELECT '\\d' AS d")
    expected = "a\n;\nb\nb;\nc\n3\nd\n\\d\n"
    same(expected, cli(server, stdin=script).stdout, "a script on standard input")
    same(expected, cli(server, "-f", "-", stdin=script).stdout, "-f -")
    same(expected, cli(server, "-c", script).stdout, "-c")
    same("a\n1\nb\n2\n", cli(server, "-c", "SELECT 1 AS a", "-c", "SELECT 2 AS b").stdout, "-c twice")
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as f:
        f.write("SELECT 1 AS a;\n\n-- more\nSELECT nix;\nSELECT 2 AS b;\n")
        f.flush()
        done = cli(server, "-f", f.name, code=1)
        same("a\n1\n", done.stdout, "stops at the first error")
        check(done.stderr.startswith("leftfold:%s:4: ERROR:  42703: " % f.name), "place", done.stderr)
        done = cli(server, "--keep-going", "-f", f.name, code=1)
        same("a\n1\nb\n2\n", done.stdout, "--keep-going")
    # A script is run as it comes, each command acknowledged before the next.
    writer = subprocess.Popen([CLI, "--connect", server.address], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    for i in range(3):
        writer.stdin.write("SELECT %d AS a;\n" % i)
        writer.stdin.flush()
        check(select.select([writer.stdout], [], [], SECONDS)[0], "no answer while the pipe is open")
        same("a\n", writer.stdout.readline(), "a header")
        same("%d\n" % i, writer.stdout.readline(), "a row")
    writer.stdin.close()
    check(writer.wait(SECONDS) == 0, "the end of a pipe")
    writer.stdout.close()
    done = cli(server, "-c", "CREATE TABLE n (id int PRIMARY KEY, v int)", "-c",
               "INSERT INTO n VALUES (1, 1); UPDATE n SET v = v + 1 WHERE id = 1; SELECT v FROM n")
    same("v\n2\n", done.stdout, "commands, then a query")
    # Several commands as one: all or nothing.
    cli(server, "-c", "UPDATE n SET v = 7 WHERE id = 1\\; INSERT INTO n VALUES (1, 1);", code=1)
    same("v\n2\n", cli(server, "-c", "SELECT v FROM n").stdout, "an atomic block that fails")
    cli(server, "-c", "UPDATE n SET v = 7 WHERE id = 1\\; UPDATE n SET v = v + 1 WHERE id = 1;")
    same("v\n8\n", cli(server, "-c", "SELECT v FROM n").stdout, "an atomic block")


def test_acks(server):
    for level in ("durable", "visible"):
        cli(server, "--ack", level, "-c", "INSERT INTO n VALUES (%d, 0)" % len(level))
        cli(server, "-c", "DELETE FROM n WHERE id = %d" % len(level))
    done = cli(server, "--ack", "accepted", "--format", "table", "-c",
               "INSERT INTO n VALUES (50, 0); INSERT INTO n VALUES (1, 0); INSERT INTO n VALUES (51, 0)",
               code=1)
    same("INSERT (accepted)\n" * 3, done.stdout, "accepted")
    check("23505" in done.stderr and "accepted" in done.stderr, "an accepted command's error", done.stderr)
    same("count\n2\n", cli(server, "-c", "SELECT count(*) FROM n WHERE id >= 50").stdout, "accepted")
    # The last command's error is waited for; without that some of these would miss it.
    for _ in range(30):
        done = cli(server, "--ack", "accepted", "-c", "INSERT INTO n VALUES (1, 0)", code=1)
        check("23505" in done.stderr, "the last accepted command's error", done.stderr)


def test_meta(server):
    cli(server, "-c", """CREATE TABLE doc (id int PRIMARY KEY, item int DEFAULT 7, note text DEFAULT 'it''s',
            CONSTRAINT short CHECK (id > 0));
        CREATE TABLE line (doc int REFERENCES doc, n int, PRIMARY KEY (doc, n));
        CREATE MATERIALIZED VIEW lines AS SELECT doc, count(*) AS n FROM line GROUP BY doc;
        CREATE UNIQUE INDEX ON lines (doc); CREATE INDEX by_item ON doc USING hash (item);
        CREATE INDEX by_note ON doc (note DESC, item NULLS FIRST, id)""")
    out = cli(server, "--format", "table", "-c", "\\d doc").stdout
    for wanted in ('   Table "doc"', " id     | integer | not null | ", " item   | integer |          | 7",
                   " note   | text    |          | 'it''s'::text", '"doc_pkey" PRIMARY KEY, lookup key (id)',
                   '"by_item" hash (item)', '"by_note" btree (note DESC, item NULLS FIRST, id)', '"short"', "Referenced by:\n    TABLE \"line\"", "Partitioned by: id"):
        check(wanted in out, "\\d doc has no %r" % wanted, out)
    out = cli(server, "--format", "table", "-c", "\\d LINES").stdout
    for wanted in ('Materialized view "lines"', '_idx" UNIQUE, lookup key (doc)', "Reads:\n    \"line\"",
                   "View definition:\n CREATE MATERIALIZED VIEW lines"):
        check(wanted in out, "\\d lines has no %r" % wanted, out)
    same("Column,Type,Nullable,Default\ndoc,integer,not null,\nn,integer,not null,\n",
         cli(server, "-c", "\\d line").stdout, "\\d as csv")
    names = [line.split(",")[0] for line in cli(server, "-c", "\\d").stdout.splitlines()[1:]]
    check(names == sorted(names) and {"doc", "line", "lines"} <= set(names), "\\d", names)
    tables = cli(server, "-c", "\\dt").stdout
    views = cli(server, "-c", "\\dv").stdout
    check("lines," not in tables and "doc," in tables, "\\dt", tables)
    same("Name,Type,Partitioned by\nlines,materialized view,doc\n", views, "\\dv")
    out = cli(server, "--format", "table", "-c", "\\d+ lines").stdout
    for wanted in ("View definition:", " State | Rows | Bytes | Memory limit | Stages | SQLSTATE | Reason",
                   " ok    |    0 | ", "Operators", "| group   | by 1 key, 1 aggregate → ", "| publish | lines "):
        check(wanted in out, "\\d+ lines has no %r" % wanted, out)
    check(" Rows | Bytes | Indexes | Bytes of indexes" in cli(server, "--format", "table", "-c", "\\d+ doc").stdout, "\\d+ doc")
    check("\ndoc,table,,0," in cli(server, "-c", "\\d+").stdout, "\\d+")
    cli(server, "-c", "CREATE PROCEDURE \"Put\"(a int, text DEFAULT 'it''s') BEGIN ATOMIC SELECT $1; SELECT reject($2); END")
    same("Name,Argument data types\nPut,\"a integer, text DEFAULT 'it''s'::text\"\n", cli(server, "-c", "\\df").stdout, "\\df")
    out = cli(server, "--format", "table", "-c", "\\df \"Put\"").stdout
    check("BEGIN ATOMIC SELECT $1; SELECT reject($2); END\n" in out, "\\df NAME", out)
    check('any procedure named "put"' in cli(server, "-c", "\\df Put", code=1).stderr, "\\df of nothing")
    check("P0001: it's" in cli(server, "-c", "CALL \"Put\"(1)", code=1).stderr, "CALL")
    cli(server, "-c", "DROP PROCEDURE \"Put\"")
    done = cli(server, "-c", "\\d nowhere", code=1)
    check("nowhere" in done.stderr, "\\d of nothing", done.stderr)
    for bad in ("\\nix", "\\q 1", "\\timing maybe", "\\watch never", "\\watch 1 0", "\\d a b"):
        check(cli(server, "-c", bad + "\nSELECT 1", code=1).stdout == "", bad)
    same("a\n1\n", cli(server, stdin="SELECT 1 AS a;\n\\q\nSELECT 2 AS b;\n").stdout, "\\q")
    same("a\n1\n" * 3, cli(server, "-c", "SELECT 1 AS a \\watch 0.01 3").stdout, "\\watch")
    same("a\n1\n" * 2, cli(server, stdin="SELECT 1 AS a\n\\g\n\\g\n").stdout, "\\g")
    done = cli(server, "-c", "\\timing on\nSELECT 1 AS a")
    check(done.stdout == "a\n1\n" and re.fullmatch(r"Time: \d+\.\d{3} ms\n", done.stderr), "\\timing", done)
    check("\\watch" in cli(server, "-c", "\\?").stdout, "\\?")


def test_flags(server):
    for args in (["--format", "xml"], ["--ack", "maybe"], ["--nix"], ["SELECT 1"],
                 ["-c", "SELECT 1", "-f", "x"]):
        cli(server, *args, code=2)
    cli(server, "-f", "/nowhere/at/all", code=1)
    check(cli(server, "--version").stdout.startswith("leftfold "), "--version")
    check("Exit codes" in cli(server, "--help").stdout, "--help")
    done = subprocess.run([CLI, "--connect", "127.0.0.1:1", "-c", "SELECT 1"], text=True, timeout=SECONDS,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    check(done.returncode == 1 and "08001" in done.stderr, "nobody listens", done.stderr)


class Terminal:
    """The client on a pseudo-terminal."""

    def __init__(self, server, home, *shell):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="dumb", HOME=home, LC_ALL="C.UTF-8", PS1="shell> ")
            os.environ.pop("LEFTFOLD_HISTORY", None)
            args = shell or [CLI, "--connect", server.address]
            os.execvp(args[0], args)
        self.seen = ""

    def expect(self, wanted):
        deadline = time.monotonic() + SECONDS
        while wanted not in self.seen:
            ready = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]
            check(ready, "the terminal does not show %r" % wanted, self.seen)
            try:
                got = os.read(self.fd, 65536).decode("utf-8", "replace")
            except OSError:
                got = ""
            check(got, "the client ended before %r" % wanted, self.seen)
            self.seen += got
        before, self.seen = self.seen.split(wanted, 1)
        return before

    def send(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        """Wait for the end; the exit status."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
            if select.select([self.fd], [], [], 0.02)[0]:
                try:
                    os.read(self.fd, 65536)
                except OSError:
                    pass
        os.kill(self.pid, signal.SIGKILL)
        raise Failure("the client does not end")


def test_terminal(server):
    home = tempfile.mkdtemp(prefix="leftfold-home-")
    try:
        t = Terminal(server, home)
        t.expect("leftfold=> ")
        t.send("SELECT 1 AS one;\n")
        t.expect("(1 row)")
        t.expect("leftfold=> ")
        t.send("SELECT 'a\n")  # over several lines, the prompt says what is open
        t.expect("leftfold'> ")
        t.send("b' AS two,\n")
        t.expect("leftfold-> ")
        t.send("(1\n")
        t.expect("leftfold(> ")
        t.send(") AS x;\n")
        t.expect(" b   |")
        t.expect("leftfold=> ")
        t.send("SELECT nix;\n")  # an error does not end it
        t.expect("42703")
        t.expect("leftfold=> ")
        t.send("SELECT 'dropped\n")
        t.expect("leftfold'> ")
        t.send("\x03")  # Ctrl-C
        t.expect("leftfold=> ")
        t.send("(\n\x03SELECT 2 AS two;\n")  # in order with what is typed ahead
        t.expect("(1 row)")
        t.expect("leftfold=> ")
        t.send("(\n")
        t.expect("leftfold(> ")
        os.kill(t.pid, signal.SIGINT)
        t.expect("leftfold=> ")
        t.send("SELECT 3 AS three \\watch 0.01\n")
        t.expect("(1 row)")
        t.expect("(1 row)")
        t.send("\x03")
        t.expect("leftfold=> ")
        t.send("\\timing\n")
        t.expect("Timing is on.")
        t.expect("leftfold=> ")
        t.send("\x10\x10\n")  # two lines back: the watched query, again
        t.expect("(1 row)")
        t.send("\x03")
        t.expect("leftfold=> ")
        t.send("\x04")  # Ctrl-D
        check(t.end() == 0, "exit code at the end of input")
        history = os.path.join(home, ".leftfold_history")
        check(os.stat(history).st_mode & 0o777 == 0o600, "the history file is private")
        # Another session has the history.
        t = Terminal(server, home)
        t.expect("leftfold=> ")
        t.send("\x10\x10\x10\n")
        t.expect("(1 row)")
        t.send("\x03")
        t.expect("leftfold=> ")
        t.send("\\q\n")
        check(t.end() == 0, "exit code of \\q")
    finally:
        shutil.rmtree(home)


def test_terminal_stopped(server):
    """Ctrl-Z in the middle of a line: a shell with job control goes on, and so does the line after fg."""
    home = tempfile.mkdtemp(prefix="leftfold-home-")
    try:
        t = Terminal(server, home, "bash", "--norc", "--noprofile", "-i")
        t.expect("shell> ")
        t.send("%s --connect %s\n" % (CLI, server.address))
        t.expect("leftfold=> ")
        t.send("SELECT\x1a")
        t.expect("shell> ")
        t.send("fg\n")
        t.expect("leftfold=> SELECT")  # what was typed is shown again
        t.send(" 4 AS four;\n")
        t.expect("(1 row)")
        t.expect("leftfold=> ")
        t.send("\x04")
        t.expect("shell> ")
        t.send("exit\n")
        check(t.end() == 0, "exit code of the client, as the shell tells it")
    finally:
        shutil.rmtree(home)


def test_terminal_at_once(server):
    """Ctrl-C and Ctrl-D sent the moment the prompt is seen, by several clients, so that some are slow."""
    home = tempfile.mkdtemp(prefix="leftfold-home-")
    try:
        for _ in range(5):
            terminals = [Terminal(server, home) for _ in range(8)]
            for t in terminals:
                t.expect("leftfold=> ")
            for _ in range(20):
                for t in terminals:
                    t.send("(\n")
                for t in terminals:
                    t.expect("leftfold(> ")
                    t.send("\x03")
                for t in terminals:
                    t.expect("leftfold=> ")
            for t in terminals:
                t.send("\x04")
            for t in terminals:
                check(t.end() == 0, "exit code at the end of input")
    finally:
        shutil.rmtree(home)


def main():
    postgres, missing = None, None
    try:
        postgres = Postgres()
    except Failure as why:
        missing = str(why)
    try:
        server = Server(projectors=2)
        try:
            cli(server, "-c", SCHEMA)
            if postgres:
                postgres.psql(SCHEMA)
                test_formats(server, postgres)
                test_positions(server, postgres)
            test_json(server)
            test_errors(server)
            test_scripts(server)
            test_acks(server)
            test_meta(server)
            test_flags(server)
            test_terminal(server)
            test_terminal_stopped(server)
            test_terminal_at_once(server)
        finally:
            server.stop()
    finally:
        if postgres:
            postgres.close()
    if missing:
        skip("the output was not compared with psql's: " + missing)
    print("ok: the command-line client")


if __name__ == "__main__":
    main()
