/*
 * part_copy.c: see part_copy.h.
 */
#include "core/flow/part_copy.h"

#include <string.h>

#include "core/base/limits.h"
#include "core/sql/projection.h"

struct part_copy {
	const struct part *from;
	struct part *to;
	unsigned first_added, first_check;
	const struct program *checks; /* of the columns added; NULL: none */
	struct arena rows, scratch, plans;
	uint64_t place; /* it has the rows whose keys' hashes are less than this, … */
	bool done;      /* … or all */
};

static int checks_compile(struct part_copy *c, struct error *e)
{
	const struct relation *r = c->to->relation;
	const struct row_layout *layouts[EXPR_SOURCES] = { &r->layout };
	unsigned n = r->nchecks - c->first_check;
	const struct expr **trees;

	if (n == 0)
		return 0;
	trees = arena_alloc(&c->plans, n * sizeof(*trees));
	if (trees == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	for (unsigned i = 0; i < n; i++)
		trees[i] = r->checks[c->first_check + i].test;
	c->checks = program_compile(trees, n, layouts, &c->plans, e);
	return c->checks == NULL ? -1 : 0;
}

int part_copy_new(struct part_copy **out, const struct part *from, struct part *to,
	unsigned first_added, unsigned first_check, struct error *e)
{
	struct part_copy *c = heap_zalloc(to->heap, sizeof(*c));

	if (c == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	c->from = from;
	c->to = to;
	c->first_added = first_added;
	c->first_check = first_check;
	arena_init(&c->rows, NULL);
	arena_init(&c->scratch, NULL);
	arena_init(&c->plans, NULL);
	if (checks_compile(c, e) != 0) {
		part_copy_free(c);
		return -1;
	}
	*out = c;
	return 0;
}

bool part_copy_is_of(const struct part_copy *c, const struct part *from)
{
	return c->from == from;
}

void part_copy_free(struct part_copy *c)
{
	if (c == NULL)
		return;
	arena_free(&c->rows);
	arena_free(&c->scratch);
	arena_free(&c->plans);
	heap_free(c->to->heap, c, sizeof(*c));
}

/* Whether a row may have what was added. */
static int row_check(struct part_copy *c, const void *row, struct error *e)
{
	const struct relation *r = c->to->relation;
	const void *rows[EXPR_SOURCES] = { row };
	struct program_env env = { &c->scratch, e, 0, 0 };
	struct value *v;

	for (unsigned i = c->first_added; i < r->ncols; i++)
		if (r->columns[i].not_null && row_is_null(row, i))
			return error_set(e, ERR_NOT_NULL, 0,
				"column \"%s\" of relation \"%s\" contains null values",
				r->columns[i].name, r->name);
	if (row_size(row) > LIMIT_ROW_BYTES)
		return error_set(e, ERR_PROGRAM_LIMIT, 0, "a row exceeds %u bytes",
			(unsigned)LIMIT_ROW_BYTES);
	if (c->checks == NULL)
		return 0;
	v = arena_alloc(&c->scratch, (r->nchecks - c->first_check) * sizeof(*v));
	if (v == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	if (program_run(c->checks, rows, v, &env) != 0)
		return -1;
	for (unsigned i = c->first_check; i < r->nchecks; i++)
		if (!value_is_null(&v[i - c->first_check]) && v[i - c->first_check].i == 0)
			return error_set(e, ERR_CHECK, 0,
				"check constraint \"%s\" of relation \"%s\" is violated by some row",
				r->checks[i].name, r->name);
	return 0;
}

/* As the other part has it, in the arena of rows; NULL with *e. */
static const void *row_carry(struct part_copy *c, const void *row, struct error *e)
{
	const void *rows[EXPR_SOURCES] = { row };
	struct program_env env = { &c->scratch, e, 0, 0 };

	return projection_run(c->to->relation->carry, rows, &c->rows, &env);
}

static int row_put(struct part_copy *c, uint64_t epoch, const void *row, struct error *e)
{
	uint64_t hash = part_key_hash(c->to, row);
	const struct version *there = table_find_row(c->to->table, hash, row);
	const void *old = version_row(there);
	int status;

	if (row_check(c, row, e) != 0)
		return -1;
	if (there == NULL) {
		status = part_insert(c->to, hash, epoch, row);
	} else {
		/* The row in the table may be changed in place: see part_put(). */
		void *copy = old == NULL ? NULL : arena_alloc(&c->rows, row_size(old));

		if (old != NULL && copy == NULL)
			return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		if (old != NULL)
			old = memcpy(copy, old, row_size(old));
		status = part_put(c->to, hash, epoch, old, row);
	}
	return status == 0 ? 0 : error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
}

static int row_delete(struct part_copy *c, uint64_t epoch, const void *row, struct error *e)
{
	uint64_t hash = part_key_hash(c->to, row);

	return part_delete(c->to, hash, epoch, row) == 0 ? 0
							 : error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
}

static void memory_reset(struct part_copy *c)
{
	arena_reset(&c->rows);
	arena_reset(&c->scratch);
}

int part_copy_slice(struct part_copy *c, uint64_t epoch, unsigned *n, struct error *e)
{
	unsigned least = *n, some;

	for (*n = 0; !c->done && *n < least; *n += some) {
		const void *rows[TABLE_SEGMENT_ROWS];
		uint64_t next = c->place;
		bool more = table_segment(c->from->table, &next, rows, &some);

		for (unsigned i = 0; i < some; i++) {
			const void *row = row_carry(c, rows[i], e);

			if (row == NULL || row_put(c, epoch, row, e) != 0)
				return -1;
			memory_reset(c);
		}
		c->place = next;
		c->done = !more;
	}
	return !c->done;
}

int part_copy_change(struct part_copy *c, uint64_t epoch, const void *old_row, const void *new_row,
	struct error *e)
{
	const void *row = new_row != NULL ? new_row : old_row, *carried;
	int status = -1;

	if (!c->done && part_key_hash(c->from, row) >= c->place)
		return 0;
	carried = row_carry(c, row, e);
	if (carried != NULL)
		status = new_row != NULL ? row_put(c, epoch, carried, e)
					 : row_delete(c, epoch, carried, e);
	memory_reset(c);
	return status;
}
