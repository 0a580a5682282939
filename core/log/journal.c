/*
 * journal.c: see journal.h.
 *
 * Two buffers: `filling`, and `writing` while the disk has it. Each begins with a page of room for a segment's header,
 * so that the first write of a segment brings that too. Blocks get their checksums when the write begins.
 *
 * Budget: a row is copied once and checksummed once; the system call is one a write, whatever the number of commands.
 */
#include "core/log/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/clock.h"
#include "core/base/crc32c.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/probe.h"
#include "core/log/segment.h"
#include "core/store/row.h"

enum {
	BUFFER_START = KIB(256),
	RESERVE_PART = 4, /* of a segment: what must be left in the last one */
	RETRY_MS = 200,   /* between attempts to make a segment */
	WAIT_US = 100000,
};

/* data[0, SEGMENT_HEADER_BYTES) is room for a header; then `used` bytes of blocks. */
struct buffer {
	unsigned char *data;
	uint64_t cap, used;
	uint64_t last;        /* offset in data of the newest block; 0: none */
	uint64_t first_epoch; /* UINT64_MAX: empty */
};

enum spare_state { SPARE_NONE, SPARE_WANTED, SPARE_READY, SPARE_REFUSED };

struct journal {
	struct journal_options o;
	struct disk_queue *queue;
	struct buffer filling, writing;
	bool under_way;

	struct disk_file *file; /* of the current segment */
	uint64_t number, bytes, offset;
	uint64_t write_offset; /* of the write under way … */
	uint64_t write_ns;     /* … and when it began */
	uint64_t spare_ns;     /* when the next segment was asked for */
	uint64_t warned_ns;
	_Atomic bool late;
	uint64_t sequence; /* of the next block */
	uint64_t last_epoch;
	bool failed;
	struct error error;
	_Atomic uint64_t written;
	uint64_t retry_ns; /* when a segment is asked for again */

	/* the next segment; the maker's while SPARE_WANTED */
	_Atomic int spare;
	uint64_t spare_bytes;
	int spare_status; /* errno */
	struct journal *next_wanted;
};

struct segment_maker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wanted;
	struct journal *first, **last;
	struct journal *at; /* the one that is served, and then woken */
	bool stopping;
};

/* --- segments --- */

static void file_name(const struct journal *j, char out[static SEGMENT_NAME_BYTES], uint64_t number)
{
	const struct segment_name s = { j->o.kind, j->o.run, j->o.shard, number, 0 };

	segment_file_name(out, &s);
}

static int make_segment(const struct journal *j, uint64_t number, uint64_t bytes)
{
	const struct disk *d = j->o.disk;
	char name[SEGMENT_NAME_BYTES];

	file_name(j, name, number);
	/* Zeros are written ahead for the sake of many small writes; a checkpoint has large ones. */
	return d->ops->create(
		d->impl, name, bytes, j->o.kind == SEGMENT_CHECKPOINT ? DISK_WRITTEN : j->o.mode);
}

static void make_spare(struct journal *j)
{
	int status = make_segment(j, j->number + 1, j->spare_bytes);

	j->spare_status = status;
	atomic_store_explicit(
		&j->spare, status == 0 ? SPARE_READY : SPARE_REFUSED, memory_order_release);
}

static void *maker_thread(void *arg)
{
	struct segment_maker *m = arg;

	pthread_mutex_lock(&m->lock);
	for (;;) {
		struct journal *j = m->first;

		if (j == NULL) {
			if (m->stopping)
				break;
			pthread_cond_wait(&m->wanted, &m->lock);
			continue;
		}
		m->first = j->next_wanted;
		if (m->first == NULL)
			m->last = &m->first;
		m->at = j;
		pthread_mutex_unlock(&m->lock);
		make_spare(j);
		if (j->o.wake != NULL)
			j->o.wake(j->o.arg);
		pthread_mutex_lock(&m->lock);
		m->at = NULL;
	}
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

int segment_maker_open(struct segment_maker **out, struct error *e)
{
	struct segment_maker *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->wanted, NULL);
	m->last = &m->first;
	if (pthread_create(&m->thread, NULL, maker_thread, m) != 0) {
		pthread_mutex_destroy(&m->lock);
		pthread_cond_destroy(&m->wanted);
		free(m);
		return error_set(
			e, ERR_OUT_OF_MEMORY, 0, "could not create the thread for segments");
	}
	(void)pthread_setname_np(m->thread, "segments");
	*out = m;
	return 0;
}

void segment_maker_close(struct segment_maker *m)
{
	if (m == NULL)
		return;
	pthread_mutex_lock(&m->lock);
	m->stopping = true;
	pthread_cond_signal(&m->wanted);
	pthread_mutex_unlock(&m->lock);
	pthread_join(m->thread, NULL);
	pthread_mutex_destroy(&m->lock);
	pthread_cond_destroy(&m->wanted);
	free(m);
}

static void spare_want(struct journal *j, uint64_t bytes)
{
	struct segment_maker *m = j->o.maker;

	j->spare_bytes = bytes;
	j->spare_ns = clock_now_ns();
	atomic_store_explicit(&j->spare, SPARE_WANTED, memory_order_relaxed);
	if (m == NULL) {
		make_spare(j);
		return;
	}
	pthread_mutex_lock(&m->lock);
	j->next_wanted = NULL;
	*m->last = j;
	m->last = &j->next_wanted;
	pthread_cond_signal(&m->wanted);
	pthread_mutex_unlock(&m->lock);
}

static int fail(struct journal *j, const char *what, uint64_t offset, int status)
{
	char name[SEGMENT_NAME_BYTES];

	file_name(j, name, j->number);
	error_set(&j->error, disk_error_code(status), 0, "%s: %s at offset %" PRIu64 ": %s", name,
		what, offset, strerror(-status));
	j->failed = true;
	return -1;
}

static int segment_use(struct journal *j, uint64_t number, uint64_t bytes)
{
	const struct disk *d = j->o.disk;
	char name[SEGMENT_NAME_BYTES];
	struct disk_file *f;
	int status;

	file_name(j, name, number);
	status = d->ops->open(d->impl, name, j->o.mode, &f);
	if (status < 0)
		return fail(j, "opening the next segment", j->offset, status);
	d->ops->close(d->impl, j->file);
	j->file = f;
	j->number = number;
	j->bytes = bytes;
	j->offset = 0;
	return 0;
}

/* Room for n bytes in the current segment, going on to the next one if need be. 1; 0: not yet; -1. */
static int segment_room(struct journal *j, uint64_t n)
{
	uint64_t need = SEGMENT_HEADER_BYTES + n;
	int spare;

	if (j->offset + (j->offset == 0 ? need : n) <= j->bytes)
		return 1;
	spare = atomic_load_explicit(&j->spare, memory_order_acquire);
	if (spare == SPARE_READY && j->spare_bytes >= need) {
		atomic_store_explicit(&j->spare, SPARE_NONE, memory_order_relaxed);
		return segment_use(j, j->number + 1, j->spare_bytes) == 0 ? 1 : -1;
	}
	if (spare == SPARE_READY) {
		/* Too small for what has gathered: that number gets a larger one. */
		const struct disk *d = j->o.disk;
		char name[SEGMENT_NAME_BYTES];
		int status;

		file_name(j, name, j->number + 1);
		status = d->ops->remove(d->impl, name);
		if (status < 0)
			return fail(j, "removing a segment", j->offset, status);
		atomic_store_explicit(&j->spare, SPARE_NONE, memory_order_relaxed);
		spare = SPARE_NONE;
	}
	if (spare == SPARE_NONE) {
		uint64_t bytes = (need + DISK_BLOCK - 1) / DISK_BLOCK * DISK_BLOCK;

		spare_want(j, bytes > j->o.segment_bytes ? bytes : j->o.segment_bytes);
		return atomic_load_explicit(&j->spare, memory_order_acquire) == SPARE_READY
			? segment_room(j, n)
			: 0;
	}
	return 0;
}

static void refused(struct journal *j)
{
	error_set(&j->error, disk_error_code(j->spare_status), 0,
		"making a segment of the journal: %s", strerror(-j->spare_status));
}

/* What the disk was asked for is done. */
static void lateness_end(struct journal *j)
{
	if (!atomic_load_explicit(&j->late, memory_order_relaxed))
		return;
	atomic_store_explicit(&j->late, false, memory_order_relaxed);
	log_info("the disk answers again");
}

/* Ask for the next segment, also again after a refusal. True when it asked. */
static bool spare_keep(struct journal *j)
{
	int spare = atomic_load_explicit(&j->spare, memory_order_acquire);

	if (spare == SPARE_REFUSED && (j->spare_status == -EIO || j->spare_status == -EROFS)) {
		/* Not for want of space: it will not pass. */
		(void)fail(j, "making the next segment", j->offset, j->spare_status);
		return true;
	}
	if (spare == SPARE_REFUSED) {
		uint64_t now = clock_now_ns();
		bool again = now >= j->retry_ns;

		/* Known at once, be it asked again or not: commands are to be refused while what was taken has room. */
		if (again || j->error.code == ERR_OK)
			refused(j);
		if (!again)
			return false;
		j->retry_ns = now + (uint64_t)RETRY_MS * 1000000;
		spare_want(j, j->spare_bytes);
		return true;
	}
	if (spare == SPARE_READY) {
		j->error.code = ERR_OK;
		if (!j->under_way)
			lateness_end(j);
	}
	if (spare != SPARE_NONE || j->o.kind == SEGMENT_CHECKPOINT)
		return false;
	spare_want(j, j->o.segment_bytes);
	return true;
}

/* --- opening --- */

static void buffer_reset(struct buffer *b)
{
	b->used = b->last = 0;
	b->first_epoch = UINT64_MAX;
}

static int buffer_room(struct buffer *b, uint64_t more)
{
	uint64_t need = SEGMENT_HEADER_BYTES + b->used + more + DISK_BLOCK,
		 cap = b->cap == 0 ? BUFFER_START : b->cap;
	void *grown;

	if (need <= b->cap)
		return 0;
	while (cap < need)
		cap *= 2;
	/* Aligned for O_DIRECT. */
	if (posix_memalign(&grown, DISK_BLOCK, cap) != 0)
		return -1;
	if (b->data == NULL)
		memset(grown, 0, SEGMENT_HEADER_BYTES);
	else
		memcpy(grown, b->data, SEGMENT_HEADER_BYTES + b->used);
	free(b->data);
	b->data = grown;
	b->cap = cap;
	return 0;
}

int journal_open(struct journal **out, const struct journal_options *o, struct error *e)
{
	struct journal *j = calloc(1, sizeof(*j));
	int status;

	if (j == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	ASSERT(o->segment_bytes % DISK_BLOCK == 0 && o->segment_bytes >= LIMIT_SEGMENT_BYTES_MIN);
	j->o = *o;
	j->number = 1;
	j->sequence = 1;
	buffer_reset(&j->filling);
	buffer_reset(&j->writing);
	if (buffer_room(&j->filling, 0) != 0 || buffer_room(&j->writing, 0) != 0) {
		journal_close(j);
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	}
	status = o->disk->ops->queue_new(o->disk->impl, &j->queue);
	if (status < 0) {
		journal_close(j);
		return error_set(e, disk_error_code(status), 0, "io_uring: %s", strerror(-status));
	}
	status = make_segment(j, 1, o->segment_bytes);
	if (status < 0) {
		(void)fail(j, "making it", 0, status);
	} else {
		(void)segment_use(j, 1, o->segment_bytes);
	}
	if (j->failed) {
		*e = j->error;
		journal_close(j);
		return -1;
	}
	*out = j;
	return 0;
}

/* The maker has it, or is to have it. Whoever is woken may use the journal for that, so this too is waited for. */
static bool at_maker(struct journal *j)
{
	struct segment_maker *m = j->o.maker;
	bool at;

	if (m == NULL)
		return false;
	pthread_mutex_lock(&m->lock);
	at = m->at == j || atomic_load_explicit(&j->spare, memory_order_acquire) == SPARE_WANTED;
	pthread_mutex_unlock(&m->lock);
	return at;
}

void journal_close(struct journal *j)
{
	const struct disk *d;
	int result;

	if (j == NULL)
		return;
	d = j->o.disk;
	while (at_maker(j)) {
		struct timespec t = { 0, 1000000 };

		nanosleep(&t, NULL);
	}
	while (j->under_way && d->ops->completed(d->impl, j->queue, &result) == 0)
		d->ops->wait(d->impl, j->queue, WAIT_US);
	d->ops->queue_free(d->impl, j->queue);
	d->ops->close(d->impl, j->file);
	free(j->filling.data);
	free(j->writing.data);
	free(j);
}

/* --- appending --- */

/* The block that the epoch's entries go to; NULL: no memory. */
static struct block_header *block_for(struct journal *j, uint64_t epoch, uint64_t more)
{
	struct buffer *b = &j->filling;
	struct block_header *h;

	if (buffer_room(b, sizeof(*h) + more) != 0) {
		error_set(&j->error, ERR_OUT_OF_MEMORY, 0, "no memory for the journal's buffer");
		j->failed = true;
		return NULL;
	}
	if (b->last != 0) {
		h = (struct block_header *)(b->data + b->last);
		if (h->epoch == epoch && !(h->flags & BLOCK_PACKED) &&
			h->body_bytes + more <= UINT32_MAX)
			return h;
	}
	b->last = SEGMENT_HEADER_BYTES + b->used;
	h = (struct block_header *)(b->data + b->last);
	*h = (struct block_header){ .magic = BLOCK_MAGIC,
		.run = j->o.run,
		.shard = j->o.shard,
		.sequence = j->sequence++,
		.epoch = epoch };
	b->used += sizeof(*h);
	if (b->first_epoch == UINT64_MAX)
		b->first_epoch = epoch;
	j->last_epoch = epoch;
	return h;
}

static unsigned char *entry_add(
	struct journal *j, struct block_header *h, struct entry_header entry, uint64_t n)
{
	unsigned char *at = j->filling.data + SEGMENT_HEADER_BYTES + j->filling.used;

	memcpy(at, &entry, sizeof(entry));
	j->filling.used += sizeof(entry) + n;
	h->body_bytes += (uint32_t)(sizeof(entry) + n);
	h->entries++;
	return at + sizeof(entry);
}

/* The last n bytes of the buffer are whole. While they are in the cache, and the disk works on the write before. */
static void checksum_add(struct journal *j, struct block_header *h, uint64_t n)
{
	const unsigned char *end = j->filling.data + SEGMENT_HEADER_BYTES + j->filling.used;

	h->body_crc = crc32c(h->body_crc, end - n, n);
}

int journal_reserve(struct journal *j, uint64_t epoch, unsigned n, uint64_t bytes)
{
	if (n == 0 && epoch - j->last_epoch < JOURNAL_EPOCHS_SILENT)
		return 0;
	return block_for(j, epoch, n * sizeof(struct entry_header) + bytes) == NULL ? -1 : 0;
}

void journal_add(struct journal *j, enum entry_kind kind, uint32_t relation, const void *row)
{
	struct block_header *h = (struct block_header *)(j->filling.data + j->filling.last);
	struct entry_header entry = { .relation = relation, .kind = (uint16_t)kind };
	uint32_t n = row_size(row);

	memcpy(entry_add(j, h, entry, n), row, n);
	checksum_add(j, h, sizeof(entry) + n);
}

unsigned char *journal_entry(struct journal *j, const struct entry_header *entry, uint32_t n)
{
	struct block_header *h = (struct block_header *)(j->filling.data + j->filling.last);

	ASSERT(n % 8 == 0);
	return entry_add(j, h, *entry, n);
}

void journal_entry_end(struct journal *j, uint32_t n)
{
	struct block_header *h = (struct block_header *)(j->filling.data + j->filling.last);

	checksum_add(j, h, sizeof(struct entry_header) + n);
}

uint64_t journal_block(const struct journal *j)
{
	const struct block_header *h = (const void *)(j->filling.data + j->filling.last);

	return h->sequence;
}

int journal_add_packed(struct journal *j, uint64_t epoch, const void *packed, uint32_t bytes,
	uint32_t raw_bytes, uint32_t entries)
{
	uint32_t whole = (bytes + 7) / 8 * 8;
	struct block_header *h;
	unsigned char *at;

	j->filling.last = 0; /* a block of its own */
	h = block_for(j, epoch, whole);
	if (h == NULL)
		return -1;
	at = j->filling.data + SEGMENT_HEADER_BYTES + j->filling.used;
	memcpy(at, packed, bytes);
	memset(at + bytes, 0, whole - bytes);
	j->filling.used += whole;
	checksum_add(j, h, whole);
	h->flags = BLOCK_PACKED;
	h->body_bytes = whole;
	h->packed_bytes = bytes;
	h->raw_bytes = raw_bytes;
	h->entries = entries;
	return 0;
}

int journal_append_schema(
	struct journal *j, uint64_t epoch, uint32_t next_id, const char *text, size_t len)
{
	struct entry_header entry = { .relation = next_id, .kind = ENTRY_SCHEMA };
	struct schema_text t = { .bytes = (uint32_t)len };
	uint64_t n = sizeof(t) + (len + 7) / 8 * 8;
	struct block_header *h = block_for(j, epoch, sizeof(entry) + n);
	unsigned char *at;

	if (h == NULL)
		return -1;
	at = entry_add(j, h, entry, n);
	memset(at, 0, n);
	memcpy(at, &t, sizeof(t));
	memcpy(at + sizeof(t), text, len);
	checksum_add(j, h, sizeof(entry) + n);
	return 0;
}

/* --- writing --- */

static void header_fill(const struct journal *j, unsigned char *at)
{
	const struct block_header *first = (const void *)(at + SEGMENT_HEADER_BYTES);
	struct segment_header h = { .version = j->o.events ? JOURNAL_VERSION_EVENTS
							   : JOURNAL_VERSION,
		.run = j->o.run,
		.shard = j->o.shard,
		.shards = j->o.shards,
		.number = j->number,
		.sequence = first->sequence,
		.mode = j->o.mode,
		.first_epoch = first->epoch };

	memcpy(h.magic, j->o.kind == SEGMENT_JOURNAL ? JOURNAL_MAGIC : CHECKPOINT_MAGIC,
		sizeof(h.magic));
	h.crc = crc32c(0, &h, sizeof(h));
	memcpy(at, &h, sizeof(h));
}

/* The headers' checksums, and zeros up to a whole number of the disk's blocks. Returns the bytes of the write. */
static uint64_t blocks_finish(struct buffer *b, uint64_t write_offset, enum disk_mode mode)
{
	uint64_t end = SEGMENT_HEADER_BYTES + b->used,
		 whole = (b->used + DISK_BLOCK - 1) / DISK_BLOCK * DISK_BLOCK;

	for (uint64_t at = SEGMENT_HEADER_BYTES; at < end;) {
		struct block_header *h = (struct block_header *)(b->data + at);

		h->write_offset = write_offset;
		if (at == b->last)
			h->flags |= BLOCK_LAST_OF_WRITE;
		if (mode == DISK_WRITTEN)
			h->flags |= BLOCK_WRITTEN;
		h->crc = 0;
		h->crc = crc32c(0, h, sizeof(*h));
		at += sizeof(*h) + h->body_bytes;
	}
	memset(b->data + end, 0, whole - b->used);
	return whole;
}

static bool write_begin(struct journal *j)
{
	const struct disk *d = j->o.disk;
	struct buffer *b = &j->filling, swap;
	uint64_t whole = (b->used + DISK_BLOCK - 1) / DISK_BLOCK * DISK_BLOCK;
	unsigned char *from = b->data + SEGMENT_HEADER_BYTES;
	int status;

	if (b->used == 0)
		return false;
	status = segment_room(j, whole);
	if (status <= 0)
		return status < 0; /* that it has failed is to be told */
	(void)blocks_finish(b, j->offset, j->o.mode);
	if (j->offset == 0) {
		header_fill(j, b->data);
		from = b->data;
		whole += SEGMENT_HEADER_BYTES;
	}
	swap = j->writing;
	j->writing = *b;
	j->filling = swap;
	j->under_way = true;
	PROBE3(journal_write, j->o.shard, j->o.kind, whole);
	status = d->ops->write(d->impl, j->queue, j->file, from, whole, j->offset);
	if (status < 0) {
		j->under_way = false;
		(void)fail(j, "writing", j->offset, status);
	}
	j->write_offset = j->offset;
	j->write_ns = clock_now_ns();
	j->offset += whole;
	atomic_fetch_add_explicit(&j->written, whole, memory_order_relaxed);
	return true;
}

bool journal_step(struct journal *j)
{
	const struct disk *d = j->o.disk;
	bool did = false;
	int result;

	if (j->failed)
		return false;
	if (j->under_way) {
		if (d->ops->completed(d->impl, j->queue, &result) == 0)
			return false;
		j->under_way = false;
		PROBE3(journal_written, j->o.shard, j->o.kind, j->offset - j->write_offset);
		lateness_end(j);
		did = true;
		if (result < 0) {
			(void)fail(j, "writing", j->write_offset, result);
			return true;
		}
		buffer_reset(&j->writing);
	}
	did |= spare_keep(j);
	return (!j->failed && write_begin(j)) || did;
}

enum journal_state journal_state(const struct journal *j)
{
	uint64_t left;

	if (j->failed)
		return JOURNAL_FAILED;
	left = j->bytes - j->offset;
	/* What is taken must have a place: near the end the answer about the next segment is waited for. */
	if (atomic_load_explicit(&j->spare, memory_order_relaxed) != SPARE_READY &&
		left < j->filling.used + j->o.segment_bytes / RESERVE_PART)
		return j->error.code != ERR_OK ? JOURNAL_FULL : JOURNAL_BUSY;
	return j->filling.used >= LIMIT_JOURNAL_BUFFER_BYTES ? JOURNAL_BUSY : JOURNAL_READY;
}

const struct error *journal_error(const struct journal *j)
{
	return &j->error;
}

uint64_t journal_oldest(const struct journal *j)
{
	uint64_t writing = j->writing.first_epoch, filling = j->filling.first_epoch;

	return writing < filling ? writing : filling;
}

bool journal_active(const struct journal *j)
{
	return !j->failed && (j->under_way || j->filling.used > 0);
}

/* A disk that hangs: nothing can be done, but said. */
void journal_look_late(struct journal *j)
{
	bool making = atomic_load_explicit(&j->spare, memory_order_relaxed) == SPARE_WANTED &&
		journal_state(j) == JOURNAL_BUSY;
	uint64_t late = (uint64_t)LIMIT_DISK_LATE_MS * 1000000, now, since;
	char name[SEGMENT_NAME_BYTES];

	if (!j->under_way && !making) {
		lateness_end(j);
		return;
	}
	now = clock_now_ns();
	since = j->under_way ? j->write_ns : j->spare_ns;
	atomic_store_explicit(&j->late, now - since >= late, memory_order_relaxed);
	if (now - since < late || now - j->warned_ns < late)
		return;
	j->warned_ns = now;
	file_name(j, name, j->number);
	if (j->under_way)
		log_warn("%s: a write at offset %" PRIu64 " has not ended for %.1f s", name,
			j->write_offset, (double)(now - since) / 1e9);
	else
		log_warn("%s: the segment after it is not made for %.1f s", name,
			(double)(now - since) / 1e9);
}

bool journal_is_late(const struct journal *j)
{
	return atomic_load_explicit(&j->late, memory_order_relaxed);
}

void journal_wait(struct journal *j, uint64_t timeout_us)
{
	j->o.disk->ops->wait(j->o.disk->impl, j->queue, timeout_us);
	journal_look_late(j);
}

void journal_wake(struct journal *j)
{
	j->o.disk->ops->wake(j->o.disk->impl, j->queue);
}

int journal_notify(struct journal *j, int event_fd)
{
	ASSERT(!j->under_way);
	return j->o.disk->ops->notify(j->o.disk->impl, j->queue, event_fd);
}

bool journal_writing(const struct journal *j)
{
	return j->under_way;
}

int journal_sync(struct journal *j)
{
	while (journal_active(j)) {
		if (journal_step(j))
			continue;
		if (!j->under_way &&
			atomic_load_explicit(&j->spare, memory_order_acquire) == SPARE_REFUSED) {
			refused(j);
			return -1;
		}
		journal_wait(j, WAIT_US);
	}
	return j->failed ? -1 : 0;
}

int journal_prepare(struct journal *j, uint64_t bytes)
{
	uint64_t n = sizeof(struct block_header) + sizeof(struct entry_header) + bytes;

	ASSERT(j->o.maker == NULL && !journal_active(j));
	if (j->failed)
		return -1;
	j->retry_ns = 0;
	(void)spare_keep(j);
	if (j->failed)
		return -1;
	if (segment_room(j, (n + DISK_BLOCK - 1) / DISK_BLOCK * DISK_BLOCK) > 0)
		return 0;
	if (!j->failed)
		refused(j);
	return -1;
}

int journal_begin_run(struct journal *j, uint64_t epoch)
{
	return block_for(j, epoch, 0) == NULL ? -1 : journal_sync(j);
}

int journal_end(struct journal *j, uint64_t epoch)
{
	struct block_header *h = block_for(j, epoch, 0);

	if (h == NULL)
		return -1;
	h->flags |= BLOCK_END;
	return journal_sync(j);
}

int journal_trim(struct journal *j)
{
	const struct disk *d = j->o.disk;
	char name[SEGMENT_NAME_BYTES];
	int status;

	ASSERT(!journal_active(j));
	file_name(j, name, j->number);
	status = d->ops->truncate(d->impl, name, j->offset);
	return status < 0 ? fail(j, "cutting it", j->offset, status) : 0;
}

uint64_t journal_written(const struct journal *j)
{
	return atomic_load_explicit(&j->written, memory_order_relaxed);
}

void journal_give_up(struct journal *j, enum error_code why)
{
	error_set(&j->error, why, 0, NULL);
	j->failed = true;
}
