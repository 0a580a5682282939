"""The frames of the event log, taken apart as net/PROTOCOL.md and core/log/FORMAT.md draw them."""

import struct

from wire import *

EVENTS, CONSUME, ACKNOWLEDGE, EVENTS_ARE, REQUEUED = 13, 14, 15, 76, 77
FOLLOW, OLDEST, NOW, STOP, REQUEUE, ALL, RESET = 1, 2, 4, 8, 16, 32, 64
LAST = 0xFFFFFFFF
COMMAND_KIND, PUT, DELETE = 4, 1, 2
# Of the types that the tests use: the letter of wire.WIDTHS.
LETTERS = {1: "b", 2: "h", 3: "i", 4: "q", 6: "d", 7: "n", 8: "t", 9: "t"}


class Event:
    def __init__(self, id_, attempt):
        self.id, self.attempt = id_, attempt
        self.changes = []

    def __repr__(self):
        return "%s %r %s %r" % (self.id, self.key, self.statement, self.changes)


def events_frame(request, flags=0, after=(0, 0, 0), table="", key=""):
    table, key = table.encode(), key.encode()
    return frame(EVENTS, request, struct.pack("<IHHQIIQ", flags, len(table), len(key), *after, 0) + table + key)


def consume_frame(request, name, flags=0, after=(0, 0, 0), ack_ms=0, attempts=0, inflight=0):
    name = name.encode()
    return frame(CONSUME, request,
                 struct.pack("<IHHQIIIIII", flags, len(name), 0, *after, ack_ms, attempts, inflight, 0) + name)


def acknowledge_frame(request, ids, how=0):
    return frame(ACKNOWLEDGE, request, struct.pack("<II", how, len(ids)) + b"".join(struct.pack("<QII", *i) for i in ids))


def packed(columns, data):
    """The visible columns of a row by name. columns: (type, flags, name) each."""
    kinds = "".join(LETTERS[t] for t, _, _ in columns)
    values, _ = unrow(kinds, data)
    return {name: v for (_, flags, name), v in zip(columns, values) if not flags & 1}


class Definitions:
    def __init__(self):
        self.tables, self.statements = {}, {}

    def table(self, number, data):
        _, ncols, _, name_bytes = struct.unpack_from("<IHhH", data)
        at, columns = 16 + 8 * ncols + name_bytes, []
        for c in range(ncols):
            type_, _, _, flags, n = struct.unpack_from("<BBHHH", data, 16 + 8 * c)
            columns.append((type_, flags, data[at:at + n].decode()))
            at += n
        self.tables[number] = (data[16 + 8 * ncols:][:name_bytes].decode(), columns)

    def statement(self, number, data):
        _, n, nparams = struct.unpack_from("<IIH", data)
        types = [data[16 + 4 * i] for i in range(nparams)]
        self.statements[number] = (data[16 + 4 * nparams:][:n].decode(), types)

    def command(self, event, number, data):
        (_, event.nchanges, event.time, event.hash, key_type, _, _, nkey, nparams,
         nmeta) = struct.unpack_from("<IIqQBBHIII", data)
        event.statement, types = self.statements[number]
        event.key = packed([(key_type, 0, "key")], data[40:40 + nkey])["key"] if nkey else None
        event.params = None
        if nparams:
            event.params = list(packed([(t, 0, i) for i, t in enumerate(types)],
                                       data[40 + nkey:40 + nkey + nparams]).values())
        event.meta = data[40 + nkey + nparams:][:nmeta]


def events_of(answer):
    """(the place that is reached, the events) of a frame."""
    assert answer.kind == EVENTS_ARE, "events"
    epoch, shard, number, count, zero = struct.unpack_from("<QIIII", answer.body)
    assert zero == 0, "zero"
    at, out, known = 24, [], Definitions()
    for _ in range(count):
        *id_, attempt, n = struct.unpack_from("<QIIII", answer.body, at)
        event, at = Event(tuple(id_), attempt), at + 24
        end = at + n
        while at < end:
            relation, kind, form = struct.unpack_from("<IHH", answer.body, at)
            size, = struct.unpack_from("<I", answer.body, at + 8)
            data = answer.body[at + 8:at + 8 + size]
            at += 8 + size
            if kind != COMMAND_KIND:
                name, columns = known.tables[relation]
                what = "delete" if kind == DELETE else "update" if form & 1 else "insert"
                event.changes.append((what, name, packed(columns, data)))
            elif form == 2:
                known.command(event, relation, data)
            elif form == 1:
                known.statement(relation, data)
            else:
                known.table(relation, data)
        assert at == end and len(event.changes) == event.nchanges, "a command has its changes"
        out.append(event)
    assert at == len(answer.body), "events fill the frame"
    return (epoch, shard, number), out


class Stream:
    """EVENTS on a connection of its own."""

    def __init__(self, address, flags=OLDEST, after=(0, 0, 0), receive_buffer=None, **filters):
        self.connection = Connection(address, receive_buffer=receive_buffer)
        self.connection.send(events_frame(9, flags, after, **filters))
        self.reached = after
        self.error = None

    def frame(self):
        """The events of the next frame; None: it has ended, or failed (`error`)."""
        a = self.connection.receive()
        if a is None or a.kind == ERROR:
            self.error = a
            return None
        self.reached, events = events_of(a)
        self.last = not a.flags & MORE
        return events

    def take(self, n):
        """n events."""
        out = []
        while len(out) < n:
            events = self.frame()
            assert events is not None, "ended: %s" % (self.error and self.error.state)
            out += events
        return out

    def all(self):
        out, events = [], []
        self.last = False
        while events is not None and not self.last:
            events = self.frame()
            assert events is not None, "ended: %s" % (self.error and (self.error.state, self.error.message))
            out += events
        return out

    def close(self):
        self.connection.close()
