/*
 * schema.c: the frame SCHEMA: tables, views, indexes and procedures as lines of text, for tools that show them.
 *
 * The text is made under the catalog's lock in memory of its own, then copied into the answer. Fields are
 * separated by tabs and escaped as in PostgreSQL's COPY, so that any name and any text can be one.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/sql/cast.h"
#include "core/store/sortkey.h"
#include "net/server/session_internal.h"

struct text {
	char *p;
	size_t n, cap;
	bool failed; /* no memory */
};

static void add(struct text *t, const char *s, size_t n)
{
	size_t cap = t->cap == 0 ? 4096 : t->cap;
	char *grown;

	while (cap < t->n + n)
		cap *= 2;
	if (!t->failed && cap != t->cap) {
		grown = realloc(t->p, cap);
		t->failed = grown == NULL;
		if (grown != NULL) {
			t->p = grown;
			t->cap = cap;
		}
	}
	if (t->failed)
		return;
	memcpy(t->p + t->n, s, n);
	t->n += n;
}

static void field_n(struct text *t, const char *s, size_t n)
{
	add(t, "\t", 1);
	for (size_t i = 0; i < n; i++) {
		switch (s[i]) {
		case '\\': add(t, "\\\\", 2); break;
		case '\t': add(t, "\\t", 2); break;
		case '\n': add(t, "\\n", 2); break;
		case '\r': add(t, "\\r", 2); break;
		default: add(t, &s[i], 1); break;
		}
	}
}

static void field(struct text *t, const char *s)
{
	field_n(t, s, strlen(s));
}

static void line(struct text *t, const char *word)
{
	if (t->n > 0)
		add(t, "\n", 1);
	add(t, word, strlen(word));
}

/* A constant as an expression: 7, true, 'it''s'::text. */
static void constant_field(struct text *t, const struct value *v, struct type type)
{
	char buf[256], quoted[2 * sizeof(buf) + 80], name[64];
	size_t n = value_format(v, type, buf, sizeof(buf)), m = 0;

	if (n > sizeof(buf)) {
		field(t, "…");
	} else if (type.id == TYPE_BOOL) {
		field(t, v->i != 0 ? "true" : "false");
	} else if (type.id >= TYPE_INT2 && type.id <= TYPE_NUMERIC) {
		field_n(t, buf, n);
	} else {
		quoted[m++] = '\'';
		for (size_t i = 0; i < n; i++) {
			if (buf[i] == '\'')
				quoted[m++] = '\'';
			quoted[m++] = buf[i];
		}
		m += (size_t)snprintf(quoted + m, sizeof(quoted) - m, "'::%s",
			type_name((struct type){ .id = type.id }, name, sizeof(name)));
		field_n(t, quoted, m);
	}
}

/* A default as far as it is a constant or now(); others are "…". */
static void default_field(struct text *t, const struct expr *e)
{
	while (e != NULL && e->kind == EXPR_CAST)
		e = e->args[0];
	if (e == NULL)
		field(t, "");
	else if (e->kind == EXPR_NOW)
		field(t, "now()");
	else if (e->kind != EXPR_CONST)
		field(t, "…");
	else if (value_is_null(&e->constant))
		field(t, "NULL");
	else
		constant_field(t, &e->constant, e->type);
}

static void columns(struct text *t, const struct relation *r)
{
	char type[64];

	for (unsigned i = 0; i < r->ncols; i++) {
		const struct column *c = &r->columns[i];

		if (c->hidden)
			continue;
		line(t, "column");
		field(t, c->name);
		field(t, type_name(c->type, type, sizeof(type)));
		field(t, c->not_null ? "not null" : "");
		default_field(t, c->default_);
	}
}

/* As PostgreSQL writes it: what is not the default comes behind the name. */
static void index_column(
	struct text *t, const struct relation *r, const struct index_def *x, unsigned k)
{
	unsigned sort = x->sort == NULL ? 0 : x->sort[k];
	bool descending = sort & SORT_DESCENDING, first = sort & SORT_NULLS_FIRST;
	char text[LIMIT_NAME_BYTES + 32];

	(void)snprintf(text, sizeof(text), "%s%s%s", r->columns[x->cols[k]].name,
		descending ? " DESC" : "",
		first == descending ? ""
			: first     ? " NULLS FIRST"
				    : " NULLS LAST");
	field(t, text);
}

static void indexes(struct text *t, const struct relation *r)
{
	for (unsigned i = 0; i < r->nindexes; i++) {
		const struct index_def *x = r->indexes[i];

		if (r->columns[x->cols[0]].hidden)
			continue;
		line(t, "index");
		field(t, x->name);
		field(t, x->primary && x->constraint ? "primary key" : x->unique ? "unique" : "");
		field(t, x->primary ? "lookup key" : x->sort != NULL ? "btree" : "hash");
		for (unsigned k = 0; k < x->ncols; k++)
			index_column(t, r, x, k);
	}
}

static void constraints(struct text *t, const struct relation *r)
{
	for (unsigned i = 0; i < r->nchecks; i++) {
		line(t, "check");
		field(t, r->checks[i].name);
	}
	for (unsigned i = 0; i < r->nfks; i++) {
		const struct foreign_key *f = r->fks[i];

		line(t, "foreign key");
		field(t, f->name);
		field(t, f->enforced ? "enforced" : "not enforced");
		field(t, f->to->name);
		for (unsigned k = 0; k < f->ncols; k++)
			field(t, r->columns[f->from_cols[k]].name);
		for (unsigned k = 0; k < f->ncols; k++)
			field(t, f->to->columns[f->to_cols[k]].name);
	}
}

static void add_procedure(struct text *t, const struct relation *r)
{
	const struct procedure *p = r->procedure;
	char type[64];

	line(t, "procedure");
	field(t, r->name);
	for (unsigned i = 0; i < p->nargs; i++) {
		const struct argument *a = &p->args[i];

		line(t, "argument");
		field(t, a->name);
		field(t, type_name((struct type){ .id = (uint8_t)a->type }, type, sizeof(type)));
		default_field(t, a->default_);
	}
	line(t, "definition");
	field(t, r->definition);
}

static void add_relation(void *arg, const struct relation *r)
{
	struct text *t = arg;

	if (r->kind == RELATION_PROCEDURE) {
		add_procedure(t, r);
		return;
	}
	line(t, r->kind == RELATION_VIEW ? "view" : "table");
	field(t, r->name);
	field(t,
		r->partition < 0 || r->columns[r->partition].hidden
			? ""
			: r->columns[r->partition].name);
	if (r->source != NULL) {
		line(t, "source");
		field(t, r->source);
	}
	columns(t, r);
	indexes(t, r);
	constraints(t, r);
	for (unsigned i = 0; i < r->nreads; i++) {
		line(t, "reads");
		field(t, r->reads[i]->name);
	}
	if (r->kind == RELATION_VIEW && r->definition != NULL) {
		line(t, "definition");
		field(t, r->shown != NULL ? r->shown : r->definition);
	}
}

void session_on_schema(struct session *s, uint64_t request, struct wire_reader *r)
{
	struct text t = { NULL, 0, 0, false };
	unsigned char *p;
	struct error e;

	if (r->left != 0) {
		session_violation(s, request, "malformed schema request");
		return;
	}
	lf_catalog_each(s->host->engine, add_relation, &t);
	if (t.failed) {
		error_set(&e, ERR_OUT_OF_MEMORY, 0, NULL);
		session_error(s, request, 0, &e);
	} else if (t.n > LIMIT_RESULT_BYTES) {
		error_set(&e, ERR_PROGRAM_LIMIT, 0, "the schema exceeds %d bytes",
			LIMIT_RESULT_BYTES);
		session_error(s, request, 0, &e);
	} else {
		p = session_frame(s, WIRE_SCHEMA_OK, 0, request, t.n);
		if (p != NULL && t.n > 0)
			memcpy(p, t.p, t.n);
	}
	free(t.p);
}
