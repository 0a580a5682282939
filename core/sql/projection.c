/*
 * projection.c: see projection.h.
 *
 * Copying: the fixed part of the new row begins as a template, which has the constants, and is put together from runs
 * of bytes, one run where columns stand side by side in both rows; then NULL bits, if the sources have any at all; then
 * the tails of variable-length columns one after the other, in column order, as the row format wants them.
 *
 * Budget: a run is a few moves; a row of fixed columns without NULLs costs its runs, its template and one store for
 * what pads it.
 */
#include "core/sql/projection.h"

#include <string.h>

enum {
	NULLS_AT = ROW_NULLS_AT,
	SOURCES = 3, /* of an operator: left and right; of a command: its parameters */
	RUN_MAX = 32 /* bytes of one run */
};

struct run {
	uint32_t from, to, n; /* offsets in the rows, bytes */
	uint8_t source;
};

struct copied {
	uint32_t slot; /* offset in the source row */
	uint16_t from; /* column */
	uint8_t source;
	bool bytes;    /* of variable length */
	bool constant; /* in the template: none of the above */
};

/* A source that is read. */
struct source {
	uint8_t source;
	uint32_t mask; /* the NULL bits of the columns that are copied, … */
	uint16_t
		more; /* … or so many bytes of them, of a row with more than 32 columns; 0: the mask has all */
};

struct projection {
	const struct row_layout *to;
	struct program *program; /* NULL: copies */
	struct copied *copied;   /* by column */
	unsigned nruns;
	struct run *runs;
	unsigned nbytes; /* columns of variable length */
	unsigned nsources;
	struct source sources[SOURCES];
	char *template;     /* a row of the constants, without tails */
	uint32_t templated; /* its bytes that matter: all before the slots, with constants all */
	uint32_t size;      /* of a row without tails */
	bool same;          /* the row of source 0 as it is */
	bool quick;         /* nothing but runs and NULL bits of few columns: run_quick() */
};

/* Whether the tree is a column whose stored bytes are what the new row needs. */
static bool is_copy(const struct program *p, unsigned i, const struct row_layout *const *layouts,
	const struct row_layout *to, struct copied *out)
{
	const struct value *constant = program_constant(p, i);
	unsigned source, column;

	if (constant != NULL) {
		*out = (struct copied){ .constant = true };
		return value_is_null(constant) ||
			(constant->type == to->types[i].id &&
				!type_is_bytes((enum type_id)constant->type));
	}
	if (program_column(p, i, &source, &column) != 0 || layouts[source] == NULL ||
		layouts[source]->types[column].id != to->types[i].id)
		return false;
	*out = (struct copied){ layouts[source]->offsets[column], (uint16_t)column, (uint8_t)source,
		type_is_bytes((enum type_id)to->types[i].id), false };
	return true;
}

/* Note that a column of a source is read; false when there are too many sources. */
static bool add_source(struct projection *p, const struct copied *c, const struct row_layout *l)
{
	struct source *s;
	unsigned i = 0;

	while (i < p->nsources && p->sources[i].source != c->source)
		i++;
	if (l == NULL || i >= SOURCES)
		return false;
	s = &p->sources[i];
	if (i == p->nsources) {
		*s = (struct source){ .source = c->source };
		p->nsources++;
	}
	if (l->ncols > 32)
		s->more = (uint16_t)((l->ncols + 7) / 8);
	else
		s->mask |= UINT32_C(1) << c->from;
	return true;
}

static void add_run(struct projection *p, unsigned column)
{
	const struct copied *c = &p->copied[column];
	struct run r = { c->slot, p->to->offsets[column],
		row_slot_width((enum type_id)p->to->types[column].id), c->source };
	struct run *last = p->nruns > 0 ? &p->runs[p->nruns - 1] : NULL;

	if (last != NULL && last->source == r.source && last->from + last->n == r.from &&
		last->to + last->n == r.to && last->n + r.n <= RUN_MAX)
		last->n += r.n;
	else
		p->runs[p->nruns++] = r;
}

/* Fill in the copies; false when some tree is not one. */
static bool plan_copies(struct projection *p, const struct row_layout *const *layouts)
{
	for (unsigned i = 0; i < p->to->ncols; i++) {
		const struct copied *c = &p->copied[i];

		if (!is_copy(p->program, i, layouts, p->to, &p->copied[i]))
			return false;
		if (c->constant) {
			row_set(p->to, p->template, i, program_constant(p->program, i));
			p->templated = p->to->fixed;
			continue;
		}
		p->nbytes += c->bytes;
		add_run(p, i);
	}
	for (unsigned i = 0; i < p->to->ncols; i++) {
		const struct copied *c = &p->copied[i];

		if (!c->constant && !add_source(p, c, layouts[c->source]))
			return false;
	}
	p->same = p->to->ncols > 0 && layouts[0] != NULL && layouts[0]->ncols == p->to->ncols;
	for (unsigned i = 0; i < p->to->ncols; i++)
		p->same &= !p->copied[i].constant && p->copied[i].source == 0 &&
			p->copied[i].from == i;
	p->quick = !p->same && p->nbytes == 0;
	for (unsigned i = 0; i < p->nsources; i++)
		p->quick &= p->sources[i].more == 0;
	return true;
}

struct projection *projection_compile(const struct expr *const *trees,
	const struct row_layout *const layouts[EXPR_SOURCES], const struct row_layout *to,
	struct arena *a, struct error *e)
{
	struct projection *p = arena_zalloc(a, sizeof(*p));

	if (p != NULL) {
		p->to = to;
		p->copied = arena_zalloc(a, (to->ncols + 1u) * sizeof(*p->copied));
		p->runs = arena_zalloc(a, (to->ncols + 1u) * sizeof(*p->runs));
		p->size = (to->fixed + 7) & ~UINT32_C(7);
		p->template = arena_zalloc(a, p->size);
		p->templated = to->slots;
	}
	if (p == NULL || p->copied == NULL || p->runs == NULL || p->template == NULL) {
		error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		return NULL;
	}
	memcpy(p->template, &p->size, sizeof(p->size));
	p->program = program_compile(trees, to->ncols, layouts, a, e);
	if (p->program == NULL)
		return NULL;
	if (plan_copies(p, layouts))
		p->program = NULL;
	return p;
}

static const void *no_memory(struct program_env *env)
{
	error_set(env->error, ERR_OUT_OF_MEMORY, 0, NULL);
	return NULL;
}

__attribute__((noinline)) static const void *run_program(const struct projection *p,
	const void *const *rows, struct arena *out, struct program_env *env)
{
	struct value stack[64], *values = stack;
	void *row;

	if (p->to->ncols > sizeof(stack) / sizeof(stack[0]))
		values = arena_alloc(env->scratch, p->to->ncols * sizeof(*values));
	if (values == NULL)
		return no_memory(env);
	if (program_run(p->program, rows, values, env) != 0)
		return NULL;
	row = arena_alloc(out, row_encoded_size(p->to, values));
	if (row == NULL)
		return no_memory(env);
	row_encode(p->to, values, row);
	return row;
}

/* The columns that are copied, of sources with up to 32. */
static inline bool any_null_narrow(const struct projection *p, const void *const *rows)
{
	uint32_t any = 0;

	for (unsigned i = 0; i < p->nsources; i++) {
		const struct source *s = &p->sources[i];
		uint32_t word;

		/* A row has 8 bytes at least. */
		memcpy(&word, row_nulls(rows[s->source]), sizeof(word));
		any |= word & s->mask;
	}
	return any != 0;
}

static bool any_null(const struct projection *p, const void *const *rows)
{
	if (any_null_narrow(p, rows))
		return true;
	for (unsigned i = 0; i < p->nsources; i++)
		for (unsigned k = 0; k < p->sources[i].more; k++)
			if (row_nulls(rows[p->sources[i].source])[k] != 0)
				return true;
	return false;
}

/* Offset and length of a variable column's bytes in its source row; NULL has none. */
static void tail_get(const struct projection *p, unsigned column, const void *const *rows,
	const char **at, uint32_t *len)
{
	const struct copied *c = &p->copied[column];
	const char *row = rows[c->source];
	uint32_t offset;

	memcpy(&offset, row + c->slot, sizeof(offset));
	memcpy(len, row + c->slot + 4, sizeof(*len));
	*at = row + offset;
}

static uint64_t copied_size(const struct projection *p, const void *const *rows)
{
	uint64_t n = p->to->fixed;

	for (unsigned i = 0; i < p->to->ncols; i++) {
		const char *at;
		uint32_t len;

		if (!p->copied[i].bytes)
			continue;
		tail_get(p, i, rows, &at, &len);
		n += len;
	}
	return (n + 7) & ~(uint64_t)7;
}

__attribute__((noinline)) static const void *copy_nulls(
	const struct projection *p, const void *const *rows, char *row)
{
	for (unsigned i = 0; i < p->to->ncols; i++)
		if (!p->copied[i].constant &&
			row_is_null(rows[p->copied[i].source], p->copied[i].from))
			row[NULLS_AT + i / 8] |= (char)(1 << (i % 8));
	return row;
}

/* memcpy of at most RUN_MAX bytes without a call: by two moves that may overlap. */
static inline void run_copy(char *to, const char *from, uint32_t n)
{
	if (n == 8) {
		memcpy(to, from, 8);
	} else if (n > 16) {
		memcpy(to, from, 16);
		memcpy(to + n - 16, from + n - 16, 16);
	} else if (n > 8) {
		memcpy(to, from, 8);
		memcpy(to + n - 8, from + n - 8, 8);
	} else if (n >= 4) {
		memcpy(to, from, 4);
		memcpy(to + n - 4, from + n - 4, 4);
	} else {
		to[0] = from[0];
		to[n / 2] = from[n / 2];
		to[n - 1] = from[n - 1];
	}
}

/* Returns where the tails end. */
static uint32_t copy_tails(const struct projection *p, const void *const *rows, char *row)
{
	uint32_t tail = p->to->fixed;

	for (unsigned i = 0; i < p->to->ncols; i++) {
		const char *at;
		uint32_t len;

		if (!p->copied[i].bytes ||
			row_is_null(rows[p->copied[i].source], p->copied[i].from))
			continue;
		tail_get(p, i, rows, &at, &len);
		memcpy(row + p->to->offsets[i], &tail, sizeof(tail));
		memcpy(row + tail, at, len);
		tail += len;
	}
	return tail;
}

/* Template and runs, into `row` of `size` bytes. */
static inline void copy_runs(
	const struct projection *p, const void *const *rows, char *row, uint64_t size)
{
	/* What pads it, when nothing is there of variable length. */
	memset(row + size - 8, 0, 8);
	memcpy(row, p->template, 8);
	for (unsigned at = 8; at < p->templated; at += 8)
		memcpy(row + at, p->template + at, 8);
	for (unsigned i = 0; i < p->nruns; i++) {
		const struct run *r = &p->runs[i];

		run_copy(row + r->to, (const char *)rows[r->source] + r->from, r->n);
	}
}

__attribute__((noinline)) static const void *run_copies(const struct projection *p,
	const void *const *rows, struct arena *out, struct program_env *env)
{
	uint64_t size = p->nbytes > 0 ? copied_size(p, rows) : p->size;
	uint32_t size32 = (uint32_t)size, tail;
	char *row = size > UINT32_MAX ? NULL : arena_alloc(out, size);

	if (row == NULL)
		return no_memory(env);
	copy_runs(p, rows, row, size);
	if (any_null(p, rows))
		(void)copy_nulls(p, rows, row);
	if (p->nbytes == 0)
		return row;
	memcpy(row, &size32, sizeof(size32));
	tail = copy_tails(p, rows, row);
	memset(row + tail, 0, size - tail);
	return row;
}

/* run_copies() of the usual projection, with nothing called on the way: 80 instructions where that takes 115. */
static inline const void *run_quick(const struct projection *p, const void *const *rows,
	struct arena *out, struct program_env *env)
{
	char *row = arena_try(out, p->size);

	if (__builtin_expect(row == NULL, 0))
		return run_copies(p, rows, out, env);
	copy_runs(p, rows, row, p->size);
	return __builtin_expect(any_null_narrow(p, rows), 0) ? copy_nulls(p, rows, row) : row;
}

bool projection_copies(const struct projection *p)
{
	return p->program == NULL;
}

const void *projection_run(const struct projection *p, const void *const *rows, struct arena *out,
	struct program_env *env)
{
	if (p->quick)
		return run_quick(p, rows, out, env);
	if (p->same)
		return rows[0];
	return p->program != NULL ? run_program(p, rows, out, env) : run_copies(p, rows, out, env);
}

bool projection_columns(const struct program *p, unsigned n, uint16_t *cols)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned source, column;

		if (program_column(p, i, &source, &column) != 0 || source != 0)
			return false;
		cols[i] = (uint16_t)column;
	}
	return true;
}
