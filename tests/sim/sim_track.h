/*
 * sim_track.h: one aggregate in the ledger: a state that is certain, the commands behind it, and what it has been.
 */
#ifndef LF_TESTS_SIM_TRACK_H
#define LF_TESTS_SIM_TRACK_H

#include "core/engine.h"
#include "tests/sim/sim_ledger.h"
#include "tests/sim/sim_model.h"

enum { OPS_MAX = 12 /* commands that are not certain */ };

/* What is known of a command. */
enum op_status {
	PENDING,         /* nothing, or LF003 */
	DONE,            /* it was executed; `durable`: and will stay */
	REFUSED,         /* by a constraint, `code` */
	SKIPPED,         /* for want of space or the like: it has changed nothing */
	DONE_OR_REFUSED, /* of several aggregates some refused it: the model knows which */
	DONE_OR_SKIPPED
};

struct op {
	uint64_t number; /* also the tag */
	uint64_t epoch;
	enum kind kind;
	int64_t arg;
	enum lf_ack ack;
	enum op_status status;
	enum error_code code;
	bool many, durable, seen; /* seen: by a reader */
};

/* An aggregate: a state that is certain, and the commands behind it. */
struct track {
	struct state base;
	unsigned n;
	struct op ops[OPS_MAX];
	/* Hashes of what it was since the last recovery. vague: it may have been something else, too. */
	uint64_t *history;
	unsigned nhistory, cap;
	bool vague;
};

/* The history begins with the base. */
void track_begin(struct track *a);
/* As it will be when everything is done. */
struct state track_coming(const struct track *a);
/* Move what is certain, and seen by all readers to come, into the base. */
void track_fold(struct track *a, uint64_t visible);
/* Note what the first commands make of it, one after the other. */
void track_remember(struct track *a, unsigned limit, bool gaps);
/* What is there must come from the base and some of the commands; see ledger_compare(). g: its number. */
void track_compare(
	struct track *a, unsigned g, const struct state *there, enum ledger_check check, bool gaps);
/* … or be in the history. */
void track_must_have_been(struct track *a, unsigned g, const struct state *there);

#endif
