/*
 * source.c: tables that are fed by a source are read-only for all others.
 *
 * It protects against mistakes, not against malice: who feeds a table says so itself.
 */
#include <string.h>

#include "core/sql/plan.h"

static int check(
	const struct statement *s, const struct relation *r, const char *source, struct error *e)
{
	const char *of = r == NULL ? NULL : __atomic_load_n(&r->source, __ATOMIC_ACQUIRE);

	if (of == NULL || (source != NULL && strcmp(of, source) == 0))
		return 0;
	error_set(e, ERR_READ_ONLY, 0,
		"cannot execute %s on table \"%s\": it is fed by source \"%s\"", statement_tag(s),
		r->name, of);
	return error_hint(e,
		"Change it at its source, or have ALTER TABLE … RESET (source) make it an ordinary table.");
}

static int check_dropped(const struct statement *s, const char *source, struct error *e)
{
	for (unsigned i = 0; i < s->drop.n; i++)
		if ((s->drop.indexes == NULL || s->drop.indexes[i] == NULL) &&
			check(s, s->drop.relations[i], source, e) != 0)
			return -1;
	return 0;
}

int statement_check_source(const struct statement *s, const char *source, struct error *e)
{
	switch (s->kind) {
	case STATEMENT_INSERT:
	case STATEMENT_UPDATE:
	case STATEMENT_DELETE: return check(s, s->relation, source, e);
	case STATEMENT_TRUNCATE:
		for (unsigned i = 0; i < s->truncate.n; i++)
			if (check(s, s->truncate.tables[i], source, e) != 0)
				return -1;
		return 0;
	case STATEMENT_BLOCK:
		for (unsigned i = 0; i < s->block.n; i++)
			if (check(s->block.items[i], s->block.items[i]->relation, source, e) != 0)
				return -1;
		return 0;
	case STATEMENT_ALTER: return s->alter.index != NULL ? 0 : check(s, s->relation, source, e);
	case STATEMENT_DROP: return check_dropped(s, source, e);
	default: return 0;
	}
}
