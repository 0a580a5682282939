/*
 * journal_bed.h: a temporary directory with a journal, and its files as bytes.
 */
#ifndef LF_TESTS_UNIT_JOURNAL_BED_H
#define LF_TESTS_UNIT_JOURNAL_BED_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "core/log/journal.h"

struct journal_bed {
	char path[64];
	struct disk disk;
	struct journal *journal;
	struct error error;
};

static inline void bed_make(struct journal_bed *b)
{
	memset(b, 0, sizeof(*b));
	strcpy(b->path, "/tmp/leftfold-journal-XXXXXX");
	assert_non_null(mkdtemp(b->path));
	assert_int_equal(disk_open(&b->disk, b->path, &b->error), 0);
}

static inline struct journal_options bed_options(const struct journal_bed *b)
{
	return (struct journal_options){ .disk = &b->disk,
		.mode = DISK_SYNCED,
		.run = 1,
		.shards = 1,
		.segment_bytes = LIMIT_SEGMENT_BYTES_MIN };
}

static inline void bed_burn(struct journal_bed *b)
{
	DIR *d = opendir(b->path);
	const struct dirent *entry;

	journal_close(b->journal);
	disk_close(&b->disk);
	while ((entry = readdir(d)) != NULL)
		(void)unlinkat(dirfd(d), entry->d_name, 0);
	closedir(d);
	assert_int_equal(rmdir(b->path), 0);
}

/* A row as far as the journal knows: its size, then bytes of the given value. */
static inline void add_row(
	struct journal *j, uint64_t epoch, uint32_t relation, uint32_t size, int byte)
{
	unsigned char *row = malloc(size);

	memset(row, byte, size);
	memcpy(row, &size, sizeof(size));
	assert_int_equal(journal_reserve(j, epoch, 1, size), 0);
	journal_add(j, ENTRY_PUT, relation, row);
	free(row);
}

static inline int file_open(const struct journal_bed *b, const char *name)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", b->path, name);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	return fd;
}

/* The whole file; *n is its size. free() it. */
static inline unsigned char *file_read(const struct journal_bed *b, const char *name, size_t *n)
{
	int fd = file_open(b, name);
	off_t size = lseek(fd, 0, SEEK_END);
	unsigned char *data = malloc((size_t)size);

	assert_int_equal(pread(fd, data, (size_t)size, 0), size);
	close(fd);
	*n = (size_t)size;
	return data;
}

static inline void file_write(
	const struct journal_bed *b, const char *name, const void *data, size_t n)
{
	int fd = file_open(b, name);

	assert_int_equal(pwrite(fd, data, n, 0), (ssize_t)n);
	assert_int_equal(ftruncate(fd, (off_t)n), 0);
	close(fd);
}

#endif
