#!/usr/bin/python3
"""COPY and \\copy of the command-line client: what it writes, reads and refuses, byte by byte as PostgreSQL's psql."""

import os
import re
import signal
import subprocess
import tempfile
import time

from harness import SANITIZED, SMALL, Postgres, Server
from run_cli import CLI, SECONDS, Terminal, check

SCHEMA = """
CREATE TABLE every (id int PRIMARY KEY, b boolean, i2 smallint, i8 bigint, f4 real, f8 double precision, n numeric,
                    m numeric(8,3), t text, v varchar(5), c char(4), y bytea, d date, ts timestamp, tz timestamptz, u uuid);
INSERT INTO every VALUES
  (1, true, -32768, 9223372036854775807, 0.1, 1e300, 12345678901234567890.123456789, 99999.999, 'plain', 'abc', 'ab',
   '\\x00ff5c0a', '2024-02-29', '2024-02-29 12:34:56.789', '2024-02-29 12:34:56+02', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, false, 0, 0, 'NaN', '-Infinity', 'NaN', -0.0005, '', '', '', '', '0044-03-15 BC', 'infinity', '-infinity', NULL),
  (4, false, 7, -7, 1e20, 1e15, 1.500, 1, E'tab\\there\\nand\\rthere\\\\ "quoted" and, more; |', E'\\b\\f\\v', 'é ü', '\\x', 'infinity',
   '1999-01-08 04:05:06', '1999-01-08 04:05:06', NULL),
  (5, true, 1, 1, 1, 1, 1, 1, '\\N', '\\.', 'null', '\\x', NULL, NULL, NULL, NULL),
  (6, true, 1, 1, 1, 1, 1, 1, 'Größe 日本 €', E'a\\u0001b', '\\', '\\x', NULL, NULL, NULL, NULL),
  (7, true, 1, 1, 1, 1, 1, 1, ' blanks ', '"', '''', '\\x', NULL, NULL, NULL, NULL);
CREATE TABLE "Odd name" ("a b" int PRIMARY KEY, "C" text, d int DEFAULT 7);
CREATE TABLE one (t text);
CREATE TABLE pair (id int PRIMARY KEY, t varchar(6), n numeric(4,1) CHECK (n < 100));
CREATE MATERIALIZED VIEW totals AS SELECT b, count(*) AS n, sum(m) AS s FROM every GROUP BY b;
"""

OPTIONS = ["", "WITH (DELIMITER ';', NULL '')", "WITH (DELIMITER E'\\b', NULL 'null')", "(HEADER)", "CSV", "WITH CSV HEADER",
           "(FORMAT csv, DELIMITER ';', NULL 'null', HEADER true)", "(FORMAT csv, QUOTE '''', DELIMITER E'\\t')",
           "(FORMAT csv, ESCAPE '\\', NULL '\\N')", "(FORMAT csv, QUOTE '\\', ESCAPE '|')"]

# Options, and data for `pair`, whole: what they load, or the error with its place, is the same.
DATA = [
    ("", b"1\tone\t1.25\n2\t\\N\t\\N\n"),
    ("", b"1\tone\t1.25\r\n2\ttwo\t2\r\n"),
    ("", b"1\tone\t1.25\r2\ttwo\t2\r"),
    ("", b"1\tone\t1.25\n2\ttwo\t2"),
    ("", b"1\t\\x41\\102\\tC\t1\n2\ta\\\nb\t1\n3\ta\\\tb\t1\n4\t\\q\\\\\t1\n"),
    ("", b"1\tone\t1.25\n\\.\n"),
    ("(HEADER)", b"nonsense\n1\tone\t1.25\n"),
    ("(HEADER match)", b"id\tt\tn\n1\tone\t1.25\n"),
    ("CSV", b'1,"o""ne",1.25\n2,"",\n3,,"1"\n"4","a\nb",1\n5,a"b"c,1\n'),
    ("CSV", b'1,"a\r\nb",1\r\n2,x,1\r\n'),
    ("(FORMAT csv, ESCAPE '\\')", b'1,"a\\"b\\\\",1\n2,c\\d,1\n'),
    ("(FORMAT csv, HEADER, NULL '-')", b'id,t,n\n1,-,-\n2,"-",1\n'),
    ("CSV", b"1,\\.x,1\n2,\\,1\n\\.\n"),
    ("(DELIMITER '|')", b"1|a\\|b|1\n2|c\td|1\n"),
    ("", b""),
    # Errors.
    ("", b"1\tone\n"),
    ("", b"1\tone\t1\t2\n"),
    ("", b"\n"),
    ("", b"x\tone\t1\n"),
    ("", b"1\tone\tnope\n"),
    ("", b"1\ttoo long\t1\n"),
    ("", b"1\tone\t12345\n"),
    ("", b"1\tone\t100\n"),
    ("", b"\\N\tone\t1\n"),
    ("", b"99999999999\tone\t1\n"),
    ("", b"1\tone\t1\n1\ttwo\t2\n"),
    ("", b"1\tone\t1\n2\ttwo\t2\r\n"),
    ("", b"1\tone\t1\r\n2\ttwo\t2\n"),
    ("", b"1\tone\t1\n\\.x\n"),
    ("", b"1\t\\xff\t1\n"),
    ("", b"1\ta\t" + b"b" * 200 + b"\n"),
    ("", b"x" + b"\xc3\xa4" * 60 + b"\ta\n"),
    ("", b"1\ta\t1\t" + b"\xe2\x82\xac" * 60 + b"\n"),
    ("CSV", b'1,"one,1\n'),
    ("CSV", b"1,one,1\n2,two,2\r\n"),
    ("CSV", b'1,"a\nb",1\n2,"c\nd",1\n3,e,x\n'),
    ("(HEADER match)", b"id\tu\tn\n1\tone\t1.25\n"),
    ("(HEADER match)", b"id\tt\n1\tone\t1.25\n"),
    ("(FORMAT xml)", b""),
    ("(DELIMITER 'ab')", b""),
    ("(DELIMITER 'a')", b""),
    ("(DELIMITER E'\\n')", b""),
    ("(NULL E'\\n')", b""),
    ("(DELIMITER '-', NULL '-')", b""),
    ("(QUOTE '\"')", b""),
    ("(FORMAT csv, QUOTE 'ab')", b""),
    ("(FORMAT csv, DELIMITER '\"')", b""),
    ("(FORMAT csv, NULL '\"')", b""),
    ("(nonsense 1)", b""),
    ("(HEADER maybe)", b""),
    ("(HEADER, HEADER)", b""),
]


def same(expected, actual, what):
    check(expected == actual, what, expected, actual)


def client(server, script, code=0, args=("--format", "csv")):
    done = subprocess.run([CLI, "--connect", server.address] + list(args), input=script, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=SECONDS)
    check(code is None or done.returncode == code, "exit %d" % done.returncode, script[:300], done.stdout[-500:], done.stderr)
    return done


def psql(postgres, script):
    return subprocess.run(["psql", "-X", "-q", "-h", postgres.dir, "-U", "postgres", "-v", "VERBOSITY=verbose", "--csv",
                           "postgres"], input=script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS)


def told(stderr):
    """The error, and its context if it has one."""
    lines = stderr.decode("utf-8", "replace").splitlines()
    return ["".join(line for line in lines if line.startswith(word))[:400] for word in ("ERROR:", "CONTEXT:")]


def written(server, postgres, statement):
    script = statement.encode() + b"\n"
    expected = psql(postgres, script)
    check(expected.returncode == 0 and not expected.stderr, "PostgreSQL refuses " + statement, expected.stderr)
    same(expected.stdout, client(server, script).stdout, statement)
    return expected.stdout



def test_all_types(server, postgres):
    """Everything out in every format; and what PostgreSQL wrote in, and out again."""
    for options in OPTIONS:
        data = written(server, postgres, "COPY (SELECT * FROM every ORDER BY id) TO STDOUT %s;" % options)
        load = b"DELETE FROM every;\nCOPY every FROM STDIN %s;\n" % options.encode() + data + b"\\.\n"
        for error in (psql(postgres, load).stderr, client(server, load).stderr):
            check(not error, "loading " + options, error)
        written(server, postgres, "COPY (SELECT * FROM every ORDER BY id) TO STDOUT;")
    for text in ("COPY (SELECT id, t, c FROM every WHERE id IN (1, 4) ORDER BY 1) TO STDOUT CSV HEADER;",
                 "COPY (SELECT b, n, s FROM totals ORDER BY b) TO STDOUT;", "COPY (VALUES (1, 'a;b')) TO STDOUT (DELIMITER ';');",
                 "COPY (SELECT t FROM every ORDER BY id) TO STDOUT CSV;", "COPY (SELECT v FROM every ORDER BY id) TO STDOUT CSV;",
                 "COPY (SELECT id AS \"a,b\", t AS \"x\"\"y\" FROM every WHERE id = 1) TO STDOUT CSV HEADER;",
                 "COPY (SELECT id AS \"a\tb\" FROM every WHERE id = 1) TO STDOUT (HEADER);"):
        written(server, postgres, text)


def test_tables(server, postgres):
    """Names, columns, defaults, tables without a key."""
    script = (b'COPY "Odd name" ("C", "a b") FROM STDIN;\nx\t1\n\\N\t2\n\\.\nCOPY public.one FROM stdin;\na\n\nb\\\\\n\\.\n'
              b'COPY one (t) FROM STDIN (FORMAT csv);\n"c"\n\n"\\."\nd\n\\.\n')
    same(b"", client(server, script).stderr, "loading")
    same(b"", psql(postgres, script).stderr, "PostgreSQL loading")
    written(server, postgres, 'COPY (SELECT * FROM "Odd name" ORDER BY "a b") TO STDOUT;')
    written(server, postgres, "COPY (SELECT t FROM one ORDER BY t) TO STDOUT;")
    written(server, postgres, 'COPY "Odd name" ("C") TO STDOUT CSV HEADER;')
    rows = client(server, b"COPY totals TO STDOUT (HEADER);\n").stdout.splitlines()
    check(rows[0] == b"b\tn\ts" and len(rows) == 4, "a view", rows)


def test_data(server, postgres):
    for options, data in DATA:
        end = b"" if data and not data.endswith((b"\n", b"\r")) else b"\\.\n"
        if data.endswith(b"\r"):
            end = b""
        script = b"COPY pair FROM STDIN %s;\n" % options.encode() + data + end
        psql(postgres, b"TRUNCATE pair;\n")
        client(server, b"TRUNCATE pair;\n")
        expected, found = psql(postgres, script), client(server, script, code=None)
        what = "%s %r" % (options, data[:80])
        (error, context), (own_error, own_context) = told(expected.stderr), told(found.stderr)
        # Which bytes are not UTF-8 is not told.
        same(re.sub(r"(22021: .*): 0x.*", r"\1", error), own_error, what)
        # What the server refused is not kept: only its line is told.
        check(context.startswith(own_context) and bool(context) == bool(own_context) and
              (context == own_context or own_context[-1:].isdigit()), what, context, own_context)
        check(found.returncode == (1 if expected.stderr else 0), what, found.returncode, found.stderr)
        if not expected.stderr:
            written(server, postgres, "COPY (SELECT * FROM pair ORDER BY id) TO STDOUT;")


def test_places(server):
    """After an error the data are passed over, and what was copied is said, and true."""
    script = ("TRUNCATE pair;\nCOPY pair FROM STDIN;\n1\ta\t1\n2\tb\tx\nSELECT nix;\n\\.\nCOPY nowhere FROM STDIN;\nSELECT nix;\n"
              "\\.\nSELECT count(*) AS n FROM pair;\nCOPY pair FROM STDIN;\n\\.x\nSELECT nix;\n\\.\nSELECT 2 AS two;\n")
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as f:
        f.write(script)
        f.flush()
        done = client(server, b"", code=1, args=("--keep-going", "-f", f.name))
        same(b"n\n1\ntwo\n2\n", done.stdout, "what stands behind")
        places = re.findall(r":(\d+): ERROR:  (\w+)", done.stderr.decode())
        check(places == [("2", "22P02"), ("7", "42P01"), ("11", "22P04")], "places", done.stderr)
        check(b"\n1 rows copied, line 2 failed.\n" in done.stderr, "what was copied", done.stderr)
    rows = b"".join(b"%d\tx\t1\n" % (i if i != 700 else 5) for i in range(10, 5000))
    client(server, b"INSERT INTO pair VALUES (5, 'five', 5);\n")
    done = client(server, b"COPY pair FROM STDIN;\n" + rows + b"\\.\nSELECT 'no' AS no;\n", code=1)
    copied = re.search(rb"(\d+) rows copied, line 691 failed\.", done.stderr)
    check(copied and b"23505" in done.stderr and not done.stdout, "a refused row", done.stderr)
    count = client(server, b"SELECT count(*) - 2 AS n FROM pair;\n").stdout.split()[1]
    same(copied.group(1), count, "rows that were copied")
    # Data of -c are those of standard input.
    done = client(server, b"1\na\\tb\n", args=("--format", "table", "-c", "TRUNCATE one", "-c", "COPY one FROM STDIN", "-c",
                                                 "COPY one TO STDOUT"))
    check(done.stdout.startswith(b"TRUNCATE TABLE\nCOPY 2\n") and sorted(done.stdout.splitlines()[2:]) == [b"1", b"a\\tb"],
          "-c", done.stdout)


def test_files(server, postgres, directory):
    ours, theirs = os.path.join(directory, "ours"), os.path.join(directory, "theirs")
    for options in ("", "csv header", "with (format csv, delimiter ';')"):
        client(server, ("\\copy (SELECT * FROM every ORDER BY id) to '%s' %s\n" % (ours, options)).encode())
        done = psql(postgres, ("\\copy (SELECT * FROM every ORDER BY id) to '%s' %s\n" % (theirs, options)).encode())
        check(not done.stderr, "psql", done.stderr)
        with open(ours, "rb") as a, open(theirs, "rb") as b:
            same(b.read(), a.read(), "\\copy to " + options)
        load = ("DELETE FROM every;\n\\copy every from %s %s\n" % (theirs, options)).encode()
        same(b"DELETE 7\nCOPY 7\n", client(server, load, args=("--format", "table")).stdout, "\\copy from " + options)
        written(server, postgres, "COPY (SELECT * FROM every ORDER BY id) TO STDOUT;")
    done = client(server, ("\\copy every from '%s/nowhere'\n" % directory).encode(), code=1)
    check(b"No such file" in done.stderr, "no file", done.stderr)
    done = client(server, b"\\copy every to '/nowhere/x'\n", code=1)
    check(b"No such file" in done.stderr, "no directory", done.stderr)
    done = client(server, b"COPY every TO '/tmp/x';\n", code=1)
    check(b"0A000" in done.stderr and b"\\copy" in done.stderr, "a file of the server", done.stderr)


def test_dump(server, postgres, directory):
    """What pg_dump writes of a table's rows is loaded as it is."""
    postgres.psql("TRUNCATE one; INSERT INTO one VALUES ('a'), (NULL), (E'b\\n\\\\.')")
    dump = subprocess.run(["pg_dump", "-h", postgres.dir, "-U", "postgres", "--data-only", "-t", "one", "-t", "pair",
                           "postgres"], stdout=subprocess.PIPE, check=True, timeout=SECONDS).stdout
    blocks = re.findall(rb"^COPY .*?^\\\.\n", dump, re.M | re.S)
    check(len(blocks) == 2, "pg_dump", dump)
    same(b"", client(server, b"TRUNCATE one;\nTRUNCATE pair;\n" + b"\n\n".join(blocks)).stderr, "a dump")
    written(server, postgres, "COPY (SELECT t FROM one ORDER BY t) TO STDOUT;")
    written(server, postgres, "COPY (SELECT * FROM pair ORDER BY id) TO STDOUT;")


def test_bulk(server, directory):
    """Many rows from a file, in memory that does not grow with it."""
    n, path = (20000 if SMALL else 300000), os.path.join(directory, "bulk")
    client(server, b"CREATE TABLE bulk (id int PRIMARY KEY, grp int, t text);\n"
                   b"CREATE MATERIALIZED VIEW bulk_sum AS SELECT grp, count(*) AS n, sum(id) AS s FROM bulk GROUP BY grp;\n")
    with open(path, "w") as f:
        for i in range(n):
            f.write("%d\t%d\t%s\n" % (i, i % 3, "some text of a row, " * 4))
    out = os.path.join(directory, "sums")
    script = "\\copy bulk from '%s'\n\\copy (SELECT grp, n, s FROM bulk_sum ORDER BY grp) to '%s'\n" % (path, out)
    pid = os.posix_spawn(CLI, [CLI, "--connect", server.address, "-c", script], os.environ)
    _, status, usage = os.wait4(pid, 0)
    check(status == 0, "loading a file", status)
    expected = "".join("%d\t%d\t%d\n" % (g, len(range(g, n, 3)), sum(range(g, n, 3))) for g in range(3))
    with open(out) as f:
        same(expected, f.read(), "sums, right behind")
    if not SANITIZED and not SMALL:
        check(usage.ru_maxrss << 10 < os.path.getsize(path), "%d KiB of memory for a file of %d bytes" %
              (usage.ru_maxrss, os.path.getsize(path)))


def test_terminal(server, directory):
    client(server, b"TRUNCATE pair;\n")
    t = Terminal(server, directory)
    t.expect("leftfold=> ")
    t.send("COPY pair FROM STDIN WITH (DELIMITER ',');\n")
    t.expect("leftfold>> ")
    t.send("1,a,1\n")
    t.expect("leftfold>> ")
    t.send("\\.\n")
    t.expect("COPY 1")
    t.expect("1 rows in ")
    t.expect("leftfold=> ")
    t.send("COPY pair FROM STDIN;\n")
    t.expect("leftfold>> ")
    os.kill(t.pid, signal.SIGINT)
    t.expect("57014")
    t.expect("leftfold=> ")
    t.send("SELECT count(*) AS rows_there FROM pair;\n")
    t.expect("rows_there")
    t.expect("1")
    t.expect("leftfold=> ")
    t.send("\\q\n")
    check(t.end() == 0, "the end of a session")


def main():
    begin = time.monotonic()
    postgres = Postgres()
    try:
        postgres.psql(SCHEMA)
        with Server(projectors=3) as server, tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o777)
            client(server, SCHEMA.encode())
            test_bulk(server, directory)
            test_all_types(server, postgres)
            test_tables(server, postgres)
            test_data(server, postgres)
            test_places(server)
            test_files(server, postgres, directory)
            test_dump(server, postgres, directory)
            test_terminal(server, directory)
    finally:
        postgres.close()
    print("ok: COPY as PostgreSQL's (%.1f s)" % (time.monotonic() - begin))


if __name__ == "__main__":
    main()
