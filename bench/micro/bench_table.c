/*
 * bench_table.c: the hash table of row versions, by size.
 *
 *   bench_table [--smoke] [--rows N]
 *
 * Without --rows: 1 M and 10 M rows. Rows of 80 bytes with their version's head, keys in random order, an
 * epoch every 1024 changes. All rows are inserted; at most VISITS_MAX are read and changed. beside_reader: while a second
 * thread reads batches all the time and checks that the rows are whole; then that thread's own rate. Where there is too
 * little memory for so many rows, a line says that they are left out. beyond_columns: bytes of a row beside the 48 of its
 * columns, its place in the table included.
 *
 * Beside it, as the limit, a loop over an array of the table's footprint that fetches ahead in the
 * same groups and touches one cache line an access: of_loop is table / loop. And where Concurrency Kit is installed its
 * ck_ht, with the same keys and pointers to rows of 64 bytes that lie one behind the other: of_ck is table / that (with at most
 * CK_ROWS_MAX rows: more take it as long as all the rest).
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "bench/micro/micro.h"

#if __has_include(<ck_ht.h>)
#include <ck_ht.h>
#define WITH_CK 1
#else
#define WITH_CK 0
#endif

/* NEED_BYTES: of memory, a row, at the most: the table takes 106, ck_ht 144 while it grows. */
enum {
	COLUMN_BYTES = 8 * MICRO_COLUMNS,
	ARRAY_ENTRY = 64,
	VISITS_MAX = 10000000,
	CK_ROWS_MAX = 10000000,
	NEED_BYTES = 150
};

struct reader {
	struct micro_table *t;
	uint64_t rows, reads, wrong;
	double seconds;
	atomic_bool stop;
};

/* Rows a second. */
struct rates {
	double insert, single, batched, update, update_beside, reader;
	double loop_read, loop_write, ck_put, ck_get;
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
	uint64_t begin = clock_now_ns();

	/* Once at least: the writer may have ended before this thread begins. */
	do {
		uint64_t v = epoch_pin(r->t->epochs, (unsigned)slot);

		r->wrong += read_batch(r->t, r->reads % r->rows, r->rows, v);
		r->reads += TABLE_BATCH;
		epoch_unpin(r->t->epochs, (unsigned)slot);
	} while (!atomic_load_explicit(&r->stop, memory_order_relaxed));
	r->seconds = micro_seconds(begin);
	epoch_reader_close(r->t->epochs, (unsigned)slot);
	return NULL;
}

static uint64_t visits_of(uint64_t rows)
{
	return rows < VISITS_MAX ? rows : VISITS_MAX;
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
	uint64_t visits = visits_of(rows);

	for (uint64_t i = 0; i < visits; i++) {
		uint64_t key = key_at(i * 7 + 1, rows);
		const void *row;

		micro_row_set(t, t->row, 0, key);
		row = table_read(
			t->table, micro_key_hash(t, key), &t->layout, t->row, MICRO_KEY, v);
		wrong += row == NULL || micro_row_get(t, row, 0) != key;
	}
	if (wrong != 0)
		micro_fail("bench_table: %llu rows not found", (unsigned long long)wrong);
	return (double)visits / micro_seconds(begin);
}

static double measure_batched(struct micro_table *t, uint64_t rows)
{
	uint64_t begin = clock_now_ns(), wrong = 0, v = epoch_visible(t->epochs), n = 0;

	for (; n + TABLE_BATCH <= visits_of(rows); n += TABLE_BATCH)
		wrong += read_batch(t, n, rows, v);
	if (wrong != 0)
		micro_fail("bench_table: %llu rows not found whole", (unsigned long long)wrong);
	return (double)n / micro_seconds(begin);
}

static double measure_update(struct micro_table *t, uint64_t rows)
{
	uint64_t begin = clock_now_ns(), n = 0;

	for (; n + TABLE_BATCH <= visits_of(rows); n += TABLE_BATCH) {
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

/* Memory of the kind that the table has. */
static void *huge_pages(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		micro_fail("bench_table: out of memory");
	(void)madvise(p, size, MADV_HUGEPAGE);
	return p;
}

/* The limit: as many entries as the footprint holds, visited in random order by the same groups. */
static double measure_array(size_t footprint, uint64_t visits, bool write)
{
	uint64_t n = footprint / ARRAY_ENTRY, sum = 0, begin, done = 0;
	char *array = huge_pages(n * ARRAY_ENTRY);
	double rate;

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

/* The same changes as measure_update()'s, with a thread that reads. */
static void measure_beside_reader(struct micro_table *t, uint64_t rows, struct rates *out)
{
	struct reader r = { .t = t, .rows = rows };
	pthread_t thread;

	if (pthread_create(&thread, NULL, read_on, &r) != 0)
		micro_fail("bench_table: cannot start a thread");
	out->update_beside = measure_update(t, rows);
	atomic_store(&r.stop, true);
	pthread_join(thread, NULL);
	if (r.wrong != 0 || r.reads == 0)
		micro_fail("bench_table: the reader saw %llu rows that were not whole",
			(unsigned long long)r.wrong);
	out->reader = (double)r.reads / r.seconds;
}

/* --- Concurrency Kit's table --- */

#if WITH_CK
static void ck_free(void *p, size_t size, bool deferred)
{
	(void)deferred;
	(void)munmap(p, size);
}

/* Key 0 is its empty place. */
static void ck_insert(ck_ht_t *ht, char *rows, uint64_t i, uint64_t key)
{
	char *row = rows + i * MICRO_ROW_MAX;
	ck_ht_entry_t entry;
	ck_ht_hash_t h;

	memset(row, 0, MICRO_ROW_MAX);
	memcpy(row, &key, sizeof(key));
	ck_ht_hash_direct(&h, ht, key + 1);
	ck_ht_entry_set_direct(&entry, h, key + 1, (uintptr_t)row);
	if (!ck_ht_put_spmc(ht, h, &entry))
		micro_fail("bench_table: ck_ht does not take a row");
}

static bool ck_found(ck_ht_t *ht, uint64_t key)
{
	ck_ht_entry_t entry;
	ck_ht_hash_t h;
	uint64_t found;

	ck_ht_hash_direct(&h, ht, key + 1);
	ck_ht_entry_key_set_direct(&entry, key + 1);
	if (!ck_ht_get_spmc(ht, h, &entry))
		return false;
	memcpy(&found, (const void *)ck_ht_entry_value_direct(&entry), sizeof(found));
	return found == key;
}

static void measure_ck(uint64_t rows, struct rates *out)
{
	static struct ck_malloc allocator = { .malloc = huge_pages, .free = ck_free };
	uint64_t visits = visits_of(rows), wrong = 0, begin;
	char *array = huge_pages(rows * MICRO_ROW_MAX);
	ck_ht_t ht;

	if (!ck_ht_init(&ht, CK_HT_MODE_DIRECT, NULL, &allocator, 1024, 1))
		micro_fail("bench_table: out of memory");
	begin = clock_now_ns();
	for (uint64_t i = 0; i < rows; i++)
		ck_insert(&ht, array, i, key_at(i, rows));
	out->ck_put = (double)rows / micro_seconds(begin);
	begin = clock_now_ns();
	for (uint64_t i = 0; i < visits; i++)
		wrong += !ck_found(&ht, key_at(i * 7 + 1, rows));
	out->ck_get = (double)visits / micro_seconds(begin);
	if (wrong != 0 || ck_ht_count(&ht) != rows)
		micro_fail("bench_table: ck_ht has not all rows");
	ck_ht_destroy(&ht);
	(void)munmap(array, rows * MICRO_ROW_MAX);
}
#else
static void measure_ck(uint64_t rows, struct rates *out)
{
	(void)rows;
	(void)out;
}
#endif

/* --- all of it --- */

/* loop, ck: the rates to compare with; 0: none. */
static void line(uint64_t rows, const char *what, double rate, double loop, double ck)
{
	printf("table_%llu_%s rows/s %.0f", (unsigned long long)rows, what, rate);
	if (loop > 0)
		printf(" of_loop %.2f", rate / loop);
	if (ck > 0)
		printf(" of_ck %.2f", rate / ck);
	putchar('\n');
}

static void report(uint64_t rows, const struct rates *r, size_t footprint)
{
	line(rows, "insert", r->insert, 0, r->ck_put);
	line(rows, "lookup_single", r->single, r->loop_read, r->ck_get);
	line(rows, "lookup_batched", r->batched, r->loop_read, 0);
	line(rows, "update", r->update, r->loop_write, 0);
	line(rows, "update_beside_reader", r->update_beside, r->loop_write, 0);
	line(rows, "reader_beside_update", r->reader, 0, 0);
	line(rows, "loop_read", r->loop_read, 0, 0);
	line(rows, "loop_write", r->loop_write, 0, 0);
	if (r->ck_put > 0) {
		line(rows, "ck_put", r->ck_put, 0, 0);
		line(rows, "ck_get", r->ck_get, 0, 0);
	}
	printf("table_%llu_footprint bytes/row %.1f beyond_columns %.1f\n",
		(unsigned long long)rows, (double)footprint / (double)rows,
		(double)footprint / (double)rows - COLUMN_BYTES);
}

/* What the system could give to a program without swapping; 0: it does not say. */
static uint64_t memory_available(void)
{
	unsigned long long kib = 0;
	char text[128];
	FILE *f = fopen("/proc/meminfo", "re");

	while (f != NULL && fgets(text, sizeof(text), f) != NULL)
		if (sscanf(text, "MemAvailable: %llu kB", &kib) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return kib * 1024;
}

static void bench(uint64_t rows)
{
	uint64_t available = memory_available();
	struct rates r = { 0 };
	struct micro_table t;
	size_t footprint;

	if (available > 0 && available / NEED_BYTES < rows) {
		printf("skipped table_%llu: it needs %.1f GiB of memory, of which %.1f GiB are available\n",
			(unsigned long long)rows, (double)rows * NEED_BYTES / (1 << 30),
			(double)available / (1 << 30));
		return;
	}
	micro_table_open(&t);
	r.insert = measure_insert(&t, rows);
	footprint = heap_used(t.heap);
	r.single = measure_single(&t, rows);
	r.batched = measure_batched(&t, rows);
	r.update = measure_update(&t, rows);
	measure_beside_reader(&t, rows, &r);
	table_check(t.table);
	micro_table_close(&t);
	r.loop_read = measure_array(footprint, visits_of(rows), false);
	r.loop_write = measure_array(footprint, visits_of(rows), true);
	if (rows <= CK_ROWS_MAX)
		measure_ck(rows, &r);
	report(rows, &r, footprint);
}

int main(int argc, char **argv)
{
	bool smoke = false;
	uint64_t rows = 0;
	const struct micro_flag flags[] = { { "--smoke", &smoke, NULL },
		{ "--rows", NULL, &rows } };

	micro_flags(argc, argv, flags, 2);
	if (smoke) {
		bench(20000);
	} else if (rows > 0) {
		bench(rows);
	} else {
		bench(1000000);
		bench(10000000);
	}
	return 0;
}
