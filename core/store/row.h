/*
 * row.h: the one row format: table, wire and journal.
 *
 *   0        u32  size     bytes of the whole row, this field included; a multiple of 8
 *   4        u8[] nulls    (ncols+7)/8 bytes; bit c%8 of byte c/8 set: column c is NULL (slot is 0)
 *   …        slots         packed in column order, width by type, little-endian:
 *                          bool 1, int2 2, int4/date/float4 4, int8/float8/timestamp(tz) 8,
 *                          numeric 17 (int128 coefficient, u8 scale; scale 255: NaN), uuid 16,
 *                          text/varchar/char/bytea/json(b) 8 (u32 offset from the row's start, u32 length),
 *                          interval 16 (int64 us, int32 days, int32 months)
 *   …        tail          bytes of the variable-length columns, then zeros up to size
 *
 * Everything is read with memcpy: slots are not aligned. A layout is computed once a table, view,
 * parameter list or result. Rows are self-contained and position-independent. Unused bytes are
 * zero and encoding is canonical: equal column values of one layout give equal bytes, except
 * numerics of different scale and -0.0.
 */
#ifndef LF_STORE_ROW_H
#define LF_STORE_ROW_H

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/store/value.h"
#include <string.h>

enum { ROW_COLS_MAX = 1600, ROW_SIZE_MAX = 1 << 24, ROW_NULLS_AT = 4 };

struct row_layout {
	uint16_t ncols;
	uint16_t slots;           /* offset of the first slot */
	uint16_t nbytes;          /* columns of variable length */
	uint32_t fixed;           /* offset of the tail: size of a row without variable bytes */
	const struct type *types; /* ncols; owned by whoever owns the layout's arena */
	const uint32_t *offsets;  /* ncols */
};

/* Bytes of a type's slot. */
uint32_t row_slot_width(enum type_id t);
/* Whether two values of the type are equal exactly when their slots' bytes are. */
bool row_slot_is_canonical(enum type_id t);
static inline bool row_slot_equal(const void *a, const void *b, uint32_t width)
{
	uint64_t x = 0, y = 0;

	if (width == 8) {
		memcpy(&x, a, 8);
		memcpy(&y, b, 8);
		return x == y;
	}
	if (width == 4) {
		memcpy(&x, a, 4);
		memcpy(&y, b, 4);
		return x == y;
	}
	return memcmp(a, b, width) == 0;
}
/* Fill *l for ncols types, copying into arena a. 0, or -1 (54011 too many columns, 53200). */
int row_layout_init(struct row_layout *l, const struct type *types, unsigned ncols, struct arena *a,
	struct error *e);

static inline uint32_t row_size(const void *row)
{
	uint32_t n;
	memcpy(&n, row, 4);
	return n;
}
/* The NULL bits, (ncols+7)/8 bytes. */
static inline const uint8_t *row_nulls(const void *row)
{
	return (const uint8_t *)row + ROW_NULLS_AT;
}
static inline bool row_is_null(const void *row, unsigned col)
{
	return row_nulls(row)[col / 8] >> (col % 8) & 1;
}

/* Column col as a value; text and bytea point into the row. */
void row_get(const struct row_layout *l, const void *row, unsigned col, struct value *out);

/* Bytes that a row of these values needs (ncols values, types already those of the layout). */
uint32_t row_encoded_size(const struct row_layout *l, const struct value *values);
/* Write the row into out (row_encoded_size bytes). Returns its size. */
uint32_t row_encode(const struct row_layout *l, const struct value *values, void *out);

/* Write one column of a row that is there: of fixed width, or v is NULL. Whether its bytes are others now. */
bool row_set(const struct row_layout *l, void *row, unsigned col, const struct value *v);

/* Check that `len` untrusted bytes are a well-formed row of the layout: size, offsets and lengths
 * inside, zero padding, value ranges, UTF-8 of text, modifiers. 0, or -1 with 22P03 (22021: not UTF-8; 22008: no date). */
int row_validate(const struct row_layout *l, const void *row, size_t len, struct error *e);

/* Hash of the given columns, combined from value_hash; independent of layout. */
uint64_t row_hash(const struct row_layout *l, const void *row, const uint16_t *cols, unsigned n);
uint64_t row_column_hash(const struct row_layout *l, const void *row, unsigned col);
uint64_t values_hash(const struct value *values, unsigned n);
/* Whether the columns are equal, NULL equal to NULL (grouping semantics). */
bool row_equal(const struct row_layout *la, const void *a, const uint16_t *ca,
	const struct row_layout *lb, const void *b, const uint16_t *cb, unsigned n);

/* The shard of a partition hash. shards >= 1. */
static inline unsigned shard_of(uint64_t hash, unsigned shards)
{
	return (unsigned)(((hash >> 32) * (uint64_t)shards) >> 32);
}

#endif
