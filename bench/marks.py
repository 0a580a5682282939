"""What was asked of Leftfold's speed before it was built, beside what a run of the benchmarks gave.

A mark is (what, at least, reached, note): `reached` takes Medians and gives a number; "at least" is a number of the same
unit, negative for "at most". The notes say what bounds what falls short, and what was tried; they are about the code as it
is, not about one run.
"""

import collections
import math

# micro: {(name, unit): value} of the programs in process; loop: {row: {"operations_per_s", "p50_us", "p99_us", "p99_9_us"}}
# over loopback; peers: {(group, name): operations/s} of bench/peers.json, which make bench-peers writes.
Medians = collections.namedtuple("Medians", "micro loop peers")


def _rate(row):
    return lambda m: m.loop[row]["operations_per_s"]


def _latency(row, percentile):
    return lambda m: m.loop[row][percentile]


def _micro(name, unit):
    return lambda m: m.micro[(name, unit)]


def _ratio(f, g):
    return lambda m: f(m) / g(m)


def _orders_against(name):
    return lambda m: m.peers[("order", "Leftfold")] / m.peers[("order", name)]


def _p50_of_echo(row, echo):
    return _ratio(_latency(row, "p50_us"), _latency(echo, "p50_us"))


_VIEWS = ("the projector's instructions, spread flat over scan, join, group and publish (profile below, make instructions). "
          "Helped: pairs of old and new rows without netting, rows copied from parameters, small blocks 64 at a time, "
          "keys compared where they lie, one directory for both sides of a join, groups that read a table's rows as they are, "
          "make pgo. Did not: one thread instead of two, larger batches, longer prefetch")
_ORDERS = "the instructions of three rows and three views for each order, as for votes"
_BOTH = "the server's and the client's processors alike"
_VOTE_IN_20 = "the server's processor, as above for a vote in twenty"
_HALF = "how long the server's one thread is at a batch, and the client's at a round, which all that is due meanwhile waits for"
_WAKE = "a projector's thread that is woken, and the reactor's again; --threads shared (next row) needs neither"

MARKS = [
    ("point reads, operations/s", 4e6, _rate("kv"),
     "the server's processor, a third of it in the kernel's TCP and io_uring"),
    ("point reads in frames of 256, operations/s", 8e6, _rate("kv, frames of 256"),
     "the queries themselves, three quarters of the server's time: two cache misses a read, hidden behind one another in groups "
     "of 16, and writing the answer"),
    ("votes alone, visible, in memory, operations/s", 3e6, _rate("vote"), _VIEWS),
    ("votes, 95% reads, uniform, operations/s", 4e6, _rate("vote, 95% reads"), _VOTE_IN_20),
    ("votes, 95% reads, Zipf, operations/s", 4e6, _rate("vote, 95% reads, Zipf 0.99"), _VOTE_IN_20),
    ("votes, 99% reads, uniform, operations/s", 4e6, _rate("vote, 99% reads"), _BOTH),
    ("votes, 99% reads, Zipf, operations/s", 4e6, _rate("vote, 99% reads, Zipf 0.99"), _BOTH),
    ("votes, os against memory", 0.85, _ratio(_rate("vote, os"), _rate("vote")),
     "the copy into the journal, and the kernel's worker that writes it on the same processor"),
    ("orders, os against memory", 0.85, _ratio(_rate("order, os"), _rate("order")),
     "the copy into the journal, and the kernel's worker that writes it on the same processor"),
    ("orders, disk against os", 0.60, _ratio(_rate("order, disk"), _rate("order, os")), ""),
    ("orders against Redis with Lua (peers.json)", 10, _orders_against("Redis, Lua"), _ORDERS),
    ("orders against Redis with MULTI (peers.json)", 10, _orders_against("Redis, MULTI"), _ORDERS),
    ("orders against Tarantool's procedure (peers.json)", 8, _orders_against("Tarantool, procedure, WAL none"), _ORDERS),
    ("idle, p50 of a read against echo", -1.3, _p50_of_echo("kv, one at a time", "echo, one at a time"), ""),
    ("idle, p50 of a visible vote against echo", -1.6,
     _p50_of_echo("vote, one at a time", "echo, one at a time"), _WAKE),
    ("idle, shared threads, p50 of a visible vote against echo", -1.6,
     _p50_of_echo("vote, shared threads, one at a time", "echo, one at a time"), ""),
    ("idle, spinning, p50 of a read against echo", -1.3,
     _p50_of_echo("kv, spinning, one at a time", "echo, spinning, one at a time"), ""),
    ("idle, spinning, p50 of a visible vote against echo", -1.6,
     _p50_of_echo("vote, spinning, one at a time", "echo, spinning, one at a time"), ""),
    ("reads at half load, open loop: p99, us", -1000, _latency("kv, open loop at half load", "p99_us"), _HALF),
    ("reads at half load, open loop: p99.9, us", -5000, _latency("kv, open loop at half load", "p99_9_us"), _HALF),
    ("orders at half load, open loop: p99, us", -1000, _latency("order, open loop at half load", "p99_us"), _HALF),
    ("orders at half load, open loop: p99.9, us", -5000, _latency("order, open loop at half load", "p99_9_us"), _HALF),
    ("votes in process, votes/s", 8e6, _micro("projection", "votes/s"), _VIEWS),
    ("orders in process, against a projector's steps alone", 0.70,
     _ratio(_micro("projection", "orders/s"), _micro("projection_applied", "orders/s")),
     "lines of the rings that go from one processor's cache to the other's, and back with the answer"),
    ("votes in process, against a projector's steps alone", 0.70,
     _ratio(_micro("projection", "votes/s"), _micro("projection_applied", "votes/s")), "the same"),
    ("orders in process, two projectors against one", 1.7,
     _ratio(_micro("projection_2_threads", "orders/s"), _micro("projection_1_thread", "orders/s")),
     "half of the commands, and of what views by customer and day need, goes over to the other processor; an epoch waits for "
     "both, and so for whatever else the system runs on either"),
    ("votes in process, two projectors against one", 1.7,
     _ratio(_micro("projection_2_threads", "votes/s"), _micro("projection_1_thread", "votes/s")), "the same"),
    ("a command among 20 M rows against 1 M, cache misses apart", -1.15, _micro("cost_rows", "of_few"),
     "misses of the TLB, whose entries are fewer than the places of so many rows"),
    ("a command's cost for each of views 5-8 against views 1-4", -1.15, _micro("cost_views", "of_line"),
     "the first-level cache, in which the groups of eight views have no room"),
    ("table, 10 M rows, bytes of a row beside its columns", -40, _micro("table_10000000_footprint", "beyond_columns"),
     "24 of the version's head (epoch, older version, length and flags), 8 of the bits for NULL, 16 of its place in the index, "
     "which is between 40% and 79% full"),
    ("table, 10 M rows, batched lookup against a bare loop", 0.70, _micro("table_10000000_lookup_batched", "of_loop"),
     "bucket and row are two cache misses where the loop has one; versions and epochs are compared"),
    ("table, 50 M rows, batched lookup against a bare loop", 0.70, _micro("table_50000000_lookup_batched", "of_loop"),
     "as above, with misses of the TLB"),
    ("ring, 32 bytes, batches of 32, against a bare ring", 0.80, _micro("ring_32_bytes_batch_32", "of_loop"),
     "messages have lengths and may wrap, the bare ring's slots are of one size; at a thirtieth of a core for a million "
     "commands it bounds nothing"),
    ("ring, 32 bytes, batches of 32, against ck_ring", 2.5, _micro("ring_32_bytes_batch_32", "of_ck"), "the same"),
    ("durable, one at a time, p50 above a bare write, us", -60,
     lambda m: m.loop["order, disk, spinning, one at a time"]["p50_us"] - m.micro[("journal_4k", "bare_us")],
     "the kernel's way over loopback, and its worker that ends a synchronous write; without --spin waking a halted virtual "
     "processor is added twice"),
    ("journal, writes of 1 MiB, against fio", 0.80,
     _ratio(_micro("journal_1m", "stream_MB/s"), _micro("fio_1m", "MB/s")), "checksums and copies between two writes"),
    ("recovery of 10 M rows from the journal, rows/s", 1.5e6, _micro("recovery_from_journal", "rows/s"),
     "memory: rows lie in order of arrival, so every one is a miss of the table; the views take as long again. Did not help: "
     "longer prefetch, make pgo"),
    ("recovery of 10 M rows from a checkpoint, rows/s", 1.5e6, _micro("recovery_from_checkpoint", "rows/s"), ""),
    ("p99 of commands during a checkpoint against without", -2.0,
     _ratio(_micro("recovery_checkpoint", "p99_us_during"), _micro("recovery_checkpoint", "p99_us_without")),
     "the checkpoint's thread packs on one of two processors, beside engine and benchmark"),
    ("10 M rows grouped into a view while commands go on, rows/s", 1e6, _micro("build_groups", "rows/s"),
     "a slice between two batches: each group is a miss of its place and of its states, and once more when it is given out"),
    ("p99 of commands during it against without", -2.0, _ratio(_micro("build_groups", "p99_us"), _micro("build_none", "p99_us")),
     "a slice is longer than a batch at this rate"),
    ("p99 of commands while a join is built against without", -2.0,
     _ratio(_micro("build_join", "p99_us"), _micro("build_none", "p99_us")), "the same"),
    ("p99 of commands while an index is built against without", -2.0,
     _ratio(_micro("build_index", "p99_us"), _micro("build_none", "p99_us")), "the same"),
    ("one subscriber to all counts of the votes, changes/s", 1e6, _micro("feed_every", "changes/s"),
     "a copy of the row before and after for each change, and its way to another processor"),
    ("votes with that subscriber against without", 0.90, _micro("feed_every", "of_none"),
     "three threads at work on two processors, and one more to be woken each epoch"),
    ("TPC-H Q1, tuples/s", 0.64e6, _micro("tpch_q1", "tuples/s"), "eight aggregates over products of numerics for each row"),
    ("TPC-H Q3, tuples/s", 2.3e6, _micro("tpch_q3", "tuples/s"),
     "the INSERT itself: a row a command, kept in a table by key, where the figure asked for keeps none"),
    ("TPC-H Q4, tuples/s", 3.1e6, _micro("tpch_q4", "tuples/s"), "the same, and the distinct keys of EXISTS"),
    ("TPC-H Q6, tuples/s", 6.1e6, _micro("tpch_q6", "tuples/s"), "the same"),
    ("TPC-H Q12, tuples/s", 2.9e6, _micro("tpch_q12", "tuples/s"), "the same"),
    ("TPC-H Q13, tuples/s", 2400, _micro("tpch_q13", "tuples/s"), ""),
    ("TPC-H Q15, tuples/s", 77, _micro("tpch_q15", "tuples/s"), ""),
    ("TPC-H Q16, tuples/s", 490, _micro("tpch_q16", "tuples/s"), ""),
    ("TPC-H Q17, tuples/s", 0.85e6, _micro("tpch_q17", "tuples/s"), "the INSERT itself, and an average for each part"),
    ("TPC-H Q18, tuples/s", 1e6, _micro("tpch_q18", "tuples/s"), "the INSERT itself, and a sum for each order"),
]


def values(medians):
    """(what, asked, reached, share of what was asked: 1 and more is well, note) of each; without what was not measured."""
    out = []
    for what, asked, reached, note in MARKS:
        try:
            value = reached(medians)
        except (KeyError, ZeroDivisionError):
            continue
        share = value / asked if asked > 0 else -asked / value if value > 0 else math.inf
        out.append((what, asked, value, share, note))
    return out


def table(medians, number):
    """Lines of Markdown."""
    lines = ["| what | asked | reached | of it | what bounds it |", "| --- | ---: | ---: | ---: | --- |"]
    for what, asked, value, share, note in values(medians):
        lines.append("| %s | %s %s | %s | %s | %s |" % (
            what, "at most" if asked < 0 else "at least", number(abs(asked)), number(value),
            "holds" if share >= 1 else "%.0f%%" % (100 * share), "" if share >= 1 else note))
    return lines
