/*
 * debian_schema.c: tables and views of the package database, for the server and for SQLite.
 */
#include "tools/demo/debian.h"

const struct relation DEBIAN_TABLES[] = {
	{ "package", "",
		"CREATE TABLE package (name text PRIMARY KEY, version text NOT NULL,"
		" architecture text NOT NULL, section text NOT NULL, priority text NOT NULL,"
		" maintainer text NOT NULL, source text NOT NULL, installed_kib bigint, download bigint)",
		NULL,
		"CREATE TABLE package (name TEXT PRIMARY KEY, version TEXT NOT NULL,"
		" architecture TEXT NOT NULL, section TEXT NOT NULL, priority TEXT NOT NULL,"
		" maintainer TEXT NOT NULL, source TEXT NOT NULL, installed_kib INTEGER,"
		" download INTEGER) WITHOUT ROWID",
		"tttttttii" },
	{ "dependency", "",
		"CREATE TABLE dependency (package text REFERENCES package, kind text, position int,"
		" alternative int, target text NOT NULL, bound text,"
		" PRIMARY KEY (package, kind, position, alternative))",
		NULL,
		"CREATE TABLE dependency (package TEXT, kind TEXT, position INTEGER, alternative INTEGER,"
		" target TEXT NOT NULL, bound TEXT,"
		" PRIMARY KEY (package, kind, position, alternative)) WITHOUT ROWID",
		"ttiitt" },
	{ "installed", "", "CREATE TABLE installed (name text PRIMARY KEY, version text NOT NULL)",
		NULL,
		"CREATE TABLE installed (name TEXT PRIMARY KEY, version TEXT NOT NULL) WITHOUT ROWID",
		"tt" },
	{ 0 },
};

#define FIRM "kind IN ('depends', 'pre-depends')"

const struct relation DEBIAN_VIEWS[] = {
	{ "sections", "packages and size of each section",
		"CREATE MATERIALIZED VIEW sections AS SELECT section, count(*) AS packages,"
		" sum(installed_kib) AS installed_kib, max(installed_kib) AS largest_kib,"
		" sum(download) AS download FROM package GROUP BY section",
		"CREATE UNIQUE INDEX ON sections (section)",
		"SELECT section, count(*), sum(installed_kib), max(installed_kib), sum(download)"
		" FROM package GROUP BY section",
		"tiiii" },
	{ "maintainers", "who looks after at least five packages",
		"CREATE MATERIALIZED VIEW maintainers AS SELECT maintainer, count(*) AS packages,"
		" sum(installed_kib) AS installed_kib FROM package GROUP BY maintainer"
		" HAVING count(*) >= 5",
		"CREATE UNIQUE INDEX ON maintainers (maintainer)",
		"SELECT maintainer, count(*), sum(installed_kib) FROM package GROUP BY maintainer"
		" HAVING count(*) >= 5",
		"tii" },
	{ "sources", "binary packages of each source",
		"CREATE MATERIALIZED VIEW sources AS SELECT source, count(*) AS packages,"
		" sum(download) AS download FROM package GROUP BY source",
		"CREATE UNIQUE INDEX ON sources (source)",
		"SELECT source, count(*), sum(download) FROM package GROUP BY source", "tii" },
	{ "priorities", "packages by architecture and priority",
		"CREATE MATERIALIZED VIEW priorities AS SELECT architecture, priority,"
		" count(*) AS packages FROM package GROUP BY architecture, priority",
		"CREATE UNIQUE INDEX ON priorities (architecture, priority)",
		"SELECT architecture, priority, count(*) FROM package GROUP BY 1, 2", "tti" },
	{ "most_needed", "what is depended upon, firmly or at all",
		"CREATE MATERIALIZED VIEW most_needed AS SELECT target, count(*) AS mentions,"
		" count(*) FILTER (WHERE " FIRM ") AS firm FROM dependency GROUP BY target",
		"CREATE UNIQUE INDEX ON most_needed (target)",
		"SELECT target, count(*), count(*) FILTER (WHERE " FIRM ") FROM dependency"
		" GROUP BY target",
		"tii" },
	{ "section_pairs", "dependencies from section to section: a join across the shards",
		"CREATE MATERIALIZED VIEW section_pairs AS SELECT p.section, q.section AS needs,"
		" count(*) AS dependencies FROM dependency d JOIN package p ON p.name = d.package"
		" JOIN package q ON q.name = d.target GROUP BY p.section, q.section",
		"CREATE UNIQUE INDEX ON section_pairs (section, needs)",
		"SELECT p.section, q.section, count(*) FROM dependency d JOIN package p"
		" ON p.name = d.package JOIN package q ON q.name = d.target GROUP BY 1, 2",
		"tti" },
	{ "direct_needs", "what each package pulls in directly, and how large that is",
		"CREATE MATERIALIZED VIEW direct_needs AS SELECT d.package, count(*) AS needs,"
		" sum(q.installed_kib) AS needs_kib FROM dependency d JOIN package q ON q.name = d.target"
		" WHERE d." FIRM " AND d.alternative = 1 GROUP BY d.package",
		"CREATE UNIQUE INDEX ON direct_needs (package)",
		"SELECT d.package, count(*), sum(q.installed_kib) FROM dependency d JOIN package q"
		" ON q.name = d.target WHERE d." FIRM " AND d.alternative = 1 GROUP BY d.package",
		"tii" },
	{ "installed_sections", "what of it is on this machine",
		"CREATE MATERIALIZED VIEW installed_sections AS SELECT p.section, count(*) AS packages,"
		" sum(p.installed_kib) AS installed_kib FROM installed i JOIN package p ON p.name = i.name"
		" GROUP BY p.section",
		"CREATE UNIQUE INDEX ON installed_sections (section)",
		"SELECT p.section, count(*), sum(p.installed_kib) FROM installed i JOIN package p"
		" ON p.name = i.name GROUP BY p.section",
		"tii" },
	{ "other_versions", "installed in another version than the lists have",
		"CREATE MATERIALIZED VIEW other_versions AS SELECT i.name, i.version AS installed,"
		" p.version AS listed FROM installed i JOIN package p ON p.name = i.name"
		" WHERE i.version <> p.version",
		"CREATE UNIQUE INDEX ON other_versions (name)",
		"SELECT i.name, i.version, p.version FROM installed i JOIN package p ON p.name = i.name"
		" WHERE i.version <> p.version",
		"ttt" },
	{ "all_packages", "one row over all",
		"CREATE MATERIALIZED VIEW all_packages AS SELECT count(*) AS packages,"
		" sum(installed_kib) AS installed_kib, sum(download) AS download FROM package",
		NULL, "SELECT count(*), sum(installed_kib), sum(download) FROM package", "iii" },
	{ 0 },
};
