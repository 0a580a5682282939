#!/usr/bin/python3
"""TPC-H: every query that can be a view, kept over generated rows, against PostgreSQL's answer to the query.

Compared after loading, after changes that give every view rows, after random changes of orders, lineitems and
customers, and when there are no lineitems any more. What bench/tpch/sql.c says is refused must be refused, with the
error it names. LEFTFOLD_SEED: the changes' seed.
"""

import os
import random
import sys

from harness import BUILD, SMALL, Failure, Postgres, Server, run
from oracle import Snapshot

SCALE = "0.001" if SMALL else "0.003"
CHANGES = 200 if SMALL else 600
SEGMENTS = ("AUTOMOBILE", "BUILDING", "FURNITURE", "MACHINERY", "HOUSEHOLD")
MODES = ("REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB")
# Some queries look for what only larger scale factors have: rows are changed to it.
FOUND = """
UPDATE part SET p_brand = 'Brand#12', p_container = 'SM CASE', p_size = 3, p_type = 'ECONOMY ANODIZED STEEL'
  WHERE p_partkey <= 120;
UPDATE supplier SET s_nationkey = 6 WHERE s_suppkey <= 4;
UPDATE customer SET c_nationkey = 7 WHERE c_custkey <= 40;
UPDATE customer SET c_nationkey = 12 WHERE c_custkey > 40 AND c_custkey <= 120;
UPDATE part SET p_size = 15, p_type = 'SMALL POLISHED BRASS' WHERE p_partkey > 120 AND p_partkey <= 140;
UPDATE part SET p_brand = 'Brand#23', p_container = 'MED BOX' WHERE p_partkey > 140 AND p_partkey <= 170;
UPDATE part SET p_name = 'forest green' WHERE p_partkey > 170;
UPDATE supplier SET s_nationkey = 7 WHERE s_suppkey = 5 OR s_suppkey = 6;
UPDATE supplier SET s_nationkey = 3 WHERE s_suppkey = 7;
UPDATE supplier SET s_nationkey = 20 WHERE s_suppkey = 8;
UPDATE supplier SET s_nationkey = 12 WHERE s_suppkey = 9;
UPDATE lineitem SET l_quantity = l_quantity + 40 WHERE l_orderkey < 600;
"""


def generate(what):
    return run([os.path.join(BUILD, "tpch-rows"), "--scale", SCALE, what]).stdout


def queries():
    """(views, refused): lists of (name, key, text) and of (name, error, text)."""
    rows = [line.split("\t") for line in generate("queries").splitlines()]
    return [(name, key, text) for name, error, key, text in rows if not error], \
        [(name, error, text) for name, error, key, text in rows if error]


def create_views(server, postgres, views):
    for name, key, text in views:
        server.cli("CREATE MATERIALIZED VIEW %s AS %s;" % (name, text))
        if key:
            server.cli("CREATE UNIQUE INDEX ON %s (%s);" % (name, key))
        postgres.psql("CREATE VIEW %s AS %s;" % (name, text))


def check_refused(server, postgres, refused):
    for name, error, text in refused:
        postgres.psql("EXPLAIN %s;" % text)
        done = server.cli("CREATE MATERIALIZED VIEW %s AS %s;" % (name, text), check=False)
        if done.returncode == 0:
            raise Failure("%s is a view now: say so in bench/tpch/sql.c" % name)
        if error not in done.stderr:
            raise Failure("%s: %s instead of %s" % (name, done.stderr, error))


def changes(rng, order_keys):
    """Each picks one order and does something to it, to its lines or to some customer."""
    def one():
        key, line = rng.choice(order_keys), rng.randint(1, 7)
        of_line = "WHERE l_orderkey = %d AND l_linenumber = %d" % (key, line)
        day = "'%d-%02d-%02d'" % (rng.randint(1992, 1998), rng.randint(1, 12), rng.randint(1, 28))
        return rng.choice((
            "DELETE FROM orders WHERE o_orderkey = %d;\nDELETE FROM lineitem WHERE l_orderkey = %d" % (key, key),
            "DELETE FROM lineitem " + of_line,
            "UPDATE lineitem SET l_quantity = %d, l_discount = 0.0%d %s" % (rng.randint(1, 50), rng.randint(0, 9), of_line),
            "UPDATE lineitem SET l_shipdate = %s, l_shipmode = '%s' %s" % (day, rng.choice(MODES), of_line),
            "UPDATE lineitem SET l_extendedprice = l_extendedprice + 0.01 WHERE l_orderkey = %d" % key,
            "UPDATE orders SET o_orderdate = %s WHERE o_orderkey = %d" % (day, key),
            "UPDATE customer SET c_mktsegment = '%s' WHERE c_custkey = %d" % (rng.choice(SEGMENTS), rng.randint(1, 150)),
        ))
    return ";\n".join(one() for _ in range(CHANGES)) + ";\n"


def compare(server, postgres, views, point):
    snapshot = Snapshot(postgres, ["SELECT * FROM " + name for name, _, _ in views])
    snapshot.compare(server, point)
    return snapshot


def check_not_empty(snapshot):
    for query, answer in snapshot.answers:
        if len(answer.split("\n", 1)[1].strip()) == 0:
            raise Failure("%s has no rows: it tests nothing" % query)


def main():
    seed = int(os.environ.get("LEFTFOLD_SEED", random.randrange(2**32)))
    print("seed %d, scale factor %s" % (seed, SCALE))
    schema, rows = generate("schema"), generate("rows")
    views, refused = queries()
    postgres = Postgres()
    try:
        with Server(reactors=2, projectors=2) as server:
            both = server.cli, postgres.psql
            for execute in both:
                execute(schema)
            create_views(server, postgres, views)
            check_refused(server, postgres, refused)
            for execute in both:
                execute(rows)
            compare(server, postgres, views, "loading")
            for execute in both:
                execute(FOUND)
            check_not_empty(compare(server, postgres, views, "changes for what is looked for"))
            order_keys = [int(k) for k in postgres.psql("SELECT o_orderkey FROM orders").stdout.split()[1:]]
            script = changes(random.Random(seed), order_keys)
            for execute in both:
                execute(script)
            compare(server, postgres, views, "%d changes" % CHANGES)
            for execute in both:
                execute("DELETE FROM lineitem;")
            compare(server, postgres, views, "all lineitems are gone")
    finally:
        postgres.close()
    print("%d views agree, %d queries are refused as they should be" % (len(views), len(refused)))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as e:
        print("run_tpch: %s" % e, file=sys.stderr)
        sys.exit(1)
