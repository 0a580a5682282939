/*
 * sortkey.c: see sortkey.h.
 */
#include "core/store/sortkey.h"

#include <math.h>

#include "core/base/assert.h"
#include "core/base/limits.h"

enum {
	MARKER_FIRST = 0, /* NULL before values */
	MARKER_VALUE = 1,
	MARKER_LAST = 2,
	WORD = 8,
	NUMERIC_BYTES = 18,
	/* First byte of a numeric. */
	NUMERIC_NEGATIVE = 0,
	NUMERIC_ZERO = 1,
	NUMERIC_POSITIVE = 2,
	NUMERIC_NAN = 3,
	EXPONENT_BIAS = 64
};

/* Value = 0.digits * 10^exponent: -37 … 38 with at most 38 digits and places. */
_Static_assert(LIMIT_NUMERIC_DIGITS < EXPONENT_BIAS, "a biased exponent is a positive byte");

typedef unsigned __int128 uint128;

static char *put_word(char *out, uint64_t w)
{
	w = __builtin_bswap64(w);
	memcpy(out, &w, WORD);
	return out + WORD;
}

static char *put_double(char *out, double d)
{
	uint64_t bits;

	if (isnan(d))
		d = (double)NAN; /* one of them, and not negative */
	if (d == 0)
		d = 0; /* -0.0 */
	memcpy(&bits, &d, sizeof(bits));
	if (isnan(d))
		bits &= INT64_MAX;
	return put_word(out, bits >> 63 ? ~bits : bits | UINT64_C(1) << 63);
}

static char *put_numeric(char *out, const struct value *v)
{
	bool negative = v->n < 0;
	uint128 n = negative ? -(uint128)v->n : (uint128)v->n, digits;
	const uint128 least = (uint128)UINT64_C(10000000000000000000) *
		UINT64_C(1000000000000000000); /* of 38 digits: 10^37 */
	int exponent = LIMIT_NUMERIC_DIGITS - v->scale;

	memset(out, 0, NUMERIC_BYTES);
	if ((v->flags & VALUE_NAN) || n == 0) {
		*out = v->flags & VALUE_NAN ? NUMERIC_NAN : NUMERIC_ZERO;
		return out + NUMERIC_BYTES;
	}
	/* Left-aligned: the first of the 38 digits is not 0. */
	for (digits = n; digits < least; exponent--)
		digits *= 10;
	out[0] = negative ? NUMERIC_NEGATIVE : NUMERIC_POSITIVE;
	out[1] = (char)(EXPONENT_BIAS + exponent);
	put_word(put_word(out + 2, (uint64_t)(digits >> 64)), (uint64_t)digits);
	for (unsigned i = 1; negative && i < NUMERIC_BYTES; i++)
		out[i] = (char)~out[i];
	return out + NUMERIC_BYTES;
}

/* By its length, a month of 30 days and a day of 24 hours, as value_compare() has it. */
static char *put_interval(char *out, const struct value *v)
{
	int128 span = v->iv.us +
		((int128)v->iv.months * 30 + v->iv.days) * ((int128)86400 * 1000000);

	return put_word(put_word(out, (uint64_t)(span >> 64) ^ UINT64_C(1) << 63), (uint64_t)span);
}

/* char(n) is compared without them. */
static uint32_t bytes_length(const struct value *v)
{
	uint32_t n = v->s.len;

	while (v->type == TYPE_BPCHAR && n > 0 && v->s.p[n - 1] == ' ')
		n--;
	return n;
}

static char *put_bytes(char *out, const struct value *v)
{
	uint32_t n = bytes_length(v);

	for (uint32_t i = 0; i < n; i++) {
		*out++ = v->s.p[i];
		if (v->s.p[i] == 0)
			*out++ = 1;
	}
	*out++ = 0;
	*out++ = 0;
	return out;
}

static size_t bytes_size(const struct value *v)
{
	uint32_t n = bytes_length(v);
	size_t size = n + 2u;

	for (uint32_t i = 0; i < n; i++)
		size += v->s.p[i] == 0;
	return size;
}

static bool is_integer(enum type_id t)
{
	return t == TYPE_INT2 || t == TYPE_INT4 || t == TYPE_INT8;
}

static bool is_float(enum type_id t)
{
	return t == TYPE_FLOAT4 || t == TYPE_FLOAT8;
}

static bool is_text(enum type_id t)
{
	return t == TYPE_TEXT || t == TYPE_VARCHAR;
}

bool sortkey_comparable(enum type_id a, enum type_id b)
{
	return a == b || (is_integer(a) && is_integer(b)) || (is_float(a) && is_float(b)) ||
		(is_text(a) && is_text(b));
}

size_t sortkey_size(const struct value *v)
{
	if (value_is_null(v))
		return 1;
	switch ((enum type_id)v->type) {
	case TYPE_BOOL: return 2;
	case TYPE_NUMERIC: return 1 + NUMERIC_BYTES;
	case TYPE_UUID: return 1 + sizeof(v->uuid);
	case TYPE_INTERVAL: return 1 + 2 * WORD;
	case TYPE_TEXT:
	case TYPE_VARCHAR:
	case TYPE_BPCHAR:
	case TYPE_BYTEA: return 1 + bytes_size(v);
	default: return 1 + WORD;
	}
}

char *sortkey_put_marker(char *out, bool null, unsigned flags)
{
	*out = !null ? MARKER_VALUE : flags & SORT_NULLS_FIRST ? MARKER_FIRST : MARKER_LAST;
	return out + 1;
}

char *sortkey_put(char *out, const struct value *v, unsigned flags)
{
	char *from = sortkey_put_marker(out, value_is_null(v), flags), *end = from;

	DEBUG_ASSERT(v->type != TYPE_JSON && v->type != TYPE_JSONB);
	if (value_is_null(v))
		return from;
	switch ((enum type_id)v->type) {
	case TYPE_BOOL: *end++ = v->i != 0; break;
	case TYPE_FLOAT4: end = put_double(from, (double)v->f); break;
	case TYPE_FLOAT8: end = put_double(from, v->d); break;
	case TYPE_NUMERIC: end = put_numeric(from, v); break;
	case TYPE_UUID:
		memcpy(from, v->uuid, sizeof(v->uuid));
		end += sizeof(v->uuid);
		break;
	case TYPE_INTERVAL: end = put_interval(from, v); break;
	case TYPE_TEXT:
	case TYPE_VARCHAR:
	case TYPE_BPCHAR:
	case TYPE_BYTEA: end = put_bytes(from, v); break;
	default: end = put_word(from, (uint64_t)v->i ^ UINT64_C(1) << 63); break;
	}
	for (char *p = from; (flags & SORT_DESCENDING) && p < end; p++)
		*p = (char)~*p;
	return end;
}

size_t sortkey_row_size(
	const struct row_layout *l, const void *row, const uint16_t *cols, unsigned n)
{
	size_t size = 0;
	struct value v;

	for (unsigned i = 0; i < n; i++) {
		row_get(l, row, cols[i], &v);
		size += sortkey_size(&v);
	}
	return size;
}

char *sortkey_put_row(char *out, const struct row_layout *l, const void *row, const uint16_t *cols,
	const uint8_t *flags, unsigned n)
{
	struct value v;

	for (unsigned i = 0; i < n; i++) {
		row_get(l, row, cols[i], &v);
		out = sortkey_put(out, &v, flags == NULL ? 0 : flags[i]);
	}
	return out;
}
