"""The server under test and a PostgreSQL behind one interface: SQL in, a Result of texts out.

Neither uses a client library: both protocols are spoken here, so that NULLs, types and SQLSTATEs are seen as they are
sent and a statement costs no process.
"""

import re
import socket
import struct

from harness import Failure
import values
import wire

OIDS = {16: "boolean", 17: "bytea", 20: "bigint", 21: "smallint", 23: "integer", 25: "text", 700: "real",
        701: "double precision", 1042: "char", 1043: "varchar", 1082: "date", 1114: "timestamp", 1184: "timestamptz",
        1186: "interval", 1700: "numeric", 2950: "uuid", 114: "json", 3802: "jsonb"}
ARRAYS = {1000: 16, 1001: 17, 1016: 20, 1005: 21, 1007: 23, 1009: 25, 1021: 700, 1022: 701, 1014: 1042, 1015: 1043,
          1182: 1082, 1115: 1114, 1185: 1184, 1187: 1186, 1231: 1700, 2951: 2950, 199: 114, 3807: 3802}


def renamed(sql):
    """(old, new) name of a table or view, or (None, None)."""
    m = re.match(r'ALTER\s+(?:MATERIALIZED\s+VIEW|TABLE)\s+("[^"]+"|\w+)\s+RENAME\s+TO\s+("[^"]+"|\w+)', sql, re.I)
    return m.groups() if m else (None, None)


class Result:
    """columns: (name, type) each; rows: tuples of text or None. state: SQLSTATE of an error, else None.
    count: rows that a command changed, None for what is no command."""

    def __init__(self, columns=(), rows=(), state=None, message="", count=None):
        self.columns, self.rows, self.state, self.message = list(columns), list(rows), state, message
        self.count = count

    def error(self):
        return "%s: %s" % (self.state, self.message) if self.state else None


class PostgresSession:
    """One connection to a harness.Postgres, by the simple query protocol."""

    name = "postgresql"

    def __init__(self, postgres):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(120)
        self.socket.connect("%s/.s.PGSQL.%d" % (postgres.dir, getattr(postgres, "port", 5432)))
        self.file = self.socket.makefile("rb")
        body = struct.pack(">I", 196608) + b"user\0postgres\0database\0postgres\0\0"
        self.socket.sendall(struct.pack(">I", len(body) + 4) + body)
        self._receive()
        self.run("SET client_min_messages = warning")

    def run(self, sql):
        body = sql.encode() + b"\0"
        self.socket.sendall(b"Q" + struct.pack(">I", len(body) + 4) + body)
        return self._receive()

    def run_many(self, statements):
        return [self.run(s) for s in statements]

    def clear(self):
        self.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def close(self):
        self.file.close()
        self.socket.close()

    def _receive(self):
        result = Result()
        while True:
            head = self.file.read(5)
            if len(head) < 5:
                raise Failure("PostgreSQL has closed the connection")
            kind, body = head[:1], self.file.read(struct.unpack(">I", head[1:])[0] - 4)
            if kind == b"T":
                result = Result(columns=columns_of(body))
            elif kind == b"D":
                result.rows.append(cells_of(body))
            elif kind == b"C":
                words = body.rstrip(b"\0").decode().split(" ")
                if words[0] in ("INSERT", "UPDATE", "DELETE"):
                    result.count = int(words[-1])
            elif kind == b"E":
                fields = {f[:1]: f[1:].decode() for f in body.split(b"\0") if f}
                result = Result(state=fields[b"C"], message=fields[b"M"])
            elif kind == b"Z":
                return result


def postgres_type(oid, modifier):
    if oid in ARRAYS:
        return OIDS[ARRAYS[oid]] + "[]"
    name = OIDS.get(oid, "oid %d" % oid)
    if modifier < 4:
        return name
    if oid == 1700:
        return "numeric(%d,%d)" % ((modifier - 4) >> 16, (modifier - 4) & 0x7ff)
    return "%s(%d)" % (name, modifier - 4) if oid in (1042, 1043) else name


def columns_of(body):
    count, = struct.unpack_from(">H", body)
    at, columns = 2, []
    for _ in range(count):
        end = body.index(b"\0", at)
        oid, _, modifier = struct.unpack_from(">Ihi", body, end + 7)
        columns.append((body[at:end].decode(), postgres_type(oid, modifier)))
        at = end + 19
    return columns


def cells_of(body):
    count, = struct.unpack_from(">H", body)
    at, cells = 2, []
    for _ in range(count):
        size, = struct.unpack_from(">i", body, at)
        at += 4
        cells.append(None if size < 0 else body[at:at + size].decode())
        at += max(size, 0)
    return tuple(cells)


class LeftfoldSession:
    """One connection to the server under test. Every read sees the commands that were answered before it."""

    name = "leftfold"

    def __init__(self, address):
        self.connection = wire.Connection(address, timeout=120)
        self.epoch = 0
        self.made = []  # (kind, name) of tables and views, in the order in which they were made

    def run(self, sql):
        return self.run_many([sql])[0]

    def run_many(self, statements, window=64):
        """Several at once, at most `window` under way. A schema change among them must be run alone."""
        c, results, waiting = self.connection, {}, {}
        for i, sql in enumerate(statements):
            while len(waiting) >= window:
                self._take(waiting, results)
            request = c.request()
            waiting[request] = (i, [], Result())
            c.send(c.query(sql, at_least=self.epoch, timeout=30000, request=request))
        while waiting:
            self._take(waiting, results)
        for i, sql in enumerate(statements):
            if not results[i].state:
                self._note(sql)
        return [results[i] for i in range(len(statements))]

    def _take(self, waiting, results):
        a = self.connection.receive()
        if a is None or a.flags & wire.ASYNC:
            raise Failure("the server has closed the connection" if a is None else a.message)
        if a.kind == wire.DONE_BATCH:
            for request, epoch, count in a.items:
                self.epoch = max(self.epoch, epoch)
                i, _, result = waiting.pop(request)
                result.count = count
                results[i] = result
            return
        i, types, result = waiting[a.request]
        if a.kind == wire.PREPARED:
            types += prepared_columns(a, result)
            return
        if a.kind == wire.ROWS:
            at = 16
            for _ in range(a.count):
                cells, at = values.row_texts(types, a.body, at)
                result.rows.append(cells)
        elif a.kind == wire.DONE:
            self.epoch = max(self.epoch, a.epoch)
            result.count = a.count
        elif a.kind == wire.ERROR:
            result = Result(state=a.state, message=a.message)
        if not a.flags & wire.MORE:
            del waiting[a.request]
            results[i] = result

    def _note(self, sql):
        words = sql.split(None, 4)
        if [w.upper() for w in words[:3]] == ["CREATE", "MATERIALIZED", "VIEW"]:
            self.made.append(("MATERIALIZED VIEW", words[3]))
        elif [w.upper() for w in words[:2]] == ["CREATE", "TABLE"]:
            self.made.append(("TABLE", words[2].split("(")[0]))
        elif words and words[0].upper() == "DROP":
            self.made = [m for m in self.made if m[1] not in sql.split()]
        old, new = renamed(sql)
        self.made = [(kind, new if name == old else name) for kind, name in self.made]

    def clear(self):
        for kind, name in reversed(self.made[:]):
            done = self.run("DROP %s %s" % (kind, name))
            if done.state:
                raise Failure("DROP %s %s: %s" % (kind, name, done.error()))
        self.made = []

    def close(self):
        self.connection.close()


def prepared_columns(prepared, result):
    """Types of the result columns in the body of PREPARED; their names and types go to the result."""
    at, types = 16 + 4 * prepared.nparams, []
    for _ in range(prepared.nresults):
        kind, scale, length, size = struct.unpack_from("<BBHH", prepared.body, at)
        name = prepared.body[at + 6:at + 6 + size].decode()
        at += 6 + size
        types.append((kind, scale, length))
        result.columns.append((name, values.type_name(kind, scale, length)))
    return types
