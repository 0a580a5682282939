#!/usr/bin/python3
"""leftfold-bench and bench/run: every workload on a small input, flags, what they print, exit codes."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import harness
from cases import check, equal, run, test

sys.path.insert(0, os.path.join(harness.ROOT, "bench"))
import marks  # noqa: E402 pylint: disable=wrong-import-position

BENCH = os.path.join(harness.BUILD, "leftfold-bench")
SERVER = os.path.join(harness.BUILD, "leftfoldd")
BANK = os.path.join(harness.ROOT, "bench", "load", "bank.bench")


def bench(*flags, status=0):
    done = subprocess.run([BENCH] + list(flags), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=300)
    equal(done.returncode, status, "exit code of %s\n%s%s" % (" ".join(flags), done.stdout, done.stderr))
    return done


@test
def help_and_version():
    text = bench("--help").stdout
    with open(os.path.join(harness.ROOT, "bench", "load", "options.c")) as f:
        flags = re.findall(r'\{ "([a-z-]+)", \w+_argument', f.read())
    check(len(flags) > 15, "flags are found in the source")
    for flag in flags:
        check("--" + flag in text, "--help tells of --" + flag)
    for workload in ("kv", "vote", "order", "tpch", "echo", "custom"):
        check("\n  %s " % workload in text, "--help tells of " + workload)
    check(re.fullmatch(r"leftfold-bench \d+\.\d+\.\d+\n", bench("--version").stdout), "--version")


@test
def wrong_flags():
    for flags in ([], ["nothing"], ["kv", "vote"], ["--depth", "0", "kv"], ["--batch", "2", "--depth", "1", "kv"],
                  ["--ack", "maybe", "vote"], ["--seconds", "0", "kv"], ["--zipf", "x", "kv"],
                  ["--rate", "0", "kv"], ["--reads", "101", "vote"], ["--reads", "5", "order"], ["--pin=1", "kv"], ["--rows", "-1", "kv"], ["--nonsense", "kv"],
                  ["--batch", "2", "echo"],
                  ["custom"], ["--file", BANK, "kv"], ["--file", BANK, "--rows", "5", "custom"],
                  ["--file", BANK, "--reads", "5", "custom"], ["--file", "/nonexistent", "custom"],
                  ["--file", "/", "custom"], ["--file", "/dev/null", "custom"], ["--file", BENCH, "custom"]):
        done = bench(*flags, status=2)
        check(done.stderr != "" and done.stdout == "", "a message on standard error: " + " ".join(flags))


@test
def no_server():
    check("08001" in bench("--connect", "127.0.0.1:1", "kv", status=1).stderr, "08001 is said")
    check("did not start" in bench("--server", "/nonexistent", "kv", status=1).stderr, "it did not start")
    bench("--server", SERVER, "--server-flags", "--nonsense", "kv", status=1)


@test
def each_workload():
    for workload, ack in (("kv", ""), ("vote", "accepted"), ("vote", "visible"), ("order", "durable"),
                          ("order", "visible"), ("tpch", "durable")):
        for more in ([], ["--batch", "8", "--zipf", "0.99"]):
            flags = ["--server", SERVER, "--server-flags", "--projectors 2", "--requests", "3001", "--rows", "500",
                     "--connections", "5", "--depth", "16", "--json"] + more
            r = json.loads(bench(*flags, *(["--ack", ack] if ack else []), workload).stdout)
            equal((r["operations"], r["errors"], r["wrong"], r["equal"]), (3001, 0, 0, True), workload)
            equal((r["workload"], r["ack"]), (workload, ack), "what was run")
            latency = r["latency_us"]
            check(0 < latency["p50"] <= latency["p99"] <= latency["p99_99"] <= latency["max"], "latencies rise")
            check(any(t["name"] == "projector-1" for t in r["server_threads"]), "threads are told apart")


@test
def echo():
    """What is sent comes back from leftfoldd --echo, and from no other."""
    flags = ["--server", SERVER, "--requests", "3001", "--connections", "5", "--depth", "16", "--json"]
    r = json.loads(bench(*flags, "--server-flags=--echo", "echo").stdout)
    equal((r["workload"], r["operations"], r["errors"], r["wrong"], r["equal"]), ("echo", 3001, 0, 0, True), "echo")
    r = json.loads(bench(*flags, "echo", status=1).stdout)
    equal((r["errors"], r["wrong"], r["equal"]), (0, 3001, False), "a server that looks into its table")


@test
def reads_mixed_in():
    for more in ([], ["--batch", "8"], ["--ack", "accepted"]):
        r = json.loads(bench("--server", SERVER, "--server-flags", "--projectors 2", "--requests", "8000", "--rows", "50",
                             "--connections", "5", "--depth", "16", "--reads", "80", "--json", *more, "vote").stdout)
        equal((r["operations"], r["errors"], r["wrong"], r["equal"], r["reads"]), (8000, 0, 0, True, 80), "reads and votes")
        votes = int(re.search(r"of (\d+) sent", r["checked"]).group(1))
        check(1000 < votes < 2200, "%d votes of 8000 executions" % votes)
        check(r["read_latency_us"]["p50"] > 0 and r["latency_us"]["p50"] > 0, "two latencies")


def custom(text, *flags, status=0):
    """Of a file with this text; every file name in what is printed is FILE."""
    with tempfile.NamedTemporaryFile("w", suffix=".bench") as f:
        f.write(text)
        f.flush()
        done = bench("--server", SERVER, "--server-flags", "--projectors 2", "--requests", "500", "--connections", "3",
                     "--depth", "16", *flags, "custom", "--file", f.name, status=status)
        return done.stdout.replace(f.name, "FILE"), done.stderr.replace(f.name, "FILE")


@test
def custom_workload():
    for more in ([], ["--batch", "8"], ["--ack", "accepted"], ["--rate", "20000"]):
        r = json.loads(bench("--server", SERVER, "--server-flags", "--projectors 2", "--requests", "5000", "--connections", "5",
                             "--depth", "16", "--json", *more, "custom", "--file", BANK).stdout)
        equal((r["operations"], r["errors"], r["wrong"], r["equal"]), (5000, 0, 0, True), "transfers and queries")
        equal(r["checked"], "3 queries are true", "verified")
        shares = {t["name"]: t["operations"] for t in r["transactions"]}
        equal(sum(shares.values()), 5000, "each is of one transaction")
        for name, weight in ("transfer", 5), ("balance", 15), ("branch", 1):
            check(0.6 < shares[name] / (5000 * weight / 21) < 1.5, "%s: %d of 5000" % (name, shares[name]))
        check(all(t["latency_us"]["p50"] > 0 for t in r["transactions"]), "latencies of each")


@test
def custom_generators():
    """Every generator for the types it is for, as the server keeps them."""
    out, _ = custom("""
schema
  CREATE TABLE g (id bigint PRIMARY KEY, i2 smallint, i4 int, f8 float8, n numeric(10,2), t text, v varchar(10), c char(3),
      b bytea, d date, ts timestamp, tz timestamptz, u uuid, ut text, o bool);
transaction insert
  INSERT INTO g VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
  $1 = sequence(1000)
  $2 = uniform(-3, 3)
  $3 = zipf(100, 1.2)
  $4 = numeric(-1, 1, 3)
  $5 = numeric(0, 10, 2)
  $6 = text(20)
  $7 = uniform(100, 999)
  $8 = constant(ab)
  $9 = text(5)
  $10 = now
  $11 = uniform(0, 1000000)
  $12 = now
  $13 = uuid
  $14 = uuid
  $15 = choice(true|false)
verify
  SELECT count(*) = {insert} AND min(id) = 1000 AND max(id) = 999 + {insert} FROM g;
  SELECT min(i2) = -3 AND max(i2) = 3 AND min(i4) >= 0 AND max(i4) < 100 FROM g;
  SELECT min(f8) >= -1 AND max(f8) <= 1 AND min(n) >= 0 AND max(n) <= 10 FROM g;
  SELECT count(*) = 0 FROM g WHERE length(t) <> 20 OR length(v) <> 3 OR c <> 'ab' OR length(ut) <> 36;
  SELECT count(*) = 0 FROM g WHERE d < '2020-01-01' OR tz < '2020-01-01' OR ts > '2000-01-01 00:00:01';
  SELECT count(*) > 0 FROM g WHERE o;
  SELECT count(*) > 0 FROM g WHERE NOT o;
""", "--json")
    equal(json.loads(out)["checked"], "7 queries are true", "what is in the table")


@test
def custom_wrong():
    """In the file: its line, exit code 2; at the end: what is there instead, exit code 1."""
    table = "schema\n  CREATE TABLE t (id bigint PRIMARY KEY, s text, d date)\n"
    for text, said in (
            ("schema\n  CREATE TABLE t (id int)\nnonsense\n", 'FILE:3: "nonsense" is none of'),
            (table + "transaction a 1\n  INSERT INTO t VALUES ($1)\n  $1 = nothing", 'FILE:5: there is no generator "nothing"'),
            (table + "transaction a 1\n  INSERT INTO u VALUES ($1)\n  $1 = sequence", 'FILE:3: "a": 42P01: '),
            (table + "transaction a 1\n  INSERT INTO t VALUES ($1, $2, $3)\n  $1 = sequence\n",
             'FILE:3: "a" has 3 parameters and 1 generators'),
            (table + "transaction a 1\n  INSERT INTO t VALUES ($1, $2, $3)\n  $1 = sequence\n  $2 = now\n  $3 = now\n",
             "FILE:6: $2 is text, for which now has no values"),
            (table + "transaction a 1\n  DROP TABLE t\n", 'FILE:3: "a" is not a command or a query'),
            (table + "load a 1\n  SELECT 1\ntransaction b 1\n  SELECT 1\n", 'FILE:3: "a" is not a command'),
            ("transaction a 1\n  SELECT 1\nverify\n  SELECT {b} = 1\n", "FILE:4: {b} is no load or transaction")):
        out, err = custom(text, status=2)
        check(out == "" and err.startswith(said), "%r instead of %r" % (err, said))
    _, err = custom("schema\n  CREATE TABLE\ntransaction a 1\n  SELECT 1\n", status=1)
    check("42601" in err, "the server's error: " + err)
    insert = table + "transaction a 1\n  INSERT INTO t VALUES ($1, 'x', NULL)\n  $1 = %s\n"
    out, _ = custom(insert % "sequence" + "verify\n  SELECT true;\n  SELECT count(*) + 1 = {a} FROM t;\n", status=1)
    check('WRONG: FILE:8: 1 rows, the first: "f"' in out, out)
    out, _ = custom(insert % "constant(1)", "--json", status=1)
    r = json.loads(out)
    equal((r["errors"], r["error_sqlstate"], r["equal"]), (499, "23505", False), "the same key again and again")


@test
def percentile_distributions():
    """What HdrHistogram's plotter reads."""
    with tempfile.TemporaryDirectory() as directory:
        def distribution(name):
            with open(os.path.join(directory, name)) as f:
                lines = f.read().split("\n")
            equal(lines[0].split(), ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"], "head of " + name)
            rows = [[float(word) for word in line.split()] for line in lines[2:] if line and line[0] == " "]
            check(rows == sorted(rows) and rows[-1][1] == 1 and rows[0][0] > 0, "rising to the last: %r" % rows)
            check(lines[-4].startswith("#[Mean    =") and "Total count    = %12d]" % rows[-1][2] in lines[-3], "foot of " + name)
            return rows[-1]
        r = json.loads(bench("--server", SERVER, "--requests", "3000", "--rows", "50", "--reads", "50", "--json", "--hgrm",
                             os.path.join(directory, "x"), "vote").stdout)
        equal(sorted(os.listdir(directory)), ["x.hgrm", "x.read.hgrm", "x.vote.hgrm"], "files")
        equal(distribution("x.vote.hgrm"), distribution("x.hgrm"), "without the reads")
        equal(distribution("x.vote.hgrm")[2] + distribution("x.read.hgrm")[2], 3000, "all of them")
        check(abs(distribution("x.hgrm")[0] - r["latency_us"]["max"] / 1000) < 0.001, "milliseconds")
        bench("--server", SERVER, "--requests", "100", "--hgrm", "/nonexistent/x", "order", status=1)


@test
def open_loop():
    """So many are sent, be they answered or not; what could not be sent is told."""
    flags = ["--server", SERVER, "--connections", "4", "--depth", "8", "--json", "--warm-up", "0"]
    r = json.loads(bench(*flags, "--rate", "3000", "--requests", "1500", "vote").stdout)
    equal((r["operations"], r["errors"], r["wrong"], r["equal"], r["rate"]), (1500, 0, 0, True, 3000), "votes")
    check(r["seconds"] >= 0.49, "1500 of 3000 a second took %g s" % r["seconds"])
    r = json.loads(bench(*flags, "--rate", "1e9", "--seconds", "0.3", "vote").stdout)
    equal((r["errors"], r["wrong"], r["equal"]), (0, 0, True), "more than any server can do")
    check(r["unsent"] > 0 and r["latency_us"]["max"] > 100000, "what is due waits: %r" % r)


@test
def by_time_for_people():
    text = bench("--server", SERVER, "--seconds", "0.3", "--warm-up", "0.1", "--connections", "3", "vote").stdout
    for pattern in (r"[\d,]+ operations/s", r"p50 +[\d.]+ [mu]s", r"p99\.99 +[\d.]+ [mu]s", r"server CPU +[\d.]+ s",
                    r"checked: the view counts \d+ votes"):
        check(re.search(pattern, text), "%r in %s" % (pattern, text))


@test
def on_a_running_server():
    server = harness.Server()
    try:
        flags = ["--connect", server.address, "--server-pid", str(server.process.pid), "--requests", "500",
                 "--connections", "2", "--json"]
        check("server_threads" in json.loads(bench(*flags, "order").stdout), "processor time of a local process")
        equal(server.cli("SELECT * FROM bench_order", check=False).returncode != 0, True, "its tables are gone")
        bench(*flags, "--keep", "order")
        equal(server.query("SELECT count(*) FROM bench_order_summary").split(), ["count", "500"], "kept")
        bench(*flags, "order")
    finally:
        server.stop()


@test
def errors_are_counted():
    """A server with little memory refuses votes: an exit code, and the error's name."""
    done = bench("--server", SERVER, "--server-flags", "--memory-limit 4M", "--requests", "200000", "--json", "vote",
                 status=1)
    r = json.loads(done.stdout)
    check(r["errors"] > 0, "errors are counted")
    equal(r["error_sqlstate"], "53200", "the first error")


@test
def beside_others():
    """bench/peers/run with the one of them that the tests need anyway; the others are `make bench-peers`'s to install."""
    with tempfile.TemporaryDirectory() as out:
        def run(word):
            harness.run([os.path.join(harness.ROOT, "bench", "peers", "run"), "--smoke", "--build", harness.BUILD, "--out", out,
                         "--only", word], timeout=300)
        run("echo")
        with open(os.path.join(out, "PEERS.md")) as f:
            check("leftfoldd --echo" in f.read(), "a table of the network alone")
        run("PostgreSQL")
        with open(os.path.join(out, "peers.json")) as f:
            cases = json.load(f)["cases"]
        equal(sorted(cases), ["kv", "order", "order on disk", "refresh", "vote"], "groups")
        for runs in cases.values():
            for r in list(runs.values())[0]:
                check(r["operations"] > 0 and r["errors"] == 0 and r["wrong"] == 0, "a run: %r" % r)
        with open(os.path.join(out, "PEERS.md")) as f:
            text = f.read()
        for part in ("PostgreSQL, triggers", "REFRESH MATERIALIZED VIEW CONCURRENTLY |", "core speed", "core-to-core" if len(os.sched_getaffinity(0)) > 1 else "one processor"):
            check(part in text, "PEERS.md holds " + part)


@test
def beside_sqlite():
    """What beside_others() does not run: SQLite, and Leftfold's side of the summary that PostgreSQL refreshes."""
    with tempfile.TemporaryDirectory() as out:
        for word, group in ("SQLite", "order"), ("Leftfold: a view", "refresh"):
            harness.run([os.path.join(harness.ROOT, "bench", "peers", "run"), "--smoke", "--build", harness.BUILD, "--out", out,
                         "--only", word], timeout=300)
            with open(os.path.join(out, "peers.json")) as f:
                cases = json.load(f)["cases"]
            equal(list(cases), [group], "groups")
            for r in next(iter(cases[group].values())):
                check(r["operations"] > 0 and r["errors"] == 0 and r["wrong"] == 0, "a run: %r" % r)


def check_marks(text):
    """All are told but those of what a small run leaves out: tables of millions of rows."""
    told = set(re.findall(r"^\| ([^|]+) \| at (?:least|most) ", text, re.M))
    missing = {mark[0] for mark in marks.MARKS} - told
    # The table's are too large for this; ck_ring is not what the thread sanitizer can judge; fio may not be installed.
    check(all(name.startswith("table, ") or "ck_ring" in name or "fio" in name for name in missing), "marks that are not told: %r" % missing)


def check_pictures(directory, text):
    """Those of the text, and as many bars or curves as there should be."""
    found = set(re.findall(r"!\[.+\]\((.+)\)", text))
    if shutil.which("gnuplot") is None:
        equal(found, set(), "pictures")
        return
    equal(found, {"results-marks.svg", "results-throughput.svg", "results-latency.svg"}, "pictures")
    for name, part in (("results-marks.svg", "point reads, operations/s"), ("results-throughput.svg", "kv, frames of 256"),
                       ("results-latency.svg", "order, open loop at half load")):
        root = xml.etree.ElementTree.parse(os.path.join(directory, name)).getroot()
        check(part in "".join(root.itertext()), "%s shows %s" % (name, part))


@test
def all_of_it():
    with tempfile.TemporaryDirectory() as directory:
        harness.run([os.path.join(harness.ROOT, "bench", "run"), "--build", harness.BUILD, "--out", directory,
                     "--smoke"])
        with open(os.path.join(directory, "results.json")) as f:
            result = json.load(f)
        rows = set(result["loopback"])
        equal(len(rows), 28, "rows over loopback: %r" % sorted(rows))
        for row in ("echo", "kv", "kv, frames of 256", "vote, os", "tpch", "order, disk", "echo, spinning, one at a time"):
            check(row in rows, "a row " + row)
        for name in "kv", "order":
            half, whole = result["loopback"][name + ", open loop at half load"][0], result["loopback"][name][0]
            check(abs(half["rate"] / whole["operations_per_s"] - 0.5) < 0.01, "half of it: %r" % half)
            for row in name, name + ", open loop at half load":
                shares = [share for share, _ in result["distributions"][row]]
                check(shares == sorted(shares) and shares[-1] == 1, "percentiles of %s: %r" % (row, shares))
        equal(sorted(result["micro"]), ["bench_build", "bench_cost", "bench_epoch", "bench_feed", "bench_growth", "bench_journal",
                                        "bench_prepare", "bench_projection", "bench_recovery", "bench_ring", "bench_table", "bench_tpch",
                                        "bench_wire"],
              "micro-benchmarks")
        with open(os.path.join(directory, "RESULTS.md")) as f:
            text = f.read()
        check(result["core"]["core_0_loop"][0] > 0, "the speed of a processor")
        check_marks(text)
        check_pictures(directory, text)
        if result["profile"]:
            check("network" in "".join(result["profile"]["kv"]) and "kv:" in text, "a profile: %r" % result["profile"])
        for part in ("core speed", "## Over loopback", "| order |", "What bounds each", "## In process", "leftfold-bench --server"):
            check(part in text, "RESULTS.md holds " + part)


if __name__ == "__main__":
    sys.exit(run())
