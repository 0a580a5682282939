/*
 * PostgreSQL's types as Leftfold's, and their values: what its binary format gives is what its text gives.
 */
#include "tests/unit/fake_server.h"

#include <stdio.h>

#include "tools/pgfeed/types.h"

static void maps(const char *expected, bool same, uint32_t oid, int32_t modifier)
{
	char text[TYPE_TEXT_MAX];

	assert_int_equal(type_map(oid, modifier, text), same);
	assert_string_equal(text, expected);
}

static void mapping(void **state)
{
	(void)state;
	maps("boolean", true, OID_BOOL, -1);
	maps("bigint", true, OID_INT8, -1);
	maps("timestamptz", true, OID_TIMESTAMPTZ, -1);
	/* timestamp(3): the values are rounded already. */
	maps("timestamp", true, OID_TIMESTAMP, 3);
	maps("jsonb", true, OID_JSONB, -1);
	maps("text", true, OID_VARCHAR, -1);
	maps("varchar(10)", true, OID_VARCHAR, 14);
	maps("varchar(65535)", true, OID_VARCHAR, 65539);
	maps("text", true, OID_VARCHAR, 65540);
	maps("char(1)", true, OID_BPCHAR, 5);
	maps("text", true, OID_BPCHAR, -1);
	maps("numeric", true, OID_NUMERIC, -1);
	maps("numeric(12,2)", true, OID_NUMERIC, (12 << 16 | 2) + 4);
	maps("numeric(38,38)", true, OID_NUMERIC, (38 << 16 | 38) + 4);
	/* More digits than Leftfold has, a scale below 0, one above the digits. */
	maps("numeric", true, OID_NUMERIC, (39 << 16 | 2) + 4);
	maps("numeric", true, OID_NUMERIC, (5 << 16 | (-2 & 0x7ff)) + 4);
	maps("numeric", true, OID_NUMERIC, (2 << 16 | 5) + 4);
	/* money, inet, int[], one of somebody's own. */
	maps("text", false, 790, -1);
	maps("text", false, 869, -1);
	maps("text", false, 1007, -1);
	maps("text", false, 100000, -1);
	assert_true(type_has_binary(OID_NUMERIC) && !type_has_binary(OID_INTERVAL) &&
		!type_has_binary(869));
}

/* --- values --- */

static const struct type TYPES[] = { { TYPE_BOOL, 0, 0 }, { TYPE_INT2, 0, 0 }, { TYPE_INT4, 0, 0 },
	{ TYPE_INT8, 0, 0 }, { TYPE_FLOAT4, 0, 0 }, { TYPE_FLOAT8, 0, 0 }, { TYPE_NUMERIC, 0, 0 },
	{ TYPE_TEXT, 0, 0 }, { TYPE_BYTEA, 0, 0 }, { TYPE_DATE, 0, 0 }, { TYPE_TIMESTAMP, 0, 0 },
	{ TYPE_TIMESTAMPTZ, 0, 0 }, { TYPE_UUID, 0, 0 }, { TYPE_INTERVAL, 0, 0 } };
static const uint32_t OIDS[] = { OID_BOOL, OID_INT2, OID_INT4, OID_INT8, OID_FLOAT4, OID_FLOAT8,
	OID_NUMERIC, OID_TEXT, OID_BYTEA, OID_DATE, OID_TIMESTAMP, OID_TIMESTAMPTZ, OID_UUID,
	OID_INTERVAL };
enum { NTYPES = sizeof(TYPES) / sizeof(TYPES[0]) };

struct rig {
	struct fake f;
	struct lf_statement *s;
	struct lf_params *text, *binary;
};

static void rig_open(struct rig *r)
{
	r->f = fake_open(lf_client_options_default());
	r->s = fake_prepare(&r->f, 2, WIRE_KIND_COMMAND, TYPES, NTYPES, NULL, 0);
	r->text = lf_params_new(r->s);
	r->binary = lf_params_new(r->s);
}

static void rig_close(struct rig *r)
{
	lf_params_free(r->text);
	lf_params_free(r->binary);
	lf_statement_close(r->s);
	fake_close(&r->f);
}

static unsigned param_of(uint32_t oid)
{
	unsigned i = 0;

	while (OIDS[i] != oid)
		i++;
	return i;
}

/* Both formats give the same row. */
static void same(struct rig *r, uint32_t oid, const char *text, const void *bytes, size_t n)
{
	unsigned p = param_of(oid);
	const void *a, *b;
	size_t na, nb;

	lf_params_clear(r->text);
	lf_params_clear(r->binary);
	if (value_set_text(r->text, p, lf_statement_param_type(r->s, p), text, strlen(text)) != 0)
		fail_msg("%s: %s", text, lf_params_error(r->text)->message);
	assert_int_equal(value_set_binary(r->binary, p, oid, bytes, n), 0);
	a = lf_params_row(r->text, &na);
	b = lf_params_row(r->binary, &nb);
	if (na != nb || memcmp(a, b, na) != 0)
		fail_msg("%s: not the same in binary", text);
}

static void fixed(struct rig *r, uint32_t oid, const char *text, uint64_t bits, unsigned width)
{
	unsigned char bytes[8];

	for (unsigned i = 0; i < width; i++)
		bytes[i] = (unsigned char)(bits >> (8 * (width - 1 - i)));
	same(r, oid, text, bytes, width);
}

static void fixed_widths(void **state)
{
	static const unsigned char UUID[] = { 0xa0, 0xee, 0xbc, 0x99, 0x9c, 0x0b, 0x4e, 0xf8, 0xbb,
		0x6d, 0x6b, 0xb9, 0xbd, 0x38, 0x0a, 0x11 };
	struct rig r;

	(void)state;
	rig_open(&r);
	fixed(&r, OID_BOOL, "t", 1, 1);
	fixed(&r, OID_BOOL, "f", 0, 1);
	fixed(&r, OID_INT2, "-32768", 0x8000, 2);
	fixed(&r, OID_INT4, "-1", 0xffffffff, 4);
	fixed(&r, OID_INT8, "9223372036854775807", INT64_MAX, 8);
	fixed(&r, OID_INT8, "-9223372036854775808", 1ull << 63, 8);
	fixed(&r, OID_INT8, "-999999999999999999", (uint64_t)INT64_C(-999999999999999999), 8);
	fixed(&r, OID_FLOAT4, "1.5", 0x3fc00000, 4);
	fixed(&r, OID_FLOAT4, "NaN", 0x7fc00000, 4);
	fixed(&r, OID_FLOAT8, "-0", 1ull << 63, 8);
	fixed(&r, OID_FLOAT8, "-Infinity", 0xfff0000000000000, 8);
	fixed(&r, OID_DATE, "2000-01-02", 1, 4);
	fixed(&r, OID_DATE, "infinity", INT32_MAX, 4);
	fixed(&r, OID_DATE, "-infinity", 0x80000000, 4);
	fixed(&r, OID_TIMESTAMP, "2000-01-01 00:00:00.000001", 1, 8);
	fixed(&r, OID_TIMESTAMP, "-infinity", 1ull << 63, 8);
	fixed(&r, OID_TIMESTAMPTZ, "1999-12-31 23:59:59+00", (uint64_t)-1000000, 8);
	same(&r, OID_UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", UUID, sizeof(UUID));
	same(&r, OID_TEXT, "a\tb", "a\tb", 3);
	same(&r, OID_TEXT, "", "", 0);
	same(&r, OID_BYTEA, "\\x00ff", "\0\xff", 2);
	rig_close(&r);
}

/* A numeric that is printed so, in PostgreSQL's binary format. Returns its length. */
static size_t numeric_bytes(const char *text, unsigned char *out)
{
	bool negative = text[0] == '-';
	const char *digits = text + negative, *point = strchr(digits, '.');
	int whole = (int)(point == NULL ? strlen(digits) : (size_t)(point - digits));
	int scale = point == NULL ? 0 : (int)strlen(point + 1), first = (whole + 3) / 4 - 1, n = 0;
	int groups[64], weight = first;

	for (int power = first; power >= -((scale + 3) / 4); power--) {
		int v = 0;

		for (int k = 3; k >= 0; k--) {
			int at = 4 * power + k; /* of 10 */
			char c = '0';

			if (at >= 0 && at < whole)
				c = digits[whole - 1 - at];
			else if (at < 0 && -at <= scale)
				c = point[-at];
			v = 10 * v + (c - '0');
		}
		groups[n++] = v;
	}
	/* As PostgreSQL stores it: without groups of zeros at either end. */
	while (n > 0 && groups[n - 1] == 0)
		n--;
	for (; n > 0 && groups[0] == 0; weight--)
		memmove(groups, groups + 1, (size_t)--n * sizeof(int));
	if (n == 0)
		weight = 0;
	out[0] = (unsigned char)(n >> 8);
	out[1] = (unsigned char)n;
	out[2] = (unsigned char)((unsigned)weight >> 8);
	out[3] = (unsigned char)weight;
	out[4] = negative && n > 0 ? 0x40 : 0;
	out[5] = 0;
	out[6] = (unsigned char)(scale >> 8);
	out[7] = (unsigned char)scale;
	for (int i = 0; i < n; i++) {
		out[8 + 2 * i] = (unsigned char)(groups[i] >> 8);
		out[9 + 2 * i] = (unsigned char)groups[i];
	}
	return 8 + 2 * (size_t)n;
}

static void numeric(struct rig *r, const char *text)
{
	unsigned char bytes[256];

	same(r, OID_NUMERIC, text, bytes, numeric_bytes(text, bytes));
}

static void numerics(void **state)
{
	static const char *const VALUES[] = { "0", "0.00", "1", "-1", "10", "9999", "10000",
		"12.50", "-0.01", "0.00001", "0.000000001", "100.000", "9999999999.99",
		"123456789012.1234", "9999999999999999", "99999999999999999999",
		"1000000000000000000000000000000", "12345678901234567890123456789012345678",
		"-0.12345678901234567890123456789012345678", "10000.0001", "100000000.5", "0.0100",
		"0.1000", "5000.0500" };
	static const unsigned char NAN_BYTES[] = { 0, 0, 0, 0, 0xc0, 0, 0, 0 },
				   INFINITE[] = { 0, 0, 0, 0, 0xd0, 0, 0, 0x20 };
	unsigned p = param_of(OID_NUMERIC);
	struct rig r;

	(void)state;
	rig_open(&r);
	for (unsigned i = 0; i < sizeof(VALUES) / sizeof(VALUES[0]); i++)
		numeric(&r, VALUES[i]);
	srand(1);
	for (unsigned i = 0; i < 20000; i++) {
		int whole = 1 + rand() % 16, scale = rand() % 18, n = 0;
		char text[64];

		if (rand() % 2 == 0)
			text[n++] = '-';
		text[n++] = (char)('1' + rand() % 9);
		for (int k = 1; k < whole; k++)
			text[n++] = (char)(rand() % 3 == 0 ? '0' : '0' + rand() % 10);
		if (scale > 0)
			text[n++] = '.';
		for (int k = 0; k < scale; k++)
			text[n++] = (char)(rand() % 2 == 0 ? '0' : '0' + rand() % 10);
		text[n] = '\0';
		numeric(&r, text);
	}
	same(&r, OID_NUMERIC, "NaN", NAN_BYTES, sizeof(NAN_BYTES));
	/* Leftfold has no infinite ones. */
	assert_int_equal(
		value_set_binary(r.binary, p, OID_NUMERIC, INFINITE, sizeof(INFINITE)), -1);
	assert_non_null(lf_params_error(r.binary));
	rig_close(&r);
}

static void wrong(void **state)
{
	static const unsigned char ONE[] = { 0, 1, 0, 0, 0, 0, 0, 0, 0, 1 };
	struct rig r;

	(void)state;
	rig_open(&r);
	for (unsigned i = 0; i < NTYPES; i++) {
		bool any = OIDS[i] == OID_TEXT || OIDS[i] == OID_BYTEA;

		lf_params_clear(r.binary);
		assert_int_equal(value_set_binary(r.binary, i, OIDS[i], "abc", 3), any ? 0 : -1);
	}
	for (size_t n = 0; n < sizeof(ONE); n++)
		assert_int_equal(
			value_set_binary(r.binary, param_of(OID_NUMERIC), OID_NUMERIC, ONE, n), -1);
	/* jsonb of a version that there is not. */
	assert_int_equal(value_set_binary(r.binary, param_of(OID_TEXT), OID_JSONB, "\2{}", 3), -1);
	assert_int_equal(value_set_binary(r.binary, param_of(OID_TEXT), OID_JSONB, "\1{}", 3), 0);
	assert_int_equal(value_set_text(r.text, param_of(OID_INT4), lf_statement_param_type(r.s, 2),
				 "12a", 3),
		-1);
	assert_int_equal(value_set_text(r.text, param_of(OID_INT2), lf_statement_param_type(r.s, 1),
				 "40000", 5),
		-1);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mapping),
		cmocka_unit_test(fixed_widths),
		cmocka_unit_test(numerics),
		cmocka_unit_test(wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
