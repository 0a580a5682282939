/*
 * event_reader.h: the commands of all journals of a data directory, in one order: by epoch, then shard, then as they were
 * executed; through all runs, while the last one is being written.
 *
 * Memory: one block, and some hundred bytes a shard. Files are read as they lie in the system's cache, by the thread that
 * calls, which may wait for the disk.
 */
#ifndef LF_LOG_EVENT_READER_H
#define LF_LOG_EVENT_READER_H

#include "core/log/entry.h"
#include "core/log/segment.h"

/* Which event: the number-th, from 0, of a shard's epoch. They rise, also from run to run. */
struct event_id {
	uint64_t epoch;
	uint32_t shard;
	uint32_t number;
};
static inline int event_id_compare(struct event_id a, struct event_id b)
{
	if (a.epoch != b.epoch)
		return a.epoch < b.epoch ? -1 : 1;
	if (a.shard != b.shard)
		return a.shard < b.shard ? -1 : 1;
	return a.number < b.number ? -1 : a.number > b.number;
}
/* Behind all events of an epoch. */
static inline struct event_id event_id_behind(uint64_t epoch)
{
	return (struct event_id){ epoch, UINT32_MAX, UINT32_MAX };
}

struct event_reader;

/* What the reader's owner knows of the directory. */
struct event_place {
	const struct disk *disk;
	uint32_t live_run; /* being written; 0: none is */
	const _Atomic uint64_t
		*gone; /* events up to this epoch may have been removed; raised before that */
};

/* The least epoch behind which all events are there, by the files there are: in *gone. 58030, 53200. */
int events_gone(const struct disk *d, uint64_t *gone, struct error *e);

/* Events behind `after`. LF010: some of these are not there any more; 58030, 53200. */
int event_reader_open(struct event_reader **out, const struct event_place *place,
	struct event_id after, struct error *e);
void event_reader_close(struct event_reader *r);

/* The next one: 1; 0: there is none up to the epoch `visible`, which concerns the live run: all of it that is not above has
 * been written before the call. -1: LF010, 58030, 53200. The event is valid until the next call. */
int event_reader_next(struct event_reader *r, uint64_t visible, struct event_id *id,
	struct event *out, struct error *e);
/* The tables of that event. */
const struct event_walk *event_reader_walk(const struct event_reader *r);
/* Where it is: the last event that was given, or the place that it began behind. */
struct event_id event_reader_reached(const struct event_reader *r);
/* Another number for each block that events come from. */
uint64_t event_reader_block(const struct event_reader *r);

#endif
