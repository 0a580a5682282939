/*
 * array.h: elements are quoted so that they are read again as they were.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "core/sql/array.h"

static struct arena arena;

static struct value text(const char *s)
{
	if (s == NULL)
		return (struct value){ .flags = VALUE_NULL, .type = TYPE_TEXT };
	return (struct value){ .s = { s, (uint32_t)strlen(s) }, .type = TYPE_TEXT };
}

static struct value call(const struct function *f, const struct value *args, unsigned n)
{
	struct error e;
	struct call c = { &arena, &e, 0 };
	struct value out;

	assert_int_equal(f->eval(&out, args, n, &c), 0);
	return out;
}

static void same(struct value v, const char *expected)
{
	assert_int_equal(value_is_null(&v), expected == NULL);
	if (expected == NULL)
		return;
	assert_int_equal(v.s.len, strlen(expected));
	assert_memory_equal(v.s.p, expected, v.s.len);
}

static void element_is(struct value v, const char *expected)
{
	same(call(&ARRAY_ELEMENT, &v, 1), expected);
}

static void test_elements(void **unused)
{
	(void)unused;
	element_is(text("a"), "a");
	element_is(text(NULL), "NULL");
	element_is(text("NULL"), "\"NULL\"");
	element_is(text("nUll"), "\"nUll\"");
	element_is(text("nulls"), "nulls");
	element_is(text(""), "\"\"");
	element_is(text("a b"), "\"a b\"");
	element_is(text("a,b"), "\"a,b\"");
	element_is(text("{"), "\"{\"");
	element_is(text("a\"\\"), "\"a\\\"\\\\\"");
	element_is((struct value){ .i = -5, .type = TYPE_INT4 }, "-5");
	element_is((struct value){ .i = 1, .type = TYPE_BOOL }, "t");
	element_is((struct value){ .s = { "\x01", 1 }, .type = TYPE_BYTEA }, "\"\\\\x01\"");
	arena_reset(&arena);
}

/* What was put in comes out, whatever it is. */
static void test_there_and_back(void **unused)
{
	static const char *const TEXTS[] = { "a", NULL, "NULL", "", " ", "a,b", "{}", "\"", "\\",
		"\\\"", "x" };
	enum { COUNT = sizeof(TEXTS) / sizeof(TEXTS[0]) };
	char array[200] = "{";
	size_t n = 1;
	struct value args[3];

	(void)unused;
	for (unsigned i = 0; i < COUNT; i++) {
		struct value v = text(TEXTS[i]), e = call(&ARRAY_ELEMENT, &v, 1);

		if (i > 0)
			array[n++] = ',';
		memcpy(array + n, e.s.p, e.s.len);
		n += e.s.len;
	}
	memcpy(array + n, "}", 2);
	args[0] = text(array);
	args[1] = (struct value){ .type = TYPE_INT4 };
	for (unsigned i = 0; i <= COUNT + 1; i++) {
		args[1].i = i;
		same(call(&ARRAY_AT, args, 2), i == 0 || i > COUNT ? NULL : TEXTS[i - 1]);
	}
	assert_int_equal(call(&ARRAY_CARDINALITY, args, 1).i, COUNT);
	args[1].i = 1;
	assert_int_equal(call(&ARRAY_LENGTH, args, 2).i, COUNT);
	args[1] = text("-");
	args[2] = text(NULL);
	same(call(&ARRAY_TO_STRING, args, 3), "a-NULL-- -a,b-{}-\"-\\-\\\"-x");
	args[2] = text("*");
	same(call(&ARRAY_TO_STRING, args, 3), "a-*-NULL-- -a,b-{}-\"-\\-\\\"-x");
	arena_reset(&arena);
}

static void test_empty(void **unused)
{
	struct value args[3] = { text("{}"), { .i = 1, .type = TYPE_INT4 }, text(NULL) };

	(void)unused;
	assert_int_equal(call(&ARRAY_CARDINALITY, args, 1).i, 0);
	same(call(&ARRAY_LENGTH, args, 2), NULL);
	same(call(&ARRAY_AT, args, 2), NULL);
	args[1] = text(",");
	same(call(&ARRAY_TO_STRING, args, 3), "");
	args[1] = text(NULL);
	same(call(&ARRAY_TO_STRING, args, 3), NULL);
	arena_reset(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_elements),
		cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_empty) };
	int failed;

	arena_init(&arena, NULL);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(&arena);
	return failed;
}
