/*
 * rowkey.c: see rowkey.h.
 */
#include "core/store/rowkey.h"

/* Bytes of a whole number's slot; 0: it is another type. */
static uint8_t whole_width(enum type_id t)
{
	switch (t) {
	case TYPE_INT4:
	case TYPE_DATE: return 4;
	case TYPE_INT8:
	case TYPE_TIMESTAMP:
	case TYPE_TIMESTAMPTZ: return 8;
	default: return 0;
	}
}

void rowkey_init(
	struct rowkey *k, const struct row_layout *layout, const uint16_t *cols, unsigned n)
{
	*k = (struct rowkey){ .layout = layout, .cols = cols, .n = n };
	if (n > ROWKEY_WHOLE)
		return;
	for (unsigned i = 0; i < n; i++) {
		uint8_t width = whole_width((enum type_id)layout->types[cols[i]].id);

		if (width == 0)
			return;
		k->slots[i] = (struct rowkey_slot){ layout->offsets[cols[i]],
			(uint16_t)(ROW_NULLS_AT + cols[i] / 8), (uint8_t)(1 << (cols[i] % 8)),
			width };
	}
	k->whole = n;
}

__attribute__((noinline)) uint64_t rowkey_hash_other(const struct rowkey *k, const void *row)
{
	uint64_t number, h = 0;

	if (k->whole == 0)
		return row_hash(k->layout, row, k->cols, k->n);
	for (unsigned i = 0; i < k->whole; i++) {
		if (!rowkey_number(&k->slots[i], row, &number))
			return row_hash(k->layout, row, k->cols, k->n);
		number = hash_u64(number);
		h = i == 0 ? number : hash_combine(h, number);
	}
	return h;
}

__attribute__((noinline)) bool rowkey_equal_other(
	const struct rowkey *ka, const void *a, const struct rowkey *kb, const void *b)
{
	uint64_t x, y;

	if (ka->whole == 0 || kb->whole == 0)
		return row_equal(ka->layout, a, ka->cols, kb->layout, b, kb->cols, ka->n);
	for (unsigned i = 0; i < ka->whole; i++) {
		bool there = rowkey_number(&ka->slots[i], a, &x);

		if (there != rowkey_number(&kb->slots[i], b, &y) || (there && x != y))
			return false;
	}
	return true;
}
