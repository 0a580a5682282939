"""What perf recorded, as stacks: time on the processor, and time off it.

`perf script` gives addresses; `addr2line` tells the functions that the optimizer has put into one another there, and their
source files. A stack is a tuple of frames from the thread's beginning to the innermost function.
"""

import collections
import re
import subprocess

KERNEL = "kernel"
# where: the source file below the project's root for the server's functions, KERNEL, or the name of a library.
Frame = collections.namedtuple("Frame", "name where")

# What perf record calls the events (tools/profile).
RUN, SWITCH = "run", "switch"
FIELDS = "comm,tid,time,event,period,ip,sym,dso"
SAMPLE = re.compile(r"(\S.*?) +(\d+) +(\d+\.\d+): +(\d+) +(%s|%s)(?::u)?: *$" % (RUN, SWITCH))
TURN = re.compile(r"(\S.*?) +(\d+) +(\d+\.\d+): PERF_RECORD_SWITCH (IN|OUT *(preempt)?) *$")
ADDRESS = re.compile(r"\s+([0-9a-f]+) (.*) \((.*)\)$")
PREEMPTED = Frame("(waits for a processor)", KERNEL)


class Recording:
    """Times in ns."""

    def __init__(self):
        self.running = collections.Counter()  # by (thread, stack)
        self.blocked = collections.Counter()  # by (thread, stack): it slept
        self.waiting = collections.Counter()  # by (thread, stack): it could have run

    def has_kernel(self):
        """Without the right to record the kernel perf records the rest (and calls its events run:u, switch:u)."""
        return any(frame.where == KERNEL for _, stack in self.running for frame in stack)

    def threads(self):
        """(name, running, blocked, waiting) of those that did something, the busiest first."""
        sums = [collections.Counter() for _ in range(3)]
        for total, times in zip(sums, (self.running, self.blocked, self.waiting)):
            for (thread, _), ns in times.items():
                total[thread] += ns
        names = set().union(*sums)
        return sorted(((n, *(s[n] for s in sums)) for n in names), key=lambda t: (-t[1], t[0]))


def text(data):
    """perf's own text of the recording."""
    return subprocess.run(["perf", "script", "-i", data, "--no-inline", "--show-switch-events", "-F", FIELDS], check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=600).stdout


def inlined(binary, addresses):
    """{address: [(function, file), …]}, the innermost first."""
    done = subprocess.run(["addr2line", "-a", "-f", "-i", "-e", binary], input="\n".join(addresses) + "\n", check=True,
                          stdout=subprocess.PIPE, text=True, timeout=300)
    out = {}
    lines = iter(done.stdout.splitlines())
    for line in lines:
        if line.startswith("0x"):
            frames = out.setdefault("%x" % int(line, 16), [])
        elif line != "??":
            frames.append((plain(line), source(next(lines))))
        else:
            next(lines)
    return out


def plain(name):
    """Without what the compiler appends to the names of its copies of a function."""
    return re.sub(r"\.(lto_priv|isra|constprop|part|cold)\b.*", "", name)


def source(place):
    """core/x/y.c of /any/where/core/x/y.c:12; the file's name if it is not the project's."""
    path = place.split(":")[0]
    own = re.match(r".*/((?:core|net)/.*)", path)
    return own.group(1) if own else path.rpartition("/")[2]


class Stacks:
    """Turns addresses as perf gives them into stacks."""

    def __init__(self, lines, binary):
        own = {m.group(1) for m in map(ADDRESS.match, lines) if m and m.group(3) == binary}
        self.binary = binary
        self.inlined = inlined(binary, sorted(own))

    def frames(self, address, name, where):
        """Of one address, the innermost first."""
        if where == self.binary and self.inlined.get(address):
            return [Frame(*f) for f in self.inlined[address]]
        if where.startswith("[kernel"):
            return [Frame(plain(name), KERNEL)]
        library = re.match(r".*/([^/]*?)(\.so.*)?$", where)
        where = library.group(1) if library else where
        return [Frame("[%s]" % where if name == "[unknown]" else plain(name), where)]

    def stack(self, lines):
        out = []
        for line in lines:
            m = ADDRESS.match(line)
            # An end that could not be unwound says nothing.
            if m and m.group(3) != "[unknown]":
                out += self.frames(*m.groups())
        return tuple(reversed(out))


def nanoseconds(seconds):
    whole, part = seconds.split(".")
    return int(whole) * 10**9 + int(part.ljust(9, "0"))


class Turns:
    """When threads leave their processor and come back."""

    def __init__(self, recording):
        self.recording = recording
        self.stack = {}  # by thread id: where it was when it left
        self.left = {}   # by thread id: (thread, when, whether it would have gone on)

    def turn(self, thread, tid, now, what):
        if what != "IN":
            self.left[tid] = thread, now, "preempt" in what
        elif tid in self.left:
            self.back(tid, now)

    def back(self, tid, now):
        thread, since, preempted = self.left.pop(tid)
        stack = self.stack.pop(tid, ())
        if preempted:
            self.recording.waiting[thread, stack + (PREEMPTED,)] += now - since
        else:
            self.recording.blocked[thread, stack] += now - since

    def end(self, now):
        for tid in list(self.left):
            self.back(tid, now)


def read(data, binary):
    """The Recording of a perf.data; binary: the server's path as perf has it."""
    lines = text(data).splitlines()
    stacks = Stacks(lines, binary)
    recording = Recording()
    turns = Turns(recording)
    now = i = 0
    while i < len(lines):
        line, begin = lines[i], i + 1
        i = begin
        turn, sample = TURN.match(line), SAMPLE.match(line)
        if turn:
            now = nanoseconds(turn.group(3))
            turns.turn(turn.group(1), turn.group(2), now, turn.group(4))
        elif sample:
            while i < len(lines) and lines[i]:
                i += 1
            thread, tid, now, period, event = sample.groups()
            now = nanoseconds(now)
            if event == RUN:
                recording.running[thread, stacks.stack(lines[begin:i])] += int(period)
            else:
                turns.stack[tid] = stacks.stack(lines[begin:i])
    turns.end(now)
    return recording
