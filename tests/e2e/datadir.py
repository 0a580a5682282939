"""A server on a data directory that outlives it, the directory's files, and small file systems to put it on."""

import fcntl
import os
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time

from harness import AT_ONCE, BUILD, SANITIZED, THREADS, Failure
from wire import Connection

PAGE = 4096
SCHEMA_SHARD = 65535
BLOCK_MAGIC = 0x4B42464C
LAST_OF_WRITE = 1
NAME = re.compile(r"(\d{8,})-(\d{5})-(\d{8,})\.journal")

FS_IOC_SHUTDOWN = 0x8004587D
SHUTDOWN_NOLOGFLUSH = 2
FIFREEZE, FITHAW = 0xC0045877, 0xC0045878


class Refused(Exception):
    """The server ended instead of starting."""

    def __init__(self, code, text):
        super().__init__("exit %d: %s" % (code, text.strip()))
        self.code, self.text = code, text


class Daemon:
    """leftfoldd on the directory `data`, which stays."""

    def __init__(self, data, reactors=1, projectors=1, segment="64K", durability="disk", schema=None, wait=True,
                 salvage=False):
        self.dir = tempfile.mkdtemp(prefix="leftfold-e2e-")
        self.port_file = os.path.join(self.dir, "port")
        self.log = open(os.path.join(self.dir, "log"), "w+")
        args = [os.path.join(BUILD, "leftfoldd"), "--listen", "127.0.0.1:0", "--port-file", self.port_file,
                "--data", data, "--reactors", str(reactors), "--projectors", str(projectors),
                "--threads", next(THREADS), "--segment-size", segment, "--durability", durability, "--slow-timeout", "600",
                "--build-at-once", next(AT_ONCE)]
        if schema:
            args += ["--schema", schema]
        if salvage:
            args += ["--salvage"]
        self.process = subprocess.Popen(args, stdout=self.log, stderr=self.log)
        self.output = None
        if wait:
            self.ready()

    def ready(self):
        deadline = time.monotonic() + 120
        while not os.path.exists(self.port_file):
            ended = self.process.poll()
            if ended is not None or time.monotonic() > deadline:
                self.kill()
                raise Refused(ended if ended is not None else -1, self.output)
            time.sleep(0.001)
        with open(self.port_file) as f:
            self.address = f.read().strip()

    def connect(self):
        return Connection(self.address, timeout=120)

    def _ended(self):
        if self.output is None:
            self.log.seek(0)
            self.output = self.log.read()
            self.log.close()
            shutil.rmtree(self.dir, ignore_errors=True)
            if SANITIZED and "Sanitizer" in self.output:
                raise Failure("a sanitizer's report:\n" + self.output)
        return self.process.returncode

    def kill(self):
        """As if the process had died."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        return self._ended()

    def resident(self):
        """Bytes of memory."""
        with open("/proc/%d/statm" % self.process.pid) as f:
            return int(f.read().split()[1]) * PAGE

    def wait(self, seconds=60):
        """The exit code of a server that ends by itself."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure("it did not end within %d s:\n%s" % (seconds, self.output)) from None
        return self._ended()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.wait()
        if code != 0:
            raise Failure("exit %d after SIGTERM:\n%s" % (code, self.output))

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.kill()
        if kind is not None:
            print(self.output, end="")


# --- files ---


def segments(data):
    """(run, shard, number, path) of each, in order."""
    found = []
    for name in os.listdir(data):
        m = NAME.fullmatch(name)
        if m:
            found.append((int(m[1]), int(m[2]), int(m[3]), os.path.join(data, name)))
    return sorted(found)


def blocks(path):
    """(offset, end) of each block of a segment, as FORMAT.md draws them; checksums are not looked at."""
    with open(path, "rb") as f:
        data = f.read()
    at, found = PAGE, []
    while at + 64 <= len(data):
        magic, _, _, _, flags = struct.unpack_from("<IIIHH", data, at)
        body, = struct.unpack_from("<I", data, at + 40)
        if magic != BLOCK_MAGIC:
            break
        end = at + 64 + body
        found.append((at, end))
        at = whole(end) if flags & LAST_OF_WRITE else end
    return found


def whole(n):
    return (n + PAGE - 1) // PAGE * PAGE


def contents(data):
    """Every file's bytes by its name."""
    out = {}
    for name in os.listdir(data):
        with open(os.path.join(data, name), "rb") as f:
            out[name] = f.read()
    return out


def differing(a, b):
    """Names of the files that are not the same in both."""
    return sorted(name for name in set(a) | set(b) if a.get(name) != b.get(name))


def restore(data, files):
    """The directory with exactly these files."""
    os.makedirs(data, exist_ok=True)
    for name in os.listdir(data):
        if name not in files:
            os.unlink(os.path.join(data, name))
    for name, text in files.items():
        with open(os.path.join(data, name), "wb") as f:
            f.write(text)


# --- file systems ---


class Mounted:
    """A file system of its own: `tmpfs` of so many bytes, or an ext4 image. Raises Unavailable."""

    class Unavailable(Exception):
        pass

    def __init__(self, kind, size, below=None):
        """below: a directory for the image, instead of the usual one for temporary files."""
        self.dir = tempfile.mkdtemp(prefix="leftfold-e2e-", dir=below)
        self.path = os.path.join(self.dir, "mnt")
        os.mkdir(self.path)
        if kind == "tmpfs":
            self.how = ["mount", "-t", "tmpfs", "-o", "size=%d" % size, "none", self.path]
        else:
            image = self.image = os.path.join(self.dir, "image")
            with open(image, "wb") as f:
                f.truncate(size)
            self.how = ["mount", "-o", "loop", image, self.path]
        self.mounted = False
        try:
            if kind != "tmpfs":
                self._run(["mkfs.ext4", "-q", "-F", "-b", "4096", image])
            self.mount()
        except Mounted.Unavailable:
            shutil.rmtree(self.dir, ignore_errors=True)
            raise

    def _run(self, args):
        try:
            done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        except OSError as e:
            raise Mounted.Unavailable("%s: %s" % (args[0], e.strerror)) from None
        if done.returncode != 0:
            raise Mounted.Unavailable("%s: %s" % (args[0], done.stdout.strip()))

    def mount(self):
        self._run(self.how)
        self.mounted = True

    def unmount(self):
        self._run(["umount", self.path])
        self.mounted = False

    def power_cut(self):
        """From now on nothing reaches the medium, and writes fail."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, FS_IOC_SHUTDOWN, struct.pack("<I", SHUTDOWN_NOLOGFLUSH))
        except OSError as e:
            raise Mounted.Unavailable("shutdown of a file system: %s" % e.strerror) from None
        finally:
            os.close(fd)

    def grow(self, size):
        """A tmpfs."""
        self._run(["mount", "-o", "remount,size=%d" % size, self.path])

    def repair(self):
        """An ext4, not mounted."""
        subprocess.run(["e2fsck", "-fy", self.image], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def hang(self, on):
        """Writes wait until it is off."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, FIFREEZE if on else FITHAW, 0)
        except OSError as e:
            raise Mounted.Unavailable("freezing a file system: %s" % e.strerror) from None
        finally:
            os.close(fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.mounted:
            subprocess.run(["umount", "-l", self.path], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.dir, ignore_errors=True)
