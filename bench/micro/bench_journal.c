/*
 * bench_journal.c: the journal beside bare writes to the same directory.
 *
 *   bench_journal [--smoke]        in the current directory's build/, or LEFTFOLD_BENCH_DIR
 *
 * For writes of 4 KiB and of 1 MiB: bare pwrite() into a file of zeros with O_DIRECT | O_DSYNC, one after the other;
 * then the journal, each block waited for; then a stream of blocks. Interleaved in rounds; prints the medians of a write's
 * microseconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "bench/micro/micro.h"
#include "core/log/journal.h"
#include "core/store/row.h"

enum { ROUNDS = 5, FILE_BYTES = 64 << 20 };

struct bench {
	char path[512];
	struct disk disk;
	int fd;
	uint64_t offset;
	void *data; /* 1 MiB, aligned; its first half is a row */
	uint32_t run;
};

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), by_size);
	return v[n / 2];
}

static void open_bare(struct bench *b)
{
	char name[600];
	int status = b->disk.ops->create(b->disk.impl, "bare", FILE_BYTES, DISK_SYNCED);

	if (status != 0)
		micro_fail("%s: %s", b->path, strerror(-status));
	(void)snprintf(name, sizeof(name), "%s/bare", b->path);
	b->fd = open(name, O_RDWR | O_DIRECT | O_DSYNC);
	if (b->fd < 0 && errno == EINVAL)
		b->fd = open(name, O_RDWR | O_DSYNC);
	if (b->fd < 0)
		micro_fail("%s: %s", name, strerror(errno));
}

static double write_bare(struct bench *b, size_t n)
{
	uint64_t begin = clock_now_ns();

	if (b->offset + n > FILE_BYTES)
		b->offset = 0;
	if (pwrite(b->fd, b->data, n, (off_t)b->offset) != (ssize_t)n)
		micro_fail("bare write: %s", strerror(errno));
	b->offset += n;
	return micro_seconds(begin) * 1e6;
}

/* A block that with its header takes n bytes of the file. */
static void add_block(struct bench *b, struct journal *j, uint64_t epoch, uint32_t n)
{
	uint32_t size = n - (uint32_t)(sizeof(struct block_header) + sizeof(struct entry_header));

	memcpy(b->data, &size, sizeof(size));
	if (journal_reserve(j, epoch, 1, size) != 0)
		micro_fail("journal: %s", journal_error(j)->message);
	journal_add(j, ENTRY_PUT, 1, b->data);
}

static void sync_journal(struct journal *j)
{
	if (journal_sync(j) != 0)
		micro_fail("journal: %s", journal_error(j)->message);
}

static double write_block(struct bench *b, struct journal *j, uint64_t epoch, uint32_t n)
{
	uint64_t begin = clock_now_ns();

	add_block(b, j, epoch, n);
	sync_journal(j);
	return micro_seconds(begin) * 1e6;
}

/* The same number of blocks as they come: one is written while the next is added. Microseconds of each. */
static double write_stream(
	struct bench *b, struct journal *j, uint64_t *epoch, uint32_t n, unsigned writes)
{
	uint64_t begin = clock_now_ns();

	for (unsigned i = 0; i < writes; i++) {
		add_block(b, j, ++*epoch, n);
		(void)journal_step(j);
		while (journal_state(j) == JOURNAL_BUSY)
			if (!journal_step(j))
				journal_wait(j, 1000);
	}
	sync_journal(j);
	return micro_seconds(begin) * 1e6 / writes;
}

static void compare(struct bench *b, const char *name, uint32_t n, unsigned writes)
{
	struct journal_options o = {
		.disk = &b->disk, .mode = DISK_SYNCED, .run = ++b->run, .shards = 1
	};
	double bare[ROUNDS], journal[ROUNDS], stream[ROUNDS], *us = malloc(writes * sizeof(*us));
	struct journal *j;
	struct error e;
	uint64_t epoch = 0;

	/* One segment, so that no other is made beside the measurement. */
	o.segment_bytes = (uint64_t)(2 * ROUNDS + 1) * writes * n + SEGMENT_HEADER_BYTES;
	if (us == NULL || journal_open(&j, &o, &e) != 0)
		micro_fail("journal: %s", us == NULL ? "out of memory" : e.message);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < writes; i++)
			us[i] = write_bare(b, n);
		bare[round] = median(us, writes);
		for (unsigned i = 0; i < writes; i++)
			us[i] = write_block(b, j, ++epoch, n);
		journal[round] = median(us, writes);
		stream[round] = write_stream(b, j, &epoch, n, writes);
	}
	journal_close(j);
	free(us);
	{
		double bare_us = median(bare, ROUNDS), journal_us = median(journal, ROUNDS);
		double stream_us = median(stream, ROUNDS);

		printf("journal_%s bare_us %.1f waited_us %.1f stream_us %.1f stream_of_bare_rate %.2f stream_MB/s %.0f\n",
			name, bare_us, journal_us, stream_us, bare_us / stream_us, n / stream_us);
	}
}

static void remove_file(void *arg, const char *name, uint64_t bytes)
{
	struct bench *b = arg;

	(void)bytes;
	(void)b->disk.ops->remove(b->disk.impl, name);
}

int main(int argc, char **argv)
{
	bool smoke = false;
	const struct micro_flag flags[] = { { "--smoke", &smoke, NULL } };
	const char *directory = getenv("LEFTFOLD_BENCH_DIR");
	struct bench b = { .fd = -1 };
	struct error e;

	micro_flags(argc, argv, flags, 1);
	(void)snprintf(b.path, sizeof(b.path), "%s/bench-journal-XXXXXX",
		directory != NULL ? directory : "build");
	if (mkdtemp(b.path) == NULL)
		micro_fail("%s: %s", b.path, strerror(errno));
	if (disk_open(&b.disk, b.path, &e) != 0)
		micro_fail("%s", e.message);
	if (posix_memalign(&b.data, DISK_BLOCK, 1 << 20) != 0)
		micro_fail("out of memory");
	memset(b.data, 'x', 1 << 20);
	open_bare(&b);
	compare(&b, "4k", 4096, smoke ? 5 : 400);
	compare(&b, "1m", 1 << 20, smoke ? 2 : 40);
	close(b.fd);
	(void)b.disk.ops->list(b.disk.impl, remove_file, &b);
	disk_close(&b.disk);
	(void)rmdir(b.path);
	free(b.data);
	return 0;
}
