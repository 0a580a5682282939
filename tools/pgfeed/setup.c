/*
 * setup.c: making both sides fit before anything is fed.
 *
 * What has been done is kept in Leftfold before it is relied on: the slot's row before the slot is made, a table's row
 * (copying) before the table is, a table's columns behind every change of them. So whatever is interrupted is found half
 * done, and done again.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/pgfeed/session.h"

enum { VERSION_LEAST = 150000 };

/* --- what PostgreSQL must be like --- */

static int check_server(struct session *s)
{
	PGresult *r;
	bool logical, may;

	if (PQserverVersion(s->pg) < VERSION_LEAST)
		return fail(&s->f, FAILURE_FATAL, "PostgreSQL is older than 15");
	r = pg_run(s->pg, "looking at the settings",
		"SELECT current_setting('wal_level') = 'logical', rolsuper OR rolreplication,"
		" pg_is_in_recovery() FROM pg_roles WHERE rolname = current_user",
		0, NULL, &s->f);
	if (r == NULL)
		return -1;
	logical = pg_bool(r, 0, 0);
	may = pg_bool(r, 0, 1);
	if (pg_bool(r, 0, 2))
		fail(&s->f, FAILURE_FATAL, "this PostgreSQL is a standby: connect to the primary");
	PQclear(r);
	if (s->f.kind != FAILURE_NONE)
		return -1;
	if (!logical) {
		fail(&s->f, FAILURE_FATAL, "PostgreSQL's wal_level is not logical");
		return fail_remedy(
			&s->f, "ALTER SYSTEM SET wal_level = 'logical', and restart PostgreSQL");
	}
	if (!may) {
		fail(&s->f, FAILURE_FATAL, "the user that the feed connects as may not replicate");
		return fail_remedy(&s->f, "ALTER ROLE … REPLICATION");
	}
	return 0;
}

static char *publication_text(const struct options *o)
{
	struct text t = { 0 };

	text_put(&t, "CREATE PUBLICATION ");
	text_name(&t, o->publication);
	text_put(&t, o->ntables == 0 ? " FOR ALL TABLES" : " FOR TABLE ");
	for (unsigned i = 0; i < o->ntables; i++) {
		const char *source = o->tables[i].source, *dot = strchr(source, '.');
		char *schema = dot == NULL ? NULL : strndup(source, (size_t)(dot - source));

		text_put(&t, i > 0 ? ", " : "");
		text_name(&t, schema == NULL ? "public" : schema);
		text_put(&t, ".");
		text_name(&t, dot == NULL ? source : dot + 1);
		free(schema);
	}
	text_put(&t, " WITH (publish_via_partition_root = true)");
	return t.p;
}

/* Not with a table that has no key: PostgreSQL would refuse to update it from then on. */
static int create_publication(struct session *s)
{
	char *sql = publication_text(s->o);
	struct failure ignored;
	int status = sql == NULL ? fail_memory(&s->f)
				 : pg_do(s->pg, "making the publication", "BEGIN", &s->f);

	if (status == 0)
		status = pg_do(s->pg, "making the publication", sql, &s->f);
	free(sql);
	if (status == 0)
		status = tables_check(s->pg, s->o, &s->f);
	if (status != 0) {
		(void)pg_do(s->pg, "making no publication", "ROLLBACK", &ignored);
		return -1;
	}
	status = pg_do(s->pg, "making the publication", "COMMIT", &s->f);
	if (status == 0)
		say("publication \"%s\" is made", s->o->publication);
	return status;
}

static int check_publication(struct session *s)
{
	const char *params[] = { s->o->publication };
	PGresult *r = pg_run(s->pg, "looking at the publication",
		"SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate FROM pg_publication WHERE pubname = $1",
		1, params, &s->f);
	bool there, whole;

	if (r == NULL)
		return -1;
	there = PQntuples(r) == 1;
	whole = there && pg_bool(r, 0, 0);
	PQclear(r);
	if (whole)
		return 0;
	if (!there && s->o->create_publication)
		return create_publication(s);
	if (!there) {
		fail(&s->f, FAILURE_FATAL, "publication \"%s\" does not exist", s->o->publication);
		return fail_remedy(&s->f,
			"CREATE PUBLICATION \"%s\" FOR TABLE …, or --create-publication",
			s->o->publication);
	}
	fail(&s->f, FAILURE_FATAL, "publication \"%s\" does not publish all changes",
		s->o->publication);
	return fail_remedy(&s->f,
		"ALTER PUBLICATION \"%s\" SET (publish = 'insert, update, delete, truncate')",
		s->o->publication);
}

static int identify(struct session *s)
{
	PGresult *r = pg_run(s->wal, "identifying the system", "IDENTIFY_SYSTEM", 0, NULL, &s->f);

	if (r == NULL)
		return -1;
	(void)snprintf(s->system, sizeof(s->system), "%s", pg_text(r, 0, 0));
	(void)snprintf(s->database, sizeof(s->database), "%s", pg_text(r, 0, 3));
	PQclear(r);
	return 0;
}

/* --- the slot --- */

struct slot {
	bool there, fits, lost, active;
	uint64_t confirmed;
	int pid;
};

static int slot_look(struct session *s, struct slot *slot)
{
	const char *params[] = { s->o->slot };
	PGresult *r = pg_run(s->pg, "looking at the slot",
		"SELECT coalesce(plugin = 'pgoutput' AND database = current_database(), false),"
		" coalesce(wal_status = 'lost', false), active, coalesce(active_pid, 0), confirmed_flush_lsn"
		" FROM pg_replication_slots WHERE slot_name = $1",
		1, params, &s->f);

	*slot = (struct slot){ 0 };
	if (r == NULL)
		return -1;
	if (PQntuples(r) == 1)
		*slot = (struct slot){ true, pg_bool(r, 0, 0), pg_bool(r, 0, 1), pg_bool(r, 0, 2),
			pg_lsn(r, 0, 4), (int)pg_number(r, 0, 3) };
	PQclear(r);
	return 0;
}

static int slot_drop(struct session *s)
{
	const char *params[] = { s->o->slot };
	PGresult *r = pg_run(s->pg, "dropping the slot", "SELECT pg_drop_replication_slot($1)", 1,
		params, &s->f);

	PQclear(r);
	return r == NULL ? -1 : 0;
}

/* A slot's snapshot, of the connection. */
static int slot_create(struct session *s, PGconn *wal, const char *name, bool temporary,
	char *snapshot, size_t cap, uint64_t *lsn)
{
	char sql[256];
	PGresult *r;

	(void)snprintf(sql, sizeof(sql),
		"CREATE_REPLICATION_SLOT \"%s\"%s LOGICAL pgoutput (SNAPSHOT 'export')", name,
		temporary ? " TEMPORARY" : "");
	r = pg_run(
		wal, "making a slot (which waits for transactions under way)", sql, 0, NULL, &s->f);
	if (r == NULL)
		return -1;
	*lsn = pg_lsn(r, 0, 1);
	(void)snprintf(snapshot, cap, "%s", pg_text(r, 0, 2));
	PQclear(r);
	return 0;
}

PGconn *snapshot_take(struct session *s, char *name, size_t cap, uint64_t *lsn)
{
	PGconn *wal = pg_open(s->o->from, true, &s->f);
	char slot[64];

	if (wal == NULL)
		return NULL;
	(void)snprintf(slot, sizeof(slot), "leftfold_copy_%ld", (long)getpid());
	if (slot_create(s, wal, slot, true, name, cap, lsn) == 0)
		return wal;
	PQfinish(wal);
	return NULL;
}

static bool recopies_all(const struct session *s)
{
	return s->recopy && s->o->recopy_all;
}

static int slot_check_use(struct session *s, const struct slot *slot)
{
	if (slot->active)
		return fail(&s->f, FAILURE_IN_USE,
			"slot \"%s\" is in use by another feed (PostgreSQL's process %d)",
			s->o->slot, slot->pid);
	return 0;
}

static int slot_check(struct session *s, const struct slot *slot)
{
	const struct state *state = &s->state;

	if (slot->there && !slot->fits)
		return fail(&s->f, FAILURE_FATAL,
			"slot \"%s\" is not one of pgoutput's in this database: choose another with --slot",
			s->o->slot);
	if (slot->there && !state->found && !recopies_all(s)) {
		fail(&s->f, FAILURE_FATAL,
			"slot \"%s\" exists, but this Leftfold does not know how far it was fed",
			s->o->slot);
		return fail_remedy(&s->f,
			"If it feeds another Leftfold, choose another with --slot; if this Leftfold was emptied, --recopy drops"
			" the slot and copies everything");
	}
	if (state->found && state->lsn > 0 && !slot->there && !recopies_all(s)) {
		fail(&s->f, FAILURE_FATAL,
			"slot \"%s\" was dropped: what was changed since then is not known",
			s->o->slot);
		return fail_remedy(&s->f, "--recopy makes it anew and copies everything");
	}
	if (slot->lost && !recopies_all(s)) {
		fail(&s->f, FAILURE_FATAL,
			"slot \"%s\" is lost: PostgreSQL has removed log that it needs (max_slot_wal_keep_size)",
			s->o->slot);
		return fail_remedy(&s->f, "--recopy makes it anew and copies everything");
	}
	if (slot->there && state->found && state->lsn > 0 && slot->confirmed > state->lsn &&
		!recopies_all(s)) {
		char a[LSN_TEXT_MAX], b[LSN_TEXT_MAX];

		fail(&s->f, FAILURE_FATAL,
			"Leftfold has lost what it had acknowledged: it is at %s, the slot at %s",
			lsn_text(state->lsn, a), lsn_text(slot->confirmed, b));
		return fail_remedy(&s->f,
			"--recopy copies everything. Run Leftfold with --data and --durability disk");
	}
	return 0;
}

static int state_check(struct session *s)
{
	const struct state *state = &s->state;

	if (!state->found)
		return 0;
	if (strcmp(state->system, s->system) != 0 || strcmp(state->database, s->database) != 0) {
		fail(&s->f, FAILURE_FATAL,
			"slot \"%s\" of this Leftfold belongs to database \"%s\" of another PostgreSQL (system %s)",
			s->o->slot, state->database, state->system);
		return fail_remedy(&s->f,
			"Choose another name with --slot (and other tables with --table"
			" S.T=NAME), or --release first");
	}
	if (strcmp(state->publication, s->o->publication) != 0 && !recopies_all(s)) {
		fail(&s->f, FAILURE_FATAL, "slot \"%s\" feeds publication \"%s\"", s->o->slot,
			state->publication);
		return fail_remedy(&s->f,
			"Choose another name with --slot, or --recopy to change over to this one");
	}
	return 0;
}

/* Nobody else feeds by this slot from now on: what a feed before this one has sent is there, and its position is the last. Not
 * before it is known that no feed has the slot. */
static int take_over(struct session *s)
{
	if (leftfold_open(&s->lf, s->o, s->o->slot, true, &s->f) != 0)
		return -1;
	return state_take(&s->state, &s->f) != 0 ? -1 : state_read(&s->state, &s->f);
}

/* Have a slot that goes with the state. */
static int slot_have(struct session *s)
{
	struct slot slot;
	uint64_t lsn;

	if (slot_look(s, &slot) != 0 || slot_check_use(s, &slot) != 0 || take_over(s) != 0 ||
		slot_check(s, &slot) != 0)
		return -1;
	/* One that was made, and not heard of. */
	if (slot.there && (recopies_all(s) || s->state.lsn == 0)) {
		if (slot_drop(s) != 0)
			return -1;
		slot.there = false;
	}
	if (slot.there)
		return 0;
	if (state_create(&s->state, s->system, s->database, &s->f) != 0 ||
		slot_create(s, s->wal, s->o->slot, false, s->snapshot, sizeof(s->snapshot), &lsn) !=
			0)
		return -1;
	s->snapshot_lsn = lsn;
	say("slot \"%s\" is made", s->o->slot);
	return state_begin(&s->state, lsn, &s->f);
}

/* --- Leftfold's tables --- */

/* What Leftfold has of a name. */
struct target {
	bool there, table;
	char source[64];
};

static void unescape(char *s)
{
	char *to = s;

	for (; *s != '\0'; s++) {
		if (*s == '\\' && s[1] != '\0') {
			s++;
			*to++ = *s == 'n' ? '\n' : *s == 't' ? '\t' : *s == 'r' ? '\r' : *s;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* Look for it in the lines of SCHEMA (net/PROTOCOL.md). */
static int target_look(struct session *s, const char *name, struct target *out)
{
	struct lf_client_error e;
	char *text, *rest, *word;
	bool inside = false;

	*out = (struct target){ 0 };
	if (lf_client_schema(s->lf, &text, NULL, &e) != 0)
		return fail_leftfold(&s->f, &e, "reading Leftfold's schema");
	rest = text;
	while ((word = strsep(&rest, "\n")) != NULL) {
		char *fields = word;
		const char *kind = strsep(&fields, "\t");
		char *field = fields == NULL ? NULL : strsep(&fields, "\t");

		if (field == NULL)
			continue;
		unescape(field);
		if (strcmp(kind, "table") == 0 || strcmp(kind, "view") == 0) {
			inside = strcmp(field, name) == 0;
			if (inside)
				*out = (struct target){ true, kind[0] == 't', "" };
		} else if (inside && strcmp(kind, "source") == 0) {
			(void)snprintf(out->source, sizeof(out->source), "%s", field);
		}
	}
	free(text);
	return 0;
}

/* Run what is about a table, and free it; NULL: there was no memory for it. */
static int leftfold_do(struct session *s, const struct table *t, char *sql)
{
	char what[512];
	int status;

	(void)snprintf(what, sizeof(what), "table %s", t->source);
	status = leftfold_run(s->lf, what, sql, NULL, &s->f);
	free(sql);
	if (status == 0)
		return 0;
	if (strstr(s->f.text, " 2BP01: ") != NULL)
		fail_remedy(&s->f,
			"Drop the materialized views that use it, run the feed until it is there, and make them again");
	else if (s->f.remedy[0] == '\0' && s->f.kind == FAILURE_FATAL)
		fail_remedy(&s->f,
			"Keep a column whose type does not fit as text, --column %s.COLUMN=text, or leave it out, =-",
			t->source);
	return -1;
}

static int target_do(struct session *s, const struct table *t, const char *before)
{
	struct text sql = { 0 };

	text_put(&sql, before);
	text_name(&sql, t->target);
	return leftfold_do(s, t, sql.p);
}

/* Have an empty table, of the columns as they are now; `known` are those it has been given (NULL: none). */
static int target_empty(struct session *s, struct table *t, const char *known)
{
	char *columns = table_columns_text(t);
	bool same = columns != NULL && known != NULL && strcmp(columns, known) == 0;
	struct target target;

	free(columns);
	if (target_look(s, t->target, &target) != 0)
		return -1;
	if (target.there && (!target.table || strcmp(target.source, s->o->slot) != 0)) {
		fail(&s->f, FAILURE_FATAL, "Leftfold has a %s \"%s\" already%s%s",
			target.table ? "table" : "view", t->target,
			target.source[0] != '\0' ? ", fed by " : "", target.source);
		return fail_remedy(&s->f,
			"Drop or rename it, or give the table another name: --table %s=NAME",
			t->source);
	}
	if (target.there && !same && target_do(s, t, "DROP TABLE ") != 0)
		return -1;
	/* So that it is found half done, should it be. */
	t->state = TABLE_COPYING;
	if (state_put_table(&s->state, t, &s->f) != 0)
		return -1;
	return target.there && same ? target_do(s, t, "TRUNCATE ")
				    : leftfold_do(s, t, table_create_text(t, s->o->slot));
}

/* --- columns that have changed --- */

struct known {
	int number;
	char *type, *mapped, *name;
};

/* A line of table_columns_text(), taken apart in place. False: it is not a column's. */
static bool known_read(char *line, struct known *k)
{
	char *rest = line, *number = strsep(&rest, "\t");

	*k = (struct known){ .number = atoi(number) };
	k->type = strsep(&rest, "\t");
	k->mapped = strsep(&rest, "\t");
	k->name = rest;
	return k->name != NULL && k->number > 0;
}

static int changed(struct session *s, const struct table *t, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int changed(struct session *s, const struct table *t, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fail(&s->f, FAILURE_FATAL, "table %s: %s", t->source, text);
	return fail_remedy(&s->f,
		"--recopy %s copies the table again; materialized views that use it must be dropped before, and made again",
		t->source);
}

/* Whether one of that name is known. */
static bool column_known(const char *known, const char *name)
{
	char *text = strdup(known), *rest = text, *line;
	bool found = false;

	while (text != NULL && (line = strsep(&rest, "\n")) != NULL) {
		struct known k;

		found |= known_read(line, &k) && strcmp(k.name, name) == 0;
	}
	free(text);
	return found;
}

static int column_added(
	struct session *s, struct table *t, const struct column *c, const char *known)
{
	struct text sql = { 0 };
	int status;

	if (column_known(known, c->name))
		return changed(s, t, "column \"%s\" was dropped and made again", c->name);
	if (c->missing_unknown)
		return changed(s, t,
			"column \"%s\" was added with a default that is not the same for all rows, or not known any more",
			c->name);
	text_put(&sql, "ALTER TABLE ");
	text_name(&sql, t->target);
	text_put(&sql, " ADD COLUMN IF NOT EXISTS ");
	text_name(&sql, c->name);
	text_format(&sql, " %s", c->mapped);
	if (c->missing != NULL) {
		text_put(&sql, " DEFAULT ");
		text_quoted(&sql, c->missing);
	}
	status = leftfold_do(s, t, sql.p);
	if (status == 0)
		say("table %s: column \"%s\" is added", t->source, c->name);
	return status;
}

static int column_dropped(struct session *s, struct table *t, const char *name)
{
	struct text sql = { 0 };
	int status;

	text_put(&sql, "ALTER TABLE ");
	text_name(&sql, t->target);
	text_put(&sql, " DROP COLUMN IF EXISTS ");
	text_name(&sql, name);
	status = leftfold_do(s, t, sql.p);
	if (status == 0)
		say("table %s: column \"%s\" is dropped", t->source, name);
	return status;
}

static const struct column *column_numbered(const struct table *t, int number)
{
	for (unsigned i = 0; i < t->ncolumns; i++)
		if (t->columns[i].number == number)
			return &t->columns[i];
	return NULL;
}

static int check_known(struct session *s, struct table *t, const struct known *k)
{
	const struct column *c = column_numbered(t, k->number);

	if (c == NULL)
		return 0;
	if (strcmp(c->name, k->name) != 0)
		return changed(s, t, "column \"%s\" was renamed to \"%s\"", k->name, c->name);
	if (strcmp(c->type, k->type) != 0)
		return changed(s, t, "the type of column \"%s\" was changed from %s to %s", k->name,
			k->type, c->type);
	if (strcmp(c->mapped, k->mapped) != 0)
		return changed(s, t, "column \"%s\" is %s in Leftfold, and was to be %s", k->name,
			k->mapped, c->mapped);
	return 0;
}

static int check_known_key(struct session *s, struct table *t, const char *line)
{
	char *now = table_columns_text(t), *key = now == NULL ? NULL : strstr(now, "\nkey\t");
	size_t n = strlen(line);
	bool same = key != NULL && strncmp(key + 1, line, n) == 0 && key[1 + n] == '\n';

	free(now);
	return same ? 0 : changed(s, t, "its key was changed");
}

/* Go through what is known. drop: drop what is there no more; else look at all the others. numbers: those that are known. */
static int each_known(struct session *s, struct table *t, const char *known, bool drop,
	bool *numbers, int most, bool *any)
{
	char *text = strdup(known), *rest = text, *line;
	int status = text == NULL ? fail_memory(&s->f) : 0;

	while (status == 0 && (line = strsep(&rest, "\n")) != NULL) {
		struct known k;

		if (strncmp(line, "key\t", 4) == 0 && !drop) {
			status = check_known_key(s, t, line);
			continue;
		}
		if (!known_read(line, &k))
			continue;
		if (k.number <= most)
			numbers[k.number] = true;
		if (!drop) {
			status = check_known(s, t, &k);
		} else if (column_numbered(t, k.number) == NULL) {
			status = column_dropped(s, t, k.name);
			*any = true;
		}
	}
	free(text);
	return status;
}

static int columns_follow(struct session *s, struct table *t, const char *known)
{
	int most = 0, status;
	bool any = false, *numbers;

	for (unsigned i = 0; i < t->ncolumns; i++)
		most = t->columns[i].number > most ? t->columns[i].number : most;
	numbers = calloc((size_t)most + 1, sizeof(*numbers));
	if (numbers == NULL)
		return fail_memory(&s->f);
	status = each_known(s, t, known, false, numbers, most, &any);
	if (status == 0)
		status = each_known(s, t, known, true, numbers, most, &any);
	for (unsigned i = 0; status == 0 && i < t->ncolumns; i++)
		if (!numbers[t->columns[i].number]) {
			status = column_added(s, t, &t->columns[i], known);
			any = true;
		}
	free(numbers);
	return status == 0 && any ? state_put_table(&s->state, t, &s->f) : status;
}

/* --- all tables --- */

static bool is_recopied(const struct session *s, const struct table *t)
{
	for (unsigned i = 0; i < s->o->nrecopy && s->recopy; i++)
		if (tables_named(&s->tables, s->o->recopy[i]) == t)
			return true;
	return recopies_all(s);
}

/* A table that is fed already: is it still the same? */
static int table_goes_on(struct session *s, struct table *t, const struct state_table *known)
{
	struct target target;

	t->from_lsn = known->from_lsn;
	t->state = TABLE_FED;
	if (strcmp(known->target, t->target) != 0)
		return changed(s, t, "it is \"%s\" in Leftfold, and was to be \"%s\"",
			known->target, t->target);
	if (target_look(s, t->target, &target) != 0)
		return -1;
	if (!target.there || strcmp(target.source, s->o->slot) != 0) {
		fail(&s->f, FAILURE_FATAL, "Leftfold's table \"%s\" is %s", t->target,
			target.there ? "not fed by this slot any more" : "gone");
		return fail_remedy(&s->f,
			target.there ? "ALTER TABLE \"%s\" SET (source = '%s'), then --recopy %s"
				     : "--recopy makes it again",
			t->target, s->o->slot, t->source);
	}
	return columns_follow(s, t, known->columns);
}

static int tables_settle(
	struct session *s, const struct state_tables *known, struct table **copy, unsigned *ncopy)
{
	for (unsigned i = 0; i < s->tables.n; i++) {
		struct table *t = &s->tables.at[i];
		const struct state_table *k = state_tables_find(known, t->source);
		bool goes_on = k != NULL && k->state == TABLE_FED && !k->left &&
			k->relation == t->relation && k->membership == t->membership &&
			s->snapshot[0] == '\0' && !is_recopied(s, t);

		if (goes_on) {
			if (table_goes_on(s, t, k) != 0)
				return -1;
			continue;
		}
		if (target_empty(s, t, k == NULL ? NULL : k->columns) != 0)
			return -1;
		copy[(*ncopy)++] = t;
	}
	for (unsigned i = 0; i < known->n; i++) {
		const struct state_table *k = &known->at[i];

		if (k->left || tables_named(&s->tables, k->source) != NULL)
			continue;
		say("table %s is not published any more: \"%s\" stays as it is", k->source,
			k->target);
		if (state_leave_table(&s->state, k->source, &s->f) != 0)
			return -1;
	}
	return 0;
}

static int tables_copy(struct session *s, struct table **copy, unsigned n)
{
	PGconn *own = NULL;
	uint64_t rows = 0;
	int status;

	if (n == 0)
		return 0;
	for (unsigned i = 0; i < n; i++)
		say("table %s is copied to \"%s\"", copy[i]->source, copy[i]->target);
	if (s->snapshot[0] == '\0') {
		own = snapshot_take(s, s->snapshot, sizeof(s->snapshot), &s->snapshot_lsn);
		if (own == NULL)
			return -1;
	}
	status = copy_tables(s->o, copy, n, s->snapshot, &rows, &s->f);
	PQfinish(own);
	s->snapshot[0] = '\0';
	s->totals->copied += rows;
	for (unsigned i = 0; status == 0 && i < n; i++) {
		copy[i]->state = TABLE_FED;
		copy[i]->from_lsn = s->snapshot_lsn;
		status = state_put_table(&s->state, copy[i], &s->f);
	}
	return status;
}

static int tables_have(struct session *s)
{
	struct state_tables known = { .n = 0 };
	struct table **copy = calloc((size_t)s->tables.n + 1, sizeof(struct table *));
	unsigned ncopy = 0;
	int status = copy == NULL ? fail_memory(&s->f)
				  : state_read_tables(&s->state, &known, &s->f);

	if (status == 0) {
		status = tables_settle(s, &known, copy, &ncopy);
		if (status == 0)
			status = tables_copy(s, copy, ncopy);
		state_tables_free(&known);
	}
	free(copy);
	if (status == 0)
		s->recopy = false;
	return status;
}

/* Nothing can be there already that is not in the log yet. */
static int window_look(struct session *s)
{
	uint64_t flushed;

	s->window_to = 0;
	if (s->state.reach <= s->state.lsn)
		return 0;
	if (pg_flushed(s->pg, &flushed, &s->f) != 0)
		return -1;
	s->window_to = flushed < s->state.reach ? flushed : s->state.reach;
	return 0;
}

int session_begin(struct session *s)
{
	s->totals->sessions++;
	s->pg = pg_open(s->o->from, false, &s->f);
	if (s->pg == NULL || check_server(s) != 0 || check_publication(s) != 0)
		return -1;
	s->wal = pg_open(s->o->from, true, &s->f);
	if (s->wal == NULL || identify(s) != 0 || state_open(&s->state, s->o, true, &s->f) != 0 ||
		state_check(s) != 0)
		return -1;
	if (tables_read(&s->tables, s->pg, s->o, &s->f) != 0)
		return -1;
	if (s->tables.n == 0) {
		fail(&s->f, FAILURE_FATAL, "publication \"%s\" has no tables", s->o->publication);
		return fail_remedy(
			&s->f, "ALTER PUBLICATION \"%s\" ADD TABLE …", s->o->publication);
	}
	return slot_have(s) != 0 || window_look(s) != 0 ? -1 : tables_have(s);
}

void session_end(struct session *s)
{
	lf_client_close(s->lf);
	if (s->state.answer != NULL)
		state_close(&s->state);
	PQfinish(s->wal);
	PQfinish(s->pg);
	tables_free(&s->tables);
	s->lf = NULL;
	s->pg = s->wal = NULL;
	s->snapshot[0] = '\0';
}

/* --- the end of it all --- */

int session_release(struct session *s)
{
	struct state_tables known;
	struct slot slot;
	int status;

	s->pg = pg_open(s->o->from, false, &s->f);
	if (s->pg == NULL || slot_look(s, &slot) != 0)
		return -1;
	if (slot.active)
		return fail(&s->f, FAILURE_IN_USE, "slot \"%s\" is in use: end that feed first",
			s->o->slot);
	if (state_open(&s->state, s->o, true, &s->f) != 0 ||
		leftfold_open(&s->lf, s->o, s->o->slot, true, &s->f) != 0 ||
		state_read_tables(&s->state, &known, &s->f) != 0)
		return -1;
	status = slot.there ? slot_drop(s) : 0;
	for (unsigned i = 0; status == 0 && i < known.n; i++) {
		struct text sql = { 0 };

		text_put(&sql, "ALTER TABLE IF EXISTS ");
		text_name(&sql, known.at[i].target);
		text_put(&sql, " RESET (source)");
		status = leftfold_run_text(s->lf, known.at[i].source, &sql, NULL, &s->f);
		if (status == 0)
			say("\"%s\" is an ordinary table", known.at[i].target);
	}
	state_tables_free(&known);
	return status == 0 ? state_remove(&s->state, &s->f) : -1;
}
