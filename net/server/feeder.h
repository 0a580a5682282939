/*
 * feeder.h: connections that have said that they are the source of tables (HELLO), by its name, in all reactors.
 */
#ifndef LF_NET_SERVER_FEEDER_H
#define LF_NET_SERVER_FEEDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/base/error.h"

struct feeder;

/* Of a server; zeros at first. */
struct feeders {
	struct feeder *_Atomic first;
	_Atomic unsigned n;
};

/* The feeder of that name (n bytes, at most LIMIT_NAME_BYTES), which stays as long as the server. NULL: 53200, 53400. */
struct feeder *feeder_get(struct feeders *all, const char *name, size_t n, struct error *e);
void feeders_free(struct feeders *all);
const char *feeder_name(const struct feeder *f);

/* The generation that a new connection is of; alone: a new one, so that connections of older ones are over. */
uint64_t feeder_generation(struct feeder *f, bool alone);
/* No command of it is under way. */
bool feeder_is_quiet(const struct feeder *f);
/* Before a command is submitted. False: the connection's generation is over. In any case feeder_leave() is to be called, when it
 * is answered. */
bool feeder_enter(struct feeder *f, uint64_t generation);
void feeder_leave(struct feeder *f);

#endif
