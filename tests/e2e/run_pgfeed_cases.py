#!/usr/bin/python3
"""leftfold-pgfeed in each case that it handles, or refuses with what is to be done: replica identities, TOAST, keys that change,
TRUNCATE, columns and tables that come and go, slots that are dropped, lost or in use, restarts, a network that breaks, missing
settings and privileges, partitions, values and tables that do not fit.

Each case has tables, a publication and a slot of its own."""

import os
import re
import signal
import subprocess
import sys
import time

from harness import BUILD, ROOT, Failure, run
from pgfeed import FEED, Feed, Leftfold, Source, Wire, check, compare, feed, wait_for

CASES = []   # of connections, slots and the program
TABLES = []  # of tables and rows: run_pgfeed_tables.py


def case(f):
    CASES.append(f)
    return f


def table_case(f):
    TABLES.append(f)
    return f


class Bed:
    """Both sides, and the flags of a case."""

    def __init__(self, source, target, name):
        self.source, self.target, self.name = source, target, name
        self.flags = ["--slot", name, "--publication", name]

    def psql(self, sql, **options):
        return self.source.psql(sql, **options)

    def publish(self, what):
        self.psql("CREATE PUBLICATION %s %s" % (self.name, what))

    def feed(self, *flags, code=0, **options):
        return feed(self.source, self.target, *self.flags, *(flags or ("--until-now",)), code=code, **options)

    def start(self, *flags, **options):
        return Feed(self.source, self.target, *self.flags, *flags, **options).says("following")

    def refused(self, text, remedy, *flags, **options):
        """It ends with an error, which says what is to be done."""
        output = self.feed(*flags, "--until-now", code=1, **options)
        error = re.search(r"error: (.*)\n", output)
        check(error is not None and text in error.group(1), "not refused with %r" % text, output)
        check(remedy is None or remedy in output.split("remedy: ", 1)[-1], "no remedy %r" % remedy, output)

    def same(self, *tables):
        compare(self.source, self.target, [("SELECT * FROM %s" % t, "SELECT * FROM %s" % t.split(".")[-1]) for t in tables])

    def same_soon(self, *tables):
        """While it runs."""
        def is_same():
            try:
                self.same(*tables)
            except Failure as e:
                self.last = e
                return False
            return True
        try:
            wait_for("the same rows", is_same, 30)
        except Failure:
            raise self.last from None


@table_case
def identities(b):
    """Default, index, full and nothing."""
    b.psql("CREATE TABLE id_d (k int PRIMARY KEY, v text); CREATE TABLE id_i (a int, k text NOT NULL, v text);"
           "CREATE UNIQUE INDEX id_i_k ON id_i (k); ALTER TABLE id_i REPLICA IDENTITY USING INDEX id_i_k;"
           "CREATE TABLE id_f (k int, j int, v text, PRIMARY KEY (j, k)); ALTER TABLE id_f REPLICA IDENTITY FULL;"
           "CREATE TABLE id_n (k int PRIMARY KEY); ALTER TABLE id_n REPLICA IDENTITY NOTHING;"
           "CREATE TABLE id_no (k int); CREATE TABLE id_fno (k int); ALTER TABLE id_fno REPLICA IDENTITY FULL;")
    b.publish("FOR TABLE id_d, id_i, id_f, id_n, id_no, id_fno")
    b.refused("has REPLICA IDENTITY NOTHING", "REPLICA IDENTITY DEFAULT", "--table", "id_n")
    b.refused("public.id_no has no primary key and no replica identity index", "REPLICA IDENTITY USING INDEX", "--table", "id_no")
    b.refused("public.id_fno has no primary key", "Add one", "--table", "public.id_fno")
    tables = ["--table", "id_d", "--table", "public.id_i", "--table", "id_f"]
    running = b.start(*tables)
    b.psql("INSERT INTO id_d VALUES (1, 'a'), (2, 'b'), (3, 'c'); INSERT INTO id_i VALUES (1, 'x', 'a'), (2, 'y', 'b'), (3, 'z', 'c');"
           "INSERT INTO id_f VALUES (1, 1, 'a'), (1, 2, 'b'), (2, 1, 'c');"
           "UPDATE id_d SET v = 'q' WHERE k = 1; UPDATE id_i SET v = 'q', a = 7 WHERE k = 'x'; UPDATE id_f SET v = 'q' WHERE k = 1;"
           "UPDATE id_d SET k = k + 10; UPDATE id_i SET k = k || k; UPDATE id_f SET k = k + 10, j = 1 WHERE j = 2;"
           "DELETE FROM id_d WHERE k = 12; DELETE FROM id_i WHERE k = 'yy'; DELETE FROM id_f WHERE k = 2;")
    b.same_soon("id_d", "id_i", "id_f")
    # An identity that has not the key that Leftfold has.
    b.psql("ALTER TABLE id_f REPLICA IDENTITY DEFAULT; UPDATE id_f SET v = 'd'; ALTER TABLE id_i ALTER a SET NOT NULL;"
           "CREATE UNIQUE INDEX id_i_a ON id_i (a); ALTER TABLE id_i REPLICA IDENTITY USING INDEX id_i_a; UPDATE id_i SET v = 'e';")
    check("replica identity does not have column \"k\"" in running.wait(1), "another identity")
    b.refused("its key was changed", "--recopy public.id_i", *tables)
    b.feed(*tables, "--recopy", "id_i", "--until-now")
    b.same("id_d", "id_i", "id_f")


@table_case
def toast(b):
    """What is too large for its page is not sent again when it is unchanged, also under another key."""
    b.psql("CREATE TABLE toast (id int PRIMARY KEY, big text, n int, more text, j jsonb);"
           "ALTER TABLE toast ALTER big SET STORAGE EXTERNAL, ALTER more SET STORAGE EXTERNAL, ALTER j SET STORAGE EXTERNAL;"
           "INSERT INTO toast SELECT i, repeat('x' || i, 3000), i, repeat('y', 2500), jsonb_build_array(repeat('z', 3000))"
           " FROM generate_series(1, 9) i; CREATE TABLE toast_f (LIKE toast INCLUDING ALL);"
           "INSERT INTO toast_f SELECT * FROM toast; ALTER TABLE toast_f REPLICA IDENTITY FULL;"
           "CREATE TABLE toast_k (big text PRIMARY KEY, n int); INSERT INTO toast_k VALUES (repeat('k', 2500), 1)")
    b.publish("FOR TABLE toast, toast_f, toast_k")
    running = b.start()
    b.same_soon("toast", "toast_f", "toast_k")
    def change(t, i, j, k, new):
        b.psql("BEGIN; UPDATE {t} SET n = n + 1 WHERE id < 8; UPDATE {t} SET more = 'short' WHERE id = 2; COMMIT;"
               "UPDATE {t} SET id = id + 100 WHERE id IN ({i}, {j}); UPDATE {t} SET id = id + 100, n = 0 WHERE id = {i} + 100;"
               "UPDATE {t} SET big = 'b', id = {new} + 50 WHERE id = {k}; DELETE FROM {t} WHERE id = {j} + 100;"
               "UPDATE {t} SET n = NULL WHERE id = {i} + 200; INSERT INTO {t} VALUES ({new}, repeat('w', 5000), 4);"
               "UPDATE {t} SET n = 5 WHERE id = {new}; UPDATE {t} SET id = {new} + 1 WHERE id = {new};"
               "UPDATE {t} SET n = 6 WHERE id = {new} + 1;".format(t=t, i=i, j=j, k=k, new=new))
    for t in ("toast", "toast_f"):
        change(t, 3, 4, 5, 400)
    b.psql("UPDATE toast_k SET n = 2; UPDATE toast_k SET big = big || 'j'")
    b.same_soon("toast", "toast_f", "toast_k")
    # The same from before an interruption: of each row only the end counts.
    running.kill()
    for t in ("toast", "toast_f"):
        change(t, 6, 7, 8, 500)
    b.target.sql("ALTER TABLE leftfold_pgfeed RESET (source); UPDATE leftfold_pgfeed SET reach = reach + 100000000 WHERE slot = 'toast';"
                 "ALTER TABLE leftfold_pgfeed SET (source = 'leftfold_pgfeed');")
    check("has been read again" in b.feed(), "no window")
    b.same("toast", "toast_f", "toast_k")
    # Where such a row was, another is now; the feed was interrupted before and behind each of its steps.
    swap = ("UPDATE toast SET id = {i} + 1000 WHERE id = {i}; DELETE FROM toast WHERE id = {j}; UPDATE toast SET id = {j} WHERE id = {i}"
            " + 1000; INSERT INTO toast VALUES ({i}, repeat('new', 2000), {i}); UPDATE toast SET n = -1 WHERE id = {j};")
    state = ("ALTER TABLE leftfold_pgfeed RESET (source); UPDATE leftfold_pgfeed SET lsn = {lsn}, reach = 9000000000000 WHERE slot = 'toast';"
             "ALTER TABLE leftfold_pgfeed SET (source = 'leftfold_pgfeed');")
    lsn = b.target.query("SELECT lsn FROM leftfold_pgfeed WHERE slot = 'toast'").split()[1]
    # It is done but for the position, which PostgreSQL has not been told yet.
    running = b.start()
    running.process.send_signal(signal.SIGSTOP)
    b.psql(swap.format(i=1, j=2))
    running.process.send_signal(signal.SIGCONT)
    b.same_soon("toast")
    running.kill()
    confirmed = b.psql("SELECT confirmed_flush_lsn - '0/0'::pg_lsn FROM pg_replication_slots WHERE slot_name = 'toast'").stdout.split()[1]
    b.target.sql(state.format(lsn=max(int(lsn), int(confirmed))))
    b.psql("UPDATE toast SET n = -2 WHERE id = 2; UPDATE toast SET id = 77 WHERE id = 2;" + swap.format(i=9, j=1))
    b.feed()
    b.same("toast")
    # What was kept for it goes when it is needed no more.
    running = b.start()
    b.psql("UPDATE toast SET n = 0")
    wait_for("values to be forgotten", lambda: b.target.query("SELECT count(*) FROM leftfold_pgfeed_kept").split()[1] == "0")
    running.stop()


@table_case
def keys(b):
    """Keys that change places within a transaction."""
    b.psql("CREATE TABLE keys (a int, b int, v text, PRIMARY KEY (a, b) DEFERRABLE); CREATE TABLE keys_ok (a int, b int, v text,"
           " PRIMARY KEY (a, b)); INSERT INTO keys_ok SELECT i, j, i || '.' || j FROM generate_series(1, 5) i, generate_series(1, 5) j")
    b.publish("FOR TABLE keys_ok")
    running = b.start()
    b.psql("BEGIN; UPDATE keys_ok SET a = -a, b = b + 1; UPDATE keys_ok SET a = 6 + a; COMMIT; BEGIN; UPDATE keys_ok SET a = 100, b = 1"
           " WHERE a = 1 AND b = 2; UPDATE keys_ok SET a = 1, b = 2, v = 'back' WHERE a = 100 AND b = 1; COMMIT;"
           "BEGIN; DELETE FROM keys_ok WHERE a = 2; INSERT INTO keys_ok VALUES (2, 2, 'again'); COMMIT")
    b.same_soon("keys_ok")
    running.stop()


@table_case
def odd(b):
    """Names that must be quoted; domains, enums and generated columns; only columns of the key."""
    b.psql("CREATE DOMAIN small AS int CHECK (VALUE < 100); CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE \"Odd \"\"Name\" (\"Select\""
           " small PRIMARY KEY, \"a b\" mood, g int GENERATED ALWAYS AS (\"Select\" * 2) STORED, \"ü\" numeric(5,2)[]); CREATE TABLE only_key"
           " (a int, b text, PRIMARY KEY (b, a)); INSERT INTO \"Odd \"\"Name\" VALUES (1, 'ok', DEFAULT, '{1.5}'); INSERT INTO only_key"
           " VALUES (1, 'x')")
    b.publish('FOR TABLE "Odd ""Name", only_key')
    running = b.start()
    b.psql("INSERT INTO \"Odd \"\"Name\" VALUES (2, NULL, DEFAULT, NULL); UPDATE \"Odd \"\"Name\" SET \"a b\" = 'sad'; INSERT INTO only_key"
           " VALUES (2, 'y'), (3, 'y'); UPDATE only_key SET a = 7 WHERE a = 2; DELETE FROM only_key WHERE a = 1")
    b.same_soon("only_key")
    compare(b.source, b.target, [(q, q) for q in ['SELECT "Select", "a b", "ü" FROM "Odd ""Name"']])
    running.kill()
    b.psql("UPDATE only_key SET a = a + 1; ALTER TYPE mood ADD VALUE 'glad'; UPDATE \"Odd \"\"Name\" SET \"a b\" = 'glad', \"Select\" = 9 WHERE"
           " \"Select\" = 1")
    check("the same" in b.feed("--check"), "--check")
    b.same("only_key")


@table_case
def truncation(b):
    b.psql("CREATE TABLE trunc_a (id int PRIMARY KEY); CREATE TABLE trunc_b (id int PRIMARY KEY REFERENCES trunc_a);"
           "INSERT INTO trunc_a SELECT generate_series(1, 100); INSERT INTO trunc_b SELECT generate_series(1, 100)")
    b.publish("FOR TABLE trunc_a, trunc_b")
    running = b.start()
    b.psql("BEGIN; INSERT INTO trunc_a VALUES (200); TRUNCATE trunc_a, trunc_b; INSERT INTO trunc_a VALUES (1), (7); COMMIT")
    b.same_soon("trunc_a", "trunc_b")
    running.kill()
    b.psql("INSERT INTO trunc_b VALUES (1); TRUNCATE trunc_b; INSERT INTO trunc_b VALUES (7); TRUNCATE trunc_a CASCADE;"
           "INSERT INTO trunc_a VALUES (9)")
    b.feed()
    b.same("trunc_a", "trunc_b")


@table_case
def columns_added(b):
    b.psql("CREATE TABLE added (id int PRIMARY KEY, v text); INSERT INTO added VALUES (1, 'a'), (2, 'b')")
    b.publish("FOR TABLE added")
    running = b.start()
    b.psql("ALTER TABLE added ADD COLUMN n int; ALTER TABLE added ADD COLUMN d numeric(6,2) NOT NULL DEFAULT 1.5,"
           " ADD COLUMN t text DEFAULT 'it''s'; INSERT INTO added VALUES (3, 'c', 3, 3.25, NULL); UPDATE added SET v = 'x' WHERE id = 1")
    b.same_soon("added")
    # While no feed runs; what was changed before and between is there, too.
    running.stop()
    b.psql("INSERT INTO added VALUES (4, 'd'); ALTER TABLE added ADD COLUMN w timestamp DEFAULT '2024-01-01'; UPDATE added SET n = 7"
           " WHERE id = 2; ALTER TABLE added ADD COLUMN z bytea DEFAULT '\\x0102'; INSERT INTO added (id) VALUES (5)")
    b.feed()
    b.same("added")
    # In one go, and gone again.
    b.psql("ALTER TABLE added ADD COLUMN gone int DEFAULT 3; UPDATE added SET v = 'y' WHERE id = 1; ALTER TABLE added DROP COLUMN gone;"
           "UPDATE added SET v = 'z' WHERE id = 3")
    b.feed()
    b.same("added")
    b.psql("ALTER TABLE added ADD COLUMN r bigserial")
    b.refused('column "r" was added with a default that is not the same for all rows', "--recopy public.added")
    b.feed("--recopy", "public.added", "--until-now")
    b.same("added")


@table_case
def columns_changed(b):
    """Dropped, renamed, of another type."""
    b.psql("CREATE TABLE changed (id int PRIMARY KEY, a int, b int, c text); INSERT INTO changed VALUES (1, 1, 1, 'a'), (2, 2, 2, 'b')")
    b.publish("FOR TABLE changed")
    running = b.start()
    b.psql("ALTER TABLE changed DROP COLUMN a; INSERT INTO changed VALUES (3, 3, 'c')")
    b.same_soon("changed")
    b.target.sql("CREATE MATERIALIZED VIEW changed_b AS SELECT b, count(*) AS n FROM changed GROUP BY b;")
    b.psql("ALTER TABLE changed DROP COLUMN b; INSERT INTO changed VALUES (4, 'd')")
    output = running.wait(1)
    check("2BP01" in output and "changed_b" in output and "Drop the materialized views" in output, "a view uses the column", output)
    b.target.sql("DROP MATERIALIZED VIEW changed_b;")
    b.feed()
    b.same("changed")
    b.psql("ALTER TABLE changed RENAME COLUMN c TO d; UPDATE changed SET d = 'r' WHERE id = 1")
    b.refused('column "c" was renamed to "d"', "--recopy public.changed")
    b.psql("ALTER TABLE changed RENAME COLUMN d TO c")
    b.feed()
    running = b.start()
    b.psql("ALTER TABLE changed ALTER c TYPE varchar(9); UPDATE changed SET c = 'v' WHERE id = 1")
    check('the type of column "c" was changed from text to character varying(9)' in running.wait(1), "another type")
    # A column that was dropped and made again is another one.
    b.psql("ALTER TABLE changed DROP COLUMN c, ADD COLUMN c varchar(9)")
    b.feed("--recopy", "changed", "--until-now")
    b.same("changed")
    b.psql("UPDATE changed SET c = 'set'; ALTER TABLE changed DROP COLUMN c, ADD COLUMN c varchar(9)")
    b.refused('column "c" was dropped and made again', "--recopy")
    running = b.start("--recopy", "changed")
    b.same_soon("changed")
    b.psql("UPDATE changed SET c = 'set'; ALTER TABLE changed DROP COLUMN c, ADD COLUMN c varchar(9); INSERT INTO changed VALUES (9, '9')")
    check('was dropped and made again' in running.wait(1), "under a running feed")


@table_case
def tables_come_and_go(b):
    b.psql("CREATE TABLE come_a (id int PRIMARY KEY); CREATE TABLE come_b (id int PRIMARY KEY, v text);"
           "INSERT INTO come_b SELECT i, 'b' FROM generate_series(1, 1000) i; CREATE TABLE come_c (id int PRIMARY KEY)")
    b.publish("FOR TABLE come_a")
    running = b.start()
    b.psql("INSERT INTO come_a VALUES (1); ALTER PUBLICATION %s ADD TABLE come_b; UPDATE come_b SET v = 'c' WHERE id < 10;"
           "INSERT INTO come_a VALUES (2)" % b.name)
    b.same_soon("come_a", "come_b")
    # Away and back: what was changed between is not told, so it is copied again.
    b.psql("ALTER PUBLICATION %s DROP TABLE come_b; UPDATE come_b SET v = 'd' WHERE id < 20; ALTER PUBLICATION %s ADD TABLE come_b"
           % (b.name, b.name))
    b.same_soon("come_a", "come_b")
    # Another table of the same name.
    b.psql("DROP TABLE come_b; CREATE TABLE come_b (id text PRIMARY KEY); INSERT INTO come_b VALUES ('x'); ALTER PUBLICATION %s ADD TABLE"
           " come_b" % b.name)
    b.same_soon("come_b")
    b.psql("ALTER PUBLICATION %s DROP TABLE come_a" % b.name)
    running.says("public.come_a is not published any more")
    b.psql("INSERT INTO come_a VALUES (3); INSERT INTO come_b VALUES ('y')")
    b.same_soon("come_b")
    running.stop()
    check(b.target.query("SELECT count(*) FROM come_a").split()[1] == "2", "a table that is not published any more")
    check("come_a\": not published any more" in b.feed("--status"), "--status")


@case
def slot_dropped(b):
    b.psql("CREATE TABLE dropped (id int PRIMARY KEY); INSERT INTO dropped VALUES (1)")
    b.publish("FOR TABLE dropped")
    b.feed()
    b.psql("SELECT pg_drop_replication_slot('%s'); INSERT INTO dropped VALUES (2)" % b.name)
    b.refused("was dropped", "--recopy")
    b.feed("--recopy", "--until-now")
    b.same("dropped")
    # The other way round: a Leftfold that knows nothing of it.
    other = Leftfold(projectors=1, data=False)
    try:
        output = feed(b.source, other, *b.flags, code=1)
        check("does not know how far it was fed" in output and "--recopy" in output, "another Leftfold", output)
    finally:
        other.close()


@case
def slot_lost(b):
    b.psql("CREATE TABLE lost (id int PRIMARY KEY, v text); INSERT INTO lost VALUES (1)")
    b.publish("FOR TABLE lost")
    b.feed()
    b.psql("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'; SELECT pg_reload_conf()")
    for _ in range(8):
        b.psql("INSERT INTO lost SELECT max(id) + 1 FROM lost; SELECT pg_switch_wal(); CHECKPOINT")
        if "lost" in b.psql("SELECT wal_status FROM pg_replication_slots WHERE slot_name = '%s'" % b.name).stdout.split():
            break
    b.psql("ALTER SYSTEM RESET max_slot_wal_keep_size; SELECT pg_reload_conf()")
    b.refused("is lost", "--recopy makes it anew")
    b.feed("--recopy", "--until-now")
    b.same("lost")


@case
def leftfold_forgets(b):
    """It is behind what PostgreSQL has been told."""
    b.psql("CREATE TABLE forget (id int PRIMARY KEY); INSERT INTO forget VALUES (1)")
    b.publish("FOR TABLE forget")
    b.feed()
    b.target.sql("ALTER TABLE leftfold_pgfeed RESET (source); UPDATE leftfold_pgfeed SET lsn = 1000, reach = 1000 WHERE slot = '%s';"
                 "ALTER TABLE leftfold_pgfeed SET (source = 'leftfold_pgfeed');" % b.name)
    b.refused("Leftfold has lost what it had acknowledged", "--durability disk")
    b.feed("--recopy", "--until-now")
    b.target.sql("ALTER TABLE forget RESET (source);")
    b.refused("not fed by this slot any more", "SET (source =")
    b.target.sql("DROP TABLE forget;")
    b.refused("is gone", "--recopy")
    b.feed("--recopy", "forget", "--until-now")
    b.same("forget")


@case
def restarts(b):
    """PostgreSQL, Leftfold and the network between go and come back."""
    b.psql("CREATE TABLE restart (id int PRIMARY KEY)")
    b.publish("FOR TABLE restart")
    to_source, to_target = Wire(b.source.port), Wire(b.target.port)
    try:
        running = b.start(info=b.source.info(host="127.0.0.1", port=to_source.port), to="127.0.0.1:%d" % to_target.port)
        n = 0

        def more():
            nonlocal n
            n += 1
            b.psql("INSERT INTO restart VALUES (%d)" % n)
        more()
        b.same_soon("restart")
        for break_it in (to_source.cut, to_target.cut):
            break_it()
            more()
            b.same_soon("restart")
        to_source.cut(down=True)
        more()
        running.says("connecting to PostgreSQL")
        to_source.up()
        b.same_soon("restart")
        to_target.cut(down=True)
        more()
        running.says("connecting to Leftfold")
        to_target.up()
        b.same_soon("restart")
        # It waits for the feed to have everything, and the feed lets it.
        b.source.stop("fast")
        b.source.start()
        more()
        b.same_soon("restart")
        b.target.kill()
        b.target.start()
        more()
        b.same_soon("restart")
        running.stop()
    finally:
        to_source.close()
        to_target.close()


@case
def privileges(b):
    b.psql("CREATE TABLE secret (id int PRIMARY KEY); CREATE ROLE nobody LOGIN; CREATE ROLE reader LOGIN REPLICATION")
    b.publish("FOR TABLE secret")
    b.refused("may not replicate", "ALTER ROLE", info=b.source.info("nobody"))
    b.refused("no privilege to read table public.secret", "GRANT SELECT", info=b.source.info("reader"))
    b.refused('role "stranger" does not exist', None, info=b.source.info("stranger"))
    b.refused('database "nowhere" does not exist', None, info=b.source.info(database="nowhere"))
    b.psql("GRANT SELECT ON secret TO reader")
    b.feed("--until-now", info=b.source.info("reader"))
    # Row security would hide rows.
    b.psql("ALTER TABLE secret ENABLE ROW LEVEL SECURITY; INSERT INTO secret VALUES (1)")
    b.refused("row-level security", None, "--recopy", "secret", info=b.source.info("reader"))


@case
def publications(b):
    b.psql("CREATE TABLE pub_a (id int PRIMARY KEY, v int, w int); CREATE TABLE pub_b (id int PRIMARY KEY)")
    b.refused("publication \"%s\" does not exist" % b.name, "--create-publication")
    b.publish("FOR TABLE pub_a WITH (publish = 'insert, update')")
    b.refused("does not publish all changes", "SET (publish =")
    b.psql("DROP PUBLICATION %s" % b.name)
    # Not with a table that PostgreSQL could not update any more.
    b.psql("CREATE TABLE pub_no (id int); INSERT INTO pub_no VALUES (1)")
    b.refused("table public.pub_no has no primary key", "choose other tables", "--create-publication", "--table", "pub_no")
    b.refused("has no primary key", "choose other tables", "--create-publication")
    b.psql("UPDATE pub_no SET id = 2; DROP TABLE pub_no")
    b.feed("--create-publication", "--table", "public.pub_a", "--table", "pub_b", "--until-now")
    b.refused("is not in publication", "ADD TABLE", "--table", "public.pub_c")
    b.psql("DROP PUBLICATION %s; CREATE PUBLICATION %s" % (b.name, b.name))
    b.refused("has no tables", "ADD TABLE")
    # Some rows, and some columns.
    b.psql("ALTER PUBLICATION %s ADD TABLE pub_a (id, v) WHERE (id < 100); INSERT INTO pub_a VALUES (1, 1, 1), (100, 1, 1)" % b.name)
    running = b.start()
    b.psql("INSERT INTO pub_a VALUES (2, 2, 2), (200, 2, 2); UPDATE pub_a SET id = id + 99 WHERE id = 2; UPDATE pub_a SET id = 50 WHERE"
           " id = 200; UPDATE pub_a SET v = v + 1")
    wait_for("the rows", lambda: b.target.query("SELECT * FROM pub_a ORDER BY id").split() == ["id,v", "1,2", "50,3"])
    running.stop()


@table_case
def partitions(b):
    b.psql("CREATE TABLE parted (id int, at date, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);"
           "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');"
           "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');"
           "INSERT INTO parted SELECT i, date '2024-06-01' + i, 'v' FROM generate_series(1, 400) i")
    b.publish("FOR TABLE parted WITH (publish_via_partition_root = true)")
    leaves = Bed(b.source, b.target, b.name + "_leaves")
    leaves.publish("FOR TABLE parted")
    running, other = b.start(), leaves.start()
    b.psql("UPDATE parted SET v = 'w' WHERE id % 3 = 0; UPDATE parted SET at = at + 200 WHERE id < 50; DELETE FROM parted WHERE id > 300;"
           "INSERT INTO parted VALUES (1000, '2025-05-05', 'x')")
    b.same_soon("parted")
    leaves.same_soon("parted_1", "parted_2")
    running.stop()
    other.stop()


@case
def two_feeds(b):
    b.psql("CREATE TABLE two (id int PRIMARY KEY)")
    b.publish("FOR TABLE two")
    running = b.start()
    output = b.feed("--retry", "1", code=5)
    check("is in use by another feed" in output, "the second", output)
    check("is in use" in b.feed("--release", "--retry", "1", code=5), "--release meanwhile")
    b.psql("INSERT INTO two VALUES (1)")
    b.same_soon("two")
    # One that was taken over without PostgreSQL's knowing.
    b.target.sql("ALTER TABLE leftfold_pgfeed RESET (source); UPDATE leftfold_pgfeed SET owner = 1 WHERE slot = '%s';"
                 "ALTER TABLE leftfold_pgfeed SET (source = 'leftfold_pgfeed');" % b.name)
    b.psql("INSERT INTO two VALUES (2)")
    check("another feed has taken the slot" in running.wait(1), "one that was taken over")


@table_case
def taken_names(b):
    """Leftfold has tables of these names already; two tables would have one name."""
    b.psql("CREATE TABLE taken (id int PRIMARY KEY, v text); INSERT INTO taken VALUES (1, 'a'); CREATE SCHEMA other;"
           "CREATE TABLE other.taken (id int PRIMARY KEY); INSERT INTO other.taken VALUES (5)")
    b.publish("FOR TABLE taken, other.taken")
    b.target.sql("CREATE TABLE taken (id int PRIMARY KEY, own text); INSERT INTO taken VALUES (77, 'mine');")
    b.refused("would both be \"taken\"", "--table")
    b.refused("Leftfold has a table \"taken\" already", "--table public.taken=NAME", "--table", "public.taken")
    b.target.sql("CREATE MATERIALIZED VIEW taken_view AS SELECT * FROM taken;")
    b.refused("Leftfold has a view", "--table", "--table", "public.taken=taken_view")
    flags = ["--table", "public.taken=taken_a", "--table", "other.taken=taken_b"]
    b.feed(*flags, "--until-now")
    compare(b.source, b.target, [("TABLE taken", "SELECT * FROM taken_a"), ("TABLE other.taken", "SELECT * FROM taken_b")])
    check(b.target.query("SELECT own FROM taken").split()[1] == "mine", "what was there")
    b.refused('it is "taken_a" in Leftfold, and was to be "taken_x"', "--recopy", "--table", "public.taken=taken_x")
    # Fed by another slot.
    third = Bed(b.source, b.target, b.name + "_3")
    third.publish("FOR TABLE taken")
    third.refused("fed by taken_names", "--table", "--table", "taken=taken_a")
    # Read-only for all others.
    for sql in ("INSERT INTO taken_a VALUES (9, '')", "DROP TABLE taken_a", "UPDATE leftfold_pgfeed SET lsn = 0"):
        check("25006" in b.target.sql(sql + ";", check=False).stderr, sql)


@table_case
def large_transactions(b):
    """They come in parts while they are under way, some of which are taken back."""
    b.psql("CREATE TABLE large (id int PRIMARY KEY, v text); INSERT INTO large VALUES (0, 'x')")
    b.publish("FOR TABLE large")
    running = b.start("--spool-memory", "0")
    b.psql("BEGIN; INSERT INTO large SELECT i, md5(i::text) FROM generate_series(1, 3000) i; SAVEPOINT a; INSERT INTO large SELECT i, 'a'"
           " FROM generate_series(3001, 6000) i; SAVEPOINT b; UPDATE large SET v = 'b' WHERE id < 1500; ROLLBACK TO b; DELETE FROM large"
           " WHERE id % 7 = 0; ROLLBACK TO a; INSERT INTO large SELECT i, 'c' FROM generate_series(5000, 7000) i; SAVEPOINT c;"
           "ALTER TABLE large ADD COLUMN gone int; INSERT INTO large SELECT i, 'd', 1 FROM generate_series(8000, 9000) i; ROLLBACK TO c;"
           "INSERT INTO large SELECT i, 'e' FROM generate_series(8000, 10000) i; COMMIT;"
           "BEGIN; DELETE FROM large; ROLLBACK; UPDATE large SET v = v || '!' WHERE id > 9000")
    b.same_soon("large")
    streamed = b.psql("SELECT stream_txns > 0 FROM pg_stat_replication_slots WHERE slot_name = '%s'" % b.name).stdout.split()[1]
    # Columns that came within it.
    b.psql("BEGIN; INSERT INTO large SELECT i, 'f' FROM generate_series(20000, 22000) i; ALTER TABLE large ADD COLUMN w int DEFAULT 4;"
           "INSERT INTO large SELECT i, 'g', i FROM generate_series(22001, 24000) i; COMMIT")
    b.same_soon("large")
    check(streamed == "t", "nothing came in parts")
    running.kill()
    b.psql("BEGIN; UPDATE large SET w = id; UPDATE large SET v = 'last' WHERE id % 2 = 0; DELETE FROM large WHERE id % 5 = 0; COMMIT")
    b.feed("--spool-memory", "0", "--until-now")
    b.same("large")
    # No room for what is put aside.
    running = b.start("--spool-memory", "0", "--spool", "/nonexistent")
    b.psql("BEGIN; UPDATE large SET w = 0; UPDATE large SET w = 1; COMMIT")
    running.says("putting a large transaction aside: No such file or directory").says("--spool DIR").stop()
    b.feed()
    b.same("large")


@table_case
def values(b):
    """That do not fit."""
    b.psql("CREATE TABLE vals (id int PRIMARY KEY, n numeric, m numeric(60,2), f float8); INSERT INTO vals VALUES (1, 'NaN', 1, 'NaN'),"
           " (2, 1e37, 2, -0.0), (3, 0.00, 1e30, 1e-300)")
    b.publish("FOR TABLE vals")
    running = b.start()
    b.psql("INSERT INTO vals VALUES (4, 1e60, 1, 1)")
    output = running.wait(1)
    check('a value of column "n" (numeric) does not fit numeric: 22003' in output and "--column public.vals.n=text" in output, "n", output)
    b.refused('a value of column "n" (numeric) does not fit numeric', "--column public.vals.n=text", "--recopy", "vals")
    flags = ["--column", "public.vals.n=text", "--column", "vals.f=-"]
    b.feed(*flags, "--recopy", "vals", "--until-now")
    b.psql("INSERT INTO vals VALUES (5, 'Infinity', 5, 5); UPDATE vals SET f = 7; UPDATE vals SET m = 8 WHERE id = 1")
    b.feed(*flags, "--until-now")
    compare(b.source, b.target, [("SELECT id, n::text, m FROM vals", "SELECT * FROM vals")])
    b.refused("there is no column vals.q", None, "--column", "vals.q=text")
    output = b.feed("--column", "vals.id=-", "--until-now", code=1)
    check("its key are not published, or left out" in output, "the key", output)
    output = b.feed("--column", "vals.m=nonsense", "--recopy", "vals", code=1)
    check("42704" in output, "a type that Leftfold has not", output)


@case
def checking(b):
    """--check, --status, --metrics and --release."""
    b.psql("CREATE TABLE checked (id int PRIMARY KEY, v text); INSERT INTO checked SELECT i, E'a\\t\\\\\\n' || i FROM generate_series(1, 500)"
           " i; INSERT INTO checked VALUES (1000, NULL)")
    b.publish("FOR TABLE checked")
    check("is not fed by slot" in b.feed("--status", code=1), "--status of nothing")
    metrics = os.path.join(b.target.dir, "metrics")
    running = b.start("--metrics", metrics, "--report", "1")
    b.psql("INSERT INTO checked VALUES (2000, 'x')")
    b.same_soon("checked")
    running.says("bytes and")

    def metric(name):
        with open(metrics) as f:
            return re.search(r"^leftfold_pgfeed_%s{slot=\"%s\"} (\S+)$" % (name, b.name), f.read(), re.M).group(1)
    wait_for("the metrics", lambda: os.path.exists(metrics) and metric("rows_total") == "1")
    check((metric("up"), metric("copied_rows_total"), metric("transactions_total")) == ("1", "501", "1"), "metrics")
    output = b.feed("--status")
    check("slot is in use" in output and re.search(r"lag +\d+ bytes", output) and 'public.checked as "checked": fed' in output,
          "--status", output)
    running.stop()
    check("the same" in b.feed("--check"), "--check")
    b.psql("INSERT INTO checked VALUES (3000, 'y')")
    b.target.sql("ALTER TABLE checked RESET (source); UPDATE checked SET v = 'other' WHERE id = 7; ALTER TABLE checked SET (source ="
                 " '%s');" % b.name)
    output = b.feed("--check", code=4)
    check("502 rows" not in output and "503 rows" in output and "DIFFERENT" in output, "--check of what differs", output)
    b.target.sql("ALTER TABLE checked RESET (source); DELETE FROM checked WHERE id = 8; ALTER TABLE checked SET (source = '%s');" % b.name)
    # A row that is to be updated, partly, is not there.
    check("DIFFERENT" in b.feed("--check", code=4), "--check of what is gone")
    b.feed("--recopy", "checked", "--until-now")
    check("the same" in b.feed("--check"), "--check")
    b.feed("--release")
    b.target.sql("INSERT INTO checked VALUES (4000, 'mine');")
    check(b.psql("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '%s'" % b.name).stdout.split()[1] == "0", "the slot")
    check("is not fed by slot" in b.feed("--status", code=1), "--status afterwards")
    b.refused("Leftfold has a table \"checked\" already", "--table")


@case
def signals(b):
    b.psql("CREATE TABLE sig (id int PRIMARY KEY); INSERT INTO sig SELECT generate_series(1, 1000)")
    b.publish("FOR TABLE sig")
    # While the slot waits for a transaction.
    holder = subprocess.Popen(["psql", "-X", "-q", "-h", b.source.dir, "-p", str(b.source.port), "-U", "postgres", "postgres"],
                              stdin=subprocess.PIPE, text=True)
    holder.stdin.write("BEGIN; INSERT INTO sig VALUES (5000);\n")
    holder.stdin.flush()
    wait_for("the transaction", lambda: "t" in b.psql(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'idle in transaction')").stdout.split())
    waiting = Feed(b.source, b.target, *b.flags)
    wait_for("the slot", lambda: "t" in b.psql(
        "SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '%s')" % b.name).stdout.split())
    waiting.stop(0)
    holder.communicate("COMMIT;\n")
    b.feed()
    b.same("sig")
    running = b.start()
    running.process.send_signal(signal.SIGINT)
    running.wait(0)
    # A second one ends it where it stands.
    running = b.start()
    os.kill(running.process.pid, signal.SIGSTOP)
    running.process.send_signal(signal.SIGTERM)
    running.process.send_signal(signal.SIGINT)
    os.kill(running.process.pid, signal.SIGCONT)
    running.wait(3)
    b.feed()


@case
def interrupted_copies(b):
    """Feed, Leftfold and PostgreSQL end while rows are copied; what was copied is copied again."""
    b.psql("CREATE TABLE many (id int PRIMARY KEY, v text); INSERT INTO many SELECT i, repeat('v', 200) FROM generate_series(1, 20000) i;"
           "CREATE TABLE few (id int PRIMARY KEY); INSERT INTO few VALUES (1)")
    b.publish("FOR TABLE many, few")
    running = Feed(b.source, b.target, *b.flags, "--jobs", "2")
    running.says("public.many is copied")
    running.kill()
    b.psql("UPDATE many SET v = 'changed' WHERE id % 2 = 0; DELETE FROM many WHERE id < 100")
    running = Feed(b.source, b.target, *b.flags, "--jobs", "3")
    running.says("public.many is copied")
    b.target.kill()
    b.target.start()
    b.psql("INSERT INTO many VALUES (-1, 'new'); INSERT INTO few VALUES (2)")
    b.same_soon("many", "few")
    b.psql("UPDATE few SET id = 3 WHERE id = 2")
    running.stop()
    running = Feed(b.source, b.target, *b.flags, "--recopy", "many")
    running.says("public.many is copied")
    b.source.kill()
    b.source.start()
    b.psql("DELETE FROM many WHERE id < 0")
    b.same_soon("many", "few")
    running.stop()


@case
def flags(b):
    for args in ([], ["--from", "x"], ["--from", "x", "--to", "y", "--slot", "A-b"], ["--nonsense"], ["--from", "x", "--to", "y", "z"],
                 ["--from", "x", "--to", "y", "--jobs", "0"], ["--from", "x", "--to", "y", "--column", "a"],
                 ["--from", "x", "--to", "y", "--table", "=a"]):
        done = subprocess.run([FEED] + args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        check(done.returncode == 2 and done.stderr != "", "%s: exit %d" % (args, done.returncode), done.stderr)
    check("--create-publication" in subprocess.run([FEED, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout, "--help")
    b.refused("connection string", None, info="nonsense")
    output = b.feed("--retry", "1", "--until-now", code=1, to="127.0.0.1:1")
    check("connecting to Leftfold" in output or "does not exist" in output, "no Leftfold", output)


@case
def measured(_):
    """bench/pgfeed works, and compares what was fed."""
    output = run([os.path.join(ROOT, "bench", "pgfeed"), "--build", BUILD, "--smoke"]).stdout
    check(re.search(r"copy: 20012 rows, \d+ rows/s\nstreaming: \d+ transactions/s", output), "bench/pgfeed", output)


@case
def example(_):
    """tools/examples/postgres_feed, whose view adds up at any time."""
    output = run([os.path.join(ROOT, "tools", "examples", "postgres_feed"), BUILD, "1"]).stdout
    sums = re.findall(r"^1,(-?\d+),(-?\d+),(-?\d*),\d*$", output, re.M)
    check(sums and all(len({s or "0" for s in row}) == 1 for row in sums), "sums that differ", output)
    check(output.count("the same\n") == 4, "the rows at the end", output)


def no_wal(source, target):
    """wal_level is not logical."""
    b = Bed(source, target, "level")
    b.psql("CREATE TABLE level (id int PRIMARY KEY)")
    b.publish("FOR TABLE level")
    b.refused("wal_level is not logical", "ALTER SYSTEM SET wal_level")


def main(cases=None):
    names = sys.argv[1:]
    source, target = Source(wal_level="replica" if cases is None else "logical"), Leftfold()
    try:
        if cases is None:
            no_wal(source, target)
            source.stop()
            source.settings["wal_level"] = "logical"
            source.start()
        for f in CASES + TABLES if names else cases or CASES:
            if names and f.__name__ not in names:
                continue
            begun = time.monotonic()
            f(Bed(source, target, f.__name__))
            print("ok   %s (%.1f s)" % (f.__name__, time.monotonic() - begun), flush=True)
    finally:
        source.close()
        target.close()


if __name__ == "__main__":
    main()
