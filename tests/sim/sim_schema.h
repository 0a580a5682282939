/*
 * sim_schema.h: tables, views and indexes of the simulation; random schema changes; views compared with what SQLite
 * computes from the tables.
 */
#ifndef LF_TESTS_SIM_SCHEMA_H
#define LF_TESTS_SIM_SCHEMA_H

#include "core/engine.h"
#include "tests/sim/sim_base.h"
#include "tests/sim/sim_ledger.h"

struct schema;
/* old: only the objects there were when the seeds that are kept were found. */
struct schema *schema_new(struct random *random, struct ledger *ledger, bool old);
void schema_free(struct schema *s);

void schema_attach(struct schema *s, struct lf_engine *engine);
void schema_detach(struct schema *s);

/* The tables that are always there. */
void schema_create(struct schema *s, struct lf_port *port);
/* Submit a random schema change, unless one is under way. */
void schema_submit(struct schema *s, struct lf_port *port);
/* Tags of replies with this bit are schema changes. */
#define SCHEMA_TAG ((uint64_t)1 << 63)
void schema_reply(struct schema *s, const struct lf_reply *reply, bool disk_bad);
bool schema_busy(const struct schema *s);

/* What came back is what was acknowledged; one that was not may be there. adopt: whatever is there is right. */
void schema_recovered(struct schema *s, bool adopt);

/* Before an epoch is pinned to compare at: a schema change of a later one has no part in the queries then. */
void schema_ready(struct schema *s);
/* Compare views, as they are read at the pinned epoch, with SQLite's; a few, or all. */
void schema_compare(struct schema *s, struct lf_port *reader, bool all);
/* Views compared; schema changes submitted. */
uint64_t schema_compared(const struct schema *s);
uint64_t schema_changes(const struct schema *s);

#endif
