"""What was asked of Leftfold's speed before it was built, beside what a run of the benchmarks gave.

A mark is (what, at least, reached, note): `reached` takes the two dictionaries of medians, of the programs in process by
(name, unit) and over loopback by row, and gives a number; "at least" is a number of the same unit, negative for "at most".
The notes say what bounds what falls short, and what was tried; they are about the code as it is, not about one run.
"""


def _rate(row):
    return lambda micro, loop: loop[row]["operations_per_s"]


def _p50(row):
    return lambda micro, loop: loop[row]["p50_us"]


def _micro(name, unit):
    return lambda micro, loop: micro[(name, unit)]


def _ratio(f, g):
    return lambda micro, loop: f(micro, loop) / g(micro, loop)


_VIEWS = ("the projector's instructions, spread flat over scan, join, group and publish (profile below, make instructions). "
          "Helped: pairs of old and new rows without netting, rows copied from parameters, small blocks 64 at a time, "
          "make pgo. Did not: one thread instead of two, larger batches, longer prefetch")

MARKS = [
    ("point reads, operations/s", 4e6, _rate("kv"),
     "the server's processor, a third of it in the kernel's TCP and io_uring"),
    ("votes alone, visible, in memory, operations/s", 3e6, _rate("vote"), _VIEWS),
    ("votes, 95% reads, operations/s", 4e6, _rate("vote, 95% reads"), "the server's processor, as above for a vote in twenty"),
    ("votes, 99% reads, Zipf, operations/s", 4e6, _rate("vote, 99% reads, Zipf 0.99"),
     "the server's and the client's processors alike"),
    ("orders, os against memory", 0.85, _ratio(_rate("order, os"), _rate("order")),
     "the copy into the journal, and the kernel's worker that writes it on the same processor"),
    ("orders, disk against os", 0.60, _ratio(_rate("order, disk"), _rate("order, os")), ""),
    ("votes in process, votes/s", 8e6, _micro("projection", "votes/s"), _VIEWS),
    ("table, 10 M rows, batched lookup against a bare loop", 0.70, _micro("table_10000000_lookup_batched", "of_loop"),
     "bucket and row are two cache misses where the loop has one; versions and epochs are compared"),
    ("table, 50 M rows, batched lookup against a bare loop", 0.70, _micro("table_50000000_lookup_batched", "of_loop"),
     "as above, with misses of the TLB"),
    ("ring, 32 bytes, batches of 32, against a bare ring", 0.80, _micro("ring_32_bytes_batch_32", "of_loop"),
     "messages have lengths and may wrap, the bare ring's slots are of one size; at a thirtieth of a core for a million "
     "commands it bounds nothing"),
    ("ring, 32 bytes, batches of 32, against ck_ring", 2.5, _micro("ring_32_bytes_batch_32", "of_ck"), "the same"),
    ("durable, one at a time, p50 above a bare write, us", -60,
     lambda micro, loop: loop["order, disk, spinning, one at a time"]["p50_us"] - micro[("journal_4k", "bare_us")],
     "the kernel's way over loopback, and its worker that ends a synchronous write; without --spin waking a halted virtual "
     "processor is added twice"),
    ("recovery of 10 M rows from the journal, rows/s", 1.5e6, _micro("recovery_from_journal", "rows/s"),
     "memory: rows lie in order of arrival, so every one is a miss of the table; the views take as long again. Did not help: "
     "longer prefetch, make pgo"),
    ("recovery of 10 M rows from a checkpoint, rows/s", 1.5e6, _micro("recovery_from_checkpoint", "rows/s"), ""),
    ("p99 of commands during a checkpoint against without", -2.0,
     lambda micro, loop: micro[("recovery_checkpoint", "p99_us_during")] / micro[("recovery_checkpoint", "p99_us_without")],
     "the checkpoint's thread packs on one of two processors, beside engine and benchmark"),
    ("TPC-H Q1, tuples/s", 0.64e6, _micro("tpch_q1", "tuples/s"), "eight aggregates over products of numerics for each row"),
    ("TPC-H Q3, tuples/s", 2.3e6, _micro("tpch_q3", "tuples/s"),
     "the INSERT itself: a row a command, kept in a table by key, where the figure asked for keeps none"),
    ("TPC-H Q6, tuples/s", 6.1e6, _micro("tpch_q6", "tuples/s"), "the same"),
]


def table(micro, loop, number):
    """Lines of Markdown; of medians, as the module says. What a run did not measure is left out."""
    lines = ["| what | asked | reached | of it | what bounds it |", "| --- | ---: | ---: | ---: | --- |"]
    for what, asked, reached, note in MARKS:
        try:
            value = reached(micro, loop)
        except (KeyError, ZeroDivisionError):
            continue
        most = asked < 0
        share = abs(asked) / value if most and value > 0 else value / abs(asked)
        holds = value <= -asked if most else value >= asked
        lines.append("| %s | %s %s | %s | %s | %s |" % (
            what, "at most" if most else "at least", number(abs(asked)), number(value),
            "holds" if holds else "%.0f%%" % (100 * share), "" if holds else note))
    return lines
