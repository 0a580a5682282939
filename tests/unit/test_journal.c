/*
 * The journal's writing: blocks, segments, states; on a real directory, and on one that refuses.
 */
#include <errno.h>

#include "tests/unit/journal_bed.h"

/* Reads everything there is; the entries' relations in order are what the tests tell apart. */
struct seen {
	unsigned blocks, entries;
	uint64_t bytes, last_epoch, last_number;
	uint32_t relations[64];
	bool closed;
};

static void read_all(struct journal_bed *b, struct seen *seen)
{
	struct segment_list l;
	struct journal_reader r;
	struct block block;
	int status;

	memset(seen, 0, sizeof(*seen));
	assert_int_equal(segment_list_read(&l, &b->disk, &b->error), 0);
	journal_reader_open(&r, &b->disk, l.at, l.n);
	while ((status = journal_reader_next(&r, &block, &b->error)) > 0) {
		struct entry e;
		uint64_t at = 0;

		seen->blocks++;
		seen->last_epoch = block.header->epoch;
		seen->last_number = block.segment->number;
		while (block_entry(&block, &at, &e, &b->error) > 0) {
			assert_true(e.bytes < 8 || e.kind == ENTRY_SCHEMA ||
				e.data[4] == e.data[e.bytes - 1]);
			seen->relations[seen->entries++ % 64] = e.relation;
			seen->bytes += e.bytes;
		}
	}
	if (status < 0)
		fail_msg("%s", b->error.message);
	seen->closed = r.closed;
	journal_reader_close(&r);
	segment_list_free(&l);
}

static void open_journal(struct journal_bed *b)
{
	struct journal_options o = bed_options(b);

	if (journal_open(&b->journal, &o, &b->error) != 0)
		fail_msg("%s", b->error.message);
}

static void test_blocks(void **state)
{
	struct journal_bed b;
	struct seen seen;

	(void)state;
	bed_make(&b);
	open_journal(&b);
	assert_int_equal(journal_oldest(b.journal), UINT64_MAX);
	assert_int_equal(journal_reserve(b.journal, 1, 0, 0), 0);
	assert_false(journal_active(b.journal));
	/* Entries of one epoch that wait together are one block. */
	add_row(b.journal, 5, 1, 16, 'a');
	add_row(b.journal, 5, 2, 24, 'b');
	add_row(b.journal, 6, 3, 16, 'c');
	assert_int_equal(journal_oldest(b.journal), 5);
	assert_int_equal(journal_sync(b.journal), 0);
	assert_int_equal(journal_oldest(b.journal), UINT64_MAX);
	read_all(&b, &seen);
	assert_int_equal(seen.blocks, 2);
	assert_int_equal(seen.entries, 3);
	assert_false(seen.closed);
	/* Silent for long: a block says how far the numbers are. */
	assert_int_equal(journal_reserve(b.journal, 6 + JOURNAL_EPOCHS_SILENT - 1, 0, 0), 0);
	assert_false(journal_active(b.journal));
	assert_int_equal(journal_reserve(b.journal, 6 + JOURNAL_EPOCHS_SILENT, 0, 0), 0);
	assert_true(journal_active(b.journal));
	assert_int_equal(
		journal_append_schema(b.journal, 6 + JOURNAL_EPOCHS_SILENT, 77, "CREATE", 6), 0);
	assert_int_equal(journal_end(b.journal, 7 + JOURNAL_EPOCHS_SILENT), 0);
	read_all(&b, &seen);
	assert_int_equal(seen.blocks, 4);
	assert_int_equal(seen.relations[3], 77);
	assert_int_equal(seen.last_epoch, 7 + JOURNAL_EPOCHS_SILENT);
	assert_true(seen.closed);
	bed_burn(&b);
}

static void test_segments(void **state)
{
	struct journal_bed b;
	struct seen seen;
	uint64_t bytes = 0;

	(void)state;
	bed_make(&b);
	open_journal(&b);
	for (unsigned i = 1; i <= 60; i++) {
		/* Some are larger than a segment. */
		uint32_t size = i % 20 == 0 ? 3 * LIMIT_SEGMENT_BYTES_MIN : 8000;

		add_row(b.journal, i, i, size, (int)i);
		bytes += size;
		assert_int_equal(journal_sync(b.journal), 0);
	}
	read_all(&b, &seen);
	assert_int_equal(seen.blocks, 60);
	assert_int_equal(seen.bytes, bytes);
	assert_true(seen.last_number > 8);
	bed_burn(&b);
}

/* The first segment is too small for what has gathered: it is never used, and the journal begins in the second. */
static void test_first_too_large(void **state)
{
	struct journal_bed b;
	struct seen seen;

	(void)state;
	bed_make(&b);
	open_journal(&b);
	add_row(b.journal, 1, 1, 3 * LIMIT_SEGMENT_BYTES_MIN, 'a');
	assert_int_equal(journal_sync(b.journal), 0);
	add_row(b.journal, 2, 2, 64, 'b');
	assert_int_equal(journal_sync(b.journal), 0);
	read_all(&b, &seen);
	assert_int_equal(seen.blocks, 2);
	assert_int_equal(seen.entries, 2);
	bed_burn(&b);
}

static void test_busy(void **state)
{
	struct journal_bed b;
	uint64_t epoch = 0;

	(void)state;
	bed_make(&b);
	open_journal(&b);
	while (journal_state(b.journal) == JOURNAL_READY) {
		add_row(b.journal, ++epoch, 1, 4096, 'x');
		assert_true(epoch < 10000);
	}
	assert_int_equal(journal_state(b.journal), JOURNAL_BUSY);
	assert_int_equal(journal_sync(b.journal), 0);
	assert_int_equal(journal_state(b.journal), JOURNAL_READY);
	bed_burn(&b);
}

/* --- a disk that refuses --- */

static struct disk real;
static int create_status, write_status;

static int refusing_create(void *impl, const char *name, uint64_t bytes, enum disk_mode mode)
{
	return create_status != 0 ? create_status : real.ops->create(impl, name, bytes, mode);
}

static int refusing_completed(void *impl, struct disk_queue *q, int *result)
{
	int done = real.ops->completed(impl, q, result);

	if (done && write_status != 0)
		*result = write_status;
	return done;
}

static struct disk_ops refusing;

static void refuse(struct journal_bed *b)
{
	real = b->disk;
	refusing = *real.ops;
	refusing.create = refusing_create;
	refusing.completed = refusing_completed;
	create_status = write_status = 0;
	b->disk.ops = &refusing;
}

static void test_full(void **state)
{
	struct journal_bed b;
	struct seen seen;
	uint64_t epoch = 0;

	(void)state;
	bed_make(&b);
	refuse(&b);
	create_status = -ENOSPC;
	{
		struct journal_options o = bed_options(&b);

		assert_int_equal(journal_open(&b.journal, &o, &b.error), -1);
		assert_int_equal(b.error.code, ERR_DISK_FULL);
	}
	create_status = 0;
	open_journal(&b);
	(void)journal_step(b.journal); /* has the second segment made */
	create_status = -ENOSPC;
	while (journal_state(b.journal) == JOURNAL_READY && epoch < 100) {
		add_row(b.journal, ++epoch, 1, 4000, 'x');
		assert_int_equal(journal_sync(b.journal), 0);
	}
	assert_int_equal(journal_state(b.journal), JOURNAL_FULL);
	assert_int_equal(journal_error(b.journal)->code, ERR_DISK_FULL);
	/* What was taken is there, and when there is space it goes on. */
	read_all(&b, &seen);
	assert_int_equal(seen.blocks, epoch);
	create_status = 0;
	for (unsigned i = 0; i < 1000 && journal_state(b.journal) == JOURNAL_FULL; i++) {
		(void)journal_step(b.journal);
		usleep(1000);
	}
	assert_int_equal(journal_state(b.journal), JOURNAL_READY);
	add_row(b.journal, ++epoch, 1, 4000, 'x');
	assert_int_equal(journal_sync(b.journal), 0);
	b.disk.ops = real.ops;
	bed_burn(&b);
}

static void test_failed(void **state)
{
	struct journal_bed b;

	(void)state;
	bed_make(&b);
	refuse(&b);
	open_journal(&b);
	add_row(b.journal, 1, 1, 16, 'x');
	write_status = -EIO;
	assert_int_equal(journal_sync(b.journal), -1);
	assert_int_equal(journal_state(b.journal), JOURNAL_FAILED);
	assert_int_equal(journal_error(b.journal)->code, ERR_IO);
	assert_non_null(
		strstr(journal_error(b.journal)->message, "00000001-00000-00000001.journal"));
	assert_int_equal(journal_oldest(b.journal), 1);
	/* Nothing is tried again. */
	write_status = 0;
	add_row(b.journal, 2, 1, 16, 'x');
	assert_int_equal(journal_sync(b.journal), -1);
	assert_false(journal_step(b.journal));
	b.disk.ops = real.ops;
	bed_burn(&b);
}

static void test_disk(void **state)
{
	struct journal_bed b;
	struct disk_file *f;
	struct disk other;
	char bytes[16];

	(void)state;
	bed_make(&b);
	assert_int_equal(disk_open(&other, b.path, &b.error), -1);
	assert_int_equal(b.error.code, ERR_OBJECT_STATE);
	assert_int_equal(b.disk.ops->create(b.disk.impl, "a", 8192, DISK_SYNCED), 0);
	assert_int_equal(b.disk.ops->create(b.disk.impl, "a", 8192, DISK_SYNCED), -EEXIST);
	assert_int_equal(b.disk.ops->open(b.disk.impl, "b", DISK_READ, &f), -ENOENT);
	assert_int_equal(b.disk.ops->open(b.disk.impl, "a", DISK_READ, &f), 0);
	assert_int_equal(b.disk.ops->read(b.disk.impl, f, bytes, 16, 8184), 8);
	b.disk.ops->close(b.disk.impl, f);
	assert_int_equal(b.disk.ops->truncate(b.disk.impl, "a", 10), 0);
	assert_int_equal(b.disk.ops->remove(b.disk.impl, "a"), 0);
	assert_int_equal(b.disk.ops->remove(b.disk.impl, "a"), -ENOENT);
	/* What was being made when a process ended. */
	assert_int_equal(b.disk.ops->create(b.disk.impl, "c.new", 4096, DISK_WRITTEN), 0);
	disk_close(&b.disk);
	assert_int_equal(disk_open(&b.disk, b.path, &b.error), 0);
	assert_int_equal(b.disk.ops->open(b.disk.impl, "c.new", DISK_READ, &f), 0);
	b.disk.ops->close(b.disk.impl, f);
	disk_tidy(&b.disk);
	assert_int_equal(b.disk.ops->open(b.disk.impl, "c.new", DISK_READ, &f), -ENOENT);
	bed_burn(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_first_too_large),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
