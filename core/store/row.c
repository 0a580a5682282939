/*
 * row.c: see row.h for the format.
 */
#include "core/store/row.h"

#include "core/base/assert.h"
#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/base/utf8.h"

enum { NUMERIC_SLOT_NAN = 255, NULLS_AT = ROW_NULLS_AT, ROW_SLOT_MAX = 17 };

_Static_assert(ROW_COLS_MAX == LIMIT_COLUMNS && ROW_SIZE_MAX == LIMIT_ROW_BYTES, "one limit");
_Static_assert(sizeof(int128) == 16, "a numeric's slot is its coefficient and a byte");

uint32_t row_slot_width(enum type_id t)
{
	switch (t) {
	case TYPE_BOOL: return 1;
	case TYPE_INT2: return 2;
	case TYPE_INT4:
	case TYPE_FLOAT4:
	case TYPE_DATE: return 4;
	case TYPE_NUMERIC: return 17;
	case TYPE_UUID:
	case TYPE_INTERVAL: return 16;
	default: return 8;
	}
}

bool row_slot_is_canonical(enum type_id t)
{
	switch (t) {
	case TYPE_BOOL:
	case TYPE_INT2:
	case TYPE_INT4:
	case TYPE_INT8:
	case TYPE_DATE:
	case TYPE_TIMESTAMP:
	case TYPE_TIMESTAMPTZ:
	case TYPE_UUID: return true;
	default: return false;
	}
}

int row_layout_init(struct row_layout *l, const struct type *types, unsigned ncols, struct arena *a,
	struct error *e)
{
	struct type *copy;
	uint32_t *offsets;
	uint32_t at = NULLS_AT + (ncols + 7) / 8;

	if (ncols > ROW_COLS_MAX)
		return error_set(
			e, ERR_TOO_MANY_COLUMNS, 0, "at most %d columns are allowed", ROW_COLS_MAX);
	copy = arena_alloc(a, (ncols + 1) * sizeof(*copy));
	offsets = arena_alloc(a, (ncols + 1) * sizeof(*offsets));
	if (copy == NULL || offsets == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	l->slots = (uint16_t)at;
	l->nbytes = 0;
	for (unsigned c = 0; c < ncols; c++) {
		copy[c] = types[c];
		offsets[c] = at;
		at += row_slot_width(types[c].id);
		l->nbytes += type_is_bytes(types[c].id);
	}
	l->ncols = (uint16_t)ncols;
	l->fixed = at;
	l->types = copy;
	l->offsets = offsets;
	return 0;
}

void row_get(const struct row_layout *l, const void *row, unsigned col, struct value *out)
{
	const char *slot = (const char *)row + l->offsets[col];

	DEBUG_ASSERT(col < l->ncols);
	out->type = l->types[col].id;
	out->scale = 0;
	if (row_is_null(row, col)) {
		out->flags = VALUE_NULL;
		out->n = 0;
		return;
	}
	out->flags = 0;
	switch ((enum type_id)out->type) {
	case TYPE_BOOL: out->i = *slot; break;
	case TYPE_INT2: {
		int16_t v;

		memcpy(&v, slot, sizeof(v));
		out->i = v;
		break;
	}
	case TYPE_INT4:
	case TYPE_DATE: {
		int32_t v;

		memcpy(&v, slot, sizeof(v));
		out->i = v;
		break;
	}
	case TYPE_FLOAT4: memcpy(&out->f, slot, sizeof(out->f)); break;
	case TYPE_NUMERIC:
		memcpy(&out->n, slot, sizeof(out->n));
		out->scale = (uint8_t)slot[16];
		if (out->scale == NUMERIC_SLOT_NAN) {
			out->scale = 0;
			out->flags = VALUE_NAN;
		}
		break;
	case TYPE_UUID:
	case TYPE_INTERVAL: memcpy(out->uuid, slot, 16); break;
	case TYPE_INT8:
	case TYPE_FLOAT8:
	case TYPE_TIMESTAMP:
	case TYPE_TIMESTAMPTZ: memcpy(&out->i, slot, sizeof(out->i)); break;
	default: {
		uint32_t at, len;

		DEBUG_ASSERT(type_is_bytes((enum type_id)out->type));

		memcpy(&at, slot, sizeof(at));
		memcpy(&len, slot + 4, sizeof(len));
		out->s.p = (const char *)row + at;
		out->s.len = len;
		break;
	}
	}
}

uint32_t row_encoded_size(const struct row_layout *l, const struct value *values)
{
	uint64_t n = l->fixed;

	for (unsigned c = 0; l->nbytes > 0 && c < l->ncols; c++)
		if (type_is_bytes(l->types[c].id) && !value_is_null(&values[c]))
			n += values[c].s.len;
	n = (n + 7) & ~(uint64_t)7;
	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

/* Of a type of fixed width, not NULL. */
static inline void slot_put(enum type_id t, char *slot, const struct value *v)
{
	switch (t) {
	case TYPE_BOOL: *slot = v->i != 0; break;
	case TYPE_NUMERIC:
		memcpy(slot, &v->n, sizeof(v->n));
		slot[16] = (char)v->scale;
		if (v->flags & VALUE_NAN) {
			memset(slot, 0, 16);
			slot[16] = (char)NUMERIC_SLOT_NAN;
		}
		break;
	case TYPE_INT4:
	case TYPE_DATE:
	case TYPE_FLOAT4: memcpy(slot, v, 4); break;
	case TYPE_INT8:
	case TYPE_FLOAT8:
	case TYPE_TIMESTAMP:
	case TYPE_TIMESTAMPTZ: memcpy(slot, v, 8); break;
	default:
		/* Little-endian: the low bytes of the union are the narrower number. */
		memcpy(slot, v, row_slot_width(t));
		break;
	}
}

static __attribute__((noinline)) bool set_any(
	const struct row_layout *l, void *row, unsigned col, const struct value *v)
{
	enum type_id t = (enum type_id)l->types[col].id;
	uint32_t width = row_slot_width(t);
	char *bits = (char *)row + NULLS_AT + col / 8, *slot = (char *)row + l->offsets[col];
	char bit = (char)(1 << (col % 8)), was = (char)(*bits & bit), new[ROW_SLOT_MAX] = { 0 };

	DEBUG_ASSERT((!type_is_bytes(t) || value_is_null(v)) && width <= sizeof(new));
	*bits = (char)(*bits & ~bit);
	if (value_is_null(v))
		*bits |= bit;
	else
		slot_put(t, new, v);
	if ((*bits & bit) == was && row_slot_equal(slot, new, width))
		return false;
	memcpy(slot, new, width);
	return true;
}

bool row_set(const struct row_layout *l, void *row, unsigned col, const struct value *v)
{
	char *slot = (char *)row + l->offsets[col];
	int64_t old;

	/* A count for another one. */
	if (l->types[col].id != TYPE_INT8 || value_is_null(v) || row_is_null(row, col))
		return set_any(l, row, col, v);
	memcpy(&old, slot, sizeof(old));
	memcpy(slot, &v->i, sizeof(v->i));
	return old != v->i;
}

/* The bytes of one that is not NULL, at the tail. */
static void tail_put(char *row, char *slot, const struct value *v, uint32_t *tail)
{
	memcpy(slot, tail, sizeof(*tail));
	memcpy(slot + 4, &v->s.len, sizeof(v->s.len));
	if (v->s.len > 0)
		memcpy(row + *tail, v->s.p, v->s.len);
	*tail += v->s.len;
}

uint32_t row_encode(const struct row_layout *l, const struct value *values, void *out)
{
	char *row = out;
	uint32_t tail = l->fixed, size = (l->fixed + 7) & ~UINT32_C(7);

	/* As far as a row without bytes of variable length goes. */
	for (uint32_t at = 0; at < size; at += 8)
		memset(row + at, 0, 8);
	for (unsigned c = 0; c < l->ncols; c++) {
		const struct value *v = &values[c];
		enum type_id t = (enum type_id)l->types[c].id;
		char *slot = row + l->offsets[c];

		if (value_is_null(v))
			row[NULLS_AT + c / 8] |= (char)(1 << (c % 8));
		else if (t == TYPE_INT8)
			memcpy(slot, &v->i, 8);
		else if (l->nbytes > 0 && type_is_bytes(t))
			tail_put(row, slot, v, &tail);
		else
			slot_put(t, slot, v);
	}
	if (tail > l->fixed) {
		size = (tail + 7) & ~UINT32_C(7);
		memset(row + tail, 0, size - tail);
	}
	memcpy(row, &size, sizeof(size));
	return size;
}

/* --- untrusted rows --- */

static int bad(struct error *e, unsigned col, const char *what)
{
	return error_set(e, ERR_INVALID_BINARY, 0, "invalid row: column %u: %s", col + 1, what);
}

static bool zeros(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static int validate_bytes(struct type t, const char *row, const char *slot, unsigned col,
	size_t len, uint32_t *tail, struct error *e)
{
	uint32_t at, n;

	memcpy(&at, slot, sizeof(at));
	memcpy(&n, slot + 4, sizeof(n));
	if (at != *tail || n > len - at)
		return bad(e, col, "its bytes are not where the one before ends");
	*tail += n;
	if (t.id == TYPE_BYTEA)
		return 0;
	if (!utf8_valid(row + at, n))
		return error_set(e, ERR_BYTE_SEQUENCE, 0,
			"invalid row: column %u is not valid UTF-8", col + 1);
	if (t.a > 0 && n > t.a && utf8_length(row + at, n) > t.a)
		return bad(e, col, "it is longer than its type allows");
	return 0;
}

static int validate_numeric(struct type t, const char *slot, unsigned col, struct error *e)
{
	uint8_t scale = (uint8_t)slot[16];
	int128 n, max = 1;

	memcpy(&n, slot, sizeof(n));
	if (scale == NUMERIC_SLOT_NAN)
		return n == 0 ? 0 : bad(e, col, "NaN with a coefficient");
	/* 12 digits do for nearly all: without the product below, which takes longer than all the rest of a row. */
	if ((t.a == 0 || t.a >= 12) && n < INT64_C(1000000000000) && n > -INT64_C(1000000000000) &&
		scale <= LIMIT_NUMERIC_DIGITS && (t.a == 0 || scale == t.b))
		return 0;
	for (unsigned i = 0; i < (t.a > 0 ? t.a : LIMIT_NUMERIC_DIGITS); i++)
		max *= 10;
	if (scale > LIMIT_NUMERIC_DIGITS || n >= max || n <= -max || (t.a > 0 && scale != t.b))
		return bad(e, col, "numeric out of range");
	return 0;
}

/* PostgreSQL's ranges: 4714-11-24 BC to 5874897-12-31, and to 294276-12-31. */
static int validate_time(struct type t, const char *slot, unsigned col, struct error *e)
{
	int64_t first = INT64_C(-211813488000000000), end = INT64_C(9223371331200000000), v;

	if (t.id == TYPE_DATE) {
		int32_t days;

		memcpy(&days, slot, sizeof(days));
		if ((days >= -2451545 && days < 2145031949) || days == INT32_MIN ||
			days == INT32_MAX)
			return 0;
	} else {
		memcpy(&v, slot, sizeof(v));
		if ((v >= first && v < end) || v == INT64_MIN || v == INT64_MAX)
			return 0;
	}
	return error_set(e, ERR_DATETIME_OVERFLOW, 0, "invalid row: column %u: %s out of range",
		col + 1, t.id == TYPE_DATE ? "date" : "timestamp");
}

/* One that is not NULL. */
static int validate_column(const struct row_layout *l, const char *row, unsigned c, size_t len,
	uint32_t *tail, struct error *e)
{
	const char *slot = row + l->offsets[c];
	struct type t = l->types[c];

	switch ((enum type_id)t.id) {
	case TYPE_BOOL:
		return (uint8_t)*slot > 1 ? bad(e, c, "boolean that is neither 0 nor 1") : 0;
	case TYPE_NUMERIC: return validate_numeric(t, slot, c, e);
	case TYPE_DATE:
	case TYPE_TIMESTAMP:
	case TYPE_TIMESTAMPTZ: return validate_time(t, slot, c, e);
	default: return type_is_bytes(t.id) ? validate_bytes(t, row, slot, c, len, tail, e) : 0;
	}
}

static bool any_null(const struct row_layout *l, const char *row)
{
	uint8_t any = 0;

	for (unsigned i = NULLS_AT; i < l->slots; i++)
		any |= (uint8_t)row[i];
	return any != 0;
}

int row_validate(const struct row_layout *l, const void *untrusted, size_t len, struct error *e)
{
	const char *row = untrusted;
	uint32_t tail = l->fixed;
	bool nulls;

	if (len < l->fixed || len % 8 != 0 || len > ROW_SIZE_MAX || row_size(row) != len)
		return error_set(e, ERR_INVALID_BINARY, 0, "invalid row: its size is wrong");
	if (l->ncols % 8 != 0 && (uint8_t)row[NULLS_AT + l->ncols / 8] >> (l->ncols % 8) != 0)
		return error_set(
			e, ERR_INVALID_BINARY, 0, "invalid row: NULL bits beyond its columns");
	nulls = any_null(l, row);
	for (unsigned c = 0; c < l->ncols; c++) {
		/* Whatever their bytes are, they are a number. */
		if (!nulls && (l->types[c].id == TYPE_INT8 || l->types[c].id == TYPE_INT4))
			continue;
		if (nulls && row_is_null(row, c)) {
			if (!zeros(row + l->offsets[c], row_slot_width(l->types[c].id)))
				return bad(e, c, "NULL with a value");
		} else if (validate_column(l, row, c, len, &tail, e) != 0) {
			return -1;
		}
	}
	if (((tail + 7) & ~(uint32_t)7) != len || !zeros(row + tail, len - tail))
		return error_set(e, ERR_INVALID_BINARY, 0, "invalid row: its size is wrong");
	return 0;
}

/* --- keys --- */

uint64_t row_column_hash(const struct row_layout *l, const void *row, unsigned col)
{
	struct value v;

	/* The two common kinds of key, as value_hash() has them. */
	if (!row_is_null(row, col)) {
		const char *slot = (const char *)row + l->offsets[col];

		if (l->types[col].id == TYPE_INT8) {
			uint64_t i;

			memcpy(&i, slot, sizeof(i));
			return hash_u64(i);
		}
		if (l->types[col].id == TYPE_INT4) {
			int32_t i;

			memcpy(&i, slot, sizeof(i));
			return hash_u64((uint64_t)(int64_t)i);
		}
	}
	row_get(l, row, col, &v);
	return value_hash(&v);
}

__attribute__((noinline)) uint64_t row_hash(
	const struct row_layout *l, const void *row, const uint16_t *cols, unsigned n)
{
	uint64_t h;

	if (n == 0)
		return 0;
	h = row_column_hash(l, row, cols[0]);
	for (unsigned i = 1; i < n; i++)
		h = hash_combine(h, row_column_hash(l, row, cols[i]));
	return h;
}

uint64_t values_hash(const struct value *values, unsigned n)
{
	uint64_t h;

	if (n == 0)
		return 0;
	h = value_hash(&values[0]);
	for (unsigned i = 1; i < n; i++)
		h = hash_combine(h, value_hash(&values[i]));
	return h;
}

static bool column_equal(const struct row_layout *la, const void *a, unsigned ca,
	const struct row_layout *lb, const void *b, unsigned cb)
{
	enum type_id t = (enum type_id)la->types[ca].id;
	struct value x, y;

	if (row_is_null(a, ca) || row_is_null(b, cb))
		return row_is_null(a, ca) == row_is_null(b, cb);
	if (t == (enum type_id)lb->types[cb].id && row_slot_is_canonical(t))
		return row_slot_equal((const char *)a + la->offsets[ca],
			(const char *)b + lb->offsets[cb], row_slot_width(t));
	row_get(la, a, ca, &x);
	row_get(lb, b, cb, &y);
	return value_compare(&x, &y) == 0;
}

/* Not inlined, as its callers look at more common cases first, with few registers. */
__attribute__((noinline)) bool row_equal(const struct row_layout *la, const void *a,
	const uint16_t *ca, const struct row_layout *lb, const void *b, const uint16_t *cb,
	unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!column_equal(la, a, ca[i], lb, b, cb[i]))
			return false;
	return true;
}
