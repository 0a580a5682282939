"""One who follows a query over the protocol: what it is told, put together."""

import collections

from cases import check, equal
from wire import *


class Follower:
    """A connection with one subscription. `rows` counts the rows there are as of `epoch`."""

    def __init__(self, address, text, kinds, packed=row("", []), flags=0, since=0, timeout=0, rows=None, **options):
        self.connection = Connection(address, **options)
        prepared = self.connection.prepare(text)
        equal(prepared.kind, PREPARED, text)
        self.kinds = kinds
        self.rows = collections.Counter() if rows is None else rows
        self.epoch = since
        self.groups = self.gaps = self.snapshots = self.changes = self.progress = 0
        self.error = None
        self.within = None  # what a snapshot or group has brought so far
        self.request = self.connection.subscribe(prepared.handle, packed, flags, since, timeout)
        first = self.connection.receive()
        if first.kind == ERROR:
            self.error = first
        else:
            equal(first.kind, SUBSCRIBED, text)

    def take(self, a):
        """A frame; True: a snapshot, group or mark is complete."""
        check(a is not None, "the connection was closed")
        equal(a.request, self.request, "request")
        if a.kind == ERROR:
            self.error = a
            return True
        equal(a.kind, CHANGES, "kind of frame")
        if a.what == GAP:
            check(self.within is None, "a gap within a group")
            self.gaps += 1
            return False
        if a.what in (PROGRESS, END):
            check(self.within is None, "a mark within a group")
            check(a.epoch >= self.epoch, "epochs go back")
            self.epoch = a.epoch
            self.progress += a.what == PROGRESS
            return True
        if self.within is None:
            check(a.epoch > self.epoch or (a.what == SNAPSHOT and a.epoch >= self.epoch), "epochs rise")
            self.within = (a.what, a.epoch, collections.Counter() if a.what == SNAPSHOT else self.rows)
        equal((a.what, a.epoch), self.within[:2], "frames of one group")
        rows = self.within[2]
        if a.what == SNAPSHOT:
            rows.update(map(tuple, a.rows(self.kinds)))
        else:
            for times, old, new in a.changes(self.kinds):
                self.changes += 1
                if old is not None:
                    rows[tuple(old)] -= times
                    check(rows[tuple(old)] >= 0, "a row went that was not there: %r" % old)
                    if rows[tuple(old)] == 0:
                        del rows[tuple(old)]
                if new is not None:
                    rows[tuple(new)] += times
        if not a.last:
            return False
        self.snapshots += a.what == SNAPSHOT
        self.groups += a.what == GROUP
        self.rows = rows
        self.epoch = a.epoch
        self.within = None
        return True

    def step(self):
        while not self.take(self.connection.receive()):
            pass

    def until(self, epoch):
        """Read until all up to this epoch is told; progress marks help."""
        while self.epoch < epoch and self.error is None:
            self.step()

    def close(self):
        self.connection.close()
