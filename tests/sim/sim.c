/*
 * Deterministic simulation of the engine with its journal, on a disk that loses what a disk may lose.
 *
 * A seed decides everything: an engine is opened, stepped, on the simulated disk (sim_disk.h) with small random
 * settings; ports submit random commands and schema changes; shards, schema changes and ports are stepped and polled in
 * random order; readers compare tables and views at pinned epochs. At a random moment, also in the middle of a write or
 * of making a file, the process is killed, the power fails or the engine is closed in order. A new engine recovers what
 * is left, and what it finds is compared with what was acknowledged (sim_ledger.h). This is one of many *lives*.
 *
 *   --seeds N    seeds to run (default 20), after those that have found a bug
 *   --from K     the first (default 1)
 *   --seed S     this one only
 *   --no-checkpoints, --old   as kept seeds are played: without checkpoints; with the first views only, nobody follows
 *   --verbose    print what happens
 *   --plant early|nodirsync|twice   a disk with a defect: exits 0 when it is found, 1 when it is not
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/engine.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_follow.h"
#include "tests/sim/sim_events.h"
#include "tests/sim/sim_ledger.h"
#include "tests/sim/sim_once.h"
#include "tests/sim/sim_schema.h"

enum {
	LIVES_MAX = 6,
	ROUNDS_MAX = 120,
	RECOVERY_TRIES = 8,
	SETTLE_MAX = 10000,
	WATCHDOG_S = 60,   /* a seed takes a tenth of a second */
	SPACE_STEPS = 400, /* longer than the engine waits before it tries again */
	SEGMENT_BYTES = 64 << 10,
	DEFAULT_SEEDS = 20
};

#define HOLD_TAG UINT64_MAX

/* They have found a bug. 4 and 616: after a power cut under durability 'os' whole writes behind lost ones were called
 * damage. 9: so were losses of a run that was killed, when the power failed in the next one. 21: nobody was told that
 * the next segment could not be opened. 42: the id of a table was lost and its rows were not: another got both.
 * 140: a checkpoint that could not be read for a moment was passed over. 6414: a schema change behind a failed journal was
 * executed, taken for the view whose build that had left, and written twice. */
static const struct kept {
	uint64_t seed;
	bool checkpoints; /* are played too */
	bool all;         /* … and all that has come since */
} KEPT[] = { { 4, false, false }, { 9, false, false }, { 21, false, false }, { 42, false, false },
	{ 616, false, false }, { 140, true, false }, { 6414, true, true } };
enum { NKEPT = sizeof(KEPT) / sizeof(KEPT[0]) };

struct sim {
	uint64_t seed;
	bool checkpoints; /* are written */
	bool old;
	struct random random;
	struct sim_disk *disk;
	struct ledger *ledger;
	struct schema *schema;
	struct once *once;           /* NULL: as kept seeds are played */
	struct followers *followers; /* NULL: nobody follows */
	struct sim_events *events;   /* NULL: without an event log */
	struct lf_engine *engine;
	struct lf_port *ports[PORTS], *reader;
	struct lf_options options;
	enum ledger_check check; /* what the next recovery must find */
	bool gaps;               /* … and commands without an answer may have been refused */
	bool soft;      /* a run left something that is not on the medium, and need not be */
	bool full_only; /* the disk refuses files for no other reason than space */
	bool unwritable;
	uint64_t recoveries, crashes;
	/* Its own, so that seeds kept from before there were holds play as they did. */
	struct random hold_random;
	uint64_t hold; /* the epoch is held; 0: it is not */
};

static struct {
	enum sim_plant plant;
	bool verbose;
	char program[160], repeat[200]; /* and its flags */
	uint64_t commands, skipped, unknown, changes, recoveries, crashes, checkpoints, compared;
	uint64_t once, once_repeats, once_settled;
	uint64_t followed, gaps;
	uint64_t events, given;
} all;

/* --- faults and settings --- */

static uint64_t some(struct sim *s, unsigned one_in, unsigned max)
{
	return random_one_in(&s->random, one_in) ? 1 + random_below(&s->random, max) : 0;
}

static struct sim_faults faults_none(struct sim *s)
{
	return (struct sim_faults){ .delay_max = random_below(&s->random, 8) };
}

static struct sim_faults faults_random(struct sim *s)
{
	struct sim_faults f = faults_none(s);
	static const unsigned DELAYS[] = { 0, 2, 10, 60 };

	f.delay_max = DELAYS[random_below(&s->random, 4)];
	f.hang_one_in = random_one_in(&s->random, 4) ? 40 : 0;
	f.crash = random_one_in(&s->random, 2) ? CRASH_POWER : CRASH_KILL;
	/* Some in the middle of the recovery, some later, some not at all. */
	f.crash_in = random_one_in(&s->random, 4) ? some(s, 1, 40) : some(s, 2, 600);
	if (random_one_in(&s->random, 3))
		return f;
	f.write_eio_in = some(s, 4, 120);
	f.open_eio_in = some(s, 10, 20);
	f.read_eio_in = some(s, 20, 10);
	f.change_eio_in = some(s, 20, 10);
	f.create_eio_one_in = random_one_in(&s->random, 8) ? 10 : 0;
	f.full_in = some(s, 4, 20);
	f.full_for = 1 + random_below(&s->random, 2000);
	return f;
}

static void on_unwritable(void *arg, const struct error *why)
{
	struct sim *s = arg;

	trace("unwritable: %s", why->message);
	s->unwritable = true;
}

static void options_random(struct sim *s)
{
	struct lf_options *o = &s->options;

	*o = lf_options_default();
	o->projectors = 1 + random_below(&s->random, 4);
	o->ports_max = PORTS + 1;
	o->ring_bytes = 4096u << random_below(&s->random, 4);
	o->reply_ring_bytes = 8192u << random_below(&s->random, 4);
	o->batch_max = 1 + random_below(&s->random, random_one_in(&s->random, 3) ? 64 : 6);
	o->build_at_once = random_below(&s->random, 40);
	o->build_slice = 1 + random_below(&s->random, 8);
	o->stepped = true;
	o->fixed_now_us = 1;
	o->disk = sim_disk_disk(s->disk);
	o->durability = random_one_in(&s->random, 3) ? LF_DURABILITY_OS : LF_DURABILITY_DISK;
	o->segment_bytes = SEGMENT_BYTES;
	o->on_unwritable = on_unwritable;
	o->on_unwritable_arg = s;
	if (s->followers != NULL)
		followers_options(s->followers, o);
	if (s->events != NULL)
		events_options(o);
}

/* --- running --- */

static void on_reply(void *arg, const struct lf_reply *reply)
{
	struct sim *s = arg;
	bool bad = sim_disk_failed(s->disk) || sim_disk_was_full(s->disk);

	if (reply->tag == HOLD_TAG)
		trace("released at %" PRIu64, reply->epoch);
	else if (reply->tag & ONCE_TAG)
		once_reply(s->once, reply, bad);
	else if (reply->tag & SCHEMA_TAG)
		schema_reply(s->schema, reply, bad);
	else
		ledger_reply(s->ledger, reply, bad);
	if (s->events != NULL)
		events_reply(s->events, reply);
}

/* After the crash nobody hears anything. */
static void poll(struct sim *s, unsigned port)
{
	while (!sim_disk_dead(s->disk) && lf_poll(s->ports[port], on_reply, s) > 0)
		;
}

/* --- holding the epoch --- */

static void hold_end(struct sim *s)
{
	if (s->hold != 0 && !lf_break_hold(s->engine, s->hold))
		wrong("a hold has ended by itself");
	if (s->hold != 0)
		trace("broken");
	s->hold = 0;
}

/* Begin or end one. */
static void hold_random(struct sim *s)
{
	struct error e;

	if (s->hold == 0) {
		if (random_one_in(&s->hold_random, 10) && lf_hold(s->engine, &s->hold, &e) == 0)
			trace("held");
		return;
	}
	if (random_one_in(&s->hold_random, 20)) {
		hold_end(s);
		return;
	}
	if (random_one_in(&s->hold_random, 5) &&
		lf_release_hold(
			s->ports[random_below(&s->hold_random, PORTS)], s->hold, HOLD_TAG, &e) == 0)
		s->hold = 0;
}

/* What is done is not seen before it ends. */
static void hold_check(struct sim *s, uint64_t visible)
{
	struct lf_stats stats;

	lf_stats(s->engine, &stats);
	if (s->hold != 0 && visible >= stats.epoch)
		wrong("epoch %" PRIu64 " is visible while it is held", visible);
}

/* All is answered and written; false: the disk has died. */
static bool settle(struct sim *s)
{
	bool idle = false;

	hold_end(s);
	for (unsigned n = 0; !idle; n++) {
		if (n == SETTLE_MAX)
			wrong("a command is never answered");
		idle = true;
		for (unsigned i = 0; i < PORTS; i++)
			lf_flush(s->ports[i]);
		lf_settle(s->engine);
		for (unsigned i = 0; i < PORTS; i++) {
			poll(s, i);
			idle &= lf_port_idle(s->ports[i]);
		}
		if (sim_disk_dead(s->disk))
			return false;
	}
	return true;
}

static void step_random(struct sim *s)
{
	unsigned steps = random_below(&s->random, 10);

	for (unsigned i = 0; i < steps && !sim_disk_dead(s->disk); i++) {
		unsigned shard = random_below(&s->random, s->options.projectors + 1);

		(void)lf_step(s->engine, shard);
	}
}

static void read_compare(struct sim *s, enum ledger_check check, bool gaps, bool everything)
{
	uint64_t epoch;
	struct error e;

	schema_ready(s->schema);
	if (lf_read_begin(s->reader, 0, &epoch, &e) != 0)
		wrong("read_begin: %s", e.message);
	trace("read at %" PRIu64, epoch);
	hold_check(s, epoch);
	ledger_compare(s->ledger, s->reader, check, gaps);
	/* What is pinned stays while others go on. */
	if (check == CHECK_LIVE && random_one_in(&s->random, 3))
		step_random(s);
	schema_compare(s->schema, s->reader, everything);
	if (s->once != NULL)
		once_compare(s->once, s->reader, epoch, false);
	if (s->events != NULL && check != CHECK_LIVE)
		events_compare(s->events, s->engine, s->reader);
	lf_read_end(s->reader);
	ledger_tell(s->ledger, epoch);
}

/* There has been no space, and is again: commands must be taken. */
static void space_again(struct sim *s)
{
	uint64_t skipped;

	for (unsigned i = 0; i < SPACE_STEPS; i++)
		for (unsigned shard = 0; shard < s->options.projectors; shard++)
			(void)lf_step(s->engine, shard);
	if (!settle(s))
		return;
	skipped = ledger_skipped(s->ledger);
	for (unsigned i = 0; i < 4 * PORTS; i++)
		(void)ledger_submit(s->ledger, s->ports[i % PORTS], i % PORTS);
	if (settle(s) && !sim_disk_is_full(s->disk) && !s->unwritable &&
		ledger_skipped(s->ledger) != skipped)
		wrong("there is space again, and commands are refused");
}

/* It may fail where the disk does; what was there before must do then. */
static void checkpoint(struct sim *s)
{
	struct error e;
	int status = lf_checkpoint(s->engine, &e);

	trace("checkpoint: %s", status == 0 ? "written" : e.message);
	if (status == 0)
		all.checkpoints++;
	else if (!sim_disk_dead(s->disk) && !sim_disk_failed(s->disk) &&
		!sim_disk_was_full(s->disk))
		wrong("checkpoint: %s %s", error_sqlstate(e.code), e.message);
}

/* All has been answered: send again what has no answer, and once nothing is left, each must have been executed once. */
static void once_settle(struct sim *s)
{
	uint64_t epoch;
	struct error e;

	for (unsigned tries = 0; once_submit_all(s->once, s->ports[tries % PORTS]) > 0; tries++)
		if (!settle(s) || s->unwritable || sim_disk_is_full(s->disk) || tries == SETTLE_MAX)
			return;
	if (lf_read_begin(s->reader, 0, &epoch, &e) != 0)
		wrong("read_begin: %s", e.message);
	once_compare(s->once, s->reader, epoch, true);
	lf_read_end(s->reader);
	all.once_settled++;
}

static void once_random(struct sim *s, struct random *random)
{
	unsigned n = random_below(random, 4);

	for (unsigned i = 0; i < n; i++)
		once_submit(s->once, s->ports[random_below(random, PORTS)]);
}

static void round_random(struct sim *s)
{
	unsigned n = random_below(&s->random, 5);
	bool gaps;

	for (unsigned i = 0; i < n; i++) {
		unsigned port = random_below(&s->random, PORTS);

		(void)ledger_submit(s->ledger, s->ports[port], port);
	}
	if (s->once != NULL && random_one_in(&s->random, 2))
		once_random(s, &s->random);
	if (random_one_in(&s->random, 8))
		schema_submit(s->schema, s->ports[random_below(&s->random, PORTS)]);
	if (!s->old)
		hold_random(s);
	for (unsigned i = 0; i < PORTS; i++)
		if (!random_one_in(&s->random, 3))
			lf_flush(s->ports[i]);
	step_random(s);
	if (s->events != NULL)
		events_step(s->events);
	if (s->checkpoints && random_one_in(&s->random, 40))
		checkpoint(s);
	for (unsigned i = 0; i < PORTS; i++)
		if (random_one_in(&s->random, 2))
			poll(s, i);
	if (sim_disk_dead(s->disk))
		return;
	gaps = sim_disk_was_full(s->disk) || sim_disk_failed(s->disk);
	if (s->followers != NULL)
		followers_round(s->followers);
	if (random_one_in(&s->random, 6))
		read_compare(s, CHECK_LIVE, gaps, false);
	if (s->full_only && sim_disk_was_full(s->disk) && !sim_disk_is_full(s->disk) &&
		random_one_in(&s->random, 10) && settle(s) && !s->unwritable)
		space_again(s);
	if (sim_disk_dead(s->disk))
		return;
	if ((random_one_in(&s->random, 25) || ledger_crowded(s->ledger)) && settle(s) &&
		!s->unwritable) {
		read_compare(s, CHECK_QUIET, false, true);
		if (s->once != NULL)
			once_settle(s);
		if (s->followers != NULL)
			followers_quiet(s->followers);
	}
}

/* --- a life --- */

static void ports_open(struct sim *s)
{
	struct error e;

	for (unsigned i = 0; i < PORTS; i++)
		if (lf_port_open(&s->ports[i], s->engine, NULL, NULL, &e) != 0)
			wrong("a port: %s", e.message);
	if (lf_port_open(&s->reader, s->engine, NULL, NULL, &e) != 0)
		wrong("a port: %s", e.message);
	ledger_attach(s->ledger, s->engine);
	schema_attach(s->schema, s->engine);
	if (s->once != NULL)
		once_attach(s->once, s->engine);
	if (s->followers != NULL)
		followers_attach(s->followers, s->engine);
	if (s->events != NULL)
		events_attach(s->events, s->engine, s->reader, s->options.projectors);
}

static void engine_end(struct sim *s)
{
	hold_end(s);
	/* A schema change of one may wait for a hold whose end another has. */
	for (unsigned i = 0; i < PORTS; i++)
		lf_flush(s->ports[i]);
	if (s->followers != NULL)
		followers_detach(s->followers);
	if (s->events != NULL)
		events_detach(s->events);
	for (unsigned i = 0; i < PORTS; i++)
		lf_port_close(s->ports[i]);
	lf_port_close(s->reader);
	ledger_detach(s->ledger);
	schema_detach(s->schema);
	if (s->once != NULL)
		once_detach(s->once);
	lf_engine_close(s->engine);
	s->engine = NULL;
}

/* The power has failed: without DISK_SYNCED acknowledged commands may be lost. */
static void power_failed(struct sim *s)
{
	if (!s->soft)
		return;
	s->check = CHECK_ADOPT;
	ledger_forget_told(s->ledger);
	if (s->once != NULL)
		once_adopt(s->once);
}

static void crashed(struct sim *s)
{
	s->crashes++;
	if (s->check == CHECK_QUIET)
		s->check = CHECK_CRASH;
	if (sim_disk_crash_kind(s->disk) == CRASH_POWER)
		power_failed(s);
}

static void recovered(struct sim *s)
{
	uint64_t visible = lf_visible(s->engine);

	trace("recovered, visible %" PRIu64, visible);
	s->recoveries++;
	if (visible < ledger_told(s->ledger))
		wrong("epoch %" PRIu64 " was told, only %" PRIu64 " is visible now",
			ledger_told(s->ledger), visible);
	schema_recovered(s->schema, s->check == CHECK_ADOPT);
	read_compare(s, s->check, s->gaps, true);
	s->soft = s->options.durability == LF_DURABILITY_OS;
	s->check = CHECK_QUIET;
	s->gaps = false;
}

/* Open the engine on what is left: true when it runs. Crashes and errors of the disk may come in between. */
static bool recover(struct sim *s)
{
	for (unsigned i = 0; i < RECOVERY_TRIES; i++) {
		bool calm = i == RECOVERY_TRIES - 1;
		struct sim_faults faults = calm ? faults_none(s) : faults_random(s);
		struct error e;
		bool opened;

		options_random(s);
		trace("recovery: %u projectors, durability %d", s->options.projectors,
			(int)s->options.durability);
		sim_disk_start(s->disk, &faults);
		s->unwritable = false;
		s->full_only = faults.create_eio_one_in == 0;
		opened = lf_engine_open(&s->engine, &s->options, &e) == 0;
		if (opened && !sim_disk_dead(s->disk))
			return true;
		if (opened) {
			lf_engine_close(s->engine);
		} else if (!sim_disk_dead(s->disk) && !sim_disk_failed(s->disk) &&
			!sim_disk_was_full(s->disk)) {
			wrong("recovery: %s %s", error_sqlstate(e.code), e.message);
		}
		if (sim_disk_dead(s->disk))
			crashed(s);
	}
	return false;
}

static void life(struct sim *s)
{
	unsigned rounds = 1 + random_below(&s->random, ROUNDS_MAX);
	bool orderly = random_one_in(&s->random, 4);
	enum sim_crash kind = random_one_in(&s->random, 2) ? CRASH_POWER : CRASH_KILL;

	if (!recover(s))
		return;
	ports_open(s);
	recovered(s);
	for (unsigned r = 0; r < rounds && !sim_disk_dead(s->disk); r++)
		round_random(s);
	if (s->events != NULL && orderly && !sim_disk_failed(s->disk) &&
		!sim_disk_was_full(s->disk) && settle(s))
		events_drain(s->events);
	if (orderly && settle(s))
		trace("closed in order");
	else if (!sim_disk_dead(s->disk))
		sim_disk_crash(s->disk, kind);
	engine_end(s);
	if (sim_disk_dead(s->disk))
		crashed(s);
	s->gaps |= sim_disk_was_full(s->disk) || sim_disk_failed(s->disk);
	if (s->gaps && s->check == CHECK_QUIET)
		s->check = CHECK_CRASH;
	if (random_one_in(&s->random, 4)) {
		sim_disk_power_cut(s->disk);
		power_failed(s);
	}
}

/* The first life: tables, and no faults. */
static void life_first(struct sim *s)
{
	struct sim_faults faults = faults_none(s);
	struct error e;

	options_random(s);
	s->options.durability = LF_DURABILITY_DISK;
	sim_disk_start(s->disk, &faults);
	if (lf_engine_open(&s->engine, &s->options, &e) != 0)
		wrong("opening: %s", e.message);
	ports_open(s);
	schema_create(s->schema, s->reader);
	if (s->once != NULL)
		once_create(s->once, s->reader);
	engine_end(s);
	s->check = CHECK_QUIET;
}

static uint64_t run_seed(uint64_t seed, bool checkpoints, bool old)
{
	struct sim s = { .seed = seed,
		.checkpoints = checkpoints,
		.old = old,
		.hold_random = { seed * 0x9e3779b97f4a7c15u + 1 },
		.random = { seed * 0x2545f4914f6cdd1du + 1 } };
	unsigned lives = 2 + random_below(&s.random, LIVES_MAX);

	(void)snprintf(all.repeat, sizeof(all.repeat), "%s%s%s", all.program,
		checkpoints ? "" : " --no-checkpoints", old ? " --old" : "");
	trace_begin(seed, all.verbose, all.repeat);
	(void)alarm(WATCHDOG_S);
	s.disk = sim_disk_new(&s.random, all.plant);
	s.ledger = ledger_new(&s.random);
	s.schema = schema_new(&s.random, s.ledger, old);
	s.once = old ? NULL : once_new(seed);
	s.followers = old ? NULL : followers_new(seed, s.ledger);
	if (!old && seed % 2 == 0) {
		s.events = events_new(seed);
		ledger_say_numbers(s.ledger);
	}
	life_first(&s);
	for (unsigned i = 0; i < lives; i++)
		life(&s);
	all.commands += ledger_commands(s.ledger);
	all.skipped += ledger_skipped(s.ledger);
	all.unknown += ledger_unknown(s.ledger);
	all.changes += schema_changes(s.schema);
	all.recoveries += s.recoveries;
	all.crashes += s.crashes;
	all.compared += schema_compared(s.schema);
	if (s.once != NULL) {
		all.once += once_commands(s.once);
		all.once_repeats += once_repeats(s.once);
		once_free(s.once);
	}
	if (s.followers != NULL) {
		all.followed += followers_compared(s.followers);
		all.gaps += followers_gaps(s.followers);
		followers_free(s.followers);
	}
	if (s.events != NULL) {
		all.events += events_compared(s.events);
		all.given += events_given(s.events);
	}
	events_free(s.events);
	schema_free(s.schema);
	ledger_free(s.ledger);
	sim_disk_free(s.disk);
	return trace_hash();
}

/* --- the program --- */

/* An assertion or a fault of the program: which seed it was. */
static void on_signal(int number)
{
	signal(number, SIG_DFL);
	wrong("signal %d", number);
}

static enum sim_plant plant_named(const char *name)
{
	if (strcmp(name, "early") == 0)
		return PLANT_EARLY;
	if (strcmp(name, "nodirsync") == 0)
		return PLANT_NODIRSYNC;
	if (strcmp(name, "twice") == 0)
		return PLANT_TWICE;
	fprintf(stderr, "--plant is early, nodirsync or twice\n");
	exit(2);
}

int main(int argc, char **argv)
{
	uint64_t seeds = DEFAULT_SEEDS, from = 1, hash = 0, first = 0;
	bool single = false, checkpoints = true, old = false;
	const char *plant = NULL;

	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (strcmp(argv[i], "--verbose") == 0) {
			all.verbose = true;
			continue;
		}
		if (strcmp(argv[i], "--no-checkpoints") == 0) {
			checkpoints = false;
			continue;
		}
		if (strcmp(argv[i], "--old") == 0) {
			old = true;
			continue;
		}
		if (strcmp(argv[i], "--seeds") == 0) {
			seeds = strtoull(value, NULL, 10);
		} else if (strcmp(argv[i], "--from") == 0) {
			from = strtoull(value, NULL, 10);
		} else if (strcmp(argv[i], "--seed") == 0) {
			from = strtoull(value, NULL, 10);
			seeds = 1;
			single = true;
		} else if (strcmp(argv[i], "--plant") == 0) {
			plant = value;
			all.plant = plant_named(value);
			wrong_is_right();
		} else {
			fprintf(stderr, "%s: no such flag: %s\n", argv[0], argv[i]);
			return 2;
		}
		i++;
	}
	(void)snprintf(all.program, sizeof(all.program), "%.100s%s%s", argv[0],
		plant == NULL ? "" : " --plant ", plant == NULL ? "" : plant);
	log_set_level(LOG_LEVEL_ERROR);
	signal(SIGABRT, on_signal);
	signal(SIGALRM, on_signal);
	for (unsigned i = 0; i < NKEPT && !single && plant == NULL; i++)
		hash = hash * 31 + run_seed(KEPT[i].seed, KEPT[i].checkpoints, !KEPT[i].all);
	for (uint64_t seed = from; seed < from + seeds; seed++) {
		uint64_t h = run_seed(seed, checkpoints, old);

		if (seed == from)
			first = h;
		hash = hash * 31 + h;
	}
	printf("%" PRIu64 " seeds from %" PRIu64 ": %" PRIu64 " commands (%" PRIu64
	       " refused for want of space, %" PRIu64 " unknown), %" PRIu64
	       " schema changes, %" PRIu64 " checkpoints, %" PRIu64 " crashes, %" PRIu64
	       " recoveries, %" PRIu64 " views equal, %" PRIu64
	       " commands with request ids (%" PRIu64 " answers repeated, all counted %" PRIu64
	       " times), %" PRIu64 " groups followed, %" PRIu64 " gaps, %" PRIu64
	       " events compared, %" PRIu64 " given to a consumer; trace %016" PRIx64 "\n",
		seeds, from, all.commands, all.skipped, all.unknown, all.changes, all.checkpoints,
		all.crashes, all.recoveries, all.compared, all.once, all.once_repeats,
		all.once_settled, all.followed, all.gaps, all.events, all.given, hash);
	if (plant != NULL) {
		fprintf(stderr, "the defect '%s' was not found\n", plant);
		return 1;
	}
	/* The same seed, the same run. */
	if (run_seed(from, checkpoints, old) != first)
		wrong("the second run of the same seed was another");
	return 0;
}
