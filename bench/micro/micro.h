/*
 * micro.h: what the micro-benchmarks share: flags, time, failing, and a table of wide rows with its epochs.
 */
#ifndef LF_BENCH_MICRO_H
#define LF_BENCH_MICRO_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/store/table.h"
#include "core/sync/epoch.h"

static inline void micro_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
static inline void micro_fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

/* A flag of a benchmark: a switch (number NULL), or one with a number. */
struct micro_flag {
	const char *name;
	bool *on;
	uint64_t *number;
};

/* Set what the arguments say; exits 2 with the list of flags for anything else. */
static inline void micro_flags(int argc, char **argv, const struct micro_flag *flags, unsigned n)
{
	/* Also into a file: what is known is said. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; i < argc; i++) {
		const struct micro_flag *f = NULL;

		for (unsigned k = 0; k < n; k++)
			if (strcmp(argv[i], flags[k].name) == 0)
				f = &flags[k];
		if (f == NULL || (f->number != NULL && i + 1 == argc)) {
			fprintf(stderr, "usage: %s", argv[0]);
			for (unsigned k = 0; k < n; k++)
				fprintf(stderr, " [%s%s]", flags[k].name,
					flags[k].number != NULL ? " N" : "");
			fputc('\n', stderr);
			exit(2);
		}
		if (f->number != NULL)
			*f->number = strtoull(argv[++i], NULL, 10);
		else
			*f->on = true;
	}
}

/* A rate or a duration is kept in doubles from here on. */
static inline double micro_seconds(uint64_t begin_ns)
{
	return (double)(clock_now_ns() - begin_ns) / 1e9;
}

static inline int micro_by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static inline int micro_by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts them. */
static inline double micro_median(double *values, unsigned n)
{
	qsort(values, n, sizeof(*values), micro_by_value);
	return values[n / 2];
}

/* To be asked for percentiles. */
static inline void micro_sort(uint64_t *ns, uint64_t n)
{
	qsort(ns, n, sizeof(*ns), micro_by_size);
}

/* --- a table --- */

/* Rows of MICRO_COLUMNS bigints: key, number of the change, the two xored (so that a reader sees whether a row
 * is whole), filling. With its version's head a row has 80 bytes. */
enum { MICRO_COLUMNS = 6, MICRO_ROW_MAX = 64, MICRO_EPOCH_ROWS = 1024 };

struct micro_table {
	struct heap *heap;
	struct arena arena;
	struct retire *retire;
	struct epochs *epochs;
	struct row_layout layout;
	struct table *table;
	uint64_t epoch; /* entered */
	unsigned in_epoch;
	char row[MICRO_ROW_MAX]; /* a whole one, into which keys are written */
};

static const uint16_t MICRO_KEY[] = { 0 };

static inline void micro_table_open(struct micro_table *t)
{
	struct type types[MICRO_COLUMNS];
	struct value values[MICRO_COLUMNS];
	struct table_options o;
	struct error e;

	memset(types, 0, sizeof(types));
	memset(values, 0, sizeof(values));
	for (unsigned i = 0; i < MICRO_COLUMNS; i++)
		types[i].id = values[i].type = TYPE_INT8;
	t->heap = heap_new_shard(NULL, 0);
	if (t->heap == NULL)
		micro_fail("out of memory");
	arena_init(&t->arena, t->heap);
	t->retire = retire_new(t->heap);
	t->epochs = epochs_new(t->heap, 1, 4);
	if (t->retire == NULL || t->epochs == NULL ||
		row_layout_init(&t->layout, types, MICRO_COLUMNS, &t->arena, &e) != 0)
		micro_fail("out of memory");
	o = (struct table_options){ t->heap, t->retire, &t->layout, MICRO_KEY, 1 };
	t->table = table_new(&o);
	if (t->table == NULL)
		micro_fail("out of memory");
	row_encode(&t->layout, values, t->row);
	t->epoch = 0;
	t->in_epoch = 0;
}

static inline void micro_table_close(struct micro_table *t)
{
	table_free(t->table);
	retire_free(t->retire);
	epochs_free(t->epochs);
	arena_free(&t->arena);
	heap_free_all(t->heap);
}

static inline void micro_row_set(
	const struct micro_table *t, char *row, unsigned column, uint64_t v)
{
	memcpy(row + t->layout.offsets[column], &v, sizeof(v));
}

static inline uint64_t micro_row_get(const struct micro_table *t, const void *row, unsigned column)
{
	uint64_t v;

	memcpy(&v, (const char *)row + t->layout.offsets[column], sizeof(v));
	return v;
}

static inline uint64_t micro_key_hash(const struct micro_table *t, uint64_t key)
{
	struct value v = { .i = (int64_t)key, .type = TYPE_INT8 };

	(void)t;
	return values_hash(&v, 1);
}

/* Leave the epoch, if one was entered, and free what is due. */
static inline void micro_epoch_end(struct micro_table *t)
{
	if (t->in_epoch == 0)
		return;
	epoch_leave(t->epochs, 0);
	(void)epoch_advance(t->epochs);
	(void)retire_run(t->retire, epoch_reclaimable(t->epochs), 4 * MICRO_EPOCH_ROWS);
	t->in_epoch = 0;
}

/* Write a row; epochs begin and end by themselves. */
static inline void micro_put(struct micro_table *t, uint64_t hash, uint64_t key, uint64_t change)
{
	if (t->in_epoch == 0)
		t->epoch = epoch_enter(t->epochs, 0);
	micro_row_set(t, t->row, 0, key);
	micro_row_set(t, t->row, 1, change);
	micro_row_set(t, t->row, 2, key ^ change);
	if (table_put(t->table, hash, t->epoch, t->row) != 0)
		micro_fail("out of memory");
	if (++t->in_epoch == MICRO_EPOCH_ROWS)
		micro_epoch_end(t);
}

#endif
