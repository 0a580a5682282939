"""Files in sqllogictest's format, for two engines at once (slt/README.md has the format).

A file is read into records; a Runner gives them to one engine and says what differs from the results written in the
file. PostgreSQL proves the file (and with --write fills it in), then the server is held to it.
"""

import hashlib
import re

from engines import renamed
from harness import Failure

VIEW = re.compile(r"CREATE\s+MATERIALIZED\s+VIEW\s+(\w+)", re.I)
SQLSTATE = re.compile(r"[0-9A-Z]{5}$")
INTEGERS = ("smallint", "integer", "bigint")
FRACTIONS = ("real", "double precision", "numeric")
SORTS = ("nosort", "rowsort", "valuesort")


class Record:
    """kind: statement, query, hash-threshold or halt. words: those behind it on its line. only: the engine that it is for,
    None for both. construct: what STATUS.md says of it, and that it may be refused; None for what may not. wrong: of a
    statement the SQLSTATE that the server is known to answer instead of 0A000, of a query how its answer is known to be
    wrong, or None. expected: lines behind ----, which are lines
    first to last (excluded) of the file; no ----: where it would stand, None for expected."""

    def __init__(self, line, words, marks):
        self.line, self.kind, self.words = line, words[0], words[1:]
        self.only, self.construct, self.wrong = marks.get("only"), marks.get("#="), marks.get("#!")
        self.sql, self.expected, self.first, self.last = "", None, 0, 0

    def view(self):
        """The name of the view that it makes, or None."""
        m = VIEW.match(self.sql)
        return m.group(1) if m else None


class File:
    def __init__(self, path):
        self.path, self.title, self.records = path, None, []
        with open(path, encoding="utf-8") as f:
            self.lines = f.read().split("\n")
        self.at = 0
        while self.at < len(self.lines):
            self._read()

    def _fail(self, text):
        raise Failure("%s:%d: %s" % (self.path, self.at + 1, text))

    def _read(self):
        """One record with the lines of conditions and comments that stand before it."""
        marks = {}
        while self.at < len(self.lines):
            line = self.lines[self.at].rstrip()
            words = line.split()
            if line.startswith("#"):
                self.title = self.title or line.lstrip("# ")
                marks[line[:2]] = line[2:].strip()
            elif words and words[0] in ("skipif", "onlyif"):
                marks["only"] = self._only(words)
            elif words:
                self._record(Record(self.at + 1, words, marks))
                return
            self.at += 1

    def _only(self, words):
        names = ["leftfold", "postgresql"]
        if len(words) != 2 or words[1] not in names:
            self._fail("skipif or onlyif, then leftfold or postgresql")
        return words[1] if words[0] == "onlyif" else names[1 - names.index(words[1])]

    def _record(self, record):
        self.at += 1
        if record.kind == "query" and (not record.words or record.words[1:2] and record.words[1] not in SORTS):
            self._fail("query TYPES [nosort|rowsort|valuesort] [LABEL]")
        if record.kind == "statement" and record.words[:1] not in (["ok"], ["error"], ["count"]):
            self._fail("statement ok, error or count")
        if record.kind in ("statement", "query"):
            sql = []
            while self.at < len(self.lines) and self.lines[self.at].strip() not in ("", "----"):
                sql.append(self.lines[self.at])
                self.at += 1
            record.sql = "\n".join(sql).strip().rstrip(";")
            self._results(record)
        elif record.kind not in ("hash-threshold", "halt"):
            self._fail("unknown record " + record.kind)
        self.records.append(record)

    def _results(self, record):
        record.first = record.last = self.at
        if self.at < len(self.lines) and self.lines[self.at].strip() == "----":
            self.at += 1
            first = self.at
            while self.at < len(self.lines) and self.lines[self.at] != "":
                self.at += 1
            record.expected, record.last = self.lines[first:self.at], self.at

    def write(self):
        """The file with what its queries' types and `expected` have become."""
        lines, at = [], 0
        for r in self.records:
            if r.kind == "query" and r.expected is not None:
                lines += self.lines[at:r.line - 1] + [" ".join(["query"] + r.words)]
                lines += self.lines[r.line:r.first] + ["----"] + r.expected
                at = r.last
        with open(self.path, "w", encoding="utf-8") as f:
            f.write("\n".join(lines + self.lines[at:]))


def cell(text):
    """A value as the file has it: a line each, or several with tabs between them."""
    if text is None:
        return "NULL"
    if text == "":
        return "(empty)"
    if text in ("NULL", "(empty)"):
        return "\\" + text
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def result_lines(result, sort, threshold):
    rows = [[cell(v) for v in row] for row in result.rows]
    if sort == "valuesort":
        lines = sorted(v for row in rows for v in row)
    else:
        lines = ["\t".join(row) for row in rows]
        lines = sorted(lines) if sort == "rowsort" else lines
    count = sum(len(row) for row in rows)
    if threshold and count > threshold:
        digest = hashlib.md5("".join(line + "\n" for line in lines).encode()).hexdigest()
        return ["%d values hashing to %s" % (count, digest)]
    return lines


def letter(kind):
    """The letter of a column in a query's TYPES."""
    name = kind.split("(")[0]
    return "I" if name in INTEGERS else "R" if name in FRACTIONS else "T"


class Runner:
    """One engine and one file. refused: {line of a record: message}, of the server only. columns: {line: columns of a
    query}. reference: the columns of the other engine, or None."""

    def __init__(self, session, write=False, reference=None):
        self.session, self.write, self.reference = session, write, reference
        self.ours = session.name == "leftfold"
        self.refused, self.missing = {}, set()
        self.columns, self.labels, self.bad = {}, {}, []
        self.views, self.stale, self.threshold = [], False, 0
        self.statements = self.queries = 0

    def run(self, file):
        """Differences, as texts."""
        self.bad = []
        for record in file.records:
            if record.only not in (None, self.session.name):
                continue
            if record.kind == "halt":
                break
            if record.kind == "hash-threshold":
                self.threshold = int(record.words[0])
                continue
            text = self._statement(record) if record.kind == "statement" else self._query(record)
            if text:
                self.bad.append("%s:%d (%s): %s\n%s" % (file.path, record.line, self.session.name, record.sql, text))
        self.session.clear()
        return self.bad

    def _reads_refused(self, record):
        """The refused view that a record is about, or None: then it says nothing."""
        return next((v for v in sorted(self.missing) if re.search(r"\b%s\b" % v, record.sql)), None)

    def _refuse(self, record, message):
        self.refused[record.line] = message
        if record.view():
            self.missing.add(record.view())

    def _run(self, record):
        """The result, or None when it is refused as it may be."""
        result = self.session.run(record.sql)
        known = record.wrong if record.kind == "statement" else None
        if self.ours and record.construct and (result.state or "00000") == (known or "0A000"):
            self._refuse(record, (result.error() or "accepted") if known else result.message)
            return None
        if self.ours and known:
            self._wrong_no_more(record)
        return result

    def _wrong_no_more(self, record):
        self.bad.append("line %d is not wrong any more (%s): take the line with #! away" % (record.line, record.wrong))

    def _statement(self, record):
        about = self._reads_refused(record)
        if about:
            if record.view() or record.construct:
                self._refuse(record, "reads %s, which is refused" % about)
            return None
        self.statements += 1
        result = self._run(record)
        if result is None:
            return None
        if result.state and record.view() and record.words[0] == "ok":
            self.missing.add(record.view())  # said once
        self._noticed(record.sql, record.view(), result)
        return statement_difference(record, result)

    def _noticed(self, sql, view, result):
        """PostgreSQL's views are as old as their last REFRESH."""
        self.stale = True
        if result.state:
            return
        if view:
            self.views.append(view)
        m = re.match(r"DROP\s+MATERIALIZED\s+VIEW\s+(\w+)", sql, re.I)
        if m and m.group(1) in self.views:
            self.views.remove(m.group(1))
        old, new = renamed(sql)
        self.views = [new if name == old else name for name in self.views]

    def _refresh(self):
        if self.session.name == "postgresql" and self.stale:
            for view in self.views:  # in order of their making, so of what they read
                done = self.session.run("REFRESH MATERIALIZED VIEW " + view)
                if done.state:
                    raise Failure("REFRESH of %s: %s" % (view, done.error()))
        self.stale = False

    def _query(self, record):
        if self._reads_refused(record):
            return None
        self._refresh()
        result = self._run(record)
        if result is None:
            return None
        self.queries += 1
        text = self._query_difference(record, result)
        if not self.ours or not record.wrong:
            return text
        if text:
            self._refuse(record, record.wrong)
        else:
            self._wrong_no_more(record)
        return None

    def _query_difference(self, record, result):
        if result.state:
            return "    answered %s" % result.error()
        sort = record.words[1] if len(record.words) > 1 else "nosort"
        lines = result_lines(result, sort, self.threshold)
        self.columns[record.line] = result.columns
        types = "".join(letter(kind) for _, kind in result.columns)
        if self.write:
            record.words[0], record.expected = types, lines
        if types != record.words[0]:
            return "    types %s instead of %s" % (types, record.words[0])
        if lines != (record.expected or []):
            return "  expected:\n    %s\n  found:\n    %s" % ("\n    ".join(record.expected or []), "\n    ".join(lines))
        return self._columns(record, result) or self._label(record, lines)

    def _columns(self, record, result):
        """Names and types, which the file does not have in full."""
        theirs = self.reference.get(record.line) if self.reference else None
        if theirs is None or plain(theirs) == plain(result.columns):
            return None
        return "    columns %s, PostgreSQL's %s" % (result.columns, theirs)

    def _label(self, record, lines):
        """Queries of one label have one result."""
        if len(record.words) > 2 and self.labels.setdefault(record.words[2], lines) != lines:
            return "    the result is not that of the other queries labelled " + record.words[2]
        return None


def plain(columns):
    """Without their modifiers: that of min(numeric(8,2)) is numeric in PostgreSQL."""
    return [(name, kind.split("(")[0]) for name, kind in columns]


def statement_difference(record, result):
    kind, rest = record.words[0], " ".join(record.words[1:])
    if kind == "ok":
        return "    answered " + result.error() if result.state else None
    if kind == "count":
        if result.state or result.count != int(rest):
            return "    %s rows instead of %s, %s" % (result.count, rest, result.error())
        return None
    if not result.state:
        return "    no error"
    good = result.state == rest if SQLSTATE.match(rest) else re.search(rest, result.error())
    return None if good else "    answered %s instead of %s" % (result.error(), rest)
