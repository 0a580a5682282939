#!/usr/bin/python3
"""run_slt.py [--write | --status] [FILE...]: the suites of views in slt/*.slt, against PostgreSQL and the server.

PostgreSQL must answer what a file says; then the server must, with one projector and with three. What is marked as a
construct it may refuse with 0A000: what reads the view is skipped, and slt/STATUS.md has the message. That file is
compared, too: --status writes it. --write fills types and results of the files' queries in from PostgreSQL.
"""

import glob
import os
import sys
import time

from engines import LeftfoldSession, PostgresSession
from harness import ROOT, Failure, Postgres, Server
import slt

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "slt")
WRONG = os.path.join(HERE, "wrong", "wrong.slt")
WRONG_RECORDS = 13
STATUS = os.path.join(HERE, "STATUS.md")
HEAD = """# What of SQL works

Written by `tests/e2e/run_slt.py --status`: each construct stands in one of the suites beside this file, which PostgreSQL
answers and the server either answers alike, a view after every change of its tables, or refuses with 0A000.

"""


def check_file(file, postgres, servers):
    """(differences, {line: message of the refusal of what stands there})."""
    first = slt.Runner(postgres)
    bad, refused = first.run(file), None
    for projectors, session in servers:
        runner = slt.Runner(session, reference=first.columns)
        bad += ["with %d projectors: %s" % (projectors, text) for text in runner.run(file)]
        if refused not in (None, runner.refused):
            bad.append("%s: refused %r, with %d projectors %r" % (file.path, refused, projectors, runner.refused))
        refused = runner.refused
    print("slt: %s: %d statements, %d queries, of which the server answered %d" % (
        os.path.relpath(file.path, ROOT), first.statements, first.queries, runner.queries))
    return bad, refused


def check_wrong(sessions):
    """Differences are found: all of that file."""
    bad = []
    for session in sessions:
        found = slt.Runner(session).run(slt.File(WRONG))
        if len(found) != WRONG_RECORDS:
            bad.append("%s: %d records differ instead of %d:\n%s" % (WRONG, len(found), WRONG_RECORDS, "\n".join(found)))
    return bad


def status_of(file, refused):
    lines = []
    for record in file.records:
        if record.construct:
            message = refused.get(record.line)
            lines.append("| %s | %s | %s |" % (file.title, record.construct.replace("|", "\\|"),
                                               ("wrong: " if record.wrong else "refused: ") + message
                                               if message else "works"))
    return lines


def status_text(lines):
    works = sum(1 for line in lines if line.endswith("| works |"))
    return HEAD + "%d of %d work.\n\n| | construct | |\n| --- | --- | --- |\n%s\n" % (works, len(lines), "\n".join(lines))


def check_status(lines, write):
    text = status_text(lines)
    if write:
        with open(STATUS, "w", encoding="utf-8") as f:
            f.write(text)
    try:
        with open(STATUS, encoding="utf-8") as f:
            old = f.read()
    except FileNotFoundError:
        old = ""
    return [] if old == text else ["tests/e2e/slt/STATUS.md is not what was found; write it with run_slt.py --status"]


def write_files(files, postgres):
    for file in files:
        runner = slt.Runner(postgres, write=True)
        bad = [text for text in runner.run(file) if "expected:" not in text]
        if bad:
            raise Failure("\n".join(bad))
        file.write()


def check_files(files, postgres, write_status, whole):
    bad, lines = [], []
    quick = ("--durability", "os")
    with Server(1, 1, extra=quick) as one, Server(2, 3, extra=quick) as three:
        servers = [(1, LeftfoldSession(one.address)), (3, LeftfoldSession(three.address))]
        for file in files:
            found, refused = check_file(file, postgres, servers)
            bad += found
            lines += status_of(file, refused)
        bad += check_wrong([postgres, servers[1][1]])
        for _, session in servers:
            session.close()
    return bad + (check_status(lines, write_status) if whole else [])


def main():
    flags = [a for a in sys.argv[1:] if a.startswith("--")]
    names = [a for a in sys.argv[1:] if not a.startswith("--")]
    if set(flags) - {"--write", "--status"}:
        print(__doc__, file=sys.stderr)
        return 2
    begin = time.monotonic()
    files = [slt.File(name) for name in names or sorted(glob.glob(HERE + "/*.slt"))]
    postgres = Postgres()
    try:
        session = PostgresSession(postgres)
        if "--write" in flags:
            write_files(files, session)
            return 0
        bad = check_files(files, session, "--status" in flags, not names)
    finally:
        postgres.close()
    if bad:
        raise Failure("%d differences:\n%s" % (len(bad), "\n".join(bad[:int(os.environ.get("LEFTFOLD_SHOW", "40"))])))
    print("slt: %d files, all as PostgreSQL says (%.1f s)" % (len(files), time.monotonic() - begin))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as e:
        print("FAIL: %s" % e)
        sys.exit(1)
