/*
 * result.c: answers: their rows, checked as they come, and getters.
 *
 * The answer that a callback gets points into the input buffer; a copy, or an answer of several frames, has
 * its rows in memory of its own. What a getter follows (offsets, lengths, a numeric's scale) has been checked
 * when the row was added.
 */
#include "net/client/client_internal.h"

#include <stdlib.h>

#include "core/sql/cast.h"
#include "core/sql/numeric.h"

enum { SCALE_NAN = 255 };

struct lf_result *lf_result_new(void)
{
	return calloc(1, sizeof(struct lf_result));
}

void lf_result_free(struct lf_result *r)
{
	if (r == NULL)
		return;
	result_reset(r);
	free(r->rows);
	free(r->own);
	free(r);
}

void result_reset(struct lf_result *r)
{
	if (r->shape_held)
		shape_release(r->shape);
	r->shape = NULL;
	r->shape_held = r->failed = false;
	r->epoch = r->count = 0;
	r->once_client = r->once_request = 0;
	r->parts = r->parts_all = 0;
	r->nrows = r->used = 0;
	r->base = NULL;
}

struct lf_result *result_take(struct lf_client *c)
{
	struct lf_result *r = c->spare;

	if (r == NULL)
		return lf_result_new();
	c->spare = r->next;
	return r;
}

void result_give(struct lf_client *c, struct lf_result *r)
{
	result_reset(r);
	if (r->cap > CLIENT_KEEP_BYTES) {
		free(r->own);
		r->own = NULL;
		r->cap = 0;
	}
	r->next = c->spare;
	c->spare = r;
}

/* --- adding rows --- */

static int rows_room(struct lf_result *r, size_t n)
{
	size_t cap = r->rows_cap == 0 ? 16 : r->rows_cap;
	size_t *grown;

	if (r->nrows + n <= r->rows_cap)
		return 0;
	while (cap < r->nrows + n)
		cap *= 2;
	grown = realloc(r->rows, cap * sizeof(*grown));
	if (grown == NULL)
		return -1;
	r->rows = grown;
	r->rows_cap = cap;
	return 0;
}

static int own_room(struct lf_result *r, size_t n)
{
	size_t cap = r->cap == 0 ? 256 : r->cap;
	unsigned char *grown;

	if (r->used + n <= r->cap)
		return 0;
	while (cap < r->used + n)
		cap *= 2;
	grown = realloc(r->own, cap);
	if (grown == NULL)
		return -1;
	r->own = grown;
	r->cap = cap;
	return 0;
}

/* Whether a row of `size` bytes says nothing that would lead a getter out of it. */
static bool row_sound(const struct shape *s, const unsigned char *row, uint32_t size)
{
	static const int128 MOST = (int128)1000000000000000000 * 1000000000000000000 * 100;

	for (unsigned k = 0; k < s->nchecked; k++) {
		unsigned col = s->checked[k];
		const unsigned char *slot = row + s->columns.offsets[col];

		if (row_is_null(row, col))
			continue;
		if (s->columns.types[col].id == TYPE_NUMERIC) {
			int128 n;

			memcpy(&n, slot, sizeof(n));
			if ((slot[16] > NUMERIC_DIGITS && slot[16] != SCALE_NAN) || n >= MOST ||
				n <= -MOST)
				return false;
		} else {
			uint32_t at, n;

			memcpy(&at, slot, sizeof(at));
			memcpy(&n, slot + 4, sizeof(n));
			if (at < s->columns.fixed || at > size || n > size - at)
				return false;
		}
	}
	return true;
}

int result_add_rows(struct lf_result *r, struct wire_reader *in, uint32_t count, bool copy)
{
	const unsigned char *begin = in->p;
	size_t at = copy ? r->used : 0, bytes = in->left;
	size_t first = r->nrows;

	if (count > bytes / 8)
		return -1;
	if (rows_room(r, count) != 0 || (copy && own_room(r, bytes) != 0))
		return -2;
	for (uint32_t i = 0; i < count; i++) {
		const unsigned char *row = in->p;
		uint32_t size = in->left >= 4 ? row_size(row) : 0;

		if (size < 8 || size % 8 != 0 || size < r->shape->columns.fixed ||
			wire_take(in, size) == NULL || !row_sound(r->shape, row, size))
			return -1;
		r->rows[first + i] = at + (size_t)(row - begin);
	}
	if (in->left != 0)
		return -1;
	if (copy) {
		if (bytes > 0)
			memcpy(r->own + r->used, begin, bytes);
		r->used += bytes;
	}
	r->base = copy ? r->own : begin;
	r->nrows += count;
	return 0;
}

int lf_result_copy(struct lf_result *to, const struct lf_result *from)
{
	size_t bytes = 0, first = from->nrows > 0 ? from->rows[0] : 0;

	if (to == from)
		return 0;
	result_reset(to);
	if (from->nrows > 0) {
		size_t last = from->rows[from->nrows - 1];

		bytes = last + row_size(from->base + last) - first;
		if (rows_room(to, from->nrows) != 0 || own_room(to, bytes) != 0)
			return -1;
		memcpy(to->own, from->base + first, bytes);
		for (size_t i = 0; i < from->nrows; i++)
			to->rows[i] = from->rows[i] - first;
	}
	to->base = to->own;
	to->used = bytes;
	to->nrows = from->nrows;
	if (from->shape != NULL)
		to->shape = shape_hold(from->shape);
	to->shape_held = to->shape != NULL;
	to->failed = from->failed;
	if (from->failed)
		to->error = from->error;
	to->epoch = from->epoch;
	to->count = from->count;
	to->parts = from->parts;
	to->parts_all = from->parts_all;
	to->request = from->request;
	return 0;
}

/* --- the answer --- */

const struct lf_client_error *lf_result_error(const struct lf_result *r)
{
	return r->failed ? &r->error : NULL;
}

uint64_t lf_result_epoch(const struct lf_result *r)
{
	return r->epoch;
}

uint64_t lf_result_count(const struct lf_result *r)
{
	return r->count;
}

uint32_t lf_result_parts(const struct lf_result *r)
{
	return r->parts;
}

uint32_t lf_result_parts_all(const struct lf_result *r)
{
	return r->parts_all;
}

enum lf_statement_kind lf_result_kind(const struct lf_result *r)
{
	return r->shape == NULL ? LF_STATEMENT_COMMAND : r->shape->kind;
}

const char *lf_result_tag(const struct lf_result *r)
{
	return r->shape == NULL ? "" : r->shape->tag;
}

const char *lf_result_notice(const struct lf_result *r)
{
	return r->shape == NULL ? "" : r->shape->notice;
}

size_t lf_result_nrows(const struct lf_result *r)
{
	return r->nrows;
}

unsigned lf_result_ncolumns(const struct lf_result *r)
{
	return r->shape == NULL ? 0 : r->shape->columns.ncols;
}

const char *lf_result_column_name(const struct lf_result *r, unsigned column)
{
	return column < lf_result_ncolumns(r) ? r->shape->names[column] : NULL;
}

struct lf_type lf_result_column_type(const struct lf_result *r, unsigned column)
{
	return r->shape == NULL ? (struct lf_type){ LF_TYPE_UNKNOWN, 0, 0 }
				: type_at(&r->shape->columns, column);
}

/* --- values --- */

/* False: there is none, or it is NULL. */
static bool get(const struct lf_result *r, size_t row, unsigned column, struct value *v)
{
	if (row >= r->nrows || column >= lf_result_ncolumns(r))
		return false;
	row_get(&r->shape->columns, r->base + r->rows[row], column, v);
	return !value_is_null(v);
}

bool lf_result_is_null(const struct lf_result *r, size_t row, unsigned column)
{
	return row >= r->nrows || column >= lf_result_ncolumns(r) ||
		row_is_null(r->base + r->rows[row], column);
}

bool lf_result_bool(const struct lf_result *r, size_t row, unsigned column)
{
	struct value v;

	return get(r, row, column, &v) && v.type == TYPE_BOOL && v.i != 0;
}

int64_t lf_result_int(const struct lf_result *r, size_t row, unsigned column)
{
	struct value v;

	if (!get(r, row, column, &v))
		return 0;
	switch ((enum type_id)v.type) {
	case TYPE_BOOL:
	case TYPE_INT2:
	case TYPE_INT4:
	case TYPE_INT8:
	case TYPE_DATE:
	case TYPE_TIMESTAMP:
	case TYPE_TIMESTAMPTZ: return v.i;
	default: return 0;
	}
}

double lf_result_double(const struct lf_result *r, size_t row, unsigned column)
{
	struct locale_guard guard;
	struct value v;
	double d;

	if (!get(r, row, column, &v))
		return 0;
	switch ((enum type_id)v.type) {
	case TYPE_FLOAT4: return (double)v.f;
	case TYPE_FLOAT8: return v.d;
	case TYPE_INT2:
	case TYPE_INT4:
	case TYPE_INT8: return (double)v.i;
	case TYPE_NUMERIC:
		locale_plain(&guard);
		d = numeric_to_double(&v);
		locale_restore(&guard);
		return d;
	default: return 0;
	}
}

const void *lf_result_bytes(const struct lf_result *r, size_t row, unsigned column, size_t *len)
{
	struct value v;

	*len = 0;
	if (!get(r, row, column, &v))
		return NULL;
	if (type_is_bytes((enum type_id)v.type)) {
		*len = v.s.len;
		return v.s.p;
	}
	if (v.type != TYPE_UUID)
		return NULL;
	*len = sizeof(v.uuid);
	return r->base + r->rows[row] + r->shape->columns.offsets[column];
}

struct lf_decimal lf_result_decimal(const struct lf_result *r, size_t row, unsigned column)
{
	struct lf_decimal d = { 0, 0, 0, false };
	struct value v;

	if (!get(r, row, column, &v) || v.type != TYPE_NUMERIC)
		return d;
	d.nan = v.flags & VALUE_NAN;
	d.scale = v.scale;
	if (!d.nan) {
		d.low = (uint64_t)v.n;
		d.high = (int64_t)(v.n >> 64);
	}
	return d;
}

size_t lf_result_text(const struct lf_result *r, size_t row, unsigned column, char *buf, size_t cap)
{
	struct value v;
	size_t n = 0;

	if (get(r, row, column, &v))
		n = value_format(&v, r->shape->columns.types[column], buf, cap);
	if (n < cap)
		buf[n] = '\0';
	return n;
}
