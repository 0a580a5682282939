/*
 * The fixed expressions of the comparison with PostgreSQL (tests/e2e/run_semantics.py), against its recorded
 * answers, in process: so the sanitizers see numerics, dates, casts and text functions at work.
 */
#include "tests/unit/engine_fixture.h"

#include <stdlib.h>

enum { LINE = 8192, ANSWER = 4096 };

struct answer {
	char text[ANSWER];
	unsigned rows;
};

/* Rows one behind the other, columns divided by '|', line breaks as "\n". */
static int add_answer(void *arg, const struct statement *s, const void *row)
{
	struct answer *a = arg;
	size_t n = strlen(a->text);

	a->rows++;
	for (unsigned c = 0; c < s->nresults; c++) {
		struct value v;
		char text[2048];
		size_t len = 0;

		row_get(&s->result_layout, row, c, &v);
		if (!value_is_null(&v))
			len = value_format(&v, s->result_layout.types[c], text, sizeof(text));
		assert_true(len <= sizeof(text) && n + 2 * len + 2 < ANSWER);
		if (c > 0)
			a->text[n++] = '|';
		for (size_t i = 0; i < len; i++) {
			if (text[i] == '\n')
				a->text[n++] = '\\';
			a->text[n++] = text[i] == '\n' ? 'n' : text[i];
		}
	}
	a->text[n] = '\0';
	return 0;
}

static unsigned check(struct fixture *f, const char *expression, const char *expected)
{
	char text[LINE];
	struct answer a = { "", 0 };
	int n = snprintf(text, sizeof(text), "SELECT %s", expression);
	int status = lf_run(f->port, text, (size_t)n, NULL, add_answer, &a, &f->error);

	if (status != 0)
		(void)snprintf(a.text, sizeof(a.text), "!%s", error_sqlstate(f->error.code));
	if (strcmp(a.text, expected) == 0)
		return 0;
	print_error("%s\n  expected %s\n  found    %s\n", text, expected, a.text);
	return 1;
}

static void file(struct fixture *f, const char *path)
{
	FILE *in = fopen(path, "r");
	char line[LINE];
	unsigned n = 0, bad = 0;

	if (in == NULL)
		fail_msg("%s: run from the top of the checkout", path);
	while (fgets(line, sizeof(line), in) != NULL) {
		char *tab = strrchr(line, '\t');

		line[strcspn(line, "\n")] = '\0';
		assert_non_null(tab);
		*tab = '\0';
		bad += check(f, line, tab + 1);
		n++;
	}
	fclose(in);
	assert_true(n > 20);
	assert_int_equal(bad, 0);
}

static void test_expressions(void **unused)
{
	struct fixture f;

	(void)unused;
	open_fixture(&f, 1);
	file(&f, "tests/golden/semantics_expressions.txt");
	file(&f, "tests/golden/semantics_datetime.txt");
	file(&f, "tests/golden/semantics_regex.txt");
	file(&f, "tests/golden/semantics_functions.txt");
	file(&f, "tests/golden/semantics_rows.txt");
	file(&f, "tests/golden/semantics_to_char.txt");
	file(&f, "tests/golden/semantics_json.txt");
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expressions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
