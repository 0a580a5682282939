/*
 * bind_explain.c: EXPLAIN of a query: how it finds its rows and what it does with them, a few lines of text that are made
 * when the statement is bound; with ANALYZE the query is a statement within it, which is run. PostgreSQL's words are used
 * where they fit; costs there are none. EXPLAIN REFRESH, of a view that is there, becomes a query of the system views.
 */
#include <pg_query.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/limits.h"
#include "core/sql/bind.h"
#include "core/store/sortkey.h"

enum { LINE_BYTES = 512, OPERAND_BYTES = 64, INDENT_MAX = 60 };

struct plan_text {
	struct binder *b;
	const char **lines;
	unsigned n, cap;
};

/* 0 or -1. */
static int line(struct plan_text *t, const char *text)
{
	if (t->n == t->cap) {
		unsigned cap = t->cap == 0 ? 16 : 2 * t->cap;
		const char **grown = bind_alloc(t->b, cap * sizeof(*grown));

		if (grown == NULL)
			return -1;
		if (t->n > 0)
			memcpy(grown, t->lines, t->n * sizeof(*grown));
		t->lines = grown;
		t->cap = cap;
	}
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

/* --- what is computed as a view is: the operators, each above what it takes its rows from --- */

static int select_lines(struct plan_text *t, const struct select *s, unsigned depth);

__attribute__((format(printf, 3, 4))) static int operator_line(
	struct plan_text *t, unsigned depth, const char *fmt, ...)
{
	unsigned n = 2 * depth < INDENT_MAX ? 2 * depth : INDENT_MAX;
	char text[LINE_BYTES];
	va_list args;

	memset(text, ' ', n);
	va_start(args, fmt);
	(void)vsnprintf(text + n, sizeof(text) - n, fmt, args);
	va_end(args);
	return line(t, text);
}

static const char *plural(unsigned n)
{
	return n == 1 ? "" : "s";
}

static int source_lines(struct plan_text *t, const struct relation *r, unsigned depth)
{
	return r->kind == RELATION_DERIVED ? select_lines(t, r->select, depth)
					   : operator_line(t, depth, "Scan of %s", r->name);
}

static int list_lines(
	struct plan_text *t, const struct select *s, const struct from_list *l, unsigned depth)
{
	if (l->n > 1 || l->nconjuncts > 0) {
		if (operator_line(t, depth, "%s of %u, %u condition%s",
			    l->n > 1 ? "Join" : "Filter", l->n, l->nconjuncts,
			    plural(l->nconjuncts)) != 0)
			return -1;
		depth++;
	}
	for (unsigned i = 0; i < l->n; i++) {
		const struct from_item *item = &l->items[i];

		if (item->kind == FROM_SOURCE) {
			if (source_lines(t, s->sources[item->source], depth) != 0)
				return -1;
			continue;
		}
		if (operator_line(t, depth, "%s Join, %u condition%s",
			    item->kind == FROM_FULL ? "Full" : "Left", item->nconjuncts,
			    plural(item->nconjuncts)) != 0 ||
			list_lines(t, s, item->left, depth + 1) != 0 ||
			list_lines(t, s, item->right, depth + 1) != 0)
			return -1;
	}
	return 0;
}

static int select_lines(struct plan_text *t, const struct select *s, unsigned depth)
{
	const struct window *w = s->window;

	if (s->nbranches > 0) {
		if (operator_line(t, depth, "Append of %u", s->nbranches) != 0)
			return -1;
		for (unsigned k = 0; k < s->nbranches; k++)
			if (select_lines(t, s->branches[k], depth + 1) != 0)
				return -1;
		return 0;
	}
	if (w != NULL) {
		if (operator_line(t, depth, "%s by %u column%s, in order of %u",
			    w->top ? "First rows" : "Window", w->npartition, plural(w->npartition),
			    w->norder) != 0)
			return -1;
		depth++;
	} else if (s->grouped) {
		if (operator_line(t, depth, "Group by %u column%s, %u aggregate%s%s", s->ngroup,
			    plural(s->ngroup), s->naggregates, plural(s->naggregates),
			    s->having != NULL ? ", filtered" : "") != 0)
			return -1;
		depth++;
	}
	return list_lines(t, s, &s->from, depth);
}

/* EXPLAIN CREATE MATERIALIZED VIEW: what the view would be made of. */
static int explain_view(struct binder *b, struct plan_text *t, const PgQuery__CreateTableAsStmt *p)
{
	struct statement *st = b->statement;
	const struct select *s;

	if (p->objtype != PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW ||
		p->query->node_case != NODE(SELECT_STMT)) {
		bind_unsupported(b, 0, "EXPLAIN of anything but a query or a view");
		return -1;
	}
	b->in_view = true;
	s = bind_select(b, p->query->select_stmt);
	st->kind = STATEMENT_SELECT;
	st->query.select = bind_select_new(b);
	if (s == NULL || st->query.select == NULL)
		return -1;
	return select_lines(t, s, 0);
}

static int explain_query(struct binder *b, struct plan_text *t, const PgQuery__SelectStmt *p)
{
	struct statement *st = b->statement;

	if (bind_query(b, p) != 0)
		return -1;
	if (st->relation == NULL && line(t, "Result") != 0)
		return -1;
	if (st->relation != NULL && st->relation->kind == RELATION_DERIVED)
		return line(t, "Computed once, from all rows of") != 0 ||
				select_lines(t, st->relation->select, 1) != 0
			? -1
			: rest_lines(t, st->query.select, &st->query.access);
	if (st->relation != NULL && access_lines(t, st->relation, &st->query.access) != 0)
		return -1;
	if (st->relation != NULL && st->relation->kind != RELATION_SYSTEM &&
		shards_line(t, st->relation, &st->query.access) != 0)
		return -1;
	return rest_lines(t, st->query.select, &st->query.access);
}

/* EXPLAIN ANALYZE of a query: it is a statement of its own, which is run. */
static int explain_analyze(struct binder *b, struct plan_text *t, const PgQuery__SelectStmt *p)
{
	struct statement *st = b->statement, *q = bind_inner_begin(b);
	int status;

	if (q == NULL)
		return -1;
	status = explain_query(b, t, p);
	bind_inner_end(b, st);
	st->kind = STATEMENT_SELECT;
	st->query.analyzed = q;
	st->query.select = bind_select_new(b);
	return status != 0 || st->query.select == NULL ? -1 : bind_inner_layout(b, q);
}

/* --- EXPLAIN REFRESH: the operators of a view that is there --- */

enum { VIEW_QUERY_BYTES = 2048 + 4 * LIMIT_NAME_BYTES };

/* Append, with the name in quotes for each $. */
static void query_add(char text[VIEW_QUERY_BYTES], const char *part, const char *name)
{
	size_t n = strlen(text);

	for (; *part != '\0' && n + 1 < VIEW_QUERY_BYTES; part++) {
		if (*part != '$') {
			text[n++] = *part;
			continue;
		}
		text[n++] = '\'';
		for (const char *p = name; *p != '\0'; p++) {
			if (*p == '\'')
				text[n++] = '\'';
			text[n++] = *p;
		}
		text[n++] = '\'';
	}
	text[n] = '\0';
}

/* What the system views tell of it, as lines. */
static int explain_running(struct binder *b, const PgQuery__RefreshMatViewStmt *p, bool analyze)
{
	static const char HEAD[] =
		"SELECT line AS \"QUERY PLAN\" FROM (SELECT -1 AS n, CASE state WHEN 'ok' THEN"
		" format('Materialized view %s: %s rows, %s bytes%s', name, rows, bytes,"
		" ' of ' || memory_limit::text)"
		" ELSE format('Materialized view %s: failed, %s: %s', name, sqlstate, reason) END AS line"
		" FROM leftfold_views WHERE name = $ UNION ALL"
		" SELECT operator, format('  Operator %s, stage %s: %s %s%s', operator, stage, kind, description,"
		" ', shared with ' || shared_with)";
	static const char COUNTS[] =
		" || format(' (rows in=%s out=%s%s, bytes=%s)', rows_in, rows_out,"
		" ', time=' || to_char(time_us / 1000.0, 'FM999999999990.000') || ' ms', bytes)";
	static const char TAIL[] = " FROM leftfold_operators WHERE view = $) AS plan ORDER BY n";
	/* Not held: it is not read. */
	const struct relation *r = catalog_find(b->catalog, p->relation->relname);
	char text[VIEW_QUERY_BYTES] = "";
	PgQueryProtobufParseResult parsed;
	PgQuery__ParseResult *tree;
	int status;

	if (r == NULL)
		return bind_fail(b, ERR_UNDEFINED_TABLE, p->relation->location,
			"relation \"%s\" does not exist", p->relation->relname);
	if (r->kind != RELATION_VIEW)
		return bind_fail(b, ERR_FEATURE, p->relation->location,
			"\"%s\" is not a materialized view", r->name);
	query_add(text, HEAD, r->name);
	query_add(text, analyze ? COUNTS : "", r->name);
	query_add(text, TAIL, r->name);
	parsed = pg_query_parse_protobuf(text);
	tree = parsed.error != NULL ? NULL
				    : pg_query__parse_result__unpack(NULL, parsed.parse_tree.len,
					      (const uint8_t *)parsed.parse_tree.data);
	pg_query_free_protobuf_parse_result(parsed);
	if (tree == NULL)
		return error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
	status = bind_query(b, tree->stmts[0]->stmt->select_stmt);
	pg_query__parse_result__free_unpacked(tree, NULL);
	return status;
}

/* Only ANALYZE is known. */
static int options(struct binder *b, const PgQuery__ExplainStmt *p, bool *analyze)
{
	*analyze = false;
	for (size_t i = 0; i < p->n_options; i++) {
		const PgQuery__DefElem *d = p->options[i]->def_elem;
		const char *value = d->arg == NULL ? "true" : node_string(d->arg);

		if (strcmp(d->defname, "analyze") != 0 ||
			(d->arg != NULL && d->arg->node_case != NODE(STRING))) {
			bind_unsupported(b, d->location, "EXPLAIN with options other than ANALYZE");
			return -1;
		}
		*analyze = strcmp(value, "false") != 0 && strcmp(value, "off") != 0;
	}
	return 0;
}

int bind_explain(struct binder *b, const PgQuery__ExplainStmt *p)
{
	struct plan_text t = { .b = b };
	bool analyze;
	int status = -1;

	if (options(b, p, &analyze) != 0)
		return -1;
	if (p->query->node_case == NODE(REFRESH_MAT_VIEW_STMT))
		return explain_running(b, p->query->refresh_mat_view_stmt, analyze);
	if (p->query->node_case == NODE(SELECT_STMT)) {
		status = analyze ? explain_analyze(b, &t, p->query->select_stmt)
				 : explain_query(b, &t, p->query->select_stmt);
	} else if (p->query->node_case == NODE(CREATE_TABLE_AS_STMT) && analyze) {
		bind_unsupported(b, 0, "EXPLAIN ANALYZE of what is to be created");
		(void)error_hint(b->error,
			"Create the view, then ask for EXPLAIN ANALYZE REFRESH MATERIALIZED VIEW, which does not compute it again.");
	} else if (p->query->node_case == NODE(CREATE_TABLE_AS_STMT)) {
		status = explain_view(b, &t, p->query->create_table_as_stmt);
	} else {
		bind_unsupported(b, 0, "EXPLAIN of anything but a query or a view");
	}
	return status != 0 ? -1 : answer_text(b, &t);
}
