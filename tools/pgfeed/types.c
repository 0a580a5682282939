/*
 * types.c: see types.h.
 */
#include "tools/pgfeed/types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/pgfeed/bytes.h"

enum {
	NUMERIC_DIGITS_MAX = 38,
	CHARS_MAX = 65535,
	HEADER = 4, /* that PostgreSQL adds to modifiers of lengths */
	NUMERIC_NEGATIVE = 0x4000,
	NUMERIC_NAN = 0xc000,
	NUMERIC_INFINITY = 0xd000,
	NUMERIC_MINUS_INFINITY = 0xf000
};

static const struct {
	uint32_t oid;
	bool binary;
	const char *name;
} TYPES[] = {
	{ OID_BOOL, true, "boolean" },
	{ OID_BYTEA, true, "bytea" },
	{ OID_INT8, true, "bigint" },
	{ OID_INT2, true, "smallint" },
	{ OID_INT4, true, "integer" },
	{ OID_TEXT, true, "text" },
	{ OID_JSON, true, "json" },
	{ OID_FLOAT4, true, "real" },
	{ OID_FLOAT8, true, "double precision" },
	{ OID_BPCHAR, true, NULL },
	{ OID_VARCHAR, true, NULL },
	{ OID_DATE, true, "date" },
	{ OID_TIMESTAMP, true, "timestamp" },
	{ OID_TIMESTAMPTZ, true, "timestamptz" },
	/* There is no setter for it but from text. */
	{ OID_INTERVAL, false, "interval" },
	{ OID_NUMERIC, true, NULL },
	{ OID_UUID, true, "uuid" },
	{ OID_JSONB, true, "jsonb" },
};

enum { NTYPES = sizeof(TYPES) / sizeof(TYPES[0]) };

static void chars(const char *name, int32_t modifier, char *out)
{
	int32_t n = modifier - HEADER;

	if (n < 1 || n > CHARS_MAX)
		(void)snprintf(out, TYPE_TEXT_MAX, "text");
	else
		(void)snprintf(out, TYPE_TEXT_MAX, "%s(%d)", name, (int)n);
}

/* What Leftfold cannot have as a modifier (more digits, a scale below 0 or above the digits) is a numeric without one, which
 * has whatever fits 38 digits. */
static void numeric(int32_t modifier, char *out)
{
	int32_t m = modifier - HEADER, precision = m >> 16 & 0xffff, scale = m & 0x7ff;

	if (scale > 1023)
		scale -= 2048;
	if (modifier < HEADER || precision > NUMERIC_DIGITS_MAX || scale < 0 || scale > precision)
		(void)snprintf(out, TYPE_TEXT_MAX, "numeric");
	else
		(void)snprintf(out, TYPE_TEXT_MAX, "numeric(%d,%d)", (int)precision, (int)scale);
}

bool type_map(uint32_t oid, int32_t modifier, char *out)
{
	for (unsigned i = 0; i < NTYPES; i++) {
		if (TYPES[i].oid != oid)
			continue;
		if (oid == OID_NUMERIC)
			numeric(modifier, out);
		else if (TYPES[i].name == NULL)
			chars(oid == OID_VARCHAR ? "varchar" : "char", modifier, out);
		else
			(void)snprintf(out, TYPE_TEXT_MAX, "%s", TYPES[i].name);
		return true;
	}
	(void)snprintf(out, TYPE_TEXT_MAX, "text");
	return false;
}

bool type_has_binary(uint32_t oid)
{
	for (unsigned i = 0; i < NTYPES; i++)
		if (TYPES[i].oid == oid)
			return TYPES[i].binary;
	return false;
}

/* --- text --- */

/* A whole number of at most 18 digits. */
static bool whole(const char *s, size_t n, int64_t *out)
{
	bool negative = n > 0 && s[0] == '-';
	size_t i = negative;
	int64_t v = 0;

	if (n == i || n - i > 18)
		return false;
	for (; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = 10 * v + (s[i] - '0');
	}
	*out = negative ? -v : v;
	return true;
}

int value_set_text(
	struct lf_params *p, unsigned param, struct lf_type type, const char *s, size_t n)
{
	int64_t v;

	switch (type.id) {
	case LF_TYPE_TEXT:
	case LF_TYPE_VARCHAR:
	case LF_TYPE_CHAR: return lf_params_set_text(p, param, s, n);
	case LF_TYPE_INT2:
	case LF_TYPE_INT4:
	case LF_TYPE_INT8:
		if (whole(s, n, &v))
			return lf_params_set_int(p, param, v);
		break;
	default: break;
	}
	return lf_params_parse(p, param, s, n);
}

/* --- binary --- */

/* numeric: how many groups of four digits, the weight of the first in powers of 10000, sign, digits behind the point that are
 * shown; the groups. */
struct numeric {
	int ngroups, weight, sign, scale;
	const uint8_t *groups;
};

static bool numeric_read(struct numeric *v, const uint8_t *p, size_t n)
{
	if (n < 8)
		return false;
	*v = (struct numeric){ get_u16(p), (int16_t)get_u16(p + 2), get_u16(p + 4), get_u16(p + 6),
		p + 8 };
	return n == 8 + 2 * (size_t)v->ngroups;
}

static int group(const struct numeric *v, int power)
{
	int i = v->weight - power;

	return i < 0 || i >= v->ngroups ? 0 : get_u16(v->groups + 2 * (size_t)i);
}

/* As a whole number with v->scale decimals, if it has four groups at most. */
static bool numeric_small(const struct numeric *v, int64_t *out)
{
	static const int POWERS[] = { 1, 10, 100, 1000 };
	int lowest = -((v->scale + 3) / 4), spare = -4 * lowest - v->scale;
	int64_t sum = 0;

	if (v->scale > 16 || v->weight - lowest > 3)
		return false;
	for (int power = v->weight; power >= lowest; power--)
		sum = power == lowest && spare > 0
			? sum * POWERS[4 - spare] + group(v, power) / POWERS[spare]
			: sum * 10000 + group(v, power);
	*out = v->sign == NUMERIC_NEGATIVE ? -sum : sum;
	return true;
}

static int numeric_as_text(struct lf_params *p, unsigned param, const struct numeric *v)
{
	int whole_groups = v->weight < 0 ? 1 : v->weight + 1, fraction = (v->scale + 3) / 4, status;
	char *text = malloc(4 * ((size_t)whole_groups + (size_t)fraction) + 8), *t = text;

	if (text == NULL)
		return -1;
	if (v->sign == NUMERIC_NEGATIVE)
		*t++ = '-';
	for (int power = whole_groups - 1; power >= -fraction; power--) {
		if (power == -1)
			*t++ = '.';
		t += sprintf(t, "%04d", group(v, power));
	}
	t -= 4 * fraction - v->scale;
	status = lf_params_parse(p, param, text, (size_t)(t - text));
	free(text);
	return status;
}

static int numeric_set(struct lf_params *p, unsigned param, const uint8_t *bytes, size_t n)
{
	struct numeric v;
	int64_t small;

	if (!numeric_read(&v, bytes, n))
		return -1;
	switch (v.sign) {
	case NUMERIC_NAN: return lf_params_parse(p, param, "NaN", 3);
	case NUMERIC_INFINITY: return lf_params_parse(p, param, "Infinity", 8);
	case NUMERIC_MINUS_INFINITY: return lf_params_parse(p, param, "-Infinity", 9);
	default: break;
	}
	if (numeric_small(&v, &small))
		return lf_params_set_decimal(p, param, small, (unsigned)v.scale);
	return numeric_as_text(p, param, &v);
}

static double as_double(uint64_t bits)
{
	double d;

	memcpy(&d, &bits, sizeof(d));
	return d;
}

static float as_float(uint32_t bits)
{
	float f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

static size_t width(uint32_t oid)
{
	switch (oid) {
	case OID_BOOL: return 1;
	case OID_INT2: return 2;
	case OID_INT4:
	case OID_FLOAT4:
	case OID_DATE: return 4;
	case OID_INT8:
	case OID_FLOAT8:
	case OID_TIMESTAMP:
	case OID_TIMESTAMPTZ: return 8;
	case OID_UUID: return 16;
	default: return 0;
	}
}

int value_set_binary(struct lf_params *p, unsigned param, uint32_t oid, const void *bytes, size_t n)
{
	const uint8_t *b = bytes;

	if (width(oid) != 0 && n != width(oid))
		return -1;
	switch (oid) {
	case OID_BOOL: return lf_params_set_bool(p, param, b[0] != 0);
	case OID_INT2: return lf_params_set_int(p, param, (int16_t)get_u16(b));
	case OID_INT4: return lf_params_set_int(p, param, (int32_t)get_u32(b));
	case OID_INT8: return lf_params_set_int(p, param, (int64_t)get_u64(b));
	case OID_FLOAT4: return lf_params_set_double(p, param, (double)as_float(get_u32(b)));
	case OID_FLOAT8: return lf_params_set_double(p, param, as_double(get_u64(b)));
	case OID_DATE: return lf_params_set_date(p, param, (int32_t)get_u32(b));
	case OID_TIMESTAMP:
	case OID_TIMESTAMPTZ: return lf_params_set_timestamp(p, param, (int64_t)get_u64(b));
	case OID_UUID: return lf_params_set_uuid(p, param, b);
	case OID_NUMERIC: return numeric_set(p, param, b, n);
	case OID_BYTEA: return lf_params_set_bytes(p, param, b, n);
	case OID_TEXT:
	case OID_VARCHAR:
	case OID_BPCHAR:
	case OID_JSON: return lf_params_set_text(p, param, bytes, n);
	case OID_JSONB:
		/* Version 1 is the text of it. */
		if (n < 1 || b[0] != 1)
			return -1;
		return lf_params_set_text(p, param, (const char *)bytes + 1, n - 1);
	default: return -1;
	}
}
