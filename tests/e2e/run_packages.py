#!/usr/bin/python3
"""Debian's package database end to end: packages and what they depend on, views over them, random commands,
against PostgreSQL; compared as in run_chinook.py.

Rows come from /var/lib/dpkg/status and from apt's lists when they are there. A package and its dependencies are
one aggregate: commands on different packages commute and go through several connections; those that touch
many packages come one after another.

LEFTFOLD_E2E_PACKAGES: how many packages at most, or "all" (default 2000, small: 600). LEFTFOLD_E2E_COMMANDS:
number of random commands (default 6000; 20000 with all packages; small: 2000). LEFTFOLD_SEED: the seed, printed
at the start.
"""

import glob
import os
import random
import re
import subprocess
import sys
import time
import zlib

from harness import BUILD, SMALL, Failure, Postgres, Server, shapes, skip
from oracle import Lane, Prepared, Snapshot, check_rows_seen, compare_outcomes, psql_outcomes, run_lanes
from wire import DURABLE, VISIBLE

STATUS = "/var/lib/dpkg/status"
LISTS = "/var/lib/apt/lists/*_Packages*"
POINTS = 4
LANES = 3
KINDS = ("Pre-Depends", "Depends", "Recommends", "Suggests")

SCHEMA = """
CREATE TABLE package (name text PRIMARY KEY, version text NOT NULL, section varchar(60), priority varchar(20),
  maintainer text, size_kib int DEFAULT 0 CHECK (size_kib >= 0), essential boolean NOT NULL DEFAULT false);
CREATE TABLE dependency (package text REFERENCES package (name), line int, kind varchar(12) NOT NULL,
  target text NOT NULL, wanted text, PRIMARY KEY (package, line), UNIQUE (package, kind, target, wanted),
  CHECK (line > 0 AND kind <> ''));
CREATE INDEX package_section ON package (section);
CREATE INDEX dependency_target ON dependency (target);
"""
VIEWS = """
CREATE MATERIALIZED VIEW per_section AS
  SELECT section, count(*) AS packages, sum(size_kib) AS size, avg(size_kib) AS average,
         max(size_kib) AS largest, min(name) AS first, count(*) FILTER (WHERE essential) AS essential
  FROM package GROUP BY section;
CREATE MATERIALIZED VIEW maintainer_load AS
  SELECT maintainer, count(*) AS packages, sum(size_kib) AS size, max(version) AS version
  FROM package WHERE maintainer IS NOT NULL GROUP BY maintainer;
CREATE UNIQUE INDEX maintainer_load_key ON maintainer_load (maintainer);
CREATE MATERIALIZED VIEW most_wanted AS
  SELECT target, count(*) AS wanted_by, count(*) FILTER (WHERE kind LIKE '%Depends') AS needed_by,
         count(wanted) AS with_version
  FROM dependency GROUP BY target HAVING count(*) >= 5;
CREATE UNIQUE INDEX most_wanted_key ON most_wanted (target);
CREATE MATERIALIZED VIEW used_packages AS
  SELECT p.name, p.section, p.size_kib, count(*) AS users, min(d.package) AS first, max(d.package) AS last
  FROM dependency d JOIN package p ON p.name = d.target GROUP BY p.name, p.section, p.size_kib;
CREATE UNIQUE INDEX used_packages_key ON used_packages (name);
CREATE INDEX used_packages_section ON used_packages (section);
CREATE MATERIALIZED VIEW section_matrix AS
  SELECT p.section AS from_section, q.section AS to_section, count(*) AS links, sum(q.size_kib) AS size
  FROM dependency d JOIN package p ON p.name = d.package JOIN package q ON q.name = d.target
  GROUP BY p.section, q.section;
CREATE MATERIALIZED VIEW all_packages AS
  SELECT count(*) AS packages, sum(size_kib) AS size, avg(size_kib) AS average, count(maintainer) AS maintained
  FROM package;
CREATE MATERIALIZED VIEW all_dependencies AS
  SELECT count(*) AS dependencies, min(target) AS first, max(line) AS longest,
         count(*) FILTER (WHERE wanted IS NULL) AS any_version FROM dependency;
CREATE MATERIALIZED VIEW per_kind AS
  SELECT kind, CASE WHEN target LIKE 'lib%' THEN 'library' WHEN target LIKE 'python%' THEN 'python' ELSE 'other' END
         AS sort, count(*) AS dependencies FROM dependency GROUP BY 1, 2;
CREATE MATERIALIZED VIEW fan_out AS
  SELECT p.name, coalesce(p.priority, '?') AS priority, count(*) AS dependencies, max(length(d.target)) AS longest
  FROM package p JOIN dependency d ON d.package = p.name WHERE d.kind IN ('Depends', 'Pre-Depends')
  GROUP BY p.name, coalesce(p.priority, '?');
CREATE UNIQUE INDEX fan_out_key ON fan_out (name);
CREATE MATERIALIZED VIEW mutual AS
  SELECT a.package, a.target, a.kind AS there, b.kind AS back
  FROM dependency a JOIN dependency b ON b.package = a.target AND b.target = a.package WHERE a.package < a.target;
CREATE MATERIALIZED VIEW size_classes AS
  SELECT size_kib / 1000 AS thousand, priority, count(*) AS packages FROM package
  WHERE size_kib IS NOT NULL GROUP BY size_kib / 1000, priority;
CREATE MATERIALIZED VIEW maintainers_wanted AS
  SELECT p.maintainer, q.maintainer AS of, count(*) AS links
  FROM dependency d JOIN package p ON p.name = d.package JOIN package q ON q.name = d.target
  WHERE d.kind = 'Suggests' AND p.maintainer IS DISTINCT FROM q.maintainer GROUP BY p.maintainer, q.maintainer;
"""
NAMES = re.findall(r"MATERIALIZED VIEW (\w+)", VIEWS)
QUERIES = [
    "SELECT name, version, essential FROM package WHERE section = 'shells' ORDER BY name",
    "SELECT package, line, kind FROM dependency WHERE target = 'libc6' ORDER BY package, line LIMIT 20",
    "SELECT count(*) FROM dependency WHERE target = 'perl'",
    "SELECT * FROM dependency WHERE package = 'apt' ORDER BY line",
    "SELECT target, wanted_by FROM most_wanted ORDER BY wanted_by DESC, target LIMIT 10",
    "SELECT * FROM most_wanted WHERE target IN ('libc6', 'perl', 'no-such-package') ORDER BY target",
    "SELECT name, users FROM used_packages WHERE section = 'libs' ORDER BY users DESC, name LIMIT 10",
]


def paragraphs(text):
    for paragraph in text.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", paragraph, re.M))
        if "Package" in fields and "Version" in fields:
            yield fields


def sources():
    with open(STATUS, encoding="utf-8") as f:
        yield f.read()
    for name in sorted(glob.glob(LISTS)):
        # apt's own helper knows how its lists are compressed.
        done = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", name], stdout=subprocess.PIPE, check=True)
        yield done.stdout.decode()


def read_packages(most):
    """{name: (package row, [dependency row])} of the first `most` packages."""
    out = {}
    for text in sources():
        for f in paragraphs(text):
            name = f["Package"]
            if len(out) >= most:
                return out
            if name in out:
                continue
            lines, seen = [], set()
            for kind in KINDS:
                for group in filter(None, f.get(kind, "").split(", ")):
                    for m in re.finditer(r"([a-z0-9][a-z0-9+.-]+)(?::\w+)?(?: \(([^)]*)\))?", group.split("|")[0]):
                        wanted = m.group(2)
                        if (kind, m.group(1), wanted) not in seen:
                            seen.add((kind, m.group(1), wanted))
                            lines.append((name, len(lines) + 1, kind, m.group(1), wanted))
            size = f.get("Installed-Size")
            out[name] = ((name, f["Version"], f.get("Section"), f.get("Priority"), f.get("Maintainer"),
                          int(size) if size else None, f.get("Essential") == "yes"), lines)
    return out


def quote(v):
    if v is None:
        return "NULL"
    if isinstance(v, bool):
        return "true" if v else "false"
    return str(v) if isinstance(v, int) else "'%s'" % v.replace("'", "''")


def tuples(rows):
    return ", ".join("(%s)" % ", ".join(map(quote, r)) for r in rows)


class Generator:
    """command() gives (name, command): of one package, or of many when the name is None."""

    def __init__(self, seed, packages):
        self.random = random.Random(seed)
        self.names = list(packages)
        self.lines = {n: len(d) for n, (_, d) in packages.items()}
        self.next = 0
        self.kinds = ((24, self.update_package), (10, self.rename_maintainer), (14, self.add_dependency),
                      (14, self.upsert_dependency), (10, self.update_dependency), (10, self.delete_dependency),
                      (8, self.new_package), (4, self.delete_package), (6, self.refused), (2, self.delete_refused))

    def pick(self, *values):
        return self.random.choice(values)

    def name(self):
        # Some are hot.
        if self.random.random() < 0.2:
            return self.names[self.random.randrange(min(10, len(self.names)))]
        return self.random.choice(self.names)

    def line(self, name):
        return self.random.randrange(1, self.lines.get(name, 0) + 2)

    def fresh_line(self, name):
        self.lines[name] = self.lines.get(name, 0) + 1
        return self.lines[name]

    def command(self):
        return self.random.choices([k[1] for k in self.kinds], [k[0] for k in self.kinds])[0]()

    def update_package(self):
        n = self.name()
        if self.random.random() < 0.6:
            return n, Prepared("UPDATE package SET size_kib = $2::int, section = $3::text WHERE name = $1::text", "tit",
                               n, self.pick(None, 0, 7, 1500, 123456), self.pick(None, "libs", "shells", "Zürich's"))
        return n, ("UPDATE package SET size_kib = size_kib * 2 + 1, priority = %s WHERE name = %s AND size_kib < 10000 "
                   "RETURNING name, size_kib, essential::text" % (self.pick("NULL", "'extra'", "upper(priority)"), quote(n)))

    def rename_maintainer(self):
        n = self.name()
        return n, ("UPDATE package SET maintainer = %s, essential = NOT essential WHERE name = %s" %
                   (self.pick("NULL", "'Ana'", "maintainer || ' and friends'", "substr(maintainer, 1, 20)"), quote(n)))

    def add_dependency(self):
        n = self.name()
        return n, Prepared("INSERT INTO dependency VALUES ($1::text, $2::int, $3::text, $4::text, $5::text)", "titt" "t",
                           n, self.fresh_line(n), self.pick(*KINDS), self.name(), ">= %d" % self.random.randrange(10 ** 6))

    def upsert_dependency(self):
        n = self.name()
        return n, ("INSERT INTO dependency VALUES (%s, %d, 'Depends', %s, %s) ON CONFLICT (package, line) DO %s" %
                   (quote(n), self.line(n), quote(self.name()), quote("= %d" % self.random.randrange(10 ** 6)),
                    self.pick("NOTHING", "UPDATE SET target = excluded.target, wanted = excluded.wanted",
                              "UPDATE SET wanted = dependency.wanted || '|' || excluded.wanted WHERE "
                              "dependency.kind = 'Depends' RETURNING line, wanted")))

    def update_dependency(self):
        n = self.name()
        return n, ("UPDATE dependency SET target = %s, kind = 'Suggests' WHERE package = %s AND line = %d%s" %
                   (quote(self.name()), quote(n), self.line(n), self.pick("", " AND wanted IS NULL")))

    def delete_dependency(self):
        n = self.name()
        return n, self.pick(
            Prepared("DELETE FROM dependency WHERE package = $1::text AND line = $2::int", "ti", n, self.line(n)),
            "DELETE FROM dependency WHERE package = %s AND line = %d RETURNING target, wanted" % (quote(n), self.line(n)),
            "DELETE FROM dependency WHERE package = %s AND kind = 'Suggests' AND target < 'g'" % quote(n))

    def new_package(self):
        """One atomic command of several statements; some fail at the end and must leave nothing."""
        self.next += 1
        n = "new-%d" % self.next
        lines = [(n, i + 1, self.pick(*KINDS), self.name(), "%d" % i) for i in range(self.random.randrange(1, 8))]
        text = ("INSERT INTO package (name, version, section) VALUES (%s, '1', %s); INSERT INTO dependency VALUES %s" %
                (quote(n), self.pick("NULL", "'libs'", "'new'"), tuples(lines)))
        if self.random.random() < 0.25:
            return n, text + self.pick("; UPDATE package SET size_kib = -1 WHERE name = %s" % quote(n),
                                       "; INSERT INTO dependency VALUES (%s, 1, 'Depends', 'x', 'y')" % quote(n))
        self.names.append(n)
        self.lines[n] = len(lines)
        return n, text

    def delete_package(self):
        n = self.name()
        return n, ("DELETE FROM dependency WHERE package = %s; DELETE FROM package WHERE name = %s" % (quote(n), quote(n)))

    def delete_refused(self):
        n = self.name()
        return n, "DELETE FROM package WHERE name = %s" % quote(n)

    def refused(self):
        n = self.name()
        return n, self.pick(
            "UPDATE package SET size_kib = -2 WHERE name = %s" % quote(n),
            "UPDATE package SET version = NULL WHERE name = %s" % quote(n),
            "UPDATE package SET section = '%s' WHERE name = %s" % ("long " * 20, quote(n)),
            "UPDATE package SET essential = 'perhaps' WHERE name = %s" % quote(n),
            "UPDATE package SET size_kib = size_kib / (size_kib - size_kib) WHERE name = %s AND size_kib > 0" % quote(n),
            "INSERT INTO dependency VALUES ('no-such-package', 1, 'Depends', %s)" % quote(n),
            "INSERT INTO dependency VALUES (%s, 0, 'Depends', 'x', 'line 0')" % quote(n),
            "INSERT INTO dependency VALUES (%s, 12345, 'Build-Depends', 'x', 'kind too long')" % quote(n),
            "INSERT INTO dependency (package, line, kind) VALUES (%s, 12345, 'Depends')" % quote(n))

    def sweep(self):
        """A command on many packages."""
        n = self.name()
        new = sorted({"sweep-%d" % self.random.randrange(10 ** 6) for _ in range(self.random.randrange(2, 60))})
        return self.pick(
            "UPDATE package SET maintainer = 'Team ' || section WHERE section = %s" % self.pick("'shells'", "'new'", "'admin'"),
            "UPDATE dependency SET kind = 'Recommends' WHERE target = %s AND kind = 'Suggests'" % quote(n),
            "DELETE FROM dependency WHERE target = %s" % quote(n),
            "DELETE FROM dependency WHERE wanted IS NULL AND kind = 'Suggests' AND line > 12",
            "UPDATE package SET size_kib = coalesce(size_kib, 0) + 1 WHERE name IN (%s)" %
            ", ".join(quote(self.name()) for _ in range(5)),
            "INSERT INTO package (name, version, size_kib) VALUES %s ON CONFLICT (name) DO UPDATE SET version = "
            "excluded.version, size_kib = package.size_kib + 1" % tuples([(x, "9", len(x)) for x in new]),
            "INSERT INTO package (name, version) VALUES %s ON CONFLICT DO NOTHING" %
            tuples([(x, "1") for x in new + [n]]))


def lane_of(name):
    return zlib.crc32(name.encode()) % LANES


def sections(generator, commands):
    """Each point: rounds of (commands of one package each, then some on many)."""
    out = []
    for _ in range(POINTS):
        rounds = []
        for _ in range(4):
            rounds.append(([generator.command() for _ in range(commands // POINTS // 4)],
                           [generator.sweep() for _ in range(4)]))
        out.append(rounds)
    return out


def flat(section):
    return [c for single, many in section for c in [c for _, c in single] + many]


def load(lanes, packages):
    """As commands: each package by a prepared one, its dependencies many rows at a time."""
    parts = [[] for _ in lanes]
    text = "INSERT INTO package VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::int, $7::boolean)"
    for name, (package, _) in packages.items():
        parts[lane_of(name)].append((name, Prepared(text, "tttttib", *package)))
    for at, name in enumerate(packages):
        lines = packages[name][1]
        if lines:
            parts[lane_of(name)].append((-1 - at, "INSERT INTO dependency VALUES %s" % tuples(lines)))
    for request, outcome in run_lanes(lanes, parts, lambda _: DURABLE).items():
        if outcome[0] != "done":
            raise Failure("loading %r: %r" % (request, outcome))


def settle(lanes):
    lanes[0].connection.run("SELECT count(*) FROM all_packages", timeout=60000,
                            at_least=max(lane.epoch for lane in lanes))


def run_shape(server, packages, work, answers, snapshots, late):
    server.cli(SCHEMA + ("" if late else VIEWS))
    lanes = [Lane(server.address) for _ in range(LANES)]
    rand = random.Random(len(packages))

    def ack(_):
        return rand.choice((DURABLE, VISIBLE))

    try:
        load(lanes, packages)
        if late:
            server.cli(VIEWS)
        settle(lanes)
        snapshots[0].compare(server, "loading")
        for i, section in enumerate(work):
            got = []
            for single, many in section:
                parts = [[] for _ in lanes]
                for at, (name, command) in enumerate(single):
                    parts[lane_of(name)].append((at, command))
                outcomes = run_lanes(lanes, parts, ack)
                got += [outcomes[at] for at in range(len(single))] + lanes[0].run(many, ack)
            compare_outcomes(flat(section), answers[i], got)
            settle(lanes)
            snapshots[i + 1].compare(server, "point %d" % (i + 1))
    finally:
        for lane in lanes:
            lane.connection.close()


def main():
    if not os.path.exists(STATUS):
        skip("%s is not there: not a Debian machine" % STATUS)
    seed = int(os.environ.get("LEFTFOLD_SEED", random.SystemRandom().randrange(1 << 30)))
    most = os.environ.get("LEFTFOLD_E2E_PACKAGES", "600" if SMALL else "2000")
    usual = "20000" if most == "all" else "2000" if SMALL else "6000"
    commands = int(os.environ.get("LEFTFOLD_E2E_COMMANDS", usual))
    packages = read_packages(sys.maxsize if most == "all" else int(most))
    generator = Generator(seed, packages)
    dependencies = [d for _, lines in packages.values() for d in lines]
    print("packages: seed %d, %d packages, %d dependencies, %d commands, build %s" %
          (seed, len(packages), len(dependencies), commands, BUILD), flush=True)
    work = sections(generator, commands)
    queries = ["SELECT * FROM %s" % n for n in NAMES] + QUERIES
    everything = queries + ["SELECT * FROM package", "SELECT * FROM dependency"]

    postgres = Postgres()
    try:
        rows = [p for p, _ in packages.values()]
        postgres.psql(SCHEMA + "".join(
            "INSERT INTO %s VALUES %s;\n" % (table, tuples(all_rows[i:i + 1000]))
            for table, all_rows in (("package", rows), ("dependency", dependencies))
            for i in range(0, len(all_rows), 1000)) + "ANALYZE;\n" + VIEWS)
        refresh = "".join("REFRESH MATERIALIZED VIEW %s;\n" % n for n in NAMES)
        snapshots, answers = [Snapshot(postgres, everything)], []
        for i, section in enumerate(work):
            answers.append(psql_outcomes(postgres, flat(section)))
            postgres.psql(refresh)
            snapshots.append(Snapshot(postgres, everything if i + 1 == POINTS else queries))
    finally:
        postgres.close()
    check_rows_seen(snapshots, NAMES)
    refused = sum(a[0] == "error" for section in answers for a in section)

    for reactors, projectors in shapes():
        begin = time.monotonic()
        with Server(reactors, projectors) as server:
            run_shape(server, packages, work, answers, snapshots, projectors % 2 == 0)
        print("packages: R=%d P=%d: %d views equal at %d points, %d answers, %d of them refusals (%.1f s)" %
              (reactors, projectors, len(NAMES), POINTS + 1, sum(map(len, answers)), refused,
               time.monotonic() - begin), flush=True)


if __name__ == "__main__":
    try:
        main()
    except Failure as e:
        print("FAIL: %s" % e)
        sys.exit(1)
