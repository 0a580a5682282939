/*
 * sortkey.h: values as bytes whose memcmp() order is their SQL order.
 *
 *   marker   u8   NULL: 0x00 with SORT_NULLS_FIRST, else 0x02; a value: 0x01
 *   value    none for NULL; else by type, every bit turned over with SORT_DESCENDING:
 *            bool 1 byte; integers, date and timestamps 8 bytes, big-endian, sign flipped; real as double,
 *            double 8 bytes, big-endian, sign flipped or (negative) all bits, NaN greatest;
 *            numeric 18 bytes: sign and NaN, decimal exponent, 38 digits as a big-endian integer;
 *            uuid its 16 bytes; interval its length in microseconds, 16 bytes, big-endian, sign flipped; text, varchar, char(n) without trailing blanks and bytea: the bytes, 0x00 as
 *            0x00 0x01, then 0x00 0x00
 *
 * A column's bytes tell where they end, so keys of several columns are their columns' bytes one after the other, and
 * no key is the beginning of another one. Equal values (value_compare() == 0) have equal bytes.
 */
#ifndef LF_STORE_SORTKEY_H
#define LF_STORE_SORTKEY_H

#include "core/store/row.h"

enum sort_flag { SORT_DESCENDING = 1, SORT_NULLS_FIRST = 2 };

/* Whether values of the two types are ordered by their bytes among one another, too: integers of any width, real and
 * double, text and varchar. */
bool sortkey_comparable(enum type_id a, enum type_id b);

/* Bytes of one value; json and jsonb have none. */
size_t sortkey_size(const struct value *v);
/* Write them; returns their end. flags: enum sort_flag. */
char *sortkey_put(char *out, const struct value *v, unsigned flags);
/* Just the marker of NULL or of a value: 1 byte. */
char *sortkey_put_marker(char *out, bool null, unsigned flags);

/* The same for columns of a row; flags: one a column, NULL: none set. */
size_t sortkey_row_size(
	const struct row_layout *l, const void *row, const uint16_t *cols, unsigned n);
char *sortkey_put_row(char *out, const struct row_layout *l, const void *row, const uint16_t *cols,
	const uint8_t *flags, unsigned n);

#endif
