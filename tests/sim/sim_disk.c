/*
 * sim_disk.c: see sim_disk.h.
 *
 * A file keeps two images. `seen` is what reads give; `medium` what is left after a power cut. A sector of a
 * DISK_WRITTEN write is dirty until a sync (truncate) or a power cut has decided about it.
 */
#include "tests/sim/sim_disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/crc32c.h"

enum {
	SECTOR = 512,
	NAME_BYTES = 64,
	HANG_TICKS = 1500,
	TICKS_MAX = 4000000, /* of a life: beyond, something waits for ever */
	NS_A_TICK = 1000000
};

struct file {
	struct file *next;
	char name[NAME_BYTES];
	unsigned char *seen, *medium, *dirty; /* dirty: a byte a sector */
	uint64_t bytes, medium_bytes, cap;
	/* only where directories are not synced */
	bool name_on_medium, removed;
};

struct disk_file {
	struct sim_disk *disk;
	struct file *file; /* NULL: opened on a dead disk */
	enum disk_mode mode;
};

struct write {
	struct file *file;
	enum disk_mode mode;
	const unsigned char *data;
	uint64_t n, offset, due;
	uint32_t crc; /* of data: nobody may change it meanwhile */
};

struct disk_queue {
	struct disk_queue *next;
	bool busy;
	int result;
	struct write write;
};

/* A write that was said to have completed (PLANT_EARLY). */
struct late {
	struct late *next;
	struct write write;
	unsigned char data[];
};

struct sim_disk {
	struct disk disk;
	struct random *random;
	enum sim_plant plant;
	struct sim_faults faults;
	struct file *files;
	struct disk_queue *queues;
	struct late *late;
	uint64_t ticks, started, full_until;
	bool dead, failed, was_full;
	enum sim_crash crash; /* that made it dead */
};

/* --- time --- */

/* The one whose time the engine's clock tells. */
static struct sim_disk *clock_disk;

static void sectors_apply(struct sim_disk *d, const struct write *w, bool medium, unsigned keep);

static void late_apply(struct sim_disk *d, bool all)
{
	for (struct late **link = &d->late; *link != NULL;) {
		struct late *l = *link;

		if (!all && l->write.due > d->ticks) {
			link = &l->next;
			continue;
		}
		*link = l->next;
		sectors_apply(d, &l->write, l->write.mode == DISK_SYNCED, 100);
		free(l);
	}
}

static void tick(struct sim_disk *d, uint64_t n)
{
	d->ticks += n;
	if (d->ticks - d->started > TICKS_MAX)
		wrong("nothing moves any more: something waits for ever");
	if (d->late != NULL)
		late_apply(d, false);
}

uint64_t clock_now_ns(void)
{
	if (clock_disk == NULL)
		return 0;
	tick(clock_disk, 1);
	return clock_disk->ticks * NS_A_TICK;
}

uint64_t clock_now_us(void)
{
	return clock_now_ns() / 1000;
}

int64_t clock_wall_us(void)
{
	return (int64_t)clock_now_us();
}

/* --- sectors --- */

/* Put of a write's sectors about `keep` in 100 where they belong. */
static void sectors_apply(struct sim_disk *d, const struct write *w, bool medium, unsigned keep)
{
	struct file *f = w->file;

	for (uint64_t at = 0; at < w->n; at += SECTOR) {
		uint64_t to = w->offset + at;

		if (to + SECTOR > f->cap || (keep < 100 && random_below(d->random, 100) >= keep))
			continue;
		memcpy(f->seen + to, w->data + at, SECTOR);
		f->dirty[to / SECTOR] = !medium;
		if (medium)
			memcpy(f->medium + to, w->data + at, SECTOR);
	}
}

/* Some of the write is there: nothing, all, the first sectors, or any. */
static void sectors_tear(struct sim_disk *d, const struct write *w, bool medium)
{
	struct write part = *w;

	switch (random_below(d->random, 6)) {
	case 0: return;
	case 1: sectors_apply(d, w, medium, 100); return;
	case 2:
		part.n = random_below(d->random, (unsigned)(w->n / SECTOR) + 1) * (uint64_t)SECTOR;
		sectors_apply(d, &part, medium, 100);
		return;
	case 3: sectors_apply(d, w, medium, 95); return;
	case 4: sectors_apply(d, w, medium, 10); return;
	default: sectors_apply(d, w, medium, 50);
	}
}

static void file_sync(struct file *f)
{
	memcpy(f->medium, f->seen, f->cap);
	memset(f->dirty, 0, f->cap / SECTOR);
	f->medium_bytes = f->bytes;
}

/* The machine is off: of what was not synced, some is there. */
static void file_power_cut(struct sim_disk *d, struct file *f)
{
	static const unsigned SHARES[] = { 0, 10, 50, 90, 100 };
	unsigned keep = SHARES[random_below(d->random, 5)];

	for (uint64_t s = 0; s < f->cap / SECTOR; s++)
		if (f->dirty[s] && random_below(d->random, 100) < keep)
			memcpy(f->medium + s * SECTOR, f->seen + s * SECTOR, SECTOR);
	if (f->bytes != f->medium_bytes && random_one_in(d->random, 2))
		f->bytes = f->medium_bytes;
	memcpy(f->seen, f->medium, f->cap);
	file_sync(f);
}

/* --- files --- */

static struct file *file_find(struct sim_disk *d, const char *name)
{
	struct file *f = d->files;

	while (f != NULL && (f->removed || strcmp(f->name, name) != 0))
		f = f->next;
	return f;
}

static bool file_is_there(const struct sim_disk *d, const struct file *wanted)
{
	const struct file *f = d->files;

	while (f != NULL && f != wanted)
		f = f->next;
	return f != NULL;
}

static struct file *file_add(struct sim_disk *d, const char *name, uint64_t bytes)
{
	struct file *f = calloc(1, sizeof(*f)), **end = &d->files;

	if (f == NULL)
		abort();
	(void)snprintf(f->name, sizeof(f->name), "%s", name);
	f->bytes = f->medium_bytes = bytes;
	f->cap = (bytes + SECTOR - 1) / SECTOR * SECTOR;
	f->seen = calloc(1, f->cap + 1);
	f->medium = calloc(1, f->cap + 1);
	f->dirty = calloc(1, f->cap / SECTOR + 1);
	if (f->seen == NULL || f->medium == NULL || f->dirty == NULL)
		abort();
	f->name_on_medium = d->plant != PLANT_NODIRSYNC;
	while (*end != NULL)
		end = &(*end)->next;
	*end = f;
	return f;
}

static void file_free(struct file *f)
{
	free(f->seen);
	free(f->medium);
	free(f->dirty);
	free(f);
}

/* What is late for a file that goes is lost with it. */
static void late_drop(struct sim_disk *d, const struct file *f)
{
	for (struct late **link = &d->late; *link != NULL;) {
		struct late *l = *link;

		if (l->write.file != f) {
			link = &l->next;
			continue;
		}
		*link = l->next;
		free(l);
	}
}

static void file_unlink(struct sim_disk *d, struct file *f)
{
	struct file **link = &d->files;

	while (*link != f)
		link = &(*link)->next;
	*link = f->next;
	late_drop(d, f);
	file_free(f);
}

/* --- crashes --- */

static void power_cut(struct sim_disk *d)
{
	for (struct file *f = d->files, *next; f != NULL; f = next) {
		next = f->next;
		if ((!f->name_on_medium || f->removed) && random_one_in(d->random, 2)) {
			if (f->removed)
				f->removed = false;
			else
				f->removed = true;
		}
		f->name_on_medium = true;
		if (f->removed)
			file_unlink(d, f);
		else
			file_power_cut(d, f);
	}
}

void sim_disk_crash(struct sim_disk *d, enum sim_crash kind)
{
	if (d->dead)
		return;
	trace("crash: %s", kind == CRASH_POWER ? "power" : "kill");
	while (d->late != NULL) {
		struct late *l = d->late;

		d->late = l->next;
		sectors_tear(d, &l->write, kind == CRASH_POWER || l->write.mode == DISK_SYNCED);
		free(l);
	}
	if (kind == CRASH_POWER)
		power_cut(d);
	for (struct disk_queue *q = d->queues; q != NULL; q = q->next)
		if (q->busy && file_is_there(d, q->write.file))
			sectors_tear(
				d, &q->write, kind == CRASH_POWER || q->write.mode == DISK_SYNCED);
	d->dead = true;
	d->crash = kind;
}

void sim_disk_power_cut(struct sim_disk *d)
{
	trace("power cut while nothing runs");
	power_cut(d);
}

/* An operation, at which the crash may come. True: it came. */
static bool point(struct sim_disk *d)
{
	tick(d, 1);
	if (d->dead || d->faults.crash_in == 0 || --d->faults.crash_in > 0)
		return d->dead;
	sim_disk_crash(d, d->faults.crash);
	return true;
}

/* Counts down to one event. */
static bool due(uint64_t *in)
{
	return *in > 0 && --*in == 0;
}

static int fails(struct sim_disk *d, const char *what, const char *name)
{
	trace("%s of %s fails", what, name);
	d->failed = true;
	return -EIO;
}

/* --- the operations on files --- */

static int sim_list(void *impl, void (*fn)(void *arg, const char *name, uint64_t bytes), void *arg)
{
	struct sim_disk *d = impl;

	for (const struct file *f = d->files; f != NULL; f = f->next)
		if (!f->removed)
			fn(arg, f->name, f->bytes);
	return 0;
}

/* The crash came while the file was made: it is there or not, or only under the name it has till it is whole. */
static int create_torn(struct sim_disk *d, const char *name, uint64_t bytes)
{
	char temporary[NAME_BYTES];

	switch (random_below(d->random, 3)) {
	case 0: (void)file_add(d, name, bytes); break;
	case 1:
		(void)snprintf(temporary, sizeof(temporary), "%.50s.new", name);
		if (file_find(d, temporary) == NULL)
			(void)file_add(d, temporary,
				random_below(d->random, (unsigned)(bytes / SECTOR)) *
					(uint64_t)SECTOR);
		break;
	default: break;
	}
	return 0;
}

static int sim_create(void *impl, const char *name, uint64_t bytes, enum disk_mode mode)
{
	struct sim_disk *d = impl;

	(void)mode;
	if (d->dead)
		return 0;
	if (bytes == 0 || bytes % DISK_BLOCK != 0)
		wrong("a file of %llu bytes is made", (unsigned long long)bytes);
	if (file_find(d, name) != NULL)
		return -EEXIST;
	if (point(d))
		return create_torn(d, name, bytes);
	if (due(&d->faults.full_in))
		d->full_until = d->ticks + d->faults.full_for;
	if (sim_disk_is_full(d)) {
		trace("no space for %s", name);
		d->was_full = true;
		return -ENOSPC;
	}
	if (random_one_in(d->random, d->faults.create_eio_one_in)) {
		d->was_full = true; /* to be refused for a while is the same as without space */
		trace("making %s fails", name);
		return -EIO;
	}
	trace("%s is made", name);
	(void)file_add(d, name, bytes);
	(void)point(d);
	return 0;
}

static int sim_open(void *impl, const char *name, enum disk_mode mode, struct disk_file **out)
{
	struct sim_disk *d = impl;
	struct file *file = d->dead && mode != DISK_READ ? NULL : file_find(d, name);
	struct disk_file *f;

	if (file == NULL && (!d->dead || mode == DISK_READ))
		return -ENOENT;
	if (mode != DISK_READ && due(&d->faults.open_eio_in))
		return fails(d, "opening", name);
	f = malloc(sizeof(*f));
	if (f == NULL)
		abort();
	*f = (struct disk_file){ d, file, mode };
	*out = f;
	return 0;
}

static void sim_close(void *impl, struct disk_file *f)
{
	(void)impl;
	free(f);
}

static int64_t sim_read(void *impl, struct disk_file *f, void *buffer, uint64_t n, uint64_t offset)
{
	struct sim_disk *d = impl;
	uint64_t left = f->file->bytes > offset ? f->file->bytes - offset : 0;

	if (due(&d->faults.read_eio_in))
		return fails(d, "reading", f->file->name);
	if (n > left)
		n = left;
	memcpy(buffer, f->file->seen + offset, n);
	return (int64_t)n;
}

static int sim_truncate(void *impl, const char *name, uint64_t bytes)
{
	struct sim_disk *d = impl;
	struct file *f = file_find(d, name);
	bool half;

	if (d->dead)
		return 0;
	if (f == NULL)
		return -ENOENT;
	if (due(&d->faults.change_eio_in))
		return fails(d, "cutting", name);
	if (bytes > f->bytes)
		wrong("%s is made longer", name);
	half = point(d);
	if (half && random_one_in(d->random, 2))
		return 0;
	trace("%s is cut to %llu bytes", name, (unsigned long long)bytes);
	f->bytes = bytes;
	if (d->plant != PLANT_NODIRSYNC)
		file_sync(f);
	if (!half)
		(void)point(d);
	return 0;
}

static int sim_remove(void *impl, const char *name)
{
	struct sim_disk *d = impl;
	struct file *f = file_find(d, name);
	bool half;

	if (d->dead)
		return 0;
	if (f == NULL)
		return -ENOENT;
	if (due(&d->faults.change_eio_in))
		return fails(d, "removing", name);
	half = point(d);
	if (half && random_one_in(d->random, 2))
		return 0;
	trace("%s is removed", name);
	if (d->plant == PLANT_NODIRSYNC && f->name_on_medium)
		f->removed = true;
	else
		file_unlink(d, f);
	if (!half)
		(void)point(d);
	return 0;
}

/* Nothing that is simulated renames. */
static int sim_rename(void *impl, const char *name, const char *to)
{
	(void)impl;
	(void)name;
	(void)to;
	return -ENOSYS;
}

/* --- queues --- */

static int sim_queue_new(void *impl, struct disk_queue **out)
{
	struct sim_disk *d = impl;
	struct disk_queue *q = calloc(1, sizeof(*q));

	if (q == NULL)
		abort();
	q->next = d->queues;
	d->queues = q;
	*out = q;
	return 0;
}

static void sim_queue_free(void *impl, struct disk_queue *q)
{
	struct sim_disk *d = impl;
	struct disk_queue **link = &d->queues;

	if (q == NULL)
		return;
	if (q->busy)
		wrong("a queue is freed with a write under way");
	while (*link != q)
		link = &(*link)->next;
	*link = q->next;
	free(q);
}

static void write_late(struct sim_disk *d, const struct write *w)
{
	struct late *l = malloc(sizeof(*l) + w->n);

	if (l == NULL)
		abort();
	l->write = *w;
	memcpy(l->data, w->data, w->n);
	l->write.data = l->data;
	l->next = d->late;
	d->late = l;
}

static int sim_write(void *impl, struct disk_queue *q, struct disk_file *f, const void *data,
	uint64_t n, uint64_t offset)
{
	struct sim_disk *d = impl;

	if (q->busy || n == 0 || n % DISK_BLOCK != 0 || offset % DISK_BLOCK != 0 ||
		(uintptr_t)data % DISK_BLOCK != 0 || f->mode == DISK_READ)
		wrong("a write that no disk takes");
	q->busy = true;
	q->result = 0;
	q->write = (struct write){ f->file, f->mode, data, n, offset, 0, crc32c(0, data, n) };
	if (d->dead || f->file == NULL)
		return 0;
	if (offset + n > f->file->bytes)
		wrong("%s is written behind its end", f->file->name);
	q->write.due = d->ticks + random_below(d->random, d->faults.delay_max + 1);
	if (random_one_in(d->random, d->faults.hang_one_in))
		q->write.due += HANG_TICKS;
	if (due(&d->faults.write_eio_in))
		q->result = fails(d, "a write", f->file->name);
	trace("write of %llu at %llu of %s", (unsigned long long)n, (unsigned long long)offset,
		f->file->name);
	if (d->plant == PLANT_EARLY && q->result == 0) {
		write_late(d, &q->write);
		q->write.due = 0;
	}
	(void)point(d);
	return 0;
}

static void write_complete(struct sim_disk *d, struct disk_queue *q)
{
	struct write *w = &q->write;
	bool medium = w->mode == DISK_SYNCED;

	if (crc32c(0, w->data, w->n) != w->crc)
		wrong("what was being written to %s was changed meanwhile", w->file->name);
	if (q->result < 0) {
		sectors_tear(d, w, medium);
		return;
	}
	if (d->plant == PLANT_EARLY)
		return;
	sectors_apply(d, w, medium, 100);
	if (d->plant == PLANT_TWICE && w->offset + 2 * w->n <= w->file->bytes) {
		struct write again = *w;

		again.offset += w->n;
		sectors_apply(d, &again, medium, 100);
	}
}

static int sim_completed(void *impl, struct disk_queue *q, int *result)
{
	struct sim_disk *d = impl;

	if (!q->busy)
		return 0;
	if (!d->dead && q->write.due > d->ticks) {
		tick(d, 1);
		return 0;
	}
	if (point(d)) {
		q->result = -EIO;
	} else if (q->write.file == NULL) {
		q->result = -EIO;
	} else {
		write_complete(d, q);
	}
	q->busy = false;
	*result = q->result;
	return 1;
}

static void sim_wait(void *impl, struct disk_queue *q, uint64_t timeout_us)
{
	struct sim_disk *d = impl;

	(void)q;
	tick(d, 1 + random_below(d->random, (unsigned)(timeout_us / 1000) + 1));
}

static void sim_wake(void *impl, struct disk_queue *q)
{
	(void)impl;
	(void)q;
}

static const struct disk_ops OPS = {
	.list = sim_list,
	.create = sim_create,
	.open = sim_open,
	.close = sim_close,
	.read = sim_read,
	.truncate = sim_truncate,
	.remove = sim_remove,
	.rename = sim_rename,
	.queue_new = sim_queue_new,
	.queue_free = sim_queue_free,
	.write = sim_write,
	.completed = sim_completed,
	.wait = sim_wait,
	.wake = sim_wake,
};

/* --- a disk's life --- */

struct sim_disk *sim_disk_new(struct random *random, enum sim_plant plant)
{
	struct sim_disk *d = calloc(1, sizeof(*d));

	if (d == NULL)
		abort();
	d->disk = (struct disk){ &OPS, d };
	d->random = random;
	d->plant = plant;
	clock_disk = d;
	return d;
}

void sim_disk_free(struct sim_disk *d)
{
	clock_disk = NULL;
	late_apply(d, true);
	while (d->files != NULL)
		file_unlink(d, d->files);
	free(d);
}

struct disk *sim_disk_disk(struct sim_disk *d)
{
	return &d->disk;
}

static bool is_temporary(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && strcmp(name + n - 4, ".new") == 0;
}

void sim_disk_start(struct sim_disk *d, const struct sim_faults *faults)
{
	if (d->queues != NULL)
		wrong("a queue was not freed");
	late_apply(d, true);
	/* As disk_open() does. */
	for (struct file *f = d->files, *next; f != NULL; f = next) {
		next = f->next;
		if (is_temporary(f->name))
			file_unlink(d, f);
	}
	d->faults = *faults;
	d->started = d->ticks;
	d->full_until = 0;
	d->dead = d->failed = d->was_full = false;
}

bool sim_disk_dead(const struct sim_disk *d)
{
	return d->dead;
}

enum sim_crash sim_disk_crash_kind(const struct sim_disk *d)
{
	return d->crash;
}

bool sim_disk_failed(const struct sim_disk *d)
{
	return d->failed;
}

bool sim_disk_was_full(const struct sim_disk *d)
{
	return d->was_full;
}

bool sim_disk_is_full(const struct sim_disk *d)
{
	return d->ticks < d->full_until;
}

uint64_t sim_disk_ticks(const struct sim_disk *d)
{
	return d->ticks;
}
