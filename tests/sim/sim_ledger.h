/*
 * sim_ledger.h: what was asked of the engine and what it answered, by aggregate, and whether what is there can have
 * come from that.
 *
 * An aggregate is written through one port, so its commands are executed in the order in which they were submitted. The
 * ledger keeps a state that is certain and the commands behind it; a small model says what each of them does. Rows that
 * are read must be what some number of these commands, from the first on, made of that state. How many it must be at
 * least depends on what was acknowledged and what a reader has seen.
 */
#ifndef LF_TESTS_SIM_LEDGER_H
#define LF_TESTS_SIM_LEDGER_H

#include "core/engine.h"
#include "tests/sim/sim_base.h"

enum {
	PORTS = 3,
	ACCOUNTS = 12,
	KEYS = 9,
	TAGS = 9,
	LOOSE = 6,  /* rows of a table without any key */
	EXTRAS = 2, /* tables that come and go … */
	EXTRA_KEYS = 3,
	FIRST_KEY = ACCOUNTS,
	FIRST_TAG = FIRST_KEY + KEYS,
	FIRST_LOOSE = FIRST_TAG + TAGS,
	FIRST_EXTRA = FIRST_LOOSE + LOOSE,
	AGGREGATES = FIRST_EXTRA + EXTRAS * EXTRA_KEYS
};

enum ledger_check {
	CHECK_LIVE,  /* at a pinned epoch, with commands under way */
	CHECK_QUIET, /* everything was answered, nothing can have been lost */
	CHECK_CRASH, /* what was not acknowledged may be lost */
	CHECK_ADOPT /* what was acknowledged may be lost: what was once there since the last recovery */
};

struct ledger;
struct ledger *ledger_new(struct random *random);
void ledger_free(struct ledger *l);

/* A run begins or ends: prepared statements are of one engine. */
/* Some commands are given by procedures, in every other life. */
void ledger_has_procedures(struct ledger *l);
void ledger_attach(struct ledger *l, struct lf_engine *engine);
void ledger_detach(struct ledger *l);

/* From now on commands say their numbers as metadata. */
void ledger_say_numbers(struct ledger *l);

/* Submit a random command through the port. False: nothing could be submitted. */
bool ledger_submit(struct ledger *l, struct lf_port *port, unsigned number);
/* disk_bad: the disk has had no space, or an error, in this life. */
void ledger_reply(struct ledger *l, const struct lf_reply *reply, bool disk_bad);
bool ledger_crowded(const struct ledger *l);

/* Compare with what the port reads at its pinned epoch. gaps: commands that were not answered may have been refused. */
void ledger_compare(struct ledger *l, struct lf_port *reader, enum ledger_check check, bool gaps);

/* An extra table: whether it may be dropped (and is not used from now on); it is there, or not. */
bool ledger_extra_quiet(struct ledger *l, unsigned extra);
void ledger_extra_set(struct ledger *l, unsigned extra, bool there, bool usable);

/* The newest epoch that anyone was told. */
uint64_t ledger_told(const struct ledger *l);
void ledger_tell(struct ledger *l, uint64_t epoch);
void ledger_forget_told(struct ledger *l);
/* Commands that were refused for want of space, or the like. */
uint64_t ledger_skipped(const struct ledger *l);
/* … that were answered LF003. */
uint64_t ledger_unknown(const struct ledger *l);
uint64_t ledger_commands(const struct ledger *l);

#endif
