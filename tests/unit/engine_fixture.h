/*
 * engine_fixture.h: an engine in stepped mode for a test, statements as text and results as text.
 */
#ifndef LF_TESTS_UNIT_ENGINE_FIXTURE_H
#define LF_TESTS_UNIT_ENGINE_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "core/engine.h"
#include "core/sql/cast.h"

enum { TEXT_MAX = 1024 };

struct fixture {
	struct lf_engine *engine;
	struct lf_port *port;
	struct error error;
};

static inline void open_fixture(struct fixture *f, unsigned projectors)
{
	struct lf_options o = lf_options_default();

	o.projectors = projectors;
	o.stepped = true;
	assert_int_equal(lf_engine_open(&f->engine, &o, &f->error), 0);
	assert_int_equal(lf_port_open(&f->port, f->engine, NULL, NULL, &f->error), 0);
}

static inline void close_fixture(struct fixture *f)
{
	lf_port_close(f->port);
	lf_engine_close(f->engine);
}

static inline void run(struct fixture *f, const char *text)
{
	if (lf_run_script(f->port, text, strlen(text), &f->error) != 0)
		fail_msg("%s: %s %s", text, error_sqlstate(f->error.code), f->error.message);
}

static inline struct statement *prepare(struct fixture *f, const char *text)
{
	struct statement *s;

	if (lf_prepare(&s, f->engine, text, strlen(text), NULL, 0, &f->error) != 0)
		fail_msg("%s: %s %s", text, error_sqlstate(f->error.code), f->error.message);
	return s;
}

/* One command, of one or several statements. */
static inline void command(struct fixture *f, const char *text)
{
	if (lf_run(f->port, text, strlen(text), NULL, NULL, NULL, &f->error) != 0)
		fail_msg("%s: %s %s", text, error_sqlstate(f->error.code), f->error.message);
}

static inline int add_row(void *arg, const struct statement *s, const void *row)
{
	char *text = arg;
	size_t n = strlen(text);

	if (n > 0)
		text[n++] = '\n';
	for (unsigned c = 0; c < s->nresults; c++) {
		struct value v;

		if (c > 0)
			text[n++] = '|';
		row_get(&s->result_layout, row, c, &v);
		if (!value_is_null(&v))
			n += value_format(
				&v, s->result_layout.types[c], text + n, TEXT_MAX - n - 2);
	}
	text[n] = '\0';
	return 0;
}

/* The rows of a query: columns separated by '|', rows by newlines. */
static inline void expect(struct fixture *f, const char *query, const char *rows)
{
	char text[TEXT_MAX] = "";

	if (lf_run(f->port, query, strlen(query), NULL, add_row, text, &f->error) != 0)
		fail_msg("%s: %s %s", query, error_sqlstate(f->error.code), f->error.message);
	assert_string_equal(text, rows);
}

static inline void expect_error(struct fixture *f, const char *text, enum error_code code)
{
	assert_int_equal(lf_run(f->port, text, strlen(text), NULL, NULL, NULL, &f->error), -1);
	assert_string_equal(error_sqlstate(f->error.code), error_sqlstate(code));
}

#endif
