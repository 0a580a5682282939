/*
 * tuple.h: tuples sort by their bytes as their keys do by value, in either direction and with NULLs at either end; and what
 * was packed comes out.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "core/sql/numeric.h"
#include "core/sql/tuple.h"

static struct value text(const char *s, enum type_id t)
{
	return (struct value){ .s = { s, (uint32_t)strlen(s) }, .type = (uint8_t)t };
}

static struct value bytes(const char *s, uint32_t n)
{
	return (struct value){ .s = { s, n }, .type = TYPE_BYTEA };
}

static struct value pack(struct value key, char direction, struct arena *a)
{
	struct value args[4] = { bytes(&direction, 1), key, text("v", TYPE_TEXT),
		text(",", TYPE_TEXT) };
	struct error e;
	struct call c = { a, &e, 0 };
	struct value out;

	assert_int_equal(TUPLE_PACK.eval(&out, args, 4, &c), 0);
	return out;
}

static int sign(int c)
{
	return (c > 0) - (c < 0);
}

/* Each with each, NULL included. */
static void check(const struct value *values, unsigned n)
{
	struct value null = { .type = values[0].type, .flags = VALUE_NULL };
	struct arena a;

	arena_init(&a, NULL);
	for (char d = 0; d < 4; d++) {
		struct value none = pack(null, d, &a);

		for (unsigned i = 0; i < n; i++) {
			struct value x = pack(values[i], d, &a);

			assert_int_equal(
				sign(value_compare(&none, &x)), d & TUPLE_NULLS_FIRST ? -1 : 1);
			for (unsigned k = 0; k < n; k++) {
				struct value y = pack(values[k], d, &a);
				int c = sign(value_compare(&values[i], &values[k]));

				assert_int_equal(
					sign(value_compare(&x, &y)), d & TUPLE_DESCENDING ? -c : c);
			}
		}
		arena_reset(&a);
	}
	arena_free(&a);
}

static void test_order(void **unused)
{
	int128 most = (int128)(numeric_pow10[38] - 1);
	const struct value whole[] = { { .i = INT64_MIN, .type = TYPE_INT8 },
		{ .i = -1, .type = TYPE_INT8 }, { .i = 0, .type = TYPE_INT8 },
		{ .i = 255, .type = TYPE_INT8 }, { .i = 256, .type = TYPE_INT8 },
		{ .i = INT64_MAX, .type = TYPE_INT8 } };
	const struct value floats[] = { { .d = -(double)INFINITY, .type = TYPE_FLOAT8 },
		{ .d = -1e300, .type = TYPE_FLOAT8 }, { .d = -1, .type = TYPE_FLOAT8 },
		{ .d = -0.0, .type = TYPE_FLOAT8 }, { .d = 0, .type = TYPE_FLOAT8 },
		{ .d = 1e-310, .type = TYPE_FLOAT8 }, { .d = 2.5, .type = TYPE_FLOAT8 },
		{ .d = (double)INFINITY, .type = TYPE_FLOAT8 },
		{ .d = (double)NAN, .type = TYPE_FLOAT8 } };
	const struct value numerics[] = { { .n = -most, .type = TYPE_NUMERIC },
		{ .n = -most, .scale = 38, .type = TYPE_NUMERIC },
		{ .n = -15, .scale = 1, .type = TYPE_NUMERIC }, { .n = -2, .type = TYPE_NUMERIC },
		{ .n = 0, .type = TYPE_NUMERIC }, { .n = 0, .scale = 5, .type = TYPE_NUMERIC },
		{ .n = 1, .scale = 38, .type = TYPE_NUMERIC },
		{ .n = 150, .scale = 2, .type = TYPE_NUMERIC },
		{ .n = 15, .scale = 1, .type = TYPE_NUMERIC },
		{ .n = 151, .scale = 2, .type = TYPE_NUMERIC }, { .n = 1500, .type = TYPE_NUMERIC },
		{ .n = most, .type = TYPE_NUMERIC }, { .type = TYPE_NUMERIC, .flags = VALUE_NAN } };
	const struct value texts[] = { text("", TYPE_TEXT), text("a", TYPE_TEXT),
		text("a b", TYPE_TEXT), text("ab", TYPE_TEXT), text("\x01", TYPE_TEXT),
		text("é", TYPE_TEXT) };
	const struct value chars[] = { text("a", TYPE_BPCHAR), text("a  ", TYPE_BPCHAR),
		text("a b", TYPE_BPCHAR), text("", TYPE_BPCHAR) };
	const struct value binary[] = { bytes("", 0), bytes("\0", 1), bytes("\0\0", 2),
		bytes("\0\1", 2), bytes("\0\xff", 2), bytes("\1", 1), bytes("\xff", 1) };
	const struct value spans[] = { { .iv = { 0, 30, 0 }, .type = TYPE_INTERVAL },
		{ .iv = { 0, 0, 1 }, .type = TYPE_INTERVAL },
		{ .iv = { -1, 0, 0 }, .type = TYPE_INTERVAL },
		{ .iv = { INT64_MAX, INT32_MAX, INT32_MAX }, .type = TYPE_INTERVAL },
		{ .iv = { 0, 0, 0 }, .type = TYPE_INTERVAL } };

	(void)unused;
#define CHECK(list) check(list, sizeof(list) / sizeof((list)[0]))
	CHECK(whole);
	CHECK(floats);
	CHECK(numerics);
	CHECK(texts);
	CHECK(chars);
	CHECK(binary);
	CHECK(spans);
}

static void test_contents(void **unused)
{
	struct value args[3] = { bytes("", 0), text("value", TYPE_TEXT), text("; ", TYPE_TEXT) };
	struct value out, value, separator;
	struct error e;
	struct arena a;
	struct call c = { &a, &e, 0 };

	(void)unused;
	arena_init(&a, NULL);
	assert_int_equal(TUPLE_PACK.eval(&out, args, 3, &c), 0);
	tuple_unpack(&out, &value, &separator);
	assert_int_equal(value.s.len, 5);
	assert_memory_equal(value.s.p, "value", 5);
	assert_int_equal(separator.s.len, 2);
	args[2].flags = VALUE_NULL;
	assert_int_equal(TUPLE_PACK.eval(&out, args, 3, &c), 0);
	tuple_unpack(&out, &value, &separator);
	assert_true(value_is_null(&separator));
	assert_int_equal(value.s.len, 5);
	args[1].flags = VALUE_NULL;
	assert_int_equal(TUPLE_PACK.eval(&out, args, 3, &c), 0);
	assert_true(value_is_null(&out));
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_contents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
