#!/usr/bin/python3
"""What make install installs: found by pkg-config, usable from C and C++, exporting what the header says and
nothing else; the example runs; make uninstall leaves nothing."""

import os
import re
import shutil
import subprocess
import tempfile

from harness import BUILD, ROOT, Failure, Server, run

FILES = ["bin/leftfold", "bin/leftfold-bench", "bin/leftfoldd", "include/leftfold.h", "lib/libleftfold.a", "lib/libleftfold.so",
         "lib/libleftfold.so.0", "lib/pkgconfig/leftfold.pc"]
# It is built where PostgreSQL's client library is.
if os.path.exists("/usr/include/postgresql/libpq-fe.h"):
    FILES.append("bin/leftfold-pgfeed")
USER = """
#include <leftfold.h>
#include <stdio.h>
int main(int argc, char **argv)
{
        struct lf_client_options o = lf_client_options_default();
        struct lf_client_error e;
        struct lf_client *c;
        o.address = argc > 1 ? argv[1] : "";
        if (lf_client_open(&c, &o, &e) != 0)
                return 1;
        struct lf_result *r = lf_result_new();
        if (lf_client_query(c, "SELECT 40 + 2", SIZE_MAX, NULL, r, &e) != 0)
                return 1;
        printf("%d\\n", (int)lf_result_int(r, 0, 0));
        lf_result_free(r);
        lf_client_close(c);
        return 0;
}
"""


def check(ok, what):
    if not ok:
        raise Failure(what)


def make(root, *args):
    variant = os.path.relpath(BUILD, os.path.join(ROOT, "build"))
    run(["make", "-C", ROOT, "--no-print-directory", "VARIANT=" + ("release" if variant == "." else variant),
         "PREFIX=/opt/leftfold", "DESTDIR=" + root] + list(args), env=dict(os.environ, MAKEFLAGS=""))


def files_below(path):
    return sorted(os.path.relpath(os.path.join(d, f), path) for d, _, names in os.walk(path) for f in names)


def test_files(prefix):
    check(files_below(prefix) == sorted(FILES), "installed: %s" % files_below(prefix))
    check(os.readlink(prefix + "/lib/libleftfold.so") == "libleftfold.so.0", "the link for linking")
    dynamic = run(["readelf", "-d", prefix + "/lib/libleftfold.so.0"]).stdout
    check("SONAME" in dynamic and "[libleftfold.so.0]" in dynamic, "soname")
    needed = set(re.findall(r"NEEDED.*\[(.*)\]", dynamic))
    sanitizers = {n for n in needed if re.match(r"lib(asan|ubsan|tsan|gcc_s)\.", n)}
    check(needed - sanitizers <= {"libc.so.6", "libm.so.6"}, "needs %s" % needed)


def test_symbols(prefix):
    with open(prefix + "/include/leftfold.h") as f:
        declared = set(re.findall(r"LF_API[^;]*?\b(lf_\w+)\(", f.read()))
    check(len(declared) > 50, "the header declares %d functions" % len(declared))
    for name, args in (("libleftfold.so.0", ["-D"]), ("libleftfold.a", [])):
        out = run(["nm", "-g", "--defined-only", "--format=posix"] + args + [prefix + "/lib/" + name]).stdout
        found = {line.split("@")[0].split()[0] for line in out.splitlines() if " T " in line}
        check(found == declared, "%s: missing %s, surplus %s" % (
            name, sorted(declared - found), sorted(found - declared)))


def test_users(root, prefix, server):
    env = dict(os.environ, PKG_CONFIG_PATH=prefix + "/lib/pkgconfig", PKG_CONFIG_SYSROOT_DIR=root)
    flags = ["-fsanitize=" + {"asan": "address,undefined", "tsan": "thread"}[v]
             for v in ("asan", "tsan") if v == os.path.basename(BUILD)]
    warnings = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
    library = dict(os.environ, LD_LIBRARY_PATH=prefix + "/lib")

    def build(compiler, source, static=False):
        text = run(["pkg-config", "--cflags", "--libs"] + (["--static"] if static else []) + ["leftfold"],
                   env=env).stdout.split()
        if static:
            text = [prefix + "/lib/libleftfold.a" if t == "-lleftfold" else t for t in text]
        run(compiler + warnings + flags + [source, "-o", root + "/user"] + text)
        return root + "/user"
    check(run(["pkg-config", "--modversion", "leftfold"], env=env).stdout.strip(), "a version")
    for compiler, suffix in ((["gcc", "-std=c99"], ".c"), (["gcc", "-std=c11"], ".c"),
                             (["g++", "-std=c++11"], ".cc"), (["g++", "-std=c++20"], ".cc")):
        source = root + "/user" + suffix
        with open(source, "w") as f:
            f.write(USER)
        for static in (False, True):
            program = build(compiler, source, static)
            out = run([program, server.address], env=library).stdout
            check(out == "42\n", "%s: %r" % (compiler, out))
    # The header alone, first.
    with open(root + "/alone.c", "w") as f:
        f.write("#include <leftfold.h>\nint alone;\n")
    run(["gcc", "-std=c99"] + warnings + ["-I" + prefix + "/include", "-fsyntax-only", root + "/alone.c"])
    program = build(["gcc", "-std=c99"], os.path.join(ROOT, "tools/examples/pipeline.c"))
    out = run([program, server.address, "20000"], env=library).stdout
    check("20000 votes counted" in out, "the example: %r" % out)
    program = build(["gcc", "-std=c99"], os.path.join(ROOT, "tools/examples/command_query.c"))
    out = run([program, server.address], env=library).stdout
    check("AC002: account 1 has only 4000" in out and "AC001: there is no account 2" in out and
          "spent 6000 cents in 2 payments" in out and "has 4020 cents, after 1 tries" in out, "commands: %r" % out)
    program = build(["gcc", "-std=c99"], os.path.join(ROOT, "tools/examples/read_your_writes.c"))
    out = run([program, server.address], env=library).stdout
    check("100 notes, each seen at once on both connections\n" in out, "own writes: %r" % out)
    program = build(["gcc", "-std=c99"], os.path.join(ROOT, "tools/examples/subscription.c"))
    out = run([program, server.address, "500"], env=library).stdout
    check(out.startswith("500 payments") and out.endswith(" 0 differences\n"), "subscription: %r" % out)
    program = build(["gcc", "-std=c99"], os.path.join(ROOT, "tools/examples/dashboard.c"))
    boards = [run([program, server.address, "5000", how], env=library).stdout.splitlines()
              for how in ("subscribe", "poll")]
    check(boards[0][-1] == boards[1][-1] and len(boards[0]) > 1 and len(boards[1]) > 1, "dashboards: %r" % boards)
    program = build(["gcc", "-std=c99"], os.path.join(ROOT, "tools/examples/event_consumer.c"))
    out = run([program, server.address, "300"], env=library).stdout
    check("320 events, 100 + 100 + 100 transfers, 0 balances differ" in out, "the consumer: %r" % out)


def main():
    root = tempfile.mkdtemp(prefix="leftfold-install-")
    prefix = root + "/opt/leftfold"
    try:
        make(root, "install")
        test_files(prefix)
        test_symbols(prefix)
        server = Server(projectors=2, extra=["--event-log"])
        try:
            test_users(root, prefix, server)
        finally:
            server.stop()
        make(root, "uninstall")
        check(files_below(prefix) == [], "left by uninstall: %s" % files_below(prefix))
    finally:
        shutil.rmtree(root)
    print("ok: install, use, uninstall")


if __name__ == "__main__":
    main()
