/*
 * statement.c: shapes (what PREPARED says) and prepared statements.
 */
#include "net/client/client_internal.h"

#include <stdlib.h>

/* --- shapes --- */

struct shape *shape_hold(struct shape *s)
{
	__atomic_add_fetch(&s->references, 1, __ATOMIC_RELAXED);
	return s;
}

void shape_release(struct shape *s)
{
	if (s == NULL || __atomic_sub_fetch(&s->references, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	arena_free(&s->arena);
	free(s);
}

static int read_params(struct shape *s, struct wire_reader *r, unsigned n)
{
	const unsigned char *bytes = wire_take(r, 4 * (size_t)n);
	struct type *types;
	struct error e;

	if (bytes == NULL)
		return -1;
	types = arena_zalloc(&s->arena, (n + 1) * sizeof(*types));
	if (types == NULL)
		return -1;
	memcpy(types, bytes, 4 * (size_t)n);
	return row_layout_init(&s->params, types, n, &s->arena, &e);
}

static bool has_extent(uint8_t type)
{
	return type_is_bytes((enum type_id)type) || type == TYPE_NUMERIC;
}

static int read_columns(struct shape *s, struct wire_reader *r, unsigned n)
{
	struct type *types = arena_zalloc(&s->arena, (n + 1) * sizeof(*types));
	struct error e;

	s->names = arena_zalloc(&s->arena, (n + 1) * sizeof(*s->names));
	s->checked = arena_zalloc(&s->arena, (n + 1) * sizeof(*s->checked));
	if (types == NULL || s->names == NULL || s->checked == NULL)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		const char *name;
		uint16_t len;

		wire_get(r, &types[i], sizeof(types[i]));
		wire_get(r, &len, sizeof(len));
		name = wire_take(r, len);
		if (name == NULL || !type_exists(types[i].id))
			return -1;
		s->names[i] = arena_strdup(&s->arena, name, len);
		if (s->names[i] == NULL)
			return -1;
		if (has_extent(types[i].id))
			s->checked[s->nchecked++] = (uint16_t)i;
	}
	return row_layout_init(&s->columns, types, n, &s->arena, &e);
}

static const char *read_text(struct shape *s, struct wire_reader *r, size_t len)
{
	const char *p = wire_take(r, len);

	return p == NULL ? NULL : arena_strdup(&s->arena, p, len);
}

struct shape *shape_read(struct wire_reader *r, uint32_t *handle)
{
	struct shape *s = calloc(1, sizeof(*s));
	struct wire_prepared head;
	bool good;

	if (s == NULL)
		return NULL;
	s->references = 1;
	arena_init(&s->arena, NULL);
	wire_get(r, &head, sizeof(head));
	*handle = head.handle;
	s->kind = (enum lf_statement_kind)head.kind;
	/* Counts are checked before anything is allocated for them. */
	good = !r->bad && head.kind <= WIRE_KIND_SCHEMA && head.nparams <= ROW_COLS_MAX &&
		head.nresults <= ROW_COLS_MAX && read_params(s, r, head.nparams) == 0 &&
		read_columns(s, r, head.nresults) == 0;
	if (good) {
		s->notice = read_text(s, r, head.notice_length);
		s->tag = read_text(s, r, head.tag_length);
	}
	if (!good || s->notice == NULL || s->tag == NULL || r->left != 0) {
		shape_release(s);
		return NULL;
	}
	return s;
}

/* --- statements --- */

static void statement_free(struct lf_statement *s)
{
	if (s->next != NULL)
		s->next->prev = s->prev;
	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		s->client->statements = s->next;
	shape_release(s->shape);
	free(s->source);
	free(s);
}

void statement_unuse(struct lf_statement *s)
{
	if (--s->groups == 0 && s->closed)
		statement_free(s);
}

/* PREPARE of a statement's source; fills in w. */
static int prepare_run(const struct lf_statement *s, struct waiter *w)
{
	struct group g = { .op = OPERATION_PREPARE, .each = waiter_done, .arg = w };
	struct wire_prepare head = { .ndeclared = (uint16_t)s->ntypes,
		.text_length = (uint32_t)s->text_bytes };

	return waiter_run(s->client, WIRE_PREPARE, &head, sizeof(head), s->source,
		s->ntypes + s->text_bytes, &g, w);
}

static struct lf_statement *statement_new(
	struct lf_client *c, const char *text, size_t len, const uint8_t *types, unsigned ntypes)
{
	struct lf_statement *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->client = c;
	s->text_bytes = len;
	s->ntypes = ntypes;
	s->source = malloc(ntypes + len + 1);
	if (s->source == NULL) {
		free(s);
		return NULL;
	}
	if (ntypes > 0)
		memcpy(s->source, types, ntypes);
	memcpy(s->source + ntypes, text, len);
	return s;
}

int statement_prepare(struct lf_statement **out, struct lf_client *c, const char *text, size_t len,
	const uint8_t *types, unsigned ntypes, struct lf_client_error *e)
{
	struct waiter w = { .e = e };
	struct lf_statement *s;

	*out = NULL;
	if (len == SIZE_MAX)
		len = strlen(text);
	if (ntypes > CLIENT_TYPES_MAX || len > UINT32_MAX)
		return client_error(e, "54000",
			"at most %d types can be declared, and 4 GiB of text", CLIENT_TYPES_MAX);
	s = statement_new(c, text, len, types, ntypes);
	if (s == NULL)
		return client_no_memory(e);
	if (prepare_run(s, &w) != 0) {
		free(s->source);
		free(s);
		return -1;
	}
	s->shape = w.shape;
	s->handle = w.handle;
	s->next = c->statements;
	if (s->next != NULL)
		s->next->prev = s;
	c->statements = s;
	*out = s;
	return 0;
}

static bool same_types(const struct row_layout *a, const struct row_layout *b)
{
	return a->ncols == b->ncols &&
		(a->ncols == 0 || memcmp(a->types, b->types, a->ncols * sizeof(*a->types)) == 0);
}

int statement_prepare_again(struct lf_statement *s)
{
	struct waiter w = { .e = NULL };
	int status = prepare_run(s, &w);

	/* Parameters and results are laid out by the shape of before. */
	if (status == 0 &&
		(!same_types(&w.shape->params, &s->shape->params) ||
			!same_types(&w.shape->columns, &s->shape->columns)))
		status = -1;
	s->handle = status == 0 ? w.handle : UINT32_MAX;
	if (w.shape != NULL)
		shape_release(w.shape);
	return status;
}

void lf_statement_close(struct lf_statement *s)
{
	struct group g = { .op = OPERATION_CLOSE };

	if (s == NULL || s->closed)
		return;
	/* Without room or memory for it the server keeps the statement until the connection ends. */
	if (client_ready(s->client, false, NULL) == 0)
		(void)request_send(s->client, WIRE_CLOSE, &s->handle, sizeof(s->handle), NULL, 0,
			&g, true, NULL, NULL);
	s->closed = true;
	if (s->groups == 0)
		statement_free(s);
}

enum lf_statement_kind lf_statement_kind(const struct lf_statement *s)
{
	return s->shape->kind;
}

unsigned lf_statement_nparams(const struct lf_statement *s)
{
	return s->shape->params.ncols;
}

struct lf_type type_at(const struct row_layout *l, unsigned i)
{
	struct lf_type t = { LF_TYPE_UNKNOWN, 0, 0 };

	if (i < l->ncols)
		t = (struct lf_type){ l->types[i].id, l->types[i].b, l->types[i].a };
	return t;
}

struct lf_type lf_statement_param_type(const struct lf_statement *s, unsigned param)
{
	return type_at(&s->shape->params, param);
}

unsigned lf_statement_ncolumns(const struct lf_statement *s)
{
	return s->shape->columns.ncols;
}

const char *lf_statement_column_name(const struct lf_statement *s, unsigned column)
{
	return column < s->shape->columns.ncols ? s->shape->names[column] : NULL;
}

struct lf_type lf_statement_column_type(const struct lf_statement *s, unsigned column)
{
	return type_at(&s->shape->columns, column);
}

const char *lf_statement_tag(const struct lf_statement *s)
{
	return s->shape->tag;
}

const char *lf_statement_notice(const struct lf_statement *s)
{
	return s->shape->notice;
}

const char *lf_type_name(struct lf_type t, char *buf, size_t cap)
{
	return type_name((struct type){ t.id, t.scale, t.modifier }, buf, cap);
}
