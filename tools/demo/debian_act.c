/*
 * debian_act.c: the second act: this machine's package database. A package and its first dependencies are one
 * command, further ones follow in commands of the same aggregate.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/demo/acts.h"
#include "tools/demo/debian.h"
#include "tools/demo/lanes.h"
#include "tools/demo/print.h"

enum { NEEDS_MAX = 16, NEED_COLUMNS = 5, PACKAGE_COLUMNS = 9, SQL_MAX = 2048, US = 1000 };

struct statements {
	unsigned package[NEEDS_MAX + 1], more[NEEDS_MAX + 1], installed;
};

/* INSERT of n dependencies whose parameters begin behind $before; $1 is the package. */
static size_t needs_text(char *out, unsigned n, unsigned before)
{
	size_t len = (size_t)snprintf(out, SQL_MAX, "INSERT INTO dependency VALUES ");

	for (unsigned i = 0; i < n; i++) {
		unsigned at = before + NEED_COLUMNS * i;

		len += (size_t)snprintf(out + len, SQL_MAX - len, "%s($1, $%u, $%u, $%u, $%u, $%u)",
			i > 0 ? ", " : "", at + 1, at + 2, at + 3, at + 4, at + 5);
	}
	return len;
}

static void prepare(struct lanes *lanes, struct statements *s)
{
	char text[2 * SQL_MAX];

	for (unsigned n = 0; n <= NEEDS_MAX; n++) {
		size_t len = (size_t)snprintf(text, SQL_MAX,
			"INSERT INTO package VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");

		if (n > 0) {
			len += (size_t)snprintf(text + len, SQL_MAX - len, "; ");
			(void)needs_text(text + len, n, PACKAGE_COLUMNS);
		}
		s->package[n] = lanes_prepare(lanes, text);
		if (n > 0) {
			(void)needs_text(text, n, 1);
			s->more[n] = lanes_prepare(lanes, text);
		}
	}
	s->installed = lanes_prepare(lanes, "INSERT INTO installed VALUES ($1, $2)");
}

/* --- commands --- */

static void set_span(struct lf_params *p, unsigned param, struct span s)
{
	if (s.text == NULL)
		lf_params_set_null(p, param);
	else
		lf_params_set_text(p, param, s.text, s.n);
}

static void set_number(struct lf_params *p, unsigned param, struct span s)
{
	if (s.text == NULL)
		lf_params_set_null(p, param);
	else
		lf_params_parse(p, param, s.text, s.n);
}

static void set_package(struct lf_params *p, const struct debian_package *d)
{
	const struct span text[] = { d->name, d->version, d->architecture, d->section, d->priority,
		d->maintainer, d->source };

	for (unsigned i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		set_span(p, i, text[i]);
	set_number(p, 7, d->installed_kib);
	set_number(p, 8, d->download);
}

static void set_need(struct lf_params *p, unsigned before, const struct debian_need *n)
{
	lf_params_set_text(p, before, n->kind, SIZE_MAX);
	lf_params_set_int(p, before + 1, n->position);
	lf_params_set_int(p, before + 2, n->alternative);
	set_span(p, before + 3, n->target);
	set_span(p, before + 4, n->bound);
}

/* FNV-1a (Fowler, Noll, Vo): which lane a name goes through. */
static int64_t key_of(struct span s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.text[i]) * UINT64_C(0x100000001b3);
	return (int64_t)(h >> 32);
}

static void send_package(
	struct lanes *lanes, const struct statements *s, const struct debian_package *d)
{
	struct debian_need need[NEEDS_MAX];
	struct debian_needs at = { 0 };
	bool first = true, more = true;

	while (more || first) {
		unsigned n = 0, statement, before = first ? PACKAGE_COLUMNS : 1;
		struct lf_params *p;

		while (n < NEEDS_MAX && (more = debian_next(d, &at, &need[n])))
			n++;
		if (n == 0 && !first)
			break;
		statement = first ? s->package[n] : s->more[n];
		p = lanes_params(lanes, statement);
		if (first)
			set_package(p, d);
		else
			set_span(p, 0, d->name);
		for (unsigned i = 0; i < n; i++)
			set_need(p, before + NEED_COLUMNS * i, &need[i]);
		lanes_send(lanes, key_of(d->name), statement);
		first = false;
	}
}

static void load(struct demo *d, const struct debian *deb)
{
	struct lanes *lanes = lanes_open(d->address);
	struct progress p;
	struct statements s;

	prepare(lanes, &s);
	p = progress_begin("commands", deb->packages + deb->ninstalled);
	for (size_t i = 0; i < deb->packages; i++) {
		send_package(lanes, &s, &deb->package[i]);
		progress_step(&p, lanes_tally(lanes).answered);
	}
	for (size_t i = 0; i < deb->ninstalled; i++) {
		struct lf_params *params = lanes_params(lanes, s.installed);

		set_span(params, 0, deb->installed[i].name);
		set_span(params, 1, deb->installed[i].version);
		lanes_send(lanes, key_of(deb->installed[i].name), s.installed);
	}
	lanes_wait(lanes);
	d->commands += lanes_tally(lanes).answered;
	d->seconds += progress_end(&p, lanes_tally(lanes).answered);
	d->epoch = lanes_epoch(lanes);
	lanes_close(lanes);
}

/* --- SQLite --- */

static void bind(sqlite3_stmt *s, int at, struct span text)
{
	(void)sqlite3_bind_text(s, at, text.text, (int)text.n, SQLITE_STATIC);
}

static void step(sqlite3_stmt *s)
{
	if (oracle_step(s) != SQLITE_DONE)
		die("SQLite refuses what Leftfold took: %s", sqlite3_sql(s));
}

static void replay_package(
	sqlite3_stmt *package, sqlite3_stmt *dependency, const struct debian_package *d)
{
	const struct span text[PACKAGE_COLUMNS] = { d->name, d->version, d->architecture,
		d->section, d->priority, d->maintainer, d->source, d->installed_kib, d->download };
	struct debian_needs at = { 0 };
	struct debian_need need;

	for (int i = 0; i < PACKAGE_COLUMNS; i++)
		bind(package, i + 1, text[i]);
	step(package);
	while (debian_next(d, &at, &need)) {
		bind(dependency, 1, d->name);
		(void)sqlite3_bind_text(dependency, 2, need.kind, -1, SQLITE_STATIC);
		(void)sqlite3_bind_int64(dependency, 3, need.position);
		(void)sqlite3_bind_int64(dependency, 4, need.alternative);
		bind(dependency, 5, need.target);
		bind(dependency, 6, need.bound);
		step(dependency);
	}
}

static void replay(sqlite3 *db, const struct debian *deb)
{
	sqlite3_stmt *package = oracle_prepare(db,
		"INSERT INTO package VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
		" CAST(?8 AS INTEGER), CAST(?9 AS INTEGER))");
	sqlite3_stmt *dependency = oracle_prepare(
		db, "INSERT INTO dependency VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
	sqlite3_stmt *installed = oracle_prepare(db, "INSERT INTO installed VALUES (?1, ?2)");
	struct progress p = progress_begin("SQLite does the same", deb->packages + deb->ninstalled);

	oracle_run(db, "BEGIN");
	for (size_t i = 0; i < deb->packages; i++) {
		replay_package(package, dependency, &deb->package[i]);
		progress_step(&p, i);
	}
	for (size_t i = 0; i < deb->ninstalled; i++) {
		bind(installed, 1, deb->installed[i].name);
		bind(installed, 2, deb->installed[i].version);
		step(installed);
	}
	oracle_run(db, "COMMIT");
	progress_end(&p, deb->packages + deb->ninstalled);
	(void)sqlite3_finalize(package);
	(void)sqlite3_finalize(dependency);
	(void)sqlite3_finalize(installed);
}

/* --- the act --- */

static void show_views(struct demo *d)
{
	show_query(d, "sections: the largest",
		"SELECT * FROM sections ORDER BY installed_kib DESC LIMIT 6");
	show_query(d, "maintainers: the busiest",
		"SELECT * FROM maintainers ORDER BY packages DESC, maintainer LIMIT 6");
	show_query(d, "most_needed",
		"SELECT * FROM most_needed ORDER BY mentions DESC, target LIMIT 6");
	show_query(d, "section_pairs",
		"SELECT * FROM section_pairs ORDER BY dependencies DESC LIMIT 6");
	show_query(d, "direct_needs: what pulls in most",
		"SELECT * FROM direct_needs WHERE needs_kib IS NOT NULL"
		" ORDER BY needs_kib DESC, package LIMIT 6");
	show_query(d, "sources: of which most is made",
		"SELECT * FROM sources ORDER BY packages DESC, source LIMIT 6");
	show_query(d, "all_packages", "SELECT * FROM all_packages");
}

/* Rewrite one row that a good part of all dependencies meets, then put it back. */
static void move_section(struct demo *d, const char *name, const char *from, const char *to)
{
	const struct lf_client_call visible = { LF_ACK_VISIBLE, 0, 0 };
	struct lf_result *r = lf_result_new();
	struct lf_client_error e;
	char sql[SQL_MAX], text[2][SQL_MAX];
	const char *queries[2] = { text[0], text[1] };
	uint64_t start;
	struct watch w;

	for (unsigned i = 0; i < 2; i++)
		(void)snprintf(text[i], SQL_MAX,
			"SELECT needs, sum(dependencies) AS dependencies, count(*) AS sections"
			" FROM section_pairs WHERE needs = '%s' GROUP BY needs",
			i == 0 ? from : to);
	(void)snprintf(
		sql, sizeof(sql), "UPDATE package SET section = '%s' WHERE name = '%s'", to, name);
	print_subheading("%s moves from section %s to %s", name, from, to);
	watch_begin(&w, d, queries, 2);
	start = now_ns();
	if (r == NULL || lf_client_query(d->read, sql, SIZE_MAX, &visible, r, &e) != 0)
		die("%s: %s", e.sqlstate, e.message);
	print_text("=> visible to everyone at epoch %llu after %s us",
		(unsigned long long)lf_result_epoch(r), number((int64_t)((now_ns() - start) / US)));
	watch_end(&w);
	d->epoch = lf_result_epoch(r);
	lf_result_free(r);
	d->commands++;
}

static void move_the_most_needed(struct demo *d)
{
	struct lf_result *r = read_rows(
		d, "SELECT target FROM most_needed ORDER BY mentions DESC, target LIMIT 1");
	char name[256], section[256], sql[SQL_MAX];

	(void)lf_result_text(r, 0, 0, name, sizeof(name));
	lf_result_free(r);
	(void)snprintf(sql, sizeof(sql), "SELECT section FROM package WHERE name = '%s'", name);
	r = read_rows(d, sql);
	(void)lf_result_text(r, 0, 0, section, sizeof(section));
	if (lf_result_nrows(r) == 0) {
		print_text("%s is needed most and is no package itself.", name);
	} else {
		print_text("One row that many dependencies refer to is changed, and changed back:");
		move_section(d, name, section, "games");
		move_section(d, name, "games", section);
	}
	lf_result_free(r);
}

void act_debian(struct demo *d)
{
	struct debian deb;
	sqlite3 *db;

	print_heading("Act 2: the packages of this machine");
	debian_read(&deb, d->small);
	putchar('\n');
	relations_create(d->read, DEBIAN_TABLES);
	d->views += relations_create(d->read, DEBIAN_VIEWS);
	for (const struct relation *v = DEBIAN_VIEWS; v->name != NULL; v++)
		printf("  %-20s  %s\n", v->name, v->remark);
	putchar('\n');
	load(d, &deb);
	print_text("Each command is a package with its dependencies.");
	show_views(d);
	print_heading("Act 2, closer: one command, tens of thousands of joined rows");
	move_the_most_needed(d);
	print_subheading("The same in SQLite");
	db = oracle_open(DEBIAN_TABLES);
	replay(db, &deb);
	act_compare(d, db, DEBIAN_TABLES, DEBIAN_VIEWS);
	oracle_close(db);
	debian_free(&deb);
}
