/*
 * events.h: events as leftfold prints them.
 */
#ifndef LF_TOOLS_LEFTFOLD_EVENTS_H
#define LF_TOOLS_LEFTFOLD_EVENTS_H

#include <stdio.h>

#include "net/client/leftfold.h"

/* "oldest", "now" or an epoch. False: it is none of them. */
bool events_from(const char *text, enum lf_log_from *from, struct lf_event_position *behind);
/* A line of JSON, or some lines of text. */
void event_print(FILE *out, const struct lf_event *ev, bool json);

#endif
