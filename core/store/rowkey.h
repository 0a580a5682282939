/*
 * rowkey.h: the key columns of rows of one layout, prepared once to be hashed and compared many times.
 *
 * The results are those of row_hash() and row_equal(). Keys of a few integers, dates or timestamps, which nearly all are,
 * are read where they lie, without a look at types.
 */
#ifndef LF_STORE_ROWKEY_H
#define LF_STORE_ROWKEY_H

#include "core/base/hash.h"
#include "core/store/row.h"

enum { ROWKEY_WHOLE = 3 /* columns; with more the types are looked at */ };

struct rowkey_slot {
	uint32_t at; /* offset in the row */
	uint16_t null_byte;
	uint8_t null_mask;
	uint8_t width; /* 8 or 4 bytes */
};

struct rowkey {
	const struct row_layout *layout; /* both by reference */
	const uint16_t *cols;
	unsigned n;
	unsigned whole; /* n, when all are whole numbers and few; else 0 */
	struct rowkey_slot slots[ROWKEY_WHOLE];
};

void rowkey_init(
	struct rowkey *k, const struct row_layout *layout, const uint16_t *cols, unsigned n);

/* The number in a slot; false: it is NULL. */
static inline bool rowkey_number(const struct rowkey_slot *s, const void *row, uint64_t *out)
{
	const uint8_t *bytes = row;
	int32_t narrow;

	if (bytes[s->null_byte] & s->null_mask)
		return false;
	if (s->width == 8) {
		memcpy(out, bytes + s->at, 8);
	} else {
		memcpy(&narrow, bytes + s->at, 4);
		*out = (uint64_t)(int64_t)narrow;
	}
	return true;
}

/* Of several columns, or with NULL; by itself, so that the usual key is a few instructions in its callers. */
uint64_t rowkey_hash_other(const struct rowkey *k, const void *row);
static inline uint64_t rowkey_hash(const struct rowkey *k, const void *row)
{
	uint64_t number;

	if (__builtin_expect(k->whole == 1 && rowkey_number(&k->slots[0], row, &number), 1))
		return hash_u64(number);
	return rowkey_hash_other(k, row);
}

/* Whether two keys of the same number of columns are equal, NULL equal to NULL. */
bool rowkey_equal_other(
	const struct rowkey *ka, const void *a, const struct rowkey *kb, const void *b);
static inline bool rowkey_equal(
	const struct rowkey *ka, const void *a, const struct rowkey *kb, const void *b)
{
	uint64_t x, y;

	if (__builtin_expect(ka->whole == 1 && kb->whole == 1 &&
			    rowkey_number(&ka->slots[0], a, &x) &&
			    rowkey_number(&kb->slots[0], b, &y),
		    1))
		return x == y;
	return rowkey_equal_other(ka, a, kb, b);
}

#endif
