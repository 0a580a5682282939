/*
 * cast.c: see cast.h. One switch for input, one for output, one table for the casts there are.
 */
#include "core/sql/cast.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/limits.h"
#include "core/base/utf8.h"
#include "core/sql/datetime.h"
#include "core/sql/json.h"
#include "core/sql/numeric.h"

/* --- input --- */

static int bad_text(enum type_id t, const char *s, size_t len, struct error *e)
{
	char name[64];

	return error_set(e, ERR_INVALID_TEXT, 0, "invalid input syntax for type %s: \"%.*s\"",
		type_name((struct type){ .id = (uint8_t)t }, name, sizeof(name)),
		len > 200 ? 200 : (int)len, s);
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void strip(const char **s, size_t *len)
{
	while (*len > 0 && is_blank(**s)) {
		(*s)++;
		(*len)--;
	}
	while (*len > 0 && is_blank((*s)[*len - 1]))
		(*len)--;
}

static int parse_bool(struct value *out, const char *s, size_t len, struct error *e)
{
	static const struct {
		const char *word;
		unsigned min; /* a unique prefix of at least so many letters */
		bool value;
	} WORDS[] = {
		{ "true", 1, true },
		{ "false", 1, false },
		{ "yes", 1, true },
		{ "no", 1, false },
		{ "on", 2, true },
		{ "off", 2, false },
		{ "1", 1, true },
		{ "0", 1, false },
	};
	const char *text = s;
	size_t n = len;

	strip(&text, &n);
	for (unsigned i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++)
		if (n >= WORDS[i].min && n <= strlen(WORDS[i].word) &&
			strncasecmp(text, WORDS[i].word, n) == 0) {
			out->i = WORDS[i].value;
			return 0;
		}
	return bad_text(TYPE_BOOL, s, len, e);
}

static int int_range(enum type_id t, int64_t *min, int64_t *max)
{
	*min = t == TYPE_INT2 ? INT16_MIN : t == TYPE_INT4 ? INT32_MIN : INT64_MIN;
	*max = t == TYPE_INT2 ? INT16_MAX : t == TYPE_INT4 ? INT32_MAX : INT64_MAX;
	return 0;
}

static int parse_int(struct value *out, enum type_id t, const char *s, size_t len, struct error *e)
{
	const char *text = s;
	size_t n = len, i = 0;
	bool negative;
	uint64_t sum = 0, limit;
	int64_t min, max;
	char name[64];

	strip(&text, &n);
	negative = n > 0 && text[0] == '-';
	if (n > 0 && (text[0] == '-' || text[0] == '+'))
		i++;
	if (i == n)
		return bad_text(t, s, len, e);
	int_range(t, &min, &max);
	limit = negative ? (uint64_t)max + 1 : (uint64_t)max;
	for (; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return bad_text(t, s, len, e);
		if (sum > (limit - (uint64_t)(text[i] - '0')) / 10) {
			for (; i < n; i++)
				if (text[i] < '0' || text[i] > '9')
					return bad_text(t, s, len, e);
			return error_set(e, ERR_NUMERIC_RANGE, 0,
				"value \"%.*s\" is out of range for type %s",
				len > 200 ? 200 : (int)len, s,
				type_name((struct type){ .id = (uint8_t)t }, name, sizeof(name)));
		}
		sum = sum * 10 + (uint64_t)(text[i] - '0');
	}
	out->i = negative ? (int64_t)-sum : (int64_t)sum;
	return 0;
}

static int parse_float(
	struct value *out, enum type_id t, const char *s, size_t len, struct error *e)
{
	char buf[512], *end;
	const char *text = s;
	size_t n = len;
	double d;
	bool word, hex, zero = true;

	strip(&text, &n);
	if (n == 0 || n >= sizeof(buf))
		return bad_text(t, s, len, e);
	memcpy(buf, text, n);
	buf[n] = '\0';
	word = strpbrk(buf, "nN") != NULL;
	/* nan(…) is strtod's, not PostgreSQL's. */
	if (memchr(buf, '(', n) != NULL)
		return bad_text(t, s, len, e);
	hex = strpbrk(buf, "xX") != NULL;
	errno = 0;
	d = t == TYPE_FLOAT4 ? (double)strtof(buf, &end) : strtod(buf, &end);
	if (end != buf + n)
		return bad_text(t, s, len, e);
	for (size_t i = 0; i < n && strchr(hex ? "pP" : "eE", buf[i]) == NULL; i++)
		zero = zero && (buf[i] == '0' || !isxdigit((unsigned char)buf[i]));
	if (!word && (isinf(d) || (d == 0 && !zero)))
		return error_set(e, ERR_NUMERIC_RANGE, 0, "\"%s\" is out of range for type %s", buf,
			t == TYPE_FLOAT4 ? "real" : "double precision");
	if (t == TYPE_FLOAT4)
		out->f = (float)d;
	else
		out->d = d;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int parse_uuid(struct value *out, const char *s, size_t len, struct error *e)
{
	size_t i = 0, n = len;
	bool braces = n >= 2 && s[0] == '{' && s[n - 1] == '}';

	if (braces) {
		i = 1;
		n--;
	}
	for (unsigned b = 0; b < 16; b++) {
		int hi, lo;

		if (b > 0 && b % 2 == 0 && i < n && s[i] == '-')
			i++;
		if (i + 2 > n || (hi = hex_digit(s[i])) < 0 || (lo = hex_digit(s[i + 1])) < 0)
			return bad_text(TYPE_UUID, s, len, e);
		out->uuid[b] = (uint8_t)(hi << 4 | lo);
		i += 2;
	}
	return i == n ? 0 : bad_text(TYPE_UUID, s, len, e);
}

static int parse_bytea(
	struct value *out, const char *s, size_t len, struct arena *a, struct error *e)
{
	char *bytes = arena_alloc(a, len + 1);
	size_t n = 0;

	if (bytes == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	if (len >= 2 && s[0] == '\\' && s[1] == 'x') {
		for (size_t i = 2; i < len; i++) {
			int hi = hex_digit(s[i]), lo;

			if (is_blank(s[i]))
				continue;
			if (hi < 0)
				return error_set(e, ERR_INVALID_PARAMETER, 0,
					"invalid hexadecimal digit: \"%c\"", s[i]);
			if (++i == len)
				return error_set(e, ERR_INVALID_PARAMETER, 0,
					"invalid hexadecimal data: odd number of digits");
			lo = hex_digit(s[i]);
			if (lo < 0)
				return error_set(e, ERR_INVALID_PARAMETER, 0,
					"invalid hexadecimal digit: \"%c\"", s[i]);
			bytes[n++] = (char)(hi << 4 | lo);
		}
	} else {
		for (size_t i = 0; i < len; i++) {
			if (s[i] != '\\') {
				bytes[n++] = s[i];
			} else if (i + 1 < len && s[i + 1] == '\\') {
				bytes[n++] = s[i++];
			} else if (i + 3 < len && s[i + 1] >= '0' && s[i + 1] <= '3' &&
				s[i + 2] >= '0' && s[i + 2] <= '7' && s[i + 3] >= '0' &&
				s[i + 3] <= '7') {
				bytes[n++] = (char)((s[i + 1] - '0') << 6 | (s[i + 2] - '0') << 3 |
					(s[i + 3] - '0'));
				i += 3;
			} else {
				return error_set(e, ERR_INVALID_TEXT, 0,
					"invalid input syntax for type bytea");
			}
		}
	}
	out->s.p = bytes;
	out->s.len = (uint32_t)n;
	return 0;
}

static int parse_text(
	struct value *out, const char *s, size_t len, struct arena *a, struct error *e)
{
	if (!utf8_valid(s, len))
		return error_set(e, ERR_BYTE_SEQUENCE, 0, NULL);
	out->s.p = arena_strdup(a, s, len);
	out->s.len = (uint32_t)len;
	return out->s.p == NULL ? error_set(e, ERR_OUT_OF_MEMORY, 0, NULL) : 0;
}

/* Of arrays only the empty one is read. */
static int parse_array(struct value *out, const char *s, size_t len, struct error *e)
{
	unsigned braces = 0;

	if (!type_is_array((enum type_id)out->type))
		return error_set(e, ERR_INTERNAL, 0, "a value without a type");
	out->s.p = "{}";
	out->s.len = 2;
	while (len > 0 && (isspace((unsigned char)*s) || (braces < 2 && *s == "{}"[braces]))) {
		braces += !isspace((unsigned char)*s);
		s++;
		len--;
	}
	if (len == 0 && braces == 2)
		return 0;
	error_set(e, ERR_FEATURE, 0, "an array literal with elements is not supported");
	return error_hint(e, "Arrays can only be results, of array_agg().");
}

int value_parse(struct value *out, struct type t, const char *s, size_t len, struct arena *a,
	struct error *e)
{
	int status;

	memset(out, 0, sizeof(*out));
	out->type = t.id;
	switch ((enum type_id)t.id) {
	case TYPE_BOOL: return parse_bool(out, s, len, e);
	case TYPE_INT2:
	case TYPE_INT4:
	case TYPE_INT8: return parse_int(out, (enum type_id)t.id, s, len, e);
	case TYPE_FLOAT4:
	case TYPE_FLOAT8: return parse_float(out, (enum type_id)t.id, s, len, e);
	case TYPE_NUMERIC: status = numeric_parse(out, s, len, e); break;
	case TYPE_TEXT:
	case TYPE_VARCHAR:
	case TYPE_BPCHAR: status = parse_text(out, s, len, a, e); break;
	case TYPE_BYTEA: return parse_bytea(out, s, len, a, e);
	case TYPE_DATE:
	case TYPE_TIMESTAMP:
	case TYPE_TIMESTAMPTZ: return datetime_parse(out, (enum type_id)t.id, s, len, e);
	case TYPE_UUID: return parse_uuid(out, s, len, e);
	case TYPE_INTERVAL: return interval_parse(out, s, len, e);
	case TYPE_JSON:
	case TYPE_JSONB: return json_parse(out, (enum type_id)t.id, s, len, a, e);
	default: return parse_array(out, s, len, e);
	}
	out->type = t.id;
	return status != 0 ? -1 : value_apply_modifier(out, t, false, a, e);
}

/* --- output --- */

/* Is the decimal halfway between d and its neighbour to that side? PostgreSQL does not take such a
 * one, though it reads back by the rule of ties. */
static bool is_halfway(const char *text, double d, bool single, double towards)
{
	long double next = single ? (long double)nextafterf((float)d, (float)towards)
				  : (long double)nextafter(d, towards);
	long double middle = ((long double)d + next) / 2;
	char exact[96];
	size_t n = (size_t)(strchr(text, 'e') - text);

	if (strtold(text, NULL) != middle)
		return false;
	(void)snprintf(exact, sizeof(exact), "%.60Le", middle);
	return memcmp(exact, text, n) == 0 &&
		strspn(exact + n, ".0") == (size_t)(strchr(exact, 'e') - exact) - n;
}

static bool reads_back(const char *text, double d, bool single)
{
	if (single ? strtof(text, NULL) != (float)d : strtod(text, NULL) != d)
		return false;
	return !is_halfway(text, d, single, INFINITY) && !is_halfway(text, d, single, -INFINITY);
}

/* One more in the last digit of d.ddde±xx, when that needs no carry. */
static bool last_digit_up(char *text)
{
	char *last = strchr(text, 'e') - 1;

	if (*last < '0' || *last >= '9')
		return false;
	(*last)++;
	return true;
}

/* The shortest decimal that reads back as the same number, laid out as PostgreSQL does. */
static size_t format_float(double d, bool single, char *out)
{
	char text[40], digits[24];
	int exponent, n = 0, precision;
	size_t at = 0;

	if (isnan(d))
		return (size_t)sprintf(out, "NaN");
	if (isinf(d))
		return (size_t)sprintf(out, d < 0 ? "-Infinity" : "Infinity");
	if (d == 0)
		return (size_t)sprintf(out, signbit(d) ? "-0" : "0");
	for (precision = 1; precision <= 17; precision++) {
		(void)snprintf(text, sizeof(text), "%.*e", precision - 1, d);
		/* Above a power of two the numbers are farther apart than below: there the neighbour of a
		 * tie may be the one that reads back. */
		if (reads_back(text, d, single) ||
			(last_digit_up(text) && reads_back(text, d, single)))
			break;
	}
	for (const char *p = text; *p != 'e'; p++)
		if (*p >= '0' && *p <= '9')
			digits[n++] = *p;
	ASSERT(n > 0);
	exponent = atoi(strchr(text, 'e') + 1);
	if (d < 0)
		out[at++] = '-';
	if (exponent < -4 || exponent >= (single ? 6 : 15)) {
		out[at++] = digits[0];
		if (n > 1)
			out[at++] = '.';
		for (int i = 1; i < n; i++)
			out[at++] = digits[i];
		return at +
			(size_t)sprintf(
				out + at, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
	}
	if (exponent < 0) {
		out[at++] = '0';
		out[at++] = '.';
		for (int i = -1; i > exponent; i--)
			out[at++] = '0';
	}
	for (int i = 0; i < n || i <= exponent; i++) {
		if (i == exponent + 1 && exponent >= 0)
			out[at++] = '.';
		out[at++] = i < n ? digits[i] : '0';
	}
	return at;
}

static size_t format_uuid(const struct value *v, char *out)
{
	size_t at = 0;

	for (unsigned b = 0; b < 16; b++) {
		if (b == 4 || b == 6 || b == 8 || b == 10)
			out[at++] = '-';
		at += (size_t)sprintf(out + at, "%02x", v->uuid[b]);
	}
	return at;
}

static size_t format_bytes(const struct value *v, struct type t, char *buf, size_t cap)
{
	size_t chars, pad;

	if (t.id == TYPE_BYTEA) {
		static const char HEX[] = "0123456789abcdef";
		size_t n = 2 + 2 * (size_t)v->s.len;

		if (n > cap)
			return n;
		memcpy(buf, "\\x", 2);
		for (uint32_t i = 0; i < v->s.len; i++) {
			buf[2 + 2 * i] = HEX[(uint8_t)v->s.p[i] >> 4];
			buf[3 + 2 * i] = HEX[(uint8_t)v->s.p[i] & 15];
		}
		return n;
	}
	chars = t.id == TYPE_BPCHAR ? utf8_length(v->s.p, v->s.len) : 0;
	pad = t.id == TYPE_BPCHAR && t.a > chars ? t.a - chars : 0;
	if (v->s.len + pad > cap)
		return v->s.len + pad;
	if (v->s.len > 0)
		memcpy(buf, v->s.p, v->s.len);
	memset(buf + v->s.len, ' ', pad);
	return v->s.len + pad;
}

size_t value_format(const struct value *v, struct type t, char *buf, size_t cap)
{
	char text[VALUE_TEXT_MAX];
	size_t n;

	if (type_is_bytes((enum type_id)v->type))
		return format_bytes(
			v, (struct type){ .id = v->type, .a = t.a, .b = t.b }, buf, cap);
	switch ((enum type_id)v->type) {
	case TYPE_BOOL:
		text[0] = v->i ? 't' : 'f';
		n = 1;
		break;
	case TYPE_FLOAT4: n = format_float((double)v->f, true, text); break;
	case TYPE_FLOAT8: n = format_float(v->d, false, text); break;
	case TYPE_NUMERIC: n = numeric_format(v, text); break;
	case TYPE_DATE:
	case TYPE_TIMESTAMP:
	case TYPE_TIMESTAMPTZ: n = datetime_format(v, text); break;
	case TYPE_UUID: n = format_uuid(v, text); break;
	case TYPE_INTERVAL: n = interval_format(v, text); break;
	default: n = (size_t)sprintf(text, "%lld", (long long)v->i); break;
	}
	if (n <= cap)
		memcpy(buf, text, n);
	return n;
}

/* --- modifiers --- */

static int apply_length(struct value *v, struct type t, bool explicit_cast, struct error *e)
{
	size_t cut, end;
	char name[64];

	if (v->s.len <= t.a || utf8_length(v->s.p, v->s.len) <= t.a)
		return 0;
	cut = utf8_offset(v->s.p, v->s.len, t.a);
	for (end = v->s.len; end > cut && v->s.p[end - 1] == ' ';)
		end--;
	if (end > cut && !explicit_cast)
		return error_set(e, ERR_STRING_TOO_LONG, 0, "value too long for type %s",
			type_name(t, name, sizeof(name)));
	v->s.len = (uint32_t)cut;
	return 0;
}

int value_apply_modifier(
	struct value *v, struct type t, bool explicit_cast, struct arena *a, struct error *e)
{
	(void)a;
	if (value_is_null(v))
		return 0;
	if (t.a > 0 && t.id == TYPE_NUMERIC)
		return numeric_apply_modifier(v, t.a, t.b, e);
	if (t.a > 0 && (t.id == TYPE_VARCHAR || t.id == TYPE_BPCHAR) &&
		apply_length(v, t, explicit_cast, e) != 0)
		return -1;
	/* char(n) is kept without its padding, which is made again on output; bpchar as it is. */
	if (t.id == TYPE_BPCHAR && t.a > 0)
		while (v->s.len > 0 && v->s.p[v->s.len - 1] == ' ')
			v->s.len--;
	return 0;
}

/* --- casts --- */

#define E CAST_EXPLICIT
#define A CAST_ASSIGNMENT
#define I CAST_IMPLICIT
/* Rows: from; columns: to, both by type number from 1 (bool) to 18 (jsonb); as pg_cast, and I/O
 * conversion: to text by assignment, from text explicitly. */
static const uint8_t CASTS[TYPE_COUNT][TYPE_COUNT] = {
	/*                   bool i2 i4 i8 f4 f8 num txt vc bpc byt dat ts tz uui iv js jsb */
	[TYPE_BOOL] = { 0, I, 0, E, 0, 0, 0, 0, A, A, A, 0, 0, 0, 0, 0, 0 },
	[TYPE_INT2] = { 0, 0, I, I, I, I, I, I, A, A, A, 0, 0, 0, 0, 0, 0 },
	[TYPE_INT4] = { 0, E, A, I, I, I, I, I, A, A, A, 0, 0, 0, 0, 0, 0 },
	[TYPE_INT8] = { 0, 0, A, A, I, I, I, I, A, A, A, 0, 0, 0, 0, 0, 0 },
	[TYPE_FLOAT4] = { 0, 0, A, A, A, I, I, A, A, A, A, 0, 0, 0, 0, 0, 0 },
	[TYPE_FLOAT8] = { 0, 0, A, A, A, A, I, A, A, A, A, 0, 0, 0, 0, 0, 0 },
	[TYPE_NUMERIC] = { 0, 0, A, A, A, I, I, I, A, A, A, 0, 0, 0, 0, 0, 0 },
	[TYPE_TEXT] = { 0, E, E, E, E, E, E, E, I, I, I, E, E, E, E, E, E, E, E },
	[TYPE_VARCHAR] = { 0, E, E, E, E, E, E, E, I, I, I, E, E, E, E, E, E, E, E },
	[TYPE_BPCHAR] = { 0, E, E, E, E, E, E, E, I, I, I, E, E, E, E, E, E, E, E },
	[TYPE_BYTEA] = { 0, 0, 0, 0, 0, 0, 0, 0, A, A, A, I, 0, 0, 0, 0, 0 },
	[TYPE_DATE] = { 0, 0, 0, 0, 0, 0, 0, 0, A, A, A, 0, I, I, I, 0, 0 },
	[TYPE_TIMESTAMP] = { 0, 0, 0, 0, 0, 0, 0, 0, A, A, A, 0, A, I, I, 0, 0 },
	[TYPE_TIMESTAMPTZ] = { 0, 0, 0, 0, 0, 0, 0, 0, A, A, A, 0, A, A, I, 0, 0 },
	[TYPE_UUID] = { 0, 0, 0, 0, 0, 0, 0, 0, A, A, A, 0, 0, 0, 0, I, 0 },
	[TYPE_INTERVAL] = { 0, 0, 0, 0, 0, 0, 0, 0, A, A, A, 0, 0, 0, 0, 0, I },
	[TYPE_JSON] = { 0, 0, 0, 0, 0, 0, 0, 0, A, A, A, 0, 0, 0, 0, 0, 0, I, A },
	[TYPE_JSONB] = { 0, E, E, E, E, E, E, E, A, A, A, 0, 0, 0, 0, 0, 0, A, I },
};
#undef E
#undef A
#undef I

static bool is_text(enum type_id t)
{
	return t == TYPE_TEXT || t == TYPE_VARCHAR || t == TYPE_BPCHAR;
}

enum cast_kind cast_exists(enum type_id from, enum type_id to)
{
	if (type_is_array(from))
		return from == to ? CAST_IMPLICIT : is_text(to) ? CAST_ASSIGNMENT : CAST_NONE;
	return from < TYPE_COUNT && to < TYPE_COUNT ? (enum cast_kind)CASTS[from][to] : CAST_NONE;
}

static bool is_integer(enum type_id t)
{
	return t == TYPE_INT2 || t == TYPE_INT4 || t == TYPE_INT8;
}

static int out_of_range(enum type_id t, struct error *e)
{
	char name[64];

	return error_set(e, ERR_NUMERIC_RANGE, 0, "%s out of range",
		type_name((struct type){ .id = (uint8_t)t }, name, sizeof(name)));
}

static int to_integer(struct value *out, const struct value *v, enum type_id t, struct error *e)
{
	int64_t min, max;

	int_range(t, &min, &max);
	if (v->type == TYPE_NUMERIC)
		return numeric_to_int(&out->i, v, t, e);
	if (v->type == TYPE_FLOAT4 || v->type == TYPE_FLOAT8) {
		double d = rint(v->type == TYPE_FLOAT4 ? (double)v->f : v->d);

		if (isnan(d) || d < (double)min || d >= -(double)min)
			return out_of_range(t, e);
		out->i = (int64_t)d;
		return 0;
	}
	if (v->i < min || v->i > max)
		return out_of_range(t, e);
	out->i = v->i;
	return 0;
}

static double as_double(const struct value *v)
{
	switch ((enum type_id)v->type) {
	case TYPE_FLOAT4: return (double)v->f;
	case TYPE_FLOAT8: return v->d;
	case TYPE_NUMERIC: return numeric_to_double(v);
	default: return (double)v->i;
	}
}

static int to_float(struct value *out, const struct value *v, enum type_id t, struct error *e)
{
	double d = as_double(v);

	if (t == TYPE_FLOAT8) {
		out->d = d;
		return 0;
	}
	out->f = v->type == TYPE_NUMERIC ? numeric_to_float(v) : (float)d;
	if (isinf(out->f) && !isinf(d))
		return error_set(e, ERR_NUMERIC_RANGE, 0, "value out of range: overflow");
	if (out->f == 0 && d != 0)
		return error_set(e, ERR_NUMERIC_RANGE, 0, "value out of range: underflow");
	return 0;
}

static int to_numeric(struct value *out, const struct value *v, struct error *e)
{
	if (v->type == TYPE_FLOAT8)
		return numeric_from_double(out, v->d, e);
	if (v->type == TYPE_FLOAT4)
		return numeric_from_float(out, v->f, e);
	if (v->type == TYPE_NUMERIC)
		*out = *v;
	else
		numeric_from_int(out, v->i);
	return 0;
}

static int to_text(struct value *out, const struct value *v, struct arena *a, struct error *e)
{
	char buf[VALUE_TEXT_MAX];
	size_t n;
	char *copy;

	if (is_text((enum type_id)v->type) || type_is_array((enum type_id)v->type)) {
		out->s = v->s;
		if (v->type == TYPE_BPCHAR)
			while (out->s.len > 0 && out->s.p[out->s.len - 1] == ' ')
				out->s.len--;
		return 0;
	}
	if (v->type == TYPE_BOOL) {
		out->s.p = v->i ? "true" : "false";
		out->s.len = v->i ? 4 : 5;
		return 0;
	}
	n = value_format(v, (struct type){ .id = v->type }, buf, sizeof(buf));
	copy = arena_alloc(a, n + 1);
	if (copy == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	(void)value_format(v, (struct type){ .id = v->type }, copy, n);
	out->s.p = copy;
	out->s.len = (uint32_t)n;
	return 0;
}

/* jsonb to a boolean or a number, of which it must be one. */
static int from_jsonb(
	struct value *out, const struct value *v, struct type t, struct arena *a, struct error *e)
{
	static const char *const NAMES[] = { "null", "boolean", "numeric", "string", "array",
		"object" };
	struct json j = json_of(v);
	enum json_kind kind = json_kind(j);
	struct value number;
	char name[64];

	if (kind != (t.id == TYPE_BOOL ? JSON_BOOLEAN : JSON_NUMBER))
		return error_set(e, ERR_INVALID_PARAMETER, 0, "cannot cast jsonb %s to type %s",
			NAMES[kind], type_name((struct type){ .id = t.id }, name, sizeof(name)));
	if (t.id == TYPE_BOOL) {
		out->i = *j.p == 't';
		return 0;
	}
	if (numeric_parse(&number, j.p, j.n, e) != 0)
		return -1;
	number.type = TYPE_NUMERIC;
	return value_cast(out, &number, t, true, a, e);
}

int value_cast(struct value *out, const struct value *v, struct type t, bool explicit_cast,
	struct arena *a, struct error *e)
{
	struct value from = *v;
	int status = 0;

	memset(out, 0, sizeof(*out));
	out->type = t.id;
	if (value_is_null(&from)) {
		out->flags = VALUE_NULL;
		return 0;
	}
	if (from.type == t.id) {
		*out = from;
	} else if (is_text((enum type_id)t.id)) {
		status = to_text(out, &from, a, e);
	} else if (is_text((enum type_id)from.type)) {
		return value_parse(out, t, from.s.p, from.s.len, a, e);
	} else if (from.type == TYPE_JSON) {
		return json_parse(out, TYPE_JSONB, from.s.p, from.s.len, a, e);
	} else if (t.id == TYPE_JSON) {
		out->s = from.s;
	} else if (from.type == TYPE_JSONB) {
		return from_jsonb(out, &from, t, a, e);
	} else if (is_integer((enum type_id)t.id)) {
		status = to_integer(out, &from, (enum type_id)t.id, e);
	} else if (t.id == TYPE_FLOAT4 || t.id == TYPE_FLOAT8) {
		status = to_float(out, &from, (enum type_id)t.id, e);
	} else if (t.id == TYPE_NUMERIC) {
		status = to_numeric(out, &from, e);
	} else if (t.id == TYPE_BOOL) {
		out->i = from.i != 0;
	} else if (t.id == TYPE_DATE || t.id == TYPE_TIMESTAMP || t.id == TYPE_TIMESTAMPTZ) {
		status = datetime_cast(out, &from, (enum type_id)t.id, e);
	} else {
		status = error_set(e, ERR_CANNOT_COERCE, 0, "there is no such cast");
	}
	out->type = t.id;
	return status != 0 ? -1 : value_apply_modifier(out, t, explicit_cast, a, e);
}
