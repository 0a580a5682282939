/*
 * value.c: names of types, order and hash of values. Text, casts and arithmetic are core/sql's.
 */
#include "core/store/value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/hash.h"

static const struct {
	const char *name;     /* as PostgreSQL prints it */
	const char *names[4]; /* as SQL may spell it */
} TYPES[TYPE_COUNT] = {
	[TYPE_UNKNOWN] = { "unknown", { NULL } },
	[TYPE_BOOL] = { "boolean", { "bool", "boolean" } },
	[TYPE_INT2] = { "smallint", { "int2", "smallint" } },
	[TYPE_INT4] = { "integer", { "int4", "int", "integer" } },
	[TYPE_INT8] = { "bigint", { "int8", "bigint" } },
	[TYPE_FLOAT4] = { "real", { "float4", "real" } },
	[TYPE_FLOAT8] = { "double precision", { "float8", "double precision" } },
	[TYPE_NUMERIC] = { "numeric", { "numeric", "decimal" } },
	[TYPE_TEXT] = { "text", { "text" } },
	[TYPE_VARCHAR] = { "character varying", { "varchar", "character varying" } },
	[TYPE_BPCHAR] = { "character", { "bpchar", "character" } },
	[TYPE_BYTEA] = { "bytea", { "bytea" } },
	[TYPE_DATE] = { "date", { "date" } },
	[TYPE_TIMESTAMP] = { "timestamp without time zone", { "timestamp" } },
	[TYPE_TIMESTAMPTZ] = { "timestamp with time zone", { "timestamptz" } },
	[TYPE_UUID] = { "uuid", { "uuid" } },
	[TYPE_INTERVAL] = { "interval", { "interval" } },
	[TYPE_JSON] = { "json", { "json" } },
	[TYPE_JSONB] = { "jsonb", { "jsonb" } },
};

const char *type_name(struct type t, char *buf, size_t cap)
{
	bool array = type_is_array((enum type_id)t.id);
	unsigned id = array ? (unsigned)type_element((enum type_id)t.id) : t.id;
	const char *name = id < TYPE_COUNT ? TYPES[id].name : "???";

	if (array)
		(void)snprintf(buf, cap, "%s[]", name);
	else if (t.a == 0)
		(void)snprintf(buf, cap, "%s", name);
	else if (t.id == TYPE_NUMERIC)
		(void)snprintf(buf, cap, "%s(%u,%u)", name, t.a, t.b);
	else
		(void)snprintf(buf, cap, "%s(%u)", name, t.a);
	return buf;
}

enum type_id type_from_name(const char *name)
{
	for (int t = 1; t < TYPE_COUNT; t++)
		for (int i = 0; i < 4 && TYPES[t].names[i] != NULL; i++)
			if (strcmp(TYPES[t].names[i], name) == 0)
				return (enum type_id)t;
	return TYPE_UNKNOWN;
}

/* --- numerics --- */

typedef unsigned __int128 uint128;

static uint128 magnitude(int128 n)
{
	return n < 0 ? -(uint128)n : (uint128)n;
}

/* Drop trailing zeros of the fraction, so that equal numerics become the same pair. */
static void numeric_normal(const struct value *v, uint128 *n, unsigned *scale)
{
	*n = magnitude(v->n);
	*scale = v->scale;
	while (*scale > 0 && *n % 10 == 0) {
		*n /= 10;
		(*scale)--;
	}
	if (*n == 0)
		*scale = 0;
}

static uint128 power10(unsigned k)
{
	uint128 p = 1;

	while (k-- > 0)
		p *= 10;
	return p;
}

/* a / 10^sa against b / 10^sb, both not negative: whole parts, then fractions. */
static int compare_magnitude(uint128 a, unsigned sa, uint128 b, unsigned sb)
{
	uint128 pa = power10(sa), pb = power10(sb);
	uint128 wa = a / pa, wb = b / pb, fa = a % pa, fb = b % pb;

	if (wa != wb)
		return wa < wb ? -1 : 1;
	/* A fraction is below 10^38, and only the shorter one is scaled, up to the longer's digits. */
	if (sa < sb)
		fa *= power10(sb - sa);
	else
		fb *= power10(sa - sb);
	return fa < fb ? -1 : fa > fb;
}

static int compare_numeric(const struct value *a, const struct value *b)
{
	bool na = a->flags & VALUE_NAN, nb = b->flags & VALUE_NAN;

	if (na || nb)
		return na - nb;
	if (a->scale == b->scale)
		return a->n < b->n ? -1 : a->n > b->n;
	if ((a->n < 0) != (b->n < 0))
		return a->n < 0 ? -1 : 1;
	if (a->n < 0)
		return compare_magnitude(magnitude(b->n), b->scale, magnitude(a->n), a->scale);
	return compare_magnitude(magnitude(a->n), a->scale, magnitude(b->n), b->scale);
}

/* --- order --- */

static int compare_bytes(const char *a, size_t na, const char *b, size_t nb)
{
	size_t n = na < nb ? na : nb;
	int c = n == 0 ? 0 : memcmp(a, b, n);

	if (c != 0)
		return c;
	return na < nb ? -1 : na > nb;
}

static size_t unpadded(const struct value *v)
{
	size_t n = v->s.len;

	while (n > 0 && v->s.p[n - 1] == ' ')
		n--;
	return n;
}

static int compare_double(double a, double b)
{
	if (isnan(a) || isnan(b))
		return (isnan(a) != 0) - (isnan(b) != 0);
	return a < b ? -1 : a > b;
}

/* PostgreSQL compares intervals by a month of 30 days and a day of 24 hours. */
static int128 interval_span(const struct value *v)
{
	return (int128)v->iv.us +
		((int128)v->iv.months * 30 + v->iv.days) * ((int128)86400 * 1000000);
}

/* The bytes of a jsonb without the zeros at the end of its numbers' fractions. */
struct json_bytes {
	const char *p, *end;
	bool quoted, fraction; /* within a string; behind a number's point */
};

/* Whether from p on there are only zeros to the number's end. */
static bool only_zeros(const char *p, const char *end)
{
	while (p < end && *p == '0')
		p++;
	return p == end || *p < '0' || *p > '9';
}

/* The next byte, -1 at the end. */
static int json_next(struct json_bytes *j)
{
	const char *p = j->p;

	if (p == j->end)
		return -1;
	if (j->quoted) {
		j->quoted = *p != '"';
		j->p += *p == '\\' ? 2 : 1;
		/* An escape is told by its second byte, which no other has: what follows is as it is written. */
		return *p == '\\' ? 256 + (unsigned char)p[1] : (unsigned char)*p;
	}
	if ((*p == '.' && only_zeros(p + 1, j->end)) ||
		(j->fraction && *p == '0' && only_zeros(p, j->end))) {
		for (j->p++; j->p < j->end && *j->p == '0';)
			j->p++;
		j->fraction = false;
		return json_next(j);
	}
	j->quoted = *p == '"';
	j->fraction = *p == '.' || (j->fraction && *p >= '0' && *p <= '9');
	j->p++;
	return (unsigned char)*p;
}

static struct json_bytes json_begin(const struct value *v)
{
	return (struct json_bytes){ .p = v->s.p, .end = v->s.p + v->s.len };
}

static int compare_json(const struct value *a, const struct value *b)
{
	struct json_bytes x = json_begin(a), y = json_begin(b);
	int u, v;

	do {
		u = json_next(&x);
		v = json_next(&y);
	} while (u == v && u >= 0);
	return u < v ? -1 : u > v;
}

int value_compare(const struct value *a, const struct value *b)
{
	if (type_is_array((enum type_id)a->type))
		return compare_bytes(a->s.p, a->s.len, b->s.p, b->s.len);
	switch ((enum type_id)a->type) {
	case TYPE_FLOAT4: return compare_double((double)a->f, (double)b->f);
	case TYPE_FLOAT8: return compare_double(a->d, b->d);
	case TYPE_NUMERIC: return compare_numeric(a, b);
	case TYPE_TEXT:
	case TYPE_VARCHAR:
	case TYPE_JSON:
	case TYPE_BYTEA: return compare_bytes(a->s.p, a->s.len, b->s.p, b->s.len);
	case TYPE_JSONB: return compare_json(a, b);
	case TYPE_BPCHAR: return compare_bytes(a->s.p, unpadded(a), b->s.p, unpadded(b));
	case TYPE_UUID: return memcmp(a->uuid, b->uuid, sizeof(a->uuid));
	case TYPE_INTERVAL: {
		int128 x = interval_span(a), y = interval_span(b);

		return x < y ? -1 : x > y;
	}
	default: return a->i < b->i ? -1 : a->i > b->i;
	}
}

/* --- hash --- */

static uint64_t hash_double(double d)
{
	uint64_t bits;

	if (d == 0)
		d = 0; /* -0.0 */
	if (isnan(d))
		d = (double)NAN;
	memcpy(&bits, &d, sizeof(bits));
	return hash_u64(isnan(d) ? UINT64_C(0x7ff8000000000000) : bits);
}

static uint64_t hash_128(uint128 n, uint64_t seed)
{
	return hash_combine(hash_combine(seed, (uint64_t)n), (uint64_t)(n >> 64));
}

static uint64_t hash_json(const struct value *v)
{
	struct json_bytes j = json_begin(v);
	uint64_t h = 0;

	for (int c; (c = json_next(&j)) >= 0;)
		h = hash_combine(h, (uint64_t)c);
	return h;
}

uint64_t value_hash(const struct value *v)
{
	if (value_is_null(v))
		return hash_u64(UINT64_C(0x6e756c6c));
	if (type_is_array((enum type_id)v->type))
		return hash_bytes(v->s.p, v->s.len, 0);
	switch ((enum type_id)v->type) {
	case TYPE_FLOAT4: return hash_double((double)v->f);
	case TYPE_FLOAT8: return hash_double(v->d);
	case TYPE_NUMERIC: {
		uint128 n;
		unsigned scale;

		if (v->flags & VALUE_NAN)
			return hash_u64(UINT64_C(0x6e616e));
		numeric_normal(v, &n, &scale);
		return hash_128(n, scale + (v->n < 0 ? 64u : 0u));
	}
	case TYPE_TEXT:
	case TYPE_VARCHAR:
	case TYPE_JSON:
	case TYPE_BYTEA: return hash_bytes(v->s.p, v->s.len, 0);
	case TYPE_JSONB: return hash_json(v);
	case TYPE_BPCHAR: return hash_bytes(v->s.p, unpadded(v), 0);
	case TYPE_UUID: return hash_bytes(v->uuid, sizeof(v->uuid), 0);
	case TYPE_INTERVAL: return hash_128((uint128)interval_span(v), 0);
	default: return hash_u64((uint64_t)v->i);
	}
}
