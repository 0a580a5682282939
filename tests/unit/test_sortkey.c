#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/store/sortkey.h"

enum { RANDOM = 300, KEY_MAX = 128 };

struct key {
	char bytes[KEY_MAX];
	size_t len;
};

static struct key key_of(const struct value *v, unsigned flags)
{
	struct key k;

	memset(&k, 0, sizeof(k));
	assert_in_range(sortkey_size(v), 1, KEY_MAX);
	k.len = (size_t)(sortkey_put(k.bytes, v, flags) - k.bytes);
	assert_int_equal(k.len, sortkey_size(v));
	return k;
}

static int key_compare(const struct key *a, const struct key *b)
{
	size_t n = a->len < b->len ? a->len : b->len;
	int c = memcmp(a->bytes, b->bytes, n);

	/* None is the beginning of another one. */
	assert_true(c != 0 || a->len == b->len);
	return c;
}

static int sign(int c)
{
	return c < 0 ? -1 : c > 0;
}

/* What SQL's ORDER BY says. */
static int order(const struct value *a, const struct value *b, unsigned flags)
{
	int c = value_is_null(a) - value_is_null(b);

	if (value_is_null(a) || value_is_null(b))
		return flags & SORT_NULLS_FIRST ? -c : c;
	c = sign(value_compare(a, b));
	return flags & SORT_DESCENDING ? -c : c;
}

static void check_all(const struct value *v, size_t n)
{
	for (unsigned flags = 0; flags < 4; flags++)
		for (size_t i = 0; i < n; i++)
			for (size_t k = 0; k < n; k++) {
				struct key a = key_of(&v[i], flags), b = key_of(&v[k], flags);

				assert_int_equal(
					sign(key_compare(&a, &b)), order(&v[i], &v[k], flags));
			}
}

static uint64_t seed;

static uint64_t draw(void)
{
	return hash_u64(++seed);
}

/* Small numbers and large ones, of either sign. */
static int64_t draw_integer(void)
{
	uint64_t r = draw();

	return (int64_t)r >> (draw() % 64);
}

static struct value null_of(enum type_id t)
{
	return (struct value){ .type = (uint8_t)t, .flags = VALUE_NULL };
}

static void test_integers(void **state)
{
	static const enum type_id TYPES[] = { TYPE_BOOL, TYPE_INT2, TYPE_INT4, TYPE_INT8, TYPE_DATE,
		TYPE_TIMESTAMP, TYPE_TIMESTAMPTZ };
	struct value v[RANDOM];

	(void)state;
	for (size_t t = 0; t < sizeof(TYPES) / sizeof(TYPES[0]); t++) {
		static const int64_t EDGES[] = { 0, 1, -1, INT64_MIN, INT64_MAX };

		for (unsigned i = 0; i < RANDOM; i++) {
			v[i] = (struct value){ .type = (uint8_t)TYPES[t] };
			v[i].i = i < 5 ? EDGES[i] : draw_integer();
			if (TYPES[t] == TYPE_BOOL)
				v[i].i &= 1;
		}
		v[RANDOM - 1] = null_of(TYPES[t]);
		check_all(v, RANDOM);
	}
}

static void test_floats(void **state)
{
	static const double EDGES[] = { 0, -0.0, 1, -1, INFINITY, -INFINITY, 5e-324, -5e-324,
		1.7e308 };
	struct value d[RANDOM], f[RANDOM];

	(void)state;
	for (unsigned i = 0; i < RANDOM; i++) {
		d[i] = (struct value){ .type = TYPE_FLOAT8 };
		f[i] = (struct value){ .type = TYPE_FLOAT4 };
		d[i].d = i < 9 ? EDGES[i]
			       : ldexp((double)draw_integer(), (int)(draw() % 200) - 100);
		f[i].f = (float)(fabs(d[i].d) < 1e38 ? d[i].d : INFINITY);
	}
	d[10].d = (double)NAN;
	d[11].d = -(double)NAN;
	f[10].f = NAN;
	d[12] = null_of(TYPE_FLOAT8);
	f[12] = null_of(TYPE_FLOAT4);
	check_all(d, RANDOM);
	check_all(f, RANDOM);
}

static void test_numerics(void **state)
{
	struct value v[RANDOM];
	int128 most = 1;

	(void)state;
	for (unsigned i = 0; i < 38; i++)
		most *= 10;
	most--;
	for (unsigned i = 0; i < RANDOM; i++) {
		v[i] = (struct value){ .type = TYPE_NUMERIC };
		v[i].n = i % 3 == 0
			? draw_integer() % 20
			: (int128)draw_integer() * (i % 3 == 1 ? 1 : draw_integer() >> 8);
		v[i].n = v[i].n > most ? most : v[i].n < -most ? -most : v[i].n;
		v[i].scale = (uint8_t)(draw() % (i % 2 ? 39 : 4));
	}
	v[0].n = most;
	v[1].n = -most;
	v[2].n = most;
	v[3].n = -most;
	v[2].scale = v[3].scale = 38;
	v[4].n = 1;
	v[5].n = -1;
	v[4].scale = v[5].scale = 38;
	/* 1, 1.0 and 1.00; zeros */
	for (unsigned i = 0; i < 3; i++) {
		v[6 + i].n = i == 0 ? 1 : i == 1 ? 10 : 100;
		v[9 + i].n = 0;
		v[6 + i].scale = v[9 + i].scale = (uint8_t)i;
	}
	v[12].flags = VALUE_NAN;
	v[13] = null_of(TYPE_NUMERIC);
	check_all(v, RANDOM);
}

static void test_bytes(void **state)
{
	static const enum type_id TYPES[] = { TYPE_TEXT, TYPE_VARCHAR, TYPE_BPCHAR, TYPE_BYTEA };
	static const char LETTERS[] = { 'a', 'b', ' ', 0, 1, 2, (char)0xff };
	static char text[RANDOM][12];
	struct value v[RANDOM];

	(void)state;
	for (size_t t = 0; t < sizeof(TYPES) / sizeof(TYPES[0]); t++) {
		for (unsigned i = 0; i < RANDOM; i++) {
			v[i] = (struct value){ .type = (uint8_t)TYPES[t] };
			v[i].s.p = text[i];
			v[i].s.len = (uint32_t)(draw() % (i % 4 ? 4 : sizeof(text[i]) + 1));
			for (unsigned k = 0; k < v[i].s.len; k++)
				text[i][k] = LETTERS[draw() % sizeof(LETTERS)];
		}
		v[0] = null_of(TYPES[t]);
		v[1].s.len = 0;
		check_all(v, RANDOM);
	}
}

static void test_intervals(void **state)
{
	struct value v[RANDOM / 4];
	enum { N = sizeof(v) / sizeof(v[0]) };

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		v[i] = (struct value){ .type = TYPE_INTERVAL };
		v[i].iv.us = draw_integer();
		v[i].iv.days = (int32_t)(draw_integer() >> 32);
		v[i].iv.months = (int32_t)(draw_integer() >> 40);
	}
	v[0] = null_of(TYPE_INTERVAL);
	v[1] = (struct value){ .iv = { 0, 30, 0 }, .type = TYPE_INTERVAL };
	v[2] = (struct value){ .iv = { 0, 0, 1 }, .type = TYPE_INTERVAL };
	check_all(v, N);
}

static void test_uuid(void **state)
{
	struct value v[RANDOM];

	(void)state;
	for (unsigned i = 0; i < RANDOM; i++) {
		v[i] = (struct value){ .type = TYPE_UUID };
		for (unsigned k = 0; k < 16; k++)
			v[i].uuid[k] = (uint8_t)(draw() % (i % 2 ? 2 : 256));
	}
	v[0] = null_of(TYPE_UUID);
	check_all(v, RANDOM);
}

/* Several columns: the first one that differs decides, each by its own flags. */
static void test_rows(void **state)
{
	static const struct type TYPES[] = { { .id = TYPE_TEXT }, { .id = TYPE_INT4 },
		{ .id = TYPE_NUMERIC } };
	static const uint16_t COLS[] = { 2, 0, 1 };
	static const uint8_t FLAGS[] = { SORT_NULLS_FIRST, SORT_DESCENDING,
		SORT_DESCENDING | SORT_NULLS_FIRST };
	static char rows[RANDOM][64], text[4];
	static struct value v[RANDOM][3];
	static struct key keys[RANDOM];
	struct row_layout l;
	struct arena a;
	struct error e;

	(void)state;
	arena_init(&a, NULL);
	assert_int_equal(row_layout_init(&l, TYPES, 3, &a, &e), 0);
	memcpy(text, "a\0b", sizeof(text));
	for (unsigned i = 0; i < RANDOM; i++) {
		for (unsigned c = 0; c < 3; c++) {
			v[i][c] = (struct value){ .type = TYPES[c].id };
			if (draw() % 4 == 0)
				v[i][c].flags = VALUE_NULL;
			else if (c == 0)
				v[i][c].s.p = text, v[i][c].s.len = (uint32_t)(draw() % 4);
			else if (c == 1)
				v[i][c].i = (int64_t)(draw() % 3) - 1;
			else
				v[i][c].n = (int64_t)(draw() % 3) - 1;
		}
		assert_true(row_encoded_size(&l, v[i]) <= sizeof(rows[i]));
		row_encode(&l, v[i], rows[i]);
		assert_true(sortkey_row_size(&l, rows[i], COLS, 3) <= KEY_MAX);
		keys[i].len = (size_t)(sortkey_put_row(keys[i].bytes, &l, rows[i], COLS, FLAGS, 3) -
			keys[i].bytes);
		assert_int_equal(keys[i].len, sortkey_row_size(&l, rows[i], COLS, 3));
	}
	for (unsigned i = 0; i < RANDOM; i++)
		for (unsigned k = 0; k < RANDOM; k++) {
			int want = 0;

			for (unsigned c = 0; c < 3 && want == 0; c++)
				want = order(&v[i][COLS[c]], &v[k][COLS[c]], FLAGS[c]);
			assert_int_equal(sign(key_compare(&keys[i], &keys[k])), want);
		}
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_floats),
		cmocka_unit_test(test_numerics),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_uuid),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
