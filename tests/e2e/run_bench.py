#!/usr/bin/python3
"""leftfold-bench and bench/run: every workload on a small input, flags, what they print, exit codes."""

import json
import os
import re
import subprocess
import sys
import tempfile
import traceback

import harness

BENCH = os.path.join(harness.BUILD, "leftfold-bench")
SERVER = os.path.join(harness.BUILD, "leftfoldd")
TESTS = []


def test(f):
    TESTS.append(f)
    return f


def equal(actual, expected, what):
    if actual != expected:
        raise harness.Failure("%s: %r instead of %r" % (what, actual, expected))


def check(condition, what):
    if not condition:
        raise harness.Failure(what)


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
    for workload in ("kv", "vote", "order", "tpch"):
        check("\n  %s " % workload in text, "--help tells of " + workload)
    check(re.fullmatch(r"leftfold-bench \d+\.\d+\.\d+\n", bench("--version").stdout), "--version")


@test
def wrong_flags():
    for flags in ([], ["nothing"], ["kv", "vote"], ["--depth", "0", "kv"], ["--batch", "2", "--depth", "1", "kv"],
                  ["--ack", "maybe", "vote"], ["--seconds", "0", "kv"], ["--zipf", "x", "kv"],
                  ["--rate", "0", "kv"], ["--reads", "101", "vote"], ["--reads", "5", "order"], ["--pin=1", "kv"], ["--rows", "-1", "kv"], ["--nonsense", "kv"]):
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
def reads_mixed_in():
    for more in ([], ["--batch", "8"], ["--ack", "accepted"]):
        r = json.loads(bench("--server", SERVER, "--server-flags", "--projectors 2", "--requests", "8000", "--rows", "50",
                             "--connections", "5", "--depth", "16", "--reads", "80", "--json", *more, "vote").stdout)
        equal((r["operations"], r["errors"], r["wrong"], r["equal"], r["reads"]), (8000, 0, 0, True, 80), "reads and votes")
        votes = int(re.search(r"of (\d+) sent", r["checked"]).group(1))
        check(1000 < votes < 2200, "%d votes of 8000 executions" % votes)
        check(r["read_latency_us"]["p50"] > 0 and r["latency_us"]["p50"] > 0, "two latencies")


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
        equal(sorted(cases), ["kv", "order", "order on disk", "vote"], "groups")
        for runs in cases.values():
            for r in list(runs.values())[0]:
                check(r["operations"] > 0 and r["errors"] == 0 and r["wrong"] == 0, "a run: %r" % r)
        with open(os.path.join(out, "PEERS.md")) as f:
            check("PostgreSQL, triggers" in f.read(), "a table")


@test
def all_of_it():
    with tempfile.TemporaryDirectory() as directory:
        harness.run([os.path.join(harness.ROOT, "bench", "run"), "--build", harness.BUILD, "--out", directory,
                     "--smoke"])
        with open(os.path.join(directory, "results.json")) as f:
            result = json.load(f)
        equal(sorted(result["loopback"]), ["kv", "kv, one at a time", "order", "order, dedicated threads", "order, disk",
                                           "order, disk, one at a time", "order, disk, shared threads, one at a time",
                                           "order, one at a time", "order, os", "tpch", "vote", "vote, 95% reads",
                                           "vote, 99% reads, Zipf 0.99", "vote, dedicated threads"],
              "workloads")
        equal(sorted(result["micro"]), ["bench_epoch", "bench_growth", "bench_journal", "bench_prepare",
                                        "bench_projection", "bench_recovery", "bench_ring", "bench_table", "bench_tpch"],
              "micro-benchmarks")
        with open(os.path.join(directory, "RESULTS.md")) as f:
            text = f.read()
        for part in ("## Over loopback", "| order |", "What bounds each", "## In process", "leftfold-bench --server"):
            check(part in text, "RESULTS.md holds " + part)


def main():
    failed = 0
    for f in TESTS:
        try:
            f()
            print("ok    " + f.__name__)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print("FAIL  " + f.__name__)
            traceback.print_exc(file=sys.stdout)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
