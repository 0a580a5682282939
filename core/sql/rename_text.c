/*
 * rename_text.c: a view's text after a relation in it was renamed: `FROM old` becomes `FROM new AS old`, so that whatever
 * calls its columns old.x goes on doing so, and `FROM old AS o` becomes `FROM new AS o`.
 *
 * The text is parsed again for the places of the names; its tree is gone through by the parser's own description of its
 * messages, so that no kind of node can be forgotten.
 */
#include <stdio.h>
#include <string.h>

#include "core/sql/bind.h"
#include "core/sql/split.h"

enum { PLACES_MAX = 256 };

struct renaming {
	const char *text, *old;
	const char *parsed; /* what the parser is given of the text */
	size_t len;
	unsigned n;
	struct {
		size_t from, end; /* the name's token */
		bool alias;       /* the name is to stay as an alias */
	} places[PLACES_MAX];
	bool ambiguous; /* the name means something else, too, or stands where it cannot be found */
	bool failed;    /* the text cannot be parsed: no memory */
};

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '_' || c == '$' || (c & 0x80);
}

static size_t name_end(const struct renaming *r, size_t at)
{
	size_t end = sql_skip(r->text, r->len, at);

	while (end == at && at < r->len && is_word(r->text[at]))
		end = ++at;
	return end;
}

static void meet_relation(struct renaming *r, const PgQuery__RangeVar *v, bool alias)
{
	size_t at = v->location < 0 ? r->len : (size_t)v->location, end = name_end(r, at);

	if (strcmp(v->relname, r->old) != 0)
		return;
	/* schema.name */
	if (v->schemaname[0] != '\0' && end < r->len && r->text[end] == '.') {
		at = end + 1;
		end = name_end(r, at);
	}
	if (end == at || r->n == PLACES_MAX) {
		r->ambiguous = true;
		return;
	}
	r->places[r->n].from = at;
	r->places[r->n].end = end;
	r->places[r->n++].alias = alias && v->alias == NULL;
}

static void walk(struct renaming *r, const ProtobufCMessage *m);

static void walk_field(
	struct renaming *r, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	const char *base = (const char *)m;
	const ProtobufCMessage *one, *const *list;
	uint32_t which;
	size_t n;

	if (f->type != PROTOBUF_C_TYPE_MESSAGE)
		return;
	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		memcpy(&n, base + f->quantifier_offset, sizeof(n));
		memcpy(&list, base + f->offset, sizeof(list));
		for (size_t i = 0; i < n; i++)
			walk(r, list[i]);
		return;
	}
	if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
		memcpy(&which, base + f->quantifier_offset, sizeof(which));
		if (which != f->id)
			return;
	}
	memcpy(&one, base + f->offset, sizeof(one));
	if (one != NULL)
		walk(r, one);
}

static void walk(struct renaming *r, const ProtobufCMessage *m)
{
	const ProtobufCMessageDescriptor *d = m->descriptor;

	if (d == &pg_query__range_var__descriptor) {
		meet_relation(r, (const PgQuery__RangeVar *)m, true);
		return;
	}
	if (d == &pg_query__into_clause__descriptor) {
		meet_relation(r, ((const PgQuery__IntoClause *)m)->rel, false);
		return;
	}
	if (d == &pg_query__common_table_expr__descriptor)
		r->ambiguous |= strcmp(((const PgQuery__CommonTableExpr *)m)->ctename, r->old) == 0;
	if (d == &pg_query__column_ref__descriptor)
		r->ambiguous |= ((const PgQuery__ColumnRef *)m)->n_fields > 2;
	for (unsigned i = 0; i < d->n_fields; i++)
		walk_field(r, m, &d->fields[i]);
}

static void *find_places(void *arg)
{
	struct renaming *r = arg;
	PgQuery__ParseResult *tree = sql_parse_again(r->parsed);

	r->failed = tree == NULL;
	if (tree == NULL)
		return NULL;
	walk(r, &tree->base);
	pg_query__parse_result__free_unpacked(tree, NULL);
	return NULL;
}

/* A name as a token: in quotes, which any may have. */
static const char *quoted(struct binder *b, const char *name)
{
	char *out = bind_alloc(b, 2 * strlen(name) + 3), *to = out;

	if (out == NULL)
		return NULL;
	*to++ = '"';
	for (; *name != '\0'; name++) {
		if (*name == '"')
			*to++ = '"';
		*to++ = *name;
	}
	*to++ = '"';
	*to = '\0';
	return out;
}

static const char *rewritten(struct binder *b, const struct renaming *r, const char *token)
{
	size_t n = strlen(token), at = 0, size = r->len + 1;
	char *out, *to;

	for (unsigned i = 0; i < r->n; i++)
		size += n + sizeof(" AS ");
	out = bind_alloc(b, size);
	if (out == NULL)
		return NULL;
	to = out;
	for (unsigned done = 0; done < r->n; done++) {
		unsigned next = 0;

		/* The tree has them in another order than the text. */
		while (r->places[next].from < at)
			next++;
		for (unsigned i = next; i < r->n; i++)
			if (r->places[i].from >= at && r->places[i].from < r->places[next].from)
				next = i;
		memcpy(to, r->text + at, r->places[next].from - at);
		to += r->places[next].from - at;
		at = r->places[next].from;
		memcpy(to, token, n);
		to += n;
		if (r->places[next].alias) {
			memcpy(to, " AS ", 4);
			to += 4;
			memcpy(to, r->text + at, r->places[next].end - at);
			to += r->places[next].end - at;
		}
		at = r->places[next].end;
	}
	memcpy(to, r->text + at, r->len - at + 1);
	return out;
}

const char *rename_in_text(
	struct binder *b, const struct relation *view, const char *old, const char *name)
{
	const char *text = view->shown != NULL ? view->shown : view->definition, *token;
	struct renaming *r = bind_alloc(b, sizeof(*r));
	bool replaces;

	if (r == NULL)
		return NULL;
	r->text = text;
	r->old = old;
	r->len = strlen(text);
	r->parsed = sql_parser_text(text, r->len, b->arena, &replaces);
	if (r->parsed == NULL) {
		error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
		return NULL;
	}
	if (sql_run_deep(find_places, r, r->len, b->error) != 0)
		return NULL;
	if (r->failed) {
		error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
		return NULL;
	}
	if (r->ambiguous) {
		bind_unsupported(
			b, -1, "renaming what a view calls in a way that cannot be rewritten");
		error_detail(b->error, "materialized view %s", view->name);
		error_hint(b->error, "Drop the view first, and create it anew.");
		return NULL;
	}
	token = quoted(b, name);
	return token == NULL ? NULL : rewritten(b, r, token);
}
