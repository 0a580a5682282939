#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/store/value.h"

static struct value integer(enum type_id t, int64_t i)
{
	return (struct value){ .i = i, .type = (uint8_t)t };
}

static struct value numeric(int128 n, uint8_t scale)
{
	return (struct value){ .n = n, .scale = scale, .type = TYPE_NUMERIC };
}

static struct value real(double d)
{
	return (struct value){ .d = d, .type = TYPE_FLOAT8 };
}

static struct value bytes(enum type_id t, const char *s)
{
	return (struct value){ .s = { s, (uint32_t)strlen(s) }, .type = (uint8_t)t };
}

static struct value interval(int32_t months, int32_t days, int64_t us)
{
	return (struct value){ .iv = { us, days, months }, .type = TYPE_INTERVAL };
}

static int sign(int c)
{
	return (c > 0) - (c < 0);
}

/* The list is in order: value i has rank[i]; equal ranks are equal values, and hash alike. */
static void check_order(const struct value *v, const int *rank, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < n; k++) {
			assert_int_equal(
				sign(value_compare(&v[i], &v[k])), sign(rank[i] - rank[k]));
			if (rank[i] == rank[k])
				assert_int_equal(value_hash(&v[i]), value_hash(&v[k]));
			else
				assert_int_not_equal(value_hash(&v[i]), value_hash(&v[k]));
		}
}

static int128 power(unsigned n)
{
	return n == 0 ? 1 : 10 * power(n - 1);
}

static void test_numeric(void **state)
{
	const int128 most = power(38) - 1;
	const struct value v[] = { numeric(-most, 0), numeric(-most, 1), numeric(-15, 1),
		numeric(-150, 2), numeric(-1, 38), numeric(0, 0), numeric(0, 38), numeric(1, 38),
		numeric(10, 38), numeric(most, 38), numeric(1, 0), numeric(power(37), 37),
		numeric(15, 1), numeric(most - 1, 0), numeric(most, 0),
		{ .type = TYPE_NUMERIC, .flags = VALUE_NAN } };
	const int rank[] = { 0, 1, 2, 2, 3, 4, 4, 5, 6, 7, 8, 8, 9, 10, 11, 12 };

	(void)state;
	check_order(v, rank, sizeof(rank) / sizeof(rank[0]));
}

static void test_float(void **state)
{
	const struct value v[] = { real(-(double)INFINITY), real(-1e300), real(-0.0), real(0.0),
		real(5e-324), real(1), real((double)INFINITY), real((double)NAN),
		real(-(double)NAN) };
	const int rank[] = { 0, 1, 2, 2, 3, 4, 5, 6, 6 };

	(void)state;
	check_order(v, rank, sizeof(rank) / sizeof(rank[0]));
}

static void test_text(void **state)
{
	const struct value t[] = { bytes(TYPE_TEXT, ""), bytes(TYPE_TEXT, " "),
		bytes(TYPE_TEXT, "B"), bytes(TYPE_TEXT, "a"), bytes(TYPE_TEXT, "a "),
		bytes(TYPE_TEXT, "ab"), bytes(TYPE_TEXT, "\xc3\xa4") };
	const struct value c[] = { bytes(TYPE_BPCHAR, ""), bytes(TYPE_BPCHAR, "   "),
		bytes(TYPE_BPCHAR, "a"), bytes(TYPE_BPCHAR, "a  "), bytes(TYPE_BPCHAR, "a b") };
	const int rank_t[] = { 0, 1, 2, 3, 4, 5, 6 }, rank_c[] = { 0, 0, 1, 1, 2 };
	const struct value varchar = bytes(TYPE_VARCHAR, "ab");

	(void)state;
	check_order(t, rank_t, 7);
	check_order(c, rank_c, 5);
	assert_int_equal(value_hash(&varchar), value_hash(&t[5]));
}

static void test_others(void **state)
{
	const struct value i[] = { interval(0, 0, -1), interval(0, 29, 0), interval(1, 0, 0),
		interval(0, 30, 0), interval(0, 29, 86400000000), interval(12, 0, 0) };
	const int rank[] = { 0, 1, 2, 2, 2, 3 };
	const struct value narrow = integer(TYPE_INT2, -7), wide = integer(TYPE_INT8, -7);
	const struct value null = { .type = TYPE_INT4, .flags = VALUE_NULL };
	const struct value other = { .type = TYPE_TEXT, .flags = VALUE_NULL };

	(void)state;
	check_order(i, rank, 6);
	/* Keys of joins and partitions may be of different width. */
	assert_int_equal(value_hash(&narrow), value_hash(&wide));
	assert_int_equal(value_hash(&null), value_hash(&other));
}

static void test_names(void **state)
{
	char buf[64];

	(void)state;
	assert_string_equal(
		type_name((struct type){ .id = TYPE_NUMERIC, .a = 12, .b = 2 }, buf, sizeof(buf)),
		"numeric(12,2)");
	assert_string_equal(
		type_name((struct type){ .id = TYPE_VARCHAR, .a = 20 }, buf, sizeof(buf)),
		"character varying(20)");
	assert_string_equal(
		type_name((struct type){ .id = TYPE_INT8 }, buf, sizeof(buf)), "bigint");
	assert_string_equal(type_name((struct type){ .id = (uint8_t)type_array_of(TYPE_INT4) }, buf,
				    sizeof(buf)),
		"integer[]");
	assert_true(type_exists((unsigned)type_array_of(TYPE_JSONB)));
	assert_false(type_exists(TYPE_ARRAY));
	assert_false(type_exists(TYPE_COUNT));
	assert_false(type_exists(TYPE_ARRAY + TYPE_COUNT));
	assert_int_equal(type_from_name("bpchar"), TYPE_BPCHAR);
	assert_int_equal(type_from_name("money"), TYPE_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numeric),
		cmocka_unit_test(test_float),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
