/*
 * bench_table.c: the hash table of row versions, by size.
 *
 *   bench_table [--smoke] [--rows N] [--reader]
 *
 * Without --rows: 1 M and 10 M rows. Rows of 80 bytes with their version's head, keys in random order, an
 * epoch every 1024 changes. With --reader a second thread reads batches all the time and checks that the rows are
 * whole. Beside it, as the limit, a loop over an array of the table's footprint that fetches ahead in the
 * same groups and touches one cache line an access; the last column is table / loop.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "bench/micro/micro.h"

enum { ARRAY_ENTRY = 64 };

struct reader {
	struct micro_table *t;
	uint64_t rows, reads, wrong;
	atomic_bool stop;
};

/* Keys are visited by a bijection of 0 … rows-1: a multiplication by a number that shares no factor. */
static uint64_t key_at(uint64_t i, uint64_t rows)
{
	return (uint64_t)((unsigned __int128)i * UINT64_C(1099511627791) % rows);
}

/* Read TABLE_BATCH keys from the i-th on; returns how many were not found whole. */
static uint64_t read_batch(struct micro_table *t, uint64_t i, uint64_t rows, uint64_t v)
{
	const struct table *tables[TABLE_BATCH];
	const void *krows[TABLE_BATCH], *out[TABLE_BATCH];
	char keys[TABLE_BATCH][MICRO_ROW_MAX];
	uint64_t hashes[TABLE_BATCH], wrong = 0;

	for (unsigned k = 0; k < TABLE_BATCH; k++) {
		uint64_t key = key_at(i + k, rows);

		tables[k] = t->table;
		micro_row_set(t, keys[k], 0, key);
		keys[k][4] = 0;
		krows[k] = keys[k];
		hashes[k] = micro_key_hash(t, key);
	}
	table_read_batch(tables, TABLE_BATCH, hashes, &t->layout, krows, MICRO_KEY, v, out);
	for (unsigned k = 0; k < TABLE_BATCH; k++)
		wrong += out[k] == NULL ||
			micro_row_get(t, out[k], 2) !=
				(micro_row_get(t, out[k], 0) ^ micro_row_get(t, out[k], 1));
	return wrong;
}

static void *read_on(void *arg)
{
	struct reader *r = arg;
	int slot = epoch_reader_open(r->t->epochs);

	/* Once at least: the writer may have ended before this thread begins. */
	do {
		uint64_t v = epoch_pin(r->t->epochs, (unsigned)slot);

		r->wrong += read_batch(r->t, r->reads % r->rows, r->rows, v);
		r->reads += TABLE_BATCH;
		epoch_unpin(r->t->epochs, (unsigned)slot);
	} while (!atomic_load_explicit(&r->stop, memory_order_relaxed));
	epoch_reader_close(r->t->epochs, (unsigned)slot);
	return NULL;
}

static double measure_insert(struct micro_table *t, uint64_t rows)
{
	uint64_t begin = clock_now_ns();

	for (uint64_t i = 0; i < rows; i++) {
		uint64_t key = key_at(i, rows);

		micro_put(t, micro_key_hash(t, key), key, 0);
	}
	micro_epoch_end(t);
	return (double)rows / micro_seconds(begin);
}

static double measure_single(struct micro_table *t, uint64_t rows)
{
	uint64_t begin = clock_now_ns(), wrong = 0, v = epoch_visible(t->epochs);

	for (uint64_t i = 0; i < rows; i++) {
		uint64_t key = key_at(i * 7 + 1, rows);
		const void *row;

		micro_row_set(t, t->row, 0, key);
		row = table_read(
			t->table, micro_key_hash(t, key), &t->layout, t->row, MICRO_KEY, v);
		wrong += row == NULL || micro_row_get(t, row, 0) != key;
	}
	if (wrong != 0)
		micro_fail("bench_table: %llu rows not found", (unsigned long long)wrong);
	return (double)rows / micro_seconds(begin);
}

static double measure_batched(struct micro_table *t, uint64_t rows)
{
	uint64_t begin = clock_now_ns(), wrong = 0, v = epoch_visible(t->epochs), n = 0;

	for (; n + TABLE_BATCH <= rows; n += TABLE_BATCH)
		wrong += read_batch(t, n, rows, v);
	if (wrong != 0)
		micro_fail("bench_table: %llu rows not found whole", (unsigned long long)wrong);
	return (double)n / micro_seconds(begin);
}

static double measure_update(struct micro_table *t, uint64_t rows)
{
	uint64_t begin = clock_now_ns(), n = 0;

	for (; n + TABLE_BATCH <= rows; n += TABLE_BATCH) {
		uint64_t keys[TABLE_BATCH], hashes[TABLE_BATCH];

		for (unsigned k = 0; k < TABLE_BATCH; k++) {
			keys[k] = key_at(n + k, rows);
			hashes[k] = micro_key_hash(t, keys[k]);
			table_prefetch(t->table, hashes[k]);
		}
		for (unsigned k = 0; k < TABLE_BATCH; k++)
			table_prefetch_version(t->table, hashes[k]);
		for (unsigned k = 0; k < TABLE_BATCH; k++)
			micro_put(t, hashes[k], keys[k], n + 1);
	}
	micro_epoch_end(t);
	if (table_rows(t->table) != rows)
		micro_fail("bench_table: %llu rows instead of %llu",
			(unsigned long long)table_rows(t->table), (unsigned long long)rows);
	return (double)n / micro_seconds(begin);
}

/* The limit: as many entries as the footprint holds, visited in random order by the same groups. */
static double measure_array(size_t footprint, uint64_t visits, bool write)
{
	uint64_t n = footprint / ARRAY_ENTRY, sum = 0, begin, done = 0;
	char *array = mmap(
		NULL, n * ARRAY_ENTRY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	double rate;

	if (array == MAP_FAILED)
		micro_fail("bench_table: out of memory");
	(void)madvise(array, n * ARRAY_ENTRY, MADV_HUGEPAGE);
	memset(array, 1, n * ARRAY_ENTRY);
	begin = clock_now_ns();
	for (; done + TABLE_BATCH <= visits; done += TABLE_BATCH) {
		char *at[TABLE_BATCH];

		for (unsigned k = 0; k < TABLE_BATCH; k++) {
			at[k] = array + key_at(hash_u64(done + k) % n, n) * ARRAY_ENTRY;
			__builtin_prefetch(at[k], 1);
		}
		for (unsigned k = 0; k < TABLE_BATCH; k++) {
			sum += (unsigned char)*at[k];
			if (write)
				memcpy(at[k] + 8, &done, sizeof(done));
		}
	}
	rate = (double)done / micro_seconds(begin);
	if (sum != done)
		micro_fail("bench_table: the array is not what was written");
	(void)munmap(array, n * ARRAY_ENTRY);
	return rate;
}

static void line(uint64_t rows, const char *what, double rate, double limit)
{
	printf("table_%llu_%s rows/s %.0f", (unsigned long long)rows, what, rate);
	if (limit > 0)
		printf(" of_loop %.2f", rate / limit);
	putchar('\n');
}

static void bench(uint64_t rows, bool with_reader)
{
	struct micro_table t;
	struct reader r = { .t = &t, .rows = rows };
	double insert, single, batched, update, loop_read, loop_write;
	pthread_t thread;
	size_t footprint;

	micro_table_open(&t);
	insert = measure_insert(&t, rows);
	footprint = heap_used(t.heap);
	if (with_reader && pthread_create(&thread, NULL, read_on, &r) != 0)
		micro_fail("bench_table: cannot start a thread");
	single = measure_single(&t, rows);
	batched = measure_batched(&t, rows);
	update = measure_update(&t, rows);
	if (with_reader) {
		atomic_store(&r.stop, true);
		pthread_join(thread, NULL);
		if (r.wrong != 0 || r.reads == 0)
			micro_fail("bench_table: the reader saw %llu rows that were not whole",
				(unsigned long long)r.wrong);
	}
	table_check(t.table);
	micro_table_close(&t);
	loop_read = measure_array(footprint, rows, false);
	loop_write = measure_array(footprint, rows, true);
	line(rows, "insert", insert, 0);
	line(rows, "lookup_single", single, loop_read);
	line(rows, "lookup_batched", batched, loop_read);
	line(rows, "update", update, loop_write);
	line(rows, "loop_read", loop_read, 0);
	line(rows, "loop_write", loop_write, 0);
	printf("table_%llu_footprint bytes/row %.1f\n", (unsigned long long)rows,
		(double)footprint / (double)rows);
}

int main(int argc, char **argv)
{
	bool smoke = false, reader = false;
	uint64_t rows = 0;
	const struct micro_flag flags[] = { { "--smoke", &smoke, NULL }, { "--rows", NULL, &rows },
		{ "--reader", &reader, NULL } };

	micro_flags(argc, argv, flags, 3);
	if (smoke) {
		bench(20000, false);
		bench(20000, true);
	} else if (rows > 0) {
		bench(rows, reader);
	} else {
		bench(1000000, reader);
		bench(10000000, reader);
	}
	return 0;
}
