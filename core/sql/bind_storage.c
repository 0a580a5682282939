/*
 * bind_storage.c: storage parameters of a materialized view (WITH, ALTER … SET and RESET), and REFRESH.
 *
 * There is one, memory_limit. Those that PostgreSQL has for how its pages are used mean nothing here and are passed over.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/size.h"
#include "core/sql/bind.h"

static const char *const OTHERS[] = { "fillfactor", "toast_tuple_target", "parallel_workers",
	"user_catalog_table", "vacuum_index_cleanup", "vacuum_truncate",
	"log_autovacuum_min_duration" };

static bool is_other(const PgQuery__DefElem *d)
{
	if (strcmp(d->defnamespace, "toast") == 0 || strncmp(d->defname, "autovacuum_", 11) == 0)
		return true;
	for (unsigned i = 0; i < sizeof(OTHERS) / sizeof(OTHERS[0]); i++)
		if (strcmp(d->defname, OTHERS[i]) == 0)
			return true;
	return false;
}

/* The value as text; a parameter without one is true. */
static const char *value_text(const PgQuery__DefElem *d, char number[32])
{
	const PgQuery__Node *n = d->arg;

	if (n == NULL)
		return "true";
	switch (n->node_case) {
	case NODE(INTEGER): (void)snprintf(number, 32, "%d", n->integer->ival); return number;
	case NODE(FLOAT): return n->float_->fval;
	case NODE(STRING): return n->string->sval;
	case NODE(TYPE_NAME):
		return n->type_name->n_names == 0
			? ""
			: node_string(n->type_name->names[n->type_name->n_names - 1]);
	default: return "";
	}
}

static int limit_parse(struct binder *b, const PgQuery__DefElem *d, uint64_t *limit)
{
	char number[32];
	const char *text = value_text(d, number);

	switch (size_parse(text, limit)) {
	case SIZE_OK: return 0;
	case SIZE_RANGE:
		bind_fail(b, ERR_INVALID_PARAMETER, d->location,
			"value %s out of bounds for option \"%s\"", text, d->defname);
		return error_detail(
			b->error, "Valid values are between \"1\" and \"9223372036854775807\".");
	case SIZE_SYNTAX: break;
	}
	bind_fail(b, ERR_INVALID_PARAMETER, d->location,
		"invalid value for parameter \"%s\": \"%s\"", d->defname, text);
	return error_hint(b->error,
		"Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".");
}

/* The memory_limit among parameters; *given: there is one. reset: they have names only, and unknown ones are no error. */
static int parameters(struct binder *b, PgQuery__Node *const *list, size_t n, bool reset,
	bool *given, uint64_t *limit)
{
	*given = false;
	*limit = 0;
	for (size_t i = 0; i < n; i++) {
		const PgQuery__DefElem *d = list[i]->def_elem;
		bool ours = d->defnamespace[0] == '\0' && strcmp(d->defname, "memory_limit") == 0;

		if (reset && d->arg != NULL)
			return bind_fail(b, ERR_SYNTAX, d->location,
				"RESET must not include values for parameters");
		for (size_t k = 0; k < i && !reset; k++)
			if (strcmp(list[k]->def_elem->defname, d->defname) == 0 &&
				strcmp(list[k]->def_elem->defnamespace, d->defnamespace) == 0)
				return bind_fail(b, ERR_INVALID_PARAMETER, d->location,
					"parameter \"%s\" specified more than once", d->defname);
		if (!ours && !reset && !is_other(d))
			return bind_fail(b, ERR_INVALID_PARAMETER, d->location,
				"unrecognized parameter \"%s\"", d->defname);
		if (ours && !reset && limit_parse(b, d, limit) != 0)
			return -1;
		*given |= ours;
	}
	return 0;
}

int bind_view_parameters(
	struct binder *b, struct relation *view, PgQuery__Node *const *list, size_t n)
{
	bool given;

	return parameters(b, list, n, false, &given, &view->memory_limit);
}

int bind_alter_view(struct binder *b, const PgQuery__AlterTableStmt *p)
{
	struct statement *st = b->statement;
	struct relation *r;

	if (p->missing_ok && catalog_find(b->catalog, p->relation->relname) == NULL) {
		bind_notice(b, "00000", "relation \"%s\" does not exist, skipping%s",
			p->relation->relname, "");
		st->kind = STATEMENT_NOTHING;
		return 0;
	}
	r = bind_relation(b, p->relation);
	if (r == NULL)
		return -1;
	if (r->kind != RELATION_VIEW)
		return bind_fail(b, ERR_WRONG_OBJECT, p->relation->location,
			"\"%s\" is not a materialized view", r->name);
	st->kind = STATEMENT_ALTER_VIEW;
	st->alter_view.view = r;
	for (size_t i = 0; i < p->n_cmds; i++) {
		const PgQuery__AlterTableCmd *c = p->cmds[i]->alter_table_cmd;
		bool reset = c->subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_ResetRelOptions, given;
		uint64_t limit;

		if (!reset && c->subtype != PG_QUERY__ALTER_TABLE_TYPE__AT_SetRelOptions) {
			bind_unsupported(b, 0, "ALTER MATERIALIZED VIEW other than SET and RESET");
			return -1;
		}
		if (parameters(b, c->def->list->items, c->def->list->n_items, reset, &given,
			    &limit) != 0)
			return -1;
		if (given) {
			st->alter_view.given = true;
			st->alter_view.memory_limit = limit;
		}
	}
	if (st->alter_view.given)
		st->alter_view.id = catalog_next_id(b->catalog);
	return 0;
}

int bind_refresh(struct binder *b, const PgQuery__RefreshMatViewStmt *p)
{
	struct statement *st = b->statement;
	struct relation *r = bind_relation(b, p->relation);

	if (r == NULL)
		return -1;
	if (r->kind != RELATION_VIEW)
		return bind_fail(b, ERR_FEATURE, p->relation->location,
			"\"%s\" is not a materialized view", r->name);
	if (p->skip_data) {
		bind_unsupported(b, 0, "WITH NO DATA");
		return -1;
	}
	st->kind = STATEMENT_REFRESH_VIEW;
	st->refresh.view = r;
	return 0;
}
