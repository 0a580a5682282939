/*
 * Generators: what their texts may be, and the values they give a client's parameters.
 */
#include "tests/unit/fake_server.h"

#include <regex.h>
#include <stdio.h>

#include "bench/load/generator.h"
#include "core/sql/cast.h"

static const struct type TYPES[] = {
	{ TYPE_BOOL, 0, 0 },
	{ TYPE_INT2, 0, 0 },
	{ TYPE_INT8, 0, 0 },
	{ TYPE_FLOAT8, 0, 0 },
	{ TYPE_NUMERIC, 2, 8 },
	{ TYPE_TEXT, 0, 0 },
	{ TYPE_BYTEA, 0, 0 },
	{ TYPE_DATE, 0, 0 },
	{ TYPE_TIMESTAMP, 0, 0 },
	{ TYPE_UUID, 0, 0 },
};
enum { NTYPES = sizeof(TYPES) / sizeof(TYPES[0]), TEXT_MAX = 128, MESSAGE_MAX = 256 };

struct rig {
	struct fake f;
	struct lf_statement *s;
	struct lf_params *p;
	struct arena arena;
	struct row_layout layout;
};

static int rig_open(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct error e;

	r->f = fake_open(lf_client_options_default());
	r->s = fake_prepare(&r->f, 2, WIRE_KIND_QUERY, TYPES, NTYPES, TYPES, NTYPES);
	r->p = lf_params_new(r->s);
	arena_init(&r->arena, NULL);
	assert_int_equal(row_layout_init(&r->layout, TYPES, NTYPES, &r->arena, &e), 0);
	*state = r;
	return 0;
}

static int rig_close(void **state)
{
	struct rig *r = *state;

	lf_params_free(r->p);
	fake_close(&r->f);
	arena_free(&r->arena);
	free(r);
	return 0;
}

static unsigned param_of(enum type_id id)
{
	unsigned i = 0;

	while (TYPES[i].id != id)
		i++;
	return i;
}

/* The next value for a parameter of that type, as text. */
static const char *next(struct rig *r, struct generator *g, enum type_id id, char out[TEXT_MAX])
{
	unsigned param = param_of(id);
	struct value v;
	size_t size, n;

	g->type = lf_statement_param_type(r->s, param);
	assert_true(generator_fits(g, g->type));
	generator_set(g, r->p, param);
	assert_null(lf_params_error(r->p));
	row_get(&r->layout, lf_params_row(r->p, &size), param, &v);
	n = value_format(&v, TYPES[param], out, TEXT_MAX);
	assert_true(n < TEXT_MAX);
	out[n] = '\0';
	return out;
}

static struct generator parsed(const char *text)
{
	char message[MESSAGE_MAX];
	struct generator g;

	if (generator_parse(&g, text, message, sizeof(message)) != 0)
		fail_msg("%s: %s", text, message);
	generator_seed(&g, 11);
	return g;
}

/* The first value of each, for each type that it is for. */
static void test_values(void **state)
{
	static const struct {
		const char *text;
		enum type_id id;
		const char *pattern;
	} CASES[] = {
		{ "sequence", TYPE_INT8, "^0$" },
		{ "sequence(41)", TYPE_INT2, "^41$" },
		{ "sequence( -3 )", TYPE_NUMERIC, "^-3.00$" },
		{ "sequence(7)", TYPE_TEXT, "^7$" },
		{ "sequence(60)", TYPE_DATE, "^2000-03-01$" },
		{ "sequence(1000000)", TYPE_TIMESTAMP, "^2000-01-01 00:00:01$" },
		{ "sequence(7)", TYPE_FLOAT8, "^7$" },
		{ "uniform(5, 5)", TYPE_INT8, "^5$" },
		{ "zipf(1, 0.99)", TYPE_INT8, "^0$" },
		{ "numeric(1.25, 1.25, 2)", TYPE_NUMERIC, "^1.25$" },
		{ "numeric(-0.5,-0.5,1)", TYPE_FLOAT8, "^-0.5$" },
		{ "text(7)", TYPE_TEXT, "^[a-z]{7}$" },
		{ "text(0)", TYPE_TEXT, "^$" },
		{ "text(3)", TYPE_BYTEA, "^\\\\x([67][0-9a-f]){3}$" },
		{ "constant(a, (b))", TYPE_TEXT, "^a, \\(b\\)$" },
		{ "constant(2024-02-29)", TYPE_DATE, "^2024-02-29$" },
		{ "constant(12.5)", TYPE_NUMERIC, "^12.50$" },
		{ "choice(t)", TYPE_BOOL, "^t$" },
		{ "choice(x|y z|)", TYPE_TEXT, "^(x|y z|)$" },
		{ "now", TYPE_TIMESTAMP, "^20[0-9]{2}-[0-9-]+ [0-9:.]+$" },
		{ "now", TYPE_DATE, "^20[0-9]{2}-[0-9]{2}-[0-9]{2}$" },
		{ "uuid", TYPE_UUID,
			"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$" },
		{ "uuid", TYPE_TEXT,
			"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$" },
	};

	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct generator g = parsed(CASES[i].text);
		char out[TEXT_MAX];
		regex_t re;

		assert_int_equal(regcomp(&re, CASES[i].pattern, REG_EXTENDED | REG_NOSUB), 0);
		if (regexec(&re, next(*state, &g, CASES[i].id, out), 0, NULL, 0) != 0)
			fail_msg("%s: \"%s\" is not %s", CASES[i].text, out, CASES[i].pattern);
		regfree(&re);
		generator_free(&g);
	}
}

static void test_sequence_goes_on(void **state)
{
	struct generator g = parsed("sequence(9)");
	char out[TEXT_MAX];

	assert_string_equal(next(*state, &g, TYPE_INT8, out), "9");
	assert_string_equal(next(*state, &g, TYPE_INT8, out), "10");
	generator_free(&g);
}

/* Both ends of a range are drawn, nothing beyond, and the same seed gives the same. */
static void test_ranges(void **state)
{
	struct generator g = parsed("uniform(-2, 2)"), again = parsed("uniform(-2, 2)");
	unsigned seen[5] = { 0 };
	char out[TEXT_MAX], same[TEXT_MAX];

	for (int i = 0; i < 1000; i++) {
		long v = strtol(next(*state, &g, TYPE_INT8, out), NULL, 10);

		assert_true(v >= -2 && v <= 2);
		seen[v + 2]++;
		assert_string_equal(next(*state, &again, TYPE_INT8, same), out);
	}
	for (int i = 0; i < 5; i++)
		assert_true(seen[i] > 120 && seen[i] < 280);
	generator_free(&g);
	generator_free(&again);
	g = parsed("uniform(-9223372036854775808, 9223372036854775807)");
	assert_string_not_equal(next(*state, &g, TYPE_INT8, out), "");
	generator_free(&g);
}

static void test_wrong_texts(void **state)
{
	static const char *const CASES[] = { "", "nothing", "sequence(", "sequence(a)", "sequence)",
		"uniform", "uniform()", "uniform(1)", "uniform(2, 1)", "uniform(1, 2, 3)",
		"uniform(1, 99999999999999999999)", "uniform(1, 2) x", "zipf(0, 1)", "zipf(10)",
		"zipf(10, -1)", "zipf(10, 21)", "zipf(10, nan)", "numeric(1, 2)",
		"numeric(1, 2, 19)", "numeric(2, 1, 0)", "numeric(0, 1e19, 0)", "text", "text(-1)",
		"text(1048577)", "now(1)", "uuid(4)", "now ()" };
	char message[MESSAGE_MAX];
	struct generator g;

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		message[0] = '\0';
		if (generator_parse(&g, CASES[i], message, sizeof(message)) == 0)
			fail_msg("\"%s\" is taken", CASES[i]);
		assert_string_not_equal(message, "");
	}
}

static void test_types_it_is_not_for(void **state)
{
	static const struct {
		const char *text;
		enum type_id id;
	} CASES[] = { { "sequence", TYPE_BOOL }, { "sequence", TYPE_UUID },
		{ "text(3)", TYPE_INT8 }, { "now", TYPE_INT8 }, { "uuid", TYPE_BYTEA },
		{ "numeric(0, 1, 1)", TYPE_INT8 } };
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct generator g = parsed(CASES[i].text);

		assert_false(
			generator_fits(&g, lf_statement_param_type(r->s, param_of(CASES[i].id))));
		generator_free(&g);
	}
}

/* What the parameter cannot hold is an error of its execution. */
static void test_values_out_of_range(void **state)
{
	static const struct {
		const char *text;
		enum type_id id;
	} CASES[] = { { "sequence(40000)", TYPE_INT2 }, { "numeric(9e6, 9e6, 0)", TYPE_NUMERIC },
		{ "constant(no number)", TYPE_INT8 } };
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct generator g = parsed(CASES[i].text);
		unsigned param = param_of(CASES[i].id);

		g.type = lf_statement_param_type(r->s, param);
		generator_set(&g, r->p, param);
		assert_non_null(lf_params_error(r->p));
		lf_params_clear(r->p);
		generator_free(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_values, rig_open, rig_close),
		cmocka_unit_test_setup_teardown(test_sequence_goes_on, rig_open, rig_close),
		cmocka_unit_test_setup_teardown(test_ranges, rig_open, rig_close),
		cmocka_unit_test(test_wrong_texts),
		cmocka_unit_test_setup_teardown(test_types_it_is_not_for, rig_open, rig_close),
		cmocka_unit_test_setup_teardown(test_values_out_of_range, rig_open, rig_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
