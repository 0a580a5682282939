/*
 * The comparison by which `make demo` judges itself must see every difference.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "tools/demo/rows.h"

/* Rows from a text: rows end with ';', fields with ',', '-' is NULL. */
static struct rows *rows_of(const char *text)
{
	struct rows *r = rows_new();

	while (*text != '\0') {
		size_t n = strcspn(text, ",;");

		if (n == 1 && text[0] == '-')
			rows_null(r);
		else
			rows_field(r, text, n);
		if (text[n] == ';')
			rows_end_row(r);
		text += n + 1;
	}
	return r;
}

static void expect(const char *expected, const char *actual, unsigned missing, unsigned surplus)
{
	struct rows *e = rows_of(expected), *a = rows_of(actual);
	struct rows_difference d = rows_compare(e, a);

	assert_int_equal(d.missing, missing);
	assert_int_equal(d.surplus, surplus);
	rows_free(e);
	rows_free(a);
}

static void test_equal(void **state)
{
	(void)state;
	expect("", "", 0, 0);
	expect("1,a;2,b;3,c;", "3,c;1,a;2,b;", 0, 0);
	expect("1,a;1,a;", "1,a;1,a;", 0, 0);
	expect("1,-;", "1,-;", 0, 0);
}

static void test_different(void **state)
{
	(void)state;
	expect("1,a;2,b;", "1,a;", 1, 0);
	expect("1,a;", "1,a;2,b;", 0, 1);
	expect("", "1,a;", 0, 1);
	expect("1,a;2,b;", "1,a;2,c;", 1, 1);
	expect("1,a;", "1,a;1,a;", 0, 1);
	expect("1,a;1,a;2,b;", "1,a;2,b;2,b;", 1, 1);
	expect("1,-;", "1,;", 1, 1);
	expect("1,23;", "12,3;", 1, 1);
	expect("1,a;", "a,1;", 1, 1);
	expect("100;", "10;", 1, 1);
}

static void test_first_rows(void **state)
{
	struct rows *e = rows_of("1;2;3;4;5;6;"), *a = rows_of("7;6;0;");
	struct rows_difference d = rows_compare(e, a);

	(void)state;
	assert_int_equal(d.missing, 5);
	assert_int_equal(d.surplus, 2);
	for (unsigned i = 0; i < ROWS_SHOWN; i++)
		assert_int_equal(rows_text(e, d.first_missing[i])[0], '1' + (int)i);
	assert_string_equal(rows_text(a, d.first_surplus[0]), "0");
	assert_string_equal(rows_text(a, d.first_surplus[1]), "7");
	rows_free(e);
	rows_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_different),
		cmocka_unit_test(test_first_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
