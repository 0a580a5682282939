/*
 * lanes.h: commands sent through several connections at once, without waiting for the answers.
 *
 * A command goes through the lane (connection) of its aggregate's key, so commands on one aggregate are executed in
 * the order in which they were sent. Consecutive executions of one statement in a lane travel as a batch.
 * Every failure that a caller cannot go on from ends the program.
 */
#ifndef LF_TOOLS_DEMO_LANES_H
#define LF_TOOLS_DEMO_LANES_H

#include <stdint.h>

#include "net/client/leftfold.h"

struct lanes;

struct lanes_tally {
	uint64_t sent, answered;
	uint64_t refused;   /* 23514: a CHECK said no */
	uint64_t unmatched; /* succeeded, but no row was changed: a guard said no */
};

struct lanes *lanes_open(const char *address);
void lanes_close(struct lanes *l);
/* Prepare in every lane; returns the statement's number. */
unsigned lanes_prepare(struct lanes *l, const char *text);
/* Its parameters, to be set before lanes_send(). They keep their values. */
struct lf_params *lanes_params(struct lanes *l, unsigned statement);
/* Send one execution; waits only while the lane is full. */
void lanes_send(struct lanes *l, int64_t key, unsigned statement);
/* Wait until all is answered. */
void lanes_wait(struct lanes *l);
struct lanes_tally lanes_tally(const struct lanes *l);
/* The newest epoch acknowledged: for reads that shall see all that was sent. */
uint64_t lanes_epoch(const struct lanes *l);

#endif
