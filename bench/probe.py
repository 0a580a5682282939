"""What bench/run and bench/peers/run measure beside every round: bench_core, the speed of the two processors and how long
a cache line takes from one to the other. Where rounds differ, it tells whether the machine did."""

import os
import statistics
import subprocess


def probe(build, smoke, found):
    """One more value each in found: {"core_0_loop": [ns, …], …}. An OSError or SubprocessError when it fails."""
    args = [os.path.join(build, "bench", "micro", "bench_core")] + (["--smoke"] if smoke else [])
    done = subprocess.run(args, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    for line in done.stdout.splitlines():
        name, _, value = line.split()
        found.setdefault(name, []).append(float(value))


def sentence(found):
    """In Markdown, medians with the least and the most."""
    def say(name, digits):
        values = found[name]
        return "%.*f ns (%.*f – %.*f)" % (digits, statistics.median(values), digits, min(values), digits, max(values))
    loops = ["%s on processor %s" % (say(name, 2), name.split("_")[1]) for name in sorted(found) if name.endswith("_loop")]
    apart = "core-to-core %s" % say("core_to_core", 0) if "core_to_core" in found else "one processor only"
    return "Before every round: core speed (a multiplication and a load from the second-level cache, one after the other) " \
        "%s; %s." % (", ".join(loops), apart)
