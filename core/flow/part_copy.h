/*
 * part_copy.h: the rows of a table's part in another layout: ALTER TABLE … ADD COLUMN, while commands go on or all at once.
 *
 * The copy goes through the part segment by segment in the order of the keys' hashes, as builds of views do (flow_build.c): a
 * change of a row that it has met is made in the copy too, and any other will be met. So it is at any moment the copy of the
 * part that has been gone through. For one thread, the part's owner.
 */
#ifndef LF_FLOW_PART_COPY_H
#define LF_FLOW_PART_COPY_H

#include "core/flow/part.h"

struct part_copy;

/* Of `from` into the empty part `to`, whose relation's `carry` makes the rows; looked at are the checks of that relation from
 * first_check on, and NULLs from column first_added on. 0; -1 with *e: 53200, and what has no program. */
int part_copy_new(struct part_copy **out, const struct part *from, struct part *to,
	unsigned first_added, unsigned first_check, struct error *e);
bool part_copy_is_of(const struct part_copy *c, const struct part *from);
/* The parts stay. NULL is none. */
void part_copy_free(struct part_copy *c);
/* A slice: segments of at least *n rows, which becomes their number; the rows are of `epoch`. 1: there is more, 0: all is
 * copied; -1 with *e: 23502, 23514, 54000, 53200, errors of a check. */
int part_copy_slice(struct part_copy *c, uint64_t epoch, unsigned *n, struct error *e);
/* A change of `from`, which has been made: either row may be NULL. 0, or -1 as above. */
int part_copy_change(struct part_copy *c, uint64_t epoch, const void *old_row, const void *new_row,
	struct error *e);

#endif
