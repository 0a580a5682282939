/*
 * disk.h: a data directory as the journal sees it: files by name, writes that complete later.
 *
 * The one made here (disk_open) is a directory of the system, written through io_uring. Tests bring their own, which
 * loses what was not synced. File names are without slashes. Functions return 0 (or what is said) or a negative
 * errno. Everything but queues may be used by any thread, one at a time a file; a queue is one thread's.
 */
#ifndef LF_LOG_DISK_H
#define LF_LOG_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

enum { DISK_BLOCK = 4096 /* offsets, sizes and addresses of writes are multiples of it */ };

struct disk_file;
struct disk_queue;

/* How a file is used. A write completes in the system's pages of the file, or on the medium, as by O_DSYNC. */
enum disk_mode { DISK_READ, DISK_WRITTEN, DISK_SYNCED };

struct disk_ops {
	/* Every file. */
	int (*list)(void *disk, void (*fn)(void *arg, const char *name, uint64_t bytes), void *arg);
	/* A new file of `bytes` zeros: whole, with itself and its name on the medium, or not there at all. -EEXIST.
	 * mode: what it will be written with. */
	int (*create)(void *disk, const char *name, uint64_t bytes, enum disk_mode mode);
	int (*open)(void *disk, const char *name, enum disk_mode mode, struct disk_file **out);
	void (*close)(void *disk, struct disk_file *f);
	/* Up to n bytes; fewer only at the end of the file. Returns their number. */
	int64_t (*read)(void *disk, struct disk_file *f, void *buffer, uint64_t n, uint64_t offset);
	/* Both are on the medium afterwards. */
	int (*truncate)(void *disk, const char *name, uint64_t bytes);
	int (*remove)(void *disk, const char *name);
	/* The new name is on the medium afterwards; a file that had it is gone. */
	int (*rename)(void *disk, const char *name, const char *to);

	int (*queue_new)(void *disk, struct disk_queue **out);
	/* No write may be under way. */
	void (*queue_free)(void *disk, struct disk_queue *q);
	/* Begin to write; `data` stays the disk's until the completion is taken. One write at a time. */
	int (*write)(void *disk, struct disk_queue *q, struct disk_file *f, const void *data,
		uint64_t n, uint64_t offset);
	/* The write's end: 1, with *result 0 or a negative errno; 0: still under way. A write that the system
	 * cut short is an error (-EIO) unless the rest could be written too. */
	int (*completed)(void *disk, struct disk_queue *q, int *result);
	/* Sleep until a write may have completed or wake() was called; timeout_us at most. wake: any thread. */
	void (*wait)(void *disk, struct disk_queue *q, uint64_t timeout_us);
	void (*wake)(void *disk, struct disk_queue *q);
	/* Completions add to this eventfd as well, for a thread that sleeps elsewhere; -1: no more. No write may
	 * be under way. A disk that is not for threads may leave it out. */
	int (*notify)(void *disk, struct disk_queue *q, int event_fd);
};

struct disk {
	const struct disk_ops *ops;
	void *impl;
};

/* 53100, 53200, else 58030. */
enum error_code disk_error_code(int status);

/* The directory `path`, made if missing (with its parent synced), locked against other processes until disk_close().
 * 58030; 55000: another process has it. */
int disk_open(struct disk *d, const char *path, struct error *e);
/* Remove the files that were being made when an earlier process ended. */
void disk_tidy(struct disk *d);
/* For reading only: no lock, nothing changed; queues and create() are not to be used. */
int disk_open_readonly(struct disk *d, const char *path, struct error *e);
void disk_close(struct disk *d);

#endif
