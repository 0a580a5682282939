/*
 * bind_version.c: lf_epoch, the epoch of a row's last change, as a column that every table and view has.
 *
 * It is no column of the row but of the version that the row is, so whoever runs an expression with it gives it in a row of its
 * own (EXPR_SYSTEM). That is done where one table or view is read, or a command changes one; anything else has rows of its own
 * making.
 */
#include <string.h>

#include "core/sql/bind.h"

int bind_epoch_refused(struct binder *b, int location)
{
	bind_unsupported(b, location, "lf_epoch here");
	return error_hint(b->error,
		"It can be read in queries over one table or view, and in UPDATE, DELETE and RETURNING.");
}

static bool has_versions(const struct scope_entry *e)
{
	return e->relation->kind == RELATION_TABLE || e->relation->kind == RELATION_VIEW;
}

/* How many of a level are meant; *found: one of them. */
static unsigned candidates(
	const struct scope *l, const char *table, const struct scope_entry **found)
{
	unsigned n = 0;

	for (unsigned i = l->first; i < l->n; i++)
		if (has_versions(&l->entries[i]) &&
			(table == NULL || strcmp(l->entries[i].alias, table) == 0)) {
			*found = &l->entries[i];
			n++;
		}
	return n;
}

/* Whether what is bound has the version of its rows. */
static bool is_here(const struct binder *b, const struct scope_entry *e)
{
	enum statement_kind kind = b->statement->kind;

	if (b->in_view || b->query_depth > 0 || e->source != 0)
		return false;
	return b->level.select != NULL || kind == STATEMENT_INSERT || kind == STATEMENT_UPDATE ||
		kind == STATEMENT_DELETE;
}

static int system_layout(struct binder *b)
{
	static const struct type EPOCH = { .id = TYPE_INT8 };
	struct statement *st = b->statement;
	struct row_layout *l;

	if (st->system != NULL)
		return 0;
	l = arena_alloc(&st->arena, sizeof(*l));
	if (l == NULL)
		return error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
	st->system = l;
	return row_layout_init(l, &EPOCH, 1, &st->arena, b->error);
}

struct expr *bind_epoch(struct binder *b, const char *table, int location)
{
	const struct scope_entry *found = NULL;
	unsigned n = 0;
	struct expr *e;

	for (const struct scope *l = &b->level; l != NULL && n == 0; l = l->outer)
		n = candidates(l, table, &found);
	if (n == 0)
		return NULL;
	if (n > 1) {
		bind_fail(b, ERR_AMBIGUOUS_COLUMN, location,
			"column reference \"lf_epoch\" is ambiguous");
		return NULL;
	}
	if (!is_here(b, found)) {
		(void)bind_epoch_refused(b, location);
		return NULL;
	}
	e = expr_new(b, EXPR_COLUMN, TYPE_INT8, location);
	if (e == NULL || system_layout(b) != 0)
		return NULL;
	e->source = EXPR_SYSTEM;
	b->epoch_location = location;
	return e;
}
