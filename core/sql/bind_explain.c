/*
 * bind_explain.c: EXPLAIN of a query: how it finds its rows and what it does with them, a few lines of text that are made
 * when the statement is bound. PostgreSQL's words are used where they fit; costs there are none.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/sql/bind.h"
#include "core/store/sortkey.h"

enum { LINES_MAX = 8, LINE_BYTES = 512, OPERAND_BYTES = 64 };

struct plan_text {
	struct binder *b;
	const char **lines;
	unsigned n;
};

/* 0 or -1. */
static int line(struct plan_text *t, const char *text)
{
	t->lines[t->n] = bind_keep(t->b, text);
	return t->lines[t->n++] == NULL ? -1 : 0;
}

/* Append; what does not fit is cut. */
__attribute__((format(printf, 2, 3))) static void add(char line[LINE_BYTES], const char *fmt, ...)
{
	size_t n = strlen(line);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(line + n, LINE_BYTES - n, fmt, args);
	va_end(args);
}

/* A parameter, a short constant, or "…". */
static void operand_add(char *line, const struct expr *e)
{
	char text[OPERAND_BYTES];
	bool quoted;
	size_t n;

	while (e->kind == EXPR_CAST)
		e = e->args[0];
	if (e->kind == EXPR_COLUMN) {
		add(line, "$%u", e->column + 1u);
		return;
	}
	if (e->kind == EXPR_NOW) {
		add(line, "now()");
		return;
	}
	if (e->kind != EXPR_CONST || e->digits != NULL) {
		add(line, "…");
		return;
	}
	if (value_is_null(&e->constant)) {
		add(line, "NULL");
		return;
	}
	n = value_format(&e->constant, e->type, text, sizeof(text));
	quoted = e->type.id > TYPE_NUMERIC;
	if (n > sizeof(text))
		add(line, "…");
	else
		add(line, "%s%.*s%s", quoted ? "'" : "", (int)n, text, quoted ? "'" : "");
}

static void equality_add(
	char *line, const struct relation *r, unsigned column, const struct expr *value)
{
	add(line, "%s%s = ", strchr(line, '(') == NULL ? "(" : " AND ", r->columns[column].name);
	operand_add(line, value);
}

/* A bound, whose values are the next keys: column op value, or with several (columns) op (values). */
static void bound_add(char *line, const struct relation *r, const struct access *a,
	const struct bound *bound, const char *op, struct expr *const *keys)
{
	if (bound->n == 0)
		return;
	add(line, "%s%s", strchr(line, '(') == NULL ? "(" : " AND ", bound->n > 1 ? "(" : "");
	for (unsigned i = 0; i < bound->n; i++)
		add(line, "%s%s", i > 0 ? ", " : "", r->columns[a->cols[a->nequal + i]].name);
	add(line, "%s %s%s %s", bound->n > 1 ? ")" : "", op, bound->inclusive ? "=" : "",
		bound->n > 1 ? "(" : "");
	for (unsigned i = 0; i < bound->n; i++) {
		add(line, "%s", i > 0 ? ", " : "");
		operand_add(line, keys[i]);
	}
	add(line, "%s", bound->n > 1 ? ")" : "");
}

static int index_condition(struct plan_text *t, const struct relation *r, const struct access *a)
{
	unsigned nequal = a->kind == ACCESS_RANGE ? a->nequal : a->width;
	char text[LINE_BYTES] = "  Index Cond: ";

	if (a->width == 0)
		return 0;
	if (a->nkeys > 1) {
		add(text, "(%s IN %u values", r->columns[a->cols[0]].name, a->nkeys);
		nequal = 0;
	}
	for (unsigned i = 0; i < nequal; i++)
		equality_add(text, r, a->cols[i], a->keys[i]);
	bound_add(text, r, a, &a->low, ">", a->keys + nequal);
	bound_add(text, r, a, &a->high, "<", a->keys + nequal + a->low.n);
	add(text, ")");
	return line(t, text);
}

static int access_lines(struct plan_text *t, const struct relation *r, const struct access *a)
{
	char text[LINE_BYTES] = "";
	const char *index = "";

	for (unsigned i = 0; i < r->nindexes; i++)
		if (r->indexes[i]->id == a->index_id)
			index = r->indexes[i]->name;
	if (a->kind == ACCESS_SCAN)
		add(text, "Seq Scan on %s", r->name);
	else
		add(text, "Index Scan%s using %s on %s", a->backward ? " Backward" : "", index,
			r->name);
	if (line(t, text) != 0)
		return -1;
	return a->kind == ACCESS_SCAN ? 0 : index_condition(t, r, a);
}

/* One shard when the column that rows are spread by is given, else all; in order, their rows are merged. */
static int shards_line(struct plan_text *t, const struct relation *r, const struct access *a)
{
	unsigned nequal = a->kind == ACCESS_RANGE ? a->nequal
		: a->kind == ACCESS_SCAN          ? 0
						  : a->width;
	bool one = false;

	for (unsigned i = 0; i < nequal; i++)
		one |= a->nkeys == 1 && (int)a->cols[i] == r->partition;
	return line(t,
		one                  ? "  Shards: one"
			: a->ordered ? "  Shards: all, merged"
				     : "  Shards: all");
}

static int count_line(struct plan_text *t, const char *what, unsigned n, const char *of)
{
	char text[LINE_BYTES] = "";

	add(text, "  %s: %u %s%s", what, n, of, n == 1 ? "" : "s");
	return line(t, text);
}

static int rest_lines(struct plan_text *t, const struct select *s, const struct access *a)
{
	if (s->nconjuncts > 0 && count_line(t, "Filter", s->nconjuncts, "condition") != 0)
		return -1;
	if (s->grouped && count_line(t, "Group Key", s->ngroup, "column") != 0)
		return -1;
	if (s->norder > 0 &&
		(a->ordered ? line(t, "  Order: by the index")
			    : count_line(t, "Sort Key", s->norder, "column")) != 0)
		return -1;
	return s->limit == NULL && s->offset == NULL ? 0 : line(t, "  Limit");
}

/* What is left of the statement answers with the lines. */
static int answer_text(struct binder *b, struct plan_text *t)
{
	struct statement *st = b->statement;
	struct output *out = bind_alloc(b, sizeof(*out));

	if (out == NULL)
		return -1;
	*out = (struct output){ .name = "QUERY PLAN", .type = { .id = TYPE_TEXT } };
	st->results = out;
	st->nresults = 1;
	st->query.access = (struct access){ .kind = ACCESS_SCAN };
	st->query.lines = t->lines;
	st->query.nlines = t->n;
	return 0;
}

int bind_explain(struct binder *b, const PgQuery__ExplainStmt *p)
{
	struct plan_text t = { .b = b };
	struct statement *st = b->statement;

	if (p->n_options > 0) {
		bind_unsupported(b, p->options[0]->def_elem->location, "EXPLAIN with options");
		return -1;
	}
	if (p->query->node_case != NODE(SELECT_STMT)) {
		bind_unsupported(b, 0, "EXPLAIN of anything but a query");
		return -1;
	}
	if (bind_query(b, p->query->select_stmt) != 0)
		return -1;
	t.lines = bind_alloc(b, LINES_MAX * sizeof(*t.lines));
	if (t.lines == NULL)
		return -1;
	if (st->relation == NULL && line(&t, "Result") != 0)
		return -1;
	if (st->relation != NULL &&
		(access_lines(&t, st->relation, &st->query.access) != 0 ||
			shards_line(&t, st->relation, &st->query.access) != 0))
		return -1;
	if (rest_lines(&t, st->query.select, &st->query.access) != 0)
		return -1;
	return answer_text(b, &t);
}
