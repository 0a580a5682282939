/*
 * data_fixture.h: an engine with a data directory of its own, for a test to close, damage and open again.
 */
#ifndef LF_TESTS_UNIT_DATA_FIXTURE_H
#define LF_TESTS_UNIT_DATA_FIXTURE_H

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "tests/unit/engine_fixture.h"

struct bed {
	struct fixture f;
	char path[64];
	uint64_t segment_bytes;
	bool salvage;
	bool threads; /* instead of steps */
};

static inline int try_open(struct bed *b, unsigned projectors)
{
	struct lf_options o = lf_options_default();

	o.projectors = projectors;
	o.stepped = !b->threads;
	o.data = b->path;
	o.segment_bytes = b->segment_bytes;
	o.salvage = b->salvage;
	return lf_engine_open(&b->f.engine, &o, &b->f.error);
}

static inline void open_bed(struct bed *b, unsigned projectors)
{
	if (try_open(b, projectors) != 0)
		fail_msg("%s", b->f.error.message);
	assert_int_equal(lf_port_open(&b->f.port, b->f.engine, NULL, NULL, &b->f.error), 0);
}

static inline void again(struct bed *b, unsigned projectors)
{
	close_fixture(&b->f);
	open_bed(b, projectors);
}

static inline void make_bed_of(struct bed *b, unsigned projectors, uint64_t segment_bytes)
{
	b->segment_bytes = segment_bytes;
	b->salvage = b->threads = false;
	strcpy(b->path, "/tmp/leftfold-recovery-XXXXXX");
	assert_non_null(mkdtemp(b->path));
	open_bed(b, projectors);
}

static inline void make_bed(struct bed *b, unsigned projectors)
{
	make_bed_of(b, projectors, LIMIT_SEGMENT_BYTES_MIN);
}

/* Calls fn for each file whose name ends so. */
static inline unsigned files(const struct bed *b, const char *suffix, void (*fn)(const char *path))
{
	DIR *d = opendir(b->path);
	const struct dirent *entry;
	unsigned n = 0;

	assert_non_null(d);
	while ((entry = readdir(d)) != NULL) {
		size_t len = strlen(entry->d_name), end = strlen(suffix);
		char path[512];

		if (entry->d_name[0] == '.' || len < end ||
			strcmp(entry->d_name + len - end, suffix) != 0)
			continue;
		n++;
		snprintf(path, sizeof(path), "%s/%s", b->path, entry->d_name);
		if (fn != NULL)
			fn(path);
	}
	closedir(d);
	return n;
}

static inline void remove_file(const char *path)
{
	assert_int_equal(unlink(path), 0);
}

static inline void burn_bed(struct bed *b)
{
	(void)files(b, "", remove_file);
	assert_int_equal(rmdir(b->path), 0);
}

/* One bit. */
static inline void flip_at(const char *path, off_t at)
{
	int fd = open(path, O_RDWR);
	char byte = 0;

	assert_true(fd >= 0 && pread(fd, &byte, 1, at) == 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

/* One bit, in the first block. */
static inline void damage(const char *path)
{
	flip_at(path, 4200);
}

/* Of 64 KiB at most. */
static inline void file_copy(const char *from, const char *to)
{
	static char data[KIB(64)];
	int fd = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t n;

	assert_true(fd >= 0 && out >= 0);
	n = read(fd, data, sizeof(data));
	assert_true(n > 0);
	assert_int_equal(write(out, data, (size_t)n), n);
	close(fd);
	close(out);
}

/* The files of one directory into another, in place of what is there. */
static inline void files_copy(const char *from, const char *to)
{
	struct bed target = { 0 };
	DIR *d = opendir(from);
	const struct dirent *entry;

	assert_non_null(d);
	strcpy(target.path, to);
	(void)files(&target, "", remove_file);
	while ((entry = readdir(d)) != NULL) {
		char a[512], b[512];

		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "lock") == 0)
			continue;
		snprintf(a, sizeof(a), "%s/%s", from, entry->d_name);
		snprintf(b, sizeof(b), "%s/%s", to, entry->d_name);
		file_copy(a, b);
	}
	closedir(d);
}

#endif
