/*
 * bind_storage.c: storage parameters of tables and materialized views (WITH, ALTER … SET and RESET), and REFRESH.
 *
 * There is one of each: a table's source, a view's memory_limit. Those that PostgreSQL has for how its pages are used mean
 * nothing here and are passed over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/limits.h"
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

/* How full PostgreSQL's pages are: without a meaning, but not without a range. */
static int check_fillfactor(struct binder *b, const PgQuery__DefElem *d)
{
	enum { LEAST = 10, MOST = 100 };
	char number[32], *end;
	const char *text = value_text(d, number);
	long n = strtol(text, &end, 10);

	if (end == text || *end != '\0')
		return bind_fail(b, ERR_INVALID_PARAMETER, d->location,
			"invalid value for integer option \"%s\": %s", d->defname, text);
	if (n >= LEAST && n <= MOST)
		return 0;
	bind_fail(b, ERR_INVALID_PARAMETER, d->location, "value %s out of bounds for option \"%s\"",
		text, d->defname);
	return error_detail(b->error, "Valid values are between \"10\" and \"100\".");
}

/* The parameter of that name, NULL: it is not given. reset: they have names only, and unknown ones are no error. */
static int parameter(struct binder *b, PgQuery__Node *const *list, size_t n, bool reset,
	const char *name, const PgQuery__DefElem **found)
{
	*found = NULL;
	for (size_t i = 0; i < n; i++) {
		const PgQuery__DefElem *d = list[i]->def_elem;
		bool ours = d->defnamespace[0] == '\0' && strcmp(d->defname, name) == 0;

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
		if (ours)
			*found = d;
		else if (!reset && strcmp(d->defname, "fillfactor") == 0 &&
			check_fillfactor(b, d) != 0)
			return -1;
	}
	return 0;
}

/* What actions that only SET and RESET say of a parameter; *given: it is among them, *found NULL: it is reset. */
static int altered_parameter(struct binder *b, const PgQuery__AlterTableStmt *p, const char *name,
	bool *given, const PgQuery__DefElem **found)
{
	*given = false;
	*found = NULL;
	for (size_t i = 0; i < p->n_cmds; i++) {
		const PgQuery__AlterTableCmd *c = p->cmds[i]->alter_table_cmd;
		bool reset = c->subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_ResetRelOptions;
		const PgQuery__DefElem *d;

		if (parameter(b, c->def->list->items, c->def->list->n_items, reset, name, &d) != 0)
			return -1;
		if (d == NULL)
			continue;
		*given = true;
		*found = reset ? NULL : d;
	}
	return 0;
}

int bind_view_parameters(
	struct binder *b, struct relation *view, PgQuery__Node *const *list, size_t n)
{
	const PgQuery__DefElem *d;

	if (parameter(b, list, n, false, "memory_limit", &d) != 0)
		return -1;
	return d == NULL ? 0 : limit_parse(b, d, &view->memory_limit);
}

/* --- the source of a table --- */

static int source_parse(struct binder *b, const PgQuery__DefElem *d, const char **source)
{
	char number[32];
	const char *text = value_text(d, number);

	if (text[0] == '\0' || strlen(text) > LIMIT_NAME_BYTES) {
		bind_fail(b, ERR_INVALID_PARAMETER, d->location,
			"invalid value for parameter \"%s\": \"%s\"", d->defname, text);
		return error_detail(
			b->error, "A source is a name of 1 to %d bytes.", LIMIT_NAME_BYTES);
	}
	*source = bind_keep(b, text);
	return *source == NULL ? -1 : 0;
}

int bind_table_parameters(
	struct binder *b, struct relation *table, PgQuery__Node *const *list, size_t n)
{
	const PgQuery__DefElem *d;

	if (parameter(b, list, n, false, "source", &d) != 0)
		return -1;
	return d == NULL ? 0 : source_parse(b, d, &table->source);
}

int bind_alter_source(struct binder *b, struct relation *table, const PgQuery__AlterTableStmt *p)
{
	struct statement *st = b->statement;
	const PgQuery__DefElem *d;

	st->kind = STATEMENT_ALTER_SOURCE;
	st->alter_source.table = table;
	if (altered_parameter(b, p, "source", &st->alter_source.given, &d) != 0)
		return -1;
	if (st->alter_source.given)
		st->alter_source.id = catalog_next_id(b->catalog);
	return d == NULL ? 0 : source_parse(b, d, &st->alter_source.source);
}

bool bind_sets_parameters(const PgQuery__AlterTableStmt *p)
{
	for (size_t i = 0; i < p->n_cmds; i++) {
		PgQuery__AlterTableType t = p->cmds[i]->alter_table_cmd->subtype;

		if (t != PG_QUERY__ALTER_TABLE_TYPE__AT_SetRelOptions &&
			t != PG_QUERY__ALTER_TABLE_TYPE__AT_ResetRelOptions)
			return false;
	}
	return true;
}

/* --- views --- */

int bind_alter_view(struct binder *b, const PgQuery__AlterTableStmt *p)
{
	struct statement *st = b->statement;
	const PgQuery__DefElem *d;
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
	if (!bind_sets_parameters(p)) {
		bind_unsupported(b, 0, "ALTER MATERIALIZED VIEW other than SET and RESET");
		return -1;
	}
	st->kind = STATEMENT_ALTER_VIEW;
	st->alter_view.view = r;
	if (altered_parameter(b, p, "memory_limit", &st->alter_view.given, &d) != 0)
		return -1;
	if (st->alter_view.given)
		st->alter_view.id = catalog_next_id(b->catalog);
	return d == NULL ? 0 : limit_parse(b, d, &st->alter_view.memory_limit);
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
