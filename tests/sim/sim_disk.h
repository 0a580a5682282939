/*
 * sim_disk.h: a disk (core/log/disk.h) in memory that loses what a disk may lose.
 *
 * Of each file there is what readers see and what is on the medium, by sectors of 512 bytes. A write of mode
 * DISK_SYNCED is on the medium when it completes; one of DISK_WRITTEN is only seen, and any of its sectors may be on
 * the medium or not. What create, remove and truncate did is on the medium when they return; a crash may come inside
 * them. At a crash any sectors of a write under way are there, others not.
 *
 * Time is simulated: it goes on with every call. After the crash the disk is dead: nothing changes any more, writes
 * end with EIO, new files are made only in appearance, so that an engine can be closed.
 */
#ifndef LF_TESTS_SIM_DISK_H
#define LF_TESTS_SIM_DISK_H

#include "core/log/disk.h"
#include "tests/sim/sim_base.h"

struct sim_disk;

enum sim_crash {
	CRASH_KILL, /* of the process: what was written stays */
	CRASH_POWER /* of the machine: what was not synced is lost, or not */
};

/* Defects of a disk, or of who relies on it, which the simulation must find. */
enum sim_plant {
	PLANT_NONE,
	PLANT_EARLY,     /* writes are said to be on the medium before they are */
	PLANT_NODIRSYNC, /* create, remove and truncate return before they are on the medium */
	PLANT_TWICE      /* what a write brought is found twice, one behind the other */
};

/* What happens in one life. Counts are from now; 0: never. A tick is a millisecond. */
struct sim_faults {
	unsigned delay_max;    /* ticks that a write takes, at most */
	unsigned hang_one_in;  /* … writes takes very long */
	uint64_t crash_in;     /* operations until the crash */
	enum sim_crash crash;  /* of which kind it will be */
	uint64_t write_eio_in; /* writes until one fails */
	uint64_t open_eio_in;  /* … openings for writing */
	uint64_t read_eio_in;
	uint64_t change_eio_in; /* truncations and removals */
	unsigned create_eio_one_in;
	uint64_t full_in;  /* creations until there is no space … */
	unsigned full_for; /* … for so many ticks */
};

struct sim_disk *sim_disk_new(struct random *random, enum sim_plant plant);
void sim_disk_free(struct sim_disk *d);
struct disk *sim_disk_disk(struct sim_disk *d);

/* A life begins: the machine is up again. The queues of the last life must be gone. */
void sim_disk_start(struct sim_disk *d, const struct sim_faults *faults);
/* Crash now. */
void sim_disk_crash(struct sim_disk *d, enum sim_crash kind);
bool sim_disk_dead(const struct sim_disk *d);
/* Of the crash that made it so. */
enum sim_crash sim_disk_crash_kind(const struct sim_disk *d);
/* The machine's power fails while no engine runs. */
void sim_disk_power_cut(struct sim_disk *d);

/* Whether in this life … was answered with an error; there was no space. */
bool sim_disk_failed(const struct sim_disk *d);
bool sim_disk_was_full(const struct sim_disk *d);
bool sim_disk_is_full(const struct sim_disk *d);
uint64_t sim_disk_ticks(const struct sim_disk *d);

#endif
