/*
 * once.h: commands with a request id: their results as answers, and answers as results.
 */
#ifndef LF_FLOW_ONCE_H
#define LF_FLOW_ONCE_H

#include "core/flow/answers.h"
#include "core/flow/command.h"

/* What the first execution of s gave: 0 and *result, whose rows are the record's; or -1 with its error. 0A000: its rows
 * have other columns than s has; 54000: they were not kept. */
int once_repeat(const struct answer_record *known, const struct statement *s, struct arena *results,
	struct command_result *result, struct error *e);

/* Keep what command_execute() of s gave, status and *e as it left them. False: it is not kept, since it was refused for
 * want of memory or disk, which may be otherwise the next time (53200 in *e when it is the memory for keeping it). */
bool once_remember(struct answers *a, struct answer *answer, const struct statement *s,
	const struct command_env *env, int status, const struct command_result *result,
	struct error *e);

#endif
