/*
 * The client library's rows: parameters against core's own encoding, getters, text.
 */
#include "tests/unit/fake_server.h"

#include "core/base/hash.h"
#include "core/sql/cast.h"

static const struct type TYPES[] = {
	{ TYPE_BOOL, 0, 0 },
	{ TYPE_TEXT, 0, 0 },
	{ TYPE_INT2, 0, 0 },
	{ TYPE_INT4, 0, 0 },
	{ TYPE_INT8, 0, 0 },
	{ TYPE_VARCHAR, 0, 5 },
	{ TYPE_FLOAT4, 0, 0 },
	{ TYPE_FLOAT8, 0, 0 },
	{ TYPE_NUMERIC, 2, 8 },
	{ TYPE_BYTEA, 0, 0 },
	{ TYPE_DATE, 0, 0 },
	{ TYPE_TIMESTAMP, 0, 0 },
	{ TYPE_TIMESTAMPTZ, 0, 0 },
	{ TYPE_BPCHAR, 0, 4 },
	{ TYPE_UUID, 0, 0 },
	{ TYPE_NUMERIC, 0, 0 },
};
enum { NTYPES = sizeof(TYPES) / sizeof(TYPES[0]) };
enum {
	P_BOOL,
	P_TEXT,
	P_INT2,
	P_INT4,
	P_INT8,
	P_VARCHAR,
	P_FLOAT4,
	P_FLOAT8,
	P_NUMERIC_8_2,
	P_BYTEA,
	P_DATE,
	P_TIMESTAMP,
	P_TIMESTAMPTZ,
	P_CHAR,
	P_UUID,
	P_NUMERIC
};

static const uint8_t UUID[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255 };

/* One statement with all types as parameters and as columns. */
struct rig {
	struct fake f;
	struct lf_statement *s;
	struct lf_params *p;
	struct arena arena;
	struct row_layout layout;
};

static void rig_open(struct rig *r)
{
	struct error e;

	r->f = fake_open(lf_client_options_default());
	r->s = fake_prepare(&r->f, 2, WIRE_KIND_QUERY, TYPES, NTYPES, TYPES, NTYPES);
	r->p = lf_params_new(r->s);
	arena_init(&r->arena, NULL);
	assert_int_equal(row_layout_init(&r->layout, TYPES, NTYPES, &r->arena, &e), 0);
}

static void rig_close(struct rig *r)
{
	lf_params_free(r->p);
	fake_close(&r->f);
	arena_free(&r->arena);
}

/* The packed row is exactly what core makes of the values, and core accepts it. */
static void check_row(struct rig *r, const struct value *values)
{
	static unsigned char expected[1 << 16];
	uint32_t n = row_encode(&r->layout, values, expected);
	struct error e;
	size_t size;
	const void *row = lf_params_row(r->p, &size);

	assert_int_equal(size, n);
	assert_memory_equal(row, expected, n);
	assert_int_equal(row_validate(&r->layout, row, size, &e), 0);
}

static void test_setters(void **state)
{
	struct rig r;
	struct value v[NTYPES];

	(void)state;
	rig_open(&r);
	memset(v, 0, sizeof(v));
	for (int i = 0; i < NTYPES; i++) {
		v[i].type = TYPES[i].id;
		v[i].flags = VALUE_NULL;
	}
	check_row(&r, v);
	assert_int_equal(lf_params_set_bool(r.p, P_BOOL, true), 0);
	assert_int_equal(lf_params_set_int(r.p, P_INT2, -7), 0);
	assert_int_equal(lf_params_set_int(r.p, P_INT4, INT32_MIN), 0);
	assert_int_equal(lf_params_set_int(r.p, P_INT8, INT64_MIN), 0);
	assert_int_equal(
		lf_params_set_text(r.p, P_TEXT, "t\xc3\xa4xt and more of it", SIZE_MAX), 0);
	assert_int_equal(lf_params_set_text(r.p, P_VARCHAR, "abcde   ", SIZE_MAX), 0);
	assert_int_equal(lf_params_set_double(r.p, P_FLOAT4, 1.5), 0);
	assert_int_equal(lf_params_set_double(r.p, P_FLOAT8, -0.1), 0);
	assert_int_equal(lf_params_set_decimal(r.p, P_NUMERIC_8_2, 12345, 3), 0);
	assert_int_equal(lf_params_set_bytes(r.p, P_BYTEA, "\0\1\2", 3), 0);
	assert_int_equal(lf_params_set_date(r.p, P_DATE, 60), 0);
	assert_int_equal(lf_params_set_timestamp(r.p, P_TIMESTAMP, -1), 0);
	assert_int_equal(lf_params_set_timestamp(r.p, P_TIMESTAMPTZ, INT64_MAX), 0);
	assert_int_equal(lf_params_set_text(r.p, P_CHAR, "ab  ", 4), 0);
	assert_int_equal(lf_params_set_uuid(r.p, P_UUID, UUID), 0);
	assert_int_equal(lf_params_parse(r.p, P_NUMERIC, " -1.50e3 ", SIZE_MAX), 0);
	assert_null(lf_params_error(r.p));

	for (int i = 0; i < NTYPES; i++)
		v[i].flags = 0;
	v[P_BOOL].i = 1;
	v[P_INT2].i = -7;
	v[P_INT4].i = INT32_MIN;
	v[P_INT8].i = INT64_MIN;
	v[P_TEXT].s.p = "t\xc3\xa4xt and more of it";
	v[P_TEXT].s.len = 20;
	v[P_VARCHAR].s.p = "abcde";
	v[P_VARCHAR].s.len = 5;
	v[P_FLOAT4].f = 1.5f;
	v[P_FLOAT8].d = -0.1;
	v[P_NUMERIC_8_2].n = 1235; /* 12.345, away from zero */
	v[P_NUMERIC_8_2].scale = 2;
	v[P_BYTEA].s.p = "\0\1\2";
	v[P_BYTEA].s.len = 3;
	v[P_DATE].i = 60;
	v[P_TIMESTAMP].i = -1;
	v[P_TIMESTAMPTZ].i = INT64_MAX;
	v[P_CHAR].s.p = "ab";
	v[P_CHAR].s.len = 2;
	memcpy(v[P_UUID].uuid, UUID, 16);
	v[P_NUMERIC].n = -1500;
	v[P_NUMERIC].scale = 0;
	check_row(&r, v);
	rig_close(&r);
}

/* Any order of setting, growing, shrinking and unsetting leaves the row canonical. */
static void test_any_order(void **state)
{
	static char texts[NTYPES][512];
	static const int BYTES[] = { P_TEXT, P_BYTEA, P_CHAR, P_VARCHAR };
	struct value v[NTYPES];
	uint64_t seed = 1;
	struct rig r;

	(void)state;
	rig_open(&r);
	memset(v, 0, sizeof(v));
	for (int i = 0; i < NTYPES; i++) {
		v[i].type = TYPES[i].id;
		v[i].flags = VALUE_NULL;
	}
	for (int round = 0; round < 20000; round++) {
		int i = BYTES[(seed = hash_u64(seed)) % 4];
		size_t n = (seed >> 8) % (i == P_VARCHAR ? 6 : i == P_CHAR ? 5 : 512);

		if ((seed >> 32) % 64 == 0) {
			lf_params_clear(r.p);
			for (int k = 0; k < NTYPES; k++)
				v[k].flags = VALUE_NULL;
		} else if ((seed >> 32) % 4 == 0) {
			assert_int_equal(lf_params_set_null(r.p, (unsigned)i), 0);
			v[i].flags = VALUE_NULL;
		} else if ((seed >> 32) % 4 == 1) {
			assert_int_equal(lf_params_set_int(r.p, P_INT8, (int64_t)seed), 0);
			v[P_INT8].flags = 0;
			v[P_INT8].i = (int64_t)seed;
		} else {
			memset(texts[i], 'a' + round % 26, n);
			assert_int_equal(i == P_BYTEA
					? lf_params_set_bytes(r.p, (unsigned)i, texts[i], n)
					: lf_params_set_text(r.p, (unsigned)i, texts[i], n),
				0);
			v[i].flags = 0;
			v[i].s.p = texts[i];
			v[i].s.len = (uint32_t)n;
		}
		check_row(&r, v);
	}
	rig_close(&r);
}

static void refused(struct rig *r, int status, const char *state)
{
	struct lf_client_error e;

	assert_int_equal(status, -1);
	assert_non_null(lf_params_error(r->p));
	assert_string_equal(lf_params_error(r->p)->sqlstate, state);
	/* And so is an execution. */
	assert_int_equal(lf_client_send(r->f.c, r->s, r->p, NULL, NULL, NULL, NULL, &e), -1);
	assert_string_equal(e.sqlstate, state);
	assert_int_equal(lf_client_inflight(r->f.c), 0);
}

static void test_refusals(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r);
	refused(&r, lf_params_set_int(r.p, P_INT2, 32768), "22003");
	/* Setting another parameter does not make up for it, setting this one does. */
	assert_int_equal(lf_params_set_int(r.p, P_INT4, 1), 0);
	assert_non_null(lf_params_error(r.p));
	assert_int_equal(lf_params_set_int(r.p, P_INT2, 32767), 0);
	assert_null(lf_params_error(r.p));
	refused(&r, lf_params_set_int(r.p, P_INT4, INT64_C(1) << 31), "22003");
	refused(&r, lf_params_set_int(r.p, P_TEXT, 1), "42804");
	refused(&r, lf_params_set_int(r.p, NTYPES, 1), "42P02");
	refused(&r, lf_params_set_null(r.p, NTYPES), "42P02");
	refused(&r, lf_params_set_bool(r.p, P_INT4, true), "42804");
	refused(&r, lf_params_set_double(r.p, P_FLOAT4, 1e300), "22003");
	refused(&r, lf_params_set_double(r.p, P_FLOAT4, 1e-300), "22003");
	refused(&r, lf_params_set_decimal(r.p, P_NUMERIC_8_2, 1000000, 0), "22003");
	refused(&r, lf_params_set_decimal(r.p, P_NUMERIC, 1, 39), "22003");
	refused(&r, lf_params_set_text(r.p, P_VARCHAR, "abcdef", SIZE_MAX), "22001");
	refused(&r, lf_params_set_text(r.p, P_TEXT, "\xff", 1), "22021");
	refused(&r, lf_params_set_text(r.p, P_TEXT, "a\0b", 3), "22021");
	refused(&r, lf_params_set_text(r.p, P_BYTEA, "a", 1), "42804");
	refused(&r, lf_params_parse(r.p, P_DATE, "2024-02-30", SIZE_MAX), "22008");
	refused(&r, lf_params_parse(r.p, P_INT8, "one", SIZE_MAX), "22P02");
	refused(&r, lf_params_parse(r.p, P_UUID, "1234", SIZE_MAX), "22P02");
	lf_params_clear(r.p);
	assert_null(lf_params_error(r.p));
	rig_close(&r);
}

/* Text in, text out: as PostgreSQL prints it, and the same when it has been through the wire. */
static void test_text(void **state)
{
	static const struct {
		int param;
		const char *in, *out;
	} CASES[] = {
		{ P_BOOL, "yes", "t" },
		{ P_INT2, " -32768", "-32768" },
		{ P_INT8, "9223372036854775807", "9223372036854775807" },
		{ P_FLOAT4, "0.1", "0.1" },
		{ P_FLOAT8, "1e22", "1e+22" },
		{ P_FLOAT8, "-Infinity", "-Infinity" },
		{ P_NUMERIC_8_2, "7", "7.00" },
		{ P_NUMERIC, "NaN", "NaN" },
		{ P_NUMERIC, "-99999999999999999999999999999999999999",
			"-99999999999999999999999999999999999999" },
		{ P_TEXT, "", "" },
		{ P_CHAR, "ab", "ab  " },
		{ P_BYTEA, "\\x00ff", "\\x00ff" },
		{ P_DATE, "infinity", "infinity" },
		{ P_DATE, "January 8, 1999", "1999-01-08" },
		{ P_TIMESTAMP, "2024-02-29 12:00:00.5", "2024-02-29 12:00:00.5" },
		{ P_TIMESTAMPTZ, "2024-02-29 12:00:00+02", "2024-02-29 10:00:00+00" },
		{ P_UUID, "{00010203-0405-0607-0809-0A0B0C0D0E0F}",
			"00010203-0405-0607-0809-0a0b0c0d0e0f" },
	};
	struct lf_result *result = lf_result_new();
	char text[128];
	uint64_t request = 3;
	struct rig r;

	(void)state;
	rig_open(&r);
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct wire_rows head = { .epoch = 5, .count = 1 };
		unsigned column = (unsigned)CASES[i].param;
		struct body b = { .n = 0 };
		const void *row;
		size_t size;

		lf_params_clear(r.p);
		assert_int_equal(lf_params_parse(r.p, column, CASES[i].in, SIZE_MAX), 0);
		row = lf_params_row(r.p, &size);
		body_add(&b, &head, sizeof(head));
		body_add(&b, row, size);
		fake_frame(&r.f, WIRE_ROWS, 0, request++, b.bytes, b.n);
		assert_int_equal(lf_client_execute(r.f.c, r.s, r.p, NULL, result, &r.f.e), 0);
		assert_int_equal(lf_result_nrows(result), 1);
		assert_false(lf_result_is_null(result, 0, column));
		assert_int_equal(lf_result_text(result, 0, column, text, sizeof(text)),
			strlen(CASES[i].out));
		assert_string_equal(text, CASES[i].out);
		assert_true(lf_result_is_null(result, 0, column == 0 ? 1 : 0));
	}
	/* Beyond the end everything is NULL. */
	assert_true(lf_result_is_null(result, 1, 0));
	assert_true(lf_result_is_null(result, 0, NTYPES));
	assert_int_equal(lf_result_text(result, 0, NTYPES, text, sizeof(text)), 0);
	lf_result_free(result);
	rig_close(&r);
}

static void test_getters(void **state)
{
	struct lf_result *result = lf_result_new();
	struct wire_rows head = { .epoch = 5, .count = 1 };
	struct body b = { .n = 0 };
	struct lf_decimal d;
	const void *row;
	size_t size;
	struct rig r;

	(void)state;
	rig_open(&r);
	lf_params_set_bool(r.p, P_BOOL, true);
	lf_params_set_int(r.p, P_INT2, -2);
	lf_params_set_int(r.p, P_INT8, INT64_MIN);
	lf_params_set_double(r.p, P_FLOAT4, 0.5);
	lf_params_set_decimal(r.p, P_NUMERIC_8_2, -1234, 2);
	lf_params_parse(r.p, P_NUMERIC, "NaN", SIZE_MAX);
	lf_params_set_bytes(r.p, P_BYTEA, "\0x", 2);
	lf_params_set_date(r.p, P_DATE, -1);
	lf_params_set_timestamp(r.p, P_TIMESTAMP, 17);
	lf_params_set_uuid(r.p, P_UUID, UUID);
	row = lf_params_row(r.p, &size);
	body_add(&b, &head, sizeof(head));
	body_add(&b, row, size);
	fake_frame(&r.f, WIRE_ROWS, 0, 3, b.bytes, b.n);
	assert_int_equal(lf_client_execute(r.f.c, r.s, r.p, NULL, result, &r.f.e), 0);
	assert_int_equal(lf_result_epoch(result), 5);
	assert_int_equal(lf_result_count(result), 1);
	assert_true(lf_result_bool(result, 0, P_BOOL));
	assert_int_equal(lf_result_int(result, 0, P_INT2), -2);
	assert_true(lf_result_int(result, 0, P_INT8) == INT64_MIN);
	assert_true(lf_result_double(result, 0, P_FLOAT4) == 0.5);
	assert_true(lf_result_double(result, 0, P_NUMERIC_8_2) == -12.34);
	assert_true(lf_result_double(result, 0, P_INT2) == -2.0);
	d = lf_result_decimal(result, 0, P_NUMERIC_8_2);
	assert_true(d.high == -1 && (int64_t)d.low == -1234 && d.scale == 2 && !d.nan);
	assert_true(lf_result_decimal(result, 0, P_NUMERIC).nan);
	assert_memory_equal(lf_result_bytes(result, 0, P_BYTEA, &size), "\0x", 2);
	assert_int_equal(size, 2);
	assert_memory_equal(lf_result_bytes(result, 0, P_UUID, &size), UUID, 16);
	assert_int_equal(lf_result_int(result, 0, P_DATE), -1);
	assert_int_equal(lf_result_int(result, 0, P_TIMESTAMP), 17);
	/* Of another type, or NULL. */
	assert_null(lf_result_bytes(result, 0, P_INT8, &size));
	assert_null(lf_result_bytes(result, 0, P_TEXT, &size));
	assert_int_equal(lf_result_int(result, 0, P_BYTEA), 0);
	assert_string_equal(lf_result_column_name(result, 1), "c1");
	assert_null(lf_result_column_name(result, NTYPES));
	lf_result_free(result);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_setters),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_getters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
