/*
 * version.c: see version.h. Statements are prepared when they are first needed. Of those that leave columns out, of which there
 * may be many, the one that was not used for longest makes room.
 */
#include "tools/pgfeed/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/pgfeed/state.h"

/* --- texts --- */

static const char *column_name(const struct version *v, unsigned i)
{
	return v->table->columns[v->column[i]].name;
}

static bool is_key(const struct version *v, unsigned i)
{
	return v->column[i] >= 0 && v->table->columns[v->column[i]].key >= 0;
}

static void put_key(struct text *s, const struct version *v, const char *glue, unsigned first)
{
	for (unsigned k = 0; k < v->table->nkey; k++) {
		text_put(s, k > 0 ? glue : "");
		text_name(s, column_name(v, v->key[k]));
		if (first > 0)
			text_format(s, " = $%u", first + k);
	}
}

static char *put_text(const struct version *v)
{
	struct text s = { 0 };
	const char *glue = "";
	unsigned n = 0;

	text_put(&s, "INSERT INTO ");
	text_name(&s, v->table->target);
	text_put(&s, " (");
	for (unsigned i = 0; i < v->n; i++) {
		if (v->column[i] < 0)
			continue;
		text_put(&s, n++ > 0 ? ", " : "");
		text_name(&s, column_name(v, i));
	}
	text_put(&s, ") VALUES (");
	for (unsigned i = 0; i < n; i++)
		text_format(&s, "%s$%u", i > 0 ? ", " : "", i + 1);
	text_put(&s, ") ON CONFLICT (");
	put_key(&s, v, ", ", 0);
	text_put(&s, ") DO ");
	text_put(&s, n == v->table->nkey ? "NOTHING" : "UPDATE SET ");
	for (unsigned i = 0; i < v->n; i++) {
		if (v->column[i] < 0 || is_key(v, i))
			continue;
		text_put(&s, glue);
		text_name(&s, column_name(v, i));
		text_put(&s, " = excluded.");
		text_name(&s, column_name(v, i));
		glue = ", ";
	}
	return s.p;
}

static char *patch_text(const struct version *v, const uint8_t *without)
{
	struct text s = { 0 };
	unsigned n = 0;

	text_put(&s, "UPDATE ");
	text_name(&s, v->table->target);
	text_put(&s, " SET ");
	for (unsigned i = 0; i < v->n; i++) {
		if (v->column[i] < 0 || is_key(v, i) || without[i])
			continue;
		text_put(&s, n > 0 ? ", " : "");
		text_name(&s, column_name(v, i));
		text_format(&s, " = $%u", ++n);
	}
	/* All that was changed is not fed, or is a value that is the same: touch nothing, but tell whether the row is there. */
	if (n == 0) {
		unsigned i = 0;

		while (v->column[i] < 0 || is_key(v, i))
			i++;
		text_name(&s, column_name(v, i));
		text_put(&s, " = ");
		text_name(&s, column_name(v, i));
	}
	text_put(&s, " WHERE ");
	put_key(&s, v, " AND ", n + 1);
	return s.p;
}

static char *erase_text(const struct version *v)
{
	struct text s = { 0 };

	text_put(&s, "DELETE FROM ");
	text_name(&s, v->table->target);
	text_put(&s, " WHERE ");
	put_key(&s, v, " AND ", 1);
	return s.p;
}

static char *fetch_text(const struct version *v, const uint8_t *without)
{
	struct text s = { 0 };
	const char *glue = "SELECT ";

	for (unsigned i = 0; i < v->n; i++) {
		if (v->column[i] < 0 || !without[i])
			continue;
		text_put(&s, glue);
		text_name(&s, column_name(v, i));
		glue = ", ";
	}
	text_put(&s, " FROM ");
	text_name(&s, v->table->target);
	text_put(&s, " WHERE ");
	put_key(&s, v, " AND ", 1);
	return s.p;
}

/* --- statements --- */

static int change_prepare(const struct version *v, struct change *change, struct lf_client *c,
	char *text, struct failure *f)
{
	struct lf_client_error e;
	int status;

	if (text == NULL)
		return fail_memory(f);
	status = lf_client_prepare(&change->s, c, text, SIZE_MAX, NULL, 0, &e);
	free(text);
	if (status != 0) {
		change->s = NULL;
		return fail_leftfold(f, &e, v->table->source);
	}
	change->p = lf_params_new(change->s);
	return change->p == NULL ? fail_memory(f) : 0;
}

static void change_free(struct change *c)
{
	lf_params_free(c->p);
	lf_statement_close(c->s);
	free(c->without);
	*c = (struct change){ 0 };
}

struct change *version_find_patch(struct version *v, const uint8_t *without)
{
	for (unsigned i = 0; i < v->npatches; i++)
		if (memcmp(v->patches[i].without, without, v->n) == 0) {
			v->patches[i].used = ++v->uses;
			return &v->patches[i];
		}
	return NULL;
}

struct change *version_patch(
	struct version *v, struct lf_client *c, const uint8_t *without, struct failure *f)
{
	struct change *p = NULL;

	if (v->patches == NULL)
		v->patches = calloc(v->table->patches_max, sizeof(*v->patches));
	if (v->patches != NULL && v->npatches < v->table->patches_max) {
		p = &v->patches[v->npatches];
	} else if (v->patches != NULL) {
		p = &v->patches[0];
		for (unsigned i = 1; i < v->npatches; i++)
			if (v->patches[i].used < p->used)
				p = &v->patches[i];
		change_free(p);
	}
	if (p != NULL)
		p->without = malloc(v->n);
	if (p == NULL || p->without == NULL) {
		fail_memory(f);
		return NULL;
	}
	memcpy(p->without, without, v->n);
	if (p == &v->patches[v->npatches])
		v->npatches++;
	p->used = ++v->uses;
	return change_prepare(v, p, c, patch_text(v, without), f) == 0 ? p : NULL;
}

static int value_set(const struct version *v, struct change *c, unsigned param, unsigned i,
	const struct pgoutput_value *value, struct failure *f)
{
	const struct column *column = &v->table->columns[v->column[i]];
	const struct lf_client_error *e;
	int status;

	if (value->kind == PGOUTPUT_TEXT)
		status = value_set_text(c->p, param, lf_statement_param_type(c->s, param),
			value->bytes, value->len);
	else
		status = lf_params_set_null(c->p, param);
	if (status == 0)
		return 0;
	e = lf_params_error(c->p);
	fail(f, FAILURE_FATAL, "table %s: a value of column \"%s\" (%s) does not fit %s: %s %s",
		v->table->source, column->name, column->type, column->mapped,
		e == NULL ? "" : e->sqlstate, e == NULL ? "" : e->message);
	return fail_remedy(f,
		"Keep it as text, --column %s.%s=text, or leave it out, --column %s.%s=-, with --recopy %s",
		v->table->source, column->name, v->table->source, column->name, v->table->source);
}

static int keys_set(const struct version *v, struct change *c, unsigned first,
	const struct pgoutput_value *values, struct failure *f)
{
	for (unsigned k = 0; k < v->table->nkey; k++)
		if (value_set(v, c, first + k, v->key[k], &values[v->key[k]], f) != 0)
			return -1;
	return 0;
}

int change_set_row(const struct version *v, struct change *c, const struct pgoutput_value *values,
	struct failure *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < v->n; i++) {
		bool out = c->without != NULL && (c->without[i] || is_key(v, i));

		if (v->column[i] >= 0 && !out && value_set(v, c, n++, i, &values[i], f) != 0)
			return -1;
	}
	return c->without == NULL ? 0 : keys_set(v, c, n, values, f);
}

int change_set_key(const struct version *v, struct change *c, const struct pgoutput_value *values,
	struct failure *f)
{
	return keys_set(v, c, 0, values, f);
}

/* --- fetching --- */

static int fetched(const struct version *v, const struct lf_result *r, const uint8_t *without,
	struct pgoutput_value *values, char **memory, struct failure *f)
{
	unsigned column = 0;
	size_t total = 1, at = 0;

	if (lf_result_nrows(r) == 0)
		return 0;
	for (unsigned i = 0; i < lf_result_ncolumns(r); i++)
		total += lf_result_text(r, 0, i, NULL, 0) + 1;
	*memory = malloc(total);
	if (*memory == NULL)
		return fail_memory(f);
	for (unsigned i = 0; i < v->n; i++) {
		if (v->column[i] < 0 || !without[i])
			continue;
		if (lf_result_is_null(r, 0, column)) {
			values[i] = (struct pgoutput_value){ .kind = PGOUTPUT_NULL };
		} else {
			size_t n = lf_result_text(r, 0, column, *memory + at, total - at);

			values[i] = (struct pgoutput_value){ PGOUTPUT_TEXT, (uint32_t)n,
				*memory + at };
			at += n + 1;
		}
		column++;
	}
	return 1;
}

int version_fetch(const struct version *v, struct lf_client *c, const uint8_t *without,
	struct pgoutput_value *values, char **memory, struct failure *f)
{
	struct lf_client_call how = { LF_ACK_DURABLE, 60000, LF_EPOCH_OWN };
	struct lf_result *r = lf_result_new();
	struct change fetch = { 0 };
	struct lf_client_error e;
	int status;

	*memory = NULL;
	if (r == NULL)
		return fail_memory(f);
	status = change_prepare(v, &fetch, c, fetch_text(v, without), f);
	if (status == 0)
		status = keys_set(v, &fetch, 0, values, f);
	if (status == 0 && lf_client_execute(c, fetch.s, fetch.p, &how, r, &e) != 0)
		status = fail_leftfold(f, &e, v->table->source);
	if (status == 0)
		status = fetched(v, r, without, values, memory, f);
	change_free(&fetch);
	lf_result_free(r);
	return status;
}

/* --- versions --- */

static bool same(const struct version *v, const struct pgoutput_message *m)
{
	size_t at = 0;

	if (v == NULL || v->n != m->n)
		return false;
	for (unsigned i = 0; i < v->n; i++) {
		struct pgoutput_column c;

		pgoutput_column(m, &at, &c);
		if (strcmp(c.name, v->name[i]) != 0 || c.type != v->type[i] ||
			c.modifier != v->modifier[i] || c.key != v->identity[i])
			return false;
	}
	return true;
}

static void version_free(struct version *v)
{
	if (v == NULL)
		return;
	for (unsigned i = 0; v->name != NULL && i < v->n; i++)
		free(v->name[i]);
	for (unsigned i = 0; i < v->npatches; i++)
		change_free(&v->patches[i]);
	free(v->patches);
	change_free(&v->put);
	change_free(&v->erase);
	free(v->column);
	free(v->name);
	free(v->type);
	free(v->modifier);
	free(v->identity);
	free(v->key);
	free(v);
}

void versions_free(struct table *t)
{
	while (t->version != NULL) {
		struct version *v = t->version;

		t->version = v->older;
		version_free(v);
	}
}

static struct version *version_new(struct table *t, const struct pgoutput_message *m)
{
	struct version *v = calloc(1, sizeof(*v));
	size_t at = 0;

	if (v == NULL)
		return NULL;
	v->table = t;
	v->n = m->n;
	v->column = calloc(m->n + 1u, sizeof(*v->column));
	v->name = calloc(m->n + 1u, sizeof(*v->name));
	v->type = calloc(m->n + 1u, sizeof(*v->type));
	v->modifier = calloc(m->n + 1u, sizeof(*v->modifier));
	v->identity = calloc(m->n + 1u, sizeof(*v->identity));
	v->key = calloc(t->nkey + 1u, sizeof(*v->key));
	if (v->column == NULL || v->name == NULL || v->type == NULL || v->modifier == NULL ||
		v->identity == NULL || v->key == NULL) {
		version_free(v);
		return NULL;
	}
	for (unsigned i = 0; i < v->n; i++) {
		struct pgoutput_column c;

		pgoutput_column(m, &at, &c);
		v->name[i] = strdup(c.name);
		v->type[i] = c.type;
		v->modifier[i] = c.modifier;
		v->identity[i] = c.key;
		v->column[i] = table_column(t, c.name);
		if (v->name[i] == NULL) {
			version_free(v);
			return NULL;
		}
	}
	return v;
}

/* All columns of the key must be told of rows that are updated or deleted. */
static int keys_find(struct version *v, struct failure *f)
{
	for (unsigned k = 0; k < v->table->nkey; k++) {
		unsigned i = 0;

		while (i < v->n && v->column[i] != (int)v->table->key[k])
			i++;
		if (i == v->n || !v->identity[i]) {
			fail(f, FAILURE_FATAL,
				"table %s: its replica identity does not have column \"%s\", which is of its key",
				v->table->source, v->table->columns[v->table->key[k]].name);
			return fail_remedy(f,
				"ALTER TABLE … REPLICA IDENTITY DEFAULT or FULL, then --recopy %s",
				v->table->source);
		}
		v->key[k] = i;
	}
	return 0;
}

/* Whether it has the columns that the table has, and those that were left out. */
static bool fits(const struct version *v)
{
	const struct table *t = v->table;
	unsigned fed = 0;

	for (unsigned i = 0; i < v->n; i++) {
		const struct column *c = v->column[i] < 0 ? NULL : &t->columns[v->column[i]];

		if (c == NULL && !table_skips(t, v->name[i]))
			return false;
		if (c != NULL && (c->type_oid != v->type[i] || c->type_modifier != v->modifier[i]))
			return false;
		fed += c != NULL;
	}
	return fed == t->ncolumns;
}

enum relation_fit version_have(
	struct table *t, const struct pgoutput_message *m, struct lf_client *c, struct failure *f)
{
	struct version *v;

	if (same(t->version, m))
		return RELATION_FITS;
	v = version_new(t, m);
	if (v == NULL) {
		fail_memory(f);
		return RELATION_FAILS;
	}
	v->older = t->version;
	t->version = v;
	if (keys_find(v, f) != 0 || change_prepare(v, &v->put, c, put_text(v), f) != 0 ||
		change_prepare(v, &v->erase, c, erase_text(v), f) != 0)
		return RELATION_FAILS;
	return fits(v) ? RELATION_FITS : RELATION_DIFFERS;
}
