/*
 * system_views.c: see system_views.h.
 */
#include "core/sql/system_views.h"

#include "core/base/assert.h"
#include "core/base/limits.h"

enum { COLUMNS_MAX = 16 };

struct system_column {
	const char *name;
	enum type_id type;
};

static const struct {
	const char *name;
	unsigned ncolumns;
	struct system_column columns[COLUMNS_MAX];
} SYSTEM[SYSTEM_COUNT] = {
	[SYSTEM_VIEWS] = { "leftfold_views", VIEWS_COLUMNS,
		{
			[VIEWS_NAME] = { "name", TYPE_TEXT },
			[VIEWS_STATE] = { "state", TYPE_TEXT },
			[VIEWS_SQLSTATE] = { "sqlstate", TYPE_TEXT },
			[VIEWS_REASON] = { "reason", TYPE_TEXT },
			[VIEWS_ROWS] = { "rows", TYPE_INT8 },
			[VIEWS_BYTES] = { "bytes", TYPE_INT8 },
			[VIEWS_MEMORY_LIMIT] = { "memory_limit", TYPE_INT8 },
			[VIEWS_STAGES] = { "stages", TYPE_INT4 },
			[VIEWS_SHARED_BYTES] = { "shared_bytes", TYPE_INT8 },
		} },
	[SYSTEM_OPERATORS] = { "leftfold_operators", OPERATORS_COLUMNS,
		{
			[OPERATORS_VIEW] = { "view", TYPE_TEXT },
			[OPERATORS_NUMBER] = { "operator", TYPE_INT4 },
			[OPERATORS_STAGE] = { "stage", TYPE_INT4 },
			[OPERATORS_KIND] = { "kind", TYPE_TEXT },
			[OPERATORS_DESCRIPTION] = { "description", TYPE_TEXT },
			[OPERATORS_ROWS_IN] = { "rows_in", TYPE_INT8 },
			[OPERATORS_ROWS_OUT] = { "rows_out", TYPE_INT8 },
			[OPERATORS_BYTES] = { "bytes", TYPE_INT8 },
			[OPERATORS_TIME_US] = { "time_us", TYPE_INT8 },
			[OPERATORS_SHARED_WITH] = { "shared_with", TYPE_TEXT },
			[OPERATORS_REPEATED] = { "repeated", TYPE_BOOL },
		} },
	[SYSTEM_TABLES] = { "leftfold_tables", TABLES_COLUMNS,
		{
			[TABLES_NAME] = { "name", TYPE_TEXT },
			[TABLES_ROWS] = { "rows", TYPE_INT8 },
			[TABLES_BYTES] = { "bytes", TYPE_INT8 },
			[TABLES_INDEXES] = { "indexes", TYPE_INT4 },
			[TABLES_INDEX_BYTES] = { "index_bytes", TYPE_INT8 },
		} },
	[SYSTEM_SHARDS] = { "leftfold_shards", SHARDS_COLUMNS,
		{
			[SHARDS_NUMBER] = { "shard", TYPE_INT4 },
			[SHARDS_COMMANDS] = { "commands", TYPE_INT8 },
			[SHARDS_REFUSED] = { "refused", TYPE_INT8 },
			[SHARDS_BATCHES] = { "batches", TYPE_INT8 },
			[SHARDS_VIEW_ROWS] = { "view_rows", TYPE_INT8 },
			[SHARDS_BYTES] = { "bytes", TYPE_INT8 },
		} },
	[SYSTEM_BUILDS] = { "leftfold_builds", BUILDS_COLUMNS,
		{
			[BUILDS_RELATION] = { "relation", TYPE_TEXT },
			[BUILDS_KIND] = { "kind", TYPE_TEXT },
			[BUILDS_ROWS] = { "rows", TYPE_INT8 },
			[BUILDS_OF] = { "rows_at_start", TYPE_INT8 },
			[BUILDS_STATEMENT] = { "statement", TYPE_TEXT },
		} },
};

_Static_assert((int)OPERATORS_COLUMNS <= (int)COLUMNS_MAX, "the widest one fits");

static int columns_make(struct relation *r, enum system_view which, struct error *e)
{
	struct type types[COLUMNS_MAX];

	r->ncols = (uint16_t)SYSTEM[which].ncolumns;
	r->columns = arena_zalloc(&r->arena, r->ncols * sizeof(*r->columns));
	if (r->columns == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	for (unsigned i = 0; i < r->ncols; i++) {
		types[i] = (struct type){ .id = SYSTEM[which].columns[i].type };
		r->columns[i] = (struct column){ .name = SYSTEM[which].columns[i].name,
			.type = types[i] };
	}
	return row_layout_init(&r->layout, types, r->ncols, &r->arena, e);
}

int system_views_add(struct catalog *c, struct heap *h, void *user, struct error *e)
{
	for (unsigned i = 0; i < SYSTEM_COUNT; i++) {
		struct relation *r = relation_new(h, RELATION_SYSTEM, SYSTEM[i].name);

		if (r == NULL)
			return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		/* Those of others count from below. */
		r->id = UINT32_MAX - i;
		r->user = user;
		if (columns_make(r, i, e) != 0 || catalog_add_system(c, r) != 0) {
			relation_release(r);
			return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		}
		relation_release(r);
	}
	return 0;
}

enum system_view system_view_of(const struct relation *r)
{
	ASSERT(r->kind == RELATION_SYSTEM);
	return UINT32_MAX - r->id;
}
