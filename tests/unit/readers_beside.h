/*
 * readers_beside.h: queries by prepared statements, and readers on other threads that ask them again and again while the
 * schema changes.
 */
#ifndef LF_TESTS_UNIT_READERS_BESIDE_H
#define LF_TESTS_UNIT_READERS_BESIDE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/engine_fixture.h"

struct sink {
	const struct statement *s;
	char text[TEXT_MAX];
};

static inline int on_row(void *arg, const void *row, uint32_t size)
{
	struct sink *sink = arg;

	(void)size;
	return add_row(sink->text, sink->s, row);
}

enum { READERS = 2, QUERIES_MAX = 8 };

struct beside {
	struct lf_engine *engine;
	/* What is asked, and how many rows it always has. */
	const char *const *texts;
	const unsigned *rows;
	unsigned n;
	_Atomic bool stop;
	_Atomic unsigned wrong;
	_Atomic unsigned long rounds;
};

static inline int count_row(void *arg, const void *row, uint32_t size)
{
	(void)row;
	(void)size;
	++*(unsigned *)arg;
	return 0;
}

static inline void *reader(void *arg)
{
	struct beside *b = arg;
	struct statement *s[QUERIES_MAX];
	struct fixture f = { .engine = b->engine };
	uint64_t none[2] = { 0 };

	if (lf_port_open(&f.port, f.engine, NULL, NULL, &f.error) != 0)
		abort();
	for (unsigned i = 0; i < b->n; i++)
		if (lf_prepare(&s[i], f.engine, b->texts[i], strlen(b->texts[i]), NULL, 0,
			    &f.error) != 0)
			abort();
	row_encode(&s[0]->param_layout, NULL, none);
	while (!atomic_load(&b->stop)) {
		if (lf_read_begin(f.port, 0, NULL, &f.error) != 0)
			abort();
		for (unsigned i = 0; i < b->n; i++) {
			unsigned n = 0;

			if (lf_query(f.port, s[i], none, count_row, &n, &f.error) != 0 ||
				n != b->rows[i])
				atomic_fetch_add(&b->wrong, 1);
		}
		lf_read_end(f.port);
		atomic_fetch_add(&b->rounds, 1);
		usleep(100);
	}
	for (unsigned i = 0; i < b->n; i++)
		lf_release(f.engine, s[i]);
	lf_port_close(f.port);
	return NULL;
}

#endif
