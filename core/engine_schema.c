/*
 * engine_schema.c: a schema file against what a data directory brought back. What it declares and is there as declared
 * is passed over, what is new is added; anything else is refused.
 */
#include <string.h>
#include <strings.h>

#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/engine_internal.h"
#include "core/sql/split.h"

enum { LOGGED_BYTES = 60 /* of a statement */ };

struct token {
	const char *p;
	size_t n;
	bool exact; /* quoted: letters' case matters */
};

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '_' || (c & 0x80);
}

/* The next token, comments and blanks being none; n == 0 at the end or its semicolon. */
static struct token token_next(const char *text, size_t len, size_t *at)
{
	struct token t = { text + len, 0, false };
	size_t i = *at;

	while (i < len) {
		size_t end = sql_skip(text, len, i);

		if (strchr(" \t\r\n\f\v", text[i]) != NULL) {
			i++;
		} else if (end > i && (text[i] == '-' || text[i] == '/')) {
			i = end;
		} else {
			t.p = text + i;
			t.exact = end > i;
			if (end == i)
				end++;
			while (!t.exact && is_word(text[i]) && end < len && is_word(text[end]))
				end++;
			t.n = text[i] == ';' ? 0 : end - i;
			i = end;
			break;
		}
	}
	*at = i;
	return t;
}

static bool same_statement(const char *a, size_t an, const char *b, size_t bn)
{
	size_t ai = 0, bi = 0;

	for (;;) {
		struct token x = token_next(a, an, &ai), y = token_next(b, bn, &bi);

		if (x.n != y.n || x.exact != y.exact ||
			(x.exact ? memcmp(x.p, y.p, x.n) : strncasecmp(x.p, y.p, x.n)) != 0)
			return false;
		if (x.n == 0)
			return true;
	}
}

struct looking {
	const char *text;
	size_t len;
	bool found;
};

static void look_alterations(struct looking *l, const struct alteration *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		l->found |= same_statement(l->text, l->len, list[i].text, strlen(list[i].text));
}

static void look(void *arg, const struct relation *r)
{
	struct looking *l = arg;

	l->found |= same_statement(l->text, l->len, r->definition, strlen(r->definition));
	look_alterations(l, r->alterations, r->nalterations);
	for (unsigned i = 0; i < r->nindexes; i++) {
		const char *definition = r->indexes[i]->definition;

		l->found |= definition != NULL &&
			same_statement(l->text, l->len, definition, strlen(definition));
		look_alterations(l, r->indexes[i]->alterations, r->indexes[i]->nalterations);
	}
}

/* Whether executing it would take anything away. */
static bool drops(const struct statement *s)
{
	const struct relation *r = s->relation;

	if (s->kind != STATEMENT_ALTER)
		return s->kind == STATEMENT_DROP || s->kind == STATEMENT_DROP_PROCEDURE;
	for (unsigned c = 0; c < r->ncols; c++)
		if (s->alter.to->columns[c].hidden && !r->columns[c].hidden)
			return true;
	return false;
}

/* With `only_look` nothing is added, and what cannot be prepared yet, since it needs other additions, is left for later. */
static int statement_add(
	struct lf_port *port, const char *text, size_t len, bool only_look, struct error *e)
{
	struct lf_engine *engine = port->engine;
	struct looking l = { text, len, false };
	struct statement *s;
	enum statement_kind kind;
	bool dropping;

	lf_catalog_each(engine, look, &l);
	if (l.found)
		return 0;
	if (lf_prepare(&s, engine, text, len, NULL, 0, e) != 0) {
		if (e->code != ERR_DUPLICATE_TABLE && e->code != ERR_DUPLICATE_FUNCTION)
			return only_look ? 0 : -1;
		(void)error_hint(e,
			"The data directory has it with another definition. Its own schema holds.");
		return -1;
	}
	kind = s->kind;
	dropping = drops(s);
	lf_release(engine, s);
	if (dropping)
		return error_set(e, ERR_OBJECT_STATE, 0,
			"a schema file may not drop anything that a data directory has");
	if (only_look)
		return 0;
	if (kind < STATEMENT_CREATE_TABLE) {
		log_info("schema: passed over, since there are data already: %.*s",
			len < LOGGED_BYTES ? (int)len : LOGGED_BYTES, text);
		return 0;
	}
	return lf_run(port, text, len, NULL, NULL, NULL, e);
}

static int statements_add(
	struct lf_port *port, const char *text, size_t len, bool only_look, struct error *e)
{
	size_t at = 0;

	while (at < len) {
		size_t start, n = sql_split(text + at, len - at, &start);

		if (n == 0)
			break;
		if (statement_add(port, text + at + start, n, only_look, e) != 0) {
			size_t before = utf8_length(text, at + start);

			e->position = (int32_t)before + (e->position > 0 ? e->position : 1);
			return -1;
		}
		at += start + n;
	}
	return 0;
}

int lf_run_schema(struct lf_port *port, const char *text, size_t len, struct error *e)
{
	if (!port->engine->recovered)
		return lf_run_script(port, text, len, e);
	/* A file that is refused should leave nothing of it behind. */
	if (statements_add(port, text, len, true, e) != 0)
		return -1;
	return statements_add(port, text, len, false, e);
}
