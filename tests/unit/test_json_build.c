/*
 * json_build.h: values of every kind as they stand in a json.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "core/sql/json_build.h"

static struct arena arena;

static struct value text(const char *s, enum type_id t)
{
	return (struct value){ .s = { s, (uint32_t)strlen(s) }, .type = (uint8_t)t };
}

static void gives(const struct function *f, const struct value *args, unsigned n, const char *want)
{
	struct error e;
	struct call c = { &arena, &e, 0 };
	struct value out;

	assert_int_equal(f->eval(&out, args, n, &c), 0);
	assert_int_equal(out.s.len, strlen(want));
	assert_memory_equal(out.s.p, want, out.s.len);
	arena_reset(&arena);
}

static void is(struct value v, const char *want)
{
	gives(&JSON_ELEMENT, &v, 1, want);
}

static void test_elements(void **unused)
{
	(void)unused;
	is((struct value){ .type = TYPE_INT4, .flags = VALUE_NULL }, "null");
	is((struct value){ .i = -7, .type = TYPE_INT8 }, "-7");
	is((struct value){ .i = 1, .type = TYPE_BOOL }, "true");
	is((struct value){ .d = 0.5, .type = TYPE_FLOAT8 }, "0.5");
	is((struct value){ .d = (double)NAN, .type = TYPE_FLOAT8 }, "\"NaN\"");
	is((struct value){ .f = -INFINITY, .type = TYPE_FLOAT4 }, "\"-Infinity\"");
	is((struct value){ .flags = VALUE_NAN, .type = TYPE_NUMERIC }, "\"NaN\"");
	is((struct value){ .i = 0, .type = TYPE_DATE }, "\"2000-01-01\"");
	is((struct value){ .i = 1000000, .type = TYPE_TIMESTAMP }, "\"2000-01-01T00:00:01\"");
	is((struct value){ .i = 500000, .type = TYPE_TIMESTAMPTZ },
		"\"2000-01-01T00:00:00.5+00:00\"");
	is((struct value){ .i = INT64_MAX, .type = TYPE_TIMESTAMPTZ }, "\"infinity\"");
	is(text("a\"\\\n\x01/é", TYPE_TEXT), "\"a\\\"\\\\\\n\\u0001/é\"");
	is(text("{\"a\" :1}", TYPE_JSON), "{\"a\" :1}");
	is((struct value){ .s = { "\x01", 1 }, .type = TYPE_BYTEA }, "\"\\\\x01\"");
}

static void test_builders(void **unused)
{
	struct value args[4] = { text("b", TYPE_TEXT), { .i = 1, .type = TYPE_INT4 },
		{ .i = 0, .type = TYPE_BOOL }, { .type = TYPE_TEXT, .flags = VALUE_NULL } };
	struct error e;
	struct call c = { &arena, &e, 0 };
	struct value out;

	(void)unused;
	gives(json_builder("json_build_object"), args, 4, "{\"b\" : 1, \"false\" : null}");
	gives(json_builder("jsonb_build_object"), args, 4, "{\"b\": 1, \"false\": null}");
	gives(json_builder("json_build_array"), args, 4, "[\"b\", 1, false, null]");
	gives(json_builder("json_build_array"), args, 0, "[]");
	gives(json_builder("jsonb_build_object"), args, 0, "{}");
	gives(&JSON_PAIR, args, 2, "\"b\" : 1");
	assert_null(json_builder("row_to_json"));
	args[0].flags = VALUE_NULL;
	assert_int_equal(JSON_PAIR.eval(&out, args, 2, &c), -1);
	assert_int_equal(e.code, ERR_INVALID_PARAMETER);

	assert_int_equal(json_builder("json_build_object")->eval(&out, args, 4, &c), -1);
	assert_int_equal(e.code, ERR_INVALID_PARAMETER);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_elements),
		cmocka_unit_test(test_builders) };
	int failed;

	arena_init(&arena, NULL);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(&arena);
	return failed;
}
