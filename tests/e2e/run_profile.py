#!/usr/bin/python3
"""tools/profile on a small workload: what it writes and says; the probes that the server has, and who uses them.

Skipped where perf may not record.
"""

import glob
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import harness
from cases import check, equal, run, test

PROFILE = os.path.join(harness.ROOT, "tools", "profile")
SERVER = os.path.join(harness.BUILD, "leftfoldd")
SKIPPED = 77


def profile(*flags, status=0):
    done = subprocess.run([PROFILE] + list(flags), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
    equal(done.returncode, status, "exit code of profile %s\n%s%s" % (" ".join(flags), done.stdout, done.stderr))
    return done


def read(*path):
    with open(os.path.join(*path)) as f:
        return f.read()


def check_picture(path):
    """Boxes lie on others, and none is wider than what it lies on."""
    root = xml.etree.ElementTree.parse(path).getroot()
    equal(root.tag, "{http://www.w3.org/2000/svg}svg", "root of " + path)
    boxes = [(int(g.get("data-depth")), float(g.get("data-x")), float(g.get("data-w"))) for g in root.iter()
             if g.get("class") == "box"]
    equal(boxes[0], (0, 0, 1), "the lowest box")
    for depth, x, width in boxes[1:]:
        check(any(d == depth - 1 and a <= x + 1e-6 and x + width <= a + w + 1e-6 for d, a, w in boxes),
              "a box in the air: %r" % ((depth, x, width),))


def check_stages(text):
    rows = re.findall(r"^(\S.*?) +([\d.]+)% +([\d.]+)$", text, re.M)
    stages = {name: (float(share), float(ns)) for name, share, ns in rows}
    share, ns = stages.pop("all")
    equal(share, 100, "share of all")
    check(abs(sum(s for s, _ in stages.values()) - 100) < 1, "the shares: %r" % stages)
    check(abs(sum(n for _, n in stages.values()) - ns) < ns / 100, "the times: %r" % stages)
    check(stages.get("other", (0, 0))[0] < 5, "of unknown functions: %r" % stages)
    return stages


@test
def small_workload():
    with tempfile.TemporaryDirectory() as out:
        text = profile("--build", harness.BUILD, "--out", out, "--seconds", "1", "--server-flags",
                       "--data DATA --durability os --prefault 64M", "--rows", "1000", "--warm-up", "0.2", "order").stdout
        stages = check_stages(read(out, "stages.txt"))
        for name in ("sessions", "commands", "journal", "views: join", "views: group", "views: publish", "kernel: network"):
            check(name in stages, "stage %s in\n%s" % (name, text))
        check("reactor-0" in text and "ns/operation" in text and "flame.svg" in text, text)
        check(os.path.getsize(os.path.join(out, "perf.data")) > 0, "perf.data")
        for picture in ("flame.svg", "offcpu.svg"):
            check_picture(os.path.join(out, picture))
        folded = read(out, "folded.txt")
        check(re.search(r"^reactor-0;.*;projector_step;.*batch_run.* \d+$", folded, re.M), "a stack:\n" + folded[:2000])


@test
def wrong_uses():
    check("WORKLOAD" in profile("--help").stdout, "--help")
    profile("--seconds", "x", "kv", status=2)
    with tempfile.TemporaryDirectory() as out:
        common = ["--build", harness.BUILD, "--out", out]
        check("leftfold-bench" in profile(*common, "nothing", status=1).stderr, "no such workload")
        done = profile(*common, "--server-flags=--nonsense", "kv", status=1)
        check("did not start" in done.stderr and "Traceback" not in done.stderr, done.stderr)


@test
def probes():
    """Those that probe.h tells of are in the server, with so many arguments, and no script uses another."""
    header = read(harness.ROOT, "core", "base", "probe.h")
    documented = {name: len(args.split(",")) for name, args in
                  re.findall(r"^ \*   (\w+) +(\w+(?:, \w+)*)  +\w", header, re.M)}
    check(len(documented) >= 10, "probes are found in probe.h: %r" % documented)
    notes = harness.run(["readelf", "-n", SERVER]).stdout
    if os.path.exists("/usr/include/sys/sdt.h") or glob.glob("/usr/include/*/sys/sdt.h"):
        found = re.findall(r"Provider: leftfold\n +Name: (\w+)\n.*\n +Arguments: (.*)", notes)
        equal({name: len(args.split()) for name, args in found}, documented, "probes in the server")
    else:
        check("leftfold" not in notes, "no probes without sys/sdt.h")
    scripts = glob.glob(os.path.join(harness.ROOT, "tools", "bpftrace", "*.bt"))
    check(len(scripts) >= 3, "scripts")
    for script in scripts:
        text = read(script)
        used = set(re.findall(r"^usdt:\*:leftfold:(\w+)$", text, re.M))
        check(used and used <= set(documented), "%s uses %r" % (script, used - set(documented)))


def perf_records():
    """None when it may record the kernel, or why not."""
    with tempfile.TemporaryDirectory() as directory:
        try:
            done = subprocess.run(["perf", "record", "-q", "-e", "cpu-clock:k", "-o", os.path.join(directory, "data"), "true"],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        except OSError as e:
            return str(e)
        return None if done.returncode == 0 else done.stdout.strip()


def main():
    refused = perf_records()
    if refused:
        print("perf cannot record here: " + refused)
        return SKIPPED
    return run()


if __name__ == "__main__":
    sys.exit(main())
