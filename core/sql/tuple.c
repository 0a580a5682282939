/*
 * tuple.c: see tuple.h. Numbers are written with the highest byte first and the sign turned, so that they sort as bytes;
 * a numeric as its exponent and its digits; text with an end that is less than any character.
 */
#include "core/sql/tuple.h"

#include <math.h>
#include <string.h>

#include "core/base/limits.h"
#include "core/sql/datetime.h"
#include "core/sql/function_table.h"
#include "core/sql/numeric.h"

enum { TRAILER = 9, KEY_FIXED_MAX = NUMERIC_DIGITS + 8 };

struct writer {
	uint8_t *p;
	size_t n;
};

static void put(struct writer *w, uint8_t byte)
{
	w->p[w->n++] = byte;
}

static void put_number(struct writer *w, uint64_t u)
{
	for (int shift = 56; shift >= 0; shift -= 8)
		put(w, (uint8_t)(u >> shift));
}

static void put_double(struct writer *w, double d)
{
	uint64_t u;

	d = d == 0 ? 0 : d;
	memcpy(&u, &d, sizeof(u));
	if (isnan(d))
		u = UINT64_MAX;
	else
		u = u >> 63 ? ~u : u | UINT64_C(1) << 63;
	put_number(w, u);
}

/* Sign; exponent and digits of 0.ddd × 10^exponent, turned when it is negative. */
static void put_numeric(struct writer *w, const struct value *v)
{
	uint128 n = v->n < 0 ? -(uint128)v->n : (uint128)v->n;
	uint8_t turned = v->n < 0 ? 0xff : 0;
	unsigned digits = u128_digits(n);

	if (v->flags & VALUE_NAN) {
		put(w, 3);
		return;
	}
	put(w, n == 0 ? 1 : v->n < 0 ? 0 : 2);
	if (n == 0)
		return;
	put(w, (uint8_t)(128 + (int)digits - v->scale) ^ turned);
	for (; n != 0; n %= numeric_pow10[digits])
		put(w, (uint8_t)(1 + n / numeric_pow10[--digits]) ^ turned);
	put(w, turned);
}

static void put_text(struct writer *w, const struct value *v)
{
	size_t len = v->s.len;

	while (v->type == TYPE_BPCHAR && len > 0 && v->s.p[len - 1] == ' ')
		len--;
	for (size_t i = 0; i < len; i++) {
		put(w, (uint8_t)v->s.p[i]);
		if (v->s.p[i] == '\0')
			put(w, 0xff);
	}
	put(w, 0);
	put(w, 0);
}

static void put_interval(struct writer *w, const struct value *v)
{
	int128 span = v->iv.us + ((int128)v->iv.months * 30 + v->iv.days) * USECS_PER_DAY;

	put_number(w, (uint64_t)(span >> 64) ^ UINT64_C(1) << 63);
	put_number(w, (uint64_t)span);
}

static void put_key(struct writer *w, const struct value *v, uint8_t direction)
{
	size_t begin;

	if (value_is_null(v)) {
		put(w, direction & TUPLE_NULLS_FIRST ? 0 : 2);
		return;
	}
	put(w, 1);
	begin = w->n;
	switch ((enum type_id)v->type) {
	case TYPE_FLOAT4: put_double(w, (double)v->f); break;
	case TYPE_FLOAT8: put_double(w, v->d); break;
	case TYPE_NUMERIC: put_numeric(w, v); break;
	case TYPE_TEXT:
	case TYPE_VARCHAR:
	case TYPE_BPCHAR:
	case TYPE_BYTEA: put_text(w, v); break;
	case TYPE_UUID:
		memcpy(w->p + w->n, v->uuid, sizeof(v->uuid));
		w->n += sizeof(v->uuid);
		break;
	case TYPE_INTERVAL: put_interval(w, v); break;
	default: put_number(w, (uint64_t)v->i ^ UINT64_C(1) << 63); break;
	}
	for (size_t i = begin; (direction & TUPLE_DESCENDING) && i < w->n; i++)
		w->p[i] ^= 0xff;
}

/* At most so many bytes. */
static size_t room(const struct value *a, unsigned n)
{
	size_t bytes = TRAILER;

	for (unsigned i = 1; i < n; i++)
		bytes += KEY_FIXED_MAX +
			(type_is_bytes((enum type_id)a[i].type) && !value_is_null(&a[i])
					? 2 * (size_t)a[i].s.len
					: 0);
	return bytes;
}

static void put_bytes(struct writer *w, const struct value *v)
{
	if (value_is_null(v) || v->s.len == 0)
		return;
	memcpy(w->p + w->n, v->s.p, v->s.len);
	w->n += v->s.len;
}

static int tuple_pack(ARGS)
{
	const struct value *value = &a[n - 2], *separator = &a[n - 1];
	struct writer w = { .n = 0 };
	uint32_t at[2];

	result(out, TYPE_BYTEA);
	if (value_is_null(value)) {
		out->flags = VALUE_NULL;
		return 0;
	}
	w.p = arena_alloc(c->arena, room(a, n));
	if (w.p == NULL)
		return error_set(c->error, ERR_OUT_OF_MEMORY, 0, NULL);
	for (unsigned i = 1; i < n - 2; i++)
		put_key(&w, &a[i], (uint8_t)a[0].s.p[i - 1]);
	at[0] = (uint32_t)w.n;
	at[1] = value->s.len;
	put_bytes(&w, value);
	put_bytes(&w, separator);
	memcpy(w.p + w.n, at, sizeof(at));
	w.n += sizeof(at);
	put(&w, !value_is_null(separator));
	out->s.p = (const char *)w.p;
	out->s.len = (uint32_t)w.n;
	return 0;
}

const struct function TUPLE_PACK = { .name = "tuple",
	.nargs = 1,
	.variadic = true,
	.args = { TYPE_BYTEA },
	.result = TYPE_BYTEA,
	.eval = tuple_pack };

void tuple_unpack(const struct value *tuple, struct value *value, struct value *separator)
{
	const char *trailer = tuple->s.p + tuple->s.len - TRAILER;
	uint32_t at[2];

	memcpy(at, trailer, sizeof(at));
	result(value, TYPE_TEXT);
	value->s.p = tuple->s.p + at[0];
	value->s.len = at[1];
	result(separator, TYPE_TEXT);
	separator->s.p = value->s.p + at[1];
	separator->s.len = (uint32_t)(trailer - separator->s.p);
	if (trailer[8] == 0)
		separator->flags = VALUE_NULL;
}
